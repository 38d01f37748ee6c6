//! Forgetting jobs: when their time is up, or on request.

use std::collections::BTreeMap;
use std::time::Duration;

use aisle_shared::domain::{ItemOutcome, NewJob};
use aisle_shared::store::{Deleted, Extended, Found, JobFilter, Recorded, Retried, Swept};
use aisle_tests::fixtures::{RETENTION, items, job, undecodable, unreachable_url};

use crate::world::{ALL, LEASE, World, is_not_found, leases, stranger};

const MOMENT: Duration = Duration::from_millis(1);

async fn is_forgotten(world: &World, new: &NewJob) {
    assert_eq!(world.find(&new.tenant, &new.id).await, Found::Expired);
    assert_eq!(world.find(&stranger(), &new.id).await, Found::Unknown);
    assert!(is_not_found(&world.store.results(&new.tenant, &new.id, 0, 10).await));
    assert!(is_not_found(&world.store.cancel(&new.tenant, &new.id).await));
    assert!(is_not_found(&world.store.delete(&new.tenant, &new.id).await));
    let page = world.store.list(&new.tenant, &JobFilter::default(), None, 100).await.unwrap();
    assert!(page.jobs.iter().all(|job| job.id != new.id));
    assert_eq!(world.store.existing(&[new.id]).await.unwrap(), []);
}

pub(crate) async fn a_job_is_forgotten_when_its_retention_is_over(world: &World) {
    let new = job();
    world.enqueue(&new, 3).await;
    world.finish().await;
    world.advance(RETENTION - MOMENT);
    assert_eq!(world.store.sweep(10).await.unwrap(), Swept::default());
    assert_eq!(world.results(&new).await.len(), 3);
    world.advance(MOMENT);
    let swept = world.store.sweep(10).await.unwrap();
    assert_eq!(swept, Swept { expired: vec![(new.id, 3)], aborted: vec![] });
    is_forgotten(world, &new).await;
    assert_eq!(world.store.sweep(10).await.unwrap(), Swept::default());
}

pub(crate) async fn a_job_that_has_not_ended_is_never_forgotten(world: &World) {
    let (waiting, running) = (job(), job());
    world.enqueue(&running, 1).await;
    let held = world.claim_one().await;
    world.enqueue(&waiting, 1).await;
    world.advance(100 * RETENTION);
    assert_eq!(world.store.sweep(10).await.unwrap(), Swept::default());
    assert!(matches!(world.succeed(&held).await, Recorded::Stored { .. }));
    assert_eq!(world.claim(ALL).await.len(), 1);
}

pub(crate) async fn each_job_has_its_own_retention(world: &World) {
    let short = NewJob { retention: Duration::from_secs(60), ..job() };
    let long = job();
    for new in [&long, &short] {
        world.enqueue(new, 1).await;
    }
    world.finish().await;
    world.advance(Duration::from_secs(60));
    assert_eq!(world.store.sweep(10).await.unwrap().expired, [(short.id, 1)]);
    assert!(matches!(world.find(&long.tenant, &long.id).await, Found::Job(_)));
}

pub(crate) async fn sweeping_takes_no_more_than_its_limit(world: &World) {
    for _ in 0..7 {
        world.enqueue(&job(), 1).await;
    }
    world.finish().await;
    world.advance(RETENTION);
    for expected in [3, 3, 1, 0] {
        assert_eq!(world.store.sweep(3).await.unwrap().expired.len(), expected);
    }
}

pub(crate) async fn a_job_is_deleted_on_request(world: &World) {
    let new = job();
    world.enqueue(&new, 3).await;
    world.finish().await;
    assert!(is_not_found(&world.store.delete(&stranger(), &new.id).await));
    let deleted = world.store.delete(&new.tenant, &new.id).await.unwrap();
    assert_eq!(deleted, Deleted { items: 3 });
    is_forgotten(world, &new).await;
    assert!(is_not_found(&world.store.delete(&new.tenant, &job().id).await));
    world.advance(RETENTION);
    assert_eq!(world.store.sweep(10).await.unwrap().expired, []);
}

pub(crate) async fn a_job_deleted_while_it_runs_is_lost_to_its_workers(world: &World) {
    let new = job();
    world.enqueue(&new, 6).await;
    let claimed = world.claim(5).await;
    world.store.retry(&claimed[4].lease, LEASE, &unreachable_url()).await.unwrap();
    assert_eq!(world.store.delete(&new.tenant, &new.id).await.unwrap(), Deleted { items: 6 });
    is_forgotten(world, &new).await;
    assert_eq!(world.live().await, 0);
    let extended = world.store.extend(&leases(&claimed[..1]), LEASE).await.unwrap();
    assert_eq!(extended, Extended { lost: vec![claimed[0].lease.item], canceled: vec![] });
    assert_eq!(world.succeed(&claimed[0]).await, Recorded::Gone);
    let retried = world.store.retry(&claimed[1].lease, LEASE, &undecodable()).await.unwrap();
    assert_eq!(retried, Retried::Gone);
    world.store.release(&leases(&claimed)).await.unwrap();
    assert_eq!(world.crash().await, aisle_shared::store::Reaped::default());
    assert_eq!(world.claim(ALL).await, []);
    is_forgotten(world, &new).await;
}

/// Takes jobs through every way that a job can end, and forgets them.
async fn whole_lives(world: &World) -> u64 {
    let lives = [job(), job(), NewJob { max_attempts: 1, ..job() }, job(), job(), job(), job()];
    let [succeeded, failed, dead, canceled, crashed, deleted, aborted] = &lives;
    world.enqueue(succeeded, 3).await;
    world.finish().await;
    world.enqueue(failed, 2).await;
    for held in world.claim_all().await {
        world.complete(&held, ItemOutcome::Failed(undecodable())).await;
    }
    world.enqueue(dead, 2).await;
    for held in world.claim_all().await {
        world.store.retry(&held.lease, LEASE, &unreachable_url()).await.unwrap();
    }
    world.enqueue(canceled, 3).await;
    let held = world.claim(2).await;
    world.store.retry(&held[0].lease, LEASE, &unreachable_url()).await.unwrap();
    world.store.cancel(&canceled.tenant, &canceled.id).await.unwrap();
    world.crash().await;
    world.enqueue(crashed, 2).await;
    for _ in 0..10 {
        world.claim(ALL).await;
        world.crash().await;
    }
    world.enqueue(deleted, 3).await;
    world.claim(1).await;
    world.store.delete(&deleted.tenant, &deleted.id).await.unwrap();
    world.store.open(aborted, 5).await.unwrap();
    world.store.append(&aborted.id, 1, &items(3)).await.unwrap();
    assert_eq!(world.live().await, 5, "some job has not ended");
    world.advance(RETENTION);
    let swept = world.store.sweep(100).await.unwrap();
    assert_eq!((swept.expired.len(), swept.aborted.len()), (5, 1));
    lives.len() as u64
}

fn sum(entries: &BTreeMap<String, u64>) -> u64 {
    entries.values().sum()
}

pub(crate) async fn a_forgotten_job_leaves_nothing_but_a_tombstone(world: &World) {
    // The first lives also make what is made once: lanes, shares, counters.
    whole_lives(world).await;
    let before = world.entries().await.unwrap();
    let mut forgotten = 0;
    for _ in 0..3 {
        forgotten += whole_lives(world).await;
    }
    let after = world.entries().await.unwrap();
    assert!(
        sum(&after) <= sum(&before) + forgotten,
        "{forgotten} jobs left more than a tombstone each\nbefore {before:#?}\nafter {after:#?}"
    );
    assert_eq!(world.live().await, 0);
    assert_eq!(world.store.dead_letters(100).await.unwrap(), []);
}
