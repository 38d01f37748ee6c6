//! What operators and workers read: models, counts, dead letters, health.

use std::time::Duration;

use aisle_shared::domain::{
    Acceptance, Activation, AnnouncedModel, ModelCard, NewJob, Priority, WorkerCard, WorkerId,
};
use aisle_shared::store::{LaneStats, Stats};
use aisle_tests::fixtures::{items, job, job_in, model, unreachable_url};

use crate::world::{ALL, LEASE, World, other_model, worker};

const TTL: Duration = Duration::from_secs(15);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn card(name: &str, version: &str) -> ModelCard {
    ModelCard {
        name: model(name),
        version: version.to_owned(),
        labels: vec!["Apparel > Topwear > Shirts".to_owned(), "日本 \"👟\"".to_owned()],
        input_size: [224, 192],
        activation: Activation::Sigmoid,
        provider: "cpu".to_owned(),
        precision: "fp32".to_owned(),
        accept: vec![Acceptance { precision: 0.95, score: None, levels: vec![Some(0.8125), None] }],
        trouble: Some("config.json: it is cut off".to_owned()),
    }
}

fn announcement(id: &WorkerId, world: &World, models: &[ModelCard]) -> WorkerCard {
    WorkerCard { id: id.clone(), pid: 42, started_at: world.clock.now(), models: models.to_vec() }
}

async fn announce(world: &World, id: &WorkerId, models: &[ModelCard]) {
    world.store.announce(&announcement(id, world, models), TTL).await.unwrap();
}

async fn models(world: &World) -> Vec<(String, String, u32)> {
    let models = world.store.models().await.unwrap();
    let each = |model: AnnouncedModel| {
        (model.card.name.to_string(), model.card.version, model.live_workers)
    };
    models.into_iter().map(each).collect()
}

fn known(name: &str, version: &str, live_workers: u32) -> (String, String, u32) {
    (name.to_owned(), version.to_owned(), live_workers)
}

pub(crate) async fn announced_models_are_listed_by_name(world: &World) {
    assert_eq!(models(world).await, []);
    announce(world, &worker("w-1"), &[card("shoes", "1"), card("bags", "1")]).await;
    announce(world, &worker("w-2"), &[card("shoes", "1")]).await;
    assert_eq!(models(world).await, [known("bags", "1", 1), known("shoes", "1", 2)]);
    let listed = world.store.models().await.unwrap();
    assert_eq!(listed[1].card, card("shoes", "1"));
}

pub(crate) async fn a_heartbeat_keeps_a_worker_and_silence_loses_it(world: &World) {
    announce(world, &worker("w-1"), &[card("shoes", "1")]).await;
    announce(world, &worker("w-2"), &[card("shoes", "1")]).await;
    world.advance(TTL - Duration::from_millis(1));
    announce(world, &worker("w-2"), &[card("shoes", "1")]).await;
    assert_eq!(models(world).await, [known("shoes", "1", 2)]);
    world.advance(Duration::from_millis(1));
    assert_eq!(models(world).await, [known("shoes", "1", 1)]);
    world.advance(TTL);
    assert_eq!(models(world).await, [known("shoes", "1", 0)]);
}

pub(crate) async fn a_retired_worker_serves_nothing(world: &World) {
    announce(world, &worker("w-1"), &[card("shoes", "1")]).await;
    announce(world, &worker("w-2"), &[card("shoes", "1")]).await;
    world.store.retire(&worker("w-1")).await.unwrap();
    assert_eq!(models(world).await, [known("shoes", "1", 1)]);
    world.store.retire(&worker("w-1")).await.unwrap();
    world.store.retire(&worker("w-2")).await.unwrap();
    assert_eq!(models(world).await, [known("shoes", "1", 0)]);
}

pub(crate) async fn a_worker_that_announces_anew_serves_the_new_models_only(world: &World) {
    announce(world, &worker("w-1"), &[card("shoes", "1"), card("bags", "1")]).await;
    world.advance(Duration::from_secs(1));
    announce(world, &worker("w-1"), &[card("shoes", "2")]).await;
    assert_eq!(models(world).await, [known("bags", "1", 0), known("shoes", "2", 1)]);
}

pub(crate) async fn a_model_is_forgotten_when_the_last_that_serves_it_withdraws_it(world: &World) {
    let shoes = model("shoes");
    for id in ["w-1", "w-2", "w-3"] {
        announce(world, &worker(id), &[card("shoes", "1"), card("bags", "1")]).await;
    }
    let withdraw = async |id: &str| {
        announce(world, &worker(id), &[card("bags", "1")]).await;
        world.store.withdraw(&worker(id), &shoes).await.unwrap();
    };
    withdraw("w-1").await;
    assert_eq!(models(world).await, [known("bags", "1", 3), known("shoes", "1", 2)]);
    withdraw("w-1").await;
    world.store.retire(&worker("w-3")).await.unwrap();
    assert_eq!(models(world).await, [known("bags", "1", 2), known("shoes", "1", 1)]);
    withdraw("w-2").await;
    assert_eq!(models(world).await, [known("bags", "1", 2)]);
    withdraw("w-2").await;
    announce(world, &worker("w-1"), &[card("shoes", "2")]).await;
    assert_eq!(models(world).await, [known("bags", "1", 1), known("shoes", "2", 1)]);
}

pub(crate) async fn a_worker_that_is_silent_does_not_keep_a_model_that_was_withdrawn(
    world: &World,
) {
    announce(world, &worker("w-1"), &[card("shoes", "1")]).await;
    world.advance(TTL);
    announce(world, &worker("w-2"), &[card("shoes", "1")]).await;
    world.store.withdraw(&worker("w-2"), &model("shoes")).await.unwrap();
    assert_eq!(models(world).await, []);
}

pub(crate) async fn a_model_is_forgotten_seven_days_after_its_last_worker(world: &World) {
    announce(world, &worker("w-1"), &[card("shoes", "1")]).await;
    world.advance(WEEK - Duration::from_secs(1));
    assert_eq!(models(world).await, [known("shoes", "1", 0)]);
    world.advance(Duration::from_secs(2));
    assert_eq!(models(world).await, []);
}

pub(crate) async fn the_counts_are_those_of_a_recount(world: &World) {
    let urgent = job_in(Priority::Interactive);
    let first_at = world.clock.now();
    world.enqueue(&urgent, 5).await;
    world.advance(Duration::from_secs(1));
    let bags_at = world.clock.now();
    world.enqueue(&NewJob { model: other_model(), ..job() }, 4).await;
    world.enqueue(&NewJob { max_attempts: 1, priority: Priority::Bulk, ..job() }, 1).await;
    world.store.open(&job(), 7).await.unwrap();
    let claimed = world.claim(3).await;
    assert!(claimed.iter().all(|held| held.lease.item.job == urgent.id));
    world.succeed(&claimed[0]).await;
    world.store.retry(&claimed[1].lease, 10 * LEASE, &unreachable_url()).await.unwrap();
    let rest = world.claim(ALL).await;
    let bulk = rest.iter().find(|held| held.max_attempts == 1).unwrap();
    world.store.retry(&bulk.lease, LEASE, &unreachable_url()).await.unwrap();
    let back = rest.iter().find(|held| held.max_attempts > 1).unwrap();
    world.store.release(std::slice::from_ref(&back.lease)).await.unwrap();
    let mut stats = world.store.stats().await.unwrap();
    stats.lanes.sort_by(|a, b| a.model.cmp(&b.model));
    let lanes = vec![
        LaneStats {
            model: other_model(),
            priority: Priority::Normal,
            ready: 4,
            oldest: Some(bags_at),
        },
        LaneStats {
            model: job().model,
            priority: Priority::Interactive,
            ready: 1,
            oldest: Some(first_at),
        },
    ];
    // Of 17 items submitted or announced, one succeeded and one is dead.
    assert_eq!(
        stats,
        Stats { lanes, delayed: 1, running: 2, live: 15, dead: 1, ..Stats::default() }
    );
}

pub(crate) async fn an_item_that_waits_alone_is_counted_as_ready(world: &World) {
    world.enqueue(&job(), 2).await;
    world.claim(1).await;
    world.crash().await;
    let stats = world.store.stats().await.unwrap();
    assert_eq!(stats.lanes.iter().map(|lane| lane.ready).collect::<Vec<_>>(), [2]);
    assert_eq!((stats.running, stats.live), (0, 2));
}

pub(crate) async fn an_empty_store_counts_nothing(world: &World) {
    assert_eq!(world.store.stats().await.unwrap(), Stats::default());
    world.enqueue(&job(), 3).await;
    world.finish().await;
    assert_eq!(world.store.stats().await.unwrap(), Stats::default());
}

pub(crate) async fn the_newest_dead_letters_come_first(world: &World) {
    let mut expected = Vec::new();
    for _ in 0..5 {
        let new = NewJob { max_attempts: 1, ..job() };
        world.enqueue(&new, 1).await;
        let held = world.claim_one().await;
        world.store.retry(&held.lease, LEASE, &unreachable_url()).await.unwrap();
        expected.insert(0, (held.lease.item, world.clock.now()));
        world.advance(Duration::from_secs(1));
    }
    let letters = world.store.dead_letters(3).await.unwrap();
    let places: Vec<_> = letters.iter().map(|letter| (letter.item, letter.at)).collect();
    assert_eq!(places, expected[..3]);
    for letter in &letters {
        assert_eq!((&letter.tenant, &letter.error), (&job().tenant, &unreachable_url()));
    }
    assert_eq!(world.store.dead_letters(100).await.unwrap().len(), 5);
    assert_eq!(world.store.stats().await.unwrap().dead, 5);
}

pub(crate) async fn existing_jobs_are_told_from_others(world: &World) {
    let (queued, ended, open, never) = (job(), job(), job(), job());
    world.enqueue(&ended, 1).await;
    world.finish().await;
    world.enqueue(&queued, 1).await;
    world.store.open(&open, 3).await.unwrap();
    world.store.append(&open.id, 0, &items(1)).await.unwrap();
    let ids = [never.id, queued.id, open.id, ended.id];
    let mut existing = world.store.existing(&ids).await.unwrap();
    existing.sort_unstable();
    let mut expected = vec![queued.id, ended.id, open.id];
    expected.sort_unstable();
    assert_eq!(existing, expected);
    assert_eq!(world.store.existing(&[]).await.unwrap(), []);
}

pub(crate) async fn a_sound_store_passes_its_check(world: &World) {
    world.store.check().await.unwrap();
    world.store.check().await.unwrap();
    assert_eq!(world.store.stats().await.unwrap(), Stats::default());
}

pub(crate) async fn another_handle_sees_the_same_store(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    let other = world.another_handle().await.unwrap();
    let held = other.claim(&crate::world::request("shoes", 1)).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(world.claim(ALL).await, []);
    world.succeed(&held[0]).await;
    assert_eq!(other.stats().await.unwrap(), Stats::default());
    assert_eq!(world.job(&new).await.items.succeeded, 1);
}
