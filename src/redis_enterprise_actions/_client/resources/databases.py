"""Databases (bdbs): calls that change them, and waits."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Final, cast

from redis_enterprise_actions._client.pacing.durations import (
    DEFAULT_OUTAGE_TIMEOUT,
    NOT_FOUND_GRACE,
    TRANSFER_GRACE,
    seconds,
)
from redis_enterprise_actions._client.sources.paths import checked_uid
from redis_enterprise_actions._model.database_names import NamedReference, name_in, several_named
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.objects import Database
from redis_enterprise_actions._model.reference import GONE, Condition, Reference, ReferenceKind
from redis_enterprise_actions._model.unawaited import refuse_unawaited

from .resource import Resource, as_list, merge, query


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._client.operation import Operation, Untracked
    from redis_enterprise_actions._client.pacing.durations import Duration
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.record import FinishedAction, Recorder


_LONGEST_LAG: Final = 86400.0  # seconds


class Databases(Resource):
    """Databases of a cluster: `client.databases`.

    Calls return an `Operation`; each takes the keyword arguments of `ActionsClient.submit` and
    raises what that raises. Waits take the keyword arguments of `ActionsClient.wait_for_action`.
    With `dry_run=True` the cluster checks a call and starts nothing: `answer` holds its verdict.

    `bdb_uid` is a uid, or `"name:cache-prod"` for the database with that name. The client asks for
    its uid at the start, which `timeout` covers, and keeps it: the `ref` of the work has the uid.
    Without such a database that raises `DatabaseNotFound`; if several have the name, a `UsageError`
    that names their uids. It needs the permission `view_all_bdbs_info`.

    Vendor pages are named by their path under requests/ of the REST API's reference.
    """

    async def create(
        self,
        config: Mapping[str, object],
        *,
        dry_run: bool = False,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Database]:
        """Create a database; `config` is its bdb object. The answer holds its `uid`.

        Source: POST /v1/bdbs (bdbs). Needs the permission `create_bdb`.
        """
        return await self._parts.start(
            "POST",
            "/v1/bdbs",
            config,
            makes=Database,
            params=query(params, dry_run=dry_run),
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def update(
        self,
        bdb_uid: int | str,
        changes: Mapping[str, object],
        *,
        dry_run: bool = False,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Database]:
        """Change settings of a database.

        Where the answer names no action and shows the settled database, there was nothing to
        change: the operation completes if the database is not busy a second after the first look.

        Source: PUT /v1/bdbs/{uid} (bdbs). Needs the permission `update_bdb`.
        """
        return await self._parts.start(
            "PUT",
            await self._path(bdb_uid),
            changes,
            makes=Database,
            params=query(params, dry_run=dry_run),
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def delete(
        self,
        bdb_uid: int | str,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[None]:
        """Delete a database. The operation has completed when the database is gone.

        Source: DELETE /v1/bdbs/{uid} (bdbs). Needs the permission `delete_bdb`.
        """
        return await self._parts.start(
            "DELETE",
            await self._path(bdb_uid),
            None,
            makes=NoneType,
            params=params,
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def upgrade(
        self,
        bdb_uid: int | str,
        settings: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Database]:
        """Upgrade a database, by default to the latest version. `settings` are fields of the body.

        Source: POST /v1/bdbs/{uid}/upgrade (bdbs/upgrade). Needs the permission
        `update_bdb_with_action`.
        """
        return await self._parts.start(
            "POST",
            await self._path(bdb_uid, "/upgrade"),
            settings,
            makes=Database,
            params=params,
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def rebalance(
        self,
        bdb_uid: int | str,
        settings: Mapping[str, object] | None = None,
        *,
        dry_run: bool = False,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Database]:
        """Distribute the shards of a database evenly over the nodes. Since 7.8.2.

        `settings` are query parameters: `only_failovers`, `max_operations`.

        Source: PUT /v1/bdbs/{uid}/actions/rebalance (bdbs/actions/rebalance). Needs the permission
        `update_bdb_with_action`.
        """
        return await self._parts.start(
            "PUT",
            await self._path(bdb_uid, "/actions/rebalance"),
            None,
            makes=Database,
            params=query(merge(params, "params", merge(settings, "settings", {})), dry_run=dry_run),
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def export(
        self,
        bdb_uid: int | str,
        location: Mapping[str, object],
        settings: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Database]:
        """Export a database. `location` is an export_location object.

        Await one export before starting the next on the same database: the next one ends a wait
        for the first with `ActionVanished`.

        Source: POST /v1/bdbs/{uid}/actions/export (bdbs/actions/export). Needs the permissions
        `start_bdb_export`, `reset_bdb_current_export_status` and `view_bdb_info`.
        """
        return await self._parts.start(
            "POST",
            await self._path(bdb_uid, "/actions/export"),
            merge(settings, "settings", {"export_location": location}),
            makes=Database,
            params=params,
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def import_(
        self,
        bdb_uid: int | str,
        sources: Iterable[Mapping[str, object]],
        settings: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Database]:
        """Import data into a database. `sources` are dataset_import_sources objects.

        Await one import before starting the next on the same database: the next one ends a wait
        for the first with `ActionVanished`, as the database shows the result of one import only.

        Source: POST /v1/bdbs/{uid}/actions/import (bdbs/actions/import). Needs the permissions
        `start_bdb_import`, `reset_bdb_current_import_status` and `view_bdb_info`.
        """
        return await self._parts.start(
            "POST",
            await self._path(bdb_uid, "/actions/import"),
            merge(settings, "settings", {"dataset_import_sources": as_list(sources, "sources")}),
            makes=Database,
            params=params,
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def wait(
        self,
        bdb_uid: int | str,
        *,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until no work is in progress on a database; for callers who have lost the handle.

        The database has settled when it is `active`, no action runs on it, and nothing is pending
        or active in its `background_op`; or, where it is being deleted, when it is gone. A change
        may be about to begin: a database that is never seen busy has settled after
        `not_found_grace`, with the evidence `quiet`.

        Raises what `ActionsClient.wait_for_action` raises. `ActionFailed` means that the database
        could not be created, or that what was done to it has failed since the first look.

        Source: GET /v1/bdbs/{uid}, /v1/bdbs. Needs the permission `view_bdb_info`, and
        `view_all_bdbs_info` to serve several waits by one list.
        """
        ref = _reference(ReferenceKind.BDB, bdb_uid)
        return await self._parts.operation(ref).wait(
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    async def wait_available(
        self,
        bdb_uid: int | str,
        *,
        lag_tolerance: Duration | None = None,
        hold: Duration = 0.0,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until a database serves requests, for at least `hold` without interruption.

        The cluster itself checks that: one endpoint of the database is available, or all of them
        with the OSS Cluster API. With `lag_tolerance`, a duration (0.1 is 100 ms), replicas must
        not be further behind than that. `state` of the `Action` is the cluster's reason.

        Release 7.4 has no such check. There a database counts as available if it is active and not
        busy, has an endpoint, and each shard is active and ok; the evidence is `objects` then, and
        `lag_tolerance` raises `RequestRejected`.

        While it holds, the cluster is asked ten times, but once a second at most and every 15 s at
        least; an interruption between two of these requests is not seen. Meanwhile no pause of
        `poll` is longer than a tenth of `hold`, or a second if that is more.

        Raises what `ActionsClient.wait_for_action` raises, but `ActionFailed` and the like.

        Source: GET /v1/bdbs/{uid}/availability (bdbs/availability), /v1/bdbs; 7.4: GET
        /v1/bdbs/{uid}, /v1/bdbs/{uid}/shards, /v1/nodes. Needs the permission `view_bdb_info`;
        `view_all_bdbs_info` to see in one list which databases are being created or recovered; and
        on 7.4 `view_all_nodes_info`, to know the release at once.
        """
        run = Condition.AVAILABLE.value
        if lag_tolerance is not None:
            tolerance = seconds(lag_tolerance, "lag_tolerance")
            if tolerance > _LONGEST_LAG:
                raise UsageError(f"lag_tolerance={lag_tolerance!r} is more than a day")
            run = f"{run},lag={round(1000 * tolerance)}"
        ref = _reference(ReferenceKind.BDB, bdb_uid, run)
        return await self._parts.operation(ref).wait(
            hold=hold,
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    async def wait_in_sync(
        self,
        bdb_uid: int | str,
        *,
        hold: Duration = 0.0,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until all Replica Of sources of a database are in sync, for at least `hold`.

        A change that adds sources has completed before they are in sync. `state` of the `Action`
        names the sources that are not, by their `uid`. See `wait_available` for `hold`.

        Raises what `ActionsClient.wait_for_action` raises, but `ActionFailed` and the like, and
        `UsageError` for a database without sources.

        Source: GET /v1/bdbs/{uid}, /v1/bdbs (objects/bdb, `replica_sources`). Needs the permission
        `view_bdb_info`, and `view_all_bdbs_info` to serve several waits by one list.
        """
        ref = _reference(ReferenceKind.BDB, bdb_uid, Condition.IN_SYNC.value)
        return await self._parts.operation(ref).wait(
            hold=hold,
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    async def wait_gone(
        self,
        bdb_uid: int | str,
        *,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until a database is gone.

        The list of databases, or a second look 5 s later, confirms that. A database that the user
        may not see, with a database-scoped role (8.2), cannot be told from one that is gone. Raises
        what `wait` raises, and has the same source.
        """
        ref = _reference(ReferenceKind.BDB, bdb_uid, GONE)
        return await self._parts.operation(ref).wait(
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    async def wait_export(
        self,
        bdb_uid: int | str,
        *,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = TRANSFER_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until the export of a database that is running, or about to begin, has succeeded.

        The database remembers the result of its last export, so a result that is there at the first
        look may be that of an older one. A result counts only after the status was seen empty or in
        progress; until then the client waits, and raises `ActionNotFound` after `not_found_grace`.
        The operation that `export` returns knows the result from before the call, and tells a new
        one from it.

        Otherwise raises what `ActionsClient.wait_for_action` raises. `ActionVanished` means that
        the status was reset while the export ran.

        Source: GET /v1/bdbs/{uid}, `export_status`. Needs the permission `view_bdb_info`, and
        `view_all_bdbs_info` to serve several waits by one list.
        """
        ref = _reference(ReferenceKind.EXPORT, bdb_uid)
        return await self._parts.operation(ref).wait(
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    async def wait_import(
        self,
        bdb_uid: int | str,
        *,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = TRANSFER_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until the import into a database has succeeded; as `wait_export` does.

        Source: GET /v1/bdbs/{uid}, `import_status`.
        """
        ref = _reference(ReferenceKind.IMPORT, bdb_uid)
        return await self._parts.operation(ref).wait(
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    async def wait_backup(
        self,
        bdb_uid: int | str,
        *,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = TRANSFER_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until the scheduled backup of a database has succeeded; as `wait_export` does.

        Source: GET /v1/bdbs/{uid}, `backup_status`.
        """
        ref = _reference(ReferenceKind.BACKUP, bdb_uid)
        return await self._parts.operation(ref).wait(
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    async def get(self, bdb_uid: int | str) -> Database:
        """Return a database as it is now.

        Raises `RequestError`: `RequestRejected` (404) if the cluster has no database of that uid.

        Source: GET /v1/bdbs/{uid} (bdbs). Needs the permission `view_bdb_info`.
        """
        uid = await self._parts.database_uid(bdb_uid)
        return await self._parts.look(self._parts.sources.objects.database, uid)

    async def list_all(self) -> list[Database]:
        """Return all databases that the user may see. Raises `RequestError`.

        Source: GET /v1/bdbs (bdbs). Needs the permission `view_all_bdbs_info`.
        """
        return await self._parts.look(self._parts.sources.objects.databases)

    async def find(self, name: str) -> Database | None:
        """Return the database with a name, or None if there is none. Case matters.

        Raises `RequestError`, and `UsageError` if several databases have the name.

        Source: GET /v1/bdbs (bdbs). Needs the permission `view_all_bdbs_info`.
        """
        refuse_unawaited(name)
        found = [each for each in await self.list_all() if each.name == name]
        if len(found) > 1:
            raise several_named(name, sorted(each.uid for each in found))
        return found[0] if found else None

    async def names(self) -> dict[int, str]:
        """Return the names of all databases, by uid. Raises `RequestError`.

        Source: GET /v1/bdbs (bdbs). Needs the permission `view_all_bdbs_info`.
        """
        return await self._parts.look(self._parts.sources.objects.database_names)

    async def name(self, bdb_uid: int | str) -> str:
        """Return the name of a database. Raises `RequestError`.

        Source: GET /v1/bdbs/{uid}. Needs the permission `view_bdb_info`.
        """
        names = self._parts.sources.names
        return await self._parts.look(names.fetch, await self._path(bdb_uid), "view_bdb_info")

    async def _path(self, bdb_uid: int | str, rest: str = "") -> str:
        return f"/v1/bdbs/{await self._parts.database_uid(bdb_uid)}{rest}"


def _reference(
    kind: ReferenceKind, bdb_uid: int | str, run: str = ""
) -> Reference | NamedReference:
    name = name_in(bdb_uid)
    if name is not None:
        return NamedReference(kind, name, run)
    return Reference(kind, str(checked_uid(cast("int", bdb_uid))), run)
