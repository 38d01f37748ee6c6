//! WebP: the first chunk inside the RIFF container (RFC 9649), which is
//! either the picture or the canvas that it and others are drawn on.

use super::probe::{HeaderError, Size};
use super::reader::Reader;

pub(super) fn size(mut reader: Reader<'_>) -> Result<Size, HeaderError> {
    // "RIFF", its length and "WEBP".
    reader.skip(12)?;
    let chunk: [u8; 4] = reader.array()?;
    // The length of the chunk.
    reader.skip(4)?;
    match &chunk {
        b"VP8 " => lossy(reader),
        b"VP8L" => lossless(reader),
        b"VP8X" => canvas(reader),
        _ => Err(HeaderError::Broken("a WebP that begins with no picture")),
    }
}

/// Whether the container ends where it says.
pub(super) fn check_end(mut reader: Reader<'_>) -> Result<(), HeaderError> {
    reader.skip(4)?;
    let length = reader.u32_le()? as usize;
    if length > reader.left() { Err(HeaderError::Truncated) } else { Ok(()) }
}

/// A VP8 key frame (RFC 6386, section 9.1): 14 bits of each side.
fn lossy(mut reader: Reader<'_>) -> Result<Size, HeaderError> {
    let [tag, _, _] = reader.array()?;
    let is_key_frame = tag & 1 == 0;
    if !is_key_frame || reader.array()? != [0x9d, 0x01, 0x2a] {
        return Err(HeaderError::Broken("a WebP that does not begin with a key frame"));
    }
    let (width, height) = (reader.u16_le()?, reader.u16_le()?);
    Ok(Size { width: u32::from(width & 0x3fff), height: u32::from(height & 0x3fff) })
}

/// A lossless picture: 14 bits of each side less one.
fn lossless(mut reader: Reader<'_>) -> Result<Size, HeaderError> {
    if reader.byte()? != 0x2f {
        return Err(HeaderError::Broken("a lossless WebP without its signature"));
    }
    let bits = reader.u32_le()?;
    Ok(Size { width: (bits & 0x3fff) + 1, height: (bits >> 14 & 0x3fff) + 1 })
}

/// A canvas: 24 bits of each side less one, after a word of flags.
fn canvas(mut reader: Reader<'_>) -> Result<Size, HeaderError> {
    reader.skip(4)?;
    let [w0, w1, w2, h0, h1, h2] = reader.array()?;
    Ok(Size {
        width: u32::from_le_bytes([w0, w1, w2, 0]) + 1,
        height: u32::from_le_bytes([h0, h1, h2, 0]) + 1,
    })
}
