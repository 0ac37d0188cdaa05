//! The identities of a data file's events in a file beside it, sorted, so that a commit finds duplicates by merging instead
//! of by memory.
//!
//! Layout of `<data file>.ids`: 16 bytes an event, ascending: the first 80 bits of the hash of eventID and recipient account,
//! and the first 48 of the record's, big-endian. Events without an eventID are left out.
//!
//! An event is dropped only if all 128 bits are equal. 80 bits alone decide what is called a conflict: among ten billion
//! events of one day, one pair in 25,000 days would be called so by chance, and would be kept all the same.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::disk;
use crate::error::{Error, Result, io};

const ENTRY: usize = 16;
/// Bits of the content's hash.
const CONTENT: u32 = 48;

/// What is compared: the event's hash, and below it its content's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known(u128);

impl Known {
    /// Of the whole hashes.
    pub(crate) fn new(event: u128, content: u128) -> Self {
        Self(event >> CONTENT << CONTENT | content >> (u128::BITS - CONTENT))
    }

    /// What tells events apart.
    pub(crate) fn event(self) -> u128 {
        self.0 >> CONTENT
    }
}

/// Where the identities of a data file are.
pub(crate) fn path(data_file: &Path) -> PathBuf {
    data_file.with_extension("ids")
}

/// Writes the sorted identities beside the data file, durable but for the folder.
pub(crate) fn write(data_file: &Path, sorted: &[Known]) -> Result<()> {
    let path = path(data_file);
    let temporary = disk::temporary(&path);
    let file = File::create(&temporary).map_err(io("creating", &temporary))?;
    let mut writer = BufWriter::with_capacity(1 << 18, file);
    let mut put = |bytes: &[u8]| writer.write_all(bytes).map_err(io("writing", &temporary));
    for known in sorted {
        put(&known.0.to_be_bytes())?;
    }
    let file = writer.into_inner().map_err(|error| io("writing", &temporary)(error.into_error()))?;
    disk::publish(&file, &path)
}

/// Writes beside a data file the identities of all the events that it has of others.
pub(crate) fn merge(data_file: &Path, others: &[&Path]) -> Result<()> {
    let mut all = Vec::new();
    for other in others {
        read(other, |known| {
            all.push(known);
            true
        })?;
    }
    all.par_sort_unstable();
    write(data_file, &all)
}

/// Calls `found` with the identities beside a data file, in their order, until it is false.
fn read(data_file: &Path, mut found: impl FnMut(Known) -> bool) -> Result<()> {
    let path = path(data_file);
    let file = File::open(&path).map_err(io("opening", &path))?;
    let length = file.metadata().map_err(io("opening", &path))?.len();
    if length % ENTRY as u64 != 0 {
        return Err(Error::Damaged { path, reason: format!("{length} bytes are no whole number of entries") });
    }
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut entry = [0; ENTRY];
    for _ in 0..length / ENTRY as u64 {
        reader.read_exact(&mut entry).map_err(io("reading", &path))?;
        if !found(Known(u128::from_be_bytes(entry))) {
            break;
        }
    }
    Ok(())
}

/// Calls `found` with the index of every entry of `sorted` whose event is in the file beside `data_file`, and whether the
/// content is the same. An event may be found several times.
pub(crate) fn intersect(data_file: &Path, sorted: &[Known], mut found: impl FnMut(usize, bool)) -> Result<()> {
    let mut at = 0;
    read(data_file, |there| {
        at += sorted[at..].partition_point_near(there.event());
        let mut same = at;
        while sorted.get(same).is_some_and(|known| known.event() == there.event()) {
            found(same, sorted[same] == there);
            same += 1;
        }
        at < sorted.len()
    })
}

trait Near {
    /// How many leading entries are before `event`, found by steps that grow: cheap when it is near.
    fn partition_point_near(&self, event: u128) -> usize;
}

impl Near for [Known] {
    fn partition_point_near(&self, event: u128) -> usize {
        let mut step = 1;
        while step < self.len() && self[step - 1].event() < event {
            step *= 2;
        }
        let start = step / 2;
        start + self[start..step.min(self.len())].partition_point(|known| known.event() < event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn intersection_is_that_of_sets(left in proptest::collection::vec((0u8..40, 0u8..3), 0..60), right in proptest::collection::vec((0u8..40, 0u8..3), 0..60)) {
            let known = |pairs: &[(u8, u8)]| {
                let mut known: Vec<Known> =
                    pairs.iter().map(|(e, c)| Known::new(u128::from(*e) << 100, u128::from(*c) << 90)).collect();
                known.sort();
                known
            };
            let (left, right) = (known(&left), known(&right));
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("a.parquet");
            write(&file, &right).unwrap();
            let mut found = Vec::new();
            intersect(&file, &left, |index, same| found.push((index, same))).unwrap();
            found.sort_unstable();
            let mut expected = Vec::new();
            for (index, known) in left.iter().enumerate() {
                expected.extend(right.iter().filter(|r| r.event() == known.event()).map(|r| (index, r == known)));
            }
            expected.sort_unstable();
            proptest::prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_cut_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.parquet");
        std::fs::write(path(&file), [0; 25]).unwrap();
        assert!(matches!(intersect(&file, &[], |_, _| ()), Err(Error::Damaged { .. })));
    }
}
