//! The chaos suite at its shortest: each experiment for a few seconds, over
//! each store that it applies to. `make chaos` runs them at length.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

use aisle_tests::chaos::experiments;
use aisle_tests::chaos::report::Report;
use aisle_tests::chaos::scene::Scale;
use aisle_tests::harness::Backend;
use tokio::sync::Semaphore;

/// One experiment for each processor, however many tests run: they are held to the
/// time that a recovery takes.
static PROCESSORS: LazyLock<Semaphore> = LazyLock::new(|| {
    Semaphore::new(std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
});

macro_rules! sentences {
    ($($store:ident { $($sentence:ident: $name:literal;)* })*) => {
        $(mod $store {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $sentence() {
                holds($name, stringify!($store)).await;
            })*
        })*

        /// Every test, as a store and an experiment.
        const TESTED: &[(&str, &str)] = &[$($((stringify!($store), $name)),*),*];
    };
}

sentences! {
    sqlite {
        workers_that_are_killed_cost_two_seconds: "kill-worker";
        an_item_that_kills_its_workers_is_given_up_alone: "poison-item";
        a_rolling_restart_is_not_noticed: "rolling-restart";
        an_api_killed_in_the_middle_of_bodies_loses_nothing: "kill-api";
        a_clock_that_jumps_ends_no_lease: "clock-jump";
        hosts_that_hang_hold_up_no_other: "hanging-hosts";
        images_that_are_none_fail_alone: "poison-images";
        receivers_that_misbehave_delay_no_other: "receivers";
        a_full_disk_damages_nothing: "disk-full";
    }
    redis {
        workers_that_are_killed_cost_eleven_seconds: "kill-worker";
        an_item_that_kills_its_workers_is_given_up_alone: "poison-item";
        a_rolling_restart_is_not_noticed: "rolling-restart";
        an_api_killed_in_the_middle_of_bodies_loses_nothing: "kill-api";
        a_clock_that_jumps_ends_no_lease: "clock-jump";
        hosts_that_hang_hold_up_no_other: "hanging-hosts";
        images_that_are_none_fail_alone: "poison-images";
        receivers_that_misbehave_delay_no_other: "receivers";
        a_killed_redis_loses_nothing_with_a_sync_each_second: "redis-everysec";
        a_killed_redis_loses_nothing_with_a_sync_each_time: "redis-always";
        a_frozen_redis_is_answered_for_in_time: "redis-frozen";
        a_paused_redis_is_answered_for_in_time: "redis-paused";
        a_redis_that_refuses_is_found_again: "redis-refused";
        a_full_redis_ends_what_it_took: "redis-full";
        an_emptied_redis_crashes_nothing: "redis-flushed";
        a_slow_network_that_resets_loses_nothing: "slow-network";
        what_a_worker_says_after_a_partition_is_fenced: "partition";
        two_hundred_clients_come_back_at_once: "herd";
    }
}

async fn holds(name: &str, store: &str) {
    let experiment = experiments::named(name).expect("an experiment of that name");
    let _processor = PROCESSORS.acquire().await.expect("a semaphore that nobody closes");
    let report = experiment.run(store_of(store), Scale::Short).await;
    if report.skipped.is_some() {
        // Past the test runner, which shows nothing of tests that pass.
        let _ = writeln!(std::io::stderr(), "{}", report.line());
    }
    assert!(report.passed(), "\n{}\n{}", Report::heading(), report.line());
}

fn store_of(name: &str) -> Backend {
    match name {
        "sqlite" => Backend::Sqlite,
        "redis" => Backend::Redis,
        other => panic!("no store {other}"),
    }
}

#[test]
fn every_experiment_is_tested_over_every_store_that_it_applies_to() {
    for experiment in experiments::ALL {
        for store in ["sqlite", "redis"] {
            let tested = TESTED.contains(&(store, experiment.name));
            assert_eq!(tested, experiment.stores.contains(&store_of(store)), "{experiment:?}");
        }
    }
}
