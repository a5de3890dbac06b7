"""Upgrade a whole cluster: each node in maintenance mode, one by one, then each database.

Usage: python examples/rolling_upgrade.py [NODE_UIDS] [BDB_UIDS]     such as 1,2,3 1,2
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from node_maintenance import BUSY, LONGEST, OUTAGE
from where import a_cluster


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from redis_enterprise_actions import ActionsClient


async def rolling_upgrade(
    client: ActionsClient,
    node_uids: Iterable[int],
    bdb_uids: Iterable[int],
    upgrade_node: Callable[[int], Awaitable[object]],
) -> None:
    """Upgrade node by node, then database by database; stop at the first that fails.

    The next node has to wait until the cluster is healthy, and a node never goes into maintenance
    beside another one.
    """
    for node_uid in node_uids:
        await client.cluster.wait_healthy(timeout=LONGEST, outage_timeout=OUTAGE)
        async with client.nodes.maintenance(
            node_uid, timeout=LONGEST, busy_timeout=BUSY, outage_timeout=OUTAGE
        ):
            await upgrade_node(node_uid)
        print(f"node {node_uid} is upgraded")
    for bdb_uid in bdb_uids:
        upgrade = await client.databases.upgrade(bdb_uid, busy_timeout=BUSY, outage_timeout=OUTAGE)
        await upgrade.wait(timeout=LONGEST, outage_timeout=OUTAGE)
        print(f"database {bdb_uid} is upgraded")


async def install(node_uid: int) -> None:
    """Print a line; replace this by your own upgrade of a node, such as a playbook."""
    print(f"node {node_uid} is in maintenance, and its software is being replaced")


async def main(node_uids: list[int], bdb_uids: list[int]) -> None:
    """Upgrade everything."""
    async with a_cluster() as client:
        await rolling_upgrade(client, node_uids, bdb_uids, install)
    print("all is upgraded")


def uids(position: int, default: str) -> list[int]:
    """Read uids, with commas between them, from the command line."""
    argument = sys.argv[position] if len(sys.argv) > position else default
    return [int(each) for each in argument.split(",")]


if __name__ == "__main__":
    asyncio.run(main(uids(1, "1,2,3"), uids(2, "1,2")))
