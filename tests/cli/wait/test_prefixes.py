"""Tests of `_cli.wait.prefixes`, by the commands that take prefixes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import Action, Kind, Phase
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._cli.wait.prefixes import _resolve, is_prefix
from redis_enterprise_actions._model.reference import parse_reference
from redis_enterprise_actions.testing import Plan
from tests.cli.wait import run_command


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster
    from tests.threaded_cluster import ThreadedCluster

UID = "6c93e2a5-3f7e-4f2e-9a5b-0b0f5a0f5a0f"
OTHER = "6c93e2a5-3f7e-4f2e-9a5b-1b0f5a0f5a0f"
TASK = "7d93e2a5-3f7e-4f2e-9a5b-0b0f5a0f5a0f"
RUN = "8e93e2a5-3f7e-4f2e-9a5b-0b0f5a0f5a0f"


def prepare(cluster: FakeCluster) -> None:
    """Start work of two kinds."""
    cluster.add_action(plan=Plan(outcome="never"), uid=UID)
    cluster.start_crdb_task(plan=Plan(outcome="never"), id=TASK)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6c93e2a5", True),
        ("6C93E2A5-3", True),
        (UID[:-1], True),
        (f"crdb:{UID[:9]}", True),
        (f"action:{UID[:12]}", True),
        (UID, False),
        ("6c93e2a", False),
        ("6c93e2a5f", False),
        ("6c93e2ag", False),
        (f"action:{UID[:8]}@bdb:1", True),
        ("bdb:12345678", False),
        ("export:12345678", False),
        ("an-action", False),
    ],
)
def test_is_prefix(text: str, expected: bool) -> None:
    """The first eight or more characters of a UUID are a prefix, but not the whole."""
    assert is_prefix(parse_reference(text)) is expected


@pytest.mark.parametrize(
    ("prefix", "ref", "shown"),
    [
        (UID[:8], f"action:{UID}", "SMUpdateBDB"),
        (UID[:20].upper(), f"action:{UID}", "SMUpdateBDB"),
        (TASK[:8], f"crdb:{TASK}", "update_crdb"),
        (f"crdb:{TASK[:8]}", f"crdb:{TASK}", "update_crdb"),
    ],
)
def test_get(
    threaded: ThreadedCluster,
    capsys: pytest.CaptureFixture[str],
    prefix: str,
    ref: str,
    shown: str,
) -> None:
    """`get` takes a prefix, and tells the whole reference on standard error."""
    threaded.do(prepare)

    assert main(["get", prefix]) == 0
    out, err = capsys.readouterr()
    assert err == f"{prefix.rpartition(':')[2]} is {ref}\n"
    assert out.startswith(shown)


def test_cancel(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """`cancel` takes a prefix of a task's id."""
    threaded.do(prepare)

    assert main(["cancel", TASK[:8]]) == 0
    assert capsys.readouterr().err == f"{TASK[:8]} is crdb:{TASK}\n"
    changed = [each.path for each in threaded.cluster.requests if each.method != "GET"]
    assert changed == [f"/v1/crdb_tasks/{TASK}/actions/cancel"]


def test_run() -> None:
    """Where the list tells the task of a node's action, a prefix of that names the run."""
    action = Action(
        uid="node:1/remove",
        name="remove",
        kind=Kind.NODE_ACTION,
        status="running",
        phase=Phase.RUNNING,
        task_id=RUN,
    )

    found = _resolve(parse_reference(RUN[:8]), [action], str, is_complete=True)
    assert str(found) == f"node:1/remove@{RUN}"


def test_wait(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """`wait` takes prefixes among whole references."""
    threaded.do(prepare)

    assert main(["wait", "crdb:x", TASK[:8], "--timeout", "0", "--not-found-grace", "0"]) == 4
    out, err = capsys.readouterr()
    assert f"{TASK[:8]} is crdb:{TASK}" in err
    assert f"crdb:{TASK}" in out  # which the summary says how to resume


def test_wait_outage(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """A list that cannot be read is an end of the wait like any other."""
    threaded.cluster.inject(times=None, status=401)

    assert main(["wait", UID[:8]]) == 5
    assert "401" in "".join(capsys.readouterr())


@pytest.mark.parametrize("wanted", [UID[:8], "--status=running"])
async def test_wait_for_list(cluster_in_environment: FakeCluster, wanted: str) -> None:
    """`--timeout` limits the wait for the list, too, with two seconds for a last answer."""
    cluster_in_environment.inject(times=None, hang=True)
    began = asyncio.get_running_loop().time()

    assert await run_command("wait", wanted, "--timeout", "5") == 3
    assert asyncio.get_running_loop().time() - began == pytest.approx(7, abs=0.1)


def test_missing_list(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """A prefix that matches nothing is not called unknown if a list could not be read."""
    threaded.do(prepare)
    threaded.cluster.inject(path="/v1/actions", times=None, status=403)
    threaded.cluster.inject(path="/v2/actions", times=None, status=403)

    assert main(["get", UID[:8]]) == 2
    assert "not all lists could be read" in capsys.readouterr().err
    assert main(["get", TASK[:8]]) == 0


@pytest.mark.parametrize("command", ["get", "wait", "cancel"])
@pytest.mark.parametrize("prefix", ["00000000", f"crdb:{UID[:8]}"])
def test_unknown(
    threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], command: str, prefix: str
) -> None:
    """A prefix that matches nothing, of that kind, is exit code 4."""
    threaded.do(prepare)
    uid = prefix.rpartition(":")[2]

    assert main([command, prefix]) == 4
    message = f"redis-actions: no action or task of the cluster has a uid that begins with {uid}\n"
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize("command", ["get", "wait", "cancel"])
def test_ambiguous(
    threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """A prefix of several uids is exit code 2, and the error names them."""
    threaded.do(prepare)
    threaded.add(uid=OTHER)

    assert main([command, UID[:8]]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"redis-actions: {UID[:8]} is the beginning of 2 uids: action:6c93")
    assert UID in err
    assert OTHER in err


def test_many(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """The error for many matches names five of them."""
    for number in range(7):
        threaded.add(uid=f"{UID[:-1]}{number}")

    assert main(["get", UID[:8]]) == 2
    assert " and 2 more\n" in capsys.readouterr().err


def test_exact(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """A uid that is a prefix of another names its own action."""
    threaded.do(prepare)
    threaded.add("SMCreateBDB", uid=UID[:8])

    assert main(["get", UID[:8]]) == 0
    assert capsys.readouterr().out.startswith("SMCreateBDB")
