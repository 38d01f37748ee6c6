//! `aisle train` by frozen features.

use std::path::PathBuf;
use std::time::Instant;

use ndarray::Array2;

use super::Prepared;
use super::finish::Learned;
use super::prove::goldens;
use super::sets::Set;
use super::summary::{HeadReport, Trained};
use super::watching::Watching;
use crate::TrainError;
use crate::dataset::Source;
use crate::export::graph;
use crate::features::{Machine, Network, Views};
use crate::head::{self, Fit, Witness, fit};
use crate::split;
use crate::watch::Watcher;

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
    /// Changed views of pictures that a head on frozen networks learns from
    /// beside the pictures, if any.
    pub views: Option<Views>,
    /// The folder in which event files for TensorBoard are written.
    pub log: Option<PathBuf>,
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
    let mut prepared = Prepared::new(settings, watcher)?;
    let (views, machine) = (settings.views, &settings.machine);
    let mut networks = std::mem::take(&mut prepared.networks);
    let mut watching = Watching::begin(&prepared, settings)?;
    let begun = Instant::now();
    let with_views = views
        .map(|views| prepared.learn_with(views, &mut networks, machine, watcher))
        .transpose()?;
    let of_views = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let learn = with_views.as_ref().unwrap_or(&prepared.learn);
    let fit = prepared.head(learn, settings.head, watcher, &mut |tried| {
        watching.as_mut().map_or(Ok(()), |watching| watching.tell(learn, &tried))
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    prepared.networks = networks;
    prepared.seconds += of_views;
    let validation = fit.head.logits(&prepared.choose.features.view());
    let test = fit.head.logits(&prepared.test.features.view());
    let widths: Vec<usize> = prepared.networks.iter().map(Network::width).collect();
    let graph = graph(&prepared.backbones, &widths, &fit.head, settings.mirror)?;
    let first = prepared.first()?.folder.preprocessing.clone();
    let networks = &mut prepared.networks;
    let goldens = goldens(&first, &settings.machine, |pixels| {
        let mut features = Vec::new();
        for network in &mut *networks {
            features.extend(network.run(&[pixels])?.into_iter().flatten());
        }
        let row = Array2::from_shape_vec((1, features.len()), features);
        let row = row.map_err(|error| TrainError::Golden(error.to_string()))?;
        Ok::<_, TrainError>(fit.head.logits(&row.view()).into_iter().collect())
    })?;
    let learned = Learned {
        graph: &graph,
        proving: validation.view(),
        validation: validation.clone(),
        test,
        goldens,
        rounding: 0.0,
        head: Some(HeadReport {
            rules: settings.head,
            views,
            lambda: fit.lambda,
            tried: fit.tried,
        }),
        tuning: None,
        seconds,
    };
    prepared.finish(learned, settings)
}

impl Prepared {
    /// A head on the features of some pictures.
    ///
    /// # Errors
    /// When none is found.
    pub fn head(
        &self,
        learn: &Set,
        rules: head::Rules,
        watcher: &dyn Watcher,
        witness: &mut Witness<'_>,
    ) -> Result<Fit, TrainError> {
        let categories = self.split.categories.len();
        Ok(fit(learn.known(), self.choose.known(), categories, rules, watcher, witness)?)
    }
}
