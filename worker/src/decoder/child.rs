//! A child process: one socket, one image after the other, nothing else.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;

use aisle_shared::domain::ItemError;

use super::confine::{Confined, confine};
use super::wire::{Answer, Ask, Hello, receive, send};
use super::{Framed, frame_here};

/// Characters of an error's detail at most.
const MAX_DETAIL: usize = 200;

/// Runs as a decoder until the parent goes away: confines this process for
/// good, then answers what comes in over the socket that is its standard
/// input. Call it before anything else, on the first thread.
///
/// # Errors
/// When the socket fails or speaks another language, or this process cannot
/// confine itself.
pub fn run() -> io::Result<()> {
    // What a panic says helps nobody here: its image is told by its code.
    std::panic::set_hook(Box::new(|_| {}));
    let mut socket = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let confined = match confine() {
        Ok(confined) => confined,
        Err(error) => {
            send(&mut socket, &Hello::Unfit(error.to_string()), &[])?;
            return Err(error);
        }
    };
    send(&mut socket, &Hello::Ready { lacking: confined.lacking.clone() }, &[])?;
    loop {
        match receive(&mut socket) {
            Ok(ask) => answer(&mut socket, &ask, &confined)?,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn answer(socket: &mut File, ask: &Ask, confined: &Confined) -> io::Result<()> {
    confined.allow(ask.memory)?;
    let mut bytes = vec![0; ask.bytes];
    socket.read_exact(&mut bytes)?;
    match frame_here(&bytes, &ask.limits, &ask.framing) {
        Ok(Framed { pixels, info, decoding: _, resizing }) => {
            let resizing_us = u32::try_from(resizing.as_micros()).unwrap_or(u32::MAX);
            let head = Answer::Framed { width: info.width, height: info.height, resizing_us };
            send(socket, &head, &pixels)
        }
        Err(ItemError { code, detail }) => {
            let detail = detail.chars().take(MAX_DETAIL).collect();
            send(socket, &Answer::Failed(ItemError { code, detail }), &[])
        }
    }
}
