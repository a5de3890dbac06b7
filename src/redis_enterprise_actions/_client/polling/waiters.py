"""Who waits: each by itself, or in a chorus that hears look after look that nothing has ended.

What a chorus hears is noted once for all of it, so that thousands of waits cost next to nothing as
long as nothing happens. Each is told when it leaves. Reads no clock and asks nothing.
"""

from __future__ import annotations

import math
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.pacing.schedules import Course

from .wait_state import LAST_POLL, Looks


if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Mapping

    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import ListKind, Reference

    from .wait_state import Wait

_APART: Final = 60.0  # seconds for which the list is not tried for one that it did not hold
_AHEAD: Final = 5.0  # seconds that are left to one who leaves a chorus, besides a whole pause


class Party:
    """One who waits: what the hub has to know of it."""

    __slots__ = (
        *("apart_until", "at_once", "chorus", "cut", "doubt", "every", "misses", "news"),
        *("suspect", "system", "turn", "wait"),
    )

    news: asyncio.Future[Action]
    cut: float  # when its wait ends, answered or not
    turn: int  # how many came before

    def __init__(self, wait: Wait, *, every: bool) -> None:
        self.wait = wait
        self.system = wait.ref.list_kind
        self.every = every
        self.chorus: Chorus | None = None  # that it is in
        self.suspect = False  # asking about it has failed, and others were answered since
        self.misses = 0  # lists in a row that did not hold its action
        self.apart_until = -math.inf  # the list did not hold its action: it is asked for alone
        self.at_once = False  # ... whether it is due or not
        self.doubt: WaitError | None = None  # to be settled by the database

    @property
    def is_steady(self) -> bool:
        """Whether the last list held it, and nothing about it is to be settled."""
        return not self.misses and self.doubt is None

    def limit_to(self, now: float) -> None:
        """Note when its wait ends, as an outage has begun or is over."""
        end = self.wait.end
        self.cut = end + LAST_POLL if end > now else min(self.cut, now + LAST_POLL)

    def is_passed_over(self, now: float) -> None:
        """Note that the cluster answers others."""
        self.wait.cluster_answers(now)
        self.suspect = self.suspect or self.wait.failing

    def is_missing(self, now: float) -> None:
        """Note that the list does not hold the action, which proves nothing."""
        self.misses += 1
        self.apart_until, self.at_once = now + _APART, True

    def is_there(self) -> None:
        """Note that it was found alone: the list is given another chance, but not many."""
        if self.misses == 1:
            self.apart_until = -math.inf

    def is_listed(self) -> None:
        """Note that the list holds it."""
        self.misses = 0
        self.apart_until, self.at_once = -math.inf, False

    def urgency(self, now: float) -> tuple[bool, float]:
        """Return what sorts before those who may be asked for later."""
        if self.wait.limit <= now:
            return False, self.wait.limit
        return True, -math.inf if self.at_once else self.wait.due


class Chorus:
    """Those who wait for ends that one list shows, and are far from their limits.

    Each is the only one who waits for its action, and paces itself as all others do.
    """

    def __init__(self, wanted: dict[Reference, Action | None]) -> None:
        self.members: dict[Reference, Party] = {}
        self.paces: dict[Reference, Course] = {}
        self.looks = Looks()
        self.review_at = math.inf  # until then no limit is near
        self._cap = math.inf  # between two looks, in seconds
        self._wanted = wanted

    @property
    def latest(self) -> float:
        """When they have to look again."""
        return self.looks.heard + self._cap if self.members else math.inf

    def joined(self, party: Party, now: float) -> bool:
        """Take in one that was answered with the last look, if it may be."""
        pace = party.wait.pace
        if not (isinstance(pace, Course) and party.wait.is_at_ease):
            return False
        if pace.cap != self._cap:
            if self.members:
                return False
            self._cap = pace.cap
        review_at = self._review_of(party)
        if review_at <= now:
            return False
        self.review_at = min(self.review_at, review_at)
        self.members[party.wait.ref], self.paces[party.wait.ref] = party, pace
        party.chorus = self
        party.wait.join(self.looks)
        return True

    def parted(self, party: Party) -> None:
        """Let one go its own way, who is told what it has heard."""
        del self.members[party.wait.ref], self.paces[party.wait.ref]
        party.chorus = None
        party.wait.part()
        if not self.members:
            self.review_at = math.inf

    def tell(self, changed: Mapping[Reference, Action | None], now: float) -> list[Party]:
        """Tell the members how their actions go on; return those who have to act, untold."""
        acting: list[Party] = []
        for ref, action in changed.items():
            party = self.members.get(ref)
            if party is None or party.news.done():
                continue
            if party.every or action is None or not action.phase.unfinished:
                acting.append(party)
            else:
                party.wait.goes_on(action, now)
                self._wanted[ref] = action
        return acting

    def nearing(self, now: float) -> list[Party]:
        """Return those whose limits are near."""
        if now < self.review_at:
            return []
        reviews = {party: self._review_of(party) for party in self.members.values()}
        self.review_at = min((at for at in reviews.values() if at > now), default=math.inf)
        return [party for party, at in reviews.items() if at <= now]

    def _review_of(self, party: Party) -> float:
        return party.wait.limit - self._cap - _AHEAD


class Company:
    """All who wait: the `solos`, and a chorus for each list."""

    def __init__(self) -> None:
        self.solos: dict[Party, None] = {}
        self._turns = count()
        self._is_in_turn = True
        self._by_ref: dict[Reference, list[Party]] = {}
        self._choruses: dict[ListKind, Chorus] = {}
        self._wanted: dict[ListKind, dict[Reference, Action | None]] = {}

    def __len__(self) -> int:
        """Return how many different references are waited for."""
        return len(self._by_ref)

    def __iter__(self) -> Iterator[Party]:
        """Iterate over all as they are now, in the order in which they came."""
        return iter([party for fellows in self._by_ref.values() for party in fellows])

    def solos_in_turn(self) -> list[Party]:
        """Return the solos, in the order in which they came."""
        if not self._is_in_turn:
            self.solos = dict.fromkeys(sorted(self.solos, key=attrgetter("turn")))
            self._is_in_turn = True
        return list(self.solos)

    def fellows(self, ref: Reference) -> list[Party]:
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

    def came(self, party: Party) -> None:
        """Take in one more."""
        ref = party.wait.ref
        self._by_ref.setdefault(ref, []).append(party)
        self.solos[party] = None
        party.turn = next(self._turns)
        self.saw(ref, party.wait.action)

    def saw(self, ref: Reference, action: Action | None) -> None:
        """Note how an action stands."""
        wanted = self.wanted(ref.list_kind)
        wanted[ref] = action or wanted.get(ref)

    def left(self, party: Party) -> bool:
        """Let one go; return whether it was the last that waited for its action."""
        if party.chorus is not None:
            party.chorus.parted(party)
        self.solos.pop(party, None)
        ref = party.wait.ref
        fellows = self._by_ref.get(ref, [])
        if party not in fellows:
            return False
        fellows.remove(party)
        if fellows:
            return False
        del self._by_ref[ref], self._wanted[party.system][ref]
        return True

    def join(self, party: Party, chorus: Chorus, now: float) -> None:
        """Let a solo sing in a chorus, if it may."""
        if len(self._by_ref[party.wait.ref]) == 1 and chorus.joined(party, now):
            del self.solos[party]

    def part(self, party: Party, now: float) -> None:
        """Let a member of a chorus go on alone."""
        assert party.chorus is not None
        party.chorus.parted(party)
        self.solos[party] = None
        self._is_in_turn = False
        party.cut = max(party.wait.end, now) + LAST_POLL
