//! Finding the head: L-BFGS for each strength of regularisation from strong
//! to weak, each beginning where the last ended, and the strength that serves
//! unseen pictures best.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use argmin::core::Executor;
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use ndarray::{ArrayView2, Axis, Slice};
use serde::Serialize;

use super::hidden::{DECAY, EPOCHS, Learner, Lesson};
use super::objective::{Objective, Seen};
use super::standard::Standard;
use super::weights::weights_with_views;
use super::{Head, log_loss, temperature};
use crate::watch::Watcher;

/// Strengths of regularisation, strong to weak: a hundred pictures want the
/// first, tens of thousands the last.
const LAMBDAS: [f64; 13] =
    [1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015, 0.007, 0.003, 0.0015, 0.0007, 0.0003, 0.0001];

/// Strengths without improvement after which weaker ones are not tried.
const PATIENCE: usize = 2;

/// Pairs that L-BFGS remembers.
const MEMORY: usize = 10;

/// Iterations for each strength at most.
const ITERATIONS: u64 = 80;

/// A change of the objective that makes no difference.
const TOLERANCE: f64 = 1e-6;

/// How a head is found.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rules {
    /// How much small categories are lifted: 0 counts every picture alike, 1
    /// every category.
    pub balance: f64,
    /// Units of a hidden layer before the last, if there is to be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<NonZeroUsize>,
    /// Two searches with the same number find alike.
    pub seed: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { balance: 0.5, hidden: None, seed: 0 }
    }
}

/// Features with the categories that they show.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// A row for each picture.
    pub features: ArrayView2<'a, f32>,
    /// The category of each, by its place.
    pub labels: &'a [usize],
    /// The first so many are pictures as they are, the others changed views of
    /// them.
    pub plain: usize,
}

/// A strength of regularisation that was tried, or an epoch of a head with a hidden
/// layer, whose strength stays.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Step {
    /// The strength: the penalty is half of it times the squared weights. With a
    /// hidden layer, the decay of weights in a step, by the learning rate.
    pub lambda: f64,
    /// The mean log loss on the pictures that choose, at its best temperature.
    pub log_loss: f64,
    /// The share of them whose best category is right.
    pub top_1: f64,
}

/// A strength of regularisation that was just tried, as a witness sees it.
#[derive(Debug, Clone, Copy)]
pub struct Tried<'a> {
    /// How many were tried, with it.
    pub count: usize,
    /// What it brought.
    pub step: Step,
    /// The head that was found.
    pub head: &'a Head,
    /// The least value of the objective after each point that was computed.
    pub path: &'a [f64],
}

/// Is shown each strength of regularisation that was tried.
pub type Witness<'a> = dyn FnMut(Tried<'_>) -> io::Result<()> + 'a;

/// A head, and how it was found.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The head on features as they are.
    pub head: Head,
    /// The strength of regularisation that was chosen.
    pub lambda: f64,
    /// All that were tried.
    pub tried: Vec<Step>,
}

/// Why there is no head.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// What is wrong with the numbers.
    #[error("no head was found: {0}")]
    Numbers(String),
    /// What was found cannot be told.
    #[error("how the head was found cannot be told: {0}")]
    Untold(#[from] io::Error),
}

/// Finds a head on the pictures to learn from, and the strength of
/// regularisation on those that choose.
///
/// # Errors
/// When a feature is no number, or the search cannot begin.
pub fn fit(
    learn: Known<'_>,
    choose: Known<'_>,
    categories: usize,
    rules: Rules,
    watcher: &dyn Watcher,
    witness: &mut Witness<'_>,
) -> Result<Fit, FitError> {
    if !learn.features.iter().chain(&choose.features).all(|value| value.is_finite()) {
        return Err(FitError::Numbers("a feature is no number".to_owned()));
    }
    let plain = learn.plain.min(learn.features.nrows());
    let standard = Standard::of(&learn.features.slice_axis(Axis(0), Slice::from(..plain)));
    let features = standard.apply(&learn.features);
    let weights = weights_with_views(learn.labels, plain, rules.balance);
    if let Some(units) = rules.hidden {
        let lesson = Lesson {
            features: features.view(),
            deviation: standard.deviation(),
            labels: learn.labels,
            weights: &weights,
            categories,
            units: units.get(),
            seed: rules.seed,
        };
        return learned(lesson, &standard, choose, watcher, witness);
    }
    let mut at: Option<Vec<f64>> = None;
    let mut best: Option<(Step, Head)> = None;
    let (mut tried, mut worse) = (Vec::new(), 0);
    watcher.begin("head", LAMBDAS.len());
    for lambda in LAMBDAS {
        let objective = Objective {
            features: features.view(),
            labels: learn.labels,
            weights: &weights,
            categories,
            lambda,
            seen: Mutex::new(Seen::default()),
        };
        let start = at.unwrap_or_else(|| vec![0.0; objective.len()]);
        search(&objective, start)?;
        let found = objective
            .best_so_far()
            .ok_or_else(|| FitError::Numbers("no number came out".into()))?;
        let head = Head::from(standard.fold(&objective.head(&found)));
        let step = judge_head(&head, choose, lambda);
        tried.push(step);
        witness(Tried { count: tried.len(), step, head: &head, path: &objective.path() })?;
        at = Some(found);
        watcher.advance(1);
        if best.as_ref().is_none_or(|(best, _)| step.log_loss < best.log_loss) {
            best = Some((step, head));
            worse = 0;
        } else {
            worse += 1;
            if worse >= PATIENCE {
                break;
            }
        }
    }
    watcher.end();
    let (step, head) = best.ok_or_else(|| FitError::Numbers("nothing was tried".into()))?;
    Ok(Fit { head, lambda: step.lambda, tried })
}

/// Learns a head with a hidden layer, and keeps the epoch that serves the pictures that
/// choose best.
fn learned(
    lesson: Lesson<'_>,
    standard: &Standard,
    choose: Known<'_>,
    watcher: &dyn Watcher,
    witness: &mut Witness<'_>,
) -> Result<Fit, FitError> {
    let mut learner = Learner::new(lesson);
    let mut best: Option<(Step, Head)> = None;
    let mut tried = Vec::new();
    watcher.begin("head", EPOCHS);
    for _ in 0..EPOCHS {
        let loss = learner.epoch();
        if !loss.is_finite() {
            return Err(FitError::Numbers(format!("the loss is {loss}")));
        }
        let [hidden, output] = learner.layers();
        let head = Head { hidden: Some(standard.fold(&hidden)), output };
        let step = judge_head(&head, choose, DECAY);
        tried.push(step);
        witness(Tried { count: tried.len(), step, head: &head, path: &[loss] })?;
        watcher.advance(1);
        if best.as_ref().is_none_or(|(best, _)| step.log_loss < best.log_loss) {
            best = Some((step, head));
        }
    }
    watcher.end();
    let (step, head) = best.ok_or_else(|| FitError::Numbers("nothing was learned".into()))?;
    Ok(Fit { head, lambda: step.lambda, tried })
}

/// Searches until nothing changes any more. Near the end the line search may
/// find no step that single precision can tell from none, which it calls an
/// error; the best point that was seen is what counts.
fn search(objective: &Objective<'_>, start: Vec<f64>) -> Result<(), FitError> {
    let fault = |error: argmin::core::Error| FitError::Numbers(error.to_string());
    let line =
        MoreThuenteLineSearch::<Vec<f64>, Vec<f64>, f64>::new().with_c(1e-4, 0.9).map_err(fault)?;
    let solver = LBFGS::<_, Vec<f64>, Vec<f64>, f64>::new(line, MEMORY)
        .with_tolerance_grad(TOLERANCE)
        .and_then(|solver| solver.with_tolerance_cost(TOLERANCE))
        .map_err(fault)?;
    let ended = Executor::new(objective, solver)
        .configure(|state| state.param(start).max_iters(ITERATIONS))
        .run();
    match ended {
        Ok(_) => Ok(()),
        Err(_) if objective.best_so_far().is_some() => Ok(()),
        Err(error) => Err(fault(error)),
    }
}

fn judge_head(head: &Head, choose: Known<'_>, lambda: f64) -> Step {
    let (log_loss, top_1) = judge(&head.logits(&choose.features).view(), choose.labels);
    Step { lambda, log_loss, top_1 }
}

/// The mean log loss of logits at its best temperature, and the share of rows
/// whose largest logit is that of their label.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
pub fn judge(logits: &ArrayView2<'_, f32>, labels: &[usize]) -> (f64, f64) {
    let temperature = temperature(logits, labels);
    let best = logits.rows().into_iter().map(|row| {
        let by_logit = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        by_logit.map(|(place, _)| place)
    });
    let right = best.zip(labels).filter(|(best, label)| *best == Some(**label)).count();
    let log_loss = log_loss(logits, labels, temperature);
    (log_loss, right as f64 / labels.len().max(1) as f64)
}
