//! `aisle models`: what is in the models folder, and what is wrong with it.

use std::io;

use aisle_worker::ProviderChoice;
use aisle_worker::model::{Catalog, ModelFolder};
use aisle_worker::preprocess::Preprocessor;
use aisle_worker::tune::{self, Record};
use anyhow::bail;
use serde::Serialize;

use crate::args::ModelsArgs;
use crate::output;
use crate::settings::Settings;

/// Characters of a version that tell versions apart for people.
const SHORT_VERSION: usize = "sha256:".len() + 12;

/// A line of the list.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Listed {
    /// It can be served.
    Ready {
        name: String,
        version: String,
        labels: usize,
        input_size: [u32; 2],
        /// How a worker would run it; `None` where that is not found out yet.
        runs: Option<Runs>,
    },
    /// It cannot.
    Broken { name: String, error: String },
}

/// How a model is run.
#[derive(Debug, Serialize)]
struct Runs {
    provider: &'static str,
    precision: String,
    /// What was tried and chosen, where nobody named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    tuning: Option<Box<Record>>,
}

/// Prints the list, and fails if a model in it cannot be served.
pub(crate) fn run(args: ModelsArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.settings)?;
    let folder = settings.models_folder()?;
    let catalog = Catalog::open(&folder)?;
    let broken = catalog.broken.len();
    let listed = list(catalog, &settings);
    if listed.is_empty() {
        bail!("there is no model folder in {}", folder.display());
    }
    if args.json { as_json(&listed) } else { as_table(&listed) }?;
    if broken > 0 {
        bail!("{broken} of {} models cannot be served", listed.len());
    }
    Ok(())
}

fn list(catalog: Catalog, settings: &Settings) -> Vec<Listed> {
    let broken = catalog.broken.into_iter().map(|broken| Listed::Broken {
        name: broken.folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        error: broken.error.to_string(),
    });
    let ready = |model| ready(model, settings);
    catalog.models.into_iter().map(ready).chain(broken).collect()
}

fn ready(model: ModelFolder, settings: &Settings) -> Listed {
    Listed::Ready {
        runs: runs(&model, settings),
        name: model.name.to_string(),
        version: model.version,
        labels: model.taxonomy.labels().len(),
        input_size: Preprocessor::new(&model.preprocessing).output_size(),
    }
}

/// As the settings name it, or as it was found out.
fn runs(model: &ModelFolder, settings: &Settings) -> Option<Runs> {
    match settings.provider {
        ProviderChoice::Named(provider, precision) => Some(Runs {
            provider: provider.as_str(),
            precision: precision.as_str().to_owned(),
            tuning: None,
        }),
        ProviderChoice::Auto => {
            let library = settings.ort_lib().ok()?;
            let wanted = settings.wanted(model, &library);
            let record = tune::remembered(&settings.tuning().folder, wanted).ok()??;
            Some(Runs {
                provider: record.chosen.provider.as_str(),
                precision: record.chosen.arithmetic().to_owned(),
                tuning: Some(Box::new(record)),
            })
        }
    }
}

fn as_json(listed: &[Listed]) -> io::Result<()> {
    output::answer(&serde_json::to_string_pretty(listed)?)
}

fn as_table(listed: &[Listed]) -> io::Result<()> {
    let row = |model: &Listed| match model {
        Listed::Ready { name, version, labels, input_size: [height, width], runs } => [
            name.clone(),
            version.chars().take(SHORT_VERSION).collect(),
            labels.to_string(),
            format!("{width}×{height}"),
            runs.as_ref().map_or_else(
                || "auto, not tuned yet".to_owned(),
                |runs| format!("{} {}", runs.provider, runs.precision),
            ),
            "ready".to_owned(),
        ],
        Listed::Broken { name, error } => {
            let none = || "–".to_owned();
            [name.clone(), none(), none(), none(), none(), format!("broken: {error}")]
        }
    };
    let rows: Vec<_> = listed.iter().map(row).collect();
    output::answer(&output::table(["NAME", "VERSION", "LABELS", "INPUT", "RUNS", "STATE"], &rows))
}
