//! What a child gives up before it sees the first image, and what it may take
//! for each one. Limits must hold; what a kernel may lack is told.

use std::fs;
use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::set_no_new_privs;
use rustix::time::{ClockId, clock_gettime};

use super::seccomp;

/// Address space on top of what an image declared: stack, tables, and what
/// the allocator keeps for later.
const SLACK: u64 = 48 << 20;

/// Seconds of processor time for an image; the parent's deadline is stricter,
/// but a parent may be dead.
const CPU_SECONDS: u64 = 10;

/// Where a machine runs out of memory, its kernel ends a decoder before a
/// worker (proc(5), `oom_score_adj`).
const FIRST_TO_GO: &str = "500";

/// Files open at once at most.
const FILES: u64 = 16;

/// A child that has given up what it does not need.
#[derive(Debug)]
pub(super) struct Confined {
    /// Address space before the first image.
    base: u64,
    /// What the kernel could not give.
    pub(super) lacking: Vec<String>,
}

/// Gives up files, network, new processes and new privileges for good.
///
/// # Errors
/// When a limit cannot be set, which every kernel can.
pub(super) fn confine() -> io::Result<Confined> {
    let base = address_space()?;
    let mut lacking = Vec::new();
    if let Err(error) = fs::write("/proc/self/oom_score_adj", FIRST_TO_GO) {
        lacking.push(format!("oom_score_adj: {error}"));
    }
    limit(Resource::Core, 0, Some(0))?;
    limit(Resource::Fsize, 0, Some(0))?;
    limit(Resource::Nofile, FILES, Some(FILES))?;
    set_no_new_privs(true)?;
    match landlock() {
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => {}
        Ok(RulesetStatus::NotEnforced) => lacking.push("landlock: the kernel has none".to_owned()),
        Err(error) => lacking.push(format!("landlock: {error}")),
    }
    if let Err(error) = seccomp::apply() {
        lacking.push(format!("seccomp: {error}"));
    }
    Ok(Confined { base, lacking })
}

impl Confined {
    /// Allows what one image may take. More ends this process.
    pub(super) fn allow(&self, memory: u64) -> io::Result<()> {
        limit(Resource::As, self.base.saturating_add(memory).saturating_add(SLACK), None)?;
        let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
        limit(Resource::Cpu, u64::try_from(used).unwrap_or(0) + CPU_SECONDS, None)
    }
}

fn limit(resource: Resource, current: u64, maximum: Option<u64>) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(current), maximum })?)
}

/// Bytes of address space in use (proc(5), `/proc/pid/statm`).
fn address_space() -> io::Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: Option<u64> = statm.split(' ').next().and_then(|pages| pages.parse().ok());
    let pages = pages.ok_or_else(|| io::Error::other("/proc/self/statm cannot be read"))?;
    Ok(pages * rustix::param::page_size() as u64)
}

/// No file, no port, no socket of others, no signal to others.
fn landlock() -> Result<RulesetStatus, RulesetError> {
    let abi = ABI::V6;
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?;
    Ok(rules.create()?.restrict_self()?.ruleset)
}
