"""Tests of `_client.polling.poller` with one wait, on answers from a list."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionStalled,
    ActionVanished,
    AuthenticationError,
    ClusterUnreachable,
    RedisActionsError,
    WaitTimeout,
)
from redis_enterprise_actions._client.polling.limits import Limits
from redis_enterprise_actions._client.polling.poller import Poller
from redis_enterprise_actions._client.polling.wait_state import WaitState
from redis_enterprise_actions._client.polling.watch import watch
from redis_enterprise_actions._model.action import completed
from redis_enterprise_actions._model.record import without_record
from redis_enterprise_actions._model.reference import ListKind
from tests.conftest import at
from tests.scripted import WALL, now, ref_of, unreachable


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from typing import TypeAlias

    from redis_enterprise_actions import WaitError
    from redis_enterprise_actions._client.protocols import Gate, ListResult, Wanted
    from redis_enterprise_actions._model.reference import Reference

    Verify: TypeAlias = Callable[[Reference, WaitError, Gate | None], Awaitable[Action | None]]


class ScriptedSource:
    """Source that answers in the order given, the last answer for ever.

    An answer is an action, None for "not found", an error to raise, or a number of seconds to hang
    before the next answer.
    """

    def __init__(self, *answers: Action | RedisActionsError | float | None) -> None:
        self.answers = list(answers)
        self.request_times: list[float] = []
        self.verify: Verify = never_verified
        self.has_answered = True

    def path(self, ref: Reference) -> str:
        return f"/v1/actions/{ref.uid}"

    async def fetch(self, _: Reference, __: Action | None, ___: Gate | None) -> Action | None:
        self.request_times.append(asyncio.get_running_loop().time())
        answer = self._next()
        if isinstance(answer, (int, float)):
            await asyncio.sleep(answer)
            answer = self._next()
        if isinstance(answer, RedisActionsError):
            raise answer
        assert not isinstance(answer, (int, float))
        return answer

    async def fetch_many(self, _: Wanted, __: Gate | None) -> ListResult:
        """Fail, as a single wait requests no list."""
        raise AssertionError

    def _next(self) -> Action | RedisActionsError | float | None:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def never_verified(_: Reference, __: WaitError, ___: Gate | None) -> None:
    """Return that the database confirms no end."""


async def watch_source(
    source: ScriptedSource,
    *,
    verify: Verify = never_verified,
    on_progress: Callable[[Action], object] | None = None,
    poll: float = 5.0,
    **limits: float,
) -> AsyncGenerator[Action, None]:
    """Watch an action of a source from now on."""
    wait = WaitState(
        ref_of("a1"), limits=Limits(**limits), poll=wait_fixed(poll), now=now(), wall=WALL
    )
    source.verify = verify
    poller = Poller(dict.fromkeys(ListKind, source), source)
    async with aclosing(watch(poller, wait, on_progress=on_progress)) as watched:
        async for action in watched:
            yield without_record(action)


async def test_yields_changes() -> None:
    """A watch yields the first answer, each change and the end, and polls before it sleeps."""
    source = ScriptedSource(at(1), at(1), at(2), at(2, "completed"))

    assert [a async for a in watch_source(source)] == [at(1), at(2), at(2, "completed")]
    assert [when - source.request_times[0] for when in source.request_times] == pytest.approx(
        [0, 5, 10, 15]
    )


async def test_failure_is_yielded() -> None:
    """A watch does not raise for an action that failed."""
    assert [a async for a in watch_source(ScriptedSource(at(1, "failed")))] == [at(1, "failed")]


async def test_request_hangs_at_the_deadline() -> None:
    """A request that hangs at the deadline does not hide the end: another one is made beside it."""
    source = ScriptedSource(at(1), 3600.0, at(2, "completed"))

    assert [a async for a in watch_source(source, timeout=12)][-1] == at(2, "completed")
    assert now() == pytest.approx(12, abs=1e-3)


async def test_all_requests_hang() -> None:
    """If the last poll hangs as well, the wait ends two seconds after its deadline."""
    source = ScriptedSource(at(1), 3600.0)

    with pytest.raises(WaitTimeout) as caught:
        async for _ in watch_source(source, timeout=12):
            pass

    assert now() == pytest.approx(14, abs=1e-3)
    assert caught.value.elapsed == pytest.approx(14, abs=1e-3)
    assert caught.value.polls == 3


async def test_last_poll_is_bounded() -> None:
    """The poll at the deadline may take two seconds, not longer."""
    began = asyncio.get_running_loop().time()
    source = ScriptedSource(at(1), at(1), 3600.0)

    with pytest.raises(WaitTimeout):
        async for _ in watch_source(source, timeout=10):
            pass

    assert asyncio.get_running_loop().time() - began == pytest.approx(12, abs=1e-3)


async def test_change_at_the_deadline_is_yielded() -> None:
    """A change that the poll at the deadline finds is yielded before the timeout is raised."""
    seen = []

    with pytest.raises(WaitTimeout):
        async for action in watch_source(ScriptedSource(at(1), at(2), at(3)), timeout=7):
            seen.append(action)

    assert seen == [at(1), at(2), at(3)]


async def test_end_at_the_deadline_counts() -> None:
    """An action that ended during the last sleep has ended."""
    seen = [
        a async for a in watch_source(ScriptedSource(at(1), at(1), at(2, "completed")), timeout=7)
    ]

    assert seen[-1] == at(2, "completed")


async def test_slow_consumer() -> None:
    """A consumer that sleeps past the deadline gets one more answer before the timeout."""
    seen = []

    with pytest.raises(WaitTimeout):
        async for action in watch_source(ScriptedSource(at(1), at(2)), timeout=7):
            seen.append(action)
            await asyncio.sleep(60)

    assert seen == [at(1), at(2)]


async def test_verified_when_vanished() -> None:
    """A vanished action has ended if the database shows it."""
    verified: list[WaitError] = []

    async def verify(_: Reference, unverified: WaitError, __: Gate | None) -> Action:
        verified.append(unverified)
        return completed(at(1))

    seen = [a async for a in watch_source(ScriptedSource(at(1), None), verify=verify)]

    assert seen == [at(1), completed(at(1))]
    assert [type(unverified) for unverified in verified] == [ActionVanished]


async def test_verified_when_stalled() -> None:
    """A stalled action has ended if the database shows it."""

    async def verify(_: Reference, unverified: WaitError, __: Gate | None) -> Action:
        assert isinstance(unverified, ActionStalled)
        return completed(at(1))

    seen = [a async for a in watch_source(ScriptedSource(at(1)), verify=verify, stall_timeout=30)]

    assert seen == [at(1), completed(at(1))]


@pytest.mark.parametrize(
    ("source", "error"),
    [(ScriptedSource(at(1), None), ActionVanished), (ScriptedSource(at(1)), ActionStalled)],
    ids=["vanished", "stalled"],
)
async def test_not_verified(source: ScriptedSource, error: type[WaitError]) -> None:
    """The error is raised if the database does not show an end."""
    with pytest.raises(error):
        async for _ in watch_source(source, stall_timeout=30):
            pass


async def test_verification_during_an_outage() -> None:
    """A verification that fails is retried."""
    errors: list[RedisActionsError] = [ClusterUnreachable("GET", "/v1/bdbs/1", reason="x")]

    async def verify(_: Reference, __: WaitError, ___: Gate | None) -> Action:
        if errors:
            raise errors.pop()
        return completed(at(1))

    seen = [a async for a in watch_source(ScriptedSource(at(1), None), verify=verify)]

    assert seen == [at(1), completed(at(1))]


@pytest.mark.parametrize(
    "source", [ScriptedSource(at(1), None), ScriptedSource(at(1))], ids=["gone", "still"]
)
async def test_verification_outlasts_the_budget(source: ScriptedSource) -> None:
    """A verification that fails for as long as the budget ends the wait."""

    async def verify(_: Reference, __: WaitError, ___: Gate | None) -> None:
        raise ClusterUnreachable("GET", "/v1/bdbs/1", reason="x")

    began = asyncio.get_running_loop().time()
    with pytest.raises(ClusterUnreachable) as caught:
        async for _ in watch_source(source, verify=verify, stall_timeout=5, outage_timeout=60):
            pass

    assert 65 <= asyncio.get_running_loop().time() - began <= 67.1
    assert caught.value.attempts < 40


async def test_attempts_of_a_poll() -> None:
    """A failed poll may have asked several nodes: the error of the wait counts and names all."""
    failure = ClusterUnreachable(
        "GET", "/v1/actions/a1", reason="refused", attempts=2, nodes=("http://n1", "http://n2")
    )
    source = ScriptedSource(at(1), failure)

    with pytest.raises(ClusterUnreachable) as caught:
        [a async for a in watch_source(source, outage_timeout=20)]
    assert caught.value.nodes == ("http://n1", "http://n2")
    assert caught.value.attempts == 2 * (len(source.request_times) - 1)


async def test_one_failure_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """A single failure is retried soon, and the log says nothing."""
    source = ScriptedSource(at(1), unreachable(), at(2, "completed"))

    seen = [a async for a in watch_source(source)]
    assert seen == [at(1), at(2, "completed")]
    assert source.request_times[2] - source.request_times[1] < 1.5
    assert caplog.records == []


async def test_failure_at_the_deadline() -> None:
    """A failure at the deadline ends the wait there, with the failure as the cause."""
    failure = unreachable()
    source = ScriptedSource(at(1), failure, at(2, "completed"))

    with pytest.raises(WaitTimeout) as caught:
        [a async for a in watch_source(source, timeout=3)]
    assert caught.value.__cause__ is failure
    assert caught.value.elapsed == pytest.approx(3, abs=1e-3)


async def test_outage_survived() -> None:
    """An outage within the budget ends no wait."""
    out = [ClusterUnreachable("GET", "/v1/actions/a1", reason="x") for _ in range(8)]
    source = ScriptedSource(at(1), *out, at(2, "completed"))

    assert [a async for a in watch_source(source)] == [at(1), at(2, "completed")]


async def test_outage_not_survived() -> None:
    """An outage ends the wait at the end of its budget, after a last attempt there."""
    source = ScriptedSource(at(1), ClusterUnreachable("GET", "/v1/actions/a1", reason="x"))

    with pytest.raises(ClusterUnreachable) as caught:
        async for _ in watch_source(source, outage_timeout=60):
            pass

    assert caught.value.action == at(1)
    assert source.request_times[-1] - source.request_times[0] == pytest.approx(65, abs=1e-3)
    assert caught.value.attempts == len(source.request_times) - 1


async def test_fatal_at_once() -> None:
    """A refusal ends the wait within one request."""
    source = ScriptedSource(AuthenticationError("GET", "/v1/actions/a1", status=401))

    with pytest.raises(AuthenticationError):
        async for _ in watch_source(source):
            pass

    assert len(source.request_times) == 1


class TestCallback:
    """The `on_progress` callback."""

    @pytest.mark.parametrize("asynchronous", [False, True])
    async def test_sees_everything(self, asynchronous: bool) -> None:
        """A callback, sync or async, gets the first answer, each change and the end, in order."""
        seen: list[Action] = []

        async def coroutine(action: Action) -> None:
            await asyncio.sleep(0.1)
            seen.append(action)

        callback = coroutine if asynchronous else seen.append
        source = ScriptedSource(at(1), at(1), at(2), at(2), at(2, "failed"))
        yielded = [a async for a in watch_source(source, on_progress=callback)]

        assert seen == yielded == [at(1), at(2), at(2, "failed")]

    @pytest.mark.parametrize("when", ["called", "awaited"])
    @pytest.mark.parametrize("status", ["active", "completed"])
    @pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
    async def test_end_of_an_iteration(
        self, error: type[Exception], status: str, when: str
    ) -> None:
        """The end of an iterator of the callback ends the wait as an error that names it."""

        def report_next(_: Action) -> object:
            if when == "called":
                raise error
            return awaited()

        async def awaited() -> None:
            raise error

        with pytest.raises(
            RuntimeError, match=rf"report_next.* raised {error.__name__}$"
        ) as caught:
            async for _ in watch_source(
                ScriptedSource(at(1, status)), on_progress=report_next, timeout=10
            ):
                pass
        assert isinstance(caught.value.__cause__, error)

    @pytest.mark.parametrize("error", [KeyError("mine"), TimeoutError("mine"), RuntimeError()])
    async def test_its_error_ends_the_wait(self, error: Exception) -> None:
        """An error of a callback ends the wait and is raised unchanged."""

        async def callback(_: Action) -> None:
            await asyncio.sleep(1)
            raise error

        with pytest.raises(type(error)) as caught:
            async for _ in watch_source(ScriptedSource(at(1)), on_progress=callback, timeout=10):
                pass
        assert caught.value is error

    async def test_is_cut_at_the_deadline(self) -> None:
        """A callback that hangs does not keep the wait from its deadline."""
        began = asyncio.get_running_loop().time()

        async def callback(_: Action) -> None:
            await asyncio.sleep(3600)

        with pytest.raises(WaitTimeout) as caught:
            async for _ in watch_source(ScriptedSource(at(1)), on_progress=callback, timeout=10):
                pass
        assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=1e-3)
        assert caught.value.action == at(1)

    async def test_is_cut_and_then_polled_once_more(self) -> None:
        """A callback that lasts until the deadline does not hide that the action has ended."""

        async def callback(action: Action) -> None:
            if not action.phase.terminal:
                await asyncio.sleep(3600)

        source = ScriptedSource(at(1), at(1, "completed"))
        seen = [a async for a in watch_source(source, on_progress=callback, timeout=10)]

        assert seen == [at(1), at(1, "completed")]
        assert source.request_times[1] - source.request_times[0] == pytest.approx(10, abs=1e-3)

    async def test_is_not_cut_at_the_end(self) -> None:
        """The callback for the end may last past the deadline."""
        done = []

        async def callback(action: Action) -> None:
            await asyncio.sleep(3600)
            done.append(action)

        source = ScriptedSource(at(1, "completed"))
        assert [a async for a in watch_source(source, on_progress=callback, timeout=10)] == done


async def test_cancelled_anywhere() -> None:
    """A wait that is cancelled at any of its awaits leaves no task behind."""

    async def callback(_: Action) -> None:
        await asyncio.sleep(1)

    async def wait() -> None:
        source = ScriptedSource(at(1), 2.0, at(2), at(3), 2.0, at(3, "completed"))
        async for _ in watch_source(source, on_progress=callback, poll=1.0):
            await asyncio.sleep(0.5)

    before = asyncio.all_tasks()
    for tenths in range(1, 129, 3):
        task = asyncio.create_task(wait())
        await asyncio.sleep(tenths / 10)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert asyncio.all_tasks() == before


async def test_end_as_a_request_becomes_slow() -> None:
    """The loop ends if the last wait ends in the moment in which its request counts as slow."""
    source = ScriptedSource(5 / 3 - 1e-9, at(100, "completed"))

    assert [a async for a in watch_source(source)] == [at(100, "completed")]
