//! A training as TensorBoard shows it.

use std::io;
use std::path::Path;

use image::{GenericImage as _, ImageBuffer, Rgb, RgbImage};
use ndarray::ArrayView2;

use super::{Board, confusion};
use crate::dataset::Category;
use crate::report::{Pool, judge};

/// Rows and columns of sample pictures.
const SAMPLES: usize = 4;

/// A training that is written to an event file.
#[derive(Debug)]
pub struct Run<'a> {
    board: Board,
    categories: &'a [Category],
}

impl<'a> Run<'a> {
    /// A new event file in a folder, if one is named.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(folder: Option<&Path>, categories: &'a [Category]) -> io::Result<Option<Self>> {
        let board = folder.map(Board::create).transpose()?;
        Ok(board.map(|board| Self { board, categories }))
    }

    /// Where the file lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.board.path()
    }

    /// Numbers at a step, each with its tag.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn scalars(&mut self, step: usize, scalars: &[(&str, f64)]) -> io::Result<()> {
        scalars.iter().try_for_each(|(tag, value)| self.board.scalar(tag, step, *value))
    }

    /// What the pictures that choose were taken for at a step, by their logits.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn confusion(
        &mut self,
        step: usize,
        logits: &ArrayView2<'_, f32>,
        labels: &[usize],
    ) -> io::Result<()> {
        let (categories, logits) = (self.categories, logits.view());
        let pool = Pool { categories, logits, labels, pictures: &[] };
        let matrix = confusion(&judge(pool, 1.0, &[]).confusion);
        self.board.picture("confusion/validation", step, matrix)
    }

    /// Some pictures as they are learned from at a step: rows of packed RGB of
    /// one height and width.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn samples(&mut self, step: usize, pictures: &[Vec<u8>], size: [u32; 2]) -> io::Result<()> {
        self.board.picture("samples/train", step, tiles(pictures, size))
    }

    /// Hands what was written to the system, where TensorBoard sees it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.board.flush()
    }
}

/// The places of the pictures that are shown: from all over the data, which
/// lies in the order of its names.
pub fn shown(pictures: usize) -> impl Iterator<Item = usize> {
    let shown = (SAMPLES * SAMPLES).min(pictures);
    (0..shown).map(move |nth| nth * pictures / shown)
}

/// Pictures in rows.
fn tiles(pictures: &[Vec<u8>], [height, width]: [u32; 2]) -> RgbImage {
    let side = u32::try_from(SAMPLES).unwrap_or(1);
    let mut all = RgbImage::new(side * width, side * height);
    for (nth, pixels) in (0_u32..).zip(pictures) {
        let tile = ImageBuffer::<Rgb<u8>, &[u8]>::from_raw(width, height, pixels);
        // What is no picture, or one too many, has no place.
        let _ = tile.map(|tile| all.copy_from(&tile, nth % side * width, nth / side * height));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_in_rows_and_come_from_all_over_the_data() {
        let pictures: Vec<Vec<u8>> = (0..17).map(|nth| vec![nth; 3 * 2 * 5]).collect();
        let all = tiles(&pictures, [2, 5]);
        assert_eq!(all.dimensions(), (20, 8));
        let at = |x, y| all.get_pixel(x, y).0[0];
        assert_eq!(
            [at(0, 0), at(4, 1), at(5, 0), at(19, 0), at(0, 2), at(19, 7)],
            [0, 0, 1, 3, 4, 15]
        );
        assert_eq!(shown(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(shown(0).count(), 0);
        let of_many: Vec<usize> = shown(1600).collect();
        assert_eq!((of_many.len(), of_many[1], of_many[15]), (16, 100, 1500));
    }
}
