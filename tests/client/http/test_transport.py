"""Tests of `_client.http.transport`."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING

import aiohttp
import pytest
import trustme
from aiohttp import web
from aioresponses import aioresponses

from redis_enterprise_actions import (
    ActionsClient,
    AuthenticationError,
    ClientClosed,
    ClusterUnreachable,
    RequestRejected,
    UnreadableReply,
    UntrustedCertificate,
    UsageError,
)
from redis_enterprise_actions._client.http import transport as transport_module
from redis_enterprise_actions._client.http.transport import Reply, Request


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.core

SECRET = "hunter2-hunter2"
URL = "http://127.0.0.1:9443"


def transport(url: str | list[str] = URL, **options: object) -> Transport:
    """Return the transport of a client with these options, which the caller closes."""
    settings = {"username": "ops@example.com", "password": SECRET} | options
    return ActionsClient(url, **settings)._transport  # type: ignore[arg-type]


ANONYMOUS = {"username": None, "password": None}


def unchanged(reply: Reply) -> Reply:
    """Return a reply as it is."""
    return reply


async def send_get(transport: Transport, path: str = "/v1/actions") -> Reply:
    """Send one GET and close the transport."""
    try:
        return await transport.get(path, permission="view_actions", decode=unchanged)
    finally:
        await transport.close()


async def test_headers() -> None:
    """A request has Basic credentials and accepts JSON."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", body=b"{}")
        assert (await send_get(transport())).body == b"{}"

    ((call,),) = mocked.requests.values()
    headers = call.kwargs["headers"]
    assert headers["Authorization"] == "Basic b3BzQGV4YW1wbGUuY29tOmh1bnRlcjItaHVudGVyMg=="
    assert headers["Accept"] == "application/json"
    assert call.kwargs["allow_redirects"] is False


async def test_headers_of_session_of_caller() -> None:
    """A given session sends the same headers."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", body=b"{}")
        async with aiohttp.ClientSession(headers={"Accept": "text/html"}) as session:
            await send_get(transport(session=session))

    ((call,),) = mocked.requests.values()
    assert call.kwargs["headers"]["Accept"] == "application/json"
    assert call.kwargs["headers"]["User-Agent"] == "redis-enterprise-actions"


async def test_no_credentials(cluster: FakeCluster) -> None:
    """Without credentials the cluster answers 401."""
    with pytest.raises(AuthenticationError) as caught:
        await send_get(transport(cluster.url, **ANONYMOUS))

    assert caught.value.status == 401


def test_repr_has_no_secret() -> None:
    """No `repr` shows a password."""
    assert SECRET not in repr(vars(transport())) + repr(vars(transport()._authenticator))


@pytest.mark.parametrize("timeout", [0.0, float("inf")])
def test_request_timeout(timeout: float) -> None:
    """A request's timeout is a positive, finite number of seconds."""
    with pytest.raises(UsageError, match="request_timeout"):
        transport(request_timeout=timeout)


@pytest.mark.parametrize("status", [200, 404])
async def test_replies(status: int) -> None:
    """200 and 404 are replies."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", status=status, body=b"x")

        reply = await send_get(transport())
        assert (reply.status, reply.body) == (status, b"x")


async def test_other_status() -> None:
    """Other statuses are errors with the cluster's words."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", status=406, body=b'{"error_code": "no"}')

        with pytest.raises(RequestRejected, match="answered 406: no"):
            await send_get(transport())


async def test_redirect_is_not_followed() -> None:
    """A redirect to an unknown host is an error, and is not followed with credentials."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", status=307, headers={"Location": "http://10.0.0.7/v1"})

        with pytest.raises(RequestRejected, match=r"redirects to http://10\.0\.0\.7, and"):
            await send_get(transport())
    assert len(mocked.requests) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (aiohttp.ClientConnectionError("refused"), "refused"),
        (aiohttp.ServerDisconnectedError(), "Server disconnected"),
        (aiohttp.ServerTimeoutError("slow"), "no answer in time (slow)"),
        (TimeoutError(), "no answer in time"),
        (OSError("no route"), "no route"),
        (OSError(), "OSError"),
        (ValueError("odd header"), "odd header"),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_unreachable(error: Exception, reason: str) -> None:
    """Errors of the connection are `ClusterUnreachable`, with their cause."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", exception=error)

        with pytest.raises(ClusterUnreachable) as caught:
            await send_get(transport())
    assert caught.value.reason == reason
    assert caught.value.__cause__ is error


@pytest.mark.enable_socket
async def test_closed_port(unused_tcp_port: int) -> None:
    """A closed port is an unreachable cluster, and the request was not sent."""
    with pytest.raises(ClusterUnreachable, match="Cannot connect") as caught:
        await send_get(transport(f"http://127.0.0.1:{unused_tcp_port}"))
    assert caught.value.sent is False


async def test_hanging_server(cluster: FakeCluster) -> None:
    """A request to a server that does not answer fails after `request_timeout`."""
    cluster.inject(delay=3600)
    began = asyncio.get_running_loop().time()

    with pytest.raises(ClusterUnreachable, match="no answer in time"):
        await send_get(transport(cluster.url, request_timeout=4.0))
    assert asyncio.get_running_loop().time() - began == pytest.approx(4, abs=0.01)


class Turn:
    """Gate that lets each request wait for some seconds, and counts them."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.admitted = 0

    async def admit(self) -> None:
        self.admitted += 1
        await asyncio.sleep(self.seconds)


async def test_rate_limit_is_not_hanging(cluster: FakeCluster) -> None:
    """The wait for the rate limit does not count as time that a node had to answer."""
    cluster.inject(delay=3600, times=None)
    spare = cluster.url.replace("127.0.0.1", "localhost")
    sender = transport([cluster.url, spare])

    async def hang(turn: float, seconds: float) -> str:
        request = sender.get("/v1/actions", permission="", decode=unchanged, gate=Turn(turn))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(request, seconds)
        return str(sender.nodes.current)

    try:
        assert await hang(1.5, 3.0) == cluster.url
        assert await hang(1.5, 4.0) == spare
    finally:
        await sender.close()


async def raw_server(reply: bytes) -> AsyncIterator[str]:
    """Answer each request with some bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "reply",
    [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", b"\x00" * 100, b""],
)
async def test_not_http(reply: bytes) -> None:
    """A reply that is not HTTP is an outage, and no error of the chain shows a password."""
    async for url in raw_server(reply):
        with pytest.raises(ClusterUnreachable) as caught:
            await send_get(transport(url))
        error: BaseException | None = caught.value
        while error is not None:
            assert "b3BzQGV4" not in repr(error) + repr(error.args) + str(error)
            error = error.__cause__ or error.__context__


async def test_echo(cluster: FakeCluster) -> None:
    """Credentials that a server sends back are not in the message of the error."""
    header = "Basic b3BzQGV4YW1wbGUuY29tOmh1bnRlcjItaHVudGVyMg=="
    cluster.inject(status=400, body=f"you sent {header}, why?")

    with pytest.raises(RequestRejected, match=r"you sent Basic \*\*\*, why"):
        await send_get(transport(cluster.url))


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nX y: %s\r\n\r\n",
        b"%s\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
    ],
)
async def test_garbled_echo(reply: bytes) -> None:
    """Bytes that are not HTTP are not quoted, as they may hold the credentials."""
    secret = b"b3BzQGV4YW1wbGUuY29tOmh1bnRlcjItaHVudGVyMg=="
    async for url in raw_server(reply % secret):
        with pytest.raises(ClusterUnreachable, match=r"not HTTP|garbled") as caught:
            await send_get(transport(url))
        assert secret.decode() not in f"{caught.value}{caught.value.__cause__}"


@pytest.mark.enable_socket
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_cut_within_headers(method: str) -> None:
    """Headers before the loss of a connection are not quoted: they may hold credentials."""
    secret = b"b3BzQGV4YW1wbGUuY29tOmh1bnRlcjItaHVudGVyMg=="
    async for url in raw_server(b"HTTP/1.1 200 OK\r\nX-Echo: " + secret + b"\r\nContent-Ty"):
        cut = transport(url)
        with pytest.raises(ClusterUnreachable) as caught:
            await cut.send(Request(method, "/v1/actions"))
        await cut.close()

        assert caught.value.reason == "the answer is cut off within its headers"
        assert caught.value.sent is True
        chain = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert secret.decode() not in f"{chain} {[getattr(error, 'args', ()) for error in chain]}"


@pytest.mark.skipif(
    not hasattr(aiohttp.ClientSession, "_get_netrc_auth"),
    reason="before 3.13.1, aiohttp replaces our credentials with .netrc's, and does not say so",
)
async def test_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session with credentials of its own, from .netrc, is wrong usage and not an outage."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ops password pw\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with aiohttp.ClientSession(trust_env=True) as session:
        with pytest.raises(UsageError, match="credentials of its own"):
            await send_get(transport(session=session))


async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a request, and never answer."""
    await reader.read()
    writer.close()


@pytest.mark.enable_socket
async def test_silent_handshake(unused_tcp_port: int) -> None:
    """A node that accepts a connection without a TLS handshake fails after ten seconds."""
    began = asyncio.get_running_loop().time()
    async with await asyncio.start_server(never_answer, "127.0.0.1", unused_tcp_port):
        with pytest.raises(ClusterUnreachable, match="no connection in time"):
            await send_get(transport(f"https://127.0.0.1:{unused_tcp_port}"))
        assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.1)
        await asyncio.sleep(1)


@pytest.mark.enable_socket
async def test_timeout_of_request(unused_tcp_port: int) -> None:
    """A request may have its own timeout."""
    began = asyncio.get_running_loop().time()
    async with await asyncio.start_server(never_answer, "127.0.0.1", unused_tcp_port):
        sender = transport(f"http://127.0.0.1:{unused_tcp_port}")
        with pytest.raises(ClusterUnreachable, match="no answer in time"):
            await sender.send(Request("GET", "/v1/actions", timeout=3.0))
        assert asyncio.get_running_loop().time() - began == pytest.approx(3, abs=0.1)
        await sender.close()
        await asyncio.sleep(1)


@pytest.mark.parametrize("fault", [{"drop": True}, {"truncate": True}])
async def test_cut_connection(cluster: FakeCluster, fault: dict[str, bool]) -> None:
    """A connection that is lost before or within a body is an unreachable cluster."""
    cluster.inject(times=None, **fault)  # type: ignore[arg-type]

    with pytest.raises(ClusterUnreachable) as caught:
        await send_get(transport(cluster.url, username=cluster.username, password=cluster.password))
    assert caught.value.sent is True


def test_repr_of_reply() -> None:
    """The `repr` of a reply does not show its body."""
    assert SECRET not in repr(Reply(200, SECRET.encode(), {}))


async def test_large_body(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body over the limit is not read to its end."""
    monkeypatch.setattr(transport_module, "MAX_BODY", 10_000)
    cluster.inject(status=200, body=b"x" * 10_001)
    cluster.inject(status=200, body=b"x" * 10_000)

    with pytest.raises(UnreadableReply, match="larger than 10000 bytes"):
        await send_get(transport(cluster.url))
    assert len((await send_get(transport(cluster.url))).body) == 10_000


@pytest.mark.enable_socket
async def test_endless_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body without an end is an error as soon as it is over the limit."""
    monkeypatch.setattr(transport_module, "MAX_BODY", 10_000)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 1_000)
            await asyncio.sleep(1)

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(UnreadableReply, match="larger than 10000 bytes"):
            await send_get(transport(url))
        assert asyncio.get_running_loop().time() == pytest.approx(10, abs=0.1)
        await asyncio.sleep(2)


class TestSession:
    """The transport closes its own session only."""

    async def test_own(self, cluster: FakeCluster) -> None:
        """The transport closes its own session; requests then raise `ClientClosed`."""
        sender = transport(cluster.url)
        with pytest.raises(AuthenticationError):
            await sender.get("/v1/actions", permission="p", decode=unchanged)
        await sender.close()
        await sender.close()

        with pytest.raises(ClientClosed):
            await sender.get("/v1/actions", permission="p", decode=unchanged)

    async def test_never_used(self) -> None:
        """A transport that is closed before its first request opens no session later."""
        sender = transport()
        await sender.close()

        with pytest.raises(ClientClosed):
            await send_get(sender)

    async def test_session_of_caller(self, cluster: FakeCluster) -> None:
        """A given session stays open, and its `raise_for_status` has no effect."""
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            with pytest.raises(AuthenticationError):
                await send_get(transport(cluster.url, session=session))
            assert not session.closed

    async def test_closed_session_of_caller(self) -> None:
        """A given session that is closed raises `ClientClosed`."""
        session = aiohttp.ClientSession()
        await session.close()

        with pytest.raises(ClientClosed):
            await send_get(transport(session=session))

    async def test_closed_under_a_request(self, cluster: FakeCluster) -> None:
        """Closing the client during a request raises `ClientClosed`, not an outage."""
        cluster.inject(delay=60)
        sender = transport(cluster.url)
        request = asyncio.create_task(sender.get("/v1/actions", permission="p", decode=unchanged))
        await asyncio.sleep(1)
        await sender.close()

        with pytest.raises(ClientClosed):
            await request

    @pytest.mark.filterwarnings("ignore:.*'auth' parameter is deprecated:DeprecationWarning")
    @pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
    async def test_two_sets_of_credentials(self) -> None:
        """A session with credentials and other credentials contradict each other."""
        async with aiohttp.ClientSession(auth=aiohttp.BasicAuth("a", "b")) as session:
            with pytest.raises(UsageError, match="credentials of its own"):
                transport(session=session)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority that no system trusts."""
    return trustme.CA()


class TestTLS:
    """Certificates are verified unless the caller switches it off."""

    @pytest.fixture
    async def url(self, authority: trustme.CA) -> AsyncIterator[str]:
        """Serve `[]` over TLS, with a certificate of an unknown authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)

        async def answer(_: web.BaseRequest) -> web.Response:
            return web.Response(body=b"[]")

        runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()

    @pytest.mark.enable_socket
    async def test_unknown_certificate(self, url: str) -> None:
        """A certificate that does not verify is an error that says what to do."""
        with pytest.raises(UntrustedCertificate, match=r"not trusted: .*certificate.*ca_cert="):
            await send_get(transport(url))

    @pytest.mark.enable_socket
    async def test_ca_cert(self, url: str, authority: trustme.CA, tmp_path: Path) -> None:
        """A certificate that `ca_cert` has signed is accepted."""
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

        assert (await send_get(transport(url, ca_cert=str(tmp_path / "ca.pem")))).body == b"[]"

    @pytest.mark.enable_socket
    async def test_not_verified(self, url: str, caplog: pytest.LogCaptureFixture) -> None:
        """With `verify=False` any certificate is accepted, and a warning is logged."""
        assert (await send_get(transport(url, verify=False))).body == b"[]"
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "not verified" in record.getMessage()
        assert (vars(record)["event"], vars(record)["url"]) == ("certificate not verified", url)

    def test_unencrypted_credentials(self, caplog: pytest.LogCaptureFixture) -> None:
        """Credentials over plain HTTP to another machine cause a warning, which hides them."""
        transport("http://cluster.example.com:8080")
        transport("http://cluster.example.com:8080", **ANONYMOUS)
        transport("http://127.0.0.1:8080")

        (record,) = caplog.records
        assert "unencrypted" in record.getMessage()
        assert vars(record)["event"] == "credentials unencrypted"
        assert vars(record)["url"] == "http://cluster.example.com:8080"
        assert SECRET not in record.getMessage()
