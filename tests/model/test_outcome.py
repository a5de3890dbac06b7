"""Tests of `_model.outcome`."""

from __future__ import annotations

import pickle

import msgspec
import pytest

import redis_enterprise_actions
from redis_enterprise_actions import (
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
    ClusterUnhealthy,
    ClusterUnreachable,
    DatabaseNotFound,
    NothingToFollow,
    Outcome,
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
from tests.conftest import at


TABLE = [
    (Outcome.COMPLETED, "completed", 0, "✓", "+", False),
    (Outcome.REACHED, "reached", 0, "✓", "+", False),
    (Outcome.FAILED, "failed", 1, "✗", "x", True),
    (Outcome.CANCELLED, "cancelled", 1, "✗", "x", True),
    (Outcome.ABORTED, "aborted", 1, "✗", "x", True),
    (Outcome.TIMED_OUT, "timed out", 3, "…", "~", True),
    (Outcome.STALLED, "stalled", 3, "…", "~", True),
    (Outcome.NOT_FOUND, "not found", 4, "✗", "x", True),
    (Outcome.VANISHED, "vanished", 4, "✗", "x", True),
    (Outcome.UNREACHABLE, "unreachable", 5, "✗", "x", True),
    (Outcome.REJECTED, "rejected", 5, "✗", "x", True),
    (Outcome.UNHEALTHY, "not healthy", 7, "✗", "x", True),
    (Outcome.NOT_FOLLOWED, "not followed", 8, "✗", "x", True),
    (Outcome.WRONG_USAGE, "wrong usage", 2, "✗", "x", True),
    (Outcome.INTERRUPTED, "interrupted", 130, "■", "-", False),
    (Outcome.UNDER_WAY, "under way", 0, "…", "~", False),
]
ERRORS = {
    RedisActionsError: Outcome.WRONG_USAGE,
    UsageError: Outcome.WRONG_USAGE,
    DatabaseNotFound: Outcome.NOT_FOUND,
    ClientClosed: Outcome.WRONG_USAGE,
    ClusterUnhealthy: Outcome.UNHEALTHY,
    CancelNotSupported: Outcome.WRONG_USAGE,
    RequestError: Outcome.UNREACHABLE,
    ClusterUnreachable: Outcome.UNREACHABLE,
    AnswerLost: Outcome.UNREACHABLE,
    UntrustedCertificate: Outcome.UNREACHABLE,
    ClientCertificateRefused: Outcome.UNREACHABLE,
    UnreadableReply: Outcome.UNREACHABLE,
    RequestRejected: Outcome.REJECTED,
    AuthenticationError: Outcome.REJECTED,
    ActionFailed: Outcome.FAILED,
    ActionCancelled: Outcome.CANCELLED,
    ActionAborted: Outcome.ABORTED,
    ActionNotFound: Outcome.NOT_FOUND,
    ActionVanished: Outcome.VANISHED,
    ActionStalled: Outcome.STALLED,
    NothingToFollow: Outcome.NOT_FOLLOWED,
    WaitTimeout: Outcome.TIMED_OUT,
}


@pytest.mark.parametrize(
    ("outcome", "word", "exit_code", "mark", "ascii_mark", "is_error"),
    TABLE,
    ids=[word for _, word, *_ in TABLE],
)
def test_member(
    outcome: Outcome, word: str, exit_code: int, mark: str, ascii_mark: str, is_error: bool
) -> None:
    """Each outcome has a word, an exit code and two marks, one of them ASCII."""
    assert (str(outcome), outcome.value, f"{outcome}", Outcome(word)) == (word, word, word, outcome)
    assert (outcome.exit_code, outcome.is_error) == (exit_code, is_error)
    assert (outcome.mark, outcome.ascii_mark, ascii_mark.isascii()) == (mark, ascii_mark, True)
    assert pickle.loads(pickle.dumps(outcome)) is outcome
    assert msgspec.json.encode(outcome) == f'"{word}"'.encode()
    assert msgspec.json.decode(f'"{word}"', type=Outcome) is outcome


def test_every_member_is_above() -> None:
    """The table of this file lists every outcome, in the order of the enum."""
    assert [outcome for outcome, *_ in TABLE] == list(Outcome)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("completed", Outcome.COMPLETED),
        ("failed", Outcome.FAILED),
        ("cancelled", Outcome.CANCELLED),
        ("aborted", Outcome.ABORTED),
        ("active", Outcome.UNDER_WAY),
        ("pending", Outcome.UNDER_WAY),
        ("odd", Outcome.UNDER_WAY),
    ],
)
def test_of_action(status: str, outcome: Outcome) -> None:
    """The outcome of an action is that of its phase."""
    assert Outcome.of(at(status=status)) is outcome


def test_of_error() -> None:
    """The outcome of an error is that of its class."""
    assert Outcome.of(UsageError("no")) is Outcome.WRONG_USAGE
    assert Outcome.of(WaitTimeout("a1", action=None, elapsed=1.0, polls=1, timeout=1.0)) == (
        Outcome.TIMED_OUT
    )


def test_every_error_has_an_outcome() -> None:
    """Every public error but the abstract `WaitError` has the outcome in the table above."""
    public = [getattr(redis_enterprise_actions, name) for name in redis_enterprise_actions.__all__]
    errors = {
        each for each in public if isinstance(each, type) and issubclass(each, RedisActionsError)
    }

    assert errors == {*ERRORS, WaitError}
    assert {error: error.outcome for error in ERRORS} == ERRORS


def test_every_terminal_phase_has_an_outcome() -> None:
    """No action that has ended is taken for one that is under way."""
    ended = [phase for phase in Phase if phase.terminal]

    assert all(Outcome.of(at(status=phase.value)).value == phase.value for phase in ended)
