//! Half an hour, or as long as asked, at seventy per cent of what the machine
//! does, with a fault each minute. Jobs are checked and deleted as they end,
//! so that neither the service nor the harness has a reason to grow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::fleet::{Fleet, Plan};
use super::ledger::{Ledger, Promise};
use super::load::{Habits, Load, Orders, pictures};
use super::process::{Process, Role, resident_kib, signal};
use super::report::{Report, percentile};
use super::settle::check_and_delete;
use crate::harness::Backend;
use crate::wait;

/// Between two samples of memory.
const SAMPLE: Duration = Duration::from_secs(5);

/// Between two faults.
const FAULT: Duration = Duration::from_secs(60);

/// The share of the measured capacity that is offered.
const SHARE: f64 = 0.7;

/// Clients, each of which begins its jobs at a fixed pace.
const CLIENTS: usize = 8;

/// Jobs that are checked side by side, so that checking keeps up.
const CHECKERS: usize = 16;

/// The growth of memory that is allowed, in per cent an hour.
const ALLOWED_SLOPE: f64 = 1.0;

/// A straight line through samples, by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// Per cent of the mean, an hour.
    pub percent_per_hour: f64,
    /// Half the width of its 95 % confidence interval, in the same unit.
    /// Neighbouring samples are alike, so it is taken from the means of
    /// stretches of a minute, as if these were independent.
    pub error: f64,
}

/// The line through samples `(seconds, value)`: `b = Sxy / Sxx`, with the
/// standard error `sqrt(residual variance / Sxx)`. `None` of fewer than three
/// minutes.
#[must_use]
pub fn slope(samples: &[(f64, f64)]) -> Option<Slope> {
    let mut minutes: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in samples {
        minutes.entry((sample.0 / 60.0) as u64).or_default().push(*sample);
    }
    let middle = |values: &Vec<(f64, f64)>| {
        let count = values.len() as f64;
        let sum = values.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (sum.0 / count, sum.1 / count)
    };
    let points: Vec<(f64, f64)> = minutes.values().map(middle).collect();
    if points.len() < 3 {
        return None;
    }
    let (mean_x, mean_y) = middle(&points);
    let sxx: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let sxy: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let b = sxy / sxx;
    let residual = |(x, y): &(f64, f64)| (y - mean_y - b * (x - mean_x)).powi(2);
    let variance = points.iter().map(residual).sum::<f64>() / (points.len() - 2) as f64;
    let to_percent = 3600.0 / mean_y * 100.0;
    Some(Slope {
        percent_per_hour: b * to_percent,
        error: 1.96 * (variance / sxx).sqrt() * to_percent,
    })
}

/// Runs it over one store. A third of the time, ten minutes at most, counts
/// as warm-up.
pub async fn soak(store: Backend, minutes: u64) -> Report {
    let time = Duration::from_secs(60 * minutes);
    let mut fleet = Fleet::start(store, Plan::of(2, 3)).await;
    let ledger = Arc::new(Ledger::new(fleet.folder()).expect("a ledger"));
    let mut report = Report::new("soak", store);
    let orders = pictures(300, 8);
    let capacity = capacity(&mut fleet, &orders).await;
    report.figure("capacity, images/s", capacity.round());
    println!("capacity {capacity:.0} images/s, offered {:.0}", SHARE * capacity);

    // Orders have from one to eight images.
    let every = Duration::from_secs_f64(4.5 * CLIENTS as f64 / (SHARE * capacity));
    let habits = Habits { clients: CLIENTS, every, fail_over: true };
    let load = Load::start(fleet.targets(), Arc::clone(&ledger), Arc::clone(&orders), habits);
    let over = Arc::new(AtomicBool::new(false));
    let base = fleet.apis[0].base();
    let checker = tokio::spawn(check(base, Arc::clone(&ledger), Arc::clone(&over)));

    let mut memory = Memory::of(&fleet).await;
    let mut faults: BTreeMap<&'static str, u64> = BTreeMap::new();
    let began = Instant::now();
    let mut next_fault = FAULT;
    while began.elapsed() < time {
        memory.sample(began);
        if began.elapsed() > next_fault {
            let fault = inject(&mut fleet).await;
            println!("{:>5} s  {fault}", began.elapsed().as_secs());
            *faults.entry(fault).or_default() += 1;
            memory.redis_restarted(&fleet).await;
            next_fault += FAULT;
        }
        tokio::time::sleep(SAMPLE).await;
    }
    load.stop().await;
    over.store(true, Ordering::Relaxed);
    let checked = checker.await.expect("a checker that ends");
    let executions = fleet.count_executions().await;
    report = Report {
        acknowledged: checked.jobs,
        images: checked.images,
        lost: checked.lost,
        twice: checked.twice,
        wrong: checked.wrong,
        recovery: checked.took,
        errors: ledger.errors(),
        executions,
        ..report
    };
    report.twice.extend(ledger.changed());
    report.figure("faults", json!(faults));
    report.figure(
        "p50 and p99 from sent to ended, s",
        json!([percentile(&report.recovery, 0.5), percentile(&report.recovery, 0.99)]),
    );
    report.limit(fleet.fallen() == 0, "a process ended by itself");
    memory.judge((time / 3).min(Duration::from_secs(600)), &mut report);
    memory.keys(&fleet, &mut report).await;
    if !report.passed() {
        let folder = fleet.keep();
        report.figure("logs and ledger", folder.display().to_string());
    }
    report
}

/// Images in a second when clients never rest.
async fn capacity(fleet: &mut Fleet, orders: &Orders) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ledger = Arc::new(Ledger::new(folder.path()).expect("a ledger"));
    let never_rest = Habits { clients: CLIENTS, every: Duration::from_millis(1), fail_over: true };
    let load = Load::start(fleet.targets(), Arc::clone(&ledger), Arc::clone(orders), never_rest);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (began, before) = (Instant::now(), fleet.count_executions().await);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let done = fleet.count_executions().await - before;
    let capacity = done as f64 / began.elapsed().as_secs_f64();
    load.stop().await;
    let over = Arc::new(AtomicBool::new(true));
    let checked = check(fleet.apis[0].base(), ledger, over).await;
    assert!(checked.lost.is_empty(), "lost without a fault: {:?}", checked.lost);
    capacity
}

/// What the checker found.
#[derive(Debug, Default)]
struct Checked {
    jobs: usize,
    images: usize,
    lost: Vec<String>,
    twice: Vec<String>,
    wrong: Vec<String>,
    took: Vec<f64>,
}

/// Holds promise after promise against the service and deletes its job, until
/// there are no more.
async fn check(base: String, ledger: Arc<Ledger>, over: Arc<AtomicBool>) -> Checked {
    let client = super::load::client();
    let mut checked = Checked::default();
    loop {
        let last = over.load(Ordering::Relaxed);
        let promises: Vec<Promise> = ledger.take();
        if promises.is_empty() {
            if last {
                return checked;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let mut fates = futures::stream::iter(promises)
            .map(|promise| {
                let (client, base, ledger) = (client.clone(), base.clone(), Arc::clone(&ledger));
                async move {
                    let (sent, images) = (promise.sent, promise.images.len());
                    let fate = check_and_delete(&client, &base, &ledger, promise, wait::DEADLINE);
                    (sent, images, fate.await)
                }
            })
            .buffer_unordered(CHECKERS);
        while let Some((sent, images, fate)) = fates.next().await {
            checked.jobs += 1;
            checked.images += images;
            checked.twice.extend(fate.twice);
            checked.wrong.extend(fate.wrong);
            match fate.ended {
                Ok(at) => checked.took.push(at.since(sent).as_secs_f64()),
                Err(lost) => checked.lost.push(lost),
            }
        }
    }
}

/// One fault, by chance. The first API and the first worker are spared by
/// those that end a process, because their memory is what is watched.
async fn inject(fleet: &mut Fleet) -> &'static str {
    fleet.count_executions().await;
    let over_redis = fleet.backend == Backend::Redis;
    let fault = rand::random_range(0..if over_redis { 7 } else { 5 });
    match fault {
        0 => {
            fleet.workers.remove(1).kill();
            replace_worker(fleet).await;
            "kill -9 of a worker"
        }
        1 => {
            fleet.workers.remove(1).stop().await;
            replace_worker(fleet).await;
            "SIGTERM to a worker"
        }
        2 => {
            let api = fleet.apis.remove(1);
            let base = api.base();
            api.kill();
            replace_api(fleet, &base).await;
            "kill -9 of an API"
        }
        3 => {
            let api = fleet.apis.remove(1);
            let base = api.base();
            api.stop().await;
            replace_api(fleet, &base).await;
            "SIGTERM to an API"
        }
        4 => {
            let worker = &fleet.workers[0];
            worker.signal("STOP");
            tokio::time::sleep(Duration::from_secs(15)).await;
            worker.signal("CONT");
            "SIGSTOP of a worker for 15 s"
        }
        5 => {
            fleet.redis().kill().expect("a killed server");
            fleet.redis().restart().await.expect("a server again");
            "kill -9 of Redis"
        }
        _ => {
            let pid = fleet.redis().pid().await.expect("a process id");
            signal(pid, "STOP");
            tokio::time::sleep(Duration::from_secs(5)).await;
            signal(pid, "CONT");
            "SIGSTOP of Redis for 5 s"
        }
    }
}

async fn replace_worker(fleet: &mut Fleet) {
    let worker = fleet.spawn(Role::Worker, &[]);
    fleet.workers.push(worker);
    fleet.wait_until_ready().await;
}

async fn replace_api(fleet: &mut Fleet, base: &str) {
    let api = fleet.respawn(Role::Api, base);
    fleet.apis.push(api);
    fleet.wait_until_ready().await;
}

/// Memory over time of the processes that live all through.
struct Memory {
    /// Process ids and their samples.
    watched: BTreeMap<&'static str, (u32, Samples)>,
    redis: Option<u32>,
    redis_samples: Samples,
}

/// Seconds since the start, and KiB.
type Samples = Vec<(f64, f64)>;

impl Memory {
    async fn of(fleet: &Fleet) -> Self {
        let pid = |process: &Process| (process.pid(), Vec::new());
        let watched =
            [("api", pid(&fleet.apis[0])), ("worker", pid(&fleet.workers[0]))].into_iter();
        let mut memory =
            Self { watched: watched.collect(), redis: None, redis_samples: Vec::new() };
        memory.redis_restarted(fleet).await;
        memory
    }

    async fn redis_restarted(&mut self, fleet: &Fleet) {
        if let Some(server) = &fleet.redis {
            self.redis = server.pid().await.ok();
        }
    }

    fn sample(&mut self, began: Instant) {
        let at = began.elapsed().as_secs_f64();
        for (pid, samples) in self.watched.values_mut() {
            samples.extend(resident_kib(*pid).map(|kib| (at, kib as f64)));
        }
        if let Some(kib) = self.redis.and_then(resident_kib) {
            self.redis_samples.push((at, kib as f64));
        }
    }

    /// Fits a line to what came after the warm-up. A slope fails when it is
    /// too steep by more than its error.
    fn judge(&self, warm_up: Duration, report: &mut Report) {
        let mut figures = BTreeMap::new();
        for (name, (_, samples)) in &self.watched {
            let Some(fit) = after(samples, warm_up) else {
                report.limit(false, format!("{name}: too short to tell a slope"));
                continue;
            };
            figures.insert((*name).to_owned(), shown(fit, samples));
            let steep = fit.percent_per_hour - fit.error >= ALLOWED_SLOPE;
            report.limit(!steep, format!("{name} grows by {:.2} %/h", fit.percent_per_hour));
        }
        if let Some(fit) = after(&self.redis_samples, warm_up) {
            figures.insert("redis, restarts included".to_owned(), shown(fit, &self.redis_samples));
        }
        report.figure("memory", json!(figures));
    }

    async fn keys(&self, fleet: &Fleet, report: &mut Report) {
        match &fleet.redis {
            Some(server) => {
                let mut connection = server.connect().await.expect("a connection");
                let keys: u64 =
                    redis::cmd("DBSIZE").query_async(&mut connection).await.expect("a count");
                report.figure("keys at the end", keys);
            }
            None => {
                let file = std::fs::metadata(fleet.data().join("aisle.db"));
                report.figure("database at the end, bytes", file.map_or(0, |file| file.len()));
            }
        }
    }
}

fn after(samples: &[(f64, f64)], warm_up: Duration) -> Option<Slope> {
    let warm = samples.iter().filter(|(at, _)| *at >= warm_up.as_secs_f64());
    slope(&warm.copied().collect::<Vec<_>>())
}

fn shown(fit: Slope, samples: &[(f64, f64)]) -> Value {
    let last = samples.last().map_or(0.0, |(_, kib)| *kib);
    json!({"percent_per_hour": round(fit.percent_per_hour), "error": round(fit.error),
        "last_kib": last, "samples": samples.len()})
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(growth_per_hour: f64, noise: f64) -> Vec<(f64, f64)> {
        let value = |second: u32| {
            let at = f64::from(second);
            let wobble = if (second / 60).is_multiple_of(2) { noise } else { -noise };
            (at, 1_000.0 + growth_per_hour * at / 3600.0 + wobble)
        };
        (0..1800).step_by(5).map(value).collect()
    }

    #[test]
    fn a_line_is_found_and_its_error_is_none() {
        let fit = slope(&line(20.0, 0.0)).unwrap();
        assert!((fit.percent_per_hour - 20.0 / 1_005.0 * 100.0).abs() < 0.05, "{fit:?}");
        assert!(fit.error < 0.01, "{fit:?}");
    }

    #[test]
    fn noise_widens_the_error_instead_of_making_a_slope() {
        let fit = slope(&line(0.0, 5.0)).unwrap();
        assert!(fit.percent_per_hour.abs() < fit.error, "{fit:?}");
        assert!(fit.error > 0.3, "{fit:?}");
    }

    #[test]
    fn two_minutes_tell_no_slope() {
        assert_eq!(slope(&line(1.0, 0.0)[..24]), None);
    }
}
