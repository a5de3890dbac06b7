"""Cache of clients, by event loop and connection settings.

A triggerer runs a thousand waits on one loop. Waits with equal settings share a client and its poll
loop; the last of them closes the client. Settings with a changed password are not equal, so later
waits use the new password.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, MutableMapping

    from redis_enterprise_actions import ActionsClient

    from .connection import ConnectionSettings


class _CachedClient:
    """A client and the number of its users."""

    def __init__(self, client: ActionsClient) -> None:
        self.client = client
        self.users = 0


_CLIENTS: Final[
    MutableMapping[asyncio.AbstractEventLoop, dict[ConnectionSettings, _CachedClient]]
] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def shared_client(settings: ConnectionSettings) -> AsyncGenerator[ActionsClient]:
    """Yield the client of these settings. Raises `UsageError` for bad ones."""
    clients = _CLIENTS.setdefault(asyncio.get_running_loop(), {})
    cached = clients.get(settings)
    if cached is None:
        cached = clients[settings] = _CachedClient(settings.make_client())
    cached.users += 1
    try:
        yield cached.client
    finally:
        cached.users -= 1
        if not cached.users:
            del clients[settings]
            await cached.client.aclose()
