//! `cloudtarn timeline` and `cloudtarn summary`: what somebody did, and who they are by it.

use std::io::{IsTerminal, Write};

use anyhow::{Result, bail};
use cloudtarn_query::Limits;
use cloudtarn_report::time::{Moment, Zone};
use cloudtarn_report::{As, Follow, Session, Step, Subject, csv_cell};
use comfy_table::{CellAlignment, ContentArrangement};

use crate::location::Location;
use crate::output::{complain, lined_table, printable};
use crate::query::session;
use crate::scope::ScopeArgs;
use crate::time::ZoneArg;
use crate::units;

/// How to take a text.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// A user, role, session or root, by ARN.
    Identity,
    /// An access key's id.
    Key,
    /// An address.
    Address,
    /// A resource, by ARN or name.
    Resource,
}

/// Who is meant.
#[derive(Debug, clap::Args)]
struct Who {
    /// ARN, access key id, address, or a resource's ARN or name.
    #[arg(value_name = "ARN|KEY|ADDRESS|NAME")]
    subject: String,
    /// Take it as this, whatever it looks like.
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<Kind>,
}

impl Who {
    fn subject(&self) -> Result<Subject> {
        let kind = self.kind.map(|kind| match kind {
            Kind::Identity => As::Identity,
            Kind::Key => As::Key,
            Kind::Address => As::Address,
            Kind::Resource => As::Resource,
        });
        Ok(Subject::of(&self.subject, kind)?)
    }
}

/// Forms of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Sessions for the eye.
    Text,
    /// One line a step; cells are never formulas.
    Csv,
    /// One JSON object a step.
    Ndjson,
}

/// The command line of `timeline`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn timeline 192.0.2.17
  cloudtarn timeline arn:aws:iam::111122223333:user/john.stiles --since 2026-03-03 --writes
  cloudtarn timeline AKIAIOSFODNN7EXAMPLE --output csv --timezone Europe/Berlin

Steps marked + are the first of their kind in the store: a call, Region, address, user agent or error not seen before.")]
pub(crate) struct Args {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    zone: ZoneArg,
    #[command(flatten)]
    location: Location,
    /// A break this long ends a session: 30m, 2h, 1d.
    #[arg(long, value_name = "TIME", default_value = "30m")]
    pause: Moment,
    /// Only calls that change something.
    #[arg(long)]
    writes: bool,
    /// Events to show at most.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: u64,
    /// Form of the timeline [default: text on a terminal, else CSV]
    #[arg(long, value_enum)]
    output: Option<Form>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let Moment::Ago(pause) = args.pause else { bail!("--pause is a length of time: write for instance 30m") };
    let zone = args.zone.timezone;
    let follow = Follow {
        subject: args.who.subject()?,
        scope: args.scope.resolve(zone)?,
        pause,
        limit: args.limit,
        writes_only: args.writes,
    };
    let (runtime, lake) = session(&args.location, Limits::default())?;
    let found = runtime.block_on(cloudtarn_report::timeline(&lake, &follow))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let terminal = std::io::stdout().is_terminal();
    match args.output.unwrap_or(if terminal { Form::Text } else { Form::Csv }) {
        Form::Text => {
            for (index, session) in found.sessions.iter().enumerate() {
                show(index + 1, session, zone, &mut out)?;
            }
        }
        Form::Csv => csv(&found.documents(zone), &mut out)?,
        Form::Ndjson => {
            for step in found.documents(zone) {
                writeln!(out, "{step}")?;
            }
        }
    }
    out.flush()?;
    let left = match found.left_out {
        0 => String::new(),
        more => format!("; {} more events were left out: raise --limit or narrow the time", units::count(more)),
    };
    complain(&format!(
        "{} {}: {} events in {} sessions{left}",
        follow.subject.kind(),
        printable(follow.subject.text()),
        units::count(found.events),
        units::count(found.sessions.len() as u64)
    ));
    Ok(())
}

fn show(number: usize, session: &Session, zone: Zone, out: &mut impl Write) -> Result<()> {
    let time = |time: Option<i64>| time.map_or_else(|| "no time".to_owned(), |time| zone.show(time));
    let (first, last) = (session.steps.first(), session.steps.last());
    writeln!(
        out,
        "Session {number}: {} to {}",
        time(first.and_then(|step| step.time)),
        time(last.and_then(|step| step.last))
    )?;
    let key = session.key.as_ref().map(|key| format!(", key {}", printable(key))).unwrap_or_default();
    writeln!(out, "  {}{key}, account {}", printable(&session.principal), printable(&session.account))?;
    writeln!(out, "  from {} with {}", printable(&session.address), printable(&session.agent))?;
    for step in &session.steps {
        writeln!(out, "  {}", line(step, zone))?;
    }
    writeln!(out)?;
    Ok(())
}

fn line(step: &Step, zone: Zone) -> String {
    let mark = if step.first_seen.is_empty() { ' ' } else { '+' };
    let time = step.time.map_or_else(String::new, |time| zone.show(time));
    let mut text = format!("{mark} {time}  {}", printable(&step.call));
    if step.times > 1 {
        text.push_str(&format!(" ×{}", step.times));
    }
    if let Some(error) = &step.error {
        text.push_str(&format!("  FAILED {}", printable(error)));
    }
    if let Some(touched) = &step.touched {
        text.push_str(&format!("  {}", printable(touched)));
    }
    text.push_str(&format!("  {}", printable(&step.region)));
    if !step.first_seen.is_empty() {
        text.push_str(&format!("  [new {}]", step.first_seen.join(", ")));
    }
    text
}

fn csv(steps: &[serde_json::Value], out: &mut impl Write) -> Result<()> {
    let names = [
        "session",
        "time",
        "last",
        "times",
        "call",
        "error",
        "region",
        "touched",
        "first_seen",
        "principal",
        "access_key",
        "address",
        "agent",
        "account",
        "event_id",
    ];
    writeln!(out, "{}", names.join(","))?;
    for step in steps {
        let cell = |name: &&str| match &step[*name] {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => csv_cell(text),
            serde_json::Value::Array(list) => {
                list.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        writeln!(out, "{}", names.iter().map(cell).collect::<Vec<_>>().join(","))?;
    }
    Ok(())
}

/// The command line of `summary`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn summary 192.0.2.17
  cloudtarn summary arn:aws:iam::111122223333:user/john.stiles --since 2026-03-03 --top 5
  cloudtarn summary AKIAIOSFODNN7EXAMPLE --json")]
pub(crate) struct SummaryArgs {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    zone: ZoneArg,
    #[command(flatten)]
    location: Location,
    /// Rows of each part at most.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// One JSON document instead of tables.
    #[arg(long)]
    json: bool,
}

pub(crate) fn summarize(args: &SummaryArgs) -> Result<()> {
    let zone = args.zone.timezone;
    let subject = args.who.subject()?;
    let scope = args.scope.resolve(zone)?;
    let (runtime, lake) = session(&args.location, Limits::default())?;
    let found = runtime.block_on(cloudtarn_report::summary(&lake, &subject, &scope, zone, args.top))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if args.json {
        writeln!(out, "{:#}", found.document())?;
        return Ok(());
    }
    let total = |name: &str| units::count(found.totals.number(0, name));
    let text = |name: &str| found.totals.text(0, name).unwrap_or_default();
    writeln!(out, "{} {}", found.subject.kind(), printable(found.subject.text()))?;
    if found.events() == 0 {
        writeln!(out, "  no events")?;
        return Ok(());
    }
    writeln!(out, "  {} events: {} succeeded, {} failed", total("events"), total("succeeded"), total("failed"))?;
    writeln!(out, "  {} to {}", text("first"), text("last"))?;
    writeln!(
        out,
        "  {} calls, {} principals, {} access keys, {} addresses, {} regions, {} accounts",
        total("calls"),
        total("principals"),
        total("keys"),
        total("addresses"),
        total("regions"),
        total("accounts")
    )?;
    for part in &found.parts {
        let mut table = lined_table();
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header([part.name, "events", "succeeded", "failed", "first", "last"]);
        for column in 1..4 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for row in &part.found.rows {
            table.add_row(row.iter().map(|value| value.text().map_or_else(String::new, |text| printable(&text))));
        }
        writeln!(out, "\n{table}")?;
    }
    out.flush()?;
    Ok(())
}
