//! The chaos suite at length: `make chaos`, or `make chaos CHAOS=name` for
//! one; and `make soak`. Prints a table, and the same as JSON below it; fails when anything
//! was lost, doubled or wrong, or a limit was not kept.
#![expect(clippy::print_stdout, reason = "what is found is printed")]

use std::process::ExitCode;

use aisle_tests::chaos::experiments::{ALL, Experiment};
use aisle_tests::chaos::report::{Report, store_name};
use aisle_tests::chaos::scene::Scale;
use aisle_tests::chaos::soak::soak;
use aisle_tests::harness::Backend;

#[tokio::main]
async fn main() -> ExitCode {
    let mut scale = Scale::Long;
    let mut names = Vec::new();
    let mut minutes = None;
    for word in std::env::args().skip(1) {
        match word.as_str() {
            // What cargo itself adds.
            "--bench" => {}
            "--short" => scale = Scale::Short,
            "--list" => {
                for Experiment { name, about, .. } in ALL {
                    println!("{name:<18} {about}");
                }
                return ExitCode::SUCCESS;
            }
            word if word.starts_with("--soak=") => {
                minutes = word.strip_prefix("--soak=").and_then(|minutes| minutes.parse().ok());
            }
            name => names.push(name.to_owned()),
        }
    }
    if let Some(minutes) = minutes {
        return soak_over(&names, minutes).await;
    }
    let asked: Vec<&Experiment> = ALL
        .iter()
        .filter(|experiment| names.is_empty() || names.iter().any(|name| experiment.name == name))
        .collect();
    if asked.len() < names.len() {
        println!("there is an unknown name in {names:?}; --list lists them");
        return ExitCode::FAILURE;
    }
    println!("{}", Report::heading());
    let mut reports = Vec::new();
    for experiment in asked {
        for store in experiment.stores {
            let report = experiment.run(*store, scale).await;
            println!("{}", report.line());
            reports.push(report);
        }
    }
    conclude(&reports)
}

/// The soak, over the stores that are named, or over both.
async fn soak_over(names: &[String], minutes: u64) -> ExitCode {
    let mut reports = Vec::new();
    for store in [Backend::Redis, Backend::Sqlite] {
        if names.is_empty() || names.iter().any(|name| name == store_name(store)) {
            let report = soak(store, minutes).await;
            println!("{}\n{}", Report::heading(), report.line());
            reports.push(report);
        }
    }
    conclude(&reports)
}

fn conclude(reports: &[Report]) -> ExitCode {
    let all: Vec<_> = reports.iter().map(Report::to_json).collect();
    println!("\n{}", serde_json::Value::from(all));
    let failed = reports.iter().filter(|report| !report.passed()).count();
    println!("\n{} experiments, {failed} failed", reports.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
