//! Temperature scaling: one number that logits are divided by, chosen so that
//! scores on unseen pictures are as sure as they are right (Guo et al. 2017,
//! "On Calibration of Modern Neural Networks").

use argmin::core::{CostFunction, Error, Executor, State};
use argmin::solver::brent::BrentOpt;
use ndarray::ArrayView2;

use super::log_loss;

/// The logarithms of the temperatures that are tried: 1/20 to 20.
const RANGE: (f64, f64) = (-3.0, 3.0);

/// A step in the logarithm that makes no difference.
const TOLERANCE: f64 = 1e-4;

/// The log loss at a temperature's logarithm.
struct Loss<'a> {
    logits: &'a ArrayView2<'a, f32>,
    labels: &'a [usize],
}

impl CostFunction for Loss<'_> {
    type Param = f64;
    type Output = f64;

    fn cost(&self, logarithm: &f64) -> Result<f64, Error> {
        Ok(log_loss(self.logits, self.labels, logarithm.exp()))
    }
}

/// The temperature with the least log loss; 1 where there is nothing to go by.
#[must_use]
pub fn temperature(logits: &ArrayView2<'_, f32>, labels: &[usize]) -> f64 {
    if labels.is_empty() {
        return 1.0;
    }
    let (low, high) = RANGE;
    let solver = BrentOpt::new(low, high).set_tolerance(TOLERANCE, TOLERANCE);
    let found =
        Executor::new(Loss { logits, labels }, solver).configure(|state| state.max_iters(60)).run();
    let best = found.ok().and_then(|found| found.state.get_best_param().copied());
    best.map_or(1.0, f64::exp)
}
