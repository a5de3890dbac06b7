"""`PollPlanner`: chooses the next request, and records which requests fail.

The planner reads no clock and sends nothing.
"""

from __future__ import annotations

import enum
import logging
import math
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._client.pacing.rate_limit import RateLimiter
from redis_enterprise_actions._client.pacing.retry import RetryState
from redis_enterprise_actions._client.pacing.shared_schedule import SharedSchedule
from redis_enterprise_actions._model.text import one_line

from .wait_state import CLOSE_TO_DEADLINE


if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis_enterprise_actions._model.errors import RequestError, WaitError
    from redis_enterprise_actions._model.reference import ListKind, Reference

    from .waiters import Waiter, WaiterRegistry

_log = logging.getLogger(__name__)
_outage_log = logging.getLogger("redis_enterprise_actions.outages")  # with fields: docs/output.md

_OUTAGE_FAILURES: Final = 2  # failures in a row; a single one is not logged as an outage
_LIST_FAILURES: Final = 2  # failures in a row of a list, while other requests are answered
_LIST_EXPIRY: Final = 300.0  # seconds until the cost of a list is measured again
_LIST_AVOIDED: Final = 60.0  # seconds without a list that failed


class RequestKind(enum.Enum):
    """Kind of a request: one object, a list, or the database of a doubtful action."""

    SINGLE = enum.auto()
    LIST = enum.auto()
    VERIFY = enum.auto()


class PlannedRequest(NamedTuple):
    """Request to send at the time `when`. `waiter` is the one that it is most urgent for."""

    when: float
    kind: RequestKind
    waiter: Waiter


class PollPlanner:
    """Planner of the requests for all waiters of a registry."""

    def __init__(self, registry: WaiterRegistry) -> None:
        self.rate_limiter = RateLimiter()
        self.outage: ClusterOutage | None = None
        self._waiters = registry
        self._lists: dict[ListKind, ListEndpoint] = {}
        self._unverified: deque[Waiter] = deque()
        # Actions whose requests fail while others are answered, with the time of the first failure.
        self._failing_since: dict[Reference, float] = {}
        self._last_kind: RequestKind | None = None
        self._requests = 0

    @property
    def earliest(self) -> float:
        """The earliest time of the next request that is not urgent."""
        return self.rate_limiter.earliest(urgent=False)

    def list_endpoint(self, kind: ListKind) -> ListEndpoint:
        """Return the statistics of a list."""
        if kind not in self._lists:
            self._lists[kind] = ListEndpoint(kind)
        return self._lists[kind]

    def record_request(self, request: PlannedRequest) -> None:
        """Record a request that was sent."""
        self._last_kind = request.kind
        self._requests += 1
        if request.kind is not RequestKind.VERIFY:
            endpoint = self.list_endpoint(request.waiter.list_kind)
            endpoint.last_kind, endpoint.last_request = request.kind, self._requests

    def require_verification(self, waiter: Waiter, unverified: WaitError) -> None:
        """Plan a request for the database, which may show that the action has ended."""
        if waiter.unverified is None:
            self._unverified.append(waiter)
        waiter.unverified = unverified

    def forget(self, ref: Reference) -> None:
        """Forget an action that has no waiter any more."""
        self._failing_since.pop(ref, None)

    # --- outages --------------------------------------------------------------------------------

    def record_failure(
        self, error: RequestError, requesters: list[Waiter], now: float
    ) -> float | None:
        """Record a failed request.

        Return the time at which the cluster-wide outage began, or None after a first failure.
        """
        if self.outage is None:
            self.outage = ClusterOutage(min(waiter.state.requested_at for waiter in requesters))
        self.outage.record_failure(error, [waiter.state.ref for waiter in requesters], now)
        if self.outage.failures == _OUTAGE_FAILURES:
            extra = _log_fields("outage", now - self.outage.began, error)
            _outage_log.warning("%s; asking again", str(error), extra=extra)
        return self.outage.began if self.outage.failures >= _OUTAGE_FAILURES else None

    def record_answer(self, now: float) -> None:
        """Record an answer of the cluster, which ends the cluster-wide outage."""
        if self.outage is not None and self.outage.failures >= _OUTAGE_FAILURES:
            lasted = now - self.outage.began
            extra = _log_fields("outage over", lasted)
            _outage_log.warning("the cluster answers again after %.1f s", lasted, extra=extra)
        self.outage = None

    def record_action_failure(
        self, error: RequestError, requesters: list[Waiter], now: float
    ) -> bool:
        """Record a failed request for one action. Return True if only this action fails."""
        if not all(waiter.suspect for waiter in requesters):
            return False
        ref = requesters[0].state.ref
        if ref not in self._failing_since:
            self._failing_since[ref] = since = min(
                waiter.state.requested_at for waiter in requesters
            )
            extra = _log_fields("outage", now - since, error, ref)
            message = "%s; asking again, while requests for other actions are answered"
            _outage_log.warning(message, str(error), extra=extra)
        return True

    def record_action_answer(self, waiter: Waiter, now: float) -> None:
        """Record an answer for one action, which ends the outage of this action."""
        waiter.suspect = False
        ref = waiter.state.ref
        if self._failing_since and ref in self._failing_since:
            extra = _log_fields("outage over", now - self._failing_since.pop(ref), ref=ref)
            message = "requests for action %s are answered again"
            _outage_log.warning(message, one_line(ref.name), extra=extra)

    # --- the next request -----------------------------------------------------------------------

    def next_request(self, now: float) -> PlannedRequest:
        """Return the next request. There must be at least one waiter."""
        while self._unverified and self._unverified[0].unverified is None:
            self._unverified.popleft()
        solos = self._waiters.solos_in_turn()
        if not self._unverified:
            return self._plan(solos, now)
        when = self.rate_limiter.earliest(urgent=True)
        if self.outage is not None:
            when = max(when, min(self.outage.retry_at, self._unverified[0].state.soft_limit))
        verification = PlannedRequest(when, RequestKind.VERIFY, self._unverified[0])
        others = [waiter for waiter in solos if waiter.unverified is None]
        if not others and not self._waiters.choruses():
            return verification
        poll = self._plan(others, now)
        # Verifications and polls alternate, except that a wait at its limit is served first.
        is_turn = self._last_kind is RequestKind.VERIFY and poll.when <= when
        is_poll = is_turn or any(waiter.state.soft_limit <= now for waiter in others)
        return poll if is_poll else verification

    def _plan(self, solos: list[Waiter], now: float) -> PlannedRequest:
        if self.outage is not None:
            # During an outage, poll one action at a time, another one each time.
            first = min(solos, key=lambda waiter: waiter.state.soft_limit)
            if first.state.soft_limit >= self.outage.retry_at:
                first = min(solos, key=self.outage.sort_key)
            due = min(self.outage.retry_at, first.state.soft_limit)
            when = max(due, self.rate_limiter.earliest(urgent=True))
            return PlannedRequest(when, RequestKind.SINGLE, first)
        choruses = self._waiters.choruses()
        if len(solos) == 1 and not choruses:
            return self._plan_single(solos, now)
        groups = _group_by_list(solos)
        requests = [
            self._plan_for_list(kind, groups.get(kind, []), now)
            for kind in dict.fromkeys([*groups, *choruses])
        ]
        # If several are due, the list that has waited longest is next.
        return min(
            requests, key=lambda it: (it.when, self.list_endpoint(it.waiter.list_kind).last_request)
        )

    def _plan_for_list(self, kind: ListKind, solos: list[Waiter], now: float) -> PlannedRequest:
        """Return the next request for the waiters of one list: the list, or a single action."""
        listed = [waiter for waiter in solos if waiter.single_until <= now]
        members = self._waiters.chorus_of(kind).members
        due = self._list_due(kind, listed, now)
        if due is None:
            alone = [*solos, *members.values()]
            for member in list(members.values()):
                self._waiters.part(member, now)
            return self._plan_single(sorted(alone, key=attrgetter("order")), now)
        if len(listed) < len(solos):
            unlisted = [waiter for waiter in solos if waiter.single_until > now]
            single = self._plan_single(unlisted, now)
            # List and single requests alternate, except that a wait at its limit is served first.
            last = self.list_endpoint(kind).last_kind
            is_list_turn = due <= max(now, single.when) and last is not RequestKind.LIST
            at_limit = any(waiter.state.soft_limit <= now for waiter in unlisted)
            if single.when <= due and (at_limit or not is_list_turn):
                return single
        first = listed[0] if listed else next(iter(members.values()))
        return PlannedRequest(due, RequestKind.LIST, first)

    def _plan_single(self, waiters: list[Waiter], now: float) -> PlannedRequest:
        first = waiters[0]
        if len(waiters) > 1:
            first = min(waiters, key=lambda waiter: waiter.urgency(now))
        state = first.state
        if all(waiter.state.is_new and waiter.state.ref == state.ref for waiter in waiters):
            when = max(now, self.rate_limiter.earliest(urgent=True))
        else:
            limit = now if first.poll_now else state.soft_limit
            when = self.rate_limiter.start_between(state.due, limit)
        return PlannedRequest(when, RequestKind.SINGLE, first)

    def _list_due(self, kind: ListKind, solos: list[Waiter], now: float) -> float | None:
        """Return the time of the next list request, or None if single requests are cheaper."""
        states = [waiter.state for waiter in solos]
        chorus = self._waiters.chorus_of(kind)
        singles = len({state.ref for state in states}) + len(chorus.members)
        endpoint = self.list_endpoint(kind)
        if singles < 2 or now < endpoint.avoided_until:
            return None
        since = max([state.requested_at for state in states], default=-math.inf)
        if chorus.members:
            since = max(since, chorus.looks.asked)
        schedules = [state.schedule for state in states]
        shared = SharedSchedule(schedules, since, chorus.schedules.values(), chorus.latest)
        cost = endpoint.cost_at(now)
        if not shared.is_cheaper(cost, singles):
            return None
        due = shared.due(cost)
        deadline = min([state.deadline for state in states], default=math.inf)
        if 0 <= deadline - due < min(due - since, CLOSE_TO_DEADLINE):
            due = deadline
        limit = min([state.soft_limit for state in states], default=math.inf)
        return self.rate_limiter.start_between(due, limit)


def _log_fields(
    event: str, seconds: float, error: RequestError | None = None, ref: Reference | None = None
) -> dict[str, object]:
    """Return the fields of a log record about an outage: of one reference, or cluster-wide."""
    return {
        "event": event,
        "seconds": seconds,
        "reason": None if error is None else one_line(getattr(error, "reason", error.detail)),
        "ref": None if ref is None else str(ref),
    }


def _group_by_list(solos: list[Waiter]) -> dict[ListKind, list[Waiter]]:
    first = solos[0].list_kind if solos else None
    if first is not None and all(waiter.list_kind is first for waiter in solos):
        return {first: solos}  # the usual case, for thousands of waiters
    groups: dict[ListKind, list[Waiter]] = {}
    for waiter in solos:
        groups.setdefault(waiter.list_kind, []).append(waiter)
    return groups


class ListEndpoint:
    """Statistics of one list: its cost, its failures, and its last request."""

    def __init__(self, kind: ListKind) -> None:
        self.avoided_until = -math.inf
        self.last_kind: RequestKind | None = None
        self.last_request = 0  # sequence number of the last request for this list or its actions
        self._kind = kind
        self._cost = 1.0
        self._expires = -math.inf
        self._failures = 0

    def cost_at(self, now: float) -> float:
        """Return the cost of the list, in requests for a single action."""
        return self._cost if now < self._expires else 1.0

    def record_answer(self, now: float, cost: float) -> None:
        """Record an answer and its cost."""
        self._cost = cost
        self._expires = now + _LIST_EXPIRY
        if self._failures >= _LIST_FAILURES:
            fields = {"event": "list answered", "list": str(self._kind)}
            _log.warning("the list of all %s is answered again", self._kind, extra=fields)
        self._failures = 0

    def record_failure(self, now: float) -> None:
        """Record a failure. The second one in a row means that other requests were answered."""
        self._failures += 1
        if self._failures >= _LIST_FAILURES:
            self.avoided_until = now + _LIST_AVOIDED
        if self._failures == _LIST_FAILURES:
            fields = {"event": "list fails", "list": str(self._kind)}
            message = "the list of all %s fails; requesting each one alone"
            _log.warning(message, self._kind, extra=fields)


class ClusterOutage:
    """Time without usable answers from the cluster, since the first request that failed."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.failures = 0
        self.retry_at = began
        self._retry = RetryState(began)
        self._last_tried: dict[Reference, float] = {}

    def sort_key(self, waiter: Waiter) -> tuple[bool, float]:
        """Return a key that sorts by the time of the last try, and failing actions last."""
        return waiter.suspect, self._last_tried.get(waiter.state.ref, -math.inf)

    def record_failure(self, error: RequestError, refs: Iterable[Reference], now: float) -> None:
        """Record a failed request for these references."""
        self.retry_at = now + self._retry.pause_after(error, now)
        self.failures += 1
        self._last_tried |= dict.fromkeys(refs, now)
