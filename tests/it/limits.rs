//! What a query may use, and how it ends when it wants more.

use std::sync::Arc;
use std::time::Duration;

use cloudtarn_query::{Limits, Session};
use futures::StreamExt;

use crate::program::{bucket, ingest, run, text};

/// Endless work without a table.
const ENDLESS: &str = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x) CROSS JOIN UNNEST(sequence(1, 10000)) b(y) CROSS JOIN UNNEST(sequence(1, 10000)) c(z) WHERE regexp_like(cast(x + y + z AS varchar), '(a+)+b')";

#[test]
fn a_query_ends_with_its_time() {
    let ended = run(&["query", "--timeout", "1", ENDLESS]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("EXCEEDED_TIME_LIMIT"), "{}", ended.err);
    // One call that takes longer than the limit.
    let long = "SELECT reduce(sequence(1, 10000), 0, (s, x) -> s + x * y, s -> s) FROM UNNEST(sequence(1, 2000)) t(y) CROSS JOIN UNNEST(sequence(1, 1000)) u(z)";
    let ended = run(&["query", "--timeout", "1", long]);
    assert!(ended.err.contains("EXCEEDED_TIME_LIMIT"), "{}", ended.err);
}

#[test]
fn sorting_more_than_memory_spills_and_gathering_more_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 20_000);
    ingest(&from, &store);
    let sorted =
        "SELECT count(*), count(DISTINCT id) FROM (SELECT eventID id, rank() OVER (ORDER BY eventJson) r FROM $EDS_ID)";
    let ended = run(&["query", "--memory", "24", "--output", "csv", "--store", text(&store), sorted]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.out, "_col0,_col1\n20000,20000\n");
    let gathered = "SELECT cardinality(array_agg(eventJson)) FROM $EDS_ID CROSS JOIN UNNEST(sequence(1, 20)) t(n)";
    let ended = run(&["query", "--memory", "24", "--store", text(&store), gathered]);
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    assert!(ended.err.contains("EXCEEDED_MEMORY_LIMIT"), "{}", ended.err);
}

/// A dropped query leaves no task behind.
#[test]
fn a_dropped_query_stops() {
    let threads = crate::slt::threads();
    threads.block_on(async {
        let session = Arc::new(Session::new(None, Limits { threads: 2, ..Limits::default() }).unwrap());
        let idle = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let mut query = session.query(ENDLESS).await.unwrap();
        let first = tokio::time::timeout(Duration::from_millis(500), query.next()).await;
        assert!(first.is_err(), "the query ended before it could be cancelled: {first:?}");
        let metrics = tokio::runtime::Handle::current().metrics();
        assert!(metrics.num_alive_tasks() > idle, "the query runs in no task");
        drop(query);
        for _ in 0..600 {
            if metrics.num_alive_tasks() <= idle {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{} tasks still run a minute later", metrics.num_alive_tasks() - idle);
    });
}
