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

from redis_enterprise_actions._client.pacing.rate_limit import Courtesy
from redis_enterprise_actions._client.pacing.retry import Round
from redis_enterprise_actions._client.pacing.shared_schedule import Crowd
from redis_enterprise_actions._model.text import one_line

from .wait_state import CLOSE


if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis_enterprise_actions._model.errors import RequestError, WaitError
    from redis_enterprise_actions._model.reference import ListKind, Reference

    from .waiters import Company, Party

_log = logging.getLogger(__name__)
_outages = logging.getLogger("redis_enterprise_actions.outages")  # with fields: docs/output.md

_OUTAGE: Final = 2  # failures in a row that are more than a slip
_FAILS: Final = 2  # failures of the list in a row that are not the cluster's
_LIST_EXPIRY: Final = 300.0  # seconds for which the cost of a list is remembered
_LIST_AVOIDED: Final = 60.0  # seconds for which a list is not tried that fails where singles work


class Route(enum.Enum):
    """What there is to ask."""

    ONE = enum.auto()
    MANY = enum.auto()
    DATABASE = enum.auto()


class Look(NamedTuple):
    """What to ask next, for whom first of all, and when."""

    when: float
    route: Route
    party: Party


class Agenda:
    """What is to be asked for those who wait."""

    def __init__(self, company: Company) -> None:
        self.courtesy = Courtesy()
        self._company = company
        self.outage: Outage | None = None
        self._lists: dict[ListKind, ListRoute] = {}
        self._doubts: deque[Party] = deque()
        self._troubled: dict[
            Reference, float
        ] = {}  # since when: that fail while others are answered for
        self._last: Route | None = None
        self._looks = 0

    @property
    def earliest(self) -> float:
        """When the next request may be made that is not pressing."""
        return self.courtesy.earliest(pressing=False)

    def list_of(self, system: ListKind) -> ListRoute:
        """Return what is known of the list of a system."""
        if system not in self._lists:
            self._lists[system] = ListRoute(system)
        return self._lists[system]

    def asked(self, look: Look) -> None:
        """Note what was asked last."""
        self._last = look.route
        self._looks += 1
        if look.route is not Route.DATABASE:
            self.list_of(look.party.system).looked(self._looks, look.route)

    def doubt(self, party: Party, doubt: WaitError) -> None:
        """Note that a database has to be asked before this is believed."""
        if party.doubt is None:
            self._doubts.append(party)
        party.doubt = doubt

    def answered(self, now: float) -> None:
        """Note that the cluster answers."""
        if self.outage is not None and self.outage.errors >= _OUTAGE:
            lasted = now - self.outage.began
            extra = _fields("outage over", lasted)
            _outages.warning("the cluster answers again after %.1f s", lasted, extra=extra)
        self.outage = None

    def fails_alone(self, error: RequestError, askers: list[Party], now: float) -> bool:
        """Note that asking about one action failed; return whether that is its own trouble."""
        if not all(party.suspect for party in askers):
            return False
        ref = askers[0].wait.ref
        if ref not in self._troubled:
            self._troubled[ref] = since = min(party.wait.asked for party in askers)
            extra = _fields("outage", now - since, error, ref)
            said = "%s; asking again, while others are answered for"
            _outages.warning(said, str(error), extra=extra)
        return True

    def answered_for(self, party: Party, now: float) -> None:
        """Note that the cluster tells of the action of one who waits."""
        party.suspect = False
        ref = party.wait.ref
        if self._troubled and ref in self._troubled:
            extra = _fields("outage over", now - self._troubled.pop(ref), ref=ref)
            said = "action %s is answered for again"
            _outages.warning(said, one_line(ref.name), extra=extra)

    def left(self, ref: Reference) -> None:
        """Note that nobody waits for an action any more."""
        self._troubled.pop(ref, None)

    def failed(self, error: RequestError, askers: list[Party], now: float) -> float | None:
        """Note that it does not; if that is everybody's outage by now, return since when."""
        if self.outage is None:
            self.outage = Outage(min(party.wait.asked for party in askers))
        self.outage.took(error, [party.wait.ref for party in askers], now)
        if self.outage.errors == _OUTAGE and not error.has_alternative:
            extra = _fields("outage", now - self.outage.began, error)
            _outages.warning("%s; asking again", str(error), extra=extra)
        return self.outage.began if self.outage.errors >= _OUTAGE else None

    def next(self, now: float) -> Look:
        """Return what to ask next for those who wait, one at least."""
        while self._doubts and self._doubts[0].doubt is None:
            self._doubts.popleft()
        solos = self._company.solos_in_turn()
        if not self._doubts:
            return self._next_look(solos, now)
        when = self.courtesy.earliest(pressing=True)
        if self.outage is not None:
            when = max(when, min(self.outage.retry_at, self._doubts[0].wait.limit))
        settle = Look(when, Route.DATABASE, self._doubts[0])
        others = [party for party in solos if party.doubt is None]
        if not others and not self._company.choruses():
            return settle
        look = self._next_look(others, now)
        # By turns, where there is much to ask; but a limit does not wait.
        turn = self._last is Route.DATABASE and look.when <= settle.when
        return look if turn or any(party.wait.limit <= now for party in others) else settle

    def _next_look(self, solos: list[Party], now: float) -> Look:
        if self.outage is not None:
            return self._next_try(self.outage, solos)
        choruses = self._company.choruses()
        if len(solos) == 1 and not choruses:
            return self._next_single(solos, now)
        groups = _by_system(solos)
        looks = [
            self._next_of(system, groups.get(system, []), now)
            for system in dict.fromkeys([*groups, *choruses])
        ]
        # By turns, where there is much to ask.
        return min(looks, key=lambda look: (look.when, self.list_of(look.party.system).looked_at))

    def _next_of(self, system: ListKind, solos: list[Party], now: float) -> Look:
        """Return what to ask next of one system."""
        together = [party for party in solos if party.apart_until <= now]
        singers = self._company.chorus_of(system).members
        listed = self._next_list(system, together, now)
        if listed is None:
            members = list(singers.values())
            for member in members:
                self._company.part(member, now)
            return self._next_single(sorted(solos + members, key=attrgetter("turn")), now)
        first = together[0] if together else next(iter(singers.values()))
        if len(together) < len(solos):
            apart = [party for party in solos if party.apart_until > now]
            single = self._next_single(apart, now)
            # By turns, where there is much to ask; but a limit does not wait.
            last = self.list_of(system).last
            turn = listed <= max(now, single.when) and last is not Route.MANY
            if single.when <= listed and not (turn and all(p.wait.limit > now for p in apart)):
                return single
        return Look(listed, Route.MANY, first)

    def _next_try(self, outage: Outage, parties: list[Party]) -> Look:
        """In an outage we ask for one alone, another each time, with growing pauses."""
        first = min(parties, key=lambda party: party.wait.limit)
        if first.wait.limit >= outage.retry_at:
            first = min(parties, key=outage.turn_of)
        when = min(outage.retry_at, first.wait.limit)
        return Look(max(when, self.courtesy.earliest(pressing=True)), Route.ONE, first)

    def _next_single(self, parties: list[Party], now: float) -> Look:
        first = parties[0]
        if len(parties) > 1:
            first = min(parties, key=lambda party: party.urgency(now))
        wait = first.wait
        if all(party.wait.fresh and party.wait.ref == wait.ref for party in parties):
            return Look(max(now, self.courtesy.earliest(pressing=True)), Route.ONE, first)
        when = self._not_before(wait.due, now if first.at_once else wait.limit)
        return Look(when, Route.ONE, first)

    def _next_list(self, system: ListKind, solos: list[Party], now: float) -> float | None:
        """Return when to ask for the list, or None if asking for each alone is better."""
        waits = [party.wait for party in solos]
        chorus = self._company.chorus_of(system)
        singles = len({wait.ref for wait in waits}) + len(chorus.members)
        if singles < 2:
            return None
        known = self.list_of(system)
        if now < known.avoided_until:
            return None
        asked = [wait.asked for wait in waits]
        since = max(asked, default=-math.inf)
        if chorus.members:
            since = max(since, chorus.looks.asked)
        crowd = Crowd([wait.pace for wait in waits], since, chorus.paces.values(), chorus.latest)
        cost = known.cost_at(now)
        if not crowd.shares(cost, singles):
            return None
        due = crowd.due(cost)
        deadline = min([wait.deadline for wait in waits], default=math.inf)
        if 0 <= deadline - due < min(due - since, CLOSE):
            due = deadline
        return self._not_before(due, min([wait.limit for wait in waits], default=math.inf))

    def _not_before(self, due: float, limit: float) -> float:
        """Return when what is due may be asked; at a limit it is pressing."""
        courtesy = self.courtesy.earliest
        return min(max(due, courtesy(pressing=False)), max(limit, courtesy(pressing=True)))


def _fields(
    event: str, seconds: float, error: RequestError | None = None, ref: Reference | None = None
) -> dict[str, object]:
    """Return what a log record says in data of an outage, of all or of one reference."""
    return {
        "event": event,
        "seconds": seconds,
        "reason": None if error is None else one_line(getattr(error, "reason", error.detail)),
        "ref": None if ref is None else str(ref),
    }


def _by_system(solos: list[Party]) -> dict[ListKind, list[Party]]:
    """Return those who may be served by one list, by the system that it is of."""
    first = solos[0].system if solos else None
    if first is not None and not [party for party in solos if party.system is not first]:
        return {first: solos}
    parties: dict[ListKind, list[Party]] = {}
    for party in solos:
        parties.setdefault(party.system, []).append(party)
    return parties


class ListRoute:
    """What is known of the list of a system: what it costs, and whether it can be had."""

    def __init__(self, system: ListKind) -> None:
        self.avoided_until = -math.inf
        self.last: Route | None = None
        self.looked_at = 0  # which of all looks was the last at this system
        self._system = system
        self._cost = 1.0
        self._expires = -math.inf
        self._failures = 0

    def looked(self, look: int, route: Route) -> None:
        """Note a look, at the list or at one alone."""
        self.looked_at = look
        self.last = route

    def cost_at(self, now: float) -> float:
        return self._cost if now < self._expires else 1.0

    def answered(self, now: float, cost: float) -> None:
        self._cost = cost
        self._expires = now + _LIST_EXPIRY
        if self._failures >= _FAILS:
            fields = {"event": "list answered", "list": str(self._system)}
            _log.warning("the list of all %s is answered again", self._system, extra=fields)
        self._failures = 0

    def failed(self, now: float) -> None:
        """Note a failure. Until the second one, something else has been answered."""
        self._failures += 1
        if self._failures >= _FAILS:
            self.avoided_until = now + _LIST_AVOIDED
        if self._failures == _FAILS:
            fields = {"event": "list fails", "list": str(self._system)}
            said = "the list of all %s fails; each is asked for alone"
            _log.warning(said, self._system, extra=fields)


class Outage:
    """A time without usable answers, from the first request that got none."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.errors = 0
        self.retry_at = began
        self._round = Round(began)
        self._asked_at: dict[Reference, float] = {}

    def turn_of(self, party: Party) -> tuple[bool, float]:
        """Return what sorts those first that were not asked for yet, or not for the longest."""
        return party.suspect, self._asked_at.get(party.wait.ref, -math.inf)

    def took(self, error: RequestError, refs: Iterable[Reference], now: float) -> None:
        self.retry_at = now + self._round.pause_after(error, now)
        self.errors += not error.has_alternative
        self._asked_at |= dict.fromkeys(refs, now)
