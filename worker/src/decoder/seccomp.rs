//! The system calls that decoding needs: memory, the one open socket, the
//! clock, and ending. Every other one is refused.

use std::collections::BTreeMap;

use seccompiler::{
    Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// Calls that may be made with any arguments.
const FREE: [libc::c_long; 21] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_sched_yield,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_set_robust_list,
];

/// Refuses all other calls to this thread and to what it starts.
pub(super) fn apply() -> Result<(), Error> {
    let own = u64::from(std::process::id());
    let no_code = || argument(2, SeccompCmpOp::MaskedEq(PROT_EXEC), 0);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        FREE.into_iter().map(|call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_mmap, vec![no_code()?]);
    rules.insert(libc::SYS_mprotect, vec![no_code()?]);
    // Its own limits and signals to itself, never those of its parent.
    rules.insert(libc::SYS_prlimit64, vec![argument(0, SeccompCmpOp::Eq, 0)?]);
    rules.insert(libc::SYS_tgkill, vec![argument(0, SeccompCmpOp::Eq, own)?]);
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let here = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, here)?;
    apply_filter(&seccompiler::BpfProgram::try_from(filter)?)
}

const PROT_EXEC: u64 = libc::PROT_EXEC.unsigned_abs() as u64;

fn argument(place: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompRule, Error> {
    let condition = SeccompCondition::new(place, SeccompCmpArgLen::Dword, compare, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::ErrorKind;
    use std::net::TcpStream;
    use std::process::Command;

    use super::*;

    #[test]
    fn no_file_no_connection_no_process_once_the_filter_is_on() {
        // A filter is a thread's own: the other tests go on without.
        let confined = std::thread::spawn(|| {
            apply().unwrap();
            let refused = [
                File::open("/proc/self/exe").map(|_| ()),
                File::create("/tmp/aisle-confined").map(|_| ()),
                TcpStream::connect("127.0.0.1:9").map(|_| ()),
                Command::new("/bin/true").spawn().map(|_| ()),
                std::thread::Builder::new().spawn(|| {}).map(|_| ()),
            ];
            // Memory, and ending, are all that is left.
            let left = vec![1_u8; 64 << 20].iter().map(|byte| u64::from(*byte)).sum::<u64>();
            (refused.map(|result| result.map_err(|error| error.kind())), left)
        });
        let (refused, left) = confined.join().unwrap();
        assert_eq!(refused, [Err(ErrorKind::PermissionDenied); 5]);
        assert_eq!(left, 64 << 20);
    }
}
