//! `?` in a statement, and the values that take its place.

use crate::fault::{Answer, Fault};

/// Puts each value where the next `?` stands: within quotes as it is (a quote doubled), elsewhere as a literal. A `?` in a
/// comment is none.
///
/// # Errors
/// `InvalidParameterException` if there are more or fewer values than places.
pub(crate) fn fill(statement: &str, values: &[String]) -> Answer<String> {
    let mut out = String::with_capacity(statement.len());
    let mut values_left = values.iter();
    let mut places = 0;
    let mut quote: Option<char> = None;
    let mut rest = statement;
    while let Some(c) = rest.chars().next() {
        let comment = match quote {
            Some(_) => None,
            None if rest.starts_with("--") => Some(rest.find('\n').unwrap_or(rest.len())),
            None if rest.starts_with("/*") => Some(rest.find("*/").map_or(rest.len(), |end| end + 2)),
            None => None,
        };
        if let Some(end) = comment {
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\'' | '"' => {
                quote = match quote {
                    None => Some(c),
                    Some(open) if open == c => None,
                    other => other,
                };
                out.push(c);
            }
            '?' => {
                places += 1;
                let Some(value) = values_left.next() else { continue };
                match quote {
                    Some(open) => out.push_str(&value.replace(open, &format!("{open}{open}"))),
                    None => out.push_str(&format!("'{}'", value.replace('\'', "''"))),
                }
            }
            other => out.push(other),
        }
    }
    if places != values.len() {
        return Err(Fault::invalid(format!(
            "The statement has {places} parameters, QueryParameters has {}.",
            values.len()
        )));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(statement: &str, values: &[&str]) -> Option<String> {
        fill(statement, &values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>()).ok()
    }

    #[test]
    fn values_take_their_places() {
        assert_eq!(filled("a > '?' AND b = ?", &["1", "x"]).unwrap(), "a > '1' AND b = 'x'");
        assert_eq!(
            filled("date_trunc('?', t) -- why?\n, ?", &["day", "o'k"]).unwrap(),
            "date_trunc('day', t) -- why?\n, 'o''k'"
        );
        assert_eq!(filled("'it''s ?' /* ? */ \"?\"", &["a'b", "c\"d"]).unwrap(), "'it''s a''b' /* ? */ \"c\"\"d\"");
        assert_eq!(filled("?", &[]), None);
        assert_eq!(filled("1", &["x"]), None);
        assert_eq!(filled("'?' OR 1=1", &["' OR 'a'='a"]).unwrap(), "''' OR ''a''=''a' OR 1=1");
    }
}
