"""`ReplayedCluster`: servers on 127.0.0.1 that give the answers of a capture."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import hdrs, web

from redis_enterprise_actions.testing.clock import Clock
from redis_enterprise_actions.testing.clocked import Clocked
from redis_enterprise_actions.testing.server.faults import disconnect, send_half
from redis_enterprise_actions.testing.server.nodes import NodeServers
from redis_enterprise_actions.testing.settings import SeenRequest

from .capture_file import PLAYED_HEADERS, read_capture
from .choice import Recording, request_key, switches


if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from .capture_file import RecordedExchange
    from .choice import RequestKey, Switch

_TICK: Final = 2e-3  # seconds; the times of a capture have three decimals
_PATIENCE: Final = 1.0  # seconds beyond those after which the client of the capture has left
_KEPT: Final = 2**20  # bytes of a request that are compared to those of the capture
_PIECE: Final = 2**20  # bytes
# Keeps aiohttp from adding the present date, and a type, until it is removed.
_ABSENT: Final = ""
_OWN_HEADERS: Final = (hdrs.DATE, hdrs.CONTENT_TYPE)
_TOO_LARGE: Final = 65  # pieces; the client of this package reads 64


class ReplayedCluster(Clocked):
    """A cluster on 127.0.0.1 that answers as in a capture, inside `async with`.

    `FakeCluster.replay` makes it. It has as many nodes as the capture names, in the same order. Any
    credentials are accepted; an answer of 401 that was recorded is given.

    - A request is answered as one of the same method, path and query was by the same node, or else
      by another one. If there is none, the answer is 404, and its description says so.
    - Time counts from the first request, which stands for the first of the capture. Of the answers
      to a request that only reads, the one of the present time is given: the next one, up to a
      second early. If that is too early, the last answer is given once more, and a failure that has
      passed is left out. After the end of the capture, the last ordinary answer is given.
    - Requests that may change something get one answer after the other, at whatever time; those
      that were sent with the same body first. Their bodies need not be the same, as those of a
      capture have other values. None that was executed, or may have been, is left out.
    - Answers take as long as in the capture. A lost connection, an answer that never came and one
      that was cut off are repeated as they were. A node refuses connections for as long as it did.
    - Where bodies and redirects name the URL of a node, it is that of this cluster.

    `username` and `password` are those of any client. `requests` has the requests so far, and
    `unexpected` those that the capture has no answer to.

    If a node cannot accept connections again, as its port was taken, that `OSError` is raised at
    the end of `async with`.
    """

    def __init__(self, path: str | Path, *, port: int = 0, speed: float = 1.0) -> None:
        self._capture = read_capture(path)
        self.username = "admin@example.com"
        self.password = "fake-password"  # noqa: S105 - of a cluster that is not there
        self.basic = True
        self.requests: list[SeenRequest] = []
        self.unexpected: list[SeenRequest] = []
        self._clock = Clock(speed=speed)
        self._nodes = NodeServers(len(self._capture.nodes), port=port, app=self._app, tls=None)
        self._set_up()

    def _set_up(self) -> None:
        self._recording = Recording(self._capture.exchanges)
        self._switches = deque(switches(self._capture.exchanges))
        self._began = False  # True once there was a request
        self._origin = 0.0  # time of the clock at which the capture began
        self._switching: asyncio.Task[None] | None = None
        self._switch_lock = asyncio.Lock()
        self._down: set[int] = set()  # nodes
        self._busy: set[asyncio.BaseTransport] = set()  # connections with a request under way
        self._error: OSError | None = None

    async def __aenter__(self) -> Self:
        self._set_up()
        self._clock.start()
        await self._nodes.open()
        self._bodies: dict[int, bytes] = {}  # by the identity of the exchange
        self._urls = dict(zip(self._capture.nodes, self.urls, strict=True))
        names = "|".join(map(re.escape, sorted(self._urls, key=len, reverse=True)))
        self._node_url = re.compile(f"(?:{names})(?![A-Za-z0-9_.:-])")
        if self._switches and self._switches[0].at == -inf:
            await self._switch_nodes(-inf)
            # The first requests are refused, so that their time cannot be seen.
            self._start_at(self._capture.exchanges[0].at)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self._switching is not None:
                self._switching.cancel()
                await asyncio.wait([self._switching])
        finally:
            await self._nodes.close()
        if self._error is not None:
            raise self._error

    @property
    def url(self) -> str:
        """URL of the first node, such as `http://127.0.0.1:43215`."""
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """URL of each node, also of one that refuses connections."""
        paths = [re.sub("^https?://[^/]*", "", url) for url in self._capture.nodes]
        return [f"{url}{path}" for url, path in zip(self._nodes.urls, paths, strict=True)]

    @property
    def made_with(self) -> str:
        """Name and version of the program that made the capture."""
        return self._capture.made_with

    @property
    def unknown(self) -> dict[str, list[str]]:
        """Words that the client of the capture did not know, by the name of their field."""
        return self._capture.unknown

    @property
    def exchanges(self) -> list[RecordedExchange]:
        """The requests of the capture, in the order in which they were sent."""
        return self._capture.exchanges

    @property
    def seconds(self) -> float:
        """Seconds from the first request of the capture to the end of the last one."""
        return self._capture.seconds

    @property
    def unplayed(self) -> list[RecordedExchange]:
        """Exchanges of the capture that were not asked for so far, in their order.

        A request that was refused a connection is none of them, as a cluster does not see it.
        """
        return self._recording.unplayed

    def _app(self, node: int) -> web.Application:
        async def answer(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None, "a handler is cancelled when its client leaves"
            transport = request.transport
            self._busy.add(transport)
            try:
                response = await self._answer(node, request)
            finally:
                self._busy.discard(transport)
            if response is None:  # the client is gone
                return web.Response()
            if node in self._down:
                response.force_close()
            return response

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        app.on_response_prepare.append(_without_own_headers)
        return app

    async def _answer(self, node: int, request: web.Request) -> web.StreamResponse | None:
        """Answer a request; return None if the connection was closed."""
        prefix = re.sub("^https?://[^/]*", "", self._capture.nodes[node - 1])
        seen = SeenRequest(
            time=self._clock.now(),
            method=request.method,
            path=request.raw_path.removeprefix(prefix),
            node=node,
            has_credentials=hdrs.AUTHORIZATION in request.headers,
        )
        self.requests.append(seen)
        if not self._began:
            self._began = True
            observed = (each.at for each in self.exchanges if not each.is_unconnected)
            self._start_at(next(observed, 0.0))
        key = request_key(seen.method, seen.path)
        at, body = self._time, await _read_body(request)
        exchange = self._recording.answer(key, node, at, body)
        if exchange is None:
            self.unexpected.append(seen)
            seen.status = 404
            return _no_answer(seen)
        if exchange.failure == "cancelled":
            exchange = await self._after_cancelled(exchange, key, node)
        await self._clock.sleep_until(seen.time + exchange.took)
        # A client may ask the same node again at once, and a node that went down refuses that.
        await self._switch_nodes(self._time + _TICK)
        if exchange.failure is not None:
            await _fail(request, exchange.failure)
            return None
        response = self._response(exchange)
        seen.status = response.status
        return response

    async def _after_cancelled(
        self, exchange: RecordedExchange, key: RequestKey, node: int
    ) -> RecordedExchange:
        """Wait for the client to leave, as it did; return what came next for one that stays."""
        await self._clock.sleep(exchange.took + _PATIENCE)
        following = self._recording.answer(key, node, self._time)
        assert following is not None, "it was answered before"
        if following.failure == "cancelled":
            await asyncio.get_running_loop().create_future()  # cancelled when the client leaves
        return following

    def _response(self, exchange: RecordedExchange) -> web.Response:
        headers = {
            name: self._with_own_urls(value)
            for name, value in exchange.headers.items()
            if name.lower() in PLAYED_HEADERS
        }
        body = self._body(exchange)
        response = web.Response(status=exchange.status or 200, headers=headers, body=body)
        for name in _OWN_HEADERS:
            response.headers.setdefault(name, _ABSENT)
        return response

    def _body(self, exchange: RecordedExchange) -> bytes:
        """Return the body of an answer, which is made once: a large one takes long."""
        body = self._bodies.get(id(exchange))
        if body is None:
            body = b""
            if isinstance(exchange.json, msgspec.Raw):
                text = msgspec.json.format(bytes(exchange.json), indent=0).decode()
                body = self._with_own_urls(text).encode()
            elif isinstance(exchange.text, str):
                body = self._with_own_urls(exchange.text).encode("utf-8", "replace")
            self._bodies[id(exchange)] = body
        return body

    def _with_own_urls(self, text: str) -> str:
        """Return a text in which the URLs of the capture's nodes are those of this cluster."""
        return self._node_url.sub(lambda found: self._urls[found[0]], text)

    @property
    def _time(self) -> float:
        """Present time of the capture."""
        return self._clock.now() - self._origin

    def _start_at(self, at: float) -> None:
        """Let this be a time of the capture, and nodes go down and up from now on."""
        self._origin = self._clock.now() - at
        if self._switching is not None:
            self._switching.cancel()
        self._switching = self._clock.start_task(self._follow_switches())

    async def _follow_switches(self) -> None:
        while self._switches:
            await self._clock.sleep_until(self._origin + self._switches[0].at)
            await self._switch_nodes(self._time + _TICK)

    async def _switch_nodes(self, until: float) -> None:
        """Let nodes refuse or accept connections, as they did up to a time of the capture."""
        async with self._switch_lock:
            while self._switches and self._switches[0].at <= until:
                await self._switch(self._switches[0])
                self._switches.popleft()  # not before: a cancelled switch is made again

    async def _switch(self, switch: Switch) -> None:
        try:
            if switch.is_up:
                self._down.discard(switch.node)
                await self._nodes.accept(switch.node)
            else:
                self._down.add(switch.node)
                await self._nodes.refuse(switch.node, self._busy)
        except OSError as error:
            self._error = error


async def _without_own_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Remove the headers that the capture has not: the server's, the date and the type."""
    response.headers.pop(hdrs.SERVER, None)
    for name in _OWN_HEADERS:
        if response.headers.get(name) == _ABSENT:
            del response.headers[name]


def _no_answer(seen: SeenRequest) -> web.Response:
    description = f"the capture has no answer to {seen.method} {seen.path}"
    body = {"error_code": "not_captured", "description": description}
    return web.json_response(body, status=404, headers={hdrs.DATE: _ABSENT})


async def _read_body(request: web.Request) -> bytes:
    """Read a body; return its beginning, enough to compare it."""
    kept = b""
    async for piece in request.content.iter_any():
        if len(kept) < _KEPT:
            kept += piece
    return kept


async def _fail(request: web.Request, failure: str) -> None:
    """Let a request fail as it has failed in the capture."""
    if failure == "timeout":
        await asyncio.get_running_loop().create_future()  # cancelled when the client leaves
    elif failure == "truncated":
        await send_half(request, web.Response(body=b"{}"))
    elif failure == "too large":
        await _send_too_much(request)
    else:
        disconnect(request)


async def _send_too_much(request: web.Request) -> None:
    """Send a body that is larger than the client of this package reads."""
    response = web.StreamResponse(headers={"Content-Length": str(_PIECE * _TOO_LARGE)})
    await response.prepare(request)
    with suppress(ConnectionError):  # the client has left
        for _ in range(_TOO_LARGE):
            await response.write(b" " * _PIECE)
