//! What goes wrong: faults waiting for a request of their class, and a count of the requests seen.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Classes of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Listing a bucket, one page each.
    List,
    /// Reading an object or a range of it.
    Get,
    /// Asking for an object's metadata.
    Head,
    /// Everything else: writing, deleting, and requests on the bucket itself.
    Other,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The answer is 503 `SlowDown`.
    SlowDown,
    /// The answer is 403 `AccessDenied`.
    AccessDenied,
    /// The headers promise the whole body, half of it comes, then the connection closes.
    Truncate,
    /// Nothing comes for this long, then the right answer.
    Stall(Duration),
    /// The headers and half of the body come at once, the rest after this long.
    StallBody(Duration),
    /// The connection closes without an answer.
    Reset,
}

#[derive(Debug)]
struct Waiting {
    class: Class,
    /// Part of the object key, or of the raw query of a listing; empty means any.
    part: String,
    fault: Fault,
    times: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    seen: HashMap<Class, usize>,
    hit: usize,
}

/// The faults of a server. Faults take their turn in the order in which they were added.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

impl Faults {
    /// The next `times` requests of `class` get `fault`.
    pub fn add(&self, class: Class, fault: Fault, times: usize) {
        self.add_for(class, "", fault, times);
    }

    /// The next `times` requests of `class` get `fault`, if `part` occurs in their path and query, which are percent-encoded
    /// and begin with `/<bucket>/`.
    pub fn add_for(&self, class: Class, part: &str, fault: Fault, times: usize) {
        self.state().waiting.push(Waiting { class, part: part.to_owned(), fault, times });
    }

    /// Forget the faults that have not happened yet.
    pub fn clear(&self) {
        self.state().waiting.clear();
    }

    /// How many requests of `class` have come, failed ones among them.
    pub fn seen(&self, class: Class) -> usize {
        self.state().seen.get(&class).copied().unwrap_or(0)
    }

    /// How many faults have happened.
    pub fn hit(&self) -> usize {
        self.state().hit
    }

    /// Count a request, and take the fault that is meant for it.
    pub(crate) fn take(&self, class: Class, uri: &str) -> Option<Fault> {
        let mut state = self.state();
        *state.seen.entry(class).or_default() += 1;
        let at = state.waiting.iter().position(|w| w.class == class && w.times > 0 && uri.contains(&w.part))?;
        state.waiting[at].times -= 1;
        state.hit += 1;
        Some(state.waiting[at].fault)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
