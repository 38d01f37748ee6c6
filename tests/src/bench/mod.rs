//! The benchmark: what the service reaches, beside what the machine could do
//! and what the common alternatives do, in one run.
//!
//! Machines are noisy, so everything is measured in rounds, in each of which
//! all take their turn; ratios are formed within a round, and medians and
//! ranges are over rounds. Load comes from this process and takes its part of
//! the same processors. A peer stands still while it is not its turn.

pub mod accept;
pub mod arrivals;
pub mod bare;
pub mod client;
pub mod contestants;
pub mod decoder;
pub mod large;
pub mod latency;
pub mod load;
pub mod machine;
pub mod memory;
pub mod options;
pub mod peers;
pub mod processes;
pub mod queue;
pub mod ready;
pub mod replay;
pub mod report;
pub mod rounds;
pub mod scale;
pub mod stats;
pub mod subject;
pub mod table;
pub mod throughput;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use self::bare::Bare;
use self::options::{Options, Part};
use self::report::Report;
use self::stats::Summary;
use self::subject::Subject;
use self::table::{Table, spread};
use crate::service::binary;

/// A one-minute load average above which figures are said to be doubtful.
const BUSY: f64 = 0.5;

/// Measures what is asked for, prints it, and writes it as JSON.
///
/// # Errors
/// When what is to be measured is not there, or the results cannot be written.
///
/// # Panics
/// When the service fails at what it is asked.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let subject = Subject::find(options)?;
    let machine = machine::describe();
    println!("{} on {}; {machine}", subject.model, subject.about);
    println!("{} rounds of {:?}, {} clients", options.rounds, options.length, options.clients);
    let mut report = Report::default();
    if let Some(load) = machine::load_average().filter(|load| *load > BUSY) {
        report.note(format!("the machine was busy before the run: a load average of {load}"));
    }
    let mut peers_ready = Vec::new();
    if options.wants(Part::Throughput) || options.wants(Part::Latency) {
        peers_ready = served(options, &subject, &mut report).await;
    }
    if options.wants(Part::Accept) {
        accept::run(options, &subject, &mut report).await;
    }
    if options.wants(Part::Queue) {
        queue::run(options, &mut report).await;
    }
    if options.wants(Part::Memory) {
        memory::run(options, &subject, &mut report).await;
    }
    if options.wants(Part::Ready) {
        ready::run(options, &subject, &peers_ready, &mut report).await;
    }
    if options.wants(Part::Decoder) {
        decoder::run(options, &subject.pictures, &mut report);
    }
    if options.wants(Part::Large) {
        large::run(options, &subject, &mut report);
    }
    if options.wants(Part::Scale) {
        scale::run(options, &subject, &mut report).await;
    }
    report.show(&report.goals());
    let about = json!({
        "machine": machine,
        "model": subject.model,
        "pictures": subject.about,
        "provider": options.provider,
        "rounds": options.rounds,
        "seconds": options.length.as_secs_f64(),
        "clients": options.clients,
        "version": env!("CARGO_PKG_VERSION"),
    });
    let path = options.json.clone().unwrap_or_else(default_json);
    std::fs::write(&path, format!("{:#}\n", report.to_json(&about)))?;
    println!("\nall rounds: {}", path.display());
    Ok(())
}

/// The parts that need the services and the peers to run. Answers the seconds
/// that each peer took to become ready.
async fn served(
    options: &Options,
    subject: &Subject,
    report: &mut Report,
) -> Vec<(&'static str, f64)> {
    let mut contestants = contestants::start(options, subject, report).await;
    let pictures = contestants::shared(subject);
    let mut rates = BTreeMap::new();
    if options.wants(Part::Throughput) {
        let model = subject.model_folder();
        let (mut bare, tried) = Bare::best(&model, &subject.pictures, options.length / 2);
        let mut table = Table::new("arrangements of the bare limit", &["", "images/s"]);
        for (name, rates) in &tried {
            report.keep("bare limit", name, "images_per_second", rates);
            table.row([name.clone(), spread(rates, 1)]);
        }
        report.show(&table);
        report.note(format!("the bare limit is {}", bare.name));
        rates = throughput::run(options, &mut bare, &mut contestants, &pictures, report).await;
    }
    if options.wants(Part::Latency) {
        latency::run(options, subject, &mut contestants, &pictures, &rates, report).await;
    }
    idle_peers(&mut contestants, report).await;
    let ready =
        |c: &contestants::Contestant| Some((c.name, c.as_peer()?.time_to_ready.as_secs_f64()));
    contestants.iter().filter_map(ready).collect()
}

/// Memory of the peers after their work, for comparison.
async fn idle_peers(contestants: &mut [contestants::Contestant], report: &mut Report) {
    let columns = ["", "resident", "proportional"];
    let mut table = Table::new("memory after the load, all processes, MiB", &columns);
    for contestant in contestants {
        let found = processes::memory(&contestant.processes().await);
        let (resident, proportional) = ([found.resident], [found.proportional]);
        report.keep("memory after the load", contestant.name, "resident_mib", &resident);
        report.keep("memory after the load", contestant.name, "proportional_mib", &proportional);
        table.row([contestant.name.to_owned(), spread1(&resident), spread1(&proportional)]);
    }
    report.show(&table);
}

fn spread1(values: &[f64]) -> String {
    Summary::of(values).map_or(String::new(), |found| format!("{:.1}", found.median))
}

/// `bench.json` beside the folder of the binary, such as `target/bench.json`.
fn default_json() -> PathBuf {
    let binary = binary();
    binary.ancestors().nth(2).unwrap_or(&binary).join("bench.json")
}
