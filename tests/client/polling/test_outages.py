"""Facts about `_outages`: a wait's own outage and everybody's, without a clock."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import ClusterUnreachable, RequestError, UnreadableReply
from redis_enterprise_actions._client.polling.outages import OngoingOutages


def refused(node: str = "http://n1", *, elsewhere: bool = False) -> ClusterUnreachable:
    """Return the lack of an answer from a node."""
    error = ClusterUnreachable("GET", "/v1/actions/a1", reason="refused", nodes=[node])
    error.has_alternative = elsewhere
    return error


def both() -> OngoingOutages:
    """Return an outage that is the wait's own, and one, with two errors, that is everybody's."""
    outages = OngoingOutages()
    outages.record(refused("http://n1"), per_action=True, began=10.0, budget=30.0)
    outages.record(refused("http://n1"), per_action=False, began=8.0, budget=30.0)
    outages.record(refused("http://n2"), per_action=False, began=12.0, budget=30.0)
    return outages


def test_begins_once() -> None:
    """An outage lasts from the first error on, however many follow."""
    first = both().first

    assert first is not None
    assert (first.began, first.end, first.failures) == (8.0, 38.0, 2)


def test_everybodys_is_over() -> None:
    """When others are answered for, the wait's own outage goes on."""
    outages = both()
    over = outages.end_cluster_wide(15.0)

    assert over == (8.0, 15.0, 2, "refused")
    assert outages.per_action
    assert [outage.failures for outage in outages] == [1]
    assert outages.end_cluster_wide(16.0) is None


def test_are_over() -> None:
    """An answer ends all of them."""
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
    """The error for all of them tells the last reason, each node, and every attempt."""
    unreachable = both().unreachable_error(error)

    assert (unreachable.reason, unreachable.attempts) == (reason, 3)
    assert unreachable.nodes == ("http://n1", "http://n2")


def test_elsewhere() -> None:
    """There is another node to ask until one that was asked is named again."""
    outages = OngoingOutages()

    def took(node: str) -> bool:
        return outages.record(refused(node, elsewhere=True), per_action=True, began=0.0, budget=9.0)

    assert [took(node) for node in ("http://n1", "http://n2", "http://n1")] == [True, True, False]
