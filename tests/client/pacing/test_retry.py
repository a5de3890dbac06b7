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
    pauses = [state.pause_after(RequestBackoff(), error, 0.0) for _ in range(50)]

    assert all(0.1 <= pause <= max(0.1, min(10.0, 0.5 * 2**n)) for n, pause in enumerate(pauses))
    assert max(pauses) > 2
    assert len(set(pauses)) > 10


@pytest.mark.parametrize(("seconds", "pause"), [(42.0, 42.0), (999_999_999.0, 300.0), (0.0, 0.1)])
def test_retry_after(seconds: float, pause: float) -> None:
    """`Retry-After` is the pause, within limits."""
    error = ClusterUnreachable("GET", "/", reason="x", retry_after=seconds)

    assert PollState(0.0).pause_after(RequestBackoff(), error, 0.0) == pause


class Flaky:
    """Callable that raises the given errors and then answers; it keeps the times of its calls."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls: list[float] = []

    async def __call__(self) -> str:
        self.calls.append(asyncio.get_running_loop().time())
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def unreachable(*nodes: str, has_alternative: bool = False) -> ClusterUnreachable:
    """Return the error of an outage."""
    error = ClusterUnreachable("GET", "/v1/actions", reason="x", nodes=nodes)
    error.has_alternative = has_alternative
    return error


async def test_retry_for() -> None:
    """A call is repeated after transient errors."""
    flaky = Flaky(unreachable(), unreachable())

    assert await retry_for(10.0, flaky) == "answer"
    assert len(flaky.calls) == 3


async def test_budget_ends() -> None:
    """The retries end by time, and the error counts the attempts."""
    flaky = Flaky(*(unreachable() for _ in range(1000)))

    began = asyncio.get_running_loop().time()
    with pytest.raises(ClusterUnreachable) as caught:
        await retry_for(10.0, flaky)

    assert asyncio.get_running_loop().time() - began <= 10.0
    assert 2 < caught.value.attempts == len(flaky.calls) < 1000


async def test_another_node() -> None:
    """Another node is tried at once, even after the budget; the error names all of them."""
    flaky = Flaky(
        *(unreachable(f"http://n{number}", has_alternative=number < 3) for number in (1, 2, 3))
    )

    with pytest.raises(ClusterUnreachable) as caught:
        await retry_for(0.0, flaky)

    assert len(flaky.calls) == caught.value.attempts == 3
    assert caught.value.nodes == ("http://n1", "http://n2", "http://n3")
    assert flaky.calls[-1] - flaky.calls[0] < 0.3


@pytest.mark.parametrize("error", [RequestRejected("GET", "/", status=406), OSError()], ids=repr)
async def test_no_retry(error: Exception) -> None:
    """A refusal is raised at once, and so is an error of another library."""
    flaky = Flaky(error)

    with pytest.raises(type(error)):
        await retry_for(10.0, flaky)

    assert len(flaky.calls) == 1
