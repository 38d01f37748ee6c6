//! Hearing what other processes changed. Scripts publish it, and one connection
//! a process listens and wakes who waits here. A hint only: what was missed
//! before it listened, or while the connection was down, is made up for by waking
//! everyone.
//!
//! A process listens to a topic from the first time on that someone waits for it,
//! so that a worker does not hear of each job's end, nor an API of all work.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::Wakers;
use super::keys::{Shards, Topic};
use crate::domain::{JobId, ModelName};

/// How long connecting, or the answer to a sign of life, may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Silence after which the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// Pauses between attempts to connect grow from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A subscription that lasts as long as this value.
#[derive(Debug)]
pub(super) struct Subscription {
    wanted: watch::Sender<Vec<Topic>>,
    listening: JoinHandle<()>,
}

impl Subscription {
    /// Begins without a topic, so nothing is connected yet.
    pub(super) fn new(clients: Vec<Client>, shards: Shards, wakers: Arc<Wakers>) -> Self {
        let (wanted, seen) = watch::channel(Vec::new());
        let listener = Listener { clients, shards, wakers, wanted: seen };
        Self { wanted, listening: tokio::spawn(listener.run()) }
    }

    /// Listens to a topic from now on. Who waits for it is woken once that has
    /// begun, so nothing that happened before is missed.
    pub(super) fn want(&self, topic: Topic) {
        self.wanted.send_if_modified(|wanted| {
            let news = !wanted.contains(&topic);
            if news {
                wanted.push(topic);
            }
            news
        });
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

struct Listener {
    clients: Vec<Client>,
    shards: Shards,
    wakers: Arc<Wakers>,
    wanted: watch::Receiver<Vec<Topic>>,
}

impl Listener {
    async fn run(mut self) {
        // Nobody to listen for: the store is gone.
        let Ok(_) = self.wanted.wait_for(|topics| !topics.is_empty()).await.map(drop) else {
            return;
        };
        let mut pause = FIRST_PAUSE;
        for turn in 0.. {
            match connect(&self.clients, turn).await {
                Ok((sink, stream)) => {
                    if self.hear(sink, stream).await {
                        pause = FIRST_PAUSE;
                    }
                    tracing::warn!("Redis no longer tells what changes; connecting again");
                }
                Err(error) => tracing::debug!(%error, "no subscription to Redis yet"),
            }
            // Spread out, so that many processes do not return at the same moment.
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Wakes for each message, until the connection ends or is found dead.
    /// Answers whether it listened.
    async fn hear(&mut self, mut sink: PubSubSink, mut stream: PubSubStream) -> bool {
        let mut heard: Vec<Topic> = Vec::new();
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let new: Vec<Topic> =
                wanted.into_iter().filter(|topic| !heard.contains(topic)).collect();
            if !new.is_empty() {
                let channels: Vec<String> = new
                    .iter()
                    .flat_map(|topic| self.shards.all().map(|shard| shard.channel(*topic)))
                    .collect();
                if !matches!(timeout(ANSWER_WITHIN, sink.subscribe(channels)).await, Ok(Ok(()))) {
                    return !heard.is_empty();
                }
                new.iter().for_each(|topic| self.wake_all(*topic));
                heard.extend(new);
            }
            tokio::select! {
                message = timeout(SILENCE, stream.next()) => match message {
                    Ok(Some(message)) => match message.get_payload::<String>() {
                        Ok(text) => self.wake(message.get_channel_name(), &text),
                        Err(error) => tracing::debug!(%error, "a message that is no text"),
                    },
                    Ok(None) => return true,
                    Err(_) => {
                        let pong = timeout(ANSWER_WITHIN, sink.ping::<redis::Value>()).await;
                        if !matches!(pong, Ok(Ok(_))) {
                            return true;
                        }
                    }
                },
                changed = self.wanted.changed() => if changed.is_err() { return true },
            }
        }
    }

    fn wake_all(&self, topic: Topic) {
        match topic {
            Topic::Jobs | Topic::Changes => self.wakers.any_job_changed(),
            Topic::Work => self.wakers.any_work_arrived(),
            Topic::Deliveries => self.wakers.deliveries_arrived(),
        }
    }

    /// What is not understood is ignored.
    fn wake(&self, channel: &str, message: &str) {
        match Topic::of_channel(channel) {
            Some(Topic::Jobs | Topic::Changes) => {
                let Some((how, id)) = message.split_once(' ') else { return };
                match (how, id.parse::<JobId>()) {
                    ("ended", Ok(id)) => self.wakers.job_ended(&id),
                    ("changed", Ok(id)) => self.wakers.job_changed(&id),
                    _ => tracing::debug!(message, "a message of unknown kind"),
                }
            }
            Some(Topic::Work) => {
                if let Ok(model) = message.parse::<ModelName>() {
                    self.wakers.work_arrived(&model);
                }
            }
            Some(Topic::Deliveries) => self.wakers.deliveries_arrived(),
            None => tracing::debug!(channel, "a message on an unknown channel"),
        }
    }
}

type Connected = Result<(PubSubSink, PubSubStream), RedisError>;

/// Connects to one of the clients, to another with each turn.
async fn connect(clients: &[Client], turn: usize) -> Connected {
    let connecting = async {
        let Some(client) = clients.get(turn % clients.len().max(1)) else {
            return Err(std::io::Error::from(std::io::ErrorKind::NotFound).into());
        };
        Ok(client.get_async_pubsub().await?.split())
    };
    timeout(ANSWER_WITHIN, connecting)
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}
