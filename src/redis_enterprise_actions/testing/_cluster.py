"""The fake's server: routes, credentials, faults and the log."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
import uuid
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from aiohttp import web

from . import _bodies as bodies
from ._faults import Fault, disconnect, next_fault, send_half
from ._script import TASKS_ONLY, FakeAction, Kind, Outcome, Progress, kind_of


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from aiohttp.typedefs import Handler

Version: TypeAlias = Literal["7.4", "7.8", "7.22", "8.0"]

_HAS_V2: Final = frozenset({"7.22", "8.0"})
_DONE: Final = frozenset({"completed", "vanishes", "stuck"})  # outcomes of work that was done
_TURNS: Final = 10
_REALM: Final = {"WWW-Authenticate": 'Basic realm="redis"'}
_BUSY: Final = {"SMCreateBDB": "pending", "SMDeleteBDB": "delete-pending"}
# Database objects hold secrets, and so must the fake's: this one may show up nowhere else.
DATABASE_SECRET: Final = "fake-database-secret"  # noqa: S105 - of a database that is not there


@dataclass(kw_only=True, slots=True)
class SeenRequest:
    """A request that the cluster got, and what it answered.

    `time` is the loop's, in seconds; `path` is as it was sent, still quoted; `status` is None
    until it is answered, and for ever if the connection was dropped or cut off. Headers are not
    kept.
    """

    time: float
    method: str
    path: str
    status: int | None = None


class FakeCluster:
    """A cluster of one node, from `async with` to its end.

    `version` is "7.4", "7.8", "7.22" or "8.0" and decides which routes there are. `username`
    and `password` are attributes, too: they are what its one user has, and everybody else is
    answered 401. `port` 0 takes a free one; `url` tells where it answers, over plain HTTP.
    `requests` lists what was asked so far, and `actions` holds the truth about each action by
    its uid. Raises `ValueError` for what no cluster could be told to do.
    """

    def __init__(
        self,
        *,
        version: Version = "8.0",
        username: str = "admin@example.com",
        password: str = "fake-password",  # noqa: S107 - of a cluster that is not there
        port: int = 0,
    ) -> None:
        _one_of(Version, "version", version)
        self.version = version
        self.username = username
        self.password = password
        self.actions: dict[str, FakeAction] = {}
        self.requests: list[SeenRequest] = []
        self._port = port
        self._runner: web.AppRunner | None = None
        self._epoch = 0.0
        self._gone_at: dict[int, float] = {}  # by database; inf while nothing deletes it
        self._faults: list[Fault] = []

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._gate])
        app.router.add_get("/v1/actions", self._v1_list)
        app.router.add_get("/v1/actions/bdb/{bdb_uid}", self._v1_database)
        app.router.add_get("/v1/actions/{uid}", self._v1_single)
        app.router.add_get("/v1/bdbs/{bdb_uid}", self._bdb)
        if self.version in _HAS_V2:
            app.router.add_get("/v2/actions", self._v2_list)
            app.router.add_get("/v2/actions/{uid}", self._v2_single)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._epoch = time.time() - self._now()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._runner is None:
            return
        # A connection that was just accepted takes a few turns of the loop to be known, and only
        # a known one is closed.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await self._runner.cleanup()
        self._runner = None

    @property
    def url(self) -> str:
        """Where the cluster answers, such as `http://127.0.0.1:43215`."""
        if self._runner is None:
            raise RuntimeError("the cluster runs inside `async with` only")
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    def add_action(
        self,
        name: str = "SMUpdateBDB",
        *,
        uid: str | None = None,
        kind: Kind | None = None,
        duration: float = 10.0,
        queued: float = 0.0,
        progress: Progress = "steps",
        outcome: Outcome | None = None,
        bdb_uid: int | None = None,
        node_uid: int | None = None,
        shards: Sequence[int] = (),
        error_code: str = "internal_error",
        error: str = "the cluster could not finish the job",
    ) -> str:
        """Start an action and return its uid.

        It is queued for `queued` seconds, then runs for `duration` seconds of the loop's time.

        - `kind`: by default, what actions of that name are: `SM...` is a state machine; import,
          export and backup are "other", which only /v2 shows; anything else is a task.
        - `progress`: "steps" rises with the steps of the state machine, "linear" with time;
          "stalling" stops at 60 %; "none" gives none.
        - `outcome`: "completed"; "failed" with `error_code` and `error`; "cancelled" and
          "aborted", which only tasks can be; "vanishes", as a delete does when it succeeds, and
          nothing else should; "never"; "stuck", which means done but still listed as running, a
          bug of clusters up to 8.0.2. By default a delete vanishes and all else completes.
        - `bdb_uid`: the database it works on, by default 1 for a state machine or an "other",
          none for a task; it exists from now on. `node_uid`: the node that a task runs on.
        - `shards`: those that a running state machine has pending operations on.
        """
        kind = kind or kind_of(name)
        _one_of(Kind, "kind", kind)
        _one_of(Progress, "progress", progress)
        outcome = outcome or ("vanishes" if name == "SMDeleteBDB" else "completed")
        _one_of(Outcome, "outcome", outcome)
        if duration < 0 or queued < 0:
            raise ValueError("duration and queued are seconds, 0 or more")
        if outcome in TASKS_ONLY and kind != "task":
            raise ValueError(f"a {kind} cannot be {outcome}: its family has no such status")
        if kind == "other" and self.version not in _HAS_V2:
            raise ValueError(f"version {self.version} shows no {name}: it has no /v2/actions")
        if bdb_uid is None and kind != "task":
            bdb_uid = 1
        now = self._now()
        action = FakeAction(
            uid=uid or str(uuid.uuid4()),
            name=name,
            kind=kind,
            outcome=outcome,
            progress=progress,
            began_at=now,
            runs_at=now + queued,
            ends_at=inf if outcome == "never" else now + queued + duration,
            duration=duration,
            bdb_uid=bdb_uid,
            node_uid=node_uid,
            shards=tuple(shards),
            error_code=error_code,
            error=error,
        )
        self.actions[action.uid] = action
        if bdb_uid is not None:
            deletes = name == "SMDeleteBDB" and outcome in _DONE
            known = self._gone_at.get(bdb_uid, -inf)
            known = inf if known <= now else known  # what is gone by now is made anew
            self._gone_at[bdb_uid] = min(known, action.ends_at if deletes else inf)
        return action.uid

    def forget(self, uid: str) -> None:
        """Drop the cluster's memory of an action; asking for it answers 404 from now on."""
        del self.actions[uid]

    def inject(
        self,
        *,
        times: int | None = 1,
        path: str = "/",
        status: int | None = None,
        body: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
        retry_after: float | str | None = None,
        delay: float = 0.0,
        drop: bool = False,
        truncate: bool = False,
    ) -> None:
        """Make the next `times` answers go wrong, or all until `heal` if it is None.

        Only requests whose path begins with `path` are hit. Faults wait their turn: a request
        is hit by the oldest one that fits it.

        - `status` answers that instead, with `body` and `headers`; `retry_after` (seconds, or a
          date) adds that header, to a 503 unless told otherwise.
        - `delay` answers that many seconds late.
        - `drop` closes the connection without an answer. aiohttp's client repeats a GET whose
          kept-alive connection was dropped once by itself, so it may take two.
        - `truncate` cuts the connection in the middle of the body.
        """
        if times is not None and times < 1:
            raise ValueError("times is 1 or more, or None for ever")
        if not (status or retry_after is not None or delay or drop or truncate):
            raise ValueError("no fault is given")
        fault = Fault(
            path=path,
            times=inf if times is None else times,
            status=503 if status is None and retry_after is not None else status,
            body=body.encode() if isinstance(body, str) else body,
            headers=dict(headers or {}),
            delay=delay,
            drop=drop,
            truncate=truncate,
        )
        if retry_after is not None:
            fault.headers["Retry-After"] = str(retry_after)
        self._faults.append(fault)

    def heal(self) -> None:
        """Take back every fault that is still to come."""
        self._faults.clear()

    # --- serving --------------------------------------------------------------------------------

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let faults happen, ask for credentials, and keep the log."""
        seen = SeenRequest(time=self._now(), method=request.method, path=request.raw_path)
        self.requests.append(seen)
        response = await self._answer(request, handler)
        if response is None:
            return web.Response()  # to nobody: the connection is gone
        seen.status = response.status
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse | None:
        fault = next_fault(self._faults, request.path)
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.drop:
                disconnect(request)
                return None
            if fault.status is not None:
                return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
        try:
            response = await handler(request) if self._may_ask(request) else _unauthorized()
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=error.text)
        if fault is not None and fault.truncate:
            await send_half(request, response)
            return None
        return response

    def _may_ask(self, request: web.Request) -> bool:
        pair = f"{self.username}:{self.password}".encode()
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, b"Basic " + base64.b64encode(pair))

    async def _v1_list(self, _: web.Request) -> web.Response:
        shown = self._shown()
        return web.json_response({
            "actions": [self._v1(action) for action in shown if action.kind == "task"],
            "state-machines": [
                self._v1(action) for action in shown if action.kind == "state-machine"
            ],
        })  # fmt: skip

    async def _v1_single(self, request: web.Request) -> web.Response:
        action = self._shown_one(request)
        if action is None or action.kind == "other":
            return _not_known(request)
        return web.json_response(self._v1(action))

    async def _v1_database(self, request: web.Request) -> web.Response:
        bdb_uid = self._database(request)
        return web.json_response([
            self._v1(action)
            for action in self._shown()
            if action.kind == "state-machine" and action.bdb_uid == bdb_uid
        ])  # fmt: skip

    async def _v2_list(self, _: web.Request) -> web.Response:
        return web.json_response([self._v2(action) for action in self._shown()])

    async def _v2_single(self, request: web.Request) -> web.Response:
        action = self._shown_one(request)
        return _not_known(request) if action is None else web.json_response(self._v2(action))

    async def _bdb(self, request: web.Request) -> web.Response:
        bdb_uid = self._database(request)
        database: dict[str, object] = {
            "uid": bdb_uid,
            "name": f"db{bdb_uid}",
            "status": "active",
            "authentication_admin_pass": DATABASE_SECRET,
            "background_op": [{"status": "idle"}],
        }
        running = [
            action
            for action in self._shown()
            if action.bdb_uid == bdb_uid and self._now() < action.ends_at
        ]
        if running:
            database["status"] = _BUSY.get(running[0].name, "active-change-pending")
            database["action_uid"] = running[0].uid
            database["background_op"] = [
                {"name": running[0].name, "progress": 0, "status": "pending"}
            ]
        return web.json_response(database)

    def _database(self, request: web.Request) -> int:
        """Return the uid of the database that a path names; answer 404 if there is none."""
        text = request.match_info["bdb_uid"]
        uid = int(text) if text.isdecimal() else None
        if uid is None or self._now() >= self._gone_at.get(uid, -inf):
            raise web.HTTPNotFound(
                text=json.dumps({"error_code": "db_not_exist", "description": "no such database"})
            )
        return uid

    def _shown(self) -> list[FakeAction]:
        now = self._now()
        return [
            action
            for action in self.actions.values()
            if action.outcome != "vanishes" or now < action.ends_at
        ]

    def _shown_one(self, request: web.Request) -> FakeAction | None:
        uid = request.match_info["uid"]
        return next((action for action in self._shown() if action.uid == uid), None)

    def _v1(self, action: FakeAction) -> dict[str, object]:
        shape = bodies.task if action.kind == "task" else bodies.machine
        return shape(action, self._now(), self._epoch)

    def _v2(self, action: FakeAction) -> dict[str, object]:
        return bodies.v2(action, self._now(), self._epoch)


def _one_of(choice: object, name: str, value: object) -> None:
    if value not in get_args(choice):
        raise ValueError(f"{name}={value!r} is none of {', '.join(get_args(choice))}")


def _unauthorized() -> web.Response:
    return web.Response(status=401, headers=_REALM)


def _not_known(request: web.Request) -> web.Response:
    said = f"Action {request.match_info['uid']} does not exist"
    return web.json_response({"description": said, "error_code": "action_not_found"}, status=404)
