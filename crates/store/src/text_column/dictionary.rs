//! Distinct texts and their numbers.

use arrow::buffer::Buffer;
use xxhash_rust::xxh3::xxh3_64;

/// Log of how many views are kept with their numbers: 64 KiB.
const KNOWN_BITS: u32 = 11;
/// No number.
const NONE: u32 = u32::MAX;

/// Texts in the order in which they came, each once, as a dictionary page holds them.
#[derive(Debug)]
pub(crate) struct Dictionary {
    /// Length (four bytes) and bytes of each.
    page: Vec<u8>,
    /// Where each ends in the page.
    ends: Vec<u32>,
    hashes: Vec<u64>,
    /// Numbers by hash, probed one after the other; as many as a power of two, at most half of them taken.
    table: Vec<u32>,
    /// Views that were met lately and their numbers.
    known: Vec<(u128, u32)>,
    last: (u128, u32),
    /// What the known views point into.
    buffers: Vec<Buffer>,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            page: Vec::new(),
            ends: Vec::new(),
            hashes: Vec::new(),
            table: vec![NONE; 64],
            known: Vec::new(),
            last: (0, NONE),
            buffers: Vec::new(),
        }
    }
}

impl Dictionary {
    /// How many texts.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All texts as a dictionary page holds them, before compression.
    pub(crate) fn page(&self) -> &[u8] {
        &self.page
    }

    /// A text by its number.
    pub(crate) fn text(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.page[start + 4..self.ends[number] as usize]
    }

    /// Tells what the next views point into: those that are known may stand for other text in other buffers.
    pub(crate) fn look_into(&mut self, buffers: &[Buffer]) {
        // They are held on to, so that no others can take their place.
        let same = |(one, other): (&Buffer, &Buffer)| one.as_ptr() == other.as_ptr() && one.len() == other.len();
        if self.known.is_empty() || self.buffers.len() != buffers.len() || !self.buffers.iter().zip(buffers).all(same) {
            self.buffers = buffers.to_vec();
            self.known.clear();
            self.known.resize(1 << KNOWN_BITS, (0, NONE));
            self.last = (0, NONE);
        }
    }

    /// The number of the text that has this view in the array which is gone through, and whether it is new.
    #[inline]
    pub(crate) fn number<'a>(&mut self, view: u128, text: impl FnOnce() -> &'a [u8]) -> (u32, bool) {
        if self.last.0 == view && self.last.1 != NONE {
            return (self.last.1, false);
        }
        let mixed = (view as u64 ^ (view >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = (mixed >> (u64::BITS - KNOWN_BITS)) as usize;
        if let Some((known, number)) = self.known.get(slot)
            && *known == view
            && *number != NONE
        {
            self.last = (view, *number);
            return (*number, false);
        }
        let (number, is_new) = self.find(text());
        self.last = (view, number);
        if let Some(known) = self.known.get_mut(slot) {
            *known = self.last;
        }
        (number, is_new)
    }

    fn find(&mut self, text: &[u8]) -> (u32, bool) {
        // Likes stand together, and each log file has its own copy of what they have in common.
        if self.last.1 != NONE && self.text(self.last.1) == text {
            return (self.last.1, false);
        }
        let hash = xxh3_64(text);
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.table[slot] {
                NONE => break,
                number if self.hashes[number as usize] == hash && self.text(number) == text => return (number, false),
                _ => slot = (slot + 1) & mask,
            }
        }
        let number = self.len() as u32;
        self.table[slot] = number;
        self.page.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.page.extend_from_slice(text);
        self.ends.push(self.page.len() as u32);
        self.hashes.push(hash);
        if self.len() * 2 > self.table.len() {
            self.grow();
        }
        (number, true)
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        self.table = vec![NONE; mask + 1];
        for (number, hash) in self.hashes.iter().enumerate() {
            let mut slot = *hash as usize & mask;
            while self.table[slot] != NONE {
                slot = (slot + 1) & mask;
            }
            self.table[slot] = number as u32;
        }
    }
}
