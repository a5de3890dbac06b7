"""Tests of `_client.sources.crdb_health`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from yarl import URL

from redis_enterprise_actions import (
    ActionNotFound,
    ActionsClient,
    AuthenticationError,
    ClusterUnreachable,
    Kind,
    Phase,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.sources.crdb_health import _host
from redis_enterprise_actions.testing import FakeCluster
from tests.conftest import client_of


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.enable_socket, pytest.mark.core]


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


@pytest.fixture
async def other(cluster: FakeCluster) -> AsyncIterator[FakeCluster]:
    """Return a second cluster, on which the Active-Active database `g` is as well."""
    async with FakeCluster() as other:
        cluster.add_crdb("g")
        cluster.link_crdb("g", other)
        yield other


async def test_look(cluster: FakeCluster, client: ActionsClient, other: FakeCluster) -> None:
    """One look returns the state, with the findings in words."""
    assert (await client.get("crdb:g@replicating")).phase is Phase.COMPLETED
    cluster.set_link("g", other, "down")
    action = await client.get("crdb:g@replicating")

    assert (action.uid, action.kind, action.phase, action.object_type, action.object_uid) == (
        *("crdb:g@replicating", Kind.CONDITION, Phase.PENDING, "crdb", "g"),
    )
    assert (action.status, action.state) == (
        *("not replicating", f"link 1:2 of {cluster.name} is down"),
    )


async def test_wait(cluster: FakeCluster, client: ActionsClient, other: FakeCluster) -> None:
    """A wait ends soon after the last link is up."""
    cluster.set_link_later("g", other, 200)
    action = await client.crdbs.wait_replicating(" g ")

    assert 200 <= now() <= 215
    assert action.record.ref == "crdb:g@replicating"
    assert cluster.is_replicating("g")


async def test_missing(client: ActionsClient) -> None:
    """An Active-Active database that the cluster does not know is not found."""
    with pytest.raises(ActionNotFound) as caught:
        await client.crdbs.wait_replicating("g")

    assert str(caught.value).startswith("crdb:g@replicating was not found after 10s: it does not")


async def test_others(cluster: FakeCluster, client: ActionsClient, other: FakeCluster) -> None:
    """With clients of the other clusters, all of them have to see it replicate."""
    other.set_link_later("g", cluster, 200)
    async with client_of(other) as theirs:
        action = await client.crdbs.wait_replicating("g", others=[theirs])

        assert 200 <= now() <= 215
        port = other.url.rpartition(":")[2]
        ref = f"crdb:g@replicating,with=127.0.0.1:{port}"
        assert action.record.ref == ref
        assert (await client.get(ref)).phase is Phase.COMPLETED
        cluster.requests.clear()
        other.requests.clear()
        await client.get(ref)
        assert [len(each.requests) for each in (cluster, other)] == [1, 1]


async def test_versions(cluster: FakeCluster, client: ActionsClient, other: FakeCluster) -> None:
    """All have to agree on the active version."""
    other.set_crdb_config("g", version=2)
    async with client_of(other) as theirs:
        with pytest.raises(WaitTimeout, match="the active versions 1, 2 differ"):
            await client.crdbs.wait_replicating("g", others=[theirs], timeout=10)


async def test_other_without_the_database(client: ActionsClient, cluster: FakeCluster) -> None:
    """An other cluster that does not know the database is a finding, not an end."""
    cluster.add_crdb("g")
    async with FakeCluster() as other, client_of(other) as theirs:
        with pytest.raises(WaitTimeout, match="does not know the database") as caught:
            await client.crdbs.wait_replicating("g", others=[theirs], timeout=10)

        assert caught.value.action is not None
        assert f"{_host(theirs._transport.nodes.urls[0])} does not" in str(caught.value)


async def test_unreachable_other(client: ActionsClient, other: FakeCluster) -> None:
    """An other cluster that does not answer is an outage, which names its node."""
    async with client_of(other) as theirs:
        other.inject(status=500, times=None)
        with pytest.raises(ClusterUnreachable) as caught:
            await client.crdbs.wait_replicating("g", others=[theirs], outage_timeout=20)

        assert list(caught.value.nodes) == list(theirs.urls)


async def test_outage_of_other(
    client: ActionsClient, cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Other clusters that do not answer are no outage of this one, however many waits need them."""
    guids = [cluster.add_crdb() for _ in range(4)]
    cluster.add_bdb(1)
    async with ActionsClient("http://127.0.0.1:9") as dead:
        waits = [
            asyncio.create_task(
                client.crdbs.wait_replicating(guid, others=[dead], outage_timeout=1000)
            )
            for guid in guids
        ]
        await asyncio.sleep(1)
        action = await client.databases.wait_available(1, hold=60, timeout=100)
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)

    assert 60 <= action.record.elapsed <= 70
    assert action.record.outages == ()
    messages = [it.message for it in caplog.records if "asking again" in it.message]
    assert len(messages) == len(guids)
    assert not any("are answered" in message for message in messages)


async def test_refusal_of_other(client: ActionsClient, other: FakeCluster) -> None:
    """The refusal of an other cluster ends the wait, and says whose it is."""
    async with client_of(other) as theirs:
        other.inject(status=403, body=b'{"error_code": "unauthorized"}', times=None)
        with pytest.raises(
            AuthenticationError, match=f"at {_host(theirs._transport.nodes.urls[0])}"
        ):
            await client.crdbs.wait_replicating("g", others=[theirs])


async def test_closed_other(client: ActionsClient, other: FakeCluster) -> None:
    """A closed client of another cluster ends the wait, and leaves others alone."""
    async with client_of(other) as theirs:
        await client.crdbs.wait_replicating("g", others=[theirs])
    with pytest.raises(UsageError, match=r"^the client of 127\.0\.0\.1:\d+, of others=, is closed"):
        await client.crdbs.wait_replicating("g", others=[theirs])

    await client.crdbs.wait_replicating("g")


async def test_two_clients_of_one_cluster(
    cluster: FakeCluster, client: ActionsClient, other: FakeCluster
) -> None:
    """Each wait keeps its own client of another cluster, whatever becomes of a later one."""
    cluster.set_link_later("g", other, 60)
    host = _host(URL(other.url))
    async with client_of(other) as first, client_of(other) as closed:
        wrong = ActionsClient(other.urls, username="x", password="wrong-password")
        async with wrong:
            wait = asyncio.create_task(client.crdbs.wait_replicating("g", others=[first]))
            await asyncio.sleep(3)
            with pytest.raises(AuthenticationError, match=f"cluster at {host}"):
                await client.crdbs.wait_replicating("g", others=[wrong])
            again = client.crdbs.replicating("g", others=[first, closed, first])
            assert str(again.ref).endswith(f",with={host}+{host}~3")
            await closed.aclose()
            with pytest.raises(UsageError, match=f"the client of {host}, of others=, is closed"):
                await again
            action = await wait

    assert 60 <= now() <= 75
    assert action.record.ref == f"crdb:g@replicating,with={host}"
    async with client_of(other) as last:
        assert (await client.crdbs.wait_replicating("g", others=[last])).record.ref == (
            f"crdb:g@replicating,with={host}"  # all others are closed
        )


async def test_unknown_other(client: ActionsClient) -> None:
    """The reference alone names no credentials."""
    with pytest.raises(UsageError) as caught:
        await client.get("crdb:g@replicating,with=c2:9443+c3")

    assert str(caught.value) == (
        "this client has no credentials of c2:9443, c3: use "
        "client.crdbs.wait_replicating(guid, others=[client of each other cluster])"
    )


@pytest.mark.parametrize("others", ["http://c2:9443", [None], 5, ["c2"]])
async def test_wrong_others(client: ActionsClient, others: object) -> None:
    """Something else than clients is a mistake of the caller."""
    with pytest.raises(UsageError, match=r"^others= is not a list of"):
        await client.crdbs.wait_replicating("g", others=others)  # type: ignore[arg-type]


async def test_two_waits(cluster: FakeCluster, client: ActionsClient, other: FakeCluster) -> None:
    """No list shows health, so each database is asked for."""
    cluster.add_crdb("h")
    cluster.set_link_later("g", other, 100)
    ends = await asyncio.gather(*map(client.crdbs.wait_replicating, "gh"))

    assert sum(end.record.polls for end in ends) == len(cluster.requests)
    assert {request.path for request in cluster.requests} == {
        *("/v1/crdbs/g/health_report", "/v1/crdbs/h/health_report"),
    }
    assert await client._parts.sources.crdb_health.verify(None, None, None) is None  # type: ignore[arg-type,func-returns-value]
