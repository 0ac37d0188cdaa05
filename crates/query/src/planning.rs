//! What DataFusion's planner may see: the tables, the functions, the options.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use cloudtarn_dialect::Parsed;
use cloudtarn_record::EventCategory;
use cloudtarn_store::Store;
use datafusion::common::{TableReference, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::{NullOrdering, ParserOptions, SqlToRel};

use crate::error::Error;
use crate::operators::Operators;
use crate::table::EventTable;

/// The planner's view of one session while it plans one statement.
pub(crate) struct Provider<'a> {
    state: &'a SessionState,
    store: Option<&'a Store>,
    hidden: bool,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
    tables: RefCell<HashMap<String, Arc<dyn TableSource>>>,
}

impl<'a> Provider<'a> {
    pub(crate) fn new(state: &'a SessionState, store: Option<&'a Store>, parsed: &Parsed) -> Self {
        let own: Arc<dyn ExprPlanner> = Arc::new(Operators::new(state, parsed.written.clone()));
        let expr_planners = std::iter::once(own).chain(state.expr_planners().iter().cloned()).collect();
        Self { state, store, hidden: parsed.hidden, expr_planners, tables: RefCell::default() }
    }

    fn open(&self, name: &str) -> Result<Arc<dyn TableSource>> {
        let Some(store) = self.store else {
            return plan_err!(
                "TABLE_NOT_FOUND: '{name}': there is no store to look for it in; name its folder with --store"
            );
        };
        let external = |e: cloudtarn_store::Error| DataFusionError::External(Box::new(Error::from(e)));
        let found = match (store.event_data_store(name), standard(name)) {
            (Err(_), Some(category)) => store.standard(category),
            (found, _) => found,
        };
        let snapshot = store.snapshot(&found.map_err(external)?).map_err(external)?;
        Ok(provider_as_source(Arc::new(EventTable::new(snapshot, self.hidden))))
    }
}

/// The kind of store that a placeholder stands for, as Lake's console, samples and query generator write it: `$EDS_ID`.
fn standard(name: &str) -> Option<EventCategory> {
    let plain = name.trim_start_matches('$').to_lowercase().replace(['-', ' '], "_");
    match plain.as_str() {
        "eds_id" | "eds" | "eventdatastoreid" | "event_data_store_id" | "event_data_store" => {
            Some(EventCategory::CloudTrail)
        }
        "insights_eds_id" | "insight_eds_id" | "insights_eds" => Some(EventCategory::Insight),
        _ => None,
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
        if let Some(table) = self.tables.borrow().get(name.table()) {
            return Ok(Arc::clone(table));
        }
        let table = self.open(name.table())?;
        self.tables.borrow_mut().insert(name.table().to_owned(), Arc::clone(&table));
        Ok(table)
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
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
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
