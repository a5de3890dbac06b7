"""Table of the API calls that start long work, and what to follow after each.

A call is followed by the handle in its answer. Where the answer has none, the table names the
object that shows the end instead, or says that there is none.
Vendor pages: those under requests/ of the REST API's reference, of 7.4 to 8.0.
"""

from __future__ import annotations

import enum
import re
import shlex
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from redis_enterprise_actions._client.wire.databases import DELETE_DATABASE
from redis_enterprise_actions._model.reference import GONE, Reference, ReferenceKind


if TYPE_CHECKING:
    from collections.abc import Mapping

_NONE: Final[frozenset[str]] = frozenset()
_UPDATE: Final = frozenset({"SMUpdateBDB"})
_UPGRADE: Final = frozenset({"SMUpgradeBDB"})
_RECOVER: Final = frozenset({"SMRecoverBDB"})
_DELETE: Final = frozenset({DELETE_DATABASE})
# State machines that only the calls of certain rows start.
_OWN_MACHINES: Final = frozenset({"SMCreateBDB"}) | _UPGRADE | _RECOVER | _DELETE
_DRY_RUN: Final = frozenset({"dry_run"})
_BLUEPRINT: Final = frozenset({"dry_run", "only_failovers", "max_operations"})


class Follow(enum.Enum):
    """Object to follow after a call whose answer has no handle."""

    CREATED = enum.auto()  # the database in the answer
    CHANGED = enum.auto()  # the database in the path, which the answer shows
    DATABASE = enum.auto()  # the database in the path
    DELETED = enum.auto()  # the database in the path, until it is gone
    TRANSFER = enum.auto()  # the status of an export or import, in the database
    NODE_ACTION = enum.auto()  # the action of the node, or of the cluster, in the path
    NODE_ACTION_CANCEL = enum.auto()  # the same: the cluster accepts a cancel before the end
    CRDB_TASK = enum.auto()  # the task with the id that the request has sent
    CRDB_TASK_CANCEL = enum.auto()  # the task in the path
    OPTIONAL_ACTION = enum.auto()  # none: the answer names an action if there is one
    SYNCHRONOUS = enum.auto()  # none: the cluster answers when the work is done
    BOOTSTRAP = enum.auto()  # the bootstrap of the node that is called
    ACTION_ONLY = enum.auto()  # none: the answer has to name an action


_ACCEPTED: Final = "the cluster accepted it (202), and the answer names nothing to follow"
NO_HANDLE: Final[Mapping[Follow, str]] = {
    Follow.CRDB_TASK: "the answer names no task of the Active-Active database",
    Follow.OPTIONAL_ACTION: _ACCEPTED,
    Follow.SYNCHRONOUS: _ACCEPTED,
}


class CallRule(NamedTuple):
    """Row of the table. `query` and `body` are the settings that the API reads from there.

    `timeout` is the documented time in seconds after which the cluster gives up a call that it
    answers when the work is done; None where the pages name none. `repeatable` says that the call
    may be sent again after a 503, if the cluster shows nothing that it has begun. `machines` are
    the names of the state machines that the call starts; empty where no page or capture names them.
    """

    methods: str
    path: re.Pattern[str]
    follow: Follow
    query: frozenset[str] = _NONE
    body: frozenset[str] = _NONE
    timeout: float | None = None
    repeatable: bool = False
    machines: frozenset[str] = _NONE

    def may_start(self, machine: str) -> bool:
        """Return True if the call may have started a state machine of this name."""
        return machine in self.machines if self.machines else machine not in _OWN_MACHINES


def _rule(
    methods: str,
    path: str,
    follow: Follow,
    *,
    query: frozenset[str] = _NONE,
    body: frozenset[str] = _NONE,
    timeout: float | None = None,
    repeatable: bool = False,
    machines: frozenset[str] = _NONE,
) -> CallRule:
    pattern = re.compile(path, re.ASCII)
    return CallRule(methods, pattern, follow, query, body, timeout, repeatable, machines)


_BDB: Final = r"/v\d/bdbs/(?P<bdb>\d{1,18})"
_NODE: Final = r"/v1/nodes/(?P<node>\d{1,18})/actions/(?P<action>[a-z_]+)"
_CLUSTER: Final = r"/v1/cluster/actions/(?P<action>[a-z_]+)"
_TRAFFIC: Final = r"(?:stop|resume)_traffic"
_RESET: Final = r"(?:backup|export|import)_reset_status"
# x-timeout-seconds of the three calls in requests/cluster/certificates
_CERTIFICATES_TIMEOUT: Final = 900.0
_MODULES: Final = r"/v1/modules/(?:upgrade|config)/bdb/(?P<bdb>\d{1,18})"
_SHARDS: Final = r"/v1/shards/(?:\d+/)?actions/(?:migrate|failover)"
_ROLES: Final = r"/v1/(?:users|roles|redis_acls|ldap_mappings)(?:/\d+)?"

# The first row that matches a call applies. A row is repeatable where the pages, or the state that
# the call sets, show that the same call a second time does no harm, even if the first one was
# executed later than the client looked. Not repeatable are, among others:
# - POST bdbs: it would create a second database
# - import, flush, recover: they replace or drop data, also what was written since the first call
# - maintenance_on and maintenance_off: activations stack, and each needs one `maintenance_off`
# - remove: its page does not say what a second removal does
# - cancels of node actions: they remove the result of a run that has ended
# - calls after which nothing shows whether they were executed: shards, users, modules, purge ...
CALL_RULES: Final[tuple[CallRule, ...]] = (
    # requests/bdbs: the answer is the database, with an action_uid
    _rule("POST", r"/v[12]/bdbs", Follow.CREATED, query=_DRY_RUN),
    _rule(  # sets the same values
        "PUT", _BDB, Follow.CHANGED, query=_DRY_RUN, repeatable=True, machines=_UPDATE
    ),
    _rule(  # the cluster gives a new database another uid, unless the call names this one
        "DELETE", _BDB, Follow.DELETED, repeatable=True, machines=_DELETE
    ),
    # requests/bdbs/actions/...: an action_uid, but for export and import, which name nothing
    _rule("POST", rf"{_BDB}/actions/(?P<transfer>export)", Follow.TRANSFER, repeatable=True),
    _rule("POST", rf"{_BDB}/actions/(?P<transfer>import)", Follow.TRANSFER),
    _rule(  # what is placed well already stays where it is
        "PUT",
        rf"{_BDB}/actions/(?:rebalance|revamp)",
        Follow.DATABASE,
        query=_BLUEPRINT,
        repeatable=True,
        machines=_UPDATE,
    ),
    _rule("POST", rf"{_BDB}/actions/recover", Follow.DATABASE, machines=_RECOVER),
    # requests/bdbs/upgrade, requests/bdbs/modules/...: the same version or the same settings
    _rule("POST", rf"{_BDB}/upgrade", Follow.DATABASE, repeatable=True, machines=_UPGRADE),
    _rule(
        "POST",
        rf"{_BDB}/modules/(?:upgrade|config)",
        Follow.DATABASE,
        repeatable=True,
        machines=_UPGRADE | _UPDATE,
    ),
    _rule("POST", _MODULES, Follow.DATABASE, repeatable=True, machines=_UPGRADE | _UPDATE),
    _rule("POST", rf"{_BDB}/actions/{_TRAFFIC}", Follow.DATABASE, repeatable=True),  # a switch
    _rule("PUT", rf"{_BDB}/actions/{_RESET}", Follow.DATABASE, repeatable=True),
    # all else below a database
    _rule("POST PUT PATCH DELETE", rf"{_BDB}/.+", Follow.DATABASE),
    # requests/shards/actions/...: an action_uid; the shards may be of several databases
    _rule("POST", _SHARDS, Follow.ACTION_ONLY, body=_DRY_RUN),
    # requests/nodes/actions, requests/cluster/actions: a task_id, if anything
    _rule("POST", _NODE, Follow.NODE_ACTION),
    _rule("DELETE", _NODE, Follow.NODE_ACTION_CANCEL),
    _rule(  # it names the node that is to be the primary one
        "POST",
        r"/v1/cluster/actions/(?P<action>change_master)",
        Follow.NODE_ACTION,
        repeatable=True,
    ),
    _rule("POST", _CLUSTER, Follow.NODE_ACTION),
    _rule("DELETE", _CLUSTER, Follow.NODE_ACTION_CANCEL),
    # requests/bootstrap: a status code; the check of a configuration is answered when it is done
    _rule("POST", r"/v1/bootstrap/validate/.+", Follow.SYNCHRONOUS),
    _rule("POST", r"/v1/bootstrap(?:/.*)?", Follow.BOOTSTRAP),
    # requests/crdbs/..., requests/crdb_tasks: a crdb_task, dry runs included
    _rule("POST", r"/v1/crdb_tasks/(?P<task>[^/]+)/actions/cancel", Follow.CRDB_TASK_CANCEL),
    # X-Task-ID: the second call asks for the same task as the first
    _rule(
        "POST",
        r"/v1/crdbs(?:/[^/]+/updates)?",
        Follow.CRDB_TASK,
        query=_DRY_RUN,
        repeatable=True,
    ),
    _rule("PUT", r"/v1/crdbs/[^/]+/purge", Follow.CRDB_TASK),  # its page has no X-Task-ID
    _rule("PUT", r"/v1/crdbs/[^/]+/flush", Follow.CRDB_TASK),  # drops later writes, too
    _rule("POST PUT PATCH DELETE", r"/v1/crdbs(?:/.*)?", Follow.CRDB_TASK, repeatable=True),
    # requests/users, roles, redis_acls, ldap_mappings: an action_uid "if it exists"
    _rule("POST PUT DELETE", _ROLES, Follow.OPTIONAL_ACTION),
    # requests/modules: an action_uid (7.4 to 7.22); user-defined ones (8.0) need none
    _rule("POST PUT DELETE", r"/v2/modules/user-defined(?:/.*)?", Follow.SYNCHRONOUS),
    _rule("POST DELETE", r"/v2/modules(?:/[^/]+)?", Follow.ACTION_ONLY),
    # requests/cluster/certificates: the answer comes when the work is done, after up to 900 s
    _rule(
        "PUT",
        r"/v1/cluster/(?:certificates|update_cert)",
        Follow.SYNCHRONOUS,
        timeout=_CERTIFICATES_TIMEOUT,
    ),
    _rule(
        "POST",
        r"/v1/cluster/certificates/rotate",
        Follow.SYNCHRONOUS,
        timeout=_CERTIFICATES_TIMEOUT,
    ),
    # requests/services: the accepted requests, by service
    _rule("POST", r"/v1/(?:local/)?services", Follow.ACTION_ONLY),
)
OTHER_CALL: Final = _rule("", "", Follow.ACTION_ONLY)


def find_rule(method: str, path: str) -> tuple[CallRule, Reference | None]:
    """Return the rule of a call, and the reference of the work that its path names."""
    for rule in CALL_RULES:
        match = rule.path.fullmatch(path)
        if match is not None and method in rule.methods.split():
            return rule, _path_reference(rule.follow, match.groupdict())
    return OTHER_CALL, None


def _path_reference(follow: Follow, groups: Mapping[str, str]) -> Reference | None:
    if "transfer" in groups:
        return Reference(ReferenceKind(groups["transfer"]), groups["bdb"])
    if "bdb" in groups:
        return Reference(ReferenceKind.BDB, groups["bdb"], GONE if follow is Follow.DELETED else "")
    if "node" in groups:
        return Reference(ReferenceKind.NODE, f"{groups['node']}/{groups['action']}")
    if "action" in groups:
        return Reference(ReferenceKind.CLUSTER, groups["action"])
    if "task" in groups:
        return Reference(ReferenceKind.CRDB, unquote(groups["task"]))
    return Reference(ReferenceKind.BOOTSTRAP, "") if follow is Follow.BOOTSTRAP else None


def command_that_finds_out(follow: Follow, ref: Reference | None) -> str:
    """Return the command of the shell that shows whether a call was executed."""
    if follow is Follow.CREATED:
        return "redis-actions list --name SMCreateBDB"
    if ref is None:
        return "redis-actions list"
    if ref.kind is ReferenceKind.NODE:
        return f"redis-actions list --node {ref.numeric_uid}"
    if ref.kind is ReferenceKind.CLUSTER:
        return f"redis-actions list --name {ref.action_name}"
    if ref.kind in {ReferenceKind.CRDB, ReferenceKind.BOOTSTRAP}:
        return f"redis-actions wait {shlex.quote(str(ref))}"
    return f"redis-actions list --bdb {ref.numeric_uid}"
