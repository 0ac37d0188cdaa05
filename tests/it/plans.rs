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
        lines.push(cut.replace(", pruning_predicate=", "\n  pruning=").replace(", dictionaries=", "\n  dictionaries="));
    }
    lines.join("\n")
}

/// A store of a small bucket.
fn store(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 2_000);
    ingest(&from, &store);
    store
}

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    // Milliseconds from 2026 on that no event of the bucket has.
    settings.add_filter(r"\b1(77[5-9]|7[89]\d|[89]\d\d)\d{9}\b", "[now]");
    // Which column of the table it is, whose columns depend on the statement.
    settings.add_filter(r"@\d+", "");
    settings.set_omit_expression(true);
    settings
}

#[test]
fn names_sources_accounts_and_regions_prune() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    settings().bind(|| {
        insta::assert_snapshot!(plan(&store, "SELECT eventID FROM $EDS_ID WHERE eventName = 'GetObject' AND eventSource = 's3.amazonaws.com'"), @r"
DataSourceExec: projection=[eventid]
  predicate=eventname = GetObject AND eventsource = s3.amazonaws.com
  pruning=eventname_null_count != row_count AND eventname_min <= GetObject AND GetObject <= eventname_max AND eventsource_null_count != row_count AND eventsource_min <= s3.amazonaws.com AND s3.amazonaws.com <= eventsource_max, required_guarantees=[eventname in (GetObject), eventsource in (s3.amazonaws.com)]
  dictionaries=[eventname, eventsource]
");
        insta::assert_snapshot!(plan(&store, "SELECT eventID FROM $EDS_ID WHERE recipientAccountId = '111122223333' AND awsRegion IN ('us-east-1', 'eu-west-1')"), @r"
DataSourceExec: projection=[eventid]
  predicate=recipientaccountid = 111122223333 AND (awsregion = us-east-1 OR awsregion = eu-west-1)
  pruning=recipientaccountid_null_count != row_count AND recipientaccountid_min <= 111122223333 AND 111122223333 <= recipientaccountid_max AND (awsregion_null_count != row_count AND awsregion_min <= us-east-1 AND us-east-1 <= awsregion_max OR awsregion_null_count != row_count AND awsregion_min <= eu-west-1 AND eu-west-1 <= awsregion_max), required_guarantees=[awsregion in (eu-west-1, us-east-1), recipientaccountid in (111122223333)]
  dictionaries=[recipientaccountid, awsregion]
");
        insta::assert_snapshot!(plan(&store, "SELECT eventID FROM $EDS_ID WHERE eventName LIKE 'Delete%'"), @r"
DataSourceExec: projection=[eventid]
  predicate=eventname LIKE Delete%
  pruning=eventname_null_count != row_count AND eventname_min <= Deletf AND Delete <= eventname_max
  dictionaries=[eventname]
");
        insta::assert_snapshot!(plan(&store, "SELECT eventID FROM $EDS_ID WHERE json_extract_scalar(eventJson, '$.eventName') = 'GetObject'"), @r"
DataSourceExec: projection=[eventid]
  predicate=eventname = GetObject
  pruning=eventname_null_count != row_count AND eventname_min <= GetObject AND GetObject <= eventname_max, required_guarantees=[eventname in (GetObject)]
  dictionaries=[eventname]
");
    });
}

#[test]
fn every_form_of_a_last_week_prunes() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    settings().bind(|| {
        for since in [
            "date_add('week', -1, current_timestamp)",
            "current_timestamp - interval '7' day",
            "now() - interval '168' hour",
            "date_format(date_add('day', -7, now()), '%Y-%m-%d %H:%i:%s')",
            "current_date - interval '7' day",
            "date_trunc('day', now())",
            "from_unixtime(to_unixtime(now()) - 604800)",
        ] {
            // The bucket is from long ago: which side of the bound each file is on is known, and no event needs to be asked.
            let before = plan(&store, &format!("SELECT eventID FROM $EDS_ID WHERE eventTime <= {since}"));
            assert_eq!(before, "DataSourceExec: projection=[eventid], file_type=parquet", "{since}");
            let after = plan(&store, &format!("SELECT eventID FROM $EDS_ID WHERE eventTime > {since}"));
            assert_eq!(after, "EmptyExec", "{since}");
        }
    });
}

#[test]
fn only_the_columns_that_are_asked_for_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    settings().bind(|| {
        insta::assert_snapshot!(plan(&store, "SELECT t.arn FROM $EDS_ID CROSS JOIN UNNEST(resources) AS t(account, type, arn, prefix)"), @r"
DataSourceExec: projection=[$element_field(resources, arn) as $unnest0:arn], file_type=parquet
");
        insta::assert_snapshot!(plan(&store, "SELECT p.k FROM $EDS_ID CROSS JOIN UNNEST(requestParameters) AS p (k, v)"), @r"
DataSourceExec: projection=[map_keys(requestparameters) as $unnest0:key], file_type=parquet
");
        insta::assert_snapshot!(plan(&store, "SELECT element_at(requestParameters, 'bucketName'), count(*) FROM $EDS_ID GROUP BY 1"), @r"
DataSourceExec: projection=[$requestparameters:bucketName], file_type=parquet
");
        insta::assert_snapshot!(plan(&store, "SELECT json_extract_scalar(element_at(responseElements, 'accessKey'), '$.accessKeyId') FROM $EDS_ID WHERE eventName = 'CreateAccessKey'"), @r"
DataSourceExec: projection=[eventname, responseelements]
  predicate=eventname = CreateAccessKey
  pruning=eventname_null_count != row_count AND eventname_min <= CreateAccessKey AND CreateAccessKey <= eventname_max, required_guarantees=[eventname in (CreateAccessKey)]
  dictionaries=[eventname]
");
        insta::assert_snapshot!(plan(&store, "SELECT json_extract_scalar(eventJson, '$.eventSource'), json_extract_scalar(eventJson, '$.userIdentity.arn') FROM $EDS_ID"), @r"
DataSourceExec: projection=[eventsource as _col0, get_field(useridentity, arn) as _col1], file_type=parquet
");
        insta::assert_snapshot!(plan(&store, "SELECT json_extract_scalar(eventJson, '$.requestParameters.bucketName') FROM $EDS_ID"), @r"
DataSourceExec: projection=[$map_text($requestparameters:bucketName, bucketName) as _col0], file_type=parquet
");
        insta::assert_snapshot!(plan(&store, "SELECT json_extract_scalar(eventJson, '$.responseElements.instancesSet.items[0].instanceId') FROM $EDS_ID"), @r#"
DataSourceExec: projection=[json_extract_scalar($map_nested(responseelements, instancesSet), $["items"]["0"]["instanceId"]) as _col0], file_type=parquet
"#);
        insta::assert_snapshot!(plan(&store, "SELECT json_extract_scalar(t.eventJson, '$.requestParameters.key') FROM (SELECT eventJson, requestParameters FROM $EDS_ID WHERE eventName = 'GetObject') AS t"), @r"
DataSourceExec: projection=[requestparameters]
  predicate=eventname = GetObject
  pruning=eventname_null_count != row_count AND eventname_min <= GetObject AND GetObject <= eventname_max, required_guarantees=[eventname in (GetObject)]
  dictionaries=[eventname]
");
        // A column of that name that is another one.
        insta::assert_snapshot!(plan(&store, "SELECT json_extract_scalar(eventJson, '$.requestParameters.key') FROM (SELECT userAgent AS eventJson, requestParameters FROM $EDS_ID) AS t"), @r"
DataSourceExec: projection=[json_extract_scalar(useragent, $.requestParameters.key) as _col0], file_type=parquet
");
        // A window sorts what it is given: the field, not the row that it is in.
        insta::assert_snapshot!(plan(&store, "SELECT arn, eventName FROM (SELECT userIdentity.arn, eventName, row_number() OVER (PARTITION BY userIdentity.arn ORDER BY eventTime) AS n FROM $EDS_ID) WHERE n = 1"), @r"
FilterExec: row_number() PARTITION BY [$eds_id.useridentity[arn]] ORDER BY [$eds_id.eventtime ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW = 1, projection=[__datafusion_extracted_1, eventname]
DataSourceExec: projection=[eventtime, eventname, get_field(useridentity, arn) as __datafusion_extracted_2], file_type=parquet
");
        // What is sought in elements of arrays is demanded of the events.
        insta::assert_snapshot!(plan(&store, "SELECT eventID FROM $EDS_ID CROSS JOIN UNNEST(resources) AS t(account, type, arn, prefix) WHERE t.type = 'AWS::S3::Bucket'"), @r"
FilterExec: $unnest0:type = AWS::S3::Bucket, projection=[eventid]
DataSourceExec: projection=[$element_field(resources, type) as $unnest0:type, eventid]
  predicate=$element_has(resources, type, AWS::S3::Bucket)
");
        // Answered from the catalogue's counts.
        assert_eq!(plan(&store, "SELECT count(*) FROM $EDS_ID"), "");
    });
}

#[test]
fn times_are_compared_with_constants() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    settings().bind(|| {
        // Text in any form is a constant of the column's own type.
        insta::assert_snapshot!(
            plan(&store, "SELECT eventID FROM $EDS_ID WHERE eventTime >= '2026-03-03T02:00:00+02:00' AND eventTime < '2026-03-04'"),
            @r"
DataSourceExec: projection=[eventid]
  predicate=eventtime >= 1772496000000 AND eventtime < 1772582400000
  pruning=eventtime_null_count != row_count AND eventtime_max >= 1772496000000 AND eventtime_null_count != row_count AND eventtime_min < 1772582400000
"
        );
        // A time with a zone is brought to it, not the column to the zone.
        insta::assert_snapshot!(
            plan(&store, "SELECT eventID FROM $EDS_ID WHERE eventTime < timestamp '2026-03-04 02:00:00 +02:00'"),
            @r"
DataSourceExec: projection=[eventid]
  predicate=eventtime < 1772582400000
  pruning=eventtime_null_count != row_count AND eventtime_min < 1772582400000
"
        );
        insta::assert_snapshot!(
            plan(&store, "SELECT eventID FROM $EDS_ID WHERE eventTime BETWEEN timestamp '2026-03-03 00:00:00' AND from_iso8601_timestamp('2026-03-03T12:00:00Z')"),
            @r"
DataSourceExec: projection=[eventid]
  predicate=eventtime >= 1772496000000 AND eventtime <= 1772539200000
  pruning=eventtime_null_count != row_count AND eventtime_max >= 1772496000000 AND eventtime_null_count != row_count AND eventtime_min <= 1772539200000
"
        );
        // A field of a struct is read without the rest of it.
        insta::assert_snapshot!(
            plan(&store, "SELECT userIdentity.arn FROM $EDS_ID WHERE userIdentity.type = 'Root'"),
            @r"
DataSourceExec: projection=[get_field(useridentity, arn) as arn]
  predicate=get_field(useridentity, type) = Root
  dictionaries=[useridentity.type]
"
        );
        // Files whose times exclude every row are not opened.
        insta::assert_snapshot!(plan(&store, "SELECT eventID FROM $EDS_ID WHERE eventTime > '2099-01-01'"), @"EmptyExec");
    });
}

#[test]
fn what_breaks_ties_is_not_read_to_leave_rows_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let filter = |order: &str| {
        let sql = format!("EXPLAIN ANALYZE SELECT eventName FROM $EDS_ID ORDER BY {order} LIMIT 5");
        let plan = crate::program::rows(&store, &sql).join("\n");
        let filter = plan.split("DynamicFilter [ ").nth(1).unwrap_or_else(|| panic!("{plan}"));
        filter.split(" ], ").next().unwrap().to_owned()
    };
    let of_time = filter("eventTime DESC, eventID");
    assert!(of_time.starts_with("eventtime@") && !of_time.contains("eventid"), "{of_time}");
    for order in ["eventTime DESC, eventID DESC", "eventName, eventID", "eventID"] {
        let of_both = filter(order);
        assert!(of_both.contains("eventid"), "{of_both}");
    }
}
