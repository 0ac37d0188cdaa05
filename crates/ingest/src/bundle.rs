//! Bundles on their way in: members are log files like others; when all of them are safe, the bundle itself goes into the
//! ledger, and the next run does not unpack it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloudtarn_source::{Bundle, LogObject, Source, Unpacked};
use cloudtarn_store::{Fate, LogFile, Sightings};

use crate::group::Group;
use crate::listing::{Listed, Listing, Unwanted, Verdict, hash, verdict};
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

impl Listing {
    /// Sends the members that the store does not have, and the bundle after them.
    pub(crate) async fn unpack(
        &self,
        source: &Arc<Source>,
        object: &LogObject,
        sightings: &mut Sightings,
    ) -> Result<cloudtarn_store::Result<()>, Unwanted> {
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
                return Err(Unwanted);
            }
            match next {
                Some(Unpacked::Member(member)) => {
                    let again = !seen.insert(hash(&(&member.object.uri, &member.object.version)));
                    match verdict(&member.object, &self.store, sightings, again) {
                        Err(error) => return Ok(Err(error)),
                        Ok(Verdict::Pass(why)) => self.pass(&member.object, why).await?,
                        Ok(Verdict::Read(prior)) => {
                            self.count(&member.object);
                            // Whatever is piped in has the same address, and is no later version of something.
                            let prior = prior.filter(|_| !object.version.is_empty());
                            group.push_member(member, prior);
                        }
                    }
                }
                Some(Unpacked::Unread(error)) => {
                    token.spoil();
                    let problem = Problem { path: object.uri.clone(), reason: error.to_string() };
                    self.say(Listed::Unread(problem)).await?;
                }
                Some(Unpacked::End(bundle)) => {
                    self.flush(&mut group, source, &token).await?;
                    drop(group);
                    // What was left out, another run may ask for.
                    if bundle.left_out > 0 {
                        token.spoil();
                    }
                    self.say(Listed::Bundle(Box::new(log_file(bundle)), token)).await?;
                    return Ok(Ok(()));
                }
                None => {
                    self.flush(&mut group, source, &token).await?;
                    return Ok(Ok(()));
                }
            }
            if group.is_full() {
                self.flush(&mut group, source, &token).await?;
            }
        }
    }

    async fn flush(&self, group: &mut Group, source: &Arc<Source>, token: &Token) -> Result<(), Unwanted> {
        let full = std::mem::replace(group, Group::of_bundle(source, token));
        if full.objects.is_empty() { Ok(()) } else { self.say(Listed::Group(full)).await }
    }
}

fn log_file(bundle: Bundle) -> LogFile {
    LogFile {
        path: bundle.object.uri,
        version: bundle.object.version,
        bytes: bundle.object.size,
        inflated: 0,
        sha256: bundle.sha256,
        content: None,
        fate: match bundle.damage {
            None => Fate::Unpacked,
            Some(reason) => Fate::Broken(format!("{reason}; the {} files before that are kept", bundle.members)),
        },
        records: 0,
        broken: vec![],
    }
}
