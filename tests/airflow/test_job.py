"""Tests of `airflow.job`."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
import time

import pytest
from airflow.sdk.execution_time.timeout import timeout

from redis_enterprise_actions.airflow.job import Job, run
from tests.airflow.raised import AirflowTaskTimeout


here: contextvars.ContextVar[str] = contextvars.ContextVar("here")


async def endless(events: list[str]) -> None:
    """Wait until it is cancelled."""
    try:
        await asyncio.Event().wait()
    finally:
        events.append("ended")


async def test_result_inside_a_loop() -> None:
    """The coroutine runs in a loop of its own, in the caller's context."""
    here.set("caller")

    async def job() -> tuple[str, str, bool]:
        return here.get(), threading.current_thread().name, asyncio.get_running_loop() is not loop

    loop = asyncio.get_running_loop()

    assert run(job()) == ("caller", "redis-enterprise-actions", True)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_exception(error: BaseException) -> None:
    """An exception of the coroutine is raised, whatever it is."""

    async def job() -> None:
        raise error

    with pytest.raises(type(error)):
        run(job())


def test_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an event loop, as without free file descriptors, there is an error, and no hang."""

    def fail() -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(asyncio, "new_event_loop", fail)
    monkeypatch.setattr(asyncio.events, "new_event_loop", fail)
    with pytest.raises(OSError, match="too many open files"):
        run(endless([]))


def test_alarm() -> None:
    """Airflow's alarm after `execution_timeout` ends the coroutine, too."""
    events: list[str] = []
    began = time.monotonic()
    with pytest.raises(AirflowTaskTimeout), timeout(0.3):
        run(endless(events))

    assert events == ["ended"]
    assert time.monotonic() - began < 5
    assert "redis-enterprise-actions" not in [each.name for each in threading.enumerate()]


def test_cancelled_by_a_signal_handler() -> None:
    """A signal handler can end the wait, and run another coroutine."""
    events: list[str] = []
    job = Job(endless(events))

    async def other() -> None:
        events.append("other")

    def handle(*_: object) -> None:
        job.cancel()
        run(other())

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(asyncio.CancelledError):
            job.result()
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert sorted(events) == ["ended", "other"]
    job.cancel()  # has no effect any more
