//! After the fault: waits for quiet, then holds every promise of the ledger
//! against what the service says now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aisle_shared::domain::Timestamp;
use futures::StreamExt as _;
use reqwest::StatusCode;
use serde_json::Value;

use super::fleet::Fleet;
use super::ledger::{Expected, Ledger, Promise};
use super::report::Report;

/// Jobs looked at side by side.
const AT_ONCE: usize = 8;

/// Between two looks at a job that has not ended.
const PAUSE: Duration = Duration::from_millis(100);

/// A job that has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// What was promised.
    pub promise: Promise,
    /// When its last item ended, by the store's clock.
    pub at: Timestamp,
}

enum Fate {
    Ended(Ended),
    Lost(String),
}

/// Waits until every promised job has ended, `within` that time, and writes
/// what is found into the report.
pub async fn settle(
    fleet: &mut Fleet,
    ledger: &Arc<Ledger>,
    within: Duration,
    report: &mut Report,
) -> Vec<Ended> {
    settle_those(fleet, ledger, ledger.promises(), within, report).await
}

/// The same for some of the promises.
pub async fn settle_those(
    fleet: &mut Fleet,
    ledger: &Arc<Ledger>,
    promises: Vec<Promise>,
    within: Duration,
    report: &mut Report,
) -> Vec<Ended> {
    let deadline = Instant::now() + within;
    report.acknowledged = promises.len();
    report.images = promises.iter().map(|promise| promise.images.len()).sum();
    let base = fleet.apis[0].base();
    let client = fleet.client.clone();
    let fates: Vec<(Fate, Vec<String>, Vec<String>)> = futures::stream::iter(promises)
        .map(|promise| {
            let (client, base, ledger) = (client.clone(), base.clone(), Arc::clone(ledger));
            async move { look(&client, &base, &ledger, promise, deadline).await }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut ended = Vec::new();
    for (fate, twice, wrong) in fates {
        report.twice.extend(twice);
        report.wrong.extend(wrong);
        match fate {
            Fate::Ended(one) => ended.push(one),
            Fate::Lost(what) => report.lost.push(what),
        }
    }
    report.twice.extend(ledger.changed());
    report.errors = ledger.errors();
    report.executions = fleet.count_executions().await;
    report.limit(!ended.is_empty(), "no job was acknowledged and ended");
    let fallen = fleet.fallen();
    report.limit(fallen == 0, format!("{fallen} processes ended by themselves"));
    ended
}

/// One promise: how it ended, what was counted twice, what was wrong.
async fn look(
    client: &reqwest::Client,
    base: &str,
    ledger: &Ledger,
    promise: Promise,
    deadline: Instant,
) -> (Fate, Vec<String>, Vec<String>) {
    let url = format!("{base}/v1/jobs/{}", promise.id);
    let mut last = "no answer".to_owned();
    while Instant::now() < deadline {
        if let Ok(answer) = client.get(&url).send().await {
            let status = answer.status();
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                let lost = format!("{} is unknown ({status})", promise.id);
                return (Fate::Lost(lost), Vec::new(), Vec::new());
            }
            last = status.to_string();
            if status.is_success()
                && let Ok(job) = answer.json::<Value>().await
            {
                witness(ledger, &promise.id, &job);
                last = format!("{} {}", job["status"], job["items"]);
                if let Some(at) = job["completed_at"].as_str() {
                    let (twice, wrong) = compare(&promise, &job);
                    let at = instant(at);
                    return (Fate::Ended(Ended { promise, at }), twice, wrong);
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    (Fate::Lost(format!("{} did not end: {last}", promise.id)), Vec::new(), Vec::new())
}

/// One promise held against the service, whose job is deleted then.
#[derive(Debug)]
pub struct Checked {
    /// When it ended, or how it is lost.
    pub ended: Result<Timestamp, String>,
    /// What was counted twice.
    pub twice: Vec<String>,
    /// What was answered wrongly.
    pub wrong: Vec<String>,
}

/// Waits until a promised job has ended, `within` that time, compares it and
/// deletes it.
pub async fn check_and_delete(
    client: &reqwest::Client,
    base: &str,
    ledger: &Ledger,
    promise: Promise,
    within: Duration,
) -> Checked {
    let url = format!("{base}/v1/jobs/{}", promise.id);
    let (fate, twice, wrong) = look(client, base, ledger, promise, Instant::now() + within).await;
    let ended = match fate {
        Fate::Ended(ended) => Ok(ended.at),
        Fate::Lost(what) => Err(what),
    };
    while ended.is_ok() {
        let answer = client.delete(&url).send().await;
        if answer.is_ok_and(|answer| !answer.status().is_server_error()) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Checked { ended, twice, wrong }
}

/// Notes every result that is shown, so that one that changes is found out.
pub fn witness(ledger: &Ledger, id: &str, job: &Value) {
    for result in job["results"].as_array().into_iter().flatten() {
        if let Some(index) = result["index"].as_u64() {
            ledger.shown(id, index, result.to_string());
        }
    }
}

/// What an ended job counted twice, and what it answered wrongly.
pub(super) fn compare(promise: &Promise, job: &Value) -> (Vec<String>, Vec<String>) {
    let (id, total) = (&promise.id, promise.images.len() as u64);
    let (mut twice, mut wrong) = (Vec::new(), Vec::new());
    let count = |name: &str| job["items"][name].as_u64().unwrap_or(0);
    let counted = count("succeeded") + count("failed") + count("canceled");
    let results = job["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    let places = results.iter().map(|result| result["index"].as_u64());
    // In the counters, every recording leaves a trace.
    if counted != total || count("total") != total || !places.eq((0..total).map(Some)) {
        twice.push(format!("{id}: {total} images, {} results, {}", results.len(), job["items"]));
    }
    for (result, expected) in results.iter().zip(&promise.images) {
        let label = result["predictions"][0]["label"].as_str();
        let code = result["error"]["code"].as_str();
        let right = match expected {
            Expected::Label(colour) => label == Some(colour.label()),
            Expected::Error(codes) => code.is_some_and(|code| codes.contains(&code)),
            Expected::Anyhow => true,
        };
        if !right {
            let index = &result["index"];
            wrong.push(format!("{id} image {index}: {expected:?} but {label:?} {code:?}"));
        }
    }
    (twice, wrong)
}

/// A time as the API writes it.
fn instant(text: &str) -> Timestamp {
    let at: jiff::Timestamp = text.parse().expect("a time of RFC 3339");
    Timestamp(at.as_millisecond().try_into().expect("a time of this century"))
}

/// Looks at acknowledged jobs, the newest first, again and again, and notes
/// what they show, until it is dropped.
#[derive(Debug)]
pub struct Witness(tokio::task::JoinHandle<()>);

impl Witness {
    /// Begins to look, at the API of that address.
    #[must_use]
    pub fn start(client: reqwest::Client, base: String, ledger: Arc<Ledger>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                for promise in ledger.promises().iter().rev().take(20) {
                    let url = format!("{base}/v1/jobs/{}", promise.id);
                    if let Ok(answer) = client.get(url).send().await
                        && let Ok(job) = answer.json::<Value>().await
                    {
                        witness(&ledger, &promise.id, &job);
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        }))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pictures::Colour;

    fn promise() -> Promise {
        let images = vec![Expected::Label(Colour::Red), Expected::Error(&["truncated"])];
        let (id, key) = ("job-1".to_owned(), "key-1".to_owned());
        Promise { id, key, images, sent: Timestamp(0), at: Timestamp(0) }
    }

    fn job(label: &str, succeeded: u32, second: u32) -> Value {
        json!({
            "items": {"total": 2, "succeeded": succeeded, "failed": 1, "canceled": 0},
            "results": [
                {"index": 0, "predictions": [{"label": label}], "error": null},
                {"index": second, "predictions": [], "error": {"code": "truncated"}},
            ],
        })
    }

    #[test]
    fn a_right_job_is_found_right() {
        assert_eq!(compare(&promise(), &job("Warm > Red", 1, 1)), (vec![], vec![]));
    }

    #[test]
    fn a_swapped_answer_is_found_out() {
        let (twice, wrong) = compare(&promise(), &job("Cold > Blue", 1, 1));
        assert!(twice.is_empty());
        assert_eq!(wrong.len(), 1);
    }

    #[test]
    fn a_second_recording_is_found_in_the_counters_and_in_the_places() {
        assert_eq!(compare(&promise(), &job("Warm > Red", 2, 1)).0.len(), 1);
        assert_eq!(compare(&promise(), &job("Warm > Red", 1, 0)).0.len(), 1);
    }
}
