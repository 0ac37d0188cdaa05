//! Keys of maps that have columns of their own give what the maps give, in files from before there were such columns too.
//!
//! The planner sees a key that is written, and none that is put together.

use std::fs::File;
use std::path::Path;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::program::{bucket, ingest, rows};

const BUCKET: &str = "$requestparameters:bucketName";
const ROLE: &str = "$requestparameters:roleArn";

/// Questions that name their keys as `{key}`, and the columns that their plans read in place of maps.
const QUESTIONS: [(&str, &[&str]); 12] = [
    ("SELECT element_at(requestParameters, {bucketName}), count(*) FROM $EDS_ID GROUP BY 1", &[BUCKET]),
    (
        "SELECT eventID, element_at(additionalEventData, {bytesTransferredOut}) FROM $EDS_ID
         WHERE element_at(additionalEventData, {bytesTransferredOut}) > '5'",
        &["$additionaleventdata:bytesTransferredOut"],
    ),
    ("SELECT eventID FROM $EDS_ID WHERE element_at(requestParameters, {bucketName}) IS NOT NULL AND readOnly", &[BUCKET]),
    (
        "SELECT eventID, requestParameters FROM $EDS_ID
         WHERE coalesce(element_at(requestParameters, {roleArn}), element_at(requestParameters, {name})) LIKE '%a%'",
        &[ROLE, "$requestparameters:name"],
    ),
    (
        "WITH assumed AS (SELECT * FROM $EDS_ID WHERE eventName = 'AssumeRole')
         SELECT a.eventID, element_at(b.requestParameters, {roleArn}) FROM assumed AS a JOIN assumed AS b ON a.eventID = b.eventID",
        &[ROLE],
    ),
    (
        "SELECT a.eventID, b.eventID FROM $EDS_ID AS a JOIN $EDS_ID AS b
         ON element_at(a.requestParameters, {roleArn}) = element_at(b.requestParameters, {roleArn})
         AND a.eventName = b.eventName AND element_at(b.requestParameters, {bucketName}) IS NULL AND a.eventID < b.eventID",
        &[BUCKET, ROLE],
    ),
    (
        "SELECT eventID, row_number() OVER (PARTITION BY element_at(requestParameters, {bucketName}) ORDER BY eventTime, eventID)
         FROM $EDS_ID WHERE element_at(requestParameters, {bucketName}) <> ''",
        &[BUCKET],
    ),
    (
        "SELECT eventID FROM $EDS_ID WHERE element_at(requestParameters, {bucketName}) IN
         (SELECT max(element_at(e.requestParameters, {bucketName})) FROM $EDS_ID AS e GROUP BY e.awsRegion)",
        &[BUCKET],
    ),
    (
        "SELECT e.eventID, r.arn FROM $EDS_ID AS e CROSS JOIN UNNEST(e.resources) AS r (account, type, arn, prefix)
         WHERE element_at(e.requestParameters, {bucketName}) IS NOT NULL",
        &[BUCKET],
    ),
    (
        "SELECT DISTINCT role FROM (SELECT element_at(requestParameters, {roleArn}) AS role, eventTime FROM $EDS_ID
         ORDER BY eventTime LIMIT 5000) WHERE role IS NOT NULL",
        &[ROLE],
    ),
    (
        "SELECT eventID FROM (SELECT eventID, additionalEventData AS requestParameters FROM $EDS_ID)
         WHERE element_at(requestParameters, {bytesTransferredOut}) IS NOT NULL",
        &[],
    ),
    (
        "SELECT eventID FROM $EDS_ID WHERE element_at(responseElements, {ConsoleLogin}) = 'Success'
         UNION ALL SELECT eventID FROM $EDS_ID WHERE element_at(additionalEventData, {MFAUsed}) = 'No'",
        &["$responseelements:ConsoleLogin", "$additionaleventdata:MFAUsed"],
    ),
];

fn written(question: &str) -> String {
    question.replace(['{', '}'], "'")
}

fn put_together(question: &str) -> String {
    question.replace('{', "('' || '").replace('}', "')")
}

/// Makes a store's largest data file one from before keys had columns.
fn without_columns(store: &Path) {
    let catalogue = rusqlite::Connection::open(store.join("catalog.db")).unwrap();
    let path: String = catalogue
        .query_one("SELECT path FROM data_file WHERE last IS NULL ORDER BY rows DESC LIMIT 1", [], |row| row.get(0))
        .unwrap();
    let listed = path.clone();
    let path = store.join(path);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    let shown = reader.schema().fields().iter().take_while(|field| !field.name().contains(':')).count();
    assert!(shown < reader.schema().fields().len());
    let batches: Vec<_> =
        reader.build().unwrap().map(|batch| batch.unwrap().project(&(0..shown).collect::<Vec<_>>()).unwrap()).collect();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batches[0].schema(), None).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
    let bytes = path.metadata().unwrap().len() as i64;
    // No statistics, and no bytes, of so many columns.
    catalogue
        .execute("UPDATE data_file SET bytes = ?, columns = ? WHERE path = ?", (bytes, vec![0; 2 * shown], listed))
        .unwrap();
}

#[test]
fn columns_give_what_maps_give() {
    let folder = tempfile::tempdir().unwrap();
    let (from, store) = (folder.path().join("bucket"), folder.path().join("store"));
    bucket(&from, 4_000);
    ingest(&from, &store);
    assert!(rows(&store, "SELECT * FROM $EDS_ID LIMIT 1").len() == 1);
    let ask = |sql: &str| {
        let mut found = rows(&store, sql);
        found.sort_unstable();
        found
    };
    let mut answers = Vec::new();
    for (question, columns) in QUESTIONS {
        let sql = written(question);
        let plan = rows(&store, &format!("EXPLAIN {sql}")).join("\n");
        for column in columns {
            assert!(plan.contains(column), "{sql}\n{plan}");
        }
        if columns.is_empty() {
            assert!(!plan.contains(BUCKET), "{sql}\n{plan}");
        }
        let found = ask(&sql);
        assert!(!found.is_empty(), "{sql}");
        assert_eq!(found, ask(&put_together(question)), "{sql}");
        answers.push(found);
    }
    without_columns(&store);
    for ((question, _), found) in QUESTIONS.iter().zip(answers) {
        let sql = written(question);
        assert!(!rows(&store, &format!("EXPLAIN {sql}")).join("\n").contains("parameters:"), "{sql}");
        assert_eq!(ask(&sql), found, "{sql}");
    }
}
