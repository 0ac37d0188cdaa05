use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use chrono::Utc;
use cloudtarn_query::Rows;
use serde_json::{Value, json};

use super::{Policy, Request, decide, glob};
use crate::principal::{Principal, Principals};

const ARN: &str = "arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/x";

/// A principal of an account, with statements of its own policy.
fn principal(account: &str, statements: &Value) -> Arc<Principal> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let entry = json!({
        "accessKeyId": "AKIATEST", "secretAccessKey": "0123456789abcdef", "accountId": account,
        "arn": format!("arn:aws:sts::{account}:assumed-role/Role/session"), "sessionTags": {"region": "eu-west-1"},
        "policy": {"Version": "2012-10-17", "Statement": statements},
    });
    std::fs::write(file.path(), json!({"principals": [entry]}).to_string()).unwrap();
    Principals::read(file.path()).unwrap().find("AKIATEST").unwrap()
}

fn rows(principal: &Principal, resource_policy: Option<Value>) -> Rows {
    let policy = resource_policy
        .map(|statement| Policy::of_resource(&json!({"Statement": statement}).to_string(), ARN).unwrap());
    let request = Request {
        action: "cloudtrail:StartQuery",
        resource: ARN,
        resource_account: "111122223333",
        resource_tags: &BTreeMap::new(),
        principal,
        time: Utc::now(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        region: "us-east-1",
        user_agent: "test",
        external_id: None,
    };
    decide(&request, policy.as_ref())
}

fn statement(effect: &str, action: &str) -> Value {
    json!({"Effect": effect, "Action": action, "Resource": "*"})
}

fn grant(effect: &str, principal: &Value, condition: &Value) -> Value {
    json!({"Effect": effect, "Principal": principal, "Action": "cloudtrail:StartQuery", "Resource": ARN, "Condition": condition})
}

fn region(name: &str) -> Rows {
    Rows::equals("awsregion", [name.to_owned()])
}

#[test]
fn patterns_match_as_iam_s_do() {
    for (pattern, text) in
        [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("**", "x"), ("cloudtrail:Get*", "cloudtrail:GetTrail")]
    {
        assert!(glob(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [("a?c", "ac"), ("a*c", "ab"), ("", "x"), ("*a", "ab")] {
        assert!(!glob(pattern, text), "{pattern} {text}");
    }
}

#[test]
fn within_an_account_either_policy_is_enough_and_a_deny_wins() {
    let (able, unable) = (
        principal("111122223333", &json!([statement("Allow", "cloudtrail:Start*")])),
        principal("111122223333", &json!([statement("Deny", "s3:*")])),
    );
    let denied =
        principal("111122223333", &json!([statement("Allow", "*"), statement("Deny", "CloudTrail:StartQuery")]));
    let everyone = Some(grant("Allow", &json!("*"), &json!({})));
    assert_eq!(rows(&able, None), Rows::All);
    assert_eq!(rows(&unable, None), Rows::None);
    assert_eq!(rows(&unable, everyone.clone()), Rows::All);
    // The account as a whole hands the decision to its own policies.
    assert_eq!(rows(&unable, Some(grant("Allow", &json!({"AWS": "111122223333"}), &json!({})))), Rows::None);
    assert_eq!(rows(&denied, everyone), Rows::None);
}

#[test]
fn across_accounts_both_must_allow() {
    let (able, unable) = (
        principal("444455556666", &json!([statement("Allow", "*")])),
        principal("444455556666", &json!([statement("Deny", "s3:*")])),
    );
    for to in [
        json!("*"),
        json!({"AWS": "arn:aws:iam::444455556666:root"}),
        json!({"AWS": "arn:aws:iam::444455556666:role/Role"}),
        json!({"AWS": "arn:aws:iam::444455556666:role/a/path/Role"}),
    ] {
        assert_eq!(rows(&able, Some(grant("Allow", &to, &json!({})))), Rows::All, "{to}");
        assert_eq!(rows(&unable, Some(grant("Allow", &to, &json!({})))), Rows::None, "{to}");
    }
    assert_eq!(rows(&able, None), Rows::None);
    assert_eq!(rows(&able, Some(grant("Allow", &json!({"AWS": "777788889999"}), &json!({})))), Rows::None);
}

#[test]
fn conditions_on_events_become_sets_of_events() {
    let able = principal("444455556666", &json!([statement("Allow", "*")]));
    let of = |effect: &str, condition: Value| grant(effect, &json!({"AWS": "444455556666"}), &condition);
    let by_region = |name: &str| json!({"StringEquals": {"cloudtarn:AwsRegion": name}});
    assert_eq!(rows(&able, Some(of("Allow", by_region("us-east-1")))), region("us-east-1"));
    assert_eq!(rows(&able, Some(of("Allow", by_region("${aws:PrincipalTag/region}")))), region("eu-west-1"));
    assert_eq!(rows(&able, Some(of("Allow", by_region("${aws:PrincipalTag/none}")))), Rows::None);
    let both = json!([of("Allow", json!({})), of("Deny", by_region("us-east-1"))]);
    assert_eq!(rows(&able, Some(both)), Rows::not(region("us-east-1")));
    let narrow = principal(
        "444455556666",
        &json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": by_region("eu-west-1")}]),
    );
    let expected = Rows::every([region("us-east-1"), region("eu-west-1")]);
    assert_eq!(rows(&narrow, Some(of("Allow", by_region("us-east-1")))), expected);
}
