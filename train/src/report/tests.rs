use aisle_worker::model::Acceptance;
use ndarray::{Array2, array};

use super::*;
use crate::dataset::{Category, Picture, Place};

/// Judges pictures that are called by their numbers.
fn judged(
    categories: &[Category],
    logits: &Array2<f32>,
    labels: &[usize],
    temperature: f64,
    accept: &[Acceptance],
) -> Judgement {
    let picture = |(nth, label): (usize, &usize)| Picture {
        name: nth.to_string(),
        place: Place::File(nth.to_string().into()),
        category: categories[*label].clone(),
        part: None,
    };
    let pictures: Vec<Picture> = labels.iter().enumerate().map(picture).collect();
    let pictures: Vec<&Picture> = pictures.iter().collect();
    let pool = Pool { categories, logits: logits.view(), labels, pictures: &pictures };
    judge(pool, temperature, accept)
}

fn categories(names: &[&str]) -> Vec<Category> {
    names.iter().map(|name| Category::new([name]).unwrap()).collect()
}

#[test]
fn an_interval_is_wilsons() {
    // statsmodels: proportion_confint(305, 341, method="wilson")
    let share = Share::new(305, 341);
    assert!((share.low - 0.857_305).abs() < 1e-4 && (share.high - 0.922_763).abs() < 1e-4);
    assert_eq!(Share::new(0, 10).low, 0.0);
    assert!(Share::new(10, 10).high > 0.999);
    assert_eq!((Share::new(0, 0).low, Share::new(0, 0).high), (0.0, 1.0));
}

#[test]
fn answers_are_counted_where_they_belong() {
    let categories = categories(&["A", "B", "C", "D"]);
    let logits = array![
        [9.0, 1.0, 2.0, 3.0],
        [9.0, 1.0, 2.0, 3.0],
        [1.0, 9.0, 2.0, 3.0],
        [5.0, 1.0, 2.0, 9.0]
    ];
    let labels = [0, 1, 1, 2];
    let judgement = judged(&categories, &logits, &labels, 1.0, &[]);
    assert_eq!((judgement.top_1.count, judgement.top_1.of), (2, 4));
    // The second picture's own category is the last of four.
    assert_eq!(judgement.top_3.count, 3);
    assert_eq!(judgement.confusion[1], [1, 1, 0, 0]);
    let a = &judgement.categories[0];
    assert_eq!((a.precision.count, a.precision.of, a.recall.of), (1, 2, 1));
    let pairs: Vec<_> = (judgement.most_confused.iter())
        .map(|pair| (pair.shown.to_string(), pair.taken_for.to_string(), pair.pictures))
        .collect();
    assert_eq!(pairs, [("B".into(), "A".into(), 1), ("C".into(), "D".into(), 1)]);
    assert_eq!(judgement.most_confused[0].examples, ["1"]);
}

#[test]
fn the_worst_mistakes_come_first_and_what_is_right_is_none() {
    let categories = categories(&["A", "B"]);
    let logits = array![[2.0, 1.0], [1.0, 2.0], [1.0, 9.0]];
    let judgement = judged(&categories, &logits, &[0, 0, 0], 1.0, &[]);
    let losses = judgement.largest_losses;
    let named: Vec<_> = losses.iter().map(|loss| loss.picture.as_str()).collect();
    assert_eq!(named, ["2", "1"]);
    assert!((losses[1].loss - (1.0 + 1_f64.exp()).ln()).abs() < 1e-6, "{losses:?}");
    assert_eq!(
        (losses[0].shown.to_string(), losses[0].taken_for.to_string()),
        ("A".into(), "B".into())
    );
}

#[test]
fn a_curve_takes_equal_scores_together_and_ends_with_all() {
    let categories = categories(&["A", "B"]);
    let logits = array![[9.0, 0.0], [2.0, 0.0], [2.0, 0.0], [1.0, 0.0]];
    let curve = judged(&categories, &logits, &[0, 0, 1, 0], 1.0, &[]).curve;
    let drawn: Vec<_> = curve.iter().map(|point| (point.accepted, point.right)).collect();
    assert_eq!(drawn, [(0.25, 1.0), (0.75, 2.0 / 3.0), (1.0, 0.75)]);
}

#[test]
fn a_level_is_right_when_the_sum_of_its_leaves_is() {
    let categories = categories(&["Shoes > Flat", "Shoes > Heels", "Hats"]);
    // The hat is the best leaf, the shoes together are better.
    let logits = array![[1.0, 1.0, 1.2], [0.0, 0.0, 5.0]];
    let labels = [0, 0];
    let judgement = judged(&categories, &logits, &labels, 1.0, &[]);
    assert_eq!(judgement.top_1.count, 0);
    assert_eq!(judgement.levels.len(), 1);
    assert_eq!(judgement.levels[0].categories, 2);
    assert_eq!((judgement.levels[0].right.count, judgement.levels[0].right.of), (1, 2));
}

#[test]
fn a_threshold_gives_what_was_asked_for_and_accepts_as_much_as_it_can() {
    // 60 sure and right, 40 at 0.9 of which 36 are right, 20 at 0.5 of which 10 are.
    let answers: Vec<(f64, bool)> = (0..120)
        .map(|nth| match nth {
            0..60 => (0.99, true),
            60..100 => (0.9, nth < 96),
            _ => (0.5, nth < 110),
        })
        .collect();
    let found = thresholds(&answers);
    let just_below = |found: Acceptance, score: f64| {
        found.score.is_some_and(|found| found < score && score - found < 1e-4)
    };
    assert!(found[0].precision == 0.95 && just_below(found[0], 0.9), "{found:?}");
    assert!(found[1].precision == 0.98 && just_below(found[1], 0.99), "{found:?}");
    let accepted = Accepted::of(found[0], &answers);
    assert_eq!((accepted.accepted.count, accepted.right.count), (100, 96));
}

#[test]
fn scores_that_promise_too_little_are_not_accepted_for_having_been_lucky() {
    let lucky = vec![(0.6, true); 50];
    assert_eq!(thresholds(&lucky)[0].score, None);
    let nothing = Accepted::of(thresholds(&lucky)[0], &lucky);
    assert_eq!((nothing.accepted.count, nothing.right.of), (0, 0));
}

#[test]
fn the_calibration_error_is_the_gap_between_sure_and_right() {
    let categories = categories(&["A", "B"]);
    let sure =
        Array2::from_shape_fn((10, 2), |(_, category)| if category == 0 { 50.0 } else { 0.0 });
    let labels: Vec<usize> = (0..10).map(|nth| usize::from(nth >= 8)).collect();
    let calibration = judged(&categories, &sure, &labels, 36.07, &[]).calibration;
    assert!((calibration.before - 0.2).abs() < 1e-6, "{calibration:?}");
    assert!(calibration.after < 0.001, "{calibration:?}");
    let [bin] = calibration.bins.as_slice() else { panic!("{calibration:?}") };
    assert_eq!((bin.pictures, bin.right), (10, 0.8));
}

#[test]
fn people_read_the_figures() {
    let categories = categories(&["A", "B"]);
    let logits = array![[9.0, 1.0], [9.0, 1.0]];
    let judgement = judged(&categories, &logits, &[0, 1], 1.0, &thresholds(&[(0.99, true)]));
    let text = as_text("test", &judgement);
    assert!(text.starts_with("test: 2 pictures\n"), "{text}");
    assert!(text.contains("50.0 % (9.5 to 90.5; 1 of 2)"), "{text}");
    assert!(text.contains("1 × B taken for A"), "{text}");
    assert!(text.contains("1: B at 0.000, A at 1.000"), "{text}");
}
