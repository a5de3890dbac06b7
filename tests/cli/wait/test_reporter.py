"""Facts about telling: what is told when, and that silence never lasts longer than it may."""

from __future__ import annotations

import asyncio
import itertools
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.wait.events import ChangeEvent, WaitsStartedEvent, WarningEvent
from redis_enterprise_actions._cli.wait.reporter import LogCapture, ProgressReporter
from tests.conftest import at as action_at


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.wait.events import AnyEvent
    from redis_enterprise_actions._cli.wait.progress import Progress

OURS = logging.getLogger("redis_enterprise_actions.anything")


@dataclass
class Shown:
    """A display that keeps what it is shown, and when; it breaks at an event of some kind."""

    refresh: float | None = None
    breaks_at: type | None = None
    events: list[tuple[float, AnyEvent]] = field(default_factory=list)
    drawings: list[float] = field(default_factory=list)
    closed: int = 0

    def show(self, event: AnyEvent, progress: Progress) -> None:
        """Keep what is shown."""
        if self.breaks_at is not None and isinstance(event, self.breaks_at):
            raise BrokenPipeError
        self.events.append((now(), event))

    def draw(self, elapsed: float, progress: Progress) -> None:
        """Keep when it was drawn."""
        self.drawings.append(elapsed)

    def close(self, progress: Progress) -> None:
        """Keep that it was closed."""
        self.closed += 1

    @property
    def kinds(self) -> list[str]:
        """What was shown, in short."""
        return [type(event).__name__ for _, event in self.events]


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("keep_alive", [1, 10, 60])
async def test_keep_alive(keep_alive: float) -> None:
    """However long nothing happens, no two lines are further apart than the keep-alive."""
    shown = Shown()
    began = now()
    async with ProgressReporter(shown, LogCapture(), keep_alive=keep_alive) as reporter:
        await asyncio.sleep(3.3 * keep_alive)
        reporter.report(WaitsStartedEvent(**reporter.event_time(), refs=("crdb:t",)))
        await asyncio.sleep(5.5 * keep_alive)
    times = [began, *(when for when, _ in shown.events), now()]

    assert all(b - a <= keep_alive for a, b in itertools.pairwise(times))
    assert shown.kinds == ["KeepAliveEvent"] * 3 + ["WaitsStartedEvent"] + ["KeepAliveEvent"] * 5


async def test_no_keep_alive() -> None:
    """With a keep-alive of 0 nothing is said for ever."""
    shown = Shown()
    async with ProgressReporter(shown, LogCapture(), keep_alive=0):
        await asyncio.sleep(100_000)

    assert shown.events == []


async def test_alive() -> None:
    """What is said then is what is still waited for, as it was last seen."""
    shown = Shown()
    async with ProgressReporter(shown, LogCapture(), keep_alive=60) as reporter:
        reporter.report(WaitsStartedEvent(**reporter.event_time(), refs=("crdb:t", "action:a1")))
        reporter.report(ChangeEvent(**reporter.event_time(), ref="action:a1", action=action_at(40)))
        await asyncio.sleep(60)
    alive = shown.events[-1][1]

    waiting = [(each.ref, each.title, each.progress) for each in alive.waiting]  # type: ignore[union-attr]
    assert waiting == [("crdb:t", "crdb:t", None), ("action:a1", "SMUpdateBDB", 40)]


async def test_drawn() -> None:
    """A live view is drawn at a steady pace, and told of nothing but what happens."""
    shown = Shown(refresh=0.2)
    async with ProgressReporter(shown, LogCapture(), keep_alive=60):
        await asyncio.sleep(200)

    assert len(shown.drawings) == pytest.approx(1000, abs=5)
    assert shown.events == []


async def test_log() -> None:
    """What is logged is told at once, before what is told after it, and to the last."""
    shown = Shown()
    with LogCapture() as log_capture:
        OURS.warning("before")
        async with ProgressReporter(shown, log_capture, keep_alive=60) as reporter:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert shown.kinds == ["WarningEvent"]
            OURS.warning("then")
            reporter.report(WaitsStartedEvent(**reporter.event_time(), refs=()))
            OURS.warning("later")
            await asyncio.sleep(1)
            assert shown.kinds == [
                "WarningEvent",
                "WarningEvent",
                "WaitsStartedEvent",
                "WarningEvent",
            ]
            OURS.warning("last")
        assert shown.kinds[-2:] == ["WarningEvent", "WarningEvent"]
        OURS.warning("too late")

    assert len(shown.events) == 5
    assert shown.closed == 1


@pytest.mark.parametrize("kind", ["told", "logged"])
async def test_output_is_gone(kind: str) -> None:
    """Where the output cannot be written any more, whoever waits is told so at once."""
    shown = Shown(breaks_at=WarningEvent)
    began = now()
    with pytest.raises(BrokenPipeError), LogCapture() as log_capture:
        async with ProgressReporter(shown, log_capture, keep_alive=60) as reporter:
            if kind == "told":
                reporter.report(WarningEvent(**reporter.event_time(), message="x"))
            OURS.warning("x")
            await asyncio.sleep(1000)

    assert now() - began < 1
    assert shown.closed == 1


async def test_closed_at_any_rate() -> None:
    """A display is closed even if the last that it is shown breaks it."""
    shown = Shown(breaks_at=WarningEvent)
    with pytest.raises(BrokenPipeError), LogCapture() as log_capture:
        async with ProgressReporter(shown, log_capture, keep_alive=60):
            await asyncio.sleep(1)
            OURS.warning("x")

    assert shown.closed == 1


async def test_cause() -> None:
    """What broke a display comes with what that came from."""
    cause = ValueError("first of all")

    class Broken(Shown):
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
    """Whoever is cancelled meanwhile is, and the display is closed."""
    shown = Shown()

    async def wait() -> None:
        async with ProgressReporter(shown, LogCapture(), keep_alive=60):
            await asyncio.sleep(1000)

    task = asyncio.create_task(wait())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shown.closed == 1
    assert len(asyncio.all_tasks()) == 1
