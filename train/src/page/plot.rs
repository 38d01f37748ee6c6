//! Lines and points in a square, as SVG.

use askama::Template;

/// The side of the square that is drawn in.
const SIDE: f64 = 300.0;

/// A plot of values between two limits on each axis.
#[derive(Template)]
#[template(path = "plot.svg", escape = "html")]
pub(super) struct Plot {
    /// What stands below.
    across: &'static str,
    /// What stands at the side.
    up: &'static str,
    /// The least value upwards; the others are 0 and 1.
    least: f64,
    /// Lines through points, as SVG has them.
    pub(super) lines: Vec<Line>,
    /// Points with what they say.
    pub(super) dots: Vec<Dot>,
}

/// A line.
pub(super) struct Line {
    points: String,
    class: &'static str,
}

/// A point.
pub(super) struct Dot {
    x: String,
    y: String,
    radius: String,
    says: String,
}

/// A mark on an axis.
struct Tick {
    at: String,
    says: String,
}

impl Plot {
    /// An empty plot.
    pub(super) const fn new(across: &'static str, up: &'static str, least: f64) -> Self {
        Self { across, up, least, lines: Vec::new(), dots: Vec::new() }
    }

    /// Adds a line through points, each a value across and one upwards.
    pub(super) fn line(&mut self, class: &'static str, points: &[(f64, f64)]) {
        let points: Vec<String> =
            points.iter().map(|(x, y)| format!("{},{}", self.x(*x), self.y(*y))).collect();
        self.lines.push(Line { points: points.join(" "), class });
    }

    /// Adds a point of a size from 0 to 1, and what it says.
    pub(super) fn dot(&mut self, (x, y): (f64, f64), size: f64, says: String) {
        let radius = format!("{:.1}", 3.0 + 9.0 * size.sqrt());
        self.dots.push(Dot { x: self.x(x), y: self.y(y), radius, says });
    }

    fn x(&self, value: f64) -> String {
        format!("{:.1}", value * SIDE)
    }

    fn y(&self, value: f64) -> String {
        let share = (value - self.least) / (1.0 - self.least);
        format!("{:.1}", (1.0 - share.clamp(0.0, 1.0)) * SIDE)
    }

    fn marks_across(&self) -> Vec<Tick> {
        marks(0.0).map(|value| Tick { at: self.x(value), says: hundredths(value) }).collect()
    }

    fn marks_up(&self) -> Vec<Tick> {
        marks(self.least).map(|value| Tick { at: self.y(value), says: hundredths(value) }).collect()
    }
}

/// Five marks from a value to 1.
fn marks(least: f64) -> impl Iterator<Item = f64> {
    (0..=4).map(move |nth| least + (1.0 - least) * f64::from(nth) / 4.0)
}

fn hundredths(value: f64) -> String {
    let percent = value * 100.0;
    if (percent - percent.round()).abs() < 0.05 {
        format!("{percent:.0}")
    } else {
        format!("{percent:.1}")
    }
}
