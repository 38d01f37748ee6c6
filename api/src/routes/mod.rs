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

/// Registers every operation that callers may find.
pub(crate) fn register(config: &mut ServiceConfig<'_>) {
    for_callers(config);
    config.service(metrics::metrics);
}

/// Registers what an administrator's listener answers.
pub(crate) fn for_administrators(config: &mut ServiceConfig<'_>) {
    config.service(health::live).service(health::ready).service(metrics::metrics);
}

/// Registers what callers find wherever the API listens.
pub(crate) fn for_callers(config: &mut ServiceConfig<'_>) {
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
        .service(openapi::openapi);
}
