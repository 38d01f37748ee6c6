//! Which servers are accepted, and what becomes of a server that changes.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::*;
use crate::store::{StoreError, StoreLimits};

#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    let server = server_or_skip!("--maxmemory-policy", "allkeys-lru");
    let error = RedisStore::connect(options(&server, Clock::Store)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Config(text) if text.contains("noeviction")), "{error}");
}

#[tokio::test]
async fn a_volatile_server_is_refused_unless_that_was_allowed() {
    let server = server_or_skip!("--appendonly", "no");
    let mut options = options(&server, Clock::Store);
    let error = RedisStore::connect(options.clone()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Config(text) if text.contains("appendonly")), "{error}");
    options.danger_allow_volatile = true;
    RedisStore::connect(options).await.unwrap().check().await.unwrap();
}

#[tokio::test]
async fn keys_of_another_layout_are_refused() {
    let server = server_or_skip!();
    let _: u32 = server.ask("HSET {aisle:0}:meta layout 999");
    let error = RedisStore::connect(options(&server, Clock::Store)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Config(text) if text.contains("999")), "{error}");
}

#[tokio::test]
async fn a_server_that_hides_its_settings_is_accepted() {
    let server = server_or_skip!("--rename-command", "CONFIG", "");
    store(&server).await.check().await.unwrap();
}

#[tokio::test]
async fn a_user_without_the_password_is_refused_and_the_password_not_told() {
    let server = server_or_skip!();
    let _: String = server.ask("CONFIG SET requirepass correct");
    let mut options = options(&server, Clock::Store);
    options.url = format!("{}?pass=hunter2", options.url);
    let error = RedisStore::connect(options).await.unwrap_err();
    assert!(matches!(error, StoreError::Config(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_url_of_no_use_is_refused_without_being_repeated() {
    let options = RedisOptions {
        url: "http://shop:hunter2@localhost".to_owned(),
        shards: NonZeroU16::MIN,
        limits: StoreLimits::of_items(1),
        danger_allow_volatile: false,
        clock: Clock::Store,
    };
    let error = RedisStore::connect(options).await.unwrap_err();
    assert!(matches!(error, StoreError::Config(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let server = server_or_skip!();
    let store = store(&server).await;
    store.enqueue(&job(), &urls(1)).await.unwrap();
    let _: String = server.ask("SCRIPT FLUSH");
    store.enqueue(&job(), &urls(1)).await.unwrap();
    assert_eq!(claim(&store, 10).await.len(), 2);
}

#[tokio::test]
async fn a_server_that_hangs_makes_the_store_unavailable_in_time() {
    let server = server_or_skip!();
    let store = std::sync::Arc::new(store(&server).await);
    let _: String = server.ask("CLIENT PAUSE 60000 ALL");
    let asked = Instant::now();
    // More callers than connections: those who wait for one give up as well.
    let callers = (0..100).map(|_| {
        let store = std::sync::Arc::clone(&store);
        tokio::spawn(async move { store.check().await })
    });
    for answer in futures::future::join_all(callers).await {
        assert!(matches!(answer.unwrap(), Err(StoreError::Unavailable { .. })));
    }
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_server_that_is_gone_makes_the_store_unavailable_at_once() {
    let server = server_or_skip!();
    let store = store(&server).await;
    drop(server);
    let asked = Instant::now();
    for _ in 0..100 {
        let answer = store.check().await;
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    }
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_connection_outlives_the_runtime_that_first_asked_for_it() {
    let server = server_or_skip!();
    let store = std::sync::Arc::new(store(&server).await);
    // As a thread of the HTTP server has: a runtime of its own, which goes first.
    let asked = std::sync::Arc::clone(&store);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { asked.check().await.unwrap() });
    });
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
    store.check().await.unwrap();
}

/// Connections to a server, that of the question among them.
fn connections(server: &PrivateServer) -> usize {
    let listed: String = server.ask("CLIENT LIST TYPE normal");
    listed.lines().filter(|line| line.starts_with("id=")).count()
}

#[tokio::test]
async fn a_thread_with_a_runtime_of_its_own_has_connections_of_its_own() {
    let server = server_or_skip!();
    let store = store(&server).await;
    store.check().await.unwrap();
    let before = connections(&server);
    let during = std::thread::scope(|scope| {
        let calls = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                store.check().await.unwrap();
                connections(&server)
            })
        });
        calls.join().unwrap()
    });
    assert_eq!(during, before + 1);
    // Its own have gone with it, and those of the others are there.
    let deadline = Instant::now() + Duration::from_secs(10);
    while connections(&server) > before {
        assert!(Instant::now() < deadline, "a connection stays");
        tokio::task::yield_now().await;
    }
    store.check().await.unwrap();
}
