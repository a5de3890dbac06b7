"""Airflow operators that start work on a cluster, once, and wait for it.

`RedisEnterpriseOperator` makes any call; the others have a name for what is done most.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from redis_enterprise_actions import UsageError

from .base import COMMON_FIELDS, RedisEnterpriseBaseOperator
from .calls import CRDB_TASK, asks_dry_run, decoded, expected_ref, mapping, number, text


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from redis_enterprise_actions import ActionsClient

    from .calls import Call, CallOptions

__all__ = [
    "RedisEnterpriseExportDatabaseOperator",
    "RedisEnterpriseImportDatabaseOperator",
    "RedisEnterpriseMaintenanceOffOperator",
    "RedisEnterpriseMaintenanceOnOperator",
    "RedisEnterpriseOperator",
    "RedisEnterpriseUpdateCrdbOperator",
    "RedisEnterpriseUpgradeDatabaseOperator",
]

_TASK_ID_HEADER: Final = "x-task-id"


class RedisEnterpriseOperator(RedisEnterpriseBaseOperator):
    """Operator that makes a call to a Redis Software cluster and waits until the work has ended.

    `method`, `path`, `json`, `query` and `headers` make the call, as in `ActionsClient.submit`
    (whose `params` is `query` here, as Airflow has `params` of its own); all of them are templated.
    Text as `json` is read as JSON; text that ends with `.json` names a file beside the DAG.

    The reference of the work is pushed as the XCom `ref` as soon as it is known, and the finished
    `Action` is returned as a dict. Where the answer leaves nothing to wait for, as that to a dry
    run, the dict has that answer as `answer`, without secrets. With `wait_for_completion=False` the
    task ends after the call, and returns a dict with `ref`.

    With `deferrable`, a triggerer waits and the task holds no worker; otherwise the worker waits.
    The default is `[operators] default_deferrable` of Airflow's configuration.

    `until` and `hold` are those of `Operation.wait`: a condition that has to be true after the
    work, such as `"available"`, or an earlier end, such as `"progress=50"`.

    Durations are seconds or `timedelta`s, and None is endless. The shorter of `timeout` and
    `execution_timeout` ends the wait, and not the work on the cluster; `stall_timeout` and
    `outage_timeout` are those of `ActionsClient.wait_for_action`. For `busy_timeout`, the worker
    repeats a call that is answered "busy" (409).

    A call whose answer names nothing to follow fails the task, unless its vendor page says that the
    work is done by then, or `untracked` is `"completed"`.

    With `cancel_on_kill`, a user who marks the waiting task, or clears it, cancels the work on the
    cluster, where the API documents that: actions of nodes and tasks of Active-Active databases.

    Raises `AirflowFailException` if a retry would change nothing, `AirflowException` if the
    cluster was busy or out of reach, and `AirflowTaskTimeout`. A retry waits for the work that the
    first try has started, and does not start it again. Airflow before 3.3 keeps no state between
    tries, so that there is no retry once the call was made.
    """

    template_fields: Collection[str] = (
        *COMMON_FIELDS,
        *("method", "path", "json", "query", "headers"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"json": "json", "query": "json"}

    def __init__(
        self,
        *,
        method: str,
        path: str,
        json: object = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        **kwargs: Any,  # noqa: ANN401 - of the base class and Airflow, which check them
    ) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.path = path
        self.json = json
        self.query = query
        self.headers = headers

    def call(self, client: ActionsClient, options: CallOptions) -> Call:
        """Return the call of `method`, `path` and the rest."""
        return partial(
            client.submit,
            text(self.method, "method"),
            text(self.path, "path"),
            json=decoded(self.json, "json"),
            params=mapping(self.query, "query"),
            headers=cast("Mapping[str, str] | None", mapping(self.headers, "headers")),
            **options,
        )

    def call_name(self) -> str:
        """Return the method and the path."""
        return f"{self.method} {self.path}"

    def expected_ref(self) -> str:
        """Return a reference of the kind that the path leads to, as far as that is clear."""
        return expected_ref(text(self.method, "method"), text(self.path, "path"))

    def chosen_ref(self) -> str | None:
        """Return the reference of the task that the header `X-Task-ID` chooses, or None."""
        for name, value in (mapping(self.headers, "headers") or {}).items():
            if name.casefold() == _TASK_ID_HEADER:
                return f"crdb:{value}"
        return None

    def is_dry_run(self) -> bool:
        """Return True if the query or the body asks for a dry run."""
        return asks_dry_run(mapping(self.query, "query"), decoded(self.json, "json"))


class _DatabaseOperator(RedisEnterpriseBaseOperator):
    """Operator for one database: `bdb_uid` is its uid, or `name:NAME`; `settings` the body."""

    template_fields: Collection[str] = (*COMMON_FIELDS, "bdb_uid", "settings")
    template_fields_renderers: ClassVar[dict[str, str]] = {"settings": "json"}

    def __init__(
        self,
        *,
        bdb_uid: int | str,
        settings: Mapping[str, object] | str | None = None,
        **kwargs: Any,  # noqa: ANN401 - of the base class and Airflow, which check them
    ) -> None:
        super().__init__(**kwargs)
        self.bdb_uid = bdb_uid
        self.settings = settings


class RedisEnterpriseUpgradeDatabaseOperator(_DatabaseOperator):
    """Operator that upgrades a database: `client.databases.upgrade`."""

    def call(self, client: ActionsClient, options: CallOptions) -> Call:
        """Return the call."""
        settings = mapping(self.settings, "settings")
        return partial(client.databases.upgrade, number(self.bdb_uid), settings, **options)


class RedisEnterpriseExportDatabaseOperator(_DatabaseOperator):
    """Operator that exports a database to `location`: `client.databases.export`."""

    template_fields: Collection[str] = (*_DatabaseOperator.template_fields, "location")
    template_fields_renderers: ClassVar[dict[str, str]] = {"settings": "json", "location": "json"}

    def __init__(
        self,
        *,
        location: Mapping[str, object] | str,
        **kwargs: Any,  # noqa: ANN401 - of the base class and Airflow, which check them
    ) -> None:
        super().__init__(**kwargs)
        self.location = location

    def call(self, client: ActionsClient, options: CallOptions) -> Call:
        """Return the call."""
        location = mapping(self.location, "location") or {}
        settings = mapping(self.settings, "settings")
        return partial(client.databases.export, number(self.bdb_uid), location, settings, **options)


class RedisEnterpriseImportDatabaseOperator(_DatabaseOperator):
    """Operator that imports `sources` into a database: `client.databases.import_`."""

    template_fields: Collection[str] = (*_DatabaseOperator.template_fields, "sources")
    template_fields_renderers: ClassVar[dict[str, str]] = {"settings": "json", "sources": "json"}

    def __init__(
        self,
        *,
        sources: Iterable[Mapping[str, object]] | str,
        **kwargs: Any,  # noqa: ANN401 - of the base class and Airflow, which check them
    ) -> None:
        super().__init__(**kwargs)
        self.sources = sources

    def call(self, client: ActionsClient, options: CallOptions) -> Call:
        """Return the call."""
        sources = decoded(self.sources, "sources")
        if not isinstance(sources, (list, tuple)):
            raise UsageError("sources is not a list of JSON objects")
        sources = cast("list[Mapping[str, object]]", sources)
        settings = mapping(self.settings, "settings")
        return partial(client.databases.import_, number(self.bdb_uid), sources, settings, **options)


class _NodeOperator(RedisEnterpriseBaseOperator):
    """Operator for one node: `node_uid` is its uid, and `settings` the body."""

    template_fields: Collection[str] = (*COMMON_FIELDS, "node_uid", "settings")
    template_fields_renderers: ClassVar[dict[str, str]] = {"settings": "json"}

    def __init__(
        self,
        *,
        node_uid: int | str,
        settings: Mapping[str, object] | str | None = None,
        **kwargs: Any,  # noqa: ANN401 - of the base class and Airflow, which check them
    ) -> None:
        super().__init__(**kwargs)
        self.node_uid = node_uid
        self.settings = settings

    def expected_ref(self) -> str:
        """Return the reference of an action of a node."""
        return "node:1/any"

    @property
    def _node(self) -> int:
        return cast("int", number(self.node_uid))  # the client refuses what is no number


class RedisEnterpriseMaintenanceOnOperator(_NodeOperator):
    """Operator that puts a node into maintenance mode: `client.nodes.maintenance_on`.

    With `check`, the client first looks whether the cluster may be worked on, and makes no call
    otherwise; the task may then be retried.
    """

    def __init__(
        self,
        *,
        check: bool = False,
        **kwargs: Any,  # noqa: ANN401 - of the base class and Airflow, which check them
    ) -> None:
        super().__init__(**kwargs)
        self.check = check

    def call(self, client: ActionsClient, options: CallOptions) -> Call:
        """Return the call."""
        settings = mapping(self.settings, "settings")
        on = client.nodes.maintenance_on
        return partial(on, self._node, settings, check=self.check, **options)


class RedisEnterpriseMaintenanceOffOperator(_NodeOperator):
    """Operator that takes a node out of maintenance mode: `client.nodes.maintenance_off`."""

    def call(self, client: ActionsClient, options: CallOptions) -> Call:
        """Return the call."""
        settings = mapping(self.settings, "settings")
        return partial(client.nodes.maintenance_off, self._node, settings, **options)


class RedisEnterpriseUpdateCrdbOperator(RedisEnterpriseBaseOperator):
    """Operator that changes an Active-Active database: `client.crdbs.update`.

    `crdb_task_id` is the id that the cluster's task is to have: with it, a retry can follow the
    task even if the worker was killed during the call. The id must be new for each run, such as
    `{{ run_id }}-{{ ti.try_number }}`; the operator refuses one that the cluster knows already.
    """

    template_fields: Collection[str] = (*COMMON_FIELDS, "crdb_guid", "changes", "crdb_task_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"changes": "json"}

    def __init__(
        self,
        *,
        crdb_guid: str,
        changes: Mapping[str, object] | str,
        crdb_task_id: str | None = None,
        **kwargs: Any,  # noqa: ANN401 - of the base class and Airflow, which check them
    ) -> None:
        super().__init__(**kwargs)
        self.crdb_guid = crdb_guid
        self.changes = changes
        self.crdb_task_id = crdb_task_id

    def call(self, client: ActionsClient, options: CallOptions) -> Call:
        """Return the call."""
        changes = mapping(self.changes, "changes") or {}
        return partial(
            client.crdbs.update, self.crdb_guid, changes, task_id=self.crdb_task_id, **options
        )

    def expected_ref(self) -> str:
        """Return the reference of a task of an Active-Active database."""
        return CRDB_TASK

    def chosen_ref(self) -> str | None:
        """Return the reference of the task with `crdb_task_id`, or None."""
        return None if self.crdb_task_id is None else f"crdb:{self.crdb_task_id}"
