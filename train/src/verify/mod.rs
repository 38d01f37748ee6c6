//! `aisle verify`: proof that serving computes what training did, or, of a
//! folder that others have made, that it can be served, and what was assumed.

mod stages;
mod text;

use std::path::{Path, PathBuf};

use aisle_worker::decoder::Decoder;
use aisle_worker::model::{Finding, ModelFolder, Weight, audit};
use aisle_worker::preprocess::Preprocessor;
use aisle_worker::{
    Classifier, ClassifierSettings, Extractor, Plan, Postprocessor, Precision, Provider,
    ProviderChoice,
};
use serde::Serialize;

use crate::Machine;
use crate::export::{Golden, GoldenPicture, read_goldens};

pub use stages::{Rig, Run, Stage, Step};
pub(crate) use stages::{allowed, compare};

/// How the network runs that all others are held against.
const REFERENCE: &str = "cpu fp32";

/// What was found out about a model folder.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The folder.
    pub folder: PathBuf,
    /// A digest of it, where it is a model folder.
    pub version: Option<String>,
    /// Whether it has no fault and every stage agrees.
    pub agrees: bool,
    /// Whether it tells what training computed. Where it does not, stages say
    /// only that they work.
    pub golden: bool,
    /// What its files leave out or say strangely.
    pub findings: Vec<Finding>,
    /// The stages.
    pub stages: Vec<Stage>,
}

/// Verifies a model folder: its files, the network on the CPU in single
/// precision, and the way that `serving` says it is run. Never stops at the
/// first fault.
#[must_use]
pub fn verify(path: &Path, machine: &Machine, serving: &ClassifierSettings) -> Verdict {
    let mut verdict = Verdict {
        folder: path.to_owned(),
        version: None,
        agrees: false,
        golden: false,
        findings: audit(path),
        stages: Vec::new(),
    };
    match ModelFolder::open(path) {
        Ok(folder) => {
            verdict.version = Some(folder.version.clone());
            verdict.run(&folder, machine, serving);
        }
        Err(error) if !verdict.has_fault() => {
            let text = error.to_string();
            verdict
                .findings
                .insert(0, Finding { weight: Weight::Fault, file: "the folder", key: None, text });
        }
        Err(_) => {}
    }
    let all_agree = verdict.stages.iter().all(|stage| stage.agrees);
    verdict.agrees = !verdict.has_fault() && !verdict.stages.is_empty() && all_agree;
    verdict
}

impl Verdict {
    fn has_fault(&self) -> bool {
        self.findings.iter().any(|finding| finding.weight == Weight::Fault)
    }

    fn run(&mut self, folder: &ModelFolder, machine: &Machine, serving: &ClassifierSettings) {
        let goldens = match read_goldens(&folder.path.join("golden")) {
            Ok(goldens) => goldens,
            Err(error) => {
                self.stages.push(Stage::failed(REFERENCE, Step::Golden, error.to_string()));
                None
            }
        };
        self.golden = goldens.is_some();
        if let Err((step, error)) = self.run_stages(folder, goldens.as_deref(), machine, serving) {
            self.stages.push(Stage::failed(REFERENCE, step, error));
        }
    }

    /// Runs all stages; an error is what keeps the rest from running.
    fn run_stages(
        &mut self,
        folder: &ModelFolder,
        goldens: Option<&[Golden]>,
        machine: &Machine,
        serving: &ClassifierSettings,
    ) -> Result<(), (Step, String)> {
        let decoder =
            Decoder::start(&machine.decoder, machine.limits.clone(), std::num::NonZeroUsize::MIN)
                .map_err(|error| (Step::Pixels, error.to_string()))?;
        let preprocessor = Preprocessor::new(&folder.preprocessing);
        let postprocessor = Postprocessor::new(folder);
        let plan = Plan::plain(Provider::Cpu, Precision::Fp32, machine.threads);
        let mut extractor = Extractor::of_model(&machine.library, folder, &plan, &machine.session)
            .map_err(|error| (Step::Network, error.to_string()))?;
        let mut network =
            |tensors: &[&[f32]]| extractor.run(tensors).map_err(|error| error.to_string());
        let mut rig = Rig {
            decoder: &decoder,
            preprocessor: &preprocessor,
            postprocessor: &postprocessor,
            network: &mut network,
        };
        let made = match goldens {
            Some(goldens) => {
                self.stages.extend(compare(goldens, REFERENCE, &mut rig));
                goldens.iter().map(|golden| golden.picture.clone()).collect()
            }
            None => GoldenPicture::all().map_err(|error| (Step::Pixels, error.to_string()))?,
        };
        let (stages, tensors, logits) = works(&made, &mut rig);
        if goldens.is_none() {
            self.stages.extend(stages);
        }
        self.serve(serving, &postprocessor, folder, (&tensors, &logits));
        Ok(())
    }

    /// The way that serving runs it, where that is another.
    fn serve(
        &mut self,
        serving: &ClassifierSettings,
        postprocessor: &Postprocessor,
        folder: &ModelFolder,
        (tensors, known): (&[Vec<f32>], &[Vec<f32>]),
    ) {
        if serving.provider == ProviderChoice::default() {
            return;
        }
        let mut classifier = match Classifier::load(serving) {
            Ok(classifier) => classifier,
            Err(error) => {
                let run = match serving.provider {
                    ProviderChoice::Named(provider, precision) => {
                        format!("{provider} {}", precision.as_str())
                    }
                    ProviderChoice::Auto => "auto".to_owned(),
                };
                self.stages.push(Stage::failed(&run, Step::Network, error.to_string()));
                return;
            }
        };
        let card = classifier.card();
        let run = format!("{} {}", card.provider, card.precision);
        let tensors: Vec<&[f32]> = tensors.iter().map(Vec::as_slice).collect();
        let found: Result<Vec<Vec<f32>>, _> = classifier.logits(&tensors).into_iter().collect();
        self.stages.push(match found {
            Ok(found) => {
                let tolerance = folder.tolerance.score;
                stages::compare_scores(&run, known, &found, postprocessor, tolerance)
            }
            Err(error) => Stage::failed(&run, Step::Logits, error.to_string()),
        });
    }
}

/// Whether stages work at all, on pictures of which nothing is known, with
/// what they computed.
fn works(
    pictures: &[GoldenPicture],
    rig: &mut Rig<'_>,
) -> (Vec<Stage>, Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let [mut pixels, mut tensor, mut logits, mut answers] =
        [Step::Pixels, Step::Tensor, Step::Logits, Step::Answers]
            .map(|step| Stage::new(REFERENCE, step, 0.0));
    let (mut tensors, mut all) = (Vec::new(), Vec::new());
    for picture in pictures {
        let framed = match rig.decoder.frame(&picture.bytes, rig.preprocessor.framing()) {
            Ok(framed) => framed,
            Err(refusal) => {
                pixels.fail(format!("{}: {refusal}", picture.name));
                continue;
            }
        };
        pixels.pictures += 1;
        let values = rig.preprocessor.tensor(&framed.pixels);
        tensor.pictures += 1;
        if values.iter().any(|value| !value.is_finite()) {
            tensor.fail("some values are no numbers");
        }
        match (rig.network)(&[&values]) {
            Err(error) => logits.fail(error),
            Ok(found) => {
                let found = found.into_iter().next().unwrap_or_default();
                logits.pictures += 1;
                if found.iter().any(|logit| !logit.is_finite()) {
                    logits.fail("some logits are no numbers");
                }
                match rig.postprocessor.rank(&found, aisle_worker::Question::best(1)) {
                    Err(error) => answers.fail(error.to_string()),
                    Ok(_) => answers.pictures += 1,
                }
                tensors.push(values);
                all.push(found);
            }
        }
    }
    if let [first, others @ ..] = all.as_slice()
        && !others.is_empty()
        && others.iter().all(|other| other == first)
    {
        logits.fail("every picture has the same logits: the network does not look at them");
    }
    (vec![pixels, tensor, logits, answers], tensors, all)
}
