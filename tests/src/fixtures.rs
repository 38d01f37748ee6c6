//! The jobs, items and outcomes that tests begin with.

use std::borrow::Cow;
use std::time::Duration;

use aisle_shared::domain::{
    Accepted, Classification, Decision, ErrorCode, ImageInfo, ItemError, ItemOutcome, JobId,
    JobOptions, ModelName, NewItem, NewJob, Prediction, Priority, StageTimings, TenantId,
};
use serde_json::Map;

/// How long the jobs of [`job`] can be read after they have ended.
pub const RETENTION: Duration = Duration::from_secs(3600);

/// A tenant of that name.
///
/// # Panics
/// When the name is none.
#[must_use]
#[expect(clippy::expect_used, reason = "tests write their names out")]
pub fn tenant(name: &str) -> TenantId {
    name.parse().expect("a tenant's name")
}

/// A model of that name.
///
/// # Panics
/// When the name is none.
#[must_use]
#[expect(clippy::expect_used, reason = "tests write their names out")]
pub fn model(name: &str) -> ModelName {
    name.parse().expect("a model's name")
}

/// A job as most tests need it: tenant `shop`, model `shoes`, normal
/// priority, weight 1, three attempts, kept for [`RETENTION`].
#[must_use]
pub fn job() -> NewJob {
    NewJob {
        id: JobId::generate(),
        tenant: tenant("shop"),
        weight: 1,
        model: model("shoes"),
        priority: Priority::Normal,
        options: JobOptions { top_k: 5, cache: true, accept_precision: None },
        metadata: Map::new(),
        max_attempts: 3,
        retention: RETENTION,
        callback: None,
        idempotency: None,
        trace: None,
    }
}

/// [`job`] of another tenant.
#[must_use]
pub fn job_of(name: &str) -> NewJob {
    NewJob { tenant: tenant(name), ..job() }
}

/// [`job`] in another band.
#[must_use]
pub fn job_in(priority: Priority) -> NewJob {
    NewJob { priority, ..job() }
}

/// That many items, told apart by the number in their URL.
#[must_use]
pub fn items(count: u32) -> Vec<NewItem> {
    (0..count).map(|index| NewItem::at_url(format!("https://shop.test/{index}.jpg"))).collect()
}

/// An answer that names `label`.
#[must_use]
pub fn answer(label: &str) -> ItemOutcome {
    let prediction =
        Prediction { label: label.to_owned(), path: vec![label.to_owned()], score: 0.75 };
    let accepted = Accepted::Parent(prediction.clone());
    ItemOutcome::Succeeded(Box::new(Classification {
        predictions: vec![prediction],
        levels: Vec::new(),
        decision: Some(Decision { precision: 0.95, accepted }),
        model: model("shoes"),
        model_version: "1f00".to_owned(),
        provider: "cpu".to_owned(),
        precision: "fp32".to_owned(),
        batch_size: 1,
        cached: false,
        image: ImageInfo {
            media_type: Cow::Borrowed("image/jpeg"),
            width: 640,
            height: 480,
            bytes: 12_345,
        },
        timings: StageTimings::default(),
    }))
}

/// An error that no further attempt can mend.
#[must_use]
pub fn undecodable() -> ItemError {
    ItemError::new(ErrorCode::Undecodable, "not an image")
}

/// An error that another attempt may mend.
#[must_use]
pub fn unreachable_url() -> ItemError {
    ItemError::new(ErrorCode::UrlUnreachable, "no answer from the host")
}
