//! What a picture's content is told by.

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// A picture's content, as bytes and as pixels: the same photograph saved
/// twice has two files and, where saving lost nothing, the same pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Of the file.
    pub file: Digest,
    /// Of the pixels that the network sees.
    pub pixels: Digest,
}
