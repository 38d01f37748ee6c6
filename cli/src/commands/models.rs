//! `aisle models`: what is in the models folder, and what is wrong with it.

use std::io;

use aisle_worker::model::{Catalog, ModelFolder};
use aisle_worker::preprocess::Preprocessor;
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
    Ready { name: String, version: String, labels: usize, input_size: [u32; 2] },
    /// It cannot.
    Broken { name: String, error: String },
}

/// Prints the list, and fails if a model in it cannot be served.
pub(crate) fn run(args: ModelsArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.settings)?;
    let folder = settings.models_folder()?;
    let catalog = Catalog::open(&folder)?;
    let broken = catalog.broken.len();
    let listed = list(catalog);
    if listed.is_empty() {
        bail!("there is no model folder in {}", folder.display());
    }
    if args.json { as_json(&listed) } else { as_table(&listed) }?;
    if broken > 0 {
        bail!("{broken} of {} models cannot be served", listed.len());
    }
    Ok(())
}

fn list(catalog: Catalog) -> Vec<Listed> {
    let broken = catalog.broken.into_iter().map(|broken| Listed::Broken {
        name: broken.folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        error: broken.error.to_string(),
    });
    catalog.models.into_iter().map(ready).chain(broken).collect()
}

fn ready(model: ModelFolder) -> Listed {
    Listed::Ready {
        name: model.name.to_string(),
        version: model.version,
        labels: model.taxonomy.labels().len(),
        input_size: Preprocessor::new(&model.preprocessing).output_size(),
    }
}

fn as_json(listed: &[Listed]) -> io::Result<()> {
    output::answer(&serde_json::to_string_pretty(listed)?)
}

fn as_table(listed: &[Listed]) -> io::Result<()> {
    let row = |model: &Listed| match model {
        Listed::Ready { name, version, labels, input_size: [height, width] } => [
            name.clone(),
            version.chars().take(SHORT_VERSION).collect(),
            labels.to_string(),
            format!("{width}×{height}"),
            "ready".to_owned(),
        ],
        Listed::Broken { name, error } => {
            let none = || "–".to_owned();
            [name.clone(), none(), none(), none(), format!("broken: {error}")]
        }
    };
    let rows: Vec<_> = listed.iter().map(row).collect();
    output::answer(&output::table(["NAME", "VERSION", "LABELS", "INPUT", "STATE"], &rows))
}
