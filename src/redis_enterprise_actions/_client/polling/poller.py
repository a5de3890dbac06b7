"""`Poller`: the poll loop that all waits of one client share.

The loop runs in a task of its own as long as a waiter expects an update. `PollPlanner` chooses
each request, a `StatusSource` sends it, and `WaitState` decides what the answer means for a wait.
A waiter that is busy with its last update is not in the registry: the poller sends no request for
it, and a slow callback delays no other wait.
"""

from __future__ import annotations

import asyncio
import math
from contextvars import Context
from copy import copy
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._client.pacing.schedules import TICK
from redis_enterprise_actions._client.protocols import Wanted
from redis_enterprise_actions._model.action import Action, AmbiguousAnswer
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
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from redis_enterprise_actions._client.protocols import ListResult, StatusSource
    from redis_enterprise_actions._model.reference import ListKind

    from .planner import ListEndpoint
    from .waiters import Chorus, Waiter


_T = TypeVar("_T")
_OTHER_LOOP: Final = "the client belongs to the event loop that it was first used in"


class Poller:
    """Poll loop for the waits of one client."""

    def __init__(
        self, sources: Mapping[ListKind, StatusSource], *, requests_sent: Callable[[], int]
    ) -> None:
        self._sources = sources
        self._requests_sent = requests_sent
        self._waiters = WaiterRegistry()
        # The request in flight: the individual waiters it was sent for, the individual waiters
        # that its answer may concern (of a list), and the chorus that it serves (of a list).
        self._requesters: dict[Waiter, None] = {}
        self._recipients: list[Waiter] = []
        self._requesting_chorus: Chorus | None = None
        self._request: asyncio.Timeout | None = None
        self._leavers: set[asyncio.Future[None]] = set()  # see `_drain`
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._nap = Nap()
        self._timer = Timer(self._on_timeout)
        self._planner = PollPlanner(self._waiters)
        self._senders = {
            RequestKind.SINGLE: self._request_single,
            RequestKind.LIST: self._request_list,
            RequestKind.VERIFY: self._request_verification,
        }

    async def next_update(self, waiter: Waiter) -> Action:
        """Return the next update of an action, or raise the error that ends the wait."""
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ClientClosed
        if self._loop not in {None, loop}:
            raise UsageError(_OTHER_LOOP)
        self._loop = loop
        if not waiter.state.is_new:
            waiter.state.check_limits(loop.time())
        waiter.future = loop.create_future()
        self._add(waiter, loop)
        try:
            return await waiter.future
        finally:
            self._remove(waiter)
            await self._drain()

    async def close(self) -> None:
        """End all waits with `ClientClosed`, and those that begin later."""
        if self._waiters and self._loop is not asyncio.get_running_loop():
            raise UsageError(_OTHER_LOOP)
        self._closed = True
        for waiter in self._waiters:
            self._fail(waiter, ClientClosed())
        await self._drain()

    async def _drain(self) -> None:
        """Wait until the loop task has ended, if no waiter is left. Return early if one joins."""
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

    # --- waiters join and leave -----------------------------------------------------------------

    def _add(self, waiter: Waiter, loop: asyncio.AbstractEventLoop) -> None:
        """Add a waiter, and start the loop or wake it if the waiter is due earlier."""
        state = waiter.state
        for other in self._waiters.fellows(state.ref):
            self._detach(other)
        self._waiters.add(waiter)
        self._wake_leavers()
        waiter.expires_at = max(state.hard_limit, loop.time()) + LAST_POLL_TIMEOUT
        if waiter.expires_at < self._timer.when:
            self._timer.set(waiter.expires_at)
        if self._task is None or self._task.done():
            # The loop serves all waiters, so it does not run in the context of the first one.
            self._task = loop.create_task(self._run(), name="poll loop", context=Context())
        elif min(max(state.due, self._planner.earliest), state.soft_limit) < self._nap.until:
            self._nap.end()

    def _remove(self, waiter: Waiter) -> None:
        """Remove a waiter, and cancel the request in flight if no waiter needs it any more."""
        waiter.unverified = None
        if self._waiters.remove(waiter):
            self._planner.forget(waiter.state.ref)
        if not self._waiters:
            self._nap.end()
        self._requesters.pop(waiter, None)
        chorus = self._requesting_chorus
        is_needed = self._requesters or (chorus and chorus.members)
        if self._request is not None and not is_needed:
            self._request.reschedule(-math.inf)
            self._request = None

    def _detach(self, waiter: Waiter) -> None:
        """Take a waiter out of its chorus, if it is in one. Its share of the request stays."""
        chorus = waiter.chorus
        if chorus is None:
            return
        self._waiters.part(waiter, self._now())
        if chorus is self._requesting_chorus:
            self._requesters[waiter] = None
            self._recipients.append(waiter)
            waiter.expires_at = waiter.state.hard_limit

    def _fail(self, waiter: Waiter, error: Exception) -> None:
        if not waiter.future.done():
            waiter.future.set_exception(error)
        self._remove(waiter)

    # --- the loop -------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await asyncio.sleep(0)  # waiters that start together share the first request
            while self._waiters:
                request = self._planner.next_request(self._now())
                count = len(self._waiters)
                woken = await self._nap.was_ended_before(request.when)
                if not woken and len(self._waiters) == count:
                    await self._senders[request.kind](request.waiter)
                    self._planner.record_request(request)
        except Exception as error:  # noqa: BLE001 - no waiter may hang if the loop itself fails
            for waiter in self._waiters:
                self._fail(waiter, error)
        finally:
            for waiter in self._waiters:
                waiter.future.cancel()
                self._remove(waiter)
            self._timer.set(math.inf)
            self._planner.outage = None

    def _now(self) -> float:
        assert self._loop is not None
        return self._loop.time()

    # --- requests and their answers -------------------------------------------------------------

    async def _request_single(self, waiter: Waiter) -> None:
        ref = waiter.state.ref
        waiters = self._waiters.fellows(ref)
        if not waiters:
            return  # they left while the loop slept
        last = next((each.state.action for each in waiters if each.state.action), None)
        self._start_request(waiters)
        await self._send(
            self._sources[ref.list_kind].fetch(ref, last, self._planner.rate_limiter),
            partial(self._on_single, waiter),
        )

    def _on_single(self, first: Waiter, found: Action | AmbiguousAnswer | None) -> None:
        now = self._now()
        for waiter in tuple(self._requesters):
            if found is not None:
                waiter.on_found_alone()
            self._deliver(waiter, found, now, shared=waiter is not first)
        if not any(waiter.unverified for waiter in self._requesters):
            self._on_cluster_answered(now)

    async def _request_list(self, first: Waiter) -> None:
        kind, began = first.list_kind, self._now()
        chorus = self._waiters.chorus_of(kind)
        self._recipients = [waiter for waiter in self._waiters.solos if waiter.list_kind is kind]
        if not self._recipients and not chorus.members:
            return  # they left while the loop slept
        endpoint = self._planner.list_endpoint(kind)
        requesters = [waiter for waiter in self._recipients if waiter.single_until <= began]
        self._start_request(requesters, chorus)
        chorus.looks.ask(began)
        wanted = Wanted()
        wanted.update(self._waiters.wanted(kind))
        call = self._sources[kind].fetch_many(wanted, self._planner.rate_limiter)
        await self._send(call, partial(self._on_list, endpoint, chorus, began))
        if self._planner.outage is not None:
            endpoint.record_failure(self._now())

    def _on_list(
        self, endpoint: ListEndpoint, chorus: Chorus, began: float, found: ListResult
    ) -> None:
        now = self._now()
        self._on_cluster_answered(now)
        endpoint.record_answer(now, found.cost)
        self._update_chorus(chorus, now)
        for waiter in self._recipients:
            if waiter.future.done():
                continue
            state = waiter.state
            entry = found.read(state.ref) if found.read else found.changed.get(state.ref)
            action = entry if isinstance(entry, Action | AmbiguousAnswer) else None
            is_requester = waiter in self._requesters
            if action is not None:
                if not is_requester:
                    state.on_request(began)
                same = is_requester and action is state.action and waiter.is_steady
                if not (same and state.hears_no_more(now)):
                    waiter.on_found_in_list()
                    self._deliver(waiter, action, now, shared=True)
            elif is_requester:
                waiter.on_missing_in_list(now)

    def _update_chorus(self, chorus: Chorus, now: float) -> None:
        """Pass what changed to the members of a chorus, and detach those that have to act."""
        acting = list(chorus.members.values())
        for waiter in acting:
            self._detach(waiter)
        if acting:
            self._recipients.sort(key=attrgetter("order"))
        chorus.looks.hear(now)

    async def _request_verification(self, waiter: Waiter) -> None:
        unverified = waiter.unverified
        if unverified is None:
            return  # it left while the loop slept
        ref = waiter.state.ref
        unverified_waiters: dict[Waiter, WaitError | None] = {
            each: each.unverified
            for each in self._waiters.fellows(ref)
            if type(each.unverified) is type(unverified)
        }
        for each in unverified_waiters:
            each.unverified = None
        self._start_request(unverified_waiters)
        await self._send(
            self._sources[ref.list_kind].verify(ref, unverified, self._planner.rate_limiter),
            partial(self._on_verification, unverified_waiters),
        )

    def _on_verification(
        self, unverified_waiters: dict[Waiter, WaitError | None], ended: Action | None
    ) -> None:
        now = self._now()
        for waiter in tuple(self._requesters):
            unverified = unverified_waiters[waiter]
            if ended is None and unverified is not None:
                self._fail(waiter, unverified)
            else:
                self._deliver(waiter, ended, now)
        self._on_cluster_answered(now)

    def _start_request(self, requesters: Iterable[Waiter], chorus: Chorus | None = None) -> None:
        """Record the waiters that the next request is for. Only a list has a chorus."""
        now = self._now()
        self._requesters = dict.fromkeys(requesters)
        self._requesting_chorus = chorus
        for waiter in self._requesters:
            waiter.poll_now = False
            waiter.expires_at = waiter.state.on_request(now)

    async def _send(self, call: Awaitable[_T], take: Callable[[_T], None]) -> None:
        """Await a request and pass its answer to `take`, or its error to the requesters."""
        assert self._loop is not None
        began, sent = self._now(), self._requests_sent()
        self._set_timer()
        stopwatch = Stopwatch(self._loop)
        duration = 0.0
        try:
            try:
                async with asyncio.timeout(None) as self._request:
                    answer = await call
            finally:
                self._request = None
        except Exception as error:  # noqa: BLE001 - each waiter gets it; TimeoutError: all left
            for chorus in self._waiters.choruses().values():
                for waiter in list(chorus.members.values()):
                    self._detach(waiter)
            if isinstance(error, RequestError):
                self._on_error(error)
            else:
                copied = isinstance(error, RedisActionsError)
                for waiter in tuple(self._requesters):
                    self._fail(waiter, copy(error) if copied else error)
        else:
            duration = stopwatch.took()
            take(answer)
        finally:
            stopwatch.stop()
            requests = max(1, self._requests_sent() - sent)
            self._planner.rate_limiter.record(began, began + duration, requests)
            now = self._now()
            for waiter in self._requesters:
                waiter.expires_at = max(waiter.state.hard_limit, now) + LAST_POLL_TIMEOUT
            self._requesters, self._recipients, self._requesting_chorus = {}, [], None

    def _deliver(
        self,
        waiter: Waiter,
        found: Action | AmbiguousAnswer | None,
        now: float,
        *,
        shared: bool = False,
    ) -> None:
        """Pass an answer to a wait, and wake its waiter if the answer is an update for it."""
        state = waiter.state
        try:
            is_update = state.on_answer(found, now, shared=shared)
            if found is not None:
                self._waiters.record_action(state.ref, state.action)
            waiter.unverified = None
            self._planner.record_action_answer(waiter, now)
            if is_update and (waiter.every_update or state.is_done):
                assert state.action is not None
                if not waiter.future.done():
                    waiter.future.set_result(state.action)
                self._remove(waiter)
            else:
                state.check_limits(now)
        except (ActionVanished, ActionStalled) as unverified:
            self._planner.require_verification(waiter, unverified)
        except Exception as error:  # noqa: BLE001 - an error of a strategy ends its wait only
            self._fail(waiter, error)

    def _on_cluster_answered(self, now: float) -> None:
        """End the cluster-wide outage, if there is one, for all waiters."""
        if self._planner.outage is not None:
            for waiter in self._waiters:
                waiter.on_others_answered(now)
                waiter.update_expiry(now)
        self._planner.record_answer(now)

    def _on_error(self, error: RequestError) -> None:
        """Record a failed request, per action or cluster-wide, and pass it to its waits."""
        now, requesters = self._now(), list(self._requesters)
        if not requesters:
            return  # they left in the same moment
        single, planner = self._requesting_chorus is None, self._planner
        since = None
        if error.transient and not (
            single and planner.record_action_failure(error, requesters, now)
        ):
            since = planner.record_failure(error, requesters, now)
        for waiter in requesters:
            self._deliver_error(waiter, error, per_action=single and since is None)
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
        """Pass a failed request to a wait, and end the wait if it has reached a limit."""
        now = self._now()
        try:
            waiter.state.on_error(error, now, per_action=per_action, since=since)
            # A failed list proves nothing about an action, so the next request is for a single one.
            if self._requesting_chorus is None:
                waiter.state.check_limits(now)
        except (RequestError, WaitError) as end:
            self._fail(waiter, end)

    # --- limits ---------------------------------------------------------------------------------

    def _on_timeout(self) -> None:
        """End the waits that expired while a request for them, or for others, was in flight."""
        now = self._now()
        for chorus in self._waiters.choruses().values():
            for waiter in chorus.nearing(now):
                self._detach(waiter)
        for waiter in list(self._waiters.solos):
            if waiter.expires_at > now + TICK:
                continue
            state = waiter.state
            # The limit may have moved since the timer was set, such as at the end of an outage.
            is_later = state.hard_limit > now
            waiter.expires_at = state.hard_limit + LAST_POLL_TIMEOUT if is_later else math.inf
            state.on_timeout(now)
            try:
                state.check_limits(now)
            except (RequestError, WaitError) as end:
                self._fail(waiter, end)
        self._set_timer()

    def _set_timer(self) -> None:
        expiries = [waiter.expires_at for waiter in self._waiters.solos]
        self._timer.set(min([*expiries, self._waiters.review_at]))
