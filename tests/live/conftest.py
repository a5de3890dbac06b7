"""The cluster of the environment, or of a profile, on the real clock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(autouse=True)
def no_cluster_in_the_environment() -> None:
    """Replace the fixture that removes the settings: these tests need the environment."""


@pytest.fixture
async def client() -> AsyncIterator[ActionsClient]:
    """A client of that cluster."""
    if not os.environ.get("REDIS_ENTERPRISE_URL"):
        pytest.skip("no cluster is given: REDIS_ENTERPRISE_URL is not set")
    async with ActionsClient.from_env() as client:
        yield client
