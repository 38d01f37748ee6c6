//! What every experiment has: processes, a ledger, a report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aisle_shared::domain::Timestamp;
use serde_json::Value;

use super::fleet::{Fleet, Plan};
use super::inside::Inside;
use super::ledger::{Ledger, Promise};
use super::load::{Habits, Load, Orders, Targets};
use super::mailbox::Mailbox;
use super::report::Report;
use super::settle::{Ended, Witness, settle, settle_those};
use crate::harness::Backend;
use crate::receiver::Behaviour;
use crate::wait;

/// How long after a job's end its event may come: a claim of a sender that
/// died, or whose answer was lost, holds for a minute.
const DELIVERED_WITHIN: Duration = Duration::from_secs(90);

/// How much of an experiment is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// A few seconds, for every run of the tests.
    Short,
    /// As long as it takes to believe it.
    Long,
}

impl Scale {
    /// The one or the other.
    pub fn pick<T>(self, short: T, long: T) -> T {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }
}

/// Processes, a ledger and a report.
pub struct Scene {
    /// The processes.
    pub fleet: Fleet,
    /// What clients were promised.
    pub ledger: Arc<Ledger>,
    /// What was found so far.
    pub report: Report,
    witness: Option<Witness>,
    mailbox: Option<Mailbox>,
}

impl Scene {
    /// Starts the processes and the report.
    pub async fn set(experiment: &'static str, backend: Backend, plan: Plan) -> Self {
        Self::over(experiment, Fleet::start(backend, plan).await)
    }

    /// The same over processes that run.
    ///
    /// # Panics
    /// When no ledger can be made.
    #[must_use]
    pub fn over(experiment: &'static str, fleet: Fleet) -> Self {
        let ledger = Arc::new(Ledger::new(fleet.folder()).expect("a ledger"));
        let report = Report::new(experiment, fleet.backend);
        Self { fleet, ledger, report, witness: None, mailbox: None }
    }

    /// Begins to submit to every API, and to look at what is answered.
    pub fn load(&mut self, orders: &Orders, habits: Habits) -> Load {
        self.load_at(self.fleet.targets(), orders, habits)
    }

    /// The same at other addresses.
    pub fn load_at(&mut self, targets: Targets, orders: &Orders, habits: Habits) -> Load {
        let (client, base) = (self.fleet.client.clone(), self.fleet.apis[0].base());
        self.witness = Some(Witness::start(client, base, Arc::clone(&self.ledger)));
        let ledger = Arc::clone(&self.ledger);
        Load::start(targets, ledger, Arc::clone(orders), habits)
    }

    /// A look behind the store's back.
    ///
    /// # Panics
    /// When the store cannot be opened.
    pub async fn inside(&self) -> Inside {
        Inside::of(&self.fleet).await.expect("a look into the store")
    }

    /// Waits until that many more jobs are acknowledged.
    pub async fn acknowledged(&self, more: usize) {
        let wanted = self.ledger.len() + more;
        wait::until("acknowledgements", || async { (self.ledger.len() >= wanted).then_some(()) })
            .await;
    }

    /// Seconds from `healed` until a job that was sent after it has ended: the
    /// service takes, does and answers again.
    pub async fn first_result_after(&self, healed: Instant) -> f64 {
        let since = Timestamp(Timestamp::now().0 - healed.elapsed().as_millis() as u64);
        wait::until("a result after the fault", || async {
            let promises = self.ledger.promises();
            let promise = promises.iter().find(|promise| promise.sent > since)?;
            self.has_ended(promise).await.then_some(())
        })
        .await;
        healed.elapsed().as_secs_f64()
    }

    async fn has_ended(&self, promise: &Promise) -> bool {
        let url = self.fleet.url(&format!("/v1/jobs/{}", promise.id));
        let Ok(answer) = self.fleet.client.get(url).send().await else { return false };
        let job: Value = answer.json().await.unwrap_or_default();
        job["completed_at"].is_string()
    }

    /// Registers a receiver of webhooks, to which [`Self::settle`] then holds
    /// every event of every promise. Its fleet was planned with webhooks.
    pub async fn listen(&mut self) {
        self.mailbox = Some(Mailbox::open(&self.fleet, "all", [Behaviour::Status(204)]).await);
    }

    /// Holds every promise against what the service says, and against what the
    /// receiver of webhooks got.
    pub async fn settle(&mut self, within: Duration) -> Vec<Ended> {
        self.witness = None;
        let ended = settle(&mut self.fleet, &self.ledger, within, &mut self.report).await;
        if let Some(mailbox) = &self.mailbox {
            mailbox.complete(&ended, DELIVERED_WITHIN).await;
            mailbox.reckon(&ended).note(&mut self.report);
        }
        ended
    }

    /// The same for the jobs that were sent after that moment.
    pub async fn settle_since(&mut self, since: Timestamp, within: Duration) -> Vec<Ended> {
        self.witness = None;
        let mut promises = self.ledger.promises();
        promises.retain(|promise| promise.sent > since);
        settle_those(&mut self.fleet, &self.ledger, promises, within, &mut self.report).await
    }

    /// The report; the files of an experiment that failed are kept.
    pub fn done(mut self) -> Report {
        if !self.report.passed() {
            let folder = self.fleet.keep();
            self.report.figure("logs and ledger", folder.display().to_string());
        }
        self.report
    }
}
