//! Takes a store and the reference through the same steps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aisle_shared::domain::{ErrorCode, ItemError, ItemOutcome, JobId, NewJob, Timestamp};
use aisle_shared::store::{
    ClaimRequest, Deleted, Enqueued, Found, JobFilter, Lease, Retried, StoreError, Swept,
};
use aisle_tests::fixtures::{answer, items, job, model, tenant, undecodable, unreachable_url};
use aisle_tests::harness::Harness;
use anyhow::{Context, bail, ensure};
use proptest::sample::Index;

use super::reference::{Reference, State};
use super::step::{Pick, Road, Step, Submission};
use super::{claims, outbox};
use crate::webhooks::callback;
use crate::world::{ALL, LEASE, Over, stranger, worker};

struct Driver {
    world: Harness,
    reference: Reference,
    /// Every job of the case, gone ones too, as it was submitted.
    submitted: Vec<(NewJob, u32)>,
    /// What workers believe to hold.
    held: Vec<Lease>,
    /// Every lease there ever was.
    given: Vec<Lease>,
    /// The last look at each job.
    versions: BTreeMap<JobId, (u64, aisle_shared::domain::Job)>,
}

/// Runs one case.
pub(super) async fn run(over: Over, steps: &[Step]) -> anyhow::Result<()> {
    let Some(world) = over.harness().await? else { return Ok(()) };
    let mut driver = Driver {
        world,
        reference: Reference { parted: over.is_parted(), ..Reference::default() },
        submitted: Vec::new(),
        held: Vec::new(),
        given: Vec::new(),
        versions: BTreeMap::new(),
    };
    outbox::sign(&driver.world).await?;
    for (number, step) in steps.iter().enumerate() {
        let taken = async {
            driver.take(step).await?;
            driver.reference.note_ends();
            driver.compare_counts().await
        };
        taken.await.with_context(|| format!("step {number}, {step:?}"))?;
    }
    driver.compare_jobs().await.context("after the last step")?;
    driver.drain().await.context("while draining")
}

impl Driver {
    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    fn job(&self, which: &Index) -> Option<(NewJob, u32)> {
        (!self.submitted.is_empty()).then(|| which.get(&self.submitted).clone())
    }

    fn lease(&self, pick: &Pick) -> Option<Lease> {
        let leases = if pick.stale { &self.given } else { &self.held };
        (!leases.is_empty()).then(|| pick.which.get(leases).clone())
    }

    fn leases(&self, picks: &[Pick]) -> Vec<Lease> {
        picks.iter().filter_map(|pick| self.lease(pick)).collect()
    }

    async fn take(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Submit(submission) => self.submit(submission).await,
            Step::Replay(which) => self.replay(which).await,
            Step::Claim { worker, model, max } => self.claim(worker, model, *max).await,
            Step::Complete { picks, succeeded } => self.complete(picks, *succeeded).await,
            Step::Retry { pick, after } => self.retry(pick, *after).await,
            Step::Release(picks) => self.release(picks).await,
            Step::Extend(picks) => self.extend(picks).await,
            Step::Crash => {
                self.held.truncate(self.held.len() / 2);
                Ok(())
            }
            Step::Cancel(which) => self.cancel(which).await,
            Step::Delete(which) => self.delete(which).await,
            Step::Intrude(which) => self.intrude(which).await,
            Step::Advance(by) => {
                self.world.clock.advance(*by);
                Ok(())
            }
            Step::Reap => self.reap().await,
            Step::Sweep => self.sweep().await,
            Step::Send { max, delivered } => {
                outbox::send(&self.world, &mut self.reference, *max, *delivered).await.map(drop)
            }
        }
    }

    async fn submit(&mut self, submission: &Submission) -> anyhow::Result<()> {
        let new = NewJob {
            tenant: tenant(submission.tenant),
            model: model(submission.model),
            priority: submission.priority,
            weight: submission.weight,
            max_attempts: submission.max_attempts,
            retention: submission.retention,
            callback: submission.told.and_then(callback),
            ..job()
        };
        let total = submission.items;
        let all = items(total);
        let store = &self.world.store;
        let enqueued = match submission.road {
            Road::Enqueue => store.enqueue(&new, &all).await?,
            Road::Seal => {
                let enqueued = store.open(&new, total).await?;
                let (first, second) = all.split_at(all.len() / 2);
                store.append(&new.id, total / 2, second).await?;
                if !first.is_empty() {
                    store.append(&new.id, 0, first).await?;
                }
                store.seal(&new.id).await?;
                enqueued
            }
            Road::Abandon => {
                let enqueued = store.open(&new, total).await?;
                if total > 1 {
                    store.append(&new.id, 0, &all[1..]).await?;
                }
                enqueued
            }
        };
        ensure!(enqueued.is_created(), "a new job was taken for an old one");
        let sealed = submission.road != Road::Abandon;
        self.reference.submit(new.clone(), total, sealed, self.now());
        self.submitted.push((new, total));
        Ok(())
    }

    async fn replay(&self, which: &Index) -> anyhow::Result<()> {
        let Some((new, total)) = self.job(which) else { return Ok(()) };
        if self.reference.jobs.contains_key(&new.id) {
            let enqueued = self.world.store.enqueue(&new, &items(total)).await?;
            ensure!(enqueued == Enqueued::Replayed, "a known job was created again");
        }
        Ok(())
    }

    async fn claim(&mut self, by: &str, of: &str, max: usize) -> anyhow::Result<()> {
        let request = ClaimRequest {
            worker: worker(by),
            model: model(of),
            max,
            lease: LEASE,
            with_content: true,
        };
        let claimed = self.world.store.claim(&request).await?;
        claims::accept(&mut self.reference, &request, &claimed, self.world.clock.now())?;
        let leases: Vec<_> = claimed.into_iter().map(|held| held.lease).collect();
        self.held.extend(leases.clone());
        self.given.extend(leases);
        Ok(())
    }

    async fn complete(&mut self, picks: &[Pick], succeeded: bool) -> anyhow::Result<()> {
        let leases = self.leases(picks);
        let outcome = |lease: &Lease| match succeeded {
            // Each answer names its lease, so that one overwritten shows.
            true => answer(&lease.token.0),
            false => ItemOutcome::Failed(undecodable()),
        };
        let batch: Vec<_> = leases.iter().map(|lease| (lease.clone(), outcome(lease))).collect();
        let recorded = self.world.store.complete(&batch).await?;
        let now = self.now();
        let mut expected = Vec::new();
        for (lease, outcome) in batch {
            expected.push(self.reference.complete(&lease, outcome, now));
        }
        ensure!(recorded == expected, "{recorded:?} should be {expected:?}");
        self.held.retain(|lease| !leases.contains(lease));
        Ok(())
    }

    async fn retry(&mut self, pick: &Pick, after: Duration) -> anyhow::Result<()> {
        let Some(lease) = self.lease(pick) else { return Ok(()) };
        let error = unreachable_url();
        let retried = self.world.store.retry(&lease, after, &error).await?;
        let repeats = self.reference.repeats_its_retry(&lease);
        let expected = self.reference.retry(&lease, after, &error, self.world.clock.now());
        // Whether a repeated call is known again depends on whether the item
        // was promoted in between; either way nothing moves.
        let known_again = repeats && retried == Retried::Delayed;
        ensure!(retried == expected || known_again, "{retried:?} should be {expected:?}");
        self.held.retain(|held| *held != lease);
        Ok(())
    }

    async fn release(&mut self, picks: &[Pick]) -> anyhow::Result<()> {
        let leases = self.leases(picks);
        self.world.store.release(&leases).await?;
        let now = self.now();
        for lease in &leases {
            self.reference.release(lease, now);
        }
        self.held.retain(|lease| !leases.contains(lease));
        Ok(())
    }

    async fn extend(&mut self, picks: &[Pick]) -> anyhow::Result<()> {
        let mut leases = self.leases(picks);
        leases.dedup();
        let extended = self.world.store.extend(&leases, LEASE).await?;
        let expected = self.reference.extend(&leases, LEASE, self.world.clock.now());
        ensure!(extended == expected, "{extended:?} should be {expected:?}");
        Ok(())
    }

    async fn cancel(&mut self, which: &Index) -> anyhow::Result<()> {
        let Some((new, _)) = self.job(which) else { return Ok(()) };
        let canceled = found(self.world.store.cancel(&new.tenant, &new.id).await)?;
        let expected = self.reference.cancel(&new.id, self.world.clock.now());
        ensure!(canceled == expected, "{canceled:?} should be {expected:?}");
        self.compare_job(&new).await
    }

    async fn delete(&mut self, which: &Index) -> anyhow::Result<()> {
        let Some((new, _)) = self.job(which) else { return Ok(()) };
        let deleted = found(self.world.store.delete(&new.tenant, &new.id).await)?;
        let expected = self.reference.delete(&new.id).map(|items| Deleted { items });
        ensure!(deleted == expected, "{deleted:?} should be {expected:?}");
        self.compare_job(&new).await
    }

    async fn intrude(&mut self, which: &Index) -> anyhow::Result<()> {
        let Some((new, _)) = self.job(which) else { return Ok(()) };
        let (store, tenant) = (&self.world.store, stranger());
        ensure!(store.find(&tenant, &new.id).await? == Found::Unknown, "a stranger found it");
        ensure!(found(store.results(&tenant, &new.id, 0, 9).await)?.is_none(), "read its results");
        ensure!(found(store.cancel(&tenant, &new.id).await)?.is_none(), "canceled it");
        ensure!(found(store.delete(&tenant, &new.id).await)?.is_none(), "deleted it");
        self.compare_job(&new).await
    }

    async fn reap(&mut self) -> anyhow::Result<()> {
        let reaped = self.world.store.reap(ALL).await?;
        let reaped = [reaped.requeued, reaped.dead, reaped.canceled];
        let expected = self.reference.reap(self.world.clock.now());
        for (items, expected) in reaped.iter().zip(&expected) {
            let once = items.len() == expected.len();
            let same = items.iter().copied().collect::<BTreeSet<_>>() == *expected;
            ensure!(once && same, "{reaped:?} should be {expected:?}");
        }
        Ok(())
    }

    async fn sweep(&mut self) -> anyhow::Result<()> {
        let Swept { expired, aborted } = self.world.store.sweep(ALL).await?;
        let expected = self.reference.sweep(self.world.clock.now());
        let swept = [expired, aborted].map(|jobs| jobs.into_iter().collect::<BTreeSet<_>>());
        ensure!(swept == expected, "{swept:?} should be {expected:?}");
        Ok(())
    }

    /// The store's own counts, against a recount.
    async fn compare_counts(&self) -> anyhow::Result<()> {
        let stats = self.world.store.stats().await?;
        let now = self.now();
        let (mut later, mut due, mut running) = (0, 0, 0);
        for (_, item) in self.reference.items() {
            match item.state {
                State::Waiting { due: at, .. } if at > now => later += 1,
                State::Waiting { .. } => due += 1,
                State::Running { .. } => running += 1,
                State::Hidden | State::Ended(_) => {}
            }
        }
        let ready: u64 = stats.lanes.iter().map(|lane| lane.ready).sum();
        // Items that are due may still be counted as delayed, until promoted.
        let waiting = ready + stats.delayed == later + due && stats.delayed >= later;
        ensure!(waiting, "{stats:?} should say {due} ready and {later} delayed");
        ensure!(stats.lanes.iter().all(|lane| lane.ready > 0 && lane.oldest.is_some()));
        ensure!(stats.running == running, "{stats:?} should say {running} running");
        let (live, dead) = (self.reference.live(), self.reference.dead().len() as u64);
        ensure!(stats.live == live, "{stats:?} should say {live} live");
        ensure!(stats.dead == dead, "{stats:?} should say {dead} dead");
        Ok(())
    }

    async fn compare_job(&mut self, new: &NewJob) -> anyhow::Result<()> {
        let found = self.world.store.find(&new.tenant, &new.id).await?;
        match (self.reference.jobs.get(&new.id), found) {
            (Some(expected), Found::Job(found)) if self.reference.is_sealed(&new.id) => {
                let expected_job = expected.seen(found.version);
                ensure!(*found == expected_job, "{found:?} should be {expected_job:?}");
                let results = self.world.store.results(&new.tenant, &new.id, 0, 100).await?;
                let results: Vec<_> = results
                    .into_iter()
                    .map(|result| (result.index, known(result.outcome)))
                    .collect();
                let expected: Vec<_> =
                    expected.results().into_iter().map(|(at, end)| (at, known(end))).collect();
                ensure!(results == expected, "{results:?} should be {expected:?}");
                self.compare_version(*found)
            }
            (Some(_), Found::Unknown) if !self.reference.is_sealed(&new.id) => Ok(()),
            (None, Found::Expired) if self.reference.tombstones.contains(&new.id) => Ok(()),
            (None, Found::Unknown) if !self.reference.tombstones.contains(&new.id) => Ok(()),
            (_, found) => bail!("{} is {found:?}", new.id),
        }
    }

    fn compare_version(&mut self, found: aisle_shared::domain::Job) -> anyhow::Result<()> {
        let version = found.version;
        let seen = aisle_shared::domain::Job { version: 0, ..found };
        if let Some((before, last)) = self.versions.get(&seen.id) {
            let grew = version > *before || (version == *before && seen == *last);
            ensure!(grew, "version {before} of {last:?}, {version} of {seen:?}");
        }
        self.versions.insert(seen.id, (version, seen));
        Ok(())
    }

    async fn compare_jobs(&mut self) -> anyhow::Result<()> {
        for (new, _) in self.submitted.clone() {
            self.compare_job(&new).await?;
        }
        let letters = self.world.store.dead_letters(ALL).await?;
        let letters: BTreeSet<_> = letters.into_iter().map(|letter| letter.item).collect();
        ensure!(letters == self.reference.dead(), "the dead letters are {letters:?}");
        for name in ["a", "b", "c"] {
            let tenant = tenant(name);
            let page = self.world.store.list(&tenant, &JobFilter::default(), None, 100).await?;
            let listed: BTreeSet<_> = page.jobs.into_iter().map(|job| job.id).collect();
            let own = self.reference.jobs.values().filter(|job| job.new.tenant == tenant);
            let own = own.map(|job| job.new.id).filter(|id| self.reference.is_sealed(id));
            ensure!(listed == own.collect(), "{name} lists {listed:?}");
        }
        outbox::compare(&self.world, &self.reference).await?;
        Ok(())
    }

    /// Lets a good worker end all that is left, and time forget it.
    async fn drain(&mut self) -> anyhow::Result<()> {
        for _ in 0..1_000 {
            self.world.clock.advance(2 * LEASE);
            self.reap().await?;
            self.reference.note_ends();
            self.sweep().await?;
            for of in ["shoes", "bags"] {
                self.claim("w-9", of, ALL).await?;
            }
            if self.reference.live() == 0 {
                break;
            }
            let held = std::mem::take(&mut self.held);
            let batch: Vec<_> =
                held.iter().map(|lease| (lease.clone(), answer(&lease.token.0))).collect();
            let recorded = self.world.store.complete(&batch).await?;
            for ((lease, outcome), recorded) in batch.into_iter().zip(recorded) {
                let expected = self.reference.complete(&lease, outcome, self.now());
                ensure!(recorded == expected, "{recorded:?} should be {expected:?}");
            }
            self.reference.note_ends();
        }
        ensure!(self.reference.live() == 0, "some items never end");
        while outbox::send(&self.world, &mut self.reference, ALL, true).await? > 0 {}
        let left = self.reference.told.len() - self.reference.delivered.len();
        ensure!(left == 0, "{left} ends are never told");
        self.compare_counts().await?;
        self.compare_jobs().await?;
        self.world.clock.advance(Duration::from_secs(3_600));
        self.sweep().await?;
        ensure!(self.reference.jobs.is_empty(), "some jobs are never forgotten");
        self.compare_jobs().await?;
        self.compare_counts().await
    }
}

/// An answer, or `None` for a job that is not there.
fn found<T>(answer: Result<T, StoreError>) -> anyhow::Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// An outcome without the sentence that the store words itself.
fn known(outcome: ItemOutcome) -> ItemOutcome {
    match outcome {
        ItemOutcome::Failed(ItemError { code: ErrorCode::WorkerLost, .. }) => {
            ItemOutcome::Failed(ItemError::new(ErrorCode::WorkerLost, ""))
        }
        ItemOutcome::Failed(_) | ItemOutcome::Succeeded(_) | ItemOutcome::Canceled => outcome,
    }
}
