"""Await one action.

Usage: python examples/await_one.py [UID]
"""

from __future__ import annotations

import asyncio

from where import somewhere


async def main() -> None:
    """Wait until the action has completed, then go on."""
    async with somewhere("SMCreateBDB") as (client, (uid, *_)):
        action = await client.wait_for_action(uid)
        print(f"{action.title} is done")


asyncio.run(main())
