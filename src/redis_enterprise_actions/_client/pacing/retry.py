"""Retries of one request: which errors are transient, and the pauses between tries."""

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
MAX_RETRY_AFTER: Final = 300.0  # seconds; a cluster that asks for more is asked all the same


class RequestBackoff(wait_base):
    """The pause before a failed request is repeated: exponential with jitter, in seconds.

    Where the cluster said `Retry-After`, that is the pause, as far as it is sane.
    """

    _jittered = wait_random_exponential(multiplier=0.5, max=10.0)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, RequestError) and error.retry_after is not None:
            return min(error.retry_after, MAX_RETRY_AFTER)
        return self._jittered(retry_state)


async def retry_for(
    patience: float, call: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """Await `call(...)`; repeat it for `patience` seconds, and at other nodes, where that may help.

    Each other node is tried once, even where patience is over.
    """
    tries = RetryBudget(patience, asyncio.get_running_loop().time())
    while True:
        try:
            return await call(*args, **kwargs)
        except RequestError as error:
            pause = tries.pause_after(error)
            if pause is None:
                raise
        await asyncio.sleep(pause)


class RetryBudget:
    """For how many seconds from when it `began` a call is made again, where that may help."""

    __slots__ = ("_attempts", "_began", "_clock", "_seconds", "_state")

    def __init__(self, seconds: float, began: float) -> None:
        self._clock = asyncio.get_running_loop().time
        self._began = began
        self._seconds = seconds
        self._attempts = 0
        self._state: RetryState | None = None

    def pause_after(self, error: RequestError) -> float | None:
        """Return the seconds to wait before the next try; None if `error` is the end of it."""
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
    """A time without usable answers: the nodes that gave none, and the pauses between the tries."""

    __slots__ = ("_nodes", "_state")

    def __init__(self, began: float) -> None:
        self._nodes: dict[str, None] = {}
        self._state = PollState(began)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that were asked, in the order of their turns."""
        return tuple(self._nodes)

    def pause_after(self, error: RequestError, now: float) -> float:
        """Return the seconds to wait; where a node is left that was not asked, next to none.

        Corrects `error`: once all have been asked, there is no other.
        """
        news = set(error.nodes) - self._nodes.keys()
        self._nodes |= dict.fromkeys(error.nodes)
        error.has_alternative = error.has_alternative and bool(news)
        if error.has_alternative:
            return SHORTEST_PAUSE
        return self._state.pause_after(RequestBackoff(), error, now)


def is_transient(error: BaseException) -> bool:
    """Whether it may help to ask again."""
    return isinstance(error, RequestError) and error.transient
