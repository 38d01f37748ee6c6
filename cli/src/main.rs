//! The binary `aisle`: settings, wiring, sub-commands.

mod args;
mod commands;
mod decoder;
mod memory;
mod models;
mod ort_lib;
mod output;
mod secret_key;
mod settings;
mod silence;
mod stopping;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    memory::limit_arenas();
    let cli = args::Cli::parse();
    match commands::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failure(&error),
    }
}
