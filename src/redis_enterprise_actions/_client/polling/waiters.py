"""Registry of what is waited for: list routes, references on them, and the waiters of each.

`ListEndpoint` counts the requests for one list, `TrackedAction` those for one reference alone; what
a wait knows of its polls is computed from both when it is asked for. So an answer that changes
nothing costs nothing for each wait. The module reads no clock and sends nothing.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.pacing.shared_schedule import SharedSchedule
from redis_enterprise_actions._client.protocols import Wanted
from redis_enterprise_actions._model.action import Action, AmbiguousAnswer
from redis_enterprise_actions._model.reference import WITHOUT_LIST


if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Mapping

    from redis_enterprise_actions._client.protocols import StatusSource, UnreadEntry
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import ListKind, Reference

    from .outages import Outage
    from .wait_state import WaitState

_log = logging.getLogger(__name__)

SLOW_REQUEST: Final = 3.0  # seconds; while a request takes longer, others are made beside it
QUICK: Final = 2.0  # seconds within which a healthy list answers; a poll at a limit may take it
_SINGLE_PERIOD: Final = 60.0  # seconds without the list for an action that it did not show
_LIST_EXPIRY: Final = 300.0  # seconds until the cost of a list is measured again
_LIST_AVOIDED: Final = 60.0  # seconds without a list that failed; doubled with each failure
_PATIENCE: Final = 5.0  # seconds for a request while others are answered; likewise for a list
_LIST_FAILURES: Final = 2  # failures in a row, after which a list is avoided
_SINGLES_AT_LIMIT: Final = 6  # three a second, for `QUICK`
_MOST_DOUBLINGS: Final = 3
_MANY: Final = 100  # references; as many cannot be asked for one by one in less than half a minute
_PER_REQUEST: Final = 0.1  # seconds of an answer that cost a cluster as much as a request
_FEW_CHANGES: Final = 8  # one of so many waiters may have joined or left since the last sum
_NEVER: Final = -math.inf  # one object: there are thousands of waits
_READ_EVERY: Final = 1 / 32  # of the age of a wait: how often its schedule hears of progress


def patience(failures: int, usual: float) -> float:
    """Return the seconds for a request while others are answered, after some failures in a row.

    `usual` is the time that the last answer took.
    """
    return max(_PATIENCE * 2.0 ** min(failures, _MOST_DOUBLINGS), 2 * usual)


class Waiter:
    """One task that awaits updates of one action.

    `joined` is a number that grows with each request and each waiter: a request with a smaller
    number was not made for this waiter.
    """

    __slots__ = (
        *("check_at", "ends_at", "every_update", "future", "joined", "state", "tracked"),
        "was_cut",
    )

    future: asyncio.Future[None]  # done when there is an update, or the end
    tracked: TrackedAction

    def __init__(self, state: WaitState, *, every_update: bool) -> None:
        self.state = state
        self.every_update = every_update  # False: only the end is an update
        self.joined = 0
        self.check_at = math.inf  # time of the valid entry in the heap of limits
        self.ends_at = math.inf  # time at which the wait ends although no answer came at its limit
        self.was_cut = False  # the first poll at its limit was cut short: the next one is not

    @property
    def due(self) -> float:
        """The time of the next request, if no other waiter shares it."""
        tracked = self.tracked
        return self.state.due(tracked.asked_at, tracked.heard_at)


class TrackedAction:
    """One reference that is waited for, with its waiters.

    Polls of its list count while it is `attached` to the list; those for it alone always do.
    """

    __slots__ = (
        *("_alone_asked_at", "_alone_heard_at", "_alone_polls", "_alone_shown_at"),
        *("_attached_at", "is_stale", "action", "endpoint", "is_attached", "is_quiet"),
        *("list_misses", "may_return", "outage", "poll_now", "read_at", "ref", "single_until"),
        *("took", "waiters"),
    )

    def __init__(self, ref: Reference, endpoint: ListEndpoint) -> None:
        self.ref = ref
        self.endpoint = endpoint
        self.waiters: tuple[Waiter, ...] = ()
        self.action: Action | None = None  # as last seen
        self.outage: Outage | None = None  # of this action
        self.is_attached = True
        self.is_quiet = False  # only a change of its entry, or a limit, can mean anything
        self.list_misses = 0  # successive lists that did not show the action
        self.single_until = _NEVER  # until then a list that did not show it is not used
        self.poll_now = False
        self.may_return = False  # a waiter may have left for its callback, and come back
        self.took = 0.0  # seconds of the last answer to a request for it alone
        self.read_at = _NEVER  # time from which a change is read even if no waiter listens
        self._attached_at = endpoint.polls
        self.is_stale = False  # the list shows a change that was not read
        self._alone_polls = 0
        self._alone_asked_at = _NEVER
        self._alone_heard_at = _NEVER
        self._alone_shown_at = _NEVER

    # --- counters, as `PollCounts` --------------------------------------------------------------

    @property
    def polls(self) -> int:
        """The number of requests for the reference, alone or together with others."""
        shared = self.endpoint.polls - self._attached_at if self.is_attached else 0
        return self._alone_polls + shared

    @property
    def asked_at(self) -> float:
        """The time of the last request."""
        if self.is_attached and self.endpoint.polls > self._attached_at:
            return max(self._alone_asked_at, self.endpoint.asked_at)
        return self._alone_asked_at

    @property
    def heard_at(self) -> float:
        """The time of the last answer or failure."""
        if self.is_attached and self.endpoint.polls > self._attached_at:
            return max(self._alone_heard_at, self.endpoint.heard_at)
        return self._alone_heard_at

    @property
    def shown_at(self) -> float:
        """The time of the last request whose answer showed the action unfinished."""
        return max(self._alone_shown_at, self.endpoint.shown_at if self.is_quiet else _NEVER)

    @property
    def due(self) -> float:
        """The time of the next request, if no other reference shares it."""
        due = _NEVER if self.poll_now else min([waiter.due for waiter in self.waiters])
        return due if self.outage is None else max(due, self.outage.retry_at)

    @property
    def patience(self) -> float:
        """Seconds for a request for it alone while others are answered."""
        return patience(0 if self.outage is None else self.outage.failures, self.took)

    @property
    def unverified(self) -> WaitError | None:
        """The first error of its waits that the database has to confirm."""
        errors = [waiter.state.unverified for waiter in self.waiters]
        return next((each for each in errors if each is not None), None)

    def refresh(self) -> None:
        """Read the entry of the last list, if that changed and was not read."""
        if self.is_stale:
            self.is_stale = False
            action = None if self.endpoint.read is None else self.endpoint.read(self.ref)
            if action is not None:
                self._on_seen(action)

    def on_asked(self, now: float) -> None:
        """Record a request for this action alone."""
        if self.is_attached:
            self.endpoint.single_asked_at = now
        self._alone_polls += 1
        self._alone_asked_at = now
        self.poll_now = False

    def on_not_asked(self) -> None:
        """Record that a verification needed no request."""
        self._alone_polls -= 1

    def on_heard(self, now: float) -> None:
        """Record the answer to it, or that it failed.

        The time without the list begins here: many may have to wait for their turn.
        """
        self._alone_heard_at = now
        if self.list_misses and self.single_until == math.inf:
            self.single_until = now + _SINGLE_PERIOD

    def was_heard_since(self, when: float) -> bool:
        """Return True if the action was asked for alone after a time, and there was an answer."""
        return self._alone_asked_at > when and self._alone_heard_at > self._alone_asked_at

    # --- the list -------------------------------------------------------------------------------

    def attach(self) -> None:
        """Count the polls of the list from now on."""
        if not self.is_attached:
            self.is_attached, self._attached_at = True, self.endpoint.polls
            self.endpoint.changes += 1  # the list has its schedule as well from now on
            self.endpoint.alone.pop(self, None)

    def detach(self) -> None:
        """Count no more polls of the list."""
        if self.is_attached:
            polls, asked_at, heard_at = self.polls, self.asked_at, self.heard_at
            self.is_attached = False
            self._alone_polls, self._alone_asked_at, self._alone_heard_at = (
                polls,
                asked_at,
                heard_at,
            )
            self.endpoint.alone[self] = None

    def on_missing(self) -> None:
        """Record that the list does not show the action. Only a single request can confirm that."""
        self.listen()
        self.list_misses += 1
        self.single_until, self.poll_now = math.inf, True
        self.detach()

    def on_untold(self) -> None:
        """Record that the list tells nothing about it, and so is not used until it does."""
        self.listen()
        self.list_misses = 0
        self.single_until, self.poll_now = math.inf, True
        self.detach()

    def on_found_alone(self) -> None:
        """Record that a single request found the action. The list gets one more chance."""
        if self.list_misses == 1:
            self.single_until = _NEVER
            self.attach()

    def on_listed(self, asked_at: float) -> None:
        """Record that the list shows the action."""
        self.list_misses = 0
        self.single_until, self.poll_now = _NEVER, False
        if not self.is_attached:
            self._alone_polls += 1
            self._alone_asked_at = asked_at
            self.attach()

    def listen(self) -> None:
        """Have each answer of the list passed to the waiters."""
        if self.is_quiet:
            self.refresh()
            self._alone_shown_at = self.shown_at
            self.is_quiet = False
        if self.waiters:
            self.endpoint.attentive[self] = None

    def ignores(self, entry: UnreadEntry | Action | AmbiguousAnswer | None, now: float) -> bool:
        """Return True if an entry of the list means nothing to the waiters, and note its change."""
        if (
            entry is None
            or isinstance(entry, AmbiguousAnswer)
            or not (entry.phase.unfinished and self.is_quiet)
            or (now >= self.read_at and entry != self.action)
        ):
            return False
        if isinstance(entry, Action):
            self._on_seen(entry)
        else:
            self.is_stale = True
        return True

    def on_read(self, action: Action | None, now: float, *, is_listed: bool) -> None:
        """Record that the waiters know the present state, from the list or from another request."""
        self.is_stale = False
        if action is not None:
            self.action = self.endpoint.wanted[self.ref] = action
        began, is_heard, is_steady = now, False, is_listed or self.is_quiet
        for waiter in self.waiters:
            state = waiter.state
            began = min(began, state.began)
            is_heard = is_heard or waiter.every_update or state.has_stall_limit
            is_steady = is_steady and state.is_steady
        self.read_at = _NEVER if is_heard else now + (now - began) * _READ_EVERY
        if not is_steady:
            self.listen()
        elif not self.is_quiet:
            self.is_quiet = True
            del self.endpoint.attentive[self]
            if not self.endpoint.attentive:
                self.endpoint.attentive.clear()  # gives back the memory for thousands

    def _on_seen(self, action: Action) -> None:
        self.action = self.endpoint.wanted[self.ref] = action
        for waiter in self.waiters:
            waiter.state.on_seen(action)


class ListEndpoint:
    """One list route: its requests and answers, its cost, and the references on it."""

    def __init__(self, kind: ListKind, source: StatusSource) -> None:
        self.kind = kind
        self.source = source
        self.tracked: dict[Reference, TrackedAction] = {}
        self.wanted = Wanted()
        self.attentive: dict[TrackedAction, None] = {}  # those that each answer may concern
        self.alone: dict[TrackedAction, None] = {}  # those that the list did not show
        self.count = 0  # of waiters
        self.changes = 0  # waiters that joined or left
        self.has_new = False  # a waiter has joined for which nothing was asked yet
        self.newest = _NEVER  # when the newest wait began
        self.out_since = math.inf  # time of the request that is out
        self.polls = 0
        self.asked_at = _NEVER
        self.single_asked_at = _NEVER  # time of the last single request for one that is listed
        self.heard_at = _NEVER
        self.shown_at = _NEVER  # time of the last request that was answered
        self.read: Callable[[Reference], Action | None] | None = None  # see `ListResult`
        self.avoided_until = math.inf if kind in WITHOUT_LIST else _NEVER
        self.last_request = 0  # number of the last request for this list or its actions
        self.last_was_list = False
        self._cost = 1.0
        self._cost_until = _NEVER
        self._took = 0.0  # seconds of the last answer
        self._single_took = _PER_REQUEST  # likewise, of one for a single action
        self._single_until = _NEVER
        self._failures = 0
        self._is_failing = False  # and the log says so
        self._schedule: SharedSchedule | None = None
        self._schedule_changes = 0

    def slow_after(self, now: float) -> float:
        """Return the seconds after which other requests are made beside one that is out."""
        single_took = self._single_took if now < self._single_until else 0.0
        return max(SLOW_REQUEST, 2 * self._took, 2 * single_took)

    @property
    def patience(self) -> float:
        """Seconds for a request for the list while others are answered."""
        return patience(self._failures, self._took)

    def serves_limits(self, count: int, now: float) -> bool:
        """Return True if the list is better than single requests for so many at their limits.

        A healthy list is, for two; it can be expected to answer within `QUICK`. One whose last
        request failed is worth a try for more than can be asked for alone within `QUICK`.
        """
        if now - self.out_since > QUICK or self._took > QUICK or not self.is_usable(now):
            return False
        return count > (_SINGLES_AT_LIMIT if self._failures else 1)

    def is_usable(self, now: float) -> bool:
        """Return True if the list serves several references and does not fail."""
        listed = len(self.tracked) - len(self.alone)
        return listed > 1 and now >= self.avoided_until

    def cost_at(self, now: float) -> float:
        """Return the cost of the list, in requests for a single action."""
        return self._cost if now < self._cost_until else 1.0

    def schedule(self, since: float, *, is_bound: Callable[[float], bool]) -> SharedSchedule:
        """Return the schedule of the waits that the list serves.

        The sum over them is made anew at most once a second, and not while `is_bound` is true of
        the time at which the list is due at the latest.
        """
        schedule = self._schedule
        changes = self.changes - self._schedule_changes
        if (
            schedule is not None
            and changes * _FEW_CHANGES <= schedule.count
            and (schedule.is_current(since) or is_bound(schedule.latest_due(since, self._cost)))
        ):
            return schedule
        self._schedule_changes = self.changes
        self._schedule = SharedSchedule(
            [
                waiter.state.active_schedule
                for tracked in self.tracked.values()
                if tracked.is_attached
                for waiter in tracked.waiters
            ],
            since,
        )
        return self._schedule

    def on_asked(self, now: float) -> None:
        """Record a request for the list."""
        self.has_new = False
        self.polls += 1
        self.asked_at = now
        self.out_since = min(self.out_since, now)

    def on_heard(self, asked_at: float, now: float, cost: float, took: float) -> None:
        """Record an answer, its cost, and the seconds that it took the cluster."""
        self.shown_at, self.heard_at = asked_at, now
        self._took = took
        # A list that is slow, where single requests are not, costs accordingly.
        self._cost = max(cost, took / self._single_took if took > QUICK else 0.0)
        self._cost_until = now + _LIST_EXPIRY
        if self._is_failing:
            fields = {"event": "list answered", "list": str(self.kind)}
            _log.warning("the list of all %s is answered again", self.kind, extra=fields)
        self._failures, self._is_failing = 0, False

    def refuse(self, now: float) -> None:
        """Record that the cluster refuses the list, which is not used for a while."""
        self.avoided_until = now + _LIST_EXPIRY

    def on_single_heard(self, now: float, took: float) -> None:
        """Record the seconds that a request for a single action took the cluster."""
        self._single_took, self._single_until = max(took, _PER_REQUEST), now + _LIST_EXPIRY

    def on_failed(self, now: float, *, alone: bool) -> None:
        """Record a failed request. If `alone`, others were answered meanwhile."""
        self.heard_at = now
        self._failures += 1
        if self._failures < _LIST_FAILURES and not alone:
            return
        doublings = min(max(0, self._failures - _LIST_FAILURES), _MOST_DOUBLINGS)
        if len(self.tracked) > _MANY:
            doublings = 0
        self.avoided_until = now + _LIST_AVOIDED * 2**doublings
        if not self._is_failing:
            self._is_failing = True
            fields = {"event": "list fails", "list": str(self.kind)}
            message = "the list of all %s fails; requesting each one alone"
            _log.warning(message, self.kind, extra=fields)


class WaiterRegistry:
    """All waiters of one poller, by list and reference."""

    def __init__(self, sources: Mapping[ListKind, StatusSource]) -> None:
        self._sources = sources
        self.endpoints: dict[ListKind, ListEndpoint] = {}
        self.count = 0  # of waiters
        self.number = 0  # of the last waiter or request
        self.at_limit: dict[Waiter, None] = {}  # those that a request is urgent for
        self.unverified: dict[TrackedAction, None] = {}

    def __iter__(self) -> Iterator[Waiter]:
        """Iterate over a copy of all waiters."""
        return iter(
            [
                waiter
                for endpoint in self.endpoints.values()
                for tracked in endpoint.tracked.values()
                for waiter in tracked.waiters
            ]
        )

    def endpoint(self, kind: ListKind) -> ListEndpoint:
        """Return the endpoint of a list."""
        if kind not in self.endpoints:
            self.endpoints[kind] = ListEndpoint(kind, self._sources[kind])
        return self.endpoints[kind]

    def attach_due(self, now: float) -> None:
        """Use the lists again for the references that were asked for alone for long enough."""
        for endpoint in self.endpoints.values():
            for tracked in [each for each in endpoint.alone if each.single_until <= now]:
                tracked.attach()

    def add(self, waiter: Waiter, now: float) -> None:
        """Add a waiter, for the first time or again."""
        state = waiter.state
        endpoint = self.endpoint(state.ref.list_kind)
        tracked = endpoint.tracked.get(state.ref)
        if tracked is None:
            tracked = getattr(waiter, "tracked", None) or TrackedAction(state.ref, endpoint)
            endpoint.tracked[state.ref] = tracked
            endpoint.wanted[state.ref] = tracked.action
            endpoint.wanted.version += 1
            if tracked.single_until > now:
                endpoint.alone[tracked] = None
            elif not tracked.is_attached:
                tracked.attach()
        waiter.tracked = tracked
        tracked.waiters += (waiter,)
        tracked.may_return = tracked.may_return or waiter.every_update
        tracked.listen()
        state.join(tracked)
        endpoint.has_new = endpoint.has_new or not waiter.joined
        self.number += 1
        waiter.joined = self.number
        endpoint.newest = max(endpoint.newest, state.asks_from)
        endpoint.changes += 1
        endpoint.count += 1
        self.count += 1

    def remove(self, waiter: Waiter) -> bool:
        """Remove a waiter. Return False if it had been removed before."""
        tracked = waiter.tracked if waiter.joined else None
        if tracked is None or waiter not in tracked.waiters:
            return False
        if tracked.is_stale:
            tracked.refresh()
        waiter.state.leave()
        place = tracked.waiters.index(waiter)
        tracked.waiters = tracked.waiters[:place] + tracked.waiters[place + 1 :]
        self.at_limit.pop(waiter, None)
        endpoint = tracked.endpoint
        endpoint.changes += 1
        endpoint.count -= 1
        self.count -= 1
        if not tracked.waiters:
            if tracked.may_return:
                tracked.listen()
                tracked.detach()
            del endpoint.tracked[tracked.ref], endpoint.wanted[tracked.ref]
            endpoint.attentive.pop(tracked, None)
            endpoint.alone.pop(tracked, None)
            endpoint.wanted.version += 1
            self.unverified.pop(tracked, None)
        return True
