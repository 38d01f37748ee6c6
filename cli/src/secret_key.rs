//! The file with the keys that seal secrets.
//!
//! What must never happen: two processes that each make a key of their own, a
//! key that others on the host can read.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use aisle_shared::webhook::MasterKey;
use anyhow::Context;
use tempfile::NamedTempFile;

/// The keys in a file.
///
/// # Errors
/// When it cannot be read, or holds something else.
pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<MasterKey>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    MasterKey::parse_list(text.trim_end()).with_context(|| file.display().to_string())
}

/// The same, after making a file that is not there, with one key in it.
///
/// # Errors
/// When it cannot be read or made.
pub(crate) fn read_or_make(file: &Path) -> anyhow::Result<Vec<MasterKey>> {
    if !file.exists() {
        make(file).with_context(|| format!("{} cannot be made", file.display()))?;
    }
    read(file)
}

/// Writes a key beside the file, for its owner only, and gives it the file's
/// name unless another process was first.
fn make(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut draft = NamedTempFile::new_in(folder)?;
    writeln!(draft, "{}", *MasterKey::generate().reveal())?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(file) {
        Ok(_) => fs::File::open(folder)?.sync_all(),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/secret.key");
        let keys = read_or_make(&file).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_or_make(&file).unwrap(), keys);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn processes_that_start_together_have_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.key");
        let start = || {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            make(&file).unwrap();
                            read(&file).unwrap()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            })
        };
        let keys = start();
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_file_that_holds_no_key_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.key");
        fs::write(&file, "hunter2\n").unwrap();
        let error = format!("{:#}", read_or_make(&file).unwrap_err());
        assert!(error.contains("secret.key") && !error.contains("hunter2"), "{error}");
    }
}
