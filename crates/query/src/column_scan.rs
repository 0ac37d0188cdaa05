//! Scans that need nothing but plain columns: text, times, booleans, beside each other or inside rows, and lists and maps of them.
//!
//! DataFusion's Parquet reader makes all values of a page and drops those that no condition wants. Where conditions leave few rows in almost
//! every page, that is most of a query's time. Here a wanted row costs its own values, and what conditions remain is asked of
//! their columns first. Whole arrays of rows are read by the `parquet` crate, for few rows from here, for many by DataFusion as ever.

mod column;
pub(crate) mod encoding;
mod expressions;
mod lists;
mod out;
mod page;
mod ranges;
mod reader;
mod rows;
mod top;

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileSource;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::physical_expr::expressions::{DynamicFilterPhysicalExpr, Literal};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet};
use parquet::file::metadata::ParquetMetaData;

use self::expressions::Expressions;
pub(crate) use self::rows::Rows;
pub(crate) use self::top::Top;
use crate::chunk_cache::ChunkCache;

/// As many rows as a person looks at; so many are looked at together where a LIMIT may need no more.
const FEW: usize = 1024;

/// How to read a scan's files here.
#[derive(Debug)]
pub(crate) struct ColumnScan {
    output: Expressions,
    /// Of the batches that it gives.
    schema: SchemaRef,
    /// All conditions, and those that are left where dictionaries tell the others.
    whole: Option<Filter>,
    rest: Option<Filter>,
    /// The last row groups first, as a sort by descending times wants them.
    reverse: bool,
}

impl ColumnScan {
    /// Of a scan with all its conditions, and the same without those that dictionaries tell. `None` where
    /// conditions need arrays of rows.
    pub(crate) fn of(whole: &dyn FileSource, rest: &dyn FileSource, reverse: bool) -> Option<Self> {
        let table = whole.table_schema();
        if !table.table_partition_cols().is_empty() {
            return None;
        }
        let table = table.file_schema();
        let projection = whole.projection()?;
        let output = Expressions::of(projection.as_ref().iter().map(|column| &column.expr), table, true)?;
        let schema = Arc::new(projection.project_schema(table).ok()?);
        Some(Self { output, schema, whole: Filter::of(whole, table)?, rest: Filter::of(rest, table)?, reverse })
    }

    /// The file's columns that it reads; `None` where the file has not those that the table has, so that DataFusion has to read it.
    pub(crate) fn columns(&self, footer: &ParquetMetaData, schema: &Schema) -> Option<FileColumns> {
        let of = |filter: &Option<Filter>| match filter {
            Some(filter) => filter.places(footer, schema),
            None => Some(Vec::new()),
        };
        let output = self.output.columns(footer, schema)?;
        Some(FileColumns { output, whole: of(&self.whole)?, rest: of(&self.rest)? })
    }

    /// Whether it is the better reader. Of many rows DataFusion reads arrays of rows as well; where few are wanted, those are known here.
    pub(crate) fn suits(&self, limit: Option<usize>, top: Option<&Top>) -> bool {
        let is_few = |rows: usize| rows <= FEW;
        let few = limit.is_some_and(is_few) || top.is_some_and(|top| is_few(top.rows));
        few || self.is_own()
    }

    /// Whether no part of what it gives is read by the `parquet` crate.
    pub(crate) fn is_own(&self) -> bool {
        !self.output.leaves.iter().any(|leaf| leaf.foreign)
    }
}

/// Where in a file the columns of a scan are.
pub(crate) struct FileColumns {
    output: Vec<usize>,
    whole: Vec<Place>,
    rest: Vec<Place>,
}

/// The number of a conjunct, and of the Parquet columns that it reads.
struct Place {
    conjunct: usize,
    columns: Vec<usize>,
}

/// A condition on rows.
#[derive(Debug)]
struct Filter {
    /// What has to be true, each.
    conjuncts: Vec<Expressions>,
    /// As it is of the table.
    whole: Arc<dyn PhysicalExpr>,
    /// Whether it has parts that change while the query runs.
    moves: bool,
}

impl Filter {
    /// Of a source's condition; `None` where it needs arrays of rows, `Some(None)` where there is none.
    fn of(source: &dyn FileSource, table: &Schema) -> Option<Option<Self>> {
        let is_true = |filter: &Arc<dyn PhysicalExpr>| {
            filter.downcast_ref::<Literal>().is_some_and(|literal| *literal.value() == ScalarValue::Boolean(Some(true)))
        };
        let Some(whole) = source.filter().filter(|filter| !is_true(filter)) else { return Some(None) };
        let dynamic = |part: &Arc<dyn PhysicalExpr>| Ok(part.downcast_ref::<DynamicFilterPhysicalExpr>().is_some());
        let moves = whole.exists(dynamic).ok()?;
        let conjuncts = split_conjunction(&whole).into_iter().map(|conjunct| Expressions::of([conjunct], table, false));
        Some(Some(Self { conjuncts: conjuncts.collect::<Option<_>>()?, whole, moves }))
    }

    /// Where in a file what is to be asked is, in the order in which it is asked: what takes least to read leaves fewer rows to the others.
    fn places(&self, footer: &ParquetMetaData, schema: &Schema) -> Option<Vec<Place>> {
        let place = |(conjunct, expressions): (usize, &Expressions)| {
            expressions.columns(footer, schema).map(|columns| Place { conjunct, columns })
        };
        let mut places = self.conjuncts.iter().enumerate().map(place).collect::<Option<Vec<_>>>()?;
        let bytes = |place: &Place| -> i64 {
            let first = footer.row_groups().first();
            let size = |column: &usize| first.map_or(0, |group| group.column(*column).compressed_size());
            place.columns.iter().map(size).sum()
        };
        places.sort_by_key(bytes);
        Some(places)
    }
}

/// The part of a file that a scan may need.
pub(crate) struct Part {
    pub(crate) file: PartitionedFile,
    pub(crate) footer: Arc<ParquetMetaData>,
    /// Of the file.
    pub(crate) schema: SchemaRef,
    pub(crate) columns: FileColumns,
    pub(crate) plan: ParquetAccessPlan,
    /// Which row groups are this partition's.
    pub(crate) ours: Vec<bool>,
    pub(crate) select: Box<dyn Select>,
    pub(crate) cache: Arc<ChunkCache>,
    /// No more rows are needed, of all files together.
    pub(crate) limit: Option<usize>,
    pub(crate) top: Option<Arc<Top>>,
}

/// What dictionaries tell of the rows of a file.
pub(crate) trait Select: Send {
    /// Those of a row group that are wanted.
    fn select(&mut self, group: usize) -> Selected;
}

/// Rows that dictionaries leave.
#[derive(Debug)]
pub(crate) struct Selected {
    /// In ascending order; `None` for all.
    pub(crate) rows: Option<Vec<Range<usize>>>,
    /// Whether the conditions that dictionaries tell are true of all of these.
    pub(crate) exact: bool,
}

/// What is counted.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    pub(crate) bytes: Count,
    /// Rows that were looked at and dropped.
    pub(crate) pruned: Count,
    pub(crate) partition: usize,
    pub(crate) metrics: ExecutionPlanMetricsSet,
}

#[cfg(test)]
mod tests;
