"""What happens to a request on its way in: the log, faults, redirects, credentials."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from .faults import Fault, disconnect, next_fault, send_half, spoil


if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from .auth import Door
    from .chaos import Player
    from .nodes import Nodes

# What a node says in an election is not documented.
_NO_PRIMARY: Final = {"error_code": "no_primary", "description": "the cluster has no primary node"}


@dataclass(kw_only=True, slots=True)
class SeenRequest:
    """A request that the cluster got, and what it answered.

    `time` is the loop's, in seconds; `path` is as it was sent, still quoted; `status` is None
    until it is answered, and for ever if the connection was dropped or cut off; `node` is the one
    that was asked. Neither headers nor bodies are kept.
    """

    time: float
    method: str
    path: str
    status: int | None = None
    node: int = 1


class House(Protocol):
    """What the gate is told by the cluster, which may be told otherwise at any time."""

    requests: list[SeenRequest]
    handle_redirects: bool
    redirect_to: str | None


class Gate:
    """The way in, the same at every node. `faults` are those still to come."""

    def __init__(self, house: House, *, nodes: Nodes, door: Door, player: Player) -> None:
        self.faults: list[Fault] = []
        self._house = house
        self._nodes = nodes
        self._door = door
        self._player = player

    def at(self, node: int) -> Middleware:
        """Return the gate of one node."""

        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            answered = await self._log(node, request, handler)
            return web.Response() if answered is None else answered  # None: nobody is there

        return gate

    async def _log(
        self, node: int, request: web.Request, handler: Handler
    ) -> web.StreamResponse | None:
        """Answer, and keep that; None if the connection is gone."""
        if node not in self._nodes.running:  # it was connected while the node stopped
            disconnect(request)
            return None
        now, path = asyncio.get_running_loop().time(), request.raw_path
        seen = SeenRequest(time=now, method=request.method, path=path, node=node)
        self._house.requests.append(seen)
        response = await self._answer(node, request, handler)
        if response is not None:
            seen.status = response.status
            response.headers.setdefault("Date", self._door.date())
            response.headers.setdefault("Server", "envoy")  # seen on real clusters
        return response

    async def _answer(
        self, node: int, request: web.Request, handler: Handler
    ) -> web.StreamResponse | None:
        """Let faults happen before anything else, and to the answer."""
        fault = next_fault(self.faults, request.method, request.path, node) or self._player.fault(
            node
        )
        if fault is None:
            return await self._rightly(node, request, handler)
        await asyncio.sleep(fault.delay)
        if fault.drop:
            disconnect(request)
            return None
        if fault.status is not None:
            return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
        response = await self._rightly(node, request, handler)
        if fault.lose:
            disconnect(request)
            return None
        if fault.bad_entry or fault.nan or fault.no_handle:
            spoil(response, fault)
        if fault.truncate:
            await send_half(request, response)
            return None
        return response

    async def _rightly(
        self, node: int, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Redirect, ask for credentials, and answer, as clusters do."""
        primary = self._nodes.primary
        if primary is None:
            return web.json_response(_NO_PRIMARY, status=503)
        if node != primary and not self._house.handle_redirects:
            base = self._house.redirect_to or self._nodes.url_of(primary)
            location = f"{base.rstrip('/')}{request.raw_path}"
            return web.Response(status=307, headers={"Location": location})
        if not self._door.admits(request):
            return self._door.refusal()
        try:
            return await handler(request)
        except web.HTTPException as error:
            kind = error.content_type
            return web.Response(status=error.status, text=error.text, content_type=kind)
