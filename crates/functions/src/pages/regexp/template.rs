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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::pattern::Patterns;
    use super::*;

    fn replaced(text: &str, pattern: &str, template: &str) -> Result<String> {
        let pattern = Patterns::default().get(pattern)?;
        let template = Template::parse(template, &pattern)?;
        let mut out = String::new();
        pattern.each_match(text, 0, |groups| {
            template.write(text, groups, &mut out);
            Ok(true)
        })?;
        Ok(out)
    }

    #[test]
    fn groups_by_number_and_by_name() {
        assert_eq!(replaced("ab", "(a)(b)", "$2$1").unwrap(), "ba");
        assert_eq!(replaced("ab", "(?<x>a)b", "<${x}>").unwrap(), "<a>");
        assert_eq!(replaced("ab", "(a)|(b)", "[$1$2]").unwrap(), "[a][b]");
        // There is no eleventh group, so this is the first one and a digit.
        assert_eq!(replaced("a", "(a)", "$11").unwrap(), "a1");
        assert_eq!(replaced("a", "a", r"\$\\").unwrap(), r"$\");
    }

    #[test]
    fn broken_templates() {
        for template in ["$", "$x", "$1", "${y}", "\\"] {
            let e = replaced("a", "a", template).unwrap_err().to_string();
            assert!(e.contains("INVALID_FUNCTION_ARGUMENT"), "{template}: {e}");
        }
    }
}
