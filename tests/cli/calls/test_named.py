"""Tests of `_cli.calls.named` and `_cli.calls.named_arguments`: the named calls on a cluster."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest

from redis_enterprise_actions import Cluster, Crdbs, Databases, Nodes, Shards
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.calls.named import _values
from redis_enterprise_actions._cli.calls.named_arguments import _add_call
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._cli.parser import CommandParser
from redis_enterprise_actions.testing import Plan
from tests.cli.calls.test_signatures import Things
from tests.named_calls import named_calls
from tests.secrecy import secrets_in
from tests.threaded_cluster import ThreadedCluster


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from redis_enterprise_actions.testing import FakeCluster

SECRET = "hunter2-hunter2"
FTP = {"type": "ftp", "url": "ftp://there/file"}
RESOURCES = {
    "databases": Databases,
    "nodes": Nodes,
    "cluster": Cluster,
    "shards": Shards,
    "crdbs": Crdbs,
}


class Call(NamedTuple):
    """Named call, its arguments, the request that it makes, and the reference to the work."""

    line: str
    request: str
    ref: str


UID = "[0-9a-f-]{36}"
ACTION = f"action:{UID}"
CALLS = [
    Call('databases create --data {"name":"new","memory_size":1}', "POST /v1/bdbs", ACTION),
    Call('databases update 1 --data {"name":"new","memory_size":1}', "PUT /v1/bdbs/1", ACTION),
    Call("databases delete 1 --yes", "DELETE /v1/bdbs/1", f"{ACTION}@bdb:1"),
    Call("databases upgrade 1", "POST /v1/bdbs/1/upgrade", ACTION),
    Call("databases rebalance 1", "PUT /v1/bdbs/1/actions/rebalance", ACTION),
    Call(
        f"databases export 1 --location {json.dumps(FTP, separators=(',', ':'))}",
        "POST /v1/bdbs/1/actions/export",
        "export:1@.*",
    ),
    Call(
        f"databases import 1 --source {json.dumps(FTP, separators=(',', ':'))}",
        "POST /v1/bdbs/1/actions/import",
        "import:1@.*",
    ),
    Call(
        "nodes maintenance-on 1",
        "POST /v1/nodes/1/actions/maintenance_on",
        f"node:1/maintenance_on@{UID}",
    ),
    Call(
        "nodes maintenance-off 1",
        "POST /v1/nodes/1/actions/maintenance_off",
        f"node:1/maintenance_off@{UID}",
    ),
    Call("nodes remove 3 --yes", "POST /v1/nodes/3/actions/remove", f"node:3/remove@{UID}"),
    Call(
        "cluster change-primary 2",
        "POST /v1/cluster/actions/change_master",
        "cluster:change_master@.*",
    ),
    Call("shards migrate 1 2 --target-node 2", "POST /v1/shards/actions/migrate", ACTION),
    Call("shards fail-over 1", "POST /v1/shards/actions/failover", ACTION),
    Call(
        'crdbs create --data {"name":"new","memory_size":1} --task-id t1',
        "POST /v1/crdbs",
        "crdb:t1",
    ),
    Call('crdbs update g1 --data {"name":"x"}', "PATCH /v1/crdbs/g1", f"crdb:{UID}"),
    Call("crdbs flush g1 --yes --result-ttl 60", "PUT /v1/crdbs/g1/flush", f"crdb:{UID}"),
    Call("crdbs delete g1 --yes", "DELETE /v1/crdbs/g1", f"crdb:{UID}"),
]
# Calls with tests of their own: `test_bootstrap`, `test_uploads`.
OTHERS = {*(f"cluster {word}" for word in ("create", "join", "recover", "upload-module"))}
DRY_RUNS = [
    ('databases create --data {"name":"new","memory_size":1}', "POST /v1/bdbs"),
    ('databases update 1 --data {"name":"new","memory_size":1}', "PUT /v1/bdbs/1"),
    ("databases rebalance 1", "PUT /v1/bdbs/1/actions/rebalance"),
    ("shards migrate 1 --target-node 2", "POST /v1/shards/actions/migrate"),
    ("shards fail-over 1", "POST /v1/shards/actions/failover"),
]


@pytest.fixture
def threaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedCluster]:
    """Return a fake cluster of three nodes in a thread, with its settings in the environment."""
    threaded = ThreadedCluster(nodes=3, handle_redirects=True)
    threaded.start()
    monkeypatch.setenv("REDIS_ENTERPRISE_URL", threaded.cluster.url)
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", threaded.cluster.username)
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", threaded.cluster.password)
    yield threaded
    threaded.stop()


def prepare(cluster: FakeCluster) -> None:
    """Add a database and an Active-Active one, and let all work end at once."""
    cluster.add_bdb(1)
    cluster.add_crdb("g1")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        cluster.plan(method, "/", Plan(duration=0), times=None)


def changes(threaded: ThreadedCluster) -> list[str]:
    """Return the requests other than GET, but for resets of the last export or import."""
    seen = [f"{each.method} {each.path}" for each in threaded.cluster.requests]
    return [each for each in seen if not each.startswith("GET") and "reset_status" not in each]


def test_table() -> None:
    """Every method that starts work is in the table."""
    methods = {
        f"{resource} {call.name}"
        for resource, kind in RESOURCES.items()
        for call in named_calls(kind)
    }

    assert {" ".join(call.line.split()[:2]) for call in CALLS} == methods - OTHERS


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(call.line.split()[:2]))
class TestCalls:
    """Each named call, on a cluster."""

    def test_waits(
        self, threaded: ThreadedCluster, lines: Callable[[], list[str]], call: Call
    ) -> None:
        """A call makes one request, and waits for the end of the work that it starts."""
        threaded.do(prepare)

        assert main([*call.line.split(), "--json"]) == 0
        events = [json.loads(line) for line in lines()]
        assert changes(threaded) == [call.request]
        assert re.fullmatch(call.ref, events[0]["ref"])
        assert (events[-2]["event"], events[-2]["outcome"]) == ("end", "completed")

    def test_no_wait(
        self, threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], call: Call
    ) -> None:
        """With `--no-wait` the reference is the whole output."""
        threaded.do(prepare)

        assert main([*call.line.split(), "--no-wait"]) == 0
        out, err = capsys.readouterr()
        assert re.fullmatch(f"{call.ref}\n", out)
        assert err == ""

    def test_help(self, capsys: pytest.CaptureFixture[str], call: Call) -> None:
        """The help fits on a screen, and its examples can be parsed."""
        words = call.line.split()[:2]
        with pytest.raises(SystemExit) as ended:
            parse_arguments([*words, "--help"])
        text = capsys.readouterr().out

        assert ended.value.code == 0
        assert text.count("\n") <= 45
        examples = re.findall(
            rf"(?:^  |\$\()redis-actions ({' '.join(words)}[^)\n]*)", text, re.MULTILINE
        )
        assert len(examples) >= 2
        for example in examples:
            assert parse_arguments(shlex.split(example)).run == " ".join(words)


@pytest.mark.parametrize("line", ["databases", "nodes", "cluster", "shards", "crdbs"])
def test_group_help(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """The help of a resource lists its calls, each with one line about it."""
    with pytest.raises(SystemExit):
        parse_arguments([line, "--help"])
    text = capsys.readouterr().out

    for call in named_calls(RESOURCES[line]):
        summary = f"{call.summary[0].lower()}{call.summary[1:]}"
        assert re.search(rf"^  {call.name} +{re.escape(summary[:20])}", text, re.MULTILINE)


@pytest.mark.parametrize(("line", "request_line"), DRY_RUNS)
def test_dry_run(
    threaded: ThreadedCluster,
    capsys: pytest.CaptureFixture[str],
    line: str,
    request_line: str,
) -> None:
    """A dry run prints what the cluster answers, and starts nothing."""
    threaded.do(prepare)

    assert main([*line.split(), "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert [each.partition("?")[0] for each in changes(threaded)] == [request_line]
    assert out == "" or isinstance(json.loads(out), (dict, list))
    assert err == "the cluster accepts the call; this was a dry run, and nothing was started\n"
    assert threaded.do(lambda cluster: list(cluster.actions)) == []


def test_dry_runs() -> None:
    """Each call with a dry run is in the table; that of an Active-Active database is a task."""
    having = {
        f"{resource} {call.name}"
        for resource, kind in RESOURCES.items()
        for call in named_calls(kind)
        if any(argument.name == "dry_run" for argument in call.arguments)
    }

    assert {" ".join(line.split()[:2]) for line, _ in DRY_RUNS} == having - {"crdbs create"}


def test_dry_run_of_crdb(threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
    """The dry run of an Active-Active database is a task, whose end is the verdict."""
    threaded.do(prepare)

    assert main(["crdbs", "create", "--data", '{"name": "x"}', "--dry-run", "--json"]) == 0
    assert json.loads(lines()[-2])["outcome"] == "completed"
    assert threaded.do(lambda cluster: len(cluster._crdbs.guids())) == 1


def test_dry_run_that_starts(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """A cluster that starts work in spite of a dry run is reported, with the reference."""
    body = '{"uid": 1, "action_uid": "a1"}'
    threaded.cluster.inject(path="/v1/bdbs/1", method="PUT", status=200, body=body)

    assert main(["databases", "update", "1", "--data", "{}", "--dry-run"]) == 1
    out, err = capsys.readouterr()
    assert out == "action:a1\n"
    assert "this was no dry run" in err


def test_dry_run_shows_no_secret(
    threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a dry run prints holds no password of the database."""
    threaded.do(prepare)
    body = json.dumps({"name": "new", "memory_size": 1, "authentication_redis_pass": SECRET})

    assert main(["databases", "create", "--data", body, "--dry-run"]) == 0
    assert secrets_in(capsys.readouterr().out) == []


def test_data_from_file(tmp_path: Path) -> None:
    """JSON may come from files, and several objects from one list."""
    (tmp_path / "two.json").write_text(json.dumps([FTP, {**FTP, "url": "ftp://there/second"}]))
    (tmp_path / "one.json").write_text(json.dumps({**FTP, "url": "ftp://there/third"}))
    files = ["--source", f"@{tmp_path / 'two.json'}", "--source", f"@{tmp_path / 'one.json'}"]
    args = parse_arguments(["databases", "import", "1", *files])

    sources = cast("list[dict[str, str]]", _values(args, args.call)["sources"])
    assert [each["url"].rpartition("/")[2] for each in sources] == ["file", "second", "third"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["databases", "update", "1", "--data", SECRET], "--data is not JSON"),
        (["databases", "update", "1", "--data", "5"], "--data is not a JSON object"),
        (["databases", "update", "1", "--data", "@nowhere.json"], "--data @nowhere.json cannot"),
        (["databases", "export", "1", "--location", "[]"], "--location is not a JSON object"),
        (["databases", "import", "1", "--source", "[5]"], "--source is not a JSON object"),
        (["crdbs", "update", "a/b", "--data", "{}"], "'a/b' is not the GUID"),
        (["crdbs", "create", "--data", "{}", "--result-ttl", "0"], "result_ttl=0 is not a number"),
        (["databases", "create", "--data", "{}", "--param", "a=b", "--header", "host=x"], "host"),
    ],
)
def test_wrong_usage(
    threaded: ThreadedCluster,
    capsys: pytest.CaptureFixture[str],
    line: list[str],
    expected: str,
) -> None:
    """What cannot be sent is exit code 2, with one line that shows no secret."""
    assert main(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("redis-actions: ")
    assert expected in err
    assert err.count("\n") == 1
    assert secrets_in(err) == []
    assert threaded.cluster.requests == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("databases upgrad 1", "unknown command upgrad; did you mean upgrade?"),
        ("databases upgrade", "missing BDB"),
        ("databases upgrade one", "BDB: 'one' is neither the uid of a database nor name:NAME"),
        ("databases update 1", "missing --data"),
        ("databases upgrade 1 --timout 5", "unknown option --timout; did you mean --timeout?"),
        ("databases upgrade 1 --yes", "unknown option --yes"),
        ("shards migrate 1 2", "missing --target-node"),
    ],
)
def test_usage_error(capsys: pytest.CaptureFixture[str], line: str, expected: str) -> None:
    """Errors of usage name what is wrong, and what may have been meant."""
    with pytest.raises(SystemExit) as ended:
        parse_arguments(line.split())
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("databases upgrade 9", "the cluster answered 404"),
        ("nodes maintenance-on 9", "the cluster answered 404"),
        ("crdbs delete g9 --yes", "the cluster answered 404"),
    ],
)
def test_unknown_uid(
    threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], line: str, status: str
) -> None:
    """A call on an object that the cluster does not have is refused, with exit code 5."""
    assert main([*line.split(), "--no-wait"]) == 5
    assert status in capsys.readouterr().err


def test_failure(threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
    """The exit code and the options are those of a wait."""
    threaded.do(lambda cluster: cluster.add_bdb(1) and None)
    threaded.do(
        lambda cluster: cluster.plan("POST", "/", Plan(duration=0, outcome="failed", error="full"))
    )

    assert main(["databases", "upgrade", "1", "--timeout", "1m"]) == 1
    assert "full" in lines()[-1]


def parser_of(name: str) -> CommandParser:
    """Return the parser of a call of `Things`."""
    (call,) = [each for each in named_calls(Things) if each.name == name]
    parser = CommandParser(prog="redis-actions things")
    _add_call("things", call, parser)
    return parser


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("1 g", {}),
        ("1 g --pause 1m30s", {"pause": 90}),
        ("1 g --no-keep-data", {"keep_data": False}),
        ("1 g --keep-data --force", {"force": True}),
        ("1 g --role read-only", {"role": "read-only"}),
        ("1 g --tags a --tags b", {"tags": ["a", "b"]}),
        ('1 g --data {"a":1}', {"settings": {"a": 1}}),
    ],
)
def test_types(line: str, given: dict[str, object]) -> None:
    """Each type of argument has its option, and what is not given keeps its default."""
    args = parser_of("turn-on").parse_args(line.split())
    assert isinstance(args, argparse.Namespace)

    defaults = {"thing_uid": 1, "guid": "g", "keep_data": True, "force": False}
    assert _values(args, args.call) == {**defaults, **given}


def test_choice(capsys: pytest.CaptureFixture[str]) -> None:
    """A value that is none of the choices is refused."""
    with pytest.raises(SystemExit):
        parser_of("turn-on").parse_args(["1", "g", "--role", "secondary"])
    assert "primary, read-only" in capsys.readouterr().err
