"""Every operation of botocore's service models answers, or refuses with an exception of the model."""
import json
import urllib.request

import botocore.exceptions
import botocore.session
import service_model
from client import URL, client, done

# What every AWS service may answer, whatever its model says.
COMMON = {"ValidationException", "AccessDeniedException", "SerializationException"}

with open(__file__.rsplit("/tests/", 1)[0] + "/crates/api/src/model.json", encoding="utf-8") as file:
    assert file.read() == service_model.text(service_model.document()), "model.json is not what botocore has"


def least(shape, depth=0):
    """An input with what is required, as small as the model allows."""
    if shape.type_name == "structure":
        return {name: least(shape.members[name], depth + 1) for name in shape.required_members}
    if shape.type_name == "list":
        return [least(shape.member, depth + 1) for _ in range(max(1, shape.metadata.get("min", 0)))]
    if shape.type_name == "map":
        return {}
    if shape.type_name in ("integer", "long"):
        return shape.metadata.get("min", 1)
    if shape.type_name == "boolean":
        return False
    if shape.type_name == "timestamp":
        return 1767225600
    if shape.enum:
        return shape.enum[0]
    return {
        "QueryStatement": "SELECT 1",
        "ResourceArn": "arn:aws:cloudtrail:us-east-1:000000000000:eventdatastore/x",
        "ResourcePolicy": "{}",
    }.get(shape.name, ("0123456789abcdef" * 3)[: max(shape.metadata.get("min", 3), 3)])


def answers(api, operation, model, **arguments):
    shape = model.operation_model(operation)
    codes = {error.name for error in shape.error_shapes} | COMMON
    try:
        api._make_api_call(operation, arguments)
    except botocore.exceptions.ClientError as error:
        code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert code in codes and status == 400, f"{operation} {arguments}: {status} {code} is not of the model"
        assert error.response["Error"]["Message"], operation
        return code
    return None


def wrong(shape):
    """Values that break the shape, for clients that do not look."""
    yield {"structure": [], "list": {}, "map": []}.get(shape.type_name, {"a": 1})
    if shape.type_name == "string":
        if "max" in shape.metadata:
            yield "x" * (shape.metadata["max"] + 1)
        if shape.metadata.get("min"):
            yield ""
        if shape.enum:
            yield "NONSENSE"
        if "pattern" in shape.metadata and ".*" not in shape.metadata["pattern"]:
            yield "\u0000 \u00e9'"
    if shape.type_name in ("integer", "long"):
        yield 1.5
        if "max" in shape.metadata:
            yield shape.metadata["max"] + 1
        if "min" in shape.metadata:
            yield shape.metadata["min"] - 1
    if shape.type_name == "list":
        if "max" in shape.metadata:
            yield [least(shape.member)] * (shape.metadata["max"] + 1)
        yield [None]
    if shape.type_name == "timestamp":
        yield "noon"


checked = 0
for service in ("cloudtrail", "cloudtrail-data"):
    api = client(service=service)
    model = botocore.session.get_session().get_service_model(service)
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        good = least(shape)
        unsupported = answers(api, operation, model, **good) == "UnsupportedOperationException"
        free = client(service=service, parameter_validation=False)
        for member in shape.required_members:
            missing = {name: value for name, value in good.items() if name != member}
            if service == "cloudtrail" and not unsupported:
                assert answers(free, operation, model, **missing), f"{operation} without {member}"
            checked += 1
        if service != "cloudtrail":
            continue
        for member, of in shape.members.items():
            for value in wrong(of):
                # Sent as it is: botocore would not write it.
                headers = {
                    "X-Amz-Target": f"{model.metadata['targetPrefix']}.{operation}",
                    "Content-Type": "application/x-amz-json-1.1",
                }
                body = json.dumps({**good, member: value}).encode()
                request = urllib.request.Request(URL, body, headers)
                try:
                    urllib.request.urlopen(request, timeout=60)
                    raise AssertionError(f"{operation} takes {member} = {value!r:.80}")
                except urllib.error.HTTPError as error:
                    told = json.load(error)
                    codes = {shape.name for shape in model.operation_model(operation).error_shapes} | COMMON
                    assert error.code == 400 and told["__type"] in codes, f"{operation} {member}: {told}"
                    assert error.headers["x-amzn-requestid"] and told["message"], told
                checked += 1
assert checked > 250, checked
done()
