//! The network: an ONNX Runtime session that has been held against its model
//! folder and, but for a replica, has run every batch size once before it is used.
//!
//! A session belongs to one thread. Batches come in a few fixed sizes only,
//! because ONNX Runtime pays time and memory for each new shape.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use ort::environment::Environment;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use crate::model::ModelFolder;
use crate::plan::{Plan, Precision, Provider};

/// How a session is set up besides its plan.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// Images in a batch at most. One image at a time is answered soonest.
    pub max_batch: NonZeroUsize,
    /// Where TensorRT keeps the engines that it has compiled.
    pub engines: Option<PathBuf>,
}

impl SessionSettings {
    /// Those of each of a plan's sessions.
    pub(crate) fn of_part(&self, plan: &Plan) -> Self {
        let part = NonZeroUsize::new(self.max_batch.get() / plan.sessions);
        Self { max_batch: part.unwrap_or(NonZeroUsize::MIN), ..self.clone() }
    }

    /// Those of a session for one image at a time.
    pub(crate) fn of_one(&self) -> Self {
        Self { max_batch: NonZeroUsize::MIN, ..self.clone() }
    }
}

/// Why a network cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// ONNX Runtime refused or failed.
    #[error(transparent)]
    Runtime(#[from] ort::Error),
    /// The provider does not calculate so here.
    #[error("the {provider} provider has no {} on this machine", precision.as_str())]
    Precision {
        /// The provider.
        provider: Provider,
        /// What it was asked for.
        precision: Precision,
    },
    /// The plan names a variant that the folder has not.
    #[error("there is no variant {0} in the model's folder")]
    Variant(String),
    /// The network does not take what the preprocessing makes.
    #[error("the network's input does not fit: {0}")]
    Input(String),
    /// The network does not answer with one logit for each label.
    #[error("the network's output does not fit: {0}")]
    Output(String),
}

/// A network, ready to run.
pub struct Session {
    inner: ort::session::Session,
    output: String,
    labels: usize,
    /// Height and width of an image.
    size: [u32; 2],
    /// Batch sizes, ascending; the first is 1.
    batch_sizes: Vec<usize>,
    /// The values of a batch of several, kept from run to run.
    buffer: Vec<f32>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("output", &self.output)
            .field("batch_sizes", &self.batch_sizes)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Loads a folder's network and runs every batch size once.
    ///
    /// # Errors
    /// When the network cannot be loaded or does not fit the folder.
    pub(crate) fn load(
        environment: &Environment,
        folder: &ModelFolder,
        plan: &Plan,
        settings: &SessionSettings,
    ) -> Result<Self, SessionError> {
        Self::load_cold(environment, folder, plan, settings)?.warmed_up()
    }

    /// Loads a folder's network and runs nothing yet: its first batches take a
    /// little longer.
    ///
    /// # Errors
    /// When the network cannot be loaded or does not fit the folder.
    pub(crate) fn load_cold(
        environment: &Environment,
        folder: &ModelFolder,
        plan: &Plan,
        settings: &SessionSettings,
    ) -> Result<Self, SessionError> {
        let inner = builder(environment, plan, settings)?.commit_from_file(&folder.network)?;
        let size = [folder.preprocessing.output.height, folder.preprocessing.output.width];
        let labels = folder.taxonomy.labels().len();
        let output = pick_output(inner.outputs(), folder.logits.as_deref(), labels)?;
        Self::over(inner, output, labels, size, settings.max_batch)
    }

    /// Loads a graph that is in memory and takes an output of it as it is,
    /// however many values it has for each image.
    ///
    /// # Errors
    /// When the graph cannot be loaded, does not take images of that height
    /// and width, or has no such output.
    pub(crate) fn load_part(
        environment: &Environment,
        graph: &[u8],
        output: &str,
        size: [u32; 2],
        plan: &Plan,
        settings: &SessionSettings,
    ) -> Result<Self, SessionError> {
        let mut inner = builder(environment, plan, settings)?.commit_from_memory(graph)?;
        check_input(inner.inputs(), size)?;
        let width = measure(&mut inner, output, size)?;
        Self::over(inner, output.to_owned(), width, size, settings.max_batch)?.warmed_up()
    }

    fn over(
        inner: ort::session::Session,
        output: String,
        labels: usize,
        size: [u32; 2],
        max_batch: NonZeroUsize,
    ) -> Result<Self, SessionError> {
        let batch_sizes = match check_input(inner.inputs(), size)? {
            Batches::Any => batch_sizes(max_batch.get()),
            Batches::Single => vec![1],
        };
        Ok(Self { inner, output, labels, size, batch_sizes, buffer: Vec::new() })
    }

    /// Values that come out for each image.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.labels
    }

    /// Batch sizes that [`Session::run`] takes, ascending from 1.
    #[must_use]
    pub fn batch_sizes(&self) -> &[usize] {
        &self.batch_sizes
    }

    /// The logits of each image. The number of images is one of the batch
    /// sizes; each has three channels of height times width values.
    ///
    /// # Errors
    /// When ONNX Runtime fails, or answers with another shape.
    pub fn run(&mut self, images: &[&[f32]]) -> Result<Vec<Vec<f32>>, SessionError> {
        let values = match images {
            [image] => image,
            _ => {
                self.buffer.clear();
                images.iter().for_each(|image| self.buffer.extend_from_slice(image));
                self.buffer.as_slice()
            }
        };
        let [height, width] = self.size.map(|side| side as usize);
        let shape = [images.len(), 3, height, width];
        let input = TensorRef::from_array_view((shape, values))?;
        let outputs = self.inner.run(ort::inputs![input])?;
        let logits = outputs
            .get(&self.output)
            .ok_or_else(|| SessionError::Output(format!("{} is missing", self.output)))?;
        let (shape, logits) = logits.try_extract_tensor::<f32>()?;
        if logits.len() != images.len() * self.labels {
            return Err(SessionError::Output(format!(
                "{} has the shape {shape:?} for {} images and {} labels",
                self.output,
                images.len(),
                self.labels
            )));
        }
        Ok(logits.chunks_exact(self.labels).map(<[f32]>::to_vec).collect())
    }

    /// The same, after a run of every batch size.
    fn warmed_up(mut self) -> Result<Self, SessionError> {
        let [height, width] = self.size.map(|side| side as usize);
        let black = vec![0.0; 3 * height * width];
        for size in self.batch_sizes.clone() {
            self.run(&vec![black.as_slice(); size])?;
        }
        Ok(self)
    }
}

fn builder(
    environment: &Environment,
    plan: &Plan,
    settings: &SessionSettings,
) -> Result<SessionBuilder, SessionError> {
    let alone = settings.max_batch == NonZeroUsize::MIN && plan.provider == Provider::Cpu;
    let builder = ort::session::Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(ort::Error::from)?
        .with_intra_threads(plan.threads.get())
        .map_err(ort::Error::from)?
        // Threads that spin while they wait for each other answer an image that is
        // alone sooner. Where there are more images, decoders want the processors,
        // and between runs they always do.
        .with_intra_op_spinning(alone)
        .map_err(ort::Error::from)?
        .with_config_entry("session.force_spinning_stop", "1")
        .map_err(ort::Error::from)?
        .with_inter_threads(1)
        .map_err(ort::Error::from)?
        .with_execution_providers(plan.dispatches(settings.engines.as_deref())?)
        .map_err(ort::Error::from)?;
    Ok(builder)
}

/// Values that an output has for one image.
fn measure(
    session: &mut ort::session::Session,
    output: &str,
    [height, width]: [u32; 2],
) -> Result<usize, SessionError> {
    let [height, width] = [height as usize, width as usize];
    let black = vec![0.0_f32; 3 * height * width];
    let input = TensorRef::from_array_view(([1, 3, height, width], black.as_slice()))?;
    let outputs = session.run(ort::inputs![input])?;
    let values =
        outputs.get(output).ok_or_else(|| SessionError::Output(format!("{output} is missing")))?;
    let (_, values) = values.try_extract_tensor::<f32>()?;
    Ok(values.len())
}

/// Powers of two, and the largest batch itself.
fn batch_sizes(max_batch: usize) -> Vec<usize> {
    let powers = std::iter::successors(Some(1_usize), |size| size.checked_mul(2));
    let mut sizes: Vec<usize> = powers.take_while(|size| *size < max_batch).collect();
    sizes.push(max_batch);
    sizes
}

/// How many images a network takes at once.
#[derive(Debug, PartialEq, Eq)]
enum Batches {
    Any,
    Single,
}

fn check_input(inputs: &[Outlet], [height, width]: [u32; 2]) -> Result<Batches, SessionError> {
    let [input] = inputs else {
        let names: Vec<&str> = inputs.iter().map(Outlet::name).collect();
        return Err(SessionError::Input(format!("it has the inputs {names:?}, not one")));
    };
    let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = input.dtype() else {
        return Err(SessionError::Input(format!("{} is {}", input.name(), input.dtype())));
    };
    let free_or = |dimension: i64, wanted: u32| dimension < 0 || dimension == i64::from(wanted);
    match **shape {
        [batch, channels, h, w]
            if free_or(batch, 1)
                && free_or(channels, 3)
                && free_or(h, height)
                && free_or(w, width) =>
        {
            Ok(if batch < 0 { Batches::Any } else { Batches::Single })
        }
        _ => Err(SessionError::Input(format!(
            "{} takes {shape:?}, and the preprocessing makes [batch, 3, {height}, {width}]",
            input.name()
        ))),
    }
}

/// The output that the folder names, else `logits`, else the first with one
/// value for each label.
fn pick_output(
    outputs: &[Outlet],
    named: Option<&str>,
    labels: usize,
) -> Result<String, SessionError> {
    let find = |name: &str| outputs.iter().find(|output| output.name() == name);
    let picked = match named {
        Some(name) => find(name),
        None => find("logits").or_else(|| outputs.iter().find(|o| width_of(o) == Some(labels))),
    };
    let Some(output) = picked else {
        let names: Vec<&str> = outputs.iter().map(Outlet::name).collect();
        let wanted = named.map_or(format!("one of {labels} values"), |name| format!("{name:?}"));
        return Err(SessionError::Output(format!("there is no {wanted} among {names:?}")));
    };
    match width_of(output) {
        Some(width) if width != labels => Err(SessionError::Output(format!(
            "{} has {width} values, and id2label has {labels} labels",
            output.name()
        ))),
        Some(_) | None => Ok(output.name().to_owned()),
    }
}

/// Values for each image, where the graph says it.
fn width_of(output: &Outlet) -> Option<usize> {
    match output.dtype() {
        ValueType::Tensor { shape, .. } => match **shape {
            [_, width] => usize::try_from(width).ok(),
            _ => None,
        },
        ValueType::Sequence(_) | ValueType::Map { .. } | ValueType::Optional(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_sizes_are_powers_of_two_up_to_the_largest() {
        assert_eq!(batch_sizes(1), [1]);
        assert_eq!(batch_sizes(8), [1, 2, 4, 8]);
        assert_eq!(batch_sizes(12), [1, 2, 4, 8, 12]);
    }
}
