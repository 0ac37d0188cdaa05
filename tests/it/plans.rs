//! What a query reads: plans show the constants that prune files, and which columns are read.

use crate::program::{bucket, ingest, run, text};

fn plan(store: &std::path::Path, sql: &str) -> String {
    let ended = run(&["query", &format!("EXPLAIN {sql}"), "--store", text(store), "--output", "ndjson"]);
    assert_eq!(ended.code, Some(0), "{sql}\n{}", ended.err);
    let physical = ended.out.lines().last().unwrap();
    // Paths and the number of threads differ between machines.
    let plan = physical.split("\"plan\":\"").nth(1).unwrap().replace("\\n", "\n").replace("\\\"", "\"");
    let mut lines = Vec::new();
    for line in
        plan.lines().filter(|l| l.contains("DataSourceExec") || l.contains("EmptyExec") || l.contains("FilterExec"))
    {
        let line = line.trim();
        let scan = line.find("projection=[").filter(|_| line.starts_with("DataSourceExec"));
        let cut = scan.map_or(line.to_owned(), |at| format!("DataSourceExec: {}", &line[at..]));
        let cut =
            cut.replace(", required_guarantees=[]", "").replace(", file_type=parquet, predicate=", "\n  predicate=");
        lines.push(cut.replace(", pruning_predicate=", "\n  pruning="));
    }
    lines.join("\n")
}

#[test]
fn times_are_compared_with_constants() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 2_000);
    ingest(&from, &store);
    let mut settings = insta::Settings::clone_current();
    // Milliseconds from late 2026 on.
    settings.add_filter(r"\b(179|1[89]\d)\d{10}\b", "[now]");
    settings.set_omit_expression(true);
    settings.bind(|| {
        // Text in any form is a constant of the column's own type.
        insta::assert_snapshot!(
            plan(&store, "SELECT eventID FROM $EDS_ID WHERE eventTime >= '2026-03-03T02:00:00+02:00' AND eventTime < '2026-03-04'"),
            @r"
DataSourceExec: projection=[eventid]
  predicate=eventtime@2 >= 1772496000000 AND eventtime@2 < 1772582400000
  pruning=eventtime_null_count@1 != row_count@2 AND eventtime_max@0 >= 1772496000000 AND eventtime_null_count@1 != row_count@2 AND eventtime_min@3 < 1772582400000
"
        );
        // A time with a zone is brought to it, not the column to the zone.
        insta::assert_snapshot!(
            plan(&store, "SELECT eventID FROM $EDS_ID WHERE eventTime < date_add('day', -1, now())"),
            @r"
DataSourceExec: projection=[eventid]
  predicate=eventtime@2 < [now]
  pruning=eventtime_null_count@1 != row_count@2 AND eventtime_min@0 < [now]
"
        );
        insta::assert_snapshot!(
            plan(&store, "SELECT eventID FROM $EDS_ID WHERE eventTime BETWEEN timestamp '2026-03-03 00:00:00' AND from_iso8601_timestamp('2026-03-03T12:00:00Z')"),
            @r"
DataSourceExec: projection=[eventid]
  predicate=eventtime@2 >= 1772496000000 AND eventtime@2 <= 1772539200000
  pruning=eventtime_null_count@1 != row_count@2 AND eventtime_max@0 >= 1772496000000 AND eventtime_null_count@1 != row_count@2 AND eventtime_min@3 <= 1772539200000
"
        );
        // A field of a struct is read without the rest of it.
        insta::assert_snapshot!(
            plan(&store, "SELECT userIdentity.arn FROM $EDS_ID WHERE userIdentity.type = 'Root'"),
            @r"
DataSourceExec: projection=[get_field(useridentity@1, arn) as arn]
  predicate=get_field(useridentity@1, type) = Root
"
        );
        // Files whose times exclude every row are not opened.
        insta::assert_snapshot!(plan(&store, "SELECT eventID FROM $EDS_ID WHERE eventTime > '2099-01-01'"), @r"
FilterExec: eventtime@0 > 4070908800000, projection=[eventid@1]
EmptyExec
");
    });
}
