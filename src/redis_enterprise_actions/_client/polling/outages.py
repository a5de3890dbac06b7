"""`OngoingOutages`: the outages that one wait is in.

An outage is per action if requests for this action fail while others are answered; otherwise it is
cluster-wide. The module reads no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._model.errors import ClusterUnreachable
from redis_enterprise_actions._model.record import OutageSpan


if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis_enterprise_actions._model.errors import RequestError


class OngoingOutages:
    """Outages that are not over: at most one per action, and one cluster-wide."""

    __slots__ = ("_by_scope",)

    def __init__(self) -> None:
        self._by_scope: dict[bool, OngoingOutage] = {}  # the key is `per_action`

    def __iter__(self) -> Iterator[OngoingOutage]:
        return iter(self._by_scope.values())

    def __bool__(self) -> bool:
        return bool(self._by_scope)

    @property
    def per_action(self) -> bool:
        """True during an outage of this action."""
        return True in self._by_scope

    @property
    def first(self) -> OngoingOutage | None:
        """The outage whose budget ends first."""
        outages = self._by_scope.values()
        return min(outages, key=lambda outage: outage.end) if outages else None

    def record(self, error: RequestError, *, per_action: bool, began: float, budget: float) -> bool:
        """Record a failed request. Return True if another node can be asked at once."""
        outage = self._by_scope.get(per_action)
        if outage is None:
            outage = self._by_scope[per_action] = OngoingOutage(began, budget)
        outage.record(error)
        return False

    def end_cluster_wide(self, now: float) -> OutageSpan | None:
        """End the cluster-wide outage, and return it."""
        outage = self._by_scope.pop(False, None)
        return None if outage is None else outage.to_span(now)

    def end_all(self, now: float) -> list[OutageSpan]:
        """End all outages, and return them."""
        if not self._by_scope:
            return []
        over = [outage.to_span(now) for outage in self]
        self._by_scope.clear()
        return over

    def unreachable_error(self, last: RequestError) -> ClusterUnreachable:
        """Return the error of a wait that an outage ends; it counts the failures of all outages."""
        known = last if isinstance(last, ClusterUnreachable) else None
        return ClusterUnreachable(
            last.method,
            last.path,
            reason=_reason(last),
            attempts=sum(outage.failures for outage in self),
            nodes=dict.fromkeys(node for outage in self for node in outage.nodes),
            status=known.status if known else None,
            error_code=known.error_code if known else None,
            retry_after=last.retry_after,
        )


class OngoingOutage:
    """Time without usable answers for one wait, since the first request that failed."""

    __slots__ = ("began", "end", "error", "failures", "nodes")

    error: RequestError  # the last one

    def __init__(self, began: float, budget: float) -> None:
        self.began = began
        self.end = began + budget
        self.failures = 0
        self.nodes: dict[str, None] = {}

    def record(self, error: RequestError) -> None:
        """Record a failed request."""
        self.error = error.with_traceback(None)  # a traceback keeps the response body alive
        self.failures += error.attempts
        self.nodes |= dict.fromkeys(error.nodes)

    def to_span(self, ended: float | None = None) -> OutageSpan:
        """Return the outage as the record of a wait shows it; `ended` is None while it lasts."""
        return OutageSpan(self.began, ended, self.failures, _reason(self.error))


def _reason(error: RequestError) -> str:
    return error.reason if isinstance(error, ClusterUnreachable) else error.detail
