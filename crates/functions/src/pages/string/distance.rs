//! Comparing texts as people see and hear them, and check digits.

use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use datafusion_common::Result;

use crate::columns::{Call, invalid, known};

/// Trino's bound on the work for one Levenshtein distance, in cells of the table.
const MOST_CELLS: usize = 1_000_000;

pub(super) fn levenshtein(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    call.numbers::<Int64Type>(|i| {
        let left: Vec<char> = known!(left.get(i)).chars().collect();
        let right: Vec<char> = known!(right.get(i)).chars().collect();
        if left.len().saturating_mul(right.len().saturating_sub(1)) > MOST_CELLS {
            return Err(invalid(
                "The combined inputs for Levenshtein distance are too large; shorten them with substr",
            ));
        }
        let mut costs: Vec<usize> = (0..=right.len()).collect();
        for (i, l) in left.iter().enumerate() {
            let mut diagonal = costs[0];
            costs[0] = i + 1;
            for (j, r) in right.iter().enumerate() {
                let replaced = diagonal + usize::from(l != r);
                diagonal = costs[j + 1];
                costs[j + 1] = replaced.min(costs[j] + 1).min(diagonal + 1);
            }
        }
        Ok(Some(costs[right.len()] as i64))
    })
}

pub(super) fn hamming(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    call.numbers::<Int64Type>(|i| {
        let (left, right) = (known!(left.get(i)), known!(right.get(i)));
        if left.chars().count() != right.chars().count() {
            return Err(invalid("The input strings to hamming_distance function must have the same length"));
        }
        Ok(Some(left.chars().zip(right.chars()).filter(|(l, r)| l != r).count() as i64))
    })
}

pub(super) fn luhn_check(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.booleans(|i| {
        let text = known!(text.get(i));
        if let Some(c) = text.chars().find(|c| !c.is_ascii_digit()) {
            return Err(invalid(format!("luhn_check takes digits only, not {c:?}")));
        }
        let digits = text.bytes().rev().map(|b| u64::from(b - b'0'));
        let sum: u64 = digits.enumerate().map(|(n, d)| if n % 2 == 1 { d * 2 / 10 + d * 2 % 10 } else { d }).sum();
        Ok(Some(sum.is_multiple_of(10) && !text.is_empty()))
    })
}

pub(super) fn soundex(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.texts(|i| {
        let text = known!(text.get(i));
        if let Some(c) = text.chars().find(|c| c.is_alphabetic() && !c.is_ascii()) {
            return Err(invalid(format!("The character is not mapped: {c}")));
        }
        Ok(Some(american_soundex(text)))
    })
}

/// The first letter and three digits; letters of one code in a row count once, also across H and W.
fn american_soundex(text: &str) -> String {
    const CODES: &[u8; 26] = b"01230120022455012623010202";
    let mut letters = text.bytes().filter(u8::is_ascii_alphabetic).map(|b| b.to_ascii_uppercase());
    let Some(first) = letters.next() else {
        return String::new();
    };
    let code = |letter: u8| CODES[usize::from(letter - b'A')];
    let mut out = String::from(char::from(first));
    let mut last = code(first);
    for letter in letters.filter(|l| !matches!(l, b'H' | b'W')) {
        let digit = code(letter);
        if digit != b'0' && digit != last {
            out.push(char::from(digit));
            if out.len() == 4 {
                break;
            }
        }
        last = digit;
    }
    while out.len() < 4 {
        out.push('0');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soundex_of_known_names() {
        for (name, code) in
            [("Robert", "R163"), ("Rupert", "R163"), ("Ashcraft", "A261"), ("Tymczak", "T522"), ("", "")]
        {
            assert_eq!(american_soundex(name), code);
        }
    }
}
