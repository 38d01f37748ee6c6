//! Variables that libraries read when a process begins, and so not from a
//! setting of ours: a running process cannot safely give itself a variable, so
//! it becomes this program anew.
//!
//! `ORT_DISABLE_TELEMETRY`: since 1.29 ONNX Runtime's official builds send
//! what they run, how often and on what machine to Microsoft, from threads of
//! their own, by a proxy if one is named, and keep a device id in the home
//! folder. The library's interface turns this off only once the first message
//! is under way; with the variable nothing is sent and nothing kept
//! (microsoft/onnxruntime, pull request 27379).
//!
//! `MALLOC_ARENA_MAX`: the GNU C library keeps up to eight arenas for each
//! processor, and a thread takes whichever is free. What one thread frees is
//! then not what the next one gets, so a process of many short-lived threads
//! held three times the memory that it used, and slowly more (mallopt(3)).

use std::num::NonZero;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

const TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Returns in a process in which ONNX Runtime reports nothing and the C
/// library keeps an arena for each processor, unless it was told otherwise:
/// this process, or, with the same id, arguments and open files, one that
/// replaces it.
///
/// # Errors
/// When the program cannot be started anew.
pub(crate) fn settle() -> anyhow::Result<()> {
    let silent = variable(TELEMETRY).is_some_and(|value| value == "1");
    if silent && variable(ARENAS).is_some() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut anew = Command::new(program());
    if let Some(name) = arguments.next() {
        anew.arg0(name);
    }
    anew.args(arguments).env(TELEMETRY, "1");
    if variable(ARENAS).is_none() {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        anew.env(ARENAS, processors.max(2).to_string());
    }
    Err(anew.exec()).context("the program could not be started anew with its variables")
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    #[expect(clippy::disallowed_methods, reason = "no setting of ours")]
    std::env::var_os(name)
}

/// This program's file, or what the kernel runs in its place when the file is
/// no longer there.
fn program() -> PathBuf {
    let file = std::env::current_exe().ok().filter(|file| file.exists());
    file.unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}
