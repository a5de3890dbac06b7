"""Tests of `_client.sources.availability`."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
from aioresponses import aioresponses

from redis_enterprise_actions import (
    Action,
    ActionNotFound,
    ActionsClient,
    ActionVanished,
    AuthenticationError,
    ClusterUnreachable,
    Evidence,
    Kind,
    Phase,
    RequestRejected,
    UnreadableReply,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.sources.availability import AvailabilityApi, AvailabilityLook
from redis_enterprise_actions._model.reference import parse_reference
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of

from .conftest import wanted_of


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import Version

pytestmark = [pytest.mark.enable_socket, pytest.mark.core]

CHECK = "GET /v1/bdbs/1/availability"
DB_NOT_FOUND = json.dumps({"error_code": "db_not_found"}).encode()
NODES = "GET /v1/nodes"
NO_QUORUM = json.dumps({"error_code": "no_quorum"}).encode()
NO_RELEASES = json.dumps([{"uid": 1, "software_version": "x"}, {"uid": 2}]).encode()
LOOKS = ["GET /v1/bdbs/1", "GET /v1/bdbs/1/shards"]


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def take_requests(cluster: FakeCluster) -> list[str]:
    """Return the paths of the requests since the last call."""
    seen = [f"{request.method} {request.path}" for request in cluster.requests]
    cluster.requests.clear()
    return seen


@pytest.mark.parametrize("version", ["7.8", "7.22", "8.0", "8.2"])
async def test_get(version: Version) -> None:
    """One look returns the state, available or not, with the cluster's reason."""
    async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
        cluster.add_bdb(1)
        assert await client.get("bdb:1@available") == Action(
            uid="bdb:1@available",
            name="available",
            kind=Kind.CONDITION,
            status="available",
            phase=Phase.COMPLETED,
            object_type="bdb",
            object_uid="1",
        )
        cluster.set_available(1, available=False, error_code="no_quorum")
        action = await client.get("bdb:1@available")

        assert (action.status, action.phase, action.state) == (
            *("not available", Phase.PENDING, "no_quorum"),
        )
        assert str(action) == "bdb:1@available: not available, no_quorum"
        assert take_requests(cluster) == [CHECK, CHECK]


async def test_wait(cluster: FakeCluster, client: ActionsClient) -> None:
    """A wait ends soon after the database serves requests; its 503s are no outage."""
    cluster.add_bdb(1)
    cluster.set_available(1, available=False)
    asyncio.get_running_loop().call_later(400, partial(cluster.set_available, 1, available=True))
    action = await client.databases.wait_available(1, outage_timeout=60)

    assert 400 <= now() <= 415
    assert action.phase is Phase.COMPLETED
    assert action.record.outages == ()
    assert [it.status for it in action.record.transitions] == ["not available", "available"]


@pytest.mark.parametrize("lag", [0.3, "300ms", 0])
async def test_lag(cluster: FakeCluster, client: ActionsClient, lag: float | str) -> None:
    """The check is for replicas as well, with the tolerance in milliseconds."""
    cluster.add_bdb(1)
    cluster.set_lag(1, 301)
    with pytest.raises(WaitTimeout) as caught:
        await client.databases.wait_available(1, lag_tolerance=lag, timeout=5)
    assert caught.value.action is not None
    assert caught.value.action.state == "bdb_unavailable"
    milliseconds = round(1000 * (lag if isinstance(lag, int | float) else 0.3))
    assert caught.value.ref == f"bdb:1@available,lag={milliseconds}"
    query = f"extend_check=lag&availability_lag_tolerance_ms={milliseconds}"
    assert cluster.requests[-1].path == f"/v1/bdbs/1/availability?{query}"
    cluster.set_lag(1, milliseconds)

    await client.databases.wait_available(1, lag_tolerance=lag)
    await client.databases.wait_available(1)


async def test_default_lag(cluster: FakeCluster, client: ActionsClient) -> None:
    """A reference may leave the tolerance to the cluster, whose default is 100 ms."""
    cluster.add_bdb(1)
    cluster.set_lag(1, 101)
    assert (await client.get("bdb:1@available,lag")).phase is Phase.PENDING
    cluster.set_lag(1, 100)

    assert (await client.get("bdb:1@available,lag")).phase is Phase.COMPLETED


@pytest.mark.parametrize("lag", [float("inf"), 86401, -1, "soon", True])
async def test_wrong_lag(client: ActionsClient, lag: object) -> None:
    """A tolerance that cannot work is a mistake of the caller."""
    with pytest.raises(UsageError, match="lag_tolerance"):
        await client.databases.wait_available(1, lag_tolerance=lag)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["7.4", "8.0"])
async def test_missing_database(version: Version) -> None:
    """A database that does not exist is not found; one that is deleted meanwhile vanishes."""
    async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
        for ref in ("bdb:7@available", "bdb:7@in-sync", "bdb:7@available,lag"):
            with pytest.raises(ActionNotFound, match=r"^bdb:7@.* was not found after"):
                await client.get(ref)
        with pytest.raises(ActionNotFound):
            await client.databases.wait_available(7)
        cluster.add_bdb(1)
        cluster.set_available(1, available=False)
        cluster.add_action("SMDeleteBDB", Plan(duration=30), bdb_uid=1)
        with pytest.raises(ActionVanished, match="the database does not exist any more"):
            await client.databases.wait_available(1, timeout=3600)


class TestWithoutCheck:
    """Release 7.4, which has no check of availability."""

    async def test_objects(self) -> None:
        """Status, endpoints and shards tell; the client asks for the route only once."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.add_action("SMCreateBDB", Plan(duration=100), bdb_uid=1)
            action = await client.databases.wait_available(1)

            assert 100 <= now() <= 115
            assert action.evidence is action.record.evidence is Evidence.OBJECTS
            requests = take_requests(cluster)
            assert requests[0] == CHECK
            assert requests.count(CHECK) == 1
            assert requests[1] == NODES
            assert requests[2:] == LOOKS * (len(requests) // 2 - 1)

    async def test_upgrade(self) -> None:
        """The route is tried again after some minutes, as the cluster may be upgraded."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            await client.get("bdb:1@available")
            await asyncio.sleep(179)
            take_requests(cluster)
            await client.get("bdb:1@available")
            assert take_requests(cluster) == LOOKS
            await asyncio.sleep(2)
            cluster.inject(path="/v1/bdbs/1/availability", status=503, body=NO_QUORUM)
            action = await client.get("bdb:1@available")

            assert (action.phase, action.state) == (Phase.PENDING, "no_quorum")
            assert take_requests(cluster) == [CHECK]

    @pytest.mark.parametrize("body", [b'{"error_code": "no_permission"}', NO_RELEASES, b"[]"])
    async def test_unknown_release(self, body: bytes) -> None:
        """Where the release cannot be read, several answers without the route have to agree."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            status = 403 if b"error_code" in body else 200
            cluster.inject(path="/v1/nodes", status=status, body=body, times=None)
            action = await client.databases.wait_available(1)

            assert action.evidence is Evidence.OBJECTS
            assert 5 <= now() <= 20
            requests = take_requests(cluster)
            count = requests.count(CHECK)
            assert count >= 3
            assert requests == [CHECK, NODES] * count + LOOKS

    async def test_refused_credentials(self) -> None:
        """A cluster that does not know the credentials says nothing about its release."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.inject(path="/v1/nodes", status=401, times=None)
            with pytest.raises(AuthenticationError):
                await client.databases.wait_available(1)

    @pytest.mark.parametrize(("status", "times"), [(404, 2), (502, 1)])
    async def test_no_nodes(self, status: int, times: int) -> None:
        """A list of nodes of another server, or none, is an outage."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.inject(path="/v1/nodes", status=status, body=b"<html>", times=times)
            action = await client.databases.wait_available(1)

            assert action.evidence is Evidence.OBJECTS
            assert len(action.record.outages) == 1

    @pytest.mark.parametrize(("status", "detail"), [("inactive", None), (None, "loading")])
    async def test_shard(self, status: str | None, detail: str | None) -> None:
        """Each shard has to be active and ok."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            assert (await client.get("bdb:1@available")).phase is Phase.COMPLETED
            cluster.set_shard(1, status=status, detailed_status=detail)  # type: ignore[arg-type]
            action = await client.get("bdb:1@available")

            assert action.phase is Phase.PENDING
            assert action.state == f"shard 1 is {status or 'active'}, {detail or 'ok'}"

    @pytest.mark.parametrize("tolerance", [0.1, 0])
    async def test_lag(self, tolerance: float) -> None:
        """That lag cannot be checked there is said, and not ignored."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            for _ in range(2):
                with pytest.raises(RequestRejected) as caught:
                    await client.databases.wait_available(1, lag_tolerance=tolerance)
                assert str(caught.value).endswith(
                    "the cluster answered 404. This release cannot check how far replicas are "
                    "behind: wait without lag_tolerance"
                )

    @pytest.mark.parametrize("body", [DB_NOT_FOUND, b'{"error_code": "not_found"}', b"<html>"])
    async def test_no_shards(self, body: bytes) -> None:
        """A 404 of the shards of a database that is there tells nothing: it is asked again."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            path = "/v1/bdbs/1/shards"
            cluster.inject(path=path, status=404, body=body, times=2)
            action = await client.databases.wait_available(1)

            assert action.evidence is Evidence.OBJECTS
            assert len(action.record.outages) == 1

    async def test_unreadable_shards(self) -> None:
        """Another answer than a list of shards is none."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.inject(path="/v1/bdbs/1/shards", status=200, body=b'{"a": 1}', times=None)
            with pytest.raises(UnreadableReply, match="not a list of shards"):
                await client.get("bdb:1@available")


FOREIGN_404 = [
    b"<html>nginx</html>",
    b"",
    b'{"message": "no Route matched with those values"}',
    b'{"error_code": "not_found"}',
]


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("body", FOREIGN_404)
async def test_foreign_404(
    cluster: FakeCluster, client: ActionsClient, body: bytes, is_known: bool
) -> None:
    """The 404 of a proxy does not make the route missing, even if it is the first answer."""
    cluster.add_bdb(1)
    cluster.set_available(1, available=False)
    if is_known:
        await client.get("bdb:1@available")
    cluster.requests.clear()
    cluster.inject(path="/v1/bdbs/1/availability", status=404, body=body, times=2)
    action = await client.get("bdb:1@available")

    assert (action.phase, action.evidence) == (Phase.PENDING, Evidence.ACTION)
    requests = take_requests(cluster)
    assert requests.count(CHECK) == 3
    assert requests.count(NODES) == (0 if is_known else 1)


async def test_lasting_foreign_404(cluster: FakeCluster, client: ActionsClient) -> None:
    """A proxy that hides the route is an outage."""
    cluster.add_bdb(1)
    cluster.inject(path="/v1/bdbs/1/availability", status=404, body=b"<html>", times=None)
    with pytest.raises(ClusterUnreachable, match="a 404 that is not the REST API's"):
        await client.databases.wait_available(1, outage_timeout=60)


@pytest.mark.parametrize("code", ["bdb_not_exist", "bdb_not_found"])
async def test_other_code(cluster: FakeCluster, client: ActionsClient, code: str) -> None:
    """The codes of other routes for a missing database are understood as well."""
    body = json.dumps({"error_code": code}).encode()
    cluster.inject(path="/v1/bdbs/1/availability", status=404, body=body, times=None)
    with pytest.raises(ActionNotFound):
        await client.get("bdb:1@available")
    assert NODES not in take_requests(cluster)


async def test_look(cluster: FakeCluster, client: ActionsClient) -> None:
    """The stop gate looks without a reference."""
    api = AvailabilityApi(client._transport)
    cluster.add_bdb(1)
    cluster.set_lag(1, 301)
    assert await api.look(1, None) == AvailabilityLook((), Evidence.ACTION)
    assert await api.look(1, None, tolerance_ms=300) == AvailabilityLook(("bdb_unavailable",))
    assert await api.look(2, None) is None


@pytest.mark.parametrize("body", ["<html>Log in</html>", '{"message": "please log in"}', "null"])
async def test_login_page(body: str) -> None:
    """A success with a body is not taken for "available"."""
    with aioresponses() as mocked:
        url = "http://localhost:8080/v1/bdbs/1/availability"
        mocked.get(url, body=body, content_type="text/html", repeat=True)
        async with ActionsClient("http://localhost:8080") as client:
            with pytest.raises(ClusterUnreachable, match="not the answer of a check"):
                await client.databases.wait_available(1, outage_timeout=20)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error": "starting"}', b"not ready"])
async def test_outage(cluster: FakeCluster, client: ActionsClient, body: bytes) -> None:
    """A 503 without an error code is an outage."""
    cluster.add_bdb(1)
    cluster.inject(path="/v1/bdbs/1/availability", status=503, body=body, times=None)
    with pytest.raises(ClusterUnreachable) as caught:
        await client.databases.wait_available(1, outage_timeout=30)

    assert caught.value.status == 503


class TestInSync:
    """Replica Of sources that are all in sync."""

    async def test_wait(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A wait ends soon after the last source is in sync."""
        cluster.add_bdb(1)
        for index in range(2):
            cluster.set_replica_source(1, index, "out-of-sync")
        loop = asyncio.get_running_loop()
        loop.call_later(100, cluster.set_replica_source, 1, 1, "in-sync")
        loop.call_later(200, cluster.set_replica_source, 1, 0, "syncing")
        loop.call_later(300, cluster.set_replica_source, 1, 0, "in-sync")
        action = await client.databases.wait_in_sync(1)

        assert 300 <= now() <= 315
        assert [it.state for it in action.record.transitions] == [
            "source 1 is out-of-sync, source 2 is out-of-sync",
            "source 1 is out-of-sync",
            "source 1 is syncing",
            None,
        ]

    async def test_without_sources(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A database without sources cannot be in sync: that is said at once, alone or not."""
        for uid in (1, 2, 3):
            cluster.add_bdb(uid)
        cluster.set_replica_source(2, 0, "syncing")
        message = "^database 1 has no Replica Of sources that could be in sync$"
        with pytest.raises(UsageError, match=message):
            await client.get("bdb:1@in-sync")
        loop = asyncio.get_running_loop()
        loop.call_later(50, cluster.set_replica_source, 2, 0, "in-sync")
        other = asyncio.create_task(client.databases.wait_in_sync(2))
        third = asyncio.create_task(client.databases.wait(3, not_found_grace=60))
        await asyncio.sleep(5)
        with pytest.raises(UsageError, match=message):
            await client.databases.wait_in_sync(1)

        await asyncio.gather(other, third)


async def test_list(cluster: FakeCluster, client: ActionsClient) -> None:
    """The list tells what it can; the rest is left to requests for one database."""
    for uid in (1, 3, 4):
        cluster.add_bdb(uid)
    cluster.add_action("SMCreateBDB", Plan(duration=100), bdb_uid=2)
    cluster.add_action("SMUpdateBDB", Plan(duration=100), bdb_uid=3)
    cluster.set_replica_source(4, 0, "syncing")
    texts = [f"bdb:{uid}@{word}" for uid in (1, 2, 3, 4, 5) for word in ("available", "in-sync")]
    refs = [parse_reference(text) for text in texts]
    wanted = wanted_of(dict.fromkeys(refs))
    source = client._parts.sources.databases
    listed = await source.fetch_many(wanted, None)

    assert {str(ref): getattr(entry, "brief", None) for ref, entry in listed.changed.items()} == {
        "bdb:2@available": "not available, its status is pending",
        "bdb:4@in-sync": "not in-sync, source 1 is syncing",
    }
    assert {str(ref) for ref in listed.untold} == {
        *(f"bdb:{uid}@available" for uid in (1, 3, 4)),
        *(f"bdb:{uid}@in-sync" for uid in (1, 2, 3)),
    }
