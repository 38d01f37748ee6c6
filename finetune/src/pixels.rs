//! Pictures as decoded by the worker's own decoder, kept in a file without a
//! name while a network learns from them: the system keeps as many in memory
//! as there is room for, and takes the file away when the process ends.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use aisle_train::Machine;
use aisle_train::dataset::Picture;
use aisle_train::features::FeatureError;
use aisle_train::watch::Watcher;
use aisle_worker::decoder::Decoder;
use aisle_worker::preprocess::Framing;
use rayon::prelude::*;

use crate::TuneError;

/// Pictures between two messages of how far the work is.
const CHUNK: usize = 64;

/// Records of one length by number.
#[derive(Debug)]
pub(crate) struct Records {
    file: File,
    length: usize,
}

impl Records {
    /// No records yet; the folder says on which disk they will lie.
    pub(crate) fn new(folder: &Path, length: usize) -> Result<Self, TuneError> {
        let file = tempfile::tempfile_in(folder).map_err(TuneError::file(folder))?;
        Ok(Self { file, length })
    }

    /// A record.
    pub(crate) fn read(&self, number: usize) -> Result<Vec<u8>, TuneError> {
        let mut record = vec![0; self.length];
        let read = self.file.read_exact_at(&mut record, self.place(number));
        read.map_err(TuneError::file(Path::new("a file of pictures")))?;
        Ok(record)
    }

    /// Writes a record.
    pub(crate) fn write(&self, number: usize, record: &[u8]) -> Result<(), TuneError> {
        let written = self.file.write_all_at(record, self.place(number));
        written.map_err(TuneError::file(Path::new("a file of pictures")))
    }

    const fn place(&self, number: usize) -> u64 {
        number as u64 * self.length as u64
    }
}

/// Decodes pictures into records of packed RGB, as the framing cuts them.
pub(crate) fn decode(
    pictures: &[Picture],
    framing: &Framing,
    machine: &Machine,
    folder: &Path,
    watcher: &dyn Watcher,
) -> Result<Records, TuneError> {
    let decoder = Decoder::start(&machine.decoder, machine.limits.clone(), machine.threads)
        .map_err(|error| TuneError::Decoder(error.to_string()))?;
    let records = Records::new(folder, framing.pixels_len())?;
    watcher.begin("pictures", pictures.len());
    for (nth, chunk) in pictures.chunks(CHUNK).enumerate() {
        chunk.par_iter().enumerate().try_for_each(|(place, picture)| {
            let bytes = picture.place.read(machine.limits.max_bytes);
            // It was decoded a moment ago, so it has changed since.
            let changed = |why: String| {
                TuneError::from(FeatureError::Changed { name: picture.name.clone(), why })
            };
            let bytes = bytes.map_err(|error| changed(error.to_string()))?;
            let framed = decoder.frame(&bytes, framing);
            let framed = framed.map_err(|error| changed(error.to_string()))?;
            records.write(nth * CHUNK + place, &framed.pixels)
        })?;
        watcher.advance(chunk.len());
    }
    watcher.end();
    Ok(records)
}
