"""Tests of `_cli.scripted`: `fake-cluster` with a scenario file and with the control API."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.demo import run_fake_cluster
from redis_enterprise_actions._cli.execution import Execution
from redis_enterprise_actions._cli.scripted import make_cluster, serve_scripted
from redis_enterprise_actions.testing import FakeCluster


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

pytestmark = pytest.mark.enable_socket

EXAMPLE = str(Path(__file__).parents[2] / "examples" / "scenarios" / "upgrade.toml")
COMMAND = [sys.executable, "-W", "error", "-m", "redis_enterprise_actions", "fake-cluster"]


async def served(
    *options: str, capsys: pytest.CaptureFixture[str], run: Callable[..., Any] | None = None
) -> tuple[Any, str]:
    """Start to serve a cluster; return the task and what it prints."""
    args = parse_arguments(["fake-cluster", *options])
    work = serve_scripted(make_cluster(args), args) if run is None else run(args, Execution())
    task = asyncio.create_task(work)
    printed = ""
    while not task.done() and not printed.endswith("\n"):
        await asyncio.sleep(0.1)
        printed += capsys.readouterr().out
    return task, printed


async def end(task: asyncio.Task[None]) -> None:
    """End what was served, as a signal does."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.prints_password
async def test_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With TLS, `--json` and the control API have the certificate that a client is to trust."""
    scenario = tmp_path / "tls.toml"
    scenario.write_text('v = 1\n[cluster]\ntls = "own-ca"\n')
    options = ("--scenario", str(scenario), "--control", "0", "--json")
    task, printed = await served(*options, capsys=capsys)
    addresses = json.loads(printed)
    trusting = ssl.create_default_context(cadata=addresses["ca_pem"])
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{addresses['url']}/v1/bootstrap", ssl=trusting) as answer:
            assert answer.status == 401
        async with session.get(addresses["control"]) as state:
            assert (await state.json())["ca_pem"] == addresses["ca_pem"]
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(addresses["url"])
    await end(task)


@pytest.mark.prints_password
async def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints the addresses as one line, from which a program reads the ports."""
    options = ("--scenario", EXAMPLE, "--control", "0", "--speed", "0", "--json")
    task, printed = await served(*options, capsys=capsys)
    (line,) = printed.splitlines()
    addresses = json.loads(line)
    where = ["url", "urls", "username", "password", "ca_pem"]
    assert list(addresses) == ["v", *where, "version", "control"]
    assert addresses["ca_pem"] is None
    assert (addresses["v"], addresses["version"], len(addresses["urls"])) == (1, "8.0", 3)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{addresses['control']}clock") as response,
    ):
        clock = await response.json()
    assert (clock["time"], clock["speed"]) == ("2026-01-01T00:00:00Z", 0)
    await end(task)


@pytest.mark.prints_password
async def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Without it, the lines are those to paste in another terminal."""
    task, printed = await served("--scenario", EXAMPLE, "--control", "0", capsys=capsys)
    urls = [word for word in printed.replace("'", " ").split() if word.startswith("http://127.")]
    assert len(urls) == 5
    assert "version 8.0" in printed
    assert urls[1].endswith("/_fake/")
    assert f"export REDIS_ENTERPRISE_URL='{' '.join(urls[2:])}'" in printed
    await end(task)
    task, printed = await served("--json", "--seed", "1", "--nodes", "2", capsys=capsys)
    assert json.loads(printed)["control"] is None
    assert len(json.loads(printed)["urls"]) == 2
    await end(task)
    task, printed = await served("--scenario", EXAMPLE, capsys=capsys)
    assert "control API" not in printed
    await end(task)


@pytest.mark.prints_password
async def test_speed_of_notes(capsys: pytest.CaptureFixture[str]) -> None:
    """Notes about times tell of the speed of the clock unless it is that of all clocks."""
    task, printed = await served("--speed", "60", capsys=capsys, run=run_fake_cluster)
    assert "# Times are of the cluster's clock: 60 s pass in a second." in printed.splitlines()
    assert "# completes after a minute" in printed.splitlines()
    await end(task)
    task, printed = await served(capsys=capsys, run=run_fake_cluster)
    assert "clock" not in printed
    await end(task)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--control-host", "::1"], "--control-host needs --control"),
        (["--speed", "0"], "a clock of speed 0 needs --control"),
        (["--scenario", "nope.toml"], "nope.toml: cannot be read: "),
        (["--scenario", EXAMPLE, "--nodes", "2"], f"{EXAMPLE}: $.actions[1].node_uid: there is no"),
        (["--nodes", "0"], "--nodes is 1 to 100"),
        (["--nodes", "101"], "--nodes is 1 to 100"),
        (["--port", "99999"], "--port 99999 cannot be used: ports end at 65535"),
        (["--port", "-1"], "--port -1 cannot be used"),
        (["--port", "65535", "--nodes", "2"], "--port 65535 cannot be used"),
        (["--control", "65536"], "--control 65536 cannot be used"),
        (["--port", "5000", "--control", "5000"], "--control 5000 is the port of a node"),
        (["--scenario", EXAMPLE, "--port", "5000", "--control", "5002"], "--control 5002 is the"),
    ],
)
def test_contradictions(options: list[str], problem: str) -> None:
    """Arguments that contradict each other or the file are wrong usage before anything listens."""
    with pytest.raises(UsageError) as caught:
        make_cluster(parse_arguments(["fake-cluster", *options]))
    assert str(caught.value).startswith(problem)


def test_settings_of_the_file(tmp_path: Path) -> None:
    """Settings of the file count for contradictions, too; a wrong one of them is named."""
    for table, problem in (
        ("port = 5000\nnodes = 3", "--control 5002 is the port of a node"),
        ("client_certificate = true", "$.cluster.client_certificate: "),
        ("port = 65535\nnodes = 2", f"{tmp_path / 'a.toml'}: $.cluster.port: "),
    ):
        file = tmp_path / "a.toml"
        file.write_text(f"v = 1\n[cluster]\n{table}", "utf-8")
        with pytest.raises(UsageError) as caught:
            make_cluster(
                parse_arguments(["fake-cluster", "--scenario", str(file), "--control", "5002"])
            )
        assert problem in str(caught.value)


def test_wrong_speed(capsys: pytest.CaptureFixture[str]) -> None:
    """A speed is a number within the limits of scenarios."""
    for speed in ("x", "nan", "inf", "-1", "1000001"):
        with pytest.raises(SystemExit):
            parse_arguments(["fake-cluster", f"--speed={speed}"])
        assert "is not a number from 0 to 1000000" in capsys.readouterr().err
    assert parse_arguments(["fake-cluster", "--speed", "0.5"]).speed == 0.5


async def test_ports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port or a host that cannot be used is wrong usage, and named; nothing is left."""
    file = tmp_path / "a.toml"
    async with FakeCluster() as other:
        port = other.url.rpartition(":")[2]
        file.write_text(f"v = 1\n[cluster]\nport = {port}", "utf-8")
        for options, problem in (
            (["--json", "--port", port], f"--port {port} cannot be used: "),
            (["--scenario", str(file)], f"the port of {file} cannot be used: "),
            (["--control", port], f"--control {port} on 127.0.0.1 cannot be used: "),
            (["--control", "0", "--control-host", "x" * 300], "--control 0 on xxx"),
            (["--control", "0", "--control-host", ""], "--control 0 on cannot be used: host is"),
        ):
            task, printed = await served(*options, capsys=capsys)
            with pytest.raises(UsageError) as caught:
                await task
            assert str(caught.value).startswith(problem)
            assert printed == ""


async def test_refused_at_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An entry that the cluster refuses at the start is wrong usage, and named."""
    file = tmp_path / "a.toml"
    file.write_text("v = 1\n[[bootstraps]]\nnode = 1", "utf-8")
    task, _ = await served("--scenario", str(file), capsys=capsys)
    with pytest.raises(UsageError) as caught:
        await task
    assert str(caught.value).startswith(f"{file}: $.bootstraps[0].node: ")


# --- processes ------------------------------------------------------------------------------------


@contextmanager
def process(
    *options: str, signum: int = signal.SIGTERM, errors: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Run the command; yield the addresses that it prints, and end it by a signal."""
    with subprocess.Popen(
        [*COMMAND, "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "random"},
    ) as running:
        assert running.stdout is not None
        try:
            yield json.loads(running.stdout.readline())
        finally:
            running.send_signal(signum)
        out, err = running.communicate(timeout=60)
        assert (out, running.returncode) == ("", 128 + signum)
        assert err.splitlines() == [*errors]


def exchange(url: str, call: str, body: object = None, *, token: str = "") -> bytes:
    """Send a request by a socket, and return all that is answered."""
    host, port = url.split("/")[2].split(":")
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{call} HTTP/1.1", f"Host: {host}:{port}", "Connection: close"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def json_of(answer: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return the decoded body of an answer."""
    return json.loads(answer.partition(b"\r\n\r\n")[2])


READ = (
    "/v1/actions",
    "/v2/actions",
    "/v1/bdbs",
    "/v1/nodes",
    "/v1/crdb_tasks",
    "/v1/cluster",
    "/v1/shards",
)


def drive(addresses: dict[str, Any]) -> list[bytes]:
    """Let a clock jump through the example, and return all answers."""
    first, second, third = addresses["urls"]
    user = {"username": addresses["username"], "password": addresses["password"]}
    credentials = {**user, "ttl": 3600}
    answers = [exchange(first, "POST /v1/users/authorize", credentials)]
    token = json_of(answers[0])["access_token"]

    def call(url: str, line: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        answer = exchange(url, line, body, token=token)
        answers.append(answer)
        return answer

    def jump(seconds: float) -> None:
        answers.append(exchange(addresses["control"], "POST /_fake/clock", {"jump": seconds}))

    upgrade = json_of(call(first, "POST /v1/bdbs/1/upgrade", {}))["action_uid"]
    created = call(first, "POST /v1/bdbs", {"name": "new", "memory_size": 10**9})
    assert json_of(created)["uid"] == 3
    assert call(second, f"GET /v1/actions/{upgrade}").startswith(b"HTTP/1.1 307 ")
    crdb = {"name": "c", "default_db_config": {"memory_size": 10**9}, "instances": [
        {"cluster": {"url": "https://a.example:9443", "credentials": user}},
        {"cluster": {"url": "https://b.example:9443", "credentials": user}},
    ]}  # fmt: skip
    call(first, "POST /v1/crdbs", crdb)
    for seconds in (0, 30, 29, 1, 40, 30, 200, 600):
        jump(seconds)
        for path in (f"/v1/actions/{upgrade}", *READ):
            call(first, f"GET {path}")
    assert json_of(call(first, f"GET /v1/actions/{upgrade}"))["status"] == "completed"
    call(third, "PUT /v1/nodes/3", {})
    call(first, "POST /v1/nodes/3/actions/maintenance_on", {})
    answers.append(exchange(addresses["control"], "POST /_fake/actions", {}))
    answers.append(exchange(addresses["control"], "GET /_fake/requests"))
    return answers


def free_ports(count: int) -> int:
    """Return the first of some free ports, one after the other."""
    for port in range(20_000, 32_000, count):
        with ExitStack() as stack:
            try:
                for number in range(port, port + count):
                    stack.enter_context(socket.create_server(("127.0.0.1", number)))
            except OSError:
                continue
            return port
    raise AssertionError("no ports are free")


def test_same_bytes() -> None:
    """The same scenario and the same calls give the same bytes: in each process, after a reset."""
    port = str(free_ports(3))
    options = ("--scenario", EXAMPLE, "--speed", "0", "--port", port, "--control", "0")
    with process(*options) as addresses:
        first = drive(addresses)
    with process(*options) as addresses:
        second = drive(addresses)
        exchange(addresses["control"], "POST /_fake/reset")
        third = drive(addresses)
    with process(*options, "--seed", "8") as addresses:
        fourth = drive(addresses)

    assert first == second == third
    assert b"\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" in first[0]
    assert any(answer.startswith(b"HTTP/1.1 503 ") for answer in first)
    assert first != fourth


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signals(signum: int) -> None:
    """A signal ends it at once, also with a request that hangs, and with one that has begun."""
    with process("--scenario", EXAMPLE, "--control", "0", signum=signum) as addresses:
        exchange(addresses["control"], "POST /_fake/inject", {"hang": True, "times": "always"})
        hanging = []
        for url in (addresses["url"], addresses["control"]):
            host, port = url.split("/")[2].split(":")
            hanging.append(socket.create_connection((host, int(port)), timeout=30))
            hanging[-1].sendall(
                f"POST /_fake/reset HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\n".encode()
            )
    for each in hanging:
        each.close()


def test_problems_are_printed(tmp_path: Path) -> None:
    """A later refusal of the cluster is an error on standard error, and the cluster goes on."""
    file = tmp_path / "a.toml"
    file.write_text(
        "v = 1\n[[restarts]]\nnode = 1\nat = 5\n[[restarts]]\nnode = 1\nat = 6", "utf-8"
    )
    problem = f"{file}: $.restarts[1].node: node 1 is stopped already"
    options = ("--scenario", str(file), "--control", "0", "--speed", "0")
    with process(*options, errors=[problem]) as addresses:
        exchange(addresses["control"], "POST /_fake/clock", {"jump": 10})
        state = json_of(exchange(addresses["control"], "GET /_fake/"))
        assert state["problems"] == [problem]
