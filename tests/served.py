"""A fake cluster for commands: it is served in a thread, as they run a loop of their own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

from redis_enterprise_actions.testing import FakeCluster


if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class Served:
    """A fake cluster in a thread of its own, so that commands can run in this one."""

    def __init__(self, **options: object) -> None:
        self.cluster = FakeCluster(**options)  # type: ignore[arg-type]
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with self.cluster:
            self._up.set()
            await self._end.wait()

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def do(self, deed: Callable[[FakeCluster], _T]) -> _T:
        """Do something to the cluster, on its loop."""

        async def on_the_loop() -> _T:
            return deed(self.cluster)

        return asyncio.run_coroutine_threadsafe(on_the_loop(), self._loop).result(10)

    def add(self, *args: object, **options: object) -> str:
        """Call `add_action` on the cluster's loop."""
        return self.do(lambda cluster: cluster.add_action(*args, **options))  # type: ignore[arg-type]
