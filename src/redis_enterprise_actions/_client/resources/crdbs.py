"""Active-Active databases (CRDBs): calls that change them, and their tasks."""

from __future__ import annotations

import re
from types import NoneType
from typing import TYPE_CHECKING, Final, Protocol

from redis_enterprise_actions._client.pacing.durations import (
    DEFAULT_OUTAGE_TIMEOUT,
    NOT_FOUND_GRACE,
)
from redis_enterprise_actions._client.sources.paths import quoted_uid
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.objects import Crdb
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
from redis_enterprise_actions._model.unawaited import refuse_unawaited

from .resource import Resource, as_list, merge, query


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._client.operation import Operation, Untracked
    from redis_enterprise_actions._client.pacing.durations import Duration
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.record import FinishedAction, Recorder


_GUID: Final = re.compile(r"[\w.-]+", re.ASCII)


class ClusterClient(Protocol):
    """Client of a cluster, as far as `Crdbs.wait_replicating` needs it: an `ActionsClient`."""

    @property
    def crdbs(self) -> Crdbs:
        """The Active-Active databases of the cluster."""
        ...


class Crdbs(Resource):
    """Active-Active databases of a cluster: `client.crdbs`. See `Databases` for the arguments.

    Calls take two more arguments: `task_id` is the id that the task is to have (`X-Task-ID`), and
    `result_ttl` how many seconds its result is kept (`X-Result-TTL`), 500 by default.
    """

    async def create(
        self,
        config: Mapping[str, object],
        *,
        dry_run: bool = False,
        task_id: str | None = None,
        result_ttl: int | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Crdb]:
        """Create an Active-Active database; `config` is its crdb object.

        A dry run is a task like any other, whose end is the verdict.

        Source: POST /v1/crdbs (crdbs). Needs the permission `create_crdb`.
        """
        return await self._parts.start(
            "POST",
            "/v1/crdbs",
            config,
            makes=Crdb,
            params=query(params, dry_run=dry_run),
            headers=_task_headers(headers, task_id, result_ttl),
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def update(
        self,
        guid: str,
        changes: Mapping[str, object],
        *,
        task_id: str | None = None,
        result_ttl: int | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Crdb]:
        """Change the configuration of an Active-Active database.

        Source: PATCH /v1/crdbs/{guid} (crdbs). Needs the permission `update_crdb`.
        """
        return await self._parts.start(
            "PATCH",
            _path(guid),
            changes,
            makes=Crdb,
            params=params,
            headers=_task_headers(headers, task_id, result_ttl),
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def flush(
        self,
        guid: str,
        *,
        task_id: str | None = None,
        result_ttl: int | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Crdb]:
        """Delete all data of an Active-Active database, on all of its clusters.

        Source: PUT /v1/crdbs/{guid}/flush (crdbs/flush). Needs the permission `flush_crdb`.
        """
        return await self._parts.start(
            "PUT",
            _path(guid, "/flush"),
            None,
            makes=Crdb,
            params=params,
            headers=_task_headers(headers, task_id, result_ttl),
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def delete(
        self,
        guid: str,
        *,
        task_id: str | None = None,
        result_ttl: int | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[None]:
        """Delete an Active-Active database, on all of its clusters.

        Source: DELETE /v1/crdbs/{guid} (crdbs). Needs the permission `delete_crdb`.
        """
        return await self._parts.start(
            "DELETE",
            _path(guid),
            None,
            makes=NoneType,
            params=params,
            headers=_task_headers(headers, task_id, result_ttl),
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def wait_task(
        self,
        task_id: str,
        *,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until a task of an Active-Active database has finished.

        The `state` of the `Action` is the step that each cluster is at, and its `error` the failure
        that each reports. Only the cluster that accepted the call knows the task; it forgets the
        result after 500 s, unless an `X-Result-TTL` said otherwise. A finished task does not mean
        that every instance replicates: `wait_replicating` waits for that.

        Raises what `ActionsClient.wait_for_action` raises.

        Source: GET /v1/crdb_tasks/{id}, /v1/crdb_tasks. Needs the permissions `view_crdb_task` and
        `view_crdb_task_list`.
        """
        ref = _task(task_id)
        return await self._parts.operation(ref).wait(
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    def replicating(self, guid: str, *, others: Iterable[ClusterClient] = ()) -> Operation:
        """Return the condition that an Active-Active database replicates, to wait for or to watch.

        Nothing is sent. See `wait_replicating` for `others`. Raises `UsageError`, also for one of
        them that is a client of this cluster.
        """
        _path(guid)
        clients = as_list(others, "others")
        if not all(isinstance(getattr(each, "crdbs", None), Crdbs) for each in clients):
            raise UsageError("others= is not a list of clients")
        health = self._parts.sources.crdb_health
        transports = [each.crdbs._parts.sources.crdb_health.transport for each in clients]  # noqa: SLF001 - of the same class
        return self._parts.operation(health.reference(guid.strip(), transports))

    async def wait_replicating(
        self,
        guid: str,
        *,
        others: Iterable[ClusterClient] = (),
        hold: Duration = 0.0,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until an Active-Active database replicates, for at least `hold`.

        It does once the health report has an entry of each instance, without a `connection_error`,
        all of them have the same active configuration version, which is `commit-completed`, and
        each instance has a link to each other one, of which none is down. `state` of the `Action`
        says what is missing.

        One cluster reports what it sees. `others` are clients of the other clusters: all of them
        are asked each time, and must agree. They have to stay open during the wait. The reference
        of such a wait names their hosts (`crdb:GUID@replicating,with=HOST:PORT`), and this client
        knows them from then on; a second open client of the same host has a number there. See
        `Databases.wait_available` for `hold`.

        Raises what `ActionsClient.wait_for_action` raises, but `ActionFailed` and the like.

        Source: GET /v1/crdbs/{guid}/health_report (crdbs/health_report). Needs the permission
        `view_crdb` on each cluster.
        """
        return await self.replicating(guid, others=others).wait(
            hold=hold,
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    async def tasks(self) -> list[Action]:
        """Return the tasks of Active-Active databases: those that run, at least.

        Raises `RequestError`.

        Source: GET /v1/crdb_tasks. Needs the permission `view_crdb_task_list`.
        """
        return await self._parts.look(self._parts.sources.crdb_tasks.list_tasks)

    async def get(self, guid: str) -> Crdb:
        """Return an Active-Active database as this cluster knows it now.

        Raises `RequestError`: `RequestRejected` (404) if the cluster has none of that GUID.

        Source: GET /v1/crdbs/{guid} (crdbs). Needs the permission `view_crdb`.
        """
        return await self._parts.look(self._parts.sources.objects.crdb, _checked_guid(guid))

    async def list_all(self) -> list[Crdb]:
        """Return all Active-Active databases of this cluster. Raises `RequestError`.

        Source: GET /v1/crdbs (crdbs). Needs the permission `view_crdb_list`.
        """
        return await self._parts.look(self._parts.sources.objects.crdbs)

    async def find(self, name: str) -> Crdb | None:
        """Return the Active-Active database with a name, or None if there is none. Case matters.

        Raises `RequestError`, and `UsageError` if several have the name.

        Source: GET /v1/crdbs (crdbs). Needs the permission `view_crdb_list`.
        """
        refuse_unawaited(name)
        found = [each for each in await self.list_all() if each.name == name]
        if len(found) > 1:
            guids = ", ".join(sorted(each.guid for each in found))
            raise UsageError(
                f"{len(found)} Active-Active databases have the name {name!r}: give the GUID of "
                f"one, {guids}"
            )
        return found[0] if found else None

    async def name(self, guid: str) -> str:
        """Return the name of an Active-Active database. Raises `RequestError`.

        Source: GET /v1/crdbs/{guid}. Needs the permission `view_crdb`.
        """
        return await self._parts.look(self._parts.sources.names.fetch, _path(guid), "view_crdb")


def _checked_guid(guid: str) -> str:
    if (
        not isinstance(guid, str)
        or not _GUID.fullmatch(guid.strip())
        or guid.strip() in {".", ".."}
    ):
        refuse_unawaited(guid)
        raise UsageError(f"{guid!r} is not the GUID of an Active-Active database")
    return guid.strip()


def _path(guid: str, rest: str = "") -> str:
    return f"/v1/crdbs/{_checked_guid(guid)}{rest}"


def _task(task_id: str) -> Reference:
    quoted_uid(task_id, "a task of an Active-Active database")
    return Reference(ReferenceKind.CRDB, task_id.strip())


def _task_headers(
    headers: Mapping[str, str] | None, task_id: str | None, result_ttl: int | None
) -> Mapping[str, str] | None:
    """Return the headers of a call, with the id of its task and the lifetime of its result."""
    own: dict[str, str] = {}
    if task_id is not None:
        own["X-Task-ID"] = task_id
    if result_ttl is not None:
        if not isinstance(result_ttl, int) or isinstance(result_ttl, bool) or result_ttl < 1:
            raise UsageError(f"result_ttl={result_ttl!r} is not a number of seconds, 1 or more")
        own["X-Result-TTL"] = str(result_ttl)
    return merge(headers, "headers", own) if own else headers
