//! How sources, outcomes and jobs are written in Redis, and read back.

use std::collections::HashMap;
use std::str::FromStr;

use super::super::StoreError;
use crate::domain::{
    ErrorCode, Event, ItemCounts, ItemError, ItemOutcome, ItemSource, Job, JobId, JobOptions,
    JobStatus, NewItem, Priority, Timestamp,
};

/// The scripts know an upload by this word.
const UPLOAD: &str = "upload";
const URL: &str = "url:";

/// The fields of a hash.
pub(super) type Fields = HashMap<String, String>;

/// An item's source as text, with the bytes of an upload.
pub(super) fn write_source(item: &NewItem) -> String {
    match &item.source {
        ItemSource::Upload => format!("{UPLOAD}:{}", item.bytes),
        ItemSource::Url(url) => format!("{URL}{url}"),
    }
}

/// A source from its text.
pub(super) fn read_source(text: &str) -> Result<ItemSource, StoreError> {
    // Earlier releases wrote no bytes.
    let bytes = text.strip_prefix(UPLOAD).map(|rest| rest.strip_prefix(':').unwrap_or(rest));
    if bytes.is_some_and(|bytes| bytes.is_empty() || bytes.parse::<u64>().is_ok()) {
        return Ok(ItemSource::Upload);
    }
    text.strip_prefix(URL)
        .map(|url| ItemSource::Url(url.to_owned()))
        .ok_or_else(|| StoreError::Corrupt(format!("an item's source: {text:?}")))
}

/// The bytes of an upload, by its source's text. Earlier releases wrote none.
pub(super) fn upload_bytes(text: &str) -> Option<usize> {
    text.strip_prefix(UPLOAD)?.strip_prefix(':')?.parse().ok()
}

/// Anything as JSON.
pub(super) fn write_json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Anything from JSON.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The outcome of an item whose job was canceled.
pub(super) fn canceled() -> Result<String, StoreError> {
    write_json(&ItemOutcome::Canceled)
}

/// The outcome of an item whose workers died.
pub(super) fn worker_lost() -> Result<String, StoreError> {
    write_json(&ItemOutcome::Failed(ItemError::new(
        ErrorCode::WorkerLost,
        "the worker stopped each time it tried this image",
    )))
}

/// The counter of a job that an outcome adds to; one that was cached adds to
/// those that succeeded too.
pub(super) const fn counter(outcome: &ItemOutcome) -> &'static str {
    match outcome {
        ItemOutcome::Succeeded(answer) if answer.cached => "cached",
        ItemOutcome::Succeeded(_) => "succeeded",
        ItemOutcome::Failed(_) => "failed",
        ItemOutcome::Canceled => "canceled",
    }
}

/// Any text that stands for something.
pub(super) fn read<T: FromStr>(what: &str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt(format!("{what}: {text:?}")))
}

/// A job's final status, which scripts leave empty when it has not ended.
pub(super) fn read_ending(word: &str) -> Result<Option<JobStatus>, StoreError> {
    if word.is_empty() { Ok(None) } else { read_status(word).map(Some) }
}

/// A job's status.
pub(super) fn read_status(word: &str) -> Result<JobStatus, StoreError> {
    JobStatus::from_word(word)
        .ok_or_else(|| StoreError::Corrupt(format!("a job's status: {word:?}")))
}

/// What a webhook tells.
pub(super) fn read_event(word: &str) -> Result<Event, StoreError> {
    Event::from_word(word).ok_or_else(|| StoreError::Corrupt(format!("an event: {word:?}")))
}

/// A band's priority.
pub(super) fn read_band(text: &str) -> Result<Priority, StoreError> {
    Priority::from_band(read("a band", text)?)
        .ok_or_else(|| StoreError::Corrupt(format!("a band: {text:?}")))
}

/// A job from the fields of its hash.
pub(super) fn read_job(id: JobId, fields: &Fields) -> Result<Job, StoreError> {
    let text = |name: &str| {
        fields
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| StoreError::Corrupt(format!("job {id} has no {name}")))
    };
    let count = |name: &str| fields.get(name).map_or(Ok(0), |text| read(name, text));
    let time =
        |name: &str| fields.get(name).map(|text| read(name, text).map(Timestamp)).transpose();
    let items = ItemCounts {
        total: read("total", text("total")?)?,
        succeeded: count("succeeded")?,
        failed: count("failed")?,
        canceled: count("canceled")?,
    };
    let mut job = Job {
        id,
        tenant: read("tenant", text("tenant")?)?,
        model: read("model", text("model")?)?,
        priority: read_band(text("band")?)?,
        options: read_json::<JobOptions>(text("options")?)?,
        metadata: read_json(text("metadata")?)?,
        status: read_status(text("status")?)?,
        items,
        cached: count("cached")?,
        created_at: Timestamp(read("created", text("created")?)?),
        started_at: time("started")?,
        completed_at: time("completed")?,
        expires_at: time("expires")?,
        callback: fields.get("callback").map(|text| read_json(text)).transpose()?,
        cancel_requested: fields.contains_key("cancel"),
        version: 0,
    };
    job.version = version(&job);
    Ok(job)
}

/// Each change that a reader can see adds one: an item's end, the first
/// claim, the wish to cancel, the job's end. None is ever taken back, so
/// counting them is as good as keeping a number.
fn version(job: &Job) -> u64 {
    1 + u64::from(job.items.ended())
        + u64::from(job.started_at.is_some())
        + u64::from(job.cancel_requested)
        + u64::from(job.status.is_terminal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_survives_text_and_back() {
        for source in [
            ItemSource::Upload,
            ItemSource::Url("https://example.com/a.jpg".to_owned()),
            ItemSource::Url("upload".to_owned()),
            ItemSource::Url(String::new()),
        ] {
            let item = NewItem { source: source.clone(), bytes: 7, content: None };
            assert_eq!(read_source(&write_source(&item)).unwrap(), source);
        }
        assert_eq!(read_source("upload").unwrap(), ItemSource::Upload);
        for strange in ["ftp", "upload:x", "uploads"] {
            assert!(matches!(read_source(strange), Err(StoreError::Corrupt(_))), "{strange}");
        }
    }

    #[test]
    fn a_counter_is_named_as_the_status_word_of_its_outcome() {
        let outcome = ItemOutcome::Failed(ItemError::new(ErrorCode::Truncated, "ends early"));
        for outcome in [outcome, ItemOutcome::Canceled] {
            let json = serde_json::to_value(&outcome).unwrap();
            assert_eq!(json["status"], counter(&outcome));
        }
    }
}
