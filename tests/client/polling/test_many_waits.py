"""Tests of `_client.polling.poller` and its planner, with many waits on a scripted source."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ActionVanished,
    AimedWait,
    AuthenticationError,
    ClientClosed,
    ClusterUnreachable,
    Evidence,
    UnreadableReply,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.pacing.shared_schedule import GAP
from redis_enterprise_actions._client.polling import poller as poller_module
from redis_enterprise_actions._client.polling.limits import Limits
from redis_enterprise_actions._client.polling.wait_state import WaitState
from redis_enterprise_actions._client.polling.waiters import Waiter
from redis_enterprise_actions._model.reference import ListKind
from tests.conftest import at, virtual_loop
from tests.scripted import WALL, ScriptedAction, ScriptedCluster, now, ref_of, unreachable
from tests.stopped_process import stand_still


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Literal

    from redis_enterprise_actions._client.protocols import Gate, ListResult, Wanted
    from redis_enterprise_actions._model.reference import Reference


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedCluster]:
    """Return a scripted cluster whose poller must leave no task behind."""
    yield ScriptedCluster()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def all_of(*waits: object) -> list[object]:
    """Return the result or the error of each wait."""
    return await asyncio.gather(*waits, return_exceptions=True)  # type: ignore[call-overload, no-any-return]


class TestSharing:
    """Waits share requests."""

    async def test_one_list_for_all(self, scripted: ScriptedCluster) -> None:
        """One list serves several waits."""
        uids = [scripted.add(f"a{n}", ends=10.0) for n in range(50)]

        results = await all_of(*(scripted.wait(uid) for uid in uids))
        assert [result.uid for result in results] == uids  # type: ignore[attr-defined]
        assert {what for what, _, _ in scripted.requests} == {"list"}
        assert len(scripted.requests) <= 32

    async def test_one_alone(self, scripted: ScriptedCluster) -> None:
        """A lone wait requests its own action, and so does the last wait that is left."""
        scripted.add("short", ends=5.0)
        scripted.add("long", ends=60.0)
        await all_of(scripted.wait("short"), scripted.wait("long"))

        assert max(scripted.list_times) < 6
        assert min(scripted.single_times("long")) > max(scripted.list_times)
        assert scripted.single_times("short") == []

    async def test_same_uid(self, scripted: ScriptedCluster) -> None:
        """Waits for one action share its requests, and each gets its end."""
        scripted.add("a", ends=20.0)
        results = await all_of(*(scripted.wait("a") for _ in range(10)))

        assert results == [results[0]] * 10
        assert isinstance(results[0], Action)
        alone = ScriptedCluster(work=scripted.work)
        scripted.work["a"].begins, scripted.work["a"].ends = now(), now() + 20.0
        await alone.wait("a")
        assert len(scripted.requests) == len(alone.requests)

    async def test_due_or_not(self, scripted: ScriptedCluster) -> None:
        """A wait that is not due yet gets the answer of a list at once."""
        scripted.add("often", ends=30.0)
        scripted.add("seldom", ends=10.0)
        slow = asyncio.create_task(scripted.wait("seldom", poll=wait_fixed(1000)))
        await asyncio.gather(slow, scripted.wait("often", poll=wait_fixed(1)))

        assert now() < 32
        assert scripted.single_times("seldom") == []

    @pytest.mark.parametrize("ends", [100.0, 1e6], ids=["with progress", "without"])
    async def test_strategy_is_called_once_per_due_poll(
        self, scripted: ScriptedCluster, ends: float
    ) -> None:
        """A strategy is called once for each poll that was due, whatever other waits do."""
        scripted.add("often", ends=100.0)
        scripted.add("own", ends=ends)
        calls: list[float] = []

        def strategy(_: object) -> float:
            calls.append(now())
            return 30.0

        await all_of(
            scripted.wait("own", poll=strategy, timeout=101.0),
            scripted.wait("often", poll=wait_fixed(1)),
        )
        assert len(calls) == 4
        assert all(later - sooner >= 30 for sooner, later in pairwise(calls))

    async def test_list_gap(self, scripted: ScriptedCluster) -> None:
        """An action that the list does not show is requested alone; missing is not gone."""
        scripted.add("there", ends=40.0)
        scripted.add("gap", ends=30.0, listed=False)
        results = await all_of(scripted.wait("there"), scripted.wait("gap"))

        assert [type(result) for result in results] == [Action, Action]
        assert len(scripted.single_times("gap")) > 3

    async def test_gap_that_comes_and_goes(self, scripted: ScriptedCluster) -> None:
        """An action that is in the list again is no longer requested alone."""
        scripted.add("there", ends=200.0)
        scripted.add("gap", ends=200.0)
        waits = asyncio.gather(scripted.wait("there"), scripted.wait("gap"))
        await asyncio.sleep(10)
        scripted.work["gap"].listed = False
        await asyncio.sleep(10)
        scripted.work["gap"].listed = True
        await waits

        assert 10 <= min(scripted.single_times("gap")) < 13
        assert max(scripted.single_times("gap")) < 80

    async def test_gap_now_and_then(self, scripted: ScriptedCluster) -> None:
        """An action that the list misses now and then is requested alone only for a short time."""
        scripted.add("there", ends=100.0)
        scripted.add("gap", ends=1e6)  # without visible progress
        waits = all_of(scripted.wait("there"), scripted.wait("gap", timeout=100.0))
        waiting = asyncio.ensure_future(waits)
        for _ in range(3):
            await asyncio.sleep(10)
            count = len(scripted.single_times("gap"))
            scripted.work["gap"].listed = False
            while len(scripted.single_times("gap")) == count:  # noqa: ASYNC110 - the time is virtual
                await asyncio.sleep(0.01)
            scripted.work["gap"].listed = True
        await waiting

        assert 3 <= len(scripted.single_times("gap")) <= 6

    async def test_costly_list(self, scripted: ScriptedCluster) -> None:
        """If a list costs more than it saves, each action is requested alone."""
        scripted.list_cost = 200.0
        for uid in ("a", "b", "c"):
            scripted.add(uid, ends=100.0)
        await all_of(*(scripted.wait(uid) for uid in ("a", "b", "c")))

        assert scripted.list_times == [0.0]
        assert all(len(scripted.single_times(uid)) > 5 for uid in ("a", "b", "c"))

    async def test_costly_list_pays_for_many(self, scripted: ScriptedCluster) -> None:
        """For enough waits, even a costly list is cheaper than one request for each."""
        scripted.list_cost = 20.0
        uids = [scripted.add(f"a{n}", ends=30.0) for n in range(100)]
        await all_of(*(scripted.wait(uid) for uid in uids))

        assert len(scripted.list_times) > 5
        assert len(scripted.requests) - len(scripted.list_times) < 5

    async def test_cost_is_measured_again(self, scripted: ScriptedCluster) -> None:
        """The cost of a list is measured again after a while."""
        scripted.list_cost = 200.0
        for uid in ("a", "b"):
            scripted.add(uid, ends=2000.0)
        waits = asyncio.gather(scripted.wait("a"), scripted.wait("b"))
        await asyncio.sleep(250)
        scripted.list_cost = 1.0
        await waits

        assert len([when for when in scripted.list_times if when < 299]) == 1
        assert len([when for when in scripted.list_times if when > 299]) > 50


class TestRateLimit:
    """Limits on the number of requests."""

    @pytest.mark.parametrize("count", [2, 30, 1000])
    @pytest.mark.parametrize("latency", [0.0, 0.2, 2.0])
    async def test_limits(self, scripted: ScriptedCluster, count: int, latency: float) -> None:
        """One request at a time, at most three a second, and a tenth of the time."""
        rng = random.Random(count)
        scripted.latency = latency
        uids = [scripted.add(f"a{n}", ends=rng.lognormvariate(3.4, 0.8)) for n in range(count)]
        await all_of(*(scripted.wait(uid) for uid in uids))

        began = [when for _, when, _ in scripted.requests]
        spent = sum(ended - when for _, when, ended in scripted.requests)
        assert scripted.most_in_flight == 1
        assert all(later - sooner > 0.999 for sooner, later in zip(began, began[3:], strict=False))
        # No rest follows the last request.
        assert spent - latency <= 0.1001 * (began[-1] - began[0])

    async def test_joining_waits_add_no_requests(self, scripted: ScriptedCluster) -> None:
        """Waits that begin one after the other do not make a request each."""
        uids = [scripted.add(f"a{n}", ends=20.0) for n in range(200)]
        waits = []
        for uid in uids:
            waits.append(asyncio.create_task(scripted.wait(uid)))
            await asyncio.sleep(0.01)
        await asyncio.gather(*waits)

        assert len([when for _, when, _ in scripted.requests if when < 2]) <= 7

    async def test_leaving_waits_add_no_requests(self, scripted: ScriptedCluster) -> None:
        """Waits that are cancelled one after the other make no requests."""
        uids = [scripted.add(f"a{n}", ends=2000.0) for n in range(100)]
        waits = [asyncio.create_task(scripted.wait(uid, poll=wait_fixed(50))) for uid in uids]
        for wait in waits[1:]:
            await asyncio.sleep(0.1)
            wait.cancel()
        waits[0].cancel()
        await asyncio.wait(waits)

        assert len(scripted.requests) == 1

    async def test_first_alone_at_once(self, scripted: ScriptedCluster) -> None:
        """The first wait of a client polls at once, within three requests a second."""
        ended = []
        for n in range(10):
            scripted.add(f"a{n}", ends=0.0)
            await scripted.wait(f"a{n}")
            ended.append(now())

        assert ended[2] == 0.0
        assert 3.0 < ended[9] < 3.3


class TestAsIfAlone:
    """A wait ends as it would without the others."""

    async def test_deadlines(self, scripted: ScriptedCluster) -> None:
        """Each wait ends at its own deadline, after a last poll there."""
        scripted.add("never", ends=1e9)
        scripted.add("late", ends=19.9)
        ends: dict[float, float] = {}

        async def until(timeout: float) -> None:
            with pytest.raises(WaitTimeout):
                await scripted.wait("never", timeout=timeout, poll=wait_fixed(500))
            ends[timeout] = now()

        slow = scripted.wait("late", timeout=20, poll=wait_fixed(500))
        results = await all_of(slow, *(until(timeout) for timeout in (5, 7.5, 60, 0)))

        assert results == [results[0], None, None, None, None]
        assert all(end == pytest.approx(timeout, abs=0.4) for timeout, end in ends.items())

    async def test_deadlines_while_a_request_hangs(self, scripted: ScriptedCluster) -> None:
        """Waits end two seconds after their deadlines if all requests hang."""
        scripted.latency = 100.0
        scripted.add("a", ends=10.0)
        scripted.add("b", ends=10.0)
        waits = [scripted.wait("a", timeout=t) for t in (5, 7, 9)]
        results = await all_of(*waits, scripted.wait("b"))

        assert [type(result) for result in results] == [*[WaitTimeout] * 3, Action]
        assert [round(result.elapsed, 3) for result in results[:3]] == [7, 9, 11]  # type: ignore[attr-defined]
        assert scripted.most_in_flight == 2

    async def test_deadline_of_a_late_joiner(self, scripted: ScriptedCluster) -> None:
        """A wait that begins while a request hangs ends soon after its deadline and a last poll."""
        scripted.latency = 100.0
        scripted.add("a", ends=10.0)
        first = asyncio.create_task(scripted.wait("a", timeout=500))
        await asyncio.sleep(1)

        with pytest.raises(WaitTimeout) as caught:
            await scripted.wait("a", timeout=5)
        assert caught.value.elapsed == pytest.approx(7)
        assert caught.value.polls == 1
        await first

    async def test_own_grace(self, scripted: ScriptedCluster) -> None:
        """An unknown uid is not found after its own grace period, with a poll at its end."""
        scripted.add("there", ends=60.0)
        scripted.add("late", ends=60.0, begins=8.0)
        waits = [scripted.wait("x", not_found_grace=3), scripted.wait("y", not_found_grace=9)]
        results = await all_of(scripted.wait("there"), scripted.wait("late"), *waits)

        assert [type(result) for result in results] == [*[Action] * 2, *[ActionNotFound] * 2]
        assert results[2].elapsed == pytest.approx(3, abs=1.5)  # type: ignore[attr-defined]
        assert results[3].elapsed == pytest.approx(9, abs=1.5)  # type: ignore[attr-defined]

    async def test_own_stall(self, scripted: ScriptedCluster) -> None:
        """An action without progress stalls its own wait, and not the others."""
        for uid in ("a", "b", "c"):
            scripted.add(uid, ends=50.0)
        scripted.add("stuck", ends=1e9, status="vanishes")
        others = [scripted.wait(uid, stall_timeout=20) for uid in ("a", "b", "c")]
        results = await all_of(*others, scripted.wait("stuck", stall_timeout=20))

        assert [type(result) for result in results] == [*[Action] * 3, ActionStalled]
        assert results[-1].elapsed == pytest.approx(20, abs=1)  # type: ignore[attr-defined]

    async def test_vanished(self, scripted: ScriptedCluster) -> None:
        """An action that vanishes from the list is requested alone, and then its database.

        If that does not tell its end, it is requested once more.
        """
        scripted.add("there", ends=30.0)
        scripted.add("gone", ends=10.0, status="vanishes")
        scripted.add("deleted", ends=10.0, status="vanishes", verified=True)
        results = await all_of(*(scripted.wait(uid) for uid in ("there", "gone", "deleted")))

        assert [type(result) for result in results] == [Action, ActionVanished, Action]
        assert results[-1].evidence is Evidence.DATABASE  # type: ignore[attr-defined]
        first, second = scripted.single_times("gone")
        assert second - first == pytest.approx(5, abs=0.1)
        assert len(scripted.single_times("deleted")) == 1
        assert len(scripted.single_times("database")) == 3

    async def test_vanished_at_the_deadline(self, scripted: ScriptedCluster) -> None:
        """At its deadline, too, a wait asks the database before it times out."""
        scripted.add("there", ends=30.0)
        scripted.add("gone", ends=11.9, status="vanishes")
        gone = scripted.wait("gone", timeout=12, poll=wait_fixed(500))
        results = await all_of(gone, scripted.wait("there", poll=wait_fixed(500), timeout=31))

        assert [type(result) for result in results] == [WaitTimeout, Action]
        assert [round(when) for when in scripted.single_times("database")] == [12]

    @pytest.mark.parametrize("moment", [10.5, 11.0, 11.2, 11.4, 11.6, 11.8, 12.0, 12.5, 13.0])
    async def test_cancelled_before_verification(
        self, scripted: ScriptedCluster, moment: float
    ) -> None:
        """No request follows for waits that are cancelled before they are verified."""
        scripted.latency = 0.15
        scripted.add("there", ends=30.0)
        scripted.add("gone", ends=10.0, status="vanishes")
        scripted.add("too", ends=10.0, status="vanishes")
        waits = [asyncio.create_task(scripted.wait(uid)) for uid in ("there", "gone", "too")]
        await asyncio.sleep(moment)
        for wait in waits[1:]:
            wait.cancel()
        await asyncio.wait(waits)

        about = {"gone", "too", "database"}
        assert [
            when for what, when, _ in scripted.requests if what in about and when > moment
        ] == []
        assert waits[0].result().phase.terminal

    async def test_cancelled_verifications(self, scripted: ScriptedCluster) -> None:
        """No verification follows for waits that are cancelled."""
        for uid in ("a", "b", "c"):
            scripted.add(uid, begins=-1e6, ends=1e6)
        scripted.add("d", ends=40.0)
        other = asyncio.create_task(scripted.wait("d"))
        waits = [asyncio.create_task(scripted.wait(uid, stall_timeout=20)) for uid in "abc"]
        await asyncio.sleep(10)
        scripted.latency = 0.4
        await asyncio.sleep(10.6)
        assert len(scripted.single_times("database")) == 1
        waits[1].cancel()
        waits[2].cancel()
        results = await all_of(*waits, other)

        assert isinstance(results[0], ActionStalled)
        assert len(scripted.single_times("database")) == 1

    async def test_leave_and_join_before_verification(self, scripted: ScriptedCluster) -> None:
        """If one wait leaves and another joins while the loop sleeps, neither is verified."""
        for uid in "abcdef":
            scripted.add(uid, begins=-1e6, ends=1e6)
        waits = [asyncio.create_task(scripted.wait(uid, stall_timeout=20)) for uid in "abcde"]

        async def callback(_: Action) -> None:
            await asyncio.sleep(20.5)
            first = next(iter(scripted.poller._registry.unverified)).ref.uid
            waits["abcde".index(first)].cancel()

        come = scripted.wait("f", on_progress=callback, poll=wait_fixed(50), timeout=100)
        results = await all_of(*waits, come)

        assert [type(result) for result in results].count(ActionStalled) == 4
        assert len(scripted.single_times("database")) == 4

    async def test_leave_and_join_before_single_request(self, scripted: ScriptedCluster) -> None:
        """If one wait leaves and another joins while the loop sleeps, no request is lost."""
        for uid in "abc":
            scripted.add(uid, ends=30.0)
        scripted.poller._registry.endpoint(ListKind.ACTIONS).on_heard(0.0, 0.0, 1e6, 0.0)
        first = asyncio.create_task(scripted.wait("a"))
        await asyncio.sleep(0.05)
        leaves = asyncio.create_task(scripted.wait("b"))
        await asyncio.sleep(0.05)
        leaves.cancel()
        comes = asyncio.create_task(scripted.wait("c"))

        assert [type(result) for result in await all_of(first, comes)] == [Action] * 2
        assert scripted.single_times("b") == []

    async def test_leaves_during_its_last_list(self, scripted: ScriptedCluster) -> None:
        """A wait that leaves while a list at its limit is out ends no other wait."""
        uids = [scripted.add(f"a{n}", ends=1e6) for n in range(4)]
        waits = [
            asyncio.create_task(scripted.wait(uid, timeout=timeout, poll=wait_fixed(500)))
            for uid, timeout in zip(uids, (10.0, 10.0, 40.0, 40.0), strict=True)
        ]
        await asyncio.sleep(9)
        scripted.latency = 1.0
        await asyncio.sleep(1.5)
        assert scripted.list_times[-1] == pytest.approx(10)
        waits[0].cancel()

        results = await all_of(*waits)
        assert [type(result) for result in results[1:]] == [WaitTimeout] * 3

    async def test_no_list_just_before_a_deadline(self, scripted: ScriptedCluster) -> None:
        """A list that is due just before a deadline is requested at the deadline."""
        for uid in ("a", "b"):
            scripted.add(uid, ends=100.0)
        waits = [scripted.wait(uid, timeout=10.3, poll=wait_fixed(5)) for uid in ("a", "b")]
        await all_of(*waits)

        assert scripted.list_times == pytest.approx([0, 5, 10.3], abs=1e-3)

    async def test_refused_list(self, scripted: ScriptedCluster) -> None:
        """A refused list ends all its waits, each with an error of its own."""
        scripted.add("a", ends=10.0)
        scripted.add("b", ends=10.0)
        scripted.error = AuthenticationError("GET", "/v1/actions", status=403)
        first, second = await all_of(scripted.wait("a"), scripted.wait("b"))

        assert first is not second
        assert (first.uid, second.uid) == ("a", "b")  # type: ignore[attr-defined]
        assert len(scripted.requests) == 1

    async def test_strategy_that_fails(self, scripted: ScriptedCluster) -> None:
        """An error or a wrong result of a strategy ends its own wait."""
        for uid in ("a", "b", "c"):
            scripted.add(uid, ends=10.0)

        def broken(_: object) -> float:
            raise KeyError("mine")

        results = await all_of(
            scripted.wait("a", poll=broken),
            scripted.wait("b", poll=lambda _: "soon"),  # type: ignore[arg-type, return-value]
            scripted.wait("c"),
        )
        assert [type(result) for result in results] == [KeyError, UsageError, Action]

    @pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, asyncio.CancelledError])
    async def test_strategy_that_raises_special_errors(
        self, scripted: ScriptedCluster, error: type[BaseException]
    ) -> None:
        """A strategy that raises the end of an iterator or CancelledError ends its wait only."""
        scripted.add("a1", ends=60.0)
        scripted.add("a2", ends=20.0)

        def dry(_: object) -> float:
            raise error

        waiting = asyncio.create_task(scripted.wait("a1", poll=dry))
        other = asyncio.create_task(scripted.wait("a2"))

        with pytest.raises(UsageError, match=f"poll= raised {error.__name__} instead of a pause"):
            await waiting
        assert (await other).status == "completed"

    async def test_slow_callback(self, scripted: ScriptedCluster) -> None:
        """A slow callback delays no other wait, and meanwhile no request is made for its wait."""
        scripted.add("a", ends=20.0)
        scripted.add("b", ends=20.0)
        ended: dict[str, float] = {}

        async def slow(action: Action) -> None:
            await asyncio.sleep(100)
            ended[action.uid] = now()

        async def quick() -> None:
            await scripted.wait("b")
            ended["b"] = now()

        await all_of(scripted.wait("a", on_progress=slow), quick())
        assert ended["b"] < 22
        assert ended["a"] == pytest.approx(200, abs=2)
        assert [when for _, when, _ in scripted.requests if 22 < when < 99] == []

    @pytest.mark.parametrize("reports", ["entries", "actions", "everything"])
    async def test_ends_as_its_callback_returns(
        self, scripted: ScriptedCluster, reports: Literal["entries", "actions", "everything"]
    ) -> None:
        """An end that a list shows which was out as a wait came back is seen in the next list."""
        scripted.latency, scripted.reports = 0.2, reports
        scripted.add("a", ends=1000.0)
        for uid in ("b", "c"):
            scripted.add(uid, ends=60.0)
        ended: list[float] = []

        async def callback(action: Action) -> None:
            if action.phase.unfinished:
                count = len(scripted.list_times)
                while len(scripted.list_times) == count:  # noqa: ASYNC110 - the time is virtual
                    await asyncio.sleep(0.05)
                if now() > 3:
                    scripted.work["a"].ends = now()
            else:
                ended.append(now())

        poll = wait_fixed(0.5)
        waits = [scripted.wait("a", on_progress=callback), scripted.wait("b", poll=poll)]
        await all_of(*waits, scripted.wait("c"))

        assert ended[0] - scripted.work["a"].ends < 3

    async def test_callback_that_raises(self, scripted: ScriptedCluster) -> None:
        """An error of a callback ends its own wait."""
        scripted.add("a", ends=20.0)
        scripted.add("b", ends=20.0)
        results = await all_of(scripted.wait("a", on_progress=lambda _: 1 // 0), scripted.wait("b"))

        assert [type(result) for result in results] == [ZeroDivisionError, Action]

    async def test_failed_action(self, scripted: ScriptedCluster) -> None:
        """A failed action ends its own wait."""
        scripted.add("a", ends=10.0, status="failed")
        scripted.add("b", ends=20.0)
        results = await all_of(scripted.wait("a"), scripted.wait("b"))

        assert [type(result) for result in results] == [ActionFailed, Action]

    async def test_price_of_each(self, scripted: ScriptedCluster) -> None:
        """A wait with a lower price gets more requests, which serve the other waits too."""
        scripted.add("a", ends=200.0)
        scripted.add("b", ends=200.0)
        await all_of(*(scripted.wait(uid, poll=AimedWait(5.0, cap=60)) for uid in ("a", "b")))
        few = len(scripted.requests)
        began = now()
        scripted.add("c", begins=began, ends=began + 200)
        scripted.add("d", begins=began, ends=began + 200)
        await all_of(scripted.wait("c", poll=AimedWait(5.0, cap=60)), scripted.wait("d"))

        assert len(scripted.requests) - few > 2 * few


class TestJoinAndLeave:
    """Waits join and leave, and the client closes."""

    async def test_cancel_any_subset(self, scripted: ScriptedCluster) -> None:
        """Cancelling some waits, during a request and between two, disturbs no other."""
        scripted.latency = 0.05
        rng = random.Random(0)
        uids = [scripted.add(f"a{n}", ends=30.0) for n in range(60)]
        waits = {uid: asyncio.create_task(scripted.wait(uid)) for uid in uids}
        gone = rng.sample(uids, 40)
        for uid in gone:
            await asyncio.sleep(rng.random())
            waits[uid].cancel()
        results = await all_of(*waits.values())

        for uid, result in zip(uids, results, strict=True):
            assert isinstance(result, asyncio.CancelledError if uid in gone else Action)

    async def test_last_one_out(self, scripted: ScriptedCluster) -> None:
        """Cancelling the last wait cancels the request in flight and leaves no task."""
        scripted.latency = 1000.0
        scripted.add("a", ends=10.0)
        before = asyncio.all_tasks()
        waits = [asyncio.create_task(scripted.wait("a")) for _ in range(3)]
        await asyncio.sleep(5)
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)

        assert asyncio.all_tasks() == before
        assert scripted.in_flight == 0
        assert now() == 5.0

    @pytest.mark.parametrize("ends", [0.0, 1000.0])
    @pytest.mark.parametrize("error", [None, AuthenticationError("GET", "/", status=401)])
    async def test_cancelled_as_the_answer_comes(
        self, scripted: ScriptedCluster, ends: float, error: AuthenticationError | None
    ) -> None:
        """A wait that is cancelled in the moment of its answer is cancelled."""
        scripted.add("a", ends=ends)
        scripted.error = error
        waits = [asyncio.create_task(scripted.wait("a", every=True)) for _ in range(2)]
        fetch = scripted.fetch

        async def one(ref: Reference, last: Action | None, gate: Gate | None) -> Action | None:
            try:
                return await fetch(ref, last, gate)
            finally:
                waits[0].cancel()

        scripted.latency = 0.0
        object.__setattr__(scripted, "fetch", one)
        await asyncio.sleep(1)
        waits[1].cancel()
        await asyncio.wait(waits)

        assert waits[0].cancelled()

    async def test_request_without_waiters(self, scripted: ScriptedCluster) -> None:
        """A request for a wait that left is cancelled for the waits that joined meanwhile."""
        scripted.latency = 1000.0
        for uid in ("a", "b"):
            scripted.add(uid, ends=10.0)
        first = asyncio.create_task(scripted.wait("a"))
        await asyncio.sleep(1)
        second = asyncio.create_task(scripted.wait("b"))
        await asyncio.sleep(1)
        scripted.latency = 0.0
        first.cancel()

        assert (await second).phase.terminal
        assert now() < 20

    async def test_between_two_updates(self, scripted: ScriptedCluster) -> None:
        """While no wait expects an update there is no loop task; it starts again later."""
        scripted.add("a", ends=50.0)
        before = asyncio.all_tasks()
        seen = []

        async def on_progress(action: Action) -> None:
            seen.append(action)
            assert asyncio.all_tasks() == before
            await asyncio.sleep(7)

        await scripted.wait("a", on_progress=on_progress)
        assert len(seen) > 3

    async def test_closed(self, scripted: ScriptedCluster) -> None:
        """Closing ends every wait at once, and each later one."""
        scripted.latency = 1000.0
        for uid in ("a", "b"):
            scripted.add(uid, ends=10.0)
        waits = [asyncio.create_task(scripted.wait(uid)) for uid in ("a", "b")]
        await asyncio.sleep(3)
        await scripted.poller.close()
        results = await all_of(*waits, scripted.wait("a"))

        assert [type(result) for result in results] == [ClientClosed] * 3
        assert now() == 3.0
        await scripted.poller.close()

    async def test_loop_is_cancelled(self, scripted: ScriptedCluster) -> None:
        """Cancelling the loop task cancels the waits, and none hangs."""
        scripted.add("a", ends=1000.0)
        waits = [asyncio.create_task(scripted.wait("a")) for _ in range(2)]
        await asyncio.sleep(3)
        (loop,) = [task for task in asyncio.all_tasks() if task.get_name() == "poll loop"]
        loop.cancel()
        results = await all_of(*waits)

        assert [type(result) for result in results] == [asyncio.CancelledError] * 2

    async def test_unexpected_error(self, scripted: ScriptedCluster) -> None:
        """An unexpected error ends the waits, and none hangs."""
        scripted.add("a", ends=1000.0)
        scripted.add("b", ends=1000.0)
        scripted.error = LookupError("a bug")  # type: ignore[assignment]
        results = await all_of(scripted.wait("a"), scripted.wait("b"))

        assert [type(result) for result in results] == [LookupError] * 2

    async def test_unexpected_error_in_the_loop(
        self, scripted: ScriptedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An error of the loop itself ends the waits, and none hangs."""
        monkeypatch.setattr(poller_module, "next_request", lambda *_: 1 // 0)
        results = await all_of(scripted.wait("a"), scripted.wait("b"))

        assert [type(result) for result in results] == [ZeroDivisionError] * 2


class TestLimits:
    """Limits of many waits, in one heap of times."""

    async def test_moves_away(self, scripted: ScriptedCluster) -> None:
        """A limit that moves away with each change ends a wait only once nothing moves."""
        scripted.add("a", ends=200.0, stalls_at=100.0)
        scripted.add("b", ends=200.0)
        stalls = scripted.wait("a", stall_timeout=20)
        results = await all_of(stalls, scripted.wait("b", stall_timeout=20))

        assert [type(result) for result in results] == [ActionStalled, Action]
        assert 119 <= results[0].elapsed <= 123  # type: ignore[attr-defined]
        urgent = [
            when for when, again in pairwise(scripted.list_times) if again - when < GAP - 0.01
        ]
        assert urgent == []

    async def test_comes_nearer(self, scripted: ScriptedCluster) -> None:
        """An outage, or a "not found", that brings a limit nearer than the deadline ends a wait."""
        for uid in ("a", "b"):
            scripted.add(uid, ends=1e6)
        waits = [scripted.wait(uid, timeout=5000, outage_timeout=30) for uid in ("a", "b")]
        missing = scripted.wait("x", timeout=5000, not_found_grace=20)
        waiting = asyncio.ensure_future(all_of(*waits, missing))
        await asyncio.sleep(25)
        scripted.error = unreachable()
        results = await waiting

        assert [type(result) for result in results] == [*[ClusterUnreachable] * 2, ActionNotFound]
        assert results[2].elapsed == pytest.approx(20, abs=2)  # type: ignore[attr-defined]
        # The outage begins with the first request after 25 s.
        assert all(55 <= result.elapsed <= 65 for result in results[:2])  # type: ignore[attr-defined]

    async def test_of_those_that_left(self, scripted: ScriptedCluster) -> None:
        """Waits that left keep few entries in the heap."""
        scripted.add("a", ends=1e6)
        stays = asyncio.create_task(scripted.wait("a", timeout=10_000))
        most = 0
        for number in range(1000):
            leaves = asyncio.create_task(scripted.wait("a", timeout=9_000 - number))
            await asyncio.sleep(0)
            leaves.cancel()
            await asyncio.wait([leaves])
            most = max(most, len(scripted.poller._limits))

        assert most < 100
        stays.cancel()
        await asyncio.wait([stays])

    async def test_outage_of_many(self, scripted: ScriptedCluster) -> None:
        """As an outage begins, the heap has one entry for each wait, and the nearest one first."""
        for number in range(300):
            scripted.add(f"a{number}", ends=1e6)
        waits = [
            asyncio.create_task(
                scripted.wait(f"a{number}", timeout=1000 + number, outage_timeout=50 + number % 7)
            )
            for number in range(300)
        ]
        await asyncio.sleep(20)
        assert len(scripted.poller._limits) == 300
        scripted.error = unreachable()
        await asyncio.sleep(20)

        assert len(scripted.poller._limits) == 300
        assert all(when < 100 for when, _, _ in scripted.poller._limits)
        results = await all_of(*waits)
        assert {type(result) for result in results} == {ClusterUnreachable}
        assert now() < 90

    @pytest.mark.parametrize("count", [1, 3])
    @pytest.mark.parametrize("status", ["completed", "failed"])
    async def test_stood_still_past_it(
        self, scripted: ScriptedCluster, count: int, status: str
    ) -> None:
        """After a process stood still past a deadline, the cluster is asked once more."""
        uids = [scripted.add(f"a{n}", ends=8.0, status=status) for n in range(count)]
        waits = [
            asyncio.create_task(scripted.wait(uid, timeout=10, poll=wait_fixed(500)))
            for uid in uids
        ]
        await asyncio.sleep(5)
        stand_still(60)
        results = await all_of(*waits)

        end = Action if status == "completed" else ActionFailed
        assert [type(result) for result in results] == [end] * count
        assert now() < 66

    async def test_stood_still_during_the_last_poll(self, scripted: ScriptedCluster) -> None:
        """A process that stood still while its last poll was out makes another one."""
        scripted.add("a", ends=9.0)
        waiting = asyncio.create_task(scripted.wait("a", timeout=10, poll=wait_fixed(500)))
        await asyncio.sleep(9.5)
        scripted.latency = 100.0
        await asyncio.sleep(1)
        scripted.latency = 0.0
        stand_still(60)

        assert (await waiting).phase.terminal
        assert now() < 74

    async def test_stands_still_now_and_then(self, scripted: ScriptedCluster) -> None:
        """Short stops of the process give no wait more than its bound."""
        scripted.add("a", ends=1e6)
        scripted.latency = 100.0
        waiting = asyncio.create_task(scripted.wait("a", timeout=10, poll=wait_fixed(500)))
        while not waiting.done():
            await asyncio.sleep(0.5)
            stand_still(0.2)

        assert isinstance(waiting.exception(), WaitTimeout)
        assert now() < 13


class TestBeside:
    """Requests beside one that is out."""

    async def waits_beside(self, scripted: ScriptedCluster) -> list[asyncio.Task[Action]]:
        """Begin two waits for which a list has been out for 5 s, and single requests beside it."""
        scripted.list_latency, scripted.latency = 1000.0, 1000.0
        for uid in ("a", "b"):
            scripted.add(uid, ends=1e6)
        waits = [asyncio.create_task(scripted.wait(uid)) for uid in ("a", "b")]
        await asyncio.sleep(5)
        assert scripted.in_flight == 2
        return waits

    async def test_last_one_out(self, scripted: ScriptedCluster) -> None:
        """If all waits leave, both requests are cut, and no task is left."""
        waits = await self.waits_beside(scripted)
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)

        assert scripted.in_flight == 0
        assert now() == 5.0

    async def test_loop_is_cancelled(self, scripted: ScriptedCluster) -> None:
        """Cancelling the loop task cancels the waits and the request beside, and none hangs."""
        waits = await self.waits_beside(scripted)
        [loop] = [task for task in asyncio.all_tasks() if task.get_name() == "poll loop"]
        loop.cancel()
        results = await all_of(*waits)

        assert [type(result) for result in results] == [asyncio.CancelledError] * 2
        assert scripted.in_flight == 0

    async def test_unexpected_error(
        self, scripted: ScriptedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An error of the task for requests beside another ends the waits, and none hangs."""
        monkeypatch.setattr(poller_module, "next_beside", lambda *_: 1 // 0)
        scripted.latency = 100.0
        results = await all_of(scripted.wait("a"), scripted.wait("b"))

        assert [type(result) for result in results] == [ZeroDivisionError] * 2
        assert now() < 5

    async def test_limit_cuts_it(self, scripted: ScriptedCluster) -> None:
        """A request beside another gives way to one at a limit."""
        scripted.list_latency, scripted.latency = 1000.0, 1000.0
        for uid in ("a", "b", "c"):
            scripted.add(uid, ends=4.0)
        others = [asyncio.create_task(scripted.wait(uid)) for uid in ("a", "b")]
        waiting = asyncio.create_task(scripted.wait("c", timeout=6))
        await asyncio.sleep(5)
        assert scripted.in_flight == 2
        scripted.latency = 0.1
        result = await waiting

        assert result.status == "completed"
        assert now() == pytest.approx(6.1, abs=0.01)
        await all_of(*others)

    async def test_limit_while_it_sleeps(self, scripted: ScriptedCluster) -> None:
        """A limit ends the sleep between two requests beside a slow one."""
        scripted.list_latency = 1000.0
        for uid in ("a", "b"):
            scripted.add(uid, ends=8.5)
        poll = wait_fixed(500)
        waits = [scripted.wait(uid, timeout=9.0, poll=poll) for uid in ("a", "b")]
        results = await all_of(*waits)

        assert [type(result) for result in results] == [Action] * 2
        assert now() == pytest.approx(9.0, abs=1.1)

    async def test_older_list(self, scripted: ScriptedCluster) -> None:
        """What a list shows that was requested earlier than a single answer does not count."""
        scripted.latency = 0.01
        for uid in ("a", "b"):
            scripted.add(uid, ends=50.0)
        waits = [asyncio.create_task(scripted.wait(uid)) for uid in ("a", "b")]
        await asyncio.sleep(5)
        many = scripted.fetch_many

        async def lagging(wanted: Wanted, gate: Gate | None) -> ListResult:
            result = await many(wanted, gate)
            await asyncio.sleep(4.5)
            return result

        object.__setattr__(scripted, "fetch_many", lagging)
        await asyncio.sleep(10)
        seen = scripted.poller._registry.endpoint(ListKind.ACTIONS).wanted

        assert scripted.list_times[-1] < scripted.single_times("a")[0] < 10
        assert {action and action.progress for action in seen.values()} == {17, 18}
        await all_of(*waits)

    async def test_refused_list(self, scripted: ScriptedCluster) -> None:
        """A list that the cluster refuses is asked for once in five minutes, and ends no wait."""
        scripted.list_cost = math.inf
        for uid in ("a", "b"):
            scripted.add(uid, ends=250.0)
        results = await all_of(scripted.wait("a"), scripted.wait("b"))

        assert [type(result) for result in results] == [Action] * 2
        assert len(scripted.list_times) == 1


def test_other_event_loop() -> None:
    """A client belongs to the event loop that it was first used in."""
    scripted = ScriptedCluster()
    scripted.add("a", ends=1e6)
    first, second = virtual_loop(), virtual_loop()
    waiting = first.create_task(scripted.wait("a"))
    first.run_until_complete(asyncio.sleep(5))

    for used in (scripted.wait("a"), scripted.poller.close()):
        with pytest.raises(UsageError, match="event loop"):
            second.run_until_complete(used)
    waiting.cancel()
    first.run_until_complete(asyncio.wait([waiting]))
    first.close()
    second.run_until_complete(scripted.poller.close())
    second.close()


class TestRaces:
    """Events at the same moment, and waits that join at such a moment."""

    @pytest.mark.parametrize("turns", [0, 1, 2, 3])
    async def test_leave_as_another_joins(self, scripted: ScriptedCluster, turns: int) -> None:
        """A wait that joins does not delay the last one that leaves."""
        scripted.latency = 0.1
        scripted.add("a", ends=1000.0)
        scripted.add("b", ends=500.0)
        leaves = asyncio.create_task(scripted.wait("a"))
        await asyncio.sleep(3.05)
        leaves.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        comes = asyncio.create_task(scripted.wait("b"))
        await asyncio.wait([leaves])

        assert now() < 3.2
        assert (await comes).phase.terminal

    @pytest.mark.parametrize("turns", [0, 1, 2, 3])
    async def test_timeout_as_another_joins(self, scripted: ScriptedCluster, turns: int) -> None:
        """A wait that joins does not delay one that timed out."""
        scripted.latency = 50.0
        scripted.add("a", ends=1000.0)
        scripted.add("b", ends=0.0)
        first = asyncio.create_task(scripted.wait("a", timeout=5))
        await asyncio.sleep(7)
        for _ in range(turns):
            await asyncio.sleep(0)
        comes = asyncio.create_task(scripted.wait("b"))
        await asyncio.wait([first])

        assert now() < 7.1
        assert isinstance(first.exception(), WaitTimeout)
        assert (await comes).phase.terminal

    async def test_leave_as_the_request_fails(self, scripted: ScriptedCluster) -> None:
        """A wait that leaves as its request fails disturbs no other."""
        scripted.list_cost = 1e6
        for uid in ("a", "b"):
            scripted.add(uid, ends=30.0)
        fetch = scripted.fetch
        waits = {uid: asyncio.create_task(scripted.wait(uid)) for uid in ("a", "b")}

        async def one(ref: Reference, last: Action | None, gate: Gate | None) -> Action | None:
            if ref.uid == "a" and now() > 5:
                waits["a"].cancel()
                await asyncio.sleep(0)
                raise unreachable()
            return await fetch(ref, last, gate)

        object.__setattr__(scripted, "fetch", one)
        await asyncio.wait(waits.values())

        assert waits["a"].cancelled()
        assert waits["b"].result().phase.terminal

    async def test_joiner_during_a_rest(self, scripted: ScriptedCluster) -> None:
        """A rest after a slow answer does not keep a joining wait from its last poll."""
        scripted.latency = 1.0
        for uid in ("a", "b"):
            scripted.add(uid, ends=1e6)
        scripted.add("over", ends=0.0)
        waits = [asyncio.create_task(scripted.wait(uid)) for uid in ("a", "b")]
        await asyncio.sleep(2)

        assert (await scripted.wait("over", timeout=5)).phase.terminal
        assert now() <= 9.1
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)

    async def test_joiner_while_a_request_hangs(self, scripted: ScriptedCluster) -> None:
        """The deadline of a joining wait counts even if the waits before it have none."""
        scripted.latency = 100.0
        scripted.add("a", ends=10.0)
        first = asyncio.create_task(scripted.wait("a"))
        await asyncio.sleep(1)

        with pytest.raises(WaitTimeout):
            await scripted.wait("a", timeout=5)
        assert now() == pytest.approx(8)
        await first

    @pytest.mark.parametrize("count", [0, 1])
    async def test_zero_timeout(self, scripted: ScriptedCluster, count: int) -> None:
        """A wait with a timeout of zero polls once, and finds an action that has ended."""
        scripted.add("over", ends=0.0)
        scripted.add("a", ends=1e6)
        others = [asyncio.create_task(scripted.wait("a")) for _ in range(count)]

        assert (await scripted.wait("over", timeout=0)).phase.terminal
        with pytest.raises(WaitTimeout) as caught:
            await scripted.wait("a", timeout=0)
        assert caught.value.polls == 1
        for other in others:
            other.cancel()
            await asyncio.wait([other])

    async def test_joiners_for_one_uid(self, scripted: ScriptedCluster) -> None:
        """Waits for one action that begin one after the other do not make a request each."""
        scripted.add("a", ends=20.0)
        waits = []
        for _ in range(100):
            waits.append(asyncio.create_task(scripted.wait("a")))
            await asyncio.sleep(0.01)
        await asyncio.gather(*waits)

        assert len([when for _, when, _ in scripted.requests if when < 1]) <= 4

    async def test_cancelled_requests_count(self, scripted: ScriptedCluster) -> None:
        """Requests that are cancelled in flight count for the rate limit."""
        scripted.latency = 5.0
        scripted.add("a", ends=1e6)
        other = asyncio.create_task(scripted.wait("b", not_found_grace=1e6))
        for _ in range(100):
            wait = asyncio.create_task(scripted.wait("a"))
            await asyncio.sleep(0.02)
            wait.cancel()
            await asyncio.wait([wait])
        other.cancel()
        await asyncio.wait([other])

        assert len(scripted.requests) <= 9


class TestFairness:
    """Trouble with one wait costs the others little."""

    async def test_many_verifications_of_one_action(self, scripted: ScriptedCluster) -> None:
        """Many unverified waits for one action share verifications and delay no other wait."""
        scripted.add("gone", ends=10.0, status="vanishes")
        scripted.add("other", ends=13.0)
        results = [asyncio.create_task(scripted.wait("gone")) for _ in range(90)]
        other = asyncio.create_task(scripted.wait("other"))
        assert (await other).phase.terminal
        assert now() < 15
        await asyncio.wait(results)

        assert len(scripted.single_times("database")) == len(scripted.single_times("gone")) == 2

    async def test_many_verifications(self, scripted: ScriptedCluster) -> None:
        """Verifications of many actions alternate with polls."""
        for n in range(60):
            scripted.add(f"s{n}", begins=-1e6, ends=1e6)
        scripted.add("other", ends=13.0)
        stalled = [scripted.wait(f"s{n}", stall_timeout=8) for n in range(60)]
        results = asyncio.gather(*stalled, return_exceptions=True)
        assert (await scripted.wait("other")).phase.terminal
        assert now() < 16

        assert {type(result) for result in await results} == {ActionStalled}

    async def test_verifications_in_an_outage(self, scripted: ScriptedCluster) -> None:
        """Verifications do not flood a cluster that does not answer."""
        for n in range(50):
            scripted.add(f"s{n}", begins=-1e6, ends=1e6)
        stalled = [scripted.wait(f"s{n}", stall_timeout=8) for n in range(50)]
        results = asyncio.gather(*stalled, return_exceptions=True)
        while not scripted.single_times("database"):  # noqa: ASYNC110 - on virtual time
            await asyncio.sleep(0.1)
        before = len(scripted.requests)
        scripted.error = unreachable()
        await asyncio.sleep(30)
        tried = len(scripted.requests) - before
        scripted.error = None

        assert tried < 25
        assert {type(result) for result in await results} == {ActionStalled}

    async def test_one_short_list(self, scripted: ScriptedCluster) -> None:
        """A single empty list delays the ends only a little."""
        rng = random.Random(0)
        uids = [scripted.add(f"a{n}", ends=rng.uniform(30, 45)) for n in range(300)]
        ended: dict[str, float] = {}

        async def wait(uid: str) -> None:
            await scripted.wait(uid)
            ended[uid] = now()

        waits = asyncio.gather(*map(wait, uids))
        await asyncio.sleep(20)
        for work in scripted.work.values():
            work.listed = False
        await asyncio.sleep(0.3)
        for work in scripted.work.values():
            work.listed = True
        await waits

        lags = [ended[uid] - scripted.work[uid].ends for uid in uids]
        assert max(lags) < 3

    async def test_one_unreadable_action(self, scripted: ScriptedCluster) -> None:
        """An unreadable action is requested by its schedule, the others by theirs."""
        for uid in ("good", "too", "bad"):
            scripted.add(uid, ends=100.0, listed=uid != "bad")
        fetch = scripted.fetch

        async def one(ref: Reference, last: Action | None, gate: Gate | None) -> Action | None:
            found = await fetch(ref, last, gate)
            if ref.uid == "bad":
                raise UnreadableReply("GET", "/v1/actions/bad", problem="not JSON")
            return found

        object.__setattr__(scripted, "fetch", one)
        bad = asyncio.create_task(scripted.wait("bad"))
        await all_of(scripted.wait("good"), scripted.wait("too"))
        bad.cancel()
        await asyncio.wait([bad])

        assert now() < 104
        assert len(scripted.list_times) > 20
        assert len(scripted.single_times("bad")) < 40

    async def test_many_unlisted_actions(self, scripted: ScriptedCluster) -> None:
        """Many actions that are requested alone leave the list its turns."""
        gaps = [scripted.add(f"gap{n}", ends=60.0, listed=False) for n in range(12)]
        good = [scripted.add(f"good{n}", ends=50.0) for n in range(5)]
        poll = wait_fixed(0.2)
        apart = asyncio.gather(*(scripted.wait(uid, poll=poll) for uid in gaps))
        results = await all_of(*(scripted.wait(uid) for uid in good))

        assert [type(result) for result in results] == [Action] * 5
        assert now() < 54
        assert len([when for when in scripted.list_times if 10 < when < 50]) > 10
        await apart

    @pytest.mark.parametrize("untold", [True, False])
    @pytest.mark.parametrize("begin_apart", [0.0, 1.0])
    async def test_each_has_its_turn(
        self, scripted: ScriptedCluster, begin_apart: float, untold: bool
    ) -> None:
        """Of many actions that the list does not show, each is asked for in turn."""
        uids = [f"a{n}" for n in range(200)]
        scripted.reports = "everything"
        waits = []
        for uid in uids:
            scripted.add(uid, begins=-1e6, ends=1e6, listed=False, untold=untold)
            waits.append(asyncio.create_task(scripted.wait(uid)))
            await asyncio.sleep(begin_apart)
        began = max(now(), 100.0)
        await asyncio.sleep(began - now() + 600)
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)

        turns = [[began, *scripted.single_times(uid), began + 600] for uid in uids]
        gaps = [max(end - begin for begin, end in pairwise(turn) if end > began) for turn in turns]
        # While the list gets its turns, too, there are fewer for each action.
        assert max(gaps) < len(uids) / (3 if untold else 1.5) + 30
        times = [when for _, when, _ in scripted.requests if when > 10]
        assert all(end - begin > 9.9 for begin, end in zip(times, times[30:], strict=False))
        if untold:
            assert [when for when in scripted.list_times if when > began] == []

    async def test_schedules_of_one_action(self, scripted: ScriptedCluster) -> None:
        """Polls for one wait do not spoil the aim of another wait for the same action."""
        scripted.add("a", ends=100.0)
        often = asyncio.create_task(scripted.wait("a", poll=wait_fixed(0.2)))
        aimed = asyncio.create_task(scripted.wait("a"))
        await asyncio.sleep(50)
        often.cancel()
        await aimed

        assert now() < 101.5

    async def test_stall_of_an_unlisted_action(self, scripted: ScriptedCluster) -> None:
        """An answer of a list counts from the time at which the list was requested."""
        scripted.add("there", ends=100.0)
        scripted.add("too", ends=100.0)
        scripted.add("x", begins=-1e6, ends=1e6, listed=False)
        waiting = asyncio.create_task(scripted.wait("x", poll=wait_fixed(50), stall_timeout=30))
        others = asyncio.gather(scripted.wait("there"), scripted.wait("too"))
        await asyncio.sleep(20)
        scripted.work["x"] = ScriptedAction(ends=1e6, begins=-0.5e6)
        with pytest.raises(ActionStalled):
            await waiting

        assert now() >= 49
        await others

    async def test_errors_of_any_kind(self, scripted: ScriptedCluster) -> None:
        """An exception that cannot be copied arrives as it is, and only at its own wait."""

        class OddError(Exception):
            def __init__(self, one: int, two: int) -> None:
                super().__init__(one + two)

        scripted.add("a", ends=20.0)
        scripted.add("b", ends=20.0)
        scripted.poller._registry.endpoint(ListKind.ACTIONS).on_heard(0.0, 0.0, 1e6, 0.0)
        fetch = scripted.fetch

        async def one(ref: Reference, last: Action | None, gate: Gate | None) -> Action | None:
            if ref.uid == "a":
                raise OddError(1, 2)
            return await fetch(ref, last, gate)

        object.__setattr__(scripted, "fetch", one)
        results = await all_of(scripted.wait("a"), scripted.wait("b"))
        assert [type(result) for result in results] == [OddError, Action]

    async def test_endless_pause(self, scripted: ScriptedCluster) -> None:
        """A strategy that pauses for ages does not disturb other waits."""
        scripted.add("a", ends=20.0)
        scripted.add("b", ends=20.0)
        waits = [scripted.wait("a", poll=wait_fixed(1e160)), scripted.wait("b")]

        assert [type(result) for result in await all_of(*waits)] == [Action, Action]


class TestOutage:
    """The cluster does not answer."""

    async def test_one_request_is_retried(
        self, scripted: ScriptedCluster, caplog: pytest.LogCaptureFixture
    ) -> None:
        """For any number of waits, one request is retried and two lines are logged."""
        uids = [scripted.add(f"a{n}", ends=60.0) for n in range(500)]
        waits = [asyncio.create_task(scripted.wait(uid)) for uid in uids]
        await asyncio.sleep(5)
        before = len(scripted.requests)
        scripted.error = unreachable()
        await asyncio.sleep(35)
        scripted.error = None
        tried = [when for _, when, _ in scripted.requests[before:]]
        healed = now()
        await asyncio.gather(*waits)

        assert 4 < len(tried) < 25
        first = [when for _, when, _ in scripted.requests if when > healed][:4]
        assert first[3] - first[0] > 2 * GAP
        began, ended = caplog.records
        assert (began.levelno, ended.levelno) == (logging.WARNING, logging.WARNING)
        assert "refused" in began.getMessage()
        assert "answers again after" in ended.getMessage()

    async def test_own_budgets(self, scripted: ScriptedCluster) -> None:
        """Each wait ends with its own budget; a wait with a larger one outlasts the outage."""
        for uid in ("a", "b", "c"):
            scripted.add(uid, ends=20.0)
        waits = [
            asyncio.create_task(scripted.wait(uid, outage_timeout=budget))
            for uid, budget in (("a", 10.0), ("b", 40.0), ("c", 1000.0))
        ]
        await asyncio.sleep(5)
        began = now()
        scripted.error = unreachable()
        ended = [await all_of(wait) and now() - began for wait in waits[:2]]
        scripted.error = None

        assert ended[0] == pytest.approx(10, abs=2)
        assert ended[1] == pytest.approx(40, abs=2)
        assert isinstance(waits[0].exception(), ClusterUnreachable)
        assert isinstance(waits[1].exception(), ClusterUnreachable)
        assert (await waits[2]).phase.terminal

    async def test_budget_of_many(self, scripted: ScriptedCluster) -> None:
        """A budget ends in time for waits that the failed requests were not made for, too."""
        uids = [scripted.add(f"a{n}", ends=1e6) for n in range(300)]
        waits = [asyncio.create_task(scripted.wait(uid, outage_timeout=30)) for uid in uids]
        await asyncio.sleep(5)
        scripted.error = unreachable()
        before = len(scripted.requests)
        results = await all_of(*waits)

        assert {type(result) for result in results} == {ClusterUnreachable}
        assert now() == pytest.approx(36, abs=3)
        assert len(scripted.requests) - before < 40

    async def test_long_queue(self, scripted: ScriptedCluster) -> None:
        """Unlisted actions whose turn comes late are not in an outage meanwhile."""
        uids = [scripted.add(f"u{n}", ends=400, listed=n < 3) for n in range(150)]
        waits = [asyncio.create_task(scripted.wait(uid, outage_timeout=30)) for uid in uids]
        await asyncio.sleep(100)
        scripted.error = unreachable()
        await asyncio.sleep(20)
        scripted.error = None

        actions = await asyncio.gather(*waits)
        assert {action.status for action in actions} == {"completed"}

    async def test_outage_over_during_a_last_poll(
        self, scripted: ScriptedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A wait goes on if the cluster answers others while the poll at its limit hangs."""
        limit = 30.0

        async def fetch(ref: Reference, _: Action | None, __: Gate | None) -> Action:
            if now() < 5:
                return at(10)
            if ref == ref_of("a"):
                await asyncio.sleep(0 if now() < limit - 1 else math.inf)
            elif now() > limit - 15:
                await asyncio.sleep(max(0, limit + 1 - now()))
                return at(20)
            raise unreachable()

        monkeypatch.setattr(scripted, "fetch", fetch)
        scripted.list_error = unreachable()
        other = asyncio.create_task(scripted.wait("b", timeout=100, outage_timeout=math.inf))
        limits = Limits(timeout=100, outage_timeout=20)
        state = WaitState(ref_of("a"), limits=limits, now=now(), wall=WALL)
        waiter = Waiter(state, every_update=False)
        scripted.poller.add(waiter)
        await asyncio.sleep(12)
        limit = state.outages[0].began + 20
        await asyncio.sleep(limit - 0.1 - now())
        for _ in range(3):  # so that the poll at the limit begins after it
            scripted.poller._rate_limiter.record_start(limit - 0.5)

        done, _ = await asyncio.wait([waiter.future], timeout=3)
        assert not done
        assert not state.outages

        scripted.poller.remove(waiter)
        other.cancel()
        await asyncio.wait([other])

    async def test_deadline_in_an_outage(self, scripted: ScriptedCluster) -> None:
        """A wait keeps its deadline in an outage, with a last poll there."""
        for uid in ("a", "b"):
            scripted.add(uid, ends=200.0)
        slow = asyncio.create_task(scripted.wait("b"))
        waiting = asyncio.create_task(scripted.wait("a", timeout=33))
        await asyncio.sleep(5)
        scripted.error = ClusterUnreachable("GET", "/", reason="x", retry_after=120.0)

        with pytest.raises(WaitTimeout) as caught:
            await waiting
        assert now() == pytest.approx(33, abs=1e-3)
        assert scripted.requests[-1][1] == pytest.approx(33, abs=1e-3)
        assert caught.value.__cause__ is not None
        scripted.error = None
        await slow

    async def test_list_that_fails(
        self, scripted: ScriptedCluster, caplog: pytest.LogCaptureFixture
    ) -> None:
        """If only the list fails, each action is requested alone; later the list is tried again."""
        for uid in ("a", "b", "c"):
            scripted.add(uid, ends=300.0)
        scripted.list_error = UnreadableReply("GET", "/v1/actions", problem="too large")
        waits = [asyncio.create_task(scripted.wait(uid)) for uid in ("a", "b", "c")]
        await asyncio.sleep(100)
        assert 2 <= len(scripted.list_times) <= 3
        scripted.list_error = None
        results = await all_of(*waits)

        assert [type(result) for result in results] == [Action] * 3
        assert len(scripted.list_times) > 10
        assert "requesting each one alone" in caplog.text

    async def test_one_action_that_recovers(
        self, scripted: ScriptedCluster, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log says when one action begins to fail while others are answered, and its end."""
        scripted.list_cost = 1000.0
        for uid in ("a", "b", "bad"):
            scripted.add(uid, ends=100.0)
        fetch = scripted.fetch

        async def one(ref: Reference, last: Action | None, gate: Gate | None) -> Action | None:
            found = await fetch(ref, last, gate)
            if ref.uid == "bad" and 20 < now() < 60:
                raise UnreadableReply("GET", "/v1/actions/bad", problem="not JSON")
            return found

        object.__setattr__(scripted, "fetch", one)
        results = await all_of(*(scripted.wait(uid) for uid in ("a", "b", "bad")))

        assert [type(result) for result in results] == [Action] * 3
        assert len(caplog.messages) == 2
        assert "while requests for other actions are answered" in caplog.messages[0]
        assert caplog.messages[1] == "requests for action bad are answered again"
        fields = vars(caplog.records[1])
        assert (fields["event"], fields["ref"]) == ("outage over", "action:bad")
        assert 35 < fields["seconds"] < 60

    async def test_over_at_a_limit(self, scripted: ScriptedCluster) -> None:
        """If an outage ends as others wait for their last poll in it, they go on."""
        for number in range(30):
            scripted.add(f"a{number}", ends=100.0, listed=False)
        waits = [
            asyncio.create_task(scripted.wait(f"a{number}", outage_timeout=20.0))
            for number in range(30)
        ]
        await asyncio.sleep(50)
        scripted.error = unreachable()
        while scripted.poller._state.outage is None:  # noqa: ASYNC110 - the time is virtual
            await asyncio.sleep(0.01)
        await asyncio.sleep(scripted.poller._state.outage.began + 19.99 - now())
        scripted.error = None
        results = await all_of(*waits)

        assert {type(result) for result in results} == {Action}

    async def test_list_that_fails_beside_answers(
        self, scripted: ScriptedCluster, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A list that fails while single requests are answered is avoided at once: no outage."""
        for uid in ("a", "b", "c"):
            scripted.add(uid, ends=30.0)
        scripted.list_latency, scripted.list_error = 4.0, unreachable()
        results = await all_of(*(scripted.wait(uid) for uid in ("a", "b", "c")))

        assert [type(result) for result in results] == [Action] * 3
        assert scripted.list_times == [0.0]
        assert now() < 35
        [message] = caplog.messages
        assert "requesting each one alone" in message

    async def test_one_action_that_fails(self, scripted: ScriptedCluster) -> None:
        """An action that alone cannot be read ends its own wait by its budget."""
        scripted.list_cost = 1000.0
        for uid in ("a", "b", "bad"):
            scripted.add(uid, ends=100.0)
        fetch = scripted.fetch

        async def one(ref: Reference, last: Action | None, gate: Gate | None) -> Action | None:
            found = await fetch(ref, last, gate)
            if ref.uid == "bad" and now() > 1:
                raise UnreadableReply("GET", "/v1/actions/bad", problem="not JSON")
            return found

        object.__setattr__(scripted, "fetch", one)
        results = await all_of(
            *(scripted.wait(uid, outage_timeout=20) for uid in ("a", "b", "bad"))
        )

        assert [type(result) for result in results] == [Action, Action, ClusterUnreachable]
        assert len(scripted.single_times("bad")) < 40

    async def test_stall_limit_outlasts_an_outage(self, scripted: ScriptedCluster) -> None:
        """A stall limit that an outage has put off holds again when the cluster answers."""
        scripted.add("stuck", ends=3600.0, stalls_at=20.0)
        scripted.add("other", ends=600.0)
        other = asyncio.create_task(scripted.wait("other"))
        stuck = asyncio.create_task(scripted.wait("stuck", stall_timeout=200.0, every=True))
        await asyncio.sleep(100)
        scripted.error = unreachable()
        await asyncio.sleep(30)
        scripted.error = None

        with pytest.raises(ActionStalled):
            await stuck
        assert 215 <= now() < 230
        await other

    async def test_unchanged_entry_ends_an_outage_of_one(self, scripted: ScriptedCluster) -> None:
        """A list that shows an action as before ends the outage of this action."""
        scripted.add("stuck", ends=3600.0, stalls_at=20.0)
        scripted.add("other", ends=600.0)
        fetch, failures = scripted.fetch, list[float]()

        async def one(ref: Reference, last: Action | None, gate: Gate | None) -> Action | None:
            if ref.uid == "stuck" and now() > 100 and not failures:
                failures.append(now())
                raise unreachable()
            return await fetch(ref, last, gate)

        object.__setattr__(scripted, "fetch", one)
        other = asyncio.create_task(scripted.wait("other"))
        stuck = scripted.wait("stuck", stall_timeout=200.0, outage_timeout=60.0, every=True)
        with pytest.raises(ActionStalled):
            await stuck

        assert len(failures) == 1
        assert now() < failures[0] + 30
        await other

    async def test_list_fails_at_a_deadline(self, scripted: ScriptedCluster) -> None:
        """A list that fails at the deadline of several waits leaves them their two seconds."""
        scripted.latency = 1.0
        for number in range(6):
            scripted.add(f"a{number}", ends=900.0)
        ended: list[float] = []

        async def one(uid: str) -> None:
            with pytest.raises(WaitTimeout):
                await scripted.wait(uid, timeout=60.0)
            ended.append(now())

        asyncio.get_running_loop().call_at(58, setattr, scripted, "list_error", unreachable())
        await asyncio.gather(*(one(f"a{number}") for number in range(6)))

        assert 60 <= min(ended) <= max(ended) <= 62.001


class TestUpdates:
    """Waits that leave at each update, for their callbacks, and come back."""

    async def test_sources_get_the_action_as_last_seen(self, scripted: ScriptedCluster) -> None:
        """A request for one action gets the action as its last answer showed it."""
        scripted.add("a", ends=100.0)
        fetch, seen = scripted.fetch, list[float | None]()

        async def one(ref: Reference, last: Action | None, gate: Gate | None) -> Action | None:
            seen.append(None if last is None else last.progress)
            return await fetch(ref, last, gate)

        object.__setattr__(scripted, "fetch", one)
        updates: list[float | None] = []
        await scripted.wait("a", on_progress=lambda action: updates.append(action.progress))

        assert seen == [None, *updates[:-1]]

    async def test_vanished_at_the_deadline(self, scripted: ScriptedCluster) -> None:
        """A wait that needs a verification at its deadline leaves the others their polls."""
        scripted.add("gone", ends=9.9, status="vanishes")
        scripted.add("other", ends=60.0)
        ended = await all_of(scripted.wait("gone", timeout=10.0), scripted.wait("other"))

        assert [type(each) for each in ended] == [WaitTimeout, Action]
