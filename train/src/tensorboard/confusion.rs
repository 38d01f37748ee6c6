//! A confusion matrix as a picture.

use image::{Rgb, RgbImage};

/// Pixels of a side, more or less.
const SIDE: usize = 480;
/// The colour of a cell that holds its whole row.
const FULL: [f64; 3] = [8.0, 48.0, 107.0];

/// Cells from white to dark blue by their share of their row: what pictures
/// show from top to bottom, what they were taken for from left to right.
#[must_use]
pub fn confusion(counts: &[Vec<usize>]) -> RgbImage {
    let categories = counts.len().max(1);
    let cell = (SIDE / categories).max(1);
    let side = u32::try_from(cell * categories).unwrap_or(u32::MAX);
    RgbImage::from_fn(side, side, |x, y| {
        let row = counts.get(y as usize / cell).map(Vec::as_slice).unwrap_or_default();
        let count = row.get(x as usize / cell).copied().unwrap_or_default();
        Rgb(colour(share(count, row.iter().sum())))
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
fn share(count: usize, of: usize) -> f64 {
    count as f64 / of.max(1) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between two bytes lie only bytes"
)]
fn colour(share: f64) -> [u8; 3] {
    FULL.map(|full| (255.0 + (full - 255.0) * share.clamp(0.0, 1.0)).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_as_dark_as_its_share_of_its_row() {
        let picture = confusion(&[vec![4, 0], vec![3, 9]]);
        assert_eq!(picture.dimensions(), (480, 480));
        assert_eq!(picture.get_pixel(0, 0).0, [8, 48, 107]);
        assert_eq!(picture.get_pixel(479, 0).0, [255, 255, 255]);
        let [light, dark] = [picture.get_pixel(0, 479).0[0], picture.get_pixel(479, 479).0[0]];
        assert!(light > dark && dark > 8, "{light} {dark}");
    }

    #[test]
    fn a_matrix_without_pictures_is_white_and_one_without_categories_no_fault() {
        assert_eq!(confusion(&[vec![0, 0], vec![0, 0]]).get_pixel(3, 3).0, [255; 3]);
        assert_eq!(confusion(&[]).dimensions(), (480, 480));
    }
}
