//! Bodies of `POST /v1/jobs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aisle_api::fuzzing::{self, Refusal};
use aisle_api::{ApiSettings, ApiState, Context};
use aisle_shared::blob::{BlobError, BlobStore};
use aisle_shared::domain::{ItemRef, JobId};
use aisle_shared::image_probe::ImageLimits;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;

use crate::harness::{Backend, Harness};

const MAX_IMAGE_BYTES: usize = 4_096;
const MAX_BODY_BYTES: u64 = 32 * 1_024;

/// The first byte says how many bytes arrive at a time, the rest is a form
/// with the boundary `B`. However it arrives, it means the same.
///
/// # Panics
/// When it does not, or when a refusal is none or leaves something behind.
pub fn multipart(bytes: &[u8]) {
    let Some((pace, form)) = bytes.split_first() else { return };
    let content_type = "multipart/form-data; boundary=B";
    Reader::with(|reader| {
        let whole = reader.read(content_type, vec![Bytes::copy_from_slice(form)]);
        let chunks = form.chunks(usize::from(*pace).max(1)).map(Bytes::copy_from_slice).collect();
        let parts = reader.read(content_type, chunks);
        assert_eq!(whole.verdict, parts.verdict);
    });
}

/// A job as a JSON document. What is taken is JSON to another reader too, and
/// has as many images.
///
/// # Panics
/// When it has not, or when a refusal is none or leaves something behind.
pub fn json(bytes: &[u8]) {
    let content_type = "application/json";
    Reader::with(|reader| {
        let taken = reader.read(content_type, vec![Bytes::copy_from_slice(bytes)]);
        if let Ok(images) = taken.verdict {
            let value: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
            assert_eq!(value["images"].as_array().map(Vec::len), Some(images));
        }
    });
}

/// A text as an image's base64. It is taken if it is canonical base64 by a
/// second reader, and means the same bytes to it.
///
/// # Panics
/// When it is not or does not.
pub fn base64(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let content_type = "application/json";
    let body = serde_json::json!({"images": [{"base64": text}]}).to_string();
    Reader::with(|reader| {
        let taken = reader.read(content_type, vec![Bytes::from(body)]);
        match decoded(bytes) {
            Some(image) => {
                assert_eq!(taken.verdict, Ok(1), "{text:?}");
                assert_eq!(taken.stored, [image], "{text:?}");
            }
            None => assert_eq!(taken.verdict, Err((400, "invalid_request")), "{text:?}"),
        }
    });
}

/// RFC 4648, section 4, by the letter: padded, and the bits that no byte needs
/// are zero.
pub(super) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (fours, []) = text.as_chunks::<4>() else { return None };
    let mut bytes = Vec::new();
    for (place, four) in fours.iter().enumerate() {
        let padding = four.iter().rev().take_while(|byte| **byte == b'=').count();
        if padding > 2 || (padding > 0 && place + 1 < fours.len()) {
            return None;
        }
        let mut bits = 0_u32;
        for byte in &four[..4 - padding] {
            let value = ALPHABET.iter().position(|letter| letter == byte)?;
            bits = bits << 6 | u32::try_from(value).ok()?;
        }
        bits <<= 6 * padding;
        let [_, triple @ ..] = bits.to_be_bytes();
        let (used, unused) = triple.split_at(3 - padding);
        if unused.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(used);
    }
    Some(bytes)
}

/// An API's intake with small limits, and blobs in memory.
struct Reader {
    runtime: Runtime,
    context: Arc<Context>,
    blobs: Arc<Blobs>,
    _store: Harness,
}

/// What became of a body.
struct Read {
    verdict: Result<usize, Refusal>,
    /// The bytes that were stored, in order.
    stored: Vec<Vec<u8>>,
}

thread_local! {
    static READER: Reader = Reader::new();
}

impl Reader {
    fn with(act: impl FnOnce(&Self)) {
        READER.with(act);
    }

    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let store = runtime.block_on(Harness::new(Backend::Sqlite)).expect("a store");
        let blobs = Arc::new(Blobs::default());
        let settings = ApiSettings {
            image_limits: ImageLimits {
                max_bytes: MAX_IMAGE_BYTES as u64,
                ..ImageLimits::default()
            },
            max_files: 4,
            max_items: 8,
            max_upload_bytes: MAX_BODY_BYTES,
            max_json_bytes: MAX_BODY_BYTES,
            ..ApiSettings::default()
        };
        let state = ApiState {
            store: Arc::clone(&store.store),
            blobs: Arc::clone(&blobs) as Arc<dyn BlobStore>,
            settings,
            vault: None,
            worker: None,
            metrics: Arc::new(String::new),
        };
        let context = Context::new(state, CancellationToken::new());
        Self { runtime, context, blobs, _store: store }
    }

    /// Reads a body that arrives in these chunks, and sees to what must hold
    /// of every one.
    fn read(&self, content_type: &str, chunks: Vec<Bytes>) -> Read {
        self.runtime.block_on(async {
            let verdict = fuzzing::body(&self.context, content_type, chunks).await;
            if let Err((status, code)) = verdict {
                assert!((400..500).contains(&status), "{status} {code}");
            }
            // No job was made of it, so its bytes go, once all are stored.
            while Handle::current().metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
            let stored = self.blobs.take_stored();
            assert!(stored.len() <= 4, "{} images stored", stored.len());
            assert!(stored.iter().all(|image| image.len() <= MAX_IMAGE_BYTES));
            assert_eq!(self.blobs.left(), 0, "bytes are left behind");
            Read { verdict, stored }
        })
    }
}

/// Blobs in memory, and every one that was ever stored.
#[derive(Default)]
struct Blobs {
    there: Mutex<HashMap<ItemRef, Bytes>>,
    stored: Mutex<Vec<Vec<u8>>>,
}

impl Blobs {
    fn take_stored(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.stored.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn left(&self) -> usize {
        self.there().len()
    }

    fn there(&self) -> std::sync::MutexGuard<'_, HashMap<ItemRef, Bytes>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BlobStore for Blobs {
    async fn admits(&self) -> Result<(), BlobError> {
        Ok(())
    }

    fn goes_with_job(&self, _bytes: usize) -> bool {
        false
    }

    async fn put(&self, item: ItemRef, bytes: Bytes) -> Result<(), BlobError> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).push(bytes.to_vec());
        self.there().insert(item, bytes);
        Ok(())
    }

    async fn get(&self, item: ItemRef) -> Result<Option<Bytes>, BlobError> {
        Ok(self.there().get(&item).cloned())
    }

    async fn delete(&self, items: &[ItemRef]) -> Result<(), BlobError> {
        let mut there = self.there();
        for item in items {
            there.remove(item);
        }
        Ok(())
    }

    async fn delete_job(&self, job: JobId, _: u32) -> Result<(), BlobError> {
        self.there().retain(|item, _| item.job != job);
        Ok(())
    }

    async fn aged_jobs(&self, _: usize) -> Result<Vec<JobId>, BlobError> {
        Ok(Vec::new())
    }
}
