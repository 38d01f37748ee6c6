//! Whether an answer is sure enough to do without a human.

use serde::{Deserialize, Serialize};

use super::Prediction;

/// From which scores on answers are right as often as a shop asks for: chosen
/// in training on pictures that were not learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The share of right answers, above 0 and at most 1.
    pub precision: f64,
    /// The least score of the best label, 0 to 1; `None` where no score gives
    /// that share.
    pub score: Option<f64>,
    /// The same for the best category of each level above the leaves, root
    /// first, among those pictures that are not accepted nearer the leaves.
    /// Empty where parent categories are not fallen back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Option<f64>>,
}

/// Where on the way from the leaf to the root an answer is sure enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The best label is.
    Leaf,
    /// The best category of this level is, counted from the root: 0 is the
    /// outermost.
    Level(usize),
    /// Nothing is.
    Nothing,
}

impl Acceptance {
    /// Decides on a picture by the score of its best label and those of the
    /// best category of each level above, root first: the label where it is
    /// sure enough, else the best category of the nearest level above that is.
    /// That need not be the parent of the best label: where many leaves of one
    /// parent share what is probable, another leaf may be the best.
    #[must_use]
    pub fn reached(&self, leaf: f64, levels: &[f64]) -> Reached {
        let is_enough = |score: f64, least: Option<f64>| least.is_some_and(|least| score >= least);
        if is_enough(leaf, self.score) {
            return Reached::Leaf;
        }
        let rules = levels.iter().zip(&self.levels).enumerate().rev();
        let mut reached = rules.filter(|(_, (score, least))| is_enough(**score, **least));
        reached.next().map_or(Reached::Nothing, |(level, _)| Reached::Level(level))
    }
}

/// What may be done with an answer without a human.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The share of right answers that was decided at.
    pub precision: f64,
    /// What is accepted.
    #[serde(flatten)]
    pub accepted: Accepted,
}

/// What of an answer is accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "accepted", content = "category", rename_all = "snake_case")]
pub enum Accepted {
    /// The best label.
    Leaf(Prediction),
    /// The best category of a level above the labels.
    Parent(Prediction),
    /// Nothing: a human has to look.
    None,
}

impl Accepted {
    /// The word that stands in JSON and in metric labels.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Leaf(_) => "leaf",
            Self::Parent(_) => "parent",
            Self::None => "none",
        }
    }

    /// The category that is accepted.
    #[must_use]
    pub const fn category(&self) -> Option<&Prediction> {
        match self {
            Self::Leaf(category) | Self::Parent(category) => Some(category),
            Self::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(score: Option<f64>, levels: &[Option<f64>]) -> Acceptance {
        Acceptance { precision: 0.95, score, levels: levels.to_vec() }
    }

    #[test]
    fn the_leaf_goes_before_its_parents_and_the_nearest_level_before_the_root() {
        let rule = rule(Some(0.9), &[Some(0.7), Some(0.8)]);
        assert_eq!(rule.reached(0.9, &[1.0, 1.0]), Reached::Leaf);
        assert_eq!(rule.reached(0.89, &[1.0, 0.8]), Reached::Level(1));
        assert_eq!(rule.reached(0.89, &[0.7, 0.79]), Reached::Level(0));
        assert_eq!(rule.reached(0.89, &[0.69, 0.79]), Reached::Nothing);
    }

    #[test]
    fn what_has_no_threshold_is_never_accepted() {
        assert_eq!(rule(None, &[]).reached(1.0, &[1.0]), Reached::Nothing);
        assert_eq!(rule(None, &[Some(0.5), None]).reached(1.0, &[1.0, 1.0]), Reached::Level(0));
        assert_eq!(rule(Some(0.5), &[]).reached(0.4, &[1.0]), Reached::Nothing);
    }

    #[test]
    fn a_decision_survives_being_written_down() {
        let category = Prediction {
            label: "Shoes".to_owned(),
            path: vec!["Shoes".to_owned()],
            score: f32::from_bits(0x3f7f_fffe),
        };
        for accepted in
            [Accepted::Leaf(category.clone()), Accepted::Parent(category), Accepted::None]
        {
            let decision = Decision { precision: 0.95, accepted };
            let text = serde_json::to_string(&decision).unwrap();
            let word = format!("\"accepted\":\"{}\"", decision.accepted.as_str());
            assert!(text.contains(&word), "{text}");
            assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
        }
    }
}
