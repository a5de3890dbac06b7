"""Tests of `_client.polling.waiters`: a wait in a chorus ends as it would alone."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import AimedWait, Recorder, UsageError, WaitTimeout
from redis_enterprise_actions._client.polling.wait_state import LAST_POLL_TIMEOUT, Limits, WaitState
from redis_enterprise_actions._client.polling.waiters import Chorus, Waiter, WaiterRegistry
from redis_enterprise_actions._client.polling.watch import watch
from redis_enterprise_actions._model.reference import ListKind
from tests.conftest import at, virtual_loop
from tests.scripted import WALL, ScriptedCluster, now, ref_of, unreachable


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions import Action, Record
    from redis_enterprise_actions._client.protocols import ListResult
    from redis_enterprise_actions._model.reference import Reference

STRATEGIES: list[WaitBaseT | None] = [
    *(None, AimedWait(0.02), AimedWait(cap=1.0), AimedWait(cap=2.0), wait_fixed(1.3)),
]


@dataclass(frozen=True)
class WaitPlan:
    """An action, and a wait for it. Times are seconds."""

    ends: float
    joins: float = 0.0
    status: str = "completed"
    listed: bool = True
    verified: bool = False
    of_first: bool = False  # it waits for the action of the first plan
    strategy: int = 0
    stalls_at: float = math.inf
    timeout: float | None = None
    stall: float | None = None
    leaves: float | None = None
    every_update: bool = False


@dataclass(frozen=True)
class ClusterPlan:
    """Behaviour of the cluster. An outage is its begin, its length, and if only lists fail."""

    latency: float = 0.0
    cost: float = 1.0
    outages: tuple[tuple[float, float, bool], ...] = ()
    gap: tuple[int, float, float] | None = None  # number of an unlisted action, begin, end


def draw_plans(rng: Random) -> tuple[list[WaitPlan], ClusterPlan]:
    """Draw some plans, most of which allow a chorus, and the behaviour of the cluster."""
    plans = [
        WaitPlan(
            ends=rng.uniform(0.5, 120),
            joins=rng.choice([0.0, 0.0, 0.0, 3.0, 20.0]) + rng.random(),  # no two at once
            status=rng.choice(["completed", "completed", "completed", "failed", "vanishes"]),
            listed=rng.random() < 0.9,
            verified=rng.random() < 0.5,
            of_first=rng.random() < 0.1,
            stalls_at=rng.choice([math.inf, math.inf, math.inf, 8.0]),
            strategy=rng.choice([0, 0, 0, 0, 0, 1, 2, 3, 4]),
            timeout=rng.choice([None, None, None, 12.0, 40.0]),
            stall=rng.choice([None, None, None, None, None, 6.0, 30.0]),
            leaves=rng.choice([None, None, None, None, rng.uniform(2, 40)]),
            every_update=rng.random() < 0.3,
        )
        for _ in range(rng.randint(2, 14))
    ]
    begins, ends = rng.uniform(0, 40), rng.uniform(40, 100)
    cluster_plan = ClusterPlan(
        latency=rng.choice([0.0, 0.05, 0.6]),
        cost=rng.choice([0.5, 1.0, 2.0, 8.0]),
        outages=tuple(
            (rng.uniform(0, 60), rng.uniform(0.1, 9), rng.random() < 0.5)
            for _ in range(rng.choice([0, 0, 1, 2]))
        ),
        gap=rng.choice([None, (0, begins, ends)]),
    )
    return plans, cluster_plan


class Simulation:
    """Run of several waits on one poller, with its requests and records."""

    def __init__(
        self, plans: list[WaitPlan], cluster_plan: ClusterPlan, *, reports_changes: bool
    ) -> None:
        self.plans, self.cluster_plan = plans, cluster_plan
        self.cluster = ScriptedCluster(
            latency=cluster_plan.latency,
            list_cost=cluster_plan.cost,
            reports_changes=reports_changes,
        )
        self._recorders = [Recorder() for _ in plans]
        self.updates: list[list[Action]] = [[] for _ in plans]
        self.midway_records: list[list[Record]] = []
        self.had_chorus: list[bool] = []
        random.seed(1)  # for the pauses in an outage
        loop = virtual_loop()
        try:
            loop.run_until_complete(self._run())
        finally:
            loop.close()

    @property
    def records(self) -> list[list[Record]]:
        """Return the records of each wait so far; none for a wait that has not begun."""
        return [recorder.records() for recorder in self._recorders]

    async def _run(self) -> None:
        for number, plan in enumerate(self.plans):
            self.cluster.add(
                f"a{number}",
                ends=plan.ends,
                status=plan.status,
                listed=plan.listed,
                verified=plan.verified,
                stalls_at=plan.stalls_at,
            )
        others = [
            asyncio.ensure_future(it) for it in (self._fail(), self._unlist(), self._read_records())
        ]
        waits = [self._wait(number, plan) for number, plan in enumerate(self.plans)]
        await asyncio.gather(*waits)
        await asyncio.gather(*others)

    async def _wait(self, number: int, plan: WaitPlan) -> None:
        await asyncio.sleep(plan.joins)
        limits = {"timeout": plan.timeout, "stall_timeout": plan.stall}
        limits_set = {name: limit for name, limit in limits.items() if limit is not None}
        uid = "a0" if plan.of_first else f"a{number}"
        wait = WaitState(
            ref_of(uid),
            limits=Limits(**limits_set),
            poll=STRATEGIES[plan.strategy],
            now=now(),
            wall=WALL,
        )

        async def follow() -> None:
            updates = watch(
                self.cluster.poller,
                wait,
                on_progress=None,
                every_update=plan.every_update,
                recorder=self._recorders[number],
            )
            async with contextlib.aclosing(updates):
                async for action in updates:
                    self.updates[number].append(action)

        with contextlib.suppress(Exception):
            await asyncio.wait_for(follow(), plan.leaves)

    async def _fail(self) -> None:
        for begins, lasts, lists_only in sorted(self.cluster_plan.outages):
            await asyncio.sleep(max(0.0, begins - now()))
            self.cluster.list_error = unreachable()
            self.cluster.error = None if lists_only else unreachable()
            await asyncio.sleep(lasts)
            self.cluster.error = self.cluster.list_error = None

    async def _unlist(self) -> None:
        if self.cluster_plan.gap is None or self.cluster_plan.gap[0] >= len(self.plans):
            return
        number, begins, ends = self.cluster_plan.gap
        await asyncio.sleep(begins)
        self.cluster.work[f"a{number}"].listed = False
        await asyncio.sleep(ends - begins)
        self.cluster.work[f"a{number}"].listed = True

    async def _read_records(self) -> None:
        for _ in range(4):
            await asyncio.sleep(4.44)
            self.midway_records += self.records
            self.had_chorus.append(bool(self.cluster.poller._waiters.choruses()))


@pytest.mark.parametrize("seed", range(50))
def test_same_as_alone(seed: int) -> None:
    """Requests, updates and records are the same with and without a chorus."""
    plans, cluster_plan = draw_plans(Random(seed))
    together, alone = (
        Simulation(plans, cluster_plan, reports_changes=reports) for reports in (True, False)
    )

    assert together.cluster.requests == alone.cluster.requests
    assert together.updates == alone.updates
    assert together.midway_records == alone.midway_records
    assert together.records == alone.records
    assert not any(alone.had_chorus)


class TestChorus:
    """Polls that are counted once for all members."""

    async def test_is_cut_at_its_deadline(self) -> None:
        """A member ends at its deadline although the shared request is still in flight."""
        scripted = ScriptedCluster()
        uids = [scripted.add(f"a{n}", ends=500.0) for n in range(3)]
        waits = [asyncio.ensure_future(scripted.wait(uid, timeout=40.0)) for uid in uids]
        await asyncio.sleep(15)
        scripted.latency = 100.0
        results = await asyncio.gather(*waits, return_exceptions=True)

        assert now() == pytest.approx(40.0, abs=0.01)
        assert [type(result) for result in results] == [WaitTimeout] * 3

    async def test_unexpected_error(self) -> None:
        """An error that is no outage ends the waits of all members."""
        scripted = ScriptedCluster()
        uids = [scripted.add(f"a{n}", ends=500.0) for n in range(3)]
        waits = [asyncio.ensure_future(scripted.wait(uid)) for uid in uids]
        await asyncio.sleep(15)
        scripted.list_error = UsageError("token= gave none")
        results = await asyncio.gather(*waits, return_exceptions=True)

        assert [type(result) for result in results] == [UsageError] * 3

    async def test_second_waiter(self) -> None:
        """A second waiter for a member's action is served by single requests for both."""
        scripted = ScriptedCluster()
        uids = [scripted.add(f"a{n}", ends=30.0) for n in range(2)]
        first, second = (asyncio.ensure_future(scripted.wait(uid)) for uid in uids)
        await asyncio.sleep(10)
        second.cancel()
        third = asyncio.ensure_future(scripted.wait(uids[0], poll=AimedWait(0.2)))
        await asyncio.sleep(0)
        count = len(scripted.requests)
        await asyncio.gather(first, third)

        assert {what for what, _, _ in scripted.requests[count:]} == {uids[0]}

    async def test_as_last_seen(self) -> None:
        """The poller passes each action to the source as it was last seen."""
        scripted = ScriptedCluster()
        uids = [scripted.add(f"a{n}", ends=30.0) for n in range(3)]
        known: list[dict[Reference, Action | None]] = []
        many = scripted.fetch_many

        async def recording_fetch(wanted: Mapping[Reference, Action | None]) -> ListResult:
            known.append(dict(wanted))
            found = await many(wanted)
            shown.append(dict(found.actions))
            return found

        shown: list[dict[Reference, Action]] = []
        object.__setattr__(scripted, "fetch_many", recording_fetch)
        await asyncio.gather(*map(scripted.wait, uids))

        assert len(known) > 5
        assert known[1:] == shown[:-1]


def waiter(uid: str, *, action: Action | None = None, **limits: float) -> Waiter:
    """Return a waiter that has seen this action."""
    wait = WaitState(ref_of(uid), limits=Limits(**limits), now=0.0, wall=WALL)
    if action is not None:
        wait.on_request(0.0)
        wait.on_answer(action, 0.0)
    return Waiter(wait, every_update=False)


class TestWaiterRegistry:
    """The registry of waiters."""

    def test_as_last_seen(self) -> None:
        """A later waiter that has seen nothing does not replace the action last seen."""
        registry, seen = WaiterRegistry(), at(10.0)
        registry.add(waiter("a", action=seen))
        registry.add(waiter("a"))

        assert registry.wanted(ListKind.ACTIONS) == {ref_of("a"): seen}

    def test_parting(self) -> None:
        """A waiter that leaves a chorus keeps its limit and its place in the order."""
        registry, chorus = WaiterRegistry(), Chorus({})
        first, second = waiter("a", action=at(1.0), timeout=60.0), waiter("b", timeout=60.0)
        for each in (first, second):
            registry.add(each)
            registry.join(each, chorus, 1.0)
        assert (first.chorus, second.chorus) == (chorus, None)

        registry.part(first, 50.0)
        assert first.expires_at == 60.0 + LAST_POLL_TIMEOUT
        assert registry.solos_in_turn() == [first, second]
