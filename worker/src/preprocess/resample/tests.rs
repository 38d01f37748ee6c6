//! Golden values come from Pillow 13: `picture(w, h).resize((W, H), filter)`.

use super::*;

type Golden = (Filter, [u32; 2], [u32; 2], [u8; 18]);

/// The first six pixels of a resized picture: filter, size, resized size.
const GOLDEN: [Golden; 14] = [
    // Columns first.
    (
        Filter::Bilinear,
        [5, 11],
        [4, 3],
        [95, 132, 103, 98, 154, 154, 141, 162, 127, 118, 102, 127, 135, 164, 134, 158, 170, 100],
    ),
    (
        Filter::Lanczos,
        [5, 11],
        [4, 3],
        [86, 129, 98, 85, 147, 171, 141, 168, 125, 117, 107, 123, 142, 164, 139, 175, 181, 87],
    ),
    (
        Filter::Nearest,
        [7, 5],
        [3, 2],
        [100, 245, 134, 238, 185, 132, 176, 181, 186, 250, 57, 120, 12, 133, 254, 86, 9, 188],
    ),
    (
        Filter::Nearest,
        [5, 7],
        [8, 9],
        [0, 29, 58, 0, 29, 58, 14, 72, 130, 42, 129, 216, 42, 129, 216, 84, 200, 60],
    ),
    (
        Filter::Lanczos,
        [7, 5],
        [3, 2],
        [63, 145, 128, 140, 138, 142, 125, 137, 129, 151, 153, 128, 124, 129, 118, 108, 82, 136],
    ),
    (
        Filter::Lanczos,
        [5, 7],
        [8, 9],
        [0, 17, 56, 1, 29, 78, 7, 64, 140, 25, 104, 218, 40, 173, 163, 69, 209, 54],
    ),
    (
        Filter::Bilinear,
        [7, 5],
        [3, 2],
        [73, 141, 128, 135, 142, 130, 124, 130, 131, 141, 143, 129, 122, 131, 124, 110, 90, 133],
    ),
    (
        Filter::Bilinear,
        [5, 7],
        [8, 9],
        [0, 29, 58, 6, 48, 90, 16, 76, 135, 33, 111, 189, 55, 151, 167, 81, 196, 70],
    ),
    (
        Filter::Bicubic,
        [7, 5],
        [3, 2],
        [66, 143, 126, 138, 139, 135, 125, 135, 130, 146, 145, 129, 123, 130, 120, 108, 86, 134],
    ),
    (
        Filter::Bicubic,
        [5, 7],
        [8, 9],
        [0, 20, 55, 1, 35, 83, 11, 67, 135, 27, 110, 206, 47, 161, 173, 73, 203, 59],
    ),
    (
        Filter::Box,
        [7, 5],
        [3, 2],
        [59, 148, 107, 126, 130, 134, 133, 153, 129, 152, 116, 144, 126, 120, 113, 96, 77, 122],
    ),
    (
        Filter::Box,
        [5, 7],
        [8, 9],
        [0, 29, 58, 0, 29, 58, 14, 72, 130, 42, 129, 216, 42, 129, 216, 84, 200, 60],
    ),
    (
        Filter::Hamming,
        [7, 5],
        [3, 2],
        [63, 147, 117, 143, 143, 125, 127, 137, 130, 147, 135, 135, 115, 132, 128, 104, 85, 133],
    ),
    (
        Filter::Hamming,
        [5, 7],
        [8, 9],
        [0, 29, 58, 5, 44, 84, 14, 72, 131, 38, 121, 204, 48, 139, 194, 84, 200, 61],
    ),
];

fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([0, 1, 2].map(|c| ((x * 7 + y * 13 + c * 29) * (x + 3 * y + 1) % 256) as u8))
    })
}

fn plan(filter: Filter, [width, height]: [u32; 2]) -> Plan {
    let resized = Extent { height, width };
    Plan { resized, filter, top: 0, left: 0, window: resized }
}

#[test]
fn every_filter_gives_pillows_bytes() {
    for (filter, [width, height], to, expected) in GOLDEN {
        let pixels = run(&picture(width, height), &plan(filter, to));
        assert_eq!(pixels[..18], expected, "{filter:?} to {to:?}");
    }
}

#[test]
fn a_window_computed_alone_has_the_pixels_of_the_whole() {
    for (filter, [width, height], _, _) in GOLDEN {
        let image = picture(width * 9, height * 9);
        let whole = run(&image, &plan(filter, [20, 16]));
        let cut = Plan {
            top: 3,
            left: 5,
            window: Extent { height: 8, width: 10 },
            ..plan(filter, [20, 16])
        };
        let expected: Vec<u8> = (3..11)
            .flat_map(|y: usize| whole[(y * 20 + 5) * 3..(y * 20 + 15) * 3].to_vec())
            .collect();
        assert_eq!(run(&image, &cut), expected, "{filter:?}");
    }
}

#[test]
fn a_window_larger_than_the_image_is_black_around_it() {
    let image = RgbImage::from_pixel(2, 1, image::Rgb([9, 9, 9]));
    let wide = Plan {
        top: -1,
        left: -1,
        window: Extent { height: 3, width: 4 },
        ..plan(Filter::Bilinear, [2, 1])
    };
    let mut expected = [0; 36];
    expected[15..21].fill(9);
    assert_eq!(run(&image, &wide), expected);
}

#[test]
fn an_image_of_the_right_size_is_left_alone() {
    let image = picture(11, 6);
    for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos, Filter::Nearest] {
        assert_eq!(run(&image, &plan(filter, [11, 6])), *image.as_raw(), "{filter:?}");
    }
}

/// Few and many taps, rows that are no multiple of four, both orders of passes.
#[test]
fn wide_registers_change_no_byte() {
    let sizes = [1, 2, 3, 5, 8, 13, 31, 64, 97, 230];
    for filter in [Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos] {
        let kernel = Kernel::of(filter).unwrap();
        for (width, height) in sizes.iter().flat_map(|w| sizes.map(|h| (*w, h))) {
            let image = picture(width, height);
            for resized in [1, 4, 7, 16, 50, 120] {
                let first = resized as usize / 5;
                let span = Span { margin: 0, first, len: resized as usize - first };
                let across = taps(width, resized, span, kernel);
                let stride = width as usize * 3;
                let narrow = passes::along_rows(image.as_raw(), stride, &across, 0);
                let plain = passes::pixel_by_pixel(image.as_raw(), stride, &across, 0);
                assert_eq!(narrow, plain, "{filter:?} of {width} x {height} to {resized}");
            }
        }
    }
}
