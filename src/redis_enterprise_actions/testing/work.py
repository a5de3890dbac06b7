"""Work of a fake cluster that a test starts, and its databases."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, get_args

from .settings import HAS_V2, is_since
from .state.actions import DEFAULT_PLAN, Kind, Plan, check_choice, kind_of, start_action
from .state.crdbs import RESULT_TTL
from .state.databases import FakeDatabase, Transfer, check_transfer_plan, check_uid
from .state.node_actions import ClusterActionName, NodeActionName
from .wrong_argument import WrongArgument


if TYPE_CHECKING:
    from collections.abc import Sequence

    from .clock import Clock
    from .identifiers import Identifiers
    from .server.nodes import NodeServers
    from .settings import Version
    from .state.actions import FakeAction, PlannedCalls
    from .state.crdb_instances import InstanceRegistry
    from .state.crdbs import CrdbRegistry, FakeCrdbTask
    from .state.databases import DatabaseRegistry
    from .state.node_actions import NodeActionRegistry


class Work:
    """The methods of `FakeCluster` that start and plan work, and add what it is done on."""

    version: Version
    actions: dict[str, FakeAction]
    _clock: Clock
    _identifiers: Identifiers
    _nodes: NodeServers
    _planned_calls: PlannedCalls
    _databases: DatabaseRegistry
    _node_actions: NodeActionRegistry
    _crdbs: CrdbRegistry
    _instances: InstanceRegistry

    def add_action(
        self,
        name: str = "SMUpdateBDB",
        plan: Plan = DEFAULT_PLAN,
        *,
        uid: str | None = None,
        kind: Kind | None = None,
        bdb_uid: int | None = None,
        node_uid: int | None = None,
        shards: Sequence[int] = (),
        when_asked_for: bool = False,
    ) -> str:
        """Start an action that goes as planned, and return its uid.

        - `kind`: by default that of actions of this name: `SM...` is a state machine; import,
          export and backup are "other", which only /v2 shows; anything else is a task.
        - `bdb_uid`: the database that the action works on, by default 1 for a state machine or an
          "other", none for a task; it exists from now on.
        - `node_uid`: the node that a task runs on.
        - `shards`: the shards on which a running state machine has pending operations.
        - `when_asked_for`: the action begins when a request first asks for it, for its database or
          for a list of actions, and not before.

        Raises `ValueError` if an action of that uid has not ended, or there is no such node, and
        for a plan or a kind that no such action has.
        """
        given, kind = kind, kind or kind_of(name)
        check_choice(Kind, "kind", kind)
        if kind == "other" and not is_since(self.version, HAS_V2):
            problem = f"version {self.version} shows no {name}: it has no /v2/actions"
            raise WrongArgument("kind" if given else "name", problem)
        before = self.actions.get(uid or "")
        if before is not None and not before.has_ended(self._clock.now()):
            raise WrongArgument("uid", f"action {uid} has not ended")
        if node_uid is not None:
            self._nodes.check(node_uid)
        if bdb_uid is None and kind != "task":
            bdb_uid = 1
        if bdb_uid is not None:
            check_uid("bdb_uid", bdb_uid, least=0)
        start = partial(
            start_action,
            name,
            plan,
            uid=uid or self._identifiers.uuid(),
            kind=kind,
            bdb_uid=bdb_uid,
            node_uid=node_uid,
            shards=shards,
        )
        action = start(now=inf if when_asked_for else self._clock.now())
        self.actions[action.uid] = action
        if when_asked_for:
            self._databases.waiting[action.uid] = lambda now: start(now=now)
        self._databases.add_action(action)
        return action.uid

    @property
    def bdbs(self) -> dict[int, FakeDatabase]:
        """Each database that exists now, by its uid."""
        return self._databases.existing()

    def add_bdb(
        self, uid: int | None = None, *, name: str | None = None, recovery: bool = False
    ) -> int:
        """Add an idle database and return its uid, by default one that was never used.

        The default of `name` is "db" and the uid. With `recovery`, it waits to be recovered, as
        databases do after the recovery of a cluster. Raises `ValueError` if there is a database of
        that uid.
        """
        if uid is None:
            uid = self._databases.next_uid
        config = {} if name is None else {"name": name}
        self._databases.add(FakeDatabase(uid=uid, made_with=config, recovery=recovery))
        return uid

    def start_transfer(self, bdb_uid: int, transfer: Transfer, plan: Plan = DEFAULT_PLAN) -> None:
        """Start an export, an import or a backup of a database, which exists from now on.

        It is started on any version, although only those with a /v2 show it as an action. Its
        progress is linear whatever `plan` says, and its outcome "completed", "failed" or "never".
        """
        check_choice(Transfer, "transfer", transfer)
        check_transfer_plan(plan)
        check_uid("bdb_uid", bdb_uid, least=0)
        self._databases.start(transfer, bdb_uid, replace(plan, progress="linear"))

    def plan(self, method: str, path: str, plan: Plan, *, times: int | None = 1) -> None:
        """Plan the work that the next `times` calls start, or all if it is None.

        The plan applies to calls by `method` whose path begins with `path`. Of several plans for a
        call, the oldest applies. Without a plan, work takes 10 s and completes.
        """
        self._planned_calls.add(method, path, plan, times=times)

    @property
    def maintenance(self) -> dict[int, int]:
        """Number of times that maintenance is on, by node that was not removed.

        Each completed `maintenance_on` adds one, each `maintenance_off` subtracts one.
        """
        return self._node_actions.maintenance()

    def start_node_action(
        self,
        node_uid: int,
        action: NodeActionName,
        plan: Plan = DEFAULT_PLAN,
        *,
        task_id: str | None = None,
    ) -> str:
        """Start an action on a node, as a POST there does, and return its task_id.

        GET on the action shows progress only if that is planned as "linear" or "stalling", because
        recorded answers have none; lists always show it. An action that "vanishes" does its work
        and is not remembered. A node whose removal completes is gone at once; it stops if another
        one runs.

        Raises `ValueError` if there is no such node or action, that action runs there already, or
        another had that task_id.
        """
        self._node_actions.check_member(node_uid)
        if action not in get_args(NodeActionName):
            problem = f"{action!r} is none of {', '.join(get_args(NodeActionName))}"
            raise WrongArgument("action", problem)
        if self._node_actions.is_unfinished(node_uid, action):
            raise WrongArgument("action", f"{action} runs on node {node_uid} already")
        if self._node_actions.has_had(task_id):
            raise WrongArgument("task_id", f"there is, or was, a task {task_id}")
        run = self._node_actions.start(action, plan, node_uid=node_uid, task_id=task_id)
        return run.work.uid

    def start_cluster_action(
        self,
        action: ClusterActionName,
        plan: Plan = DEFAULT_PLAN,
        *,
        node_uid: int,
    ) -> None:
        """Start an action of the whole cluster; "change_master" is the only one there is.

        When the action completes, `node_uid` is the primary, if that node runs.

        Raises `ValueError` if there is no such node or action, or that action runs already.
        """
        self._node_actions.check_member(node_uid)
        if action not in get_args(ClusterActionName):
            problem = f"{action!r} is none of {', '.join(get_args(ClusterActionName))}"
            raise WrongArgument("action", problem)
        if self._node_actions.is_unfinished(None, action):
            raise WrongArgument("action", f"{action} is under way already")
        self._node_actions.start(action, plan, promotes=node_uid)

    def forget_node_action(self, node_uid: int, action: NodeActionName) -> None:
        """Remove an action on a node from the cluster, which answers 404 to it from now on."""
        self._node_actions.forget(node_uid, action)

    @property
    def crdb_tasks(self) -> dict[str, FakeCrdbTask]:
        """Each Active-Active task by its id, even if the cluster has forgotten it."""
        return self._crdbs.tasks

    def add_crdb(
        self, guid: str | None = None, *, name: str = "crdb", bdb_uid: int | None = None
    ) -> str:
        """Add an Active-Active database and return its guid.

        `bdb_uid` is the database of its instance on this cluster, and may be left out. The other
        instance is on a cluster that is not there, until `link_crdb`. Raises `ValueError` if
        there is, or was, one of that guid.
        """
        guid = self._crdbs.add(guid, name)
        if bdb_uid is not None:
            self._instances.get(guid).bdb_uid = bdb_uid
        return guid

    def start_crdb_task(
        self,
        operation: str = "update_crdb",
        plan: Plan = DEFAULT_PLAN,
        *,
        guid: str | None = None,
        id: str | None = None,  # noqa: A002 - the API's name for it
        result_ttl: float = RESULT_TTL,
    ) -> str:
        """Start an Active-Active task, as requests about CRDBs do, and return its id.

        The cluster keeps the result for `result_ttl` seconds, or not at all if the task
        "vanishes". A task that is planned to be cancelled or aborted fails.

        The task works on the CRDB of that `guid`, or on a new one, which exists from now on. The
        CRDB of a "create_crdb" exists when that task has finished, and the CRDB of a
        "delete_crdb" until then.

        Raises `ValueError` if a task of that id has not ended, or if there is, or was, already a
        CRDB that is to be created.
        """
        if result_ttl < 0:
            raise WrongArgument("result_ttl", "result_ttl is in seconds, 0 or more")
        if any(task.id == id for task in self._crdbs.running_tasks()):
            raise WrongArgument("id", f"task {id} has not ended")
        if operation == "create_crdb" or guid is None or not self._crdbs.has_had(guid):
            guid = self._crdbs.add(guid, "crdb")
        return self._crdbs.start(operation, guid, plan, task_id=id, result_ttl=result_ttl).id

    def forget(self, uid: str) -> None:
        """Remove an action from the cluster, which answers 404 to it from now on.

        Its effects on its database remain.
        """
        del self.actions[uid]
        self._databases.waiting.pop(uid, None)
