//! Keeping ONNX Runtime from reporting to its makers.
//!
//! Since 1.29 its official builds send what they run, how often and on what
//! machine to Microsoft, from threads of their own, by a proxy if one is
//! named, and keep a device id in the home folder. The library's interface
//! turns this off only once the first message is under way; a process that
//! has `ORT_DISABLE_TELEMETRY=1` from its beginning sends nothing and keeps
//! nothing (microsoft/onnxruntime, pull request 27379). A running process
//! cannot safely give itself a variable, so it becomes this program anew.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";
const SILENT: &str = "1";

/// Returns in a process in which ONNX Runtime reports nothing: this one, or,
/// with the same id, arguments and open files, one that replaces it.
///
/// # Errors
/// When the program cannot be started anew.
pub(crate) fn of_onnx_runtime() -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "no setting of ours")]
    let set = std::env::var_os(VARIABLE);
    if set.is_some_and(|value| value == SILENT) {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut anew = Command::new(program());
    if let Some(name) = arguments.next() {
        anew.arg0(name);
    }
    let error = anew.args(arguments).env(VARIABLE, SILENT).exec();
    Err(error).context("the program could not be started anew without ONNX Runtime's reports")
}

/// This program's file, or what the kernel runs in its place when the file is
/// no longer there.
fn program() -> PathBuf {
    let file = std::env::current_exe().ok().filter(|file| file.exists());
    file.unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}
