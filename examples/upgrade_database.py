"""Upgrade a database, and continue when that has completed.

Usage: python examples/upgrade_database.py [BDB_UID]
"""

from __future__ import annotations

import asyncio
import sys

from where import a_cluster


async def main(bdb_uid: int) -> None:
    """Start the upgrade, print its progress, and print how it ended."""
    async with a_cluster() as client:
        upgrade = await client.databases.upgrade(bdb_uid, busy_timeout=600)
        print(f"follow it from anywhere with: redis-actions wait {upgrade.ref}")
        action = await upgrade.wait(timeout=3600, stall_timeout=900, on_progress=print)
        print(f"{action.title} is done")


asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 1))
