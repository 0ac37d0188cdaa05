"""Fifty clients with calls of every kind: no query hangs, no file is left, memory does not grow."""
import concurrent.futures
import os
import random
import time

import botocore.exceptions
from client import client, done, rows, wait

CLIENTS, CALLS = 50, int(os.environ["CALLS"])
PID, STORE = int(os.environ["CLOUDTARN_PID"]), os.environ["STORE"]
LONG = "SELECT count(*) FROM default a CROSS JOIN default b CROSS JOIN default c WHERE a.userAgent < b.eventID AND b.userAgent <> c.eventID"
EXPECTED = {"MaxConcurrentQueriesException", "InactiveQueryException", "InvalidQueryStatementException", "QueryIdNotFoundException"}


def memory():
    with open(f"/proc/{PID}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def descriptors():
    return len(os.listdir(f"/proc/{PID}/fd"))


def work(number, calls):
    api, chance, mine, made = client(), random.Random(number), [], 0
    for _ in range(calls):
        kind = chance.randrange(10)
        try:
            if kind <= 1:
                mine.append(api.start_query(QueryStatement="SELECT eventName, count(*) FROM default GROUP BY 1")["QueryId"])
            elif kind == 2:
                query = api.start_query(QueryStatement=LONG)["QueryId"]
                mine.append(query)
                api.cancel_query(QueryId=query)
            elif kind == 3 and mine:
                api.get_query_results(QueryId=chance.choice(mine), MaxQueryResults=chance.randrange(1, 1000))
            elif kind == 4 and mine:
                api.describe_query(QueryId=chance.choice(mine))
            elif kind == 5:
                api.list_queries(EventDataStore="default", MaxResults=5)
            elif kind == 6:
                api.lookup_events(MaxResults=3)
            elif kind == 7:
                api.start_query(QueryStatement="SELECT nonsense FROM default")
            elif kind == 8:
                api.get_event_data_store(EventDataStore="default")
            else:
                api.list_event_data_stores()
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] in EXPECTED, error
        made += 1
    return made, mine


def round_of(calls):
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(work, range(CLIENTS), [max(1, calls // CLIENTS)] * CLIENTS))


api = client()
round_of(CALLS // 5)
before, open_before = memory(), descriptors()
start = time.monotonic()
worked = round_of(CALLS)
took = time.monotonic() - start
queries = [query for _, mine in worked for query in mine]
states = {query: wait(api, query)["QueryStatus"] for query in queries}
assert set(states.values()) <= {"FINISHED", "CANCELLED"}, set(states.values())
# Nothing runs any more: there is room for ten.
for query in [api.start_query(QueryStatement=LONG)["QueryId"] for _ in range(10)]:
    api.cancel_query(QueryId=query)
    wait(api, query)
kept = set(os.listdir(os.path.join(STORE, "queries")))
ended = {query for query, state in states.items() if state == "CANCELLED"}
assert not kept & ended, "results of cancelled queries are left"
assert {query for query, state in states.items() if state == "FINISHED"} <= kept
assert all(os.listdir(os.path.join(STORE, "queries", query)) == ["rows.jsonl"] for query in kept)
assert rows(api, "SELECT 1") == [["1"]]
time.sleep(1)
# The clients' connections are closed by now, or idle; what the allocator keeps may be more, not many times as much.
assert descriptors() <= open_before + 2 * CLIENTS, (open_before, descriptors())
after = memory()
print(f"{sum(made for made, _ in worked)} calls in {took:.1f} s, {len(queries)} queries; {before} KiB before, {after} KiB after")
assert after < before + 300 * 1024, (before, after)
done()
