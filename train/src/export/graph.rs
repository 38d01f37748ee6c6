//! The graph of a whole model: backbones, then the head.

use crate::features::{Backbone, FeatureError, shift};
use crate::head::{Head, LinearHead};
use crate::onnx::{Branch, Layer, OnnxError, build};

/// One ONNX graph from the first backbone's tensors to logits, with the
/// features of all backbones side by side as a second output. `widths` are the
/// features of each backbone; `mirrored` says
/// that they are the mean of a picture and its mirror image.
///
/// # Errors
/// When the backbones cannot stand in one graph.
pub fn graph(
    backbones: &[Backbone],
    widths: &[usize],
    head: &Head,
    mirrored: bool,
) -> Result<Vec<u8>, FeatureError> {
    let first = backbones.first().ok_or(FeatureError::NoBackbone)?;
    let branches: Vec<Branch<'_>> = (backbones.iter().zip(widths))
        .map(|(backbone, width)| Branch {
            trunk: &backbone.trunk,
            width: *width,
            shift: shift(&first.folder.preprocessing, &backbone.folder.preprocessing),
            mirrored,
        })
        .collect();
    let fault =
        |source: OnnxError| FeatureError::Graph { model: first.folder.name.clone(), source };
    // Matrices that were made here lie in rows.
    let rows = |head: &LinearHead| head.weight.as_standard_layout().into_owned();
    let layers = || head.hidden.iter().chain([&head.output]);
    let weights: Vec<_> = layers().map(rows).collect();
    let layers = weights.iter().zip(layers()).map(|(weight, layer)| {
        Some(Layer { weight: weight.as_slice()?, bias: layer.bias.as_slice()? })
    });
    let layers = layers.collect::<Option<Vec<_>>>();
    let layers = layers.ok_or_else(|| fault(OnnxError::Missing("head")))?;
    build(&branches, &layers, first.size()).map_err(fault)
}
