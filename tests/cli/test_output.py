"""Facts about the ends of waits: the word and the exit code of each; and about printed lines."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import (
    Action,
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ActionVanished,
    AnswerLost,
    AuthenticationError,
    CancelNotSupported,
    ClientCertificateRefused,
    ClientClosed,
    ClusterUnreachable,
    NothingToFollow,
    Phase,
    RedisActionsError,
    RequestError,
    RequestRejected,
    UnreadableReply,
    UntrustedCertificate,
    UsageError,
    WaitError,
    WaitTimeout,
)
from redis_enterprise_actions._cli.output import (
    OutputError,
    as_json,
    escape_ci_commands,
    outcome_of,
    print_action,
    print_error,
    print_json,
    print_line,
    print_traceback,
    write_output,
)
from tests.conftest import ACTIVE, at


if TYPE_CHECKING:
    from collections.abc import Callable

SEEN = {"action": ACTIVE, "elapsed": 12.0, "polls": 3}
DOWN = ("GET", "/v1/actions")

# Every way to end, the word for it and the code.
ENDS: list[tuple[Action | RedisActionsError, str, int]] = [
    (at(status="completed"), "completed", 0),
    (ActionFailed("a1", **SEEN), "failed", 1),  # type: ignore[arg-type]
    (ActionCancelled("a1", **SEEN), "cancelled", 1),  # type: ignore[arg-type]
    (ActionAborted("a1", **SEEN), "aborted", 1),  # type: ignore[arg-type]
    (WaitTimeout("a1", **SEEN, timeout=12), "timed out", 3),  # type: ignore[arg-type]
    (ActionStalled("a1", **SEEN, stall_timeout=5), "stalled", 3),  # type: ignore[arg-type]
    (ActionNotFound("a1", **SEEN), "not found", 4),  # type: ignore[arg-type]
    (ActionVanished("a1", **SEEN), "vanished", 4),  # type: ignore[arg-type]
    (NothingToFollow("PUT /v1/x", **SEEN, reason="why"), "not followed", 8),  # type: ignore[arg-type]
    (ClusterUnreachable(*DOWN, reason="refused"), "unreachable", 5),
    (AnswerLost(*DOWN, reason="cut", ref="crdb:t1"), "unreachable", 5),
    (UntrustedCertificate(*DOWN, reason="self-signed"), "unreachable", 5),
    (ClientCertificateRefused(*DOWN, reason="unknown CA"), "unreachable", 5),
    (RequestRejected(*DOWN, status=400), "rejected", 5),
    (AuthenticationError(*DOWN, status=401), "rejected", 5),
    (UnreadableReply(*DOWN, problem="not JSON"), "unreachable", 5),
    (UsageError("timeout= is not a duration"), "wrong usage", 2),
    (CancelNotSupported("export:1"), "wrong usage", 2),
    (ClientClosed(), "wrong usage", 2),
]
each_end = pytest.mark.parametrize(
    ("result", "word", "code"), ENDS, ids=[type(result).__name__ for result, _, _ in ENDS]
)


@each_end
def test_end(result: Action | RedisActionsError, word: str, code: int) -> None:
    """Each way to end has its word and its code."""
    assert outcome_of(result) == (word, code)


def test_every_error_is_above() -> None:
    """No error of ours is without a row above."""

    def leaves(kind: type[RedisActionsError]) -> set[type[RedisActionsError]]:
        return {kind}.union(*(leaves(each) for each in kind.__subclasses__()))

    ours = {
        each for each in leaves(RedisActionsError) if each.__module__.startswith("redis_enterprise")
    }
    roots = {RedisActionsError, RequestError, WaitError}
    assert {type(result) for result, _, _ in ENDS} == (ours - roots) | {Action}


def test_strange_letters(lines: Callable[[], list[str]]) -> None:
    """What is no ASCII is written as it is, and line breaks are escaped."""
    print_json({"message": "日\n本\x1b"})

    assert lines() == ['{"message":"日\\n本\\u001b"}']


@pytest.mark.parametrize("as_json", [False, True])
def test_show(lines: Callable[[], list[str]], as_json: bool) -> None:
    """An action that is shown is a line, or an object."""
    print_action(at(5), as_json=as_json)

    (line,) = lines()
    if as_json:
        assert msgspec.json.decode(line, type=Action) == at(5)
        assert json.loads(line)["phase"] == Phase.RUNNING
    else:
        assert line == "SMUpdateBDB: active, 5 % [a1]"


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
def test_harmless(text: str, shown: str) -> None:
    """A backslash stands where a command of a CI system would begin, and nowhere else."""
    assert escape_ci_commands(text) == shown
    assert escape_ci_commands(shown) == shown


@pytest.mark.parametrize("length", [10_000, 200_000])
@pytest.mark.parametrize("part", ["#", " ", "\n", "#x", ":"])
def test_harmless_is_fast(part: str, length: int) -> None:
    """It takes a time in proportion to the text, whatever that is: the test has a time limit."""
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
    """In JSON, what cannot be printed and what begins a command is escaped; it means the same."""
    made = as_json({"a": text})

    assert made == f'{{"a":"{escaped}"}}'
    assert made.isprintable()
    assert escape_ci_commands(made) == made
    assert json.loads(made) == msgspec.json.decode(made) == {"a": text}


def test_lines(lines: Callable[[], list[str]]) -> None:
    """Of several lines that are printed, none is a command; what is put is as it is."""
    print_line("a\n::error::b")
    write_output("::group::c\n")

    assert lines() == ["a", r"\::error::b", "::group::c"]


@pytest.mark.parametrize("kind", [BrokenPipeError, OSError])
def test_output_lost(monkeypatch: pytest.MonkeyPatch, kind: type[OSError]) -> None:
    """Where nothing can be written, that is an error of its own, which no other error is."""

    def fail(_: str) -> None:
        raise kind("gone")

    monkeypatch.setattr(sys.stdout, "write", fail)
    with pytest.raises(OutputError) as caught:
        print_line("x")

    assert isinstance(caught.value.error, kind)


def test_complain(capsys: pytest.CaptureFixture[str]) -> None:
    """A complaint is one printable line beside the output, and no command."""
    print_error("::error::a\nb\x85c\x1b[31m\u2066d ##[e]")

    assert capsys.readouterr() == ("", "\\::error::a b c [31m d #\\#[e]\n")


def test_nowhere_to_complain(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no standard error, a complaint does not end up in the output."""
    monkeypatch.setattr(sys, "stderr", None)
    print_error("x")

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("value", ["1", "true", "0", "", None])
def test_complain_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """A traceback is printed where that is asked for, and no line of it is a command."""
    monkeypatch.delenv("REDIS_ACTIONS_TRACEBACK", raising=False)
    if value is not None:
        monkeypatch.setenv("REDIS_ACTIONS_TRACEBACK", value)
    print_traceback(ValueError("a\n::error::b\x85##vso[c]"))

    wanted = ["ValueError: a", r"\::error::b", r"#\#vso[c]"] if value in {"1", "true"} else []
    assert capsys.readouterr().err.splitlines() == wanted
