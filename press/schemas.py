"""Writes the JSON schema of what `--json` shows, from the type that is shown."""

from __future__ import annotations

import inspect
import json

import msgspec

from redis_enterprise_actions import Action


def action() -> str:
    """Return the schema of an `Action`, as JSON."""
    (schemas, components) = msgspec.json.schema_components([Action], ref_template="#/$defs/{name}")
    for each in components.values():
        if "description" in each:  # whose indentation is another one with each Python
            each["description"] = inspect.cleandoc(each["description"])
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps({**dialect, **schemas[0], "$defs": components}, indent=2) + "\n"
