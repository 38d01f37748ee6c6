//! Running corrupted pictures through a model.

use aisle_worker::decode::decode;
use aisle_worker::model::ModelFolder;
use aisle_worker::preprocess::Framing;
use image::RgbImage;
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::corrupt::corrupt;
use super::{Corrupted, Corruption, Robustness, Severity};
use crate::dataset::Picture;
use crate::features::{FeatureError, Machine, Network};
use crate::report::{Accepted, Answer, Pool, Share, answers};
use crate::watch::Watcher;

/// Draws pictures and what happens to them.
const SEED: u64 = 0x5eed;

/// A picture of the sample: where it stands among the pictures, and where one
/// of another category does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drawn {
    picture: usize,
    other: usize,
}

/// Pictures that are drawn from those judged.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// What was judged, each picture decoded at least once before.
    pub pool: Pool<'a>,
    /// How many are drawn at most.
    pub most: usize,
}

/// Holds a model against a sample of its pictures, made worse in every way.
///
/// # Errors
/// When the network fails, or a picture can no longer be read.
pub fn measure(
    sample: Sample<'_>,
    folder: &ModelFolder,
    network: &mut Network,
    machine: &Machine,
    watcher: &dyn Watcher,
) -> Result<Robustness, FeatureError> {
    let pool = sample.pool;
    let drawn = draw(pool.labels, sample.most);
    let framing = Framing::of(&folder.preprocessing);
    let ways: Vec<(Corruption, Severity)> = (Corruption::ALL.into_iter())
        .flat_map(|corruption| Severity::ALL.map(|severity| (corruption, severity)))
        .collect();
    let mut logits: Vec<Vec<f32>> = vec![Vec::new(); ways.len()];
    watcher.begin("robustness", drawn.len());
    // Whole pictures are large: few at once.
    for chunk in drawn.chunks(2 * machine.threads.get()) {
        let open = |place: usize| open(pool.pictures.get(place).copied(), machine);
        let pictures: Vec<(RgbImage, RgbImage)> = (chunk.par_iter())
            .map(|drawn| Ok((open(drawn.picture)?, open(drawn.other)?)))
            .collect::<Result<_, FeatureError>>()?;
        for (way, logits) in ways.iter().zip(&mut logits) {
            let framed: Vec<Vec<u8>> = (pictures.par_iter().zip(chunk))
                .map(|((picture, other), drawn)| {
                    let seed = SEED ^ drawn.picture as u64;
                    let worse = corrupt(picture, other, *way, seed);
                    framing.pixels(worse.as_ref().unwrap_or(picture))
                })
                .collect();
            let framed: Vec<&[u8]> = framed.iter().map(Vec::as_slice).collect();
            logits.extend(network.run(&framed)?.into_iter().flatten());
        }
        watcher.advance(chunk.len());
    }
    watcher.end();

    let labels: Vec<usize> =
        drawn.iter().filter_map(|drawn| pool.labels.get(drawn.picture).copied()).collect();
    let places: Vec<usize> = drawn.iter().map(|drawn| drawn.picture).collect();
    let plain = pool.logits.select(ndarray::Axis(0), &places);
    let temperature = f64::from(folder.temperature);
    let judge = |logits: &Array2<f32>| {
        answers(Pool { logits: logits.view(), labels: &labels, ..pool }, temperature)
    };
    let corrupted = ways.into_iter().zip(logits).map(|((corruption, severity), logits)| {
        let logits = Array2::from_shape_vec((labels.len(), network.width()), logits)?;
        let answers = judge(&logits);
        Ok(Corrupted {
            corruption,
            severity,
            top_1: right(&answers),
            accepted: folder.accept.iter().map(|each| Accepted::of(each, &answers)).collect(),
        })
    });
    let corrupted = corrupted.collect::<Result<_, ndarray::ShapeError>>();
    Ok(Robustness {
        pictures: labels.len(),
        plain: right(&judge(&plain)),
        corrupted: corrupted.map_err(|error| FeatureError::Stopped(error.to_string()))?,
    })
}

fn right(answers: &[Answer]) -> Share {
    Share::new(answers.iter().filter(|answer| answer.leaf.1).count(), answers.len())
}

/// Extraction has had each picture decoded in a child process, so it is no
/// danger here.
fn open(picture: Option<&Picture>, machine: &Machine) -> Result<RgbImage, FeatureError> {
    let gone = |reason: String| FeatureError::Stopped(reason);
    let picture = picture.ok_or_else(|| gone("a picture is missing".to_owned()))?;
    let fault = |reason: String| gone(format!("{}: {reason}", picture.name));
    let bytes = picture.place.read(machine.limits.max_bytes);
    let bytes = bytes.map_err(|error| fault(error.to_string()))?;
    let decoded = decode(&bytes, &machine.limits).map_err(|error| fault(error.to_string()))?;
    Ok(decoded.pixels)
}

/// A sample, each with the next one of another category where there is one.
fn draw(labels: &[usize], most: usize) -> Vec<Drawn> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(&mut StdRng::seed_from_u64(SEED));
    order.truncate(most);
    let other = |nth: usize, picture: usize| {
        let after = order.iter().cycle().skip(nth + 1).take(order.len()).copied();
        let mut others = after.filter(|other| labels.get(*other) != labels.get(picture));
        others.next().unwrap_or(picture)
    };
    let drawn = order.iter().enumerate();
    drawn.map(|(nth, picture)| Drawn { picture: *picture, other: other(nth, *picture) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_each_picture_once_beside_one_of_another_category() {
        let labels: Vec<usize> = (0..90).map(|nth| nth / 30).collect();
        let drawn = draw(&labels, 40);
        assert_eq!(drawn.len(), 40);
        let mut places: Vec<usize> = drawn.iter().map(|drawn| drawn.picture).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 40);
        assert!(drawn.iter().all(|drawn| labels[drawn.picture] != labels[drawn.other]));
        assert_eq!(draw(&labels, 40), drawn);
    }

    #[test]
    fn a_single_category_is_beside_itself() {
        assert_eq!(draw(&[0], 5), [Drawn { picture: 0, other: 0 }]);
    }
}
