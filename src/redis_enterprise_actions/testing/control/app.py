"""aiohttp application of the control API: each path is one call, one at a time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import UNSET, Struct

from redis_enterprise_actions.testing.scenario.errors import field_of, place_of
from redis_enterprise_actions.testing.scenario.timeline import REFUSALS

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

    from redis_enterprise_actions.testing.cluster import FakeCluster
    from redis_enterprise_actions.testing.scenario.entries import Entry
    from redis_enterprise_actions.testing.scenario.timeline import Timeline
    from redis_enterprise_actions.testing.settings import SeenRequest

_Call = TypeVar("_Call", bound=Struct)
_Result = TypeVar("_Result")

PREFIX: Final = "/_fake/"
_MAX_BODY: Final = 1_000_000  # bytes
_MAX_DIGITS: Final = 18  # of a number in a query
_SINCE: Final = "since"


class Refused(Exception):
    """A call is refused: the status of the answer, the field that is wrong, and the reason."""

    def __init__(self, status: int, field: str | None, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.answer = ErrorAnswer(error=error, field=field)


class ControlApi:
    """The calls of the control API of a cluster."""

    def __init__(self, cluster: FakeCluster, timeline: Timeline, listening_on: str) -> None:
        self._cluster = cluster
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
        for name, answer in (("clock", self._clock), ("requests", self._requests)):
            router.add_get(f"{PREFIX}{name}", self._answering(answer), allow_head=False)
        router.add_get(f"{PREFIX}schema.json", _schema, allow_head=False)
        router.add_post(f"{PREFIX}clock", self._set_clock)
        router.add_post(f"{PREFIX}reset", self._reset)
        return app

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer with the date of the cluster, so that the same calls give the same bytes."""
        response = await self._answer(request, handler)
        response.headers["Date"] = format_datetime(self._cluster.date, usegmt=True)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check where a request comes from, and answer refusals as JSON."""
        problem = problem_of(request, self._listening_on)
        if problem is not None:
            return _json(ErrorAnswer(error=problem), status=403)
        try:
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
        entry = await _body(request, kind)
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
        call = await _body(request, ClockCall)
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
        return _json(self._clock(request))

    async def _reset(self, request: web.Request) -> web.Response:
        await _body(request, EmptyCall)
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
            version=cluster.version,
            clock=self._clock(request),
            requests=len(cluster.requests),
            problems=[str(problem) for problem in cluster.problems],
        )

    def _clock(self, _: web.Request) -> ClockAnswer:
        return ClockAnswer(
            time=self._date(self._cluster.now),
            elapsed=self._timeline.elapsed(self._cluster.now),
            speed=self._cluster.speed,
        )

    def _requests(self, request: web.Request) -> RequestsAnswer:
        seen, since = self._cluster.requests, request.query.get(_SINCE, "0")
        if not (since.isascii() and since.isdecimal() and len(since) <= _MAX_DIGITS):
            raise Refused(400, _SINCE, f"{_SINCE} is the number of a request, 0 or more")
        first = int(since)
        items = [self._item(first + index, each) for index, each in enumerate(seen[first:])]
        return RequestsAnswer(total=len(seen), requests=items)

    def _item(self, number: int, seen: SeenRequest) -> RequestItem:
        return RequestItem(
            number=number,
            time=self._date(seen.time),
            elapsed=self._timeline.elapsed(seen.time),
            method=seen.method,
            path=seen.path,
            node=seen.node,
            status=seen.status,
            has_credentials=seen.has_credentials,
        )

    def _date(self, at: float) -> datetime:
        """Return the date of a time of the clock, to the millisecond."""
        exact = self._cluster.date + timedelta(seconds=at - self._cluster.now)
        rounded = exact + timedelta(microseconds=500)
        return rounded.replace(microsecond=rounded.microsecond // 1000 * 1000)

    def _check_open(self) -> None:
        """Refuse a call while the cluster is not served."""
        try:
            assert self._cluster.urls
        except RuntimeError as error:
            raise Refused(409, None, str(error)) from error


async def _schema(_: web.Request) -> web.Response:
    return web.json_response(json_schema())


async def _body(request: web.Request, kind: type[_Call]) -> _Call:
    """Return the body of a call; an empty one is that of an object without fields."""
    if "Content-Encoding" in request.headers:
        raise Refused(415, None, "a body must have no Content-Encoding")
    data = await request.read()
    try:
        return msgspec.json.decode(data.strip() or b"{}", type=kind)
    except msgspec.ValidationError as error:
        field, problem = place_of(error)
        raise Refused(400, field, problem) from error
    except (ValueError, RecursionError) as error:
        raise Refused(400, "$", f"the body is no JSON: {error}") from error


def _json(answer: Answer, *, status: int = 200) -> web.Response:
    data = msgspec.json.encode(answer)
    return web.Response(body=data, status=status, content_type="application/json")
