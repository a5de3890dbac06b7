"""Tests of the option `--verbose`: lines for requests on standard error, beside all displays."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from yarl import URL

from redis_enterprise_actions._cli.logs import unhandled_logs_to_stderr
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._cli.wait.live import LiveDisplay
from redis_enterprise_actions._cli.wait.plain import LineDisplay, event_text
from redis_enterprise_actions._cli.wait.progress import Progress
from redis_enterprise_actions._cli.wait.reporter import LogCapture, ProgressReporter
from redis_enterprise_actions._client.http.messages import Request
from redis_enterprise_actions._client.http.request_log import REQUEST_LOGGER, log_request
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.wait.events import AnyEvent
    from tests.threaded_cluster import ThreadedCluster

LINE = re.compile(r"(GET|POST) (/v[12]/[^? ]+)\S* (\d+) \d+ms 127\.0\.0\.1:\d+")
REQUEST = "GET /v1/actions 200 12ms node1:9443"


def seen(threaded: ThreadedCluster) -> list[tuple[str, str, str]]:
    """Return method, path and status of each request that the cluster has answered."""
    return [
        (each.method, each.path.partition("?")[0], str(each.status))
        for each in threaded.cluster.requests
    ]


def told(lines: list[str]) -> list[tuple[str, ...]]:
    """Return method, path and status of each line, all of which must be lines for requests."""
    matches = [LINE.fullmatch(line) for line in lines]
    return [match.groups() if match else ("no request",) for match in matches]


@pytest.mark.parametrize(
    "words",
    [["-v", "list"], ["list", "--verbose"], ["-v", "get", "{uid}"], ["-v", "list", "--json"]],
)
def test_process(threaded: ThreadedCluster, words: list[str]) -> None:
    """A command writes one line for each request on standard error, and its output as without."""
    uid = threaded.add(plan=Plan(duration=0))
    words = [word.format(uid=uid) for word in words]
    command = [sys.executable, "-W", "error", "-m", "redis_enterprise_actions"]
    ran = [
        subprocess.run([*command, *some], capture_output=True, text=True, check=True, timeout=60)
        for some in (words, [word for word in words if word not in {"-v", "--verbose"}])
    ]
    half = len(threaded.cluster.requests) // 2

    assert told(ran[0].stderr.splitlines()) == seen(threaded)[:half]
    assert half > 0
    assert ran[1].stderr == ""
    assert ran[0].stdout == ran[1].stdout


@pytest.mark.parametrize("output", ["plain", "json", "github"])
def test_wait(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], output: str) -> None:
    """`wait` writes the lines on standard error, and nothing of them in its output."""
    uid = threaded.add(plan=Plan(duration=0.3))

    assert main(["-v", "wait", uid, "--output", output]) == 0
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if LINE.fullmatch(line)]
    assert told(lines) == seen(threaded)
    assert not re.search(r"GET|ms 127", out)
    if output == "json":
        assert "end" in [json.loads(line)["event"] for line in out.splitlines()]


def test_wait_by_filter(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """The requests for lists, before the waits, have lines, too."""
    assert main(["wait", "-v", "--status", "running", "--allow-empty"]) == 0

    lines = [line for line in capsys.readouterr().err.splitlines() if LINE.fullmatch(line)]
    assert told(lines) == seen(threaded)
    assert lines


def test_off(threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the option there are no lines, also after a command that had it."""
    uid = threaded.add(plan=Plan(duration=0))
    main(["-v", "wait", uid])
    capsys.readouterr()

    assert main(["wait", uid]) == 0
    assert "GET" not in capsys.readouterr().err
    assert logging.getLogger(REQUEST_LOGGER).level == logging.NOTSET


def log() -> None:
    """Log a request."""
    log_request(Request("GET", "/v1/actions"), URL("https://node1:9443"), 200, 0.0123)


async def test_shown_by_the_display() -> None:
    """While waits are shown, the display writes the lines, in the order of its events."""
    written: list[str] = []

    class Display(LineDisplay):
        def note(self, text: str) -> None:
            written.append(text)

        def show(self, event: AnyEvent, progress: Progress) -> None:
            written.append(event_text(event, progress) or "")

    with unhandled_logs_to_stderr(verbose=True), LogCapture() as log_capture:
        async with ProgressReporter(Display(written.append), log_capture, keep_alive=0):
            log()
            logging.getLogger("redis_enterprise_actions.anything").warning("a warning")
            logging.getLogger("redis_enterprise_actions.anything").debug("a detail")
            log()

    assert written == [REQUEST, "warning: a warning", REQUEST]


@pytest.mark.parametrize("verbose", [True, False])
def test_before_a_display(capsys: pytest.CaptureFixture[str], *, verbose: bool) -> None:
    """Before there is a display, a line is printed at once."""
    with unhandled_logs_to_stderr(verbose=verbose), LogCapture():
        log()
        assert capsys.readouterr().err == (f"{REQUEST}\n" if verbose else "")


@pytest.mark.parametrize("terminal", [True, False])
def test_above_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool
) -> None:
    """With the live table a line stands above it, or where standard error is if that is a file."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    screen = io.StringIO()
    display = LiveDisplay(screen, "https://node1:9443")
    display.draw(0.0, Progress())
    display.note(REQUEST)
    display.close(Progress())

    assert (REQUEST in screen.getvalue()) is terminal
    assert capsys.readouterr().err == ("" if terminal else f"{REQUEST}\n")
