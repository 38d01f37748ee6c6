//! Classifying images that are already here, without a store: the same
//! stages as the worker's, one after the other.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use aisle_shared::domain::{
    Classification, ErrorCode, ImageInfo, ItemError, ModelName, StageTimings,
};
use aisle_shared::image_probe::ImageLimits;
use bytes::Bytes;

use crate::decoder::{Decoder, DecoderSettings, Framed, Refusal};
use crate::error::WorkerError;
use crate::loaded::LoadedModel;
use crate::model::Catalog;
use crate::network::Network;
use crate::plan::ProviderChoice;
use crate::postprocess::Question;
use crate::runtime::environment;
use crate::settings::default_threads;
use crate::stage::{in_milliseconds, milliseconds};
use crate::tune::{Planner, TuningSettings, Use};

/// How a classifier is set up.
#[derive(Debug, Clone)]
pub struct ClassifierSettings {
    /// A model folder, or a folder of them.
    pub models: PathBuf,
    /// The model to use; needed where there is more than one.
    pub model: Option<ModelName>,
    /// The ONNX Runtime library.
    pub ort_lib: PathBuf,
    /// Where the network runs.
    pub provider: ProviderChoice,
    /// Where ways to run networks are tried and remembered.
    pub tuning: TuningSettings,
    /// Threads for decoding and for the network.
    pub threads: NonZeroUsize,
    /// Images in a batch at most.
    pub max_batch: NonZeroUsize,
    /// Limits that hold before an image is decoded.
    pub image_limits: ImageLimits,
    /// How images are decoded.
    pub decoder: DecoderSettings,
}

impl ClassifierSettings {
    /// The defaults for a models' folder and a library.
    #[must_use]
    pub fn new(
        models: PathBuf,
        ort_lib: PathBuf,
        decoder: DecoderSettings,
        tuning: TuningSettings,
    ) -> Self {
        Self {
            models,
            model: None,
            ort_lib,
            provider: ProviderChoice::default(),
            tuning,
            threads: default_threads(),
            max_batch: crate::settings::DEFAULT_MAX_BATCH,
            image_limits: ImageLimits::default(),
            decoder,
        }
    }
}

/// One model that classifies images in this process.
#[derive(Debug)]
pub struct Classifier {
    model: LoadedModel,
    network: Network,
    threads: NonZeroUsize,
    decoder: Decoder,
}

/// An image on its way to the network.
struct Prepared {
    tensor: Vec<f32>,
    image: ImageInfo,
    timings: StageTimings,
}

impl Classifier {
    /// Loads the model and warms it up.
    ///
    /// # Errors
    /// When ONNX Runtime, the model or the decoder cannot be used, or it is
    /// not clear which model is meant.
    pub fn load(settings: &ClassifierSettings) -> Result<Self, WorkerError> {
        let catalog = Catalog::open(&settings.models)?;
        let folder = choose(catalog, settings)?;
        let environment = environment(&settings.ort_lib)?;
        let planner = Planner {
            environment: &environment,
            library: &settings.ort_lib,
            choice: settings.provider,
            tuning: &settings.tuning,
            threads: settings.threads,
            max_batch: settings.max_batch,
            use_of: Use::Lists,
        };
        let (model, network) = planner.load(folder)?;
        let limits = settings.image_limits.clone();
        let decoder = Decoder::start(&settings.decoder, limits, settings.threads)?;
        Ok(Self { model, network, threads: settings.threads, decoder })
    }

    /// The model as a worker would announce it.
    #[must_use]
    pub fn card(&self) -> &aisle_shared::domain::ModelCard {
        self.model.card()
    }

    /// Classifies images, in the order given. Holds one tensor for each image
    /// at once, so pass long lists in parts.
    pub fn classify(
        &mut self,
        images: &[Bytes],
        question: Question,
    ) -> Vec<Result<Classification, ItemError>> {
        let mut prepared = self.prepare(images);
        let mut answers: Vec<Option<Result<Classification, ItemError>>> = Vec::new();
        answers.resize_with(images.len(), || None);
        let mut waiting: Vec<(usize, Prepared)> = Vec::new();
        for (place, result) in prepared.drain(..).enumerate() {
            match result {
                Ok(ready) => waiting.push((place, ready)),
                Err(error) => set(&mut answers, place, Err(error)),
            }
        }
        while !waiting.is_empty() {
            let batch = self.network.largest_batch(waiting.len());
            let batch: Vec<(usize, Prepared)> = waiting.drain(..batch).collect();
            for (place, answer) in self.run(batch, question) {
                set(&mut answers, place, answer);
            }
        }
        let missing = || Err(ItemError::new(ErrorCode::Internal, "the image was not classified"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
    }

    /// The logits of tensors, in the order given, by the network as it serves.
    pub fn logits(&mut self, tensors: &[&[f32]]) -> Vec<Result<Vec<f32>, ItemError>> {
        let (mut logits, mut rest) = (Vec::with_capacity(tensors.len()), tensors);
        while !rest.is_empty() {
            let batch = self.network.largest_batch(rest.len());
            let (now, later) = rest.split_at(batch.min(rest.len()));
            logits.extend(self.network.run(now));
            rest = later;
        }
        logits
    }

    /// Decodes and preprocesses on all threads.
    fn prepare(&self, images: &[Bytes]) -> Vec<Result<Prepared, ItemError>> {
        let queue = Mutex::new(images.iter().enumerate());
        let done = Mutex::new(Vec::with_capacity(images.len()));
        std::thread::scope(|scope| {
            for _ in 0..self.threads.get().min(images.len()) {
                scope.spawn(|| {
                    loop {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some((place, bytes)) = next else { break };
                        let prepared = self.prepare_one(bytes);
                        done.lock().unwrap_or_else(PoisonError::into_inner).push((place, prepared));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, prepared)| prepared).collect()
    }

    fn prepare_one(&self, bytes: &Bytes) -> Result<Prepared, ItemError> {
        let framed = self.decoder.frame(bytes, self.model.preprocessor().framing());
        let Framed { pixels, info, decoding, resizing } =
            framed.map_err(|refusal| match refusal {
                Refusal::Image(error) => error,
                Refusal::Unavailable(_) => ItemError::new(ErrorCode::Internal, refusal.to_string()),
            })?;
        let start = Instant::now();
        let tensor = self.model.preprocessor().tensor(&pixels);
        let timings = StageTimings {
            decode_ms: in_milliseconds(decoding),
            preprocess_ms: in_milliseconds(resizing + start.elapsed()),
            ..StageTimings::default()
        };
        Ok(Prepared { tensor, image: info, timings })
    }

    fn run(
        &mut self,
        batch: Vec<(usize, Prepared)>,
        question: Question,
    ) -> Vec<(usize, Result<Classification, ItemError>)> {
        let start = Instant::now();
        let tensors: Vec<&[f32]> = batch.iter().map(|(_, image)| image.tensor.as_slice()).collect();
        let logits = self.network.run(&tensors);
        let inference_ms = milliseconds(start);
        let batch_size = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        batch
            .into_iter()
            .zip(logits)
            .map(|((place, prepared), logits)| {
                let timings = StageTimings { inference_ms, ..prepared.timings };
                let answer = logits.and_then(|logits| {
                    let ranking = self.model.postprocessor().rank(&logits, question)?;
                    Ok(self.model.classification(ranking, batch_size, prepared.image, timings))
                });
                (place, answer)
            })
            .collect()
    }
}

fn set(
    answers: &mut [Option<Result<Classification, ItemError>>],
    place: usize,
    answer: Result<Classification, ItemError>,
) {
    if let Some(slot) = answers.get_mut(place) {
        *slot = Some(answer);
    }
}

/// The model that is meant: the one named, or the only one.
fn choose(
    catalog: Catalog,
    settings: &ClassifierSettings,
) -> Result<crate::model::ModelFolder, WorkerError> {
    let present = || catalog.models.iter().map(|model| model.name.to_string()).collect();
    match &settings.model {
        Some(wanted) => match catalog.find(wanted) {
            Some(folder) => Ok(folder.clone()),
            None if catalog.broken.is_empty() => {
                Err(WorkerError::UnknownModel { wanted: wanted.clone(), present: present() })
            }
            None => Err(WorkerError::Broken(catalog.broken)),
        },
        None => match catalog.models.as_slice() {
            [only] => Ok(only.clone()),
            [] if catalog.broken.is_empty() => Err(WorkerError::NoModels(settings.models.clone())),
            [] => Err(WorkerError::Broken(catalog.broken)),
            [_, ..] => Err(WorkerError::Ambiguous(present())),
        },
    }
}
