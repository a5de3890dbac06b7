"""Tests of `_client.sources.not_found`, through the deletion of a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import (
    Action,
    Phase,
)
from redis_enterprise_actions._model.action import Ambiguity, AmbiguousAnswer
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
from tests.client.sources.test_actions import take_paths


if TYPE_CHECKING:
    from redis_enterprise_actions._client.sources.actions import ActionsApi
    from redis_enterprise_actions.testing import FakeCluster


pytestmark = pytest.mark.core


NO_DATABASE = '{"error_code": "db_not_found"}'
REF = Reference(ReferenceKind.ACTION, "a1", "bdb:7")


class TestConfirmGone:
    """The list of databases confirms that one is gone."""

    @pytest.mark.parametrize("status", [403, 500, 503])
    async def test_no_list(
        self, cluster: FakeCluster, actions_api: ActionsApi, status: int
    ) -> None:
        """Without a list, a single "not found" is ambiguous."""
        cluster.inject(path="/v1/bdbs/7", status=404, body=NO_DATABASE)
        cluster.inject(path="/v1/bdbs", status=status)
        found = await actions_api.fetch(REF, None)

        assert isinstance(found, AmbiguousAnswer)
        assert (found.ambiguity, found.discriminator) == (Ambiguity.GONE, "db_not_found")
        assert found.action.phase is Phase.COMPLETED

    async def test_still_listed(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A database that the list has is not gone, even if it is not found alone."""
        cluster.add_bdb(7)
        cluster.inject(path="/v1/bdbs/7", status=404, body=NO_DATABASE)
        action = await actions_api.fetch(REF, None)

        assert isinstance(action, Action)
        assert action.phase is Phase.RUNNING

    @pytest.mark.parametrize(
        ("body", "gone"),
        [
            ('{"bdbs": [{"uid": 7}]}', False),
            ('[{"uid": 7.0}]', False),
            ('[{"uid": " 7"}]', False),
            ('[{"uid": "007"}]', False),
            ('{"bdbs": []}', True),
            ('[{"uid": 9007199254740993}]', True),
            ('[{"uid": 1e300}]', None),
            ('[{"uid": true}]', None),
            ("[]", True),
            ('[{"uid": 70}]', True),
            ('[{"uid": 70}, {}]', None),
            ('[{"uid": "seven"}]', None),
            ('[{"uid": 7.5}]', None),
            ('{"databases": []}', None),
            ("null", None),
            ("<html>", None),
        ],
    )
    async def test_shapes_of_the_list(
        self, cluster: FakeCluster, actions_api: ActionsApi, body: str, gone: bool | None
    ) -> None:
        """A list counts only if all of it can be read."""
        cluster.inject(path="/v1/bdbs/7", status=404, body=NO_DATABASE)
        cluster.inject(path="/v1/bdbs", status=200, body=body)
        found = await actions_api.fetch(REF, None)

        if gone is None:
            assert isinstance(found, AmbiguousAnswer)
        else:
            assert isinstance(found, Action)
            assert found.phase.terminal is gone

    @pytest.mark.parametrize("status", [400, 406])
    async def test_no_fields(
        self, cluster: FakeCluster, actions_api: ActionsApi, status: int
    ) -> None:
        """Versions that reject `fields=` get requests without it."""
        cluster.inject(path="/v1/bdbs/7", status=404, body=NO_DATABASE)
        cluster.inject(path="/v1/bdbs", status=status)
        found = await actions_api.fetch(REF, None)

        assert isinstance(found, Action)
        assert take_paths(cluster)[-2:] == ["/v1/bdbs?fields=uid", "/v1/bdbs"]

    async def test_fields_in_vain(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A list that is refused with and without `fields=` does not count."""
        cluster.inject(path="/v1/bdbs/7", status=404, body=NO_DATABASE)
        cluster.inject(path="/v1/bdbs", status=406, times=2)

        assert isinstance(await actions_api.fetch(REF, None), AmbiguousAnswer)
