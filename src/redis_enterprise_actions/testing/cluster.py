"""The fake's front: everything that a test can do to a cluster."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from aiohttp import web

from redis_enterprise_actions.testing.routes.actions import Routes
from redis_enterprise_actions.testing.routes.crdbs import CrdbRoutes
from redis_enterprise_actions.testing.routes.databases import BdbActions, BdbCalls, TransferCalls
from redis_enterprise_actions.testing.routes.nodes import NodeRoutes
from redis_enterprise_actions.testing.server.auth import TOKEN_MARK, Door
from redis_enterprise_actions.testing.server.chaos import Player, Trouble, draw_troubles
from redis_enterprise_actions.testing.server.faults import NO_ROUTE, Fault
from redis_enterprise_actions.testing.server.middleware import Gate, SeenRequest
from redis_enterprise_actions.testing.server.nodes import Nodes
from redis_enterprise_actions.testing.server.tls import Certificates, Tls, make_tls
from redis_enterprise_actions.testing.state.actions import (
    DEFAULT_PLAN,
    FakeAction,
    Kind,
    Plan,
    PlannedCalls,
    check_choice,
    kind_of,
    start_action,
)
from redis_enterprise_actions.testing.state.crdbs import Crdbs
from redis_enterprise_actions.testing.state.databases import (
    DATABASE_SECRET,
    Databases,
    FakeDatabase,
    Transfer,
)
from redis_enterprise_actions.testing.state.node_actions import NodeActions

from .cluster_crdbs import CrdbsFront
from .cluster_nodes import NodesFront


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

__all__ = ["DATABASE_SECRET", "TOKEN_MARK", "FakeCluster", "Version"]

Version: TypeAlias = Literal["7.4", "7.8", "7.22", "8.0"]

_HAS_V2: Final = frozenset({"7.22", "8.0"})


class FakeCluster(NodesFront, CrdbsFront):
    """A cluster of one node or more, from `async with` to its end.

    `version` is "7.4", "7.8", "7.22" or "8.0" and decides which routes there are. `username`
    and `password` are attributes, too: they are what its one user has, and everybody else is
    answered 401. `requests` lists what was asked so far, and `actions` holds the truth about each
    action by its uid. Raises `ValueError` for what no cluster could be told to do.

    - `nodes`: how many there are. They are numbered from 1, listen on ports of their own (`port`
      is that of the first; 0 takes a free one) and share everything else. `urls` tells where
      they answer, `url` where the first one does.
    - `primary` is the node that answers; it may be set, and is 1 at the start. The others
      redirect there with a 307, before they ask for credentials. While it is None, as in an
      election, every node answers 503; the body of that is a guess.
    - `handle_redirects`: every node answers itself, as with that setting of a cluster. It may be
      set at any time.
    - `redirect_to`: a base URL, such as "https://10.0.0.7:9443", that the redirects name instead
      of the primary's.
    - `basic`: whether user and password are accepted in a Basic header, as is usual. A cluster
      on which that is off (control_plane_basic_authentication) still takes them in the body of
      /v1/users/authorize.
    - `token_ttl`: how many seconds a token (JWT) is good for that was asked for without a `ttl`.
      `basic` and `token_ttl` may be set at any time, too.
    - `tls`: "self-signed" or "own-ca", a certificate for 127.0.0.1 from a CA that was made for
      it; either is made anew for each cluster, and wants `redis-enterprise-actions[testing]`.
      By default there is plain HTTP.
    - `client_certificate`: only clients with a certificate of the cluster's own CA can connect,
      and need no other credentials then.
    - `bare_node_actions`: GET /v1/nodes/actions answers a bare array instead of an object with
      one, as it is not known which of them it is. It may be set at any time, and is off.
    - `bare_crdb_tasks`: GET /v1/crdb_tasks answers a bare array, as documented, instead of
      `{"crdb_tasks": []}`, in the manner of /v1/crdbs. It may be set at any time, and is on.
    - `lateness`: for so many seconds the status of a database (with its `background_op` and how its
      exports, imports and backups stand), and what is remembered of the actions on a node or the
      cluster, still show how things stood before something was begun, cancelled or reset there.
      A database that was just made is not there yet. Calls meet things as they are, and actions
      and tasks are seen at once under their ids. It may be set at any time, and is 0 at the start.
    - `not_cancellable`: the names of the node actions ("remove") that cannot be cancelled while
      they run, but answer 409, which is a guess. There is none at the start.
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
    ) -> None:
        check_choice(Version, "version", version)
        if not token_ttl > 0:
            raise ValueError("token_ttl is in seconds, more than 0")
        if client_certificate and tls != "own-ca":
            raise ValueError('client_certificate needs tls="own-ca": its CA issues them')
        self._tls: Tls | None = None
        if tls is not None:
            check_choice(Certificates, "tls", tls)
            self._tls = make_tls(tls, client_certificate=client_certificate)
        self.version = version
        self.username = username
        self.password = password
        self.handle_redirects = handle_redirects
        self.basic = basic
        self.token_ttl = token_ttl
        self.redirect_to: str | None = None
        self.requests: list[SeenRequest] = []
        self.bare_node_actions = False
        self.bare_crdb_tasks = True
        self.not_cancellable: set[str] = set()
        self._planned_calls = PlannedCalls()
        self._door = Door(self)
        self.actions: dict[str, FakeAction] = {}
        self._databases = Databases(self.actions, shows_transfers=version in _HAS_V2)
        self.lateness = lateness
        self._bdb_calls = BdbCalls(self._databases, self._planned_calls, version=version)
        self._bdb_actions = BdbActions(self._databases, self._planned_calls, version=version)
        self._transfer_calls = TransferCalls(self._databases, self._planned_calls)
        self._routes = Routes(self.actions, self._databases)
        self._crdbs = Crdbs()
        self._crdb_routes = CrdbRoutes(self, crdbs=self._crdbs, planned_calls=self._planned_calls)
        context = None if self._tls is None else self._tls.context
        self._nodes = Nodes(nodes, port=port, app=self._app, tls=context)
        self._node_actions = NodeActions(self._nodes)
        self._node_routes = NodeRoutes(
            self, nodes=self._nodes, actions=self._node_actions, planned_calls=self._planned_calls
        )
        self._player = Player(self._nodes, self.revoke_tokens)
        self._gate = Gate(self, nodes=self._nodes, door=self._door, player=self._player)

    async def __aenter__(self) -> Self:
        epoch = time.time() - self._now()
        self._routes.epoch = self._door.epoch = epoch
        self._databases.epoch = self._crdb_routes.epoch = epoch
        await self._nodes.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._node_actions.close()
            await self._player.close()
        finally:
            await self._nodes.close()

    @property
    def url(self) -> str:
        """Where the first node answers, such as `http://127.0.0.1:43215`."""
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """Where each node answers, or did before it was stopped: it keeps its port."""
        return self._nodes.urls

    @property
    def ca_pem(self) -> str:
        """The certificate to trust, as PEM: the CA's, or the self-signed one.

        Raises `RuntimeError` if the cluster has none, as do `fingerprint` and `client_pem`.
        """
        return self._certificates.ca_pem

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the server's certificate: upper-case hex pairs, joined by colons."""
        return self._certificates.fingerprint

    @property
    def client_pem(self) -> str:
        """A key and its certificate chain, as one PEM, that a client can show."""
        if self._certificates.client_pem is None:
            raise RuntimeError("the cluster asks for no certificate: client_certificate is off")
        return self._certificates.client_pem

    @property
    def primary(self) -> int | None:
        """The node that answers, or None while there is none. It may be set."""
        return self._nodes.primary

    @primary.setter
    def primary(self, node: int | None) -> None:
        self._nodes.primary = node

    @property
    def lateness(self) -> float:
        """How many seconds it takes until databases and node actions show what has begun."""
        return self._databases.lateness

    @lateness.setter
    def lateness(self, seconds: float) -> None:
        if not seconds >= 0:
            raise ValueError("lateness is in seconds, 0 or more")
        self._databases.lateness = seconds

    async def stop_node(self, node: int) -> None:
        """Stop a node: it refuses connections from now on, and open ones are cut.

        If it was the primary, the lowest other node that runs is it at once. Raises `ValueError`
        if there is no such node, or it is stopped already.
        """
        await self._nodes.stop(node)

    async def start_node(self, node: int) -> None:
        """Let a stopped node run again, at its port, as the primary if there is none.

        Raises `ValueError` if there is no such node, it runs already or was removed, and `OSError`
        if somebody else has taken the port.
        """
        await self._nodes.start(node)

    async def restart_node(self, node: int, *, downtime: float = 30.0) -> None:
        """Stop a node and start it again `downtime` seconds of the loop's time later.

        Raises what `stop_node` and `start_node` raise. If it is cancelled in between, the node
        stays stopped.
        """
        if not downtime >= 0:
            raise ValueError("downtime is in seconds, 0 or more")
        await self.stop_node(node)
        await asyncio.sleep(downtime)
        await self.start_node(node)

    def revoke_tokens(self) -> None:
        """Make every token invalid that was issued so far.

        That is what happens to them when an upgrade across 8.0.22 changes the signing secret.
        """
        self._door.tokens.revoke()

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
    ) -> str:
        """Start an action that goes as planned, and return its uid.

        - `kind`: by default, what actions of that name are: `SM...` is a state machine; import,
          export and backup are "other", which only /v2 shows; anything else is a task.
        - `bdb_uid`: the database it works on, by default 1 for a state machine or an "other",
          none for a task; it exists from now on. `node_uid`: the node that a task runs on.
        - `shards`: those that a running state machine has pending operations on.
        """
        kind = kind or kind_of(name)
        check_choice(Kind, "kind", kind)
        if kind == "other" and self.version not in _HAS_V2:
            raise ValueError(f"version {self.version} shows no {name}: it has no /v2/actions")
        if bdb_uid is None and kind != "task":
            bdb_uid = 1
        action = start_action(
            name,
            plan,
            now=self._now(),
            uid=uid,
            kind=kind,
            bdb_uid=bdb_uid,
            node_uid=node_uid,
            shards=shards,
        )
        self._routes.add(action)
        return action.uid

    @property
    def bdbs(self) -> dict[int, FakeDatabase]:
        """The truth about each database that exists now, by its uid."""
        return self._databases.present(self._now())

    def add_bdb(self, uid: int | None = None, *, name: str | None = None) -> int:
        """Make a database that is idle, and return its uid.

        By default that is one that was never used, and the name is "db" and the uid. Raises
        `ValueError` if there is a database of that uid.
        """
        config = {} if name is None else {"name": name}
        return self._databases.add(uid, self._now(), config).uid

    def start_transfer(self, bdb_uid: int, transfer: Transfer, plan: Plan = DEFAULT_PLAN) -> None:
        """Start an export, an import or a backup of a database, which exists from now on.

        There is one on any version, although only those with a /v2 show it as an action. Its
        progress is linear whatever is planned, and its outcome "completed", "failed" or "never".
        """
        check_choice(Transfer, "transfer", transfer)
        if plan.outcome not in {None, "completed", "failed", "never"}:
            raise ValueError(f"outcome={plan.outcome!r} is none of completed, failed, never")
        linear = replace(plan, progress="linear")
        self._databases.start(transfer, bdb_uid, linear, self._now())

    def plan(self, method: str, path: str, plan: Plan, *, times: int | None = 1) -> None:
        """Plan the work that the next `times` calls start, or all if it is None.

        Those are the calls by `method` whose path begins with `path`; plans wait their turn.
        Without a plan, work takes 10 s and ends well.
        """
        self._planned_calls.add(method, path, plan, times=times)

    def forget(self, uid: str) -> None:
        """Drop the cluster's memory of an action; asking for it answers 404 from now on.

        What it does to its database goes on, and what it did to it stays.
        """
        del self.actions[uid]

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
        drop: bool = False,
        lose: bool = False,
        truncate: bool = False,
        empty: bool = False,
        bad_entry: bool = False,
        nan: bool = False,
        no_handle: bool = False,
        no_route: bool = False,
    ) -> None:
        """Make the next `times` answers go wrong, or all until `heal` if it is None.

        Only requests whose path begins with `path`, or is that and no more if `exact`, are hit; if
        `method` is given, only those with that one ("POST"), and if `node` is, only those that
        reach that node. Faults wait their turn: a request is hit by the oldest one that fits it,
        before it is redirected or asked for credentials.

        - `status` answers that instead, with `body` and `headers`; `retry_after` (seconds, or a
          date) adds that header, to a 503 unless told otherwise.
        - `delay` answers that many seconds late.
        - `drop` closes the connection without an answer. aiohttp's client repeats a GET whose
          kept-alive connection was dropped once by itself, so it may take two.
        - `lose` does what is asked, and then closes the connection without an answer. aiohttp's
          client repeats a PUT or a DELETE, too, which then finds its own work under way.
        - `truncate` cuts the connection in the middle of the body.
        - `empty` answers 200 without a body.
        - `bad_entry` spoils one entry of a list, whose status becomes the number 42: the first
          one that has not ended, or else the first. Answers that are no list stay as they are.
        - `nan` makes every progress the bare word NaN, as servers in Python write it.
        - `no_handle` leaves `action_uid`, `task_id` and `id` out of the answer to a call that
          starts something, which it does. GET is never hit.
        - `no_route` answers as a gateway in front of the cluster that has no route to it: 404,
          with {"message": "no Route matched with those values"}.
        """
        if times is not None and times < 1:
            raise ValueError("times is 1 or more, or None for ever")
        waits = retry_after is not None
        spoils = truncate or bad_entry or nan or no_handle
        if not any((status, waits, delay, drop, lose, empty, no_route, spoils)):
            raise ValueError("no fault is given")
        if empty and (status or body or waits or no_route):
            raise ValueError("an empty answer has no body, and no status but 200")
        if no_route and (status or body or waits):
            raise ValueError("a gateway with no route answers 404, and has a body of its own")
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
            status=503 if status is None and waits else status,
            body=body.encode() if isinstance(body, str) else body,
            headers=dict(headers or {}),
            delay=delay,
            drop=drop,
            lose=lose,
            truncate=truncate,
            bad_entry=bad_entry,
            nan=nan,
            no_handle=no_handle,
        )
        if retry_after is not None:
            fault.headers["Retry-After"] = str(retry_after)
        self._gate.faults.append(fault)

    def trouble(
        self, seed: int, *, horizon: float, episodes: int, longest: float = 60.0
    ) -> list[Trouble]:
        """Draw episodes of trouble by lot, let them happen from now on, and return them.

        They depend on nothing but the arguments and the number of nodes, so that a test that
        fails can be run again. `episodes` of them begin within `horizon` seconds of the loop's
        time, and none lasts longer than `longest` seconds; they may overlap, and where several
        spoil an answer, the one that began first does. What was injected goes before. When
        `horizon` and `longest` are over, all is well: every node runs that a restart has stopped,
        and there is a primary.

        Raises `ValueError` for times that are not more than 0. If a node cannot be started again,
        as its port was taken, that `OSError` is raised when the cluster is left.
        """
        self._nodes.check_open()
        troubles = draw_troubles(
            seed, nodes=len(self._nodes), horizon=horizon, episodes=episodes, longest=longest
        )
        self._player.play(troubles)
        return troubles

    def heal(self) -> None:
        """Take back every fault that is still to come, and end all trouble at once.

        If there was an election, the lowest node that runs is the primary. A node that a restart
        has stopped stays so, until `start_node`.
        """
        self._gate.faults.clear()
        self._player.end()

    # --- serving --------------------------------------------------------------------------------

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def _certificates(self) -> Tls:
        if self._tls is None:
            raise RuntimeError("the cluster has no certificates: tls was not asked for")
        return self._tls

    def _app(self, node: int) -> web.Application:
        app = web.Application(middlewares=[self._gate.at(node)])
        self._door.add_to(app)
        self._routes.add_to(app, v2=self.version in _HAS_V2)
        self._bdb_calls.add_to(app, v2=self.version in _HAS_V2)
        self._bdb_actions.add_to(app)
        self._transfer_calls.add_to(app)
        self._node_routes.add_to(app)
        self._crdb_routes.add_to(app, upgrade=self.version == "8.0")
        return app
