//! Tests of the grammar of keys.
#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

const LOG: &str = "111122223333_CloudTrail_eu-central-2_20260228T2355Z_aB3dE6gH9jK2mN5p.json.gz";

#[test]
fn account_trail() {
    let text = format!("AWSLogs/111122223333/CloudTrail/eu-central-2/2026/02/28/{LOG}");
    let key = LogKey::parse(&text).unwrap();
    assert_eq!((key.prefix, key.organization, key.account), ("", None, "111122223333"));
    assert_eq!((key.kind, key.region, key.day), (Kind::CloudTrail, Some("eu-central-2"), Day::new(2026, 2, 28)));
    assert_eq!(key.time().map(|time| (time.hour, time.minute)), Some((23, 55)));
    assert_eq!(key.name.unwrap().tail, Tail::Log { unique: "aB3dE6gH9jK2mN5p" });
    assert_eq!(key.to_string(), text);
}

#[test]
fn organization_trail_and_control_tower() {
    let text = format!("AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail-Insight/eu-west-1/2026/03/01/{LOG}");
    let key = LogKey::parse(&text).unwrap();
    assert_eq!((key.organization, key.kind), (Some("o-a1b2c3d4e5"), Kind::Insight));
    let text = format!("o-a1b2c3d4e5/{text}");
    let key = LogKey::parse(&text).unwrap();
    assert_eq!((key.prefix, key.organization), ("o-a1b2c3d4e5/", Some("o-a1b2c3d4e5")));
}

#[test]
fn a_prefix_may_contain_the_root_folder() {
    let below = format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/{LOG}");
    for prefix in ["copy/AWSLogs/", "AWSLogs/444455556666/", "xAWSLogs/", "AWSLogs/o-a1b2c3d4e5/AWSLogs/"] {
        let text = format!("{prefix}{below}");
        assert_eq!(LogKey::parse(&text).unwrap().prefix, prefix);
    }
    assert_eq!(LogKey::parse(&format!("x{below}")), None);
}

#[test]
fn underscored_region() {
    let text = format!("AWSLogs/111122223333/CloudTrail/us_east_1/2026/03/01/{LOG}");
    let key = LogKey::parse(&text).unwrap();
    assert_eq!((key.region, key.region_name().as_deref()), (Some("us_east_1"), Some("us-east-1")));
}

#[test]
fn digests() {
    let name = "111122223333_CloudTrail-Digest_eu-west-1_all_our.trails_us-east-1_20260301T101112Z";
    for (end, expected) in [(".json.gz", false), ("_backfill.json.gz", true)] {
        let text = format!("{name}{end}");
        let found = FileName::parse(&text).unwrap();
        let Tail::Digest { trail, home_region, backfill } = found.tail else { panic!("not a digest") };
        assert_eq!((trail, home_region, backfill), ("all_our.trails", "us-east-1", expected));
        assert_eq!((found.time.second, found.extension), (12, ".json.gz"));
        assert_eq!(found.to_string(), text);
    }
    assert_eq!(FileName::parse(&name.replace("20260301T101112Z", "20260301T1011Z")), None);
}

#[test]
fn other_services_and_foreign_files() {
    let key = LogKey::parse("AWSLogs/111122223333/Config/us-east-1/2026/3/1/ConfigHistory/a.json.gz").unwrap();
    assert_eq!((key.kind, key.service, key.day), (Kind::Other, "Config", None));
    assert_eq!(key.file, "us-east-1/2026/3/1/ConfigHistory/a.json.gz");
    let key = LogKey::parse("AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/03/01/a.log.gz").unwrap();
    assert_eq!((key.kind, key.region, key.day), (Kind::Other, Some("us-east-1"), Day::new(2026, 3, 1)));
    assert_eq!(LogKey::parse("AWSLogs/111122223333/CloudTrail-Lake/Query/x").unwrap().kind, Kind::Other);
    let key = LogKey::parse("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/mine.json").unwrap();
    assert_eq!((key.kind, key.name), (Kind::CloudTrail, None));
}

#[test]
fn outside_the_grammar() {
    for text in [
        "",
        "AWSLogs",
        "AWSLogs/",
        "AWSLogs/111122223333/CloudTrail",
        "mine.json.gz",
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/",
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/02/29/a",
        "AWSLogs/11112222333/CloudTrail/eu-west-1/2026/03/01/a",
        "awslogs/111122223333/CloudTrail/eu-west-1/2026/03/01/a",
        "AWSLogs/o-short/111122223333/CloudTrail/eu-west-1/2026/03/01/a",
        "AWSLogs/111122223333//eu-west-1/2026/03/01/a",
    ] {
        assert_eq!(LogKey::parse(text), None, "{text}");
    }
    for text in [
        "111122223333_CloudTrail_eu-west-1_20260301T2400Z_a.json.gz",
        "111122223333_CloudTrail_eu-west-1_20260301T2Z",
        "111122223333_CloudTrail_eu-west-1_20260301T+100Z_a.json",
        "x_CloudTrail_eu-west-1_20260301T2300Z_a.json.gz",
        "111122223333_Config_eu-west-1_20260301T2300Z_a.json.gz",
        "111122223333_CloudTrail_eu-west-1_2026030éT2300Z_a",
    ] {
        assert_eq!(FileName::parse(text), None, "{text}");
    }
    let old = FileName::parse("111122223333_CloudTrail_us-east-1_20150801T0210Zabcd.json.gz").unwrap();
    assert_eq!(old.tail, Tail::Log { unique: "abcd" });
}

#[test]
fn regions_by_their_looks() {
    for text in ["us-east-1", "us-gov-west-1", "us_east_1", "ap-southeast-7", "us-isob-east-1", "eusc-de-east-1"] {
        assert!(is_region(text), "{text}");
    }
    for text in ["", "us", "us-east", "us-east-", "-east-1", "us-east-1-x", "us-1", "2026", "US-EAST-1", "us-east-123"]
    {
        assert!(!is_region(text), "{text}");
    }
}

#[test]
fn days() {
    assert_eq!("2024-02-29".parse::<Day>().map(|day| day.next().to_string()), Ok("2024-03-01".to_owned()));
    assert_eq!(Day::new(2026, 1, 1).unwrap().previous(), Day::new(2025, 12, 31).unwrap());
    assert_eq!(Day::new(1970, 1, 1).unwrap().previous(), Day::new(1970, 1, 1).unwrap());
    assert_eq!(Day::new(9999, 12, 31).unwrap().next(), Day::new(9999, 12, 31).unwrap());
    for text in ["2023-02-29", "2024-2-29", "2024-02-29-1", "20240229", "+024-02-29", "0000-01-01", ""] {
        assert_eq!(text.parse::<Day>(), Err(NotADay), "{text}");
    }
}

fn any_day() -> impl Strategy<Value = Day> {
    (1970u16..=9999, 1u8..=12, 1u8..=31).prop_filter_map("a day", |(year, month, day)| Day::new(year, month, day))
}

proptest! {
    #[test]
    fn built_keys_parse_back(
        prefix in "([a-zA-Z0-9 _.=-]{1,12}/|AWSLogs/|AWSLogs/111122223333/){0,3}",
        organization in proptest::option::of("o-[a-z0-9]{10,32}"),
        account in "[0-9]{12}",
        kind in proptest::sample::select(Kind::DELIVERED.to_vec()),
        region in "[a-z]{2}(-[a-z]{3,9}){1,2}-[1-9]",
        (day, hour, minute, second) in (any_day(), 0u8..24, 0u8..60, 0u8..60),
        (unique, trail, backfill) in ("[A-Za-z0-9]{1,20}", "[A-Za-z0-9][A-Za-z0-9._-]{2,20}", any::<bool>()),
    ) {
        let digest = kind == Kind::Digest;
        let tail = if digest {
            Tail::Digest { trail: &trail, home_region: "us-east-1", backfill }
        } else {
            Tail::Log { unique: &unique }
        };
        let time = Time { day, hour, minute, second: if digest { second } else { 0 } };
        let name = FileName { account: &account, kind, region: &region, time, tail, extension: ".json.gz" };
        let file = name.to_string();
        let key = LogKey {
            prefix: &prefix, organization: organization.as_deref(), account: &account, kind,
            service: kind.folder().unwrap(), region: Some(&region), day: Some(day), file: &file, name: Some(name),
        };
        let text = key.to_string();
        prop_assert_eq!(LogKey::parse(&text), Some(key));
    }

    #[test]
    fn keys_that_parse_are_written_back(
        key in "([a-z]{0,3}/)?AWSLogs/(o-[a-z0-9]{10}/)?[0-9]{12}/[A-Za-z-]{1,12}/(us-east-1/20[0-9]{2}/[01][0-9]/[0-3][0-9]/)?[ -~]{0,9}",
    ) {
        if let Some(found) = LogKey::parse(&key) {
            prop_assert_eq!(found.to_string(), key);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".*", pieces in "(AWSLogs|/|_|[0-9]{4}|é|CloudTrail(-Digest)?|Z|T|us-east-1|[0-9]{12}|.){0,30}") {
        let _ = (LogKey::parse(&text), FileName::parse(&text), text.parse::<Day>(), is_region(&text));
        let _ = (LogKey::parse(&pieces), FileName::parse(&pieces), pieces.parse::<Day>(), is_region(&pieces));
    }

    #[test]
    fn the_day_before_the_day_after(day in any_day()) {
        prop_assume!(day < Day::new(9999, 12, 31).unwrap());
        prop_assert_eq!(day.next().previous(), day);
        prop_assert!(day.next() > day);
    }
}
