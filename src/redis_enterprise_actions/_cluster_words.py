"""What the cluster answers to one whom it knows, in words: credentials, permissions, versions.

From values to findings. Refuses to ask anybody.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ._errors import AuthenticationError, RequestRejected
from ._finding import Finding, Level
from ._wire_nodes import primary, versions


class Right(NamedTuple):
    """A route that waits need, what it shows, and the permission that its page asks for."""

    path: str
    what: str
    permission: str
    needed: bool = False
    query: str = ""


NODES: Final = Right("/v1/nodes", "the nodes", "view_all_nodes_info")
STATUS: Final = Right("/v1/nodes/status", "the nodes' roles", "view_node_info")
V2: Final = Right("/v2/actions", "actions of /v2", "view_status_of_cluster_action")
# requests/actions, requests/nodes/actions, requests/crdb_tasks, requests/bdbs.
RIGHTS: Final = (
    Right("/v1/actions", "actions", "view_status_of_cluster_action", needed=True),
    Right("/v1/nodes/actions", "actions of nodes", "view_status_of_all_node_actions"),
    Right("/v1/crdb_tasks", "tasks of Active-Active databases", "view_crdb_task_list"),
    Right("/v1/bdbs", "databases", "view_all_bdbs_info", query="?fields=uid"),
)


def known(who: str) -> Finding:
    """Tell that the cluster believes who we are."""
    return _ok("credentials", f"the cluster accepts {who}")


def unknown(who: str, error: Exception, *, tokens: bool) -> Finding:
    """Tell that it does not; `tokens` is whether it grants tokens for the same password."""
    said = getattr(error, "said", None) or str(error) or type(error).__name__
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
    return Finding(level=Level.FAILURE, check="credentials", seen=seen, advice=advice)


def unasked() -> Finding:
    """Tell that there is no node to be asked."""
    seen = "not looked at, nor what comes after, as no node can be asked"
    return Finding(level=Level.WARNING, check="credentials", seen=seen)


def version(status: int, body: bytes) -> Finding:
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


def role(status: int, body: bytes) -> Finding:
    """Tell which node is the primary."""
    try:
        found = primary(body) if status < 300 else None
    except ValueError:
        found = None
    if found is None:
        return _warning("primary", "the nodes' status does not tell it")
    host = f" ({found.hostname})" if found.hostname else ""
    return _ok("primary", f"node {found.uid}{host} is the primary")


def second(status: int) -> Finding:
    """Tell whether there is a /v2."""
    if status == 404:
        return _ok("v2", "not there, as on versions before 7.22: /v1 tells all but transfers")
    return _ok("v2", "there")


def allowed(right: Right, status: int) -> Finding:
    """Tell that something may be seen."""
    if status == 404:
        return _warning("permissions", f"{right.what}: {right.path} is not there (404)")
    return _ok("permissions", f"may see {right.what}")


def denied(check: str, right: Right, error: Exception) -> Finding:
    """Tell that something may not be seen, or why that is not known."""
    level = Level.FAILURE if right.needed else Level.WARNING
    if isinstance(error, AuthenticationError) and error.status == 403:
        seen = f"may not see {right.what} ({right.path} answers 403)"
        advice = f"give the user a role with the permission {right.permission}"
        return Finding(level=level, check=check, seen=seen, advice=advice)
    said = getattr(error, "said", None) or "no answer in time"
    hint = error.hint if isinstance(error, RequestRejected) else None
    seen = f"{right.what}: {said}"
    return Finding(level=level, check=check, seen=seen, advice=hint)


def _ok(check: str, seen: str) -> Finding:
    return Finding(level=Level.OK, check=check, seen=seen)


def _warning(check: str, seen: str, advice: str | None = None) -> Finding:
    return Finding(level=Level.WARNING, check=check, seen=seen, advice=advice)
