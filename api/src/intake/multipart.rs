//! A job as a form with files: what browsers and `curl -F` send.

use std::str::FromStr;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::http::header::{ContentDisposition, HeaderMap};
use actix_web::web::Payload;
use aisle_shared::domain::{ModelName, Priority};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use serde_json::Value;

use super::body::{bounded, broken};
use super::draft::Draft;
use super::json::MAX_URL_CHARS;
use super::kind::{BodyKind, overlong};
use super::options::{Options, parse_metadata};
use crate::problem::{Code, FieldError, Problem};
use crate::settings::ApiSettings;
use crate::view;

/// Bytes of a field that is no file at most.
const MAX_FIELD_BYTES: u64 = 32 * 1024;

/// Fills a draft from a form, part by part.
pub(crate) async fn read(
    headers: &HeaderMap,
    payload: Payload,
    settings: &ApiSettings,
    draft: &mut Draft<'_>,
) -> Result<(), Problem> {
    let limit = BodyKind::Multipart.limit(settings);
    let malformed = |error| malformed(&error, overlong(limit.0, limit.1));
    let mut form = Multipart::new(headers, bounded(payload, limit.0, settings.upload_within));
    while let Some(mut field) = form.try_next().await.map_err(malformed)? {
        let part = Part::named(field.name().unwrap_or_default())?;
        let most = part.limit(settings);
        let bytes = bytes_of(&mut field, most).await.map_err(malformed)?;
        let bytes = bytes.ok_or_else(|| part.overlong(most))?;
        if !is_blank(part, &field, &bytes) {
            part.add(bytes, draft).await?;
        }
    }
    Ok(())
}

/// Whether the part was left empty. Browsers send fields that nobody filled in
/// as empty ones, and file choosers that nobody used as files without a name.
fn is_blank(part: Part, field: &Field, bytes: &Bytes) -> bool {
    let name = field.content_disposition().and_then(ContentDisposition::get_filename);
    bytes.is_empty() && (part != Part::Image || name.is_none_or(str::is_empty))
}

/// What a part of the form is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Image,
    Url,
    Model,
    TopK,
    Priority,
    Metadata,
    Cache,
    AcceptPrecision,
    Webhook,
}

impl Part {
    fn named(name: &str) -> Result<Self, Problem> {
        match name {
            "image" => Ok(Self::Image),
            "url" => Ok(Self::Url),
            "model" => Ok(Self::Model),
            "top_k" => Ok(Self::TopK),
            "priority" => Ok(Self::Priority),
            "metadata" => Ok(Self::Metadata),
            "cache" => Ok(Self::Cache),
            "accept_precision" => Ok(Self::AcceptPrecision),
            "webhook_url" => Ok(Self::Webhook),
            other => {
                let name: String = other.chars().take(50).collect();
                let detail = format!(
                    "There is no part {name:?}; there are image, url, model, top_k, priority, \
                     metadata, cache, accept_precision and webhook_url."
                );
                Err(Problem::new(Code::InvalidRequest, detail))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Url => "url",
            Self::Model => "model",
            Self::TopK => "top_k",
            Self::Priority => "priority",
            Self::Metadata => "metadata",
            Self::Cache => "cache",
            Self::AcceptPrecision => "accept_precision",
            Self::Webhook => "webhook_url",
        }
    }

    fn limit(self, settings: &ApiSettings) -> u64 {
        match self {
            Self::Image => settings.image_limits.max_bytes,
            Self::Url
            | Self::Model
            | Self::TopK
            | Self::Priority
            | Self::Metadata
            | Self::Cache
            | Self::AcceptPrecision
            | Self::Webhook => MAX_FIELD_BYTES,
        }
    }

    fn overlong(self, most: u64) -> Problem {
        match self {
            Self::Image => overlong(most, Code::TooLarge),
            Self::Url
            | Self::Model
            | Self::TopK
            | Self::Priority
            | Self::Metadata
            | Self::Cache
            | Self::AcceptPrecision
            | Self::Webhook => self.wrong(format!("more than {most} bytes")),
        }
    }

    fn wrong(self, detail: impl Into<String>) -> Problem {
        let (pointer, detail) = (format!("#/{}", self.name()), detail.into());
        Problem::new(Code::InvalidRequest, format!("{pointer}: {detail}."))
            .with_errors(vec![FieldError::at(pointer, detail)])
    }

    async fn add(self, bytes: Bytes, draft: &mut Draft<'_>) -> Result<(), Problem> {
        if self == Self::Image {
            return draft.add_upload(bytes).await;
        }
        let text = String::from_utf8(bytes.into()).map_err(|_| self.wrong("no UTF-8"))?;
        if self == Self::Webhook {
            let callback = draft.callback(&text, "#/webhook_url")?;
            return self.once(&mut draft.options.webhook, Ok(callback));
        }
        let options: &mut Options = &mut draft.options;
        match self {
            Self::Image | Self::Webhook => Ok(()),
            Self::Url if text.chars().count() > MAX_URL_CHARS => {
                Err(self.wrong(format!("more than {MAX_URL_CHARS} characters")))
            }
            Self::Url => draft.add_url(text),
            Self::Model => self.once(&mut options.model, parsed::<ModelName>(&text)),
            Self::TopK => self.once(&mut options.top_k, parsed(&text)),
            Self::Priority => self.once(&mut options.priority, priority(&text)),
            Self::Metadata => self.once(&mut options.metadata, parse_metadata(&text)),
            Self::Cache => self.once(&mut options.cache, parsed(&text)),
            Self::AcceptPrecision => self.once(&mut options.accept_precision, parsed(&text)),
        }
    }

    fn once<T>(self, slot: &mut Option<T>, value: Result<T, String>) -> Result<(), Problem> {
        if slot.is_some() {
            return Err(self.wrong("more than one such part"));
        }
        *slot = Some(value.map_err(|detail| self.wrong(detail))?);
        Ok(())
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn priority(text: &str) -> Result<Priority, String> {
    let word = Value::String(text.to_owned());
    let priority: view::Priority =
        serde_json::from_value(word).map_err(|error| error.to_string())?;
    Ok(priority.into())
}

/// A part's bytes; `None` when they are more than `most`.
async fn bytes_of(field: &mut Field, most: u64) -> Result<Option<Bytes>, MultipartError> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = field.try_next().await? {
        if (whole.len() + chunk.len()) as u64 > most {
            return Ok(None);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Some(whole.freeze()))
}

fn malformed(error: &MultipartError, overlong: Problem) -> Problem {
    if let MultipartError::Payload(error) = error {
        broken(error, overlong)
    } else {
        Problem::new(Code::InvalidRequest, format!("The form is malformed: {error}."))
    }
}
