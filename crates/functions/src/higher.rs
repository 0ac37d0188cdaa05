//! How a function that takes lambdas is declared, and how a lambda is evaluated over elements.

use std::fmt::{self, Debug, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, NullArray, UInt32Array, new_empty_array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, internal_err, plan_err};
use datafusion_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature, HigherOrderUDF,
    HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda, Volatility,
};

use crate::types;

/// Types of the arguments, a lambda's being that of its result where it is known.
pub(crate) type Known<'a> = &'a [ValueOrLambda<DataType, Option<DataType>>];

type Coerce = Arc<dyn Fn(&[DataType]) -> Option<Vec<DataType>> + Send + Sync>;
type Parameters = Arc<dyn Fn(Known<'_>) -> Vec<Option<Vec<DataType>>> + Send + Sync>;
type Settle = Arc<dyn Fn(&[ValueOrLambda<DataType, DataType>]) -> Option<Vec<DataType>> + Send + Sync>;
type Returns = Arc<dyn Fn(&[DataType], &[DataType]) -> Result<DataType> + Send + Sync>;
type Invoke = Arc<dyn Fn(&Call<'_>) -> Result<ArrayRef> + Send + Sync>;

/// A higher-order function.
pub(crate) struct Higher {
    name: &'static str,
    lambdas: std::ops::RangeInclusive<usize>,
    signature: HigherOrderSignature,
    coerce: Coerce,
    parameters: Parameters,
    settle: Option<Settle>,
    returns: Returns,
    invoke: Invoke,
}

impl Higher {
    /// A function of values followed by lambdas. `coerce` gives the types of the values, `parameters` those of each
    /// lambda's parameters (None while they wait for another lambda's result), `returns` the result's type from the
    /// values' and the lambdas' types.
    pub(crate) fn new(
        name: &'static str,
        lambdas: std::ops::RangeInclusive<usize>,
        coerce: impl Fn(&[DataType]) -> Option<Vec<DataType>> + Send + Sync + 'static,
        parameters: impl Fn(Known<'_>) -> Vec<Option<Vec<DataType>>> + Send + Sync + 'static,
        returns: impl Fn(&[DataType], &[DataType]) -> Result<DataType> + Send + Sync + 'static,
        invoke: impl Fn(&Call<'_>) -> Result<ArrayRef> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            lambdas,
            signature: HigherOrderSignature::user_defined(Volatility::Immutable),
            coerce: Arc::new(coerce),
            parameters: Arc::new(parameters),
            settle: None,
            returns: Arc::new(returns),
            invoke: Arc::new(invoke),
        }
    }

    /// Types of the values once the lambdas' results are known.
    pub(crate) fn settle(
        mut self,
        settle: impl Fn(&[ValueOrLambda<DataType, DataType>]) -> Option<Vec<DataType>> + Send + Sync + 'static,
    ) -> Self {
        self.settle = Some(Arc::new(settle));
        self
    }

    pub(crate) fn build(self) -> HigherOrderUDF {
        HigherOrderUDF::new_from_impl(self)
    }
}

impl Debug for Higher {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Higher").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Higher {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Higher {}

impl Hash for Higher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

fn field(t: DataType) -> FieldRef {
    Arc::new(Field::new("", t, true))
}

impl HigherOrderUDFImpl for Higher {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match (self.coerce)(arg_types) {
            Some(types) => Ok(types),
            None => {
                let list: Vec<String> = arg_types.iter().map(types::trino_name).collect();
                plan_err!(
                    "FUNCTION_NOT_FOUND: Unexpected parameters ({}, function) for function {}",
                    list.join(", "),
                    self.name
                )
            }
        }
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let known: Vec<ValueOrLambda<DataType, Option<DataType>>> = fields
            .iter()
            .map(|f| match f {
                ValueOrLambda::Value(f) => ValueOrLambda::Value(f.data_type().clone()),
                ValueOrLambda::Lambda(f) => ValueOrLambda::Lambda(f.as_ref().map(|f| f.data_type().clone())),
            })
            .collect();
        let given = known.iter().filter(|k| matches!(k, ValueOrLambda::Lambda(_))).count();
        if !self.lambdas.contains(&given) {
            return plan_err!("FUNCTION_NOT_FOUND: Unexpected parameters for function {}", self.name);
        }
        let parameters: Vec<Option<Vec<FieldRef>>> = (self.parameters)(&known)
            .into_iter()
            .take(given)
            .map(|p| p.map(|p| p.into_iter().map(field).collect()))
            .collect();
        // A lambda whose own result gives its parameters is planned twice.
        let open = known.iter().any(|k| matches!(k, ValueOrLambda::Lambda(None)));
        if self.settle.is_some() && open {
            return Ok(LambdaParametersProgress::Partial(parameters));
        }
        match parameters.into_iter().collect() {
            Some(all) => Ok(LambdaParametersProgress::Complete(all)),
            None => internal_err!("{} leaves parameters of a lambda open", self.name),
        }
    }

    fn coerce_values_for_lambdas(&self, fields: &[ValueOrLambda<DataType, DataType>]) -> Result<Option<Vec<DataType>>> {
        Ok(self.settle.as_ref().and_then(|settle| settle(fields)))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        let (mut values, mut lambdas) = (Vec::new(), Vec::new());
        for f in args.arg_fields {
            match f {
                ValueOrLambda::Value(f) => values.push(f.data_type().clone()),
                ValueOrLambda::Lambda(f) => lambdas.push(f.data_type().clone()),
            }
        }
        Ok(Arc::new(Field::new(self.name, (self.returns)(&values, &lambdas)?, true)))
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let (mut values, mut lambdas, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for (arg, field) in args.args.iter().zip(&args.arg_fields) {
            match (arg, field) {
                (ValueOrLambda::Value(v), _) => values.push(v.to_array(args.number_rows)?),
                (ValueOrLambda::Lambda(l), ValueOrLambda::Lambda(f)) => {
                    lambdas.push(l);
                    results.push(f.data_type().clone());
                }
                _ => return internal_err!("a lambda has no field"),
            }
        }
        let call =
            Call { values, lambdas, results, rows: args.number_rows, return_type: args.return_field.data_type() };
        (self.invoke)(&call).map(ColumnarValue::Array)
    }

    fn short_circuits(&self) -> bool {
        // Lambdas run as often as there are elements: nothing may be moved out of them.
        true
    }
}

/// The arguments of one call on one batch.
pub(crate) struct Call<'a> {
    /// The value arguments.
    pub(crate) values: Vec<ArrayRef>,
    lambdas: Vec<&'a LambdaArgument>,
    results: Vec<DataType>,
    /// Rows of the batch.
    pub(crate) rows: usize,
    /// The type to return.
    pub(crate) return_type: &'a DataType,
}

impl Call<'_> {
    /// Whether there is such a lambda.
    pub(crate) fn has_lambda(&self, n: usize) -> bool {
        n < self.lambdas.len()
    }

    /// The type of a lambda's result.
    pub(crate) fn result(&self, n: usize) -> &DataType {
        &self.results[n]
    }

    /// A lambda's results over parallel arrays of parameters; `rows` gives the batch's row that each belongs to.
    pub(crate) fn evaluate(&self, n: usize, parameters: &[ArrayRef], rows: &[u32]) -> Result<ArrayRef> {
        let Some(lambda) = self.lambdas.get(n) else {
            return internal_err!("there is no lambda {n}");
        };
        if rows.is_empty() {
            return Ok(new_empty_array(&self.results[n]));
        }
        let filler: ArrayRef = Arc::new(NullArray::new(rows.len()));
        let closures: Vec<Box<dyn Fn() -> Result<ArrayRef>>> = parameters
            .iter()
            .chain(std::iter::once(&filler))
            .map(|a| {
                let a = Arc::clone(a);
                Box::new(move || Ok(Arc::clone(&a))) as Box<dyn Fn() -> Result<ArrayRef>>
            })
            .collect();
        let args: Vec<&dyn Fn() -> Result<ArrayRef>> = closures.iter().map(AsRef::as_ref).collect();
        let result = lambda.evaluate(&args, |captures| {
            let indices = UInt32Array::from(rows.to_vec());
            Ok(arrow::compute::take_arrays(captures, &indices, None)?)
        })?;
        result.into_array(rows.len())
    }
}
