"""Temporal activity that upgrades a database, only once even if its worker dies.

The activity's heartbeats carry the reference to the upgrade. The next attempt finds it there, and
continues the wait instead of starting another upgrade. Temporal's own limits apply: give the
activity a heartbeat_timeout of a minute, and a start_to_close_timeout longer than any upgrade
takes.

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
    """Upgrade a database, or wait for the upgrade of an earlier attempt; return how it ended."""
    async with ActionsClient.from_env() as client:
        operation = await started(client, bdb_uid)
        async with heartbeats(operation):
            try:
                action = await operation.wait(timeout=3600, outage_timeout=300)
            except WaitTimeout:
                raise  # the next attempt goes on waiting
            except WaitError as error:
                kind = type(error).__name__
                raise ApplicationError(str(error), type=kind, non_retryable=True) from error
    return str(action)


async def started(client: ActionsClient, bdb_uid: int) -> Operation:
    """Return the upgrade that an earlier attempt has started, or start one."""
    for ref in activity.info().heartbeat_details:
        return client.operation(ref)
    try:
        return await client.databases.upgrade(bdb_uid)
    except AnswerLost as lost:
        if lost.ref is None:
            raise
        return client.operation(lost.ref)  # the wait shows if the cluster accepted the call


@asynccontextmanager
async def heartbeats(operation: Operation) -> AsyncIterator[None]:
    """Send heartbeats with the reference to Temporal until the block ends."""

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
