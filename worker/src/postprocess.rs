//! From logits to predictions: scores that are probabilities, the best of
//! them with their labels and paths, and their sums up the tree.

use std::cmp::Ordering;

use aisle_shared::domain::{
    Acceptance, Accepted, Activation, Decision, ErrorCode, ItemError, JobOptions, Prediction,
    Reached,
};
use serde::{Deserialize, Serialize};

use crate::model::{Level, ModelFolder, Taxonomy};

/// A model's postprocessing.
#[derive(Debug)]
pub struct Postprocessor {
    taxonomy: Taxonomy,
    activation: Activation,
    temperature: f32,
    accept: Vec<Acceptance>,
}

/// What is wanted of an image's logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// How many categories, at least 1.
    pub top_k: u32,
    /// The share of right answers to decide at; the model's lowest where
    /// nothing was chosen.
    pub accept_precision: Option<f64>,
}

/// The best categories of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Among the labels, best first.
    pub predictions: Vec<Prediction>,
    /// At each level above the leaves, root first.
    pub levels: Vec<Vec<Prediction>>,
    /// What is accepted, where the model says from which scores on.
    pub decision: Option<Decision>,
}

/// A category by its place among its kind, with its score.
pub(crate) type Ranked = (u32, f32);

/// The best categories of one image by their places, without their names: what
/// is kept of an answer. Its beginnings are the answers to smaller questions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) leaves: Vec<Ranked>,
    /// At each level above the leaves, root first.
    pub(crate) levels: Vec<Vec<Ranked>>,
}

impl Postprocessor {
    /// The postprocessing that a model folder describes.
    #[must_use]
    pub fn new(folder: &ModelFolder) -> Self {
        Self {
            taxonomy: folder.taxonomy.clone(),
            activation: folder.activation,
            temperature: folder.temperature,
            accept: folder.accept.clone(),
        }
    }

    /// The best categories for one image's logits, and whether they are sure
    /// enough.
    ///
    /// # Errors
    /// `inference_failed` when a logit is no number.
    pub fn rank(&self, logits: &[f32], question: Question) -> Result<Ranking, ItemError> {
        Ok(self.answer(&self.order(logits, question.top_k)?, question))
    }

    /// The score of each label for one image's logits, in their order.
    #[must_use]
    pub fn scores(&self, logits: &[f32]) -> Vec<f32> {
        scores(logits, self.activation, self.temperature)
    }

    /// The places of the best `depth` categories for one image's logits, of
    /// each kind one at least: decisions are made by the best.
    ///
    /// # Errors
    /// `inference_failed` when a logit is no number.
    pub(crate) fn order(&self, logits: &[f32], depth: u32) -> Result<Order, ItemError> {
        if logits.iter().any(|logit| logit.is_nan()) {
            let detail = "the network answered with something that is no number";
            return Err(ItemError::new(ErrorCode::InferenceFailed, detail));
        }
        let depth = depth.max(1);
        let scores = self.scores(logits);
        let levels = self.taxonomy.levels().iter();
        Ok(Order {
            leaves: best(&scores, depth),
            levels: levels
                .map(|level| best(&rolled_up(&scores, level, self.activation), depth))
                .collect(),
        })
    }

    /// The answer that an order holds, with names.
    pub(crate) fn answer(&self, order: &Order, question: Question) -> Ranking {
        let top_k = usize::try_from(question.top_k).unwrap_or(usize::MAX);
        Ranking {
            predictions: self.leaves(order, top_k),
            levels: (0..self.taxonomy.levels().len())
                .map(|level| self.level(order, level, top_k))
                .collect(),
            decision: self.decide(order, question.accept_precision),
        }
    }

    /// What of an order is accepted, at the least precision that the model has
    /// thresholds for and that is no less than what is asked for.
    fn decide(&self, order: &Order, asked: Option<f64>) -> Option<Decision> {
        let lowest = self.accept.first()?;
        let asked = asked.unwrap_or(lowest.precision);
        // Another version of the model may have offered other precisions when
        // the job was submitted.
        let Some(rule) = self.accept.iter().find(|each| each.precision >= asked) else {
            return Some(Decision { precision: asked, accepted: Accepted::None });
        };
        let best = |order: &[Ranked]| order.first().map_or(0.0, |(_, score)| f64::from(*score));
        let levels: Vec<f64> = order.levels.iter().map(|level| best(level)).collect();
        let accepted = match rule.reached(best(&order.leaves), &levels) {
            Reached::Leaf => self.leaves(order, 1).pop().map(Accepted::Leaf),
            Reached::Level(level) => self.level(order, level, 1).pop().map(Accepted::Parent),
            Reached::Nothing => None,
        };
        let accepted = accepted.unwrap_or(Accepted::None);
        Some(Decision { precision: rule.precision, accepted })
    }

    /// The best labels of an order by their names.
    fn leaves(&self, order: &Order, top_k: usize) -> Vec<Prediction> {
        let (labels, paths) = (self.taxonomy.labels(), self.taxonomy.paths());
        named(&order.leaves, top_k, |place| Some((labels.get(place)?, paths.get(place)?)))
    }

    /// The best categories of a level of an order by their names.
    fn level(&self, order: &Order, level: usize, top_k: usize) -> Vec<Prediction> {
        let (Some(level), Some(order)) =
            (self.taxonomy.levels().get(level), order.levels.get(level))
        else {
            return Vec::new();
        };
        named(order, top_k, |place| level.categories.get(place).map(|(label, path)| (label, path)))
    }

    /// Whether an order that was kept holds the best `top_k` of this model.
    pub(crate) fn fits(&self, order: &Order, top_k: u32) -> bool {
        let levels = self.taxonomy.levels();
        let wanted = usize::try_from(top_k.max(1)).unwrap_or(usize::MAX);
        let deep = |order: &[Ranked], there: usize| {
            let known = |(place, _): &Ranked| usize::try_from(*place).is_ok_and(|at| at < there);
            order.len() >= wanted.min(there) && order.iter().all(known)
        };
        deep(&order.leaves, self.taxonomy.labels().len())
            && order.levels.len() == levels.len()
            && levels.iter().zip(&order.levels).all(|(l, order)| deep(order, l.categories.len()))
    }
}

impl Question {
    /// The best `top_k` categories, decided on as the model says.
    #[must_use]
    pub const fn best(top_k: u32) -> Self {
        Self { top_k, accept_precision: None }
    }
}

impl From<&JobOptions> for Question {
    fn from(options: &JobOptions) -> Self {
        Self { top_k: options.top_k, accept_precision: options.accept_precision }
    }
}

/// Probabilities: softmax shifted by the largest logit, or sigmoid.
pub(crate) fn scores(logits: &[f32], activation: Activation, temperature: f32) -> Vec<f32> {
    match activation {
        Activation::Sigmoid => {
            logits.iter().map(|logit| 1.0 / (1.0 + (-logit / temperature).exp())).collect()
        }
        Activation::Softmax => {
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut powers: Vec<f32> =
                logits.iter().map(|logit| ((logit - largest) / temperature).exp()).collect();
            let sum: f32 = powers.iter().sum();
            powers.iter_mut().for_each(|power| *power /= sum);
            powers
        }
    }
}

/// A level's scores: what its leaves add up to where exactly one is right,
/// the best of them where each stands alone.
fn rolled_up(scores: &[f32], level: &Level, activation: Activation) -> Vec<f32> {
    let mut rolled = vec![0.0_f32; level.categories.len()];
    for (score, category) in scores.iter().zip(&level.category_of) {
        if let Some(place) = category.and_then(|category| rolled.get_mut(category)) {
            *place = match activation {
                Activation::Softmax => (*place + score).min(1.0),
                Activation::Sigmoid => place.max(*score),
            };
        }
    }
    rolled
}

/// The best `depth` by score, ties by place, without sorting the rest.
fn best(scores: &[f32], depth: u32) -> Vec<Ranked> {
    let depth = usize::try_from(depth).unwrap_or(usize::MAX);
    let mut ranked: Vec<Ranked> = (0..).zip(scores.iter().copied()).collect();
    let by_rank = |a: &Ranked, b: &Ranked| -> Ordering { b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)) };
    if depth < ranked.len() {
        ranked.select_nth_unstable_by(depth, by_rank);
        ranked.truncate(depth);
    }
    ranked.sort_unstable_by(by_rank);
    ranked
}

/// The first `top_k` of them by their names.
fn named<'a>(
    ranked: &[Ranked],
    top_k: usize,
    name: impl Fn(usize) -> Option<(&'a String, &'a Vec<String>)>,
) -> Vec<Prediction> {
    let named = ranked.iter().take(top_k).filter_map(|(place, score)| {
        let (label, path) = name(usize::try_from(*place).ok()?)?;
        Some(Prediction { label: label.clone(), path: path.clone(), score: *score })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    fn places(scores: &[f32], depth: u32) -> Vec<u32> {
        best(scores, depth).into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn softmax_adds_up_to_one() {
        // numpy: e ** [1, 2, 3] / sum
        let scores = scores(&[1.0, 2.0, 3.0], Activation::Softmax, 1.0);
        assert!(close(&scores, &[0.090_030_57, 0.244_728_47, 0.665_240_96]), "{scores:?}");
    }

    #[test]
    fn softmax_of_huge_logits_does_not_overflow() {
        let huge = scores(&[1e30, 1e30, -1e30], Activation::Softmax, 1.0);
        assert!(close(&huge, &[0.5, 0.5, 0.0]), "{huge:?}");
        let low = scores(&[-1000.0, -1001.0], Activation::Softmax, 1.0);
        assert!(close(&low, &[0.731_058_6, 0.268_941_4]), "{low:?}");
    }

    #[test]
    fn a_temperature_above_one_evens_scores_out() {
        let warm = scores(&[0.0, 2.0], Activation::Softmax, 2.0);
        assert!(close(&warm, &[0.268_941_4, 0.731_058_6]), "{warm:?}");
    }

    #[test]
    fn sigmoid_scores_stand_alone() {
        let scores = scores(&[0.0, 100.0, -100.0], Activation::Sigmoid, 1.0);
        assert!(close(&scores, &[0.5, 1.0, 0.0]), "{scores:?}");
    }

    #[test]
    fn the_best_come_first_and_ties_keep_their_order() {
        assert_eq!(places(&[0.1, 0.4, 0.2, 0.4, 0.0], 3), [1, 3, 2]);
        assert_eq!(places(&[0.1, 0.4], 9), [1, 0]);
    }

    #[test]
    fn a_smaller_question_is_answered_by_the_beginning_of_a_larger_answer() {
        let scores: Vec<f32> = (0_u16..500).map(|n| f32::from(n * 37 % 100)).collect();
        let whole = best(&scores, 500);
        for depth in [1, 2, 16, 99, 499] {
            assert_eq!(best(&scores, depth), whole[..depth as usize]);
        }
    }

    #[test]
    fn a_level_has_the_sum_of_its_leaves_or_their_best() {
        let level = Level {
            categories: vec![("a".into(), vec!["a".into()]), ("b".into(), vec!["b".into()])],
            category_of: vec![Some(0), Some(1), Some(0), None],
        };
        let leaves = [0.2, 0.3, 0.4, 0.1];
        assert!(close(&rolled_up(&leaves, &level, Activation::Softmax), &[0.6, 0.3]));
        assert!(close(&rolled_up(&leaves, &level, Activation::Sigmoid), &[0.4, 0.3]));
    }

    /// A folder with two kinds of cold things and one warm one.
    fn deciding(accept: &str) -> Postprocessor {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("model.onnx", "graph".to_owned()),
            (
                "config.json",
                r#"{"id2label":{"0":"Warm > Red","1":"Cold > Green","2":"Cold > Blue"}}"#
                    .to_owned(),
            ),
            (
                "preprocessor_config.json",
                r#"{"image_processor_type":"ViTImageProcessor"}"#.to_owned(),
            ),
            ("aisle.json", format!(r#"{{"accept":[{accept}]}}"#)),
        ];
        let path = folder.path().join("tiny");
        std::fs::create_dir(&path).unwrap();
        for (name, content) in files {
            std::fs::write(path.join(name), content).unwrap();
        }
        Postprocessor::new(&ModelFolder::open(&path).unwrap())
    }

    const OFFERED: &str = r#"{"precision":0.95,"score":0.8,"levels":[0.9]},
        {"precision":0.98,"score":0.99,"levels":[null]}"#;

    /// Logits whose best label and whose coldness are not sure, or are.
    const CYAN: [f32; 3] = [-9.0, 3.0, 3.1];

    #[test]
    fn a_decision_is_the_same_whatever_is_asked_for_and_kept() {
        let post = deciding(OFFERED);
        for depth in [0, 1, 16] {
            let order = post.order(&CYAN, depth).unwrap();
            for top_k in [1, 3] {
                let decision = post.answer(&order, Question::best(top_k)).decision.unwrap();
                let path = &decision.accepted.category().unwrap().path;
                assert_eq!(
                    (decision.accepted.as_str(), path.as_slice()),
                    ("parent", &["Cold".to_owned()][..])
                );
            }
        }
    }

    #[test]
    fn a_precision_that_this_version_does_not_offer_is_met_by_a_higher_one_or_not_at_all() {
        let post = deciding(OFFERED);
        let red = [9.0, 0.0, 0.0];
        let decided = |asked| {
            let question = Question { top_k: 1, accept_precision: asked };
            let decision = post.rank(&red, question).unwrap().decision.unwrap();
            (decision.precision, decision.accepted.as_str())
        };
        assert_eq!(decided(None), (0.95, "leaf"));
        assert_eq!(decided(Some(0.96)), (0.98, "leaf"));
        assert_eq!(decided(Some(0.999)), (0.999, "none"));
        let plain = deciding("");
        assert_eq!(plain.rank(&red, Question::best(1)).unwrap().decision, None);
    }
}
