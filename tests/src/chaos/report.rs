//! What an experiment found, as a line of a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::harness::Backend;

/// What an experiment found over one store.
#[derive(Debug, Clone)]
pub struct Report {
    /// The experiment's name.
    pub experiment: &'static str,
    /// The store that it ran over.
    pub store: Backend,
    /// Jobs whose acknowledgement a client received.
    pub acknowledged: usize,
    /// Their images.
    pub images: usize,
    /// Acknowledged jobs that are unknown afterwards, or never ended.
    pub lost: Vec<String>,
    /// Jobs with an image that was counted or shown twice, or whose result
    /// was another one later.
    pub twice: Vec<String>,
    /// Jobs with an answer that is not the one expected for the picture.
    pub wrong: Vec<String>,
    /// Images that went through a network, repetitions included; at least,
    /// because a killed process takes its last count with it.
    pub executions: u64,
    /// Seconds to recover, one for each thing that the fault touched. What is
    /// timed is the experiment's to say.
    pub recovery: Vec<f64>,
    /// Webhook deliveries: different ones, and all.
    pub deliveries: Option<(u64, u64)>,
    /// What clients were told instead of an answer, by kind.
    pub errors: BTreeMap<String, u64>,
    /// The experiment's own figures.
    pub figures: BTreeMap<&'static str, Value>,
    /// Limits that were not kept.
    pub broken: Vec<String>,
    /// Why it did not run.
    pub skipped: Option<String>,
}

impl Report {
    /// A report of nothing yet.
    #[must_use]
    pub fn new(experiment: &'static str, store: Backend) -> Self {
        Self {
            experiment,
            store,
            acknowledged: 0,
            images: 0,
            lost: Vec::new(),
            twice: Vec::new(),
            wrong: Vec::new(),
            executions: 0,
            recovery: Vec::new(),
            deliveries: None,
            errors: BTreeMap::new(),
            figures: BTreeMap::new(),
            broken: Vec::new(),
            skipped: None,
        }
    }

    /// Says that this machine lacks what the experiment needs.
    #[must_use]
    pub fn skip(mut self, why: impl Into<String>) -> Self {
        self.skipped = Some(why.into());
        self
    }

    /// Notes a figure.
    pub fn figure(&mut self, name: &'static str, value: impl Into<Value>) {
        self.figures.insert(name, value.into());
    }

    /// Notes a limit that was not kept.
    pub fn limit(&mut self, kept: bool, what: impl Into<String>) {
        if !kept {
            self.broken.push(what.into());
        }
    }

    /// Holds the longest recovery against a limit in seconds; no recovery at
    /// all has shown nothing.
    pub fn recovers_within(&mut self, limit: f64) {
        let longest = longest(&self.recovery);
        self.limit(!self.recovery.is_empty(), "nothing was there to recover");
        self.limit(
            longest <= limit,
            format!("recovery took {longest:.2} s, allowed are {limit} s"),
        );
    }

    /// Whether nothing was lost, doubled or wrong, and every limit kept.
    #[must_use]
    pub fn passed(&self) -> bool {
        let clean = self.lost.is_empty() && self.twice.is_empty() && self.wrong.is_empty();
        clean && self.broken.is_empty()
    }

    /// `ok`, `FAILED` or `skipped`.
    #[must_use]
    pub const fn verdict(&self) -> &'static str {
        match &self.skipped {
            Some(_) => "skipped",
            None if self.lost.is_empty()
                && self.twice.is_empty()
                && self.wrong.is_empty()
                && self.broken.is_empty() =>
            {
                "ok"
            }
            None => "FAILED",
        }
    }

    /// The whole report.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "experiment": self.experiment,
            "store": store_name(self.store),
            "verdict": self.verdict(),
            "acknowledged": self.acknowledged,
            "images": self.images,
            "lost": self.lost,
            "recorded_twice": self.twice,
            "wrong": self.wrong,
            "executions_at_least": self.executions,
            "recovery_s": {"p50": median(&self.recovery), "max": longest(&self.recovery),
                "samples": self.recovery.len()},
            "deliveries": self.deliveries.map(|(unique, total)| json!({
                "unique": unique, "total": total})),
            "client_errors": self.errors,
            "figures": self.figures,
            "broken": self.broken,
            "skipped": self.skipped,
        })
    }

    /// The head of the table.
    #[must_use]
    pub fn heading() -> String {
        format!(
            "{:<18} {:<7} {:>6} {:>7} {:>5} {:>6} {:>6} {:>7} {:>14} {:>10}  {}",
            "experiment",
            "store",
            "acked",
            "images",
            "lost",
            "twice",
            "wrong",
            "runs",
            "recovery s",
            "deliveries",
            "verdict"
        )
    }

    /// A line of the table, with what went wrong below it.
    #[must_use]
    pub fn line(&self) -> String {
        let recovery = if self.recovery.is_empty() {
            "-".to_owned()
        } else {
            format!("{:.2} / {:.2}", median(&self.recovery), longest(&self.recovery))
        };
        let deliveries =
            self.deliveries.map_or("-".to_owned(), |(unique, total)| format!("{unique}/{total}"));
        let mut line = format!(
            "{:<18} {:<7} {:>6} {:>7} {:>5} {:>6} {:>6} {:>7} {recovery:>14} {deliveries:>10}  {}",
            self.experiment,
            store_name(self.store),
            self.acknowledged,
            self.images,
            self.lost.len(),
            self.twice.len(),
            self.wrong.len(),
            self.executions,
            self.verdict(),
        );
        if let Some(why) = &self.skipped {
            let _ = write!(line, ": {why}");
        }
        for (kind, count) in &self.errors {
            let _ = write!(line, "\n    clients saw {count} × {kind}");
        }
        for (name, value) in &self.figures {
            let _ = write!(line, "\n    {name}: {value}");
        }
        for what in &self.broken {
            let _ = write!(line, "\n    BROKEN: {what}");
        }
        for (what, jobs) in [("lost", &self.lost), ("twice", &self.twice), ("wrong", &self.wrong)] {
            for job in jobs.iter().take(10) {
                let _ = write!(line, "\n    {what}: {job}");
            }
        }
        line
    }
}

/// A store as reports name it.
#[must_use]
pub const fn store_name(store: Backend) -> &'static str {
    match store {
        Backend::Sqlite => "sqlite",
        Backend::Redis => "redis",
    }
}

/// The middle value; 0 of none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// The largest value; 0 of none.
#[must_use]
pub fn longest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// The value below which that share of the others lie; 0 of none.
#[must_use]
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_lost_or_doubled_or_wrong_fails_the_experiment() {
        let clean = Report::new("x", Backend::Redis);
        assert!(clean.passed());
        let id = || vec!["1".to_owned()];
        assert!(!Report { lost: id(), ..clean.clone() }.passed());
        assert!(!Report { twice: id(), ..clean.clone() }.passed());
        assert!(!Report { wrong: id(), ..clean }.passed());
    }

    #[test]
    fn a_recovery_that_was_never_seen_is_no_recovery() {
        let mut report = Report::new("x", Backend::Redis);
        report.recovers_within(1.0);
        assert!(!report.passed());
        let mut report = Report { recovery: vec![0.5, 0.9], ..Report::new("x", Backend::Redis) };
        report.recovers_within(1.0);
        assert!(report.passed());
        report.recovers_within(0.8);
        assert!(!report.passed());
    }
}
