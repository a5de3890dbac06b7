"""Facts about the ends of waits: the word and the exit code of each; and about printed lines."""

from __future__ import annotations

import json
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
from redis_enterprise_actions._report import end_of, print_json, show
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


def test_strange_letters(lines: Callable[[], list[str]]) -> None:
    """What is no ASCII is written as it is, and line breaks are escaped."""
    print_json({"message": "日\n本\x1b"})

    assert lines() == ['{"message":"日\\n本\\u001b"}']


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
