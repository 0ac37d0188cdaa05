//! The points at which a crash matters. A debug build that finds one of them in `CLOUDTARN_CRASH` as `POINT@N` is killed there
//! the N-th time it comes by: the tests go through all points. Release builds have none of it.

/// Comes by a point.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    let Ok(wanted) = std::env::var("CLOUDTARN_CRASH") else { return };
    let Some((point, time)) = wanted.split_once('@') else { return };
    if point != name || Ok(PASSED.fetch_add(1, Ordering::SeqCst) + 1) != time.parse() {
        return;
    }
    let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
    loop {
        std::thread::park();
    }
}

/// Nothing, in release builds.
#[cfg(not(debug_assertions))]
pub(crate) fn point(_name: &str) {}
