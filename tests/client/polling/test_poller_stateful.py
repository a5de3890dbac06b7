"""Stateful tests of `_client.polling.poller`: each wait ends as it would alone."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tenacity import wait_exponential, wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionNotFound,
    ActionVanished,
    AimedWait,
    WaitTimeout,
)
from tests.conftest import examples, virtual_loop
from tests.scripted import ScriptedCluster, unreachable


if TYPE_CHECKING:
    from tenacity.wait import WaitBaseT

STRATEGIES: list[WaitBaseT | None] = [
    *(None, AimedWait(0.02), AimedWait(3.0, cap=30.0)),
    *(wait_fixed(0.2), wait_fixed(7), wait_exponential(multiplier=0.5, max=20)),
]
SLACK = 200.0  # seconds within which the slowest strategy detects an end


@dataclass
class StartedWait:
    """A wait, with the facts to check its end by."""

    uid: str
    task: asyncio.Task[Action]
    deadline: float
    updates: list[Action]
    joined: float
    ended: float = 0.0


class WaitMachine(RuleBasedStateMachine):
    """State machine: waits begin and end while the cluster fails and its list has gaps."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = virtual_loop()
        self.cluster = ScriptedCluster()
        self.waits: list[StartedWait] = []
        self.cancelled: list[StartedWait] = []
        self.failures: list[tuple[float, float]] = []

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @rule(
        seconds=st.floats(0, 90),
        status=st.sampled_from(["completed", "failed", "vanishes"]),
        late=st.sampled_from([0.0, 0.0, 4.0]),
        listed=st.booleans(),
        verified=st.booleans(),
    )
    def start_action(
        self, seconds: float, status: str, late: float, listed: bool, verified: bool
    ) -> None:
        """Start an action, which may appear late, be missing from the list, or vanish."""
        begins = self.loop.time() + late
        uid = f"a{len(self.cluster.work)}"
        self.cluster.add(
            uid,
            ends=begins + 1 + seconds,
            begins=begins,
            status=status,
            listed=listed,
            verified=verified,
        )

    @rule(
        data=st.data(),
        strategy=st.sampled_from(STRATEGIES),
        timeout=st.sampled_from([None, 5.0, 40.0]),
        slow=st.sampled_from([None, 0.0, 6.0]),
    )
    def start_wait(
        self,
        data: st.DataObject,
        strategy: WaitBaseT | None,
        timeout: float | None,
        slow: float | None,
    ) -> None:
        """Wait for an action or an unknown uid, with a callback of some speed."""
        uid = data.draw(st.sampled_from([*self.cluster.work, "unknown"]))
        updates: list[Action] = []

        async def callback(action: Action) -> None:
            updates.append(action)
            await asyncio.sleep(slow or 0.0)

        limits = {} if timeout is None else {"timeout": timeout}
        task = self.loop.create_task(
            self.cluster.wait(
                uid,
                poll=strategy,
                on_progress=None if slow is None else callback,
                outage_timeout=1e6,
                not_found_grace=10.0,
                **limits,
            )
        )
        deadline = self.loop.time() + (timeout if timeout is not None else 1e9)
        wait = StartedWait(uid, task, deadline, updates, self.loop.time())
        task.add_done_callback(lambda _: setattr(wait, "ended", self.loop.time()))
        self.waits.append(wait)
        self.advance(0)

    @precondition(lambda self: self.waits)
    @rule(data=st.data())
    def cancel_waits(self, data: st.DataObject) -> None:
        """Cancel some of the waits."""
        for wait in data.draw(st.lists(st.sampled_from(self.waits), max_size=4)):
            if wait in self.waits and not wait.task.done():
                wait.task.cancel()
                self.waits.remove(wait)
                self.cancelled.append(wait)
        self.advance(0)

    @rule(seconds=st.floats(0, 20))
    def pass_time(self, seconds: float) -> None:
        """Advance the clock."""
        self.advance(seconds)

    @rule(seconds=st.floats(0.1, 8), lists_only=st.booleans())
    def outage(self, seconds: float, lists_only: bool) -> None:
        """Let the cluster, or its list alone, fail for a while."""
        self.cluster.list_error = unreachable()
        self.cluster.error = None if lists_only else unreachable()
        self.failures.append((self.loop.time(), self.loop.time() + seconds))
        self.advance(seconds)
        self.cluster.error = self.cluster.list_error = None

    @precondition(lambda self: self.cluster.work)
    @rule(data=st.data(), listed=st.booleans())
    def change_listing(self, data: st.DataObject, listed: bool) -> None:
        """Remove an action from the list, or add it again."""
        self.cluster.work[data.draw(st.sampled_from([*self.cluster.work]))].listed = listed

    @rule(latency=st.sampled_from([0.0, 0.05, 0.4]), cost=st.sampled_from([1.0, 5.0, 300.0]))
    def change_speed(self, latency: float, cost: float) -> None:
        """Make the cluster slower or faster, and its list longer or shorter."""
        self.cluster.latency, self.cluster.list_cost = latency, cost

    @invariant()
    def respects_rate_limit(self) -> None:
        """There is one request at a time but for one at a limit, and at most three in a second."""
        began = [when for _, when, _ in self.cluster.requests]
        assert self.cluster.most_in_flight <= 2
        assert all(b - a > 1 for a, b in zip(began, began[3:], strict=False))

    def teardown(self) -> None:
        """Let all waits end, and check them."""
        self.advance(0.1)
        for _ in range(200):
            if all(wait.task.done() for wait in self.waits):
                break
            self.advance(SLACK)
        try:
            for wait in self.waits:
                assert wait.task.done(), wait
                self.check(wait)
            for wait in self.cancelled:
                assert wait.task.cancelled()
            self.check_requests_beside()
            assert asyncio.all_tasks(self.loop) == set()
        finally:
            for wait in self.waits:
                wait.task.cancel()
                with contextlib.suppress(BaseException):
                    self.loop.run_until_complete(wait.task)
            self.loop.close()

    def check_requests_beside(self) -> None:
        """A request is made beside another only at a limit: a deadline, or the end of a grace."""
        requests = self.cluster.requests
        limits = [wait.deadline for wait in self.waits + self.cancelled]
        limits += [began + 10.0 for _, began, _ in requests]
        for (_, _, ended), (_, began, _) in pairwise(requests):
            if began < ended:
                # It may have to wait for its turn within three requests a second.
                assert any(limit - 0.01 <= began <= limit + 2.01 for limit in limits)

    def may_have_missed(self, wait: StartedWait) -> bool:
        """Return True if the cluster may have forgotten the action before the first poll."""
        work = self.cluster.work.get(wait.uid)
        lost = max([wait.joined, *(b for a, b in self.failures if a <= wait.joined + 15)]) + 15
        return work is None or (work.status == "vanishes" and work.ends < lost)

    def check(self, wait: StartedWait) -> None:
        """A wait ends as its action did, or at its deadline if that was first."""
        work = self.cluster.work.get(wait.uid)
        error = wait.task.exception()
        if isinstance(error, WaitTimeout):
            assert wait.deadline - 0.01 <= wait.ended <= wait.deadline + 3.5
            failing = any(a - 1 <= wait.deadline <= b + 1 for a, b in self.failures)
            # At three requests a second, few waits can poll alone at the same deadline.
            crowded = sum(not work.listed for work in self.cluster.work.values()) > 4
            # A second "not found", 5 s after the first, has to confirm that an action vanished.
            vanishes = work is not None and work.status == "vanishes"
            in_time = work is not None and work.ends <= wait.deadline - (21 if vanishes else 1)
            # A request in flight at the deadline is cut short there.
            cut = any(began < wait.deadline < began + 0.5 for _, began, _ in self.cluster.requests)
            assert failing or crowded or cut or self.may_have_missed(wait) or not in_time
        elif work is None:
            assert type(error) is ActionNotFound
        elif work.status == "vanishes" and self.may_have_missed(wait):
            assert error is None or type(error) in {ActionNotFound, ActionVanished}
        elif work.status == "vanishes":
            assert error is None if work.verified else type(error) is ActionVanished
        elif work.status == "failed":
            assert type(error) is ActionFailed
        else:
            assert error is None
            assert wait.task.result().phase.terminal
        if work is not None and not isinstance(error, WaitTimeout):
            assert wait.ended >= min(work.ends, wait.deadline)
        if error is None and wait.updates:
            assert wait.updates[-1] == wait.task.result()


# Hypothesis takes the hundreds of steps of the nightly profile for a mistake.
WaitMachine.TestCase.settings = settings(
    suppress_health_check=[HealthCheck.large_base_example],
    max_examples=examples(100),
    stateful_step_count=examples(30),
    deadline=None,
)
TestWaits = WaitMachine.TestCase
