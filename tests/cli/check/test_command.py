"""Tests of `_cli.check`: the verdict, the findings and the exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.check.command import run_check as start_check
from redis_enterprise_actions._cli.execution import Execution
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.threaded_cluster import ThreadedCluster

    Lines = Callable[[], list[str]]

pytestmark = pytest.mark.enable_socket


async def run_check(*options: str) -> int:
    """Run the command on this loop and return its exit code."""
    work: Any = start_check(parse_arguments(["check", *options]), Execution())
    return int(await work)


async def test_go(cluster_in_environment: FakeCluster, lines: Lines) -> None:
    """A go is one line, and exit code 0."""
    assert await run_check() == 0

    assert lines() == ["go: the cluster is healthy"]
    assert cluster_in_environment.is_healthy()


async def test_no_go(cluster_in_environment: FakeCluster, lines: Lines) -> None:
    """A no go has a line for each finding, and exit code 7."""
    cluster = cluster_in_environment
    cluster.add_bdb(1)
    cluster.set_check(1, "##[error]\n::error::no pid file")
    cluster.set_available(1, available=False)

    assert await run_check() == 7

    assert lines() == [
        "no go: 2 findings",
        r"node 1: it fails its check: #\#[error] ::error::no pid file",
        "database 1: not available: bdb_endpoint_unavailable",
    ]


async def test_json(cluster_in_environment: FakeCluster, lines: Lines) -> None:
    """JSON is one object of version 1."""
    cluster_in_environment.set_node_status(1, "decommissioning")

    assert await run_check("--json") == 7

    (line,) = lines()
    assert json.loads(line) == {
        "v": 1,
        "healthy": False,
        "source": "v1",
        "findings": [{"kind": "node", "object": "node 1", "text": "decommissioning"}],
    }


async def test_json_of_a_go(cluster_in_environment: FakeCluster, lines: Lines) -> None:
    """A go has no findings."""
    assert await run_check("--json") == 0

    assert json.loads(lines()[0])["findings"] == []
    assert cluster_in_environment.requests


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 7),
        (["--ignore-maintenance", "2"], 7),
        (["--ignore-maintenance", "2", "1"], 0),
        (["--ignore-maintenance", "2", "--ignore-maintenance", "1"], 0),
    ],
)
async def test_ignored(cluster_in_environment: FakeCluster, options: list[str], code: int) -> None:
    """Several nodes may be in maintenance, if they are named."""
    cluster_in_environment.start_node_action(1, "maintenance_on", Plan(duration=1000))

    assert await run_check(*options) == code


def test_errors(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """A list that the user may not see is an error like others, and no go is said."""
    threaded.do(lambda cluster: cluster.inject(path="/v1/shards", status=403, times=None))

    assert main(["check"]) == 5

    out, err = capsys.readouterr()
    assert out == ""
    assert "/v1/shards" in err


@pytest.mark.parametrize("node", ["-1", "x", "0"])
def test_wrong_usage(
    threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], node: str
) -> None:
    """Nodes are uids."""
    try:
        code: object = main(["check", f"--ignore-maintenance={node}"])
    except SystemExit as exit_:
        code = exit_.code

    assert code == 2
    assert capsys.readouterr().out == ""
    assert threaded.cluster.requests == []


@pytest.mark.parametrize("options", [[], ["--no-wait"]])
def test_maintenance_with_check(
    threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """`nodes maintenance-on --check` makes no call for a cluster that is not healthy."""
    threaded.do(lambda cluster: cluster.set_check(1, "no pid file"))

    assert main(["nodes", "maintenance-on", "1", "--check", *options]) == 7

    out, err = capsys.readouterr()
    message = "node 1 was not put into maintenance: node 1: it fails its check: no pid file"
    assert message in (err if options else out)
    assert {each.method for each in threaded.cluster.requests} == {"GET"}


def test_refused_maintenance_as_json(
    threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for any call that fails, the last events are an end and a summary."""
    threaded.do(lambda cluster: cluster.set_check(1, "no pid file"))

    assert main(["nodes", "maintenance-on", "1", "--check", "--json"]) == 7

    end, done = (json.loads(line) for line in capsys.readouterr().out.splitlines()[-2:])
    assert (end["event"], end["outcome"], end["exit_code"]) == ("end", "not healthy", 7)
    assert "node 1: it fails its check: no pid file" in end["message"]
    assert (done["event"], done["exit_code"], done["ended"]) == ("done", 7, {"not healthy": 1})


def test_maintenance_of_a_healthy_cluster(threaded: ThreadedCluster) -> None:
    """`nodes maintenance-on --check` makes the call for one that is."""
    assert main(["nodes", "maintenance-on", "1", "--check", "--no-wait"]) == 0

    assert "POST" in {each.method for each in threaded.cluster.requests}
