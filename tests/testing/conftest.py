"""Fixtures of the tests of the fake cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import FakeCluster
from tests.http_client import HttpClient, http_client


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def call(cluster: FakeCluster) -> AsyncIterator[HttpClient]:
    """Return an HTTP client of the cluster."""
    async with http_client(cluster) as client:
        yield client


@pytest.fixture
async def three() -> AsyncIterator[FakeCluster]:
    """A cluster of three nodes."""
    async with FakeCluster(nodes=3) as cluster:
        yield cluster


@pytest.fixture
async def call3(three: FakeCluster) -> AsyncIterator[HttpClient]:
    """Return an HTTP client of the cluster of three nodes."""
    async with http_client(three) as client:
        yield client
