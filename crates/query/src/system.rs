//! The store about itself: `cloudtarn.log_files`, `cloudtarn.digests`, `cloudtarn.coverage` and their like.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, StringViewBuilder, TimestampMillisecondBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use cloudtarn_record::EventCategory;
use cloudtarn_store::{Cell, ColumnKind, Store, SystemTable};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;

/// The schema that the tables are in.
pub(crate) const SCHEMA: &str = "cloudtarn";
/// The table that is a query over others.
pub(crate) const COVERAGE: &str = "coverage";
/// Its columns, for `DESCRIBE`.
const COVERAGE_COLUMNS: [(&str, ColumnKind); 8] = [
    ("account", ColumnKind::Text),
    ("region", ColumnKind::Text),
    ("hour", ColumnKind::Timestamp),
    ("state", ColumnKind::Text),
    ("digests", ColumnKind::Integer),
    ("log_files", ColumnKind::Integer),
    ("events", ColumnKind::Integer),
    ("reason", ColumnKind::Text),
];
/// Rows of a batch.
const BATCH: usize = 4096;

/// The tables that have names of their own.
const TABLES: [(&str, SystemTable); 5] = [
    ("log_files", SystemTable::LogFiles),
    ("digests", SystemTable::Digests),
    ("hours", SystemTable::Hours),
    ("duplicates", SystemTable::Duplicates),
    ("errors", SystemTable::Errors),
];

/// The names of all tables.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().map(|(name, _)| name).chain([COVERAGE])
}

/// The table of a name in [`SCHEMA`].
pub(crate) fn of_name(name: &str) -> Option<SystemTable> {
    TABLES.into_iter().find(|(known, _)| *known == name).map(|(_, table)| table)
}

/// Whether its rows have what a verification found.
pub(crate) fn has_verdicts(table: SystemTable) -> bool {
    matches!(table, SystemTable::LogFiles | SystemTable::Digests | SystemTable::Hours)
}

/// The schema of a table; `None` if there is none of that name.
pub(crate) fn schema(name: &str) -> Option<SchemaRef> {
    let columns = match of_name(name) {
        Some(table) => table.columns(),
        None if name == COVERAGE => &COVERAGE_COLUMNS,
        None => return None,
    };
    let fields = columns.iter().map(|(name, kind)| {
        let data_type = match kind {
            ColumnKind::Text => DataType::Utf8View,
            ColumnKind::Integer => DataType::Int64,
            ColumnKind::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
        };
        Field::new(*name, data_type, true)
    });
    Some(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// Each hour of each account and region: what proves it, and the events of that hour in all event data stores.
pub(crate) fn coverage(store: &Store) -> cloudtarn_store::Result<String> {
    let stores = store.event_data_stores()?;
    let events = stores.iter().filter(|store| store.category == EventCategory::CloudTrail).map(|store| {
        format!(
            "SELECT recipientaccountid AS account, awsregion AS region, date_trunc('hour', eventtime) AS hour FROM \"{}\"",
            store.id
        )
    });
    let events = events.collect::<Vec<_>>().join(" UNION ALL ");
    Ok(format!(
        "SELECT coalesce(h.account, e.account) AS account, coalesce(h.region, e.region) AS region,
                coalesce(h.hour, e.hour) AS hour, coalesce(h.state, 'unproven') AS state,
                coalesce(h.digests, 0) AS digests, coalesce(h.log_files, 0) AS log_files,
                coalesce(e.events, 0) AS events,
                CASE WHEN h.hour IS NULL THEN 'neither digest nor log file' ELSE h.reason END AS reason
         FROM {SCHEMA}.hours AS h
         FULL JOIN (SELECT account, region, hour, count(*) AS events FROM ({events}) AS each GROUP BY 1, 2, 3) AS e
         ON h.account = e.account AND h.region = e.region AND h.hour = e.hour"
    ))
}

/// A table that is read row by row as it is asked for.
pub(crate) fn table(store: &Store, name: &str, table: SystemTable) -> Result<StreamingTable> {
    let schema = schema(name).unwrap_or_else(|| Arc::new(Schema::empty()));
    let rows = Rows { root: store.root().to_path_buf(), table, schema: Arc::clone(&schema) };
    StreamingTable::try_new(schema, vec![Arc::new(rows)])
}

#[derive(Debug)]
struct Rows {
    root: PathBuf,
    table: SystemTable,
    schema: SchemaRef,
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), 2);
        let (send, root, table, schema) = (builder.tx(), self.root.clone(), self.table, Arc::clone(&self.schema));
        builder.spawn_blocking(move || {
            let failed = |error: cloudtarn_store::Error| exec_datafusion_err!("STORE_ERROR: {error}");
            let store = Store::open(&root).map_err(failed)?;
            let mut columns = Columns::new(table);
            let mut rows = 0;
            let mut sent = Ok(());
            store
                .scan(table, |cells| {
                    columns.push(cells);
                    rows += 1;
                    if rows < BATCH {
                        return ControlFlow::Continue(());
                    }
                    rows = 0;
                    match columns.batch(&schema) {
                        Ok(batch) => match send.blocking_send(Ok(batch)) {
                            Ok(()) => ControlFlow::Continue(()),
                            // Nobody receives any more: the query is over.
                            Err(_) => ControlFlow::Break(()),
                        },
                        Err(error) => {
                            sent = Err(error);
                            ControlFlow::Break(())
                        }
                    }
                })
                .map_err(failed)?;
            sent?;
            if rows > 0 {
                let _ = send.blocking_send(columns.batch(&schema));
            }
            Ok(())
        });
        builder.build()
    }
}

/// Columns that rows are collected in.
struct Columns(Vec<Builder>);

enum Builder {
    Text(StringViewBuilder),
    Integer(Int64Builder),
    Timestamp(TimestampMillisecondBuilder),
}

impl Columns {
    fn new(table: SystemTable) -> Self {
        let builder = |(_, kind): &(&str, ColumnKind)| match kind {
            ColumnKind::Text => Builder::Text(StringViewBuilder::new()),
            ColumnKind::Integer => Builder::Integer(Int64Builder::new()),
            ColumnKind::Timestamp => Builder::Timestamp(TimestampMillisecondBuilder::new()),
        };
        Self(table.columns().iter().map(builder).collect())
    }

    fn push(&mut self, cells: Vec<Cell>) {
        for (builder, cell) in self.0.iter_mut().zip(cells) {
            match (builder, cell) {
                (Builder::Text(builder), Cell::Text(text)) => builder.append_value(text),
                (Builder::Integer(builder), Cell::Integer(number)) => builder.append_value(number),
                (Builder::Timestamp(builder), Cell::Integer(time)) => builder.append_value(time),
                (Builder::Text(builder), _) => builder.append_null(),
                (Builder::Integer(builder), _) => builder.append_null(),
                (Builder::Timestamp(builder), _) => builder.append_null(),
            }
        }
    }

    fn batch(&mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let columns = self.0.iter_mut().map(|builder| -> ArrayRef {
            match builder {
                Builder::Text(builder) => Arc::new(builder.finish()),
                Builder::Integer(builder) => Arc::new(builder.finish()),
                Builder::Timestamp(builder) => Arc::new(builder.finish()),
            }
        });
        Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
    }
}
