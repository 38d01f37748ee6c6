//! A setting's value as it was written, with the place where it was written,
//! so that a complaint about it can name that place.
//!
//! What must never happen: a value in a log. It may hold a password, so
//! [`Given`] hides it from `Debug`.

use std::ffi::OsStr;
use std::fmt;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use serde::de::{self, Deserialize, Deserializer};

/// Where a value comes from, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Built in.
    Default,
    /// The settings file.
    File,
    /// An environment variable.
    Environment,
    /// A flag on the command line.
    Flag,
}

/// A value as text, not yet understood.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// What was written.
    pub(crate) text: String,
    /// Where.
    pub(crate) source: Source,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given(… from {:?})", self.source)
    }
}

/// Takes any text from a flag, its environment variable or its default:
/// understanding comes later, for all settings together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GivenParser;

impl TypedValueParser for GivenParser {
    type Value = Given;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Given, clap::Error> {
        self.parse_ref_(command, arg, value, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<Given, clap::Error> {
        let source = if source == ValueSource::DefaultValue {
            Source::Default
        } else if source == ValueSource::EnvVariable {
            Source::Environment
        } else {
            Source::Flag
        };
        let text = value.to_str().ok_or_else(|| {
            let name = arg.map(|arg| arg.get_id().as_str()).unwrap_or_default();
            clap::Error::raw(ErrorKind::InvalidUtf8, format!("{name} is not UTF-8 text\n"))
                .with_cmd(command)
        })?;
        Ok(Given { text: text.to_owned(), source })
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FromFile)
    }
}

/// Takes texts, numbers and booleans, as a person would write each in TOML.
struct FromFile;

impl FromFile {
    fn given(text: String) -> Given {
        Given { text, source: Source::File }
    }
}

impl de::Visitor<'_> for FromFile {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, true or false")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Given, E> {
        Ok(Self::given(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Given, E> {
        Ok(Self::given(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Given, E> {
        Ok(Self::given(number.to_string()))
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Given, E> {
        Ok(Self::given(truth.to_string()))
    }
}
