//! What Redis itself takes: the writes that a service made, as they stand in
//! its append-only file, sent to another server in one pipeline.
//!
//! The file is a list of commands in Redis' own protocol (RESP), what a script
//! did written out as the commands that it amounted to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::places::files_below;
use crate::redis_server::RedisServer;

/// How long the server may take to answer all.
const PATIENCE: Duration = Duration::from_secs(120);

/// Every write that a server has been given since it started.
///
/// # Errors
/// When there is no such file, or it was begun anew on the way.
pub async fn writes_of(server: &RedisServer) -> anyhow::Result<Vec<u8>> {
    let mut connection = server.connect().await?;
    let (_, folder): (String, String) =
        redis::cmd("CONFIG").arg("GET").arg("dir").query_async(&mut connection).await?;
    let files = files_below(&PathBuf::from(folder).join("appendonlydir"));
    let name = |path: &PathBuf| path.to_string_lossy().ends_with(".1.incr.aof");
    let file = files.into_iter().find(name).context("no first append-only file")?;
    Ok(std::fs::read(file)?)
}

/// Sends writes to a server and answers how long they took, the last reply
/// included.
///
/// # Errors
/// When the connection breaks.
pub fn replay(writes: &[u8], to: SocketAddr) -> anyhow::Result<Duration> {
    // The last command, whose reply can be no other's.
    let nonce = format!("{:032x}", rand::random::<u128>());
    let last = format!("*2\r\n$4\r\nECHO\r\n$32\r\n{nonce}\r\n");
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut sender = stream.try_clone()?;
    let started = Instant::now();
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            sender.write_all(writes)?;
            sender.write_all(last.as_bytes())
        });
        let mut end: Vec<u8> = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        while !end.windows(nonce.len()).any(|window| window == nonce.as_bytes()) {
            let read = stream.read(&mut buffer)?;
            ensure!(read > 0, "the server hung up");
            let keep = end.len().saturating_sub(nonce.len());
            end.drain(..keep);
            end.extend_from_slice(&buffer[..read]);
        }
        let took = started.elapsed();
        sending.join().map_err(|_| anyhow::anyhow!("the sender failed"))??;
        Ok(took)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_one_server_was_told_another_knows_after_the_replay() {
        let [first, second] =
            [RedisServer::start().await.unwrap(), RedisServer::start().await.unwrap()];
        let mut connection = first.connect().await.unwrap();
        for number in 0..1_000 {
            let value = vec![b'x'; 1_000];
            let mut set = redis::cmd("SET");
            set.arg(number).arg(value).exec_async(&mut connection).await.unwrap();
        }
        let writes = writes_of(&first).await.unwrap();
        assert!(writes.len() > 1_000_000);
        let address = second.address();
        tokio::task::spawn_blocking(move || replay(&writes, address)).await.unwrap().unwrap();
        let mut connection = second.connect().await.unwrap();
        let keys: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap();
        assert_eq!(keys, 1_000);
    }
}
