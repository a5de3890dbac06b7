"""Tests of `_cli.listing.watch_view`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from redis_enterprise_actions._cli.listing.query import Selection
from redis_enterprise_actions._cli.listing.watch_view import WatchState, describe_changes
from redis_enterprise_actions._model.action import phase_of
from tests.conftest import ACTIVE


if TYPE_CHECKING:
    from redis_enterprise_actions import Action

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
