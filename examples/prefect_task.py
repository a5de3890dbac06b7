"""Prefect flow that upgrades a database: starts the upgrade once, and retries only the wait.

One task starts the upgrade, another one waits for it, and only the latter is retried. Its argument
is a reference, a line of text that Prefect can store, so that a retry starts nothing.

Usage: python examples/prefect_task.py BDB_UID, with the cluster in REDIS_ENTERPRISE_URL etc.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger, task

from redis_enterprise_actions import ActionsClient, RequestError


if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import TaskRun
    from prefect.states import State


async def is_out_of_reach(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return True if the cluster gave no usable answer, so that a retry can help."""
    try:
        await state.aresult()
    except RequestError:
        return True
    except Exception:  # noqa: BLE001 - after any other error, a retry would not help
        return False
    return False


@task
async def start_upgrade(bdb_uid: int) -> str | None:
    """Start the upgrade, and return its reference."""
    async with ActionsClient.from_env() as client:
        return (await client.databases.upgrade(bdb_uid)).ref


@task(retries=10, retry_delay_seconds=60, retry_condition_fn=is_out_of_reach)
async def await_upgrade(ref: str) -> str:
    """Wait for the work of a reference; log its progress in the log of the run."""
    async with ActionsClient.from_env() as client:
        logger = get_run_logger()
        action = await client.operation(ref).wait(
            timeout=3600, outage_timeout=300, on_progress=logger.info
        )
    return str(action)


@flow
async def upgrade_database(bdb_uid: int) -> str:
    """Upgrade a database, and return how that ended."""
    ref = await start_upgrade(bdb_uid)
    return await await_upgrade(ref) if ref else "there was nothing to do"


if __name__ == "__main__":
    print(asyncio.run(upgrade_database(int(sys.argv[1]))))
