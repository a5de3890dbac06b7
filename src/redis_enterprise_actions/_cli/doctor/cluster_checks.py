"""Checks of the cluster with the user's credentials: credentials, version, permissions.

A failure is that of the client, in its words, which name the permission that a user lacks.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._client.sources.not_found import FIELDS_UNSUPPORTED
from redis_enterprise_actions._client.wire.actions import read_actions
from redis_enterprise_actions._client.wire.error_body import foreign_404, is_api_error
from redis_enterprise_actions._client.wire.lenient_json import decode
from redis_enterprise_actions._model.errors import RedisActionsError, RequestError

from .bodies import read_nodes, software_versions
from .result import CheckResult, Level


if TYPE_CHECKING:
    from redis_enterprise_actions._client.config.options import ClientOptions
    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport

    from .result import DiagnosticReport


class Route(NamedTuple):
    """GET route, its content, and the permission that its page asks for.

    Without a `required` route nothing can be waited for. `since` is the version that has it.
    """

    path: str
    content: str
    permission: str
    required: bool = False
    query: str = ""
    since: str = ""


NODES: Final = Route("/v1/nodes", "nodes", "view_all_nodes_info")
# requests/actions, requests/nodes/actions, requests/crdb_tasks, requests/bdbs.
LISTS: Final = (
    Route("/v1/actions", "actions", "view_status_of_cluster_action", required=True),
    Route("/v1/nodes/actions", "actions of nodes", "view_status_of_all_node_actions"),
    Route("/v1/crdb_tasks", "tasks of Active-Active databases", "view_crdb_task_list"),
    Route("/v1/bdbs", "databases", "view_all_bdbs_info", query="?fields=uid"),
    Route("/v2/actions", "exports and imports", "view_status_of_cluster_action", since="7.22"),
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
        credential = "a token for the password" if options.get("auth") == "jwt" else "the password"
        self._who = f"{options.get('username')}, by {credential}"
        if "username" not in options:
            self._who = "the token" if "token" in options else "the client certificate"

    async def run(self) -> None:
        """Run the checks."""
        reply = await self._get(NODES)
        if isinstance(reply, Exception) and getattr(reply, "status", None) != 403:
            self._report.add(self._refused(reply))
            return
        credentials = accepted(self._who, reply)
        self._report.add(credentials)
        self._report.add(version(reply))
        shown = [] if isinstance(reply, Exception) else [credentials]
        for route in LISTS:
            result = visible(route, await self._get(route))
            self._report.add(result)
            shown += [] if route.since else [result]
        if all(result.level is not Level.OK for result in shown):
            seen = "the user can see none of this, so there is nothing to wait for"
            self._report.add(CheckResult(Level.FAILURE, "permissions", seen))

    async def _get(self, route: Route) -> Reply | Exception:
        """Send a request as the client does; return the error if there is no usable answer."""
        get = partial(
            self._transport.get, route.path, permission=route.permission, decode=lambda reply: reply
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

    def _refused(self, error: Exception) -> CheckResult:
        """Return the failure for credentials with which `NODES` gives no answer."""
        advice = None
        sends_password = "username" in self._options and self._options.get("auth") != "jwt"
        if getattr(error, "error_code", None) == "password_expired":
            advice = "It has expired: set a new one, as in the UI"
        elif getattr(error, "status", None) == 401 and sends_password:
            advice = "If they are right, Basic authentication may be off: use --auth jwt"
        return CheckResult(Level.FAILURE, "credentials", f"{self._who}: {_detail(error)}", advice)


def accepted(who: str, reply: Reply | Exception) -> CheckResult:
    """Return the result for an answer to `NODES` that does not refuse the credentials."""
    if isinstance(reply, Exception) or read_nodes(reply.body):
        return CheckResult(Level.OK, "credentials", f"the cluster accepts {who}")
    seen = f"unclear whether the cluster accepts {who}: {NODES.path} answers {reply.status}"
    return CheckResult(Level.WARNING, "credentials", f"{seen}, without a list of nodes")


def version(reply: Reply | Exception) -> CheckResult:
    """Return the result with the version of Redis Software."""
    if isinstance(reply, Exception):
        return CheckResult(Level.WARNING, "version", _detail(reply))
    versions = software_versions(read_nodes(reply.body))
    if not versions:
        return CheckResult(Level.WARNING, "version", "the list of nodes does not contain it")
    seen = f"Redis Software {', '.join(versions)}"
    if len(versions) == 1:
        return CheckResult(Level.OK, "version", seen)
    advice = "Finish the upgrade before you rely on features of the newer version"
    return CheckResult(Level.WARNING, "version", seen, advice)


def visible(route: Route, reply: Reply | Exception) -> CheckResult:
    """Return the result for a list: a failure if it is required and cannot be used.

    The API's own 404 is documented for a list without entries.
    """
    level, problem, advice = Level.FAILURE if route.required else Level.WARNING, "", None
    if isinstance(reply, Exception):
        problem = _detail(reply)
    elif reply.status == 404:
        if route.since:
            seen = f"{route.content}: not in this list, as before version {route.since}"
            return CheckResult(Level.OK, "permissions", seen)
        foreign = foreign_404(route.path, reply.body)
        problem, advice = foreign.detail, foreign.advice
        if is_api_error(reply.body):
            level, problem, advice = Level.WARNING, f"{route.path} answers 404", None
    elif not _is_list(route, reply.body):
        problem = f"{route.path} answers {reply.status} without a list"
    if problem:
        return CheckResult(level, "permissions", f"{route.content}: {problem}", advice)
    return CheckResult(Level.OK, "permissions", f"may see {route.content}")


def _is_list(route: Route, body: bytes) -> bool:
    """Return True if a body may be a list of the API: an array, or an object that has one."""
    try:
        if route.required:
            read_actions(body, route.path)
        return isinstance(decode(body, object), (dict, list))
    except (RequestError, ValueError):
        return False


def _detail(error: Exception) -> str:
    return getattr(error, "detail", None) or str(error) or "no answer in time"
