"""Objects that calls are for, and the evidence that each leaves of a call that was executed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote


if TYPE_CHECKING:
    from .calls import Call


CREATED, CHANGED, DELETED, TRANSFER = "created", "changed", "deleted", "transfer"
ACTION, CRDB, BOOTSTRAP, OTHER = "action", "crdb", "bootstrap", "other"
_UPDATE, _UPGRADE = frozenset({"SMUpdateBDB"}), frozenset({"SMUpgradeBDB"})
_CREATE, _RECOVER, _DELETE = "SMCreateBDB", "SMRecoverBDB", "SMDeleteBDB"
# State machines that only one call starts
_OWN = frozenset({_CREATE, _RECOVER, _DELETE}) | _UPGRADE


class Target(NamedTuple):
    """Object of a call.

    `ref` is the reference of the work, without its run, where the call names it. `machines` are the
    state machines that a call starts on a database, empty where no page names them. A `repeatable`
    call does no harm if the cluster executes it a second time.
    """

    kind: str = OTHER
    uid: str = ""
    ref: str = ""
    machines: frozenset[str] = frozenset()
    repeatable: bool = False

    @property
    def is_named(self) -> bool:
        """True if the call alone starts its state machines, so that they tell of it."""
        return bool(self.machines) and self.machines <= _OWN

    def may_start(self, machine: str) -> bool:
        """Return True if the call may have started a state machine of this name."""
        return machine in self.machines if self.machines else machine not in _OWN


def _row(
    methods: str,
    path: str,
    kind: str,
    machines: frozenset[str] = frozenset(),
    *,
    twice: bool = False,
) -> tuple[frozenset[str], re.Pattern[str], Target]:
    target = Target(kind, machines=machines, repeatable=twice)
    return frozenset(methods.split()), re.compile(path, re.ASCII), target


_BDB = r"/v\d/bdbs/(?P<bdb>\d{1,18})"
_ALL = "POST PUT PATCH DELETE"
# The first row that matches applies. What may be sent twice is the client's table: docs/outages.md.
_ROWS = (
    _row("POST", r"/v[12]/bdbs", CREATED, frozenset({_CREATE})),
    _row("PUT", _BDB, CHANGED, _UPDATE, twice=True),
    _row("DELETE", _BDB, DELETED, frozenset({_DELETE}), twice=True),
    _row("POST", rf"{_BDB}/actions/(?P<transfer>export|import)", TRANSFER),
    _row("PUT", rf"{_BDB}/actions/(?:rebalance|revamp)", CHANGED, _UPDATE, twice=True),
    _row("POST", rf"{_BDB}/actions/recover", CHANGED, frozenset({_RECOVER})),
    _row("POST", rf"{_BDB}/upgrade", CHANGED, _UPGRADE, twice=True),
    _row("POST", rf"{_BDB}/modules/(?:upgrade|config)", CHANGED, _UPGRADE | _UPDATE, twice=True),
    _row("POST", rf"{_BDB}/actions/(?:stop|resume)_traffic", CHANGED, twice=True),
    _row(_ALL, rf"{_BDB}/.+", CHANGED),
    _row("POST", r"/v1/nodes/(?P<node>\d{1,18})/actions/(?P<action>[a-z_]+)", ACTION),
    _row("POST", r"/v1/cluster/actions/(?P<action>[a-z_]+)", ACTION),
    _row("POST", r"/v1/bootstrap/(?:create_cluster|join_cluster|recover_cluster)", BOOTSTRAP),
    _row("PUT", r"/v1/crdbs/[^/]+/purge", OTHER),  # its page has no X-Task-ID
    _row(_ALL, r"/v1/crdbs(?:/.*)?", CRDB),
)
# Requests of the named calls; each `{}` is the first argument
_REQUESTS = {
    "databases.create": ("POST", "/v1/bdbs"),
    "databases.update": ("PUT", "/v1/bdbs/{}"),
    "databases.delete": ("DELETE", "/v1/bdbs/{}"),
    "databases.upgrade": ("POST", "/v1/bdbs/{}/upgrade"),
    "databases.rebalance": ("PUT", "/v1/bdbs/{}/actions/rebalance"),
    "databases.export": ("POST", "/v1/bdbs/{}/actions/export"),
    "databases.import_": ("POST", "/v1/bdbs/{}/actions/import"),
    "nodes.maintenance_on": ("POST", "/v1/nodes/{}/actions/maintenance_on"),
    "nodes.maintenance_off": ("POST", "/v1/nodes/{}/actions/maintenance_off"),
    "nodes.remove": ("POST", "/v1/nodes/{}/actions/remove"),
    "cluster.create": ("POST", "/v1/bootstrap/create_cluster"),
    "cluster.join": ("POST", "/v1/bootstrap/join_cluster"),
    "cluster.recover": ("POST", "/v1/bootstrap/recover_cluster"),
    "cluster.change_primary": ("POST", "/v1/cluster/actions/change_master"),
    "cluster.upload_module": ("POST", "/v2/modules"),
    "shards.migrate": ("POST", "/v1/shards/actions/migrate"),
    "shards.fail_over": ("POST", "/v1/shards/actions/failover"),
    "crdbs.create": ("POST", "/v1/crdbs"),
    "crdbs.update": ("PATCH", "/v1/crdbs/{}"),
    "crdbs.flush": ("PUT", "/v1/crdbs/{}/flush"),
    "crdbs.delete": ("DELETE", "/v1/crdbs/{}"),
}


def request_of(call: Call, database_uid: int | None) -> tuple[str, str]:
    """Return the method and the path of a call.

    `database_uid` is the uid of the database, if the call has one by its name.
    """
    if not call.resource:
        return call.method, call.path
    method, path = _REQUESTS.get(f"{call.resource}.{call.name}", ("", ""))
    first = next(iter(call.arguments.values()), "") if database_uid is None else database_uid
    return method, path.format(first if "{}" in path else "")


def target_of(call: Call, database_uid: int | None = None) -> Target:
    """Return the object that a call is for."""
    method, path = request_of(call, database_uid)
    for methods, pattern, target in _ROWS:
        match = pattern.fullmatch(path)
        if match is not None and method in methods:
            groups = match.groupdict()
            uid = groups.get("bdb") or ""
            return target._replace(uid=uid, ref=_reference(target, groups, call))
    return Target()


def _reference(target: Target, groups: dict[str, str], call: Call) -> str:
    if target.kind == TRANSFER:
        return f"{groups['transfer']}:{groups['bdb']}"
    if target.kind in {CHANGED, DELETED}:
        return f"bdb:{groups['bdb']}"
    if target.kind == ACTION:
        node = groups.get("node")
        return f"node:{node}/{groups['action']}" if node else f"cluster:{groups['action']}"
    if target.kind == CRDB:
        task = task_id_of(call)
        return f"crdb:{task}" if task else ""
    if target.kind == BOOTSTRAP:
        node = str(call.arguments.get("node") or "").strip()
        return f"bootstrap:{node}" if node else "bootstrap"
    return ""


def task_id_of(call: Call) -> str | None:
    """Return the id that a call gives to its task of an Active-Active database, or None."""
    for name, value in (call.headers or {}).items():
        if name.casefold() == "x-task-id":
            return unquote(str(value)).strip()
    given = call.arguments.get("task_id")
    return None if given is None else str(given).strip()


def with_task_id(call: Call, task_id: str) -> Call:
    """Return a call that gives an id to its task."""
    return call._replace(headers={**(call.headers or {}), "X-Task-ID": task_id})
