"""Requests that no client would send: each gets an error of AWS's, and the server goes on."""
import datetime
import http.client
import json
import random
import socket
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from client import URL, client, done, rows
from principals import credentials

HOST, PORT = urllib.parse.urlparse(URL).hostname, urllib.parse.urlparse(URL).port
TARGET = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."
WHO = credentials("admin")


def signed(body, target=TARGET + "ListEventDataStores", path="/", at=None, service="cloudtrail", region="us-east-1", who=WHO):
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", URL + path, headers, body)
    auth = SigV4Auth(Credentials(who["key"], who["secret"], who["token"]), service, region)
    if at is None:
        auth.add_auth(request)
    else:
        request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
        request.headers["X-Amz-Date"] = request.context["timestamp"]
        text = auth.string_to_sign(request, auth.canonical_request(request))
        auth._inject_signature_to_request(request, auth.signature(text, request))
    return dict(request.headers.items())


def send(body, headers, path="/", method="POST"):
    connection = http.client.HTTPConnection(HOST, PORT, timeout=60)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    told = json.loads(answer.read() or b"{}")
    connection.close()
    return answer.status, told.get("__type"), told


def expect(code, body=b"{}", status=400, path="/", method="POST", **how):
    got = send(body, signed(body, path=path, **how), path, method)
    assert got[:2] == (status, code), (code, got)


# JSON that is none, that is deep, that is large, that is of another kind.
for body in (b"{", b"[", b'"', b"nul", b"{\"a\":}", b"\xff\xfe", b"{}{}", b"[" * 100000, b'{"a":' * 100000, b"\x00", b"1", b"[]", b'"x"', b"null"):
    expect("SerializationException", body)
expect("RequestEntityTooLargeException", b'{"QueryStatement": "' + b"x" * (5 << 20) + b'"}', status=413)
chance = random.Random(7)
template = json.dumps({"EventDataStore": "default", "MaxResults": 5, "NextToken": "abcd" * 8, "StartTime": 1, "QueryId": "0" * 36, "QueryStatement": "SELECT 1"})
operations = ("ListQueries", "StartQuery", "DescribeQuery", "GetQueryResults", "CreateEventDataStore", "PutResourcePolicy", "LookupEvents", "StartImport", "ListTags", "CreateDashboard")
for _ in range(300):
    body = bytearray(template.encode())
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(body))
        kind = chance.randrange(3)
        if kind == 0:
            body[at] = chance.randrange(256)
        elif kind == 1:
            del body[at : at + chance.randrange(1, 9)]
        else:
            body[at:at] = bytes(chance.choice([b"null", b"[]", b"{}", b"1e999", b'"\\ud800"', b"-1", b"\\u0000"]))
    body = bytes(body)
    status, code, told = send(body, signed(body, TARGET + chance.choice(operations)))
    assert status in (200, 400) and (status == 200 or (code and told["message"])), (body, status, told)

# Targets and paths.
for target in ("", "x", TARGET, TARGET + "DropEverything", "CloudTrail_20131101.listeventdatastores", "." * 500):
    expect("UnknownOperationException", target=target)
for path in ("/../etc/passwd", "/%2e%2e/etc/passwd", "/x", "//", "/PutAuditEvents/../"):
    got = send(b"{}", signed(b"{}"), path)
    assert got[:2] == (404, "UnknownOperationException"), (path, got)
for method in ("GET", "PUT", "DELETE", "OPTIONS"):
    status = send(b"", {}, "/", method)[0]
    assert status == 405, (method, status)

# Signatures: none, broken, of another body, target, secret, time, service; dates replayed.
good = signed(b"{}")
assert send(b"{}", good)[0] == 200
assert send(b"{ }", good)[1] == "InvalidSignatureException"
assert send(b"{}", {**good, "X-Amz-Target": TARGET + "ListImports"})[1] == "InvalidSignatureException"
assert send(b"{}", {**good, "X-Amz-Date": "20200101T000000Z"})[1] == "InvalidSignatureException"
assert send(b"{}", {**good, "X-Amz-Security-Token": "x"})[1] == "InvalidSignatureException"
assert send(b"{}", {k: v for k, v in good.items() if k != "Authorization"})[1] == "MissingAuthenticationTokenException"
assert send(b"{}", {k: v for k, v in good.items() if k != "X-Amz-Date"})[1] == "IncompleteSignatureException"
for text in ("", "AWS4-HMAC-SHA256", "Basic YTpi", "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0", good["Authorization"].replace("SignedHeaders", "Headers")):
    assert send(b"{}", {**good, "Authorization": text})[1] == "IncompleteSignatureException", text
for text in (good["Authorization"][:-1], good["Authorization"][:-64] + "0" * 64, good["Authorization"].replace("us-east-1", "eu-west-1")):
    assert send(b"{}", {**good, "Authorization": text})[1] == "InvalidSignatureException", text
now = datetime.datetime.now(datetime.timezone.utc)
for minutes in (-6, -60, -525600, 6, 60, 525600):
    expect("InvalidSignatureException", at=now + datetime.timedelta(minutes=minutes))
expect("InvalidSignatureException", service="s3")
old = signed(b"{}", at=now - datetime.timedelta(minutes=10))
assert send(b"{}", {**old, "X-Amz-Date": good["X-Amz-Date"]})[1] == "InvalidSignatureException"
expect("UnrecognizedClientException", who={"key": "AKIAGHOST", "secret": "x" * 20, "token": None})

# Connections that say nothing, or something slowly, or nonsense.
slow = []
for head in (b"", b"POST / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", b"\x16\x03\x01\x02\x00", b"NONSENSE\r\n\r\n"):
    for _ in range(20):
        quiet = socket.create_connection((HOST, PORT))
        quiet.sendall(head)
        slow.append(quiet)
assert client(**WHO).list_event_data_stores()["EventDataStores"], "others are served meanwhile"
# The server gives up on them.
for quiet in slow:
    quiet.settimeout(90)
    text = b""
    try:
        while part := quiet.recv(65536):
            text += part
    except ConnectionResetError:
        pass
    assert b"200 OK" not in text, text
    quiet.close()
large = socket.create_connection((HOST, PORT))
try:
    large.sendall(b"POST / HTTP/1.1\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n")
    assert b" 431 " in large.recv(4096)
except (ConnectionResetError, BrokenPipeError):
    pass
assert rows(client(**WHO), "SELECT 1") == [["1"]]
done()
