"""Argument parser of the command and of each subcommand.

An error of usage is two lines on standard error: the first names the problem and what may have been
meant, the second the help to read. It repeats names of commands and options; of values, it repeats
those that have to be one of a few words, and those that a parser of values repeats. A text that no
argument takes is not repeated, as it may be a body that holds secrets.
"""

from __future__ import annotations

import argparse
import re
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, NoReturn

from .commands import load
from .help import HelpText, command_help
from .output import print_error, write_output


if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from _typeshed import SupportsWrite

    from .commands import Command

_OPTION: Final = re.compile(r"--[^\s=]+(?==|$)")
_ANY_OPTION: Final = re.compile(r"--[^\s=]+(?==|$)|-[A-Za-z]")
# Messages of argparse, and ours. Python may change its own: what matches nothing is shown as it is.
_MESSAGES: Final = (
    (r"(?s)argument (?:\S+/)?(\S+): expected .*", r"\1 needs a value"),
    (r"(?s)argument (?:\S+/)?(\S+): ignored explicit argument .*", r"\1 takes no value"),
    (
        r"argument (?:\S+/)?(\S+): not allowed with argument (?:\S+/)?(\S+)",
        r"\1 and \2 exclude each other",
    ),
    (r"the following arguments are required: (.*)", r"missing \1"),
    (r"(?s)argument (?:\S+/)?(\S+: .*)", r"\1"),
)


class CommandParser(argparse.ArgumentParser):
    """Argument parser with a help of one screen, and errors that say what may have been meant.

    `words` are those of the command line: arguments are added to the subcommands among them only.
    None stands for all subcommands. `commands` are the parsers of the subcommands by name.
    `show_all` adds the options that are rarely used to the help.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of `ArgumentParser`
        super().__init__(allow_abbrev=False, **options)
        self.words: Container[str] | None = None
        self.commands: dict[str, CommandParser] = {}
        self.show_all = False
        self.help_text = HelpText()
        self._summaries: list[tuple[str, str]] = []
        self._positionals.title = "arguments"

    def describe(
        self,
        sentence: str,
        *,
        examples: Sequence[str],
        exit_codes: Mapping[int, str],
        notes: str = "",
        rare: Container[str] = (),
    ) -> None:
        """Set the texts of the help.

        In `notes`, indented lines are kept as they are. `rare` are options that only `redis-actions
        help COMMAND --all` shows.
        """
        self.help_text = HelpText(sentence, examples, exit_codes, notes, rare)

    def add_commands(self, commands: Iterable[Command]) -> None:
        """Add subcommands. Only those among `words` get their arguments."""
        added = self.add_subparsers(
            metavar="COMMAND", required=True, prog=self.prog, parser_class=CommandParser
        )
        for command in commands:
            parser = added.add_parser(command.name, help=command.summary)
            self._summaries.append((command.name, command.summary))
            self.commands[command.name] = parser
            if self.words is None or command.name in self.words:
                parser.words = self.words
                name = parser.prog.partition(" ")[2]
                parser.set_defaults(run=name, handler=command.handler, parser=parser, check=None)
                load(command.arguments)(parser)

    def command(self, name: str, others: Iterable[str] = ()) -> CommandParser:
        """Return the parser of a subcommand. Exit with an error if there is none of that name.

        The error may suggest one of `others`, too.
        """
        if name not in self.commands:
            self.error(f"unknown command {name}{_suggestion(name, [*self.commands, *others])}")
        return self.commands[name]

    def format_help(self) -> str:
        """Return the help, wrapped to the width of the terminal."""
        return command_help(
            self.prog,
            self.help_text._replace(rare=()) if self.show_all else self.help_text,
            [(it.title or "", it._group_actions) for it in self._action_groups],  # noqa: SLF001 - there is no other way
            self._summaries,
        )

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help. Raises `OutputError` if standard output cannot be written."""
        del file  # argparse passes none
        write_output(self.format_help())

    def parse_known_args(  # type: ignore[override] # of the overloads, this one is used
        self, args: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse arguments. An unknown option is the first error to be told.

        A parser with subcommands only knows what stands before the name of one. argparse takes an
        argument that can be repeated from one place only; what it leaves is added here.
        """
        words = list(takewhile(lambda word: word != "--", args))
        pattern = _OPTION
        if self._subparsers is not None:
            words = list(takewhile(lambda word: word.startswith("-"), words))
            pattern = _ANY_OPTION
        for word in words:
            option = pattern.match(word)
            if option is not None and option[0] not in self._option_string_actions:
                self._refuse_option(option[0])
        parsed, rest = super().parse_known_args(args, namespace or argparse.Namespace())
        rest = [word for word in rest if word != "--"]
        repeated = [it.dest for it in self._actions if it.nargs in {"*", "+"} and it.type is None]
        if repeated and not any(map(_is_option, rest)):
            getattr(parsed, repeated[0]).extend(rest)
            rest = []
        return parsed, rest

    def refuse_rest(self, rest: Sequence[str]) -> NoReturn:
        """Exit because of arguments that no parser took."""
        options = [word for word in rest if _is_option(word) and not word.startswith("--")]
        if options:
            self._refuse_option(options[0][:2])  # a value may be joined to a short option
        count = "1 argument" if len(rest) == 1 else f"{len(rest)} arguments"
        self.error(f"{count} too many")

    def error(self, message: str) -> NoReturn:
        """Print an error of usage in two lines, and exit with 2."""
        for pattern, replacement in _MESSAGES:
            if re.fullmatch(pattern, message):
                message = re.sub(pattern, replacement, message)
                break
        print_error(f"{self.prog}: {message}")
        program, _, command = self.prog.partition(" ")
        shown = "options" if self._subparsers is None else "commands"
        print_error(f"{' '.join(filter(None, [program, 'help', command]))} shows the {shown}")
        raise SystemExit(2)

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 - of argparse
        """Refuse a value that is not one of the choices."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(each) for each in action.choices]
        if not action.option_strings and action.metavar == "COMMAND":
            self.command(value)
        name = max(action.option_strings, key=len, default=str(action.metavar or action.dest))
        meant = _suggestion(value, choices) or f"; there are {', '.join(choices)}"
        self.error(f"{name} {value} is unknown{meant}")

    def _refuse_option(self, option: str) -> NoReturn:
        known = [name for name in self._option_string_actions if name.startswith("--")]
        self.error(f"unknown option {option}{_suggestion(option, known)}")


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?`, or nothing if no known word is similar."""
    from redis_enterprise_actions._client.config.options import similar_name  # noqa: PLC0415 - for errors only

    names = {name.lstrip("-").replace("-", "_"): name for name in known}
    word = word.lstrip("-").replace("-", "_")
    longer = [name for name in names if word and name.startswith(word)]
    meant = longer[0] if len(longer) == 1 else similar_name(word, names)
    if meant is None:
        return ""
    return f"; did you mean {names[meant]}?"
