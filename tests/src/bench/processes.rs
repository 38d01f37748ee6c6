//! Processor time and memory of processes and all below them, from proc(5).

use std::collections::BTreeMap;
use std::fs;

/// Memory of some processes together, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Memory {
    /// Resident pages, those that are shared counted for each (`Rss`).
    pub resident: f64,
    /// The same with a shared page divided among those that share it (`Pss`).
    pub proportional: f64,
}

/// What `/proc/<pid>/stat` says of a process.
struct Stat {
    parent: u32,
    /// Of itself.
    own: u64,
    /// Of the children that it has waited for.
    waited: u64,
}

/// The processes and all below them.
#[must_use]
pub fn trees(roots: &[u32]) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = roots.to_vec();
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children.get(&pid).into_iter().flatten());
        next += 1;
    }
    found
}

/// Seconds of processor time that the processes have used so far, and all
/// below them, those that have ended included.
#[must_use]
pub fn processor_seconds(roots: &[u32]) -> f64 {
    let stats = trees(roots).into_iter().filter_map(stat);
    seconds(stats.map(|stat| stat.own + stat.waited).sum())
}

/// Seconds of processor time that this process alone has used so far.
#[must_use]
pub fn own_seconds() -> f64 {
    seconds(stat(std::process::id()).map_or(0, |stat| stat.own))
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// Memory of the processes and of all below them.
#[must_use]
pub fn memory(roots: &[u32]) -> Memory {
    let sum = |text: &str, name: &str| -> f64 {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        lines.filter_map(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).sum()
    };
    let mut memory = Memory::default();
    for pid in trees(roots) {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        memory.resident += sum(&rollup, "Rss:") / 1024.0;
        memory.proportional += sum(&rollup, "Pss:") / 1024.0;
    }
    memory
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name may hold anything, so the fields are counted after its bracket:
/// state, parent, …, from the twelfth on the four times.
fn parse(stat: &str) -> Option<Stat> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let parent = fields.get(1)?.parse().ok()?;
    let sum = |from: usize| -> Option<u64> {
        Some(fields.get(from)?.parse::<u64>().ok()? + fields.get(from + 1)?.parse::<u64>().ok()?)
    };
    Some(Stat { parent, own: sum(11)?, waited: sum(13)? })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_moves_no_field() {
        let line = "7 (a (b) 9 c) S 5 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0";
        let stat = parse(line).unwrap();
        assert_eq!((stat.parent, stat.own, stat.waited), (5, 30, 70));
        assert!(parse("7 (a) S 5").is_none());
    }

    #[test]
    fn children_are_found_and_their_memory_is_counted() {
        let mut child =
            Command::new("sh").args(["-c", "read -r _"]).stdin(Stdio::piped()).spawn().unwrap();
        let own = std::process::id();
        let tree = trees(&[own]);
        assert!(tree.contains(&own) && tree.contains(&child.id()), "{tree:?}");
        assert_eq!(trees(&[child.id()]), [child.id()]);
        let memory = memory(&[own]);
        assert!(memory.resident >= memory.proportional && memory.proportional > 0.1, "{memory:?}");
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
