//! Holding answers against what pictures show.

use std::collections::BTreeMap;

use aisle_shared::domain::Acceptance;
use ndarray::{ArrayView1, ArrayView2};
use serde::Serialize;

use super::accepted::{Accepted, Answer, Best};
use super::calibration::{self, Calibration};
use super::curve::{Point, curve};
use super::loss::{self, Loss};
use super::share::Share;
use crate::dataset::{Category, Picture};
use crate::head::scores;

/// Pairs of categories that are named at most.
const CONFUSED: usize = 20;

/// Pictures of a confused pair that are named at most.
const EXAMPLES: usize = 4;

/// Pictures with their logits, and what they show.
#[derive(Debug, Clone, Copy)]
pub struct Pool<'a> {
    /// The categories, in the order of the logits.
    pub categories: &'a [Category],
    /// A row of logits for each picture.
    pub logits: ArrayView2<'a, f32>,
    /// The category of each picture, by its place.
    pub labels: &'a [usize],
    /// The pictures themselves; none where they need not be named.
    pub pictures: &'a [&'a Picture],
}

/// How good a model is on some pictures.
#[derive(Debug, Clone, Serialize)]
pub struct Judgement {
    /// How many pictures.
    pub pictures: usize,
    /// The best category is right.
    pub top_1: Share,
    /// One of the best three is right.
    pub top_3: Share,
    /// The levels above the leaves, root first; none where categories are flat.
    pub levels: Vec<LevelFigures>,
    /// Whether scores are as sure as they are right.
    pub calibration: Calibration,
    /// What can be accepted without a human.
    pub accepted: Vec<Accepted>,
    /// What could be accepted at every other score, from the surest down.
    pub curve: Vec<Point>,
    /// Each category.
    pub categories: Vec<CategoryFigures>,
    /// The pairs that are confused most often, most first.
    pub most_confused: Vec<Confused>,
    /// The pictures that it is most wrong about, worst first.
    pub largest_losses: Vec<Loss>,
    /// Pictures by what they show (rows) and what they were taken for
    /// (columns), in the order of the categories.
    pub confusion: Vec<Vec<usize>>,
}

/// A level of the hierarchy.
#[derive(Debug, Clone, Serialize)]
pub struct LevelFigures {
    /// Parts of a path that count: 1 for the outermost.
    pub level: usize,
    /// Categories at this level.
    pub categories: usize,
    /// The best category of the level is right, among pictures whose own path
    /// reaches it.
    pub right: Share,
}

/// A category's figures.
#[derive(Debug, Clone, Serialize)]
pub struct CategoryFigures {
    /// The category.
    pub category: Category,
    /// Of the pictures taken for it, those that show it.
    pub precision: Share,
    /// Of the pictures that show it, those taken for it.
    pub recall: Share,
}

/// Pictures of one category that were taken for another.
#[derive(Debug, Clone, Serialize)]
pub struct Confused {
    /// What they show.
    pub shown: Category,
    /// What they were taken for.
    pub taken_for: Category,
    /// How many.
    pub pictures: usize,
    /// Some of them, the surest mistakes first.
    pub examples: Vec<String>,
}

impl Judgement {
    /// The pictures that it names.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let losses = self.largest_losses.iter().map(|loss| &loss.picture);
        let examples = self.most_confused.iter().flat_map(|pair| &pair.examples);
        losses.chain(examples).map(String::as_str)
    }
}

/// The best label of each picture and the best category of each level above,
/// as serving sums them up.
#[must_use]
pub fn answers(pool: Pool<'_>, temperature: f64) -> Vec<Answer> {
    let (scores, tree) = (scores(&pool.logits, temperature), Tree::of(pool.categories));
    let answer = |(row, label): (ArrayView1<'_, f64>, &usize)| {
        let (place, score) = best_of(row.iter().copied());
        let levels = tree.levels.iter().map(|level| level.best(&row, *label)).collect();
        Answer { leaf: (score, place == *label), levels }
    };
    scores.rows().into_iter().zip(pool.labels).map(answer).collect()
}

/// Judges a model by pictures it answered, under the temperature and the
/// thresholds that it serves with.
#[must_use]
pub fn judge(pool: Pool<'_>, temperature: f64, thresholds: &[Acceptance]) -> Judgement {
    let Pool { categories, labels, .. } = pool;
    let scores = scores(&pool.logits, temperature);
    let answers_now = answers(pool, temperature);
    let (mut top_3, mut confusion) = (0, vec![vec![0_usize; categories.len()]; categories.len()]);
    let best: Vec<_> = scores.rows().into_iter().map(|row| best_of(row.iter().copied())).collect();
    for ((row, label), (taken_for, _)) in scores.rows().into_iter().zip(labels).zip(&best) {
        let own = row.get(*label).copied().unwrap_or_default();
        top_3 += usize::from(row.iter().filter(|score| **score > own).count() < 3);
        if let Some(cell) = confusion.get_mut(*label).and_then(|row| row.get_mut(*taken_for)) {
            *cell += 1;
        }
    }
    let leaves_of =
        |answers: &[Answer]| -> Vec<Best> { answers.iter().map(|answer| answer.leaf).collect() };
    let leaves = leaves_of(&answers_now);
    let (before, _) = calibration::error(&leaves_of(&answers(pool, 1.0)));
    let (after, bins) = calibration::error(&leaves);
    let right = leaves.iter().filter(|(_, right)| *right).count();
    Judgement {
        pictures: labels.len(),
        top_1: Share::new(right, labels.len()),
        top_3: Share::new(top_3, labels.len()),
        levels: levels(pool, &answers_now),
        calibration: Calibration {
            temperature,
            before,
            after,
            by_chance: calibration::chance(&leaves),
            bins,
        },
        accepted: thresholds.iter().map(|each| Accepted::of(each, &answers_now)).collect(),
        curve: curve(&leaves),
        categories: figures(categories, &confusion),
        most_confused: confused(pool, &best, &confusion),
        largest_losses: loss::largest(pool, &scores.view(), &best),
        confusion,
    }
}

/// The place of the largest value, and that value; the first among equals.
fn best_of(values: impl Iterator<Item = f64>) -> (usize, f64) {
    let first = (0, f64::NEG_INFINITY);
    values.enumerate().fold(first, |best, next| if next.1 > best.1 { next } else { best })
}

/// The levels above the leaves, root first.
struct Tree {
    levels: Vec<Level>,
}

struct Level {
    /// Categories at this level.
    known: usize,
    /// For every leaf its category, where its path reaches the level.
    place_of: Vec<Option<usize>>,
}

impl Tree {
    fn of(categories: &[Category]) -> Self {
        let depth = categories.iter().map(|category| category.parts().len()).max().unwrap_or(1);
        Self { levels: (1..depth).map(|parts| Level::of(categories, parts)).collect() }
    }
}

impl Level {
    fn of(categories: &[Category], parts: usize) -> Self {
        let mut known: BTreeMap<&[String], usize> = BTreeMap::new();
        let mut place_of = Vec::new();
        for category in categories {
            let next = known.len();
            let prefix = category.parts().get(..parts);
            place_of.push(prefix.map(|prefix| *known.entry(prefix).or_insert(next)));
        }
        Self { known: known.len(), place_of }
    }

    /// The best category by the sums of its leaves' scores; it is right where
    /// it is that of the label.
    fn best(&self, scores: &ArrayView1<'_, f64>, label: usize) -> Best {
        let mut sums = vec![0.0; self.known];
        for (score, place) in scores.iter().zip(&self.place_of) {
            if let Some(sum) = place.and_then(|place| sums.get_mut(place)) {
                *sum += score;
            }
        }
        let (place, score) = best_of(sums.into_iter());
        (score.min(1.0), self.category(label) == Some(place))
    }

    fn category(&self, label: usize) -> Option<usize> {
        self.place_of.get(label).copied().flatten()
    }
}

/// How often each level is right.
fn levels(pool: Pool<'_>, answers: &[Answer]) -> Vec<LevelFigures> {
    let tree = Tree::of(pool.categories);
    let figures = tree.levels.iter().enumerate().map(|(nth, level)| {
        let reaching = answers.iter().zip(pool.labels);
        let reaching = reaching.filter(|(_, label)| level.category(**label).is_some());
        let right: Vec<bool> =
            reaching.filter_map(|(answer, _)| Some(answer.levels.get(nth)?.1)).collect();
        let share = Share::new(right.iter().filter(|right| **right).count(), right.len());
        LevelFigures { level: nth + 1, categories: level.known, right: share }
    });
    figures.collect()
}

fn figures(categories: &[Category], confusion: &[Vec<usize>]) -> Vec<CategoryFigures> {
    let figures = categories.iter().zip(confusion).enumerate().map(|(place, (category, row))| {
        let right = row.get(place).copied().unwrap_or_default();
        let taken = confusion.iter().filter_map(|row| row.get(place)).sum();
        CategoryFigures {
            category: category.clone(),
            precision: Share::new(right, taken),
            recall: Share::new(right, row.iter().sum()),
        }
    });
    figures.collect()
}

/// The pairs, most pictures first; `best` is the best category of each picture
/// with its score.
fn confused(pool: Pool<'_>, best: &[(usize, f64)], confusion: &[Vec<usize>]) -> Vec<Confused> {
    let cells = confusion.iter().enumerate().flat_map(|(shown, row)| {
        let others = row.iter().enumerate().filter(move |(taken_for, _)| *taken_for != shown);
        others.map(move |(taken_for, pictures)| ((shown, taken_for), *pictures))
    });
    let mut pairs: Vec<_> = cells.filter(|(_, pictures)| *pictures > 0).collect();
    pairs.sort_by_key(|(_, pictures)| std::cmp::Reverse(*pictures));
    pairs.truncate(CONFUSED);
    let told = |((shown, taken_for), pictures): ((usize, usize), usize)| {
        let answered = best.iter().zip(pool.labels).zip(pool.pictures);
        let mut mistakes: Vec<(f64, &str)> = answered
            .filter(|(((place, _), label), _)| **label == shown && *place == taken_for)
            .map(|(((_, score), _), picture)| (*score, picture.name.as_str()))
            .collect();
        mistakes.sort_by(|a, b| b.0.total_cmp(&a.0));
        Some(Confused {
            shown: pool.categories.get(shown)?.clone(),
            taken_for: pool.categories.get(taken_for)?.clone(),
            pictures,
            examples: mistakes.iter().take(EXAMPLES).map(|(_, name)| (*name).to_owned()).collect(),
        })
    };
    pairs.into_iter().filter_map(told).collect()
}
