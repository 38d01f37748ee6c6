//! The command line.

mod deep;
mod train;

use std::path::PathBuf;
use std::time::Duration;

use aisle_shared::domain::{ModelName, Scopes, TenantId};
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{Span, SpanRelativeTo};

use crate::settings::SettingsArgs;

pub(crate) use deep::DeepArgs;
pub(crate) use train::{ChangeArgs, EvaluateArgs, TrainArgs, VerifyArgs};

/// Tells which category a product photograph belongs to.
#[derive(Debug, Parser)]
#[command(name = "aisle", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API and work on its jobs, in one process.
    Serve(SettingsArgs),
    /// Serve the API only; workers run elsewhere.
    Api(SettingsArgs),
    /// Work on jobs only; the API runs elsewhere.
    Worker(SettingsArgs),
    /// Classify image files here and now, without a server.
    Classify(ClassifyArgs),
    /// List the models in the models folder.
    Models(ModelsArgs),
    /// Find the fastest way to run each model here that agrees with the CPU.
    Tune(TuneArgs),
    /// Make a model for your own categories from a folder of photographs.
    Train(TrainArgs),
    /// Say how good a model is on photographs whose categories are known.
    Evaluate(EvaluateArgs),
    /// Prove that a model serves what it was trained to; exits 0 if so.
    Verify(VerifyArgs),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Print the API's OpenAPI document.
    Openapi,
    /// Ask a running aisle whether it is well; exits 0 if so.
    Health(HealthArgs),
    /// Close or open the intake: closed, no job is taken in by any process.
    Intake(IntakeArgs),
    /// Pause or resume the queue: paused, no image is handed to any worker.
    Queue(QueueArgs),
    /// Decode images for the worker that started this process.
    #[command(hide = true)]
    Decoder,
    /// Try ways to run a model for the process that started this one.
    #[command(hide = true)]
    Tuner,
}

/// What to do with the intake.
#[derive(Debug, Args)]
pub(crate) struct IntakeArgs {
    #[arg(value_enum)]
    pub(crate) wish: IntakeWish,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// The intake's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IntakeWish {
    /// Take no job in until opened again; jobs that are there go on.
    Close,
    /// Take jobs in.
    Open,
    /// Say whether it is open.
    Show,
}

/// What to do with the queue.
#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    #[arg(value_enum)]
    pub(crate) wish: QueueWish,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// The queue's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueueWish {
    /// Hand no image out until resumed; those being worked on are ended.
    Pause,
    /// Hand images out.
    Resume,
    /// Say whether it is paused.
    Show,
}

/// What to classify, and how to answer.
#[derive(Debug, Args)]
pub(crate) struct ClassifyArgs {
    /// Image files, and folders that are searched for JPEG, PNG, WebP and
    /// GIF files.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Model to use; without it, the default model, or the only one.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,

    /// Categories to tell for each image.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) top_k: u16,

    /// Share of right answers to decide at whether a human has to look: one
    /// that the model offers. Without it, the model's lowest.
    #[arg(long, value_name = "SHARE")]
    pub(crate) accept_precision: Option<f64>,

    /// Print one JSON object a line for each image.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// How to list models.
#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// Print one JSON array.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// What to tune.
#[derive(Debug, Args)]
pub(crate) struct TuneArgs {
    /// Models to tune; without any, all in the models folder.
    #[arg(value_name = "MODEL")]
    pub(crate) wanted: Vec<ModelName>,

    /// Print one JSON array.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// What can be done with API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and print it: the only time that it is shown.
    Create(CreateKeyArgs),
    /// List the keys, never their secrets.
    List(ListKeysArgs),
    /// End a key for good; it stops working within three seconds.
    Revoke(RevokeKeyArgs),
    /// Forget keys that were revoked or expired some time ago.
    Purge(PurgeKeysArgs),
}

/// What a key is to be like.
#[derive(Debug, Args)]
pub(crate) struct CreateKeyArgs {
    /// What people call it, such as "importer of the Berlin shop".
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: String,

    /// Whose jobs it opens. Tenants cannot see each other's.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) tenant: TenantId,

    /// What it may be used for: jobs:write, jobs:read, jobs:cancel,
    /// webhooks:manage and admin, with commas between.
    #[arg(long, value_name = "SCOPES", default_value = "jobs:write,jobs:read,jobs:cancel")]
    pub(crate) scopes: Scopes,

    /// How long it works, such as 90d, 2w or 12h; without it, until it is
    /// revoked.
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) expires: Option<Duration>,

    /// The tenant's share of the workers beside other tenants, 1 to 100.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) weight: u32,

    /// Requests a minute; without it, what the service allows any key.
    #[arg(long, value_name = "NUMBER")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: Option<u32>,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// How to list keys.
#[derive(Debug, Args)]
pub(crate) struct ListKeysArgs {
    /// Print one JSON array.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// Which key to revoke.
#[derive(Debug, Args)]
pub(crate) struct RevokeKeyArgs {
    /// The key's id: the eight characters after `aisle_`.
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// Which keys to forget.
#[derive(Debug, Args)]
pub(crate) struct PurgeKeysArgs {
    /// How long ago they must have been revoked or expired, such as 30d, 2w or
    /// 12h.
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) ended_before: Duration,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// A time span in units that have one length.
fn lifetime(text: &str) -> Result<Duration, String> {
    let rule = || "must be a time span, such as 90d, 2w or 12h".to_owned();
    let span: Span = text.parse().map_err(|_| rule())?;
    let exact = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| rule())?;
    let exact = Duration::try_from(exact).map_err(|_| rule())?;
    if exact.is_zero() { Err(rule()) } else { Ok(exact) }
}

/// Whom to ask.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Address of a health check, such as http://127.0.0.1:9090/health/ready.
    /// Without it, that of the API which runs here under the same settings.
    pub(crate) url: Option<String>,

    /// Certificates to trust, in PEM format: that of the server, whatever its
    /// name, or those of authorities. Without it, the one that the settings
    /// name, else the public authorities.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn no_sub_command_contradicts_itself() {
        Cli::command().debug_assert();
    }
}
