//! JPEG: the frame header among the marker segments (ITU-T T.81, annex B).

use super::probe::{HeaderError, Size};
use super::reader::Reader;

pub(super) fn size(mut reader: Reader<'_>) -> Result<Size, HeaderError> {
    reader.skip(2)?;
    loop {
        match next_marker(&mut reader)? {
            // Start of frame, whatever the coding; C4, C8 and CC are no frames.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return frame_size(&mut reader);
            }
            // Markers that stand alone.
            0x01 | 0xd0..=0xd8 => {}
            0xd9 | 0xda => return Err(HeaderError::Broken("a JPEG without a frame header")),
            _ => {
                let length = usize::from(reader.u16_be()?);
                let rest = length.checked_sub(2);
                reader.skip(rest.ok_or(HeaderError::Broken("a JPEG segment without length"))?)?;
            }
        }
    }
}

fn frame_size(reader: &mut Reader<'_>) -> Result<Size, HeaderError> {
    // Length of the segment and bits of a sample.
    reader.skip(3)?;
    let height = reader.u16_be()?.into();
    let width = reader.u16_be()?.into();
    Ok(Size { width, height })
}

/// The next marker; bytes between segments are passed over, as decoders do.
fn next_marker(reader: &mut Reader<'_>) -> Result<u8, HeaderError> {
    loop {
        while reader.byte()? != 0xff {}
        let mut marker = 0xff;
        while marker == 0xff {
            marker = reader.byte()?;
        }
        if marker != 0 {
            return Ok(marker);
        }
    }
}
