//! How many requests are under way at once: as many as S3 bears.
//!
//! It grows by one with every round of answers and halves when S3 says to slow down, as congestion control does.
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Requests at the start of a run.
const FIRST: usize = 128;
/// Answers that belong to the same burst do not halve the limit again.
const BURST: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Throttle {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests that may be under way; the fraction is growth that has not come to a whole request.
    limit: f64,
    most: f64,
    active: usize,
    cut: Option<Instant>,
}

impl State {
    fn grow(&mut self) {
        self.limit = (self.limit + 1.0 / self.limit).min(self.most);
    }

    fn cut(&mut self, now: Instant) {
        if self.cut.is_none_or(|last| now.duration_since(last) >= BURST) {
            self.limit = (self.limit / 2.0).max(1.0);
            self.cut = Some(now);
        }
    }
}

/// Leave for one request; given back when dropped.
pub(crate) struct Pass<'a>(&'a Throttle);

impl Throttle {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = State { limit: most.min(FIRST) as f64, most: most as f64, active: 0, cut: None };
        Self { state: Mutex::new(state), freed: Notify::new() }
    }

    /// Waits until a request may go.
    pub(crate) async fn enter(&self) -> Pass<'_> {
        loop {
            {
                let mut state = self.state();
                if state.active < state.limit as usize {
                    state.active += 1;
                    return Pass(self);
                }
            }
            // Who leaves between the look and this line has left a permit here.
            self.freed.notified().await;
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self) {
        self.state().grow();
        self.freed.notify_one();
    }

    /// S3 said to slow down.
    pub(crate) fn slow_down(&self) {
        self.state().cut(Instant::now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.state().active -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn halves_once_a_burst_and_grows_by_one_a_round() {
        let mut state = State { limit: 8.0, most: 9.5, active: 0, cut: None };
        let start = Instant::now();
        state.cut(start);
        state.cut(start + BURST / 2);
        assert_eq!(state.limit, 4.0);
        for round in 1..10 {
            state.cut(start + BURST * round);
        }
        assert_eq!(state.limit, 1.0);
        state.grow();
        assert_eq!(state.limit, 2.0);
        (0..3).for_each(|_| state.grow());
        assert!((3.0..3.5).contains(&state.limit), "{}", state.limit);
        (0..1000).for_each(|_| state.grow());
        assert_eq!(state.limit, 9.5);
    }

    #[tokio::test]
    async fn lets_no_more_in_than_the_limit_and_all_in_the_end() {
        let throttle = std::sync::Arc::new(Throttle::new(3));
        let most = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let tasks = (0..100).map(|_| {
            let (throttle, most) = (throttle.clone(), most.clone());
            tokio::spawn(async move {
                let _pass = throttle.enter().await;
                most.fetch_max(throttle.state().active, std::sync::atomic::Ordering::SeqCst);
                tokio::task::yield_now().await;
                throttle.answered();
            })
        });
        for done in futures::future::join_all(tasks).await {
            assert!(done.is_ok());
        }
        assert_eq!((most.load(std::sync::atomic::Ordering::SeqCst), throttle.state().active), (3, 0));
    }
}
