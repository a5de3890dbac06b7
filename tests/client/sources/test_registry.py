"""Tests of `_client.sources.registry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import AuthenticationError
from redis_enterprise_actions._client.protocols import NO_LIST
from redis_enterprise_actions._client.sources.registry import StatusSources
from redis_enterprise_actions._model.reference import WITHOUT_LIST, parse_reference
from tests.conftest import client_of

from .conftest import wanted_of


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


KINDS = ["a1", "bdb:1", "export:1", "node:1/maintenance_on", "cluster:change_master", "crdb:t1"]


@pytest.mark.parametrize("status", [403, 405, 406, 501, 400, 301])
@pytest.mark.parametrize("ref", KINDS)
async def test_refused_list(
    cluster: FakeCluster, sources: StatusSources, ref: str, status: int
) -> None:
    """A list that the cluster refuses is `NO_LIST`."""
    wanted = parse_reference(ref)
    cluster.inject(status=status, times=2)

    found = await sources.by_kind[wanted.list_kind].fetch_many(wanted_of({wanted: None}), None)
    assert found is NO_LIST


@pytest.mark.parametrize("ref", KINDS)
async def test_list_without_credentials(
    cluster: FakeCluster, sources: StatusSources, ref: str
) -> None:
    """A list that the cluster refuses as it does not know the credentials is an error."""
    wanted = parse_reference(ref)
    cluster.inject(status=401)

    with pytest.raises(AuthenticationError, match="401"):
        await sources.by_kind[wanted.list_kind].fetch_many(wanted_of({wanted: None}), None)


async def test_fetch_certain(cluster: FakeCluster, sources: StatusSources) -> None:
    """A state is certain unless the answer is ambiguous or "not found"."""
    cluster.add_action(uid="a1")

    assert await sources.fetch_certain(parse_reference("a1")) is not None
    assert await sources.fetch_certain(parse_reference("a2")) is None
    assert await sources.fetch_certain(parse_reference("export:1")) is None


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        ("action:a/b", "/v1/actions/a%2Fb"),
        ("node:1/maintenance_on", "/v1/nodes/1/actions/maintenance_on"),
        ("cluster:change_master", "/v1/cluster/actions/change_master"),
        ("crdb:t", "/v1/crdb_tasks/t"),
        ("bdb:7", "/v1/bdbs/7"),
        ("export:7", "/v1/bdbs/7"),
    ],
)
async def test_paths(sources: StatusSources, ref: str, path: str) -> None:
    """Each source names the path of the status of one reference, for errors."""
    reference = parse_reference(ref)

    assert sources.by_kind[reference.list_kind].path(reference) == path


@pytest.mark.parametrize("ref", ["bootstrap", "bootstrap@idle", "crdb:g@replicating"])
async def test_no_list(cluster: FakeCluster, sources: StatusSources, ref: str) -> None:
    """Work that no list shows has a list that costs nothing, and is never asked for."""
    wanted = parse_reference(ref)

    found = await sources.by_kind[wanted.list_kind].fetch_many(wanted_of({wanted: None}), None)
    assert found is NO_LIST
    assert wanted.list_kind in WITHOUT_LIST
    assert not cluster.requests
