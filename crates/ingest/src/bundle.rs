//! Bundles on their way in: members are log files like others; when all of them are safe, the bundle itself goes into the
//! ledger, and the next run does not unpack it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloudtarn_source::{Bundle, LogObject, Source, Unpacked};
use cloudtarn_store::{Fate, LogFile};

use crate::coordinator::{Listed, Listing, hash};
use crate::group::Group;
use crate::summary::Problem;

/// How long members wait for others to fill a group. They hold memory that the next member may need.
const PATIENCE: Duration = Duration::from_millis(50);

/// Held by everything that still works on members of a bundle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Token(Arc<AtomicBool>);

impl Token {
    /// Not everything could be read, so that the next run must try again.
    pub(crate) fn spoil(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether nobody else works on the bundle any more.
    pub(crate) fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Whether everything was read.
    pub(crate) fn is_good(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

/// The coordinator ended, or the run is to stop.
pub(crate) struct Over;

impl Listing {
    /// Sends the members that the store does not have, and the bundle after them.
    pub(crate) async fn unpack(&self, source: &Arc<Source>, object: &LogObject) -> Result<(), Over> {
        let token = Token::default();
        let mut group = Group::of_bundle(source, &token);
        // The ledger does not know yet what this run takes in; archives may hold a file twice.
        let mut seen = HashSet::new();
        let mut unpacked = source.unpack(object, &self.filter);
        loop {
            let next = match tokio::time::timeout(PATIENCE, unpacked.recv()).await {
                Ok(next) => next,
                Err(_) => {
                    self.flush(&mut group, source, &token).await?;
                    unpacked.recv().await
                }
            };
            if self.stop.load(Ordering::Relaxed) {
                return Err(Over);
            }
            match next {
                Some(Unpacked::Member(member)) => {
                    self.count(&member.object);
                    let known = !seen.insert(hash(&(&member.object.uri, &member.object.version)));
                    match self.passed(&member.object, known) {
                        Some(passed) => self.send(passed).await?,
                        None => group.push_member(member),
                    }
                }
                Some(Unpacked::Unread(error)) => {
                    token.spoil();
                    let problem = Problem { path: object.uri.clone(), reason: error.to_string() };
                    self.send(Listed::Unread(problem)).await?;
                }
                Some(Unpacked::End(bundle)) => {
                    self.flush(&mut group, source, &token).await?;
                    drop(group);
                    // What was left out, another run may ask for.
                    if bundle.left_out > 0 {
                        token.spoil();
                    }
                    return self.send(Listed::Bundle(Box::new(log_file(bundle)), token)).await;
                }
                None => return self.flush(&mut group, source, &token).await,
            }
            if group.is_full() {
                self.flush(&mut group, source, &token).await?;
            }
        }
    }

    async fn flush(&self, group: &mut Group, source: &Arc<Source>, token: &Token) -> Result<(), Over> {
        let full = std::mem::replace(group, Group::of_bundle(source, token));
        if full.objects.is_empty() { Ok(()) } else { self.send(Listed::Group(full)).await }
    }

    pub(crate) async fn send(&self, message: Listed) -> Result<(), Over> {
        self.send.send(message).await.map_err(|_| Over)
    }
}

fn log_file(bundle: Bundle) -> LogFile {
    LogFile {
        path: bundle.object.uri,
        version: bundle.object.version,
        bytes: bundle.object.size,
        inflated: 0,
        sha256: bundle.sha256,
        fate: match bundle.damage {
            None => Fate::Unpacked,
            Some(reason) => Fate::Broken(format!("{reason}; the {} files before that are kept", bundle.members)),
        },
        records: 0,
        broken: vec![],
    }
}
