//! `aisle classify`: images on this disk, without a server.

mod find;
mod report;

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aisle_shared::domain::{ErrorCode, ItemError, ModelCard};
use aisle_shared::image_probe::ImageLimits;
use aisle_worker::{Classifier, ClassifierSettings, Question};
use anyhow::{Context, bail};
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::ClassifyArgs;
use crate::output;
use crate::settings::Settings;

/// Images that are in memory at once.
const CHUNK: usize = 32;

/// Images from which on a person wants to see progress.
const MANY: usize = 16;

/// Classifies, reports each image, and fails if one of them could not be.
pub(crate) fn run(args: ClassifyArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.settings)?;
    let model = args.model.map(|name| name.parse()).transpose().context("--model")?;
    let images = find::images(&args.paths)?;
    let limits = ImageLimits::default();
    let mut classifier = Classifier::load(&ClassifierSettings {
        model: model.or_else(|| settings.default_model.clone()),
        provider: settings.provider,
        threads: settings.threads.unwrap_or_else(aisle_worker::default_threads),
        max_batch: settings.max_batch,
        image_limits: limits.clone(),
        ..ClassifierSettings::new(
            settings.models_folder()?,
            settings.ort_lib()?,
            settings.decoder(),
            settings.tuning(),
        )
    })?;
    offered(classifier.card(), args.accept_precision)?;
    let question = Question { top_k: args.top_k.into(), accept_precision: args.accept_precision };
    let form = if args.json { report::as_json } else { report::as_text };
    let progress = progress(images.len());
    let mut failed = 0;
    for chunk in images.chunks(CHUNK) {
        for (path, answer) in classify(&mut classifier, chunk, question, &limits) {
            failed += usize::from(answer.is_err());
            let text = form(path, &answer)?;
            progress.suspend(|| output::answer(&text))?;
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    if failed > 0 {
        bail!("{failed} of {} images could not be classified", images.len());
    }
    Ok(())
}

/// Refuses a precision that the model has no thresholds for.
fn offered(card: &ModelCard, wanted: Option<f64>) -> anyhow::Result<()> {
    let offered: Vec<f64> = card.accept.iter().map(|each| each.precision).collect();
    match wanted {
        Some(wanted) if !offered.contains(&wanted) => {
            bail!(
                "--accept-precision: {wanted} is none of those that {} offers: {offered:?}",
                card.name
            )
        }
        Some(_) | None => Ok(()),
    }
}

fn classify<'a>(
    classifier: &mut Classifier,
    paths: &'a [PathBuf],
    question: Question,
    limits: &ImageLimits,
) -> Vec<(&'a Path, report::Answer)> {
    let reads: Vec<_> = paths.iter().map(|path| read(path, limits)).collect();
    let bytes: Vec<Bytes> = reads.iter().flatten().cloned().collect();
    let mut answers = classifier.classify(&bytes, question).into_iter();
    let missing = || Err(ItemError::new(ErrorCode::Internal, "the image was not classified"));
    let answers = reads.into_iter().map(|read| match read {
        Ok(_) => answers.next().unwrap_or_else(missing),
        Err(error) => Err(error),
    });
    paths.iter().map(PathBuf::as_path).zip(answers).collect()
}

/// The file's bytes, unless it is larger than an image may be.
fn read(path: &Path, limits: &ImageLimits) -> Result<Bytes, ItemError> {
    let unreadable = |error: std::io::Error| ItemError::new(ErrorCode::Internal, error.to_string());
    let size = path.metadata().map_err(unreadable)?.len();
    if size > limits.max_bytes {
        let detail = format!("{size} bytes, and {} are allowed", limits.max_bytes);
        return Err(ItemError::new(ErrorCode::TooLarge, detail));
    }
    std::fs::read(path).map(Bytes::from).map_err(unreadable)
}

/// A bar on standard error for many images, where someone looks at it.
fn progress(images: usize) -> ProgressBar {
    if images < MANY || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} images, {eta} left");
    let bar = ProgressBar::new(u64::try_from(images).unwrap_or(u64::MAX))
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
