//! Random lives of a store, step by step beside a small reference that keeps
//! the same state in plain maps: after each step both must say the same.
//!
//! What the reference holds: no item is lost or recorded twice, nothing that
//! has ended changes, nobody but the holder of a lease moves its item, and no
//! item is claimed more often than it may be, and each end of a job that named a
//! receiver is told once, whatever becomes of the job.
//!
//! Both stores see the same cases, Redis once more in shards, and a failing one is shrunk to its shortest
//! form. `PROPTEST_CASES` (a quarter of which each store gets, 64 by default)
//! and `PROPTEST_RNG_SEED` look further.

mod claims;
mod driver;
mod outbox;
mod reference;
mod step;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use crate::world::Over;

const USUAL_SEED: u64 = 1;

fn config() -> Config {
    let asked = Config::default();
    let rng_seed = match asked.rng_seed {
        RngSeed::Random => RngSeed::Fixed(USUAL_SEED),
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed),
    };
    Config { cases: asked.cases / 4, rng_seed, failure_persistence: None, ..asked }
}

fn agrees_with_the_reference(over: Over) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = config();
    let seed = config.rng_seed;
    let outcome = TestRunner::new(config).run(&step::steps(), |steps| {
        runtime
            .block_on(driver::run(over, &steps))
            .map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    if let Err(failure) = outcome {
        panic!("{over:?} differs from the reference, PROPTEST_RNG_SEED={seed}: {failure}");
    }
}

#[test]
fn sqlite_agrees_with_the_reference() {
    agrees_with_the_reference(Over::Sqlite);
}

#[test]
fn redis_agrees_with_the_reference() {
    agrees_with_the_reference(Over::Redis);
}

#[test]
fn redis_shards_agree_with_the_reference() {
    agrees_with_the_reference(Over::RedisShards);
}
