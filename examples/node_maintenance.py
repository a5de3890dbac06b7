"""Put a node into maintenance mode, work on it, and always take it out of that mode again.

Usage: python examples/node_maintenance.py [NODE_UID]
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from where import a_cluster


# Seconds. The cluster may be changing its primary, or be busy with the node or the database.
BUSY: Final = 600
OUTAGE: Final = 300
LONGEST: Final = 3600


async def main(node_uid: int) -> None:
    """Do the maintenance, if the cluster is healthy and no other node is in maintenance mode."""
    async with (
        a_cluster() as client,
        client.nodes.maintenance(
            node_uid, timeout=LONGEST, busy_timeout=BUSY, outage_timeout=OUTAGE
        ),
    ):
        print(f"node {node_uid} is in maintenance: now is the time to patch and restart it")
    print(f"node {node_uid} is back")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 2))
