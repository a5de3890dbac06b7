"""Checks of each node without credentials: DNS, TCP, TLS, HTTP and clock."""

from __future__ import annotations

import asyncio
import email.utils
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._client.http.connection_errors import (
    CHECK_NAME,
    CHECK_NODE,
    CHECK_SCHEME,
)
from redis_enterprise_actions._client.http.messages import Request
from redis_enterprise_actions._client.http.tls import client_cert_refusal, ssl_context, tls_settings
from redis_enterprise_actions._client.wire.error_body import (
    USE_HTTPS,
    error_for,
    has_error_code,
    is_retryable,
)
from redis_enterprise_actions._client.wire.reasons import read_reason
from redis_enterprise_actions._model.errors import ClientCertificateRefused, RequestError

from . import network
from .bodies import bootstrap_state, lists_nodes
from .result import CheckResult, Level


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from yarl import URL

    from redis_enterprise_actions._client.config.options import ClientOptions
    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.nodes import NodePool
    from redis_enterprise_actions._client.http.tls import TLSSettings
    from redis_enterprise_actions._client.http.transport import Transport

    from .network import Certificate
    from .result import DiagnosticReport

_EXPIRES_SOON: Final = timedelta(days=30)
_MAX_SKEW: Final = 5.0  # seconds
_UI_PORT: Final = 8443
_MAX_QUOTED: Final = 100  # characters of another server's answer
_USE_API: Final = "use the URL of the REST API itself (port 9443)"

# Error codes of OpenSSL, x509_vfy.h.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_SELF_SIGNED: Final = 18
_OTHER_NAMES: Final = frozenset({62, 64})

_LIST_NODES: Final = Request("GET", "/v1/nodes", quotable=False)
_BOOTSTRAP: Final = Request("GET", "/v1/bootstrap", quotable=False)
_UNKNOWN_PATH: Final = Request("GET", "/v1/redis-actions-doctor", quotable=False)


class NodeChecks:
    """Checks of all nodes. Each step may take `limit` seconds per node."""

    def __init__(
        self,
        options: ClientOptions,
        *,
        tls: TLSSettings,
        nodes: NodePool,
        transport: Transport,
        limit: float,
        report: DiagnosticReport,
    ) -> None:
        self._tls = tls
        self._ca = f"ca_cert {options['ca_cert']}" if "ca_cert" in options else "the system's CAs"
        self._client_cert = options.get("client_cert"), options.get("client_key")
        self._nodes = nodes
        self._transport = transport
        self._limit = limit
        self._report = report
        self._skews: dict[URL, float | None] = {}
        self._targets: dict[URL, URL] = {}  # of nodes that redirect

    async def run(self) -> list[URL]:
        """Run the checks; return the nodes that are the REST API, so that they may get credentials.

        A node that redirects is included if its target is the REST API; such nodes come last.
        """
        nodes = list(self._nodes.urls)
        for check, step in (
            ("dns", self._check_dns),
            ("tcp", self._check_tcp),
            ("tls", self._check_tls),
        ):
            nodes = await self._check_each(check, step, nodes)
        passed: list[URL] = []
        checked = set(self._nodes.urls)
        while nodes:
            passed += await self._check_each("http", self._check_http, nodes)
            checked.update(nodes)
            nodes = [node for node in dict.fromkeys(self._targets.values()) if node not in checked]
        for node, skew in self._skews.items():
            self._report.add(clock(str(node), skew))
        answering = [node for node in passed if node not in self._targets]
        return answering + [node for node in passed if self._targets.get(node) in answering]

    async def _check_each(
        self, check: str, step: Callable[[URL], Awaitable[CheckResult | None]], nodes: list[URL]
    ) -> list[URL]:
        """Run a step at each node, and return the nodes that did not fail it."""

        async def run_step(node: URL) -> CheckResult | None:
            try:
                async with asyncio.timeout(self._limit):
                    return await step(node)
            except TimeoutError:
                return too_slow(check, str(node), self._limit)

        results = await asyncio.gather(*map(run_step, nodes))
        failed = [each is not None and each.level is Level.FAILURE for each in results]
        one_passed = any(each.level is not Level.FAILURE for each in results if each is not None)
        for result in filter(None, results):
            tolerable = one_passed and result.any_node_suffices and result.level is Level.FAILURE
            level = Level.WARNING if tolerable else result.level
            self._report.add(msgspec.structs.replace(result, level=level))
        return [node for node, has_failed in zip(nodes, failed, strict=True) if not has_failed]

    async def _check_dns(self, node: URL) -> CheckResult:
        host, port = _host_and_port(node)
        try:
            addresses = [host] if _is_address(host) else await network.resolve(host, port)
        except (OSError, UnicodeError) as error:
            return not_resolved(str(node), host, error)
        return resolved(str(node), host, addresses)

    async def _check_tcp(self, node: URL) -> CheckResult:
        try:
            await network.connect(*_host_and_port(node))
        except OSError as error:
            return not_connected(str(node), error)
        return CheckResult.ok("tcp", "accepts connections", node=str(node))

    async def _check_tls(self, node: URL) -> CheckResult | None:
        if node.scheme != "https":
            return None

        def unverified() -> ssl.SSLContext:
            cert, key = self._client_cert
            tls = tls_settings(verify=False, client_cert=cert, client_key=key)
            return ssl_context(tls.context)

        try:
            certificate = await network.fetch_certificate(*_host_and_port(node), unverified)
            return await self._check_certificate(node, certificate)
        except OSError as error:
            return no_handshake(str(node), error, client_cert_refusal(error))

    async def _check_certificate(self, node: URL, certificate: Certificate) -> CheckResult:
        """Return the result for a certificate, by the settings of the client."""
        where, now, pinned = str(node), datetime.now(UTC), self._tls.fingerprint
        if not self._tls.verified:
            advice = _pin(certificate)
            return CheckResult.warning("tls", "the certificate is not verified", advice, node=where)
        if pinned is not None:
            if certificate.fingerprint != pinned.hex(":").upper():
                seen = "the certificate is not the pinned one"
                return CheckResult.failure("tls", seen, _pin(certificate), node=where)
            return trusted(where, certificate, "its fingerprint", now)
        try:
            await network.handshake(*_host_and_port(node), ssl_context(self._tls.context))
        except ssl.SSLCertVerificationError as error:
            return untrusted(where, certificate, error.verify_code)
        return trusted(where, certificate, self._ca, now)

    async def _check_http(self, node: URL) -> CheckResult:
        try:
            reply = await self._transport.send_to_node(node, _LIST_NODES)
        except ClientCertificateRefused as error:
            return no_handshake(str(node), OSError(), error.reason)
        except RequestError as error:
            return not_answered(str(node), getattr(error, "reason", error.detail))
        skew = clock_skew(reply.headers, datetime.now(UTC))
        if reply.status in {307, 308}:
            target = self._nodes.redirect_target(node, reply.headers.get("Location", ""))
            if target is not None and target != node:
                self._targets[node] = target
        known = False
        if is_inconclusive(reply.status, reply.headers, reply.body):
            state = await fetch_bootstrap_state(self._transport, node, self._limit)
            if state not in {None, "completed"}:
                return not_in_cluster(str(node), str(state))
            known = state is not None
            if reply.status == 401 and not known:
                # A web server that wants credentials for every path answers 401 here, too.
                unknown = await probe(self._transport, node, _UNKNOWN_PATH, self._limit)
                known = unknown is not None and unknown.status == 404
        target = self._targets.get(node)
        result = answered(
            str(node),
            node.port,
            reply.status,
            reply.headers,
            reply.body,
            target=None if target is None else str(target),
            known=known,
        )
        if result.level is Level.OK:
            self._skews[node] = skew
        return result


async def fetch_bootstrap_state(transport: Transport, node: URL, limit: float) -> str | None:
    """Return the state of a node's bootstrap, or None if the node does not tell it.

    Until the bootstrap is completed, this takes no credentials.
    """
    reply = await probe(transport, node, _BOOTSTRAP, limit)
    return bootstrap_state(reply.body) if reply is not None and reply.status == 200 else None


async def probe(transport: Transport, node: URL, request: Request, limit: float) -> Reply | None:
    """Send a request without credentials; return None if there is no answer in time."""
    try:
        async with asyncio.timeout(limit):
            return await transport.send_to_node(node, request)
    except (RequestError, TimeoutError):
        return None


def is_rest_api(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Return True if an answer to GET /v1/nodes without credentials shows the REST API.

    The API sends the header `cluster-state-id`, an `error_code` in its errors, or the header
    `Server: envoy`. Other servers send the latter, too, so it counts only with the expected 401.
    """
    if 300 <= status < 400:
        return False
    if "cluster-state-id" in headers:
        return True
    if status < 300:
        return lists_nodes(body)
    is_envoy = status == 401 and headers.get("Server", "").lower() == "envoy"
    return is_envoy or has_error_code(body)


def is_inconclusive(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Return True if an answer does not show whether a node is the REST API.

    Any web server may answer 401, and a node that is in no cluster 503.
    """
    return is_retryable(status) or (status == 401 and not is_rest_api(status, headers, body))


def clock_skew(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that a node's clock is ahead of ours, or None without a valid `Date`."""
    try:
        date = email.utils.parsedate_to_datetime(headers.get("Date", ""))
        return (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    except (OverflowError, TypeError, ValueError):
        return None


# --- results --------------------------------------------------------------------------------------


def too_slow(check: str, node: str, limit: float) -> CheckResult:
    """Return the failure of a step that took longer than its limit, in seconds."""
    advice = "look for a firewall or a hanging node, or raise --timeout"
    return _node_failure(check, node, f"no result within {limit:g} s", advice)


def resolved(node: str, host: str, addresses: list[str]) -> CheckResult:
    """Return the result for a host with these addresses, of which one may be `host` itself."""
    is_address = addresses == [host]
    seen = "is an address, not a name" if is_address else f"{host} is {', '.join(addresses)}"
    return CheckResult.ok("dns", seen, node=node)


def not_resolved(node: str, host: str, error: Exception) -> CheckResult:
    """Return the failure of a lookup."""
    return _node_failure("dns", node, f"{host} does not resolve: {error}", _to_do(CHECK_NAME))


def not_connected(node: str, error: OSError) -> CheckResult:
    """Return the failure of a TCP connection."""
    reason = error.strerror or str(error) or type(error).__name__
    return _node_failure("tcp", node, f"cannot connect: {reason}", _to_do(CHECK_NODE))


def no_handshake(node: str, error: OSError, refusal: str | None) -> CheckResult:
    """Return the failure of a handshake; `refusal` is why the server refuses our certificate."""
    if refusal is not None:
        seen = f"the server refuses the client certificate: {refusal}"
        advice = "pass the certificate of a cluster user as --client-cert"
        return CheckResult.failure("tls", seen, advice, node=node)
    reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
    seen = f"the TLS handshake failed: {reason}"
    return CheckResult.failure("tls", seen, _to_do(CHECK_SCHEME), node=node)


def trusted(node: str, certificate: Certificate, by: str, now: datetime) -> CheckResult:
    """Return the result for a trusted certificate: a warning if it expires soon."""
    ends = certificate.ends
    until = "" if ends is None else f", valid until {ends:%Y-%m-%d}"
    seen = f"the certificate is trusted by {by}{until}"
    if ends is None or ends - now > _EXPIRES_SOON:
        return CheckResult.ok("tls", seen, node=node)
    left = ends - now
    expiry = "has expired" if left < timedelta(0) else f"expires in {left.days} days"
    advice = "renew the cluster's certificate"
    return CheckResult.warning("tls", f"{seen}; it {expiry}", advice, node=node)


def untrusted(node: str, certificate: Certificate, verify_code: int) -> CheckResult:
    """Return the failure for a certificate that OpenSSL does not trust."""
    if verify_code in _OTHER_NAMES:
        names = ", ".join(certificate.names) or "none"
        problem, advice = "is for other host names", f"use one of its host names: {names}"
    elif verify_code == _EXPIRED:
        ends = "" if certificate.ends is None else f" on {certificate.ends:%Y-%m-%d}"
        problem, advice = f"has expired{ends}", "renew it"
    elif verify_code == _NOT_YET_VALID:
        problem, advice = "is not valid yet", "check this machine's clock"
    elif verify_code == _SELF_SIGNED:
        problem, advice = "is self-signed", "pass its CA as --ca-cert"
    else:
        problem, advice = "is from a CA that is not trusted", "pass its CA as --ca-cert"
    advice = f"{advice}, or {_pin(certificate)}"
    return CheckResult.failure("tls", f"the certificate {problem}", advice, node=node)


def answered(node: str, port: int | None, status: int, headers: Mapping[str, str], body: bytes,
             *, target: str | None, known: bool = False) -> CheckResult:  # fmt: skip
    """Return the result for an answer to GET /v1/nodes without credentials.

    `known` is True if another answer has shown that the node is the REST API. `target` is the node
    to which a redirect leads, if the client follows it.
    """
    if status in {307, 308}:
        if target is not None:
            seen = f"redirects to {target}, presumably the primary; the client follows"
            return CheckResult.ok("http", seen, node=node)
        error = error_for("GET", "/v1/nodes", status, headers, b"", permission=None)
        advice = getattr(error, "hint", None)
        return CheckResult.failure("http", f"redirects elsewhere ({status})", advice, node=node)
    if is_retryable(status):
        advice = (
            "try again: the node may be starting or in no cluster, or the cluster has no quorum"
        )
        return _node_failure("http", node, f"answers {status}", advice)
    if known or is_rest_api(status, headers, body):
        return CheckResult.ok("http", f"answers {status}, as the REST API does", node=node)
    if status == 400 and node.startswith("http://"):
        return CheckResult.failure("http", "answers 400", _to_do(USE_HTTPS), node=node)
    server = "the Cluster Manager UI" if port == _UI_PORT else "a proxy or another web server"
    also = ", also for a path that the REST API does not have," if status == 401 else ""
    quote = ": ".join(filter(None, read_reason(body)))[:_MAX_QUOTED]
    seen = f"answers {status}{also} as {server} does{quote and f': {quote}'}"
    advice = (
        f"{_USE_API}, without a path, not that of a proxy or the UI; doctor sent no credentials to "
        "this server"
    )
    return CheckResult.failure("http", seen, advice, node=node)


def not_answered(node: str, reason: str) -> CheckResult:
    """Return the failure for a request without a usable answer."""
    # A TLS 1.3 server that misses a client certificate may close the connection without an alert.
    certificate = " and pass --client-cert if it wants one" if node.startswith("https:") else ""
    advice = f"{_USE_API}, check the node,{certificate or ' and try again'}"
    return _node_failure("http", node, f"no usable answer: {reason}", advice)


def not_in_cluster(node: str, state: str) -> CheckResult:
    """Return the failure for a node whose bootstrap is not `completed`."""
    seen = f"the REST API, but of a node in no cluster: its bootstrap is {state!r}"
    advice = "create a cluster with it, or join it to one, and try again"
    return _node_failure("http", node, seen, advice)


def clock(node: str, skew: float | None) -> CheckResult:
    """Return the result for a clock that is `skew` seconds ahead of ours."""
    if skew is None:
        return CheckResult.warning("clock", "the answer has no valid Date header", node=node)
    if abs(skew) <= _MAX_SKEW:
        return CheckResult.ok("clock", f"within {_MAX_SKEW:g} s of ours", node=node)
    seen = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours"
    advice = "synchronize both clocks with NTP: tokens and references to exports depend on them"
    return CheckResult.warning("clock", seen, advice, node=node)


def _node_failure(check: str, node: str, seen: str, advice: str) -> CheckResult:
    """Return a failure that counts as a warning if another node passes."""
    return CheckResult.failure(check, seen, advice, node=node, any_node_suffices=True)


def _to_do(advice: str) -> str:
    """Return the advice of an error as `CheckResult` has it, without the capital letter."""
    return advice[0].lower() + advice[1:]


def _pin(certificate: Certificate) -> str:
    return (
        "compare this fingerprint with the one that the cluster's administrator sees, and pin it: "
        f"fingerprint={certificate.fingerprint}"
    )


def _host_and_port(node: URL) -> tuple[str, int]:
    return node.host or "", node.port or 443


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
