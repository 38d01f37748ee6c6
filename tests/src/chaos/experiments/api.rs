//! API processes that die while bodies arrive and answers leave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::super::clocks;
use super::super::fleet::{Fleet, Plan};
use super::super::load::{Answer, Habits, Orders, Targets, pictures, submit};
use super::super::process::Role;
use super::super::proxy::{Proxy, Weather};
use super::super::report::Report;
use super::super::scene::{Scale, Scene};
use crate::harness::Backend;
use crate::places::files_below;
use crate::wait;

const UPLOADERS: Habits = Habits { clients: 6, every: Duration::from_millis(20), fail_over: false };

/// Of a hundred requests, how many lose their connection, half of them after
/// the API has seen them: then the reply is lost.
const REPLIES_LOST: u32 = 10;

/// Longer than an upload may wait for its job.
const LATER: &str = "+2h";

/// The API is killed again and again in the middle of bodies, and replies are
/// lost; clients repeat what was not acknowledged, with the same key.
pub(super) async fn kill(store: Backend, scale: Scale) -> Report {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let plan = Plan::of(1, 1).with_webhooks();
    let plan = plan.with("TMPDIR", temporary.path().display().to_string());
    let mut scene = Scene::set("kill-api", store, plan).await;
    scene.listen().await;
    let orders = pictures(400, 8);
    let honoured = honours_keys(&scene, &orders).await;
    let base = scene.fleet.apis[0].base();
    let address = base.trim_start_matches("http://").parse().expect("an address");
    let proxy = Proxy::before(address).await;
    proxy.turn(Weather { resets: REPLIES_LOST, ..Weather::default() });
    let targets = Targets::new(vec![format!("http://{}", proxy.address())]);
    let load = scene.load_at(targets, &orders, UPLOADERS);
    for _ in 0..scale.pick(3, 50) {
        scene.acknowledged(5).await;
        let _halves = [half_a_body(&base).await, half_a_body(&base).await];
        let killed = Instant::now();
        scene.fleet.apis.remove(0).kill();
        let api = scene.fleet.respawn(Role::Api, &base);
        scene.fleet.apis.push(api);
        scene.fleet.wait_until_ready().await;
        let recovery = scene.first_result_after(killed).await;
        scene.report.recovery.push(recovery);
    }
    load.stop().await;
    scene.settle(Duration::from_secs(90)).await;
    scene.report.figure("replies lost", proxy.resets());
    one_job_for_each_key(&mut scene, honoured).await;
    nothing_stays(&mut scene, temporary.path()).await;
    scene.report.recovers_within(10.0);
    scene.done()
}

/// Whether the service makes one job of two requests with one key.
async fn honours_keys(scene: &Scene, orders: &Orders) -> bool {
    let (order, base) = (orders(0), scene.fleet.apis[0].base());
    let mut ids = Vec::new();
    for _ in 0..2 {
        match submit(&scene.fleet.client, &base, "the-same-key", &order.body).await {
            Answer::Acknowledged(id) => ids.push(id),
            Answer::Refused { what, .. } | Answer::Nothing(what) => panic!("not taken: {what}"),
        }
    }
    ids[0] == ids[1]
}

/// Begins an upload and does not go on with it.
async fn half_a_body(base: &str) -> TcpStream {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.expect("an API");
    let head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; \
                boundary=b\r\nContent-Length: 100000\r\n\r\n--b\r\nContent-Disposition: \
                form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("a request begun");
    stream.write_all(&[0xff; 20_000]).await.expect("a body begun");
    stream
}

/// Reads the keys of all jobs from their metadata.
async fn one_job_for_each_key(scene: &mut Scene, honoured: bool) {
    let mut keys: BTreeMap<String, u32> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let url = scene.fleet.url(&format!("/v1/jobs?limit=100{cursor}"));
        let answer = scene.fleet.client.get(url).send().await.expect("a list");
        let page: Value = answer.json().await.expect("a list");
        for job in page["data"].as_array().into_iter().flatten() {
            let key = job["metadata"]["key"].as_str().unwrap_or("none");
            *keys.entry(key.to_owned()).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let most = keys.values().copied().max().unwrap_or(0);
    scene.report.figure("keys", keys.len());
    scene.report.figure("jobs of one key at most", most);
    scene.report.figure("Idempotency-Key honoured", honoured);
    scene.report.limit(!honoured || most == 1, format!("{most} jobs of one key"));
}

/// No temporary files, and no bytes but those that upkeep removes by itself.
async fn nothing_stays(scene: &mut Scene, temporary: &Path) {
    // ONNX Runtime marks its session with one file of that name, and keeps it.
    let of_runtime = |path: &PathBuf| path.ends_with(".ses");
    let left = files_below(temporary).into_iter().filter(|path| !of_runtime(path)).count();
    scene.report.limit(left == 0, format!("{left} temporary files stay"));
    if scene.fleet.backend == Backend::Redis {
        let mut connection = scene.fleet.redis().connect().await.expect("a connection");
        let unowned = super::redis::unowned_blobs(&mut connection).await;
        scene.report.limit(unowned == 0, format!("{unowned} images would stay for good"));
        return;
    }
    let uploads = scene.fleet.data().join("uploads");
    let orphans = files_below(&uploads).len();
    scene.report.figure("images without a job", orphans);
    let Some(later) = clocks::fixed(LATER) else {
        scene.report.figure("images without a job after upkeep", "unknown: no libfaketime");
        return;
    };
    // A process two hours ahead finds them old enough.
    let settings: Vec<_> = later.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let ahead = scene.fleet.spawn(Role::Api, &settings);
    // Folders go while they are looked at, so each is looked at by itself.
    wait::until("upkeep to remove them", || async {
        let shards = std::fs::read_dir(&uploads).ok()?.flatten();
        let is_empty =
            |shard: &Path| std::fs::read_dir(shard).is_ok_and(|mut it| it.next().is_none());
        shards.map(|shard| shard.path()).all(|shard| is_empty(&shard)).then_some(())
    })
    .await;
    drop(ahead);
    scene.report.figure("images without a job after upkeep", 0);
}

/// Two hundred clients wait for their jobs while Redis goes and comes back:
/// connections stay bounded, and after ten seconds nobody is refused.
pub(super) async fn herd(store: Backend, scale: Scale) -> Report {
    const WAITING: usize = 200;
    let mut scene = Scene::set("herd", store, Plan::of(2, 2)).await;
    let herd = Habits { clients: WAITING, every: Duration::from_secs(4), fail_over: false };
    let load = scene.load(&pictures(64, 2), herd);
    scene.acknowledged(WAITING).await;
    let waiting: Vec<_> = (0..WAITING).map(|number| follow(&scene, number)).collect();
    let mut most = 0;
    for _ in 0..scale.pick(1, 3) {
        scene.fleet.redis().kill().expect("a killed server");
        let outage = scale.pick(Duration::from_secs(3), Duration::from_secs(60));
        tokio::time::sleep(outage).await;
        scene.fleet.redis().restart().await.expect("a server again");
        let healed = Instant::now();
        let recovery = scene.first_result_after(healed).await;
        scene.report.recovery.push(recovery);
        while healed.elapsed() < scale.pick(Duration::from_secs(13), Duration::from_secs(30)) {
            // A server that is busy with the herd may not answer us in time.
            if let Ok(count) = scene.fleet.redis().info("clients", "connected_clients").await {
                most = most.max(count.parse::<u64>().expect("a number"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let late = scene.ledger.requests(healed + Duration::from_secs(10));
        let refused = late.iter().filter(|request| request.status != Some(202)).count();
        scene.report.limit(refused == 0, format!("{refused} refused after ten seconds"));
    }
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    scene.report.figure("connections at Redis at most", most);
    // Of each process a pool of 32 and a subscription; and our own.
    let budget = connections_of(&scene.fleet);
    scene.report.limit(most <= budget, format!("{most} connections, allowed are {budget}"));
    scene.report.recovers_within(5.0);
    scene.done()
}

fn connections_of(fleet: &Fleet) -> u64 {
    (fleet.apis.len() + fleet.workers.len()) as u64 * 33 + 2
}

/// A client that waits for one job after the other.
fn follow(scene: &Scene, number: usize) -> tokio::task::JoinHandle<()> {
    let (client, ledger) = (scene.fleet.client.clone(), std::sync::Arc::clone(&scene.ledger));
    let base = scene.fleet.apis[number % scene.fleet.apis.len()].base();
    tokio::spawn(async move {
        loop {
            let promises = ledger.promises();
            let id = &promises[promises.len() - 1 - number % promises.len()].id;
            let get = client.get(format!("{base}/v1/jobs/{id}")).header("prefer", "wait=10");
            let _ = get.send().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
}
