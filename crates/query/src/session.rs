//! Sessions: from text to a stream of batches.

use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use cloudtarn_dialect::{OutputName, Parsed};
use cloudtarn_store::{EventDataStore, Store};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{LogicalPlan, ScalarUDF};
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig};
use datafusion::sql::parser::Statement;
use futures::{Stream, StreamExt};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use crate::band_join::BandJoin;
use crate::bloom::Blooms;
use crate::chunk_cache::ChunkCache;
use crate::coerce::Coercion;
use crate::distinct_texts::DistinctTexts;
use crate::element_filter::ElementFilter;
use crate::error::{Error, Kind, Result};
use crate::interruptible::interruptible;
use crate::leaders::Leaders;
use crate::like_pattern::LikePattern;
use crate::list_unnest::ListUnnest;
use crate::planning::{self, Provider};
use crate::row_selection::{Kept, RowSelections};
use crate::run_aggregate::RunAggregate;
use crate::semi_join::DistinctSemiJoin;
use crate::single::Single;
use crate::statistics::Statistics;
use crate::table::KnownStatistics;
use crate::tables::{Guard, Open};
use crate::unnest::UnnestPlanner;
use crate::unnest_fields::UnnestFields;
use crate::window_fields::WindowFields;
use crate::window_sort::WindowSort;
use crate::{bags, decorrelate, event_json, introspection, join_fields, outer_fields, row_star, shredded};

/// Consumers of memory that an error about it names.
const REPORTED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);
/// Bytes of Parquet footers that are kept between queries.
const METADATA_CACHE: usize = 512 << 20;

/// The part of a query's memory that column chunks may take beside it, which are kept between queries.
const CHUNKS_SHARE: usize = 8;
/// Bytes that they take at most.
const MOST_CHUNKS: usize = 256 << 20;

/// Batches of a result that wait to be taken.
const READY_BATCHES: usize = 2;

/// What one query may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of memory for sorting, grouping and joining; beyond it they spill to disk. Half of what there is by default.
    pub memory: usize,
    /// Time from the start of a query to its last row; an hour by default, as in Lake.
    pub time: Option<Duration>,
    /// Characters of a statement; 10,000 by default, as in Lake.
    pub statement: usize,
    /// Threads that work on one query.
    pub threads: usize,
    /// Where to spill; the system's folder for temporary files by default.
    pub spill: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let time = Some(Duration::from_secs(3600));
        Self { memory: half_of_memory(), time, statement: 10_000, threads, spill: None }
    }
}

/// Half of the machine's memory, or of what a container may take of it, in bytes.
fn half_of_memory() -> usize {
    /// Where nobody knows how much there is.
    const UNKNOWN: usize = 4 << 30;
    let ram = MemoryRefreshKind::nothing().with_ram();
    let Ok(system) = System::new_with_specifics(RefreshKind::nothing().with_memory(ram)) else { return UNKNOWN / 2 };
    let here = [Some(system.total_memory()), system.cgroup_limits().map(|limits| limits.total_memory)];
    let least = here.into_iter().flatten().filter(|bytes| *bytes > 0).min();
    least.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(UNKNOWN) / 2
}

/// A session over one store, or over none.
pub struct Session {
    state: SessionState,
    store: Option<Store>,
    limits: Limits,
    single: Arc<ScalarUDF>,
    coercion: Coercion,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("store", &self.store).field("limits", &self.limits).finish_non_exhaustive()
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
            .with_information_schema(false)
            .with_extension(Arc::new(Blooms::default()))
            .with_extension(Arc::new(KnownStatistics::default()));
        let options = config.options_mut();
        options.sql_parser.default_null_ordering = "nulls_last".to_owned();
        options.sql_parser.parse_float_as_decimal = true;
        options.execution.time_zone = Some("UTC".to_owned());
        options.execution.parquet.pushdown_filters = true;
        options.execution.parquet.reorder_filters = true;
        // Scans are divided between threads where they are planned.
        options.optimizer.repartition_file_scans = false;
        // Ours were asked when the scan was planned.
        options.execution.parquet.bloom_filter_on_read = false;
        let mut runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(TrackConsumersPool::new(FairSpillPool::new(limits.memory), REPORTED)))
            .with_metadata_cache_limit(METADATA_CACHE);
        if let Some(folder) = &limits.spill {
            runtime = runtime.with_temp_file_path(folder);
        }
        let runtime = runtime.build_arc()?;
        let mut rules = Optimizer::new().rules;
        for rule in &mut rules {
            let own = DistinctTexts::default();
            if rule.name() == own.name() {
                *rule = Arc::new(own);
            }
        }
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&runtime))
            .with_default_features()
            .with_optimizer_rules(rules)
            .with_relation_planners(vec![Arc::new(UnnestPlanner)])
            .with_optimizer_rule(Arc::new(WindowFields))
            .with_optimizer_rule(Arc::new(ElementFilter::new()))
            .with_optimizer_rule(Arc::new(UnnestFields::new()))
            .with_optimizer_rule(Arc::new(DistinctSemiJoin))
            .with_physical_optimizer_rule(Arc::new(Leaders))
            .with_physical_optimizer_rule(Arc::new(WindowSort))
            .with_physical_optimizer_rule(Arc::new(BandJoin))
            .with_physical_optimizer_rule(Arc::new(ListUnnest))
            .with_physical_optimizer_rule(Arc::new(RunAggregate))
            .with_physical_optimizer_rule(Arc::new(RowSelections {
                kept: Kept {
                    footers: runtime.cache_manager.get_file_metadata_cache(),
                    chunks: Arc::new(ChunkCache::new((limits.memory / CHUNKS_SHARE).min(MOST_CHUNKS))),
                },
            }))
            .build();
        cloudtarn_functions::register_all(&mut state)?;
        state.register_udf(Arc::new(ScalarUDF::from(LikePattern::new())))?;
        let coercion = Coercion::new(&state);
        Ok(Self { state, store, limits, single: Arc::new(ScalarUDF::from(Single::new())), coercion })
    }

    /// Starts a query; its rows come from the stream that [`Query`] is.
    ///
    /// # Errors
    /// Any [`Kind`] that is known before rows flow.
    pub async fn query(&self, sql: &str) -> Result<Query> {
        self.query_with(sql, &[]).await
    }

    /// The same with query parameters for the statement's question marks, see [`cloudtarn_dialect::parse_with`].
    ///
    /// # Errors
    /// As [`query`](Self::query); [`Kind::InvalidParameterUsage`] for more or fewer parameters than question marks.
    pub async fn query_with(&self, sql: &str, parameters: &[String]) -> Result<Query> {
        self.prepared(sql, parameters, None).await?.run()
    }

    /// Plans a query for a reader who may see only what the guard gives. Statements that tell of plans and stores
    /// (EXPLAIN, SHOW, DESCRIBE) are refused.
    ///
    /// # Errors
    /// As [`query_with`](Self::query_with); the guard's.
    pub async fn prepare(&self, sql: &str, parameters: &[String], guard: &dyn Guard) -> Result<Prepared> {
        self.prepared(sql, parameters, Some(guard)).await
    }

    async fn prepared(&self, sql: &str, parameters: &[String], guard: Option<&dyn Guard>) -> Result<Prepared> {
        let start = Instant::now();
        let length = sql.chars().count();
        if length > self.limits.statement {
            let limit = self.limits.statement;
            let text = format!(
                "the statement has {length} characters, more than the {limit} that Lake takes; raise the limit with --max-statement"
            );
            return Err(Error::new(Kind::QueryTextTooLarge, text));
        }
        let mut parsed = cloudtarn_dialect::parse_with(sql, parameters)?;
        if guard.is_some() {
            if !matches!(parsed.statement, datafusion::sql::sqlparser::ast::Statement::Query(_)) {
                return Err(Error::new(Kind::NotSupported, "only queries run here: SELECT, WITH, VALUES, TABLE"));
            }
        } else if let Some(listing) = introspection::query(&parsed.statement, self.store.as_ref())? {
            parsed = cloudtarn_dialect::parse(&listing)?;
        }
        let mut state = self.state.clone();
        state.mark_start_execution();
        let (plan, event_data_stores) = self.plan(&state, guard.unwrap_or(&Open), &parsed)?;
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)?;
        let schema = named(&plan, &parsed.names);
        let plan = interruptible(state.create_physical_plan(&plan).await?)?;
        Ok(Prepared {
            schema,
            plan,
            context: Arc::new(TaskContext::from(&state)),
            time: self.limits.time,
            start,
            event_data_stores,
        })
    }

    /// The statement's logical plan, before DataFusion's own rules, and the event data stores that it names.
    fn plan(
        &self,
        state: &SessionState,
        guard: &dyn Guard,
        parsed: &Parsed,
    ) -> Result<(LogicalPlan, Vec<EventDataStore>)> {
        match self.plan_over(state, guard, parsed) {
            // Over all columns an error can say which was meant.
            Err(_) if parsed.names_in.is_some() => {
                self.plan_over(state, guard, &Parsed { names_in: None, ..parsed.clone() })
            }
            planned => planned,
        }
    }

    /// The same over tables with the columns that the statement names, if it names all.
    fn plan_over(
        &self,
        state: &SessionState,
        guard: &dyn Guard,
        parsed: &Parsed,
    ) -> Result<(LogicalPlan, Vec<EventDataStore>)> {
        let mut stores = Vec::new();
        let mut plan = |parsed: &Parsed| {
            let provider = Provider::new(state, self.store.as_ref(), guard, parsed, &self.limits);
            let plan = |statement| planning::plan(&provider, Statement::Statement(Box::new(statement)));
            let mut statement = parsed.statement.clone();
            row_star::expand(&mut statement, &plan)?;
            let planned = plan(statement);
            stores = provider.event_data_stores();
            planned
        };
        let mut planned = plan(parsed);
        // `SELECT *, eventname` names a column twice, which only shows once the star is known.
        if let Err(e) = &planned
            && e.to_string().contains("unique expression names")
        {
            planned = plan(&cloudtarn_dialect::with_unique_names(parsed.clone()));
        }
        if let Err(e) = &planned
            && outer_fields::are_missing(e)
        {
            let mut parsed = parsed.clone();
            outer_fields::expand(&mut parsed.statement);
            planned = plan(&parsed);
        }
        let plan = shredded::rewrite(event_json::rewrite(bags::rewrite(planned?)?)?)?;
        let plan = join_fields::rewrite(decorrelate::rewrite(plan, &self.single)?)?;
        Ok((self.coercion.rewrite(plan)?, stores))
    }
}

/// A query that is planned and not yet running. It sees the stores as they were when it was planned.
pub struct Prepared {
    schema: SchemaRef,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    time: Option<Duration>,
    start: Instant,
    event_data_stores: Vec<EventDataStore>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Prepared {
    /// Columns under Lake's names; names may repeat.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The event data stores that the statement names, by id.
    pub fn event_data_stores(&self) -> &[EventDataStore] {
        &self.event_data_stores
    }

    /// Starts it. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// Any [`Kind`] that is known before rows flow.
    pub fn run(self) -> Result<Query> {
        let stream = detached(execute_stream(Arc::clone(&self.plan), self.context)?);
        let deadline = self.time.map(|t| Box::pin(tokio::time::sleep(t)));
        Ok(Query { schema: self.schema, stream, deadline, plan: self.plan, start: self.start, rows: 0 })
    }
}

/// A stream whose work is a task of its own, so that waiting for it can end while a batch is in the making.
fn detached(mut stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStreamBuilder::new(stream.schema(), READY_BATCHES);
    let ready = builder.tx();
    builder.spawn(async move {
        while let Some(batch) = stream.next().await {
            if ready.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    builder.build()
}

/// The plan's columns under the names that Lake gives them.
fn named(plan: &LogicalPlan, names: &[OutputName]) -> SchemaRef {
    let fields = plan.schema().fields();
    let wildcards = names.iter().filter(|n| **n == OutputName::Wildcard).count();
    let first = names.iter().position(|n| *n == OutputName::Wildcard).unwrap_or(names.len());
    let after = if wildcards == 0 { 0 } else { names.iter().rev().take_while(|n| **n != OutputName::Wildcard).count() };
    let name_of = |i: usize, field: &Field| {
        let item = if i < first {
            names.get(i)
        } else if i + after >= fields.len() {
            names.len().checked_sub(fields.len() - i).and_then(|n| names.get(n))
        } else {
            None
        };
        match item {
            Some(OutputName::Written(name)) => name.clone(),
            Some(OutputName::Positional) => format!("_col{i}"),
            _ if names.is_empty() && field.name().starts_with("column") => format!("_col{i}"),
            _ => field.name().split_once(':').map_or_else(|| field.name().clone(), |(n, _)| n.to_owned()),
        }
    };
    let fields: Vec<Field> =
        fields.iter().enumerate().map(|(i, f)| f.as_ref().clone().with_name(name_of(i, f))).collect();
    Arc::new(Schema::new(fields))
}

/// A running query: a stream of batches, none gathered. Dropping it stops the work.
pub struct Query {
    schema: SchemaRef,
    stream: SendableRecordBatchStream,
    deadline: Option<Pin<Box<tokio::time::Sleep>>>,
    plan: Arc<dyn ExecutionPlan>,
    start: Instant,
    rows: u64,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Query {
    /// Columns under Lake's names; names may repeat.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What the query has done so far; final when the stream has ended.
    pub fn statistics(&self) -> Statistics {
        Statistics::of(&self.plan, self.rows, self.start.elapsed())
    }
}

impl Query {
    /// A look at the query from elsewhere while its rows flow.
    pub fn watch(&self) -> Watch {
        Watch { plan: Arc::clone(&self.plan), start: self.start }
    }
}

/// Shows how far a query is.
#[derive(Clone)]
pub struct Watch {
    plan: Arc<dyn ExecutionPlan>,
    start: Instant,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// What the query has read so far; rows of the result are not counted.
    pub fn statistics(&self) -> Statistics {
        Statistics::of(&self.plan, 0, self.start.elapsed())
    }

    /// How many events the query may read at most; `None` where that is not known.
    pub fn events(&self) -> Option<u64> {
        Statistics::events(&self.plan)
    }
}

impl Stream for Query {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(Error::new(Kind::ExceededTimeLimit, "the query exceeded its time limit"))));
        }
        // A defect in an operator ends its query, not the program.
        let polled = catch_unwind(AssertUnwindSafe(|| self.stream.poll_next_unpin(cx)));
        let item = match polled {
            Ok(polled) => std::task::ready!(polled),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().map(String::as_str);
                let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
                let message = format!("an operator panicked: {said}; please report it with the statement");
                return Poll::Ready(Some(Err(Error::new(Kind::Internal, message))));
            }
        };
        if let Some(Ok(batch)) = &item {
            self.rows += batch.num_rows() as u64;
        }
        Poll::Ready(item.map(|batch| batch.map_err(Error::from)))
    }
}
