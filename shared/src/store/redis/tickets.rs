//! The claims of this process whose answers were lost.
//!
//! A claim that Redis ran and whose answer never came (a lost connection, a disk
//! that took too long to sync) has handed out items to nobody, and they would wait
//! for their leases to run out. So each claim has a ticket, which its tokens
//! bear, and the next claim tells the tickets of those before it that were not
//! answered: what they handed out is ready again at once. A claim that Redis runs
//! after that still has its leases to run out.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::keys::Shard;

/// Tickets of one shard that are remembered at most. While a server is away a
/// worker asks it about once a second for each of its models.
const MOST: usize = 64;

/// The tickets of lost answers.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    lost: Mutex<HashMap<Shard, Vec<Lost>>>,
}

#[derive(Debug)]
struct Lost {
    ticket: String,
    /// When the leases that it may have begun have run out by themselves.
    until: Instant,
}

/// One claim. Dropped without an answer, its ticket is lost.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    tickets: &'a Tickets,
    shard: Shard,
    text: String,
    lease: Duration,
}

impl Tickets {
    /// A ticket for a claim of that shard and lease.
    pub(super) fn draw(&self, shard: Shard, lease: Duration) -> Ticket<'_> {
        let text = format!("{:016x}", rand::random::<u64>());
        Ticket { tickets: self, shard, text, lease }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Shard, Vec<Lost>>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// What the tokens of the claim bear.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The tickets of earlier claims of the same shard that were lost.
    pub(super) fn lost_before(&self) -> Vec<String> {
        let mut lost = self.tickets.lock();
        let Some(lost) = lost.get_mut(&self.shard) else { return Vec::new() };
        lost.retain(|lost| lost.until > Instant::now());
        lost.iter().map(|lost| lost.ticket.clone()).collect()
    }

    /// The answer came, to a claim that told these lost tickets.
    pub(super) fn answered(mut self, told: &[String]) {
        self.text.clear();
        if let Some(lost) = self.tickets.lock().get_mut(&self.shard) {
            lost.retain(|lost| !told.contains(&lost.ticket));
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let until = Instant::now() + self.lease;
        let mut lost = self.tickets.lock();
        let lost = lost.entry(self.shard).or_default();
        if lost.len() == MOST {
            lost.remove(0);
        }
        lost.push(Lost { ticket: mem::take(&mut self.text), until });
    }
}
