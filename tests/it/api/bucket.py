"""Imports from a bucket, and deliveries into one."""
import csv
import datetime
import gzip
import hashlib
import io
import json
import os
import time

import boto3
from client import client, done, refused, rows, verify_signature, wait

api = client()
s3 = boto3.session.Session().client("s3")  # Address and credentials as the environment says.
BUCKET = os.environ["BUCKET"]


def source(uri):
    return {"S3": {"S3LocationUri": uri, "S3BucketRegion": "us-east-1", "S3BucketAccessRoleArn": "arn:aws:iam::000000000000:role/x"}}


# All management events come in, as a store takes them that is made without selectors, and once.
EVENTS = rows(api, "SELECT count(*) FROM default WHERE eventCategory = 'Management'")[0][0]
assert int(EVENTS) > 100
arn = api.create_event_data_store(Name="imported")["EventDataStoreArn"]
for _ in range(2):
    number = api.start_import(Destinations=[arn], ImportSource=source(f"s3://{BUCKET}"))["ImportId"]
    deadline = time.monotonic() + 300
    while (got := api.get_import(ImportId=number))["ImportStatus"] in ("INITIALIZING", "IN_PROGRESS"):
        assert time.monotonic() < deadline, got
        time.sleep(0.1)
    assert got["ImportStatus"] == "COMPLETED", got
    assert rows(api, "SELECT count(*), count(DISTINCT eventID) FROM imported") == [[EVENTS, EVENTS]]
refused("InvalidImportSourceException", api.start_import, Destinations=[arn], ImportSource=source("s3://"))
number = api.start_import(Destinations=[arn], ImportSource=source("s3://there-is-no-such-bucket"))["ImportId"]
while (got := api.get_import(ImportId=number))["ImportStatus"] in ("INITIALIZING", "IN_PROGRESS"):
    time.sleep(0.1)
assert got["ImportStatus"] == "FAILED", got


def delivered(uri):
    query = api.start_query(QueryStatement="SELECT eventID, eventName FROM imported ORDER BY 1 LIMIT 50", DeliveryS3Uri=uri)["QueryId"]
    while (described := wait(api, query))["DeliveryStatus"] == "PENDING":
        time.sleep(0.1)
    return query, described


def place(query):
    day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y/%m/%d")
    return f"results/AWSLogs/000000000000/CloudTrail-Lake/Query/{day}/{query}/"


query, described = delivered(f"s3://{BUCKET}/results")
assert described["DeliveryStatus"] == "SUCCESS", described
sign = json.loads(s3.get_object(Bucket=BUCKET, Key=place(query) + "result_sign.json")["Body"].read())
verify_signature(api, sign)
(entry,) = sign["files"]
body = s3.get_object(Bucket=BUCKET, Key=place(query) + entry["fileName"])["Body"].read()
assert hashlib.sha256(body).hexdigest() == entry["fileHashValue"]
assert len(list(csv.reader(io.StringIO(gzip.decompress(body).decode())))) == 51

# Where nothing can be delivered, the query is finished all the same.
_, described = delivered("s3://there-is-no-such-bucket/results")
assert described["QueryStatus"] == "FINISHED" and described["DeliveryStatus"] == "RESOURCE_NOT_FOUND", described
done()
