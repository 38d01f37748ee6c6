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
    /// The precisions that a job may ask for with `accept_precision`, lowest
    /// first, each with its thresholds; empty where the model's folder has none.
    accept: Vec<Acceptance>,
    /// Why what its folder holds now is not served, and this version still is;
    /// null where it is served.
    #[schema(required, example = json!(null))]
    trouble: Option<String>,
}

/// From which scores on answers are right as often as a shop asks for, chosen
/// on pictures that were not learned from.
#[derive(Debug, Serialize, ToSchema)]
struct Acceptance {
    /// The share of right answers.
    #[schema(exclusive_minimum = 0, maximum = 1, example = 0.95)]
    precision: f64,
    /// The least score of the likeliest label; null where none gives that share.
    #[schema(required, minimum = 0, maximum = 1, example = 0.83)]
    score: Option<f64>,
    /// The same for the likeliest category of each level above the labels, root
    /// first, where the label is not sure enough. Empty where parent categories
    /// are not fallen back to.
    #[schema(example = json!([0.71, null]))]
    levels: Vec<Option<f64>>,
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
            accept: card.accept.iter().cloned().map(Acceptance::from).collect(),
            trouble: card.trouble.clone(),
        }
    }
}

impl From<domain::Acceptance> for Acceptance {
    fn from(domain::Acceptance { precision, score, levels }: domain::Acceptance) -> Self {
        Self { precision, score, levels }
    }
}

impl Model {
    /// A model with its labels, and whether it is the default.
    pub(crate) fn new(model: AnnouncedModel, default: bool) -> Self {
        Self { summary: ModelSummary::new(&model, default), labels: model.card.labels }
    }
}
