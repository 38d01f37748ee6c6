//! The machine on which a run took place, as a reader has to know it.

use std::fs;
use std::thread::available_parallelism;

use serde_json::{Value, json};

/// Processors that this process may use.
#[must_use]
pub fn processors() -> usize {
    available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What kind of machine it is, and how busy it was when asked.
#[must_use]
pub fn describe() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let memory = value_of(&read("/proc/meminfo"), "MemTotal").and_then(|total| {
        Some(total.trim_end_matches(" kB").parse::<f64>().ok()? / (1024.0 * 1024.0))
    });
    json!({
        "processor": value_of(&read("/proc/cpuinfo"), "model name"),
        "processors": processors(),
        "memory_gib": memory.map(f64::round),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "load_average": load_average(),
    })
}

/// Processes that wanted to run, on average over the last minute.
#[must_use]
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

fn value_of(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_behind_its_name_and_a_colon() {
        let text = "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nMemTotal:  1024 kB\n";
        assert_eq!(value_of(text, "model name").as_deref(), Some("A Processor @ 2 GHz"));
        assert_eq!(value_of(text, "MemTotal").as_deref(), Some("1024 kB"));
        assert_eq!(value_of(text, "flags"), None);
    }
}
