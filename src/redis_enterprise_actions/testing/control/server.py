"""`ControlServer`: the control API of a fake cluster, on a port of its own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from aiohttp import web

from redis_enterprise_actions.testing.server.nodes import cut

from .app import PREFIX, ControlApi


if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from redis_enterprise_actions.testing.cluster import FakeCluster


class ControlServer:
    """The control API of a cluster, served inside `async with`, which begins after the cluster's.

    Programs in any language call it to plan work, inject faults, stop nodes, set the clock and
    reset the cluster. The API has no credentials and is for tests only: it listens on 127.0.0.1
    unless `host` names another address or name of this machine. `port` 0 takes a free one.

    Raises `ValueError` for an empty `host`, and `OSError` if it cannot listen there.

        async with FakeCluster() as cluster, ControlServer(cluster) as control:
            print(control.url)
    """

    def __init__(self, cluster: FakeCluster, *, port: int = 0, host: str = "127.0.0.1") -> None:
        if not host:  # which would be all addresses of this machine
            raise ValueError("host is an address or a name of this machine")
        self._cluster = cluster
        self._port = port
        self._host = host
        self._url: str | None = None
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Address of the API, such as `http://127.0.0.1:43217/_fake/`.

        Raises `RuntimeError` outside `async with`.
        """
        if self._url is None:
            raise RuntimeError("the control API is served inside `async with` only")
        return self._url

    async def __aenter__(self) -> Self:
        # The API is a part of the fake.
        timeline = self._cluster._timeline  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        clock = self._cluster._clock  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        api = ControlApi(self._cluster, clock, timeline, self._host)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(api.close)
            # Calls go on if their clients leave, by a task of their own.
            runner = web.AppRunner(
                api.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0
            )
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            assert runner.server is not None, "it was set up"
            listener = await asyncio.get_running_loop().create_server(
                runner.server, self._host, self._port
            )
            stack.callback(listener.close)
            stack.push_async_callback(cut, listener, runner)
            self._stack = stack.pop_all()
        host, port = listener.sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self._url = f"http://{shown}:{port}{PREFIX}"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._url = None
        await self._stack.aclose()
