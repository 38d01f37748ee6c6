//! A job that is being put together.

use std::sync::Arc;

use aisle_shared::domain::{ErrorCode, ItemError, ItemSource, JobId, JobOptions, NewItem, NewJob};
use aisle_shared::fetch::Target;
use aisle_shared::image_probe::probe;
use aisle_shared::store::{self, StoreError};
use aisle_shared::telemetry::names;
use bytes::Bytes;

use super::choice::{choose_model, choose_top_k};
use super::options::Options;
use super::uploads::Uploads;
use crate::caller::Caller;
use crate::context::Context;
use crate::problem::{Code, Problem};

/// Images in the order of the request, their bytes stored already.
pub(crate) struct Draft<'a> {
    context: &'a Context,
    id: JobId,
    uploads: Uploads,
    items: Vec<NewItem>,
    /// What is wrong with the first image, for a job that has no other.
    fault: Option<ItemError>,
    /// What the caller chose in the body.
    pub(crate) options: Options,
}

impl<'a> Draft<'a> {
    /// A job without images.
    pub(crate) fn new(context: &'a Context) -> Self {
        let id = JobId::generate();
        Self {
            context,
            id,
            uploads: Uploads::new(Arc::clone(&context.state.blobs), id),
            items: Vec::new(),
            fault: None,
            options: Options::default(),
        }
    }

    /// Adds an image by its bytes.
    pub(crate) async fn add_upload(&mut self, bytes: Bytes) -> Result<(), Problem> {
        let settings = self.context.settings();
        if self.uploads.len() >= settings.max_files {
            return Err(too_many(settings.max_files, "uploaded images"));
        }
        let verdict = probe(&bytes, &settings.image_limits).map(|_| ());
        let index = self.add(ItemSource::Upload, verdict)?;
        Ok(self.uploads.put(index, bytes).await?)
    }

    /// Adds an image by its URL.
    pub(crate) fn add_url(&mut self, url: String) -> Result<(), Problem> {
        let verdict = Target::parse(&url, &self.context.settings().fetch_policy)
            .map(|_| ())
            .map_err(|error| ItemError::new(ErrorCode::UrlNotAllowed, error.to_string()));
        self.add(ItemSource::Url(url), verdict).map(|_| ())
    }

    /// Images so far.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    fn add(&mut self, source: ItemSource, verdict: Result<(), ItemError>) -> Result<u32, Problem> {
        let most = self.context.settings().max_items;
        let index = self.items.len();
        if index >= most {
            return Err(too_many(most, "images"));
        }
        if index == 0 {
            self.fault = verdict.err();
        }
        self.items.push(NewItem { source });
        u32::try_from(index).map_err(Problem::internal)
    }

    /// Submits the job. A job of one image that cannot be classified is
    /// refused; among others such an image fails alone, by the worker.
    pub(crate) async fn submit(self, caller: &Caller, query: Options) -> Result<JobId, Problem> {
        match (self.items.as_slice(), &self.fault) {
            ([], _) => return Err(no_images()),
            ([_], Some(fault)) => return Err(fault.clone().into()),
            _ => {}
        }
        let job = new_job(self.context, caller, self.id, self.options.and(query)?).await?;
        let submitted = store::submit(self.context.store(), &job, &self.items).await;
        // When the store did not answer, the job may be there: its bytes stay,
        // and are swept if it is not.
        if matches!(submitted, Ok(_) | Err(StoreError::Unavailable { .. })) {
            self.uploads.keep();
        }
        submitted?;
        let source = if matches!(self.items.first(), Some(NewItem { source: ItemSource::Url(_) })) {
            "url"
        } else {
            "upload"
        };
        metrics::counter!(
            names::JOBS_SUBMITTED_TOTAL, "model" => job.model.to_string(), "source" => source
        )
        .increment(1);
        tracing::info!(job = %job.id, model = %job.model, images = self.items.len(), "job submitted");
        Ok(job.id)
    }
}

async fn new_job(
    context: &Context,
    caller: &Caller,
    id: JobId,
    options: Options,
) -> Result<NewJob, Problem> {
    let settings = context.settings();
    let announced = context.store().models().await?;
    let model = choose_model(options.model.as_ref(), settings.default_model.as_ref(), &announced)?;
    Ok(NewJob {
        id,
        tenant: caller.tenant.clone(),
        weight: 1,
        model: model.name.clone(),
        priority: options.priority.unwrap_or_default(),
        options: JobOptions { top_k: choose_top_k(options.top_k, model)? },
        metadata: options.metadata.unwrap_or_default(),
        max_attempts: settings.max_attempts,
        retention: settings.retention,
        callback: None,
        idempotency: None,
        trace: None,
    })
}

fn no_images() -> Problem {
    let detail = "Send at least one image: a part or body of bytes, a URL, or base64.";
    Problem::new(Code::NoImages, detail)
}

fn too_many(most: usize, what: &str) -> Problem {
    Problem::new(Code::TooManyImages, format!("A job has at most {most} {what}."))
}
