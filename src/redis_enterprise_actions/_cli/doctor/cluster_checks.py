"""Checks of the cluster with the user's credentials: credentials, version, permissions."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._client.http.messages import Request
from redis_enterprise_actions._client.http.redaction import Secret
from redis_enterprise_actions._client.sources.not_found import FIELDS_UNSUPPORTED
from redis_enterprise_actions._client.wire.actions import read_actions
from redis_enterprise_actions._client.wire.error_body import error_code_of
from redis_enterprise_actions._client.wire.lenient_json import decode
from redis_enterprise_actions._model.errors import (
    AuthenticationError,
    RedisActionsError,
    RequestError,
    RequestRejected,
    UnreadableReply,
)

from .bodies import lists_nodes, primary_node, software_versions
from .node_checks import fetch_bootstrap_state, not_in_cluster, probe
from .result import CheckResult, Level


if TYPE_CHECKING:
    from collections.abc import Callable

    from yarl import URL

    from redis_enterprise_actions._client.config.options import ClientOptions
    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport

    from .result import DiagnosticReport

_CHECK_URL: Final = "check that the URL is that of the REST API itself (port 9443), without a path"


class Route(NamedTuple):
    """GET route, its content, and the permission that its page asks for.

    Without a `required` route nothing can be waited for.
    """

    path: str
    content: str
    permission: str
    required: bool = False
    query: str = ""


NODES: Final = Route("/v1/nodes", "the nodes", "view_all_nodes_info")
NODES_STATUS: Final = Route("/v1/nodes/status", "the nodes' roles", "view_node_info")
V2_ACTIONS: Final = Route("/v2/actions", "actions of /v2", "view_status_of_cluster_action")
# requests/actions, requests/nodes/actions, requests/crdb_tasks, requests/bdbs.
LISTS: Final = (
    Route("/v1/actions", "actions", "view_status_of_cluster_action", required=True),
    Route("/v1/nodes/actions", "actions of nodes", "view_status_of_all_node_actions"),
    Route("/v1/crdb_tasks", "tasks of Active-Active databases", "view_crdb_task_list"),
    Route("/v1/bdbs", "databases", "view_all_bdbs_info", query="?fields=uid"),
)


class ClusterChecks:
    """Checks of a cluster. Each step may take `limit` seconds."""

    def __init__(
        self, options: ClientOptions, transport: Transport, limit: float, report: DiagnosticReport
    ) -> None:
        self._options = options
        self._transport = transport
        self._limit = limit
        self._report = report
        user, auth = options.get("username"), options.get("auth", "basic")
        if "token" in options:
            self._who = "the token"
        elif user is None:
            self._who = "a client certificate, or no credentials"
        else:
            credential = "a token for the password" if auth == "jwt" else "the password"
            self._who = f"{user}, by {credential}"

    async def run(self, node: URL) -> None:
        """Run the checks. The requests that take no credentials go to `node`."""
        reply = await self._get(NODES)
        results: list[CheckResult] = []
        if not isinstance(reply, Exception):
            results = [accepted(self._who, reply.status, reply.body)]
            self._report.add(results[0])
            self._report.add(version(reply.status, reply.body))
        elif getattr(reply, "status", None) == 403:
            self._report.add(accepted(self._who, 403))
            self._report.add(denied("version", NODES, reply))
        else:
            self._report.add(await self._diagnose_refusal(node, reply))
            return
        results.append(await self._check_route("primary", NODES_STATUS, primary))
        for route in LISTS:
            results.append(await self._check_route("permissions", route, partial(allowed, route)))
        if all(result.level is not Level.OK for result in results):
            seen = "the user can see none of this, so there is nothing to wait for"
            self._report.add(CheckResult.failure("permissions", seen, _CHECK_URL))
        await self._check_route("v2", V2_ACTIONS, v2_actions)

    async def _check_route(
        self, check: str, route: Route, result_of: Callable[[int, bytes], CheckResult]
    ) -> CheckResult:
        reply = await self._get(route)
        if isinstance(reply, Exception):
            result = denied(check, route, reply)
        else:
            result = result_of(reply.status, reply.body)
        self._report.add(result)
        return result

    async def _get(self, route: Route) -> Reply | Exception:
        """Send a request as the client does; return the error if there is no usable answer."""
        get = partial(
            self._transport.get, route.path, permission=route.permission, decode=_unchanged
        )
        try:
            async with asyncio.timeout(self._limit):
                try:
                    return await get(query=route.query)
                except RequestError as error:
                    if not route.query or getattr(error, "status", None) not in FIELDS_UNSUPPORTED:
                        raise
                    return await get()
        except (RedisActionsError, TimeoutError) as error:
            return error

    async def _diagnose_refusal(self, node: URL, error: Exception) -> CheckResult:
        """Return why the cluster does not list its nodes: no cluster yet, or wrong credentials."""
        expired = getattr(error, "error_code", None) == "password_expired"
        unauthorized = getattr(error, "status", None) == 401 and not expired
        if not unauthorized:
            return refused(self._who, error, grants_tokens=False)
        state = await fetch_bootstrap_state(self._transport, node, self._limit)
        if state not in {None, "completed"}:
            return not_in_cluster(str(node), str(state))
        return refused(self._who, error, grants_tokens=await self._grants_tokens(node))

    async def _grants_tokens(self, node: URL) -> bool:
        """Return True if a cluster that refuses Basic grants a token for the password.

        This is tried once only, as clusters lock users out after a few wrong passwords.
        """
        password = self._options.get("password")
        if self._options.get("auth", "basic") != "basic" or password is None:
            return False
        account = {"username": self._options.get("username"), "password": password}
        body = Secret(json.dumps(account))
        request = Request("POST", "/v1/users/authorize", body=body, quotable=False)
        reply = await probe(self._transport, node, request, self._limit)
        return reply is not None and reply.status == 200 and b"access_token" in reply.body


# --- results --------------------------------------------------------------------------------------


def accepted(who: str, status: int, body: bytes = b"") -> CheckResult:
    """Return the result for an answer to `NODES` that does not refuse the credentials."""
    if status == 403 or (status < 300 and lists_nodes(body)):
        return CheckResult.ok("credentials", f"the cluster accepts {who}")
    seen = f"unclear whether the cluster accepts {who}: {NODES.path} answers {status}"
    return CheckResult.warning("credentials", f"{seen}, without a list of nodes")


def refused(who: str, error: Exception, *, grants_tokens: bool) -> CheckResult:
    """Return the failure for credentials with which `NODES` gives no answer."""
    detail = getattr(error, "detail", None) or str(error) or type(error).__name__
    advice: str | None
    if grants_tokens:
        seen = "the cluster refuses Basic authentication, but grants a token for the same password"
        advice = "use --auth jwt"
    elif getattr(error, "error_code", None) == "password_expired":
        seen, advice = f"the password of {who} has expired", "set a new password, as in the UI"
    elif getattr(error, "status", None) == 401:
        seen, advice = f"the cluster refuses {who}", "check the user name and the password or token"
    else:
        seen, advice = f"unclear whether the cluster accepts {who}: {detail}", None
    return CheckResult.failure("credentials", seen, advice)


def version(status: int, body: bytes) -> CheckResult:
    """Return the result with the version of Redis Software."""
    versions = software_versions(body) if status < 300 else []
    if not versions:
        return CheckResult.warning("version", "the list of nodes does not contain it")
    if len(versions) == 1:
        return CheckResult.ok("version", f"Redis Software {versions[0]}")
    advice = "finish the upgrade before you rely on features of the newer version"
    return CheckResult.warning("version", f"nodes run {', '.join(versions)}", advice)


def primary(status: int, body: bytes) -> CheckResult:
    """Return the result with the primary node."""
    node = primary_node(body) if status < 300 else None
    if node is None:
        return CheckResult.warning("primary", "the nodes' status does not name it")
    return CheckResult.ok("primary", f"{node} is the primary")


def v2_actions(status: int, body: bytes) -> CheckResult:
    """Return the result for an answer to `V2_ACTIONS`, which versions before 7.22 do not have."""
    if status == 404:
        seen = "not available, as before version 7.22; /v1 has all but exports and imports"
        return CheckResult.ok("v2", seen)
    if not _is_list(V2_ACTIONS, body):
        return CheckResult.warning("v2", f"{V2_ACTIONS.path} answers {status} without a list")
    return CheckResult.ok("v2", "available")


def allowed(route: Route, status: int, body: bytes) -> CheckResult:
    """Return the result for an answer to one of `LISTS`."""
    result = CheckResult.failure if route.required else CheckResult.warning
    if status == 404:
        if error_code_of(body):  # documented for a list without entries
            result = CheckResult.warning
        seen = f"{route.content}: {route.path} does not exist (404)"
        return result("permissions", seen, _CHECK_URL)
    if not _is_list(route, body):
        seen = f"{route.content}: {route.path} answers {status} without a list"
        return result("permissions", seen, _CHECK_URL)
    return CheckResult.ok("permissions", f"may see {route.content}")


def denied(check: str, route: Route, error: Exception) -> CheckResult:
    """Return the result for a route without a usable answer: a failure if it is required."""
    result = CheckResult.failure if route.required else CheckResult.warning
    if isinstance(error, AuthenticationError) and error.status == 403:
        seen = f"may not see {route.content} ({route.path} answers 403)"
        return result(check, seen, f"give the user a role with the permission {route.permission}")
    detail = getattr(error, "detail", None) or "no answer in time"
    advice = error.hint if isinstance(error, RequestRejected) else None
    return result(check, f"{route.content}: {detail}", advice)


def _unchanged(reply: Reply) -> Reply:
    return reply


def _is_list(route: Route, body: bytes) -> bool:
    """Return True if a body may be a list of the API: an array, or an object that has one."""
    try:
        if route.required:
            read_actions(body, route.path)
            return True
        return isinstance(decode(body, object), (dict, list))
    except (UnreadableReply, ValueError):
        return False
