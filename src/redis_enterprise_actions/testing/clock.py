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
    """Conversion of the loop's time into the times that answers show."""

    def __init__(self) -> None:
        self._epoch = 0.0
        self.started_at = 0.0  # in the loop's time

    def start(self) -> None:
        """Map the loop's current time to the current wall-clock time."""
        self.started_at = loop_time()
        self._epoch = time.time() - self.started_at

    def unix_time(self, at: float) -> int:
        """Return a time of the loop in seconds since 1970."""
        return int(self._epoch + at)

    def iso_time(self, at: float) -> str:
        """Return a time of the loop as the API writes it."""
        return f"{datetime.fromtimestamp(self._epoch + at, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def http_date(self) -> str:
        """Return the current time in the format of a Date header."""
        return formatdate(self._epoch + loop_time(), usegmt=True)
