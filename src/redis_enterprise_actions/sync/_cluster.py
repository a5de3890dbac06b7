"""Synchronous `Cluster`. `python -m tests.sync_classes` writes this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._client.pacing.durations import (
    DEFAULT_OUTAGE_TIMEOUT,
    NOT_FOUND_GRACE,
)

from ._operation import Operation


if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions import (
        Action,
        ClusterCheck,
        Duration,
        FinishedAction,
        Node,
        Recorder,
    )
    from redis_enterprise_actions._client.operation import Untracked

    from ._link import Link


class Cluster:
    """The cluster as a whole: `client.cluster`. See `Databases` for the arguments."""

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def create(
        self,
        config: Mapping[str, object],
        *,
        node: str | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[None]:
        """Create a cluster of one installed node; `config` is the body, without `action`.

        `node` is the host, or `host:port`, of one of the client's URLs; by default, the first one.
        The call goes to that node once, and without the client's credentials, as the node knows
        none yet. Wait for `bootstrap@idle` before, if the node is still being installed. A refusal
        (401) means that the node is part of a cluster already, and another one (409) that its
        bootstrap is in progress. `Operation.wait` sends the client's credentials once the node
        demands them: give the client those of the new cluster.

        Source: POST /v1/bootstrap/create_cluster (bootstrap). Needs no credentials.
        """
        return Operation(
            self._link.start(
                lambda client, _: client.cluster.create(
                    config,
                    node=node,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def join(
        self,
        config: Mapping[str, object],
        *,
        node: str | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[None]:
        """Join an installed node to a cluster; `config` is the body, without `action`.

        See `create` for the arguments.

        Source: POST /v1/bootstrap/join_cluster (bootstrap). Needs no credentials.
        """
        return Operation(
            self._link.start(
                lambda client, _: client.cluster.join(
                    config,
                    node=node,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def recover(
        self,
        config: Mapping[str, object],
        *,
        node: str | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[None]:
        """Recover a cluster on an installed node; `config` is the body, without `action`.

        See `create` for the arguments.

        Source: POST /v1/bootstrap/recover_cluster (bootstrap). Needs no credentials.
        """
        return Operation(
            self._link.start(
                lambda client, _: client.cluster.recover(
                    config,
                    node=node,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def change_primary(
        self,
        node_uid: int,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Node]:
        """Make a node the primary of the cluster.

        The wait outlasts the change: the answers in between count as an outage.

        Source: POST /v1/cluster/actions/change_master (cluster/actions). Needs the permissions
        `start_cluster_action` and `view_status_of_cluster_action`.
        """
        return Operation(
            self._link.start(
                lambda client, _: client.cluster.change_primary(
                    node_uid,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def upload_module(
        self,
        file: str | os.PathLike[str] | bytes,
        config: Mapping[str, object] | None = None,
        *,
        name: str | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[None]:
        """Upload a module, and install it on all nodes.

        `file` is the path of its package, or the bytes, with the `name` of the file then. From 8.0
        on, a module is user-defined: `config` is its configuration, and the package goes to each of
        the client's URLs after that, so all nodes have to be among them; the work is done with the
        answers. If a node refuses the package, the configuration stays: a second call sends the
        package to each node, and then raises the refusal of the configuration (`module_exists`).
        Before 8.0 there is no `config`, and the installation goes on after the answer. The error of
        a release that lacks the route says what to call. By default one request may take ten
        minutes, and each node has `outage_timeout` to take the package. Raises `UsageError` if the
        file cannot be read.

        Source: POST /v2/modules (modules), POST /v2/local/modules/user-defined/artifacts and
        /v2/modules/user-defined (modules/user-defined). Needs the permission
        `update_cluster`.
        """
        return Operation(
            self._link.start(
                lambda client, _: client.cluster.upload_module(
                    file,
                    config,
                    name=name,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def wait(
        self,
        action: str,
        *,
        task_id: str | None = None,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until an action of the cluster, such as `change_master`, has completed.

        Raises what `ActionsClient.wait_for_action` raises; for `task_id` see `Nodes.wait`.

        Source: GET /v1/cluster/actions/{action}, /v1/cluster/actions. Needs the permission
        `view_status_of_cluster_action`.
        """
        return self._link.call(
            lambda client, caller: client.cluster.wait(
                action,
                task_id=task_id,
                timeout=timeout,
                poll=poll,
                on_progress=caller.callback(on_progress, "on_progress"),
                stall_timeout=stall_timeout,
                outage_timeout=outage_timeout,
                not_found_grace=not_found_grace,
                recorder=recorder,
            )
        )

    def wait_bootstrap(
        self,
        *,
        node: str | None = None,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until the bootstrap of a node has completed.

        `node` is the host, or `host:port`, of one of the client's URLs; by default, the first one.
        Only that node is asked, and without credentials as long as it demands none. While the node
        does not answer, as it is being installed or its services restart, that is an outage. Raises
        `ActionFailed` with the code and the details of an error, `ActionNotFound` if no bootstrap
        has begun within `not_found_grace`, and what `ActionsClient.wait_for_action` raises.

        `client.wait_for("bootstrap@idle")` waits for a node that answers, and on which no bootstrap
        has begun.

        Source: GET /v1/bootstrap (bootstrap).
        """
        return self._link.call(
            lambda client, caller: client.cluster.wait_bootstrap(
                node=node,
                timeout=timeout,
                poll=poll,
                on_progress=caller.callback(on_progress, "on_progress"),
                stall_timeout=stall_timeout,
                outage_timeout=outage_timeout,
                not_found_grace=not_found_grace,
                recorder=recorder,
            )
        )

    def actions(self) -> list[Action]:
        """Return the actions of the cluster: those that run, and remembered results.

        Their `uid` is a reference, as they have none of their own. Raises `RequestError`.

        Source: GET /v1/cluster/actions. Needs the permission `view_status_of_cluster_action`.
        """
        return self._link.call(lambda client, _: client.cluster.actions())

    def check(self, *, ignore_maintenance: Iterable[int] = ()) -> ClusterCheck:
        """Look once whether the next node may be worked on, and return all that is against it.

        The cluster is healthy if, as the vendor's pages on upgrades and maintenance have it, every
        node is active and passes its check, and none is in maintenance, but for those in
        `ignore_maintenance`; every shard is active and ok; every database is active, without a
        failed background operation, and available; the primary node is known; and no action is
        under way. One look cannot tell an action that is stuck from one that makes progress, so
        both are findings; exports, imports, backups and tasks of Active-Active databases are none.
        A status that is not known is a finding, too.

        Releases before 7.8 cannot tell whether a database is available: there its status and its
        shards have to do. Raises `RequestError`, also where the user may not see one of the lists.

        Source: GET /v4/cluster/health, or else /v1/nodes, /v1/nodes/status, /v1/cluster/check,
        /v1/local/node/master_healthcheck, /v1/shards and /v1/bdbs/{uid}/availability; /v1/bdbs,
        /v1/actions, /v1/nodes/actions, /v1/cluster/actions. Needs the permissions
        `view_cluster_info`, `view_all_nodes_info`, `view_node_info`, `view_all_nodes_checks`,
        `view_all_bdbs_info`, `view_bdb_info`, `view_status_of_cluster_action` and
        `view_status_of_all_node_actions`.
        """
        return self._link.call(
            lambda client, _: client.cluster.check(ignore_maintenance=ignore_maintenance)
        )

    def wait_healthy(
        self,
        *,
        ignore_maintenance: Iterable[int] = (),
        hold: Duration = 0.0,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until `check` finds nothing, and has found nothing for `hold` seconds.

        The `state` of the action names what was found last. Raises what
        `ActionsClient.wait_for_action` raises. The reference is `cluster@healthy`.

        Source: as for `check`.
        """
        return self._link.call(
            lambda client, caller: client.cluster.wait_healthy(
                ignore_maintenance=ignore_maintenance,
                hold=hold,
                timeout=timeout,
                poll=poll,
                on_progress=caller.callback(on_progress, "on_progress"),
                stall_timeout=stall_timeout,
                outage_timeout=outage_timeout,
                recorder=recorder,
            )
        )

    def wait_quiet(
        self,
        *,
        hold: Duration = 0.0,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until no work is under way on the cluster, and has not been for `hold` seconds.

        Work is an action of any kind, also of a node or the cluster, a task of an Active-Active
        database, an export, an import or a backup, and whatever keeps a database from being active.
        Work with an unknown status counts. The lists are read one after the other: `hold` makes
        sure that nothing begins meanwhile. The `state` of the action names the work. Raises what
        `ActionsClient.wait_for_action` raises. The reference is `cluster@quiet`.

        Source: GET /v1/actions, /v2/actions, /v1/nodes/actions, /v1/cluster/actions,
        /v1/crdb_tasks, /v1/bdbs. Needs the permissions `view_status_of_cluster_action`,
        `view_status_of_all_node_actions`, `view_crdb_task_list` and `view_all_bdbs_info`.
        """
        return self._link.call(
            lambda client, caller: client.cluster.wait_quiet(
                hold=hold,
                timeout=timeout,
                poll=poll,
                on_progress=caller.callback(on_progress, "on_progress"),
                stall_timeout=stall_timeout,
                outage_timeout=outage_timeout,
                recorder=recorder,
            )
        )
