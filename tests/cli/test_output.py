"""Tests of `_cli.output`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions._cli.output import (
    OutputError,
    can_draw,
    escape_ci_commands,
    flush_or_discard,
    open_closed_streams,
    print_error,
    print_json,
    print_line,
    print_traceback,
    with_valid_size,
    write_output,
)
from redis_enterprise_actions._model.text import json_text


if TYPE_CHECKING:
    from collections.abc import Callable


def test_strange_letters(lines: Callable[[], list[str]]) -> None:
    """Characters beyond ASCII are written unchanged, and line breaks are escaped."""
    print_json({"message": "日\n本\x1b"})

    assert lines() == ['{"message":"日\\n本\\u001b"}']


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", r"\::error::x"),
        ("  \t::error::x", "  \t\\::error::x"),
        ("a\n::error::x", "a\n\\::error::x"),
        ("a ::error::x", "a ::error::x"),
        ("a:b", "a:b"),
        (r"\::error::x", r"\::error::x"),
        ("a ##[error]x", r"a #\#[error]x"),
        ("###[error]x", r"#\#\#[error]x"),
        ("a##vso[task.setvariable variable=x]y", r"a#\#vso[task.setvariable variable=x]y"),
        ("##teamcity[buildStop]", r"#\#teamcity[buildStop]"),
        ("issue #3, #[x]", "issue #3, #[x]"),
        ("--- a", r"\--- a"),
        ("+++", r"\+++"),
        ("~~~ a", r"\~~~ a"),
        ("^^^ +++", r"\^^^ +++"),
        ("    ^^^^^^", "    ^^^^^^"),
        ("-\t-", "-\t-"),
        ("", ""),
    ],
)
def test_escape_ci_commands(text: str, shown: str) -> None:
    """A backslash is inserted where a command of a CI system would begin, and nowhere else."""
    assert escape_ci_commands(text) == shown
    assert escape_ci_commands(shown) == shown


@pytest.mark.parametrize("length", [10_000, 200_000])
@pytest.mark.parametrize("part", ["#", " ", "\n", "#x", ":"])
def test_escape_ci_commands_is_fast(part: str, length: int) -> None:
    """Escaping takes a time in proportion to any text: the test has a time limit."""
    assert len(escape_ci_commands(part * length)) >= length


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x9b31m", r"\u009b31m"),
        ("\x85", r"\u0085"),
        ("\x7f", r"\u007f"),
        ("\u202e", r"\u202e"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("\u061c\u200e\u200f", r"\u061c\u200e\u200f"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\u200b\ufeff\u00ad", r"\u200b\ufeff\u00ad"),
        ("\U000e0001", r"\udb40\udc01"),
        ("##[x]", r"\u0023#[x]"),
        ("###", r"\u0023\u0023#"),
        ("\\##vso[x]", r"\\\u0023#vso[x]"),
        ("日本 ä 😀 #3 ::x::", "日本 ä 😀 #3 ::x::"),
    ],
)
def test_json_is_printable(text: str, escaped: str) -> None:
    """JSON escapes unprintable characters and commands, and decodes to the same value."""
    made = json_text({"a": text})

    assert made == f'{{"a":"{escaped}"}}'
    assert made.isprintable()
    assert escape_ci_commands(made) == made
    assert json.loads(made) == msgspec.json.decode(made) == {"a": text}


def test_print_line(lines: Callable[[], list[str]]) -> None:
    """`print_line` escapes commands in each line; `write_output` writes text unchanged."""
    print_line("a\n::error::b")
    write_output("::group::c\n")

    assert lines() == ["a", r"\::error::b", "::group::c"]


@pytest.mark.parametrize("kind", [BrokenPipeError, OSError])
def test_output_error(monkeypatch: pytest.MonkeyPatch, kind: type[OSError]) -> None:
    """An error in writing to standard output becomes an `OutputError`."""

    def fail(_: str) -> None:
        raise kind("gone")

    monkeypatch.setattr(sys.stdout, "write", fail)
    with pytest.raises(OutputError) as caught:
        print_line("x")

    assert isinstance(caught.value.error, kind)


def test_print_error(capsys: pytest.CaptureFixture[str]) -> None:
    """An error is one printable line on standard error, and no command."""
    print_error("::error::a\nb\x85c\x1b[31m\u2066d ##[e]")

    assert capsys.readouterr() == ("", "\\::error::a b c [31m d #\\#[e]\n")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
def test_full_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that cannot be printed is lost, and Python does not try again at its exit."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        print_error("x")
        full.flush()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
def test_flush_or_discard(tmp_path: Path) -> None:
    """Buffered text is written; text that cannot be written is lost, and not written at exit."""
    for path in (tmp_path / "file", Path("/dev/full")):
        with path.open("w", encoding="utf-8") as stream:
            stream.write("x")
            flush_or_discard(stream)

    assert (tmp_path / "file").read_text("utf-8") == "x"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_open_closed_streams(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A stream that is closed can be written to, and leads nowhere; the other stays."""
    monkeypatch.setattr(sys, name, None)
    open_closed_streams()
    print_line("a line")
    print_error("an error")

    written = capsys.readouterr()
    assert ("a line" in written.out) is (name != "stdout")
    assert ("an error" in written.err) is (name != "stderr")


@pytest.mark.parametrize("value", ["1", "true", "0", "", None])
def test_print_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """A traceback is printed if the variable asks for it, and no line of it is a command."""
    monkeypatch.delenv("REDIS_ACTIONS_TRACEBACK", raising=False)
    if value is not None:
        monkeypatch.setenv("REDIS_ACTIONS_TRACEBACK", value)
    print_traceback(ValueError("a\n::error::b\x85##vso[c]"))

    wanted = ["ValueError: a", r"\::error::b", r"#\#vso[c]"] if value in {"1", "true"} else []
    assert capsys.readouterr().err.splitlines() == wanted


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
