//! A Parquet source that looks at dictionaries before it opens a file, and reads plain columns itself.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::DynamicFilterPhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_optimizer::pruning::FilePruner;
use datafusion::physical_plan::DisplayFormatType;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion_datasource::morsel::{MorselPlan, MorselPlanner, Morselizer};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::ParquetMetaData;

use super::chunk::{Chunk, Found};
use super::{Condition, Kept, Late};
use crate::chunk_cache::ChunkCache;
use crate::column_scan::{ColumnScan, Counts, Part, Rows, Select, Selected, Top};
use crate::data_file;

/// Rows of a batch, until the session says how many.
const DEFAULT_BATCH_SIZE: usize = 8192;

/// See the module.
#[derive(Clone)]
pub(super) struct SelectingSource {
    /// With all conditions.
    whole: Arc<dyn FileSource>,
    /// Without those that dictionaries tell.
    rest: Arc<dyn FileSource>,
    conditions: Arc<[Condition]>,
    late: Arc<[Late]>,
    kept: Kept,
    /// What can be read without DataFusion.
    columns: Option<Arc<ColumnScan>>,
    top: Option<Arc<Top>>,
    /// Rows at most.
    batch_size: usize,
}

impl SelectingSource {
    /// `reverse` where the last row groups are wanted first. `None` where nothing is to be asked of dictionaries, and nothing can be read without
    /// DataFusion.
    pub(super) fn new(
        whole: Arc<dyn FileSource>,
        rest: Arc<dyn FileSource>,
        conditions: Vec<Condition>,
        late: Vec<Late>,
        kept: Kept,
        reverse: bool,
    ) -> Option<Self> {
        let columns = ColumnScan::of(whole.as_ref(), rest.as_ref(), reverse).map(Arc::new);
        let helps = !conditions.is_empty() || !late.is_empty() || columns.is_some();
        let (conditions, late) = (conditions.into(), late.into());
        helps.then_some(Self {
            whole,
            rest,
            conditions,
            late,
            kept,
            columns,
            top: None,
            batch_size: DEFAULT_BATCH_SIZE,
        })
    }
}

impl SelectingSource {
    /// The same for a sort that keeps so many rows by a time; `None` where DataFusion reads, or it is no time.
    pub(super) fn with_top(&self, rows: usize, descending: bool, by: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        self.columns.as_ref()?;
        let top = Top::of(rows, descending, by, self.table_schema().file_schema())?;
        Some(Self { top: Some(Arc::new(top)), ..self.clone() })
    }
}

impl FileSource for SelectingSource {
    fn create_file_opener(&self, _: Arc<dyn ObjectStore>, _: &FileScanConfig, _: usize) -> Result<Arc<dyn FileOpener>> {
        internal_err!("data files are read morsel by morsel")
    }

    fn create_morselizer(
        &self,
        object_store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let counter = |name: &'static str| MetricBuilder::new(self.metrics()).counter(name, partition);
        Ok(Box::new(Selecting {
            of: Arc::new(Sources {
                whole: self.whole.create_morselizer(Arc::clone(&object_store), config, partition)?,
                rest: self.rest.create_morselizer(object_store, config, partition)?,
                conditions: Arc::clone(&self.conditions),
                late: Arc::clone(&self.late),
                kept: self.kept.clone(),
                moving: self
                    .rest
                    .filter()
                    .filter(moves)
                    .map(|filter| (filter, Arc::clone(self.table_schema().file_schema()))),
                columns: self.columns.clone(),
                top: self.top.clone(),
                limit: config.limit,
                batch_size: self.batch_size,
                counts: Counts {
                    bytes: counter("bytes_scanned"),
                    pruned: counter("pushdown_rows_pruned"),
                    partition,
                    metrics: self.metrics().clone(),
                },
            }),
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.whole.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self {
            whole: self.whole.with_batch_size(batch_size),
            rest: self.rest.with_batch_size(batch_size),
            conditions: Arc::clone(&self.conditions),
            late: Arc::clone(&self.late),
            kept: self.kept.clone(),
            columns: self.columns.clone(),
            top: self.top.clone(),
            batch_size,
        })
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.whole.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.whole.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.whole.metrics()
    }

    fn file_type(&self) -> &str {
        self.whole.file_type()
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt_extra(t, f)?;
        let columns = self.conditions.iter().map(|condition| &condition.path);
        let columns: Vec<_> =
            columns.chain(self.late.iter().map(|late| &late.path)).map(|path| path.join(".")).collect();
        if !columns.is_empty() {
            write!(f, ", dictionaries=[{}]", columns.join(", "))?;
        }
        match &self.top {
            Some(top) => write!(f, ", top_of_row_groups={}", top.rows),
            None => Ok(()),
        }
    }

    fn supports_repartitioning(&self) -> bool {
        self.whole.supports_repartitioning()
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.whole.reorder_files(files)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.whole.apply_expressions(f)
    }
}

/// Whether a condition has parts that change while the query runs.
fn moves(condition: &Arc<dyn PhysicalExpr>) -> bool {
    condition.exists(|part| Ok(part.downcast_ref::<DynamicFilterPhysicalExpr>().is_some())).unwrap_or_default()
}

#[derive(Debug)]
struct Selecting {
    of: Arc<Sources>,
}

#[derive(Debug)]
struct Sources {
    whole: Box<dyn Morselizer>,
    rest: Box<dyn Morselizer>,
    conditions: Arc<[Condition]>,
    late: Arc<[Late]>,
    kept: Kept,
    /// The other conditions, where some of them change while the query runs.
    moving: Option<(Arc<dyn PhysicalExpr>, SchemaRef)>,
    columns: Option<Arc<ColumnScan>>,
    top: Option<Arc<Top>>,
    limit: Option<usize>,
    batch_size: usize,
    counts: Counts,
}

impl Morselizer for Selecting {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        Ok(Box::new(Planner { of: Arc::clone(&self.of), file }))
    }
}

#[derive(Debug)]
struct Planner {
    of: Arc<Sources>,
    file: PartitionedFile,
}

impl MorselPlanner for Planner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { of, file } = *self;
        if of.is_past(&file)? {
            return Ok(None);
        }
        let footer = data_file::footer(&file, of.kept.footers.as_ref())?;
        let (mut plan, ours) = access(&file, &footer)?;
        let mut select = Box::new(of.selection(&file, &footer)?);
        if let Some(scan) = &of.columns
            && scan.suits(of.limit, of.top.as_deref())
            && let Some(schema) = file.arrow_schema.clone()
            && let Some(columns) = scan.columns(&footer, &schema)
        {
            let cache = Arc::clone(&of.kept.chunks);
            let (limit, top) = (of.limit, of.top.clone());
            let part = Part { file, footer, schema, columns, plan, ours, select, cache, limit, top };
            let rows = Rows::new(scan, part, of.batch_size, &of.counts)?;
            return Ok(Some(MorselPlan::new().with_morsels(vec![Box::new(rows)])));
        }
        let (mut exact, mut some) = (true, false);
        for number in (0..ours.len()).filter(|number| ours[*number]) {
            if !plan.should_scan(number) {
                continue;
            }
            let selected = select.select(number);
            exact &= selected.exact;
            match selected.rows {
                Some(rows) if rows.is_empty() => plan.skip(number),
                Some(rows) => {
                    let all = usize::try_from(footer.row_group(number).num_rows()).unwrap_or_default();
                    plan.scan_selection(number, RowSelection::from_consecutive_ranges(rows.into_iter(), all));
                    some = true;
                }
                None => some = true,
            }
        }
        if !some {
            return Ok(None);
        }
        let file = file.with_extension(plan);
        let source = if exact { &of.rest } else { &of.whole };
        Ok(Some(MorselPlan::new().with_planners(vec![source.plan_file(file)?])))
    }
}

/// What of a file may be needed as far as planning the scan told, and which of its row groups are this partition's.
fn access(file: &PartitionedFile, footer: &ParquetMetaData) -> Result<(ParquetAccessPlan, Vec<bool>)> {
    let groups = footer.row_groups();
    let plan = match file.extension::<ParquetAccessPlan>() {
        Some(plan) => plan.clone(),
        None => ParquetAccessPlan::new_all(groups.len()),
    };
    if plan.len() != groups.len() {
        return internal_err!("`{}` has {} row groups", file.object_meta.location, groups.len());
    }
    let ours = groups.iter().map(|group| {
        // As DataFusion tells whose a row group is, where a file is several partitions'.
        let first = group.column(0);
        let first = first.dictionary_page_offset().unwrap_or_else(|| first.data_page_offset());
        file.range.as_ref().is_none_or(|range| range.contains(first))
    });
    Ok((plan, ours.collect()))
}

impl Sources {
    /// Whether what the query has found by now leaves nothing to find in a file: a sort of the latest has later ones, say.
    fn is_past(&self, file: &PartitionedFile) -> Result<bool> {
        let Some((filter, schema)) = &self.moving else { return Ok(false) };
        let pruner = FilePruner::try_new(Arc::clone(filter), schema, file, Count::new());
        pruner.map_or(Ok(false), |mut pruner| pruner.should_prune())
    }

    fn selection(&self, file: &PartitionedFile, footer: &Arc<ParquetMetaData>) -> Result<Selection> {
        let late: Vec<Condition> = self.late.iter().filter_map(Late::condition).collect();
        let all_known = late.len() == self.late.len();
        let conditions = self.conditions.iter().cloned().chain(late);
        let conditions: Vec<_> = conditions.map(|condition| (leaf(footer, &condition.path), condition)).collect();
        Ok(Selection {
            file: if conditions.is_empty() { None } else { Some(data_file::open(file)?) },
            name: file.object_meta.location.to_string(),
            cache: Arc::clone(&self.kept.chunks),
            size: file.object_meta.size,
            footer: Arc::clone(footer),
            conditions,
            all_known,
            bytes: self.counts.bytes.clone(),
            pruned: self.counts.pruned.clone(),
        })
    }
}

/// What the conditions say of a file's dictionaries.
struct Selection {
    file: Option<File>,
    name: String,
    cache: Arc<ChunkCache>,
    /// Of the file, in bytes.
    size: u64,
    footer: Arc<ParquetMetaData>,
    /// The number of the column, if the file has it, and what is asked of it.
    conditions: Vec<(Option<usize>, Condition)>,
    /// Whether there are no conditions that are not known yet.
    all_known: bool,
    bytes: Count,
    pruned: Count,
}

impl Select for Selection {
    fn select(&mut self, group: usize) -> Selected {
        let group = self.footer.row_group(group);
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        let mut left: Option<Vec<Range<usize>>> = None;
        let mut exact = self.all_known;
        let mut bytes = 0;
        for (column, condition) in &self.conditions {
            if left.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
            let found = match (column, &self.file) {
                (Some(column), Some(file)) => {
                    let metadata = group.column(*column);
                    let cache = (self.cache.as_ref(), self.name.as_str());
                    let chunk = Chunk { file, size: self.size, metadata, rows, cache, bytes: &mut bytes };
                    chunk.find(condition, left.as_deref())
                }
                _ => Found::Unknown,
            };
            match found {
                Found::All => {}
                Found::Rows(rows) => left = Some(left.map_or(rows.clone(), |left| common(&left, &rows))),
                Found::Unknown => exact = false,
            }
        }
        self.bytes.add(bytes);
        let count = left.as_ref().map_or(rows, |left| left.iter().map(Range::len).sum());
        self.pruned.add(rows - count);
        Selected { rows: left.filter(|_| count < rows), exact }
    }
}

/// The number of a Parquet column.
fn leaf(footer: &ParquetMetaData, path: &[String]) -> Option<usize> {
    let columns = footer.file_metadata().schema_descr().columns();
    columns.iter().position(|column| column.path().parts() == path)
}

/// What two lists of ranges in ascending order have in common.
fn common(left: &[Range<usize>], right: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut both = Vec::new();
    let (mut l, mut r) = (0, 0);
    while let (Some(a), Some(b)) = (left.get(l), right.get(r)) {
        let range = a.start.max(b.start)..a.end.min(b.end);
        if !range.is_empty() {
            both.push(range);
        }
        if a.end <= b.end {
            l += 1;
        } else {
            r += 1;
        }
    }
    both
}
