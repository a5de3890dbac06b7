"""Tests of `_model.secret`."""

from __future__ import annotations

import copy
import logging
import pickle

import msgspec
import pytest

from redis_enterprise_actions import Secret, UsageError


TEXT = "hunter2-hunter2"


def test_shown() -> None:
    """Only `reveal` shows the text."""
    secret = Secret(TEXT)

    assert (repr(secret), str(secret), f"{secret}", str([secret])) == ("***", "***", "***", "[***]")
    assert secret.reveal() == TEXT


def test_log(caplog: pytest.LogCaptureFixture) -> None:
    """A log record does not hold the text."""
    logging.getLogger("x").warning("it is %s, %r", Secret(TEXT), Secret(TEXT))

    assert caplog.messages == ["it is ***, ***"]


def test_equal() -> None:
    """Secrets with the same text are equal, and no text is equal to a secret."""
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret("other")
    assert Secret(TEXT) != TEXT
    assert len({Secret(TEXT), Secret(TEXT)}) == 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol: int) -> None:
    """A pickle does not hold the text, and what comes from it says so; it equals no other."""
    stored = pickle.dumps(Secret(TEXT), protocol)
    secret = pickle.loads(stored)

    assert TEXT.encode() not in stored
    assert repr(secret) == "***"
    with pytest.raises(UsageError, match="a pickle does not keep the text of a secret"):
        secret.reveal()
    assert secret not in {Secret(TEXT), Secret("")}
    assert secret == pickle.loads(pickle.dumps(secret))


def test_copy() -> None:
    """A copy is the secret itself."""
    secret = Secret(TEXT)

    assert copy.copy(secret) is copy.deepcopy([secret])[0] is secret


def test_json() -> None:
    """A secret cannot be encoded by accident."""
    with pytest.raises(TypeError, match="unsupported"):
        msgspec.json.encode({"password": Secret(TEXT)})
