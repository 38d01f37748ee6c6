//! Images made to harm: each is decoded, or fails with the code that says
//! what is wrong with it, and the child that saw it lives on.

use aisle_shared::domain::ErrorCode::{
    EmptyImage, TooManyPixels, Truncated, Undecodable, UnsupportedType,
};
use aisle_worker::decoder::Decoder;
use image::ImageFormat;
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling, compress};

use crate::chunks::{
    PNG_SIGNATURE, deflated, deflated_zeros, encoded, gif, honest, jpeg_of_scans, jpeg_orientation,
    jpeg_segment, jpeg_with, png_chunk, png_header, png_with, riff_chunk, webp, webp_canvas,
    webp_picture,
};
use crate::rig::{decoder, note, noted, notes, seen, settings, start};

const FORMATS: [ImageFormat; 4] =
    [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif];

fn cut(bytes: &[u8], percent: usize) -> &[u8] {
    &bytes[..bytes.len() * percent / 100]
}

/// A JPEG of 4:2:0, as cameras write it.
fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let (picture, [width, height]) = (honest(width, height), [width, height].map(|s| s as usize));
    compress(&picture, width, height, PixelFormat::Rgb, 90, Subsampling::S420).unwrap()
}

#[test]
fn what_is_no_image_is_told_so() {
    let decoder = decoder();
    assert_eq!(seen(&decoder, b""), Err(EmptyImage));
    let elf = std::fs::read("/proc/self/exe").unwrap();
    for bytes in [
        &b"\xff"[..],
        b"\xff\xd8\xff",
        PNG_SIGNATURE,
        b"GIF89a",
        b"RIFF\x04\0\0\0WEBP",
        b"<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"http://169.254.169.254/\"/></svg>",
        b"<?xml version=\"1.0\"?><!DOCTYPE svg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>",
        b"<!doctype html><script>alert(1)</script>",
        b"\0\0\0\x20ftypheic\0\0\0\0mif1heic",
        b"\0\0\0\x20ftypavif\0\0\0\0avifmif1",
        b"\xff\x0a\xfa\x1f a jxl",
        b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x30\x75\0\0\x30\x75\0\0",
        b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
        b"\0\0\x01\0\x01\0\x10\x10",
        b"%PDF-1.7\n\xff\xd8\xff\xe0",
        b"PK\x03\x04 a zip",
        &elf[..4096],
    ] {
        assert_eq!(seen(&decoder, bytes), Err(UnsupportedType), "{:?}", &bytes[..4.min(bytes.len())]);
    }
}

#[test]
fn an_image_cut_anywhere_is_truncated_or_undecodable() {
    let decoder = decoder();
    for format in FORMATS {
        let whole = encoded(honest(300, 200), format);
        for percent in [10, 50, 90, 99] {
            let code = seen(&decoder, cut(&whole, percent)).expect_err("half an image");
            assert!([Truncated, Undecodable].contains(&code), "{format:?} {percent} %: {code:?}");
        }
        assert_eq!(seen(&decoder, &whole), Ok((300, 200)), "{format:?}");
    }
    let whole = jpeg(300, 200);
    for percent in [10, 50, 90, 99] {
        assert_eq!(seen(&decoder, cut(&whole, percent)), Err(Truncated), "{percent} %");
    }
}

#[test]
fn a_png_without_its_end_is_truncated() {
    let whole = png_with(50, &[]);
    assert_eq!(seen(&decoder(), &whole[..whole.len() - 12]), Err(Truncated));
}

#[test]
fn damage_is_found() {
    let decoder = decoder();
    let mut checksum = png_with(50, &[]);
    let place = checksum.len() - 13;
    checksum[place] ^= 1;
    assert_eq!(seen(&decoder, &checksum), Err(Undecodable), "the checksum of the pixels");
    let mut header = png_with(50, &[]);
    header[29] ^= 1;
    assert_eq!(seen(&decoder, &header), Err(Undecodable), "the checksum of the header");

    let table = [&[0_u8, 255, 255][..], &[0; 14], &[0; 510]].concat();
    let broken = jpeg_with(&jpeg(64, 64), &[jpeg_segment(0xc4, &table)]);
    assert_eq!(seen(&decoder, &broken), Err(Undecodable), "an impossible Huffman table");
    let mut noise = jpeg(64, 64);
    let scan = noise.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 14;
    for (place, byte) in noise.iter_mut().enumerate().skip(scan) {
        *byte = u8::try_from(place * 37 % 251).unwrap();
    }
    let code = seen(&decoder, &noise).expect_err("noise");
    assert!([Truncated, Undecodable].contains(&code), "{code:?}");
    // Each format's own contents, damaged at every tenth of it.
    for format in FORMATS {
        let whole = encoded(honest(64, 64), format);
        for place in (0..whole.len()).step_by(whole.len() / 97 + 1) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0xa5;
            if let Err(code) = seen(&decoder, &damaged) {
                let known = [Truncated, Undecodable, TooManyPixels, UnsupportedType];
                assert!(known.contains(&code), "{format:?} at {place}: {code:?}");
            }
        }
    }
}

#[test]
fn sizes_beyond_the_limits_are_refused_by_the_header() {
    let decoder = decoder();
    let png = |width, height, depth, colour| {
        let header = png_header(width, height, depth, colour);
        [PNG_SIGNATURE, &header, &png_chunk(b"IDAT", b"x"), &png_chunk(b"IEND", b"")].concat()
    };
    let jpeg = |width: u16, height: u16| {
        let sides = [height.to_be_bytes(), width.to_be_bytes()].concat();
        [b"\xff\xd8".to_vec(), jpeg_segment(0xc0, &[&[8], &sides[..], &[1, 1, 0x11, 0]].concat())]
            .concat()
    };
    for bytes in [
        png(20_000, 20_000, 8, 0),
        png(10_000, 10_000, 16, 6),
        png(0x7fff_ffff, 0x7fff_ffff, 8, 2),
        jpeg(65_535, 65_535),
        jpeg(65_500, 65_500),
        gif((65_535, 65_535), 1),
        webp(&[riff_chunk(b"VP8L", b"\x2f\xfe\xbf\xff\x0f\0\0")]),
        webp(&[webp_canvas(0, 16_383, 16_383), webp_picture(1, 1)]),
    ] {
        assert_eq!(seen(&decoder, &bytes), Err(TooManyPixels), "{:?}", &bytes[..30]);
    }
    for bytes in [png(0, 8, 8, 2), png(8, 0, 8, 2), jpeg(0, 8), jpeg(8, 0)] {
        assert_eq!(seen(&decoder, &bytes), Err(Undecodable), "{bytes:?}");
    }
}

#[test]
fn a_header_that_lies_about_the_size_inside_is_found() {
    let decoder = decoder();
    // A canvas of one size over a picture of another.
    let lies = webp(&[webp_canvas(0, 20, 20), webp_picture(5_000, 5_000)]);
    assert_eq!(seen(&decoder, &lies), Err(Undecodable));
    // A frame that is larger than its screen.
    let mut frame = gif((4, 4), 1);
    frame[24..28].copy_from_slice(&[200, 0, 200, 0]);
    let code = seen(&decoder, &frame).map(|_| ()).err();
    assert!([None, Some(Undecodable), Some(Truncated)].contains(&code), "{code:?}");
}

#[test]
fn bombs_in_what_is_not_pixels_do_not_go_off() {
    let decoder = decoder();
    let bomb = deflated_zeros(1 << 30);
    let text = |name, head: &[u8]| png_chunk(name, &[head, &bomb].concat());
    for (name, chunk) in [
        ("iCCP", text(b"iCCP", b"profile\0\0")),
        ("zTXt", text(b"zTXt", b"Comment\0\0")),
        ("iTXt", text(b"iTXt", b"Comment\0\x01\0en\0\0")),
    ] {
        assert_eq!(seen(&decoder, &png_with(1, &[chunk])), Ok((1, 1)), "{name}");
    }
    let exif = |bytes| png_with(1, &[png_chunk(b"eXIf", &vec![0; bytes])]);
    assert_eq!(seen(&decoder, &exif(2 << 20)), Ok((1, 1)), "a large eXIf");
    assert_eq!(seen(&decoder, &exif(19 << 20)), Err(Undecodable), "a huge eXIf");
    let tiny = vec![png_chunk(b"tEXt", b"a\0b"); 100_000];
    assert_eq!(seen(&decoder, &png_with(1, &tiny)), Ok((1, 1)), "tiny chunks");
    let segment =
        jpeg_segment(0xe1, &[&b"Exif\0\0II*\0\x08\0\0\0\xff\xff"[..], &[0; 65_000]].concat());
    let many = jpeg_with(&jpeg(32, 32), &vec![segment; 300]);
    assert_eq!(seen(&decoder, &many), Ok((32, 32)), "19 MB of EXIF");
    let icc: Vec<_> = (1..=255)
        .map(|part| {
            jpeg_segment(0xe2, &[&b"ICC_PROFILE\0"[..], &[part, 255], &[0; 65_000]].concat())
        })
        .collect();
    assert_eq!(seen(&decoder, &jpeg_with(&jpeg(32, 32), &icc)), Ok((32, 32)), "16 MB of ICC");
}

#[test]
fn more_data_than_pixels_is_passed_over() {
    let decoder = decoder();
    let too_much = [
        PNG_SIGNATURE.to_vec(),
        png_header(8, 8, 8, 0),
        png_chunk(b"IDAT", &deflated_zeros(1 << 30)),
        png_chunk(b"IEND", b""),
    ];
    assert_eq!(seen(&decoder, &too_much.concat()), Ok((8, 8)));
    let too_little = [
        PNG_SIGNATURE.to_vec(),
        png_header(7_000, 7_000, 8, 2),
        png_chunk(b"IDAT", &deflated(b"few")),
        png_chunk(b"IEND", b""),
    ];
    let code = seen(&decoder, &too_little.concat()).expect_err("no pixels");
    assert!([Truncated, Undecodable].contains(&code), "{code:?}");
}

#[test]
fn webp_containers_inside_containers_end() {
    let decoder = decoder();
    let mut nested = webp_picture(4, 4);
    for _ in 0..1_000 {
        nested = webp(&[nested]);
    }
    assert_eq!(seen(&decoder, &nested), Err(Undecodable));
    let unknown = vec![riff_chunk(b"JUNK", b"x"); 100_000].concat();
    let many = webp(&[webp_canvas(0, 4, 4), unknown, webp_picture(4, 4)]);
    assert_eq!(seen(&decoder, &many), Ok((4, 4)));
}

#[test]
fn an_animation_is_its_first_frame() {
    let decoder = decoder();
    assert_eq!(seen(&decoder, &gif((4, 4), 10_000)), Ok((4, 4)));
    assert_eq!(seen(&decoder, &gif((4, 4), 1)), Ok((4, 4)));
    let head = [0_u8; 6].into_iter().chain([3, 0, 0, 3, 0, 0]).chain([40, 0, 0, 0]);
    let frame: Vec<u8> = head.chain(webp_picture(4, 4)).collect();
    let frames = vec![riff_chunk(b"ANMF", &frame); 1_000].concat();
    let animated = webp(&[webp_canvas(2, 4, 4), riff_chunk(b"ANIM", &[0; 6]), frames]);
    assert_eq!(seen(&decoder, &animated), Ok((4, 4)));
}

#[test]
fn a_gif_without_a_screen_ends_no_child() {
    let (_folder, note) = note();
    let decoder = start(&settings(noted(&note)));
    for screen in [(0, 0), (0, 1), (1, 0)] {
        assert_eq!(seen(&decoder, &gif(screen, 1)), Ok((1, 1)), "{screen:?}");
    }
    assert_eq!(notes(&note).len(), 1, "no child was lost");
}

#[test]
fn lzw_that_says_more_than_its_frame_holds_ends() {
    let decoder = decoder();
    let mut bytes = gif((8, 8), 0);
    bytes.pop();
    bytes.extend(b"\x2c\0\0\0\0\x08\0\x08\0\0\x02");
    // Codes at random: most of them a long run of what was said before.
    let blocks = (0..40_000_u32).flat_map(|block| {
        let data = (0..255_u32).map(move |at| u8::try_from((block * 31 + at * 7) % 256).unwrap());
        std::iter::once(255).chain(data)
    });
    bytes.extend(blocks);
    bytes.extend(b"\0;");
    let outcome = seen(&decoder, &bytes);
    assert!([Ok((8, 8)), Err(Undecodable), Err(Truncated)].contains(&outcome), "{outcome:?}");
}

#[test]
fn scans_without_end_are_refused() {
    let decoder = decoder();
    assert_eq!(seen(&decoder, &jpeg_of_scans(64, 64, 5)), Ok((64, 64)));
    assert_eq!(seen(&decoder, &jpeg_of_scans(7_000, 7_000, 1_000)), Err(Undecodable));
}

#[test]
fn restart_markers_are_passed_over_or_refused() {
    let decoder = decoder();
    let picture = honest(1_000, 1_000);
    let often = Encoder::new(&picture, 1_000, 1_000, PixelFormat::Rgb)
        .quality(50)
        .restart_blocks(1)
        .encode()
        .unwrap();
    assert_eq!(seen(&decoder, &often), Ok((1_000, 1_000)));
    let mut flood = jpeg(64, 64);
    let end = flood.len() - 2;
    let markers = (0..2_000_000_u32).flat_map(|at| [0xff, 0xd0 + u8::try_from(at % 8).unwrap()]);
    flood.splice(end..end, markers);
    let outcome = seen(&decoder, &flood);
    assert!([Ok((64, 64)), Err(Undecodable)].contains(&outcome), "{outcome:?}");
}

#[test]
fn an_image_that_is_something_else_too_is_only_an_image() {
    let decoder = decoder();
    for format in FORMATS {
        for tail in [&b"<script>alert(1)</script>"[..], b"<?php system($_GET[0]);", b"PK\x05\x06"] {
            let both = [encoded(honest(40, 30), format), tail.to_vec()].concat();
            assert_eq!(seen(&decoder, &both), Ok((40, 30)), "{format:?}");
        }
    }
    let comment = jpeg_segment(0xfe, b"*/<script>alert(1)</script>");
    assert_eq!(seen(&decoder, &jpeg_with(&jpeg(40, 30), &[comment])), Ok((40, 30)));
    assert_eq!(seen(&decoder, &jpeg_with(&jpeg(40, 30), &[jpeg_orientation(6)])), Ok((30, 40)));
    let pdf_first = [b"%PDF-1.7\n".to_vec(), jpeg(40, 30)].concat();
    assert_eq!(seen(&decoder, &pdf_first), Err(UnsupportedType));
}

#[test]
fn one_child_outlives_all_of_them() {
    let (_folder, note) = note();
    let decoder: Decoder = start(&settings(noted(&note)));
    let bomb = png_chunk(b"iCCP", &[&b"profile\0\0"[..], &deflated_zeros(1 << 28)].concat());
    for bytes in [png_with(1, &[bomb]), jpeg_of_scans(7_000, 7_000, 1_000), gif((4, 4), 10_000)] {
        let _ = seen(&decoder, &bytes);
        let _ = seen(&decoder, cut(&bytes, 70));
    }
    assert_eq!(seen(&decoder, &jpeg(40, 30)), Ok((40, 30)));
    assert_eq!(notes(&note).len(), 1, "no child was lost");
}
