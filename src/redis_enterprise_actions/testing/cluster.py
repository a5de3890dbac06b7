"""`FakeCluster`: the settings of a small cluster on 127.0.0.1, its servers and its state."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from redis_enterprise_actions.testing.server.middleware import Middleware

from .clock import Clock
from .clocked import Clocked
from .conditions import Conditions
from .crdb_links import CrdbLinks
from .identifiers import Identifiers
from .injection import Injection
from .node_changes import NodeChanges
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
from .server.chaos import ChaosRunner
from .server.nodes import NodeServers
from .server.tls import Certificates, ServerCertificates, make_tls
from .settings import HAS_V2, SeenRequest, Version, is_since
from .state.actions import (
    FakeAction,
    PlannedCalls,
    check_choice,
)
from .state.availability import Availability
from .state.bootstrap import Bootstraps
from .state.crdb_instances import InstanceRegistry
from .state.crdbs import CLUSTERS, CrdbRegistry
from .state.databases import DatabaseRegistry
from .state.health import Health
from .state.modules import ModuleRegistry
from .state.node_actions import NodeActionRegistry
from .state.shards import ShardRegistry
from .work import Work


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Self


class FakeCluster(Clocked, Conditions, CrdbLinks, Injection, NodeChanges, Scripted, Work):
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
            clock, identifiers, self.actions, shows_transfers=is_since(self.version, HAS_V2)
        )
        self.lateness = lateness
        self._modules = ModuleRegistry(clock, identifiers, self.actions)
        self._crdbs = CrdbRegistry(clock, identifiers)
        report = self._timeline.report
        self._bootstraps = Bootstraps(
            self, clock, nodes, bootstrapped=bootstrapped, report=partial(report, "bootstrap")
        )
        self._node_actions = NodeActionRegistry(
            clock, identifiers, nodes, partial(report, "node action")
        )
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
        self._chaos = ChaosRunner(clock, nodes, self.revoke_tokens, partial(report, "chaos"))
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
        async with self._nodes.lock:
            self._nodes.check_closed()
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
        closing = asyncio.create_task(self._close())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])  # nothing listens after the exit
            raise
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
        async with self._nodes.lock:
            try:
                await self._end_work()
            finally:
                await self._nodes.close()

    async def _end_work(self) -> None:
        """Cancel the work that tasks do, and await their end."""
        parts = self._timeline, self._node_actions, self._bootstraps, self._chaos
        await asyncio.gather(*(part.close() for part in parts))

    async def reset(self) -> None:
        """Return to the beginning: nothing is left of what was done since, by requests or tests.

        The nodes are started again at their ports; open connections are aborted. The clock shows
        `starts_at` again, and the `seed` gives the same identifiers once more. Attributes have the
        values that the arguments gave them; `requests` and `actions` are new.

        Resets, and starts and stops of nodes, wait for each other. If a reset fails or is
        cancelled, no node runs until the next one.

        Raises `OSError` if a port was taken, and `ScenarioError` if the cluster refuses an entry
        of its scenario.
        """
        async with self._nodes.lock:
            self._nodes.check_open()
            try:
                await self._end_work()
                await self._nodes.stop_all()
                self._nodes.forget_changes()
                self._begin()
                self._clock.start()
                await self._serve(self._nodes.start_all)
            except BaseException:
                await self._end_work()
                await self._nodes.stop_all()
                self._middleware.admit()  # for nodes that the caller starts
                raise

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
    def lateness(self) -> float:
        """Delay in seconds until databases and node actions show what was begun. It may be set."""
        return self._databases.lateness

    @lateness.setter
    def lateness(self, seconds: float) -> None:
        if not seconds >= 0:
            raise ValueError("lateness is in seconds, 0 or more")
        self._databases.lateness = seconds

    @property
    def _certificates(self) -> ServerCertificates:
        if self._tls is None:
            raise RuntimeError("the cluster has no certificates: tls was not asked for")
        return self._tls

    def _app(self, node: int) -> web.Application:
        """Return the application of one node: all share the same state."""
        app = web.Application(middlewares=[self._middleware.for_node(node)])
        app.on_response_prepare.append(self._middleware.complete)
        version, has_v2 = self.version, is_since(self.version, HAS_V2)
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
