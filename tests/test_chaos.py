"""Chaos test: each wait ends as the records of the fake cluster say, and nothing is left over.

Hundreds of waits with every outcome run on real sockets under virtual time, against a cluster of
three nodes that restart, redirect, elect, stall, hang up, send garbage, answer 503 and forget
tokens, behind a gateway that answers 404 at times. Lists hang or are refused, and nodes redirect to
addresses that nobody can reach. Databases and the results of node actions are shown late. One wait
in eight is for the work of a call: without a handle in its answer, or with the result of an older
run before it. Beside the waits the same client makes bursts of slow calls, and now and then the
whole process stands still. All is drawn from a seed, which is printed: `--seed` repeats it,
`--waits` sets the number.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import random
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
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
    AnswerLost,
    ClusterUnreachable,
    Evidence,
    Phase,
    RequestRejected,
    WaitTimeout,
)
from redis_enterprise_actions._client.polling.limits import Limits
from redis_enterprise_actions.testing import FakeCluster
from redis_enterprise_actions.testing import Plan as WorkPlan
from tests import secrecy
from tests.scripted import now
from tests.stopped_process import stand_still


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from redis_enterprise_actions.testing import ChaosEpisode, SeenRequest

pytestmark = [pytest.mark.enable_socket, pytest.mark.system]

HORIZON: Final = 1800.0  # seconds in which faults begin
LONGEST: Final = 120.0  # seconds; longest fault
CALM: Final = 60.0  # seconds before the first fault
BUDGETS: Final = (45.0, 90.0, 200.0)  # seconds; outage budgets
# Faults that spoil an answer which the fake logs as a success.
SPOILS: Final = frozenset({
    *("truncated", "empty", "garbage", "bad_entry", "slow", "dropped", "no_route"),
})  # fmt: skip
LATENESS: Final = 4.0  # seconds by which databases and node actions are shown late
CALLED: Final = 8  # one in this many waits is for the work of a call
OURS, THEIRS = "ours", "theirs"  # error text of this run, and of the older one
NODE_ACTIONS: Final = ("maintenance_on", "maintenance_off", "enslave_node")
REFUSALS: Final = frozenset({403, 405, 406, 501})
GRACE: Final = 10.0  # seconds; not_found_grace
LAST_POLL: Final = 2.0  # seconds that a wait may last beyond its limit
TICK: Final = 1e-3  # seconds; the clocks of the cluster and the client differ by less
BURST, BURSTS = 24, 6  # slow calls at once, and how often
NOTICED: Final = 35.0  # seconds until the client knows that a list hangs or is refused
CROWD: Final = 500  # waits
STOPS: Final = 6  # times that the process stands still
LONGEST_STOP: Final = 20.0  # seconds


@dataclass(kw_only=True)
class Plan:
    """One wait: the work, the options of the wait, and the expected end."""

    fate: str
    name: str = "SMUpdateBDB"
    outcome: str | None = None
    duration: float = 300.0
    begins: float = 0.0
    options: dict[str, float | None] = field(default_factory=dict)
    gives_up_at: float | None = None  # its task is cancelled after this many seconds
    forgotten_at: float | None = None
    call: str = ""  # starts the work: a path below the database, or a path
    old: bool = False  # an older run has a result
    bdb_uid: int = 0
    uid: str = "never-heard-of"
    seen: list[Action] = field(default_factory=list)
    moved: float = 0.0  # time of the last callback
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


@dataclass(kw_only=True)
class SlowCall:
    """An upgrade whose answer is late, on a database of its own."""

    begins: float
    delay: float
    bdb_uid: int
    result: object = None
    ended: float = 0.0


@dataclass(kw_only=True)
class Troubles:
    """All that may delay the end of a wait, in the loop's time.

    In a crowd, waits that are asked for one by one get no turn before their limit is over.
    """

    crowded: bool
    episodes: list[ChaosEpisode]
    stops: list[tuple[float, float]]  # beginning and end of each time that the process stood still

    @property
    def spoiled(self) -> list[ChaosEpisode]:
        """Episodes whose answers look like successes to the cluster."""
        return [each for each in self.episodes if each.kind in SPOILS]

    def latest(self, limit: float) -> float:
        """Return the latest end of a wait with a limit at this time."""
        for begins, ends in self.stops:
            if begins <= limit + LAST_POLL and ends >= limit:
                limit = ends
        return limit + LAST_POLL + TICK

    def calm(self, begins: float, ends: float) -> bool:
        """Return True if nothing can have delayed a request for one action in this time."""
        if self.crowded and any(e.kind == "refused_list" for e in self.episodes if e.begins < ends):
            return False
        times = [(each.begins, disturbs_until(each)) for each in self.episodes] + self.stops
        return not any(a <= ends and begins <= b for a, b in times)


def disturbs_until(episode: ChaosEpisode) -> float:
    """Return the end of the time in which an episode delays requests for one action.

    When the client knows that a list is of no use, it asks for each action alone; a node that
    redirects to an address of no use is left for the next one at once.
    """
    noticed = {"hanging_list": NOTICED, "refused_list": NOTICED, "inner_redirect": LAST_POLL}
    return min(episode.ends, episode.begins + noticed.get(episode.kind, LONGEST))


def draw(seed: int, count: int) -> list[Plan]:
    """Return this many waits, the same for the same seed."""
    rng = random.Random(seed)
    calls = random.Random(seed + 1)
    plans = [draw_one(rng) for _ in range(count)]
    for number in range(0, count, CALLED):
        plans[number] = draw_call(calls, number)
    return plans


def draw_call(rng: random.Random, number: int) -> Plan:
    """Return a wait for the work of a call: on a database of its own, or on a node."""
    calls = ["upgrade", "flush", "actions/export", "actions/import", ""]
    call = rng.choice(calls) if number >= 3 * CALLED * len(NODE_ACTIONS) else "node"
    if call == "node":  # each of them once, as a node runs one action of a name at a time
        node, action = divmod(number // CALLED, len(NODE_ACTIONS))
        call = f"/v1/nodes/{node + 1}/actions/{NODE_ACTIONS[action]}"
    return Plan(
        fate="called",
        outcome=rng.choice(["completed", "failed"]),
        duration=min(rng.lognormvariate(4, 1.0), HORIZON),
        # The cluster shows the older run before the call; nobody could tell them apart otherwise.
        begins=LATENESS + rng.random() * HORIZON,
        call=call,
        old=rng.random() < 0.5,
        bdb_uid=100_000 + number,
    )


def draw_one(rng: random.Random) -> Plan:
    """Return one wait."""
    duration = min(rng.lognormvariate(5.7, 0.8), HORIZON)
    begins = rng.random() * HORIZON if rng.random() < 0.5 else 0.0
    any_name = rng.choice(["SMCreateBDB", "SMUpdateBDB", "retry_bdb", "maintenance_on", "export"])
    task = rng.choice(["retry_bdb", "remove_node"])
    budget = {"outage_timeout": rng.choice([*BUDGETS, *[None] * 6])}
    plans: list[Callable[[], Plan]] = [
        *[lambda: Plan(fate="completed", name=any_name)] * 8,
        lambda: Plan(fate="failed", name=any_name, outcome="failed"),
        lambda: Plan(fate="cancelled", name=task, outcome="cancelled"),
        lambda: Plan(fate="aborted", name=task, outcome="aborted"),
        lambda: Plan(fate="deleted", name="SMDeleteBDB"),
        lambda: Plan(fate="times out", outcome="never", options={"timeout": duration}),
        lambda: Plan(fate="stalls", outcome="never", options={"stall_timeout": 400.0}),
        lambda: Plan(fate="stuck", outcome="stuck", options={"stall_timeout": 400.0}),
        *[lambda: Plan(fate="close", options={"timeout": duration + rng.uniform(-10, 10)})] * 4,
        lambda: Plan(fate="unknown"),
        lambda: Plan(fate="forgotten", outcome="never", forgotten_at=CALM + duration),
        lambda: Plan(fate="given up", name=any_name, gives_up_at=duration * rng.random()),
    ]
    plan = rng.choice(plans)()
    plan.options |= budget
    plan.duration = duration
    # Actions that vanish begin before the first fault, so that each was seen.
    plan.begins = 0.0 if plan.fate in {"deleted", "forgotten"} else begins
    if plan.fate == "deleted":
        plan.duration += CALM
    return plan


def draw_slow_calls(seed: int) -> list[SlowCall]:
    """Return bursts of slow calls, the same for the same seed."""
    rng = random.Random(seed + 2)
    moments = [CALM + rng.random() * HORIZON for _ in range(BURSTS)]
    return [
        SlowCall(begins=begins, delay=rng.uniform(5, 20), bdb_uid=200_000 + number)
        for number, begins in enumerate(sorted(moments * BURST))
    ]


async def call_slowly(client: ActionsClient, cluster: FakeCluster, call: SlowCall) -> None:
    """Start an upgrade whose answer is late, and wait for its end."""
    cluster.add_bdb(call.bdb_uid)
    path = f"/v1/bdbs/{call.bdb_uid}/upgrade"
    cluster.inject(method="POST", path=path, times=None, delay=call.delay)
    cluster.plan("POST", path, WorkPlan(duration=30))
    await asyncio.sleep(call.begins)
    try:
        operation = await client.databases.upgrade(call.bdb_uid, outage_timeout=None)
        call.result = await operation.wait(outage_timeout=None, timeout=3 * HORIZON)
    except Exception as error:  # noqa: BLE001 - checked below
        call.result = error.with_traceback(None)
    call.ended = now()


def verdict_on_slow_call(call: SlowCall, cluster: FakeCluster, troubles: Troubles) -> str | None:
    """Return the fault in the end of a slow call, or None.

    Its answer may be lost if the connection was, and then only if it was sent.
    """
    path = f"/v1/bdbs/{call.bdb_uid}/upgrade"
    sent = [each.time for each in cluster.requests if each.path == path and each.method == "POST"]
    ends = [each.ends_at for each in cluster.actions.values() if each.bdb_uid == call.bdb_uid]
    if isinstance(call.result, Action):
        return None if ends and max(ends) <= call.ended else "completed before its end"
    if isinstance(call.result, AnswerLost):
        if not sent:
            return "lost, and never sent"
        ended = max(sent) + call.delay
        return "lost in calm" if troubles.calm(min(sent) - 30, ended + 30) else None
    return "another error"


async def stop_at_times(seed: int, stops: list[tuple[float, float]]) -> None:
    """Let the process stand still a few times; note when."""
    rng = random.Random(seed + 3)
    for begins in sorted(CALM + rng.random() * HORIZON for _ in range(STOPS)):
        await asyncio.sleep(begins - now())
        stopped = now()
        stand_still(rng.uniform(3, LONGEST_STOP))
        stops.append((stopped, now()))


async def follow_call(client: ActionsClient, cluster: FakeCluster, plan: Plan) -> None:
    """Start work by a call whose answer has no handle, and wait for it."""
    transfer = plan.call.removeprefix("actions/")
    path = f"/v1/bdbs/{plan.bdb_uid}/{plan.call}".rstrip("/")
    method = "PUT" if plan.call in {"", "flush"} else "POST"
    cluster.add_bdb(plan.bdb_uid)
    if plan.call.startswith("/"):
        path = plan.call
    elif plan.old and plan.call.startswith("actions/"):
        cluster.start_transfer(plan.bdb_uid, transfer, WorkPlan(duration=0, error=THEIRS))  # type: ignore[arg-type]
    if plan.old and plan.call.startswith("/"):
        _, _, _, node, _, action = plan.call.split("/")
        cluster.start_node_action(
            int(node), action, WorkPlan(duration=0, outcome="failed", error=THEIRS)
        )  # type: ignore[arg-type]
    await asyncio.sleep(plan.begins)
    cluster.plan(method, path, WorkPlan(duration=plan.duration, outcome=plan.outcome, error=OURS))  # type: ignore[arg-type]
    cluster.inject(method=method, path=path, times=None, no_handle=True)
    plan.began = now()
    place = {"type": "url", "url": "ftp://backup.example.com/x.rdb"}
    bodies: dict[str, dict[str, object]] = {
        "actions/export": {"export_location": place},
        "actions/import": {"dataset_import_sources": [place]},
        "": {"memory_size": 5_000_000},
    }
    try:
        try:
            operation = await client.submit(
                method, path, bodies.get(plan.call), outage_timeout=None
            )
        except AnswerLost as lost:
            operation = client.operation(lost.ref or "")
        plan.result = await operation.wait(outage_timeout=None, timeout=3 * HORIZON)
    except Exception as error:  # noqa: BLE001 - checked below
        plan.result = error.with_traceback(None)
    plan.ended = now()


def runs_of(plan: Plan, cluster: FakeCluster) -> list[tuple[float, str]]:
    """Return the true end and outcome of the work that a call has started."""
    database = cluster.bdbs[plan.bdb_uid]
    if plan.call.startswith("actions/"):
        runs = database.transfers[plan.call.removeprefix("actions/")]._runs  # type: ignore[index]
    elif plan.call.startswith("/"):
        _, _, _, node, _, action = plan.call.split("/")
        started = cluster._node_actions._runs
        runs = [
            each.work for each in started if (str(each.node_uid), each.action) == (node, action)
        ]
    else:
        runs = [each for each in cluster.actions.values() if each.bdb_uid == plan.bdb_uid]
    return [(run.ends_at, run.outcome) for run in runs if run.error != THEIRS]


def note(plan: Plan, action: Action) -> None:
    """Keep what a wait reports, and when it did so last."""
    plan.seen.append(action)
    plan.moved = now()


async def follow(client: ActionsClient, cluster: FakeCluster, plan: Plan, number: int) -> None:
    """Start one action and wait for it, as planned."""
    if plan.fate == "called":
        await follow_call(client, cluster, plan)
        return
    await asyncio.sleep(plan.begins)
    if plan.fate != "unknown":
        plan.uid = cluster.add_action(
            plan.name,
            WorkPlan(
                duration=plan.duration,
                outcome=plan.outcome,
                progress="steps" if number % 3 else "linear",
            ),
            bdb_uid=None if plan.name in {"retry_bdb", "remove_node"} else number + 1,
        )
    plan.began = now()
    if plan.forgotten_at is not None:
        asyncio.get_running_loop().call_later(plan.forgotten_at, cluster.forget, plan.uid)
    try:
        async with asyncio.timeout(plan.gives_up_at):
            plan.result = await client.wait_for_action(
                plan.uid,
                on_progress=partial(note, plan),
                **plan.options,  # type: ignore[arg-type]
            )
    except Exception as error:  # noqa: BLE001 - checked below
        plan.result = error.with_traceback(None)
    plan.ended = now()


def verdict(  # noqa: C901, PLR0911 - one for each way to be wrong
    plan: Plan, cluster: FakeCluster, troubles: Troubles, good: list[float]
) -> str | None:
    """Return the fault in the end of a wait, or None."""
    result = plan.result
    if plan.fate == "given up" and isinstance(result, TimeoutError):
        return None
    if is_early(plan, cluster):
        return "too soon"
    if is_late(plan, cluster, troubles, good):
        return "too late"
    if isinstance(result, ClusterUnreachable) and plan.options["outage_timeout"] is not None:
        spoiled = troubles.spoiled
        return None if was_out(plan, cluster, spoiled) else "unreachable, while it was answered"
    if plan.fate == "close" and isinstance(result, WaitTimeout):
        ends = cluster.actions[plan.uid].ends_at
        seen = ends + 1 < plan.ended - LAST_POLL and troubles.calm(ends, plan.ended)
        return "not asked at its deadline" if seen else None
    if plan.fate in {"completed", "given up", "deleted", "stuck", "close"}:
        if not isinstance(result, Action) or result.phase is not Phase.COMPLETED:
            return "not completed"
        words = {"deleted": GONE, "stuck": {Evidence.DATABASE}}
        if result.evidence not in words.get(plan.fate, {Evidence.ACTION}):
            return "on the wrong word"
        if plan.fate != "stuck" and plan.ended < cluster.actions[plan.uid].ends_at:
            return "completed before its end"
    elif type(result) is not ENDS[plan.fate]:
        return "another end"
    terminal = [action.phase.terminal for action in plan.seen]
    if any(terminal[:-1]) or (isinstance(result, Action) and terminal[-1:] != [True]):
        return "callbacks out of order"
    return None


def verdict_on_call(plan: Plan, cluster: FakeCluster) -> str | None:
    """Return the fault in the reported end of the work of a call, or None.

    A call whose answer is lost need not have been taken, and then a database that has settled is
    no claim that it was. What cannot be known is no fault; `definite` counts how often it can.
    """
    result, runs = plan.result, runs_of(plan, cluster)
    if THEIRS in str(result):
        return "another run's end"
    ended = [outcome for ends, outcome in runs if ends <= plan.ended]
    if isinstance(result, Action):
        if len(ended) < len(runs) or "failed" in ended:
            return "said to be completed"
        return None if runs or result.uid.startswith("bdb:") else "never begun, and completed"
    if isinstance(result, ActionFailed):
        return None if "failed" in ended else "said to have failed"
    if isinstance(result, RequestRejected):
        return "refused" if result.status in {307, *REFUSALS} else None
    return None if isinstance(result, (ActionNotFound, ActionVanished)) else "another error"


def definite(plans: Iterable[Plan]) -> float:
    """Return the share of calls whose end was known."""
    results = [plan.result for plan in plans if plan.fate == "called"]
    return sum(isinstance(each, (Action, ActionFailed)) for each in results) / len(results)


GONE: Final = {Evidence.LIST, Evidence.NOT_FOUND}


def is_early(plan: Plan, cluster: FakeCluster) -> bool:
    """Return True if a wait ended before it may."""
    result, elapsed = plan.result, plan.ended - plan.began + TICK
    if isinstance(result, WaitTimeout):
        return elapsed < (plan.options["timeout"] or 0.0)
    if isinstance(result, ActionStalled):
        return elapsed < (plan.options["stall_timeout"] or 0.0)
    if isinstance(result, ActionVanished):
        return elapsed < (plan.forgotten_at or 0.0)
    if isinstance(result, ActionNotFound):
        return elapsed < GRACE
    if isinstance(result, (ActionFailed, ActionCancelled, ActionAborted)):
        return plan.uid in cluster.actions and plan.ended < cluster.actions[plan.uid].ends_at
    return False


def is_late(plan: Plan, cluster: FakeCluster, troubles: Troubles, good: list[float]) -> bool:
    """Return True if a wait outlived one of its limits. `good` is for `longest_silence`.

    The cluster alone knows when an action moved, or was first said to be unknown, and during
    troubles that need not have reached the client.
    """
    result, budget = plan.result, plan.options["outage_timeout"]
    timeout = plan.options.get("timeout")
    if timeout is not None and plan.ended > troubles.latest(plan.began + timeout):
        return True
    if isinstance(result, ClusterUnreachable) and budget is not None:
        return outlived(plan, result, cluster, troubles, budget)
    if isinstance(result, ActionNotFound) and troubles.calm(plan.began, plan.ended):
        sent = [seen.time for seen in cluster.requests if plan.uid in seen.path]
        asked = sent[bisect_left(sent, plan.began)]
        return plan.ended > troubles.latest(asked + GRACE)
    if isinstance(result, ActionStalled) and troubles.calm(plan.moved - 30, plan.ended):
        return plan.ended > troubles.latest(plan.moved + (plan.options["stall_timeout"] or 0.0))
    return budget is not None and longest_silence(plan, good) > budget + 60


def outlived(
    plan: Plan,
    result: ClusterUnreachable,
    cluster: FakeCluster,
    troubles: Troubles,
    budget: float,
) -> bool:
    """Return True if a wait went on after its outage budget.

    An outage may have outlived the budget before the wait began; then its first request decides,
    and nothing is known of how long that may take. The record shows outages that overlap, of the
    action and of the cluster, as one; then the second began with a request for the action alone.
    """
    assert result.record is not None
    began = [plan.began + each.began for each in result.record.outages if each.ended is None]
    sent = [seen.time for seen in cluster.requests if plan.uid in seen.path]
    began += [time for time in sent if time + budget <= plan.ended + TICK]
    limit = max(began) + budget
    return limit > plan.began and plan.ended > troubles.latest(limit)


def longest_silence(plan: Plan, good: list[float]) -> float:
    """Return the longest time in a wait without any answer that could have been good.

    `good` has the times of all of them.
    """
    heard = good[bisect_left(good, plan.began) : bisect_right(good, plan.ended)]
    return max(b - a for a, b in pairwise([plan.began, *heard, plan.ended]))


def was_out(plan: Plan, cluster: FakeCluster, spoiled: list[ChaosEpisode]) -> bool:
    """Return True if the wait got no good answer for as long as its budget."""
    listed = "/v2/actions" if plan.name == "export" else "/v1/actions"
    # The end of a delete is shown by answers about its database only, not by a list.
    deleted = cluster.actions[plan.uid] if plan.fate == "deleted" else None

    def shows_end(seen: SeenRequest) -> bool:
        if deleted is None or seen.time < deleted.ends_at:
            return seen.status == 200 and (plan.uid in seen.path or seen.path == listed)
        return seen.status in {200, 404} and seen.path == f"/v1/bdbs/{deleted.bdb_uid}"

    def good(seen: SeenRequest) -> bool:
        return shows_end(seen) and not any(each.begins <= seen.time < each.ends for each in spoiled)

    since = plan.ended - (plan.options["outage_timeout"] or 0) + 1
    return not any(good(seen) for seen in cluster.requests if since < seen.time < plan.ended - 1)


def alive() -> Counter[str]:
    """Return the number of live objects of each class that a wait consists of."""
    gc.collect()
    kinds = [type(each) for each in gc.get_objects() if type(each) is not Limits]  # it is cached
    return Counter(kind.__qualname__ for kind in kinds if kind.__module__.startswith(PARTS))


# Modules of the objects that a wait consists of.
PARTS: Final = tuple(
    f"redis_enterprise_actions._client.{package}" for package in ("operation", "pacing", "polling")
)


def is_ours(task: asyncio.Task[object]) -> bool:
    """Return True if the client has started a task."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "/redis_enterprise_actions/_client/" in code.co_filename


def sockets() -> int:
    """Return the number of open files and sockets, if the system shows it."""
    return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0  # noqa: PTH208, PTH110


def seeds(config: pytest.Config) -> Iterable[int]:
    """Return the given seed, or the default ones."""
    seed = config.getoption("--seed")
    several = [1, 2] if config.getoption("--full") else [1]
    return several if seed is None else [seed]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the chaos with every seed."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", seeds(metafunc.config))


def requests_of_calls(plans: list[Plan]) -> int:
    """Return the requests that calls may take, with the looks before and after them."""
    return 20 * sum(plan.fate == "called" for plan in plans)


async def test_chaos(seed: int, request: pytest.FixtureRequest) -> None:
    """Every wait ends with the truth or with an outage, and nothing is left."""
    count = request.config.getoption("--waits")
    print(f"\nchaos with --seed {seed} --waits {count}")
    began, cpu = time.perf_counter(), time.process_time()
    plans, slow_calls = draw(seed, count), draw_slow_calls(seed)
    stops: list[tuple[float, float]] = []
    before, open_before = alive(), sockets()

    async with FakeCluster(nodes=3, token_ttl=300, lateness=LATENESS) as cluster:
        async with ActionsClient(
            cluster.urls, username=cluster.username, password=cluster.password, auth="jwt"
        ) as client:
            waits = [
                asyncio.create_task(follow(client, cluster, plan, number))
                for number, plan in enumerate(plans)
            ]
            calls = [asyncio.create_task(call_slowly(client, cluster, each)) for each in slow_calls]
            stopping = asyncio.create_task(stop_at_times(seed, stops))
            await asyncio.sleep(CALM)
            episodes = cluster.chaos(seed, horizon=HORIZON, episodes=40, longest=LONGEST)
            since = now()
            await asyncio.gather(*waits, *calls, stopping)
            lasted = now()
        for _ in range(10):
            await asyncio.sleep(0)
        left = [task for task in asyncio.all_tasks() if is_ours(task)]

    troubles = Troubles(
        crowded=count > CROWD, episodes=[shifted(each, since) for each in episodes], stops=stops
    )
    good = [seen.time for seen in cluster.requests if seen.status in {200, 404}]
    wrong: list[tuple[str, str, object, object]] = [
        (why, plan.fate, plan.result, plan)
        for plan in plans
        if (
            why := verdict_on_call(plan, cluster)
            if plan.fate == "called"
            else verdict(plan, cluster, troubles, good)
        )
    ]
    wrong += [
        (why, "slow call", call.result, call)
        for call in slow_calls
        if (why := verdict_on_slow_call(call, cluster, troubles))
    ]
    ends = Counter(type(plan.result).__name__ for plan in plans)
    print(f"{lasted / 3600:.2f} hours in {time.perf_counter() - began:.1f} s, ", end="")
    print(f"{time.process_time() - cpu:.1f} s of CPU; {len(cluster.requests)} requests")
    print(f"troubles: {Counter(episode.kind for episode in episodes)}")
    print(f"stood still: {[(round(begins), round(ends)) for begins, ends in stops]}")
    print(f"slow calls: {Counter(type(call.result).__name__ for call in slow_calls)}")
    print(f"ends: {ends}; of calls {definite(plans):.0%} known")
    print(f"wrong: {Counter((why, fate) for why, fate, *_ in wrong)}")
    for why, fate, result, plan in wrong[:20]:
        print(f"- {why}: {fate}: {result!r}: {plan}")
    assert wrong == []
    assert left == []
    fates = {*ENDS, "completed", "deleted", "stuck", "called", "close"}
    assert {plan.fate for plan in plans} >= fates
    assert definite(plans) > 0.6
    assert len(cluster.requests) < 3.2 * lasted + requests_of_calls(plans)
    statuses = Counter(seen.status for seen in cluster.requests)
    revoked = sum(episode.kind == "revoke" for episode in episodes)
    assert statuses.keys() <= {200, 307, 401, 404, 429, 503, None, *REFUSALS}
    # All that is under way when tokens are revoked is refused, and slow calls always are. A token
    # may also expire while the process stands still.
    slow = tuple(f"/v1/bdbs/{call.bdb_uid}" for call in slow_calls)
    refused = [seen for seen in cluster.requests if seen.status == 401]
    assert len([seen for seen in refused if not seen.path.startswith(slow)]) <= 8 * revoked + STOPS
    del waits, calls, client
    plans.clear()
    slow_calls.clear()
    assert secrecy.leaks_so_far(request.node) == []  # also releases the errors
    assert alive() - before == Counter()
    assert sockets() <= open_before + 3


def shifted(episode: ChaosEpisode, since: float) -> ChaosEpisode:
    """Return a fault with times on the clock of the loop."""
    return dataclasses.replace(episode, begins=episode.begins + since, ends=episode.ends + since)
