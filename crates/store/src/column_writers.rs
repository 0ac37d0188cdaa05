//! How the columns of a row group are encoded: text by [`crate::text_column`], all else by the `parquet` crate.

use std::io::Write;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::FieldRef;
use bytes::Bytes;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::ColumnDescPtr;

use crate::text_column::{TextColumnWriter, nesting};

/// Writers of the Parquet columns of an Arrow field: our own for text, the `parquet` crate's for all else.
pub(crate) struct ColumnWriters {
    /// Whose turn it is, in the order of the Parquet columns.
    are_text: Vec<bool>,
    text: Vec<TextColumnWriter>,
    others: Vec<ArrowColumnWriter>,
}

impl ColumnWriters {
    /// Takes what belongs to the field from the columns and from the writers of all columns.
    pub(crate) fn new<'a>(
        field: &FieldRef,
        columns: &mut impl Iterator<Item = &'a ColumnDescPtr>,
        of_arrow: &mut impl Iterator<Item = ArrowColumnWriter>,
        properties: &WriterProperties,
    ) -> Result<Self> {
        let are_text = nesting::are_text(field.data_type());
        let (mut text, mut others) = (Vec::new(), Vec::new());
        for ((is_text, column), other) in are_text.iter().zip(columns).zip(of_arrow) {
            if *is_text {
                text.push(TextColumnWriter::new(Arc::clone(column), properties)?);
            } else {
                others.push(other);
            }
        }
        Ok(Self { are_text, text, others })
    }

    /// Appends an array of the field's type.
    pub(crate) fn write(&mut self, field: &FieldRef, array: &ArrayRef) -> Result<()> {
        nesting::text(field, array).iter().zip(&mut self.text).try_for_each(|(leaf, writer)| writer.write(leaf))?;
        if let Some((field, array)) = nesting::other(field, array)? {
            let leaves = compute_leaves(&field, &array)?;
            leaves.iter().zip(&mut self.others).try_for_each(|(leaf, writer)| writer.write(leaf))?;
        }
        Ok(())
    }

    /// The columns, in the order of the Parquet columns.
    pub(crate) fn close(self) -> Result<Vec<EncodedChunk>> {
        let (mut text, mut others) = (self.text.into_iter(), self.others.into_iter());
        let mut chunks = Vec::with_capacity(self.are_text.len());
        for is_text in self.are_text {
            if is_text {
                let chunk = text.next().map(TextColumnWriter::close).transpose()?;
                chunks.extend(chunk.map(|chunk| EncodedChunk::Text(Box::new(chunk))));
            } else {
                let chunk = others.next().map(ArrowColumnWriter::close).transpose()?;
                chunks.extend(chunk.map(|chunk| EncodedChunk::Other(Box::new(chunk))));
            }
        }
        Ok(chunks)
    }
}

/// A column of a row group, encoded.
pub(crate) enum EncodedChunk {
    Text(Box<(Bytes, ColumnCloseResult)>),
    Other(Box<ArrowColumnChunk>),
}

impl EncodedChunk {
    /// Appends it to a row group whose columns before it are there.
    pub(crate) fn append_to<W: Write + Send>(self, group: &mut SerializedRowGroupWriter<'_, W>) -> Result<()> {
        match self {
            Self::Text(chunk) => group.append_column(&chunk.0, chunk.1),
            Self::Other(chunk) => chunk.append_to_row_group(group),
        }
    }
}
