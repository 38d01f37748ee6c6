//! One picture sent to a service, and its answer awaited, in the way that the
//! service's users would.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::{BufMut as _, Bytes, BytesMut};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

/// How often a client asks for a result that it cannot wait for.
const POLL: Duration = Duration::from_millis(20);
/// How long a connection may be idle and be used again: less than any server
/// keeps one, because a peer that stands still closes them when it goes on.
const IDLE: Duration = Duration::from_secs(2);
/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Ours: a form, and `Prefer: wait`; the answer comes when the result is
    /// recorded.
    Aisle,
    /// The picture as the body of `POST /predict`; the answer is the result.
    Direct,
    /// The same with the picture in a form.
    Form,
    /// The picture as the body of `POST /jobs`; then `GET /jobs/{id}` every
    /// 20 ms until it has ended.
    Polled,
    /// KServe v2 with its binary extension, as Triton speaks it: one tensor
    /// `image` of bytes, one `answer` of text.
    Triton,
}

/// A service that classifies pictures.
#[derive(Debug, Clone)]
pub struct Target {
    base: String,
    protocol: Protocol,
    client: reqwest::Client,
}

impl Target {
    /// The service at `http://host:port`.
    ///
    /// # Panics
    /// When no client can be had.
    #[must_use]
    pub fn new(base: &str, protocol: Protocol) -> Self {
        // A second installation in the same process is refused, and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true);
        let client = client.timeout(PATIENCE).pool_idle_timeout(IDLE);
        Self { base: base.to_owned(), protocol, client: client.build().expect("a client") }
    }

    /// Whether it takes pictures.
    pub async fn is_ready(&self) -> bool {
        let path = match self.protocol {
            Protocol::Aisle => "/health/ready",
            Protocol::Direct | Protocol::Form | Protocol::Polled => "/health",
            Protocol::Triton => "/v2/models/classifier/ready",
        };
        let answer = self.client.get(format!("{}{path}", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Sends a picture and waits for its best category.
    ///
    /// # Errors
    /// When there is no answer, or another than a category.
    pub async fn classify(&self, picture: &Bytes) -> anyhow::Result<String> {
        let answer = match self.protocol {
            Protocol::Aisle => self.job(std::slice::from_ref(picture)).await?,
            Protocol::Direct => {
                let url = format!("{}/predict", self.base);
                json_of(self.client.post(url).body(picture.clone())).await?
            }
            Protocol::Form => {
                let url = format!("{}/predict", self.base);
                json_of(self.client.post(url).multipart(form(std::slice::from_ref(picture))))
                    .await?
            }
            Protocol::Polled => self.polled(picture).await?,
            Protocol::Triton => {
                let url = format!("{}/v2/models/classifier/infer", self.base);
                let (head, body) = kserve_request(picture);
                let request = self.client.post(url).body(body);
                json_of(request.header("inference-header-content-length", head)).await?
            }
        };
        let label = match self.protocol {
            Protocol::Aisle => &answer["results"][0]["predictions"][0]["label"],
            Protocol::Direct | Protocol::Form | Protocol::Polled => {
                &answer["predictions"][0]["label"]
            }
            Protocol::Triton => &answer["outputs"][0]["data"][0],
        };
        Ok(label.as_str().with_context(|| format!("no category in {answer}"))?.to_owned())
    }

    /// Ours: sends pictures as one job and waits for its end.
    ///
    /// # Errors
    /// When it is not taken, or does not succeed.
    pub async fn job(&self, pictures: &[Bytes]) -> anyhow::Result<Value> {
        let request = self.client.post(format!("{}/v1/jobs", self.base));
        let request = request.header("prefer", "wait=60").multipart(form(pictures));
        let mut job = json_of(request).await?;
        while job["completed_at"].is_null() {
            let path = job["urls"]["self"].as_str().context("no address of the job")?;
            let request = self.client.get(format!("{}{path}", self.base));
            job = json_of(request.header("prefer", "wait=60")).await?;
        }
        ensure!(job["status"] == "succeeded", "a job ended otherwise: {job}");
        Ok(job)
    }

    /// Ours: sends a picture and does not wait for its result.
    ///
    /// # Errors
    /// When the job is not taken.
    pub async fn accept(&self, picture: &Bytes) -> anyhow::Result<()> {
        let request = self.client.post(format!("{}/v1/jobs", self.base));
        let form = form(std::slice::from_ref(picture));
        let answer = request.header("prefer", "respond-async").multipart(form).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        ensure!(status.as_u16() == 202, "{status}: {}", String::from_utf8_lossy(&body));
        Ok(())
    }

    async fn polled(&self, picture: &Bytes) -> anyhow::Result<Value> {
        let url = format!("{}/jobs", self.base);
        let job = json_of(self.client.post(url).body(picture.clone())).await?;
        let url = format!("{}/jobs/{}", self.base, job["id"].as_str().context("no id")?);
        loop {
            tokio::time::sleep(POLL).await;
            let job = json_of(self.client.get(&url)).await?;
            match job["status"].as_str() {
                Some("queued") => {}
                Some("succeeded") => return Ok(job),
                _ => bail!("a job ended otherwise: {job}"),
            }
        }
    }
}

fn form(pictures: &[Bytes]) -> Form {
    let part = |bytes: &Bytes| Part::stream(bytes.clone()).file_name("picture.jpg");
    pictures.iter().fold(Form::new(), |form, bytes| form.part("image", part(bytes)))
}

async fn json_of(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    Ok(serde_json::from_slice(&body)?)
}

/// The request's body and the length of the JSON at its head. After it comes
/// the tensor: its length as four bytes, little end first, and the picture.
fn kserve_request(picture: &Bytes) -> (usize, Bytes) {
    let size = picture.len() + 4;
    let head = json!({
        "inputs": [{
            "name": "image", "datatype": "BYTES", "shape": [1, 1],
            "parameters": {"binary_data_size": size},
        }],
        "outputs": [{"name": "answer"}],
    });
    let head = head.to_string();
    let mut body = BytesMut::with_capacity(head.len() + size);
    body.put_slice(head.as_bytes());
    body.put_u32_le(u32::try_from(picture.len()).unwrap_or(u32::MAX));
    body.put_slice(picture);
    (head.len(), body.freeze())
}
