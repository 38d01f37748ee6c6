//! The trials: every way that is worth trying, on the real network.

use std::num::NonZeroUsize;
use std::time::Instant;

use ort::environment::Environment;

use super::choice::{Measured, Outcome, Trial};
use super::closeness::{Verdict, compare, verdict};
use super::pictures::Pictures;
use super::race::{Ran, race};
use crate::machine::Machine;
use crate::model::ModelFolder;
use crate::network::Network;
use crate::plan::{Plan, Precision, Provider};
use crate::session::{SessionError, SessionSettings};

/// Threads of a session from which on more sessions are worth trying besides
/// two.
const MANY_THREADS: usize = 4;

/// How long the reference may take for the pictures, and how many it takes
/// whatever that costs.
const REFERENCE_SECONDS: f64 = 4.0;
const FEWEST: usize = 24;

/// What trials share: the reference, its answers, and the pictures.
pub(super) struct Trials<'a> {
    environment: &'a Environment,
    folder: &'a ModelFolder,
    settings: &'a SessionSettings,
    pictures: Pictures,
    expected: Vec<Vec<f32>>,
    reference: Network,
    /// The reference's own trial.
    pub(super) first: Trial,
}

impl<'a> Trials<'a> {
    /// Runs the reference: the CPU provider in single precision on all threads.
    ///
    /// # Errors
    /// When it cannot run: then the model cannot be used at all.
    pub(super) fn begin(
        environment: &'a Environment,
        folder: &'a ModelFolder,
        settings: &'a SessionSettings,
        threads: NonZeroUsize,
    ) -> Result<Self, SessionError> {
        let plan = Plan::plain(Provider::Cpu, Precision::Fp32, threads);
        let mut pictures = Pictures::of(folder);
        let start = Instant::now();
        let mut reference = Network::load(environment, folder, &plan, settings)?;
        let load = start.elapsed();
        let start = Instant::now();
        let mut expected = Vec::new();
        while let Some(rest) =
            pictures.tensors.get(expected.len()..).filter(|rest| !rest.is_empty())
        {
            if expected.len() >= FEWEST && start.elapsed().as_secs_f64() > REFERENCE_SECONDS {
                break;
            }
            expected.extend(reference.try_run(&batch(&reference, rest))?);
        }
        pictures.tensors.truncate(expected.len());
        let images = batch(&reference, &pictures.tensors);
        // Beside itself, so that it is measured as the others are.
        let mut other = Network::load(environment, folder, &plan, settings)?;
        let ran = race(&mut reference, &mut other, &images)?;
        let closeness = compare(folder, &expected, &expected)
            .ok_or_else(|| SessionError::Output("its answers are no numbers".to_owned()))?;
        let first = Trial {
            plan,
            outcome: Outcome::Measured(Measured {
                load_ms: load.as_secs_f64() * 1_000.0,
                images_per_second: images.len() as f64 / ran.reference_batch,
                speed: 1.0,
                speed_at_least: 1.0,
                single_ms: ran.reference_single * 1_000.0,
                single: 1.0,
                closeness,
                verdict: Verdict::Agrees,
            }),
        };
        Ok(Self { environment, folder, settings, pictures, expected, reference, first })
    }

    /// What answers are compared on.
    pub(super) const fn evidence(&self) -> super::Evidence {
        self.pictures.evidence
    }

    /// Tries one way.
    pub(super) fn run(&mut self, plan: Plan) -> Trial {
        let outcome = self.measure(&plan);
        Trial { plan, outcome: outcome.unwrap_or_else(Outcome::Failed) }
    }

    fn measure(&mut self, plan: &Plan) -> Result<Outcome, String> {
        let text = |error: SessionError| error.to_string();
        let folder = self.folder_of(plan)?;
        let start = Instant::now();
        let mut network =
            Network::load(self.environment, &folder, plan, self.settings).map_err(text)?;
        let load = start.elapsed();
        let mut found = Vec::with_capacity(self.expected.len());
        while let Some(rest) =
            self.pictures.tensors.get(found.len()..).filter(|rest| !rest.is_empty())
        {
            found.extend(network.try_run(&batch(&network, rest)).map_err(text)?);
        }
        let closeness = compare(&folder, &self.expected, &found)
            .ok_or_else(|| "its answers are no numbers".to_owned())?;
        // Batches of one size for both, whichever takes the smaller.
        let images = batch(&self.reference, &self.pictures.tensors);
        let images = images.get(..network.largest_batch(images.len())).unwrap_or(&images);
        let Ran { batch, single, speed, speed_at_least, single_ratio, .. } =
            race(&mut self.reference, &mut network, images).map_err(text)?;
        Ok(Outcome::Measured(Measured {
            load_ms: load.as_secs_f64() * 1_000.0,
            images_per_second: images.len() as f64 / batch,
            speed,
            speed_at_least,
            single_ms: single * 1_000.0,
            single: single_ratio,
            closeness,
            verdict: verdict(closeness, self.pictures.evidence, folder.tolerance),
        }))
    }

    fn folder_of(&self, plan: &Plan) -> Result<ModelFolder, String> {
        let folder = self.folder.clone();
        let Some(wanted) = &plan.variant else { return Ok(folder) };
        let variants = folder.variants().map_err(|error| error.to_string())?;
        let variant = variants.into_iter().find(|each| each.name == *wanted);
        let variant = variant.ok_or_else(|| format!("there is no variant {wanted}"))?;
        folder.with(variant).map_err(|error| error.to_string())
    }
}

/// The largest batch at the start of the pictures.
fn batch<'a>(network: &Network, tensors: &'a [Vec<f32>]) -> Vec<&'a [f32]> {
    tensors.iter().take(network.largest_batch(tensors.len())).map(Vec::as_slice).collect()
}

/// Providers, arithmetics and variants that are worth trying beside the
/// reference, the simplest first, each as one session on all threads.
pub(super) fn worth_trying(
    offered: &[Provider],
    machine: &Machine,
    variants: &[String],
    threads: NonZeroUsize,
) -> Vec<Plan> {
    let mut plans = Vec::new();
    for provider in Provider::ALL.into_iter().filter(|each| offered.contains(each)) {
        for precision in provider.precisions(machine) {
            plans.push(Plan::plain(provider, precision, threads));
        }
    }
    for variant in variants {
        for provider in Provider::ALL.into_iter().filter(|each| offered.contains(each)) {
            let plan = Plan::plain(provider, Precision::Fp32, threads);
            plans.push(Plan { variant: Some(variant.clone()), ..plan });
        }
    }
    // The reference has been tried.
    plans.retain(|plan| *plan != Plan::plain(Provider::Cpu, Precision::Fp32, threads));
    plans
}

/// Other arrangements of the threads of a plan that runs on processors.
pub(super) fn arrangements(plan: &Plan, threads: NonZeroUsize) -> Vec<Plan> {
    let on_processors = matches!(plan.provider, Provider::Cpu | Provider::OpenVino);
    let threads = threads.get();
    let mut counts = vec![2, threads / MANY_THREADS];
    counts.retain(|sessions| on_processors && *sessions >= 2 && *sessions <= threads);
    counts.sort_unstable();
    counts.dedup();
    let arranged = counts.into_iter().filter_map(|sessions| {
        let threads = NonZeroUsize::new(threads / sessions)?;
        Some(Plan { sessions: NonZeroUsize::new(sessions)?, threads, ..plan.clone() })
    });
    arranged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    fn told(plans: &[Plan]) -> Vec<String> {
        plans.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_library_offers_is_tried_in_what_the_processor_can() {
        let machine = Machine { arithmetic: vec![Precision::Bf16], ..Machine::default() };
        let offered = [Provider::Cpu, Provider::OpenVino];
        let variants = ["int8".to_owned()];
        let plans = worth_trying(&offered, &machine, &variants, number(2));
        let expected = [
            "openvino fp32, 1 × 2 threads",
            "openvino bf16, 1 × 2 threads",
            "cpu int8, 1 × 2 threads",
            "openvino int8, 1 × 2 threads",
        ];
        assert_eq!(told(&plans), expected);
        assert!(worth_trying(&[Provider::Cpu], &machine, &[], number(2)).is_empty());
    }

    #[test]
    fn threads_are_arranged_in_two_sessions_and_in_sessions_of_four() {
        let plan = Plan::plain(Provider::Cpu, Precision::Fp32, number(16));
        let arranged = arrangements(&plan, number(16));
        assert_eq!(told(&arranged), ["cpu fp32, 2 × 8 threads", "cpu fp32, 4 × 4 threads"]);
        assert!(arrangements(&plan, number(1)).is_empty());
        let gpu = Plan::plain(Provider::Cuda, Precision::Fp32, number(16));
        assert!(arrangements(&gpu, number(16)).is_empty());
    }
}
