//! Sets of values as sorted runs. A run has no room to spare, what comes of several threads is counted without another set, and a run on disk is
//! as good as one in memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Error, ErrorKind, Read, Result, Write};
use std::sync::Arc;

/// Values that are sorted at once: at least so many, at most so many.
const RUN: (usize, usize) = (1 << 10, 1 << 17);
/// Values that several runs are brought together in.
const PART: usize = 1 << 14;
/// Values that are worth a thread.
const THREAD: usize = 1 << 20;
/// Runs on disk that are read beside each other.
const OPEN: usize = 64;
/// Bytes that are read of a run on disk at once.
const BUFFER: usize = 1 << 16;

/// What runs are made of.
pub(super) trait Value: Ord + Clone + Sync {
    /// # Errors
    /// The writer's.
    fn write(&self, to: &mut impl Write) -> Result<()>;

    /// # Errors
    /// The reader's, and where it ends within the value.
    fn read(from: &mut impl Read) -> Result<Self>;
}

impl Value for u128 {
    fn write(&self, to: &mut impl Write) -> Result<()> {
        to.write_all(&self.to_le_bytes())
    }

    fn read(from: &mut impl Read) -> Result<Self> {
        let mut bytes = [0; size_of::<Self>()];
        from.read_exact(&mut bytes)?;
        Ok(Self::from_le_bytes(bytes))
    }
}

impl Value for Box<str> {
    fn write(&self, to: &mut impl Write) -> Result<()> {
        to.write_all(&(self.len() as u64).to_le_bytes())?;
        to.write_all(self.as_bytes())
    }

    fn read(from: &mut impl Read) -> Result<Self> {
        let mut length = [0; 8];
        from.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut text = String::new();
        if from.take(length).read_to_string(&mut text)? as u64 != length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(text.into())
    }
}

/// A file without a name, so that nothing is left of it when nobody has it open. Runs are appended to it.
#[derive(Debug)]
pub(super) struct SpillFile {
    writer: BufWriter<File>,
    file: Arc<File>,
    at: u64,
}

impl SpillFile {
    pub(super) fn new(file: File) -> Result<Self> {
        Ok(Self { file: Arc::new(file.try_clone()?), writer: BufWriter::with_capacity(BUFFER, file), at: 0 })
    }

    /// Appends a run; it can be read once [`Self::finish`] was called.
    fn append<T: Value>(
        &mut self,
        fill: impl FnOnce(&mut dyn FnMut(&T) -> Result<()>) -> Result<()>,
    ) -> Result<DiskRun> {
        let mut counted = Counted { writer: &mut self.writer, bytes: 0 };
        fill(&mut |value| value.write(&mut counted))?;
        let run = DiskRun { file: Arc::clone(&self.file), at: self.at, end: self.at + counted.bytes };
        self.at = run.end;
        Ok(run)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.writer.flush()
    }
}

struct Counted<'a> {
    writer: &'a mut BufWriter<File>,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.writer.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush()
    }
}

/// A part of a file, read at a position of its own.
#[derive(Debug, Clone)]
pub(super) struct DiskRun {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for DiskRun {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let most = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..most];
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.at)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, self.at)?;
        if read == 0 && most > 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "a spilled file is shorter than what was written to it"));
        }
        self.at += read as u64;
        Ok(read)
    }
}

/// Where a walk over a run is.
enum Cursor<'a, T> {
    Memory(std::slice::Iter<'a, T>),
    Disk(BufReader<DiskRun>),
}

impl<T: Value> Cursor<'_, T> {
    fn next(&mut self) -> Result<Option<T>> {
        match self {
            Self::Memory(values) => Ok(values.next().cloned()),
            Self::Disk(reader) => match reader.fill_buf()?.is_empty() {
                true => Ok(None),
                false => T::read(reader).map(Some),
            },
        }
    }
}

/// Walks over all runs at once; each value is met once.
fn walk<T: Value>(mut runs: Vec<Cursor<'_, T>>, mut each: impl FnMut(&T) -> Result<()>) -> Result<()> {
    let mut heads = BinaryHeap::with_capacity(runs.len());
    for (run, cursor) in runs.iter_mut().enumerate() {
        heads.extend(cursor.next()?.map(|value| Reverse((value, run))));
    }
    let mut last = None;
    while let Some(mut head) = heads.peek_mut() {
        let Reverse((value, run)) = &mut *head;
        let next = runs[*run].next()?;
        if last.as_ref() != Some(value) {
            each(value)?;
            last = Some(value.clone());
        }
        match next {
            Some(next) => *value = next,
            None => {
                PeekMut::pop(head);
            }
        }
    }
    Ok(())
}

/// A set of values.
#[derive(Debug)]
pub(super) struct SortedRuns<T> {
    /// What came last, in any order.
    new: Vec<T>,
    /// Each without duplicates.
    runs: Vec<Vec<T>>,
    spilled: Vec<DiskRun>,
}

impl<T> Default for SortedRuns<T> {
    fn default() -> Self {
        Self { new: Vec::new(), runs: Vec::new(), spilled: Vec::new() }
    }
}

impl<T: Value> SortedRuns<T> {
    /// Whether the set now takes another amount of memory.
    pub(super) fn insert(&mut self, value: T) -> bool {
        let room = self.new.capacity();
        self.new.push(value);
        let full = self.new.len() >= self.held_values().clamp(RUN.0, RUN.1);
        if full {
            self.settle();
        }
        full || room != self.new.capacity()
    }

    /// Whether nothing is on disk or came here.
    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.runs.is_empty() && self.spilled.is_empty()
    }

    fn held_values(&self) -> usize {
        self.runs.iter().map(Vec::len).sum()
    }

    fn settle(&mut self) {
        if self.new.is_empty() {
            return;
        }
        self.new.sort_unstable();
        self.new.dedup();
        let mut run = self.new.clone();
        self.new.clear();
        while let Some(mut last) = self.runs.pop_if(|last| last.len() <= 2 * run.len()) {
            last.reserve_exact(run.len());
            last.append(&mut run);
            // Finds the two runs, and merges them.
            last.sort();
            last.dedup();
            run = last;
        }
        self.runs.push(run);
    }

    /// Takes what another set has.
    pub(super) fn merge(&mut self, mut other: Self) {
        other.settle();
        self.runs.append(&mut other.runs);
        self.spilled.append(&mut other.spilled);
    }

    /// Counts each value once.
    ///
    /// # Errors
    /// What was spilled cannot be read.
    pub(super) fn len(&mut self, threads: usize) -> Result<usize> {
        self.settle();
        if self.spilled.is_empty() {
            return Ok(Parts::of(&self.runs).len(threads));
        }
        let mut count = 0;
        walk(self.cursors(), |_| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    fn cursors(&self) -> Vec<Cursor<'_, T>> {
        let disk = self.spilled.iter().map(|run| Cursor::Disk(BufReader::with_capacity(BUFFER, run.clone())));
        disk.chain(self.runs.iter().map(|run| Cursor::Memory(run.iter()))).collect()
    }

    /// Moves what is in memory to the file. Where too many runs are on disk they become one.
    ///
    /// # Errors
    /// The file's.
    pub(super) fn spill(&mut self, file: &mut SpillFile) -> Result<()> {
        self.settle();
        if self.spilled.len() >= OPEN {
            let run = file.append(|write| walk(self.cursors(), |value: &T| write(value)))?;
            *self = Self { spilled: vec![run], ..Self::default() };
        } else if !self.runs.is_empty() {
            let parts = Parts::of(&self.runs);
            let run =
                file.append(|write| parts.each(0..parts.number(), |part| part.iter().try_for_each(&mut *write)))?;
            self.spilled.push(run);
            self.runs = Vec::new();
        }
        self.new = Vec::new();
        Ok(())
    }

    /// Bytes of the values in memory, not of what they point to.
    pub(super) fn size(&self) -> usize {
        (self.new.capacity() + self.runs.iter().map(Vec::capacity).sum::<usize>()) * size_of::<T>()
    }
}

/// Sorted runs, cut at the same values into parts that a cache has room for.
struct Parts<'a, T> {
    /// Of each part the values of each run; the first and the last part reach to the ends.
    cuts: Vec<Vec<&'a [T]>>,
    values: usize,
}

impl<'a, T: Value> Parts<'a, T> {
    fn of(runs: &'a [Vec<T>]) -> Self {
        let values: usize = runs.iter().map(Vec::len).sum();
        let longest = runs.iter().max_by_key(|run| run.len()).map_or(&[][..], Vec::as_slice);
        let step = longest.len().div_ceil(values.div_ceil(PART).max(1)).max(1);
        let mut rest: Vec<&[T]> = runs.iter().map(Vec::as_slice).collect();
        let mut cuts = Vec::new();
        for cut in longest.iter().step_by(step).skip(1) {
            cuts.push(
                rest.iter_mut()
                    .map(|run| {
                        let (part, after) = run.split_at(run.partition_point(|value| value < cut));
                        *run = after;
                        part
                    })
                    .collect(),
            );
        }
        cuts.push(rest);
        Self { cuts, values }
    }

    fn number(&self) -> usize {
        self.cuts.len()
    }

    /// Gives the values of parts, sorted and each once.
    fn each(&self, parts: std::ops::Range<usize>, mut each: impl FnMut(&[T]) -> Result<()>) -> Result<()> {
        let mut together: Vec<T> = Vec::new();
        for part in &self.cuts[parts] {
            let mut there = part.iter().filter(|run| !run.is_empty());
            let (Some(first), second) = (there.next(), there.next()) else { continue };
            if second.is_none() {
                each(first)?;
                continue;
            }
            together.clear();
            part.iter().for_each(|run| together.extend_from_slice(run));
            // Finds the runs, and merges them.
            together.sort();
            together.dedup();
            each(&together)?;
        }
        Ok(())
    }

    fn len(&self, threads: usize) -> usize {
        let count = |parts| {
            let mut count = 0;
            // Nothing that can fail.
            let _ = self.each(parts, |part| {
                count += part.len();
                Ok(())
            });
            count
        };
        let threads = threads.min(self.values / THREAD);
        if threads < 2 {
            return count(0..self.number());
        }
        let share = self.number().div_ceil(threads);
        std::thread::scope(|scope| {
            let counts: Vec<_> = (0..self.number())
                .step_by(share)
                .map(|from| scope.spawn(move || count(from..self.number().min(from + share))))
                .collect();
            counts.into_iter().map(|count| count.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;
    use std::io::Seek;

    use proptest::prelude::*;

    use super::*;

    fn spill<T: Value>(runs: &mut SortedRuns<T>) -> File {
        let file = tempfile::tempfile().unwrap();
        let mut spilled = SpillFile::new(file.try_clone().unwrap()).unwrap();
        runs.spill(&mut spilled).unwrap();
        spilled.finish().unwrap();
        file
    }

    #[derive(Debug, Clone)]
    enum Step<T> {
        Insert(Vec<T>),
        Spill,
        Merge(Vec<T>, bool),
    }

    fn steps<T: std::fmt::Debug + Clone + 'static>(
        value: impl Strategy<Value = T> + Clone + 'static,
    ) -> impl Strategy<Value = Vec<Step<T>>> {
        let values = prop::collection::vec(value, 0..3000);
        let step = prop_oneof![
            3 => values.clone().prop_map(Step::Insert),
            1 => Just(Step::Spill),
            1 => (values, any::<bool>()).prop_map(|(values, spill)| Step::Merge(values, spill)),
        ];
        prop::collection::vec(step, 0..8)
    }

    fn count<T: Value>(steps: Vec<Step<T>>) -> (usize, usize) {
        let (mut set, mut runs) = (BTreeSet::new(), SortedRuns::default());
        for step in steps {
            match step {
                Step::Insert(values) => {
                    set.extend(values.iter().cloned());
                    values.into_iter().for_each(|value| {
                        runs.insert(value);
                    });
                }
                Step::Spill => {
                    spill(&mut runs);
                    assert_eq!(runs.size(), 0);
                }
                Step::Merge(values, spilled) => {
                    set.extend(values.iter().cloned());
                    let mut other = SortedRuns::default();
                    values.into_iter().for_each(|value| {
                        other.insert(value);
                    });
                    if spilled {
                        spill(&mut other);
                    }
                    runs.merge(other);
                }
            }
        }
        let count = runs.len(2).unwrap();
        assert_eq!(runs.len(1).unwrap(), count);
        (count, set.len())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn numbers_count_once(steps in steps(0..5000_u128)) {
            let (count, expected) = count(steps);
            prop_assert_eq!(count, expected);
        }

        #[test]
        fn texts_count_once(steps in steps("[aö]{0,6}".prop_map(Box::<str>::from))) {
            let (count, expected) = count(steps);
            prop_assert_eq!(count, expected);
        }
    }

    #[test]
    fn several_threads_count_many_values() {
        let mut runs = SortedRuns::default();
        // Each value twice, far from each other.
        for value in (0..1_500_000_u128).chain((0..1_500_000).rev()) {
            runs.insert(value * 7919 % 1_500_007);
        }
        assert_eq!(runs.len(3).unwrap(), 1_500_000);
    }

    #[test]
    fn many_runs_on_disk_become_one() {
        let mut runs = SortedRuns::default();
        for run in 0..150_u128 {
            (run..run + 10).for_each(|value| {
                runs.insert(value);
            });
            spill(&mut runs);
            assert!(runs.spilled.len() <= OPEN, "{}", runs.spilled.len());
        }
        assert_eq!(runs.len(1).unwrap(), 159);
    }

    #[test]
    fn a_file_that_was_cut_is_an_error() {
        let mut runs = SortedRuns::default();
        (0..100_u128).for_each(|value| {
            runs.insert(value);
        });
        let mut file = spill(&mut runs);
        assert_eq!(file.seek(std::io::SeekFrom::End(0)).unwrap(), 1600);
        file.set_len(808).unwrap();
        assert_eq!(runs.len(1).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
