"""One table of events in DuckDB, in ClickHouse (chdb) and for Polars, laid out as well as we know for questions.

They have Lake's columns: nested fields that questions name are columns of their own, the maps are maps of text, and the
whole record is kept as `eventJson`. Records that were delivered twice, byte for byte, are kept once, as Cloudtarn does.
"""

import gzip
import json
import os
from pathlib import Path

TEXT = [
    "eventVersion", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode",
    "errorMessage", "requestID", "eventID", "eventType", "apiVersion", "recipientAccountId", "sharedEventID",
    "vpcEndpointId", "vpcEndpointAccountId", "eventCategory", "sessionCredentialFromConsole",
]
BOOLEAN = ["readOnly", "managementEvent"]
MAPS = ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"]
RESOURCE = ["ARN", "accountId", "type", "ARNPrefix"]
# Columns of their own for fields inside objects.
NESTED = {
    "identity_type": "userIdentity.type",
    "identity_principal": "userIdentity.principalId",
    "identity_arn": "userIdentity.arn",
    "identity_account": "userIdentity.accountId",
    "accessKeyId": "userIdentity.accessKeyId",
    "userName": "userIdentity.userName",
    "invokedBy": "userIdentity.invokedBy",
    "identityProvider": "userIdentity.identityProvider",
    "credentialId": "userIdentity.credentialId",
    "onBehalfOf_user": "userIdentity.onBehalfOf.userId",
    "onBehalfOf_store": "userIdentity.onBehalfOf.identityStoreArn",
    "creationDate": "userIdentity.sessionContext.attributes.creationDate",
    "mfaAuthenticated": "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "issuer_type": "userIdentity.sessionContext.sessionIssuer.type",
    "issuer_principal": "userIdentity.sessionContext.sessionIssuer.principalId",
    "issuer_arn": "userIdentity.sessionContext.sessionIssuer.arn",
    "issuer_account": "userIdentity.sessionContext.sessionIssuer.accountId",
    "issuer_name": "userIdentity.sessionContext.sessionIssuer.userName",
    "federatedProvider": "userIdentity.sessionContext.webIdFederationData.federatedProvider",
    "sourceIdentity": "userIdentity.sessionContext.sourceIdentity",
    "ec2RoleDelivery": "userIdentity.sessionContext.ec2RoleDelivery",
    "tlsVersion": "tlsDetails.tlsVersion",
    "cipherSuite": "tlsDetails.cipherSuite",
    "clientProvidedHostHeader": "tlsDetails.clientProvidedHostHeader",
}
# What a question may seek among all events.
NEEDLES = ["eventID", "requestID", "sharedEventID", "accessKeyId", "sourceIPAddress", "identity_arn"]
# Nearly every record has another value: a dictionary of them would only cost.
UNIQUE = ["eventID", "requestID", "sharedEventID", "accessKeyId", "identity_principal", "errorMessage", "ARN"]


def tree():
    """The nested fields as a tree of objects."""
    root = {}
    for path in NESTED.values():
        *parents, leaf = path.split(".")
        node = root
        for name in parents:
            node = node.setdefault(name, {})
        node[leaf] = None
    return root


def duckdb(job):
    """Sorted by day, then by call, so that zones of rows are left out; an index on each column that needles are sought in.

    Sorted by time alone, questions on 400,000 events took 1.3 times as long in the geometric mean. Maps were quicker than
    VARIANT; zstd for `eventJson` took a quarter of the space, and LIKE over it no longer.
    """
    import duckdb as engine

    def shape(node):
        return {k: shape(v) if v else "VARCHAR" for k, v in node.items()}

    wanted = {
        "eventTime": "TIMESTAMP",
        **dict.fromkeys(TEXT, "VARCHAR"),
        **dict.fromkeys(BOOLEAN, "BOOLEAN"),
        **dict.fromkeys(MAPS, "MAP(VARCHAR, VARCHAR)"),
        "resources": [dict.fromkeys(RESOURCE, "VARCHAR")],
        **shape(tree()),
    }
    plain = ", ".join(f'"{c}"' for c in ["eventTime", *TEXT, *BOOLEAN])
    nested = ", ".join(f'{path} AS "{name}"' for name, path in NESTED.items())
    connection = engine.connect(os.path.join(job["store"], "events.duckdb"))
    connection.execute(f"SET threads = {job['threads']}")
    connection.execute(f"SET temp_directory = '{os.path.join(job['store'], 'spill')}'")
    connection.execute("SET preserve_insertion_order = false")
    # In a database of its own: the space of dropped tables is not given back.
    staging = os.path.join(job["store"], "staging.duckdb")
    connection.execute(f"ATTACH '{staging}' AS staging")
    connection.execute("SET force_compression = 'zstd'")
    connection.execute(
        f"""
        CREATE TABLE staging.records AS
        SELECT unnest(json_transform(record, '{json.dumps(wanted)}')), record::VARCHAR AS "eventJson"
        FROM (
            SELECT unnest("Records") AS record
            FROM read_json(?, columns = {{'Records': 'JSON[]'}}, format = 'unstructured',
                           compression = 'gzip', maximum_object_size = {job['largest'] + 65536})
        )
        """,
        [job["files"]],
    )
    connection.execute(
        """
        CREATE TABLE staging.kept AS
        SELECT min(rowid) AS kept FROM staging.records GROUP BY "eventID", "recipientAccountId", hash("eventJson")
        """
    )
    connection.execute("SET force_compression = 'auto'")
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(
        f"""
        CREATE TABLE events (
            "eventTime" TIMESTAMP,
            {', '.join(f'"{c}" VARCHAR' for c in TEXT)},
            {', '.join(f'"{c}" BOOLEAN' for c in BOOLEAN)},
            {', '.join(f'"{c}" VARCHAR' for c in NESTED)},
            {', '.join(f'"{c}" MAP(VARCHAR, VARCHAR)' for c in MAPS)},
            resources STRUCT({', '.join(f'"{c}" VARCHAR' for c in RESOURCE)})[],
            "eventJson" VARCHAR USING COMPRESSION zstd
        )
        """
    )
    # Day by day, so that no sort is larger than a day.
    days = connection.execute("SELECT DISTINCT date_trunc('day', \"eventTime\") FROM staging.records ORDER BY 1").fetchall()
    for (day,) in days:
        connection.execute(
            f"""
            INSERT INTO events
            SELECT {plain}, {nested}, {', '.join(MAPS)}, resources, "eventJson"
            FROM staging.records
            WHERE date_trunc('day', "eventTime") IS NOT DISTINCT FROM ? AND rowid IN (SELECT kept FROM staging.kept)
            ORDER BY "eventSource", "eventName", "eventTime"
            """,
            [day],
        )
    connection.execute("DETACH staging")
    os.remove(staging)
    for column in NEEDLES:
        connection.execute(f'CREATE INDEX "by_{column}" ON events ("{column}")')
    connection.execute("CHECKPOINT")
    connection.close()
    return {"version": engine.__version__}


def chdb(job):
    """Sorted by call, then by time; dictionaries, bloom filters, an index of the words of `eventJson` (which LIKE scans).

    Sorted by day and call, questions on 400,000 events took 1.15 times as long in the geometric mean, by time alone 1.6
    times. An index of n-grams took minutes to build. JSON instead of maps reads one path two to five times as fast, but a
    part then has files for each path: inserting 400,000 events failed with 20,000 of them open. Absent text is empty, not
    NULL, which would be a column more for each.
    """
    import chdb as package

    def shape(node):
        fields = (f"{k} {shape(v) if v else 'String'}" for k, v in node.items())
        return f"Tuple({', '.join(fields)})"

    def kind(column):
        return "String" if column in UNIQUE else "LowCardinality(String)"

    resources = f"Array(Tuple({', '.join(f'{c} String' for c in RESOURCE)}))"
    wanted = ", ".join(
        [
            "eventTime String",
            *(f"{c} String" for c in TEXT),
            *(f"{c} Bool" for c in BOOLEAN),
            *(f"{c} Map(String, String)" for c in MAPS),
            f"resources {resources}",
            *(f"{name} {shape(node)}" for name, node in tree().items()),
        ]
    )
    names = ", ".join(
        [
            "parseDateTimeBestEffort(t.eventTime) AS eventTime",
            *(f"t.{c} AS {c}" for c in [*TEXT, *BOOLEAN, *MAPS]),
            *(f"arrayMap(r -> tupleElement(r, '{c}'), t.resources) AS `resources.{c}`" for c in RESOURCE),
            *(f"t.{path} AS {name}" for name, path in NESTED.items()),
            "record AS eventJson",
        ]
    )
    columns = ", ".join(
        [
            "eventTime DateTime('UTC') CODEC(Delta, ZSTD)",
            *(f"{c} {kind(c)} CODEC(ZSTD)" for c in TEXT),
            *(f"{c} Bool" for c in BOOLEAN),
            *(f"{c} Map(LowCardinality(String), String) CODEC(ZSTD)" for c in MAPS),
            *(f"`resources.{c}` Array({kind(c)}) CODEC(ZSTD)" for c in RESOURCE),
            *(f"{c} {kind(c)} CODEC(ZSTD)" for c in NESTED),
            "eventJson String CODEC(ZSTD)",
            *(f"INDEX of_{c} {c} TYPE bloom_filter(0.001) GRANULARITY 1" for c in NEEDLES),
            "INDEX of_name eventName TYPE set(0) GRANULARITY 1",
            "INDEX of_error errorCode TYPE set(0) GRANULARITY 1",
            "INDEX of_resource resources.ARN TYPE bloom_filter(0.001) GRANULARITY 1",
            "INDEX of_words eventJson TYPE text(tokenizer = splitByNonAlpha)",
        ]
    )
    engine = chdb_session(job)
    engine.query("CREATE DATABASE IF NOT EXISTS lake ENGINE = Atomic")
    engine.query(f"CREATE TABLE lake.events ({columns}) ENGINE = MergeTree ORDER BY (eventSource, eventName, eventTime)")
    engine.query(
        f"""
        INSERT INTO lake.events
        SELECT {names}
        FROM (
            SELECT record, JSONExtract(record, 'Tuple({wanted})') AS t
            FROM (SELECT arrayJoin(Records) AS record
                  FROM file('{os.path.join(job["view"], "*.json.gz")}', JSONEachRow, 'Records Array(String)'))
        )
        LIMIT 1 BY eventID, recipientAccountId, sipHash64(eventJson)
        SETTINGS max_insert_threads = {job['threads']}, input_format_json_read_objects_as_strings = 1
        """
    )
    engine.query("OPTIMIZE TABLE lake.events FINAL")
    version = engine.query("SELECT version()", "TSVRaw").bytes().decode().strip()
    engine.close()
    return {"version": f"{version} (chdb {package.__version__})"}


def chdb_session(job):
    from chdb import session

    engine = session.Session(os.path.join(job["store"], "chdb"))
    engine.query(f"SET max_threads = {job['threads']}")
    return engine


# Events of a Parquet file that Polars reads, about.
PART = 100_000


def polars(job):
    """Parquet files, each sorted by call, then by time. Polars reads no CloudTrail files: Python does. There are no maps in it, so
    that questions about their keys are not asked of it."""
    import polars as engine

    columns = {"eventTime": engine.String, **dict.fromkeys([*TEXT, *NESTED, "eventJson"], engine.String), **dict.fromkeys(BOOLEAN, engine.Boolean)}
    paths = {name: path.split(".") for name, path in NESTED.items()}
    rows, seen, parts = [], set(), 0

    def write():
        frame = engine.DataFrame(rows, schema=columns, orient="row")
        frame = frame.with_columns(engine.col("eventTime").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"))
        frame = frame.sort("eventSource", "eventName", "eventTime")
        frame.write_parquet(os.path.join(job["store"], f"{parts:06}.parquet"), row_group_size=PART, compression_level=1)

    for path in job["files"]:
        for record in json.loads(gzip.decompress(Path(path).read_bytes()))["Records"]:
            text = json.dumps(record, separators=(",", ":"))
            identity = hash((record.get("eventID"), record.get("recipientAccountId"), text))
            if identity in seen:
                continue
            seen.add(identity)
            nested = (inside(record, names) for names in paths.values())
            top = (record.get(name) for name in ["eventTime", *TEXT])
            rows.append((*top, *nested, text, *(record.get(name) for name in BOOLEAN)))
        if len(rows) >= PART:
            write()
            rows, parts = [], parts + 1
    if rows:
        write()
    return {"version": engine.__version__}


def inside(record, names):
    """What objects in objects have there."""
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def jq(job):
    """Nothing: it reads the log files for each question."""
    import importlib.metadata

    with open(os.path.join(job["store"], "files.json"), "w") as file:
        json.dump(job["files"], file)
    return {"version": importlib.metadata.version("jq")}
