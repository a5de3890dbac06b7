"""Retries of failed requests: transient errors, and the pauses between attempts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from tenacity import RetryCallState, wait_random_exponential
from tenacity.wait import wait_base

from redis_enterprise_actions._model.errors import ClusterUnreachable, RequestError

from .schedules import SHORTEST_PAUSE, PollState


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


_T = TypeVar("_T")
_P = ParamSpec("_P")
MAX_RETRY_AFTER: Final = 300.0  # seconds; a longer `Retry-After` is cut to this


class RequestBackoff(wait_base):
    """Exponential backoff with jitter, from 0.5 to 10 seconds; `Retry-After` takes precedence."""

    _jittered = wait_random_exponential(multiplier=0.5, max=10.0)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, RequestError) and error.retry_after is not None:
            return min(error.retry_after, MAX_RETRY_AFTER)
        return self._jittered(retry_state)


async def retry_for(
    budget: float, call: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """Await `call(...)`, and repeat it after a transient error for `budget` seconds.

    Even after that time, each node that was not asked yet is tried once.
    """
    retries = RetryBudget(budget, asyncio.get_running_loop().time())
    while True:
        try:
            return await call(*args, **kwargs)
        except RequestError as error:
            pause = retries.pause_after(error)
            if pause is None:
                raise
        await asyncio.sleep(pause)


class RetryBudget:
    """Time in which one call is repeated: `seconds` from `began` on the loop's clock."""

    __slots__ = ("_attempts", "_began", "_clock", "_seconds", "_state")

    def __init__(self, seconds: float, began: float) -> None:
        self._clock = asyncio.get_running_loop().time
        self._began = began
        self._seconds = seconds
        self._attempts = 0
        self._state: RetryState | None = None

    def pause_after(self, error: RequestError) -> float | None:
        """Return the seconds before the next attempt, or None if there is none.

        Adds the attempts and nodes so far to `error`.
        """
        self._attempts += 1
        if not error.transient:
            return None
        self._state = self._state or RetryState(self._began)
        pause = self._state.pause_after(error, self._clock())
        error.nodes = self._state.nodes
        if isinstance(error, ClusterUnreachable):
            error.attempts = self._attempts
        over = self._clock() + pause > self._began + self._seconds
        return None if over and not error.has_alternative else pause


class RetryState:
    """State of the retries during one outage: the nodes that failed, and the next pause."""

    __slots__ = ("_nodes", "_state")

    def __init__(self, began: float) -> None:
        self._nodes: dict[str, None] = {}
        self._state = PollState(began)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that failed, in the order in which they were asked."""
        return tuple(self._nodes)

    def pause_after(self, error: RequestError, now: float) -> float:
        """Return the seconds before the next attempt: few if another node can be asked.

        Clears `error.has_alternative` once all nodes have been asked.
        """
        new_nodes = set(error.nodes) - self._nodes.keys()
        self._nodes |= dict.fromkeys(error.nodes)
        error.has_alternative = error.has_alternative and bool(new_nodes)
        if error.has_alternative:
            return SHORTEST_PAUSE
        return self._state.pause_after(RequestBackoff(), error, now)
