//! What goes wrong: faults waiting for a request of their class, lasting conditions, and a count of the requests seen.

use std::collections::{HashMap, HashSet};
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
    /// The answer is an error: status, code and message.
    Refuse(u16, &'static str, &'static str),
    /// The headers promise the whole body, half of it comes, then the connection closes.
    Truncate,
    /// Half of the body comes, and the headers promise no more.
    Short,
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
    /// Only every so many requests that it is meant for get it.
    every: usize,
    met: usize,
}

/// What lasts until it is set otherwise.
#[derive(Debug, Default)]
struct Conditions {
    latency: HashMap<Class, Duration>,
    /// Requests of the class are denied unless one of the parts occurs in them.
    allowed: HashMap<Class, Vec<String>>,
    /// Requests that are borne at the same time.
    capacity: Option<usize>,
    region: Option<String>,
    clock: i64,
    payer: bool,
    expired: HashSet<String>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    conditions: Conditions,
    seen: HashMap<Class, usize>,
    hit: usize,
    active: usize,
    most: usize,
}

/// The faults of a server. Faults take their turn in the order in which they were added.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

/// What a request says about itself.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) class: Class,
    pub(crate) uri: &'a str,
    /// Scope of the signature: `AKID/date/region/s3/aws4_request`.
    pub(crate) scope: &'a str,
    /// Seconds between the client's clock and ours.
    pub(crate) ahead: i64,
    pub(crate) pays: bool,
}

/// What the server does with a request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) fault: Option<Fault>,
    pub(crate) latency: Duration,
    /// The region that the answer tells.
    pub(crate) region: Option<String>,
    /// Seconds by which the server's clock is ahead.
    pub(crate) clock: i64,
}

impl Faults {
    /// The next `times` requests of `class` get `fault`.
    pub fn add(&self, class: Class, fault: Fault, times: usize) {
        self.add_for(class, "", fault, times);
    }

    /// The next `times` requests of `class` get `fault`, if `part` occurs in their path and query, which are percent-encoded
    /// and begin with `/<bucket>/`.
    pub fn add_for(&self, class: Class, part: &str, fault: Fault, times: usize) {
        self.wait(Waiting { class, part: part.to_owned(), fault, times, every: 1, met: 0 });
    }

    /// Every so many requests of `class` get `fault`, for ever.
    pub fn add_every(&self, class: Class, fault: Fault, every: usize) {
        self.wait(Waiting { class, part: String::new(), fault, times: usize::MAX, every: every.max(1), met: 0 });
    }

    /// Every request of `class` takes this much longer.
    pub fn set_latency(&self, class: Class, latency: Duration) {
        self.state().conditions.latency.insert(class, latency);
    }

    /// Requests of `class` are denied unless one of `parts` occurs in their path and query, which are percent-encoded.
    pub fn allow_only(&self, class: Class, parts: &[&str]) {
        self.state().conditions.allowed.insert(class, parts.iter().map(|part| (*part).to_owned()).collect());
    }

    /// With more requests than this at the same time, the others are told to slow down.
    pub fn set_capacity(&self, capacity: usize) {
        self.state().conditions.capacity = Some(capacity);
    }

    /// The bucket is in this region, and requests that are signed for another are refused.
    pub fn set_region(&self, region: &str) {
        self.state().conditions.region = Some(region.to_owned());
    }

    /// The server's clock is ahead by this many seconds; requests whose clock differs by more than five minutes are refused.
    pub fn set_clock(&self, ahead: i64) {
        self.state().conditions.clock = ahead;
    }

    /// Requests must say that the requester pays.
    pub fn require_payer(&self) {
        self.state().conditions.payer = true;
    }

    /// Requests with this access key are told that their token has expired.
    pub fn expire(&self, access_key: &str) {
        self.state().conditions.expired.insert(access_key.to_owned());
    }

    /// Forget the faults that have not happened yet, and the conditions.
    pub fn clear(&self) {
        let mut state = self.state();
        state.waiting.clear();
        state.conditions = Conditions::default();
    }

    /// How many requests of `class` have come, failed ones among them.
    pub fn seen(&self, class: Class) -> usize {
        self.state().seen.get(&class).copied().unwrap_or(0)
    }

    /// How many faults have happened, broken conditions counted.
    pub fn hit(&self) -> usize {
        self.state().hit
    }

    /// How many requests there were at the same time at most.
    pub fn most_at_once(&self) -> usize {
        self.state().most
    }

    /// Count a request, and say what is to happen to it.
    pub(crate) fn take(&self, request: &Seen<'_>) -> Verdict {
        let mut state = self.state();
        *state.seen.entry(request.class).or_default() += 1;
        state.active += 1;
        state.most = state.most.max(state.active);
        let fault = state.broken_condition(request).or_else(|| state.waiting_fault(request));
        state.hit += usize::from(fault.is_some());
        let conditions = &state.conditions;
        let latency = conditions.latency.get(&request.class).copied().unwrap_or_default();
        Verdict { fault, latency, region: conditions.region.clone(), clock: conditions.clock }
    }

    /// A request has its answer.
    pub(crate) fn done(&self) {
        self.state().active -= 1;
    }

    fn wait(&self, waiting: Waiting) {
        self.state().waiting.push(waiting);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn broken_condition(&self, request: &Seen<'_>) -> Option<Fault> {
        let conditions = &self.conditions;
        let mut scope = request.scope.split('/');
        let (key, region) = (scope.next().unwrap_or_default(), scope.nth(1).unwrap_or_default());
        if conditions.capacity.is_some_and(|capacity| self.active > capacity) {
            return Some(Fault::SlowDown);
        }
        if (request.ahead - conditions.clock).abs() > 300 {
            return Some(Fault::Refuse(403, "RequestTimeTooSkewed", "The difference between the times is too large."));
        }
        if conditions.region.as_deref().is_some_and(|here| here != region) {
            return Some(Fault::Refuse(400, "AuthorizationHeaderMalformed", "The region is wrong."));
        }
        if conditions.expired.contains(key) {
            return Some(Fault::Refuse(400, "ExpiredToken", "The provided token has expired."));
        }
        if conditions.payer && !request.pays {
            return Some(Fault::AccessDenied);
        }
        let allowed = conditions.allowed.get(&request.class)?;
        (!allowed.iter().any(|part| request.uri.contains(part))).then_some(Fault::AccessDenied)
    }

    fn waiting_fault(&mut self, request: &Seen<'_>) -> Option<Fault> {
        for waiting in &mut self.waiting {
            if waiting.class == request.class && waiting.times > 0 && request.uri.contains(&waiting.part) {
                waiting.met += 1;
                if waiting.met % waiting.every == 0 {
                    waiting.times -= 1;
                    return Some(waiting.fault);
                }
            }
        }
        None
    }
}
