"""Tests of `ActionsClient.capture`, over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

import aiohttp
import msgspec
import pytest

from redis_enterprise_actions import (
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    AuthenticationError,
    RequestError,
    UsageError,
)
from redis_enterprise_actions._client.capture import capture as capture_module
from redis_enterprise_actions._client.http import captured as captured_module
from redis_enterprise_actions._client.http import transport as transport_module
from redis_enterprise_actions._client.http.captured import failure_of, is_written
from redis_enterprise_actions._client.http.connection_errors import ConnectionLost
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of
from tests.planting import found_in, planting
from tests.secrecy import secrets_in

from .test_capture import FULL, FullFile, Waiting, drafts, read


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.enable_socket


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that is not there yet."""
    return tmp_path / "answers.json"


def decoded(raw: object) -> object:
    """Return a body of an exchange, decoded."""
    assert isinstance(raw, msgspec.Raw)
    return msgspec.json.decode(raw)


def text_of(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text("utf-8")


def names_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return [file.name for file in folder.iterdir()]


async def test_wait(cluster: FakeCluster, client: ActionsClient, path: Path) -> None:
    """A wait is recorded from the call to the answer that shows the end, with its times."""
    bdb = cluster.add_bdb()
    cluster.plan("POST", f"/v1/bdbs/{bdb}/upgrade", Plan(duration=100))
    async with client.capture(path):
        await asyncio.sleep(5)
        operation = await client.databases.upgrade(bdb)
        await operation.wait()
        async with asyncio.timeout(5):
            await client.list_actions()
    file = read(path)
    call = next(each for each in file.exchanges if each.method == "POST")
    answer = decoded(call.json)
    ends = [each for each in file.exchanges if each.path.startswith("/v1/actions/0")]

    assert isinstance(answer, dict)
    assert call.path == "/v1/bdbs/1/upgrade"
    assert 5 <= call.at < 6
    assert call.auth == "basic"
    assert decoded(call.sent) == {}
    assert {f"/v1/actions/{answer['action_uid']}"} == {each.path for each in ends}
    assert decoded(ends[-1].json)["status"] == "completed"  # type: ignore[index]
    assert ends[-1].at - call.at == pytest.approx(100, abs=3)
    assert file.nodes == ["http://node-1.example:10001"]
    assert len(file.exchanges) == len(cluster.requests)


async def test_tokens(cluster: FakeCluster, path: Path) -> None:
    """The requests for tokens are recorded, without the password and the token."""
    async with client_of(cluster, auth="jwt") as client, client.capture(path):
        await client.list_actions()
    first, second, *_ = read(path).exchanges

    assert (first.path, first.auth, second.auth) == ("/v1/users/authorize", "basic", "token")
    assert decoded(first.json)["access_token"].startswith("token.")  # type: ignore[index]
    assert secrets_in(text_of(path)) == []


async def test_password_in_a_body(path: Path) -> None:
    """A password and a user name in the body of a request are replaced."""
    async with (
        FakeCluster(basic=False) as cluster,
        client_of(cluster, auth="jwt") as client,
        client.capture(path),
    ):
        await client.list_actions()
    sent = [decoded(each.sent) for each in read(path).exchanges if each.sent]

    assert {"username": "user-1@example.com", "password": "name-1"} in sent
    assert cluster.password not in text_of(path)


async def test_nothing_planted_passes(
    cluster: FakeCluster, client: ActionsClient, path: Path
) -> None:
    """Of the values in every field of every body nothing passes that is not of the API itself."""
    cluster.name = "planted-cluster.internal"
    node = cluster.url.removeprefix("http://")
    bdb = cluster.add_bdb(name="Planted Cache")
    uid = cluster.add_action("SMUpdateBDB", bdb_uid=bdb, plan=Plan(duration=9, outcome="failed"))
    with planting():
        async with client.capture(path):
            with pytest.raises(ActionFailed):
                await client.wait_for_action(uid)
            await client.databases.list_all()
            await client.nodes.list_all()
            await client.crdbs.list_all()
            await client.cluster.check()
            with pytest.raises(ActionNotFound):
                await client.get_action("planted-uid-7b9d3c1e")
    text = text_of(path)

    assert found_in(text) == []
    assert found_in(text, [cluster.name, "Planted", uid, node, node.partition(":")[2]]) == []
    assert secrets_in(text) == []
    assert read(path).unknown.keys() <= {"state"}


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ({"drop": True}, "reset"),
        ({"truncate": True}, "truncated"),
        ({"hang": True}, "timeout"),
        ({"status": 200, "body": "x" * 1000}, "too large"),
    ],
    ids=["reset", "truncated", "timeout", "large"],
)
async def test_failures(
    cluster: FakeCluster,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, object],
    failure: str,
) -> None:
    """A request without an answer has the reason why there is none."""
    monkeypatch.setattr(transport_module, "MAX_BODY", 500)
    cluster.inject(times=None, **fault)  # type: ignore[arg-type]
    async with client_of(cluster, request_timeout=2) as client, client.capture(path):
        with pytest.raises(RequestError):
            await client.operation("crdb:t").wait(outage_timeout=3)
    exchanges = read(path).exchanges

    assert len(exchanges) == client._transport.requests_sent
    assert exchanges[0].failure == failure
    assert {each.failure for each in exchanges} <= {failure, "cancelled"}
    assert failure != "timeout" or exchanges[0].took == pytest.approx(2, abs=0.1)


async def test_no_connection(path: Path) -> None:
    """A node that cannot be connected to refused the request."""
    async with FakeCluster() as cluster:
        client = client_of(cluster)
    async with client, client.capture(path):
        with pytest.raises(RequestError):
            await client.operation("crdb:t").wait(outage_timeout=3)

    assert {each.failure for each in read(path).exchanges} == {"refused"}


async def test_certificates(path: Path, tmp_path: Path) -> None:
    """A certificate that is not trusted is a failure of TLS; that of a client is recorded."""
    async with FakeCluster(tls="own-ca", client_certificate=True) as cluster:
        (tmp_path / "pem").write_text(cluster.client_pem)
        (tmp_path / "ca").write_text(cluster.ca_pem)
        async with ActionsClient(cluster.url) as client, client.capture(path):
            with pytest.raises(RequestError):
                await client.list_actions()
        failed = read(path).exchanges
        certificate = {"client_cert": tmp_path / "pem", "ca_cert": tmp_path / "ca"}
        async with ActionsClient(cluster.url, **certificate) as client, client.capture(path):  # type: ignore[arg-type]
            await client.list_actions()

    assert {(each.failure, each.auth) for each in failed} == {("tls", "none")}
    assert {(each.status, each.auth) for each in read(path).exchanges} == {(200, "certificate")}


@pytest.mark.parametrize(
    ("error", "has_begun", "failure"),
    [
        (aiohttp.ClientConnectionResetError(), False, "reset"),
        (ConnectionLost(), False, "reset"),
        (ConnectionLost(), True, "truncated"),
        (aiohttp.ConnectionTimeoutError(), False, "refused"),
        (aiohttp.ServerTimeoutError(), True, "timeout"),
        (aiohttp.ServerFingerprintMismatch(b"a", b"b", "h", 1), False, "tls"),
        (aiohttp.ClientPayloadError(), True, "truncated"),
        (ValueError(), False, "other"),
    ],
)
def test_words_of_failures(error: Exception, has_begun: bool, failure: str) -> None:
    """Each error of a request is a word."""
    assert failure_of(error, has_begun=has_begun) == failure


async def test_refused_credentials(cluster: FakeCluster, path: Path) -> None:
    """An answer that is an error is recorded with its text replaced, and the scheme it asks for."""
    cluster.inject(
        status=401,
        body='{"description": "no Planted"}',
        times=None,
        headers={"WWW-Authenticate": 'Basic realm="Planted"'},
    )
    async with client_of(cluster) as client, client.capture(path):
        with pytest.raises(AuthenticationError):
            await client.list_actions()
    exchange = read(path).exchanges[0]

    assert decoded(exchange.json) == {"description": "text 1"}
    assert exchange.headers["WWW-Authenticate"] == "Basic"  # type: ignore[index]


async def test_redirects(path: Path) -> None:
    """A redirect to another node has the URL by which that node is listed."""
    async with FakeCluster(nodes=2) as cluster:
        cluster.primary = 2
        trusted = [cluster.urls[1].removeprefix("http://")]
        async with client_of(cluster, trusted_hosts=trusted) as client, client.capture(path):
            await client.list_actions()
    file = read(path)
    moved = [each for each in file.exchanges if each.status == 307]

    assert moved
    for each in moved:
        location = each.headers["Location"]  # type: ignore[index]
        assert location.startswith(file.nodes[1])
    assert {each.node for each in file.exchanges} == {1, 2}


async def test_cancelled_request(cluster: FakeCluster, client: ActionsClient, path: Path) -> None:
    """A request that is cancelled is recorded, and so is the whole file, as the task ends."""
    cluster.inject(hang=True, times=None)

    async def record() -> None:
        async with client.capture(path):
            await client.list_actions()

    task = asyncio.create_task(record())
    await asyncio.sleep(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (exchange,) = read(path).exchanges

    assert exchange.failure == "cancelled"
    assert exchange.took == pytest.approx(3, abs=0.1)
    assert client._transport.capture is None


async def test_cancelled_at_its_end(
    client: ActionsClient, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation while the file is being completed is raised when it is complete."""
    waits: list[asyncio.Task[None]] = []
    wait = asyncio.wait

    async def cancelled_once(futures: list[asyncio.Future[None]]) -> object:
        if not waits:
            waits.append(task)
            task.cancel()
        return await wait(futures)

    async def record() -> None:
        async with client.capture(path):
            await client.list_actions()

    monkeypatch.setattr(captured_module.asyncio, "wait", cancelled_once)
    task = asyncio.create_task(record())
    with pytest.raises(asyncio.CancelledError):
        await task

    assert read(path).exchanges
    assert drafts(path.parent) == []


@pytest.mark.parametrize("in_the_body", [False, True])
async def test_cancelled_twice(
    client: ActionsClient,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    in_the_body: bool,
) -> None:
    """A second cancellation gives the capture up at once: the error says so, and the log."""
    waiting = Waiting(monkeypatch)

    async def record() -> None:
        async with client.capture(path):
            await client.list_actions()
            await asyncio.sleep(1000 if in_the_body else 0)

    task = asyncio.create_task(record())
    await asyncio.to_thread(waiting.entered.wait, 60)
    for _ in range(2):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    waiting.leave.set()

    assert len(caught.value.__notes__) == 1
    assert "given up" in caught.value.__notes__[0]
    assert not is_written(caught.value)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert names_in(path.parent) == []
    assert client._transport.capture is None


async def test_cancelled_at_the_end_of_a_failure(
    client: ActionsClient,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A file that could not be written is not forgotten if a cancellation comes meanwhile."""
    monkeypatch.setattr(capture_module, "new_draft", lambda target: (FullFile(), target))
    wait = asyncio.wait

    async def cancelled(futures: list[asyncio.Future[None]]) -> object:
        monkeypatch.setattr(captured_module.asyncio, "wait", wait)
        task.cancel()
        return await wait(futures)

    async def record() -> None:
        async with client.capture(path):
            await client.list_actions()

    monkeypatch.setattr(captured_module.asyncio, "wait", cancelled)
    task = asyncio.create_task(record())
    with pytest.raises(asyncio.CancelledError) as caught:
        await task

    assert caught.value.__notes__ == [f"the capture was not written: {path}: {FULL}"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_entered_again(client: ActionsClient, path: Path) -> None:
    """A capture that was made once is an error of usage if it is entered again."""
    capture = client.capture(path)
    async with capture:
        pass
    with pytest.raises(UsageError, match="this context was entered before"):
        async with capture:
            raise AssertionError


async def test_error_of_the_body(client: ActionsClient, path: Path) -> None:
    """An error of the body reaches the caller, and the file is written."""
    with pytest.raises(ZeroDivisionError) as caught:
        async with client.capture(path):
            await client.list_actions()
            raise ZeroDivisionError

    assert read(path).exchanges
    assert not hasattr(caught.value, "__notes__")


async def test_full_disk(
    client: ActionsClient,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A full disk is an error after the body, or a note of the error that the body has raised."""
    monkeypatch.setattr(capture_module, "new_draft", lambda target: (FullFile(), target))
    with pytest.raises(OSError, match="No space left") as caught:
        async with client.capture(path):
            await client.list_actions()
    with pytest.raises(ZeroDivisionError) as noted:
        async with client.capture(path):
            await client.list_actions()
            raise ZeroDivisionError

    assert caught.value is FULL
    assert noted.value.__notes__ == [f"the capture was not written: {path}: {FULL}"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert names_in(path.parent) == []


async def test_one_capture_at_a_time(client: ActionsClient, path: Path) -> None:
    """A second capture of a client is refused, and the first one goes on."""
    async with client.capture(path):
        with pytest.raises(UsageError, match="a capture of this client is under way already"):
            async with client.capture(path.with_name("other")):
                raise AssertionError
        await client.list_actions()
    async with client.capture(path):
        pass

    assert read(path).exchanges == []
    assert names_in(path.parent) == ["answers.json"]


async def test_two_clients(cluster: FakeCluster, client: ActionsClient, path: Path) -> None:
    """Two clients cannot record to one file, but to two."""
    async with client_of(cluster) as other, client.capture(path):
        with pytest.raises(UsageError, match="another capture of this process"):
            async with other.capture(path):
                raise AssertionError
        async with other.capture(path.with_name("other")):
            await other.list_actions()

    assert read(path).exchanges == []
    assert read(path.with_name("other")).exchanges != []


async def test_missing_folder(client: ActionsClient, tmp_path: Path) -> None:
    """A file that cannot be there is an error before the body."""
    with pytest.raises(UsageError, match="there is no such directory"):
        async with client.capture(tmp_path / "no" / "answers.json"):
            raise AssertionError

    assert client._transport.capture is None


async def test_began_before(cluster: FakeCluster, client: ActionsClient, path: Path) -> None:
    """A request that was sent before the capture began is recorded at its beginning."""
    cluster.inject(delay=5)
    request = asyncio.create_task(client.operation("crdb:t").get())
    await asyncio.sleep(1)
    async with client.capture(path):
        with pytest.raises(Exception, match="not found"):
            await request
    first = read(path).exchanges[0]

    assert first.at == 0
    assert first.took == pytest.approx(5, abs=0.1)


async def test_nothing_without_a_capture(
    client: ActionsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a capture, nothing of an exchange is kept or looked at."""

    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(captured_module, "Seen", fail)
    monkeypatch.setattr(captured_module, "_auth", fail)

    assert await client.list_actions() == []


async def test_large_body(cluster: FakeCluster, client: ActionsClient, path: Path) -> None:
    """A large body is replaced in a thread: the event loop only hands it over."""
    entries = [{"uid": number, "name": f"Planted {number}"} for number in range(20_000)]
    cluster.inject(
        status=200, body=json.dumps(entries), headers={"Content-Type": "application/json"}
    )
    async with client.capture(path):
        await client.databases.list_all()
    (exchange,) = read(path).exchanges

    assert len(decoded(exchange.json)) == 20_000  # type: ignore[arg-type]
    assert found_in(text_of(path), ["Planted"]) == []
