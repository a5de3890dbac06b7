"""Facts about plain lines: what each event says, and that no text of the cluster breaks one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions._cli.wait.events import Alive, Began, Done, Outage, Warned
from redis_enterprise_actions._cli.wait.plain import Plain, words
from redis_enterprise_actions._cli.wait.progress import Board
from tests.conftest import examples
from tests.told import ALREADY, REFUSED, RUNS, STORY, WAITING, at, golden, tell


@pytest.mark.parametrize(
    ("name", "story"), [("story", STORY), ("refused", REFUSED), ("already", ALREADY)]
)
def test_golden(name: str, story: list[object]) -> None:
    """A story is told as it ever was: a line for each event, with its time."""
    lines: list[str] = []
    tell(Plain(lines.append), story)  # type: ignore[arg-type]
    text = "".join(f"{line}\n" for line in lines)

    assert text == golden(f"plain-{name}.txt", text)
    assert all(line.isprintable() for line in lines)


def test_one_end_is_enough() -> None:
    """Where one wait has ended and nothing else is to be said, its end is the last line."""
    done = Done(**at(1), exit_code=0, ended={"completed": 1}, left=0, why=None)

    assert words(done, Board()) is None


def test_no_reason() -> None:
    """An outage without a reason has words, too."""
    outage = Outage(**at(1), over=False, seconds=1.0, reason=None, ref=None)

    said = "no usable answer for 1.0 s: why is not known; asking again"
    assert words(outage, Board()) == said


def test_many() -> None:
    """Of many that are still waited for, three are named."""
    alive = Alive(**at(60), waiting=(RUNS, WAITING, RUNS, RUNS, RUNS), outage=None)
    board = Board()
    board.take(Began(**at(0), refs=("a", "b", "c", "d", "e", "f")))

    runs = "SMUpdateBDB on bdb:1: active, 28.57 %"
    said = f"still waiting for 5 of 6: {runs}; crdb:t2: not seen yet; {runs}; +2 more"
    assert words(alive, board) == said


def test_nothing_is_drawn() -> None:
    """Lines stay as they are."""
    lines: list[str] = []
    Plain(lines.append).draw(1.0, Board())

    assert lines == []


@settings(max_examples=examples(50))
@given(st.text())
def test_strange_text(text: str) -> None:
    """Whatever the cluster says, it breaks no line and moves no cursor."""
    lines: list[str] = []
    Plain(lines.append).show(Warned(**at(0), message=text), Board())

    (line,) = lines
    assert line.isprintable()
