"""Tests of names of databases on the command line, by the commands that take them."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.listing.command import watch_actions
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions.testing import Plan
from tests.cli.wait import run_command


if TYPE_CHECKING:
    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster
    from tests.threaded_cluster import ThreadedCluster

NONE = "redis-actions: no database of the cluster has the name 'x'\n"
TWO = "redis-actions: 2 databases have the name 'twin': give the uid of one, 3, 4\n"


def prepare(cluster: FakeCluster) -> None:
    """Add databases, two of them with the same name, and let all work end at once."""
    for uid, name in enumerate(("orders", "cache", "twin", "twin"), 1):
        cluster.add_bdb(uid, name=name)
    for method in ("POST", "PUT", "DELETE"):
        cluster.plan(method, "/", Plan(duration=0), times=None)
    cluster.add_action("SMUpdateBDB", Plan(duration=0), bdb_uid=1, uid="a1")
    cluster.add_action("SMUpgradeBDB", Plan(duration=0), bdb_uid=2, uid="a2")


@pytest.fixture
def prepared(threaded: ThreadedCluster) -> ThreadedCluster:
    """Return the cluster with its databases."""
    threaded.do(prepare)
    return threaded


def lines(threaded: ThreadedCluster) -> list[str]:
    """Return the requests so far."""
    return [f"{each.method} {each.path}" for each in threaded.cluster.requests]


def test_get(prepared: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """`get` shows the idle database with the name, and tells its uid on standard error."""
    assert main(["get", "bdb:name:cache"]) == 0
    out, err = capsys.readouterr()
    assert err == "bdb:name:cache is bdb:2\n"
    assert out == "database 2: active [bdb:2]\n"


def test_wait(prepared: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """`wait` takes names among uids, asks for them once, and prints references with uids."""
    refs = ["bdb:name:cache", "a1", "bdb:name:orders", "bdb:name:cache"]
    assert main(["wait", *refs, "--output", "json", "--not-found-grace", "0.1"]) == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]

    assert events[0]["refs"] == ["bdb:2", "action:a1", "bdb:1"]
    assert "name:" not in out
    assert err.splitlines()[:2] == ["bdb:name:cache is bdb:2", "bdb:name:orders is bdb:1"]
    assert lines(prepared).count("GET /v1/bdbs?fields=uid,name") == 1


def test_wait_stdin(
    prepared: ThreadedCluster,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Standard input may have names, too."""
    data = b'{"ref": "bdb:name:cache"}\nbdb:name:orders\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    assert main(["wait", "-", "--not-found-grace", "0.1"]) == 0
    assert "bdb:name:orders is bdb:1" in capsys.readouterr().err


def test_cancel(prepared: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """`cancel` says of which database the work cannot be cancelled."""
    assert main(["cancel", "bdb:name:cache"]) == 2
    assert "bdb:2 cannot be cancelled" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "get bdb:name:{}",
        "cancel bdb:name:{}",
        "wait a1 bdb:name:{}",
        "wait --bdb name:{}",
        "list --bdb name:{}",
        "watch --bdb name:{}",
        "watch --once --bdb name:{}",
        "databases upgrade name:{}",
        "databases delete --yes name:{}",
    ],
)
@pytest.mark.parametrize(
    ("name", "code", "message"), [("x", 4, NONE), ("twin", 2, TWO)], ids=["none", "two"]
)
def test_wrong_name(
    prepared: ThreadedCluster,
    capsys: pytest.CaptureFixture[str],
    line: str,
    name: str,
    code: int,
    message: str,
) -> None:
    """A name that no database has, or several, ends a command before it does anything."""
    assert main(line.format(name).split()) == code
    out, err = capsys.readouterr()
    assert err.endswith(message)
    assert out == ""
    assert lines(prepared) == ["GET /v1/bdbs?fields=uid,name"]


@pytest.mark.parametrize("line", ["list --bdb name:cache", "watch --once --bdb name:cache"])
def test_list(prepared: ThreadedCluster, capsys: pytest.CaptureFixture[str], line: str) -> None:
    """The filter takes the name of a database; `--name` stays the pattern for actions."""
    assert main(line.split()) == 0
    assert [each.split("\t")[0] for each in capsys.readouterr().out.splitlines()] == ["a2"]
    assert main([*line.split(), "--name", "SMUpdate*"]) == 0
    assert capsys.readouterr().out == ""


def test_wait_filter(prepared: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """`wait` waits for the actions on the database with the name."""
    assert main(["wait", "--bdb", "name:cache", "--status", "completed", "--output", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert events[0]["refs"] == ["action:a2"]


async def test_watch(
    cluster: FakeCluster, client: ActionsClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """`watch` asks for the uid once."""
    prepare(cluster)
    watching = asyncio.create_task(
        watch_actions(parse_arguments(["watch", "--bdb", "name:cache"]), client)
    )
    await asyncio.sleep(20)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching

    assert "SMUpgradeBDB" in (out := capsys.readouterr().out)
    assert "SMUpdateBDB" not in out
    asked = [each.path for each in cluster.requests]
    assert asked.count("/v1/bdbs?fields=uid,name") == 1
    assert asked.count("/v1/actions/bdb/2") > 1


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("upgrade name:cache", "POST /v1/bdbs/2/upgrade"),
        ('update name:cache --data {"name":"x"}', "PUT /v1/bdbs/2"),
        ("delete name:cache --yes", "DELETE /v1/bdbs/2"),
        ("upgrade 2", "POST /v1/bdbs/2/upgrade"),
    ],
)
def test_call(prepared: ThreadedCluster, line: str, call: str) -> None:
    """A named call goes to the database with the name."""
    assert main(["databases", *line.split()]) == 0
    assert [each for each in lines(prepared) if not each.startswith("GET")] == [call]


@pytest.mark.parametrize("uid", ["cache", "name:", "name: ", "1.5", ""])
@pytest.mark.parametrize("line", ["databases upgrade", "list --bdb"])
def test_bad_uid(
    prepared: ThreadedCluster, capsys: pytest.CaptureFixture[str], line: str, uid: str
) -> None:
    """A text that is neither a uid nor a name is wrong usage, and nothing is sent."""
    with pytest.raises(SystemExit, match="2"):
        main([*line.split(), uid])
    assert f"{uid!r} is neither the uid of a database nor name:NAME" in capsys.readouterr().err
    assert lines(prepared) == []


def test_no_terminal(prepared: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal and `--yes`, a deletion sends nothing, not even for the name."""
    assert main(["databases", "delete", "name:cache"]) == 2
    assert "this call deletes database name:cache, and was not sent" in capsys.readouterr().err
    assert lines(prepared) == []


async def test_wait_timeout(cluster_in_environment: FakeCluster) -> None:
    """`--timeout` limits the request for the names, too."""
    cluster_in_environment.inject(times=None, hang=True)
    began = asyncio.get_running_loop().time()

    assert await run_command("wait", "bdb:name:cache", "--timeout", "5") == 3
    assert asyncio.get_running_loop().time() - began == pytest.approx(7)


def test_outage(prepared: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """A list that cannot be read is an end of the wait like any other."""
    prepared.cluster.inject(times=None, status=401)

    assert main(["wait", "bdb:name:cache"]) == 5
    assert "401" in "".join(capsys.readouterr())
