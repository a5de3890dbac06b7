"""Transport: gets a usable answer from any node of the cluster, and sends calls to one of them.

A decoder of the caller tells the meaning of a reply, and whether it is usable. Credentials go to
the configured and trusted nodes only.
"""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, TypeVar

import aiohttp
from aiohttp import hdrs
from yarl import URL

from redis_enterprise_actions._client.event_loop import HomeLoop
from redis_enterprise_actions._client.wire.error_body import (
    FOREIGN_404,
    USE_API,
    error_for,
    foreign_404,
    is_api_error,
)
from redis_enterprise_actions._model.errors import (
    ClientClosed,
    ClusterUnreachable,
    RedisActionsError,
    RequestError,
    RequestRejected,
    UnreadableReply,
    UsageError,
)
from redis_enterprise_actions._model.secret import Secret
from redis_enterprise_actions._model.text import one_line, shortened

from .attempts import Attempts
from .captured import add_exchange, failure_of
from .connection_errors import ConnectionLost, connection_error, has_secrets, reason_of
from .messages import Reply, Request
from .nodes import differs_by_slashes, moved_path
from .redaction import credentials_of, without_secrets
from .request_log import log_request


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from redis_enterprise_actions._client.capture.capture import Capture
    from redis_enterprise_actions._client.capture.format import Failure
    from redis_enterprise_actions._client.protocols import Gate

    from .auth import Authenticator
    from .nodes import NodePool
    from .tls import TLSSettings

NO_TOKENS: Final = 'This cluster grants no tokens: leave out auth="jwt"'
_T = TypeVar("_T")
_log = logging.getLogger(__name__)

MAX_BODY: Final = 64 * 2**20  # bytes; a cluster with 100,000 remembered actions sends about half
_CALLS: Final = 6  # requests of the user at once; a cluster manager has about ten API threads
_POLLS: Final = 2  # one poll and one last look at once
_ABANDONED: Final = 2.0  # seconds without an answer; a request cancelled after that is a failure
_MIN_TIMEOUT: Final = 5.0  # seconds for one of several nodes
_CONNECT_TIMEOUT: Final = 10.0  # seconds
_CONNECT_SHARE: Final = 0.8  # at most, of a shorter time limit: "not connected" is not "no answer"
_REDIRECTS: Final = frozenset({307, 308})  # those that keep the method
_ALL_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final[Mapping[str, str]] = {
    hdrs.ACCEPT: "application/json",
    hdrs.USER_AGENT: "redis-enterprise-actions",
}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class _Headers(dict[str, str]):
    """Headers of a request. Their `repr` hides them, as they hold credentials.

    `credentials` are the bytes that a server may send back, empty if there are none.
    """

    __slots__ = ("authorization", "credentials")

    def __init__(self, headers: Mapping[str, str], authorization: Secret | None) -> None:
        super().__init__(headers)
        self.authorization = authorization
        self.credentials = b""
        if authorization is not None:
            self[hdrs.AUTHORIZATION] = authorization.reveal()
            self.credentials = credentials_of(authorization)

    def __repr__(self) -> str:
        return "<headers>"


class Transport:
    """Sender of requests to one cluster. It opens a session if none is given.

    `has_answered` is True once the cluster has given an answer that is the API's, and
    `knows_credentials` once a node has accepted those of the client. `capture` is the one that is
    under way, or None.
    """

    def __init__(
        self,
        nodes: NodePool,
        *,
        authenticator: Authenticator,
        tls: TLSSettings,
        session: aiohttp.ClientSession | None,
        request_timeout: float,
    ) -> None:
        self.home = HomeLoop()
        self.nodes = nodes
        self.requests_sent = 0
        self.has_answered = False
        self.knows_credentials = False
        self.authenticator = authenticator
        self.capture: Capture | None = None
        self.has_client_cert = tls.has_client_cert
        self._tls = tls
        self._external_session = session
        self._session: aiohttp.ClientSession | None = None  # the one in use, until `close`
        self._closed = False
        self._polls_out: dict[int, tuple[URL, float]] = {}  # nodes and times, by number
        self._call_slots = asyncio.Semaphore(_CALLS)
        self._poll_slots = asyncio.Semaphore(_POLLS)
        self._token_slots = asyncio.Semaphore(1)
        self._grants_tokens = False  # True once it has granted one
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
        self._base_headers: Mapping[str, str] = {} if session is None else _HEADERS
        # The headers of each GET, unless they need a token.
        self._get_headers: _Headers | None = None
        if authenticator.static_header is not None or not authenticator.has_credentials:
            self._get_headers = _Headers(self._base_headers, authenticator.static_header)
        # A given session may have middlewares of its own, which GETs do not replace.
        self._get_middlewares = _NOT_RESENT if session is None else None
        for url in nodes.urls:
            if url.scheme == "https" and not tls.verified:
                fields = {"event": "certificate not verified", "url": str(url)}
                _log.warning("the certificate of %s is not verified", url, extra=fields)
            if url.scheme == "http" and authenticator.has_credentials and url.host not in _LOOPBACK:
                fields = {"event": "credentials unencrypted", "url": str(url)}
                _log.warning("the credentials go to %s unencrypted", url, extra=fields)

    @property
    def is_closed(self) -> bool:
        """True once the transport was closed for good."""
        return self._closed

    async def close(self) -> None:
        """Close the session, unless it was given."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None and session is not self._external_session:
            await session.close()

    def get(
        self,
        path: str,
        *,
        permission: str | None,
        decode: Callable[[Reply], _T],
        query: str = "",
        gate: Gate | None = None,
        is_answer: Callable[[bytes], bool] | None = None,
    ) -> Coroutine[object, object, _T]:
        """GET `path` from any node, and return what `decode` makes of the reply.

        `decode` takes a reply of status 2xx or 404, and raises `UnreadableReply` if it is unusable.
        Where the API documents 503 as an answer, `is_answer` tells by its body that it is one.
        After a transient failure the next node is asked that has not failed since the last usable
        answer: a lost connection, no answer in time, 408, 429, 5xx except 501 and 505, an unusable
        reply, a redirect that leads nowhere, and credentials that another node has accepted.

        `permission` is the one that the vendor's page names, if it names one. `gate` is that of a
        poll, awaited before each request; polls have connections of their own.

        Raises a `RequestError` that counts all requests and names all nodes, `ClientClosed`, and
        errors of the caller's `token=`.
        """
        slots = self._call_slots if gate is None else self._poll_slots
        request = _get_request(path, query, permission, is_answer)
        return self._request(request, decode, gate, slots, self._get_headers)

    def send(self, request: Request) -> Coroutine[object, object, Reply]:
        """Send a request that changes something; return a reply of status 2xx or 404.

        The request goes on to the next node only if no node can have executed it: there was no
        connection, or a redirect that leads nowhere, or the node does not know credentials that
        another one has accepted. Raises what `get` does; `RequestError.sent` is False if no node
        can have executed the request. Until the cluster has answered once, a 404 that is not the
        API's is such an error.
        """

        def decode(reply: Reply) -> Reply:
            if reply.status == 404 and not (self.has_answered or is_api_error(reply.body)):
                raise foreign_404(request.path, method=request.method)
            return reply

        headers = None
        if self._get_headers is not None:
            headers = self._headers_for(request, self.authenticator.static_header)
        return self._request(request, decode, None, self._call_slots, headers)

    def send_to_node(
        self,
        node: URL,
        request: Request,
        *,
        gate: Gate | None = None,
        header: Secret | None = None,
    ) -> Coroutine[object, object, Reply]:
        """Send a request to one node, with no credentials but those of `header`; return any reply.

        A redirect is one, too. `gate` is that of a poll. Raises `RequestError` if there is no
        reply, and `ClientClosed`.
        """
        headers = self._headers_for(request, header)
        slots = self._call_slots if gate is None else self._poll_slots
        return self._exchange((node,), request, headers, gate, slots)

    async def _request(
        self,
        request: Request,
        decode: Callable[[Reply], _T],
        gate: Gate | None,
        slots: asyncio.Semaphore,
        headers: _Headers | None,
    ) -> _T:
        """Send a request to one node after the other; see `get` and `send`.

        Without `headers` it needs a token.
        """
        self.home.enter()
        loop, nodes, path = asyncio.get_running_loop(), self.nodes, request.path
        # The node to ask, after those that redirect to it.
        is_beside = gate is not None and bool(self._polls_out)
        chain: Sequence[URL] = (self._prompt_node(loop.time()) if is_beside else nodes.current,)
        attempts: Attempts | None = None  # made by the first failure
        renewable = headers is None
        while True:
            if headers is None:
                headers = await self._authorize(request, gate, attempts)
            outcome: Reply | RequestError
            try:
                outcome = await self._exchange(chain, request, headers, gate, slots)
                if request.is_answered_by(outcome):
                    value = decode(outcome)
                    self.has_answered = self.knows_credentials = True
                    if nodes.failed or attempts is not None:
                        node = nodes.current if attempts is None else chain[-1]
                        nodes.mark_answered(node, loop.time())
                    return value
            except (ClusterUnreachable, UnreadableReply) as error:
                outcome = error

            attempts = attempts or Attempts(nodes, chain[-1], is_write=request.is_write)
            if isinstance(outcome, RequestError):
                chain = attempts.fail(outcome, loop.time())
                continue
            moved = _without_slash_redirect(request, path, chain[-1], outcome)
            if moved is not None:
                request, chain = moved, attempts.repeat()
                continue
            if outcome.status == 401 and renewable:
                renewable = False
                renewed = await self._reauthorize(request, gate, attempts, headers)
                if renewed is not None:
                    headers, chain = renewed, attempts.repeat()
                    continue
            chain = self._after_refusal(request, outcome, attempts, loop.time())

    async def _exchange(
        self,
        chain: Sequence[URL],
        request: Request,
        headers: _Headers,
        gate: Gate | None,
        slots: asyncio.Semaphore,
    ) -> Reply:
        """Send one HTTP request to the last node of `chain`, and return the reply.

        Raises `ClusterUnreachable` without one, `UnreadableReply`, `ClientClosed`, `UsageError`.
        """
        self.home.enter()
        problem: Exception
        ended: Reply | Failure = "other"
        result: int | str = "no reply"
        async with slots:
            if gate is not None:
                await gate.admit()
            loop = asyncio.get_running_loop()
            session, sent_at = self._session, loop.time()
            if session is None or session.closed:
                session = self._open_session()
            self.requests_sent += 1
            number = self.requests_sent
            if gate is not None:
                self._polls_out[number] = chain[-1], sent_at
            try:
                response = await session.request(
                    request.method,
                    _url(chain[-1], request.path, request.query),
                    headers=headers,
                    data=request.data,
                    ssl=self._ssl,
                    timeout=(
                        self._timeout_for(chain[-1], request)
                        if request.timeout is not None or len(self.nodes.urls) > 1
                        else self._default_timeout
                    ),
                    allow_redirects=False,
                    raise_for_status=False,
                    middlewares=self._get_middlewares if request.method == "GET" else _NOT_RESENT,
                )
                result, content = response.status, response.content
                ended = "too large"  # unless it is read to its end, or lost
                try:
                    if content.is_eof() and content.total_bytes <= MAX_BODY:  # all of it is there
                        body = content.read_nowait()
                    else:
                        body = await _read_body(request, response)
                finally:
                    if response.connection is not None:  # otherwise it was read to its end
                        response.release()
                if headers.credentials and headers.credentials in body:
                    body = body.replace(headers.credentials, b"***")
                ended = Reply(response.status, body, response.headers)
                return ended  # noqa: TRY300 - `finally` needs it, too
            except asyncio.CancelledError:
                result = ended = "cancelled"
                if loop.time() - sent_at >= _ABANDONED:
                    self.nodes.mark_failed(chain, loop.time())
                raise
            except (aiohttp.ClientError, OSError, ValueError) as error:
                ended = failure_of(error, has_begun=isinstance(result, int))
                problem, result = error, type(error).__name__
            finally:
                self._polls_out.pop(number, None)
                log_request(request, chain[-1], result, loop.time() - sent_at)
                add_exchange(
                    self, chain[-1], request, headers.authorization, ended, sent_at=sent_at
                )
        # Not raised within `except`, where the new error would keep the old one as its context.
        raise self._failure(request, chain[-1], problem)

    def _prompt_node(self, now: float) -> URL:
        """Return the node for a poll: the current one, unless it owes another poll its answer."""
        owing = {node for node, sent_at in self._polls_out.values() if now - sent_at >= _ABANDONED}
        others = self.nodes.urls if self.nodes.current in owing else ()
        prompt = (url for url in others if url not in owing and url not in self.nodes.failed)
        return next(prompt, self.nodes.current)

    def _after_refusal(
        self, request: Request, reply: Reply, attempts: Attempts, now: float
    ) -> Sequence[URL]:
        """Return the chain to ask after a reply that is neither 2xx nor 404, or raise its error."""
        method, path, status = request.method, request.path, reply.status
        hint = None
        if status in _REDIRECTS:
            node, location = attempts.chain[-1], reply.headers.get(hdrs.LOCATION, "")
            moved = moved_path(node, path, location)
            target = self.nodes.redirect_target(node, location)
            # A node may redirect to itself for a moment, as long as it does not know the primary.
            if moved is not None and (moved != path or status == 308):
                place = "the same URL" if moved == path else f"the path {one_line(moved)}"
                hint = f"It redirects to {shortened(place)}"
            elif target is not None:
                return attempts.redirect(target, method, path, now)
        error = error_for(
            method,
            path,
            status,
            reply.headers,
            reply.body,
            permission=request.permission,
            check=self.authenticator.hint,
            hint=hint,
            quoted=request.quotable,
            redact=partial(without_secrets, request.secrets) if request.secrets else None,
        )
        assert error is not None
        if error.advice is None:
            self.has_answered = True
        if status == 403:
            self.knows_credentials = True
        if isinstance(error, ClusterUnreachable):
            return attempts.fail(error, now)
        assert isinstance(error, RequestRejected)
        if status in _REDIRECTS or (status == 401 and self.knows_credentials):
            return attempts.refuse(error, now)
        raise attempts.error(error, now)

    def _failure(self, request: Request, node: URL, problem: Exception) -> RedisActionsError:
        """Return the error for a request that got no complete answer."""
        if "AUTHORIZATION header" in str(problem):
            return UsageError("session= has credentials of its own, as from .netrc")
        session = self._session
        if self._closed or session is None or session.closed:
            closed = ClientClosed()
            closed.__cause__ = None if has_secrets(problem) else problem
            return closed
        return connection_error(request.method, request.path, node, problem)

    async def _authorize(
        self, request: Request, gate: Gate | None, attempts: Attempts | None
    ) -> _Headers:
        """Return headers with a token. Raises the error of the request for one."""
        call = self.authenticator.authorization(partial(self._post_for_token, gate))
        return self._headers_for(request, await self.token_of(request, call, attempts))

    async def _reauthorize(
        self, request: Request, gate: Gate | None, attempts: Attempts, refused: _Headers
    ) -> _Headers | None:
        """Return other headers than those that were refused, or None if there are none."""
        post = partial(self._post_for_token, gate)
        call = self.authenticator.reauthorize(refused.authorization, post)
        header = await self.token_of(request, call, attempts)
        return None if header is None else self._headers_for(request, header)

    async def token_of(
        self, request: Request, call: Awaitable[Secret | None], attempts: Attempts | None = None
    ) -> Secret | None:
        """Await a token. Raises an error that counts the requests before it, too."""
        try:
            return await call
        except RequestError as error:
            asked = [] if attempts is None else attempts.asked
            raise error.with_history(
                attempts=len(asked) + error.attempts,
                nodes=dict.fromkeys([*map(str, asked), *error.nodes]),
                retry_after=error.retry_after,
                sent=False,
            ) from error.__cause__
        except RedisActionsError:
            raise
        except OSError as error:  # of `token=`; a TimeoutError is one
            reason = f"it was not sent, as token= failed: {str(error) or type(error).__name__}"
            raise ClusterUnreachable(
                request.method, request.path, reason=reason, sent=False
            ) from error

    def _headers_for(self, request: Request, authorization: Secret | None) -> _Headers:
        headers = {**request.headers, **_HEADERS} if request.headers else dict(self._base_headers)
        if request.body is not None:
            headers[hdrs.CONTENT_TYPE] = request.content_type
        return _Headers(headers, authorization)

    async def _post_for_token(
        self, gate: Gate | None, path: str, authorization: Secret | None, body: Secret
    ) -> Secret:
        # A reply may hold the password. A token that nobody receives does no harm.
        request = Request("POST", path, body=body, quotable=False, repeatable=True)
        headers = self._headers_for(request, authorization)

        def decode(reply: Reply) -> Reply:
            if reply.status == 404 and self._grants_tokens:
                raise UnreadableReply("POST", path, problem=FOREIGN_404, advice=USE_API)
            return reply

        reply = await self._request(request, decode, gate, self._token_slots, headers)
        if reply.status == 404:
            raise RequestRejected("POST", path, status=404, hint=NO_TOKENS)
        self._grants_tokens = True
        return Secret(reply.body.decode("utf-8", "replace"))

    def shortened(self, request: Request, limit: float) -> Request:
        """Return a request with a time limit of at most `limit` seconds."""
        return request._replace(timeout=min(request.timeout or self._request_timeout, limit))

    def _timeout_for(self, node: URL, request: Request) -> aiohttp.ClientTimeout:
        """Return the timeout of one node: a share of the request's, if there is another node."""
        total = request.timeout or self._request_timeout
        several = len(self.nodes.urls) > 1
        if several and not request.is_write and self.nodes.has_alternative(node):
            total = min(total, max(_MIN_TIMEOUT, total / len(self.nodes.urls)))
        return _timeout(total)

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the given session or, for the first request, a new one."""
        session = self._external_session or self._session
        if self._closed or (session is not None and session.closed):
            raise ClientClosed
        if session is None:
            pinned = self._tls.fingerprint
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, ssl=True if pinned is None else aiohttp.Fingerprint(pinned)
                ),
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        self._session = session
        return session


def _without_slash_redirect(request: Request, path: str, node: URL, reply: Reply) -> Request | None:
    """Return the GET that a redirect of `node` names, if it differs from `path` by slashes only."""
    if request.method != "GET" or request.path != path or reply.status not in _ALL_REDIRECTS:
        return None
    moved = moved_path(node, path, reply.headers.get(hdrs.LOCATION, ""))
    if moved is None or not differs_by_slashes(path, moved):
        return None
    return request._replace(path=moved)


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


async def _without_resending(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Middleware that keeps aiohttp from sending a request again after a lost answer."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        lost = ConnectionLost(reason_of(error))
        cause = None if has_secrets(error) else error
    # Not raised within `except`, where the new error would keep the old one as its context.
    raise lost from cause


_NOT_RESENT: Final = (_without_resending,)


@lru_cache(1024)  # a wait sends the same request again and again
def _get_request(
    path: str, query: str, permission: str | None, is_answer: Callable[[bytes], bool] | None
) -> Request:
    return Request("GET", path, query, permission=permission, is_answer=is_answer)


@lru_cache(1024)  # likewise
def _url(node: URL, path: str, query: str) -> URL:
    return URL(f"{node}{path}{query}", encoded=True)


@lru_cache
def _timeout(total: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, connect=min(_CONNECT_TIMEOUT, _CONNECT_SHARE * total))
