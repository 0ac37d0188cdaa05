//! How a scalar function is declared: which arguments it takes, what it returns, how it is computed on a batch.

use std::fmt::{self, Debug, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion_common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion_expr::preimage::PreimageResult;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::type_coercion::functions::fields_with_udf;
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::types;

/// What a parameter accepts, and what an argument becomes before the function sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Param {
    /// Text in any encoding, seen as `Utf8View`.
    Varchar,
    /// Any integer, seen as `Int64`.
    Bigint,
    /// Any number, seen as `Float64`.
    Double,
    Boolean,
    Date,
    /// A timestamp without zone, of any unit; text of a date is not taken.
    Timestamp,
    /// A timestamp with zone.
    TimestampTz,
    /// A time of day without zone, seen as `Time64(Nanosecond)`.
    Time,
    TimeTz,
    /// A day-time interval, seen as `Duration(Millisecond)`.
    IntervalDay,
    /// A year-month interval.
    IntervalYear,
    /// A json value.
    Json,
    /// A list, seen as `List`; its elements unchanged.
    Array,
    Map,
}

/// The type an argument takes for a parameter, if it is acceptable there. `NULL` is acceptable everywhere.
pub(crate) fn accept(t: &DataType, param: Param) -> Option<DataType> {
    let null = matches!(t, DataType::Null);
    let fixed = |accepted: bool, to: DataType| (accepted || null).then_some(to);
    match param {
        Param::Varchar => fixed(types::is_varchar(t), DataType::Utf8View),
        Param::Bigint => fixed(t.is_integer(), DataType::Int64),
        Param::Double => fixed(t.is_numeric(), DataType::Float64),
        Param::Boolean => fixed(matches!(t, DataType::Boolean), DataType::Boolean),
        Param::Date => fixed(matches!(t, DataType::Date32), DataType::Date32),
        Param::Timestamp => match t {
            DataType::Timestamp(_, None) => Some(t.clone()),
            _ => fixed(false, DataType::Timestamp(TimeUnit::Millisecond, None)),
        },
        Param::TimestampTz => match t {
            DataType::Timestamp(_, Some(_)) => Some(t.clone()),
            _ => fixed(false, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))),
        },
        Param::Time => match t {
            DataType::Time32(_) | DataType::Time64(_) => Some(t.clone()),
            _ => fixed(false, DataType::Time32(TimeUnit::Millisecond)),
        },
        Param::TimeTz => match t {
            t if types::is_time_tz(t) => Some(t.clone()),
            _ => fixed(false, types::time_tz(3)),
        },
        Param::IntervalDay => fixed(matches!(t, DataType::Duration(_)), DataType::Duration(TimeUnit::Millisecond)),
        Param::IntervalYear => fixed(
            matches!(t, DataType::Interval(arrow::datatypes::IntervalUnit::YearMonth)),
            DataType::Interval(arrow::datatypes::IntervalUnit::YearMonth),
        ),
        Param::Json => fixed(types::is_json(t), types::json()),
        Param::Array => match types::element(t) {
            Some(element) => Some(types::array_of(element.data_type().clone())),
            None => fixed(false, types::array_of(DataType::Null)),
        },
        Param::Map => match t {
            DataType::Map(_, _) => Some(t.clone()),
            _ => fixed(false, types::map_of(DataType::Utf8View, DataType::Null)),
        },
    }
}

/// The argument types for the first overload that takes them.
pub(crate) fn overload(arguments: &[DataType], overloads: &[&[Param]]) -> Option<Vec<DataType>> {
    overloads.iter().find_map(|params| {
        if params.len() != arguments.len() {
            return None;
        }
        arguments.iter().zip(*params).map(|(t, p)| accept(t, *p)).collect()
    })
}

/// The arguments of one call on one batch.
pub(crate) struct Call<'a> {
    args: &'a [ColumnarValue],
    rows: usize,
    return_type: &'a DataType,
}

impl Call<'_> {
    /// Rows to compute: 1 where all arguments are constants.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn len(&self) -> usize {
        self.args.len()
    }

    /// An argument as an array of [`Self::rows`] values.
    pub(crate) fn array(&self, i: usize) -> Result<ArrayRef> {
        self.args[i].to_array(self.rows)
    }

    /// All arguments as arrays.
    pub(crate) fn arrays(&self) -> Result<Vec<ArrayRef>> {
        (0..self.args.len()).map(|i| self.array(i)).collect()
    }

    /// An argument that is the same in every row.
    pub(crate) fn constant(&self, i: usize) -> Option<&ScalarValue> {
        match &self.args[i] {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        }
    }

    /// A text argument that is the same in every row; `Some(None)` where it is NULL.
    pub(crate) fn constant_text(&self, i: usize) -> Option<Option<&str>> {
        self.constant(i).map(text_of)
    }

    pub(crate) fn return_type(&self) -> &DataType {
        self.return_type
    }
}

/// The text of a constant, None where it is NULL or no text.
pub(crate) fn text_of(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

type Coerce = Arc<dyn Fn(&[DataType]) -> Option<Vec<DataType>> + Send + Sync>;
type Returns = Arc<dyn Fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType> + Send + Sync>;
type Invoke = Arc<dyn Fn(&Call<'_>) -> Result<ArrayRef> + Send + Sync>;
type Simplify = Arc<dyn Fn(Vec<Expr>, &SimplifyContext) -> Result<ExprSimplifyResult> + Send + Sync>;
type Preimage = Arc<dyn Fn(&[Expr], &Expr, &SimplifyContext) -> Result<PreimageResult> + Send + Sync>;

/// A scalar function under construction; [`Scalar::build`] makes the UDF.
pub(crate) struct Scalar {
    name: &'static str,
    signature: Signature,
    coerce: Coerce,
    returns: Returns,
    invoke: Invoke,
    simplify: Option<Simplify>,
    preimage: Option<Preimage>,
}

impl Scalar {
    /// A function with overloads, all returning one type.
    pub(crate) fn new(
        name: &'static str,
        overloads: &'static [&'static [Param]],
        returns: DataType,
        invoke: impl Fn(&Call<'_>) -> Result<ArrayRef> + Send + Sync + 'static,
    ) -> Self {
        Self::with(name, move |types| overload(types, overloads), move |_, _| Ok(returns.clone()), invoke)
    }

    /// A function whose argument and return types need code.
    pub(crate) fn with(
        name: &'static str,
        coerce: impl Fn(&[DataType]) -> Option<Vec<DataType>> + Send + Sync + 'static,
        returns: impl Fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType> + Send + Sync + 'static,
        invoke: impl Fn(&Call<'_>) -> Result<ArrayRef> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            signature: Signature::user_defined(Volatility::Immutable),
            coerce: Arc::new(coerce),
            returns: Arc::new(returns),
            invoke: Arc::new(invoke),
            simplify: None,
            preimage: None,
        }
    }

    /// Declares how often the function may be computed.
    pub(crate) fn volatility(mut self, volatility: Volatility) -> Self {
        self.signature = Signature::user_defined(volatility);
        self
    }

    /// A rewrite at planning time.
    pub(crate) fn simplify(
        mut self,
        simplify: impl Fn(Vec<Expr>, &SimplifyContext) -> Result<ExprSimplifyResult> + Send + Sync + 'static,
    ) -> Self {
        self.simplify = Some(Arc::new(simplify));
        self
    }

    /// The interval of arguments that a function value comes from, so that a comparison can prune.
    pub(crate) fn preimage(
        mut self,
        preimage: impl Fn(&[Expr], &Expr, &SimplifyContext) -> Result<PreimageResult> + Send + Sync + 'static,
    ) -> Self {
        self.preimage = Some(Arc::new(preimage));
        self
    }

    pub(crate) fn build(self) -> ScalarUDF {
        ScalarUDF::new_from_impl(self)
    }
}

impl Debug for Scalar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scalar").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.invoke, &other.invoke)
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Trino's answer to a call that no overload accepts.
pub(crate) fn refused(name: &str, arguments: &[DataType]) -> DataFusionError {
    let list: Vec<String> = arguments.iter().map(types::trino_name).collect();
    DataFusionError::Plan(format!(
        "FUNCTION_NOT_FOUND: Unexpected parameters ({}) for function {name}",
        list.join(", ")
    ))
}

impl ScalarUDFImpl for Scalar {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        (self.returns)(arg_types, &vec![None; arg_types.len()])
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let arguments: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let returns = (self.returns)(&arguments, args.scalar_arguments)?;
        Ok(Arc::new(Field::new(self.name, returns, true)))
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        (self.coerce)(arg_types).ok_or_else(|| refused(self.name, arg_types))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = !args.args.is_empty()
            && self.signature.volatility != Volatility::Volatile
            && args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let call = Call {
            args: &args.args,
            rows: if constant { 1 } else { args.number_rows },
            return_type: args.return_field.data_type(),
        };
        let result = (self.invoke)(&call)?;
        if constant {
            ScalarValue::try_from_array(&result, 0).map(ColumnarValue::Scalar)
        } else {
            Ok(ColumnarValue::Array(result))
        }
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match &self.simplify {
            Some(simplify) => simplify(args, info),
            None => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    fn preimage(&self, args: &[Expr], lit_expr: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        match &self.preimage {
            Some(preimage) => preimage(args, lit_expr, info),
            None => Ok(PreimageResult::None),
        }
    }
}

/// Functions of one name from several pages: the first that takes the arguments is meant.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Overloads {
    name: String,
    signature: Signature,
    members: Vec<Arc<ScalarUDF>>,
}

impl Overloads {
    /// Members in order of preference; at least one.
    pub(crate) fn new(name: String, members: Vec<Arc<ScalarUDF>>) -> Self {
        let volatility = members.iter().map(|m| m.signature().volatility).max().unwrap_or(Volatility::Immutable);
        Self { name, signature: Signature::user_defined(volatility), members }
    }

    fn coerced(member: &ScalarUDF, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let fields: Vec<FieldRef> = arguments.iter().map(|t| Arc::new(Field::new("", t.clone(), true))).collect();
        Ok(fields_with_udf(&fields, member)?.iter().map(|f| f.data_type().clone()).collect())
    }

    fn choose(&self, arguments: &[DataType]) -> Result<&Arc<ScalarUDF>> {
        self.members
            .iter()
            .find(|m| Self::coerced(m, arguments).is_ok_and(|t| t == arguments))
            .ok_or_else(|| refused(&self.name, arguments))
    }
}

impl ScalarUDFImpl for Overloads {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.choose(arg_types)?.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let arguments: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        self.choose(&arguments)?.return_field_from_args(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.members.iter().find_map(|m| Self::coerced(m, arg_types).ok()).ok_or_else(|| refused(&self.name, arg_types))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        self.choose(&arguments)?.invoke_with_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let arguments: Result<Vec<DataType>> = args.iter().map(|e| info.get_data_type(e)).collect();
        match arguments.and_then(|a| self.choose(&a).cloned()) {
            Ok(member) => member.simplify(args, info),
            Err(_) => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    fn preimage(&self, args: &[Expr], lit_expr: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        let arguments: Result<Vec<DataType>> = args.iter().map(|e| info.get_data_type(e)).collect();
        match arguments.and_then(|a| self.choose(&a).cloned()) {
            Ok(member) => member.inner().preimage(args, lit_expr, info),
            Err(_) => Ok(PreimageResult::None),
        }
    }

    fn short_circuits(&self) -> bool {
        self.members.iter().any(|m| m.short_circuits())
    }
}

/// An `Execution` error of one of Trino's kinds.
pub(crate) fn fail<T>(kind: &str, message: impl fmt::Display) -> Result<T> {
    Err(DataFusionError::Execution(format!("{kind}: {message}")))
}

/// `INVALID_FUNCTION_ARGUMENT`.
pub(crate) fn invalid<T>(message: impl fmt::Display) -> Result<T> {
    fail("INVALID_FUNCTION_ARGUMENT", message)
}

/// A planning error of kind `TYPE_MISMATCH`.
pub(crate) fn mismatch<T>(message: impl fmt::Display) -> Result<T> {
    plan_err!("TYPE_MISMATCH: {message}")
}
