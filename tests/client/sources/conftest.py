"""Fixtures of the tests of `_client.sources`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._client.sources.actions import ActionsApi
from tests.conftest import client_of


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions.testing import FakeCluster


@pytest.fixture
async def actions_api(cluster: FakeCluster) -> AsyncIterator[ActionsApi]:
    """Return the actions endpoints of the fake cluster."""
    transport = client_of(cluster)._transport
    yield ActionsApi(transport)
    await transport.close()
