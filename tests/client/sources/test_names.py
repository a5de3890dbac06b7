"""Tests of `_client.sources.names`, by the resources that ask for names."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import RequestRejected, UnreadableReply
from tests.recorder import RecordingServer


if TYPE_CHECKING:
    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster


@pytest.mark.parametrize(
    ("method", "uid", "name"),
    [
        ("databases.name", 1, "orders"),
        ("nodes.address", 1, "10.0.0.1"),
        ("crdbs.name", "g1", "sessions"),
    ],
)
async def test_name(
    cluster: FakeCluster, client: ActionsClient, method: str, uid: int | str, name: str
) -> None:
    """The cluster tells the name of a database, and the address of a node."""
    cluster.add_bdb(1, name="orders")
    cluster.add_crdb("g1", name="sessions")

    assert await attrgetter(method)(client)(uid) == name


@pytest.mark.parametrize(
    ("method", "uid"), [("databases.name", 9), ("nodes.address", 9), ("crdbs.name", "g9")]
)
async def test_unknown(
    cluster: FakeCluster, client: ActionsClient, method: str, uid: int | str
) -> None:
    """There is no name of an object that the cluster does not have."""
    with pytest.raises(RequestRejected, match="the cluster answered 404") as raised:
        await attrgetter(method)(client)(uid)
    assert raised.value.status == 404


@pytest.mark.enable_socket
@pytest.mark.parametrize("body", ["{}", '{"name": 5, "addr": null}'])
async def test_without_name(body: str) -> None:
    """An object without a name has the empty one."""
    async with RecordingServer(GET=[(200, body)]) as server, server.client() as client:
        assert await client.databases.name(1) == ""


@pytest.mark.enable_socket
async def test_unreadable() -> None:
    """The error for a body that is no object quotes nothing of it, as it may hold secrets."""
    body = '["hunter2-hunter2"]'
    async with RecordingServer(GET=[(200, body)]) as server, server.client() as client:
        with pytest.raises(UnreadableReply) as raised:
            await client.databases.name(1)
    assert "hunter2" not in str(raised.value)
