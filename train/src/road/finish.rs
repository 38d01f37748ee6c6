//! The part of the road that every way of learning walks last: what was
//! learned is judged, written, proved and told.

use ndarray::{Array2, ArrayView2};

use super::prove::{best, prove};
use super::summary::{Below, HeadReport, Seconds, Trained};
use super::tuning::Tuning;
use super::{Prepared, TrainSettings};
use crate::TrainError;
use crate::dataset::Picture;
use crate::export::{Golden, Made, card};
use crate::features::Network;
use crate::head::temperature;
use crate::page::{self, Album};
use crate::report::{Pool, answers, judge, thresholds};

/// Pictures of the validation part that prove the written model.
pub const PROVING: usize = 32;

/// What was learned.
#[derive(Debug)]
pub struct Learned<'a> {
    /// The graph of the whole model.
    pub graph: &'a [u8],
    /// The logits of the pictures that settings were chosen on.
    pub validation: Array2<f32>,
    /// The logits of those that only test.
    pub test: Array2<f32>,
    /// What training computed of the first of those that settings were chosen
    /// on: [`PROVING`], or fewer where there are fewer.
    pub proving: ArrayView2<'a, f32>,
    /// What training computed of the golden pictures.
    pub goldens: Vec<Golden>,
    /// The difference of a logit that rounding may explain at least.
    pub rounding: f64,
    /// How the head was found, where it was searched for by itself.
    pub head: Option<HeadReport>,
    /// How the network was tuned, where it was.
    pub tuning: Option<Tuning>,
    /// How long learning took.
    pub seconds: f64,
}

impl Prepared {
    /// Judges what was learned, writes the model folder, proves that serving
    /// computes what training did, and puts it in its place.
    ///
    /// # Errors
    /// When the folder cannot be written, or does not compute what training
    /// did.
    pub fn finish(
        self,
        mut learned: Learned<'_>,
        settings: &TrainSettings,
    ) -> Result<Trained, TrainError> {
        let (choose, test) = (self.pictures_of(&self.choose), self.pictures_of(&self.test));
        let [chosen, tested]: [Vec<&Picture>; 2] = [&choose, &test].map(|set| set.iter().collect());
        let pool = Pool {
            categories: &self.split.categories,
            logits: learned.validation.view(),
            labels: &self.choose.labels,
            pictures: &chosen,
        };
        let temperature = temperature(&pool.logits, pool.labels);
        let accept = thresholds(&answers(pool, temperature));
        let validation = judge(pool, temperature, &accept);
        let test = (!tested.is_empty()).then(|| {
            let (logits, labels) = (learned.test.view(), &self.test.labels);
            judge(Pool { logits, labels, pictures: &tested, ..pool }, temperature, &accept)
        });
        for golden in &mut learned.goldens {
            golden.answers = best(&self.split.categories, &golden.logits, temperature);
            golden.rounding = learned.rounding;
        }
        let first = self.first()?;
        let folder = self.place.write(Made {
            like: &first.folder,
            categories: &self.split.categories,
            graph: learned.graph,
            temperature,
            accept: &accept,
            goldens: &learned.goldens,
            size: first.size(),
            files: &[("split.csv", self.split_table()?)],
        })?;
        let proving = choose.get(..PROVING).unwrap_or(&choose);
        let Learned { goldens, proving: logits, rounding, .. } = &learned;
        let agreement = prove(&folder, goldens, proving, logits, *rounding, &settings.machine)?;
        let judged: Vec<_> = test.iter().chain([&validation]).collect();
        let pictures: Vec<&Picture> = self.pictures.iter().collect();
        let album = Album::of(&judged, &pictures, &settings.machine);

        let widths = self.networks.iter().map(Network::width);
        let below = self.backbones.iter().zip(widths);
        let trained = Trained {
            model: self.place.name.clone(),
            made_by: format!("aisle {}", env!("CARGO_PKG_VERSION")),
            data: self.data,
            backbones: below.map(|(backbone, width)| Below::new(backbone, width)).collect(),
            wide: settings.wide,
            mirror: settings.mirror,
            split: settings.split.clone(),
            head: learned.head,
            tuning: learned.tuning,
            validation,
            test,
            agreement,
            seconds: Seconds {
                features: self.seconds,
                head: learned.seconds,
                total: self.begun.elapsed().as_secs_f64(),
            },
        };
        let report = serde_json::to_vec_pretty(&trained);
        let report = report.map_err(|error| TrainError::Report(error.to_string()))?;
        self.place.add("report.json", &report)?;
        self.place.add("report.html", page::of_training(&trained, &album)?.as_bytes())?;
        self.place.add("README.md", card(&trained).as_bytes())?;
        self.place.put()?;
        Ok(trained)
    }
}
