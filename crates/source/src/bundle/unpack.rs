//! Unpacks a bundle, bundles in it too.
use super::form::{self, Form};
use super::input::{Capped, Hashed, Parts};
use super::tar::{self, Tar};
use super::{Bundle, IN_MEMORY, Member, SEPARATOR, Unpacked, is_bundle};
use crate::layout::Step;
use crate::{Error, Filter, Kind, LogObject, Place, Source, archive, folder, layout, s3};
use bytes::Bytes;
use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use xxhash_rust::xxh3::xxh3_128;
use zip::ZipArchive;
use zip::result::ZipError;

/// The address of standard input; nothing else has one without a scheme.
pub(crate) const ADDRESS_OF_STDIN: &str = "stdin";
/// How deep bundles may lie in each other.
const DEPTH: usize = 3;
/// A zip archive larger than this, which is not a local file, goes to a temporary file.
const SPOOLED: usize = 64 << 20;
/// Bytes read at once.
const BUFFER: usize = 1 << 17;

/// Why unpacking ends early.
enum Stop {
    /// Nobody receives any more.
    Closed,
    /// It cannot be read now.
    Failed(Error),
    /// It makes no sense, and will not when read again.
    Damaged(String),
}

type Stopping<T = ()> = Result<T, Stop>;

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        // What the source says about itself is wrapped on its way through decoders; the rest is what they say.
        match error.downcast::<Error>() {
            Ok(error) => Self::Failed(error),
            Err(error) => Self::Damaged(error.to_string()),
        }
    }
}

impl From<tar::Damage> for Stop {
    fn from(damage: tar::Damage) -> Self {
        match damage {
            tar::Damage::Io(error) => error.into(),
            tar::Damage::Nonsense { offset, reason } => Self::Damaged(format!("{reason} (at byte {offset})")),
        }
    }
}

impl From<ZipError> for Stop {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Io(error) => error.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

/// Unpacks to `send`; the thread's work.
pub(super) fn run(source: &Source, object: LogObject, filter: Filter, handle: &Handle, send: mpsc::Sender<Unpacked>) {
    let (tree_path, root) = match &source.0 {
        Place::Local { root, .. } => {
            let path = object.uri.strip_prefix(folder::SCHEME).unwrap_or(&object.uri);
            (path.trim_start_matches('/').to_owned(), root.to_string_lossy().into_owned())
        }
        Place::S3 { root, .. } => {
            let key = s3::split(&object.uri).map_or("", |(_, key)| key);
            (key.to_owned(), root.clone())
        }
        Place::Stdin => (ADDRESS_OF_STDIN.to_owned(), String::new()),
    };
    let prefix = object.uri.strip_suffix(&tree_path).unwrap_or_default().to_owned();
    let unpacker = Unpacker {
        foreign: layout::Place::of(&root).step == Step::Foreign,
        limit: source.limits().entry,
        spool: source.limits().spool,
        bundle: Bundle { object: object.clone(), sha256: [0; 32], members: 0, left_out: 0, unread: 0, damage: None },
        object,
        prefix,
        filter,
        handle: handle.clone(),
        send,
        room: Arc::new(Semaphore::new(IN_MEMORY)),
        stored: Rc::default(),
    };
    match &source.0 {
        Place::Stdin => unpacker.run(&tree_path, Named { input: io::stdin().lock(), path: "standard input".into() }),
        Place::S3 { bucket, .. } => {
            let parts = Parts::new(Arc::clone(bucket), unpacker.object.clone(), handle.clone());
            unpacker.run(&tree_path, parts);
        }
        Place::Local { archives, .. } => {
            let path = format!("/{tree_path}");
            let send = unpacker.send.clone();
            let opened = match archive::split(&path) {
                Some((of, entry)) => archives.with_entry(of, entry, |input| unpacker.run(&tree_path, input)),
                None => match std::fs::File::open(&path) {
                    Ok(input) => {
                        unpacker.run(&tree_path, Named { input, path: path.into() });
                        Ok(())
                    }
                    Err(error) => Err(folder::io("read", Path::new(&path), error)),
                },
            };
            if let Err(error) = opened {
                // Nobody receives any more: nobody wants to know.
                let _ = send.blocking_send(Unpacked::Unread(error));
            }
        }
    }
}

/// Names the file in its errors, so that they are not taken for those of its content.
struct Named<R> {
    input: R,
    path: PathBuf,
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                Err(io::Error::other(folder::io("read", &self.path, error)))
            }
            read => read,
        }
    }
}

/// A stream whose start was looked at. What came before an error is still given.
struct Peeked<'a> {
    head: Cursor<Vec<u8>>,
    error: Option<io::Error>,
    rest: &'a mut dyn Read,
}

impl<'a> Peeked<'a> {
    fn new(rest: &'a mut dyn Read, bytes: usize) -> Self {
        let mut head = Vec::new();
        let error = (&mut *rest).take(bytes as u64).read_to_end(&mut head).err();
        Self { head: Cursor::new(head), error, rest }
    }
}

impl Read for Peeked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.head.read(buffer)? {
            0 if buffer.is_empty() => Ok(0),
            0 => self.error.take().map_or_else(|| self.rest.read(buffer), Err),
            read => Ok(read),
        }
    }
}

struct Unpacker {
    /// As it was listed.
    object: LogObject,
    /// What stands before a path in an address.
    prefix: String,
    filter: Filter,
    /// Whether other services' files are wanted.
    foreign: bool,
    limit: u64,
    spool: PathBuf,
    handle: Handle,
    send: mpsc::Sender<Unpacked>,
    room: Arc<Semaphore>,
    /// Bytes of the bundle read so far.
    stored: Rc<Cell<u64>>,
    bundle: Bundle,
}

impl Unpacker {
    fn run(mut self, path: &str, input: impl Read) {
        let mut input = Hashed::new(BufReader::with_capacity(BUFFER, input));
        self.stored = input.counter();
        let single = match self.layer(&mut input, path, 0) {
            Ok(single) => single,
            Err(Stop::Closed) => return,
            Err(Stop::Failed(error)) => return self.say(Unpacked::Unread(error)),
            Err(Stop::Damaged(reason)) => {
                self.bundle.damage = Some(reason);
                false
            }
        };
        if single {
            return;
        }
        match input.finish() {
            Ok(sha256) => self.bundle.sha256 = sha256,
            Err(error) => {
                if let Stop::Failed(error) = error.into() {
                    self.say(Unpacked::Unread(error));
                }
                return;
            }
        }
        let object = &mut self.bundle.object;
        object.size = self.stored.get();
        if object.version.is_empty() {
            object.version = self.bundle.sha256[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        }
        let end = Unpacked::End(self.bundle.clone());
        self.say(end);
    }

    fn say(&self, what: Unpacked) {
        // Nobody receives any more: nobody wants to know.
        let _ = self.send.blocking_send(what);
    }

    /// Unpacks what begins here; true if it is a single file, which is then handed over.
    fn layer(&mut self, input: &mut dyn Read, path: &str, depth: usize) -> Stopping<bool> {
        let mut input = Peeked::new(input, form::HEAD);
        match Form::of(input.head.get_ref()) {
            Form::File => {
                self.file(&mut input, path, None)?;
                return Ok(true);
            }
            Form::Tar => self.tar(&mut input, path, depth)?,
            Form::Zip => self.zip(&mut input, path, depth)?,
            Form::Compressed(compression) => {
                let decoder = form::decoder(compression, input)?;
                let mut decoder = Capped::new(decoder, &self.stored, &Rc::default());
                self.layer(&mut decoder, path, depth)?;
                // The checksum is at the end.
                io::copy(&mut decoder, &mut io::sink())?;
            }
            Form::Refused(reason) => return Err(Stop::Failed(self.refused(path, reason))),
        }
        Ok(false)
    }

    fn tar(&mut self, input: &mut dyn Read, path: &str, depth: usize) -> Stopping {
        let mut tar = Tar::new(input);
        while let Some(member) = tar.next()? {
            let Ok(name) = String::from_utf8(member.name) else {
                self.unread(self.refused(path, "a member's name is not UTF-8; unpack it and give the folder instead"))?;
                continue;
            };
            if member.sparse {
                let path = format!("{path}{SEPARATOR}{name}");
                self.unread(self.refused(&path, "a sparse file; unpack the archive and give the folder instead"))?;
                continue;
            }
            self.member(&mut tar, path, &name, member.size, depth)?;
        }
        Ok(())
    }

    fn zip(&mut self, input: &mut dyn Read, path: &str, depth: usize) -> Stopping {
        let spooling = |error| Stop::Failed(folder::io("unpack a zip archive into", &self.spool, error));
        let mut spool = tempfile::SpooledTempFile::new_in(SPOOLED, &self.spool);
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = match input.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            io::Write::write_all(&mut spool, &buffer[..read]).map_err(spooling)?;
        }
        spool.rewind().map_err(spooling)?;
        let mut zip = ZipArchive::new(spool)?;
        let unpacked = Rc::default();
        for index in 0..zip.len() {
            let entry = zip.by_index_data(index)?;
            let (file, encrypted, size) = (entry.is_file(), entry.encrypted(), entry.size());
            let name = zip.name_for_index(index).and_then(Result::ok).map(std::borrow::Cow::into_owned);
            let Some(name) = name else {
                self.unread(self.refused(path, "a member's name is not UTF-8; unpack it and give the folder instead"))?;
                continue;
            };
            if !file {
                continue;
            }
            if encrypted {
                let path = format!("{path}{SEPARATOR}{name}");
                self.unread(self.refused(&path, archive::ENCRYPTED))?;
                continue;
            }
            match zip.by_index(index) {
                Ok(entry) => {
                    let mut entry = Capped::new(entry, &self.stored, &unpacked);
                    self.member(&mut entry, path, &name, size, depth)?;
                }
                Err(ZipError::Io(error)) => return Err(error.into()),
                Err(error) => self.unread(self.refused(&format!("{path}{SEPARATOR}{name}"), &error.to_string()))?,
            }
        }
        Ok(())
    }

    /// One file of the bundle at `path`.
    fn member(&mut self, input: &mut dyn Read, path: &str, name: &str, size: u64, depth: usize) -> Stopping {
        let name = canonical(name);
        if name.is_empty() || archive::is_hidden(&name) {
            return Ok(());
        }
        let path = format!("{path}{SEPARATOR}{name}");
        self.bundle.members += 1;
        if is_bundle(&name) {
            return self.inner(input, &path, depth + 1);
        }
        let described = LogObject::describe(String::new(), &path, String::new(), 0);
        if !self.wants(&described) {
            return Ok(());
        }
        self.file(input, &path, Some(size))
    }

    /// Whether a file is a log file that is asked for.
    fn wants(&mut self, object: &LogObject) -> bool {
        let kind = match object.kind {
            None => true,
            Some(Kind::Other) => self.foreign,
            Some(kind) => self.filter.kind(kind),
        };
        if !kind {
            return false;
        }
        let wanted = Filter { kinds: vec![], ..self.filter.clone() }.admits(object);
        self.bundle.left_out += u64::from(!wanted);
        wanted
    }

    /// A bundle in a bundle. What is wrong with it is no reason to leave the others.
    fn inner(&mut self, input: &mut dyn Read, path: &str, depth: usize) -> Stopping {
        if depth > DEPTH {
            let reason = "archives in archives in archives; unpack the outer one and give the folder instead";
            return self.unread(self.refused(path, reason));
        }
        match self.layer(input, path, depth) {
            Ok(_) => Ok(()),
            Err(Stop::Damaged(reason)) => {
                let name = path.split_once(SEPARATOR).map_or(path, |(_, name)| name);
                self.bundle.damage.get_or_insert(format!("`{name}` in it: {reason}"));
                Ok(())
            }
            Err(Stop::Failed(error @ Error::Archive { .. })) => self.unread(error),
            Err(stop) => Err(stop),
        }
    }

    /// Hands a log file over; without a name of its own it is the bundle itself, or what is compressed in it.
    fn file(&mut self, input: &mut dyn Read, path: &str, size: Option<u64>) -> Stopping {
        let uri = format!("{}{path}", self.prefix);
        let too_large = Error::EntryTooLarge { uri: uri.clone(), limit: self.limit };
        if size.is_some_and(|size| size > self.limit) {
            return self.unread(too_large);
        }
        let mut body = Vec::with_capacity(usize::try_from(size.unwrap_or(0).min(1 << 20)).unwrap_or_default());
        input.take(self.limit.saturating_add(1)).read_to_end(&mut body)?;
        if body.len() as u64 > self.limit {
            return self.unread(too_large);
        }
        let body = Bytes::from(body);
        let mut object =
            if uri == self.object.uri { self.object.clone() } else { LogObject::describe(uri, path, String::new(), 0) };
        object.size = body.len() as u64;
        if object.version.is_empty() {
            object.version = format!("{:032x}", xxh3_128(&body));
        }
        let bytes = u32::try_from(body.len().clamp(1, IN_MEMORY)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes);
        let room = self.handle.block_on(room).map_err(|_| Stop::Closed)?;
        let member = Unpacked::Member(Member { object, body, room });
        self.send.blocking_send(member).map_err(|_| Stop::Closed)
    }

    fn unread(&mut self, error: Error) -> Stopping {
        self.bundle.unread += 1;
        self.send.blocking_send(Unpacked::Unread(error)).map_err(|_| Stop::Closed)
    }

    fn refused(&self, path: &str, reason: &str) -> Error {
        Error::Archive { uri: format!("{}{path}", self.prefix), reason: reason.to_owned() }
    }
}

/// A member's name without what says nothing: `./` as `tar .` writes it, slashes at the start.
fn canonical(name: &str) -> String {
    let parts: Vec<_> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.join("/")
}
