"""Put a node into maintenance, do something to it, and take it out again, whatever happens.

Usage: python examples/node_maintenance.py [NODE_UID]
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from where import a_cluster

from redis_enterprise_actions import ActionNotFound, AnswerLost, RequestError, WaitError


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from typing import Protocol

    from redis_enterprise_actions import ActionsClient, Operation

    class Call(Protocol):
        """One of the client's calls about a node."""

        async def __call__(
            self, node_uid: int, /, *, busy_timeout: float, outage_timeout: float
        ) -> Operation:
            """Start an action of a node."""
            ...


# Seconds. The cluster may be changing its primary, or have an action of that kind under way.
BUSY: Final = 600
OUTAGE: Final = 300
LONGEST: Final = 3600


@asynccontextmanager
async def maintenance(client: ActionsClient, node_uid: int) -> AsyncIterator[None]:
    """Keep a node in maintenance mode; take it out again even if it never quite got there.

    A script that is cancelled does so, too, at any moment, which can take a while.
    """
    begun = asyncio.create_task(begin(client, client.nodes.maintenance_on, node_uid))
    try:
        on = await asyncio.shield(begun)
        await on.wait(timeout=LONGEST, outage_timeout=OUTAGE)
        yield
    finally:
        off = asyncio.create_task(switch_off(client, node_uid, begun))
        try:
            await asyncio.shield(off)
        finally:
            await off  # a loop that Ctrl-C ends does not wait for what nobody awaits


async def switch_off(client: ActionsClient, node_uid: int, begun: Awaitable[Operation]) -> None:
    """Take a node out of maintenance mode, after it got there, or will not any more.

    Maintenance stacks, so what was not switched on, as the call was refused, is not switched off.
    """
    on = await begun
    with suppress(RequestError):  # such as "has ended", which is the usual case
        await on.cancel()
    with suppress(WaitError, RequestError):
        await on.wait(timeout=LONGEST, outage_timeout=OUTAGE)
    off = await begin(client, client.nodes.maintenance_off, node_uid)
    await off.wait(timeout=LONGEST, outage_timeout=OUTAGE)


async def begin(client: ActionsClient, call: Call, node_uid: int) -> Operation:
    """Start an action of a node once: again only if the last call was lost on its way there."""
    while True:
        try:
            return await call(node_uid, busy_timeout=BUSY, outage_timeout=OUTAGE)
        except AnswerLost as lost:
            if lost.ref is None:
                raise
            begun = client.operation(lost.ref)
        try:
            async for _ in begun.watch(not_found_grace=60, outage_timeout=OUTAGE):
                return begun
        except ActionNotFound as never:
            print(f"once more, as {never}")


async def main(node_uid: int) -> None:
    """Do the maintenance."""
    async with a_cluster() as client, maintenance(client, node_uid):
        print(f"node {node_uid} is in maintenance: now is the time to patch and restart it")
    print(f"node {node_uid} is back")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 2))
