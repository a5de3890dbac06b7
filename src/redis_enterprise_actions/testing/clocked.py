"""Methods about the clock of a cluster, which those of all kinds have."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from datetime import datetime

    from .clock import Clock


class Clocked:
    """The methods of a cluster about its clock."""

    _clock: Clock

    @property
    def now(self) -> float:
        """Time of the cluster's clock in seconds; only differences of such times mean something."""
        return self._clock.now()

    @property
    def date(self) -> datetime:
        """Date of the cluster's clock, in UTC, inside `async with`."""
        return self._clock.date

    @property
    def speed(self) -> float:
        """Seconds of the cluster's clock for each second of the event loop's.

        It may be set inside `async with`. Raises `ValueError` for less than 0 and more than a
        million.
        """
        return self._clock.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._clock.speed = speed

    async def advance(self, seconds: float) -> None:
        """Let the cluster's clock jump forward.

        What is due on the way happens at its own time, in order, and has happened on return: a
        node that is to restart has stopped and started. Raises `ValueError` for less than 0
        seconds, and beyond the year 9999.
        """
        await self._clock.advance(seconds)

    async def advance_to(self, date: datetime) -> None:
        """Let the cluster's clock jump forward to a date, as `advance` does.

        Raises `ValueError` for a date without a time zone, or in the past.
        """
        await self._clock.advance_to(date)
