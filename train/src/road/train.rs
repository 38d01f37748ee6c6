//! `aisle train` by frozen features.

use std::path::PathBuf;
use std::time::Instant;

use super::prove::{goldens, prove};
use super::sets::Set;
use super::summary::{Below, Data, HeadReport, Seconds, Trained};
use crate::TrainError;
use crate::dataset::{Dataset, Part, Picture, Source};
use crate::export::{Made, Place, card, graph};
use crate::features::{Backbone, Extracted, Machine, Network, extract, networks};
use crate::head::{self, fit, temperature};
use crate::page::{self, Album};
use crate::report::{Pool, answers, judge, thresholds};
use crate::split::{self, Fate, Split};
use crate::watch::Watcher;

/// Pictures of the validation part that prove the written model.
const PROVING: usize = 32;

/// How a model is trained.
#[derive(Debug, Clone)]
pub struct TrainSettings {
    /// The data set.
    pub source: Source,
    /// The model folders whose networks are learned from.
    pub backbones: Vec<PathBuf>,
    /// Whether the whole shorter side of a picture is seen, where the networks
    /// would cut the centre out.
    pub wide: bool,
    /// Whether each picture is looked at mirrored too, in training as in
    /// serving: better, and half as fast.
    pub mirror: bool,
    /// The model folder to write.
    pub out: PathBuf,
    /// Whether a model folder that is there is replaced.
    pub replace: bool,
    /// How the data is split.
    pub split: split::Rules,
    /// How the head is found.
    pub head: head::Rules,
    /// What the machine offers.
    pub machine: Machine,
}

/// Trains a head on frozen networks, and writes a model folder.
///
/// # Errors
/// When the data, a backbone or the folder cannot be used, or what was written
/// does not compute what training did. Pictures that cannot be read are only
/// reported.
pub fn train(settings: &TrainSettings, watcher: &dyn Watcher) -> Result<Trained, TrainError> {
    settings.machine.work(|| walk(settings, watcher))?
}

fn walk(settings: &TrainSettings, watcher: &dyn Watcher) -> Result<Trained, TrainError> {
    let begun = Instant::now();
    let machine = &settings.machine;
    let place = Place::check(&settings.out, settings.replace)?;
    let dataset = Dataset::open(&settings.source)?;
    let backbones = settings.backbones.iter().map(|path| Backbone::open(path, settings.wide));
    let backbones = backbones.collect::<Result<Vec<_>, _>>()?;
    let (mut networks, framing) = networks(&backbones, settings.mirror, machine)?;
    let mut extracted = extract(&dataset.pictures, &mut networks, &framing, machine, watcher)?;
    let seconds_features = begun.elapsed().as_secs_f64();

    let pictures: Vec<&Picture> =
        extracted.places.iter().filter_map(|place| dataset.pictures.get(*place)).collect();
    let printed: Vec<_> = pictures.iter().copied().zip(extracted.prints.iter().copied()).collect();
    let split = Split::of(&printed, &settings.split)?;
    let [learn, choose, test] = Part::ALL.map(|part| Set::of(part, &split, &extracted, &pictures));
    let broken = std::mem::take(&mut extracted.broken);
    let data = Data::new(&split, &pictures, dataset.skipped, broken);

    let head_begun = Instant::now();
    let categories = split.categories.len();
    let fit = fit(learn.known(), choose.known(), categories, settings.head, watcher)?;
    let seconds_head = head_begun.elapsed().as_secs_f64();

    let logits = fit.head.logits(&choose.features.view());
    let pool = Pool {
        categories: &split.categories,
        logits: logits.view(),
        labels: &choose.labels,
        pictures: &choose.pictures,
    };
    let temperature = temperature(&pool.logits, pool.labels);
    let accept = thresholds(&answers(pool, temperature));
    let validation = judge(pool, temperature, &accept);
    let test_logits = fit.head.logits(&test.features.view());
    let test = (!test.labels.is_empty()).then(|| {
        let (logits, labels, pictures) = (test_logits.view(), &test.labels, &test.pictures);
        let pool = Pool { logits, labels, pictures, ..pool };
        judge(pool, temperature, &accept)
    });

    let widths: Vec<usize> = networks.iter().map(Network::width).collect();
    let meaning = (split.categories.as_slice(), temperature);
    let goldens = goldens(&backbones, &mut networks, &framing, &fit.head, meaning, machine)?;
    let [first, ..] = backbones.as_slice() else {
        return Err(crate::features::FeatureError::NoBackbone.into());
    };
    let split_table = split_table(&split, &pictures, &extracted)?;
    let folder = place.write(Made {
        like: &first.folder,
        categories: &split.categories,
        graph: &graph(&backbones, &widths, &fit.head, settings.mirror)?,
        temperature,
        accept: &accept,
        goldens: &goldens,
        size: first.size(),
        files: &[("split.csv", split_table)],
    })?;
    let proving = choose.pictures.iter().take(PROVING);
    let proving: Vec<Picture> = proving.map(|picture| (*picture).clone()).collect();
    let agreement = prove(&folder, &goldens, &proving, &logits.view(), machine)?;

    let below = backbones.iter().zip(widths).map(|(backbone, width)| Below::new(backbone, width));
    let trained = Trained {
        model: place.name.clone(),
        made_by: format!("aisle {}", env!("CARGO_PKG_VERSION")),
        data,
        backbones: below.collect(),
        wide: settings.wide,
        mirror: settings.mirror,
        split: settings.split.clone(),
        head: HeadReport { rules: settings.head, lambda: fit.lambda, tried: fit.tried },
        validation,
        test,
        agreement,
        seconds: Seconds {
            features: seconds_features,
            head: seconds_head,
            total: begun.elapsed().as_secs_f64(),
        },
    };
    let report = serde_json::to_vec_pretty(&trained);
    let report = report.map_err(|error| TrainError::Report(error.to_string()))?;
    place.add("report.json", &report)?;
    let judged: Vec<_> = trained.test.iter().chain([&trained.validation]).collect();
    let album = Album::of(&judged, &pictures, machine);
    place.add("report.html", page::of_training(&trained, &album)?.as_bytes())?;
    place.add("README.md", card(&trained).as_bytes())?;
    place.put()?;
    Ok(trained)
}

/// The split as a table that can be read as a data set again.
fn split_table(
    split: &Split,
    pictures: &[&Picture],
    extracted: &Extracted,
) -> Result<Vec<u8>, TrainError> {
    let fault = |error: String| TrainError::Report(error);
    let mut table = csv::Writer::from_writer(Vec::new());
    let rows = pictures.iter().zip(&extracted.prints).zip(&split.fates);
    table
        .write_record(["image", "category", "split", "sha256"])
        .map_err(|error| fault(error.to_string()))?;
    for ((picture, print), fate) in rows {
        let Fate::Used(part) = fate else { continue };
        let digest: String = print.file.iter().map(|byte| format!("{byte:02x}")).collect();
        let category = picture.category.to_string();
        table
            .write_record([picture.name.as_str(), &category, part.as_str(), &digest])
            .map_err(|error| fault(error.to_string()))?;
    }
    table.into_inner().map_err(|error| fault(error.to_string()))
}
