//! Entries of zip files as log files. Nothing is extracted to disk.
use crate::bundle::{BOMB, SEPARATOR, is_bomb, is_bundle};
use crate::folder::{io, is_sidecar, version};
use crate::walk::Entry;
use crate::{Error, Result};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Error as IoError, ErrorKind, Read, Result as IoResult, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use zip::ZipArchive;

/// Archives whose directories are kept between reads.
const OPEN: usize = 8;

/// Whether a file is a zip archive, by its name.
pub(crate) fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

/// What to do about an entry that is encrypted.
pub(crate) const ENCRYPTED: &str = "encrypted; unpack the archive with its password and give the folder instead";

/// Whether a file is hidden, or one of those that macOS adds to archives.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| (part.starts_with('.') && part != "..") || part == "__MACOSX")
}

/// Splits `…/x.zip!/entry`.
pub(crate) fn split(path: &str) -> Option<(&Path, &str)> {
    path.match_indices(SEPARATOR).find_map(|(at, _)| {
        let archive = Path::new(path.get(..at)?);
        is_archive(archive).then_some((archive, path.get(at + SEPARATOR.len()..)?))
    })
}

type Opened = ZipArchive<Positioned>;

/// Reads archives; a few stay open, and threads may read entries of one at the same time.
#[derive(Debug)]
pub(crate) struct Archives {
    max_entry_bytes: u64,
    open: Mutex<VecDeque<(PathBuf, String, Opened)>>,
}

impl Archives {
    pub(crate) fn new(max_entry_bytes: u64) -> Self {
        Self { max_entry_bytes, open: Mutex::default() }
    }

    /// The entries that are files, in the archive's order; `tree_path` is the archive's own path in the tree. Hidden
    /// files and what macOS adds to archives (`__MACOSX`) are passed over.
    pub(crate) fn entries(&self, archive: &Path, tree_path: &str) -> Result<Vec<Result<Entry>>> {
        let opened = self.open(archive)?;
        let stored = std::fs::metadata(archive).map_err(|source| io("read", archive, source))?.len();
        let mut unpacked = 0u64;
        let mut entries = Vec::new();
        for index in 0..opened.len() {
            let entry = opened.by_index_data(index).map_err(|error| broken(&uri(archive, None), &error))?;
            let Some(Ok(name)) = opened.name_for_index(index) else {
                return Err(broken(&uri(archive, None), &"an entry's name is not text"));
            };
            let beside = is_sidecar(&name, |of| opened.index_for_name(of).is_some());
            if !entry.is_file() || is_hidden(&name) || beside {
                continue;
            }
            unpacked = unpacked.saturating_add(entry.size());
            if is_bomb(stored, unpacked) {
                return Err(broken(&uri(archive, None), &BOMB));
            }
            let checked = self.check(&uri(archive, Some(&name)), &name, entry.encrypted(), entry.size());
            entries.push(checked.map(|()| Entry {
                path: format!("{tree_path}{SEPARATOR}{name}"),
                version: format!("{:08x}-{}", entry.crc32(), entry.size()),
                size: entry.size(),
            }));
        }
        Ok(entries)
    }

    fn check(&self, uri: &str, name: &str, encrypted: bool, size: u64) -> Result<()> {
        if encrypted {
            return Err(broken(uri, &ENCRYPTED));
        }
        // Bundles are unpacked as a stream, whatever their size.
        if !is_bundle(name) && size > self.max_entry_bytes {
            return Err(Error::EntryTooLarge { uri: uri.to_owned(), limit: self.max_entry_bytes });
        }
        Ok(())
    }

    /// Unpacks one entry. What comes out is held to the size that the archive's directory claims.
    pub(crate) fn read(&self, archive: &Path, name: &str) -> Result<Bytes> {
        let uri = uri(archive, Some(name));
        let mut opened = self.open(archive)?;
        let entry = opened.by_name(name).map_err(|error| broken(&uri, &error))?;
        self.check(&uri, name, false, entry.size())?;
        let claimed = entry.size();
        let mut bytes = Vec::with_capacity(usize::try_from(claimed.min(1 << 20)).unwrap_or_default());
        entry.take(claimed.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| broken(&uri, &error))?;
        if bytes.len() as u64 > claimed {
            return Err(broken(
                &uri,
                &"larger than the archive's directory says; the archive is damaged or made to harm",
            ));
        }
        Ok(bytes.into())
    }

    /// Lets `work` read an entry as a stream.
    pub(crate) fn with_entry(&self, archive: &Path, name: &str, work: impl FnOnce(&mut dyn Read)) -> Result<()> {
        let mut opened = self.open(archive)?;
        let mut entry = opened.by_name(name).map_err(|error| broken(&uri(archive, Some(name)), &error))?;
        work(&mut entry);
        Ok(())
    }

    fn open(&self, archive: &Path) -> Result<Opened> {
        let file = File::open(archive).map_err(|source| io("read", archive, source))?;
        let metadata = file.metadata().map_err(|source| io("read", archive, source))?;
        let version = version(&metadata);
        let known = |open: &VecDeque<(PathBuf, String, Opened)>| {
            open.iter().find(|(path, of, _)| path == archive && *of == version).map(|(.., opened)| opened.clone())
        };
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = known(&open) {
            return Ok(opened);
        }
        drop(open);
        let reader = Positioned { file: Arc::new(file), at: 0, size: metadata.len() };
        let opened = ZipArchive::new(reader).map_err(|error| broken(&uri(archive, None), &error))?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(path, ..)| path != archive);
        open.truncate(OPEN - 1);
        open.push_front((archive.to_owned(), version, opened.clone()));
        Ok(opened)
    }
}

fn uri(archive: &Path, entry: Option<&str>) -> String {
    let archive = archive.display();
    entry.map_or_else(|| format!("file://{archive}"), |name| format!("file://{archive}{SEPARATOR}{name}"))
}

fn broken(uri: &str, reason: &dyn std::fmt::Display) -> Error {
    Error::Archive { uri: uri.to_owned(), reason: reason.to_string() }
}

/// A file that is read at a position of its own, so that one open file serves several threads.
#[derive(Debug, Clone)]
struct Positioned {
    file: Arc<File>,
    at: u64,
    size: u64,
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.at)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Positioned {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| IoError::new(ErrorKind::InvalidInput, "a position before the start of the file"))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests;
