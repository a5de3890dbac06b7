"""Who waits: each by itself, or in a chorus that hears look after look that nothing has ended.

What a chorus hears is noted once for all of it, so that thousands of waits cost next to nothing as
long as nothing happens. Each is told when it leaves. Reads no clock and asks nothing.
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

_SINGLE_PERIOD: Final = 60.0  # seconds for which the list is not tried for one that it did not hold
_AHEAD: Final = 5.0  # seconds that are left to one who leaves a chorus, besides a whole pause


class Waiter:
    """One who waits: what the hub has to know of it."""

    __slots__ = (
        *("chorus", "every_update", "expires_at", "future", "list_kind", "list_misses", "order"),
        *("poll_now", "single_until", "state", "suspect", "unverified"),
    )

    future: asyncio.Future[Action]
    expires_at: float  # when its wait ends, answered or not
    order: int  # how many came before

    def __init__(self, state: WaitState, *, every_update: bool) -> None:
        self.state = state
        self.list_kind = state.ref.list_kind
        self.every_update = every_update
        self.chorus: Chorus | None = None  # that it is in
        self.suspect = False  # asking about it has failed, and others were answered since
        self.list_misses = 0  # lists in a row that did not hold its action
        self.single_until = -math.inf  # the list did not hold its action: it is asked for alone
        self.poll_now = False  # ... whether it is due or not
        self.unverified: WaitError | None = None  # to be settled by the database

    @property
    def is_steady(self) -> bool:
        """Whether the last list held it, and nothing about it is to be settled."""
        return not self.list_misses and self.unverified is None

    def update_expiry(self, now: float) -> None:
        """Note when its wait ends, as an outage has begun or is over."""
        end = self.state.hard_limit
        self.expires_at = (
            end + LAST_POLL_TIMEOUT if end > now else min(self.expires_at, now + LAST_POLL_TIMEOUT)
        )

    def on_others_answered(self, now: float) -> None:
        """Note that the cluster answers others."""
        self.state.on_cluster_answered(now)
        self.suspect = self.suspect or self.state.is_failing

    def on_missing_in_list(self, now: float) -> None:
        """Note that the list does not hold the action, which proves nothing."""
        self.list_misses += 1
        self.single_until, self.poll_now = now + _SINGLE_PERIOD, True

    def on_found_alone(self) -> None:
        """Note that it was found alone: the list is given another chance, but not many."""
        if self.list_misses == 1:
            self.single_until = -math.inf

    def on_found_in_list(self) -> None:
        """Note that the list holds it."""
        self.list_misses = 0
        self.single_until, self.poll_now = -math.inf, False

    def urgency(self, now: float) -> tuple[bool, float]:
        """Return what sorts before those who may be asked for later."""
        if self.state.soft_limit <= now:
            return False, self.state.soft_limit
        return True, -math.inf if self.poll_now else self.state.due


class Chorus:
    """Those who wait for ends that one list shows, and are far from their limits.

    Each is the only one who waits for its action, and paces itself as all others do.
    """

    def __init__(self, wanted: dict[Reference, Action | None]) -> None:
        self.members: dict[Reference, Waiter] = {}
        self.schedules: dict[Reference, AimedSchedule] = {}
        self.looks = Looks()
        self.review_at = math.inf  # until then no limit is near
        self._cap = math.inf  # between two looks, in seconds
        self._wanted = wanted

    @property
    def latest(self) -> float:
        """When they have to look again."""
        return self.looks.heard + self._cap if self.members else math.inf

    def joined(self, waiter: Waiter, now: float) -> bool:
        """Take in one that was answered with the last look, if it may be."""
        pace = waiter.state.schedule
        if not (isinstance(pace, AimedSchedule) and waiter.state.is_at_ease):
            return False
        if pace.cap != self._cap:
            if self.members:
                return False
            self._cap = pace.cap
        review_at = self._review_of(waiter)
        if review_at <= now:
            return False
        self.review_at = min(self.review_at, review_at)
        self.members[waiter.state.ref], self.schedules[waiter.state.ref] = waiter, pace
        waiter.chorus = self
        waiter.state.join(self.looks)
        return True

    def parted(self, waiter: Waiter) -> None:
        """Let one go its own way, who is told what it has heard."""
        del self.members[waiter.state.ref], self.schedules[waiter.state.ref]
        waiter.chorus = None
        waiter.state.part()
        if not self.members:
            self.review_at = math.inf

    def tell(self, changed: Mapping[Reference, Action | None], now: float) -> list[Waiter]:
        """Tell the members how their actions go on; return those who have to act, untold."""
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
        """Return those whose limits are near."""
        if now < self.review_at:
            return []
        reviews = {waiter: self._review_of(waiter) for waiter in self.members.values()}
        self.review_at = min((at for at in reviews.values() if at > now), default=math.inf)
        return [waiter for waiter, at in reviews.items() if at <= now]

    def _review_of(self, waiter: Waiter) -> float:
        return waiter.state.soft_limit - self._cap - _AHEAD


class WaiterRegistry:
    """All who wait: the `solos`, and a chorus for each list."""

    def __init__(self) -> None:
        self.solos: dict[Waiter, None] = {}
        self._order = count()
        self._is_sorted = True
        self._by_ref: dict[Reference, list[Waiter]] = {}
        self._choruses: dict[ListKind, Chorus] = {}
        self._wanted: dict[ListKind, dict[Reference, Action | None]] = {}

    def __len__(self) -> int:
        """Return how many different references are waited for."""
        return len(self._by_ref)

    def __iter__(self) -> Iterator[Waiter]:
        """Iterate over all as they are now, in the order in which they came."""
        return iter([waiter for fellows in self._by_ref.values() for waiter in fellows])

    def solos_in_turn(self) -> list[Waiter]:
        """Return the solos, in the order in which they came."""
        if not self._is_sorted:
            self.solos = dict.fromkeys(sorted(self.solos, key=attrgetter("order")))
            self._is_sorted = True
        return list(self.solos)

    def fellows(self, ref: Reference) -> list[Waiter]:
        """Return those who wait for the same."""
        return list(self._by_ref.get(ref, ()))

    def chorus_of(self, system: ListKind) -> Chorus:
        """Return the chorus for the list of a system."""
        if system not in self._choruses:
            self._choruses[system] = Chorus(self.wanted(system))
        return self._choruses[system]

    def choruses(self) -> dict[ListKind, Chorus]:
        """Return those that there are, by the system whose list they hear."""
        return {system: each for system, each in self._choruses.items() if each.members}

    def wanted(self, system: ListKind) -> dict[Reference, Action | None]:
        """Return what is waited for in a system, each as last seen by anyone."""
        return self._wanted.setdefault(system, {})

    @property
    def review_at(self) -> float:
        """When the limits of those in a chorus are to be looked at."""
        return min((each.review_at for each in self._choruses.values()), default=math.inf)

    def add(self, waiter: Waiter) -> None:
        """Take in one more."""
        ref = waiter.state.ref
        self._by_ref.setdefault(ref, []).append(waiter)
        self.solos[waiter] = None
        waiter.order = next(self._order)
        self.record_action(ref, waiter.state.action)

    def record_action(self, ref: Reference, action: Action | None) -> None:
        """Note how an action stands."""
        wanted = self.wanted(ref.list_kind)
        wanted[ref] = action or wanted.get(ref)

    def remove(self, waiter: Waiter) -> bool:
        """Let one go; return whether it was the last that waited for its action."""
        if waiter.chorus is not None:
            waiter.chorus.parted(waiter)
        self.solos.pop(waiter, None)
        ref = waiter.state.ref
        fellows = self._by_ref.get(ref, [])
        if waiter not in fellows:
            return False
        fellows.remove(waiter)
        if fellows:
            return False
        del self._by_ref[ref], self._wanted[waiter.list_kind][ref]
        return True

    def join(self, waiter: Waiter, chorus: Chorus, now: float) -> None:
        """Let a solo sing in a chorus, if it may."""
        if len(self._by_ref[waiter.state.ref]) == 1 and chorus.joined(waiter, now):
            del self.solos[waiter]

    def part(self, waiter: Waiter, now: float) -> None:
        """Let a member of a chorus go on alone."""
        assert waiter.chorus is not None
        waiter.chorus.parted(waiter)
        self.solos[waiter] = None
        self._is_sorted = False
        waiter.expires_at = max(waiter.state.hard_limit, now) + LAST_POLL_TIMEOUT
