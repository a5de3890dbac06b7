"""Tests of `_client.http.messages`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from redis_enterprise_actions._client.http.messages import Reply, Request
from redis_enterprise_actions._model.secret import Secret


pytestmark = pytest.mark.core

SECRET = "hunter2-hunter2"


def test_repr_of_reply() -> None:
    """The `repr` of a reply does not show its body."""
    assert repr(Reply(200, SECRET.encode(), {})) == "<answer 200 of 15 bytes>"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("Sun, 01 Mar 2026 12:00:00 -0000", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
    ],
)
def test_date(text: str | None, date: datetime | None) -> None:
    """The date of a reply is its header's, if that can be read."""
    assert Reply(200, b"", {} if text is None else {"Date": text}).date == date


def test_repr_of_request() -> None:
    """The `repr` of a request does not show its body."""
    assert SECRET not in repr(Request("POST", "/v1/bdbs", body=Secret(SECRET)))


@pytest.mark.parametrize(
    ("request_", "is_write"),
    [
        (Request("GET", "/v1/bdbs"), False),
        (Request("POST", "/v1/bdbs"), True),
        (Request("PUT", "/v1/bdbs/1"), True),
        (Request("DELETE", "/v1/bdbs/1"), True),
        (Request("POST", "/v1/users/authorize", repeatable=True), False),
    ],
    ids=lambda value: f"{value.method}-{value.repeatable}" if isinstance(value, Request) else "",
)
def test_is_write(request_: Request, is_write: bool) -> None:
    """All but GETs, and what is said to be repeatable, must not be sent twice."""
    assert request_.is_write is is_write
