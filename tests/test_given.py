"""Facts about what is to be waited for, as it is given."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._given import read, references
from tests.told import MAINTENANCE, REFS, STORY, UPDATE


if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Return a function that says what standard input holds."""
    return lambda data: monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "ascii")
    )


def json_of(value: object) -> str:
    """Return a value as the command prints it."""
    return msgspec.json.encode(value).decode()


@pytest.mark.parametrize(
    ("text", "refs"),
    [
        ("", []),
        ("\n  \n# crdb:t1\n", []),
        ("a1", ["action:a1"]),
        ("a1\r\n crdb:t1 \n\n# and\nbdb:1@gone", ["action:a1", "crdb:t1", "bdb:1@gone"]),
        ('"crdb:t1"\n"a1"\n', ["crdb:t1", "action:a1"]),
        ('["crdb:t1", {"ref": "a1"}]', ["crdb:t1", "action:a1"]),
        ('{"ref": null}\n{"ref": "export:1"}', ["export:1"]),
        ('{\n  "ref": "crdb:t1",\n  "n": 1\n}\n{\n  "ref": "a1"\n}\na2', None),
        ('{"uid": "a1", "kind": "task"}', ["action:a1"]),
        ('{"uid": "a:1", "kind": "state-machine"}', ["action:a:1"]),
        ('{"uid": "t1", "kind": "crdb-task"}', ["crdb:t1"]),
        ('{"uid": "export:3", "kind": "export"}', ["export:3"]),
        ('{"uid": "bdb:3", "kind": "database"}', ["bdb:3"]),
        ('{"uid": "node:1/remove", "kind": "node-action"}', ["node:1/remove"]),
        (json_of(UPDATE), ["action:a1"]),
        (json_of(MAINTENANCE), ["node:1/maintenance_on@t1"]),
        (json_of(STORY[0]), ["action:a1"]),
        ("\n".join(map(json_of, STORY[:5])), ["action:a1", "action:a1", REFS[1]]),
        ("null", ["action:null"]),
        ("[null]", []),
    ],
)
def test_read(text: str, refs: list[str] | None) -> None:
    """References stand one a line; JSON is as `list`, `submit` and jq print it."""
    expected = ["crdb:t1", "action:a1", "action:a2"] if refs is None else refs

    assert [str(ref) for ref in read(text)] == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("node:1", "'node:1' is not a reference"),
        ('{"ref": "a1"', """- holds what is no JSON: '{"ref": "a1"'"""),
        ("[" * 100_000, "- holds what is no JSON: '[[[["),
        ("[1]", "- holds what names nothing to wait for: 1"),
        ('{"ref": 1}', '- holds what names nothing to wait for: {"ref": 1}'),
        ('{"kind": "task"}', "- holds what names nothing to wait for: an object without"),
    ],
)
def test_no_reference(text: str, said: str) -> None:
    """What names nothing is wrong usage, and shown as far as it helps."""
    with pytest.raises(UsageError) as caught:
        list(read(text))

    assert str(caught.value).startswith(said)
    assert len(str(caught.value)) < 250


def test_arguments(stdin: Callable[[bytes], None]) -> None:
    """`-` among the arguments stands for what standard input holds, in UTF-8."""
    stdin("\ufeffcrdb:日本\n".encode())

    refs = [str(ref) for ref in references(["a1", "-", "a2"])]
    assert refs == ["action:a1", "crdb:日本", "action:a2"]


def test_no_text(stdin: Callable[[bytes], None]) -> None:
    """What is no text is wrong usage."""
    stdin(b"\xff")

    with pytest.raises(UsageError, match="- cannot be read"):
        references(["-"])


def test_no_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without standard input is told so."""
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(UsageError, match="there is no standard input"):
        references(["-"])
