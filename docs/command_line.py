"""Reference pages of the command: `command-line.md` and `action.schema.json`.

`python docs/command_line.py` writes both. The page comes from the command's argument parser, and
not from `--help`, whose layout differs between versions of Python; the schema comes from the type
of which `get --json` and `list --json` print values. A test fails while either is out of date.
"""

from __future__ import annotations

import argparse
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions import Action
from redis_enterprise_actions._cli import arguments as _arguments
from redis_enterprise_actions._cli.settings import connection as _login


if TYPE_CHECKING:
    from collections.abc import Callable

_HERE: Final = Path(__file__).parent
_MADE: Final = "<!-- Written by `python docs/command_line.py`. -->"
_HIDDEN: Final = (argparse.SUPPRESS, None)


def page() -> str:
    """Return `command-line.md`."""
    top = _arguments.build_parser()
    commands = _commands(top)
    shared = _login.connection_options()._actions
    connection = {flag for each in shared for flag in each.option_strings}
    lines = [
        "# The command line",
        "",
        _MADE,
        "",
        f"`redis-actions`: {_lowered(top.description or '')}",
        "`redis-actions COMMAND --help` says the same as this page.",
        "",
        "| command | what it does |",
        "|---|---|",
        *(f"| [`{name}`](#{name}) | {_cell(help_)} |" for name, (_, help_) in commands.items()),
        "",
    ]
    for name, (command, help_) in commands.items():
        lines += [f"## {name}", "", *_usage(name, command, connection), "", *_prose(command, help_)]
        lines += _table([it for it in _shown(command) if not connection & set(it.option_strings)])
    lines += ["## Connection", "", *_connection(), *_epilog(top)]
    return "\n".join(lines).rstrip() + "\n"


def _commands(
    top: argparse.ArgumentParser,
) -> dict[str, tuple[argparse.ArgumentParser, str]]:
    """Return each command with its parser and its line in the list of commands."""
    (each,) = (it for it in top._actions if isinstance(it, argparse._SubParsersAction))
    helps = {it.dest: it.help or "" for it in each._choices_actions}
    return {name: (each.choices[name], helps[name]) for name in helps}


def _shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [
        each
        for each in parser._actions
        if each.help not in _HIDDEN and not isinstance(each, argparse._HelpAction)
    ]


def _usage(name: str, command: argparse.ArgumentParser, connection: set[str]) -> list[str]:
    """Return the command as one would type it."""
    connects = bool(connection & set(command._option_string_actions) - {"-h", "--help"})
    words = ["redis-actions", name, *(["[CONNECTION]"] if connects else [])]
    shown = [it for it in _shown(command) if not connection & set(it.option_strings)]
    words += ["[OPTIONS]"] if any(it.option_strings for it in shown) else []
    words += [_call(it) for it in shown if not it.option_strings]
    return ["```text", " ".join(words), "```"]


def _prose(command: argparse.ArgumentParser, help_: str) -> list[str]:
    """Return what the command says of itself; what it indents stays as it is."""
    lines: list[str] = []
    said = command.description or f"{help_[:1].upper()}{help_[1:]}."
    inside = False
    for line in said.splitlines():
        if line.startswith(" ") is not inside:
            lines += ["```" if inside else "\n```text"]
            inside = not inside
            lines += [] if inside else [""]
        lines.append(line)
    return [*lines, *(["```"] if inside else []), ""]


def _table(shown: list[argparse.Action]) -> list[str]:
    """Return arguments and options as a table."""
    if not shown:
        return []
    rows = [f"| `{_spelled(each)}` | {_cell(each.help or '')} |" for each in shown]
    return ["| argument | what it is |", "|---|---|", *rows, ""]


def _spelled(each: argparse.Action) -> str:
    """Return an argument as it is typed, the shortest way last."""
    if not each.option_strings:
        return _call(each)
    value = "" if each.nargs == 0 else f" {_value(each)}"
    flags = sorted(each.option_strings, key=len, reverse=True)
    return ", ".join(f"{flag}{value}" for flag in flags)


def _call(each: argparse.Action) -> str:
    """Return an argument as it stands in a usage line."""
    name = _value(each)
    return {"+": f"{name} [{name} ...]", "*": f"[{name} ...]", "?": f"[{name}]"}.get(
        str(each.nargs), name
    )


def _value(each: argparse.Action) -> str:
    if isinstance(each.metavar, str):
        return each.metavar
    return "/".join(map(str, each.choices)) if each.choices else each.dest.upper()


def _connection() -> list[str]:
    """Return the options of all commands that ask a cluster."""
    said = """\
The commands that ask a cluster take these; each overrides its environment variable. See
[Environment](environment.md) for those, and for the arguments in Python."""
    return [said, "", *_table(_shown(_login.connection_options()))]


def _epilog(top: argparse.ArgumentParser) -> list[str]:
    """Return the exit codes, as the command lists them."""
    said = (top.epilog or "").removeprefix(_login.ENVIRONMENT).strip()
    return ["## Exit codes", "", "```text", said, "```"]


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|").replace("%%", "%").replace("<", "&lt;")


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]


def schema() -> str:
    """Return `action.schema.json`: the JSON Schema of an `Action`."""
    schemas, components = msgspec.json.schema_components([Action], ref_template="#/$defs/{name}")
    for each in components.values():
        if "description" in each:  # Python 3.13 strips the indentation of docstrings, 3.11 does not
            each["description"] = inspect.cleandoc(each["description"])
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps({**dialect, **schemas[0], "$defs": components}, indent=2) + "\n"


WRITTEN: Final[dict[str, Callable[[], str]]] = {
    "command-line.md": page,
    "action.schema.json": schema,
}

if __name__ == "__main__":
    for name, make in WRITTEN.items():
        (_HERE / name).write_text(make(), "utf-8", newline="\n")
