//! Event files for TensorBoard: how learning went, step by step.
//!
//! A file holds records (`record`), each an `Event` (`event`). TensorBoard
//! reads all files of a folder as one run, so a training that goes on after it
//! was stopped writes another file beside the first.

mod confusion;
mod event;
mod record;
mod run;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use image::{DynamicImage, ImageFormat, RgbImage};
use prost::Message as _;

use event::{Event, Picture, Summary, Value};

pub use confusion::confusion;
pub use run::{Run, shown};

/// What the first event of a file says of its format.
const VERSION: &str = "brain.Event:2";

/// An event file that is written to.
#[derive(Debug)]
pub struct Board {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Board {
    /// A new event file in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let seconds = now().as_secs();
        let names = (0..).map(|nth| format!("events.out.tfevents.{seconds:010}.aisle.{nth}"));
        for name in names {
            let path = folder.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut board = Self { path, file: BufWriter::new(file) };
                    board.write(&Event { file_version: Some(VERSION.to_owned()), ..event(0) })?;
                    board.flush()?;
                    return Ok(board);
                }
                // Another was begun in this very second.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("there is no name left"))
    }

    /// Where the file lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A number at a step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn scalar(&mut self, tag: &str, step: usize, value: f64) -> io::Result<()> {
        #[expect(clippy::cast_possible_truncation, reason = "a plot needs no more")]
        let simple_value = Some(value as f32);
        self.summary(step, Value { tag: tag.to_owned(), simple_value, image: None })
    }

    /// A picture at a step.
    ///
    /// # Errors
    /// When it cannot be encoded or written.
    pub fn picture(&mut self, tag: &str, step: usize, picture: RgbImage) -> io::Result<()> {
        let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        let (height, width) = (side(picture.height()), side(picture.width()));
        let mut encoded = Cursor::new(Vec::new());
        DynamicImage::ImageRgb8(picture)
            .write_to(&mut encoded, ImageFormat::Png)
            .map_err(io::Error::other)?;
        let image =
            Picture { height, width, colorspace: Picture::RGB, encoded: encoded.into_inner() };
        self.summary(step, Value { tag: tag.to_owned(), simple_value: None, image: Some(image) })
    }

    /// Hands what was written to the system, where TensorBoard sees it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn summary(&mut self, step: usize, value: Value) -> io::Result<()> {
        self.write(&Event { summary: Some(Summary { value: vec![value] }), ..event(step) })
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        self.file.write_all(&record::record(&event.encode_to_vec()))
    }
}

fn event(step: usize) -> Event {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    Event { wall_time: now().as_secs_f64(), step, file_version: None, summary: None }
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
