//! Images made by encoders, by hand and by chance.

use std::fs;
use std::io::Cursor;
use std::io::Write as _;
use std::path::Path;

use image::{DynamicImage, ImageReader};
use proptest::prelude::*;

use super::{ImageFormat, ImageLimits, Probed, probe};
use crate::domain::ErrorCode;

const ENCODERS: [(ImageFormat, image::ImageFormat); 4] = [
    (ImageFormat::Jpeg, image::ImageFormat::Jpeg),
    (ImageFormat::Png, image::ImageFormat::Png),
    (ImageFormat::WebP, image::ImageFormat::WebP),
    (ImageFormat::Gif, image::ImageFormat::Gif),
];

fn encode(encoder: image::ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 99]));
    DynamicImage::ImageRgb8(pixels).write_to(&mut bytes, encoder).unwrap();
    bytes.into_inner()
}

fn check(bytes: &[u8]) -> Result<(u32, u32), ErrorCode> {
    match probe(bytes, &ImageLimits::default()) {
        Ok(Probed { width, height, format: _ }) => Ok((width, height)),
        Err(error) => Err(error.code),
    }
}

/// A PNG of that size without pixels.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(b"\x08\x02\0\0\0crc!\0\0\0\0IENDcrc!");
    bytes
}

fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08".to_vec();
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes
}

fn gif(screen: (u16, u16), frame: (u16, u16)) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend(screen.0.to_le_bytes());
    bytes.extend(screen.1.to_le_bytes());
    bytes.extend(b"\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\0\0\0\0\0,\0\0\0\0");
    bytes.extend(frame.0.to_le_bytes());
    bytes.extend(frame.1.to_le_bytes());
    bytes
}

fn webp(chunk: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((12 + contents.len() as u32).to_le_bytes());
    bytes.extend(b"WEBP");
    bytes.extend(chunk);
    bytes.extend((contents.len() as u32).to_le_bytes());
    bytes.extend(contents);
    bytes
}

#[test]
fn every_format_is_told_by_its_content() {
    for (format, encoder) in ENCODERS {
        let probed = probe(&encode(encoder, 31, 17), &ImageLimits::default());
        assert_eq!(probed, Ok(Probed { format, width: 31, height: 17 }));
    }
}

#[test]
fn headers_made_by_hand_are_read() {
    assert_eq!(check(&png(640, 480)), Ok((640, 480)));
    assert_eq!(check(&jpeg(640, 480)), Ok((640, 480)));
    assert_eq!(check(&gif((640, 480), (640, 480))), Ok((640, 480)));
    assert_eq!(check(&gif((10, 480), (640, 48))), Ok((640, 480)));
    let lossy = b"\x10\0\0\x9d\x01\x2a\x80\x42\xe0\xc1";
    assert_eq!(check(&webp(b"VP8 ", lossy)), Ok((640, 480)));
    let lossless = [&[0x2f], (639_u32 | 479 << 14).to_le_bytes().as_slice()].concat();
    assert_eq!(check(&webp(b"VP8L", &lossless)), Ok((640, 480)));
    assert_eq!(check(&webp(b"VP8X", b"\0\0\0\0\x7f\x02\0\xdf\x01\0")), Ok((640, 480)));
}

#[test]
fn nothing_is_an_empty_image() {
    assert_eq!(check(b""), Err(ErrorCode::EmptyImage));
}

#[test]
fn other_types_are_unsupported_whatever_they_are_called() {
    for bytes in [
        b"\xff".as_slice(),
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\x04\0\0\0WEBP",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"GIF88a and more",
        b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        b"<?xml version=\"1.0\"?><!DOCTYPE svg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>",
        b"<!doctype html><img src=x>",
        b"%PDF-1.7\n\xff\xd8\xff\xe0",
        b"PK\x03\x04 a zip",
        b"BM\x36\0\0\0\0\0\0\0",
        b"II*\0\x08\0\0\0",
        b"MM\0*\0\0\0\x08",
        b"\0\0\x01\0\x01\0",
        b"\0\0\0\x20ftypheic\0\0\0\0",
        b"\0\0\0\x20ftypavif\0\0\0\0",
        b"\xff\x0a a jxl",
        b"\0\0\0\x0cJXL \r\n\x87\n",
    ] {
        assert_eq!(check(bytes), Err(ErrorCode::UnsupportedType), "{bytes:?}");
    }
}

#[test]
fn a_file_over_the_limit_is_too_large() {
    let bytes = png(8, 8);
    let limits = ImageLimits { max_bytes: bytes.len() as u64, ..ImageLimits::default() };
    assert!(probe(&bytes, &limits).is_ok());
    let error = probe(&[bytes, vec![0]].concat(), &limits).unwrap_err();
    assert_eq!(error.code, ErrorCode::TooLarge);
}

#[test]
fn too_many_pixels_are_seen_in_the_header() {
    for bytes in [
        png(20_000, 20_000),
        png(10_000, 10_000),
        png(12_001, 1_000),
        png(0x7fff_ffff, 0x7fff_ffff),
        png(u32::MAX, u32::MAX),
        png(u32::MAX, 1),
        png(1_010, 10),
        png(10, 1_010),
        jpeg(65_535, 65_535),
        gif((65_535, 65_535), (1, 1)),
        gif((1, 1), (65_535, 65_535)),
        webp(b"VP8L", b"\x2f\xff\xff\xff\xff\xff"),
        webp(b"VP8X", b"\0\0\0\0\xff\xff\xff\xff\xff\xff"),
    ] {
        assert_eq!(check(&bytes), Err(ErrorCode::TooManyPixels), "{bytes:?}");
    }
}

/// A WebP with a canvas of 8 × 8 and chunks behind it.
fn canvas(chunks: &[u8]) -> Vec<u8> {
    let mut bytes = webp(b"VP8X", &[b"\0\0\0\0\x07\0\0\x07\0\0".as_slice(), chunks].concat());
    bytes[16..20].copy_from_slice(&10_u32.to_le_bytes());
    bytes
}

fn chunk(name: &[u8; 4], length: u32, contents: &[u8]) -> Vec<u8> {
    [name.as_slice(), &length.to_le_bytes(), contents].concat()
}

#[test]
fn a_webp_is_as_large_as_the_largest_picture_on_its_canvas() {
    const GIANT: &[u8] = b"\x10\0\0\x9d\x01\x2a\xff\xff\xff\xff";
    const SMALL: &[u8] = b"\x10\0\0\x9d\x01\x2a\x08\0\x08\0";
    let giant = chunk(b"VP8 ", 10, GIANT);
    let lossless = chunk(b"VP8L", 6, b"\x2f\xff\xff\xff\xff\0");
    let frame =
        |length, pictures: &[u8]| chunk(b"ANMF", length, &[[0; 16].as_slice(), pictures].concat());
    let alpha = chunk(b"ALPH", 3, b"abc\0");
    for chunks in [
        giant.clone(),
        lossless.clone(),
        [chunk(b"EXIF", 1, b"a\0"), giant.clone()].concat(),
        frame(34, &giant),
        frame(30, &lossless),
        frame(46, &[alpha, giant.clone()].concat()),
        // A frame whose picture begins in it and ends behind it.
        frame(24, &giant),
    ] {
        assert_eq!(check(&canvas(&chunks)), Err(ErrorCode::TooManyPixels), "{chunks:?}");
    }
    for chunks in [
        chunk(b"VP8 ", 10, SMALL),
        frame(34, &chunk(b"VP8 ", 10, SMALL)),
        chunk(b"EXIF", 18, &[b"VP8 \x0a\0\0\0".as_slice(), GIANT].concat()),
        chunk(b"EXIF", u32::MAX, b""),
        frame(0, &[]),
        b"VP8".to_vec(),
    ] {
        assert_eq!(check(&canvas(&chunks)), Ok((8, 8)), "{chunks:?}");
    }
}

#[test]
fn images_at_the_limits_are_taken() {
    for (width, height) in [(1, 1), (12_000, 4_166), (4_166, 12_000), (1_000, 10), (1, 100)] {
        assert_eq!(check(&png(width, height)), Ok((width, height)));
    }
}

#[test]
fn a_broken_header_is_undecodable() {
    let [mut no_header, mut no_name] = [png(8, 8), png(8, 8)];
    no_header[12] = b'X';
    no_name[37] = 0;
    for bytes in [
        png(0, 8),
        png(8, 0),
        no_header,
        no_name,
        jpeg(0, 8),
        jpeg(8, 0),
        b"\xff\xd8\xff\xe0\0\x01".to_vec(),
        b"\xff\xd8\xff\xd9".to_vec(),
        b"\xff\xd8\xff\xda\0\x02".to_vec(),
        b"GIF89a\x08\0\x08\0\0\0\0;".to_vec(),
        gif((8, 8), (0, 8)),
        webp(b"ALPH", b"0123456789"),
        webp(b"VP8 ", b"\x11\0\0\x9d\x01\x2a\x08\0\x08\0"),
        webp(b"VP8 ", b"\x10\0\0\x9d\x01\x2b\x08\0\x08\0"),
        webp(b"VP8L", b"\x2e\0\0\0\0"),
    ] {
        assert_eq!(check(&bytes), Err(ErrorCode::Undecodable), "{bytes:?}");
    }
}

#[test]
fn a_png_or_webp_cut_anywhere_is_truncated() {
    for encoder in [image::ImageFormat::Png, image::ImageFormat::WebP] {
        let bytes = encode(encoder, 40, 30);
        for length in 13..bytes.len() {
            assert_eq!(check(&bytes[..length]), Err(ErrorCode::Truncated), "{length}");
        }
    }
}

#[test]
fn any_image_cut_in_its_header_is_truncated() {
    for bytes in [jpeg(8, 8), gif((8, 8), (8, 8)), webp(b"VP8X", b"\0\0\0\0\x07\0\0\x07\0\0")] {
        for length in 13..bytes.len() {
            assert_eq!(check(&bytes[..length]), Err(ErrorCode::Truncated), "{length}");
        }
    }
}

#[test]
fn what_follows_the_end_does_not_matter() {
    for (_, encoder) in ENCODERS {
        let mut bytes = encode(encoder, 9, 7);
        bytes.extend(b"<?php PK\x03\x04");
        assert_eq!(check(&bytes), Ok((9, 7)), "{encoder:?}");
    }
}

#[test]
fn real_photographs_have_the_size_that_a_decoder_finds() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/clothing/validation");
    let Ok(categories) = fs::read_dir(&folder) else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: there are no photographs at {}",
            folder.display()
        );
        return;
    };
    let mut seen = 0;
    for category in categories {
        for photograph in fs::read_dir(category.unwrap().path()).unwrap() {
            let bytes = fs::read(photograph.unwrap().path()).unwrap();
            let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().unwrap();
            assert_eq!(check(&bytes), Ok(reader.into_dimensions().unwrap()));
            seen += 1;
        }
    }
    assert!(seen > 0);
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&bytes);
        for signature in [
            b"\xff\xd8\xff".as_slice(),
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"RIFF\0\0\0\0WEBPVP8X",
        ] {
            let _ = check(&[signature, &bytes].concat());
        }
    }

    #[test]
    fn a_damaged_image_stays_inside_the_limits(
        which in 0..ENCODERS.len(),
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let mut image = encode(ENCODERS[which].1, 33, 22);
        let at = at.index(image.len());
        for (place, byte) in image[at..].iter_mut().zip(bytes) {
            *place = byte;
        }
        let limits = ImageLimits::default();
        if let Ok(Probed { width, height, format: _ }) = probe(&image, &limits) {
            prop_assert!((1..=limits.max_side).contains(&width));
            prop_assert!((1..=limits.max_side).contains(&height));
            prop_assert!(u64::from(width) * u64::from(height) <= limits.max_pixels);
        }
    }
}
