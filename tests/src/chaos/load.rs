//! Clients that submit jobs, as well-behaved ones do: each request with an
//! `Idempotency-Key`, repeated with the same key until it is acknowledged,
//! not before the service allows it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use aisle_shared::domain::Timestamp;
use bytes::Bytes;
use image::ImageFormat;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::ledger::{Expected, Ledger, Promise, Request};
use crate::pictures::{Colour, picture};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest that a client rests, whatever it is told: an experiment must
/// see that the service is back.
const LONGEST_REST: Duration = Duration::from_millis(250);

/// A job to submit.
#[derive(Debug, Clone)]
pub struct Order {
    /// What is sent.
    pub body: Body,
    /// How each image must end.
    pub expected: Vec<Expected>,
}

/// A job's images on their way in.
#[derive(Debug, Clone)]
pub enum Body {
    /// Files of a form.
    Files(Vec<Bytes>),
    /// JSON with URLs.
    Json(Value),
}

/// Makes the order of that number.
pub type Orders = Arc<dyn Fn(usize) -> Order + Send + Sync>;

/// Pictures of each colour, `side` pixels wide and high, in jobs of one to
/// `most` images.
#[must_use]
pub fn pictures(side: u32, most: usize) -> Orders {
    let made =
        Colour::ALL.map(|colour| Bytes::from(picture(colour, side, side, ImageFormat::Jpeg)));
    Arc::new(move |number| {
        let places = number..number + 1 + number % most;
        let expected = places.clone().map(|place| Expected::Label(Colour::ALL[place % 3]));
        let files = places.map(|place| made[place % 3].clone());
        Order { body: Body::Files(files.collect()), expected: expected.collect() }
    })
}

/// Where the API answers: changed when a process comes or goes.
#[derive(Debug, Clone, Default)]
pub struct Targets(Arc<RwLock<Vec<String>>>);

impl Targets {
    /// These, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(bases: Vec<String>) -> Self {
        Self(Arc::new(RwLock::new(bases)))
    }

    /// One of them, each in its turn.
    fn pick(&self, turn: usize) -> String {
        let bases = self.bases();
        bases[turn % bases.len()].clone()
    }

    fn bases(&self) -> RwLockReadGuard<'_, Vec<String>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the clients behave.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// How many there are.
    pub clients: usize,
    /// How often each begins a job; at once when it is late.
    pub every: Duration,
    /// Whether a client whose connection fails asks the next API at once
    /// before it counts that as an error, as a load balancer does.
    pub fail_over: bool,
}

/// Clients at work.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    targets: Targets,
    ledger: Arc<Ledger>,
    orders: Orders,
    habits: Habits,
    client: reqwest::Client,
    number: AtomicUsize,
    turn: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    /// Begins to submit.
    ///
    /// # Panics
    /// When no HTTP client can be made.
    #[must_use]
    pub fn start(targets: Targets, ledger: Arc<Ledger>, orders: Orders, habits: Habits) -> Self {
        let shared = Arc::new(Shared {
            targets,
            ledger,
            orders,
            habits,
            client: client(),
            number: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let clients = (0..habits.clients)
            .map(|_| tokio::spawn(Arc::clone(&shared).submit_until_stopped()))
            .collect();
        Self { shared, clients }
    }

    /// Lets every client end the request it is in, and no longer.
    ///
    /// # Panics
    /// When a client panicked.
    pub async fn stop(self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("a client that ends");
        }
    }
}

/// An HTTP client with a deadline.
///
/// # Panics
/// When none can be made.
#[must_use]
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
}

/// What became of one request.
pub enum Answer {
    /// The job's id.
    Acknowledged(String),
    /// An answer of that status and code, and when to come back.
    Refused {
        /// The status and the problem's code, for people.
        what: String,
        /// The status.
        status: u16,
        /// What `Retry-After` said.
        after: Option<Duration>,
    },
    /// No answer: the connection failed. Whether the job was taken nobody
    /// knows.
    Nothing(String),
}

/// Sends one job once. Its key also stands in its metadata, so that a second
/// job of the same key can be found.
pub async fn submit(client: &reqwest::Client, base: &str, key: &str, body: &Body) -> Answer {
    let request = client.post(format!("{base}/v1/jobs")).header("idempotency-key", key);
    let request = match body {
        Body::Json(json) => {
            let mut json = json.clone();
            json["metadata"] = json!({"key": key});
            request.json(&json)
        }
        Body::Files(files) => {
            let part = |bytes: &Bytes| Part::stream(bytes.clone()).file_name("picture.jpg");
            let form = Form::new().text("metadata", json!({"key": key}).to_string());
            let form = files.iter().fold(form, |form, bytes| form.part("image", part(bytes)));
            request.multipart(form)
        }
    };
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return Answer::Nothing(kind_of(&error).to_owned()),
    };
    let status = answer.status();
    let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let after = after.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let body: Value = match answer.json().await {
        Ok(body) => body,
        Err(error) => return Answer::Nothing(kind_of(&error).to_owned()),
    };
    match body["id"].as_str() {
        Some(id) if status.is_success() => Answer::Acknowledged(id.to_owned()),
        _ => {
            let code = body["code"].as_str().unwrap_or("no code");
            Answer::Refused { what: format!("{status} {code}"), status: status.as_u16(), after }
        }
    }
}

/// What kind of failure left a client without an answer.
fn kind_of(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "connection refused"
    } else {
        "connection broken"
    }
}

impl Shared {
    async fn submit_until_stopped(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(self.habits.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.stopped() {
            ticks.tick().await;
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let order = (self.orders)(number);
            self.insist(&order).await;
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Repeats an order with its key until it is acknowledged.
    async fn insist(&self, order: &Order) {
        let key = Uuid::now_v7().to_string();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut failures = 0;
        loop {
            let base = self.targets.pick(first + failures);
            let (began, sent) = (Instant::now(), Timestamp::now());
            let answer = submit(&self.client, &base, &key, &order.body).await;
            let status = match &answer {
                Answer::Acknowledged(_) => Some(202),
                Answer::Refused { status, .. } => Some(*status),
                Answer::Nothing(_) => None,
            };
            self.ledger.request(Request { began, took: began.elapsed(), status });
            let rest = match answer {
                Answer::Acknowledged(id) => {
                    let (images, at) = (order.expected.clone(), Timestamp::now());
                    self.ledger.promised(Promise { id, key, images, sent, at });
                    return;
                }
                Answer::Refused { what, after, .. } => {
                    self.ledger.error(what);
                    after.unwrap_or(LONGEST_REST).min(LONGEST_REST)
                }
                Answer::Nothing(_) if self.habits.fail_over && failures < 1 => Duration::ZERO,
                Answer::Nothing(kind) => {
                    self.ledger.error(kind);
                    Duration::from_millis(100)
                }
            };
            failures += 1;
            if self.stopped() {
                return;
            }
            tokio::time::sleep(rest).await;
        }
    }
}
