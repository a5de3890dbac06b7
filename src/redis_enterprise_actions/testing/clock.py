"""Clock of the fake cluster: the event loop's time, and that time as Unix time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from email.utils import formatdate


def loop_time() -> float:
    """Return the time of the running event loop."""
    return asyncio.get_running_loop().time()


class Clock:
    """Translation of the loop's time into what answers show."""

    def __init__(self) -> None:
        self._epoch = 0.0

    def start(self) -> None:
        """Make the loop's present time mean the present."""
        self._epoch = time.time() - loop_time()

    def unix_time(self, at: float) -> int:
        """Return a time of the loop in seconds since 1970."""
        return int(self._epoch + at)

    def iso_time(self, at: float) -> str:
        """Return a time of the loop as the API writes it."""
        return f"{datetime.fromtimestamp(self._epoch + at, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def http_date(self) -> str:
        """Return the present as a Date header has it."""
        return formatdate(self._epoch + loop_time(), usegmt=True)
