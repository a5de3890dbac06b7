"""A Temporal activity that upgrades a database: a worker that dies costs no second upgrade.

Its heartbeats carry the reference of what it started. The next attempt finds it there, and goes on
waiting for that instead of starting anew. Temporal's own limits apply: give the activity a
heartbeat_timeout of a minute, and a start_to_close_timeout longer than any upgrade takes.

Usage: Worker(..., activities=[upgrade_database]), with the cluster in REDIS_ENTERPRISE_URL etc.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from temporalio import activity
from temporalio.exceptions import ApplicationError

from redis_enterprise_actions import ActionsClient, AnswerLost, WaitError, WaitTimeout


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions import Operation

BEAT = 10.0  # seconds: well below the heartbeat_timeout


@activity.defn
async def upgrade_database(bdb_uid: int) -> str:
    """Upgrade a database, or go on with what an earlier attempt has begun; say how it ended."""
    async with ActionsClient.from_env() as client:
        operation = await started(client, bdb_uid)
        async with heartbeats(operation):
            try:
                action = await operation.wait(timeout=3600)
            except WaitTimeout:
                raise  # the next attempt goes on waiting
            except WaitError as error:
                kind = type(error).__name__
                raise ApplicationError(str(error), type=kind, non_retryable=True) from error
    return str(action)


async def started(client: ActionsClient, bdb_uid: int) -> Operation:
    """Return what an earlier attempt has started, or start it."""
    for ref in activity.info().heartbeat_details:
        return client.operation(ref)
    try:
        return await client.databases.upgrade(bdb_uid)
    except AnswerLost as lost:
        if lost.ref is None:
            raise
        return client.operation(lost.ref)  # it may have been taken, and that shows there


@asynccontextmanager
async def heartbeats(operation: Operation) -> AsyncIterator[None]:
    """Tell Temporal that we live, and what for, from now until the block ends."""

    async def beat() -> None:
        while True:
            activity.heartbeat(operation.ref)
            await asyncio.sleep(BEAT)

    activity.heartbeat(operation.ref)
    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
