"""Tests of `_cli.screen`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from redis_enterprise_actions._cli.output import OutputError
from redis_enterprise_actions._cli.screen import Screen, Title, grid
from tests.fake_terminal import TerminalFile, open_window


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TerminalFile]:
    """Return a function that opens a window with a line in it."""

    def window(width: int = 23, height: int = 24, encoding: str = "utf-8") -> TerminalFile:
        return open_window(monkeypatch, "$ before", width, height, encoding)

    return window


def resize(screen: Screen, file: TerminalFile, width: int) -> None:
    """Make the window wider or narrower."""
    file.terminal.resize(width)
    screen.console.size = (width, 24)  # type: ignore[assignment] # as its setter has it


def lines(*texts: str) -> RenderableType:
    """Return lines that are cut at the margin."""
    return Group(*[Text(text, no_wrap=True, overflow="crop") for text in texts])


@pytest.mark.parametrize(
    "frames",
    [
        [["a", "b"], ["c", "d"]],
        [["a long one", "b"], ["c", "d"]],
        [["a", "b", "c"], ["d"]],
        [["a"], ["b", "c", "d"]],
        [["a"], ["x" * 99]],
    ],
    ids=str,
)
def test_draw(window: Callable[..., TerminalFile], frames: Sequence[Sequence[str]]) -> None:
    """A drawing replaces the last one completely, and hides the cursor."""
    file = window()
    screen = Screen(file)
    for frame in frames:
        screen.draw(lines(*frame))

    assert file.terminal.screen == ["$ before", *[line[:20] for line in frames[-1]]]
    assert not file.terminal.cursor


def test_height(window: Callable[..., TerminalFile]) -> None:
    """A drawing is lower than the window, so that it does not scroll."""
    file = window(height=4)
    screen = Screen(file)
    for _ in range(3):
        screen.draw(lines(*"abcdef"))

    assert file.terminal.everything == ["$ before", "a", "b", "c"]


def test_write_above(window: Callable[..., TerminalFile]) -> None:
    """A line written above stays there, and is wrapped if it is long."""
    file = window()
    screen = Screen(file)
    screen.draw(lines("a", "b"))
    screen.write_above("this stays and is longer than the window", "yellow")
    screen.draw(lines("c"))

    assert file.terminal.screen == ["$ before", "this stays and is longe", "r than the window", "c"]
    assert "33" in file.terminal.styles


@pytest.mark.parametrize("final", [None, "end"])
@pytest.mark.parametrize("drawn", [True, False])
def test_close(window: Callable[..., TerminalFile], final: str | None, drawn: bool) -> None:
    """Closing leaves what is given, or nothing, and shows the cursor; a second time it is no-op."""
    file = window(height=5)
    screen = Screen(file)
    if drawn:
        screen.draw(lines("a", "b"))
    screen.close(None if final is None else lines(*[final] * 9))
    file.terminal.write("$ ")
    screen.close()

    assert file.terminal.everything == ["$ before", *([final] * 9 if final else []), "$"]
    assert file.terminal.cursor


@pytest.mark.parametrize("width", [7, 10, 19, 22, 23, 30])
def test_resized(window: Callable[..., TerminalFile], width: int) -> None:
    """In a resized window nothing of the last drawing is left, and lines above stay."""
    file = window(23)
    screen = Screen(file)
    screen.draw(lines("a line of 20 columns", "b" * 19))
    resize(screen, file, width)
    screen.draw(lines("c" * width, "d"))
    resize(screen, file, 23)
    screen.write_above("stays")
    screen.draw(lines("e", "f"))

    assert file.terminal.screen == ["$ before", "stays", "e", "f"]


def test_resized_at_the_end(window: Callable[..., TerminalFile]) -> None:
    """The same holds for what is left at the end."""
    file = window(23)
    screen = Screen(file)
    screen.draw(lines("a line of 20 columns"))
    resize(screen, file, 7)
    screen.close(lines("end"))

    assert file.terminal.screen == ["$ befor", "e", "end"]


def test_full(window: Callable[..., TerminalFile]) -> None:
    """A full screen is drawn from its upper left corner, and is left at the end."""
    file = window()
    screen = Screen(file, full=True)
    screen.draw(lines("a", "b"))
    assert file.terminal.alternate
    screen.console.size = (7, 24)  # type: ignore[assignment]
    screen.draw(lines("c", "d"))
    screen.close()

    assert not file.terminal.alternate
    assert file.terminal.cursor


def test_no_markup(window: Callable[..., TerminalFile]) -> None:
    """Text is neither markup nor a control sequence nor a command of a CI system."""
    file = window(60)
    screen = Screen(file)
    screen.draw(screen.text("[red]x[/red] :smile: \x1b[2J\n::error::x"))
    screen.write_above("::error::x")

    assert file.terminal.screen[1:] == [
        r"\::error::x",
        "[red]x[/red] :smile:  [2J ::error::x",
    ]


def test_no_command_where_a_text_is_folded(window: Callable[..., TerminalFile]) -> None:
    """A line that begins in the middle of a text is no command of a CI system."""
    file = window(15)
    screen = Screen(file)
    screen.draw(Text("words of it ::error::x", overflow="fold"))

    assert r"\::error::x" in file.terminal.screen


def test_encoding(window: Callable[..., TerminalFile]) -> None:
    """Characters that the terminal lacks are replaced, and a text is cut without a mark."""
    file = window(13, encoding="ascii")
    screen = Screen(file)
    screen.draw(Group(screen.cut("日本 is long enough"), Title(Text("a title of 16 on b"))))

    assert file.terminal.screen[1:] == ["?? is long", "a ti~ on b"]


@pytest.mark.parametrize(
    ("title", "width", "shown"),
    [
        ("update on bdb:1", 15, "update on bdb:1"),
        ("update on bdb:1", 14, "upda… on bdb:1"),
        ("update on bdb:1", 10, "update on…"),
        ("日本日本 on bdb:1", 15, "日本… on bdb:1"),
        ("日本日本", 6, "日本…"),
        ("long", 1, "…"),
    ],
)
def test_title(window: Callable[..., TerminalFile], title: str, width: int, shown: str) -> None:
    """A title that is too long keeps its object; cells count, not characters."""
    file = window(60)
    screen, table = Screen(file), grid()
    table.add_column(width=width)
    table.add_row(Title(Text(title)))
    screen.draw(table)

    assert file.terminal.screen[1].split() == shown.split()
    assert cell_len(shown) <= width


def test_bars(window: Callable[..., TerminalFile]) -> None:
    """A bar is as long as the progress; one without progress moves."""
    file = window(60)
    screen = Screen(file)
    for progress in (0.0, 50.0, 100.0):
        screen.draw(screen.bar(progress, "cyan", 0, 10))
        assert file.writes[-1].count("\x1b[36m") == (progress > 0)
    screen.draw(screen.bar(None, "cyan", 0.0, 10))
    first = file.writes[-1]
    screen.draw(screen.bar(None, "cyan", 0.1, 10))
    assert file.writes[-1] != first


def test_no_colour(window: Callable[..., TerminalFile], monkeypatch: pytest.MonkeyPatch) -> None:
    """With `NO_COLOR` there are no attributes at all."""
    file = window(60)
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen(file)
    screen.draw(Group(Text("x", "bold red"), screen.bar(50, "cyan", 0, 10)))

    assert file.terminal.styles == set()


def test_lost_terminal(window: Callable[..., TerminalFile]) -> None:
    """A terminal that cannot be written to is an `OutputError`, at each step."""
    file = window()
    screen = Screen(file)
    screen.draw("a")

    def fail(_: str) -> int:
        raise OSError(5, "Input/output error")

    file.write = fail  # type: ignore[method-assign]
    for step in (lambda: screen.draw("b"), lambda: screen.write_above("c"), screen.close):
        with pytest.raises(OutputError):
            step()


class StubKeyboard:
    """Keyboard that records what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def release(self) -> None:
        """Record the call."""
        self.calls.append("release")

    def listen(self) -> None:
        """Record the call."""
        self.calls.append("listen")


@posix
@pytest.mark.parametrize("has_keyboard", [True, False])
async def test_stopped(
    window: Callable[..., TerminalFile], monkeypatch: pytest.MonkeyPatch, has_keyboard: bool
) -> None:
    """Ctrl-Z leaves the drawing and shows the cursor; afterwards it is drawn anew, below."""
    file, keyboard = window(), StubKeyboard()
    screen = Screen(file, keyboard=keyboard if has_keyboard else None)  # type: ignore[arg-type]
    screen.draw(lines("a", "b"))
    stopped: list[int] = []

    def stop(pid: int, signum: int) -> None:
        assert pid == os.getpid()
        stopped.append(signum)
        assert file.terminal.cursor
        assert signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL
        file.terminal.write("[1]+ Stopped\n")

    with monkeypatch.context() as patch:
        real = os.kill
        patch.setattr(os, "kill", stop)
        real(os.getpid(), signal.SIGTSTP)
        await asyncio.sleep(0.1)
    assert stopped == [signal.SIGTSTP]
    assert file.terminal.screen == ["$ before", "a", "b", "[1]+ Stopped", "a", "b"]
    assert not file.terminal.cursor
    assert keyboard.calls == (["release", "listen"] if has_keyboard else [])
    screen.close()
    assert signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL


@posix
async def test_stop_is_ignored(window: Callable[..., TerminalFile]) -> None:
    """Where Ctrl-Z is ignored, it stays so."""
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        screen = Screen(window())
        screen.draw("a")
        assert signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
        screen.close()
    finally:
        signal.signal(signal.SIGTSTP, before)
