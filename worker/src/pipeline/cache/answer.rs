//! An answer as it is kept: the best categories by their places, from which
//! the answer to any smaller question follows to the bit.

use aisle_shared::domain::ImageInfo;
use aisle_shared::store::CacheKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::loaded::LoadedModel;
use crate::postprocess::Order;

/// The layout of an entry: this byte, the check, and the answer in postcard.
/// Grows with each change of it.
const LAYOUT: u8 = 1;

/// Bytes of the check.
const CHECK: usize = 8;

/// Categories that are kept of each kind, unless a caller wants more.
const DEPTH: u32 = 16;

/// An image's answer, before it has names and whatever was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::pipeline) struct Answer {
    pub(in crate::pipeline) order: Order,
    pub(in crate::pipeline) image: ImageInfo,
}

impl Answer {
    /// How many categories are to be in an order that is kept.
    pub(in crate::pipeline) fn depth(top_k: u32) -> u32 {
        top_k.max(DEPTH)
    }

    /// Whether it holds the best `top_k` of this model.
    pub(super) fn fits(&self, model: &LoadedModel, top_k: u32) -> bool {
        model.postprocessor().fits(&self.order, top_k)
    }

    /// As an entry for this key; `None` where it cannot be one.
    pub(super) fn encode(&self, key: &CacheKey) -> Option<Vec<u8>> {
        let body = postcard::to_allocvec(self).ok()?;
        Some([&[LAYOUT], check(key, &body).as_slice(), &body].concat())
    }

    /// From an entry. One that was damaged, belongs to another key or was
    /// written by another release is none.
    pub(super) fn decode(key: &CacheKey, entry: &[u8]) -> Option<Self> {
        let body = entry.strip_prefix(&[LAYOUT])?;
        let (found, body) = body.split_at_checked(CHECK)?;
        if found != check(key, body) {
            return None;
        }
        postcard::from_bytes(body).ok()
    }
}

fn check(key: &CacheKey, body: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::new().chain_update([LAYOUT]).chain_update(key.as_bytes());
    let digest: [u8; 32] = digest.chain_update(body).finalize().into();
    let mut check = [0; CHECK];
    check.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
    check
}

#[cfg(test)]
mod tests {
    use aisle_shared::domain::TenantId;

    use super::*;

    fn key(number: u8) -> CacheKey {
        CacheKey::new(&TenantId::default_tenant(), &[number; 32], &[0; 32])
    }

    fn answer() -> Answer {
        // Scores that no decimal has.
        let ranked = |scores: [f32; 2]| scores.map(|score| (7, score)).to_vec();
        let leaves = ranked([f32::from_bits(0x3f7f_ffff), f32::MIN_POSITIVE / 4.0]);
        let levels = vec![ranked([1.0 / 3.0, 0.0]), Vec::new()];
        let image = ImageInfo { media_type: "image/webp".into(), width: 1, height: 2, bytes: 3 };
        Answer { order: Order { leaves, levels }, image }
    }

    #[test]
    fn an_answer_survives_its_entry_to_the_bit() {
        let entry = answer().encode(&key(1)).unwrap();
        assert_eq!(Answer::decode(&key(1), &entry).unwrap(), answer());
        assert!(entry.len() < 80, "{} bytes", entry.len());
    }

    #[test]
    fn an_entry_that_was_damaged_anywhere_is_none() {
        let entry = answer().encode(&key(1)).unwrap();
        for place in 0..entry.len() {
            for bit in 0..8 {
                let mut damaged = entry.clone();
                damaged[place] ^= 1 << bit;
                assert_eq!(Answer::decode(&key(1), &damaged), None, "byte {place}, bit {bit}");
            }
            assert_eq!(Answer::decode(&key(1), &entry[..place]), None);
        }
        assert_eq!(Answer::decode(&key(1), &[entry, vec![0]].concat()), None);
    }

    #[test]
    fn an_entry_of_another_key_or_release_is_none() {
        let entry = answer().encode(&key(1)).unwrap();
        assert_eq!(Answer::decode(&key(2), &entry), None);
        for foreign in [b"".as_slice(), b"{\"predictions\":[]}", &[LAYOUT], &[LAYOUT; 9]] {
            assert_eq!(Answer::decode(&key(1), foreign), None);
        }
        let body = postcard::to_allocvec(&answer()).unwrap();
        let newer = [&[LAYOUT + 1], check(&key(1), &body).as_slice(), &body].concat();
        assert_eq!(Answer::decode(&key(1), &newer), None);
    }
}
