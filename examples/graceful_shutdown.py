"""Orchestrator that can be stopped at any time: SIGTERM ends its waits, not the upgrades.

The orchestrator upgrades databases, and keeps the references to running upgrades in a file. When it
is stopped, the references stay there; when it is started again, it waits for those upgrades, too.

Usage: python examples/graceful_shutdown.py FILE [BDB_UID ...]
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from where import a_cluster

from redis_enterprise_actions import WaitError


if TYPE_CHECKING:
    from redis_enterprise_actions import ActionsClient


class UnderWay:
    """References to running upgrades, in a file that is replaced atomically."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.refs: list[str] = json.loads(file.read_text("utf-8")) if file.exists() else []

    def add(self, ref: str) -> None:
        """Add the reference to an upgrade that has just begun."""
        self._write([*self.refs, ref])

    def remove(self, ref: str) -> None:
        """Remove the reference to an upgrade that has ended."""
        self._write([each for each in self.refs if each != ref])

    def _write(self, refs: list[str]) -> None:
        self.refs = refs
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(refs), "utf-8")
        new.replace(self._file)


async def start(client: ActionsClient, bdb: int, under_way: UnderWay) -> None:
    """Start an upgrade. SIGTERM does not interrupt this, as the reference would be lost."""
    operation = await client.databases.upgrade(bdb)
    if operation.ref is not None:
        under_way.add(operation.ref)


async def follow(client: ActionsClient, ref: str, under_way: UnderWay) -> None:
    """Wait for an upgrade, and remove its reference when its end is known."""
    try:
        print(await client.operation(ref).wait(outage_timeout=300))  # also if it is away at first
    except WaitError as error:
        print(error)
    under_way.remove(ref)


async def follow_all(client: ActionsClient, under_way: UnderWay) -> None:
    """Wait for all running upgrades."""
    async with asyncio.TaskGroup() as group:
        for ref in under_way.refs:
            group.create_task(follow(client, ref, under_way))


async def orchestrate(client: ActionsClient, file: Path, bdbs: list[int]) -> bool:
    """Upgrade until SIGTERM or the end; return True if all upgrades have ended."""
    under_way, stop = UnderWay(file), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    for ref in under_way.refs:
        print(f"going on with {ref}")
    for bdb in bdbs:
        if not stop.is_set():
            await start(client, bdb, under_way)
    waiting = asyncio.create_task(follow_all(client, under_way))
    stopping = asyncio.create_task(stop.wait())
    stopping.add_done_callback(lambda _: waiting.cancel())  # which cancels nothing on the cluster
    try:
        await waiting
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        print(f"stopped; under way: {len(under_way.refs)}")
    finally:
        stopping.cancel()
    return not stop.is_set()


async def main() -> None:
    """Follow the arguments; on a fake cluster, stop once and start again."""
    async with a_cluster() as client:
        if sys.argv[1:]:
            file, *bdbs = sys.argv[1:]
            await orchestrate(client, Path(file), [int(bdb) for bdb in bdbs])
            return
        with tempfile.TemporaryDirectory() as place:
            asyncio.get_running_loop().call_later(0.2, signal.raise_signal, signal.SIGTERM)
            file = Path(place) / "under-way.json"
            if not await orchestrate(client, file, [1, 2]):
                await orchestrate(client, file, [])
        print("all is done")


asyncio.run(main())
