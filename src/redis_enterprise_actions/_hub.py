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
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from ._agenda import Agenda, Route
from ._errors import (
    ActionStalled,
    ActionVanished,
    ClientClosed,
    RedisActionsError,
    RequestError,
    UsageError,
    WaitError,
)
from ._pace import TICK, is_transient
from ._tick import TURN, Stopwatch
from ._wait import LAST_POLL


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ._action import Action
    from ._agenda import ListRoute, Party
    from ._reference import Reference
    from ._tick import Found

_T = TypeVar("_T")

_OTHER_LOOP: Final = "the client belongs to the event loop that it was first used in"


@dataclass(frozen=True, slots=True)
class Asking:
    """What there is to ask.

    `one` is given what is waited for and how it stood when last seen, and returns how it stands
    now, or None if the cluster does not know it. `many` is given several of one system, and
    returns what one request finds of them. `settle` is asked about a vanished or stalled action:
    it returns the action if that is known to have ended nevertheless, or None. `sent` tells how
    many requests all that has taken so far.
    """

    one: Callable[[Reference, Action | None], Awaitable[Action | None]]
    many: Callable[[Mapping[Reference, Action | None]], Awaitable[Found]]
    settle: Callable[[Reference, WaitError], Awaitable[Action | None]]
    sent: Callable[[], int]


class Hub:
    """The waits of one client, and the loop that asks for them."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._parties: dict[Reference, list[Party]] = {}  # in the order they came
        self._everybody: list[Party] | None = None  # all of them, None if that has to be told anew
        self._askers: set[Party] = set()  # those whom the request under way is for
        self._alone = True  # whether it is for one action alone
        self._leavers: set[asyncio.Future[None]] = set()  # who wait for the loop to end
        self._request: asyncio.Timeout | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._sleep: asyncio.Future[None] | None = None
        self._sleeps_until = -math.inf
        self._alarm: asyncio.TimerHandle | None = None
        self._agenda = Agenda()
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
        if self._parties and self._loop is not asyncio.get_running_loop():
            raise UsageError(_OTHER_LOOP)
        self._closed = True
        for party in self._all():
            self._end(party, ClientClosed())
        await self._wound_up()

    async def _wound_up(self) -> None:
        """Await the end of the loop that nobody needs, unless somebody comes."""
        task = self._task
        if self._parties or task is None or task.done():
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
        self._parties.setdefault(party.wait.ref, []).append(party)
        self._everybody = None
        self._see_off()
        party.cut = max(party.wait.end, loop.time()) + LAST_POLL
        if self._alarm is None or party.cut < self._alarm.when():
            self._set_alarm(party.cut)
        if self._task is None or self._task.done():
            # It asks for all of them, and so in nobody's context.
            self._task = loop.create_task(self._run(), name="poll loop", context=Context())
        elif min(max(party.wait.due, self._agenda.earliest), party.wait.limit) < self._sleeps_until:
            self._wake()

    def _leave(self, party: Party) -> None:
        """Forget who has news, has ended or was cancelled; stop what nobody waits for."""
        party.doubt = None
        fellows = self._parties.get(party.wait.ref, [])
        if party in fellows:
            fellows.remove(party)
            self._everybody = None
            if not fellows:
                del self._parties[party.wait.ref]
                self._agenda.left(party.wait.ref)
            if not self._parties:
                self._wake()
        self._askers.discard(party)
        if self._request is not None and not self._askers:
            self._request.reschedule(-math.inf)
            self._request = None

    def _tell(self, party: Party, action: Action) -> None:
        if not party.news.done():
            party.news.set_result(action)
        self._leave(party)

    def _end(self, party: Party, error: Exception) -> None:
        if not party.news.done():
            party.news.set_exception(error)
        self._leave(party)

    def _all(self) -> list[Party]:
        if self._everybody is None:
            self._everybody = [party for fellows in self._parties.values() for party in fellows]
        return self._everybody

    # --- the loop -------------------------------------------------------------------------------

    async def _run(self) -> None:
        TURN.set(self._agenda.courtesy.turn)  # in the context of the loop alone
        try:
            await asyncio.sleep(0)  # those who come together are served together
            while self._parties:
                look = self._agenda.next(self._all(), self._now())
                wanted = len(self._parties)
                if not await self._woken_before(look.when) and len(self._parties) == wanted:
                    await self._ask_by[look.route](look.party)
                    self._agenda.asked(look)
        except Exception as error:  # noqa: BLE001 - nobody may wait for a loop that is no more
            for party in self._all():
                self._end(party, error)
        finally:
            for party in self._all():
                party.news.cancel()
                self._leave(party)
            self._set_alarm(math.inf)
            self._agenda.outage = None

    # --- asking ---------------------------------------------------------------------------------

    async def _ask_one(self, party: Party) -> None:
        ref = party.wait.ref
        fellows = list(self._parties.get(ref, ()))
        if not fellows:
            return  # they left while we slept
        last = next((party.wait.action for party in fellows if party.wait.action), None)
        self._begin(fellows)
        self._alone = True
        await self._ask(self._asking.one(ref, last), partial(self._take_one, party))

    def _take_one(self, first: Party, found: Action | None) -> None:
        now = self._now()
        for party in tuple(self._askers):
            if found is not None:
                party.is_there()
            self._hear(party, found, now, shared=party is not first)
        if not any(party.doubt for party in self._askers):
            self._answered(now)

    async def _ask_many(self, first: Party) -> None:
        everybody = [party for party in self._all() if party.system is first.system]
        if not everybody:
            return  # they left while we slept
        waits = [party.wait for party in reversed(everybody)]
        wanted = {wait.ref: wait.action for wait in waits}
        known = self._agenda.list_of(first.system)
        began = self._now()
        self._begin([party for party in everybody if party.apart_until <= began])
        self._alone = False
        take = partial(self._take_many, everybody, began, known)
        await self._ask(self._asking.many(wanted), take)
        if self._agenda.outage is not None:
            known.failed(self._now())

    def _take_many(
        self, everybody: list[Party], began: float, known: ListRoute, found: Found
    ) -> None:
        now = self._now()
        self._answered(now)
        known.answered(now, found.cost)
        actions, askers = found.actions, self._askers
        for party in everybody:
            if party.news.done():
                continue
            wait = party.wait
            action, asked = actions.get(wait.ref), party in askers
            if action is not None:
                if not asked:
                    wait.asking(began)
                elif action is wait.action and party.is_steady and wait.hears_no_more(now):
                    continue
                party.is_listed()
                self._hear(party, action, now, shared=True)
            elif asked:  # not believed until it was asked for alone
                party.is_missing(now)

    async def _ask_database(self, party: Party) -> None:
        doubt = party.doubt
        if doubt is None:
            return  # it left while we slept
        fellows = self._parties[party.wait.ref]
        alike: dict[Party, WaitError | None] = {
            each: each.doubt for each in fellows if type(each.doubt) is type(doubt)
        }
        for fellow in alike:
            fellow.doubt = None
        self._begin(list(alike))
        self._alone = True
        ref = party.wait.ref
        await self._ask(self._asking.settle(ref, doubt), partial(self._take_settled, alike))

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
        self._askers = set(askers)
        for party in askers:
            party.at_once = False
            party.cut = party.wait.asking(now)

    async def _ask(self, call: Awaitable[_T], take: Callable[[_T], None]) -> None:
        """Await an answer and take it, or what came instead, for those whom it is for."""
        began, sent = self._now(), self._asking.sent()
        self._set_alarm(min([party.cut for party in self._all()]))
        assert self._loop is not None
        watch = Stopwatch(self._loop)
        took = 0.0
        try:
            answer = await self._answer_to(call)
        except RequestError as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - such as `ClientClosed`; all left: TimeoutError
            for party in tuple(self._askers):
                self._end(party, copy(error) if isinstance(error, RedisActionsError) else error)
        else:
            took = watch.took()
            take(answer)
        finally:
            watch.stop()
            requests = max(1, self._asking.sent() - sent)
            self._agenda.courtesy.took(began, began + took, requests)
            now = self._now()
            for party in self._askers:
                party.cut = max(party.wait.end, now) + LAST_POLL
            self._askers = set()

    async def _answer_to(self, call: Awaitable[_T]) -> _T:
        """Await an answer for as long as somebody is there to take it."""
        try:
            async with asyncio.timeout(None) as self._request:
                return await call
        finally:
            self._request = None

    def _hear(
        self, party: Party, found: Action | None, now: float, *, shared: bool = False
    ) -> None:
        wait = party.wait
        try:
            news = wait.heard(found, now, shared=shared)
            party.doubt = None
            self._agenda.answered_for(party, now)
            if news and (party.every or wait.over):
                assert found is not None
                self._tell(party, found)
            else:
                wait.check(now)
        except (ActionVanished, ActionStalled) as doubt:
            self._agenda.doubt(party, doubt)
        except Exception as error:  # noqa: BLE001 - what a strategy raises ends its wait alone
            self._end(party, error)

    def _answered(self, now: float) -> None:
        """Take it that the cluster answers, whomever it concerns."""
        if self._agenda.outage is not None:
            for party in self._all():
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
            for party in self._all():
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

    async def _woken_before(self, when: float) -> bool:
        """Sleep until `when`; return whether something has changed sooner."""
        if when <= self._now():
            return False
        assert self._loop is not None
        self._sleep = self._loop.create_future()
        self._sleeps_until = when
        timer = self._loop.call_at(when, self._wake)
        try:
            await self._sleep
            return self._now() < when - TICK
        finally:
            timer.cancel()
            self._sleep = None
            self._sleeps_until = -math.inf

    def _wake(self) -> None:
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)

    def _set_alarm(self, when: float) -> None:
        """Be there when a wait ends whose request, or whose turn, has not come."""
        if self._alarm is not None:
            self._alarm.cancel()
        assert self._loop is not None
        self._alarm = None if when == math.inf else self._loop.call_at(when, self._cut)

    def _cut(self) -> None:
        now = self._now()
        for party in self._all():
            if party.cut > now + TICK:
                continue
            # Another one, if it was set for a limit that is none any more.
            party.cut = party.wait.end + LAST_POLL if party.wait.end > now else math.inf
            party.wait.cut(now)
            try:
                party.wait.check(now)
            except (RequestError, WaitError) as end:
                self._end(party, end)
        self._set_alarm(min((party.cut for party in self._all()), default=math.inf))
