"""What is left of queries after a server ends."""
import json
import os

from client import FOLDER, client, done, refused, wait

api = client()
kept = os.path.join(FOLDER, "kept.json")
LONG = "SELECT count(*) FROM $EDS_ID a CROSS JOIN $EDS_ID b CROSS JOIN $EDS_ID c WHERE a.eventName < b.eventName AND b.userAgent <> c.eventID"

if os.environ["PHASE"] != "before":
    with open(kept, encoding="utf-8") as file:
        before = json.load(file)
    assert api.describe_query(QueryId=before["finished"])["QueryStatus"] == "FINISHED"
    page = api.get_query_results(QueryId=before["finished"], MaxQueryResults=10)
    assert page["QueryResultRows"] == before["rows"]
    # A listing goes on where it was.
    assert api.get_query_results(QueryId=before["finished"], MaxQueryResults=10, NextToken=before["token"])["QueryResultRows"]
    broken = api.describe_query(QueryId=before["running"])
    assert broken["QueryStatus"] == "FAILED" and "stopped" in broken["ErrorMessage"], broken
    refused("InactiveQueryException", api.cancel_query, QueryId=before["running"])

finished = api.start_query(QueryStatement="SELECT eventID, userIdentity FROM $EDS_ID ORDER BY 1")["QueryId"]
assert wait(api, finished)["QueryStatus"] == "FINISHED"
page = api.get_query_results(QueryId=finished, MaxQueryResults=10)
running = api.start_query(QueryStatement=LONG)["QueryId"]
with open(kept, "w", encoding="utf-8") as file:
    json.dump({"finished": finished, "running": running, "rows": page["QueryResultRows"], "token": page["NextToken"]}, file)
done()
