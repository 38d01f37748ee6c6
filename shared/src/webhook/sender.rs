//! Delivers what is due: claims, sends, settles. Any process may run one, more
//! than one at once.
//!
//! What must never happen: a message sent unsigned, a delivery settled that was
//! not tried, a failure that ends the loop, a URL's query or a secret in a log.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::attempt::Outcome;
use super::{RESULTS_AT_MOST, Secret, Vault, payload, receiver, sign};
use crate::domain::{
    ClaimedDelivery, DeliveryAttempt, DeliveryLease, ItemError, ItemResult, Timestamp,
};
use crate::fetch::{FetchPolicy, Fetcher};
use crate::store::{DeliveryClaim, Settled, Store, StoreError, Verdict, Webhooks};
use crate::telemetry::{Span, SpanKind, names};

/// Deliveries that one process has under way at most.
const IN_FLIGHT: usize = 128;

/// Deliveries to one receiver that all processes together have under way.
const PER_LANE: usize = 4;

/// Deliveries of one tenant that all processes together have under way: a
/// quarter of what one process can, and eight receivers at their most. However
/// many receivers of a tenant hang, they cost the others no more places.
const PER_TENANT: usize = 32;

/// How long a claim holds: an attempt at its longest, and time for a store that
/// is away for a while.
const LEASE: Duration = Duration::from_secs(60);

/// How often deliveries that have become due are looked for.
const POLL: Duration = Duration::from_secs(1);

/// How long a store that does not answer is asked for a job's results. The
/// message can do without them.
const RESULTS_PATIENCE: Duration = Duration::from_secs(5);

/// When to try again what none of our keys can sign.
const KEY_RETRY: Duration = Duration::from_secs(15 * 60);

/// How long a receiver has to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a receiver has for everything up to its answer's status.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an answer's body that are read.
const ANSWER_BYTES: u64 = 16 * 1024;

/// Sends what the store says is due.
pub struct Sender {
    deliveries: Arc<dyn Webhooks>,
    jobs: Arc<dyn Store>,
    vault: Arc<Vault>,
    client: Fetcher,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender for that store's deliveries, to receivers that `policy` lets
    /// be reached. Its limits of time and size are the sender's own.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        policy: FetchPolicy,
    ) -> Result<Self, ItemError> {
        let policy = FetchPolicy {
            max_bytes: ANSWER_BYTES,
            connect_timeout: CONNECT_TIMEOUT,
            total_timeout: TOTAL_TIMEOUT,
            max_redirects: 0,
            ..policy
        };
        let deliveries = Arc::<dyn Store>::clone(&store);
        Ok(Self { deliveries, jobs: store, vault, client: Fetcher::new(policy)? })
    }

    /// Delivers until told to stop. What is under way then has `grace` to end,
    /// and is given back untried if it does not.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken, grace: Duration) {
        let mut under_way = UnderWay::default();
        let mut fails = false;
        while !shutdown.is_cancelled() {
            let claimed = self.claim(under_way.room(), &mut fails).await;
            if claimed.is_empty() {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    Some(()) = under_way.next() => {}
                    () = self.pause(fails) => {}
                }
            }
            for delivery in claimed {
                under_way.start(Arc::clone(&self), delivery);
            }
        }
        let _ = tokio::time::timeout(grace, under_way.all()).await;
        let left = under_way.stop().await;
        if left.is_empty() {
            return;
        }
        match self.deliveries.release_deliveries(&left).await {
            Ok(()) => tracing::info!(webhooks = left.len(), "webhooks under way were given back"),
            Err(error) => {
                tracing::warn!(webhooks = left.len(), %error, "webhooks are left to their lease");
            }
        }
    }

    /// As many deliveries as there is room for; none while the store does not
    /// answer. Of its failures in a row the first is logged, and their end.
    async fn claim(&self, max: usize, fails: &mut bool) -> Vec<ClaimedDelivery> {
        if max == 0 {
            return Vec::new();
        }
        let (per_lane, per_tenant) = (PER_LANE, PER_TENANT);
        let wish = DeliveryClaim { max, per_lane, per_tenant, lease: LEASE };
        match self.deliveries.claim_deliveries(&wish).await {
            Ok(claimed) => {
                if std::mem::take(fails) {
                    tracing::info!("webhooks are claimed again");
                }
                claimed
            }
            Err(error) => {
                if !std::mem::replace(fails, true) {
                    tracing::warn!(%error, "webhooks could not be claimed; tried again");
                }
                Vec::new()
            }
        }
    }

    async fn pause(&self, fails: bool) {
        if fails {
            tokio::time::sleep(POLL).await;
        } else {
            self.deliveries.wait_for_deliveries(POLL).await;
        }
    }

    async fn deliver(&self, delivery: ClaimedDelivery) {
        let (claimed, at) = (Instant::now(), Timestamp::now());
        let mut span = begin_span(&delivery);
        let outcome = self.attempt(&delivery, &mut span).await;
        end_span(span, &outcome);
        let took = claimed.elapsed();
        report(&delivery, &outcome, took);
        let attempt = DeliveryAttempt {
            at,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            status: outcome.status,
            error: outcome.error.map(str::to_owned),
        };
        let lease = &delivery.lease;
        let settle = || self.deliveries.settle_delivery(lease, &attempt, outcome.verdict);
        match patiently(claimed + LEASE, settle).await {
            Ok(Settled::Stored) => {}
            Ok(Settled::Fenced) => {
                tracing::warn!(delivery = %lease.id, "a webhook's outcome came too late");
            }
            Err(error) => {
                tracing::error!(delivery = %lease.id, %error, "a webhook's outcome is lost");
            }
        }
    }

    async fn attempt(&self, delivery: &ClaimedDelivery, span: &mut Span) -> Outcome {
        let ClaimedDelivery { lease, url, event, job, .. } = delivery;
        let Ok(target) = receiver(url, self.client.policy()) else {
            return Outcome::given_up("url_not_allowed");
        };
        let secrets = self.secrets(delivery);
        if secrets.is_empty() {
            let error = Some("secret_unreadable");
            return Outcome { status: None, error, verdict: Verdict::Retry(KEY_RETRY) };
        }
        let results = self.results(delivery).await;
        let Ok(body) = payload(job, *event, results.as_deref()) else {
            return Outcome::given_up("internal");
        };
        let now = SystemTime::now();
        let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let id = lease.id.message();
        let signature = sign(&secrets, &id, timestamp, &body);
        let (timestamp, trace) = (timestamp.to_string(), span.context());
        let mut headers = vec![
            ("content-type", "application/json"),
            ("webhook-id", &id),
            ("webhook-timestamp", &timestamp),
            ("webhook-signature", &signature),
        ];
        headers.extend(trace.as_ref().map(|trace| ("traceparent", trace.as_str())));
        if let Some(host) = target.url().host_str() {
            span.set("server.address", host.to_owned());
        }
        let posted = self.client.post(&target, &headers, Bytes::from(body)).await;
        if let Err(error) = &posted {
            tracing::debug!(delivery = %lease.id, url = %target, %error, "no answer to a webhook");
        }
        Outcome::of(&posted, delivery.attempt, SystemTime::now())
    }

    /// The secrets that sign. One that cannot be opened is the operator's
    /// concern; the others still sign.
    fn secrets(&self, delivery: &ClaimedDelivery) -> Vec<Secret> {
        let endpoint = &delivery.lease.id.endpoint;
        let open = |sealed| self.vault.open(&delivery.tenant, endpoint, sealed);
        let opened = delivery.secrets.iter().filter_map(|secret| match open(&secret.sealed) {
            Ok(secret) => Some(secret),
            Err(error) => {
                let tenant = &delivery.tenant;
                tracing::error!(%tenant, %endpoint, %error, "a webhook's secret cannot be used");
                None
            }
        });
        opened.collect()
    }

    /// A small job's results, unless they are gone.
    async fn results(&self, delivery: &ClaimedDelivery) -> Option<Vec<ItemResult>> {
        let ClaimedDelivery { tenant, job, .. } = delivery;
        if job.items.total > RESULTS_AT_MOST {
            return None;
        }
        let read = || self.jobs.results(tenant, &job.id, 0, RESULTS_AT_MOST);
        match patiently(Instant::now() + RESULTS_PATIENCE, read).await {
            Ok(results) => Some(results),
            Err(StoreError::NotFound) => None,
            Err(error) => {
                tracing::warn!(job = %job.id, %error, "a webhook goes without its job's results");
                None
            }
        }
    }
}

/// Asks a store again that does not answer, until the deadline.
async fn patiently<T, F>(deadline: Instant, ask: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>> + Send,
{
    loop {
        match ask().await {
            Err(StoreError::Unavailable { retry_after, .. })
                if Instant::now() + retry_after < deadline =>
            {
                tokio::time::sleep(retry_after).await;
            }
            answer => return answer,
        }
    }
}

/// The attempt's place in the trace of its job's submission.
fn begin_span(delivery: &ClaimedDelivery) -> Span {
    let mut span = Span::start(SpanKind::Client, || "webhook", delivery.job.trace.as_ref());
    if span.is_recording() {
        span.set("http.request.method", "POST");
        span.set("messaging.message.id", delivery.lease.id.to_string());
        span.set("messaging.message.conversation_id", delivery.job.id.to_string());
        span.set("aisle.attempt", i64::from(delivery.attempt));
    }
    span
}

fn end_span(mut span: Span, outcome: &Outcome) {
    span.set("aisle.outcome", outcome.result());
    if let Some(status) = outcome.status {
        span.set("http.response.status_code", i64::from(status));
    }
    if let Some(error) = outcome.error {
        span.fail(error);
    }
}

/// Tells of an attempt, without what a URL may hide.
fn report(delivery: &ClaimedDelivery, outcome: &Outcome, took: Duration) {
    let result = outcome.result();
    metrics::counter!(names::WEBHOOK_ATTEMPTS_TOTAL, "result" => result).increment(1);
    metrics::histogram!(names::WEBHOOK_ATTEMPT_SECONDS, "result" => result).record(took);
    if outcome.verdict == Verdict::Delivered {
        let delay = Timestamp::now().since(delivery.job.completed_at);
        metrics::histogram!(names::WEBHOOK_DELAY_SECONDS).record(delay);
    }
    let Outcome { status, error, .. } = outcome;
    let (id, attempt, took_ms) = (&delivery.lease.id, delivery.attempt, took.as_millis());
    tracing::info!(delivery = %id, attempt, result, status, error, took_ms, "webhook sent");
}

/// Deliveries under way, each in a task of its own, so that none waits for
/// another.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    leases: HashMap<Id, DeliveryLease>,
}

impl UnderWay {
    fn room(&self) -> usize {
        IN_FLIGHT.saturating_sub(self.tasks.len())
    }

    fn start(&mut self, sender: Arc<Sender>, delivery: ClaimedDelivery) {
        let lease = delivery.lease.clone();
        let task = self.tasks.spawn(async move { sender.deliver(delivery).await });
        self.leases.insert(task.id(), lease);
        self.show();
    }

    /// Returns when one has ended; `None` when there is none.
    async fn next(&mut self) -> Option<()> {
        let ended = self.tasks.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let lease = self.leases.remove(&id);
        if let (Err(error), Some(lease)) = (ended, lease) {
            tracing::error!(delivery = %lease.id, %error, "a webhook is left to its lease");
        }
        self.show();
        Some(())
    }

    async fn all(&mut self) {
        while self.next().await.is_some() {}
    }

    /// Breaks off what is left, and says what that was.
    async fn stop(mut self) -> Vec<DeliveryLease> {
        self.tasks.shutdown().await;
        metrics::gauge!(names::WEBHOOKS_IN_FLIGHT).set(0.0);
        self.leases.into_values().collect()
    }

    fn show(&self) {
        metrics::gauge!(names::WEBHOOKS_IN_FLIGHT).set(self.tasks.len() as f64);
    }
}

#[cfg(test)]
mod tests;
