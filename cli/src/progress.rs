//! Long work as a person at a terminal sees it: a bar for each stage, with
//! the time that is left. Nothing where nobody looks.

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aisle_train::watch::Watcher;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// A bar on standard error, where someone looks at it.
#[derive(Debug)]
pub(crate) struct Bars {
    now: Mutex<ProgressBar>,
}

impl Bars {
    pub(crate) fn new() -> Self {
        Self { now: Mutex::new(ProgressBar::hidden()) }
    }

    fn with(&self, act: impl FnOnce(&mut ProgressBar)) {
        act(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Watcher for Bars {
    fn begin(&self, stage: &str, steps: usize) {
        if !stderr().is_terminal() {
            return;
        }
        let style = ProgressStyle::with_template("{msg:10} {bar:32} {pos}/{len}, {eta} left");
        let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX))
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_message(stage.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        self.with(|now| *now = bar);
    }

    fn advance(&self, steps: usize) {
        self.with(|now| now.inc(u64::try_from(steps).unwrap_or(u64::MAX)));
    }

    fn end(&self) {
        self.with(|now| now.finish_and_clear());
    }

    fn tell(&self, line: &str) {
        // Past the bar; where nobody looks, whoever reads it later. Nothing
        // depends on it, so a closed standard error is no fault.
        self.with(|now| {
            now.suspend(|| {
                let _ = output::remark(line);
            });
        });
    }
}
