//! The service from outside: real processes over both stores.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

/// A test over each store of every function named, which takes the store.
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(aisle_tests::harness::Backend::Sqlite).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(aisle_tests::harness::Backend::Redis).await;
            })*
        }
    };
}

mod agreement;
mod browser;
mod cache;
mod cluster;
mod compose;
mod contract;
mod crash;
mod decision;
mod deploy;
mod drain;
mod health;
mod intake;
mod keys;
mod main_job;
mod models;
mod provider;
mod redis_tls;
mod repeats;
mod secrets;
mod tracing;
mod webhooks;
