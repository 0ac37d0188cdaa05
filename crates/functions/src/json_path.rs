//! JSON paths as `json_extract` takes them: Trino's own (`$.a["b c"][0]`) and, as CloudTrail Lake accepts, the wildcards,
//! filters and descents of Jayway's dialect (`$.items[*].id`, `$.Rule[?(@.Status === "Enabled")]`, `$..arn`).

use datafusion_common::Result;

use crate::json_text::{self, Json, Reader, equals, unescape};
use crate::scalar::invalid;

/// A compiled path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPath {
    steps: Vec<Step>,
    /// Whether the path can match more than one value, so that its result is an array.
    many: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// A member by name or, of an array, the element whose index the name is.
    Key(String, Option<usize>),
    /// Every member or element.
    All,
    /// Members of this name at any depth.
    Deep(String),
    /// Elements for which a condition holds.
    Filter(Condition),
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Or(Vec<Condition>),
    And(Vec<Condition>),
    Not(Box<Condition>),
    Exists(Vec<Step>),
    Compare(Vec<Step>, Comparison, Constant),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
enum Constant {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

impl JsonPath {
    /// Compiles a path. `lenient` also takes a bare member name for `$.name`.
    ///
    /// # Errors
    /// `INVALID_FUNCTION_ARGUMENT` for text that is no path.
    pub(crate) fn compile(text: &str, lenient: bool) -> Result<Self> {
        let mut parser = Parser { text, pos: 0 };
        let bare = lenient
            && text.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_alphanumeric() || "_-:.".contains(c));
        let steps = if bare {
            parser.name().and_then(|first| {
                let mut steps = vec![key(first)];
                steps.extend(parser.steps(false)?);
                Some(steps)
            })
        } else if parser.eat("$") {
            parser.steps(false)
        } else {
            None
        };
        match steps.filter(|_| parser.rest().is_empty()) {
            Some(steps) => {
                let many = steps.iter().any(|s| !matches!(s, Step::Key(_, _)));
                Ok(Self { steps, many })
            }
            None => invalid(format!("Invalid JSON path: '{text}'")),
        }
    }

    /// The names of a path's steps, if it is definite: no wildcard, filter or descent.
    fn into_names(self) -> Option<Vec<String>> {
        let name = |step| match step {
            Step::Key(name, _) => Some(name),
            _ => None,
        };
        self.steps.into_iter().map(name).collect()
    }

    /// The one value that a definite path leads to; a value of the document, read no further than needed.
    pub(crate) fn find<'a>(&self, document: &'a str) -> Option<Json<'a>> {
        let mut reader = Reader::new(document);
        for step in &self.steps {
            let Step::Key(name, index) = step else {
                return None;
            };
            match reader.peek()? {
                b'{' => to_member(&mut reader, name)?,
                b'[' => to_element(&mut reader, (*index)?)?,
                _ => return None,
            }
        }
        reader.value()
    }

    /// Appends what `json_extract` gives for a document; false where the path leads nowhere.
    pub(crate) fn extract(&self, document: &str, out: &mut String) -> bool {
        if !self.many {
            return match self.find(document) {
                Some(value) => {
                    value.write(out);
                    true
                }
                None => false,
            };
        }
        let Some(root) = json_text::parse(document) else {
            return false;
        };
        let mut found = Vec::new();
        walk(root, &self.steps, &mut found);
        out.push('[');
        for (i, value) in found.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            value.write(out);
        }
        out.push(']');
        true
    }

    /// Whether the result is an array of all matches.
    pub(crate) fn is_many(&self) -> bool {
        self.many
    }
}

/// The names of the members that a path of `json_extract` and its like leads through; `None` for text that is no path, and for
/// paths that may lead to several values. A name of digits alone may also be an index.
pub fn member_names(path: &str) -> Option<Vec<String>> {
    JsonPath::compile(path, true).ok()?.into_names()
}

/// The path that leads through members of these names, or elements where a name is an index.
pub fn of_member_names(names: &[String]) -> String {
    let quoted = names.iter().map(|name| format!("[\"{}\"]", name.replace('\\', "\\\\").replace('"', "\\\"")));
    std::iter::once("$".to_owned()).chain(quoted).collect()
}

fn key(name: String) -> Step {
    let index = if name.bytes().all(|b| b.is_ascii_digit()) { name.parse().ok() } else { None };
    Step::Key(name, index)
}

fn to_member(reader: &mut Reader<'_>, name: &str) -> Option<()> {
    reader.eat(b'{');
    while reader.peek()? != b'}' {
        if equals(reader.key()?, name) {
            return Some(());
        }
        reader.skip()?;
        reader.eat(b',');
    }
    None
}

fn to_element(reader: &mut Reader<'_>, index: usize) -> Option<()> {
    reader.eat(b'[');
    for _ in 0..index {
        if reader.peek()? == b']' {
            return None;
        }
        reader.skip()?;
        reader.eat(b',');
    }
    (reader.peek()? != b']').then_some(())
}

fn walk<'a>(value: Json<'a>, steps: &[Step], found: &mut Vec<Json<'a>>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(value);
        return;
    };
    match (step, value) {
        (Step::Key(name, _), Json::Object(_)) => {
            if let Some((_, v)) = value.members().find(|(k, _)| equals(k, name)) {
                walk(v, rest, found);
            }
        }
        (Step::Key(_, Some(index)), Json::Array(_)) => {
            if let Some(v) = value.elements().nth(*index) {
                walk(v, rest, found);
            }
        }
        (Step::All, Json::Object(_)) => value.members().for_each(|(_, v)| walk(v, rest, found)),
        (Step::All, Json::Array(_)) => value.elements().for_each(|v| walk(v, rest, found)),
        (Step::Filter(condition), Json::Array(_)) => {
            value.elements().filter(|v| holds(*v, condition)).for_each(|v| walk(v, rest, found));
        }
        (Step::Filter(condition), Json::Object(_)) if holds(value, condition) => walk(value, rest, found),
        (Step::Deep(name), Json::Object(_)) => {
            for (k, v) in value.members() {
                if equals(k, name) {
                    walk(v, rest, found);
                }
                walk(v, steps, found);
            }
        }
        (Step::Deep(_), Json::Array(_)) => value.elements().for_each(|v| walk(v, steps, found)),
        _ => {}
    }
}

fn holds(value: Json<'_>, condition: &Condition) -> bool {
    match condition {
        Condition::Or(parts) => parts.iter().any(|c| holds(value, c)),
        Condition::And(parts) => parts.iter().all(|c| holds(value, c)),
        Condition::Not(c) => !holds(value, c),
        Condition::Exists(steps) => {
            let mut found = Vec::new();
            walk(value, steps, &mut found);
            !found.is_empty()
        }
        Condition::Compare(steps, comparison, constant) => {
            let mut found = Vec::new();
            walk(value, steps, &mut found);
            found.first().is_some_and(|v| compare(*v, *comparison, constant))
        }
    }
}

fn compare(value: Json<'_>, comparison: Comparison, constant: &Constant) -> bool {
    let order = match (value, constant) {
        (Json::Number(n), Constant::Number(c)) => n.parse::<f64>().ok().and_then(|n| n.partial_cmp(c)),
        (Json::String(s), Constant::Text(c)) => Some(unescape(s).as_ref().cmp(c.as_str())),
        (Json::Bool(a), Constant::Bool(b)) => Some(a.cmp(b)),
        (Json::Null, Constant::Null) => Some(std::cmp::Ordering::Equal),
        _ => None,
    };
    match (comparison, order) {
        (Comparison::NotEqual, order) => order.is_none_or(std::cmp::Ordering::is_ne),
        (_, None) => false,
        (Comparison::Equal, Some(o)) => o.is_eq(),
        (Comparison::Less, Some(o)) => o.is_lt(),
        (Comparison::LessOrEqual, Some(o)) => o.is_le(),
        (Comparison::Greater, Some(o)) => o.is_gt(),
        (Comparison::GreaterOrEqual, Some(o)) => o.is_ge(),
    }
}

struct Parser<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.pos += if found { token.len() } else { 0 };
        found
    }

    fn blanks(&mut self) {
        self.pos += self.rest().len() - self.rest().trim_start().len();
    }

    /// An unquoted name: letters, digits, `_`, `:` and, not first, `-`.
    fn name(&mut self) -> Option<String> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_:-".contains(c))).unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() || name.starts_with('-') {
            return None;
        }
        self.pos += end;
        Some(name.to_string())
    }

    /// A quoted name after its quote; a backslash protects a quote or a backslash.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut name = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' => match chars.next()? {
                    (_, c) if c == quote || c == '\\' => name.push(c),
                    _ => return None,
                },
                c if c == quote => {
                    self.pos += i + c.len_utf8();
                    return Some(name);
                }
                c => name.push(c),
            }
        }
        None
    }

    /// Steps up to the first character that begins none; in a filter a dot may also begin a method, which is refused.
    fn steps(&mut self, in_filter: bool) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            if self.eat("..") {
                steps.push(Step::Deep(self.name()?));
            } else if self.eat(".*") || self.eat("[*]") {
                steps.push(Step::All);
            } else if self.eat(".") {
                steps.push(key(self.name()?));
            } else if self.eat("[?(") {
                let condition = self.or(0)?;
                self.blanks();
                if !self.eat(")]") {
                    return None;
                }
                steps.push(Step::Filter(condition));
            } else if self.eat("[") {
                let name = if self.eat("\"") {
                    self.quoted('"')?
                } else if self.eat("'") {
                    self.quoted('\'')?
                } else {
                    self.name()?
                };
                if !self.eat("]") {
                    return None;
                }
                steps.push(key(name));
            } else if in_filter || self.rest().is_empty() {
                return Some(steps);
            } else {
                return None;
            }
        }
    }

    fn or(&mut self, depth: usize) -> Option<Condition> {
        let mut parts = vec![self.and(depth)?];
        loop {
            self.blanks();
            if !self.eat("||") {
                return if parts.len() == 1 { parts.pop() } else { Some(Condition::Or(parts)) };
            }
            parts.push(self.and(depth)?);
        }
    }

    fn and(&mut self, depth: usize) -> Option<Condition> {
        let mut parts = vec![self.term(depth)?];
        loop {
            self.blanks();
            if !self.eat("&&") {
                return if parts.len() == 1 { parts.pop() } else { Some(Condition::And(parts)) };
            }
            parts.push(self.term(depth)?);
        }
    }

    fn term(&mut self, depth: usize) -> Option<Condition> {
        if depth > 50 {
            return None;
        }
        self.blanks();
        if self.rest().starts_with('!') && !self.rest().starts_with("!=") {
            self.pos += 1;
            return Some(Condition::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.eat("(") {
            let inner = self.or(depth + 1)?;
            self.blanks();
            return self.eat(")").then_some(inner);
        }
        if !self.eat("@") {
            return None;
        }
        let steps = self.steps(true)?;
        self.blanks();
        const COMPARISONS: [(&str, Comparison); 9] = [
            ("===", Comparison::Equal),
            ("!==", Comparison::NotEqual),
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<>", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        match COMPARISONS.iter().find(|(token, _)| self.rest().starts_with(token)) {
            None => Some(Condition::Exists(steps)),
            Some((token, comparison)) => {
                self.pos += token.len();
                self.blanks();
                Some(Condition::Compare(steps, *comparison, self.constant()?))
            }
        }
    }

    fn constant(&mut self) -> Option<Constant> {
        for (word, constant) in
            [("null", Constant::Null), ("true", Constant::Bool(true)), ("false", Constant::Bool(false))]
        {
            if self.eat(word) {
                return Some(constant);
            }
        }
        if self.eat("\"") {
            return self.quoted('"').map(Constant::Text);
        }
        if self.eat("'") {
            return self.quoted('\'').map(Constant::Text);
        }
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c))).unwrap_or(rest.len());
        let number = rest[..end].parse().ok()?;
        self.pos += end;
        Some(Constant::Number(number))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn extract(document: &str, path: &str) -> Option<String> {
        let mut out = String::new();
        JsonPath::compile(path, true).unwrap().extract(document, &mut out).then_some(out)
    }

    #[test]
    fn definite_paths() {
        let d = r#"{"a":{"b c":[10,{"x:y":"é"}]},"n":null,"k-1":2, "\u0061b": 3}"#;
        assert_eq!(extract(d, "$.a[\"b c\"][0]").unwrap(), "10");
        assert_eq!(extract(d, "$.a['b c'][1].x:y").unwrap(), "\"é\"");
        assert_eq!(extract(d, "$.n").unwrap(), "null");
        assert_eq!(extract(d, "$.k-1").unwrap(), "2");
        assert_eq!(extract(d, "$.ab").unwrap(), "3");
        assert_eq!(extract(d, "a.missing"), None);
        assert_eq!(extract("[1,2]", "$[\"1\"]").unwrap(), "2");
        assert_eq!(extract("[1,2", "$[5]"), None);
        assert_eq!(extract("{\"a\":1} trailing", "$.a").unwrap(), "1");
    }

    #[test]
    fn wildcards_filters_and_descents() {
        let d =
            r#"{"items":[{"id":"i-1","days":30,"s":"Enabled"},{"id":"i-2","days":365,"s":"Disabled","in":{"id":7}}]}"#;
        assert_eq!(extract(d, "$.items[*].id").unwrap(), r#"["i-1","i-2"]"#);
        assert_eq!(extract(d, "$.items[?(@.days < 90)].id").unwrap(), r#"["i-1"]"#);
        assert_eq!(
            extract(d, r#"$.items[?(@.s === "Enabled")]"#).unwrap(),
            r#"[{"id":"i-1","days":30,"s":"Enabled"}]"#
        );
        assert_eq!(extract(d, "$.items[?(@.in.id && !(@.days == 1))].days").unwrap(), "[365]");
        assert_eq!(extract(d, "$..id").unwrap(), r#"["i-1","i-2",7]"#);
        assert_eq!(extract(d, "$.missing[*]").unwrap(), "[]");
    }

    #[test]
    fn names_of_definite_paths() {
        let names = |path: &str| member_names(path).map(|names| names.join("|"));
        assert_eq!(names("$.a[\"b.c\"][0]['d']").as_deref(), Some("a|b.c|0|d"));
        assert_eq!(names("a.b").as_deref(), Some("a|b"));
        for path in ["$.a[*]", "$..a", "$.a[?(@.b)]", "$.a.*", "$."] {
            assert_eq!(names(path), None, "{path}");
        }
    }

    #[test]
    fn refuses_what_is_no_path() {
        for path in [
            "",
            ".",
            " $.x",
            "$.",
            "$$",
            "$.$",
            "$.-1.1",
            "$.x[ 42]",
            "$.x [42]",
            "$.bar[2][-1]",
            "$[\"a",
            "$[?(@.a =)]",
            "$.'",
            "%",
        ] {
            assert!(JsonPath::compile(path, true).is_err(), "{path}");
        }
        assert!(JsonPath::compile("name", false).is_err());
    }

    proptest! {
        #[test]
        fn names_survive_quoting(names in prop::collection::vec("[a-z0-9.'\"\\\\\\[\\]é ]{0,6}", 0..4)) {
            prop_assert_eq!(member_names(&of_member_names(&names)), Some(names));
        }

        #[test]
        fn no_path_and_no_document_panic(path in ".*", document in ".*") {
            for path in [path.clone(), format!("$[?({path})]"), format!("$.{path}")] {
                if let Ok(p) = JsonPath::compile(&path, true) {
                    let _ = p.extract(&document, &mut String::new());
                }
            }
        }
    }
}
