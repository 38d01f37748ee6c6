//! Small copies of pictures, to stand within a page.

use std::collections::HashMap;
use std::io::Cursor;

use aisle_worker::decode::decode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::imageops;
use rayon::prelude::*;

use crate::dataset::Picture;
use crate::features::Machine;
use crate::report::Judgement;

/// The longer side of a small copy, in pixels.
const SIDE: u32 = 160;

/// How well a small copy is kept.
const QUALITY: u8 = 82;

/// Small copies by the names of their pictures, as data URIs.
#[derive(Debug, Default)]
pub struct Album(HashMap<String, String>);

impl Album {
    /// Of the pictures that judgements name. One that cannot be read any more
    /// is left out: its name is still told.
    #[must_use]
    pub fn of(judgements: &[&Judgement], pictures: &[&Picture], machine: &Machine) -> Self {
        let by_name: HashMap<&str, &Picture> =
            pictures.iter().map(|picture| (picture.name.as_str(), *picture)).collect();
        let mut names: Vec<&str> = judgements.iter().flat_map(|one| one.named()).collect();
        names.sort_unstable();
        names.dedup();
        let copies = names.into_par_iter().filter_map(|name| {
            let copy = copy(by_name.get(name)?, machine)?;
            Some((name.to_owned(), copy))
        });
        Self(copies.collect())
    }

    /// The small copy of a picture.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Extraction has had each picture decoded in a child process, so it is no
/// danger here.
fn copy(picture: &Picture, machine: &Machine) -> Option<String> {
    let bytes = picture.place.read(machine.limits.max_bytes).ok()?;
    let pixels = decode(&bytes, &machine.limits).ok()?.pixels;
    let (width, height) = pixels.dimensions();
    let longer = width.max(height);
    let side = |side: u32| (side * SIDE.min(longer) / longer).max(1);
    let small = imageops::thumbnail(&pixels, side(width), side(height));
    let mut jpeg = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&small).ok()?;
    Some(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg.into_inner())))
}
