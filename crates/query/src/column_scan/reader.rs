//! What a scan gives of a column: values, lists of them, or maps, which are two lists beside each other.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StructArray};
use arrow::datatypes::{DataType, FieldRef, Fields};
use cloudtarn_functions::types::array_of;
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescPtr;

use super::column::{ChunkOf, Column, has_type};

/// Reads a column of a row group from its first row to its last.
pub(super) enum Reader {
    Values(Box<Column>),
    Map(Box<MapReader>),
}

/// The keys and the values of a map.
pub(super) struct MapReader {
    keys: Column,
    values: Column,
    entries: FieldRef,
    fields: Fields,
}

/// The field of a map's entries, and those in it; `None` for what is no map, or one whose entries are in order.
fn entries(data_type: &DataType) -> Option<(&FieldRef, &Fields)> {
    match data_type {
        DataType::Map(entries, false) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => Some((entries, fields)),
            _ => None,
        },
        _ => None,
    }
}

/// The path of a map's keys below that of the map, if it is one of text to text.
pub(super) fn keys_of(data_type: &DataType) -> Option<[String; 2]> {
    let (entries, fields) = entries(data_type)?;
    let are_texts = fields.iter().all(|field| *field.data_type() == DataType::Utf8View);
    are_texts.then(|| [entries.name().clone(), fields[0].name().clone()])
}

/// How many of a file's columns those are, from this one on, that make up a column of a type; `None` where they are of others.
pub(super) fn columns_of(columns: &[ColumnDescPtr], index: usize, data_type: &DataType) -> Option<usize> {
    let Some((_, fields)) = entries(data_type) else {
        return has_type(columns.get(index)?, data_type).then_some(1);
    };
    let parts = columns.get(index..index + fields.len())?;
    let map = |at: usize| parts[at].path().parts().split_last().map(|(_, map)| map);
    let fits = parts.iter().zip(fields).all(|(column, field)| {
        has_type(column, &array_of(field.data_type().clone())) && column.path().parts().last() == Some(field.name())
    });
    (fits && map(0) == map(1)).then_some(fields.len())
}

impl Reader {
    /// Of a column that begins with this one of the file's; `chunk` gives what a row group has of a column.
    ///
    /// # Errors
    /// Where a chunk cannot be read.
    pub(super) fn open<'a>(data_type: &DataType, index: usize, chunk: impl Fn(usize) -> ChunkOf<'a>) -> Result<Self> {
        let Some((entries, fields)) = entries(data_type) else {
            return Ok(Self::Values(Box::new(Column::open(&chunk(index), data_type)?)));
        };
        let part = |part: usize| Column::open(&chunk(index + part), &array_of(fields[part].data_type().clone()));
        Ok(Self::Map(Box::new(MapReader {
            keys: part(0)?,
            values: part(1)?,
            entries: Arc::clone(entries),
            fields: fields.clone(),
        })))
    }

    /// The values of some rows, which are in ascending order and none before those of earlier calls.
    ///
    /// # Errors
    /// Where the file is damaged.
    pub(super) fn read(&mut self, rows: &[Range<usize>]) -> Result<ArrayRef> {
        match self {
            Self::Values(column) => column.read(rows),
            Self::Map(map) => map.read(rows),
        }
    }
}

impl MapReader {
    fn read(&mut self, rows: &[Range<usize>]) -> Result<ArrayRef> {
        let (keys, values) = (self.keys.read(rows)?, self.values.read(rows)?);
        let (keys, values) = (keys.as_list::<i32>(), values.as_list::<i32>());
        if keys.offsets() != values.offsets() || keys.nulls() != values.nulls() {
            return Err(ParquetError::General("a map has other keys than values".to_owned()));
        }
        let columns = vec![Arc::clone(keys.values()), Arc::clone(values.values())];
        let pairs = StructArray::try_new(self.fields.clone(), columns, None)?;
        let (offsets, nulls) = (keys.offsets().clone(), keys.nulls().cloned());
        Ok(Arc::new(MapArray::try_new(Arc::clone(&self.entries), offsets, pairs, nulls, false)?))
    }
}
