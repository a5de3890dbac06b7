"""Put a node into maintenance mode, work on it, and always take it out of that mode again.

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
        """Call of the client that starts an action of a node."""

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
    """Keep a node in maintenance mode; take it out again even if switching that on failed.

    A cancelled script does so, too, whenever it is cancelled; this can take a while.
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
            await off  # at Ctrl-C, the loop does not wait for tasks that are not awaited


async def switch_off(client: ActionsClient, node_uid: int, begun: Awaitable[Operation]) -> None:
    """Cancel switching maintenance on if that has not ended, and switch maintenance off.

    Activations of maintenance stack: if the cluster refused the call, there is none to switch off.
    """
    on = await begun
    with suppress(RequestError):  # usually because the action has ended
        await on.cancel()
    with suppress(WaitError, RequestError):
        await on.wait(timeout=LONGEST, outage_timeout=OUTAGE)
    off = await begin(client, client.nodes.maintenance_off, node_uid)
    await off.wait(timeout=LONGEST, outage_timeout=OUTAGE)


async def begin(client: ActionsClient, call: Call, node_uid: int) -> Operation:
    """Start an action of a node once; repeat the call only if the cluster did not receive it."""
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
