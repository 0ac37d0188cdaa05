"""What the comparisons share: the engines' Python packages, the corpus, and a process of its own for each engine."""

import argparse
import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

# Those that take in the corpus and are asked every question.
NAMES = ["cloudtarn", "duckdb", "chdb"]
# Those that `queries.py` asks what it has a statement for.
PARTIAL = ["polars", "jq"]
FILES = "**/*.json.gz"


def files(corpus):
    """The log files: Insights and digest files hold other things."""
    found = [p for p in sorted(corpus.glob(FILES)) if "/CloudTrail-" not in str(p.relative_to(corpus.parent))]
    if not found:
        sys.exit(f"no .json.gz files below {corpus}")
    return found


def inflated(corpus):
    """Each log file's bytes after gunzip."""
    for path in files(corpus):
        yield gzip.decompress(path.read_bytes())


def view(corpus, scratch):
    """A temporary flat folder of links to exactly the log files: ClickHouse takes patterns, not lists."""
    folder = tempfile.TemporaryDirectory(prefix="compare-view-", dir=scratch)
    for i, path in enumerate(files(corpus)):
        os.symlink(path, os.path.join(folder.name, f"{i:08}.json.gz"))
    return folder


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


def megabytes(rss):
    """ru_maxrss is in KiB on Linux and in bytes on macOS."""
    return rss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def limited(threads):
    """The environment of a `cloudtarn` process that may use so many threads."""
    return {**os.environ, "RAYON_NUM_THREADS": str(threads), "TOKIO_WORKER_THREADS": str(threads)}


def start(python, script, job):
    """Run a job in a process of its own, which `child` answers; what it found."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(job, file)
        file.flush()
        done = subprocess.run([python, script, "--job", file.name], capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode != 0 or not lines:
        sys.exit(f"{job['engine']} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return json.loads(lines[-1][7:])


def child(path, work):
    """Do `work` with the job in this process, pinned to the first cores, and print what it found."""
    job = json.loads(path.read_text())
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job["threads"]])
    result = work(job)
    result.setdefault("rss", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print("RESULT " + json.dumps(result))


def options(description, threads, runs, names=NAMES):
    """The options that every comparison has, of these engines."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder of CloudTrail .json.gz files")
    parser.add_argument("--cloudtarn", help="path of the cloudtarn program")
    parser.add_argument("--threads", type=int, choices=[1, 2], default=threads, help="cores and threads for every engine")
    parser.add_argument("--engines", default=",".join(names), help=f"of {','.join(names)}; default: all")
    parser.add_argument("--runs", type=int, default=runs, help="runs of each engine; the best counts")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "cloudtarn-compare", help="where the Python packages go")
    parser.add_argument("--scratch", type=Path, help="where the stores are made, default: the system's temporary folder")
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)
    return parser


def resolve(parser, arguments, names=NAMES):
    """Check the options; the engines asked for, and a Python that has them."""
    wanted = [e for e in arguments.engines.split(",") if e]
    unknown = [e for e in wanted if e not in names]
    if unknown or not arguments.corpus:
        parser.error(f"unknown engines: {unknown}" if unknown else "--corpus is needed")
    if "cloudtarn" in wanted:
        if not arguments.cloudtarn or not shutil.which(arguments.cloudtarn):
            parser.error("--cloudtarn must name the program, or leave it out of --engines")
        arguments.cloudtarn = str(Path(shutil.which(arguments.cloudtarn)).resolve())
    arguments.corpus = arguments.corpus.resolve()
    if arguments.scratch:
        arguments.scratch.mkdir(parents=True, exist_ok=True)
    return wanted, interpreter(arguments.cache, [e for e in wanted if e != "cloudtarn"])
