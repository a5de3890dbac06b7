"""Tests of `testing.state.replica_sources`, over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.http_client import HttpClient

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

URI = "redis://10.1.0.1:12000"
NEW = {"name": "copy", "memory_size": 1024**3, "replica_sources": [{"uri": URI}]}


async def course(call: HttpClient, *, seconds: int) -> str:
    """Return the status of the first source at each second: "o", "s" or "i", as in the list."""
    seen = []
    for _ in range(seconds):
        shown = await call.bdb()
        (listed,) = await call.ok("GET", "/v1/bdbs")
        assert listed["replica_sources"] == shown["replica_sources"]
        seen.append(shown["replica_sources"][0]["status"][0])
        if seen[-1] == "s":
            assert shown["replica_sources"][0]["status"] == "syncing"
        await asyncio.sleep(1)
    return "".join(seen)


async def sources(call: HttpClient) -> list[Any]:
    """Return the sources of database 1."""
    found = (await call.bdb())["replica_sources"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(("delay", "seen"), [(0, "ooooiiiiii"), (4, "oooooossii")])
async def test_creation(cluster: FakeCluster, call: HttpClient, delay: float, seen: str) -> None:
    """The sources are in sync after the creation and the delay, of which half is for syncing."""
    cluster.sync_delay = delay
    cluster.plan("POST", "/v1/bdbs", Plan(duration=4))
    await call.ok("POST", "/v1/bdbs", NEW)

    assert await course(call, seconds=10) == seen


async def test_fields(cluster: FakeCluster, call: HttpClient) -> None:
    """A source has what it was made with, a uid and a status; the database is enabled for it."""
    await call.ok("POST", "/v1/bdbs", NEW)
    shown = await call.bdb()

    assert shown["replica_sources"] == [{"uid": 1, "uri": URI, "status": "out-of-sync"}]
    assert shown["replica_sync"] == "enabled"


async def test_paused(cluster: FakeCluster, call: HttpClient) -> None:
    """What a request has set of `replica_sync` stays."""
    await call.ok("POST", "/v1/bdbs", NEW | {"replica_sync": "paused"})

    assert (await call.bdb())["replica_sync"] == "paused"


async def test_update(cluster: FakeCluster, call: HttpClient) -> None:
    """New sources are there when the change is done, and in sync later; others need no sync."""
    cluster.sync_delay = 4
    cluster.add_bdb()
    cluster.plan("PUT", "/v1/bdbs", Plan(duration=2), times=None)
    await call.ok("PUT", "/v1/bdbs/1", {"replica_sources": [{"uri": URI}]})
    await call.bdb()
    assert await sources(call) == []
    await asyncio.sleep(2)

    assert await course(call, seconds=6) == "oossii"
    await call.ok("PUT", "/v1/bdbs/1", {"memory_size": 2 * 1024**3})
    assert await course(call, seconds=4) == "iiii"


async def test_failed_update(cluster: FakeCluster, call: HttpClient) -> None:
    """A change that fails leaves the sources as they are."""
    cluster.sync_delay = 4
    cluster.plan("POST", "/v1/bdbs", Plan(duration=0))
    cluster.plan("PUT", "/v1/bdbs", Plan(duration=1, outcome="failed"))
    await call.ok("POST", "/v1/bdbs", NEW)
    await asyncio.sleep(4)
    await call.ok("PUT", "/v1/bdbs/1", {"replica_sources": []})

    assert await course(call, seconds=3) == "iii"


async def test_same_sources(cluster: FakeCluster, call: HttpClient) -> None:
    """A request that sets the same sources again starts nothing."""
    cluster.plan("POST", "/v1/bdbs", Plan(duration=0))
    await call.ok("POST", "/v1/bdbs", NEW)
    answer = await call.ok("PUT", "/v1/bdbs/1", {"replica_sources": NEW["replica_sources"]})

    assert answer["status"] == "active"
    assert answer["replica_sources"][0]["status"] == "in-sync"


async def test_set(cluster: FakeCluster, call: HttpClient) -> None:
    """A status that was set stays until it is taken back; a missing source is added."""
    cluster.add_bdb()
    before = await call.ok("GET", "/v1/bdbs")
    cluster.set_replica_source(1, 1, "syncing")

    assert before[0]["replica_sources"] == []
    assert [(each["uid"], each["status"]) for each in await sources(call)] == [
        (1, "in-sync"),
        (2, "syncing"),
    ]
    assert await course(call, seconds=1) == "i"
    cluster.set_replica_source(1, 1, "out-of-sync")
    assert (await sources(call))[1]["status"] == "out-of-sync"
    cluster.set_replica_source(1, 1, None)
    cluster.set_replica_source(1, 1, None)
    assert await sources(call) == []


async def test_set_late(cluster: FakeCluster, call: HttpClient) -> None:
    """A late cluster shows a status that was set at once."""
    cluster.add_action(bdb_uid=1)
    cluster.lateness = 5
    cluster.set_replica_source(1, 0, "syncing")

    assert (await sources(call))[0]["status"] == "syncing"


@pytest.mark.parametrize("value", ["none", ["redis://a"], [{"uri": URI}, 5]])
async def test_odd(cluster: FakeCluster, call: HttpClient, value: object) -> None:
    """What is no object is no source."""
    await call.ok("POST", "/v1/bdbs", NEW | {"replica_sources": value})

    assert [each["uri"] for each in await sources(call)] == ([URI] if URI in str(value) else [])


@pytest.mark.parametrize(
    "make",
    [
        lambda cluster: FakeCluster(sync_delay=-1),
        lambda cluster: cluster.set_replica_source(2, 0, "syncing"),
        lambda cluster: cluster.set_replica_source(1, -1, "syncing"),
        lambda cluster: cluster.set_replica_source(1, 0, "in sync"),
    ],
)
async def test_wrong(cluster: FakeCluster, make: Callable[[FakeCluster], object]) -> None:
    """Missing databases, wrong statuses and negative delays are refused."""
    cluster.add_bdb()
    with pytest.raises(ValueError, match=r"sync|no source"):
        make(cluster)
    assert cluster.sync_delay == 0
