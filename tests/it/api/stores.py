"""Event data stores, imports, delivery, keys, tags, dashboards, looking up."""
import base64
import csv
import datetime
import gzip
import hashlib
import json
import os
import time

from client import FOLDER, aws, client, done, refused, rows, verify_signature, wait

api = client()
BUCKET = os.path.join(FOLDER, "bucket")


def source(uri):
    return {"S3": {"S3LocationUri": uri, "S3BucketRegion": "us-east-1", "S3BucketAccessRoleArn": "arn:aws:iam::000000000000:role/x"}}


def imported(arn, uri, status="COMPLETED", **more):
    started = api.start_import(Destinations=[arn], ImportSource=source(uri), **more)
    return ended(started["ImportId"], status)


def ended(number, status="COMPLETED"):
    deadline = time.monotonic() + 300
    while (got := api.get_import(ImportId=number))["ImportStatus"] in ("INITIALIZING", "IN_PROGRESS"):
        assert time.monotonic() < deadline, got
        time.sleep(0.1)
    assert got["ImportStatus"] == status, got
    return got


def selector(*fields):
    return {"Name": "some", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}, *fields]}


total = int(rows(api, "SELECT count(*) FROM default")[0][0])
busiest, calls = rows(api, "SELECT eventName, count(*) FROM default WHERE eventCategory = 'Management' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1")[0]

# Selectors filter what is taken in.
chosen = api.create_event_data_store(
    Name="chosen",
    AdvancedEventSelectors=[selector({"Field": "eventName", "Equals": [busiest]})],
    RetentionPeriod=3653,
    TagsList=[{"Key": "team", "Value": "ir"}],
)
assert chosen["Status"] == "ENABLED" and chosen["TerminationProtectionEnabled"] and chosen["TagsList"][0]["Value"] == "ir", chosen
arn = chosen["EventDataStoreArn"]
stats = imported(arn, f"file://{BUCKET}")["ImportStatistics"]
assert stats["FilesCompleted"] > 0 and stats["EventsCompleted"] >= total and stats["FailedEntries"] == 0, stats
assert rows(api, "SELECT eventName, count(*) FROM chosen GROUP BY 1") == [[busiest, calls]]
readers = [selector({"Field": "readOnly", "Equals": ["true"]}, {"Field": "eventName", "NotStartsWith": ["Describe"]}), selector({"Field": "eventName", "StartsWith": ["Create"], "NotEndsWith": ["Role"]})]
other = api.create_event_data_store(Name="readers", AdvancedEventSelectors=readers, RetentionPeriod=3653, StartIngestion=False)
assert other["Status"] == "STOPPED_INGESTION"
imported(other["EventDataStoreArn"], f"file://{BUCKET}")
expected = rows(api, "SELECT count(*) FROM default WHERE eventCategory = 'Management' AND ((readOnly AND eventName NOT LIKE 'Describe%') OR (eventName LIKE 'Create%' AND eventName NOT LIKE '%Role'))")
assert rows(api, "SELECT count(*) FROM readers") == expected != [["0"]], expected
for wrong in (
    [{"FieldSelectors": [{"Field": "eventName", "Equals": ["x"]}]}],
    [selector({"Field": "color", "Equals": ["x"]})],
    [selector({"Field": "eventName"})],
    [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["ConfigurationItem"]}]}],
):
    refused("InvalidEventSelectorsException", api.create_event_data_store, Name="wrong", AdvancedEventSelectors=wrong)
refused("EventDataStoreAlreadyExistsException", api.create_event_data_store, Name="chosen")

# Retention goes by eventTime: at intake, in answers, on disk.
times = [row[0] for row in rows(api, "SELECT eventTime FROM default WHERE eventCategory = 'Management' ORDER BY 1")]
whole = api.create_event_data_store(Name="whole", AdvancedEventSelectors=[selector()], RetentionPeriod=3653)
imported(whole["EventDataStoreArn"], f"file://{BUCKET}")
assert rows(api, "SELECT count(*) FROM whole") == [[str(len(times))]]
middle = datetime.datetime.strptime(times[len(times) // 2], "%Y-%m-%d %H:%M:%S.%f")
days = (datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - middle).days
if 7 <= days:
    api.update_event_data_store(EventDataStore="whole", RetentionPeriod=days)
    oldest = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.000")
    left = int(rows(api, "SELECT count(*) FROM whole")[0][0])
    assert abs(left - sum(t >= oldest for t in times)) <= 1 and left < len(times), (left, len(times), days)
    assert rows(api, "SELECT min(eventTime) >= TIMESTAMP '" + oldest + "' FROM whole") == [["true"]]
    assert rows(api, f"SELECT count(*) FROM whole WHERE eventTime < '{oldest}'") == [["0"]]
    short = api.create_event_data_store(Name="short", AdvancedEventSelectors=[selector()], RetentionPeriod=days)
    imported(short["EventDataStoreArn"], f"file://{BUCKET}")
    assert abs(int(rows(api, "SELECT count(*) FROM short")[0][0]) - left) <= 1
else:
    raise AssertionError(f"the corpus is only {days} days old")

# The life of a store.
refused("EventDataStoreTerminationProtectedException", api.delete_event_data_store, EventDataStore=arn)
renamed = api.update_event_data_store(EventDataStore=arn, Name="renamed", TerminationProtectionEnabled=False)
assert renamed["Name"] == "renamed" and renamed["UpdatedTimestamp"] > renamed["CreatedTimestamp"]
refused("EventDataStoreAlreadyExistsException", api.update_event_data_store, EventDataStore=arn, Name="readers")
api.stop_event_data_store_ingestion(EventDataStore=arn)
assert api.get_event_data_store(EventDataStore=arn)["Status"] == "STOPPED_INGESTION"
refused("InvalidEventDataStoreStatusException", api.stop_event_data_store_ingestion, EventDataStore=arn)
api.start_event_data_store_ingestion(EventDataStore=arn)
refused("InvalidEventDataStoreStatusException", api.restore_event_data_store, EventDataStore=arn)
api.delete_event_data_store(EventDataStore=arn)
assert api.get_event_data_store(EventDataStore=arn)["Status"] == "PENDING_DELETION"
refused("InactiveEventDataStoreException", api.start_query, QueryStatement="SELECT count(*) FROM renamed")
refused("InactiveEventDataStoreException", api.start_import, Destinations=[arn], ImportSource=source(f"file://{BUCKET}"))
assert api.restore_event_data_store(EventDataStore=arn)["Status"] == "ENABLED"
assert rows(api, "SELECT count(*) FROM renamed") == [[calls]]
assert api.get_event_configuration(EventDataStore=arn)["EventDataStoreArn"] == arn
refused("InvalidParameterCombinationException", api.get_event_configuration)

# Imports that fail, that are refused, that are tried again.
broken = os.path.join(FOLDER, "broken/AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/01")
os.makedirs(broken, exist_ok=True)
with open(os.path.join(broken, "111122223333_CloudTrail_us-east-1_20260101T0000Z_abcdefghijklmnop.json.gz"), "wb") as file:
    file.write(b"\x1f\x8b\x08 not gzip")
failed = imported(arn, f"file://{FOLDER}/broken", "FAILED")
failures = api.list_import_failures(ImportId=failed["ImportId"])["Failures"]
assert len(failures) == 1 and failures[0]["Location"].endswith(".json.gz") and failures[0]["ErrorMessage"], failures
api.start_import(ImportId=failed["ImportId"])
ended(failed["ImportId"])
for uri in (f"file://{FOLDER}/../etc", "file:///no/such/folder", "file://etc", "http://127.0.0.1/x", "/etc", "s3://", "file:///%2e%2e/etc"):
    refused("InvalidImportSourceException", api.start_import, Destinations=[arn], ImportSource=source(uri))
refused("ImportNotFoundException", api.get_import, ImportId="01234567-89ab-cdef-0123-456789abcdef")
refused("InvalidParameterException", api.stop_import, ImportId=failed["ImportId"])
listed = api.list_imports(Destination=arn)["Imports"]
assert {i["ImportId"] for i in listed} >= {failed["ImportId"]} and all(i["Destinations"] == [arn] for i in listed)
assert len(list(api.get_paginator("list_imports").paginate(PaginationConfig={"PageSize": 1}))) >= 4

# Results are delivered in Lake's layout, with a signature that our key verifies.
delivered = os.path.join(FOLDER, "delivered")
query = api.start_query(QueryStatement="SELECT eventID, eventName, userAgent FROM default ORDER BY 1", DeliveryS3Uri=f"file://{delivered}/prefix")["QueryId"]
while (described := wait(api, query))["DeliveryStatus"] == "PENDING":
    time.sleep(0.1)
assert described["DeliveryStatus"] == "SUCCESS", described
now = datetime.datetime.now(datetime.timezone.utc)
place = os.path.join(delivered, "prefix/AWSLogs/000000000000/CloudTrail-Lake/Query", now.strftime("%Y/%m/%d"), query)
with open(os.path.join(place, "result_sign.json"), encoding="utf-8") as file:
    sign = json.load(file)
assert sign["version"] == "1.0" and sign["hashAlgorithm"] == "SHA-256" and sign["signatureAlgorithm"] == "SHA256withRSA", sign
for entry in sign["files"]:
    with open(os.path.join(place, entry["fileName"]), "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == entry["fileHashValue"]
verify_signature(api, sign)
with gzip.open(os.path.join(place, "result_1.csv.gz"), "rt", newline="", encoding="utf-8") as file:
    table = list(csv.reader(file))
assert table[0] == ["eventID", "eventName", "userAgent"] and len(table) == total + 1
assert sorted(os.listdir(place)) == ["result_1.csv.gz", "result_sign.json"]
refused("InvalidS3PrefixException", api.start_query, QueryStatement="SELECT 1", DeliveryS3Uri=f"file://{FOLDER}/../x")
refused("InvalidS3PrefixException", api.start_query, QueryStatement="SELECT 1", DeliveryS3Uri="ftp://x")

# Tags.
api.add_tags(ResourceId=arn, TagsList=[{"Key": "case", "Value": "7"}])
refused("InvalidTagParameterException", api.add_tags, ResourceId=arn, TagsList=[{"Key": "aws:x", "Value": "7"}])
refused("TagsLimitExceededException", api.add_tags, ResourceId=arn, TagsList=[{"Key": f"k{n}", "Value": "v"} for n in range(50)])
tags = api.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"]
assert {t["Key"]: t["Value"] for t in tags} == {"team": "ir", "case": "7"}
api.remove_tags(ResourceId=arn, TagsList=[{"Key": "team"}])
assert [t["Key"] for t in api.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"]] == ["case"]

# Looking up events of any age.
page = api.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": busiest}], MaxResults=7)
assert len(page["Events"]) == 7 and all(e["EventName"] == busiest for e in page["Events"])
assert json.loads(page["Events"][0]["CloudTrailEvent"])["eventID"] == page["Events"][0]["EventId"]
found = [e for p in api.get_paginator("lookup_events").paginate(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": busiest}]) for e in p["Events"]]
assert len({e["EventId"] for e in found}) == len(found) == int(rows(api, f"SELECT count(*) FROM default WHERE eventName = '{busiest}'")[0][0])
assert [e["EventTime"] for e in found] == sorted((e["EventTime"] for e in found), reverse=True)
event = found[0]
for name, value in (("EventId", event["EventId"]), ("EventSource", event["EventSource"]), ("ReadOnly", event["ReadOnly"])):
    assert api.lookup_events(LookupAttributes=[{"AttributeKey": name, "AttributeValue": value}])["Events"], name
named = next(e for e in found if e.get("Username"))
assert api.lookup_events(LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": named["Username"]}])["Events"]
assert not api.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "x' OR '1'='1"}])["Events"]
assert not api.lookup_events(LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": "no such"}])["Events"]
refused("InvalidTimeRangeException", api.lookup_events, StartTime=9, EndTime=3)
assert isinstance(api.lookup_events(EventCategory="insight")["Events"], list)

# Samples and dashboards.
samples = api.search_sample_queries(SearchPhrase="secrets read")["SearchResults"]
assert samples and "$EDS_ID" in samples[0]["SQL"] and samples == sorted(samples, key=lambda s: -s["Relevance"])
widget = {"QueryStatement": "SELECT count(*) FROM default WHERE eventTime > '?'", "QueryParameters": ["$StartTime$"], "ViewProperties": {"View": "Table"}}
board = api.create_dashboard(Name="board", Widgets=[widget])
alias = board["Widgets"][0]["QueryAlias"]
refresh = api.start_dashboard_refresh(DashboardId="board", QueryParameterValues={"$StartTime$": "2000-01-01"})["RefreshId"]
described = api.describe_query(QueryAlias=alias, RefreshId=refresh)
wait(api, described["QueryId"])
assert api.get_query_results(QueryId=described["QueryId"])["QueryResultRows"] == [[{"_col0": str(total)}]]
assert api.get_dashboard(DashboardId=board["DashboardArn"])["LastRefreshId"] == refresh
assert [d["DashboardArn"] for d in api.list_dashboards(NamePrefix="boa")["Dashboards"]] == [board["DashboardArn"]]
api.update_dashboard(DashboardId="board", TerminationProtectionEnabled=True)
refused("ConflictException", api.delete_dashboard, DashboardId="board")
refused("ConflictException", api.create_dashboard, Name="board")
api.update_dashboard(DashboardId="board", TerminationProtectionEnabled=False)
api.delete_dashboard(DashboardId="board")
refused("ResourceNotFoundException", api.get_dashboard, DashboardId="board")

# Every call is in the audit log.
calls_of = rows(api, "SELECT eventName, count(*), count(errorCode) FROM \"cloudtarn-audit\" GROUP BY 1")
counted = {row[0]: (int(row[1]), int(row[2])) for row in calls_of}
assert counted["DeleteDashboard"] == (2, 1) and counted["CreateEventDataStore"][1] >= 5, counted
who = rows(api, "SELECT DISTINCT userIdentity.arn, eventSource, recipientAccountId FROM \"cloudtarn-audit\" WHERE eventName = 'AddTags'")
assert who == [["arn:aws:iam::000000000000:user/local", "cloudtrail.amazonaws.com", "000000000000"]], who
refused("OperationNotPermittedException", api.delete_event_data_store, EventDataStore="cloudtarn-audit")

# The AWS CLI, for a few.
made = aws("create-event-data-store", "--name", "by-cli", "--no-termination-protection-enabled")
assert aws("get-event-data-store", "--event-data-store", made["EventDataStoreArn"])["Name"] == "by-cli"
aws("delete-event-data-store", "--event-data-store", made["EventDataStoreArn"])
assert aws("lookup-events", "--max-items", "3")["Events"]
assert aws("list-public-keys")["PublicKeyList"]
done()
