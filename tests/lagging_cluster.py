"""Simulated cluster that executes one call, and shows its state with a lag.

Its answers show the state of `lag` seconds before. It has no sockets: it answers in the place of
the transport's connections.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, Literal

from redis_enterprise_actions import ClusterUnreachable
from redis_enterprise_actions._client.http.messages import Reply


if TYPE_CHECKING:
    from redis_enterprise_actions._client.http.messages import Request

EPOCH: Final = 1_800_000_000.0
OWN_ERROR, OTHER_ERROR = "ours", "theirs"  # errors of the call's work, and of other work
MISSING: Final = (404, {"error_code": "not_found", "description": "there is none"})
OLD_TIME, NEW_TIME = "2026-01-01T00:00:00Z", "2026-11-29T00:00:00Z"

# Modifying calls whose end can be known, by the kind of object that they change.
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
    ),
}
KINDS: Final = {call: kind for kind, calls in CALLS.items() for call in calls}
# Shapes in which an answer may name the work.
HANDLES: Final = ("handle", "number", "wrapped", "nested", "null", "empty", "nothing", "blank")
ReplyKind = Literal["answered", "accepted", "lost", "dropped", "503", "503 not executed"]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Scenario of one call: its work, the work before it, and the fate of the answer.

    `visible_in` is the field of a database that shows the work, or the status in `background_op`.
    `old` is the result of the work before: of a transfer, a node's action, or in `background_op`.
    `task_ids` says which results of node actions have a `task_id`: none, the old one, the new one,
    or both.
    """

    call: tuple[str, str]
    lag: float
    duration: float
    succeeds: bool = True
    visible_in: str = "status"
    busy_until: float = 0.0  # until then, other work is running on the database
    old: str = ""
    task_ids: str = "both"
    reset: str = "works"
    handle: str = "nothing"
    database_in_answer: bool = True  # the answer to the call shows the database
    reply_kind: ReplyKind = "answered"
    has_v2: bool = True

    @property
    def kind(self) -> str:
        return KINDS[self.call]


@dataclass
class LaggingCluster:
    """Simulated cluster of one scenario."""

    scenario: Scenario
    called_at: float | None = None  # loop time at which it executed the call
    reset_at: float | None = None  # loop time at which it cleared the old result of a transfer
    requests: list[str] = field(default_factory=list)

    # --- state ----------------------------------------------------------------------------------

    @property
    def ends_at(self) -> float:
        """Loop time at which the work ends."""
        assert self.called_at is not None
        return self.called_at + self.scenario.duration

    def state(self, moment: float) -> str:
        """Return the state of the work at a moment: before, during, done or failed."""
        if self.called_at is None or moment < self.called_at:
            return "before"
        if moment < self.ends_at:
            return "during"
        return "done" if self.scenario.succeeds else "failed"

    # --- answers --------------------------------------------------------------------------------

    async def answer(self, call: Request) -> Reply:
        """Answer a request."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(0.01)
        self.requests.append(f"{call.method} {call.path}")
        if call.method == "GET":
            status, body = self._read(call.path, now - self.scenario.lag)
        elif call.path.endswith("_reset_status"):
            status, body = self._reset_status(now)
        else:
            status, body = self._execute(call, now)
        headers = {"Date": formatdate(EPOCH + now, usegmt=True)}
        return Reply(status, b"" if body is None else json.dumps(body).encode(), headers)

    def _reset_status(self, now: float) -> tuple[int, object]:
        if self.scenario.reset == "refused":
            return 403, {"error_code": "forbidden"}
        if self.scenario.reset == "works":
            self.reset_at = now
        return 200, None

    def _execute(self, call: Request, now: float) -> tuple[int, object]:
        reply_kind, line = self.scenario.reply_kind, f"{call.method} {call.path}"
        if now < self.scenario.busy_until:
            return 409, {"error_code": "busy"}
        if reply_kind == "dropped":
            raise ClusterUnreachable(call.method, call.path, reason="cut off")
        if reply_kind == "503 not executed" and self.requests.count(line) == 1:
            return 503, {"error_code": "unavailable"}
        assert self.called_at is None, "the call is made twice"
        self.called_at = now
        self._task_id = call.headers.get("X-Task-ID", "crdb-1")
        if reply_kind == "lost":
            raise ClusterUnreachable(call.method, call.path, reason="cut off")
        if reply_kind == "503":
            return 503, {"error_code": "unavailable"}
        return (202 if reply_kind == "accepted" else 200), self._success_body(now)

    def _success_body(self, now: float) -> object:
        scenario, kind = self.scenario, self.scenario.kind
        if scenario.handle == "blank" or kind == "transfer":
            return None
        key = {"node": "task_id", "crdb": "id"}.get(kind, "action_uid")
        uid = self._task_id if kind == "crdb" else "new-1"
        body: dict[str, Any] = {}
        if kind in {"create", "change", "database", "delete"} and scenario.database_in_answer:
            body = self._database(now - scenario.lag, self._uid) or {"uid": self._uid}
        if kind == "create":
            body = {"uid": self._uid}
            body |= {"status": "pending"} if scenario.database_in_answer else {}
        if kind == "node" and scenario.task_ids in {"old", "none"}:
            key = "status"
            uid = "queued"
        value: object = {"null": None, "empty": "", "nothing": None}.get(scenario.handle, uid)
        if scenario.handle == "number" and kind in {"change", "database", "shards", "other"}:
            value = 12
        if scenario.handle != "nothing":
            body[key] = value
        if scenario.handle == "wrapped":
            return [body]
        return {"bdb": body} if scenario.handle == "nested" and key == "action_uid" else body

    @property
    def _uid(self) -> int:
        return 5 if self.scenario.kind == "create" else 7

    def _read(  # noqa: PLR0911 - one for each route
        self, path: str, moment: float
    ) -> tuple[int, object]:
        top, _, rest = path.removeprefix("/v1/").partition("/")
        if path.startswith("/v2/actions"):
            is_served = self.scenario.has_v2 and path == "/v2/actions"
            return self._v2_actions(moment) if is_served else MISSING
        if top == "actions":
            return self._action(rest, moment)
        if top == "bdbs" and not rest:
            found = [self._database(moment, uid) for uid in (5, 7)]
            return 200, [each for each in found if each is not None]
        if top == "bdbs":
            database = self._database(moment, int(rest))
            return MISSING if database is None else (200, database)
        if top == "crdb_tasks":
            return self._crdb_task(rest, moment)
        if path == "/v1/nodes":
            return 200, [{"uid": uid} for uid in (1, 2) if uid == 1 or not self._is_removed(moment)]
        if path == "/v1/nodes/2":
            return MISSING if self._is_removed(moment) else (200, {"uid": 2})
        if path == self.scenario.call[1]:
            return self._node_action(moment)
        return MISSING

    def _is_removed(self, moment: float) -> bool:
        return self.scenario.call[1].endswith("/remove") and self.state(moment) == "done"

    def _action(self, uid: str, moment: float) -> tuple[int, object]:
        state = self.state(moment)
        there = uid in {"new-1", "12"} and state != "before"
        if self.scenario.kind == "delete" and state == "done":
            there = False  # the record is deleted with the database
        words = {"during": "active", "done": "completed", "failed": "failed"}
        name = "SMDeleteBDB" if self.scenario.kind == "delete" else "SMUpdateBDB"
        entry = {"action_uid": uid, "name": name, "object_name": f"bdb:{self._uid}"}
        if there:
            entry |= {"status": words[state], "error": OWN_ERROR}
        if not uid:
            return 200, {"actions": [], "state-machines": []}
        return (200, entry) if there else (404, {"error_code": "action_not_found"})

    def _v2_actions(self, moment: float) -> tuple[int, object]:
        state = self.state(moment)
        if self.scenario.kind != "transfer" or state == "before":
            return 200, []
        assert self.called_at is not None
        words = {"during": "running", "done": "completed", "failed": "failed"}
        more = {"object_type": "bdb", "object_uid": "7", "error": OWN_ERROR}
        return 200, [
            {
                "action_uid": "v2-1",
                "action_type": "other",
                "name": self._transfer_kind,
                "status": words[state],
                "creation_time": int(EPOCH + self.called_at),
                "additional_info": more,
            }
        ]

    @property
    def _transfer_kind(self) -> str:
        return self.scenario.call[1].rpartition("/")[2]

    def _database(self, moment: float, uid: int) -> dict[str, Any] | None:
        scenario, state = self.scenario, self.state(moment)
        changes = scenario.kind in {"change", "database", "delete"}
        idle: list[dict[str, object]] = [{"status": "idle"}]
        if scenario.old == "failed" and changes:
            idle = [{"name": "SMUpdateBDB", "status": "failed", "error": OTHER_ERROR}]
        body: dict[str, Any] = {"uid": uid, "status": "active", "background_op": idle}
        if uid == 5:
            if scenario.kind != "create" or state == "before":
                return None
            words = {"during": "pending", "done": "active", "failed": "creation-failed"}
            return body | {"status": words[state]}
        if scenario.kind == "transfer":
            return body | self._transfer_fields(moment)
        if changes and scenario.busy_until and moment < scenario.busy_until:
            return self._changed_database(body, "during")
        return self._changed_database(body, state) if changes and state != "before" else body

    def _changed_database(self, body: dict[str, Any], state: str) -> dict[str, Any] | None:
        """Return the database in a state of the work, or None if it is deleted."""
        deletes, visible_in = self.scenario.kind == "delete", self.scenario.visible_in
        name = "SMDeleteBDB" if deletes else "SMUpdateBDB"
        idle = [{"status": "idle"}]
        if state == "failed":
            failed = {"name": name, "status": "failed", "error": OWN_ERROR}
            left = "active" if visible_in == "pending" else "active-change-pending"
            return body | {"status": left, "background_op": [failed]}
        if state == "done":
            return None if deletes else body | {"background_op": idle}
        if visible_in == "status":
            busy = "delete-pending" if deletes else "active-change-pending"
            return body | {"status": busy, "background_op": idle}
        if visible_in == "action_uid":
            return body | {"action_uid": "new-1", "background_op": idle}
        return body | {"background_op": [{"name": name, "status": visible_in}]}

    def _transfer_fields(self, moment: float) -> dict[str, object]:
        state, kind = self.state(moment), self._transfer_kind
        was_reset = self.reset_at is not None and moment >= self.reset_at
        word = "" if was_reset else self.scenario.old
        if self.scenario.busy_until and moment < self.scenario.busy_until:
            word = f"{kind}ing"
        reason = OTHER_ERROR if word == "failed" else ""
        last = OLD_TIME if self.scenario.old == "succeeded" else None
        if state != "before":
            word = {"during": f"{kind}ing", "done": "succeeded", "failed": "failed"}[state]
            reason = OWN_ERROR if state == "failed" else ""
            last = NEW_TIME if state == "done" else last
        fields = {f"{kind}_status": word, f"{kind}_failure_reason": reason}
        return fields | ({"last_export_time": last} if kind == "export" else {})

    def _node_action(self, moment: float) -> tuple[int, object]:
        scenario, state = self.scenario, self.state(moment)
        if scenario.kind == "cancel":
            words = {"before": "running", "during": "cancelling", "done": "cancelled"}
            entry = {"status": words.get(state, "completed"), "task_id": "old-1"}
            return MISSING if state == "done" and scenario.old == "forgotten" else (200, entry)
        if state == "before":
            if scenario.old not in {"completed", "failed"}:
                return MISSING
            entry = {"status": scenario.old, "error_message": OTHER_ERROR}
            has_id = scenario.task_ids in {"both", "old"}
            return 200, entry | ({"task_id": "old-1"} if has_id else {})
        if self._is_removed(moment):
            return MISSING
        words = {"during": "running", "done": "completed", "failed": "failed"}
        entry = {"status": words[state], "error_message": OWN_ERROR}
        return 200, entry | ({"task_id": "new-1"} if scenario.task_ids in {"both", "new"} else {})

    def _crdb_task(self, uid: str, moment: float) -> tuple[int, object]:
        state = self.state(moment)
        if not uid:
            return 200, []
        if self.scenario.kind != "crdb" or state == "before" or uid != self._task_id:
            return MISSING
        words = {"during": "started", "done": "finished", "failed": "failed"}
        return 200, {"id": uid, "status": words[state], "errors": [{"description": OWN_ERROR}]}
