//! `… CROSS JOIN UNNEST(resources) AS r (…) WHERE r.arn = 'x'`: only events one of whose resources has that ARN need to be
//! unnested. This rule says so below the unnesting, in `"$element_has"(resources, 'arn', 'x')`, where the scan's Bloom filters
//! ([`crate::bloom`]) leave out most row groups.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, ExprSchema, Result, ScalarValue, internal_err};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Filter, LogicalPlan, Operator, Projection, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Unnest, Volatility,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The function's name.
pub(crate) const ELEMENT_HAS: &str = "$element_has";

/// See the module.
#[derive(Debug)]
pub(crate) struct ElementFilter {
    function: Arc<ScalarUDF>,
}

impl ElementFilter {
    pub(crate) fn new() -> Self {
        let signature = Signature::any(3, Volatility::Immutable);
        Self { function: Arc::new(ScalarUDF::from(ElementHas { signature })) }
    }

    /// What a conjunct above the unnesting demands of the events below it.
    fn below(&self, conjunct: &Expr, outer: &Projection, unnest: &Unnest, inner: &Projection) -> Option<Expr> {
        let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = conjunct else { return None };
        let Expr::Column(output) = left.as_ref() else { return None };
        let Expr::Literal(value @ (ScalarValue::Utf8View(Some(_)) | ScalarValue::Utf8(Some(_))), _) = right.as_ref()
        else {
            return None;
        };
        let Expr::ScalarFunction(call) = outer.expr[outer.schema.index_of_column(output).ok()?].clone().unalias()
        else {
            return None;
        };
        let [Expr::Column(element), Expr::Literal(field, _)] = call.args.as_slice() else { return None };
        let index = inner.schema.index_of_column(element).ok()?;
        let single = unnest.list_type_columns.iter().any(|(list, column)| *list == index && column.depth == 1);
        let Expr::Column(list) = inner.expr[index].clone().unalias() else { return None };
        if call.name() != "get_field" || !single || !has_text(&list, inner, field) {
            return None;
        }
        let arguments = vec![
            Expr::Column(list),
            Expr::Literal(field.clone(), None),
            Expr::Literal(ScalarValue::Utf8View(value.try_as_str().flatten().map(ToOwned::to_owned)), None),
        ];
        Some(self.function.call(arguments))
    }
}

/// Whether a column is an array of rows that have a text of that name.
fn has_text(list: &Column, inner: &Projection, field: &ScalarValue) -> bool {
    let Ok(list) = inner.input.schema().field_from_column(list) else { return false };
    let DataType::List(element) = list.data_type() else { return false };
    let DataType::Struct(fields) = element.data_type() else { return false };
    let name = field.try_as_str().flatten();
    fields.iter().any(|field| Some(field.name().as_str()) == name && field.data_type() == &DataType::Utf8View)
}

/// Whether a plan's rows are already known to meet a condition.
fn demands(plan: &LogicalPlan, condition: &Expr) -> bool {
    match plan {
        LogicalPlan::Filter(filter) => {
            split_conjunction(&filter.predicate).contains(&condition) || demands(&filter.input, condition)
        }
        LogicalPlan::Projection(projection) => demands(&projection.input, condition),
        LogicalPlan::TableScan(scan) => scan.filters.contains(condition),
        _ => false,
    }
}

impl OptimizerRule for ElementFilter {
    fn name(&self) -> &'static str {
        "element_filter"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Projection(outer) = filter.input.as_ref() else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Unnest(unnest) = outer.input.as_ref() else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Projection(inner) = unnest.input.as_ref() else { return Ok(Transformed::no(plan)) };
        let conditions = split_conjunction(&filter.predicate);
        let conditions = conditions.into_iter().filter_map(|conjunct| self.below(conjunct, outer, unnest, inner));
        let conditions = conditions.filter(|condition| !demands(&inner.input, condition));
        let Some(condition) = conjunction(conditions) else { return Ok(Transformed::no(plan)) };
        let events = LogicalPlan::Filter(Filter::try_new(condition, Arc::clone(&inner.input))?);
        let inner = Projection::try_new(inner.expr.clone(), Arc::new(events))?;
        let unnest = Unnest { input: Arc::new(LogicalPlan::Projection(inner)), ..unnest.clone() };
        let outer = Projection::try_new(outer.expr.clone(), Arc::new(LogicalPlan::Unnest(unnest)))?;
        let outer = Arc::new(LogicalPlan::Projection(outer));
        Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(filter.predicate.clone(), outer)?)))
    }
}

/// Whether an element of an array of rows has that text in that field, or an element of an array of text is that text; false for
/// arrays that are NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ElementHas {
    signature: Signature,
}

impl ScalarUDFImpl for ElementHas {
    fn name(&self) -> &str {
        ELEMENT_HAS
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [lists, ColumnarValue::Scalar(field), ColumnarValue::Scalar(value)] = args.args.as_slice() else {
            return internal_err!("{ELEMENT_HAS} takes an array, a name and a text");
        };
        let lists = lists.to_array(args.number_rows)?;
        let lists = lists.as_list::<i32>();
        let (Some(field), Some(value)) = (field.try_as_str().flatten(), value.try_as_str().flatten()) else {
            return internal_err!("{ELEMENT_HAS} takes an array, a name and a text");
        };
        let texts = match lists.values().as_struct_opt() {
            Some(rows) => rows.column_by_name(field),
            None => Some(lists.values()),
        };
        let Some(texts) = texts else { return internal_err!("no field {field}") };
        let texts = texts.as_string_view();
        let has = |row: usize| {
            let elements = lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
            lists.is_valid(row) && elements.into_iter().any(|at| texts.is_valid(at) && texts.value(at) == value)
        };
        let found = BooleanArray::new(BooleanBuffer::collect_bool(lists.len(), has), None);
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}
