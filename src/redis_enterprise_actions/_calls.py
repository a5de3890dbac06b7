"""What can be started: `submit` for any call, and by name what people do most.

Each helper is one call, whose vendor page it names, under requests/ of the REST API's reference.
None of them keeps what it sends: configurations hold passwords, and a traceback that shows
variables would show them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import UsageError
from ._operation import Operation
from ._pace import seconds
from ._routes import number, segment
from ._submit import order


if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping
    from datetime import timedelta
    from typing import TypeAlias

    from ._desk import Desk
    from ._submit import Order, Submission

    Starting: TypeAlias = Coroutine[object, object, Operation]


class Calls:
    """The calls of a client."""

    _desk: Desk
    _submission: Submission

    def submit(
        self,
        method: str,
        path: str,
        json: object = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
        request_timeout: float | timedelta | None = None,
    ) -> Starting:
        """Send a call that starts something, and return the `Operation` to follow.

        `path` is quoted and begins with the API's version, as in `/v1/bdbs/1`; `params` make the
        query, and `json` the body, `{}` by default. A `method` is POST, PUT, PATCH or DELETE.

        What there is to follow is read off the answer: an `action_uid`, by itself or in an object;
        the `task_id` of a node's action; the `id` of a task of an Active-Active database. An
        export or an import has no handle: the result of the last one is reset before the call (or
        noted, where that is refused) so that the next one is new. With none of these (nothing to
        do, `dry_run`) the operation is complete.

        `busy_timeout` is how long a 409, "busy", is asked again, in seconds or as a `timedelta`;
        `request_timeout` how long the call may take, by default what the client was told.

        The call is sent a second time only where none has taken the first. If the answer to one
        that may have been taken is lost, what it starts is looked for: an Active-Active task by
        its `X-Task-ID`, which is made up unless it is in `headers`; a node's action, an export or
        an import by how things stood before. `AnswerLost` is raised if that does not tell. Raises
        `RequestError` otherwise, and `UsageError`, at once, for what cannot be sent.
        """
        busy = seconds(busy_timeout, "busy_timeout")
        patience = None if request_timeout is None else seconds(request_timeout, "request_timeout")
        call = order(method, path, json, params, headers, patience=patience)
        return self._start(call, busy)

    async def _start(self, call: Order, busy: float) -> Operation:
        ref, answer = await self._submission.start(call, busy_timeout=busy)
        return Operation(
            self._desk, ref, call=f"{call.call.method} {call.call.path}", answer=answer
        )

    # --- databases ------------------------------------------------------------------------------

    def create_bdb(
        self, config: Mapping[str, object], *, busy_timeout: float | timedelta | None = 0.0
    ) -> Starting:
        """Create a database; `config` is its bdb object. The answer holds its `uid`.

        Source: POST /v1/bdbs (bdbs). Needs the permission `create_bdb`.
        """
        return self.submit("POST", "/v1/bdbs", config, busy_timeout=busy_timeout)

    def update_bdb(
        self,
        bdb_uid: int,
        changes: Mapping[str, object],
        *,
        busy_timeout: float | timedelta | None = 0.0,
    ) -> Starting:
        """Change settings of a database. Where nothing is to be done, it is done at once.

        Source: PUT /v1/bdbs/{uid} (bdbs). Needs the permission `update_bdb`.
        """
        return self.submit("PUT", _bdb(bdb_uid), changes, busy_timeout=busy_timeout)

    def delete_bdb(self, bdb_uid: int, *, busy_timeout: float | timedelta | None = 0.0) -> Starting:
        """Delete a database. It has completed when the database is gone.

        Source: DELETE /v1/bdbs/{uid} (bdbs). Needs the permission `delete_bdb`.
        """
        return self.submit("DELETE", _bdb(bdb_uid), busy_timeout=busy_timeout)

    def upgrade_bdb(
        self,
        bdb_uid: int,
        options: Mapping[str, object] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
    ) -> Starting:
        """Upgrade a database, by default to the latest version; `options` as the page has them.

        Source: POST /v1/bdbs/{uid}/upgrade (bdbs/upgrade). Needs the permission
        `update_bdb_with_action`.
        """
        return self.submit("POST", _bdb(bdb_uid, "/upgrade"), options, busy_timeout=busy_timeout)

    def rebalance_bdb(
        self,
        bdb_uid: int,
        options: Mapping[str, object] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
    ) -> Starting:
        """Distribute the shards of a database evenly over the nodes. Since 7.8.2.

        Source: PUT /v1/bdbs/{uid}/actions/rebalance (bdbs/actions/rebalance). Needs the permission
        `update_bdb_with_action`.
        """
        path = _bdb(bdb_uid, "/actions/rebalance")
        return self.submit("PUT", path, options, busy_timeout=busy_timeout)

    def export_bdb(
        self,
        bdb_uid: int,
        location: Mapping[str, object],
        options: Mapping[str, object] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
    ) -> Starting:
        """Export a database to `location`, an export_location object.

        Source: POST /v1/bdbs/{uid}/actions/export (bdbs/actions/export). Needs the permissions
        `start_bdb_export`, `reset_bdb_current_export_status` and `view_bdb_info`.
        """
        return self.submit(
            "POST",
            _bdb(bdb_uid, "/actions/export"),
            {**(options or {}), "export_location": location},
            busy_timeout=busy_timeout,
        )

    def import_bdb(
        self,
        bdb_uid: int,
        sources: Iterable[Mapping[str, object]],
        options: Mapping[str, object] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
    ) -> Starting:
        """Import into a database from `sources`, dataset_import_sources objects.

        Source: POST /v1/bdbs/{uid}/actions/import (bdbs/actions/import). Needs the permissions
        `start_bdb_import`, `reset_bdb_current_import_status` and `view_bdb_info`.
        """
        return self.submit(
            "POST",
            _bdb(bdb_uid, "/actions/import"),
            {**(options or {}), "dataset_import_sources": list(sources)},
            busy_timeout=busy_timeout,
        )

    # --- shards ---------------------------------------------------------------------------------

    def migrate_shards(
        self,
        shard_uids: Iterable[int | str],
        target_node_uid: int,
        options: Mapping[str, object] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
    ) -> Starting:
        """Move shards, all of one database, to a node.

        Source: POST /v1/shards/actions/migrate (shards/actions/migrate). Needs the permission
        `migrate_shard`.
        """
        body = {
            **(options or {}),
            "shard_uids": _shards(shard_uids),
            "target_node_uid": number(target_node_uid, "node"),
        }
        return self.submit("POST", "/v1/shards/actions/migrate", body, busy_timeout=busy_timeout)

    def fail_over_shards(
        self,
        shard_uids: Iterable[int | str],
        options: Mapping[str, object] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
    ) -> Starting:
        """Make the replicas of primary shards, all of one database, the primaries. Since 7.8.2.

        Source: POST /v1/shards/actions/failover (shards/actions/failover). Needs the permission
        `failover_shard`.
        """
        body = {**(options or {}), "shard_uids": _shards(shard_uids)}
        return self.submit("POST", "/v1/shards/actions/failover", body, busy_timeout=busy_timeout)

    # --- nodes ----------------------------------------------------------------------------------

    def maintenance_on(
        self,
        node_uid: int,
        options: Mapping[str, object] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
    ) -> Starting:
        """Put a node into maintenance mode. Once on twice, it has to be switched off twice.

        Source: POST /v1/nodes/{uid}/actions/maintenance_on (nodes/actions). Needs the permissions
        `start_node_action` and `view_status_of_node_action`.
        """
        path = _node(node_uid, "maintenance_on")
        return self.submit("POST", path, options, busy_timeout=busy_timeout)

    def maintenance_off(
        self,
        node_uid: int,
        options: Mapping[str, object] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
    ) -> Starting:
        """Take a node out of maintenance mode, once.

        Source: POST /v1/nodes/{uid}/actions/maintenance_off (nodes/actions). Needs the permissions
        `start_node_action` and `view_status_of_node_action`.
        """
        path = _node(node_uid, "maintenance_off")
        return self.submit("POST", path, options, busy_timeout=busy_timeout)

    def remove_node(
        self,
        node_uid: int,
        options: Mapping[str, object] | None = None,
        *,
        busy_timeout: float | timedelta | None = 0.0,
    ) -> Starting:
        """Move everything off a node and remove it from the cluster.

        From now on nothing is placed on it, even if that fails. Unless `wait_for_persistence` is
        among the `options`, or the cluster's policy, it does not wait for persistence files.

        Source: POST /v1/nodes/{uid}/actions/remove (nodes/actions). Needs the permissions
        `start_node_action` and `view_status_of_node_action`.
        """
        return self.submit("POST", _node(node_uid, "remove"), options, busy_timeout=busy_timeout)

    def change_primary(
        self, node_uid: int, *, busy_timeout: float | timedelta | None = 0.0
    ) -> Starting:
        """Make a node the primary of the cluster.

        The wait outlasts the change: the answers in between count as an outage.

        Source: POST /v1/cluster/actions/change_master (cluster/actions). Needs the permissions
        `start_cluster_action` and `view_status_of_cluster_action`.
        """
        body = {"node_uid": number(node_uid, "node")}
        path = "/v1/cluster/actions/change_master"
        return self.submit("POST", path, body, busy_timeout=busy_timeout)

    # --- Active-Active --------------------------------------------------------------------------

    def create_crdb(
        self, config: Mapping[str, object], *, result_ttl: int | None = None
    ) -> Starting:
        """Create an Active-Active database; `config` is its crdb object.

        `result_ttl`, here and below, is how many seconds the result is kept; 500 by default.

        Source: POST /v1/crdbs (crdbs). Needs the permission `create_crdb`.
        """
        return self.submit("POST", "/v1/crdbs", config, headers=_ttl(result_ttl))

    def update_crdb(
        self, guid: str, changes: Mapping[str, object], *, result_ttl: int | None = None
    ) -> Starting:
        """Change the configuration of an Active-Active database.

        Source: PATCH /v1/crdbs/{guid} (crdbs). Needs the permission `update_crdb`.
        """
        return self.submit("PATCH", _crdb(guid), changes, headers=_ttl(result_ttl))

    def flush_crdb(self, guid: str, *, result_ttl: int | None = None) -> Starting:
        """Delete all data of an Active-Active database, on all of its clusters.

        Source: PUT /v1/crdbs/{guid}/flush (crdbs/flush). Needs the permission `flush_crdb`.
        """
        return self.submit("PUT", _crdb(guid, "/flush"), headers=_ttl(result_ttl))

    def delete_crdb(self, guid: str, *, result_ttl: int | None = None) -> Starting:
        """Delete an Active-Active database, on all of its clusters.

        Source: DELETE /v1/crdbs/{guid} (crdbs). Needs the permission `delete_crdb`.
        """
        return self.submit("DELETE", _crdb(guid), headers=_ttl(result_ttl))


def _bdb(bdb_uid: int, rest: str = "") -> str:
    return f"/v1/bdbs/{number(bdb_uid)}{rest}"


def _node(node_uid: int, action: str) -> str:
    return f"/v1/nodes/{number(node_uid, 'node')}/actions/{action}"


def _crdb(guid: str, rest: str = "") -> str:
    return f"/v1/crdbs/{segment(guid)}{rest}"


def _shards(shard_uids: Iterable[int | str]) -> list[str]:
    """Return the uids as the API has them: strings."""
    if isinstance(shard_uids, str):
        raise UsageError(f"shard_uids={shard_uids!r} is not several")
    return [str(uid) for uid in shard_uids]


def _ttl(seconds: int | None) -> dict[str, str] | None:
    if seconds is None:
        return None
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 1:
        raise UsageError(f"result_ttl={seconds!r} is not a number of seconds, 1 or more")
    return {"X-Result-TTL": str(seconds)}
