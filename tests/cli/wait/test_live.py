"""Tests of `_cli.wait.live`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.cells import cell_len

from redis_enterprise_actions import PendingOp, Phase
from redis_enterprise_actions._cli.wait.events import (
    AbandonedEvent,
    ChangeEvent,
    OutageEvent,
    SubmittedEvent,
    SummaryEvent,
    WaitsStartedEvent,
    WarningEvent,
)
from redis_enterprise_actions._cli.wait.live import LiveDisplay
from redis_enterprise_actions._cli.wait.plain import PlainDisplay
from redis_enterprise_actions._cli.wait.progress import Progress
from tests.event_samples import (
    COMPLETED,
    ENDED_BEFORE,
    FAILED,
    MAINTENANCE,
    REFS,
    REJECTED_CALL,
    THREE_WAITS,
    UPDATE,
    end,
    golden_text,
    show_events,
    time_at,
)
from tests.fake_terminal import TerminalFile, open_window


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from redis_enterprise_actions import Action
    from redis_enterprise_actions._cli.wait.events import AnyEvent

CLUSTER = "https://n1:9443"
HEAD = f"{CLUSTER}, Ctrl-C stops waiting, not the work"


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TerminalFile]:
    """Return a function that opens a window with a line in it."""

    def window(width: int = 80, height: int = 24, encoding: str = "utf-8") -> TerminalFile:
        return open_window(monkeypatch, "$ redis-actions wait ...", width, height, encoding)

    return window


def draw(
    file: TerminalFile, events: Iterable[AnyEvent], elapsed: float
) -> tuple[LiveDisplay, Progress, list[str]]:
    """Show events, and draw once more at a time; return the lines below the first."""
    display, progress = LiveDisplay(file, CLUSTER), Progress()
    for event in events:
        progress.apply(event)
        display.show(event, progress)
    display.draw(elapsed, progress)
    return display, progress, file.terminal.screen[1:]


def running(action: Action = UPDATE, ref: str = "action:a1") -> list[AnyEvent]:
    """Return the first events of one wait."""
    return [
        WaitsStartedEvent(**time_at(0), refs=(ref,)),
        ChangeEvent(**time_at(0.2), ref=ref, action=action),
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_golden(window: Callable[..., TerminalFile], width: int) -> None:
    """At each width `THREE_WAITS` is drawn as the golden file has it."""
    file = window(width)
    display, progress = LiveDisplay(file, CLUSTER), Progress()
    pictures = []
    for event in THREE_WAITS:
        progress.apply(event)
        display.show(event, progress)
        display.draw(event.elapsed, progress)
        pictures.append(file.terminal.screen)
    display.close(progress)
    pictures.append(file.terminal.everything)
    text = "\n\n".join("\n".join(picture) for picture, _ in itertools.groupby(pictures))

    assert text == golden_text(f"rich-{width}.txt", text)
    assert file.terminal.cursor


@pytest.mark.parametrize("width", [1, 2, 5, 10, 20, 40, 59, 60, 80, 200])
def test_no_row_is_wrapped(window: Callable[..., TerminalFile], width: int) -> None:
    """No row of the live table reaches the margin, however long its text is."""
    file = window(width, 50)
    shards = (PendingOp(shard_uid="1", op_name="o" * 99, progress=5.0),)
    busy = msgspec.structs.replace(UPDATE, state="日本" * 99, pending_ops=shards, name="n" * 99)
    outage = OutageEvent(**time_at(1), over=False, seconds=1.0, reason="r" * 500, ref=None)
    draw(file, [*running(busy), outage], 9)

    assert all(cell_len(row) < max(2, width) for row in file.terminal.screen[-3:])
    assert not any(row.wrapped for row in file.terminal.rows[-3:])


def test_estimate(window: Callable[..., TerminalFile]) -> None:
    """The remaining time is shown once it can be estimated, and not in an outage."""
    file = window(120)
    later = [
        ChangeEvent(
            **time_at(when), ref="action:a1", action=msgspec.structs.replace(UPDATE, progress=risen)
        )
        for when, risen in ((60, 20.0), (120, 40.0), (125, 97.0))
    ]
    assert "about" not in draw(window(120), [*running(), later[0]], 60)[2][1]

    display, progress, lines = draw(file, [*running(), *later[:2]], 120)
    assert "about 3m 00s left, reshard, shard 3 wait_for_sync 40 %" in lines[1]

    progress.apply(OutageEvent(**time_at(121), over=False, seconds=1, reason="refused", ref=None))
    display.draw(130, progress)
    assert "about" not in "".join(file.terminal.screen)
    assert file.terminal.screen[-1] == "! no usable answer for 10s: refused"
    assert "left" not in draw(window(120), [*running(), later[0], later[2]], 126)[2][1]


def test_ended_before(window: Callable[..., TerminalFile]) -> None:
    """An action that had ended when it was first seen has no duration, live and at the end."""
    file = window(100)
    display, progress, live = draw(file, ENDED_BEFORE, 5)
    display.close(progress)
    final = file.terminal.screen[1:]

    assert [" ".join(line.split()) for line in live[1:]] == [
        "✓ SMUpdateBDB on bdb:1 completed had ended before",
        "✗ maintenance_on on node:1 failed had ended before: e17: no room, 100% full",
    ]
    assert final == [
        "✓ SMUpdateBDB on bdb:1      completed          had ended before",
        "✗ maintenance_on on node:1  failed             had ended before: e17: no room, 100% full",
        "1 completed, 1 failed (exit code 1)",
    ]


def test_rejected_call(window: Callable[..., TerminalFile]) -> None:
    """A call is drawn before there is a wait, and its rejection is a row."""
    file = window(100)
    display, progress, live = draw(file, REJECTED_CALL[:1], 60)
    assert live == [f"calling, 1m 00s, {HEAD}"]
    for event in REJECTED_CALL[1:]:
        progress.apply(event)
        display.show(event, progress)
    display.close(progress)

    assert file.terminal.screen[1:] == [
        "✗ the call  rejected  1m 10s  POST /v1/bdbs: the cluster answered 406: weak",
        "1 rejected (exit code 5)",
    ]


def test_nothing_to_wait_for(window: Callable[..., TerminalFile]) -> None:
    """Without a wait there is a summary only."""
    file = window()
    done = SummaryEvent(**time_at(0), exit_code=0, ended={}, left=0, why=None)
    show_events(LiveDisplay(file, CLUSTER), [WaitsStartedEvent(**time_at(0), refs=()), done])

    assert file.terminal.screen[1:] == ["nothing to wait for (exit code 0)"]


def own_outage(ref: str, reason: str | None) -> OutageEvent:
    """Return the beginning of an outage of one wait."""
    return OutageEvent(**time_at(10), over=False, seconds=2.0, reason=reason, ref=ref)


def test_own_outage(window: Callable[..., TerminalFile]) -> None:
    """The outage of one wait is shown in its row; that of several is said once, below."""
    one = [*running(), own_outage("action:a1", "it answered 500")]
    assert "no answer for 12s: it answered 500" in draw(window(120), one, 20)[2][1]

    refs = ("action:a1", "action:a2", "action:a3", "action:a4")
    reasons = ("it answered 500", "it answered 500", None, None)
    both = [WaitsStartedEvent(**time_at(0), refs=refs), *map(own_outage, refs, reasons)]
    lines = draw(window(120), both, 20)[2]
    assert [line.endswith("  no answer") for line in lines[1:5]] == [True] * 4
    assert lines[5:] == [
        "! no usable answer about 2 waits: it answered 500",
        "! no usable answer about 2 waits: reason unknown",
    ]


@pytest.mark.parametrize("width", [40, 100])
def test_shared_reason(window: Callable[..., TerminalFile], width: int) -> None:
    """A cause for which several waits lost the cluster is said once, below the table."""
    file = window(width)
    lost = [
        msgspec.structs.replace(
            end(9, ref, UPDATE, "rejected", 5, "x"), reason="the cluster answered 401"
        )
        for ref in REFS[:2]
    ]
    done = SummaryEvent(**time_at(9), exit_code=5, ended={"rejected": 2}, left=0, why=None)
    display, progress, live = draw(
        file, [WaitsStartedEvent(**time_at(0), refs=REFS[:2]), *lost, done], 9
    )
    display.close(progress)

    for lines in (live, file.terminal.screen[1:]):
        assert "\n".join(lines).count("the cluster answered 401") == 1
        assert "! 2 waits: the cluster answered 401" in lines


@pytest.mark.parametrize("height", [1, 2, 5, 10, 24])
def test_more_waits_than_rows(window: Callable[..., TerminalFile], height: int) -> None:
    """Failed and running waits come first, and a line counts the waits that do not fit."""
    file = window(80, height)
    refs = tuple(f"action:a{number}" for number in range(60))
    events: list[AnyEvent] = [WaitsStartedEvent(**time_at(0), refs=refs)]
    for ref in refs[:10]:
        events.append(end(1, ref, COMPLETED, "completed", 0, "x"))
    for ref in refs[30:40]:
        queued = msgspec.structs.replace(UPDATE, name="queued", phase=Phase.PENDING)
        events.append(ChangeEvent(**time_at(1), ref=ref, action=queued))
    events += [ChangeEvent(**time_at(1), ref=ref, action=UPDATE) for ref in refs[40:50]]
    events.append(end(2, refs[55], FAILED, "failed", 1, "x"))
    draw(file, events, 3)
    rows = file.terminal.screen[-(height - 1) :] if height > 1 else file.terminal.screen

    assert len(file.terminal.rows) <= max(2, height)
    if height >= 5:
        assert rows[0] == f"11 of 60 done, 3.0s, {HEAD}"
        assert rows[1].startswith("✗ maintenance_on on node:1")
        assert all("SMUpdateBDB" in row for row in rows[2 : min(10, height - 2)])
        assert rows[-1].startswith(f"+ {60 - (height - 3)} more: ")
        assert rows[-1].endswith(" waiting, 10 completed")


def test_half_the_rows(window: Callable[..., TerminalFile]) -> None:
    """Half the rows are for running waits, however many have failed; others are counted."""
    file = window(80, 10)
    refs = tuple(f"action:a{number}" for number in range(22))
    events: list[AnyEvent] = [WaitsStartedEvent(**time_at(0), refs=refs)]
    events += [end(1, ref, FAILED, "failed", 1, "x") for ref in refs[:15]]
    events += [ChangeEvent(**time_at(2), ref=ref, action=UPDATE) for ref in refs[15:20]]
    events += [AbandonedEvent(**time_at(2), ref=ref, message="", action=None) for ref in refs[20:]]
    draw(file, events, 3)

    assert [row[:2] for row in file.terminal.screen[-8:-1]] == ["✗ "] * 4 + ["  "] * 3
    assert file.terminal.screen[-1] == "+ 15 more: 2 waiting, 11 failed, 2 left"


def test_permanent_lines(window: Callable[..., TerminalFile]) -> None:
    """The reference, warnings, and outages that are over, stay as lines above the table."""
    file = window(100)
    draw(
        file,
        [
            SubmittedEvent(**time_at(0), ref="action:a1"),
            SubmittedEvent(**time_at(0), ref=None),
            SubmittedEvent(**time_at(0), ref=None, problem="why"),
            WarningEvent(**time_at(0), message="the certificate of https://n1 is not verified"),
            *running(),
            OutageEvent(**time_at(5), over=True, seconds=4.0, reason=None, ref=None),
        ],
        6,
    )

    assert file.terminal.screen[1:-2] == [
        "action:a1",
        "the call was answered, and there is nothing to follow",
        "warning: the certificate of https://n1 is not verified",
        "the cluster answers again after 4.0s",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_note(
    window: Callable[..., TerminalFile],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terminal: bool,
) -> None:
    """A line of `--verbose` stays above the table, unless standard error is elsewhere."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    file = window(100)
    display, _, _ = draw(file, running(), 1)
    display.note("GET /v1/actions 200")

    assert ("GET /v1/actions 200" in file.terminal.screen) is terminal
    assert capsys.readouterr().err == ("" if terminal else "GET /v1/actions 200\n")


def test_refresh_limit(window: Callable[..., TerminalFile]) -> None:
    """Many changes at once cause one drawing."""
    file = window()
    events = [ChangeEvent(**time_at(1), ref="action:a1", action=UPDATE)] * 100
    draw(file, [*running(), *events], 2)

    assert "".join(file.writes).count("0 of 1 done") == 4  # first, change, changes, last


def test_no_markup(window: Callable[..., TerminalFile]) -> None:
    """Text of the cluster is neither markup nor a control sequence, live and at the end."""
    file = window(100)
    name = "[red]x[/red] :smile: \x1b[2J"
    odd = msgspec.structs.replace(UPDATE, name=name, state=name, pending_ops=())
    display, progress, live = draw(file, running(odd), 1)
    left = AbandonedEvent(**time_at(1), ref="action:a1", message=name, action=odd)
    done = SummaryEvent(**time_at(1), exit_code=1, ended={}, left=1, why=name)
    for event in (left, done):
        progress.apply(event)
        display.show(event, progress)
    display.close(progress)

    shown = "[red]x[/red] :smile:"
    assert live[1].count(shown) == 2
    assert "\n".join(file.terminal.screen).count(shown) == 3


def test_ascii_terminal(window: Callable[..., TerminalFile]) -> None:
    """An ASCII terminal gets ASCII characters."""
    file = window(100, encoding="ascii")
    strange = msgspec.structs.replace(UPDATE, name="日本" * 20, progress=50.0)
    display, progress, live = draw(file, running(strange), 1)
    done = SummaryEvent(**time_at(1), exit_code=0, ended={"completed": 1}, left=0, why=None)
    for event in (end(1, "action:a1", COMPLETED, "completed", 0, "x"), done):
        progress.apply(event)
        display.show(event, progress)
    display.close(progress)

    assert "\n".join(live).isascii()
    assert live[1].startswith("  ??????")
    assert " ----- ---- " in live[1]
    assert file.terminal.screen[1].startswith("+ SMUpdateBDB")


@pytest.mark.parametrize("names", [True, False])
def test_results(window: Callable[..., TerminalFile], names: bool) -> None:
    """With results elsewhere, the reference goes there at once, and the ends at the end.

    The table stays if it is asked for.
    """
    file, results = window(100), []
    plain = PlainDisplay(lambda _: None, results.append, names=names)
    display, progress = LiveDisplay(file, CLUSTER, results=plain, keep=names), Progress()
    done = SummaryEvent(
        **time_at(9), exit_code=1, ended={"completed": 1, "failed": 1}, left=0, why=None
    )
    events = [
        SubmittedEvent(**time_at(0), ref="action:a1"),
        WaitsStartedEvent(**time_at(0), refs=REFS[:2]),
        end(1, REFS[1], FAILED, "failed", 1, "x"),
        end(9, REFS[0], COMPLETED, "completed", 0, "x"),
        done,
    ]
    for event in events:
        progress.apply(event)
        display.show(event, progress)
    before = list(results)
    display.close(progress)

    assert before == ([] if names else ["action:a1"])
    shown = file.terminal.screen[1:]
    if names:
        assert results == ["action:a1"]
        assert shown[-1] == "1 completed, 1 failed (exit code 1)"
    else:
        assert [row[:2] for row in results] == ["ac", "✗ ", "✓ ", "1 "]
        assert shown == []


def test_display_fails(
    window: Callable[..., TerminalFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the last drawing shows the cursor all the same."""
    file = window()
    display, progress, _ = draw(file, ENDED_BEFORE, 1)
    monkeypatch.setattr(
        "redis_enterprise_actions._cli.wait.live.end_row", lambda _: pytest.fail("broken")
    )
    with pytest.raises(pytest.fail.Exception):
        display.close(progress)

    assert file.terminal.cursor


def test_without_summary(window: Callable[..., TerminalFile]) -> None:
    """What is closed without a summary leaves nothing."""
    file = window()
    display, progress, _ = draw(file, running(MAINTENANCE), 1)
    display.close(progress)

    assert file.terminal.screen[1:] == []


@pytest.mark.parametrize("width", [30, 80, 200])
def test_resume_can_be_copied(window: Callable[..., TerminalFile], width: int) -> None:
    """The command at the end is one line, which only the terminal wraps."""
    file = window(width)
    display, progress, _ = draw(file, THREE_WAITS, 1)
    display.close(progress)
    file.terminal.resize(400)

    last = file.terminal.screen[-1]
    assert last.endswith("Resume: redis-actions wait crdb:t2")
    assert last.startswith("interrupted: ") is (width == 200)


@pytest.mark.parametrize(("height", "marks"), [(4, "✓✓✓✗"), (5, "✓✗✓✓")])
def test_bad_ends_last(window: Callable[..., TerminalFile], height: int, marks: str) -> None:
    """In a final table that is higher than the window, what did not complete stands last."""
    file, refs = window(80, height), tuple(f"action:a{number}" for number in range(4))
    ends = [
        end(7, ref, FAILED, "failed", 1, "") if ref == refs[1]
        else end(7, ref, COMPLETED, "completed", 0, "")
        for ref in refs
    ]  # fmt: skip
    done = SummaryEvent(
        **time_at(8), exit_code=1, ended={"completed": 3, "failed": 1}, left=0, why=None
    )
    display, progress, _ = draw(file, [WaitsStartedEvent(**time_at(0), refs=refs), *ends, done], 8)
    display.close(progress)

    assert "".join(row[0] for row in file.terminal.everything[1:-1]) == marks
