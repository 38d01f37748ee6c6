//! A judgement, laid out.

use super::album::Album;
use super::plot::Plot;
use super::{hundredths, interval, percent};
use crate::report::{Accepted, CategoryFigures, Judgement};

/// Categories up to which a matrix has room for their names.
const WITH_NAMES: usize = 40;

/// The width of a letter of a name, in pixels.
const LETTER: usize = 6;

/// A judgement with what is drawn of it.
pub(super) struct Section<'a> {
    pub(super) title: &'static str,
    pub(super) judgement: &'a Judgement,
    pub(super) album: &'a Album,
    /// What is right by what is accepted.
    pub(super) curve: Plot,
    /// What is right by how sure the model was.
    pub(super) reliability: Plot,
    pub(super) matrix: Matrix,
}

/// The large figures at the top.
pub(super) struct Tile {
    pub(super) figure: String,
    pub(super) what: String,
    pub(super) note: String,
}

/// The confusion matrix, its cells without the empty ones.
pub(super) struct Matrix {
    pub(super) names: Vec<String>,
    pub(super) cells: Vec<Cell>,
    pub(super) has_names: bool,
}

/// Pictures of one category that were taken for one.
pub(super) struct Cell {
    pub(super) row: usize,
    pub(super) column: usize,
    /// Its share of the row, in hundredths.
    pub(super) share: usize,
    pub(super) says: String,
}

impl<'a> Section<'a> {
    pub(super) fn new(title: &'static str, judgement: &'a Judgement, album: &'a Album) -> Self {
        let (curve, reliability) = (curve(judgement), reliability(judgement));
        Self { title, judgement, album, curve, reliability, matrix: Matrix::of(judgement) }
    }

    pub(super) fn tiles(&self) -> Vec<Tile> {
        let judgement = self.judgement;
        let tile = |figure: String, what: String, note: String| Tile { figure, what, note };
        let share = |share: &crate::report::Share, what: String| {
            tile(percent(share.share), what, interval(share))
        };
        let mut tiles = vec![
            share(&judgement.top_1, "best category right".to_owned()),
            share(&judgement.top_3, "among the best three".to_owned()),
        ];
        for level in &judgement.levels {
            let what = format!("right at level {}, {} categories", level.level, level.categories);
            tiles.push(share(&level.right, what));
        }
        for accepted in &judgement.accepted {
            let wanted = accepted.threshold.precision * 100.0;
            let what = format!("need no human, at {wanted:.0} % right");
            let Accepted { leaf, parent, together, .. } = accepted;
            let mut note = match together.accepted.count {
                0 => "no score is sure enough".to_owned(),
                _ => format!("right {}", percent(together.right.share)),
            };
            if parent.accepted.count > 0 {
                let [leaf, parent] = [leaf, parent].map(|taken| percent(taken.accepted.share));
                note = format!("{note}; {leaf} as they are, {parent} by a parent category");
            }
            tiles.push(tile(percent(together.accepted.share), what, note));
        }
        let calibration = &judgement.calibration;
        let note = format!(
            "perfect scores would show up to {}; without temperature {:.2} it is {}",
            percent(calibration.by_chance.high),
            calibration.temperature,
            percent(calibration.before)
        );
        tiles.push(tile(percent(calibration.after), "calibration error".to_owned(), note));
        tiles
    }

    /// Categories that were shown, those least often found first.
    pub(super) fn categories(&self) -> Vec<&'a CategoryFigures> {
        let mut shown: Vec<_> =
            self.judgement.categories.iter().filter(|category| category.recall.of > 0).collect();
        shown.sort_by(|a, b| a.recall.share.total_cmp(&b.recall.share));
        shown
    }

    /// How long the bar of a category is.
    pub(super) fn bar(&self, category: &CategoryFigures) -> usize {
        let most = self.judgement.categories.iter().map(|category| category.recall.of).max();
        hundredths(category.recall.of, most.unwrap_or_default())
    }
}

/// The least share upwards is that of all pictures, or a little less.
fn curve(judgement: &Judgement) -> Plot {
    let lowest = judgement.curve.iter().map(|point| point.right).fold(1.0, f64::min);
    let least = ((lowest * 20.0).floor() / 20.0).clamp(0.0, 0.9);
    let mut plot = Plot::new("accepted without a human, %", "of those right, %", least);
    for accepted in &judgement.accepted {
        let wanted = accepted.threshold.precision;
        plot.line("wanted", &[(0.0, wanted), (1.0, wanted)]);
    }
    let points: Vec<_> =
        judgement.curve.iter().map(|point| (point.accepted, point.right)).collect();
    plot.line("measured", &points);
    for accepted in judgement.accepted.iter().filter(|one| one.threshold.score.is_some()) {
        let taken = accepted.leaf;
        let says = format!("{} accepted, {} of those right", taken.accepted, taken.right);
        plot.dot((taken.accepted.share, taken.right.share), 0.1, says);
    }
    plot
}

#[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
fn reliability(judgement: &Judgement) -> Plot {
    let mut plot = Plot::new("score of the best category, %", "right, %", 0.0);
    plot.line("wanted", &[(0.0, 0.0), (1.0, 1.0)]);
    for bin in &judgement.calibration.bins {
        let says = format!(
            "{} pictures at a mean score of {}, {} right",
            bin.pictures,
            percent(bin.score),
            percent(bin.right)
        );
        let size = bin.pictures as f64 / judgement.pictures.max(1) as f64;
        plot.dot((bin.score, bin.right), size, says);
    }
    plot
}

impl Matrix {
    fn of(judgement: &Judgement) -> Self {
        let names: Vec<String> =
            judgement.categories.iter().map(|one| one.category.to_string()).collect();
        let mut cells = Vec::new();
        for (row, counts) in judgement.confusion.iter().enumerate() {
            let shown: usize = counts.iter().sum();
            let filled = counts.iter().enumerate().filter(|(_, pictures)| **pictures > 0);
            for (column, pictures) in filled {
                let name = |place: usize| names.get(place).map_or("", String::as_str);
                let says =
                    format!("{pictures} of {shown} × {}, taken for {}", name(row), name(column));
                cells.push(Cell { row, column, share: hundredths(*pictures, shown), says });
            }
        }
        Self { has_names: names.len() <= WITH_NAMES, names, cells }
    }

    /// The side of a cell, in pixels like all that follows.
    pub(super) const fn step(&self) -> usize {
        if self.has_names { 22 } else { 5 }
    }

    /// Room for names.
    pub(super) fn margin(&self) -> usize {
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        if self.has_names { 16 + LETTER * longest } else { 4 }
    }

    /// The width of the whole; the names above lean over its end.
    pub(super) fn width(&self) -> usize {
        self.height() + self.margin() / 2
    }

    /// The height of the whole.
    pub(super) fn height(&self) -> usize {
        self.at(&self.names.len())
    }

    /// Where a row or column begins.
    pub(super) fn at(&self, place: &usize) -> usize {
        self.margin() + self.step() * *place
    }

    /// The middle of a row or column.
    pub(super) fn middle(&self, place: &usize) -> usize {
        self.at(place) + self.step() / 2
    }
}
