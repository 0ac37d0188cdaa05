"""Forty ways to look beyond a grant of rows: none tells a thing of the rest.

The guest sees the events of one region. Each way runs twice against two stores that hold the same granted events and
differ in the rest (one has none): whatever the guest is told must be the same, but for ids and times.
"""
import json
import os
import time

from client import FOLDER, client, done, rows, wait
from principals import GUEST, OWNER, credentials

admin, guest = client(**credentials("admin")), client(**credentials("guest"))
owner = {"EventDataStoreOwnerAccountId": OWNER}
REGION = "us-east-1"
source = {"S3": {"S3LocationUri": f"file://{FOLDER}/bucket", "S3BucketRegion": REGION, "S3BucketAccessRoleArn": "x"}}


def made(name, *fields):
    # Selectors that take all events of the bucket, or those of the region only.
    arn = admin.create_event_data_store(
        Name=name,
        RetentionPeriod=3653,
        AdvancedEventSelectors=[{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}, *fields]}],
    )["EventDataStoreArn"]
    number = admin.start_import(Destinations=[arn], ImportSource=source)["ImportId"]
    while admin.get_import(ImportId=number)["ImportStatus"] in ("INITIALIZING", "IN_PROGRESS"):
        time.sleep(0.1)
    assert admin.get_import(ImportId=number)["ImportStatus"] == "COMPLETED"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": GUEST},
        "Action": [f"cloudtrail:{a}" for a in ("StartQuery", "DescribeQuery", "GetQueryResults", "ListQueries", "LookupEvents")],
        "Resource": arn,
        "Condition": {"StringEquals": {"cloudtarn:EventSource": SOURCES}},
    }
    admin.put_resource_policy(ResourceArn=arn, ResourcePolicy=json.dumps({"Statement": [statement]}))
    return arn.rsplit("/", 1)[1]


counted = rows(admin, "SELECT eventSource, count(*) FROM default WHERE eventCategory = 'Management' GROUP BY 1 ORDER BY 2 DESC")
SOURCES = [row[0] for row in counted[1:3]]
whole, part = made("whole-bucket"), made("granted-only", {"Field": "eventSource", "Equals": SOURCES})
hidden = counted[0][0]
secret = rows(admin, f"SELECT eventID, eventName, eventTime, userAgent FROM {whole} WHERE eventSource = '{hidden}' ORDER BY eventTime LIMIT 1")[0]
assert rows(admin, f"SELECT count(*) FROM {whole}") != rows(admin, f"SELECT count(*) FROM {part}")
IS = f"eventSource = '{hidden}'"

WAYS = [
    # Plain.
    "SELECT count(*) FROM {t}",
    "SELECT eventSource, count(*) FROM {t} GROUP BY 1 ORDER BY 1",
    f"SELECT count(*) FROM {{t}} WHERE {IS}",
    f"SELECT * FROM {{t}} WHERE eventID = '{secret[0]}'",
    f"SELECT count(*) FROM {{t}} WHERE eventSource NOT IN ('{SOURCES[0]}', '{SOURCES[1]}')",
    "SELECT count(*) FROM {t} WHERE true OR eventSource IS NULL",
    f"SELECT count(*) FROM {{t}} WHERE eventJson LIKE '%{secret[0]}%'",
    f"SELECT count(*) FROM {{t}} WHERE json_extract_scalar(eventJson, '$.eventSource') = '{hidden}'",
    # What statistics of files could answer.
    "SELECT min(eventTime), max(eventTime), min(eventName), max(eventName) FROM {t}",
    "SELECT min(eventSource), max(eventSource), count(errorCode), approx_distinct(eventSource) FROM {t}",
    f"SELECT min(eventTime) FROM {{t}} WHERE {IS}",
    f"SELECT count(*) FROM {{t}} WHERE eventTime = TIMESTAMP '{secret[2]}' AND {IS}",
    # Errors that only a hidden event would raise.
    f"SELECT count(*) FROM {{t}} WHERE 1 / (CASE WHEN {IS} THEN 0 ELSE 1 END) = 1",
    f"SELECT 1 / (CASE WHEN {IS} THEN 0 ELSE 1 END) FROM {{t}} LIMIT 3",
    f"SELECT count(*) FROM {{t}} WHERE CAST(CASE WHEN {IS} THEN eventID ELSE '1' END AS bigint) = 1",
    f"SELECT count(CASE WHEN {IS} THEN json_parse('{{' || eventID) END) FROM {{t}}",
    f"SELECT count(*) FROM {{t}} WHERE regexp_like(eventSource, CASE WHEN {IS} THEN '(' ELSE 'a' END)",
    f"SELECT (SELECT eventID FROM {{t}} WHERE {IS}) FROM {{t}} LIMIT 1",
    f"SELECT count(*) FROM {{t}} WHERE element_at(ARRAY[1], CASE WHEN {IS} THEN 0 ELSE 1 END) = 1",
    f"SELECT sum(CASE WHEN {IS} THEN 9223372036854775807 ELSE 0 END) FROM {{t}}",
    # Subqueries, joins, sets.
    f"SELECT EXISTS (SELECT 1 FROM {{t}} WHERE {IS})",
    f"SELECT count(*) FROM (VALUES '{hidden}') v(s) WHERE s IN (SELECT eventSource FROM {{t}})",
    f"SELECT count(*) FROM (VALUES '{hidden}') v(s) WHERE s NOT IN (SELECT eventSource FROM {{t}})",
    f"SELECT count(*) FROM {{t}} a JOIN {{t}} b ON a.eventID = b.eventID AND b.{IS}",
    f"SELECT count(b.eventID) FROM {{t}} a LEFT JOIN {{t}} b ON a.recipientAccountId = b.recipientAccountId AND b.{IS}",
    f"SELECT v.s, t.eventID FROM (VALUES '{hidden}') v(s) LEFT JOIN {{t}} t ON t.eventSource = v.s",
    f"SELECT eventSource FROM {{t}} UNION SELECT eventSource FROM {{t}} WHERE {IS} ORDER BY 1",
    "SELECT eventSource FROM {t} EXCEPT SELECT 'x' ORDER BY 1",
    f"WITH w AS (SELECT * FROM {{t}}) SELECT count(*) FROM w WHERE {IS}",
    f"SELECT (SELECT count(*) FROM {{t}} b WHERE b.eventSource = v.s) FROM (VALUES '{hidden}') v(s)",
    f"SELECT count(*) FROM {{t}} a WHERE NOT EXISTS (SELECT 1 FROM {{t}} b WHERE b.{IS} AND b.awsRegion = a.awsRegion)",
    # Order, windows, samples, limits.
    "SELECT eventSource FROM {t} ORDER BY eventSource LIMIT 5",
    "SELECT eventSource FROM {t} ORDER BY eventTime, eventID OFFSET 10 LIMIT 5",
    "SELECT eventID, row_number() OVER (ORDER BY eventTime, eventID), lag(eventSource) OVER (ORDER BY eventTime, eventID) FROM {t} ORDER BY 2 LIMIT 20",
    "SELECT first_value(eventSource) OVER (ORDER BY eventSource DESC) FROM {t} LIMIT 1",
    "SELECT max_by(eventSource, eventTime), min_by(eventSource, eventTime), array_sort(array_distinct(array_agg(eventSource))) FROM {t}",
    "SELECT count(*) FROM {t} TABLESAMPLE BERNOULLI (100)",
    # Names and plans.
    'SELECT "$path", "$record" FROM {t} LIMIT 1',
    "SELECT * FROM default LIMIT 1",
    "EXPLAIN ANALYZE SELECT * FROM {t}",
    "EXPLAIN SELECT * FROM {t}",
    "SHOW TABLES",
    "DESCRIBE {t}",
    "SELECT eventSorce FROM {t}",
    "SELECT count(*) FROM {t}, UNNEST(resources) AS r(a, b, c, d)",
    'SELECT count(*) FROM "cloudtarn-audit"',
    "SELECT table_name FROM information_schema.tables",
]
assert len(WAYS) >= 40


def told(sql, store):
    """Everything that the guest is told, without ids, times and the store's name."""
    import botocore.exceptions

    clean = lambda text: text.replace(store, "STORE")
    try:
        query = guest.start_query(QueryStatement=sql.replace("{t}", store), **owner)["QueryId"]
    except botocore.exceptions.ClientError as error:
        return clean(str(error))
    described = wait(guest, query, **owner)
    statistics = described["QueryStatistics"]
    del statistics["CreationTime"], statistics["ExecutionTimeInMillis"]
    results = guest.get_query_results(QueryId=query, **owner)
    return (
        described["QueryStatus"],
        clean(described.get("ErrorMessage", "")),
        statistics,
        sorted(json.dumps(row) for row in results["QueryResultRows"]) if "ORDER BY" not in sql else results["QueryResultRows"],
        results["QueryStatistics"],
    )


for way in WAYS:
    seen = [told(way, store) for store in (whole, part)]
    if "LIMIT" in way and "ORDER BY" not in way:
        # Which rows of many come is open; how many, and that they are granted ones, is not.
        assert seen[0][0] == seen[1][0] and (isinstance(seen[0], str) or len(seen[0][3]) == len(seen[1][3])), (way, seen)
    elif isinstance(seen[0], tuple) and ("eventTime" in way and "LIMIT" in way):
        assert seen[0][0] == seen[1][0] and seen[0][3] == seen[1][3], (way, seen)
    else:
        assert seen[0] == seen[1], (way, seen)
    text = json.dumps(seen[0], default=str)
    assert secret[0] not in text.replace(way, ""), (way, text)

# Event history.
for attribute in (None, ("EventId", secret[0]), ("EventSource", hidden), ("EventName", secret[1])):
    more = {"LookupAttributes": [{"AttributeKey": attribute[0], "AttributeValue": attribute[1]}]} if attribute else {}
    for page in guest.get_paginator("lookup_events").paginate(PaginationConfig={"MaxItems": 500}, **more):
        assert all(e["EventSource"] in SOURCES for e in page["Events"])
# Other people's queries, and the owner's listing.
mine = admin.start_query(QueryStatement=f"SELECT eventID FROM {whole} WHERE {IS}")["QueryId"]
wait(admin, mine)
assert mine not in [q["QueryId"] for q in guest.list_queries(EventDataStore=f"arn:aws:cloudtrail:us-east-1:{OWNER}:eventdatastore/{whole}")["Queries"]]
done()
