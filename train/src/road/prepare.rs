//! The part of the road that every way of learning walks first: what there
//! is, what networks make of it, which part each picture plays.

use std::time::Instant;

use aisle_worker::preprocess::Framing;

use super::TrainSettings;
use super::sets::Set;
use super::summary::Data;
use crate::TrainError;
use crate::dataset::{Dataset, Part, Picture};
use crate::export::Place;
use crate::features::{Backbone, FeatureError, Machine, Network, Views, extract, networks};
use crate::split::{Fate, Fingerprint, Split};
use crate::watch::Watcher;

/// A data set with its split and its features, ready to be learned from.
#[derive(Debug)]
pub struct Prepared {
    /// Where the model folder is to stand.
    pub place: Place,
    /// The networks that are learned from; there is at least one.
    pub backbones: Vec<Backbone>,
    /// The same, ready to run.
    pub networks: Vec<Network>,
    /// How serving cuts a picture to what the networks see.
    pub framing: Framing,
    /// The pictures that could be read, in the order of their names.
    pub pictures: Vec<Picture>,
    /// What the content of each is told by.
    pub prints: Vec<Fingerprint>,
    /// What becomes of each.
    pub split: Split,
    /// The same in numbers.
    pub data: Data,
    /// The pictures to learn from.
    pub learn: Set,
    /// The pictures that settings are chosen on.
    pub choose: Set,
    /// The pictures that only test.
    pub test: Set,
    /// When the work began.
    pub begun: Instant,
    /// How long features took.
    pub seconds: f64,
}

impl Prepared {
    /// Reads a data set, runs it through the backbones and splits it.
    ///
    /// # Errors
    /// When the data, a backbone or the folder to write cannot be used.
    pub fn new(settings: &TrainSettings, watcher: &dyn Watcher) -> Result<Self, TrainError> {
        let begun = Instant::now();
        let machine = &settings.machine;
        let place = Place::check(&settings.out, settings.replace)?;
        let dataset = Dataset::open(&settings.source)?;
        let backbones = settings.backbones.iter().map(|path| Backbone::open(path, settings.wide));
        let backbones = backbones.collect::<Result<Vec<_>, _>>()?;
        let (mut networks, framing) = networks(&backbones, settings.mirror, machine, watcher)?;
        let mut extracted = extract(&dataset.pictures, &mut networks, &framing, machine, watcher)?;
        networks.iter_mut().for_each(Network::forget);
        let seconds = begun.elapsed().as_secs_f64();

        let read: Vec<&Picture> =
            extracted.places.iter().filter_map(|place| dataset.pictures.get(*place)).collect();
        let printed: Vec<_> = read.iter().copied().zip(extracted.prints.iter().copied()).collect();
        let split = Split::of(&printed, &settings.split)?;
        let [learn, choose, test] = Part::ALL.map(|part| Set::of(part, &split, &extracted, &read));
        let broken = std::mem::take(&mut extracted.broken);
        let data = Data::new(&split, &read, dataset.skipped, broken);
        let pictures = read.into_iter().cloned().collect();
        let prints = extracted.prints;
        Ok(Self {
            place,
            backbones,
            networks,
            framing,
            pictures,
            prints,
            split,
            data,
            learn,
            choose,
            test,
            begun,
            seconds,
        })
    }

    /// The backbone whose preprocessing is that of the model.
    ///
    /// # Errors
    /// When there is none.
    pub fn first(&self) -> Result<&Backbone, FeatureError> {
        self.backbones.first().ok_or(FeatureError::NoBackbone)
    }

    /// The pictures of a set.
    #[must_use]
    pub fn pictures_of(&self, set: &Set) -> Vec<Picture> {
        set.places.iter().filter_map(|place| self.pictures.get(*place)).cloned().collect()
    }

    /// The pictures of a set, each with what its content is told by.
    pub(super) fn printed(&self, set: &Set) -> Vec<(&Picture, Fingerprint)> {
        let printed = |place: &usize| Some((self.pictures.get(*place)?, *self.prints.get(*place)?));
        set.places.iter().filter_map(printed).collect()
    }

    /// The pictures to learn from with changed views of them.
    pub(super) fn learn_with(
        &self,
        views: Views,
        networks: &mut [Network],
        machine: &Machine,
        watcher: &dyn Watcher,
    ) -> Result<Set, TrainError> {
        let steps = &self.first()?.folder.preprocessing;
        let found = views.extract(&self.printed(&self.learn), networks, steps, machine, watcher)?;
        let learn = self.learn.with_views(&found);
        Ok(learn.map_err(|error| FeatureError::Stopped(error.to_string()))?)
    }

    /// The split as a table that can be read as a data set again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn split_table(&self) -> Result<Vec<u8>, TrainError> {
        let fault = |error: csv::Error| TrainError::Report(error.to_string());
        let mut table = csv::Writer::from_writer(Vec::new());
        let rows = self.pictures.iter().zip(&self.prints).zip(&self.split.fates);
        table.write_record(["image", "category", "split", "sha256"]).map_err(fault)?;
        for ((picture, print), fate) in rows {
            let Fate::Used(part) = fate else { continue };
            let digest: String = print.file.iter().map(|byte| format!("{byte:02x}")).collect();
            let category = picture.category.to_string();
            table
                .write_record([picture.name.as_str(), &category, part.as_str(), &digest])
                .map_err(fault)?;
        }
        table.into_inner().map_err(|error| TrainError::Report(error.to_string()))
    }
}
