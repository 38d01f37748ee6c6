//! A verdict for people.

use std::fmt::{self, Write as _};

use aisle_worker::model::Weight;

use super::{Stage, Verdict};

impl Verdict {
    /// The verdict as a few lines.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let version = self.version.as_deref().unwrap_or("no model folder");
        writeln!(text, "{}: {version}", self.folder.display())?;
        for finding in &self.findings {
            let weight = match finding.weight {
                Weight::Fault => "fault",
                Weight::Strange => "strange",
                Weight::Assumed => "assumed",
            };
            let key = finding.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
            writeln!(text, "  {weight:8} {}{key}: {}", finding.file, finding.text)?;
        }
        if !self.golden && self.version.is_some() {
            let text_of = "  nothing tells what training computed, so that stages are only tried \
                           on pictures made for it";
            writeln!(text, "{text_of}")?;
        }
        self.stages.iter().try_for_each(|stage| writeln!(text, "  {stage}"))?;
        let verdict = match (self.agrees, self.golden) {
            (true, true) => "serving computes what training did",
            (true, false) => "it can be served; whether as it was trained, only its maker knows",
            (false, _) => "it is not to be served",
        };
        writeln!(text, "{verdict}")
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, step, pictures, largest_difference, allowed, agrees, detail } = self;
        let word = match (agrees, largest_difference) {
            (false, _) => "DIFFERS",
            (true, Some(_)) => "agrees",
            (true, None) => "works",
        };
        write!(f, "{:8} {word:8} {run}, {pictures} pictures", step.as_str())?;
        if let Some(largest) = largest_difference {
            write!(f, ", largest difference {largest:.1e}, allowed {allowed:.1e}")?;
        }
        detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}
