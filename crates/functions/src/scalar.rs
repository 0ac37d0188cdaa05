//! A scalar function made of plain parts: the types it takes, the type it returns and a body over columns.
//!
//! DataFusion casts the arguments to the types named here before the body runs, so that a body sees one physical
//! representation per Trino type: varchar as `Utf8View`, varbinary as `Binary`, bigint as `Int64`, double as `Float64`.

use std::any::type_name;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryBuilder, BooleanArray, Float64Array,
    Int64Array, ListArray, ListBuilder, PrimitiveArray, StringViewArray, StringViewBuilder,
};
use arrow::datatypes::{DataType, Field};
use datafusion_common::{DataFusionError, Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility};

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
            Type::Varchars => list_of(DataType::Utf8View),
            Type::Doubles => list_of(DataType::Float64),
        }
    }

    /// Whether Trino would accept a value of type `actual` for it, by itself or after implicit widening.
    fn accepts(self, actual: &DataType) -> bool {
        if actual == &DataType::Null {
            return true;
        }
        match self {
            Type::Varchar => is_text(actual),
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

    fn name(self) -> &'static str {
        match self {
            Type::Varchar => "varchar",
            Type::Varbinary => "varbinary",
            Type::Bigint => "bigint",
            Type::Integer => "integer",
            Type::Double => "double",
            Type::Real => "real",
            Type::Boolean => "boolean",
            Type::Varchars => "array(varchar)",
            Type::Doubles => "array(double)",
        }
    }
}

/// `array(item)` as Arrow carries it.
pub(crate) fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// The item type of an array type.
pub(crate) fn list_item(t: &DataType) -> Option<&DataType> {
    match t {
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) | DataType::ListView(f) => {
            Some(f.data_type())
        }
        _ => None,
    }
}

/// Whether `t` carries `varchar`.
pub(crate) fn is_text(t: &DataType) -> bool {
    match t {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// Whether `t` carries `varbinary`.
pub(crate) fn is_binary(t: &DataType) -> bool {
    matches!(t, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
}

/// Whether `t` carries `decimal`.
pub(crate) fn is_decimal(t: &DataType) -> bool {
    matches!(
        t,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..)
    )
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
    /// By a rule; called with already cast types it must give the same answer.
    Rule(fn(&[DataType]) -> Result<Resolved>),
}

/// A scalar function.
pub(crate) struct Scalar {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
    types: Types,
    body: fn(&Call) -> Result<ArrayRef>,
}

impl Scalar {
    /// A function without side effects.
    pub(crate) fn new(name: &'static str, types: Types, body: fn(&Call) -> Result<ArrayRef>) -> Self {
        let signature = match types {
            Types::Overloads(overloads) if overloads.iter().all(|(t, _)| t.is_empty()) => {
                Signature::nullary(Volatility::Immutable)
            }
            _ => Signature::user_defined(Volatility::Immutable),
        };
        Scalar { name, aliases: vec![], signature, types, body }
    }

    /// The same function under further names.
    pub(crate) fn aliased(mut self, aliases: &[&str]) -> Self {
        self.aliases.extend(aliases.iter().map(|a| (*a).to_owned()));
        self
    }

    /// The same function, evaluated anew for every row.
    pub(crate) fn volatile(mut self) -> Self {
        self.signature.volatility = Volatility::Volatile;
        self
    }

    /// The same function, which takes no arguments.
    pub(crate) fn nullary(mut self) -> Self {
        self.signature.type_signature = TypeSignature::Nullary;
        self
    }

    fn resolve(&self, actual: &[DataType]) -> Result<Resolved> {
        match self.types {
            Types::Rule(rule) => rule(actual),
            Types::Overloads(overloads) => match overloads.iter().find(|(takes, _)| {
                takes.len() == actual.len() && takes.iter().zip(actual).all(|(t, a)| t.accepts(a))
            }) {
                Some((takes, returns)) => Ok((takes.iter().map(|t| t.arrow()).collect(), returns.arrow())),
                None => {
                    let forms: Vec<_> = overloads
                        .iter()
                        .map(|(takes, _)| {
                            format!("{}({})", self.name, takes.iter().map(|t| t.name()).collect::<Vec<_>>().join(", "))
                        })
                        .collect();
                    plan_err!("{}", mismatch(self.name, actual, &forms.join(", ")))
                }
            },
        }
    }
}

/// Trino's message for a call that no overload accepts.
pub(crate) fn mismatch(name: &str, actual: &[DataType], expected: &str) -> String {
    let actual = actual.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("FUNCTION_NOT_FOUND: Unexpected parameters ({actual}) for function {name}. Expected: {expected}")
}

impl From<Scalar> for ScalarUDF {
    fn from(f: Scalar) -> Self {
        ScalarUDF::new_from_impl(f)
    }
}

impl std::fmt::Debug for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scalar").field("name", &self.name).finish_non_exhaustive()
    }
}

// Names are unique within the registry, so that they stand for the whole function.
impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Scalar {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(self.resolve(arg_types)?.0)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.resolve(arg_types)?.1)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let per_row = self.signature.volatility == Volatility::Volatile
            || args.args.iter().any(|a| matches!(a, ColumnarValue::Array(_)));
        let return_type = args.return_field.data_type().clone();
        let call = Call::new(&args.args, if per_row { args.number_rows } else { 1 }, return_type)?;
        let result = (self.body)(&call)?;
        if per_row {
            Ok(ColumnarValue::Array(result))
        } else {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?))
        }
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
        mut row: impl FnMut(usize, &mut Vec<Option<std::borrow::Cow<'s, str>>>) -> Result<bool>,
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
