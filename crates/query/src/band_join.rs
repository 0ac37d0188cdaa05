//! Joins with what happened within a time of something else, as in
//! `change.eventTime BETWEEN entry.eventTime AND entry.eventTime + INTERVAL '1' HOUR`.
//!
//! DataFusion's hash join compares each pair of rows with equal keys, and one caller has thousands of events. Here the rows of a
//! key stand in order, and each row of the other side looks for where its span of them begins and ends: work grows with the
//! rows and with what comes out, not with the pairs. (A band join, as in DeWitt, Naughton and Schneider, "An Evaluation of
//! Non-Equijoin Algorithms", VLDB 1991.)
//!
//! Bounds need not be understood: any two expressions of one side each, of the same kind of number or time, will do. What
//! is left of the join's condition is asked of the pairs in the span, as it was.

mod build;
mod exec;
mod lookup;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinSide, JoinType, NullEquality, Result};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::joins::utils::JoinFilter;

use self::exec::BandJoinExec;
use crate::number::is_number;

/// See the module.
#[derive(Debug)]
pub(crate) struct BandJoin;

impl PhysicalOptimizerRule for BandJoin {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let joined = plan.transform_up(|node| {
            let Some(join) = node.downcast_ref::<HashJoinExec>() else { return Ok(Transformed::no(node)) };
            let Some(band) = band(join)? else { return Ok(Transformed::no(node)) };
            Ok(Transformed::yes(Arc::new(BandJoinExec::new(&node, band)?) as Arc<dyn ExecutionPlan>))
        })?;
        Ok(joined.data)
    }

    fn name(&self) -> &'static str {
        "band_join"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What a join's condition says of the order of its sides. The left side is the one that is held.
#[derive(Debug, Clone)]
struct Band {
    /// The held value is less than the other one.
    above: Option<Bound>,
    /// The held value is greater than the other one.
    below: Option<Bound>,
    /// Whether the condition says nothing else.
    whole: bool,
}

/// An expression of each side, and whether their values may be equal.
#[derive(Debug, Clone)]
struct Bound {
    held: Arc<dyn PhysicalExpr>,
    other: Arc<dyn PhysicalExpr>,
    inclusive: bool,
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounds = [(&self.above, "<"), (&self.below, ">")];
        for (place, (bound, sign)) in bounds.iter().filter_map(|(b, s)| b.as_ref().map(|b| (b, s))).enumerate() {
            let and = if place > 0 { " AND " } else { "" };
            write!(f, "{and}{} {sign}{} {}", bound.held, if bound.inclusive { "=" } else { "" }, bound.other)?;
        }
        Ok(())
    }
}

/// The band of a join that can be answered by one.
fn band(join: &HashJoinExec) -> Result<Option<Band>> {
    let Some(filter) = join.filter() else { return Ok(None) };
    let comparable = |(key, _): &(Arc<dyn PhysicalExpr>, _)| {
        key.data_type(&join.left().schema()).is_ok_and(|data_type| is_key(&data_type))
    };
    if !matches!(join.join_type(), JoinType::Inner | JoinType::RightSemi)
        || join.null_equality() != NullEquality::NullEqualsNothing
        || join.fetch().is_some()
        || !join.on().iter().all(comparable)
    {
        return Ok(None);
    }
    let mut band = Band { above: None, below: None, whole: true };
    for conjunct in split_conjunction(filter.expression()) {
        let place = match bound(join, filter, conjunct)? {
            Some((bound, true)) => Some((&mut band.above, bound)),
            Some((bound, false)) => Some((&mut band.below, bound)),
            None => None,
        };
        match place {
            Some((place @ None, bound)) => *place = Some(bound),
            _ => band.whole = false,
        }
    }
    Ok((band.above.is_some() || band.below.is_some()).then_some(band))
}

/// The bound that a comparison sets, and whether the held value is to be the lesser one.
fn bound(join: &HashJoinExec, filter: &JoinFilter, conjunct: &Arc<dyn PhysicalExpr>) -> Result<Option<(Bound, bool)>> {
    let Some(comparison) = conjunct.downcast_ref::<BinaryExpr>() else { return Ok(None) };
    let (less, inclusive) = match comparison.op() {
        Operator::Lt => (true, false),
        Operator::LtEq => (true, true),
        Operator::Gt => (false, false),
        Operator::GtEq => (false, true),
        _ => return Ok(None),
    };
    let (left, right) = (of_one_side(filter, comparison.left())?, of_one_side(filter, comparison.right())?);
    let (held, other, less) = match (left, right) {
        (Some((JoinSide::Left, held)), Some((JoinSide::Right, other))) => (held, other, less),
        (Some((JoinSide::Right, other)), Some((JoinSide::Left, held))) => (held, other, !less),
        _ => return Ok(None),
    };
    let number =
        |expression: &Arc<dyn PhysicalExpr>, schema: SchemaRef| expression.data_type(&schema).ok().filter(is_number);
    let (of_held, of_other) = (number(&held, join.left().schema()), number(&other, join.right().schema()));
    if of_held.is_none() || of_held != of_other {
        return Ok(None);
    }
    Ok(Some((Bound { held, other, inclusive }, less)))
}

/// The side that an expression of a join's condition reads, and the expression over that side's rows; `None` for one that
/// reads both, neither, or does not always say the same.
fn of_one_side(
    filter: &JoinFilter,
    expression: &Arc<dyn PhysicalExpr>,
) -> Result<Option<(JoinSide, Arc<dyn PhysicalExpr>)>> {
    let mut sides = Vec::new();
    expression.apply(|node| {
        if node.is_volatile_node() {
            sides.push(JoinSide::None);
        } else if let Some(column) = node.downcast_ref::<Column>() {
            sides.push(filter.column_indices().get(column.index()).map_or(JoinSide::None, |place| place.side));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let Some(side) = sides.first().copied().filter(|side| *side != JoinSide::None) else { return Ok(None) };
    if sides.iter().any(|other| *other != side) {
        return Ok(None);
    }
    let moved = Arc::clone(expression).transform(|node| {
        let Some(column) = node.downcast_ref::<Column>() else { return Ok(Transformed::no(node)) };
        let place = filter.column_indices()[column.index()].index;
        Ok(Transformed::yes(Arc::new(Column::new(column.name(), place)) as Arc<dyn PhysicalExpr>))
    })?;
    Ok(Some((side, moved.data)))
}

/// Whether equal values have equal bytes, so that equal hashes tell equal keys: of floating-point numbers 0 and -0 have not.
fn is_key(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Utf8View
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Boolean
                | DataType::Timestamp(..)
                | DataType::Date32
                | DataType::Date64
                | DataType::Decimal128(..)
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{ArrayRef, Int64Array, StringViewArray, TimestampMicrosecondArray};
    use arrow::datatypes::{Field, Schema, TimeUnit};
    use arrow::record_batch::RecordBatch;
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::prelude::*;

    use super::*;

    type Row = (Option<String>, Option<i64>, Option<i64>);

    /// Tables `a` and `b` of who, when (microseconds) and two numbers, the second one unique.
    fn context(rule: bool, collected: bool, tables: [&[Row]; 2]) -> SessionContext {
        let mut config = SessionConfig::new().with_target_partitions(2).with_batch_size(16);
        let threshold = if collected { usize::MAX } else { 0 };
        config.options_mut().optimizer.hash_join_single_partition_threshold = threshold;
        config.options_mut().optimizer.hash_join_single_partition_threshold_rows = threshold;
        let mut state = SessionStateBuilder::new().with_config(config).with_default_features();
        if rule {
            state = state.with_physical_optimizer_rule(Arc::new(BandJoin));
        }
        let context = SessionContext::new_with_state(state.build());
        let schema = Arc::new(Schema::new(vec![
            Field::new("who", DataType::Utf8View, true),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("k", DataType::Int64, true),
            Field::new("n", DataType::Int64, false),
        ]));
        for (name, rows) in ["a", "b"].into_iter().zip(tables) {
            let batch = |(part, rows): (usize, &[Row])| {
                let columns: Vec<ArrayRef> = vec![
                    Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringViewArray>()),
                    Arc::new(rows.iter().map(|row| row.1).collect::<TimestampMicrosecondArray>()),
                    Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>()),
                    Arc::new(Int64Array::from_iter_values((0..rows.len()).map(|row| (part * 7 + row) as i64))),
                ];
                RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
            };
            let batches: Vec<_> = rows.chunks(7).enumerate().map(batch).collect();
            let half = batches.len().div_ceil(2);
            let parts = batches.chunks(half).map(<[RecordBatch]>::to_vec).collect();
            context.register_table(name, Arc::new(MemTable::try_new(Arc::clone(&schema), parts).unwrap())).unwrap();
        }
        context
    }

    const STATEMENTS: [&str; 9] = [
        "SELECT a.n, b.n FROM a JOIN b ON a.who = b.who WHERE b.at BETWEEN a.at AND a.at + INTERVAL '3 microseconds' ORDER BY 1, 2",
        "SELECT a.n, b.n FROM a JOIN b ON a.who = b.who WHERE b.at > a.at AND b.at < a.at + INTERVAL '5 microseconds' AND a.k <> b.k ORDER BY 1, 2",
        "SELECT a.n, b.n FROM a JOIN b ON a.who = b.who AND a.k = b.k WHERE a.at <= b.at ORDER BY 1, 2",
        "SELECT a.n, b.n FROM a JOIN b ON a.who = b.who WHERE a.at - INTERVAL '2 microseconds' >= b.at ORDER BY 1, 2",
        "SELECT a.n, b.n FROM a JOIN b ON a.who = b.who WHERE a.k < b.n AND b.k < a.n ORDER BY 1, 2",
        "SELECT count(*), sum(a.k) FROM a JOIN b ON a.who = b.who WHERE b.at >= a.at AND b.k <= a.k AND b.k + a.k > 1",
        "SELECT count(*) FROM a JOIN b ON a.who = b.who WHERE b.at >= a.at",
        "SELECT n FROM b WHERE EXISTS (SELECT 1 FROM a WHERE a.who = b.who AND b.at > a.at AND b.at <= a.at + INTERVAL '4 microseconds') ORDER BY 1",
        "SELECT n FROM b WHERE EXISTS (SELECT 1 FROM a WHERE a.who = b.who AND b.at > a.at AND b.k + a.k > 2) ORDER BY 1",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn pairs_are_those_of_a_hash_join(
            a in prop::collection::vec((prop::option::of("[abc]"), prop::option::of(-9..9_i64), prop::option::of(0..4_i64)), 1..40),
            b in prop::collection::vec((prop::option::of("[abd]"), prop::option::of(-9..9_i64), prop::option::of(0..4_i64)), 1..90),
            collected in any::<bool>(),
        ) {
            let contexts = [true, false].map(|rule| context(rule, collected, [&a, &b]));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for sql in STATEMENTS {
                let [with, without] = contexts.each_ref().map(|context| runtime.block_on(async {
                    let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
                    pretty_format_batches(&rows).unwrap().to_string()
                }));
                prop_assert_eq!(with, without, "{}", sql);
            }
        }
    }

    fn plan(context: &SessionContext, sql: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let plan = runtime.block_on(async { context.sql(sql).await.unwrap().create_physical_plan().await.unwrap() });
        datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string()
    }

    fn rows(count: i64) -> Vec<Row> {
        (0..count).map(|row| (Some("a".to_owned()), Some(row), Some(row % 5))).collect()
    }

    #[test]
    fn bands_are_joined_by_bands_and_others_are_not() {
        for collected in [true, false] {
            let context = context(true, collected, [&rows(20), &rows(60)]);
            for sql in STATEMENTS {
                let plan = plan(&context, sql);
                assert!(plan.contains("BandJoinExec"), "{sql}\n{plan}");
            }
            for sql in [
                "SELECT a.n, b.n FROM a JOIN b ON a.who = b.who",
                "SELECT a.n, b.n FROM a JOIN b ON a.who = b.who AND a.k <> b.k",
                "SELECT a.n, b.n FROM a JOIN b ON a.who = b.who AND a.k + b.k < 3",
                "SELECT a.n, b.n FROM a LEFT JOIN b ON a.who = b.who AND a.at < b.at",
                "SELECT a.n, b.n FROM a JOIN b ON a.at < b.at",
                "SELECT a.n, b.n FROM a JOIN b ON a.at < b.at AND CAST(a.k AS DOUBLE) = CAST(b.k AS DOUBLE)",
            ] {
                let plan = plan(&context, sql);
                assert!(!plan.contains("BandJoinExec"), "{sql}\n{plan}");
            }
        }
    }

    /// What cannot be computed for rows that meet nothing is no failure.
    #[test]
    fn bounds_fail_only_where_pairs_do() {
        let far = vec![(Some("far".to_owned()), Some(i64::MAX), Some(0)), (Some("a".to_owned()), Some(5), Some(0))];
        let sql = "SELECT a.n, b.n FROM a JOIN b ON a.who = b.who WHERE b.at < a.at + INTERVAL '3 microseconds' AND b.at > a.at ORDER BY 2";
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for collected in [true, false] {
            let context = context(true, collected, [&far, &rows(20)]);
            assert!(plan(&context, sql).contains("BandJoinExec"));
            let found = runtime.block_on(async { context.sql(sql).await.unwrap().collect().await.unwrap() });
            assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
        }
    }
}
