"""Tests of `testing.routes.cluster`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from redis_enterprise_actions.testing import FakeCluster
from tests.http_client import HttpClient, http_client


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


async def test_settings(cluster: FakeCluster, call: HttpClient) -> None:
    """The cluster has a name, and shows the setting that can be changed."""
    shown = await call.ok("GET", "/v1/cluster")
    cluster.handle_redirects = True

    assert (shown["name"], shown["handle_redirects"]) == ("cluster1.local", False)
    assert (await call.ok("GET", "/v1/cluster"))["handle_redirects"] is True


async def test_basic_authentication() -> None:
    """Since 8.2, the cluster shows whether it takes passwords with each request."""
    async with FakeCluster(version="8.0") as cluster, http_client(cluster) as call:
        assert "control_plane_basic_authentication" not in await call.ok("GET", "/v1/cluster")
    async with FakeCluster(version="8.2") as cluster, http_client(cluster) as call:
        assert (await call.ok("GET", "/v1/cluster"))["control_plane_basic_authentication"] is True


async def test_license(cluster: FakeCluster, call: HttpClient) -> None:
    """The license is a trial of 30 days; each shard counts."""
    cluster.add_bdb()
    shown = await call.ok("GET", "/v1/license")
    await asyncio.sleep(31 * 86400)

    times = (datetime.fromisoformat(shown[f"{name}_date"]) for name in ("activation", "expiration"))
    assert -timedelta(days=30) == next(times) - next(times)
    assert (shown["expired"], shown["ram_shards_in_use"]) == (False, 2)
    assert (shown["cluster_name"], shown["owner"]) == (None, None)
