//! The domain of a subquery: the outer rows, or what is distinct of them.

use datafusion::common::{Column, JoinType, NullEquality, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::fresh;

/// The outer rows that a subquery is computed for.
pub(super) struct Domain {
    pub(super) plan: LogicalPlan,
    /// Outer column → the domain's column.
    pub(super) columns: Vec<(Column, Column)>,
    /// Every column of `plan`.
    pub(super) outputs: Vec<Column>,
}

impl Domain {
    /// The outer rows themselves.
    pub(super) fn whole(left: &LogicalPlan) -> Self {
        let outputs = left.schema().columns();
        Self { plan: left.clone(), columns: outputs.iter().map(|c| (c.clone(), c.clone())).collect(), outputs }
    }

    /// The distinct values of `references` among the outer rows.
    pub(super) fn distinct(left: &LogicalPlan, references: &[Column]) -> Result<Self> {
        let name = fresh("$domain");
        let items = references.iter().enumerate().map(|(i, c)| Expr::Column(c.clone()).alias(format!("c{i}")));
        let plan = LogicalPlanBuilder::from(left.clone()).project(items)?.distinct()?.alias(name.as_str())?.build()?;
        let relation = TableReference::bare(name);
        let outputs: Vec<Column> =
            (0..references.len()).map(|i| Column::new(Some(relation.clone()), format!("c{i}"))).collect();
        Ok(Self { plan, columns: references.iter().cloned().zip(outputs.iter().cloned()).collect(), outputs })
    }

    pub(super) fn outputs(&self) -> Vec<Column> {
        self.outputs.clone()
    }

    /// Brings each row of `left` its rows of `right`, which carries this domain's columns.
    pub(super) fn join(
        &self,
        left: LogicalPlan,
        right: LogicalPlan,
        kind: JoinType,
        condition: Option<Expr>,
    ) -> Result<LogicalPlan> {
        let (l, r): (Vec<Column>, Vec<Column>) = self.columns.iter().cloned().unzip();
        if l.is_empty() {
            let on = condition.into_iter().collect::<Vec<_>>();
            return LogicalPlanBuilder::from(left).join_on(right, kind, on)?.build();
        }
        LogicalPlanBuilder::from(left)
            .join_detailed(right, kind, (l, r), condition, NullEquality::NullEqualsNull)?
            .build()
    }

    /// Two plans that both carry this domain: one renamed, so that they can be joined.
    pub(super) fn renamed(&self, plan: LogicalPlan) -> Result<(LogicalPlan, Vec<Column>)> {
        let name = TableReference::bare(fresh("$domain"));
        let mut renamed = Vec::new();
        let items: Vec<Expr> = plan
            .schema()
            .columns()
            .into_iter()
            .map(|c| {
                if self.outputs.contains(&c) {
                    renamed.push(Column::new(Some(name.clone()), c.name.clone()));
                    let n = c.name.clone();
                    Expr::Column(c).alias_qualified(Some(name.clone()), n)
                } else {
                    Expr::Column(c)
                }
            })
            .collect();
        Ok((LogicalPlanBuilder::from(plan).project(items)?.build()?, renamed))
    }
}
