//! What a caller may choose for a job, wherever in the request it stands.

use aisle_shared::domain::{Callback, ModelName, Priority};
use aisle_shared::fetch::FetchPolicy;
use aisle_shared::webhook::callback;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::IntoParams;

use crate::problem::{Code, FieldError, Problem};
use crate::view;

/// Bytes of metadata as JSON at most: it is kept with the job and returned
/// with every answer, so it is no place for images.
const MAX_METADATA_BYTES: usize = 16 * 1024;

/// A caller's choices; what is not chosen has a default. As JSON they are part
/// of a request's fingerprint.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Options {
    /// The model to run.
    pub(crate) model: Option<ModelName>,
    /// Predictions for each image.
    pub(crate) top_k: Option<u32>,
    /// Which jobs go first.
    pub(crate) priority: Option<Priority>,
    /// The caller's own words.
    pub(crate) metadata: Option<Map<String, Value>>,
    /// Whether answers may come from the cache. Left out of the fingerprint
    /// where it is not chosen, as it was before there was a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache: Option<bool>,
    /// The share of right answers to decide at whether a human has to look.
    /// Left out of the fingerprint likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accept_precision: Option<f64>,
    /// Who is to be told of the job's end.
    pub(crate) webhook: Option<Callback>,
}

/// Options in the query: the place for them beside a raw image. Beside other
/// bodies they may stand in either place, but not in both.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SubmitQuery {
    /// The model to run: a name that `GET /v1/models` lists.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", nullable = false)]
    model: Option<ModelName>,
    /// Predictions for each image, at most the model's number of labels.
    /// Without it 5, or all labels where there are fewer.
    #[param(minimum = 1, nullable = false)]
    top_k: Option<u32>,
    /// Which jobs go first. Without it `normal`.
    #[param(inline, nullable = false)]
    priority: Option<view::Priority>,
    /// A JSON object of your own words, at most 16 KiB, returned as it came.
    #[param(nullable = false)]
    metadata: Option<String>,
    /// `false` to have each image classified anew, and no answer kept.
    /// Without it `true`: the answer to a picture that was sent before may be
    /// the one it got then.
    #[param(nullable = false)]
    cache: Option<bool>,
    /// The share of right answers at which each result's `decision` says
    /// whether a human has to look: one that `GET /v1/models` lists for the
    /// model. Without it the model's lowest.
    #[param(exclusive_minimum = 0, maximum = 1, nullable = false)]
    accept_precision: Option<f64>,
    /// Where to post when the job has ended: https, at a public address.
    #[param(format = Uri, max_length = 2_048, nullable = false)]
    webhook_url: Option<String>,
}

impl SubmitQuery {
    /// The choices that stand in the query.
    pub(crate) fn into_options(self, policy: &FetchPolicy) -> Result<Options, Problem> {
        let metadata = self.metadata.as_deref().map(parse_metadata).transpose();
        let metadata = metadata.map_err(|detail| {
            Problem::new(Code::InvalidQuery, format!("metadata: {detail}."))
                .with_errors(vec![FieldError::of_parameter("metadata", detail)])
        })?;
        let webhook = self.webhook_url.map(|url| callback(&url, policy)).transpose();
        let webhook = webhook.map_err(|error| {
            let errors = vec![FieldError::of_parameter("webhook_url", error.to_string())];
            Problem::new(Code::UrlNotAllowed, format!("webhook_url: {error}.")).with_errors(errors)
        })?;
        Ok(Options {
            webhook,
            model: self.model,
            top_k: self.top_k,
            priority: self.priority.map(Priority::from),
            metadata,
            cache: self.cache,
            accept_precision: self.accept_precision,
        })
    }
}

impl Options {
    /// These choices (the body's) and the query's together.
    pub(crate) fn and(self, query: Self) -> Result<Self, Problem> {
        Ok(Self {
            model: either("model", self.model, query.model)?,
            top_k: either("top_k", self.top_k, query.top_k)?,
            priority: either("priority", self.priority, query.priority)?,
            metadata: either("metadata", self.metadata, query.metadata)?,
            cache: either("cache", self.cache, query.cache)?,
            accept_precision: either(
                "accept_precision",
                self.accept_precision,
                query.accept_precision,
            )?,
            webhook: either("webhook_url", self.webhook, query.webhook)?,
        })
    }
}

/// Reads metadata from JSON text.
pub(crate) fn parse_metadata(text: &str) -> Result<Map<String, Value>, String> {
    if text.len() > MAX_METADATA_BYTES {
        return Err(format!("more than {MAX_METADATA_BYTES} bytes as JSON"));
    }
    serde_json::from_str(text).map_err(|error| format!("no JSON object: {error}"))
}

fn either<T>(name: &str, body: Option<T>, query: Option<T>) -> Result<Option<T>, Problem> {
    match (body, query) {
        (Some(_), Some(_)) => {
            let detail = "stands in the query and in the body; say it once";
            Err(Problem::new(Code::InvalidQuery, format!("{name}: {detail}."))
                .with_errors(vec![FieldError::of_parameter(name, detail)]))
        }
        (body, query) => Ok(body.or(query)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_may_stand_in_the_query_or_in_the_body_but_not_in_both() {
        let options = |top_k| Options { top_k, ..Options::default() };
        assert_eq!(options(Some(3)).and(options(None)).unwrap().top_k, Some(3));
        assert_eq!(options(None).and(options(Some(4))).unwrap().top_k, Some(4));
        let problem = options(Some(3)).and(options(Some(3))).unwrap_err();
        assert_eq!(problem.code(), Code::InvalidQuery);
    }

    #[test]
    fn metadata_is_a_small_json_object() {
        assert_eq!(parse_metadata(r#"{"b":1,"a":2}"#).unwrap().keys().next().unwrap(), "b");
        assert!(parse_metadata("[]").is_err());
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_METADATA_BYTES));
        assert!(parse_metadata(&large).is_err());
    }
}
