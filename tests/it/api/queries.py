"""The life of queries."""
import datetime
import time

from client import aws, client, done, refused, rows, wait

api = client()
stores = api.list_event_data_stores()["EventDataStores"]
store = next(s for s in stores if s["Name"] == "default")
eds = store["EventDataStoreArn"].rsplit("/", 1)[1]

# A small answer, in Lake's forms.
sql = f"SELECT eventName, count(*) AS calls, max(eventTime), arbitrary(errorCode) AS code FROM {eds} GROUP BY 1 ORDER BY 2 DESC, 1"
query = api.start_query(QueryStatement=sql)["QueryId"]
described = wait(api, query)
assert described["QueryString"] == sql and described["QueryStatus"] == "FINISHED", described
statistics = described["QueryStatistics"]
assert statistics["EventsScanned"] == statistics["EventsMatched"] >= 3000 and statistics["BytesScanned"] > 0, statistics
assert datetime.datetime.now(datetime.timezone.utc) - statistics["CreationTime"] < datetime.timedelta(minutes=5)
results = api.get_query_results(QueryId=query)
first = results["QueryResultRows"][0]
assert [list(cell)[0] for cell in first] == ["eventName", "calls", "_col2", "code"], first
assert int(first[1]["calls"]) > 0
datetime.datetime.strptime(first[2]["_col2"], "%Y-%m-%d %H:%M:%S.%f")
assert "NextToken" not in results and results["QueryStatistics"]["ResultsCount"] == len(results["QueryResultRows"])
total = sum(int(row[1]["calls"]) for row in results["QueryResultRows"])
assert [[str(total)]] == rows(api, f"SELECT count(*) FROM {eds}")

# Filters count what matched.
query = api.start_query(QueryStatement=f"SELECT eventID FROM {eds} WHERE eventName = '{first[0]['eventName']}'")["QueryId"]
statistics = wait(api, query)["QueryStatistics"]
assert statistics["EventsMatched"] == int(first[1]["calls"]) <= statistics["EventsScanned"], statistics

# Pages.
query = api.start_query(QueryStatement=f"SELECT eventID, eventJson FROM {eds} ORDER BY eventID")["QueryId"]
wait(api, query)
seen, token, pages = [], {}, 0
while True:
    page = api.get_query_results(QueryId=query, MaxQueryResults=700, **token)
    assert len(page["QueryResultRows"]) <= 700
    seen += [row[0]["eventID"] for row in page["QueryResultRows"]]
    pages += 1
    if "NextToken" not in page:
        break
    token = {"NextToken": page["NextToken"]}
assert len(seen) == total and seen == sorted(seen) and pages >= 4, (len(seen), total, pages)
refused("InvalidNextTokenException", api.get_query_results, QueryId=query, NextToken=token["NextToken"][:-2] + "AA")
other = api.start_query(QueryStatement=f"SELECT eventID FROM {eds}")["QueryId"]
refused("InvalidNextTokenException", api.get_query_results, QueryId=other, **token)

# Every way to name a store.
for name in (eds, f'"{eds}"', store["EventDataStoreArn"], "default", "$EDS_ID"):
    assert rows(api, f"SELECT count(*) FROM {name}") == [[str(total)]], name

# What does not run is told at once.
for wrong in ("SELEC 1", f"SELECT nothing FROM {eds}", f"DELETE FROM {eds}", f"EXPLAIN SELECT 1", "SHOW TABLES", "SELECT 1; SELECT 2"):
    refused("InvalidQueryStatementException", api.start_query, QueryStatement=wrong)
refused("EventDataStoreNotFoundException", api.start_query, QueryStatement="SELECT 1 FROM 01234567-89ab-cdef-0123-456789abcdef")
refused("QueryIdNotFoundException", api.describe_query, QueryId="01234567-89ab-cdef-0123-456789abcdef")
refused("InvalidParameterException", api.start_query)
# What fails while it runs is told by the query.
failed = wait(api, api.start_query(QueryStatement=f"SELECT 1 / (length(eventName) - length(eventName)) FROM {eds}")["QueryId"])
assert failed["QueryStatus"] == "FAILED" and "DIVISION_BY_ZERO" in failed["ErrorMessage"], failed
results = api.get_query_results(QueryId=failed["QueryId"])
assert results["QueryStatus"] == "FAILED" and not results["QueryResultRows"] and results["ErrorMessage"], results
refused("InactiveQueryException", api.cancel_query, QueryId=failed["QueryId"])

# Cancelling, and no more than ten at once.
long = f"SELECT count(*) FROM {eds} a CROSS JOIN {eds} b CROSS JOIN {eds} c WHERE a.eventName < b.eventName AND b.userAgent <> c.eventID"
running = [api.start_query(QueryStatement=long)["QueryId"] for _ in range(10)]
refused("MaxConcurrentQueriesException", api.start_query, QueryStatement=long)
assert api.get_query_results(QueryId=running[0])["QueryStatus"] in ("QUEUED", "RUNNING")
for query in running:
    assert api.cancel_query(QueryId=query)["QueryStatus"] == "CANCELLED"
for query in running:
    assert wait(api, query)["QueryStatus"] == "CANCELLED"
assert rows(api, "SELECT 1") == [["1"]]

# Listing.
listed, token = [], {}
while True:
    page = api.list_queries(EventDataStore=store["EventDataStoreArn"], MaxResults=5, **token)
    listed += page["Queries"]
    if "NextToken" not in page:
        break
    token = {"NextToken": page["NextToken"]}
times = [q["CreationTime"] for q in listed]
assert times == sorted(times, reverse=True) and len({q["QueryId"] for q in listed}) == len(listed)
assert {q["QueryId"] for q in listed} >= set(running)
cancelled = api.list_queries(EventDataStore=eds, QueryStatus="CANCELLED")["Queries"]
assert {q["QueryId"] for q in cancelled} == set(running)
assert not api.list_queries(EventDataStore=eds, StartTime=time.time() + 60)["Queries"]
refused("InvalidDateRangeException", api.list_queries, EventDataStore=eds, StartTime=9, EndTime=3)

# Samples and parameters.
alias = api.start_query(QueryAlias="busiest-calls")["QueryId"]
assert wait(api, alias)["QueryStatus"] == "FINISHED"
assert api.describe_query(QueryAlias="busiest-calls")["QueryId"] == alias
name = first[0]["eventName"]
query = api.start_query(QueryStatement=f"SELECT count(*) FROM {eds} WHERE eventName = '?' AND eventTime > ?", QueryParameters=[name, "2000-01-01"])
assert wait(api, query["QueryId"])["QueryStatus"] == "FINISHED"
assert api.get_query_results(QueryId=query["QueryId"])["QueryResultRows"] == [[{"_col0": first[1]["calls"]}]]
refused("InvalidParameterException", api.start_query, QueryStatement="SELECT '?'", QueryParameters=["a", "b"])

# The AWS CLI.
assert any(s["Name"] == "default" for s in aws("list-event-data-stores")["EventDataStores"])
query = aws("start-query", "--query-statement", f"SELECT count(*) FROM {eds}")["QueryId"]
wait(api, query)
assert aws("describe-query", "--query-id", query)["QueryStatus"] == "FINISHED"
assert aws("get-query-results", "--query-id", query)["QueryResultRows"] == [[{"_col0": str(total)}]]
assert aws("list-queries", "--event-data-store", eds, "--max-results", "1")["Queries"][0]["QueryId"] == query
aws("cancel-query", "--query-id", query, fails="InactiveQueryException")
done()
