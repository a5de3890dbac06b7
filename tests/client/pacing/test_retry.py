"""Tests of `_client.pacing.retry`."""

from __future__ import annotations

import asyncio

import pytest

from redis_enterprise_actions import ClusterUnreachable, RequestRejected
from redis_enterprise_actions._client.pacing.retry import RequestBackoff, retry_for
from redis_enterprise_actions._client.pacing.schedules import PollState


def test_request_backoff() -> None:
    """Failed requests back off with jitter, up to ten seconds."""
    error = ClusterUnreachable("GET", "/", reason="x")
    state = PollState(0.0)
    given = [state.pause_after(RequestBackoff(), error, 0.0) for _ in range(50)]

    assert all(0.1 <= pause <= max(0.1, min(10.0, 0.5 * 2**n)) for n, pause in enumerate(given))
    assert max(given) > 2
    assert len(set(given)) > 10


@pytest.mark.parametrize(("said", "pause"), [(42.0, 42.0), (999_999_999.0, 300.0), (0.0, 0.1)])
def test_request_backoff_obeys(said: float, pause: float) -> None:
    """Where the cluster said how long to stay away, that is the pause, within reason."""
    error = ClusterUnreachable("GET", "/", reason="x", retry_after=said)

    assert PollState(0.0).pause_after(RequestBackoff(), error, 0.0) == pause


class Flaky:
    """Fails as told, then answers; keeps when it was called."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls: list[float] = []

    async def __call__(self) -> str:
        self.calls.append(asyncio.get_running_loop().time())
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def out(*nodes: str, elsewhere: bool = False) -> ClusterUnreachable:
    """Return an outage."""
    error = ClusterUnreachable("GET", "/v1/actions", reason="x", nodes=nodes)
    error.has_alternative = elsewhere
    return error


async def test_patiently() -> None:
    """A call is repeated while it may help."""
    flaky = Flaky(out(), out())

    assert await retry_for(10.0, flaky) == "answer"
    assert len(flaky.calls) == 3


async def test_patience_ends() -> None:
    """It ends by time, not by tries, and the error tells how many there were."""
    flaky = Flaky(*(out() for _ in range(1000)))

    began = asyncio.get_running_loop().time()
    with pytest.raises(ClusterUnreachable) as caught:
        await retry_for(10.0, flaky)

    assert asyncio.get_running_loop().time() - began <= 10.0
    assert 2 < caught.value.attempts == len(flaky.calls) < 1000


async def test_another_node() -> None:
    """Another node is asked at once, even where patience is over; all that were asked are named."""
    flaky = Flaky(*(out(f"http://n{number}", elsewhere=number < 3) for number in (1, 2, 3)))

    with pytest.raises(ClusterUnreachable) as caught:
        await retry_for(0.0, flaky)

    assert len(flaky.calls) == caught.value.attempts == 3
    assert caught.value.nodes == ("http://n1", "http://n2", "http://n3")
    assert flaky.calls[-1] - flaky.calls[0] < 0.3


async def test_no_patience_with_refusals() -> None:
    """What will not change is raised at once."""
    flaky = Flaky(RequestRejected("GET", "/", status=406))

    with pytest.raises(RequestRejected):
        await retry_for(10.0, flaky)

    assert len(flaky.calls) == 1
