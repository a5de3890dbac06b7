"""`Poller`: the poll loop that all waits of one client share.

The loop runs in a task of its own as long as a waiter expects an update. The planner chooses each
request, a `StatusSource` sends it, and `WaitState` decides what the answer means for a wait. A
waiter leaves when it is told an update or its end, so a slow callback delays no other wait.

Two requests may be out at once: the one that is due, and one beside it, at the limit of a wait or
while a list is slow.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
from contextvars import Context
from copy import copy
from itertools import count
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.event_loop import HomeLoop
from redis_enterprise_actions._client.pacing.rate_limit import PollGate, RateLimiter
from redis_enterprise_actions._client.pacing.schedules import TICK
from redis_enterprise_actions._model.action import Action, AmbiguousAnswer
from redis_enterprise_actions._model.errors import (
    ClientClosed,
    ClusterUnreachable,
    RedisActionsError,
    RequestError,
)
from redis_enterprise_actions._model.text import duration_text, one_line

from .outages import Outage
from .planner import PollingState, RequestKind, next_beside, next_request
from .timers import InterruptibleSleep, Timer
from .wait_state import CLOSE_TO_LIMIT, Verdict
from .waiters import QUICK, WaiterRegistry


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis_enterprise_actions._client.pacing.retry import Cluster
    from redis_enterprise_actions._client.protocols import ListResult, StatusSource, UnreadEntry
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import ListKind, Reference

    from .planner import PlannedRequest
    from .waiters import TrackedAction, Waiter

_outage_log = logging.getLogger("redis_enterprise_actions.outages")  # fields: docs/telemetry.md

# Seconds; a request is slow then. Nine times that, the rest after it, are the longest pause.
_SLOW: Final = 5 / 3
_HELD_UP: Final = 0.5  # seconds; a timer that is later shows that the process stood still
_RECENT: Final = 60.0  # seconds since an answer of any node; the longest rest
_OUTAGE_FAILURES: Final = 2  # failures in a row; a single one is no outage of the cluster
_SPARE_LIMITS: Final = 64  # entries of the heap of limits that may be void


class _Request:
    """Request in flight.

    `number` tells the waiters that it was made for: those with a smaller one. `needed_by` counts
    those that are still there. `at_limit` holds the ones that were at a limit.
    """

    __slots__ = (
        *("at_limit", "began", "endpoint", "first", "gate", "has_failed", "held_up"),
        *("is_quick", "limit", "needed_by", "number", "planned"),
        *("slow_timer", "tracked", "unverified"),
    )

    limit: asyncio.Timeout
    slow_timer: asyncio.TimerHandle

    def __init__(self, planned: PlannedRequest, number: int, gate: PollGate) -> None:
        self.planned = planned
        self.endpoint = planned.endpoint
        self.tracked = planned.tracked
        self.number = number
        self.gate = gate
        self.began = gate.began
        self.needed_by = 0
        self.first: Waiter | None = None  # the waiter that a single request was due for
        self.at_limit: list[Waiter] = []
        self.unverified: WaitError | None = None  # what a verification is about
        self.is_quick = False  # made at the limit of a wait, for at most `QUICK`
        self.held_up = 0.0  # seconds for which the event loop itself was blocked
        self.has_failed = False  # cut short as it takes too long

    @property
    def patience(self) -> float:
        """Seconds for the request while others are answered."""
        return self.endpoint.patience if self.tracked is None else self.tracked.patience

    def serves(self, waiter: Waiter) -> bool:
        """Return True if the request was made for this waiter, too."""
        tracked, own = waiter.tracked, self.tracked
        is_about = tracked.endpoint is self.endpoint if own is None else tracked is own
        return is_about and waiter.joined < self.number

    def cut(self, *, has_failed: bool = False) -> None:
        """Cut the request short: no waiter needs it any more, or it takes too long."""
        if not self.limit.expired():
            self.has_failed = has_failed
            self.limit.reschedule(-math.inf)


class Poller:
    """Poll loop for the waits of one client."""

    _clock: Callable[[], float]  # that of the event loop, from the first waiter on

    def __init__(
        self,
        sources: Mapping[ListKind, StatusSource],
        cluster: Cluster,
        home: HomeLoop | None = None,
    ) -> None:
        self.home = home or HomeLoop()
        self.context = Context()  # of which each task of the poll loop gets a copy
        self._cluster = cluster
        self._registry = WaiterRegistry(sources)
        self._rate_limiter = RateLimiter()
        self._state = PollingState(self._registry, self._rate_limiter)
        self._answered_at = -math.inf  # time of the last answer of the cluster
        self._heard_at = -math.inf  # time of the last answer of any node, also for itself only
        self._held_up_until = -math.inf  # end of the last time in which the loop was blocked
        self._due: _Request | None = None  # the request in flight that was due
        self._beside: _Request | None = None
        self._beside_task: asyncio.Task[None] | None = None
        self._sleep = InterruptibleSleep()
        self._beside_sleep = InterruptibleSleep()
        # Times at which waiters may reach a limit. An entry is void if the waiter has another time;
        # one that comes too early is corrected when its time has come.
        self._limits: list[tuple[float, int, Waiter]] = []
        self._order = count()
        self._timer = Timer(self._on_limits)
        self._leavers: set[asyncio.Future[None]] = set()  # see `drain`
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    # --- waiters join and leave -----------------------------------------------------------------

    def add(self, waiter: Waiter) -> None:
        """Add a waiter, whose `future` is done at its next update, or its end.

        The caller that awaits it removes the waiter again, and then awaits `drain`.
        """
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ClientClosed
        self.home.enter()
        self._loop, self._clock = loop, loop.time
        now, state = loop.time(), waiter.state
        waiter.future = loop.create_future()
        state.error = state.check(now) if state.polls else None
        if state.error is not None:
            waiter.future.set_result(None)
            return
        self._registry.add(waiter, now)
        if self._leavers:
            self._wake_leavers()
        if (outage := self._declared_outage) is not None:
            state.join_outage(outage)
        self._set_limit(waiter, now)
        if self._task is None or self._task.done():
            # The loop serves all waiters, so it does not run in the context of the first one.
            context = self.context.copy()
            self._task = loop.create_task(self._run(), name="poll loop", context=context)
            return
        out = self._due
        if out is not None and self._beside_task is None and now >= out.began + _SLOW - TICK:
            self._start_beside()  # nothing was due beside it when it became slow
        due = max(waiter.due, self._rate_limiter.earliest)
        for sleep in (self._sleep, self._beside_sleep):
            if due < sleep.until:
                sleep.end()

    def remove(self, waiter: Waiter) -> None:
        """Remove a waiter, and cut requests short that no waiter needs any more."""
        if not self._registry.remove(waiter):
            return
        waiter.check_at = waiter.ends_at = math.inf
        for request in (self._due, self._beside):
            if request is not None and request.serves(waiter):
                request.needed_by -= 1
                if not request.needed_by:
                    request.cut()
        if not self._registry.count and self._due is None:
            self._sleep.end()

    async def drain(self) -> None:
        """Wait until the loop task has ended, if no waiter is left. Return early if one joins."""
        task = self._task
        if self._registry.count or task is None or task.done():
            return
        leaver: asyncio.Future[None] = task.get_loop().create_future()
        self._leavers.add(leaver)
        task.add_done_callback(self._wake_leavers)
        try:
            await leaver
        finally:
            self._leavers.discard(leaver)

    async def close(self) -> None:
        """End all waits with `ClientClosed`, and those that begin later.

        Waits in an event loop that is closed have ended with it. Raises `UsageError` in another
        loop than that of the waits, unless that is closed.
        """
        self.home.leave()
        self._closed = True
        if self._loop is not None and self._loop.is_closed():
            return
        for waiter in self._registry:
            self._end(waiter, ClientClosed())
        await self.drain()

    def _wake_leavers(self, *_: object) -> None:
        for leaver in self._leavers:
            if not leaver.done():
                leaver.set_result(None)

    def _wake(self, waiter: Waiter) -> None:
        """Tell a waiter its update, or its end; it leaves."""
        if not waiter.future.done():
            waiter.future.set_result(None)
        self.remove(waiter)

    def _end(self, waiter: Waiter, error: Exception) -> None:
        """End a wait by an error."""
        waiter.state.fail(error, self._clock())
        self._wake(waiter)

    # --- the loop -------------------------------------------------------------------------------

    async def _run(self) -> None:
        registry, state = self._registry, self._state
        try:
            await asyncio.sleep(0)  # waiters that start together share the first request
            while registry.count or self._beside_task is not None:
                if not registry.count:
                    await self._end_beside()
                    continue
                registry.attach_due(self._clock())
                state.next_limit = self._timer.when
                now, number = self._clock(), registry.number
                planned = next_request(state, now)
                when = math.inf if planned is None else planned.when
                if planned is not None and planned.tracked is None and self._correct_limits(when):
                    continue
                woken = when > now and await self._sleep.was_ended_before(when)
                if planned is not None and not woken and registry.number == number:
                    await self._send(planned)
        except Exception as error:  # noqa: BLE001 - no waiter may hang if the loop itself fails
            self._end_all(error)
        finally:
            if self._beside_task is not None:
                await self._end_beside()
            if registry.count:
                for waiter in registry:
                    waiter.future.cancel()
                    self.remove(waiter)
            self._timer.set(math.inf)
            self._limits.clear()
            state.outage = None

    async def _run_beside(self) -> None:
        """Send the requests that are made while another one is out."""
        try:
            while (out := self._due) is not None:
                now = self._clock()
                slow_at = out.began + out.endpoint.slow_after(now)
                planned = next_beside(self._state, out.planned, slow_at, now)
                if planned is None:
                    return
                if planned.when > now:
                    if await self._beside_sleep.was_ended_before(planned.when):
                        continue
                    self._note_timer(planned.when)
                await self._send(planned, beside=True)
        except Exception as error:  # noqa: BLE001 - likewise
            self._end_all(error)
        finally:
            self._beside_task = None

    def _start_beside(self) -> None:
        """Have requests made beside the one that is out, if there is a need."""
        if self._due is None:
            self._sleep.end()
        elif self._beside_task is None:
            self._beside_task = asyncio.get_running_loop().create_task(
                self._run_beside(), name="poll beside", context=self.context.copy()
            )
        elif self._beside is None:
            self._beside_sleep.end()
        elif not self._beside.planned.is_urgent:
            self._beside.cut()

    async def _end_beside(self) -> None:
        assert self._beside_task is not None
        self._beside_task.cancel()
        await asyncio.wait([self._beside_task])
        self._beside_task = None  # of a task that is cancelled before it begins, nothing has run

    def _end_all(self, error: Exception) -> None:
        for waiter in self._registry:
            self._end(waiter, error)

    # --- requests -------------------------------------------------------------------------------

    async def _send(self, planned: PlannedRequest, *, beside: bool = False) -> None:
        """Send a request, and pass its answer or its error to the waits."""
        endpoint, tracked = planned.endpoint, planned.tracked
        if not (endpoint.tracked if tracked is None else tracked.waiters):
            return  # they left while the loop slept
        request = self._begin(planned)
        if beside:
            self._beside = request
        else:
            self._due = request
        source, gate, listed, found = endpoint.source, request.gate, None, None
        try:
            async with asyncio.timeout(QUICK if request.is_quick else None) as request.limit:
                if tracked is None:
                    listed = await source.fetch_many(endpoint.wanted, gate)
                elif request.unverified is None:
                    found = await source.fetch(tracked.ref, tracked.action, gate)
                else:
                    found = await source.verify(tracked.ref, request.unverified, gate)
        except Exception as error:  # noqa: BLE001 - each waiter gets it
            self._on_error(request, error, *self._end_request(request))
        except BaseException:
            self._end_request(request)
            raise
        else:
            self._on_answer(request, listed, found, *self._end_request(request))
        for waiter in request.at_limit:
            if waiter in waiter.tracked.waiters:  # the request told nothing about it
                self._set_limit(waiter, self._clock())

    def _begin(self, planned: PlannedRequest) -> _Request:
        """Record a request that is about to be sent."""
        assert self._loop is not None
        now, state, registry = self._clock(), self._state, self._registry
        endpoint, tracked = planned.endpoint, planned.tracked
        registry.number += 1
        request = _Request(planned, registry.number, PollGate(self._rate_limiter, now))
        request.slow_timer = self._loop.call_at(now + _SLOW, self._on_slow, request)
        if registry.at_limit:
            request.at_limit = [each for each in registry.at_limit if request.serves(each)]
            request.is_quick = not all(waiter.was_cut for waiter in request.at_limit)
            for waiter in request.at_limit:
                del registry.at_limit[waiter]
        state.requests += 1
        state.last_was_verification = planned.kind is RequestKind.VERIFY
        endpoint.last_request = state.requests
        endpoint.last_was_list = tracked is None
        if tracked is None:
            request.needed_by = endpoint.count
            endpoint.on_asked(now)
        else:
            request.needed_by = len(tracked.waiters)
            request.first = tracked.waiters[0]
            if request.needed_by > 1:
                request.first = min(tracked.waiters, key=lambda waiter: waiter.due)
            if planned.kind is RequestKind.VERIFY:
                request.unverified = tracked.unverified
            tracked.on_asked(now)
        return request

    def _end_request(self, request: _Request) -> tuple[float, float]:
        """Record that a request is over. Return the seconds that it took the cluster, and now."""
        now = self._clock()
        if not request.gate.requests:
            self._rate_limiter.record_start(request.began)
        if request.tracked is None:
            request.endpoint.out_since = math.inf
        else:
            request.tracked.on_heard(now)
            if request.unverified is not None and not request.gate.requests:
                request.tracked.on_not_asked()
        request.slow_timer.cancel()
        if request is self._beside:
            self._beside = None
            self._sleep.end()
        else:
            self._due = None
            if self._beside_task is not None:
                self._beside_sleep.end()
        return max(0.0, now - request.began - request.gate.waited - request.held_up), now

    def _on_slow(self, request: _Request) -> None:
        """Have other requests made beside one that is slow."""
        self._note_timer(request.slow_timer.when())
        if request is self._due and self._beside_task is None:
            self._start_beside()

    def _note_timer(self, when: float) -> None:
        """Note that a timer that was set to a time fires now: the loop was blocked if it is late.

        That time does not count as the cluster's for the requests that are out.
        """
        now = self._clock()
        held_up = now - max(when, self._held_up_until)
        if held_up > TICK:
            self._held_up_until = now
            for request in (self._due, self._beside):
                if request is not None:
                    request.held_up += min(held_up, now - request.began)

    # --- answers --------------------------------------------------------------------------------

    def _on_answer(
        self,
        request: _Request,
        listed: ListResult | None,
        found: Action | AmbiguousAnswer | None,
        took: float,
        now: float,
    ) -> None:
        self._heard_at = now
        self._rate_limiter.record_end(request.gate, now, took, is_answered=True)
        if listed is not None:
            self._on_list(request, listed, took, now)
        elif request.unverified is None:
            self._on_single(request, found, took, now)
        else:
            self._on_verification(request, found, now)

    def _on_single(
        self, request: _Request, found: Action | AmbiguousAnswer | None, took: float, now: float
    ) -> None:
        tracked = request.tracked
        assert tracked is not None
        tracked.endpoint.on_single_heard(now, took)
        tracked.took = took
        if found is not None and tracked.list_misses:
            tracked.on_found_alone()
        self._deliver(tracked, found, request, now)
        if tracked not in self._registry.unverified and not tracked.ref.is_of_one_node:
            self._on_cluster_answered(now)

    def _on_list(self, request: _Request, listed: ListResult, took: float, now: float) -> None:
        """Pass the entries of a list that mean anything to their waiters."""
        endpoint = request.endpoint
        self._on_cluster_answered(now)
        if listed.cost == math.inf:
            endpoint.refuse(now)
            return
        endpoint.read, changed = listed.read, listed.changed
        at_limit = dict.fromkeys(waiter.tracked for waiter in request.at_limit)
        if listed.read is None:
            touched = list(endpoint.tracked.values())
        else:
            concerned = [endpoint.tracked[ref] for ref in changed if ref in endpoint.tracked]
            touched = list(dict.fromkeys([*concerned, *endpoint.attentive, *at_limit]))
        news: list[tuple[int, TrackedAction, UnreadEntry | Action | AmbiguousAnswer | None]] = []
        for tracked in touched:
            if not tracked.waiters:
                continue  # they left while the request was out
            entry = changed.get(tracked.ref)
            if listed.read is not None and tracked.ref not in changed:
                entry = listed.read(tracked.ref)
            if tracked in at_limit or not tracked.ignores(entry, now):
                news.append((tracked.waiters[0].joined, tracked, entry))
        news.sort(key=itemgetter(0))  # those that joined first hear first
        for _, tracked, entry in news:
            self._on_entry(request, tracked, entry, now, is_untold=tracked.ref in listed.untold)
        endpoint.on_heard(request.began, now, listed.cost, took)

    def _on_entry(
        self,
        request: _Request,
        tracked: TrackedAction,
        entry: UnreadEntry | Action | AmbiguousAnswer | None,
        now: float,
        *,
        is_untold: bool,
    ) -> None:
        """Pass an entry of a list, None if there is none, to the waiters that it concerns."""
        if tracked.was_heard_since(request.began):
            tracked.listen()  # a later request was answered before; the next list counts
        elif entry is None:
            if tracked.is_attached and is_untold:
                tracked.on_untold()
            elif tracked.is_attached and any(map(request.serves, tracked.waiters)):
                tracked.on_missing()
        else:
            tracked.on_listed(request.began)
            if not isinstance(entry, (Action, AmbiguousAnswer)):
                entry = entry.read()
            self._deliver(tracked, entry, request, now)

    def _on_verification(
        self, request: _Request, ended: Action | AmbiguousAnswer | None, now: float
    ) -> None:
        """End the waits whose error the database confirms; pass the end to them if it does not."""
        tracked = request.tracked
        assert tracked is not None
        if ended is not None:
            self._deliver(tracked, ended, request, now)
        else:
            for waiter in self._served_by(request):
                if waiter.state.unverified is None or not waiter.state.on_unverified(now):
                    self._check(waiter, now)
                else:
                    self._wake(waiter)
            self._end_outage_of(tracked, now)
        self._registry.unverified.pop(tracked, None)
        if not tracked.ref.is_of_one_node:
            self._on_cluster_answered(now)

    def _deliver(
        self,
        tracked: TrackedAction,
        found: Action | AmbiguousAnswer | None,
        request: _Request,
        now: float,
    ) -> None:
        """Pass an answer to the waits of one reference, and wake those that it is an update for."""
        action, is_listed = None, request.tracked is None
        if isinstance(found, Action):
            tracked.is_stale = False  # each of them gets the present state now
        for waiter in tuple(tracked.waiters):
            if request.serves(waiter):
                self._tell(waiter, found, request, now)
                action = waiter.state.last_action or action
            else:
                is_listed = False  # the next list tells it
        if tracked.unverified is not None:
            self._registry.unverified[tracked] = None
        else:
            self._registry.unverified.pop(tracked, None)
            if tracked.outage is not None:
                self._end_outage_of(tracked, now)
        if tracked.waiters:
            tracked.on_read(action, now, is_listed=is_listed)
        elif action is not None:
            tracked.action = action  # for its waiters that come back

    def _tell(
        self,
        waiter: Waiter,
        found: Action | AmbiguousAnswer | None,
        request: _Request,
        now: float,
    ) -> None:
        """Pass an answer to one wait, and wake it if that is an update for it."""
        try:
            shared = waiter is not request.first
            verdict = waiter.state.on_answer(found, request.began, now, shared=shared)
        except Exception as error:  # noqa: BLE001 - an error of a strategy ends its wait only
            self._end(waiter, error)
            return
        if verdict is Verdict.DONE or (verdict is Verdict.UPDATE and waiter.every_update):
            self._wake(waiter)
        elif verdict is Verdict.VERIFY:
            self._set_limit(waiter, now)  # even at a limit the database is asked first
        else:
            self._check(waiter, now)

    def _served_by(self, request: _Request) -> list[Waiter]:
        """Return the waiters that a request was made for, and that are still there."""
        endpoint, tracked = request.endpoint, request.tracked
        every = endpoint.tracked.values() if tracked is None else [tracked]
        return [waiter for each in every for waiter in each.waiters if request.serves(waiter)]

    # --- failures -------------------------------------------------------------------------------

    def _on_error(self, request: _Request, error: Exception, took: float, now: float) -> None:
        if request.limit.expired():
            self._on_cut(request, took, now)
        elif isinstance(error, RequestError) and error.transient:
            self._on_failure(request, error, took, now)
        else:
            copied = isinstance(error, RedisActionsError)
            for waiter in self._served_by(request):
                self._end(waiter, copy(error) if copied else error)

    def _on_cut(self, request: _Request, took: float, now: float) -> None:
        """Record a request that no waiter needed any more, or that took too long."""
        tracked = request.tracked
        if request.has_failed and tracked is not None:
            path = request.endpoint.source.path(tracked.ref)
            reason = f"no answer in {duration_text(took)}, while others were answered"
            self._on_failure(request, ClusterUnreachable("GET", path, reason=reason), took, now)
            return
        for waiter in request.at_limit:
            waiter.was_cut = True
        self._record_failed_end(request, took, now)
        if tracked is None and (request.has_failed or took >= QUICK - TICK):
            request.endpoint.on_failed(now, alone=request.has_failed)

    def _record_failed_end(self, request: _Request, took: float, now: float) -> None:
        """Record the end of a failed request, for the rate limit.

        A node that answers for itself only is no reason to let other ones rest that do answer.
        """
        tracked = request.tracked
        is_beside_others = (
            tracked is not None
            and tracked.ref.is_of_one_node
            and len(request.endpoint.tracked) > 1
            and now - self._heard_at < _RECENT
        )
        if request.is_quick or is_beside_others:
            self._rate_limiter.record_urgent_end(request.gate)
        else:
            self._rate_limiter.record_end(request.gate, now, took, is_answered=False)

    def _on_failure(self, request: _Request, error: RequestError, took: float, now: float) -> None:
        """Record a transient failure: of the list, of one action, or of the cluster."""
        tracked = request.tracked
        self._record_failed_end(request, took, now)
        others_answered = self._answered_at > request.began
        if tracked is None:
            # A failed list proves nothing about an action, so it ends no wait.
            request.endpoint.on_failed(now, alone=others_answered)
            if not others_answered:
                self._record_outage(error, request, None, now)
            return
        tracked.endpoint.on_single_heard(now, took)
        waiters = self._served_by(request)
        for waiter in waiters:
            waiter.state.unverified = None
            waiter.state.active_schedule.on_no_answer(now)
        self._registry.unverified.pop(tracked, None)
        outage = tracked.outage
        is_alone = (
            tracked.ref.is_of_one_node
            or tracked.ref.asks_others
            or others_answered
            or (outage is not None and self._answered_at >= outage.began)
        )
        if not is_alone:
            self._record_outage(error, request, tracked.ref, now)
        if is_alone or self._declared_outage is None:
            self._record_outage_of(tracked, error, request, now, is_alone=is_alone)
        for waiter in waiters:
            self._check(waiter, now)

    @property
    def _declared_outage(self) -> Outage | None:
        """The outage of the cluster, once it concerns all waits."""
        outage = self._state.outage
        return None if outage is None or outage.failures < _OUTAGE_FAILURES else outage

    def _record_outage(
        self, error: RequestError, request: _Request, ref: Reference | None, now: float
    ) -> None:
        """Record a failure of the cluster. The second one in a row concerns all waits."""
        outage = self._state.outage
        if outage is None:
            outage = self._state.outage = Outage(request.began)
        is_unreached = error.advice is not None and not self._cluster.has_answered
        outage.record_failure(error, now, ref=ref, is_unreached=is_unreached)
        if outage.failures == _OUTAGE_FAILURES:
            extra = _log_fields("outage", now - outage.began, error)
            _outage_log.warning("%s; asking again", str(error), extra=extra)
            for waiter in self._registry:
                tracked = waiter.tracked
                if tracked.outage is not None and tracked.outage.began >= outage.began:
                    tracked.outage = None
                waiter.state.join_cluster_outage(outage)
                waiter.check_at = math.inf
            self._limits.clear()
            for waiter in self._registry:
                self._set_limit(waiter, now)
        if outage.failures >= _OUTAGE_FAILURES:
            for waiter in list(self._registry.at_limit):
                self._check(waiter, now)

    def _record_outage_of(
        self,
        tracked: TrackedAction,
        error: RequestError,
        request: _Request,
        now: float,
        *,
        is_alone: bool,
    ) -> None:
        """Record a failure of one action, which may be the only one that fails."""
        if tracked.outage is None:
            tracked.outage = Outage(request.began)
        of_one_node = tracked.ref.is_of_one_node
        is_unreached = of_one_node and error.advice is not None and tracked.action is None
        tracked.outage.record_failure(error, now, is_unreached=is_unreached)
        tracked.listen()  # a list that shows it as before ends its outage
        for waiter in self._served_by(request):
            waiter.state.join_outage(tracked.outage)
        if is_alone and not tracked.outage.is_logged:
            tracked.outage.is_logged = True
            extra = _log_fields("outage", now - tracked.outage.began, error, tracked.ref)
            is_apart = of_one_node or tracked.ref.asks_others
            others = "" if is_apart else ", while requests for other actions are answered"
            _outage_log.warning("%s; asking again%s", str(error), others, extra=extra)

    def _end_outage_of(self, tracked: TrackedAction, now: float) -> None:
        """Record an answer for one action, which ends the outage of this action."""
        outage, tracked.outage = tracked.outage, None
        if outage is not None and outage.is_logged:
            extra = _log_fields("outage over", now - outage.began, ref=tracked.ref)
            message = "requests for action %s are answered again"
            _outage_log.warning(message, one_line(tracked.ref.name), extra=extra)

    def _on_cluster_answered(self, now: float) -> None:
        """Record an answer, which ends the outage of the cluster."""
        outage, out = self._declared_outage, self._due
        self._answered_at = now
        if out is not None and now - out.began - out.held_up > out.patience:
            out.cut(has_failed=True)  # it hangs while others are answered
        self._state.outage = None
        if outage is None:
            return
        lasted = now - outage.began
        extra = _log_fields("outage over", lasted)
        _outage_log.warning(
            "the cluster answers again after %s", duration_text(lasted), extra=extra
        )
        for waiter in self._registry:
            waiter.state.leave_outage(outage, now)
            self._set_limit(waiter, now)  # one that the outage had put off comes nearer
        at_limit = self._registry.at_limit
        for waiter in [each for each in at_limit if each.state.next_limit > now]:
            del at_limit[waiter]

    # --- limits ---------------------------------------------------------------------------------

    def _check(self, waiter: Waiter, now: float) -> None:
        """End a wait that has reached a limit, or note when it may reach the next."""
        state = waiter.state
        state.error = state.check(now)
        if state.error is not None:
            self._wake(waiter)
        else:
            self._set_limit(waiter, now)

    def _set_limit(self, waiter: Waiter, now: float) -> None:
        """Note when a wait may reach a limit, unless an earlier time is noted already."""
        state = waiter.state
        if waiter.ends_at < math.inf and state.hard_limit > now:
            waiter.ends_at = math.inf  # the limit has moved
        limit = state.next_limit
        if limit > now:
            waiter.was_cut = False
        if limit < waiter.check_at:
            self._push(waiter, limit)

    def _push(self, waiter: Waiter, when: float) -> None:
        waiter.check_at = when
        if len(self._limits) > 2 * self._registry.count + _SPARE_LIMITS:
            self._limits = [entry for entry in self._limits if entry[2].check_at == entry[0]]
            heapq.heapify(self._limits)
        heapq.heappush(self._limits, (when, next(self._order), waiter))
        if self._limits[0][0] < self._timer.when:
            self._timer.set(self._limits[0][0])

    def _correct_limits(self, until: float) -> bool:
        """Correct the times noted for soon after `until`. Return True if there were wrong ones."""
        first = self._timer.when
        while self._limits and self._limits[0][0] < until + CLOSE_TO_LIMIT:
            when, _, waiter = self._limits[0]
            limit = waiter.state.next_limit
            is_void = waiter.check_at != when
            if not is_void and (waiter.ends_at < math.inf or limit <= when + TICK):
                break
            heapq.heappop(self._limits)
            if not is_void:
                self._push(waiter, limit)
        self._timer.set(self._limits[0][0] if self._limits else math.inf)
        return self._timer.when != first

    def _on_limits(self) -> None:
        """Handle the waits whose noted time has come."""
        now = self._clock()
        self._note_timer(self._timer.when)
        while self._limits and self._limits[0][0] <= now + TICK:
            when, _, waiter = heapq.heappop(self._limits)
            if waiter.check_at == when:
                waiter.check_at = math.inf
                self._on_limit(waiter, now)
        self._timer.set(self._limits[0][0] if self._limits else math.inf)
        if self._registry.at_limit:
            self._start_beside()

    def _on_limit(self, waiter: Waiter, now: float) -> None:
        """Have the cluster asked for a wait at its limit, or end one that got no answer there."""
        state = waiter.state
        if state.next_limit > now + TICK:
            waiter.ends_at = math.inf
            self._push(waiter, state.next_limit)
            return
        # If the process stood still, at the limit or after it, the cluster is asked once more.
        if waiter.ends_at <= now + TICK and now - waiter.ends_at < _HELD_UP:
            state.error = state.check(now, forced=True)
        if state.error is not None:
            self._wake(waiter)
            return
        out = next(
            (each for each in (self._due, self._beside) if each and each.serves(waiter)), None
        )
        if out is not None and out.began >= state.next_limit - TICK:
            out.at_limit.append(waiter)  # it was made at this limit
        elif state.unverified is None:
            self._registry.at_limit[waiter] = None
        if state.hard_limit <= now + TICK:
            if not now + TICK < waiter.ends_at < math.inf:  # else a request at the limit has failed
                waiter.ends_at = now + QUICK
            self._push(waiter, waiter.ends_at)
        else:
            self._push(waiter, state.hard_limit)


def _log_fields(
    event: str, seconds: float, error: RequestError | None = None, ref: Reference | None = None
) -> dict[str, object]:
    """Return the fields of a log record about an outage: of one reference, or of the cluster."""
    return {
        "event": event,
        "seconds": seconds,
        "reason": None if error is None else one_line(getattr(error, "reason", error.detail)),
        "ref": None if ref is None else str(ref),
    }
