//! API keys as a store keeps them.

use std::time::Duration;

use aisle_shared::domain::{ApiKey, KeyState, KeyText, NewApiKey, Scope, Scopes};
use aisle_tests::fixtures::tenant;

use crate::world::{World, is_invalid, is_not_found};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn new_key(text: &KeyText) -> NewApiKey {
    NewApiKey {
        id: text.id().clone(),
        hash: text.hash(),
        name: "the shop's importer, \"blue\" ünit".to_owned(),
        tenant: tenant("shop"),
        scopes: [Scope::JobsRead, Scope::JobsWrite].into_iter().collect(),
        lifetime: Some(90 * DAY),
        weight: 3,
        rate_per_minute: Some(600),
    }
}

async fn put(world: &World) -> ApiKey {
    world.store.put_key(&new_key(&KeyText::generate())).await.unwrap()
}

async fn key(world: &World, key: &ApiKey) -> ApiKey {
    world.store.key(&key.id).await.unwrap().expect("the key")
}

pub(crate) async fn a_key_is_found_as_it_was_made(world: &World) {
    let text = KeyText::generate();
    let now = world.clock.now();
    let kept = world.store.put_key(&new_key(&text)).await.unwrap();
    let expected = ApiKey {
        id: text.id().clone(),
        hash: text.hash(),
        name: "the shop's importer, \"blue\" ünit".to_owned(),
        tenant: tenant("shop"),
        scopes: [Scope::JobsRead, Scope::JobsWrite].into_iter().collect(),
        weight: 3,
        rate_per_minute: Some(600),
        created_at: now,
        expires_at: Some(now.plus(90 * DAY)),
        revoked_at: None,
        last_used_on: None,
    };
    assert_eq!(kept, expected);
    assert_eq!(key(world, &kept).await, expected);
    let another = world.another_handle().await.unwrap();
    assert_eq!(another.key(&kept.id).await.unwrap(), Some(expected));
    assert_eq!(world.store.key(KeyText::generate().id()).await.unwrap(), None);
}

pub(crate) async fn what_a_key_lacks_stays_lacking(world: &World) {
    let text = KeyText::generate();
    let plain = NewApiKey {
        scopes: Scopes::all(),
        lifetime: None,
        rate_per_minute: None,
        ..new_key(&text)
    };
    let kept = world.store.put_key(&plain).await.unwrap();
    assert_eq!((kept.expires_at, kept.rate_per_minute), (None, None));
    assert_eq!(key(world, &kept).await, kept);
    assert_eq!(kept.scopes, Scopes::all());
}

pub(crate) async fn the_same_key_again_changes_nothing_and_another_of_its_id_is_invalid(
    world: &World,
) {
    let text = KeyText::generate();
    let first = world.store.put_key(&new_key(&text)).await.unwrap();
    world.advance(DAY);
    assert_eq!(world.store.put_key(&new_key(&text)).await.unwrap(), first);
    let other = NewApiKey { hash: KeyText::generate().hash(), ..new_key(&text) };
    assert!(is_invalid(&world.store.put_key(&other).await));
    assert_eq!(key(world, &first).await, first);
}

pub(crate) async fn keys_are_listed_from_the_oldest_to_the_newest(world: &World) {
    assert_eq!(world.store.keys().await.unwrap(), []);
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(put(world).await);
        world.advance(Duration::from_secs(1));
    }
    assert_eq!(world.store.keys().await.unwrap(), keys);
}

pub(crate) async fn a_thousand_keys_are_all_listed(world: &World) {
    for _ in 0..1_001 {
        put(world).await;
    }
    let keys = world.store.keys().await.unwrap();
    let ids: std::collections::HashSet<_> = keys.iter().map(|key| key.id.clone()).collect();
    assert_eq!((keys.len(), ids.len()), (1_001, 1_001));
}

pub(crate) async fn a_revoked_key_is_revoked_for_good(world: &World) {
    let (revoked, other) = (put(world).await, put(world).await);
    world.store.revoke_key(&revoked.id).await.unwrap();
    let at = Some(world.clock.now());
    world.advance(DAY);
    world.store.revoke_key(&revoked.id).await.unwrap();
    let found = key(world, &revoked).await;
    assert_eq!(found.revoked_at, at);
    assert_eq!(found.state(world.clock.now()), KeyState::Revoked);
    assert_eq!(key(world, &other).await.revoked_at, None);
    assert!(is_not_found(&world.store.revoke_key(KeyText::generate().id()).await));
}

pub(crate) async fn keys_that_ended_long_ago_are_purged_and_no_others(world: &World) {
    let unlimited = NewApiKey { lifetime: None, ..new_key(&KeyText::generate()) };
    let unlimited = world.store.put_key(&unlimited).await.unwrap();
    let (expiring, long_revoked) = (put(world).await, put(world).await);
    let lately_revoked = put(world).await;
    world.store.revoke_key(&long_revoked.id).await.unwrap();
    world.advance(Duration::from_millis(1));
    world.store.revoke_key(&lately_revoked.id).await.unwrap();
    world.advance(30 * DAY - Duration::from_millis(1));
    assert_eq!(world.store.purge_keys(30 * DAY).await.unwrap(), 1);
    assert_eq!(world.store.key(&long_revoked.id).await.unwrap(), None);
    assert_eq!(world.store.keys().await.unwrap().len(), 3);
    assert_eq!(world.store.purge_keys(30 * DAY).await.unwrap(), 0);

    // It expired as the last of them, and had been revoked by nobody.
    world.advance(90 * DAY);
    assert_eq!(world.store.purge_keys(30 * DAY).await.unwrap(), 2);
    assert_eq!(world.store.key(&expiring.id).await.unwrap(), None);
    assert_eq!(world.store.keys().await.unwrap(), [unlimited]);
    assert_eq!(world.store.purge_keys(Duration::MAX).await.unwrap(), 0);
    // What is gone can be made again.
    assert_eq!(put(world).await.revoked_at, None);
}

pub(crate) async fn a_purge_goes_through_all_keys(world: &World) {
    for place in 0..1_200 {
        let key = put(world).await;
        if place % 3 != 0 {
            world.store.revoke_key(&key.id).await.unwrap();
        }
    }
    assert_eq!(world.store.purge_keys(Duration::ZERO).await.unwrap(), 800);
    let left = world.store.keys().await.unwrap();
    assert!(left.len() == 400 && left.iter().all(|key| key.revoked_at.is_none()));
}

pub(crate) async fn a_key_expires_when_its_lifetime_is_over(world: &World) {
    let kept = put(world).await;
    let state = |after| kept.state(kept.created_at.plus(after));
    assert_eq!(state(90 * DAY - Duration::from_millis(1)), KeyState::Active);
    assert_eq!(state(90 * DAY), KeyState::Expired);
}

pub(crate) async fn the_last_use_is_known_to_the_day(world: &World) {
    let (used, idle) = (put(world).await, put(world).await);
    world.store.touch_key(&used.id).await.unwrap();
    assert_eq!(key(world, &used).await.last_used_on, Some(world.clock.now().day()));
    world.advance(DAY);
    world.store.touch_key(&used.id).await.unwrap();
    world.store.touch_key(&used.id).await.unwrap();
    let found = key(world, &used).await;
    assert_eq!(found.last_used_on, Some(world.clock.now().day()));
    assert_eq!(ApiKey { last_used_on: None, ..found }, used);
    assert_eq!(key(world, &idle).await.last_used_on, None);

    let stranger = KeyText::generate();
    world.store.touch_key(stranger.id()).await.unwrap();
    assert_eq!(world.store.key(stranger.id()).await.unwrap(), None);
}
