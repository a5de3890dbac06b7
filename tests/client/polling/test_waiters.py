"""Tests of `_client.polling.waiters`: what each wait gets from requests that many share."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from msgspec import structs
from tenacity import wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionStalled,
    AimedWait,
    Outcome,
    Recorder,
)
from redis_enterprise_actions._client.pacing.shared_schedule import GAP
from redis_enterprise_actions._client.polling.limits import Limits
from redis_enterprise_actions._client.polling.outages import Outage
from redis_enterprise_actions._client.polling.wait_state import WaitState
from redis_enterprise_actions._client.polling.waiters import (
    ListEndpoint,
    TrackedAction,
    Waiter,
    WaiterRegistry,
)
from redis_enterprise_actions._client.polling.watch import observed, watch
from redis_enterprise_actions._model.action import Ambiguity, AmbiguousAnswer
from redis_enterprise_actions._model.record import without_record
from redis_enterprise_actions._model.reference import ListKind
from tests.conftest import at, virtual_loop
from tests.scripted import WALL, ScriptedCluster, ScriptedEntry, now, ref_of, unreachable


if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions import Record
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
    callback: float | None = None  # how long its callback takes

    @property
    def listens(self) -> bool:
        """Return True if each change means something to the wait."""
        return self.every_update or self.callback is not None or self.stall is not None

    @property
    def limits(self) -> dict[str, float]:
        """Return the limits of the wait."""
        limits = {"timeout": self.timeout, "stall_timeout": self.stall}
        return {name: limit for name, limit in limits.items() if limit is not None}


@dataclass(frozen=True)
class ClusterPlan:
    """Behaviour of the cluster. An outage is its begin, its length, and if only lists fail."""

    latency: float = 0.0
    cost: float = 1.0
    outages: tuple[tuple[float, float, bool], ...] = ()
    gap: tuple[int, float, float] | None = None  # number of an unlisted action, begin, end


def draw_plans(rng: Random) -> tuple[list[WaitPlan], ClusterPlan]:
    """Draw some waits, and the behaviour of the cluster."""
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
            callback=rng.choice([None, None, None, None, 0.0, 0.71, 6.13]),  # never as others end
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
    """Run of several waits on one poller: its requests, and what each wait got and when."""

    def __init__(
        self,
        plans: Sequence[WaitPlan],
        cluster_plan: ClusterPlan,
        *,
        reports: Literal["entries", "actions", "everything"] = "entries",
    ) -> None:
        self.plans, self.cluster_plan = plans, cluster_plan
        self.cluster = ScriptedCluster(
            latency=cluster_plan.latency, list_cost=cluster_plan.cost, reports=reports
        )
        self._recorders = [Recorder() for _ in plans]
        self.updates: list[list[tuple[float, Action]]] = [[] for _ in plans]
        self.midway_records: list[list[Record]] = []
        self.ended: list[float] = [math.inf for _ in plans]
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
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def _wait(self, number: int, plan: WaitPlan) -> None:
        await asyncio.sleep(plan.joins)
        state = WaitState(
            ref_of("a0" if plan.of_first else f"a{number}"),
            limits=Limits(**plan.limits),
            poll=STRATEGIES[plan.strategy],
            now=now(),
            wall=WALL,
        )

        async def callback(action: Action) -> None:
            self.updates[number].append((now(), without_record(action)))
            await asyncio.sleep(plan.callback or 0.0)

        async def follow() -> None:
            updates = watch(
                self.cluster.poller,
                state,
                on_progress=None if plan.callback is None else callback,
                every_update=plan.every_update,
            )
            with observed(state, self._recorders[number], []):
                async with contextlib.aclosing(updates):
                    async for action in updates:
                        self.updates[number].append((now(), without_record(action)))

        with contextlib.suppress(Exception):
            await asyncio.wait_for(follow(), plan.leaves)
        self.ended[number] = now()

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


def comparable(records: list[Record], plan: WaitPlan) -> list[Record]:
    """Return records without what depends on how a list reports changes that nobody listens to.

    Such a change is read now and then, and the list may drop the action before.
    """
    if plan.listens:
        return records
    return [
        structs.replace(
            record,
            progress=(),
            message=None if record.outcome is Outcome.VANISHED else record.message,
        )
        for record in records
    ]


@pytest.mark.parametrize("seed", range(200))
def test_any_source(seed: int) -> None:
    """Requests, updates and records are the same however a list reports its entries."""
    plans, cluster_plan = draw_plans(Random(seed))
    # Of several actions that a list does not show, any may be the first to be asked for alone.
    unlisted = [number for number, plan in enumerate(plans) if not plan.listed]
    plans = [replace(plan, listed=number not in unlisted[1:]) for number, plan in enumerate(plans)]
    if unlisted:
        cluster_plan = replace(cluster_plan, gap=None)
    entries, actions, everything = (
        Simulation(plans, cluster_plan, reports=reports)
        for reports in ("entries", "actions", "everything")
    )

    for other in (actions, everything):
        assert other.cluster.requests == entries.cluster.requests
        assert other.updates == entries.updates
        for ours, theirs, plan in zip(
            entries.midway_records + entries.records,
            other.midway_records + other.records,
            plans * 5,
            strict=True,
        ):
            assert comparable(ours, plan) == comparable(theirs, plan)


@pytest.mark.parametrize("seed", range(100))
def test_same_as_alone(seed: int) -> None:
    """Each of several waits ends as it would alone, in time, and with the same first answer."""
    plans, cluster_plan = draw_plans(Random(seed))
    plans = [replace(plan, leaves=None) for plan in plans]
    lists_only = tuple(outage for outage in cluster_plan.outages if outage[2])
    cluster_plan = replace(cluster_plan, outages=lists_only)
    together = Simulation(plans, cluster_plan)
    # Seconds for one turn of the list and of each action that is asked for alone.
    turns = (len(plans) + 2) * (GAP + 10 * cluster_plan.latency)

    for number, plan in enumerate(plans):
        work = plans[0] if plan.of_first else plan
        lone_plan = replace(
            plan,
            **{name: getattr(work, name) for name in ("ends", "status", "verified", "stalls_at")},
            of_first=False,
        )
        alone = Simulation([lone_plan], replace(cluster_plan, gap=None))
        [record], [lone_record] = together.records[number], alone.records[0]
        cap = 15.0 + turns + (plan.callback or 0.0)
        limits = [plan.joins + plan.timeout] if plan.timeout is not None else []
        if plan.stall is not None:
            limits.append(max(plan.joins, min(work.stalls_at, work.ends)) + plan.stall)
        is_close = any(work.ends - cap <= limit <= work.ends + cap for limit in limits)
        is_close = is_close or (work.status == "vanishes" and work.ends <= plan.joins + turns)

        if not is_close:
            assert record.outcome is lone_record.outcome, number
        if record.outcome in {Outcome.COMPLETED, Outcome.FAILED}:
            seen_from = max(work.ends, plan.joins)
            assert seen_from <= together.ended[number] <= seen_from + cap, number
        if record.outcome is Outcome.TIMED_OUT:
            assert plan.timeout is not None
            late = together.ended[number] - plan.joins - plan.timeout
            assert -0.01 <= late <= 2.01, number
        shown = [action.progress for _, action in together.updates[number]]
        progress = [each for each in shown if each is not None]
        assert progress == sorted(progress)  # no update shows an older state


# --- the parts, one by one ------------------------------------------------------------------------


def new_registry() -> WaiterRegistry:
    """Return a registry of waiters for a scripted cluster."""
    return WaiterRegistry(dict.fromkeys(ListKind, ScriptedCluster()))


def waiter_of(
    uid: str = "a", *, every_update: bool = False, poll: WaitBaseT | None = None, **limits: float
) -> Waiter:
    """Return a waiter that has begun at 0."""
    state = WaitState(ref_of(uid), limits=Limits(**limits), poll=poll, now=0.0, wall=WALL)
    return Waiter(state, every_update=every_update)


def joined(
    registry: WaiterRegistry,
    uid: str = "a",
    *,
    every_update: bool = False,
    when: float = 0.0,
    **limits: float,
) -> tuple[Waiter, TrackedAction]:
    """Add a waiter to a registry."""
    waiter = waiter_of(uid, every_update=every_update, **limits)
    registry.add(waiter, when)
    return waiter, waiter.tracked


def list_shows(tracked: TrackedAction, action: Action, when: float) -> None:
    """Have a list answered that shows an action, and read it for each of its waits."""
    tracked.endpoint.on_asked(when)
    tracked.on_listed(when)
    for waiter in tracked.waiters:
        waiter.state.on_answer(action, when, when)
    tracked.on_read(action, when, is_listed=True)
    tracked.endpoint.on_heard(when, when, 1.0, 0.0)


class TestWaiter:
    """One task that awaits updates."""

    def test_due(self) -> None:
        """A waiter is due as it begins, and then by its schedule after the last answer."""
        waiter, registry = waiter_of(poll=wait_fixed(7)), new_registry()
        registry.add(waiter, 3.0)
        assert waiter.due == 0.0
        list_shows(waiter.tracked, at(1), 4.0)

        assert waiter.due == 11.0


class TestCounters:
    """Polls of one reference, computed from the counters of its list."""

    def test_attached(self) -> None:
        """Each request for the list counts for each action on it, from its joining on."""
        registry = new_registry()
        endpoint = registry.endpoint(ListKind.ACTIONS)
        endpoint.on_asked(1.0)
        endpoint.on_heard(1.0, 1.5, 1.0, 0.5)
        _, tracked = joined(registry)
        assert (tracked.polls, tracked.asked_at, tracked.heard_at) == (0, -math.inf, -math.inf)

        endpoint.on_asked(2.0)
        endpoint.on_heard(2.0, 2.5, 1.0, 0.5)
        assert (tracked.polls, tracked.asked_at, tracked.heard_at) == (1, 2.0, 2.5)
        endpoint.on_asked(5.0)
        assert (tracked.polls, tracked.asked_at, tracked.heard_at) == (2, 5.0, 2.5)

    def test_alone(self) -> None:
        """A request for the action alone counts in addition."""
        registry = new_registry()
        _, tracked = joined(registry)
        tracked.poll_now = True
        tracked.on_asked(3.0)
        tracked.on_heard(3.5)
        assert (tracked.polls, tracked.asked_at, tracked.heard_at) == (1, 3.0, 3.5)
        assert not tracked.poll_now
        assert tracked.endpoint.single_asked_at == 3.0

        tracked.endpoint.on_asked(2.0)
        tracked.endpoint.on_heard(2.0, 2.5, 1.0, 0.5)
        assert (tracked.polls, tracked.asked_at, tracked.heard_at) == (2, 3.0, 3.5)

    def test_detached(self) -> None:
        """While the list is not used for an action, its requests do not count."""
        registry = new_registry()
        _, tracked = joined(registry)
        endpoint = tracked.endpoint
        endpoint.on_asked(1.0)
        endpoint.on_heard(1.0, 1.5, 1.0, 0.5)
        tracked.detach()
        tracked.detach()
        for when in (2.0, 3.0):
            endpoint.on_asked(when)
            endpoint.on_heard(when, when, 1.0, 0.0)
        assert (tracked.polls, tracked.asked_at, tracked.heard_at) == (1, 1.0, 1.5)
        assert list(endpoint.alone) == [tracked]
        tracked.on_asked(4.0)
        assert endpoint.single_asked_at == -math.inf  # the list has no part in it

        tracked.attach()
        tracked.attach()
        assert (tracked.polls, tracked.asked_at) == (2, 4.0)
        assert not endpoint.alone
        endpoint.on_asked(5.0)
        assert (tracked.polls, tracked.asked_at) == (3, 5.0)

    def test_listed_while_detached(self) -> None:
        """The list that shows an action again counts for it."""
        registry = new_registry()
        _, tracked = joined(registry)
        tracked.on_missing()
        tracked.endpoint.on_asked(2.0)
        tracked.on_listed(2.0)

        assert (tracked.polls, tracked.asked_at) == (1, 2.0)
        assert tracked.is_attached
        assert (tracked.list_misses, tracked.poll_now) == (0, False)
        tracked.on_listed(2.0)
        assert tracked.polls == 1

    def test_shown(self) -> None:
        """Each list shows that a quiet action still runs; of others only what was read counts."""
        registry = new_registry()
        waiter, tracked = joined(registry, every_update=True)
        endpoint = tracked.endpoint
        endpoint.on_heard(1.0, 1.0, 1.0, 0.0)
        assert tracked.shown_at == -math.inf
        list_shows(tracked, at(1), 2.0)
        assert tracked.shown_at == 2.0

        endpoint.on_heard(5.0, 5.0, 1.0, 0.0)
        assert tracked.shown_at == 5.0
        tracked.listen()
        endpoint.on_heard(9.0, 9.0, 1.0, 0.0)
        assert tracked.shown_at == 5.0
        tracked.on_read(at(1), 9.0, is_listed=True)
        assert tracked.shown_at == 9.0
        registry.remove(waiter)
        endpoint.on_heard(12.0, 12.0, 1.0, 0.0)
        assert tracked.shown_at == 9.0

    def test_answered_since(self) -> None:
        """An answer counts only if its request was sent after the time, too."""
        _, tracked = joined(new_registry())
        assert not tracked.was_heard_since(2.0)
        tracked.on_asked(3.0)
        assert not tracked.was_heard_since(2.0)
        tracked.on_heard(4.0)

        assert tracked.was_heard_since(2.0)
        assert not tracked.was_heard_since(3.0)
        assert not tracked.was_heard_since(3.5)


class TestQuiet:
    """Actions of which only a change of their entry, or a limit, means anything."""

    def test_from_the_list_on(self) -> None:
        """An action is quiet once a list has shown it; a single request alone does not do."""
        registry = new_registry()
        waiter, tracked = joined(registry)
        assert list(tracked.endpoint.attentive) == [tracked]
        waiter.state.on_answer(at(1), 1.0, 1.0)
        tracked.on_read(at(1), 1.0, is_listed=False)
        assert list(tracked.endpoint.attentive) == [tracked]

        tracked.on_read(at(1), 2.0, is_listed=True)
        assert not tracked.endpoint.attentive
        tracked.on_read(at(1), 3.0, is_listed=False)
        assert not tracked.endpoint.attentive
        assert tracked.action == tracked.endpoint.wanted[tracked.ref] == at(1)

    @pytest.mark.parametrize("trouble", ["outage", "unverified", "strategy", "never seen"])
    def test_not_quiet(self, trouble: str) -> None:
        """An action is not quiet if an unchanged answer means something to one of its waits."""
        registry = new_registry()
        joined(registry)
        second = waiter_of(poll=wait_fixed(5) if trouble == "strategy" else None)
        registry.add(second, 0.0)
        tracked = second.tracked
        for waiter in tracked.waiters:
            if (waiter, trouble) != (second, "never seen"):
                waiter.state.on_answer(at(1), 1.0, 1.0)
        if trouble == "outage":
            second.state.join_outage(Outage(1.0))
        elif trouble == "unverified":
            second.state.unverified = ActionStalled(
                "a", action=None, elapsed=1.0, polls=1, stall_timeout=1.0
            )
        tracked.on_read(at(1), 1.0, is_listed=True)

        assert list(tracked.endpoint.attentive) == [tracked]
        assert (tracked.unverified is None) is (trouble != "unverified")

    @pytest.mark.parametrize(
        ("every_update", "limits", "listens"),
        [(False, {}, False), (True, {}, True), (False, {"stall_timeout": 60.0}, True)],
        ids=["nobody", "every update", "stall limit"],
    )
    def test_reads(self, every_update: bool, limits: dict[str, float], listens: bool) -> None:
        """A change is read at once if somebody listens, else once in 1/32 of the age."""
        registry = new_registry()
        _, tracked = joined(registry, every_update=every_update, **limits)
        entry = ScriptedEntry(at(2))
        assert not tracked.ignores(entry, 0.0)
        list_shows(tracked, at(1), 320.0)

        assert tracked.ignores(entry, 320.1) is not listens
        assert tracked.ignores(entry, 329.9) is not listens
        assert not tracked.ignores(entry, 330.0)
        assert entry.reads == 0

    @pytest.mark.parametrize(
        "entry",
        [
            None,
            ScriptedEntry(at(2, "completed")),
            at(2, "failed"),
            AmbiguousAnswer(Ambiguity.GONE, at(2), discriminator="x"),
        ],
        ids=["missing", "entry", "action", "ambiguous"],
    )
    def test_not_ignored(self, entry: ScriptedEntry | Action | AmbiguousAnswer | None) -> None:
        """An end, an ambiguous answer and a gap in the list mean something to each wait."""
        _, tracked = joined(new_registry())
        list_shows(tracked, at(1), 320.0)

        assert tracked.is_quiet
        assert not tracked.ignores(entry, 320.1)

    def test_oldest_wait_decides(self) -> None:
        """Of several waits for one action the oldest one decides how often it is read."""
        registry = new_registry()
        _, tracked = joined(registry)
        late = Waiter(
            WaitState(ref_of("a"), limits=Limits(), now=300.0, wall=WALL), every_update=False
        )
        registry.add(late, 300.0)
        list_shows(tracked, at(1), 320.0)

        assert tracked.ignores(at(2), 329.9)
        assert tracked.ignores(at(2), 330.0)  # which has not changed
        assert not tracked.ignores(at(3), 330.0)

    def test_stale(self) -> None:
        """A change that was not read is read once, when somebody asks for the action."""
        registry = new_registry()
        waiter, tracked = joined(registry)
        reads: list[Reference] = []

        def read(ref: Reference) -> Action | None:
            reads.append(ref)
            return at(2)

        tracked.endpoint.read = read
        list_shows(tracked, at(1), 1.0)
        assert waiter.state.action == at(1)
        assert reads == []
        assert tracked.ignores(ScriptedEntry(at(2)), 1.01)

        assert waiter.state.action == at(2)
        assert tracked.action == tracked.endpoint.wanted[tracked.ref] == at(2)
        assert waiter.state.action == at(2)
        assert reads == [tracked.ref]

    def test_noted_without_reading(self) -> None:
        """A change that came as an action is known at once."""
        waiter, tracked = joined(new_registry())
        list_shows(tracked, at(1), 1.0)
        assert tracked.ignores(ScriptedEntry(at(2)), 1.01)
        assert tracked.ignores(at(3), 1.02)
        tracked.endpoint.read = lambda _: at(3)

        assert tracked.action == waiter.state.action == at(3)

    @pytest.mark.parametrize("read", [None, lambda _: None], ids=["no list", "not in the list"])
    def test_cannot_be_read(self, read: None) -> None:
        """What the last list does not show any more is as it was last seen."""
        waiter, tracked = joined(new_registry())
        list_shows(tracked, at(1), 1.0)
        tracked.endpoint.read = read
        assert tracked.ignores(ScriptedEntry(at(2)), 1.01)

        assert waiter.state.action == at(1)

    @pytest.mark.parametrize("event", ["missing", "leaves", "joins"])
    def test_read_before(self, event: str) -> None:
        """A stale action is read before it is missing, and before a waiter joins or leaves."""
        registry = new_registry()
        waiter, tracked = joined(registry)
        list_shows(tracked, at(1), 1.0)
        tracked.endpoint.read = lambda _: at(2)
        assert tracked.ignores(ScriptedEntry(at(2)), 1.01)
        if event == "missing":
            tracked.on_missing()
        elif event == "leaves":
            registry.remove(waiter)
        else:
            joined(registry)
        tracked.endpoint.read = lambda _: at(3)

        assert tracked.action == waiter.state.action == at(2)

    def test_read_makes_it_known(self) -> None:
        """An answer that was read for all waits is not stale any more."""
        waiter, tracked = joined(new_registry())
        list_shows(tracked, at(1), 1.0)
        assert tracked.ignores(ScriptedEntry(at(2)), 1.01)
        tracked.endpoint.read = lambda _: at(7)
        waiter.state.on_answer(at(2), 2.0, 2.0)
        tracked.on_read(None, 2.0, is_listed=True)

        assert waiter.state.action == at(2)
        assert tracked.action == at(1)


class TestMissing:
    """Actions that the list does not show."""

    def test_asked_for_alone(self) -> None:
        """An action that the list does not show is asked for alone, at once and for a minute."""
        registry = new_registry()
        _, tracked = joined(registry)
        tracked.on_missing()

        assert tracked.poll_now
        assert tracked.due == -math.inf
        registry.attach_due(1000.0)  # it waits for its turn
        assert not tracked.is_attached
        tracked.on_asked(9.0)
        tracked.on_heard(10.0)
        registry.attach_due(69.9)
        assert not tracked.is_attached
        registry.attach_due(70.0)
        assert tracked.is_attached

    def test_one_more_chance(self) -> None:
        """If it is found alone, the list gets one more chance; after a second miss it does not."""
        registry = new_registry()
        _, tracked = joined(registry)
        tracked.on_missing()
        tracked.on_asked(10.0)
        tracked.on_found_alone()
        assert tracked.is_attached

        tracked.on_missing()
        tracked.on_asked(12.0)
        tracked.on_found_alone()
        assert not tracked.is_attached
        tracked.on_listed(14.0)
        assert tracked.list_misses == 0

    def test_found_alone_without_a_miss(self) -> None:
        """An answer to a single request changes nothing for an action that the list shows."""
        _, tracked = joined(new_registry())
        tracked.detach()
        tracked.on_found_alone()

        assert not tracked.is_attached

    def test_attach_in_turn(self) -> None:
        """Each of several goes back to its list at its own time."""
        registry = new_registry()
        actions = [joined(registry, uid)[1] for uid in "abc"]
        for number, tracked in enumerate(actions):
            tracked.on_missing()
            tracked.on_heard(20.0 - 10.0 * number)
        registry.attach_due(75.0)

        assert [tracked.is_attached for tracked in actions] == [False, True, True]

    def test_untold(self) -> None:
        """One that the list tells nothing about is asked for alone until the list tells of it."""
        registry = new_registry()
        _, tracked = joined(registry)
        tracked.on_missing()
        tracked.on_untold()
        assert (tracked.poll_now, tracked.list_misses) == (True, 0)
        tracked.on_asked(9.0)
        tracked.on_heard(10.0)
        registry.attach_due(1e9)

        assert not tracked.is_attached
        tracked.on_listed(14.0)
        assert tracked.is_attached

    def test_due(self) -> None:
        """An action is due when the first of its waiters is."""
        registry = new_registry()
        for pause in (9.0, 4.0):
            registry.add(waiter_of(poll=wait_fixed(pause)), 0.0)
        tracked = registry.endpoint(ListKind.ACTIONS).tracked[ref_of("a")]
        list_shows(tracked, at(1), 1.0)

        assert tracked.due == 5.0


class TestListEndpoint:
    """One list route."""

    def new_endpoint(self) -> ListEndpoint:
        """Return the list of actions, without waiters."""
        return ListEndpoint(ListKind.ACTIONS, ScriptedCluster())

    def test_requests(self) -> None:
        """Requests are counted; what is out since when is known."""
        endpoint = self.new_endpoint()
        endpoint.has_new = True
        endpoint.on_asked(1.0)
        endpoint.on_asked(3.0)

        assert (endpoint.polls, endpoint.asked_at, endpoint.out_since) == (2, 3.0, 1.0)
        assert not endpoint.has_new

    def test_answer(self) -> None:
        """An answer shows what was so when it was requested."""
        endpoint = self.new_endpoint()
        endpoint.on_asked(1.0)
        endpoint.on_heard(1.0, 1.5, 7.0, 0.5)

        assert (endpoint.shown_at, endpoint.heard_at) == (1.0, 1.5)
        assert endpoint.cost_at(1.5) == 7.0
        assert endpoint.cost_at(301.4) == 7.0
        assert endpoint.cost_at(301.5) == 1.0

    @pytest.mark.parametrize(
        ("took", "single", "cost"),
        [(1.9, None, 1.0), (2.5, None, 25.0), (2.5, 0.5, 5.0), (2.5, 0.01, 25.0), (60, 60, 1.0)],
    )
    def test_cost_of_a_slow_list(self, took: float, single: float | None, cost: float) -> None:
        """A list that takes longer than single requests do costs accordingly."""
        endpoint = self.new_endpoint()
        if single is not None:
            endpoint.on_single_heard(1.0, single)
        endpoint.on_heard(2.0, 2.0 + took, 1.0, took)

        assert endpoint.cost_at(3.0) == pytest.approx(cost)

    @pytest.mark.parametrize(
        ("took", "single", "at", "slow"),
        [
            (0.1, 0.1, 10.0, 3.0),
            (4.0, 0.1, 10.0, 8.0),
            (0.1, 4.0, 10.0, 8.0),
            (0.1, 4.0, 310.0, 3.0),
        ],
    )
    def test_slow(self, took: float, single: float, at: float, slow: float) -> None:
        """A request is slow after 3 s, or twice the time of the last one, as single ones expire."""
        endpoint = self.new_endpoint()
        endpoint.on_heard(1.0, 1.0 + took, 1.0, took)
        endpoint.on_single_heard(5.0, single)

        assert endpoint.slow_after(at) == slow

    def test_patience(self) -> None:
        """A request has 5 s while others are answered; a list has more after each failure."""
        endpoint, patience = self.new_endpoint(), []
        for _ in range(5):
            patience.append(endpoint.patience)
            endpoint.on_failed(1.0, alone=True)

        assert patience == [5.0, 10.0, 20.0, 40.0, 40.0]
        endpoint.on_heard(2.0, 2.0, 1.0, 7.0)
        assert endpoint.patience == 14.0

    def test_patience_for_one_action(self) -> None:
        """A request for one action has 5 s, too, and more if it fails or usually takes longer."""
        _, tracked = joined(new_registry())
        assert tracked.patience == 5.0
        tracked.took = 4.0
        assert tracked.patience == 8.0
        tracked.outage = Outage(1.0)
        tracked.outage.record_failure(unreachable(), 1.0)
        assert tracked.patience == 10.0

    @pytest.mark.parametrize(
        ("event", "fewest"),
        [("nothing", 2), ("failed", 7), ("hangs", None), ("slow", None), ("answered", 2)],
    )
    def test_serves_limits(self, event: str, fewest: int | None) -> None:
        """At limits a list is used if it is healthy or, for many, if it has failed once."""
        registry = new_registry()
        for uid in "ab":
            joined(registry, uid)
        endpoint = registry.endpoint(ListKind.ACTIONS)
        if event == "failed":
            endpoint.on_failed(9.0, alone=False)
        elif event == "hangs":
            endpoint.on_asked(7.9)
        elif event == "slow":
            endpoint.on_heard(1.0, 3.1, 1.0, 2.1)
        elif event == "answered":
            endpoint.on_failed(0.5, alone=False)
            endpoint.on_asked(8.0)
            endpoint.on_heard(1.0, 3.0, 1.0, 2.0)

        counts = [count for count in range(1, 20) if endpoint.serves_limits(count, 10.0)]
        assert counts == ([] if fewest is None else list(range(fewest, 20)))

    def test_avoided(self, caplog: pytest.LogCaptureFixture) -> None:
        """After two failures in a row a list is avoided, for longer each time; the log says so."""
        registry = new_registry()
        for uid in "ab":
            joined(registry, uid)
        endpoint, avoided = registry.endpoint(ListKind.ACTIONS), []
        endpoint.on_failed(100.0, alone=False)
        assert endpoint.is_usable(100.0)
        assert endpoint.heard_at == 100.0
        assert caplog.messages == []
        for _ in range(6):
            endpoint.on_failed(100.0, alone=False)
            avoided.append(endpoint.avoided_until - 100.0)

        assert avoided == [60.0, 120.0, 240.0, 480.0, 480.0, 480.0]
        assert not endpoint.is_usable(579.9)
        assert endpoint.is_usable(580.0)
        [message] = caplog.messages
        assert "requesting each one alone" in message
        endpoint.on_heard(600.0, 600.0, 1.0, 0.0)
        endpoint.on_heard(601.0, 601.0, 1.0, 0.0)
        assert [message for message in caplog.messages[1:] if "answered again" in message] != []
        assert len(caplog.messages) == 2
        endpoint.on_failed(602.0, alone=False)
        assert endpoint.is_usable(602.0)

    def test_avoided_by_many(self) -> None:
        """With more than a hundred references a list is tried again each minute."""
        registry = new_registry()
        for number in range(101):
            joined(registry, f"a{number}")
        endpoint = registry.endpoint(ListKind.ACTIONS)
        for _ in range(6):
            endpoint.on_failed(100.0, alone=False)

        assert endpoint.avoided_until == 160.0

    def test_fails_alone(self) -> None:
        """If others are answered meanwhile, the first failure is enough."""
        endpoint = self.new_endpoint()
        endpoint.on_failed(100.0, alone=True)

        assert endpoint.avoided_until == 160.0

    def test_refused(self) -> None:
        """A list that is refused is not used for five minutes."""
        endpoint = self.new_endpoint()
        endpoint.refuse(100.0)

        assert endpoint.avoided_until == 400.0

    def test_usable(self) -> None:
        """A list is of use for more than one action that it shows."""
        registry = new_registry()
        endpoint = registry.endpoint(ListKind.ACTIONS)
        actions = [joined(registry, uid)[1] for uid in "ab"]
        joined(registry, "a")
        assert endpoint.is_usable(0.0)

        actions[0].on_missing()
        assert not endpoint.is_usable(0.0)

    def test_schedule(self) -> None:
        """The sum over few waits is made anew for each time, and for each that joins or leaves."""
        registry = new_registry()
        waiters = [joined(registry, uid)[0] for uid in "ab"]
        endpoint = registry.endpoint(ListKind.ACTIONS)
        never = lambda _: False  # noqa: E731 - a bound that never holds
        first = endpoint.schedule(10.0, is_bound=never)
        assert first.count == 2
        assert endpoint.schedule(10.0, is_bound=never) is first

        assert endpoint.schedule(10.1, is_bound=never) is not first
        joined(registry, "c")
        assert endpoint.schedule(10.1, is_bound=never).count == 3
        registry.remove(waiters[0])
        assert endpoint.schedule(10.1, is_bound=never).count == 2
        waiters[1].tracked.on_missing()
        assert endpoint.schedule(10.3, is_bound=never).count == 1

    def test_schedule_of_many(self) -> None:
        """The sum over many waits is made anew once a second, or if their number has changed."""
        registry = new_registry()
        for number in range(80):
            joined(registry, f"a{number}")
        endpoint = registry.endpoint(ListKind.ACTIONS)
        never = lambda _: False  # noqa: E731 - a bound that never holds
        first = endpoint.schedule(10.0, is_bound=never)
        for number in range(80, 90):
            joined(registry, f"a{number}")
        assert endpoint.schedule(10.9, is_bound=never) is first
        asked: list[float] = []
        assert endpoint.schedule(20.0, is_bound=lambda due: not asked.append(due)) is first  # type: ignore[func-returns-value]
        assert asked == [first.latest_due(20.0, 1.0)]
        assert endpoint.schedule(20.0, is_bound=never) is not first

        for number in range(90, 102):
            joined(registry, f"a{number}")
        assert endpoint.schedule(20.1, is_bound=never).count == 102


class TestRegistry:
    """All waiters of one poller."""

    def test_add_and_remove(self) -> None:
        """A waiter is in the registry until it is removed; to remove it again changes nothing."""
        registry = new_registry()
        first, tracked = joined(registry, "a")
        second, other = joined(registry, "b")
        third, same = joined(registry, "a")
        endpoint = tracked.endpoint

        assert same is tracked
        assert other is not tracked
        assert list(registry) == [first, third, second]
        assert (registry.count, endpoint.count, len(endpoint.tracked)) == (3, 3, 2)
        assert [first.joined, second.joined, third.joined] == [1, 2, 3]
        assert endpoint.wanted == {ref_of("a"): None, ref_of("b"): None}
        assert registry.remove(first)
        assert not registry.remove(first)
        assert (registry.count, len(endpoint.tracked)) == (2, 2)
        assert registry.remove(third)
        assert list(endpoint.wanted) == list(endpoint.tracked) == [ref_of("b")]
        assert list(endpoint.attentive) == [other]
        assert not endpoint.alone
        assert registry.remove(second)
        assert (registry.count, endpoint.count, list(registry)) == (0, 0, [])
        assert not registry.remove(waiter_of())  # which was never added

    def test_version(self) -> None:
        """The version of the wanted references grows with each that is added or removed."""
        registry = new_registry()
        waiter, tracked = joined(registry, "a")
        again, _ = joined(registry, "a")
        wanted = tracked.endpoint.wanted
        assert wanted.version == 1
        registry.remove(waiter)
        assert wanted.version == 1
        registry.remove(again)
        assert wanted.version == 2

        registry.add(waiter, 5.0)
        assert wanted.version == 3

    def test_comes_back(self) -> None:
        """A waiter that comes back finds its counters, and what was last seen."""
        registry = new_registry()
        waiter, tracked = joined(registry, every_update=True)
        list_shows(tracked, at(1), 1.0)
        registry.remove(waiter)
        tracked.endpoint.on_asked(2.0)
        tracked.endpoint.on_heard(2.0, 2.0, 1.0, 0.0)
        registry.add(waiter, 3.0)
        assert (tracked.asked_at, tracked.heard_at, tracked.shown_at) == (1.0, 1.0, 1.0)

        assert waiter.tracked is tracked
        assert tracked.is_attached
        assert tracked.endpoint.wanted == {ref_of("a"): at(1)}
        assert (waiter.state.polls, waiter.state.asked_at) == (1, 1.0)
        assert list(tracked.endpoint.attentive) == [tracked]
        assert not tracked.endpoint.has_new

    def test_comes_back_after_another(self) -> None:
        """A list that was asked while no waiter was there has not shown that the action runs."""
        registry = new_registry()
        waiter, tracked = joined(registry, every_update=True)
        other, _ = joined(registry)
        list_shows(tracked, at(1), 1.0)
        registry.remove(waiter)
        registry.remove(other)
        tracked.endpoint.on_asked(2.0)
        tracked.endpoint.on_heard(2.0, 2.0, 1.0, 0.0)
        registry.add(waiter, 3.0)

        assert (tracked.asked_at, tracked.heard_at, tracked.shown_at) == (1.0, 1.0, 1.0)
        assert waiter.state.polls == 1

    def test_comes_back_to_another(self) -> None:
        """A waiter that comes back joins the one for its reference that came meanwhile."""
        registry = new_registry()
        waiter, tracked = joined(registry)
        list_shows(tracked, at(1), 1.0)
        registry.remove(waiter)
        _, present = joined(registry, when=2.0)
        registry.add(waiter, 3.0)
        present.endpoint.on_asked(4.0)

        assert present is not tracked
        assert waiter.tracked is present
        assert (waiter.state.polls, waiter.state.asked_at) == (2, 4.0)

    @pytest.mark.parametrize(("when", "is_attached"), [(69.0, False), (70.0, True)])
    def test_comes_back_unlisted(self, when: float, is_attached: bool) -> None:
        """An action that the list did not show is asked for alone when its waiter comes back."""
        registry = new_registry()
        waiter, tracked = joined(registry, every_update=True)
        tracked.on_missing()
        tracked.on_heard(10.0)
        registry.remove(waiter)
        assert not tracked.endpoint.alone
        registry.add(waiter, when)

        assert tracked.is_attached is is_attached
        assert list(tracked.endpoint.alone) == ([] if is_attached else [tracked])

    def test_new_waiters(self) -> None:
        """A list is to be asked soon for a wait for which nothing was asked yet."""
        registry = new_registry()
        endpoint = registry.endpoint(ListKind.ACTIONS)
        assert not endpoint.has_new
        late = Waiter(
            WaitState(ref_of("b"), limits=Limits(), now=7.0, wall=WALL), every_update=False
        )
        registry.add(late, 8.0)
        joined(registry)

        assert endpoint.has_new
        assert endpoint.newest == 7.0

    def test_limits_are_forgotten(self) -> None:
        """A waiter that leaves is not at its limit any more, and its action is not verified."""
        registry = new_registry()
        first, tracked = joined(registry)
        second, _ = joined(registry)
        registry.at_limit = {first: None, second: None}
        registry.unverified[tracked] = None
        registry.remove(first)
        assert list(registry.at_limit) == [second]
        assert list(registry.unverified) == [tracked]
        registry.remove(second)

        assert (registry.at_limit, registry.unverified) == ({}, {})

    def test_numbers(self) -> None:
        """Waiters and requests have numbers in one order."""
        registry = new_registry()
        first, _ = joined(registry)
        registry.number += 1
        request = registry.number
        second, _ = joined(registry)

        assert first.joined < request < second.joined
