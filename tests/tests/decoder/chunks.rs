//! Images put together by hand, chunk by chunk.

use std::io::{Cursor, Read as _, Write as _};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// An honest picture.
pub(crate) fn honest(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let byte = |value: u32| u8::try_from(value % 256).unwrap();
        Rgb([byte(x * 7 + y), byte(y * 5), byte(x * 3 + y * 11)])
    })
}

pub(crate) fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).expect("an encoder");
    bytes.into_inner()
}

pub(crate) const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A chunk with its checksum.
pub(crate) fn png_chunk(name: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(contents.len()).unwrap().to_be_bytes().to_vec();
    chunk.extend(name);
    chunk.extend(contents);
    let mut checksum = flate2::Crc::new();
    checksum.update(&chunk[4..]);
    chunk.extend(checksum.sum().to_be_bytes());
    chunk
}

/// A header chunk: colour type 0 is gray, 2 RGB, 6 RGBA.
pub(crate) fn png_header(width: u32, height: u32, depth: u8, colour: u8) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    png_chunk(b"IHDR", &[&sides[..], &[depth, colour, 0, 0, 0]].concat())
}

/// So many zeros, deflated.
pub(crate) fn deflated_zeros(bytes: u64) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    std::io::copy(&mut std::io::repeat(0).take(bytes), &mut encoder).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A whole gray picture of zeros with other chunks before its pixels.
pub(crate) fn png_with(side: u32, before: &[Vec<u8>]) -> Vec<u8> {
    let pixels = deflated_zeros(u64::from(side) * (u64::from(side) + 1));
    [
        PNG_SIGNATURE.to_vec(),
        png_header(side, side, 8, 0),
        before.concat(),
        png_chunk(b"IDAT", &pixels),
        png_chunk(b"IEND", &[]),
    ]
    .concat()
}

/// A chunk of a RIFF file, with its padding.
pub(crate) fn riff_chunk(name: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let mut chunk = name.to_vec();
    chunk.extend(u32::try_from(contents.len()).unwrap().to_le_bytes());
    chunk.extend(contents);
    if contents.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}

/// A WebP file of those chunks.
pub(crate) fn webp(chunks: &[Vec<u8>]) -> Vec<u8> {
    riff_chunk(b"RIFF", &[b"WEBP".to_vec(), chunks.concat()].concat())
}

/// The chunk that opens an extended WebP file.
pub(crate) fn webp_canvas(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let side = |length: u32| (length - 1).to_le_bytes()[..3].to_vec();
    riff_chunk(b"VP8X", &[vec![flags, 0, 0, 0], side(width), side(height)].concat())
}

/// The picture's own chunk of a simple WebP file.
pub(crate) fn webp_picture(width: u32, height: u32) -> Vec<u8> {
    encoded(honest(width, height), ImageFormat::WebP)[12..].to_vec()
}

/// A segment of a JPEG.
pub(crate) fn jpeg_segment(marker: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], &length[..], contents].concat()
}

/// A JPEG with segments put in right after its first marker.
pub(crate) fn jpeg_with(jpeg: &[u8], segments: &[Vec<u8>]) -> Vec<u8> {
    [&jpeg[..2], &segments.concat(), &jpeg[2..]].concat()
}

/// The segment that gives a JPEG its EXIF orientation.
pub(crate) fn jpeg_orientation(orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    jpeg_segment(0xe1, &exif)
}

/// A gray progressive JPEG of that size whose every scan says, in a few
/// bytes, that nothing changes: one for the first coefficients, then `scans`
/// for the others (ITU-T T.81, annex G).
pub(crate) fn jpeg_of_scans(width: u16, height: u16, scans: usize) -> Vec<u8> {
    let frame = [&[8][..], &height.to_be_bytes(), &width.to_be_bytes(), &[1, 1, 0x11, 0]].concat();
    // One code of one bit: for the first coefficients "no difference", for
    // the others "the next 2^14 blocks are over" with fourteen bits behind.
    let table = |class: u8, symbol: u8| {
        jpeg_segment(0xc4, &[&[class, 1][..], &[0; 15], &[symbol]].concat())
    };
    let blocks = usize::from(width).div_ceil(8) * usize::from(height).div_ceil(8);
    let first = [jpeg_segment(0xda, &[1, 1, 0, 0, 0, 0]), vec![0; blocks.div_ceil(8)]].concat();
    let runs = blocks.div_ceil((1 << 15) - 1);
    let mut bits = "0".to_owned() + &"1".repeat(14);
    bits = bits.repeat(runs);
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks(8)
        .map(|bits| bits.iter().enumerate().map(|(at, bit)| (bit - b'0') << (7 - at)).sum())
        .flat_map(|byte: u8| if byte == 0xff { vec![0xff, 0] } else { vec![byte] })
        .collect();
    let more = [jpeg_segment(0xda, &[1, 1, 0, 1, 63, 0]), bytes].concat();
    [
        vec![0xff, 0xd8],
        jpeg_segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        jpeg_segment(0xc2, &frame),
        table(0x00, 0),
        table(0x10, 0xe0),
        first,
        more.repeat(scans),
        vec![0xff, 0xd9],
    ]
    .concat()
}

/// A GIF of that screen with frames of one dot each.
pub(crate) fn gif(screen: (u16, u16), frames: usize) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend([screen.0.to_le_bytes(), screen.1.to_le_bytes()].concat());
    bytes.extend(b"\x80\0\0\xff\xff\xff\0\0\0");
    let frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    bytes.extend(frame.repeat(frames));
    bytes.push(b';');
    bytes
}
