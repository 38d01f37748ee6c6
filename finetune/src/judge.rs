//! How good the present weights are: the graph that would be served with
//! them, run by the code that serves.

use aisle_train::Machine;
use aisle_train::export::graph;
use aisle_train::features::{Backbone, FeatureError, Network};
use aisle_train::head::LinearHead;
use aisle_train::onnx::LOGITS;
use ndarray::{Array1, Array2};

use crate::TuneError;
use crate::learner::{HEAD_BIAS, HEAD_WEIGHT, Learner};
use crate::network::values;
use crate::pixels::Records;

/// Pictures that are in memory at once.
const CHUNK: usize = 64;

/// The pictures that choose, and what is needed to run them.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) backbone: &'a Backbone,
    /// Whether the features are the mean of a picture and its mirror image.
    pub(crate) mirror: bool,
    pub(crate) machine: &'a Machine,
    /// Framed as in serving.
    pub(crate) pixels: Records,
    pub(crate) labels: &'a [usize],
}

impl Judge<'_> {
    /// The logits of the pictures that choose.
    pub(crate) fn logits(&self, learner: &Learner) -> Result<Array2<f32>, TuneError> {
        let graph = self.graph(learner)?;
        let like = &self.backbone.folder;
        let mut network = Network::of_graph(like, &graph, LOGITS, self.machine)?;
        let all: Vec<usize> = (0..self.labels.len()).collect();
        let mut logits = Vec::new();
        for chunk in all.chunks(CHUNK) {
            let pixels: Vec<Vec<u8>> =
                chunk.iter().map(|place| self.pixels.read(*place)).collect::<Result<_, _>>()?;
            let pixels: Vec<&[u8]> = pixels.iter().map(Vec::as_slice).collect();
            logits.extend(network.run(&pixels)?.into_iter().flatten());
        }
        matrix(self.labels.len(), logits)
    }

    /// The graph of the whole model with the learner's average weights.
    pub(crate) fn graph(&self, learner: &Learner) -> Result<Vec<u8>, TuneError> {
        let (mut inner, mut head) = (Vec::new(), (Vec::new(), Vec::new()));
        for (name, tensor) in learner.weights.names.iter().zip(&learner.average) {
            let values = values(tensor.clone())?;
            match name.as_str() {
                HEAD_WEIGHT => head.0 = values,
                HEAD_BIAS => head.1 = values,
                _ => inner.push((name.clone(), values)),
            }
        }
        for (name, tensor) in learner.statistics() {
            inner.push((name, values(tensor)?));
        }
        let changed = inner.iter().map(|(name, values)| (name.as_str(), values.as_slice()));
        let fault =
            |source| FeatureError::Graph { model: self.backbone.folder.name.clone(), source };
        let trunk = self.backbone.trunk.with_weights(changed).map_err(fault)?;
        let folder = self.backbone.folder.clone();
        let (weight, bias) = head;
        let categories = bias.len();
        let weight = matrix(categories, weight)?;
        let width = weight.ncols();
        let head = LinearHead { weight, bias: Array1::from(bias) };
        Ok(graph(&[Backbone { folder, trunk }], &[width], &head.into(), self.mirror)?)
    }
}

/// Values as so many rows.
pub(crate) fn matrix(rows: usize, values: Vec<f32>) -> Result<Array2<f32>, TuneError> {
    let width = values.len() / rows.max(1);
    let matrix = Array2::from_shape_vec((rows, width), values);
    matrix.map_err(|error| TuneError::Tensor(error.to_string()))
}
