"""Tests of `_cli.listing.screens`, at usual widths of terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from redis_enterprise_actions import Action, Phase
from redis_enterprise_actions._cli.keys import Keyboard
from redis_enterprise_actions._cli.listing.query import Selection
from redis_enterprise_actions._cli.listing.screens import (
    ActionTable,
    LiveView,
    print_table,
    watched,
)
from redis_enterprise_actions._cli.listing.watch_view import WatchState
from redis_enterprise_actions._cli.screen import Screen
from tests.cli.listing.samples import NOW, THREE, UUID, action, ago
from tests.conftest import ACTIVE
from tests.fake_terminal import FakeTerminal, TerminalFile


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

EMPTY = WatchState(cluster="https://n1:9443", selection=Selection(), interval=5)


AT_40 = """\
2d81d873-0b12-4636-90d2-ff4dd1ed3b81
  SMUpdateBDB on bdb:1
  active  14 %  provision  12s
2d81d873-0b12-4636-90d2-ff4dd1ed3b82
  maintenance_on on node:2
  completed  100 %  2h 01m
2d81d873-0b12-4636-90d2-ff4dd1ed3b83
  retry_bdb on node:1
  failed  33 %  internal_err…  2d 07h"""


def screen_of(width: int, height: int = 99, encoding: str = "utf-8") -> tuple[Screen, FakeTerminal]:
    """Return a screen in a window, and the window."""
    terminal = FakeTerminal(width=width, height=height)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setenv("LINES", str(height))
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)
        return Screen(TerminalFile(terminal, encoding)), terminal


def listed(actions: Sequence[Action], width: int, now: datetime = NOW) -> list[str]:
    """Return the lines of the table of `list`."""
    screen, terminal = screen_of(width)
    screen.close(ActionTable(screen, now).listed(actions))
    return terminal.everything


def rendered(state: WatchState, *, width: int = 83, height: int = 24, hint: str = "") -> list[str]:
    """Return the lines of the screen of `watch`."""
    screen, terminal = screen_of(width, height)
    screen.draw(watched(state, screen, NOW, hint))
    return terminal.everything


def state_with(*actions: Action, **more: object) -> WatchState:
    """Return a state with some actions, answered just now."""
    return msgspec.structs.replace(EMPTY, **{"actions": actions, "answered_at": NOW} | more)


def test_listed_narrow() -> None:
    """In a narrow window an action takes three lines, with its complete uid."""
    assert "\n".join(listed(THREE, 40)) == AT_40


@pytest.mark.parametrize("width", [80, 100, 140])
def test_listed(width: int) -> None:
    """The table fits the width, the uids are complete, and the object is kept longest."""
    head, *rows = listed(THREE, width)

    names = ["UID", "WHAT", "STATUS", "DONE", *(["STATE"] if width >= 98 else []), "AGE"]
    assert head.split() == names
    assert [row[:36] for row in rows] == [f"{UUID}{number}" for number in (1, 2, 3)]
    assert all(on in row for on, row in zip(("bdb:1", "node:2", "node:1"), rows, strict=True))
    assert all(done in row for done, row in zip(("14 %", "100 %", "33 %"), rows, strict=True))
    assert rows[2].endswith("  2d 07h")
    assert ("inter" in rows[2]) is (width >= 98)


def test_watched_narrow() -> None:
    """In a narrow window there are the names, the statuses and the progress."""
    head, _, *rows = rendered(state_with(*THREE), width=43)

    assert rows == [
        "WHAT                    STATUS      DONE",
        "SMUpdateBDB on bdb:1    active      14 %",
        "maintenance… on node:2  completed  100 %",
        "retry_bdb on node:1     failed      33 %",
    ]
    assert head.startswith("1 of 3 under way")


def test_watched_statuses() -> None:
    """Statuses are complete beside long names and states; only absurd ones are cut."""
    long = {"object_type": "bdb", "object_uid": "1", "error": "no memory " * 9}
    some = [
        action(1, "SM" + "Long" * 20, "completed", **long),
        action(2, "SMUpdateBDB", "s" * 99, state="reshard"),
    ]
    _, _, _, *rows = rendered(state_with(*some), width=80)

    assert "  completed " in rows[0]
    assert "  sssssssssss…  " in rows[1]


def test_watched_wide() -> None:
    """A wide table has all columns, and bars of actions that run."""
    head, _, names, *rows = rendered(state_with(*THREE), width=170, hint=", q ends")

    assert head.endswith(", q ends")
    assert names.split() == ["WHAT", "STATUS", "DONE", "STATE", "AGE", "UID"]
    assert [row.count("━") > 5 for row in rows] == [True, False, False]
    assert rows[0].endswith(f"{UUID}1")


LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=60)


@given(st.integers(40, 200), LINES, LINES, LINES)
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_width(width: int, name: str, status: str, state: str) -> None:
    """No line is wider than the terminal."""
    odd = msgspec.structs.replace(THREE[0], name=name, status=status, state=state)
    screen, _ = screen_of(width)
    table = ActionTable(screen, NOW)
    for content in (table.listed([odd, *THREE]), table.watched([odd, *THREE])):
        for line in screen._render(content):
            assert cell_len("".join(segment.text for segment in line)) <= width


@pytest.mark.parametrize("phase", Phase)
def test_every_phase(phase: Phase) -> None:
    """Every phase has a colour, and those that run have a bar."""
    screen, terminal = screen_of(100)
    screen.draw(ActionTable(screen, NOW).watched([msgspec.structs.replace(ACTIVE, phase=phase)]))

    assert terminal.styles - {"0", "1", "90"}
    is_under_way = not phase.terminal and phase is not Phase.PENDING
    assert ("━" in terminal.screen[1]) is is_under_way


def test_no_words() -> None:
    """An action without a status has a word for that."""
    odd = msgspec.structs.replace(ACTIVE, status="")

    assert "no status" in listed([odd], 100)[1]


def test_clocks_differ() -> None:
    """An action that began in our future has the age 0."""
    assert listed([action(1, "x", "queued", age=-60)], 100)[1].endswith("  0.0s")


class TestWatched:
    """The lines of the live view."""

    def test_first(self) -> None:
        """Before the first answer the view says that it waits."""
        assert rendered(EMPTY) == ["https://n1:9443: waiting for the first answer"]

    def test_nothing(self) -> None:
        """The view of an idle cluster says that there are no actions."""
        assert rendered(state_with()) == [
            "no actions, seen 0.0s ago, every 5.0s at https://n1:9443"
        ]

    def test_head(self) -> None:
        """The header has the counts, the age of the answer, the interval, and the cluster."""
        head, empty, *rows = rendered(
            state_with(action("a", "x", "active"), action("b", "x", "failed"), answered_at=ago(7))
        )

        assert head == "1 of 2 under way, seen 7.0s ago, every 5.0s at https://n1:9443"
        assert empty == ""
        assert len(rows) == 3

    def test_late(self) -> None:
        """The header says that an answer is late, before this is an outage."""
        at = "every 5.0s at https://n1:9443"
        assert rendered(state_with(answered_at=ago(8)))[0].endswith(at)
        late = "no actions, seen 9.0s ago, no answer since"
        assert rendered(state_with(answered_at=ago(9)))[0] == late

    def test_selection(self) -> None:
        """Only matching actions are shown, newest first."""
        chosen = Selection(statuses=frozenset({"running"}))
        state = state_with(
            action("o", "x", "active", age=90),
            action("f", "x", "failed"),
            action("n", "x", "active", age=9),
        )
        _, _, _, *rows = rendered(msgspec.structs.replace(state, selection=chosen), width=150)

        assert [row[-1] for row in rows] == ["n", "o"]

    def test_outage(self) -> None:
        """An outage is shown above the last known actions, in red."""
        lost = state_with(*THREE, outage_since=ago(130), problem="it answered 503\n(3 attempts)")
        lines = rendered(lost)

        assert lines[1] == "no usable answer for 2m 10s: it answered 503 (3 attempts)"
        assert lines[4].startswith("SMUpdateBDB")
        screen, terminal = screen_of(80)
        screen.draw(watched(state_with(outage_since=ago(5), problem="x"), screen, NOW))
        assert "31" in terminal.styles

    def test_missing(self) -> None:
        """A missing list is shown in whole words, on at most three lines."""
        missing = ("no tasks: " + "the cluster answered 403 " * 9,)
        lines = rendered(state_with(unavailable=missing), width=33)

        assert lines[1:] == [
            "no tasks: the cluster answered",
            "403 the cluster answered 403",
            "the cluster answered 403 the",
        ]

    def test_too_many(self) -> None:
        """In a low window ended actions are left out first, and counted."""
        ended = [action(f"e{n}", "x", "completed", age=n) for n in range(9)]
        slow = action("slow", "x", "active", age=5000)
        lines = rendered(state_with(*ended, slow), width=150, height=7)

        assert len(lines) == 6
        assert [line.split()[-1][len(UUID) :] for line in lines[3:5]] == ["e0", "slow"]
        assert lines[-1] == "and 8 more"

    @pytest.mark.parametrize("height", range(1, 8))
    @pytest.mark.parametrize("width", [1, 30, 80])
    def test_any_size(self, width: int, height: int) -> None:
        """The view is never larger than the terminal."""
        actions = [action(letter, "x", "active") for letter in "abcdef"]
        state = state_with(*actions, outage_since=ago(5), problem="p" * 200)
        lines = rendered(state, width=width, height=height)

        assert len(lines) <= max(1, height)

    def test_unknown_status(self) -> None:
        """Actions with an unknown status count as under way."""
        odd = action("a", "x", "sleeping")

        assert odd.phase is Phase.UNKNOWN
        assert rendered(state_with(odd))[0].startswith("1 of 1 under way")


def test_print_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of `list` goes to standard output."""
    monkeypatch.setenv("COLUMNS", "100")
    print_table(THREE)

    assert f"{UUID}1" in capsys.readouterr().out


@pytest.mark.parametrize("listening", [True, False])
def test_live_view(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, listening: bool
) -> None:
    """The live view fills the window, is drawn anew, and says if a key ends it."""
    monkeypatch.setenv("COLUMNS", "120")
    keyboard = Keyboard("q", list)
    monkeypatch.setattr(Keyboard, "listening", listening)
    with LiveView(EMPTY, keyboard) as view:
        view.show(state_with(*THREE))
        view.redraw()
    out = capsys.readouterr().out

    assert out.index("waiting for the first answer") < out.index("1 of 3 under way")
    assert out.count("1 of 3 under way") == 2
    assert (", q ends" in out) is listening
    assert out.startswith("\x1b[?1049h")
    assert "\x1b[?1049l" in out
