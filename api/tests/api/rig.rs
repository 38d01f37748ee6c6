//! An API over a store in a temporary folder, and a worker that the test
//! drives by hand.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Request;
use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, init_service};
use aisle_api::{Access, ApiSettings, ApiState, Context};
use aisle_shared::blob::FileBlobs;
use aisle_shared::clock::{Clock, ManualClock};
use aisle_shared::disk::Reserve;
use aisle_shared::domain::{
    Activation, Classification, ErrorCode, ImageInfo, ItemError, ItemOutcome, KeyText, ModelCard,
    NewApiKey, Prediction, Scope, StageTimings, Timestamp, WorkerCard, WorkerId,
};
use aisle_shared::store::{
    ClaimRequest, Claimed, Keys as _, SqliteOptions, SqliteStore, Store, StoreLimits,
};
use aisle_shared::webhook::{MasterKey, Vault};
use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const MODEL: &str = "flowers";
pub(crate) const LABELS: u32 = 7;

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct Rig {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: ManualClock,
    pub(crate) shutdown: CancellationToken,
    pub(crate) state: ApiState,
    folder: TempDir,
    worker: WorkerId,
}

impl Rig {
    /// An API with default settings and one announced model.
    pub(crate) async fn new() -> Self {
        let rig = Self::bare(ApiSettings::default(), 1_000_000);
        rig.announce(&[MODEL]).await;
        rig
    }

    /// An API whose settings are changed first, with one announced model.
    pub(crate) async fn with(change: impl FnOnce(&mut ApiSettings)) -> Self {
        let mut settings = ApiSettings::default();
        change(&mut settings);
        let rig = Self::bare(settings, 1_000_000);
        rig.announce(&[MODEL]).await;
        rig
    }

    /// An API with one announced model that asks for keys.
    pub(crate) async fn with_keys() -> Self {
        let mut rig = Self::new().await;
        rig.state.settings.access = Access::Keys;
        rig
    }

    /// A key for a tenant.
    pub(crate) async fn key(&self, tenant: &str, scopes: &[Scope]) -> String {
        self.key_for(tenant, scopes, 1, None).await
    }

    /// A key with a weight and a lifetime.
    pub(crate) async fn key_for(
        &self,
        tenant: &str,
        scopes: &[Scope],
        weight: u32,
        lifetime: Option<Duration>,
    ) -> String {
        let text = KeyText::generate();
        let key = NewApiKey {
            id: text.id().clone(),
            hash: text.hash(),
            name: "test".to_owned(),
            tenant: tenant.parse().unwrap(),
            scopes: scopes.iter().copied().collect(),
            lifetime,
            weight,
            rate_per_minute: None,
        };
        self.store.put_key(&key).await.unwrap();
        text.reveal()
    }

    /// An API without any model, over a store that holds so many items.
    /// Anyone may call.
    pub(crate) fn bare(settings: ApiSettings, max_live_items: u64) -> Self {
        Self::within(settings, StoreLimits::of_items(max_live_items))
    }

    /// An API without any model, over a store with these limits.
    pub(crate) fn within(mut settings: ApiSettings, limits: StoreLimits) -> Self {
        settings.access = Access::Open;
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::now());
        let path = folder.path().join("aisle.db");
        let options = SqliteOptions {
            path,
            limits,
            reserve: Reserve::NONE,
            ballast: 0,
            clock: Clock::Manual(clock.clone()),
        };
        let store = Arc::new(SqliteStore::open(options).unwrap());
        let blobs = Arc::new(FileBlobs::open(folder.path().join("blobs")).unwrap());
        let metrics = Arc::new(|| "aisle_up 1\n".to_owned());
        let vault = Vault::new(&[MasterKey::generate()]).map(Arc::new);
        let state =
            ApiState { store: store.clone(), blobs, vault, settings, worker: None, metrics };
        let (shutdown, worker) = (CancellationToken::new(), WorkerId::generate());
        Self { store, clock, shutdown, state, folder, worker }
    }

    pub(crate) async fn announce(&self, models: &[&str]) {
        let card = |name: &&str| ModelCard {
            name: name.parse().unwrap(),
            version: format!("{name}-v1"),
            labels: (0..LABELS).map(|label| format!("label {label}")).collect(),
            input_size: [224, 224],
            activation: Activation::Softmax,
            provider: "cpu".to_owned(),
            precision: "fp32".to_owned(),
            accept: Vec::new(),
            trouble: None,
        };
        let worker = WorkerCard {
            id: self.worker.clone(),
            pid: 1,
            started_at: Timestamp::now(),
            models: models.iter().map(card).collect(),
        };
        self.store.announce(&worker, Duration::from_secs(60)).await.unwrap();
    }

    pub(crate) async fn app(
        &self,
    ) -> impl Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error> {
        self.app_over(self.state.clone()).await
    }

    /// The API over another state.
    pub(crate) async fn app_over(
        &self,
        state: ApiState,
    ) -> impl Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error> + use<>
    {
        init_service(aisle_api::app(Context::new(state, self.shutdown.clone()))).await
    }

    pub(crate) async fn claim(&self, max: usize) -> Vec<Claimed> {
        let request = ClaimRequest {
            worker: self.worker.clone(),
            model: MODEL.parse().unwrap(),
            max,
            lease: Duration::from_secs(60),
            with_content: false,
        };
        self.store.claim(&request).await.unwrap()
    }

    /// Works on what is queued, at most 200 images, and ends each as told.
    pub(crate) async fn work(&self, outcome: impl Fn(u32) -> ItemOutcome) -> usize {
        let claimed = self.claim(200).await;
        self.end(claimed, outcome).await
    }

    pub(crate) async fn end(
        &self,
        claimed: Vec<Claimed>,
        outcome: impl Fn(u32) -> ItemOutcome,
    ) -> usize {
        let outcomes: Vec<_> = claimed
            .into_iter()
            .map(|claimed| {
                let outcome = outcome(claimed.lease.item.index);
                (claimed.lease, outcome)
            })
            .collect();
        self.store.complete(&outcomes).await.unwrap();
        outcomes.len()
    }

    /// Images whose bytes are stored.
    pub(crate) fn stored_images(&self) -> usize {
        files_below(&self.folder.path().join("blobs"))
    }
}

fn files_below(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 })
        .sum()
}

pub(crate) fn classified(_: u32) -> ItemOutcome {
    ItemOutcome::Succeeded(Box::new(Classification {
        predictions: vec![Prediction {
            label: "rose".to_owned(),
            path: vec!["rose".to_owned()],
            score: 0.75,
        }],
        levels: Vec::new(),
        decision: None,
        model: MODEL.parse().unwrap(),
        model_version: "flowers-v1".to_owned(),
        provider: "cpu".to_owned(),
        precision: "fp32".to_owned(),
        batch_size: 1,
        cached: false,
        image: ImageInfo { media_type: Cow::Borrowed("image/png"), width: 2, height: 2, bytes: 70 },
        timings: StageTimings::default(),
    }))
}

pub(crate) fn failed(_: u32) -> ItemOutcome {
    ItemOutcome::Failed(ItemError::new(ErrorCode::Truncated, "the image ends too early"))
}

/// A small photograph, as far as its bytes go.
pub(crate) fn png() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::new(2, 2).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A form of parts: name, file name, bytes.
pub(crate) fn form(parts: &[(&str, Option<&str>, &[u8])]) -> TestRequest {
    let mut body = Vec::new();
    for (name, file, bytes) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head =
            format!("--frontier\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--frontier--\r\n");
    TestRequest::post()
        .uri("/v1/jobs")
        .insert_header(("content-type", "multipart/form-data; boundary=frontier"))
        .set_payload(body)
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The code of the problem that this answer must be.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        assert_eq!(json["request_id"], self.header("x-request-id").unwrap());
        (self.status.as_u16(), json["code"].as_str().unwrap().to_owned())
    }
}

pub(crate) async fn send<S>(app: &S, request: TestRequest) -> Answer
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error>,
{
    read(app.call(request.to_request()).await.unwrap()).await
}

pub(crate) async fn get<S>(app: &S, uri: &str) -> Answer
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error>,
{
    send(app, TestRequest::get().uri(uri)).await
}

pub(crate) async fn read(response: ServiceResponse<impl MessageBody>) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body()).await.map_err(|_| "broken off").unwrap();
    Answer { status, headers, body }
}

/// Submits so many photographs; the job's address.
pub(crate) async fn submit<S>(app: &S, images: usize) -> String
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error>,
{
    let png = png();
    let answer = send(app, form(&vec![("image", Some("a.png"), png.as_slice()); images])).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    answer.header("location").unwrap().to_owned()
}

/// Submits so many URLs; the job's address.
pub(crate) async fn submit_urls<S>(app: &S, images: usize) -> String
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error>,
{
    let url = serde_json::json!({"url": "https://shop.example.com/a.jpg"});
    let body = serde_json::json!({ "images": vec![url; images] });
    let request = TestRequest::post().uri("/v1/jobs").set_json(body);
    let answer = send(app, request).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    answer.header("location").unwrap().to_owned()
}

/// Returns once the condition holds; fails when it does not in time.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::task::yield_now().await;
    }
}
