//! `aisle evaluate`: how good a model is.

use aisle_train::EvaluateSettings;
use aisle_worker::ProviderChoice;

use crate::args::EvaluateArgs;
use crate::output;
use crate::progress::Bars;
use crate::settings::Settings;

/// Judges a model and prints the figures.
pub(crate) fn run(args: EvaluateArgs) -> anyhow::Result<()> {
    let mut settings = args.machine.settings();
    settings.layer.precision = args.precision;
    settings.layer.data = args.tuned_in;
    settings.layer.max_batch = args.max_batch;
    let settings = Settings::resolve(settings)?;
    let is_tuned = settings.provider == ProviderChoice::Auto;
    let judged = EvaluateSettings {
        model: args.model,
        source: args.data.source(),
        part: args.part.map(Into::into),
        robustness: args.robustness,
        page: args.page,
        machine: settings.machine()?,
        tuned: is_tuned.then(|| settings.tuning()),
    };
    let evaluation = aisle_train::evaluate(&judged, &Bars::new())?;
    let json = || serde_json::to_string_pretty(&evaluation);
    let text = if args.json { json()? } else { evaluation.text() };
    Ok(output::answer(&text)?)
}
