"""Facts about what is said of waits: while they last, and of how each of them ends."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

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
    Kind,
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
from redis_enterprise_actions._bars import Bars
from redis_enterprise_actions._report import Report, end_of, print_json, show
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
    (ClusterUnreachable(*DOWN, reason="refused"), "unreachable", 5),
    (AnswerLost(*DOWN, reason="cut", ref="crdb:t1"), "unreachable", 5),
    (UntrustedCertificate(*DOWN, reason="self-signed"), "unreachable", 5),
    (ClientCertificateRefused(*DOWN, reason="unknown CA"), "unreachable", 5),
    (RequestRejected(*DOWN, status=400), "unreachable", 5),
    (AuthenticationError(*DOWN, status=401), "unreachable", 5),
    (UnreadableReply(*DOWN, problem="not JSON"), "unreachable", 5),
    (UsageError("timeout= is not a duration"), "wrong usage", 2),
    (CancelNotSupported("export:1"), "wrong usage", 2),
    (ClientClosed(), "wrong usage", 2),
]
each_end = pytest.mark.parametrize(
    ("result", "word", "code"), ENDS, ids=[type(result).__name__ for result, _, _ in ENDS]
)
WAITS = [end for end in ENDS if isinstance(end[0], Action | WaitError | RequestError)]
each_wait_end = pytest.mark.parametrize(
    ("result", "word", "code"), WAITS, ids=[type(result).__name__ for result, _, _ in WAITS]
)


@each_end
def test_end(result: Action | RedisActionsError, word: str, code: int) -> None:
    """Each way to end has its word and its code."""
    assert end_of(result) == (word, code)


def test_every_error_is_above() -> None:
    """No error of ours is without a row above."""

    def leaves(kind: type[RedisActionsError]) -> set[type[RedisActionsError]]:
        return {kind}.union(*(leaves(each) for each in kind.__subclasses__()))

    ours = {
        each for each in leaves(RedisActionsError) if each.__module__.startswith("redis_enterprise")
    }
    roots = {RedisActionsError, RequestError, WaitError}
    assert {type(result) for result, _, _ in ENDS} == (ours - roots) | {Action}


class TestPlain:
    """Lines for people."""

    async def test_changed(self, lines: Callable[[], list[str]]) -> None:
        """A change is a line: how long it took since the report began, and how it stands."""
        await asyncio.sleep(30)
        report = Report(as_json=False, bars=None)
        report.changed(at(5))
        await asyncio.sleep(75.25)
        report.changed(at(50))

        assert lines() == [
            "     0.0 s  SMUpdateBDB: active, 5 % [a1]",
            "    75.2 s  SMUpdateBDB: active, 50 % [a1]",
        ]

    async def test_completed(self, lines: Callable[[], list[str]]) -> None:
        """The end tells what has ended, under the name that was asked for, and after what time."""
        report = Report(as_json=False, bars=None)
        await asyncio.sleep(75.25)
        done = msgspec.structs.replace(
            at(status="completed"),
            uid="node:1/remove",
            name="remove",
            kind=Kind.NODE_ACTION,
            node_uid="1",
        )

        assert report.ended("node:1/remove", done) == 0
        assert lines() == ["remove on node:1 [node:1/remove] completed after 75.2 s"]

    @each_wait_end
    async def test_ended(
        self,
        lines: Callable[[], list[str]],
        result: Action | WaitError | RequestError,
        word: str,
        code: int,
    ) -> None:
        """Any end is one line, what the error says if it is one, and its code is returned."""
        assert Report(as_json=False, bars=None).ended("a1", result) == code

        (line,) = lines()
        expected = "SMUpdateBDB [a1] completed after 0.0 s"
        assert line == (expected if isinstance(result, Action) else str(result))

    @settings(max_examples=50)
    @given(st.text())
    def test_strange_names(self, name: str) -> None:
        """Whatever a name holds, it breaks no line and moves no cursor."""

        async def ended(out: io.StringIO) -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("sys.stdout", out)
                Report(as_json=False, bars=None).ended(name, at(status="completed"))

        out = io.StringIO()
        asyncio.run(ended(out))
        assert out.getvalue().endswith("\n")
        assert out.getvalue()[:-1].isprintable()


class TestJson:
    """Objects for programs, one a line."""

    async def test_changed(self, lines: Callable[[], list[str]]) -> None:
        """A change has the seconds since the report began, and the whole action."""
        report = Report(as_json=True, bars=None)
        await asyncio.sleep(1.23456)
        report.changed(at(5))

        (line,) = lines()
        told = json.loads(line)
        assert told.keys() == {"event", "elapsed", "action"}
        assert (told["event"], told["elapsed"]) == ("change", 1.235)
        assert msgspec.convert(told["action"], Action) == at(5)

    @each_wait_end
    async def test_ended(
        self,
        lines: Callable[[], list[str]],
        result: Action | WaitError | RequestError,
        word: str,
        code: int,
    ) -> None:
        """An end says in data what the line says in words."""
        report = Report(as_json=True, bars=None)
        await asyncio.sleep(2)

        assert report.ended("a\n1", result) == code
        (line,) = lines()
        told = json.loads(line)
        action = result if isinstance(result, Action) else result.action
        said = (
            "SMUpdateBDB [a 1] completed after 2.0 s" if isinstance(result, Action) else str(result)
        )
        assert told.pop("action") == (
            None if action is None else json.loads(msgspec.json.encode(action))
        )
        assert told == {
            "event": "end",
            "uid": "a\n1",
            "outcome": word,
            "exit_code": code,
            "elapsed": 2.0,
            "message": said,
        }

    def test_strange_letters(self, lines: Callable[[], list[str]]) -> None:
        """What is no ASCII is written as it is, and line breaks are escaped."""
        print_json({"message": "日\n本\x1b"})

        assert lines() == ['{"message":"日\\n本\\u001b"}']


async def test_bars() -> None:
    """With bars, changes are drawn and not told; ends are told above them."""
    out = io.StringIO()
    with Bars(Console(file=out, force_terminal=True, width=80, color_system=None)) as bars:
        report = Report(as_json=False, bars=bars)
        report.changed(at(40))
        assert report.ended("a1", at(status="completed")) == 0

    assert "SMUpdateBDB [a1] completed after 0.0 s\n" in out.getvalue()
    assert "SMUpdateBDB: active" not in out.getvalue()
    assert "━" in out.getvalue()


@pytest.mark.parametrize("as_json", [False, True])
def test_show(lines: Callable[[], list[str]], as_json: bool) -> None:
    """An action that is shown is a line, or an object."""
    show(at(5), as_json=as_json)

    (line,) = lines()
    if as_json:
        assert msgspec.json.decode(line, type=Action) == at(5)
        assert json.loads(line)["phase"] == Phase.RUNNING
    else:
        assert line == "SMUpdateBDB: active, 5 % [a1]"
