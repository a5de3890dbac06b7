"""Parser of the command line: the options of all commands, the commands, and their arguments."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Final

from .commands import COMMANDS, Group
from .completion import answer_completion, is_completing
from .connection_options import add_connection_options
from .help import Table, page
from .output import write_output
from .parser import CommandParser


if TYPE_CHECKING:
    from collections.abc import Container, Sequence

_SENTENCE: Final = (
    "Start long-running operations on a Redis Software (Redis Enterprise) cluster, and wait until "
    "they have ended."
)
_EXAMPLES: Final = """\
  redis-actions databases upgrade 1
  redis-actions wait --status running --timeout 30m
  redis-actions demo"""
_POINTERS: Final = """\
redis-actions help COMMAND shows the options and examples of a command.
redis-actions help connection lists the options and environment variables that say which cluster \
to connect to; these options may also stand in front of the command."""


class _TopParser(CommandParser):
    """Parser of the command itself."""

    def format_help(self) -> str:
        """Return one screen: a sentence, examples, the commands in groups, and pointers."""
        tables = [
            Table(group.value, [(it.name, it.summary) for it in COMMANDS if it.group is group])
            for group in Group
            if group is not Group.HELP
        ]
        return page(_SENTENCE, _EXAMPLES, *tables, _POINTERS)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line, by default that of the process. Exit with 2 on wrong usage.

    `handler` is the function that runs the command, as the table of commands names it.
    """
    if is_completing():
        answer_completion(build_parser(os.environ.get("COMP_LINE", "").split()))
    words = sys.argv[1:] if argv is None else list(argv)
    top = build_parser(words)
    args, rest = top.parse_known_args(words or ["--help"])
    parser: CommandParser = args.parser
    if rest:
        parser.refuse_rest(rest)
    problem = None if args.check is None else args.check(args)
    if problem is not None:
        parser.error(problem)
    return args


def build_parser(words: Container[str] | None = None) -> CommandParser:
    """Return the parser of the command and its subcommands.

    Only the subcommands among `words` have arguments; if `words` is None, all have.
    """
    top = _TopParser(prog="redis-actions")
    top.words = words
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    add_connection_options(top, default=None)
    top.add_commands(COMMANDS)
    return top


class _Version(argparse.Action):
    """Option that prints the version. argparse's own would look it up for each command line."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        write_output(f"{version_text()}\n")
        parser.exit()


def version_text() -> str:
    """Return the version of the package."""
    from importlib.metadata import version  # noqa: PLC0415 - slow, and rarely needed

    return version("redis-enterprise-actions")
