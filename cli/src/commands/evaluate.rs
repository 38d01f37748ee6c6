//! `aisle evaluate`: how good a model is.

use aisle_train::EvaluateSettings;

use crate::args::EvaluateArgs;
use crate::output;
use crate::progress::Bars;
use crate::settings::Settings;

/// Judges a model and prints the figures.
pub(crate) fn run(args: EvaluateArgs) -> anyhow::Result<()> {
    let mut settings = args.machine.settings();
    settings.layer.precision = args.precision;
    let settings = Settings::resolve(settings)?;
    let judged = EvaluateSettings {
        model: args.model,
        source: args.data.source(),
        part: args.part.map(Into::into),
        robustness: args.robustness,
        page: args.page,
        machine: settings.machine()?,
    };
    let evaluation = aisle_train::evaluate(&judged, &Bars::new())?;
    let json = || serde_json::to_string_pretty(&evaluation);
    let text = if args.json { json()? } else { evaluation.text() };
    Ok(output::answer(&text)?)
}
