use std::path::Path;

use aisle_shared::domain::ErrorCode;
use aisle_worker::decoder::{DecoderSettings, Isolation};
use aisle_worker::tune::TuningSettings;
use aisle_worker::{Classifier, ClassifierSettings, Question, WorkerError};
use bytes::Bytes;

use crate::real::Real;

fn classifier(real: &Real, model: &str) -> Classifier {
    Classifier::load(&settings(real, &real.models.join(model))).unwrap()
}

fn settings(real: &Real, models: &Path) -> ClassifierSettings {
    let decoder = DecoderSettings::new(Isolation::Here);
    let tuning = TuningSettings::here(std::env::temp_dir().join("aisle-no-tuning"));
    ClassifierSettings::new(models.to_owned(), real.library.clone(), decoder, tuning)
}

/// Best label and score, by `tests/python/reference.py`.
const REFERENCE: [(&str, &str, &str, f32); 9] = [
    ("mobilenet-v2", SHOES, "clog, geta, patten, sabot", 0.532_906_5),
    ("mobilenet-v2", HAT, "mushroom", 0.181_568_64),
    ("mobilenet-v2", DRESS, "trench coat", 0.355_453_06),
    ("mobilenet-edgetpu", SHOES, "mask", 0.386_578_15),
    ("mobilenet-edgetpu", HAT, "wool, woolen, woollen", 0.067_979_33),
    ("mobilenet-edgetpu", DRESS, "trench coat", 0.105_884_29),
    ("squeezenet-1.1", SHOES, "wine bottle", 0.251_102_35),
    ("squeezenet-1.1", HAT, "bath towel", 0.422_511_3),
    ("squeezenet-1.1", DRESS, "apron", 0.701_549_66),
];
const SHOES: &str = "shoes/24535295-abe3-4613-91f6-a7fe87954662.jpg";
const HAT: &str = "hat/014b2a1b-c5a0-469b-b115-bc02b2001db5.jpg";
const DRESS: &str = "dress/07cddef1-1fc8-47e4-a28a-613e60912590.jpg";

#[test]
fn answers_are_those_of_the_python_reference() {
    let Some(real) = Real::find() else { return };
    for (model, photograph, label, score) in REFERENCE {
        let bytes: Bytes = std::fs::read(real.photographs.join(photograph)).unwrap().into();
        let answers = classifier(&real, model).classify(&[bytes], Question::best(5));
        let best = &answers[0].as_ref().unwrap().predictions[0];
        assert_eq!(best.label, label, "{model} on {photograph}");
        assert!((best.score - score).abs() < 1e-4, "{model}: {} for {score}", best.score);
    }
}

#[test]
fn a_photograph_has_the_same_answer_in_any_company() {
    let Some(real) = Real::find() else { return };
    let mut classifier = classifier(&real, "squeezenet-1.1");
    let photographs = real.some_photographs(11);
    let together = classifier.classify(&photographs, Question::best(3));
    assert_eq!(together.len(), 11);
    for (photograph, together) in photographs.iter().zip(together) {
        let together = together.unwrap();
        let alone = classifier
            .classify(std::slice::from_ref(photograph), Question::best(3))
            .remove(0)
            .unwrap();
        assert_eq!(together.predictions.len(), 3);
        for (a, b) in together.predictions.iter().zip(&alone.predictions) {
            assert_eq!(a.label, b.label);
            assert!((a.score - b.score).abs() < 1e-4);
        }
        assert_eq!(alone.batch_size, 1);
        assert!(together.model_version.starts_with("sha256:"));
        assert_eq!(together.model.as_str(), "squeezenet-1.1");
    }
}

#[test]
fn a_bad_image_costs_only_itself() {
    let Some(real) = Real::find() else { return };
    let mut images = real.some_photographs(3);
    images.insert(1, Bytes::from_static(b"<svg onload='alert(1)'/>"));
    images.insert(2, Bytes::new());
    let answers = classifier(&real, "squeezenet-1.1").classify(&images, Question::best(1));
    let codes: Vec<Option<ErrorCode>> =
        answers.iter().map(|answer| answer.as_ref().err().map(|error| error.code)).collect();
    let (svg, empty) = (Some(ErrorCode::UnsupportedType), Some(ErrorCode::EmptyImage));
    assert_eq!(codes, [None, svg, empty, None, None]);
}

#[test]
fn more_than_one_model_must_be_chosen_from() {
    let Some(real) = Real::find() else { return };
    let mut settings = settings(&real, &real.models);
    assert!(matches!(Classifier::load(&settings), Err(WorkerError::Ambiguous(_))));
    settings.model = Some("no-such-model".parse().unwrap());
    assert!(matches!(Classifier::load(&settings), Err(WorkerError::UnknownModel { .. })));
    settings.model = Some("squeezenet-1.1".parse().unwrap());
    assert_eq!(Classifier::load(&settings).unwrap().card().labels.len(), 1000);
}

#[test]
fn a_network_that_does_not_fit_its_labels_is_refused() {
    let Some(real) = Real::find() else { return };
    let copy = tempfile::tempdir().unwrap();
    let folder = copy.path().join("misfit");
    std::fs::create_dir(&folder).unwrap();
    let source = real.models.join("squeezenet-1.1");
    for file in ["model.onnx", "preprocessor_config.json"] {
        std::fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    std::fs::write(folder.join("config.json"), r#"{"id2label":{"0":"a","1":"b"}}"#).unwrap();
    let error = Classifier::load(&settings(&real, &folder)).unwrap_err();
    assert!(error.to_string().contains("1000 values, and id2label has 2 labels"), "{error}");
}
