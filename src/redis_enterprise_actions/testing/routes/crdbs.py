"""Routes of Active-Active databases (CRDBs) and their tasks.

Vendor pages: requests/crdbs, requests/crdbs/updates, requests/crdbs/flush, requests/crdbs/purge,
requests/crdbs/health_report, requests/crdb_tasks. These are guesses: a call with the id of a known
task starts nothing and answers with that task; a purge ignores such an id, as its page does not
name the header; a list of tasks shows as much of each as the route of one. A creation and an update
can be dry runs, by the query: tasks that end with a verdict and change nothing. That such a task
names its operation, and no CRDB where one was to be created, is a guess.
"""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import is_dry_run, query_number, read_object
from redis_enterprise_actions.testing.state.crdbs import RESULT_TTL
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.settings import ClusterSettings
    from redis_enterprise_actions.testing.state.actions import PlannedCalls
    from redis_enterprise_actions.testing.state.crdb_instances import InstanceRegistry
    from redis_enterprise_actions.testing.state.crdbs import CrdbRegistry, FakeCrdbTask

_CRDBS: Final = "/v1/crdbs"
_TASKS: Final = "/v1/crdb_tasks"


class CrdbRoutes:
    """Routes of CRDBs and their tasks; `planned_calls` has the plans for these."""

    def __init__(
        self,
        settings: ClusterSettings,
        crdbs: CrdbRegistry,
        instances: InstanceRegistry,
        planned_calls: PlannedCalls,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._crdbs = crdbs
        self._instances = instances
        self._planned_calls = planned_calls
        self._clock = clock

    def add_to(self, app: web.Application, *, upgrade: bool) -> None:
        one = f"{_CRDBS}/{{guid}}"
        app.router.add_get(_CRDBS, self._list)
        app.router.add_post(_CRDBS, self._create)
        app.router.add_get(one, self._single)
        app.router.add_get(f"{one}/health_report", self._health_report)
        app.router.add_patch(one, partial(self._change, "update_crdb"))
        app.router.add_delete(one, partial(self._change, "delete_crdb"))
        app.router.add_post(f"{one}/updates", partial(self._change, "update_crdb"))
        app.router.add_put(f"{one}/flush", partial(self._change, "flush_crdb"))
        app.router.add_put(f"{one}/purge", partial(self._change, "purge_crdb"))
        if upgrade:
            app.router.add_post(f"{one}/upgrade", partial(self._change, "upgrade_crdb"))
        app.router.add_get(_TASKS, self._list_tasks)
        app.router.add_get(f"{_TASKS}/{{task_id}}", self._single_task)
        app.router.add_post(f"{_TASKS}/{{task_id}}/actions/cancel", self._cancel_task)

    async def _list(self, _: web.Request) -> web.Response:
        shown = [self._to_json(guid) for guid in self._crdbs.guids()]
        return web.json_response({"crdbs": shown})

    async def _single(self, request: web.Request) -> web.Response:
        return web.json_response(self._to_json(self._guid(request)))

    async def _health_report(self, request: web.Request) -> web.Response:
        instance = self._instances.get(self._guid(request))
        return web.json_response(instance.report(query_number(request, "instance_id")))

    async def _create(self, request: web.Request) -> web.Response:
        body, result_ttl = await _read_body(request), _result_ttl(request)
        task = self._crdbs.find_task(request.headers.get("X-Task-ID"))
        if task is not None:
            return _started(task, task.status(self._clock.now()))
        dry = is_dry_run(request)
        guid = "" if dry else self._crdbs.add(None, str(body.get("name", "")))
        return self._start(request, "create_crdb", guid, result_ttl, dry=dry)

    async def _change(self, operation: str, request: web.Request) -> web.Response:
        if request.method != "DELETE":
            await _read_body(request)
        result_ttl = _result_ttl(request)
        task = self._crdbs.find_task(_task_id(request, operation))
        if task is not None:
            return _started(task, task.status(self._clock.now()))
        dry = request.path.endswith("/updates") and is_dry_run(request)
        return self._start(request, operation, self._guid(request), result_ttl, dry=dry)

    def _start(
        self, request: web.Request, operation: str, guid: str, result_ttl: float, *, dry: bool
    ) -> web.Response:
        task = self._crdbs.start(
            operation,
            guid,
            self._planned_calls.take(request),
            task_id=_task_id(request, operation),
            result_ttl=result_ttl,
            dry=dry,
        )
        return _started(task, "queued")

    async def _list_tasks(self, _: web.Request) -> web.Response:
        now = self._clock.now()
        shown = [task.to_json(now, self._clock) for task in self._crdbs.running_tasks()]
        bare = self._settings.bare_crdb_tasks
        return web.json_response(shown if bare else {"crdb_tasks": shown})

    async def _single_task(self, request: web.Request) -> web.Response:
        return web.json_response(self._task(request).to_json(self._clock.now(), self._clock))

    async def _cancel_task(self, request: web.Request) -> web.Response:
        task, now = self._task(request), self._clock.now()
        if now >= task.over_at:
            raise _problem(web.HTTPConflict, f"Task {task.id} has ended")
        if task.is_committing(now) and request.query.get("force", "").lower() != "true":
            raise _problem(web.HTTPNotAcceptable, f"Task {task.id} is committing")
        task.cancelled_at = min(task.cancelled_at, now)
        return web.Response()

    def _to_json(self, guid: str) -> dict[str, object]:
        """Return a CRDB, with a secret, as real ones have."""
        return {
            "guid": guid,
            "name": self._crdbs.name(guid),
            "instances": self._instances.get(guid).instances_to_json(),
            "default_db_config": {"authentication_redis_pass": DATABASE_SECRET},
        }

    def _guid(self, request: web.Request) -> str:
        """Return the guid of the CRDB of a path; answer 404 if there is none.

        The deletion of one that was deleted already is answered 406.
        """
        guid = request.match_info["guid"]
        if guid not in self._crdbs.guids():
            deleted = request.method == "DELETE" and self._crdbs.has_had(guid)
            error = web.HTTPNotAcceptable if deleted else web.HTTPNotFound
            raise _problem(error, f"CRDB {guid} does not exist")
        return guid

    def _task(self, request: web.Request) -> FakeCrdbTask:
        """Return the task of a path; answer 404 if the cluster has none."""
        task_id = request.match_info["task_id"]
        task = self._crdbs.find_task(task_id)
        if task is None:
            raise _problem(web.HTTPNotFound, f"Task {task_id} does not exist")
        return task


async def _read_body(request: web.Request) -> dict[str, object]:
    body = await read_object(request)
    if body is None:
        raise _problem(web.HTTPBadRequest, "a JSON object is required, if an empty one")
    return body


def _started(task: FakeCrdbTask, status: str) -> web.Response:
    """Return the answer to a call that starts work, which shows only the task's id and status."""
    return web.json_response({"id": task.id, "status": status})


def _task_id(request: web.Request, operation: str) -> str | None:
    """Return the id that the caller has chosen for the task, if the call takes one."""
    return None if operation == "purge_crdb" else request.headers.get("X-Task-ID")


def _result_ttl(request: web.Request) -> float:
    """Return the seconds for which the result is to be kept; answer 400 if that is no number."""
    header = request.headers.get("X-Result-TTL")
    if header is None:
        return RESULT_TTL
    if not header.isdecimal():
        raise _problem(web.HTTPBadRequest, "X-Result-TTL is an integer, in seconds")
    return float(header)


def _problem(error: type[web.HTTPError], detail: str) -> web.HTTPError:
    """Return an error answer, as an exception to raise, in the form recorded for CRDBs."""
    status = HTTPStatus(error.status_code)
    body = {"detail": detail, "status": status, "title": status.phrase, "type": "about:blank"}
    return error(text=json.dumps(body), content_type="application/problem+json")
