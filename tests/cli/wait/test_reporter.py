"""Tests of `_cli.wait.reporter`."""

from __future__ import annotations

import asyncio
import itertools
import logging
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.logs import unhandled_logs_to_stderr
from redis_enterprise_actions._cli.wait.events import (
    ChangeEvent,
    OutageEvent,
    WaitsStartedEvent,
    WarningEvent,
)
from redis_enterprise_actions._cli.wait.reporter import LogCapture, ProgressReporter
from tests.conftest import at as action_at
from tests.event_samples import time_at


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.wait.events import AnyEvent
    from redis_enterprise_actions._cli.wait.progress import Progress

OURS = logging.getLogger("redis_enterprise_actions.anything")


@dataclass
class RecordingDisplay:
    """A display that keeps its events and drawings, and fails at one type of event."""

    refresh: float | None = None
    fails_at: type | None = None
    events: list[tuple[float, AnyEvent]] = field(default_factory=list)
    drawings: list[float] = field(default_factory=list)
    closed: int = 0

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Keep the event and its time, or fail."""
        if self.fails_at is not None and isinstance(event, self.fails_at):
            raise BrokenPipeError
        self.events.append((now(), event))

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Keep the time."""
        self.drawings.append(elapsed)

    def close(self, progress: Progress) -> None:
        """Count the calls."""
        self.closed += 1

    @property
    def kinds(self) -> list[str]:
        """Types of the events."""
        return [type(event).__name__ for _, event in self.events]


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("keep_alive", [1, 10, 60])
async def test_keep_alive(keep_alive: float) -> None:
    """Without news no two events are further apart than the keep-alive."""
    display = RecordingDisplay()
    began = now()
    async with ProgressReporter(display, LogCapture(), keep_alive=keep_alive) as reporter:
        await asyncio.sleep(3.3 * keep_alive)
        reporter.report(WaitsStartedEvent(**reporter.event_time(), refs=("crdb:t",)))
        await asyncio.sleep(5.5 * keep_alive)
    times = [began, *(when for when, _ in display.events), now()]

    assert all(b - a <= keep_alive for a, b in itertools.pairwise(times))
    assert display.kinds == ["KeepAliveEvent"] * 3 + ["WaitsStartedEvent"] + ["KeepAliveEvent"] * 5


async def test_no_keep_alive() -> None:
    """With a keep-alive of 0 no event is shown."""
    display = RecordingDisplay()
    async with ProgressReporter(display, LogCapture(), keep_alive=0):
        await asyncio.sleep(100_000)

    assert display.events == []


async def test_keep_alive_event() -> None:
    """A keep-alive event lists the pending waits with their last state."""
    display = RecordingDisplay()
    async with ProgressReporter(display, LogCapture(), keep_alive=60) as reporter:
        reporter.report(WaitsStartedEvent(**reporter.event_time(), refs=("crdb:t", "action:a1")))
        reporter.report(ChangeEvent(**reporter.event_time(), ref="action:a1", action=action_at(40)))
        await asyncio.sleep(60)
    alive = display.events[-1][1]

    waiting = [(each.ref, each.title, each.progress) for each in alive.waiting]  # type: ignore[union-attr]
    assert waiting == [("crdb:t", "crdb:t", None), ("action:a1", "SMUpdateBDB", 40)]


async def test_draw() -> None:
    """A live display is drawn at a steady rate, and gets no keep-alive events."""
    display = RecordingDisplay(refresh=0.2)
    async with ProgressReporter(display, LogCapture(), keep_alive=60):
        await asyncio.sleep(200)

    assert len(display.drawings) == pytest.approx(1000, abs=5)
    assert display.events == []


async def test_log() -> None:
    """Log records are shown at once, in order with other events, until the end."""
    display = RecordingDisplay()
    with LogCapture() as log_capture:
        OURS.warning("before")
        async with ProgressReporter(display, log_capture, keep_alive=60) as reporter:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert display.kinds == ["WarningEvent"]
            OURS.warning("then")
            reporter.report(WaitsStartedEvent(**reporter.event_time(), refs=()))
            OURS.warning("later")
            await asyncio.sleep(1)
            assert display.kinds == [
                "WarningEvent",
                "WarningEvent",
                "WaitsStartedEvent",
                "WarningEvent",
            ]
            OURS.warning("last")
        assert display.kinds[-2:] == ["WarningEvent", "WarningEvent"]
        OURS.warning("too late")

    assert len(display.events) == 5
    assert display.closed == 1


@pytest.mark.parametrize("kind", ["reported", "logged"])
async def test_display_fails(kind: str) -> None:
    """An error of the display is raised at once where the reporter was entered."""
    display = RecordingDisplay(fails_at=WarningEvent)
    began = now()
    with pytest.raises(BrokenPipeError), LogCapture() as log_capture:
        async with ProgressReporter(display, log_capture, keep_alive=60) as reporter:
            if kind == "reported":
                reporter.report(WarningEvent(**reporter.event_time(), message="x"))
            OURS.warning("x")
            await asyncio.sleep(1000)

    assert now() - began < 1
    assert display.closed == 1


async def test_closed_after_failure() -> None:
    """A display is closed even if it fails at the last event."""
    display = RecordingDisplay(fails_at=WarningEvent)
    with pytest.raises(BrokenPipeError), LogCapture() as log_capture:
        async with ProgressReporter(display, log_capture, keep_alive=60):
            await asyncio.sleep(1)
            OURS.warning("x")

    assert display.closed == 1


async def test_cause() -> None:
    """An error of a display keeps its cause."""
    cause = ValueError("first of all")

    class Broken(RecordingDisplay):
        def draw(self, elapsed: float, progress: Progress) -> None:
            raise ZeroDivisionError from cause

    with pytest.raises(ZeroDivisionError) as caught:
        async with ProgressReporter(Broken(refresh=1), LogCapture(), keep_alive=60) as reporter:
            assert not reporter.display_failed
            try:
                await asyncio.sleep(1000)
            finally:
                assert reporter.display_failed

    assert caught.value.__cause__ is cause


async def test_cancelled() -> None:
    """A cancelled task closes the display and leaves no task behind."""
    display = RecordingDisplay()

    async def wait() -> None:
        async with ProgressReporter(display, LogCapture(), keep_alive=60):
            await asyncio.sleep(1000)

    task = asyncio.create_task(wait())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert display.closed == 1
    assert len(asyncio.all_tasks()) == 1


OURS = logging.getLogger("redis_enterprise_actions.anything")
FIELDS = {"event": "outage", "seconds": 4.00049, "reason": "it answered 503", "ref": None}


def test_outage() -> None:
    """The data of a log record about an outage becomes an event, and is not printed."""
    with LogCapture() as log_capture:
        OURS.warning("x", extra=FIELDS)
        OURS.warning("x", extra={**FIELDS, "event": "outage over", "ref": "crdb:t"})
        began, over = log_capture.drain(lambda: time_at(5))

    assert began == OutageEvent(
        **time_at(5), over=False, seconds=4.0, reason="it answered 503", ref=None
    )  # fmt: skip
    assert isinstance(over, OutageEvent)
    assert (over.over, over.ref) == (True, "crdb:t")


@pytest.mark.parametrize("extra", [{}, {"event": "something else"}])
def test_warning(extra: dict[str, object]) -> None:
    """Any other warning becomes an event; records below a warning are ignored."""
    with LogCapture() as log_capture:
        OURS.warning("the certificate of %s is not verified", "n1", extra=extra)
        OURS.info("the weather")
        events = log_capture.drain(lambda: time_at(0))

    assert events == [WarningEvent(**time_at(0), message="the certificate of n1 is not verified")]
    assert log_capture.drain(lambda: time_at(0)) == []


def test_on_record() -> None:
    """`on_record` is called for each record."""
    calls: list[int] = []
    with LogCapture() as log_capture:
        OURS.warning("before")
        log_capture.on_record = lambda: calls.append(1)
        OURS.warning("after")

    assert calls == [1]


def test_not_drained(capsys: pytest.CaptureFixture[str]) -> None:
    """Records that were not drained are printed on standard error."""
    with LogCapture():
        OURS.warning("a warning")

    assert capsys.readouterr().err == "a warning\n"


def test_removed_after_exit() -> None:
    """After its `with` block a capture keeps no records."""
    with LogCapture() as log_capture:
        pass
    OURS.warning("x")

    assert log_capture.drain(lambda: time_at(0)) == []


def test_not_drained_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A record that was not drained is printed as one line, and no CI command."""
    with LogCapture():
        OURS.warning("::error::a\n::error::b")

    assert capsys.readouterr().err == "\\::error::a ::error::b\n"


def log(message: str, error: BaseException | None = None) -> None:
    """Log a record without a handler; pytest installs some, so `lastResort` is called directly."""
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = OURS.makeRecord("x", logging.WARNING, "x", 1, message, (), exc_info)
    assert logging.lastResort is not None
    logging.lastResort.handle(record)


@pytest.mark.parametrize(
    ("message", "printed"),
    [
        ("plain", "plain"),
        ("::error::x\x9b31m", r"\::error::x 31m"),
        ("##vso[x]", r"#\#vso[x]"),
        ("Task exception was never retrieved\nfuture: <x>", "Task exception was never retrieved"),
    ],
)
def test_unhandled_logs_to_stderr(
    capsys: pytest.CaptureFixture[str], message: str, printed: str
) -> None:
    """A warning of any logger is one printable line, and no CI command."""
    before = logging.lastResort
    with unhandled_logs_to_stderr():
        log(message)

    assert capsys.readouterr().err == f"{printed}\n"
    assert logging.lastResort is before


@pytest.mark.parametrize("wanted", [False, True])
def test_logged_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    """Of a logged error the type is printed, and its traceback only if that is wanted."""
    monkeypatch.setenv("REDIS_ACTIONS_TRACEBACK", str(int(wanted)))
    with unhandled_logs_to_stderr():
        log("::it failed", ValueError("what it says"))

    *more, last = capsys.readouterr().err.splitlines()
    assert last == r"\::it failed: ValueError"
    assert more == (["ValueError: what it says"] if wanted else [])


@pytest.mark.enable_socket
def test_without_handlers() -> None:
    """Logging falls back to this handler in a program without any other."""
    code = (
        "import logging\n"
        "from redis_enterprise_actions._cli.logs import unhandled_logs_to_stderr\n"
        "with unhandled_logs_to_stderr():\n"
        "    logging.getLogger('x').error('::y', exc_info=True)\n"
        "    logging.getLogger('x').info('z')\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stderr == "\\::y\n"
