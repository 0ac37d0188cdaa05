//! Subqueries wherever Trino allows them, as joins.
//!
//! DataFusion plans `EXISTS`, `IN` and scalar subqueries that filter rows, and little else. What it leaves is rewritten
//! here, after Neumann and Kemper, "Unnesting Arbitrary Queries" (BTW 2015): the outer rows' distinct values of the columns that
//! the subquery refers to (the *domain*) are pushed down through the subquery's operators, which then compute
//! all its results at once; a join on the domain brings each outer row its own.
//!
//! `x IN (Q)`, `x = ANY (Q)` and `EXISTS (Q)` in places where a semi-join does not fit become aggregates over `Q`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, JoinType, ScalarValue, not_impl_err};
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::{bool_or, count};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    Expr, FetchType, Join, LogicalPlan, LogicalPlanBuilder, Operator, ScalarUDF, Subquery, binary_expr, lit, not, when,
};

mod domain;
mod push;

use domain::Domain;
use push::Push;

static NEXT: AtomicUsize = AtomicUsize::new(0);

fn fresh(prefix: &str) -> String {
    format!("{prefix}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Rewrites every subquery of `plan` that DataFusion does not plan itself. `single` is the function that passes a value
/// on if its first argument, the number of rows of a scalar subquery, is at most one.
pub(crate) fn rewrite(plan: LogicalPlan, single: &Arc<ScalarUDF>) -> Result<LogicalPlan> {
    let rule = Rule { single: Arc::clone(single) };
    Ok(plan.transform_up_with_subqueries(|p| rule.node(p))?.data)
}

struct Rule {
    single: Arc<ScalarUDF>,
}

impl Rule {
    fn node(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(join) if is_lateral(&join.right) => Self::lateral(&join).map(Transformed::yes),
            LogicalPlan::Join(join) if join.filter.as_ref().is_some_and(contains_subquery) => self.condition(join),
            plan => self.expressions(plan),
        }
    }

    /// A join whose condition has subqueries.
    fn condition(&self, mut join: Join) -> Result<Transformed<LogicalPlan>> {
        let Some(filter) = join.filter.take() else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
        if join.join_type == JoinType::Inner {
            let (later, now): (Vec<_>, Vec<_>) =
                split_conjunction_owned(filter).into_iter().partition(contains_subquery);
            join.filter = now.into_iter().reduce(Expr::and);
            let Some(later) = later.into_iter().reduce(Expr::and) else {
                return Ok(Transformed::no(LogicalPlan::Join(join)));
            };
            let filtered = LogicalPlanBuilder::from(LogicalPlan::Join(join)).filter(later)?.build()?;
            return Ok(Transformed::yes(self.expressions(filtered)?.data));
        }
        // In an outer join a subquery is computed on the side that it refers to.
        let columns: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
        let mut sides = [join.left.as_ref().clone(), join.right.as_ref().clone()];
        let schemas = [Arc::clone(join.left.schema()), Arc::clone(join.right.schema())];
        let filter = filter.transform_down(|e| {
            if !is_subquery(&e) {
                return Ok(Transformed::no(e));
            }
            let side = usize::from(!refers_only_to(&e, &schemas[0]));
            if side == 1 && !refers_only_to(&e, &schemas[1]) {
                return not_impl_err!("NOT_SUPPORTED: a subquery about both sides of an outer join in its condition");
            }
            let (e, changed) = self.replace(e, &mut sides[side], &schemas[side])?;
            Ok(Transformed::new(e, changed, TreeNodeRecursion::Jump))
        })?;
        let [left, right] = sides;
        let on = join.on.into_iter().map(|(l, r)| l.eq(r)).chain([filter.data]).collect::<Vec<_>>();
        let joined = LogicalPlanBuilder::from(left).join_on(right, join.join_type, on)?.project(columns)?.build()?;
        Ok(Transformed::yes(joined))
    }

    /// `left JOIN LATERAL right`.
    fn lateral(join: &Join) -> Result<LogicalPlan> {
        let (left, right) = (join.left.as_ref(), join.right.as_ref());
        let columns: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
        let condition = join
            .on
            .iter()
            .map(|(l, r)| l.clone().eq(r.clone()))
            .chain(join.filter.clone())
            .reduce(Expr::and)
            .filter(|e| !matches!(e, Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
        let row_wise = is_row_wise(right);
        if row_wise
            && (join.join_type == JoinType::Inner
                || (join.join_type == JoinType::Left && condition.is_none() && is_unnest(right)))
        {
            let domain = Domain::whole(left);
            let plan = Push { domain: &domain, keep_empty: join.join_type == JoinType::Left }.plan(right)?;
            let mut builder = LogicalPlanBuilder::from(plan);
            if let Some(condition) = condition {
                builder = builder.filter(condition)?;
            }
            return builder.project(columns)?.build();
        }
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
            return not_impl_err!("NOT_SUPPORTED: {} JOIN LATERAL", join.join_type);
        }
        let domain = Domain::distinct(left, &outer_columns(right, left.schema())?)?;
        let right = Push { domain: &domain, keep_empty: false }.plan(right)?;
        let joined = domain.join(left.clone(), right, join.join_type, condition)?;
        LogicalPlanBuilder::from(joined).project(columns)?.build()
    }

    /// Subqueries in the expressions of a node.
    fn expressions(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let mut any = false;
        let filter = matches!(plan, LogicalPlan::Filter(_));
        for e in plan.expressions() {
            e.apply(|e| {
                any |= is_subquery(e);
                Ok(if any { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })?;
        }
        if !any || plan.inputs().len() != 1 {
            return Ok(Transformed::no(plan));
        }
        let mut input = plan.inputs()[0].clone();
        let schema = Arc::clone(input.schema());
        let mut changed = false;
        let mut expressions = Vec::new();
        for e in plan.expressions() {
            // A conjunct of a filter may be a semi-join, which DataFusion plans well.
            let parts = if filter { split_conjunction_owned(e) } else { vec![e] };
            let mut done = Vec::with_capacity(parts.len());
            for part in parts {
                if filter && is_plannable_conjunct(&part, &schema) {
                    let new = project_subquery(part)?;
                    changed |= new.transformed;
                    done.push(new.data);
                    continue;
                }
                let name = part.name_for_alias().ok();
                let new = part.transform_down(|e| {
                    if !is_subquery(&e) {
                        return Ok(Transformed::no(e));
                    }
                    match self.replace(e, &mut input, &schema)? {
                        (e, true) => {
                            changed = true;
                            Ok(Transformed::new(e, true, TreeNodeRecursion::Jump))
                        }
                        (e, false) => Ok(Transformed::new(e, false, TreeNodeRecursion::Jump)),
                    }
                })?;
                done.push(match name {
                    Some(name)
                        if new.transformed
                            && matches!(
                                plan,
                                LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Window(_)
                            ) =>
                    {
                        new.data.alias_if_changed(name)?
                    }
                    _ => new.data,
                });
            }
            if let Some(e) = done.into_iter().reduce(Expr::and) {
                expressions.push(e);
            }
        }
        if !changed {
            return Ok(Transformed::no(plan));
        }
        let new = plan.with_new_exprs(expressions, vec![input])?;
        // Filters and sorts pass their input's columns on: the added ones end here.
        let new = if new.schema().fields().len() > plan.schema().fields().len() {
            LogicalPlanBuilder::from(new).project(plan.schema().columns().into_iter().map(Expr::Column))?.build()?
        } else {
            new
        };
        Ok(Transformed::yes(new))
    }

    /// A subquery expression as a column that joins bring into `input`; unchanged (`false`) where DataFusion plans it.
    fn replace(&self, e: Expr, input: &mut LogicalPlan, schema: &DFSchema) -> Result<(Expr, bool)> {
        let (value, negated) = match e {
            Expr::ScalarSubquery(sub) => {
                if outer_columns(&sub.subquery, schema)?.is_empty() {
                    return Ok((Expr::ScalarSubquery(sub), false));
                }
                let rows = self.at_most_one_row(&sub)?;
                (rows, false)
            }
            Expr::Exists(Exists { subquery, negated }) => {
                let rows = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone())
                    .aggregate(Vec::<Expr>::new(), vec![count(lit(1i64)).alias("$n")])?
                    .project(vec![column("$n").gt(lit(0i64)).alias("$exists")])?
                    .build()?;
                (rows, negated)
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                (any(*expr, Operator::Eq, &subquery, schema)?, negated)
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => match quantifier {
                SetQuantifier::Any => (any(*expr, op, &subquery, schema)?, false),
                SetQuantifier::All => {
                    let Some(negation) = op.negate() else { return not_impl_err!("NOT_SUPPORTED: {op} ALL") };
                    (any(*expr, negation, &subquery, schema)?, true)
                }
            },
            other => return Ok((other, false)),
        };
        let negate = |e: Expr| if negated { not(e) } else { e };
        let references = outer_columns(&value, schema)?;
        if references.is_empty() {
            let spans = datafusion::common::Spans::new();
            let sub = Subquery { subquery: Arc::new(value), outer_ref_columns: vec![], spans };
            return Ok((negate(Expr::ScalarSubquery(sub)), true));
        }
        let domain = Domain::distinct(input, &references)?;
        let pushed = Push { domain: &domain, keep_empty: false }.plan(&value)?;
        let name = fresh("$value");
        let result = pushed
            .schema()
            .columns()
            .into_iter()
            .next()
            .map_or_else(|| not_impl_err!("NOT_SUPPORTED: a subquery without columns"), Ok)?;
        let outputs =
            std::iter::once(Expr::Column(result).alias(&name)).chain(domain.outputs().into_iter().map(Expr::Column));
        let pushed = LogicalPlanBuilder::from(pushed).project(outputs)?.build()?;
        *input = domain.join(input.clone(), pushed, JoinType::Left, None)?;
        Ok((negate(column(&name)), true))
    }

    /// A scalar subquery of several rows is an error, of none is NULL.
    fn at_most_one_row(&self, sub: &Subquery) -> Result<LogicalPlan> {
        let plan = sub.subquery.as_ref();
        if gives_one_row(plan) {
            return Ok(plan.clone());
        }
        let Some(result) = plan.schema().columns().into_iter().next() else {
            return not_impl_err!("NOT_SUPPORTED: a subquery without columns");
        };
        let first = datafusion::functions_aggregate::expr_fn::first_value(Expr::Column(result), vec![]);
        LogicalPlanBuilder::from(plan.clone())
            .aggregate(Vec::<Expr>::new(), vec![count(lit(1i64)).alias("$n"), first.alias("$first")])?
            .project(vec![self.single.call(vec![column("$n"), column("$first")]).alias("$single")])?
            .build()
    }
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// `x op ANY (sub)` as an aggregate over `sub`: true if any row compares true, else NULL if any compares NULL, else false.
fn any(x: Expr, op: Operator, sub: &Subquery, schema: &DFSchema) -> Result<LogicalPlan> {
    let x = x.transform(|e| match e {
        Expr::Column(c) => {
            let field = schema.field_from_column(&c)?;
            Ok(Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(field), c)))
        }
        e => Ok(Transformed::no(e)),
    })?;
    let plan = sub.subquery.as_ref();
    let Some(element) = plan.schema().columns().into_iter().next() else {
        return not_impl_err!("NOT_SUPPORTED: a subquery without columns");
    };
    let compared = LogicalPlanBuilder::from(plan.clone())
        .project(vec![binary_expr(x.data, op, Expr::Column(element)).alias("$match")])?
        .build()?;
    let answer = when(column("$any").is_true(), lit(true))
        .when(column("$known").lt(column("$rows")), lit(ScalarValue::Boolean(None)))
        .otherwise(lit(false))?;
    LogicalPlanBuilder::from(compared)
        .aggregate(
            Vec::<Expr>::new(),
            vec![
                bool_or(column("$match")).alias("$any"),
                count(column("$match")).alias("$known"),
                count(lit(1i64)).alias("$rows"),
            ],
        )?
        .project(vec![answer.alias("$in")])?
        .build()
}

fn is_subquery(e: &Expr) -> bool {
    matches!(e, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_))
}

fn is_lateral(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Subquery(_) => true,
        LogicalPlan::SubqueryAlias(a) => is_lateral(&a.input),
        LogicalPlan::Projection(p) => is_lateral(&p.input),
        _ => false,
    }
}

fn gives_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(a) => a.group_expr.is_empty(),
        LogicalPlan::Projection(p) => gives_one_row(&p.input),
        LogicalPlan::SubqueryAlias(a) => gives_one_row(&a.input),
        LogicalPlan::Subquery(s) => gives_one_row(&s.subquery),
        LogicalPlan::Sort(s) => gives_one_row(&s.input),
        LogicalPlan::EmptyRelation(e) => e.produce_one_row,
        LogicalPlan::Limit(l) => {
            matches!(l.get_fetch_type(), Ok(FetchType::Literal(Some(0 | 1)))) || gives_one_row(&l.input)
        }
        _ => false,
    }
}

/// EXISTS and IN that DataFusion turns into semi- and anti-joins: outer references only in filters, below nothing but projections.
fn is_plannable_conjunct(e: &Expr, schema: &DFSchema) -> bool {
    let sub = match e {
        Expr::Exists(e) => &e.subquery,
        Expr::InSubquery(e) if !contains_subquery(&e.expr) => &e.subquery,
        Expr::Not(inner) => return is_plannable_conjunct(inner, schema),
        e => return !contains_subquery(e),
    };
    match outer_columns(&sub.subquery, schema) {
        Ok(columns) => columns.is_empty() || is_plain(&sub.subquery),
        Err(_) => false,
    }
}

/// Do all columns that the subquery expression uses, inside and in front of it, come from `schema`?
fn refers_only_to(e: &Expr, schema: &DFSchema) -> bool {
    let sub = match e {
        Expr::ScalarSubquery(s) => s,
        Expr::Exists(e) => &e.subquery,
        Expr::InSubquery(e) => &e.subquery,
        Expr::SetComparison(e) => &e.subquery,
        _ => return false,
    };
    let inside = sub.outer_ref_columns.iter().all(|e| match e {
        Expr::OuterReferenceColumn(_, c) => schema.has_column(c),
        _ => true,
    });
    let front = match e {
        Expr::InSubquery(e) => e.expr.column_refs().into_iter().all(|c| schema.has_column(c)),
        Expr::SetComparison(e) => e.expr.column_refs().into_iter().all(|c| schema.has_column(c)),
        _ => true,
    };
    inside && front
}

/// DataFusion takes `IN (query)` only of queries that end in a projection, which VALUES and set operations do not.
fn project_subquery(e: Expr) -> Result<Transformed<Expr>> {
    e.transform_down(|e| match e {
        Expr::InSubquery(mut i) if !matches!(*i.subquery.subquery, LogicalPlan::Projection(_)) => {
            let plan = i.subquery.subquery.as_ref().clone();
            let columns: Vec<Expr> = plan
                .schema()
                .columns()
                .into_iter()
                .map(|c| {
                    let name = c.name.clone();
                    Expr::Column(c).alias(name)
                })
                .collect();
            i.subquery.subquery = Arc::new(LogicalPlanBuilder::from(plan).project(columns)?.build()?);
            Ok(Transformed::new(Expr::InSubquery(i), true, TreeNodeRecursion::Jump))
        }
        e => Ok(Transformed::no(e)),
    })
}

fn contains_subquery(e: &Expr) -> bool {
    e.exists(|e| Ok(is_subquery(e))).unwrap_or(true)
}

fn is_plain(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(p) => !p.expr.iter().any(refers_outside) && is_plain(&p.input),
        LogicalPlan::Filter(f) => {
            !contains_subquery(&f.predicate)
                && matches!(*f.input, LogicalPlan::TableScan(_) | LogicalPlan::SubqueryAlias(_))
                && is_leaf(&f.input)
        }
        _ => false,
    }
}

fn is_leaf(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(a) => is_leaf(&a.input),
        LogicalPlan::TableScan(_) => true,
        _ => false,
    }
}

fn refers_outside(e: &Expr) -> bool {
    e.exists(|e| Ok(matches!(e, Expr::OuterReferenceColumn(..)) || is_subquery(e))).unwrap_or(true)
}

/// Operators that treat each row by itself, so that whole outer rows may run through them.
fn is_row_wise(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Subquery(s) => is_row_wise(&s.subquery),
        LogicalPlan::SubqueryAlias(a) => is_row_wise(&a.input),
        LogicalPlan::Projection(p) => is_row_wise(&p.input),
        LogicalPlan::Filter(f) => is_row_wise(&f.input),
        LogicalPlan::Unnest(u) => is_row_wise(&u.input),
        LogicalPlan::EmptyRelation(e) => e.produce_one_row,
        _ => false,
    }
}

/// An UNNEST and nothing else.
fn is_unnest(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Subquery(s) => is_unnest(&s.subquery),
        LogicalPlan::SubqueryAlias(a) => is_unnest(&a.input),
        LogicalPlan::Projection(p) => is_unnest(&p.input),
        LogicalPlan::Unnest(u) => {
            matches!(&*u.input, LogicalPlan::Projection(p) if matches!(&*p.input, LogicalPlan::EmptyRelation(_)))
        }
        _ => false,
    }
}

/// The columns of `schema` that `plan` refers to from inside a subquery, in order of appearance.
fn outer_columns(plan: &LogicalPlan, schema: &DFSchema) -> Result<Vec<Column>> {
    let mut found: Vec<Column> = Vec::new();
    plan.apply_with_subqueries(|p| {
        p.apply_expressions(|e| {
            e.apply(|e| {
                if let Expr::OuterReferenceColumn(_, c) = e
                    && schema.has_column(c)
                    && !found.contains(c)
                {
                    found.push(c.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}
