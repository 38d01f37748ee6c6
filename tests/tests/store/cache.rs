//! Answers kept for pictures that come again.

use std::time::Duration;

use aisle_shared::domain::ItemOutcome;
use aisle_shared::store::{
    CacheKey, CacheLimits, MAX_CACHED_BYTES, MAX_CACHED_PER_CALL, Store, StoreError,
};
use aisle_tests::fixtures::{answer, job, tenant, undecodable};

use crate::world::{ALL, World, is_invalid};

const TTL: Duration = Duration::from_secs(3_600);

/// More than any case keeps.
const AMPLE: CacheLimits = CacheLimits { ttl: TTL, entries: 1_000 };

type Entry = (CacheKey, Vec<u8>);

/// The key of the tenant's picture of that number.
fn key(number: u8) -> CacheKey {
    CacheKey::new(&tenant("shop"), &[number; 32], &[7; 32])
}

/// An entry that no other number has, with bytes that are no text.
fn entry(number: u8) -> Entry {
    (key(number), vec![0, 255, 13, 10, number])
}

fn entries(numbers: impl IntoIterator<Item = u8>) -> Vec<Entry> {
    numbers.into_iter().map(entry).collect()
}

async fn keep(world: &World, numbers: impl IntoIterator<Item = u8>, limits: CacheLimits) {
    world.store.remember(&entries(numbers), limits).await.unwrap();
}

async fn recall(store: &dyn Store, numbers: impl IntoIterator<Item = u8>) -> Vec<Option<Vec<u8>>> {
    let keys: Vec<CacheKey> = numbers.into_iter().map(key).collect();
    store.recall(&keys).await.unwrap()
}

/// Which of the first numbers are found, each with its own entry.
async fn found(world: &World, upto: u8) -> Vec<u8> {
    let recalled = recall(&*world.store, 0..upto).await;
    let found = (0..upto).zip(recalled).filter_map(|(number, recalled)| {
        assert!(recalled.as_ref().is_none_or(|bytes| *bytes == entry(number).1));
        recalled.map(|_| number)
    });
    found.collect()
}

async fn kept(world: &World) -> u64 {
    world.store.stats().await.unwrap().cached
}

pub(crate) async fn an_answer_is_found_under_its_key_and_no_other(world: &World) {
    assert_eq!(found(world, 3).await, [0_u8; 0]);
    keep(world, [2, 0], AMPLE).await;
    assert_eq!(found(world, 3).await, [0, 2]);
    let foreign = CacheKey::new(&tenant("stranger"), &[2; 32], &[7; 32]);
    let other_model = CacheKey::new(&tenant("shop"), &[2; 32], &[8; 32]);
    assert_eq!(world.store.recall(&[foreign, other_model]).await.unwrap(), [None, None]);
    // One key may be asked for twice, and nothing for nothing.
    let twice = recall(&*world.store, [2, 1, 2]).await;
    assert_eq!(twice, [Some(entry(2).1), None, Some(entry(2).1)]);
    assert_eq!(world.store.recall(&[]).await.unwrap(), [] as [Option<Vec<u8>>; 0]);
    keep(world, [], AMPLE).await;
}

pub(crate) async fn an_answer_is_seen_by_every_handle(world: &World) {
    keep(world, [1], AMPLE).await;
    let other = world.another_handle().await.unwrap();
    assert_eq!(recall(&*other, [1]).await, [Some(entry(1).1)]);
}

pub(crate) async fn a_later_answer_takes_the_place_of_an_earlier(world: &World) {
    keep(world, [1], AMPLE).await;
    world.advance(TTL / 2);
    world.store.remember(&[(key(1), b"later".to_vec())], AMPLE).await.unwrap();
    assert_eq!(recall(&*world.store, [1]).await, [Some(b"later".to_vec())]);
    assert_eq!(kept(world).await, 1);
    // And is found for as long as a new one.
    world.advance(TTL - Duration::from_millis(1));
    assert_eq!(recall(&*world.store, [1]).await, [Some(b"later".to_vec())]);
}

pub(crate) async fn an_answer_is_forgotten_when_its_time_is_over(world: &World) {
    let empty = world.entries().await.unwrap().values().sum::<u64>();
    keep(world, 0..20, AMPLE).await;
    world.advance(TTL / 2);
    keep(world, 20..30, AMPLE).await;
    world.advance(TTL / 2 - Duration::from_millis(1));
    assert_eq!(found(world, 40).await, (0..30).collect::<Vec<_>>());
    world.advance(Duration::from_millis(1));
    assert_eq!(found(world, 40).await, (20..30).collect::<Vec<_>>());
    world.store.sweep(ALL).await.unwrap();
    assert_eq!(kept(world).await, 10);
    world.advance(TTL);
    world.store.sweep(ALL).await.unwrap();
    assert_eq!(kept(world).await, 0);
    assert_eq!(world.entries().await.unwrap().values().sum::<u64>(), empty);
}

pub(crate) async fn no_more_answers_are_kept_than_the_limit(world: &World) {
    let few = CacheLimits { entries: 30, ..AMPLE };
    keep(world, 0..200, few).await;
    assert_eq!(kept(world).await, 30);
    assert_eq!(found(world, 200).await.len(), 30);
    for number in 200..250 {
        keep(world, [number], few).await;
        assert_eq!(kept(world).await, 30);
        assert_eq!(recall(&*world.store, [number]).await, [Some(entry(number).1)]);
        world.advance(Duration::from_millis(1));
    }
}

pub(crate) async fn the_oldest_answers_go_when_there_are_too_many(world: &World) {
    let few = CacheLimits { entries: 3, ..AMPLE };
    for number in 0..5 {
        keep(world, [number], few).await;
        world.advance(Duration::from_millis(1));
    }
    assert_eq!((found(world, 9).await, kept(world).await), (vec![2, 3, 4], 3));
    // One that is kept anew is the newest.
    keep(world, [2], few).await;
    world.advance(Duration::from_millis(1));
    keep(world, [5, 6], few).await;
    assert_eq!(found(world, 9).await, [2, 5, 6]);
}

pub(crate) async fn a_lower_limit_is_come_down_to_step_by_step(world: &World) {
    keep(world, 0..40, AMPLE).await;
    world.advance(Duration::from_millis(1));
    let few = CacheLimits { entries: 10, ..AMPLE };
    keep(world, [50], few).await;
    assert_eq!(kept(world).await, 39, "one call forgets no more than twice what it keeps");
    for _ in 0..20 {
        keep(world, 51..54, few).await;
    }
    assert_eq!(kept(world).await, 10);
    assert_eq!(
        recall(&*world.store, 50..54).await,
        (50..54).map(|n| Some(entry(n).1)).collect::<Vec<_>>()
    );
}

pub(crate) async fn too_many_or_too_large_an_answer_is_invalid(world: &World) {
    let largest = vec![1; MAX_CACHED_BYTES];
    world.store.remember(&[(key(1), largest.clone())], AMPLE).await.unwrap();
    assert_eq!(recall(&*world.store, [1]).await, [Some(largest.clone())]);
    let too_large = vec![1; MAX_CACHED_BYTES + 1];
    let refused = world.store.remember(&[entry(2), (key(3), too_large)], AMPLE).await;
    assert!(is_invalid(&refused));
    assert_eq!(recall(&*world.store, [2, 3]).await, [None, None]);
    let most = vec![entry(4); MAX_CACHED_PER_CALL + 1];
    assert!(is_invalid(&world.store.remember(&most, AMPLE).await));
    let keys = vec![key(1); MAX_CACHED_PER_CALL + 1];
    assert!(matches!(world.store.recall(&keys).await, Err(StoreError::Invalid(_))));
    world.store.remember(&most[1..], AMPLE).await.unwrap();
    assert_eq!(world.store.recall(&keys[1..]).await.unwrap().len(), MAX_CACHED_PER_CALL);
}

pub(crate) async fn a_job_counts_the_answers_that_were_there_already(world: &World) {
    let new = job();
    world.enqueue(&new, 4).await;
    let ItemOutcome::Succeeded(mut known) = answer("Shirts") else { panic!("no answer") };
    known.cached = true;
    let known = ItemOutcome::Succeeded(known);
    let outcomes =
        [known.clone(), answer("Shirts"), ItemOutcome::Failed(undecodable()), known.clone()];
    for (held, outcome) in world.claim_all().await.iter().zip(outcomes) {
        for _ in 0..2 {
            world.complete(held, outcome.clone()).await;
        }
    }
    let found = world.job(&new).await;
    assert_eq!((found.cached, found.items.succeeded, found.items.failed), (2, 3, 1));
    assert_eq!(world.results(&new).await[0], (0, known));
}
