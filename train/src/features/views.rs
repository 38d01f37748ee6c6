//! Features of changed views of pictures: what a head learns to bear.

use aisle_worker::decoder::Decoder;
use aisle_worker::model::Preprocessing;
use aisle_worker::preprocess::Framing;
use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::cache::Cache;
use super::extract::{CHUNK, Ready, rows};
use super::{FeatureError, Machine, Network};
use crate::augment::{Augmenter, larger};
use crate::dataset::Picture;
use crate::random::generator;
use crate::road::tuning::Augment;
use crate::split::{Digest, Fingerprint};
use crate::watch::Watcher;

/// Changed views of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Views {
    /// How many of each picture.
    pub number: usize,
    /// How pictures are changed.
    pub augment: Augment,
    /// Two runs with the same number change alike.
    pub seed: u64,
}

impl Views {
    /// What changes pictures as they are framed for some preprocessing, and
    /// the framing of what it is given.
    fn augmenter(&self, steps: &Preprocessing) -> (Augmenter, Framing) {
        let (from, to) = (larger(steps), Framing::of(steps));
        let augmenter =
            Augmenter { rules: self.augment, from: from.output_size(), to: to.output_size() };
        (augmenter, from)
    }

    /// A view of a picture, by what it is and not by where it stands: pictures
    /// that are added later leave the views of the others as they were.
    fn view(&self, augmenter: &Augmenter, pixels: &[u8], file: &Digest, number: usize) -> Vec<u8> {
        let purpose = [b"view".as_slice(), file].concat();
        augmenter.view(pixels, None, &mut generator(self.seed, purpose, [number, 0]))
    }

    /// Runs views of pictures through networks that share a framing: a row for
    /// the first view of each picture, then a row for the second of each, and
    /// so on.
    ///
    /// # Errors
    /// When a network fails, or a picture is not what it was when it was told
    /// by its content.
    pub fn extract(
        &self,
        pictures: &[(&Picture, Fingerprint)],
        networks: &mut [Network],
        steps: &Preprocessing,
        machine: &Machine,
        watcher: &dyn Watcher,
    ) -> Result<Array2<f32>, FeatureError> {
        let (augmenter, framing) = self.augmenter(steps);
        let decoder = Decoder::start(&machine.decoder, machine.limits.clone(), machine.threads)?;
        let mut caches: Vec<Vec<Cache>> = Vec::new();
        for number in 0..self.number {
            let way = format!(
                " view {number} by {} with seed {} of {framing:?}",
                augmenter.described(),
                self.seed
            );
            let open = networks.iter().map(|network| network.cache_of(&way, watcher));
            caches.push(open.collect::<Result<_, _>>()?);
        }
        watcher.begin("views", pictures.len());
        for chunk in pictures.chunks(CHUNK) {
            let is_new = |file: &Digest, caches: &[Cache]| {
                caches.iter().any(|cache| cache.get(file).is_none())
            };
            let decoded: Vec<Option<Vec<u8>>> = (chunk.par_iter())
                .map(|(picture, print)| {
                    let wanted = caches.iter().any(|caches| is_new(&print.file, caches));
                    wanted
                        .then(|| again((picture, *print), &framing, &decoder, machine))
                        .transpose()
                })
                .collect::<Result<_, _>>()?;
            for (number, caches) in caches.iter_mut().enumerate() {
                let ready: Vec<Ready> = (chunk.par_iter().zip(&decoded))
                    .filter(|((_, print), _)| is_new(&print.file, caches))
                    .filter_map(|((_, print), pixels)| {
                        let pixels = self.view(&augmenter, pixels.as_ref()?, &print.file, number);
                        Some(Ready { print: *print, pixels })
                    })
                    .collect();
                for (network, cache) in networks.iter_mut().zip(caches) {
                    network.learn(&ready, cache)?;
                }
            }
            watcher.advance(chunk.len());
        }
        watcher.end();
        let prints: Vec<Fingerprint> = pictures.iter().map(|(_, print)| *print).collect();
        let width = networks.iter().map(Network::width).sum();
        let mut all = Array2::zeros((0, width));
        for caches in &caches {
            let caches: Vec<&Cache> = caches.iter().collect();
            let of_view = rows(&prints, &caches, width);
            all.append(ndarray::Axis(0), of_view.view())
                .map_err(|error| FeatureError::Stopped(error.to_string()))?;
        }
        Ok(all)
    }

    /// The pixels of a picture's views, as networks with some preprocessing
    /// see them.
    ///
    /// # Errors
    /// When the picture is not what it was.
    pub fn pixels(
        &self,
        printed: (&Picture, Fingerprint),
        steps: &Preprocessing,
        decoder: &Decoder,
        machine: &Machine,
    ) -> Result<Vec<Vec<u8>>, FeatureError> {
        let (augmenter, framing) = self.augmenter(steps);
        let pixels = again(printed, &framing, decoder, machine)?;
        let view = |number| self.view(&augmenter, &pixels, &printed.1.file, number);
        Ok((0..self.number).map(view).collect())
    }
}

/// Decodes a picture that was decoded before.
///
/// # Errors
/// When it is not what it was.
pub(crate) fn again(
    (picture, print): (&Picture, Fingerprint),
    framing: &Framing,
    decoder: &Decoder,
    machine: &Machine,
) -> Result<Vec<u8>, FeatureError> {
    let changed = |why: String| FeatureError::Changed { name: picture.name.clone(), why };
    let bytes = picture.place.read(machine.limits.max_bytes);
    let bytes = bytes.map_err(|error| changed(error.to_string()))?;
    if *Sha256::digest(&bytes) != print.file {
        return Err(changed("its bytes are others".to_owned()));
    }
    let framed = decoder.frame(&bytes, framing);
    Ok(framed.map_err(|refusal| changed(refusal.to_string()))?.pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_follows_from_the_seed_the_picture_and_its_number() {
        let augmenter = Augmenter { rules: Augment::BEARING, from: [32; 2], to: [28; 2] };
        let pixels: Vec<u8> = (0..3 * 32).cycle().take(3 * 32 * 32).collect();
        let view = |seed, file: u8, number| {
            let views = Views { number: 2, augment: Augment::BEARING, seed };
            views.view(&augmenter, &pixels, &[file; 32], number)
        };
        let first = view(0, 1, 0);
        assert_eq!(first, view(0, 1, 0));
        for other in [view(1, 1, 0), view(0, 2, 0), view(0, 1, 1)] {
            assert_ne!(first, other);
        }
    }
}
