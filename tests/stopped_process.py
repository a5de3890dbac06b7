"""A process that stands still, under virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast


if TYPE_CHECKING:
    from looptime import LoopTimeEventLoop


def stand_still(seconds: float) -> None:
    """Advance the clock of the running loop, as SIGSTOP, `docker pause` or a long callback do.

    All timers that were due meanwhile fire at once afterwards. A fake cluster on the same loop has
    stood still, too.
    """
    loop = cast("LoopTimeEventLoop", asyncio.get_running_loop())
    loop.setup_looptime(start=loop.time() + seconds, noop_cycles=_NOOP_CYCLES)


_NOOP_CYCLES = 12  # as in tests/conftest.py
