//! Honest images as large as the limits allow: the memory that is declared
//! for them is enough.

use aisle_shared::domain::ErrorCode::TooManyPixels;
use image::ImageFormat;
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};

use crate::chunks::{
    PNG_SIGNATURE, deflated_zeros, encoded, jpeg_orientation, jpeg_with, png_chunk, png_header,
    riff_chunk, webp, webp_canvas,
};
use crate::rig::{decoder, seen};

const SIDE: u32 = 7_000;

fn jpeg(format: PixelFormat, sampling: Subsampling, progressive: bool, side: u32) -> Vec<u8> {
    let side = side as usize;
    let pixels = vec![90; side * side * format.bytes_per_pixel()];
    let encoder = Encoder::new(&pixels, side, side, format).quality(80).subsampling(sampling);
    encoder.progressive(progressive).encode().unwrap()
}

fn png(side: u32, depth: u8, colour: u8, bytes_per_pixel: u32) -> Vec<u8> {
    let pixels = deflated_zeros(u64::from(side) * u64::from(1 + side * bytes_per_pixel));
    let header = png_header(side, side, depth, colour);
    [PNG_SIGNATURE, &header, &png_chunk(b"IDAT", &pixels), &png_chunk(b"IEND", b"")].concat()
}

#[test]
fn jpegs_of_49_million_pixels_are_decoded() {
    let decoder = decoder();
    for (format, sampling, progressive) in [
        (PixelFormat::Rgb, Subsampling::S420, false),
        (PixelFormat::Rgb, Subsampling::S444, false),
        (PixelFormat::Rgb, Subsampling::S420, true),
        (PixelFormat::Rgb, Subsampling::S444, true),
        (PixelFormat::Grayscale, Subsampling::S444, true),
        (PixelFormat::Cmyk, Subsampling::S444, false),
    ] {
        let bytes = jpeg(format, sampling, progressive, SIDE);
        assert_eq!(
            seen(&decoder, &bytes),
            Ok((SIDE, SIDE)),
            "{format:?} {sampling:?} {progressive}"
        );
    }
    let bytes = jpeg(PixelFormat::Rgb, Subsampling::S420, false, SIDE);
    let turned = jpeg_with(&bytes, &[jpeg_orientation(6)]);
    assert_eq!(seen(&decoder, &turned), Ok((SIDE, SIDE)));
}

#[test]
fn pngs_of_many_pixels_are_decoded_or_refused_by_their_memory() {
    let decoder = decoder();
    for (side, depth, colour, bytes_per_pixel) in [
        (SIDE, 8, 0, 1),
        (SIDE, 8, 2, 3),
        (SIDE, 8, 4, 2),
        (SIDE, 8, 6, 4),
        (SIDE, 16, 0, 2),
        (5_000, 16, 6, 8),
    ] {
        let bytes = png(side, depth, colour, bytes_per_pixel);
        assert_eq!(seen(&decoder, &bytes), Ok((side, side)), "colour {colour}, {depth} bits");
    }
    assert_eq!(seen(&decoder, &png(SIDE, 16, 6, 8)), Err(TooManyPixels));
}

/// The frame, its canvas and the pixels, all with transparency, at once.
#[test]
fn an_animated_webp_of_49_million_pixels_is_decoded() {
    let picture = image::RgbaImage::from_pixel(SIDE, SIDE, image::Rgba([9, 8, 7, 200]));
    let picture = &encoded(picture, ImageFormat::WebP)[12..];
    let side = &(SIDE - 1).to_le_bytes()[..3];
    let frame = [&[0; 6], side, side, &[40, 0, 0, 0], picture].concat();
    let (canvas, head) = (webp_canvas(0x12, SIDE, SIDE), riff_chunk(b"ANIM", &[0; 6]));
    let animated = webp(&[canvas, head, riff_chunk(b"ANMF", &frame)]);
    assert_eq!(seen(&decoder(), &animated), Ok((SIDE, SIDE)));
}

#[test]
fn a_webp_and_a_gif_of_many_pixels_are_decoded() {
    let decoder = decoder();
    let picture = image::RgbaImage::from_pixel(5_000, 5_000, image::Rgba([9, 8, 7, 200]));
    let webp = encoded(picture, ImageFormat::WebP);
    assert_eq!(seen(&decoder, &webp), Ok((5_000, 5_000)));
    let picture = image::RgbImage::from_pixel(5_000, 5_000, image::Rgb([9, 8, 7]));
    assert_eq!(seen(&decoder, &encoded(picture, ImageFormat::Gif)), Ok((5_000, 5_000)));
}
