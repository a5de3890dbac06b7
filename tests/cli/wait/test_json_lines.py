"""Facts about JSON lines: each event is one, and what it says is what docs/ promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from redis_enterprise_actions._cli.wait.events import AnyEvent, Warned, json_schema
from redis_enterprise_actions._cli.wait.plain import JsonLines
from redis_enterprise_actions._cli.wait.progress import Board
from tests.told import ALREADY, REFUSED, STORY, at, golden, tell


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


def lines_of(story: Iterable[AnyEvent]) -> list[str]:
    """Return the lines that a story makes."""
    lines: list[str] = []
    tell(JsonLines(lines.append), list(story))
    return lines


@pytest.mark.parametrize(
    ("name", "story"), [("story", STORY), ("refused", REFUSED), ("already", ALREADY)]
)
def test_golden(name: str, story: list[AnyEvent]) -> None:
    """A story is told as it ever was."""
    text = "".join(f"{line}\n" for line in lines_of(story))

    assert text == golden(f"json-{name}.txt", text)


def test_schema_is_kept() -> None:
    """The schema in docs/ is that of the events; `python -m tests.test_json_lines` writes it."""
    assert meaning(json.loads(json.dumps(json_schema()))) == meaning(SCHEMA)


def test_every_event_conforms() -> None:
    """Each event there is conforms to the schema, and is in the story."""
    lines = lines_of([*STORY, *REFUSED])

    assert all(conforms(line) for line in lines)
    assert {json.loads(line)["event"] for line in lines} == set(SCHEMA["discriminator"]["mapping"])
    assert {json.loads(line)["schema"] for line in lines} == {1}


def test_others_do_not_conform() -> None:
    """The schema says no to what is no event."""
    (line,) = lines_of([Warned(**at(0), message="x")])
    event = json.loads(line)

    assert not conforms(json.dumps({**event, "schema": 2}))
    assert not conforms(json.dumps({**event, "event": "warned"}))
    assert not conforms(json.dumps({**event, "more": 1}))


def test_strange_letters() -> None:
    """What is no ASCII is written as it is, and line breaks and escapes are escaped."""
    (line,) = lines_of([Warned(**at(0), message="日\n本\x1b")])

    assert '"message":"日\\n本\\u001b"' in line


def test_nothing_is_drawn() -> None:
    """Lines stay as they are."""
    lines: list[str] = []
    JsonLines(lines.append).draw(1.0, Board())

    assert lines == []


if __name__ == "__main__":
    schema = json.dumps(json_schema(), indent=1)
    (ROOT / "docs" / "events.schema.json").write_text(f"{schema}\n", "utf-8")
