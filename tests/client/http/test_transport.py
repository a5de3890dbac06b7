"""Facts about `_transport`: sessions, credentials, TLS, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import logging
import ssl
from functools import partial
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
from redis_enterprise_actions._client.pacing.rate_limit import TURN


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
    given = {"username": "ops@example.com", "password": SECRET} | options
    return ActionsClient(url, **given)._transport  # type: ignore[arg-type]


ANONYMOUS = {"username": None, "password": None}


async def ask(transport: Transport, path: str = "/v1/actions") -> Reply:
    """GET once and close."""
    try:
        return await transport.get(path, permission="view_status_of_cluster_action")
    finally:
        await transport.close()


async def test_what_is_sent() -> None:
    """A request carries Basic credentials and asks for JSON."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", body=b"{}")
        assert (await ask(transport())).body == b"{}"

    ((call,),) = mocked.requests.values()
    headers = call.kwargs["headers"]
    assert headers["Authorization"] == "Basic b3BzQGV4YW1wbGUuY29tOmh1bnRlcjItaHVudGVyMg=="
    assert headers["Accept"] == "application/json"
    assert call.kwargs["allow_redirects"] is False


async def test_what_is_sent_by_a_session_of_theirs() -> None:
    """A session that was passed in asks for the same."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", body=b"{}")
        async with aiohttp.ClientSession(headers={"Accept": "text/html"}) as session:
            await ask(transport(session=session))

    ((call,),) = mocked.requests.values()
    assert call.kwargs["headers"]["Accept"] == "application/json"
    assert call.kwargs["headers"]["User-Agent"] == "redis-enterprise-actions"


async def test_no_credentials(cluster: FakeCluster) -> None:
    """Without credentials none are sent, and the cluster says so."""
    with pytest.raises(AuthenticationError) as caught:
        await ask(transport(cluster.url, **ANONYMOUS))

    assert caught.value.status == 401


def test_secrets_stay_inside() -> None:
    """No `repr` shows a password."""
    assert SECRET not in repr(vars(transport())) + repr(vars(transport()._authenticator))


@pytest.mark.parametrize("timeout", [0.0, float("inf")])
def test_request_timeout(timeout: float) -> None:
    """A request's timeout is a positive, finite number of seconds."""
    with pytest.raises(UsageError, match="request_timeout"):
        transport(request_timeout=timeout)


@pytest.mark.parametrize("status", [200, 404])
async def test_replies(status: int) -> None:
    """Success and 404 are answers."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", status=status, body=b"x")

        reply = await ask(transport())
        assert (reply.status, reply.body) == (status, b"x")


async def test_refusal() -> None:
    """Other statuses are errors with the cluster's words."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", status=406, body=b'{"error_code": "no"}')

        with pytest.raises(RequestRejected, match="answered 406: no"):
            await ask(transport())


async def test_redirect_is_not_followed() -> None:
    """A redirect is refused, so that credentials go nowhere else."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", status=307, headers={"Location": "http://10.0.0.7/v1"})

        with pytest.raises(RequestRejected, match=r"redirects to http://10\.0\.0\.7, and"):
            await ask(transport())
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
    """Whatever goes wrong on the way is one kind of error, with its cause."""
    with aioresponses() as mocked:
        mocked.get(f"{URL}/v1/actions", exception=error)

        with pytest.raises(ClusterUnreachable) as caught:
            await ask(transport())
    assert caught.value.reason == reason
    assert caught.value.__cause__ is error


@pytest.mark.enable_socket
async def test_nobody_there(unused_tcp_port: int) -> None:
    """A port where nobody listens is an unreachable cluster."""
    with pytest.raises(ClusterUnreachable, match="Cannot connect") as caught:
        await ask(transport(f"http://127.0.0.1:{unused_tcp_port}"))
    assert caught.value.sent is False


async def test_hanging_server(cluster: FakeCluster) -> None:
    """A server that does not answer is given up after `request_timeout`."""
    cluster.inject(delay=3600)
    began = asyncio.get_running_loop().time()

    with pytest.raises(ClusterUnreachable, match="no answer in time"):
        await ask(transport(cluster.url, request_timeout=4.0))
    assert asyncio.get_running_loop().time() - began == pytest.approx(4, abs=0.01)


async def test_turn_is_not_the_nodes(cluster: FakeCluster) -> None:
    """Of the time for which a node may hang, waiting for the request's turn is no part."""
    cluster.inject(delay=3600, times=None)
    spare = cluster.url.replace("127.0.0.1", "localhost")
    asking = transport([cluster.url, spare])

    async def hang(turn: float, seconds: float) -> str:
        token = TURN.set(partial(asyncio.sleep, turn))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking.get("/v1/actions", permission=""), seconds)
        TURN.reset(token)
        asking.abandon()
        return str(asking.nodes.current)

    try:
        assert await hang(1.5, 3.0) == cluster.url
        assert await hang(1.5, 4.0) == spare
    finally:
        await asking.close()


async def raw_server(reply: bytes) -> AsyncIterator[str]:
    """Serve some bytes to whoever asks."""

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
async def test_no_http(reply: bytes) -> None:
    """What is no HTTP is an unreachable cluster, and no part of the chain shows a password."""
    async for url in raw_server(reply):
        with pytest.raises(ClusterUnreachable) as caught:
            await ask(transport(url))
        error: BaseException | None = caught.value
        while error is not None:
            assert "b3BzQGV4" not in repr(error) + repr(error.args) + str(error)
            error = error.__cause__ or error.__context__


async def test_echo(cluster: FakeCluster) -> None:
    """A server that sends our credentials back does not bring them into a message."""
    header = "Basic b3BzQGV4YW1wbGUuY29tOmh1bnRlcjItaHVudGVyMg=="
    cluster.inject(status=400, body=f"you sent {header}, why?")

    with pytest.raises(RequestRejected, match=r"you sent Basic \*\*\*, why"):
        await ask(transport(cluster.url))


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
    """Bytes that are not HTTP are not quoted, as they may hold what we sent."""
    secret = b"b3BzQGV4YW1wbGUuY29tOmh1bnRlcjItaHVudGVyMg=="
    async for url in raw_server(reply % secret):
        with pytest.raises(ClusterUnreachable, match=r"not HTTP|garbled") as caught:
            await ask(transport(url))
        assert secret.decode() not in f"{caught.value}{caught.value.__cause__}"


@pytest.mark.enable_socket
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_cut_within_headers(method: str) -> None:
    """Nor are the headers that came before a connection was cut, as they may hold it, too."""
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
    """A session that finds credentials of its own is the caller's mistake, and no outage."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ops password pw\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with aiohttp.ClientSession(trust_env=True) as session:
        with pytest.raises(UsageError, match="credentials of its own"):
            await ask(transport(session=session))


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take a request, and never answer."""
    await reader.read()
    writer.close()


@pytest.mark.enable_socket
async def test_silent_handshake(unused_tcp_port: int) -> None:
    """A node that takes a connection and says nothing counts as gone after ten seconds."""
    began = asyncio.get_running_loop().time()
    async with await asyncio.start_server(say_nothing, "127.0.0.1", unused_tcp_port):
        with pytest.raises(ClusterUnreachable, match="no answer in time"):
            await ask(transport(f"https://127.0.0.1:{unused_tcp_port}"))
        assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.1)
        await asyncio.sleep(1)


@pytest.mark.enable_socket
async def test_patience_of_a_call(unused_tcp_port: int) -> None:
    """A call may have a patience of its own."""
    began = asyncio.get_running_loop().time()
    async with await asyncio.start_server(say_nothing, "127.0.0.1", unused_tcp_port):
        asking = transport(f"http://127.0.0.1:{unused_tcp_port}")
        with pytest.raises(ClusterUnreachable, match="no answer in time"):
            await asking.send(Request("GET", "/v1/actions", timeout=3.0))
        assert asyncio.get_running_loop().time() - began == pytest.approx(3, abs=0.1)
        await asking.close()
        await asyncio.sleep(1)


@pytest.mark.parametrize("fault", [{"drop": True}, {"truncate": True}])
async def test_cut_connection(cluster: FakeCluster, fault: dict[str, bool]) -> None:
    """A connection that is dropped or cut in the middle of a body is an unreachable cluster."""
    cluster.inject(times=None, **fault)  # type: ignore[arg-type]

    with pytest.raises(ClusterUnreachable) as caught:
        await ask(transport(cluster.url, username=cluster.username, password=cluster.password))
    assert caught.value.sent is True


def test_bodies_stay_inside() -> None:
    """The `repr` of a reply does not show its body."""
    assert SECRET not in repr(Reply(200, SECRET.encode(), {}))


async def test_large_body(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body over the limit is not read to its end."""
    monkeypatch.setattr(transport_module, "MAX_BODY", 10_000)
    cluster.inject(status=200, body=b"x" * 10_001)
    cluster.inject(status=200, body=b"x" * 10_000)

    with pytest.raises(UnreadableReply, match="larger than 10000 bytes"):
        await ask(transport(cluster.url))
    assert len((await ask(transport(cluster.url))).body) == 10_000


@pytest.mark.enable_socket
async def test_endless_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up as soon as it is over the limit, whether it has an end or not."""
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
            await ask(transport(url))
        assert asyncio.get_running_loop().time() == pytest.approx(10, abs=0.1)
        await asyncio.sleep(2)


class TestSession:
    """Whoever opened the session closes it."""

    async def test_ours(self, cluster: FakeCluster) -> None:
        """A session that we made is closed by us, and a closed transport says that it is."""
        ours = transport(cluster.url)
        with pytest.raises(AuthenticationError):
            await ours.get("/v1/actions", permission="p")
        await ours.close()
        await ours.close()

        with pytest.raises(ClientClosed):
            await ours.get("/v1/actions", permission="p")

    async def test_never_used(self) -> None:
        """A transport that was never used has nothing to close, and opens nothing from then on."""
        ours = transport()
        await ours.close()

        with pytest.raises(ClientClosed):
            await ask(ours)

    async def test_theirs(self, cluster: FakeCluster) -> None:
        """A session that was passed in stays open, and its settings do not get in the way."""
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            with pytest.raises(AuthenticationError):
                await ask(transport(cluster.url, session=session))
            assert not session.closed

    async def test_theirs_closed(self) -> None:
        """A session that was closed by its owner is a closed client."""
        session = aiohttp.ClientSession()
        await session.close()

        with pytest.raises(ClientClosed):
            await ask(transport(session=session))

    async def test_closed_under_a_request(self, cluster: FakeCluster) -> None:
        """A request that is cut off by closing the client says so, and is no outage."""
        cluster.inject(delay=60)
        ours = transport(cluster.url)
        request = asyncio.create_task(ours.get("/v1/actions", permission="p"))
        await asyncio.sleep(1)
        await ours.close()

        with pytest.raises(ClientClosed):
            await request

    @pytest.mark.filterwarnings("ignore:.*'auth' parameter is deprecated:DeprecationWarning")
    @pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
    async def test_two_sets_of_credentials(self) -> None:
        """A session with credentials of its own and credentials beside it contradict."""
        async with aiohttp.ClientSession(auth=aiohttp.BasicAuth("a", "b")) as session:
            with pytest.raises(UsageError, match="credentials of its own"):
                transport(session=session)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Make a certificate authority that no system trusts."""
    return trustme.CA()


class TestTLS:
    """Certificates are verified unless the user says otherwise."""

    @pytest.fixture
    async def url(self, authority: trustme.CA) -> AsyncIterator[str]:
        """Serve `[]` over TLS, with a certificate of an authority that nobody knows."""
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
        """A certificate that does not verify is fatal, and says what to do."""
        with pytest.raises(UntrustedCertificate, match=r"not trusted: .*certificate.*ca_cert="):
            await ask(transport(url))

    @pytest.mark.enable_socket
    async def test_ca_cert(self, url: str, authority: trustme.CA, tmp_path: Path) -> None:
        """A certificate that the CA file vouches for is accepted."""
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

        assert (await ask(transport(url, ca_cert=str(tmp_path / "ca.pem")))).body == b"[]"

    @pytest.mark.enable_socket
    async def test_not_verified(self, url: str, caplog: pytest.LogCaptureFixture) -> None:
        """With `verify=False` any certificate is accepted, and a warning is logged."""
        assert (await ask(transport(url, verify=False))).body == b"[]"
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "not verified" in record.getMessage()
        assert (vars(record)["event"], vars(record)["url"]) == ("certificate not verified", url)

    def test_password_in_the_clear(self, caplog: pytest.LogCaptureFixture) -> None:
        """Credentials over plain HTTP to another machine are warned about, without showing them."""
        transport("http://cluster.example.com:8080")
        transport("http://cluster.example.com:8080", **ANONYMOUS)
        transport("http://127.0.0.1:8080")

        (record,) = caplog.records
        assert "unencrypted" in record.getMessage()
        assert vars(record)["event"] == "credentials unencrypted"
        assert vars(record)["url"] == "http://cluster.example.com:8080"
        assert SECRET not in record.getMessage()
