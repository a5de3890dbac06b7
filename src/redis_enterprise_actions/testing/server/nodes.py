"""The fake's nodes: which of them run, on which ports, and which one is the primary."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aiohttp import web


if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128
# A connection that was just accepted takes a few turns of the loop to be known, and only a known
# one can be cut.
_TURNS: Final = 10


class Node:
    """One node: a port that it keeps while the cluster is open, and a server while it runs."""

    def __init__(
        self,
        number: int,
        *,
        port: int,
        app: Callable[[int], web.Application],
        tls: ssl.SSLContext | None,
    ) -> None:
        self.number = number
        self.runs = False
        self._wanted_port = port
        self._app = app
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self.reset()

    def reset(self) -> None:
        """Let go of the port, and of the loop."""
        self._port = self._wanted_port
        self._one_by_one = asyncio.Lock()

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{_HOST}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises `OSError` if somebody else has the port."""
        self.runs = True
        try:
            async with self._one_by_one:
                await self._listen()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Let nobody in, cut what is connected, and return when it is."""
        self.runs = False
        async with self._one_by_one:
            listener, self._listener = self._listener, None
            runner, self._runner = self._runner, None
            try:
                await _cut(listener, runner)
            finally:
                if listener is not None:
                    listener.close()
                if runner is not None:
                    await runner.cleanup()

    async def _listen(self) -> None:
        app = self._app(self.number)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
        self._runner = runner
        await runner.setup()
        assert runner.server is not None, "it was set up"
        listening = socket.create_server((_HOST, self._port), backlog=_BACKLOG)
        self._port = listening.getsockname()[1]
        # In two steps, as the second one can be cancelled when it has started to listen.
        self._listener = await asyncio.get_running_loop().create_server(
            runner.server, sock=listening, ssl=self._tls, backlog=_BACKLOG, start_serving=False
        )
        await self._listener.start_serving()


async def _cut(listener: asyncio.Server | None, runner: web.AppRunner | None) -> None:
    """Accept no more, and abort what is connected."""
    if listener is not None:
        # What was accepted fails, and leaks, if it meets a closed listener.
        for each in listener.sockets:
            with suppress(NotImplementedError):  # a loop that does not watch sockets, on Windows
                asyncio.get_running_loop().remove_reader(each.fileno())
    for _ in range(_TURNS):
        server = None if runner is None else runner.server
        known = [] if server is None else [each.transport for each in server.connections]
        for transport in filter(None, known):  # None closes by itself
            transport.abort()
        await asyncio.sleep(0)


class Nodes:
    """All nodes of a cluster, numbered from 1, and what they have agreed on: the primary.

    Those that are `gone` were removed: they cannot start again.
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
        self._nodes = [
            Node(number, port=port if number == 1 else 0, app=app, tls=tls)
            for number in range(1, count + 1)
        ]
        self.gone: set[int] = set()
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
        self._primary = number

    @property
    def urls(self) -> list[str]:
        self.check_open()
        return [node.url for node in self._nodes]

    def url_of(self, number: int) -> str:
        return self._nodes[number - 1].url

    @property
    def running(self) -> list[int]:
        return [node.number for node in self._nodes if node.runs]

    def check(self, number: int) -> None:
        if not 1 <= number <= len(self):
            raise ValueError(f"there is no node {number}: the cluster has {len(self)}")

    def check_open(self) -> None:
        if not self._open:
            raise RuntimeError("the cluster runs inside `async with` only")

    async def open(self) -> None:
        try:
            for node in self._nodes:
                await node.start()
        except BaseException:
            await self.close()
            raise
        self._open = True

    async def close(self) -> None:
        self._open = False
        for node in self._nodes:
            node.runs = False  # at once: what is asked of it until it has stopped is cut
        for node in self._nodes:
            await node.stop()
            node.reset()

    async def start(self, number: int) -> None:
        """Let a stopped node run again, as the primary if there is none."""
        self.check_open()
        self.check(number)
        if number in self.running:
            raise ValueError(f"node {number} runs already")
        if number in self.gone:
            raise ValueError(f"node {number} was removed")
        await self._nodes[number - 1].start()
        if self._primary is None:
            self._primary = number

    async def stop(self, number: int) -> None:
        """Stop a running node; another one is the primary at once."""
        self.check_open()
        self.check(number)
        if number not in self.running:
            raise ValueError(f"node {number} is stopped already")
        stopping = self._nodes[number - 1].stop()
        if self._primary == number:
            self._primary = next((each for each in self.running if each != number), None)
        await stopping

    def elect(self) -> None:
        """Make the lowest running node the primary, if there is none."""
        if self._primary is None:
            self._primary = next(iter(self.running), None)

    def fail_over(self, to: int | None) -> None:
        """Move the primary, if there is one, to that node or, if it cannot be, to the lowest."""
        others = [number for number in self.running if number != self._primary]
        if self._primary is not None and others:
            self._primary = to if to in others else others[0]
