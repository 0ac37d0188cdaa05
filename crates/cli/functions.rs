//! `cloudtarn functions`: what Lake SQL can call here.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Result, bail};
use cloudtarn_functions::Doc;
use cloudtarn_query::value::Value;
use cloudtarn_query::{Limits, Session};
use comfy_table::{ContentArrangement, Table};
use futures::StreamExt;
use serde_json::json;

/// The part of the compatibility page that people write; the functions go where the mark is.
const PAGE: &str = include_str!("../../docs/compatibility.in.md");
const MARK: &str = "<!-- functions -->\n";

/// The command line of `functions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn functions
  cloudtarn functions date_trunc")]
pub(crate) struct Args {
    /// Describe this function: signatures, and an example that is evaluated now.
    name: Option<String>,
    /// A table, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    output: Form,
    /// Write docs/compatibility.md.
    #[arg(long, hide = true, conflicts_with_all = ["name", "output"])]
    markdown: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Table,
    Json,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if args.markdown {
        write!(out, "{}", markdown())?;
        return Ok(());
    }
    let Some(name) = &args.name else {
        return list(args.output, &mut out);
    };
    let name = name.to_ascii_lowercase();
    let found: Vec<&Doc> = cloudtarn_functions::docs().filter(|doc| doc.name == name).collect();
    if found.is_empty() {
        let near: Vec<&str> = cloudtarn_functions::docs().map(|doc| doc.name).filter(|n| n.contains(&name)).collect();
        let like = if near.is_empty() { String::new() } else { format!("; like it: {}", near.join(", ")) };
        bail!("there is no function {name}{like} (`cloudtarn functions` lists all)");
    }
    let threads = crate::query::threads()?;
    let session = Session::new(None, Limits::default())?;
    for doc in found {
        let expression = expression(doc.example);
        let result = threads.block_on(evaluate(&session, expression));
        match args.output {
            Form::Table => {
                for signature in doc.signature.lines() {
                    writeln!(out, "{}", signature.trim())?;
                }
                writeln!(out, "page: {}", doc.page)?;
                match result {
                    Ok(text) => writeln!(out, "example: {expression} gives {}\n", text.as_deref().unwrap_or("NULL"))?,
                    // An example over an event data store's columns.
                    Err(_) => writeln!(out, "example: {expression}\n")?,
                }
            }
            Form::Json => {
                let mut line = json!({
                    "name": doc.name, "page": doc.page, "example": expression,
                    "signatures": doc.signature.lines().map(str::trim).collect::<Vec<_>>(),
                });
                if let Ok(text) = result {
                    line["result"] = json!(text);
                }
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}

fn list(form: Form, out: &mut impl Write) -> Result<()> {
    if form == Form::Json {
        for doc in cloudtarn_functions::docs() {
            let signatures: Vec<&str> = doc.signature.lines().map(str::trim).collect();
            writeln!(out, "{}", json!({"name": doc.name, "page": doc.page, "signatures": signatures}))?;
        }
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["function", "page", "signature"]);
    for docs in pages().values() {
        for doc in docs {
            table.add_row([doc.name, doc.page, &doc.signature.lines().map(str::trim).collect::<Vec<_>>().join("\n")]);
        }
    }
    writeln!(out, "{table}")?;
    Ok(())
}

/// The functions by page, both in order of name.
fn pages() -> BTreeMap<&'static str, Vec<&'static Doc>> {
    let mut pages: BTreeMap<&str, Vec<&Doc>> = BTreeMap::new();
    for doc in cloudtarn_functions::docs() {
        pages.entry(doc.page).or_default().push(doc);
    }
    for docs in pages.values_mut() {
        docs.sort_by_key(|doc| doc.name);
    }
    pages
}

/// What an example computes: its text up to the last ` = ` outside of quotes and brackets.
fn expression(example: &str) -> &str {
    let (mut depth, mut quoted, mut end) = (0_u32, false, example.len());
    for (i, c) in example.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '=' if depth == 0 && example[..i].ends_with(' ') => end = i - 1,
            _ => {}
        }
    }
    &example[..end]
}

async fn evaluate(session: &Session, expression: &str) -> cloudtarn_query::Result<Option<String>> {
    let mut query = session.query(&format!("SELECT {expression}")).await?;
    while let Some(batch) = query.next().await {
        let batch = batch?;
        if let Some(column) = batch.columns().first().filter(|column| !column.is_empty()) {
            return Ok(Value::of(column, 0).text());
        }
    }
    Ok(None)
}

/// The compatibility page.
fn markdown() -> String {
    let cell = |text: &str| format!("`{}`", text.replace('|', "\\|"));
    let (pages, count) =
        (pages(), cloudtarn_functions::docs().map(|doc| doc.name).collect::<std::collections::BTreeSet<_>>().len());
    let mut text =
        format!("{count} functions, by the pages of Trino's function reference. Their examples give what they say.\n");
    for (page, docs) in pages {
        text.push_str(&format!("\n### {page}\n\n| function | signatures | example |\n|---|---|---|\n"));
        for doc in docs {
            let signatures: Vec<String> = doc.signature.lines().map(|line| cell(line.trim())).collect();
            text.push_str(&format!("| {} | {} | {} |\n", doc.name, signatures.join("<br>"), cell(doc.example)));
        }
    }
    PAGE.replace(MARK, &text)
}
