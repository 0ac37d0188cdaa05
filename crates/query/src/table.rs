//! An event data store as a table: DataFusion's own Parquet scan over the files of one snapshot.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use cloudtarn_store::{Bound, ColumnStatistics as StoredStatistics, DataFile, Snapshot};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

/// The files of one snapshot, as a table.
#[derive(Debug)]
pub(crate) struct EventTable {
    snapshot: Snapshot,
    schema: SchemaRef,
}

impl EventTable {
    /// `hidden` adds the columns that say where each event came from, after Lake's.
    pub(crate) fn new(snapshot: Snapshot, hidden: bool) -> Self {
        let category = snapshot.store.category;
        let schema = if hidden { category.file_schema() } else { category.schema() };
        Self { snapshot, schema }
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

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.snapshot.files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let files = self.snapshot.files.iter().map(|f| file(f, &self.schema)).collect::<Result<Vec<_>>>()?;
        let total = total(&files, &self.schema);
        let order = order(&self.schema);
        let source = Arc::new(ParquetSource::new(Arc::clone(&self.schema)));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(groups(files, state.config().target_partitions()))
            .with_statistics(total)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_output_ordering(order.into_iter().collect())
            .build();
        ParquetFormat::default()
            .with_options(state.table_options().parquet.clone())
            .create_physical_plan(state, config)
            .await
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// One group a thread. Files come by time; neighbours share a group, and where they do not overlap the group is sorted.
fn groups(files: Vec<PartitionedFile>, threads: usize) -> Vec<FileGroup> {
    let size = files.len().div_ceil(threads.max(1)).max(1);
    let mut groups = Vec::new();
    let mut files = files.into_iter().peekable();
    while files.peek().is_some() {
        groups.push(FileGroup::new(files.by_ref().take(size).collect()));
    }
    groups
}

/// `eventtime` ascending, NULLs last: how every file is sorted.
fn order(schema: &Schema) -> Option<LexOrdering> {
    let index = schema.index_of("eventtime").ok()?;
    let options = arrow::compute::SortOptions { descending: false, nulls_first: false };
    LexOrdering::new([PhysicalSortExpr::new(Arc::new(Column::new("eventtime", index)), options)])
}

fn file(f: &DataFile, schema: &Schema) -> Result<PartitionedFile> {
    let path = object_store::path::Path::from_absolute_path(&f.path)
        .map_err(|e| datafusion::error::DataFusionError::External(Box::new(e)))?;
    let mut file = PartitionedFile::new(path.to_string(), f.bytes);
    file.object_meta.location = path;
    file.statistics = Some(Arc::new(statistics(f, schema)));
    file.ordering = order(schema);
    Ok(file)
}

fn statistics(f: &DataFile, schema: &Schema) -> Statistics {
    let rows = usize::try_from(f.rows).unwrap_or(usize::MAX);
    let columns = schema.fields().iter().map(|field| {
        let stored = f.columns.iter().find(|c| c.column == *field.name());
        stored.map_or_else(ColumnStatistics::new_unknown, |c| column(c, field.data_type()))
    });
    Statistics {
        num_rows: Precision::Exact(rows),
        total_byte_size: Precision::Absent,
        column_statistics: columns.collect(),
    }
}

fn column(c: &StoredStatistics, of: &DataType) -> ColumnStatistics {
    let bound = |b: Option<&Bound>| b.and_then(|b| scalar(b, of)).map_or(Precision::Absent, Precision::Exact);
    ColumnStatistics {
        null_count: c.nulls.and_then(|n| usize::try_from(n).ok()).map_or(Precision::Absent, Precision::Exact),
        min_value: bound(c.min.as_ref()),
        max_value: bound(c.max.as_ref()),
        ..ColumnStatistics::new_unknown()
    }
}

fn scalar(bound: &Bound, of: &DataType) -> Option<ScalarValue> {
    match (bound, of) {
        (Bound::Text(s), DataType::Utf8View) => Some(ScalarValue::Utf8View(Some(s.clone()))),
        (Bound::Text(s), DataType::Utf8) => Some(ScalarValue::Utf8(Some(s.clone()))),
        (Bound::Int(n), DataType::Timestamp(TimeUnit::Millisecond, None)) => {
            Some(ScalarValue::TimestampMillisecond(Some(*n), None))
        }
        (Bound::Int(n), DataType::Int32) => i32::try_from(*n).ok().map(|n| ScalarValue::Int32(Some(n))),
        (Bound::Int(n), DataType::Int64) => Some(ScalarValue::Int64(Some(*n))),
        (Bound::Boolean(b), DataType::Boolean) => Some(ScalarValue::Boolean(Some(*b))),
        _ => None,
    }
}

fn total(files: &[PartitionedFile], schema: &Schema) -> Statistics {
    let all = files.iter().filter_map(|f| f.statistics.as_deref());
    Statistics::try_merge_iter(all, schema).unwrap_or_else(|_| Statistics::new_unknown(schema))
}
