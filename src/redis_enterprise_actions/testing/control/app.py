"""aiohttp application of the control API: each path is one call, one at a time."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import UNSET

from redis_enterprise_actions.testing.scenario.errors import field_of
from redis_enterprise_actions.testing.scenario.timeline import REFUSALS

from .bodies import Refused, check_query, query_number, read_call
from .messages import (
    CALLS,
    Answer,
    CallAnswer,
    ClockAnswer,
    ClockCall,
    EmptyCall,
    ErrorAnswer,
    RequestItem,
    RequestsAnswer,
    StateAnswer,
)
from .origin import problem_of
from .schema import json_schema


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from aiohttp.typedefs import Handler

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.cluster import FakeCluster
    from redis_enterprise_actions.testing.scenario.entries import Entry
    from redis_enterprise_actions.testing.scenario.timeline import Timeline
    from redis_enterprise_actions.testing.settings import SeenRequest

_Result = TypeVar("_Result")

PREFIX: Final = "/_fake/"
_MAX_BODY: Final = 1_000_000  # bytes
_SINCE: Final = "since"
_REQUESTS: Final = f"{PREFIX}requests"
_MILLISECOND: Final = timedelta(milliseconds=1)
_log = logging.getLogger(__name__)


class ControlApi:
    """The calls of the control API of a cluster."""

    def __init__(
        self, cluster: FakeCluster, clock: Clock, timeline: Timeline, listening_on: str
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._timeline = timeline
        self._listening_on = listening_on
        self._lock = asyncio.Lock()
        self._changes: set[asyncio.Task[object]] = set()

    def app(self) -> web.Application:
        """Return the application that serves the calls."""
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[self._middleware])
        router = app.router
        for name, entry in CALLS.items():
            router.add_post(f"{PREFIX}{name}", partial(self._call, entry))
        router.add_get(PREFIX, self._answering(self._state), allow_head=False)
        for name, answer in (("clock", self._time), ("requests", self._requests)):
            router.add_get(f"{PREFIX}{name}", self._answering(answer), allow_head=False)
        router.add_get(f"{PREFIX}schema.json", _schema, allow_head=False)
        router.add_post(f"{PREFIX}clock", self._set_clock)
        router.add_post(f"{PREFIX}reset", self._reset)
        return app

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer with the date of the cluster, so that the same calls give the same bytes."""
        try:
            response = await self._answer(request, handler)
        except Exception as error:  # noqa: BLE001 - logged, and answered as all errors are
            response = _failed(request, error)
        response.headers["Date"] = format_datetime(self._cluster.date, usegmt=True)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check where a request comes from, and answer refusals as JSON."""
        problem = problem_of(request, self._listening_on)
        if problem is not None:
            return _json(ErrorAnswer(error=problem), status=403)
        try:
            if request.match_info.http_exception is None:  # the path is known
                check_query(request, {_SINCE} if request.path == _REQUESTS else ())
            return await handler(request)
        except Refused as refused:
            return _json(refused.answer, status=refused.status)
        except web.HTTPRequestEntityTooLarge:
            return _json(ErrorAnswer(error=f"a body has {_MAX_BODY} bytes at most"), status=413)
        except web.HTTPMethodNotAllowed as error:
            methods = ", ".join(sorted(error.allowed_methods))
            answer = _json(ErrorAnswer(error=f"{request.path} takes {methods} only"), status=405)
            answer.headers["Allow"] = methods
            return answer
        except web.HTTPNotFound:
            known = "GET /_fake/schema.json lists the paths"
            return _json(ErrorAnswer(error=f"there is no {request.path}; {known}"), status=404)

    # --- calls --------------------------------------------------------------------------------

    async def _call(self, kind: type[Entry], request: web.Request) -> web.Response:
        """Call the method of the cluster that a path stands for."""
        entry = await read_call(request, kind)
        self._check_open()
        try:
            result = await self._change(partial(self._timeline.take, entry))
        except REFUSALS as error:
            field = field_of(error, entry.__struct_fields__) or entry.SUBJECT
            raise Refused(409, f"$.{field}", str(error)) from error
        if entry.RESULT is None or result is None:
            return _json(CallAnswer())
        return _json(msgspec.convert({"v": 1, entry.RESULT: result}, CallAnswer))

    async def _set_clock(self, request: web.Request) -> web.Response:
        call = await read_call(request, ClockCall)
        self._check_open()
        try:
            if call.jump is not UNSET:
                await self._change(partial(self._cluster.advance, call.jump))
            if call.set is not UNSET:
                await self._change(partial(self._cluster.advance_to, call.set))
        except ValueError as error:
            field = "set" if call.jump is UNSET else "jump"
            raise Refused(409, f"$.{field}", str(error)) from error
        if call.speed is not UNSET:
            self._cluster.speed = call.speed
        return _json(self._time(request))

    async def _reset(self, request: web.Request) -> web.Response:
        await read_call(request, EmptyCall)
        self._check_open()
        try:
            await self._change(self._cluster.reset)
        except REFUSALS as error:
            raise Refused(409, None, str(error)) from error
        return _json(self._state(request))

    async def _change(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Change the cluster, one change at a time, to its end even if the client leaves."""

        async def run() -> _Result:
            async with self._lock:
                return await work()

        task = asyncio.create_task(run())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel the changes that are under way."""
        changes = [*self._changes]
        for change in changes:
            change.cancel()
        await asyncio.gather(*changes, return_exceptions=True)

    # --- answers ------------------------------------------------------------------------------

    def _answering(
        self, answer: Callable[[web.Request], Answer]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            async with self._lock:
                self._check_open()
                return _json(answer(request))

        return handler

    def _state(self, request: web.Request) -> StateAnswer:
        cluster = self._cluster
        return StateAnswer(
            url=cluster.url,
            urls=cluster.urls,
            username=cluster.username,
            password=cluster.password,
            ca_pem=cluster.ca_pem if cluster.url.startswith("https:") else None,
            version=cluster.version,
            clock=self._time(request),
            requests=len(cluster.requests),
            problems=[str(problem) for problem in cluster.problems],
        )

    def _time(self, _: web.Request) -> ClockAnswer:
        time, elapsed = self._date_of(self._cluster.now)
        return ClockAnswer(time=time, elapsed=elapsed, speed=self._cluster.speed)

    def _requests(self, request: web.Request) -> RequestsAnswer:
        seen, first = self._cluster.requests, query_number(request, _SINCE)
        items = [self._item(first + index, each) for index, each in enumerate(seen[first:])]
        return RequestsAnswer(total=len(seen), requests=items)

    def _item(self, number: int, seen: SeenRequest) -> RequestItem:
        time, elapsed = self._date_of(seen.time)
        return RequestItem(
            number=number,
            time=time,
            elapsed=elapsed,
            method=seen.method,
            path=seen.path,
            node=seen.node,
            status=seen.status,
            has_credentials=seen.has_credentials,
        )

    def _date_of(self, at: float) -> tuple[datetime, float]:
        """Return a time of the clock as a date and as seconds since the start.

        Both are to the millisecond and agree, and are the same whenever they are asked for.
        """
        elapsed = self._timeline.elapsed(at)
        start = self._clock.date_at(self._clock.started_at) + _MILLISECOND / 2
        start = start.replace(microsecond=start.microsecond // 1000 * 1000)
        return start + round(elapsed * 1000) * _MILLISECOND, elapsed

    def _check_open(self) -> None:
        """Refuse a call while the cluster is not served."""
        try:
            assert self._cluster.urls
        except RuntimeError as error:
            raise Refused(409, None, str(error)) from error


def _failed(request: web.Request, error: Exception) -> web.Response:
    """Log an error that nothing else has handled, and return the answer."""
    method, path = request.method, request.path
    what = {"event": "control call failed", "method": method, "path": path}
    _log.error("%s %s has failed", method, path, exc_info=error, extra=what)
    problem = f"the call has failed: {type(error).__name__}: {error}"
    return _json(ErrorAnswer(error=problem), status=500)


async def _schema(_: web.Request) -> web.Response:
    return web.json_response(json_schema())


def _json(answer: Answer, *, status: int = 200) -> web.Response:
    data = msgspec.json.encode(answer)
    return web.Response(body=data, status=status, content_type="application/json")
