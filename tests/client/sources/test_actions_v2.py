"""Tests of `_client.sources.actions_v2`, through `ActionsApi`."""

from __future__ import annotations

import asyncio

import pytest

from redis_enterprise_actions import (
    ClusterUnreachable,
    RequestRejected,
    UnreadableReply,
)
from redis_enterprise_actions._client.sources.actions import ActionsApi
from redis_enterprise_actions.testing import FakeCluster
from tests.client.sources.test_actions import take_paths, transport_to
from tests.scripted import ref_of


pytestmark = pytest.mark.core


class TestV2:
    """The endpoints of v2, which a cluster may not have."""

    @pytest.mark.enable_socket
    async def test_unknown_without_v2(self) -> None:
        """The list of v2 is requested once from a cluster without v2."""
        async with FakeCluster(version="7.8") as cluster:
            transport = transport_to(cluster)
            actions_api = ActionsApi(transport)
            assert [await actions_api.fetch(ref_of("x"), None) for _ in range(3)] == [None] * 3
            await transport.close()

            assert take_paths(cluster) == ["/v1/actions/x", "/v2/actions", *["/v1/actions/x"] * 2]

    async def test_v2_is_found_out_once(
        self, cluster: FakeCluster, actions_api: ActionsApi
    ) -> None:
        """Concurrent requests probe for v2 once."""
        await asyncio.gather(*(actions_api.fetch(ref_of(f"x{n}"), None) for n in range(10)))

        assert take_paths(cluster).count("/v2/actions") <= 10
        await asyncio.gather(*(actions_api.fetch(ref_of(f"x{n}"), None) for n in range(10)))
        assert "/v2/actions" not in take_paths(cluster)

    async def test_finding_out_fails(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """An outage during the probe is an outage, and v2 is requested again."""
        uid = cluster.add_action("export")
        cluster.inject(path="/v2", status=503)

        with pytest.raises(ClusterUnreachable):
            await actions_api.fetch(ref_of(uid), None)
        assert await actions_api.fetch(ref_of(uid), None) is not None

    async def test_404_of_a_known_list(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A 404 to a list that was answered before is an outage: v2 is requested again."""
        uid = cluster.add_action("export")
        assert await actions_api.v2.list_actions() is not None
        cluster.inject(path="/v2", status=404, body="<html>404</html>")

        with pytest.raises(UnreadableReply):
            await actions_api.v2.list_actions()
        assert await actions_api.fetch(ref_of(uid), None) is not None

    @pytest.mark.parametrize("status", [400, 500])
    async def test_broken_v2(
        self,
        cluster: FakeCluster,
        actions_api: ActionsApi,
        status: int,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A v2 that fails with the known bug leaves v1, which is then believed."""
        cluster.inject(
            times=None, path="/v2", status=status, body='{"error_code": "invalid_schema"}'
        )
        uid = cluster.add_action()

        assert await actions_api.fetch(ref_of("x"), None) is None
        assert [action.uid for action in await actions_api.list_actions(None)] == [uid]
        (record,) = caplog.records
        assert "the client uses /v1 alone" in record.getMessage()
        assert vars(record)["event"] == "no v2"
        assert f"answered {status}: invalid_schema" in vars(record)["reason"]

    async def test_broken_v2_list(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """A v2 whose list alone is broken is there all the same."""
        uid = cluster.add_action("export")
        cluster.inject(path="/v2/actions", status=400, body='{"error_code": "invalid_schema"}')

        assert await actions_api.fetch(ref_of(uid), None) is not None

    async def test_broken_v2_of_a_known_action(
        self, cluster: FakeCluster, actions_api: ActionsApi
    ) -> None:
        """A v2 that breaks does not make an action that it has shown vanish."""
        uid = cluster.add_action("export")
        found = await actions_api.fetch(ref_of(uid), None)
        cluster.inject(path="/v2", status=500, body='{"error_code": "invalid_schema"}')

        with pytest.raises(ClusterUnreachable):
            await actions_api.fetch(ref_of(uid), found)

    async def test_odd_404_of_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """On v2, too, the list is searched after a 404 without the API's words."""
        uid = cluster.add_action("export")
        found = await actions_api.fetch(ref_of(uid), None)
        cluster.inject(path="/v2", status=404, body="<html>no route</html>")
        assert await actions_api.fetch(ref_of(uid), found) == found

        cluster.inject(times=2, path="/v2", status=404, body="<html>no route</html>")
        with pytest.raises(UnreadableReply, match="404 that is not the REST API's"):
            await actions_api.fetch(ref_of(uid), found)

    async def test_refused_v2(self, cluster: FakeCluster, actions_api: ActionsApi) -> None:
        """Any other refusal by v2 is raised."""
        cluster.inject(path="/v2", status=406)

        with pytest.raises(RequestRejected):
            await actions_api.fetch(ref_of("x"), None)
