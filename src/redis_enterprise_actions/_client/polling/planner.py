"""What to ask next, and when: for whom, by which route, and how patiently.

Knows who waits and what the cluster did last. Reads no clock and asks nothing.
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

_OUTAGE_FAILURES: Final = 2  # failures in a row that are more than a slip
_LIST_FAILURES: Final = 2  # failures of the list in a row that are not the cluster's
_LIST_EXPIRY: Final = 300.0  # seconds for which the cost of a list is remembered
_LIST_AVOIDED: Final = 60.0  # seconds for which a list is not tried that fails where singles work


class RequestKind(enum.Enum):
    """What there is to ask."""

    SINGLE = enum.auto()
    LIST = enum.auto()
    VERIFY = enum.auto()


class PlannedRequest(NamedTuple):
    """What to ask next, for whom first of all, and when."""

    when: float
    kind: RequestKind
    waiter: Waiter


class PollPlanner:
    """What is to be asked for those who wait."""

    def __init__(self, registry: WaiterRegistry) -> None:
        self.rate_limiter = RateLimiter()
        self._waiters = registry
        self.outage: ClusterOutage | None = None
        self._lists: dict[ListKind, ListEndpoint] = {}
        self._unverified: deque[Waiter] = deque()
        self._failing_since: dict[
            Reference, float
        ] = {}  # since when: that fail while others are answered for
        self._last_kind: RequestKind | None = None
        self._requests = 0

    @property
    def earliest(self) -> float:
        """When the next request may be made that is not pressing."""
        return self.rate_limiter.earliest(urgent=False)

    def list_endpoint(self, system: ListKind) -> ListEndpoint:
        """Return what is known of the list of a system."""
        if system not in self._lists:
            self._lists[system] = ListEndpoint(system)
        return self._lists[system]

    def record_request(self, look: PlannedRequest) -> None:
        """Note what was asked last."""
        self._last_kind = look.kind
        self._requests += 1
        if look.kind is not RequestKind.VERIFY:
            self.list_endpoint(look.waiter.list_kind).record_request(self._requests, look.kind)

    def require_verification(self, waiter: Waiter, doubt: WaitError) -> None:
        """Note that a database has to be asked before this is believed."""
        if waiter.unverified is None:
            self._unverified.append(waiter)
        waiter.unverified = doubt

    def record_answer(self, now: float) -> None:
        """Note that the cluster answers."""
        if self.outage is not None and self.outage.failures >= _OUTAGE_FAILURES:
            lasted = now - self.outage.began
            extra = _log_fields("outage over", lasted)
            _outage_log.warning("the cluster answers again after %.1f s", lasted, extra=extra)
        self.outage = None

    def record_action_failure(self, error: RequestError, askers: list[Waiter], now: float) -> bool:
        """Note that asking about one action failed; return whether that is its own trouble."""
        if not all(waiter.suspect for waiter in askers):
            return False
        ref = askers[0].state.ref
        if ref not in self._failing_since:
            self._failing_since[ref] = since = min(waiter.state.asked_at for waiter in askers)
            extra = _log_fields("outage", now - since, error, ref)
            said = "%s; asking again, while others are answered for"
            _outage_log.warning(said, str(error), extra=extra)
        return True

    def record_action_answer(self, waiter: Waiter, now: float) -> None:
        """Note that the cluster tells of the action of one who waits."""
        waiter.suspect = False
        ref = waiter.state.ref
        if self._failing_since and ref in self._failing_since:
            extra = _log_fields("outage over", now - self._failing_since.pop(ref), ref=ref)
            said = "action %s is answered for again"
            _outage_log.warning(said, one_line(ref.name), extra=extra)

    def forget(self, ref: Reference) -> None:
        """Note that nobody waits for an action any more."""
        self._failing_since.pop(ref, None)

    def record_failure(self, error: RequestError, askers: list[Waiter], now: float) -> float | None:
        """Note that it does not; if that is everybody's outage by now, return since when."""
        if self.outage is None:
            self.outage = ClusterOutage(min(waiter.state.asked_at for waiter in askers))
        self.outage.record_failure(error, [waiter.state.ref for waiter in askers], now)
        if self.outage.failures == _OUTAGE_FAILURES and not error.has_alternative:
            extra = _log_fields("outage", now - self.outage.began, error)
            _outage_log.warning("%s; asking again", str(error), extra=extra)
        return self.outage.began if self.outage.failures >= _OUTAGE_FAILURES else None

    def next_request(self, now: float) -> PlannedRequest:
        """Return what to ask next for those who wait, one at least."""
        while self._unverified and self._unverified[0].unverified is None:
            self._unverified.popleft()
        solos = self._waiters.solos_in_turn()
        if not self._unverified:
            return self._plan(solos, now)
        when = self.rate_limiter.earliest(urgent=True)
        if self.outage is not None:
            when = max(when, min(self.outage.retry_at, self._unverified[0].state.soft_limit))
        settle = PlannedRequest(when, RequestKind.VERIFY, self._unverified[0])
        others = [waiter for waiter in solos if waiter.unverified is None]
        if not others and not self._waiters.choruses():
            return settle
        look = self._plan(others, now)
        # By turns, where there is much to ask; but a limit does not wait.
        turn = self._last_kind is RequestKind.VERIFY and look.when <= settle.when
        return look if turn or any(waiter.state.soft_limit <= now for waiter in others) else settle

    def _plan(self, solos: list[Waiter], now: float) -> PlannedRequest:
        if self.outage is not None:
            return self._plan_in_outage(self.outage, solos)
        choruses = self._waiters.choruses()
        if len(solos) == 1 and not choruses:
            return self._plan_single(solos, now)
        groups = _group_by_list(solos)
        looks = [
            self._plan_for_list(system, groups.get(system, []), now)
            for system in dict.fromkeys([*groups, *choruses])
        ]
        # By turns, where there is much to ask.
        return min(
            looks,
            key=lambda look: (look.when, self.list_endpoint(look.waiter.list_kind).last_request),
        )

    def _plan_for_list(self, system: ListKind, solos: list[Waiter], now: float) -> PlannedRequest:
        """Return what to ask next of one system."""
        together = [waiter for waiter in solos if waiter.single_until <= now]
        singers = self._waiters.chorus_of(system).members
        listed = self._list_due(system, together, now)
        if listed is None:
            members = list(singers.values())
            for member in members:
                self._waiters.part(member, now)
            return self._plan_single(sorted(solos + members, key=attrgetter("order")), now)
        first = together[0] if together else next(iter(singers.values()))
        if len(together) < len(solos):
            apart = [waiter for waiter in solos if waiter.single_until > now]
            single = self._plan_single(apart, now)
            # By turns, where there is much to ask; but a limit does not wait.
            last = self.list_endpoint(system).last_kind
            turn = listed <= max(now, single.when) and last is not RequestKind.LIST
            if single.when <= listed and not (
                turn and all(p.state.soft_limit > now for p in apart)
            ):
                return single
        return PlannedRequest(listed, RequestKind.LIST, first)

    def _plan_in_outage(self, outage: ClusterOutage, waiters: list[Waiter]) -> PlannedRequest:
        """In an outage we ask for one alone, another each time, with growing pauses."""
        first = min(waiters, key=lambda waiter: waiter.state.soft_limit)
        if first.state.soft_limit >= outage.retry_at:
            first = min(waiters, key=outage.sort_key)
        when = min(outage.retry_at, first.state.soft_limit)
        return PlannedRequest(
            max(when, self.rate_limiter.earliest(urgent=True)), RequestKind.SINGLE, first
        )

    def _plan_single(self, waiters: list[Waiter], now: float) -> PlannedRequest:
        first = waiters[0]
        if len(waiters) > 1:
            first = min(waiters, key=lambda waiter: waiter.urgency(now))
        wait = first.state
        if all(waiter.state.is_new and waiter.state.ref == wait.ref for waiter in waiters):
            return PlannedRequest(
                max(now, self.rate_limiter.earliest(urgent=True)), RequestKind.SINGLE, first
            )
        when = self._earliest_start(wait.due, now if first.poll_now else wait.soft_limit)
        return PlannedRequest(when, RequestKind.SINGLE, first)

    def _list_due(self, system: ListKind, solos: list[Waiter], now: float) -> float | None:
        """Return when to ask for the list, or None if asking for each alone is better."""
        waits = [waiter.state for waiter in solos]
        chorus = self._waiters.chorus_of(system)
        singles = len({wait.ref for wait in waits}) + len(chorus.members)
        if singles < 2:
            return None
        known = self.list_endpoint(system)
        if now < known.avoided_until:
            return None
        asked = [wait.asked_at for wait in waits]
        since = max(asked, default=-math.inf)
        if chorus.members:
            since = max(since, chorus.looks.asked)
        crowd = SharedSchedule(
            [wait.schedule for wait in waits], since, chorus.schedules.values(), chorus.latest
        )
        cost = known.cost_at(now)
        if not crowd.shares(cost, singles):
            return None
        due = crowd.due(cost)
        deadline = min([wait.deadline for wait in waits], default=math.inf)
        if 0 <= deadline - due < min(due - since, CLOSE_TO_DEADLINE):
            due = deadline
        return self._earliest_start(due, min([wait.soft_limit for wait in waits], default=math.inf))

    def _earliest_start(self, due: float, limit: float) -> float:
        """Return when what is due may be asked; at a limit it is pressing."""
        courtesy = self.rate_limiter.earliest
        return min(max(due, courtesy(urgent=False)), max(limit, courtesy(urgent=True)))


def _log_fields(
    event: str, seconds: float, error: RequestError | None = None, ref: Reference | None = None
) -> dict[str, object]:
    """Return what a log record says in data of an outage, of all or of one reference."""
    return {
        "event": event,
        "seconds": seconds,
        "reason": None if error is None else one_line(getattr(error, "reason", error.detail)),
        "ref": None if ref is None else str(ref),
    }


def _group_by_list(solos: list[Waiter]) -> dict[ListKind, list[Waiter]]:
    """Return those who may be served by one list, by the system that it is of."""
    first = solos[0].list_kind if solos else None
    if first is not None and not [waiter for waiter in solos if waiter.list_kind is not first]:
        return {first: solos}
    waiters: dict[ListKind, list[Waiter]] = {}
    for waiter in solos:
        waiters.setdefault(waiter.list_kind, []).append(waiter)
    return waiters


class ListEndpoint:
    """What is known of the list of a system: what it costs, and whether it can be had."""

    def __init__(self, system: ListKind) -> None:
        self.avoided_until = -math.inf
        self.last_kind: RequestKind | None = None
        self.last_request = 0  # which of all looks was the last at this system
        self._kind = system
        self._cost = 1.0
        self._expires = -math.inf
        self._failures = 0

    def record_request(self, look: int, route: RequestKind) -> None:
        """Note a look, at the list or at one alone."""
        self.last_request = look
        self.last_kind = route

    def cost_at(self, now: float) -> float:
        return self._cost if now < self._expires else 1.0

    def record_answer(self, now: float, cost: float) -> None:
        self._cost = cost
        self._expires = now + _LIST_EXPIRY
        if self._failures >= _LIST_FAILURES:
            fields = {"event": "list answered", "list": str(self._kind)}
            _log.warning("the list of all %s is answered again", self._kind, extra=fields)
        self._failures = 0

    def record_failure(self, now: float) -> None:
        """Note a failure. Until the second one, something else has been answered."""
        self._failures += 1
        if self._failures >= _LIST_FAILURES:
            self.avoided_until = now + _LIST_AVOIDED
        if self._failures == _LIST_FAILURES:
            fields = {"event": "list fails", "list": str(self._kind)}
            said = "the list of all %s fails; each is asked for alone"
            _log.warning(said, self._kind, extra=fields)


class ClusterOutage:
    """A time without usable answers, from the first request that got none."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.failures = 0
        self.retry_at = began
        self._retry = RetryState(began)
        self._last_tried: dict[Reference, float] = {}

    def sort_key(self, waiter: Waiter) -> tuple[bool, float]:
        """Return what sorts those first that were not asked for yet, or not for the longest."""
        return waiter.suspect, self._last_tried.get(waiter.state.ref, -math.inf)

    def record_failure(self, error: RequestError, refs: Iterable[Reference], now: float) -> None:
        self.retry_at = now + self._retry.pause_after(error, now)
        self.failures += not error.has_alternative
        self._last_tried |= dict.fromkeys(refs, now)
