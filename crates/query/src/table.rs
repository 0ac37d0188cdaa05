//! An event data store as a table: a plain Parquet scan over the files of one snapshot, with the catalogue's statistics.
//! For a reader who may not see every event a gate stands over the scan.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use cloudtarn_record::{Deviations, Shredded, shredded};
use cloudtarn_store::{Bound, DataFile, Snapshot};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::datasource::physical_plan::{FileGroup, FileGroupPartitioner, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;

use crate::bloom::Blooms;
use crate::data_file::DataFiles;
use crate::gate::GateExec;
use crate::rows::Rows;
use crate::selectivity;

/// Columns that `SELECT *` leaves out begin with this.
const HIDDEN: char = '$';
const TIME: &str = "eventtime";
/// Data files whose statistics are kept.
const MOST_KNOWN: usize = 10_000;

/// Statistics of data files, as earlier statements of a session have met them.
#[derive(Debug, Default)]
pub(crate) struct KnownStatistics {
    of: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By the columns that the table had, then by file.
    of: HashMap<Vec<String>, HashMap<PathBuf, Arc<Statistics>>>,
    files: usize,
}

impl KnownStatistics {
    /// Of each of these files, for the columns of `schema`.
    fn of(&self, files: &[Arc<DataFile>], schema: &Schema) -> Vec<Arc<Statistics>> {
        let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        let mut known = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        // Compaction replaces files for good: what has not been asked for since is not kept forever.
        if known.files >= MOST_KNOWN {
            *known = Known::default();
        }
        let of = known.of.entry(columns).or_default();
        let before = of.len();
        let statistics = files.iter().map(|file| match of.get(&file.path) {
            Some(found) => Arc::clone(found),
            None => {
                let found = Arc::new(statistics(file, schema));
                of.insert(file.path.clone(), Arc::clone(&found));
                found
            }
        });
        let statistics = statistics.collect();
        let new = of.len() - before;
        known.files += new;
        statistics
    }
}

/// One snapshot of one event data store.
#[derive(Debug)]
pub(crate) struct EventTable {
    schema: SchemaRef,
    /// What may be seen of it.
    rows: Rows,
    files: Vec<(PartitionedFile, Arc<Statistics>)>,
    snapshot: Snapshot,
    known: Option<Arc<KnownStatistics>>,
}

impl EventTable {
    /// The table of a snapshot. Of the hidden columns it has those that the statement names, so that `SELECT *` does not
    /// show the others; none for a reader who may not see every event, since they tell where in a log file an event
    /// stood. Of the shown columns it has those that may be wanted, as `is_named` tells: planning takes the longer the more there are.
    pub(crate) fn new(
        snapshot: Snapshot,
        hidden: &[String],
        is_named: &dyn Fn(&str) -> bool,
        rows: Rows,
        known: Option<Arc<KnownStatistics>>,
    ) -> Self {
        let file_schema = snapshot.store.category.file_schema();
        let shown = |name: &String| match name.starts_with(HIDDEN) {
            true => hidden.contains(name) && rows == Rows::All,
            // Who may see some events only is told them by columns that the statement need not name.
            false => rows != Rows::All || name == TIME || is_named(name),
        };
        let fields: Vec<_> = file_schema.fields().iter().filter(|field| shown(field.name())).cloned().collect();
        let schema = Arc::new(Schema::new(fields));
        let mut schemas = FileSchemas { whole: file_schema, of: HashMap::new() };
        let statistics = match &known {
            Some(known) => known.of(&snapshot.files, &schema),
            None => snapshot.files.iter().map(|file| Arc::new(statistics(file, &schema))).collect(),
        };
        let files = snapshot
            .files
            .iter()
            .zip(statistics)
            .map(|(file, statistics)| {
                let mut listed = PartitionedFile::new(file.path.to_string_lossy(), file.bytes)
                    .with_statistics(Arc::clone(&statistics))
                    .with_extension(Arc::clone(file))
                    // Held by the plan: files that a compaction merges meanwhile stay until it has ended.
                    .with_extension(snapshot.lease.clone());
                if let Some(schema) = schemas.of(file) {
                    listed = listed.with_arrow_schema(schema);
                }
                (listed, statistics)
            })
            .collect();
        Self { schema, rows, files, snapshot, known }
    }

    /// The keys of map columns that every file has a column for, by name; none for a reader who may not see every event.
    pub(crate) fn shredded(&self) -> impl Iterator<Item = &'static Shredded> + '_ {
        let category = self.snapshot.store.category;
        let all = if self.rows == Rows::All { shredded(category) } else { &[] };
        let others = category.file_schema().fields().len() - all.len();
        let least = self.snapshot.files.iter().map(|file| file.columns().len()).min().unwrap_or_default();
        all.iter().take(least.saturating_sub(others))
    }

    /// The same table with some more of the hidden columns.
    pub(crate) fn with_hidden(&self, more: &[String]) -> Self {
        let hidden = self.schema.fields().iter().map(|field| field.name()).filter(|name| name.starts_with(HIDDEN));
        let hidden: Vec<String> = hidden.chain(more).cloned().collect();
        let is_named = |name: &str| self.schema.field_with_name(name).is_ok();
        Self::new(self.snapshot.clone(), &hidden, &is_named, self.rows.clone(), self.known.clone())
    }

    /// Where the columns do not tell what the records say; `None` for a reader who may not see every event, as it tells of
    /// all of them.
    pub(crate) fn deviations(&self) -> Option<&Arc<Deviations>> {
        (self.rows == Rows::All).then_some(&self.snapshot.deviations)
    }

    /// What is true of the events that may be seen; `None` if all may.
    fn predicate(&self) -> Option<Expr> {
        let has = |name: &str| self.schema.field_with_name(name).is_ok();
        let rows = (self.rows != Rows::All).then(|| self.rows.expression(&has));
        rows.into_iter().chain(self.snapshot.oldest.map(not_before)).reduce(Expr::and)
    }

    /// The scan under a gate. Of the statement it depends on the columns alone: its filters and limits are left above.
    fn gated(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        files: Vec<PartitionedFile>,
        predicate: Expr,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let asked = columns.len();
        for column in predicate.column_refs() {
            let index = self.schema.index_of(&column.name)?;
            if !columns.contains(&index) {
                columns.push(index);
            }
        }
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let below = state.create_physical_expr(predicate.clone(), &schema)?;
        let schema = DFSchema::try_from(self.schema.project(&columns)?)?;
        let above = state.create_physical_expr(predicate, &schema)?;
        let scan = self.parquet(state, files, Some(&columns), None, Some(below), &[])?;
        Ok(Arc::new(GateExec::new(scan, above, asked)?))
    }

    /// The scan of some files, of which `above` is what nodes above will keep.
    fn parquet(
        &self,
        state: &dyn Session,
        files: Vec<PartitionedFile>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        predicate: Option<Arc<dyn PhysicalExpr>>,
        above: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let merged =
            Statistics::try_merge_iter(files.iter().filter_map(|file| file.statistics.as_deref()), &self.schema)?;
        let merged = selectivity::filtered(merged, above, &self.schema);
        let url = ObjectStoreUrl::local_filesystem();
        let runtime = state.runtime_env();
        let reader = DataFiles { footers: runtime.cache_manager.get_file_metadata_cache() };
        let mut source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_parquet_file_reader_factory(Arc::new(reader));
        if let Some(predicate) = predicate {
            source = source.with_predicate(predicate);
        }
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(groups(files, state.config().target_partitions()))
            .with_statistics(merged)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// The files that may hold rows for which all the filters are true.
    fn prune(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<PartitionedFile>> {
        let bounds: Vec<TimeBound> = filters.iter().filter_map(TimeBound::of).collect();
        let in_time = |file: &&(PartitionedFile, Arc<Statistics>)| {
            bounds.iter().all(|bound| bound.holds(&file.1, &self.schema) != Some(false))
        };
        let files: Vec<_> = self.files.iter().filter(in_time).collect();
        let all = || files.iter().map(|(file, _)| file.clone()).collect();
        let Some(filter) = conjunction(filters.to_vec()) else { return Ok(all()) };
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let Ok(filter) = state.create_physical_expr(filter, &schema) else { return Ok(all()) };
        let predicate = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema)).try_build(filter)?;
        let statistics = files.iter().map(|(_, statistics)| Arc::clone(statistics)).collect();
        let keep = predicate.prune(&PrunableStatistics::new(statistics, Arc::clone(&self.schema)))?;
        Ok(files.iter().zip(keep).filter(|(_, keep)| *keep).map(|((file, _), _)| file.clone()).collect())
    }
}

/// A filter of the form `eventtime >= literal`. Files hold whole days mostly: where each lies on one side of the bound, no
/// row needs to be looked at.
struct TimeBound {
    operator: Operator,
    /// UTC milliseconds.
    time: i64,
}

impl TimeBound {
    fn of(filter: &Expr) -> Option<Self> {
        let Expr::BinaryExpr(comparison) = filter else { return None };
        match (comparison.left.as_ref(), comparison.right.as_ref()) {
            (Expr::Column(column), Expr::Literal(ScalarValue::TimestampMillisecond(Some(time), None), _))
                if column.name == TIME =>
            {
                Some(Self { operator: comparison.op, time: *time })
            }
            _ => None,
        }
    }

    /// Whether it is true of every event of a file, or of none; `None` where that is not known.
    fn holds(&self, file: &Statistics, schema: &Schema) -> Option<bool> {
        let statistics = file.column_statistics.get(schema.index_of(TIME).ok()?)?;
        let time = |bound: &Precision<ScalarValue>| match bound {
            Precision::Exact(ScalarValue::TimestampMillisecond(time, None)) => *time,
            _ => None,
        };
        let (first, last) = (time(&statistics.min_value)?, time(&statistics.max_value)?);
        let of = |time: i64| match self.operator {
            Operator::Lt => Some(time < self.time),
            Operator::LtEq => Some(time <= self.time),
            Operator::Gt => Some(time > self.time),
            Operator::GtEq => Some(time >= self.time),
            _ => None,
        };
        match (of(first)?, of(last)?) {
            (true, true) if statistics.null_count == Precision::Exact(0) => Some(true),
            (false, false) => Some(false),
            _ => None,
        }
    }
}

#[async_trait]
impl TableProvider for EventTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let decided = |filter: &&Expr| {
            let bound = TimeBound::of(filter).filter(|_| self.rows == Rows::All);
            bound.is_some_and(|bound| self.files.iter().all(|(_, file)| bound.holds(file, &self.schema).is_some()))
        };
        let support = |filter: &&Expr| match decided(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let empty = || -> Result<Arc<dyn ExecutionPlan>> {
            let schema = match projection {
                Some(projection) => Arc::new(self.schema.project(projection)?),
                None => Arc::clone(&self.schema),
            };
            Ok(Arc::new(EmptyExec::new(schema)))
        };
        if self.rows != Rows::All
            && let Some(predicate) = self.predicate()
        {
            let files = self.prune(state, std::slice::from_ref(&predicate))?;
            return if files.is_empty() { empty() } else { self.gated(state, projection, files, predicate) };
        }
        let files = self.prune(state, filters)?;
        let files = match state.config().get_extension::<Blooms>() {
            Some(blooms) => {
                let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
                blooms.prune(files, filters, footers.as_ref(), state.config().target_partitions())?
            }
            None => files,
        };
        // Of few files a part has expired; the others are scanned as if nothing had.
        let (expiring, whole): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|file| self.snapshot.oldest.is_some_and(|oldest| !begins_after(file, &self.schema, oldest)));
        let mut scans = Vec::new();
        if !whole.is_empty() {
            let limit = limit.filter(|_| filters.is_empty());
            scans.push(self.parquet(state, whole, projection, limit, None, filters)?);
        }
        if let (false, Some(predicate)) = (expiring.is_empty(), self.predicate()) {
            scans.push(self.gated(state, projection, expiring, predicate)?);
        }
        match (scans.pop(), scans.pop()) {
            (None, _) => empty(),
            (Some(one), None) => Ok(one),
            (Some(second), Some(first)) => UnionExec::try_new(vec![first, second]),
        }
    }
}

/// True of events of that time (UTC milliseconds) or later, and of those without a time.
fn not_before(oldest: i64) -> Expr {
    let time = || Expr::Column(Column::new_unqualified(TIME));
    let oldest = lit(ScalarValue::TimestampMillisecond(Some(oldest), None));
    time().is_null().or(time().gt_eq(oldest))
}

/// Whether all events of a file are known to be of that time or later.
fn begins_after(file: &PartitionedFile, schema: &Schema, oldest: i64) -> bool {
    let first = schema.index_of(TIME).ok().and_then(|index| {
        let columns = &file.statistics.as_ref()?.column_statistics;
        columns.get(index)?.min_value.get_value().cloned()
    });
    matches!(first, Some(ScalarValue::TimestampMillisecond(Some(first), _)) if first >= oldest)
}

/// Files for each thread that let the threads take turns.
const TURNS: usize = 4;
/// Bytes from which on a file may be divided between threads.
const DIVISIBLE: usize = 10 << 20;

/// As many groups as there are threads, each in the order of time. Where files are many, neighbours are in different groups: who
/// looks for the latest reads the latest files first then, on all threads.
fn groups(files: Vec<PartitionedFile>, threads: usize) -> Vec<FileGroup> {
    let threads = if has_one_row_group(&files) { 1 } else { threads.max(1) };
    if files.len() >= TURNS * threads || threads == 1 {
        let mut groups = vec![Vec::new(); threads];
        for (turn, file) in files.into_iter().enumerate() {
            groups[turn % threads].push(file);
        }
        return groups.into_iter().map(FileGroup::new).collect();
    }
    let whole = vec![FileGroup::new(files)];
    let divided = FileGroupPartitioner::new()
        .with_target_partitions(threads)
        .with_repartition_file_min_size(DIVISIBLE)
        .repartition_file_groups(&whole);
    divided.unwrap_or(whole)
}

/// Whether all that is to be read is one row group, which cannot be divided: other threads would only be started and waited for.
fn has_one_row_group(files: &[PartitionedFile]) -> bool {
    let [file] = files else { return false };
    file.extension::<ParquetAccessPlan>().is_some_and(|plan| plan.row_group_index_iter().count() == 1)
}

/// What is in data files: all columns, or those that there were when the file was made.
struct FileSchemas {
    whole: SchemaRef,
    of: HashMap<usize, SchemaRef>,
}

impl FileSchemas {
    /// `None` where the catalogue does not tell; the file's footer does then.
    fn of(&mut self, file: &DataFile) -> Option<SchemaRef> {
        let columns = Some(file.columns().len()).filter(|columns| *columns > 0)?;
        let whole = &self.whole;
        let cut = || Arc::new(Schema::new(whole.fields().iter().take(columns).cloned().collect::<Vec<_>>()));
        let schema = if columns == whole.fields().len() { whole } else { self.of.entry(columns).or_insert_with(cut) };
        Some(Arc::clone(schema))
    }
}

fn statistics(file: &DataFile, schema: &Schema) -> Statistics {
    let scalar = |bound: &Bound, data_type: &arrow::datatypes::DataType| {
        let value = match bound {
            Bound::Text(text) => ScalarValue::Utf8View(Some(text.clone())),
            Bound::Int(number) => ScalarValue::Int64(Some(*number)),
            Bound::Boolean(value) => ScalarValue::Boolean(Some(*value)),
        };
        value.cast_to(data_type).ok()
    };
    let exact = |value: Option<ScalarValue>| value.map_or(Precision::Absent, Precision::Exact);
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let Some(column) = file.columns().iter().find(|column| column.column == *field.name()) else {
                return ColumnStatistics::new_unknown();
            };
            let bound = |bound: &Option<Bound>| exact(bound.as_ref().and_then(|b| scalar(b, field.data_type())));
            ColumnStatistics {
                null_count: column.nulls.map_or(Precision::Absent, |nulls| Precision::Exact(nulls as usize)),
                min_value: bound(&column.min),
                max_value: bound(&column.max),
                byte_size: Precision::Inexact(column.compressed_bytes as usize),
                ..ColumnStatistics::new_unknown()
            }
        })
        .collect();
    Statistics {
        num_rows: Precision::Exact(file.rows as usize),
        total_byte_size: Precision::Inexact(file.bytes as usize),
        column_statistics: columns,
    }
}
