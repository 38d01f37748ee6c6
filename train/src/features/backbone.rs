//! A model folder as a backbone: its network without the head.

use std::path::Path;

use aisle_worker::model::{ModelFolder, Resize, ResizeTo};

use super::FeatureError;
use crate::onnx::{Branch, Trunk, build};

/// A model folder whose network is learned from.
#[derive(Debug, Clone)]
pub struct Backbone {
    /// The folder.
    pub folder: ModelFolder,
    /// Its network up to the features.
    pub trunk: Trunk,
}

impl Backbone {
    /// Opens a model folder and takes the head off its network. `wide` lets it
    /// see the whole shorter side of a picture, where it would cut the centre
    /// out.
    ///
    /// # Errors
    /// When the folder is no model, its network has no features, or it cannot
    /// be shown more of a picture.
    pub fn open(path: &Path, wide: bool) -> Result<Self, FeatureError> {
        let mut folder = ModelFolder::open(path)?;
        if wide {
            widen(&mut folder)?;
        }
        let unreadable = |source| FeatureError::File { path: folder.network.clone(), source };
        let bytes = std::fs::read(&folder.network).map_err(unreadable)?;
        let fault = |source| FeatureError::Graph { model: folder.name.clone(), source };
        let trunk = Trunk::of(&bytes, folder.logits.as_deref()).map_err(fault)?;
        Ok(Self { folder, trunk })
    }

    /// Height and width of what the network sees.
    #[must_use]
    pub const fn size(&self) -> [u32; 2] {
        [self.folder.preprocessing.output.height, self.folder.preprocessing.output.width]
    }

    /// The network up to its features, as an ONNX model of its own.
    pub(super) fn graph(&self) -> Result<Vec<u8>, FeatureError> {
        // The width is not known before the network has run, and ONNX Runtime
        // takes what it computes over what a graph says of an output.
        let branch = Branch { trunk: &self.trunk, width: 0, shift: None, mirrored: false };
        let fault = |source| FeatureError::Graph { model: self.folder.name.clone(), source };
        build(&[branch], &[], self.size()).map_err(fault)
    }
}

/// Resizes the shorter side to what is cut out.
fn widen(folder: &mut ModelFolder) -> Result<(), FeatureError> {
    let steps = &mut folder.preprocessing;
    let (Some(resize), Some(crop)) = (&mut steps.resize, steps.crop) else {
        return Err(FeatureError::Narrow(folder.name.clone()));
    };
    match resize.to {
        ResizeTo::ShortestEdge(_) if crop.size.height == crop.size.width => {
            *resize = Resize { to: ResizeTo::ShortestEdge(crop.size.height), ..*resize };
            Ok(())
        }
        ResizeTo::ShortestEdge(_)
        | ResizeTo::Exact(_)
        | ResizeTo::ShortestEdgeUpTo { .. }
        | ResizeTo::LongestEdge(_)
        | ResizeTo::Within(_) => Err(FeatureError::Narrow(folder.name.clone())),
    }
}
