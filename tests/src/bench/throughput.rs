//! Pictures a second when there is always more to do: from the upload to the
//! recorded result, one picture a job and many, beside the bare limit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::bare::{Bare, Pace};
use super::contestants::Contestant;
use super::load::{Ask, saturated};
use super::options::Options;
use super::processes::processor_seconds;
use super::report::{Goal, Report};
use super::rounds::Rounds;
use super::stats::{Summary, ratios};
use super::table::{Table, spread};

const PART: &str = "throughput";
/// Images that one form may hold.
const MOST_IN_A_FORM: usize = 1_000;
/// A shop's catalogue, in one or a few bulk jobs.
const CATALOGUE: f64 = 10_000.0;
const LIMIT: &str = "bare limit";

/// Measures all in turn, round by round, and answers the pictures a second
/// that each took, by name.
pub async fn run(
    options: &Options,
    bare: &mut Bare,
    contestants: &mut [Contestant],
    pictures: &Arc<[Bytes]>,
    report: &mut Report,
) -> BTreeMap<&'static str, f64> {
    let mut limit = Rounds::default();
    let mut single: Vec<Rounds> = contestants.iter().map(|_| Rounds::default()).collect();
    let mut bulk: Vec<Rounds> = contestants.iter().map(|_| Rounds::default()).collect();
    let mut failed = vec![0; contestants.len()];
    for _ in 0..options.rounds {
        let pace = bare.saturated(pictures, options.length);
        limit.add(pace, None);
        let in_bulk = (pace.rate * options.length.as_secs_f64()) as usize;
        for (place, contestant) in contestants.iter_mut().enumerate() {
            let processes = contestant.processes().await;
            let target = contestant.target.clone();
            contestant.resume(&pictures[0]).await;
            let (ask, clients) = (Ask::Classify, options.clients);
            let done = saturated(&target, pictures, ask, clients, options.length, &processes).await;
            failed[place] += done.failed;
            single[place].add(done.pace, Some(done.client_ms));
            if contestant.is_ours() {
                let images = in_bulk.clamp(1, MOST_IN_A_FORM);
                bulk[place].add(one_job(contestant, pictures, images, &processes).await, None);
            }
            contestant.pause();
        }
    }
    let columns = ["", "images/s", "share of the limit", "CPU ms an image", "and in clients"];
    let mut table = Table::new("throughput", &columns);
    let mut row = |name: &str, rounds: &Rounds| {
        let share = ratios(&rounds.rate, &limit.rate);
        report.keep(PART, name, "images_per_second", &rounds.rate);
        report.keep(PART, name, "share_of_limit", &share);
        report.keep(PART, name, "processor_ms_per_image", &rounds.processor_ms);
        report.keep(PART, name, "client_processor_ms_per_image", &rounds.client_ms);
        let client = Summary::of(&rounds.client_ms);
        table.row([
            name.to_owned(),
            spread(&rounds.rate, 1),
            spread(&share, 2),
            spread(&rounds.processor_ms, 1),
            client.map_or(String::new(), |client| format!("{:.2}", client.median)),
        ]);
    };
    row(LIMIT, &limit);
    for (contestant, rounds) in contestants.iter().zip(&single) {
        row(contestant.name, rounds);
    }
    for (contestant, rounds) in contestants.iter().zip(&bulk).filter(|(c, _)| c.is_ours()) {
        row(&format!("{}, bulk job", contestant.name), rounds);
    }
    report.show(&table);
    for (contestant, failed) in contestants.iter().zip(&failed).filter(|(_, failed)| **failed > 0) {
        assert!(!contestant.is_ours(), "{failed} requests of {} failed", contestant.name);
        report.note(format!("{failed} requests of {} failed", contestant.name));
    }
    goals(contestants, &limit, &single, &bulk, report);
    let median = |rounds: &Rounds| Summary::of(&rounds.rate).map_or(0.0, |found| found.median);
    contestants.iter().zip(&single).map(|(c, rounds)| (c.name, median(rounds))).collect()
}

/// One job of many pictures, from the first byte of its upload until its end
/// was read.
async fn one_job(
    contestant: &Contestant,
    pictures: &Arc<[Bytes]>,
    images: usize,
    processes: &[u32],
) -> Pace {
    let pictures: Vec<Bytes> = pictures.iter().cycle().take(images).cloned().collect();
    let (started, before) = (Instant::now(), processor_seconds(processes));
    contestant.target.job(&pictures).await.expect("a bulk job");
    Pace {
        rate: images as f64 / started.elapsed().as_secs_f64(),
        processor_ms: (processor_seconds(processes) - before) * 1e3 / images as f64,
    }
}

fn goals(
    contestants: &[Contestant],
    limit: &Rounds,
    single: &[Rounds],
    bulk: &[Rounds],
    report: &mut Report,
) {
    let all = || contestants.iter().zip(single);
    let rates_of = |wanted: fn(&Contestant) -> bool| {
        all().filter(move |(contestant, _)| wanted(contestant)).map(|(_, rounds)| &rounds.rate)
    };
    // The best of each round, whoever that is.
    let best = rates_of(Contestant::is_synchronous_peer)
        .cloned()
        .reduce(|a, b| a.iter().zip(&b).map(|(a, b)| a.max(*b)).collect());
    let queued = rates_of(|c| c.as_peer().is_some() && !c.is_synchronous_peer()).next();
    for ((contestant, single), bulk) in all().zip(bulk).filter(|((c, _), _)| c.is_ours()) {
        let name = contestant.name;
        let share = ratios(&single.rate, &limit.rate);
        report.goal(&format!("{name}: throughput / limit"), Goal::AtLeast(0.95), &share);
        if let Some(best) = &best {
            let ratio = ratios(&single.rate, best);
            report.goal(&format!("{name} / best synchronous peer"), Goal::AtLeast(1.0), &ratio);
        }
        if let Some(queued) = queued {
            let ratio = ratios(&single.rate, queued);
            report.goal(&format!("{name} / FastAPI + Celery"), Goal::AtLeast(2.0), &ratio);
        }
        let seconds: Vec<f64> = bulk.rate.iter().map(|rate| CATALOGUE / rate).collect();
        let what = format!("{name}: seconds for 10,000 images at the bulk job's pace");
        report.goal(&what, Goal::AtMost(60.0), &seconds);
    }
}
