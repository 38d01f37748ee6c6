//! A job that is being put together.

use std::sync::Arc;

use aisle_shared::domain::{
    Callback, ErrorCode, Idempotency, ItemError, ItemSource, Job, JobId, JobOptions, NewItem,
    NewJob, TraceParent,
};
use aisle_shared::fetch::Target;
use aisle_shared::image_probe::probe;
use aisle_shared::store::{self, Enqueued, MAX_ITEMS_PER_CALL, StoreError};
use aisle_shared::telemetry::names;
use aisle_shared::webhook;
use bytes::Bytes;
use tokio::sync::SemaphorePermit;

use super::choice::{choose_model, choose_precision, choose_top_k};
use super::fingerprint::Fingerprint;
use super::options::Options;
use super::uploads::Uploads;
use crate::caller::Caller;
use crate::context::Context;
use crate::problem::{Code, FieldError, Problem};
use crate::signing;

/// Images in the order of the request, with their bytes or these stored already.
pub(crate) struct Draft<'a> {
    context: &'a Context,
    id: JobId,
    uploads: Uploads,
    items: Vec<NewItem>,
    /// What is wrong with the first image, for a job that has no other.
    fault: Option<ItemError>,
    /// What is asked for, where the caller has named its request.
    fingerprint: Option<Fingerprint>,
    /// Its share of the memory that requests may take, until it is submitted.
    _turn: SemaphorePermit<'a>,
    /// Where the request stands in a trace.
    pub(crate) trace: Option<TraceParent>,
    /// What the caller chose in the body.
    pub(crate) options: Options,
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Submitted {
    /// The job.
    pub(crate) id: JobId,
    /// The job as the store took it, where this very request made it.
    pub(crate) job: Option<Box<Job>>,
    /// Whether an earlier request of the caller's key had made it.
    pub(crate) repeated: bool,
}

impl<'a> Draft<'a> {
    /// A job without images.
    pub(crate) fn new(
        context: &'a Context,
        id: JobId,
        fingerprint: Option<Fingerprint>,
        turn: SemaphorePermit<'a>,
    ) -> Self {
        Self {
            context,
            id,
            uploads: Uploads::new(Arc::clone(&context.state.blobs), id),
            items: Vec::new(),
            fault: None,
            fingerprint,
            _turn: turn,
            trace: None,
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
        if let Some(fingerprint) = &mut self.fingerprint {
            fingerprint.add_upload(&bytes);
        }
        let index = self.add(ItemSource::Upload, bytes.len() as u64, verdict)?;
        Ok(self.uploads.put(index, bytes).await?)
    }

    /// Adds an image by its URL.
    pub(crate) fn add_url(&mut self, url: String) -> Result<(), Problem> {
        let verdict = Target::parse(&url, &self.context.settings().fetch_policy)
            .map(|_| ())
            .map_err(|error| ItemError::new(ErrorCode::UrlNotAllowed, error.to_string()));
        if let Some(fingerprint) = &mut self.fingerprint {
            fingerprint.add_url(&url);
        }
        self.add(ItemSource::Url(url), 0, verdict).map(|_| ())
    }

    /// Who a caller wants to be told of the job's end; `pointer` names the
    /// place in the body.
    pub(crate) fn callback(&self, url: &str, pointer: &str) -> Result<Callback, Problem> {
        webhook::callback(url, &self.context.settings().fetch_policy).map_err(|error| {
            let errors = vec![FieldError::at(pointer, error.to_string())];
            Problem::new(Code::UrlNotAllowed, format!("{pointer}: {error}.")).with_errors(errors)
        })
    }

    /// Waits until all bytes that do not wait for the job are stored.
    pub(crate) async fn settle(&mut self) -> Result<(), Problem> {
        Ok(self.uploads.settle().await?)
    }

    /// Gives the images that wait in memory to the items that bring them, or
    /// stores them where the job has too many items to be written in one step.
    async fn load(&mut self) -> Result<(), Problem> {
        if self.items.len() > MAX_ITEMS_PER_CALL {
            self.uploads.store_held().await?;
        }
        self.settle().await?;
        for (index, bytes) in self.uploads.take_held() {
            if let Some(item) = self.items.get_mut(index as usize) {
                item.content = Some(bytes);
            }
        }
        Ok(())
    }

    /// Images so far.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    fn add(
        &mut self,
        source: ItemSource,
        bytes: u64,
        verdict: Result<(), ItemError>,
    ) -> Result<u32, Problem> {
        let most = self.context.settings().max_items;
        let index = self.items.len();
        if index >= most {
            return Err(too_many(most, "images"));
        }
        if index == 0 {
            self.fault = verdict.err();
        }
        self.items.push(NewItem { source, bytes, content: None });
        u32::try_from(index).map_err(Problem::internal)
    }

    /// Submits the job. A job of one image that cannot be classified is
    /// refused; among others such an image fails alone, by the worker. Where
    /// the caller's key has made a job already, that job is answered, and what
    /// this request has stored is removed.
    pub(crate) async fn submit(
        mut self,
        caller: &Caller,
        query: Options,
        key: Option<String>,
    ) -> Result<Submitted, Problem> {
        match (self.items.as_slice(), &self.fault) {
            ([], _) => return Err(no_images()),
            ([_], Some(fault)) => return Err(fault.clone().into()),
            _ => {}
        }
        self.load().await?;
        let options = self.options.and(query)?;
        let fingerprint = self.fingerprint.map(|print| print.finish(&options)).transpose()?;
        let keep = self.context.settings().idempotency_keep;
        let idempotency = key.zip(fingerprint);
        let idempotency =
            idempotency.map(|(key, fingerprint)| Idempotency { key, fingerprint, keep });
        let job = new_job(self.context, caller, self.id, options).await?;
        let job = NewJob { idempotency, trace: self.trace, ..job };
        let submitted = store::submit(self.context.store(), &job, &self.items).await;
        // When the store did not answer, the job may be there: its bytes stay,
        // and are swept if it is not.
        if matches!(
            submitted,
            Ok(Enqueued::Created { .. } | Enqueued::Replayed) | Err(StoreError::Unavailable { .. })
        ) {
            self.uploads.keep();
        }
        let at = match submitted? {
            Enqueued::Created { at } => Some(at),
            Enqueued::Replayed => None,
            Enqueued::Repeated(first) => {
                tracing::info!(job = %first, "a request was repeated");
                return Ok(Submitted { id: first, job: None, repeated: true });
            }
        };
        let source =
            if matches!(self.items.first(), Some(NewItem { source: ItemSource::Url(_), .. })) {
                "url"
            } else {
                "upload"
            };
        metrics::counter!(
            names::JOBS_SUBMITTED_TOTAL, "model" => job.model.to_string(), "source" => source
        )
        .increment(1);
        tracing::info!(job = %job.id, model = %job.model, images = self.items.len(), "job submitted");
        let total = u32::try_from(self.items.len()).map_err(Problem::internal)?;
        let id = job.id;
        let job = at.map(|at| Box::new(job.queued(total, at)));
        Ok(Submitted { id, job, repeated: false })
    }
}

async fn new_job(
    context: &Context,
    caller: &Caller,
    id: JobId,
    options: Options,
) -> Result<NewJob, Problem> {
    let settings = context.settings();
    if options.webhook.is_some() {
        signing::prepare_callbacks(context, caller).await?;
    }
    let mut announced = context.catalog.lately(context.store()).await?;
    let configured = settings.default_model.as_ref();
    if choose_model(options.model.as_ref(), configured, &announced).is_err() {
        // A worker may have announced it since.
        announced = context.catalog.now(context.store()).await?;
    }
    let model = choose_model(options.model.as_ref(), configured, &announced)?;
    Ok(NewJob {
        id,
        tenant: caller.tenant.clone(),
        weight: caller.weight(),
        model: model.name.clone(),
        priority: options.priority.unwrap_or_default(),
        options: JobOptions {
            top_k: choose_top_k(options.top_k, model)?,
            cache: options.cache.unwrap_or(true),
            accept_precision: choose_precision(options.accept_precision, model)?,
        },
        metadata: options.metadata.unwrap_or_default(),
        max_attempts: settings.max_attempts,
        retention: settings.retention,
        callback: options.webhook,
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
