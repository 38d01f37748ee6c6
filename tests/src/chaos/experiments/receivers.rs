//! Receivers of webhooks that mean harm or are in trouble, beside one that
//! does not, and senders that are killed meanwhile.

use std::time::{Duration, Instant, SystemTime};

use aisle_shared::domain::Timestamp;
use serde_json::Value;

use super::super::fleet::{Fleet, Plan};
use super::super::load::{Habits, pictures};
use super::super::mailbox::Mailbox;
use super::super::process::{Process, Role};
use super::super::report::{Report, percentile};
use super::super::scene::{Scale, Scene};
use super::super::settle::Ended;
use crate::harness::Backend;
use crate::receiver::Behaviour::{Drip, Flood, Hang, Redirect, Reset, RetryAfter, Slow, Status};
use crate::receiver::{Behaviour, Receiver};
use crate::wait;

const STEADY: Habits = Habits { clients: 2, every: Duration::from_millis(100), fail_over: false };

/// As many jobs as the service takes.
const BURST: Habits = Habits { clients: 8, every: Duration::from_millis(1), fail_over: false };

/// What `Retry-After` asks for: more than the five seconds that the second
/// attempt would come after, give or take a fifth.
const ASKED: Duration = Duration::from_secs(7);

/// Deliveries of one receiver that are under way at most.
const PER_RECEIVER: usize = 4;

/// Failures in a row after which a receiver is left alone for a while.
const LEFT_ALONE_AFTER: usize = 5;

/// Memory that bad neighbours may cost all senders together, in KiB.
const GROWTH_KIB: u64 = 64 * 1024;

/// The healthy receiver alone, then behind another's backlog and among all the
/// others, then everything is killed while deliveries are pending. What is
/// timed: from the last kill until every event has come to everyone who will
/// take it.
pub(super) async fn misbehaving(store: Backend, scale: Scale) -> Report {
    let mut scene = Scene::set("receivers", store, Plan::of(1, 2).with_webhooks()).await;
    let within = scale.pick(Duration::from_secs(60), Duration::from_secs(240));
    let healthy = Mailbox::open(&scene.fleet, "healthy", [Status(200)]).await;
    let alone = stretch(&mut scene, scale).await;
    healthy.complete(&alone.ended, within).await;

    let behind = Mailbox::open(&scene.fleet, "behind", [Slow(Duration::from_secs(1))]).await;
    let backlog = burst(&mut scene, scale.pick(100, 5_000)).await;
    healthy.complete(&backlog, within).await;
    let bad = Neighbours::open(&scene.fleet, scale).await;
    let among = stretch(&mut scene, scale).await;
    healthy.complete(&among.ended, within).await;
    compare(&mut scene.report, &healthy, &alone, &among);
    let waiting = backlog.len().saturating_sub(behind.receiver.received().len());
    scene.report.figure("backlog beside the healthy receiver at least", waiting);

    let killed = match scale {
        Scale::Short => {
            let ended = scene.settle(within).await;
            bad.flooding.complete(&ended, within).await;
            behind.receiver.turn([Status(500)]);
            let others = [&healthy, &bad.flooding, &bad.failing, &bad.asking, &bad.resetting];
            until_quiet(&scene, &behind, others).await;
            kill_everything(&mut scene).await
        }
        Scale::Long => kill_under_load(&mut scene).await,
    };
    behind.receiver.turn([Status(200)]);
    bad.dripping.receiver.turn([Status(200)]);
    let ended = scene.settle(within).await;
    let mut owed = vec![&healthy, &behind, &bad.failing, &bad.asking, &bad.resetting];
    owed.push(&bad.flooding);
    // What is held by a dead sender is another's after a minute.
    match scale {
        Scale::Short => bad.dripping.reckon(&ended).note_faults(&mut scene.report),
        Scale::Long => owed.push(&bad.dripping),
    }
    for mailbox in owed {
        mailbox.complete(&ended, within).await;
        mailbox.reckon(&ended).note(&mut scene.report);
    }
    scene.report.recovery.push(killed.elapsed().as_secs_f64());
    bad.judge(&mut scene, &ended).await;
    scene.report.recovers_within(scale.pick(45.0, 240.0));
    scene.done()
}

/// Jobs at a steady pace.
struct Stretch {
    ended: Vec<Ended>,
    /// The most memory that the senders had together meanwhile.
    peak_kib: u64,
}

async fn stretch(scene: &mut Scene, scale: Scale) -> Stretch {
    let since = Timestamp::now();
    let load = scene.load(&pictures(100, 2), STEADY);
    let (began, mut peak_kib) = (Instant::now(), 0);
    while began.elapsed() < scale.pick(Duration::from_secs(2), Duration::from_secs(40)) {
        let memory = scene.fleet.workers.iter().filter_map(Process::resident_kib).sum();
        peak_kib = peak_kib.max(memory);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    load.stop().await;
    let ended = scene.settle_since(since, wait::DEADLINE).await;
    Stretch { ended, peak_kib }
}

/// So many jobs as quickly as they are taken.
async fn burst(scene: &mut Scene, jobs: usize) -> Vec<Ended> {
    let since = Timestamp::now();
    let load = scene.load(&pictures(32, 1), BURST);
    for _ in 0..jobs / 100 {
        scene.acknowledged(100).await;
    }
    load.stop().await;
    scene.settle_since(since, 4 * wait::DEADLINE).await
}

/// Neither the healthy receiver nor the images may notice the others.
fn compare(report: &mut Report, healthy: &Mailbox, alone: &Stretch, among: &Stretch) {
    let images = |stretch: &Stretch| -> Vec<f64> {
        let took = |one: &Ended| one.at.since(one.promise.sent).as_secs_f64();
        stretch.ended.iter().map(took).collect()
    };
    let events = |stretch: &Stretch| healthy.delays(&stretch.ended);
    for (what, before, after, times) in [
        ("healthy receiver's p95 alone and among others, s", events(alone), events(among), 2.0),
        ("jobs' p95 alone and among others, s", images(alone), images(among), 1.5),
    ] {
        let (before, after) = (percentile(&before, 0.95), percentile(&after, 0.95));
        report.figure(what, vec![before, after]);
        // A few milliseconds on a busy machine vary more than that.
        let allowed = (times * before).max(before + 0.5);
        report.limit(after <= allowed, format!("{what}: {after:.2}, allowed are {allowed:.2}"));
    }
    let growth = among.peak_kib.saturating_sub(alone.peak_kib);
    report.figure("senders grew among others by KiB", growth);
    report.limit(growth <= GROWTH_KIB, format!("senders grew by {growth} KiB"));
}

/// Those that the healthy receiver has to live with.
struct Neighbours {
    hanging: Mailbox,
    gone: Mailbox,
    redirecting: Mailbox,
    /// Where it redirects to.
    elsewhere: Receiver,
    flooding: Mailbox,
    dripping: Mailbox,
    /// Answers 500 for a while.
    failing: Mailbox,
    /// Answers 429 for a while, and says until when.
    asking: Mailbox,
    resetting: Mailbox,
}

impl Neighbours {
    async fn open(fleet: &Fleet, scale: Scale) -> Self {
        // The longer while makes the service leave them alone in between.
        let while_long = |behaviour: Behaviour| {
            let mut script = vec![behaviour; scale.pick(3, 8)];
            script.push(Status(200));
            script
        };
        let asks = RetryAfter(429, ASKED.as_secs().to_string());
        let elsewhere = Receiver::start([Status(200)]).await;
        Self {
            hanging: Mailbox::open(fleet, "hanging", [Hang]).await,
            gone: Mailbox::open(fleet, "gone", [Status(410)]).await,
            redirecting: Mailbox::open(fleet, "redirecting", [Redirect(elsewhere.url("/"))]).await,
            elsewhere,
            flooding: Mailbox::open(fleet, "flooding", [Flood]).await,
            dripping: Mailbox::open(fleet, "dripping", [Drip]).await,
            failing: Mailbox::open(fleet, "failing", while_long(Status(500))).await,
            asking: Mailbox::open(fleet, "asking", while_long(asks)).await,
            resetting: Mailbox::open(fleet, "resetting", while_long(Reset)).await,
        }
    }

    /// What each may have cost.
    async fn judge(&self, scene: &mut Scene, ended: &[Ended]) {
        for mailbox in [&self.hanging, &self.gone, &self.redirecting] {
            let asked = mailbox.receiver.received().len();
            scene.report.limit(asked > 0, format!("{} was never asked", mailbox.name));
            mailbox.reckon(ended).note_faults(&mut scene.report);
        }
        let url = format!("/v1/webhook-endpoints/{}", self.gone.endpoint);
        let gone = get(&scene.fleet, &url).await;
        let report = &mut scene.report;
        report.limit(gone["disabled"]["because"] == "gone", format!("410 disables not: {gone}"));
        let asked = self.gone.receiver.received().len();
        report.limit(asked <= PER_RECEIVER, format!("{asked} requests to one that is gone"));
        let followed = self.elsewhere.received().len();
        report.limit(followed == 0, format!("{followed} redirects were followed"));
        let pause = self.shortest_pause_asked_for();
        let kept = pause.is_some_and(|pause| pause >= ASKED);
        report.limit(kept, format!("Retry-After of {ASKED:?}: {pause:?} passed"));
    }

    /// The least that passed from a 429 until the same message came again.
    fn shortest_pause_asked_for(&self) -> Option<Duration> {
        let received = self.asking.receiver.received();
        let refused = received.iter().enumerate().filter(|(_, one)| !one.answer.accepts());
        let next = |(place, one): (usize, &crate::receiver::Received)| {
            let id = one.headers.get("webhook-id");
            let again = received[place + 1..].iter().find(|it| it.headers.get("webhook-id") == id);
            again.map(|again: &crate::receiver::Received| since(again.at, one.at))
        };
        refused.filter_map(next).min()
    }
}

fn since(later: SystemTime, earlier: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

/// Waits until the one that is behind is left alone, and nothing is under way
/// to it nor to those others: what is killed then holds none of theirs, so
/// nobody has to wait for the lease.
async fn until_quiet<const N: usize>(scene: &Scene, behind: &Mailbox, others: [&Mailbox; N]) {
    wait::until("quiet senders", || async {
        let received = behind.receiver.received();
        let failures = received.iter().filter(|one| !one.answer.accepts()).count();
        if failures < LEFT_ALONE_AFTER {
            return None;
        }
        for mailbox in others.iter().copied().chain([behind]) {
            if is_under_way(&scene.fleet, mailbox).await {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// An attempt is counted when it begins, and listed when it has ended.
async fn is_under_way(fleet: &Fleet, mailbox: &Mailbox) -> bool {
    let mut cursor = String::new();
    loop {
        let url = format!("/v1/webhook-deliveries?endpoint={}&status=pending", mailbox.endpoint);
        let page = get(fleet, &format!("{url}&limit=100{cursor}")).await;
        let begun = |delivery: &Value| {
            let ended = delivery["attempts"].as_array().map_or(0, Vec::len);
            delivery["attempted"].as_u64() > u64::try_from(ended).ok()
        };
        if page["data"].as_array().is_some_and(|page| page.iter().any(begun)) {
            return true;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return false,
        }
    }
}

async fn get(fleet: &Fleet, path: &str) -> Value {
    let answer = fleet.client.get(fleet.url(path)).send().await.expect("an answer");
    answer.json().await.expect("a document")
}

/// Three times, while jobs come and end: what senders hold then is another's
/// when the lease is over. Each time all jobs end before the next, because an
/// image that is there when three workers die is rightly given up.
async fn kill_under_load(scene: &mut Scene) -> Instant {
    let mut killed = Instant::now();
    for _ in 0..3 {
        let load = scene.load(&pictures(100, 2), STEADY);
        scene.acknowledged(20).await;
        killed = kill_everything(scene).await;
        scene.first_result_after(Instant::now()).await;
        load.stop().await;
        scene.settle_since(Timestamp(0), 2 * wait::DEADLINE).await;
    }
    killed
}

/// `kill -9` of every process, Redis included, and all of them again.
async fn kill_everything(scene: &mut Scene) -> Instant {
    let fleet = &mut scene.fleet;
    fleet.count_executions().await;
    let killed = Instant::now();
    let api = fleet.apis.remove(0);
    let base = api.base();
    api.kill();
    let workers = std::mem::take(&mut fleet.workers);
    let count = workers.len();
    workers.into_iter().for_each(Process::kill);
    if fleet.backend == Backend::Redis {
        fleet.redis().kill().expect("a killed server");
        fleet.redis().restart().await.expect("a server again");
    }
    let api = fleet.respawn(Role::Api, &base);
    fleet.apis.push(api);
    for _ in 0..count {
        let worker = fleet.spawn(Role::Worker, &[]);
        fleet.workers.push(worker);
    }
    fleet.wait_until_ready().await;
    killed
}
