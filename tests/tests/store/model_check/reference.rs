//! The store's state machine in plain maps: one verb, one method, the answer
//! that the store must give.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use aisle_shared::domain::{
    ErrorCode, ItemCounts, ItemError, ItemOutcome, ItemRef, Job, JobId, JobStatus, ModelName,
    NewJob, Timestamp,
};
use aisle_shared::store::{
    Canceled, Extended, Lease, LeaseToken, MAX_CRASHES, MAX_SOLO_CRASHES, Recorded, Retried,
};
use std::time::Duration;

/// How long an open job waits for its seal.
const SEAL_WITHIN: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// Announced by an open job.
    Hidden,
    Waiting {
        solo: bool,
        due: Timestamp,
        /// Never claimed so far, so its order inside its tenant is known.
        fresh: bool,
    },
    Running {
        token: LeaseToken,
        until: Timestamp,
        solo: bool,
    },
    Ended(ItemOutcome),
}

#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) state: State,
    pub(super) attempts: u32,
    crashes: u32,
    solo_crashes: u32,
    /// The lease that asked for the retry that it waits for.
    retried_by: Option<LeaseToken>,
    dead: bool,
}

/// A job as the store should have it.
#[derive(Debug, Clone)]
pub(super) struct RefJob {
    pub(super) new: NewJob,
    pub(super) items: Vec<Item>,
    pub(super) created_at: Timestamp,
    sealed: bool,
    cancel_requested: bool,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

/// All that the store should know.
#[derive(Debug, Default)]
pub(super) struct Reference {
    /// Whether the store is parted: then what goes first is only sure inside
    /// a part.
    pub(super) parted: bool,
    /// Jobs that are there, in the order submitted (ids sort by time).
    pub(super) jobs: BTreeMap<JobId, RefJob>,
    pub(super) tombstones: BTreeSet<JobId>,
    pub(super) tokens: HashSet<LeaseToken>,
    /// Every end of a job that is to be told, whatever became of the job.
    pub(super) told: BTreeMap<JobId, JobStatus>,
    /// Ends that were told.
    pub(super) delivered: BTreeSet<JobId>,
}

/// What a look at a lease finds.
enum Holding<'a> {
    Held(&'a mut RefJob),
    Ended,
    Elsewhere,
}

impl RefJob {
    fn counts(&self) -> ItemCounts {
        let mut counts = ItemCounts::default();
        for item in &self.items {
            counts.total += 1;
            match &item.state {
                State::Hidden | State::Waiting { .. } | State::Running { .. } => {}
                State::Ended(ItemOutcome::Succeeded(_)) => counts.succeeded += 1,
                State::Ended(ItemOutcome::Failed(_)) => counts.failed += 1,
                State::Ended(ItemOutcome::Canceled) => counts.canceled += 1,
            }
        }
        counts
    }

    fn status(&self) -> JobStatus {
        let unfinished = match self.started_at {
            Some(_) => JobStatus::Processing,
            None => JobStatus::Queued,
        };
        self.counts().final_status().unwrap_or(unfinished)
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.completed_at.map(|at| at.plus(self.new.retention))
    }

    /// As a reader sees it; the version is the store's own.
    pub(super) fn seen(&self, version: u64) -> Job {
        Job {
            id: self.new.id,
            tenant: self.new.tenant.clone(),
            model: self.new.model.clone(),
            priority: self.new.priority,
            options: self.new.options.clone(),
            metadata: self.new.metadata.clone(),
            status: self.status(),
            items: self.counts(),
            cached: 0,
            created_at: self.created_at,
            started_at: self.started_at,
            completed_at: self.completed_at,
            expires_at: self.expires_at(),
            callback: self.new.callback.clone(),
            cancel_requested: self.cancel_requested,
            version,
        }
    }

    pub(super) fn results(&self) -> Vec<(u32, ItemOutcome)> {
        let ended = (0..).zip(&self.items).filter_map(|(index, item)| match &item.state {
            State::Ended(outcome) => Some((index, outcome.clone())),
            State::Hidden | State::Waiting { .. } | State::Running { .. } => None,
        });
        ended.collect()
    }

    fn item(&mut self, index: u32) -> &mut Item {
        &mut self.items[index as usize]
    }

    /// Ends an item; answers the job's status if that was its last.
    fn end(&mut self, index: u32, outcome: ItemOutcome, now: Timestamp) -> Option<JobStatus> {
        self.item(index).state = State::Ended(outcome);
        let status = self.counts().final_status()?;
        self.completed_at = Some(now);
        Some(status)
    }

    fn bury(&mut self, index: u32, error: ItemError, now: Timestamp) -> Option<JobStatus> {
        self.item(index).dead = true;
        self.end(index, ItemOutcome::Failed(error), now)
    }
}

impl Reference {
    pub(super) fn submit(&mut self, new: NewJob, total: u32, sealed: bool, now: Timestamp) {
        let state = match sealed {
            true => State::Waiting { solo: false, due: now, fresh: true },
            false => State::Hidden,
        };
        let item =
            Item { state, attempts: 0, crashes: 0, solo_crashes: 0, retried_by: None, dead: false };
        let job = RefJob {
            items: vec![item; total as usize],
            created_at: now,
            sealed,
            cancel_requested: false,
            started_at: None,
            completed_at: None,
            new,
        };
        self.jobs.insert(job.new.id, job);
    }

    /// Notes which jobs have ended and are to be told.
    pub(super) fn note_ends(&mut self) {
        let ended = self.jobs.values().filter(|job| job.completed_at.is_some());
        let told = ended.filter(|job| job.new.callback.is_some());
        self.told.extend(told.map(|job| (job.new.id, job.status())));
    }

    pub(super) fn is_sealed(&self, id: &JobId) -> bool {
        self.jobs.get(id).is_some_and(|job| job.sealed)
    }

    /// Items of a model that wait, with the jobs that they belong to.
    pub(super) fn waiting<'a>(
        &'a self,
        model: &'a ModelName,
    ) -> impl Iterator<Item = (ItemRef, &'a RefJob, &'a Item)> + 'a {
        self.jobs.values().filter(move |job| job.new.model == *model).flat_map(|job| {
            let waits = |item: &Item| matches!(item.state, State::Waiting { .. });
            let of_job = |index| ItemRef { job: job.new.id, index };
            let items = (0..).zip(&job.items).filter(move |(_, item)| waits(item));
            items.map(move |(index, item)| (of_job(index), job, item))
        })
    }

    /// Notes that an item was handed out.
    pub(super) fn hand_out(&mut self, lease: &Lease, until: Timestamp, solo: bool, now: Timestamp) {
        let Some(job) = self.jobs.get_mut(&lease.item.job) else { return };
        job.started_at.get_or_insert(now);
        let item = job.item(lease.item.index);
        item.attempts += 1;
        item.retried_by = None;
        item.state = State::Running { token: lease.token.clone(), until, solo };
    }

    fn holding(&mut self, lease: &Lease) -> Holding<'_> {
        let Some(job) = self.jobs.get_mut(&lease.item.job) else { return Holding::Ended };
        match &job.item(lease.item.index).state {
            State::Running { token, .. } if *token == lease.token => Holding::Held(job),
            State::Ended(_) => Holding::Ended,
            State::Hidden | State::Waiting { .. } | State::Running { .. } => Holding::Elsewhere,
        }
    }

    pub(super) fn complete(
        &mut self,
        lease: &Lease,
        outcome: ItemOutcome,
        now: Timestamp,
    ) -> Recorded {
        match self.holding(lease) {
            Holding::Held(job) => {
                Recorded::Stored { job_ended: job.end(lease.item.index, outcome, now) }
            }
            Holding::Ended => Recorded::Gone,
            Holding::Elsewhere => Recorded::Fenced,
        }
    }

    pub(super) fn retry(
        &mut self,
        lease: &Lease,
        after: Duration,
        error: &ItemError,
        now: Timestamp,
    ) -> Retried {
        let index = lease.item.index;
        match self.holding(lease) {
            Holding::Held(job) if job.cancel_requested => {
                Retried::Canceled { job_ended: job.end(index, ItemOutcome::Canceled, now) }
            }
            Holding::Held(job) if job.items[index as usize].attempts >= job.new.max_attempts => {
                Retried::Dead { job_ended: job.bury(index, error.clone(), now) }
            }
            Holding::Held(job) => {
                let item = job.item(index);
                item.retried_by = Some(lease.token.clone());
                item.state = State::Waiting { solo: false, due: now.plus(after), fresh: false };
                Retried::Delayed
            }
            Holding::Ended => Retried::Gone,
            Holding::Elsewhere => Retried::Fenced,
        }
    }

    /// Whether the item waits for the very retry that this lease asked for,
    /// so that asking again may be told from asking out of turn, or not.
    pub(super) fn repeats_its_retry(&self, lease: &Lease) -> bool {
        self.jobs.get(&lease.item.job).is_some_and(|job| {
            job.items[lease.item.index as usize].retried_by.as_ref() == Some(&lease.token)
        })
    }

    pub(super) fn release(&mut self, lease: &Lease, now: Timestamp) {
        if let Holding::Held(job) = self.holding(lease) {
            let index = lease.item.index;
            if job.cancel_requested {
                job.end(index, ItemOutcome::Canceled, now);
            } else {
                let item = job.item(index);
                item.attempts -= 1;
                item.state = State::Waiting { solo: false, due: now, fresh: false };
            }
        }
    }

    pub(super) fn extend(&mut self, held: &[Lease], by: Duration, now: Timestamp) -> Extended {
        let mut extended = Extended::default();
        for lease in held {
            match self.holding(lease) {
                Holding::Held(job) => {
                    if job.cancel_requested {
                        extended.canceled.push(lease.item);
                    }
                    if let State::Running { until, .. } = &mut job.item(lease.item.index).state {
                        *until = now.plus(by);
                    }
                }
                Holding::Ended | Holding::Elsewhere => extended.lost.push(lease.item),
            }
        }
        extended
    }

    /// Requeued, dead and canceled items.
    pub(super) fn reap(&mut self, now: Timestamp) -> [BTreeSet<ItemRef>; 3] {
        let [mut requeued, mut dead, mut canceled] = [const { BTreeSet::new() }; 3];
        for job in self.jobs.values_mut() {
            for index in 0..u32::try_from(job.items.len()).unwrap() {
                let item = &mut job.items[index as usize];
                let State::Running { until, solo, .. } = item.state else { continue };
                if until > now {
                    continue;
                }
                item.crashes += 1;
                item.solo_crashes += u32::from(solo);
                let spent = item.attempts >= job.new.max_attempts
                    || item.crashes >= MAX_CRASHES
                    || item.solo_crashes >= MAX_SOLO_CRASHES;
                let of_job = ItemRef { job: job.new.id, index };
                if job.cancel_requested {
                    job.end(index, ItemOutcome::Canceled, now);
                    canceled.insert(of_job);
                } else if spent {
                    job.bury(index, ItemError::new(ErrorCode::WorkerLost, ""), now);
                    dead.insert(of_job);
                } else {
                    job.item(index).state = State::Waiting { solo: true, due: now, fresh: false };
                    requeued.insert(of_job);
                }
            }
        }
        [requeued, dead, canceled]
    }

    /// Expired and aborted jobs with their number of items.
    pub(super) fn sweep(&mut self, now: Timestamp) -> [BTreeSet<(JobId, u32)>; 2] {
        let total = |job: &RefJob| (job.new.id, job.counts().total);
        let is_over = |job: &&RefJob| job.expires_at().is_some_and(|at| at <= now);
        let expired: BTreeSet<_> = self.jobs.values().filter(is_over).map(total).collect();
        let is_late = |job: &&RefJob| !job.sealed && job.created_at.plus(SEAL_WITHIN) <= now;
        let aborted: BTreeSet<_> = self.jobs.values().filter(is_late).map(total).collect();
        for (id, _) in expired.iter().chain(&aborted) {
            self.jobs.remove(id);
        }
        self.tombstones.extend(expired.iter().map(|(id, _)| *id));
        [expired, aborted]
    }

    /// `None` when there is no such job.
    pub(super) fn cancel(&mut self, id: &JobId, now: Timestamp) -> Option<Canceled> {
        let job = self.jobs.get_mut(id).filter(|job| job.sealed)?;
        let status = job.status();
        if status == JobStatus::Canceled {
            return Some(Canceled::Requested { items: Vec::new() });
        }
        if status.is_terminal() {
            return Some(Canceled::AlreadyEnded(status));
        }
        job.cancel_requested = true;
        let waits = |(_, item): &(u32, &Item)| matches!(item.state, State::Waiting { .. });
        let items: Vec<_> = (0..).zip(&job.items).filter(waits).map(|(index, _)| index).collect();
        for index in &items {
            job.end(*index, ItemOutcome::Canceled, now);
        }
        Some(Canceled::Requested { items })
    }

    /// The number of items; `None` when there is no such job.
    pub(super) fn delete(&mut self, id: &JobId) -> Option<u32> {
        let job = self.jobs.get(id).filter(|job| job.sealed)?;
        let total = job.counts().total;
        self.jobs.remove(id);
        self.tombstones.insert(*id);
        Some(total)
    }

    pub(super) fn items(&self) -> impl Iterator<Item = (&RefJob, &Item)> {
        self.jobs.values().flat_map(|job| job.items.iter().map(move |item| (job, item)))
    }

    pub(super) fn live(&self) -> u64 {
        self.items().filter(|(_, item)| !matches!(item.state, State::Ended(_))).count() as u64
    }

    pub(super) fn dead(&self) -> BTreeSet<ItemRef> {
        let jobs = self.jobs.values();
        let dead = jobs.flat_map(|job| {
            let indexed = (0..).zip(&job.items).filter(|(_, item)| item.dead);
            indexed.map(|(index, _)| ItemRef { job: job.new.id, index })
        });
        dead.collect()
    }
}
