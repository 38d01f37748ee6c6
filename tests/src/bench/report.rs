//! What was measured, gathered: tables for people, rounds for programs, and
//! the goals that were set.

use serde_json::{Map, Value, json};

use super::stats::Summary;
use super::table::{Table, spread};

/// Where a goal lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// The median is to be at least this.
    AtLeast(f64),
    /// The median is to be at most this.
    AtMost(f64),
}

impl Goal {
    fn is_met(self, median: f64) -> bool {
        match self {
            Self::AtLeast(least) => median >= least,
            Self::AtMost(most) => median <= most,
        }
    }
}

/// All that one run has found.
#[derive(Debug, Default)]
pub struct Report {
    /// Rounds by part and by what was measured.
    rounds: Map<String, Value>,
    goals: Vec<(String, Goal, Vec<f64>)>,
    notes: Vec<String>,
}

impl Report {
    /// Shows a table at once: a run takes minutes.
    pub fn show(&self, table: &Table) {
        println!("\n{}", table.lines().join("\n"));
    }

    /// Keeps the rounds of a measurement under a name that says its unit,
    /// such as `images_per_second`.
    pub fn keep(&mut self, part: &str, who: &str, what: &str, rounds: &[f64]) {
        let part = self.rounds.entry(part).or_insert_with(|| json!({}));
        let summary = Summary::of(rounds).map(|Summary { median, least, most }| {
            json!({"median": median, "least": least, "most": most, "rounds": rounds})
        });
        part[who][what] = summary.unwrap_or_default();
    }

    /// Holds rounds against a goal.
    pub fn goal(&mut self, what: &str, goal: Goal, rounds: &[f64]) {
        self.goals.push((what.to_owned(), goal, rounds.to_vec()));
    }

    /// Says something that the figures do not.
    pub fn note(&mut self, note: String) {
        println!("note: {note}");
        self.notes.push(note);
    }

    /// The goals as a table.
    #[must_use]
    pub fn goals(&self) -> Table {
        let mut table = Table::new("goals", &["what", "median (range)", "goal", ""]);
        for (what, goal, rounds) in &self.goals {
            let Some(found) = Summary::of(rounds) else { continue };
            let bound = match goal {
                Goal::AtLeast(least) => format!("≥ {least}"),
                Goal::AtMost(most) => format!("≤ {most}"),
            };
            let verdict = if goal.is_met(found.median) { "met" } else { "missed" };
            table.row([what.clone(), spread(rounds, 2), bound, verdict.to_owned()]);
        }
        table
    }

    /// Everything as JSON, below what describes the run.
    #[must_use]
    pub fn to_json(&self, run: &Value) -> Value {
        let goals: Vec<Value> = self
            .goals
            .iter()
            .filter_map(|(what, goal, rounds)| {
                let median = Summary::of(rounds)?.median;
                let (kind, bound) = match goal {
                    Goal::AtLeast(least) => ("at_least", least),
                    Goal::AtMost(most) => ("at_most", most),
                };
                let met = goal.is_met(median);
                Some(json!({"what": what, kind: bound, "rounds": rounds, "median": median, "met": met}))
            })
            .collect();
        json!({"run": run, "measured": self.rounds, "goals": goals, "notes": self.notes})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_held_against_the_median_of_the_rounds() {
        let mut report = Report::default();
        report.goal("share", Goal::AtLeast(0.95), &[0.9, 0.96, 0.97]);
        report.goal("added ms", Goal::AtMost(2.0), &[2.5, 2.1, 1.0]);
        report.goal("never measured", Goal::AtMost(2.0), &[]);
        let lines = report.goals().lines();
        assert!(lines[2].starts_with("share") && lines[2].ends_with("met"), "{lines:?}");
        assert!(lines[3].ends_with("missed"), "{lines:?}");
        assert_eq!(lines.len(), 4);
        let json = report.to_json(&json!({}));
        assert_eq!(json["goals"][0]["met"], true);
        assert_eq!(json["goals"][1]["at_most"], 2.0);
    }

    #[test]
    fn rounds_are_kept_by_part_and_by_what_was_measured() {
        let mut report = Report::default();
        report.keep("latency", "SQLite", "p50_ms", &[3.0, 1.0]);
        report.keep("latency", "SQLite", "p99_ms", &[9.0]);
        let json = report.to_json(&json!({"seconds": 2}));
        assert_eq!(json["measured"]["latency"]["SQLite"]["p50_ms"]["median"], 2.0);
        assert_eq!(json["measured"]["latency"]["SQLite"]["p99_ms"]["rounds"][0], 9.0);
        assert_eq!(json["run"]["seconds"], 2);
    }
}
