//! Where a file lies, and whether that is where AWS put it.
//!
//! A copy of a bucket may lie anywhere, begin at any folder of the layout, and have lost its files' compression. What the
//! folders above a file do say must agree with the key that was signed.

use cloudtarn_record::key::{self, Day, Kind, region_name};

/// What the folders above a file say, read from the file upwards for as long as they follow the layout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout<'a> {
    /// What comes before the layout, slash included.
    pub(crate) root: &'a str,
    pub(crate) organization: Option<&'a str>,
    pub(crate) account: Option<&'a str>,
    pub(crate) kind: Option<Kind>,
    /// As AWS spells it.
    pub(crate) region: Option<String>,
    pub(crate) day: Option<Day>,
    /// The last segment.
    pub(crate) file: &'a str,
}

impl<'a> Layout<'a> {
    /// Of a key, or of the address of a file.
    pub(crate) fn of(address: &'a str) -> Self {
        let (mut rest, file) = address.split_at(address.rfind('/').map_or(0, |slash| slash + 1));
        let mut layout = Self { file, ..Self::default() };
        if let Some((folders, day)) = take_day(rest) {
            (rest, layout.day) = (folders, Some(day));
        }
        if let Some((folders, region)) = take(rest, key::is_region) {
            (rest, layout.region) = (folders, Some(region_name(region).into_owned()));
        }
        if let Some((folders, kind)) = take(rest, |name| Kind::of_folder(name) != Kind::Other) {
            (rest, layout.kind) = (folders, Some(Kind::of_folder(kind)));
        }
        if let Some((folders, account)) = take(rest, key::is_account) {
            (rest, layout.account) = (folders, Some(account));
            if let Some((folders, organization)) = take(rest, key::is_organization) {
                (rest, layout.organization) = (folders, Some(organization));
            }
            if let Some((folders, _)) = take(rest, |name| name == key::ROOT) {
                rest = folders;
            }
        }
        layout.root = rest;
        layout
    }
}

/// The last folder of `…/name/`, if it passes.
fn take(folders: &str, passes: impl Fn(&str) -> bool) -> Option<(&str, &str)> {
    let (rest, name) = split_last(folders)?;
    passes(name).then_some((rest, name))
}

fn split_last(folders: &str) -> Option<(&str, &str)> {
    let trimmed = folders.strip_suffix('/')?;
    Some(trimmed.split_at(trimmed.rfind('/').map_or(0, |slash| slash + 1)))
}

/// The three folders of a day; two or one of them are no part of a layout.
fn take_day(folders: &str) -> Option<(&str, Day)> {
    let (rest, day) = split_last(folders)?;
    let (rest, month) = split_last(rest)?;
    let (rest, year) = split_last(rest)?;
    Some((rest, key::day_of(year, month, day)?))
}

/// A file's name without what tells its compression: copies are gunzipped, or compressed in other ways.
pub(crate) fn stem(name: &str) -> &str {
    let last = name.rfind('_').unwrap_or(0);
    name.get(last..).and_then(|tail| tail.find('.')).map_or(name, |dot| name.get(..last + dot).unwrap_or(name))
}

/// Where a file lies, compared with where it was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placement {
    /// There.
    Same,
    /// In another bucket, under another prefix, or on a disk: as a part of a copy that lies there as a whole.
    Copied,
    /// Where no copy as a whole would put it; what contradicts.
    Misplaced(String),
}

/// Compares the address of a file with the bucket and key that it was delivered to.
pub(crate) fn placement(address: &str, bucket: &str, object: &str) -> Placement {
    let (here, there) = (Layout::of(address), Layout::of(object));
    if stem(here.file) != stem(there.file) {
        return Placement::Misplaced(format!("delivered as {}", there.file));
    }
    let in_bucket = address.strip_prefix("s3://").and_then(|rest| rest.strip_prefix(bucket));
    if in_bucket.and_then(|rest| rest.strip_prefix('/')).is_some_and(|key| stem(key) == stem(object)) {
        return Placement::Same;
    }
    let differs = |what: &str, here: Option<String>, there: Option<String>| match (here, there) {
        (Some(here), Some(there)) if here != there => {
            Some(format!("moved to another {what}: it lies under {here} and was delivered under {there}"))
        }
        _ => None,
    };
    let day = |layout: &Layout<'_>| layout.day.map(|day| day.to_string());
    let text = |text: Option<&str>| text.map(str::to_owned);
    let kind = |layout: &Layout<'_>| text(layout.kind.and_then(Kind::folder));
    let contradiction = differs("day", day(&here), day(&there))
        .or_else(|| differs("region", here.region.clone(), there.region.clone()))
        .or_else(|| differs("folder", kind(&here), kind(&there)))
        .or_else(|| differs("account", text(here.account), text(there.account)))
        .or_else(|| differs("organization", text(here.organization), text(there.organization)));
    contradiction.map_or(Placement::Copied, Placement::Misplaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "in/AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/us-east-1/2026/03/02/111122223333_CloudTrail_us-east-1_20260302T0005Z_0123456789abcdef.json.gz";

    fn name() -> &'static str {
        Layout::of(KEY).file
    }

    #[test]
    fn layouts_are_read_upwards() {
        let layout = Layout::of(KEY);
        assert_eq!((layout.root, layout.account, layout.day), ("in/", Some("111122223333"), Day::new(2026, 3, 2)));
        assert_eq!((layout.kind, layout.region.as_deref()), (Some(Kind::CloudTrail), Some("us-east-1")));
        for (path, root) in [
            ("s3://b/AWSLogs/111122223333/CloudTrail/us_east_1/2026/03/02/f", "s3://b/"),
            ("file:///case/us-east-1/2026/03/02/f", "file:///case/"),
            ("file:///case/07/f", "file:///case/07/"),
            ("f", ""),
            ("s3://b/f", "s3://b/"),
        ] {
            assert_eq!(Layout::of(path).root, root, "{path}");
        }
    }

    #[test]
    fn the_same_place_a_copy_and_elsewhere() {
        let at = |path: String| placement(&path, "logs", KEY);
        assert_eq!(at(format!("s3://logs/{KEY}")), Placement::Same);
        assert_eq!(at(format!("s3://logs/{}", KEY.trim_end_matches(".gz"))), Placement::Same);
        for copy in [format!("s3://logs/copy/{KEY}"), format!("s3://replica/{KEY}"), format!("file:///case/{}", name())]
        {
            assert_eq!(at(copy.clone()), Placement::Copied, "{copy}");
        }
        for (from, to, what) in [
            ("/03/02/", "/03/03/", "another day"),
            ("/us-east-1/", "/us-east-2/", "another region"),
            ("/111122223333/", "/111122223334/", "another account"),
            ("/CloudTrail/", "/CloudTrail-Insight/", "another folder"),
            ("o-a1b2c3d4e5", "o-a1b2c3d4e6", "another organization"),
            ("abcdef.json", "abcdee.json", "delivered as"),
        ] {
            let found = at(format!("file:///case/{}", KEY.replace(from, to)));
            assert!(matches!(&found, Placement::Misplaced(why) if why.contains(what)), "{found:?}");
        }
        assert!(matches!(at(format!("s3://logs/{}", KEY.replace("/03/02/", "/03/03/"))), Placement::Misplaced(_)));
    }

    #[test]
    fn stems() {
        for name in ["a_Z_backfill.json.gz", "a_Z_backfill.json", "a_Z_backfill.json.zst", "a_Z_backfill"] {
            assert_eq!(stem(name), "a_Z_backfill");
        }
        assert_eq!(stem("a.trail_us-east-1_Z.json.gz"), "a.trail_us-east-1_Z");
    }
}
