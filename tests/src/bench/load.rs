//! Load put on a service: as much as it takes, one request after the other,
//! or requests that come when they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::arrivals::{Arrivals, moments};
use super::bare::Pace;
use super::client::Target;
use super::processes::{own_seconds, processor_seconds};

/// The part of a measurement in which the service gets going: not counted.
const WARM_UP: f64 = 0.15;
/// How long the last answers may take after the load has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(120);

/// What clients ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A picture, and its answer awaited.
    Classify,
    /// A picture, and only its acknowledgement awaited.
    Accept,
}

/// What a service did under load.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// How fast it was.
    pub pace: Pace,
    /// Milliseconds of processor time that the clients used for a request.
    pub client_ms: f64,
    /// Requests answered in all, those before and after the measurement too.
    pub answered: usize,
    /// Requests that failed.
    pub failed: usize,
}

struct Shared {
    target: Target,
    pictures: Arc<[Bytes]>,
    ask: Ask,
    asked: AtomicUsize,
    answered: AtomicUsize,
    failed: AtomicUsize,
}

impl Shared {
    async fn ask_once(&self) {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let picture = &self.pictures[number % self.pictures.len()];
        let answer = match self.ask {
            Ask::Classify => self.target.classify(picture).await.map(drop),
            Ask::Accept => self.target.accept(picture).await,
        };
        match answer {
            Ok(()) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                    println!("a request failed: {error:#}");
                }
            }
        }
    }
}

/// Clients that each send the next picture once the last was answered.
/// `processes` are those of the service.
///
/// # Panics
/// When the last answers do not come.
pub async fn saturated(
    target: &Target,
    pictures: &Arc<[Bytes]>,
    ask: Ask,
    clients: usize,
    length: Duration,
    processes: &[u32],
) -> Done {
    let shared = Arc::new(Shared {
        target: target.clone(),
        pictures: Arc::clone(pictures),
        ask,
        asked: AtomicUsize::new(0),
        answered: AtomicUsize::new(0),
        failed: AtomicUsize::new(0),
    });
    let begin = Instant::now();
    let end = begin + length;
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            while Instant::now() < end {
                shared.ask_once().await;
            }
        });
    }
    let look = || {
        let answered = shared.answered.load(Ordering::Relaxed);
        (Instant::now(), answered, processor_seconds(processes), own_seconds())
    };
    sleep_until((begin + length.mul_f64(WARM_UP)).into()).await;
    let first = look();
    sleep_until(end.into()).await;
    let last = look();
    let done = (last.1 - first.1) as f64;
    timeout(LAST_ANSWERS, async { while tasks.join_next().await.is_some() {} })
        .await
        .expect("the last answers");
    Done {
        pace: Pace {
            rate: done / (last.0 - first.0).as_secs_f64(),
            processor_ms: (last.2 - first.2) * 1e3 / done,
        },
        client_ms: (last.3 - first.3) * 1e3 / done,
        answered: shared.answered.load(Ordering::Relaxed),
        failed: shared.failed.load(Ordering::Relaxed),
    }
}

/// Milliseconds from a request to its answer, of one client that sends the
/// next picture once the last was answered.
///
/// # Errors
/// When a request fails.
pub async fn one_by_one(
    target: &Target,
    pictures: &[Bytes],
    length: Duration,
) -> anyhow::Result<Vec<f64>> {
    let started = Instant::now();
    let mut times = Vec::new();
    for picture in pictures.iter().cycle().take_while(|_| started.elapsed() < length) {
        let began = Instant::now();
        target.classify(picture).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

/// Milliseconds from the moment at which a request was due to its answer, of
/// requests that come by chance, so many a second on average.
///
/// # Errors
/// When a request fails.
///
/// # Panics
/// When the last answers do not come.
pub async fn by_chance(
    target: &Target,
    pictures: &Arc<[Bytes]>,
    rate: f64,
    length: Duration,
    seed: u64,
) -> anyhow::Result<Vec<f64>> {
    let moments = moments(rate, length, &mut StdRng::seed_from_u64(seed));
    let mut arrivals = Arrivals::begin(moments);
    let mut asked = 0;
    let mut requests = JoinSet::new();
    while let Some(due) = arrivals.moments.recv().await {
        let (target, pictures) = (target.clone(), Arc::clone(pictures));
        let number = asked;
        asked += 1;
        requests.spawn(async move {
            target.classify(&pictures[number % pictures.len()]).await?;
            anyhow::Ok(due.elapsed().as_secs_f64() * 1e3)
        });
    }
    let mut times = Vec::with_capacity(asked);
    timeout(LAST_ANSWERS, async {
        while let Some(time) = requests.join_next().await {
            times.push(time.expect("a client")?);
        }
        anyhow::Ok(times)
    })
    .await
    .expect("the last answers")
}
