"""Facts about `_pace`: schedules, what they are told, and how one call is repeated."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tenacity import (
    RetryCallState,
    wait_chain,
    wait_combine,
    wait_exponential,
    wait_fixed,
    wait_incrementing,
    wait_none,
    wait_random,
)

from redis_enterprise_actions import ClusterUnreachable, RequestRejected, UsageError
from redis_enterprise_actions._pace import (
    AgedWait,
    PollState,
    RequestBackoff,
    is_transient,
    patiently,
    seconds,
)


if TYPE_CHECKING:
    from tenacity.wait import WaitBaseT


def pauses(schedule: WaitBaseT, count: int) -> list[float]:
    """Return the first pauses of a schedule when every answer comes at once."""
    state, now, given = PollState(1000.0), 1000.0, []
    for _ in range(count):
        given.append(state.pause_after(schedule, "an answer", now))
        now += given[-1]
    return given


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (wait_fixed(2), [2, 2, 2, 2]),
        (wait_fixed(timedelta(seconds=2)), [2, 2, 2, 2]),
        (wait_exponential(multiplier=1, max=5), [1, 2, 4, 5]),
        (wait_incrementing(1, 2), [1, 3, 5, 7]),
        (wait_chain(wait_fixed(1), wait_fixed(3)), [1, 3, 3, 3]),
        (wait_combine(wait_fixed(1), wait_fixed(3)), [4, 4, 4, 4]),
        (wait_fixed(1) + wait_random(0, 0), [1, 1, 1, 1]),
        (wait_none(), [0.1, 0.1, 0.1, 0.1]),
        (lambda state: state.attempt_number * 10, [10, 20, 30, 40]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_strategy_of_tenacity(schedule: WaitBaseT, expected: list[float]) -> None:
    """Any of tenacity's strategies is a schedule; none makes a busy loop."""
    assert pauses(schedule, 4) == pytest.approx(expected)


def test_what_a_strategy_is_told() -> None:
    """A strategy sees the number of the answer, the age of the wait and the answer itself."""
    seen: list[tuple[object, ...]] = []

    def schedule(state: RetryCallState) -> float:
        assert state.outcome is not None
        told = (state.attempt_number, state.seconds_since_start, state.idle_for)
        seen.append((*told, state.outcome.result()))
        return 2.0

    state = PollState(100.0)
    for answer, now in (("a", 100.0), (None, 102.5), ("c", 105.0)):
        state.pause_after(schedule, answer, now)

    assert seen == [(1, 0.0, 0.0, "a"), (2, 2.5, 2.0, None), (3, 5.0, 4.0, "c")]


@pytest.mark.parametrize("pause", [-1, math.nan, math.inf, None, "soon", True, 10**400])
def test_nonsense_from_a_strategy(pause: object) -> None:
    """A pause that is no number of seconds is the caller's mistake, and is said to be."""
    with pytest.raises(UsageError, match="not a number of seconds"):
        PollState(0.0).pause_after(lambda _: pause, "an answer", 0.0)  # type: ignore[arg-type, return-value]


def test_default_schedule() -> None:
    """The default asks every quarter of a second at first and every five seconds in the end."""
    given = pauses(AgedWait(), 200)

    assert given[0] == 0.25
    assert given == sorted(given)
    assert given[-1] == 5.0


def test_default_schedule_lags_by_a_tenth() -> None:
    """However long an action takes, its end is noticed within a tenth of that, or 0.25 s."""
    at = 0.0
    for pause in pauses(AgedWait(), 100):
        assert pause <= max(0.25, 0.1 * at) + 1e-9
        at += pause


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


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, math.inf),
        (0, 0.0),
        (1.5, 1.5),
        (math.inf, math.inf),
        (timedelta(minutes=2), 120.0),
    ],
)
def test_seconds(value: float | timedelta | None, expected: float) -> None:
    """Durations are seconds or a timedelta, and None is endless."""
    assert seconds(value, "timeout") == expected


@pytest.mark.parametrize("value", [-1, math.nan, "5", True, timedelta(seconds=-1), [5], 10**400])
def test_no_seconds(value: object) -> None:
    """Anything else is the caller's mistake, by name."""
    with pytest.raises(UsageError, match="timeout="):
        seconds(value, "timeout")  # type: ignore[arg-type]


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


def out() -> ClusterUnreachable:
    """Return an outage."""
    return ClusterUnreachable("GET", "/v1/actions", reason="x")


async def test_patiently() -> None:
    """A call is repeated while it may help."""
    flaky = Flaky(out(), out())

    assert await patiently(10.0, flaky) == "answer"
    assert len(flaky.calls) == 3


async def test_patience_ends() -> None:
    """It ends by time, not by tries, and the error tells how many there were."""
    flaky = Flaky(*(out() for _ in range(1000)))

    began = asyncio.get_running_loop().time()
    with pytest.raises(ClusterUnreachable) as caught:
        await patiently(10.0, flaky)

    assert asyncio.get_running_loop().time() - began <= 10.0
    assert 2 < caught.value.attempts == len(flaky.calls) < 1000


async def test_no_patience_with_refusals() -> None:
    """What will not change is raised at once."""
    flaky = Flaky(RequestRejected("GET", "/", status=406))

    with pytest.raises(RequestRejected):
        await patiently(10.0, flaky)

    assert len(flaky.calls) == 1


def test_transient() -> None:
    """Only errors of ours can be worth another try."""
    assert is_transient(out())
    assert not is_transient(RequestRejected("GET", "/", status=406))
    assert not is_transient(OSError())
