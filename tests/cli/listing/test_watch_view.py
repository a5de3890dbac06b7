"""Facts about `_scene`: what a watcher sees, and what is told of changes."""

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
    """Return one that began some seconds ago."""
    return msgspec.structs.replace(
        ACTIVE, uid=uid, status=status, phase=phase_of(status), creation_time=ago(begun), **more
    )


def scene(*actions: Action, **more: object) -> WatchState:
    """Return what is seen of some actions, just now."""
    return msgspec.structs.replace(EMPTY, **{"actions": actions, "answered_at": NOW} | more)


def seen(what: WatchState, *, width: int = 80, height: int = 24) -> list[str]:
    """Return what is drawn of it."""
    return render(what, RenderContext(width=width, now=NOW), height)


class TestDrawn:
    """The live view."""

    def test_first(self) -> None:
        """Before the first answer it says what it does."""
        assert seen(EMPTY) == ["https://n1:9443: looking ...", ""]

    def test_nothing(self) -> None:
        """An idle cluster is no empty screen."""
        assert seen(scene()) == ["nothing to show, seen 0s ago, every 5s at https://n1:9443", ""]

    def test_head(self) -> None:
        """The head counts, and tells how old what is shown is."""
        head, empty, *rows = seen(scene(action("a"), action("b", "failed"), answered_at=ago(7)))

        assert head == "1 of 2 under way, seen 7s ago, every 5s at https://n1:9443"
        assert empty == ""
        assert len(rows) == 3

    def test_late(self) -> None:
        """An answer that is late is said to be so, before it is known to be an outage."""
        assert seen(scene(answered_at=ago(8)))[0].endswith("every 5s at https://n1:9443")
        assert seen(scene(answered_at=ago(9)))[0] == "nothing to show, seen 9s ago, no answer since"

    def test_selection(self) -> None:
        """Only what is selected is shown, newest first."""
        chosen = Selection(statuses=frozenset({"running"}))
        what = scene(action("old", begun=90), action("x", "failed"), action("new", begun=9))
        _, _, _, *rows = seen(msgspec.structs.replace(what, selection=chosen), width=140)

        assert [row.split()[-1] for row in rows] == ["new", "old"]

    def test_outage(self) -> None:
        """An outage is shown as such, above what was last known."""
        lost = scene(action("a"), outage_since=ago(130), problem="it answered 503\n(3 attempts)")
        lines = seen(lost)

        assert lines[1] == "no usable answer for 2m: it answered 503 (3 attempts)"
        assert lines[-1].startswith("SMUpdateBDB")

    def test_missing(self) -> None:
        """So is what is missing, in whole words and three lines at most."""
        lines = seen(scene(unavailable=("no tasks: " + "the cluster answered 403 " * 9,)), width=30)

        assert lines[1:4] == [
            "no tasks: the cluster answered",
            "403 the cluster answered 403",
            "the cluster answered 403 the",
        ]
        assert lines[4:] == [""]

    def test_too_many(self) -> None:
        """Where it is low, what has ended gives way first, and the rest is counted."""
        ended = [action(f"e{n}", "completed", begun=n) for n in range(9)]
        lines = seen(scene(*ended, action("slow", begun=5000)), width=140, height=6)

        assert len(lines) == 6
        assert [line.split()[-1] for line in lines[3:]] == ["e0", "slow", "more"]
        assert lines[-1] == "and 8 more"

    @pytest.mark.parametrize("height", range(8))
    @pytest.mark.parametrize("width", [30, 80])
    def test_any_size(self, width: int, height: int) -> None:
        """It is never larger than the terminal."""
        what = scene(*map(action, "abcdef"), outage_since=ago(5), problem="p" * 200)
        lines = seen(what, width=width, height=height)

        assert len(lines) <= height
        assert all(display_width(line) <= width for line in lines)

    def test_colour(self) -> None:
        """What is in the way is red."""
        what = scene(outage_since=ago(5), problem="it is down")
        lines = render(what, RenderContext(width=80, now=NOW, colour=True), 24)

        assert lines[1] == "\x1b[31mno usable answer for 5s: it is down\x1b[0m"


class TestTold:
    """What a log is told."""

    def test_first(self) -> None:
        """The first look tells all that is selected, the oldest first."""
        assert describe_changes(EMPTY, scene(action("new", begun=1), action("old", begun=9))) == [
            "SMUpdateBDB: active [old]",
            "SMUpdateBDB: active [new]",
        ]

    def test_nothing_new(self) -> None:
        """What is as it was is not told again, whatever its heartbeat."""
        assert describe_changes(scene(action("a")), scene(action("a", heartbeat=NOW))) == []

    def test_change(self) -> None:
        """What has changed is."""
        changed = scene(action("a", progress=5.0), action("b", "failed"))

        assert describe_changes(scene(action("a"), action("b", "failed")), changed) == [
            "SMUpdateBDB: active, 5 % [a]"
        ]

    def test_out_of_the_selection(self) -> None:
        """The end of what was selected is told, even if what has ended is not selected."""
        running = Selection(statuses=frozenset({"running"}))
        before = scene(action("a"), action("b", "failed"), selection=running)
        after = scene(action("a", "completed"), action("b", "aborted"), selection=running)

        assert describe_changes(before, after) == ["SMUpdateBDB: completed [a]"]

    def test_gone(self) -> None:
        """So is that something is not listed any more."""
        before = scene(action("a"), action("b", name="x"), selection=Selection(name="SM*"))

        assert describe_changes(before, msgspec.structs.replace(before, actions=())) == [
            "SMUpdateBDB: not listed any more [a]"
        ]

    def test_outage(self) -> None:
        """An outage is told when it begins, and when it ends."""
        well = scene(action("a"))
        lost = scene(action("a"), outage_since=ago(12), problem="503")

        assert describe_changes(well, lost) == ["no usable answer: 503"]
        assert describe_changes(lost, lost) == []
        assert describe_changes(lost, well) == ["answers again, after 12s"]

    def test_missing(self) -> None:
        """What is missing is told once."""
        missing = scene(unavailable=("no tasks: 403",))

        assert describe_changes(scene(), missing) == ["no tasks: 403"]
        assert describe_changes(missing, missing) == []
        assert describe_changes(missing, scene()) == []


def test_phases() -> None:
    """What is under way is what has not ended, an unknown word included."""
    odd = action("a", "sleeping")

    assert odd.phase is Phase.UNKNOWN
    assert seen(scene(odd))[0].startswith("1 of 1 under way")
