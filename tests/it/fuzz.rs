//! Statements gone wrong: whatever is asked, there is an answer or an error, soon.
//!
//! A fixed number of statements from a fixed seed, or as many as fit into CLOUDTARN_FUZZ_SECONDS, which is the seed then.
//! A failure prints the statement.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloudtarn_query::{Limits, Session};
use futures::{FutureExt, StreamExt};

use crate::dice::Dice;

/// Statements of a run without CLOUDTARN_FUZZ_SECONDS.
const STATEMENTS: u64 = 1_500;
/// A statement that takes as long hangs; far more than the slowest one needs on a machine that does other things besides.
const SLOW: Duration = Duration::from_secs(60);
const ROWS: usize = 10_000;
/// Growth of the process beyond this is no working memory of small statements, in KiB.
const GROWTH: u64 = 3 << 20;

/// The statements of tests/slt and of queries, as tokens.
fn corpus() -> Vec<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut statements = Vec::new();
    for entry in std::fs::read_dir(root.join("tests/slt")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for record in text.split("\n\n") {
            let sql = record.split("\n----").next().unwrap();
            if let Some((_, sql)) = sql.split_once('\n') {
                statements.push(tokens(sql));
            }
        }
    }
    assert!(statements.len() > 400, "{}", statements.len());
    // The order of a folder is the file system's, that of a seeded run must not be.
    statements.sort();
    statements
}

fn tokens(sql: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        let mut token = String::from(c);
        if c.is_alphanumeric() || c == '_' {
            while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                token.push(c);
            }
        } else if c == '\'' || c == '"' {
            for next in chars.by_ref() {
                token.push(next);
                if next == c {
                    break;
                }
            }
        }
        out.push(token);
    }
    out
}

fn literal(dice: &mut Dice) -> String {
    let strange = [
        "NULL",
        "0",
        "-1",
        "9223372036854775807",
        "9223372036854775808",
        "1e400",
        "1e-400",
        "nan()",
        "''",
        "'\u{0}'",
        "'🦀'",
        "''''",
        "TRUE",
        "DATE '9999-12-31'",
        "DATE '-9999-01-01'",
        "TIMESTAMP '1582-10-15 00:00:00'",
        "INTERVAL '999999999' DAY",
        "X''",
        "X'FF'",
        "U&'\\+10FFFF'",
        "DECIMAL '99999999999999999999999999999999999999'",
        "ARRAY[]",
        "map()",
        "ROW(1)",
        "JSON '{}'",
        "x -> x",
        "(SELECT 1)",
        "*",
        "infinity()",
        "REAL '-0.0'",
        "TINYINT '-128'",
        "2147483648",
        "'%'",
        "'\\'",
        "'$.a[?(@.b'",
        "'(a+)+$'",
        "'9999-99-99'",
        "\"\"",
        "$EDS_ID",
        "?",
        ";",
        "--",
        "/*",
        "\u{202e}",
        "\u{feff}",
        "0x",
        "1.",
        ".5.5",
    ];
    (*dice.of(&strange)).to_owned()
}

fn mutate(dice: &mut Dice, corpus: &[Vec<String>]) -> String {
    let mut tokens = dice.of(corpus).clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(tokens.len());
        match dice.below(13) {
            0 | 1 if tokens.len() > 1 => drop(tokens.remove(at)),
            2 if !tokens.is_empty() => {
                let again = tokens[at].clone();
                tokens.insert(at, again);
            }
            3 if !tokens.is_empty() => {
                let other = dice.below(tokens.len());
                tokens.swap(at, other);
            }
            4 | 5 => {
                let other = dice.of(corpus);
                let from = dice.below(other.len());
                let piece = other[from..].iter().take(1 + dice.below(12)).cloned();
                tokens.splice(at..at, piece.collect::<Vec<_>>());
            }
            6..=8 if !tokens.is_empty() => tokens[at] = literal(dice),
            9 => {
                let deepest = if dice.below(50) == 0 { 4_000 } else { 40 };
                let depth = 1 + dice.below(deepest);
                let (open, close) = *dice.of(&[
                    ("(", ")"),
                    ("ARRAY[", "]"),
                    ("NOT ", ""),
                    ("- ", ""),
                    ("(SELECT ", ")"),
                    ("abs(", ")"),
                    ("CASE WHEN true THEN ", " END"),
                ]);
                tokens.insert(at, open.repeat(depth));
                let end = (at + 2).min(tokens.len());
                tokens.insert(end, close.repeat(depth));
            }
            10 => tokens.insert(at, (*dice.of(&["(", ")", "[", "]", "'", "\"", "{", "}", ","])).to_owned()),
            11 => tokens.insert(at, dice.of(&["x", "é", "\"", "1", "a."]).repeat(1 + dice.below(3_000))),
            _ => tokens.truncate(at.max(1)),
        }
    }
    tokens.concat()
}

/// Resident memory of this process in KiB, where the system tells.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn no_statement_panics_or_hangs() {
    let seconds: Option<u64> = std::env::var("CLOUDTARN_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    let limits = Limits { memory: 256 << 20, time: Some(Duration::from_secs(5)), threads: 1, ..Limits::default() };
    let session = Arc::new(Session::new(None, limits).unwrap());
    let threads = crate::slt::threads();
    let (corpus, mut dice) = (corpus(), Dice(seconds.unwrap_or(5)));
    let (start, before) = (Instant::now(), resident());
    let (mut tried, mut answered, mut failures) = (0_u64, 0_u64, Vec::new());
    while seconds.map_or(tried < STATEMENTS, |seconds| start.elapsed() < Duration::from_secs(seconds)) {
        let sql = mutate(&mut dice, &corpus);
        let (session, asked) = (Arc::clone(&session), sql.clone());
        // Written before it runs: a stack that overflows ends the process.
        if let Ok(path) = std::env::var("CLOUDTARN_FUZZ_LAST") {
            std::fs::write(path, &sql).unwrap();
        }
        let begun = Instant::now();
        let work = threads.spawn(
            AssertUnwindSafe(async move {
                let mut query = session.query(&asked).await?;
                let mut rows = 0;
                while let Some(batch) = query.next().await {
                    rows += batch?.num_rows();
                    if rows > ROWS {
                        break;
                    }
                }
                Ok::<_, cloudtarn_query::Error>(rows)
            })
            .catch_unwind(),
        );
        let ended = threads.block_on(async { tokio::time::timeout(SLOW, work).await });
        tried += 1;
        let failure = match ended {
            Err(_) => Some("hangs".to_owned()),
            Ok(Err(e)) => Some(format!("ends the task: {e}")),
            Ok(Ok(Err(_))) => Some("panics".to_owned()),
            Ok(Ok(Ok(answer))) => {
                answered += u64::from(answer.is_ok());
                (begun.elapsed() > SLOW).then(|| "is slow".to_owned())
            }
        };
        if let Some(failure) = failure {
            let hangs = failure == "hangs";
            eprintln!("FOUND {failure} ({:?}): {sql}", begun.elapsed());
            failures.push(format!("{failure}: {sql}"));
            if hangs || failures.len() >= 200 {
                break;
            }
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < GROWTH, "{grown} KiB more after: {sql}");
    }
    eprintln!("{tried} statements, {answered} of them answered, {} failures", failures.len());
    // The pool would wait for a thread that hangs.
    threads.shutdown_background();
    assert!(answered > 0, "no statement of {tried} was answered");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
