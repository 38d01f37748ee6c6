//! `aisle evaluate`: how good a model is.

use crate::args::EvaluateArgs;
use crate::output;
use crate::progress::Bars;
use crate::settings::Settings;

/// Judges a model and prints the figures.
pub(crate) fn run(args: EvaluateArgs) -> anyhow::Result<()> {
    let mut settings = args.machine.settings();
    settings.layer.precision = args.precision;
    let settings = Settings::resolve(settings)?;
    let evaluation = aisle_train::evaluate(
        &args.model,
        &args.data.source(),
        args.part.map(Into::into),
        &settings.machine()?,
        &Bars::new(),
    )?;
    let json = || serde_json::to_string_pretty(&evaluation);
    let text = if args.json { json()? } else { evaluation.text() };
    Ok(output::answer(&text)?)
}
