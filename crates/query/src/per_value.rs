//! Functions of text that comes again and again are evaluated once for each text of a batch: `lower(eventName)`, `split_part(userAgent, '/', 1)`.
//! A batch of thousands of events has few event names, callers or addresses.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use cloudtarn_functions::recent::Recent;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{ColumnarValue, Volatility};
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
    TryCastExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

/// Rows of a batch that are worth looking at their texts first.
const LEAST: usize = 128;
/// Rows for each different one; where there are fewer, all are evaluated.
const SHARE: usize = 3;
/// Columns that are looked at together.
const MOST_COLUMNS: usize = 3;
/// Stands for NULL among the views of texts: none is as long.
const NULL: u128 = u128::MAX - 1;

/// The expression, over batches of the schema, with those parts in [`PerValue`] that are worth it.
pub(crate) fn per_value(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Arc<dyn PhysicalExpr> {
    let wrapped = Arc::clone(expression).transform_down(|node| match PerValue::of(&node, schema) {
        Some(per_value) => Ok(Transformed::new(Arc::new(per_value) as _, true, TreeNodeRecursion::Jump)),
        None => Ok(Transformed::no(node)),
    });
    // Nothing in it fails but making nodes anew, which were made before.
    wrapped.map_or_else(|_| Arc::clone(expression), |wrapped| wrapped.data)
}

/// An expression over few columns of text and truth.
#[derive(Debug)]
struct PerValue {
    /// As it was, for people.
    written: Arc<dyn PhysicalExpr>,
    columns: Vec<Arc<dyn PhysicalExpr>>,
    /// Over batches of these columns alone.
    expression: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

impl PerValue {
    fn of(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<Self> {
        let (mut columns, mut fields, mut costly, mut fits) = (Vec::new(), Vec::<Field>::new(), false, true);
        let moved = Arc::clone(expression).transform_down(|node| {
            if let Some(column) = node.downcast_ref::<Column>() {
                let field = schema.field(column.index());
                fits &= matches!(field.data_type(), DataType::Utf8View | DataType::Boolean);
                let index = columns.iter().position(|known| *known == node).unwrap_or_else(|| {
                    columns.push(Arc::clone(&node));
                    fields.push(field.clone());
                    columns.len() - 1
                });
                let column = Arc::new(Column::new(column.name(), index));
                return Ok(Transformed::new(column as _, true, TreeNodeRecursion::Jump));
            }
            match cost(&node) {
                Some(much) => costly |= much,
                None => fits = false,
            }
            // No need to look further.
            Ok(Transformed::new(node, false, if fits { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop }))
        });
        let fits = fits && costly && (1..=MOST_COLUMNS).contains(&columns.len());
        let moved = moved.ok().filter(|_| fits)?.data;
        let schema = Arc::new(Schema::new(fields));
        Some(Self { written: Arc::clone(expression), columns, expression: moved, schema })
    }

    /// Of each row the number of its first like, among the rows that are different; `None` where too many are. One that comes
    /// again after a while may count as another.
    fn different(columns: &[ArrayRef], rows: usize) -> Option<(UInt32Array, UInt32Array)> {
        let mut different = Different { firsts: Vec::new(), numbers: vec![0; rows] };
        for (nth, column) in columns.iter().enumerate() {
            let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
            let few = match (column.data_type(), nulls) {
                (DataType::Boolean, _) => {
                    let bits = column.as_boolean();
                    different.divide(nth > 0, |row| if bits.is_null(row) { NULL } else { bits.value(row).into() })
                }
                (_, Some(nulls)) => {
                    let views = column.as_string_view().views();
                    different.divide(nth > 0, |row| if nulls.is_null(row) { NULL } else { views[row] })
                }
                (_, None) => {
                    let views = column.as_string_view().views();
                    different.divide(nth > 0, |row| views[row])
                }
            };
            if !few {
                return None;
            }
        }
        let Different { firsts, numbers } = different;
        Some((firsts.into(), numbers.into()))
    }
}

/// Rows that differ: the first of each, and which of them each row is as.
struct Different {
    firsts: Vec<u32>,
    numbers: Vec<u32>,
}

impl Different {
    /// Divides rows where their values differ, those that are alike so far if there is a `further` column; false if too many are
    /// different.
    fn divide(&mut self, further: bool, value: impl Fn(usize) -> u128) -> bool {
        let Self { firsts, numbers } = self;
        let most = numbers.len() / SHARE;
        let mut recent = Recent::new(numbers.len());
        firsts.clear();
        let mut before = ((u128::MAX, 0), 0);
        for (row, number) in numbers.iter_mut().enumerate() {
            let key = (value(row), if further { *number } else { 0 });
            if before.0 != key {
                let found = recent.get(key, || {
                    firsts.push(row as u32);
                    firsts.len() as u32 - 1
                });
                if firsts.len() > most {
                    return false;
                }
                before = (key, found);
            }
            *number = before.1;
        }
        true
    }
}

/// Functions that take no longer than looking at texts does.
const QUICK: [&str; 4] = ["$map_text", "nullif", "struct", "named_struct"];

/// Whether a node takes long; `None` where it may not be evaluated for some rows only, or nobody knows.
fn cost(node: &Arc<dyn PhysicalExpr>) -> Option<bool> {
    if let Some(function) = node.downcast_ref::<ScalarFunctionExpr>() {
        let steady = function.fun().signature().volatility != Volatility::Volatile;
        return steady.then(|| !QUICK.contains(&function.name()));
    }
    let long = node.downcast_ref::<LikeExpr>().is_some();
    let short = node.downcast_ref::<Literal>().is_some()
        || node.downcast_ref::<CaseExpr>().is_some()
        || node.downcast_ref::<BinaryExpr>().is_some()
        || node.downcast_ref::<CastExpr>().is_some()
        || node.downcast_ref::<TryCastExpr>().is_some()
        || node.downcast_ref::<InListExpr>().is_some()
        || node.downcast_ref::<IsNullExpr>().is_some()
        || node.downcast_ref::<IsNotNullExpr>().is_some()
        || node.downcast_ref::<NotExpr>().is_some();
    (long || short).then_some(long)
}

impl PartialEq for PerValue {
    fn eq(&self, other: &Self) -> bool {
        self.columns == other.columns && self.expression.as_ref() == other.expression.as_ref()
    }
}

impl Eq for PerValue {}

impl Hash for PerValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.columns.hash(state);
        self.expression.hash(state);
    }
}

impl fmt::Display for PerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(f)
    }
}

impl PhysicalExpr for PerValue {
    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        self.expression.return_field(&self.schema)
    }

    fn data_type(&self, _: &Schema) -> Result<DataType> {
        self.expression.data_type(&self.schema)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        self.expression.nullable(&self.schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let columns = self.columns.iter().map(|column| column.evaluate(batch)?.into_array(rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let evaluate = |columns, rows| {
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
            self.expression.evaluate(&batch)
        };
        let different = if rows < LEAST { None } else { Self::different(&columns, rows) };
        let Some((firsts, numbers)) = different else { return evaluate(columns, rows) };
        let few = columns.iter().map(|column| take(column, &firsts, None)).collect::<Result<_, _>>()?;
        Ok(match evaluate(few, firsts.len())? {
            ColumnarValue::Array(values) => ColumnarValue::Array(take(&values, &numbers, None)?),
            scalar @ ColumnarValue::Scalar(_) => scalar,
        })
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.columns.iter().collect()
    }

    fn with_new_children(self: Arc<Self>, columns: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let (written, expression) = (Arc::clone(&self.written), Arc::clone(&self.expression));
        Ok(Arc::new(Self { written, columns, expression, schema: Arc::clone(&self.schema) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt_sql(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{BooleanArray, StringViewArray};
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;
    use proptest::prelude::*;

    use super::*;

    /// Of texts, truths and texts with their numbers.
    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("a", DataType::Utf8View, true),
            Field::new("b", DataType::Boolean, true),
            Field::new("c", DataType::Utf8View, true),
            Field::new("n", DataType::Int64, true),
        ])
    }

    fn planned(sql: &str) -> Arc<dyn PhysicalExpr> {
        let mut state = SessionStateBuilder::new().with_default_features().build();
        cloudtarn_functions::register_all(&mut state).unwrap();
        let context = SessionContext::new_with_state(state);
        let schema = datafusion::common::DFSchema::try_from(schema()).unwrap();
        let logical = context.parse_sql_expr(sql, &schema).unwrap();
        context.create_physical_expr(logical, &schema).unwrap()
    }

    fn wraps(sql: &str) -> usize {
        let mut wrapped = 0;
        per_value(&planned(sql), &schema())
            .apply(|node| {
                wrapped += usize::from(node.downcast_ref::<PerValue>().is_some());
                Ok(TreeNodeRecursion::Continue)
            })
            .unwrap();
        wrapped
    }

    #[test]
    fn what_is_costly_over_few_texts_is_wrapped() {
        for sql in [
            "lower(a)",
            "split_part(a, c, 1)",
            "a LIKE '%x%'",
            "CASE WHEN b THEN upper(a) ELSE c END",
            "length(a) > 3 AND b",
        ] {
            assert_eq!(wraps(sql), 1, "{sql}");
        }
        // The parts of what cannot be.
        assert_eq!(wraps("length(a) + n > 3 OR lower(c) = 'x'"), 2);
        for sql in [
            "a",
            "a = 'x'",
            "a = 'x' AND NOT b",
            "n + 1",
            "abs(n)",
            "random() < 0.5",
            "length('a')",
            "CASE WHEN b THEN a ELSE c END",
        ] {
            assert_eq!(wraps(sql), 0, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn values_are_those_of_each_row(
            few in prop::collection::vec((prop::option::of("[ab]{0,3}|a text of more than twelve bytes [ab]"), any::<Option<bool>>(), prop::option::of("[cd]{0,2}")), 1..60),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..900),
        ) {
            let rows: Vec<_> = picks.iter().map(|pick| few[pick.index(few.len())].clone()).collect();
            // Views of equal texts differ here and there, as those of two dictionaries do.
            let a: StringViewArray = rows.iter().map(|row| row.0.clone()).collect();
            let distinct: StringViewArray = few.iter().map(|row| row.2.clone()).collect();
            let places: UInt32Array = picks.iter().map(|pick| Some(pick.index(few.len()) as u32)).collect();
            let c = take(&distinct, &places, None).unwrap();
            let b: BooleanArray = rows.iter().map(|row| row.1).collect();
            let n = arrow::array::Int64Array::from_iter_values(0..rows.len() as i64);
            let batch = RecordBatch::try_new(Arc::new(schema()), vec![Arc::new(a), Arc::new(b), c, Arc::new(n)]).unwrap();
            for sql in ["lower(a)", "upper(c)", "concat(a, c)", "CASE WHEN b THEN upper(a) ELSE c END", "c LIKE 'c%' OR length(a) > 2", "length(c) + n", "nullif(lower(c), 'c')"] {
                let expression = planned(sql);
                let wrapped = per_value(&expression, &schema());
                let of = |e: &Arc<dyn PhysicalExpr>| e.evaluate(&batch).unwrap().into_array(rows.len()).unwrap();
                prop_assert_eq!(&of(&wrapped), &of(&expression), "{}", sql);
                prop_assert_eq!(wrapped.data_type(&schema()).unwrap(), expression.data_type(&schema()).unwrap());
            }
        }
    }
}
