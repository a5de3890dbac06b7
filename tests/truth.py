"""A cluster that knows the truth about one call, and is late in showing it.

What it shows at some moment is how things stood `late` seconds before. It has no sockets: it
answers in the place of the transport's connections.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, Literal

from redis_enterprise_actions import ClusterUnreachable
from redis_enterprise_actions._client.http.transport import Reply


if TYPE_CHECKING:
    from redis_enterprise_actions._client.http.transport import Request

EPOCH: Final = 1_800_000_000.0
OURS, THEIRS = "ours", "theirs"  # whose failure it is
MISSING: Final = (404, {"error_code": "not_found", "description": "there is none"})
OLD_TIME, NEW_TIME = "2026-01-01T00:00:00Z", "2026-11-29T00:00:00Z"

# By what it changes, each modifying call whose end can be known.
CALLS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "create": (("POST", "/v1/bdbs"), ("POST", "/v2/bdbs")),
    "change": (("PUT", "/v1/bdbs/7"),),
    "database": (
        ("PUT", "/v1/bdbs/7/flush"),
        ("PUT", "/v1/bdbs/7/reset_admin_pass"),
        ("POST", "/v1/bdbs/7/upgrade"),
        ("POST", "/v1/bdbs/7/modules/upgrade"),
        ("POST", "/v1/modules/upgrade/bdb/7"),
        ("POST", "/v1/modules/config/bdb/7"),
        ("PUT", "/v1/bdbs/7/actions/rebalance"),
        ("PUT", "/v1/bdbs/7/actions/revamp"),
        ("POST", "/v1/bdbs/7/actions/recover"),
        ("POST", "/v1/bdbs/7/actions/retry"),
        ("POST", "/v1/bdbs/7/actions/stop_traffic"),
        ("POST", "/v1/bdbs/7/actions/resume_traffic"),
    ),
    "delete": (("DELETE", "/v1/bdbs/7"),),
    "transfer": (("POST", "/v1/bdbs/7/actions/export"), ("POST", "/v1/bdbs/7/actions/import")),
    "shards": (
        ("POST", "/v1/shards/actions/migrate"),
        ("POST", "/v1/shards/3/actions/migrate"),
        ("POST", "/v1/shards/actions/failover"),
        ("POST", "/v1/shards/3/actions/failover"),
    ),
    "node": (
        ("POST", "/v1/nodes/2/actions/maintenance_on"),
        ("POST", "/v1/nodes/2/actions/maintenance_off"),
        ("POST", "/v1/nodes/2/actions/enslave_node"),
        ("POST", "/v1/nodes/2/actions/remove"),
        ("POST", "/v1/cluster/actions/change_master"),
    ),
    "cancel": (
        ("DELETE", "/v1/nodes/2/actions/maintenance_on"),
        ("DELETE", "/v1/cluster/actions/change_master"),
    ),
    "crdb": (
        ("POST", "/v1/crdbs"),
        ("PATCH", "/v1/crdbs/g"),
        ("DELETE", "/v1/crdbs/g"),
        ("POST", "/v1/crdbs/g/updates"),
        ("PUT", "/v1/crdbs/g/flush"),
        ("PUT", "/v1/crdbs/g/purge"),
        ("POST", "/v1/crdbs/g/upgrade"),
    ),
    "other": (
        ("POST", "/v2/modules"),
        ("DELETE", "/v2/modules/ab12"),
        ("POST", "/v1/services"),
        ("POST", "/v1/nodes/2"),
        ("POST", "/v1/bootstrap/create_cluster"),
    ),
}
KINDS: Final = {call: kind for kind, calls in CALLS.items() for call in calls}
# How an answer may name what was started, if it does.
HANDLES: Final = ("handle", "number", "wrapped", "nested", "null", "empty", "nothing", "blank")
Fate = Literal["answered", "accepted", "lost", "dropped", "503", "503 for nothing"]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What happens: the call, its work, what was there before, and what becomes of the answer.

    `shows` is where a database shows that something is done to it. `old` is the result that was
    there before: of a transfer, a node's action, or in `background_op`. `ids` says which results
    of node actions have a `task_id`: neither, the old one, the new one, or both.
    """

    call: tuple[str, str]
    late: float
    duration: float
    succeeds: bool = True
    shows: str = "status"
    theirs: float = 0.0  # until then, somebody else's work is under way on the database
    old: str = ""
    ids: str = "both"
    reset: str = "works"
    handle: str = "nothing"
    shown: bool = True  # the answer has the database in it, as it stands
    fate: Fate = "answered"
    v2: bool = True

    @property
    def kind(self) -> str:
        return KINDS[self.call]


@dataclass
class Truth:
    """The cluster of one plot."""

    plot: Plot
    called: float | None = None  # when the call was taken
    reset: float | None = None  # when the old result of a transfer was
    asked: list[str] = field(default_factory=list)

    # --- the truth ------------------------------------------------------------------------------

    @property
    def ends(self) -> float:
        """When the work ends, in the loop's time."""
        assert self.called is not None
        return self.called + self.plot.duration

    def step(self, moment: float) -> str:
        """Return how the work stands: not begun, under way, or ended well or not."""
        if self.called is None or moment < self.called:
            return "before"
        if moment < self.ends:
            return "during"
        return "done" if self.plot.succeeds else "failed"

    # --- answers --------------------------------------------------------------------------------

    async def once(self, call: Request) -> Reply:
        """Answer a request."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(0.01)
        self.asked.append(f"{call.method} {call.path}")
        if call.method == "GET":
            status, body = self._read(call.path, now - self.plot.late)
        elif call.path.endswith("_reset_status"):
            status, body = self._take_reset(now)
        else:
            status, body = self._take(call, now)
        headers = {"Date": formatdate(EPOCH + now, usegmt=True)}
        return Reply(status, b"" if body is None else json.dumps(body).encode(), headers)

    def _take_reset(self, now: float) -> tuple[int, object]:
        if self.plot.reset == "refused":
            return 403, {"error_code": "forbidden"}
        if self.plot.reset == "works":
            self.reset = now
        return 200, None

    def _take(self, call: Request, now: float) -> tuple[int, object]:
        fate = self.plot.fate
        if now < self.plot.theirs:
            return 409, {"error_code": "busy"}
        if fate == "dropped":
            raise ClusterUnreachable(call.method, call.path, reason="cut off")
        if fate == "503 for nothing" and self.asked.count(f"{call.method} {call.path}") == 1:
            return 503, {"error_code": "unavailable"}
        assert self.called is None, "it is called for once"
        self.called = now
        self._task_id = call.headers.get("X-Task-ID", "crdb-1")
        if fate == "lost":
            raise ClusterUnreachable(call.method, call.path, reason="cut off")
        if fate == "503":
            return 503, {"error_code": "unavailable"}
        return (202 if fate == "accepted" else 200), self._answer(now)

    def _answer(self, now: float) -> object:
        plot, kind = self.plot, self.plot.kind
        if plot.handle == "blank" or kind == "transfer":
            return None
        key = {"node": "task_id", "crdb": "id"}.get(kind, "action_uid")
        uid = self._task_id if kind == "crdb" else "new-1"
        body: dict[str, Any] = {}
        if kind in {"create", "change", "database", "delete"} and plot.shown:
            body = self._database(now - plot.late, self._uid) or {"uid": self._uid}
        if kind == "create":
            body = {"uid": self._uid, "status": "pending"} if plot.shown else {"uid": self._uid}
        if kind == "node" and plot.ids in {"old", "none"}:
            key = "status"
            uid = "queued"
        value: object = {"null": None, "empty": "", "nothing": None}.get(plot.handle, uid)
        if plot.handle == "number" and kind in {"change", "database", "shards", "other"}:
            value = 12
        if plot.handle != "nothing":
            body[key] = value
        if plot.handle == "wrapped":
            return [body]
        return {"bdb": body} if plot.handle == "nested" and key == "action_uid" else body

    @property
    def _uid(self) -> int:
        return 5 if self.plot.kind == "create" else 7

    def _read(  # noqa: PLR0911 - one for each route
        self, path: str, seen: float
    ) -> tuple[int, object]:
        top, _, rest = path.removeprefix("/v1/").partition("/")
        if path.startswith("/v2/actions"):
            return self._others(seen) if self.plot.v2 and path == "/v2/actions" else MISSING
        if top == "actions":
            return self._action(rest, seen)
        if top == "bdbs" and not rest:
            found = [self._database(seen, uid) for uid in (5, 7)]
            return 200, [each for each in found if each is not None]
        if top == "bdbs":
            database = self._database(seen, int(rest))
            return MISSING if database is None else (200, database)
        if top == "crdb_tasks":
            return self._crdb_task(rest, seen)
        if path == "/v1/nodes":
            return 200, [{"uid": uid} for uid in (1, 2) if uid == 1 or not self._removed(seen)]
        if path == "/v1/nodes/2":
            return MISSING if self._removed(seen) else (200, {"uid": 2})
        if path == self.plot.call[1]:
            return self._host_action(seen)
        return MISSING

    def _removed(self, seen: float) -> bool:
        return self.plot.call[1].endswith("/remove") and self.step(seen) == "done"

    def _action(self, uid: str, seen: float) -> tuple[int, object]:
        step = self.step(seen)
        there = uid in {"new-1", "12"} and step != "before"
        if self.plot.kind == "delete" and step == "done":
            there = False  # its record goes with the database
        words = {"during": "active", "done": "completed", "failed": "failed"}
        name = "SMDeleteBDB" if self.plot.kind == "delete" else "SMUpdateBDB"
        entry = {"action_uid": uid, "name": name, "object_name": f"bdb:{self._uid}"}
        if there:
            entry |= {"status": words[step], "error": OURS}
        if not uid:
            return 200, {"actions": [], "state-machines": []}
        return (200, entry) if there else (404, {"error_code": "action_not_found"})

    def _others(self, seen: float) -> tuple[int, object]:
        step = self.step(seen)
        if self.plot.kind != "transfer" or step == "before":
            return 200, []
        assert self.called is not None
        words = {"during": "running", "done": "completed", "failed": "failed"}
        more = {"object_type": "bdb", "object_uid": "7", "error": OURS}
        return 200, [
            {
                "action_uid": "v2-1",
                "action_type": "other",
                "name": self._transfer,
                "status": words[step],
                "creation_time": int(EPOCH + self.called),
                "additional_info": more,
            }
        ]

    @property
    def _transfer(self) -> str:
        return self.plot.call[1].rpartition("/")[2]

    def _database(self, seen: float, uid: int) -> dict[str, Any] | None:
        plot, step = self.plot, self.step(seen)
        changes = plot.kind in {"change", "database", "delete"}
        idle: list[dict[str, object]] = [{"status": "idle"}]
        if plot.old == "failed" and changes:
            idle = [{"name": "SMUpdateBDB", "status": "failed", "error": THEIRS}]
        body: dict[str, Any] = {"uid": uid, "status": "active", "background_op": idle}
        if uid == 5:
            if plot.kind != "create" or step == "before":
                return None
            words = {"during": "pending", "done": "active", "failed": "creation-failed"}
            return body | {"status": words[step]}
        if plot.kind == "transfer":
            return body | self._transfer_fields(seen)
        if changes and plot.theirs and seen < plot.theirs:
            return self._changed(body, "during")
        return self._changed(body, step) if changes and step != "before" else body

    def _changed(self, body: dict[str, Any], step: str) -> dict[str, Any] | None:
        """Return a database as the work on it makes it, or None for one that is deleted."""
        deletes, shows = self.plot.kind == "delete", self.plot.shows
        name = "SMDeleteBDB" if deletes else "SMUpdateBDB"
        idle = [{"status": "idle"}]
        if step == "failed":
            failed = {"name": name, "status": "failed", "error": OURS}
            left = "active" if shows == "pending" else "active-change-pending"
            return body | {"status": left, "background_op": [failed]}
        if step == "done":
            return None if deletes else body | {"background_op": idle}
        if shows == "status":
            busy = "delete-pending" if deletes else "active-change-pending"
            return body | {"status": busy, "background_op": idle}
        if shows == "action_uid":
            return body | {"action_uid": "new-1", "background_op": idle}
        return body | {"background_op": [{"name": name, "status": shows}]}

    def _transfer_fields(self, seen: float) -> dict[str, object]:
        step, kind = self.step(seen), self._transfer
        was_reset = self.reset is not None and seen >= self.reset
        word = "" if was_reset else self.plot.old
        if self.plot.theirs and seen < self.plot.theirs:
            word = f"{kind}ing"
        reason = THEIRS if word == "failed" else ""
        last = OLD_TIME if self.plot.old == "succeeded" else None
        if step != "before":
            word = {"during": f"{kind}ing", "done": "succeeded", "failed": "failed"}[step]
            reason = OURS if step == "failed" else ""
            last = NEW_TIME if step == "done" else last
        fields = {f"{kind}_status": word, f"{kind}_failure_reason": reason}
        return fields | ({"last_export_time": last} if kind == "export" else {})

    def _host_action(self, seen: float) -> tuple[int, object]:
        plot, step = self.plot, self.step(seen)
        if plot.kind == "cancel":
            words = {"before": "running", "during": "cancelling", "done": "cancelled"}
            entry = {"status": words.get(step, "completed"), "task_id": "old-1"}
            return MISSING if step == "done" and plot.old == "forgotten" else (200, entry)
        if step == "before":
            if plot.old not in {"completed", "failed"}:
                return MISSING
            entry = {"status": plot.old, "error_message": THEIRS}
            return 200, entry | ({"task_id": "old-1"} if plot.ids in {"both", "old"} else {})
        if self._removed(seen):
            return MISSING
        words = {"during": "running", "done": "completed", "failed": "failed"}
        entry = {"status": words[step], "error_message": OURS}
        return 200, entry | ({"task_id": "new-1"} if plot.ids in {"both", "new"} else {})

    def _crdb_task(self, uid: str, seen: float) -> tuple[int, object]:
        step = self.step(seen)
        if not uid:
            return 200, []
        if self.plot.kind != "crdb" or step == "before" or uid != self._task_id:
            return MISSING
        words = {"during": "started", "done": "finished", "failed": "failed"}
        return 200, {"id": uid, "status": words[step], "errors": [{"description": OURS}]}
