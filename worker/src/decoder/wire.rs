//! What goes between a worker and its decoders: a length of four bytes, least
//! first, a head of that many bytes in JSON, then the body that the head
//! announces. One question, one answer; a child speaks first and says hello.

use std::io::{self, Read, Write};

use aisle_shared::domain::ItemError;
use aisle_shared::image_probe::ImageLimits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::preprocess::Framing;

/// Bytes of a head at most.
const MAX_HEAD: u32 = 4096;

/// A child's first words.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Hello {
    /// It has confined itself and waits for images; what it could not have.
    Ready { lacking: Vec<String> },
    /// It could not confine itself and ends.
    Unfit(String),
}

/// A question; an encoded image follows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ask {
    /// Bytes of the image.
    pub(super) bytes: usize,
    /// Bytes that decoding it may take.
    pub(super) memory: u64,
    pub(super) limits: ImageLimits,
    pub(super) framing: Framing,
}

/// An answer; as many pixels follow as were asked for, unless it failed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Framed { width: u32, height: u32, resizing_us: u32 },
    Failed(ItemError),
}

/// Sends a head with its body, in one piece: the other side is woken once.
pub(super) fn send(to: &mut impl Write, head: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let length = u32::try_from(head.len()).unwrap_or(u32::MAX);
    if length > MAX_HEAD {
        return Err(io::Error::other("a head is too long"));
    }
    to.write_all(&[&length.to_le_bytes(), head.as_slice(), body].concat())
}

/// Receives a head; `UnexpectedEof` where the other side is gone.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > MAX_HEAD {
        return Err(io::Error::other("a head is too long"));
    }
    let mut head = vec![0; length as usize];
    from.read_exact(&mut head)?;
    Ok(serde_json::from_slice(&head)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_arrives_as_it_was_sent() {
        let mut wire = Vec::new();
        let hello = Hello::Ready { lacking: vec!["landlock".to_owned()] };
        send(&mut wire, &hello, b"body").unwrap();
        let mut wire = wire.as_slice();
        let Hello::Ready { lacking } = receive(&mut wire).unwrap() else { panic!() };
        assert_eq!(lacking, ["landlock"]);
        assert_eq!(wire, b"body");
    }

    #[test]
    fn a_length_beyond_reason_is_refused_before_memory_is_taken() {
        let wire = u32::MAX.to_le_bytes();
        let error = receive::<Hello>(&mut wire.as_slice()).unwrap_err();
        assert_eq!(error.to_string(), "a head is too long");
    }
}
