"""`FakeCluster`: the settings and the work of a small cluster on 127.0.0.1, and its faults."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final, get_args

from aiohttp import web

from redis_enterprise_actions.testing.server.middleware import Middleware

from .clock import Clock
from .clocked import Clocked
from .conditions import Conditions
from .crdb_links import CrdbLinks
from .identifiers import Identifiers
from .replay.cluster import ReplayedCluster
from .routes.actions import ActionRoutes
from .routes.availability import AvailabilityRoutes
from .routes.bootstrap import BootstrapRoutes
from .routes.cluster import ClusterRoutes
from .routes.crdbs import CrdbRoutes
from .routes.database_actions import DatabaseActionRoutes
from .routes.databases import DatabaseRoutes
from .routes.health import HealthReportRoutes, NodeCheckRoutes
from .routes.modules import ModuleRoutes
from .routes.node_actions import ClusterActionRoutes, NodeActionRoutes
from .routes.nodes import NodeRoutes
from .routes.shard_objects import ShardObjectRoutes
from .routes.shards import ShardRoutes
from .scenario.entries import Stage
from .scenario.timeline import Timeline
from .scripted import Scripted
from .server.auth import Authentication
from .server.chaos import ChaosEpisode, ChaosRunner, draw_episodes
from .server.faults import NO_ROUTE, Fault, check_fault
from .server.nodes import NodeServers
from .server.tls import Certificates, ServerCertificates, make_tls
from .settings import SeenRequest, Version, is_since
from .state.actions import (
    DEFAULT_PLAN,
    FakeAction,
    Kind,
    Plan,
    PlannedCalls,
    check_choice,
    kind_of,
    start_action,
)
from .state.availability import Availability
from .state.bootstrap import BootstrapPlan, Bootstraps, BootstrapState, Downtime
from .state.crdb_instances import InstanceRegistry
from .state.crdbs import CLUSTERS, RESULT_TTL, CrdbRegistry, FakeCrdbTask
from .state.databases import DatabaseRegistry, FakeDatabase, Transfer, check_transfer_plan
from .state.health import Health
from .state.modules import ModuleRegistry
from .state.node_actions import ClusterActionName, NodeActionName, NodeActionRegistry
from .state.shards import ShardRegistry


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_HAS_V2: Final = "7.22"  # the first version with /v2/actions


class FakeCluster(Clocked, Conditions, CrdbLinks, Scripted):
    """A small Redis Software cluster on 127.0.0.1, served inside `async with`.

    Raises `ValueError` for arguments that no cluster could have.

    - `version`: "7.4", "7.8", "7.22", "8.0", "8.0.16" or "8.2"; it decides which routes there
      are. "8.0" has no health reports, which came with 8.0.16, although it calls itself 8.0.20.
    - `username`, `password`: the credentials of its one user.
    - `nodes`: their number. Nodes are numbered from 1 and listen on ports of their own: `port` and
      those after it, or free ones if it is 0. `urls` has the URLs of all, `url` that of the first.
    - `handle_redirects`: every node answers itself, as with that setting of a cluster. Otherwise
      the nodes redirect to the `primary` with a 307, before they ask for credentials. While
      `primary` is None, as in an election, every node answers 503; its body is a guess.
    - `basic`: user and password are accepted in a Basic header, as is usual. A cluster on which
      that is off (control_plane_basic_authentication) still takes them in the body of
      /v1/users/authorize.
    - `token_ttl`: lifetime in seconds of a token (JWT) that was requested without a `ttl`.
    - `tls`: "self-signed" or "own-ca", a certificate for 127.0.0.1 from a CA of the cluster's own.
      Both need trustme. The default is plain HTTP.
    - `client_certificate`: only clients with a certificate of the cluster's own CA can connect,
      and need no other credentials then.
    - `bootstrapped`: False for nodes that are installed and in no cluster. Each answers
      GET /v1/bootstrap without credentials, and 503 to other calls, until a POST to
      /v1/bootstrap/create_cluster, join_cluster or recover_cluster has completed. Otherwise they
      are in the cluster from the beginning, and GET /v1/bootstrap is answered "completed", with
      credentials only.
    - `lateness`: seconds until the status of a database (with its `background_op`, exports,
      imports and backups) and the remembered results of node and cluster actions show what was
      begun, cancelled or reset; a new database is missing for as long. Requests act on the actual
      state, and actions and tasks are shown at once under their ids.

    - `availability_delay`: seconds until a database is available after a state machine on it has
      ended. With the default of 0, only databases that were not created or recovered are not
      available; with more, a database is not while a state machine works on it, either.
    - `sync_delay`: seconds until a database is in sync with its sources (Replica Of) after the
      state machine that set them has ended; it is syncing from half of that time on.

    - `speed`: seconds of the cluster's clock for each second of the event loop's clock. At 0 it
      stands still, so that only `advance` and `advance_to` change the time.
    - `starts_at`: the date that the clock shows at first, by default the present one.
    - `seed`: with the same seed, the identifiers and tokens that the cluster gives out are the same
      in the same order. By default they are random.

    These attributes may be set at any time: `username`, `password` and `name` (of the cluster),
    all of which a bootstrap sets, `primary`, `handle_redirects`, `basic`, `token_ttl`, `lateness`,
    `availability_delay`, `sync_delay`, `speed`, and

    - `redirect_to`: a base URL, such as "https://10.0.0.7:9443", that redirects name in place of
      the primary's.
    - `allow_modules_upload`: user-defined modules are accepted; otherwise the answer is 403. The
      default is True before 8.2, and False from then on.
    - `bare_node_actions`: GET /v1/nodes/actions answers a bare array instead of an object with
      one; which of them is right is not known. The default is False.
    - `bare_crdb_tasks`: GET /v1/crdb_tasks answers a bare array, as documented, instead of
      `{"crdb_tasks": []}`, in the manner of /v1/crdbs. The default is True.
    - `not_cancellable`: names of the node actions ("remove") whose cancel is answered 409, which
      is a guess, while they run. There is none by default.

    `requests` lists the requests so far, and `actions` has each action by its uid.
    """

    def __init__(
        self,
        *,
        version: Version = "8.0",
        username: str = "admin@example.com",
        password: str = "fake-password",  # noqa: S107 - of a cluster that is not there
        port: int = 0,
        nodes: int = 1,
        handle_redirects: bool = False,
        basic: bool = True,
        token_ttl: float = 300.0,
        tls: Certificates | None = None,
        client_certificate: bool = False,
        lateness: float = 0.0,
        bootstrapped: bool = True,
        availability_delay: float = 0.0,
        sync_delay: float = 0.0,
        speed: float = 1.0,
        starts_at: datetime | None = None,
        seed: int | None = None,
    ) -> None:
        check_choice(Version, "version", version)
        if not token_ttl > 0:
            raise ValueError("token_ttl is in seconds, more than 0")
        if client_certificate and tls != "own-ca":
            raise ValueError('client_certificate needs tls="own-ca": its CA issues them')
        self._tls: ServerCertificates | None = None
        if tls is not None:
            check_choice(Certificates, "tls", tls)
            self._tls = make_tls(tls, client_certificate=client_certificate)
        self.version: Version = version
        self._clock = Clock(speed=speed, starts_at=starts_at)
        context = None if self._tls is None else self._tls.context
        self._nodes = NodeServers(nodes, port=port, app=self._app, tls=context)
        self._begin = partial(
            self._set_up,
            username=username,
            password=password,
            handle_redirects=handle_redirects,
            basic=basic,
            token_ttl=token_ttl,
            lateness=lateness,
            bootstrapped=bootstrapped,
            availability_delay=availability_delay,
            sync_delay=sync_delay,
            seed=seed,
        )
        self._timeline = Timeline(self, self._clock)
        self._begin()

    def _set_up(
        self,
        *,
        username: str,
        password: str,
        handle_redirects: bool,
        basic: bool,
        token_ttl: float,
        lateness: float,
        bootstrapped: bool,
        availability_delay: float,
        sync_delay: float,
        seed: int | None,
    ) -> None:
        """Set the attributes that the cluster has at the beginning, and after a reset."""
        self.username = username
        self.password = password
        self.handle_redirects = handle_redirects
        self.basic = basic
        self.token_ttl = token_ttl
        self.name = CLUSTERS[0]
        self.redirect_to: str | None = None
        self.requests: list[SeenRequest] = []
        self.allow_modules_upload = not is_since(self.version, "8.2")
        self.bare_node_actions = False
        self.bare_crdb_tasks = True
        self.not_cancellable: set[str] = set()
        self.actions: dict[str, FakeAction] = {}
        clock, identifiers, nodes = self._clock, Identifiers(seed), self._nodes
        self._identifiers = identifiers
        self._planned_calls = PlannedCalls()
        self._databases = DatabaseRegistry(
            clock, identifiers, self.actions, shows_transfers=is_since(self.version, _HAS_V2)
        )
        self.lateness = lateness
        self._modules = ModuleRegistry(clock, identifiers, self.actions)
        self._crdbs = CrdbRegistry(clock, identifiers)
        self._bootstraps = Bootstraps(self, clock, nodes, bootstrapped=bootstrapped)
        self._node_actions = NodeActionRegistry(clock, identifiers, nodes)
        self._instances = InstanceRegistry(clock, self, self._crdbs)
        self._shards = ShardRegistry(clock, self._databases, self._node_actions)
        self._availability = Availability(clock, self._databases)
        self.availability_delay = availability_delay
        self.sync_delay = sync_delay
        self._health = Health(
            clock,
            nodes=nodes,
            node_actions=self._node_actions,
            databases=self._databases,
            shards=self._shards,
            availability=self._availability,
            actions=self.actions,
            crdbs=self._crdbs,
        )
        self._authentication = Authentication(self, clock, identifiers)
        self._chaos = ChaosRunner(clock, nodes, self.revoke_tokens)
        self._middleware = Middleware(
            self,
            nodes=nodes,
            authentication=self._authentication,
            chaos=self._chaos,
            states=self._bootstraps,
            clock=clock,
        )

    @staticmethod
    def replay(path: str | Path, *, port: int = 0, speed: float = 1.0) -> ReplayedCluster:
        """Return a cluster that gives the answers of a capture, to be used in `async with`.

        `path` is that of a file which `client.capture` or `--capture` has written. `port` is that
        of the first node, and `speed` the seconds of the cluster's clock for each second of the
        event loop's, both as for `FakeCluster`. See `ReplayedCluster`.

        Raises `CaptureError` for a file that cannot be read, or is no capture, and `ValueError` for
        a speed below 0.
        """
        return ReplayedCluster(path, port=port, speed=speed)

    async def __aenter__(self) -> Self:
        if self._timeline.has_scenario_begun:
            self._nodes.forget_changes()
            self._begin()
        self._clock.start()
        try:
            await self._serve(self._nodes.open)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        problems = self._timeline.problems
        await self._close()
        if problems and exc is None:
            raise problems[0]

    async def _serve(self, listen: Callable[[], Awaitable[None]]) -> None:
        """Let the scenario begin and the nodes listen; none answers before both is done."""
        await self._timeline.open(Stage.SETTINGS)
        if not self._timeline.is_deferred:
            await self._timeline.open(Stage.WORK)
        await listen()
        if not self._timeline.is_deferred:
            await self._timeline.open(Stage.NODES)
            self._timeline.begin()
        self._middleware.admit()

    async def _close(self) -> None:
        try:
            await self._end_work()
        finally:
            await self._nodes.close()

    async def _end_work(self) -> None:
        """Cancel the work that tasks do. Raises the first error of one."""
        await self._timeline.close()
        await self._node_actions.close()
        await self._bootstraps.close()
        await self._chaos.close()

    async def reset(self) -> None:
        """Return to the beginning: nothing is left of what was done since, by requests or tests.

        The nodes are started again at their ports; open connections are aborted. The clock shows
        `starts_at` again, and the `seed` gives the same identifiers once more. Attributes have the
        values that the arguments gave them; `requests` and `actions` are new.

        Raises `OSError` if a port was taken.
        """
        self._nodes.check_open()
        try:
            await self._end_work()
        finally:
            await self._nodes.stop_all()
            self._nodes.forget_changes()
            self._begin()
        self._clock.start()
        await self._serve(self._nodes.start_all)

    @property
    def url(self) -> str:
        """URL of the first node, such as `http://127.0.0.1:43215`."""
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """URL of each node; a stopped node keeps its port."""
        return self._nodes.urls

    @property
    def ca_pem(self) -> str:
        """Certificate to trust, as PEM: that of the CA, or the self-signed one.

        Raises `RuntimeError` if the cluster has none, as do `fingerprint` and `client_pem`.
        """
        return self._certificates.ca_pem

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the server's certificate: upper-case hex pairs, joined by colons."""
        return self._certificates.fingerprint

    @property
    def client_pem(self) -> str:
        """Key and certificate chain of a client, as one PEM."""
        if self._certificates.client_pem is None:
            raise RuntimeError("the cluster asks for no certificate: client_certificate is off")
        return self._certificates.client_pem

    @property
    def primary(self) -> int | None:
        """Number of the primary node, or None during an election. It may be set."""
        return self._nodes.primary

    @primary.setter
    def primary(self, node: int | None) -> None:
        self._nodes.primary = node

    @property
    def lateness(self) -> float:
        """Delay in seconds until databases and node actions show what was begun. It may be set."""
        return self._databases.lateness

    @lateness.setter
    def lateness(self, seconds: float) -> None:
        if not seconds >= 0:
            raise ValueError("lateness is in seconds, 0 or more")
        self._databases.lateness = seconds

    async def stop_node(self, node: int) -> None:
        """Stop a node: it refuses connections from now on, and open ones are aborted.

        If it was the primary, the lowest other running node becomes it at once. A node that is
        stopped before its bootstrap is as one that is still being installed; a bootstrap goes on.
        Raises `ValueError` if there is no such node, or it is stopped already.
        """
        await self._nodes.stop(node)

    async def start_node(self, node: int) -> None:
        """Start a stopped node at its port, as the primary if there is none.

        Raises `ValueError` if there is no such node, it runs already or was removed, and `OSError`
        if the port was taken.
        """
        await self._nodes.start(node)

    async def restart_node(self, node: int, *, downtime: float = 30.0) -> None:
        """Stop a node and start it again `downtime` seconds of the cluster's clock later.

        Raises the errors of `stop_node` and `start_node`. If it is cancelled in between, the node
        stays stopped.
        """
        if not downtime >= 0:
            raise ValueError("downtime is in seconds, 0 or more")
        await self.stop_node(node)
        await self._clock.sleep(downtime)
        await self.start_node(node)

    def plan_bootstrap(
        self,
        node: int,
        *,
        duration: float = 20.0,
        error_code: str | None = None,
        error_details: Mapping[str, object] | None = None,
        downtime: Sequence[Downtime] = (),
        demands_credentials_at: float = 0.5,
        stays: BootstrapState | None = None,
        settles: float = 0.0,
    ) -> None:
        """Plan the next bootstrap of a node, or the one after those that are planned.

        It takes `duration` seconds of the cluster's clock. Without a plan a bootstrap is as one
        with the defaults. Times are in seconds, and fractions those of `duration`.

        - `error_code`: it ends in state "error", with that code, such as "repair_required", and
          with `error_details`; a documented code has details as documented by default.
        - `downtime`: pairs of the fraction at which the node's services restart, and of the seconds
          that it takes. The node refuses connections then; with a third value, 502 or 503, its
          gateway answers that. A downtime may begin after the end, at a fraction of more than 1.
        - `demands_credentials_at`: the fraction from which on GET /v1/bootstrap is answered 401
          without the cluster's credentials; a bootstrap that fails never demands them. A join
          fails if no node of the cluster is reached at that moment, or the credentials are wrong.
        - `stays`: the bootstrap never ends, and stays in that state. Any of the three states of
          work means the one that fits; "idle" accepts the call and does nothing.
        - `settles`: seconds after the end for which POST /v1/bdbs is answered 406
          (invalid_version).

        Raises `ValueError` if there is no such node, if it is in the cluster, and for values that
        do not fit.
        """
        plan = BootstrapPlan(
            duration=duration,
            error_code=error_code,
            error_details=error_details,
            downtime=downtime,
            demands_credentials_at=demands_credentials_at,
            stays=stays,
            settles=settles,
        )
        self._bootstraps.plan(node, plan)

    def bootstrap_state(self, node: int) -> BootstrapState:
        """Return the true state of a node's bootstrap, even while the node cannot be reached.

        Raises `ValueError` if there is no such node.
        """
        self._nodes.check(node)
        return self._bootstraps.state(node)

    def revoke_tokens(self) -> None:
        """Make all tokens invalid that were issued so far.

        An upgrade across 8.0.22 does so, as it changes the signing secret.
        """
        self._authentication.revoke_tokens()

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
        """
        kind = kind or kind_of(name)
        check_choice(Kind, "kind", kind)
        if kind == "other" and not is_since(self.version, _HAS_V2):
            raise ValueError(f"version {self.version} shows no {name}: it has no /v2/actions")
        if bdb_uid is None and kind != "task":
            bdb_uid = 1
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

        Raises `ValueError` if there is no such node or action, or that action runs there already.
        """
        self._check_member(node_uid)
        if action not in get_args(NodeActionName):
            raise ValueError(f"{action!r} is none of {', '.join(get_args(NodeActionName))}")
        if self._node_actions.is_unfinished(node_uid, action):
            raise ValueError(f"{action} runs on node {node_uid} already")
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
        self._check_member(node_uid)
        if action not in get_args(ClusterActionName):
            raise ValueError(f"{action!r} is none of {', '.join(get_args(ClusterActionName))}")
        if self._node_actions.is_unfinished(None, action):
            raise ValueError(f"{action} is under way already")
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
            raise ValueError("result_ttl is in seconds, 0 or more")
        if any(task.id == id for task in self._crdbs.running_tasks()):
            raise ValueError(f"task {id} has not ended")
        if operation == "create_crdb" or guid is None or not self._crdbs.has_had(guid):
            guid = self._crdbs.add(guid, "crdb")
        return self._crdbs.start(operation, guid, plan, task_id=id, result_ttl=result_ttl).id

    def forget(self, uid: str) -> None:
        """Remove an action from the cluster, which answers 404 to it from now on.

        Its effects on its database remain.
        """
        del self.actions[uid]
        self._databases.waiting.pop(uid, None)

    def inject(
        self,
        *,
        times: int | None = 1,
        path: str = "/",
        exact: bool = False,
        method: str | None = None,
        node: int | None = None,
        status: int | None = None,
        body: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
        retry_after: float | str | None = None,
        delay: float = 0.0,
        hang: bool = False,
        drop: bool = False,
        lose: bool = False,
        truncate: bool = False,
        empty: bool = False,
        bad_entry: bool = False,
        nan: bool = False,
        no_handle: bool = False,
        no_route: bool = False,
    ) -> None:
        """Spoil the next `times` answers, or all until `heal` if it is None.

        The fault hits requests whose path begins with `path`, or equals it if `exact`; with
        `method` (such as "POST") only those with that method, and with `node` only those to that
        node. A request is hit by the oldest fault that fits, before the node redirects it or checks
        its credentials.

        - `status` is answered instead, with `body` and `headers`; `retry_after` (seconds, or a
          date) adds that header, by default to a 503.
        - `delay` answers that many seconds late.
        - `hang` never answers, and keeps the connection open until the client closes it.
        - `drop` closes the connection without an answer. aiohttp's client repeats a GET once by
          itself if a kept-alive connection was dropped, so that it may take two.
        - `lose` does the work, and then closes the connection without an answer. aiohttp's client
          repeats a PUT or a DELETE, too, which then finds its own work under way.
        - `truncate` closes the connection in the middle of the body.
        - `empty` answers 200 without a body.
        - `bad_entry` gives one entry of a list the number 42 as its status: the first that has
          not ended, or else the first. Answers that are no list stay as they are.
        - `nan` makes every progress the bare word NaN, as servers in Python write it.
        - `no_handle` leaves `action_uid`, `task_id` and `id` out of the answer to a call that
          starts work. GET is never hit.
        - `no_route` answers as a gateway in front of the cluster that has no route to it: 404,
          with {"message": "no Route matched with those values"}.
        """
        if times is not None and times < 1:
            raise ValueError("times is 1 or more, or None for ever")
        check_fault(
            {
                "status": status,
                "body": body,
                "retry_after": retry_after,
                "delay": delay,
                "hang": hang,
                "drop": drop,
                "lose": lose,
                "truncate": truncate,
                "empty": empty,
                "bad_entry": bad_entry,
                "nan": nan,
                "no_handle": no_handle,
                "no_route": no_route,
            }
        )
        if node is not None:
            self._nodes.check(node)
        if empty:
            status = 200
        if no_route:
            status, body = 404, NO_ROUTE
            headers = {"Content-Type": "application/json", **(headers or {})}
        fault = Fault(
            path=path,
            exact=exact,
            method=method,
            node=node,
            times=inf if times is None else times,
            status=503 if status is None and retry_after is not None else status,
            body=body.encode() if isinstance(body, str) else body,
            headers=dict(headers or {}),
            delay=delay,
            hang=hang,
            drop=drop,
            lose=lose,
            truncate=truncate,
            bad_entry=bad_entry,
            nan=nan,
            no_handle=no_handle,
        )
        if retry_after is not None:
            fault.headers["Retry-After"] = str(retry_after)
        self._middleware.faults.append(fault)

    def chaos(
        self, seed: int, *, horizon: float, episodes: int, longest: float = 60.0
    ) -> list[ChaosEpisode]:
        """Start random faults and changes of nodes, derived from a seed, and return them.

        The episodes depend on nothing but the arguments and the number of nodes, so that a failed
        test can be repeated. They begin within `horizon` seconds of the cluster's clock, and each
        lasts up to `longest` seconds. Episodes may overlap; of several that spoil an answer, the
        one that began first takes effect, unless an injected fault hits the request. At the end of
        all episodes every node runs that a restart has stopped, and there is a primary.

        Raises `ValueError` for times that are not more than 0. If a node cannot be started again,
        as its port was taken, that `OSError` is raised at the end of `async with`.
        """
        self._nodes.check_open()
        drawn = draw_episodes(
            seed, nodes=len(self._nodes), horizon=horizon, episodes=episodes, longest=longest
        )
        self._chaos.run(drawn)
        return drawn

    def heal(self) -> None:
        """Remove all injected faults and end all chaos at once.

        If there was an election, the lowest running node is the primary. A node that a restart has
        stopped stays stopped, until `start_node`.
        """
        self._middleware.faults.clear()
        self._chaos.stop()

    @property
    def _certificates(self) -> ServerCertificates:
        if self._tls is None:
            raise RuntimeError("the cluster has no certificates: tls was not asked for")
        return self._tls

    def _app(self, node: int) -> web.Application:
        """Return the application of one node: all share the same state."""
        app = web.Application(middlewares=[self._middleware.for_node(node)])
        version, has_v2 = self.version, is_since(self.version, _HAS_V2)
        databases, plans, clock = self._databases, self._planned_calls, self._clock
        nodes, node_actions = self._nodes, self._node_actions
        self._authentication.add_to(app)
        BootstrapRoutes(self, self._bootstraps, clock, node=node).add_to(app)
        ActionRoutes(self.actions, databases, clock).add_to(app, v2=has_v2)
        DatabaseRoutes(databases, plans, clock, version=version).add_to(app)
        DatabaseActionRoutes(databases, plans, clock, version=version).add_to(app)
        ShardRoutes(databases, node_actions, plans, clock, version=version).add_to(app)
        NodeActionRoutes(self, node_actions, plans, clock).add_to(app)
        ModuleRoutes(self, self._modules, plans, node=node).add_to(app)
        NodeRoutes(
            self, nodes, node_actions, health=self._health, shards=self._shards, clock=clock
        ).add_to(app)
        ShardObjectRoutes(databases, self._shards, clock).add_to(app)
        AvailabilityRoutes(databases, self._availability, nodes, version=version).add_to(app)
        NodeCheckRoutes(self._health, nodes, node_actions, node=node).add_to(app)
        HealthReportRoutes(
            self,
            clock,
            health=self._health,
            nodes=nodes,
            actions=node_actions,
            databases=databases,
            shards=self._shards,
            availability=self._availability,
            instances=self._instances,
        ).add_to(app)
        ClusterRoutes(self, databases, clock).add_to(app)
        ClusterActionRoutes(self, nodes, node_actions, plans, clock).add_to(app)
        CrdbRoutes(self, self._crdbs, self._instances, plans, clock).add_to(
            app, upgrade=is_since(version, "8.0")
        )
        return app
