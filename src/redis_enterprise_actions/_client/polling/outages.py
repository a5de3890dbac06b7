"""Times without usable answers, as one wait sees them: its own, and everybody's.

Its own are those in which asking about its action alone has failed. Reads no clock, and refuses to
know what else may end the wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._model.errors import ClusterUnreachable
from redis_enterprise_actions._model.record import OutageSpan


if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis_enterprise_actions._model.errors import RequestError


class OngoingOutages:
    """The outages that are not over: two at most."""

    __slots__ = ("_by_scope",)

    def __init__(self) -> None:
        self._by_scope: dict[bool, OngoingOutage] = {}

    def __iter__(self) -> Iterator[OngoingOutage]:
        return iter(self._by_scope.values())

    def __bool__(self) -> bool:
        return bool(self._by_scope)

    @property
    def per_action(self) -> bool:
        """Whether asking about this action alone has failed, and nothing has been heard since."""
        return True in self._by_scope

    @property
    def first(self) -> OngoingOutage | None:
        """The one that would end the wait first."""
        outages = self._by_scope.values()
        return min(outages, key=lambda outage: outage.end) if outages else None

    def record(self, error: RequestError, *, per_action: bool, began: float, budget: float) -> bool:
        """Take an error; return whether there is another node to ask."""
        outage = self._by_scope.get(per_action)
        if outage is None:
            outage = self._by_scope[per_action] = OngoingOutage(began, budget)
        asked = {node for each in self for node in each.nodes}
        outage.record(error)
        return error.has_alternative and not asked.issuperset(error.nodes)

    def end_cluster_wide(self, now: float) -> OutageSpan | None:
        """Return what there is to note of everybody's, if there was one."""
        outage = self._by_scope.pop(False, None)
        return None if outage is None else outage.to_span(now)

    def end_all(self, now: float) -> list[OutageSpan]:
        """Return what there is to note of all of them."""
        if not self._by_scope:
            return []
        over = [outage.to_span(now) for outage in self]
        self._by_scope.clear()
        return over

    def unreachable_error(self, last: RequestError) -> ClusterUnreachable:
        """Return the error for outages, one after the other, that outlasted the budget."""
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
    """A time without usable answers, from the first request that got none."""

    __slots__ = ("began", "end", "error", "failures", "nodes")

    error: RequestError  # the last one

    def __init__(self, began: float, budget: float) -> None:
        self.began = began
        self.end = began + budget
        self.failures = 0
        self.nodes: dict[str, None] = {}

    def record(self, error: RequestError) -> None:
        self.error = error.with_traceback(None)  # which would hold the body
        self.failures += 1
        self.nodes |= dict.fromkeys(error.nodes)

    def to_span(self, ended: float | None = None) -> OutageSpan:
        """Return what there is to note of it."""
        return OutageSpan(self.began, ended, self.failures, _reason(self.error))


def _reason(error: RequestError) -> str:
    return error.reason if isinstance(error, ClusterUnreachable) else error.detail
