//! An image's answer as text for people or as JSON for programs.

use std::path::Path;

use aisle_shared::domain::{Accepted, Classification, Decision, ItemError};
use serde::Serialize;

use crate::output;

/// What became of an image.
pub(super) type Answer = Result<Classification, ItemError>;

/// What separates the levels of a category path.
const PATH_SEPARATOR: &str = " > ";

/// A JSON line: the file, and either the answer's own fields or the error.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Outcome<'a> {
    Succeeded(&'a Classification),
    Failed { error: &'a ItemError },
}

/// One JSON object in one line.
pub(super) fn as_json(path: &Path, answer: &Answer) -> serde_json::Result<String> {
    let outcome = match answer {
        Ok(classification) => Outcome::Succeeded(classification),
        Err(error) => Outcome::Failed { error },
    };
    serde_json::to_string(&Line { file: path.display().to_string(), outcome })
}

/// The file's name, and under it a table of categories or the error.
#[expect(clippy::unnecessary_wraps, reason = "has the shape of as_json")]
pub(super) fn as_text(path: &Path, answer: &Answer) -> serde_json::Result<String> {
    let body = match answer {
        Ok(classification) => {
            let decision = classification.decision.as_ref().map(decided);
            let parts = [Some(categories(classification)), decision];
            parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
        }
        Err(error) => format!("failed: {error}"),
    };
    let indented: String = body.lines().map(|line| format!("  {line}\n")).collect();
    Ok(format!("{}\n{indented}", path.display()))
}

fn categories(classification: &Classification) -> String {
    let rows: Vec<_> = classification
        .predictions
        .iter()
        .map(|prediction| {
            [format!("{:.4}", prediction.score), prediction.path.join(PATH_SEPARATOR)]
        })
        .collect();
    output::table(["SCORE", "CATEGORY"], &rows)
}

/// Whether a human has to look, in a line.
fn decided(decision: &Decision) -> String {
    let share = decision.precision * 100.0;
    match &decision.accepted {
        Accepted::Leaf(category) => {
            format!("accepted at {share:.0} %: {}", category.path.join(PATH_SEPARATOR))
        }
        Accepted::Parent(category) => format!(
            "accepted at {share:.0} %: {} ({:.4}); nothing below it is sure enough",
            category.path.join(PATH_SEPARATOR),
            category.score
        ),
        Accepted::None => format!("not sure at {share:.0} %: a human has to look"),
    }
}

#[cfg(test)]
mod tests {
    use aisle_shared::domain::{ErrorCode, ImageInfo, Prediction, StageTimings};

    use super::*;

    fn sandal() -> Answer {
        let path = ["Footwear", "Sandal"].map(str::to_owned).to_vec();
        Ok(Classification {
            predictions: vec![Prediction { label: path.join(" > "), path, score: 0.875 }],
            levels: Vec::new(),
            decision: None,
            model: "shoes".parse().unwrap(),
            model_version: "v".to_owned(),
            provider: "cpu".to_owned(),
            precision: "fp32".to_owned(),
            batch_size: 1,
            cached: false,
            image: ImageInfo { media_type: "image/png".into(), width: 1, height: 1, bytes: 1 },
            timings: StageTimings::default(),
        })
    }

    #[test]
    fn people_read_scores_and_category_paths() {
        let text = as_text(Path::new("a.png"), &sandal()).unwrap();
        assert_eq!(text, "a.png\n  SCORE   CATEGORY\n  0.8750  Footwear > Sandal\n");
    }

    #[test]
    fn people_read_whether_somebody_has_to_look() {
        let shown = |accepted| {
            let mut answer = sandal().unwrap();
            answer.decision = Some(Decision { precision: 0.95, accepted });
            as_text(Path::new("a.png"), &Ok(answer)).unwrap()
        };
        let path = vec!["Footwear".to_owned()];
        let footwear = Prediction { label: "Footwear".to_owned(), path, score: 0.97 };
        let parent = shown(Accepted::Parent(footwear.clone()));
        assert!(
            parent.ends_with(
                "  accepted at 95 %: Footwear (0.9700); nothing below it is sure enough\n"
            )
        );
        assert!(shown(Accepted::Leaf(footwear)).ends_with("  accepted at 95 %: Footwear\n"));
        assert!(shown(Accepted::None).ends_with("  not sure at 95 %: a human has to look\n"));
    }

    #[test]
    fn programs_read_one_object_a_line() {
        let line = as_json(Path::new("a.png"), &sandal()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(json["file"], "a.png");
        assert_eq!(json["status"], "succeeded");
        assert_eq!(json["predictions"][0]["score"], 0.875);
    }

    #[test]
    fn a_failure_is_told_with_its_code() {
        let failure = Err(ItemError::new(ErrorCode::Truncated, "ends early"));
        let text = as_text(Path::new("a.png"), &failure).unwrap();
        assert_eq!(text, "a.png\n  failed: truncated: ends early\n");
        let line = as_json(Path::new("a.png"), &failure).unwrap();
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["status"], "failed");
        assert_eq!(json["error"]["code"], "truncated");
    }
}
