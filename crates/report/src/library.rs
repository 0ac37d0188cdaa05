//! All questions there are: those in the program, and those of folders.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::question::{Question, Severity, Values};

/// The files of `queries/`: name and text.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/questions.rs"));

/// Questions, by name.
#[derive(Debug, Clone)]
pub struct Library {
    questions: Vec<Question>,
}

/// Which questions are meant; every condition must hold.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Packs and questions by name; `all`, or nothing, for every one.
    pub names: Vec<String>,
    /// Questions with at least one of these tags.
    pub tags: Vec<String>,
    /// Questions of this severity or more.
    pub severity: Option<Severity>,
}

impl Library {
    /// The questions in the program.
    ///
    /// # Errors
    /// None that a test would not have found.
    pub fn built_in() -> Result<Self> {
        let questions = BUILT_IN.iter().map(|(name, text)| Question::parse(name, text)).collect::<Result<_>>()?;
        Ok(Self { questions })
    }

    /// The program's, and those of folders; a folder's question replaces another of its name.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Question`].
    pub fn with_folders(folders: &[PathBuf]) -> Result<Self> {
        let mut library = Self::built_in()?;
        for folder in folders {
            library.add(Self::folder(folder)?);
        }
        Ok(library)
    }

    /// The questions of a folder's `.sql` files, each named by its path in it.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Question`].
    pub fn folder(root: &Path) -> Result<Self> {
        let reading = |path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::Io { action: "reading", path, source }
        };
        let (mut folders, mut files) = (vec![root.to_path_buf()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(reading(&folder))? {
                let path = entry.map_err(reading(&folder))?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "sql") {
                    files.push(path);
                }
            }
        }
        let mut questions = Vec::with_capacity(files.len());
        for file in files {
            let text = fs::read_to_string(&file).map_err(reading(&file))?;
            let inside = file.strip_prefix(root).unwrap_or(&file).with_extension("");
            let name = inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
            questions.push(Question::parse(&name, &text)?);
        }
        questions.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { questions })
    }

    fn add(&mut self, other: Self) {
        self.questions.retain(|own| !other.questions.iter().any(|question| question.name == own.name));
        self.questions.extend(other.questions);
        self.questions.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Every question, by name.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The questions meant, by name.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that is neither a pack nor a question.
    pub fn select(&self, selection: &Selection) -> Result<Vec<&Question>> {
        let all = selection.names.is_empty() || selection.names.iter().any(|name| name == "all");
        let is = |question: &Question, name: &str| question.name == name || question.pack() == name;
        for name in selection.names.iter().filter(|name| *name != "all") {
            if !self.questions.iter().any(|question| is(question, name)) {
                return Err(self.unknown(name));
            }
        }
        let meant = |question: &&Question| {
            (all || selection.names.iter().any(|name| is(question, name)))
                && (selection.tags.is_empty() || selection.tags.iter().any(|tag| question.tags.contains(tag)))
                && selection.severity.is_none_or(|least| question.severity >= least)
        };
        Ok(self.questions.iter().filter(meant).collect())
    }

    fn unknown(&self, name: &str) -> Error {
        let names = self.questions.iter().flat_map(|q| [q.name.as_str(), q.pack(), file(q)]);
        let near = names.map(|known| (strsim::jaro_winkler(known, name), known));
        let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.8);
        let near = near.map(|(_, near)| self.questions.iter().find(|q| file(q) == near).map_or(near, |q| &q.name));
        Error::Unknown { name: name.to_owned(), near: near.map(str::to_owned) }
    }

    /// Does each value belong to a parameter of at least one of the questions?
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that does not, with those that there are.
    pub fn check(questions: &[&Question], values: &Values) -> Result<()> {
        for name in values.keys() {
            let known: Vec<&str> = questions.iter().flat_map(|q| &q.parameters).map(|p| p.name.as_str()).collect();
            if !known.contains(&name.as_str()) {
                let reason = match known.is_empty() {
                    true => "none of the questions takes a parameter".to_owned(),
                    false => format!("the questions take {}", known.join(", ")),
                };
                return Err(Error::Parameter { name: name.clone(), reason });
            }
        }
        Ok(())
    }
}

/// A question's name without its pack.
fn file(question: &Question) -> &str {
    question.name.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_program_has_its_packs() {
        let library = Library::built_in().unwrap();
        assert!(library.questions().len() >= 60);
        let packs: std::collections::BTreeSet<&str> = library.questions().iter().map(Question::pack).collect();
        assert!(packs.len() >= 19, "{packs:?}");
    }

    #[test]
    fn questions_are_chosen_by_name_tag_and_severity() {
        let library = Library::built_in().unwrap();
        let select = |names: &[&str], tags: &[&str], severity| {
            let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
            library.select(&Selection { names: owned(names), tags: owned(tags), severity })
        };
        let console = select(&["console"], &[], None).unwrap();
        assert!(console.len() > 2 && console.iter().all(|q| q.pack() == "console"));
        assert_eq!(select(&["all"], &[], None).unwrap().len(), library.questions().len());
        let severe = select(&[], &[], Some(Severity::Critical)).unwrap();
        assert!(!severe.is_empty() && severe.iter().all(|q| q.severity == Severity::Critical));
        let error = select(&["sign-in-failure"], &[], None).unwrap_err().to_string();
        assert!(error.contains("did you mean `console/sign-in-failures`"), "{error}");
    }
}
