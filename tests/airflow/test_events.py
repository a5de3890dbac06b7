"""Tests of `airflow.events`."""

from __future__ import annotations

import json

import pytest

from redis_enterprise_actions import ClusterUnreachable, RequestRejected, UsageError
from redis_enterprise_actions.airflow.events import airflow_error, check_version, event_of
from tests.airflow.raised import AirflowException, AirflowFailException
from tests.conftest import ACTIVE


def test_an_action_as_json() -> None:
    """The event of an action has its fields as plain JSON."""
    decoded = event_of("a1", ACTIVE)["action"]

    assert decoded is not None
    assert json.loads(json.dumps(decoded)) == decoded
    assert (decoded["uid"], decoded["phase"], decoded["kind"]) == ("a1", "running", "state-machine")


def test_an_error_before_anything_was_seen() -> None:
    """The event for an error before the first answer has no action."""
    event = event_of("a1", UsageError("no such thing"))

    assert event == {
        "v": 1,
        "ref": "a1",
        "outcome": "UsageError",
        "message": "no such thing",
        "action": None,
    }


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ClusterUnreachable("POST", "/", reason="refused"), AirflowException),
        (RequestRejected("POST", "/", status=400), AirflowFailException),
    ],
)
def test_nothing_begun(error: Exception, raised: type[Exception]) -> None:
    """An outage before the work started leads to a retry; a refusal does not."""
    assert type(airflow_error(type(error).__name__, str(error))) is raised


def test_another_version() -> None:
    """A document of another version is refused, and one without a version is of the first."""
    check_version({}, "the event")
    check_version({"v": 1}, "the event")
    with pytest.raises(AirflowFailException, match=r"the event has v=2, .* reads 1"):
        check_version({"v": 2}, "the event")
