"""How long it may still take: what progress seen so far is ground for saying.

Values only. Progress counts steps and not time, so that this is about right at best; where there
is no ground for an estimate, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


_ENOUGH: Final = 2.0  # percent that it has to have risen by before anything is said
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


@dataclass(slots=True)
class Estimate:
    """Follows the progress of one action. Times are in seconds, on any clock."""

    _first: tuple[float, float] | None = field(default=None)
    _last: tuple[float, float] | None = field(default=None)

    def saw(self, at: float, progress: float | None) -> None:
        """Take the progress of an answer, in percent."""
        if progress is None or (self._last is not None and progress < self._last[1]):
            self._first = self._last = None
        if progress is None:
            return
        if self._first is None or self._last is None:
            self._first = self._last = (at, progress)
        elif progress > self._last[1]:
            self._last = (at, progress)

    def left(self, now: float) -> float | None:
        """Return about how many seconds are left, or None where that is anybody's guess.

        It is counted from the first progress seen at the pace since then, and said only while the
        end that it predicts lies ahead.
        """
        if self._first is None or self._last is None:
            return None
        (began, from_), (at, progress) = self._first, self._last
        if progress - from_ < _ENOUGH or at <= began:
            return None
        left = (100.0 - progress) * (at - began) / (progress - from_) - (now - at)
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
