//! The embedded store: one SQLite file, shared by the processes of one host.
//!
//! One thread a process writes, in groups that share a commit, one waits for the
//! disk, and others read beside them. What must not happen here: an answer before the
//! disk has what it says, a step that keeps half of what it wrote, a database on a
//! network file system.

mod admission;
mod api_keys;
mod batch;
mod cache;
mod cancel;
mod claim;
mod disk;
mod ending;
mod error;
mod file_system;
mod hold;
mod intake;
mod lane;
mod limits;
mod liveness;
mod lookup;
mod models;
mod open;
mod options;
mod overview;
mod pulse;
mod readers;
mod reap;
mod removal;
mod step;
mod store;
mod syncer;
mod time;
mod uploads;
mod values;
mod webhooks;
mod writer;

pub use options::SqliteOptions;
pub use store::SqliteStore;
