"""What the scripts share: clients, and waiting for queries."""
import datetime
import hashlib
import json
import os
import subprocess
import time

import boto3
import botocore.config
import botocore.exceptions
import botocore.session
import botocore.validate
import rsa

URL = os.environ["CLOUDTARN_URL"]
FOLDER = os.environ["CLOUDTARN_FOLDER"]
FINAL = ("FINISHED", "FAILED", "CANCELLED", "TIMED_OUT")


class Checked(botocore.validate.ParamValidator):
    """Holds answers to the service model too: types, ranges, required members, values of enumerations."""

    def _validate_string(self, param, shape, errors, name):
        super()._validate_string(param, shape, errors, name)
        if isinstance(param, str) and shape.enum and param not in shape.enum:
            errors.report(name, "unknown field", unknown_param=param, valid_names=shape.enum)
        most = shape.metadata.get("max")
        if isinstance(param, str) and most is not None and len(param) > most:
            errors.report(name, "invalid length", param=param, min_allowed=f"at most {most}")


def client(key="local", secret="local-secret-of-nobody", token=None, service="cloudtrail", region="us-east-1", **more):
    config = botocore.config.Config(
        retries={"max_attempts": 1, "mode": "standard"}, max_pool_connections=64, read_timeout=120, **more
    )
    made = boto3.session.Session().client(
        service,
        endpoint_url=URL,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )

    def check(parsed, model, **_):
        if model.output_shape is not None and "Error" not in parsed:
            answer = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
            report = Checked().validate(answer, model.output_shape)
            assert not report.has_errors(), f"{model.name} answers against the model: {report.generate_report()}"

    made.meta.events.register("after-call", check)
    return made


def refused(code, call, **arguments):
    """Expects an exception of that code, and gives its text."""
    try:
        answer = call(**arguments)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, f"{code} expected: {error}"
        return error.response["Error"]["Message"]
    raise AssertionError(f"{code} expected, not {answer}")


def wait(api, query, **more):
    deadline = time.monotonic() + 300
    while True:
        described = api.describe_query(QueryId=query, **more)
        if described["QueryStatus"] in FINAL:
            return described
        assert time.monotonic() < deadline, described
        time.sleep(0.05)


def rows(api, sql, **more):
    """All rows of a statement, cells in their order."""
    query = api.start_query(QueryStatement=sql, **more)["QueryId"]
    owner = {name: value for name, value in more.items() if name == "EventDataStoreOwnerAccountId"}
    described = wait(api, query, **owner)
    assert described["QueryStatus"] == "FINISHED", described
    found, token = [], {}
    while True:
        page = api.get_query_results(QueryId=query, **owner, **token)
        found += [[value for cell in row for value in cell.values()] for row in page["QueryResultRows"]]
        if "NextToken" not in page:
            assert len(found) == page["QueryStatistics"]["TotalResultsCount"]
            return found
        token = {"NextToken": page["NextToken"]}


def aws(*arguments, fails=None):
    """The AWS CLI."""
    environment = dict(os.environ, AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local-secret-of-nobody")
    command = [os.environ["CLOUDTARN_AWS"], "cloudtrail", *arguments, "--endpoint-url", URL, "--output", "json"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    if fails:
        assert ended.returncode != 0 and fails in ended.stderr, ended
        return None
    assert ended.returncode == 0, ended
    return json.loads(ended.stdout) if ended.stdout.strip() else None


def verify_signature(api, sign):
    """As `aws cloudtrail verify-query-results` does: the key by its fingerprint among those around the query's end."""
    ended_at = datetime.datetime.strptime(sign["queryCompleteTime"], "%Y-%m-%dT%H:%M:%SZ")
    hour = datetime.timedelta(hours=1)
    pages = api.get_paginator("list_public_keys").paginate(StartTime=ended_at - hour, EndTime=ended_at + hour)
    key = next(k for page in pages for k in page["PublicKeyList"] if k["Fingerprint"] == sign["publicKeyFingerprint"])
    assert hashlib.md5(key["Value"]).hexdigest() == key["Fingerprint"]
    public = rsa.PublicKey.load_pkcs1(key["Value"], "DER")
    text = " ".join(entry["fileHashValue"] for entry in sign["files"]).encode()
    assert rsa.verify(text, bytes.fromhex(sign["hashSignature"]), public) == "SHA-256"


def done():
    print("done")
