"""Facts about the board: what events add up to."""

from __future__ import annotations

from redis_enterprise_actions._cli.wait.events import Began, Outage
from redis_enterprise_actions._cli.wait.progress import Board, counted
from tests.told import REFS, REFUSED, STORY, at


def after(number: int) -> Board:
    """Return how everything stands after some events of the story."""
    board = Board()
    for event in STORY[:number]:
        board.take(event)
    return board


def test_beginning() -> None:
    """In the beginning all are waited for, by the names that were given."""
    board = after(2)

    assert [each.ref for each in board.waiting] == list(REFS)
    assert [each.title for each in board.waiting] == list(REFS)
    assert board.waiting[0].told == "action:a1: not seen yet"


def test_changes() -> None:
    """An action is known by what is done to what as soon as it was seen."""
    board = after(6)

    titles = [each.title for each in board.waiting]
    assert titles == ["SMUpdateBDB on bdb:1", "maintenance_on on node:1", "crdb:t2"]


def test_outage() -> None:
    """An outage is as long as it was when it was told, and what has passed since then."""
    board = after(7)

    assert board.outage_at(50) == 4 + 8
    assert board.reason == "it answered 503"
    assert board.alive(at(50)).outage == 12


def test_outage_is_over() -> None:
    """Those that are over are kept."""
    board = after(9)

    assert board.outage_at(140) is None
    assert [outage.seconds for outage in board.outages] == [92]


def test_own_trouble() -> None:
    """What cannot be asked about alone is no outage of all; nor is what nobody waits for."""
    board = after(10)
    board.take(Outage(**at(131), over=False, seconds=1.0, reason="x", ref="crdb:other"))

    troubled = [each.ref for each in board.waiting if each.trouble is not None]
    assert troubled == ["crdb:t2"]
    assert board.outage_at(131) is None


def test_end() -> None:
    """In the end nothing is waited for, and all ends are counted."""
    board = after(len(STORY))

    assert board.waiting == []
    assert [end.outcome for end in board.ends] == ["completed", "failed"]
    assert [left.ref for left in board.left] == ["crdb:t2"]
    assert counted(board.counts, 1) == "1 completed, 1 failed, 1 no longer waited for"


def test_call() -> None:
    """A call that was not taken is the only end that there is."""
    board = Board()
    for event in REFUSED:
        board.take(event)

    assert board.counts == {"rejected": 1}


def test_nothing() -> None:
    """Where there is nothing, that is said."""
    board = Board()
    board.take(Began(**at(0), refs=()))

    assert counted(board.counts, 0) == "nothing to wait for"
