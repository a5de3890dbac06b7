"""Layout of the help of the command and its subcommands.

argparse's own layout has the usage first and the examples last, and differs between versions of
Python.
"""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

TOPICS: Final = ("connection", "exit-codes", "references")  # of `redis-actions help`
CONNECTION: Final = "connection"  # title of the group of options that is a topic of its own
_MAX_WIDTH: Final = 100  # characters: longer lines are hard to read
_MIN_WIDTH: Final = 20
_NARROW: Final = 60  # in narrower terminals, descriptions have lines of their own
TIME: Final = "TIME is a number of seconds, or as in 500ms, 30s, 15m, 1h30m, 1d."
_COLUMN: Final = 24  # the most that names take in front of their descriptions

# Exit codes of commands that ask a cluster, and of the other ones.
CLUSTER_CODES: Final[Mapping[int, str]] = {
    0: "success",
    2: "wrong usage",
    5: "the cluster could not be asked, or refused",
}
LOCAL_CODES: Final[Mapping[int, str]] = {0: "success", 2: "wrong usage"}


class HelpText(NamedTuple):
    """Texts of a command's help, as `CommandParser.describe` takes them."""

    sentence: str = ""
    examples: Sequence[str] = ()
    exit_codes: Mapping[int, str] = LOCAL_CODES
    notes: str = ""
    rare: Container[str] = ()


class Table(NamedTuple):
    """Titled table of names and their descriptions."""

    title: str
    rows: Sequence[tuple[str, str]]


def command_help(
    prog: str,
    text: HelpText,
    groups: Iterable[tuple[str, Iterable[argparse.Action]]],
    commands: Sequence[tuple[str, str]],
) -> str:
    """Return the help of a command.

    It has the sentence, the examples, the usage, the arguments and options, the notes, and the exit
    codes. `groups` are titles of groups of arguments, with the arguments; `commands` are the names
    of subcommands, with a summary of each. The options in `text.rare` are left out.
    """
    program, _, name = prog.partition(" ")
    visible = {
        title: [each for each in arguments if _is_visible(each)] for title, arguments in groups
    }
    connects = bool(visible.pop(CONNECTION, []))
    arguments = [each for several in visible.values() for each in several]
    rare = [each for each in arguments if any(flag in text.rare for flag in each.option_strings)]
    words = [spelling(each) for each in arguments if not each.option_strings]
    words += ["COMMAND"] if commands else []
    words += ["[OPTIONS]"] if connects or len(words) < len(arguments) else []
    tables = [
        Table(title, rows_of(each for each in several if each not in rare))
        for title, several in visible.items()
    ]
    takes_time = any(each.metavar == "TIME" and each not in rare for each in arguments)
    codes = ", ".join(f"{code} {meaning}" for code, meaning in text.exit_codes.items())
    last = [TIME] if takes_time else []
    if rare:
        last.append(f"More options: {program} help {name} --all")
    if connects:
        last.append(f"Connection, and --capture: {program} help connection")
    last.append(f"Exit codes: {codes}; others: {program} help exit-codes")
    return page(
        text.sentence,
        _examples(text.examples),
        f"Usage: {' '.join([prog, *words])}",
        *tables,
        Table("commands", commands),
        text.notes,
        "\n".join(last),
    )


def page(*blocks: str | Table) -> str:
    """Return blocks with a blank line between them, wrapped to the width of the terminal.

    In a text, lines that begin with a space are kept as they are.
    """
    from shutil import get_terminal_size  # noqa: PLC0415 - slow, and Tab does not need it

    width = min(max(get_terminal_size().columns, _MIN_WIDTH), _MAX_WIDTH)
    parts = [
        _table_lines(block, width) if isinstance(block, Table) else _text_lines(block, width)
        for block in blocks
    ]
    return "\n".join("".join(f"{line}\n" for line in lines) for lines in parts if lines)


def rows_of(arguments: Iterable[argparse.Action]) -> list[tuple[str, str]]:
    """Return the rows of a table of arguments."""
    return [
        (spelling(each), (each.help or "").replace("%%", "%"))  # argparse formats it with `%`
        for each in arguments
        if _is_visible(each)
    ]


def spelling(argument: argparse.Action) -> str:
    """Return an argument as it is written, such as `[REF ...]` or `-o, --output WORD`."""
    name = argument.metavar or argument.dest.upper()
    if argument.option_strings:
        value = "" if argument.nargs == 0 else f" {name}"
        return f"{', '.join(sorted(argument.option_strings, key=len))}{value}"
    shapes = {"*": "[{0} ...]", "+": "{0} [{0} ...]", "?": "[{0}]"}
    return shapes.get(str(argument.nargs), "{0}").format(name)


def _is_visible(argument: argparse.Action) -> bool:
    """Return True for an argument that the help lists. Subcommands are not among these."""
    return argument.help not in {argparse.SUPPRESS, None} and argument.dest != "help"


def _examples(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _text_lines(text: str, width: int) -> list[str]:
    return [
        wrapped
        for line in text.splitlines()
        for wrapped in ([line] if line.startswith(" ") else _wrap(line, width) or [""])
    ]


def _table_lines(table: Table, width: int) -> list[str]:
    if not table.rows:
        return []
    column = 4 + min(max(len(name) for name, _ in table.rows), _COLUMN)
    column = column if width >= _NARROW else 6
    lines = [f"{table.title[:1].upper()}{table.title[1:]}:"]
    for name, text in table.rows:
        first, *more = _wrap(text, width - column) or [""]
        if len(name) + 4 > column:
            lines += [f"  {name}", f"{' ' * column}{first}"]
        else:
            lines.append(f"  {name:<{column - 2}}{first}")
        lines += [f"{' ' * column}{line}" for line in more]
    return lines


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)
