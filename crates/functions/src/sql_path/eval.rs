//! Evaluation of SQL/JSON paths over JSON items.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{Method, Node, Predicate, SqlPath};
use crate::json_text::{self, Json, quote, unescape};
use crate::text::{self, Style};

/// A JSON value of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Null,
    Bool(bool),
    Integer(i64),
    Double(f64),
    Text(String),
    Array(Vec<Item>),
    Object(Vec<(String, Item)>),
}

/// What is wrong with a path over a document, for `ERROR ON ERROR`.
pub(crate) type Failure = Cow<'static, str>;

type Items = Vec<Item>;
type Outcome = Result<Items, Failure>;

impl Item {
    /// A number as written; integers beyond a bigint become doubles.
    pub(crate) fn number(text: &str) -> Option<Self> {
        match text.parse::<i64>() {
            Ok(v) => Some(Self::Integer(v)),
            Err(_) => text.parse().ok().map(Self::Double),
        }
    }

    /// The value of a document's value; of equal keys the last counts.
    pub(crate) fn of(json: Json<'_>) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(b) => Self::Bool(b),
            Json::Number(n) => Self::number(n).unwrap_or(Self::Null),
            Json::String(s) => Self::Text(unescape(s).into_owned()),
            Json::Array(_) => Self::Array(json.elements().map(Self::of).collect()),
            Json::Object(_) => {
                let mut members: Vec<(String, Self)> = Vec::new();
                for (k, v) in json.members() {
                    let key = unescape(k);
                    match members.iter_mut().find(|(known, _)| *known == key) {
                        Some(member) => member.1 = Self::of(v),
                        None => members.push((key.into_owned(), Self::of(v))),
                    }
                }
                Self::Object(members)
            }
        }
    }

    /// The value of a text that is JSON.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        json_text::parse(text).map(Self::of)
    }

    /// Appends the value as JSON.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Self::Integer(v) => out.push_str(itoa::Buffer::new().format(*v)),
            Self::Double(v) => text::double(*v, Style::Result, out),
            Self::Text(s) => quote(s, out),
            Self::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (i, (k, v)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    quote(k, out);
                    out.push(':');
                    v.write(out);
                }
                out.push('}');
            }
        }
    }

    fn as_double(&self) -> Option<f64> {
        match self {
            Self::Integer(v) => Some(*v as f64),
            Self::Double(v) => Some(*v),
            _ => None,
        }
    }
}

/// The items that a path leads to. `passed` are the named values of PASSING, None for an empty sequence.
pub(crate) fn evaluate(path: &SqlPath, context: &Item, passed: &[(String, Option<Item>)]) -> Outcome {
    Run { lax: path.lax, context, passed }.items(&path.root, None, None)
}

struct Run<'a> {
    lax: bool,
    context: &'a Item,
    passed: &'a [(String, Option<Item>)],
}

fn fail<T>(message: &'static str) -> Result<T, Failure> {
    Err(Cow::Borrowed(message))
}

impl Run<'_> {
    fn items(&self, node: &Node, current: Option<&Item>, last: Option<i64>) -> Outcome {
        Ok(match node {
            Node::Context => vec![self.context.clone()],
            Node::Variable(name) => match self.passed.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
                Some((_, item)) => item.iter().cloned().collect(),
                None => return fail("no value is passed for a variable of the path"),
            },
            Node::Current => match current {
                Some(item) => vec![item.clone()],
                None => return fail("@ stands outside of a filter"),
            },
            Node::Last => match last {
                Some(n) => vec![Item::Integer(n)],
                None => return fail("last stands outside of a subscript"),
            },
            Node::Literal(item) => vec![item.clone()],
            Node::Negate(inner) => self
                .unwrapped(self.items(inner, current, last)?)
                .into_iter()
                .map(|item| match item {
                    Item::Integer(v) => v.checked_neg().map(Item::Integer).ok_or(Cow::Borrowed("overflow")),
                    Item::Double(v) => Ok(Item::Double(-v)),
                    _ => fail("a sign stands before what is no number"),
                })
                .collect::<Result<_, _>>()?,
            Node::Arithmetic(left, op, right) => {
                let operand = |n: &Node| -> Result<Item, Failure> {
                    match self.unwrapped(self.items(n, current, last)?).as_slice() {
                        [one] => Ok(one.clone()),
                        _ => fail("arithmetic takes single values"),
                    }
                };
                vec![arithmetic(&operand(left)?, *op, &operand(right)?)?]
            }
            Node::Member(inner, key) => self.member(self.items(inner, current, last)?, key)?,
            Node::AllMembers(inner) => {
                let mut out = Vec::new();
                for item in self.unwrapped(self.items(inner, current, last)?) {
                    match item {
                        Item::Object(members) => out.extend(members.into_iter().map(|(_, v)| v)),
                        _ if self.lax => {}
                        _ => return fail("a member accessor stands after what is no object"),
                    }
                }
                out
            }
            Node::AllElements(inner) => {
                let mut out = Vec::new();
                for item in self.items(inner, current, last)? {
                    match item {
                        Item::Array(elements) => out.extend(elements),
                        other if self.lax => out.push(other),
                        _ => return fail("an array accessor stands after what is no array"),
                    }
                }
                out
            }
            Node::Descendants(inner, key) => {
                let mut out = Vec::new();
                for item in self.items(inner, current, last)? {
                    descend(&item, key, &mut out);
                }
                out
            }
            Node::Elements(inner, subscripts) => {
                self.elements(self.items(inner, current, last)?, subscripts, current)?
            }
            Node::Filter(inner, predicate) => self
                .unwrapped(self.items(inner, current, last)?)
                .into_iter()
                .filter(|item| self.holds(predicate, item) == Some(true))
                .collect(),
            Node::Method(inner, method) => self.method(self.items(inner, current, last)?, *method)?,
        })
    }

    /// In lax mode arrays are replaced by their elements.
    fn unwrapped(&self, items: Items) -> Items {
        if !self.lax {
            return items;
        }
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Item::Array(elements) => out.extend(elements),
                other => out.push(other),
            }
        }
        out
    }

    fn member(&self, items: Items, key: &str) -> Outcome {
        let mut out = Vec::new();
        for item in self.unwrapped(items) {
            match item {
                Item::Object(members) => match members.into_iter().find(|(k, _)| k == key) {
                    Some((_, v)) => out.push(v),
                    None if self.lax => {}
                    None => return fail("a member is missing"),
                },
                _ if self.lax => {}
                _ => return fail("a member accessor stands after what is no object"),
            }
        }
        Ok(out)
    }

    fn elements(&self, items: Items, subscripts: &[(Node, Option<Node>)], current: Option<&Item>) -> Outcome {
        let mut out = Vec::new();
        for item in items {
            let elements = match item {
                Item::Array(elements) => elements,
                other if self.lax => vec![other],
                _ => return fail("an array accessor stands after what is no array"),
            };
            let last = elements.len() as i64 - 1;
            let index = |node: &Node| -> Result<i64, Failure> {
                match self.unwrapped(self.items(node, current, Some(last))?).as_slice() {
                    [Item::Integer(v)] => Ok(*v),
                    [Item::Double(v)] if v.abs() < 9e15 => Ok(v.trunc() as i64),
                    _ => fail("a subscript is no number"),
                }
            };
            for (from, to) in subscripts {
                let from = index(from)?;
                let to = match to {
                    Some(to) => index(to)?,
                    None => from,
                };
                if !self.lax && (from < 0 || to > last || from > to) {
                    return fail("a subscript is outside of the array");
                }
                for i in from.max(0)..=to.min(last) {
                    out.push(elements[i as usize].clone());
                }
            }
        }
        Ok(out)
    }

    fn method(&self, items: Items, method: Method) -> Outcome {
        let one = |item: &Item| -> Result<Item, Failure> {
            Ok(match (method, item) {
                (Method::Type, item) => Item::Text(type_name(item).to_string()),
                (Method::Size, Item::Array(elements)) => Item::Integer(elements.len() as i64),
                (Method::Size, _) if self.lax => Item::Integer(1),
                (Method::Double, Item::Text(s)) => match s.trim().parse() {
                    Ok(v) => Item::Double(v),
                    Err(_) => return fail("double() takes a number"),
                },
                (Method::Double, item) => match item.as_double() {
                    Some(v) => Item::Double(v),
                    None => return fail("double() takes a number"),
                },
                (Method::Ceiling | Method::Floor, Item::Integer(v)) => Item::Integer(*v),
                (Method::Abs, Item::Integer(v)) => Item::Integer(v.saturating_abs()),
                (Method::Ceiling, Item::Double(v)) => Item::Double(v.ceil()),
                (Method::Floor, Item::Double(v)) => Item::Double(v.floor()),
                (Method::Abs, Item::Double(v)) => Item::Double(v.abs()),
                _ => return fail("a method is applied to a value of another type"),
            })
        };
        if method == Method::KeyValue {
            let mut out = Vec::new();
            for (id, item) in self.unwrapped(items).into_iter().enumerate() {
                let Item::Object(members) = item else {
                    return fail("keyvalue() takes an object");
                };
                out.extend(members.into_iter().map(|(k, v)| {
                    Item::Object(vec![
                        ("name".into(), Item::Text(k)),
                        ("value".into(), v),
                        ("id".into(), Item::Integer(id as i64)),
                    ])
                }));
            }
            return Ok(out);
        }
        let whole = matches!(method, Method::Type | Method::Size);
        let items = if whole { items } else { self.unwrapped(items) };
        items.iter().map(one).collect()
    }

    /// Three-valued: None where the predicate is unknown.
    fn holds(&self, predicate: &Predicate, current: &Item) -> Option<bool> {
        let items = |node: &Node| self.items(node, Some(current), None).map(|items| self.unwrapped(items));
        match predicate {
            Predicate::And(a, b) => match (self.holds(a, current), self.holds(b, current)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Predicate::Or(a, b) => match (self.holds(a, current), self.holds(b, current)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Predicate::Not(p) => self.holds(p, current).map(|b| !b),
            Predicate::IsUnknown(p) => Some(self.holds(p, current).is_none()),
            Predicate::Exists(node) => self.items(node, Some(current), None).ok().map(|items| !items.is_empty()),
            Predicate::StartsWith(node, prefix) => {
                let prefixes = items(prefix).ok()?;
                let [Item::Text(prefix)] = prefixes.as_slice() else { return None };
                any(&items(node).ok()?, |item| match item {
                    Item::Text(s) => Some(s.starts_with(prefix.as_str())),
                    _ => None,
                })
            }
            Predicate::Like(node, regex) => any(&items(node).ok()?, |item| match item {
                Item::Text(s) => Some(regex.is_match(s)),
                _ => None,
            }),
            Predicate::Compare(left, operator, right) => {
                let right = items(right).ok()?;
                any(&items(left).ok()?, |l| any(&right, |r| compare(l, operator, r)))
            }
        }
    }
}

/// True where one item says so, else unknown where one is.
fn any(items: &[Item], f: impl Fn(&Item) -> Option<bool>) -> Option<bool> {
    let mut result = Some(false);
    for item in items {
        match f(item) {
            Some(true) => return Some(true),
            None => result = None,
            Some(false) => {}
        }
    }
    result
}

fn compare(a: &Item, operator: &str, b: &Item) -> Option<bool> {
    let order = match (a, b) {
        (Item::Null, Item::Null) => Ordering::Equal,
        // Null differs from everything, and is neither less nor greater.
        (Item::Null, Item::Array(_) | Item::Object(_)) | (Item::Array(_) | Item::Object(_), Item::Null) => return None,
        (Item::Null, _) | (_, Item::Null) => return Some(matches!(operator, "<>" | "!=")),
        (Item::Bool(a), Item::Bool(b)) => a.cmp(b),
        (Item::Integer(a), Item::Integer(b)) => a.cmp(b),
        (Item::Text(a), Item::Text(b)) => a.cmp(b),
        (a, b) => a.as_double()?.partial_cmp(&b.as_double()?)?,
    };
    Some(match operator {
        "==" => order.is_eq(),
        "<>" | "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })
}

fn arithmetic(a: &Item, op: char, b: &Item) -> Result<Item, Failure> {
    if let (Item::Integer(a), Item::Integer(b)) = (a, b) {
        let result = match op {
            '+' => a.checked_add(*b),
            '-' => a.checked_sub(*b),
            '*' => a.checked_mul(*b),
            '/' => a.checked_div(*b),
            _ => a.checked_rem(*b),
        };
        return result.map(Item::Integer).ok_or(Cow::Borrowed("arithmetic fails"));
    }
    let (Some(x), Some(y)) = (a.as_double(), b.as_double()) else {
        return fail("arithmetic takes numbers");
    };
    Ok(Item::Double(match op {
        '+' => x + y,
        '-' => x - y,
        '*' => x * y,
        '/' => x / y,
        _ => x % y,
    }))
}

fn type_name(item: &Item) -> &'static str {
    match item {
        Item::Null => "null",
        Item::Bool(_) => "boolean",
        Item::Integer(_) | Item::Double(_) => "number",
        Item::Text(_) => "string",
        Item::Array(_) => "array",
        Item::Object(_) => "object",
    }
}

fn descend(item: &Item, key: &str, out: &mut Items) {
    match item {
        Item::Object(members) => {
            out.extend(members.iter().filter(|(k, _)| k == key).map(|(_, v)| v.clone()));
            members.iter().for_each(|(_, v)| descend(v, key, out));
        }
        Item::Array(elements) => elements.iter().for_each(|e| descend(e, key, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn run(document: &str, path: &str) -> Result<String, Failure> {
        let items = evaluate(&SqlPath::compile(path).unwrap(), &Item::parse(document).unwrap(), &[])?;
        let mut out = String::new();
        Item::Array(items).write(&mut out);
        Ok(out)
    }

    #[test]
    fn lax_and_strict() {
        assert_eq!(run("[1,2,3]", "lax $[1 to 5]").unwrap(), "[2,3]");
        assert!(run("[1,2,3]", "strict $[1 to 5]").is_err());
        assert_eq!(run(r#"[{"a":1},{"a":2},3]"#, "lax $.a").unwrap(), "[1,2]");
        assert!(run(r#"[{"a":1}]"#, "strict $.a").is_err());
        assert_eq!(run("[1,2,3]", "lax $[last - 1, 0]").unwrap(), "[2,1]");
    }

    #[test]
    fn filters_and_methods() {
        let d = r#"{"c":[{"n":"x","p":5},{"n":"yz","p":20.5},{"p":null}]}"#;
        assert_eq!(run(d, "lax $.c ? (@.p > 10).n").unwrap(), r#"["yz"]"#);
        assert_eq!(run(d, r#"lax $.c ? (@.n starts with "y" || exists(@.z)).p"#).unwrap(), "[20.5]");
        assert_eq!(run(d, r#"lax $.c[*] ? ((@.p > "a") is unknown).n"#).unwrap(), r#"["x","yz"]"#);
        assert_eq!(run(d, r#"lax $.c ? (@.n like_regex "^X$" flag "i").p"#).unwrap(), "[5]");
        assert_eq!(run(d, "strict $.c.size()").unwrap(), "[3]");
        assert_eq!(run(d, "lax $..p.type()").unwrap(), r#"["number","number","null"]"#);
        assert_eq!(run("2", "lax ($ + 3) * -2 % 4").unwrap(), "[-2]");
    }

    proptest! {
        #[test]
        fn no_path_panics(path in ".*", tail in "[@$.?()\\[\\]a-z0-9\" +*<=&|!-]*") {
            for path in [path, format!("lax $ ? ({tail})"), format!("lax ${tail}")] {
                if let Ok(path) = SqlPath::compile(&path) {
                    let _ = evaluate(&path, &Item::Array(vec![Item::Integer(1), Item::Null]), &[]);
                }
            }
        }
    }
}
