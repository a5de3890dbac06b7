"""Tests of `_cli.wait.bars`."""

from __future__ import annotations

import io
import itertools
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.cells import cell_len

from redis_enterprise_actions import PendingOp, Phase
from redis_enterprise_actions._cli.wait.bars import BarsDisplay, RenderedLine, Screen, column_widths
from redis_enterprise_actions._cli.wait.events import (
    AbandonedEvent,
    ChangeEvent,
    OutageEvent,
    SummaryEvent,
    WaitsStartedEvent,
    WarningEvent,
)
from redis_enterprise_actions._cli.wait.progress import Progress
from tests.event_samples import (
    COMPLETED,
    ENDED_BEFORE,
    FAILED,
    MAINTENANCE,
    REFS,
    THREE_WAITS,
    UPDATE,
    end,
    golden_text,
    show_events,
    time_at,
)
from tests.fake_terminal import FakeTerminal


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from redis_enterprise_actions import Action
    from redis_enterprise_actions._cli.wait.events import AnyEvent


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeTerminal]:
    """Return a function that opens a window, and makes it the terminal."""

    def open_window(width: int = 80, height: int = 24) -> FakeTerminal:
        terminal = FakeTerminal(width=width, height=height)
        terminal.write("$ redis-actions wait ...\n")
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("LINES", str(height))
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setattr("redis_enterprise_actions._cli.wait.bars.write_output", terminal.write)
        return terminal

    return open_window


def show_and_draw(events: Iterable[AnyEvent], elapsed: float) -> tuple[BarsDisplay, Progress]:
    """Show events, and draw once more at a time."""
    bars, progress = BarsDisplay(), Progress()
    for event in events:
        progress.apply(event)
        bars.show(event, progress)
    bars.draw(elapsed, progress)
    return bars, progress


def running(action: Action = UPDATE, ref: str = "action:a1") -> list[AnyEvent]:
    """Return the first events of one wait."""
    return [
        WaitsStartedEvent(**time_at(0), refs=(ref,)),
        ChangeEvent(**time_at(0.2), ref=ref, action=action),
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_golden(window: Callable[..., FakeTerminal], width: int) -> None:
    """At each width `THREE_WAITS` is drawn as the golden file has it."""
    terminal = window(width)
    bars, progress = BarsDisplay(), Progress()
    pictures = []
    for event in THREE_WAITS:
        progress.apply(event)
        bars.show(event, progress)
        bars.draw(event.elapsed, progress)
        pictures.append(terminal.screen)
    bars.close(progress)
    pictures.append(terminal.everything)
    text = "\n\n".join("\n".join(picture) for picture, _ in itertools.groupby(pictures))

    assert text == golden_text(f"rich-{width}.txt", text)
    assert terminal.cursor


@pytest.mark.parametrize("width", [20, 40, 59, 60, 80, 200])
def test_no_row_is_wrapped(window: Callable[..., FakeTerminal], width: int) -> None:
    """No row reaches the margin, however long its text is."""
    terminal = window(width, 50)
    shards = tuple(PendingOp(shard_uid=str(n), op_name="o" * 99, progress=5.0) for n in range(9))
    busy = msgspec.structs.replace(UPDATE, state="日本" * 99, pending_ops=shards, name="n" * 99)
    outage = OutageEvent(**time_at(1), over=False, seconds=1.0, reason="r" * 500, ref=None)
    show_and_draw([*running(busy), outage], 9)

    assert all(cell_len(row) < width for row in terminal.screen[1:])
    assert not any(row.wrapped for row in terminal.rows[1:])
    assert len(terminal.screen) > 5


def test_progress(window: Callable[..., FakeTerminal]) -> None:
    """A bar is as long as the progress; without progress a block moves to and fro."""
    terminal = window()
    length = column_widths(80).bar
    for progress in (0.0, 50.0, 100.0):
        action = msgspec.structs.replace(UPDATE, progress=progress, pending_ops=())
        show_and_draw(running(action), 1)
        row = terminal.screen[-1]
        assert row.count("━") == int(length * progress / 100)
        assert f" {progress:.0f} %" in row

    bars, progress = show_and_draw(running(MAINTENANCE), 1)
    seen = set()
    for elapsed in range(60):
        bars.draw(elapsed / 8, progress)
        seen.add(terminal.screen[-1].index("━━━"))
        assert "%" not in terminal.screen[-1]
    assert len(seen) == length - 2


def test_estimate(window: Callable[..., FakeTerminal]) -> None:
    """The remaining time is shown once it can be estimated, and not in an outage."""
    terminal = window()
    later = [
        ChangeEvent(
            **time_at(when), ref="action:a1", action=msgspec.structs.replace(UPDATE, progress=risen)
        )
        for when, risen in ((60, 20.0), (120, 40.0))
    ]
    bars, progress = show_and_draw([*running(), later[0]], 60)
    assert "about" not in terminal.screen[1]

    bars, progress = show_and_draw([*running(), *later], 120)
    assert "about 3m 00s left" in terminal.screen[-2]

    progress.apply(OutageEvent(**time_at(121), over=False, seconds=1, reason="refused", ref=None))
    bars.draw(130, progress)
    assert "about" not in "".join(terminal.screen[-3:])
    assert terminal.screen[-1] == "! no usable answer for 10s: refused"


def test_ended_before(window: Callable[..., FakeTerminal]) -> None:
    """An action that had ended when it was first seen is shown without a time."""
    terminal = window(100)
    bars, progress = show_and_draw(ENDED_BEFORE, 5)
    shown = terminal.screen

    assert shown[1:] == [
        "✓ SMUpdateBDB on bdb:1             had already completed",
        "✗ maintenance_on on node:1         had already failed: e17: no room, 100% full",
    ]
    bars.close(progress)


def test_own_outage(window: Callable[..., FakeTerminal]) -> None:
    """The outage of one wait is shown in its row."""
    terminal = window(120)
    outage = OutageEvent(
        **time_at(10), over=False, seconds=2.0, reason="it answered 500", ref="action:a1"
    )
    show_and_draw([*running(), outage], 20)

    assert "no answer for 12s: it answered 500" in terminal.screen[1]


def test_operations(window: Callable[..., FakeTerminal]) -> None:
    """At most three operations on shards are drawn under their action."""
    terminal = window()
    ops = tuple(PendingOp(shard_uid=str(n), progress=10.0 * n) for n in range(5))
    show_and_draw(running(msgspec.structs.replace(UPDATE, pending_ops=ops)), 1)

    under = terminal.screen[2:]
    assert [row[:22].rstrip() for row in under] == [
        "    shard 0 working",
        "    shard 1 working",
        "    shard 2 working",
        "    + 2 more",
    ]


@pytest.mark.parametrize("height", [1, 2, 5, 10, 24])
def test_more_waits_than_rows(window: Callable[..., FakeTerminal], height: int) -> None:
    """Failed and running waits come first, and a line counts the waits that do not fit."""
    terminal = window(80, height)
    refs = tuple(f"action:a{number}" for number in range(60))
    events: list[AnyEvent] = [WaitsStartedEvent(**time_at(0), refs=refs)]
    for ref in refs[:10]:
        done = msgspec.structs.replace(COMPLETED, name=f"done-{ref[7:]}")
        events.append(end(1, ref, done, "completed", 0, "x"))
    for ref in refs[30:40]:
        queued = msgspec.structs.replace(UPDATE, name="queued", phase=Phase.PENDING)
        events.append(ChangeEvent(**time_at(1), ref=ref, action=queued))
    for ref in refs[40:50]:
        events.append(ChangeEvent(**time_at(1), ref=ref, action=UPDATE))
    events.append(end(2, refs[55], FAILED, "failed", 1, "x"))
    show_and_draw(events, 3)
    rows = terminal.screen[-(height - 1) :] if height > 1 else terminal.screen

    assert len(terminal.rows) - 1 - terminal.rows[0].wrapped >= len(rows)
    if height >= 5:
        assert rows[0].startswith("✗ maintenance_on on node:1")
        assert all("SMUpdateBDB" in row for row in rows[1 : min(10, height - 2)])
        assert rows[-1].startswith(f"  + {60 - (height - 2)} more: ")
        assert rows[-1].endswith(" waiting, 10 completed")


def test_half_the_rows(window: Callable[..., FakeTerminal]) -> None:
    """Half the rows are for running waits, however many have failed."""
    terminal = window(80, 9)
    refs = tuple(f"action:a{number}" for number in range(20))
    events: list[AnyEvent] = [WaitsStartedEvent(**time_at(0), refs=refs)]
    events += [end(1, ref, FAILED, "failed", 1, "x") for ref in refs[:15]]
    events += [ChangeEvent(**time_at(2), ref=ref, action=UPDATE) for ref in refs[15:]]
    show_and_draw(events, 3)

    assert [row[:2] for row in terminal.screen[-8:]] == ["✗ "] * 4 + ["  "] * 4
    assert terminal.screen[-1] == "  + 13 more: 2 waiting, 11 failed"


def test_abandoned_waits(window: Callable[..., FakeTerminal]) -> None:
    """Abandoned waits that do not fit are counted, too."""
    terminal = window(80, 4)
    refs = tuple(f"action:a{number}" for number in range(5))
    left = [AbandonedEvent(**time_at(1), ref=ref, message="x", action=UPDATE) for ref in refs]
    show_and_draw([WaitsStartedEvent(**time_at(0), refs=refs), *left], 3)

    assert terminal.screen[-1] == "  + 3 more: 3 left"


def test_no_room_for_operations(window: Callable[..., FakeTerminal]) -> None:
    """Without room for the rows under the bars, the bars alone are drawn."""
    terminal = window(80, 4)
    refs = ("action:a1", "action:a2", "action:a3")
    began = WaitsStartedEvent(**time_at(0), refs=refs)
    show_and_draw([began, *(ChangeEvent(**time_at(1), ref=ref, action=UPDATE) for ref in refs)], 2)

    assert [row[2:13] for row in terminal.screen[-3:]] == ["SMUpdateBDB"] * 3


def test_permanent_lines(window: Callable[..., FakeTerminal]) -> None:
    """Warnings, and outages that are over, stay as lines above the bars."""
    terminal = window()
    bars, progress = show_and_draw(
        [
            WarningEvent(**time_at(0), message="the certificate of https://n1 is not verified"),
            *running(),
            OutageEvent(**time_at(5), over=True, seconds=4.0, reason=None, ref=None),
        ],
        6,
    )
    bars.close(progress)

    assert terminal.screen[1:] == [
        "warning: the certificate of https://n1 is not verified",
        "the cluster answers again after 4.0s",
    ]


def test_refresh_limit(window: Callable[..., FakeTerminal]) -> None:
    """Many changes at once cause one drawing."""
    terminal = window()
    writes: list[str] = []
    original = terminal.write
    terminal.write = lambda text: (writes.append(text), original(text))[1]  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("redis_enterprise_actions._cli.wait.bars.write_output", terminal.write)
        events = [ChangeEvent(**time_at(1), ref="action:a1", action=UPDATE)] * 100
        show_and_draw([*running(), *events], 2)

    assert len(writes) == 4  # the beginning, the first answer, the changes, the end


def test_no_markup(window: Callable[..., FakeTerminal]) -> None:
    """Text of the cluster is neither markup nor a control sequence."""
    terminal = window()
    name = "[red]x[/red] :smile: \x1b[2J"
    bars, progress = show_and_draw(running(msgspec.structs.replace(UPDATE, name=name)), 1)

    assert terminal.screen[1].startswith("  [red]x[/red] :smil")
    left = AbandonedEvent(**time_at(1), ref="action:a1", message=name, action=UPDATE)
    progress.apply(left)
    bars.close(progress)
    assert terminal.screen[1:] == ["· [red]x[/red] :smile: [2J"]


def test_colours(window: Callable[..., FakeTerminal], monkeypatch: pytest.MonkeyPatch) -> None:
    """There are colours, unless `NO_COLOR` is set."""
    terminal = window()
    show_events(BarsDisplay(), THREE_WAITS)
    colours = {style for style in terminal.styles if style not in {"0", "2"}}
    assert colours

    terminal = window()
    monkeypatch.setenv("NO_COLOR", "1")
    show_events(BarsDisplay(), THREE_WAITS)
    assert terminal.styles <= {"0", "2"}


def test_ascii_terminal(
    window: Callable[..., FakeTerminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ASCII terminal gets ASCII characters, each as wide as it is counted."""
    terminal = window()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    strange = msgspec.structs.replace(UPDATE, name="日本" * 20, progress=50.0)
    bars, progress = show_and_draw(running(strange), 1)
    row = terminal.screen[1]
    bars.close(progress)

    assert row.isascii()
    assert row.startswith("  ??????")
    assert " ######------ " in row


def test_one_line_remains(window: Callable[..., FakeTerminal]) -> None:
    """The end of a single wait is the only line that remains."""
    terminal = window()
    gone = end(9, REFS[0], COMPLETED, "completed", 0, "it has completed")
    done = SummaryEvent(**time_at(9), exit_code=0, ended={"completed": 1}, left=0, why=None)
    show_events(BarsDisplay(), [*running(), gone, done])

    assert terminal.screen[1:] == ["✓ it has completed"]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> FakeTerminal:
    """A terminal with a line in it, as standard output."""
    terminal = FakeTerminal(width=20, height=8)
    terminal.write("$ before\n")
    monkeypatch.setattr("redis_enterprise_actions._cli.wait.bars.write_output", terminal.write)
    return terminal


def lines(*texts: str) -> list[RenderedLine]:
    """Return rendered lines."""
    return [RenderedLine(text, len(text)) for text in texts]


@pytest.mark.parametrize(
    "frames",
    [
        [["a", "b"], ["c", "d"]],
        [["a long one", "b"], ["c", "d"]],
        [["a", "b", "c"], ["d"]],
        [["a"], ["b", "c", "d"]],
        [["a"], []],
    ],
)
def test_screen_draw(terminal: FakeTerminal, frames: Sequence[Sequence[str]]) -> None:
    """A drawing replaces the last one completely."""
    screen = Screen()
    for frame in frames:
        screen.draw(lines(*frame), 20)

    assert terminal.screen == ["$ before", *frames[-1]]
    assert not terminal.cursor
    assert terminal.wraps


def test_screen_write_above(terminal: FakeTerminal) -> None:
    """A line written above stays there, and is wrapped if it is long."""
    screen = Screen()
    screen.draw(lines("a", "b"), 20)
    screen.write_above("this stays and is longer than the window", 20)
    screen.draw(lines("c"), 20)

    assert terminal.screen == ["$ before", "this stays and is lo", "nger than the window", "c"]


def test_screen_close(terminal: FakeTerminal) -> None:
    """Closing removes the drawing and shows the cursor, once."""
    screen = Screen()
    screen.draw(lines("a", "b"), 20)
    screen.close(20)
    terminal.write("$ ")
    screen.close(20)

    assert terminal.screen == ["$ before", "$"]
    assert terminal.cursor


@pytest.mark.parametrize("width", [7, 10, 19, 20, 30])
def test_screen_resized(terminal: FakeTerminal, width: int) -> None:
    """In a resized window nothing of the last drawing is left, and lines above stay."""
    terminal.height = 24
    screen = Screen()
    screen.draw(lines("a line of 20 columns", "b" * 19), 20)
    terminal.resize(width)
    screen.draw(lines("c" * (width - 1), "d"), width)
    terminal.resize(20)
    screen.draw(lines("e", "f"), 20)

    assert terminal.screen == ["$ before", "e", "f"]


def test_screen_resized_unnoticed(terminal: FakeTerminal) -> None:
    """The same holds if there are drawings before the new size is known."""
    terminal.height = 24
    screen = Screen()
    frame = lines("a line of 20 columns", "b" * 19)
    screen.draw(frame, 20)
    terminal.resize(7)
    for _ in range(3):
        screen.draw(frame, 20)
    screen.draw(lines("c", "d"), 7)

    assert terminal.screen == ["$ befor", "e", "c", "d"]


def test_screen_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """The screen writes to standard output, and flushes it."""
    Screen().write_above("x", 80)

    assert capsys.readouterr().out == "\r\x1b[Jx\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_note(
    window: Callable[..., FakeTerminal],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    terminal: bool,
) -> None:
    """A note stands above the bars, or where standard error is if that is no terminal."""
    screen = window(80)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    bars, progress = show_and_draw(running(), 1)
    bars.note("GET /v1/actions 200 12ms node1:9443")
    bars.draw(2, progress)

    assert ("GET /v1/actions 200 12ms node1:9443" in screen.screen) is terminal
    assert capsys.readouterr().err == ("" if terminal else "GET /v1/actions 200 12ms node1:9443\n")
