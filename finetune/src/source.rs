//! What the part that learns is shown: changed views of pictures, or the
//! values that they have where the network is cut. Below the cut nothing
//! learns, so ONNX Runtime computes those values, for a few views of each
//! picture once.

use std::path::PathBuf;

use aisle_train::augment::Augmenter;
use aisle_train::features::Network;
use aisle_train::random::generator;
use aisle_train::watch::Watcher;
use aisle_worker::preprocess::Preprocessor;
use rand::Rng as _;
use rayon::prelude::*;

use crate::TuneError;
use crate::pixels::Records;

/// Pictures that are in memory at once while their values are computed.
const CHUNK: usize = 64;

/// Views of pictures for each epoch.
#[derive(Debug)]
pub(crate) struct Source {
    /// Pictures larger than they are seen.
    pub(crate) pixels: Records,
    pub(crate) pictures: usize,
    pub(crate) augmenter: Augmenter,
    pub(crate) preprocessor: Preprocessor,
    pub(crate) seed: u64,
    pub(crate) lower: Option<Lower>,
}

/// What is below the cut.
#[derive(Debug)]
pub(crate) struct Lower {
    network: Network,
    folder: PathBuf,
    /// The values of each view that an epoch has used, made when it is.
    views: Vec<Option<Records>>,
}

impl Lower {
    /// A network up to the cut; the folder says on which disk values are kept.
    pub(crate) fn new(network: Network, views: usize, folder: PathBuf) -> Self {
        let views = (0..views.max(1)).map(|_| None).collect();
        Self { network, folder, views }
    }

    /// The values of pixels as serving frames them.
    pub(crate) fn run(&mut self, pixels: &[&[u8]]) -> Result<Vec<Vec<f32>>, TuneError> {
        Ok(self.network.run(pixels)?)
    }
}

impl Source {
    /// Makes what an epoch needs beforehand.
    pub(crate) fn begin(&mut self, epoch: usize, watcher: &dyn Watcher) -> Result<(), TuneError> {
        let view = self.view_of(epoch);
        let Some(mut lower) = self.lower.take() else { return Ok(()) };
        let made = match lower.views.get(view) {
            Some(None) => self.make(view, &mut lower, watcher),
            Some(Some(_)) | None => Ok(()),
        };
        self.lower = Some(lower);
        made
    }

    /// The views of pictures in an epoch, one after the other.
    pub(crate) fn batch(&self, epoch: usize, places: &[usize]) -> Result<Vec<f32>, TuneError> {
        let view = self.view_of(epoch);
        let kept = self.lower.as_ref().and_then(|lower| lower.views.get(view)?.as_ref());
        let values: Vec<Vec<f32>> = (places.par_iter())
            .map(|place| match kept {
                Some(records) => Ok(floats(&records.read(*place)?)),
                None => Ok(self.preprocessor.tensor(&self.view(view, *place)?)),
            })
            .collect::<Result<_, TuneError>>()?;
        Ok(values.concat())
    }

    /// The pixels of a view, as serving would frame them.
    pub(crate) fn view(&self, view: usize, place: usize) -> Result<Vec<u8>, TuneError> {
        let mut random = generator(self.seed, "view", [view, place]);
        let other = (self.augmenter.wants_scene(&mut random))
            .then(|| self.pixels.read(random.random_range(0..self.pictures)))
            .transpose()?;
        Ok(self.augmenter.view(&self.pixels.read(place)?, other.as_deref(), &mut random))
    }

    /// The number of the views that an epoch is shown.
    pub(crate) fn view_of(&self, epoch: usize) -> usize {
        self.lower.as_ref().map_or(epoch, |lower| epoch % lower.views.len().max(1))
    }

    fn make(&self, view: usize, lower: &mut Lower, watcher: &dyn Watcher) -> Result<(), TuneError> {
        let records = Records::new(&lower.folder, 4 * lower.network.width())?;
        let all: Vec<usize> = (0..self.pictures).collect();
        watcher.begin(&format!("view {}", view + 1), self.pictures);
        for chunk in all.chunks(CHUNK) {
            let pixels: Vec<Vec<u8>> =
                chunk.par_iter().map(|place| self.view(view, *place)).collect::<Result<_, _>>()?;
            let pixels: Vec<&[u8]> = pixels.iter().map(Vec::as_slice).collect();
            for (place, values) in chunk.iter().zip(lower.network.run(&pixels)?) {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                records.write(*place, &bytes)?;
            }
            watcher.advance(chunk.len());
        }
        watcher.end();
        if let Some(slot) = lower.views.get_mut(view) {
            *slot = Some(records);
        }
        Ok(())
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<4>();
    chunks.iter().map(|four| f32::from_le_bytes(*four)).collect()
}
