//! How images are decoded: by this very program, started once more for each
//! place where one can be.

use aisle_worker::decoder::{DecoderSettings, Isolation, Program};

use crate::settings::Settings;

/// The sub-command of a decoder.
const WORD: &str = "decoder";

impl Settings {
    /// How images are decoded.
    pub(crate) fn decoder(&self) -> DecoderSettings {
        let defaults = DecoderSettings::new(Isolation::Processes(Program::this(WORD)));
        DecoderSettings {
            timeout: self.decode_timeout,
            memory: self.decode_memory.unwrap_or(defaults.memory),
            ..defaults
        }
    }
}
