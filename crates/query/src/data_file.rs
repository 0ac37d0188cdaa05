//! Reading data files: straight from the disk, with what their footers tell kept in memory.
//!
//! DataFusion's own reader hands every range to another thread, and reads page indexes anew for every query. For queries
//! that take milliseconds that is most of the time.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use cloudtarn_store::DataFile;
use datafusion::common::{Result, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetMetaData, ParquetFileMetrics, ParquetFileReaderFactory,
};
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet};
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectMeta;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};

/// Opens the data files of a scan, whose extension is their [`DataFile`].
#[derive(Debug)]
pub(crate) struct DataFiles {
    pub(crate) footers: Arc<FileMetadataCache>,
}

impl ParquetFileReaderFactory for DataFiles {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let metrics = ParquetFileMetrics::new(partition, file.object_meta.location.as_ref(), metrics);
        let path = path(&file)?;
        Ok(Box::new(Reader { path, meta: file.object_meta, footers: Arc::clone(&self.footers), file: None, metrics }))
    }
}

/// Object stores know no paths with all the characters that file systems know.
fn path(file: &PartitionedFile) -> Result<PathBuf> {
    match file.extensions.get::<Arc<DataFile>>() {
        Some(data_file) => Ok(data_file.path.clone()),
        None => internal_err!("`{}` is no data file", file.object_meta.location),
    }
}

pub(crate) fn open(file: &PartitionedFile) -> Result<File> {
    Ok(open_path(&path(file)?)?)
}

fn open_path(path: &Path) -> ParquetResult<File> {
    File::open(path).map_err(|error| ParquetError::General(format!("opening `{}`: {error}", path.display())))
}

/// A data file's footer and page index, from memory or from the file.
pub(crate) fn footer(file: &PartitionedFile, footers: &FileMetadataCache) -> Result<Arc<ParquetMetaData>> {
    match known(&file.object_meta, footers) {
        Some(footer) => Ok(footer),
        None => Ok(read_footer(&open(file)?, &file.object_meta, footers)?),
    }
}

fn known(meta: &ObjectMeta, footers: &FileMetadataCache) -> Option<Arc<ParquetMetaData>> {
    let found = footers.get(&meta.location).filter(|found| found.is_valid_for(meta))?;
    let footer = found.file_metadata.as_any().downcast_ref::<CachedParquetMetaData>()?;
    Some(Arc::clone(footer.parquet_metadata()))
}

fn read_footer(open: &File, meta: &ObjectMeta, footers: &FileMetadataCache) -> ParquetResult<Arc<ParquetMetaData>> {
    // The page index is little beside what the queries after this one save.
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
    let footer = Arc::new(reader.parse_and_finish(open)?);
    let entry = Arc::new(CachedParquetMetaData::new(Arc::clone(&footer)));
    footers.put(&meta.location, CachedFileMetadataEntry::new(meta.clone(), entry));
    Ok(footer)
}

/// Bytes that the header of a page may take, where no page index tells where pages are.
const PAGE_HEADER: u64 = 256 << 10;

/// A data file whose bytes are counted as they are read.
pub(crate) struct Counting {
    pub(crate) file: File,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) read: Count,
}

impl Length for Counting {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Counting {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let rest = self.size.saturating_sub(start).min(PAGE_HEADER);
        Ok(Cursor::new(self.get_bytes(start, rest as usize)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let bytes = read(&self.file, self.size, start, length as u64)?;
        self.read.add(bytes.len());
        Ok(bytes)
    }
}

/// Some bytes of a file that has `size`.
///
/// # Errors
/// Where the file has fewer, as when its footer is damaged.
pub(crate) fn read(mut file: &File, size: u64, start: u64, length: u64) -> ParquetResult<Bytes> {
    // What a damaged footer says is not believed before it is asked for.
    if start.checked_add(length).is_none_or(|end| end > size) {
        let reason = format!("of {size} bytes its footer names {length} from {start} on");
        return Err(ParquetError::EOF(reason));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.seek(SeekFrom::Start(start))?;
    match file.take(length).read_to_end(&mut bytes)? as u64 {
        read if read == length => Ok(bytes.into()),
        read => Err(ParquetError::EOF(format!("it ends {} bytes early", length - read))),
    }
}

struct Reader {
    path: PathBuf,
    meta: ObjectMeta,
    footers: Arc<FileMetadataCache>,
    file: Option<File>,
    metrics: ParquetFileMetrics,
}

impl Reader {
    fn file(&mut self) -> ParquetResult<&mut File> {
        if self.file.is_none() {
            self.file = Some(open_path(&self.path)?);
        }
        self.file.as_mut().ok_or_else(|| ParquetError::General("no file".to_owned()))
    }

    fn read(&mut self, range: &Range<u64>) -> ParquetResult<Bytes> {
        let named = |error, path: &Path| ParquetError::General(format!("reading `{}`: {error}", path.display()));
        let size = self.meta.size;
        let length = range.end.checked_sub(range.start);
        let length = length.ok_or_else(|| ParquetError::EOF("a range ends before it begins".to_owned()))?;
        let bytes = read(self.file()?, size, range.start, length).map_err(|error| named(error, &self.path))?;
        self.metrics.bytes_scanned.add(bytes.len());
        Ok(bytes)
    }

    fn footer(&mut self) -> ParquetResult<Arc<ParquetMetaData>> {
        if let Some(footer) = known(&self.meta, self.footers.as_ref()) {
            return Ok(footer);
        }
        let (meta, footers) = (self.meta.clone(), Arc::clone(&self.footers));
        read_footer(self.file()?, &meta, footers.as_ref())
    }
}

/// Local files answer at once: what is not in the page cache is worth waiting for, as nothing else of this partition could go
/// on meanwhile.
impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        std::future::ready(self.read(&range)).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        std::future::ready(ranges.iter().map(|range| self.read(range)).collect()).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        std::future::ready(self.footer()).boxed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::execution::runtime_env::RuntimeEnvBuilder;

    use super::*;

    #[test]
    fn ranges_beyond_the_file_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a*.parquet");
        std::fs::write(&path, b"0123456789").unwrap();
        let meta = PartitionedFile::new("a", 10).object_meta;
        let metrics = ParquetFileMetrics::new(0, "a", &ExecutionPlanMetricsSet::new());
        let runtime = RuntimeEnvBuilder::new().build().unwrap();
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let mut reader = Reader { path: path.clone(), meta, footers, file: None, metrics };
        assert_eq!(reader.read(&(2..5)).unwrap().as_ref(), b"234");
        assert_eq!(reader.metrics.bytes_scanned.value(), 3);
        for range in [5..11, 11..12, 0..u64::MAX, Range { start: 6, end: 2 }] {
            assert!(reader.read(&range).is_err(), "{range:?}");
        }
        std::fs::write(&path, b"0123").unwrap();
        assert!(reader.read(&(2..5)).is_err());
        assert!(reader.footer().is_err());
    }
}
