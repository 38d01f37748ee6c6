//! A job as a JSON document.

use aisle_shared::domain::{ModelName, Priority};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat,
    SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::draft::Draft;
use super::options::{Options, parse_metadata};
use crate::problem::{Code, FieldError, Problem};
use crate::view;

/// Characters of a URL at most.
pub(crate) const MAX_URL_CHARS: usize = 2_048;

/// Padded base64.
const BASE64_PATTERN: &str =
    "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// A job in JSON.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonJob {
    /// The images, in the order in which results will stand.
    #[schema(min_items = 1, max_items = 10_000)]
    images: Vec<JsonImage>,
    /// The model to run: a name that `GET /v1/models` lists.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    model: Option<ModelName>,
    /// Predictions for each image, at most the model's number of labels.
    /// Without it 5, or all labels where there are fewer.
    #[schema(minimum = 1)]
    top_k: Option<u32>,
    /// Which jobs go first. Without it `normal`.
    priority: Option<view::Priority>,
    /// Your own words, at most 16 KiB, returned as they came.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// `false` to have each image classified anew, and no answer kept.
    /// Without it `true`: the answer to a picture that was sent before may be
    /// the one it got then.
    cache: Option<bool>,
    /// The share of right answers at which each result's `decision` says
    /// whether a human has to look: one that `GET /v1/models` lists for the
    /// model. Without it the model's lowest.
    #[schema(exclusive_minimum = 0, maximum = 1, example = 0.95)]
    accept_precision: Option<f64>,
    /// Who is to be told of the job's end, beside the registered endpoints.
    webhook: Option<JsonWebhook>,
}

/// A receiver of one job's end. What it gets is signed by the secrets of the
/// webhook endpoint `callbacks`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonWebhook {
    /// Where to post: https, at a public address.
    #[schema(format = Uri, max_length = 2_048, example = "https://shop.example.com/hooks/aisle")]
    url: String,
}

/// An image: one of its URL and its bytes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JsonImage {
    /// Where a worker fetches it.
    Url(String),
    /// Its bytes in base64 (RFC 4648, section 4, padded).
    Base64(String),
}

impl ToSchema for JsonImage {}

/// Written by hand: each form takes its one member and no other.
impl PartialSchema for JsonImage {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
        let only = |name: &str, value: ObjectBuilder| {
            ObjectBuilder::new()
                .schema_type(SchemaType::new(Type::Object))
                .title(Some(name))
                .property(name, value)
                .required(name)
                .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        };
        let url = text()
            .description(Some("Where a worker fetches it: http or https, at a public address."))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uri)))
            .max_length(Some(MAX_URL_CHARS))
            .examples([json!("https://images.example.com/shirts/a-1001.jpg")]);
        let base64 = text()
            .description(Some("Its bytes in base64 (RFC 4648, section 4, padded)."))
            .pattern(Some(BASE64_PATTERN))
            .content_encoding("base64");
        OneOfBuilder::new()
            .description(Some("An image: its URL or its bytes."))
            .item(only("url", url))
            .item(only("base64", base64))
            .into()
    }
}

/// Fills a draft from a JSON document.
pub(crate) async fn read(body: Bytes, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let JsonJob { images, model, top_k, priority, metadata, cache, accept_precision, webhook } =
        parse(&body)?;
    // The document is as large as the images in it: it need not stay.
    drop(body);
    // As text until here: a value takes many times the memory of its text.
    let metadata = metadata.map(|text| parse_metadata(text.get())).transpose();
    let metadata = metadata.map_err(|detail| wrong("#/metadata".to_owned(), detail))?;
    let priority = priority.map(Priority::from);
    let webhook = webhook.map(|webhook| draft.callback(&webhook.url, "#/webhook/url"));
    let webhook = webhook.transpose()?;
    draft.options = Options { model, top_k, priority, metadata, cache, accept_precision, webhook };
    for (index, image) in images.into_iter().enumerate() {
        match image {
            JsonImage::Url(url) if url.chars().count() > MAX_URL_CHARS => {
                let detail = format!("more than {MAX_URL_CHARS} characters");
                return Err(wrong(format!("#/images/{index}/url"), detail));
            }
            JsonImage::Url(url) => draft.add_url(url)?,
            JsonImage::Base64(text) => {
                let bytes = STANDARD.decode(text).map_err(|error| {
                    wrong(format!("#/images/{index}/base64"), format!("no base64: {error}"))
                })?;
                draft.add_upload(bytes.into()).await?;
            }
        }
    }
    Ok(())
}

/// Reads a JSON document; a wrong place in it is named.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let document = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| wrong(pointer(error.path()), error.inner().to_string()))?;
    deserializer.end().map_err(|error| wrong("#".to_owned(), error.to_string()))?;
    Ok(document)
}

/// The problem of a wrong place in a body.
pub(crate) fn wrong(pointer: String, detail: String) -> Problem {
    Problem::new(Code::InvalidRequest, format!("{pointer}: {detail}."))
        .with_errors(vec![FieldError::at(pointer, detail)])
}

/// A path as a JSON pointer (RFC 6901) in a URI fragment.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold("#".to_owned(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => {
            let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
            let key = key.replace('+', "%20").replace("%7E", "~0").replace("%2F", "~1");
            format!("{pointer}/{key}")
        }
        Segment::Unknown => pointer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer_of(body: &str) -> String {
        parse::<JsonJob>(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_document_names_urls_and_bytes_in_order() {
        let body = r#"{"images":[{"url":"https://a.example/1.jpg"},{"base64":"AA=="}],"top_k":3}"#;
        let job: JsonJob = parse(body.as_bytes()).unwrap();
        assert!(matches!(&job.images[..], [JsonImage::Url(_), JsonImage::Base64(_)]));
        assert_eq!(job.top_k, Some(3));
    }

    #[test]
    fn a_wrong_place_is_pointed_at() {
        for (body, place) in [
            (r#"{"images":[{"url":1}]}"#, "#/images/0/url"),
            (r#"{"images":[{"url":"x"},{"path":"y"}]}"#, "#/images/1"),
            (r#"{"images":[{"url":"x","base64":"y"}]}"#, "#/images/0"),
            (r#"{"images":[],"top_k":-1}"#, "#/top_k"),
            (r#"{"images":[],"model":"../x"}"#, "#/model"),
            (r#"{"images":[],"a/b c":1}"#, "#/a~1b%20c"),
            (r#"{"images":[]}x"#, "#:"),
            ("", "#:"),
        ] {
            assert!(pointer_of(body).contains(place), "{body}: {}", pointer_of(body));
        }
    }

    #[test]
    fn a_document_nested_too_deeply_is_refused() {
        let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for key in ["images", "top_k"] {
            let body = format!(r#"{{"{key}":{nested}}}"#);
            assert!(parse::<JsonJob>(body.as_bytes()).is_err(), "{key}");
        }
        let job =
            parse::<JsonJob>(format!(r#"{{"images":[],"metadata":{{"a":{nested}}}}}"#).as_bytes());
        let metadata = job.unwrap().metadata.unwrap();
        assert!(parse_metadata(metadata.get()).unwrap_err().contains("recursion"));
    }
}
