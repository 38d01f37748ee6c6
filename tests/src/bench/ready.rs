//! From the start of the processes until they are ready, and until the first
//! picture was answered. The store is there already; a fresh one, as Redis is.

use std::time::Instant;

use super::client::{Protocol, Target};
use super::contestants::{REDIS, SQLITE};
use super::options::Options;
use super::report::{Goal, Report};
use super::subject::Subject;
use super::table::{Table, spread};
use crate::harness::Backend;
use crate::service::{Processes, Service};

const PART: &str = "ready";

/// Starts both kinds afresh in each round. Peers were timed when they started.
pub async fn run(
    options: &Options,
    subject: &Subject,
    peers: &[(&'static str, f64)],
    report: &mut Report,
) {
    let kinds =
        [(SQLITE, Backend::Sqlite, Processes::One), (REDIS, Backend::Redis, Processes::Apart)];
    let mut ready = [Vec::new(), Vec::new()];
    let mut first = [Vec::new(), Vec::new()];
    for _ in 0..options.rounds {
        for (place, (_, backend, processes)) in kinds.into_iter().enumerate() {
            let settings = [("AISLE_LOG", "warn"), ("AISLE_PROVIDER", options.provider.as_str())];
            let mut service = Service::over_models(backend, &subject.models, &settings).await;
            let target = Target::new(&service.base, Protocol::Aisle);
            let started = Instant::now();
            service.begin(processes).await;
            ready[place].push(started.elapsed().as_secs_f64());
            target.classify(&subject.pictures[0]).await.expect("an answer");
            first[place].push(started.elapsed().as_secs_f64());
        }
    }
    let mut table = Table::new("seconds from the start", &["", "ready", "first answer"]);
    for (place, (name, ..)) in kinds.into_iter().enumerate() {
        report.keep(PART, name, "ready_s", &ready[place]);
        report.keep(PART, name, "first_answer_s", &first[place]);
        table.row([name.to_owned(), spread(&ready[place], 2), spread(&first[place], 2)]);
        report.goal(&format!("{name}: seconds to ready"), Goal::AtMost(1.0), &ready[place]);
    }
    for (name, seconds) in peers {
        report.keep(PART, name, "ready_s", &[*seconds]);
        table.row([(*name).to_owned(), format!("{seconds:.2}")]);
    }
    report.show(&table);
}
