//! Files that are there wholly or not at all: written under a temporary name, synced, renamed, the folder synced.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::crash;
use crate::error::{Result, io};

/// What names end in while a file is being written; swept at the next start.
pub(crate) const TEMPORARY: &str = "tmp";

/// The temporary name of `path`.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(TEMPORARY);
    path.with_file_name(name)
}

/// Makes the folder and those above it, each durable.
pub(crate) fn create_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(io("creating folder", folder)(error)),
        _ => folder.parent().map_or(Ok(()), sync_folder),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(io("syncing folder", folder))
}

/// Syncs a file written under its temporary name and gives it its own. The folder must be synced after.
pub(crate) fn publish(file: &File, path: &Path) -> Result<()> {
    let kind = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    crash::point(&format!("{kind} written"))?;
    file.sync_all().map_err(io("syncing", path))?;
    crash::point(&format!("{kind} synced"))?;
    fs::rename(temporary(path), path).map_err(io("renaming to", path))?;
    crash::point(&format!("{kind} renamed"))
}

/// Writes a small file durably.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = temporary(path);
    let mut file = File::create(&name).map_err(io("creating", &name))?;
    file.write_all(bytes).map_err(io("writing", &name))?;
    publish(&file, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}
