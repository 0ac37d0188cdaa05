//! Replacement text in Java's notation: `$1`, `${name}` and `\` before a character to be taken as it is.

use datafusion_common::{DataFusionError, Result};

use super::pattern::{Groups, Pattern};
use crate::columns::invalid;

/// A replacement, taken apart once per pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

impl Template {
    pub(super) fn parse(text: &str, pattern: &Pattern) -> Result<Self> {
        let broken = |why: &str| -> DataFusionError { invalid(format!("Illegal replacement sequence: {text}: {why}")) };
        let mut parts = vec![];
        let mut literal = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => literal.push(chars.next().ok_or_else(|| broken("nothing follows the backslash"))?),
                '$' => {
                    let group = if chars.next_if_eq(&'{').is_some() {
                        let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                        pattern.group_named(&name).ok_or_else(|| broken(&format!("unknown group {{ {name} }}")))?
                    } else {
                        let digit = |c: char| c.to_digit(10).map(|d| d as usize);
                        let first =
                            chars.next().and_then(digit).ok_or_else(|| broken("no group follows the dollar sign"))?;
                        if first > pattern.groups() {
                            return Err(broken(&format!("unknown group {first}")));
                        }
                        // Further digits belong to the number as long as such a group exists.
                        let mut group = first;
                        while let Some(d) = chars.peek().copied().and_then(digit) {
                            if group * 10 + d > pattern.groups() {
                                break;
                            }
                            group = group * 10 + d;
                            chars.next();
                        }
                        group
                    };
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Group(group));
                }
                _ => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Template(parts))
    }

    /// Appends what replaces one match of `text`.
    pub(super) fn write(&self, text: &str, groups: &Groups<'_>, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(literal) => out.push_str(literal),
                Part::Group(n) => {
                    if let Some(range) = groups.get(*n) {
                        out.push_str(&text[range]);
                    }
                }
            }
        }
    }
}
