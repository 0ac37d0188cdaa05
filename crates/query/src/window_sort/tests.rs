#![allow(clippy::unwrap_used)]

use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;

use super::*;
use crate::test_table::{Row, table};

/// A table of who, when and a number of the row.
fn context(rule: bool, memory: usize, rows: &[Row]) -> SessionContext {
    // One thread, where memory is short: what is handed between threads comes in large pieces.
    let threads = if memory < 1 << 30 { 1 } else { 2 };
    let config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_batch_size(16)
        .with_sort_spill_reservation_bytes(100_000);
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(memory))).build_arc().unwrap();
    let mut state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
    if rule {
        state = state.with_physical_optimizer_rule(Arc::new(WindowSort));
    }
    let context = SessionContext::new_with_state(state.build());
    context.register_table("t", table(rows, rows.len().div_ceil(400).max(7), threads)).unwrap();
    context
}

const STATEMENTS: [&str; 6] = [
    "SELECT n, who, at, row_number() OVER (PARTITION BY who ORDER BY at, n) AS place FROM t",
    "SELECT n, who, at - lag(at) OVER (PARTITION BY who ORDER BY at DESC NULLS LAST, n) AS gap FROM t",
    "SELECT n, rank() OVER (PARTITION BY who ORDER BY at DESC NULLS FIRST) AS place FROM t",
    "SELECT n, sum(at) OVER (PARTITION BY who, n % 3 ORDER BY at NULLS FIRST, n ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS some FROM t",
    "SELECT n, count(*) OVER (PARTITION BY who) AS of_all FROM t",
    "SELECT n, first_value(n) OVER (PARTITION BY upper(who) ORDER BY n DESC) AS last FROM t",
];

fn ask(context: &SessionContext, sql: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sorted = format!("SELECT * FROM ({sql}) ORDER BY n");
        let rows = context.sql(&sorted).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&rows).unwrap().to_string()
    })
}

fn plan(context: &SessionContext, sql: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plan = runtime.block_on(async { context.sql(sql).await.unwrap().create_physical_plan().await.unwrap() });
    datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string()
}

/// What the sort of the window did itself.
fn analyzed(context: &SessionContext, sql: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plan = runtime.block_on(async {
        let rows = context.sql(&format!("EXPLAIN ANALYZE {sql}")).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&rows).unwrap().to_string().replace(' ', "")
    });
    plan.lines().find(|line| line.contains("WindowSortExec")).unwrap().to_owned()
}

fn time() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(prop_oneof![-5..5_i64, Just(i64::MIN), Just(i64::MAX), any::<i32>().prop_map(i64::from)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn windows_give_the_same(
        rows in prop::collection::vec((prop::option::of("[abcä]{0,2}"), time()), 1..120),
    ) {
        let (with, without) = (context(true, 1 << 30, &rows), context(false, 1 << 30, &rows));
        for sql in STATEMENTS {
            // Sums and differences of the extremes overflow.
            if sql.contains("at -") || sql.contains("sum") {
                continue;
            }
            prop_assert_eq!(ask(&with, sql), ask(&without, sql), "{}", sql);
            prop_assert!(plan(&with, sql).contains("WindowSortExec"), "{}", plan(&with, sql));
        }
        let rows: Vec<Row> = rows.into_iter().map(|(who, at)| (who, at.map(|at| at % 1000))).collect();
        let (with, without) = (context(true, 1 << 30, &rows), context(false, 1 << 30, &rows));
        for sql in STATEMENTS {
            prop_assert_eq!(ask(&with, sql), ask(&without, sql), "{}", sql);
        }
    }
}

#[test]
fn where_memory_or_partitions_do_not_allow_it_others_sort() {
    let name =
        |row: usize, names: usize| Some(format!("a name that is long enough for a buffer {}", row * 7919 % names));
    for (memory, count, names) in [(8_000_000, 90_000, 50), (1 << 30, PROBED_ROWS + 1000, usize::MAX)] {
        let rows: Vec<Row> = (0..count).map(|row| (name(row, names), Some((row * 31 % 1009) as i64))).collect();
        let (with, without) = (context(true, memory, &rows), context(false, 1 << 30, &rows));
        let sql = "SELECT sum(place), sum(place * at), min(n) AS n FROM (SELECT at, n, row_number() OVER (PARTITION BY who ORDER BY at, n) AS place FROM t)";
        assert_eq!(ask(&with, sql), ask(&without, sql));
        let analyzed = analyzed(&with, sql);
        assert!(analyzed.contains("output_rows=0,"), "{analyzed}");
    }
    let rows: Vec<Row> = (0..500).map(|row| (name(row, 50), Some(row as i64))).collect();
    let context = context(true, 1 << 30, &rows);
    let analyzed = analyzed(&context, "SELECT row_number() OVER (PARTITION BY who ORDER BY at) FROM t");
    assert!(analyzed.contains("output_rows=500,"), "{analyzed}");
}

#[test]
fn other_windows_keep_their_sort() {
    let rows: Vec<Row> = (0..50).map(|row| (Some("a".to_owned()), Some(row))).collect();
    let context = context(true, 1 << 30, &rows);
    for sql in [
        "SELECT row_number() OVER (PARTITION BY n ORDER BY at) FROM t",
        "SELECT row_number() OVER (PARTITION BY n ORDER BY who) FROM t",
        "SELECT row_number() OVER (ORDER BY who, at) FROM t",
        "SELECT row_number() OVER (PARTITION BY who ORDER BY at::double) FROM t",
    ] {
        let plan = plan(&context, sql);
        assert!(!plan.contains("WindowSortExec"), "{plan}");
    }
}
