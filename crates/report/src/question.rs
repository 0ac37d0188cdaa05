//! A question: one file of Lake SQL with front matter.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::attack::Technique;
use crate::error::{Error, Result};
use crate::statement::{self, Scope, Slot, quoted};

/// How much an answer with rows matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// An inventory: rows are no findings.
    Informational,
    /// Worth knowing.
    Low,
    /// Worth a look.
    Medium,
    /// Look today.
    High,
    /// Look now.
    Critical,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// `informational`, `low`, `medium`, `high`, `critical`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|severity| severity.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no severity: write informational, low, medium, high or critical"))
    }
}

/// Which calls a question's rows tell of: those that succeeded, or attempts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcomes {
    /// Only calls that succeeded.
    Succeeded,
    /// Both; a column `outcome` (`succeeded`, `attempted`), or two counts `succeeded` and `attempted`, tells which.
    Both,
    /// Only calls that failed.
    Failed,
    /// It is about something else: volumes, versions, the log itself.
    Any,
}

impl FromStr for Outcomes {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "succeeded" => Ok(Self::Succeeded),
            "both" => Ok(Self::Both),
            "failed" => Ok(Self::Failed),
            "any" => Ok(Self::Any),
            _ => Err(format!("`{text}` is no outcome: write succeeded, both, failed or any")),
        }
    }
}

/// Type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// One text.
    Text,
    /// Texts, separated by commas.
    List,
}

impl Kind {
    /// `integer`, `number`, `text`, `list`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Text => "text",
            Self::List => "list",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Integer, Self::Number, Self::Text, Self::List].into_iter().find(|kind| kind.as_str() == text)
    }

    /// SQL of a value that a person wrote.
    fn literal(self, value: &str) -> std::result::Result<String, String> {
        let number = value.trim();
        match self {
            Self::Integer if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => Ok(number.to_owned()),
            Self::Integer => Err(format!("`{value}` is no whole number")),
            Self::Number if number.parse::<f64>().is_ok_and(|n| n.is_finite() && n >= 0.0 && !number.contains('e')) => {
                Ok(number.to_owned())
            }
            Self::Number => Err(format!("`{value}` is no number")),
            Self::Text => Ok(quoted(value)),
            Self::List => {
                let values: Vec<String> =
                    value.split(',').map(str::trim).filter(|v| !v.is_empty()).map(quoted).collect();
                if values.is_empty() { Err("an empty list".to_owned()) } else { Ok(format!("({})", values.join(", "))) }
            }
        }
    }

    /// The value that a literal of the SQL writes, as a person would write it.
    fn value(self, literal: &str) -> Option<String> {
        let unquoted = |text: &str| {
            let text = text.trim();
            Some(text.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))
        };
        match self {
            Self::Integer | Self::Number => self.literal(literal).ok(),
            Self::Text => unquoted(literal),
            Self::List => {
                let inner = literal.strip_prefix('(')?.strip_suffix(')')?;
                let values: Option<Vec<String>> = inner.split(',').map(unquoted).collect();
                Some(values?.join(","))
            }
        }
    }
}

/// A value that a question takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name, as the SQL's comments and the command line write it.
    pub name: String,
    /// Type.
    pub kind: Kind,
    /// The value in the file, as a person would write it.
    pub default: String,
    /// What it does.
    pub about: String,
}

/// Values for parameters by name; every other one has its default.
pub type Values = BTreeMap<String, String>;

/// A question.
#[derive(Debug, Clone)]
pub struct Question {
    /// `pack/question`: folder and file without `.sql`.
    pub name: String,
    /// A headline.
    pub title: String,
    /// What the rows tell.
    pub answers: String,
    /// How much rows matter.
    pub severity: Severity,
    /// MITRE ATT&CK techniques with the tactic that they serve here.
    pub techniques: Vec<Technique>,
    /// Which calls the rows tell of.
    pub outcomes: Outcomes,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// What it takes, in the order of the front matter.
    pub parameters: Vec<Parameter>,
    /// Where to read more.
    pub references: Vec<String>,
    /// The statement, without front matter.
    pub sql: String,
    slots: Vec<Slot>,
}

impl Question {
    /// Reads a question's file.
    ///
    /// # Errors
    /// [`Error::Question`] with the line for front matter that lacks something or says something unknown.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let wrong = |line: usize, reason: String| Error::Question { file: name.to_owned(), line, reason };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut fields, mut body) = (Fields::default(), 0);
        let mut offset = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let Some(comment) = line.trim_end().strip_prefix("--") else { break };
            offset += line.len();
            body = index + 1;
            let (key, value) = comment.split_once(':').ok_or_else(|| {
                wrong(
                    index + 1,
                    "front matter is `-- key: value`; other comments belong below the first line of SQL".into(),
                )
            })?;
            fields.take(key.trim(), value.trim()).map_err(|reason| wrong(index + 1, reason))?;
        }
        let sql = text[offset..].trim().trim_end_matches(';').trim_end().to_owned();
        if sql.is_empty() {
            return Err(wrong(body + 1, "no statement below the front matter".to_owned()));
        }
        let slots = statement::slots(&sql)
            .map_err(|slot| wrong(body + 1, format!("no number, text or list stands before `/* :{slot} */`")))?;
        let missing = |key: &str| wrong(1, format!("the front matter has no `-- {key}: …`"));
        let mut parameters = Vec::new();
        for (line, name, kind, about) in fields.parameters {
            let slot = slots.iter().find(|slot| slot.name == name);
            let slot = slot.ok_or_else(|| wrong(line, format!("the SQL has no `/* :{name} */`")))?;
            let literal = &sql[slot.literal.clone()];
            let default =
                kind.value(literal).ok_or_else(|| wrong(line, format!("`{literal}` is no {}", kind.as_str())))?;
            parameters.push(Parameter { name, kind, default, about });
        }
        if let Some(slot) = slots.iter().find(|slot| !parameters.iter().any(|p| p.name == slot.name)) {
            let reason = format!("the front matter has no `-- parameter: {} TYPE: …`", slot.name);
            return Err(wrong(body + 1, reason));
        }
        Ok(Self {
            name: name.to_owned(),
            title: fields.title.ok_or_else(|| missing("title"))?,
            answers: fields.answers.ok_or_else(|| missing("answers"))?,
            severity: fields.severity.ok_or_else(|| missing("severity"))?,
            outcomes: fields.outcomes.ok_or_else(|| missing("outcomes"))?,
            techniques: fields.techniques,
            tags: fields.tags,
            parameters,
            references: fields.references,
            sql,
            slots,
        })
    }

    /// The pack: the folder of its file.
    pub fn pack(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(pack, _)| pack)
    }

    /// Do rows tell of something to look at, rather than take stock?
    pub fn is_detection(&self) -> bool {
        self.severity > Severity::Informational
    }

    /// The statement with these values for its parameters, asked about a part of the store.
    ///
    /// # Errors
    /// [`Error::Parameter`] for values that do not fit; names that the question lacks are passed over (see
    /// [`crate::Library::check`]).
    pub fn statement(&self, values: &Values, scope: &Scope) -> Result<String> {
        let mut with = Vec::new();
        for slot in &self.slots {
            let (Some(value), Some(parameter)) =
                (values.get(&slot.name), self.parameters.iter().find(|p| p.name == slot.name))
            else {
                continue;
            };
            let literal =
                parameter.kind.literal(value).map_err(|reason| Error::Parameter { name: slot.name.clone(), reason })?;
            with.push((slot.literal.clone(), literal));
        }
        Ok(scope.apply(&statement::replace(&self.sql, &with)))
    }
}

#[derive(Default)]
struct Fields {
    title: Option<String>,
    answers: Option<String>,
    severity: Option<Severity>,
    outcomes: Option<Outcomes>,
    techniques: Vec<Technique>,
    tags: Vec<String>,
    parameters: Vec<(usize, String, Kind, String)>,
    references: Vec<String>,
    lines: usize,
}

impl Fields {
    fn take(&mut self, key: &str, value: &str) -> std::result::Result<(), String> {
        self.lines += 1;
        if value.is_empty() {
            return Err(format!("`{key}` says nothing"));
        }
        let list = || value.split(',').map(str::trim).filter(|v| !v.is_empty());
        match key {
            "title" => self.title = Some(value.to_owned()),
            "answers" => self.answers = Some(value.to_owned()),
            "severity" => self.severity = Some(value.parse()?),
            "outcomes" => self.outcomes = Some(value.parse()?),
            "mitre" => {
                for technique in list() {
                    self.techniques.push(technique.parse()?);
                }
            }
            "tags" => self.tags.extend(list().map(str::to_owned)),
            "reference" => self.references.push(value.to_owned()),
            "parameter" => {
                let (head, about) = value.split_once(':').ok_or("write `-- parameter: NAME TYPE: what it does`")?;
                let (name, kind) =
                    head.trim().split_once(' ').ok_or("write `-- parameter: NAME TYPE: what it does`")?;
                let kind = Kind::parse(kind.trim())
                    .ok_or_else(|| format!("`{kind}` is no type: write integer, number, text or list"))?;
                self.parameters.push((self.lines, name.to_owned(), kind, about.trim().to_owned()));
            }
            _ => {
                return Err(format!(
                    "`{key}` is unknown: there are title, answers, severity, outcomes, mitre, tags, parameter and reference"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEXT: &str = "-- title: Guesses\n-- answers: Who guessed?\n-- severity: high\n-- outcomes: failed\n-- mitre: TA0006:T1110\n\
        -- tags: iam, console\n-- parameter: failures integer: Fewest failures\n-- parameter: users list: Whose\n\
        SELECT 1 FROM $EDS_ID WHERE u IN ('a', 'b') /* :users */ HAVING count(*) >= 10 /* :failures */;\n";

    #[test]
    fn a_file_says_everything() {
        let question = Question::parse("console/guesses", TEXT).unwrap();
        assert_eq!(
            (question.pack(), question.severity, question.outcomes),
            ("console", Severity::High, Outcomes::Failed)
        );
        assert_eq!(question.tags, ["iam", "console"]);
        let defaults: Vec<&str> = question.parameters.iter().map(|p| p.default.as_str()).collect();
        assert_eq!(defaults, ["10", "a,b"]);
        let values = Values::from([("failures".into(), "3".into()), ("users".into(), "x, y'z".into())]);
        let sql = question.statement(&values, &Scope::default()).unwrap();
        assert_eq!(
            sql,
            "SELECT 1 FROM $EDS_ID WHERE u IN ('x', 'y''z') /* :users */ HAVING count(*) >= 3 /* :failures */"
        );
        let values = Values::from([("failures".into(), "1 OR 1=1".into())]);
        assert!(question.statement(&values, &Scope::default()).is_err());
    }

    #[test]
    fn what_is_wrong_has_a_line() {
        let broken = |from: &str, to: &str| Question::parse("q", &TEXT.replace(from, to)).unwrap_err().to_string();
        assert!(broken("severity: high", "severity: loud").starts_with("q, line 3: `loud` is no severity"));
        assert!(broken("-- title: Guesses\n", "").contains("has no `-- title"));
        assert!(broken("tags", "labels").starts_with("q, line 6: `labels` is unknown"));
        assert!(broken("TA0006:T1110", "TA0006:T110").starts_with("q, line 5"));
        assert!(broken("10 /* :failures */", "10").contains("the SQL has no `/* :failures */`"));
        assert!(broken("10 /* :failures */", "'x' /* :failures */").contains("`'x'` is no integer"));
        assert!(broken("-- parameter: users list: Whose\n", "").contains("no `-- parameter: users"));
    }
}
