"""Facts about `_company`: who sings in a chorus gets what it would have got alone."""

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

PACES: list[WaitBaseT | None] = [
    *(None, AimedWait(0.02), AimedWait(cap=1.0), AimedWait(cap=2.0), wait_fixed(1.3)),
]


@dataclass(frozen=True)
class Plan:
    """An action, and a wait for it. Times are seconds."""

    ends: float
    joins: float = 0.0
    status: str = "completed"
    listed: bool = True
    settled: bool = False
    of_first: bool = False  # whether it waits for the action of the first plan
    pace: int = 0
    rests: float = math.inf
    timeout: float | None = None
    stall: float | None = None
    leaves: float | None = None
    every: bool = False


@dataclass(frozen=True)
class Weather:
    """What the cluster goes through; a trouble is when, for how long, and whether lists alone."""

    latency: float = 0.0
    cost: float = 1.0
    troubles: tuple[tuple[float, float, bool], ...] = ()
    gap: tuple[int, float, float] | None = None  # whose entry is missing, from when to when


def planned(lots: Random) -> tuple[list[Plan], Weather]:
    """Draw some plans, most of which can be sung, and what the cluster goes through."""
    plans = [
        Plan(
            ends=lots.uniform(0.5, 120),
            joins=lots.choice([0.0, 0.0, 0.0, 3.0, 20.0]) + lots.random(),  # no two at once
            status=lots.choice(["completed", "completed", "completed", "failed", "vanishes"]),
            listed=lots.random() < 0.9,
            settled=lots.random() < 0.5,
            of_first=lots.random() < 0.1,
            rests=lots.choice([math.inf, math.inf, math.inf, 8.0]),
            pace=lots.choice([0, 0, 0, 0, 0, 1, 2, 3, 4]),
            timeout=lots.choice([None, None, None, 12.0, 40.0]),
            stall=lots.choice([None, None, None, None, None, 6.0, 30.0]),
            leaves=lots.choice([None, None, None, None, lots.uniform(2, 40)]),
            every=lots.random() < 0.3,
        )
        for _ in range(lots.randint(2, 14))
    ]
    begins, ends = lots.uniform(0, 40), lots.uniform(40, 100)
    weather = Weather(
        latency=lots.choice([0.0, 0.05, 0.6]),
        cost=lots.choice([0.5, 1.0, 2.0, 8.0]),
        troubles=tuple(
            (lots.uniform(0, 60), lots.uniform(0.1, 9), lots.random() < 0.5)
            for _ in range(lots.choice([0, 0, 1, 2]))
        ),
        gap=lots.choice([None, (0, begins, ends)]),
    )
    return plans, weather


class Run:
    """A run of several waits over one hub: what was asked, and what each wait has been through."""

    def __init__(self, plans: list[Plan], weather: Weather, *, tells_changes: bool) -> None:
        self.plans, self.weather = plans, weather
        self.cluster = ScriptedCluster(
            latency=weather.latency, list_cost=weather.cost, tells_changes=tells_changes
        )
        self._recorders = [Recorder() for _ in plans]
        self.told: list[list[Action]] = [[] for _ in plans]
        self.midway: list[list[Record]] = []
        self.sang: list[bool] = []
        random.seed(1)  # for the pauses in an outage
        loop = virtual_loop()
        try:
            loop.run_until_complete(self._play())
        finally:
            loop.close()

    @property
    def records(self) -> list[list[Record]]:
        """What each wait has been through so far; nothing, where it has not begun."""
        return [recorder.records() for recorder in self._recorders]

    async def _play(self) -> None:
        for number, plan in enumerate(self.plans):
            self.cluster.add(
                f"a{number}",
                ends=plan.ends,
                status=plan.status,
                listed=plan.listed,
                settled=plan.settled,
                rests=plan.rests,
            )
        others = [asyncio.ensure_future(it) for it in (self._trouble(), self._gap(), self._read())]
        waits = [self._wait(number, plan) for number, plan in enumerate(self.plans)]
        await asyncio.gather(*waits)
        await asyncio.gather(*others)

    async def _wait(self, number: int, plan: Plan) -> None:
        await asyncio.sleep(plan.joins)
        limits = {"timeout": plan.timeout, "stall_timeout": plan.stall}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        uid = "a0" if plan.of_first else f"a{number}"
        wait = WaitState(
            ref_of(uid), limits=Limits(**given), poll=PACES[plan.pace], now=now(), wall=WALL
        )

        async def follow() -> None:
            news = watch(
                self.cluster.poller,
                wait,
                on_progress=None,
                every_update=plan.every,
                recorder=self._recorders[number],
            )
            async with contextlib.aclosing(news):
                async for action in news:
                    self.told[number].append(action)

        with contextlib.suppress(Exception):
            await asyncio.wait_for(follow(), plan.leaves)

    async def _trouble(self) -> None:
        for begins, lasts, lists_only in sorted(self.weather.troubles):
            await asyncio.sleep(max(0.0, begins - now()))
            self.cluster.list_error = unreachable()
            self.cluster.error = None if lists_only else unreachable()
            await asyncio.sleep(lasts)
            self.cluster.error = self.cluster.list_error = None

    async def _gap(self) -> None:
        if self.weather.gap is None or self.weather.gap[0] >= len(self.plans):
            return
        number, begins, ends = self.weather.gap
        await asyncio.sleep(begins)
        self.cluster.work[f"a{number}"].listed = False
        await asyncio.sleep(ends - begins)
        self.cluster.work[f"a{number}"].listed = True

    async def _read(self) -> None:
        for _ in range(4):
            await asyncio.sleep(4.44)
            self.midway += self.records
            self.sang.append(bool(self.cluster.poller._waiters.choruses()))


@pytest.mark.parametrize("seed", range(50))
def test_same_as_alone(seed: int) -> None:
    """Waits are asked for, told and recorded alike, whether or not a list says what has changed."""
    plans, weather = planned(Random(seed))
    sung, alone = (Run(plans, weather, tells_changes=tells) for tells in (True, False))

    assert sung.cluster.asked == alone.cluster.asked
    assert sung.told == alone.told
    assert sung.midway == alone.midway
    assert sung.records == alone.records
    assert not any(alone.sang)


class TestChorus:
    """What is noted once for all."""

    async def test_is_cut_at_its_deadline(self) -> None:
        """A wait ends at its deadline, though what it has sung is still under way."""
        scripted = ScriptedCluster()
        uids = [scripted.add(f"a{n}", ends=500.0) for n in range(3)]
        waits = [asyncio.ensure_future(scripted.wait(uid, timeout=40.0)) for uid in uids]
        await asyncio.sleep(15)
        scripted.latency = 100.0
        results = await asyncio.gather(*waits, return_exceptions=True)

        assert now() == pytest.approx(40.0, abs=0.01)
        assert [type(result) for result in results] == [WaitTimeout] * 3

    async def test_what_is_no_answer(self) -> None:
        """What is raised in place of an answer, and is no outage, ends the waits of all."""
        scripted = ScriptedCluster()
        uids = [scripted.add(f"a{n}", ends=500.0) for n in range(3)]
        waits = [asyncio.ensure_future(scripted.wait(uid)) for uid in uids]
        await asyncio.sleep(15)
        scripted.list_error = UsageError("token= gave none")
        results = await asyncio.gather(*waits, return_exceptions=True)

        assert [type(result) for result in results] == [UsageError] * 3

    async def test_fellow(self) -> None:
        """Who waits for the same as the last singer is served with it, by a request for one."""
        scripted = ScriptedCluster()
        uids = [scripted.add(f"a{n}", ends=30.0) for n in range(2)]
        first, second = (asyncio.ensure_future(scripted.wait(uid)) for uid in uids)
        await asyncio.sleep(10)
        second.cancel()
        third = asyncio.ensure_future(scripted.wait(uids[0], poll=AimedWait(0.2)))
        await asyncio.sleep(0)
        asked = len(scripted.asked)
        await asyncio.gather(first, third)

        assert {what for what, _, _ in scripted.asked[asked:]} == {uids[0]}

    async def test_as_last_seen(self) -> None:
        """The list is asked for each action as it was seen last."""
        scripted = ScriptedCluster()
        uids = [scripted.add(f"a{n}", ends=30.0) for n in range(3)]
        known: list[dict[Reference, Action | None]] = []
        many = scripted.fetch_many

        async def spy(wanted: Mapping[Reference, Action | None]) -> ListResult:
            known.append(dict(wanted))
            found = await many(wanted)
            shown.append(dict(found.actions))
            return found

        shown: list[dict[Reference, Action]] = []
        object.__setattr__(scripted, "fetch_many", spy)
        await asyncio.gather(*map(scripted.wait, uids))

        assert len(known) > 5
        assert known[1:] == shown[:-1]


def waiter(uid: str, *, action: Action | None = None, **limits: float) -> Waiter:
    """Return one who waits, and has seen so much."""
    wait = WaitState(ref_of(uid), limits=Limits(**limits), now=0.0, wall=WALL)
    if action is not None:
        wait.on_request(0.0)
        wait.on_answer(action, 0.0)
    return Waiter(wait, every_update=False)


class TestCompany:
    """Who waits."""

    def test_as_last_seen(self) -> None:
        """Who comes later and has seen nothing takes nothing away."""
        registry, seen = WaiterRegistry(), at(10.0)
        registry.add(waiter("a", action=seen))
        registry.add(waiter("a"))

        assert registry.wanted(ListKind.ACTIONS) == {ref_of("a"): seen}

    def test_parting(self) -> None:
        """Who parts has its turn by its limit, as those have who never joined."""
        registry, chorus = WaiterRegistry(), Chorus({})
        first, second = waiter("a", action=at(1.0), timeout=60.0), waiter("b", timeout=60.0)
        for each in (first, second):
            registry.add(each)
            registry.join(each, chorus, 1.0)
        assert (first.chorus, second.chorus) == (chorus, None)

        registry.part(first, 50.0)
        assert first.expires_at == 60.0 + LAST_POLL_TIMEOUT
        assert registry.solos_in_turn() == [first, second]
