"""Benchmark of the memory of waits without news, beside that of tasks that await a future.

Usage: python benchmarks/memory.py [--waits 5000] [--seconds 5] [--callbacks] [--lines 15]

Traced bytes after some lists without a change. What the client keeps for an entry of the list that
nobody waits for is measured with a list of twice as many entries, and subtracted. Tracing makes
everything several times as slow, so that nothing else here is worth measuring.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
import tracemalloc
from typing import TYPE_CHECKING, Final

import truth
from processes import server
from report import row

from redis_enterprise_actions import ActionsClient


if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from processes import Server

_ENDLESS: Final = 10.0**6  # seconds; duration of the actions
_SAMPLES: Final = 20  # of which the least counts: a list may be under way in the others
_INTERVAL: Final = 0.05  # seconds between samples
_KIB: Final = 1024


async def main() -> None:
    """Measure, and print a table."""
    options = _options()
    waits = options.waits
    with server() as control:
        await _of_waits(control, min(100, waits), options, remembered=0)  # loads what is lazy
        bare = await _of_bare_tasks(waits)
        small = await _of_waits(control, waits, options, remembered=0)
        large = await _of_waits(control, waits, options, remembered=waits, show=options.lines)
    entry = large - small
    figures = {
        "a task that awaits a future": bare,
        "a task that awaits a wait": small,
        "an entry of the list that nobody waits for": entry,
        "a wait, besides its task": small - bare,
        "a wait, besides its task and its entry": small - bare - entry,
    }
    print(row([f"{waits:,} waits without news", "KiB each"]), row(["---", "--:"]), sep="\n")
    for name, total in figures.items():
        print(row([name, f"{total / waits / _KIB:.2f}"]))


async def _of_bare_tasks(count: int) -> int:
    """Return the traced bytes of tasks that await a future each."""
    loop = asyncio.get_running_loop()

    async def wait(future: asyncio.Future[None]) -> None:
        await future

    return await _growth((wait(loop.create_future()) for _ in range(count)), _INTERVAL)


async def _of_waits(
    control: Server, count: int, options: argparse.Namespace, *, remembered: int, show: int = 0
) -> int:
    """Return the traced bytes of tasks that wait on one client, after some unchanged lists.

    The list has `remembered` entries beside those that are waited for.
    """
    control.reset(n=count, median=_ENDLESS, progress="none", remembered=remembered)
    control.start(time.monotonic())
    on_progress = (lambda _: None) if options.callbacks else None
    uids = truth.uids(1, count)
    async with ActionsClient(control.url(), username="u", password="p") as client:
        await client.get_action(uids[0])  # opens the connection

        async def wait(uid: str) -> None:
            await client.wait_for_action(uid, on_progress=on_progress)

        grown = await _growth(map(wait, uids), options.seconds, show)
    print(f"{control.stats()['requests']} requests for {count:,} waits")
    return grown


async def _growth(
    works: Iterable[Coroutine[None, None, None]], seconds: float, show: int = 0
) -> int:
    """Return the bytes that tasks hold after some seconds; print the lines that hold most."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.sleep(seconds)
    held = []
    for _ in range(_SAMPLES):
        await asyncio.sleep(_INTERVAL)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0] - before)
    if show:
        for line in tracemalloc.take_snapshot().statistics("lineno")[:show]:
            where = "/".join(line.traceback[0].filename.split("/")[-3:])
            print(f"{line.size / len(tasks):8.0f} bytes  {where}:{line.traceback[0].lineno}")
    tracemalloc.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return min(held)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--waits", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of waiting before")
    parser.add_argument("--callbacks", action="store_true", help="pass on_progress to each wait")
    parser.add_argument("--lines", type=int, default=0, help="print the lines that hold most")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
