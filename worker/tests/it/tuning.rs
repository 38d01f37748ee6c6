use std::io::Write as _;
use std::num::NonZeroUsize;

use aisle_worker::model::ModelFolder;
use aisle_worker::tune::{Outcome, Record, TuningSettings, Verdict, Wanted, remembered, tune};
use aisle_worker::{Precision, Provider, default_threads};

use crate::real::Real;

fn wanted<'a>(real: &'a Real, folder: &'a ModelFolder) -> Wanted<'a> {
    let max_batch = NonZeroUsize::new(8).unwrap();
    Wanted { folder, library: &real.library, threads: default_threads(), max_batch }
}

/// What was tried for a model in OpenVINO's bfloat16; says so where this
/// machine has none.
fn in_bfloat16(record: &Record) -> Option<&Outcome> {
    let tried = record.trials.iter().find(|trial| {
        trial.plan.provider == Provider::OpenVino && trial.plan.precision == Precision::Bf16
    });
    if tried.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped: there is no bfloat16 to try here");
    }
    tried.map(|trial| &trial.outcome)
}

#[test]
fn a_network_that_loses_answers_in_bfloat16_is_not_run_in_it() {
    let Some(real) = Real::find() else { return };
    let records = tempfile::tempdir().unwrap();
    let settings = TuningSettings::here(records.path().to_owned());
    let folder = ModelFolder::open(&real.models.join("mobilenet-v2")).unwrap();
    let record = tune(&settings, wanted(&real, &folder)).unwrap();
    assert_eq!(record.chosen.precision, Precision::Fp32, "{}", record.why);
    let Some(outcome) = in_bfloat16(&record) else { return };
    let Outcome::Measured(measured) = outcome else { panic!("it ran: {outcome:?}") };
    assert!(matches!(measured.verdict, Verdict::Differs(_)), "{measured:?}");
    assert!(measured.closeness.score > 0.1, "{measured:?}");
}

#[test]
fn who_allows_more_gets_more_speed_and_it_is_remembered() {
    let Some(real) = Real::find() else { return };
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("squeezenet");
    std::fs::create_dir(&copy).unwrap();
    for file in ["config.json", "preprocessor_config.json", "model.onnx"] {
        std::fs::copy(real.models.join("squeezenet-1.1").join(file), copy.join(file)).unwrap();
    }
    std::fs::write(copy.join("aisle.json"), r#"{"tolerance":{"score":0.05}}"#).unwrap();
    let folder = ModelFolder::open(&copy).unwrap();
    let settings = TuningSettings::here(place.path().join("tuning"));
    let record = tune(&settings, wanted(&real, &folder)).unwrap();
    let kept = remembered(&settings.folder, wanted(&real, &folder)).unwrap();
    assert_eq!(kept.map(|kept| kept.chosen), Some(record.chosen.clone()));
    let Some(outcome) = in_bfloat16(&record) else { return };
    let Outcome::Measured(measured) = outcome else { panic!("it ran: {outcome:?}") };
    assert_eq!(measured.verdict, Verdict::Agrees, "{measured:?}");
}
