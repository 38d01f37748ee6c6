//! What a person sees of a training: a line for each epoch, and TensorBoard.

use std::path::Path;

use aisle_train::dataset::Category;
use aisle_train::report::{Pool, judge};
use aisle_train::road::tuning::Epoch;
use aisle_train::tensorboard::{Board, confusion};
use aisle_train::watch::Watcher;
use image::{Rgb, RgbImage};
use ndarray::ArrayView2;

use crate::TuneError;
use crate::training::Training;

/// Rows and columns of sample pictures.
const SAMPLES: usize = 4;

/// Tells of each epoch.
pub(crate) struct Watching<'a> {
    watcher: &'a dyn Watcher,
    board: Option<Board>,
    categories: &'a [Category],
}

impl<'a> Watching<'a> {
    /// Tells the watcher and, where there is a folder for it, TensorBoard.
    pub(crate) fn new(
        watcher: &'a dyn Watcher,
        folder: Option<&Path>,
        categories: &'a [Category],
    ) -> Result<Self, TuneError> {
        let board = folder.map(|folder| Board::create(folder).map_err(TuneError::file(folder)));
        Ok(Self { watcher, board: board.transpose()?, categories })
    }

    /// Tells of an epoch; the logits are those of the pictures that choose.
    pub(crate) fn epoch(
        &mut self,
        training: &Training<'_>,
        epoch: &Epoch,
        logits: &ArrayView2<'_, f32>,
    ) -> Result<(), TuneError> {
        self.watcher.tell(&line(epoch));
        let Some(board) = &mut self.board else { return Ok(()) };
        let labels = training.judge.labels;
        let (categories, logits) = (self.categories, logits.view());
        let pool = Pool { categories, logits, labels, pictures: &[] };
        let matrix = confusion(&judge(pool, 1.0, &[]).confusion);
        let samples = samples(training, epoch.epoch)?;
        let written = (|| {
            let Epoch { epoch, learning_rate, loss, train_top_1, log_loss, top_1 } = *epoch;
            board.scalar("log loss/validation", epoch, log_loss)?;
            board.scalar("top-1/validation", epoch, top_1)?;
            // Before the first epoch nothing was learned from.
            if epoch > 0 {
                board.scalar("loss/train", epoch, loss)?;
                board.scalar("top-1/train", epoch, train_top_1)?;
                board.scalar("learning rate", epoch, learning_rate)?;
            }
            board.picture("confusion/validation", epoch, matrix)?;
            board.picture("samples/train", epoch, samples)?;
            board.flush()
        })();
        written.map_err(TuneError::file(board.path()))
    }
}

fn line(epoch: &Epoch) -> String {
    let Epoch { epoch, learning_rate, loss, train_top_1, log_loss, top_1 } = *epoch;
    let (train, chosen) = (train_top_1 * 100.0, top_1 * 100.0);
    if epoch == 0 {
        return format!("before: validation {chosen:.1} % right, log loss {log_loss:.4}");
    }
    format!(
        "epoch {epoch}: learning rate {learning_rate:.1e}, loss {loss:.4}, train {train:.1} % \
         right; validation {chosen:.1} % right, log loss {log_loss:.4}"
    )
}

/// Some pictures as an epoch sees them, in rows.
fn samples(training: &Training<'_>, epoch: usize) -> Result<RgbImage, TuneError> {
    let source = &training.source;
    let [height, width] = source.preprocessor.output_size();
    let side = u32::try_from(SAMPLES).unwrap_or(1);
    let mut picture = RgbImage::new(side * width, side * height);
    let shown = (SAMPLES * SAMPLES).min(source.pictures);
    // From all over the data, which lies in the order of its names.
    let places = (0..shown).map(|nth| nth * source.pictures / shown.max(1));
    for (nth, place) in (0_u32..).zip(places) {
        let pixels = source.view(source.view_of(epoch), place)?;
        let (left, top) = (nth % side * width, nth / side * height);
        let (pixels, _) = pixels.as_chunks::<3>();
        let coordinates = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        for ((x, y), pixel) in coordinates.zip(pixels) {
            picture.put_pixel(left + x, top + y, Rgb(*pixel));
        }
    }
    Ok(picture)
}
