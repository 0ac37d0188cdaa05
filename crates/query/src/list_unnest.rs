//! Unnesting of lists whose elements lie one after the other.
//!
//! DataFusion looks for every element by itself, in every column. But the elements of a batch's lists already are a column, of which
//! a slice will do, where all lists that are unnested beside each other are equally long; what is repeated beside them is repeated
//! in stretches.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{NullHandling, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{TryStreamExt, stream};

/// Puts [`ListUnnestExec`] in the place of DataFusion's.
#[derive(Debug)]
pub(crate) struct ListUnnest;

impl PhysicalOptimizerRule for ListUnnest {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let replaced = plan.transform_up(|node| {
            let lists = node.downcast_ref::<UnnestExec>().and_then(ListUnnestExec::of);
            Ok(lists.map_or_else(|| Transformed::no(node), |lists| Transformed::yes(Arc::new(lists))))
        })?;
        Ok(replaced.data)
    }

    fn name(&self) -> &'static str {
        "list_unnest"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// See the module.
#[derive(Debug)]
struct ListUnnestExec {
    /// What it stands for.
    unnest: UnnestExec,
    /// Which columns of the input are unnested.
    lists: Arc<[bool]>,
    metrics: ExecutionPlanMetricsSet,
}

impl ListUnnestExec {
    /// `None` for what unnests other things than lists, or keeps rows that have none.
    fn of(unnest: &UnnestExec) -> Option<Self> {
        let input = unnest.input().schema();
        let mut lists = vec![false; input.fields().len()];
        for column in unnest.list_column_indices() {
            let index = column.index_in_input_schema;
            let is_list = matches!(input.field(index).data_type(), DataType::List(_));
            // Twice the same list has two columns for one.
            if column.depth != 1 || !is_list || std::mem::replace(&mut lists[index], true) {
                return None;
            }
        }
        let drops = unnest.options().null_handling == NullHandling::Drop;
        let alone = unnest.struct_column_indices().is_empty() && !unnest.list_column_indices().is_empty();
        (drops && alone && unnest.schema().fields().len() == lists.len()).then(|| Self {
            unnest: unnest.clone(),
            lists: lists.into(),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

impl DisplayAs for ListUnnestExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("List")?;
        self.unnest.fmt_as(format, f)
    }
}

impl ExecutionPlan for ListUnnestExec {
    fn name(&self) -> &'static str {
        "ListUnnestExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.unnest.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![self.unnest.input()]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.unnest.input_distribution_requirements()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.unnest.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let unnest = Arc::new(self.unnest.clone()).replace_children(children, options)?;
        match unnest.downcast_ref::<UnnestExec>().and_then(Self::of) {
            Some(lists) => Ok(Arc::new(lists)),
            None => internal_err!("an unnesting became {}", unnest.name()),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.unnest.input().execute(partition, Arc::clone(&context))?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let (schema, lists) = (self.schema(), Arc::clone(&self.lists));
        let batch_size = context.session_config().batch_size().max(1);
        let unnested = input.and_then(move |batch| {
            let unnested = Unnested::of(batch, &schema, &lists);
            let metrics = metrics.clone();
            let batches = unnested.map(|unnested| {
                stream::iter((0..unnested.rows).step_by(batch_size).map(move |start| {
                    let _timer = metrics.elapsed_compute().timer();
                    unnested.batch(start..unnested.rows.min(start + batch_size)).record_output(&metrics)
                }))
            });
            std::future::ready(batches)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), unnested.try_flatten())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// A batch of which each row becomes as many rows as its longest list has elements.
struct Unnested {
    batch: RecordBatch,
    /// Of the result.
    schema: SchemaRef,
    /// The lists among the columns.
    lists: Vec<Option<ListArray>>,
    /// Where each row's rows end.
    ends: Vec<usize>,
    /// Whether all lists of a row have as many elements, and these lie one after the other.
    aligned: bool,
    rows: usize,
}

impl Unnested {
    /// `are_lists` tells which columns to unnest, which all are lists.
    fn of(batch: RecordBatch, schema: &SchemaRef, are_lists: &[bool]) -> Result<Self> {
        let columns = batch.columns().iter().zip(are_lists);
        let lists: Vec<_> = columns.map(|(column, is_list)| is_list.then(|| column.as_list::<i32>().clone())).collect();
        let mut rows = 0;
        let mut aligned = true;
        let ends = (0..batch.num_rows()).map(|row| {
            let mut lengths = lists.iter().flatten().map(|list| {
                let length = list.value_length(row) as usize;
                // Under a NULL there may be elements, which are nobody's.
                aligned &= length == 0 || list.is_valid(row);
                if list.is_valid(row) { length } else { 0 }
            });
            let first = lengths.next().unwrap_or_default();
            let (least, most) = lengths.fold((first, first), |(least, most), n| (least.min(n), most.max(n)));
            aligned &= least == most;
            rows += most;
            rows
        });
        let ends = ends.collect();
        Ok(Self { batch, schema: Arc::clone(schema), lists, ends, aligned, rows })
    }

    /// Some of the rows of the result.
    fn batch(&self, rows: Range<usize>) -> Result<RecordBatch> {
        let first = self.ends.partition_point(|end| *end <= rows.start);
        let others = self.lists.iter().any(Option::is_none);
        // The row that each row comes from, where that is asked for.
        let from = (others || !self.aligned).then(|| {
            let mut from = Vec::with_capacity(rows.len());
            for (row, end) in self.ends.iter().enumerate().skip(first) {
                from.resize((*end).min(rows.end) - rows.start, row as u32);
                if from.len() == rows.len() {
                    break;
                }
            }
            UInt32Array::from(from)
        });
        let column = |(column, list): (&ArrayRef, &Option<ListArray>)| match (list, &from) {
            (Some(list), _) if self.aligned => {
                let start = list.value_offsets().first().map_or(0, |start| *start as usize);
                Ok(list.values().slice(start + rows.start, rows.len()))
            }
            (Some(list), Some(from)) => {
                let elements = from.values().iter().zip(rows.clone()).map(|(row, at)| {
                    let row = *row as usize;
                    let begin = row.checked_sub(1).map_or(0, |before| self.ends[before]);
                    let has = list.is_valid(row) && at - begin < list.value_length(row) as usize;
                    has.then(|| list.value_offsets()[row] as u32 + (at - begin) as u32)
                });
                Ok(take(list.values(), &elements.collect::<UInt32Array>(), None)?)
            }
            (None, Some(from)) => Ok(take(column, from, None)?),
            (_, None) => internal_err!("rows are not known where they come from"),
        };
        let columns = self.batch.columns().iter().zip(&self.lists).map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{Int64Array, ListBuilder, StringBuilder, StringViewArray};
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    use arrow::datatypes::{Field, Schema};
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::prelude::*;

    use super::*;

    type Row = (i64, Option<Vec<Option<String>>>, Option<Vec<Option<String>>>);

    fn rows() -> impl Strategy<Value = (Vec<Row>, bool)> {
        let text = prop::option::weighted(0.8, "[a-z]{0,20}");
        let list = || prop::option::weighted(0.8, prop::collection::vec(text.clone(), 0..5));
        let rows = prop::collection::vec((any::<i64>(), list(), list()), 0..40);
        (rows, any::<bool>()).prop_map(|(mut rows, alike)| {
            if alike {
                rows.iter_mut().for_each(|row| row.2 = row.1.clone());
            }
            (rows, alike)
        })
    }

    fn batch(rows: &[Row]) -> RecordBatch {
        let list = |of: fn(&Row) -> &Option<Vec<Option<String>>>| {
            let mut builder = ListBuilder::new(StringBuilder::new());
            rows.iter().for_each(|row| builder.append_option(of(row).clone()));
            Arc::new(builder.finish()) as ArrayRef
        };
        let names: StringViewArray = rows.iter().map(|row| Some(format!("row number {}", row.0))).collect();
        let columns: [(&str, ArrayRef); 3] =
            [("a", list(|row| &row.1)), ("name", Arc::new(names)), ("b", list(|row| &row.2))];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
    }

    async fn unnested(batches: Vec<RecordBatch>, sql: &str, rule: bool, batch_size: usize) -> Vec<String> {
        let config = SessionConfig::new().with_target_partitions(1).with_batch_size(batch_size);
        let mut builder = SessionStateBuilder::new().with_config(config).with_default_features();
        if rule {
            builder = builder.with_physical_optimizer_rule(Arc::new(ListUnnest));
        }
        let context = SessionContext::new_with_state(builder.build());
        let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
        context.register_table("t", Arc::new(table)).unwrap();
        let frame = context.sql(sql).await.unwrap();
        let options = datafusion::common::UnnestOptions::new().with_null_handling(NullHandling::Drop);
        let frame = frame.unnest_columns_with_options(&["a", "b"], options).unwrap();
        let plan = frame.clone().create_physical_plan().await.unwrap();
        let shown = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
        assert_eq!(shown.contains("ListUnnestExec"), rule, "{shown}");
        let batches = frame.collect().await.unwrap();
        assert!(batches.iter().all(|batch| batch.num_rows() <= batch_size));
        let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
        shown.lines().filter(|line| line.contains("row number")).map(ToOwned::to_owned).collect()
    }

    proptest! {
        #[test]
        fn lists_are_unnested_as_datafusion_unnests_them(
            (rows, _) in rows(), more in rows(), batch_size in 1..20_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let batches = vec![batch(&rows), batch(&more.0)];
            let sql = "SELECT a, name, b FROM t";
            let expected = runtime.block_on(unnested(batches.clone(), sql, false, batch_size));
            prop_assert_eq!(runtime.block_on(unnested(batches, sql, true, batch_size)), expected);
        }
    }

    #[test]
    fn elements_under_a_null_are_nobody_s() {
        let elements: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
        let field = Arc::new(Field::new_list_field(DataType::Int64, true));
        let offsets = OffsetBuffer::from_lengths([1, 2, 1]);
        let valid = Some(NullBuffer::from(vec![true, false, true]));
        let lists: ArrayRef = Arc::new(ListArray::new(field, offsets, elements, valid));
        let batch = RecordBatch::try_from_iter_with_nullable([("x", lists, true)]).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)]));
        let unnested = Unnested::of(batch, &schema, &[true]).unwrap();
        assert_eq!(unnested.rows, 2);
        let x = unnested.batch(0..2).unwrap().column(0).clone();
        assert_eq!(x.as_primitive::<arrow::datatypes::Int64Type>().values(), &[1, 4]);
    }
}
