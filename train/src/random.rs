//! Chance that depends on a seed and on what it is for, not on what chance
//! decided before: so a training that was stopped goes on as if it had not.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sha2::{Digest as _, Sha256};

/// A generator for one purpose.
#[must_use]
pub fn generator(seed: u64, purpose: impl AsRef<[u8]>, numbers: [usize; 2]) -> StdRng {
    let mut digest = Sha256::new();
    digest.update(seed.to_le_bytes());
    digest.update(purpose);
    for number in numbers {
        digest.update((number as u64).to_le_bytes());
    }
    StdRng::from_seed(digest.finalize().into())
}
