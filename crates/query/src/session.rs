//! Sessions: from text to a stream of batches.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use cloudtarn_dialect::OutputName;
use cloudtarn_store::Store;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::logical_expr::{LogicalPlan, ScalarUDF};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures::{Stream, StreamExt};

use crate::error::{Error, Kind, Result};
use crate::planning::{self, Provider};
use crate::single::Single;
use crate::tables::Tables;
use crate::unnest::UnnestPlanner;
use crate::decorrelate;

/// What one query may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of memory for sorting, grouping and joining; beyond it they spill to disk.
    pub memory: usize,
    /// Time from the start of a query to its last row.
    pub time: Option<Duration>,
    /// Threads that work on one query.
    pub threads: usize,
    /// Where to spill; the system's folder for temporary files by default.
    pub spill: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            memory: 2 << 30,
            time: None,
            threads,
            spill: None,
        }
    }
}

/// A session over one store, or over none.
pub struct Session {
    state: SessionState,
    store: Option<Store>,
    limits: Limits,
    single: Arc<ScalarUDF>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("store", &self.store)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session with every function registered.
    ///
    /// # Errors
    /// [`Kind::Internal`] where DataFusion refuses the configuration.
    pub fn new(store: Option<Store>, limits: Limits) -> Result<Self> {
        let mut config = SessionConfig::new()
            .with_target_partitions(limits.threads)
            .with_information_schema(false);
        let options = config.options_mut();
        options.sql_parser.default_null_ordering = "nulls_last".to_owned();
        options.sql_parser.parse_float_as_decimal = true;
        options.execution.time_zone = Some("UTC".to_owned());
        options.execution.parquet.pushdown_filters = true;
        options.execution.parquet.reorder_filters = true;
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_relation_planners(vec![Arc::new(UnnestPlanner)])
            .build();
        cloudtarn_functions::register_all(&mut state)?;
        Ok(Self { state, store, limits, single: Arc::new(ScalarUDF::from(Single::new())) })
    }

    /// Starts a query; its rows come from the stream that [`Query`] is.
    ///
    /// # Errors
    /// Any [`Kind`] that is known before rows flow.
    pub async fn query(&self, sql: &str) -> Result<Query> {
        let parsed = cloudtarn_dialect::parse(sql)?;
        let ctx = SessionContext::new_with_state(self.state.clone());
        let state = ctx.state();
        let tables = Tables::new(self.store.as_ref(), &parsed.statement);
        let provider = Provider {
            state: &state,
            tables: &tables,
        };
        let plan = planning::plan(&provider, Statement::Statement(Box::new(parsed.statement)))?;
        let plan = decorrelate::rewrite(plan, &self.single)?;
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)?;
        let schema = named(&plan, &parsed.names);
        let frame = ctx.execute_logical_plan(plan).await?;
        let stream = frame.execute_stream().await?;
        let deadline = self.limits.time.map(|t| Box::pin(tokio::time::sleep(t)));
        Ok(Query {
            schema,
            stream,
            deadline,
        })
    }
}

/// The plan's columns under the names that Lake gives them.
fn named(plan: &LogicalPlan, names: &[OutputName]) -> SchemaRef {
    let fields = plan.schema().fields();
    let wildcards = names.iter().filter(|n| **n == OutputName::Wildcard).count();
    let first = names
        .iter()
        .position(|n| *n == OutputName::Wildcard)
        .unwrap_or(names.len());
    let after = if wildcards == 0 {
        0
    } else {
        names
            .iter()
            .rev()
            .take_while(|n| **n != OutputName::Wildcard)
            .count()
    };
    let name_of = |i: usize, field: &Field| {
        let item = if i < first {
            names.get(i)
        } else if i + after >= fields.len() {
            names
                .len()
                .checked_sub(fields.len() - i)
                .and_then(|n| names.get(n))
        } else {
            None
        };
        match item {
            Some(OutputName::Written(name)) => name.clone(),
            Some(OutputName::Positional) => format!("_col{i}"),
            _ if names.is_empty() && field.name().starts_with("column") => format!("_col{i}"),
            _ => field
                .name()
                .split_once(':')
                .map_or_else(|| field.name().clone(), |(n, _)| n.to_owned()),
        }
    };
    let fields: Vec<Field> = fields
        .iter()
        .enumerate()
        .map(|(i, f)| f.as_ref().clone().with_name(name_of(i, f)))
        .collect();
    Arc::new(Schema::new(fields))
}

/// A running query: a stream of batches, none gathered. Dropping it stops the work.
pub struct Query {
    schema: SchemaRef,
    stream: SendableRecordBatchStream,
    deadline: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl Query {
    /// Columns under Lake's names; names may repeat.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Stream for Query {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(Error::new(
                Kind::ExceededTimeLimit,
                "the query exceeded its time limit",
            ))));
        }
        self.stream
            .poll_next_unpin(cx)
            .map(|item| item.map(|r| r.map_err(Error::from)))
    }
}
