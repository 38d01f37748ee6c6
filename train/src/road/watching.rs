//! What TensorBoard shows of the search for a head: the pictures at once, then
//! each strength of regularisation, from strong to weak.

use std::path::Path;

use aisle_worker::decoder::Decoder;

use super::sets::Set;
use super::{Prepared, TrainSettings};
use crate::TrainError;
use crate::features::{FeatureError, Views, again};
use crate::head::{Tried, judge};
use crate::tensorboard::{Run, shown};

/// The search for a head, as it is written to an event file.
pub(super) struct Watching<'a> {
    run: Run<'a>,
    choose: &'a Set,
    /// Points of all searches so far.
    points: usize,
}

impl<'a> Watching<'a> {
    /// Begins an event file, where one is wanted, with some of the pictures as
    /// they are learned from: as they are at step 0, then each view.
    pub(super) fn begin(
        prepared: &'a Prepared,
        settings: &TrainSettings,
    ) -> Result<Option<Self>, TrainError> {
        let Some(folder) = settings.log.as_deref() else { return Ok(None) };
        let run = Run::create(Some(folder), &prepared.split.categories);
        let Some(mut run) = run.map_err(fault(folder))? else { return Ok(None) };
        let samples = samples(prepared, settings)?;
        let written = samples.iter().enumerate().try_for_each(|(step, pictures)| {
            run.samples(step, pictures, prepared.framing.output_size())
        });
        written.and_then(|()| run.flush()).map_err(fault(run.path()))?;
        Ok(Some(Self { run, choose: &prepared.choose, points: 0 }))
    }

    /// Writes what a strength of regularisation brought.
    pub(super) fn tell(&mut self, learn: &Set, tried: &Tried<'_>) -> std::io::Result<()> {
        let Tried { count, step, head, path } = *tried;
        for value in path {
            self.points += 1;
            self.run.scalars(self.points, &[("objective/train", *value)])?;
        }
        let (loss, right) = judge(&head.logits(&learn.features.view()).view(), &learn.labels);
        let scalars = [
            ("log loss/validation", step.log_loss),
            ("top-1/validation", step.top_1),
            ("log loss/train", loss),
            ("top-1/train", right),
            ("regularisation", step.lambda),
        ];
        self.run.scalars(count, &scalars)?;
        let logits = head.logits(&self.choose.features.view());
        self.run.confusion(count, &logits.view(), &self.choose.labels)?;
        self.run.flush()
    }
}

/// Some pictures as they are, then their views.
fn samples(prepared: &Prepared, settings: &TrainSettings) -> Result<Vec<Vec<Vec<u8>>>, TrainError> {
    let machine = &settings.machine;
    let threads = std::num::NonZeroUsize::MIN;
    let decoder = Decoder::start(&machine.decoder, machine.limits.clone(), threads)
        .map_err(FeatureError::from)?;
    let steps = &prepared.first()?.folder.preprocessing;
    let mut samples = vec![Vec::new(); 1 + settings.views.map_or(0, |views| views.number)];
    let printed = prepared.printed(&prepared.learn);
    for printed in shown(printed.len()).filter_map(|place| printed.get(place)) {
        let plain = again(*printed, &prepared.framing, &decoder, machine)?;
        let views = |views: Views| views.pixels(*printed, steps, &decoder, machine);
        let views = settings.views.map(views).transpose()?.unwrap_or_default();
        for (samples, pixels) in samples.iter_mut().zip([plain].into_iter().chain(views)) {
            samples.push(pixels);
        }
    }
    Ok(samples)
}

fn fault(path: &Path) -> impl Fn(std::io::Error) -> TrainError {
    let path = path.to_owned();
    move |source| FeatureError::File { path: path.clone(), source }.into()
}
