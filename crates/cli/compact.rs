//! `cloudtarn compact`: few large data files instead of many smaller ones.

use std::io::Write;

use anyhow::Result;
use cloudtarn_store::{Compacted, Store, When};

use crate::location::Location;
use crate::units;

/// The command line of `compact`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn compact
  cloudtarn compact --store /evidence/case-7 --eds default

Files that lie next to each other in time become one of up to a million events, with like events of all of them together:
questions that read few kinds of events then open few row groups. A store of ten million events takes half a minute and 550 MB.

Queries go on meanwhile and see the same events. Ingests merge by themselves where they leave many small files, but do not
write large ones again.")]
pub(crate) struct Args {
    #[command(flatten)]
    location: Location,
    /// Only this event data store: its name, UUID or ARN.
    #[arg(long, value_name = "NAME")]
    eds: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let store = Store::open(&args.location.folder()?)?;
    let event_data_stores = match &args.eds {
        Some(name) => vec![store.event_data_store(name)?],
        None => store.event_data_stores()?,
    };
    for eds in event_data_stores {
        let line = told(&store.compact(&eds, When::Always)?);
        writeln!(std::io::stderr(), "{}: {}", eds.name, line.as_deref().unwrap_or("nothing to merge"))?;
    }
    Ok(())
}

/// What was done, in words; `None` if nothing was.
pub(crate) fn told(compacted: &Compacted) -> Option<String> {
    if compacted.merged == 0 && compacted.removed == 0 {
        return None;
    }
    let mut text = format!(
        "merged {} data files ({}) into {} ({})",
        units::count(compacted.merged),
        units::bytes(compacted.merged_bytes),
        units::count(compacted.made),
        units::bytes(compacted.made_bytes),
    );
    if compacted.removed > 0 {
        text += &format!("; {} merged files removed", units::count(compacted.removed));
    }
    if compacted.removed < compacted.merged {
        text += "; files that queries still read are removed later";
    }
    Some(text)
}
