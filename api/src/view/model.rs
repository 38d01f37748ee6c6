//! Models as callers read them.

use aisle_shared::domain::{self, AnnouncedModel};
use serde::Serialize;
use utoipa::ToSchema;

/// Models that workers have announced, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// The models.
    pub(crate) data: Vec<ModelSummary>,
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelSummary {
    /// Its name: what a job's `model` takes.
    #[schema(example = "mobilenet-v2")]
    name: String,
    /// Its version: a digest of its folder.
    version: String,
    /// Whether jobs that name no model get this one.
    default: bool,
    /// Workers that serve it now. Jobs wait while there are none.
    live_workers: u32,
    /// How many categories it knows.
    label_count: usize,
    /// What its network takes.
    input_size: InputSize,
    /// What turns its outputs into scores.
    activation: Activation,
    /// The execution provider that runs it, such as `cpu`.
    provider: String,
    /// The arithmetic that it runs in, such as `fp32`.
    precision: String,
}

/// A model with its labels.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    #[serde(flatten)]
    summary: ModelSummary,
    /// Every category, in the order of the network's output.
    labels: Vec<String>,
}

/// The size of a network's input in pixels.
#[derive(Debug, Serialize, ToSchema)]
struct InputSize {
    /// Height in pixels.
    height: u32,
    /// Width in pixels.
    width: u32,
}

/// What turns a network's outputs into scores.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Activation {
    /// Exactly one category is right: scores add up to 1.
    Softmax,
    /// Any number of categories may be right: each score stands alone.
    Sigmoid,
}

impl ModelSummary {
    /// A model, and whether it is the default.
    pub(crate) fn new(model: &AnnouncedModel, default: bool) -> Self {
        let card = &model.card;
        let [height, width] = card.input_size;
        Self {
            name: card.name.to_string(),
            version: card.version.clone(),
            default,
            live_workers: model.live_workers,
            label_count: card.labels.len(),
            input_size: InputSize { height, width },
            activation: match card.activation {
                domain::Activation::Softmax => Activation::Softmax,
                domain::Activation::Sigmoid => Activation::Sigmoid,
            },
            provider: card.provider.clone(),
            precision: card.precision.clone(),
        }
    }
}

impl Model {
    /// A model with its labels, and whether it is the default.
    pub(crate) fn new(model: AnnouncedModel, default: bool) -> Self {
        Self { summary: ModelSummary::new(&model, default), labels: model.card.labels }
    }
}
