//! Trino's error kinds, and what DataFusion's errors become.

use std::fmt;

use arrow::error::ArrowError;
use cloudtarn_dialect::Position;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

macro_rules! kinds {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// Trino's name for the class of an error.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $(#[doc = $doc] $variant,)* }
        impl Kind {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// The name that Trino prints: `COLUMN_NOT_FOUND`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    SyntaxError "SYNTAX_ERROR" "The text is not in the grammar.",
    NotSupported "NOT_SUPPORTED" "Known to Trino, not run here.",
    ColumnNotFound "COLUMN_NOT_FOUND" "No such column or field.",
    TableNotFound "TABLE_NOT_FOUND" "No such event data store.",
    FunctionNotFound "FUNCTION_NOT_FOUND" "No such function, or none that takes these types.",
    TypeMismatch "TYPE_MISMATCH" "An operator or clause does not take this type.",
    TypeNotFound "TYPE_NOT_FOUND" "No such type.",
    OperatorNotFound "OPERATOR_NOT_FOUND" "A type lacks the operator.",
    AmbiguousName "AMBIGUOUS_NAME" "A name stands for several columns.",
    DuplicateNamedQuery "DUPLICATE_NAMED_QUERY" "Two WITH queries of one name.",
    ExpressionNotAggregate "EXPRESSION_NOT_AGGREGATE" "A column is neither grouped nor aggregated.",
    ExpressionNotInDistinct "EXPRESSION_NOT_IN_DISTINCT" "ORDER BY of a DISTINCT query names what it does not select.",
    MissingOrderBy "MISSING_ORDER_BY" "A window frame needs an order.",
    InvalidWindowFrame "INVALID_WINDOW_FRAME" "A window frame that cannot be.",
    InvalidLiteral "INVALID_LITERAL" "A literal that its type does not read.",
    InvalidArguments "INVALID_ARGUMENTS" "Arguments that do not go together.",
    UnsupportedSubquery "UNSUPPORTED_SUBQUERY" "A subquery of a form that is not supported.",
    MismatchedColumnAliases "MISMATCHED_COLUMN_ALIASES" "More or fewer column aliases than columns.",
    NestedAggregation "NESTED_AGGREGATION" "An aggregate inside an aggregate.",
    DivisionByZero "DIVISION_BY_ZERO" "Division by zero.",
    NumericValueOutOfRange "NUMERIC_VALUE_OUT_OF_RANGE" "A number outside its type's range.",
    InvalidFunctionArgument "INVALID_FUNCTION_ARGUMENT" "A function refuses a value.",
    InvalidCastArgument "INVALID_CAST_ARGUMENT" "A value cannot be cast.",
    SubqueryMultipleRows "SUBQUERY_MULTIPLE_ROWS" "A scalar subquery gave several rows.",
    JsonInputConversionError "JSON_INPUT_CONVERSION_ERROR" "A value is not JSON.",
    JsonOutputConversionError "JSON_OUTPUT_CONVERSION_ERROR" "A JSON result does not fit its type.",
    JsonValueResultError "JSON_VALUE_RESULT_ERROR" "JSON_VALUE found no scalar.",
    PathEvaluationError "PATH_EVALUATION_ERROR" "A JSON path failed.",
    InvalidPath "INVALID_PATH" "A JSON path that cannot be read.",
    QueryTextTooLarge "QUERY_TEXT_TOO_LARGE" "The statement is longer than the limit.",
    InvalidParameterUsage "INVALID_PARAMETER_USAGE" "More or fewer parameters than the statement has.",
    ExceededFunctionMemoryLimit "EXCEEDED_FUNCTION_MEMORY_LIMIT" "A function's result is too large.",
    ExceededTimeLimit "EXCEEDED_TIME_LIMIT" "The query ran out of time.",
    ExceededMemoryLimit "EXCEEDED_MEMORY_LIMIT" "The query ran out of memory.",
    Unreadable "STORE_ERROR" "The store cannot be read.",
    Internal "GENERIC_INTERNAL_ERROR" "A defect of this program.",
}

/// Why a query did not run, or stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {}{message}", position.map(|p| format!("{p}: ")).unwrap_or_default())]
pub struct Error {
    /// Class of error.
    pub kind: Kind,
    /// Where in the statement, when known.
    pub position: Option<Position>,
    /// What was wrong, and what would be right.
    pub message: String,
}

/// The result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, position: None, message: message.into() }
    }
}

impl From<cloudtarn_dialect::Error> for Error {
    fn from(e: cloudtarn_dialect::Error) -> Self {
        let kind = match e.kind {
            cloudtarn_dialect::Kind::SyntaxError => Kind::SyntaxError,
            cloudtarn_dialect::Kind::NotSupported => Kind::NotSupported,
            cloudtarn_dialect::Kind::InvalidLiteral => Kind::InvalidLiteral,
            cloudtarn_dialect::Kind::AmbiguousName => Kind::AmbiguousName,
            cloudtarn_dialect::Kind::MissingOrderBy => Kind::MissingOrderBy,
            cloudtarn_dialect::Kind::InvalidParameterUsage => Kind::InvalidParameterUsage,
        };
        Self { kind, position: e.position, message: e.message }
    }
}

impl From<cloudtarn_store::Error> for Error {
    fn from(e: cloudtarn_store::Error) -> Self {
        let kind = match e {
            cloudtarn_store::Error::EventDataStoreNotFound { .. } => Kind::TableNotFound,
            _ => Kind::Unreadable,
        };
        Self::new(kind, e.to_string())
    }
}

impl From<ArrowError> for Error {
    fn from(e: ArrowError) -> Self {
        Self::from(&e)
    }
}

impl From<&ArrowError> for Error {
    fn from(e: &ArrowError) -> Self {
        if let Some(own) = prefixed(&e.to_string()) {
            return own;
        }
        match e {
            ArrowError::DivideByZero => Self::new(Kind::DivisionByZero, "Division by zero"),
            ArrowError::ArithmeticOverflow(m) => Self::new(Kind::NumericValueOutOfRange, m.clone()),
            ArrowError::CastError(m) | ArrowError::ParseError(m) => Self::new(Kind::InvalidCastArgument, m.clone()),
            ArrowError::ExternalError(inner) => inner
                .downcast_ref::<DataFusionError>()
                .map_or_else(|| Self::new(Kind::Internal, inner.to_string()), Self::from),
            other => Self::new(Kind::Internal, other.to_string()),
        }
    }
}

impl From<DataFusionError> for Error {
    fn from(e: DataFusionError) -> Self {
        Self::from(&e)
    }
}

impl From<&DataFusionError> for Error {
    fn from(e: &DataFusionError) -> Self {
        match e {
            DataFusionError::Diagnostic(diagnostic, inner) => {
                let mut error = Self::from(&**inner);
                error.position =
                    error.position.or(diagnostic.span.map(|s| Position { line: s.start.line, column: s.start.column }));
                error
            }
            DataFusionError::Context(_, inner) => Self::from(&**inner),
            DataFusionError::Shared(inner) => Self::from(&**inner),
            DataFusionError::Collection(all) => {
                all.first().map_or_else(|| Self::new(Kind::Internal, "no error"), Self::from)
            }
            DataFusionError::ArrowError(inner, _) => Self::from(&**inner),
            DataFusionError::SchemaError(inner, _) => schema(inner),
            DataFusionError::External(inner) => {
                match (inner.downcast_ref::<DataFusionError>(), inner.downcast_ref::<Self>()) {
                    (Some(inner), _) => Self::from(inner),
                    (_, Some(own)) => own.clone(),
                    _ => message(&inner.to_string(), Kind::Internal),
                }
            }
            DataFusionError::NotImplemented(m) => message(m, Kind::NotSupported),
            DataFusionError::ResourcesExhausted(m) => message(m, Kind::ExceededMemoryLimit),
            DataFusionError::Plan(m) => message(m, Kind::TypeMismatch),
            DataFusionError::Execution(m) => message(m, Kind::InvalidFunctionArgument),
            DataFusionError::ObjectStore(inner) => Self::new(Kind::Unreadable, inner.to_string()),
            DataFusionError::ParquetError(inner) => Self::new(Kind::Unreadable, inner.to_string()),
            other => message(&other.to_string(), Kind::Internal),
        }
    }
}

/// `KIND: message`, as functions write their errors.
fn prefixed(text: &str) -> Option<Error> {
    let start = text.find(|c: char| c.is_ascii_uppercase())?;
    let mut rest = &text[start..];
    // Layers put their own words in front ("Execution error: "), so every word of capitals is tried.
    loop {
        let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        if let (Some(kind), Some(message)) = (Kind::ALL.iter().find(|k| k.as_str() == word), tail.strip_prefix(": ")) {
            return Some(Error::new(*kind, message));
        }
        let step = rest.find(' ')? + 1;
        rest = &rest[step..];
    }
}

fn message(text: &str, otherwise: Kind) -> Error {
    if let Some(own) = prefixed(text) {
        return own;
    }
    let lower = text.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|p| lower.contains(p));
    let kind = if has(&["invalid function", "function not found"]) {
        Kind::FunctionNotFound
    } else if has(&["divide by zero", "division by zero"]) {
        Kind::DivisionByZero
    } else if has(&["overflow", "out of range"]) {
        Kind::NumericValueOutOfRange
    } else if has(&["failed to coerce arguments", "no function matches", "no signature", "coercion from"]) {
        Kind::FunctionNotFound
    } else if lower.contains("table") && lower.contains("not found") {
        Kind::TableNotFound
    } else if has(&["must appear in the group by", "must be in the group by", "must appear in group by"]) {
        Kind::ExpressionNotAggregate
    } else if has(&["for select distinct"]) {
        Kind::ExpressionNotInDistinct
    } else if has(&["specified more than once"]) && lower.contains("with query") {
        Kind::DuplicateNamedQuery
    } else if has(&["scalar subquery should only return one", "more than one row", "at most one row"]) {
        Kind::SubqueryMultipleRows
    } else if has(&["cannot cast"]) {
        Kind::InvalidCastArgument
    } else if has(&["cannot be nested"]) {
        Kind::NestedAggregation
    } else if has(&["window frame"]) {
        Kind::InvalidWindowFrame
    } else {
        otherwise
    };
    let text = text.replace(cloudtarn_dialect::LAMBDA_CALL, "").replace('\n', " ");
    Error::new(kind, text)
}

fn schema(e: &SchemaError) -> Error {
    match e {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let near = nearest(&field.name, valid_fields.iter().map(|f| f.name.as_str()));
            let hint = near.map(|n| format!("; did you mean '{n}'?")).unwrap_or_default();
            Error::new(Kind::ColumnNotFound, format!("Column '{}' cannot be resolved{hint}", field.flat_name()))
        }
        SchemaError::AmbiguousReference { field } => {
            Error::new(Kind::AmbiguousName, format!("Column '{}' is ambiguous", field.flat_name()))
        }
        other => Error::new(Kind::AmbiguousName, other.to_string()),
    }
}

/// The name among `names` that `name` is most likely a misspelling of.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    names
        .map(|n| (strsim::jaro_winkler(&name, &n.to_lowercase()), n))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, n)| n)
}
