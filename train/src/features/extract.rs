//! Running pictures through networks, a chunk at a time: read and framed on
//! all threads, then through each network that has not seen them before.

use std::path::PathBuf;

use aisle_shared::domain::ModelName;
use aisle_worker::decoder::{Decoder, Refusal};
use aisle_worker::model::{ModelFolder, Preprocessing};
use aisle_worker::preprocess::{Framing, Preprocessor};
use aisle_worker::tune::TuningSettings;
use aisle_worker::{Extractor, Part};
use ndarray::Array2;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::cache::Cache;
use super::{Backbone, FeatureError, Machine, one_framing};
use crate::dataset::{Picture, Skipped};
use crate::onnx::FEATURES;
use crate::split::{Digest, Fingerprint};
use crate::watch::Watcher;

/// Pictures that are in memory at once.
pub(super) const CHUNK: usize = 64;

/// A network that pictures are run through, and what is known of it.
#[derive(Debug)]
pub struct Network {
    extractor: Extractor,
    preprocessor: Preprocessor,
    cache: Cache,
    /// Where values are kept, if they are.
    shelf: Option<Shelf>,
    /// Whether values are the mean of a picture and its mirror image.
    mirrored: bool,
}

impl Network {
    /// A backbone up to its features; `mirrored`, their mean over a picture and
    /// its mirror image.
    ///
    /// # Errors
    /// When it does not run, or its cache cannot be used.
    pub fn of_backbone(
        backbone: &Backbone,
        mirrored: bool,
        machine: &Machine,
        watcher: &dyn Watcher,
    ) -> Result<Self, FeatureError> {
        let ModelFolder { name, version, preprocessing, .. } = &backbone.folder;
        let graph = backbone.graph()?;
        let part = Part { model: name, graph: &graph, output: FEATURES, size: backbone.size() };
        let extractor =
            Extractor::of_part(&machine.library, part, &machine.plan, &machine.session)?;
        let shelf = machine.cache.as_ref().map(|folder| {
            // Whatever the features depend on, in one line.
            let framing = Framing::of(preprocessing);
            let version = format!("{version} {framing:?} mirrored: {mirrored}");
            Shelf { folder: folder.clone(), name: name.clone(), version }
        });
        let mut network = Self { shelf, mirrored, ..Self::new(extractor, preprocessing) };
        network.cache = network.cache_of("", watcher)?;
        Ok(network)
    }

    /// A cache of its own for pictures that were changed in some way; none
    /// for pictures as they are.
    pub(super) fn cache_of(&self, way: &str, watcher: &dyn Watcher) -> Result<Cache, FeatureError> {
        match &self.shelf {
            Some(shelf) => shelf.open(way, self.width(), watcher),
            None => Ok(Cache::in_memory()),
        }
    }

    /// A whole model: its values are the logits.
    ///
    /// # Errors
    /// When it does not run.
    pub fn of_model(folder: &ModelFolder, machine: &Machine) -> Result<Self, FeatureError> {
        let extractor =
            Extractor::of_model(&machine.library, folder, &machine.plan, &machine.session)?;
        Ok(Self::new(extractor, &folder.preprocessing))
    }

    /// A whole model as a worker with `provider = "auto"` runs it.
    ///
    /// # Errors
    /// When it does not run.
    pub fn as_tuned(
        folder: &ModelFolder,
        machine: &Machine,
        tuning: &TuningSettings,
    ) -> Result<Self, FeatureError> {
        let Machine { library, threads, session, .. } = machine;
        let extractor = Extractor::as_tuned(library, folder, tuning, *threads, session.max_batch)?;
        Ok(Self::new(extractor, &folder.preprocessing))
    }

    /// Forgets what it has computed, and lets others have its cache: a training
    /// may go on for hours after its last look into it.
    pub fn forget(&mut self) {
        self.cache = Cache::in_memory();
    }

    /// Where it runs and in which arithmetic or variant.
    #[must_use]
    pub const fn way(&self) -> &[String; 2] {
        self.extractor.way()
    }

    /// A graph that is in memory and sees pixels as a model folder's network
    /// does: its values are those of one of its outputs.
    ///
    /// # Errors
    /// When it does not run.
    pub fn of_graph(
        like: &ModelFolder,
        graph: &[u8],
        output: &str,
        machine: &Machine,
    ) -> Result<Self, FeatureError> {
        let ModelFolder { name, preprocessing, .. } = like;
        let size = [preprocessing.output.height, preprocessing.output.width];
        let part = Part { model: name, graph, output, size };
        let extractor =
            Extractor::of_part(&machine.library, part, &machine.plan, &machine.session)?;
        Ok(Self::new(extractor, preprocessing))
    }

    fn new(extractor: Extractor, steps: &Preprocessing) -> Self {
        let (preprocessor, cache) = (Preprocessor::new(steps), Cache::in_memory());
        Self { extractor, preprocessor, cache, shelf: None, mirrored: false }
    }

    /// Values for each image.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.extractor.width()
    }

    /// The values of framed pixels, past any cache.
    ///
    /// # Errors
    /// When the network fails.
    pub fn run(&mut self, pixels: &[&[u8]]) -> Result<Vec<Vec<f32>>, FeatureError> {
        let tensors = pixels.par_iter().map(|pixels| self.preprocessor.tensor(pixels));
        let mut tensors: Vec<Vec<f32>> = tensors.collect();
        let mut values = self.run_tensors(&tensors)?;
        if self.mirrored {
            let [_, width] = self.preprocessor.output_size();
            tensors
                .par_iter_mut()
                .flat_map(|tensor| tensor.par_chunks_exact_mut(width as usize))
                .for_each(<[f32]>::reverse);
            for (plain, mirrored) in values.iter_mut().zip(self.run_tensors(&tensors)?) {
                for (one, other) in plain.iter_mut().zip(mirrored) {
                    *one = (*one + other) / 2.0;
                }
            }
        }
        Ok(values)
    }

    fn run_tensors(&mut self, tensors: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, FeatureError> {
        let tensors: Vec<&[f32]> = tensors.iter().map(Vec::as_slice).collect();
        Ok(self.extractor.run(&tensors)?)
    }

    /// Learns of those pictures that are new to a cache.
    pub(super) fn learn(&mut self, ready: &[Ready], cache: &mut Cache) -> Result<(), FeatureError> {
        let new: Vec<&Ready> =
            ready.iter().filter(|ready| cache.get(&ready.print.file).is_none()).collect();
        let pixels: Vec<&[u8]> = new.iter().map(|ready| ready.pixels.as_slice()).collect();
        let values = self.run(&pixels)?;
        let unwritable =
            |source| FeatureError::File { path: "the cache of features".into(), source };
        for (ready, values) in new.iter().zip(values) {
            cache.put(ready.print, values).map_err(unwritable)?;
        }
        cache.flush().map_err(unwritable)
    }
}

/// Where the values of a network are kept.
#[derive(Debug, Clone)]
struct Shelf {
    folder: PathBuf,
    name: ModelName,
    /// Whatever they depend on, in one line.
    version: String,
}

impl Shelf {
    /// The cache for pictures that were changed in some way.
    fn open(&self, way: &str, width: usize, watcher: &dyn Watcher) -> Result<Cache, FeatureError> {
        let Self { folder, name, version } = self;
        let version = format!("{version}{way}");
        let digest = Sha256::digest(&version)
            .iter()
            .take(8)
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let path = folder.join(format!("{name}-{digest}.features"));
        let fault = |source| FeatureError::File { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(fault)?;
        Cache::open(&path, &version, width, watcher).map_err(fault)
    }
}

/// What came of pictures, those that could be read in their order.
#[derive(Debug)]
pub struct Extracted {
    /// The place of each among the pictures given.
    pub places: Vec<usize>,
    /// What the content of each is told by.
    pub prints: Vec<Fingerprint>,
    /// A row for each: the values of all networks side by side.
    pub rows: Array2<f32>,
    /// Pictures that could not be read.
    pub broken: Vec<Skipped>,
}

impl Extracted {
    /// The rows, of pictures that could be read a moment ago.
    ///
    /// # Errors
    /// When one cannot be read any more.
    pub fn of_known(self) -> Result<Array2<f32>, FeatureError> {
        match self.broken.into_iter().next() {
            Some(Skipped { name, reason }) => Err(FeatureError::Changed { name, why: reason }),
            None => Ok(self.rows),
        }
    }
}

/// A picture on its way to the networks.
pub(super) struct Ready {
    pub(super) print: Fingerprint,
    pub(super) pixels: Vec<u8>,
}

/// What a look at a picture's file brought.
enum Seen {
    /// All networks know it already.
    Known(Fingerprint),
    Ready(Ready),
    Broken(String),
}

/// Runs pictures through networks that share a framing.
///
/// # Errors
/// When a network fails, or decoding stops working; never for a picture's
/// fault.
pub fn extract(
    pictures: &[Picture],
    networks: &mut [Network],
    framing: &Framing,
    machine: &Machine,
    watcher: &dyn Watcher,
) -> Result<Extracted, FeatureError> {
    let decoder = Decoder::start(&machine.decoder, machine.limits.clone(), machine.threads)?;
    let (mut places, mut prints, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    watcher.begin("features", pictures.len());
    for (number, chunk) in pictures.chunks(CHUNK).enumerate() {
        let looked: Vec<Seen> = (chunk.par_iter())
            .map(|picture| look(picture, networks, framing, &decoder, machine.limits.max_bytes))
            .collect::<Result<_, _>>()?;
        let mut ready = Vec::new();
        for ((nth, picture), seen) in chunk.iter().enumerate().zip(looked) {
            let print = match seen {
                Seen::Broken(reason) => {
                    broken.push(Skipped::new(&picture.name, reason));
                    continue;
                }
                Seen::Known(print) => print,
                Seen::Ready(one) => {
                    let print = one.print;
                    ready.push(one);
                    print
                }
            };
            places.push(number * CHUNK + nth);
            prints.push(print);
        }
        for network in &mut *networks {
            let mut cache = std::mem::take(&mut network.cache);
            let learned = network.learn(&ready, &mut cache);
            network.cache = cache;
            learned?;
        }
        watcher.advance(chunk.len());
    }
    watcher.end();
    let caches: Vec<&Cache> = networks.iter().map(|network| &network.cache).collect();
    let rows = rows(&prints, &caches, networks.iter().map(Network::width).sum());
    Ok(Extracted { places, prints, rows, broken })
}

fn look(
    picture: &Picture,
    networks: &[Network],
    framing: &Framing,
    decoder: &Decoder,
    most: u64,
) -> Result<Seen, FeatureError> {
    let bytes = match picture.place.read(most) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Seen::Broken(error.to_string())),
    };
    let file: Digest = Sha256::digest(&bytes).into();
    let known: Option<Vec<_>> = networks.iter().map(|network| network.cache.get(&file)).collect();
    if let Some(first) = known.as_ref().and_then(|known| known.first()) {
        return Ok(Seen::Known(Fingerprint { file, pixels: first.pixels }));
    }
    match decoder.frame(&bytes, framing) {
        Ok(framed) => {
            let pixels = Sha256::digest(&framed.pixels).into();
            Ok(Seen::Ready(Ready { print: Fingerprint { file, pixels }, pixels: framed.pixels }))
        }
        Err(Refusal::Image(error)) => Ok(Seen::Broken(error.to_string())),
        Err(Refusal::Unavailable(reason)) => Err(FeatureError::Stopped(reason)),
    }
}

/// A row for each picture: what caches know of it side by side.
pub(super) fn rows(prints: &[Fingerprint], caches: &[&Cache], width: usize) -> Array2<f32> {
    let mut rows = Array2::zeros((prints.len(), width));
    for (mut row, print) in rows.rows_mut().into_iter().zip(prints) {
        let known = caches.iter().filter_map(|cache| cache.get(&print.file));
        let values = known.flat_map(|known| &known.features);
        for (slot, value) in row.iter_mut().zip(values) {
            *slot = *value;
        }
    }
    rows
}

/// The networks of backbones that share a framing, and that framing.
///
/// # Errors
/// When they do not, or one does not run.
pub fn networks(
    backbones: &[Backbone],
    mirrored: bool,
    machine: &Machine,
    watcher: &dyn Watcher,
) -> Result<(Vec<Network>, Framing), FeatureError> {
    let framing = one_framing(backbones)?;
    let networks =
        backbones.iter().map(|backbone| Network::of_backbone(backbone, mirrored, machine, watcher));
    Ok((networks.collect::<Result<_, _>>()?, framing))
}
