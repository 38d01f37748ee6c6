//! A Redis that dies, freezes, refuses, fills up or is emptied.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aisle_shared::domain::Timestamp;

use super::super::fleet::{Fleet, Plan};
use super::super::ledger::Request;
use super::super::load::{Habits, pictures};
use super::super::process::signal;
use super::super::proxy::{Proxy, Weather};
use super::super::report::{Report, longest, percentile};
use super::super::scene::{Scale, Scene};
use crate::harness::Backend;
use crate::wait;

const CLIENTS: Habits = Habits { clients: 6, every: Duration::from_millis(100), fail_over: false };

/// The longest that recovery may take, in seconds, where the disk is slow: two
/// calls that wait out their two seconds, and a busy machine's other four.
const RECOVERED_WITHIN: f64 = 8.0;

/// The longest that a client may wait, in seconds, for the answer that there
/// is no store: the store's own two, and a busy machine's one.
const ANSWERED_WITHIN: f64 = 3.0;

/// Killed and started again, with `appendfsync everysec`.
pub(super) async fn killed_everysec(store: Backend, scale: Scale) -> Report {
    killed("redis-everysec", store, scale, "everysec").await
}

/// Killed and started again, with `appendfsync always`.
pub(super) async fn killed_always(store: Backend, scale: Scale) -> Report {
    killed("redis-always", store, scale, "always").await
}

/// What is timed: from the server's first answer until a job that was sent
/// after it has ended.
async fn killed(
    name: &'static str,
    store: Backend,
    scale: Scale,
    appendfsync: &'static str,
) -> Report {
    let plan = Plan { redis: vec![("appendfsync", appendfsync)], ..Plan::of(1, 2).with_webhooks() };
    let mut scene = Scene::set(name, store, plan).await;
    // A claim whose answer is lost holds for a minute.
    if scale == Scale::Long {
        scene.listen().await;
    }
    let load = scene.load(&pictures(200, 6), CLIENTS);
    // Redis puts its writing off while a sync of the disk is under way.
    let _busy = BusyDisk::start(scene.fleet.folder());
    for _ in 0..scale.pick(2, 20) {
        scene.acknowledged(15).await;
        scene.fleet.redis().kill().expect("a killed server");
        tokio::time::sleep(scale.pick(Duration::from_millis(300), Duration::from_secs(2))).await;
        scene.fleet.redis().restart().await.expect("a server again");
        let recovery = scene.first_result_after(Instant::now()).await;
        scene.report.recovery.push(recovery);
    }
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    scene.report.recovers_within(RECOVERED_WITHIN);
    scene.done()
}

/// A thread that keeps the disk busy with writing and syncing.
struct BusyDisk(Arc<AtomicBool>);

impl BusyDisk {
    fn start(folder: &Path) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (stop, path) = (Arc::clone(&over), folder.join("busy"));
        std::thread::spawn(move || {
            let block = vec![0x5a; 8 << 20];
            while !stop.load(Ordering::Relaxed) {
                let written = File::create(&path).and_then(|mut file| {
                    file.write_all(&block)?;
                    file.sync_all()
                });
                if written.is_err() {
                    return;
                }
            }
        });
        Self(over)
    }
}

impl Drop for BusyDisk {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The process is stopped by a signal and goes on later.
pub(super) async fn frozen(store: Backend, scale: Scale) -> Report {
    let mut scene = Scene::set("redis-frozen", store, Plan::of(1, 2).with_webhooks()).await;
    if scale == Scale::Long {
        scene.listen().await;
    }
    let pid = scene.fleet.redis().pid().await.expect("a process id");
    let load = scene.load(&pictures(200, 6), CLIENTS);
    for _ in 0..scale.pick(1, 3) {
        scene.acknowledged(5).await;
        let began = Instant::now();
        signal(pid, "STOP");
        tokio::time::sleep(scale.pick(Duration::from_secs(6), Duration::from_secs(30))).await;
        signal(pid, "CONT");
        after_an_outage(&mut scene, began, Instant::now()).await;
    }
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    scene.report.recovers_within(2.0);
    scene.done()
}

/// The server takes commands and answers none (`CLIENT PAUSE`).
pub(super) async fn paused(store: Backend, scale: Scale) -> Report {
    let mut scene = Scene::set("redis-paused", store, Plan::of(1, 2).with_webhooks()).await;
    if scale == Scale::Long {
        scene.listen().await;
    }
    let load = scene.load(&pictures(200, 6), CLIENTS);
    for _ in 0..scale.pick(1, 3) {
        scene.acknowledged(5).await;
        let pause = scale.pick(Duration::from_secs(5), Duration::from_secs(30));
        let mut connection = scene.fleet.redis().connect().await.expect("a connection");
        let began = Instant::now();
        let mut command = redis::cmd("CLIENT");
        command.arg("PAUSE").arg(pause.as_millis() as u64).arg("ALL");
        command.exec_async(&mut connection).await.expect("a pause");
        tokio::time::sleep_until((began + pause).into()).await;
        after_an_outage(&mut scene, began, began + pause).await;
    }
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    scene.report.recovers_within(2.0);
    scene.done()
}

/// Connections are refused for a while, and those there were end.
pub(super) async fn refused(store: Backend, scale: Scale) -> Report {
    let (fleet, proxy) = behind_a_proxy(store, Plan::of(1, 2).with_webhooks()).await;
    let mut scene = Scene::over("redis-refused", fleet);
    if scale == Scale::Long {
        scene.listen().await;
    }
    let load = scene.load(&pictures(200, 6), CLIENTS);
    for _ in 0..scale.pick(1, 5) {
        scene.acknowledged(5).await;
        let began = Instant::now();
        proxy.turn(Weather { closed: true, ..Weather::default() });
        tokio::time::sleep(scale.pick(Duration::from_secs(3), Duration::from_secs(20))).await;
        proxy.turn(Weather::default());
        after_an_outage(&mut scene, began, Instant::now()).await;
    }
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    scene.report.recovers_within(2.0);
    scene.done()
}

/// A fleet that reaches its Redis through a network of the experiment's own.
pub(super) async fn behind_a_proxy(store: Backend, plan: Plan) -> (Fleet, Proxy) {
    let mut fleet = Fleet::prepare(store, &plan).await;
    let proxy = Proxy::before(fleet.redis().address()).await;
    fleet.set("AISLE_STORE", format!("redis://{}/", proxy.address()));
    fleet.start_processes(&plan).await;
    (fleet, proxy)
}

/// Times the recovery, and holds what clients were told during the outage
/// against the limits: a refusal in time, and nothing but refusals.
async fn after_an_outage(scene: &mut Scene, began: Instant, healed: Instant) {
    let recovery = scene.first_result_after(healed).await;
    scene.report.recovery.push(recovery);
    let during = |request: &Request| request.began > began && request.began < healed;
    let mut requests = scene.ledger.requests(began);
    requests.retain(during);
    let took: Vec<f64> = requests.iter().map(|request| request.took.as_secs_f64()).collect();
    let slowest = longest(&took);
    let report = &mut scene.report;
    report.figure("outage answers p99 s", round(percentile(&took, 0.99)));
    report.limit(!requests.is_empty(), "nobody asked during the outage");
    let limit = format!("a client waited {slowest:.1} s, allowed are {ANSWERED_WITHIN} s");
    report.limit(slowest <= ANSWERED_WITHIN, limit);
    let strange = requests.iter().filter(|one| !matches!(one.status, Some(202 | 503))).count();
    report.limit(strange == 0, format!("{strange} answers were neither 202 nor 503"));
}

fn round(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}

/// No memory is left (`maxmemory` with `noeviction`). What was taken is done
/// all the same; then there is room again without a restart.
pub(super) async fn full(store: Backend, scale: Scale) -> Report {
    let mut scene = Scene::set("redis-full", store, Plan::of(1, 2)).await;
    let mut connection = scene.fleet.redis().connect().await.expect("a connection");
    // Large bodies, so that the limit is soon reached, and one at a time.
    let load = scene.load(&pictures(scale.pick(1_600, 2_000), 30), CLIENTS);
    scene.acknowledged(2).await;
    let used = scene.fleet.redis().info("memory", "used_memory").await.expect("a figure");
    let limit = used.parse::<u64>().expect("bytes") + 256 * 1024;
    configure(&mut connection, "maxmemory", &limit.to_string()).await;
    let ledger = Arc::clone(&scene.ledger);
    wait::until("a refusal", || async {
        ledger.errors().keys().any(|kind| kind.starts_with("503")).then_some(())
    })
    .await;
    tokio::time::sleep(scale.pick(Duration::from_secs(2), Duration::from_secs(30))).await;
    load.stop().await;
    // Still full: what was taken must end all the same.
    scene.settle(Duration::from_secs(60)).await;
    let healed = Instant::now();
    configure(&mut connection, "maxmemory", "0").await;
    let load = scene.load(&pictures(200, 6), CLIENTS);
    let recovery = scene.first_result_after(healed).await;
    scene.report.recovery.push(recovery);
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    let half = unowned_blobs(&mut connection).await;
    scene.report.limit(half == 0, format!("{half} images of no job would stay for good"));
    let live = scene.fleet.metric("aisle_queue_live").await;
    scene.report.limit(live == 0.0, format!("{live} items live after all have ended"));
    scene.report.recovers_within(2.0);
    scene.done()
}

async fn configure(connection: &mut redis::aio::MultiplexedConnection, name: &str, value: &str) {
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg(name).arg(value).exec_async(connection).await.expect("a setting");
}

/// Images that neither belong to a job that lives nor expire.
pub(super) async fn unowned_blobs(connection: &mut redis::aio::MultiplexedConnection) -> usize {
    let mut unowned = 0;
    let keys = redis::cmd("KEYS").arg("{aisle:0}:b:*").to_owned();
    let keys: Vec<String> = keys.query_async(connection).await.expect("keys");
    for key in keys {
        let ttl = redis::cmd("TTL").arg(&key).to_owned();
        let ttl: i64 = ttl.query_async(connection).await.expect("a time to live");
        unowned += usize::from(ttl == -1);
    }
    unowned
}

/// Everything is deleted by mistake, scripts too. What was promised before is
/// gone by order; nothing may crash, and what comes after is done.
pub(super) async fn flushed(store: Backend, scale: Scale) -> Report {
    let mut scene = Scene::set("redis-flushed", store, Plan::of(1, 2)).await;
    let load = scene.load(&pictures(300, 8), CLIENTS);
    let mut since = Timestamp::now();
    for _ in 0..scale.pick(1, 5) {
        scene.acknowledged(5).await;
        let mut connection = scene.fleet.redis().connect().await.expect("a connection");
        redis::cmd("FLUSHALL").exec_async(&mut connection).await.expect("an empty server");
        let script = redis::cmd("SCRIPT").arg("FLUSH").to_owned();
        script.exec_async(&mut connection).await.expect("no scripts");
        since = Timestamp::now();
        let recovery = scene.first_result_after(Instant::now()).await;
        scene.report.recovery.push(recovery);
    }
    load.stop().await;
    scene.settle_since(since, Duration::from_secs(60)).await;
    // Until a worker has announced its model again.
    scene.report.recovers_within(4.0);
    scene.done()
}
