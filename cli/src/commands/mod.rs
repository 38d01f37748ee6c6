//! The sub-commands, one module each.

mod classify;
mod evaluate;
mod health;
mod keys;
mod models;
mod openapi;
mod serve;
mod switch;
mod train;
mod tune;
mod verify;

use anyhow::Context;

use crate::args::Command;
use crate::environment;

/// Threads that carry requests, store traffic and downloads. Images have
/// threads of their own, so that answers stay quick while networks run.
const ASYNC_THREADS: usize = 2;

/// Does what was asked.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    if matches!(
        command,
        Command::Serve(_)
            | Command::Api(_)
            | Command::Worker(_)
            | Command::Classify(_)
            | Command::Tuner
            | Command::Train(_)
            | Command::Evaluate(_)
            | Command::Verify(_)
    ) {
        environment::settle()?;
    }
    match command {
        Command::Serve(args) => wait_for(serve::serve(args)),
        Command::Api(args) => wait_for(serve::api(args)),
        Command::Worker(args) => wait_for(serve::worker(args)),
        Command::Classify(args) => classify::run(args),
        Command::Models(args) => models::run(args),
        Command::Tune(args) => tune::run(args),
        Command::Train(args) => train::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Keys(command) => wait_for(keys::run(command)),
        Command::Openapi => openapi::run(),
        Command::Health(args) => wait_for(health::run(args)),
        Command::Intake(args) => wait_for(switch::intake(args)),
        Command::Queue(args) => wait_for(switch::queue(args)),
        Command::Tuner => aisle_worker::tune::run_child().context("the tuner"),
        Command::Decoder => aisle_worker::decoder::run_child().context("the decoder"),
    }
}

fn wait_for(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(ASYNC_THREADS).enable_all().build();
    runtime.context("the async runtime")?.block_on(work)
}
