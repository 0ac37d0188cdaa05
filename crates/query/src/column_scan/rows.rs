//! The wanted rows of a file: row group by row group, conditions first.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatchOptions};
use arrow::compute::{concat_batches, prep_null_mask_filter};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchReader};
use datafusion::common::{DataFusionError, Result, internal_datafusion_err, internal_err};
use datafusion::datasource::physical_plan::parquet::{
    PagePruningAccessPlanFilter, ParquetAccessPlan, ParquetFileMetrics, RowGroupAccess, RowGroupAccessPlanFilter,
};
use datafusion::physical_expr::utils::reassign_expr_columns;
use datafusion::physical_expr_common::physical_expr::snapshot_physical_expr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion_datasource::morsel::Morsel;
use futures::StreamExt;
use futures::stream::BoxStream;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ParquetMetaData;

use super::column::ChunkOf;
use super::expressions::{Expressions, Leaf};
use super::ranges::Ranges;
use super::reader::Reader;
use super::top::Top;
use super::{ColumnScan, Counts, FEW, FileColumns, Filter, Part, Place, Select, Selected};
use crate::chunk_cache::ChunkCache;
use crate::data_file;

/// What part of a chunk's rows has to be wanted for it to be read at once.
const DENSE: usize = 4;

/// The wanted rows of a file, as batches.
pub(crate) struct Rows {
    scan: Arc<ColumnScan>,
    name: String,
    /// In bytes.
    size: u64,
    file: Arc<File>,
    /// Of the file.
    schema: SchemaRef,
    footer: Arc<ParquetMetaData>,
    columns: FileColumns,
    groups: VecDeque<Wanted>,
    current: Option<Group>,
    select: Box<dyn Select>,
    batch_size: usize,
    limit: Option<usize>,
    top: Option<Arc<Top>>,
    cache: Arc<ChunkCache>,
    counts: Counts,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("file", &self.name).finish_non_exhaustive()
    }
}

/// A row group that is to be read.
struct Wanted {
    number: usize,
    access: RowGroupAccess,
    /// Whether the conditions that are left to look at are known to be true of all rows.
    holds: bool,
}

/// A row group that is being read.
struct Group {
    number: usize,
    rows: usize,
    /// Whether dictionaries have told what they can.
    exact: bool,
    /// Of these the filter has not been asked yet.
    left: Ranges,
    /// For each place of the filter.
    filter: Vec<Vec<Reader>>,
    /// These are wanted.
    chosen: Ranges,
    /// Whether these are the first by time alone already.
    topped: bool,
    output: Option<Vec<Reader>>,
}

impl Rows {
    /// The rows of a part of a file, in batches of at most so many.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub(crate) fn new(scan: &Arc<ColumnScan>, part: Part, batch_size: usize, counts: &Counts) -> Result<Self> {
        let Part { file, footer, schema, columns, plan, ours, select, cache, limit, top } = part;
        let top = top.filter(|top| top.time.columns(&footer, &schema).is_some());
        let mut rows = Self {
            scan: Arc::clone(scan),
            name: file.object_meta.location.to_string(),
            size: file.object_meta.size,
            file: Arc::new(data_file::open(&file)?),
            schema,
            footer,
            columns,
            groups: VecDeque::new(),
            current: None,
            select,
            batch_size,
            limit,
            top,
            cache,
            counts: counts.clone(),
        };
        let (plan, holds) = match &scan.rest {
            Some(filter) if !filter.moves => rows.prune(filter, plan)?,
            _ => (plan, vec![false; ours.len()]),
        };
        let groups = plan.into_inner().into_iter().zip(holds).enumerate().filter(|(number, _)| ours[*number]);
        rows.groups = groups.map(|(number, (access, holds))| Wanted { number, access, holds }).collect();
        if scan.reverse {
            rows.groups.make_contiguous().reverse();
        }
        Ok(rows)
    }

    /// What statistics of row groups and pages leave to look at, and of which row groups they say that the filter is true of all rows.
    fn prune(&self, filter: &Filter, plan: ParquetAccessPlan) -> Result<(ParquetAccessPlan, Vec<bool>)> {
        let now = reassign_expr_columns(snapshot_physical_expr(Arc::clone(&filter.whole))?, &self.schema)?;
        let predicate =
            PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema)).try_build(Arc::clone(&now))?;
        if predicate.always_true() {
            let undecided = vec![false; plan.len()];
            return Ok((plan, undecided));
        }
        let metrics = ParquetFileMetrics::new(self.counts.partition, &self.name, &self.counts.metrics);
        let parquet = self.footer.file_metadata().schema_descr();
        let mut groups = RowGroupAccessPlanFilter::new(plan);
        groups.prune_by_statistics(&self.schema, parquet, self.footer.row_groups(), &predicate, &metrics);
        let holds = groups.is_fully_matched().clone();
        let pages = PagePruningAccessPlanFilter::new(&now, Arc::clone(&self.schema));
        Ok((pages.prune_plan_with_page_index(groups.build(), &self.schema, parquet, &self.footer, &metrics), holds))
    }

    fn prune_group(&self, filter: &Filter, number: usize, access: RowGroupAccess) -> Result<(RowGroupAccess, bool)> {
        let mut only = ParquetAccessPlan::new_none(self.footer.num_row_groups());
        only.set(number, access);
        let (only, holds) = self.prune(filter, only)?;
        Ok((only.into_inner().swap_remove(number), holds.get(number).copied().unwrap_or_default()))
    }

    fn next_group(&mut self) -> Result<Option<Group>> {
        let scan = Arc::clone(&self.scan);
        while let Some(Wanted { number, mut access, mut holds }) = self.groups.pop_front() {
            if let Some(filter) = &scan.rest
                && filter.moves
                && access.should_scan()
            {
                // By now it may say more than it did for the row group before.
                (access, holds) = self.prune_group(filter, number, access)?;
            }
            if !access.should_scan() {
                continue;
            }
            let Selected { rows: selected, exact } = self.select.select(number);
            if let Some(filter) = &scan.whole
                && !exact
            {
                (access, holds) = self.prune_group(filter, number, access)?;
            }
            let rows = usize::try_from(self.footer.row_group(number).num_rows()).unwrap_or_default();
            if let Some(selected) = selected {
                let selected = RowSelection::from_consecutive_ranges(selected.into_iter(), rows);
                access = match access {
                    RowGroupAccess::Skip => RowGroupAccess::Skip,
                    RowGroupAccess::Scan => RowGroupAccess::Selection(selected),
                    RowGroupAccess::Selection(known) => RowGroupAccess::Selection(known.intersection(&selected)),
                };
            }
            let left = match &access {
                RowGroupAccess::Skip => continue,
                RowGroupAccess::Scan => Ranges::new(std::iter::once(0..rows)),
                RowGroupAccess::Selection(selection) => Ranges::of(selection),
            };
            if left.last() > rows {
                return internal_err!(
                    "rows up to {} are wanted of the {rows} of a row group of `{}`",
                    left.last(),
                    self.name
                );
            }
            if left.rows == 0 {
                continue;
            }
            let chosen = Ranges::default();
            let mut group =
                Group { number, rows, exact, left, filter: Vec::new(), chosen, topped: false, output: None };
            let (filter, places) = self.filter_of(&group);
            match filter {
                Some(filter) if !holds => {
                    let dense = group.left.rows >= rows / DENSE;
                    let open = |(number, place): (usize, &Place)| {
                        // How many rows those before it leave is not known.
                        self.open(&filter.conjuncts[place.conjunct], &place.columns, &group, dense && number == 0)
                    };
                    group.filter = places.iter().enumerate().map(open).collect::<Result<_>>()?;
                }
                _ => group.chosen = std::mem::take(&mut group.left),
            }
            return Ok(Some(group));
        }
        Ok(None)
    }

    /// What is to be asked of a row group's rows, and where.
    fn filter_of(&self, group: &Group) -> (Option<&Filter>, &[Place]) {
        match group.exact {
            true => (self.scan.rest.as_ref(), &self.columns.rest),
            false => (self.scan.whole.as_ref(), &self.columns.whole),
        }
    }

    fn open(&self, expressions: &Expressions, columns: &[usize], group: &Group, dense: bool) -> Result<Vec<Reader>> {
        let metadata = self.footer.row_group(group.number);
        let pages = self.footer.offset_index().and_then(|index| index.get(group.number));
        let open = |(leaf, column): (&Leaf, &usize)| {
            let chunk = |column: usize| ChunkOf {
                file: &self.file,
                name: &self.name,
                size: self.size,
                metadata: metadata.column(column),
                pages: pages.and_then(|pages| pages.get(column)).map(|pages| pages.page_locations.as_slice()),
                rows: group.rows,
                dense,
                cache: &self.cache,
                read: &self.counts.bytes,
            };
            Reader::open(leaf.field.data_type(), *column, chunk).map_err(|error| self.named(error, leaf))
        };
        expressions.leaves.iter().zip(columns).filter(|(leaf, _)| !leaf.foreign).map(open).collect()
    }

    /// The whole columns with these numbers in the file's schema, by the `parquet` crate.
    fn foreign(&self, columns: &[usize], group: &Group, rows: &[Range<usize>]) -> ParquetResult<RecordBatch> {
        let options = ArrowReaderOptions::new().with_schema(Arc::clone(&self.schema));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(&self.footer), options)?;
        let source =
            data_file::Counting { file: self.file.try_clone()?, size: self.size, read: self.counts.bytes.clone() };
        let mask = ProjectionMask::roots(self.footer.file_metadata().schema_descr(), columns.iter().copied());
        let count: usize = rows.iter().map(Range::len).sum();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(source, metadata)
            .with_row_groups(vec![group.number])
            .with_projection(mask)
            .with_row_selection(RowSelection::from_consecutive_ranges(rows.iter().cloned(), group.rows))
            .with_batch_size(count)
            .build()?;
        let schema = reader.schema();
        let batches = reader.collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(concat_batches(&schema, &batches)?)
    }

    fn named(&self, error: ParquetError, leaf: &Leaf) -> DataFusionError {
        DataFusionError::from(error).context(format!("reading column `{}` of `{}`", leaf.path.join("."), self.name))
    }

    fn read(&self, expressions: &Expressions, columns: &mut [Reader], rows: &[Range<usize>]) -> Result<Vec<ArrayRef>> {
        let leaves = expressions.leaves.iter().zip(columns);
        let leaves = leaves.map(|(leaf, column)| column.read(rows).map_err(|error| self.named(error, leaf)));
        expressions.evaluate(leaves.collect::<Result<_>>()?, rows.iter().map(Range::len).sum())
    }

    /// What the scan gives of some rows.
    fn output(&self, group: &Group, columns: &mut [Reader], rows: &[Range<usize>]) -> Result<Vec<ArrayRef>> {
        let output = &self.scan.output;
        let places = output.leaves.iter().zip(&self.columns.output);
        let foreign: Vec<usize> = places.filter(|(leaf, _)| leaf.foreign).map(|(_, place)| *place).collect();
        if foreign.is_empty() {
            return self.read(output, columns, rows);
        }
        let foreign = self.foreign(&foreign, group, rows);
        let foreign =
            foreign.map_err(|error| DataFusionError::from(error).context(format!("reading `{}`", self.name)))?;
        let mut columns = columns.iter_mut();
        let leaves = output.leaves.iter().map(|leaf| {
            if leaf.foreign {
                let found = foreign.column_by_name(&leaf.path[0]).cloned();
                return found.ok_or_else(|| internal_datafusion_err!("column `{}` was not read", leaf.path[0]));
            }
            let column =
                columns.next().ok_or_else(|| internal_datafusion_err!("column `{}` is not open", leaf.field.name()))?;
            column.read(rows).map_err(|error| self.named(error, leaf))
        });
        output.evaluate(leaves.collect::<Result<_>>()?, rows.iter().map(Range::len).sum())
    }

    /// Asks the filter of more rows; whether it is to be asked of others before rows are handed out.
    fn choose(&self, group: &mut Group) -> Result<bool> {
        let (Some(filter), places) = self.filter_of(group) else { return Ok(false) };
        // What changes while the query runs is asked late, since it leaves fewer rows the later it is asked; and few rows need not many asked.
        let enough = self.limit.unwrap_or(self.batch_size).min(self.batch_size);
        let in_parts = self.top.is_none() && (filter.moves || self.limit.is_some());
        let is_enough = |group: &Group| group.left.rows == 0 || (in_parts && group.chosen.rows >= enough);
        if is_enough(group) {
            return Ok(false);
        }
        let mut rows = group.left.take(if self.limit.is_some() { self.batch_size.min(FEW) } else { self.batch_size });
        let count = |rows: &[Range<usize>]| rows.iter().map(Range::len).sum::<usize>();
        let asked = count(&rows);
        for (place, columns) in places.iter().zip(&mut group.filter) {
            if !rows.is_empty() {
                let holds = self.read(&filter.conjuncts[place.conjunct], columns, &rows)?.swap_remove(0);
                rows = kept(&rows, &holds)?;
            }
        }
        self.counts.pruned.add(asked - count(&rows));
        rows.into_iter().for_each(|range| group.chosen.push(range));
        Ok(!is_enough(group))
    }

    /// Leaves the rows that a sort may keep.
    fn top(&self, top: &Top, group: &mut Group) -> Result<()> {
        let column = top.time.columns(&self.footer, &self.schema);
        let Some(column) = column.filter(|_| group.chosen.rows > top.rows) else {
            return Ok(());
        };
        let dense = group.chosen.rows >= group.rows / DENSE;
        let mut columns = self.open(&top.time, &column, group, dense)?;
        let rows: Vec<Range<usize>> = group.chosen.of.iter().cloned().collect();
        let times = self.read(&top.time, &mut columns, &rows)?.swap_remove(0);
        if let Some(first) = top.among(&rows, times.as_primitive()) {
            self.counts.pruned.add(group.chosen.rows - first.rows);
            group.chosen = first;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Step> {
        let scan = Arc::clone(&self.scan);
        let mut group = match self.current.take() {
            Some(group) => group,
            None => match self.next_group()? {
                Some(group) => group,
                None => return Ok(Step::End),
            },
        };
        if self.choose(&mut group)? {
            self.current = Some(group);
            return Ok(Step::More);
        }
        if let Some(top) = self.top.clone()
            && !std::mem::replace(&mut group.topped, true)
        {
            self.top(&top, &mut group)?;
        }
        let rows = group.chosen.take(self.limit.unwrap_or(self.batch_size).min(self.batch_size));
        let count: usize = rows.iter().map(Range::len).sum();
        if count == 0 {
            return Ok(Step::More);
        }
        let mut output = match group.output.take() {
            Some(output) => output,
            None => {
                let dense = count + group.chosen.rows >= group.rows / DENSE;
                self.open(&scan.output, &self.columns.output, &group, dense)?
            }
        };
        let columns = self.output(&group, &mut output, &rows)?;
        group.output = Some(output);
        if group.chosen.rows + group.left.rows > 0 {
            self.current = Some(group);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(Step::Rows(RecordBatch::try_new_with_options(Arc::clone(&scan.schema), columns, &options)?))
    }
}

/// Those of some rows of which a condition is true.
fn kept(rows: &[Range<usize>], holds: &ArrayRef) -> Result<Vec<Range<usize>>> {
    let Some(holds) = holds.as_boolean_opt() else { return internal_err!("a condition is boolean") };
    let holds = match holds.nulls() {
        Some(_) => prep_null_mask_filter(holds).values().clone(),
        None => holds.values().clone(),
    };
    let mut kept: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    for range in rows {
        for (start, end) in holds.slice(at, range.len()).set_slices() {
            let (start, end) = (range.start + start, range.start + end);
            match kept.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => kept.push(start..end),
            }
        }
        at += range.len();
    }
    Ok(kept)
}

/// What became of some work.
enum Step {
    Rows(RecordBatch),
    /// Nothing yet.
    More,
    End,
}

impl Morsel for Rows {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let batches = futures::stream::try_unfold(self, |mut rows| async move {
            loop {
                match rows.step()? {
                    Step::Rows(batch) => return Ok(Some((batch, rows))),
                    Step::End => return Ok(None),
                    // Records take a while to search: others may want the thread, or the query to end.
                    Step::More => tokio::task::yield_now().await,
                }
            }
        });
        batches.boxed()
    }
}
