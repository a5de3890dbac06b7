"""How long it may still take: what progress seen so far is ground for saying.

Values only. Progress counts steps and not time, so that this is about right at best; where there
is no ground for an estimate, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


@dataclass(slots=True)
class Estimate:
    """Follows the progress of one action. Times are in seconds, on any clock."""

    _seen: float | None = None  # the progress that was seen last, in percent
    _rises: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def saw(self, at: float, progress: float | None) -> None:
        """Take the progress of an answer, in percent."""
        if progress is None or self._seen is None or progress < self._seen:
            self._rises.clear()
        elif progress > self._seen:
            self._rises[1:] = [(at, progress)]
        self._seen = progress

    def left(self, now: float) -> float | None:
        """Return about how many seconds are left, or None where that is anybody's guess.

        It takes two rises, as nobody knows how old the progress was that was seen first, and is
        said only while the end that they predict lies ahead.
        """
        if len(self._rises) < 2:
            return None
        (began, risen), (at, progress) = self._rises
        if at <= began:
            return None
        left = (100.0 - progress) * (at - began) / (progress - risen) - (now - at)
        return left if left > 0 else None


def about(seconds: float) -> str:
    """Return a guess no finer than it is good: `about 40 s left`, `about 3 min left`."""
    if seconds < _MINUTE - 5:
        return f"about {max(5, round(seconds / 5) * 5)} s left"
    if seconds < _HOUR - _MINUTE / 2:
        return f"about {max(1, round(seconds / _MINUTE))} min left"
    return f"about {round(seconds / _HOUR, 1):g} h left"


def clock(seconds: float) -> str:
    """Return a time that has passed: `0:02:05`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
