"""Facts about lines that are drawn again and again: where they stand, and that none is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.wait.bars import RenderedLine, Screen
from tests.fake_terminal import FakeTerminal


if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> FakeTerminal:
    """A terminal with something in it, which is standard output."""
    terminal = FakeTerminal(width=20, height=8)
    terminal.write("$ before\n")
    monkeypatch.setattr("redis_enterprise_actions._cli.wait.bars._write", terminal.write)
    return terminal


def lines(*texts: str) -> list[RenderedLine]:
    """Return lines."""
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
def test_drawn_over(terminal: FakeTerminal, frames: Sequence[Sequence[str]]) -> None:
    """What is drawn stands where the last drawing stood, and nothing of that is left."""
    screen = Screen()
    for frame in frames:
        screen.draw(lines(*frame), 20)

    assert terminal.screen == ["$ before", *frames[-1]]
    assert not terminal.cursor
    assert terminal.wraps


def test_put(terminal: FakeTerminal) -> None:
    """What is put stays above what is drawn next, folded if it is long."""
    screen = Screen()
    screen.draw(lines("a", "b"), 20)
    screen.write_above("this stays and is longer than the window", 20)
    screen.draw(lines("c"), 20)

    assert terminal.screen == ["$ before", "this stays and is lo", "nger than the window", "c"]


def test_close(terminal: FakeTerminal) -> None:
    """In the end all of it is gone, and the cursor is back, once."""
    screen = Screen()
    screen.draw(lines("a", "b"), 20)
    screen.close(20)
    terminal.write("$ ")
    screen.close(20)

    assert terminal.screen == ["$ before", "$"]
    assert terminal.cursor


@pytest.mark.parametrize("width", [7, 10, 19, 20, 30])
def test_resized(terminal: FakeTerminal, width: int) -> None:
    """In a window that was resized, nothing is left, and what stood above still does."""
    terminal.height = 24
    screen = Screen()
    screen.draw(lines("a line of 20 columns", "b" * 19), 20)
    terminal.resize(width)
    screen.draw(lines("c" * (width - 1), "d"), width)
    terminal.resize(20)
    screen.draw(lines("e", "f"), 20)

    assert terminal.screen == ["$ before", "e", "f"]


def test_resized_unnoticed(terminal: FakeTerminal) -> None:
    """Even if it is drawn to in between, as terminals tell late of their size."""
    terminal.height = 24
    screen = Screen()
    frame = lines("a line of 20 columns", "b" * 19)
    screen.draw(frame, 20)
    terminal.resize(7)
    for _ in range(3):
        screen.draw(frame, 20)
    screen.draw(lines("c", "d"), 7)

    assert terminal.screen == ["$ befor", "e", "c", "d"]


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """It goes to standard output, at once."""
    Screen().write_above("x", 80)

    assert capsys.readouterr().out == "\r\x1b[Jx\n"
