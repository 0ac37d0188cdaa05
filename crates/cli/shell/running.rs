//! One statement: its progress, its end by Ctrl-C, and how its rows are shown.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use cloudtarn_query::{Session, Statistics, Watch};
use cloudtarn_report::time::Zone;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Runtime;

use crate::output::{self, Care, Format};
use crate::units;

/// Nothing is drawn for statements that end sooner.
const SOON: Duration = Duration::from_millis(400);

/// Runs a statement; `None` if Ctrl-C ended it.
pub(super) fn run(
    session: &Arc<Session>,
    runtime: &Runtime,
    sql: &str,
    format: Format,
    zone: Zone,
    care: Care,
) -> Result<Option<(Vec<u8>, Statistics)>> {
    let (started, watch) = tokio::sync::oneshot::channel();
    let (session, sql) = (Arc::clone(session), sql.to_owned());
    let mut task = runtime.spawn(async move {
        let mut query = session.query(&sql).await?;
        // Nobody may be watching any more.
        let _ = started.send(query.watch());
        let mut bytes = Vec::new();
        output::write(&mut query, format, zone, care, &mut bytes).await?;
        anyhow::Ok((bytes, query.statistics()))
    });
    runtime.block_on(async {
        let progress = tokio::spawn(progress(watch));
        let ended = tokio::select! {
            ended = &mut task => Some(ended),
            _ = tokio::signal::ctrl_c() => None,
        };
        progress.abort();
        let _ = progress.await;
        match ended {
            Some(done) => done.context("the query broke off")?.map(Some),
            None => {
                task.abort();
                let _ = task.await;
                Ok(None)
            }
        }
    })
}

/// Draws how far the query is until it is aborted.
async fn progress(watch: tokio::sync::oneshot::Receiver<Watch>) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let Ok(watch) = watch.await else { return };
    tokio::time::sleep(SOON).await;
    let bar = ProgressBar::new(watch.events().unwrap_or(0));
    let style = ProgressStyle::with_template("{percent:>3} % {wide_bar} {msg} {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let bar = Finish(bar);
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        let done = watch.statistics();
        let speed = done.events_scanned as f64 / done.elapsed.as_secs_f64().max(0.001);
        bar.0.set_position(done.events_scanned);
        bar.0.set_message(format!(
            "{} events, {} events/s",
            units::count(done.events_scanned),
            units::count(speed as u64)
        ));
    }
}

/// Takes the bar off the terminal however its task ends.
struct Finish(ProgressBar);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Prints a result, through a pager where it does not fit the terminal.
pub(super) fn show(bytes: &[u8], pager: bool) -> Result<()> {
    let size = if pager { crossterm::terminal::size().ok() } else { None };
    let too_large = size.is_some_and(|(width, height)| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().count() + 2 > usize::from(height)
            || text.lines().any(|line| line.chars().count() > usize::from(width))
    });
    if too_large && page(bytes).is_ok() {
        return Ok(());
    }
    let mut out = std::io::stdout();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// `PAGER`, else `less`, which is told to cut long lines, not to fold them.
fn page(bytes: &[u8]) -> std::io::Result<()> {
    let pager = std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty());
    let pager = pager.unwrap_or_else(|| "less".to_owned());
    let mut words = pager.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("less"));
    command.args(words).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "SRX");
    }
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // The reader may leave before the end.
        let _ = input.write_all(bytes);
    }
    child.wait()?;
    Ok(())
}
