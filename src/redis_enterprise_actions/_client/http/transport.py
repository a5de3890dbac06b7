"""How to ask: the session, the nodes, the credentials, and one request with its detours.

Knows HTTP. Refuses to know what an action is: (status, headers, bytes) go out, and what the
bytes mean is `_wire`'s. Credentials go to the configured nodes only, and to no other that a
redirect may name.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import ssl
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp
from aiohttp import hdrs
from yarl import URL

from redis_enterprise_actions._client.pacing.rate_limit import TURN
from redis_enterprise_actions._client.wire.error_body import error_for, is_retryable
from redis_enterprise_actions._model.errors import (
    ClientCertificateRefused,
    ClientClosed,
    ClusterUnreachable,
    RedisActionsError,
    RequestRejected,
    UnreadableReply,
    UntrustedCertificate,
    UsageError,
)

from .auth import Secret
from .tls import client_cert_refusal


if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from redis_enterprise_actions._model.errors import RequestError

    from .auth import Authenticator
    from .nodes import NodePool
    from .tls import TLSSettings

_log = logging.getLogger(__name__)

MAX_BODY: Final = 64 * 2**20  # bytes; a cluster with 100,000 remembered actions sends about half
_CONNECTIONS: Final = 8  # a cluster manager has about ten API threads
_HANGING: Final = 2.0  # seconds after which a node that is not waited for any more counts as gone
_LEAST: Final = 5.0  # seconds that a node is given, even if there are many
_CONNECT: Final = 10.0  # seconds after which a node that cannot be connected to counts as gone
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_REDIRECTS: Final = frozenset({307, 308})  # those that keep the method
_HEADERS: Final[Mapping[str, str]] = {
    hdrs.ACCEPT: "application/json",
    hdrs.USER_AGENT: "redis-enterprise-actions",
}
# aiohttp names its TLS setting in its errors, whether TLS is spoken or not.
_TLS_SETTING: Final = re.compile(" ssl:(default|True|False|<[^>]*>)")
_TELLTALES: Final = (aiohttp.ClientResponseError, aiohttp.ClientPayloadError)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Reply(NamedTuple):
    """What came back. No `repr` shows the body, as databases and tokens come in such."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<answer {self.status} of {len(self.body)} bytes>"


class _Body(list[bytes]):
    """The pieces that have come of a body, which no `repr` shows either."""

    def __repr__(self) -> str:
        return f"<{len(self)} pieces>"


class Request(NamedTuple):
    """One request: `path` and `query` are quoted, and `patience` is in seconds.

    Unless what the cluster says may be `quoted`, errors show nothing but its code.
    """

    method: str
    path: str
    query: str = ""
    body: Secret | None = None
    headers: Mapping[str, str] = _NO_HEADERS
    permission: str | None = None
    timeout: float | None = None
    quotable: bool = True

    @property
    def is_write(self) -> bool:
        """Whether it may change something, so that twice is not once."""
        return self.method != "GET"


class Transport:
    """Asks one cluster. Makes its session when first needed and closes what it made."""

    def __init__(
        self,
        nodes: NodePool,
        *,
        authenticator: Authenticator,
        tls: TLSSettings,
        session: aiohttp.ClientSession | None,
        request_timeout: float,
    ) -> None:
        self.nodes = nodes
        self.requests_sent = 0  # requests so far
        self._tried_since = -math.inf
        self._tried: list[URL] = []  # the nodes that the last request went to, one after the other
        self._authenticator = authenticator
        self._tls = tls
        self._external_session = session
        self._own_session: aiohttp.ClientSession | None = None
        if not 0 < request_timeout < math.inf:
            raise UsageError("request_timeout= must be more than 0 and not endless")
        if session is not None and not isinstance(session, aiohttp.ClientSession):
            raise UsageError("session= is not an aiohttp.ClientSession")
        if session is not None and session.auth is not None and authenticator.has_credentials:
            raise UsageError("session= brings credentials of its own: leave out username=")
        both = tls.fingerprint is not None and isinstance(tls.context, ssl.SSLContext)
        if both and session is not None:
            raise UsageError("fingerprint= and client_cert= together need no session=")
        pinned = None if tls.fingerprint is None else aiohttp.Fingerprint(tls.fingerprint)
        self._ssl = tls.context if pinned is None or both else pinned
        self._request_timeout = request_timeout
        self._default_timeout = _timeout(request_timeout)
        self._default_headers = {} if session is None else dict(_HEADERS)  # ours brings them
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._warn()

    async def close(self) -> None:
        """Close the session if it is ours."""
        self._closed = True
        if self._own_session is not None:
            await self._own_session.close()

    def get(self, path: str, *, permission: str, query: str = "") -> Awaitable[Reply]:
        """GET `path`; see `send`. `permission` is what the vendor's page asks for."""
        return self.send(_get_request(path, query, permission))

    async def send(self, call: Request) -> Reply:
        """Send a request once; return an answer of status 2xx or 404.

        A node that redirects us to another one and a token that is renewed take requests of their
        own, as neither has done anything. Raises `RequestError`, `ClientClosed`, and what a
        `token=` of the user's raises.
        """
        proof = self._authenticator.static_header or await self._authorize(
            call, self._authenticator.authorization(self._post_for_token)
        )
        reply = await self._send_once(call, proof)
        if reply.status == 200:
            return reply
        if reply.status == 401:
            proof = await self._authorize(
                call, self._authenticator.reauthorize(proof, self._post_for_token)
            )
            if proof is not None:
                reply = await self._send_once(call, proof)
        refused = self._error_for(call, reply)
        if refused is not None:
            raise refused
        return reply

    async def send_unauthenticated(self, node: URL, call: Request) -> Reply:
        """Ask one node, without saying who we are, and return any answer, a redirect included.

        Raises `RequestError` where there is none.
        """
        return await self._send_to_node(node, call, None)

    def mark_answered(self) -> None:
        """Note that the last answers were usable."""
        if self.nodes.has_failures:
            self.nodes.mark_answered(asyncio.get_running_loop().time())

    def abandon(self) -> None:
        """Leave the node that was being asked, if it has had time enough, to others."""
        now = asyncio.get_running_loop().time()
        if self._tried and now - self._tried_since >= _HANGING:
            self.nodes.mark_failed(self._tried, now, backoff=None)

    def fail_over(self, error: RequestError) -> None:
        """Leave the nodes that gave no usable answer to the last request, as `error` says."""
        if not self._tried:
            return
        now = asyncio.get_running_loop().time()
        rest = self.nodes.mark_failed(self._tried, now, backoff=error.retry_after)
        error.nodes = tuple(map(str, self._tried))
        error.has_alternative = rest is None
        error.retry_after = rest or None

    # --- one answer -----------------------------------------------------------------------------

    async def _post_for_token(self, path: str, proof: Secret | None, body: Secret) -> Secret:
        """POST `body` for a token."""
        call = Request("POST", path, body=body, quotable=False)  # it may repeat the password
        reply = await self._send_once(call, proof)
        refused = self._error_for(call, reply)
        if reply.status == 404:
            hint = 'This cluster grants no tokens: leave out auth="jwt"'
            refused = RequestRejected("POST", path, status=404, hint=hint)
        if refused is not None:
            raise refused
        return Secret(reply.body.decode("utf-8", "replace"))

    async def _authorize(self, call: Request, proving: Awaitable[Secret | None]) -> Secret | None:
        try:
            return await proving
        except RedisActionsError:
            raise
        except OSError as error:  # of `token=`; a TimeoutError is one
            reason = f"it was not asked, as token= gave none: {str(error) or type(error).__name__}"
            unreachable = ClusterUnreachable(call.method, call.path, reason=reason)
            unreachable.sent = False
            self._tried = []
            raise unreachable from error

    def _error_for(self, call: Request, reply: Reply) -> RequestError | None:
        return error_for(
            call.method,
            call.path,
            reply.status,
            reply.headers,
            reply.body,
            permission=call.permission,
            check=self._authenticator.hint,
            quoted=call.quotable,
        )

    async def _send_once(self, call: Request, proof: Secret | None) -> Reply:
        """Ask the node whose turn it is, and then the one that it names; return any answer.

        Raises an error where there is none, or one that says "not now".
        """
        self._tried = asked = [self.nodes.current]
        self._tried_since = asyncio.get_running_loop().time()
        try:
            reply = await self._send_to_node(asked[0], call, proof)
            if reply.status != 200:
                reply = await self._follow_redirects(asked, call, proof, reply)
        except ClusterUnreachable as error:
            error.nodes = tuple(map(str, asked))
            raise
        finally:
            self._tried = asked  # whatever was asked meanwhile
        self.nodes.current = asked[-1]
        return reply

    async def _follow_redirects(
        self, asked: list[URL], call: Request, proof: Secret | None, reply: Reply
    ) -> Reply:
        """Ask the node that one names instead of answering; it is added to those `asked`."""
        is_new = self.nodes.is_healthy(asked[0])
        while True:
            refused = self._error_for(call, reply) if is_retryable(reply.status) else None
            if refused is not None:
                raise refused
            if reply.status not in _REDIRECTS:
                return reply
            target = self.nodes.redirect_target(asked[-1], reply.headers.get("Location", ""))
            if target is None:
                return reply
            asked.append(target)
            rest = self.nodes.remaining_backoff(target, asyncio.get_running_loop().time())
            if is_new and rest:
                reason = f"it redirects to {target}, which wants to be left alone"
                raise _not_sent(call, reason, rest)
            if target in asked[:-1]:
                round_trip = " to ".join(map(str, asked))
                raise _not_sent(call, f"it redirects from {round_trip}")
            reply = await self._send_to_node(target, call, proof)

    async def _send_to_node(self, node: URL, call: Request, proof: Secret | None) -> Reply:
        turn = TURN.get()
        if turn is not None:
            await turn()
            self._tried_since = asyncio.get_running_loop().time()
        session = self._session()
        self.requests_sent += 1
        try:
            response = await session.request(
                call.method,
                _url(node, call.path, call.query),
                headers=self._headers(proof, call),
                data=None if call.body is None else call.body.reveal(),
                ssl=self._ssl,
                timeout=self._timeout_for(node, call),
                allow_redirects=False,
                raise_for_status=False,
                middlewares=(_without_resending,) if call.is_write else None,
            )
            try:
                content = response.content
                if content.is_eof() and content.total_bytes <= MAX_BODY:  # all of it is there
                    redacted = self._authenticator.redact(content.read_nowait())
                    return Reply(response.status, redacted, response.headers)
                return Reply(
                    response.status, await self._read_body(call, response), response.headers
                )
            finally:
                if response.connection is not None:  # otherwise it was read to its end
                    response.release()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            misused = "AUTHORIZATION header" in str(error)
            unreachable = _unreachable(call.method, call.path, error)
            # An error about a reply holds the headers of the request, or bytes of the answer.
            harmless = None if isinstance(error, _TELLTALES) or _is_cut_in_headers(error) else error
        _without_frames(harmless)
        if misused:
            raise UsageError("session= brings credentials of its own, as from .netrc")
        if self._closed or session.closed:
            raise ClientClosed from harmless
        raise unreachable from harmless

    def _headers(self, proof: Secret | None, call: Request) -> dict[str, str]:
        headers = {**call.headers, **_HEADERS} if call.headers else self._default_headers.copy()
        if proof is not None:
            headers[hdrs.AUTHORIZATION] = proof.reveal()
        if call.body is not None:
            headers[hdrs.CONTENT_TYPE] = "application/json"
        return headers

    def _timeout_for(self, node: URL, call: Request) -> aiohttp.ClientTimeout:
        """Return how long a node may take: a share, while there is another one to ask."""
        if call.timeout is None and len(self.nodes.urls) == 1:
            return self._default_timeout
        total = call.timeout or self._request_timeout
        if self.nodes.has_alternative(node) and not call.is_write:
            total = min(total, max(_LEAST, total / len(self.nodes.urls)))
        return _timeout(total)

    async def _read_body(self, call: Request, response: aiohttp.ClientResponse) -> bytes:
        """Read a body as it comes, and no further than we are willing to hold."""
        body = _Body()
        size = 0
        content = response.content
        while not content.at_eof():
            body.append(await content.readany())
            size += len(body[-1])
            if size > MAX_BODY:
                response.close()
                problem = f"it is larger than {MAX_BODY} bytes"
                raise UnreadableReply(call.method, call.path, problem=problem)
        return self._authenticator.redact(b"".join(body))

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._external_session is None and self._own_session is None and not self._closed:
            self._loop = loop
            pinned = self._tls.fingerprint
            self._own_session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=_CONNECTIONS, ssl=True if pinned is None else aiohttp.Fingerprint(pinned)
                ),
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        if self._own_session is not None and self._loop is not loop:
            raise UsageError("the client belongs to the event loop that it was first used in")
        session = self._external_session or self._own_session
        if self._closed or session is None or session.closed:
            raise ClientClosed
        return session

    def _warn(self) -> None:
        """Log what is not as safe as it might be."""
        for url in self.nodes.urls:
            if url.scheme == "https" and not self._tls.verified:
                fields = {"event": "certificate not verified", "url": str(url)}
                _log.warning("the certificate of %s is not verified", url, extra=fields)
            if (
                url.scheme == "http"
                and self._authenticator.has_credentials
                and url.host not in _LOOPBACK
            ):
                fields = {"event": "credentials unencrypted", "url": str(url)}
                _log.warning("the credentials go to %s unencrypted", url, extra=fields)


class _ResponseLost(aiohttp.ClientError):
    """The connection was lost after a request had gone out on it."""


async def _without_resending(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a PUT or DELETE again whose answer was lost."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        reason = _reason(error)
    raise _ResponseLost(reason)


def _not_sent(call: Request, reason: str, retry_after: float | None = None) -> ClusterUnreachable:
    """Return the error for a request that no node has taken."""
    error = ClusterUnreachable(call.method, call.path, reason=reason, retry_after=retry_after)
    error.sent = False
    return error


def _without_frames(error: BaseException | None) -> None:
    """Drop the frames that an error went through, as aiohttp's hold the headers of the request."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _is_cut_in_headers(error: Exception) -> bool:
    """Whether the connection was lost within an answer's headers, which the error then holds."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)


@lru_cache(1024)  # a wait asks for the same one again and again
def _get_request(path: str, query: str, permission: str) -> Request:
    return Request("GET", path, query, permission=permission)


@lru_cache(1024)  # likewise
def _url(node: URL, path: str, query: str) -> URL:
    return URL(f"{node}{path}{query}", encoded=True)


@lru_cache
def _timeout(total: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, sock_connect=min(_CONNECT, total))


def _reason(error: Exception) -> str:
    if _is_cut_in_headers(error):
        return "the answer is cut off within its headers"
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"the answer is cut off, or garbled ({type(error.__cause__ or error).__name__})"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer is not HTTP ({type(error).__name__})"
    if isinstance(error, TimeoutError):
        return f"no answer in time{f' ({error})' if str(error) else ''}"
    said = _TLS_SETTING.sub("", str(error)) or type(error).__name__
    return said.replace("[None]", "[it hung up]")


def _unreachable(method: str, path: str, error: Exception) -> ClusterUnreachable:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return UntrustedCertificate(method, path, reason=str(error.certificate_error))
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        untrusted = UntrustedCertificate(method, path, reason="it is not the pinned one")
        untrusted.fingerprint = error.got.hex(":").upper()
        return untrusted
    refused = client_cert_refusal(error)
    if refused is not None:
        return ClientCertificateRefused(method, path, reason=refused)
    unreachable = ClusterUnreachable(method, path, reason=_reason(error))
    unreachable.sent = not isinstance(error, aiohttp.ClientConnectorError)
    return unreachable
