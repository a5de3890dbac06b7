"""Facts about waits in chaos: each ends with what the cluster's own truth says, and nothing stays.

Hundreds of waits with every outcome, on real sockets under virtual time, against a cluster of
three nodes that restart, redirect, elect, stall, hang up, lie, answer 503 and forget its tokens.
All of it is drawn from a seed, which is printed: `--seed` runs it again, `--waits` makes it larger.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest

from redis_enterprise_actions import (
    Action,
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    ActionStalled,
    ActionVanished,
    ClusterUnreachable,
    Evidence,
    Phase,
    WaitTimeout,
)
from redis_enterprise_actions._company import Party
from redis_enterprise_actions._pace import TICK, Course
from redis_enterprise_actions._wait import Wait
from redis_enterprise_actions.testing import FakeCluster
from tests import secrecy
from tests.scripted import now


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from redis_enterprise_actions.testing import SeenRequest, Trouble

pytestmark = pytest.mark.enable_socket

HORIZON: Final = 1800.0  # seconds in which trouble begins
LONGEST: Final = 120.0  # seconds that an episode lasts at most
CALM: Final = 60.0  # seconds before the first trouble
BUDGETS: Final = (45.0, 90.0, 200.0)  # seconds of outage that those who have a budget bear
# What spoils an answer that the fake logs as a success.
SPOILS: Final = frozenset({"truncated", "empty", "garbage", "bad_entry", "slow", "dropped"})


@dataclass(kw_only=True)
class Plan:
    """One wait: what the cluster is told to do, how it is waited for, and how that must end."""

    fate: str
    name: str = "SMUpdateBDB"
    outcome: str | None = None
    duration: float = 300.0
    begins: float = 0.0
    options: dict[str, float | None] = field(default_factory=dict)
    gives_up_at: float | None = None  # its task is cancelled then
    forgotten_at: float | None = None
    uid: str = "never-heard-of"
    seen: list[Action] = field(default_factory=list)
    result: object = None
    began: float = 0.0
    ended: float = 0.0


ENDS: Final[dict[str, type[Exception]]] = {
    "failed": ActionFailed,
    "cancelled": ActionCancelled,
    "aborted": ActionAborted,
    "times out": WaitTimeout,
    "stalls": ActionStalled,
    "unknown": ActionNotFound,
    "forgotten": ActionVanished,
}


def draw(seed: int, count: int) -> list[Plan]:
    """Return so many waits, the same for the same seed."""
    lots = random.Random(seed)
    return [draw_one(lots) for _ in range(count)]


def draw_one(lots: random.Random) -> Plan:
    """Return one wait."""
    duration = min(lots.lognormvariate(5.7, 0.8), HORIZON)
    begins = lots.random() * HORIZON if lots.random() < 0.5 else 0.0
    any_name = lots.choice(["SMCreateBDB", "SMUpdateBDB", "retry_bdb", "maintenance_on", "export"])
    task = lots.choice(["retry_bdb", "remove_node"])
    budget = {"outage_timeout": lots.choice([*BUDGETS, *[None] * 6])}
    plans: list[Callable[[], Plan]] = [
        *[lambda: Plan(fate="completed", name=any_name)] * 8,
        lambda: Plan(fate="failed", name=any_name, outcome="failed"),
        lambda: Plan(fate="cancelled", name=task, outcome="cancelled"),
        lambda: Plan(fate="aborted", name=task, outcome="aborted"),
        lambda: Plan(fate="deleted", name="SMDeleteBDB"),
        lambda: Plan(fate="times out", outcome="never", options={"timeout": duration}),
        lambda: Plan(fate="stalls", outcome="never", options={"stall_timeout": 400.0}),
        lambda: Plan(fate="stuck", outcome="stuck", options={"stall_timeout": 400.0}),
        lambda: Plan(fate="unknown"),
        lambda: Plan(fate="forgotten", outcome="never", forgotten_at=CALM + duration),
        lambda: Plan(fate="given up", name=any_name, gives_up_at=duration * lots.random()),
    ]
    plan = lots.choice(plans)()
    plan.options |= budget
    plan.duration = duration
    # What can be gone before it is seen is begun in the calm, so that it was seen.
    plan.begins = 0.0 if plan.fate in {"deleted", "forgotten"} else begins
    if plan.fate == "deleted":
        plan.duration += CALM
    return plan


async def follow(client: ActionsClient, cluster: FakeCluster, plan: Plan, number: int) -> None:
    """Begin one action and wait for it, as planned."""
    await asyncio.sleep(plan.begins)
    if plan.fate != "unknown":
        plan.uid = cluster.add_action(
            plan.name,
            duration=plan.duration,
            outcome=plan.outcome,  # type: ignore[arg-type]
            bdb_uid=None if plan.name in {"retry_bdb", "remove_node"} else number + 1,
            progress="steps" if number % 3 else "linear",
        )
    plan.began = now()
    if plan.forgotten_at is not None:
        asyncio.get_running_loop().call_later(plan.forgotten_at, cluster.forget, plan.uid)
    try:
        async with asyncio.timeout(plan.gives_up_at):
            plan.result = await client.wait_for_action(
                plan.uid,
                on_progress=plan.seen.append,
                **plan.options,  # type: ignore[arg-type]
            )
    except Exception as error:  # noqa: BLE001 - looked at below
        plan.result = error.with_traceback(None)
    plan.ended = now()


def verdict(  # noqa: PLR0911 - one for each way to be wrong
    plan: Plan, cluster: FakeCluster, spoiled: list[Trouble]
) -> str | None:
    """Return what is wrong with how a wait ended, or None."""
    result = plan.result
    if plan.fate == "given up" and isinstance(result, TimeoutError):
        return None
    if not in_time(plan, cluster):
        return "too soon, or too late"
    if isinstance(result, ClusterUnreachable) and plan.options["outage_timeout"] is not None:
        return None if was_out(plan, cluster, spoiled) else "unreachable, while it was answered"
    if plan.fate in {"completed", "given up", "deleted", "stuck"}:
        if not isinstance(result, Action) or result.phase is not Phase.COMPLETED:
            return "not completed"
        by_database = plan.fate in {"deleted", "stuck"}
        if (result.evidence is Evidence.DATABASE) is not by_database:
            return "on the wrong word"
        if plan.fate != "stuck" and plan.ended < cluster.actions[plan.uid].ends_at:
            return "completed before its end"
    elif type(result) is not ENDS[plan.fate]:
        return "another end"
    terminal = [action.phase.terminal for action in plan.seen]
    if any(terminal[:-1]) or (isinstance(result, Action) and terminal[-1:] != [True]):
        return "callbacks out of order"
    return None


def in_time(plan: Plan, cluster: FakeCluster) -> bool:
    """Whether a wait ended when it was to end, as far as that is known."""
    result, elapsed = plan.result, plan.ended - plan.began + TICK
    if isinstance(result, WaitTimeout):
        limit = plan.options["timeout"]
        assert limit is not None
        # A last look by the list, and at each of three nodes, at three a second for all of them.
        return limit <= elapsed <= limit + 30
    if isinstance(result, ActionStalled):
        return elapsed >= 400
    if isinstance(result, ActionVanished):
        assert plan.forgotten_at is not None
        return elapsed >= plan.forgotten_at
    if isinstance(result, ActionNotFound):
        return elapsed >= 10
    ends = cluster.actions[plan.uid].ends_at if plan.uid in cluster.actions else 0.0
    if isinstance(result, (ActionFailed, ActionCancelled, ActionAborted)) and plan.ended < ends:
        return False
    budget = plan.options["outage_timeout"]
    return budget is None or longest_silence(plan, cluster) < budget + 60


def longest_silence(plan: Plan, cluster: FakeCluster) -> float:
    """Return the longest time in a wait without any answer that could have been good."""
    good = [
        seen.time
        for seen in cluster.requests
        if plan.began <= seen.time <= plan.ended and seen.status in {200, 404}
    ]
    times = [plan.began, *good, plan.ended]
    return max(b - a for a, b in pairwise(times))


def was_out(plan: Plan, cluster: FakeCluster, spoiled: list[Trouble]) -> bool:
    """Whether the wait got no good answer for as long as it bears."""
    listed = "/v2/actions" if plan.name == "export" else "/v1/actions"
    # Once a delete has ended only the database tells so: no list does, but each answer about it.
    deleted = cluster.actions[plan.uid] if plan.fate == "deleted" else None

    def tells(seen: SeenRequest) -> bool:
        if deleted is None or seen.time < deleted.ends_at:
            return seen.status == 200 and (plan.uid in seen.path or seen.path == listed)
        return seen.status in {200, 404} and seen.path == f"/v1/bdbs/{deleted.bdb_uid}"

    def good(seen: SeenRequest) -> bool:
        return tells(seen) and not any(each.begins <= seen.time < each.ends for each in spoiled)

    since = plan.ended - (plan.options["outage_timeout"] or 0) + 1
    return not any(good(seen) for seen in cluster.requests if since < seen.time < plan.ended - 1)


def alive() -> Counter[str]:
    """Return how many of the objects there are that a wait consists of."""
    gc.collect()
    return Counter(type(each).__name__ for each in gc.get_objects() if type(each) in OURS)


OURS: Final = {Wait, Party, Course}


def sockets() -> int:
    """Return how many files and sockets are open, where that can be seen."""
    return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0  # noqa: PTH208, PTH110


def seeds(config: pytest.Config) -> Iterable[int]:
    """Return the seeds to run: the one that was given, or some that never change."""
    given = config.getoption("--seed")
    several = [1, 2] if config.getoption("--full") else [1]
    return several if given is None else [given]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the chaos with every seed."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", seeds(metafunc.config))


async def test_chaos(seed: int, request: pytest.FixtureRequest) -> None:
    """Every wait ends as the truth says, or with the outage that it had; nothing is left."""
    count = request.config.getoption("--waits")
    print(f"\nchaos with --seed {seed} --waits {count}")
    began, cpu = time.perf_counter(), time.process_time()
    plans = draw(seed, count)
    before, open_before = alive(), sockets()

    async with FakeCluster(nodes=3, token_ttl=300) as cluster:
        async with ActionsClient(
            cluster.urls, username=cluster.username, password=cluster.password, auth="jwt"
        ) as client:
            waits = [
                asyncio.create_task(follow(client, cluster, plan, number))
                for number, plan in enumerate(plans)
            ]
            await asyncio.sleep(CALM)
            troubles = cluster.trouble(seed, horizon=HORIZON, episodes=40, longest=LONGEST)
            since = now()
            await asyncio.gather(*waits)
            lasted = now()
        for _ in range(10):
            await asyncio.sleep(0)
        left = {task.get_name() for task in asyncio.all_tasks()} & {"poll loop"}

    spoiled = [shifted(trouble, since) for trouble in troubles if trouble.kind in SPOILS]
    wrong = [
        (why, plan.fate, plan.result, plan.options)
        for plan in plans
        if (why := verdict(plan, cluster, spoiled))
    ]
    ends = Counter(type(plan.result).__name__ for plan in plans)
    print(f"{lasted / 3600:.2f} hours in {time.perf_counter() - began:.1f} s, ", end="")
    print(f"{time.process_time() - cpu:.1f} s of CPU; {len(cluster.requests)} requests")
    print(f"troubles: {Counter(trouble.kind for trouble in troubles)}")
    print(f"ends: {ends}")
    print(f"wrong: {Counter((why, fate) for why, fate, *_ in wrong)}")
    assert wrong == []
    assert left == set()
    assert {plan.fate for plan in plans} >= {*ENDS, "completed", "deleted", "stuck"}
    assert len(cluster.requests) < 3.2 * lasted
    statuses = Counter(seen.status for seen in cluster.requests)
    revoked = sum(trouble.kind == "revoke" for trouble in troubles)
    assert statuses.keys() <= {200, 307, 401, 404, 429, 503, None}
    assert statuses[401] <= 3 * revoked
    del waits, client
    plans.clear()
    assert secrecy.leaks_so_far(request.node) == []  # lets the errors go, and their frames
    assert alive() - before == Counter()
    assert sockets() <= open_before + 3


def shifted(trouble: Trouble, since: float) -> Trouble:
    """Return a trouble in the loop's time."""
    return dataclasses.replace(trouble, begins=trouble.begins + since, ends=trouble.ends + since)
