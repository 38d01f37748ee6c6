//! `aisle train`: a model for a shop's own categories.

use std::path::Path;

use aisle_shared::image_probe::ImageLimits;
use aisle_train::road::tuning::Rules;
use aisle_train::{Machine, TrainSettings, Trained, head, split};
use aisle_worker::{Plan, Precision, Provider, ProviderChoice, SessionSettings};

use crate::args::{DeepArgs, TrainArgs};
use crate::output;
use crate::progress::Bars;
use crate::settings::Settings;

/// Where features are kept beside a model folder. Hidden, so that no worker
/// takes it for a model.
const CACHE: &str = ".aisle-cache";

/// Trains, and prints the report.
pub(crate) fn run(args: TrainArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.machine.settings())?;
    let beside = || args.out.parent().unwrap_or(Path::new("")).join(CACHE);
    let mut machine = settings.machine()?;
    // Features are kept with no word of the arithmetic, and the written model
    // must compute the same.
    machine.plan.precision = Precision::Fp32;
    let cache = (!args.no_cache).then(|| args.cache.clone().unwrap_or_else(beside));
    anyhow::ensure!(
        args.hidden.is_none() || !args.deep.is_wanted(),
        "--hidden is for frozen networks: a network that learns itself needs no hidden layer"
    );
    let rules = args.deep.rules(&args.change, args.seed, args.balance);
    let train = TrainSettings {
        source: args.data.source(),
        backbones: args.backbone,
        out: args.out,
        wide: args.wide,
        mirror: args.mirror,
        replace: args.replace,
        split: split::Rules {
            seed: args.seed,
            validation: args.validation,
            test: args.test,
            minimum: args.min_count,
        },
        head: head::Rules { balance: args.balance, hidden: args.hidden, seed: args.seed },
        views: args.change.views(args.seed).filter(|_| !args.deep.is_wanted()),
        log: args.tensorboard,
        machine: Machine { cache, ..machine },
    };
    let trained = if args.deep.is_wanted() {
        tune(train, rules, &args.deep)?
    } else {
        aisle_train::train(&train, &Bars::new())?
    };
    let text = if args.json { serde_json::to_string_pretty(&trained)? } else { trained.text() };
    Ok(output::answer(&text)?)
}

/// Learns in the network itself.
#[cfg(feature = "fine-tune")]
fn tune(train: TrainSettings, rules: Rules, args: &DeepArgs) -> anyhow::Result<Trained> {
    use aisle_finetune::{Compact, Place, TuneSettings};

    /// Pixels of a side where none are asked for.
    const SIZE: u32 = 96;
    let size = args.size.unwrap_or(SIZE);
    let settings = TuneSettings {
        train,
        rules,
        from_scratch: args.from_scratch.then_some(Compact { size }),
        teacher: args.teacher.clone(),
        restart: args.restart,
        place: if args.gpu { Place::Gpu } else { Place::Cpu },
    };
    Ok(aisle_finetune::tune(&settings, &Bars::new())?)
}

/// Says how to get a program that learns in the network itself.
#[cfg(not(feature = "fine-tune"))]
fn tune(_: TrainSettings, _: Rules, _: &DeepArgs) -> anyhow::Result<Trained> {
    anyhow::bail!(
        "this program was built without learning in the network itself: `make trainer` builds \
         one with it, and the published images have it"
    )
}

impl Settings {
    /// What this machine offers to run networks on many pictures.
    pub(crate) fn machine(&self) -> anyhow::Result<Machine> {
        let threads = self.threads.unwrap_or_else(aisle_worker::default_threads);
        let (provider, precision) = match self.provider {
            ProviderChoice::Named(provider, precision) => (provider, precision),
            // What is found out is for serving; this is what it is held against.
            ProviderChoice::Auto => (Provider::Cpu, Precision::Fp32),
        };
        Ok(Machine {
            library: self.ort_lib()?,
            plan: Plan::plain(provider, precision, threads),
            // TensorRT tells engines apart by names that two backbones may share.
            session: SessionSettings { max_batch: self.max_batch, engines: None },
            threads,
            decoder: self.decoder(),
            limits: ImageLimits::default(),
            cache: None,
        })
    }
}
