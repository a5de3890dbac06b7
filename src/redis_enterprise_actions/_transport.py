"""How to ask: the session, the credentials, TLS, and one GET with its retries.

Knows HTTP. Refuses to know what an action is: (status, headers, bytes) go out, and what the
bytes mean is `_wire`'s. Credentials go to the configured URL only; redirects are not followed.
"""

from __future__ import annotations

import base64
import logging
import ssl
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp
from yarl import URL

from ._errors import (
    ClientClosed,
    ClusterUnreachable,
    UnreadableReply,
    UntrustedCertificate,
    UsageError,
)
from ._pace import retrying
from ._refusal import refusal


if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)

MAX_BODY: Final = 64 * 2**20  # bytes; a cluster with 100,000 remembered actions sends about half
_CHUNK: Final = 2**16
_CONNECTIONS: Final = 8  # a cluster manager has about ten API threads
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Reply(NamedTuple):
    """What came back: status 2xx or 404."""

    status: int
    body: bytes


class Credentials:
    """A user's name and password, which no `repr` shows."""

    __slots__ = ("_header",)

    def __init__(self, username: str, password: str) -> None:
        if ":" in username:
            raise UsageError("username= must not contain a colon (RFC 7617)")
        pair = f"{username}:{password}".encode()
        self._header = "Basic " + base64.b64encode(pair).decode("ascii")

    def headers(self) -> dict[str, str]:
        """Return the header that carries them."""
        return {"Authorization": self._header}


def tls(*, verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """Return the TLS settings: verified against the system's CAs, or against `ca_file`'s."""
    if not verify and ca_file is not None:
        raise UsageError("verify=False and ca_file= contradict each other")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # an ssl.SSLError is one
        raise UsageError(f"ca_file={ca_file!r} cannot be loaded: {error}") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def base_url(url: str) -> URL:
    """Check a cluster's URL and return it without a trailing slash."""
    try:
        parsed = URL(url)
        port = parsed.port
    except (TypeError, ValueError):
        # The text may hold a password, so the message does not show it.
        raise UsageError("the cluster's URL cannot be parsed") from None
    if parsed.user is not None or parsed.password is not None:
        raise UsageError("credentials do not belong in the URL: pass username= and password=")
    if parsed.scheme not in {"http", "https"} or not parsed.host or port is None:
        raise UsageError(
            f"{url!r} is not a cluster's URL, such as https://cluster.example.com:9443"
        )
    if parsed.query_string or parsed.fragment:
        raise UsageError(f"{url!r}: a cluster's URL has no query and no fragment")
    return parsed.with_path(parsed.path.rstrip("/"))


class Transport:
    """Asks one cluster. Makes its session when first needed and closes what it made."""

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials | None,
        verify: bool,
        ca_file: str | None,
        session: aiohttp.ClientSession | None,
        request_timeout: float,
    ) -> None:
        self.url = base_url(url)
        self._headers = {"Accept": "application/json", "User-Agent": "redis-enterprise-actions"}
        self._credentials = credentials
        self._tls = tls(verify=verify, ca_file=ca_file)
        self._given = session
        self._made: aiohttp.ClientSession | None = None
        self._timeout = aiohttp.ClientTimeout(total=request_timeout)
        self._closed = False
        if self.url.scheme == "https" and not verify:
            _log.warning("the certificate of %s is not verified", self.url)
        if self.url.scheme == "http" and credentials and self.url.host not in _LOOPBACK:
            _log.warning("the password goes to %s unencrypted", self.url)

    async def get(self, path: str, *, permission: str, patience: float = 0.0) -> Reply:
        """GET `path`, which is already quoted; ask again for `patience` seconds.

        Returns an answer of status 2xx or 404. Raises `RequestError`, and `ClientClosed`.
        """
        attempts = 0
        async for attempt in retrying(patience):
            with attempt:
                attempts += 1
                try:
                    return await self._get_once(path, permission)
                except ClusterUnreachable as error:
                    error.attempts = attempts
                    raise
        raise AssertionError("tenacity ended without a result")

    async def close(self) -> None:
        """Close the session if it is ours."""
        self._closed = True
        if self._made is not None:
            await self._made.close()

    async def _get_once(self, path: str, permission: str) -> Reply:
        session = self._session()
        try:
            async with session.get(
                URL(f"{self.url}{path}", encoded=True),
                headers={
                    **self._headers,
                    **(self._credentials.headers() if self._credentials else {}),
                },
                ssl=self._tls,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                body = await _body(response, path)
                headers: Mapping[str, str] = response.headers
                status = response.status
        except aiohttp.ClientConnectorCertificateError as error:
            raise UntrustedCertificate("GET", path, reason=str(error.certificate_error)) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if self._closed or session.closed:
                raise ClientClosed from error
            raise ClusterUnreachable("GET", path, reason=_reason(error)) from error
        refused = refusal("GET", path, status, headers, body, permission=permission)
        if refused is not None:
            raise refused
        return Reply(status, body)

    def _session(self) -> aiohttp.ClientSession:
        if self._given is None and self._made is None:
            self._made = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        session = self._given or self._made
        if self._closed or session is None or session.closed:
            raise ClientClosed
        return session


async def _body(response: aiohttp.ClientResponse, path: str) -> bytes:
    """Read a body as it comes, and no further than we are willing to hold."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            response.close()
            raise UnreadableReply("GET", path, problem=f"it is larger than {MAX_BODY} bytes")
    return bytes(body)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in time{f' ({error})' if str(error) else ''}"
    return str(error) or type(error).__name__
