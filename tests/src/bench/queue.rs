//! What submitting, claiming and recording cost while many items wait.
//!
//! The stores stand side by side, each with its number of waiting items, and
//! every measurement leaves that number as it was: one job of one item in, one
//! item out and recorded.

use std::time::{Duration, Instant};

use aisle_shared::domain::WorkerId;
use aisle_shared::store::{ClaimRequest, MAX_ITEMS_PER_JOB, submit};
use futures::stream::{self, TryStreamExt as _};

use super::options::Options;
use super::report::{Goal, Report};
use super::stats::{percentile, ratios};
use super::table::{Table, spread};
use crate::fixtures;
use crate::harness::{Backend, Harness};

const PART: &str = "queue";
/// Items that a store takes beside those that wait.
const ROOM: u64 = 10_000;
/// Jobs of waiting items that are written at once.
const AT_ONCE: usize = 8;
/// Tenants among which the waiting jobs are spread.
const TENANTS: u64 = 50;
/// A queue that takes longer to fill is left out.
const FILL: Duration = Duration::from_secs(300);
/// Longer than any run, so that no lease ends.
const LEASE: Duration = Duration::from_secs(3600);

/// Median milliseconds of each verb, by round.
#[derive(Debug, Default)]
struct Costs {
    submit: Vec<f64>,
    claim: Vec<f64>,
    complete: Vec<f64>,
}

impl Costs {
    fn verbs(&self) -> [(&'static str, &Vec<f64>); 3] {
        [("submit", &self.submit), ("claim", &self.claim), ("complete", &self.complete)]
    }
}

/// Measures both stores, one after the other.
pub async fn run(options: &Options, report: &mut Report) {
    let columns = ["waiting items", "submit", "claim", "complete", "bytes an item", "filled in"];
    for (name, backend) in [("SQLite", Backend::Sqlite), ("Redis", Backend::Redis)] {
        let mut queues = Vec::new();
        for size in &options.sizes {
            match filled(backend, *size).await {
                Ok(queue) => queues.push((*size, queue, Costs::default())),
                Err(error) => report.note(format!("{name} with {size} items: {error:#}")),
            }
        }
        for _ in 0..options.rounds {
            for (_, queue, costs) in &mut queues {
                measure(&queue.harness, options.length / 2, costs).await;
            }
        }
        let title = format!("{name}: one item in, one out, p50 in ms, and over the shortest queue");
        let mut table = Table::new(&title, &columns);
        let Some((_, _, shortest)) = queues.first() else { continue };
        for (size, queue, costs) in &queues {
            let who = format!("{name}, {size} waiting");
            let mut cells = vec![size.to_string()];
            for ((verb, costs), (_, shortest)) in costs.verbs().into_iter().zip(shortest.verbs()) {
                let times = ratios(costs, shortest);
                report.keep(PART, &who, &format!("{verb}_p50_ms"), costs);
                report.keep(PART, &who, &format!("{verb}_over_shortest"), &times);
                cells.push(format!("{} × {}", spread(costs, 3), spread(&times, 2)));
                if verb != "complete" && *size >= 1_000_000 {
                    let what = format!("{name}: {verb} at {size} waiting items / at the fewest");
                    report.goal(&what, Goal::AtMost(1.3), &times);
                }
            }
            report.keep(PART, &who, "bytes_per_item", &[queue.bytes_per_item]);
            report.keep(PART, &who, "fill_s", &[queue.took.as_secs_f64()]);
            cells.push(format!("{:.0}", queue.bytes_per_item));
            cells.push(format!("{:.1} s", queue.took.as_secs_f64()));
            table.row(cells);
        }
        report.show(&table);
    }
}

/// A store with that many items waiting.
struct Queue {
    harness: Harness,
    took: Duration,
    bytes_per_item: f64,
}

async fn filled(backend: Backend, size: u64) -> anyhow::Result<Queue> {
    let harness = Harness::in_real_time(backend, size + ROOM).await?;
    let empty = harness.bytes().await?;
    let started = Instant::now();
    let most = u64::from(MAX_ITEMS_PER_JOB);
    let store = harness.store.as_ref();
    let jobs = stream::iter((0..size.div_ceil(most)).map(anyhow::Ok));
    jobs.try_for_each_concurrent(AT_ONCE, |number| async move {
        anyhow::ensure!(started.elapsed() < FILL, "not filled within {FILL:?}");
        let items = most.min(size - number * most);
        let job = fixtures::job_of(&format!("shop-{}", number % TENANTS));
        submit(store, &job, &fixtures::items(u32::try_from(items)?)).await?;
        Ok(())
    })
    .await?;
    let took = started.elapsed();
    let waiting: u64 = store.stats().await?.lanes.iter().map(|lane| lane.ready).sum();
    anyhow::ensure!(waiting == size, "{waiting} items wait");
    let bytes_per_item = harness.bytes().await?.saturating_sub(empty) as f64 / size as f64;
    Ok(Queue { harness, took, bytes_per_item })
}

async fn measure(harness: &Harness, length: Duration, costs: &mut Costs) {
    let store = harness.store.as_ref();
    let request = ClaimRequest {
        worker: WorkerId::generate(),
        model: fixtures::job().model,
        max: 1,
        lease: LEASE,
        with_content: false,
    };
    let millis = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
    let started = Instant::now();
    let [mut submits, mut claims, mut completes] = [Vec::new(), Vec::new(), Vec::new()];
    while started.elapsed() < length {
        let job = fixtures::job_of("buyer");
        let items = fixtures::items(1);
        let began = Instant::now();
        store.enqueue(&job, &items).await.expect("a job");
        submits.push(millis(began));

        let began = Instant::now();
        let mut claimed = store.claim(&request).await.expect("a claim");
        claims.push(millis(began));
        let outcome = (claimed.remove(0).lease, fixtures::answer("red"));

        let began = Instant::now();
        store.complete(&[outcome]).await.expect("an outcome");
        completes.push(millis(began));
    }
    costs.submit.extend(percentile(&submits, 0.5));
    costs.claim.extend(percentile(&claims, 0.5));
    costs.complete.extend(percentile(&completes, 0.5));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn measuring_leaves_as_many_items_waiting_as_there_were() {
        for backend in [Backend::Sqlite, Backend::Redis] {
            let queue = filled(backend, 300).await.unwrap();
            let mut costs = Costs::default();
            measure(&queue.harness, Duration::from_millis(50), &mut costs).await;
            let stats = queue.harness.store.stats().await.unwrap();
            assert_eq!((stats.live, stats.running), (300, 0), "{backend:?}");
            assert!(costs.verbs().iter().all(|(_, rounds)| rounds.len() == 1));
        }
    }
}
