"""Tests of `_client.http.node_requests`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions import (
    ActionsClient,
    AuthenticationError,
    ClusterUnreachable,
    RequestRejected,
    UnreadableReply,
)
from redis_enterprise_actions._client.http.messages import Request
from redis_enterprise_actions._client.http.node_requests import NodeRequests
from redis_enterprise_actions._client.http.redaction import Secret
from tests.client.http.node_servers import Node, serving
from tests.recorder import RecordingServer


if TYPE_CHECKING:
    from redis_enterprise_actions._client.http.messages import Reply

pytestmark = [pytest.mark.enable_socket, pytest.mark.core]

PATH = "/v1/bootstrap"
OK, UNAUTHORIZED = (200, "{}"), (401, "")


def status_of(reply: Reply) -> int:
    """Return the status of a reply."""
    return reply.status


def get(client: ActionsClient, requests: NodeRequests | None = None) -> Any:  # noqa: ANN401
    """GET the path from the client's node."""
    requests = requests or NodeRequests(client._transport)
    return requests.get(client._transport.nodes.urls[0], PATH, decode=status_of)


class TestGet:
    """GETs, with credentials for nodes that demand them."""

    async def test_remembered(self) -> None:
        """Once a node has demanded credentials, each request has them."""
        answers = [OK, UNAUTHORIZED, OK, OK]
        async with RecordingServer(GET=answers) as server, server.client() as client:
            requests = NodeRequests(client._transport)
            for _ in range(3):
                assert await get(client, requests) == 200

        sent = ["Authorization" in call.headers for call in server.calls]
        assert sent == [False, False, True, True]

    async def test_open_again(self) -> None:
        """A node that refuses the credentials, and then demands none, is sent none any more."""
        answers = [UNAUTHORIZED, UNAUTHORIZED, OK, OK]
        async with RecordingServer(GET=answers) as server, server.client() as client:
            requests = NodeRequests(client._transport)
            with pytest.raises(ClusterUnreachable, match=r"401 to the credentials.*Check the user"):
                await get(client, requests)
            for _ in range(2):
                assert await get(client, requests) == 200

        sent = ["Authorization" in call.headers for call in server.calls]
        assert sent == [False, True, False, False]

    async def test_forgotten(self) -> None:
        """A node that is in no cluster any more is sent none before it demands them again."""
        async with (
            RecordingServer(GET=[UNAUTHORIZED, OK, OK]) as server,
            server.client() as client,
        ):
            requests = NodeRequests(client._transport)
            assert await get(client, requests) == 200
            requests.forget_demand(client._transport.nodes.urls[0])
            assert await get(client, requests) == 200

        sent = ["Authorization" in call.headers for call in server.calls]
        assert sent == [False, True, False]

    @pytest.mark.parametrize("accepts_first", [False, True])
    async def test_refused_for_a_while(self, accepts_first: bool) -> None:
        """A 401 to credentials is an outage for ten seconds, and then the end."""
        answers = [OK] * accepts_first + [UNAUTHORIZED]
        async with RecordingServer(GET=answers) as server, server.client() as client:
            requests = NodeRequests(client._transport)
            if accepts_first:
                await get(client, requests)
            for _ in range(2):
                with pytest.raises(ClusterUnreachable):
                    await get(client, requests)
                await asyncio.sleep(5)
            with pytest.raises(AuthenticationError):
                await get(client, requests)

    async def test_new_token(self) -> None:
        """A token that the node refuses is replaced, once."""
        tokens = iter(["t1", "t2", "t3"])
        answers = [UNAUTHORIZED, UNAUTHORIZED, OK]
        async with (
            RecordingServer(GET=answers) as server,
            ActionsClient(server.url, token=lambda: next(tokens)) as client,
        ):
            assert await get(client) == 200

        assert [call.headers.get("Authorization") for call in server.calls] == [
            None,
            "JWT t1",
            "JWT t2",
        ]

    async def test_refused_tokens(self) -> None:
        """A second token that the node refuses is a failed request."""
        tokens = iter(["t1", "t2", "t3"])
        async with (
            RecordingServer(GET=[UNAUTHORIZED]) as server,
            ActionsClient(server.url, token=lambda: next(tokens)) as client,
        ):
            with pytest.raises(ClusterUnreachable, match="token="):
                await get(client)

        assert len(server.calls) == 3

    async def test_failing_token(self) -> None:
        """A token that cannot be had is a failed request of this node."""

        def token() -> str:
            raise OSError("vault is sealed")

        async with (
            RecordingServer(GET=[UNAUTHORIZED]) as server,
            ActionsClient(server.url, token=token) as client,
        ):
            with pytest.raises(ClusterUnreachable, match="vault is sealed"):
                await get(client)

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            ((404, "<html>"), UnreadableReply),
            ((404, '{"error_code": "not_found"}'), RequestRejected),
            ((503, ""), ClusterUnreachable),
            ((401, '{"error_code": "password_expired"}'), AuthenticationError),
        ],
    )
    async def test_no_token(self, answer: tuple[int, str], error: type[Exception]) -> None:
        """A node that grants no token, yet or at all, fails the request."""
        answers = {"GET": [UNAUTHORIZED], "POST": [answer]}
        async with (
            RecordingServer(**answers) as server,
            server.client(auth="jwt") as client,
        ):
            with pytest.raises(error):
                await get(client)

    async def test_lost_connection(self) -> None:
        """A connection that is lost before the answer is tried again, once."""
        drops = 1
        requests = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal drops, requests
            await reader.readuntil(b"\r\n\r\n")
            requests += 1
            if drops:
                drops -= 1
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
                await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with ActionsClient(f"http://127.0.0.1:{port}") as client:
                assert await get(client) == 200
                drops = 5
                with pytest.raises(ClusterUnreachable, match="2 attempts at http"):
                    await get(client)

        assert requests == 4

    async def test_hanging(self) -> None:
        """A node that gave no answer has five seconds for the next two, and then the whole time."""
        loop, took = asyncio.get_running_loop(), list[float]()
        async with (
            serving(Node(behaviour="hangs")) as urls,
            ActionsClient(urls, request_timeout=20) as client,
        ):
            requests = NodeRequests(client._transport)
            for _ in range(4):
                began = loop.time()
                with pytest.raises(ClusterUnreachable):
                    await get(client, requests)
                took.append(loop.time() - began)

        assert took == pytest.approx([20, 5, 5, 20], abs=0.5)

    async def test_heard_again(self) -> None:
        """A node that answers again has the whole time limit again, whatever the answer."""
        answers = [OK, (503, ""), OK]
        async with RecordingServer(GET=answers) as server, server.client() as client:
            requests = NodeRequests(client._transport)
            requests._failures[client._transport.nodes.urls[0]] = 1
            assert await get(client, requests) == 200
            assert requests._failures == {}
            with pytest.raises(ClusterUnreachable):
                await get(client, requests)
            assert requests._failures == {}


class TestPost:
    """Calls that go to a node without credentials."""

    async def test_secrets(self) -> None:
        """An error has the words of the node, without the secrets of the body."""
        answer = (503, '{"error_code": "odd", "description": "hunter2-hunter2 is odd"}')
        async with RecordingServer(POST=[answer]) as server, server.client() as client:
            secret = Secret("hunter2-hunter2")
            request = Request("POST", PATH, body=Secret("{}"), secrets=(secret,))
            with pytest.raises(ClusterUnreachable, match=r"odd: \*\*\* is odd"):
                await NodeRequests(client._transport).post(client._transport.nodes.urls[0], request)

        assert "Authorization" not in server.calls[0].headers

    async def test_redirect(self) -> None:
        """A redirect is not followed: the node has not executed the call."""
        async with RecordingServer(POST=[(307, "")]) as server, server.client() as client:
            request = Request("POST", PATH, body=Secret("{}"))
            with pytest.raises(ClusterUnreachable, match="no other node can answer") as caught:
                await NodeRequests(client._transport).post(client._transport.nodes.urls[0], request)

        assert not caught.value.sent
