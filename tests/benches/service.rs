//! The benchmark that `make bench` runs; see `tests/src/bench`.
#![expect(clippy::print_stdout, reason = "what is found is printed")]

use std::path::Path;
use std::process::ExitCode;

use aisle_tests::bench::options::Options;
use aisle_tests::bench::{memory, run};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(model) = words.first().and_then(|word| word.strip_prefix(memory::HOLD)) {
        memory::hold(Path::new(model));
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(words) {
        Ok(options) => options,
        Err(problem) => {
            println!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Runtime::new();
    match runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("{problem:#}");
            ExitCode::FAILURE
        }
    }
}
