//! What a person sees of a training: a line for each epoch, and TensorBoard.

use std::path::Path;

use aisle_train::dataset::Category;
use aisle_train::road::tuning::Epoch;
use aisle_train::tensorboard::{Run, shown};
use aisle_train::watch::Watcher;
use ndarray::ArrayView2;

use crate::TuneError;
use crate::training::Training;

/// Tells of each epoch.
pub(crate) struct Watching<'a> {
    watcher: &'a dyn Watcher,
    run: Option<Run<'a>>,
}

impl<'a> Watching<'a> {
    /// Tells the watcher and, where there is a folder for it, TensorBoard.
    pub(crate) fn new(
        watcher: &'a dyn Watcher,
        folder: Option<&Path>,
        categories: &'a [Category],
    ) -> Result<Self, TuneError> {
        let run = Run::create(folder, categories);
        let fault = TuneError::file(folder.unwrap_or(Path::new("")));
        Ok(Self { watcher, run: run.map_err(fault)? })
    }

    /// Tells of an epoch; the logits are those of the pictures that choose.
    pub(crate) fn epoch(
        &mut self,
        training: &Training<'_>,
        epoch: &Epoch,
        logits: &ArrayView2<'_, f32>,
    ) -> Result<(), TuneError> {
        self.watcher.tell(&line(epoch));
        let Some(run) = &mut self.run else { return Ok(()) };
        let source = &training.source;
        let view = source.view_of(epoch.epoch);
        let pictures: Vec<Vec<u8>> = shown(source.pictures)
            .map(|place| source.view(view, place))
            .collect::<Result<_, _>>()?;
        let written = (|| {
            let Epoch { epoch, learning_rate, loss, train_top_1, log_loss, top_1 } = *epoch;
            let chosen = [("log loss/validation", log_loss), ("top-1/validation", top_1)];
            run.scalars(epoch, &chosen)?;
            // Before the first epoch nothing was learned from.
            if epoch > 0 {
                let learned = [
                    ("loss/train", loss),
                    ("top-1/train", train_top_1),
                    ("learning rate", learning_rate),
                ];
                run.scalars(epoch, &learned)?;
            }
            run.confusion(epoch, logits, training.judge.labels)?;
            run.samples(epoch, &pictures, source.preprocessor.output_size())?;
            run.flush()
        })();
        written.map_err(TuneError::file(run.path()))
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
