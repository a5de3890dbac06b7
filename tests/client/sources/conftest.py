"""Fixtures of the tests of `_client.sources`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._client.protocols import Wanted
from redis_enterprise_actions._client.sources.actions import ActionsApi
from tests.conftest import client_of


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from redis_enterprise_actions import Action
    from redis_enterprise_actions._model.reference import Reference
    from redis_enterprise_actions.testing import FakeCluster


@pytest.fixture
async def actions_api(cluster: FakeCluster) -> AsyncIterator[ActionsApi]:
    """Return the actions endpoints of the fake cluster."""
    transport = client_of(cluster)._transport
    yield ActionsApi(transport)
    await transport.close()


def wanted_of(refs: Mapping[Reference, Action | None]) -> Wanted:
    """Return references that are wanted of a list, with the action as last seen."""
    wanted = Wanted()
    wanted.update(refs)
    return wanted
