//! An image's answer as text for people or as JSON for programs.

use std::path::Path;

use aisle_shared::domain::{Classification, ItemError};
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
        Ok(classification) => categories(classification),
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

#[cfg(test)]
mod tests {
    use aisle_shared::domain::{ErrorCode, ImageInfo, Prediction, StageTimings};

    use super::*;

    fn sandal() -> Answer {
        let path = ["Footwear", "Sandal"].map(str::to_owned).to_vec();
        Ok(Classification {
            predictions: vec![Prediction { label: path.join(" > "), path, score: 0.875 }],
            levels: Vec::new(),
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
