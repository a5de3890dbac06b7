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

from .planner import PollPlanner, RequestKind
from .timers import Nap, Stopwatch, Timer
from .wait_state import LAST_POLL_TIMEOUT
from .waiters import WaiterRegistry


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis_enterprise_actions._client.protocols import ListResult, StatusSource
    from redis_enterprise_actions._model.action import Action, AmbiguousAnswer

    from .planner import ListEndpoint
    from .waiters import Chorus, Waiter


_T = TypeVar("_T")
_OTHER_LOOP: Final = "the client belongs to the event loop that it was first used in"


class Poller:
    """The waits of one client, and the loop that asks for them."""

    def __init__(self, source: StatusSource, *, requests_sent: Callable[[], int]) -> None:
        self._source = source
        self._requests_sent = requests_sent
        self._waiters = WaiterRegistry()
        self._requesters: dict[Waiter, None] = {}  # those solos whom the request under way is for
        self._recipients: list[Waiter] = []  # those solos who hear the answer to a list
        self._requesting_chorus: Chorus | None = None  # those besides whom the list is for
        self._is_single = True  # whether it is for one action alone
        self._leavers: set[asyncio.Future[None]] = set()  # who wait for the loop to end
        self._request: asyncio.Timeout | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._nap = Nap()
        self._timer = Timer(
            self._on_timeout
        )  # when a wait ends whose request, or whose turn, has not come
        self._planner = PollPlanner(self._waiters)
        self._senders = {
            RequestKind.SINGLE: self._request_single,
            RequestKind.LIST: self._request_list,
            RequestKind.VERIFY: self._request_verification,
        }

    async def next_update(self, waiter: Waiter) -> Action:
        """Return the next news of an action, or raise what ends the wait."""
        loop = self._bind_loop()
        if not waiter.state.is_new:
            waiter.state.check_limits(loop.time())
        waiter.future = loop.create_future()
        self._add(waiter, loop)
        try:
            return await waiter.future
        finally:
            self._remove(waiter)
            await self._drain()  # the last one out sees the loop off

    async def close(self) -> None:
        """End all waits with `ClientClosed`, those to come included."""
        if self._waiters and self._loop is not asyncio.get_running_loop():
            raise UsageError(_OTHER_LOOP)
        self._closed = True
        for waiter in self._waiters:
            self._fail(waiter, ClientClosed())
        await self._drain()

    async def _drain(self) -> None:
        """Await the end of the loop that nobody needs, unless somebody comes."""
        task = self._task
        if self._waiters or task is None or task.done():
            return
        leaver: asyncio.Future[None] = task.get_loop().create_future()
        self._leavers.add(leaver)
        task.add_done_callback(self._wake_leavers)
        try:
            await leaver
        finally:
            self._leavers.discard(leaver)

    def _wake_leavers(self, *_: object) -> None:
        for leaver in self._leavers:
            if not leaver.done():
                leaver.set_result(None)

    # --- coming and going -----------------------------------------------------------------------

    def _bind_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ClientClosed
        if self._loop not in {None, loop}:
            raise UsageError(_OTHER_LOOP)
        self._loop = loop
        return loop

    def _add(self, waiter: Waiter, loop: asyncio.AbstractEventLoop) -> None:
        for fellow in self._waiters.fellows(waiter.state.ref):
            self._detach(fellow)
        self._waiters.add(waiter)
        self._wake_leavers()
        waiter.expires_at = max(waiter.state.hard_limit, loop.time()) + LAST_POLL_TIMEOUT
        if waiter.expires_at < self._timer.when:
            self._timer.set(waiter.expires_at)
        if self._task is None or self._task.done():
            # It asks for all of them, and so in nobody's context.
            self._task = loop.create_task(self._run(), name="poll loop", context=Context())
        elif (
            min(max(waiter.state.due, self._planner.earliest), waiter.state.soft_limit)
            < self._nap.until
        ):
            self._nap.end()

    def _remove(self, waiter: Waiter) -> None:
        """Forget who has news, has ended or was cancelled; stop what nobody waits for."""
        waiter.unverified = None
        if self._waiters.remove(waiter):
            self._planner.forget(waiter.state.ref)
        if not self._waiters:
            self._nap.end()
        self._requesters.pop(waiter, None)
        is_for_nobody = not self._requesters and not (
            self._requesting_chorus and self._requesting_chorus.members
        )
        if self._request is not None and is_for_nobody:
            self._request.reschedule(-math.inf)
            self._request = None

    def _detach(self, waiter: Waiter) -> None:
        """Let one who is in a chorus go on alone, with what it has asked."""
        chorus = waiter.chorus
        if chorus is None:
            return
        self._waiters.part(waiter, self._now())
        if chorus is self._requesting_chorus:
            self._requesters[waiter] = None
            self._recipients.append(waiter)
            waiter.expires_at = waiter.state.hard_limit

    def _detach_all(self) -> None:
        for chorus in self._waiters.choruses().values():
            for waiter in list(chorus.members.values()):
                self._detach(waiter)

    def _notify(self, waiter: Waiter, action: Action) -> None:
        if not waiter.future.done():
            waiter.future.set_result(action)
        self._remove(waiter)

    def _fail(self, waiter: Waiter, error: Exception) -> None:
        if not waiter.future.done():
            waiter.future.set_exception(error)
        self._remove(waiter)

    # --- the loop -------------------------------------------------------------------------------

    async def _run(self) -> None:
        TURN.set(self._planner.rate_limiter.acquire)  # in the context of the loop alone
        try:
            await asyncio.sleep(0)  # those who come together are served together
            while self._waiters:
                look = self._planner.next_request(self._now())
                wanted = len(self._waiters)
                if not await self._nap.was_ended_before(look.when) and len(self._waiters) == wanted:
                    await self._senders[look.kind](look.waiter)
                    self._planner.record_request(look)
        except Exception as error:  # noqa: BLE001 - nobody may wait for a loop that is no more
            for waiter in self._waiters:
                self._fail(waiter, error)
        finally:
            for waiter in self._waiters:
                waiter.future.cancel()
                self._remove(waiter)
            self._timer.set(math.inf)
            self._planner.outage = None

    # --- asking ---------------------------------------------------------------------------------

    async def _request_single(self, waiter: Waiter) -> None:
        ref = waiter.state.ref
        fellows = self._waiters.fellows(ref)
        if not fellows:
            return  # they left while we slept
        last = next((waiter.state.action for waiter in fellows if waiter.state.action), None)
        self._start_request(fellows)
        self._is_single = True
        await self._send(self._source.fetch(ref, last), partial(self._on_single, waiter))

    def _on_single(self, first: Waiter, found: Action | AmbiguousAnswer | None) -> None:
        now = self._now()
        for waiter in tuple(self._requesters):
            if found is not None:
                waiter.on_found_alone()
            self._deliver(waiter, found, now, shared=waiter is not first)
        if not any(waiter.unverified for waiter in self._requesters):
            self._on_cluster_answered(now)

    async def _request_list(self, first: Waiter) -> None:
        system, began = first.list_kind, self._now()
        chorus = self._waiters.chorus_of(system)
        self._recipients = [waiter for waiter in self._waiters.solos if waiter.list_kind is system]
        if not self._recipients and not chorus.members:
            return  # they left while we slept
        known = self._planner.list_endpoint(system)
        self._start_request([waiter for waiter in self._recipients if waiter.single_until <= began])
        self._requesting_chorus = chorus
        chorus.looks.ask(began)
        self._is_single = False
        take = partial(self._on_list, known, began)
        await self._send(self._source.fetch_many(dict(self._waiters.wanted(system))), take)
        if self._planner.outage is not None:
            known.record_failure(self._now())

    def _on_list(self, known: ListEndpoint, began: float, found: ListResult) -> None:
        now = self._now()
        self._on_cluster_answered(now)
        known.record_answer(now, found.cost)
        chorus = self._requesting_chorus
        assert chorus is not None
        self._update_chorus(chorus, found, now)
        actions, askers = found.actions, self._requesters
        for waiter in self._recipients:
            if waiter.future.done():
                continue
            wait = waiter.state
            action, asked = actions.get(wait.ref), waiter in askers
            if action is not None:
                if not asked:
                    wait.on_request(began)
                same = asked and action is wait.action and waiter.is_steady
                if not (same and wait.hears_no_more(now)):
                    waiter.on_found_in_list()
                    self._deliver(waiter, action, now, shared=True)
                if found.changed is not None and not waiter.future.done():
                    self._waiters.join(waiter, chorus, now)
            elif asked:  # not believed until it was asked for alone
                waiter.on_missing_in_list(now)

    def _update_chorus(self, chorus: Chorus, found: ListResult, now: float) -> None:
        """Tell those who sing what has changed; whom it makes act goes on alone."""
        changed = found.changed
        acting = list(chorus.members.values()) if changed is None else chorus.tell(changed, now)
        for waiter in acting:
            self._detach(waiter)
        if acting:  # first come, first told
            self._recipients.sort(key=attrgetter("order"))
        chorus.looks.hear(now)

    async def _request_verification(self, waiter: Waiter) -> None:
        doubt = waiter.unverified
        if doubt is None:
            return  # it left while we slept
        fellows = self._waiters.fellows(waiter.state.ref)
        alike: dict[Waiter, WaitError | None] = {
            each: each.unverified for each in fellows if type(each.unverified) is type(doubt)
        }
        for fellow in alike:
            fellow.unverified = None
        self._start_request(list(alike))
        self._is_single = True
        ref = waiter.state.ref
        await self._send(self._source.verify(ref, doubt), partial(self._on_verification, alike))

    def _on_verification(
        self, doubts: dict[Waiter, WaitError | None], ended: Action | None
    ) -> None:
        now = self._now()
        for waiter in tuple(self._requesters):
            doubt = doubts[waiter]
            if ended is None and doubt is not None:
                self._fail(waiter, doubt)
            else:
                self._deliver(waiter, ended, now)
        self._on_cluster_answered(now)

    def _start_request(self, askers: list[Waiter]) -> None:
        """Note for whom the next request is."""
        now = self._now()
        self._requesters = dict.fromkeys(askers)
        for waiter in askers:
            waiter.poll_now = False
            waiter.expires_at = waiter.state.on_request(now)

    async def _send(self, call: Awaitable[_T], take: Callable[[_T], None]) -> None:
        """Await an answer and take it, or what came instead, for those whom it is for."""
        began, sent = self._now(), self._requests_sent()
        self._timer.set(self._next_expiry())
        assert self._loop is not None
        watch = Stopwatch(self._loop)
        took = 0.0
        try:
            answer = await self._answer_to(call)
        except RequestError as error:
            self._detach_all()
            self._on_error(error)
        except Exception as error:  # noqa: BLE001 - such as `ClientClosed`; all left: TimeoutError
            self._detach_all()
            for waiter in tuple(self._requesters):
                self._fail(waiter, copy(error) if isinstance(error, RedisActionsError) else error)
        else:
            took = watch.took()
            take(answer)
        finally:
            watch.stop()
            requests = max(1, self._requests_sent() - sent)
            self._planner.rate_limiter.record(began, began + took, requests)
            now = self._now()
            for waiter in self._requesters:
                waiter.expires_at = max(waiter.state.hard_limit, now) + LAST_POLL_TIMEOUT
            self._requesters, self._recipients, self._requesting_chorus = {}, [], None

    async def _answer_to(self, call: Awaitable[_T]) -> _T:
        """Await an answer for as long as somebody is there to take it."""
        try:
            async with asyncio.timeout(None) as self._request:
                return await call
        finally:
            self._request = None

    def _deliver(
        self,
        waiter: Waiter,
        found: Action | AmbiguousAnswer | None,
        now: float,
        *,
        shared: bool = False,
    ) -> None:
        wait = waiter.state
        try:
            news = wait.on_answer(found, now, shared=shared)
            if found is not None:
                self._waiters.record_action(wait.ref, wait.action)
            waiter.unverified = None
            self._planner.record_action_answer(waiter, now)
            if news and (waiter.every_update or wait.is_done):
                assert wait.action is not None
                self._notify(waiter, wait.action)
            else:
                wait.check_limits(now)
        except (ActionVanished, ActionStalled) as doubt:
            self._planner.require_verification(waiter, doubt)
        except Exception as error:  # noqa: BLE001 - what a strategy raises ends its wait alone
            self._fail(waiter, error)

    def _on_cluster_answered(self, now: float) -> None:
        """Take it that the cluster answers, whomever it concerns."""
        if self._planner.outage is not None:
            for waiter in self._waiters:
                waiter.on_others_answered(now)
                waiter.update_expiry(now)
        self._planner.record_answer(now)

    def _on_error(self, error: RequestError) -> None:
        now = self._now()
        askers = list(self._requesters)
        if not askers:
            return  # they left in the same moment
        since = None
        alone = self._is_single and self._planner.record_action_failure
        if is_transient(error) and not (alone and alone(error, askers, now)):
            since = self._planner.record_failure(error, askers, now)
        for waiter in askers:
            self._deliver_error(waiter, error, per_action=self._is_single and since is None)
        if since is not None:
            for waiter in self._waiters:
                if waiter not in self._requesters:
                    waiter.state.on_request(now)
                    self._deliver_error(waiter, error, since=since)
                    waiter.update_expiry(now)

    def _deliver_error(
        self,
        waiter: Waiter,
        error: RequestError,
        *,
        per_action: bool = False,
        since: float = math.inf,
    ) -> None:
        """Tell one who waits that there was no answer, and end the wait if that is its end."""
        now = self._now()
        try:
            waiter.state.on_error(error, now, per_action=per_action, since=since)
            # That the list fails says nothing about each: one alone is asked for first.
            if self._is_single:
                waiter.state.check_limits(now)
        except (RequestError, WaitError) as end:
            self._fail(waiter, end)

    # --- sleeping -------------------------------------------------------------------------------

    def _now(self) -> float:
        assert self._loop is not None
        return self._loop.time()

    def _on_timeout(self) -> None:
        now = self._now()
        self._review()
        for waiter in list(self._waiters.solos):
            if waiter.expires_at > now + TICK:
                continue
            # Another one, if it was set for a limit that is none any more.
            waiter.expires_at = (
                waiter.state.hard_limit + LAST_POLL_TIMEOUT
                if waiter.state.hard_limit > now
                else math.inf
            )
            waiter.state.on_timeout(now)
            try:
                waiter.state.check_limits(now)
            except (RequestError, WaitError) as end:
                self._fail(waiter, end)
        self._timer.set(self._next_expiry())

    def _next_expiry(self) -> float:
        cuts = [waiter.expires_at for waiter in self._waiters.solos]
        return min([*cuts, self._waiters.review_at])

    def _review(self) -> None:
        """Let those go on alone whose limits are near."""
        now = self._now()
        for chorus in self._waiters.choruses().values():
            for waiter in chorus.nearing(now):
                self._detach(waiter)
