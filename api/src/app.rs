//! The routes as applications, with what stands around them.

use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, Error};
use utoipa::OpenApi;
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::access::{Needs, guard, let_in};
use crate::context::Context;
use crate::document::{Base, Document, complete};
use crate::envelope::{Addresses, envelope, nowhere};
use crate::routes;

/// The application for callers: every route of the API, its document and
/// Swagger UI.
pub fn app(
    context: Arc<Context>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let metrics = context.settings().metrics;
    let routes = App::new().into_utoipa_app().openapi(Base::openapi());
    let routes = routes.configure(|config| {
        if metrics { routes::register(config) } else { routes::for_callers(config) }
    });
    let (app, mut openapi) = routes.split_for_parts();
    complete(&mut openapi);
    app.app_data(Data::from(context))
        .app_data(Data::new(Document::new(&openapi)))
        .app_data(Data::new(Addresses::of(&openapi)))
        .app_data(Data::new(Needs::of(&openapi)))
        .service(web::redirect("/", "/docs/"))
        .service(web::redirect("/docs", "/docs/"))
        .service(swagger())
        .default_service(web::to(nowhere))
        .wrap(from_fn(guard))
        .wrap(from_fn(envelope))
}

/// The application for administrators, who are known by reaching its
/// listener: no key is asked for.
pub fn admin_app(
    context: Arc<Context>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let routes = App::new().into_utoipa_app().configure(routes::for_administrators);
    let (app, openapi) = routes.split_for_parts();
    app.app_data(Data::from(context))
        .app_data(Data::new(Addresses::of(&openapi)))
        .default_service(web::to(nowhere))
        .wrap(from_fn(let_in))
        .wrap(from_fn(envelope))
}

/// The OpenAPI document of the routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let routes = App::new().into_utoipa_app().openapi(Base::openapi()).configure(routes::register);
    let mut openapi = routes.split_for_parts().1;
    complete(&mut openapi);
    openapi
}

fn swagger() -> SwaggerUi {
    let config = Config::from("/openapi.json")
        .doc_expansion("list")
        .display_request_duration(true)
        .validator_url("none");
    SwaggerUi::new("/docs/{_:.*}").config(config)
}
