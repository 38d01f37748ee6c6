//! Worker processes that die, by force or on request.

use std::time::{Duration, Instant};

use aisle_shared::domain::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;

use super::super::fleet::Plan;
use super::super::inside::{Holder, Inside};
use super::super::ledger::{Expected, Promise};
use super::super::load::{Answer, Body, Habits, pictures, submit};
use super::super::process::{Process, Role};
use super::super::report::Report;
use super::super::scene::{Scale, Scene};
use crate::harness::Backend;
use crate::wait;

/// Between two looks into the store.
const LOOK: Duration = Duration::from_millis(20);

/// Four clients that keep two workers busy.
const BUSY: Habits = Habits { clients: 4, every: Duration::from_millis(100), fail_over: false };

/// Workers are killed while they hold items. What is timed: from the kill
/// until another has claimed an item that the dead one held.
pub(super) async fn kill(store: Backend, scale: Scale) -> Report {
    let mut scene = Scene::set("kill-worker", store, Plan::of(1, 2).with_webhooks()).await;
    // What a killed sender holds is another's after a minute.
    if scale == Scale::Long {
        scene.listen().await;
    }
    let load = scene.load(&pictures(500, 8), BUSY);
    scene.acknowledged(3).await;
    let kills = scale.pick(2, 50);
    let mut inside = scene.inside().await;
    for _ in 0..kills {
        let (dead, held) = kill_one_that_holds(&mut scene).await;
        let killed = Instant::now();
        let worker = scene.fleet.spawn(Role::Worker, &[]);
        scene.fleet.workers.push(worker);
        let seconds = taken_over(&mut inside, &dead, held.clone(), killed).await;
        scene.report.recovery.extend(seconds);
        // An item that is there when three workers die is rightly given up, so
        // the next is killed when these have ended.
        for item in held {
            has_ended(&mut inside, &item).await;
        }
        scene.fleet.wait_until_ready().await;
    }
    load.stop().await;
    scene.settle(Duration::from_secs(90)).await;
    let dead = scene.fleet.logged("an item is a dead letter");
    scene.report.figure("kills", kills);
    scene.report.limit(dead == 0, format!("{dead} innocent items were given up"));
    scene.report.recovers_within(match store {
        Backend::Sqlite => 2.0,
        Backend::Redis => 11.0,
    });
    scene.done()
}

/// Freezes a worker that holds items, looks which, and kills it.
async fn kill_one_that_holds(scene: &mut Scene) -> (String, Vec<String>) {
    let mut inside = scene.inside().await;
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < wait::DEADLINE, "no worker holds anything");
        scene.fleet.count_executions().await;
        let victim = scene.fleet.workers.remove(0);
        let id = victim.worker_id().expect("a worker that works");
        victim.signal("STOP");
        let held = inside.held_by(&id).await.expect("a look into the store");
        if !held.is_empty() {
            victim.kill();
            return (id, held);
        }
        victim.signal("CONT");
        scene.fleet.workers.push(victim);
    }
}

async fn has_ended(inside: &mut Inside, item: &str) {
    let started = Instant::now();
    while inside.holder(item).await.expect("a look into the store").is_some() {
        assert!(started.elapsed() < wait::DEADLINE, "{item} does not end");
        tokio::time::sleep(LOOK).await;
    }
}

/// Seconds until each item of a dead worker is another's, or has ended.
pub(super) async fn taken_over(
    inside: &mut Inside,
    dead: &str,
    mut held: Vec<String>,
    since: Instant,
) -> Vec<f64> {
    let mut seconds = Vec::new();
    while !held.is_empty() && since.elapsed() < wait::DEADLINE {
        let mut left = Vec::new();
        for item in held {
            let holder = inside.holder(&item).await.expect("a look into the store");
            let waits = |holder: Holder| {
                holder.state != "running" || holder.worker.as_deref() == Some(dead)
            };
            if holder.is_some_and(waits) {
                left.push(item);
            } else {
                seconds.push(since.elapsed().as_secs_f64());
            }
        }
        held = left;
        tokio::time::sleep(LOOK).await;
    }
    seconds.extend(held.iter().map(|_| f64::INFINITY));
    seconds
}

/// An image that takes every worker down which holds it: whoever has it is
/// killed. Nothing in the service knows of this; the image is a URL of a host
/// that never answers, so that there is time to see who has it.
pub(super) async fn poison(store: Backend, scale: Scale) -> Report {
    let plan = Plan::of(1, 2)
        .with("AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", "true")
        .with("AISLE_LEASE_SECONDS", scale.pick("5", "10"));
    let mut scene = Scene::set("poison-item", store, plan).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let url = format!("http://{}/poison.jpg", silent.local_addr().expect("a bound address"));
    let load = scene.load(&pictures(200, 8), BUSY);
    scene.acknowledged(2).await;

    let body = Body::Json(json!({"images": [{"url": url}]}));
    let sent = Timestamp::now();
    let client = scene.fleet.client.clone();
    let answer = submit(&client, &scene.fleet.apis[0].base(), "poison", &body).await;
    let Answer::Acknowledged(id) = answer else { panic!("the poison is not taken") };
    scene.ledger.promised(Promise {
        id: id.clone(),
        key: "poison".to_owned(),
        images: vec![Expected::Error(&["worker_lost"])],
        sent,
        at: Timestamp::now(),
    });
    let crashes = kill_whoever_has(&mut scene, &format!("{id}.0")).await;
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    scene.report.figure("crashes", crashes);
    scene.report.limit(crashes <= 3, format!("it took {crashes} workers down"));
    let dead = scene.fleet.logged("an item is a dead letter");
    scene.report.limit(dead == 1, format!("{dead} items were given up, not the one"));
    scene.done()
}

async fn kill_whoever_has(scene: &mut Scene, item: &str) -> u32 {
    let mut inside = scene.inside().await;
    let mut crashes = 0;
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < 2 * wait::DEADLINE, "the poison does not end");
        let Some(holder) = inside.holder(item).await.expect("a look into the store") else {
            return crashes;
        };
        let has_it =
            |worker: &Process| holder.state == "running" && worker.worker_id() == holder.worker;
        if let Some(place) = scene.fleet.workers.iter().position(has_it) {
            scene.fleet.count_executions().await;
            scene.fleet.workers.remove(place).kill();
            crashes += 1;
            let worker = scene.fleet.spawn(Role::Worker, &[]);
            scene.fleet.workers.push(worker);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Processes are asked to stop and replaced, one after the other. What is
/// timed: from the request to stop until the process has ended.
pub(super) async fn rolling_restart(store: Backend, scale: Scale) -> Report {
    let mut scene = Scene::set("rolling-restart", store, Plan::of(2, 2).with_webhooks()).await;
    scene.listen().await;
    let load = scene.load(&pictures(300, 8), Habits { fail_over: true, ..BUSY });
    scene.acknowledged(3).await;
    for _ in 0..scale.pick(1, 10) {
        for _ in 0..2 {
            scene.fleet.count_executions().await;
            let (began, worker) = (Instant::now(), scene.fleet.workers.remove(0));
            let status = worker.stop().await;
            scene.report.limit(status.success(), format!("a worker ended with {status}"));
            scene.report.recovery.push(began.elapsed().as_secs_f64());
            let worker = scene.fleet.spawn(Role::Worker, &[]);
            scene.fleet.workers.push(worker);
            scene.fleet.wait_until_ready().await;
            scene.acknowledged(2).await;
        }
        for place in 0..2 {
            let began = Instant::now();
            let api = scene.fleet.apis.remove(place);
            let base = api.base();
            let status = api.stop().await;
            scene.report.limit(status.success(), format!("an API ended with {status}"));
            scene.report.recovery.push(began.elapsed().as_secs_f64());
            let api = scene.fleet.respawn(Role::Api, &base);
            scene.fleet.apis.insert(place, api);
            scene.fleet.wait_until_ready().await;
            scene.acknowledged(2).await;
        }
    }
    load.stop().await;
    scene.settle(Duration::from_secs(60)).await;
    let told = scene.report.errors.len();
    scene.report.limit(told == 0, "clients were told errors");
    let taken = scene.fleet.logged("an item was taken back");
    let again = scene.fleet.logged("an item is tried again");
    scene
        .report
        .limit(taken + again == 0, format!("{taken} items taken back, {again} tried again"));
    scene.report.recovers_within(30.0);
    scene.done()
}
