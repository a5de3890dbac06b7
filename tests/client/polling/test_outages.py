"""Facts about `_outages`: a wait's own outage and everybody's, without a clock."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import ClusterUnreachable, RequestError, UnreadableReply
from redis_enterprise_actions._client.polling.outages import Outages


def refused(node: str = "http://n1", *, elsewhere: bool = False) -> ClusterUnreachable:
    """Return the lack of an answer from a node."""
    error = ClusterUnreachable("GET", "/v1/actions/a1", reason="refused", nodes=[node])
    error.has_alternative = elsewhere
    return error


def both() -> Outages:
    """Return an outage that is the wait's own, and one, with two errors, that is everybody's."""
    outages = Outages()
    outages.took(refused("http://n1"), own=True, began=10.0, budget=30.0)
    outages.took(refused("http://n1"), own=False, began=8.0, budget=30.0)
    outages.took(refused("http://n2"), own=False, began=12.0, budget=30.0)
    return outages


def test_begins_once() -> None:
    """An outage lasts from the first error on, however many follow."""
    first = both().first

    assert first is not None
    assert (first.began, first.end, first.errors) == (8.0, 38.0, 2)


def test_everybodys_is_over() -> None:
    """When others are answered for, the wait's own outage goes on."""
    outages = both()
    over = outages.everybodys_is_over(15.0)

    assert over == (8.0, 15.0, 2, "refused")
    assert outages.own
    assert [outage.errors for outage in outages] == [1]
    assert outages.everybodys_is_over(16.0) is None


def test_are_over() -> None:
    """An answer ends all of them."""
    outages = both()
    over = outages.are_over(20.0)

    assert over == [(10.0, 20.0, 1, "refused"), (8.0, 20.0, 2, "refused")]
    assert not outages
    assert (outages.own, outages.first) == (False, None)


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
    unreachable = both().unreachable(error)

    assert (unreachable.reason, unreachable.attempts) == (reason, 3)
    assert unreachable.nodes == ("http://n1", "http://n2")


def test_elsewhere() -> None:
    """There is another node to ask until one that was asked is named again."""
    outages = Outages()

    def took(node: str) -> bool:
        return outages.took(refused(node, elsewhere=True), own=True, began=0.0, budget=9.0)

    assert [took(node) for node in ("http://n1", "http://n2", "http://n1")] == [True, True, False]
