"""Tests of `testing.control.server`: where the control API listens, and its end."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest
from yarl import URL

from redis_enterprise_actions.testing import ControlServer
from tests.testing.control.conftest import Control
from tests.testing.sessions import port_of


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


async def is_open(host: str, port: int) -> bool:
    """Return True if a server accepts connections at an address."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def test_address(cluster: FakeCluster) -> None:
    """It listens on 127.0.0.1 alone, on a port of its own."""
    async with ControlServer(cluster) as server:
        url = URL(server.url)
        assert (url.scheme, url.host, url.path) == ("http", "127.0.0.1", "/_fake/")
        port = port_of(server.url)
        assert port not in map(port_of, cluster.urls)
        assert await is_open("127.0.0.1", port)
        assert not await is_open("127.0.0.2", port)  # another address of this machine


async def test_port(cluster: FakeCluster) -> None:
    """It takes the port that it is told, and tells if it cannot; then nothing is left."""
    async with ControlServer(cluster) as server:
        port = port_of(server.url)
        with pytest.raises(OSError, match=str(port)):
            await ControlServer(cluster, port=port).__aenter__()
    async with ControlServer(cluster, port=port) as server:
        assert port_of(server.url) == port


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "0.0.0.0"), ("localhost", "127.0.0.1"), ("::1", "[::1]")]
)
async def test_host(cluster: FakeCluster, host: str, shown: str) -> None:
    """It listens elsewhere if it is told to."""
    if ":" in host and not _has_ipv6():
        pytest.skip("there is no IPv6 here")
    async with ControlServer(cluster, host=host) as server, aiohttp.ClientSession() as session:
        assert server.url in {
            f"http://{each}:{port_of(server.url)}/_fake/" for each in (shown, "[::1]")
        }
        control = Control(server.url, session)
        assert (await control.ok("GET", "clock"))["elapsed"] == 0
        named = {"Host": f"{host}:1" if ":" not in host else "[::1]:1"}
        assert (await control.ok("GET", "clock", headers=named))["elapsed"] == 0


@pytest.mark.parametrize("host", ["", None])
async def test_no_host(cluster: FakeCluster, host: str) -> None:
    """No host, which would be all addresses of the machine, is refused."""
    with pytest.raises(ValueError, match=r"^host is an address or a name of this machine$"):
        ControlServer(cluster, host=host)


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


async def test_end(cluster: FakeCluster) -> None:
    """At the end, connections are closed, and calls under way are ended; nothing is left."""
    server = ControlServer(cluster)
    with pytest.raises(RuntimeError, match="inside `async with` only"):
        server.url  # noqa: B018 - it raises
    async with aiohttp.ClientSession() as session:
        async with server:
            control = Control(server.url, session)
            await control.ok("GET")
            cluster.speed = 1
            stop = cluster.stop_node
            started = asyncio.Event()

            async def slow(node: int) -> None:
                started.set()
                await asyncio.sleep(1e6)
                await stop(node)

            cluster.stop_node = slow  # type: ignore[method-assign]
            call = asyncio.create_task(control("POST", "stop", {"node": 2}))
            await started.wait()
        with pytest.raises(aiohttp.ClientError):
            await call
        with pytest.raises(aiohttp.ClientError):
            await control("GET")
        with pytest.raises(RuntimeError):
            server.url  # noqa: B018 - it raises
        async with server:
            assert (await Control(server.url, session).ok("GET"))["requests"] == 0
