//! The sender against a receiver on loopback and deliveries that a test hands
//! out by hand. What a real store hands out is the end-to-end suite's.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::super::{MasterKey, Signed, verify};
use super::*;
use crate::domain::{
    Delivery, DeliveryId, EndedJob, Endpoint, EndpointId, EndpointSecret, Event, ItemCounts, JobId,
    JobStatus, TenantId,
};
use crate::store::{DeliveryFilter, DeliveryPage, DeliveryPosition, SqliteOptions, SqliteStore};

/// Hands out what a test gives it, and keeps what it is told.
#[derive(Default)]
struct Desk {
    due: Mutex<VecDeque<ClaimedDelivery>>,
    settled: Mutex<Vec<(DeliveryId, DeliveryAttempt, Verdict)>>,
    released: Mutex<Vec<DeliveryLease>>,
    /// Calls of `settle_delivery` that are not answered.
    silent: Mutex<u32>,
    news: Notify,
}

#[async_trait]
impl Webhooks for Desk {
    async fn claim_deliveries(
        &self,
        wish: &DeliveryClaim,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let mut due = self.due.lock().unwrap();
        let count = due.len().min(wish.max);
        Ok(due.drain(..count).collect())
    }

    async fn settle_delivery(
        &self,
        lease: &DeliveryLease,
        attempt: &DeliveryAttempt,
        verdict: Verdict,
    ) -> Result<Settled, StoreError> {
        {
            let mut silent = self.silent.lock().unwrap();
            if *silent > 0 {
                *silent -= 1;
                let retry_after = Duration::from_millis(1);
                return Err(StoreError::Unavailable { detail: "away".to_owned(), retry_after });
            }
        }
        self.settled.lock().unwrap().push((lease.id.clone(), attempt.clone(), verdict));
        self.news.notify_one();
        Ok(Settled::Stored)
    }

    async fn release_deliveries(&self, held: &[DeliveryLease]) -> Result<(), StoreError> {
        self.released.lock().unwrap().extend_from_slice(held);
        Ok(())
    }

    async fn wait_for_deliveries(&self, timeout: Duration) {
        tokio::time::sleep(timeout).await;
    }

    async fn put_endpoint(&self, _: &Endpoint) -> Result<(), StoreError> {
        Err(StoreError::NotFound)
    }

    async fn endpoint(&self, _: &TenantId, _: &EndpointId) -> Result<Endpoint, StoreError> {
        Err(StoreError::NotFound)
    }

    async fn endpoints(&self, _: &TenantId) -> Result<Vec<Endpoint>, StoreError> {
        Err(StoreError::NotFound)
    }

    async fn remove_endpoint(&self, _: &TenantId, _: &EndpointId) -> Result<(), StoreError> {
        Err(StoreError::NotFound)
    }

    async fn delivery(&self, _: &TenantId, _: &DeliveryId) -> Result<Delivery, StoreError> {
        Err(StoreError::NotFound)
    }

    async fn deliveries(
        &self,
        _: &TenantId,
        _: &DeliveryFilter,
        _: Option<DeliveryPosition>,
        _: usize,
    ) -> Result<DeliveryPage, StoreError> {
        Err(StoreError::NotFound)
    }

    async fn replay_delivery(&self, _: &TenantId, _: &DeliveryId) -> Result<(), StoreError> {
        Err(StoreError::NotFound)
    }
}

/// A receiver that gives one answer to everything, or none.
struct Receiver {
    address: SocketAddr,
    got: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn start(answer: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&got);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    let mut request = String::new();
                    while !request.ends_with('}') {
                        let mut piece = vec![0; 4096];
                        let read = stream.read(&mut piece).await.unwrap();
                        request.push_str(str::from_utf8(&piece[..read]).unwrap());
                    }
                    log.lock().unwrap().push(request);
                    match answer {
                        Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, got }
    }

    fn url(&self) -> String {
        format!("http://{}/hooks?token=canary", self.address)
    }

    fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

const OK: Option<&str> = Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");

struct Rig {
    desk: Arc<Desk>,
    vault: Arc<Vault>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
    running: tokio::task::JoinHandle<()>,
}

impl Rig {
    fn start(grace: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let jobs = SqliteStore::open(SqliteOptions {
            path: folder.path().join("aisle.db"),
            limits: crate::store::StoreLimits::of_items(10),
            reserve: crate::disk::Reserve::NONE,
            ballast: 0,
            clock: crate::clock::Clock::Store,
        });
        let vault = Arc::new(Vault::new(&[MasterKey::generate()]).unwrap());
        let policy = FetchPolicy { danger_allow_private_networks: true, ..FetchPolicy::default() };
        let sender = Sender::new(Arc::new(jobs.unwrap()), Arc::clone(&vault), policy).unwrap();
        let desk = Arc::new(Desk::default());
        let sender = Sender { deliveries: Arc::clone(&desk) as Arc<dyn Webhooks>, ..sender };
        let stop = CancellationToken::new();
        let running = tokio::spawn(Arc::new(sender).run(stop.clone(), grace));
        Self { desk, vault, stop, _folder: folder, running }
    }

    fn delivery(&self, url: String, secrets: &[Secret]) -> ClaimedDelivery {
        let tenant = TenantId::default_tenant();
        let endpoint = EndpointId::generate();
        let sealed = secrets.iter().map(|secret| EndpointSecret {
            sealed: self.vault.seal(&tenant, &endpoint, secret).unwrap(),
            expires_at: None,
        });
        let secrets = sealed.collect();
        let job = JobId::generate();
        let id = DeliveryId { job, endpoint };
        ClaimedDelivery {
            lease: DeliveryLease { id, token: "1".to_owned() },
            tenant,
            url,
            secrets,
            event: Event::JobSucceeded,
            job: EndedJob {
                id: job,
                model: "shoes".parse().unwrap(),
                status: JobStatus::Succeeded,
                items: ItemCounts { total: 1, succeeded: 1, failed: 0, canceled: 0 },
                metadata: serde_json::Map::new(),
                created_at: Timestamp::now(),
                completed_at: Timestamp::now(),
                trace: None,
            },
            attempt: 1,
            lane: "lane".to_owned(),
        }
    }

    fn give(&self, deliveries: impl IntoIterator<Item = ClaimedDelivery>) {
        self.desk.due.lock().unwrap().extend(deliveries);
    }

    /// What was settled, once that many were.
    async fn settled(&self, count: usize) -> Vec<(DeliveryId, DeliveryAttempt, Verdict)> {
        let enough = async {
            loop {
                let settled = self.desk.settled.lock().unwrap().clone();
                if settled.len() >= count {
                    return settled;
                }
                self.desk.news.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), enough).await.expect("settled in time")
    }

    async fn stop(self) -> Arc<Desk> {
        self.stop.cancel();
        self.running.await.unwrap();
        self.desk
    }
}

const GRACE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_delivery_is_signed_by_each_of_its_secrets() {
    let (rig, receiver) = (Rig::start(GRACE), Receiver::start(OK).await);
    let secrets = [Secret::generate(), Secret::generate()];
    let delivery = rig.delivery(receiver.url(), &secrets);
    let message = delivery.lease.id.message();
    rig.give([delivery]);
    let settled = rig.settled(1).await;
    assert_eq!((settled[0].1.status, settled[0].2), (Some(200), Verdict::Delivered));

    let got = receiver.got();
    let (head, body) = got[0].split_once("\r\n\r\n").unwrap();
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(name)).unwrap();
        line.split_once(": ").unwrap().1
    };
    let (timestamp, signature) = (header("webhook-timestamp"), header("webhook-signature"));
    let signed = Signed { id: header("webhook-id"), timestamp, signature };
    assert_eq!(signed.id, message);
    let now = Timestamp::now().0 / 1000;
    for secret in &secrets {
        assert_eq!(verify(secret, &signed, body.as_bytes(), now), Ok(()));
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_message_leads_the_receiver_to_the_trace_of_its_job() {
    let (rig, receiver) = (Rig::start(GRACE), Receiver::start(OK).await);
    let secret = [Secret::generate()];
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut traced = rig.delivery(receiver.url(), &secret);
    traced.job.trace = Some(trace.parse().unwrap());
    rig.give([traced]);
    rig.settled(1).await;
    rig.give([rig.delivery(receiver.url(), &secret)]);
    rig.settled(2).await;
    let told = receiver.got().into_iter().map(|request| {
        let lines = request.lines().map(str::to_lowercase);
        let mut lines =
            lines.filter_map(|line| Some(line.strip_prefix("traceparent: ")?.to_owned()));
        lines.next()
    });
    assert_eq!(told.collect::<Vec<_>>(), [Some(trace.to_owned()), None]);
    rig.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_without_a_secret_that_opens() {
    let (rig, receiver) = (Rig::start(GRACE), Receiver::start(OK).await);
    let mut moved = rig.delivery(receiver.url(), &[Secret::generate()]);
    moved.lease.id.endpoint = EndpointId::generate();
    rig.give([moved, rig.delivery(receiver.url(), &[])]);
    for (_, attempt, verdict) in rig.settled(2).await {
        assert_eq!(attempt.error.as_deref(), Some("secret_unreadable"));
        assert_eq!(verdict, Verdict::Retry(KEY_RETRY));
    }
    assert!(receiver.got().is_empty());
    rig.stop().await;
}

#[tokio::test]
async fn a_url_that_is_no_longer_allowed_is_given_up() {
    let rig = Rig::start(GRACE);
    let delivery = rig.delivery("ftp://127.0.0.1/".to_owned(), &[Secret::generate()]);
    rig.give([delivery]);
    let (_, attempt, verdict) = &rig.settled(1).await[0];
    assert_eq!((attempt.error.as_deref(), *verdict), (Some("url_not_allowed"), Verdict::GivenUp));
    rig.stop().await;
}

#[tokio::test]
async fn receivers_that_hang_do_not_hold_up_one_that_answers() {
    let (rig, hanging) = (Rig::start(Duration::ZERO), Receiver::start(None).await);
    let answering = Receiver::start(OK).await;
    let secret = [Secret::generate()];
    let mut due: Vec<_> = (0..20).map(|_| rig.delivery(hanging.url(), &secret)).collect();
    due.push(rig.delivery(answering.url(), &secret));
    let started = Instant::now();
    rig.give(due);
    let settled = rig.settled(1).await;
    assert_eq!(settled[0].2, Verdict::Delivered);
    assert!(started.elapsed() < TOTAL_TIMEOUT / 2, "{:?}", started.elapsed());
    rig.stop().await;
}

#[tokio::test]
async fn a_stopping_sender_gives_back_what_does_not_end_in_time() {
    let (rig, hanging) = (Rig::start(Duration::ZERO), Receiver::start(None).await);
    let delivery = rig.delivery(hanging.url(), &[Secret::generate()]);
    let lease = delivery.lease.clone();
    rig.give([delivery]);
    while hanging.got().is_empty() {
        tokio::task::yield_now().await;
    }
    let desk = rig.stop().await;
    assert_eq!(*desk.released.lock().unwrap(), [lease]);
    assert!(desk.settled.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_outcome_is_told_again_to_a_store_that_did_not_answer() {
    let (rig, receiver) = (Rig::start(GRACE), Receiver::start(OK).await);
    *rig.desk.silent.lock().unwrap() = 5;
    rig.give([rig.delivery(receiver.url(), &[Secret::generate()])]);
    assert_eq!(rig.settled(1).await[0].2, Verdict::Delivered);
    let desk = rig.stop().await;
    assert_eq!(receiver.got().len(), 1);
    assert!(desk.released.lock().unwrap().is_empty());
}
