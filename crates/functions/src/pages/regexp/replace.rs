//! `regexp_replace`, by a template or by a lambda over the captured groups.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringViewBuilder, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature, HigherOrderUDFImpl,
    LambdaArgument, LambdaParametersProgress, ValueOrLambda, Volatility,
};

use super::pattern::Patterns;
use super::template::Template;
use crate::columns::{Call, known};
use crate::scalar::refused;
use crate::types::{array_of, is_varchar};

/// The form with a lambda.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct RegexpReplace {
    signature: HigherOrderSignature,
}

impl RegexpReplace {
    pub(super) fn new() -> Self {
        RegexpReplace { signature: HigherOrderSignature::user_defined(Volatility::Immutable) }
    }
}

impl HigherOrderUDFImpl for RegexpReplace {
    fn name(&self) -> &str {
        "regexp_replace"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, actual: &[DataType]) -> Result<Vec<DataType>> {
        if actual.len() != 2 || !actual.iter().all(|t| t.is_null() || is_varchar(t)) {
            return Err(refused("regexp_replace", actual));
        }
        Ok(vec![DataType::Utf8View; actual.len()])
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let groups: FieldRef = Arc::new(Field::new("groups", array_of(DataType::Utf8View), true));
        let lambdas = fields.iter().filter(|f| matches!(f, ValueOrLambda::Lambda(_)));
        Ok(LambdaParametersProgress::Complete(lambdas.map(|_| vec![Arc::clone(&groups)]).collect()))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [ValueOrLambda::Value(_), ValueOrLambda::Value(_), ValueOrLambda::Lambda(lambda)]
                if is_varchar(lambda.data_type()) || lambda.data_type().is_null() => {}
            _ => {
                return plan_err!(
                    "TYPE_MISMATCH: regexp_replace takes a lambda that returns varchar as its last argument"
                );
            }
        }
        Ok(Arc::new(Field::new(self.name(), DataType::Utf8View, true)))
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let [ValueOrLambda::Value(text), ValueOrLambda::Value(pattern), ValueOrLambda::Lambda(lambda)] = &args.args[..]
        else {
            return exec_err!("regexp_replace takes two values and a lambda");
        };
        let call = Call::new(&[text.clone(), pattern.clone()], args.number_rows, DataType::Utf8View)?;
        Ok(ColumnarValue::Array(by_lambda(&call, lambda)?))
    }
}

pub(super) fn by_template(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let replacement = if call.len() > 2 { Some(call.text(2)?) } else { None };
    let constant = pattern.is_constant() && replacement.as_ref().is_none_or(crate::columns::Column::is_constant);
    let mut patterns = Patterns::default();
    let mut template: Option<Template> = None;
    call.written(|i, out| {
        let (text, pattern) = (known!(text.get(i)), known!(pattern.get(i)));
        let replacement = match &replacement {
            Some(replacement) => known!(replacement.get(i)),
            None => "",
        };
        let pattern = patterns.get(pattern)?;
        if !constant {
            template = None;
        }
        let mut end = 0;
        pattern.each_match(text, 0, |groups| {
            // Parsed at the first match, because a broken replacement that is never used is no error.
            let template = match &mut template {
                Some(template) => template,
                None => template.insert(Template::parse(replacement, &pattern)?),
            };
            let whole = groups.whole();
            out.push_str(&text[end..whole.start]);
            template.write(text, groups, out);
            end = whole.end;
            Ok(true)
        })?;
        out.push_str(&text[end..]);
        Ok(Some(()))
    })
}

/// Collects the groups of all matches of all rows, calls the lambda once on them, and puts the pieces together.
fn by_lambda(call: &Call, lambda: &LambdaArgument) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let mut patterns = Patterns::default();
    let mut groups_of_matches = ListBuilder::new(StringViewBuilder::new());
    let mut rows_of_matches: Vec<u32> = vec![];
    let mut matches: Vec<Range<usize>> = vec![];
    for row in 0..call.rows {
        let (Some(text), Some(pattern)) = (text.get(row), pattern.get(row)) else {
            continue;
        };
        let pattern = patterns.get(pattern)?;
        pattern.each_match(text, 0, |groups| {
            for n in 1..=pattern.groups() {
                groups_of_matches.values().append_option(groups.get(n).map(|range| &text[range]));
            }
            groups_of_matches.append(true);
            rows_of_matches.push(row as u32);
            matches.push(groups.whole());
            Ok(true)
        })?;
    }
    let replacements: ArrayRef = if matches.is_empty() {
        arrow::array::new_empty_array(&DataType::Utf8View)
    } else {
        let groups: ArrayRef = Arc::new(groups_of_matches.finish());
        let rows = UInt32Array::from(rows_of_matches.clone());
        let spread =
            |captures: &[ArrayRef]| Ok(captures.iter().map(|c| take(c, &rows, None)).collect::<Result<Vec<_>, _>>()?);
        let result = lambda.evaluate(&[&|| Ok(Arc::clone(&groups))], spread)?.into_array(matches.len())?;
        cast(&result, &DataType::Utf8View)?
    };
    if replacements.len() != matches.len() {
        return exec_err!("the lambda gave {} values for {} matches", replacements.len(), matches.len());
    }
    let replacements = replacements.as_string_view();
    let mut next = 0;
    call.texts(|row| {
        let first = next;
        while rows_of_matches.get(next).is_some_and(|r| *r as usize == row) {
            next += 1;
        }
        let text = known!(text.get(row));
        known!(pattern.get(row));
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for n in first..next {
            // One match without a replacement makes the whole row NULL.
            if replacements.is_null(n) {
                return Ok(None);
            }
            out.push_str(&text[end..matches[n].start]);
            out.push_str(replacements.value(n));
            end = matches[n].end;
        }
        out.push_str(&text[end..]);
        Ok(Some(out))
    })
}
