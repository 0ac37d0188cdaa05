//! Pushing a domain down through the operators of a subquery.

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{
    Column, DFSchema, JoinType, NullEquality, NullHandling, ScalarValue, UnnestOptions, not_impl_err,
};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprFunctionExt, FetchType, Join, Limit, LogicalPlan, LogicalPlanBuilder, SkipType,
    SortExpr, SubqueryAlias, Unnest, cast, lit,
};

use super::domain::Domain;
use super::{column, fresh, is_row_wise};

/// Pushes a domain down: the result has the plan's columns, then the domain's.
pub(super) struct Push<'a> {
    pub(super) domain: &'a Domain,
    /// An unnested row without elements stays, with NULLs (LEFT JOIN UNNEST).
    pub(super) keep_empty: bool,
}

impl Push<'_> {
    pub(super) fn plan(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        if !self.refers(plan)? {
            return match plan {
                LogicalPlan::EmptyRelation(e) if e.produce_one_row && e.schema.fields().is_empty() => {
                    Ok(self.domain.plan.clone())
                }
                plan if self.is_whole() && is_row_wise(plan) => self.operator(plan),
                plan => LogicalPlanBuilder::from(plan.clone()).cross_join(self.domain.plan.clone())?.build(),
            };
        }
        self.operator(plan)
    }

    fn is_whole(&self) -> bool {
        self.domain.columns.iter().all(|(a, b)| a == b)
    }

    fn refers(&self, plan: &LogicalPlan) -> Result<bool> {
        let mut any = false;
        plan.apply_with_subqueries(|p| {
            p.apply_expressions(|e| {
                e.apply(|e| {
                    any |= matches!(e, Expr::OuterReferenceColumn(_, c) if self.domain.columns.iter().any(|(o, _)| o == c));
                    Ok(if any { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
                })
            })
        })?;
        Ok(any)
    }

    fn expr(&self, e: Expr) -> Result<Expr> {
        let map: HashMap<&Column, &Column> = self.domain.columns.iter().map(|(o, d)| (o, d)).collect();
        e.transform(|e| match e {
            Expr::OuterReferenceColumn(field, c) => match map.get(&c) {
                Some(d) => Ok(Transformed::yes(Expr::Column((*d).clone()))),
                None => Ok(Transformed::no(Expr::OuterReferenceColumn(field, c))),
            },
            e => Ok(Transformed::no(e)),
        })
        .map(|t| t.data)
    }

    fn domain_columns(&self) -> impl Iterator<Item = Expr> {
        self.domain.outputs().into_iter().map(Expr::Column)
    }

    /// `e` under the name and qualifier that the schema gives its column.
    fn named(&self, e: &Expr, schema: &DFSchema, i: usize) -> Result<Expr> {
        let (qualifier, field) = schema.qualified_field(i);
        let e = self.expr(e.clone())?.unalias();
        Ok(match (&e, qualifier) {
            (Expr::Column(c), q) if c.relation.as_ref() == q && c.name == *field.name() => e,
            (_, q) => e.alias_qualified(q.cloned(), field.name()),
        })
    }

    fn operator(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        match plan {
            LogicalPlan::Subquery(s) => self.plan(&s.subquery),
            LogicalPlan::EmptyRelation(_) => self.plan(plan),
            LogicalPlan::SubqueryAlias(a) => self.alias(a),
            LogicalPlan::Projection(p) => {
                let input = self.plan(&p.input)?;
                let own =
                    p.expr.iter().enumerate().map(|(i, e)| self.named(e, &p.schema, i)).collect::<Result<Vec<_>>>()?;
                LogicalPlanBuilder::from(input)
                    .project(own.into_iter().chain(self.domain_columns()).collect::<Vec<_>>())?
                    .build()
            }
            LogicalPlan::Filter(f) => {
                LogicalPlanBuilder::from(self.plan(&f.input)?).filter(self.expr(f.predicate.clone())?)?.build()
            }
            LogicalPlan::Aggregate(a) => self.aggregate(a),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                LogicalPlanBuilder::from(self.plan(input)?).distinct()?.build()
            }
            LogicalPlan::Sort(s) => {
                let input = self.plan(&s.input)?;
                match s.fetch {
                    None => Ok(input),
                    Some(n) => self.limit(input, &s.expr, 0, Some(n), plan),
                }
            }
            LogicalPlan::Limit(l) => self.limit_node(l, plan),
            LogicalPlan::Join(j) => self.join(j),
            LogicalPlan::Union(u) => {
                let mut parts = u.inputs.iter().map(|p| self.plan(p));
                let Some(first) = parts.next() else { return not_impl_err!("NOT_SUPPORTED: an empty UNION") };
                let mut builder = LogicalPlanBuilder::from(first?);
                for part in parts {
                    builder = builder.union(part?)?;
                }
                let united = builder.build()?;
                let names = united.schema().columns();
                let own = names
                    .iter()
                    .zip(u.schema.iter())
                    .map(|(c, (q, f))| Expr::Column(c.clone()).alias_qualified(q.cloned(), f.name()));
                let rest = names[u.schema.fields().len()..].iter().zip(self.domain.outputs());
                let rest = rest.map(|(c, d)| Expr::Column(c.clone()).alias_qualified(d.relation, d.name));
                LogicalPlanBuilder::from(united.clone()).project(own.chain(rest).collect::<Vec<_>>())?.build()
            }
            LogicalPlan::Window(w) => {
                let input = self.plan(&w.input)?;
                let windows = w.window_expr.iter().map(|e| self.window(e.clone())).collect::<Result<Vec<_>>>()?;
                let built = LogicalPlanBuilder::from(input).window(windows)?.build()?;
                // The domain's columns come between the input's and the windows': reorder, and keep the windows' old names.
                let names = built.schema().columns();
                let (n, d) = (w.input.schema().fields().len(), self.domain.outputs.len());
                let own = names[..n].iter().chain(&names[n + d..]).zip(w.schema.iter());
                let own = own.map(|(c, (q, f))| Expr::Column(c.clone()).alias_qualified(q.cloned(), f.name()));
                LogicalPlanBuilder::from(built.clone())
                    .project(own.chain(self.domain_columns()).collect::<Vec<_>>())?
                    .build()
            }
            LogicalPlan::Unnest(u) => self.unnest(u),
            LogicalPlan::Values(v) => {
                let mut built: Option<LogicalPlanBuilder> = None;
                for row in &v.values {
                    let own = row.iter().enumerate().map(|(i, e)| {
                        let field = v.schema.field(i);
                        Ok(cast(self.expr(e.clone())?, field.data_type().clone()).alias(field.name()))
                    });
                    let items = own.chain(self.domain_columns().map(Ok)).collect::<Result<Vec<_>>>()?;
                    let part = LogicalPlanBuilder::from(self.domain.plan.clone()).project(items)?.build()?;
                    built = Some(match built {
                        None => LogicalPlanBuilder::from(part),
                        Some(b) => b.union(part)?,
                    });
                }
                let Some(united) = built else { return not_impl_err!("NOT_SUPPORTED: VALUES without rows") };
                let united = united.build()?;
                let names = united.schema().columns();
                let n = v.schema.fields().len();
                let own = names[..n]
                    .iter()
                    .zip(v.schema.iter())
                    .map(|(c, (q, f))| Expr::Column(c.clone()).alias_qualified(q.cloned(), f.name()));
                let rest = names[n..]
                    .iter()
                    .zip(self.domain.outputs())
                    .map(|(c, d)| Expr::Column(c.clone()).alias_qualified(d.relation, d.name));
                LogicalPlanBuilder::from(united.clone()).project(own.chain(rest).collect::<Vec<_>>())?.build()
            }
            other => not_impl_err!("NOT_SUPPORTED: a correlated subquery with {}", other.display()),
        }
    }

    /// A projection that gives the columns their qualifier. It takes the place of projections below it: DataFusion's leaf
    /// projections do not bear one that makes `t.a` of a column `a`.
    fn alias(&self, a: &SubqueryAlias) -> Result<LogicalPlan> {
        let mut input = self.plan(&a.input)?;
        let mut columns: Vec<Expr> = a.input.schema().columns().into_iter().map(Expr::Column).collect();
        let own = columns.len();
        columns.extend(self.domain_columns());
        while let LogicalPlan::Projection(p) = &input
            && columns[..own].iter().all(|e| matches!(e, Expr::Column(_)))
        {
            for e in &mut columns {
                if let Expr::Column(c) = e {
                    *e = p.expr[p.schema.index_of_column(c)?].clone().unalias();
                }
            }
            input = p.input.as_ref().clone();
        }
        let domain = self.domain.outputs();
        let names = a.schema.iter().map(|(q, f)| (q.cloned(), f.name().clone()));
        let names = names.chain(domain.into_iter().map(|c| (c.relation, c.name)));
        let named = columns.into_iter().zip(names).map(|(e, (q, name))| match &e {
            Expr::Column(c) if c.relation == q && c.name == name => e,
            _ => e.alias_qualified(q, name),
        });
        LogicalPlanBuilder::from(input).project(named.collect::<Vec<_>>())?.build()
    }

    fn window(&self, e: Expr) -> Result<Expr> {
        let e = self.expr(e)?;
        e.transform(|e| match e {
            Expr::WindowFunction(mut w) => {
                w.params.partition_by.extend(self.domain_columns());
                Ok(Transformed::yes(Expr::WindowFunction(w)))
            }
            e => Ok(Transformed::no(e)),
        })
        .map(|t| t.data)
    }

    fn aggregate(&self, a: &Aggregate) -> Result<LogicalPlan> {
        let input = self.plan(&a.input)?;
        let groups = a.group_expr.iter().map(|e| self.expr(e.clone())).collect::<Result<Vec<_>>>()?;
        if matches!(groups.as_slice(), [Expr::GroupingSet(_)]) {
            return not_impl_err!("NOT_SUPPORTED: grouping sets in a correlated subquery");
        }
        let aggregates = a.aggr_expr.iter().map(|e| self.expr(e.clone())).collect::<Result<Vec<_>>>()?;
        let scalar = groups.is_empty();
        let own = groups.len();
        let built = LogicalPlanBuilder::from(input)
            .aggregate(groups.into_iter().chain(self.domain_columns()), aggregates)?
            .build()?;
        let names = built.schema().columns();
        let d = self.domain.outputs.len();
        let results = names[..own].iter().chain(&names[own + d..]).zip(a.schema.iter());
        let items: Vec<Expr> =
            results.map(|(c, (q, f))| Expr::Column(c.clone()).alias_qualified(q.cloned(), f.name())).collect();
        if !scalar {
            return LogicalPlanBuilder::from(built)
                .project(items.into_iter().chain(self.domain_columns()).collect::<Vec<_>>())?
                .build();
        }
        // Without groups there is a row even where no row comes in.
        let (grouped, renamed) = self.domain.renamed(built)?;
        let joined = LogicalPlanBuilder::from(self.domain.plan.clone())
            .join_detailed(
                grouped,
                JoinType::Left,
                (self.domain.outputs(), renamed),
                None,
                NullEquality::NullEqualsNull,
            )?
            .build()?;
        let items = a.aggr_expr.iter().zip(items).zip(a.schema.iter()).map(|((e, item), (q, f))| {
            let default = match e.clone().unalias() {
                Expr::AggregateFunction(call) => call.func.default_value(f.data_type())?,
                _ => ScalarValue::Null,
            };
            Ok(if default.is_null() {
                item
            } else {
                coalesce(vec![item.unalias(), lit(default)]).alias_qualified(q.cloned(), f.name())
            })
        });
        let items = items.collect::<Result<Vec<_>>>()?;
        LogicalPlanBuilder::from(joined)
            .project(items.into_iter().chain(self.domain_columns()).collect::<Vec<_>>())?
            .build()
    }

    fn limit_node(&self, l: &Limit, plan: &LogicalPlan) -> Result<LogicalPlan> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (l.get_skip_type()?, l.get_fetch_type()?) else {
            return not_impl_err!("NOT_SUPPORTED: a computed LIMIT in a correlated subquery");
        };
        let (input, order) = match l.input.as_ref() {
            LogicalPlan::Sort(s) => (self.plan(&s.input)?, s.expr.clone()),
            other => (self.plan(other)?, vec![]),
        };
        self.limit(input, &order, skip, fetch, plan)
    }

    /// The first rows of each domain value, by row number.
    fn limit(
        &self,
        input: LogicalPlan,
        order: &[SortExpr],
        skip: usize,
        fetch: Option<usize>,
        plan: &LogicalPlan,
    ) -> Result<LogicalPlan> {
        let order = order
            .iter()
            .map(|s| Ok(SortExpr { expr: self.expr(s.expr.clone())?, ..s.clone() }))
            .collect::<Result<Vec<_>>>()?;
        let name = fresh("$row");
        let mut number = row_number().partition_by(self.domain_columns().collect());
        if !order.is_empty() {
            number = number.order_by(order);
        }
        let at = column(&name);
        let as_i64 = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let mut keep = at.clone().gt(lit(as_i64(skip)));
        if let Some(fetch) = fetch {
            keep = keep.and(at.lt_eq(lit(as_i64(skip.saturating_add(fetch)))));
        }
        let number = number.build()?.alias(&name);
        let columns =
            plan.schema().columns().into_iter().map(Expr::Column).chain(self.domain_columns()).collect::<Vec<_>>();
        let all = input.schema().columns().into_iter().map(Expr::Column).collect::<Vec<_>>();
        let window = match number {
            Expr::Alias(a) => *a.expr,
            e => e,
        };
        let windowed = LogicalPlanBuilder::from(input).window(vec![window])?.build()?;
        let Some(numbered) = windowed.schema().columns().into_iter().next_back() else { return Ok(windowed) };
        let items = all.into_iter().chain(std::iter::once(Expr::Column(numbered).alias(&name)));
        LogicalPlanBuilder::from(windowed).project(items)?.filter(keep)?.project(columns)?.build()
    }

    fn join(&self, j: &Join) -> Result<LogicalPlan> {
        let filter = j.filter.clone().map(|f| self.expr(f)).transpose()?;
        let on =
            j.on.iter().map(|(l, r)| Ok((self.expr(l.clone())?, self.expr(r.clone())?))).collect::<Result<Vec<_>>>()?;
        let condition = on.iter().map(|(l, r)| l.clone().eq(r.clone())).chain(filter).collect::<Vec<_>>();
        let columns: Vec<Expr> =
            j.schema.columns().into_iter().map(Expr::Column).chain(self.domain_columns()).collect();
        let left_refers = self.refers(&j.left)?;
        let right_refers = self.refers(&j.right)?;
        let left_keeps =
            matches!(j.join_type, JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti);
        let right_keeps = matches!(j.join_type, JoinType::Inner | JoinType::Right);
        let joined = if !right_refers && left_keeps {
            let left = self.plan(&j.left)?;
            LogicalPlanBuilder::from(left).join_on(j.right.as_ref().clone(), j.join_type, condition)?.build()?
        } else if !left_refers && right_keeps {
            let right = self.plan(&j.right)?;
            LogicalPlanBuilder::from(j.left.as_ref().clone()).join_on(right, j.join_type, condition)?.build()?
        } else if left_keeps {
            let left = self.plan(&j.left)?;
            let (right, renamed) = self.domain.renamed(self.plan(&j.right)?)?;
            let keys = (self.domain.outputs(), renamed);
            let filter = condition.into_iter().reduce(Expr::and);
            LogicalPlanBuilder::from(left)
                .join_detailed(right, j.join_type, keys, filter, NullEquality::NullEqualsNull)?
                .build()?
        } else {
            return not_impl_err!("NOT_SUPPORTED: {} JOIN in a correlated subquery", j.join_type);
        };
        LogicalPlanBuilder::from(joined).project(columns)?.build()
    }

    fn unnest(&self, u: &Unnest) -> Result<LogicalPlan> {
        let input = self.plan(&u.input)?;
        let handling = if self.keep_empty { NullHandling::PreserveAndExpandEmpty } else { u.options.null_handling };
        let built = LogicalPlanBuilder::from(input)
            .unnest_columns_with_options(u.exec_columns.clone(), UnnestOptions::new().with_null_handling(handling))?
            .build()?;
        let columns = u.schema.columns().into_iter().map(Expr::Column).chain(self.domain_columns()).collect::<Vec<_>>();
        LogicalPlanBuilder::from(built).project(columns)?.build()
    }
}
