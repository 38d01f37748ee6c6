//! Images that are ready for a model's network, and which of its threads takes them.
//!
//! One thread has the session on all processors, which answers an image that is
//! alone soonest. Where there is more to do, the replicas' threads take it, a batch
//! each beside the others; until all are in memory the first thread helps.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::{Cut, Moment, Reason, decide};
use super::pace::Pace;
use super::work::Expected;

/// Less is not waited for: the oldest image would be asked about again and again.
const SHORTEST_WAIT: Duration = Duration::from_micros(50);

/// A thread that takes images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taker {
    /// The one with the session on all processors.
    First,
    /// One with a replica.
    Replica,
}

impl Taker {
    const fn other(self) -> Self {
        match self {
            Self::First => Self::Replica,
            Self::Replica => Self::First,
        }
    }
}

/// What a thread is told that asks for images.
#[derive(Debug)]
pub(super) enum Next<T> {
    /// Run these.
    Batch(Batch<T>),
    /// There was nothing for so long.
    Nothing,
    /// There will be nothing more.
    Over,
}

/// Images that are to run together. They count as running until it is dropped.
#[derive(Debug)]
pub(super) struct Batch<T> {
    pub(super) images: Vec<T>,
    pub(super) reason: Reason,
    pub(super) running: Counted<T>,
}

/// The images of one model. Clones are of the same.
#[derive(Debug)]
pub(super) struct Ready<T>(Arc<Inner<T>>);

impl<T> Clone for Ready<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<T> {
    /// How many replicas there are once all are in memory.
    replicas: usize,
    expected: Expected,
    /// How long an image waits for others that are on their way.
    max_wait: Duration,
    state: Mutex<State<T>>,
    for_first: Condvar,
    for_replicas: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// Each with when it arrived, the oldest first.
    images: VecDeque<(Instant, T)>,
    /// Whether no more will come.
    over: bool,
    /// Threads that take images.
    takers: usize,
    /// Batches that run.
    running: usize,
    /// Replicas in memory.
    loaded: usize,
}

/// Where images arrive. Once it is gone, no more will come.
#[derive(Debug)]
pub(super) struct Arrivals<T>(Ready<T>);

/// One of what the state counts, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted<T> {
    ready: Ready<T>,
    of: fn(&mut State<T>) -> &mut usize,
}

impl<T> Ready<T> {
    /// Where the images of a model arrive, and are taken from by one thread and by
    /// so many replicas.
    pub(super) fn new(
        replicas: usize,
        expected: Expected,
        max_wait: Duration,
    ) -> (Arrivals<T>, Self) {
        let ready = Self(Arc::new(Inner {
            replicas,
            expected,
            max_wait,
            state: Mutex::new(State {
                images: VecDeque::new(),
                over: false,
                takers: 0,
                running: 0,
                loaded: 0,
            }),
            for_first: Condvar::new(),
            for_replicas: Condvar::new(),
        }));
        (Arrivals(ready.clone()), ready)
    }

    /// One more thread takes images, until what is returned is dropped.
    pub(super) fn taker(&self) -> Counted<T> {
        self.count(&mut self.state(), |state| &mut state.takers)
    }

    /// One more replica is in memory, until what is returned is dropped.
    pub(super) fn loaded(&self) -> Counted<T> {
        self.count(&mut self.state(), |state| &mut state.loaded)
    }

    /// Waits for images to run in one of the sizes of a thread's pace, for so long
    /// at most.
    pub(super) fn next(&self, taker: Taker, pace: &mut Pace, patience: Duration) -> Next<T> {
        let until = Instant::now() + patience;
        let mut state = self.state();
        loop {
            let coming = self.0.expected.count();
            let mut rest = until.saturating_duration_since(Instant::now());
            if state.images.is_empty() {
                if state.over {
                    return Next::Over;
                }
            } else if !self.is_for(taker, &state, coming) {
                // What is on its way may end there at any time, so that a thread can be
                // woken for what is no longer its own.
                self.changed(taker.other()).notify_all();
            } else {
                match self.decide(&state, coming, pace) {
                    Cut::Now { size, reason } => {
                        let size = pace.choose(size, state.images.len());
                        return Next::Batch(self.take(state, size, reason));
                    }
                    Cut::Wait(time) => rest = rest.min(time).max(SHORTEST_WAIT),
                }
            }
            if rest.is_zero() {
                return Next::Nothing;
            }
            state = self.wait(taker, state, rest);
        }
    }

    /// Waits until images wait for one that runs and not all replicas are in
    /// memory; `false` when no more will come.
    pub(super) fn is_pressed(&self) -> bool {
        let mut state = self.state();
        while !state.over {
            if state.running > 0 && !state.images.is_empty() {
                return true;
            }
            state = self.0.for_replicas.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        false
    }

    /// Waits for so long, or until no more will come.
    pub(super) fn pause(&self, time: Duration) {
        let state = self.state();
        let waits = self.0.for_replicas.wait_timeout_while(state, time, |state| !state.over);
        drop(waits);
    }

    /// Whether images are for that thread: an image alone is for the first, and all
    /// are while replicas are missing or where there are to be none.
    fn is_for(&self, taker: Taker, state: &State<T>, coming: usize) -> bool {
        let alone = state.running == 0 && state.images.len() + coming <= 1;
        let complete = self.0.replicas > 0 && state.loaded >= self.0.replicas;
        match taker {
            Taker::First => alone || !complete,
            Taker::Replica => !alone,
        }
    }

    fn decide(&self, state: &State<T>, coming: usize, pace: &Pace) -> Cut {
        let waited = state.images.front().map_or(Duration::ZERO, |(since, _)| since.elapsed());
        decide(Moment {
            sizes: pace.sizes(),
            ready: state.images.len(),
            coming,
            waited,
            max_wait: self.0.max_wait,
        })
    }

    fn take(&self, mut state: MutexGuard<'_, State<T>>, size: usize, reason: Reason) -> Batch<T> {
        let size = size.min(state.images.len());
        let images = state.images.drain(..size).map(|(_, image)| image).collect();
        let running = self.count(&mut state, |state| &mut state.running);
        Batch { images, reason, running }
    }

    fn wait<'a>(
        &'a self,
        taker: Taker,
        state: MutexGuard<'a, State<T>>,
        time: Duration,
    ) -> MutexGuard<'a, State<T>> {
        let waited = self.changed(taker).wait_timeout(state, time);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// What wakes such threads.
    fn changed(&self, taker: Taker) -> &Condvar {
        match taker {
            Taker::First => &self.0.for_first,
            Taker::Replica => &self.0.for_replicas,
        }
    }

    fn count(&self, state: &mut State<T>, of: fn(&mut State<T>) -> &mut usize) -> Counted<T> {
        *of(state) += 1;
        self.wake(state);
        Counted { ready: self.clone(), of }
    }

    /// Wakes whom the images are for now.
    fn wake(&self, state: &State<T>) {
        if state.over {
            self.changed(Taker::First).notify_all();
            self.changed(Taker::Replica).notify_all();
        } else if !state.images.is_empty() {
            let coming = self.0.expected.count();
            if self.is_for(Taker::First, state, coming) {
                self.changed(Taker::First).notify_one();
            }
            if self.is_for(Taker::Replica, state, coming) {
                self.changed(Taker::Replica).notify_all();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Arrivals<T> {
    /// Hands an image over.
    ///
    /// # Errors
    /// The image, where no thread is left to take it.
    pub(super) fn send(&self, image: T) -> Result<(), Box<T>> {
        let mut state = self.0.state();
        if state.takers == 0 {
            return Err(Box::new(image));
        }
        state.images.push_back((Instant::now(), image));
        self.0.wake(&state);
        Ok(())
    }
}

impl<T> Drop for Arrivals<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.over = true;
        self.0.wake(&state);
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        let mut state = self.ready.state();
        *(self.of)(&mut state) -= 1;
        self.ready.wake(&state);
    }
}

#[cfg(test)]
mod tests;
