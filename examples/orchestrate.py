"""Orchestrator that awaits several actions at once, and reacts as each one ends.

Usage: python examples/orchestrate.py [UID ...]
"""

from __future__ import annotations

import asyncio

from where import somewhere

from redis_enterprise_actions import ActionsClient, WaitError


async def follow(client: ActionsClient, uid: str) -> str:
    """Await one action and print how it ended; a failure does not end the other waits."""
    try:
        action = await client.wait_for_action(uid, timeout=3600)
    except WaitError as error:
        print(error)
        return "not completed"
    print(f"{action.title} is done")
    return "completed"


async def main() -> None:
    """Await all actions in a TaskGroup."""
    async with somewhere("SMCreateBDB", "retry_bdb", "export") as (client, uids):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follow(client, uid)) for uid in uids]
        print([task.result() for task in tasks])


asyncio.run(main())
