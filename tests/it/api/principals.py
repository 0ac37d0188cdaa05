"""Who calls in the tests of sharing: the same file for the server and the scripts."""
import json
import sys

OWNER, GUEST, STRANGER = "111122223333", "444455556666", "777788889999"


def principal(name, account, arn, policy=None, managed=(), token=None, **tags):
    made = {
        "accessKeyId": f"AKIA{name.upper()}",
        "secretAccessKey": f"{name}-secret-of-sixteen-and-more",
        "accountId": account,
        "arn": arn,
        "managedPolicies": list(managed),
        "sessionTags": tags,
    }
    if policy:
        made["policy"] = {"Version": "2012-10-17", "Statement": policy}
    if token:
        made["sessionToken"] = token
    return made


def allow(*actions, **more):
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


FULL = ["AWSCloudTrail_FullAccess"]
PRINCIPALS = {
    "admin": principal("admin", OWNER, f"arn:aws:iam::{OWNER}:user/admin", managed=FULL),
    "reader": principal("reader", OWNER, f"arn:aws:iam::{OWNER}:role/Reader", managed=["AWSCloudTrail_ReadOnlyAccess"]),
    "nobody": principal("nobody", OWNER, f"arn:aws:iam::{OWNER}:user/nobody"),
    "narrow": principal(
        "narrow",
        OWNER,
        f"arn:aws:iam::{OWNER}:user/narrow",
        policy=[allow("cloudtrail:*", Condition={"StringEquals": {"cloudtarn:AwsRegion": "us-east-1"}})],
    ),
    "guest": principal("guest", GUEST, f"arn:aws:sts::{GUEST}:assumed-role/Auditor/jo", managed=FULL, token="session-token", team="ir"),
    "cold": principal("cold", GUEST, f"arn:aws:iam::{GUEST}:user/cold"),
    "stranger": principal("stranger", STRANGER, f"arn:aws:iam::{STRANGER}:user/stranger", managed=FULL),
}


def credentials(name):
    who = PRINCIPALS[name]
    return {"key": who["accessKeyId"], "secret": who["secretAccessKey"], "token": who.get("sessionToken")}


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        roots = sys.argv[2:]
        config = {"ownerAccountId": OWNER, "principals": list(PRINCIPALS.values()), "importRoots": roots, "deliveryRoots": roots}
        json.dump(config, file)
