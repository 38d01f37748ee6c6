//! `GET /openapi.json`

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpResponse, get};

use crate::document::Document;

/// This document
#[utoipa::path(
    tag = "operations",
    operation_id = "openapi",
    security(()),
    responses((status = 200, content_type = "application/json", body = Object,
        description = "The OpenAPI document of this service.")),
)]
#[get("/openapi.json")]
pub(crate) async fn openapi(document: Data<Document>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(document.text())
}
