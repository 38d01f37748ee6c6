//! How the process' memory is kept together.

/// Lets the C library keep one arena for each processor. By default it may
/// keep eight, and a thread takes whichever is free: what one thread frees
/// is then not what the next one gets, so a process of many short-lived
/// threads held three times the memory that it used, and slowly more.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library offers no other way than its own call")]
pub(crate) fn limit_arenas() {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arenas = libc::c_int::try_from(processors.max(2)).unwrap_or(libc::c_int::MAX);
    // SAFETY: mallopt(3) takes two numbers and may be called at any time. One
    // that it does not take changes nothing.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, arenas) };
}

/// Other C libraries have no such arenas.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) const fn limit_arenas() {}
