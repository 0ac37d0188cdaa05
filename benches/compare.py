#!/usr/bin/env python3
"""Compare ingestion: cloudtarn, DuckDB and ClickHouse (chdb) on the same CloudTrail files and the same cores.

Each engine reads the folder of .json.gz files into its own native table, in a process of its own that is pinned to the
given number of cores. Raw bytes, records and distinct event ids are counted by this script. No time is printed before
every engine's rows agree with that count.
"""

import json
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time

import engines

TEXT = [
    "eventVersion", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode",
    "errorMessage", "requestID", "eventID", "eventType", "apiVersion", "recipientAccountId", "sharedEventID",
    "vpcEndpointId", "eventCategory", "sessionCredentialFromConsole",
]
JSON = [
    "userIdentity", "requestParameters", "responseElements", "additionalEventData", "resources",
    "serviceEventDetails", "tlsDetails",
]
BOOLEAN = ["readOnly", "managementEvent"]


def count(corpus):
    """Raw bytes, records, distinct event ids, and the largest file's raw bytes."""
    raw = records = largest = 0
    ids = set()
    for text in engines.inflated(corpus):
        raw += len(text)
        largest = max(largest, len(text))
        for record in json.loads(text)["Records"]:
            records += 1
            ids.add(record["eventID"])
    return {"raw": raw, "records": records, "distinct": len(ids), "largest": largest}


def duckdb(job):
    """`json_transform` over one array of JSON was the quickest of the forms tried: STRUCT columns that are turned back
    into JSON for eventJson took 1.6 times as long."""
    import duckdb as engine

    shape = {**dict.fromkeys(TEXT, "VARCHAR"), **dict.fromkeys(JSON, "JSON"), **dict.fromkeys(BOOLEAN, "BOOLEAN")}
    shape["eventTime"] = "TIMESTAMP"
    database = os.path.join(job["store"], "events.duckdb")
    connection = engine.connect(database)
    connection.execute(f"SET threads = {job['threads']}")
    connection.execute("SET preserve_insertion_order = false")
    # Buffers are sized by this: as small as the largest file allows.
    limit = job["largest"] + 65536
    start = time.perf_counter()
    connection.execute(
        f"""
        CREATE TABLE events AS
        SELECT unnest(json_transform(record, '{json.dumps(shape)}')), record::VARCHAR AS "eventJson"
        FROM (
            SELECT unnest("Records") AS record
            FROM read_json(?, columns = {{'Records': 'JSON[]'}}, format = 'unstructured',
                           compression = 'gzip', maximum_object_size = {limit})
        )
        """,
        [job["files"]],
    )
    connection.execute("CHECKPOINT")
    seconds = time.perf_counter() - start
    rows, ids = connection.execute('SELECT count(*), count(DISTINCT "eventID") FROM events').fetchone()
    connection.close()
    return {"seconds": seconds, "rows": rows, "distinct": ids, "version": engine.__version__}


def chdb(job):
    """`JSONEachRow` with the records as an array of strings, then one `JSONExtract` into a tuple: as quick as
    `JSONAsString` with `JSONExtractArrayRaw`, and quicker than one extraction for each column (1.4 times as long)."""
    import chdb as package
    from chdb import session

    columns = ", ".join(f"{c} String" for c in TEXT + JSON) + ", readOnly Bool, managementEvent Bool"
    names = ", ".join(f"t.{c} AS {c}" for c in TEXT + JSON + BOOLEAN)
    engine = session.Session(os.path.join(job["store"], "chdb"))
    engine.query("CREATE DATABASE IF NOT EXISTS lake ENGINE = Atomic")
    engine.query(
        f"CREATE TABLE lake.events ({columns}, eventTime DateTime, eventJson String) ENGINE = MergeTree ORDER BY eventTime"
    )
    pattern = os.path.join(job["view"], "*.json.gz")
    start = time.perf_counter()
    engine.query(
        f"""
        INSERT INTO lake.events
        SELECT {names}, parseDateTimeBestEffort(t.eventTime) AS eventTime, record AS eventJson
        FROM (
            SELECT record, JSONExtract(record, 'Tuple({columns}, eventTime String)') AS t
            FROM (SELECT arrayJoin(Records) AS record FROM file('{pattern}', JSONEachRow, 'Records Array(String)'))
        )
        SETTINGS max_threads = {job['threads']}, max_insert_threads = {job['threads']},
                 input_format_json_read_objects_as_strings = 1
        """
    )
    seconds = time.perf_counter() - start
    answer = str(engine.query("SELECT count(), uniqExact(eventID) FROM lake.events", "CSV"))
    rows, ids = (int(n) for n in answer.strip().split(","))
    engine.close()
    return {"seconds": seconds, "rows": rows, "distinct": ids, "version": package.__version__}


def cloudtarn(job):
    """Ingest with the program, then ask it for its rows."""
    fill = {"cloudtarn": job["cloudtarn"], "corpus": job["corpus"], "store": os.path.join(job["store"], "store")}
    fill["threads"] = job["threads"]
    environment = engines.limited(job["threads"])
    start = time.perf_counter()
    run(job["ingest_command"], fill, environment)
    seconds = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = run(job["count_command"], fill, environment)
    numbers = re.findall(r"\d+", answer)
    if len(numbers) < 2:
        sys.exit(f"expected a row count and a distinct count from cloudtarn, got: {answer[:500]}")
    version = subprocess.run([job["cloudtarn"], "--version"], capture_output=True, text=True).stdout.strip()
    return {"seconds": seconds, "rows": int(numbers[-2]), "distinct": int(numbers[-1]), "version": version.split(" ")[-1], "rss": usage.ru_maxrss}


def run(template, fill, environment):
    command = [part.format(**fill) for part in shlex.split(template)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(command)} failed ({done.returncode}):\n{done.stderr[-2000:]}")
    return done.stdout


ENGINES = {"cloudtarn": cloudtarn, "duckdb": duckdb, "chdb": chdb}


def measure(engine, arguments, counted, python, view):
    with tempfile.TemporaryDirectory(prefix=f"compare-{engine}-", dir=arguments.scratch) as store:
        job = {
            "engine": engine,
            "store": store,
            "corpus": str(arguments.corpus),
            "files": [str(p) for p in engines.files(arguments.corpus)],
            "view": view,
            "threads": arguments.threads,
            "largest": counted["largest"],
            "cloudtarn": arguments.cloudtarn,
            "ingest_command": arguments.ingest_command,
            "count_command": arguments.count_command,
        }
        return {**engines.start(python, __file__, job), "disk": engines.size(store)}


def main():
    parser = engines.options(__doc__, threads=1, runs=1)
    parser.add_argument("--ingest-command", default="{cloudtarn} ingest {corpus} --store {store}")
    parser.add_argument(
        "--count-command",
        default='{cloudtarn} query --store {store} --output csv '
        '"SELECT count(*) AS n, count(DISTINCT eventID) AS ids FROM default"',
        help="prints two numbers last: rows and distinct event ids",
    )
    arguments = parser.parse_args()
    if arguments.job:
        return engines.child(arguments.job, lambda job: ENGINES[job["engine"]](job))
    wanted, python = engines.resolve(parser, arguments)
    counted = count(arguments.corpus)
    with engines.view(arguments.corpus, arguments.scratch) as view:
        results = {engine: [] for engine in wanted}
        for _ in range(arguments.runs):
            for engine in wanted:
                results[engine].append(measure(engine, arguments, counted, python, view))
    report(arguments, counted, results)
    return None


def report(arguments, counted, results):
    print(f"{arguments.corpus}: {counted['raw'] / 1e6:.1f} MB raw, {counted['records']} records, {counted['distinct']} distinct")
    wrong = 0
    for engine, runs in results.items():
        for r in runs:
            # cloudtarn keeps an event once, however often it was delivered; the others keep every record.
            expected = {"cloudtarn": [counted["distinct"]]}.get(engine, [counted["records"]])
            if r["distinct"] != counted["distinct"] or r["rows"] not in expected:
                wrong += 1
                print(f"{engine}: {r['rows']} rows, {r['distinct']} distinct: expected {expected[0]} and {counted['distinct']}")
    if wrong:
        sys.exit("row counts differ: no times are given")
    heads = ["engine", "version", "MB/s raw per core", "wall s", "peak RSS MB", "disk MB", "rows"]
    table = [heads]
    for engine, runs in results.items():
        r = min(runs, key=lambda r: r["seconds"])
        rate = counted["raw"] / 1e6 / r["seconds"] / arguments.threads
        peak = engines.megabytes(max(x["rss"] for x in runs))
        table.append([engine, r["version"], f"{rate:.1f}", f"{r['seconds']:.2f}", f"{peak:.0f}", f"{r['disk'] / 1e6:.1f}", str(r["rows"])])
    widths = [max(len(row[i]) for row in table) for i in range(len(heads))]
    print(f"{arguments.threads} core(s), best of {arguments.runs}")
    for row in table:
        print("  ".join(cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))


if __name__ == "__main__":
    main()
