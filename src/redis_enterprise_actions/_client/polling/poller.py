"""Who is waiting: one poll loop for all waits on a client.

Is given the asking as coroutine functions and never learns what they ask. When a wait ends is
`_wait.Wait`'s to say, and when a look at many pays is `_tick`'s. The loop runs in a task of its
own for as long as somebody awaits news. Whoever is busy with the last news takes no part: nothing
is asked on behalf of a slow callback, and it delays nobody.
"""

from __future__ import annotations

import asyncio
import math
from contextvars import Context
from copy import copy
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._client.pacing.rate_limit import TURN
from redis_enterprise_actions._client.pacing.retry import is_transient
from redis_enterprise_actions._client.pacing.schedules import TICK
from redis_enterprise_actions._model.errors import (
    ActionStalled,
    ActionVanished,
    ClientClosed,
    RedisActionsError,
    RequestError,
    UsageError,
    WaitError,
)

from .planner import Agenda, Route
from .timers import Alarm, Nap, Stopwatch
from .wait_state import LAST_POLL
from .waiters import Company


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis_enterprise_actions._client.protocols import ListResult, StatusSource
    from redis_enterprise_actions._model.action import Action, AmbiguousAnswer

    from .planner import ListRoute
    from .waiters import Chorus, Party


_T = TypeVar("_T")
_OTHER_LOOP: Final = "the client belongs to the event loop that it was first used in"


class Hub:
    """The waits of one client, and the loop that asks for them."""

    def __init__(self, source: StatusSource, *, requests_sent: Callable[[], int]) -> None:
        self._source = source
        self._requests_sent = requests_sent
        self._company = Company()
        self._askers: dict[Party, None] = {}  # those solos whom the request under way is for
        self._hearers: list[Party] = []  # those solos who hear the answer to a list
        self._asked_for: Chorus | None = None  # those besides whom the list is for
        self._alone = True  # whether it is for one action alone
        self._leavers: set[asyncio.Future[None]] = set()  # who wait for the loop to end
        self._request: asyncio.Timeout | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._nap = Nap()
        self._alarm = Alarm(
            self._cut
        )  # when a wait ends whose request, or whose turn, has not come
        self._agenda = Agenda(self._company)
        self._ask_by = {
            Route.ONE: self._ask_one,
            Route.MANY: self._ask_many,
            Route.DATABASE: self._ask_database,
        }

    async def news(self, party: Party) -> Action:
        """Return the next news of an action, or raise what ends the wait."""
        loop = self._bind()
        if not party.wait.fresh:
            party.wait.check(loop.time())
        party.news = loop.create_future()
        self._join(party, loop)
        try:
            return await party.news
        finally:
            self._leave(party)
            await self._wound_up()  # the last one out sees the loop off

    async def close(self) -> None:
        """End all waits with `ClientClosed`, those to come included."""
        if self._company and self._loop is not asyncio.get_running_loop():
            raise UsageError(_OTHER_LOOP)
        self._closed = True
        for party in self._company:
            self._end(party, ClientClosed())
        await self._wound_up()

    async def _wound_up(self) -> None:
        """Await the end of the loop that nobody needs, unless somebody comes."""
        task = self._task
        if self._company or task is None or task.done():
            return
        leaver: asyncio.Future[None] = task.get_loop().create_future()
        self._leavers.add(leaver)
        task.add_done_callback(self._see_off)
        try:
            await leaver
        finally:
            self._leavers.discard(leaver)

    def _see_off(self, *_: object) -> None:
        for leaver in self._leavers:
            if not leaver.done():
                leaver.set_result(None)

    # --- coming and going -----------------------------------------------------------------------

    def _bind(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ClientClosed
        if self._loop not in {None, loop}:
            raise UsageError(_OTHER_LOOP)
        self._loop = loop
        return loop

    def _join(self, party: Party, loop: asyncio.AbstractEventLoop) -> None:
        for fellow in self._company.fellows(party.wait.ref):
            self._part(fellow)
        self._company.came(party)
        self._see_off()
        party.cut = max(party.wait.end, loop.time()) + LAST_POLL
        if party.cut < self._alarm.when:
            self._alarm.set(party.cut)
        if self._task is None or self._task.done():
            # It asks for all of them, and so in nobody's context.
            self._task = loop.create_task(self._run(), name="poll loop", context=Context())
        elif min(max(party.wait.due, self._agenda.earliest), party.wait.limit) < self._nap.until:
            self._nap.end()

    def _leave(self, party: Party) -> None:
        """Forget who has news, has ended or was cancelled; stop what nobody waits for."""
        party.doubt = None
        if self._company.left(party):
            self._agenda.left(party.wait.ref)
        if not self._company:
            self._nap.end()
        self._askers.pop(party, None)
        is_for_nobody = not self._askers and not (self._asked_for and self._asked_for.members)
        if self._request is not None and is_for_nobody:
            self._request.reschedule(-math.inf)
            self._request = None

    def _part(self, party: Party) -> None:
        """Let one who is in a chorus go on alone, with what it has asked."""
        chorus = party.chorus
        if chorus is None:
            return
        self._company.part(party, self._now())
        if chorus is self._asked_for:
            self._askers[party] = None
            self._hearers.append(party)
            party.cut = party.wait.end

    def _part_all(self) -> None:
        for chorus in self._company.choruses().values():
            for party in list(chorus.members.values()):
                self._part(party)

    def _tell(self, party: Party, action: Action) -> None:
        if not party.news.done():
            party.news.set_result(action)
        self._leave(party)

    def _end(self, party: Party, error: Exception) -> None:
        if not party.news.done():
            party.news.set_exception(error)
        self._leave(party)

    # --- the loop -------------------------------------------------------------------------------

    async def _run(self) -> None:
        TURN.set(self._agenda.courtesy.turn)  # in the context of the loop alone
        try:
            await asyncio.sleep(0)  # those who come together are served together
            while self._company:
                look = self._agenda.next(self._now())
                wanted = len(self._company)
                if not await self._nap.was_ended_before(look.when) and len(self._company) == wanted:
                    await self._ask_by[look.route](look.party)
                    self._agenda.asked(look)
        except Exception as error:  # noqa: BLE001 - nobody may wait for a loop that is no more
            for party in self._company:
                self._end(party, error)
        finally:
            for party in self._company:
                party.news.cancel()
                self._leave(party)
            self._alarm.set(math.inf)
            self._agenda.outage = None

    # --- asking ---------------------------------------------------------------------------------

    async def _ask_one(self, party: Party) -> None:
        ref = party.wait.ref
        fellows = self._company.fellows(ref)
        if not fellows:
            return  # they left while we slept
        last = next((party.wait.action for party in fellows if party.wait.action), None)
        self._begin(fellows)
        self._alone = True
        await self._ask(self._source.fetch(ref, last), partial(self._take_one, party))

    def _take_one(self, first: Party, found: Action | AmbiguousAnswer | None) -> None:
        now = self._now()
        for party in tuple(self._askers):
            if found is not None:
                party.is_there()
            self._hear(party, found, now, shared=party is not first)
        if not any(party.doubt for party in self._askers):
            self._answered(now)

    async def _ask_many(self, first: Party) -> None:
        system, began = first.system, self._now()
        chorus = self._company.chorus_of(system)
        self._hearers = [party for party in self._company.solos if party.system is system]
        if not self._hearers and not chorus.members:
            return  # they left while we slept
        known = self._agenda.list_of(system)
        self._begin([party for party in self._hearers if party.apart_until <= began])
        self._asked_for = chorus
        chorus.looks.ask(began)
        self._alone = False
        take = partial(self._take_many, known, began)
        await self._ask(self._source.fetch_many(dict(self._company.wanted(system))), take)
        if self._agenda.outage is not None:
            known.failed(self._now())

    def _take_many(self, known: ListRoute, began: float, found: ListResult) -> None:
        now = self._now()
        self._answered(now)
        known.answered(now, found.cost)
        chorus = self._asked_for
        assert chorus is not None
        self._tell_chorus(chorus, found, now)
        actions, askers = found.actions, self._askers
        for party in self._hearers:
            if party.news.done():
                continue
            wait = party.wait
            action, asked = actions.get(wait.ref), party in askers
            if action is not None:
                if not asked:
                    wait.asking(began)
                same = asked and action is wait.action and party.is_steady
                if not (same and wait.hears_no_more(now)):
                    party.is_listed()
                    self._hear(party, action, now, shared=True)
                if found.changed is not None and not party.news.done():
                    self._company.join(party, chorus, now)
            elif asked:  # not believed until it was asked for alone
                party.is_missing(now)

    def _tell_chorus(self, chorus: Chorus, found: ListResult, now: float) -> None:
        """Tell those who sing what has changed; whom it makes act goes on alone."""
        changed = found.changed
        acting = list(chorus.members.values()) if changed is None else chorus.tell(changed, now)
        for party in acting:
            self._part(party)
        if acting:  # first come, first told
            self._hearers.sort(key=attrgetter("turn"))
        chorus.looks.hear(now)

    async def _ask_database(self, party: Party) -> None:
        doubt = party.doubt
        if doubt is None:
            return  # it left while we slept
        fellows = self._company.fellows(party.wait.ref)
        alike: dict[Party, WaitError | None] = {
            each: each.doubt for each in fellows if type(each.doubt) is type(doubt)
        }
        for fellow in alike:
            fellow.doubt = None
        self._begin(list(alike))
        self._alone = True
        ref = party.wait.ref
        await self._ask(self._source.verify(ref, doubt), partial(self._take_settled, alike))

    def _take_settled(self, doubts: dict[Party, WaitError | None], ended: Action | None) -> None:
        now = self._now()
        for party in tuple(self._askers):
            doubt = doubts[party]
            if ended is None and doubt is not None:
                self._end(party, doubt)
            else:
                self._hear(party, ended, now)
        self._answered(now)

    def _begin(self, askers: list[Party]) -> None:
        """Note for whom the next request is."""
        now = self._now()
        self._askers = dict.fromkeys(askers)
        for party in askers:
            party.at_once = False
            party.cut = party.wait.asking(now)

    async def _ask(self, call: Awaitable[_T], take: Callable[[_T], None]) -> None:
        """Await an answer and take it, or what came instead, for those whom it is for."""
        began, sent = self._now(), self._requests_sent()
        self._alarm.set(self._next_cut())
        assert self._loop is not None
        watch = Stopwatch(self._loop)
        took = 0.0
        try:
            answer = await self._answer_to(call)
        except RequestError as error:
            self._part_all()
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - such as `ClientClosed`; all left: TimeoutError
            self._part_all()
            for party in tuple(self._askers):
                self._end(party, copy(error) if isinstance(error, RedisActionsError) else error)
        else:
            took = watch.took()
            take(answer)
        finally:
            watch.stop()
            requests = max(1, self._requests_sent() - sent)
            self._agenda.courtesy.took(began, began + took, requests)
            now = self._now()
            for party in self._askers:
                party.cut = max(party.wait.end, now) + LAST_POLL
            self._askers, self._hearers, self._asked_for = {}, [], None

    async def _answer_to(self, call: Awaitable[_T]) -> _T:
        """Await an answer for as long as somebody is there to take it."""
        try:
            async with asyncio.timeout(None) as self._request:
                return await call
        finally:
            self._request = None

    def _hear(
        self,
        party: Party,
        found: Action | AmbiguousAnswer | None,
        now: float,
        *,
        shared: bool = False,
    ) -> None:
        wait = party.wait
        try:
            news = wait.heard(found, now, shared=shared)
            if found is not None:
                self._company.saw(wait.ref, wait.action)
            party.doubt = None
            self._agenda.answered_for(party, now)
            if news and (party.every or wait.over):
                assert wait.action is not None
                self._tell(party, wait.action)
            else:
                wait.check(now)
        except (ActionVanished, ActionStalled) as doubt:
            self._agenda.doubt(party, doubt)
        except Exception as error:  # noqa: BLE001 - what a strategy raises ends its wait alone
            self._end(party, error)

    def _answered(self, now: float) -> None:
        """Take it that the cluster answers, whomever it concerns."""
        if self._agenda.outage is not None:
            for party in self._company:
                party.is_passed_over(now)
                party.limit_to(now)
        self._agenda.answered(now)

    def _failed(self, error: RequestError) -> None:
        now = self._now()
        askers = list(self._askers)
        if not askers:
            return  # they left in the same moment
        since = None
        alone = self._alone and self._agenda.fails_alone
        if is_transient(error) and not (alone and alone(error, askers, now)):
            since = self._agenda.failed(error, askers, now)
        for party in askers:
            self._take_failure(party, error, own=self._alone and since is None)
        if since is not None:
            for party in self._company:
                if party not in self._askers:
                    party.wait.asking(now)
                    self._take_failure(party, error, since=since)
                    party.limit_to(now)

    def _take_failure(
        self, party: Party, error: RequestError, *, own: bool = False, since: float = math.inf
    ) -> None:
        """Tell one who waits that there was no answer, and end the wait if that is its end."""
        now = self._now()
        try:
            party.wait.failed(error, now, own=own, since=since)
            # That the list fails says nothing about each: one alone is asked for first.
            if self._alone:
                party.wait.check(now)
        except (RequestError, WaitError) as end:
            self._end(party, end)

    # --- sleeping -------------------------------------------------------------------------------

    def _now(self) -> float:
        assert self._loop is not None
        return self._loop.time()

    def _cut(self) -> None:
        now = self._now()
        self._review()
        for party in list(self._company.solos):
            if party.cut > now + TICK:
                continue
            # Another one, if it was set for a limit that is none any more.
            party.cut = party.wait.end + LAST_POLL if party.wait.end > now else math.inf
            party.wait.cut(now)
            try:
                party.wait.check(now)
            except (RequestError, WaitError) as end:
                self._end(party, end)
        self._alarm.set(self._next_cut())

    def _next_cut(self) -> float:
        cuts = [party.cut for party in self._company.solos]
        return min([*cuts, self._company.review_at])

    def _review(self) -> None:
        """Let those go on alone whose limits are near."""
        now = self._now()
        for chorus in self._company.choruses().values():
            for party in chorus.nearing(now):
                self._part(party)
