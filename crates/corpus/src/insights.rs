//! Insights files: pairs of a start and an end of unusual call or error rates.

use crate::File;
use crate::calendar::iso;
use crate::gzip::Gzip;
use crate::logs::{Logs, join, pack};
use crate::plan::Place;
use crate::rng::Rng;

/// The Insights files of a corpus: every account's first day has one, other days have one now and then.
pub(crate) fn files(logs: &Logs, gzip: &mut Gzip) -> Vec<File> {
    let mut files = Vec::new();
    for account in 0..logs.corpus.accounts as usize {
        for day in 0..u64::from(logs.corpus.days) {
            let mut rng = Rng::keyed(logs.corpus.seed, 7 + account as u64 * 1000, day);
            if day > 0 && !rng.chance(300) {
                continue;
            }
            let delivered = logs.corpus.start.epoch() + day * 86_400 + (9 * 12 + rng.below(84)) * 300;
            let place = Place { account, region: rng.below(logs.corpus.regions.len() as u64) as usize, delivered };
            let (start, end) = (delivered - 1_800, delivered - 900);
            let records = pair(logs, place, start, end, &mut rng);
            let body = join(records.iter().map(Vec::as_slice), (start, end));
            let key = logs.key("CloudTrail-Insight", place, &mut rng);
            files.push(pack(key, &body, gzip));
        }
    }
    files
}

fn pair(logs: &Logs, place: Place, start: u64, end: u64, rng: &mut Rng) -> [Vec<u8>; 2] {
    const KINDS: [(&str, &str, &str, &str); 4] = [
        ("ApiCallRateInsight", "ssm.amazonaws.com", "UpdateInstanceInformation", ""),
        ("ApiCallRateInsight", "iam.amazonaws.com", "CreateAccessKey", ""),
        ("ApiErrorRateInsight", "ec2.amazonaws.com", "RunInstances", "Client.InsufficientInstanceCapacity"),
        ("ApiErrorRateInsight", "s3.amazonaws.com", "GetObject", "AccessDenied"),
    ];
    let (kind, source, name, error) = KINDS[rng.below(4) as usize];
    let (account, region) = (logs.account(place.account), &logs.corpus.regions[place.region]);
    let mut shared = Vec::new();
    rng.uuid(&mut shared);
    let shared = String::from_utf8_lossy(&shared).into_owned();
    let (baseline, unusual) = (rng.below(90), 120 + rng.below(900));
    let minutes = (end - start) / 60;
    let error = if error.is_empty() { String::new() } else { format!(r#""errorCode":"{error}","#) };
    let role = format!(r#""value":"arn:aws:iam::{account}:role/orders-deploy","average":{unusual}.0"#);
    let attributions = format!(
        r#"[{{"attribute":"userIdentityArn","insight":[{{{role}}}],"baseline":[{{"value":"arn:aws:iam::{account}:role/billing-deploy","average":0.{baseline:04}}}]}},{{"attribute":"userAgent","insight":[{{"value":"aws-cli/2.33.4","average":{unusual}.0}}],"baseline":[]}}]"#
    );
    [("Start", start), ("End", end)].map(|(state, time)| {
        let mut out = br#"{"eventVersion":"1.09","eventTime":""#.to_vec();
        iso(&mut out, time);
        out.extend_from_slice(format!(r#"","awsRegion":"{region}","eventID":""#).as_bytes());
        rng.uuid(&mut out);
        let length = if state == "End" { format!(r#","insightDuration":{minutes}"#) } else { String::new() };
        out.extend_from_slice(
            format!(
                r#"","eventType":"AwsCloudTrailInsight","recipientAccountId":"{account}","sharedEventID":"{shared}","insightDetails":{{"state":"{state}","eventSource":"{source}","eventName":"{name}",{error}"insightType":"{kind}","insightContext":{{"statistics":{{"baseline":{{"average":0.{baseline:04}}},"insight":{{"average":{unusual}.0}}{length},"baselineDuration":10080}},"attributions":{attributions}}}}},"eventCategory":"Insight"}}"#
            )
            .as_bytes(),
        );
        out
    })
}
