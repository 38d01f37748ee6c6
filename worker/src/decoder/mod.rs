//! Decoding behind a wall: images are untrusted, so they are decoded and cut
//! to the network's size by child processes that can open no file and no
//! connection and have their own limits of memory and time.
//!
//! What must never happen: an image ends this process, holds a place for
//! longer than the deadline, or takes more memory than was set aside for it;
//! what a child answers is believed without being checked.

mod budget;
mod child;
mod confine;
mod memory;
mod pool;
mod process;
mod seccomp;
mod wire;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aisle_shared::domain::{ImageInfo, ItemError};
use aisle_shared::image_probe::ImageLimits;
use aisle_shared::vitals::Hindrance;

use crate::decode;
use crate::preprocess::Framing;
use pool::Pool;

pub use child::run as run_child;
pub use process::StartError;

/// How images are decoded.
#[derive(Debug, Clone)]
pub struct DecoderSettings {
    /// Where.
    pub isolation: Isolation,
    /// How long a child may take for one image.
    pub timeout: Duration,
    /// Bytes that all images may take together while they are decoded.
    pub memory: u64,
}

/// Where images are decoded.
#[derive(Debug, Clone)]
pub enum Isolation {
    /// In child processes: what a service does.
    Processes(Program),
    /// In this process, without a deadline: for tests of other things, and
    /// to measure what the processes cost.
    Here,
}

/// What a child process runs: a program that calls [`run_child`].
#[derive(Debug, Clone)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// What it is called with.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// The program that is running, called with one word.
    #[must_use]
    pub fn this(word: &str) -> Self {
        // The running file itself, even after an update has put another in its place.
        Self { path: Path::new("/proc/self/exe").to_owned(), arguments: vec![word.into()] }
    }
}

impl DecoderSettings {
    /// Five seconds for an image, half of the memory for all.
    #[must_use]
    pub fn new(isolation: Isolation) -> Self {
        let timeout = Duration::from_secs(5);
        Self { isolation, timeout, memory: memory::available() / 2 }
    }
}

/// An image cut to what its network sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Framed {
    /// Rows of packed RGB, as the framing asked for.
    pub pixels: Vec<u8>,
    /// What was found out about the image.
    pub info: ImageInfo,
    /// Time of decoding, and of reaching and waiting for the child.
    pub decoding: Duration,
    /// Time of resizing.
    pub resizing: Duration,
}

/// Why there are no pixels.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It is the image's fault: it will not be otherwise later.
    #[error(transparent)]
    Image(#[from] ItemError),
    /// No child can be started now; the image was not tried.
    #[error("no decoder can be started: {0}")]
    Unavailable(String),
}

/// Decodes images; shared by as many threads as there may be children.
#[derive(Debug)]
pub struct Decoder {
    limits: ImageLimits,
    pool: Option<Pool>,
}

impl Decoder {
    /// Starts `children` child processes, where the settings ask for
    /// processes, and waits until each is ready.
    ///
    /// # Errors
    /// When one cannot be started or does not confine itself.
    pub fn start(
        settings: &DecoderSettings,
        limits: ImageLimits,
        children: NonZeroUsize,
    ) -> Result<Self, StartError> {
        let pool = match &settings.isolation {
            Isolation::Here => None,
            Isolation::Processes(program) => {
                Some(Pool::start(program.clone(), settings.timeout, settings.memory, children)?)
            }
        };
        Ok(Self { limits, pool })
    }

    /// Decodes an image and cuts it to its network's size. Blocks: while
    /// there is no memory, and then for the deadline at most, twice where a
    /// child died.
    ///
    /// # Errors
    /// Those of [`decode::decode`], `decode_timeout` and `decode_crashed`;
    /// [`Refusal::Unavailable`] when no child can be started.
    pub fn frame(&self, bytes: &[u8], framing: &Framing) -> Result<Framed, Refusal> {
        match &self.pool {
            Some(pool) => pool.frame(bytes, &self.limits, framing),
            None => Ok(frame_here(bytes, &self.limits, framing)?),
        }
    }

    /// Why images cannot be decoded now: the last child could not be started.
    #[must_use]
    pub fn trouble(&self) -> Hindrance {
        self.pool.as_ref().map_or_else(Hindrance::default, |pool| pool.trouble().clone())
    }

    /// Where images could not be decoded, tries whether they can be now: nobody
    /// else does as long as no image comes. Blocks for ten seconds at most.
    ///
    /// # Errors
    /// When still no child can be started.
    pub fn look_again(&self) -> Result<(), StartError> {
        match &self.pool {
            Some(pool) if pool.trouble().get().is_some() => pool.look_again(),
            Some(_) | None => Ok(()),
        }
    }
}

/// Decodes and cuts in this process.
fn frame_here(bytes: &[u8], limits: &ImageLimits, framing: &Framing) -> Result<Framed, ItemError> {
    let start = Instant::now();
    let decoded = decode::decode(bytes, limits)?;
    let decoding = start.elapsed();
    let start = Instant::now();
    let pixels = framing.pixels(&decoded.pixels);
    Ok(Framed { pixels, info: decoded.info, decoding, resizing: start.elapsed() })
}
