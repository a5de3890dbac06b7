"""Facts about JSON lines: each event is one, and what it says is what docs/ promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from redis_enterprise_actions._cli.wait.events import AnyEvent, WarningEvent, json_schema
from redis_enterprise_actions._cli.wait.plain import JsonDisplay
from redis_enterprise_actions._cli.wait.progress import Progress
from tests.event_samples import (
    ENDED_BEFORE,
    REJECTED_CALL,
    THREE_WAITS,
    golden_text,
    show_events,
    time_at,
)


if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs" / "events.schema.json").read_text("utf-8"))


def conforms(line: str) -> bool:
    """Whether a line is what the schema says, in every field and with no other."""
    strict = json.loads(json.dumps(SCHEMA))
    for each in strict["$defs"].values():
        if "properties" in each:
            each["additionalProperties"] = False
    return jsonschema.Draft202012Validator(strict).is_valid(json.loads(line))


def meaning(schema: object) -> object:
    """Return a schema without what depends on versions: descriptions, and the order of lists."""
    if isinstance(schema, dict):
        return {key: meaning(value) for key, value in schema.items() if key != "description"}
    if isinstance(schema, list):
        return sorted(map(meaning, schema), key=repr)
    return schema


def lines_of(events: Iterable[AnyEvent]) -> list[str]:
    """Return the lines that a events makes."""
    lines: list[str] = []
    show_events(JsonDisplay(lines.append), list(events))
    return lines


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("three-waits", THREE_WAITS),
        ("rejected-call", REJECTED_CALL),
        ("ended-before", ENDED_BEFORE),
    ],
)
def test_golden(name: str, events: list[AnyEvent]) -> None:
    """A events is told as it ever was."""
    text = "".join(f"{line}\n" for line in lines_of(events))

    assert text == golden_text(f"json-{name}.txt", text)


def test_schema_is_kept() -> None:
    """The schema in docs/ is that of the events; `python -m tests.test_json_lines` writes it."""
    assert meaning(json.loads(json.dumps(json_schema()))) == meaning(SCHEMA)


def test_every_event_conforms() -> None:
    """Each event there is conforms to the schema, and is in the events."""
    lines = lines_of([*THREE_WAITS, *REJECTED_CALL])

    assert all(conforms(line) for line in lines)
    assert {json.loads(line)["event"] for line in lines} == set(SCHEMA["discriminator"]["mapping"])
    assert {json.loads(line)["schema"] for line in lines} == {1}


def test_others_do_not_conform() -> None:
    """The schema says no to what is no event."""
    (line,) = lines_of([WarningEvent(**time_at(0), message="x")])
    event = json.loads(line)

    assert not conforms(json.dumps({**event, "schema": 2}))
    assert not conforms(json.dumps({**event, "event": "warned"}))
    assert not conforms(json.dumps({**event, "more": 1}))


def test_strange_letters() -> None:
    """What is no ASCII is written as it is, and line breaks and escapes are escaped."""
    (line,) = lines_of([WarningEvent(**time_at(0), message="日\n本\x1b")])

    assert '"message":"日\\n本\\u001b"' in line


def test_nothing_is_drawn() -> None:
    """Lines stay as they are."""
    lines: list[str] = []
    JsonDisplay(lines.append).draw(1.0, Progress())

    assert lines == []


if __name__ == "__main__":
    schema = json.dumps(json_schema(), indent=1)
    (ROOT / "docs" / "events.schema.json").write_text(f"{schema}\n", "utf-8")
