//! The arguments of learning in the network itself.

use std::path::PathBuf;

use aisle_train::road::tuning::{Augment, Rules, Schedule};
use clap::{ArgGroup, Args, ValueEnum};

use super::ChangeArgs;

/// How to learn in the network itself.
#[derive(Debug, Args)]
#[command(next_help_heading = "Learning in the network itself")]
#[command(group = ArgGroup::new("deep").args(["fine_tune", "from_scratch"]))]
pub(crate) struct DeepArgs {
    /// Learn on in the backbone, from what it knows: better than a head alone,
    /// and much longer. A training that was stopped goes on where it was when
    /// the same command is given again.
    #[arg(long)]
    pub(crate) fine_tune: bool,

    /// Learn in a compact network that begins with random weights, for shops
    /// with many photographs.
    #[arg(long, conflicts_with_all = ["backbone", "wide"])]
    pub(crate) from_scratch: bool,

    /// Pixels that a side of a compact network sees: 64 to 224 in steps of 32.
    /// Without it, 96.
    #[arg(long, value_name = "PIXELS", requires = "from_scratch")]
    pub(crate) size: Option<u32>,

    /// The last layers that learn besides the head, or all. Without it, 12;
    /// from scratch, all.
    #[arg(long, value_name = "NUMBER", requires = "fine_tune")]
    pub(crate) layers: Option<Layers>,

    /// How often all photographs are learned from at most. Without it, 20; from
    /// scratch, 60.
    #[arg(long, value_name = "NUMBER", requires = "deep")]
    pub(crate) epochs: Option<usize>,

    /// Photographs in a step. Without it, 32.
    #[arg(long, value_name = "NUMBER", requires = "deep")]
    pub(crate) batch: Option<usize>,

    /// The largest learning rate. Without it, 0.0003; from scratch, 0.002.
    #[arg(long, value_name = "NUMBER", requires = "deep")]
    pub(crate) learning_rate: Option<f64>,

    /// How the learning rate falls after it has risen. Without it, cosine.
    #[arg(long, value_enum, value_name = "NAME", requires = "deep")]
    pub(crate) schedule: Option<ScheduleArg>,

    /// Epochs without improvement after which learning ends. Without it, 6;
    /// from scratch, 12.
    #[arg(long, value_name = "NUMBER", requires = "deep")]
    pub(crate) patience: Option<usize>,

    /// How strongly two photographs are mixed: 0 not at all, 1 evenly. Without
    /// it, 0.2.
    #[arg(long, value_name = "NUMBER", requires = "deep")]
    pub(crate) mix_up: Option<f64>,

    /// Lay so many of the products that stand on white into other scenes, so
    /// that the network learns to do without the white: 0 none, 1 all.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, requires = "deep")]
    pub(crate) clutter: f64,

    /// Model folder whose answers are learned from besides the labels: a good,
    /// slow model makes a small one better.
    #[arg(long, value_name = "FOLDER", requires = "deep")]
    pub(crate) teacher: Option<PathBuf>,

    /// Learn on the first NVIDIA GPU.
    #[arg(long, requires = "deep")]
    pub(crate) gpu: bool,

    /// Forget a training of this model that was stopped.
    #[arg(long, requires = "deep")]
    pub(crate) restart: bool,
}

/// Which layers learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layers {
    /// So many of the last.
    Last(usize),
    /// All.
    All,
}

impl std::str::FromStr for Layers {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            number => match number.parse() {
                Ok(last) if last > 0 => Ok(Self::Last(last)),
                Ok(_) | Err(_) => Err("a number above 0, or all"),
            },
        }
    }
}

/// How the learning rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScheduleArg {
    /// Along half a cosine, to nothing at the last epoch.
    Cosine,
    /// To a third whenever two epochs bring no improvement.
    Plateau,
}

impl DeepArgs {
    /// Whether the network itself learns.
    pub(crate) const fn is_wanted(&self) -> bool {
        self.fine_tune || self.from_scratch
    }

    /// The same as rules.
    pub(crate) fn rules(&self, change: &ChangeArgs, seed: u64, balance: f64) -> Rules {
        let usual = if self.from_scratch { Rules::from_scratch() } else { Rules::default() };
        Rules {
            layers: match self.layers {
                Some(Layers::Last(last)) => Some(last),
                Some(Layers::All) => None,
                None => usual.layers,
            },
            epochs: self.epochs.unwrap_or(usual.epochs),
            batch: self.batch.unwrap_or(usual.batch),
            learning_rate: self.learning_rate.unwrap_or(usual.learning_rate),
            schedule: match self.schedule {
                Some(ScheduleArg::Cosine) => Schedule::Cosine,
                Some(ScheduleArg::Plateau) => Schedule::Plateau,
                None => usual.schedule,
            },
            patience: self.patience.unwrap_or(usual.patience),
            augment: Augment {
                clutter: self.clutter,
                ..usual.augment.scaled(change.augment.unwrap_or(1.0))
            },
            mix_up: self.mix_up.unwrap_or(usual.mix_up),
            views: change.views.unwrap_or(usual.views),
            balance,
            seed,
            ..usual
        }
    }
}
