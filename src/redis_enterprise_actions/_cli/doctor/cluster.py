"""What the cluster answers to one whom it knows, in words: credentials, permissions, versions.

From values to results. Refuses to ask anybody.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from redis_enterprise_actions._client.wire.actions import read_actions
from redis_enterprise_actions._client.wire.error_body import error_code_of
from redis_enterprise_actions._client.wire.lenient_json import (
    TextOrInt,
    as_text,
    decode,
    decode_struct,
)
from redis_enterprise_actions._model.errors import (
    AuthenticationError,
    RequestRejected,
    UnreadableReply,
)
from redis_enterprise_actions._model.text import one_line

from .result import CheckResult, Level


_LONGEST = 60  # characters of a version, or a name


class Route(NamedTuple):
    """A route that waits need, what it shows, and the permission that its page asks for."""

    path: str
    what: str
    permission: str
    needed: bool = False
    query: str = ""


_TO_API: Final = "check that the URL is that of the REST API itself (port 9443), without a path"
NODES: Final = Route("/v1/nodes", "the nodes", "view_all_nodes_info")
STATUS: Final = Route("/v1/nodes/status", "the nodes' roles", "view_node_info")
V2: Final = Route("/v2/actions", "actions of /v2", "view_status_of_cluster_action")


# requests/actions, requests/nodes/actions, requests/crdb_tasks, requests/bdbs.
LISTS: Final = (
    Route("/v1/actions", "actions", "view_status_of_cluster_action", needed=True),
    Route("/v1/nodes/actions", "actions of nodes", "view_status_of_all_node_actions"),
    Route("/v1/crdb_tasks", "tasks of Active-Active databases", "view_crdb_task_list"),
    Route("/v1/bdbs", "databases", "view_all_bdbs_info", query="?fields=uid"),
)


def accepted(who: str, status: int, body: bytes = b"") -> CheckResult:
    """Tell that the cluster believes who we are, if its answer to `NODES` shows that."""
    if status == 403 or (status < 300 and lists_nodes(body)):
        return _ok("credentials", f"the cluster accepts {who}")
    seen = f"it cannot be told whether the cluster knows {who}: {NODES.path} answers {status}"
    return _warning("credentials", f"{seen}, and no list of nodes")


def refused(who: str, error: Exception, *, tokens: bool) -> CheckResult:
    """Tell that it does not; `tokens` is whether it grants tokens for the same password."""
    said = getattr(error, "detail", None) or str(error) or type(error).__name__
    advice: str | None
    if tokens:
        seen, advice = (
            "Basic authentication is refused, but a token is granted for the same password",
            "use --auth jwt",
        )
    elif getattr(error, "error_code", None) == "password_expired":
        seen, advice = f"the password of {who} has expired", "set a new one, as in the UI"
    elif getattr(error, "status", None) == 401:
        seen, advice = f"the cluster refuses {who}", "check the user name and the secret"
    else:
        seen, advice = f"it cannot be told whether the cluster knows {who}: {said}", None
    return CheckResult(level=Level.FAILURE, check="credentials", seen=seen, advice=advice)


def credentials_not_sent() -> CheckResult:
    """Tell that there is no node to be asked."""
    seen = "not sent, nor is more looked at, as no node can be asked that is sure to be the API"
    return CheckResult(level=Level.FAILURE, check="credentials", seen=seen)


def version(status: int, body: bytes) -> CheckResult:
    """Tell which version the nodes run."""
    try:
        found = versions(body) if status < 300 else []
    except ValueError:
        found = []
    if not found:
        return _warning("version", "the list of nodes does not tell it")
    if len(found) == 1:
        return _ok("version", f"Redis Software {found[0]}")
    advice = "end the upgrade before you rely on what only newer versions have"
    return _warning("version", f"nodes run {', '.join(found)}", advice)


def primary_node(status: int, body: bytes) -> CheckResult:
    """Tell which node is the primary."""
    try:
        found = primary(body) if status < 300 else None
    except ValueError:
        found = None
    if found is None:
        return _warning("primary", "the nodes' status does not tell it")
    host = f" ({found.hostname})" if found.hostname else ""
    return _ok("primary", f"node {found.uid}{host} is the primary")


def v2_actions(status: int, body: bytes) -> CheckResult:
    """Tell whether there is a /v2."""
    if status == 404:
        return _ok("v2", "not there, as on versions before 7.22: /v1 tells all but transfers")
    if not _is_list(V2, body):
        return _warning("v2", f"{V2.path} answers {status} with what is no list")
    return _ok("v2", "there")


def allowed(right: Route, status: int, body: bytes) -> CheckResult:
    """Tell that something may be seen, if it is."""
    level = _level(right)
    if status == 404:
        seen = f"{right.what}: {right.path} is not there (404)"
        if error_code_of(body):  # documented for a list with nothing in it
            level = Level.WARNING
    elif not _is_list(right, body):
        seen = f"{right.what}: {right.path} answers {status} with what is no list"
    else:
        return _ok("permissions", f"may see {right.what}")
    return CheckResult(level=level, check="permissions", seen=seen, advice=_TO_API)


def nothing_visible() -> CheckResult:
    """Tell that nothing that was asked for with credentials can be seen."""
    seen = "none of this can be seen, so there is nothing that could be waited for"
    return CheckResult(level=Level.FAILURE, check="permissions", seen=seen, advice=_TO_API)


def denied(check: str, right: Route, error: Exception) -> CheckResult:
    """Tell that something may not be seen, or why that is not known."""
    level = _level(right)
    if isinstance(error, AuthenticationError) and error.status == 403:
        seen = f"may not see {right.what} ({right.path} answers 403)"
        advice = f"give the user a role with the permission {right.permission}"
        return CheckResult(level=level, check=check, seen=seen, advice=advice)
    said = getattr(error, "detail", None) or "no answer in time"
    hint = error.hint if isinstance(error, RequestRejected) else None
    seen = f"{right.what}: {said}"
    return CheckResult(level=level, check=check, seen=seen, advice=hint)


def _level(right: Route) -> Level:
    """Return how bad it is where a route gives no answer that can be used."""
    return Level.FAILURE if right.needed else Level.WARNING


def _is_list(right: Route, body: bytes) -> bool:
    """Return True if a body can be a list of the API, which are arrays or objects with arrays."""
    try:
        if right.needed:
            read_actions(body, right.path)
            return True
        return isinstance(decode(body, object), (dict, list))
    except (UnreadableReply, ValueError):
        return False


def _ok(check: str, seen: str) -> CheckResult:
    return CheckResult(level=Level.OK, check=check, seen=seen)


def _warning(check: str, seen: str, advice: str | None = None) -> CheckResult:
    return CheckResult(level=Level.WARNING, check=check, seen=seen, advice=advice)


class WireNode(msgspec.Struct):
    """A node, in the list and in its status: the primary's role there is "master"."""

    uid: TextOrInt = None
    software_version: str | None = None
    hostname: str | None = None
    role: str | None = None


class WireState(msgspec.Struct):
    """The status of a node's bootstrap."""

    state: str = "unknown"


class WireBootstrap(msgspec.Struct):
    """The answer of GET /v1/bootstrap."""

    bootstrap_status: WireState | None = None


class Primary(NamedTuple):
    """The primary node: its uid, and its host's name, which may be missing."""

    uid: str
    hostname: str | None


def lists_nodes(body: bytes) -> bool:
    """Return True if a body is the list of a cluster's nodes, which has one with a uid at least."""
    try:
        nodes = [_node(raw) for raw in decode(body, list[msgspec.Raw])]
    except ValueError:
        return False
    return any(node is not None and (as_text(node.uid) or "").isdecimal() for node in nodes)


def bootstrap_state(body: bytes) -> str | None:
    """Return the state of a node's bootstrap, or None for what is no answer about it."""
    try:
        status = decode_struct(body, WireBootstrap).bootstrap_status
    except ValueError:
        return None
    return None if status is None else _short(status.state)


def versions(body: bytes) -> list[str]:
    """Return the versions that nodes run, each once; raises ValueError for what is no list."""
    nodes = [_node(raw) for raw in decode(body, list[msgspec.Raw])]
    found = (node.software_version for node in nodes if node is not None)
    return sorted({_short(version) for version in found if version})


def primary(body: bytes) -> Primary | None:
    """Return the primary node, if one is said to be it; raises ValueError for what is no object."""
    for uid, raw in decode(body, dict[str, msgspec.Raw]).items():
        node = _node(raw)
        if node is not None and node.role == "master":
            host = as_text(node.hostname)
            return Primary(_short(uid), None if host is None else _short(host))
    return None


def _node(raw: msgspec.Raw) -> WireNode | None:
    try:
        return decode_struct(raw, WireNode)
    except ValueError:
        return None


def _short(text: str) -> str:
    return one_line(text)[:_LONGEST]
