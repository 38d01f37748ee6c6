//! One image's result as callers read it.

use aisle_shared::domain::{self, ItemOutcome};
use serde::Serialize;
use utoipa::ToSchema;

/// An image that has ended. What only a successful image has is null
/// otherwise.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemResult {
    /// The image's place in the job, from 0, in the order of the request.
    index: u32,
    /// How it ended.
    status: ItemStatus,
    /// The likeliest categories, best first.
    predictions: Vec<Prediction>,
    /// Where categories are paths: for each level above the leaves, root
    /// first, its likeliest categories with their leaves' scores added up.
    levels: Vec<Vec<Prediction>>,
    /// Whether the answer is sure enough to do without a human; null where the
    /// model says of no score how often it is right.
    #[schema(required)]
    decision: Option<Decision>,
    /// Why it failed.
    #[schema(required)]
    error: Option<ItemError>,
    /// The model's version: a digest of its folder.
    #[schema(required)]
    model_version: Option<String>,
    /// The execution provider that ran the network, such as `cpu`.
    #[schema(required)]
    provider: Option<String>,
    /// The arithmetic that it ran in, such as `fp32`.
    #[schema(required)]
    precision: Option<String>,
    /// Whether the image was not classified anew: the same picture had been
    /// answered before, or was being answered.
    cached: bool,
    /// Images that shared the network's run; null where it did not run.
    #[schema(required)]
    batch_size: Option<u32>,
    /// The image itself.
    #[schema(required)]
    image: Option<Image>,
    /// Milliseconds spent in each stage.
    #[schema(required)]
    timings: Option<Timings>,
}

/// How an image ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ItemStatus {
    /// The model answered.
    Succeeded,
    /// No answer can be had.
    Failed,
    /// The job was canceled first.
    Canceled,
}

/// One category for an image.
#[derive(Debug, Serialize, ToSchema)]
struct Prediction {
    /// The category, as the model names it.
    #[schema(example = "Apparel > Topwear > Shirts")]
    label: String,
    /// The category's place in the hierarchy, root first; the label alone
    /// where categories are flat.
    #[schema(example = json!(["Apparel", "Topwear", "Shirts"]))]
    path: Vec<String>,
    /// Probability.
    #[schema(minimum = 0, maximum = 1, example = 0.93)]
    score: f32,
}

/// Whether an answer is sure enough: its likeliest label where that is, else
/// the likeliest category of the nearest level above that is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "accepted": "parent",
    "precision": 0.95,
    "category": {"label": "Apparel > Topwear", "path": ["Apparel", "Topwear"], "score": 0.97}
}))]
struct Decision {
    /// What is accepted.
    accepted: Accepted,
    /// The share of right answers that was decided at: of pictures like those
    /// that the thresholds were chosen on, so many of those accepted are right.
    #[schema(exclusive_minimum = 0, maximum = 1, example = 0.95)]
    precision: f64,
    /// The category that is accepted; null where a human has to look.
    #[schema(required)]
    category: Option<Prediction>,
}

/// What of an answer is accepted.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Accepted {
    /// Its likeliest label.
    Leaf,
    /// The likeliest category of a level above the labels.
    Parent,
    /// Nothing: a human has to look.
    None,
}

/// Why an image failed.
#[derive(Debug, Serialize, ToSchema)]
struct ItemError {
    /// For programs.
    #[schema(example = "truncated")]
    code: &'static str,
    /// For people.
    detail: String,
}

/// What was found out about the image itself.
#[derive(Debug, Serialize, ToSchema)]
struct Image {
    /// Media type by content.
    #[schema(example = "image/jpeg")]
    media_type: String,
    /// Width in pixels, after EXIF orientation.
    width: u32,
    /// Height in pixels, after EXIF orientation.
    height: u32,
    /// Encoded size in bytes.
    bytes: u64,
}

/// Milliseconds spent in each stage of the worker.
#[derive(Debug, Serialize, ToSchema)]
struct Timings {
    /// Reading the upload or the URL.
    fetch_ms: f32,
    /// Decoding the image.
    decode_ms: f32,
    /// Resizing and normalising.
    preprocess_ms: f32,
    /// Waiting for a batch to be cut.
    batch_ms: f32,
    /// Running the network, for the whole batch.
    inference_ms: f32,
}

impl ItemResult {
    fn bare(index: u32, status: ItemStatus, error: Option<ItemError>) -> Self {
        Self {
            index,
            status,
            predictions: Vec::new(),
            levels: Vec::new(),
            decision: None,
            error,
            model_version: None,
            provider: None,
            precision: None,
            cached: false,
            batch_size: None,
            image: None,
            timings: None,
        }
    }

    fn classified(index: u32, found: domain::Classification) -> Self {
        Self {
            index,
            status: ItemStatus::Succeeded,
            predictions: found.predictions.into_iter().map(Prediction::from).collect(),
            levels: found
                .levels
                .into_iter()
                .map(|level| level.into_iter().map(Prediction::from).collect())
                .collect(),
            decision: found.decision.map(Decision::from),
            error: None,
            model_version: Some(found.model_version),
            provider: Some(found.provider),
            precision: Some(found.precision),
            cached: found.cached,
            batch_size: (!found.cached).then_some(found.batch_size),
            image: Some(found.image.into()),
            timings: Some(found.timings.into()),
        }
    }
}

impl From<domain::ItemResult> for ItemResult {
    fn from(domain::ItemResult { index, outcome }: domain::ItemResult) -> Self {
        match outcome {
            ItemOutcome::Succeeded(found) => Self::classified(index, *found),
            ItemOutcome::Failed(error) => {
                let error = ItemError { code: error.code.as_str(), detail: error.detail };
                Self::bare(index, ItemStatus::Failed, Some(error))
            }
            ItemOutcome::Canceled => Self::bare(index, ItemStatus::Canceled, None),
        }
    }
}

impl From<domain::Prediction> for Prediction {
    fn from(domain::Prediction { label, path, score }: domain::Prediction) -> Self {
        Self { label, path, score }
    }
}

impl From<domain::Decision> for Decision {
    fn from(domain::Decision { precision, accepted }: domain::Decision) -> Self {
        let (accepted, category) = match accepted {
            domain::Accepted::Leaf(category) => (Accepted::Leaf, Some(category)),
            domain::Accepted::Parent(category) => (Accepted::Parent, Some(category)),
            domain::Accepted::None => (Accepted::None, None),
        };
        Self { accepted, precision, category: category.map(Prediction::from) }
    }
}

impl From<domain::ImageInfo> for Image {
    fn from(info: domain::ImageInfo) -> Self {
        let domain::ImageInfo { media_type, width, height, bytes } = info;
        Self { media_type: media_type.into_owned(), width, height, bytes }
    }
}

impl From<domain::StageTimings> for Timings {
    fn from(spent: domain::StageTimings) -> Self {
        Self {
            fetch_ms: spent.fetch_ms,
            decode_ms: spent.decode_ms,
            preprocess_ms: spent.preprocess_ms,
            batch_ms: spent.batch_ms,
            inference_ms: spent.inference_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aisle_shared::domain::ErrorCode;

    #[test]
    fn a_failed_image_shows_its_error_and_no_predictions() {
        let outcome = ItemOutcome::Failed(domain::ItemError::new(ErrorCode::Truncated, "cut off"));
        let view = ItemResult::from(domain::ItemResult { index: 3, outcome });
        let json = serde_json::to_value(view).unwrap();
        assert_eq!(json["status"], "failed");
        assert_eq!(json["index"], 3);
        assert_eq!(json["error"], serde_json::json!({"code": "truncated", "detail": "cut off"}));
        assert_eq!(json["predictions"], serde_json::json!([]));
        assert!(json["image"].is_null());
    }
}
