//! What is asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

/// How much of everything, unless told otherwise.
const SECONDS: f64 = 5.0;
const ROUNDS: usize = 5;
const CLIENTS: usize = 32;
/// Numbers of waiting items at which the queue is measured.
const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];

/// Below this a run is a trial: fewer rounds, and not the longest queue.
const TRIAL_SECONDS: f64 = 3.0;
const TRIAL_ROUNDS: usize = 2;

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Pictures a second when the service has all it can do.
    Throughput,
    /// How long an answer takes.
    Latency,
    /// Uploads accepted a second while no worker runs.
    Accept,
    /// What submitting and claiming cost beside a long queue.
    Queue,
    /// Memory of idle processes.
    Memory,
    /// From the start to the first picture.
    Ready,
    /// Decoding in child processes against decoding in threads.
    Decoder,
    /// Large photographs decoded whole against JPEG's own scaling.
    Large,
    /// One worker against more.
    Scale,
}

impl Part {
    /// Every part, in the order in which they run, with its name.
    pub const ALL: [(&'static str, Self); 9] = [
        ("throughput", Self::Throughput),
        ("latency", Self::Latency),
        ("accept", Self::Accept),
        ("queue", Self::Queue),
        ("memory", Self::Memory),
        ("ready", Self::Ready),
        ("decoder", Self::Decoder),
        ("large", Self::Large),
        ("scale", Self::Scale),
    ];
}

/// What is measured, and how much of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The parts that are asked for.
    pub parts: Vec<Part>,
    /// How long one measurement of one round takes.
    pub length: Duration,
    /// Rounds of each measurement.
    pub rounds: usize,
    /// Clients that keep the service saturated.
    pub clients: usize,
    /// Waiting items beside which the queue is measured.
    pub sizes: Vec<u64>,
    /// A model folder, or a folder of them, of which the first is taken.
    pub model: Option<PathBuf>,
    /// A folder of pictures.
    pub pictures: Option<PathBuf>,
    /// Where the service's networks run; the limit's and the peers' run on
    /// the CPU provider.
    pub provider: String,
    /// A Python that has the peers' packages.
    pub python: Option<PathBuf>,
    /// Where the results are written as JSON.
    pub json: Option<PathBuf>,
}

impl Options {
    /// Reads the words of a command line. One whose value is empty is as if
    /// it were not there.
    ///
    /// # Errors
    /// A text for the user when a word is not understood.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            parts: Vec::new(),
            length: Duration::from_secs_f64(SECONDS),
            rounds: 0,
            clients: CLIENTS,
            sizes: Vec::new(),
            model: None,
            pictures: None,
            provider: "cpu".to_owned(),
            python: None,
            json: None,
        };
        for word in words {
            match word.split_once('=') {
                // What cargo itself adds.
                None if word == "--bench" => {}
                None => options.parts.push(part(&word)?),
                Some((_, "")) => {}
                Some((name, value)) => options.set(name, value)?,
            }
        }
        if options.parts.is_empty() {
            options.parts = Part::ALL.map(|(_, part)| part).to_vec();
        }
        let trial = options.length.as_secs_f64() < TRIAL_SECONDS;
        if options.rounds == 0 {
            options.rounds = if trial { TRIAL_ROUNDS } else { ROUNDS };
        }
        if options.sizes.is_empty() {
            options.sizes = if trial { SIZES[..2].to_vec() } else { SIZES.to_vec() };
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "--seconds" => {
                let seconds: f64 = number(name, value)?;
                if !(0.1..=600.0).contains(&seconds) {
                    return Err("--seconds takes 0.1 to 600".to_owned());
                }
                self.length = Duration::from_secs_f64(seconds);
            }
            "--rounds" => self.rounds = number(name, value)?,
            "--clients" => self.clients = number::<usize>(name, value)?.max(1),
            "--sizes" => {
                let sizes = value.split([',', ' ']).filter(|size| !size.is_empty());
                self.sizes = sizes.map(|size| number(name, size)).collect::<Result<_, _>>()?;
            }
            "--model" => self.model = Some(value.into()),
            "--pictures" => self.pictures = Some(value.into()),
            "--provider" => value.clone_into(&mut self.provider),
            "--python" => self.python = Some(value.into()),
            "--json" => self.json = Some(value.into()),
            _ => return Err(format!("there is no option {name}")),
        }
        Ok(())
    }

    /// Whether a part is asked for.
    #[must_use]
    pub fn wants(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

fn part(word: &str) -> Result<Part, String> {
    let found = Part::ALL.iter().find(|(name, _)| *name == word);
    found.map(|(_, part)| *part).ok_or_else(|| {
        let names = Part::ALL.map(|(name, _)| name).join(", ");
        format!("there is no part {word:?}; there are {names}")
    })
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} takes a number, not {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        Options::parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn everything_is_measured_unless_parts_are_named() {
        let all = parse(&["--bench", "--model=", "--seconds="]).unwrap();
        assert_eq!((all.parts.len(), all.rounds, all.model), (Part::ALL.len(), ROUNDS, None));
        assert_eq!(all.sizes, SIZES);
        let some = parse(&["queue", "latency", "--sizes=10,20"]).unwrap();
        assert_eq!(some.parts, [Part::Queue, Part::Latency]);
        assert_eq!(some.sizes, [10, 20]);
    }

    #[test]
    fn a_trial_has_fewer_rounds_and_no_queue_of_a_million() {
        let trial = parse(&["--seconds=2"]).unwrap();
        assert_eq!((trial.rounds, trial.sizes.as_slice()), (TRIAL_ROUNDS, &SIZES[..2]));
        let told = parse(&["--seconds=2", "--rounds=7", "--sizes=1000000"]).unwrap();
        assert_eq!((told.rounds, told.sizes), (7, vec![1_000_000]));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert!(parse(&["thruput"]).unwrap_err().contains("throughput"));
        assert!(parse(&["--rounds=many"]).unwrap_err().contains("--rounds"));
        assert!(parse(&["--colour=red"]).unwrap_err().contains("--colour"));
        assert!(parse(&["--seconds=0"]).is_err());
    }
}
