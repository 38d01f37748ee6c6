//! The memory that images may take together while they are decoded.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes to be given out and taken back.
#[derive(Debug)]
pub(super) struct Budget {
    total: u64,
    /// Held by whoever is next, so that a large image is not passed by
    /// small ones for ever.
    turn: Mutex<()>,
    free: Mutex<u64>,
    freed: Condvar,
}

/// Bytes in use, given back when dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    pub(super) const fn new(total: u64) -> Self {
        Self { total, turn: Mutex::new(()), free: Mutex::new(total), freed: Condvar::new() }
    }

    /// Waits until so many bytes are free. An image that needs more than
    /// there is gets all of it, and so is alone.
    pub(super) fn take(&self, bytes: u64) -> Share<'_> {
        let bytes = bytes.min(self.total);
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.free();
        let lacks = |free: &mut u64| *free < bytes;
        let waited = self.freed.wait_while(free, lacks);
        *waited.unwrap_or_else(PoisonError::into_inner) -= bytes;
        Share { budget: self, bytes }
    }

    fn free(&self) -> MutexGuard<'_, u64> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.free() += self.bytes;
        self.budget.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn images_wait_until_their_memory_is_free() {
        let budget = Budget::new(100);
        let first = budget.take(60);
        std::thread::scope(|scope| {
            let (began, begins) = channel();
            let budget = &budget;
            scope.spawn(move || {
                let _second = budget.take(50);
                began.send(()).unwrap();
            });
            assert!(begins.recv_timeout(Duration::from_millis(50)).is_err(), "it did not wait");
            drop(first);
            begins.recv_timeout(Duration::from_secs(60)).unwrap();
        });
        assert_eq!(*budget.free(), 100);
    }

    #[test]
    fn an_image_that_needs_more_than_there_is_runs_alone() {
        let budget = Budget::new(100);
        let all = budget.take(1000);
        assert_eq!(*budget.free(), 0);
        drop(all);
        assert_eq!(*budget.free(), 100);
    }
}
