"""Properties of waits for conditions, against a truth that changes at random.

A wait is never early: its condition was true when the cluster was asked last, and each time within
`hold`. It is late by at most one interval.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tenacity import wait_fixed

from redis_enterprise_actions import ClusterUnreachable, Phase
from redis_enterprise_actions._client.polling.limits import Limits
from redis_enterprise_actions._client.polling.poller import Poller
from redis_enterprise_actions._client.polling.wait_state import WaitState
from redis_enterprise_actions._client.polling.watch import watch
from redis_enterprise_actions._client.protocols import NO_LIST, ListResult
from redis_enterprise_actions._client.wire.conditions import condition_action
from redis_enterprise_actions._model.reference import ListKind, parse_reference
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of, examples, virtual_loop
from tests.scripted import WALL, now


if TYPE_CHECKING:
    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions import Action, WaitError
    from redis_enterprise_actions._client.protocols import Gate, Wanted
    from redis_enterprise_actions._model.reference import Reference

CAP: Final = 15.0  # seconds; the longest pause of the default schedule
GAP: Final = 1.0  # seconds that the rate limit may add for each wait
TURN: Final = 20.0  # seconds; the longest pause between attempts in an outage, and its detection


@dataclass
class FlappingSource:
    """Status source of conditions; `changes` has the times at which each becomes true or untrue.

    Each is untrue at first, and stays true after the last change. Within `faults`, pairs of times,
    no request is answered. The list shows "everything", the "false" ones, or there is "none".
    """

    changes: dict[Reference, list[float]]
    faults: list[tuple[float, float]] = field(default_factory=list)
    latency: float = 0.0
    lists: str = "false"
    samples: dict[Reference, list[tuple[float, float, bool]]] = field(default_factory=dict)
    has_answered: bool = True

    def __post_init__(self) -> None:
        """Make the poller that uses this source."""
        self.poller = Poller(dict.fromkeys(ListKind, self), self)

    def is_true(self, ref: Reference, when: float) -> bool:
        """Return the truth at a time."""
        return bisect_right(self.changes[ref], when) % 2 == 1

    def path(self, ref: Reference) -> str:
        """Return a path."""
        return f"/{ref}"

    async def fetch(self, ref: Reference, _: Action | None, gate: Gate | None) -> Action:
        """Return the state of one condition."""
        began = await self._respond(gate)
        return self._sample(ref, began)

    async def fetch_many(self, wanted: Wanted, gate: Gate | None) -> ListResult:
        """Return the states that the list shows."""
        if self.lists == "none":
            return NO_LIST
        began = await self._respond(gate)
        shown = [
            ref for ref in wanted if self.lists == "everything" or not self.is_true(ref, now())
        ]
        return ListResult({ref: self._sample(ref, began) for ref in shown}, cost=1.0)

    async def verify(self, _: Reference, __: WaitError, ___: Gate | None) -> None:
        """Return None: there is nothing else to ask."""

    def _sample(self, ref: Reference, began: float) -> Action:
        is_true = self.is_true(ref, now())
        self.samples.setdefault(ref, []).append((began, now(), is_true))
        return condition_action(ref, [] if is_true else ["no_quorum"])

    async def _respond(self, gate: Gate | None) -> float:
        if gate is not None:
            await gate.admit()
        began = now()
        await asyncio.sleep(self.latency)
        if any(first <= now() < last for first, last in self.faults):
            raise ClusterUnreachable("GET", "/", reason="refused")
        return began

    async def wait(
        self, ref: Reference, hold: float, poll: WaitBaseT | None, callback: float | None
    ) -> float:
        """Wait for a condition as a client does; return when the wait has ended."""
        limits = Limits(hold=hold, outage_timeout=1e9)
        state = WaitState(ref, limits=limits, poll=poll, now=now(), wall=WALL)

        async def be_busy(action: Action) -> None:
            if action.phase.unfinished:
                await asyncio.sleep(callback or 0.0)

        on_progress = None if callback is None else be_busy
        async for _ in watch(self.poller, state, on_progress=on_progress, every_update=False):
            pass
        assert state.close(now()).phase is Phase.COMPLETED
        return now()


def interval_of(hold: float, poll: WaitBaseT | None) -> float:
    """Return the seconds between two polls while a condition holds."""
    own = min(max(1.0, hold / 10), CAP) if poll is None else poll.wait_fixed  # type: ignore[attr-defined]
    return min(own, hold) if hold else own


PERIODS = st.lists(st.floats(0.3, 40), min_size=1, max_size=9).filter(lambda it: len(it) % 2)
POLLS = st.sampled_from([None, None, wait_fixed(2), wait_fixed(9)])


def changes_of(periods: list[float]) -> list[float]:
    """Return the times of changes that come so many seconds after each other."""
    times, when = [], 0.0
    for period in periods:
        when += period
        times.append(when)
    return times


def run(
    source: FlappingSource,
    waits: list[tuple[float, WaitBaseT | None]],
    callback: float | None = None,
) -> dict[Reference, float]:
    """Wait for all conditions at once; return the end of each."""

    async def main() -> dict[Reference, float]:
        refs = list(source.changes)
        tasks = [
            source.wait(ref, hold, poll, callback)
            for ref, (hold, poll) in zip(refs, waits, strict=True)
        ]
        return dict(zip(refs, await asyncio.gather(*tasks), strict=True))

    loop = virtual_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


def check_not_early(source: FlappingSource, ref: Reference, end: float, hold: float) -> list[float]:
    """Check that a condition was seen true at the end, and without interruption for `hold`.

    Return the times at which it was asked for since it was seen true.
    """
    seen = [each for each in source.samples[ref] if each[1] <= end]
    untrue = [answered for _, answered, is_true in seen if not is_true]
    run_of_true = [each for each in seen if not untrue or each[1] > untrue[-1]]

    assert run_of_true
    assert run_of_true[-1][2]
    if hold:
        assert run_of_true[-1][0] - run_of_true[0][1] >= hold - 0.01
    return [began for began, _, _ in run_of_true]


REFS = [parse_reference(f"bdb:{uid}@available") for uid in (1, 2, 3)]
CASES = st.lists(
    st.tuples(PERIODS, st.sampled_from([0.0, 0.5, 5.0, 30.0, 300.0]), POLLS),
    min_size=1,
    max_size=len(REFS),
)


@settings(max_examples=examples(100))
@given(CASES, st.sampled_from([0.0, 0.05]), st.sampled_from(["false", "everything", "none"]))
@example([([10.0, 1.0, 1.0], 30.0, None)], 0.0, "false")
@example(  # the list is used again for those that it did not show
    [([12.0], 300.0, None), ([12.0], 300.0, None), ([12.0], 5.0, None)], 0.0, "false"
)
def test_flapping(
    cases: list[tuple[list[float], float, WaitBaseT | None]], latency: float, lists: str
) -> None:
    """No wait ends early, whatever flaps; each is polled at its interval, and late by one."""
    changes = {ref: changes_of(periods) for ref, (periods, _, _) in zip(REFS, cases, strict=False)}
    source = FlappingSource(changes, latency=latency, lists=lists)
    ends = run(source, [(hold, poll) for _, hold, poll in cases])

    slack = GAP * len(cases) + 2 * latency
    for ref, (_, hold, poll) in zip(REFS, cases, strict=False):
        asked = check_not_early(source, ref, ends[ref], hold)
        if hold:
            gaps = [later - earlier for earlier, later in pairwise(asked)]
            assert max(gaps) <= interval_of(hold, poll) + slack
        usual = CAP if poll is None else interval_of(0.0, poll)
        assert ends[ref] <= changes[ref][-1] + usual + hold + slack


@settings(max_examples=examples(60))
@given(
    CASES,
    st.lists(st.tuples(st.floats(0, 200), st.floats(0.1, 60)), max_size=4),
    st.sampled_from(["false", "everything", "none"]),
)
def test_outages(
    cases: list[tuple[list[float], float, WaitBaseT | None]],
    outages: list[tuple[float, float]],
    lists: str,
) -> None:
    """Outages make a wait later, and never early: a condition has to hold from their end on."""
    changes = {ref: changes_of(periods) for ref, (periods, _, _) in zip(REFS, cases, strict=False)}
    faults = [(first, first + length) for first, length in outages]
    source = FlappingSource(changes, faults=faults, lists=lists)
    ends = run(source, [(hold, poll) for _, hold, poll in cases])

    over = max([0.0, *(last for _, last in faults)])
    for ref, (_, hold, poll) in zip(REFS, cases, strict=False):
        check_not_early(source, ref, ends[ref], hold)
        usual = max(TURN, CAP if poll is None else interval_of(0.0, poll))
        slack = GAP * len(cases)
        assert ends[ref] <= max(over + TURN, changes[ref][-1]) + usual + hold + slack


@settings(max_examples=examples(60))
@given(PERIODS, st.sampled_from([0.0, 5.0, 30.0]), st.floats(0.1, 60))
def test_busy_callbacks(periods: list[float], hold: float, busy: float) -> None:
    """Time in which the waiter was busy is no time for which a condition was seen to hold."""
    [ref, *_] = REFS
    source = FlappingSource({ref: changes_of(periods)})
    ends = run(source, [(hold, None)], busy)

    asked = check_not_early(source, ref, ends[ref], hold)
    if hold:
        gaps = [later - earlier for earlier, later in pairwise(asked)]
        counted = [gap for gap in gaps if gap <= interval_of(hold, None) + 2 * GAP]
        assert sum(counted) >= hold - interval_of(hold, None) - 2 * GAP


pytestmark = [pytest.mark.enable_socket, pytest.mark.system]


@pytest.mark.parametrize("count", [1, 5, 20])
async def test_requests(count: int) -> None:
    """Waits for conditions share the list of databases with all others, as if of one kind."""
    lists: list[int] = []
    for is_mixed in (True, False):
        async with FakeCluster() as cluster, client_of(cluster) as client:
            start_work(cluster, count)
            waits = [client.databases.wait(uid) for uid in range(1, count + 1)]
            if is_mixed:
                waits += [client.databases.wait_available(uid) for uid in range(1, count + 1)]
                waits += [client.databases.wait_in_sync(100 + uid) for uid in range(1, count + 1)]
            else:
                waits += [client.databases.wait(uid) for uid in range(201, 201 + 2 * count)]
            began = now()
            await asyncio.gather(*waits)
            assert 300 <= now() - began <= 315 + GAP * count

            paths = [request.path for request in cluster.requests]
            lists.append(len([path for path in paths if path.startswith("/v1/bdbs?")]))
            # Only the end of each wait for an available database is asked for alone.
            assert len(paths) == lists[-1] + (count if is_mixed else 0)

    assert lists[0] <= 1.1 * lists[1] + 2


def start_work(cluster: FakeCluster, count: int) -> None:
    """Create databases, and set sources of others, that are ready after 300 s."""
    loop = asyncio.get_running_loop()
    for uid in range(1, count + 1):
        cluster.add_bdb(100 + uid)
        cluster.set_replica_source(100 + uid, 0, "syncing")
        loop.call_later(300, cluster.set_replica_source, 100 + uid, 0, "in-sync")
        for each in (uid, 199 + 2 * uid, 200 + 2 * uid):
            cluster.add_action("SMCreateBDB", Plan(duration=300), bdb_uid=each)
