"""What can be started: `submit` for any call, and by name what people do most.

Each helper is one call, whose vendor page it names, under requests/ of the REST API's reference.
None of them keeps what it sends: configurations hold passwords, and a traceback that shows
variables would show them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, ParamSpec, TypedDict, TypeVar, cast

from redis_enterprise_actions._client.operation import Operation
from redis_enterprise_actions._client.pacing.durations import seconds
from redis_enterprise_actions._client.sources.paths import checked_uid, quoted_uid
from redis_enterprise_actions._client.submit.request import build_request, checked_headers
from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import timedelta
    from typing import Concatenate, TypeAlias, Unpack

    from redis_enterprise_actions._client.operation import Desk
    from redis_enterprise_actions._client.submit.request import SubmitRequest
    from redis_enterprise_actions._client.submit.submitter import Submitter

    Starting: TypeAlias = Coroutine[object, object, Operation]


_P = ParamSpec("_P")
_T = TypeVar("_T")

_UNTRACKED: Final = ("refused", "completed")
_CRDB_ONLY: Final = frozenset({"task_id", "result_ttl"})


class CallOptions(TypedDict, total=False):
    """What every call takes; see `ActionsClient.submit`."""

    params: Mapping[str, object] | None
    headers: Mapping[str, str] | None
    busy_timeout: float | timedelta | None
    outage_timeout: float | timedelta | None
    request_timeout: float | timedelta | None
    untracked: Literal["refused", "completed"]


class CrdbOptions(CallOptions, total=False):
    """What calls to Active-Active databases take besides.

    `task_id` is the id that the task is to have (`X-Task-ID`), and `result_ttl` how many seconds
    its result is kept (`X-Result-TTL`), 500 by default.
    """

    task_id: str | None
    result_ttl: int | None


def _forgetful(
    call: Callable[Concatenate[Calls, _P], Starting],
) -> Callable[Concatenate[Calls, _P], Starting]:
    """Let no frame of ours that a mistake goes through have what was to be sent."""

    @functools.wraps(call)
    def calling(self: Calls, /, *args: _P.args, **kwargs: _P.kwargs) -> Starting:
        try:
            return call(self, *args, **kwargs)
        except UsageError as error:
            mistake = error.with_traceback(None)
        del args, kwargs
        raise mistake

    return calling


class Calls:
    """The calls of a client."""

    _desk: Desk
    _submitter: Submitter

    @_forgetful
    def submit(
        self,
        method: str,
        path: str,
        json: object = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
        outage_timeout: float | timedelta | None = 10.0,
        request_timeout: float | timedelta | None = None,
        untracked: Literal["refused", "completed"] = "refused",
    ) -> Starting:
        """Send a call that starts something, and return the `Operation` to follow.

        `path` is quoted and begins with the API's version, as in `/v1/bdbs/1`; `params` make the
        query, and `json` the body, `{}` by default. A `method` is POST, PUT, PATCH or DELETE.

        What there is to follow is read off the answer: an `action_uid`, by itself or in an object;
        the `task_id` of a node's action; the `id` of a task of an Active-Active database. An
        export or an import has no handle: how the database stood before tells it from the last
        one, whose result is reset. Where the answer to a call that changes a database names
        nothing, the database is followed until it has settled; how it stood before the call is
        looked at first. A cancel is followed until the action, or task, has ended.

        Without any of these the operation is complete only where the API says so: for a dry run,
        for a call that is documented as done with its answer, or to name an action "if it exists".
        Otherwise nothing can be followed, and waiting raises `NothingToFollow`; with
        `untracked="completed"` the answer counts as the end, but not that of a bootstrap, nor one
        that names several actions. A dry run of an Active-Active database is a task like any other.

        Of settings that the API reads from the query (`dry_run`, `only_failovers`,
        `max_operations`), or from the body (the `dry_run` of the calls for shards), `UsageError`
        is raised where they are in the other. An error in the body of an answer that has a status
        of success is `RequestRejected`.

        Durations are seconds or `timedelta`s. `busy_timeout` is how long a 409, "busy", is asked
        again; `outage_timeout` how long it is tried to have the call taken; `request_timeout` how
        long one request may take, by default what the client was told.

        The call is sent a second time only where nobody has taken the first, where that was
        refused with 409, or where it was answered 429 or 503 and is seen to have begun nothing;
        `Retry-After` is heeded. If the answer to one that may have been taken is lost, what it
        starts is looked for: an Active-Active task by its `X-Task-ID`, which is made up unless it
        is in `headers`; a node's action, an export or an import by how things stood before, so
        that the same, started by somebody else in that moment, is taken for it. `AnswerLost` is
        raised if that does not tell. Raises `RequestError` otherwise, and `UsageError`, at once,
        for what cannot be sent.
        """
        busy = seconds(busy_timeout, "busy_timeout")
        patience = None if request_timeout is None else seconds(request_timeout, "request_timeout")
        outage = seconds(outage_timeout, "outage_timeout")
        if patience is not None and not 0 < patience < math.inf:
            raise UsageError("request_timeout= must be more than 0 and not endless")
        if untracked not in _UNTRACKED:
            raise UsageError(f"untracked={untracked!r} is none of {', '.join(_UNTRACKED)}")
        call = build_request(method, path, json, params, headers, request_timeout=patience)
        return self._start(call, busy, outage, accept=untracked == "completed")

    async def _start(
        self, call: SubmitRequest, busy: float, outage: float, *, accept: bool
    ) -> Operation:
        started = await self._submitter.start(call, busy_timeout=busy, outage_timeout=outage)
        return Operation(
            self._desk,
            started.ref,
            call=f"{call.call.method} {call.call.path}",
            answer=started.answer,
            problem=None if accept and not started.still_running else started.problem,
        )

    # --- databases ------------------------------------------------------------------------------

    @_forgetful
    def create_bdb(self, config: Mapping[str, object], **options: Unpack[CallOptions]) -> Starting:
        """Create a database; `config` is its bdb object. The answer holds its `uid`.

        Source: POST /v1/bdbs (bdbs). Needs the permission `create_bdb`.
        """
        return self.submit("POST", "/v1/bdbs", config, **options)

    @_forgetful
    def update_bdb(
        self,
        bdb_uid: int,
        changes: Mapping[str, object],
        **options: Unpack[CallOptions],
    ) -> Starting:
        """Change settings of a database.

        Where the answer names no action and shows the settled database, there was nothing to
        change: the operation completes if the database is not busy a second after the first look.

        Source: PUT /v1/bdbs/{uid} (bdbs). Needs the permission `update_bdb`.
        """
        return self.submit("PUT", _bdb(bdb_uid), changes, **options)

    @_forgetful
    def delete_bdb(self, bdb_uid: int, **options: Unpack[CallOptions]) -> Starting:
        """Delete a database. It has completed when the database is gone.

        Source: DELETE /v1/bdbs/{uid} (bdbs). Needs the permission `delete_bdb`.
        """
        return self.submit("DELETE", _bdb(bdb_uid), **options)

    @_forgetful
    def upgrade_bdb(
        self,
        bdb_uid: int,
        settings: Mapping[str, object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Starting:
        """Upgrade a database, by default to the latest version; `settings` as the page has them.

        Source: POST /v1/bdbs/{uid}/upgrade (bdbs/upgrade). Needs the permission
        `update_bdb_with_action`.
        """
        return self.submit("POST", _bdb(bdb_uid, "/upgrade"), settings, **options)

    @_forgetful
    def rebalance_bdb(
        self,
        bdb_uid: int,
        settings: Mapping[str, object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Starting:
        """Distribute the shards of a database evenly over the nodes. Since 7.8.2.

        `settings` are query parameters: `dry_run`, `only_failovers`, `max_operations`.

        Source: PUT /v1/bdbs/{uid}/actions/rebalance (bdbs/actions/rebalance). Needs the permission
        `update_bdb_with_action`.
        """
        path = _bdb(bdb_uid, "/actions/rebalance")
        options["params"] = {**(options.get("params") or {}), **_with(settings)}
        return self.submit("PUT", path, **options)

    @_forgetful
    def export_bdb(
        self,
        bdb_uid: int,
        location: Mapping[str, object],
        settings: Mapping[str, object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Starting:
        """Export a database to `location`, an export_location object.

        Await one before you start the next on the same database: that ends a wait for the first
        one with `ActionVanished`.

        Source: POST /v1/bdbs/{uid}/actions/export (bdbs/actions/export). Needs the permissions
        `start_bdb_export`, `reset_bdb_current_export_status` and `view_bdb_info`.
        """
        return self.submit(
            "POST",
            _bdb(bdb_uid, "/actions/export"),
            _with(settings, export_location=location),
            **options,
        )

    @_forgetful
    def import_bdb(
        self,
        bdb_uid: int,
        sources: Iterable[Mapping[str, object]],
        settings: Mapping[str, object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Starting:
        """Import into a database from `sources`, dataset_import_sources objects.

        Await one before you start the next on the same database: that ends a wait for the first
        one with `ActionVanished`, as the database shows the result of one import only.

        Source: POST /v1/bdbs/{uid}/actions/import (bdbs/actions/import). Needs the permissions
        `start_bdb_import`, `reset_bdb_current_import_status` and `view_bdb_info`.
        """
        return self.submit(
            "POST",
            _bdb(bdb_uid, "/actions/import"),
            _with(settings, dataset_import_sources=_several(sources, "sources")),
            **options,
        )

    # --- shards ---------------------------------------------------------------------------------

    @_forgetful
    def migrate_shards(
        self,
        shard_uids: Iterable[int | str],
        target_node_uid: int,
        settings: Mapping[str, object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Starting:
        """Move shards, all of one database, to a node.

        Source: POST /v1/shards/actions/migrate (shards/actions/migrate). Needs the permission
        `migrate_shard`.
        """
        body = _with(
            settings,
            shard_uids=_shards(shard_uids),
            target_node_uid=checked_uid(target_node_uid, "node"),
        )
        return self.submit("POST", "/v1/shards/actions/migrate", body, **options)

    @_forgetful
    def fail_over_shards(
        self,
        shard_uids: Iterable[int | str],
        settings: Mapping[str, object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Starting:
        """Make the replicas of primary shards, all of one database, the primaries. Since 7.8.2.

        Source: POST /v1/shards/actions/failover (shards/actions/failover). Needs the permission
        `failover_shard`.
        """
        body = _with(settings, shard_uids=_shards(shard_uids))
        return self.submit("POST", "/v1/shards/actions/failover", body, **options)

    # --- nodes ----------------------------------------------------------------------------------

    @_forgetful
    def maintenance_on(
        self,
        node_uid: int,
        settings: Mapping[str, object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Starting:
        """Put a node into maintenance mode. Once on twice, it has to be switched off twice.

        Source: POST /v1/nodes/{uid}/actions/maintenance_on (nodes/actions). Needs the permissions
        `start_node_action` and `view_status_of_node_action`.
        """
        path = _node(node_uid, "maintenance_on")
        return self.submit("POST", path, settings, **options)

    @_forgetful
    def maintenance_off(
        self,
        node_uid: int,
        settings: Mapping[str, object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Starting:
        """Take a node out of maintenance mode, once.

        Source: POST /v1/nodes/{uid}/actions/maintenance_off (nodes/actions). Needs the permissions
        `start_node_action` and `view_status_of_node_action`.
        """
        path = _node(node_uid, "maintenance_off")
        return self.submit("POST", path, settings, **options)

    @_forgetful
    def remove_node(
        self,
        node_uid: int,
        settings: Mapping[str, object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Starting:
        """Move everything off a node and remove it from the cluster.

        From now on nothing is placed on it, even if that fails. Unless `wait_for_persistence` is
        among the `settings`, or the cluster's policy, it does not wait for persistence files.

        Source: POST /v1/nodes/{uid}/actions/remove (nodes/actions). Needs the permissions
        `start_node_action` and `view_status_of_node_action`.
        """
        return self.submit("POST", _node(node_uid, "remove"), settings, **options)

    @_forgetful
    def change_primary(self, node_uid: int, **options: Unpack[CallOptions]) -> Starting:
        """Make a node the primary of the cluster.

        The wait outlasts the change: the answers in between count as an outage.

        Source: POST /v1/cluster/actions/change_master (cluster/actions). Needs the permissions
        `start_cluster_action` and `view_status_of_cluster_action`.
        """
        body = {"node_uid": checked_uid(node_uid, "node")}
        path = "/v1/cluster/actions/change_master"
        return self.submit("POST", path, body, **options)

    # --- Active-Active --------------------------------------------------------------------------

    @_forgetful
    def create_crdb(self, config: Mapping[str, object], **options: Unpack[CrdbOptions]) -> Starting:
        """Create an Active-Active database; `config` is its crdb object.

        Source: POST /v1/crdbs (crdbs). Needs the permission `create_crdb`.
        """
        return self.submit("POST", "/v1/crdbs", config, **_crdb_options(options))

    @_forgetful
    def update_crdb(
        self, guid: str, changes: Mapping[str, object], **options: Unpack[CrdbOptions]
    ) -> Starting:
        """Change the configuration of an Active-Active database.

        Source: PATCH /v1/crdbs/{guid} (crdbs). Needs the permission `update_crdb`.
        """
        return self.submit("PATCH", _crdb(guid), changes, **_crdb_options(options))

    @_forgetful
    def flush_crdb(self, guid: str, **options: Unpack[CrdbOptions]) -> Starting:
        """Delete all data of an Active-Active database, on all of its clusters.

        Source: PUT /v1/crdbs/{guid}/flush (crdbs/flush). Needs the permission `flush_crdb`.
        """
        return self.submit("PUT", _crdb(guid, "/flush"), **_crdb_options(options))

    @_forgetful
    def delete_crdb(self, guid: str, **options: Unpack[CrdbOptions]) -> Starting:
        """Delete an Active-Active database, on all of its clusters.

        Source: DELETE /v1/crdbs/{guid} (crdbs). Needs the permission `delete_crdb`.
        """
        return self.submit("DELETE", _crdb(guid), **_crdb_options(options))


def _bdb(bdb_uid: int, rest: str = "") -> str:
    return f"/v1/bdbs/{checked_uid(bdb_uid)}{rest}"


def _node(node_uid: int, action: str) -> str:
    return f"/v1/nodes/{checked_uid(node_uid, 'node')}/actions/{action}"


def _crdb(guid: str, rest: str = "") -> str:
    return f"/v1/crdbs/{quoted_uid(guid)}{rest}"


def _shards(shard_uids: Iterable[int | str]) -> list[str]:
    """Return the uids as the API has them: strings."""
    return [str(uid) for uid in _several(shard_uids, "shard_uids")]


def _several(values: Iterable[_T], name: str) -> list[_T]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise UsageError(f"{name}= is not several")
    return list(values)


def _with(settings: Mapping[str, object] | None, **own: object) -> dict[str, object]:
    """Return the settings, and what a call has of its own."""
    if settings is not None and not isinstance(settings, Mapping):
        raise UsageError("settings= is not a mapping of names to values")
    return {**(settings or {}), **own}


def _crdb_options(options: CrdbOptions) -> CallOptions:
    """Return the options of a call, with what Active-Active calls have in headers."""
    task_id, result_ttl = options.get("task_id"), options.get("result_ttl")
    headers = checked_headers(options.get("headers"))
    if task_id is not None:
        headers["X-Task-ID"] = task_id
    if result_ttl is not None:
        if not isinstance(result_ttl, int) or isinstance(result_ttl, bool) or result_ttl < 1:
            raise UsageError(f"result_ttl={result_ttl!r} is not a number of seconds, 1 or more")
        headers["X-Result-TTL"] = str(result_ttl)
    given = {name: value for name, value in options.items() if name not in _CRDB_ONLY}
    return cast("CallOptions", {**given, "headers": headers})
