"""Capturing of a transport's exchanges: how it begins and ends, and what of an exchange is kept."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol

import aiohttp

from redis_enterprise_actions._client.capture.capture import Capture
from redis_enterprise_actions._client.capture.format import Seen
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.unawaited import refuse_unawaited

from .connection_errors import ConnectionLost
from .messages import Reply
from .tls import client_cert_refusal


if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Mapping

    from yarl import URL

    from redis_enterprise_actions._client.capture.format import Auth, Failure
    from redis_enterprise_actions._client.event_loop import HomeLoop
    from redis_enterprise_actions._model.secret import Secret

    from .messages import Request
    from .nodes import NodePool

_log = logging.getLogger(__name__)
_NOT_WRITTEN: Final = "the capture was not written"
_NO_HEADERS: Final[Mapping[str, str]] = {}
_TLS_ERRORS: Final = (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)
_NO_CONNECTION: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_LOST: Final = (ConnectionLost, aiohttp.ServerDisconnectedError, OSError)


class Captured(Protocol):
    """The parts of a transport that a capture depends on. `capture` is the one under way."""

    home: HomeLoop
    nodes: NodePool
    capture: Capture | None
    has_client_cert: bool


@asynccontextmanager
async def capturing(transport: Captured, path: str | os.PathLike[str]) -> AsyncGenerator[None]:
    """Record the exchanges of a transport that end while the body of `async with` runs.

    Raises `UsageError` before the body, and `OSError` after it. If the body has raised an error, or
    is cancelled, that gets a note instead.
    """
    refuse_unawaited(path)
    transport.home.check()
    if transport.capture is not None:
        raise UsageError("a capture of this client is under way already")
    began = asyncio.get_running_loop().time()
    capture = Capture(path, map(str, transport.nodes.urls), began)
    transport.capture = capture
    try:
        yield
    except BaseException as error:
        await _finish(transport, capture, path, error)
        raise
    await _finish(transport, capture, path, None)


async def _finish(
    transport: Captured,
    capture: Capture,
    path: str | os.PathLike[str],
    raised: BaseException | None,
) -> None:
    """Complete the file, and raise what prevented it; `raised` is the error of the body.

    That error, or else a cancellation meanwhile, gets a note instead. A cancellation is raised when
    the file is complete. At a second one, that of the body included, the capture is given up.
    """
    transport.capture = None
    ending = asyncio.wrap_future(capture.finish())
    cancelled: asyncio.CancelledError | None = None
    while not ending.done():
        try:
            await asyncio.wait([ending])
        except asyncio.CancelledError as error:
            if cancelled is not None or isinstance(raised, asyncio.CancelledError):
                capture.give_up()
            cancelled = error
    problem, shown = ending.exception(), cancelled or raised
    if problem is not None:
        if shown is None:
            raise problem
        shown.add_note(f"{_NOT_WRITTEN}: {path}: {problem}")
        _log.error("%s: %s: %s", _NOT_WRITTEN, path, problem, extra={"event": "capture failed"})
    if cancelled is not None:
        raise cancelled


def is_written(error: BaseException) -> bool:
    """Return True if the capture was written whose body has raised this error."""
    return not any(note.startswith(_NOT_WRITTEN) for note in getattr(error, "__notes__", ()))


def add_exchange(
    transport: Captured,
    node: URL,
    request: Request,
    authorization: Secret | None,
    ended: Reply | Failure,
    *,
    sent_at: float,
) -> None:
    """Hand over an exchange that has ended to the capture of a transport, if there is one.

    `ended` is the answer, or the reason why there is none.
    """
    capture = transport.capture
    if capture is None:
        return
    reply, failure = (ended, None) if isinstance(ended, Reply) else (None, ended)
    seen = Seen(
        at=max(0.0, sent_at - capture.began),
        took=asyncio.get_running_loop().time() - sent_at,
        node=str(node),
        method=request.method,
        path=request.path,
        query=request.query,
        auth=_auth(transport, authorization),
        sent=request.data,
        status=None if reply is None else reply.status,
        headers=_NO_HEADERS if reply is None else reply.headers,
        body=b"" if reply is None else reply.body,
        failure=failure,
    )
    capture.add(seen)


def _auth(transport: Captured, authorization: Secret | None) -> Auth:
    """Return the kind of credentials of a request."""
    if authorization is not None:
        scheme = authorization.reveal().partition(" ")[0]
        return "basic" if scheme.casefold() == "basic" else "token"
    return "certificate" if transport.has_client_cert else "none"


def failure_of(error: Exception, *, has_begun: bool) -> Failure:
    """Return the word for the error of a request; `has_begun` says that an answer had begun."""
    if isinstance(error, _TLS_ERRORS) or client_cert_refusal(error) is not None:
        return "tls"
    if isinstance(error, _NO_CONNECTION):
        return "refused"
    if isinstance(error, TimeoutError):
        return "timeout"
    if has_begun:
        return "truncated"
    return "reset" if isinstance(error, _LOST) else "other"
