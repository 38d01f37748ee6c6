//! GIF: the screen and the first frame on it (GIF89a specification).

use super::probe::{HeaderError, Size};
use super::reader::Reader;

/// The space that the screen and its first frame need: a frame may reach
/// past its screen, and whoever decodes it has to hold it all.
pub(super) fn size(mut reader: Reader<'_>) -> Result<Size, HeaderError> {
    // "GIF" and the version.
    reader.skip(6)?;
    let screen_width = u32::from(reader.u16_le()?);
    let screen_height = u32::from(reader.u16_le()?);
    let [flags, _background, _aspect] = reader.array()?;
    if flags & 0x80 != 0 {
        reader.skip(3 << ((flags & 7) + 1))?;
    }
    let frame = first_frame(&mut reader)?;
    Ok(Size { width: screen_width, height: screen_height }.covering(frame))
}

/// The right and lower edge of the first frame.
fn first_frame(reader: &mut Reader<'_>) -> Result<Size, HeaderError> {
    loop {
        match reader.byte()? {
            b',' => {
                let (left, top) = (reader.u16_le()?, reader.u16_le()?);
                let (width, height) = (reader.u16_le()?, reader.u16_le()?);
                if width == 0 || height == 0 {
                    return Err(HeaderError::Broken("a GIF frame of no pixels"));
                }
                return Ok(Size {
                    width: u32::from(left) + u32::from(width),
                    height: u32::from(top) + u32::from(height),
                });
            }
            b'!' => {
                // The kind of extension, then blocks up to an empty one.
                reader.skip(1)?;
                loop {
                    let block = reader.byte()?;
                    if block == 0 {
                        break;
                    }
                    reader.skip(block.into())?;
                }
            }
            _ => return Err(HeaderError::Broken("a GIF without a frame")),
        }
    }
}
