//! What DataFusion's planner may see: the tables, the functions, the options.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use cloudtarn_dialect::{LAMBDA_CALL, Parsed};
use cloudtarn_functions::distinct::{Room, count};
use cloudtarn_store::{EventDataStore, Store};
use datafusion::catalog::view::ViewTable;
use datafusion::common::{TableReference, plan_datafusion_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::{NullOrdering, ParserOptions, SqlToRel};

use crate::operators::Operators;
use crate::session::Limits;
use crate::system;
use crate::table::KnownStatistics;
use crate::tables::{Guard, Tables};

/// The part of a query's memory that distinct texts may take before they go to disk.
const DISTINCT_SHARE: usize = 4;

/// The planner's view of one session while it plans one statement.
pub(crate) struct Provider<'a> {
    state: &'a SessionState,
    guard: &'a dyn Guard,
    tables: Tables<'a>,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
    limits: &'a Limits,
    count: OnceCell<Arc<AggregateUDF>>,
}

impl<'a> Provider<'a> {
    pub(crate) fn new(
        state: &'a SessionState,
        store: Option<&'a Store>,
        guard: &'a dyn Guard,
        parsed: &Parsed,
        limits: &'a Limits,
    ) -> Self {
        let own: Arc<dyn ExprPlanner> = Arc::new(Operators::new(state, parsed.written.clone()));
        let expr_planners = std::iter::once(own).chain(state.expr_planners().iter().cloned()).collect();
        let statistics = state.config().get_extension::<KnownStatistics>();
        let tables = Tables::new(store, guard, parsed.hidden.clone(), parsed.names_in.clone(), statistics);
        Self { state, guard, tables, expr_planners, limits, count: OnceCell::new() }
    }

    /// The event data stores that planning has met.
    pub(crate) fn event_data_stores(&self) -> Vec<EventDataStore> {
        self.tables.event_data_stores()
    }
}

impl Provider<'_> {
    /// A table about the store itself.
    fn system_table(&self, name: &str) -> Result<Arc<dyn TableSource>> {
        if name != system::COVERAGE {
            return self.tables.system(name);
        }
        let store = self.tables.store(name)?;
        let text = system::coverage(store).map_err(|error| plan_datafusion_err!("STORE_ERROR: {error}"))?;
        let parsed = cloudtarn_dialect::parse(&text).map_err(|error| plan_datafusion_err!("{error}"))?;
        let provider = Provider::new(self.state, Some(store), self.guard, &parsed, self.limits);
        let plan = plan(&provider, Statement::Statement(Box::new(parsed.statement)))?;
        Ok(provider_as_source(Arc::new(ViewTable::new(plan, None))))
    }
}

/// Plans `statement`.
pub(crate) fn plan(provider: &Provider<'_>, statement: Statement) -> Result<LogicalPlan> {
    let options = ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_enable_ident_normalization(true)
        .with_collect_spans(true)
        .with_map_string_types_to_utf8view(true)
        .with_default_null_ordering(NullOrdering::NullsLast);
    SqlToRel::new_with_options(provider, options).statement_to_plan(statement)
}

impl ContextProvider for Provider<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match name.schema() {
            Some(system::SCHEMA) if self.guard.opens_system_tables() => self.system_table(name.table()),
            Some(system::SCHEMA) => plan_err!("TABLE_NOT_FOUND: table '{name}' does not exist"),
            _ => self.tables.find(name.table()),
        }
    }

    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<datafusion::logical_expr::Expr>,
    ) -> Result<Arc<dyn TableSource>> {
        let _ = args;
        plan_err!("FUNCTION_NOT_FOUND: table function '{name}' is not registered")
    }

    fn create_cte_work_table(&self, name: &str, schema: arrow::datatypes::SchemaRef) -> Result<Arc<dyn TableSource>> {
        let table = Arc::new(datafusion::catalog::cte_worktable::CteWorkTable::new(name, schema));
        Ok(provider_as_source(table))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expr_planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        self.state.relation_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        None
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        let name = name.strip_prefix(LAMBDA_CALL).unwrap_or(name);
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        if name == "count" {
            return Some(Arc::clone(self.count.get_or_init(|| {
                let Limits { memory, spill, threads, .. } = self.limits;
                Arc::new(count(Room::new(memory / DISTINCT_SHARE, spill.clone(), *threads)))
            })));
        }
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn get_variable_field(&self, _names: &[String]) -> Option<FieldRef> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
