"""Tests of `testing.cluster`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import aiohttp
import pytest

from redis_enterprise_actions.testing import FakeCluster


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import Version


from tests.http_client import HttpClient
from tests.testing.sessions import authorized, four_requests


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


class TestServer:
    """Routes, credentials and the log."""

    @pytest.mark.parametrize(
        ("version", "status"), [("7.4", 404), ("7.8", 404), ("7.22", 200), ("8.0", 200)]
    )
    async def test_version(self, version: Version, status: int) -> None:
        """There is no v2 before 7.22."""
        async with FakeCluster(version=version) as cluster, authorized(cluster) as session:
            assert (await HttpClient(session, cluster)("GET", "/v2/actions"))[0] == status
            assert (await HttpClient(session, cluster)("GET", "/v1/actions"))[0] == 200

    async def test_credentials(self, cluster: FakeCluster) -> None:
        """Wrong credentials are answered 401."""
        async with aiohttp.ClientSession() as session:
            assert await HttpClient(session, cluster)("GET", "/v1/actions") == (401, "")

    async def test_server(self, cluster: FakeCluster) -> None:
        """Every answer has the Server header of Envoy, as on real clusters."""
        async with aiohttp.ClientSession() as session, session.get(cluster.url) as answer:
            assert answer.status == 401
            assert answer.headers["Server"] == "envoy"

    @pytest.mark.parametrize("path", ["/", "/v1/action", "/v1/bdbs/x", "/v1/bdbs/9"])
    async def test_unknown_path(self, call: HttpClient, path: str) -> None:
        """An unknown path is answered 404."""
        assert (await call("GET", path))[0] == 404

    async def test_log(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Requests are logged with time, path and answer, but not with credentials."""
        cluster.inject(status=503)
        await call("GET", "/v1/actions?x=1")
        await asyncio.sleep(3)
        await call("GET", "/v1/actions/a%2Fb")

        first, second = cluster.requests
        assert (first.method, first.path, first.status) == ("GET", "/v1/actions?x=1", 503)
        assert (second.path, second.status) == ("/v1/actions/a%2Fb", 404)
        assert second.time - first.time == pytest.approx(3, abs=0.01)
        assert cluster.password not in repr(cluster.requests)
        assert "Basic" not in repr(cluster.requests)

    async def test_log_is_the_users(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The log may be cleared at any time, while an answer is under way, too."""
        cluster.inject(delay=5)
        late = asyncio.create_task(call("GET", "/v1/actions"))
        await asyncio.sleep(1)
        cluster.requests.clear()
        assert (await call("GET", "/v2/actions"))[0] == 200

        assert (await late)[0] == 200
        assert [(seen.path, seen.status) for seen in cluster.requests] == [("/v2/actions", 200)]

    async def test_outside(self, unused_tcp_port: int) -> None:
        """A cluster answers inside `async with`, on the given port."""
        cluster = FakeCluster(port=unused_tcp_port)
        with pytest.raises(RuntimeError):
            _ = cluster.url
        async with cluster:
            assert cluster.url == f"http://127.0.0.1:{unused_tcp_port}"
            with pytest.raises(OSError, match="address"):
                await FakeCluster(port=unused_tcp_port).__aenter__()
        with pytest.raises(RuntimeError):
            _ = cluster.url
        await cluster.__aexit__(None, None, None)

    async def test_end_does_not_wait(self) -> None:
        """The end of the cluster does not wait for answers under way."""
        began = asyncio.get_running_loop().time()
        async with FakeCluster() as cluster, authorized(cluster) as session:
            cluster.inject(delay=3600)
            request = asyncio.create_task(HttpClient(session, cluster)("GET", "/v1/actions"))
            await asyncio.sleep(1)
            request.cancel()
            await asyncio.wait([request])
        assert asyncio.get_running_loop().time() - began < 2

    async def test_end_meets_newcomers(self) -> None:
        """A connection that is made while the cluster ends is closed."""
        for turns in range(12):
            async with FakeCluster() as cluster, authorized(cluster) as session:
                requests = four_requests(session, cluster)
                for _ in range(turns):
                    await asyncio.sleep(0)
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
        gc.collect()
