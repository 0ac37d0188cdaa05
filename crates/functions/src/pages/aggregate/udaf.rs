//! An aggregate function made of plain parts. `DISTINCT`, `ORDER BY` within the call and sliding window frames are
//! the same for all of them and live in [`super::collected`].

use std::fmt::{self, Debug, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, GroupsAccumulator, ReversedUDAF, Signature, Volatility,
};

use super::collected::{Collected, Sliding, collected_type};
use crate::columns::Resolved;
use crate::scalar::refused;

/// The types of one call.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// Argument types after coercion.
    pub(super) args: Vec<DataType>,
    /// Result type.
    pub(super) returns: DataType,
}

/// Makes the state of one group.
pub(super) type Make = fn(&Setup) -> Result<Box<dyn Accumulator>>;
/// Makes the states of all groups, where the function has a way to hold them for these types.
pub(super) type MakeGroups = fn(&Setup) -> Option<Box<dyn GroupsAccumulator>>;
type Rewrite = fn(AggregateFunction, &SimplifyContext) -> Result<Expr>;

/// An aggregate function.
#[derive(Clone)]
pub(super) struct Aggregate {
    name: &'static str,
    signature: Signature,
    types: fn(&[DataType]) -> Option<Resolved>,
    state: fn(&Setup) -> Vec<DataType>,
    make: Make,
    groups: Option<MakeGroups>,
    rewrite: Option<Rewrite>,
    ordered: bool,
    duplicates_matter: bool,
    retracts: fn(&Setup) -> bool,
    empty: Option<ScalarValue>,
}

impl Aggregate {
    /// A function whose partial state has the types `state`.
    pub(super) fn new(
        name: &'static str,
        types: fn(&[DataType]) -> Option<Resolved>,
        state: fn(&Setup) -> Vec<DataType>,
        make: Make,
    ) -> Self {
        Aggregate {
            name,
            signature: Signature::user_defined(Volatility::Immutable),
            types,
            state,
            make,
            groups: None,
            rewrite: None,
            ordered: false,
            duplicates_matter: true,
            retracts: |_| false,
            empty: None,
        }
    }

    /// The result depends on the order of the rows.
    pub(super) fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// `DISTINCT` changes nothing.
    pub(super) fn idempotent(mut self) -> Self {
        self.duplicates_matter = false;
        self
    }

    /// The accumulator can take rows back, for the types of which `retracts` says so.
    pub(super) fn retracts(mut self, retracts: fn(&Setup) -> bool) -> Self {
        self.retracts = retracts;
        self
    }

    /// A way to hold the states of all groups at once.
    pub(super) fn groups(mut self, groups: MakeGroups) -> Self {
        self.groups = Some(groups);
        self
    }

    /// A plan-time rewrite into other functions.
    pub(super) fn rewrite(mut self, rewrite: Rewrite) -> Self {
        self.rewrite = Some(rewrite);
        self
    }

    /// The result over no rows, where it is not NULL.
    pub(super) fn empty(mut self, empty: ScalarValue) -> Self {
        self.empty = Some(empty);
        self
    }

    pub(super) fn build(self) -> AggregateUDF {
        AggregateUDF::new_from_impl(self)
    }

    /// Whether all rows of a group must be kept until the end.
    fn collects(&self, distinct: bool, has_order: bool) -> bool {
        (distinct && self.duplicates_matter) || (has_order && self.ordered)
    }

    fn setup(args: &AccumulatorArgs<'_>) -> Setup {
        Setup {
            args: args.expr_fields.iter().map(|f| f.data_type().clone()).collect(),
            returns: args.return_field.data_type().clone(),
        }
    }
}

impl Debug for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregate").field("name", &self.name).finish_non_exhaustive()
    }
}

// Names are unique within the registry, so that they stand for the whole function.
impl PartialEq for Aggregate {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Aggregate {}

impl Hash for Aggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl AggregateUDFImpl for Aggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, actual: &[DataType]) -> Result<Vec<DataType>> {
        (self.types)(actual).map(|(takes, _)| takes).ok_or_else(|| refused(self.name, actual))
    }

    fn return_type(&self, actual: &[DataType]) -> Result<DataType> {
        (self.types)(actual).map(|(_, returns)| returns).ok_or_else(|| refused(self.name, actual))
    }

    fn is_nullable(&self) -> bool {
        self.empty.is_none()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match &self.empty {
            Some(value) => Ok(value.clone()),
            None => ScalarValue::try_from(data_type),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let setup = Self::setup(&args);
        if !self.collects(args.is_distinct, !args.order_bys.is_empty()) {
            return (self.make)(&setup);
        }
        let order: &[_] = if self.ordered { args.order_bys } else { &[] };
        let order =
            order.iter().map(|by| Ok((by.expr.data_type(args.schema)?, by.options))).collect::<Result<Vec<_>>>()?;
        Ok(Box::new(Collected::new(setup, self.make, order, args.is_distinct && self.duplicates_matter)?))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let setup = Self::setup(&args);
        if (self.retracts)(&setup) && !self.collects(args.is_distinct, false) {
            return (self.make)(&setup);
        }
        Ok(Box::new(Sliding::new(setup, self.make, args.is_distinct && self.duplicates_matter)))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let inputs: Vec<_> = args.input_fields.iter().map(|f| f.data_type().clone()).collect();
        if self.collects(args.is_distinct, !args.ordering_fields.is_empty()) {
            let order = if self.ordered { args.ordering_fields } else { &[] };
            let order = order.iter().map(|f| f.data_type().clone());
            let collected = collected_type(inputs.into_iter().chain(order));
            return Ok(vec![Arc::new(Field::new(format_state_name(args.name, "rows"), collected, true))]);
        }
        let setup = Setup { args: inputs, returns: args.return_field.data_type().clone() };
        let fields = (self.state)(&setup).into_iter().enumerate();
        Ok(fields
            .map(|(i, t)| Arc::new(Field::new(format_state_name(args.name, &format!("state{i}")), t, true)))
            .collect())
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !self.collects(args.is_distinct, !args.order_bys.is_empty())
            && self.groups.is_some_and(|groups| groups(&Self::setup(&args)).is_some())
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        match self.groups.and_then(|groups| groups(&Self::setup(&args))) {
            Some(groups) => Ok(groups),
            None => datafusion_common::internal_err!("{} has no accumulator of groups", self.name),
        }
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        if self.ordered { AggregateOrderSensitivity::Beneficial } else { AggregateOrderSensitivity::Insensitive }
    }

    fn with_beneficial_ordering(self: Arc<Self>, _ordered: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(self.ordered.then_some(self as _))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        if self.ordered { ReversedUDAF::NotSupported } else { ReversedUDAF::Identical }
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let rewrite = self.rewrite?;
        Some(Box::new(rewrite))
    }
}
