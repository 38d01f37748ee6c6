//! The binary `aisle`: settings, wiring, sub-commands.

mod args;
mod commands;
mod decoder;
mod environment;
mod models;
mod ort_lib;
mod output;
mod progress;
mod secret_key;
mod settings;
mod stopping;
mod tuning;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    match commands::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failure(&error),
    }
}
