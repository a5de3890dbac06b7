"""One wait, in a triggerer or on a worker: its limits, its lines in the task's log, its errors."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from redis_enterprise_actions import Recorder, RequestError, UsageError, WaitError, WaitTimeout


if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from redis_enterprise_actions import Action, ActionsClient

Duration: TypeAlias = float | timedelta

_FIRST_PAUSE: Final = 60.0  # seconds until the first line about a wait in which nothing changes
_LONGEST_PAUSE: Final = 600.0  # each pause is twice the one before, up to this
_OF_DATABASES: Final = frozenset({"available", "in-sync"})
_CRDB_TASK: Final = re.compile(r"crdb:[^@]+$")
_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def seconds(duration: Duration | None, name: str) -> float | None:
    """Return a duration in seconds, or None for an endless one. Raises `UsageError` for others.

    Operators call it before they send anything, as a wait with a bad limit cannot begin.
    """
    if duration is None:
        return None
    length = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(length, bool) or not isinstance(length, (int, float)) or not length >= 0:
        raise UsageError(f"{name}={duration!r} is not a duration: seconds, 0 or more, or timedelta")
    return None if length == math.inf else length


def hold_seconds(hold: Duration) -> float:
    """Return a `hold` in seconds. Raises `UsageError` for an endless one, which no wait reaches."""
    length = seconds(hold, "hold")
    if length is None:
        raise UsageError(f"hold={hold!r} is endless, so that the wait would not end")
    return length


def shorter(*limits: float | None) -> float | None:
    """Return the shortest of several limits in seconds, or None if there is none."""
    return min((limit for limit in limits if limit is not None), default=None)


def duration_text(duration: float) -> str:
    """Return a duration in its two largest units: `1h 10m`, `20s`."""
    left, parts = round(duration), list[str]()
    for unit, length in _UNITS:
        if left >= length:
            parts.append(f"{left // length}{unit}")
            left %= length
    return " ".join(parts[:2]) or "0s"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wait:
    """Object, goal and limits of a wait.

    `ref` is a reference, and `until` and `hold` are those of `Operation.wait`. `timeout` counts
    from `started_at`, in wall-clock time, as a triggerer may be restarted. Durations are seconds;
    None is endless.
    """

    ref: str
    until: str | None = None
    hold: float = 0.0
    started_at: datetime
    timeout: float | None = None
    stall_timeout: float | None = None
    outage_timeout: float | None = 300.0

    @property
    def goal(self) -> str:
        """The work, and the condition if there is one, for messages."""
        until = f" until {self.until}" if self.until else ""
        hold = f" for {duration_text(self.hold)}" if self.hold else ""
        return f"{self.ref!r}{until}{hold}"

    def elapsed(self) -> float:
        """Return the seconds since the beginning."""
        return max(0.0, (datetime.now(UTC) - self.started_at).total_seconds())

    def check(self, client: ActionsClient) -> None:
        """Raise `UsageError` if the reference or the condition cannot work. Nothing is sent."""
        word = (self.until or "").strip()
        if word in _OF_DATABASES and _CRDB_TASK.match(self.ref):  # the client asks the cluster
            problem = f"this is a task of an Active-Active database, {self.ref!r}"
            raise UsageError(f"until={word!r} is for work on one database, and {problem}")
        client.operation(self.ref).watch(until=self.until, hold=self.hold)

    async def run(
        self,
        client: ActionsClient,
        log: Callable[..., object],
        *,
        limit: float | None = None,
        not_found_grace: float | None = None,
    ) -> Action:
        """Wait, with a line in the log for the beginning, each change, and every ten minutes.

        The times in errors count from `started_at`. The wait ends at its timeout, or after `limit`
        seconds from now; with nothing left of either, it still polls once.
        """
        longest = f", for at most {duration_text(self.timeout)}" if self.timeout is not None else ""
        log("waiting for %s%s", self.goal, longest)
        before, recorder = self.elapsed(), Recorder()
        left = shorter(None if self.timeout is None else self.timeout - before, limit)
        with _heartbeat(self, recorder, log) as progress:
            try:
                return await client.operation(self.ref).wait(
                    timeout=None if left is None else max(0.0, left),
                    stall_timeout=self.stall_timeout,
                    outage_timeout=self.outage_timeout,
                    not_found_grace=not_found_grace,
                    until=self.until,
                    hold=self.hold,
                    on_progress=progress,
                    recorder=recorder,
                )
            except (RequestError, WaitError) as error:
                raise self._counted(error, before) from error

    def _counted(self, error: RequestError | WaitError, before: float) -> RequestError | WaitError:
        """Return a copy of an error whose times count from `started_at`."""
        counted = copy.copy(error)
        if counted.elapsed is not None:
            counted.elapsed += before
        if isinstance(counted, WaitTimeout) and self.timeout is not None:
            counted.timeout = max(self.timeout, before)
        return counted


@contextlib.contextmanager
def _heartbeat(
    wait: Wait, recorder: Recorder, log: Callable[..., object]
) -> Generator[Callable[[Action], None]]:
    """Log each change that is passed on, and a line where nothing changes for a while.

    A timer instead of a task, as a triggerer may run a thousand waits.
    """
    loop = asyncio.get_running_loop()
    began, logged = loop.time() - wait.elapsed(), loop.time()
    pause, last = _FIRST_PAUSE, cast("object", "not seen yet")
    timer: asyncio.TimerHandle

    def progress(action: Action) -> None:
        nonlocal last, logged
        last, logged = action, loop.time()
        log("%s", action)

    def beat() -> None:
        nonlocal logged, pause, timer
        now = loop.time()
        if now >= logged + pause:
            log("still waiting for %s after %s: %s", wait.goal, duration_text(now - began), last)
            for line in _outages(recorder):
                log("%s", line)
            logged, pause = now, min(2 * pause, _LONGEST_PAUSE)
        timer = loop.call_at(logged + pause, beat)

    timer = loop.call_later(pause, beat)
    try:
        yield progress
    finally:
        timer.cancel()


def _outages(recorder: Recorder) -> list[str]:
    """Return a line for an outage that lasts."""
    return [
        f"no usable answer for {duration_text(record.elapsed - outage.began)}: {outage.reason}"
        for record in recorder.records()
        for outage in record.outages[-1:]
        if outage.ended is None
    ]
