//! How well a model holds when pictures are worse than those it learned from:
//! blurred, noisy, dark, turned, squeezed, half hidden, or with something else
//! in them. The corruptions follow Hendrycks and Dietterich 2019,
//! "Benchmarking Neural Network Robustness to Common Corruptions and
//! Perturbations", at strengths that vendors' photographs have, and are
//! measured by the size of the picture, since shops have them in all sizes.

mod corrupt;
mod measure;

use std::fmt::Write as _;

use serde::Serialize;

use crate::report::{Accepted, Share};

pub use measure::{Sample, measure};

/// What can be wrong with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// Out of focus: a Gaussian blur.
    Blur,
    /// Grain: Gaussian noise on each value.
    Noise,
    /// Too little light: less of it in linear terms, so dark parts go first.
    LowLight,
    /// Held askew, or lying on its side.
    Rotation,
    /// Saved once too often: JPEG of low quality.
    Jpeg,
    /// Something grey before it.
    Occlusion,
    /// A product of another category in a corner.
    SecondProduct,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Seen every day.
    Mild,
    /// Seen now and then.
    Middling,
    /// A person would ask for another picture.
    Severe,
}

impl Corruption {
    /// All.
    pub const ALL: [Self; 7] = [
        Self::Blur,
        Self::Noise,
        Self::LowLight,
        Self::Rotation,
        Self::Jpeg,
        Self::Occlusion,
        Self::SecondProduct,
    ];

    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blur => "blur",
            Self::Noise => "noise",
            Self::LowLight => "low light",
            Self::Rotation => "rotation",
            Self::Jpeg => "JPEG artefacts",
            Self::Occlusion => "occlusion",
            Self::SecondProduct => "second product",
        }
    }

    /// What is done at each severity.
    #[must_use]
    pub const fn amounts(self) -> [&'static str; 3] {
        match self {
            Self::Blur => ["σ 0.5 % of the short side", "1 %", "2 %"],
            Self::Noise => ["σ 5 % of white", "10 %", "20 %"],
            Self::LowLight => ["30 % of the light", "10 %", "3 %"],
            Self::Rotation => ["10°", "25°", "90°"],
            Self::Jpeg => ["quality 30", "15", "5"],
            Self::Occlusion => ["10 % of the picture hidden", "25 %", "40 %"],
            Self::SecondProduct => ["35 % of each side", "50 %", "65 %"],
        }
    }
}

impl Severity {
    /// All, mildest first.
    pub const ALL: [Self; 3] = [Self::Mild, Self::Middling, Self::Severe];

    /// One of three, by severity.
    const fn of<T: Copy>(self, [mild, middling, severe]: [T; 3]) -> T {
        match self {
            Self::Mild => mild,
            Self::Middling => middling,
            Self::Severe => severe,
        }
    }
}

/// How well a model holds.
#[derive(Debug, Clone, Serialize)]
pub struct Robustness {
    /// Pictures that were corrupted, drawn by a fixed seed.
    pub pictures: usize,
    /// The best category is right, as they are.
    pub plain: Share,
    /// The same under each corruption at each severity.
    pub corrupted: Vec<Corrupted>,
}

/// What remains under a corruption.
#[derive(Debug, Clone, Serialize)]
pub struct Corrupted {
    /// What was done.
    pub corruption: Corruption,
    /// How much of it.
    pub severity: Severity,
    /// The best category is right.
    pub top_1: Share,
    /// What is accepted without a human, and how much of it is right.
    pub accepted: Vec<Accepted>,
}

impl Robustness {
    /// The severities of a corruption, mildest first.
    pub fn row(&self, corruption: Corruption) -> impl Iterator<Item = &Corrupted> {
        self.corrupted.iter().filter(move |one| one.corruption == corruption)
    }

    /// The shares for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let plain = self.plain.share * 100.0;
        writeln!(text, "worse pictures: {}, as they are {plain:.1} % right", self.pictures)?;
        writeln!(text, "     MILD  MIDDLING    SEVERE  RIGHT UNDER")?;
        for corruption in Corruption::ALL {
            for one in self.row(corruption) {
                write!(text, "  {:5.1} % ", one.top_1.share * 100.0)?;
            }
            let [mild, middling, severe] = corruption.amounts();
            writeln!(text, " {} ({mild}, {middling}, {severe})", corruption.as_str())?;
        }
        Ok(())
    }
}
