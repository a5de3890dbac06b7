"""Tests of formats: all JSON that leaves the process has the version of its format."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

import aiohttp
import jsonschema
import msgspec
import pytest

from redis_enterprise_actions import (
    Action,
    ClusterCheck,
    Crdb,
    Database,
    Node,
    Outcome,
    Record,
    write_report,
)
from redis_enterprise_actions._cli.arguments import build_parser, parse_arguments
from redis_enterprise_actions._cli.commands import COMMANDS
from redis_enterprise_actions._cli.demo import run_fake_cluster
from redis_enterprise_actions._cli.execution import Execution
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._cli.parser import CommandParser
from redis_enterprise_actions._cli.wait.arguments import add_wait_options
from redis_enterprise_actions._model.record import with_record
from redis_enterprise_actions._report.write import ReportDocument
from redis_enterprise_actions.testing import CaptureError, ControlServer, FakeCluster, Plan
from redis_enterprise_actions.testing.control.schema import json_schema
from redis_enterprise_actions.testing.replay.capture_file import read_capture
from tests.conftest import ACTIVE


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.threaded_cluster import ThreadedCluster

DOCS: Final = Path(__file__).parent.parent / "docs"
SOURCE: Final = DOCS.parent / "src" / "redis_enterprise_actions"
SCHEMAS: Final = sorted(DOCS.glob("*.schema.json"))

# Each command that prints JSON: its arguments, and the schema of a line.
COMMANDS_WITH_JSON: Final = {
    "list": (["--json"], "action"),
    "get": (["a1", "--json"], "action"),
    "check": (["--json"], "check"),
    "doctor": (["--json"], "doctor"),
    "wait": (["a1", "--json"], "events"),
    "submit": (["DELETE", "/v1/bdbs/1", "--yes", "--json"], "events"),
}

SERVED: Final = "fake-cluster"  # it runs until it is ended, and has a test of its own

# Each module that makes JSON: the format on the page, or why it is none of ours.
WRITERS: Final = {
    "_cli/calls/command.py": "none: the cluster's answer to a dry run",
    "_cli/check/command.py": "check of a cluster",
    "_cli/doctor/result.py": "diagnosis",
    "_cli/listing/command.py": "action",
    "_cli/output.py": "none: it writes what others make",
    "_cli/replay.py": "addresses of the fake cluster",
    "_cli/reference_cache.py": "the references kept for Tab",
    "_cli/scripted.py": "addresses of the fake cluster",
    "_cli/wait/plain.py": "events of a wait",
    "_cli/wait/references.py": "none: an entry of the input, read again",
    "_client/capture/format.py": "capture",
    "_client/capture/pseudonyms.py": "none: a text in a capture",
    "_client/config/profile_writer.py": "none: a text in TOML",
    "_client/http/auth.py": "none: a request",
    "_client/http/redaction.py": "none: a text as it stands in JSON",
    "_client/submit/handle.py": "none: a part of an answer, read again",
    "_client/submit/request.py": "none: a request",
    "_client/wire/lenient_json.py": "none: an answer, read again",
    "_client/wire/reasons.py": "none: a text of an answer",
    "_model/action.py": "action",
    "_model/objects.py": "database, node, Active-Active database",
    "_model/record.py": "flight record",
    "_model/text.py": "none: it writes what others make",
    "_report/write.py": "flight record, and a report of several",
}
MAKES_JSON: Final = ("json_text(", "print_json(", "json.dumps(", "json.encode(")

RECORD: Final = Record(
    ref="action:a1",
    title="SMUpdateBDB",
    began=datetime(2026, 1, 1, tzinfo=UTC),
    elapsed=1.0,
    polls=2,
    outcome=Outcome.COMPLETED,
)
VALUES: Final = {
    "action": ACTIVE,
    "finished action": with_record(ACTIVE, RECORD),
    "record": RECORD,
    "check": ClusterCheck(),
    "database": Database(uid=1),
    "node": Node(uid=1),
    "crdb": Crdb(guid="g"),
    "report": ReportDocument(records=(RECORD,)),
}


def schema_of(name: str) -> dict[str, Any]:
    """Return a schema in docs/."""
    schema: dict[str, Any] = json.loads((DOCS / f"{name}.schema.json").read_text("utf-8"))
    return schema


def documents_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects that a schema allows as a document."""
    references = [each["$ref"] for each in schema.get("anyOf", [schema])]
    return [schema["$defs"][each.removeprefix("#/$defs/")] for each in references]


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.name.partition(".")[0])
def test_schemas(file: Path) -> None:
    """Each schema requires a version, and the page on formats links to it."""
    documents = documents_of(json.loads(file.read_text("utf-8")))

    assert documents
    for document in documents:
        assert "v" in document["required"]
        assert document["properties"]["v"] == {"enum": [1]}
    assert f"]({file.name})" in (DOCS / "formats.md").read_text("utf-8")


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_values(value: Any) -> None:  # noqa: ANN401 - one of several types
    """A value has its version in JSON, which no other version is read as."""
    written = json.loads(msgspec.json.encode(value))

    assert next(iter(written.items())) == ("v", 1)
    assert msgspec.convert(written | {"unknown": 1}, type(value)) == value
    with pytest.raises(msgspec.ValidationError, match=r"Invalid value 2 - at `\$\.v`"):
        msgspec.convert(written | {"v": 2}, type(value))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_methods(value: Any) -> None:  # noqa: ANN401 - as above
    """`to_dict` and `to_json` have the version, and so have documents within documents."""
    if isinstance(value, (Action, Database, Node, Crdb)):
        assert value.to_dict()["v"] == 1
        assert json.loads(value.to_json()) == value.to_dict()
    finished: Any = with_record(ACTIVE, RECORD).to_dict()

    assert (finished["v"], finished["record"]["v"]) == (1, 1)


def test_report(tmp_path: Path) -> None:
    """A report and each of its records have a version."""
    write_report(tmp_path / "r.json", [RECORD, RECORD])
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))

    jsonschema.validate(report, schema_of("flight-record"))
    assert [report["v"], *(record["v"] for record in report["records"])] == [1, 1, 1]


def parsers(parser: CommandParser, name: str) -> Iterator[tuple[str, CommandParser]]:
    """Yield a command, or its subcommands."""
    if not parser.commands:
        yield name, parser
    for each in parser.commands.values():
        yield from parsers(each, f"{name} {each.prog.rpartition(' ')[2]}")


def options_of(parser: CommandParser) -> set[str]:
    """Return the options of a command."""
    return {option for each in parser._actions for option in each.option_strings}


def test_commands_with_json() -> None:
    """Each command with `--json` is in the list, or prints events as all named calls do."""
    events = CommandParser(add_help=False)
    add_wait_options(events)
    top = build_parser()
    found = dict(pair for row in COMMANDS for pair in parsers(top.command(row.name), row.name))
    with_json = {name for name, parser in found.items() if "--json" in options_of(parser)}
    named_calls = {name for name in with_json if " " in name}

    assert with_json - named_calls == {*COMMANDS_WITH_JSON, SERVED}
    assert len(named_calls) > 20
    assert all(options_of(events) <= options_of(found[name]) for name in named_calls)


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("command", "schema"),
    [
        *(([name, *more], schema) for name, (more, schema) in COMMANDS_WITH_JSON.items()),
        (["databases", "upgrade", "1", "--json"], "events"),
        (["wait", "no-such-action", "--timeout", "1", "--json"], "events"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_output(
    command: list[str], schema: str, threaded: ThreadedCluster, lines: Callable[[], list[str]]
) -> None:
    """Each line that a command prints with `--json` is an object of version 1."""
    plan = Plan(duration=0)
    threaded.do(lambda cluster: cluster.add_bdb(1))
    threaded.do(lambda cluster: cluster.add_action("SMUpdateBDB", plan, bdb_uid=2, uid="a1"))
    for method, path in (("DELETE", "/v1/bdbs/1"), ("POST", "/v1/bdbs/1/upgrade")):
        threaded.do(lambda cluster, of=(method, path): cluster.plan(*of, plan))
    main(command)
    documents = [json.loads(line) for line in lines()]

    assert documents
    for document in documents:
        jsonschema.validate(document, schema_of(schema))
        assert document["v"] == 1


@pytest.mark.enable_socket
async def test_control_api() -> None:
    """Each answer of the control API is an object of version 1, also to calls without fields."""
    paths: Any = json_schema()["paths"]
    calls = [(method, path) for path, methods in paths.items() for method in methods]
    calls += [("GET", "/_fake/schema.json"), ("GET", "/_fake/nothing"), ("PUT", "/_fake/clock")]
    found = {}
    async with (
        FakeCluster() as cluster,
        ControlServer(cluster) as control,
        aiohttp.ClientSession() as session,
    ):
        for method, path in calls:
            async with session.request(method, urljoin(control.url, path)) as response:
                found[method, path] = (await response.json())["v"], response.status

    assert len(found) > 20
    assert {version for version, _ in found.values()} == {1}
    assert {200, 400, 404, 405} <= {status for _, status in found.values()}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_before_versions(value: Any) -> None:  # noqa: ANN401 - one of several types
    """A document without a version was written before there was one, and is read as version 1."""
    written = json.loads(msgspec.json.encode(value))
    del written["v"]

    assert msgspec.convert(written, type(value)) == value


@pytest.mark.enable_socket
async def test_version_of_calls() -> None:
    """A call of the control API may have a version, which no other one is read as."""
    results = []
    async with (
        FakeCluster() as cluster,
        ControlServer(cluster) as control,
        aiohttp.ClientSession() as session,
    ):
        for name, call in (("clock", {"jump": 1}), ("heal", {}), ("reset", {})):
            for version in (1, 2, True, "1"):
                body = {"v": version, **call}
                async with session.post(f"{control.url}{name}", json=body) as response:
                    results.append((response.status, (await response.json()).get("field")))

    assert results == 3 * [(200, None), *3 * [(400, "$.v")]]


CAPTURES: Final = sorted((DOCS.parent / "tests" / "captures").glob("v1-*[a-z].json"))


def captures() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the captures in the repository."""
    for file in CAPTURES:
        if not file.name.endswith(".records.json"):
            yield file.name, json.loads(file.read_text("utf-8"))


@pytest.mark.parametrize("content", [each[1] for each in captures()], ids=dict(captures()))
def test_schema_of_captures(content: dict[str, Any], tmp_path: Path) -> None:
    """The schema of captures accepts those of the repository, and refuses what no reader takes."""
    schema = schema_of("capture")
    path = tmp_path / "capture.json"
    jsonschema.validate(content, schema)
    for place, field, wrong in (
        ("", "v", 2),
        ("", "nodes", []),
        ("", "nodes", [f"http://n{number}.example:1" for number in range(101)]),
        ("exchange", "at", -1),
        ("exchange", "took", 1e10),
        ("exchange", "node", 0),
        ("exchange", "method", "get"),
        ("exchange", "path", "v1/bdbs"),
        ("exchange", "status", 99),
    ):
        bad = json.loads(json.dumps(content))
        ((bad["exchanges"][0]) if place else bad)[field] = wrong
        path.write_text(json.dumps(bad), "utf-8")
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)
        with pytest.raises(CaptureError):
            read_capture(path)


@pytest.mark.enable_socket
@pytest.mark.prints_password
async def test_addresses_of_the_fake_cluster(lines: Callable[[], list[str]]) -> None:
    """`fake-cluster --json` prints an object of version 1."""
    serving: Any = run_fake_cluster(parse_arguments(["fake-cluster", "--json"]), Execution())
    task = asyncio.ensure_future(serving)
    printed: list[str] = []
    while not printed:
        await asyncio.sleep(0.01)
        printed = lines()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [json.loads(line)["v"] for line in printed] == [1]


def test_writers_of_json() -> None:
    """Each module that makes JSON is in the list, and its format on the page."""
    page = (DOCS / "formats.md").read_text("utf-8")
    files = {file.relative_to(SOURCE).as_posix(): file for file in SOURCE.rglob("*.py")}
    making = {
        name
        for name, file in files.items()
        if not name.startswith(("testing/", "airflow/"))
        and any(call in file.read_text("utf-8") for call in MAKES_JSON)
    }
    formats = {each for each in WRITERS.values() if not each.startswith("none: ")}

    assert making == set(WRITERS)
    assert {each for each in formats if each not in page} == set()
