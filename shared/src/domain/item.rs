//! An item: one image of a job, where it comes from and how it ended.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Decision, ModelName};

/// Where an item's image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemSource {
    /// Uploaded: its bytes are in the blob store under the item's reference.
    Upload,
    /// To be fetched by the worker. Not checked yet: the fetcher parses it.
    Url(String),
}

/// An item as submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewItem {
    /// Where its image is.
    pub source: ItemSource,
    /// Bytes of its upload, counted until it has ended; 0 for a URL.
    pub bytes: u64,
    /// Those bytes, where the store of jobs is to keep them with the job;
    /// `None` where the blob store has them, and for a URL.
    pub content: Option<Bytes>,
}

impl NewItem {
    /// An upload of so many bytes, which the blob store has.
    #[must_use]
    pub const fn stored(bytes: u64) -> Self {
        Self { source: ItemSource::Upload, bytes, content: None }
    }

    /// An upload whose bytes come with it.
    #[must_use]
    pub const fn carried(content: Bytes) -> Self {
        Self { source: ItemSource::Upload, bytes: content.len() as u64, content: Some(content) }
    }

    /// An image that a worker fetches.
    #[must_use]
    pub const fn at_url(url: String) -> Self {
        Self { source: ItemSource::Url(url), bytes: 0, content: None }
    }
}

/// One category for an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The category, as the model folder names it.
    pub label: String,
    /// The category's place in the hierarchy, root first; the label alone
    /// when the model's categories are flat.
    pub path: Vec<String>,
    /// Probability from 0 to 1.
    pub score: f32,
}

/// What was found out about the image itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// Media type by content, such as `image/jpeg`.
    pub media_type: Cow<'static, str>,
    /// Width in pixels, after EXIF orientation.
    pub width: u32,
    /// Height in pixels, after EXIF orientation.
    pub height: u32,
    /// Encoded size in bytes.
    pub bytes: u64,
}

/// Milliseconds that an item spent in each stage of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct StageTimings {
    /// Reading the blob or the URL.
    pub fetch_ms: f32,
    /// Decoding the image.
    pub decode_ms: f32,
    /// Resizing and normalising.
    pub preprocess_ms: f32,
    /// Waiting for a batch to be cut.
    pub batch_ms: f32,
    /// Running the network, for the whole batch.
    pub inference_ms: f32,
}

/// A successful item's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// The likeliest categories, best first.
    pub predictions: Vec<Prediction>,
    /// Where categories are paths: for each level above the leaves, root
    /// first, its likeliest categories with the scores of their leaves
    /// added up. Empty when categories are flat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Vec<Prediction>>,
    /// What may be done without a human, where the model says from which
    /// scores on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The model that answered.
    pub model: ModelName,
    /// The model's version: a digest of its folder.
    pub model_version: String,
    /// The execution provider that ran the network, such as `cpu`.
    pub provider: String,
    /// The arithmetic it ran in, such as `fp32`.
    pub precision: String,
    /// How many items shared the network's run; 0 where it did not run.
    pub batch_size: u32,
    /// Whether the network did not run for it: the same picture had been
    /// answered before, or was being answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// The image itself.
    pub image: ImageInfo,
    /// Time spent.
    pub timings: StageTimings,
}

/// Stable machine-readable reason of an item's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No bytes at all.
    EmptyImage,
    /// Not an image type that the service reads.
    UnsupportedType,
    /// The image ends too early.
    Truncated,
    /// The image cannot be decoded.
    Undecodable,
    /// More bytes than allowed.
    TooLarge,
    /// More pixels than allowed, or a side too long.
    TooManyPixels,
    /// The decoder needed too long.
    DecodeTimeout,
    /// The decoder died of this image, twice.
    DecodeCrashed,
    /// The URL breaks the address policy or is no URL.
    UrlNotAllowed,
    /// The URL's host does not exist or could not be reached in time.
    UrlUnreachable,
    /// The URL's host answered something other than an image with status 200.
    UrlRefused,
    /// The uploaded bytes are gone.
    BlobMissing,
    /// The network failed on this image.
    InferenceFailed,
    /// Workers died each time they tried this item.
    WorkerLost,
    /// The model was taken away before the item's turn came.
    ModelRemoved,
    /// Storage failed while the item was being worked on.
    Internal,
}

impl ErrorCode {
    /// The word that stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyImage => "empty_image",
            Self::UnsupportedType => "unsupported_type",
            Self::Truncated => "truncated",
            Self::Undecodable => "undecodable",
            Self::TooLarge => "too_large",
            Self::TooManyPixels => "too_many_pixels",
            Self::DecodeTimeout => "decode_timeout",
            Self::DecodeCrashed => "decode_crashed",
            Self::UrlNotAllowed => "url_not_allowed",
            Self::UrlUnreachable => "url_unreachable",
            Self::UrlRefused => "url_refused",
            Self::BlobMissing => "blob_missing",
            Self::InferenceFailed => "inference_failed",
            Self::WorkerLost => "worker_lost",
            Self::ModelRemoved => "model_removed",
            Self::Internal => "internal",
        }
    }
}

/// Why an item failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct ItemError {
    /// For programs.
    pub code: ErrorCode,
    /// For people; holds no secret and no internal address.
    pub detail: String,
}

impl ItemError {
    /// An error of that code with a sentence for people.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// How an item ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ItemOutcome {
    /// The model answered.
    Succeeded(Box<Classification>),
    /// No answer can be had.
    Failed(ItemError),
    /// The job was canceled first.
    Canceled,
}

/// An ended item with its place in the job.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemResult {
    /// The item's place in the job, from 0.
    pub index: u32,
    /// How it ended.
    pub outcome: ItemOutcome,
}
