//! A bad network between processes and Redis, and clocks that jump.

use std::time::{Duration, Instant};

use super::super::clocks;
use super::super::fleet::Plan;
use super::super::load::{Habits, pictures};
use super::super::process::Role;
use super::super::proxy::{Proxy, Weather};
use super::super::report::Report;
use super::super::scene::{Scale, Scene};
use super::redis::behind_a_proxy;
use super::workers::taken_over;
use crate::harness::Backend;

const STEADY: Habits = Habits { clients: 6, every: Duration::from_millis(400), fail_over: false };

/// Slow, and one request of twenty loses its connection: half of these after
/// Redis has seen them. What is timed: nothing; what is measured: images done
/// in a while, beside a while in fair weather.
pub(super) async fn slow(store: Backend, scale: Scale) -> Report {
    let (fleet, proxy) = behind_a_proxy(store, Plan::of(1, 2).with_webhooks()).await;
    let mut scene = Scene::over("slow-network", fleet);
    if scale == Scale::Long {
        scene.listen().await;
    }
    let load = scene.load(&pictures(200, 6), STEADY);
    scene.acknowledged(5).await;
    let while_ = scale.pick(Duration::from_secs(6), Duration::from_secs(60));
    let fair = images_done_in(&mut scene, while_).await;
    proxy.turn(Weather {
        latency: Duration::from_millis(300),
        jitter: Duration::from_millis(200),
        resets: 5,
        ..Weather::default()
    });
    let foul = images_done_in(&mut scene, while_).await;
    proxy.turn(Weather::default());
    load.stop().await;
    scene.settle(Duration::from_secs(90)).await;
    scene.report.figure("connections reset", proxy.resets());
    scene.report.figure("images done in fair weather", fair);
    scene.report.figure("images done in foul weather", foul);
    scene.report.limit(foul > 0.0, "nothing was done in foul weather");
    scene.report.limit(proxy.resets() > 0, "no connection was reset");
    scene.done()
}

async fn images_done_in(scene: &mut Scene, time: Duration) -> f64 {
    let before = scene.fleet.count_executions().await;
    tokio::time::sleep(time).await;
    (scene.fleet.count_executions().await - before) as f64
}

/// What one worker sends does not arrive for longer than a lease, and arrives
/// then: results that are not its own to give any more. What is timed: from
/// the partition until its items are another's.
pub(super) async fn partition(store: Backend, scale: Scale) -> Report {
    let plan = Plan::of(1, 1).with("AISLE_LEASE_SECONDS", scale.pick("5", "10"));
    let mut scene = Scene::set("partition", store, plan).await;
    let proxy = Proxy::before(scene.fleet.redis().address()).await;
    let through = format!("redis://{}/", proxy.address());
    let cut_off = scene.fleet.spawn(Role::Worker, &[("AISLE_STORE", &through)]);
    scene.fleet.workers.push(cut_off);
    scene.fleet.wait_until_ready().await;
    let id = scene.fleet.workers[1].worker_id().expect("a worker that works");
    let busy = Habits { every: Duration::from_millis(100), ..STEADY };
    let load = scene.load(&pictures(500, 8), busy);
    let mut inside = scene.inside().await;
    for _ in 0..scale.pick(1, 5) {
        scene.acknowledged(3).await;
        let held = loop {
            let held = inside.held_by(&id).await.expect("a look into the store");
            if !held.is_empty() {
                break held;
            }
        };
        let began = Instant::now();
        proxy.turn(Weather { holds_requests: true, ..Weather::default() });
        let seconds = taken_over(&mut inside, &id, held, began).await;
        scene.report.recovery.extend(seconds);
        let partition = scale.pick(Duration::from_secs(8), Duration::from_secs(60));
        tokio::time::sleep_until((began + partition).into()).await;
        proxy.turn(Weather::default());
        scene.acknowledged(10).await;
    }
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    scene
        .report
        .figure("results that came too late", scene.fleet.logged("an outcome came too late"));
    scene.report.recovers_within(11.0);
    scene.done()
}

/// Workers whose wall clocks are an hour off, and jump by two while they work:
/// nobody's lease ends early, and nothing waits for one.
pub(super) async fn clock(store: Backend, scale: Scale) -> Report {
    let mut scene = Scene::set("clock-jump", store, Plan::of(1, 1)).await;
    let file = scene.fleet.folder().join("clock");
    std::fs::write(&file, "+0").expect("a clock");
    let Some(faked) = clocks::from_file(&file) else {
        return scene.done().skip("libfaketime is not on this machine");
    };
    let faked: Vec<_> = faked.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let worker = scene.fleet.spawn(Role::Worker, &faked);
    scene.fleet.workers.push(worker);
    scene.fleet.wait_until_ready().await;
    let load = scene.load(&pictures(300, 8), STEADY);
    scene.acknowledged(3).await;
    for offset in ["-1h", "+1h", "-10m", "+10m"].iter().cycle().take(scale.pick(2, 40)) {
        // As a whole, because it is read at every look at the clock.
        let next = file.with_extension("next");
        std::fs::write(&next, offset).expect("a clock");
        std::fs::rename(&next, &file).expect("a clock");
        let began = Instant::now();
        let recovery = scene.first_result_after(began).await;
        scene.report.recovery.push(recovery);
        scene.acknowledged(scale.pick(5, 20)).await;
    }
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    let taken = scene.fleet.logged("an item was taken back");
    scene.report.limit(taken == 0, format!("{taken} leases ended early"));
    scene.report.recovers_within(5.0);
    scene.done()
}
