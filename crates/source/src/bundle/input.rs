//! A bundle's bytes as one stream, from wherever it lies.
use crate::s3::Bucket;
use crate::{Error, LogObject, Result};
use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// What one request asks for, in bytes. One part is read while the next is on its way.
const PART: u64 = 8 << 20;
/// What a bundle may unpack to: this, and a multiple of its size. Deflate cannot do better than 1032, and logs compress to
/// a twentieth or so; more is a bomb.
const ALWAYS: u64 = 1 << 30;
const RATIO: u64 = 1100;

/// An object in S3, a part after the other, all of one version.
#[derive(Debug)]
pub(super) struct Parts {
    bucket: Arc<Bucket>,
    object: LogObject,
    handle: Handle,
    asked: u64,
    coming: Option<JoinHandle<Result<Bytes>>>,
    here: Bytes,
}

impl Parts {
    pub(super) fn new(bucket: Arc<Bucket>, object: LogObject, handle: Handle) -> Self {
        let mut this = Self { bucket, object, handle, asked: 0, coming: None, here: Bytes::new() };
        this.ask();
        this
    }

    fn ask(&mut self) {
        let (bucket, object) = (Arc::clone(&self.bucket), self.object.clone());
        let range = self.asked..(self.asked + PART).min(object.size);
        self.asked = range.end;
        self.coming =
            (!range.is_empty()).then(|| self.handle.spawn(async move { bucket.read_range(&object, range).await }));
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.here.is_empty() {
            let Some(coming) = self.coming.take() else { return Ok(0) };
            let uri = || self.object.uri.clone();
            let part = self.handle.block_on(coming).unwrap_or_else(|_| Err(Error::Interrupted { uri: uri() }));
            self.here = part.map_err(io::Error::other)?;
            self.ask();
        }
        let read = buffer.len().min(self.here.len());
        self.here.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}

/// Hashes and counts what passes.
pub(super) struct Hashed<R> {
    input: R,
    hash: Sha256,
    bytes: Rc<Cell<u64>>,
}

impl<R: Read> Hashed<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, hash: Sha256::new(), bytes: Rc::default() }
    }

    /// How many bytes have passed; counts on.
    pub(super) fn counter(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.bytes)
    }

    /// The hash of all bytes, after those that nobody read.
    pub(super) fn finish(mut self) -> io::Result<[u8; 32]> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.hash.finalize().into())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

/// Ends with an error when more comes out than can honestly come of the bundle's bytes.
pub(super) struct Capped<R> {
    input: R,
    stored: Rc<Cell<u64>>,
    unpacked: Rc<Cell<u64>>,
}

impl<R: Read> Capped<R> {
    /// Counts to `unpacked`.
    pub(super) fn new(input: R, stored: &Rc<Cell<u64>>, unpacked: &Rc<Cell<u64>>) -> Self {
        Self { input, stored: Rc::clone(stored), unpacked: Rc::clone(unpacked) }
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.unpacked.set(self.unpacked.get() + read as u64);
        if is_bomb(self.stored.get(), self.unpacked.get()) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, BOMB));
        }
        Ok(read)
    }
}

/// Why a bundle is not unpacked on.
pub(crate) const BOMB: &str = "it unpacks to more than a thousand times its size, as no logs do: a decompression bomb";

/// Whether so many bytes cannot come of so few by honest means.
pub(crate) fn is_bomb(stored: u64, unpacked: u64) -> bool {
    unpacked > stored.saturating_mul(RATIO).saturating_add(ALWAYS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_passes_is_hashed_to_the_end() {
        let mut input = Hashed::new(&b"abcdef"[..]);
        let bytes = input.counter();
        let mut two = [0; 2];
        input.read_exact(&mut two).unwrap();
        assert_eq!(bytes.get(), 2);
        assert_eq!(input.finish().unwrap(), <[u8; 32]>::from(Sha256::digest(b"abcdef")));
        assert_eq!(bytes.get(), 6);
    }

    #[test]
    fn what_cannot_be_honest_ends() {
        let (stored, unpacked) = (Rc::new(Cell::new(1000)), Rc::default());
        let endless = io::repeat(b' ').take(ALWAYS + 2000 * RATIO);
        let read = io::copy(&mut Capped::new(endless, &stored, &unpacked), &mut io::sink());
        assert_eq!(read.unwrap_err().to_string(), BOMB);
        assert!(unpacked.get() < ALWAYS + 1100 * RATIO);
        assert!(!is_bomb(1 << 40, 1 << 50) && !is_bomb(0, ALWAYS) && is_bomb(0, ALWAYS + 1));
    }
}
