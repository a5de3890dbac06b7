"""Tests of the option `--capture`."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli import captured as captured_module
from redis_enterprise_actions._cli.captured import captured
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._client.capture import capture as capture_module
from redis_enterprise_actions._client.capture.capture import Capture
from redis_enterprise_actions.testing import Plan
from tests.client.capture.test_capture import FULL, FullFile, Waiting, read
from tests.client.capture.test_format import SEEN
from tests.secrecy import secrets_in


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    from tests.threaded_cluster import ThreadedCluster

LINE = "the answers of the cluster are in"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that is not there yet."""
    return tmp_path / "answers.json"


@pytest.mark.parametrize(
    ("command", "code", "asked"),
    [
        ("list", 0, "/v1/actions"),
        ("watch --once", 0, "/v1/actions"),
        ("get bdb:1", 0, "/v1/bdbs/1"),
        ("check", 0, "/v1/nodes"),
        ("wait bdb:1@available", 0, "/v1/bdbs/1/availability"),
        ("wait crdb:none --not-found-grace 0", 4, "/v1/crdb_tasks/name-1"),
        ("databases upgrade 1", 0, "/v1/bdbs/1/upgrade"),
        ("submit PUT /v1/bdbs/1 --dry-run", 0, "/v1/bdbs/1"),
        ("cancel node:1/maintenance_on", 5, "/v1/nodes/1/actions/maintenance_on"),
        ("doctor", 0, "/v1/bdbs"),
    ],
)
def test_commands(
    threaded: ThreadedCluster,
    path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    code: int,
    asked: str,
) -> None:
    """Each command that asks a cluster can record it; the last line says where the file is."""
    threaded.do(lambda cluster: cluster.add_bdb(1))
    threaded.do(lambda cluster: cluster.plan("POST", "/v1/", Plan(duration=0.1), times=None))
    assert main([*command.split(), "--capture", str(path)]) in {code, 4}
    errors = capsys.readouterr().err.splitlines()
    paths = {exchange.path.partition("?")[0] for exchange in read(path).exchanges}

    assert asked in paths
    assert [line for line in errors if LINE in line] == [
        f"redis-actions: {LINE} {path}: look through it before you send it"
    ]
    assert secrets_in(path.read_text("utf-8")) == []


def test_login(
    threaded: ThreadedCluster, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request by which `login` tries a cluster is recorded, too."""
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "password").write_text(threaded.cluster.password)
    (tmp_path / "password").chmod(0o600)
    file = ["--password-file", str(tmp_path / "password")]

    assert main(["login", "--capture", str(path), *file]) == 0
    assert [exchange.path for exchange in read(path).exchanges] == ["/v1/actions"]


def test_before_the_command(threaded: ThreadedCluster, path: Path) -> None:
    """Like all connection options, it may stand before the command."""
    assert main(["--capture", str(path), "list"]) == 0
    assert read(path).exchanges


def test_missing_folder(
    threaded: ThreadedCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot be there is an error of usage, before the first request."""
    with pytest.raises(SystemExit) as exited:
        main(["list", "--capture", str(tmp_path / "no" / "x")])

    assert exited.value.code == 2
    assert "a capture cannot be written there" in capsys.readouterr().err
    assert threaded.cluster.requests == []


def test_folder_vanishes(
    threaded: ThreadedCluster,
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file that cannot be made after all ends the command before the first request."""

    def fail(*_: object) -> NoReturn:
        raise FULL

    monkeypatch.setattr(capture_module, "new_draft", fail)

    assert main(["list", "--capture", str(path)]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert threaded.cluster.requests == []


@pytest.mark.parametrize(("command", "code"), [("list", 6), ("get crdb:none", 4)])
def test_full_disk(
    threaded: ThreadedCluster,
    path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    code: int,
) -> None:
    """A full disk makes the exit code 6, unless the command has failed."""
    monkeypatch.setattr(capture_module, "new_draft", lambda target: (FullFile(), target))

    assert main([*command.split(), "--capture", str(path)]) == code
    errors = (
        capsys.readouterr().err + caplog.text
    )  # pytest takes the place of the command's handler
    assert errors.count("No space left on device") == 1
    assert LINE not in errors
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals for one process")
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(threaded: ThreadedCluster, path: Path, signum: int, code: int) -> None:
    """The file is complete after Ctrl-C and SIGTERM."""
    uid = threaded.add(plan=Plan(duration=1000))
    line = [sys.executable, "-m", "redis_enterprise_actions", "wait", uid, "--capture", str(path)]
    with subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        try:
            while not threaded.cluster.requests and run.poll() is None:
                pass
            run.send_signal(signum)
            _, errors = run.communicate(timeout=60)
        finally:
            run.kill()

    assert run.returncode == code
    assert LINE in errors
    assert read(path).exchanges
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_no_time(
    threaded: ThreadedCluster,
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command that is ended while it writes leaves no draft, and says that there is no file."""
    waiting = Waiting(monkeypatch)

    def interrupt(work: Coroutine[object, object, int], *_: object) -> NoReturn:
        work.close()
        assert waiting.entered.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(captured_module, "captured", interrupt)
    capture = Capture(path, [], 0.0)
    capture.add(SEEN)

    assert main(["list", "--capture", str(path.with_name("other"))]) == 130
    errors = capsys.readouterr().err
    waiting.leave.set()

    assert f"the capture was not written: {path}: there was no time for it" in errors
    assert LINE not in errors
    assert list(path.parent.iterdir()) == []
    assert capture.finish().exception(60) is not None


async def test_work_is_closed() -> None:
    """Work that does not begin, as the capture cannot, is closed."""

    async def work() -> int:
        raise AssertionError

    @asynccontextmanager
    async def refused() -> AsyncIterator[None]:
        raise UsageError("no")
        yield

    with pytest.raises(UsageError):
        await captured(work(), refused(), "file")


async def test_error_of_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    """An `OSError` of the work is no failure of the capture."""

    async def work() -> int:
        await asyncio.sleep(0)
        raise OSError

    @asynccontextmanager
    async def capture() -> AsyncIterator[None]:
        yield

    with pytest.raises(OSError, match=r"^$"):
        await captured(work(), capture(), "file")
    assert LINE in capsys.readouterr().err
