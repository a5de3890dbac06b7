"""Repeats of a call while the cluster is busy: on the worker, where Airflow can stop them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions import RedisActionsError, RequestRejected

from .compat import AirflowTaskTimeout
from .events import STOPPED, airflow_error, call_error, is_busy
from .job import Job
from .waits import duration_text, shorter


if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

_LONGEST_PAUSE: Final = 10.0  # seconds between two calls, which begin with one second
_LONGEST_WISH: Final = 60.0  # the longest `Retry-After` that is honoured
_LINE: Final = 60.0  # seconds between two lines in the log


class BusyRetries:
    """Calls until the cluster is no longer busy (409), for `busy_timeout` seconds at most.

    `name` is that of the call, in messages. `elapsed` returns the seconds since the beginning of
    the try, and `left` those that the limits of the wait leave, or None if there are none.
    """

    def __init__(
        self,
        name: str,
        log: Callable[..., object],
        busy_timeout: float | None,
        elapsed: Callable[[], float],
        left: Callable[[], float | None],
    ) -> None:
        self._name = name
        self._log = log
        self._busy_timeout = busy_timeout
        self._elapsed = elapsed
        self._left = left
        self._is_stopped = False
        self._pause: Job[None] | None = None

    def run(self, call: Callable[[float | None], _T]) -> _T:
        """Return the result of `call`, which takes the seconds that are left.

        Raises `AirflowTaskTimeout` if nothing is left for a first call.
        """
        began, tries, logged = self._elapsed(), 0, -_LINE
        busy: RequestRejected | None = None
        while True:
            self.refuse_stopped()
            left = self._left()
            if left is not None and left <= 0:
                if busy is not None:
                    raise call_error(busy)
                raise AirflowTaskTimeout(f"timed out before {self._name}, so no call was made")
            try:
                return call(left)
            except RequestRejected as error:
                busy = error
            except RedisActionsError as error:
                raise call_error(error) from None
            spent = self._elapsed() - began
            allowed = None if self._busy_timeout is None else self._busy_timeout - spent
            if not is_busy(busy) or (allowed is not None and allowed <= 0):
                raise call_error(busy)
            if spent - logged >= _LINE:
                limit = "" if allowed is None else f", for at most {duration_text(allowed)} more"
                self._log("%s after %s; repeating it%s", busy, duration_text(spent), limit)
                logged = spent
            pause = min(2.0**tries, _LONGEST_PAUSE)
            if busy.retry_after is not None:
                pause = min(busy.retry_after, _LONGEST_WISH)
            tries = min(tries + 1, 9)
            self._sleep(shorter(pause, allowed, self._left()) or 0.0)

    def refuse_stopped(self) -> None:
        """Raise the exception for a task that was told to stop."""
        if self._is_stopped:
            message = f"the task was stopped; no call {self._name} has started work"
            raise airflow_error(STOPPED, message)

    def stop(self) -> None:
        """Make no further call. One that has begun goes on."""
        self._is_stopped = True
        if self._pause is not None:
            self._pause.cancel()

    def _sleep(self, pause: float) -> None:
        self._pause = Job(asyncio.sleep(max(0.0, pause)))
        if self._is_stopped:  # before there was something to cancel
            self._pause.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self._pause.result()
        self._pause = None
