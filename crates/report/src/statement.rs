//! A question's SQL text: its parameters, and the part of the store that it is asked about.
//!
//! A file's text runs on CloudTrail Lake as it is. So a parameter is not a placeholder: it is a literal, the default, with
//! its name in a comment behind it (`HAVING count(*) >= 10 /* :failures */`), and binding replaces the literal. A scope
//! (times, accounts, regions) goes where `$EDS_ID` stands, as a derived table, so that the text with a scope runs on Lake too.

use std::ops::Range;

/// In milliseconds.
const HOUR: i64 = 3_600_000;

/// What a stretch of SQL text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    Code,
    Text,
    Name,
    LineComment,
    BlockComment,
}

/// The text cut into code, quoted text, quoted names and comments; nothing is left out.
pub(crate) fn pieces(sql: &str) -> Vec<(Piece, Range<usize>)> {
    let bytes = sql.as_bytes();
    let (mut out, mut at, mut code) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let (piece, end) = match (bytes[at], bytes.get(at + 1)) {
            (quote @ (b'\'' | b'"'), _) => {
                let piece = if quote == b'"' { Piece::Name } else { Piece::Text };
                (piece, closing(bytes, at + 1, quote))
            }
            (b'-', Some(b'-')) => {
                (Piece::LineComment, sql[at..].find('\n').map_or(bytes.len(), |newline| at + newline))
            }
            (b'/', Some(b'*')) => {
                (Piece::BlockComment, sql[at + 2..].find("*/").map_or(bytes.len(), |close| at + close + 4))
            }
            _ => {
                at += 1;
                continue;
            }
        };
        if code < at {
            out.push((Piece::Code, code..at));
        }
        out.push((piece, at..end));
        (at, code) = (end, end);
    }
    if code < at {
        out.push((Piece::Code, code..at));
    }
    out
}

/// Behind the quote that closes, doubled ones being part of the text.
fn closing(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

/// A literal that a comment names as a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) literal: Range<usize>,
}

/// Every `literal /* :name */`, in order; `Err` names a parameter that no literal stands before.
pub(crate) fn slots(sql: &str) -> Result<Vec<Slot>, String> {
    let pieces = pieces(sql);
    let mut slots = Vec::new();
    for (index, (piece, range)) in pieces.iter().enumerate() {
        let text = &sql[range.clone()];
        let name = text.trim_start_matches("/*").trim_end_matches("*/").trim().strip_prefix(':');
        let (Piece::BlockComment, Some(name)) = (piece, name) else { continue };
        let literal = literal(sql, &pieces[..index]).ok_or_else(|| name.to_owned())?;
        slots.push(Slot { name: name.to_owned(), literal });
    }
    Ok(slots)
}

/// The number, text or list of these that the pieces end with.
fn literal(sql: &str, before: &[(Piece, Range<usize>)]) -> Option<Range<usize>> {
    let blank = |(piece, range): &&(Piece, Range<usize>)| *piece == Piece::Code && sql[range.clone()].trim().is_empty();
    let last = before.iter().rev().find(|piece| !blank(piece))?;
    match last {
        (Piece::Text, range) => Some(range.clone()),
        (Piece::Code, range) => {
            let code = sql[range.clone()].trim_end();
            let end = range.start + code.len();
            if code.ends_with(')') {
                let open = before
                    .iter()
                    .rev()
                    .filter(|(piece, _)| *piece == Piece::Code)
                    .find_map(|(_, range)| sql[range.clone()].rfind('(').map(|open| range.start + open))?;
                return Some(open..end);
            }
            let digits = code.bytes().rev().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
            (digits > 0).then_some(end - digits..end)
        }
        _ => None,
    }
}

/// Replaces stretches, given in ascending order.
pub(crate) fn replace(sql: &str, with: &[(Range<usize>, String)]) -> String {
    let (mut out, mut at) = (String::with_capacity(sql.len()), 0);
    for (range, text) in with {
        out.push_str(&sql[at..range.start]);
        out.push_str(text);
        at = range.end;
    }
    out.push_str(&sql[at..]);
    out
}

/// `'it''s'`.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn is_uuid(text: &str) -> bool {
    let fits =
        |(at, byte): (usize, u8)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// The part of the store that questions are asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Name, id or ARN of an event data store; the standard one if none.
    pub event_data_store: Option<String>,
    /// Events of this moment (UTC milliseconds since 1970) or later.
    pub since: Option<i64>,
    /// Events before this moment.
    pub until: Option<i64>,
    /// Events of these accounts (`recipientAccountId`); of all if none.
    pub accounts: Vec<String>,
    /// Events of these regions; of all if none.
    pub regions: Vec<String>,
}

impl Scope {
    /// The conditions on events; none where everything is asked about.
    pub fn conditions(&self) -> Vec<String> {
        self.on(["eventTime", "recipientAccountId", "awsRegion"], self.since)
    }

    /// The conditions on the rows of `cloudtarn.hours`: hours of delivery that the part reaches into.
    pub fn conditions_on_hours(&self) -> Vec<String> {
        self.on(["hour", "account", "region"], self.since.map(|since| since - since.rem_euclid(HOUR)))
    }

    /// The conditions on columns of times, accounts and regions.
    fn on(&self, [time, account, region]: [&str; 3], since: Option<i64>) -> Vec<String> {
        let moment = |millis: i64| {
            let time = chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default();
            time.format("'%Y-%m-%d %H:%M:%S%.3f'").to_string()
        };
        let mut all = Vec::new();
        all.extend(since.map(|since| format!("{time} >= {}", moment(since))));
        all.extend(self.until.map(|until| format!("{time} < {}", moment(until))));
        for (column, values) in [(account, &self.accounts), (region, &self.regions)] {
            if !values.is_empty() {
                let values = values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", ");
                all.push(format!("{column} IN ({values})"));
            }
        }
        all
    }

    /// What stands in `FROM`: the event data store, or its part.
    pub fn table(&self) -> String {
        let store = match &self.event_data_store {
            // Lake reads an id as it is.
            Some(id) if is_uuid(id) => id.clone(),
            Some(name) => format!("\"{}\"", name.replace('"', "\"\"")),
            None => "$EDS_ID".to_owned(),
        };
        self.part_of(&store)
    }

    fn part_of(&self, store: &str) -> String {
        match self.conditions() {
            all if all.is_empty() => store.to_owned(),
            all => format!("(SELECT * FROM {store} WHERE {})", all.join(" AND ")),
        }
    }

    /// The statement asked about this part: every `$EDS_ID` becomes [`Scope::table`].
    pub fn apply(&self, sql: &str) -> String {
        const PLACEHOLDER: &str = "$eds_id";
        let mut found = Vec::new();
        for (piece, range) in pieces(sql) {
            if piece != Piece::Code {
                continue;
            }
            let code = sql[range.clone()].to_ascii_lowercase();
            found.extend(code.match_indices(PLACEHOLDER).map(|(at, _)| {
                let start = range.start + at;
                (start..start + PLACEHOLDER.len(), self.table())
            }));
        }
        replace(sql, &found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_is_cut_without_loss() {
        let sql = "SELECT 'it''s -- no' /* 'x' */, \"a\"\"b\" -- $EDS_ID\nFROM $EDS_ID";
        let cut = pieces(sql);
        assert_eq!(cut.iter().map(|(_, range)| &sql[range.clone()]).collect::<String>(), sql);
        let kinds: Vec<Piece> = cut.iter().map(|(piece, _)| *piece).collect();
        use Piece::{BlockComment, Code, LineComment, Name, Text};
        assert_eq!(kinds, [Code, Text, Code, BlockComment, Code, Name, Code, LineComment, Code]);
        for open in ["'open", "/* open", "\"open", "-- open"] {
            assert_eq!(pieces(open).last().unwrap().1.end, open.len());
        }
    }

    #[test]
    fn literals_before_names_are_parameters() {
        let sql =
            "x >= 10 /* :least */ AND y IN ('a', 'b)') /* :list */ AND z = 'q' /* :text */ /* note */ AND 1.5/* :f */";
        let slots = slots(sql).unwrap();
        let found: Vec<(&str, &str)> = slots.iter().map(|s| (s.name.as_str(), &sql[s.literal.clone()])).collect();
        assert_eq!(found, [("least", "10"), ("list", "('a', 'b)')"), ("text", "'q'"), ("f", "1.5")]);
        assert_eq!(super::slots("x = y /* :none */"), Err("none".to_owned()));
    }

    #[test]
    fn a_scope_stands_where_the_store_stood() {
        let sql = "SELECT '$EDS_ID' FROM $EDS_ID AS a JOIN $eds_id b ON true -- $EDS_ID";
        assert_eq!(Scope::default().apply(sql), "SELECT '$EDS_ID' FROM $EDS_ID AS a JOIN $EDS_ID b ON true -- $EDS_ID");
        let scope = Scope {
            event_data_store: Some("case\"7".to_owned()),
            since: Some(0),
            accounts: vec!["1'2".to_owned()],
            ..Scope::default()
        };
        assert_eq!(
            scope.apply("FROM $EDS_ID"),
            "FROM (SELECT * FROM \"case\"\"7\" WHERE eventTime >= '1970-01-01 00:00:00.000' AND recipientAccountId IN ('1''2'))"
        );
    }
}
