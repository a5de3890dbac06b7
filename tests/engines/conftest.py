"""Fixtures of the tests of engines: the examples on the path, and a cluster in the environment."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import FakeCluster


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))


@asynccontextmanager
async def configured() -> AsyncIterator[FakeCluster]:
    """Serve a cluster with a database, and point the environment at it, as a worker's would be."""
    async with FakeCluster() as cluster:
        cluster.add_bdb(1)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("REDIS_ENTERPRISE_URL", cluster.url)
            environment.setenv("REDIS_ENTERPRISE_USER", cluster.username)
            environment.setenv("REDIS_ENTERPRISE_PASSWORD", cluster.password)
            yield cluster
