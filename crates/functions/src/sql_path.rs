//! JSON paths of the SQL standard, as `json_value`, `json_query` and `json_exists` take them:
//! `lax $.items[*] ? (@.price > 10).name`.

mod eval;

use datafusion_common::{DataFusionError, Result};
use regex::Regex;

pub(crate) use eval::{Item, evaluate};

/// A compiled path.
#[derive(Debug, Clone)]
pub(crate) struct SqlPath {
    lax: bool,
    root: Node,
}

#[derive(Debug, Clone)]
enum Node {
    Context,
    Variable(String),
    Current,
    Last,
    Literal(Item),
    Negate(Box<Node>),
    Arithmetic(Box<Node>, char, Box<Node>),
    Member(Box<Node>, String),
    AllMembers(Box<Node>),
    AllElements(Box<Node>),
    Descendants(Box<Node>, String),
    Elements(Box<Node>, Vec<(Node, Option<Node>)>),
    Filter(Box<Node>, Box<Predicate>),
    Method(Box<Node>, Method),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Type,
    Size,
    Double,
    Ceiling,
    Floor,
    Abs,
    KeyValue,
}

#[derive(Debug, Clone)]
enum Predicate {
    Compare(Node, &'static str, Node),
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
    Not(Box<Predicate>),
    Exists(Node),
    StartsWith(Node, Node),
    Like(Node, Regex),
    IsUnknown(Box<Predicate>),
}

/// Nesting beyond which a path is refused.
const MAX_DEPTH: usize = 100;

impl SqlPath {
    /// Compiles a path.
    ///
    /// # Errors
    /// `INVALID_PATH` for text that is no path.
    pub(crate) fn compile(text: &str) -> Result<Self> {
        let mut parser = Parser { text, pos: 0, depth: 0 };
        let lax = !parser.word("strict");
        if lax {
            parser.word("lax");
        }
        match parser.expression() {
            Some(root) if parser.rest().is_empty() => Ok(Self { lax, root }),
            _ => Err(DataFusionError::Plan(format!("INVALID_PATH: Invalid JSON path: '{text}'"))),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    pos: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.pos..];
        let trimmed = rest.trim_start();
        self.pos += rest.len() - trimmed.len();
        trimmed
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.pos += if found { token.len() } else { 0 };
        found
    }

    /// A keyword that no letter follows.
    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let found = rest.strip_prefix(word).is_some_and(|r| !r.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        self.pos += if found { word.len() } else { 0 };
        found
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        let result = if self.depth > MAX_DEPTH { None } else { parse(self) };
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Option<Node> {
        self.deeper(|p| {
            let mut left = p.product()?;
            loop {
                let op = match p.rest().chars().next() {
                    Some(c @ ('+' | '-')) => c,
                    _ => return Some(left),
                };
                p.pos += 1;
                left = Node::Arithmetic(Box::new(left), op, Box::new(p.product()?));
            }
        })
    }

    fn product(&mut self) -> Option<Node> {
        let mut left = self.signed()?;
        loop {
            let op = match self.rest().chars().next() {
                Some(c @ ('*' | '/' | '%')) => c,
                _ => return Some(left),
            };
            self.pos += 1;
            left = Node::Arithmetic(Box::new(left), op, Box::new(self.signed()?));
        }
    }

    fn signed(&mut self) -> Option<Node> {
        self.deeper(|p| {
            if p.eat("-") {
                return Some(Node::Negate(Box::new(p.signed()?)));
            }
            if p.eat("+") {
                return p.signed();
            }
            p.accessors()
        })
    }

    fn accessors(&mut self) -> Option<Node> {
        let mut node = self.primary()?;
        loop {
            node = if self.eat("..") {
                Node::Descendants(Box::new(node), self.key()?)
            } else if self.eat(".*") {
                Node::AllMembers(Box::new(node))
            } else if self.eat(".") {
                let quoted = self.rest().starts_with('"');
                let key = self.key()?;
                if !quoted && self.eat("()") {
                    Node::Method(Box::new(node), method(&key)?)
                } else {
                    Node::Member(Box::new(node), key)
                }
            } else if self.eat("[") {
                if self.eat("*") {
                    if !self.eat("]") {
                        return None;
                    }
                    Node::AllElements(Box::new(node))
                } else {
                    Node::Elements(Box::new(node), self.subscripts()?)
                }
            } else if self.rest().starts_with('?') {
                self.eat("?");
                if !self.eat("(") {
                    return None;
                }
                let predicate = self.or()?;
                if !self.eat(")") {
                    return None;
                }
                Node::Filter(Box::new(node), Box::new(predicate))
            } else {
                return Some(node);
            };
        }
    }

    fn subscripts(&mut self) -> Option<Vec<(Node, Option<Node>)>> {
        let mut all = Vec::new();
        loop {
            let from = self.expression()?;
            let to = if self.word("to") { Some(self.expression()?) } else { None };
            all.push((from, to));
            if self.eat("]") {
                return Some(all);
            }
            if !self.eat(",") {
                return None;
            }
        }
    }

    fn primary(&mut self) -> Option<Node> {
        if self.eat("(") {
            let inner = self.expression()?;
            return self.eat(")").then_some(inner);
        }
        if self.eat("@") {
            return Some(Node::Current);
        }
        if self.eat("$") {
            // No blank may stand before a variable's name.
            let next = self.text[self.pos..].chars().next();
            return Some(match next {
                Some(c) if c == '"' || c.is_alphabetic() || c == '_' => Node::Variable(self.key()?),
                _ => Node::Context,
            });
        }
        if self.rest().starts_with('"') {
            return Some(Node::Literal(Item::Text(self.quoted()?)));
        }
        for (word, item) in [("true", Item::Bool(true)), ("false", Item::Bool(false)), ("null", Item::Null)] {
            if self.word(word) {
                return Some(Node::Literal(item));
            }
        }
        if self.word("last") {
            return Some(Node::Last);
        }
        self.number()
    }

    fn number(&mut self) -> Option<Node> {
        let rest = self.rest();
        let mut end = rest.bytes().take_while(u8::is_ascii_digit).count();
        if rest[end..].starts_with('.') && rest[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
            end += 1;
            end += rest[end..].bytes().take_while(u8::is_ascii_digit).count();
        }
        if end > 0 && rest[end..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
            let digits = rest[end + 1 + sign..].bytes().take_while(u8::is_ascii_digit).count();
            end += if digits > 0 { 1 + sign + digits } else { 0 };
        }
        let item = Item::number(rest.get(..end).filter(|t| !t.is_empty())?)?;
        self.pos += end;
        Some(Node::Literal(item))
    }

    fn key(&mut self) -> Option<String> {
        let rest = self.rest();
        if rest.starts_with('"') {
            return self.quoted();
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        self.pos += end;
        (end > 0 && !rest.starts_with(|c: char| c.is_ascii_digit())).then(|| rest[..end].to_string())
    }

    /// A string in quotes; `""` stands for one quote.
    fn quoted(&mut self) -> Option<String> {
        if !self.eat("\"") {
            return None;
        }
        let mut out = String::new();
        let mut chars = self.text[self.pos..].char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            if c != '"' {
                out.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
                out.push('"');
                chars.next();
            } else {
                self.pos += i + 1;
                return Some(out);
            }
        }
        None
    }

    fn or(&mut self) -> Option<Predicate> {
        self.deeper(|p| {
            let mut left = p.and()?;
            while p.eat("||") {
                left = Predicate::Or(Box::new(left), Box::new(p.and()?));
            }
            Some(left)
        })
    }

    fn and(&mut self) -> Option<Predicate> {
        let mut left = self.predicate()?;
        while self.eat("&&") {
            left = Predicate::And(Box::new(left), Box::new(self.predicate()?));
        }
        Some(left)
    }

    fn predicate(&mut self) -> Option<Predicate> {
        self.deeper(|p| {
            if p.rest().starts_with('!') && !p.rest().starts_with("!=") {
                p.eat("!");
                return Some(Predicate::Not(Box::new(p.predicate()?)));
            }
            if p.word("exists") {
                if !p.eat("(") {
                    return None;
                }
                let path = p.expression()?;
                return p.eat(")").then_some(Predicate::Exists(path));
            }
            let start = p.pos;
            // A parenthesis holds a predicate or, if a comparison follows, a part of a path.
            if p.eat("(") {
                if let Some(inner) = p.or()
                    && p.eat(")")
                {
                    if p.word("is") {
                        return p.word("unknown").then_some(Predicate::IsUnknown(Box::new(inner)));
                    }
                    return Some(inner);
                }
                p.pos = start;
            }
            p.comparison()
        })
    }

    fn comparison(&mut self) -> Option<Predicate> {
        let left = self.expression()?;
        if self.word("starts") {
            if !self.word("with") {
                return None;
            }
            return Some(Predicate::StartsWith(left, self.expression()?));
        }
        if self.word("like_regex") {
            let pattern = self.quoted()?;
            let flags = if self.word("flag") { self.quoted()? } else { String::new() };
            return Some(Predicate::Like(left, regex(&pattern, &flags)?));
        }
        let operator = ["==", "<>", "!=", "<=", ">=", "<", ">"].into_iter().find(|op| self.eat(op))?;
        Some(Predicate::Compare(left, operator, self.expression()?))
    }
}

fn method(name: &str) -> Option<Method> {
    Some(match name {
        "type" => Method::Type,
        "size" => Method::Size,
        "double" => Method::Double,
        "ceiling" => Method::Ceiling,
        "floor" => Method::Floor,
        "abs" => Method::Abs,
        "keyvalue" => Method::KeyValue,
        _ => return None,
    })
}

/// XQuery's flags: `i` ignores case, `m` and `s` as in other dialects, `x` ignores blanks, `q` takes the pattern as text.
fn regex(pattern: &str, flags: &str) -> Option<Regex> {
    if !flags.chars().all(|c| "imsxq".contains(c)) || pattern.contains("(?") && !flags.contains('q') {
        return None;
    }
    let pattern = if flags.contains('q') { regex::escape(pattern) } else { pattern.to_string() };
    let inline: String = flags.chars().filter(|c| *c != 'q').collect();
    let pattern = if inline.is_empty() { pattern } else { format!("(?{inline}){pattern}") };
    Regex::new(&pattern).ok()
}
