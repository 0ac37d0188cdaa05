//! A run takes the memory that it was given, whatever the size of the bucket: counted in bytes asked of the allocator.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloudtarn_corpus::{Corpus, Profile};
use cloudtarn_ingest::{Options, Progress};
use cloudtarn_source::Source;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, and what it has given out.
struct Counting;

fn given(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        given(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        given(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        given(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_run_keeps_to_its_memory() {
    const EVENTS: u64 = 44_000;
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("bucket");
    Corpus { profile: Profile::Busy, events: EVENTS, days: 2, ..Corpus::default() }.write(&bucket).unwrap();
    let options = Options { threads: 1, memory: 128 << 20, ..Options::new(folder.path().join("store")) };
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let summary = runtime.block_on(async {
        let as_usual = cloudtarn_source::Options::default();
        let sources = vec![Source::open(bucket.to_str().unwrap(), &as_usual).await.unwrap()];
        cloudtarn_ingest::run(sources, &options, Arc::new(Progress::default()), Arc::default()).await.unwrap()
    });
    let most = MOST.load(Ordering::Relaxed) - before;
    assert_eq!(summary.committed.events, EVENTS);
    // Decoded, they would need more than it may take: their text alone is half of that.
    assert!(summary.inflated > options.memory as u64 / 2, "{} bytes inflated", summary.inflated);
    assert!(summary.committed.data_files >= 4, "{} data files", summary.committed.data_files);
    assert!(most < options.memory, "{most} bytes held at once");
}
