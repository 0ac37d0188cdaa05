//! Row groups that cannot hold what is sought: an event id, an access key, an address, the ARN of a caller or of a resource.
//!
//! Data files have Bloom filters of such columns ([`cloudtarn_store`]). DataFusion asks those of top-level columns, anew from
//! disk for each query, after it has opened the file. Here the filters stay in memory, those of fields of rows and of
//! elements of arrays are asked too, and files that none of them speaks for are not opened.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use cloudtarn_store::BLOOM_FILTERED;
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ParquetMetaData;

use crate::data_file::footer;
use crate::element_filter::ELEMENT_HAS;

/// What Parquet calls the elements of an array that comes from Arrow.
const ELEMENT: &str = "item";
/// Bytes of filters that are kept.
const KEPT: usize = 256 << 20;

/// Files that are worth more threads than one.
const MANY: usize = 32;

/// What a row must have, as far as filters of columns can tell.
#[derive(Debug, PartialEq)]
enum Sought {
    All(Vec<Self>),
    Any(Vec<Self>),
    /// One of these values in the Parquet column of that path.
    Value(String, Vec<String>),
    Unknown,
}

impl Sought {
    fn of(filter: &Expr) -> Self {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                Self::All(vec![Self::of(left), Self::of(right)])
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                Self::Any(vec![Self::of(left), Self::of(right)])
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (path(left), text(right)) {
                (Some(path), Some(value)) => Self::value(path, vec![value]),
                _ => Self::Unknown,
            },
            Expr::InList(list) if !list.negated => {
                match (path(&list.expr), list.list.iter().map(text).collect::<Option<Vec<_>>>()) {
                    (Some(path), Some(values)) => Self::value(path, values),
                    _ => Self::Unknown,
                }
            }
            Expr::ScalarFunction(call) if call.name() == ELEMENT_HAS => match call.args.as_slice() {
                [list, field, value] => match (path(list), text(field), text(value)) {
                    (Some(list), Some(field), Some(value)) => {
                        Self::value(format!("{list}.list.{ELEMENT}.{field}"), vec![value])
                    }
                    _ => Self::Unknown,
                },
                _ => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }

    /// Columns without filters tell nothing, and files need not be opened for them.
    fn value(path: String, values: Vec<String>) -> Self {
        if BLOOM_FILTERED.contains(&path.as_str()) { Self::Value(path, values) } else { Self::Unknown }
    }

    fn is_known(&self) -> bool {
        match self {
            Self::All(parts) => parts.iter().any(Self::is_known),
            Self::Any(parts) => parts.iter().all(Self::is_known),
            Self::Value(..) => true,
            Self::Unknown => false,
        }
    }
}

/// The Parquet column that an expression reads.
fn path(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Column(column) => Some(column.name.clone()),
        Expr::ScalarFunction(call) if call.name() == "get_field" => {
            let (of, fields) = call.args.split_first()?;
            fields.iter().try_fold(path(of)?, |path, field| Some(format!("{path}.{}", text(field)?)))
        }
        _ => None,
    }
}

fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Literal(
            ScalarValue::Utf8View(Some(text)) | ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)),
            _,
        ) => Some(text.clone()),
        _ => None,
    }
}

/// The filters of a session's data files.
#[derive(Debug, Default)]
pub(crate) struct Blooms {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By file, row group and column; `None` where the file has none.
    filters: HashMap<(String, usize, usize), Option<Arc<Sbbf>>>,
    bytes: usize,
}

impl Blooms {
    /// Of the files those that may hold rows for which all the filters are true, with the row groups that may.
    ///
    /// # Errors
    /// For files that cannot be read.
    pub(crate) fn prune(
        &self,
        files: Vec<PartitionedFile>,
        filters: &[Expr],
        footers: &FileMetadataCache,
        threads: usize,
    ) -> Result<Vec<PartitionedFile>> {
        let sought = Sought::All(filters.iter().map(Sought::of).collect());
        if !sought.is_known() || files.is_empty() {
            return Ok(files);
        }
        // Of few files the filters are asked sooner than threads are made.
        let threads = if files.len() < MANY { 1 } else { threads.max(1) };
        let share = files.len().div_ceil(threads);
        let pruned: Result<Vec<_>> = std::thread::scope(|scope| {
            let sought = &sought;
            let prune = |files: &[PartitionedFile]| -> Result<Vec<_>> {
                files.iter().filter_map(|file| self.file(file, sought, footers).transpose()).collect()
            };
            let workers: Vec<_> = files.chunks(share).skip(1).map(|files| scope.spawn(move || prune(files))).collect();
            let mut pruned = prune(&files[..share])?;
            for worker in workers {
                pruned.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok(pruned)
        });
        pruned
    }

    fn file(
        &self,
        file: &PartitionedFile,
        sought: &Sought,
        footers: &FileMetadataCache,
    ) -> Result<Option<PartitionedFile>> {
        let footer = footer(file, footers)?;
        let mut reader = Reader { blooms: self, file, footer: &footer, open: None };
        let mut plan = ParquetAccessPlan::new_all(footer.num_row_groups());
        for group in 0..footer.num_row_groups() {
            if !reader.may_hold(group, sought)? {
                plan.skip(group);
            }
        }
        Ok((0..plan.len()).any(|group| plan.should_scan(group)).then(|| file.clone().with_extension(plan)))
    }
}

/// Reads one file's filters.
struct Reader<'a> {
    blooms: &'a Blooms,
    file: &'a PartitionedFile,
    footer: &'a ParquetMetaData,
    open: Option<File>,
}

impl Reader<'_> {
    fn may_hold(&mut self, group: usize, sought: &Sought) -> Result<bool> {
        Ok(match sought {
            Sought::All(parts) => {
                for part in parts {
                    if !self.may_hold(group, part)? {
                        return Ok(false);
                    }
                }
                true
            }
            Sought::Any(parts) => {
                for part in parts {
                    if self.may_hold(group, part)? {
                        return Ok(true);
                    }
                }
                false
            }
            Sought::Value(path, values) => match self.filter(group, path)? {
                Some(filter) => values.iter().any(|value| filter.check(value.as_str())),
                None => true,
            },
            Sought::Unknown => true,
        })
    }

    fn filter(&mut self, group: usize, path: &str) -> Result<Option<Arc<Sbbf>>> {
        let columns = self.footer.file_metadata().schema_descr().columns();
        let Some(column) = columns.iter().position(|column| column.path().string() == path) else { return Ok(None) };
        let chunk = self.footer.row_group(group).column(column);
        if chunk.bloom_filter_offset().is_none() {
            return Ok(None);
        }
        let key = (self.file.object_meta.location.to_string(), group, column);
        if let Some(known) = self.blooms.kept.lock().unwrap_or_else(PoisonError::into_inner).filters.get(&key) {
            return Ok(known.clone());
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => crate::data_file::open(self.file)?,
        };
        let filter = Sbbf::read_from_column_chunk(chunk, &open)?.map(Arc::new);
        self.open = Some(open);
        let mut kept = self.blooms.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = chunk.bloom_filter_length().map_or(0, |length| length.max(0) as usize);
        if kept.bytes + bytes > KEPT {
            *kept = Kept::default();
        }
        kept.bytes += bytes;
        kept.filters.insert(key, filter.clone());
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::functions::core::expr_fn::get_field;
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn what_is_sought_is_read_from_filters() {
        let key = || get_field(col("useridentity"), "accesskeyid").eq(lit("AKIA"));
        let value = |path: &str, values: &[&str]| {
            Sought::Value(path.to_owned(), values.iter().map(ToString::to_string).collect())
        };
        assert_eq!(Sought::of(&key()), value("useridentity.accesskeyid", &["AKIA"]));
        let ids = col("eventid").in_list(vec![lit("a"), lit("b")], false);
        assert_eq!(Sought::of(&ids), value("eventid", &["a", "b"]));
        assert!(Sought::of(&key().or(ids.clone())).is_known());
        assert!(Sought::of(&key().and(col("x").gt(lit(1)))).is_known());
        assert!(!Sought::of(&col("eventname").eq(lit("GetObject"))).is_known());
        for unknown in
            [key().or(col("x").gt(lit(1))), key().is_null(), !key(), col("a").eq(col("b")), col("n").eq(lit(1))]
        {
            assert!(!Sought::of(&unknown).is_known(), "{unknown}");
        }
        assert!(!Sought::of(&col("eventid").in_list(vec![lit("a")], true)).is_known());
    }
}
