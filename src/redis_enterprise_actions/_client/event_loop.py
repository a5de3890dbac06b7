"""`HomeLoop`: the one event loop that a client is used in."""

from __future__ import annotations

import asyncio
from typing import Final

from redis_enterprise_actions._model.errors import UsageError


_OTHER: Final = (
    "the client belongs to the event loop that it was first used in, and this is another one: make "
    "a client inside the coroutine that asyncio.run() runs, or use redis_enterprise_actions.sync"
)
_OPEN: Final = (
    "the client belongs to another event loop, which is still open: close the client in that loop"
)


class HomeLoop:
    """Event loop of a client: the one that it is first used in."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self) -> None:
        """Note the running loop at the first use. Raises `UsageError` in another one."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self.check()
            self._loop = loop

    def check(self) -> None:
        """Raise `UsageError` if the client was used in another loop than the running one."""
        if self._loop not in {None, asyncio.get_running_loop()}:
            raise UsageError(_OTHER)

    def leave(self) -> None:
        """Forget the loop, as the client is closed. Raises `UsageError` if another loop is open."""
        loop = self._loop
        if loop is not None and loop is not asyncio.get_running_loop() and not loop.is_closed():
            raise UsageError(_OPEN)
        self._loop = None
