"""Tests of databases that are given by name, wherever a uid is taken."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions import (
    ActionNotFound,
    ActionsClient,
    CancelNotSupported,
    ClusterUnreachable,
    DatabaseNotFound,
    Phase,
    Recorder,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.core

NAMES = "GET /v1/bdbs?fields=uid,name"
URL = {"type": "url", "url": "ftp://nowhere"}

CALLS: dict[str, Callable[[ActionsClient, str], Any]] = {
    "update": lambda c, uid: c.databases.update(uid, {"name": "x"}),
    "delete": lambda c, uid: c.databases.delete(uid),
    "upgrade": lambda c, uid: c.databases.upgrade(uid),
    "rebalance": lambda c, uid: c.databases.rebalance(uid),
    "export": lambda c, uid: c.databases.export(uid, URL),
    "import": lambda c, uid: c.databases.import_(uid, [URL]),
}
LOOKS: dict[str, Callable[[ActionsClient, str], Any]] = {
    "get": lambda c, uid: c.databases.get(uid),
    "name": lambda c, uid: c.databases.name(uid),
    "list": lambda c, uid: c.list_actions(bdb_uid=uid),
}
WAITS: dict[str, Callable[[ActionsClient, str], Any]] = {
    "wait": lambda c, uid: c.databases.wait(uid),
    "gone": lambda c, uid: c.databases.wait_gone(uid),
    "export": lambda c, uid: c.databases.wait_export(uid),
    "import": lambda c, uid: c.databases.wait_import(uid),
    "backup": lambda c, uid: c.databases.wait_backup(uid),
    "operation": lambda c, uid: c.operation(f"bdb:{uid}").wait(),
    "await": lambda c, uid: c.operation(f"bdb:{uid}"),
    "get": lambda c, uid: c.get(f"bdb:{uid}"),
    "watch": lambda c, uid: anext(c.operation(f"bdb:{uid}").watch()),
    "wait-for": lambda c, uid: c.wait_for(f"bdb:{uid}", "a1"),
    "result": lambda c, uid: c.operation(f"bdb:{uid}").result(),
}
ALL = [*CALLS.values(), *LOOKS.values(), *WAITS.values()]
IDS = [*CALLS, *LOOKS, *WAITS]


@pytest.fixture
def _databases(cluster: FakeCluster) -> None:
    cluster.add_bdb(1, name="orders")
    cluster.add_bdb(2, name="cache")


@pytest.fixture(autouse=True)
def _all_tests_have_databases(_databases: None) -> None:
    """Two databases are there in each test."""


def lines(cluster: FakeCluster) -> list[str]:
    """Return the requests so far."""
    return [f"{each.method} {each.path}" for each in cluster.requests]


@pytest.mark.parametrize("call", CALLS)
async def test_call(cluster: FakeCluster, client: ActionsClient, call: str) -> None:
    """A call goes to the database with the name, which is asked for once, before all else."""
    operation = await CALLS[call](client, "name:cache")
    sent = lines(cluster)
    await operation

    assert sent[0] == NAMES
    assert sent.count(NAMES) == 1
    assert any(line.startswith(("PUT /v1/bdbs/2", "POST /v1/bdbs/2", "DELETE /v1/bdbs/2"))
               for line in sent)  # fmt: skip
    assert "name" not in operation.ref


@pytest.mark.parametrize(("look", "found"), [("get", 2), ("name", "cache"), ("list", ["a2"])])
async def test_look(cluster: FakeCluster, client: ActionsClient, look: str, found: object) -> None:
    """A look-up is that of the database with the name."""
    cluster.add_action("SMUpdateBDB", bdb_uid=2, uid="a2")
    cluster.add_action("SMUpdateBDB", bdb_uid=1, uid="a1")
    answer = await LOOKS[look](client, "name:cache")

    shown = [each.uid for each in answer] if isinstance(answer, list) else answer
    assert getattr(shown, "uid", shown) == found


@pytest.mark.parametrize(
    ("wait", "ref"),
    [
        ("wait", "bdb:2"),
        ("wait_gone", "bdb:2@gone"),
        ("wait_export", "export:2"),
        ("wait_import", "import:2"),
        ("wait_backup", "backup:2"),
    ],
)
async def test_wait(cluster: FakeCluster, client: ActionsClient, wait: str, ref: str) -> None:
    """A wait is for the database with the name, and its record has the uid."""
    if ref.partition(":")[0] in {"export", "import", "backup"}:
        cluster.start_transfer(2, ref.partition(":")[0], Plan(duration=20))  # type: ignore[arg-type]
    else:
        name = "SMDeleteBDB" if "gone" in ref else "SMUpdateBDB"
        cluster.add_action(name, Plan(duration=20), bdb_uid=2)
    ended = await attrgetter(wait)(client.databases)("name:cache")

    assert ended.phase is Phase.COMPLETED
    assert ended.record.ref == ref
    assert ended.object_uid == "2"


@pytest.mark.parametrize("ref", ["bdb:name:cache", "bdb:name:cache@gone", "export:name:cache"])
async def test_reference(cluster: FakeCluster, client: ActionsClient, ref: str) -> None:
    """An operation sends nothing by itself; its `ref` has the name until the uid is known."""
    operation = client.operation(ref)
    assert cluster.requests == []
    assert (operation.ref, operation.done, operation.problem) == (ref, False, None)
    assert ref in repr(operation)

    with suppress(WaitTimeout, ActionNotFound):
        await operation.wait(timeout=5, not_found_grace=1)
    assert operation.ref == ref.replace("name:cache", "2")


async def test_resolved_once(cluster: FakeCluster, client: ActionsClient) -> None:
    """The uid is kept: the name may be another database's by the next wait."""
    operation = client.operation("bdb:name:cache")
    await operation.get()
    await client.databases.update(2, {"name": "old"})
    await client.databases.update(1, {"name": "cache"})
    await operation

    assert operation.ref == "bdb:2"
    assert lines(cluster).count(NAMES) == 1


async def test_watch(cluster: FakeCluster, client: ActionsClient) -> None:
    """Updates are those of the database with the name; the clock starts at the call."""
    cluster.add_action("SMUpdateBDB", Plan(duration=20), bdb_uid=2)
    updates = client.operation("bdb:name:cache").watch(timeout=60)
    await asyncio.sleep(10)
    seen = [action async for action in updates]

    assert [action.phase for action in seen] == [Phase.RUNNING, Phase.COMPLETED]
    assert seen[-1].record.elapsed >= 20  # type: ignore[attr-defined]


async def test_watch_left(cluster: FakeCluster, client: ActionsClient) -> None:
    """An iteration that is left early leaves nothing behind."""
    cluster.add_action("SMUpdateBDB", Plan(outcome="never"), bdb_uid=2)
    updates = client.operation("bdb:name:cache").watch()
    assert (await anext(updates)).phase is Phase.RUNNING
    await updates.aclose()


async def test_several(cluster: FakeCluster, client: ActionsClient) -> None:
    """Names and uids can be waited for together."""
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=20), bdb_uid=2)
    ended = await client.wait_for("bdb:name:cache", uid, "bdb:name:orders", "bdb:name:cache")

    assert [action.object_uid for action in ended] == ["2", "2", "1", "2"]


@pytest.mark.parametrize("use", ALL, ids=IDS)
async def test_unknown(
    cluster: FakeCluster, client: ActionsClient, use: Callable[[ActionsClient, str], Any]
) -> None:
    """A name that no database has is an error, and nothing but the list is asked for."""
    with pytest.raises(DatabaseNotFound, match="no database of the cluster has the name 'casche'"):
        await use(client, "name:casche")

    assert {line for line in lines(cluster) if "bdbs" in line} == {NAMES}


@pytest.mark.parametrize("use", ALL, ids=IDS)
async def test_ambiguous(
    cluster: FakeCluster, client: ActionsClient, use: Callable[[ActionsClient, str], Any]
) -> None:
    """A name that several databases have is refused with their uids, and nothing is done."""
    cluster.add_bdb(3, name="cache")
    with pytest.raises(UsageError, match=r"2 databases have the name 'cache': .* of one, 2, 3$"):
        await use(client, "name:cache")

    assert {line for line in lines(cluster) if "bdbs" in line} == {NAMES}


@pytest.mark.parametrize("use", [*CALLS.values(), *LOOKS.values()], ids=[*CALLS, *LOOKS])
@pytest.mark.parametrize("uid", ["cache", "2", "name:", ""])
async def test_no_name(
    cluster: FakeCluster, client: ActionsClient, use: Callable[[ActionsClient, str], Any], uid: str
) -> None:
    """Text that is no name is refused before any request."""
    with pytest.raises(UsageError, match="is not the uid of a database, such as 1, nor its name"):
        await use(client, uid)

    assert cluster.requests == []


@pytest.mark.parametrize("use", ALL, ids=IDS)
async def test_transient(
    cluster: FakeCluster, client: ActionsClient, use: Callable[[ActionsClient, str], Any]
) -> None:
    """The list is asked for again after an error that may pass, and for ten seconds at most."""
    cluster.inject(status=503, path="/v1/bdbs", exact=True, times=3)
    with pytest.raises(DatabaseNotFound):
        await use(client, "name:casche")

    cluster.inject(status=503, path="/v1/bdbs", exact=True, times=None)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ClusterUnreachable):
        await use(client, "name:cache")
    assert asyncio.get_running_loop().time() - began <= 11


@pytest.mark.parametrize("timeout", [0, 1, 5])
async def test_timeout(cluster: FakeCluster, client: ActionsClient, timeout: float) -> None:
    """The request for the names may be as late after the limit as the last poll of a wait."""
    cluster.inject(delay=60, path="/v1/bdbs", exact=True, times=None)
    operation = client.operation("bdb:name:cache")
    with pytest.raises(WaitTimeout) as raised:
        await operation.wait(timeout=timeout)

    assert raised.value.elapsed == pytest.approx(timeout + 2)
    assert raised.value.timeout == timeout
    assert (raised.value.ref, raised.value.action) == ("bdb:name:cache", None)
    assert operation.ref == "bdb:name:cache"
    cluster.heal()
    assert (await operation.wait(timeout=60)).phase is Phase.COMPLETED


async def test_timeout_covers_both(cluster: FakeCluster, client: ActionsClient) -> None:
    """The time of that request counts towards the limit of the wait, and is in its record."""
    cluster.add_action("SMUpdateBDB", Plan(outcome="never"), bdb_uid=2)
    cluster.inject(delay=20, path="/v1/bdbs", exact=True)
    recorder = Recorder()
    with pytest.raises(WaitTimeout) as raised:
        await client.operation("bdb:name:cache").wait(timeout=30, recorder=recorder)

    assert 30 <= raised.value.elapsed <= 32.1
    (record,) = recorder.records()
    assert record.elapsed == pytest.approx(raised.value.elapsed, abs=0.1)


@pytest.mark.enable_socket
async def test_slow_then_done() -> None:
    """A wait whose names came late, but within the limit, still polls at the limit."""
    async with FakeCluster() as cluster, client_of(cluster) as client:
        cluster.add_bdb(2, name="cache")
        cluster.inject(delay=6, path="/v1/bdbs", exact=True)

        with pytest.raises(WaitTimeout):
            await client.operation("bdb:name:cache").wait(timeout=5)


@pytest.mark.parametrize("use", ALL, ids=IDS)
async def test_cancelled(
    cluster: FakeCluster, client: ActionsClient, use: Callable[[ActionsClient, str], Any]
) -> None:
    """What is cancelled while it asks for the names has done nothing."""
    cluster.inject(delay=60, path="/v1/bdbs", exact=True, times=None)

    async def run() -> None:
        await use(client, "name:cache")

    task = asyncio.ensure_future(run())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {line for line in lines(cluster) if "bdbs" in line} <= {NAMES}


async def test_cancel(cluster: FakeCluster, client: ActionsClient) -> None:
    """Work on a database cannot be cancelled, and the name is not asked for."""
    with pytest.raises(CancelNotSupported, match="bdb:name:cache cannot be cancelled"):
        await client.operation("bdb:name:cache").cancel()

    assert cluster.requests == []


async def test_grace(cluster: FakeCluster, client: ActionsClient) -> None:
    """A transfer that is given by name has the grace of transfers."""
    began = asyncio.get_running_loop().time()
    with pytest.raises(ActionNotFound):
        await client.operation("export:name:cache")

    assert 60 <= asyncio.get_running_loop().time() - began < 63
