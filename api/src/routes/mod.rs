//! The routes, one operation a file, each with its part of the document.

mod answer;
mod cancel;
mod delete;
mod events;
mod health;
mod list;
mod metrics;
mod models;
mod openapi;
mod read;
mod submit;
mod webhooks;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers every operation.
pub(crate) fn register(config: &mut ServiceConfig<'_>) {
    config
        .service(submit::submit)
        .service(list::list)
        .service(read::read)
        .service(cancel::cancel)
        .service(delete::delete)
        .service(events::events)
        .service(models::list)
        .service(models::read)
        .configure(webhooks::register)
        .service(health::live)
        .service(health::ready)
        .service(metrics::metrics)
        .service(openapi::openapi);
}
