"""Reference pages of the command: `command-line.md`, and the schemas of what it prints as JSON.

`python docs/command_line.py` writes all. The page comes from the command's argument parser. The
schemas are those of the types that `get --json`, `list --json`, `check --json` and `doctor --json`
print, of the objects of a cluster in Python, and of captures. A test fails if a file is out of
date.
"""

from __future__ import annotations

import inspect
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from redis_enterprise_actions import Action, Crdb, Database, Node, Secret
from redis_enterprise_actions._cli import information
from redis_enterprise_actions._cli.arguments import build_parser
from redis_enterprise_actions._cli.calls.arguments import add_call_options
from redis_enterprise_actions._cli.check.command import CheckDocument
from redis_enterprise_actions._cli.commands import COMMANDS, Group
from redis_enterprise_actions._cli.connection_options import add_connection_options
from redis_enterprise_actions._cli.doctor.result import AnyLine
from redis_enterprise_actions._cli.help import rows_of, spelling
from redis_enterprise_actions._cli.parser import CommandParser
from redis_enterprise_actions._cli.wait.arguments import add_wait_options
from redis_enterprise_actions._cli.wait.events import schema_of_lines
from redis_enterprise_actions._client.capture.format import CaptureFile


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

_HERE: Final = Path(__file__).parent
_INTRODUCTION: Final = """\
# Command

<!-- Written by `python docs/command_line.py`. -->

`redis-actions help COMMAND` shows the same on a terminal. Options that several commands have are in
one table each: [call options](#call-options), [wait options](#wait-options), and [connection
options](#connection-options). Connection options may also stand before the command.
"""


def page() -> str:
    """Return `command-line.md`."""
    top = build_parser()
    rows = [row for group in Group for row in COMMANDS if row.group is group]
    connection = _added(lambda parser: add_connection_options(parser, default=None))
    waits = _added(add_wait_options)
    calls = _added(lambda parser: add_call_options(parser, confirms=False))
    tables = {
        "Connection options": connection,
        "Wait options": waits,
        "Call options": _without(_without(calls, waits), connection),
    }
    shared = {title: _options(arguments) for title, arguments in tables.items()}
    lines = [_INTRODUCTION, "| command | what it does |", "|---|---|"]
    lines += [f"| [`{row.name}`](#{row.name}) | {_cell(row.summary)} |" for row in rows]
    for row in rows:
        lines += _section("##", top.command(row.name), shared)
    for title, arguments in reversed(tables.items()):
        lines += ["", f"## {title}", "", *_table(arguments)]
    lines += ["", "## References", "", "| reference | names |", "|---|---|"]
    lines += [f"| {_cell(words)} | {_cell(text)} |" for words, text in information._REFERENCES]
    lines += [
        "",
        "Conditions are references, too:",
        "",
        "| condition | it is true when |",
        "|---|---|",
    ]
    lines += [f"| {_cell(words)} | {_cell(text)} |" for words, text in information._CONDITIONS]
    lines += ["", "## Exit codes", "", "| exit code | meaning |", "|---|---|"]
    lines += [f"| {codes} | {_cell(text)} |" for codes, text in information._EXIT_CODES]
    lines += ["", information._SEVERAL]
    return "\n".join(lines) + "\n"


def _added(add: Callable[[CommandParser], object]) -> list[argparse.Action]:
    """Return the options that a function adds to a parser."""
    parser = CommandParser(add_help=False)
    add(parser)
    return parser._actions


def _without(
    arguments: Iterable[argparse.Action], others: Iterable[argparse.Action]
) -> list[argparse.Action]:
    """Return the arguments that are not among others."""
    left_out = _options(others)
    return [each for each in arguments if not left_out.intersection(each.option_strings)]


def _options(arguments: Iterable[argparse.Action]) -> set[str]:
    return {option for each in arguments for option in each.option_strings}


def _section(heading: str, command: CommandParser, shared: dict[str, set[str]]) -> Iterator[str]:
    """Yield the lines about a command and its subcommands.

    `shared` has the options that are in a table of their own, by the title of the table.
    """
    text = command.help_text
    name = command.prog.partition(" ")[2]
    taken = [title for title, options in shared.items() if options <= _options(command._actions)]
    elsewhere = {"--help"}.union(*(shared[title] for title in taken))
    own = [each for each in command._actions if not elsewhere.intersection(each.option_strings)]
    yield from ["", f"{heading} {name}", ""]
    if text.sentence:
        yield text.sentence
    if command.commands:
        for each in command.commands.values():
            yield from _section(f"{heading}#", each, shared)
        return
    words = ["redis-actions", name, *(spelling(it) for it in own if not it.option_strings)]
    words += ["[OPTIONS]"] if taken or _options(own) else []
    yield from ["", "```text", " ".join(words), "```", "", *_table(own)]
    if taken:
        links = [f"[{title.lower()}](#{title.lower().replace(' ', '-')})" for title in taken]
        yield from ["", f"Also: {', '.join(reversed(links))}."]
    yield from ["", *_prose(text.notes)]
    is_part = " " in name  # of a group of commands, which are alike
    yield from ["<!-- not run: it needs a cluster -->", "```sh"]
    yield from [*text.examples[: 1 if is_part else None], "```"]
    if not is_part:
        codes = [f"{code} {meaning}" for code, meaning in text.exit_codes.items()]
        yield from ["", f"[Exit codes](#exit-codes): {'; '.join(codes)}."]


def _prose(text: str) -> Iterator[str]:
    """Yield the lines of a text, with indented lines as code blocks."""
    in_code = False
    for line in text.splitlines():
        if line.startswith(" ") is not in_code:
            yield from ["```", ""] if in_code else ["", "```text"]
            in_code = not in_code
        yield line
    if text:
        yield from ["```", ""] if in_code else [""]


def _table(arguments: Iterable[argparse.Action]) -> list[str]:
    """Return arguments and options as a table."""
    rows = [f"| `{name}` | {_cell(text)} |" for name, text in rows_of(arguments)]
    return ["| argument | meaning |", "|---|---|", *rows] if rows else []


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|").replace("<", "&lt;")


def schema(*types: type) -> str:
    """Return the JSON Schema of a document of one of the types."""
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/$defs/{name}", schema_hook=_hidden_text
    )
    documents = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return _written({**dialect, **documents, "$defs": components})


def lines_of_doctor() -> str:
    """Return the JSON Schema of a line of `doctor --json`."""
    return _written(schema_of_lines(AnyLine, "A line of redis-actions doctor --json"))


def _hidden_text(secret: type) -> dict[str, Any]:
    """Return the schema of a `Secret`, as objects have it in JSON."""
    assert secret is Secret
    return {"type": "string", "const": "***"}


def _written(schema: dict[str, Any]) -> str:
    for each in schema["$defs"].values():
        if "description" in each:  # Python 3.13 strips the indentation of docstrings, 3.11 does not
            each["description"] = inspect.cleandoc(each["description"])
    return json.dumps(schema, indent=2) + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "command-line.md": page,
    "action.schema.json": partial(schema, Action),
    "capture.schema.json": partial(schema, CaptureFile),
    "check.schema.json": partial(schema, CheckDocument),
    "doctor.schema.json": lines_of_doctor,
    "objects.schema.json": partial(schema, Database, Node, Crdb),
}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (_HERE / name).write_text(make(), "utf-8", newline="\n")
