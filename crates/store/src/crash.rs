//! The points at which a crash matters. The tests go through all of them: a debug build that finds one in `CLOUDTARN_CRASH` as
//! `POINT@N` is killed there the N-th time it comes by; unit tests end the work of a thread at the moment of choice. Release
//! builds have none of it.

use crate::error::Result;

/// Comes by a point.
///
/// # Errors
/// None outside unit tests.
#[cfg_attr(not(test), allow(clippy::unnecessary_wraps))]
pub(crate) fn point(name: &str) -> Result<()> {
    #[cfg(debug_assertions)]
    kill(name);
    #[cfg(test)]
    thread::pass()?;
    let _ = name;
    Ok(())
}

#[cfg(debug_assertions)]
fn kill(name: &str) {
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

/// Ends the work of a thread as if it were killed.
#[cfg(test)]
pub(crate) mod thread {
    use std::cell::Cell;
    use std::path::Path;

    use crate::error::{Result, io};

    thread_local! {
        static POINTS: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// Lets so many points pass, then fails at each; never with `None`.
    pub(crate) fn crash_after(points: Option<usize>) {
        POINTS.set(points);
    }

    pub(super) fn pass() -> Result<()> {
        match POINTS.get() {
            Some(0) => Err(io("being killed", Path::new(""))(std::io::ErrorKind::Interrupted.into())),
            left => {
                POINTS.set(left.map(|points| points - 1));
                Ok(())
            }
        }
    }
}
