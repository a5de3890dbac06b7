"""Synchronous `Crdbs`. `python -m tests.sync_classes` writes this module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from redis_enterprise_actions._client.pacing.durations import (
    DEFAULT_OUTAGE_TIMEOUT,
    NOT_FOUND_GRACE,
)

from ._link import clients_of
from ._operation import Operation


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions import Action, Crdb, Duration, FinishedAction, Recorder
    from redis_enterprise_actions._client.operation import Untracked

    from ._link import Link


class ClusterClient(Protocol):
    """Client of a cluster, as far as `Crdbs.wait_replicating` needs it: an `ActionsClient`."""

    @property
    def crdbs(self) -> Crdbs:
        """The Active-Active databases of the cluster."""
        ...


class Crdbs:
    """Active-Active databases of a cluster: `client.crdbs`. See `Databases` for the arguments.

    Calls take two more arguments: `task_id` is the id that the task is to have (`X-Task-ID`), and
    `result_ttl` how many seconds its result is kept (`X-Result-TTL`), 500 by default.
    """

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def create(
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
        return Operation(
            self._link.start(
                lambda client, _: client.crdbs.create(
                    config,
                    dry_run=dry_run,
                    task_id=task_id,
                    result_ttl=result_ttl,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def update(
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
        return Operation(
            self._link.start(
                lambda client, _: client.crdbs.update(
                    guid,
                    changes,
                    task_id=task_id,
                    result_ttl=result_ttl,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def flush(
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
        return Operation(
            self._link.start(
                lambda client, _: client.crdbs.flush(
                    guid,
                    task_id=task_id,
                    result_ttl=result_ttl,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def delete(
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
        return Operation(
            self._link.start(
                lambda client, _: client.crdbs.delete(
                    guid,
                    task_id=task_id,
                    result_ttl=result_ttl,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def wait_task(
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
        return self._link.call(
            lambda client, caller: client.crdbs.wait_task(
                task_id,
                timeout=timeout,
                poll=poll,
                on_progress=caller.callback(on_progress, "on_progress"),
                stall_timeout=stall_timeout,
                outage_timeout=outage_timeout,
                not_found_grace=not_found_grace,
                recorder=recorder,
            )
        )

    def replicating(self, guid: str, *, others: Iterable[ClusterClient] = ()) -> Operation:
        """Return the condition that an Active-Active database replicates, to wait for or to watch.

        Nothing is sent. See `wait_replicating` for `others`. Raises `UsageError`, also for one of
        them that is a client of this cluster.
        """
        return Operation(
            self._link.make(
                lambda client: client.crdbs.replicating(guid, others=clients_of(others))
            )
        )

    def wait_replicating(
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
        return self._link.call(
            lambda client, caller: client.crdbs.wait_replicating(
                guid,
                others=clients_of(others),
                hold=hold,
                timeout=timeout,
                poll=poll,
                on_progress=caller.callback(on_progress, "on_progress"),
                stall_timeout=stall_timeout,
                outage_timeout=outage_timeout,
                not_found_grace=not_found_grace,
                recorder=recorder,
            )
        )

    def tasks(self) -> list[Action]:
        """Return the tasks of Active-Active databases: those that run, at least.

        Raises `RequestError`.

        Source: GET /v1/crdb_tasks. Needs the permission `view_crdb_task_list`.
        """
        return self._link.call(lambda client, _: client.crdbs.tasks())

    def get(self, guid: str) -> Crdb:
        """Return an Active-Active database as this cluster knows it now.

        Raises `RequestError`: `RequestRejected` (404) if the cluster has none of that GUID.

        Source: GET /v1/crdbs/{guid} (crdbs). Needs the permission `view_crdb`.
        """
        return self._link.call(lambda client, _: client.crdbs.get(guid))

    def list_all(self) -> list[Crdb]:
        """Return all Active-Active databases of this cluster. Raises `RequestError`.

        Source: GET /v1/crdbs (crdbs). Needs the permission `view_crdb_list`.
        """
        return self._link.call(lambda client, _: client.crdbs.list_all())

    def find(self, name: str) -> Crdb | None:
        """Return the Active-Active database with a name, or None if there is none. Case matters.

        Raises `RequestError`, and `UsageError` if several have the name.

        Source: GET /v1/crdbs (crdbs). Needs the permission `view_crdb_list`.
        """
        return self._link.call(lambda client, _: client.crdbs.find(name))

    def name(self, guid: str) -> str:
        """Return the name of an Active-Active database. Raises `RequestError`.

        Source: GET /v1/crdbs/{guid}. Needs the permission `view_crdb`.
        """
        return self._link.call(lambda client, _: client.crdbs.name(guid))
