"""Tests of `_cli.listing.watch_view`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from redis_enterprise_actions import Action, Phase
from redis_enterprise_actions._cli.listing.query import Selection
from redis_enterprise_actions._cli.listing.table import RenderContext, display_width
from redis_enterprise_actions._cli.listing.watch_view import WatchState, describe_changes, render
from redis_enterprise_actions._model.action import phase_of
from tests.conftest import ACTIVE


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
EMPTY = WatchState(cluster="https://n1:9443", selection=Selection(), interval=5)


def ago(seconds: int) -> datetime:
    """Return a time."""
    return NOW - timedelta(seconds=seconds)


def action(uid: str, status: str = "active", *, begun: int = 60, **more: object) -> Action:
    """Return an action that began some seconds ago."""
    return msgspec.structs.replace(
        ACTIVE, uid=uid, status=status, phase=phase_of(status), creation_time=ago(begun), **more
    )


def state_with(*actions: Action, **more: object) -> WatchState:
    """Return a state with some actions, answered just now."""
    return msgspec.structs.replace(EMPTY, **{"actions": actions, "answered_at": NOW} | more)


def rendered(state: WatchState, *, width: int = 80, height: int = 24) -> list[str]:
    """Return the rendered lines."""
    return render(state, RenderContext(width=width, now=NOW), height)


class TestRender:
    """The lines of the live view."""

    def test_first(self) -> None:
        """Before the first answer the view says that it waits."""
        assert rendered(EMPTY) == ["https://n1:9443: waiting for the first answer", ""]

    def test_nothing(self) -> None:
        """The view of an idle cluster says that there are no actions."""
        assert rendered(state_with()) == [
            "no actions, seen 0s ago, every 5s at https://n1:9443",
            "",
        ]

    def test_head(self) -> None:
        """The header has the number of actions, and the age of the answer."""
        head, empty, *rows = rendered(
            state_with(action("a"), action("b", "failed"), answered_at=ago(7))
        )

        assert head == "1 of 2 under way, seen 7s ago, every 5s at https://n1:9443"
        assert empty == ""
        assert len(rows) == 3

    def test_late(self) -> None:
        """The header says that an answer is late, before this is an outage."""
        assert rendered(state_with(answered_at=ago(8)))[0].endswith("every 5s at https://n1:9443")
        assert (
            rendered(state_with(answered_at=ago(9)))[0]
            == "no actions, seen 9s ago, no answer since"
        )

    def test_selection(self) -> None:
        """Only matching actions are shown, newest first."""
        chosen = Selection(statuses=frozenset({"running"}))
        state = state_with(action("old", begun=90), action("x", "failed"), action("new", begun=9))
        _, _, _, *rows = rendered(msgspec.structs.replace(state, selection=chosen), width=140)

        assert [row.split()[-1] for row in rows] == ["new", "old"]

    def test_outage(self) -> None:
        """An outage is shown above the last known actions."""
        lost = state_with(
            action("a"), outage_since=ago(130), problem="it answered 503\n(3 attempts)"
        )
        lines = rendered(lost)

        assert lines[1] == "no usable answer for 2m 10s: it answered 503 (3 attempts)"
        assert lines[-1].startswith("SMUpdateBDB")

    def test_missing(self) -> None:
        """A missing list is shown in whole words, on at most three lines."""
        lines = rendered(
            state_with(unavailable=("no tasks: " + "the cluster answered 403 " * 9,)), width=30
        )

        assert lines[1:4] == [
            "no tasks: the cluster answered",
            "403 the cluster answered 403",
            "the cluster answered 403 the",
        ]
        assert lines[4:] == [""]

    def test_too_many(self) -> None:
        """In a low window ended actions are left out first, and counted."""
        ended = [action(f"e{n}", "completed", begun=n) for n in range(9)]
        lines = rendered(state_with(*ended, action("slow", begun=5000)), width=140, height=6)

        assert len(lines) == 6
        assert [line.split()[-1] for line in lines[3:]] == ["e0", "slow", "more"]
        assert lines[-1] == "and 8 more"

    @pytest.mark.parametrize("height", range(8))
    @pytest.mark.parametrize("width", [30, 80])
    def test_any_size(self, width: int, height: int) -> None:
        """The view is never larger than the terminal."""
        state = state_with(*map(action, "abcdef"), outage_since=ago(5), problem="p" * 200)
        lines = rendered(state, width=width, height=height)

        assert len(lines) <= height
        assert all(display_width(line) <= width for line in lines)

    def test_colour(self) -> None:
        """Problems are red."""
        state = state_with(outage_since=ago(5), problem="it is down")
        lines = render(state, RenderContext(width=80, now=NOW, colour=True), 24)

        assert lines[1] == "\x1b[31mno usable answer for 5s: it is down\x1b[0m"


class TestDescribeChanges:
    """The lines of a log."""

    def test_first(self) -> None:
        """The first answer has a line for each matching action, oldest first."""
        assert describe_changes(
            EMPTY, state_with(action("new", begun=1), action("old", begun=9))
        ) == [
            "SMUpdateBDB: active [old]",
            "SMUpdateBDB: active [new]",
        ]

    def test_nothing_new(self) -> None:
        """An action without a visible change has no line, whatever its heartbeat."""
        assert (
            describe_changes(state_with(action("a")), state_with(action("a", heartbeat=NOW))) == []
        )

    def test_change(self) -> None:
        """A changed action has a line."""
        changed = state_with(action("a", progress=5.0), action("b", "failed"))

        assert describe_changes(state_with(action("a"), action("b", "failed")), changed) == [
            "SMUpdateBDB: active, 5 % [a]"
        ]

    def test_out_of_the_selection(self) -> None:
        """The end of an action that matched has a line, even if ended ones do not match."""
        running = Selection(statuses=frozenset({"running"}))
        before = state_with(action("a"), action("b", "failed"), selection=running)
        after = state_with(action("a", "completed"), action("b", "aborted"), selection=running)

        assert describe_changes(before, after) == ["SMUpdateBDB: completed [a]"]

    def test_gone(self) -> None:
        """An action that is no longer listed has a line."""
        before = state_with(action("a"), action("b", name="x"), selection=Selection(name="SM*"))

        assert describe_changes(before, msgspec.structs.replace(before, actions=())) == [
            "SMUpdateBDB: not listed any more [a]"
        ]

    def test_outage(self) -> None:
        """The begin and the end of an outage have a line each."""
        well = state_with(action("a"))
        lost = state_with(action("a"), outage_since=ago(12), problem="503")

        assert describe_changes(well, lost) == ["no usable answer: 503"]
        assert describe_changes(lost, lost) == []
        assert describe_changes(lost, well) == ["answers again, after 12s"]

    def test_missing(self) -> None:
        """A missing list has one line."""
        missing = state_with(unavailable=("no tasks: 403",))

        assert describe_changes(state_with(), missing) == ["no tasks: 403"]
        assert describe_changes(missing, missing) == []
        assert describe_changes(missing, state_with()) == []


def test_phases() -> None:
    """Actions with an unknown status count as under way."""
    odd = action("a", "sleeping")

    assert odd.phase is Phase.UNKNOWN
    assert rendered(state_with(odd))[0].startswith("1 of 1 under way")
