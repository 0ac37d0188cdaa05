//! Keys of map columns that have a column of their own in data files, so that who asks for one key does not read them all.
//!
//! "Shredding" as Parquet's variant type has it (Apache Parquet, "Variant Shredding"): the map stays whole, and a hidden column
//! holds what it has at the key. The keys are those that AWS's sample queries, published detections and our packs name most.

use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::schema::EventCategory;

/// Map columns of CloudTrail events, and their keys. New ones are added at the end: what a data file has is a beginning of this.
const KEYS: [(&str, &[&str]); 3] = [
    (
        "requestparameters",
        &[
            "bucketName",
            "roleArn",
            "userName",
            "roleName",
            "groupName",
            "groupId",
            "policyArn",
            "instanceId",
            "functionName",
            "keyId",
            "secretId",
            "name",
        ],
    ),
    ("responseelements", &["ConsoleLogin"]),
    ("additionaleventdata", &["MFAUsed", "bytesTransferredIn", "bytesTransferredOut"]),
];

/// A key of a map column that has a hidden column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shredded {
    /// Name of the map column.
    pub map: &'static str,
    /// The key, in its own case.
    pub key: &'static str,
    /// Name of the hidden column, `$requestparameters:bucketName`. It is `varchar`: the first value at the key, NULL if there is none.
    pub name: String,
}

static SHREDDED: LazyLock<Vec<Shredded>> = LazyLock::new(|| {
    let keys = KEYS.iter().flat_map(|(map, keys)| keys.iter().map(move |key| (*map, *key)));
    keys.map(|(map, key)| Shredded { map, key, name: format!("${map}:{key}") }).collect()
});

/// The keys of a category's events, in the order of their columns.
pub fn shredded(category: EventCategory) -> &'static [Shredded] {
    match category {
        EventCategory::CloudTrail => &SHREDDED,
        EventCategory::Insight | EventCategory::ActivityAuditLog => &[],
    }
}

/// What each map has at a key, the first of equal ones: `Utf8View`, a row a map.
///
/// # Errors
/// Arrow's, if `maps` is no map of text.
pub fn values_at(maps: &ArrayRef, key: &str) -> Result<ArrayRef, ArrowError> {
    let other = || ArrowError::SchemaError(format!("{} is no map of text", maps.data_type()));
    let maps: &MapArray = maps.as_map_opt().ok_or_else(other)?;
    let keys = maps.keys().as_string_view_opt().ok_or_else(other)?;
    if maps.keys().is_empty() {
        return Ok(new_null_array(&DataType::Utf8View, maps.len()));
    }
    // Length and first bytes of a key are in its view: few keys are looked at beyond that.
    let first = arrow::array::make_view(key.as_bytes(), 0, 0) as u64;
    let views = keys.views();
    let places: UInt32Array = maps
        .offsets()
        .windows(2)
        .enumerate()
        .map(|(row, ends)| {
            let mut range = ends[0] as usize..ends[1] as usize;
            let at = range.find(|at| views[*at] as u64 == first && keys.value(*at) == key)?;
            maps.is_valid(row).then_some(at as u32)
        })
        .collect();
    take(maps.values(), &places, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Decoder;
    use crate::gather::{self, Chunks, Place};
    use crate::{Chunk, Origin};

    #[test]
    fn columns_have_what_maps_have() {
        let long = "a value that does not fit into a view";
        let records = format!(
            r#"{{"Records":[
            {{"eventVersion":"1.09","eventName":"A","eventID":"1","requestParameters":{{"bucketName":"b","name":"{long}","bucketName":"second"}},"additionalEventData":{{"bytesTransferredOut":12}}}},
            {{"eventVersion":"1.09","eventName":"A","eventID":"2"}},
            {{"eventVersion":"1.09","eventName":"A","eventID":"3","requestParameters":null,"responseElements":{{"ConsoleLogin":null}}}},
            {{"eventVersion":"1.09","eventName":"A","eventID":"4","requestParameters":{{"bucketname":"other","roleArn":"a \"quoted\" role that is long"}},"responseElements":{{"ConsoleLogin":"Success"}}}},
            {{"eventVersion":"1.09","eventName":"A","eventID":"5","requestParameters":{{"bucketName":{{"of":[1, "nested"]}}}},"additionalEventData":{{"bytesTransferredOuter":1,"bytesTransferredIn":0.5}}}}]}}"#
        );
        let mut chunks = Vec::new();
        for _ in 0..2 {
            let mut chunk = Chunk::default();
            let origin = Origin { path: "file:///a".into(), version: "".into() };
            Decoder::default().decode(records.as_bytes(), origin, &mut chunk).unwrap();
            chunks.push(chunk);
        }
        let order: Vec<Place> = (0..10).rev().map(|at| Place { chunk: at % 2, row: at / 2 }).collect();
        let batch = gather::batch(&Chunks::new(chunks), EventCategory::CloudTrail, &order).unwrap();
        let mut values = 0;
        for Shredded { map, key, name } in shredded(EventCategory::CloudTrail) {
            let column = batch.column_by_name(name).unwrap();
            assert_eq!(column, &values_at(batch.column_by_name(map).unwrap(), key).unwrap(), "{name}");
            values += column.len() - column.null_count();
        }
        let text = |name: &str| {
            let column = batch.column_by_name(name).unwrap().as_string_view();
            column.iter().rev().step_by(2).map(|value| value.map(str::to_owned)).collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_owned());
        let buckets = text("$requestparameters:bucketName");
        assert_eq!(buckets, [some("b"), None, None, None, some(r#"{"of":[1,"nested"]}"#)]);
        assert_eq!(text("$requestparameters:name")[0], some(long));
        assert_eq!(text("$additionaleventdata:bytesTransferredOut"), [some("12"), None, None, None, None]);
        assert_eq!(values, 2 * 7);
    }
}
