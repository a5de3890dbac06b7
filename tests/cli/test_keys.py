"""Tests of `_cli.keys`."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time
from typing import TYPE_CHECKING, TextIO

import pytest

from redis_enterprise_actions._cli.keys import Keyboard


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

if sys.platform == "win32":
    pytest.skip("Windows has no such terminals", allow_module_level=True)
else:
    import termios


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, TextIO]]:
    """A terminal as standard input, in whose foreground this process is: its other side first."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, encoding="utf-8") as keyboard:
        monkeypatch.setattr(sys, "stdin", keyboard)
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
        yield ours, keyboard
    os.close(ours)


def settings(file: TextIO) -> list[object]:
    """Return the settings of a terminal."""
    return list(termios.tcgetattr(file))


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds. The loop's clock is virtual, and that of terminals is not."""
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.01)


async def test_key(terminal: tuple[int, TextIO]) -> None:
    """The key calls the function at once, other keys do not, and the terminal is restored."""
    ours, keyboard = terminal
    before, calls = settings(keyboard), []
    with Keyboard("q", lambda: calls.append(1)) as keys:
        assert keys.listening
        assert settings(keyboard) != before
        for text, count in (("x", 0), ("q", 1), ("aqb", 2)):
            os.write(ours, text.encode())
            await until(lambda expected=count: len(calls) >= expected)
        assert len(calls) == 2

    assert not keys.listening
    assert settings(keyboard) == before


async def test_other_key(terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another key alone has no effect."""
    _, keyboard = terminal
    with Keyboard("q", lambda: pytest.fail("it is another key")) as keys:
        monkeypatch.setattr(os, "read", lambda *_: b"x")
        keys._read(keyboard.fileno())


async def test_released(terminal: tuple[int, TextIO]) -> None:
    """Between `release` and `listen` the terminal is as it was."""
    _, keyboard = terminal
    before = settings(keyboard)
    with Keyboard("q", list) as keys:
        during = settings(keyboard)
        keys.release()
        assert settings(keyboard) == before
        keys.release()
        keys.listen()
        assert settings(keyboard) == during


async def test_terminal_is_gone(
    terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal that is gone has no more keys, and needs no restoring."""
    ours, keyboard = terminal
    reads: list[int] = []

    def fail(*_: object) -> None:
        raise termios.error

    def read(*_: object) -> bytes:
        reads.append(1)
        return b""

    with Keyboard("q", lambda: pytest.fail("no key was pressed")):
        with monkeypatch.context() as patch:
            patch.setattr(os, "read", read)
            os.write(ours, b"q")
            await until(lambda: bool(reads))
        assert not asyncio.get_running_loop().remove_reader(keyboard.fileno())
        monkeypatch.setattr(termios, "tcsetattr", fail)


async def test_unreadable(terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyboard that cannot be read has no more keys."""
    ours, keyboard = terminal
    reads: list[int] = []

    def fail(*_: object) -> bytes:
        reads.append(1)
        raise OSError(5, "Input/output error")

    with Keyboard("q", lambda: pytest.fail("no key was pressed")):
        with monkeypatch.context() as patch:
            patch.setattr(os, "read", fail)
            os.write(ours, b"q")
            await until(lambda: bool(reads))
        assert not asyncio.get_running_loop().remove_reader(keyboard.fileno())


@pytest.mark.parametrize("case", ["background", "no terminal", "closed", "not controlling"])
async def test_no_keyboard(
    terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """In the background, and without a terminal, nothing is changed."""
    _, keyboard = terminal
    before = settings(keyboard)
    if case == "background":
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
    elif case == "no terminal":
        monkeypatch.setattr(sys, "stdin", io.StringIO())
    elif case == "closed":
        monkeypatch.setattr(sys, "stdin", None)
    else:
        monkeypatch.undo()
        monkeypatch.setattr(sys, "stdin", keyboard)  # the terminal of no session
    with Keyboard("q", list) as keys:
        assert not keys.listening
        assert settings(keyboard) == before
