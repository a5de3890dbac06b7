"""Retries of failed requests: transient errors, and the pauses between attempts."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, TypeVarTuple

from tenacity import RetryCallState, wait_random_exponential
from tenacity.wait import wait_base

from redis_enterprise_actions._model.errors import ClusterUnreachable, RequestError

from .durations import DefaultSeconds
from .schedules import TICK, PollState


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")
_log = logging.getLogger(__name__)
NEVER_REACHED: Final = 10.0  # seconds after which a cluster that was never reached is reported
MAX_RETRY_AFTER: Final = 300.0  # seconds; a longer `Retry-After` is cut to this


class RequestBackoff(wait_base):
    """Exponential backoff with jitter, from 0.5 to 10 seconds; `Retry-After` takes precedence."""

    _jittered = wait_random_exponential(multiplier=0.5, max=10.0)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, RequestError) and error.retry_after is not None:
            return min(error.retry_after, MAX_RETRY_AFTER)
        return self._jittered(retry_state)


class Cluster(Protocol):
    """Cluster that calls go to; `has_answered` is True once it has given any answer."""

    @property
    def has_answered(self) -> bool:
        """True once the cluster has given an answer that is the API's."""
        ...


async def retry_for(
    budget: float,
    call: Callable[[*_Args], Awaitable[_T]],
    *args: *_Args,
    cluster: Cluster | None = None,
) -> _T:
    """Await `call(...)`, and repeat it after a transient error for `budget` seconds.

    Raises the last error, which counts all attempts; see `RetryBudget`.
    """
    began = asyncio.get_running_loop().time()
    retries: RetryBudget | None = None
    while True:
        try:
            return await call(*args)
        except RequestError as error:
            retries = retries or RetryBudget(budget, began, cluster)
            pause = retries.pause_after(error)
            if pause is None:
                final = retries.final_error(error)
                if final is error:
                    raise
                raise final from error.__cause__
        await asyncio.sleep(pause)


class RetryBudget:
    """Time in which one call is repeated: `seconds` from `began` on the loop's clock.

    If `cluster` was never reached, for a reason that seldom passes by itself, a warning says so
    after ten seconds; if the caller has left `seconds` at its default, the call ends then.
    """

    __slots__ = ("_attempts", "_began", "_cluster", "_ends_early", "_nodes", "_seconds", "_state",
                 "_warned", "_was_never_reached")  # fmt: skip

    def __init__(self, seconds: float, began: float, cluster: Cluster | None = None) -> None:
        self._began = began
        self._seconds = seconds
        self._cluster = cluster
        self._ends_early = isinstance(seconds, DefaultSeconds)
        self._attempts = 0
        self._nodes: dict[str, None] = {}
        self._state = RetryState(began)
        self._warned = False
        self._was_never_reached = False

    def pause_after(self, error: RequestError) -> float | None:
        """Return the seconds before the next attempt, or None if there is none."""
        self._attempts += error.attempts
        self._nodes |= dict.fromkeys(error.nodes)
        if not error.transient:
            return None
        now = asyncio.get_running_loop().time()
        pause = self._state.pause_after(error, now)
        never_reached = self._cluster is not None and not self._cluster.has_answered
        if error.advice is not None and never_reached and not self._warned:
            left = self._began + NEVER_REACHED - now
            if left > TICK:
                pause = min(pause, left)
            else:
                self._warned = True
                warn_never_reached(error)
                if self._ends_early:
                    self._was_never_reached = True
                    return None
        return None if now + pause > self._began + self._seconds else pause

    def final_error(self, last: RequestError) -> RequestError:
        """Return the error of all attempts, given the last one's."""
        if self._was_never_reached:
            return never_reached_error(last, attempts=self._attempts, nodes=self._nodes)
        if not last.transient or self._attempts == last.attempts:
            return last
        return last.with_history(
            attempts=self._attempts, nodes=self._nodes, retry_after=last.retry_after
        )


def warn_never_reached(error: RequestError) -> None:
    """Log that a cluster was not reached yet, and what to do about it."""
    fields = {"event": "never reached", "reason": error.detail, "advice": error.advice}
    _log.warning(
        "the cluster has not been reached yet: %s. %s", error.detail, error.advice, extra=fields
    )


def never_reached_error(
    last: RequestError, *, attempts: int, nodes: Iterable[str]
) -> ClusterUnreachable:
    """Return the error of a call or wait that ends as the cluster was never reached."""
    return ClusterUnreachable(
        last.method,
        last.path,
        reason=last.reason if isinstance(last, ClusterUnreachable) else last.detail,
        attempts=attempts,
        nodes=nodes,
        sent=last.sent,
        advice=last.advice,
        hint=last.advice,
    )


class RetryState:
    """State of the retries during one outage."""

    __slots__ = ("_state",)

    def __init__(self, began: float) -> None:
        self._state = PollState(began)

    def pause_after(self, error: RequestError, now: float) -> float:
        """Return the seconds before the next attempt."""
        return self._state.pause_after(RequestBackoff(), error, now)
