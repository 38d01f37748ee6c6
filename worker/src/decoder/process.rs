//! One child process as its parent sees it.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Program;
use super::wire::{self, Answer, Ask, Hello};

/// How long a child may take until it is ready.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// The longest single wait for a child.
const SLICE: Duration = Duration::from_millis(100);

/// The C library's malloc asks the kernel for large pages where it would map many
/// small ones (mallopt(3), `glibc.malloc.hugetlb`): a photograph of 12 million
/// pixels takes some 50 MiB, and touching each 4 KiB of it for the first time
/// was more than a quarter of its time. Other C libraries do not know the variable.
const LARGE_PAGES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");

/// Why a child could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program cannot be run.
    #[error("the decoder {program} cannot be started: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It runs, but did not say that it is ready.
    #[error("a decoder did not become ready: {0}")]
    NotReady(String),
}

/// How a question went unanswered.
#[derive(Debug)]
pub(super) enum Broken {
    /// The deadline is over.
    Late,
    /// The child is gone, or answers what no decoder would: why.
    Gone(String),
}

/// A child process, ended when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    socket: UnixStream,
    /// Images that it was asked about.
    pub(super) images: u32,
    /// What its kernel could not give it.
    pub(super) lacking: Vec<String>,
}

impl Process {
    /// Starts a child and waits until it is ready.
    pub(super) fn start(program: &Program) -> Result<Self, StartError> {
        let spawn =
            |source| StartError::Spawn { program: program.path.display().to_string(), source };
        let (socket, theirs) = UnixStream::pair().map_err(spawn)?;
        let child = Command::new(&program.path)
            .arg0("aisle")
            .args(&program.arguments)
            .env_clear()
            .env(LARGE_PAGES.0, LARGE_PAGES.1)
            .current_dir("/")
            // What a terminal sends to stop the worker is not for its children.
            .process_group(0)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(spawn)?;
        let mut process = Self { child, socket, images: 0, lacking: Vec::new() };
        let not_ready = |why: &str| StartError::NotReady(why.to_owned());
        let hello = wire::receive(&mut process.within(START_DEADLINE));
        match hello.map_err(|error| process.broken(&error)) {
            Ok(Hello::Ready { lacking }) => process.lacking = lacking,
            Ok(Hello::Unfit(why)) | Err(Broken::Gone(why)) => return Err(not_ready(&why)),
            Err(Broken::Late) => return Err(not_ready("it said nothing")),
        }
        Ok(process)
    }

    /// Whether it still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks about an image; the answer's pixels are as many as `pixels`.
    pub(super) fn ask(
        &mut self,
        ask: &Ask,
        bytes: &[u8],
        pixels: usize,
        timeout: Duration,
    ) -> Result<(Answer, Vec<u8>), Broken> {
        self.images += 1;
        let exchange = exchange(&mut self.within(timeout), ask, bytes, pixels);
        exchange.map_err(|error| self.broken(&error))
    }

    /// The socket with so much time for all that is read and written.
    const fn within(&self, timeout: Duration) -> Within<'_> {
        Within { socket: &self.socket, left: Allowance(timeout) }
    }

    /// What an error on the socket means.
    fn broken(&mut self, error: &io::Error) -> Broken {
        if is_late(error) {
            return Broken::Late;
        }
        // It closed the socket or broke the rules: either way it is over.
        let _ = self.child.kill();
        let status = self.child.wait().map_or_else(|e| e.to_string(), |s| s.to_string());
        Broken::Gone(format!("{status}; {error}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exchange(
    socket: &mut Within<'_>,
    ask: &Ask,
    bytes: &[u8],
    pixels: usize,
) -> io::Result<(Answer, Vec<u8>)> {
    wire::send(socket, ask, bytes)?;
    let answer = wire::receive(socket)?;
    let mut body = Vec::new();
    if let Answer::Framed { .. } = answer {
        body.resize(pixels, 0);
        socket.read_exact(&mut body)?;
    }
    Ok((answer, body))
}

/// The time that a child has left. It is spent in slices, and a slice costs
/// twice its length at most: where a wait took far longer than it was to, this
/// process was stopped, and what the child made of that time nobody heard.
#[derive(Debug)]
struct Allowance(Duration);

impl Allowance {
    /// How long to wait now; `None` when there is no time left.
    fn slice(&self) -> Option<Duration> {
        Some(self.0.min(SLICE)).filter(|slice| !slice.is_zero())
    }

    fn spend(&mut self, slice: Duration, took: Duration) {
        self.0 = self.0.saturating_sub(took.min(2 * slice));
    }
}

/// A socket with so much time for all that is read and written.
#[derive(Debug)]
struct Within<'a> {
    socket: &'a UnixStream,
    left: Allowance,
}

impl Within<'_> {
    /// Repeats a step, which waits as long as it is told, until it is done or
    /// the time is over.
    fn step(
        &mut self,
        mut act: impl FnMut(&UnixStream, Duration) -> io::Result<usize>,
    ) -> io::Result<usize> {
        while let Some(slice) = self.left.slice() {
            let start = Instant::now();
            let done = act(self.socket, slice);
            self.left.spend(slice, start.elapsed());
            match done {
                Err(error) if is_late(&error) => {}
                done => return done,
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl Read for Within<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.step(|mut socket, slice| {
            socket.set_read_timeout(Some(slice))?;
            socket.read(buffer)
        })
    }
}

impl Write for Within<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.step(|mut socket, slice| {
            socket.set_write_timeout(Some(slice))?;
            socket.write(bytes)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_says_nothing_uses_its_time_up() {
        let mut left = Allowance(Duration::from_secs(5));
        let mut waits = 0;
        while let Some(slice) = left.slice() {
            left.spend(slice, slice);
            waits += 1;
        }
        assert_eq!(waits, 50);
    }

    #[test]
    fn time_in_which_the_worker_itself_was_stopped_is_not_the_childs() {
        let mut left = Allowance(Duration::from_secs(5));
        let slice = left.slice().unwrap();
        left.spend(slice, Duration::from_secs(15));
        assert_eq!(left.0, Duration::from_secs(5) - 2 * SLICE);
    }
}
