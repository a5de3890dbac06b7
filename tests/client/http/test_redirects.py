"""Tests of redirects on the node that was asked, over sockets."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from redis_enterprise_actions import (
    ActionsClient,
    ClusterUnreachable,
    RequestRejected,
    UnreadableReply,
)


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

pytestmark = pytest.mark.enable_socket

PASSWORD = "hunter2-hunter2"
ACTION = {"action_uid": "a1", "name": "SMUpdateBDB", "status": "completed"}


class Redirecting:
    """Server that redirects as `location` says of each path, and answers where that is None.

    `requests` has the method, the path and the query of each request.
    """

    def __init__(self, status: int, location: Callable[[str], str | None]) -> None:
        self.url = ""
        self.requests: list[str] = []
        self._status = status
        self._location = location

    async def serve(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        self.requests.append(f"{request.method} {request.path_qs}")
        assert request.headers["Authorization"].startswith("Basic ")
        location = self._location(request.path)
        if location is None:
            return web.json_response(ACTION)
        headers: Mapping[str, str] = {"Location": location.format(url=self.url)}
        return web.Response(status=self._status, headers=headers)


@asynccontextmanager
async def client_of(server: Redirecting, path: str = "") -> AsyncIterator[ActionsClient]:
    """Serve, and return a client of the server."""
    runner = web.ServerRunner(web.Server(server.serve), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with ActionsClient(
            f"{server.url}{path}", username="ops", password=PASSWORD
        ) as client:
            yield client
    finally:
        await runner.cleanup()


def adding(path: str) -> str | None:
    """Redirect to the path with a slash at its end."""
    return None if path.endswith("/") else f"{path}/"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("base", ["", "{url}"], ids=["path", "URL"])
async def test_slash_is_added(status: int, base: str) -> None:
    """A GET follows a redirect that adds a slash on the same host."""
    server = Redirecting(status, lambda path: base + moved if (moved := adding(path)) else None)
    async with client_of(server) as client:
        assert (await client.wait_for_action("a1")).status == "completed"

    assert server.requests == ["GET /v1/actions/a1", "GET /v1/actions/a1/"]


async def test_path_in_front() -> None:
    """A path in front of the API's stays there."""
    server = Redirecting(308, adding)
    async with client_of(server, "/redis/prod/") as client:
        assert (await client.get_action("a1")).status == "completed"

    assert server.requests[1] == "GET /redis/prod/v1/actions/a1/"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_slashes_in_a_circle(status: int) -> None:
    """A redirect back ends the call at once: one redirect is followed."""
    server = Redirecting(status, lambda path: adding(path) or path.rstrip("/"))
    async with client_of(server) as client:
        with pytest.raises(RequestRejected, match=f"answered {status}. It redirects to"):
            await client.wait_for_action("a1")

    assert len(server.requests) == 2


async def test_308_to_the_same_url() -> None:
    """A permanent redirect to the same URL is refused at once; it is no outage."""
    server = Redirecting(308, lambda path: path)
    async with client_of(server) as client:
        with pytest.raises(RequestRejected, match=r"answered 308\. It redirects to the same URL"):
            await client.wait_for_action("a1")

    assert server.requests == ["GET /v1/actions/a1"]


async def test_307_to_the_same_url() -> None:
    """A temporary redirect to the same URL is an outage: the node does not know the primary yet."""
    left = iter([307, 307])
    server = Redirecting(307, lambda path: path if next(left, None) else None)
    async with client_of(server) as client:
        assert (await client.wait_for_action("a1", outage_timeout=60)).status == "completed"
        server._location = lambda path: path
        with pytest.raises(ClusterUnreachable, match="it redirects from"):
            await client.wait_for_action("a1", outage_timeout=5)


@pytest.mark.parametrize("uid", ["a:b", "a@b", "a'b", "(a)", "a b", "\u00e4"])
async def test_307_to_the_same_url_with_escapes(uid: str) -> None:
    """Escapes that differ in the redirect make no other path of it."""
    left = iter([307])
    server = Redirecting(307, lambda path: path if next(left, None) else None)
    async with client_of(server) as client:
        with pytest.raises(UnreadableReply, match="another action"):  # it was asked again
            await client.get_action(uid)

    assert len(server.requests) > 1


@pytest.mark.parametrize("location", ["mailto:x", "javascript:alert(1)", "data:,x", "x:"])
@pytest.mark.parametrize("status", [301, 307, 308])
async def test_no_url(status: int, location: str) -> None:
    """A redirect to what is no URL of a host is refused."""
    server = Redirecting(status, lambda _: location)
    async with client_of(server) as client:
        with pytest.raises(RequestRejected, match="It redirects to another place"):
            await client.wait_for_action("a1")
        with pytest.raises(RequestRejected, match="It redirects to another place"):
            await client.submit("PUT", "/v1/bdbs/1", {})


@pytest.mark.parametrize("status", [307, 308])
async def test_another_path(status: int) -> None:
    """A redirect to another path of the same host is refused at once, and not followed."""
    server = Redirecting(status, lambda _: "/login?next=secret")
    async with client_of(server) as client:
        with pytest.raises(RequestRejected, match="It redirects to the path /login") as caught:
            await client.wait_for_action("a1")

    assert "secret" not in str(caught.value)
    assert server.requests == ["GET /v1/actions/a1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_call_is_not_sent_again(status: int) -> None:
    """A call that changes something follows no redirect on its node."""
    server = Redirecting(status, adding)
    async with client_of(server) as client:
        with pytest.raises(RequestRejected, match=f"answered {status}"):
            await client.submit("POST", "/v1/users", {"name": "x"})

    assert [each for each in server.requests if each.startswith("POST")] == ["POST /v1/users"]
