"""Emulator of a terminal, for the control sequences that the command and rich use.

A narrower window wraps its lines, and a wider one unwraps them, as most terminals do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO


if TYPE_CHECKING:
    import pytest

_SEQUENCE = re.compile(r"\x1b\[(\??)(\d*(?:;\d+)*)([A-Za-z])")


@dataclass
class Row:
    """A row. It is `wrapped` if its line goes on in the next row."""

    cells: list[str] = field(default_factory=list)
    wrapped: bool = False


@dataclass
class FakeTerminal:
    """A window with its scrollback."""

    width: int = 80
    height: int = 24
    rows: list[Row] = field(default_factory=lambda: [Row()])
    at: tuple[int, int] = (0, 0)  # row, among all rows, and column of the cursor
    cursor: bool = True
    wraps: bool = True
    alternate: bool = False
    styles: set[str] = field(default_factory=set)

    @property
    def screen(self) -> list[str]:
        """The rows of the window, without trailing blanks and empty rows."""
        shown = ["".join(row.cells).rstrip() for row in self.rows[self.top :]]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    @property
    def everything(self) -> list[str]:
        """The rows of the scrollback and of the window."""
        return ["".join(row.cells).rstrip() for row in self.rows[: self.top]] + self.screen

    @property
    def top(self) -> int:
        """The index of the first row in the window."""
        return max(0, len(self.rows) - self.height)

    def write(self, text: str) -> None:
        """Show text, in which a line feed includes a carriage return."""
        while text:
            match = _SEQUENCE.match(text)
            if match is not None:
                self._control(*match.groups())
                text = text[match.end() :]
                continue
            self._put(text[0])
            text = text[1:]

    def resize(self, width: int) -> None:
        """Make the window wider or narrower."""
        lines: list[list[str]] = [[]]
        for row in self.rows:
            lines[-1] += row.cells
            if not row.wrapped:
                lines.append([])
        below = self.rows[self.at[0] + 1 :]
        assert not any(row.cells for row in below), "the cursor stands in the lowest line"
        self.rows = []
        for line in lines[: len(lines) - 1 - len(below)]:
            parts = [line[i : i + width] for i in range(0, len(line), width)] or [[]]
            self.rows += [Row(part, wrapped=True) for part in parts[:-1]] + [Row(parts[-1])]
        self.at = (len(self.rows) - 1, len(self.rows[-1].cells))
        self.width = width

    def _put(self, char: str) -> None:
        row = self.at[0]
        if char == "\r":
            self.at = (row, 0)
        elif char == "\n":
            self.rows += [Row()] * 0 if row + 1 < len(self.rows) else [Row()]
            self.at = (row + 1, 0)
        else:
            assert char.isprintable(), repr(char)
            self._print(char)

    def _print(self, char: str) -> None:
        row, column = self.at
        if column == self.width:
            if not self.wraps:
                return
            self.rows[row].wrapped = True
            self._put("\n")
            row, column = self.at
        cells = self.rows[row].cells
        cells += [" "] * (column - len(cells))
        cells[column : column + 1] = [char]
        self.at = (row, column + 1)

    def _control(self, private: str, number: str, letter: str) -> None:
        row, column = self.at
        if private:
            mode = {"25": "cursor", "7": "wraps", "1049": "alternate"}[number]
            setattr(self, mode, {"h": True, "l": False}[letter])
        elif letter == "H":
            self.at = (self.top, 0)
        elif letter == "A":
            self.at = (max(self.top, row - int(number or 1)), column)
        elif letter == "K":
            del self.rows[row].cells[0 if number == "2" else column :]
        elif letter == "J":
            del self.rows[row].cells[column:]
            self.rows[row].wrapped = False
            for below in self.rows[row + 1 :]:
                below.cells, below.wrapped = [], False
        else:
            assert letter == "m", letter
            self.styles.add(number)


class TerminalFile(TextIO):
    """File on a fake terminal."""

    def __init__(self, terminal: FakeTerminal, encoding: str = "utf-8") -> None:
        self.terminal = terminal
        self._encoding = encoding
        self.writes: list[str] = []

    @property
    def encoding(self) -> str:
        """The encoding of the terminal."""
        return self._encoding

    def write(self, text: str) -> int:
        """Show text."""
        text.encode(self._encoding)
        self.writes.append(text)
        self.terminal.write(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing."""

    def isatty(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Raise the error of a file that no operating system knows."""
        raise OSError


def open_window(
    monkeypatch: pytest.MonkeyPatch, line: str, width: int, height: int, encoding: str
) -> TerminalFile:
    """Return a new window with a line in it, whose size the environment has."""
    file = TerminalFile(FakeTerminal(width=width, height=height), encoding)
    file.write(f"{line}\n")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", str(height))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return file
