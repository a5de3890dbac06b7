"""Tests of `_cli.help` and `_cli.information`: the help of the command and of each subcommand."""

from __future__ import annotations

import argparse
import re
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.arguments import build_parser, parse_arguments
from redis_enterprise_actions._cli.commands import COMMANDS, Group, load
from redis_enterprise_actions._cli.connection_options import ENVIRONMENT
from redis_enterprise_actions._cli.help import TIME, TOPICS
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._client.config.options import SETTINGS
from redis_enterprise_actions._client.config.profiles import _PROFILE
from redis_enterprise_actions._model.outcome import Outcome


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.parser import CommandParser

MAX_LINES = 45
WIDTHS = [40, 80, 120]
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def parsers(parser: CommandParser | None = None, *names: str) -> dict[str, CommandParser]:
    """Return the parsers of all commands, those of groups among them, by name."""
    found = {}
    for name, each in (parser or build_parser()).commands.items():
        found[" ".join([*names, name])] = each
        found |= parsers(each, *names, name) if each.commands else {}
    return found


PARSERS = parsers()


def examples() -> list[str]:
    """Return every call of the command in the examples."""
    calls = r"redis-actions ((?:'[^']*'|\"[^\"]*\"|[^|)\n])+?)(?=\s{3}|\)|\s*\||$)"
    lines = [line for parser in PARSERS.values() for line in parser.help_text.examples]
    lines += [line for line in build_parser([]).format_help().splitlines() if line[:2] == "  "]
    return [call for line in lines for call in re.findall(calls, line)]


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let the terminal have a width."""
    columns: int = request.param
    monkeypatch.setenv("COLUMNS", str(columns))
    return columns


def help_of(capsys: pytest.CaptureFixture[str], *topic: str) -> list[str]:
    """Return the lines that `redis-actions help` prints about a topic."""
    assert main(["help", *topic]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("name", PARSERS)
def test_layout(capsys: pytest.CaptureFixture[str], width: int, name: str) -> None:
    """A help has a sentence, examples and the usage, in this order, and lines that fit."""
    lines = help_of(capsys, *name.split())
    text = PARSERS[name].help_text
    words = " ".join(" ".join(lines).split())
    usage = next(at for at, line in enumerate(lines) if line.startswith("Usage: "))

    assert words.startswith(text.sentence)
    assert text.sentence.endswith(".")
    assert lines[usage - 1 - len(text.examples) : usage - 1] == [f"  {it}" for it in text.examples]
    assert "Exit codes: 0 " in words
    kept = {f"  {it}" for it in text.examples} | set(text.notes.splitlines())
    assert [line for line in lines if len(line) > width and line not in kept] == []
    assert not any(first == second == "" for first, second in pairwise(lines))
    if width >= 80:
        assert len(lines) <= MAX_LINES


@pytest.mark.parametrize("name", PARSERS)
def test_examples_fit(name: str) -> None:
    """Each command has examples, which fit into 80 columns, but for long uids."""
    shown = [UID.sub("$uid", line) for line in PARSERS[name].help_text.examples]

    assert 1 <= len(shown) <= 3
    assert max(map(len, shown)) <= 78


@pytest.mark.parametrize("name", PARSERS)
def test_all_options(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """`--all` shows every option but those of the connection; without it, there is a pointer."""
    short, full = help_of(capsys, *name.split()), help_of(capsys, *name.split(), "--all")
    connection = options_in(help_of(capsys, "connection"))
    options = {
        option
        for action in PARSERS[name]._actions
        for option in action.option_strings
        if action.dest != "help" and action.help is not argparse.SUPPRESS
    }
    rare = PARSERS[name].help_text.rare
    pointer = f"More options: redis-actions help {name} --all"

    assert options_in(full) == options - connection
    assert options_in(short) == {option for option in options_in(full) if option not in rare}
    assert (pointer in short) is (short != full)
    assert pointer not in full


def options_in(lines: list[str]) -> set[str]:
    """Return the options that have a row in the help."""
    rows = [line for line in lines if line.startswith("  -")]
    return {option for row in rows for option in re.findall(r"-+[a-z-]+", row.split("   ")[0])[:2]}


def test_one_line_for_the_connection(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that connects has one line about the connection; others have none."""
    assert sum("help connection" in line for line in help_of(capsys, "wait")) == 1
    assert not any("onnection" in line for line in help_of(capsys, "demo"))


def test_time(capsys: pytest.CaptureFixture[str]) -> None:
    """A command with a duration among its options says how to write one."""
    assert TIME in help_of(capsys, "watch")
    assert TIME not in help_of(capsys, "list")


def test_commands_in_groups(capsys: pytest.CaptureFixture[str], width: int) -> None:
    """The help of the command has all commands, in groups, on one screen."""
    lines = help_of(capsys)
    titles = [line for line in lines if line.endswith(":")]
    names = [line.split()[0] for line in lines if re.match("  [a-z]", line)]
    listed = [command.name for command in COMMANDS if command.group is not Group.HELP]

    assert titles == ["Wait:", "Look:", "Start:", "Set up:", "Try:"]
    assert [name for name in names if name != "redis-actions"] == listed
    assert names.count("redis-actions") == 3
    assert all(len(line) <= width for line in lines if not line.startswith("  redis"))
    if width >= 80:
        assert len(lines) <= MAX_LINES


def test_very_narrow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal of no width does not break the help, and a wide one does not stretch it."""
    for columns in ("1", "400"):
        monkeypatch.setenv("COLUMNS", columns)
        assert max(map(len, help_of(capsys))) <= 100


@pytest.mark.parametrize("topic", TOPICS)
def test_topics(capsys: pytest.CaptureFixture[str], width: int, topic: str) -> None:
    """The topics have lines that fit, and `help help` names them."""
    lines = help_of(capsys, topic)

    assert width < 80 or len(lines) <= 45
    assert [line for line in lines if len(line) > width and "redis-actions" not in line] == []
    assert topic in " ".join(help_of(capsys, "help"))


def test_connection(capsys: pytest.CaptureFixture[str]) -> None:
    """The topic `connection` has each setting as an option and as a variable."""
    words = " ".join(help_of(capsys, "connection"))

    for name in SETTINGS.values():
        assert f"REDIS_ENTERPRISE_{name.upper()}" in words
        option = {
            "password": "password-file",
            "token": "token-file",
            "trusted_hosts": "trusted-host",
        }
        assert f"--{option.get(name, name).replace('_', '-')}" in words
    assert all(name in words for name, _ in ENVIRONMENT)


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """The topic `exit-codes` has that of each outcome."""
    words = " ".join(help_of(capsys, "exit-codes"))

    for outcome in Outcome:
        assert re.search(rf"\b{outcome.exit_code}\b", words)


@pytest.mark.parametrize(
    "shape",
    [
        *("action:UID", "node:UID/ACTION", "cluster:ACTION", "crdb:ID", "export:BDB"),
        *("import:BDB", "backup:BDB", "bdb:UID", "bdb:UID@gone"),
    ],
)
def test_references(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The topic `references` lists every kind of reference; the help of `wait` points there."""
    assert shape in " ".join(help_of(capsys, "references"))
    assert "redis-actions help references" in " ".join(" ".join(help_of(capsys, "wait")).split())


@pytest.mark.parametrize("example", examples())
def test_example(example: str) -> None:
    """The parser accepts each example."""
    words = shlex.split(example)
    if words[-1] == "wait":
        words.append("a-uid")  # from xargs

    assert f"{parse_arguments(words).run} ".startswith(f"{words[0]} ")


def test_enough_examples() -> None:
    """`examples` finds all examples."""
    text = " ".join(line for parser in PARSERS.values() for line in parser.help_text.examples)

    assert len(examples()) == text.count("redis-actions ") + 3  # of the command itself


def test_keys() -> None:
    """The help of `profiles` lists every key that a profile may have."""
    text = " ".join(PARSERS["profiles"].help_text.notes.split())
    (listed,) = re.findall(r"A profile may have: ([^.]*)\.", text)

    assert listed.split(", ") == list(_PROFILE)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (["wiat"], "redis-actions: unknown command wiat; did you mean wait?"),
        (["wait", "x"], "redis-actions wait: unknown command x"),
        (["conection"], "redis-actions: unknown command conection; did you mean connection?"),
    ],
    ids=" ".join,
)
def test_unknown_topic(topic: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help of something unknown is an error of usage."""
    with pytest.raises(SystemExit) as caught:
        main(["help", *topic])

    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[0] == expected


@pytest.mark.parametrize("name", PARSERS)
def test_handler(name: str) -> None:
    """Each row of the table names functions that exist."""
    handler = PARSERS[name].get_default("handler")

    assert (handler is None) is bool(PARSERS[name].commands)
    assert handler is None or callable(load(handler))
