//! Reads tar archives as a stream: POSIX (ustar, pax), GNU and the seventh edition's, member after member.
//!
//! Nothing is written anywhere, so a member's name is only a name, whatever it says. What an archive claims about itself
//! takes no memory: names are bounded, and a member's content is a reader. After the end of one archive another may follow
//! (`cat a.tar b.tar`). (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".)
use std::io::{self, Read};

const BLOCK: usize = 512;
/// Longest name, and longest record of extended headers, in bytes.
const MAX_NAME: u64 = 1 << 20;

/// What is wrong with an archive, at which byte of it.
#[derive(Debug)]
pub(crate) enum Damage {
    /// It cannot be read on.
    Io(io::Error),
    /// It can, and makes no sense.
    Nonsense {
        /// Offset in the unpacked archive.
        offset: u64,
        reason: &'static str,
    },
}

impl From<io::Error> for Damage {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A member that is a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// As in the archive.
    pub(crate) name: Vec<u8>,
    /// In bytes.
    pub(crate) size: u64,
    /// Holes are left out of the content, which then is not the file's.
    pub(crate) sparse: bool,
}

/// An archive under way.
#[derive(Debug)]
pub(crate) struct Tar<R> {
    input: R,
    offset: u64,
    /// Bytes of the member that are still to be read.
    left: u64,
    /// Bytes that fill its last block.
    padding: u64,
    /// Whether the last block was one of the zeros at the end.
    ended: bool,
}

/// What headers of their own say about the next member.
#[derive(Debug, Default)]
struct Extended {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<R: Read> Tar<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, offset: 0, left: 0, padding: 0, ended: false }
    }

    /// The next file, after what is left of the one before. Folders, links, devices are passed over. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, Damage> {
        let mut extended = Extended::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let stated = number(&header[124..136]).ok_or(self.nonsense("a size that is no number"));
            match header[156] {
                b'L' => extended.name = Some(cut_at_zero(self.text(stated?)?)),
                b'x' => {
                    let text = self.text(stated?)?;
                    self.records(&text, &mut extended)?;
                }
                // A long name of a link's target, and headers for all members: nothing that is needed.
                b'K' | b'g' => self.begin(stated?),
                kind => {
                    let size = extended.size.map_or(stated, Ok)?;
                    self.begin(size);
                    let name = extended.name.take().unwrap_or_else(|| name(&header));
                    let folder = name.ends_with(b"/");
                    match kind {
                        b'0' | 0 | b'7' if !folder => {
                            return Ok(Some(Member { name, size, sparse: extended.sparse }));
                        }
                        b'S' => {
                            self.skip_sparse_map(&header)?;
                            return Ok(Some(Member { name, size, sparse: true }));
                        }
                        // Links and devices have no content, even where old writers state a size.
                        b'1'..=b'6' if kind != b'5' => (self.left, self.padding) = (0, 0),
                        _ => {}
                    }
                    extended = Extended::default();
                }
            }
        }
    }

    fn nonsense(&self, reason: &'static str) -> Damage {
        Damage::Nonsense { offset: self.offset.saturating_sub(BLOCK as u64), reason }
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    fn skip(&mut self) -> Result<(), Damage> {
        let rest = self.left.saturating_add(self.padding);
        let skipped = io::copy(&mut (&mut self.input).take(rest), &mut io::sink())?;
        self.offset += skipped;
        // Some writers leave the last padding out.
        if skipped < self.left {
            return Err(Damage::Nonsense { offset: self.offset, reason: "the archive ends inside a member" });
        }
        (self.left, self.padding) = (0, 0);
        Ok(())
    }

    /// A block, if the archive has another one.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Damage> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.offset += filled as u64;
        match filled {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ if self.ended => Ok(None),
            _ => Err(Damage::Nonsense { offset: self.offset, reason: "the archive ends inside a header" }),
        }
    }

    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, Damage> {
        loop {
            let Some(block) = self.block()? else {
                if self.ended {
                    return Ok(None);
                }
                let reason = "the archive has no end; it may have been cut short there";
                return Err(Damage::Nonsense { offset: self.offset, reason });
            };
            if block == [0; BLOCK] {
                self.ended = true;
            } else if is_header(&block) {
                self.ended = false;
                return Ok(Some(block));
            } else if self.ended {
                // What follows the end is nobody's, but compressed archives have a checksum after it.
                self.offset += io::copy(&mut self.input, &mut io::sink())?;
                return Ok(None);
            } else {
                return Err(self.nonsense("no tar header where one should be"));
            }
        }
    }

    /// The content of a header's own data.
    fn text(&mut self, size: u64) -> Result<Vec<u8>, Damage> {
        if size > MAX_NAME {
            return Err(self.nonsense("an extended header of more than a megabyte"));
        }
        self.begin(size);
        let mut text = Vec::new();
        self.read_to_end(&mut text)?;
        Ok(text)
    }

    /// `<length> <key>=<value>\n`, one after the other; the length is that of the whole record.
    fn records(&self, text: &[u8], extended: &mut Extended) -> Result<(), Damage> {
        let mut rest = text;
        while !rest.is_empty() && rest[0] != 0 {
            let record = record(rest).ok_or(self.nonsense("an extended header that makes no sense"))?;
            let (length, key, value) = record;
            match key {
                b"path" => extended.name = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                    extended.size = Some(size.ok_or(self.nonsense("a size that is no number"))?);
                }
                key => extended.sparse |= key.starts_with(b"GNU.sparse."),
            }
            rest = &rest[length..];
        }
        Ok(())
    }

    /// Old GNU sparse members may have blocks with more of their map before the content.
    fn skip_sparse_map(&mut self, header: &[u8; BLOCK]) -> Result<(), Damage> {
        let mut more = header[482] != 0;
        while more {
            let block = self.block()?.ok_or(self.nonsense("the archive ends inside a header"))?;
            more = block[504] != 0;
        }
        Ok(())
    }
}

/// Reads the member's content.
impl<R: Read> Read for Tar<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if room == 0 {
            return Ok(0);
        }
        let read = self.input.read(&mut buffer[..room])?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends inside a member"));
        }
        self.left -= read as u64;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Whether a block is a header: its bytes, with blanks for the checksum, add up to the checksum. Old programs added them
/// up with signs.
pub(crate) fn is_header(block: &[u8]) -> bool {
    let (Some(block), Some(stated)) = (block.get(..BLOCK), block.get(148..156).and_then(number)) else {
        return false;
    };
    let bytes = || block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    let unsigned: u64 = bytes().map(u64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte as i8)).sum();
    stated == unsigned || i64::try_from(stated) == Ok(signed)
}

/// Octal digits between blanks and zeros; or, with the highest bit set, a binary number.
fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        let (first, rest) = field.split_first()?;
        return rest
            .iter()
            .try_fold(u64::from(first & 0x7f), |sum, byte| Some(sum.checked_mul(256)? | u64::from(*byte)));
    }
    let digits = field.iter().copied().skip_while(|byte| *byte == b' ').take_while(|byte| !matches!(byte, b' ' | 0));
    let mut sum: u64 = 0;
    for digit in digits {
        if !(b'0'..=b'7').contains(&digit) {
            return None;
        }
        sum = sum.checked_mul(8)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some(sum)
}

/// The name in a header, after the prefix that POSIX has for long ones (GNU keeps other things there).
fn name(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = cut_at_zero(header[..100].to_vec());
    let prefix = cut_at_zero(header[345..500].to_vec());
    if &header[257..263] != b"ustar\0" || prefix.is_empty() {
        return name;
    }
    [prefix, name].join(&b'/')
}

fn cut_at_zero(mut text: Vec<u8>) -> Vec<u8> {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    text.truncate(end);
    text
}

/// The first record of an extended header: its length, key and value.
fn record(text: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let blank = text.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&text[..blank]).ok()?.parse().ok()?;
    let entry = text.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = entry.iter().position(|byte| *byte == b'=')?;
    Some((length, &entry[..equals], &entry[equals + 1..]))
}

#[cfg(test)]
pub(super) mod tests;
