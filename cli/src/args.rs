//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::SettingsArgs;

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
    /// Print the API's OpenAPI document.
    Openapi,
    /// Ask a running aisle whether it is well; exits 0 if so.
    Health(HealthArgs),
    /// Decode images for the worker that started this process.
    #[command(hide = true)]
    Decoder,
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

/// Whom to ask.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Address of a health check, such as http://127.0.0.1:8080/health/ready.
    pub(crate) url: String,
}
