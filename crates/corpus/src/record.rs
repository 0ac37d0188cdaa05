//! Writing one record: the keys in the order in which CloudTrail writes them at eventVersion 1.08 to 1.11.

use crate::calendar::iso;
use crate::catalogue::{Call, Origin};
use crate::rng::Rng;
use crate::template::Scene;

/// Whether the call succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Success,
    /// The call's own error.
    Failure,
    /// The caller has no permission.
    Refused,
}

/// Who makes the call, and from where.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) identity: &'a [u8],
    pub(crate) address: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) console: bool,
    pub(crate) service: bool,
    pub(crate) inside_vpc: bool,
}

/// Append the record of `call`. `scene.request_id` is already the record's.
pub(crate) fn write(out: &mut Vec<u8>, call: &Call, caller: &Caller<'_>, scene: &Scene<'_>, fate: Fate, rng: &mut Rng) {
    let push = |out: &mut Vec<u8>, text: &str| out.extend_from_slice(text.as_bytes());
    push(out, r#"{"eventVersion":""#);
    push(out, call.version);
    push(out, r#"","userIdentity":"#);
    out.extend_from_slice(caller.identity);
    push(out, r#","eventTime":""#);
    iso(out, scene.time);
    push(out, r#"","eventSource":""#);
    push(out, call.service);
    push(out, r#".amazonaws.com","eventName":""#);
    push(out, call.name);
    push(out, r#"","awsRegion":""#);
    push(out, scene.region);
    push(out, r#"","sourceIPAddress":""#);
    push(out, caller.address);
    push(out, r#"","userAgent":""#);
    let bracketed = call.service == "s3" && !caller.service;
    push(out, if bracketed { "[" } else { "" });
    push(out, caller.agent);
    push(out, if bracketed { "]" } else { "" });
    push(out, "\"");
    match (fate, &call.error) {
        (Fate::Failure, Some((code, message))) => {
            if !code.is_empty() {
                push(out, r#","errorCode":""#);
                push(out, code);
                push(out, "\"");
            }
            push(out, r#","errorMessage":""#);
            message.write(out, scene, rng);
            push(out, "\"");
        }
        (Fate::Success, _) => {}
        _ => refusal(out, call, scene),
    }
    push(out, r#","requestParameters":"#);
    call.request.write(out, scene, rng);
    push(out, r#","responseElements":"#);
    if fate == Fate::Success || call.origin == Origin::SignIn {
        call.response.write(out, scene, rng);
    } else {
        push(out, "null");
    }
    if let Some(additional) = &call.additional {
        push(out, r#","additionalEventData":"#);
        additional.write(out, scene, rng);
    }
    if call.origin != Origin::SignIn {
        push(out, r#","requestID":""#);
        out.extend_from_slice(scene.request_id);
        push(out, "\"");
    }
    push(out, r#","eventID":""#);
    rng.uuid(out);
    push(out, if call.read_only { r#"","readOnly":true"# } else { r#"","readOnly":false"# });
    if let Some(resources) = &call.resources {
        push(out, r#","resources":"#);
        resources.write(out, scene, rng);
    }
    push(out, r#","eventType":""#);
    push(
        out,
        match call.origin {
            Origin::SignIn => "AwsConsoleSignIn",
            Origin::Service => "AwsServiceEvent",
            Origin::Api | Origin::Data => "AwsApiCall",
        },
    );
    push(out, "\"");
    if let Some(api) = call.api_version {
        push(out, r#","apiVersion":""#);
        push(out, api);
        push(out, "\"");
    }
    let data = call.origin == Origin::Data;
    push(out, if data { r#","managementEvent":false"# } else { r#","managementEvent":true"# });
    push(out, r#","recipientAccountId":""#);
    push(out, scene.account);
    push(out, "\"");
    if caller.service && call.resources.is_some() {
        push(out, r#","sharedEventID":""#);
        rng.uuid(out);
        push(out, "\"");
    }
    if let Some(details) = &call.details {
        push(out, r#","serviceEventDetails":"#);
        details.write(out, scene, rng);
    }
    if caller.inside_vpc {
        push(out, r#","vpcEndpointId":"vpce-0a1b2c3d4e5f67890","vpcEndpointAccountId":""#);
        push(out, scene.account);
        push(out, "\"");
    }
    push(out, if data { r#","eventCategory":"Data""# } else { r#","eventCategory":"Management""# });
    if !caller.service && call.origin != Origin::Service {
        tls(out, call, scene);
    }
    if caller.console && call.origin == Origin::Api {
        push(out, r#","sessionCredentialFromConsole":"true""#);
    }
    push(out, "}");
}

fn refusal(out: &mut Vec<u8>, call: &Call, scene: &Scene<'_>) {
    let push = |out: &mut Vec<u8>, text: &str| out.extend_from_slice(text.as_bytes());
    if call.service == "ec2" {
        push(
            out,
            r#","errorCode":"Client.UnauthorizedOperation","errorMessage":"You are not authorized to perform this operation. User: "#,
        );
    } else {
        push(out, r#","errorCode":"AccessDenied","errorMessage":"User: "#);
    }
    push(out, scene.arn);
    push(out, " is not authorized to perform: ");
    push(out, call.service);
    push(out, ":");
    push(out, call.name);
    push(out, " because no identity-based policy allows the ");
    push(out, call.service);
    push(out, ":");
    push(out, call.name);
    push(out, " action\"");
}

fn tls(out: &mut Vec<u8>, call: &Call, scene: &Scene<'_>) {
    let push = |out: &mut Vec<u8>, text: &str| out.extend_from_slice(text.as_bytes());
    push(
        out,
        r#","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":""#,
    );
    match call.service {
        "iam" | "health" | "organizations" | "ce" => push(out, call.service),
        service => {
            push(out, service);
            push(out, ".");
            push(out, scene.region);
        }
    }
    push(out, r#".amazonaws.com"}"#);
}
