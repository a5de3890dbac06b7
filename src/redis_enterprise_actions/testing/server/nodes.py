"""HTTP servers of the fake cluster's nodes, and the choice of the primary."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aiohttp import web

from .task_lock import TaskLock


if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection

_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128
_LAST_PORT: Final = 65_535
# aiohttp registers an accepted connection a few turns of the loop later; until then, the server
# cannot abort it.
_TURNS: Final = 10


def inside_address(number: int) -> str:
    """Return the address of a node inside the cluster's network."""
    return f"10.0.0.{number}"


class NodeServer:
    """Server of one node; the node keeps its port until the cluster is closed."""

    def __init__(
        self,
        number: int,
        *,
        port: int,
        app: Callable[[int], web.Application],
        tls: ssl.SSLContext | None,
    ) -> None:
        self.number = number
        self.is_running = False
        self._wanted_port = port
        self._app = app
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the port and the loop."""
        self._port = self._wanted_port
        self._lock = asyncio.Lock()

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{_HOST}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises `OSError` if the port is taken."""
        self.is_running = True
        try:
            async with self._lock:
                await self._listen()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Accept no more connections and abort the open ones."""
        self.is_running = False
        async with self._lock:
            listener, self._listener = self._listener, None
            runner, self._runner = self._runner, None
            try:
                await cut(listener, runner)
            finally:
                if listener is not None:
                    listener.close()
                if runner is not None:
                    await runner.cleanup()

    async def refuse(self, busy: Collection[asyncio.BaseTransport] = ()) -> None:
        """Refuse connections from now on, and abort the open ones that are not `busy`."""
        async with self._lock:
            listener, self._listener = self._listener, None
            if listener is not None:
                try:
                    await cut(listener, self._runner, busy)
                finally:
                    listener.close()

    async def accept(self) -> None:
        """Accept connections again after `refuse`. Raises `OSError` if the port was taken."""
        async with self._lock:
            if self._listener is None and self._runner is not None:
                await self._accept(self._runner)

    async def _listen(self) -> None:
        app = self._app(self.number)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
        self._runner = runner
        await runner.setup()
        await self._accept(runner)

    async def _accept(self, runner: web.AppRunner) -> None:
        assert runner.server is not None, "it was set up"
        listening = socket.create_server((_HOST, self._port), backlog=_BACKLOG)
        self._port = listening.getsockname()[1]
        # Two steps, so that a cancel of the second one leaves a listener that `stop` closes.
        self._listener = await asyncio.get_running_loop().create_server(
            runner.server, sock=listening, ssl=self._tls, backlog=_BACKLOG, start_serving=False
        )
        await self._listener.start_serving()


async def cut(
    listener: asyncio.Server | None,
    runner: web.AppRunner | None,
    busy: Collection[asyncio.BaseTransport] = (),
) -> None:
    """Accept no more connections and abort the open ones that are not `busy`."""
    if listener is not None:
        # A connection that is accepted on a closed listener fails, and leaks.
        for each in listener.sockets:
            with suppress(NotImplementedError):  # a loop that does not watch sockets, on Windows
                asyncio.get_running_loop().remove_reader(each.fileno())
    for _ in range(_TURNS):
        server = None if runner is None else runner.server
        known = [] if server is None else [each.transport for each in server.connections]
        for transport in filter(None, known):  # None closes by itself
            if transport not in busy:
                transport.abort()
        await asyncio.sleep(0)


class NodeServers:
    """Servers of all nodes of a cluster, numbered from 1, and the choice of the primary.

    The nodes in `gone` were removed and cannot start again. Those in `outside` are installed, but
    are in no cluster, and are no primary.

    `lock` is held by the task that opens, closes, resets, starts or stops nodes. Whoever looks at
    the nodes before that holds it from then on.
    """

    def __init__(
        self,
        count: int,
        *,
        port: int,
        app: Callable[[int], web.Application],
        tls: ssl.SSLContext | None,
    ) -> None:
        if count < 1:
            raise ValueError("a cluster has 1 node or more")
        if not 0 <= port <= (_LAST_PORT + 1 - count if port else 0):
            raise ValueError(f"port is 0 to {_LAST_PORT}, also that of the last node")
        self._nodes = [
            NodeServer(number, port=port + number - 1 if port else 0, app=app, tls=tls)
            for number in range(1, count + 1)
        ]
        self.gone: set[int] = set()
        self.outside: set[int] = set()
        self.lock = TaskLock()
        self._primary: int | None = 1
        self._open = False

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def primary(self) -> int | None:
        return self._primary

    @primary.setter
    def primary(self, number: int | None) -> None:
        if number is not None:
            self.check(number)
            if number in self.outside:
                raise ValueError(f"node {number} is in no cluster")
        self._primary = number

    @property
    def urls(self) -> list[str]:
        self.check_open()
        return [node.url for node in self._nodes]

    def url_of(self, number: int) -> str:
        return self._nodes[number - 1].url

    @property
    def running(self) -> list[int]:
        return [node.number for node in self._nodes if node.is_running]

    @property
    def running_members(self) -> list[int]:
        """Numbers of the running nodes that are in the cluster."""
        return [number for number in self.running if number not in self.outside]

    def addresses_of(self, number: int) -> set[str]:
        """Return what names a node: its address inside the cluster's network, and its URL's."""
        url = self.url_of(number)
        return {inside_address(number), _HOST, url, url.partition("://")[2]}

    def check(self, number: int) -> None:
        if not 1 <= number <= len(self):
            raise ValueError(f"there is no node {number}: the cluster has {len(self)}")

    def check_open(self) -> None:
        if not self._open:
            raise RuntimeError("the cluster runs inside `async with` only")

    def check_closed(self) -> None:
        if self._open:
            raise RuntimeError("the cluster runs already")

    async def open(self) -> None:
        async with self.lock:
            self.check_closed()
            try:
                await self.start_all()
            except BaseException:
                await self.close()
                raise
            self._open = True

    async def close(self) -> None:
        async with self.lock:
            self._open = False
            await self.stop_all()
            for node in self._nodes:
                node.reset()

    async def start_all(self) -> None:
        for node in self._nodes:
            await node.start()

    async def stop_all(self) -> None:
        for node in self._nodes:
            node.is_running = False  # at once, so that requests until it has stopped are cut
        for node in self._nodes:
            await node.stop()

    async def refuse(self, number: int, busy: Collection[asyncio.BaseTransport]) -> None:
        """Let a node refuse connections; see `NodeServer.refuse`."""
        await self._nodes[number - 1].refuse(busy)

    async def accept(self, number: int) -> None:
        """Let a node accept connections again; see `NodeServer.accept`."""
        await self._nodes[number - 1].accept()

    def forget_changes(self) -> None:
        """Make all nodes members again, and the first one the primary."""
        self.gone.clear()
        self.outside.clear()
        self._primary = 1

    async def start(self, number: int) -> None:
        """Start a stopped node, as the primary if there is none."""
        async with self.lock:
            self.check_open()
            self.check(number)
            if number in self.running:
                raise ValueError(f"node {number} runs already")
            if number in self.gone:
                raise ValueError(f"node {number} was removed")
            await self._nodes[number - 1].start()
            is_primary = self._primary is None and number not in self.outside
            self._primary = number if is_primary else self._primary

    async def stop(self, number: int) -> None:
        """Stop a running node; if it was the primary, another one becomes it at once."""
        async with self.lock:
            self.check_open()
            self.check(number)
            if number not in self.running:
                raise ValueError(f"node {number} is stopped already")
            stopping = self._nodes[number - 1].stop()
            if self._primary == number:
                others = (each for each in self.running_members if each != number)
                self._primary = next(others, None)
            await stopping

    def elect(self) -> None:
        """Make the lowest running node the primary, if there is none."""
        if self._primary is None:
            self._primary = next(iter(self.running_members), None)

    def fail_over(self, to: int | None) -> None:
        """Move the primary, if there is one, to a running node, by default the lowest other one."""
        others = [number for number in self.running_members if number != self._primary]
        if self._primary is not None and others:
            self._primary = to if to in others else others[0]
