//! The account of a run: what became of every file.

use cloudtarn_source::Effort;
use cloudtarn_store::{Committed, Fate};

/// A file, folder or prefix with what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its address.
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

/// How many problems of a kind are kept by name; all are counted, and the ledger has those of files.
const NAMED: usize = 1000;

/// Problems of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// How many.
    pub count: u64,
    /// The first thousand.
    pub first: Vec<Problem>,
}

impl Problems {
    pub(crate) fn push(&mut self, path: &str, reason: &str) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(Problem { path: path.to_owned(), reason: reason.to_owned() });
        }
    }
}

/// What became of every file that was listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files listed.
    pub listed: u64,
    /// Files whose events were taken in, those that are broken in part counted.
    pub taken_in: u64,
    /// Files that an earlier run took in.
    pub already: u64,
    /// Of these, files that were broken then.
    pub already_broken: u64,
    /// Files without records.
    pub empty: u64,
    /// Digest files that were kept: they prove log files, and hold no events.
    pub digests: u64,
    /// Bundles read to their end; their members are counted as files.
    pub bundles: u64,
    /// Control messages of CloudWatch Logs, which hold no events.
    pub control_messages: u64,
    /// Log events of other logs than trails', which came along with them.
    pub other_log_events: u64,
    /// Files that hold something else.
    pub not_cloudtrail: Problems,
    /// Files that could not be decoded, wholly or in part.
    pub broken: Problems,
    /// Records that could not be decoded in files that are otherwise good.
    pub broken_records: u64,
    /// Files that could not be read; the next run tries them again.
    pub unread: Problems,
    /// Prefixes and folders that could not be listed.
    pub unlisted: Problems,
    /// Files whose bytes are others than an earlier run read at their address; both versions' events are kept.
    pub changed: Problems,
    /// Files that have another version but the same bytes.
    pub rewritten: u64,
    /// Files that an earlier run took in and that are not where they were; their events are kept.
    pub gone: Problems,
    /// What was done otherwise than asked, and why.
    pub notes: Vec<String>,
    /// Requests that the sources took.
    pub effort: Effort,
    /// Events read, duplicates counted.
    pub records: u64,
    /// Stored bytes of the files that were read.
    pub bytes: u64,
    /// Their inflated bytes.
    pub inflated: u64,
    /// What the commits did.
    pub committed: Committed,
    /// The run was asked to stop before its end.
    pub interrupted: bool,
}

impl Summary {
    /// True if some file was broken or could not be read.
    pub fn has_broken_files(&self) -> bool {
        self.broken.count > 0 || self.unread.count > 0
    }

    /// True if nothing new came and nothing is to be told.
    pub fn is_quiet(&self) -> bool {
        let problems = [&self.not_cloudtrail, &self.broken, &self.unread, &self.unlisted, &self.changed, &self.gone];
        problems.iter().all(|problems| problems.count == 0)
            && self.taken_in + self.empty + self.rewritten == 0
            && !self.interrupted
    }

    pub(crate) fn count(&mut self, path: &str, fate: &Fate, partly: bool) {
        match fate {
            Fate::TakenIn => self.taken_in += 1,
            Fate::Empty => self.empty += 1,
            Fate::Unpacked => self.bundles += 1,
            Fate::NotCloudTrail(reason) => self.not_cloudtrail.push(path, reason),
            Fate::Broken(reason) => {
                self.broken.push(path, reason);
                self.taken_in += u64::from(partly);
            }
        }
    }
}
