//! Pictures that are being answered: whoever has the same one waits for that
//! answer. Once it is there, it is told to all who come until it is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aisle_shared::store::CacheKey;
use tokio::sync::watch;

use super::answer::Answer;

type Landed = Option<Arc<Answer>>;

/// Every picture that is being answered in this worker.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<CacheKey, watch::Receiver<Landed>>>);

/// A picture that is being answered, until this is dropped.
#[derive(Debug)]
pub(in crate::pipeline) struct Flight {
    flights: Arc<Flights>,
    key: CacheKey,
    landed: watch::Sender<Landed>,
}

/// A wait for the answer to a picture.
#[derive(Debug)]
pub(super) struct Wait(watch::Receiver<Landed>);

/// Whether a picture is the first of its kind.
#[derive(Debug)]
pub(super) enum Boarding {
    First(Flight),
    Behind(Wait),
}

impl Flights {
    pub(super) fn board(self: &Arc<Self>, key: CacheKey) -> Boarding {
        let mut under_way = self.lock();
        if let Some(landed) = under_way.get(&key) {
            return Boarding::Behind(Wait(landed.clone()));
        }
        let (landed, receiver) = watch::channel(None);
        under_way.insert(key, receiver);
        Boarding::First(Flight { flights: Arc::clone(self), key, landed })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, watch::Receiver<Landed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    pub(super) const fn key(&self) -> &CacheKey {
        &self.key
    }

    /// Tells the answer to all who wait, and to those who come.
    pub(super) fn land(&self, answer: &Arc<Answer>) {
        self.landed.send_replace(Some(Arc::clone(answer)));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

impl Wait {
    /// The answer, or nothing when there will be none.
    pub(super) async fn landed(&mut self) -> Landed {
        let landed = self.0.wait_for(Option::is_some).await;
        landed.ok().and_then(|answer| answer.clone())
    }
}

#[cfg(test)]
mod tests {
    use aisle_shared::domain::{ImageInfo, TenantId};
    use futures::FutureExt;

    use super::*;
    use crate::postprocess::Order;

    fn key(number: u8) -> CacheKey {
        CacheKey::new(&TenantId::default_tenant(), &[number; 32], &[0; 32])
    }

    fn answer() -> Arc<Answer> {
        let image = ImageInfo { media_type: "image/png".into(), width: 1, height: 2, bytes: 3 };
        Arc::new(Answer { order: Order::default(), image })
    }

    fn first(flights: &Arc<Flights>, number: u8) -> Flight {
        match flights.board(key(number)) {
            Boarding::First(flight) => flight,
            Boarding::Behind(_) => panic!("{number} is under way"),
        }
    }

    fn behind(flights: &Arc<Flights>, number: u8) -> Wait {
        match flights.board(key(number)) {
            Boarding::First(_) => panic!("{number} is not under way"),
            Boarding::Behind(wait) => wait,
        }
    }

    #[test]
    fn those_with_the_same_picture_get_the_answer_of_the_first() {
        let flights = Arc::default();
        let flight = first(&flights, 1);
        let _other = first(&flights, 2);
        let mut before = behind(&flights, 1);
        assert!(before.landed().now_or_never().is_none(), "there is no answer yet");
        flight.land(&answer());
        let mut after = behind(&flights, 1);
        drop(flight);
        for wait in [&mut before, &mut after] {
            assert_eq!(wait.landed().now_or_never().unwrap(), Some(answer()));
        }
        first(&flights, 1);
    }

    #[test]
    fn when_the_first_fails_all_others_go_at_once() {
        let flights = Arc::default();
        let flight = first(&flights, 1);
        let mut waits = [behind(&flights, 1), behind(&flights, 1)];
        drop(flight);
        for wait in &mut waits {
            assert_eq!(wait.landed().now_or_never().unwrap(), None);
        }
        assert!(flights.lock().is_empty());
    }
}
