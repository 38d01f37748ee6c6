//! A share of pictures, with how sure it is.

use std::fmt;

use serde::Serialize;

/// The normal quantile of a two-sided 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// So many of so many, with the Wilson 95 % interval of the share behind it
/// (Wilson 1927, "Probable inference, the law of succession, and statistical
/// inference").
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// The share, 0 where there is nothing.
    pub share: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl Share {
    /// `count` of `of`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
    pub fn new(count: usize, of: usize) -> Self {
        if of == 0 {
            return Self { count, of, share: 0.0, low: 0.0, high: 1.0 };
        }
        let number = of as f64;
        let share = count as f64 / number;
        let centre = share + Z * Z / (2.0 * number);
        let spread = Z * (share * (1.0 - share) / number + (Z / (2.0 * number)).powi(2)).sqrt();
        let whole = 1.0 + Z * Z / number;
        let low = ((centre - spread) / whole).max(0.0);
        Self { count, of, share, low, high: ((centre + spread) / whole).min(1.0) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [share, low, high] = [self.share, self.low, self.high].map(|part| part * 100.0);
        write!(f, "{share:.1} % ({low:.1} to {high:.1}; {} of {})", self.count, self.of)
    }
}
