"""Tests of `_client.pacing.retry`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from redis_enterprise_actions import ClusterUnreachable, RequestRejected, UnreadableReply
from redis_enterprise_actions._client.pacing.durations import DEFAULT_OUTAGE_TIMEOUT
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


def unreachable(*nodes: str, attempts: int = 1, advice: str | None = None) -> ClusterUnreachable:
    """Return the error of an outage."""
    return ClusterUnreachable(
        "GET", "/v1/actions", reason="x", nodes=nodes, attempts=attempts, advice=advice
    )


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


async def test_history() -> None:
    """The last error is raised anew: it counts all attempts, and names all nodes and its cause."""
    errors = [unreachable("http://n1", "http://n2", attempts=2), unreachable("http://n3")]
    errors[1].__cause__ = OSError("no route")
    flaky = Flaky(*errors, *(unreachable("http://n1") for _ in range(99)), errors[1])

    with pytest.raises(ClusterUnreachable) as caught:
        await retry_for(1.0, flaky)

    assert caught.value.attempts == len(flaky.calls) + 1
    assert set(caught.value.nodes) <= {"http://n1", "http://n2", "http://n3"}
    assert (errors[0].attempts, errors[1].attempts) == (2, 1)
    assert errors[1].nodes == ("http://n3",)


async def test_one_attempt() -> None:
    """Without a budget the error of the only attempt is raised, with its cause."""
    error = unreachable("http://n1")
    error.__cause__ = OSError("no route")

    with pytest.raises(ClusterUnreachable) as caught:
        await retry_for(0.0, Flaky(error))

    assert caught.value is error
    assert str(caught.value.__cause__) == "no route"


@pytest.mark.parametrize("error", [RequestRejected("GET", "/", status=406), OSError()], ids=repr)
async def test_no_retry(error: Exception) -> None:
    """A refusal is raised at once, and so is an error of another library."""
    flaky = Flaky(error)

    with pytest.raises(type(error)):
        await retry_for(10.0, flaky)

    assert len(flaky.calls) == 1


@dataclass
class Cluster:
    """Cluster that has, or has not, given an answer yet."""

    has_answered: bool = False


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings that were logged."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


class TestNeverReached:
    """A cluster that was never reached is reported after ten seconds."""

    ADVICE = "Check the name"

    def errors(self, **options: str) -> Flaky:
        """Return a call that never succeeds."""
        return Flaky(*(unreachable("http://n1", **options) for _ in range(1000)))  # type: ignore[arg-type]

    async def test_default(self, caplog: pytest.LogCaptureFixture) -> None:
        """With the default of the limit, the call ends after ten seconds, with the advice."""
        flaky = self.errors(advice=self.ADVICE)
        began = asyncio.get_running_loop().time()
        with pytest.raises(
            ClusterUnreachable, match=r"x \(.* attempts at .*\)\. Check the name$"
        ) as got:
            await retry_for(DEFAULT_OUTAGE_TIMEOUT, flaky, cluster=Cluster())

        assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.1)
        assert got.value.attempts == len(flaky.calls)
        assert warnings_of(caplog) == [
            "the cluster has not been reached yet: no usable answer from the cluster: x "
            "(1 attempt at http://n1). Check the name"
        ]

    async def test_given_limit(self, caplog: pytest.LogCaptureFixture) -> None:
        """With a limit of the caller's, even the same number, it is logged once, and goes on."""
        began = asyncio.get_running_loop().time()
        with pytest.raises(ClusterUnreachable) as got:
            await retry_for(300.0, self.errors(advice=self.ADVICE), cluster=Cluster())

        assert asyncio.get_running_loop().time() - began > 200
        assert "Check" not in str(got.value)
        assert len(warnings_of(caplog)) == 1

    @pytest.mark.parametrize("cluster", [Cluster(has_answered=True), None])
    async def test_reached(self, cluster: Cluster | None, caplog: pytest.LogCaptureFixture) -> None:
        """A cluster that has answered may take the whole limit to come back."""
        began = asyncio.get_running_loop().time()
        with pytest.raises(ClusterUnreachable):
            await retry_for(DEFAULT_OUTAGE_TIMEOUT, self.errors(advice="a"), cluster=cluster)

        assert asyncio.get_running_loop().time() - began > 200
        assert warnings_of(caplog) == []

    async def test_no_advice(self, caplog: pytest.LogCaptureFixture) -> None:
        """An outage without advice, such as a 503, may take the whole limit."""
        began = asyncio.get_running_loop().time()
        with pytest.raises(ClusterUnreachable):
            await retry_for(DEFAULT_OUTAGE_TIMEOUT, self.errors(), cluster=Cluster())

        assert asyncio.get_running_loop().time() - began > 200
        assert warnings_of(caplog) == []

    async def test_unreadable(self) -> None:
        """An answer that is not the API's ends the call early, too."""
        error = UnreadableReply("GET", "/", problem="a 404", advice="Use the API")
        with pytest.raises(ClusterUnreachable, match=r"a 404 \(.*\)\. Use the API"):
            await retry_for(DEFAULT_OUTAGE_TIMEOUT, Flaky(*[error] * 99), cluster=Cluster())

    async def test_short_limit(self, caplog: pytest.LogCaptureFixture) -> None:
        """A limit of less than ten seconds ends the call before that."""
        with pytest.raises(ClusterUnreachable):
            await retry_for(3.0, self.errors(advice="a"), cluster=Cluster())

        assert warnings_of(caplog) == []
