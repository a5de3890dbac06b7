"""Tests of `_cli.terminal`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions._cli.terminal import can_draw, with_valid_size


@pytest.mark.parametrize(
    ("term", "able"),
    [(None, True), ("", True), ("xterm", True), ("dumb", False), ("Unknown", False)],
)
def test_can_draw(term: str | None, able: bool) -> None:
    """Only a terminal that is named as dumb or unknown cannot draw."""
    assert can_draw({} if term is None else {"TERM": term}) == able


@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("80", True),
        ("1", True),
        ("0", False),
        ("00", False),
        ("-5", False),
        ("", False),
        ("wide", False),
        ("\u00b2", False),
        ("\u0663", False),
        ("80 ", False),
        ("9999999999", False),
    ],
)
def test_with_valid_size(name: str, value: str, kept: bool) -> None:
    """A size that no terminal can have is left out, and nothing else."""
    others = {"TERM": "xterm", "NO_COLOR": ""}

    assert with_valid_size({**others, name: value}) == {**others, **({name: value} if kept else {})}
