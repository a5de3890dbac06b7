"""Facts about the hook: what it is told, what it is not told, and how its own end is taken."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.wait import hook as _hook
from redis_enterprise_actions._cli.wait.progress import Progress
from tests.event_samples import REJECTED_CALL, THREE_WAITS


if TYPE_CHECKING:
    from pathlib import Path

    from redis_enterprise_actions._cli.wait.events import AnyEvent

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="the commands are those of a POSIX shell"
)


def progress_of(events: list[AnyEvent]) -> Progress:
    """Return what a events adds up to."""
    progress = Progress()
    for event in events:
        progress.apply(event)
    return progress


def run(command: str, facts: dict[str, str] | None = None) -> str | None:
    """Run a hook, in real time."""
    return asyncio.run(_hook.run_hook(command, facts or {}))


def test_told() -> None:
    """It is told of the end that decided the exit code, and how many have ended how."""
    facts = _hook.hook_variables(
        progress_of(THREE_WAITS), 1, elapsed=211.04, reports=["a.html", "b.md"]
    )

    assert facts == {
        "REDIS_ACTIONS_OUTCOME": "failed",
        "REDIS_ACTIONS_EXIT_CODE": "1",
        "REDIS_ACTIONS_REF": "node:1/maintenance_on@t1",
        "REDIS_ACTIONS_TITLE": "maintenance_on on node:1",
        "REDIS_ACTIONS_MESSAGE": "action node:1/maintenance_on failed: e17: 100%\nfull",
        "REDIS_ACTIONS_SUMMARY": "1 completed, 1 failed, 1 no longer waited for",
        "REDIS_ACTIONS_ELAPSED": "211.0",
        "REDIS_ACTIONS_REPORT": "a.html",
    }


def test_told_of_another_code() -> None:
    """Where no end has the code, as a report is missing, it is told of the first one."""
    facts = _hook.hook_variables(progress_of(THREE_WAITS), 6, elapsed=1, reports=[])

    assert facts["REDIS_ACTIONS_OUTCOME"] == "completed"
    assert facts["REDIS_ACTIONS_EXIT_CODE"] == "6"
    assert "REDIS_ACTIONS_REPORT" not in facts


def test_told_of_a_refusal() -> None:
    """Of a call that was not taken there is a message, and no reference."""
    facts = _hook.hook_variables(progress_of(REJECTED_CALL), 5, elapsed=1, reports=[])

    assert facts["REDIS_ACTIONS_OUTCOME"] == "rejected"
    assert facts["REDIS_ACTIONS_REF"] == facts["REDIS_ACTIONS_TITLE"] == ""
    assert "406" in facts["REDIS_ACTIONS_MESSAGE"]


def test_told_of_nothing() -> None:
    """Where there was nothing to wait for, that is completed."""
    facts = _hook.hook_variables(Progress(), 0, elapsed=0, reports=[])

    assert facts["REDIS_ACTIONS_OUTCOME"] == "completed"
    assert facts["REDIS_ACTIONS_SUMMARY"] == "nothing to wait for"


def test_environment() -> None:
    """Nothing of the cluster's settings is passed on, and no value holds a NUL."""
    environ = {"PATH": "/bin", "REDIS_ENTERPRISE_PASSWORD": "hunter2", "redis_enterprise_x": "1"}

    kept = _hook.hook_environment(environ, {"REDIS_ACTIONS_MESSAGE": "a\0b"})
    assert kept == {"PATH": "/bin", "REDIS_ACTIONS_MESSAGE": "a b"} | (
        {} if sys.platform == "win32" else {"redis_enterprise_x": "1"}
    )


@pytest.mark.enable_socket
@posix
class TestRun:
    """A hook that runs."""

    def test_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It runs in the shell, with what it is told in its environment, and no input."""
        monkeypatch.setenv("REDIS_ENTERPRISE_TOKEN", "hunter2-hunter2")
        command = f"cat; env > {tmp_path}/env; echo done && true"

        assert run(command, {"REDIS_ACTIONS_TITLE": "$(rm x) 'y'"}) is None
        said = (tmp_path / "env").read_text().splitlines()
        assert "REDIS_ACTIONS_TITLE=$(rm x) 'y'" in said
        assert not any("hunter2" in line for line in said)

    def test_output(self, capfd: pytest.CaptureFixture[str]) -> None:
        """What it prints does not get among our lines."""
        assert run("echo out; echo err >&2") is None
        assert capfd.readouterr() == ("", "out\nerr\n")

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            ("exit 3", "the hook ended with 3"),
            ("no-such-command 2>/dev/null", "the hook ended with 127"),
            ("kill -TERM $$", "the hook was ended by SIGTERM"),
            ("a\0b", "the hook cannot be run: embedded null byte"),
        ],
    )
    def test_fails(self, command: str, said: str) -> None:
        """How it failed is said."""
        assert run(command) == said

    def test_too_slow(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """It is killed when its time is over, with all that it has started."""
        monkeypatch.setattr(_hook, "HOOK_TIMEOUT", 0.3)
        began = time.monotonic()

        said = run(f"(sleep 0.6; touch {tmp_path}/late) & sleep 60")
        assert said == "the hook had not ended after 0.3 s, and was killed"
        assert time.monotonic() - began < 5
        time.sleep(0.5)  # the shell's own time cannot be moved
        assert not (tmp_path / "late").exists()

    def test_cancelled(self, tmp_path: Path) -> None:
        """Where we are to end, it ends with us."""

        async def cancelled() -> None:
            task = asyncio.create_task(_hook.run_hook(f"touch {tmp_path}/up; sleep 60", {}))
            while not (tmp_path / "up").exists():  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.01)
            task.cancel()
            await task

        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancelled())
        assert time.monotonic() - began < 10

    def test_without_groups(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where there are no process groups, it is killed alone."""
        monkeypatch.setattr(_hook, "HOOK_TIMEOUT", 0.1)
        monkeypatch.delattr("os.killpg")

        assert "was killed" in (run("exec sleep 60") or "")
