"""Tests of `_client.submit.uploads`, against fake clusters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest

from redis_enterprise_actions import (
    ActionsClient,
    AuthenticationError,
    ClusterUnreachable,
    Phase,
    RequestRejected,
    UnreadableReply,
    UsageError,
)
from redis_enterprise_actions._client.http.messages import Upload
from redis_enterprise_actions._client.submit.uploads import read_module
from redis_enterprise_actions.testing import FakeCluster
from tests.conftest import client_of
from tests.recorder import RecordingServer


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.core

NAME: Final = "redisgears.Linux-ubuntu20.04-x86_64.1.2.1.zip"
CONTENT: Final = b"PK\x03\x04" + bytes(range(256)) * 100
CONFIG: Final[dict[str, Any]] = {
    "module_name": "TestModule",
    "version": 1,
    "semantic_version": "0.0.1",
    "display_name": "test module",
    "commands": [],
    "command_line_args": "",
    "capabilities": [],
    "min_redis_version": "2.1",
}


class BytesPath:
    """Path that is given as bytes."""

    def __fspath__(self) -> bytes:
        return b"/module.zip"


class TestBody:
    """Bodies of uploads."""

    async def test_form(self, tmp_path: Path) -> None:
        """The body is a form with one file, which has the name of the path."""
        path = tmp_path / NAME
        path.write_bytes(CONTENT)
        upload = await read_module(path, None)
        boundary = upload.content_type.removeprefix("multipart/form-data; boundary=")
        head, _, rest = upload.content.partition(b"\r\n\r\n")

        assert f'name="module"; filename="{NAME}"'.encode() in head
        assert head.startswith(f"--{boundary}\r\n".encode())
        assert rest == CONTENT + f"\r\n--{boundary}--\r\n".encode()

    def test_repr(self) -> None:
        """A body is shown by its size."""
        assert repr(Upload(b"secret", "text/plain")) == "<upload of 6 bytes>"

    @pytest.mark.parametrize(
        ("file", "name", "problem"),
        [
            ("/nowhere/x.zip", None, "the module '/nowhere/x.zip' cannot be read"),
            ("\0", None, "cannot be read"),
            (b"PK", None, "name= is needed"),
            (5, None, "neither a path nor bytes"),
            (BytesPath(), None, "pass it as text"),
            (b"PK", 5, "is not the name of a module's file"),
            (__file__, b"a.zip", "is not the name of a module's file"),
            (b"PK", 'a".zip', "is not the name of a module's file"),
            (b"PK", "a\r\n.zip", "is not the name of a module's file"),
        ],
    )
    async def test_bad(self, file: Any, name: Any, problem: str) -> None:  # noqa: ANN401
        """What cannot be sent is wrong usage."""
        with pytest.raises(UsageError, match=problem):
            await read_module(file, name)


@pytest.mark.enable_socket
class TestModules:
    """Modules up to 7.22."""

    async def test_installed(self) -> None:
        """The installation is followed by the action that the answer names."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            operation = await client.cluster.upload_module(CONTENT, name=NAME)
            done = await operation.wait()

            assert (operation.ref or "").startswith("action:")
            assert (done.name, done.phase) == ("module_installation", Phase.COMPLETED)

    async def test_refused(self) -> None:
        """A refusal has the cluster's words."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            with pytest.raises(RequestRejected) as caught:
                await client.cluster.upload_module(b"", name=NAME)

            assert (caught.value.status, caught.value.error_code) == (400, "invalid_module")
            assert caught.value.hint is None

    async def test_lacking(self) -> None:
        """A release without user-defined modules says so, at once."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            with pytest.raises(RequestRejected, match=r"leave out config="):
                await client.cluster.upload_module(CONTENT, CONFIG, name=NAME)

    async def test_may_not_see_the_cluster(self) -> None:
        """A user who may not see the cluster may still upload."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.inject(path="/v1/cluster", status=403)
            operation = await client.cluster.upload_module(CONTENT, name=NAME)

            assert (await operation).phase is Phase.COMPLETED

    async def test_unreachable(self) -> None:
        """A cluster that does not answer has `outage_timeout` to accept the call."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            await cluster.stop_node(1)
            with pytest.raises(ClusterUnreachable):
                await client.cluster.upload_module(CONTENT, name=NAME, outage_timeout=30)


@pytest.mark.enable_socket
class TestUserDefined:
    """Modules from 8.0 on."""

    @pytest.mark.parametrize("auth", ["basic", "jwt"])
    async def test_done(self, auth: Any) -> None:  # noqa: ANN401 - a literal
        """The configuration is sent once, then the package to each node, with credentials."""
        async with (
            FakeCluster(version="8.0", nodes=3) as cluster,
            ActionsClient(
                list(cluster.urls),
                username=cluster.username,
                password=cluster.password,
                auth=auth,
            ) as client,
        ):
            operation = await client.cluster.upload_module(CONTENT, CONFIG, name=NAME)
            posts = [s for s in cluster.requests if s.method == "POST" and "modules" in s.path]

            assert operation.done
            assert [(seen.path, seen.node) for seen in posts if seen.has_credentials] == [
                ("/v2/modules/user-defined", 1),
                *[("/v2/local/modules/user-defined/artifacts", node) for node in (1, 2, 3)],
            ]
            assert len(posts) == 4

    async def test_lacking(self) -> None:
        """A release without the other uploads says so."""
        async with FakeCluster(version="8.0") as cluster, client_of(cluster) as client:
            with pytest.raises(RequestRejected, match=r"pass its configuration as config="):
                await client.cluster.upload_module(CONTENT, name=NAME)

    @pytest.mark.parametrize(
        ("status", "error"), [(403, AuthenticationError), (404, RequestRejected)]
    )
    async def test_refused_package(self, status: int, error: type[RequestRejected]) -> None:
        """A node that refuses the package ends the call."""
        async with FakeCluster(version="8.0") as cluster, client_of(cluster) as client:
            cluster.inject(path="/v2/local", status=status, body='{"error_code": "odd"}')
            with pytest.raises(error) as caught:
                await client.cluster.upload_module(CONTENT, CONFIG, name=NAME)

            assert (caught.value.status, caught.value.error_code) == (status, "odd")

    async def test_disabled(self) -> None:
        """From 8.2 on uploads have to be allowed."""
        async with FakeCluster(version="8.2") as cluster, client_of(cluster) as client:
            with pytest.raises(AuthenticationError, match="modules_upload_disabled"):
                await client.cluster.upload_module(CONTENT, CONFIG, name=NAME)


ARTIFACTS: Final = "/v2/local/modules/user-defined/artifacts"


def server_with(*artifact_answers: tuple[int, str]) -> RecordingServer:
    """Return a server of 8.0 that accepts a configuration, and answers to the package."""
    return RecordingServer(
        GET=[(200, '{"name": "c"}')], POST=[(200, '{"uid": "abc"}'), *artifact_answers]
    )


@pytest.mark.enable_socket
class TestAnswersToPackages:
    """Answers of nodes to the package of a user-defined module."""

    @pytest.mark.parametrize("answer", [(200, ""), (200, "{}"), (201, '{"uid": "abc"}')])
    async def test_accepted(self, answer: tuple[int, str]) -> None:
        """A status alone, or an object, is a success."""
        async with server_with(answer) as server, server.client() as client:
            await client.cluster.upload_module(CONTENT, CONFIG, name=NAME)

    @pytest.mark.parametrize(
        "answer",
        [
            (200, "<html>Welcome</html>"),
            (404, "<html>"),
            (405, "<html>"),
        ],
    )
    async def test_foreign(self, answer: tuple[int, str]) -> None:
        """The answer of another server is no success, and the package is sent again."""
        async with (
            server_with(answer, answer, (200, "")) as server,
            server.client() as client,
        ):
            await client.cluster.upload_module(CONTENT, CONFIG, name=NAME)

        assert [call.path for call in server.changes].count(ARTIFACTS) == 3

    @pytest.mark.parametrize("answer", [(200, "<html>"), (405, "<html>")])
    async def test_foreign_only(self, answer: tuple[int, str]) -> None:
        """Another server's answers end the call after `outage_timeout`, and name the API's URL."""
        async with server_with(answer) as server, server.client() as client:
            began = asyncio.get_running_loop().time()
            with pytest.raises(UnreadableReply) as caught:
                await client.cluster.upload_module(CONTENT, CONFIG, name=NAME, outage_timeout=60)

        assert 30 < asyncio.get_running_loop().time() - began <= 60
        assert "POST /v2/local" in str(caught.value)
        assert "REST API itself" in (caught.value.advice or "")

    @pytest.mark.parametrize("status", [200, 404, 405])
    async def test_refused(self, status: int) -> None:
        """An error of the API ends the call, whatever its status, and with no other advice."""
        body = '{"error_code": "invalid_module", "description": "no such module"}'
        async with server_with((status, body)) as server, server.client() as client:
            with pytest.raises(RequestRejected, match="no such module") as caught:
                await client.cluster.upload_module(CONTENT, CONFIG, name=NAME)

        assert (caught.value.error_code, caught.value.hint) == ("invalid_module", None)
        assert caught.value.status == status

    async def test_second_try(self) -> None:
        """If the configuration is there already, the nodes are sent the package all the same."""
        exists = (406, '{"error_code": "module_exists"}')
        async with (
            RecordingServer(GET=[(200, "{}")], POST=[exists, (200, "")]) as server,
            server.client() as client,
        ):
            with pytest.raises(RequestRejected, match="sent the package again"):
                await client.cluster.upload_module(CONTENT, CONFIG, name=NAME)

        assert [call.path for call in server.changes] == ["/v2/modules/user-defined", ARTIFACTS]

    @pytest.mark.parametrize(
        ("config", "options"),
        [(CONFIG, {"request_timeout": 0}), ({"a": object()}, {}), (CONFIG, {"name": 5})],
    )
    async def test_wrong_usage(self, config: Any, options: Any) -> None:  # noqa: ANN401 - wrong ones
        """Wrong arguments are refused before anything is sent."""
        async with server_with((200, "")) as server, server.client() as client:
            with pytest.raises(UsageError):
                await client.cluster.upload_module(CONTENT, config, **{"name": NAME} | options)

        assert server.calls == []
