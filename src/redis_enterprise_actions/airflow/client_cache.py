"""One client for all who ask one cluster as one user, on one event loop.

A triggerer runs a thousand waits on one loop. Those with equal settings share a client, and with
it one poll loop; whoever comes last closes it. A password that is changed makes other settings, so
that waits which begin after that use the new one.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, MutableMapping

    from redis_enterprise_actions import ActionsClient

    from .connection import Settings


class _Shared:
    """A client, and how many use it."""

    def __init__(self, client: ActionsClient) -> None:
        self.client = client
        self.users = 0


_CLIENTS: Final[MutableMapping[asyncio.AbstractEventLoop, dict[Settings, _Shared]]] = (
    WeakKeyDictionary()
)


@contextlib.asynccontextmanager
async def shared_client(settings: Settings) -> AsyncGenerator[ActionsClient]:
    """Give the client that all with these settings share. Raises `UsageError` for bad ones."""
    clients = _CLIENTS.setdefault(asyncio.get_running_loop(), {})
    shared = clients.get(settings)
    if shared is None:
        shared = clients[settings] = _Shared(settings.client())
    shared.users += 1
    try:
        yield shared.client
    finally:
        shared.users -= 1
        if not shared.users:
            del clients[settings]
            await shared.client.aclose()
