//! Column chunks that a session has read lately, as they lie in their files: questions come again, and what the system keeps of a file has
//! to be copied each time.
//!
//! Two generations: what is asked for moves to the new one; when that has half of the bytes, the old one is forgotten and it takes its
//! place. Data files never change and their names are never used again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// The part of a cache that one chunk may take.
const LARGEST: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct ChunkCache {
    /// Bytes of both generations.
    limit: usize,
    kept: Mutex<Kept>,
}

/// By file, then by the file's size and the chunk's first byte.
type Generation = HashMap<String, HashMap<(u64, u64), Bytes>>;

#[derive(Debug, Default)]
struct Kept {
    new: Generation,
    old: Generation,
    /// Of the new generation.
    bytes: usize,
}

impl ChunkCache {
    /// Keeps at most so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    /// The chunk that begins at a byte of a file of that size.
    pub(crate) fn get(&self, file: &str, size: u64, start: u64) -> Option<Bytes> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (size, start);
        if let Some(found) = kept.new.get(file).and_then(|chunks| chunks.get(&key)) {
            return Some(found.clone());
        }
        let found = kept.old.get_mut(file)?.remove(&key)?;
        self.keep(&mut kept, file, key, found.clone());
        Some(found)
    }

    /// Keeps a chunk, unless it is much of what may be kept.
    pub(crate) fn put(&self, file: &str, size: u64, start: u64, chunk: &Bytes) {
        if chunk.len() > self.limit / LARGEST {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.keep(&mut kept, file, (size, start), chunk.clone());
    }

    fn keep(&self, kept: &mut Kept, file: &str, key: (u64, u64), chunk: Bytes) {
        if kept.bytes + chunk.len() > self.limit / 2 {
            kept.old = std::mem::take(&mut kept.new);
            kept.bytes = 0;
        }
        let length = chunk.len();
        let chunks = match kept.new.get_mut(file) {
            Some(chunks) => chunks,
            None => kept.new.entry(file.to_owned()).or_default(),
        };
        let before = chunks.insert(key, chunk);
        kept.bytes = kept.bytes + length - before.map_or(0, |before| before.len());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn bytes(kept: &Generation) -> usize {
        kept.values().flat_map(HashMap::values).map(Bytes::len).sum()
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let cache = ChunkCache::new(320);
        let chunk = |byte: u8| Bytes::from(vec![byte; 20]);
        for number in 0..100_u8 {
            cache.put(&format!("file {}", number % 7), 1000, u64::from(number), &chunk(number));
            assert_eq!(cache.get("file 0", 1000, 0), Some(chunk(0)), "after {number}");
            let kept = cache.kept.lock().unwrap();
            assert_eq!(kept.bytes, bytes(&kept.new));
            assert!(bytes(&kept.new) + bytes(&kept.old) <= 320);
        }
        assert_eq!(cache.get("file 1", 1000, 1), None, "it was not asked for");
        assert_eq!(cache.get("file 1", 1000, 99), Some(chunk(99)));
        assert_eq!(cache.get("file 1", 1001, 99), None, "another size is another file");
        cache.put("large", 1000, 0, &Bytes::from(vec![0; 21]));
        assert_eq!(cache.get("large", 1000, 0), None);
    }

    #[test]
    fn what_is_put_twice_counts_once() {
        let cache = ChunkCache::new(320);
        for _ in 0..3 {
            cache.put("file", 1000, 4, &Bytes::from(vec![0; 20]));
        }
        assert_eq!(cache.kept.lock().unwrap().bytes, 20);
    }
}
