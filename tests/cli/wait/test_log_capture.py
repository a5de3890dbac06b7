"""Facts about what is log_capture of our own log while the command waits."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from redis_enterprise_actions._cli.wait.events import OutageEvent, WarningEvent
from redis_enterprise_actions._cli.wait.reporter import LogCapture, unhandled_logs_to_stderr
from tests.event_samples import time_at


OURS = logging.getLogger("redis_enterprise_actions.anything")
FIELDS = {"event": "outage", "seconds": 4.00049, "reason": "it answered 503", "ref": None}


def test_outage() -> None:
    """What a record says in data of an outage is an event, and nothing of it is printed."""
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
    """Any other warning is one, and what is less than that is not heard."""
    with LogCapture() as log_capture:
        OURS.warning("the certificate of %s is not verified", "n1", extra=extra)
        OURS.info("the weather")
        heard = log_capture.drain(lambda: time_at(0))

    assert heard == [WarningEvent(**time_at(0), message="the certificate of n1 is not verified")]
    assert log_capture.drain(lambda: time_at(0)) == []


def test_wakes() -> None:
    """Whoever shows it is woken."""
    woken: list[int] = []
    with LogCapture() as log_capture:
        OURS.warning("before")
        log_capture.on_record = lambda: woken.append(1)
        OURS.warning("after")

    assert woken == [1]


@pytest.mark.parametrize("output", [True, False])
def test_nobody_took_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, output: bool
) -> None:
    """What nobody has shown goes to standard error in the end, if there is one."""
    with LogCapture():
        OURS.warning("a warning")
        if not output:
            monkeypatch.setattr("sys.stderr", None)

    monkeypatch.undo()
    assert capsys.readouterr().err == ("a warning\n" if output else "")


def test_hears_no_more() -> None:
    """After its time it hears nothing."""
    with LogCapture() as log_capture:
        pass
    OURS.warning("x")

    assert log_capture.drain(lambda: time_at(0)) == []


def test_nobody_took_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is that a command of a CI system, or more than one line."""
    with LogCapture():
        OURS.warning("::error::a\n::error::b")

    assert capsys.readouterr().err == "\\::error::a ::error::b\n"


def log(message: str, error: BaseException | None = None) -> None:
    """Log what meets no handler; pytest has some, so that logging would not come to the last."""
    given = None if error is None else (type(error), error, error.__traceback__)
    record = OURS.makeRecord("x", logging.WARNING, "x", 1, message, (), given)
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
def test_last_resort(capsys: pytest.CaptureFixture[str], message: str, printed: str) -> None:
    """Anybody's warning is one printable line, and no command."""
    before = logging.lastResort
    with unhandled_logs_to_stderr():
        log(message)

    assert capsys.readouterr().err == f"{printed}\n"
    assert logging.lastResort is before


@pytest.mark.parametrize("wanted", [False, True])
def test_logged_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    """Of an error that is logged its type is said, and its traceback if that is wanted."""
    monkeypatch.setenv("REDIS_ACTIONS_TRACEBACK", str(int(wanted)))
    with unhandled_logs_to_stderr():
        log("::it failed", ValueError("what it says"))

    *more, last = capsys.readouterr().err.splitlines()
    assert last == r"\::it failed: ValueError"
    assert more == (["ValueError: what it says"] if wanted else [])


@pytest.mark.enable_socket
def test_without_handlers() -> None:
    """In a program that has set nothing up it is what logging comes to."""
    code = (
        "import logging\n"
        "from redis_enterprise_actions._cli.wait.reporter import unhandled_logs_to_stderr\n"
        "with unhandled_logs_to_stderr():\n"
        "    logging.getLogger('x').error('::y', exc_info=True)\n"
        "    logging.getLogger('x').info('z')\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stderr == "\\::y\n"
