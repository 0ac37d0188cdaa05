//! What the C library's allocator does with memory that queries give back.

/// Keeps it for what comes next. Queries ask for the same megabytes again and again; given back to the system each time, they
/// are mapped, cleared and faulted in anew, which doubles the time of some questions. Costs some megabytes of resident memory.
pub(crate) fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// The largest threshold that glibc takes.
        const LARGE: libc::c_int = 32 << 20;
        // SAFETY: sets two of the allocator's numbers; a refusal leaves them as they were.
        #[allow(unsafe_code)]
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * LARGE);
        }
    }
}
