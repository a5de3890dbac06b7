"""Registry of waiters, keyed by reference.

Each waiter is either individual (a "solo") or in a `Chorus`: there, the polls of one list are
counted once for all members, so that thousands of waits cost little as long as nothing happens.
The module reads no clock and sends nothing.
"""

from __future__ import annotations

import math
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.pacing.schedules import AimedSchedule

from .wait_state import LAST_POLL_TIMEOUT, Looks


if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Mapping

    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import ListKind, Reference

    from .wait_state import WaitState

_SINGLE_PERIOD: Final = 60.0  # seconds without the list for an action that it did not show
_AHEAD: Final = 5.0  # seconds; a member leaves its chorus this long before a limit, plus a pause


class Waiter:
    """One task that waits for updates of one action."""

    __slots__ = (
        *("chorus", "every_update", "expires_at", "future", "list_kind", "list_misses", "order"),
        *("poll_now", "single_until", "state", "suspect", "unverified"),
    )

    future: asyncio.Future[Action]
    expires_at: float  # time at which the wait ends even without an answer
    order: int  # sequence number in the registry

    def __init__(self, state: WaitState, *, every_update: bool) -> None:
        self.state = state
        self.list_kind = state.ref.list_kind
        self.every_update = every_update  # False: only the end is an update
        self.chorus: Chorus | None = None
        self.suspect = False  # requests for its action fail while others are answered
        self.list_misses = 0  # successive lists that did not show its action
        self.single_until = -math.inf  # until then a list that did not show its action is not used
        self.poll_now = False
        self.unverified: WaitError | None = None  # the error that the database has to confirm

    @property
    def is_steady(self) -> bool:
        """True if the last list showed the action and nothing has to be verified."""
        return not self.list_misses and self.unverified is None

    def update_expiry(self, now: float) -> None:
        """Set the expiry anew, as an outage has begun or ended."""
        end = self.state.hard_limit
        if end > now:
            self.expires_at = end + LAST_POLL_TIMEOUT
        else:
            self.expires_at = min(self.expires_at, now + LAST_POLL_TIMEOUT)

    def on_others_answered(self, now: float) -> None:
        """Record that the cluster answered a request for others."""
        self.state.on_cluster_answered(now)
        self.suspect = self.suspect or self.state.is_failing

    def on_missing_in_list(self, now: float) -> None:
        """Record that the list did not show the action. Only a single request can confirm that."""
        self.list_misses += 1
        self.single_until, self.poll_now = now + _SINGLE_PERIOD, True

    def on_found_alone(self) -> None:
        """Record that a single request found the action. The list gets one more chance."""
        if self.list_misses == 1:
            self.single_until = -math.inf

    def on_found_in_list(self) -> None:
        """Record that the list showed the action."""
        self.list_misses = 0
        self.single_until, self.poll_now = -math.inf, False

    def urgency(self, now: float) -> tuple[bool, float]:
        """Return a sort key: waits at a limit first, then by the time at which they are due."""
        if self.state.soft_limit <= now:
            return False, self.state.soft_limit
        return True, -math.inf if self.poll_now else self.state.due


class Chorus:
    """Waiters that share the polls of one list, while their limits are far away.

    Each is the only waiter for its action, and all have the same kind of schedule.
    """

    def __init__(self, wanted: dict[Reference, Action | None]) -> None:
        self.members: dict[Reference, Waiter] = {}
        self.schedules: dict[Reference, AimedSchedule] = {}
        self.looks = Looks()
        self.review_at = math.inf  # until then no limit is near
        self._cap = math.inf  # longest pause of the members, in seconds
        self._wanted = wanted

    @property
    def latest(self) -> float:
        """The time by which the next poll is due for the members."""
        return self.looks.heard + self._cap if self.members else math.inf

    def joined(self, waiter: Waiter, now: float) -> bool:
        """Add a waiter that got the last answer. Return False if it cannot be a member."""
        schedule = waiter.state.schedule
        if not (isinstance(schedule, AimedSchedule) and waiter.state.is_at_ease):
            return False
        if schedule.cap != self._cap:
            if self.members:
                return False
            self._cap = schedule.cap
        review_at = self._review_of(waiter)
        if review_at <= now:
            return False
        self.review_at = min(self.review_at, review_at)
        self.members[waiter.state.ref], self.schedules[waiter.state.ref] = waiter, schedule
        waiter.chorus = self
        waiter.state.join(self.looks)
        return True

    def parted(self, waiter: Waiter) -> None:
        """Remove a waiter, and bring its counters up to date."""
        del self.members[waiter.state.ref], self.schedules[waiter.state.ref]
        waiter.chorus = None
        waiter.state.part()
        if not self.members:
            self.review_at = math.inf

    def tell(self, changed: Mapping[Reference, Action | None], now: float) -> list[Waiter]:
        """Record what changed for the members. Return those that have to act on it themselves."""
        acting: list[Waiter] = []
        for ref, action in changed.items():
            waiter = self.members.get(ref)
            if waiter is None or waiter.future.done():
                continue
            if waiter.every_update or action is None or not action.phase.unfinished:
                acting.append(waiter)
            else:
                waiter.state.goes_on(action, now)
                self._wanted[ref] = action
        return acting

    def nearing(self, now: float) -> list[Waiter]:
        """Return the members whose limits are near."""
        if now < self.review_at:
            return []
        reviews = {waiter: self._review_of(waiter) for waiter in self.members.values()}
        self.review_at = min((at for at in reviews.values() if at > now), default=math.inf)
        return [waiter for waiter, at in reviews.items() if at <= now]

    def _review_of(self, waiter: Waiter) -> float:
        return waiter.state.soft_limit - self._cap - _AHEAD


class WaiterRegistry:
    """All waiters of one poller: the `solos`, and a chorus for each list."""

    def __init__(self) -> None:
        self.solos: dict[Waiter, None] = {}
        self._order = count()
        self._is_sorted = True
        self._by_ref: dict[Reference, list[Waiter]] = {}
        self._choruses: dict[ListKind, Chorus] = {}
        self._wanted: dict[ListKind, dict[Reference, Action | None]] = {}

    def __len__(self) -> int:
        """Return the number of references that have waiters."""
        return len(self._by_ref)

    def __iter__(self) -> Iterator[Waiter]:
        """Iterate over a copy of all waiters, in the order in which they joined."""
        return iter([waiter for waiters in self._by_ref.values() for waiter in waiters])

    def solos_in_turn(self) -> list[Waiter]:
        """Return the solos in the order in which they joined."""
        if not self._is_sorted:
            self.solos = dict.fromkeys(sorted(self.solos, key=attrgetter("order")))
            self._is_sorted = True
        return list(self.solos)

    def fellows(self, ref: Reference) -> list[Waiter]:
        """Return the waiters for one reference."""
        return list(self._by_ref.get(ref, ()))

    def chorus_of(self, kind: ListKind) -> Chorus:
        """Return the chorus of a list."""
        if kind not in self._choruses:
            self._choruses[kind] = Chorus(self.wanted(kind))
        return self._choruses[kind]

    def choruses(self) -> dict[ListKind, Chorus]:
        """Return the choruses that have members."""
        return {kind: each for kind, each in self._choruses.items() if each.members}

    def wanted(self, kind: ListKind) -> dict[Reference, Action | None]:
        """Return the references of a list that have waiters, with the action as last seen."""
        return self._wanted.setdefault(kind, {})

    @property
    def review_at(self) -> float:
        """The time at which the limits of some members of a chorus come near."""
        return min((each.review_at for each in self._choruses.values()), default=math.inf)

    def add(self, waiter: Waiter) -> None:
        """Add a waiter."""
        ref = waiter.state.ref
        self._by_ref.setdefault(ref, []).append(waiter)
        self.solos[waiter] = None
        waiter.order = next(self._order)
        self.record_action(ref, waiter.state.action)

    def record_action(self, ref: Reference, action: Action | None) -> None:
        """Record an action as last seen."""
        wanted = self.wanted(ref.list_kind)
        wanted[ref] = action or wanted.get(ref)

    def remove(self, waiter: Waiter) -> bool:
        """Remove a waiter. Return True if it was the last one for its reference."""
        if waiter.chorus is not None:
            waiter.chorus.parted(waiter)
        self.solos.pop(waiter, None)
        ref = waiter.state.ref
        waiters = self._by_ref.get(ref, [])
        if waiter not in waiters:
            return False
        waiters.remove(waiter)
        if waiters:
            return False
        del self._by_ref[ref], self._wanted[waiter.list_kind][ref]
        return True

    def join(self, waiter: Waiter, chorus: Chorus, now: float) -> None:
        """Move a solo into a chorus, if it can be a member."""
        if len(self._by_ref[waiter.state.ref]) == 1 and chorus.joined(waiter, now):
            del self.solos[waiter]

    def part(self, waiter: Waiter, now: float) -> None:
        """Move a member of a chorus to the solos."""
        assert waiter.chorus is not None
        waiter.chorus.parted(waiter)
        self.solos[waiter] = None
        self._is_sorted = False
        waiter.expires_at = max(waiter.state.hard_limit, now) + LAST_POLL_TIMEOUT
