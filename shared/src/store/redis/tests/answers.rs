use super::*;
use crate::domain::TenantId;
use crate::store::{Cache, CacheKey, CacheLimits};

const LIMITS: CacheLimits = CacheLimits { ttl: Duration::from_secs(3_600), entries: 1_000 };

fn entry(number: u8) -> (CacheKey, Vec<u8>) {
    (CacheKey::new(&TenantId::default_tenant(), &[number; 32], &[0; 32]), vec![number])
}

async fn found(store: &RedisStore) -> Vec<u8> {
    let keys: Vec<CacheKey> = (0..20).map(|number| entry(number).0).collect();
    store.recall(&keys).await.unwrap().into_iter().flatten().flatten().collect()
}

async fn keep(store: &RedisStore, numbers: std::ops::Range<u8>) {
    store.remember(&numbers.map(entry).collect::<Vec<_>>(), LIMITS).await.unwrap();
}

#[tokio::test]
async fn answers_give_way_while_memory_is_tight_and_jobs_are_still_taken() {
    let server = server_or_skip!();
    let store = store(&server).await;
    for number in 0..10 {
        keep(&store, number..number + 1).await;
    }
    let info: String = server.ask("INFO memory");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    // A little less than 60 %.
    let most = used.trim().parse::<u64>().unwrap() * 10 / 6;
    let _: String = server.ask(&format!("CONFIG SET maxmemory {most}"));
    keep(&store, 10..13).await;
    let left = found(&store).await;
    assert_eq!(left.len(), 7, "none is added, and as many go as would have come: {left:?}");
    store.enqueue(&job(), &urls(1)).await.unwrap();
    store.sweep(100).await.unwrap();
    assert_eq!(found(&store).await, [0_u8; 0]);
    let _: String = server.ask("CONFIG SET maxmemory 0");
    keep(&store, 10..13).await;
    assert_eq!(found(&store).await, [10, 11, 12]);
}

#[tokio::test]
async fn answers_are_no_longer_there_when_redis_lost_a_part_of_them() {
    let server = server_or_skip!();
    let store = store(&server).await;
    keep(&store, 1..4).await;
    let keys: Vec<String> = server.ask("KEYS *:answer:*");
    assert_eq!(keys.len(), 3);
    let _: u32 = server.ask(&format!("DEL {}", keys[0]));
    let rest = found(&store).await;
    assert_eq!(rest.len(), 2);
    let till: i64 = server.ask(&format!("PTTL {}", keys[1]));
    assert!((1..=3_600_000).contains(&till), "{till}");
    let indexes: Vec<String> = server.ask("KEYS *:answers");
    let _: u32 = server.ask(&format!("DEL {}", indexes[0]));
    assert_eq!(found(&store).await, [0_u8; 0]);
    keep(&store, 1..4).await;
    assert_eq!(found(&store).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_shard_that_fails_takes_the_answers_of_no_other_along() {
    let server = server_or_skip!();
    let shards = NonZeroU16::new(2).unwrap();
    let options = RedisOptions { shards, ..options(&server, Clock::Store) };
    let store = RedisStore::connect(options).await.unwrap();
    keep(&store, 0..20).await;
    assert_eq!(found(&store).await.len(), 20);
    let _: String = server.ask("SET {aisle:1}:answers wrong");
    let rest = found(&store).await;
    assert!((1..20).contains(&rest.len()), "{rest:?}");
    store.remember(&(0..20).map(entry).collect::<Vec<_>>(), LIMITS).await.unwrap_err();
    store.sweep(100).await.unwrap_err();
    assert_eq!(found(&store).await, rest);
    let _: String = server.ask("SET {aisle:0}:answers wrong");
    store.recall(&[entry(1).0, entry(2).0]).await.unwrap_err();
}

#[tokio::test]
async fn what_a_shard_that_is_given_up_kept_goes_by_itself() {
    let server = server_or_skip!();
    let store = store(&server).await;
    let till = || server.ask::<i64>("PTTL {aisle:0}:answers");
    keep(&store, 0..3).await;
    assert!((3_500_000..=3_600_000).contains(&till()), "{}", till());
    let shorter = CacheLimits { ttl: Duration::from_secs(60), ..LIMITS };
    store.remember(&[entry(4)], shorter).await.unwrap();
    assert!(till() > 3_500_000, "the others are still to be found");
    let longer = CacheLimits { ttl: Duration::from_secs(7_200), ..LIMITS };
    store.remember(&[entry(5)], longer).await.unwrap();
    assert!((7_100_000..=7_200_000).contains(&till()), "{}", till());
}
