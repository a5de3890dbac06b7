"""Tests of `_client.http.transport`."""

from __future__ import annotations

import asyncio
import contextlib
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
    RequestError,
    RequestRejected,
    UnreadableReply,
    UntrustedCertificate,
    UsageError,
)
from redis_enterprise_actions._client.http import transport as transport_module
from redis_enterprise_actions._client.http.messages import Reply, Request
from redis_enterprise_actions._model.secret import Secret
from redis_enterprise_actions.testing import FakeCluster

from .node_servers import CountingGate, Node, get, serving, transport_to


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis_enterprise_actions._client.http.transport import Transport

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
    assert SECRET not in repr(vars(transport())) + repr(vars(transport().authenticator))


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
        with pytest.raises(ClusterUnreachable, match=r"not HTTP|not valid HTTP|garbled") as caught:
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

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_closed_under_a_request(self, cluster: FakeCluster, method: str) -> None:
        """Closing the client during a request raises `ClientClosed`, not an outage."""
        cluster.inject(delay=60)
        sender = transport(cluster.url)
        request = asyncio.create_task(sender.send(Request(method, "/v1/actions")))
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

    async def test_pinned_certificate_and_client_certificate(self, tmp_path: Path) -> None:
        """A session cannot be combined with a fingerprint and a client certificate."""
        pair = tmp_path / "client.pem"
        issued = trustme.CA().issue_cert("ops@example.com")
        issued.private_key_and_cert_chain_pem.write_to_path(pair)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(UsageError, match="both fingerprint= and client_cert="):
                transport(
                    URL.replace("http", "https"),
                    session=session,
                    fingerprint="AB" * 32,
                    client_cert=pair,
                )


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


CALL = Request("POST", "/v1/bdbs/1/upgrade", body=Secret("{}"))


@pytest.mark.enable_socket
class TestSlots:
    """At most six requests of the user are out at once; polls never wait for them."""

    async def test_calls_queue(self) -> None:
        """A call's time limit starts when it is sent."""
        node = Node(delay=4)
        async with transport_to(node, request_timeout=5) as sender:
            replies = await asyncio.gather(*(sender.send(CALL) for _ in range(20)))

        assert [reply.status for reply in replies] == [200] * 20
        times = [when for *_, when in node.requests]
        assert [sum(abs(when - turn) < 0.5 for when in times) for turn in (0, 4, 8, 12)] == [
            *(6, 6, 6, 2)
        ]

    async def test_poll_beside_calls(self) -> None:
        """Two polls are sent at once beside any number of slow calls, and no third one."""
        node = Node()
        node.behave = lambda path: ("ok", 60.0 if path == CALL.path else 3.0)
        async with transport_to(node, request_timeout=100) as sender:
            calls = [asyncio.create_task(sender.send(CALL)) for _ in range(20)]
            await asyncio.sleep(1)
            polls = [asyncio.create_task(get(sender, CountingGate())) for _ in range(3)]
            await asyncio.gather(*polls)
            sent = [when for _, path, when in node.requests if path != CALL.path]
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

        assert sent == pytest.approx([1, 1, 4], abs=0.2)

    async def test_token_beside_calls(self) -> None:
        """The request for a token does not wait for slow calls that hold all connections."""
        async with FakeCluster() as cluster:
            sender = transport(
                cluster.url,
                username=cluster.username,
                password=cluster.password,
                auth="jwt",
                request_timeout=2000,
            )
            await sender.get("/v1/actions", permission="p", decode=unchanged)
            cluster.inject(path=CALL.path, times=None, delay=1000)
            calls = [asyncio.create_task(sender.send(CALL)) for _ in range(20)]
            await asyncio.sleep(400)  # the token has expired
            began = asyncio.get_running_loop().time()
            await sender.get("/v1/actions", permission="p", decode=unchanged, gate=Turn())

            assert asyncio.get_running_loop().time() - began < 1
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await sender.close()

    async def test_cancelled_in_the_queue(self) -> None:
        """A call that is cancelled in the queue is not sent, and frees its place."""
        node = Node(delay=3)
        async with transport_to(node) as sender:
            calls = [asyncio.create_task(sender.send(CALL)) for _ in range(8)]
            await asyncio.sleep(1)
            calls[6].cancel()
            results = await asyncio.gather(*calls, return_exceptions=True)

        assert len(node.requests) == 7
        assert [isinstance(result, Reply) for result in results].count(True) == 7

    async def test_connector_of_the_caller(self) -> None:
        """What waited in vain for a connection of a given session was not sent."""
        node = Node(delay=9)
        async with (
            serving(node) as urls,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        ):
            sender = transport(urls, session=session, request_timeout=10)
            results = await asyncio.gather(
                sender.send(CALL), sender.send(CALL), return_exceptions=True
            )

        assert isinstance(results[0], Reply)
        assert isinstance(results[1], ClusterUnreachable)
        assert (results[1].sent, len(node.requests)) == (False, 1)
        assert results[1].reason == "no connection in time"


@pytest.mark.enable_socket
class TestSent:
    """An error says whether the request may have been executed."""

    async def test_slow_handshake(self, unused_tcp_port: int) -> None:
        """A call to a node that does not finish the TLS handshake was not sent."""
        async with await asyncio.start_server(never_answer, "127.0.0.1", unused_tcp_port):
            for limit in (4.0, 10.0, 30.0):
                sender = transport(f"https://127.0.0.1:{unused_tcp_port}", request_timeout=limit)
                with pytest.raises(ClusterUnreachable, match="no connection in time") as caught:
                    await sender.send(CALL)
                assert caught.value.sent is False
                await sender.close()
            await asyncio.sleep(1)

    async def test_no_answer(self) -> None:
        """A call that was sent and not answered may have been executed."""
        async with transport_to(Node(behaviour="hangs"), request_timeout=4) as sender:
            with pytest.raises(ClusterUnreachable, match="no answer in time") as caught:
                await sender.send(CALL)
        assert caught.value.sent is True

    async def test_token_fails(self, cluster: FakeCluster) -> None:
        """A call for which there is no token was not sent, although a request for a token was."""
        cluster.inject(path="/v1/users/authorize", times=None, status=503)
        sender = transport(
            cluster.url, username=cluster.username, password=cluster.password, auth="jwt"
        )
        with pytest.raises(ClusterUnreachable, match=r"/v1/users/authorize.*503") as caught:
            await sender.send(CALL)
        await sender.close()

        assert caught.value.sent is False

    async def test_token_function_fails(self) -> None:
        """The same holds if the caller's function fails; no other node is asked then."""
        nodes = [Node(), Node()]
        options: dict[str, object] = {"username": None, "password": None, "token": fail}
        async with transport_to(*nodes, **options) as sender:
            with pytest.raises(ClusterUnreachable, match="token= failed: no vault") as caught:
                await sender.send(CALL)

        assert caught.value.sent is False
        assert [node.requests for node in nodes] == [[], []]


def fail() -> str:
    """Return no token."""
    raise OSError("no vault")


@pytest.mark.enable_socket
class TestAnswered:
    """The transport knows whether the cluster has ever given an answer that is the API's."""

    @pytest.mark.parametrize(
        ("behaviour", "answered"),
        [
            ("ok", True),
            ("401", True),
            ("403", True),
            ("503", True),
            ("400", True),
            ("foreign", False),
            ("garbage", False),
            ("hangs", False),
            ("drops", False),
            ("refuses", False),
        ],
    )
    async def test_answer(self, behaviour: str, answered: bool) -> None:
        """Any status is an answer, but for a 404 that is not the API's; garbage is none."""
        async with transport_to(Node(behaviour=behaviour)) as sender:
            assert sender.has_answered is False
            with contextlib.suppress(RequestError):
                await get(sender)

            assert sender.has_answered is answered

    async def test_call(self) -> None:
        """A 404 to a call is an answer of the API only in the API's own words."""
        sender = transport()
        with aioresponses() as mocked:
            mocked.post(f"{URL}{CALL.path}", status=404, body=b"<html>")
            mocked.post(f"{URL}{CALL.path}", status=404, body=b'{"error_code": "no_db"}')
            with pytest.raises(UnreadableReply):
                await sender.send(CALL)
            answered = sender.has_answered
            assert (await sender.send(CALL)).status == 404
        await sender.close()

        assert (answered, sender.has_answered) == (False, True)

    async def test_plain_to_tls(self) -> None:
        """A server that wants HTTPS is not the API, and the error says what to do."""
        with aioresponses() as mocked:
            body = b"<html><title>400 The plain HTTP request was sent to HTTPS port</title>"
            mocked.get(f"{URL}/v1/actions", status=400, body=body)
            sender = transport()
            with pytest.raises(RequestRejected, match=r"\. Begin the URL with https://") as caught:
                await send_get(sender)

        assert caught.value.advice == "Begin the URL with https://"
        assert sender.has_answered is False


class TestSecrets:
    """Credentials that a server sends back are not in what the client reads or quotes."""

    async def test_in_a_body(self) -> None:
        """A decoder gets the body without them, whatever its size and status."""
        secret = b"b3BzQGV4YW1wbGUuY29tOmh1bnRlcjItaHVudGVyMg=="
        for status in (200, 404):
            with aioresponses() as mocked:
                body = b"x" * 3_000_000 + secret
                mocked.get(f"{URL}/v1/actions", status=status, body=body)
                reply = await send_get(transport())
            assert reply.body == b"x" * 3_000_000 + b"***"

    async def test_of_a_call(self) -> None:
        """The cluster's words are quoted without the secrets in the body of a call."""
        body = b'{"error_code": "odd-password", "description": "not password"}'
        for status in (400, 503):
            with aioresponses() as mocked:
                mocked.post(f"{URL}{CALL.path}", status=status, body=body)
                sender = transport()
                with pytest.raises(RequestError) as caught:
                    await sender.send(CALL._replace(secrets=(Secret("password"),)))
                await sender.close()
            assert "password" not in f"{caught.value}"
            assert "not ***" in str(caught.value)
