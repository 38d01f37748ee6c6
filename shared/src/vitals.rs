//! Whether a worker is well: written by its parts, read by health checks.
//!
//! Alive means that it does what a worker is for: the store has answered one
//! of its claims lately, or it is full and its items get on. A worker that is
//! not alive is to be started anew. Ready means that it is alive, has shown
//! itself to the store, can decode images, and is not about to stop; that its
//! models work it has proven before it came to be.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::{ModelName, Timestamp};
use crate::telemetry::names;

/// How long a part of a worker may be silent.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Without a claim that the store answered, while there is room for items.
    pub claim: Duration,
    /// Without room for items, and for one run of a network.
    pub work: Duration,
}

/// A worker's signs of life. Clones are of the same worker.
#[derive(Debug, Clone)]
pub struct Vitals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    patience: Patience,
    announced: AtomicBool,
    stopping: AtomicBool,
    decoders: Hindrance,
    lanes: Mutex<Vec<LaneVitals>>,
}

/// What keeps a part of a worker from its work now, if anything does. Clones
/// are of the same part.
#[derive(Debug, Clone, Default)]
pub struct Hindrance(Arc<Mutex<Option<String>>>);

/// The signs of life of one model's pipeline.
#[derive(Debug, Clone)]
pub struct LaneVitals {
    model: ModelName,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// When a claim was last answered; later by as long as there was no room
    /// since then.
    calm: Instant,
    /// Since when there is no room for another item.
    full: Option<Instant>,
    /// Since when the network runs each of its batches, the oldest first.
    running: VecDeque<Arc<Instant>>,
    /// Whether it claims no more, and only ends what it has.
    retired: bool,
}

/// Why a worker is not well, for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illness {
    /// The store does not answer its claims.
    #[error("no claim for {model} has been answered for {seconds} s")]
    NoClaim {
        /// Whose items it would claim.
        model: ModelName,
        /// Since when.
        seconds: u64,
    },
    /// None of its items ends.
    #[error("no item of {model} has ended for {seconds} s")]
    Full {
        /// Whose items they are.
        model: ModelName,
        /// Since when.
        seconds: u64,
    },
    /// A run of the network does not end.
    #[error("the network of {model} has been running one batch for {seconds} s")]
    Stuck {
        /// Whose network it is.
        model: ModelName,
        /// Since when.
        seconds: u64,
    },
    /// No process can be started that would decode its images.
    #[error("images cannot be decoded: {0}")]
    NoDecoder(String),
    /// The store does not know it yet.
    #[error("the worker is not announced yet")]
    Unannounced,
    /// It ends what it has begun and takes nothing more.
    #[error("the worker is stopping")]
    Stopping,
}

impl Vitals {
    /// Those of a worker that begins, whose decoders say through `decoders`
    /// what hinders them.
    #[must_use]
    pub fn new(patience: Patience, decoders: Hindrance) -> Self {
        Self(Arc::new(Inner {
            patience,
            announced: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            decoders,
            lanes: Mutex::default(),
        }))
    }

    /// Those of one more pipeline, which begins now.
    #[must_use]
    pub fn lane(&self, model: ModelName) -> LaneVitals {
        let state =
            State { calm: Instant::now(), full: None, running: VecDeque::new(), retired: false };
        let lane = LaneVitals { model, state: Arc::new(Mutex::new(state)) };
        let mut lanes = locked(&self.0.lanes);
        // Those that nobody else holds have ended.
        lanes.retain(|lane| Arc::strong_count(&lane.state) > 1);
        lanes.push(lane.clone());
        lane
    }

    /// The store knows the worker now.
    pub fn announced(&self) {
        self.0.announced.store(true, Ordering::Release);
    }

    /// The worker was asked to stop.
    pub fn stopping(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    /// Whether the worker does its work. One that stops is left to end it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn alive(&self) -> Result<(), Illness> {
        if self.0.stopping.load(Ordering::Acquire) {
            return Ok(());
        }
        locked(&self.0.lanes).iter().try_for_each(|lane| lane.alive(self.0.patience))
    }

    /// Whether the worker can take items.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn ready(&self) -> Result<(), Illness> {
        if self.0.stopping.load(Ordering::Acquire) {
            return Err(Illness::Stopping);
        }
        if !self.0.announced.load(Ordering::Acquire) {
            return Err(Illness::Unannounced);
        }
        if let Some(why) = self.0.decoders.get() {
            return Err(Illness::NoDecoder(why));
        }
        self.alive()
    }
}

impl Hindrance {
    /// This hinders it from now on.
    pub fn set(&self, why: String) {
        *locked(&self.0) = Some(why);
    }

    /// Nothing hinders it any more.
    pub fn clear(&self) {
        *locked(&self.0) = None;
    }

    /// What hinders it now.
    #[must_use]
    pub fn get(&self) -> Option<String> {
        locked(&self.0).clone()
    }
}

impl LaneVitals {
    /// The store has answered a claim, with items or with none.
    pub fn claimed(&self) {
        let mut state = self.state();
        state.calm = Instant::now();
        // Where another pipeline has taken over, or none, it says nothing.
        if !state.retired {
            self.show(Duration::from_millis(Timestamp::now().0).as_secs_f64());
        }
    }

    /// It does not claim for a while, for a reason that a new start of the
    /// worker would not take away.
    pub fn pauses(&self) {
        self.state().calm = Instant::now();
    }

    /// It claims no more, and ends what it has.
    pub fn retire(&self) {
        let mut state = self.state();
        state.retired = true;
        // Else its last claim would be late for ever.
        self.show(f64::NAN);
    }

    fn show(&self, last_claim: f64) {
        let model = self.model.to_string();
        metrics::gauge!(names::WORKER_LAST_CLAIM_TIMESTAMP_SECONDS, "model" => model)
            .set(last_claim);
    }

    /// There is no room for another item.
    pub fn full(&self) {
        self.state().full.get_or_insert_with(Instant::now);
    }

    /// There is room again.
    pub fn room(&self) {
        let mut state = self.state();
        if let Some(since) = state.full.take() {
            state.calm += since.elapsed();
        }
    }

    /// The network runs a batch, beside others maybe, until what is returned is
    /// dropped.
    #[must_use]
    pub fn runs(&self) -> Batch {
        let begun = Arc::new(Instant::now());
        self.state().running.push_back(Arc::clone(&begun));
        Batch { lane: self.clone(), begun }
    }

    fn alive(&self, patience: Patience) -> Result<(), Illness> {
        let (calm, full, running, retired) = {
            let state = self.state();
            (state.calm, state.full, state.running.front().map(|begun| **begun), state.retired)
        };
        let over = |since: Option<Instant>, limit| {
            let silence = since?.elapsed();
            (silence >= limit).then_some(silence.as_secs())
        };
        let model = self.model.clone();
        if let Some(seconds) = over(running, patience.work) {
            return Err(Illness::Stuck { model, seconds });
        }
        if retired {
            return Ok(());
        }
        match full {
            Some(_) => match over(full, patience.work) {
                Some(seconds) => Err(Illness::Full { model, seconds }),
                None => Ok(()),
            },
            None => match over(Some(calm), patience.claim) {
                Some(seconds) => Err(Illness::NoClaim { model, seconds }),
                None => Ok(()),
            },
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

/// A batch that a network runs.
#[derive(Debug)]
pub struct Batch {
    lane: LaneVitals,
    begun: Arc<Instant>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.lane.state().running.retain(|other| !Arc::ptr_eq(other, &self.begun));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn model() -> ModelName {
        "shoes".parse().unwrap()
    }

    fn vitals(claim: Duration, work: Duration) -> (Vitals, LaneVitals) {
        let vitals = Vitals::new(Patience { claim, work }, Hindrance::default());
        let lane = vitals.lane(model());
        (vitals, lane)
    }

    #[test]
    fn a_worker_is_ready_once_it_is_announced_and_until_it_stops() {
        let (vitals, _lane) = vitals(LONG, LONG);
        assert_eq!(vitals.ready(), Err(Illness::Unannounced));
        vitals.announced();
        assert_eq!(vitals.ready(), Ok(()));
        vitals.stopping();
        assert_eq!((vitals.ready(), vitals.alive()), (Err(Illness::Stopping), Ok(())));
    }

    #[test]
    fn a_worker_that_cannot_decode_is_alive_and_not_ready() {
        let decoders = Hindrance::default();
        let vitals = Vitals::new(Patience { claim: LONG, work: LONG }, decoders.clone());
        vitals.announced();
        decoders.set("no memory".to_owned());
        let illness = Illness::NoDecoder("no memory".to_owned());
        assert_eq!((vitals.ready(), vitals.alive()), (Err(illness), Ok(())));
        decoders.clear();
        assert_eq!(vitals.ready(), Ok(()));
    }

    #[test]
    fn a_worker_whose_claims_are_not_answered_is_not_alive() {
        let (vitals, lane) = vitals(Duration::ZERO, LONG);
        vitals.announced();
        let illness = Illness::NoClaim { model: model(), seconds: 0 };
        assert_eq!(vitals.alive(), Err(illness.clone()));
        assert_eq!(vitals.ready(), Err(illness));
        lane.full();
        assert_eq!(vitals.alive(), Ok(()), "one without room asks for nothing");
        lane.room();
        assert!(vitals.alive().is_err());
    }

    #[test]
    fn a_worker_that_is_full_for_too_long_is_not_alive() {
        let (vitals, lane) = vitals(LONG, Duration::ZERO);
        assert_eq!(vitals.alive(), Ok(()));
        lane.full();
        assert_eq!(vitals.alive(), Err(Illness::Full { model: model(), seconds: 0 }));
        lane.room();
        assert_eq!(vitals.alive(), Ok(()));
    }

    #[test]
    fn a_pipeline_that_is_retired_need_not_claim_and_has_to_end_its_batch() {
        let (vitals, lane) = vitals(Duration::ZERO, Duration::ZERO);
        lane.full();
        assert!(vitals.alive().is_err());
        lane.retire();
        assert_eq!(vitals.alive(), Ok(()));
        let _batch = lane.runs();
        assert_eq!(vitals.alive(), Err(Illness::Stuck { model: model(), seconds: 0 }));
    }

    #[test]
    fn a_pipeline_that_has_ended_says_nothing_of_the_worker() {
        let (vitals, lane) = vitals(Duration::ZERO, LONG);
        assert!(vitals.alive().is_err());
        drop(lane);
        let _next = vitals.lane("bags".parse().unwrap());
        let illness = vitals.alive().unwrap_err();
        assert!(illness.to_string().contains("bags"), "{illness}");
    }

    #[test]
    fn a_worker_of_which_one_batch_does_not_end_is_not_alive() {
        let (vitals, lane) = vitals(LONG, Duration::ZERO);
        let (stuck, other) = (lane.runs(), lane.runs());
        assert_eq!(vitals.alive(), Err(Illness::Stuck { model: model(), seconds: 0 }));
        drop(other);
        assert_eq!(vitals.alive(), Err(Illness::Stuck { model: model(), seconds: 0 }));
        drop(stuck);
        assert_eq!(vitals.alive(), Ok(()));
    }
}
