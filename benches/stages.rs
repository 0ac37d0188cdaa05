//! What each stage of an ingest costs, on one thread, in bytes of raw JSON: `cargo bench -p cloudtarn-ingest --bench stages`.
//!
//! A busy bucket (median 150 records a file) and a quiet one (median 5), made by our generator. `inflate` and `parse` are
//! floors: no decoder that goes through them can be faster. `decode` is inflate, parse and columns; `commit` is dedup, sort,
//! Parquet and catalogue; `ingest` is all of it from files on disk to a committed store.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cloudtarn_corpus::{Corpus, Profile};
use cloudtarn_ingest::{Options, Progress};
use cloudtarn_record::inflate::Inflater;
use cloudtarn_record::{Chunk, Decoder, Origin};
use cloudtarn_source::Source;
use cloudtarn_store::{Fate, LogFile, Writer};
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, measurement::WallTime};

struct Bucket {
    folder: PathBuf,
    stored: Vec<Vec<u8>>,
    raw: Vec<Vec<u8>>,
}

impl Bucket {
    fn make(folder: &Path, profile: Profile, events: u64) -> Self {
        let corpus = Corpus { profile, events, accounts: 2, days: 3, ..Corpus::default() };
        corpus.write(folder).unwrap();
        let stored: Vec<Vec<u8>> = corpus.files().map(|(_, bytes)| bytes).collect();
        let mut inflater = Inflater::new(1 << 30);
        let raw = stored
            .iter()
            .map(|file| {
                let mut out = Vec::new();
                inflater.append(file, &mut out).unwrap();
                out
            })
            .collect();
        Self { folder: folder.to_path_buf(), stored, raw }
    }

    fn raw_bytes(&self) -> u64 {
        self.raw.iter().map(|file| file.len() as u64).sum()
    }

    fn decode(&self, files: &[Vec<u8>]) -> Chunk {
        let mut decoder = Decoder::default();
        let mut chunk = Chunk::default();
        for (index, file) in files.iter().enumerate() {
            let origin = Origin { path: Arc::from(format!("file:///{index}")), version: Arc::from("1") };
            decoder.decode(file, origin, &mut chunk).unwrap();
        }
        chunk
    }
}

fn inflate(group: &mut BenchmarkGroup<'_, WallTime>, bucket: &Bucket) {
    let mut out = Vec::new();
    group.bench_function("inflate, libdeflate", |bench| {
        let mut inflater = Inflater::new(1 << 30);
        bench.iter(|| {
            for file in &bucket.stored {
                out.clear();
                inflater.append(file, &mut out).unwrap();
                black_box(out.len());
            }
        });
    });
    group.bench_function("inflate, flate2 with zlib-rs", |bench| {
        bench.iter(|| {
            for file in &bucket.stored {
                out.clear();
                std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&file[..]), &mut out).unwrap();
                black_box(out.len());
            }
        });
    });
}

fn parse(group: &mut BenchmarkGroup<'_, WallTime>, bucket: &Bucket) {
    group.bench_function("parse to simd-json's tape", |bench| {
        let mut buffers = simd_json::Buffers::new(1 << 20);
        let mut scratch = Vec::new();
        let mut tape = Some(simd_json::Tape::null());
        bench.iter(|| {
            for file in &bucket.raw {
                scratch.clear();
                scratch.extend_from_slice(file);
                scratch.resize(file.len() + simd_json::INPUT_PADDING, 0);
                let mut reused = tape.take().unwrap().reset();
                simd_json::fill_tape_padded(&mut scratch, file.len(), &mut buffers, &mut reused).unwrap();
                black_box(reused.0.len());
                tape = Some(reused.reset());
            }
        });
    });
}

fn decode(group: &mut BenchmarkGroup<'_, WallTime>, bucket: &Bucket) {
    group.bench_function("parse and columns", |bench| bench.iter(|| black_box(bucket.decode(&bucket.raw))));
    group.bench_function("decode", |bench| bench.iter(|| black_box(bucket.decode(&bucket.stored))));
}

fn commit(group: &mut BenchmarkGroup<'_, WallTime>, bucket: &Bucket) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    group.bench_function("commit", |bench| {
        bench.iter_batched(
            || (tempfile::tempdir().unwrap(), bucket.decode(&bucket.stored)),
            |(folder, chunk)| {
                let files = vec![LogFile {
                    path: "file:///all".to_owned(),
                    version: "1".to_owned(),
                    bytes: 0,
                    inflated: 0,
                    sha256: [0; 32],
                    content: None,
                    fate: Fate::TakenIn,
                    records: 0,
                    broken: vec![],
                }];
                pool.install(|| Writer::begin(folder.path(), None).unwrap().commit(vec![chunk], files, &[]).unwrap());
                folder
            },
            BatchSize::PerIteration,
        );
    });
}

fn ingest(group: &mut BenchmarkGroup<'_, WallTime>, bucket: &Bucket) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    group.bench_function("ingest", |bench| {
        bench.iter_batched(
            || tempfile::tempdir().unwrap(),
            |folder| {
                runtime.block_on(async {
                    let as_usual = cloudtarn_source::Options::default();
                    let sources = vec![Source::open(bucket.folder.to_str().unwrap(), &as_usual).await.unwrap()];
                    let options = Options { threads: 1, ..Options::new(folder.path().to_path_buf()) };
                    let progress = Arc::new(Progress::default());
                    cloudtarn_ingest::run(sources, &options, progress, Arc::default()).await.unwrap();
                });
                folder
            },
            BatchSize::PerIteration,
        );
    });
}

fn main() {
    let mut criterion =
        Criterion::default().configure_from_args().sample_size(10).measurement_time(Duration::from_secs(6));
    let folder = tempfile::tempdir().unwrap();
    for (name, profile, events) in [("busy", Profile::Busy, 40_000), ("quiet", Profile::Quiet, 20_000)] {
        let bucket = Bucket::make(&folder.path().join(name), profile, events);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(bucket.raw_bytes()));
        inflate(&mut group, &bucket);
        parse(&mut group, &bucket);
        decode(&mut group, &bucket);
        commit(&mut group, &bucket);
        ingest(&mut group, &bucket);
        group.finish();
    }
    criterion.final_summary();
}
