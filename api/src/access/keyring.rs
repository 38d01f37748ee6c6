//! Keys that were presented lately, so that a request seldom asks the store.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aisle_shared::domain::{ApiKey, KeyHash, KeyId, KeyState, KeyText, Timestamp};
use aisle_shared::store::{Store, StoreError};

use super::failures::Failures;
use crate::problem::{Code, Problem};

/// A revoked key works no longer than this. The document and the README say
/// so.
const FRESH: Duration = Duration::from_secs(3);

/// Keys as the store had them a moment ago, and who sends wrong ones. There
/// are at most as many as the store has keys.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    known: Mutex<HashMap<KeyId, Known>>,
    failures: Failures,
}

#[derive(Debug, Clone)]
struct Known {
    key: Arc<ApiKey>,
    read_at: Instant,
    /// The last day whose use the store knows of, or is being told of.
    touched_on: Option<Timestamp>,
}

impl Keyring {
    /// The key that a text is, if it works.
    ///
    /// # Errors
    /// A problem that says what is wrong, and no more than the caller may
    /// know.
    pub(super) async fn open(
        &self,
        store: &Arc<dyn Store>,
        text: &str,
        peer: Option<IpAddr>,
    ) -> Result<Arc<ApiKey>, Problem> {
        let presented = text.parse::<KeyText>().ok();
        self.hold_back(peer, presented.as_ref())?;
        let found = match &presented {
            Some(presented) => self.find(store.as_ref(), presented.id()).await?,
            None => None,
        };
        // Compared even where there is nothing to compare with, so that the
        // time tells nothing.
        let kept = found.as_ref().map_or(KeyHash::NONE, |key| key.hash);
        let given = presented.as_ref().map_or(KeyHash::NONE, KeyText::hash);
        let proven = kept.matches(&given);
        match found {
            Some(key) if proven => {
                works(&key)?;
                self.touch(store, &key);
                Ok(key)
            }
            Some(_) | None => {
                if let Some(peer) = peer {
                    self.failures.note(peer, Instant::now());
                }
                Err(unknown())
            }
        }
    }

    /// Makes sure that a key which has let its caller in still works.
    ///
    /// # Errors
    /// A problem that says what ended it.
    pub(crate) async fn confirm(&self, store: &dyn Store, id: &KeyId) -> Result<(), Problem> {
        let found = self.find(store, id).await?;
        found.map_or_else(|| Err(unknown()), |key| works(&key))
    }

    /// Refuses a peer that has sent many wrong keys, without asking the
    /// store. Whoever has shown a right one in this process is let through:
    /// callers behind one proxy cannot lock each other out.
    fn hold_back(&self, peer: Option<IpAddr>, presented: Option<&KeyText>) -> Result<(), Problem> {
        let wait = peer.and_then(|peer| self.failures.wait(peer, Instant::now()));
        let Some(wait) = wait else { return Ok(()) };
        let known = presented.and_then(|key| self.known().get(key.id()).cloned());
        let kept = known.map_or(KeyHash::NONE, |known| known.key.hash);
        if presented.is_some_and(|key| kept.matches(&key.hash())) {
            return Ok(());
        }
        let detail = "Too many wrong API keys came from your address; try again later.";
        Err(Problem::new(Code::TooManyWrongKeys, detail).retry_after(wait))
    }

    async fn find(&self, store: &dyn Store, id: &KeyId) -> Result<Option<Arc<ApiKey>>, StoreError> {
        let known = self.known().get(id).cloned();
        if let Some(known) = &known
            && known.read_at.elapsed() < FRESH
        {
            return Ok(Some(Arc::clone(&known.key)));
        }
        // Taken before the store is asked: what it then says is newer.
        let read_at = Instant::now();
        let Some(key) = store.key(id).await?.map(Arc::new) else {
            self.known().remove(id);
            return Ok(None);
        };
        let touched_on = known.and_then(|known| known.touched_on).max(key.last_used_on);
        let known = Known { key: Arc::clone(&key), read_at, touched_on };
        self.known().insert(id.clone(), known);
        Ok(Some(key))
    }

    /// Has the store told that the key was used, once a day, beside the
    /// request.
    fn touch(&self, store: &Arc<dyn Store>, key: &ApiKey) {
        let today = Some(Timestamp::now().day());
        let mut known = self.known();
        let Some(known) = known.get_mut(&key.id).filter(|known| known.touched_on < today) else {
            return;
        };
        known.touched_on = today;
        let (store, id) = (Arc::clone(store), key.id.clone());
        tokio::spawn(async move {
            if let Err(error) = store.touch_key(&id).await {
                tracing::warn!(key = %id, %error, "the use of a key was not noted");
            }
        });
    }

    fn known(&self) -> MutexGuard<'_, HashMap<KeyId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn works(key: &ApiKey) -> Result<(), Problem> {
    match key.state(Timestamp::now()) {
        KeyState::Active => Ok(()),
        KeyState::Expired => Err(invalid("The API key has expired.")),
        KeyState::Revoked => Err(invalid("The API key was revoked.")),
    }
}

fn unknown() -> Problem {
    invalid("This is no API key of this service.")
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Code::InvalidApiKey, detail).challenging("Bearer error=\"invalid_token\"")
}
