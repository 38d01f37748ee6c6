//! The graph of a whole model: backbones, then the head.

use crate::features::{Backbone, FeatureError, shift};
use crate::head::LinearHead;
use crate::onnx::{Branch, Head, OnnxError, build};

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
    head: &LinearHead,
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
    let weight = head.weight.as_standard_layout();
    let (Some(weight), Some(bias)) = (weight.as_slice(), head.bias.as_slice()) else {
        return Err(fault(OnnxError::Missing("head")));
    };
    build(&branches, Some(Head { weight, bias }), first.size()).map_err(fault)
}
