//! Type names in Trino's notation, read.

use datafusion_common::{DataFusionError, Result};

use super::Type;

/// The type that a whole text names.
pub(super) fn read(text: &str) -> Result<Type> {
    let mut parser = Parser { text, pos: 0 };
    let parsed = parser.parse_type()?;
    if parser.peek().is_some() {
        return Err(unknown_type(text));
    }
    Ok(parsed)
}

fn unknown_type(text: &str) -> DataFusionError {
    DataFusionError::Plan(format!("TYPE_NOT_FOUND: Unknown type: {text}"))
}

struct Parser<'a> {
    text: &'a str,
    pos: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.pos..];
        self.pos += rest.len() - rest.trim_start().len();
        self.text[self.pos..].chars().next()
    }

    fn eat(&mut self, c: char) -> bool {
        if self.peek() == Some(c) {
            self.pos += c.len_utf8();
            true
        } else {
            false
        }
    }

    fn expect(&mut self, c: char) -> Result<()> {
        if self.eat(c) { Ok(()) } else { Err(unknown_type(self.text)) }
    }

    /// The next word in lower case, without consuming it.
    fn word(&mut self) -> (String, usize) {
        self.peek();
        let rest = &self.text[self.pos..];
        let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        (rest[..len].to_ascii_lowercase(), self.pos + len)
    }

    fn eat_words(&mut self, words: &[&str]) -> bool {
        let start = self.pos;
        for expected in words {
            let (word, end) = self.word();
            if word != *expected {
                self.pos = start;
                return false;
            }
            self.pos = end;
        }
        true
    }

    fn number(&mut self) -> Result<u32> {
        let (word, end) = self.word();
        let n = word.parse().map_err(|_| unknown_type(self.text))?;
        self.pos = end;
        Ok(n)
    }

    fn precision(&mut self) -> Result<Option<u8>> {
        if !self.eat('(') {
            return Ok(None);
        }
        let n = self.number()?;
        self.expect(')')?;
        u8::try_from(n).ok().filter(|n| *n <= 12).map(Some).ok_or_else(|| {
            DataFusionError::Plan(format!(
                "INVALID_FUNCTION_ARGUMENT: precision of a time or timestamp must be between 0 and 12, got {n}"
            ))
        })
    }

    fn zoned(&mut self) -> bool {
        if self.eat_words(&["with", "time", "zone"]) {
            return true;
        }
        self.eat_words(&["without", "time", "zone"]);
        false
    }

    fn length(&mut self) -> Result<Option<u32>> {
        if !self.eat('(') {
            return Ok(None);
        }
        let n = self.number()?;
        self.expect(')')?;
        Ok(Some(n))
    }

    fn parse_type(&mut self) -> Result<Type> {
        let (name, end) = self.word();
        if name.is_empty() {
            return Err(unknown_type(self.text));
        }
        self.pos = end;
        let parsed = match name.as_str() {
            "unknown" => Type::Unknown,
            "boolean" | "bool" => Type::Boolean,
            "tinyint" => Type::Tinyint,
            "smallint" => Type::Smallint,
            "integer" | "int" => Type::Integer,
            "bigint" => Type::Bigint,
            "real" => Type::Real,
            "double" => {
                self.eat_words(&["precision"]);
                Type::Double
            }
            "decimal" | "dec" | "numeric" => self.decimal()?,
            "varchar" | "string" => Type::Varchar(self.length()?),
            "char" => Type::Char(self.length()?.unwrap_or(1)),
            "varbinary" => Type::Varbinary,
            "date" => Type::Date,
            "time" => {
                let p = self.precision()?.unwrap_or(3);
                if self.zoned() { Type::TimeTz(p) } else { Type::Time(p) }
            }
            "timestamp" => {
                let p = self.precision()?.unwrap_or(3);
                if self.zoned() { Type::TimestampTz(p, None) } else { Type::Timestamp(p) }
            }
            "interval" => {
                if self.eat_words(&["day", "to", "second"]) {
                    Type::IntervalDay
                } else if self.eat_words(&["year", "to", "month"]) {
                    Type::IntervalYear
                } else {
                    return Err(unknown_type(self.text));
                }
            }
            "json" => Type::Json,
            "ipaddress" => Type::Ipaddress,
            "uuid" => Type::Uuid,
            "array" => {
                let close = if self.eat('<') {
                    '>'
                } else {
                    self.expect('(')?;
                    ')'
                };
                let element = self.parse_type()?;
                self.expect(close)?;
                Type::Array(Box::new(element))
            }
            "map" => {
                let close = if self.eat('<') {
                    '>'
                } else {
                    self.expect('(')?;
                    ')'
                };
                let key = self.parse_type()?;
                self.expect(',')?;
                let value = self.parse_type()?;
                self.expect(close)?;
                Type::Map(Box::new(key), Box::new(value))
            }
            "row" => self.row()?,
            _ => return Err(unknown_type(self.text)),
        };
        Ok(self.array_suffix(parsed))
    }

    /// The old notation `integer array`.
    fn array_suffix(&mut self, mut t: Type) -> Type {
        loop {
            let start = self.pos;
            if !self.eat_words(&["array"]) {
                return t;
            }
            if self.peek() == Some('(') {
                self.pos = start;
                return t;
            }
            t = Type::Array(Box::new(t));
        }
    }

    fn decimal(&mut self) -> Result<Type> {
        let (mut precision, mut scale) = (38, 0);
        if self.eat('(') {
            precision = self.number()?;
            if self.eat(',') {
                scale = self.number()?;
            }
            self.expect(')')?;
        }
        match (u8::try_from(precision), i8::try_from(scale)) {
            (Ok(p @ 1..=38), Ok(s)) if scale <= precision => Ok(Type::Decimal(p, s)),
            _ => Err(DataFusionError::Plan(format!(
                "INVALID_FUNCTION_ARGUMENT: DECIMAL precision must be in range [1, 38] and scale in range [0, precision], got ({precision}, {scale})"
            ))),
        }
    }

    fn row(&mut self) -> Result<Type> {
        let close = if self.eat('<') {
            '>'
        } else {
            self.expect('(')?;
            ')'
        };
        let mut fields = Vec::new();
        loop {
            fields.push(self.row_field()?);
            if !self.eat(',') {
                break;
            }
        }
        self.expect(close)?;
        Ok(Type::Row(fields))
    }

    /// A field is `type` or `name type`; a name may be quoted and may be the name of a type.
    fn row_field(&mut self) -> Result<(Option<String>, Type)> {
        if self.peek() == Some('"') {
            let mut name = String::new();
            self.pos += 1;
            let mut chars = self.text[self.pos..].char_indices().peekable();
            while let Some((i, c)) = chars.next() {
                if c != '"' {
                    name.push(c);
                } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
                    name.push('"');
                    chars.next();
                } else {
                    self.pos += i + 1;
                    return Ok((Some(name.to_lowercase()), self.parse_type()?));
                }
            }
            return Err(unknown_type(self.text));
        }
        let start = self.pos;
        if let Ok(t) = self.parse_type()
            && matches!(self.peek(), Some(',' | ')' | '>'))
        {
            return Ok((None, t));
        }
        self.pos = start;
        let (name, end) = self.word();
        self.pos = end;
        Ok((Some(name), self.parse_type()?))
    }
}
