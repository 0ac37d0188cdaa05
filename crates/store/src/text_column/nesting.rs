//! Text in columns of any type, and what tells where it is missing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use arrow::error::ArrowError;

/// Text of an array, with what it lies in.
#[derive(Debug, Clone)]
pub(crate) struct Leaf<'a> {
    pub(crate) text: &'a StringViewArray,
    pub(crate) nullable: bool,
    /// Which rows of the row types that it lies in are NULL, from the outermost; of those that can be.
    pub(crate) rows: Vec<Option<NullBuffer>>,
    /// The array or map that it lies in.
    pub(crate) list: Option<List<'a>>,
}

/// An array or map. It is in [`Leaf::rows`], and what it lies in.
#[derive(Debug, Clone)]
pub(crate) struct List<'a> {
    pub(crate) nulls: Option<NullBuffer>,
    pub(crate) nullable: bool,
    pub(crate) offsets: &'a OffsetBuffer<i32>,
    /// As [`Leaf::rows`], of those inside of it: which elements are NULL.
    pub(crate) elements: Vec<Option<NullBuffer>>,
}

/// Which of a column's Parquet columns [`text`] gives, in their order.
pub(crate) fn are_text(data_type: &DataType) -> Vec<bool> {
    match data_type {
        DataType::Struct(fields) => fields.iter().flat_map(|field| are_text(field.data_type())).collect(),
        other => vec![is_text(other, true); leaves(other)],
    }
}

/// Number of Parquet columns of an Arrow type.
pub(crate) fn leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        DataType::List(element) | DataType::Map(element, _) => leaves(element.data_type()),
        _ => 1,
    }
}

/// Whether a type other than a row type is text, or a list of nothing but text.
fn is_text(data_type: &DataType, lists: bool) -> bool {
    match data_type {
        DataType::Utf8View => true,
        DataType::List(element) | DataType::Map(element, _) if lists => match element.data_type() {
            DataType::Struct(fields) => fields.iter().all(|field| is_text(field.data_type(), false)),
            other => is_text(other, false),
        },
        _ => false,
    }
}

/// All text of a column.
pub(crate) fn text<'a>(field: &Field, array: &'a ArrayRef) -> Vec<Leaf<'a>> {
    let mut found = Vec::new();
    visit(field, array, Vec::new(), &mut found);
    found
}

fn visit<'a>(field: &Field, array: &'a ArrayRef, mut rows: Vec<Option<NullBuffer>>, found: &mut Vec<Leaf<'a>>) {
    let nullable = field.is_nullable();
    match array.data_type() {
        DataType::Utf8View => found.push(Leaf { text: array.as_string_view(), nullable, rows, list: None }),
        DataType::Struct(fields) => {
            let row = array.as_struct();
            rows.extend(nullable.then(|| row.nulls().cloned()));
            for (field, column) in fields.iter().zip(row.columns()) {
                visit(field, column, rows.clone(), found);
            }
        }
        DataType::List(element) if is_text(array.data_type(), true) => {
            let list = array.as_list::<i32>();
            let (nulls, offsets) = (list.nulls().cloned(), list.offsets());
            let list_of = List { nulls, nullable, offsets, elements: Vec::new() };
            visit_elements(element, list.values(), &rows, &list_of, found);
        }
        DataType::Map(element, _) if is_text(array.data_type(), true) => {
            let map = array.as_map();
            let list_of = List { nulls: map.nulls().cloned(), nullable, offsets: map.offsets(), elements: Vec::new() };
            visit_struct(element, map.entries(), &rows, &list_of, found);
        }
        _ => {}
    }
}

fn visit_elements<'a>(
    element: &Field,
    values: &'a ArrayRef,
    rows: &[Option<NullBuffer>],
    list: &List<'a>,
    found: &mut Vec<Leaf<'a>>,
) {
    match values.as_string_view_opt() {
        Some(text) => {
            let (nullable, rows, list) = (element.is_nullable(), rows.to_vec(), Some(list.clone()));
            found.push(Leaf { text, nullable, rows, list });
        }
        None => visit_struct(element, values.as_struct(), rows, list, found),
    }
}

fn visit_struct<'a>(
    element: &Field,
    values: &'a StructArray,
    rows: &[Option<NullBuffer>],
    list: &List<'a>,
    found: &mut Vec<Leaf<'a>>,
) {
    let elements = element.is_nullable().then(|| values.nulls().cloned()).into_iter().collect();
    let list = List { elements, ..list.clone() };
    for (field, column) in values.fields().iter().zip(values.columns()) {
        visit_elements(field, column, rows, &list, found);
    }
}

/// What of a column is not in [`text`], as a column without the rest; `None` if nothing is left.
///
/// # Errors
/// Arrow's, for an array that has another type than its field.
pub(crate) fn other(field: &FieldRef, array: &ArrayRef) -> Result<Option<(FieldRef, ArrayRef)>, ArrowError> {
    let DataType::Struct(fields) = field.data_type() else {
        return Ok((!is_text(field.data_type(), true)).then(|| (Arc::clone(field), Arc::clone(array))));
    };
    let row = array.as_struct();
    let mut kept: Vec<(FieldRef, ArrayRef)> = Vec::new();
    for (field, column) in fields.iter().zip(row.columns()) {
        kept.extend(other(field, column)?);
    }
    if kept.is_empty() {
        return Ok(None);
    }
    let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = kept.into_iter().unzip();
    let fields = Fields::from(fields);
    let field = field.as_ref().clone().with_data_type(DataType::Struct(fields.clone()));
    let row = StructArray::try_new(fields, columns, row.nulls().cloned())?;
    Ok(Some((Arc::new(field), Arc::new(row))))
}
