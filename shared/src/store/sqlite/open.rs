//! Opening the database file: where it may lie, what every connection is set
//! to, which schema it holds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::file_system::refuse_network;
use crate::store::StoreError;

/// The schema's history: a file at version n (`PRAGMA user_version`) has had
/// the first n. What was released is never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_jobs.sql"),
    include_str!("migrations/0002_callback_and_trace.sql"),
    include_str!("migrations/0003_webhooks.sql"),
    include_str!("migrations/0004_keys.sql"),
    include_str!("migrations/0005_limits.sql"),
    include_str!("migrations/0006_uploads.sql"),
    include_str!("migrations/0007_sender.sql"),
    include_str!("migrations/0008_cache.sql"),
];

/// Marks the file as ours (`PRAGMA application_id`): "aisl" in ASCII.
const APPLICATION_ID: i64 = 0x6169_736c;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const STATEMENTS_KEPT: usize = 128;

const EVERY_CONNECTION: &str = "
    PRAGMA synchronous = NORMAL;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA journal_size_limit = 67108864;
";

/// Sixteen mebibytes, so that a large job's pages do not spill in mid-step.
const WRITER_CACHE: &str = "PRAGMA cache_size = -16384;";

/// Opens the one connection that writes, after making the file and its
/// tables where they are absent.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(|error| cannot("make the folder", folder, &error))?;
    refuse_network(folder)?;
    // Turning the write-ahead log on and making tables want the file alone;
    // processes that start together take turns.
    let turn = take_turn(&beside(path, ".lock"))?;
    let mut db = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    db.execute_batch(WRITER_CACHE)?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Config(format!(
            "{} cannot keep a write-ahead log: its journal mode stays {mode}",
            path.display()
        )));
    }
    prepare_schema(&mut db, path)?;
    drop(turn);
    Ok(db)
}

/// Opens one more connection, which cannot write.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let db = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.execute_batch("PRAGMA query_only = ON;")?;
    Ok(db)
}

/// The path with a suffix after its whole file name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| cannot("open the database", path, &error))?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    db.execute_batch(EVERY_CONNECTION)?;
    // Plans do not depend on bound values, and so are made once: without
    // this, every statement with a bound LIMIT is planned anew at each use.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(db)
}

/// Waits until no other process opens the same file. The lock is a file of
/// its own: closing the database file outside SQLite would drop its locks.
fn take_turn(lock: &Path) -> Result<File, StoreError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(lock)
        .map_err(|error| cannot("open", lock, &error))?;
    file.lock().map_err(|error| cannot("lock", lock, &error))?;
    Ok(file)
}

/// Brings the tables to what this code reads and writes, each migration and
/// its number in one step.
fn prepare_schema(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let number = |db: &Connection, sql| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let version = number(db, "PRAGMA user_version")?;
    let ours = number(db, "PRAGMA application_id")? == APPLICATION_ID;
    let empty = version == 0 && number(db, "SELECT count(*) FROM sqlite_schema")? == 0;
    let shown = path.display();
    if !ours && !empty {
        return Err(StoreError::Config(format!("{shown} is another program's database")));
    }
    let known = MIGRATIONS.len();
    let done = usize::try_from(version).unwrap_or_default();
    if done > known {
        return Err(StoreError::Config(format!(
            "{shown} was written by a newer release (schema {version}, this one knows {known}): \
             upgrade, or name another file"
        )));
    }
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(done) {
        let step = db.transaction()?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", number)?;
        step.commit()?;
    }
    Ok(())
}

fn cannot(what: &str, path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Config(format!("cannot {what} {}: {error}", path.display()))
}
