//! Tests against archives that another implementation writes, and on damaged ones.
#![allow(clippy::unwrap_used)]
use super::*;
use ::tar::{Builder, EntryType, Header};
use proptest::prelude::*;

/// An archive in GNU's format.
pub(crate) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// An archive with headers as they are given, checksums made right.
pub(crate) fn raw(members: &[(Header, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (header, content) in members {
        let mut header = header.clone();
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A header with any bytes for its name.
pub(crate) fn header(name: &[u8], size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_size(size);
    header
}

type Files = Vec<(String, Vec<u8>)>;

fn read(bytes: &[u8]) -> (Files, Option<Damage>) {
    let mut tar = Tar::new(bytes);
    let mut files = Vec::new();
    loop {
        let member = match tar.next() {
            Ok(Some(member)) => member,
            Ok(None) => return (files, None),
            Err(damage) => return (files, Some(damage)),
        };
        let mut content = Vec::new();
        if let Err(error) = tar.read_to_end(&mut content) {
            return (files, Some(error.into()));
        }
        assert_eq!(content.len() as u64, member.size);
        files.push((String::from_utf8_lossy(&member.name).into_owned(), content));
    }
}

fn files(members: &[(&str, &[u8])]) -> Files {
    members.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect()
}

#[test]
fn files_in_every_format() {
    let long = format!("AWSLogs/{}/x.json.gz", "deep/".repeat(60));
    let members: &[(&str, &[u8])] = &[("a.json", b"{}"), (&long, &[7; 1000]), ("empty", b""), ("last", &[1; 512])];
    assert_eq!(read(&archive(members)).0, files(members));

    let mut builder = Builder::new(Vec::new());
    let mut ustar = Header::new_ustar();
    ustar.set_path(format!("{}/file", "p".repeat(120))).unwrap();
    ustar.set_size(3);
    ustar.set_cksum();
    builder.append(&ustar, &b"abc"[..]).unwrap();
    builder.append_pax_extensions([("path", "ü/of pax".as_bytes()), ("mtime", b"1.5"), ("size", b"2")]).unwrap();
    let mut cut = Header::new_ustar();
    cut.set_path("cut off").unwrap();
    cut.set_size(2);
    cut.set_cksum();
    builder.append(&cut, &b"de"[..]).unwrap();
    let mut old = Header::new_old();
    old.set_path("seventh").unwrap();
    old.set_size(1);
    old.set_cksum();
    builder.append(&old, &b"f"[..]).unwrap();
    let (found, damage) = read(&builder.into_inner().unwrap());
    assert!(damage.is_none(), "{damage:?}");
    assert_eq!(found, files(&[(&format!("{}/file", "p".repeat(120)), b"abc"), ("ü/of pax", b"de"), ("seventh", b"f")]));
}

#[test]
fn what_is_no_file_is_passed_over() {
    let mut members = Vec::new();
    for kind in [EntryType::Directory, EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Fifo] {
        let mut header = header(b"x", 0);
        header.set_entry_type(kind);
        members.push((header, &b""[..]));
    }
    let mut linked = header(b"hard link with a size", 0);
    linked.set_entry_type(EntryType::Link);
    members.push((linked, b""));
    members.push((header(b"old folder/", 0), b""));
    members.push((header(b"file", 2), b"ab"));
    assert_eq!(read(&raw(&members)).0, files(&[("file", b"ab")]));
}

#[test]
fn archives_one_after_the_other() {
    let (first, second) = (archive(&[("a", b"1")]), archive(&[("b", b"2")]));
    let joined = [first.clone(), vec![0; 8 * 512], second].concat();
    assert_eq!(read(&joined).0, files(&[("a", b"1"), ("b", b"2")]));
    for rest in [&b"rest"[..], &[b'x'; 700]] {
        let (found, damage) = read(&[&first, rest].concat());
        assert!(damage.is_none(), "{damage:?}");
        assert_eq!(found, files(&[("a", b"1")]));
    }
}

#[test]
fn numbers_in_every_spelling() {
    assert_eq!(number(b"0000644\0"), Some(0o644));
    assert_eq!(number(b"   17 \0"), Some(0o17));
    assert_eq!(number(b"\0\0\0\0"), Some(0));
    assert_eq!(number(b"\x80\0\0\0\0\0\0\x01\0\0\0\0"), Some(1 << 32));
    assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    assert_eq!(number(b"89"), None);
    assert_eq!(number(b""), None);
}

#[test]
fn damage_is_told_with_its_place() {
    let whole = archive(&[("a", &[1; 600]), ("b", &[2; 600])]);
    let nonsense = |bytes: &[u8]| match read(bytes).1 {
        Some(Damage::Nonsense { offset, reason }) => (offset, reason),
        Some(Damage::Io(error)) => panic!("{error}"),
        None => panic!("no damage"),
    };
    // Without the two blocks of zeros.
    assert_eq!(nonsense(&whole[..3072]), (3072, "the archive has no end; it may have been cut short there"));
    assert_eq!(nonsense(&whole[..1700]).1, "the archive ends inside a header");
    assert!(matches!(read(&whole[..1000]).1, Some(Damage::Io(_))));
    let mut tar = Tar::new(&whole[..1000]);
    assert!(tar.next().unwrap().is_some());
    assert!(matches!(tar.next(), Err(Damage::Nonsense { reason: "the archive ends inside a member", .. })));
    let mut other = whole.clone();
    other[1540] ^= 1;
    assert_eq!(nonsense(&other), (1536, "no tar header where one should be"));
}

/// Headers that claim gigabytes of names take no memory.
#[test]
fn claims_are_not_believed() {
    for kind in [EntryType::GNULongName, EntryType::XHeader] {
        let mut long = header(b"x", 5 << 30);
        long.set_entry_type(kind);
        long.set_cksum();
        let endless = io::repeat(b'0').take(6 << 30);
        let mut tar = Tar::new(long.as_bytes().chain(endless));
        assert!(matches!(tar.next(), Err(Damage::Nonsense { offset: 0, .. })));
    }
    for bad in ["8 path=x\n", "9path=x\n", "99 path=x\n", "x path=x\n", "9 size=x\n"] {
        let mut pax = header(b"x", bad.len() as u64);
        pax.set_entry_type(EntryType::XHeader);
        let bytes = raw(&[(pax, bad.as_bytes()), (header(b"f", 0), b"")]);
        assert!(read(&bytes).1.is_some(), "{bad}");
    }
    let mut sparse = header(b"holes", 0);
    sparse.set_entry_type(EntryType::GNUSparse);
    let bytes = raw(&[(sparse, b""), (header(b"file", 1), b"x")]);
    let mut tar = Tar::new(bytes.as_slice());
    assert!(tar.next().unwrap().unwrap().sparse);
    assert_eq!(tar.next().unwrap().unwrap().name, b"file");
}

proptest! {
    #[test]
    fn what_is_archived_is_read(
        members in prop::collection::vec(("[a-zé ._-]{1,9}(/[a-z]{1,60}){0,6}", prop::collection::vec(any::<u8>(), 0..1500)), 0..6),
    ) {
        let members: Vec<(&str, &[u8])> = members.iter().map(|(n, c)| (n.as_str(), c.as_slice())).collect();
        // The other implementation refuses some names.
        let fit = |name: &&str| !name.split('/').any(|part| part == "." || part == "..");
        let members: Vec<_> = members.into_iter().filter(|(name, _)| fit(name)).collect();
        let (found, damage) = read(&archive(&members));
        prop_assert!(damage.is_none());
        prop_assert_eq!(found, files(&members));
    }

    #[test]
    fn damaged_bytes_never_panic(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = archive(&[("a", &[1; 600]), (&"long/".repeat(40), b"{}"), ("b", b"x")]);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        let (found, _) = read(&bytes);
        prop_assert!(found.len() <= 3);
    }
}
