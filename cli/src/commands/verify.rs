//! `aisle verify`: whether serving computes what training did.

use aisle_shared::image_probe::ImageLimits;
use aisle_worker::ClassifierSettings;
use anyhow::bail;

use crate::args::VerifyArgs;
use crate::output;
use crate::settings::Settings;

/// Verifies a model folder, prints what was found, and fails unless all agrees.
pub(crate) fn run(args: VerifyArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.settings)?;
    let machine = settings.machine()?;
    let serving = ClassifierSettings {
        provider: settings.provider,
        threads: machine.threads,
        max_batch: settings.max_batch,
        image_limits: ImageLimits::default(),
        ..ClassifierSettings::new(
            args.model.clone(),
            settings.ort_lib()?,
            settings.decoder(),
            settings.tuning(),
        )
    };
    let verdict = aisle_train::verify(&args.model, &machine, &serving);
    let text = if args.json { serde_json::to_string_pretty(&verdict)? } else { verdict.text() };
    output::answer(&text)?;
    if !verdict.agrees {
        bail!("{} is not verified", args.model.display());
    }
    Ok(())
}
