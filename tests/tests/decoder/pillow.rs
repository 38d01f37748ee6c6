//! The pixels of every odd kind of image are Pillow's.

use std::path::Path;
use std::process::Command;

use aisle_shared::image_probe::ImageLimits;
use aisle_tests::places::{files_below, python, repository};
use aisle_worker::decode::decode;
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling, compress_arithmetic};

use crate::chunks::honest;

/// Kinds that differ, and by how much at most in a channel: around a GIF's
/// first frame Pillow paints the screen's background colour, and browsers and
/// this decoder nothing, which is white.
const DIFFERENT: [(&str, u8); 1] = [("gif-offset", 255)];

/// Asks Pillow for the pixels of every image in a folder, and for odd images
/// of its own.
fn ask_pillow(folder: &Path) {
    let run = Command::new(python())
        .arg(repository().join("tests/python/odd_images.py"))
        .arg(folder)
        .output()
        .expect("Python runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// Images that Pillow does not write itself.
fn write_more(folder: &Path) {
    let (picture, width, height) = (honest(123, 85), 123, 85);
    let inks: Vec<u8> = picture
        .pixels()
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255 - pixel[0] / 2])
        .collect();
    let ycck = Encoder::new(&inks, width, height, PixelFormat::Cmyk)
        .subsampling(Subsampling::S420)
        .encode()
        .unwrap();
    std::fs::write(folder.join("jpeg-ycck.jpg"), ycck).unwrap();
    for (name, sampling) in
        [("440", Subsampling::S440), ("411", Subsampling::S411), ("441", Subsampling::S441)]
    {
        let odd = Encoder::new(&picture, width, height, PixelFormat::Rgb).subsampling(sampling);
        std::fs::write(folder.join(format!("jpeg-{name}.jpg")), odd.encode().unwrap()).unwrap();
    }
    let arithmetic =
        compress_arithmetic(&picture, width, height, PixelFormat::Rgb, 80, Subsampling::S420);
    std::fs::write(folder.join("jpeg-arithmetic.jpg"), arithmetic.unwrap()).unwrap();
}

#[test]
fn odd_images_have_the_pixels_that_pillow_finds() {
    let folder = tempfile::tempdir().unwrap();
    write_more(folder.path());
    ask_pillow(folder.path());
    let mut wrong = Vec::new();
    let files = files_below(folder.path());
    let images = files.iter().filter(|file| file.extension().is_some_and(|end| end != "rgb"));
    for file in images {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let expected = std::fs::read(folder.path().join(format!("{name}.rgb"))).unwrap();
        let number = |at: usize| u32::from_le_bytes(expected[at..at + 4].try_into().unwrap());
        let decoded = match decode(&std::fs::read(file).unwrap(), &ImageLimits::default()) {
            Ok(decoded) => decoded.pixels,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        assert_eq!(decoded.dimensions(), (number(0), number(4)), "{name}");
        let pairs = || decoded.as_raw().iter().zip(&expected[8..]);
        let most = pairs().map(|(ours, theirs)| ours.abs_diff(*theirs)).max().unwrap();
        let values = pairs().filter(|(ours, theirs)| ours != theirs).count();
        let allowed =
            DIFFERENT.iter().find(|(kind, _)| name.starts_with(kind)).map_or(0, |kind| kind.1);
        if most > allowed {
            wrong.push(format!("{name}: {values} values differ, by {most} at most"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
