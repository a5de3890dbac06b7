"""Tests of `_cli.help`."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli import help as _help
from redis_enterprise_actions._cli.arguments import build_parser, parse_arguments
from redis_enterprise_actions._client.config.profiles import _PROFILE


if TYPE_CHECKING:
    import argparse


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return all commands, by name."""
    (action,) = [each for each in build_parser()._actions if each.choices is not None]
    assert isinstance(action.choices, dict)
    return action.choices


def examples() -> list[str]:
    """Return every call of the command in the examples."""
    calls = r"redis-actions ((?:'[^']*'|\"[^\"]*\"|[^|)\n])+?)(?=\s{3}|\)|\s*\||$)"
    return [
        call
        for text in _help._EXAMPLES.values()
        for line in text.splitlines()
        if line.startswith("  ")
        for call in re.findall(calls, line)
    ]


def test_every_command() -> None:
    """Every command has examples and exit codes at the end of its help, and lines that fit."""
    assert commands().keys() == _help._EXAMPLES.keys()
    for name, command in commands().items():
        text = command.format_help()
        assert f"examples:\n{_help._EXAMPLES[name]}" in text
        assert "exit codes" in text
        assert max(map(len, _help._EXAMPLES[name].splitlines())) <= 80


@pytest.mark.parametrize("example", examples())
def test_example(example: str) -> None:
    """The parser accepts each example."""
    words = shlex.split(example)
    if words[-1] == "wait":
        words.append("a-uid")  # from xargs

    assert parse_arguments(words).run == words[0]


def test_enough_examples() -> None:
    """`examples` finds all examples."""
    shown = sum(text.count("redis-actions ") for text in _help._EXAMPLES.values())
    mentioned = len(re.findall(r"redis-actions \(", "".join(_help._EXAMPLES.values())))

    assert len(examples()) == shown - mentioned


def test_keys() -> None:
    """The help of `profiles` lists every key that a profile may have."""
    text = " ".join(_help._EXAMPLES["profiles"].split())
    (listed,) = re.findall(r"A profile may have: ([^.]*)\.", text)

    assert listed.split(", ") == list(_PROFILE)
