//! Memory of idle processes, and how much of a worker's is the network's own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::bare::Bare;
use super::contestants::service;
use super::machine::processors;
use super::options::Options;
use super::processes::{Memory, memory};
use super::report::{Goal, Report};
use super::stats::differences;
use super::subject::Subject;
use super::table::{Table, spread};
use crate::harness::Backend;
use crate::service::Processes;

const PART: &str = "memory";
/// The word with which this program only holds a network; see [`hold`].
pub const HOLD: &str = "--hold=";
/// After a start, until what it needed for a moment has been given back.
const SETTLE: Duration = Duration::from_secs(1);

/// Loads a folder's network as a worker does, says so, and holds it until its
/// input closes.
pub fn hold(model: &Path) {
    let bare = Bare::new(model.to_owned(), 1, processors(), 1);
    println!("holding");
    let _ = std::io::stdin().lines().next();
    drop(bare);
}

/// Measures fresh processes in each round.
pub async fn run(options: &Options, subject: &Subject, report: &mut Report) {
    let names = ["API, idle", "worker with its decoders, idle", "the network alone"];
    let mut found: [Vec<Memory>; 3] = [const { Vec::new() }; 3];
    for _ in 0..options.rounds {
        let mut service =
            service(Backend::Redis, Processes::Apart, subject, &options.provider).await;
        tokio::time::sleep(SETTLE).await;
        found[0].push(memory(&[service.process("api")]));
        // Alone, because what it shares with the API would count half.
        service.stop("api").await;
        found[1].push(memory(&[service.process("worker")]));
        drop(service);
        found[2].push(of_the_network(&subject.model_folder()));
    }
    let mut table = Table::new("memory, MiB", &["", "resident", "proportional"]);
    let resident = |of: &[Memory]| of.iter().map(|m| m.resident).collect::<Vec<f64>>();
    let proportional = |of: &[Memory]| of.iter().map(|m| m.proportional).collect::<Vec<f64>>();
    for (name, found) in names.iter().zip(&found) {
        let (resident, proportional) = (resident(found), proportional(found));
        report.keep(PART, name, "resident_mib", &resident);
        report.keep(PART, name, "proportional_mib", &proportional);
        table.row([(*name).to_owned(), spread(&resident, 1), spread(&proportional, 1)]);
    }
    let over = differences(&proportional(&found[1]), &proportional(&found[2]));
    table.row(["worker over the network".to_owned(), String::new(), spread(&over, 1)]);
    report.keep(PART, "worker over the network", "proportional_mib", &over);
    report.show(&table);
    report.goal("API idle, MiB resident", Goal::AtMost(25.0), &resident(&found[0]));
    report.goal("worker idle over the network, MiB", Goal::AtMost(40.0), &over);
}

/// This very program, told to hold the network.
fn of_the_network(model: &Path) -> Memory {
    let program = std::env::current_exe().expect("this program's path");
    let mut child = Command::new(program)
        .arg(format!("{HOLD}{}", model.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut said = String::new();
    let output = child.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut said).expect("a line");
    assert_eq!(said.trim(), "holding");
    let found = memory(&[child.id()]);
    drop(child.stdin.take());
    child.wait().expect("its end");
    found
}
