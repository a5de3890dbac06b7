"""What `doctor` looks at, and in which order: settings, the way to each node, the cluster.

It changes nothing there. Each node is asked without credentials first; only those that answer as
the REST API does are sent any.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, cast

from redis_enterprise_actions._cli.output import print_json, print_line
from redis_enterprise_actions._cli.settings.connection import settings_from_args
from redis_enterprise_actions._client.http.auth import Secret, as_secret, authenticator_for
from redis_enterprise_actions._client.http.nodes import NodePool
from redis_enterprise_actions._client.http.tls import client_cert_refusal, ssl_context, tls_settings
from redis_enterprise_actions._client.http.transport import Request, Transport
from redis_enterprise_actions._client.sources.not_found import FIELDS_UNSUPPORTED
from redis_enterprise_actions._model.errors import (
    ClientCertificateRefused,
    RedisActionsError,
    RequestError,
    UsageError,
)

from . import cluster, network
from .cluster import bootstrap_state
from .network import certificate_at, certificate_of, connect, resolve
from .result import CheckResult, Level, check_event, downgrade, summarize


if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from yarl import URL

    from redis_enterprise_actions._client.config.resolve import ResolvedOptions
    from redis_enterprise_actions._client.http.transport import Reply

    from .cluster import Route
    from .network import Certificate

_SECRET: Final = frozenset({"password", "token"})
_TRIED: Final = Request("GET", "/v1/nodes", quotable=False)
_BOOTSTRAP: Final = Request("GET", "/v1/bootstrap", quotable=False)
_NOWHERE: Final = Request("GET", "/v1/redis-actions-doctor", quotable=False)  # no version has it


def doctor(args: argparse.Namespace) -> Coroutine[object, object, int] | int:
    """Check the settings; return what looks at the rest, or the exit code where they are wrong."""
    report = DiagnosticReport(as_json=args.json)
    try:
        settings = settings_from_args(args)
        diagnosis = Diagnosis(settings, args.timeout, report)
    except UsageError as error:
        advice = "see redis-actions doctor --help"
        report.add(
            CheckResult(level=Level.FAILURE, check="settings", seen=str(error), advice=advice)
        )
        return report.finish(0, refused=2)
    for result in _settings(settings):
        report.add(result)
    return diagnosis.run()


def _settings(settings: ResolvedOptions) -> Iterable[CheckResult]:
    """Tell what each setting is and where it comes from, but for secrets."""
    for name, source in settings.origins.items():
        value: object = settings.options.get(name)
        shown = "given" if name in _SECRET else value
        text = (
            " ".join(map(str, cast("list[object]", value)))
            if isinstance(value, (list, tuple))
            else str(shown)
        )
        yield CheckResult(level=Level.OK, check="settings", seen=f"{name} is {text}, from {source}")


class DiagnosticReport:
    """Tells results, one a line, and keeps them."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._results: list[CheckResult] = []

    def add(self, result: CheckResult) -> None:
        self._results.append(result)
        if self._as_json:
            print_json(check_event(result))
        else:
            print_line(str(result))

    def finish(self, requests: int, *, refused: int = 5) -> int:
        """Tell what all comes to, and return the exit code."""
        end = summarize(self._results, requests, refused=refused)
        if self._as_json:
            print_json(end)
        else:
            print_line(str(end))
        return end.exit_code


class Diagnosis:
    """Looks at one cluster. Each step may take `limit` seconds."""

    def __init__(self, settings: ResolvedOptions, limit: float, report: DiagnosticReport) -> None:
        given = cast("dict[str, Any]", settings.options)
        self._limit = limit
        self._tell = report.add
        self._close = report.finish
        self._user: str | None = given.get("username")
        self._password = as_secret(given.get("password"))
        self._auth: str = given.get("auth", "basic")
        names = ("verify", "ca_cert", "fingerprint", "client_cert", "client_key")
        trust = {name: given[name] for name in names if name in given}
        self._trust = tls_settings(**trust)
        self._by = f"ca_cert {given['ca_cert']}" if "ca_cert" in given else "the system's CAs"
        anyone = {name: given[name] for name in names[3:] if name in given}
        self._anyone = ssl_context(tls_settings(verify=False, **anyone).context)
        url = given["url"]
        urls = [as_secret(each) for each in ([url] if isinstance(url, str) else url)]
        self._nodes = NodePool(urls, given.get("trusted_hosts", ()))
        access = authenticator_for(
            self._user,
            self._password,
            as_secret(given.get("token")),
            auth=self._auth,
            timeout=limit,
        )
        self._who = _who(self._user, self._auth, token="token" in given)
        self._transport = Transport(
            self._nodes, authenticator=access, tls=self._trust, session=None, request_timeout=limit
        )
        self._skews: dict[URL, float | None] = {}
        self._targets: dict[URL, URL] = {}  # the nodes that others redirect to

    async def run(self) -> int:
        """Go through all steps, as far as they make sense."""
        try:
            nodes = list(self._nodes.urls)
            for check, step in (
                ("dns", self._check_dns),
                ("tcp", self._check_tcp),
                ("tls", self._check_tls),
            ):
                nodes = await self._check_nodes(check, step, nodes)
            nodes = await self._check_http_everywhere(nodes)
            for node, skew in self._skews.items():
                self._tell(network.clock(str(node), skew))
            await self._check_cluster(nodes)
            return self._close(self._transport.requests_sent)
        finally:
            await self._transport.close()

    async def _check_nodes(
        self, check: str, step: Callable[[URL], Awaitable[CheckResult | None]], nodes: list[URL]
    ) -> list[URL]:
        """Take a step at each node, and return the nodes that are well."""
        found = await asyncio.gather(*(self._in_time(check, step, node) for node in nodes))
        for result in downgrade([each for each in found if each is not None]):
            self._tell(result)
        well = (each is None or each.level is not Level.FAILURE for each in found)
        return [node for node, is_well in zip(nodes, well, strict=True) if is_well]

    async def _in_time(
        self, check: str, step: Callable[[URL], Awaitable[CheckResult | None]], node: URL
    ) -> CheckResult | None:
        try:
            async with asyncio.timeout(self._limit):
                return await step(node)
        except TimeoutError:
            return network.too_slow(check, str(node), self._limit)

    # --- the way to a node ------------------------------------------------------------------------

    async def _check_dns(self, node: URL) -> CheckResult:
        host, port = _place(node)
        try:
            addresses = [host] if _is_address(host) else await resolve(host, port)
        except (OSError, UnicodeError) as error:
            return network.unresolved(str(node), host, error)
        return network.resolved(str(node), host, addresses)

    async def _check_tcp(self, node: URL) -> CheckResult:
        try:
            await connect(*_place(node))
        except OSError as error:
            return network.unconnected(str(node), error)
        return network.connected(str(node))

    async def _check_tls(self, node: URL) -> CheckResult | None:
        if node.scheme != "https":
            return None
        try:
            shown = certificate_of(await certificate_at(*_place(node), self._anyone))
            return await self._check_certificate(node, shown)
        except OSError as error:
            return network.no_handshake(str(node), error, client_cert_refusal(error))

    async def _check_certificate(self, node: URL, shown: Certificate) -> CheckResult:
        """Say whether a certificate is the cluster's, by the client's own rules."""
        where, now, pinned = str(node), datetime.now(UTC), self._trust.fingerprint
        if not self._trust.verified:
            return network.unverified(where, shown)
        if pinned is not None:
            if shown.fingerprint != pinned.hex(":").upper():
                return network.otherwise_pinned(where, shown)
            return network.trusted(where, shown, "its fingerprint", now)
        try:
            await certificate_at(*_place(node), ssl_context(self._trust.context))
        except ssl.SSLCertVerificationError as error:
            return network.untrusted(where, shown, error)
        return network.trusted(where, shown, self._by, now)

    async def _check_http_everywhere(self, nodes: list[URL]) -> list[URL]:
        """Greet nodes, and those that they name; return the ones that may be sent credentials.

        A node that redirects is as good as the one that it names. Those that answer come first.
        """
        well: list[URL] = []
        greeted = set(self._nodes.urls)
        while nodes:
            well += await self._check_nodes("http", self._check_http, nodes)
            greeted.update(nodes)
            named = dict.fromkeys(self._targets.values())
            nodes = [node for node in named if node not in greeted]
        answering = [node for node in well if node not in self._targets]
        return answering + [node for node in well if self._targets.get(node) in answering]

    async def _check_http(self, node: URL) -> CheckResult:
        """Ask without saying who we are, as it may be somebody else who answers."""
        try:
            reply = await self._transport.send_to_node(node, _TRIED)
        except ClientCertificateRefused as error:
            return network.no_handshake(str(node), OSError(), error.reason)
        except RequestError as error:
            return network.unanswered(str(node), getattr(error, "reason", error.detail))
        skew = network.clock_skew(reply.headers, datetime.now(UTC))
        if reply.status in {307, 308}:
            target = self._nodes.redirect_target(node, reply.headers.get("Location", ""))
            if target is not None and target != node:
                self._targets[node] = target
        known = False
        if network.is_inconclusive(reply.status, reply.headers, reply.body):
            state = await self._bootstrap(node)
            if state not in {None, "completed"}:
                return network.unbootstrapped(str(node), str(state))
            known = state is not None or (reply.status == 401 and await self._misses_a_route(node))
        named = self._targets.get(node)
        result = network.answered(
            str(node),
            node.port,
            reply.status,
            reply.headers,
            reply.body,
            target=None if named is None else str(named),
            known=known,
        )
        if result.level is Level.OK:
            self._skews[node] = skew
        return result

    async def _bootstrap(self, node: URL) -> str | None:
        """Return how far a node's bootstrap is, which it tells anybody until it is completed."""
        reply = await self._ask_openly(node, _BOOTSTRAP)
        return bootstrap_state(reply.body) if reply is not None and reply.status == 200 else None

    async def _misses_a_route(self, node: URL) -> bool:
        """Return True if a node has no route where the API has none.

        A web server that wants a password for everything answers 401 there, too.
        """
        reply = await self._ask_openly(node, _NOWHERE)
        return reply is not None and reply.status == 404

    async def _ask_openly(self, node: URL, call: Request) -> Reply | None:
        try:
            async with asyncio.timeout(self._limit):
                return await self._transport.send_to_node(node, call)
        except (RequestError, TimeoutError):
            return None

    # --- the cluster ------------------------------------------------------------------------------

    async def _check_cluster(self, nodes: list[URL]) -> None:
        if not nodes:
            self._tell(cluster.credentials_not_sent())
            return
        # No redirect leads to another node from now on.
        self._transport.nodes = NodePool([Secret(str(node)) for node in nodes])
        reply = await self._ask(cluster.NODES)
        forbidden = getattr(reply, "status", None) == 403
        if isinstance(reply, Exception) and not forbidden:
            await self._tell_refusal(nodes[0], reply)
            return
        if isinstance(reply, Exception):
            known = cluster.accepted(self._who, 403)
            version = cluster.denied("version", cluster.NODES, reply)
        else:
            known = cluster.accepted(self._who, reply.status, reply.body)
            version = cluster.version(reply.status, reply.body)
        self._tell(known)
        self._tell(version)
        found = [] if forbidden else [known]
        found.append(await self._see("primary", cluster.STATUS, cluster.primary_node))
        for right in cluster.LISTS:
            words = partial(cluster.allowed, right)
            found.append(await self._see("permissions", right, words))
        if all(each.level is not Level.OK for each in found):
            self._tell(cluster.nothing_visible())
        await self._see("v2", cluster.V2, cluster.v2_actions)

    async def _see(
        self, check: str, right: Route, words: Callable[[int, bytes], CheckResult]
    ) -> CheckResult:
        reply = await self._ask(right)
        if isinstance(reply, Exception):
            result = cluster.denied(check, right, reply)
        else:
            result = words(reply.status, reply.body)
        self._tell(result)
        return result

    async def _ask(self, right: Route) -> Reply | Exception:
        """Ask as the client does; return what it raises, too."""
        try:
            async with asyncio.timeout(self._limit):
                try:
                    return await self._get(right, right.query)
                except RequestError as error:
                    if not right.query or getattr(error, "status", None) not in FIELDS_UNSUPPORTED:
                        raise
                    return await self._get(right, "")
        except (RedisActionsError, TimeoutError) as error:
            return error

    async def _get(self, right: Route, query: str) -> Reply:
        return await self._transport.get(right.path, permission=right.permission, query=query)

    async def _tell_refusal(self, node: URL, error: Exception) -> None:
        """Tell why the list of nodes is not shown: no cluster yet, or credentials refused."""
        expired = getattr(error, "error_code", None) == "password_expired"
        refused = getattr(error, "status", None) == 401 and not expired
        state = await self._bootstrap(node) if refused else None
        if state not in {None, "completed"}:
            self._tell(network.unbootstrapped(str(node), str(state)))
            return
        tokens = refused and await self._grants_tokens(node)
        self._tell(cluster.refused(self._who, error, tokens=tokens))

    async def _grants_tokens(self, node: URL) -> bool:
        """Whether a cluster that refuses Basic takes the password for a token.

        It is asked once only, as clusters lock users out after a few refusals.
        """
        if self._auth != "basic" or not isinstance(self._password, Secret):
            return False
        said = Secret(json.dumps({"username": self._user, "password": self._password.reveal()}))
        call = Request("POST", "/v1/users/authorize", body=said, quotable=False)
        try:
            async with asyncio.timeout(self._limit):
                reply = await self._transport.send_to_node(node, call)
        except (RequestError, TimeoutError):
            return False
        return reply.status == 200 and b"access_token" in reply.body


def _who(user: str | None, auth: str, *, token: bool) -> str:
    if token:
        return "the token"
    if user is None:
        return "one who does not say who he is, or shows a client certificate"
    return f"{user}, by {'a token for the password' if auth == 'jwt' else 'the password'}"


def _place(node: URL) -> tuple[str, int]:
    return node.host or "", node.port or 443


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
