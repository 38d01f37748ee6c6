//! `GET /v1/models` and `GET /v1/models/{name}`

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use aisle_shared::domain::{AnnouncedModel, ModelName};

use crate::caller::Caller;
use crate::context::Context;
use crate::intake::default_model;
use crate::problem::{Code, Problem, problems};
use crate::view::{Model, ModelList, ModelSummary};

problems!(ListProblems: Internal, StoreUnavailable);
problems!(ReadProblems: ModelNotFound, Internal, StoreUnavailable);

/// List models
///
/// Every model that a worker has announced in the last seven days, by name, but
/// for those that were taken away since.
#[utoipa::path(
    tag = "models",
    operation_id = "listModels",
    security(("api_key" = ["jobs:read"])),
    responses((status = 200, body = ModelList, description = "The models."), ListProblems),
)]
#[get("/v1/models")]
pub(crate) async fn list(_: Caller, context: Data<Context>) -> Result<Json<ModelList>, Problem> {
    let (models, default) = announced(&context).await?;
    let summary = |model| ModelSummary::new(model, is(default.as_ref(), model));
    Ok(Json(ModelList { data: models.iter().map(summary).collect() }))
}

/// Read a model
///
/// A model with all its labels.
#[utoipa::path(
    tag = "models",
    operation_id = "readModel",
    security(("api_key" = ["jobs:read"])),
    params(("name" = String, Path, description = "The model's name.", example = "mobilenet-v2")),
    responses((status = 200, body = Model, description = "The model."), ReadProblems),
)]
#[get("/v1/models/{name}")]
pub(crate) async fn read(
    _: Caller,
    context: Data<Context>,
    name: Path<String>,
) -> Result<Json<Model>, Problem> {
    let (models, default) = announced(&context).await?;
    let model = models.into_iter().find(|model| model.card.name.as_str() == name.as_str());
    let model = model.ok_or_else(|| {
        Problem::new(Code::ModelNotFound, "No worker has announced a model of that name.")
    })?;
    let default = is(default.as_ref(), &model);
    Ok(Json(Model::new(model, default)))
}

async fn announced(context: &Context) -> Result<(Vec<AnnouncedModel>, Option<ModelName>), Problem> {
    let models = context.store().models().await?;
    let default = default_model(context.settings().default_model.as_ref(), &models);
    let default = default.map(|card| card.name.clone());
    Ok((models, default))
}

fn is(default: Option<&ModelName>, model: &AnnouncedModel) -> bool {
    default == Some(&model.card.name)
}
