"""Without principals: programs on this machine only, not pages in its browsers."""
import http.client
import json
import urllib.parse

from client import URL, client, done

HOST, PORT = urllib.parse.urlparse(URL).hostname, urllib.parse.urlparse(URL).port


def status(**headers):
    connection = http.client.HTTPConnection(HOST, PORT, timeout=60)
    connection.putrequest("POST", "/", skip_host=True)
    for name, value in {"X-Amz-Target": "CloudTrail_20131101.ListEventDataStores", "Content-Length": "2", **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(b"{}")
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read()).get("__type")


assert status(Host=f"127.0.0.1:{PORT}") == (200, None)
assert status(Host=f"localhost:{PORT}") == (200, None)
# A name that someone else makes point here, and a page that someone else made.
assert status(Host=f"evil.example:{PORT}") == (403, "AccessDeniedException")
assert status(Host=f"127.0.0.1:{PORT}", Origin="https://evil.example") == (403, "AccessDeniedException")
assert client().list_event_data_stores()["EventDataStores"]
done()
