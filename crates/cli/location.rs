//! Where the store is.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// The option that every command with a store has.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Location {
    /// Folder of the store [default: `cloudtarn` in `$XDG_DATA_HOME`, which is `~/.local/share` if unset]
    #[arg(long, value_name = "DIR", env = "CLOUDTARN_STORE", hide_env_values = true)]
    store: Option<PathBuf>,
}

impl Location {
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self { store: Some(folder) }
    }

    /// The folder, which need not exist.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        if let Some(folder) = &self.store {
            return Ok(folder.clone());
        }
        let absolute = |variable| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
        match data {
            Some(data) => Ok(data.join("cloudtarn")),
            None => bail!("neither XDG_DATA_HOME nor HOME is set: name the store's folder with --store"),
        }
    }
}
