"""Tests of `_cli.wait.references`."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli.wait.references import parse_references, parse_text
from redis_enterprise_actions._model.reference import parse_reference
from tests.conftest import examples
from tests.event_samples import DELETE, MAINTENANCE, REFS, THREE_WAITS, UPDATE


if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "hunter2-not-real"
NO_REFERENCE = "this is not a reference such as action:UID or crdb:ID"
NO_NAME = "an object with no usable ref, uid, action_uid, task_id or id names nothing"


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Return a function that sets the contents of standard input."""
    return lambda data: monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "ascii")
    )


def json_of(value: object) -> str:
    """Return a value as the command prints it."""
    return msgspec.json.encode(value).decode()


def refs_in(text: str) -> list[str]:
    """Return the references in a text, as text."""
    return [str(ref) for ref in parse_text(text).refs]


def fail(line: str) -> None:
    """Fail, as the test expects no warning."""
    raise AssertionError(line)


@pytest.mark.parametrize(
    ("text", "refs"),
    [
        ("", []),
        ("\n  \n# crdb:t1\n", []),
        ("a1", ["action:a1"]),
        ("a1\r\n crdb:t1 \n\n# and\nbdb:1@gone", ["action:a1", "crdb:t1", "bdb:1@gone"]),
        ("a1\ra2\r", ["action:a1", "action:a2"]),
        ("crdb:my task\n", ["crdb:my task"]),
        ('"crdb:t1"\n"a1"\n', ["crdb:t1", "action:a1"]),
        ('["crdb:t1", {"ref": "a1"}]', ["crdb:t1", "action:a1"]),
        ('{"ref": null}\n{"ref": "export:1"}', ["export:1"]),
        ('{\n  "ref": "crdb:t1",\n  "n": 1\n}\n{\n  "ref": "a1"\n}\na2', None),
        ('{"uid": "a1", "kind": "task"}', ["action:a1"]),
        ('{"uid": "a1"}', ["action:a1"]),
        ('{"uid": "a:1", "kind": "state-machine"}', ["action:a:1"]),
        ('{"uid": "t1", "kind": "crdb-task"}', ["crdb:t1"]),
        ('{"uid": "export:3", "kind": "export"}', ["export:3"]),
        ('{"uid": "bdb:3", "kind": "database"}', ["bdb:3"]),
        ('{"uid": "node:1/remove", "kind": "node-action"}', ["node:1/remove"]),
        (json_of(UPDATE), ["action:a1"]),
        (json_of(MAINTENANCE), ["node:1/maintenance_on@t1"]),
        (json_of(DELETE), ["action:d@bdb:7"]),
        (json_of(THREE_WAITS[0]), ["action:a1"]),
        ("\n".join(map(json_of, THREE_WAITS[:5])), ["action:a1", "action:a1", REFS[1]]),
        ("null", []),
        ("null\nnull\n", []),
        ('"null"', ["action:null"]),
        ("[null]", []),
        ("[" * 900 + '"a1"' + "]" * 900, ["action:a1"]),
    ],
)
def test_parse_text(text: str, refs: list[str] | None) -> None:
    """References are read one a line, or from JSON as `list`, `submit` and jq print it."""
    expected = ["crdb:t1", "action:a1", "action:a2"] if refs is None else refs

    assert refs_in(text) == expected


DATABASE = {"uid": 1, "status": "active", "authentication_redis_pass": SECRET}


@pytest.mark.parametrize(
    ("answer", "refs"),
    [
        ({"action_uid": "a", "description": "started"}, ["action:a"]),
        ({"status": "queued", "task_id": "t"}, ["action:t"]),
        ({"id": "t", "status": "queued"}, ["crdb:t"]),
        ({"id": "t", "crdb_guid": "g", "status": "started", "errors": []}, ["crdb:t"]),
        ({**DATABASE, "action_uid": "a"}, ["action:a"]),
        (
            {**DATABASE, "action_uid": "a", "background_op": [{"name": "SMDeleteBDB"}]},
            ["action:a@bdb:1"],
        ),
        ({**DATABASE, "action_uid": "a", "background_op": [{"status": "idle"}]}, ["action:a"]),
        ({**DATABASE, "action_uid": "a", "background_op": []}, ["action:a"]),
        ({"uid": "f00d", "module_name": "json", "action_uid": "a"}, ["action:a"]),
        ({"action_uid": "a", "name": "SMUpdateBDB", "object_name": "bdb:1"}, ["action:a"]),
        ({"action_uid": "a", "name": "SMDeleteBDB", "object_name": "bdb:1"}, ["action:a@bdb:1"]),
        ({"action_uid": "a", "name": "SMDeleteBDB"}, ["action:a"]),
        (
            {
                "action_uid": "a",
                "action_type": "state-machine",
                "name": "SMDeleteBDB",
                "status": "running",
                "additional_info": {"object_type": "bdb", "object_uid": "1"},
            },
            ["action:a@bdb:1"],
        ),
        (
            {"action_uid": "a", "task_id": "a", "name": "retry_bdb", "node_uid": "1"},
            ["action:a"],
        ),
        (
            {"name": "remove_node", "node_uid": "1", "status": "running", "progress": 10},
            ["node:1/remove"],
        ),
        (
            {"name": "maintenance_on", "node_uid": 2, "status": "running", "task_id": "t"},
            ["node:2/maintenance_on@t"],
        ),
        (
            {"name": "change_master", "status": "running", "progress": 10},
            ["cluster:change_master"],
        ),
        (
            {"name": "change_master", "status": "running", "task_id": "t"},
            ["cluster:change_master@t"],
        ),
        ([{"action_uid": "a"}, {"id": "t"}], ["action:a", "crdb:t"]),
        (
            {
                "actions": [{"action_uid": "a", "status": "queued"}],
                "state-machines": [{"action_uid": "b", "status": "active"}],
            },
            ["action:a", "action:b"],
        ),
        ({"state_machines": [{"action_uid": "b", "status": "pending"}]}, ["action:b"]),
        ({"crdb_tasks": [{"id": "t", "status": "started"}]}, ["crdb:t"]),
        ({"tasks": [{"id": "t", "status": "queued"}]}, ["crdb:t"]),
        ({"actions": [], "state-machines": []}, []),
        ([[], {"tasks": []}, {"actions": [{"action_uid": "a"}]}], ["action:a"]),
    ],
    ids=json.dumps,
)
def test_answers(answer: object, refs: list[str]) -> None:
    """Answers of the API are read: those to calls that start work, and lists."""
    assert refs_in(json.dumps(answer)) == refs
    assert refs_in(json.dumps(answer, indent=2)) == refs


ENDED = [
    {"action_uid": "a", "status": "completed"},
    {"action_uid": "b", "status": " Failed "},
    {"action_uid": "c", "action_type": "task", "status": "cancelled"},
    {"id": "d", "status": "finished"},
    {"name": "remove_node", "node_uid": "1", "status": "aborted"},
    {"uid": "bdb:3", "kind": "database", "status": "active", "phase": "completed"},
]
UNDER_WAY = [
    {"action_uid": "a", "status": "active"},
    {"action_uid": "b", "status": "a word never seen"},
    {"action_uid": "c"},
    {"uid": "x", "kind": "task", "status": "completed", "phase": "running"},
    {"ref": "action:y", "status": "completed"},
    "z",
    None,
]


@pytest.mark.parametrize("key", [None, "actions", "state-machines", "crdb_tasks"])
def test_ended(key: str | None) -> None:
    """Entries of a list that have ended are counted; an unknown status is no end."""
    listed = [*ENDED, *UNDER_WAY]
    found = parse_text(json.dumps(listed if key is None else {key: listed}))

    assert [ref.uid for ref in found.refs] == ["a", "b", "c", "x", "y", "z"]
    assert found.ended == len(ENDED)


@pytest.mark.parametrize("entry", ENDED, ids=json.dumps)
def test_ended_alone(entry: dict[str, str]) -> None:
    """An object outside of a list is read although it has ended."""
    found = parse_text(f"{json.dumps(entry)}\n{json.dumps(entry)}")

    assert len(found.refs) == 2
    assert found.ended == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("node:1", f"line 1: {NO_REFERENCE}"),
        (f"a1\n\n# more\n  password: {SECRET}\n", f"line 4: {NO_REFERENCE}"),
        (f"a1\r\npassword {SECRET}", f"line 2: {NO_REFERENCE}"),
        (f"a1\tSMUpdateBDB\t{SECRET}", f"line 1: {NO_REFERENCE}"),
        (f"crdb:t1\tcreate_crdb\t{SECRET}", f"line 1: {NO_REFERENCE}"),
        (f'"password:{SECRET}"', f"line 1: {NO_REFERENCE}"),
        (f'["a1",\n "password {SECRET}"]', f"line 1, entry 2: {NO_REFERENCE}"),
        (f'{{"ref": "{SECRET}:1"}}', f"line 1: {NO_REFERENCE}"),
        ('{"action_uid": "\\ud800"}', f"line 1: {NO_REFERENCE}"),
        ('{"uid": "node:1", "kind": "node-action"}', f"line 1: {NO_REFERENCE}"),
        (f'a1\n{{"ref": "{SECRET}"', "line 2: this is not JSON"),
        (f'{{\n"a": "{SECRET}",\n"b" 1}}', "line 3: this is not JSON"),
        (f'{{"ref": "a1"}}\n{{"p": "{SECRET}", "ref": {{}}, }}', "line 2: this is not JSON"),
        (f'["{SECRET}", {"1" * 5000}]', "line 1: this is not JSON: a number has too many digits"),
        ("[" * 500, "line 1: this is not JSON"),
        ("a1\n" + "[" * 500 + "\n\n", "line 2: this is not JSON"),
        ('a1\n["a2",\n"a3"\n\n', "line 3: this is not JSON"),
        ("[" * 100_000 + f'"{SECRET}"', "line 1: this JSON is nested too deeply"),
        ('{"a":' * 100_000, "line 1: this JSON is nested too deeply"),
        ("[1]", "line 1, entry 1: a number names nothing"),
        ("[null, 1.5]", "line 1, entry 2: a number names nothing"),
        ("[true]", "line 1, entry 1: true or false names nothing"),
        ('{"ref": 1}', f"line 1: {NO_NAME}"),
        ('{"ref": "", "uid": "a1"}', f"line 1: {NO_NAME}"),
        ('{"kind": "task"}', f"line 1: {NO_NAME}"),
        ("{}", f"line 1: {NO_NAME}"),
        (json.dumps(DATABASE), f"line 1: {NO_NAME}"),
        (f"a1\n{json.dumps(DATABASE, indent=1)}", f"line 2: {NO_NAME}"),
        (json.dumps([{"action_uid": "a"}, DATABASE]), f"line 1, entry 2: {NO_NAME}"),
        (json.dumps({"actions": [[DATABASE]]}), f"line 1, entry 1: {NO_NAME}"),
        (json.dumps({"actions": SECRET, "tasks": None}), f"line 1: {NO_NAME}"),
        (json.dumps({"action_uid": "", "task_id": 5, "id": [], "uid": 1}), f"line 1: {NO_NAME}"),
        (json.dumps({"name": SECRET, "status": "active"}), f"line 1: {NO_NAME}"),
        (json.dumps({"name": "db", "status": "failed", "uid": 1}), f"line 1: {NO_NAME}"),
        (
            json.dumps({"name": SECRET, "status": "running", "node_uid": "1"}),
            f"line 1: {NO_REFERENCE}",
        ),
        (
            json.dumps({"name": "remove", "status": "running", "node_uid": "x"}),
            f"line 1: {NO_NAME}",
        ),
    ],
    ids=lambda text: text[:40],
)
def test_errors(text: str, message: str) -> None:
    """An error names the line and the kind of value, and quotes none of it."""
    with pytest.raises(UsageError) as caught:
        parse_text(text)

    assert str(caught.value) == f"standard input, {message}"
    assert caught.value.__context__ is None


@pytest.mark.parametrize("depth", [*range(800, 1100, 7), 990, 10_000, 1_000_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a": ', "}"), ('{"tasks": [', "]}")])
def test_deep(begin: str, end: str, depth: int) -> None:
    """JSON nested to any depth is wrong usage at worst."""
    for text in (begin * depth, begin * depth + "1" + end * depth):
        with pytest.raises(UsageError, match=r"^standard input, line 1"):
            parse_text(text)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(SECRET),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from([
                *("ref", "uid", "kind", "event", "phase", "action_uid", "task_id", "id", "name"),
                *("status", "node_uid", "progress", "object_name", "background_op", "actions"),
                *("additional_info", "object_type", "object_uid", "tasks"),
            ]),
            inner,
        )
    ),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=examples(300))
@generated(ANY_JSON)
def test_any_json(value: object) -> None:
    """Any JSON holds references or is wrong usage; errors quote none of it."""
    try:
        found = parse_text(json.dumps(value))
    except UsageError as error:
        assert str(error).startswith("standard input, line 1")
        assert SECRET not in str(error)
    else:
        assert found.refs == [parse_reference(str(ref)) for ref in found.refs]


@settings(max_examples=examples(300))
@generated(st.text())
def test_any_text(text: str) -> None:
    """Any text holds references or is wrong usage."""
    try:
        found = parse_text(text)
    except UsageError as error:
        assert str(error).startswith("standard input, line ")
    else:
        assert found.ended == 0


def test_many_lines() -> None:
    """Twenty thousand lines are read and counted in less than the time limit of a test."""
    lines = "\n".join(f"a{number}" for number in range(20_000))

    assert len(parse_text(lines).refs) == 20_000
    with pytest.raises(UsageError, match=r"^standard input, line 20001:"):
        parse_text(f"{lines}\nnode:1\n")


class TestParseReferences:
    """`parse_references`."""

    def test_arguments(self, stdin: Callable[[bytes], None]) -> None:
        """`-` among the arguments stands for the contents of standard input, in UTF-8."""
        stdin("\ufeffcrdb:日本\n".encode())

        refs = [str(ref) for ref in parse_references(["a1", "-", "a2"], fail)]
        assert refs == ["action:a1", "crdb:日本", "action:a2"]

    @pytest.mark.parametrize(
        ("count", "message"),
        [
            (1, "1 entry had already ended and is left out"),
            (2, "2 entries had already ended and are left out"),
        ],
    )
    def test_ended(self, stdin: Callable[[bytes], None], count: int, message: str) -> None:
        """The number of entries left out is one line."""
        stdin(json.dumps([{"action_uid": "a", "status": "failed"}] * count).encode())
        lines: list[str] = []

        assert parse_references(["-"], lines.append) == []
        assert lines == [message]

    def test_no_text(self, stdin: Callable[[bytes], None]) -> None:
        """Standard input that is no UTF-8 is wrong usage, and is not quoted."""
        stdin(SECRET.encode() + b"\xff")

        with pytest.raises(UsageError) as caught:
            parse_references(["-"], fail)
        assert str(caught.value) == "- cannot be read: it is not UTF-8"
        assert caught.value.__context__ is None

    def test_closed(self, stdin: Callable[[bytes], None]) -> None:
        """Standard input that is closed cannot be read."""
        stdin(b"a1")
        sys.stdin.close()

        with pytest.raises(UsageError, match=r"^- cannot be read: .*closed file"):
            parse_references(["-"], fail)

    def test_no_stdin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process without standard input gets an error that says so."""
        monkeypatch.setattr(sys, "stdin", None)

        with pytest.raises(UsageError, match="there is no standard input"):
            parse_references(["-"], fail)


@pytest.mark.parametrize("version", [2, 0, "1", None, 1.5])
@pytest.mark.parametrize("form", ["{}", "[{}]", '{{"actions": [{}]}}'])
def test_another_version(version: object, form: str) -> None:
    """An object of another version is an error that names the line and `v`, and quotes nothing."""
    entry = json.dumps({"v": 1, "kind": "action", "uid": "a1"})
    other = json.dumps({"v": version, "kind": "action", "uid": "a2"})
    with pytest.raises(UsageError) as caught:
        parse_text(f"{entry}\n{form.format(other)}")
    parsed = parse_text(f"{entry}\n{form.format(entry)}")

    assert str(caught.value).startswith("standard input, line 2")
    assert ": v is not 1: another version has written this" in str(caught.value)
    assert len(parsed.refs) == 2
