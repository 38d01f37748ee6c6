//! Counts how often a client waits for a server: what passes between them
//! passes through here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Stands before a server until the test ends.
pub(super) struct Turns {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
}

impl Turns {
    pub(super) fn before(server: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = UnixStream::connect(&server).unwrap();
                let answered = Arc::new(AtomicBool::new(true));
                let (asked, counted) = (Arc::clone(&answered), Arc::clone(&counted));
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    pass(from, to, || {
                        let turn = asked.swap(false, Ordering::SeqCst);
                        counted.fetch_add(usize::from(turn), Ordering::SeqCst);
                    });
                });
                thread::spawn(move || {
                    pass(server, client, || answered.store(true, Ordering::SeqCst));
                });
            }
        });
        Self { address, taken }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// How often the client has spoken after the server had, or first.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

fn pass(mut from: impl Read, mut to: impl Write, note: impl Fn()) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        note();
        if to.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
}
