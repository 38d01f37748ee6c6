//! When an acknowledged job is out of Redis' own memory.
//!
//! With `appendfsync everysec` Redis answers before it has written when a sync
//! of the disk is under way: it puts the writing off, for two seconds at most
//! (`flushAppendOnlyFile` in its `aof.c`), and a process that is killed
//! meanwhile takes along what it answered for. So the script that takes a job
//! in also tells whether a sync is under way (`put_off` in
//! `scripts/parts/intake.lua`), and then Redis is asked until it has written.
//! That is seldom so; else a job costs one round trip.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::StoreError;
use super::keys::Shard;
use super::server::Server;

/// Between two questions while a sync is under way.
const PAUSE: Duration = Duration::from_millis(2);

/// How long to ask: longer than Redis puts its writing off.
const PATIENCE: Duration = Duration::from_secs(3);

/// Returns once the kernel has all that the shard's server answered for before
/// this call.
/// Against the loss of power only `appendfsync always` helps.
///
/// # Errors
/// When Redis does not say so in time. The job may have been written all the
/// same; repeating its submission replays it.
pub(super) async fn written(server: &Server, shard: Shard) -> Result<(), StoreError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut ask = server.step(&server.scripts().info, shard);
        ask.arg("persistence");
        let info: String = server.run(&ask).await?;
        if is_written(&info) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(StoreError::unavailable("Redis does not write what it is told"));
        }
        sleep(PAUSE).await;
    }
}

/// Nothing is put off when nothing waits to be written, or when no sync is
/// under way: then Redis writes before it sends this very answer. A server
/// without an append-only file has nothing to wait for, nor has one that does
/// not tell.
fn is_written(info: &str) -> bool {
    let says = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.is_none_or(|value| value.trim() == "0")
    };
    says("aof_enabled") || says("aof_buffer_length") || says("aof_pending_bio_fsync")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(enabled: u32, waiting: u32, syncs: u32) -> String {
        format!(
            "# Persistence\r\naof_enabled:{enabled}\r\naof_buffer_length:{waiting}\r\n\
             aof_pending_bio_fsync:{syncs}\r\n"
        )
    }

    #[test]
    fn what_waits_for_a_sync_is_not_written() {
        assert!(!is_written(&info(1, 512, 1)));
    }

    #[test]
    fn what_waits_for_nothing_is_written_with_this_answer() {
        assert!(is_written(&info(1, 512, 0)));
        assert!(is_written(&info(1, 0, 1)));
    }

    #[test]
    fn a_server_without_an_append_only_file_has_nothing_to_wait_for() {
        assert!(is_written(&info(0, 512, 1)));
        assert!(is_written("# Persistence\r\nloading:0\r\n"));
    }
}
