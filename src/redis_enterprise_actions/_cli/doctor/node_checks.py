"""Checks of each node without credentials: DNS, TCP, TLS, HTTP and clock.

A node gets one request, and its failure is that of the client: its layer, its words, its advice.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import email.utils
import socket
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._client.http.connection_errors import CHECK_NAME, layer_of
from redis_enterprise_actions._client.http.messages import Reply, Request
from redis_enterprise_actions._client.http.tls import ssl_context, tls_settings
from redis_enterprise_actions._client.wire.error_body import (
    USE_API,
    USE_HTTPS,
    error_for,
    has_error_code,
    is_retryable,
)
from redis_enterprise_actions._client.wire.reasons import read_reason
from redis_enterprise_actions._model.errors import RequestError, UntrustedCertificate

from .bodies import bootstrap_state, read_nodes
from .certificate import fetch_certificate
from .result import CheckResult, Level


if TYPE_CHECKING:
    from yarl import URL

    from redis_enterprise_actions._client.config.options import ClientOptions
    from redis_enterprise_actions._client.http.transport import Transport

    from .certificate import Certificate
    from .result import DiagnosticReport

_EXPIRES_SOON: Final = timedelta(days=30)
_MAX_SKEW: Final = 5.0  # seconds
_MAX_QUOTED: Final = 100  # characters of another server's answer
_LIST_NODES: Final = Request("GET", "/v1/nodes", quotable=False)
_BOOTSTRAP: Final = Request("GET", "/v1/bootstrap", quotable=False)
_UNKNOWN_PATH: Final = Request("GET", "/v1/redis-actions-doctor", quotable=False)


class NodeChecks:
    """Checks of all nodes. Each step may take `limit` seconds per node."""

    def __init__(
        self, options: ClientOptions, transport: Transport, limit: float, report: DiagnosticReport
    ) -> None:
        self._options = options
        self._transport = transport
        self._nodes = transport.nodes
        self._limit = limit
        self._report = report
        self._targets: dict[URL, URL] = {}  # of nodes that redirect

    async def run(self) -> list[URL]:
        """Run the checks; return the nodes that are the REST API, so that they may get credentials.

        A node that redirects is included if its target is the REST API; such nodes come last.
        """
        nodes = list(self._nodes.urls)
        checked: set[URL] = set()
        passed: list[URL] = []
        while nodes:
            checked.update(nodes)
            found = await asyncio.gather(*map(self._check, nodes))
            for node, results in zip(nodes, found, strict=True):
                passed += [] if results[-1].level is Level.FAILURE else [node]
            for result in (result for results in found for result in results):
                tolerable = bool(passed) and result.any_node_suffices
                level = Level.WARNING if tolerable else result.level
                self._report.add(msgspec.structs.replace(result, level=level))
            nodes = [node for node in dict.fromkeys(self._targets.values()) if node not in checked]
        answering = [node for node in passed if node not in self._targets]
        return answering + [node for node in passed if self._targets.get(node) in answering]

    async def _check(self, node: URL) -> list[CheckResult]:
        """Return the results for a node, the last of which may be a failure."""
        ok, host = partial(CheckResult, Level.OK, node=str(node)), str(node.host)
        try:
            async with asyncio.timeout(self._limit):
                addresses = await resolve(host)
        except (OSError, UnicodeError) as error:
            problem = str(error) or f"no answer within {self._limit:g} s"
            return [_failure(node, "dns", f"{host} does not resolve: {problem}", CHECK_NAME)]
        is_address = addresses == [host]
        seen = "is an address, not a name" if is_address else f"{host} is {', '.join(addresses)}"
        results = [ok("dns", seen)]
        connected = ok("tcp", "accepts connections")
        try:
            reply = await self._transport.send_to_node(node, _LIST_NODES)
        except RequestError as error:
            layer = layer_of(error)
            results += [] if layer == "tcp" else [connected]
            return [*results, await self._no_answer(node, layer, error)]
        now = datetime.now(UTC)
        results.append(connected)
        if node.scheme == "https":
            results.append(self._trusted(node, await self._certificate(node), now))
        answer = await self._answered(node, reply)
        results.append(answer)
        return results if answer.level is Level.FAILURE else [*results, clock(node, reply, now)]

    async def _no_answer(self, node: URL, layer: str, error: RequestError) -> CheckResult:
        """Return the failure for a request without an answer, with the certificate if that is why.

        A TLS 1.3 server that misses a client certificate may close the connection without an alert.
        """
        advice = error.advice
        if layer != "tls":
            is_https = node.scheme == "https"
            other = "pass --client-cert if it wants one" if is_https else "try https://"
            return _failure(node, layer, error.detail, advice or f"{USE_API}, and {other}")
        if isinstance(error, UntrustedCertificate):
            certificate = await self._certificate(node)
            if certificate is not None:
                advice = f"The certificate: {certificate.text}"
        return CheckResult(Level.FAILURE, "tls", error.detail, advice, str(node))

    async def _certificate(self, node: URL) -> Certificate | None:
        """Return the certificate of a node, or None if it does not show it in time."""
        cert, key = self._options.get("client_cert"), self._options.get("client_key")
        unverified = tls_settings(verify=False, client_cert=cert, client_key=key)
        try:
            async with asyncio.timeout(self._limit):
                return await fetch_certificate(node, ssl_context(unverified.context))
        except OSError:
            return None

    def _trusted(self, node: URL, certificate: Certificate | None, now: datetime) -> CheckResult:
        """Return the result for a certificate that the client accepts."""
        text = "" if certificate is None else f": {certificate.text}"
        ends = None if certificate is None else certificate.ends
        if not self._options.get("verify", True):
            seen, advice = f"the certificate is not verified{text}", "Trust it by --fingerprint"
            return CheckResult(Level.WARNING, "tls", seen, advice, str(node))
        by = self._options.get("ca_cert") or "the system's CAs"
        if "fingerprint" in self._options:
            by = "its fingerprint"
        seen = f"the certificate is trusted by {by}{text}"
        if ends is None or ends - now > _EXPIRES_SOON:
            return CheckResult(Level.OK, "tls", seen, node=str(node))
        left = "has expired" if ends < now else f"expires in {(ends - now).days} days"
        seen = f"the certificate {left}{text}"
        return CheckResult(Level.WARNING, "tls", seen, "Renew it", str(node))

    async def _answered(self, node: URL, reply: Reply) -> CheckResult:
        """Return the result for an answer to GET /v1/nodes without credentials."""
        ok = partial(CheckResult, Level.OK, "http", node=str(node))
        if reply.status in {307, 308}:
            target = self._nodes.redirect_target(node, reply.headers.get("Location", ""))
            if target is not None and target != node:
                self._targets[node] = target
                return ok(f"redirects to {target}, presumably the primary; the client follows")
            error = error_for("GET", "/v1/nodes", reply.status, reply.headers, b"", permission=None)
            seen = "" if error is None else error.detail
            return CheckResult(Level.FAILURE, "http", seen, node=str(node))
        known = is_rest_api(reply)
        if reply.status == 401 or is_retryable(reply.status):
            # The bootstrap takes no credentials until it is completed. Any web server may answer
            # 401, also for an unknown path, and a node that is in no cluster 401 or 503.
            bootstrap = await self._probe(node, _BOOTSTRAP)
            state = bootstrap_state(bootstrap.body) if bootstrap.status == 200 else None
            if state not in {None, "completed"}:
                seen = f"the REST API, but of a node in no cluster: its bootstrap is {state!r}"
                return _failure(node, "http", seen, "Create a cluster with it, or join it to one")
            if is_retryable(reply.status):
                seen = f"answers {reply.status}: it may be starting, or the cluster has no quorum"
                return _failure(node, "http", seen, "Try again")
            known = known or state is not None
            known = known or (await self._probe(node, _UNKNOWN_PATH)).status == 404
        if known:
            return ok(f"answers {reply.status}, as the REST API does")
        also = ", also for a path that the REST API does not have," * (reply.status == 401)
        quote = "".join(f": {text}" for text in read_reason(reply.body) if text)[:_MAX_QUOTED]
        seen = f"answers {reply.status}{also} as a proxy or another web server does{quote}"
        is_plain = reply.status == 400 and node.scheme == "http"
        advice = USE_HTTPS if is_plain else f"{USE_API}; it got no credentials"
        return CheckResult(Level.FAILURE, "http", seen, advice, str(node))

    async def _probe(self, node: URL, request: Request) -> Reply:
        """Return the reply to a request without credentials; it is empty if none comes in time."""
        try:
            return await self._transport.send_to_node(node, request)
        except RequestError:
            return Reply(0, b"", {})


async def resolve(host: str) -> list[str]:
    """Return the addresses of a host, or the host if it is one. Raises `OSError`, `UnicodeError`.

    The lookup runs in a daemon thread: the process would wait for a thread of the loop's executor
    at exit, even if the lookup hangs.
    """
    with contextlib.suppress(ValueError):
        ip_address(host)
        return [host]
    lookup: concurrent.futures.Future[list[str]] = concurrent.futures.Future()
    lookup.set_running_or_notify_cancel()  # a cancelled wait cannot cancel a running lookup

    def run() -> None:
        try:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            lookup.set_exception(error)
        else:
            lookup.set_result(list(dict.fromkeys(str(info[4][0]) for info in infos)))

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(lookup)


def is_rest_api(reply: Reply) -> bool:
    """Return True if an answer to GET /v1/nodes without credentials shows the REST API.

    The API sends the header `cluster-state-id`, an `error_code` in its errors, or the header
    `Server: envoy`. Other servers send the latter, too, so it counts only with the expected 401.
    """
    if 300 <= reply.status < 400:
        return False
    if "cluster-state-id" in reply.headers:
        return True
    if reply.status < 300:
        return bool(read_nodes(reply.body))
    is_envoy = reply.status == 401 and reply.headers.get("Server", "").lower() == "envoy"
    return is_envoy or has_error_code(reply.body)


def clock(node: URL, reply: Reply, now: datetime) -> CheckResult:
    """Return the result for the clock of a node, by the `Date` of a reply that came `now`."""
    result = partial(CheckResult, Level.WARNING, "clock", node=str(node))
    try:
        date = email.utils.parsedate_to_datetime(reply.headers.get("Date", ""))
        skew = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    except (OverflowError, TypeError, ValueError):
        return result("the answer has no valid Date header")
    if abs(skew) <= _MAX_SKEW:
        seen = f"within {_MAX_SKEW:g} s of ours"
        return CheckResult(Level.OK, "clock", seen, node=str(node))
    seen = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours"
    return result(seen, "Synchronize both by NTP: tokens and references to exports depend on them")


def _failure(node: URL, check: str, seen: str, advice: str) -> CheckResult:
    """Return a failure that counts as a warning if another node passes."""
    return CheckResult(Level.FAILURE, check, seen, advice, str(node), any_node_suffices=True)
