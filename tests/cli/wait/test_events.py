"""Tests of `_cli.wait.events`: the schema in docs/ is that of the events."""

from __future__ import annotations

import json

from redis_enterprise_actions._cli.wait.events import WarningEvent, json_schema
from tests.event_samples import (
    REJECTED_CALL,
    SCHEMA,
    SCHEMA_FILE,
    THREE_WAITS,
    conforms,
    json_lines,
    time_at,
)


def without_descriptions(schema: object) -> object:
    """Return a schema without descriptions, and with ordered lists: both vary by version."""
    if isinstance(schema, dict):
        return {
            key: without_descriptions(value)
            for key, value in schema.items()
            if key != "description"
        }
    if isinstance(schema, list):
        return sorted(map(without_descriptions, schema), key=repr)
    return schema


def test_schema_is_up_to_date() -> None:
    """The schema in docs/ is current; `python -m tests.cli.wait.test_events` writes it."""
    current = json.loads(json.dumps(json_schema()))

    assert without_descriptions(current) == without_descriptions(SCHEMA)


def test_every_event_conforms() -> None:
    """Each kind of event is among the samples, and conforms to the schema."""
    lines = json_lines([*THREE_WAITS, *REJECTED_CALL])

    assert all(conforms(line) for line in lines)
    assert {json.loads(line)["event"] for line in lines} == set(SCHEMA["discriminator"]["mapping"])
    assert {json.loads(line)["v"] for line in lines} == {1}


def test_other_objects_do_not_conform() -> None:
    """The schema refuses another version, an unknown event and an unknown field."""
    (line,) = json_lines([WarningEvent(**time_at(0), message="x")])
    event = json.loads(line)

    assert not conforms(json.dumps({**event, "v": 2}))
    assert not conforms(json.dumps({**event, "event": "warned"}))
    assert not conforms(json.dumps({**event, "more": 1}))


if __name__ == "__main__":
    SCHEMA_FILE.write_text(f"{json.dumps(json_schema(), indent=1)}\n", "utf-8")
