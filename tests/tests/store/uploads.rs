//! Bytes that come with their job: both are there, or neither.

use std::time::Duration;

use aisle_shared::domain::{Idempotency, ItemRef, ItemSource, JobId, NewItem, NewJob};
use aisle_shared::store::{
    Cap, ClaimRequest, Enqueued, MAX_CONTENT_BYTES, MAX_ITEMS_PER_CALL, Retried, StoreError,
    StoreLimits, Switch,
};
use aisle_tests::fixtures::{job, tenant, undecodable};
use bytes::Bytes;

use crate::world::{ALL, World, is_invalid, leases, request, url_item};

const NOT_UTF8: Bytes = Bytes::from_static(&[0xff, 0xd8, 0x00, 0x0d, 0x0a]);

fn images(count: usize, bytes: usize) -> Vec<NewItem> {
    vec![NewItem::carried(vec![7; bytes].into()); count]
}

/// The bytes that the item at a place has.
async fn bytes_of(world: &World, job: JobId, index: u32) -> Option<Bytes> {
    world.blobs().await.unwrap().get(ItemRef { job, index }).await.unwrap()
}

pub(crate) async fn bytes_and_job_come_together(world: &World) {
    let new = job();
    let items = [
        NewItem::carried(NOT_UTF8),
        url_item("https://shop.test/"),
        NewItem::carried(Bytes::new()),
    ];
    assert!(world.store.enqueue(&new, &items).await.unwrap().is_created());
    assert_eq!(bytes_of(world, new.id, 0).await, Some(NOT_UTF8));
    assert_eq!(bytes_of(world, new.id, 1).await, None);
    assert_eq!(bytes_of(world, new.id, 2).await, Some(Bytes::new()));
    let sources: Vec<_> = world.claim_all().await.into_iter().map(|held| held.source).collect();
    let url = ItemSource::Url("https://shop.test/".to_owned());
    assert_eq!(sources, [ItemSource::Upload, url, ItemSource::Upload]);
}

pub(crate) async fn a_mebibyte_of_two_hundred_images_comes_in_one_step(world: &World) {
    let new = job();
    let items = images(MAX_ITEMS_PER_CALL, MAX_CONTENT_BYTES / MAX_ITEMS_PER_CALL);
    assert!(world.store.enqueue(&new, &items).await.unwrap().is_created());
    for index in [0, 199] {
        assert_eq!(bytes_of(world, new.id, index).await, items[0].content);
    }
    assert_eq!(world.claim_all().await.len(), MAX_ITEMS_PER_CALL);
}

pub(crate) async fn a_refused_job_leaves_no_bytes(world: &World) {
    let limits = StoreLimits { items: 10, tenant_items: 2, upload_bytes: 100 };
    let store = world.handle_within(limits).await.unwrap();
    let before = world.entries().await.unwrap();
    for (items, cap) in [(images(1, 101), Cap::UploadBytes), (images(3, 1), Cap::TenantItems)] {
        let new = job();
        let refused = store.enqueue(&new, &items).await;
        assert!(
            matches!(&refused, Err(StoreError::Full { cap: of, .. }) if *of == cap),
            "{refused:?}"
        );
        assert_eq!(bytes_of(world, new.id, 0).await, None);
    }
    assert_eq!(world.entries().await.unwrap(), before);
    store.set_switch(Switch::IntakeClosed, true).await.unwrap();
    let new = job();
    let refused = store.enqueue(&new, &images(1, 1)).await;
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    assert_eq!(bytes_of(world, new.id, 0).await, None);
}

pub(crate) async fn a_replayed_job_keeps_the_bytes_that_it_has(world: &World) {
    let new = job();
    world.store.enqueue(&new, &images(1, 5)).await.unwrap();
    let before = world.entries().await.unwrap();
    let again = [NewItem::carried(NOT_UTF8), NewItem::carried(NOT_UTF8)];
    assert_eq!(world.store.enqueue(&new, &again).await.unwrap(), Enqueued::Replayed);
    assert_eq!(bytes_of(world, new.id, 0).await, images(1, 5)[0].content);
    assert_eq!(bytes_of(world, new.id, 1).await, None);
    assert_eq!(world.entries().await.unwrap(), before);
}

pub(crate) async fn a_repeated_request_leaves_no_bytes(world: &World) {
    let keyed = |fingerprint: &str| NewJob {
        id: JobId::for_key(&tenant("shop"), "k"),
        idempotency: Some(Idempotency {
            key: "k".to_owned(),
            fingerprint: fingerprint.to_owned(),
            keep: Duration::from_secs(60),
        }),
        ..job()
    };
    let (first, again, other) = (keyed("f"), keyed("f"), keyed("g"));
    world.store.enqueue(&first, &images(1, 5)).await.unwrap();
    let before = world.entries().await.unwrap();
    let repeated = world.store.enqueue(&again, &images(1, 5)).await.unwrap();
    assert_eq!(repeated, Enqueued::Repeated(first.id));
    let reused = world.store.enqueue(&other, &images(1, 5)).await;
    assert!(matches!(reused, Err(StoreError::KeyReused)), "{reused:?}");
    assert_eq!(world.entries().await.unwrap(), before);
}

pub(crate) async fn bytes_that_came_with_a_job_count_until_their_items_end(world: &World) {
    let limits = StoreLimits { items: 10, tenant_items: 10, upload_bytes: 100 };
    let store = world.handle_within(limits).await.unwrap();
    store.enqueue(&job(), &images(2, 30)).await.unwrap();
    let full = store.enqueue(&job(), &images(1, 41)).await;
    assert!(
        matches!(full, Err(StoreError::Full { cap: Cap::UploadBytes, live: 60, .. })),
        "{full:?}"
    );
    world.finish().await;
    assert!(store.enqueue(&job(), &images(1, 100)).await.unwrap().is_created());
}

pub(crate) async fn other_bytes_than_an_item_has_are_invalid(world: &World) {
    let new = job();
    let before = world.entries().await.unwrap();
    let longer = NewItem { bytes: 4, ..NewItem::carried(NOT_UTF8) };
    let url = ItemSource::Url("https://shop.test/".to_owned());
    let fetched = NewItem { source: url, ..NewItem::carried(NOT_UTF8) };
    for items in [vec![longer], vec![fetched], images(2, MAX_CONTENT_BYTES / 2 + 1)] {
        assert!(is_invalid(&world.store.enqueue(&new, &items).await));
    }
    assert_eq!(world.entries().await.unwrap(), before);
    world.store.open(&new, 1).await.unwrap();
    assert!(is_invalid(&world.store.append(&new.id, 0, &images(1, 5)).await));
    assert_eq!(bytes_of(world, new.id, 0).await, None);
}

pub(crate) async fn uploads_come_with_their_items_where_they_are_asked_for(world: &World) {
    let items = [
        NewItem::carried(NOT_UTF8),
        url_item("https://shop.test/"),
        NewItem::carried(Bytes::new()),
        // Its bytes are elsewhere, or nowhere.
        NewItem::stored(3),
    ];
    world.store.enqueue(&job(), &items).await.unwrap();
    let unasked = ClaimRequest { with_content: false, ..request("shoes", ALL) };
    let bare = world.store.claim(&unasked).await.unwrap();
    assert_eq!(bare.iter().map(|held| held.content.clone()).collect::<Vec<_>>(), vec![None; 4]);
    world.store.release(&leases(&bare)).await.unwrap();
    let mut held = world.claim(ALL).await;
    held.sort_by_key(|held| held.lease.item.index);
    let contents: Vec<_> = held.into_iter().map(|held| held.content).collect();
    assert_eq!(contents, [Some(NOT_UTF8), None, Some(Bytes::new()), None]);
}

pub(crate) async fn a_claim_brings_no_more_than_a_mebibyte(world: &World) {
    for _ in 0..3 {
        world.store.enqueue(&job(), &images(2, MAX_CONTENT_BYTES / 2)).await.unwrap();
    }
    let held = world.claim(ALL).await;
    assert_eq!(held.len(), 6);
    let brought = held.iter().filter(|held| held.content.is_some()).count();
    assert_eq!(brought, 2);
}

pub(crate) async fn the_end_of_an_item_takes_its_bytes_but_not_of_a_dead_letter(world: &World) {
    let (new, canceled) = (NewJob { max_attempts: 1, ..job() }, job());
    world.store.enqueue(&new, &images(3, 5)).await.unwrap();
    let held = world.claim(2).await;
    let of = |index| held.iter().find(|held| held.lease.item.index == index).unwrap();
    world.succeed(of(0)).await;
    let dead = world.store.retry(&of(1).lease, Duration::ZERO, &undecodable()).await.unwrap();
    assert_eq!(dead, Retried::Dead { job_ended: None });
    assert_eq!(bytes_of(world, new.id, 0).await, None);
    assert_eq!(bytes_of(world, new.id, 1).await, images(1, 5)[0].content);
    assert_eq!(bytes_of(world, new.id, 2).await, images(1, 5)[0].content);
    world.store.enqueue(&canceled, &images(2, 5)).await.unwrap();
    world.store.cancel(&canceled.tenant, &canceled.id).await.unwrap();
    for index in 0..2 {
        assert_eq!(bytes_of(world, canceled.id, index).await, None);
    }
}
