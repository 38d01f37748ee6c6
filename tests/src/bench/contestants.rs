//! Who is measured: the service over each store, and the peers that are
//! installed, all running at once on the same network.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::bare::Bare;
use super::client::{Protocol, Target};
use super::options::Options;
use super::peers::{PEERS, Peer, Running, python};
use super::report::Report;
use super::subject::Subject;
use crate::harness::Backend;
use crate::service::{Processes, Service};

/// The service over the embedded store.
pub const SQLITE: &str = "aisle, SQLite, one process";
/// The service over Redis.
pub const REDIS: &str = "aisle, Redis, API and worker";

/// Pictures whose answers are compared with the bare network's.
const COMPARED: usize = 32;

/// One that takes pictures.
#[derive(Debug)]
pub struct Contestant {
    /// Its name, for people.
    pub name: &'static str,
    /// Where it takes them.
    pub target: Target,
    runs: Runs,
}

#[derive(Debug)]
enum Runs {
    Ours(Box<Service>, &'static [&'static str]),
    Peer(Box<Running>, Peer),
}

impl Contestant {
    /// The service over a fresh store, ready.
    pub async fn ours(backend: Backend, subject: &Subject, provider: &str) -> Self {
        let (name, processes, commands): (_, _, &[_]) = match backend {
            Backend::Sqlite => (SQLITE, Processes::One, &["serve"]),
            Backend::Redis => (REDIS, Processes::Apart, &["api", "worker"]),
        };
        let service = service(backend, processes, subject, provider).await;
        let target = Target::new(&service.base, Protocol::Aisle);
        Self { name, target, runs: Runs::Ours(Box::new(service), commands) }
    }

    async fn peer(peer: Peer, python: &Path, subject: &Subject) -> anyhow::Result<Self> {
        let running = peer.start(python, &subject.model_folder()).await?;
        let target = running.target.clone();
        Ok(Self { name: peer.name, target, runs: Runs::Peer(Box::new(running), peer) })
    }

    /// Whether it is ours.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self.runs, Runs::Ours(..))
    }

    /// Whether it is one of the others that has no queue.
    #[must_use]
    pub const fn is_synchronous_peer(&self) -> bool {
        matches!(self.runs, Runs::Peer(_, Peer { synchronous: true, .. }))
    }

    /// Whether it is one of the others.
    #[must_use]
    pub const fn as_peer(&self) -> Option<&Running> {
        match &self.runs {
            Runs::Peer(running, _) => Some(running),
            Runs::Ours(..) => None,
        }
    }

    /// Its processes, a Redis server included.
    pub async fn processes(&mut self) -> Vec<u32> {
        match &mut self.runs {
            Runs::Ours(service, commands) => {
                let mut pids: Vec<u32> =
                    commands.iter().map(|command| service.process(command)).collect();
                if commands.len() > 1 {
                    pids.push(service.redis().pid().await.expect("a Redis server"));
                }
                pids
            }
            Runs::Peer(running, _) => running.processes().await,
        }
    }

    /// Stops a peer that is not being measured, so that what it does while
    /// idle costs the others nothing.
    pub fn pause(&self) {
        if let Runs::Peer(running, _) = &self.runs {
            running.signal("STOP");
        }
    }

    /// Lets it go on, and waits until it has answered once: what it does
    /// after a rest is not its pace.
    pub async fn resume(&self, picture: &Bytes) {
        if let Runs::Peer(running, _) = &self.runs {
            running.signal("CONT");
        }
        // Whether it can answer is seen when it is measured.
        drop(self.target.classify(picture).await);
    }
}

/// The service with the subject's network alone.
pub async fn service(
    backend: Backend,
    processes: Processes,
    subject: &Subject,
    provider: &str,
) -> Service {
    let settings = [
        ("AISLE_DEFAULT_MODEL", subject.model.as_str()),
        ("AISLE_LOG", "warn"),
        ("AISLE_PROVIDER", provider),
    ];
    Service::start(backend, processes, &subject.models, &settings).await
}

/// Starts all, compares their answers with the bare network's, and pauses the
/// peers. A peer that does not start, or fails, is left out, and the report
/// says so.
pub async fn start(options: &Options, subject: &Subject, report: &mut Report) -> Vec<Contestant> {
    let mut all = Vec::new();
    for backend in [Backend::Sqlite, Backend::Redis] {
        all.push(Contestant::ours(backend, subject, &options.provider).await);
    }
    let python = python(options.python.as_deref());
    for peer in PEERS {
        let Some(python) = python.as_ref().filter(|python| peer.is_installed(python)) else {
            report.note(format!("{} is not installed: `make bench-peers` brings it", peer.name));
            continue;
        };
        match Contestant::peer(peer, python, subject).await {
            Ok(contestant) => {
                contestant.pause();
                all.push(contestant);
            }
            Err(error) => report.note(format!("left out: {error:#}")),
        }
    }
    let compared: Vec<_> = subject.pictures.iter().take(COMPARED).cloned().collect();
    let expected = Bare::new(subject.model_folder(), 1, 1, 1).labels(&compared);
    let mut kept = Vec::new();
    for contestant in all {
        contestant.resume(&compared[0]).await;
        let mut agreed = 0;
        let mut failure = None;
        for (picture, expected) in compared.iter().zip(&expected) {
            match contestant.target.classify(picture).await {
                Ok(label) => agreed += usize::from(label == *expected),
                Err(error) => failure = Some(error),
            }
        }
        contestant.pause();
        if let Some(error) = failure {
            assert!(!contestant.is_ours(), "{}: {error:#}", contestant.name);
            let log = contestant.as_peer().map(Running::log).unwrap_or_default();
            report
                .note(format!("left out: {}: {error:#}\n{log}", contestant.name).trim().to_owned());
            continue;
        }
        if agreed < compared.len() {
            let name = contestant.name;
            report.note(format!("{name}: {agreed} of {} answers agree", compared.len()));
        }
        kept.push(contestant);
    }
    kept
}

/// The pictures as clients share them.
#[must_use]
pub fn shared(subject: &Subject) -> Arc<[Bytes]> {
    subject.pictures.clone().into()
}
