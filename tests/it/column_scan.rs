//! What scans of plain columns give, against the log files' own records: conditions, sorts that keep few rows, LIMIT, UNNEST.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::program::{bucket, ingest, records, run, text};

struct Event {
    time: String,
    id: String,
    name: String,
    source: String,
    error: Option<String>,
    arn: Option<String>,
    read_only: Option<bool>,
}

fn events(records: &[Value]) -> Vec<Event> {
    let of = |value: &Value| value.as_str().map(str::to_owned);
    let event = |record: &Value| {
        let id = of(&record["eventID"]).unwrap();
        let event = Event {
            time: of(&record["eventTime"]).unwrap().replace('T', " ").replace('Z', ".000"),
            id: id.clone(),
            name: of(&record["eventName"]).unwrap(),
            source: of(&record["eventSource"]).unwrap(),
            error: of(&record["errorCode"]),
            arn: of(&record["userIdentity"]["arn"]),
            read_only: record["readOnly"].as_bool(),
        };
        (id, event)
    };
    // Records that were delivered twice are one event.
    records.iter().map(event).collect::<BTreeMap<_, _>>().into_values().collect()
}

type Condition = (&'static str, fn(&Event) -> bool);

const CONDITIONS: [Condition; 7] = [
    ("true", |_| true),
    ("errorCode IS NOT NULL", |event| event.error.is_some()),
    ("errorCode IS NULL AND readOnly = false", |event| event.error.is_none() && event.read_only == Some(false)),
    ("userIdentity.arn LIKE '%a%' AND eventID < '8'", |event| {
        event.arn.as_ref().is_some_and(|arn| arn.contains('a')) && event.id.as_str() < "8"
    }),
    ("eventName LIKE 'Get%' OR eventSource = 'ec2.amazonaws.com'", |event| {
        event.name.starts_with("Get") || event.source == "ec2.amazonaws.com"
    }),
    ("eventID LIKE '%7%' AND eventName <> 'GetObject'", |event| event.id.contains('7') && event.name != "GetObject"),
    ("eventName = 'no such call'", |_| false),
];

#[test]
fn scans_give_what_the_records_say() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 6_000);
    ingest(&from, &store);
    let events = events(&records(&from));
    assert!(events.iter().any(|event| event.error.is_some()));
    let ask = |sql: &str| -> Vec<Value> {
        let ended = run(&["query", sql, "--store", text(&store), "--output", "ndjson"]);
        assert_eq!(ended.code, Some(0), "{sql}\n{}", ended.err);
        ended.out.lines().map(|row| serde_json::from_str(row).unwrap()).collect()
    };
    let ids = |rows: &[Value]| -> Vec<String> {
        rows.iter().map(|row| row["eventID"].as_str().unwrap().to_owned()).collect()
    };
    for (condition, holds) in CONDITIONS {
        let wanted: Vec<&Event> = events.iter().filter(|event| holds(event)).collect();
        let all: BTreeSet<String> = wanted.iter().map(|event| event.id.clone()).collect();
        assert!(!all.is_empty() || condition.contains("no such"), "{condition}");
        let found = ask(&format!("SELECT eventID FROM $EDS_ID WHERE {condition}"));
        assert_eq!(found.len(), all.len(), "{condition}");
        assert_eq!(ids(&found).into_iter().collect::<BTreeSet<_>>(), all, "{condition}");

        let mut sorted = wanted.clone();
        sorted.sort_by(|a, b| (&a.time, &a.id).cmp(&(&b.time, &b.id)));
        let first: Vec<_> = sorted.iter().take(20).map(|event| event.id.clone()).collect();
        let sql =
            format!("SELECT eventID, eventName FROM $EDS_ID WHERE {condition} ORDER BY eventTime, eventID LIMIT 20");
        assert_eq!(ids(&ask(&sql)), first, "{sql}");
        sorted.sort_by(|a, b| (&b.time, &a.id).cmp(&(&a.time, &b.id)));
        for (select, rows) in
            [("eventTime, eventID", 1), ("eventID, errorCode", 20), ("eventID, userIdentity.arn, eventSource", 3000)]
        {
            let last: Vec<_> = sorted.iter().take(rows).map(|event| event.id.clone()).collect();
            let sql =
                format!("SELECT {select} FROM $EDS_ID WHERE {condition} ORDER BY eventTime DESC, eventID LIMIT {rows}");
            assert_eq!(ids(&ask(&sql)), last, "{sql}");
        }
        let sql = format!(
            "SELECT t.id AS eventID FROM (SELECT eventTime AS moment, eventID AS id FROM $EDS_ID WHERE {condition}) t ORDER BY moment DESC, id LIMIT 5"
        );
        assert_eq!(ids(&ask(&sql)), sorted.iter().take(5).map(|event| event.id.clone()).collect::<Vec<_>>(), "{sql}");

        // Of few rows whole columns are read where they stand; DataFusion reads them all.
        let select = "eventID, requestParameters, resources, userIdentity, eventJson, eventTime";
        let key = |row: &Value| row["eventID"].as_str().unwrap().to_owned();
        let whole = ask(&format!("SELECT {select} FROM $EDS_ID WHERE {condition}"));
        let whole: BTreeMap<String, Value> = whole.into_iter().map(|row| (key(&row), row)).collect();
        for (order, rows) in
            [("ORDER BY eventTime DESC, eventID", 7), ("ORDER BY eventTime DESC, eventID", 900), ("", 30)]
        {
            let sql = format!("SELECT {select} FROM $EDS_ID WHERE {condition} {order} LIMIT {rows}");
            let found = ask(&sql);
            assert_eq!(found.len(), all.len().min(rows), "{sql}");
            assert!(found.iter().all(|row| whole[&key(row)] == *row), "{sql}");
            if !order.is_empty() {
                assert_eq!(
                    ids(&found),
                    sorted.iter().take(rows).map(|event| event.id.clone()).collect::<Vec<_>>(),
                    "{sql}"
                );
            }
        }

        let some: BTreeSet<_> =
            ids(&ask(&format!("SELECT eventID FROM $EDS_ID WHERE {condition} LIMIT 50"))).into_iter().collect();
        assert_eq!(some.len(), all.len().min(50), "{condition}");
        assert!(some.is_subset(&all), "{condition}");

        let mut counts: BTreeMap<(String, Option<String>), i64> = BTreeMap::new();
        wanted.iter().for_each(|event| *counts.entry((event.name.clone(), event.arn.clone())).or_default() += 1);
        let counted = ask(&format!(
            "SELECT eventName, userIdentity.arn AS arn, count(*) AS calls FROM $EDS_ID WHERE {condition} GROUP BY 1, 2"
        ));
        let counted: BTreeMap<_, _> = counted
            .iter()
            .map(|row| {
                let key = (row["eventName"].as_str().unwrap().to_owned(), row["arn"].as_str().map(str::to_owned));
                (key, row["calls"].as_i64().unwrap())
            })
            .collect();
        assert_eq!(counted, counts, "{condition}");
    }
}

#[test]
fn elements_are_those_of_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 6_000);
    ingest(&from, &store);
    let records: BTreeMap<String, Value> =
        records(&from).into_iter().map(|record| (record["eventID"].as_str().unwrap().to_owned(), record)).collect();
    let ask = |sql: &str| -> Vec<Vec<Value>> {
        let ended = run(&["query", sql, "--store", text(&store), "--output", "ndjson"]);
        assert_eq!(ended.code, Some(0), "{sql}\n{}", ended.err);
        let row = |row: &str| serde_json::from_str::<serde_json::Map<_, _>>(row).unwrap().into_values().collect();
        let mut rows: Vec<Vec<Value>> = ended.out.lines().map(row).collect();
        rows.sort_by_key(|row| format!("{row:?}"));
        rows
    };
    let sorted = |mut rows: Vec<Vec<Value>>| {
        assert!(!rows.is_empty());
        rows.sort_by_key(|row| format!("{row:?}"));
        rows
    };
    let of = |name: &'static str, source: &'static str| {
        let records = records.iter().filter(move |(_, record)| source.is_empty() || record["eventSource"] == *source);
        records.map(move |(id, record)| (Value::from(id.as_str()), &record[name]))
    };
    let fields = |event: &(Value, &Value)| -> Vec<(Value, String, Value)> {
        let fields = event.1.as_object().into_iter().flatten();
        fields.map(|(key, value)| (event.0.clone(), key.clone(), value.clone())).collect()
    };
    for (condition, source) in [("", ""), (" WHERE eventSource = 's3.amazonaws.com'", "s3.amazonaws.com")] {
        for name in ["requestParameters", "responseElements"] {
            let all: Vec<_> = of(name, source).flat_map(|event| fields(&event)).collect();
            let keys = sorted(all.iter().map(|(id, key, _)| vec![id.clone(), key.as_str().into()]).collect());
            let sql = format!("SELECT eventID, k FROM $EDS_ID CROSS JOIN UNNEST({name}) AS p (k, v){condition}");
            assert_eq!(ask(&sql), keys, "{sql}");
            let sql = format!("SELECT eventID, k FROM $EDS_ID CROSS JOIN UNNEST(map_keys({name})) AS p (k){condition}");
            assert_eq!(ask(&sql), keys, "{sql}");
            let sql = format!("SELECT count(*) AS n, sum(cardinality({name})) AS m FROM $EDS_ID{condition}");
            assert_eq!(ask(&sql), [[Value::from(of(name, source).count()), Value::from(keys.len())]], "{sql}");
            let texts = all.iter().filter(|(_, _, value)| value.is_string());
            let texts = texts.map(|(id, key, value)| vec![id.clone(), key.as_str().into(), value.clone()]);
            let texts: BTreeSet<String> = texts.map(|row| format!("{row:?}")).collect();
            let sql = format!("SELECT eventID, k, v FROM $EDS_ID CROSS JOIN UNNEST({name}) AS p (k, v){condition}");
            let found = ask(&sql);
            assert_eq!(found.len(), keys.len(), "{sql}");
            let found: BTreeSet<String> = found.iter().map(|row| format!("{row:?}")).collect();
            assert!(texts.is_subset(&found), "{sql}");
        }
        let all: Vec<_> = of("resources", source)
            .flat_map(|(id, rows)| {
                let rows = rows.as_array().into_iter().flatten();
                rows.map(|row| (id.clone(), row["type"].clone(), row["ARN"].clone())).collect::<Vec<_>>()
            })
            .collect();
        let from = "FROM $EDS_ID CROSS JOIN UNNEST(resources) AS r (accountId, type, arn, arnPrefix)";
        let rows = sorted(all.iter().map(|(id, kind, arn)| vec![id.clone(), kind.clone(), arn.clone()]).collect());
        assert_eq!(ask(&format!("SELECT eventID, r.type, r.arn {from}{condition}")), rows);
        let arn = all.iter().find_map(|(_, _, arn)| arn.as_str()).unwrap();
        let and = if condition.is_empty() { " WHERE" } else { " AND" };
        let one = sorted(
            all.iter().filter(|(_, _, of)| of == arn).map(|(id, kind, _)| vec![id.clone(), kind.clone()]).collect(),
        );
        for sql in [
            format!("SELECT eventID, r.type {from}{condition}{and} r.arn = '{arn}'"),
            format!("SELECT eventID, r.type {from}{condition}{and} r.arn LIKE '{arn}'"),
        ] {
            assert_eq!(ask(&sql), one, "{sql}");
        }
    }
}
