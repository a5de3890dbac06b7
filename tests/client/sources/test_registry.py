"""Tests of `_client.sources.registry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import AuthenticationError
from redis_enterprise_actions._client.protocols import NO_LIST
from redis_enterprise_actions._client.sources.registry import StatusSources
from redis_enterprise_actions._model.reference import parse_reference
from tests.conftest import client_of


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.core


@pytest.fixture
async def sources(cluster: FakeCluster) -> AsyncIterator[StatusSources]:
    """Return the status sources of the fake cluster."""
    transport = client_of(cluster)._transport
    yield StatusSources(transport)
    await transport.close()


@pytest.mark.parametrize("ref", ["bdb:1", "export:1", "node:1/maintenance_on", "crdb:t1"])
async def test_forbidden_list(cluster: FakeCluster, sources: StatusSources, ref: str) -> None:
    """A list that the user may not read is `NO_LIST`; missing authentication is an error."""
    wanted = {parse_reference(ref): None}
    cluster.inject(status=403)
    assert await sources.fetch_many(wanted) is NO_LIST

    cluster.inject(status=401, times=2)
    with pytest.raises(AuthenticationError, match="401"):
        await sources.fetch_many(wanted)


@pytest.mark.parametrize("ref", ["a1", "cluster:change_master"])
async def test_forbidden(cluster: FakeCluster, sources: StatusSources, ref: str) -> None:
    """A list that needs the same permission as a single object is an error if forbidden."""
    cluster.inject(status=403)

    with pytest.raises(AuthenticationError, match="403"):
        await sources.fetch_many({parse_reference(ref): None})


async def test_fetch_certain(cluster: FakeCluster, sources: StatusSources) -> None:
    """A state is certain unless the answer is ambiguous or "not found"."""
    cluster.add_action(uid="a1")

    assert await sources.fetch_certain(parse_reference("a1")) is not None
    assert await sources.fetch_certain(parse_reference("a2")) is None
    assert await sources.fetch_certain(parse_reference("export:1")) is None
