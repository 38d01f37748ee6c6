//! What one that is measured did, round by round.

use super::bare::Pace;

/// One value of each kind for each round.
#[derive(Debug, Default)]
pub struct Rounds {
    /// Requests or pictures a second.
    pub rate: Vec<f64>,
    /// Milliseconds of processor time for each.
    pub processor_ms: Vec<f64>,
    /// Milliseconds of processor time that the clients used for each; of
    /// rounds that had clients.
    pub client_ms: Vec<f64>,
}

impl Rounds {
    /// Adds a round.
    pub fn add(&mut self, pace: Pace, client_ms: Option<f64>) {
        self.rate.push(pace.rate);
        self.processor_ms.push(pace.processor_ms);
        self.client_ms.extend(client_ms);
    }
}
