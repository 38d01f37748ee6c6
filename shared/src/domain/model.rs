//! What workers announce: themselves and the models they serve.

use serde::{Deserialize, Serialize};

use super::{Acceptance, ModelName, Timestamp, WorkerId};

/// What turns logits into scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Exactly one category is right: scores add up to 1.
    Softmax,
    /// Any number of categories may be right: each score stands alone.
    Sigmoid,
}

/// A model as a worker serves it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The model's name: that of its folder.
    pub name: ModelName,
    /// Its version: a digest of its folder.
    pub version: String,
    /// Every category, in the order of the network's output.
    pub labels: Vec<String>,
    /// Height and width of the network's input in pixels.
    pub input_size: [u32; 2],
    /// What turns logits into scores.
    pub activation: Activation,
    /// The execution provider that runs it, such as `cpu`.
    pub provider: String,
    /// The arithmetic it runs in, such as `fp32`.
    pub precision: String,
    /// From which scores on its answers are right as often as a shop may ask
    /// for; none where the folder does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Acceptance>,
    /// Why what its folder holds now is not served, and this version still is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A worker process as it announces itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerCard {
    /// The worker's id.
    pub id: WorkerId,
    /// Process id on its host.
    pub pid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// What it serves.
    pub models: Vec<ModelCard>,
}

/// A model that some worker announced, now or in the past.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnouncedModel {
    /// The model as announced last.
    pub card: ModelCard,
    /// Workers that serve it now.
    pub live_workers: u32,
}
