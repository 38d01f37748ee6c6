use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageBuffer, ImageEncoder, ImageFormat as Format, Rgb, Rgba};

use super::*;

/// A corner in red, so that every orientation looks different.
fn flag() -> RgbImage {
    let mut image = RgbImage::from_pixel(24, 16, Rgb([255, 255, 255]));
    for (x, y) in (0..8).flat_map(|x| (0..8).map(move |y| (x, y))) {
        image.put_pixel(x, y, Rgb([255, 0, 0]));
    }
    image
}

fn encoded(image: &DynamicImage, format: Format) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

use std::io::Cursor;

fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
    encoder.write_image(image, image.width(), image.height(), ExtendedColorType::Rgb8).unwrap();
    bytes
}

/// The same JPEG with an EXIF segment that holds an orientation.
fn oriented(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut segment = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    segment.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(segment.len() + 2).unwrap().to_be_bytes();
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xFF, 0xE1, length[0], length[1]]);
    bytes.extend(segment);
    bytes.extend(&jpeg[2..]);
    bytes
}

fn pixels(bytes: &[u8]) -> RgbImage {
    decode(bytes, &ImageLimits::default()).unwrap().pixels
}

fn code(bytes: &[u8]) -> ErrorCode {
    decode(bytes, &ImageLimits::default()).unwrap_err().code
}

fn is_red(pixel: Rgb<u8>) -> bool {
    pixel[0] > 200 && pixel[1] < 60 && pixel[2] < 60
}

#[test]
fn every_exif_orientation_is_turned_upright() {
    let stored = jpeg(&flag());
    // Where the flag's corner is once the picture is upright: right, bottom.
    let corners = [
        (1, false, false),
        (2, true, false),
        (3, true, true),
        (4, false, true),
        (5, false, false),
        (6, true, false),
        (7, true, true),
        (8, false, true),
    ];
    for (orientation, right, bottom) in corners {
        let image = pixels(&oriented(&stored, orientation));
        let (width, height) = image.dimensions();
        assert_eq!((width, height), if orientation > 4 { (16, 24) } else { (24, 16) });
        let x = if right { width - 3 } else { 2 };
        let y = if bottom { height - 3 } else { 2 };
        for (corner_x, corner_y) in
            [(2, 2), (width - 3, 2), (2, height - 3), (width - 3, height - 3)]
        {
            let here = (corner_x, corner_y) == (x, y);
            let red = is_red(*image.get_pixel(corner_x, corner_y));
            assert_eq!(red, here, "orientation {orientation} at {corner_x}, {corner_y}");
        }
    }
}

#[test]
fn what_was_found_out_is_of_the_upright_image() {
    let bytes = oriented(&jpeg(&flag()), 6);
    let info = decode(&bytes, &ImageLimits::default()).unwrap().info;
    assert_eq!((info.width, info.height), (16, 24));
    assert_eq!(info.media_type, "image/jpeg");
    assert_eq!(info.bytes, bytes.len() as u64);
}

#[test]
fn png_keeps_every_pixel() {
    let bytes = encoded(&DynamicImage::ImageRgb8(flag()), Format::Png);
    assert_eq!(pixels(&bytes), flag());
}

#[test]
fn lossless_webp_keeps_every_pixel() {
    let bytes = encoded(&DynamicImage::ImageRgb8(flag()), Format::WebP);
    assert_eq!(pixels(&bytes), flag());
}

#[test]
fn sixteen_bits_are_cut_to_their_upper_eight() {
    let deep = ImageBuffer::from_pixel(3, 2, Rgb([0x12FF_u16, 0x8000, 0xFFFF]));
    let bytes = encoded(&DynamicImage::ImageRgb16(deep), Format::Png);
    assert_eq!(*pixels(&bytes).get_pixel(2, 1), Rgb([0x12, 0x80, 0xFF]));
}

#[test]
fn deep_gray_is_gray_and_not_white() {
    let deep = ImageBuffer::from_pixel(3, 2, image::Luma([0x4000_u16]));
    let bytes = encoded(&DynamicImage::ImageLuma16(deep), Format::Png);
    assert_eq!(*pixels(&bytes).get_pixel(0, 0), Rgb([0x40, 0x40, 0x40]));
}

#[test]
fn transparent_pixels_show_white() {
    let clear = ImageBuffer::from_pixel(3, 2, Rgba([10_u8, 20, 30, 0]));
    let bytes = encoded(&DynamicImage::ImageRgba8(clear), Format::Png);
    assert_eq!(*pixels(&bytes).get_pixel(0, 0), Rgb([255, 255, 255]));
}

#[test]
fn a_gif_is_its_first_frame() {
    let bytes = encoded(&DynamicImage::ImageRgb8(flag()), Format::Gif);
    let image = pixels(&bytes);
    assert!(is_red(*image.get_pixel(2, 2)));
    assert!(!is_red(*image.get_pixel(20, 12)));
}

/// As Pillow and browsers show it; some encoders leave the screen at 0 × 0.
#[test]
fn a_gif_frame_that_reaches_past_its_screen_widens_it() {
    let whole = encoded(&DynamicImage::ImageRgb8(flag()), Format::Gif);
    for screen in [[0, 0], [24, 0], [8, 200]] {
        let mut bytes = whole.clone();
        bytes[6..10].copy_from_slice(&screen.map(u16::to_le_bytes).concat());
        let image = pixels(&bytes);
        assert_eq!(image.dimensions(), (24, 16.max(screen[1].into())), "{screen:?}");
        assert!(is_red(*image.get_pixel(2, 2)));
        assert!(!is_red(*image.get_pixel(20, 12)));
    }
}

#[test]
fn a_gray_jpeg_is_repeated_in_every_channel() {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 100)
        .write_image(&[90; 16 * 16], 16, 16, ExtendedColorType::L8)
        .unwrap();
    assert_eq!(*pixels(&bytes).get_pixel(5, 5), Rgb([90, 90, 90]));
}

#[test]
fn a_jpeg_of_four_inks_is_read_upside_down_as_adobe_stores_it() {
    // Full light through cyan, none through magenta and yellow, all through black.
    let inks: Vec<u8> = [255, 0, 0, 255].repeat(16 * 16);
    let bytes = libjpeg_turbo_rs::compress(
        &inks,
        16,
        16,
        libjpeg_turbo_rs::PixelFormat::Cmyk,
        100,
        libjpeg_turbo_rs::Subsampling::S444,
    )
    .unwrap();
    assert!(is_red(*pixels(&bytes).get_pixel(8, 8)));
}

#[test]
fn a_jpeg_that_ends_too_early_is_an_error() {
    let whole = jpeg(&flag());
    let code = code(&whole[..whole.len() * 2 / 3]);
    assert!(matches!(code, ErrorCode::Truncated | ErrorCode::Undecodable), "{code:?}");
}

#[test]
fn a_png_that_ends_too_early_is_an_error() {
    let whole = encoded(&DynamicImage::ImageRgb8(flag()), Format::Png);
    let code = code(&whole[..whole.len() - 30]);
    assert!(matches!(code, ErrorCode::Truncated | ErrorCode::Undecodable), "{code:?}");
}

#[test]
fn noise_behind_a_jpeg_header_is_an_error_and_no_panic() {
    let mut bytes = jpeg(&flag());
    let start = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap() + 14;
    for (place, byte) in bytes.iter_mut().enumerate().skip(start) {
        *byte = u8::try_from(place * 37 % 251).unwrap();
    }
    assert!(matches!(code(&bytes), ErrorCode::Truncated | ErrorCode::Undecodable));
}

#[test]
fn an_allowance_grows_with_the_image_up_to_its_formats_most() {
    let probed = |format, side| Probed { format, width: side, height: side };
    assert_eq!(allowance(probed(ImageFormat::Png, 1000)), 8_000_000 + (32 << 20));
    assert_eq!(allowance(probed(ImageFormat::Png, 7000)), MAX_ALLOWANCE);
    assert_eq!(allowance(probed(ImageFormat::Jpeg, 1000)), 13_000_000 + (32 << 20));
    assert_eq!(allowance(probed(ImageFormat::Jpeg, 7070)), MAX_WIDE_ALLOWANCE);
}
