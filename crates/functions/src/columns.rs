//! The typed columns of a call, and scalar functions that compute row by row on them.
//!
//! Arguments are cast to the types named here before the body runs, so that a body sees one physical representation
//! per Trino type: varchar as `Utf8View`, varbinary as `Binary`, bigint as `Int64`, double as `Float64`.

use std::any::type_name;
use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryBuilder, BooleanArray, Float64Array,
    Int64Array, ListArray, ListBuilder, PrimitiveArray, StringViewArray, StringViewBuilder,
};
use arrow::datatypes::DataType;
use datafusion_common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion_expr::simplify::ExprSimplifyResult;
use datafusion_expr::{ColumnarValue, Expr, ScalarUDF, Volatility};

use crate::scalar::{self, refused};
use crate::types::{self, array_of, is_varchar};

/// A Trino type as far as the signatures of the simple functions go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// `varchar` (and `char`).
    Varchar,
    /// `varbinary`.
    Varbinary,
    /// `bigint`, with the smaller integers widened to it.
    Bigint,
    /// `integer`.
    Integer,
    /// `double`, with every number converted to it.
    Double,
    /// `real`.
    Real,
    /// `boolean`.
    Boolean,
    /// `array(varchar)`.
    Varchars,
    /// `array(double)`.
    Doubles,
}

impl Type {
    /// The Arrow type that carries it.
    pub(crate) fn arrow(self) -> DataType {
        match self {
            Type::Varchar => DataType::Utf8View,
            Type::Varbinary => DataType::Binary,
            Type::Bigint => DataType::Int64,
            Type::Integer => DataType::Int32,
            Type::Double => DataType::Float64,
            Type::Real => DataType::Float32,
            Type::Boolean => DataType::Boolean,
            Type::Varchars => array_of(DataType::Utf8View),
            Type::Doubles => array_of(DataType::Float64),
        }
    }

    /// Whether Trino would accept a value of type `actual` for it, by itself or after implicit widening.
    fn accepts(self, actual: &DataType) -> bool {
        if actual == &DataType::Null {
            return true;
        }
        match self {
            Type::Varchar => is_varchar(actual),
            Type::Varbinary => is_binary(actual),
            Type::Bigint => actual.is_integer(),
            Type::Integer => matches!(actual, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64),
            Type::Double => actual.is_numeric(),
            Type::Real => actual.is_integer() || matches!(actual, DataType::Float32) || is_decimal(actual),
            Type::Boolean => actual == &DataType::Boolean,
            Type::Varchars => list_item(actual).is_some_and(|t| Type::Varchar.accepts(t)),
            Type::Doubles => list_item(actual).is_some_and(|t| Type::Double.accepts(t)),
        }
    }
}

/// The item type of an array type.
pub(crate) fn list_item(t: &DataType) -> Option<&DataType> {
    types::element(t).map(|f| f.data_type())
}

/// Whether `t` carries `varbinary`.
pub(crate) fn is_binary(t: &DataType) -> bool {
    matches!(t, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
}

/// Whether `t` carries `decimal`.
pub(crate) fn is_decimal(t: &DataType) -> bool {
    matches!(t, DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..))
}

/// One overload: the types it takes and the type it returns.
pub(crate) type Overload = (&'static [Type], Type);

/// What a function makes of the types it is called with: the types its arguments are cast to, and its result type.
pub(crate) type Resolved = (Vec<DataType>, DataType);

/// How a function's types are decided.
#[derive(Clone, Copy)]
pub(crate) enum Types {
    /// By the first overload that accepts the arguments.
    Overloads(&'static [Overload]),
    /// By a rule, which refuses arguments with `None`; called with already cast types it must give the same answer.
    Rule(fn(&[DataType]) -> Option<Resolved>),
}

/// A scalar function.
pub(crate) struct Scalar {
    name: &'static str,
    aliases: &'static [&'static str],
    volatility: Volatility,
    types: Types,
    body: fn(&Call) -> Result<ArrayRef>,
    rewrite: Option<Rewrite>,
}

/// A plan-time rewrite into other expressions.
type Rewrite = fn(Vec<Expr>) -> ExprSimplifyResult;

impl Scalar {
    /// A function without side effects.
    pub(crate) fn new(name: &'static str, types: Types, body: fn(&Call) -> Result<ArrayRef>) -> Self {
        Scalar { name, aliases: &[], volatility: Volatility::Immutable, types, body, rewrite: None }
    }

    /// A function whose types a table of overloads decides.
    pub(crate) fn by(name: &'static str, overloads: &'static [Overload], body: fn(&Call) -> Result<ArrayRef>) -> Self {
        Scalar::new(name, Types::Overloads(overloads), body)
    }

    /// The same function under further names.
    pub(crate) fn aliased(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The same function with a rewrite for cases that DataFusion understands better in another form.
    pub(crate) fn rewritten(mut self, rewrite: Rewrite) -> Self {
        self.rewrite = Some(rewrite);
        self
    }

    /// The same function, evaluated anew for every row.
    pub(crate) fn volatile(mut self) -> Self {
        self.volatility = Volatility::Volatile;
        self
    }
}

impl Types {
    fn resolve(self, actual: &[DataType]) -> Option<Resolved> {
        match self {
            Types::Rule(rule) => rule(actual),
            Types::Overloads(overloads) => {
                let accepts =
                    |takes: &[Type]| takes.len() == actual.len() && takes.iter().zip(actual).all(|(t, a)| t.accepts(a));
                let (takes, returns) = overloads.iter().find(|(takes, _)| accepts(takes))?;
                Some((takes.iter().map(|t| t.arrow()).collect(), returns.arrow()))
            }
        }
    }
}

impl From<Scalar> for ScalarUDF {
    fn from(f: Scalar) -> Self {
        let Scalar { name, aliases, volatility, types, body, rewrite } = f;
        let coerce = move |actual: &[DataType]| types.resolve(actual).map(|(takes, _)| takes);
        let returns = move |actual: &[DataType], _: &[Option<&ScalarValue>]| match types.resolve(actual) {
            Some((_, returns)) => Ok(returns),
            None => Err(refused(name, actual)),
        };
        let invoke = move |call: &scalar::Call<'_>| body(&Call::of(call)?);
        let mut scalar = scalar::Scalar::with(name, coerce, returns, invoke).volatility(volatility);
        if let Some(rewrite) = rewrite {
            scalar = scalar.simplify(move |args, _| Ok(rewrite(args)));
        }
        scalar.build().with_aliases(aliases.iter().copied())
    }
}

/// The arguments of one evaluation.
#[derive(Debug)]
pub(crate) struct Call {
    columns: Vec<(ArrayRef, bool)>,
    /// Rows that the result must have.
    pub(crate) rows: usize,
    /// The type that the result must have.
    pub(crate) return_type: DataType,
}

impl Call {
    /// Arguments as DataFusion hands them over; a constant becomes a column of one row.
    pub(crate) fn new(args: &[ColumnarValue], rows: usize, return_type: DataType) -> Result<Self> {
        let columns = args
            .iter()
            .map(|arg| match arg {
                ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
                ColumnarValue::Scalar(value) => Ok((value.to_array()?, true)),
            })
            .collect::<Result<_>>()?;
        Ok(Call { columns, rows, return_type })
    }

    fn of(call: &scalar::Call<'_>) -> Result<Self> {
        let column = |i| match call.constant(i) {
            Some(value) => Ok((value.to_array()?, true)),
            None => Ok((call.array(i)?, false)),
        };
        let columns = (0..call.len()).map(column).collect::<Result<_>>()?;
        Ok(Call { columns, rows: call.rows(), return_type: call.return_type().clone() })
    }

    /// Number of arguments.
    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// Argument `i` as DataFusion passed it, expanded to one value per row.
    pub(crate) fn expanded(&self, i: usize) -> Result<ArrayRef> {
        let (array, constant) = &self.columns[i];
        if *constant && self.rows != 1 {
            Ok(ScalarValue::try_from_array(array, 0)?.to_array_of_size(self.rows)?)
        } else {
            Ok(Arc::clone(array))
        }
    }

    /// The type of argument `i`.
    pub(crate) fn data_type(&self, i: usize) -> &DataType {
        self.columns[i].0.data_type()
    }

    /// Argument `i` as an array of kind `A`.
    pub(crate) fn column<A: Array + 'static>(&self, i: usize) -> Result<Column<'_, A>> {
        let (array, constant) = &self.columns[i];
        match array.as_any().downcast_ref::<A>() {
            Some(array) => Ok(Column { array, constant: *constant }),
            None => exec_err!("argument {i} is {}, not a {}", array.data_type(), type_name::<A>()),
        }
    }

    pub(crate) fn text(&self, i: usize) -> Result<Column<'_, StringViewArray>> {
        self.column(i)
    }

    pub(crate) fn bytes(&self, i: usize) -> Result<Column<'_, BinaryArray>> {
        self.column(i)
    }

    pub(crate) fn bigint(&self, i: usize) -> Result<Column<'_, Int64Array>> {
        self.column(i)
    }

    pub(crate) fn double(&self, i: usize) -> Result<Column<'_, Float64Array>> {
        self.column(i)
    }

    pub(crate) fn list(&self, i: usize) -> Result<Column<'_, ListArray>> {
        self.column(i)
    }

    /// A varchar column from one value per row.
    pub(crate) fn texts<S: AsRef<str>>(&self, mut row: impl FnMut(usize) -> Result<Option<S>>) -> Result<ArrayRef> {
        let mut out = StringViewBuilder::with_capacity(self.rows);
        for i in 0..self.rows {
            out.append_option(row(i)?);
        }
        Ok(Arc::new(out.finish()))
    }

    /// A varchar column from text that is written for each row into a buffer they share.
    pub(crate) fn written(&self, mut row: impl FnMut(usize, &mut String) -> Result<Option<()>>) -> Result<ArrayRef> {
        let mut out = StringViewBuilder::with_capacity(self.rows);
        let mut text = String::new();
        for i in 0..self.rows {
            text.clear();
            let written = row(i, &mut text)?;
            out.append_option(written.map(|()| text.as_str()));
        }
        Ok(Arc::new(out.finish()))
    }

    /// A varbinary column from one value per row.
    pub(crate) fn binaries<S: AsRef<[u8]>>(&self, mut row: impl FnMut(usize) -> Result<Option<S>>) -> Result<ArrayRef> {
        let mut out = BinaryBuilder::with_capacity(self.rows, self.rows * 16);
        for i in 0..self.rows {
            out.append_option(row(i)?);
        }
        Ok(Arc::new(out.finish()))
    }

    /// A boolean column from one value per row.
    pub(crate) fn booleans(&self, row: impl FnMut(usize) -> Result<Option<bool>>) -> Result<ArrayRef> {
        Ok(Arc::new((0..self.rows).map(row).collect::<Result<BooleanArray>>()?))
    }

    /// A numeric column from one value per row.
    pub(crate) fn numbers<T: ArrowPrimitiveType>(
        &self,
        row: impl FnMut(usize) -> Result<Option<T::Native>>,
    ) -> Result<ArrayRef> {
        let values: PrimitiveArray<T> = (0..self.rows).map(row).collect::<Result<_>>()?;
        // Decimals carry their scale in the type alone.
        if values.data_type() != &self.return_type && is_decimal(&self.return_type) {
            return Ok(Arc::new(values.with_data_type(self.return_type.clone())));
        }
        Ok(Arc::new(values))
    }

    /// An `array(varchar)` column from one value per row.
    pub(crate) fn text_lists<'s>(
        &self,
        mut row: impl FnMut(usize, &mut Vec<Option<Cow<'s, str>>>) -> Result<bool>,
    ) -> Result<ArrayRef> {
        let mut out = ListBuilder::new(StringViewBuilder::new());
        let mut items = Vec::new();
        for i in 0..self.rows {
            items.clear();
            let valid = row(i, &mut items)?;
            if valid {
                for item in items.drain(..) {
                    out.values().append_option(item);
                }
            }
            out.append(valid);
        }
        Ok(Arc::new(out.finish()))
    }
}

/// A typed argument.
#[derive(Debug)]
pub(crate) struct Column<'a, A> {
    array: &'a A,
    constant: bool,
}

impl<'a, A> Column<'a, A>
where
    A: Array,
    &'a A: ArrayAccessor,
{
    /// The value at `row`, `None` where it is NULL.
    pub(crate) fn get(&self, row: usize) -> Option<<&'a A as ArrayAccessor>::Item> {
        let i = if self.constant { 0 } else { row };
        self.array.is_valid(i).then(|| self.array.value(i))
    }
}

impl<'a, A> Column<'a, A> {
    /// The array behind it, of one row if it is constant.
    pub(crate) fn array(&self) -> &'a A {
        self.array
    }

    /// Whether it has the same value in every row.
    pub(crate) fn is_constant(&self) -> bool {
        self.constant
    }
}

/// The value of an `Option`, or `NULL` as the row's result.
macro_rules! known {
    ($e:expr) => {
        match $e {
            Some(v) => v,
            None => return Ok(None),
        }
    };
}
pub(crate) use known;

/// An argument that the function does not allow.
pub(crate) fn invalid(message: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::Execution(format!("INVALID_FUNCTION_ARGUMENT: {message}"))
}

/// A number that its type cannot hold.
pub(crate) fn out_of_range(message: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::Execution(format!("NUMERIC_VALUE_OUT_OF_RANGE: {message}"))
}

/// Trino's division by zero.
pub(crate) fn division_by_zero() -> DataFusionError {
    DataFusionError::Execution("DIVISION_BY_ZERO: Division by zero".to_owned())
}

/// The result of a function over constants, for tests.
#[cfg(test)]
pub(crate) fn evaluate(function: Scalar, args: &[ScalarValue]) -> Result<ScalarValue> {
    use datafusion_expr::ScalarFunctionArgs;

    let function = ScalarUDF::from(function);
    let actual: Vec<_> = args.iter().map(ScalarValue::data_type).collect();
    let takes = function.coerce_types(&actual)?;
    let cast = |(value, t): (&ScalarValue, &DataType)| value.cast_to(t).map(ColumnarValue::Scalar);
    let args: Vec<_> = args.iter().zip(&takes).map(cast).collect::<Result<_>>()?;
    let field = |t: &DataType| Arc::new(arrow::datatypes::Field::new("x", t.clone(), true));
    let result = function.invoke_with_args(ScalarFunctionArgs {
        args,
        arg_fields: takes.iter().map(field).collect(),
        number_rows: 1,
        return_field: field(&function.return_type(&takes)?),
        config_options: Arc::default(),
    })?;
    match result {
        ColumnarValue::Scalar(value) => Ok(value),
        ColumnarValue::Array(values) => ScalarValue::try_from_array(&values, 0),
    }
}
