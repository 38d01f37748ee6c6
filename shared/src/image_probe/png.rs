//! PNG: the first chunk, and whether the last is there (W3C PNG, third
//! edition, sections 5.3 and 11.2). Contents and checksums are the decoder's.

use super::probe::{HeaderError, Size};
use super::reader::Reader;

const SIGNATURE_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 4;

pub(super) fn size(mut reader: Reader<'_>) -> Result<Size, HeaderError> {
    reader.skip(SIGNATURE_BYTES)?;
    if (reader.u32_be()?, reader.array()?) != (13, *b"IHDR") {
        return Err(HeaderError::Broken("a PNG that does not begin with its header"));
    }
    let (width, height) = (reader.u32_be()?, reader.u32_be()?);
    Ok(Size { width, height })
}

/// Walks from chunk to chunk to the end of the image.
pub(super) fn check_end(mut reader: Reader<'_>) -> Result<(), HeaderError> {
    reader.skip(SIGNATURE_BYTES)?;
    loop {
        let length = reader.u32_be()? as usize;
        let name: [u8; 4] = reader.array()?;
        if !name.iter().all(u8::is_ascii_alphabetic) {
            return Err(HeaderError::Broken("a PNG chunk without a name"));
        }
        reader.skip(length)?;
        reader.skip(CHECKSUM_BYTES)?;
        if name == *b"IEND" {
            return Ok(());
        }
    }
}
