//! Lake SQL gives what a plain reading of the raw files gives.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde_json::Value;

use crate::program::{bucket, ingest, records, rows, run, text};

/// The distinct events of a bucket.
fn events(bucket: &Path) -> Vec<Value> {
    let mut seen = HashSet::new();
    let mut events = records(bucket);
    events.retain(|event| seen.insert((event["eventID"].to_string(), event["recipientAccountId"].to_string())));
    events
}

#[test]
fn aggregates_agree_with_the_raw_files() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 6_000);
    let events = events(&from);
    ingest(&from, &store);

    let mut calls: BTreeMap<(String, String), (u64, HashSet<String>)> = BTreeMap::new();
    for event in &events {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let call = calls.entry((text("eventSource"), text("eventName"))).or_default();
        call.0 += 1;
        call.1.extend(event["userIdentity"]["arn"].as_str().map(str::to_owned));
    }
    let expected: Vec<String> = calls.iter().map(|((s, n), (c, p))| format!("{s},{n},{c},{}", p.len())).collect();
    let sql = "SELECT eventSource, eventName, count(*), count(DISTINCT userIdentity.arn) FROM $EDS_ID GROUP BY 1, 2 ORDER BY 1, 2";
    assert_eq!(rows(&store, sql), expected);

    let mut buckets: BTreeMap<String, u64> = BTreeMap::new();
    for event in events.iter().filter(|event| event["eventName"] == "GetObject") {
        *buckets.entry(event["requestParameters"]["bucketName"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(!buckets.is_empty());
    let expected: Vec<String> = buckets.iter().map(|(bucket, count)| format!("{bucket},{count}")).collect();
    let sql = "SELECT element_at(requestParameters, 'bucketName') AS bucket, count(*) FROM $EDS_ID
               WHERE eventName = 'GetObject' GROUP BY element_at(requestParameters, 'bucketName') ORDER BY bucket";
    assert_eq!(rows(&store, sql), expected);

    let day = |event: &Value| event["eventTime"].as_str().unwrap()[..10].to_owned();
    let mut errors: BTreeMap<String, u64> = BTreeMap::new();
    for event in events.iter().filter(|event| event["errorCode"].is_string() && day(event).as_str() >= "2026-03-04") {
        *errors.entry(day(event)).or_default() += 1;
    }
    let expected: Vec<String> = errors.iter().map(|(day, count)| format!("{day} 00:00:00.000,{count}")).collect();
    let sql = "SELECT date_trunc('day', eventTime) AS day, count(*) FROM $EDS_ID
               WHERE errorCode IS NOT NULL AND eventTime >= '2026-03-04 00:00:00' GROUP BY 1 ORDER BY 1";
    assert_eq!(rows(&store, sql), expected);

    let arns: usize = events.iter().filter_map(|event| event["resources"].as_array()).map(Vec::len).sum();
    let sql = "SELECT count(*) FROM $EDS_ID CROSS JOIN UNNEST(resources) AS t (accountid, type, arn, arnprefix)";
    assert_eq!(rows(&store, sql), [arns.to_string()]);
}

/// What the planner makes quick, asked again in words that it does not see through, of many data files and of those merged.
#[test]
fn quick_ways_give_what_slow_ways_give() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 6_000);
    let mut accounts = vec![from];
    for _ in 0..3 {
        let below = accounts.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
        accounts = below.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    }
    assert!(accounts.len() > 2, "{accounts:?}");
    accounts.iter().for_each(|account| drop(ingest(account, &store)));
    let before = quick_ways(&store);
    let ended = run(&["compact", "--store", text(&store)]);
    assert!(ended.err.contains("merged"), "{}", ended.err);
    assert_eq!(quick_ways(&store), before);
}

/// Gives the quick answers.
fn quick_ways(store: &Path) -> Vec<Vec<String>> {
    // Nothing, told by two columns: what is asked of one column is asked of its dictionary, however it is put.
    let nothing = "coalesce(substr(eventName, 1, 0), '')";
    let mut answers = Vec::new();
    let one = |sql: &str| rows(store, sql).remove(0);
    let event = one("SELECT max(eventID) FROM $EDS_ID");
    let key = one("SELECT max(userIdentity.accessKeyId) FROM $EDS_ID");
    let principal = one("SELECT max(userIdentity.arn) FROM $EDS_ID");
    let issuer = one("SELECT max(userIdentity.sessionContext.sessionIssuer.arn) FROM $EDS_ID");
    let resource =
        one("SELECT max(r.arn) FROM $EDS_ID CROSS JOIN UNNEST(resources) AS r (accountid, type, arn, arnprefix)");
    let first = one("SELECT min(eventTime) FROM $EDS_ID");
    let last = one("SELECT max(eventTime) FROM $EDS_ID");
    let unnested = "FROM $EDS_ID CROSS JOIN UNNEST(resources) AS r (accountid, type, arn, arnprefix)";
    let keys = "SELECT userIdentity.accessKeyId AS key FROM $EDS_ID WHERE errorCode IS NOT NULL";
    let some_keys = format!("{keys} AND userIdentity.accessKeyId IS NOT NULL");
    let pairs = [
        (format!("FROM $EDS_ID WHERE eventID = '{event}'"), format!("FROM $EDS_ID WHERE eventID || {nothing} = '{event}'")),
        (
            format!("FROM $EDS_ID WHERE eventID IN ('{event}', 'no') OR userIdentity.accessKeyId = '{key}'"),
            format!("FROM $EDS_ID WHERE eventID || {nothing} = '{event}' OR userIdentity.accessKeyId || {nothing} = '{key}'"),
        ),
        (
            format!("FROM $EDS_ID WHERE userIdentity.arn = '{principal}'"),
            format!("FROM $EDS_ID WHERE userIdentity.arn || {nothing} = '{principal}'"),
        ),
        (
            format!("FROM $EDS_ID WHERE userIdentity.sessionContext.sessionIssuer.arn = '{issuer}'"),
            format!("FROM $EDS_ID WHERE userIdentity.sessionContext.sessionIssuer.arn || {nothing} = '{issuer}'"),
        ),
        (format!("{unnested} WHERE r.arn = '{resource}'"), format!("{unnested} WHERE r.arn || {nothing} = '{resource}'")),
        (
            format!("FROM $EDS_ID WHERE userIdentity.accessKeyId IN ({keys})"),
            format!("FROM $EDS_ID JOIN (SELECT DISTINCT key FROM ({keys})) ON userIdentity.accessKeyId = key"),
        ),
        (
            format!("FROM $EDS_ID WHERE userIdentity.accessKeyId IN ({keys})"),
            format!("FROM $EDS_ID WHERE userIdentity.accessKeyId || {nothing} IN ({keys})"),
        ),
        (
            format!("FROM $EDS_ID WHERE userIdentity.accessKeyId NOT IN ({some_keys})"),
            format!(
                "FROM $EDS_ID LEFT JOIN (SELECT DISTINCT key FROM ({keys})) ON userIdentity.accessKeyId = key
                 WHERE key IS NULL AND userIdentity.accessKeyId IS NOT NULL"
            ),
        ),
        (
            "FROM $EDS_ID WHERE eventName LIKE 'Get%' AND errorCode IS NULL AND readOnly = true".to_owned(),
            format!(
                "FROM $EDS_ID WHERE eventName || coalesce(substr(eventID, 1, 0), '') LIKE 'Get%'
                 AND coalesce(errorCode || {nothing}, 'none') = 'none' AND CASE WHEN eventName <> eventSource THEN readOnly END"
            ),
        ),
        (
            "FROM $EDS_ID WHERE userIdentity.type <> 'IAMUser' AND errorCode IS NOT NULL AND NOT regexp_like(awsRegion, '^us-')".to_owned(),
            format!(
                "FROM $EDS_ID WHERE userIdentity.type || {nothing} <> 'IAMUser' AND coalesce(errorCode || {nothing}, 'none') <> 'none'
                 AND NOT regexp_like(awsRegion || {nothing}, '^us-')"
            ),
        ),
        (
            format!("FROM $EDS_ID WHERE eventTime > '{first}' AND eventTime < '{last}'"),
            format!(
                "FROM $EDS_ID WHERE CAST(eventTime AS varchar) > '{first}' AND CAST(eventTime AS varchar) < '{last}'"
            ),
        ),
        (
            format!("FROM $EDS_ID WHERE eventTime BETWEEN '{first}' AND '{last}'"),
            "FROM $EDS_ID WHERE CAST(eventTime AS varchar) > ''".to_owned(),
        ),
    ];
    for (quick, slow) in pairs {
        let ask = |from: &str| rows(store, &format!("SELECT eventID, eventName {from} ORDER BY 1"));
        let (quick_rows, slow_rows) = (ask(&quick), ask(&slow));
        assert!(!quick_rows.is_empty(), "{quick}");
        assert_eq!(quick_rows, slow_rows, "{quick}\n{slow}");
        answers.push(quick_rows);
    }
    for order in ["eventTime DESC, eventID", "eventTime, eventID", "eventTime DESC, eventName, eventID DESC"] {
        let sorted = format!("SELECT eventTime, eventName, eventID FROM $EDS_ID WHERE readOnly ORDER BY {order}");
        let (quick, slow) = (rows(store, &format!("{sorted} LIMIT 100")), rows(store, &sorted));
        assert_eq!(quick[..], slow[..100], "{order}");
        answers.push(quick);
    }
    // Ties that only the last, less than any text or greater, tells apart.
    for order in ["errorCode NULLS FIRST", "errorCode NULLS LAST", "errorCode DESC NULLS LAST"] {
        let sorted =
            format!("SELECT date_trunc('hour', eventTime) AS hour, errorCode FROM $EDS_ID ORDER BY hour, {order}");
        let plain = format!("SELECT eventTime, errorCode FROM $EDS_ID ORDER BY eventTime DESC, {order}");
        for sql in [sorted, plain] {
            let (quick, slow) = (rows(store, &format!("{sql} LIMIT 100")), rows(store, &sql));
            assert_eq!(quick[..], slow[..100], "{order}");
        }
    }
    let after = |within: &str| {
        format!(
            "SELECT refused.eventID, ok.eventID FROM $EDS_ID AS refused JOIN $EDS_ID AS ok ON ok.userIdentity.arn = refused.userIdentity.arn
             WHERE refused.errorCode IS NOT NULL AND ok.errorCode IS NULL AND {within} ORDER BY 1, 2"
        )
    };
    let quick = rows(
        store,
        &after("ok.eventTime > refused.eventTime AND ok.eventTime <= refused.eventTime + INTERVAL '6' HOUR"),
    );
    let slow = rows(store, &after("date_diff('second', refused.eventTime, ok.eventTime) BETWEEN 1 AND 21600"));
    assert!(!quick.is_empty());
    assert_eq!(quick, slow);
    answers.push(quick);
    let none = format!("SELECT count(*) FROM $EDS_ID WHERE userIdentity.accessKeyId NOT IN ({keys} UNION SELECT NULL)");
    assert_eq!(rows(store, &none), ["0"]);
    let counts = "SELECT count(DISTINCT eventID), count(DISTINCT requestID), count(DISTINCT userAgent), count(DISTINCT errorCode) FROM $EDS_ID";
    let each = ["eventID", "requestID", "userAgent", "errorCode"];
    let each = each.map(|name| {
        one(&format!("SELECT count(*) FROM (SELECT DISTINCT {name} FROM $EDS_ID WHERE {name} IS NOT NULL)"))
    });
    assert_eq!(rows(store, counts), [each.join(",")]);
    answers
}

#[test]
fn joins_compare_what_is_made_of_fields() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 3_000);
    ingest(&from, &store);
    let refused = "(SELECT * FROM $EDS_ID WHERE errorCode IS NOT NULL)";
    let pairs = |on: &str| {
        let from = format!("{refused} AS a JOIN {refused} AS b ON a.eventName = b.eventName AND {on}");
        rows(&store, &format!("SELECT a.eventID, b.eventID FROM {from} ORDER BY 1, 2"))
    };
    let plain = pairs("a.userIdentity.arn = b.userIdentity.arn");
    assert!(plain.len() > 10);
    let made = "lower(a.userIdentity.arn) = lower(b.userIdentity.arn)";
    assert_eq!(pairs(made), plain);
    assert_eq!(
        pairs("a.userIdentity.arn || '' = concat(b.userIdentity.arn, substr(b.userIdentity.type, 1, 0))"),
        plain
    );
    let from = format!("{refused} AS a, {refused} AS b WHERE a.eventName = b.eventName AND {made}");
    assert_eq!(rows(&store, &format!("SELECT a.eventID, b.eventID FROM {from} ORDER BY 1, 2")), plain);
    let one = |sql: String| rows(&store, &sql).remove(0);
    let count = |equal: &str, kind: &str| {
        one(format!(
            "SELECT count(*), count(b.eventID), count(c.eventID) FROM $EDS_ID AS a {kind} JOIN {refused} AS b ON {equal}
             LEFT JOIN {refused} AS c ON c.eventID = a.eventID AND lower(c.userIdentity.type) <> lower(a.userIdentity.arn)"
        ))
    };
    for kind in ["LEFT", "RIGHT", "FULL", "INNER"] {
        let plain = "a.eventID = b.eventID AND a.userIdentity.arn = b.userIdentity.arn";
        assert_eq!(count(&format!("a.eventID = b.eventID AND {made}"), kind), count(plain, kind), "{kind}");
    }
    for not in ["", "NOT"] {
        let among = |equal: &str| {
            one(format!(
                "SELECT count(*) FROM $EDS_ID AS a WHERE {not} EXISTS (SELECT 1 FROM {refused} AS b WHERE {equal})"
            ))
        };
        assert_eq!(among(made), among("a.userIdentity.arn = b.userIdentity.arn"));
    }
}

#[test]
fn twelve_of_the_questions_find_what_is_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    let made = bucket(&from, 6_000);
    ingest(&from, &store);
    let queries = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let find = |name: &str| made.attacks.iter().find(|attack| attack.name == name).unwrap().count;
    // How many rows a query gives; one a group where it groups.
    let expected: BTreeMap<&str, Option<u64>> = BTreeMap::from([
        ("access/denied-by-principal", None),
        ("console/root-sign-in-without-mfa", Some(find("root sign-in without MFA"))),
        ("console/sign-in-failures", Some(1)),
        ("defence-evasion/trail-tampering", Some(find("trail stopped"))),
        ("cross-account/roles-assumed-across-accounts", None),
        ("network/port-opened-to-the-world", Some(find("port 22 opened to the world"))),
        ("exfiltration/bucket-opened-to-everyone", Some(find("bucket opened to everyone"))),
        ("exfiltration/secrets-read-in-a-burst", Some(1)),
        ("exfiltration/snapshot-shared", Some(find("snapshot shared with a stranger"))),
        ("operations/busiest-calls", Some(10)),
        ("persistence/access-key-for-another-user", Some(find("access key for another user"))),
        ("privilege-escalation/administrator-policy-attached", Some(find("administrator policy attached"))),
    ]);
    for (name, count) in expected {
        let file = queries.join(name).with_extension("sql");
        let ended = run(&["query", "--file", text(&file), "--store", text(&store), "--output", "ndjson"]);
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.err);
        if let Some(count) = count {
            assert_eq!(ended.out.lines().count() as u64, count, "{name}\n{}", ended.out);
        }
    }
}

#[test]
fn event_data_stores_go_by_id_arn_name_and_placeholder() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 500);
    ingest(&from, &store);
    let stores = run(&["stores", "--json", "--store", text(&store)]);
    let stores: Vec<Value> = stores.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |key: &str| stores[0][key].as_str().unwrap().to_owned();
    let expected = rows(&store, "SELECT count(*) FROM $EDS_ID");
    for name in [of("id"), format!("\"{}\"", of("id")), of("arn"), of("name"), "DEFAULT".to_owned()] {
        assert_eq!(rows(&store, &format!("SELECT count(*) FROM {name}")), expected, "{name}");
    }
}
