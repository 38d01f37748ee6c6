//! What a receiver gets, in the document. It is written by the sender, which
//! knows nothing of the document; a test holds the two together.
#![expect(dead_code, reason = "the message's shape in the document; the sender writes its text")]

use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{JobStatus, WebhookEvent};

/// The body of a webhook: at most 20 kB.
#[derive(ToSchema)]
pub(crate) struct WebhookMessage {
    /// What happened.
    #[schema(rename = "type")]
    kind: WebhookEvent,
    /// When it happened, the same in every attempt.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The job that ended.
    data: WebhookData,
}

/// A job as its end is told. What does not fit is null and marked as omitted:
/// the job's address has it.
#[derive(ToSchema)]
struct WebhookData {
    /// The job's id.
    #[schema(format = Uuid)]
    id: String,
    /// How it ended.
    status: JobStatus,
    /// The model that classified its images.
    model: String,
    /// How many images ended how.
    items: WebhookItems,
    /// When the job was accepted.
    #[schema(format = DateTime)]
    created_at: String,
    /// When its last image ended.
    #[schema(format = DateTime)]
    completed_at: String,
    /// The caller's own words.
    #[schema(required, value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// Whether metadata were left out because they did not fit.
    metadata_omitted: bool,
    /// The images' results by index, for jobs of at most 20 images.
    #[schema(required)]
    results: Option<Vec<WebhookResult>>,
    /// Whether results were left out: too many, too large, or gone.
    results_omitted: bool,
    /// Where to go from here.
    urls: WebhookUrls,
}

/// How many images of the job ended how.
#[derive(ToSchema)]
struct WebhookItems {
    /// Images in the job.
    total: u32,
    /// Images with predictions.
    succeeded: u32,
    /// Images that ended with an error.
    failed: u32,
    /// Images canceled before they ended otherwise.
    canceled: u32,
}

/// One image's result, in brief.
#[derive(ToSchema)]
struct WebhookResult {
    /// The image's place in the job, from 0.
    index: u32,
    /// `succeeded`, `failed` or `canceled`.
    status: String,
    /// The likeliest categories, best first.
    predictions: Vec<WebhookPrediction>,
    /// Whether the answer is sure enough to do without a human; null where the
    /// model says of no score how often it is right.
    #[schema(required)]
    decision: Option<WebhookDecision>,
    /// Why it failed.
    #[schema(required)]
    error: Option<WebhookError>,
}

/// Whether an answer is sure enough.
#[derive(ToSchema)]
struct WebhookDecision {
    /// `leaf`, `parent`, or `none` where a human has to look.
    accepted: String,
    /// The share of right answers that was decided at.
    #[schema(exclusive_minimum = 0, maximum = 1)]
    precision: f64,
    /// The category that is accepted.
    #[schema(required)]
    category: Option<WebhookPrediction>,
}

/// One category for an image.
#[derive(ToSchema)]
struct WebhookPrediction {
    /// The category, as the model names it.
    label: String,
    /// The category's place in the hierarchy, root first.
    path: Vec<String>,
    /// Probability.
    #[schema(minimum = 0, maximum = 1)]
    score: f32,
}

/// Why an image failed.
#[derive(ToSchema)]
struct WebhookError {
    /// For programs.
    code: String,
    /// For people.
    detail: String,
}

/// Addresses.
#[derive(ToSchema)]
struct WebhookUrls {
    /// The job.
    #[schema(format = UriReference, example = "/v1/jobs/019a3c5e-7b1f-7c3a-9d52-1f0e6a8b4c2d")]
    job: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aisle_shared::domain::{
        EndedJob, ErrorCode, Event, ItemCounts, ItemError, ItemOutcome, ItemResult, JobId,
        JobStatus, Timestamp,
    };
    use aisle_shared::webhook::payload;
    use serde_json::Value;

    fn names<'v>(members: impl Iterator<Item = &'v String>) -> BTreeSet<String> {
        members.cloned().collect()
    }

    /// Every object of the message has the members of its schema, all of them.
    fn agrees(document: &Value, schema: &str, message: &Value) {
        let schema = &document["components"]["schemas"][schema];
        let described = schema["properties"].as_object().unwrap();
        let members = message.as_object().unwrap();
        assert_eq!(names(members.keys()), names(described.keys()), "{schema}");
        let required = schema["required"].as_array().unwrap();
        assert_eq!(required.len(), described.len(), "{schema}");
    }

    #[test]
    fn the_document_describes_what_the_sender_writes() {
        let error = ItemError::new(ErrorCode::Truncated, "cut off");
        let results = [ItemResult { index: 0, outcome: ItemOutcome::Failed(error) }];
        let job = EndedJob {
            id: JobId::generate(),
            model: "shoes".parse().unwrap(),
            status: JobStatus::Failed,
            items: ItemCounts { total: 1, failed: 1, ..ItemCounts::default() },
            metadata: serde_json::Map::new(),
            created_at: Timestamp(0),
            completed_at: Timestamp(1),
            trace: None,
        };
        let body = payload(&job, Event::JobFailed, Some(&results)).unwrap();
        let message: Value = serde_json::from_slice(&body).unwrap();
        let document: Value = serde_json::from_str(&crate::document()).unwrap();
        let data = &message["data"];
        agrees(&document, "WebhookMessage", &message);
        agrees(&document, "WebhookData", data);
        agrees(&document, "WebhookItems", &data["items"]);
        agrees(&document, "WebhookResult", &data["results"][0]);
        agrees(&document, "WebhookError", &data["results"][0]["error"]);
        agrees(&document, "WebhookUrls", &data["urls"]);
    }
}
