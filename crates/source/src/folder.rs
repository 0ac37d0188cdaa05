//! Log files on the local file system.
use crate::archive::{Archives, is_archive};
use crate::walk::{Entry, Level, Tree};
use crate::{Error, Result};
use cloudtarn_record::key::{FileName, Kind};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

/// The scheme of local files' addresses.
pub(crate) const SCHEME: &str = "file://";

/// What the name of a file ends in that holds the S3 metadata of the file beside it.
pub(crate) const SIDECAR: &str = ".metadata.json";

/// Whether a file holds the metadata of another, which `exists` in its folder; that of digests is never anything else.
pub(crate) fn is_sidecar(name: &str, exists: impl Fn(&str) -> bool) -> bool {
    let of = name.strip_suffix(SIDECAR);
    let digest = |of: &str| {
        let file = of.rsplit('/').next().unwrap_or(of);
        FileName::parse(file).is_some_and(|name| name.kind == Kind::Digest)
    };
    of.is_some_and(|of| digest(of) || exists(of))
}

/// The user metadata in what `aws s3api head-object` prints (or in its `Metadata` alone); nothing if it is something else.
pub(crate) fn metadata(json: &[u8]) -> Vec<(String, String)> {
    let document: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    let pairs = document.get("Metadata").unwrap_or(&document).as_object();
    let pairs = pairs.into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// A folder, or a single file, as one walk sees it.
#[derive(Debug)]
pub(crate) struct Folder {
    archives: Arc<Archives>,
    /// Folders that are walked: the root, and where links to folders outside it lead. Without links in them.
    entered: Mutex<Vec<PathBuf>>,
}

impl Folder {
    /// A walk of `root`, which must be canonical.
    pub(crate) fn new(root: PathBuf, archives: Arc<Archives>) -> Self {
        Self { archives, entered: Mutex::new(vec![root]) }
    }

    /// Whether to go into a folder that a link leads to. Each folder is walked once, which also ends every loop.
    fn enters(&self, link: &Path) -> Result<bool> {
        let target = fs::canonicalize(link).map_err(|source| io("follow", link, source))?;
        let mut entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        if entered.iter().any(|known| target.starts_with(known)) {
            return Ok(false);
        }
        if entered.iter().any(|known| known.starts_with(&target)) {
            return Err(Error::OverlappingLink { path: link.to_owned(), target });
        }
        entered.push(target);
        Ok(true)
    }

    fn list(&self, folder: &Path) -> Result<Level> {
        let listing = fs::read_dir(folder).map_err(|source| io("list", folder, source))?;
        let mut names = Vec::new();
        let mut level = Level::default();
        for item in listing {
            let item = item.map_err(|source| io("list", folder, source))?;
            match item.file_name().into_string() {
                Ok(name) if name.starts_with('.') => {}
                Ok(name) => names.push(name),
                Err(_) => level.files.push(Err(Error::NotUtf8 { path: item.path() })),
            }
        }
        names.sort_unstable();
        let exists = |of: &str| names.binary_search_by(|other| other.as_str().cmp(of)).is_ok();
        for name in names.iter().filter(|name| !is_sidecar(name, exists)).cloned() {
            let path = folder.join(&name);
            match self.place(&path, &mut level.files) {
                Ok(true) => level.folders.push(name),
                Ok(false) => {}
                Err(error) => level.files.push(Err(error)),
            }
        }
        Ok(level)
    }

    /// Adds a file to the files; true if it is a folder to go into. Pipes, sockets and devices are passed over.
    fn place(&self, path: &Path, files: &mut Vec<Result<Entry>>) -> Result<bool> {
        let metadata = fs::metadata(path).map_err(|source| io("read", path, source))?;
        if metadata.is_dir() {
            let link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
            return if link { self.enters(path) } else { Ok(true) };
        }
        if metadata.is_file() && is_archive(path) {
            match self.archives.entries(path, &tree_path(path)?) {
                Ok(entries) => files.extend(entries),
                Err(error) => files.push(Err(error)),
            }
        } else if metadata.is_file() {
            let version = version(&metadata);
            files.push(Ok(Entry { path: tree_path(path)?, version, size: metadata.len() }));
        }
        Ok(false)
    }
}

/// The version of a file, from its size and when it was last written.
pub(crate) fn version(metadata: &fs::Metadata) -> String {
    let written = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{}-{}", metadata.len(), written.unwrap_or_default().as_nanos())
}

/// A file's path in the tree whose root is the file system's.
pub(crate) fn tree_path(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| Error::NotUtf8 { path: path.to_owned() })?;
    Ok(text.trim_start_matches('/').to_owned())
}

/// The file at a path in that tree.
fn file_path(path: &str) -> PathBuf {
    Path::new("/").join(path)
}

pub(crate) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { doing, path: path.to_owned(), source }
}

/// Runs a listing where it may block.
async fn blocking<T: Send + 'static>(
    path: PathBuf,
    list: impl FnOnce(&Path) -> Result<T> + Send + 'static,
) -> Result<T> {
    let uri = format!("{SCHEME}{}", path.display());
    let done = tokio::task::spawn_blocking(move || list(&path)).await;
    done.unwrap_or_else(|_| Err(Error::Interrupted { uri }))
}

impl Tree for Arc<Folder> {
    async fn single(&self, path: &str) -> Result<Option<Vec<Result<Entry>>>> {
        let this = Self::clone(self);
        blocking(file_path(path), move |path| {
            let mut files = Vec::new();
            // The root is among the entered folders already, and is itself no link.
            let folder = this.place(path, &mut files)?;
            Ok((!folder).then_some(files))
        })
        .await
    }

    async fn level(&self, folder: &str) -> Result<Level> {
        let this = Self::clone(self);
        blocking(file_path(folder), move |folder| this.list(folder)).await
    }

    fn uri(&self, path: &str) -> String {
        format!("{SCHEME}/{path}")
    }

    /// One at a time: disks gain little from more, and links are then met in the same order every time.
    fn width(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests;
