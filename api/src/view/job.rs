//! A job as callers read it, the same everywhere.

use aisle_shared::domain::{self, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ItemResult, JobStatus, Priority};

/// A job: one to many images, one model, one set of options.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    /// The job's id, a UUID of version 7.
    #[schema(format = Uuid, example = "019a3c5e-7b1f-7c3a-9d52-1f0e6a8b4c2d")]
    id: String,
    /// Where the job stands.
    status: JobStatus,
    /// The model that classifies its images.
    #[schema(example = "mobilenet-v2")]
    model: String,
    /// Which jobs go first.
    priority: Priority,
    /// Predictions for each image.
    #[schema(minimum = 1, example = 5)]
    top_k: u32,
    /// Whether answers may come from the cache and be kept there.
    cache: bool,
    /// The share of right answers that the caller chose to decide at; null
    /// where the model's lowest is used.
    #[schema(required, example = 0.95)]
    accept_precision: Option<f64>,
    /// The caller's own words, as they came.
    #[schema(value_type = Object, example = json!({"sku": "A-1001"}))]
    metadata: Map<String, Value>,
    /// When the job was accepted.
    #[schema(format = DateTime, example = "2026-01-31T08:15:30.250Z")]
    created_at: String,
    /// When a worker began.
    #[schema(required, format = DateTime)]
    started_at: Option<String>,
    /// When its last image ended.
    #[schema(required, format = DateTime)]
    completed_at: Option<String>,
    /// When it will be forgotten; known once it has ended.
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
    /// Who is told of its end, beside the registered webhook endpoints.
    #[schema(required)]
    webhook: Option<JobWebhook>,
    /// Whether a caller asked to cancel it.
    cancel_requested: bool,
    /// How many images ended how.
    items: ItemCounts,
    /// The images that have ended, by index.
    results: Vec<ItemResult>,
    /// Where to go on reading when more images may have ended than stand in
    /// `results`: the `results_from` of the next request.
    #[schema(required)]
    next_results: Option<u32>,
    /// Where to go from here.
    urls: JobUrls,
}

/// How many images of a job ended how.
#[derive(Debug, Serialize, ToSchema)]
struct ItemCounts {
    /// Images in the job.
    #[schema(minimum = 1)]
    total: u32,
    /// Images with predictions.
    succeeded: u32,
    /// Images that ended with an error.
    failed: u32,
    /// Images canceled before they ended otherwise.
    canceled: u32,
    /// Images with predictions that were not classified anew.
    cached: u32,
}

/// A receiver of one job's end.
#[derive(Debug, Serialize, ToSchema)]
struct JobWebhook {
    /// Where it is told.
    #[schema(format = Uri, example = "https://shop.example.com/hooks/aisle")]
    url: String,
}

/// A job's addresses.
#[derive(Debug, Serialize, ToSchema)]
struct JobUrls {
    /// Read it.
    #[serde(rename = "self")]
    #[schema(format = UriReference, example = "/v1/jobs/019a3c5e-7b1f-7c3a-9d52-1f0e6a8b4c2d")]
    this: String,
    /// Cancel it.
    #[schema(format = UriReference)]
    cancel: String,
    /// Follow it.
    #[schema(format = UriReference)]
    events: String,
}

/// The part of a job's results that goes with it.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// Ended images, by index.
    pub(crate) items: Vec<domain::ItemResult>,
    /// The first place that was not looked at.
    pub(crate) end: u32,
}

impl Job {
    /// The address of a job.
    pub(crate) fn path(id: &domain::JobId) -> String {
        format!("/v1/jobs/{id}")
    }

    /// A job with a part of its results.
    pub(crate) fn new(job: domain::Job, results: Results) -> Self {
        let this = Self::path(&job.id);
        Self {
            id: job.id.to_string(),
            status: job.status.into(),
            model: job.model.into(),
            priority: job.priority.into(),
            top_k: job.options.top_k,
            cache: job.options.cache,
            accept_precision: job.options.accept_precision,
            metadata: job.metadata,
            created_at: job.created_at.rfc3339(),
            started_at: job.started_at.map(Timestamp::rfc3339),
            completed_at: job.completed_at.map(Timestamp::rfc3339),
            expires_at: job.expires_at.map(Timestamp::rfc3339),
            webhook: job.callback.map(|callback| JobWebhook { url: callback.url }),
            cancel_requested: job.cancel_requested,
            next_results: (results.end < job.items.total).then_some(results.end),
            items: ItemCounts::new(job.items, job.cached),
            results: results.items.into_iter().map(ItemResult::from).collect(),
            urls: JobUrls {
                cancel: format!("{this}/cancel"),
                events: format!("{this}/events"),
                this,
            },
        }
    }
}

impl ItemCounts {
    fn new(counts: domain::ItemCounts, cached: u32) -> Self {
        let domain::ItemCounts { total, succeeded, failed, canceled } = counts;
        Self { total, succeeded, failed, canceled, cached }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aisle_shared::domain::{ItemCounts as Counts, JobId, JobOptions, TenantId};

    fn job(total: u32) -> domain::Job {
        domain::Job {
            id: JobId::generate(),
            tenant: TenantId::default_tenant(),
            model: "flowers".parse().unwrap(),
            priority: domain::Priority::Normal,
            options: JobOptions { top_k: 3, cache: true, accept_precision: None },
            metadata: Map::new(),
            status: domain::JobStatus::Queued,
            items: Counts { total, ..Counts::default() },
            cached: 0,
            created_at: Timestamp(0),
            started_at: None,
            completed_at: None,
            expires_at: None,
            callback: None,
            cancel_requested: false,
            version: 1,
        }
    }

    #[test]
    fn a_job_shows_its_own_addresses_and_not_its_tenant() {
        let job = job(1);
        let id = job.id;
        let json = serde_json::to_value(Job::new(job, Results::default())).unwrap();
        assert_eq!(json["urls"]["self"], format!("/v1/jobs/{id}"));
        assert_eq!(json["urls"]["cancel"], format!("/v1/jobs/{id}/cancel"));
        assert_eq!(json["created_at"], "1970-01-01T00:00:00.000Z");
        assert!(json["completed_at"].is_null());
        assert!(json.get("tenant").is_none());
    }

    #[test]
    fn a_job_says_where_its_results_go_on() {
        let part = Results { items: Vec::new(), end: 1_000 };
        assert_eq!(Job::new(job(1_200), part).next_results, Some(1_000));
        let whole = Results { items: Vec::new(), end: 2_000 };
        assert_eq!(Job::new(job(1_200), whole).next_results, None);
    }
}
