"""Transport: sends one request to one node, with its redirects and its authentication.

A reply is a status, headers, and a body in bytes; its meaning is left to the callers. Credentials
go to the configured and trusted nodes only.
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

from .redaction import Secret
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
_ABANDONED: Final = 2.0  # seconds without an answer; a request cancelled after that is a failure
_MIN_TIMEOUT: Final = 5.0  # seconds for one of several nodes
_CONNECT_TIMEOUT: Final = 10.0  # seconds
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_REDIRECTS: Final = frozenset({307, 308})  # those that keep the method
_HEADERS: Final[Mapping[str, str]] = {
    hdrs.ACCEPT: "application/json",
    hdrs.USER_AGENT: "redis-enterprise-actions",
}
# aiohttp names its TLS setting in its errors, even for plain HTTP.
_TLS_SETTING: Final = re.compile(" ssl:(default|True|False|<[^>]*>)")
# Errors of aiohttp that hold the headers of the request, or bytes of the answer.
_WITH_SECRETS: Final = (aiohttp.ClientResponseError, aiohttp.ClientPayloadError)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Reply(NamedTuple):
    """Response to a request. Its `repr` hides the body, which may hold passwords and tokens."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<answer {self.status} of {len(self.body)} bytes>"


class Request(NamedTuple):
    """Request to any node. `path` and `query` are quoted already; `timeout` is in seconds.

    Errors quote the cluster's words only if they are `quotable`, and otherwise its error code.
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
        """Return True if the request may change something, so that it must not be sent twice."""
        return self.method != "GET"


class Transport:
    """Sender of requests to one cluster. It opens a session if none is given."""

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
        self.requests_sent = 0
        self._tried_since = -math.inf
        self._tried: list[URL] = []  # the nodes of the last request, in order
        self._authenticator = authenticator
        self._tls = tls
        self._external_session = session
        self._own_session: aiohttp.ClientSession | None = None
        if not 0 < request_timeout < math.inf:
            raise UsageError("request_timeout= must be more than 0 and not endless")
        if session is not None and not isinstance(session, aiohttp.ClientSession):
            raise UsageError("session= is not an aiohttp.ClientSession")
        if session is not None and session.auth is not None and authenticator.has_credentials:
            raise UsageError("session= has credentials of its own: leave out username=")
        both = tls.fingerprint is not None and isinstance(tls.context, ssl.SSLContext)
        if both and session is not None:
            raise UsageError("session= cannot be combined with both fingerprint= and client_cert=")
        pinned = None if tls.fingerprint is None else aiohttp.Fingerprint(tls.fingerprint)
        self._ssl = tls.context if pinned is None or both else pinned
        self._request_timeout = request_timeout
        self._default_timeout = _timeout(request_timeout)
        # A session that the transport opens itself sends these headers already.
        self._default_headers = {} if session is None else dict(_HEADERS)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        for url in nodes.urls:
            if url.scheme == "https" and not tls.verified:
                fields = {"event": "certificate not verified", "url": str(url)}
                _log.warning("the certificate of %s is not verified", url, extra=fields)
            if url.scheme == "http" and authenticator.has_credentials and url.host not in _LOOPBACK:
                fields = {"event": "credentials unencrypted", "url": str(url)}
                _log.warning("the credentials go to %s unencrypted", url, extra=fields)

    async def close(self) -> None:
        """Close the session, unless it was given."""
        self._closed = True
        if self._own_session is not None:
            await self._own_session.close()

    def get(self, path: str, *, permission: str, query: str = "") -> Awaitable[Reply]:
        """GET `path`; see `send`. `permission` is the one that the vendor's page names."""
        return self.send(_get_request(path, query, permission))

    async def send(self, request: Request) -> Reply:
        """Send a request once; return a reply of status 2xx or 404.

        A redirect to another node, and a token that is renewed after a 401, are followed by another
        request: the cluster has not executed the first one. Raises `RequestError`, `ClientClosed`,
        and errors of the caller's `token=`.
        """
        authorization = self._authenticator.static_header or await self._authorize(
            request, self._authenticator.authorization(self._post_for_token)
        )
        reply = await self._send_once(request, authorization)
        if reply.status == 200:
            return reply
        if reply.status == 401:
            authorization = await self._authorize(
                request, self._authenticator.reauthorize(authorization, self._post_for_token)
            )
            if authorization is not None:
                reply = await self._send_once(request, authorization)
        error = self._error_for(request, reply)
        if error is not None:
            raise error
        return reply

    async def send_to_node(
        self, node: URL, request: Request, authorization: Secret | None = None
    ) -> Reply:
        """Send a request to one node; return any reply, also a redirect.

        Raises `RequestError` if there is none, and `ClientClosed`.
        """
        turn = TURN.get()
        if turn is not None:
            await turn()
            self._tried_since = asyncio.get_running_loop().time()
        session = self._session()
        headers = (
            {**request.headers, **_HEADERS} if request.headers else self._default_headers.copy()
        )
        if authorization is not None:
            headers[hdrs.AUTHORIZATION] = authorization.reveal()
        if request.body is not None:
            headers[hdrs.CONTENT_TYPE] = "application/json"
        self.requests_sent += 1
        try:
            response = await session.request(
                request.method,
                _url(node, request.path, request.query),
                headers=headers,
                data=None if request.body is None else request.body.reveal(),
                ssl=self._ssl,
                timeout=self._timeout_for(node, request),
                allow_redirects=False,
                raise_for_status=False,
                middlewares=(_without_resending,) if request.is_write else None,
            )
            try:
                content = response.content
                if content.is_eof() and content.total_bytes <= MAX_BODY:  # all of it is there
                    body = content.read_nowait()
                else:
                    body = await _read_body(request, response)
                return Reply(response.status, self._authenticator.redact(body), response.headers)
            finally:
                if response.connection is not None:  # otherwise it was read to its end
                    response.release()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            misused = "AUTHORIZATION header" in str(error)
            unreachable = _unreachable(request, error)
            has_secrets = isinstance(error, _WITH_SECRETS) or _is_cut_in_headers(error)
            cause = None if has_secrets else error
        # Not raised within `except`, where the new error would keep the old one as its context.
        if misused:
            raise UsageError("session= has credentials of its own, as from .netrc")
        if self._closed or session.closed:
            raise ClientClosed from cause
        raise unreachable from cause

    def mark_answered(self) -> None:
        """Record that the last reply was usable."""
        if self.nodes.has_failures:
            self.nodes.mark_answered(asyncio.get_running_loop().time())

    def abandon(self) -> None:
        """Record that a request was cancelled; a node that had time enough to answer has failed."""
        now = asyncio.get_running_loop().time()
        if self._tried and now - self._tried_since >= _ABANDONED:
            self.nodes.mark_failed(self._tried, now, backoff=None)

    def fail_over(self, error: RequestError) -> None:
        """Record that the last reply was unusable, and add to its error the nodes that were tried.

        The next request goes to another node.
        """
        if not self._tried:
            return
        now = asyncio.get_running_loop().time()
        backoff = self.nodes.mark_failed(self._tried, now, backoff=error.retry_after)
        error.nodes = tuple(map(str, self._tried))
        error.has_alternative = backoff is None
        error.retry_after = backoff or None

    async def _post_for_token(
        self, path: str, authorization: Secret | None, body: Secret
    ) -> Secret:
        request = Request("POST", path, body=body, quotable=False)  # a reply may hold the password
        reply = await self._send_once(request, authorization)
        error = self._error_for(request, reply)
        if reply.status == 404:
            hint = 'This cluster grants no tokens: leave out auth="jwt"'
            error = RequestRejected("POST", path, status=404, hint=hint)
        if error is not None:
            raise error
        return Secret(reply.body.decode("utf-8", "replace"))

    async def _authorize(self, request: Request, header: Awaitable[Secret | None]) -> Secret | None:
        try:
            return await header
        except RedisActionsError:
            raise
        except OSError as error:  # of `token=`; a TimeoutError is one
            self._tried = []
            reason = f"it was not sent, as token= failed: {str(error) or type(error).__name__}"
            raise _not_sent(request, reason) from error

    def _error_for(self, request: Request, reply: Reply) -> RequestError | None:
        return error_for(
            request.method,
            request.path,
            reply.status,
            reply.headers,
            reply.body,
            permission=request.permission,
            check=self._authenticator.hint,
            quoted=request.quotable,
        )

    async def _send_once(self, request: Request, authorization: Secret | None) -> Reply:
        """Send a request to the current node, and to those that it redirects to; return any reply.

        Raises an error if there is none, or if its status asks for a retry.
        """
        self._tried = tried = [self.nodes.current]
        self._tried_since = asyncio.get_running_loop().time()
        try:
            reply = await self.send_to_node(tried[0], request, authorization)
            if reply.status != 200:
                reply = await self._follow_redirects(tried, request, authorization, reply)
        except ClusterUnreachable as error:
            error.nodes = tuple(map(str, tried))
            raise
        finally:
            self._tried = tried  # other requests may have set it meanwhile
        self.nodes.current = tried[-1]
        return reply

    async def _follow_redirects(
        self, tried: list[URL], request: Request, authorization: Secret | None, reply: Reply
    ) -> Reply:
        """Follow redirects to known nodes, which are added to `tried`; return the last reply."""
        was_healthy = self.nodes.is_healthy(tried[0])
        while True:
            error = self._error_for(request, reply) if is_retryable(reply.status) else None
            if error is not None:
                raise error
            if reply.status not in _REDIRECTS:
                return reply
            target = self.nodes.redirect_target(tried[-1], reply.headers.get("Location", ""))
            if target is None:
                return reply
            tried.append(target)
            backoff = self.nodes.remaining_backoff(target, asyncio.get_running_loop().time())
            if was_healthy and backoff:
                reason = f"it redirects to {target}, which sent Retry-After"
                raise _not_sent(request, reason, backoff)
            if target in tried[:-1]:
                circle = " to ".join(map(str, tried))
                raise _not_sent(request, f"it redirects from {circle}")
            reply = await self.send_to_node(target, request, authorization)

    def _timeout_for(self, node: URL, request: Request) -> aiohttp.ClientTimeout:
        """Return the timeout of one node: a share of the request's, if there is another node."""
        if request.timeout is None and len(self.nodes.urls) == 1:
            return self._default_timeout
        total = request.timeout or self._request_timeout
        if self.nodes.has_alternative(node) and not request.is_write:
            total = min(total, max(_MIN_TIMEOUT, total / len(self.nodes.urls)))
        return _timeout(total)

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


async def _read_body(request: Request, response: aiohttp.ClientResponse) -> bytes:
    """Read a body of at most `MAX_BODY` bytes."""
    pieces: list[bytes] = []
    size = 0
    while not response.content.at_eof():
        pieces.append(await response.content.readany())
        size += len(pieces[-1])
        if size > MAX_BODY:
            response.close()
            problem = f"it is larger than {MAX_BODY} bytes"
            raise UnreadableReply(request.method, request.path, problem=problem)
    return b"".join(pieces)


class _ResponseLost(aiohttp.ClientError):
    """Loss of a connection after a request was sent on it."""


async def _without_resending(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Middleware that keeps aiohttp from sending a PUT or DELETE again after a lost answer."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        reason = _reason(error)
    raise _ResponseLost(reason)


def _not_sent(
    request: Request, reason: str, retry_after: float | None = None
) -> ClusterUnreachable:
    """Return the error of a request that the cluster certainly has not executed."""
    error = ClusterUnreachable(request.method, request.path, reason=reason, retry_after=retry_after)
    error.sent = False
    return error


def _is_cut_in_headers(error: Exception) -> bool:
    """Return True if the connection was lost within the headers, which the error then holds."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)


@lru_cache(1024)  # a wait sends the same request again and again
def _get_request(path: str, query: str, permission: str) -> Request:
    return Request("GET", path, query, permission=permission)


@lru_cache(1024)  # likewise
def _url(node: URL, path: str, query: str) -> URL:
    return URL(f"{node}{path}{query}", encoded=True)


@lru_cache
def _timeout(total: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, sock_connect=min(_CONNECT_TIMEOUT, total))


def _reason(error: Exception) -> str:
    if _is_cut_in_headers(error):
        return "the answer is cut off within its headers"
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"the answer is cut off, or garbled ({type(error.__cause__ or error).__name__})"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer is not HTTP ({type(error).__name__})"
    if isinstance(error, TimeoutError):
        return f"no answer in time{f' ({error})' if str(error) else ''}"
    message = _TLS_SETTING.sub("", str(error)) or type(error).__name__
    return message.replace("[None]", "[connection closed]")


def _unreachable(request: Request, error: Exception) -> ClusterUnreachable:
    method, path = request.method, request.path
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
