//! Everything that a model folder leaves out or says strangely: where opening
//! it stops at the first fault, all of them are wanted here.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::config::RawConfig;
use super::error::KeyProblem;
use super::extra::Extra;
use super::folder::{CONFIG, EXTRA, PREPROCESSOR, network_in};
use super::preprocessor::{Preprocessing, RawPreprocessor};
use super::taxonomy::Taxonomy;
use super::timm::TimmReader;

/// Names that a finding lists.
const NAMED: usize = 5;

/// Keys of `preprocessor_config.json` that are not read because nothing here
/// depends on them.
const WITHOUT_MEANING: [&str; 14] = [
    "_name_or_path",
    "_processor_class",
    "auto_map",
    "data_format",
    "device",
    "disable_grouping",
    "do_convert_rgb",
    "do_reduce_labels",
    "default_to_square",
    "input_data_format",
    "pad_size",
    "processor_class",
    "return_tensors",
    "use_fast",
];

/// Something about a model folder that is worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it means.
    pub weight: Weight,
    /// The file.
    pub file: &'static str,
    /// The key in it.
    pub key: Option<String>,
    /// What is the matter.
    pub text: String,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The model cannot be served.
    Fault,
    /// It is served, and something of the folder is not heeded.
    Strange,
    /// It is served, and this was assumed where the folder says nothing.
    Assumed,
}

/// All that can be found in the files of a folder, faults first. The network
/// itself is not looked into.
#[must_use]
pub fn audit(folder: &Path) -> Vec<Finding> {
    let mut audit = Audit { folder, found: Vec::new() };
    if network_in(folder).is_none() {
        audit.add(Weight::Fault, "model.onnx", None, "is missing, and so is onnx/model.onnx");
    }
    let config = audit.object(CONFIG);
    if config.is_none() && !folder.join(CONFIG).exists() {
        audit.add(Weight::Fault, CONFIG, None, "is missing");
    }
    if let Some(config) = &config {
        audit.labels(config);
    }
    audit.preprocessor(config);
    audit.found.sort_by_key(|finding| finding.weight);
    audit.found
}

struct Audit<'a> {
    folder: &'a Path,
    found: Vec<Finding>,
}

impl Audit<'_> {
    fn add(
        &mut self,
        weight: Weight,
        file: &'static str,
        key: Option<&str>,
        text: impl Into<String>,
    ) {
        let key = key.map(str::to_owned);
        let finding = Finding { weight, file, key, text: text.into() };
        // A member that matters twice is looked at twice.
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }

    fn fault(&mut self, file: &'static str, problem: KeyProblem) {
        self.add(Weight::Fault, file, Some(problem.key), problem.problem);
    }

    /// A file's members; `None` where there are none, which is told unless the
    /// file is absent.
    fn object(&mut self, file: &'static str) -> Option<Map<String, Value>> {
        let text = match std::fs::read(self.folder.join(file)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.add(Weight::Fault, file, None, error.to_string());
                return None;
            }
        };
        match serde_json::from_slice(&text) {
            Ok(Value::Object(members)) => Some(members),
            Ok(_) => {
                self.add(Weight::Fault, file, None, "is no JSON object");
                None
            }
            Err(error) => {
                self.add(Weight::Fault, file, None, error.to_string());
                None
            }
        }
    }

    /// What a file says, without those members that cannot be read.
    fn read<T: DeserializeOwned>(
        &mut self,
        file: &'static str,
        members: &mut Map<String, Value>,
    ) -> Option<T> {
        let keys: Vec<String> = members.keys().cloned().collect();
        for key in keys {
            let alone: Map<String, Value> =
                members.get(&key).map(|value| (key.clone(), value.clone())).into_iter().collect();
            if let Err(error) = serde_json::from_value::<T>(Value::Object(alone)) {
                self.add(Weight::Fault, file, Some(&key), error.to_string());
                members.remove(&key);
            }
        }
        serde_json::from_value(Value::Object(members.clone())).ok()
    }

    /// What a file means. Each member that is found wrong is told and left out,
    /// so that those behind it are looked at too.
    fn settle<T: DeserializeOwned, M>(
        &mut self,
        file: &'static str,
        members: &Map<String, Value>,
        meaning: impl Fn(T) -> Result<M, KeyProblem>,
    ) -> Option<M> {
        let mut left = members.clone();
        let mut raw = self.read::<T>(file, &mut left)?;
        loop {
            let problem = match meaning(raw) {
                Ok(found) => return Some(found),
                Err(problem) => problem,
            };
            let gone = left.remove(problem.key);
            self.fault(file, problem);
            gone?;
            raw = serde_json::from_value(Value::Object(left.clone())).ok()?;
        }
    }

    fn labels(&mut self, members: &Map<String, Value>) {
        let mut holes = members.clone();
        // Told by all their numbers below.
        let missing = missing_ids(members);
        if !missing.is_empty() {
            let listed: Vec<String> = missing.iter().take(NAMED).map(usize::to_string).collect();
            let more = missing.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let text = format!("there is no label for {}{more}", listed.join(", "));
            self.add(Weight::Fault, CONFIG, Some("id2label"), text);
            holes.remove("id2label");
            holes.remove("num_labels");
        }
        let labels = if missing.is_empty() {
            self.settle(CONFIG, &holes, |config: RawConfig| config.labels())
        } else {
            None
        };
        let types: Map<String, Value> =
            members.iter().filter(|(key, _)| *key == "problem_type").map(owned).collect();
        let activation = self.settle(CONFIG, &types, |config: RawConfig| config.activation());
        if types.values().all(Value::is_null) {
            let text =
                "is missing: exactly one label is taken to be right, so scores are a softmax";
            self.add(Weight::Assumed, CONFIG, Some("problem_type"), text);
        }
        let Some(labels) = labels else { return };
        self.names(&labels, members);
        let (Some(extra), Some(activation)) = (self.object(EXTRA), activation) else { return };
        let _ = self.settle(EXTRA, &extra, |extra: Extra| {
            let extra = extra.check(labels.len())?;
            let levels = Taxonomy::new(labels.clone(), &extra).levels().len();
            extra.acceptances(levels, activation)
        });
    }

    /// What is strange about labels that can be used.
    fn names(&mut self, labels: &[String], members: &Map<String, Value>) {
        let mut known = BTreeSet::new();
        let twice: Vec<&String> = labels.iter().filter(|label| !known.insert(*label)).collect();
        if let Some(first) = twice.first() {
            let text = format!("more than one label is called {first:?}");
            self.add(Weight::Strange, CONFIG, Some("id2label"), text);
        }
        let blank = labels.iter().filter(|label| label.trim().is_empty()).count();
        if blank > 0 {
            let text = format!("{blank} labels have no name");
            self.add(Weight::Strange, CONFIG, Some("id2label"), text);
        }
        let placed = members.get("label2id").and_then(Value::as_object);
        let wrong = placed.into_iter().flatten().find(|(label, id)| {
            let place = id.as_u64().or_else(|| id.as_str()?.parse().ok());
            let place = place.and_then(|place| usize::try_from(place).ok());
            let says = place.and_then(|place| labels.get(place));
            says != Some(*label) && !twice.contains(label)
        });
        if let Some((label, id)) = wrong {
            let text = format!("has {label:?} at {id}, and id2label does not: id2label is heeded");
            self.add(Weight::Strange, CONFIG, Some("label2id"), text);
        }
    }

    fn preprocessor(&mut self, config: Option<Map<String, Value>>) {
        let timm: Option<RawConfig> = config.and_then(|mut config| {
            config.retain(|key, _| key == "pretrained_cfg");
            self.read(CONFIG, &mut config)
        });
        let timm = timm.and_then(|config| config.pretrained_cfg);
        let Some(members) = self.object(PREPROCESSOR) else {
            if self.folder.join(PREPROCESSOR).exists() {
                return;
            }
            match timm {
                Some(timm) => match timm.preprocessing(TimmReader::Timm) {
                    Ok(_) => self.add(
                        Weight::Assumed,
                        PREPROCESSOR,
                        None,
                        "is missing: pretrained_cfg of config.json is read as timm reads it",
                    ),
                    Err(problem) => self.fault(CONFIG, problem),
                },
                None => self.add(
                    Weight::Fault,
                    PREPROCESSOR,
                    None,
                    "is missing, and config.json has no pretrained_cfg",
                ),
            }
            return;
        };
        let class = ["image_processor_type", "feature_extractor_type"];
        let class = class.iter().find_map(|key| members.get(*key)?.as_str()).unwrap_or_default();
        if class.starts_with("TimmWrapper") {
            match timm.map(|timm| timm.preprocessing(TimmReader::Transformers)) {
                Some(Ok(_)) => {}
                Some(Err(problem)) => self.fault(CONFIG, problem),
                None => self.fault(CONFIG, KeyProblem::new("pretrained_cfg", "is missing")),
            }
            return;
        }
        for key in members.keys() {
            let is_read = RawPreprocessor::KEYS.contains(&key.as_str());
            if !is_read && !WITHOUT_MEANING.contains(&key.as_str()) {
                self.add(Weight::Strange, PREPROCESSOR, Some(key), "is not known and not heeded");
            }
        }
        let steps = self.settle(PREPROCESSOR, &members, |raw: RawPreprocessor| raw.preprocessing());
        if let Some(steps) = steps {
            self.assumed(&members, &steps, class);
        }
    }

    /// What the class of the preprocessor decides where keys are left out.
    fn assumed(&mut self, members: &Map<String, Value>, steps: &Preprocessing, class: &str) {
        let mut keys: Vec<(&str, String)> = Vec::new();
        if let Some(resize) = steps.resize {
            keys.push(("size", format!("{:?}", resize.to)));
            keys.push(("resample", format!("{:?}", resize.filter)));
        }
        keys.push(("do_center_crop", steps.crop.is_some().to_string()));
        if let Some(crop) = steps.crop {
            keys.push(("crop_size", format!("{:?}", crop.size)));
        }
        if let Some(rescale) = steps.rescale {
            keys.push(("rescale_factor", rescale.factor.to_string()));
        }
        keys.push(("do_normalize", steps.normalize.is_some().to_string()));
        if let Some(normalize) = steps.normalize {
            keys.push(("image_mean", format!("{:?}", normalize.mean)));
            keys.push(("image_std", format!("{:?}", normalize.std)));
        }
        let absent = |key: &str| members.get(key).is_none_or(Value::is_null);
        for (key, value) in keys.into_iter().filter(|(key, _)| absent(key)) {
            let text = format!("is missing: {value} is assumed, as {class} does");
            self.add(Weight::Assumed, PREPROCESSOR, Some(key), text);
        }
    }
}

fn owned((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// Numbers below the largest that have no label, where all keys are numbers.
fn missing_ids(members: &Map<String, Value>) -> Vec<usize> {
    let by_id = members.get("id2label").and_then(Value::as_object);
    let ids: Option<BTreeSet<usize>> =
        by_id.and_then(|by_id| by_id.keys().map(|key| key.parse().ok()).collect());
    let Some(ids) = ids else { return Vec::new() };
    // A number far off is no reason to list all that are below it.
    let end = ids.last().map_or(0, |last| last + 1).min(2 * ids.len() + NAMED);
    (0..end).filter(|id| !ids.contains(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<(Weight, String)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let told = |finding: Finding| {
            let key = finding.key.unwrap_or_default();
            (finding.weight, format!("{} {key}: {}", finding.file, finding.text))
        };
        audit(folder.path()).into_iter().map(told).collect()
    }

    fn faults(files: &[(&str, &str)]) -> Vec<String> {
        let faults = found(files).into_iter().filter(|(weight, _)| *weight == Weight::Fault);
        faults.map(|(_, text)| text).collect()
    }

    const WHOLE: [(&str, &str); 3] = [
        ("model.onnx", ""),
        (
            "config.json",
            r#"{"id2label":{"0":"a","1":"b"},"problem_type":"single_label_classification"}"#,
        ),
        (
            "preprocessor_config.json",
            r#"{"image_processor_type":"ViTImageProcessor","size":8,"resample":2,
                "do_center_crop":false,"rescale_factor":0.5,"do_normalize":true,
                "image_mean":0.5,"image_std":0.5}"#,
        ),
    ];

    #[test]
    fn a_folder_that_says_all_gives_no_finding() {
        assert_eq!(found(&WHOLE), []);
    }

    #[test]
    fn every_fault_is_told_and_not_only_the_first() {
        let faults = faults(&[
            ("config.json", r#"{"id2label":{"0":"a","3":"d"},"problem_type":"regression"}"#),
            (
                "preprocessor_config.json",
                r#"{"image_processor_type":"ViTImageProcessor","image_std":0,"resample":9,
                    "do_pad":true,"rescale_factor":0}"#,
            ),
        ]);
        let expected = [
            "model.onnx : is missing",
            "config.json id2label: there is no label for 1, 2",
            "config.json problem_type: ",
            "preprocessor_config.json resample: ",
            "preprocessor_config.json do_pad: ",
            "preprocessor_config.json rescale_factor: ",
            "preprocessor_config.json image_std: ",
        ];
        for wanted in expected {
            assert!(faults.iter().any(|fault| fault.starts_with(wanted)), "{wanted}: {faults:#?}");
        }
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    }

    #[test]
    fn what_is_assumed_and_what_is_not_heeded_is_told() {
        let config = r#"{"id2label":{"0":"a","1":"b"},"label2id":{"a":1,"b":0}}"#;
        let steps =
            r#"{"image_processor_type":"ViTImageProcessor","size":8,"crop_pct":1,"sharpen":2}"#;
        let mut files = WHOLE;
        (files[1].1, files[2].1) = (config, steps);
        let found = found(&files);
        let has = |weight: Weight, text: &str| {
            assert!(found.iter().any(|(w, t)| *w == weight && t.starts_with(text)), "{found:#?}");
        };
        has(Weight::Strange, "config.json label2id: has \"a\" at 1");
        has(Weight::Strange, "preprocessor_config.json sharpen: ");
        has(Weight::Assumed, "config.json problem_type: ");
        has(
            Weight::Assumed,
            "preprocessor_config.json resample: is missing: Bilinear is assumed, as ViT",
        );
        assert!(!found.iter().any(|(weight, _)| *weight == Weight::Fault), "{found:#?}");
    }

    #[test]
    fn a_class_that_is_not_known_and_files_that_are_no_json_are_faults() {
        let mut files = WHOLE;
        (files[1].1, files[2].1) = ("{", r#"{"image_processor_type":"X"}"#);
        let faults = faults(&files);
        assert!(faults[0].starts_with("config.json : "), "{faults:?}");
        assert!(faults[1].starts_with("preprocessor_config.json image_processor_type: "));
    }
}
