//! `lag` and `lead`. DataFusion's serve where offset and default are constants; columns in their place are computed
//! here, over the whole partition.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, interleave, nullif};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{ExpressionArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{LimitEffect, PartitionEvaluator, ReversedUDWF, Signature, WindowUDF, WindowUDFImpl};
use datafusion_functions_window::lead_lag::{lag_udwf, lead_udwf};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::Literal;

use crate::columns::invalid;

pub(super) fn lag() -> Arc<WindowUDF> {
    Arc::new(WindowUDF::new_from_impl(Shift { forward: false, constant: lag_udwf() }))
}

pub(super) fn lead() -> Arc<WindowUDF> {
    Arc::new(WindowUDF::new_from_impl(Shift { forward: true, constant: lead_udwf() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Shift {
    forward: bool,
    constant: Arc<WindowUDF>,
}

impl Shift {
    /// Whether DataFusion's function can compute these arguments.
    fn is_constant(args: &[Arc<dyn PhysicalExpr>]) -> bool {
        let literal = |i: usize| args.get(i).map(|e| e.downcast_ref::<Literal>().map(Literal::value));
        let offset = match literal(1) {
            None => true,
            Some(Some(ScalarValue::Int64(Some(n)))) => *n >= 0,
            Some(Some(ScalarValue::Int32(Some(n)))) => *n >= 0,
            Some(_) => false,
        };
        offset && !matches!(literal(2), Some(None))
    }
}

impl WindowUDFImpl for Shift {
    fn name(&self) -> &str {
        self.constant.name()
    }

    fn signature(&self) -> &Signature {
        self.constant.signature()
    }

    fn expressions(&self, args: ExpressionArgs<'_>) -> Vec<Arc<dyn PhysicalExpr>> {
        if Self::is_constant(args.input_exprs()) {
            return self.constant.expressions(args);
        }
        args.input_exprs().to_vec()
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        if Self::is_constant(args.input_exprs()) {
            return self.constant.partition_evaluator_factory(args);
        }
        let forward = self.forward != args.is_reversed();
        Ok(Box::new(Evaluator { forward, ignore_nulls: args.ignore_nulls() }))
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        self.constant.field(args)
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        ReversedUDWF::Reversed(if self.forward { lag() } else { lead() })
    }

    fn limit_effect(&self, args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        if Self::is_constant(args) { self.constant.inner().limit_effect(args) } else { LimitEffect::Unknown }
    }
}

#[derive(Debug)]
struct Evaluator {
    forward: bool,
    ignore_nulls: bool,
}

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let values = &columns[0];
        let offsets = match columns.get(1) {
            Some(offsets) => cast(offsets, &DataType::Int64)?,
            None => ScalarValue::Int64(Some(1)).to_array_of_size(rows)?,
        };
        let offsets = offsets.as_primitive::<Int64Type>();
        let defaults = match columns.get(2) {
            Some(defaults) => cast(defaults, values.data_type())?,
            None => ScalarValue::try_from(values.data_type())?.to_array_of_size(rows)?,
        };
        let nulls = values.logical_nulls();
        let counted = |row: &usize| !self.ignore_nulls || nulls.as_ref().is_none_or(|n| n.is_valid(*row));
        let rows_that_count: Vec<usize> = (0..rows).filter(counted).collect();
        let mut sources = Vec::with_capacity(rows);
        let mut unknown = Vec::with_capacity(rows);
        for row in 0..rows {
            unknown.push(offsets.is_null(row));
            let offset = if offsets.is_null(row) { 0 } else { offsets.value(row) };
            if offset < 0 {
                return Err(invalid(format!("Offset must be at least 0, not {offset}")));
            }
            sources.push(match self.source(&rows_that_count, row, offset as usize) {
                Some(source) => (0, source),
                None => (1, row),
            });
        }
        let shifted = interleave(&[values.as_ref(), defaults.as_ref()], &sources)?;
        Ok(nullif(&shifted, &unknown.into())?)
    }
}

impl Evaluator {
    /// The row that lies `offset` rows that count away from `row`.
    fn source(&self, rows_that_count: &[usize], row: usize, offset: usize) -> Option<usize> {
        if offset == 0 {
            return Some(row);
        }
        let position = if self.forward {
            rows_that_count.partition_point(|r| *r <= row).checked_add(offset - 1)?
        } else {
            rows_that_count.partition_point(|r| *r < row).checked_sub(offset)?
        };
        rows_that_count.get(position).copied()
    }
}
