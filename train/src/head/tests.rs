use std::num::NonZeroUsize;

use ndarray::{Array2, array};

use super::*;
use crate::watch::Nobody;

/// A fit that nobody watches.
fn fit(
    learn: Known<'_>,
    choose: Known<'_>,
    categories: usize,
    rules: Rules,
) -> Result<Fit, FitError> {
    super::fit(learn, choose, categories, rules, &Nobody, &mut |_| Ok(()))
}

/// Rows around a corner of their own for each label, which a linear head can
/// tell apart, spread by a fixed pattern.
fn corners(labels: &[usize]) -> Array2<f32> {
    Array2::from_shape_fn((labels.len(), 6), |(row, feature)| {
        let spread = ((row * 7 + feature * 13) % 11) as f32 / 11.0;
        if feature == labels[row] { 3.0 + spread } else { spread }
    })
}

fn labels(count: usize) -> Vec<usize> {
    (0..count).map(|nth| nth % 3).collect()
}

#[test]
fn a_head_tells_apart_what_a_line_can() {
    let learn = labels(90);
    let choose = labels(30);
    let (features, unseen) = (corners(&learn), corners(&choose));
    let known = Known { features: features.view(), labels: &learn, plain: usize::MAX };
    let judge = Known { features: unseen.view(), labels: &choose, plain: usize::MAX };
    let fit = fit(known, judge, 3, Rules::default()).unwrap();
    let logits = fit.head.logits(&unseen.view());
    assert!(log_loss(&logits.view(), &choose, 1.0) < 0.2, "{:?}", fit.tried);
    assert!(fit.tried.iter().any(|step| step.lambda == fit.lambda && step.top_1 == 1.0));
}

#[test]
fn two_fits_are_the_same_to_the_bit_whatever_the_threads() {
    let learn = labels(300);
    let features = corners(&learn);
    let known = Known { features: features.view(), labels: &learn, plain: usize::MAX };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let hidden = Rules { hidden: NonZeroUsize::new(20), ..Rules::default() };
        pool.install(|| {
            [Rules::default(), hidden].map(|rules| fit(known, known, 3, rules).unwrap().head)
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_hidden_layer_tells_apart_what_no_line_can() {
    // Two features that agree in one category and differ in the other.
    let labels: Vec<usize> = (0..3_000).map(|nth| nth % 2).collect();
    let features = Array2::from_shape_fn((labels.len(), 2), |(row, feature)| {
        let side = if row % 4 < 2 { 1.0 } else { -1.0 };
        let turned = feature == 1 && labels[row] == 1;
        let spread = ((row * 7 + feature * 13) % 11) as f32 / 11.0 - 0.5;
        (if turned { -side } else { side }) + spread
    });
    let known = Known { features: features.view(), labels: &labels, plain: usize::MAX };
    let right = |hidden| {
        let rules = Rules { hidden: NonZeroUsize::new(hidden), ..Rules::default() };
        let fit = fit(known, known, 2, rules).unwrap();
        judge(&fit.head.logits(&features.view()).view(), &labels).1
    };
    assert!(right(0) < 0.7, "{}", right(0));
    assert!(right(64) > 0.95, "{}", right(64));
}

#[test]
fn a_feature_that_never_changes_has_no_weight() {
    let learn = labels(60);
    let mut features = corners(&learn);
    features.column_mut(5).fill(7.5);
    let known = Known { features: features.view(), labels: &learn, plain: usize::MAX };
    let head = fit(known, known, 3, Rules::default()).unwrap().head;
    assert!(head.output.weight.column(5).iter().all(|weight| *weight == 0.0));
    assert!(head.output.bias.iter().all(|bias| bias.is_finite()));
}

#[test]
fn balance_lifts_the_small_category() {
    // Half of the rows of category 1 look like category 0, which has many more.
    let learn: Vec<usize> = (0..220).map(|nth| usize::from(nth >= 200)).collect();
    let features = Array2::from_shape_fn((220, 1), |(row, _)| match row {
        0..200 | 210.. => 0.0,
        _ => 1.0,
    });
    let known = Known { features: features.view(), labels: &learn, plain: usize::MAX };
    let share = |balance| {
        let head = fit(known, known, 2, Rules { balance, ..Rules::default() }).unwrap().head.output;
        scores(&head.logits(&array![[0.0]].view()).view(), 1.0)[[0, 1]]
    };
    assert!(share(1.0) > 2.0 * share(0.0), "{} and {}", share(1.0), share(0.0));
}

#[test]
fn logits_that_are_too_sure_are_cooled_and_timid_ones_are_sharpened() {
    // Right in three of four.
    let labels = [0, 0, 0, 1];
    let sure =
        Array2::from_shape_fn((4, 2), |(_, category)| if category == 0 { 20.0 } else { 0.0 });
    let found = temperature(&sure.view(), &labels);
    let score = scores(&sure.view(), found)[[0, 0]];
    assert!((score - 0.75).abs() < 0.01, "{score} at {found}");
    let timid = sure.mapv(|logit| logit / 200.0);
    let found = temperature(&timid.view(), &labels);
    assert!(found < 0.2, "{found}");
}

#[test]
fn features_that_are_no_numbers_are_an_error() {
    let learn = labels(9);
    let mut features = corners(&learn);
    features[[0, 0]] = f32::NAN;
    let known = Known { features: features.view(), labels: &learn, plain: usize::MAX };
    assert!(fit(known, known, 3, Rules::default()).is_err());
}

#[test]
fn a_witness_sees_each_strength_and_how_the_objective_fell() {
    let learn = labels(90);
    let features = corners(&learn);
    let known = Known { features: features.view(), labels: &learn, plain: usize::MAX };
    let mut seen = Vec::new();
    let mut witness = |tried: Tried<'_>| {
        assert!(tried.path.is_sorted_by(|a, b| a >= b), "{:?}", tried.path);
        assert!(tried.path.first() > tried.path.last());
        seen.push((tried.count, tried.step.lambda));
        Ok(())
    };
    let fit = super::fit(known, known, 3, Rules::default(), &Nobody, &mut witness).unwrap();
    let told: Vec<_> = (1..).zip(fit.tried.iter().map(|step| step.lambda)).collect();
    assert_eq!(seen, told);
}

#[test]
fn views_together_count_less_than_the_pictures_themselves() {
    // Views of the first category look like the second.
    let learn = [labels(60), labels(60).repeat(3)].concat();
    let features = Array2::from_shape_fn((240, 3), |(row, feature)| {
        let looks = if row >= 60 && learn[row] == 0 { 1 } else { learn[row] };
        if feature == looks { 3.0 } else { 0.0 }
    });
    let choose = labels(30);
    let unseen = features.select(ndarray::Axis(0), &(0..30).collect::<Vec<_>>());
    let judge = Known { features: unseen.view(), labels: &choose, plain: usize::MAX };
    let score = |plain| {
        let known = Known { features: features.view(), labels: &learn, plain };
        let head = fit(known, judge, 3, Rules::default()).unwrap().head;
        scores(&head.logits(&array![[0.0, 3.0, 0.0]].view()).view(), 1.0)[[0, 1]]
    };
    let (told, untold) = (score(60), score(usize::MAX));
    assert!(told > untold + 0.1, "{told} where views are known as such, {untold} where not");
}
