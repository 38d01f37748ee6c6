//! How throughput grows with workers of one thread each over one API and one
//! Redis, and what processor time each of the three needs for a picture: what
//! a shop has to add when it grows.

use std::sync::Arc;

use bytes::Bytes;

use super::client::{Protocol, Target};
use super::load::{Ask, saturated};
use super::machine::processors;
use super::options::Options;
use super::processes::processor_seconds;
use super::report::Report;
use super::stats::ratios;
use super::subject::Subject;
use super::table::{Table, spread};
use crate::harness::Backend;
use crate::service::{Processes, Service};

const PART: &str = "scale";
/// More workers than this show nothing new.
const MOST_WORKERS: usize = 8;
/// What runs, in the order of the columns.
const ROLES: [&str; 3] = ["workers", "API", "Redis"];

/// What so many workers did, round by round.
#[derive(Debug, Default)]
struct Found {
    rate: Vec<f64>,
    /// Milliseconds of processor time for a picture, by role.
    cost: [Vec<f64>; 3],
}

/// Measures one worker and more, up to one for each processor, on fresh
/// processes in each round.
pub async fn run(options: &Options, subject: &Subject, report: &mut Report) {
    let pictures: Arc<[Bytes]> = subject.pictures.clone().into();
    let most = processors().clamp(1, MOST_WORKERS);
    let mut found: Vec<Found> = (0..most).map(|_| Found::default()).collect();
    for _ in 0..options.rounds {
        for (place, found) in found.iter_mut().enumerate() {
            let (rate, cost) = measure(place + 1, options, subject, &pictures).await;
            found.rate.push(rate);
            for (all, cost) in found.cost.iter_mut().zip(cost) {
                all.push(cost);
            }
        }
    }
    let columns = ["workers", "images/s", "by one", "CPU ms: workers", "API", "Redis"];
    let title = "workers of one thread each over Redis, one picture a job";
    let mut table = Table::new(title, &columns);
    let alone = found.first().map(|found| found.rate.clone()).unwrap_or_default();
    for (place, found) in found.iter().enumerate() {
        let name = (place + 1).to_string();
        let growth = ratios(&found.rate, &alone);
        report.keep(PART, &name, "images_per_second", &found.rate);
        report.keep(PART, &name, "by_one_worker", &growth);
        let mut row = vec![name.clone(), spread(&found.rate, 1), spread(&growth, 2)];
        for (role, cost) in ROLES.iter().zip(&found.cost) {
            let what = format!("{}_processor_ms_per_image", role.to_lowercase());
            report.keep(PART, &name, &what, cost);
            row.push(spread(cost, 3));
        }
        table.row(row);
    }
    report.show(&table);
}

/// Pictures a second, and milliseconds of processor time for each by role.
async fn measure(
    workers: usize,
    options: &Options,
    subject: &Subject,
    pictures: &Arc<[Bytes]>,
) -> (f64, [f64; 3]) {
    let settings = [
        ("AISLE_DEFAULT_MODEL", subject.model.as_str()),
        ("AISLE_LOG", "warn"),
        ("AISLE_PROVIDER", options.provider.as_str()),
        ("AISLE_THREADS", "1"),
    ];
    let mut service = Service::over_models(Backend::Redis, &subject.models, &settings).await;
    service.begin(Processes::Apart).await;
    for _ in 1..workers {
        service.spawn("worker");
    }
    let redis = service.redis().pid().await.expect("a Redis server");
    let roles = [service.processes("worker"), service.processes("api"), vec![redis]];
    let target = Target::new(&service.base, Protocol::Aisle);
    let (ask, clients) = (Ask::Classify, options.clients);
    // Until the last worker has loaded its network and taken its part.
    saturated(&target, pictures, ask, clients, options.length, &[]).await;
    let seconds = || roles.each_ref().map(|pids| processor_seconds(pids));
    let before = seconds();
    let done = saturated(&target, pictures, ask, clients, options.length, &[]).await;
    assert_eq!(done.failed, 0, "requests failed");
    let after = seconds();
    let cost =
        std::array::from_fn(|role| (after[role] - before[role]) * 1e3 / done.answered as f64);
    (done.pace.rate, cost)
}
