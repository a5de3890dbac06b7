"""Requests to one node each, such as those about its bootstrap, which no other node can answer.

A node that is in no cluster knows no credentials, so they are sent to a node only after it has
demanded them with a 401.
"""

from __future__ import annotations

import asyncio
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._client.wire.error_body import error_for, foreign_404, is_api_error
from redis_enterprise_actions._client.wire.reasons import read_reason
from redis_enterprise_actions._model.errors import (
    ClusterUnreachable,
    RequestError,
    RequestRejected,
)
from redis_enterprise_actions._model.secret import Secret

from .connection_errors import ConnectionLost
from .messages import Reply, Request
from .redaction import without_secrets
from .transport import NO_TOKENS


if TYPE_CHECKING:
    from collections.abc import Callable

    from yarl import URL

    from redis_enterprise_actions._client.protocols import Gate

    from .transport import Transport

_T = TypeVar("_T")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_NO_ROUTE: Final = frozenset({404, 405})
_SHORT_TIMEOUT: Final = 5.0  # seconds for a node that gave no answer, so that others can be asked
_FULL_EACH: Final = 3  # each third time the whole time limit holds: the node may be that slow
_CHANGE: Final = 10.0  # seconds in which a node may refuse right credentials, as its services start
_MEMBER: Final = "The node demands credentials, so it is part of a cluster already"


class NodeRequests:
    """Sender of requests to single nodes, with credentials for those that demand them only."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._demanding: set[URL] = set()  # nodes that have answered 401 without credentials
        self._accepting: set[URL] = set()  # nodes that have accepted them
        # When the nodes that accept no credentials now began to refuse them, in the loop's time.
        self._refused_since: dict[URL, float] = {}
        self._failures: dict[URL, int] = {}  # GETs in a row that had no answer

    def forget_demand(self, node: URL) -> None:
        """Ask a node without credentials again, as it is in no cluster."""
        self._demanding.discard(node)
        self._accepting.discard(node)

    async def get(
        self, node: URL, path: str, *, decode: Callable[[Reply], _T], gate: Gate | None = None
    ) -> _T:
        """GET `path` from a node, and return what `decode` makes of a reply of status 2xx or 404.

        Errors do not quote the body. A redirect is a transient failure, as another node would
        answer for itself. So is a 401 to credentials that only other nodes have accepted, or, for
        ten seconds, one that a node gives while its services change to the cluster's users. A node
        that gave no answer has five seconds for the next two.
        """
        request, attempts = Request("GET", path, quotable=False), 1
        if self._failures.get(node, 0) % _FULL_EACH:
            request = self._transport.shortened(request, _SHORT_TIMEOUT)
        try:
            try:
                reply = await self._ask(node, request, gate)
            except ClusterUnreachable as error:
                if not isinstance(error.__cause__, ConnectionLost):
                    raise
                attempts += 1  # the server may have closed an idle connection at that moment
                reply = await self._ask(node, request, gate)
            self._failures.pop(node, None)
            if 200 <= reply.status < 300 or reply.status == _NOT_FOUND:
                value = decode(reply)
                self._transport.has_answered = True
                return value
            raise self._refusal(node, request, reply)
        except RequestError as error:
            if isinstance(error, ClusterUnreachable) and error.status is None:
                self._failures[node] = self._failures.get(node, 0) + 1
            raise _of_node(error, node, attempts) from error.__cause__

    async def post(self, node: URL, request: Request) -> Reply:
        """Send a request that changes something to a node, once; return a reply of 2xx or 404.

        It goes without credentials: a node that demands them is part of a cluster already, and
        refuses it. Raises `RequestError`, of which `sent` is False if the node cannot have executed
        the request.
        """
        try:
            reply = await self._transport.send_to_node(node, request)
            if reply.status == _NOT_FOUND and not is_api_error(reply.body):
                raise foreign_404(request.path, method=request.method)
            if 200 <= reply.status < 300 or reply.status == _NOT_FOUND:
                self._transport.has_answered = True
                return reply
            hint = _MEMBER if reply.status == _UNAUTHORIZED else None
            raise self._refusal(node, request, reply, hint=hint)
        except RequestError as error:
            raise _of_node(error, node, 1) from error.__cause__

    async def upload(self, node: URL, request: Request) -> Reply:
        """Send a request that may be repeated to a node of a cluster, with credentials.

        Return a reply of 2xx. Raises `RequestError`, also for a 404 or 405 of the API.
        """
        self._demanding.add(node)
        try:
            reply = await self._ask(node, request, None)
            if 200 <= reply.status < 300:
                return reply
            if reply.status in _NO_ROUTE and not is_api_error(reply.body):
                raise foreign_404(
                    request.path, reply.body, method=request.method, status=reply.status
                )
            if reply.status == _NOT_FOUND:
                code, text = read_reason(reply.body)
                raise RequestRejected(
                    request.method, request.path, status=404, error_code=code, description=text
                )
            raise self._refusal(node, request, reply)
        except RequestError as error:
            raise _of_node(error, node, 1) from error.__cause__

    async def _ask(self, node: URL, request: Request, gate: Gate | None) -> Reply:
        """Send a request; send it again with credentials if the node demands them."""
        transport, authenticator = self._transport, self._transport.authenticator
        post = partial(self._post_for_token, node, gate)
        header: Secret | None = None
        if node in self._demanding:
            header = await transport.token_of(request, authenticator.authorization(post))
        is_renewed = False
        while True:
            reply = await transport.send_to_node(node, request, gate=gate, header=header)
            if reply.status != _UNAUTHORIZED:
                self._refused_since.pop(node, None)
                if header is not None and 200 <= reply.status < 300:
                    self._accepting.add(node)
                    transport.knows_credentials = True
                return reply
            if not authenticator.has_credentials:
                return reply
            if header is None:
                self._demanding.add(node)
                header = await transport.token_of(request, authenticator.authorization(post))
                continue
            if not is_renewed:
                is_renewed = True
                renewed = await transport.token_of(request, authenticator.reauthorize(header, post))
                if renewed is not None:
                    header = renewed
                    continue
            self._demanding.discard(node)
            self._refused_since.setdefault(node, asyncio.get_running_loop().time())
            return reply

    async def _post_for_token(
        self, node: URL, gate: Gate | None, path: str, authorization: Secret | None, body: Secret
    ) -> Secret:
        request = Request("POST", path, body=body, quotable=False, repeatable=True)
        reply = await self._transport.send_to_node(node, request, gate=gate, header=authorization)
        if reply.status == _NOT_FOUND and is_api_error(reply.body):
            raise RequestRejected("POST", path, status=_NOT_FOUND, hint=NO_TOKENS)
        if reply.status == _NOT_FOUND:
            raise foreign_404(path, method="POST")
        if not 200 <= reply.status < 300:
            raise self._refusal(node, request, reply)
        return Secret(reply.body.decode("utf-8", "replace"))

    def _refusal(
        self, node: URL, request: Request, reply: Reply, *, hint: str | None = None
    ) -> RequestError:
        """Return the error for a reply that is neither 2xx nor to be decoded."""
        method, path, status = request.method, request.path, reply.status
        if status in _REDIRECTS:
            reason = f"it answered {status}, and no other node can answer for this one"
            return ClusterUnreachable(method, path, reason=reason, status=status, sent=False)
        is_known_elsewhere = self._transport.knows_credentials and node not in self._accepting
        if status == _UNAUTHORIZED and hint is None and is_known_elsewhere:
            reason = f"it answered {status} to credentials that another node has accepted"
            return ClusterUnreachable(method, path, reason=reason, status=status, sent=False)
        now = asyncio.get_running_loop().time()
        if status == _UNAUTHORIZED and now < self._refused_since.get(node, -inf) + _CHANGE:
            self._transport.has_answered = True
            reason = f"it answered {status} to the credentials"
            return ClusterUnreachable(
                method,
                path,
                reason=reason,
                status=status,
                sent=False,
                hint=self._transport.authenticator.hint,
            )
        error = error_for(
            method,
            path,
            status,
            reply.headers,
            reply.body,
            permission=None,
            check=self._transport.authenticator.hint,
            hint=hint,
            quoted=request.quotable,
            redact=partial(without_secrets, request.secrets) if request.secrets else None,
        )
        assert error is not None
        if not error.transient:
            self._transport.has_answered = True
        return error


def _of_node(error: RequestError, node: URL, attempts: int) -> RequestError:
    """Return an error that names the node."""
    return error.with_history(
        attempts=attempts, nodes=[str(node)], retry_after=error.retry_after, sent=error.sent
    )
