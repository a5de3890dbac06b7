"""How to ask: the session, the credentials, TLS, and one GET with its retries.

Knows HTTP. Refuses to know what an action is: (status, headers, bytes) go out, and what the
bytes mean is `_wire`'s. Credentials go to the configured URL only; redirects are not followed.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import math
import os
import re
import ssl
from typing import Final, NamedTuple

import aiohttp
from yarl import URL

from ._errors import (
    ClientClosed,
    ClusterUnreachable,
    UnreadableReply,
    UntrustedCertificate,
    UsageError,
)
from ._refusal import refusal


_log = logging.getLogger(__name__)

MAX_BODY: Final = 64 * 2**20  # bytes; a cluster with 100,000 remembered actions sends about half
_CHUNK: Final = 2**16
_CONNECTIONS: Final = 8  # a cluster manager has about ten API threads
_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # what cannot be sent as UTF-8
_SPACE: Final = re.compile(r"\s")
_HEADERS: Final = {"Accept": "application/json", "User-Agent": "redis-enterprise-actions"}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Reply(NamedTuple):
    """What came back: status 2xx or 404."""

    status: int
    body: bytes


class Credentials:
    """A user's name and password, which no `repr` shows."""

    __slots__ = ("_header",)

    def __init__(self, username: str, password: str) -> None:
        for text, argument in ((username, "username"), (password, "password")):
            if not isinstance(text, str) or _SURROGATE.search(text):
                raise UsageError(f"{argument}= is not a text")
        if ":" in username:
            raise UsageError("username= must not contain a colon (RFC 7617)")
        pair = f"{username}:{password}".encode()
        self._header = "Basic " + base64.b64encode(pair).decode("ascii")

    def headers(self) -> dict[str, str]:
        """Return the header that carries them."""
        return {"Authorization": self._header}

    def redact(self, body: bytes) -> bytes:
        """Return a body without them, should a server have sent them back."""
        return body.replace(self._header.encode(), b"Basic ***")


def tls(*, verify: bool, ca_file: str | os.PathLike[str] | None) -> ssl.SSLContext | bool:
    """Return the TLS settings, as aiohttp takes them.

    True verifies against the system's CAs and False does not verify; aiohttp has a context for
    each, made once. A context verifies against the CAs in `ca_file` alone.
    """
    if ca_file is None:
        return verify
    if ca_file == "":  # which Python would take for the system's CAs
        raise UsageError("ca_file= is empty")
    if not verify:
        raise UsageError("verify=False and ca_file= contradict each other")
    try:
        return ssl.create_default_context(cafile=os.fspath(ca_file))
    except (OSError, TypeError, ValueError) as error:  # an ssl.SSLError is an OSError
        raise UsageError(f"ca_file={ca_file!r} cannot be loaded: {error}") from error


def base_url(url: str) -> URL:
    """Check a cluster's URL and return it without a trailing slash."""
    if not isinstance(url, str):
        raise UsageError("the cluster's URL is not a string")
    try:
        parsed = URL(url)
        whole = bool(parsed.host and parsed.port and parsed.host.encode("idna"))
    except ValueError:
        raise UsageError("the cluster's URL cannot be parsed") from None
    if parsed.user is not None or parsed.password is not None:
        raise UsageError("credentials do not belong in the URL: pass username= and password=")
    if parsed.query_string or parsed.fragment:
        raise UsageError("the cluster's URL must have no query and no fragment")
    if not whole or parsed.scheme not in {"http", "https"} or _SPACE.search(url):
        shown = "this" if "@" in url else repr(url)  # what holds an @ may hold a password
        raise UsageError(
            f"{shown} is not a cluster's URL, such as https://cluster.example.com:9443"
        )
    return parsed.with_path(parsed.path.rstrip("/"))


class Transport:
    """Asks one cluster. Makes its session when first needed and closes what it made."""

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials | None,
        verify: bool,
        ca_file: str | os.PathLike[str] | None,
        session: aiohttp.ClientSession | None,
        request_timeout: float,
    ) -> None:
        self.url = base_url(url)
        self.sent = 0  # requests so far
        self._credentials = credentials
        self._tls = tls(verify=verify, ca_file=ca_file)
        self._given = session
        self._made: aiohttp.ClientSession | None = None
        if not 0 < request_timeout < math.inf:
            raise UsageError("request_timeout= must be more than 0 and not endless")
        if session is not None and not isinstance(session, aiohttp.ClientSession):
            raise UsageError("session= is not an aiohttp.ClientSession")
        if session is not None and session.auth is not None and credentials is not None:
            raise UsageError("session= brings credentials of its own: leave out username=")
        self._timeout = aiohttp.ClientTimeout(total=request_timeout)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        if self.url.scheme == "https" and not verify:
            _log.warning("the certificate of %s is not verified", self.url)
        if self.url.scheme == "http" and credentials and self.url.host not in _LOOPBACK:
            _log.warning("the password goes to %s unencrypted", self.url)

    async def close(self) -> None:
        """Close the session if it is ours."""
        self._closed = True
        if self._made is not None:
            await self._made.close()

    async def get(self, path: str, *, permission: str) -> Reply:
        """GET `path`, which is already quoted, once; return an answer of status 2xx or 404.

        `permission` is what the vendor's page asks for. Raises `RequestError`, `ClientClosed`.
        """
        session = self._session()
        self.sent += 1
        headers = _HEADERS | (self._credentials.headers() if self._credentials else {})
        try:
            async with session.get(
                URL(f"{self.url}{path}", encoded=True),
                headers=headers,
                ssl=self._tls,
                timeout=self._timeout,
                allow_redirects=False,
                raise_for_status=False,
            ) as response:
                reply = Reply(response.status, await self._body(response, path))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = error
        else:
            refused = refusal(
                "GET", path, reply.status, response.headers, reply.body, permission=permission
            )
            if refused is not None:
                raise refused
            return reply
        # Outside of `except`, as errors about a reply hold the headers of the request.
        harmless = None if isinstance(cause, aiohttp.ClientResponseError) else cause
        if self._closed or session.closed:
            raise ClientClosed from harmless
        raise _unreachable(path, cause) from harmless

    async def _body(self, response: aiohttp.ClientResponse, path: str) -> bytes:
        """Read a body as it comes, and no further than we are willing to hold."""
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > MAX_BODY:
                response.close()
                raise UnreadableReply("GET", path, problem=f"it is larger than {MAX_BODY} bytes")
        return self._credentials.redact(bytes(body)) if self._credentials else bytes(body)

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._given is None and self._made is None:
            self._loop = loop
            self._made = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        if self._made is not None and self._loop is not loop:
            raise UsageError("the client belongs to the event loop that it was first used in")
        session = self._given or self._made
        if self._closed or session is None or session.closed:
            raise ClientClosed
        return session


def _unreachable(path: str, error: Exception) -> ClusterUnreachable:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return UntrustedCertificate("GET", path, reason=str(error.certificate_error))
    # aiohttp names its TLS setting, whether TLS is spoken or not.
    reason = str(error).replace(" ssl:default", "") or type(error).__name__
    if isinstance(error, TimeoutError):
        reason = f"no answer in time{f' ({error})' if str(error) else ''}"
    return ClusterUnreachable("GET", path, reason=reason)
