//! What a training begins with: checked rules, a place for tensors, a head, and
//! pictures to show.

use std::path::Path;

use aisle_train::TrainSettings;
use aisle_train::augment::{Augmenter, larger};
use aisle_train::features::{Backbone, FeatureError, Network};
use aisle_train::head;
use aisle_train::onnx::{Branch, Cut, FEATURES, Program, build};
use aisle_train::road::Prepared;
use aisle_train::road::tuning::Rules;
use aisle_train::watch::Watcher;
use aisle_worker::preprocess::Preprocessor;
use burn::tensor::Device;
use sha2::{Digest as _, Sha256};

use crate::learner::Start;
use crate::source::{Lower, Source};
use crate::targets::{Targets, Taught};
use crate::teacher::Teacher;
use crate::{Place, TuneError, TuneSettings, pixels};

/// Refuses rules that cannot be followed.
pub(super) fn check(rules: &Rules) -> Result<(), TuneError> {
    let refuse = |what: &str| Err(TuneError::Rule(what.to_owned()));
    if rules.layers == Some(0) {
        return refuse("at least one layer learns besides the head: without, train as usual");
    }
    if rules.batch < 2 || rules.epochs == 0 {
        return refuse("a step takes at least two pictures, and there is at least one epoch");
    }
    if !(0.0..=1.0).contains(&rules.taught) || !(0.0..=1.0).contains(&rules.augment.clutter) {
        return refuse("what a teacher says and what is cluttered are shares from 0 to 1");
    }
    let is_rate = rules.learning_rate > 0.0 && rules.learning_rate.is_finite();
    if !is_rate || !(0.0..=1.0).contains(&rules.mix_up) || !(0.0..1.0).contains(&rules.smoothing) {
        return refuse(
            "a learning rate lies above 0, what is mixed from 0 to 1, what is smoothed from 0 to \
             below 1",
        );
    }
    Ok(())
}

/// Where tensors lie.
pub(super) fn device(place: Place) -> Result<Device, TuneError> {
    match place {
        Place::Cpu => Ok(Device::flex()),
        #[cfg(feature = "cuda")]
        Place::Gpu => Ok(Device::cuda(0)),
        #[cfg(not(feature = "cuda"))]
        Place::Gpu => Err(TuneError::Gpu("this program was built without the feature `cuda`")),
    }
}

/// The steps of a backbone.
pub(super) fn program(backbone: &Backbone) -> Result<Program, TuneError> {
    let fault = |source| FeatureError::Graph { model: backbone.folder.name.clone(), source };
    Ok(backbone.trunk.program().map_err(fault)?)
}

/// What the head begins as: the best on the features as they are, so that
/// tuning begins where a frozen network ends; or nothing, where features are
/// those of random weights.
pub(super) fn start(
    prepared: &Prepared,
    settings: &TuneSettings,
    watcher: &dyn Watcher,
) -> Result<Start, TuneError> {
    if settings.from_scratch.is_some() {
        let categories = prepared.split.categories.len();
        let width = prepared.learn.features.ncols();
        return Ok(Start { weight: vec![0.0; categories * width], bias: vec![0.0; categories] });
    }
    let rules = head::Rules { hidden: None, ..settings.train.head };
    let head = prepared.head(&prepared.learn, rules, watcher, &mut |_| Ok(()))?.head.output;
    Ok(Start { weight: head.weight.iter().copied().collect(), bias: head.bias.to_vec() })
}

/// What answers are held against.
pub(super) fn targets(
    prepared: &Prepared,
    teacher: Option<&Teacher>,
    settings: &TuneSettings,
    watcher: &dyn Watcher,
) -> Result<Targets, TuneError> {
    let TuneSettings { rules, train, .. } = settings;
    let labels = &prepared.learn.labels;
    if labels.len() < 2 {
        return Err(TuneError::TooFew { pictures: labels.len() });
    }
    let categories = prepared.split.categories.len();
    let targets = Targets::new(labels, categories, rules.balance, rules.smoothing);
    let Some(teacher) = teacher else { return Ok(targets) };
    let pictures = prepared.pictures_of(&prepared.learn);
    let shares = teacher.shares(&pictures, &train.machine, watcher)?;
    Ok(targets.taught(Taught { shares, weight: rules.taught }))
}

/// What the part above a cut is shown.
pub(super) fn source(
    prepared: &Prepared,
    backbone: &Backbone,
    cut: &Cut,
    settings: &TuneSettings,
    folder: &Path,
    watcher: &dyn Watcher,
) -> Result<Source, TuneError> {
    let machine = &settings.train.machine;
    let larger = larger(&backbone.folder.preprocessing);
    let pictures = prepared.pictures_of(&prepared.learn);
    let lower = (cut.first > 0).then(|| lower(backbone, cut, settings, folder)).transpose()?;
    Ok(Source {
        pixels: pixels::decode(&pictures, &larger, machine, folder, watcher)?,
        pictures: pictures.len(),
        augmenter: Augmenter {
            rules: settings.rules.augment,
            from: larger.output_size(),
            to: prepared.framing.output_size(),
        },
        preprocessor: Preprocessor::new(&backbone.folder.preprocessing),
        seed: settings.rules.seed,
        lower,
    })
}

fn lower(
    backbone: &Backbone,
    cut: &Cut,
    settings: &TuneSettings,
    folder: &Path,
) -> Result<Lower, TuneError> {
    let trunk = backbone.trunk.up_to(&cut.value);
    let branch = Branch { trunk: &trunk, width: 0, shift: None, mirrored: false };
    let fault = |source| FeatureError::Graph { model: backbone.folder.name.clone(), source };
    let graph = build(&[branch], &[], backbone.size()).map_err(fault)?;
    let machine = &settings.train.machine;
    let network = Network::of_graph(&backbone.folder, &graph, FEATURES, machine)?;
    Ok(Lower::new(network, settings.rules.views, folder.to_owned()))
}

/// A digest of all that decides what is learned.
pub(super) fn digest(
    prepared: &Prepared,
    train: &TrainSettings,
    teacher: Option<&Teacher>,
    settings: &TuneSettings,
) -> Result<String, TuneError> {
    let rules = serde_json::to_vec(&(&settings.rules, train.head, train.wide, train.mirror));
    let rules = rules.map_err(|error| TuneError::Tensor(error.to_string()))?;
    let version = &prepared.first()?.folder.version;
    let mut digest = Sha256::new();
    digest.update(rules);
    digest.update(format!("{version} {:?} {:?}", settings.from_scratch, settings.place));
    digest.update(teacher.map(Teacher::name).unwrap_or_default());
    digest.update(prepared.split_table()?);
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
