//! A registered receiver of webhooks, and what of its post is missing, doubled
//! or wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aisle_shared::domain::Timestamp;
use aisle_shared::webhook::{Secret, Signed, verify};
use serde_json::{Value, json};

use super::fleet::Fleet;
use super::ledger::Promise;
use super::report::Report;
use super::settle::{Ended, compare};
use crate::receiver::{Behaviour, Received, Receiver};

/// Between two looks at what has come.
const LOOK: Duration = Duration::from_millis(50);

/// An endpoint of the service with its receiver.
#[derive(Debug)]
pub struct Mailbox {
    /// What reports call it.
    pub name: &'static str,
    /// Who answers.
    pub receiver: Receiver,
    /// Its id at the service.
    pub endpoint: String,
    secret: Secret,
    since: Timestamp,
}

impl Mailbox {
    /// Starts a receiver with that script and registers it for every event.
    ///
    /// # Panics
    /// When the service does not take it.
    pub async fn open(
        fleet: &Fleet,
        name: &'static str,
        script: impl Into<VecDeque<Behaviour>>,
    ) -> Self {
        let receiver = Receiver::start(script).await;
        let request = fleet.client.post(fleet.url("/v1/webhook-endpoints"));
        let request = request.json(&json!({"url": receiver.url("/"), "description": name}));
        let answer = request.send().await.expect("an answer");
        let endpoint: Value = answer.json().await.expect("an endpoint");
        let text = |field: &str| endpoint[field].as_str().expect("an endpoint").to_owned();
        let secret = Secret::parse(&text("secret")).expect("a secret");
        Self { name, receiver, endpoint: text("id"), secret, since: Timestamp::now() }
    }

    /// Waits until it has accepted the event of every job that was sent since
    /// it is there, or until the time is over: what is missing then,
    /// [`Self::reckon`] says.
    pub async fn complete(&self, jobs: &[Ended], within: Duration) {
        let deadline = Instant::now() + within;
        let mut missing: BTreeSet<&str> = self.owed(jobs).map(|job| job.id.as_str()).collect();
        let mut read = 0;
        while !missing.is_empty() && Instant::now() < deadline {
            let new = self.receiver.received_from(read);
            read += new.len();
            for received in new.iter().filter(|received| received.answer.accepts()) {
                let message: Value = serde_json::from_str(&received.body).unwrap_or_default();
                missing.remove(message["data"]["id"].as_str().unwrap_or_default());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Holds what has come against the jobs whose events it is owed.
    #[must_use]
    pub fn reckon(&self, jobs: &[Ended]) -> Reckoning {
        let owed = self.owed(jobs).map(|job| (job.id.as_str(), job)).collect();
        reckon(self.name, &self.secret, &owed, &self.receiver.received())
    }

    /// Seconds from each job's end until its event was here.
    #[must_use]
    pub fn delays(&self, jobs: &[Ended]) -> Vec<f64> {
        let ends: BTreeMap<&str, Timestamp> =
            jobs.iter().map(|job| (job.promise.id.as_str(), job.at)).collect();
        let mut first: BTreeMap<String, f64> = BTreeMap::new();
        for received in self.receiver.received() {
            let message: Value = serde_json::from_str(&received.body).unwrap_or_default();
            let id = message["data"]["id"].as_str().unwrap_or_default();
            if let Some(end) = ends.get(id) {
                let delay = since_epoch(received.at).as_secs_f64() - end.0 as f64 / 1_000.0;
                first.entry(id.to_owned()).or_insert(delay);
            }
        }
        first.into_values().collect()
    }

    fn owed<'j>(&self, jobs: &'j [Ended]) -> impl Iterator<Item = &'j Promise> {
        let since = self.since;
        jobs.iter().map(|job| &job.promise).filter(move |promise| promise.sent >= since)
    }
}

/// What of a receiver's post is as it should be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reckoning {
    /// Different messages that were accepted.
    pub unique: u64,
    /// Requests with them, those that were refused included.
    pub total: u64,
    /// Jobs without an event.
    pub missing: Vec<String>,
    /// Events told as two messages, and messages of two events.
    pub twice: Vec<String>,
    /// What was not signed, or told something else than what was promised.
    pub wrong: Vec<String>,
}

impl Reckoning {
    /// Adds it to a report.
    pub fn note(mut self, report: &mut Report) {
        let (unique, total) = report.deliveries.unwrap_or_default();
        report.deliveries = Some((unique + self.unique, total + self.total));
        report.lost.append(&mut self.missing);
        self.note_faults(report);
    }

    /// The same for a receiver that need not have got everything.
    pub fn note_faults(self, report: &mut Report) {
        report.twice.extend(self.twice);
        report.wrong.extend(self.wrong);
    }
}

fn reckon(
    name: &str,
    secret: &Secret,
    owed: &BTreeMap<&str, &Promise>,
    received: &[Received],
) -> Reckoning {
    let mut found = Reckoning::default();
    let mut accepted = BTreeSet::new();
    let mut message_of: BTreeMap<String, (String, Value)> = BTreeMap::new();
    let mut job_of: BTreeMap<String, String> = BTreeMap::new();
    for one in received {
        let id = one.headers.get("webhook-id").cloned().unwrap_or_default();
        if !is_signed(one, secret) {
            found.wrong.push(format!("{name}: {id} is not signed"));
            continue;
        }
        let message: Value = serde_json::from_str(&one.body).unwrap_or_default();
        let (job, kind) = (message["data"]["id"].as_str().unwrap_or_default(), &message["type"]);
        // A job that was taken, though nobody was told so, has its event too.
        let Some(promise) = owed.get(job) else { continue };
        found.total += 1;
        if one.answer.accepts() {
            accepted.insert(job.to_owned());
        }
        let first = message_of.entry(job.to_owned()).or_insert((id.clone(), kind.clone()));
        if (&first.0, &first.1) != (&id, kind) {
            found.twice.push(format!("{name}: {job} is {first:?} and {id} {kind}"));
        }
        let first = job_of.entry(id.clone()).or_insert_with(|| job.to_owned());
        if first != job {
            found.twice.push(format!("{name}: {id} is of {first} and of {job}"));
        }
        // Large jobs, and those that could not be read again, go without.
        if message["data"]["results"].is_array() {
            let (twice, wrong) = compare(promise, &message["data"]);
            found.twice.extend(twice);
            found.wrong.extend(wrong);
        }
    }
    found.unique = accepted.len() as u64;
    let missing = owed.keys().filter(|job| !accepted.contains(**job));
    found.missing = missing.map(|job| format!("{name}: no event of {job}")).collect();
    found
}

fn is_signed(received: &Received, secret: &Secret) -> bool {
    let header = |name: &str| received.headers.get(name).map_or("", String::as_str);
    let signed = Signed {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let at = since_epoch(received.at).as_secs();
    verify(secret, &signed, received.body.as_bytes(), at).is_ok()
}

fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aisle_shared::webhook::sign;

    use super::*;
    use crate::chaos::ledger::Expected;
    use crate::pictures::Colour;

    fn promise(id: &str) -> Promise {
        let (id, key) = (id.to_owned(), "key".to_owned());
        let images = vec![Expected::Label(Colour::Red)];
        Promise { id, key, images, sent: Timestamp(0), at: Timestamp(0) }
    }

    fn message(secret: &Secret, id: &str, job: &str, label: &str, status: u16) -> Received {
        let at = SystemTime::now();
        let seconds = since_epoch(at).as_secs();
        let data = json!({
            "id": job,
            "items": {"total": 1, "succeeded": 1, "failed": 0, "canceled": 0},
            "results": [{"index": 0, "predictions": [{"label": label}]}],
        });
        let body = json!({"type": "job.succeeded", "data": data}).to_string();
        let signature = sign(std::slice::from_ref(secret), id, seconds, body.as_bytes());
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
        Received { at, path: "/".to_owned(), headers, body, answer: Behaviour::Status(status) }
    }

    fn found(received: &[Received], secret: &Secret) -> Reckoning {
        let promises = [promise("one"), promise("two")];
        let owed = promises.iter().map(|promise| (promise.id.as_str(), promise)).collect();
        reckon("box", secret, &owed, received)
    }

    const RED: &str = "Warm > Red";

    #[test]
    fn a_message_that_is_repeated_counts_once() {
        let secret = Secret::generate();
        let first = message(&secret, "msg_1", "one", RED, 500);
        let again = message(&secret, "msg_1", "one", RED, 200);
        let other = message(&secret, "msg_2", "two", RED, 204);
        let clean = Reckoning { unique: 2, total: 3, ..Reckoning::default() };
        assert_eq!(found(&[first, again, other], &secret), clean);
    }

    #[test]
    fn what_was_only_ever_refused_is_missing() {
        let secret = Secret::generate();
        let found = found(&[message(&secret, "msg_1", "one", RED, 500)], &secret);
        assert_eq!((found.unique, found.total, found.missing.len()), (0, 1, 2));
    }

    #[test]
    fn a_second_id_for_one_job_and_one_id_for_two_are_found_out() {
        let secret = Secret::generate();
        let one = message(&secret, "msg_1", "one", RED, 200);
        let renamed = message(&secret, "msg_9", "one", RED, 200);
        assert_eq!(found(&[one.clone(), renamed], &secret).twice.len(), 1);
        let taken = message(&secret, "msg_1", "two", RED, 200);
        assert_eq!(found(&[one, taken], &secret).twice.len(), 1);
    }

    #[test]
    fn a_forged_message_and_a_false_label_are_wrong() {
        let secret = Secret::generate();
        let forged = message(&Secret::generate(), "msg_1", "one", RED, 200);
        let found_forged = found(&[forged], &secret);
        assert_eq!((found_forged.wrong.len(), found_forged.missing.len()), (1, 2));
        let false_label = message(&secret, "msg_1", "one", "Cold > Blue", 200);
        assert_eq!(found(&[false_label], &secret).wrong.len(), 1);
    }
}
