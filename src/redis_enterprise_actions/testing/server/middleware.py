"""HTTP middleware of the fake cluster: request log, faults, redirects, authentication."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import hdrs, web
from aiohttp.http import SERVER_SOFTWARE

from redis_enterprise_actions.testing.settings import SeenRequest
from redis_enterprise_actions.testing.wrong_argument import WrongArgument

from .faults import Fault, disconnect, next_fault, send_half, spoil
from .nodes import inside_address


if TYPE_CHECKING:
    from aiohttp.typedefs import Handler
    from aiohttp.typedefs import Middleware as AiohttpMiddleware

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.settings import ClusterSettings

    from .auth import Authentication
    from .chaos import ChaosRunner
    from .nodes import NodeServers


# The body of a 503 during an election is not documented.
_NO_PRIMARY: Final = {"error_code": "no_primary", "description": "the cluster has no primary node"}

_SERVER: Final = "envoy"  # seen on real clusters
_INSIDE_PORT: Final = 9443  # of the API, inside the cluster's network
_BOOTSTRAP: Final = "/v1/bootstrap"
# Routes on which each node answers for itself.
_LOCAL: Final = ("/v1/local/", "/v2/local/")


class NodeStates(Protocol):
    """The parts of the bootstraps of a cluster's nodes that the middleware depends on."""

    def gateway_status(self, node: int) -> int | None:
        """Return the status that the gateway of a node answers while its services restart."""
        ...

    def demands_credentials(self, node: int) -> bool:
        """Return True if a node is in an active cluster, or about to be."""
        ...


class Middleware:
    """aiohttp middleware of the nodes: request log, faults, redirects, authentication.

    `faults` has the injected faults, the oldest first. No request is answered before `admit`.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        *,
        nodes: NodeServers,
        authentication: Authentication,
        chaos: ChaosRunner,
        states: NodeStates,
        clock: Clock,
    ) -> None:
        self.faults: list[Fault] = []
        self._settings = settings
        self._nodes = nodes
        self._authentication = authentication
        self._chaos = chaos
        self._states = states
        self._clock = clock
        self._admitted = asyncio.Event()

    def admit(self) -> None:
        """Let requests be answered, as the cluster is complete."""
        self._admitted.set()

    def for_node(self, node: int) -> AiohttpMiddleware:
        """Return the middleware of one node."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await self._log(node, request, handler)
            return web.Response() if response is None else response  # None: the client is gone

        return middleware

    async def _log(
        self, node: int, request: web.Request, handler: Handler
    ) -> web.StreamResponse | None:
        """Answer a request and record it; return None if the connection was closed."""
        await self._admitted.wait()
        if node not in self._nodes.running:  # the client connected while the node stopped
            disconnect(request)
            return None
        seen = SeenRequest(
            time=self._clock.now(),
            method=request.method,
            path=request.raw_path,
            node=node,
            has_credentials=self._authentication.has_credentials(request),
        )
        self._settings.requests.append(seen)
        response = await self._answer_with_faults(node, request, handler)
        if response is not None:
            seen.status = response.status
            response.headers.setdefault(hdrs.DATE, self._clock.http_date())
            response.headers.setdefault(hdrs.SERVER, _SERVER)
        return response

    async def complete(self, _: web.Request, response: web.StreamResponse) -> None:
        """Set the headers of an answer that is truncated, or that aiohttp gives by itself."""
        if response.headers[hdrs.SERVER] == SERVER_SOFTWARE:
            response.headers[hdrs.DATE] = self._clock.http_date()
            response.headers[hdrs.SERVER] = _SERVER

    async def _answer_with_faults(
        self, node: int, request: web.Request, handler: Handler
    ) -> web.StreamResponse | None:
        fault = next_fault(self.faults, request.method, request.path, node)
        fault = fault or self._chaos.fault(request.method, request.path, node)
        if fault is None:
            return await self._answer(node, request, handler)
        if fault.hang:
            await asyncio.get_running_loop().create_future()  # cancelled when the client leaves
        await self._clock.sleep(fault.delay)
        if fault.drop:
            disconnect(request)
            return None
        if fault.status is not None:
            return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
        response = await self._answer(node, request, handler)
        if fault.lose:
            disconnect(request)
            return None
        if fault.bad_entry or fault.nan or fault.no_handle:
            spoil(response, fault)
        if fault.truncate:
            await send_half(request, response)
            return None
        return response

    async def _answer(
        self, node: int, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Answer as clusters do: redirect to the primary, authenticate, then serve the route.

        A node answers by itself about its bootstrap. Other routes of a node that is in no cluster
        are answered 503 ("not a cluster member"); that its body is empty, is a guess.
        """
        gateway = self._states.gateway_status(node)
        if gateway is not None:
            return web.Response(status=gateway)
        if request.path == _BOOTSTRAP or request.path.startswith(f"{_BOOTSTRAP}/"):
            if not self._states.demands_credentials(node):
                return await _serve(request, handler)
        elif node in self._nodes.outside:
            return web.Response(status=503)
        elif not request.path.startswith(_LOCAL):
            redirect = self._redirect(node, request)
            if redirect is not None:
                return redirect
        if not self._authentication.is_authorized(request):
            return self._authentication.unauthorized()
        return await _serve(request, handler)

    def _redirect(self, node: int, request: web.Request) -> web.Response | None:
        """Return the answer of a node that is not the primary, or None if it serves the route."""
        primary = self._nodes.primary
        if primary is None:
            return web.json_response(_NO_PRIMARY, status=503)
        if node != primary and not self._settings.handle_redirects:
            inside = None
            if self._chaos.redirects_inside:
                inside = f"https://{inside_address(primary)}:{_INSIDE_PORT}"
            base = self._settings.redirect_to or inside or self._nodes.url_of(primary)
            location = f"{base.rstrip('/')}{request.raw_path}"
            return web.Response(status=307, headers={"Location": location})
        return None


async def _serve(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Serve a route; an error that it raises is an answer."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.Response(status=error.status, text=error.text, content_type=error.content_type)
    except WrongArgument as error:  # of a plan that does not fit the work of the call
        fields = {"error_code": "wrong_plan", "description": f"{error.argument}: {error}"}
        return web.json_response(fields, status=500)
