#!/usr/bin/env python3
"""Compare ingestion: cloudtarn, DuckDB and ClickHouse (chdb) on the same CloudTrail files and the same cores.

Each engine reads the folder of .json.gz files into its own native table, in a process of its own that is pinned to the
given number of cores. Raw bytes, records and distinct event ids are counted by this script. No time is printed before
every engine's rows agree with that count.
"""

import argparse
import gzip
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

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
FILES = "**/*.json.gz"


def files(corpus):
    """The log files: Insights and digest files hold other things."""
    found = [p for p in sorted(corpus.glob(FILES)) if "/CloudTrail-" not in str(p.relative_to(corpus.parent))]
    if not found:
        sys.exit(f"no .json.gz files below {corpus}")
    return found


def count(corpus):
    """Raw bytes, records, distinct event ids, and the largest file's raw bytes."""
    raw = records = largest = 0
    ids = set()
    for path in files(corpus):
        text = gzip.decompress(path.read_bytes())
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
    threads = str(job["threads"])
    environment = {**os.environ, "RAYON_NUM_THREADS": threads, "TOKIO_WORKER_THREADS": threads}
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


def child(job):
    """Run one engine in this process, pinned to the first cores, and print what it found."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job["threads"]])
    result = ENGINES[job["engine"]](job)
    result.setdefault("rss", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print("RESULT " + json.dumps(result))


def interpreter(cache, wanted):
    """A Python that has the engines: a virtual environment in the cache folder, made once."""
    home = cache / "venv"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(home, with_pip=True)
    missing = [e for e in wanted if subprocess.run([python, "-c", f"import {e}"], capture_output=True).returncode]
    if missing:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *missing], check=True)
    return python


def size(folder):
    return sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file() and not p.is_symlink())


def measure(engine, arguments, counted, python, view):
    with tempfile.TemporaryDirectory(prefix=f"compare-{engine}-", dir=arguments.scratch) as store:
        job = {
            "engine": engine,
            "store": store,
            "corpus": str(arguments.corpus),
            "files": [str(p) for p in files(arguments.corpus)],
            "view": view,
            "threads": arguments.threads,
            "largest": counted["largest"],
            "cloudtarn": arguments.cloudtarn,
            "ingest_command": arguments.ingest_command,
            "count_command": arguments.count_command,
        }
        path = Path(store) / "job.json"
        path.write_text(json.dumps(job))
        done = subprocess.run([python, __file__, "--job", path], capture_output=True, text=True)
        path.unlink()
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if done.returncode != 0 or not lines:
            sys.exit(f"{engine} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
        return {**json.loads(lines[-1][7:]), "disk": size(store)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder of CloudTrail .json.gz files")
    parser.add_argument("--cloudtarn", help="path of the cloudtarn program")
    parser.add_argument("--threads", type=int, choices=[1, 2], default=1, help="cores and threads for every engine")
    parser.add_argument("--engines", default="cloudtarn,duckdb,chdb", help="comma-separated; default: all")
    parser.add_argument("--runs", type=int, default=1, help="runs of each engine, in turn; the best counts")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "cloudtarn-compare", help="where the Python packages go")
    parser.add_argument("--scratch", type=Path, help="where the stores are made, default: the system's temporary folder")
    parser.add_argument("--ingest-command", default="{cloudtarn} ingest {corpus} --store {store}")
    parser.add_argument(
        "--count-command",
        default='{cloudtarn} query --store {store} --output csv '
        '"SELECT count(*) AS n, count(DISTINCT eventID) AS ids FROM default"',
        help="prints two numbers last: rows and distinct event ids",
    )
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        return child(json.loads(arguments.job.read_text()))
    engines = [e for e in arguments.engines.split(",") if e]
    unknown = [e for e in engines if e not in ENGINES]
    if unknown or not arguments.corpus:
        parser.error(f"unknown engines: {unknown}" if unknown else "--corpus is needed")
    if "cloudtarn" in engines:
        if not arguments.cloudtarn or not shutil.which(arguments.cloudtarn):
            parser.error("--cloudtarn must name the program, or leave it out of --engines")
        arguments.cloudtarn = str(Path(shutil.which(arguments.cloudtarn)).resolve())
    arguments.corpus = arguments.corpus.resolve()
    python = interpreter(arguments.cache, [e for e in engines if e != "cloudtarn"])
    counted = count(arguments.corpus)
    with tempfile.TemporaryDirectory(prefix="compare-view-", dir=arguments.scratch) as view:
        # ClickHouse takes patterns, not lists: a flat folder of links holds exactly the log files.
        for i, path in enumerate(files(arguments.corpus)):
            os.symlink(path, os.path.join(view, f"{i:08}.json.gz"))
        results = {engine: [] for engine in engines}
        for _ in range(arguments.runs):
            for engine in engines:
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
        # ru_maxrss is in KiB on Linux and in bytes on macOS.
        peak = max(x["rss"] for x in runs) / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
        table.append([engine, r["version"], f"{rate:.1f}", f"{r['seconds']:.2f}", f"{peak:.0f}", f"{r['disk'] / 1e6:.1f}", str(r["rows"])])
    widths = [max(len(row[i]) for row in table) for i in range(len(heads))]
    print(f"{arguments.threads} core(s), best of {arguments.runs}")
    for row in table:
        print("  ".join(cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))


if __name__ == "__main__":
    main()
