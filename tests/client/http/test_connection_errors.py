"""Tests of `_client.http.connection_errors`."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Final

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from redis_enterprise_actions import ClientCertificateRefused, ClusterUnreachable
from redis_enterprise_actions._client.http.connection_errors import (
    CHECK_NAME,
    CHECK_NODE,
    CHECK_SCHEME,
    ConnectionLost,
    connection_error,
)
from redis_enterprise_actions._client.wire.error_body import USE_API, USE_HTTPS

from .node_servers import Node, get, serving, transport_to
from .test_transport import raw_server, send_get, transport


pytestmark = pytest.mark.core

HTTP: Final = URL("http://n1:9443")
HTTPS: Final = URL("https://n1:9443")
OTHER_PORT: Final = URL("http://n1:8080")
KEY: Final = ConnectionKey("n1", 9443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None,
                           proxy_headers_hash=None)  # fmt: skip
REFUSED: Final = OSError(errno.ECONNREFUSED, "refused")
NO_ROUTE: Final = OSError(errno.EHOSTUNREACH, "no route")
WRONG_VERSION: Final = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
UNKNOWN_NAME: Final = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize(
    ("error", "node", "sent", "advice"),
    [
        (aiohttp.ClientConnectorDNSError(KEY, UNKNOWN_NAME), HTTPS, False, CHECK_NAME),
        (aiohttp.ClientConnectorError(KEY, REFUSED), HTTPS, False, CHECK_NODE),
        (aiohttp.ClientConnectorError(KEY, NO_ROUTE), HTTPS, False, None),
        (aiohttp.ClientConnectorSSLError(KEY, WRONG_VERSION), HTTPS, False, CHECK_SCHEME),
        (aiohttp.ConnectionTimeoutError("slow"), HTTPS, False, None),
        (aiohttp.ServerTimeoutError("slow"), HTTPS, True, None),
        (TimeoutError(), HTTPS, True, None),
        (aiohttp.ServerDisconnectedError(), HTTPS, True, None),
        (aiohttp.ServerDisconnectedError(), HTTP, True, USE_HTTPS),
        (ConnectionLost("Server disconnected"), HTTP, True, USE_HTTPS),
        (ConnectionLost("Server disconnected"), OTHER_PORT, True, None),
        (aiohttp.ClientPayloadError("cut"), HTTP, True, None),
        (OSError("odd"), HTTP, True, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_table(error: Exception, node: URL, sent: bool, advice: str | None) -> None:
    """An error says whether the request was sent and, if that seldom passes, what to do."""
    made = connection_error("GET", "/v1/actions", node, error)

    assert (made.sent, made.advice) == (sent, advice)
    assert made.transient


def test_refused_client_certificate() -> None:
    """An alert about the client's certificate is an error of its own."""
    alert = ssl.SSLError(1, "alert")
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"  # type: ignore[misc]
    error = aiohttp.ClientOSError("cannot connect")
    error.__cause__ = alert

    made = connection_error("GET", "/v1/actions", HTTPS, error)

    assert isinstance(made, ClientCertificateRefused)
    assert not made.transient


@pytest.mark.enable_socket
async def test_plain_to_tls() -> None:
    """A request with TLS to a port without is told what to do; the reverse only on port 9443."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(body=b"[]")

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    with pytest.raises(ClusterUnreachable) as plain_to_tls:
        await send_get(transport(f"http://127.0.0.1:{port}"))
    await runner.cleanup()
    async with serving(Node()) as [url]:
        with pytest.raises(ClusterUnreachable) as tls_to_plain:
            await send_get(transport(url.replace("http:", "https:")))

    assert tls_to_plain.value.advice == CHECK_SCHEME
    assert tls_to_plain.value.sent is False
    assert plain_to_tls.value.advice is None  # it is not port 9443


@pytest.mark.enable_socket
async def test_tls_alert() -> None:
    """A TLS alert in answer to a plain request is told to be HTTPS."""
    async for url in raw_server(b"\x15\x03\x01\x00\x02\x02\x46"):
        with pytest.raises(ClusterUnreachable, match="not HTTP") as caught:
            await send_get(transport(url))
        assert caught.value.advice == USE_HTTPS


HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (b"Content-Encoding: br\r\n", "compressed with br, which the client did not ask for"),
        (b"Content-Encoding: zstd\r\n", "compressed with zstd, which the client did not ask for"),
        (b"X-Long: %s\r\n" % (b"secret" * 1500), "a line of the answer's headers is longer than"),
        (b"".join(b"X-%d: x\r\n" % number for number in range(400)), "has too many headers"),
        (b"Content-Length: 3\r\n", r"is not valid HTTP \(Duplicate Content-Length\)"),
        (b"X secret: x\r\n", r"is not valid HTTP \(Invalid header token\)"),
        (b"Content-Encoding: gzip\r\n", "cut off, or garbled"),
    ],
    ids=["br", "zstd", "long line", "many headers", "two lengths", "bad header", "gzip"],
)
async def test_unacceptable_answer(headers: bytes, reason: str) -> None:
    """An answer that aiohttp does not take is named as what it is, and is no plain HTTP."""
    async for url in raw_server(HEAD + headers + b"\r\n{}"):
        with pytest.raises(ClusterUnreachable, match=reason) as caught:
            await send_get(transport(url))
        assert "secret" not in str(caught.value)
        assert (caught.value.advice, caught.value.__cause__) == (None, None)


@pytest.mark.enable_socket
async def test_unknown_name() -> None:
    """A name that does not resolve is told so."""
    with pytest.raises(ClusterUnreachable) as caught:
        await send_get(transport("http://no-such-name.invalid:9443"))

    assert (caught.value.advice, caught.value.sent) == (CHECK_NAME, False)


@pytest.mark.enable_socket
@pytest.mark.parametrize(("behaviour", "advice"), [("refuses", CHECK_NODE), ("foreign", USE_API)])
async def test_advice_of_all_attempts(behaviour: str, advice: str) -> None:
    """The error of all attempts has the advice of the last one."""
    async with transport_to(Node(behaviour="503"), Node(behaviour=behaviour)) as sender:
        with pytest.raises(Exception, match="answer") as caught:
            await get(sender)

    assert getattr(caught.value, "advice", None) == advice
