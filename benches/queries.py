#!/usr/bin/env python3
"""Compare queries: cloudtarn, DuckDB and ClickHouse (chdb) on the same events and the same cores; Polars and jq where they can.

Each engine takes the folder of .json.gz files into its own native layout and answers the same questions
(benches/questions), in Lake SQL or in the best SQL of its own. No time is printed before all engines gave the same
answers. Times are of warm statements in one process an engine; some questions are also asked in fresh processes.
"""

import collections
import concurrent.futures
import contextlib
import functools
import gzip
import itertools
import json
import math
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import engines
import layouts

TITLES = {"cloudtarn": "Cloudtarn", "duckdb": "DuckDB", "chdb": "ClickHouse", "polars": "Polars", "jq": "jq"}
GROUPS = ["needles", "times", "packs", "samples", "nested", "joins"]
# Runs of one question end early when they have taken as long as this.
PATIENCE = 20.0
COLD = ["event id", "busiest calls", "latest errors"]
DIFFERENCES = 5


def questions():
    """The questions of benches/questions: a name, what is special about it, and a statement for each engine."""
    found = []
    for group in GROUPS:
        path = Path(__file__).parent / "questions" / f"{group}.sql"
        for text in re.split(r"(?m)^-- question: ", path.read_text())[1:]:
            head, *parts = re.split(r"(?m)^-- engine: ", text)
            name, *marks = (line.removeprefix("-- ").strip() for line in head.strip().splitlines())
            statements = {}
            for part in parts:
                names, sql = part.split("\n", 1)
                statements.update(dict.fromkeys(names.split(), sql.strip()))
            found.append({"name": name, "sql": statements, **dict.fromkeys(marks, True)})
    return found


def fill(sql, engine, values):
    """The statement with the values that were found in the data."""
    for name, value in {**values, "events": "$EDS_ID" if engine == "cloudtarn" else "events"}.items():
        sql = sql.replace("{" + name + "}", str(value))
    return sql


class Cloudtarn:
    """Statements go to one `cloudtarn query --batch` as lines, answers come back as lines."""

    def __init__(self, job):
        command = [job["cloudtarn"], "query", "--store", os.path.join(job["store"], "store"), "--batch", "/dev/stdin"]
        if job.get("memory"):
            command += ["--memory", str(job["memory"])]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=engines.limited(job["threads"])
        )

    def ask(self, sql):
        self.process.stdin.write(json.dumps({"id": 0, "sql": sql}).encode() + b"\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def rows(self, answer):
        answer = json.loads(answer or '{"error": "the process ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["rows"]

    def close(self):
        self.process.stdin.close()
        _, _, usage = os.wait4(self.process.pid, 0)
        return {"rss": usage.ru_maxrss, "cpu": usage.ru_utime + usage.ru_stime}


class DuckDB:
    def __init__(self, job):
        import duckdb

        self.connection = duckdb.connect(os.path.join(job["store"], "events.duckdb"), read_only=True)
        self.connection.execute(f"SET threads = {job['threads']}")

    def ask(self, sql):
        return self.connection.execute(sql).fetchall()

    def rows(self, answer):
        return answer

    def close(self):
        self.connection.close()
        return {}


class ClickHouse:
    """The cache of which granules a condition matched is off: it answers only what was asked before, word for word."""

    def __init__(self, job):
        self.session = layouts.chdb_session(job)
        self.session.query("USE lake")
        self.session.query("SET use_query_condition_cache = 0")

    def ask(self, sql):
        return self.session.query(sql, "JSONCompactEachRow")

    def rows(self, answer):
        return [json.loads(line) for line in answer.bytes().decode().splitlines()]

    def close(self):
        self.session.close()
        return {}


class Polars:
    def __init__(self, job):
        os.environ["POLARS_MAX_THREADS"] = str(job["threads"])
        import polars

        events = polars.scan_parquet(os.path.join(job["store"], "*.parquet"))
        self.context = polars.SQLContext(events=events)

    def ask(self, sql):
        return self.context.execute(sql).collect()

    def rows(self, answer):
        return answer.rows()

    def close(self):
        return {}


def filtered(path, program):
    """What a jq program gives of one log file."""
    import jq

    return jq.compile(program).input_text(gzip.decompress(Path(path).read_bytes()).decode()).all()


class Jq:
    """A program gives rows of each log file. The comment `# count` in it has equal ones counted, `# sorted` and `# first N` have them sorted, and cut."""

    def __init__(self, job):
        self.files = json.loads((Path(job["store"]) / "files.json").read_text())
        self.pool = concurrent.futures.ProcessPoolExecutor(job["threads"])

    def ask(self, program):
        work = functools.partial(filtered, program=program)
        rows = itertools.chain.from_iterable(self.pool.map(work, self.files, chunksize=16))
        if "# count" in program:
            counted = collections.Counter(map(tuple, rows))
            return [[*row, count] for row, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]
        if first := re.search(r"# first (\d+)", program):
            return sorted(rows)[: int(first[1])]
        return sorted(rows) if "# sorted" in program else list(rows)

    def rows(self, answer):
        return answer

    def close(self):
        self.pool.shutdown()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss}


CLIENTS = {"cloudtarn": Cloudtarn, "duckdb": DuckDB, "chdb": ClickHouse, "polars": Polars, "jq": Jq}


def load(job):
    """Take the corpus into the engine's own layout."""
    start = time.perf_counter()
    if job["engine"] == "cloudtarn":
        store = ["--store", os.path.join(job["store"], "store")]
        for command in [["ingest", job["corpus"]], ["compact"]]:
            command = [job["cloudtarn"], *command, *store]
            subprocess.run(command, env=engines.limited(job["threads"]), check=True, stdout=sys.stderr)
        version = subprocess.run([job["cloudtarn"], "--version"], capture_output=True, text=True).stdout
        found = {"version": version.strip().split(" ")[-1]}
    else:
        found = getattr(layouts, job["engine"])(job)
    return {**found, "seconds": time.perf_counter() - start}


def ask(job):
    """Each question once for its answer, then `runs` times for its time."""
    client = CLIENTS[job["engine"]](job)
    answers = {}
    for name, sql in job["statements"].items():
        try:
            begun = time.perf_counter()
            rows = client.rows(client.ask(sql))
            # jq reads everything anew each time: there is nothing to warm up.
            runs, times = (0, [time.perf_counter() - begun]) if job["engine"] == "jq" else (job["runs"], [])
            begun = time.perf_counter()
            while len(times) < runs and time.perf_counter() - begun < PATIENCE:
                start = time.perf_counter()
                client.ask(sql)
                times.append(time.perf_counter() - start)
            answers[name] = {"rows": [[plain(cell) for cell in row] for row in rows], "ms": min(times, default=0) * 1000}
        except Exception as error:  # an engine's own exceptions have no common class
            answers[name] = {"error": f"{error}"[:2000]}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"answers": answers, "cpu": usage.ru_utime + usage.ru_stime, **client.close()}


def cold(job):
    """One question in a fresh process: of the program, or of Python with the package already loaded."""
    if job["engine"] == "cloudtarn":
        store = os.path.join(job["store"], "store")
        command = [job["cloudtarn"], "query", "--store", store, "--output", "csv", job["sql"]]
        start = time.perf_counter()
        subprocess.run(command, env=engines.limited(job["threads"]), check=True, capture_output=True)
        return {"ms": (time.perf_counter() - start) * 1000}
    start = time.perf_counter()
    __import__(job["engine"])
    loaded = time.perf_counter()
    CLIENTS[job["engine"]](job).ask(job["sql"])
    return {"ms": (time.perf_counter() - loaded) * 1000, "import": (loaded - start) * 1000}


WORK = {"load": load, "ask": ask, "cold": cold}


def plain(cell):
    """A cell's text, the same for every engine: absent is empty, whole numbers and times have no fraction, others 9 digits."""
    if cell is None:
        return ""
    # ClickHouse's comparisons give 0 and 1.
    if isinstance(cell, bool) or cell in ("true", "false"):
        return "1" if cell in (True, "true") else "0"
    if isinstance(cell, datetime):
        cell = cell.isoformat(" ")
    if isinstance(cell, (dict, list, tuple)):
        return json.dumps(cell, default=str)
    text = repr(cell) if isinstance(cell, float) else str(cell)
    if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.0+)?( UTC)?", text):
        return text[:19]
    if re.fullmatch(r"-?\d+(\.\d*(e[-+]?\d+)?|e[-+]?\d+)", text, re.IGNORECASE):
        number = float(text)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.9g}"
    return text


# What the questions ask for, found in the data: the rarest of its kind, or the commonest.
VALUES = {
    "event_id": "SELECT min(eventID) FROM $EDS_ID",
    "access_key": "SELECT userIdentity.accessKeyId FROM $EDS_ID WHERE userIdentity.accessKeyId <> '' "
    "GROUP BY 1 ORDER BY count(*), 1 LIMIT 1",
    "address": "SELECT sourceIPAddress FROM $EDS_ID WHERE regexp_like(sourceIPAddress, '^[0-9.]+$') "
    "GROUP BY 1 ORDER BY count(*), 1 LIMIT 1",
    "principal": "SELECT userIdentity.arn FROM $EDS_ID WHERE userIdentity.arn <> '' GROUP BY 1 ORDER BY count(*), 1 LIMIT 1",
    "user": "SELECT userIdentity.userName FROM $EDS_ID WHERE userIdentity.type = 'IAMUser' AND userIdentity.userName <> '' "
    "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "resource": "SELECT min(r.arn) FROM $EDS_ID CROSS JOIN UNNEST(resources) AS r (accountId, type, arn, arnPrefix)",
    # A part of an id: it is in one record, or in the two of a call that two accounts see.
    "text": "SELECT substr(min(sharedEventID), 26, 10) FROM $EDS_ID",
    "day": "SELECT date_trunc('day', eventTime) FROM $EDS_ID GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "hour": "SELECT date_trunc('hour', eventTime) FROM $EDS_ID GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "calls": "SELECT max(calls) * 2 / 3 FROM (SELECT count(DISTINCT eventName) AS calls FROM $EDS_ID "
    "WHERE regexp_like(eventName, '^(List|Get|Describe)') AND userIdentity.type <> 'AWSService' "
    "AND sourceIPAddress NOT LIKE '%.amazonaws.com' "
    "GROUP BY floor(to_unixtime(eventTime) / 600), recipientAccountId, userIdentity.arn, sourceIPAddress)",
}


def values(answers):
    """The values that the statements are filled with."""
    missing = {n: a.get("error", "no rows") for n, a in answers.items() if not a.get("rows")}
    if missing:
        sys.exit(f"found no values for the questions in this corpus: {missing}")
    found = {name: answer["rows"][0][0] for name, answer in answers.items()}
    day, hour = (datetime.fromisoformat(found[name]) for name in ("day", "hour"))
    found["next_day"] = day + timedelta(days=1)
    found["week"] = found["next_day"] - timedelta(days=7)
    found["next_hour"] = hour + timedelta(hours=1)
    return found


def differences(asked, answers):
    """What of the engines' answers does not agree, in words; empty where all of it does."""
    wrong = []
    (first, reference), *others = answers.items()
    for question in asked:
        name = question["name"]
        for engine, found in answers.items():
            if name in found and "error" in found[name]:
                wrong.append(f"{name}: {TITLES[engine]} failed: {found[name]['error']}")
        for engine, found in others:
            if name not in found or "error" in found[name] or "error" in reference[name]:
                continue
            one, other = reference[name]["rows"], found[name]["rows"]
            if question.get("any rows"):
                one, other = len(one), len(other)
            elif not question.get("ordered"):
                one, other = sorted(one), sorted(other)
            if one != other:
                wrong.append(f"{name}: {TITLES[first]} and {TITLES[engine]} differ: {shown(one, other)}")
    return wrong


def shown(one, other):
    """The first rows that differ."""
    if isinstance(one, int):
        return f"{one} and {other} rows"
    pairs = [(a, b) for a, b in zip(one, other) if a != b]
    lines = [f"{len(one)} and {len(other)} rows", *(f"{a}\n    {b}" for a, b in pairs[:DIFFERENCES])]
    return "\n    ".join(lines)


def log(text):
    print(text, file=sys.stderr, flush=True)


def stores(arguments, wanted, python, folder):
    """Each engine's loaded store: made, or found where --keep left it."""
    loaded = {}
    missing = [e for e in wanted if not (folder / e / "loaded.json").exists()]
    if missing:
        log("reading the corpus")
        sizes = [len(text) for text in engines.inflated(arguments.corpus)]
    for engine in wanted:
        store, note = folder / engine, folder / engine / "loaded.json"
        if engine in missing:
            log(f"loading {TITLES[engine]}")
            shutil.rmtree(store, ignore_errors=True)
            store.mkdir(parents=True)
            with engines.view(arguments.corpus, arguments.scratch) as view:
                job = {
                    "engine": engine,
                    "work": "load",
                    "store": str(store),
                    "corpus": str(arguments.corpus),
                    "files": [str(p) for p in engines.files(arguments.corpus)],
                    "view": view,
                    "threads": arguments.threads,
                    "largest": max(sizes),
                    "cloudtarn": arguments.cloudtarn,
                }
                found = engines.start(python, __file__, job)
            note.write_text(json.dumps({**found, "disk": engines.size(store), "raw": sum(sizes), "corpus": job["corpus"]}))
        loaded[engine] = json.loads(note.read_text())
        if loaded[engine]["corpus"] != str(arguments.corpus):
            sys.exit(f"{store} holds another corpus: {loaded[engine]['corpus']}")
    return loaded


def run(arguments, wanted, python, folder):
    loaded = stores(arguments, wanted, python, folder)

    def job(engine, work, **more):
        common = {"engine": engine, "work": work, "store": str(folder / engine), "threads": arguments.threads}
        common |= {"cloudtarn": arguments.cloudtarn, "memory": arguments.memory}
        return engines.start(python, __file__, {**common, **more})

    found = values(job("cloudtarn", "ask", statements=VALUES, runs=0)["answers"])
    log(f"asking for {', '.join(f'{name} {value}' for name, value in found.items())}")
    asked = [q for q in questions() if not arguments.quick or q.get("quick")]
    asked = [q for q in asked if arguments.only in q["name"]]
    if not asked:
        sys.exit(f"no question has {arguments.only!r} in its name")
    used, answers = {}, {}
    for engine in wanted:
        log(f"asking {TITLES[engine]}")
        statements = {q["name"]: fill(q["sql"][engine], engine, found) for q in asked if engine in q["sql"]}
        result = job(engine, "ask", statements=statements, runs=arguments.runs)
        used[engine], answers[engine] = result, result["answers"]
    wrong = differences(asked, answers)
    if wrong:
        log("\n".join(wrong))
        sys.exit(f"{len(wrong)} answers differ or failed: no times are given")
    for question in asked:
        if not answers[wanted[0]][question["name"]]["rows"]:
            log(f"warning: {question['name']} gives no rows on this corpus")
    starts = {}
    for question in (q for q in asked if q["name"] in COLD):
        for engine in (e for e in wanted if e in engines.NAMES):
            log(f"starting {TITLES[engine]}: {question['name']}")
            sql = fill(question["sql"][engine], engine, found)
            tries = [job(engine, "cold", sql=sql) for _ in range(1 if arguments.quick else min(arguments.runs, 3))]
            starts.setdefault(question["name"], {})[engine] = min(tries, key=lambda t: t["ms"])
    report(arguments, loaded, asked, answers, starts, used)


def table(heads, rows):
    print(f"| {' | '.join(heads)} |\n|{'|'.join(['---'] + ['---:'] * (len(heads) - 1))}|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print()


def figure(ms):
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}"


def mean(numbers):
    return math.exp(sum(map(math.log, numbers)) / len(numbers))


def report(arguments, loaded, asked, answers, starts, used):
    names = [e for e in answers if e in engines.NAMES]
    others = [e for e in names if e != "cloudtarn"]
    heads = [TITLES[e] for e in names]
    raw = loaded[names[0]]["raw"] / 1e6
    print(f"{raw:.0f} MB of JSON, {arguments.threads} core(s), best of {arguments.runs}, warm. Milliseconds; the ratio is")
    print("Cloudtarn's time to that of the better of the others: below 1, Cloudtarn is ahead.\n")
    rows, ratios = [], []
    for question in asked:
        ms = {e: answers[e][question["name"]]["ms"] for e in names}
        cells = [question["name"], str(len(answers[names[0]][question["name"]]["rows"])), *(figure(ms[e]) for e in names)]
        if others:
            ratios.append(ms["cloudtarn"] / min(ms[e] for e in others))
            cells.append(f"{ratios[-1]:.2f}")
        rows.append(cells)
    means = [mean([answers[e][q["name"]]["ms"] for q in asked]) for e in names]
    last = ["**geometric mean**", "", *(figure(m) for m in means)]
    table(["question", "rows", *heads, *(["ratio"] if others else [])], [*rows, last + ([f"**{mean(ratios):.2f}**"] if others else [])])
    for engine, value in zip(names, means):
        if engine != "cloudtarn":
            print(f"- {TITLES[engine]}'s geometric mean is {value / means[names.index('cloudtarn')]:.2f} times Cloudtarn's.")
    if others:
        slower = [q["name"] for q, r in zip(asked, ratios) if r > 1.2]
        print(f"- Slower than the better of the others by more than 1.2 times: {', '.join(slower) or 'none'}.\n")
    partial = [e for e in answers if e not in engines.NAMES]
    some = [q for q in asked if any(q["name"] in answers[e] for e in partial)]
    if some:
        print("Those that answer some questions; how many times as long as Cloudtarn they take.\n")
        rows = []
        for question in some:
            ms = answers["cloudtarn"][question["name"]]["ms"]
            cells = [question["name"], figure(ms)]
            for engine in partial:
                other = answers[engine].get(question["name"])
                times = other["ms"] / ms if other else 0
                cells.append(f"{figure(other['ms'])} ({times:,.{0 if times >= 10 else 1}f})" if other else "")
            rows.append(cells)
        table(["question", "Cloudtarn", *(TITLES[e] for e in partial)], rows)
    if starts:
        print("From the start of a process to its answer; for the others, loading Python's package apart.\n")
        cells = {n: [figure(s[e]["ms"]) + (f" + {figure(s[e]['import'])}" if "import" in s[e] else "") for e in names] for n, s in starts.items()}
        table(["question", *heads], [[name, *row] for name, row in cells.items()])
    table(
        ["engine", "version", "peak RSS MB", "CPU s", "disk MB", "loading s"],
        [
            [
                TITLES[e],
                loaded[e]["version"],
                f"{engines.megabytes(used[e]['rss']):,.0f}",
                f"{used[e]['cpu']:.1f}",
                f"{loaded[e]['disk'] / 1e6:,.1f}",
                f"{loaded[e]['seconds']:.1f}",
            ]
            for e in answers
        ],
    )


def main():
    names = [*engines.NAMES, *engines.PARTIAL]
    parser = engines.options(__doc__, threads=2, runs=5, names=names)
    parser.set_defaults(engines=None)
    parser.add_argument("--quick", action="store_true", help="fewer questions and engines, three runs at most, one fresh process of each")
    parser.add_argument("--only", metavar="TEXT", default="", help="only questions with this in their name")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the loaded stores here, and use them when they are there")
    parser.add_argument("--memory", type=int, metavar="MIB", help="what cloudtarn may take for sorting, grouping and joining")
    arguments = parser.parse_args()
    if arguments.job:
        return engines.child(arguments.job, lambda job: WORK[job["work"]](job))
    arguments.engines = arguments.engines or ",".join(engines.NAMES if arguments.quick else names)
    wanted, python = engines.resolve(parser, arguments, names)
    if "cloudtarn" not in wanted:
        parser.error("the questions' values are found with cloudtarn: leave it in --engines")
    if arguments.quick:
        arguments.runs = min(arguments.runs, 3)
    if arguments.keep:
        kept = contextlib.nullcontext(arguments.keep)
    else:
        kept = tempfile.TemporaryDirectory(prefix="queries-", dir=arguments.scratch)
    with kept as folder:
        run(arguments, wanted, python, Path(folder).resolve())
    return None


if __name__ == "__main__":
    main()
