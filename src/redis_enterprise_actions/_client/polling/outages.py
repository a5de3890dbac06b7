"""`Outage`: a time without usable answers, of the cluster or for one action."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from redis_enterprise_actions._client.pacing.retry import (
    NEVER_REACHED,
    RequestBackoff,
    warn_never_reached,
)
from redis_enterprise_actions._client.pacing.schedules import TICK, PollState
from redis_enterprise_actions._model.errors import ClusterUnreachable, RequestError
from redis_enterprise_actions._model.record import OutageSpan


if TYPE_CHECKING:
    from redis_enterprise_actions._model.reference import Reference


class Outage:
    """Time without usable answers, since the first request that failed.

    Times are seconds on the event loop's clock. `requests` counts the failed requests at all nodes,
    and `failures` the polls that they belong to.
    """

    __slots__ = (
        *("_backoff", "_has_warned", "_last_tried", "began", "error", "failed_at", "failures"),
        *("is_logged", "is_unreached", "nodes", "requests", "retry_at"),
    )

    error: RequestError  # the last one

    def __init__(self, began: float) -> None:
        self.began = began
        self.failed_at = began
        self.failures = 0
        self.requests = 0
        self.retry_at = began
        self.is_logged = False
        self.is_unreached = False
        self._has_warned = False
        self.nodes: dict[str, None] = {}
        self._backoff = PollState(began)
        self._last_tried: dict[Reference, float] = {}

    def record_failure(
        self,
        error: RequestError,
        now: float,
        *,
        ref: Reference | None = None,
        is_unreached: bool = False,
    ) -> None:
        """Record a failed poll; `ref` is the reference that was asked for alone."""
        self.error = error.with_traceback(None)  # a traceback keeps the response body alive
        self.failed_at = now
        self.failures += 1
        self.requests += error.attempts
        self.nodes |= dict.fromkeys(error.nodes)
        self.is_unreached = is_unreached
        self.retry_at = now + self._backoff.pause_after(RequestBackoff(), error, now)
        if is_unreached and not self._has_warned:
            report_at = self.began + NEVER_REACHED
            self._has_warned = now >= report_at - TICK
            if self._has_warned:
                warn_never_reached(error)
            else:
                self.retry_at = min(self.retry_at, report_at)
        if ref is not None:
            self._last_tried[ref] = now

    def last_tried(self, ref: Reference) -> float:
        """Return the time at which a reference was last asked for in this outage."""
        return self._last_tried.get(ref, -math.inf)

    @property
    def reason(self) -> str:
        """The reason of the last failure."""
        return (
            self.error.reason if isinstance(self.error, ClusterUnreachable) else self.error.detail
        )

    def to_span(self, ended: float | None = None, *, since: float = -math.inf) -> OutageSpan:
        """Return the outage as the record of a wait that began at `since` shows it."""
        return OutageSpan(max(self.began, since), ended, self.requests, self.reason)
