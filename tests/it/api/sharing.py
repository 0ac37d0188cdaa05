"""Who may ask what: signatures, policies within an account and across accounts, shared stores, rows."""
import json
import os

from client import FOLDER, client, done, refused, rows, wait
from principals import GUEST, OWNER, STRANGER, credentials

admin, reader, nobody, narrow, guest, cold, stranger = (
    client(**credentials(name)) for name in ("admin", "reader", "nobody", "narrow", "guest", "cold", "stranger")
)
arn = next(s["EventDataStoreArn"] for s in admin.list_event_data_stores()["EventDataStores"] if s["Name"] == "default")
eds = arn.rsplit("/", 1)[1]
assert f":{OWNER}:" in arn
COUNT = f"SELECT count(*) FROM {eds}"
total = rows(admin, COUNT)[0][0]

# Signatures.
wrong = dict(credentials("admin"), secret="another-secret-of-sixteen")
refused("InvalidSignatureException", client(**wrong).list_event_data_stores)
refused("UnrecognizedClientException", client("AKIANOBODYATALL", "x" * 20).list_event_data_stores)
refused("UnrecognizedClientException", client(**dict(credentials("guest"), token="another")).list_event_data_stores)
refused("UnrecognizedClientException", client(**dict(credentials("admin"), token="any")).list_event_data_stores)

# Within the account: identity policies; what nobody allows is denied.
assert reader.get_event_data_store(EventDataStore=arn)["Name"] == "default"
refused("AccessDeniedException", reader.start_query, QueryStatement=COUNT)
refused("AccessDeniedException", reader.delete_event_data_store, EventDataStore=arn)
for call, arguments in (
    (nobody.list_event_data_stores, {}),
    (nobody.get_event_data_store, {"EventDataStore": arn}),
    (nobody.start_query, {"QueryStatement": COUNT}),
    (nobody.lookup_events, {}),
    (nobody.list_public_keys, {}),
    (nobody.create_event_data_store, {"Name": "mine"}),
    (nobody.search_sample_queries, {"SearchPhrase": "root"}),
    (nobody.list_imports, {}),
):
    refused("AccessDeniedException", call, **arguments)

# Across accounts nothing, and no difference between what is there and what is not.
ghost = arn.replace(eds, "01234567-89ab-cdef-0123-456789abcdef")
assert guest.list_event_data_stores()["EventDataStores"] == []
texts = [refused("AccessDeniedException", guest.get_event_data_store, EventDataStore=a).replace(a, "X") for a in (arn, ghost)]
assert texts[0] == texts[1], texts
texts = [
    refused("EventDataStoreNotFoundException", guest.start_query, QueryStatement=f"SELECT 1 FROM {i}", EventDataStoreOwnerAccountId=OWNER).replace(i, "X")
    for i in (eds, ghost.rsplit("/", 1)[1])
]
assert texts[0] == texts[1], texts
refused("EventDataStoreNotFoundException", guest.start_query, QueryStatement="SELECT 1 FROM default")
refused("EventDataStoreNotFoundException", guest.start_query, QueryStatement="SELECT 1 FROM $EDS_ID")


def share(*statements):
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    admin.put_resource_policy(ResourceArn=arn, ResourcePolicy=document)


def grant(principal, *actions, effect="Allow", **more):
    return {"Effect": effect, "Principal": principal, "Action": [f"cloudtrail:{a}" for a in actions], "Resource": arn, **more}


ALL = ("StartQuery", "DescribeQuery", "GetQueryResults", "CancelQuery", "ListQueries", "GetEventDataStore")

# What is no policy.
refused("ResourcePolicyNotFoundException", admin.get_resource_policy, ResourceArn=arn)
for bad in (
    "nonsense",
    "{}",
    '{"Statement": []}',
    json.dumps({"Statement": [grant({"AWS": "nobody"}, *ALL)]}),
    json.dumps({"Statement": [{**grant({"AWS": GUEST}, *ALL), "Resource": "*"}]}),
    json.dumps({"Statement": [{**grant({"AWS": GUEST}, *ALL), "Colour": "red"}]}),
    json.dumps({"Statement": [{**grant({"AWS": GUEST}, *ALL), "Condition": {"StringNearly": {"aws:SourceIp": "x"}}}]}),
    json.dumps({"Statement": [{**grant({"AWS": GUEST}, *ALL), "Condition": {"StringEquals": {"cloudtarn:Colour": "x"}}}]}),
    json.dumps({"Statement": [{**grant({"AWS": GUEST}, *ALL), "Action": "s3:GetObject"}]}),
):
    refused("ResourcePolicyNotValidException", admin.put_resource_policy, ResourceArn=arn, ResourcePolicy=bad)
refused("AccessDeniedException", guest.put_resource_policy, ResourceArn=arn, ResourcePolicy="{}")
refused("ResourceARNNotValidException", admin.get_resource_policy, ResourceArn="arn:aws:s3:::bucket")

# To an account: its principals that their own policies allow; not the others.
share(grant({"AWS": f"arn:aws:iam::{GUEST}:root"}, *ALL))
assert json.loads(admin.get_resource_policy(ResourceArn=arn)["ResourcePolicy"])["Statement"]
owner = {"EventDataStoreOwnerAccountId": OWNER}
assert rows(guest, COUNT, **owner) == [[total]] == rows(guest, f"SELECT count(*) FROM {arn}", **owner)
assert [s["EventDataStoreArn"] for s in guest.list_event_data_stores()["EventDataStores"]] == [arn]
assert guest.get_event_data_store(EventDataStore=arn)["Name"] == "default"
refused("EventDataStoreNotFoundException", guest.start_query, QueryStatement=COUNT, EventDataStoreOwnerAccountId=GUEST)
refused("EventDataStoreNotFoundException", cold.start_query, QueryStatement=COUNT, **owner)
refused("EventDataStoreNotFoundException", stranger.start_query, QueryStatement=COUNT, **owner)
# What changes a store only its own account may, whatever the policy says.
share(grant({"AWS": GUEST}, "*"))
for call in (guest.delete_event_data_store, guest.update_event_data_store, guest.stop_event_data_store_ingestion):
    refused("AccessDeniedException", call, EventDataStore=arn)
refused("AccessDeniedException", guest.put_resource_policy, ResourceArn=arn, ResourcePolicy="{}")
refused("AccessDeniedException", guest.start_import, Destinations=[arn], ImportSource={"S3": {"S3LocationUri": "file:///etc", "S3BucketRegion": "x", "S3BucketAccessRoleArn": "x"}})

# To a role by name, to everyone, to everyone but some, by action, by condition.
share(grant({"AWS": f"arn:aws:iam::{GUEST}:role/Auditor"}, *ALL))
query = guest.start_query(QueryStatement=COUNT, **owner)["QueryId"]
assert wait(guest, query, **owner)["QueryStatus"] == "FINISHED"
assert query in [q["QueryId"] for q in guest.list_queries(EventDataStore=arn)["Queries"]]
# The owner's account sees the queries on its store; another principal, without a grant, does not.
assert admin.describe_query(QueryId=query)["QueryString"] == COUNT
refused("QueryIdNotFoundException", stranger.describe_query, QueryId=query)
refused("QueryIdNotFoundException", stranger.get_query_results, QueryId=query, **owner)
share(grant({"AWS": f"arn:aws:iam::{GUEST}:role/Another"}, *ALL))
refused("EventDataStoreNotFoundException", guest.start_query, QueryStatement=COUNT, **owner)
refused("QueryIdNotFoundException", guest.get_query_results, QueryId=query, **owner)
share(grant("*", *ALL))
assert rows(stranger, COUNT, **owner) == [[total]]
# Everyone is also who is in the account and has no policy of its own.
assert rows(nobody, COUNT) == [[total]]
share(grant("*", *ALL), grant({"AWS": STRANGER}, "StartQuery", effect="Deny"))
refused("EventDataStoreNotFoundException", stranger.start_query, QueryStatement=COUNT, **owner)
assert rows(guest, COUNT, **owner) == [[total]]
share(grant("*", "StartQuery", "DescribeQuery"))
query = guest.start_query(QueryStatement=COUNT, **owner)["QueryId"]
wait(guest, query, **owner)
refused("QueryIdNotFoundException", guest.get_query_results, QueryId=query, **owner)
for condition, passes in (
    ({"StringEquals": {"aws:PrincipalTag/team": "ir"}}, True),
    ({"StringEquals": {"aws:PrincipalTag/team": "red"}}, False),
    ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
    ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
    ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
    ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
    ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{GUEST}:role/Aud*"}}, True),
    ({"Bool": {"aws:SecureTransport": "true"}}, False),
    ({"StringEqualsIfExists": {"aws:PrincipalTag/none": "x"}}, True),
    ({"Null": {"aws:PrincipalTag/team": "true"}}, False),
    ({"StringLike": {"aws:PrincipalTag/team": "${aws:PrincipalTag/team}"}}, True),
):
    share(grant({"AWS": GUEST}, *ALL, Condition=condition))
    if passes:
        assert rows(guest, COUNT, **owner) == [[total]], condition
    else:
        refused("EventDataStoreNotFoundException", guest.start_query, QueryStatement=COUNT, **owner)
admin.delete_resource_policy(ResourceArn=arn)
refused("EventDataStoreNotFoundException", guest.start_query, QueryStatement=COUNT, **owner)

# Rows: by the owner's own policies too.
regions = dict(rows(admin, f"SELECT awsRegion, count(*) FROM {eds} GROUP BY 1"))
assert len(regions) > 1 and rows(narrow, COUNT) == [[regions["us-east-1"]]], regions
# Who sees less does not read what one who sees more found, and the other way round it does.
query = admin.start_query(QueryStatement=COUNT)["QueryId"]
wait(admin, query)
refused("QueryIdNotFoundException", narrow.get_query_results, QueryId=query)
assert query not in [q["QueryId"] for q in narrow.list_queries(EventDataStore=arn)["Queries"]]
query = narrow.start_query(QueryStatement=COUNT)["QueryId"]
wait(narrow, query)
assert admin.get_query_results(QueryId=query)["QueryResultRows"] == [[{"_col0": regions["us-east-1"]}]]
refused("AccessDeniedException", narrow.delete_event_data_store, EventDataStore=arn)
accounts = dict(rows(admin, f"SELECT recipientAccountId, count(*) FROM {eds} GROUP BY 1"))
one = sorted(accounts)[0]
for condition, expected in (
    ({"StringEquals": {"cloudtarn:RecipientAccountId": one}}, f"recipientAccountId = '{one}'"),
    ({"StringNotEquals": {"cloudtarn:RecipientAccountId": one}}, f"recipientAccountId IS DISTINCT FROM '{one}'"),
    ({"StringLike": {"cloudtarn:EventSource": ["s3.*", "?ms.amazonaws.com"]}}, "eventSource LIKE 's3.%' OR eventSource LIKE '_ms.amazonaws.com'"),
    ({"StringEquals": {"cloudtarn:AwsRegion": "us-east-1", "cloudtarn:RecipientAccountId": one}}, f"awsRegion = 'us-east-1' AND recipientAccountId = '{one}'"),
):
    share(grant({"AWS": GUEST}, *ALL, Condition=condition))
    assert rows(guest, COUNT, **owner) == rows(admin, f"{COUNT} WHERE {expected}"), condition
share(grant({"AWS": GUEST}, *ALL), grant({"AWS": GUEST}, "StartQuery", effect="Deny", Condition={"StringEquals": {"cloudtarn:AwsRegion": "us-east-1"}}))
assert rows(guest, COUNT, **owner) == [[str(int(total) - int(regions["us-east-1"]))]]
# A grant that shrinks shrinks what was found before.
query = guest.start_query(QueryStatement=COUNT, **owner)["QueryId"]
wait(guest, query, **owner)
assert guest.get_query_results(QueryId=query, **owner)["QueryResultRows"]
share(grant({"AWS": GUEST}, *ALL, Condition={"StringEquals": {"cloudtarn:AwsRegion": "eu-west-1"}}))
refused("QueryIdNotFoundException", guest.get_query_results, QueryId=query, **owner)
# Event history goes the same way.
refused("OperationNotPermittedException", guest.lookup_events)
share(grant({"AWS": GUEST}, "LookupEvents", Condition={"StringEquals": {"cloudtarn:AwsRegion": "us-east-1"}}))
events = guest.lookup_events()["Events"]
assert events and all(json.loads(e["CloudTrailEvent"])["awsRegion"] == "us-east-1" for e in events)

# Stores of one's own are another account's as little.
mine = guest.create_event_data_store(Name="guests-own")["EventDataStoreArn"]
assert f":{GUEST}:" in mine
refused("AccessDeniedException", stranger.get_event_data_store, EventDataStore=mine)
assert mine not in [s["EventDataStoreArn"] for s in admin.list_event_data_stores()["EventDataStores"]]
assert mine in [s["EventDataStoreArn"] for s in guest.list_event_data_stores()["EventDataStores"]]

# Imports and deliveries stay below the roots.
for uri in ("file:///etc", f"file://{FOLDER}", "s3://somebody-elses-bucket"):
    source = {"S3": {"S3LocationUri": uri, "S3BucketRegion": "us-east-1", "S3BucketAccessRoleArn": "x"}}
    refused("InvalidImportSourceException", admin.start_import, Destinations=[arn], ImportSource=source)
    refused("InvalidS3PrefixException", admin.start_query, QueryStatement=COUNT, DeliveryS3Uri=uri)
os.makedirs(f"{FOLDER}/allowed", exist_ok=True)
query = admin.start_query(QueryStatement=COUNT, DeliveryS3Uri=f"file://{FOLDER}/allowed/x")["QueryId"]
wait(admin, query)

# The audit log says who was refused what.
log = rows(admin, "SELECT userIdentity.accountId, count(*) FROM \"cloudtarn-audit\" WHERE errorCode = 'AccessDenied' GROUP BY 1")
assert dict(log).keys() >= {OWNER, GUEST, STRANGER}, log
unknown = rows(admin, "SELECT userIdentity.accessKeyId FROM \"cloudtarn-audit\" WHERE errorCode = 'UnrecognizedClient' AND userIdentity.type = 'Unknown'")
assert ["AKIANOBODYATALL"] in unknown, unknown
done()
