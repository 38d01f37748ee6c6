//! The items that this worker holds: the heartbeat renews them from here,
//! and says here what it learned about them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aisle_shared::domain::ItemRef;
use aisle_shared::store::{Extended, Lease, LeaseToken};
use tokio::sync::{Notify, watch};

/// Whose an item is, as far as the worker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Held here.
    Ours,
    /// Held here, but its job was canceled.
    Canceled,
    /// Held by another, or ended.
    Lost,
}

/// Every item that the worker holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    items: Mutex<HashMap<ItemRef, Entry>>,
    emptied: Notify,
}

#[derive(Debug)]
struct Entry {
    token: LeaseToken,
    since: Instant,
    /// Whether its end is being written: then it is lost to the store because
    /// it has ended, and whoever writes is told how.
    ending: bool,
    fate: watch::Sender<Fate>,
}

/// One item in the ledger, for as long as it is in work.
#[derive(Debug)]
pub(super) struct Hold {
    held: Arc<Held>,
    lease: Lease,
    fate: watch::Receiver<Fate>,
}

impl Held {
    /// Enters an item. Should it stand here already, under a lease that was
    /// lost unnoticed, that one is lost now.
    pub(super) fn hold(self: &Arc<Self>, lease: Lease) -> Hold {
        let (sender, fate) = watch::channel(Fate::Ours);
        let (token, since) = (lease.token.clone(), Instant::now());
        let entry = Entry { token, since, ending: false, fate: sender };
        if let Some(before) = self.lock().insert(lease.item, entry) {
            before.fate.send_replace(Fate::Lost);
        }
        Hold { held: Arc::clone(self), lease, fate }
    }

    /// The leases to renew: of items that are in work for no longer than
    /// `deadline`, and not lost.
    pub(super) fn renewable(&self, deadline: Duration) -> Vec<Lease> {
        self.lock()
            .iter()
            .filter(|(_, entry)| *entry.fate.borrow() != Fate::Lost)
            .filter(|(_, entry)| entry.since.elapsed() < deadline)
            .map(|(item, entry)| Lease { item: *item, token: entry.token.clone() })
            .collect()
    }

    /// Takes in what renewing `asked` brought to light, and returns the items
    /// that were lost in the midst of their work.
    pub(super) fn learn(&self, asked: &[Lease], extended: &Extended) -> Vec<ItemRef> {
        let items = self.lock();
        let tell = |item: &ItemRef, fate| {
            let asked = asked.iter().find(|lease| lease.item == *item)?;
            // The item may have been claimed anew since the store was asked.
            let entry = items.get(item).filter(|entry| entry.token == asked.token)?;
            entry.fate.send_replace(fate);
            (!entry.ending).then_some(*item)
        };
        for item in &extended.canceled {
            tell(item, Fate::Canceled);
        }
        extended.lost.iter().filter_map(|item| tell(item, Fate::Lost)).collect()
    }

    /// Returns once nothing is held.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ItemRef, Entry>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    pub(super) const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Notes that the item's end is being written.
    pub(super) fn ends(&self) {
        let mut items = self.held.lock();
        let entry = items.get_mut(&self.lease.item);
        if let Some(entry) = entry.filter(|entry| entry.token == self.lease.token) {
            entry.ending = true;
        }
    }

    /// Whose the item is now.
    pub(super) fn fate(&self) -> Fate {
        *self.fate.borrow()
    }

    /// Returns once the item is no longer to be worked on.
    pub(super) async fn left(&self) {
        let mut fate = self.fate.clone();
        // The sender goes only when another hold took this one's place.
        let _ = fate.wait_for(|fate| *fate != Fate::Ours).await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut items = self.held.lock();
        if items.get(&self.lease.item).is_some_and(|entry| entry.token == self.lease.token) {
            items.remove(&self.lease.item);
        }
        if items.is_empty() {
            self.held.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use aisle_shared::domain::JobId;

    use super::*;

    fn lease(item: ItemRef, token: &str) -> Lease {
        Lease { item, token: LeaseToken(token.to_owned()) }
    }

    fn item() -> ItemRef {
        ItemRef { job: JobId::generate(), index: 0 }
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn an_item_is_renewed_until_its_hold_is_dropped() {
        let held = Arc::new(Held::default());
        let hold = held.hold(lease(item(), "1-a"));
        assert_eq!(held.renewable(LONG), [hold.lease().clone()]);
        drop(hold);
        assert!(held.renewable(LONG).is_empty());
    }

    #[test]
    fn an_item_past_its_deadline_is_not_renewed() {
        let held = Arc::new(Held::default());
        let _hold = held.hold(lease(item(), "1-a"));
        assert!(held.renewable(Duration::ZERO).is_empty());
    }

    #[test]
    fn what_the_store_says_reaches_the_hold() {
        let held = Arc::new(Held::default());
        let (first, second) = (item(), item());
        let lost = held.hold(lease(first, "1-a"));
        let canceled = held.hold(lease(second, "1-b"));
        let asked = held.renewable(LONG);
        held.learn(&asked, &Extended { lost: vec![first], canceled: vec![second] });
        assert_eq!(lost.fate(), Fate::Lost);
        assert_eq!(canceled.fate(), Fate::Canceled);
        assert_eq!(held.renewable(LONG), [canceled.lease().clone()]);
    }

    #[test]
    fn an_item_whose_end_is_being_written_is_not_lost_in_the_midst_of_its_work() {
        let held = Arc::new(Held::default());
        let (working, ending) = (held.hold(lease(item(), "1-a")), held.hold(lease(item(), "1-b")));
        ending.ends();
        let asked = held.renewable(LONG);
        assert_eq!(asked.len(), 2, "its lease is renewed until the end is written");
        let lost = vec![working.lease().item, ending.lease().item];
        let reported = held.learn(&asked, &Extended { lost, canceled: vec![] });
        assert_eq!(reported, [working.lease().item]);
        assert_eq!(ending.fate(), Fate::Lost);
    }

    #[test]
    fn an_item_claimed_anew_outlives_its_former_hold() {
        let held = Arc::new(Held::default());
        let item = item();
        let before = held.hold(lease(item, "1-a"));
        let asked = held.renewable(LONG);
        let after = held.hold(lease(item, "2-b"));
        held.learn(&asked, &Extended { lost: vec![item], canceled: vec![] });
        assert_eq!(before.fate(), Fate::Lost);
        assert_eq!(after.fate(), Fate::Ours);
        drop(before);
        assert_eq!(held.renewable(LONG), [after.lease().clone()]);
    }
}
