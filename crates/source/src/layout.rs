//! Where in the layout of a log bucket a folder stands.
//!
//! A [`Place`] is computed from the folders' names alone, from the root of the bucket (or file system) downwards, so that
//! a walk may start anywhere: at the bucket, at an account, at one day. Copies that begin below `AWSLogs/` (`aws s3 sync
//! s3://bucket/AWSLogs/ .`) are recognised by the names of accounts, services and regions, exports of CloudWatch Logs by the
//! names of trails' log streams. A bundle is a folder that says nothing.
use crate::Filter;
use crate::bundle::is_bundle_segment;
use cloudtarn_record::key::{self, Day, Kind, LogStream};

/// How far down the layout a folder is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Not, or not yet, in the layout.
    #[default]
    Outside,
    /// `AWSLogs`, or an organization in it.
    Logs,
    /// An account.
    Account,
    /// Another service's folder under an account.
    Foreign,
    /// `CloudTrail`, `CloudTrail-Insight`, …
    Service,
    Region,
    Year,
    Month,
    /// A day, or a folder in it.
    Day,
}

/// A folder's place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) step: Step,
    /// Whether `AWSLogs` is above.
    rooted: bool,
    pub(crate) organization: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) kind: Option<Kind>,
    /// As AWS spells it.
    pub(crate) region: Option<String>,
    pub(crate) year: Option<u16>,
    pub(crate) month: Option<u8>,
    pub(crate) day: Option<Day>,
}

impl Place {
    /// The place of a path like `a/b/c`.
    pub(crate) fn of(path: &str) -> Self {
        path.split('/').filter(|name| !name.is_empty()).fold(Self::default(), |place, name| place.child(name))
    }

    /// The place of a folder in this one.
    pub(crate) fn child(&self, name: &str) -> Self {
        let mut place = self.clone();
        if is_bundle_segment(name) {
            return place;
        }
        if let (false, Some(stream)) = (self.step == Step::Foreign, LogStream::parse(name)) {
            return Self {
                organization: stream.organization.map(str::to_owned),
                account: Some(stream.account.to_owned()),
                kind: Some(stream.kind),
                region: Some(stream.region.to_owned()),
                ..Self::default()
            };
        }
        match self.step {
            _ if name == key::ROOT => {
                return Self { step: Step::Logs, rooted: true, ..Self::default() };
            }
            Step::Logs if key::is_organization(name) => place.organization = Some(name.to_owned()),
            Step::Logs if key::is_account(name) => {
                place.step = Step::Account;
                place.account = Some(name.to_owned());
            }
            Step::Account => match Kind::of_folder(name) {
                Kind::Other if !self.rooted => return Self::outside(name),
                kind => {
                    place.step = if kind == Kind::Other { Step::Foreign } else { Step::Service };
                    place.kind = Some(kind);
                }
            },
            Step::Foreign | Step::Day => {}
            Step::Service if key::is_region_segment(name) => {
                place.step = Step::Region;
                place.region = Some(key::region_name(name).into_owned());
            }
            Step::Region if year_of(name).is_some() => {
                place.step = Step::Year;
                place.year = year_of(name);
            }
            Step::Year if month_of(name).is_some() => {
                place.step = Step::Month;
                place.month = month_of(name);
            }
            Step::Month => match self.day_in_month(name) {
                None => return Self::outside(name),
                day => {
                    place.step = Step::Day;
                    place.day = day;
                }
            },
            _ => return Self::outside(name),
        }
        place
    }

    /// The place of a folder whose parent says nothing.
    fn outside(name: &str) -> Self {
        let mut place = Self::default();
        let kind = Kind::of_folder(name);
        if key::is_account(name) {
            place.step = Step::Account;
            place.account = Some(name.to_owned());
        } else if kind != Kind::Other {
            place.step = Step::Service;
            place.kind = Some(kind);
        } else if key::is_region(name) {
            place.step = Step::Region;
            place.region = Some(key::region_name(name).into_owned());
        } else if year_of(name).is_some() {
            place.step = Step::Year;
            place.year = year_of(name);
        }
        place
    }

    fn day_in_month(&self, name: &str) -> Option<Day> {
        let number = (name.len() == 2).then(|| name.parse().ok())??;
        Day::new(self.year?, self.month?, number)
    }

    /// Whether anything wanted may lie in this folder.
    pub(crate) fn wanted(&self, filter: &Filter) -> bool {
        let date = match (self.day, self.month, self.year) {
            (Some(day), ..) => filter.day(day),
            (None, Some(month), Some(year)) => filter.month(year, month),
            (None, _, Some(year)) => filter.year(year),
            _ => true,
        };
        date && self.account.as_deref().is_none_or(|account| filter.account(account))
            && self.region.as_deref().is_none_or(|region| filter.region(region))
            && self.kind.is_none_or(|kind| filter.kind(kind))
    }
}

/// A year in which CloudTrail may have delivered.
fn year_of(name: &str) -> Option<u16> {
    let digits = name.len() == 4 && name.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| name.parse().ok())?.filter(|year| *year >= 2013)
}

fn month_of(name: &str) -> Option<u8> {
    let digits = name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| name.parse().ok())?.filter(|month| (1..=12).contains(month))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloudtarn_record::key::LogKey;
    use proptest::prelude::*;

    fn step(path: &str) -> Step {
        Place::of(path).step
    }

    #[test]
    fn steps_down_the_layout() {
        let day = "in/AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/us_east_1/2026/03/01";
        let expected = [Step::Outside, Step::Logs, Step::Logs, Step::Account, Step::Service, Step::Region, Step::Year];
        let names: Vec<_> = day.split('/').collect();
        for (index, expected) in expected.into_iter().enumerate() {
            assert_eq!(step(&names[..=index].join("/")), expected);
        }
        let place = Place::of(day);
        assert_eq!(
            (place.step, place.day, place.region.as_deref()),
            (Step::Day, Day::new(2026, 3, 1), Some("us-east-1"))
        );
        assert_eq!(Place::of(&format!("{day}/more")), place);
    }

    #[test]
    fn copies_that_begin_lower_down() {
        for (path, expected) in [
            ("copy/111122223333/CloudTrail/us-east-1/2026/03/01", Step::Day),
            ("copy/CloudTrail/us-east-1/2026/03", Step::Month),
            ("copy/us-east-1/2026", Step::Year),
            ("copy/2026/03/01", Step::Day),
            ("copy/111122223333/notes", Step::Outside),
            ("copy/us-east-1/notes/2026/13", Step::Outside),
            ("AWSLogs/111122223333/Config/us-east-1/2026", Step::Foreign),
            ("AWSLogs/111122223333/Config/AWSLogs", Step::Logs),
            ("AWSLogs/111122223333/CloudTrail/us-east-1/2012", Step::Outside),
            ("AWSLogs/111122223333/CloudTrail/us-east-1/2026/02/30", Step::Outside),
        ] {
            assert_eq!(step(path), expected, "{path}");
        }
    }

    #[test]
    fn log_streams_and_bundles() {
        let place = Place::of("exports/0a1b/o-exampleorg1_111122223333_CloudTrail_us-east-1_2");
        assert_eq!((place.step, place.kind), (Step::Outside, Some(Kind::CloudTrail)));
        assert_eq!((place.account.as_deref(), place.region.as_deref()), (Some("111122223333"), Some("us-east-1")));
        assert_eq!(place.organization.as_deref(), Some("o-exampleorg1"));
        let other = Filter { accounts: vec!["444455556666".to_owned()], ..Filter::default() };
        assert!(!place.wanted(&other));
        for (bundle, bare) in [
            ("a/x.tar!/AWSLogs/111122223333", "AWSLogs/111122223333"),
            ("AWSLogs/111122223333/x.tar.gz!/CloudTrail/us-east-1", "AWSLogs/111122223333/CloudTrail/us-east-1"),
            ("stdin!/111122223333/CloudTrail", "111122223333/CloudTrail"),
            ("x.zip!/y.tgz!/CloudTrail", "CloudTrail"),
        ] {
            assert_eq!(Place::of(bundle), Place::of(bare), "{bundle}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_grammar_of_keys(
            key in "([a-z]{1,4}/|AWSLogs/|AWSLogs/[0-9]{12}/){0,2}AWSLogs/(o-[a-z0-9]{10}/)?[0-9]{12}/\
                    CloudTrail(-Insight|-Digest)?/(us-east-1|eu_west_2)/20[23][0-9]/[01][0-9]/[0-3][0-9]/[a-z]{1,4}",
        ) {
            if let Some(found) = LogKey::parse(&key).filter(|found| found.kind != Kind::Other) {
                let place = Place::of(&key[..key.len() - found.file.len()]);
                prop_assert_eq!(place.step, Step::Day);
                prop_assert_eq!(place.day, found.day);
                prop_assert_eq!(place.kind, Some(found.kind));
                prop_assert_eq!(place.account.as_deref(), Some(found.account));
                prop_assert_eq!(place.organization.as_deref(), found.organization);
                let region = found.region_name();
                prop_assert_eq!(place.region.as_deref(), region.as_deref());
            }
        }

        #[test]
        fn arbitrary_paths_never_panic(path in "(/|AWSLogs|[0-9]{2,4}|[0-9]{12}|CloudTrail|us-east-1|é|.){0,20}") {
            let _ = Place::of(&path).wanted(&Filter::default());
        }
    }
}
