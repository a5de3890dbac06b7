"""Servers on 127.0.0.1, each of which behaves like a node in one situation."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiohttp import web

from redis_enterprise_actions import ActionsClient, UnreadableReply
from redis_enterprise_actions._client.wire.error_body import foreign_404


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport

PASSWORD: Final = "hunter2-hunter2"
INNER: Final = "http://127.18.0.9:9443"  # an address that is not one of ours


@dataclass
class Node:
    """Node that answers as `behaviour` says, `delay` seconds after a request.

    "ok" answers with its number, "hangs" never; "garbage" and "foreign" are no answers of the API;
    "drops" closes the connection; "away" redirects to an inner address, "circle" to the next node,
    which does the same; a number is a status. `requests` has the method and the time of each.
    """

    number: int = 0
    behaviour: str = "ok"
    delay: float = 0.0
    url: str = ""
    next_url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, float]] = field(default_factory=list)
    behave: Callable[[str], tuple[str, float]] | None = None

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        self.requests.append((request.method, request.path, asyncio.get_running_loop().time()))
        behaviour, delay = self.behaviour, self.delay
        if self.behave is not None:
            behaviour, delay = self.behave(request.path)
        if behaviour == "hangs":
            await asyncio.sleep(100_000)
        await asyncio.sleep(delay)
        if behaviour == "drops":
            assert request.transport is not None
            request.transport.abort()
        if behaviour == "away":
            return web.Response(status=307, headers={"Location": INNER + request.path_qs})
        if behaviour == "circle":
            return web.Response(status=307, headers={"Location": self.next_url + request.path_qs})
        if behaviour == "foreign":
            return web.Response(status=404, text="<html>no such page</html>")
        if behaviour == "garbage":
            return web.Response(text="<html>")
        if behaviour.isdigit():
            body = {"error_code": "odd", "description": "an error"}
            return web.json_response(body, status=int(behaviour), headers=self.headers)
        return web.json_response(self.number)


@asynccontextmanager
async def serving(*nodes: Node) -> AsyncIterator[list[str]]:
    """Serve nodes, and return their URLs. A node that "refuses" is not served."""
    async with AsyncExitStack() as stack:
        runners: list[web.ServerRunner] = []
        for number, node in enumerate(nodes, 1):
            runner = web.ServerRunner(web.Server(node.serve), shutdown_timeout=0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            node.number, node.url = number, f"http://127.0.0.1:{runner.addresses[0][1]}"
            runners.append(runner)
        # Not before all listen, or a later one could be given the same port.
        for node, runner in zip(nodes, runners, strict=True):
            if node.behaviour == "refuses":
                await runner.cleanup()
        for node, following in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            node.next_url = following.url
        yield [node.url for node in nodes]


@asynccontextmanager
async def transport_to(*nodes: Node, **options: object) -> AsyncIterator[Transport]:
    """Serve nodes, and return a transport to them."""
    async with serving(*nodes) as urls:
        settings = {"username": "ops", "password": PASSWORD, "request_timeout": 15} | options
        transport = ActionsClient(urls, **settings)._transport  # type: ignore[arg-type]
        try:
            yield transport
        finally:
            await transport.close()


def decode(reply: Reply) -> str:
    """Decode the number of a node."""
    if reply.status == 404:
        raise foreign_404("/v1/actions", reply.body)
    if not reply.body.isdigit():
        raise UnreadableReply("GET", "/v1/actions", problem="no number")
    return reply.body.decode()


class CountingGate:
    """Gate that counts the requests that it admits."""

    def __init__(self) -> None:
        self.admitted = 0

    async def admit(self) -> None:
        """Count a request."""
        self.admitted += 1


async def get(
    transport: Transport, gate: CountingGate | None = None, path: str = "/v1/actions"
) -> str:
    """GET the number of the node that answers."""
    return await transport.get(path, permission="p", decode=decode, gate=gate)
