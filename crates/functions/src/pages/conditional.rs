//! Trino's page `conditional`. `coalesce` and `nullif` are DataFusion's.

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::kernels::zip::zip;
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::type_coercion::binary::type_union_resolution;
use datafusion_expr::{
    Case, ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

use crate::scalar::refused;
use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let scalars = vec![ScalarUDF::new_from_impl(If::new())];
    Functions { scalars, docs: DOCS, ..Functions::default() }
}

/// `if`, planned as `CASE` so that only the branch that counts is evaluated.
#[derive(Debug, PartialEq, Eq, Hash)]
struct If {
    signature: Signature,
}

impl If {
    fn new() -> Self {
        If { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for If {
    fn name(&self) -> &str {
        "if"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, actual: &[DataType]) -> Result<Vec<DataType>> {
        let (condition, branches) = match actual {
            [condition, branches @ ..] if matches!(branches.len(), 1 | 2) => (condition, branches),
            _ => return Err(refused("if", actual)),
        };
        if !(condition == &DataType::Boolean || condition.is_null()) {
            return Err(refused("if", actual));
        }
        let common = match branches {
            [one] => one.clone(),
            [one, other] if one == other => one.clone(),
            _ => super::math::widest(&branches[0], &branches[1])
                .filter(|_| branches.iter().any(|b| !b.is_null()))
                .or_else(|| type_union_resolution(branches))
                .ok_or_else(|| refused("if", actual))?,
        };
        let mut types = vec![DataType::Boolean];
        types.extend(branches.iter().map(|_| common.clone()));
        Ok(types)
    }

    fn return_type(&self, actual: &[DataType]) -> Result<DataType> {
        match actual.get(1) {
            Some(t) => Ok(t.clone()),
            None => internal_err!("if has a condition and a value"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        // CASE is nullable exactly where a branch is, and must not differ from what it replaces.
        let branches = &args.arg_fields[1..];
        let nullable = branches.len() < 2 || branches.iter().any(|f| f.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, nullable)))
    }

    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let mut args = args.into_iter().map(Box::new);
        let (Some(condition), Some(then)) = (args.next(), args.next()) else {
            return internal_err!("if has a condition and a value");
        };
        Ok(ExprSimplifyResult::Simplified(Expr::Case(Case::new(None, vec![(condition, then)], args.next()))))
    }

    /// For plans that were never simplified; evaluates both branches.
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let condition = args.args[0].to_array(rows)?;
        let mask: BooleanArray = match condition.as_boolean() {
            c if c.null_count() > 0 => prep_null_mask_filter(c),
            c => c.clone(),
        };
        let then = args.args[1].to_array(rows)?;
        let otherwise = match args.args.get(2) {
            Some(value) => value.to_array(rows)?,
            None => ScalarValue::try_from(then.data_type())?.to_array_of_size(rows)?,
        };
        Ok(ColumnarValue::Array(zip(&mask, &then, &otherwise)?))
    }

    fn short_circuits(&self) -> bool {
        true
    }

    fn conditional_arguments<'a>(&self, args: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        let (eager, lazy) = args.split_at(1.min(args.len()));
        Some((eager.iter().collect(), lazy.iter().collect()))
    }
}

const DOCS: &[Doc] = &[
    doc("coalesce", "coalesce(value1, value2[, ...]) -> [same as input]", "coalesce(NULL, 'unknown') = 'unknown'"),
    doc(
        "if",
        "if(condition, true_value) -> [same as input]\nif(condition, true_value, false_value) -> [same as input]",
        "if(1 < 2, 'yes', 'no') = 'yes'",
    ),
    doc("nullif", "nullif(value1, value2) -> [same as input]", "nullif('-', '-') IS NULL"),
];

const fn doc(name: &'static str, signature: &'static str, example: &'static str) -> Doc {
    Doc { name, page: "conditional", signature, example }
}
