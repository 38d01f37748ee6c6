//! The children: as many as there are threads that ask, replaced when they
//! die, hang or have seen many images.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aisle_shared::domain::{ErrorCode, ImageInfo, ItemError};
use aisle_shared::image_probe::{ImageLimits, Probed, probe};
use aisle_shared::telemetry::names;
use aisle_shared::vitals::Hindrance;

use super::budget::Budget;
use super::process::{Broken, Process, StartError};
use super::wire::{Answer, Ask};
use super::{Framed, Program, Refusal};
use crate::decode;
use crate::preprocess::Framing;
use crate::settings::Backoff;

/// Images after which a child is replaced, so that what it may have leaked or
/// kept goes with it.
const IMAGES_OF_A_CHILD: u32 = 1000;

/// Children that an image may take down.
const TRIES: u32 = 2;

/// Between two attempts to start a child.
const TROUBLE: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(2) };

/// Attempts to start a child for an image: about ten seconds.
const STARTS: u32 = 8;

/// The children and what they share.
#[derive(Debug)]
pub(super) struct Pool {
    program: Program,
    timeout: Duration,
    budget: Budget,
    idle: Mutex<Vec<Process>>,
    /// Why the last attempt to start a child failed, if it did.
    trouble: Hindrance,
}

impl Pool {
    /// Starts the children and waits until each is ready.
    pub(super) fn start(
        program: Program,
        timeout: Duration,
        memory: u64,
        children: NonZeroUsize,
    ) -> Result<Self, StartError> {
        let mut idle = Vec::with_capacity(children.get());
        for _ in 0..children.get() {
            idle.push(Process::start(&program)?);
        }
        for lacking in idle.first().into_iter().flat_map(|process| &process.lacking) {
            tracing::warn!(%lacking, "decoders run without a part of their confinement");
        }
        tracing::info!(children = idle.len(), "decoders are ready");
        let budget = Budget::new(memory);
        let (idle, trouble) = (Mutex::new(idle), Hindrance::default());
        Ok(Self { program, timeout, budget, idle, trouble })
    }

    pub(super) fn frame(
        &self,
        bytes: &[u8],
        limits: &ImageLimits,
        framing: &Framing,
    ) -> Result<Framed, Refusal> {
        let start = Instant::now();
        let probed = probe(bytes, limits)?;
        let memory = decode::need(probed) + bytes.len() as u64;
        let ask = Ask { bytes: bytes.len(), memory, limits: limits.clone(), framing: *framing };
        let _share = self.budget.take(memory);
        let (answer, pixels) = self.ask(&ask, bytes)?;
        let (width, height, resizing) = match answer {
            Answer::Framed { width, height, resizing_us } => {
                (width, height, Duration::from_micros(resizing_us.into()))
            }
            Answer::Failed(error) => return Err(Refusal::Image(plain(&error))),
        };
        if !fits(probed, width, height) && !fits(probed, height, width) {
            let detail = "the image is not of the size that its header gives";
            return Err(Refusal::Image(ItemError::new(ErrorCode::Undecodable, detail)));
        }
        let info = ImageInfo {
            media_type: Cow::Borrowed(probed.format.media_type()),
            width,
            height,
            bytes: bytes.len() as u64,
        };
        let decoding = start.elapsed().saturating_sub(resizing);
        Ok(Framed { pixels, info, decoding, resizing })
    }

    /// Asks a child, and another one if the first dies: it may have been the
    /// victim of something else.
    fn ask(&self, ask: &Ask, bytes: &[u8]) -> Result<(Answer, Vec<u8>), Refusal> {
        for _ in 0..TRIES {
            let mut process =
                self.take().map_err(|error| Refusal::Unavailable(error.to_string()))?;
            match process.ask(ask, bytes, ask.framing.pixels_len(), self.timeout) {
                Ok(answer) => {
                    self.put_back(process);
                    return Ok(answer);
                }
                Err(Broken::Late) => {
                    replaced("timeout");
                    tracing::warn!(timeout = ?self.timeout, "a decoder that took too long is ended");
                    let seconds = self.timeout.as_secs_f32();
                    let detail = format!("the image could not be decoded within {seconds} seconds");
                    return Err(ItemError::new(ErrorCode::DecodeTimeout, detail).into());
                }
                Err(Broken::Gone(how)) => {
                    replaced("crash");
                    tracing::warn!(%how, bytes = ask.bytes, "a decoder died of an image");
                }
            }
        }
        let detail = "the decoder died of this image, and of trying it again";
        Err(ItemError::new(ErrorCode::DecodeCrashed, detail).into())
    }

    /// A living child: one that waits, or a new one.
    fn take(&self) -> Result<Process, StartError> {
        while let Some(mut process) = self.pop() {
            if process.is_alive() {
                return Ok(process);
            }
            replaced("crash");
        }
        let mut failures = 0;
        loop {
            let error = match self.begin() {
                Ok(process) => return Ok(process),
                Err(error) => error,
            };
            failures += 1;
            tracing::error!(%error, failures, "a decoder cannot be started");
            if failures >= STARTS {
                return Err(error);
            }
            std::thread::park_timeout(TROUBLE.after(failures, rand::random()));
        }
    }

    /// Starts a child and notes whether that went well.
    fn begin(&self) -> Result<Process, StartError> {
        let begun = Process::start(&self.program);
        match &begun {
            Ok(_) => self.trouble.clear(),
            Err(error) => self.trouble.set(error.to_string()),
        }
        begun
    }

    /// Why no child can be started now.
    pub(super) const fn trouble(&self) -> &Hindrance {
        &self.trouble
    }

    /// Tries whether a child can be started again. It is ended at once: whoever
    /// has an image starts its own.
    pub(super) fn look_again(&self) -> Result<(), StartError> {
        self.begin().map(drop)
    }

    /// Keeps a child for the next image, unless it has seen enough.
    fn put_back(&self, process: Process) {
        if process.images < IMAGES_OF_A_CHILD {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        } else {
            replaced("recycled");
        }
    }

    fn pop(&self) -> Option<Process> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// Whether an image is no larger than its header says; a GIF's frame may be
/// smaller.
const fn fits(probed: Probed, width: u32, height: u32) -> bool {
    0 < width && width <= probed.width && 0 < height && height <= probed.height
}

/// An error as a child may give it: one of an image, in plain letters.
fn plain(error: &ItemError) -> ItemError {
    let code = match error.code {
        code @ (ErrorCode::EmptyImage
        | ErrorCode::UnsupportedType
        | ErrorCode::Truncated
        | ErrorCode::TooLarge
        | ErrorCode::TooManyPixels) => code,
        ErrorCode::Undecodable
        | ErrorCode::DecodeTimeout
        | ErrorCode::DecodeCrashed
        | ErrorCode::UrlNotAllowed
        | ErrorCode::UrlUnreachable
        | ErrorCode::UrlRefused
        | ErrorCode::BlobMissing
        | ErrorCode::InferenceFailed
        | ErrorCode::WorkerLost
        | ErrorCode::ModelRemoved
        | ErrorCode::Internal => ErrorCode::Undecodable,
    };
    let detail: String = error.detail.chars().filter(|letter| !letter.is_control()).collect();
    ItemError::new(code, detail)
}

fn replaced(reason: &'static str) {
    metrics::counter!(names::DECODERS_REPLACED_TOTAL, "reason" => reason).increment(1);
}
