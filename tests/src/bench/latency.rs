//! How long an answer takes: to one client that waits for each, and while
//! requests come by chance at half of what the service can take.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::bare::Bare;
use super::contestants::{Contestant, SQLITE};
use super::load::{Ask, by_chance, one_by_one, saturated};
use super::machine::processors;
use super::options::Options;
use super::report::{Goal, Report};
use super::stats::{differences, percentile, ratios};
use super::subject::Subject;
use super::table::{Table, spread};

const PART: &str = "latency";
const HALF: &str = "latency at half of saturation";
const LIMIT: &str = "bare network, all threads on one picture";

/// Percentiles by round, in milliseconds.
#[derive(Debug, Default)]
struct Percentiles {
    p50: Vec<f64>,
    p90: Vec<f64>,
    p99: Vec<f64>,
}

impl Percentiles {
    fn add(&mut self, times: &[f64]) {
        self.p50.extend(percentile(times, 0.5));
        self.p90.extend(percentile(times, 0.9));
        self.p99.extend(percentile(times, 0.99));
    }

    fn cells(&self) -> [String; 3] {
        [&self.p50, &self.p90, &self.p99].map(|rounds| spread(rounds, 1))
    }

    fn keep(&self, part: &str, name: &str, report: &mut Report) {
        report.keep(part, name, "p50_ms", &self.p50);
        report.keep(part, name, "p90_ms", &self.p90);
        report.keep(part, name, "p99_ms", &self.p99);
    }
}

/// Measures both. `rates` are the pictures a second that each can take; for
/// one that is not among them, it is found out first.
pub async fn run(
    options: &Options,
    subject: &Subject,
    contestants: &mut [Contestant],
    pictures: &Arc<[Bytes]>,
    rates: &BTreeMap<&'static str, f64>,
    report: &mut Report,
) {
    one_client(options, subject, contestants, report).await;

    let mut half = Vec::new();
    for contestant in contestants.iter_mut() {
        let rate = match rates.get(contestant.name) {
            Some(rate) => *rate,
            None => {
                contestant.resume(&pictures[0]).await;
                let (ask, clients) = (Ask::Classify, options.clients);
                let (target, length) = (&contestant.target, options.length);
                let done = saturated(target, pictures, ask, clients, length, &[]).await;
                contestant.pause();
                done.pace.rate
            }
        };
        half.push(rate / 2.0);
    }
    let mut found: Vec<Percentiles> = contestants.iter().map(|_| Percentiles::default()).collect();
    for round in 0..options.rounds {
        for ((contestant, rate), found) in contestants.iter().zip(&half).zip(&mut found) {
            contestant.resume(&pictures[0]).await;
            let target = &contestant.target;
            let times = by_chance(target, pictures, *rate, options.length, round as u64).await;
            contestant.pause();
            match times {
                Ok(times) => found.add(&times),
                Err(error) => {
                    assert!(!contestant.is_ours(), "{}: {error:#}", contestant.name);
                    report.note(format!("{} at half load: {error:#}", contestant.name));
                }
            }
        }
    }
    let columns = ["", "requests/s", "p50", "p90", "p99", "p99 / p50"];
    let title = format!("{HALF}, requests by chance, ms from the moment each was due");
    let mut table = Table::new(&title, &columns);
    for ((contestant, rate), found) in contestants.iter().zip(&half).zip(&found) {
        let name = contestant.name;
        let tail = ratios(&found.p99, &found.p50);
        found.keep(HALF, name, report);
        report.keep(HALF, name, "requests_per_second", &[*rate]);
        report.keep(HALF, name, "p99_over_p50", &tail);
        let cells = found.cells().into_iter().chain([spread(&tail, 1)]);
        table.row([name.to_owned(), format!("{rate:.1}")].into_iter().chain(cells));
        if contestant.is_ours() {
            report.goal(&format!("{name}: p99 / p50 at half load"), Goal::AtMost(3.0), &tail);
        }
    }
    report.show(&table);
}

async fn one_client(
    options: &Options,
    subject: &Subject,
    contestants: &[Contestant],
    report: &mut Report,
) {
    let mut bare = Bare::new(subject.model_folder(), 1, processors(), 1);
    let mut limit = Percentiles::default();
    let mut found: Vec<Percentiles> = contestants.iter().map(|_| Percentiles::default()).collect();
    for _ in 0..options.rounds {
        limit.add(&bare.one_by_one(&subject.pictures, options.length));
        for (contestant, found) in contestants.iter().zip(&mut found) {
            contestant.resume(&subject.pictures[0]).await;
            let times = one_by_one(&contestant.target, &subject.pictures, options.length).await;
            contestant.pause();
            match times {
                Ok(times) => found.add(&times),
                Err(error) => {
                    assert!(!contestant.is_ours(), "{}: {error:#}", contestant.name);
                    report.note(format!("{} with one client: {error:#}", contestant.name));
                }
            }
        }
    }
    let columns = ["", "p50", "p90", "p99", "p50 added to the bare network's"];
    let mut table = Table::new("latency, one client that waits for each answer, ms", &columns);
    limit.keep(PART, LIMIT, report);
    table.row([LIMIT.to_owned()].into_iter().chain(limit.cells()));
    for (contestant, found) in contestants.iter().zip(&found) {
        let name = contestant.name;
        let added = differences(&found.p50, &limit.p50);
        found.keep(PART, name, report);
        report.keep(PART, name, "added_p50_ms", &added);
        let cells = found.cells().into_iter().chain([spread(&added, 1)]);
        table.row([name.to_owned()].into_iter().chain(cells));
        if contestant.is_ours() {
            let most = if name == SQLITE { 3.0 } else { 2.0 };
            let what = format!("{name}: ms added for one client, p50");
            report.goal(&what, Goal::AtMost(most), &added);
        }
    }
    report.show(&table);
}
