//! Stems of words, by the Snowball algorithms.

use arrow::array::ArrayRef;
use datafusion_common::Result;
use rust_stemmers::{Algorithm, Stemmer};

use crate::columns::{Call, invalid, known};

/// Languages by their ISO 639-1 codes.
const LANGUAGES: [(&str, Algorithm); 15] = [
    ("da", Algorithm::Danish),
    ("de", Algorithm::German),
    ("en", Algorithm::English),
    ("es", Algorithm::Spanish),
    ("fi", Algorithm::Finnish),
    ("fr", Algorithm::French),
    ("hu", Algorithm::Hungarian),
    ("it", Algorithm::Italian),
    ("nl", Algorithm::Dutch),
    ("no", Algorithm::Norwegian),
    ("pt", Algorithm::Portuguese),
    ("ro", Algorithm::Romanian),
    ("ru", Algorithm::Russian),
    ("sv", Algorithm::Swedish),
    ("tr", Algorithm::Turkish),
];

pub(super) fn word_stem(call: &Call) -> Result<ArrayRef> {
    let word = call.text(0)?;
    let language = if call.len() > 1 { Some(call.text(1)?) } else { None };
    let mut stemmer: Option<(String, Stemmer)> = None;
    call.written(|i, out| {
        let word = known!(word.get(i));
        let language = match &language {
            Some(language) => known!(language.get(i)),
            None => "en",
        };
        let stemmer = match &mut stemmer {
            Some((of, stemmer)) if of == language => stemmer,
            slot => {
                let Some((_, algorithm)) = LANGUAGES.iter().find(|(code, _)| *code == language) else {
                    let codes = LANGUAGES.map(|(code, _)| code).join(", ");
                    return Err(invalid(format!("Unknown stemmer language: {language}; known are {codes}")));
                };
                &mut slot.insert((language.to_owned(), Stemmer::create(*algorithm))).1
            }
        };
        out.push_str(&stemmer.stem(word));
        Ok(Some(()))
    })
}
