//! The arguments of training and of judging. They have their own `--data`, so
//! of the settings only those are taken that say how networks run.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use aisle_train::dataset::Part;
use aisle_train::features::Views;
use aisle_train::road::tuning::Augment;
use clap::{ArgGroup, Args, ValueEnum};

use super::DeepArgs;
use crate::settings::{Given, GivenParser, Layer, SettingsArgs};

/// What to learn from, and what to make of it.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("changing").args(["views", "fine_tune", "from_scratch"]).multiple(true))]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// Model folder to write. Its name is the model's.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,

    /// Model folder whose network is learned from. May be given more than
    /// once: what all of them see is put together.
    #[arg(long, required_unless_present = "from_scratch", value_name = "FOLDER")]
    pub(crate) backbone: Vec<PathBuf>,

    /// See the whole shorter side of each photograph, here and when the model
    /// serves, where the networks would cut the centre out.
    #[arg(long)]
    pub(crate) wide: bool,

    /// Look at each photograph mirrored too, here and when the model serves:
    /// better, and half as fast.
    #[arg(long)]
    pub(crate) mirror: bool,

    /// Replace the model folder if it is there.
    #[arg(long)]
    pub(crate) replace: bool,

    /// Two runs with the same number split the photographs alike.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,

    /// Share of each category that settings are chosen on.
    #[arg(long, value_name = "SHARE", default_value_t = 0.15)]
    pub(crate) validation: f64,

    /// Share of each category that only tests.
    #[arg(long, value_name = "SHARE", default_value_t = 0.15)]
    pub(crate) test: f64,

    /// Leave out categories with fewer photographs.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub(crate) min_count: usize,

    /// How much small categories are lifted: 0 counts every photograph alike,
    /// 1 every category.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.5)]
    pub(crate) balance: f64,

    /// Put a hidden layer of so many units before the last, on frozen networks: better
    /// where there are many photographs. A few hundred are good.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) hidden: Option<NonZeroUsize>,

    #[command(flatten)]
    pub(crate) change: ChangeArgs,

    /// Folder for event files, by which TensorBoard shows how learning goes.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) tensorboard: Option<PathBuf>,

    /// Folder in which features are kept for the next time. Without it,
    /// .aisle-cache beside the model folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) cache: Option<PathBuf>,

    /// Keep no features.
    #[arg(long, conflicts_with = "cache")]
    pub(crate) no_cache: bool,

    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) deep: DeepArgs,

    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

/// How photographs are changed before they are learned from. Those that judge
/// never are.
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Changed views of each photograph that are learned from too: cut, turned,
    /// mirrored, coloured, darker, blurred, with grain, partly hidden. None
    /// unless a number is given; with --fine-tune, 6 are kept on disk while the
    /// last layers learn.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) views: Option<usize>,

    /// How strongly photographs are changed: 0 not at all, 1 as usual.
    #[arg(long, value_name = "NUMBER", requires = "changing")]
    pub(crate) augment: Option<f64>,
}

/// What to judge, and by what.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// Model folder to judge.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,

    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// Judge by this part only, where the data says parts.
    #[arg(long, value_enum, value_name = "PART")]
    pub(crate) part: Option<PartArg>,

    /// Judge so many of the photographs again, blurred, noisy, dark, turned,
    /// squeezed, half hidden and beside other products. 500 where no number is
    /// given.
    #[arg(long, value_name = "PHOTOGRAPHS", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "500")]
    pub(crate) robustness: Option<usize>,

    /// HTML file to write the report to, with pictures and plots.
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) machine: MachineArgs,

    /// What the provider calculates in, as for serving.
    #[arg(long, env = "AISLE_PRECISION", value_name = "NAME", value_parser = GivenParser)]
    #[arg(help_heading = "Settings")]
    pub(crate) precision: Option<Given>,

    /// Folder for the service's files, where `aisle tune` remembers how models
    /// run best: --data of the service.
    #[arg(long, env = "AISLE_DATA", value_name = "FOLDER", value_parser = GivenParser)]
    #[arg(help_heading = "Settings")]
    pub(crate) tuned_in: Option<Given>,

    /// Images that share one run of the network at most, as for serving.
    #[arg(long, env = "AISLE_MAX_BATCH", value_name = "NUMBER", value_parser = GivenParser)]
    #[arg(help_heading = "Settings", hide_short_help = true)]
    pub(crate) max_batch: Option<Given>,
}

/// What to verify.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Model folder to verify, made here or elsewhere.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,

    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where and how it is to serve.
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// Where photographs with their categories are.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// Folder of category folders, nested ones being category paths; or a .csv
    /// or .jsonl file with a column of images and one of categories. Folders
    /// called train, validation and test, or a column split, are taken as the
    /// split.
    #[arg(long = "data", value_name = "PATH")]
    pub(crate) path: PathBuf,

    /// Folder or .tar file that the image names of a table refer to; without
    /// it, the table's folder.
    #[arg(long, value_name = "PATH")]
    pub(crate) images: Option<PathBuf>,

    /// Column of image names; without it, image, file, path or filename.
    #[arg(long, value_name = "NAME")]
    pub(crate) image_column: Option<String>,

    /// Column of categories; without it, category, label or class. More with
    /// commas between them make a path, outermost first.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) category_column: Vec<String>,
}

/// A part of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PartArg {
    /// What was learned from.
    Train,
    /// What settings were chosen on.
    Validation,
    /// What only tests.
    Test,
}

/// How networks run, as in serving.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct MachineArgs {
    /// Settings file in TOML; without it, aisle.toml of the working folder
    /// if there is one.
    #[arg(long, env = "AISLE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// The ONNX Runtime library, as for serving.
    #[arg(long, env = "AISLE_ORT_LIB", value_name = "FILE", value_parser = GivenParser)]
    ort_lib: Option<Given>,

    /// Where networks run, as for serving. With `auto`, a model is judged as
    /// `aisle tune` has arranged it, and learned on the CPU.
    #[arg(long, env = "AISLE_PROVIDER", value_name = "NAME", value_parser = GivenParser)]
    provider: Option<Given>,

    /// Threads, 1 to 1024. Without it, as many as the processors that this
    /// process may use.
    #[arg(long, env = "AISLE_THREADS", value_name = "NUMBER", value_parser = GivenParser)]
    threads: Option<Given>,
}

impl MachineArgs {
    /// The same as settings.
    pub(crate) fn settings(self) -> SettingsArgs {
        let Self { config, ort_lib, provider, threads } = self;
        let layer = Layer { ort_lib, provider, threads, ..Layer::default() };
        SettingsArgs { config, layer, ..SettingsArgs::default() }
    }
}

impl ChangeArgs {
    /// The views that a head on frozen networks learns from.
    pub(crate) fn views(&self, seed: u64) -> Option<Views> {
        let number = self.views.filter(|number| *number > 0)?;
        let augment = Augment::BEARING.scaled(self.augment.unwrap_or(1.0));
        Some(Views { number, augment, seed })
    }
}

impl DataArgs {
    /// The data set.
    pub(crate) fn source(self) -> aisle_train::dataset::Source {
        aisle_train::dataset::Source {
            path: self.path,
            images: self.images,
            image_column: self.image_column,
            category_columns: self.category_column,
        }
    }
}

impl From<PartArg> for Part {
    fn from(part: PartArg) -> Self {
        match part {
            PartArg::Train => Self::Train,
            PartArg::Validation => Self::Validation,
            PartArg::Test => Self::Test,
        }
    }
}
