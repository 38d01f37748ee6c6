//! `aisle tune`: tries ways to run each model, keeps the choice for workers
//! with `provider = "auto"`, and shows what was measured.

use aisle_shared::domain::ModelName;
use aisle_worker::model::{Catalog, ModelFolder};
use aisle_worker::tune::{Evidence, Measured, Outcome, Record, Trial, tune};
use anyhow::{Context, bail};
use serde::Serialize;

use crate::args::TuneArgs;
use crate::output;
use crate::settings::Settings;

/// A model's record as it is shown.
#[derive(Debug, Serialize)]
struct Tuned {
    model: ModelName,
    #[serde(flatten)]
    record: Record,
}

/// Tunes, and shows one table a model.
pub(crate) fn run(args: TuneArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.settings)?;
    let catalog = Catalog::open(&settings.models_folder()?)?;
    let library = settings.ort_lib()?;
    let mut tuned = Vec::new();
    for folder in asked_for(&catalog, &args.wanted)? {
        let record = tune(&settings.tuning(), settings.wanted(folder, &library))
            .with_context(|| format!("the model {}", folder.name))?;
        if !args.json {
            output::answer(&shown(&folder.name, &record))?;
        }
        tuned.push(Tuned { model: folder.name.clone(), record });
    }
    if args.json {
        output::answer(&serde_json::to_string_pretty(&tuned)?)?;
    }
    Ok(())
}

/// The models that were named, else all that can be served.
fn asked_for<'a>(
    catalog: &'a Catalog,
    names: &[ModelName],
) -> anyhow::Result<Vec<&'a ModelFolder>> {
    if names.is_empty() {
        if catalog.models.is_empty() {
            bail!("there is no model that can be served; `aisle models` says why");
        }
        return Ok(catalog.models.iter().collect());
    }
    let find = |name| {
        let found = catalog.find(name);
        found.with_context(|| format!("there is no model {name} that can be served"))
    };
    names.iter().map(find).collect()
}

/// The table of a model's trials, and what was chosen.
fn shown(model: &ModelName, record: &Record) -> String {
    let Record { evidence, tolerance, trials, chosen, why, seconds, .. } = record;
    let rows: Vec<_> = trials.iter().map(row).collect();
    let head = ["WAY", "IMAGES/S", "SPEED", "ONE IMAGE", "LARGEST", "SAME BEST", "VERDICT"];
    let pictures = match evidence {
        Evidence::Samples => "its own samples",
        Evidence::Generated => "generated pictures, where half of that is allowed",
    };
    format!(
        "{model}: scores may differ by {}, on {pictures}\n{}\nchosen: {chosen}: {why} ({seconds:.1} s)\n",
        tolerance.score,
        output::table(head, &rows),
    )
}

fn row(trial: &Trial) -> [String; 7] {
    let mut row: [String; 7] = Default::default();
    if let Outcome::Measured(measured) = &trial.outcome {
        let Measured { images_per_second, speed, single_ms, closeness, .. } = measured;
        row = [
            String::new(),
            format!("{images_per_second:.0}"),
            format!("{speed:.2}"),
            format!("{single_ms:.1} ms"),
            format!("{:.4}", closeness.score),
            format!("{} of {}", closeness.same_best, closeness.pictures),
            String::new(),
        ];
    }
    let [way, .., verdict] = &mut row;
    *way = trial.plan.to_string();
    *verdict = trial.remark();
    row
}
