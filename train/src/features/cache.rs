//! Features that were computed before, by content: one file for each backbone,
//! to which records are added. A file whose end was torn off by a crash loses
//! only that record.
//!
//! ```text
//! "aisle features 1\n" · version of the backbone "\n" · width as u32
//! record: SHA-256 of the file · SHA-256 of the pixels · width × f32 · check (8 bytes)
//! ```
//! Numbers are little-endian; the check is the start of the SHA-256 of the
//! rest of the record.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::split::{Digest, Fingerprint};
use crate::watch::Watcher;

const MAGIC: &str = "aisle features 1\n";
const CHECK: usize = 8;

/// What is known of a picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) pixels: Digest,
    pub(super) features: Vec<f32>,
}

/// Features by the digest of a file.
#[derive(Debug, Default)]
pub(super) struct Cache {
    known: HashMap<Digest, Known>,
    file: Option<BufWriter<File>>,
}

impl Cache {
    /// A cache that ends with the process.
    pub(super) fn in_memory() -> Self {
        Self::default()
    }

    /// The cache in a file, which is made if it is not there and begun anew if
    /// it is another backbone's. No other process can use it meanwhile; while
    /// another does, this waits, and says so.
    pub(super) fn open(
        path: &Path,
        version: &str,
        width: usize,
        watcher: &dyn Watcher,
    ) -> io::Result<Self> {
        let mut file = OpenOptions::new();
        let file = file.read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                watcher.tell(&format!("waiting for another training that uses {}", path.display()));
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let width_u32 = u32::try_from(width).map_err(io::Error::other)?;
        let head = [MAGIC.as_bytes(), version.as_bytes(), b"\n", &width_u32.to_le_bytes()].concat();
        let mut reader = BufReader::new(&file);
        let mut found = vec![0; head.len()];
        let is_same = reader.read_exact(&mut found).is_ok() && found == head;
        let mut known = HashMap::new();
        let mut whole = head.len() as u64;
        if is_same {
            let mut record = vec![0; record_len(width)];
            while reader.read_exact(&mut record).is_ok() {
                let Some((fingerprint, features)) = read(&record) else { break };
                known.insert(fingerprint.file, Known { pixels: fingerprint.pixels, features });
                whole += record.len() as u64;
            }
            file.set_len(whole)?;
        } else {
            file.set_len(0)?;
            (&file).seek(SeekFrom::Start(0))?;
            (&file).write_all(&head)?;
        }
        (&file).seek(SeekFrom::Start(whole))?;
        Ok(Self { known, file: Some(BufWriter::new(file)) })
    }

    pub(super) fn get(&self, file: &Digest) -> Option<&Known> {
        self.known.get(file)
    }

    pub(super) fn put(&mut self, fingerprint: Fingerprint, features: Vec<f32>) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(&record(fingerprint, &features))?;
        }
        self.known.insert(fingerprint.file, Known { pixels: fingerprint.pixels, features });
        Ok(())
    }

    /// Hands what was put to the system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

const fn record_len(width: usize) -> usize {
    32 + 32 + 4 * width + CHECK
}

fn record(fingerprint: Fingerprint, features: &[f32]) -> Vec<u8> {
    let mut record = Vec::with_capacity(record_len(features.len()));
    record.extend_from_slice(&fingerprint.file);
    record.extend_from_slice(&fingerprint.pixels);
    record.extend(features.iter().flat_map(|value| value.to_le_bytes()));
    let check = Sha256::digest(&record);
    record.extend(check.iter().take(CHECK));
    record
}

/// A record's content, unless it is not what was written.
fn read(record: &[u8]) -> Option<(Fingerprint, Vec<f32>)> {
    let (content, check) = record.split_at_checked(record.len().checked_sub(CHECK)?)?;
    if !Sha256::digest(content).starts_with(check) {
        return None;
    }
    let (file, rest) = content.split_first_chunk::<32>()?;
    let (pixels, values) = rest.split_first_chunk::<32>()?;
    let (values, _) = values.as_chunks::<4>();
    let features = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Some((Fingerprint { file: *file, pixels: *pixels }, features))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::watch::Nobody;

    /// Hands on what it is told.
    struct Listener(Sender<String>);

    impl Watcher for Listener {
        fn begin(&self, _: &str, _: usize) {}
        fn advance(&self, _: usize) {}
        fn end(&self) {}
        fn tell(&self, line: &str) {
            self.0.send(line.to_owned()).unwrap();
        }
    }

    fn content(number: u8) -> Fingerprint {
        Fingerprint { file: [number; 32], pixels: [number + 100; 32] }
    }

    fn filled(path: &Path) {
        let mut cache = Cache::open(path, "v1", 3, &Nobody).unwrap();
        for number in 0..3 {
            cache.put(content(number), vec![f32::from(number); 3]).unwrap();
        }
        cache.flush().unwrap();
    }

    fn numbers(path: &Path, version: &str, width: usize) -> Vec<u8> {
        let cache = Cache::open(path, version, width, &Nobody).unwrap();
        (0..3).filter(|number| cache.get(&[*number; 32]).is_some()).collect()
    }

    #[test]
    fn what_was_put_is_there_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        filled(&path);
        let cache = Cache::open(&path, "v1", 3, &Nobody).unwrap();
        let expected = Known { pixels: [102; 32], features: vec![2.0; 3] };
        assert_eq!(cache.get(&[2; 32]), Some(&expected));
        assert_eq!(cache.get(&[9; 32]), None);
    }

    #[test]
    fn a_torn_end_costs_only_the_torn_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        filled(&path);
        let length = path.metadata().unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(length - 5).unwrap();
        assert_eq!(numbers(&path, "v1", 3), [0, 1]);
        let mut cache = Cache::open(&path, "v1", 3, &Nobody).unwrap();
        cache.put(content(2), vec![2.0; 3]).unwrap();
        drop(cache);
        assert_eq!(numbers(&path, "v1", 3), [0, 1, 2]);
    }

    #[test]
    fn a_record_that_was_changed_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        filled(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - CHECK - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(numbers(&path, "v1", 3), [0, 1]);
    }

    #[test]
    fn whoever_waits_for_a_cache_says_so_and_then_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        filled(&path);
        let first = Cache::open(&path, "v1", 3, &Nobody).unwrap();
        let (told, lines) = channel();
        let second = {
            let path = path.clone();
            thread::spawn(move || Cache::open(&path, "v1", 3, &Listener(told)).unwrap())
        };
        let line = lines.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(line.contains("waiting") && line.contains(path.to_str().unwrap()), "{line}");
        assert!(!second.is_finished());
        drop(first);
        let second = second.join().unwrap();
        assert!(second.get(&[2; 32]).is_some());
        // Whoever need not wait says nothing.
        drop(second);
        let (told, lines) = channel();
        Cache::open(&path, "v1", 3, &Listener(told)).unwrap();
        assert!(lines.try_recv().is_err());
    }

    #[test]
    fn another_backbone_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        for (version, width) in [("v2", 3), ("v1", 4)] {
            filled(&path);
            assert_eq!(numbers(&path, version, width), [0_u8; 0]);
        }
    }
}
