"""Facts about `_hub`: whatever happens around a wait, it gets what it would have got alone."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
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

PACES: list[WaitBaseT | None] = [
    *(None, AimedWait(0.02), AimedWait(3.0, cap=30.0)),
    *(wait_fixed(0.2), wait_fixed(7), wait_exponential(multiplier=0.5, max=20)),
]
SLACK = 200.0  # seconds within which an end is noticed by the laziest pace, in any company


@dataclass
class Waiting:
    """A wait, and what it is to end in."""

    uid: str
    task: asyncio.Task[Action]
    deadline: float
    told: list[Action]
    joined: float
    ended: float = 0.0


class Company(RuleBasedStateMachine):
    """Waits come and go while the cluster fails and recovers and its list has gaps."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = virtual_loop()
        self.cluster = ScriptedCluster()
        self.waits: list[Waiting] = []
        self.cancelled: list[Waiting] = []
        self.failures: list[tuple[float, float]] = []

    def spend(self, seconds: float) -> None:
        """Let time go by."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @rule(
        seconds=st.floats(0, 90),
        status=st.sampled_from(["completed", "failed", "vanishes"]),
        late=st.sampled_from([0.0, 0.0, 4.0]),
        listed=st.booleans(),
        settled=st.booleans(),
    )
    def start(self, seconds: float, status: str, late: float, listed: bool, settled: bool) -> None:
        """Start an action, which may be known late, missing from the list, or vanish."""
        begins = self.loop.time() + late
        uid = f"a{len(self.cluster.work)}"
        self.cluster.add(
            uid,
            ends=begins + 1 + seconds,
            begins=begins,
            status=status,
            listed=listed,
            settled=settled,
        )

    @rule(
        data=st.data(),
        pace=st.sampled_from(PACES),
        timeout=st.sampled_from([None, 5.0, 40.0]),
        slow=st.sampled_from([None, 0.0, 6.0]),
    )
    def join(
        self, data: st.DataObject, pace: WaitBaseT | None, timeout: float | None, slow: float | None
    ) -> None:
        """Wait for an action, or for one that is not there, with a callback of some speed."""
        uid = data.draw(st.sampled_from([*self.cluster.work, "unknown"]))
        told: list[Action] = []

        async def callback(action: Action) -> None:
            told.append(action)
            await asyncio.sleep(slow or 0.0)

        limits = {} if timeout is None else {"timeout": timeout}
        task = self.loop.create_task(
            self.cluster.wait(
                uid,
                poll=pace,
                on_progress=None if slow is None else callback,
                outage_timeout=1e6,
                not_found_grace=10.0,
                **limits,
            )
        )
        deadline = self.loop.time() + (timeout if timeout is not None else 1e9)
        wait = Waiting(uid, task, deadline, told, self.loop.time())
        task.add_done_callback(lambda _: setattr(wait, "ended", self.loop.time()))
        self.waits.append(wait)
        self.spend(0)

    @precondition(lambda self: self.waits)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Cancel some of the waits."""
        for wait in data.draw(st.lists(st.sampled_from(self.waits), max_size=4)):
            if wait in self.waits and not wait.task.done():
                wait.task.cancel()
                self.waits.remove(wait)
                self.cancelled.append(wait)
        self.spend(0)

    @rule(seconds=st.floats(0, 20))
    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.spend(seconds)

    @rule(seconds=st.floats(0.1, 8), lists_only=st.booleans())
    def fail(self, seconds: float, lists_only: bool) -> None:
        """Let the cluster, or its list alone, not answer for a while."""
        self.cluster.list_error = unreachable()
        self.cluster.error = None if lists_only else unreachable()
        self.failures.append((self.loop.time(), self.loop.time() + seconds))
        self.spend(seconds)
        self.cluster.error = self.cluster.list_error = None

    @precondition(lambda self: self.cluster.work)
    @rule(data=st.data(), listed=st.booleans())
    def gap(self, data: st.DataObject, listed: bool) -> None:
        """Drop an action from the list, or put it back."""
        self.cluster.work[data.draw(st.sampled_from([*self.cluster.work]))].listed = listed

    @rule(latency=st.sampled_from([0.0, 0.05, 0.4]), cost=st.sampled_from([1.0, 5.0, 300.0]))
    def weather(self, latency: float, cost: float) -> None:
        """Make the cluster slower or quicker, its list longer or shorter."""
        self.cluster.latency, self.cluster.list_cost = latency, cost

    @invariant()
    def is_courteous(self) -> None:
        """There is one request at a time, and there are no more than three in a second."""
        began = [when for _, when, _ in self.cluster.asked]
        assert self.cluster.most_under_way <= 1
        assert all(b - a > 1 for a, b in zip(began, began[3:], strict=False))

    def teardown(self) -> None:
        """Let all waits come to their ends, and look at them."""
        self.spend(0.1)
        for _ in range(200):
            if all(wait.task.done() for wait in self.waits):
                break
            self.spend(SLACK)
        try:
            for wait in self.waits:
                assert wait.task.done(), wait
                self.check(wait)
            for wait in self.cancelled:
                assert wait.task.cancelled()
            assert asyncio.all_tasks(self.loop) == set()
        finally:
            for wait in self.waits:
                wait.task.cancel()
                with contextlib.suppress(BaseException):
                    self.loop.run_until_complete(wait.task)
            self.loop.close()

    def missed(self, wait: Waiting) -> bool:
        """Whether the cluster could have forgotten the action before it was ever asked for it."""
        work = self.cluster.work.get(wait.uid)
        lost = max([wait.joined, *(b for a, b in self.failures if a <= wait.joined + 15)]) + 15
        return work is None or (work.status == "vanishes" and work.ends < lost)

    def check(self, wait: Waiting) -> None:
        """A wait ends as its action did, or at its deadline if that was first."""
        work = self.cluster.work.get(wait.uid)
        error = wait.task.exception()
        if isinstance(error, WaitTimeout):
            assert wait.deadline - 0.01 <= wait.ended <= wait.deadline + 3.5
            failing = any(a - 1 <= wait.deadline <= b + 1 for a, b in self.failures)
            # At three requests a second not many can have a last look alone at one moment.
            crowded = sum(not work.listed for work in self.cluster.work.values()) > 4
            in_time = work is not None and work.ends <= wait.deadline - 1
            # A request that is under way at the deadline is cut short there.
            cut = any(began < wait.deadline < began + 0.5 for _, began, _ in self.cluster.asked)
            assert failing or crowded or cut or self.missed(wait) or not in_time
        elif work is None:
            assert type(error) is ActionNotFound
        elif work.status == "vanishes" and self.missed(wait):
            assert error is None or type(error) in {ActionNotFound, ActionVanished}
        elif work.status == "vanishes":
            assert error is None if work.settled else type(error) is ActionVanished
        elif work.status == "failed":
            assert type(error) is ActionFailed
        else:
            assert error is None
            assert wait.task.result().phase.terminal
        if work is not None and not isinstance(error, WaitTimeout):
            assert wait.ended >= min(work.ends, wait.deadline)
        if error is None and wait.told:
            assert wait.told[-1] == wait.task.result()


# A run of the nightly profile has hundreds of steps, which Hypothesis takes for a mistake.
Company.TestCase.settings = settings(
    suppress_health_check=[HealthCheck.large_base_example],
    max_examples=examples(100),
    stateful_step_count=examples(30),
    deadline=None,
)
TestCompany = Company.TestCase
