//! The body of a message: `{type, timestamp, data}`, thin enough for any
//! receiver. What does not fit is left out and marked as left out; the job's
//! address has it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::{EndedJob, ItemOutcome, ItemResult};

/// Bytes that a body may have.
pub const MAX_PAYLOAD_BYTES: usize = 20_000;

/// Images of a job whose results may stand in the body.
pub const RESULTS_AT_MOST: u32 = 20;

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: &'a str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: String,
    status: &'static str,
    model: &'a str,
    items: Counts,
    created_at: String,
    completed_at: &'a str,
    metadata: Option<&'a Map<String, Value>>,
    metadata_omitted: bool,
    results: Option<&'a [Result<'a>]>,
    results_omitted: bool,
    urls: Urls,
}

#[derive(Serialize)]
struct Counts {
    total: u32,
    succeeded: u32,
    failed: u32,
    canceled: u32,
}

#[derive(Serialize)]
struct Urls {
    job: String,
}

#[derive(Serialize)]
struct Result<'a> {
    index: u32,
    status: &'static str,
    predictions: Vec<Prediction<'a>>,
    decision: Option<Decision<'a>>,
    error: Option<Error<'a>>,
}

#[derive(Serialize)]
struct Decision<'a> {
    accepted: &'static str,
    precision: f64,
    category: Option<Prediction<'a>>,
}

#[derive(Serialize)]
struct Prediction<'a> {
    label: &'a str,
    path: &'a [String],
    score: f32,
}

#[derive(Serialize)]
struct Error<'a> {
    code: &'static str,
    detail: &'a str,
}

impl<'a> Result<'a> {
    fn of(result: &'a ItemResult) -> Self {
        let bare = |status| Self {
            index: result.index,
            status,
            predictions: vec![],
            decision: None,
            error: None,
        };
        match &result.outcome {
            ItemOutcome::Succeeded(found) => Self {
                predictions: found.predictions.iter().map(Prediction::of).collect(),
                decision: found.decision.as_ref().map(Decision::of),
                ..bare("succeeded")
            },
            ItemOutcome::Failed(error) => {
                let error = Error { code: error.code.as_str(), detail: &error.detail };
                Self { error: Some(error), ..bare("failed") }
            }
            ItemOutcome::Canceled => bare("canceled"),
        }
    }
}

impl<'a> Prediction<'a> {
    fn of(prediction: &'a crate::domain::Prediction) -> Self {
        let crate::domain::Prediction { label, path, score } = prediction;
        Self { label, path, score: *score }
    }
}

impl<'a> Decision<'a> {
    fn of(decision: &'a crate::domain::Decision) -> Self {
        Self {
            accepted: decision.accepted.as_str(),
            precision: decision.precision,
            category: decision.accepted.category().map(Prediction::of),
        }
    }
}

/// The body that tells of a job's end, as JSON of at most
/// [`MAX_PAYLOAD_BYTES`]. `results` are all of the job's results, or `None`
/// where there are too many of them or they are gone.
///
/// # Errors
/// When the job cannot be written as JSON, which is none of a receiver's
/// concern.
pub fn payload(
    job: &EndedJob,
    event: crate::domain::Event,
    results: Option<&[ItemResult]>,
) -> serde_json::Result<Vec<u8>> {
    let results: Option<Vec<_>> = results.map(|all| all.iter().map(Result::of).collect());
    let completed_at = job.completed_at.rfc3339();
    let body = |metadata, results: Option<&[Result<'_>]>| {
        serde_json::to_vec(&Message {
            kind: event.as_str(),
            timestamp: &completed_at,
            data: Data {
                id: job.id.to_string(),
                status: job.status.as_str(),
                model: job.model.as_str(),
                items: Counts {
                    total: job.items.total,
                    succeeded: job.items.succeeded,
                    failed: job.items.failed,
                    canceled: job.items.canceled,
                },
                created_at: job.created_at.rfc3339(),
                completed_at: &completed_at,
                metadata,
                metadata_omitted: metadata.is_none(),
                results,
                results_omitted: results.is_none(),
                urls: Urls { job: format!("/v1/jobs/{}", job.id) },
            },
        })
    };
    let metadata = Some(&job.metadata);
    for (metadata, results) in [(metadata, results.as_deref()), (metadata, None)] {
        let body = body(metadata, results)?;
        if body.len() <= MAX_PAYLOAD_BYTES {
            return Ok(body);
        }
    }
    body(None, None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{ErrorCode, Event, ItemCounts, ItemError, JobId, JobStatus, Timestamp};

    fn job() -> EndedJob {
        let Value::Object(metadata) = json!({"sku": "A-1001"}) else { unreachable!() };
        EndedJob {
            id: JobId::generate(),
            model: "shoes".parse().unwrap(),
            status: JobStatus::Partial,
            items: ItemCounts { total: 2, succeeded: 1, failed: 1, canceled: 0 },
            metadata,
            created_at: Timestamp(1_767_225_600_000),
            completed_at: Timestamp(1_767_225_601_500),
            trace: None,
        }
    }

    fn results(count: u32, detail: &str) -> Vec<ItemResult> {
        let error = || ItemError::new(ErrorCode::Truncated, detail);
        (0..count)
            .map(|index| ItemResult { index, outcome: ItemOutcome::Failed(error()) })
            .collect()
    }

    fn body(job: &EndedJob, results: Option<&[ItemResult]>) -> Value {
        let body = payload(job, Event::JobPartial, results).unwrap();
        assert!(body.len() <= MAX_PAYLOAD_BYTES, "{}", body.len());
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn a_small_job_stands_whole_in_the_body() {
        let (job, results) = (job(), results(2, "cut off"));
        assert_eq!(
            body(&job, Some(&results)),
            json!({
                "type": "job.partial",
                "timestamp": "2026-01-01T00:00:01.500Z",
                "data": {
                    "id": job.id.to_string(),
                    "status": "partial",
                    "model": "shoes",
                    "items": {"total": 2, "succeeded": 1, "failed": 1, "canceled": 0},
                    "created_at": "2026-01-01T00:00:00.000Z",
                    "completed_at": "2026-01-01T00:00:01.500Z",
                    "metadata": {"sku": "A-1001"},
                    "metadata_omitted": false,
                    "results": [
                        {"index": 0, "status": "failed", "predictions": [],
                         "decision": null, "error": {"code": "truncated", "detail": "cut off"}},
                        {"index": 1, "status": "failed", "predictions": [],
                         "decision": null, "error": {"code": "truncated", "detail": "cut off"}},
                    ],
                    "results_omitted": false,
                    "urls": {"job": format!("/v1/jobs/{}", job.id)},
                },
            })
        );
    }

    #[test]
    fn results_that_do_not_fit_are_left_out_before_metadata() {
        let results = results(20, &"x".repeat(2_000));
        let data = &body(&job(), Some(&results))["data"];
        assert_eq!((&data["results"], &data["results_omitted"]), (&Value::Null, &json!(true)));
        assert_eq!(data["metadata"], json!({"sku": "A-1001"}));
    }

    #[test]
    fn metadata_that_does_not_fit_is_left_out_and_said_to_be() {
        let mut job = job();
        job.metadata.insert("note".to_owned(), "x".repeat(30_000).into());
        let data = &body(&job, Some(&[]))["data"];
        assert_eq!((&data["metadata"], &data["metadata_omitted"]), (&Value::Null, &json!(true)));
        assert_eq!(data["results_omitted"], true);
    }

    #[test]
    fn results_that_are_gone_are_marked_as_left_out() {
        let data = &body(&job(), None)["data"];
        assert_eq!((&data["results"], &data["results_omitted"]), (&Value::Null, &json!(true)));
    }
}
