"""Tests of `_client.polling.outages`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import ClusterUnreachable, RequestError, UnreadableReply
from redis_enterprise_actions._client.polling.outages import OngoingOutages


def refused(node: str = "http://n1", *, has_alternative: bool = False) -> ClusterUnreachable:
    """Return the error of a node that refuses the connection."""
    error = ClusterUnreachable("GET", "/v1/actions/a1", reason="refused", nodes=[node])
    error.has_alternative = has_alternative
    return error


def both() -> OngoingOutages:
    """Return an outage of the action, and a cluster-wide one with two failures."""
    outages = OngoingOutages()
    outages.record(refused("http://n1"), per_action=True, began=10.0, budget=30.0)
    outages.record(refused("http://n1"), per_action=False, began=8.0, budget=30.0)
    outages.record(refused("http://n2"), per_action=False, began=12.0, budget=30.0)
    return outages


def test_begins_once() -> None:
    """An outage lasts from the first failure on."""
    first = both().first

    assert first is not None
    assert (first.began, first.end, first.failures) == (8.0, 38.0, 2)


def test_end_of_the_cluster_wide_outage() -> None:
    """If the cluster answers others, the outage of the action goes on."""
    outages = both()
    over = outages.end_cluster_wide(15.0)

    assert over == (8.0, 15.0, 2, "refused")
    assert outages.per_action
    assert [outage.failures for outage in outages] == [1]
    assert outages.end_cluster_wide(16.0) is None


def test_end_of_all() -> None:
    """An answer ends all outages."""
    outages = both()
    over = outages.end_all(20.0)

    assert over == [(10.0, 20.0, 1, "refused"), (8.0, 20.0, 2, "refused")]
    assert not outages
    assert (outages.per_action, outages.first) == (False, None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refused(), "refused"),
        (
            UnreadableReply("GET", "/v1/actions/a1", problem="cut off"),
            "the answer cannot be read: cut off",
        ),
    ],
    ids=["unreachable", "unreadable"],
)
def test_unreachable(error: RequestError, reason: str) -> None:
    """The error has the last reason, each node, and the attempts of all outages."""
    unreachable = both().unreachable_error(error)

    assert (unreachable.reason, unreachable.attempts) == (reason, 3)
    assert unreachable.nodes == ("http://n1", "http://n2")


def test_has_alternative() -> None:
    """Another node can be tried until one is named again."""
    outages = OngoingOutages()

    def took(node: str) -> bool:
        return outages.record(
            refused(node, has_alternative=True), per_action=True, began=0.0, budget=9.0
        )

    assert [took(node) for node in ("http://n1", "http://n2", "http://n1")] == [True, True, False]
