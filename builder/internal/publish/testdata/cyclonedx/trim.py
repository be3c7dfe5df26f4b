"""Writes bom-1.6.schema.json, the CycloneDX 1.6 JSON schema without its texts.

    python3 -m venv venv && venv/bin/pip install cyclonedx-python-lib==11.12.0
    venv/bin/python trim.py

Only keywords that validate nothing are taken out, and the list of SPDX ids,
which stands in another file: a bundle's licences are expressions or names.
Run on 2026-11-22 with Python 3.11. The schema is published by OWASP under
Apache-2.0 (its $comment says so).
"""

import importlib.resources
import json
import pathlib

NOTES = {"description", "title", "examples", "meta:enum", "$comment", "deprecated", "default"}


def trim(value, names=False):
    if isinstance(value, dict):
        return {k: trim(v, not names and k in ("properties", "definitions")) for k, v in value.items() if names or k not in NOTES}
    if isinstance(value, list):
        return [trim(v) for v in value]
    return value


source = importlib.resources.files("cyclonedx.schema") / "_res" / "bom-1.6.SNAPSHOT.schema.json"
schema = trim(json.loads(source.read_text()))
definitions = schema.pop("definitions")
lines = [f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}" for name, value in definitions.items()]
head = json.dumps(schema, separators=(",", ":"))[:-1]
text = head + ',"definitions":{\n' + ",\n".join(lines) + "\n}}\n"
assert json.loads(text) == {**schema, "definitions": definitions}
(pathlib.Path(__file__).parent / "bom-1.6.schema.json").write_text(text)
