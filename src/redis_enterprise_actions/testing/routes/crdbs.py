"""What the fake's routes answer about CRDBs and their tasks.

Vendor pages: requests/crdbs, requests/crdbs/updates, requests/crdbs/flush, requests/crdbs/purge,
requests/crdb_tasks. Guesses are that a call with an id of a task that is known starts nothing and
answers with that task, that a purge heeds no such id, as its page does not name that header, and
that a list of tasks shows as much of each as the route of one. POST on CRDBs and on their updates
can be a dry run, by the query: a task that ends with a verdict, and changes nothing. Guesses are
that it names the operation it is about, and no CRDB where one was to be made.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import is_dry, object_of
from redis_enterprise_actions.testing.state.crdbs import RESULT_TTL


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis_enterprise_actions.testing.state.actions import PlannedCalls
    from redis_enterprise_actions.testing.state.crdbs import Crdbs, FakeCrdbTask

_CRDBS: Final = "/v1/crdbs"
_TASKS: Final = "/v1/crdb_tasks"


class House(Protocol):
    """What the routes are told by the cluster, which may be told otherwise at any time."""

    bare_crdb_tasks: bool


class CrdbRoutes:
    """The routes about CRDBs, the same on every node. `epoch` is as in `Routes`."""

    def __init__(self, house: House, *, crdbs: Crdbs, planned_calls: PlannedCalls) -> None:
        self.epoch = 0.0
        self._house = house
        self._crdbs = crdbs
        self._planned_calls = planned_calls

    def add_to(self, app: web.Application, *, upgrade: bool) -> None:
        """Let an application answer them."""
        one = f"{_CRDBS}/{{guid}}"
        app.router.add_get(_CRDBS, self._list)
        app.router.add_post(_CRDBS, self._create)
        app.router.add_get(one, self._single)
        app.router.add_patch(one, self._starts("update_crdb"))
        app.router.add_delete(one, self._starts("delete_crdb"))
        app.router.add_post(f"{one}/updates", self._starts("update_crdb", can_be_dry=True))
        app.router.add_put(f"{one}/flush", self._starts("flush_crdb"))
        app.router.add_put(f"{one}/purge", self._starts("purge_crdb"))
        if upgrade:
            app.router.add_post(f"{one}/upgrade", self._starts("upgrade_crdb"))
        app.router.add_get(_TASKS, self._list_tasks)
        app.router.add_get(f"{_TASKS}/{{task_id}}", self._task)
        app.router.add_post(f"{_TASKS}/{{task_id}}/actions/cancel", self._cancel)

    async def _list(self, _: web.Request) -> web.Response:
        shown = [self._crdbs.wire(guid) for guid in self._crdbs.guids()]
        return web.json_response({"crdbs": shown})

    async def _single(self, request: web.Request) -> web.Response:
        return web.json_response(self._crdbs.wire(self._guid(request)))

    async def _create(self, request: web.Request) -> web.Response:
        asked, ttl = await _body(request), _ttl(request)
        task = self._crdbs.known(request.headers.get("X-Task-ID"))
        if task is None:
            dry = is_dry(request)
            guid = "" if dry else self._crdbs.add(None, str(asked.get("name", "")))
            return self._start(request, "create_crdb", guid, ttl, dry=dry)
        return _told(task, task.status(_now()))

    def _starts(
        self, operation: str, *, can_be_dry: bool = False
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Return the route that starts an operation on the CRDB that a path names."""

        async def start(request: web.Request) -> web.Response:
            if request.method != "DELETE":
                await _body(request)
            ttl = _ttl(request)
            task = self._crdbs.known(_id(request, operation))
            if task is None:
                dry = can_be_dry and is_dry(request)
                return self._start(request, operation, self._guid(request), ttl, dry=dry)
            return _told(task, task.status(_now()))

        return start

    def _start(
        self, request: web.Request, operation: str, guid: str, ttl: float, *, dry: bool
    ) -> web.Response:
        plan = self._planned_calls.take(request)
        task_id = _id(request, operation)
        task = self._crdbs.start(operation, guid, plan, task_id=task_id, result_ttl=ttl, dry=dry)
        return _told(task, "queued")

    async def _list_tasks(self, _: web.Request) -> web.Response:
        now = _now()
        shown = [task.wire(now, self.epoch) for task in self._crdbs.running()]
        return web.json_response(shown if self._house.bare_crdb_tasks else {"crdb_tasks": shown})

    async def _task(self, request: web.Request) -> web.Response:
        return web.json_response(self._known(request).wire(_now(), self.epoch))

    async def _cancel(self, request: web.Request) -> web.Response:
        task, now = self._known(request), _now()
        if now >= task.over_at:
            raise _problem(web.HTTPConflict, f"Task {task.id} has ended")
        if task.commits(now) and request.query.get("force", "").lower() != "true":
            raise _problem(web.HTTPNotAcceptable, f"Task {task.id} is committing")
        task.cancelled_at = min(task.cancelled_at, now)
        return web.Response()

    def _guid(self, request: web.Request) -> str:
        """Return the guid of the CRDB that a path names; answer 404 if there is none."""
        guid = request.match_info["guid"]
        if guid not in self._crdbs.guids():
            raise _problem(web.HTTPNotFound, f"CRDB {guid} does not exist")
        return guid

    def _known(self, request: web.Request) -> FakeCrdbTask:
        """Return the task that a path names; answer 404 if it is not known."""
        task_id = request.match_info["task_id"]
        task = self._crdbs.known(task_id)
        if task is None:
            raise _problem(web.HTTPNotFound, f"Task {task_id} does not exist")
        return task


async def _body(request: web.Request) -> dict[str, object]:
    asked = await object_of(request)
    if asked is None:
        raise _problem(web.HTTPBadRequest, "a JSON object is required, if an empty one")
    return asked


def _told(task: FakeCrdbTask, status: str) -> web.Response:
    """Return the answer to a call that starts work, which shows the least of a task."""
    return web.json_response({"id": task.id, "status": status})


def _id(request: web.Request, operation: str) -> str | None:
    """Return the id that the caller has chosen for the task, if it could and did."""
    return None if operation == "purge_crdb" else request.headers.get("X-Task-ID")


def _ttl(request: web.Request) -> float:
    """Return how many seconds the result is to be kept; answer 400 if that is no number."""
    asked = request.headers.get("X-Result-TTL")
    if asked is None:
        return RESULT_TTL
    if not asked.isdecimal():
        raise _problem(web.HTTPBadRequest, "X-Result-TTL is an integer, in seconds")
    return float(asked)


def _problem(error: type[web.HTTPError], detail: str) -> web.HTTPError:
    """Return what to raise, with the body that was seen of errors about CRDBs."""
    status = HTTPStatus(error.status_code)
    body = {"detail": detail, "status": status, "title": status.phrase, "type": "about:blank"}
    return error(text=json.dumps(body), content_type="application/problem+json")


def _now() -> float:
    return asyncio.get_running_loop().time()
