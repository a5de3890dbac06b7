"""Tests of `testing.server.nodes`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
import gc
import socket

import aiohttp
import pytest
from yarl import URL

from redis_enterprise_actions.testing import FakeCluster
from tests.http_client import HttpClient
from tests.testing.sessions import authorized, four_requests, free_ports


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


class TestNodes:
    """Nodes, one of which is the primary."""

    async def test_urls(self) -> None:
        """Each node has a port of its own; the first one has the one that was given."""
        port = free_ports(3)
        async with FakeCluster(nodes=3, port=port) as cluster:
            assert len(set(cluster.urls)) == 3
            assert cluster.urls[0] == cluster.url == f"http://127.0.0.1:{port}"
            assert cluster.primary == 1

    async def test_one_state(self, three: FakeCluster, call3: HttpClient) -> None:
        """All nodes share the state, and the log has the node of each request."""
        three.handle_redirects = True
        uid = three.add_action()
        for node in (3, 1, 2):
            assert (await call3("GET", f"/v1/actions/{uid}", node=node))[0] == 200

        assert [seen.node for seen in three.requests] == [3, 1, 2]

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    @pytest.mark.parametrize("path", ["/v1/actions?x=1&y=%2F", "/v2/actions/a%2Fb", "/v9"])
    async def test_redirect(self, three: FakeCluster, method: str, path: str) -> None:
        """A follower redirects to the same path of the primary, without authentication."""
        url = f"{three.urls[1]}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, URL(url, encoded=True), allow_redirects=False) as response,
        ):
            assert response.status == 307
            assert response.headers["Location"] == f"{three.url}{path}"
            assert await response.read() == b""

    async def test_redirect_is_followed(self, three: FakeCluster, call3: HttpClient) -> None:
        """A redirected request with the credentials is answered."""
        three.primary = 3
        async with call3.session.get(f"{three.url}/v1/actions", allow_redirects=False) as response:
            there = response.headers["Location"]
        async with call3.session.get(there) as response:
            assert response.status == 200

        assert [(seen.node, seen.status) for seen in three.requests] == [(1, 307), (3, 200)]

    @pytest.mark.parametrize("base", ["https://10.0.0.7:9443", "https://10.0.0.7:9443/"])
    async def test_redirect_to(self, three: FakeCluster, call3: HttpClient, base: str) -> None:
        """Redirects can name another address, as clusters name internal ones."""
        three.redirect_to = base
        url = f"{three.urls[2]}/v1/actions"
        async with call3.session.get(url, allow_redirects=False) as response:
            assert response.headers["Location"] == "https://10.0.0.7:9443/v1/actions"

    async def test_handle_redirects(self) -> None:
        """With `handle_redirects` every node answers."""
        async with (
            FakeCluster(nodes=2, handle_redirects=True) as cluster,
            authorized(cluster) as session,
        ):
            call = HttpClient(session, cluster)
            assert (await call("GET", "/v1/actions", node=2))[0] == 200
            cluster.handle_redirects = False
            assert (await call("GET", "/v1/actions", node=2))[0] == 307

    @pytest.mark.parametrize("handle_redirects", [True, False])
    async def test_no_primary(
        self, three: FakeCluster, call3: HttpClient, *, handle_redirects: bool
    ) -> None:
        """Without a primary every node answers 503."""
        three.handle_redirects = handle_redirects
        three.primary = None
        for node in (1, 2, 3):
            status, body = await call3("GET", "/v1/actions", node=node)
            assert (status, body["error_code"]) == (503, "no_primary")

    async def test_stop(self, three: FakeCluster, call3: HttpClient) -> None:
        """A stopped node refuses connections at the port that it keeps, and the others go on."""
        urls = three.urls
        await three.stop_node(2)
        with pytest.raises(aiohttp.ClientConnectorError):
            await call3("GET", "/v1/actions", node=2)

        assert three.urls == urls
        assert three.primary == 1
        assert (await call3("GET", "/v1/actions", node=3))[0] == 307

    async def test_stop_cuts(self, three: FakeCluster, call3: HttpClient) -> None:
        """A stopping node aborts its connections, in the middle of an answer, too."""
        three.inject(delay=60)
        request = asyncio.create_task(call3("GET", "/v1/actions"))
        await asyncio.sleep(1)
        await three.stop_node(1)
        with pytest.raises(aiohttp.ClientError):
            await request

        assert [(seen.node, seen.status) for seen in three.requests] == [(1, None)]

    async def test_stop_the_primary(self, three: FakeCluster, call3: HttpClient) -> None:
        """If the primary stops, the lowest running node becomes it; if none runs, there is none."""
        primaries = []
        for node in (1, 3, 2):
            await three.stop_node(node)
            primaries.append(three.primary)

        assert primaries == [2, 2, None]

    async def test_start(self, three: FakeCluster, call3: HttpClient) -> None:
        """A node comes back at its port, as a follower."""
        urls = three.urls
        assert (await call3("GET", "/v1/actions"))[0] == 200
        await three.stop_node(1)
        await three.start_node(1)

        assert three.urls == urls
        assert three.primary == 2
        assert (await call3("GET", "/v1/actions"))[0] == 307

    async def test_start_alone(self, three: FakeCluster, call3: HttpClient) -> None:
        """The first node that starts when none ran is the primary."""
        for node in (1, 2, 3):
            await three.stop_node(node)
        await three.start_node(2)
        await three.start_node(1)

        assert three.primary == 2
        assert (await call3("GET", "/v1/actions", node=2))[0] == 200

    async def test_restart(self, three: FakeCluster, call3: HttpClient) -> None:
        """A restart takes its downtime."""
        began = asyncio.get_running_loop().time()
        restarting = asyncio.create_task(three.restart_node(1, downtime=20))
        await asyncio.sleep(19)
        with pytest.raises(aiohttp.ClientConnectorError):
            await call3("GET", "/v1/actions")
        await restarting

        assert asyncio.get_running_loop().time() - began == pytest.approx(20, abs=0.01)
        assert (await call3("GET", "/v1/actions"))[0] == 307

    async def test_restart_cancelled(self, three: FakeCluster, call3: HttpClient) -> None:
        """A restart that is cancelled leaves the node stopped."""
        restarting = asyncio.create_task(three.restart_node(2))
        await asyncio.sleep(1)
        restarting.cancel()
        await asyncio.wait([restarting])
        await asyncio.sleep(60)

        with pytest.raises(aiohttp.ClientConnectorError):
            await call3("GET", "/v1/actions", node=2)

    async def test_restart_outlives(self) -> None:
        """A restart cannot start a node of a cluster that has ended."""
        async with FakeCluster(nodes=2) as cluster:
            restarting = asyncio.create_task(cluster.restart_node(2))
            await asyncio.sleep(1)
        with pytest.raises(RuntimeError, match="inside `async with`"):
            await restarting

    @pytest.mark.parametrize("step", ["stop", "start"])
    async def test_cancelled(self, step: str) -> None:
        """Stopping and starting can be cancelled at any moment, and leave nothing behind."""
        for turns in range(20):
            async with FakeCluster(nodes=2) as cluster, authorized(cluster) as session:
                await HttpClient(session, cluster)("GET", "/v1/actions", node=2)
                if step == "start":
                    await cluster.stop_node(2)
                work = cluster.start_node(2) if step == "start" else cluster.stop_node(2)
                working = asyncio.create_task(work)
                for _ in range(turns):
                    await asyncio.sleep(0)
                working.cancel()
                await asyncio.wait([working])
        gc.collect()

    async def test_stop_and_start_at_once(self, three: FakeCluster, call3: HttpClient) -> None:
        """A node that is started while it stops is stopped first."""
        await asyncio.gather(three.stop_node(2), three.start_node(2))

        assert (await call3("GET", "/v1/actions", node=2))[0] == 307

    async def test_stop_meets_newcomers(self) -> None:
        """A connection that arrives while a node stops is cut, and not left open."""
        for turns in range(12):
            async with FakeCluster(nodes=2) as cluster, authorized(cluster) as session:
                requests = four_requests(session, cluster)
                for _ in range(turns):
                    await asyncio.sleep(0)
                await cluster.stop_node(1)
                results = await asyncio.gather(*requests, return_exceptions=True)

            for result in results:
                assert isinstance(result, (tuple, aiohttp.ClientError)), turns
        gc.collect()

    async def test_port_taken(self, three: FakeCluster, call3: HttpClient) -> None:
        """A stopped node whose port was taken cannot start, but may later."""
        await three.stop_node(2)
        port = URL(three.urls[1]).port
        with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="address"):
            await three.start_node(2)
        await three.start_node(2)

        assert (await call3("GET", "/v1/actions", node=2))[0] == 307

    async def test_again(self) -> None:
        """A cluster can be entered again, and all its nodes run again."""
        cluster = FakeCluster(nodes=2)
        for _ in range(2):
            async with cluster, authorized(cluster) as session:
                assert (await HttpClient(session, cluster)("GET", "/v1/actions", node=2))[0] == 307
                await cluster.stop_node(2)

    @pytest.mark.parametrize("node", [0, 4, -1])
    async def test_unknown(self, three: FakeCluster, node: int) -> None:
        """Unknown nodes are refused."""
        with pytest.raises(ValueError, match=f"no node {node}: the cluster has 3"):
            await three.stop_node(node)
        with pytest.raises(ValueError, match=f"no node {node}: the cluster has 3"):
            await three.start_node(node)
        with pytest.raises(ValueError, match=f"no node {node}: the cluster has 3"):
            three.primary = node

    async def test_twice(self, three: FakeCluster) -> None:
        """A node is neither stopped nor started twice."""
        with pytest.raises(ValueError, match="node 2 runs already"):
            await three.start_node(2)
        await three.stop_node(2)
        with pytest.raises(ValueError, match="node 2 is stopped already"):
            await three.stop_node(2)

    @pytest.mark.parametrize("downtime", [-1, float("nan")])
    async def test_downtime(self, three: FakeCluster, downtime: float) -> None:
        """A negative downtime is refused before the node is stopped."""
        with pytest.raises(ValueError, match="downtime"):
            await three.restart_node(2, downtime=downtime)
        await three.stop_node(2)

    async def test_outside(self) -> None:
        """Nodes are stopped and started inside `async with` only."""
        cluster = FakeCluster(nodes=2)
        with pytest.raises(RuntimeError, match="inside"):
            await cluster.stop_node(2)
        with pytest.raises(RuntimeError, match="inside"):
            await cluster.start_node(2)
