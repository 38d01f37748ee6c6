//! The report as one page that a browser shows without anything else:
//! pictures, plots and tables in a single file.

mod album;
mod plot;
mod section;

use std::borrow::Borrow;
use std::collections::BTreeMap;

use askama::Template;

use crate::dataset::Part;
use crate::report::Share;
use crate::road::{Data, Evaluation, Trained};
use crate::robustness::{Corrupted, Corruption, Robustness};

pub use album::Album;
use section::Section;

/// What the page shows.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    /// The model.
    model: &'a str,
    /// What was done with it, in a few words.
    summary: String,
    sections: Vec<Section<'a>>,
    data: Option<&'a Data>,
    robustness: Option<&'a Robustness>,
    /// What was left out, and how much of it.
    left_out: Vec<(usize, &'static str)>,
}

impl Page<'_> {
    /// Pictures of the largest category, by which bars are drawn.
    fn largest(&self) -> usize {
        let categories = self.data.iter().flat_map(|data| data.categories.values());
        categories.map(|parts| parts.values().sum()).max().unwrap_or(1)
    }

    /// Pictures of a category in each part.
    fn counts(&self, parts: &BTreeMap<&str, usize>) -> [usize; 3] {
        Part::ALL.map(|part| parts.get(part.as_str()).copied().unwrap_or_default())
    }

    const fn corruptions(&self) -> [Corruption; 7] {
        Corruption::ALL
    }

    /// A corruption's severities, each with what was done.
    fn cells<'a>(
        &self,
        robustness: &'a Robustness,
        corruption: &Corruption,
    ) -> impl Iterator<Item = (&'a Corrupted, &'static str)> + use<'a> {
        robustness.row(*corruption).zip(corruption.amounts())
    }
}

/// The page of an evaluation.
///
/// # Errors
/// When the template cannot be filled in.
pub fn of_evaluation(evaluation: &Evaluation, album: &Album) -> askama::Result<String> {
    let judgement = &evaluation.judgement;
    let page = Page {
        model: evaluation.model.as_str(),
        summary: format!("Judged by {} pictures, run by {}.", judgement.pictures, evaluation.run),
        sections: vec![Section::new("How good it is", judgement, album)],
        data: None,
        robustness: evaluation.robustness.as_ref(),
        left_out: evaluation.left_out(),
    };
    page.render()
}

/// The page of a training.
///
/// # Errors
/// When the template cannot be filled in.
pub fn of_training(trained: &Trained, album: &Album) -> askama::Result<String> {
    let title = "Validation: pictures that settings were chosen on, so these figures flatter";
    let validation = Section::new(title, &trained.validation, album);
    let title = "Test: pictures that nothing was learned from or chosen on";
    let test = trained.test.as_ref().map(|test| Section::new(title, test, album));
    let page = Page {
        model: trained.model.as_str(),
        summary: trained.summary(),
        sections: test.into_iter().chain([validation]).collect(),
        data: Some(&trained.data),
        robustness: None,
        left_out: trained.data.left_out_counts(),
    };
    page.render()
}

/// A share without its interval, such as `91.5 %`.
fn percent(share: impl Borrow<f64>) -> String {
    format!("{:.1} %", share.borrow() * 100.0)
}

/// The interval of a share, such as `88.1 to 94.0 %`.
fn interval(share: &Share) -> String {
    format!("{:.1} to {:.1} %", share.low * 100.0, share.high * 100.0)
}

/// How many of how many hundredths, for the length of a bar.
fn hundredths(part: usize, whole: usize) -> usize {
    (100 * part).div_ceil(whole.max(1))
}
