//! WebP: the first chunk inside the RIFF container (RFC 9649), which is
//! either the picture or the canvas that it and others are drawn on. Pictures
//! on a canvas have a size of their own, which a decoder makes room for
//! before it holds it against the canvas; so they are looked for as well.

use super::probe::{HeaderError, Size};
use super::reader::Reader;

pub(super) fn size(mut reader: Reader<'_>) -> Result<Size, HeaderError> {
    // "RIFF", its length and "WEBP".
    reader.skip(12)?;
    let (name, length) = chunk(&mut reader)?;
    match &name {
        b"VP8 " => lossy(reader),
        b"VP8L" => lossless(reader),
        b"VP8X" => Ok(canvas(reader)?.covering(pictures(reader, length))),
        _ => Err(HeaderError::Broken("a WebP that begins with no picture")),
    }
}

/// A chunk's name and the length of what it holds.
fn chunk(reader: &mut Reader<'_>) -> Result<([u8; 4], usize), HeaderError> {
    Ok((reader.array()?, reader.u32_le()? as usize))
}

/// Passes over what a chunk holds, which is padded to an even length.
fn pass(reader: &mut Reader<'_>, length: usize) -> Result<(), HeaderError> {
    reader.skip(length.saturating_add(length % 2))
}

/// The space that every picture behind a chunk of that length needs. One that
/// cannot be read needs none: whoever decodes it will not get so far either.
fn pictures(mut reader: Reader<'_>, length: usize) -> Size {
    let mut size = Size { width: 0, height: 0 };
    let mut passed = pass(&mut reader, length);
    while let (Ok(()), Ok((name, length))) = (passed, chunk(&mut reader)) {
        size = size.covering(match &name {
            b"ANMF" => frame(reader, length),
            _ => picture(name, reader),
        });
        passed = pass(&mut reader, length);
    }
    size
}

/// The space that the pictures in a frame of an animation need. Their chunks
/// begin in the frame, and may claim to end behind it.
fn frame(mut reader: Reader<'_>, length: usize) -> Size {
    // Place, size, duration and flags.
    const HEAD: usize = 16;
    let mut size = Size { width: 0, height: 0 };
    let mut left = length.saturating_sub(HEAD);
    let mut passed = reader.skip(HEAD);
    while left > 0
        && let (Ok(()), Ok((name, length))) = (passed, chunk(&mut reader))
    {
        size = size.covering(picture(name, reader));
        passed = pass(&mut reader, length);
        left = left.saturating_sub(length.saturating_add(8));
    }
    size
}

/// The space that a chunk's picture needs, if it is one.
fn picture(name: [u8; 4], reader: Reader<'_>) -> Size {
    let size = match &name {
        b"VP8 " => lossy(reader).ok(),
        b"VP8L" => lossless(reader).ok(),
        _ => None,
    };
    size.unwrap_or(Size { width: 0, height: 0 })
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
