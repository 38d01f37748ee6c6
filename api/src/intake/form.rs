//! The form of a job as the document describes it. Parts are read as they
//! arrive, so there is no type to derive it from.

use aisle_shared::domain::Priority;
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Schema,
    SchemaFormat, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::json::MAX_URL_CHARS;

/// A job as a form.
pub(crate) struct MultipartJob;

/// One image's bytes.
pub(crate) struct RawImage;

impl ToSchema for MultipartJob {}

impl PartialSchema for MultipartJob {
    fn schema() -> RefOr<Schema> {
        // The examples are empty because pages made from the document fill
        // the form in with them.
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Object))
            .description(Some(
                "A job as a form, with at least one `image` or `url`. Results stand in the order \
                 of the parts. A field that is left empty is as good as none.",
            ))
            .property("image", images())
            .property("url", urls())
            .property("model", model())
            .property("top_k", top_k())
            .property("priority", priority())
            .property("metadata", metadata())
            .property("cache", cache())
            .property("accept_precision", accept_precision())
            .property("webhook_url", webhook_url())
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}

impl ToSchema for RawImage {}

impl PartialSchema for RawImage {
    fn schema() -> RefOr<Schema> {
        binary().description(Some("The bytes of a JPEG, PNG, WebP or GIF.")).into()
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String))
}

fn binary() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
}

fn images() -> ArrayBuilder {
    ArrayBuilder::new()
        .items(binary())
        .description(Some("Photographs: JPEG, PNG, WebP or GIF. One part for each."))
}

fn urls() -> ArrayBuilder {
    ArrayBuilder::new()
        .items(text().max_length(Some(MAX_URL_CHARS)))
        .description(Some("URLs of photographs, instead of files. One part for each."))
        .examples([json!([])])
}

fn model() -> ObjectBuilder {
    text()
        .pattern(Some("^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$"))
        .description(Some("The model to run: a name that `GET /v1/models` lists."))
        .examples([json!("")])
}

fn top_k() -> OneOfBuilder {
    let number = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).minimum(Some(1));
    OneOfBuilder::new()
        .item(number)
        .item(text().max_length(Some(0)))
        .description(Some(
            "Predictions for each image, at most the model's number of labels. Without it 5, or \
             all labels where there are fewer.",
        ))
        .examples([json!("")])
}

fn priority() -> ObjectBuilder {
    text()
        .enum_values(Some(Priority::ALL.map(Priority::as_str)))
        .description(Some("Which jobs go first."))
        .default(Some(json!(Priority::default().as_str())))
}

fn cache() -> ObjectBuilder {
    text()
        .enum_values(Some(["", "true", "false"]))
        .description(Some(
            "`false` to have each image classified anew, and no answer kept. Without it `true`: \
             the answer to a picture that was sent before may be the one it got then.",
        ))
        .examples([json!("")])
}

fn accept_precision() -> OneOfBuilder {
    let number = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Number))
        .exclusive_minimum(Some(0))
        .maximum(Some(1));
    OneOfBuilder::new()
        .item(number)
        .item(text().max_length(Some(0)))
        .description(Some(
            "The share of right answers at which each result's `decision` says whether a human \
             has to look: one that `GET /v1/models` lists for the model. Without it the model's \
             lowest.",
        ))
        .examples([json!("")])
}

fn webhook_url() -> ObjectBuilder {
    text()
        .max_length(Some(MAX_URL_CHARS))
        .description(Some("Where to post when the job has ended: https, at a public address."))
        .examples([json!("")])
}

fn metadata() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Object))
        .description(Some("A JSON object of your own words, at most 16 KiB, returned as it came."))
        .examples([json!({})])
}
