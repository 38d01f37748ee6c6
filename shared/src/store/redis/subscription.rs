//! Hearing what other processes changed. Scripts publish it; one connection
//! a process listens and wakes who waits here. A hint only: what is missed
//! while the connection is down is made up for by waking everyone.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisError};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::Wakers;
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
pub(super) struct Subscription(JoinHandle<()>);

impl Drop for Subscription {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Listens to channels, by one of the clients, until the subscription is dropped. Whatever changes
/// after this returned is heard, unless the server does not answer now.
pub(super) async fn subscribe(
    clients: Vec<Client>,
    channels: Vec<String>,
    wakers: Arc<Wakers>,
) -> Subscription {
    let first = connect(&clients, 0, &channels).await;
    Subscription(tokio::spawn(async move { listen(&clients, &channels, &wakers, first).await }))
}

type Connected = Result<(PubSubSink, PubSubStream), RedisError>;

async fn listen(clients: &[Client], channels: &[String], wakers: &Wakers, first: Connected) {
    let mut pause = FIRST_PAUSE;
    let mut turn = 0;
    let mut connected = first;
    loop {
        match connected {
            Ok((sink, stream)) => {
                pause = FIRST_PAUSE;
                wakers.any_job_changed();
                wakers.any_work_arrived();
                wakers.deliveries_arrived();
                hear(sink, stream, wakers).await;
                tracing::warn!("Redis no longer tells what changes; connecting again");
            }
            Err(error) => tracing::debug!(%error, "no subscription to Redis yet"),
        }
        // Spread out, so that many processes do not return at the same moment.
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        turn += 1;
        connected = connect(clients, turn, channels).await;
    }
}

/// Connects to one of the clients, to another with each turn.
async fn connect(clients: &[Client], turn: usize, channels: &[String]) -> Connected {
    let connecting = async {
        let Some(client) = clients.get(turn % clients.len().max(1)) else {
            return Err(std::io::Error::from(std::io::ErrorKind::NotFound).into());
        };
        let (mut sink, stream) = client.get_async_pubsub().await?.split();
        sink.subscribe(channels).await?;
        Ok((sink, stream))
    };
    timeout(ANSWER_WITHIN, connecting)
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

/// Wakes for each message, until the connection ends or is found dead.
async fn hear(mut sink: PubSubSink, mut stream: PubSubStream, wakers: &Wakers) {
    loop {
        match timeout(SILENCE, stream.next()).await {
            Ok(Some(message)) => match message.get_payload::<String>() {
                Ok(text) => wake(&text, wakers),
                Err(error) => tracing::debug!(%error, "a message that is no text"),
            },
            Ok(None) => return,
            Err(_) => {
                let pong = timeout(ANSWER_WITHIN, sink.ping::<redis::Value>()).await;
                if !matches!(pong, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

/// Messages are `job <id>`, `work <model>` and `deliveries`; anything else is
/// ignored.
fn wake(message: &str, wakers: &Wakers) {
    match message.split_once(' ').unwrap_or((message, "")) {
        ("job", id) => {
            if let Ok(id) = id.parse::<JobId>() {
                wakers.job_changed(&id);
            }
        }
        ("work", model) => {
            if let Ok(model) = model.parse::<ModelName>() {
                wakers.work_arrived(&model);
            }
        }
        ("deliveries", _) => wakers.deliveries_arrived(),
        _ => tracing::debug!(message, "a message of unknown kind"),
    }
}
