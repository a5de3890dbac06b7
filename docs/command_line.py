"""Reference pages of the command: `command-line.md` and `action.schema.json`.

`python docs/command_line.py` writes both. The page comes from the command's argument parser, not
from `--help`, whose layout differs between versions of Python. The schema is that of the type that
`get --json` and `list --json` print. A test fails if either file is out of date.
"""

from __future__ import annotations

import argparse
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions import Action
from redis_enterprise_actions._cli.arguments import build_parser
from redis_enterprise_actions._cli.connection import ENVIRONMENT, connection_options


if TYPE_CHECKING:
    from collections.abc import Callable

_HERE: Final = Path(__file__).parent
_NOTICE: Final = "<!-- Written by `python docs/command_line.py`. -->"
_HIDDEN: Final = (argparse.SUPPRESS, None)


def page() -> str:
    """Return `command-line.md`."""
    top = build_parser()
    commands = _commands(top)
    shared = connection_options()._actions
    connection = {flag for each in shared for flag in each.option_strings}
    lines = [
        "# The command line",
        "",
        _NOTICE,
        "",
        f"`redis-actions`: {_lower_first(top.description or '')}",
        "`redis-actions COMMAND --help` prints the same.",
        "",
        "| command | description |",
        "|---|---|",
        *(
            f"| [`{name}`](#{name}) | {_table_cell(help_)} |"
            for name, (_, help_) in commands.items()
        ),
        "",
    ]
    for name, (command, help_) in commands.items():
        lines += [
            f"## {name}",
            "",
            *_usage(name, command, connection),
            "",
            *_description(command, help_),
        ]
        lines += _table(
            [it for it in _visible_arguments(command) if not connection & set(it.option_strings)]
        )
    lines += ["## Connection", "", *_connection_section(), *_exit_codes_section(top)]
    return "\n".join(lines).rstrip() + "\n"


def _commands(
    top: argparse.ArgumentParser,
) -> dict[str, tuple[argparse.ArgumentParser, str]]:
    """Return the parser and the help line of each subcommand."""
    (each,) = (it for it in top._actions if isinstance(it, argparse._SubParsersAction))
    helps = {it.dest: it.help or "" for it in each._choices_actions}
    return {name: (each.choices[name], helps[name]) for name in helps}


def _visible_arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [
        each
        for each in parser._actions
        if each.help not in _HIDDEN and not isinstance(each, argparse._HelpAction)
    ]


def _usage(name: str, command: argparse.ArgumentParser, connection: set[str]) -> list[str]:
    """Return the usage line of a subcommand."""
    connects = bool(connection & set(command._option_string_actions) - {"-h", "--help"})
    words = ["redis-actions", name, *(["[CONNECTION]"] if connects else [])]
    shown = [it for it in _visible_arguments(command) if not connection & set(it.option_strings)]
    words += ["[OPTIONS]"] if any(it.option_strings for it in shown) else []
    words += [_usage_word(it) for it in shown if not it.option_strings]
    return ["```text", " ".join(words), "```"]


def _description(command: argparse.ArgumentParser, help_: str) -> list[str]:
    """Return the description of a subcommand, with indented lines as code blocks."""
    lines: list[str] = []
    text = command.description or f"{help_[:1].upper()}{help_[1:]}."
    in_code = False
    for line in text.splitlines():
        if line.startswith(" ") is not in_code:
            lines += ["```" if in_code else "\n```text"]
            in_code = not in_code
            lines += [] if in_code else [""]
        lines.append(line)
    return [*lines, *(["```"] if in_code else []), ""]


def _table(shown: list[argparse.Action]) -> list[str]:
    """Return arguments and options as a table."""
    if not shown:
        return []
    rows = [f"| `{_spellings(each)}` | {_table_cell(each.help or '')} |" for each in shown]
    return ["| argument | description |", "|---|---|", *rows, ""]


def _spellings(each: argparse.Action) -> str:
    """Return the spellings of an argument, the shortest last."""
    if not each.option_strings:
        return _usage_word(each)
    value = "" if each.nargs == 0 else f" {_value_name(each)}"
    flags = sorted(each.option_strings, key=len, reverse=True)
    return ", ".join(f"{flag}{value}" for flag in flags)


def _usage_word(each: argparse.Action) -> str:
    """Return an argument as in a usage line."""
    name = _value_name(each)
    return {"+": f"{name} [{name} ...]", "*": f"[{name} ...]", "?": f"[{name}]"}.get(
        str(each.nargs), name
    )


def _value_name(each: argparse.Action) -> str:
    if isinstance(each.metavar, str):
        return each.metavar
    return "/".join(map(str, each.choices)) if each.choices else each.dest.upper()


def _connection_section() -> list[str]:
    """Return the options of all commands that connect to a cluster."""
    text = """\
The commands that connect to a cluster take these options. Each overrides its environment variable.
[Environment](environment.md) lists the variables, and the arguments in Python."""
    return [text, "", *_table(_visible_arguments(connection_options()))]


def _exit_codes_section(top: argparse.ArgumentParser) -> list[str]:
    """Return the exit codes, from the end of the help."""
    codes = (top.epilog or "").removeprefix(ENVIRONMENT).strip()
    return ["## Exit codes", "", "```text", codes, "```"]


def _table_cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|").replace("%%", "%").replace("<", "&lt;")


def _lower_first(words: str) -> str:
    return words[:1].lower() + words[1:]


def schema() -> str:
    """Return `action.schema.json`: the JSON Schema of an `Action`."""
    schemas, components = msgspec.json.schema_components([Action], ref_template="#/$defs/{name}")
    for each in components.values():
        if "description" in each:  # Python 3.13 strips the indentation of docstrings, 3.11 does not
            each["description"] = inspect.cleandoc(each["description"])
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps({**dialect, **schemas[0], "$defs": components}, indent=2) + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "command-line.md": page,
    "action.schema.json": schema,
}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (_HERE / name).write_text(make(), "utf-8", newline="\n")
