"""The service models that botocore ships, without their texts: what `crates/api/src/model.json` holds.

Run with a path it writes the file; imported it gives the same document to the tests.
"""
import json
import sys

import botocore.session

KEPT = ("type", "members", "required", "member", "key", "value", "min", "max", "pattern", "enum", "exception")


def document():
    loader = botocore.session.get_session().get_component("data_loader")
    services = {}
    for service in ("cloudtrail", "cloudtrail-data"):
        model = loader.load_service_model(service, "service-2")
        operations = {
            name: {
                "input": operation["input"]["shape"],
                "output": operation["output"]["shape"],
                "errors": sorted({error["shape"] for error in operation["errors"]}),
            }
            for name, operation in sorted(model["operations"].items())
        }
        shapes = {}
        for name, shape in sorted(model["shapes"].items()):
            kept = {key: shape[key] for key in KEPT if key in shape}
            for part in ("member", "key", "value"):
                if part in kept:
                    kept[part] = kept[part]["shape"]
            if "members" in kept:
                kept["members"] = {member: where["shape"] for member, where in kept["members"].items()}
            shapes[name] = kept
        services[service] = {"operations": operations, "shapes": shapes}
    return services


def text(services):
    """One operation or shape a line, so that changes read well."""
    out = []
    for service, model in services.items():
        parts = []
        for part, entries in model.items():
            lines = ",\n".join(f"      {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
            parts.append(f'    "{part}": {{\n{lines}\n    }}')
        out.append(f'  "{service}": {{\n' + ",\n".join(parts) + "\n  }")
    return "{\n" + ",\n".join(out) + "\n}\n"


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(text(document()))
