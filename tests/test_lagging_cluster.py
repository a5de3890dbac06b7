"""Tests of whole operations: no wait ends before the work does, whatever the cluster answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    AnswerLost,
    FinishedAction,
    NothingToFollow,
    RedisActionsError,
)
from redis_enterprise_actions._client.http.transport import Transport
from tests.conftest import examples, virtual_loop
from tests.lagging_cluster import (
    CALLS,
    HANDLES,
    KINDS,
    OTHER_ERROR,
    OWN_ERROR,
    LaggingCluster,
    Scenario,
)


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from yarl import URL

    from redis_enterprise_actions._client.http.messages import Reply, Request

pytestmark = pytest.mark.core

MAX_LAG: Final = 8.0  # seconds
MAX_LAG_UNCHANGED: Final = 0.8  # if the cluster answers a change with the settled database
CHANGES: Final = {"change", "database", "delete"}
END: Final = 600.0  # seconds after which the waits time out


@st.composite
def scenarios(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(CALLS)) -> Scenario:
    """Draw a scenario."""
    kind = draw(st.sampled_from(kinds))
    call = draw(st.sampled_from(CALLS[kind]))
    handle = draw(st.sampled_from(HANDLES))
    database_in_answer = draw(st.booleans())
    reply_kind = draw(
        st.sampled_from(["answered", "answered", "accepted", "lost", "dropped"])
        | st.sampled_from(["503", "503 not executed"])
    )
    # The answer may be that to the second call, after a 503.
    is_answered = reply_kind in {"answered", "503 not executed"}
    answers_settled = kind == "change" and database_in_answer and is_answered
    max_lag = MAX_LAG_UNCHANGED if answers_settled else MAX_LAG
    # The client sends a call again after a 503, unless the cluster shows the new work.
    lag = draw(st.floats(0, 0.0 if reply_kind == "503" else max_lag))
    shortest = 1.0 if reply_kind == "503" else 0.0
    old = {
        "transfer": ["", "succeeded", "failed"],
        "node": ["", "completed", "failed"],
        "cancel": ["", "forgotten"],
    }
    return Scenario(
        call=call,
        lag=lag,
        duration=max(shortest, draw(st.sampled_from([0.0, 0.3, 1.0, 5.0]) | st.floats(0, 60))),
        succeeds=draw(st.booleans()),
        visible_in=draw(st.sampled_from(["status", "action_uid", "pending", "active"])),
        busy_until=draw(st.sampled_from([0.0, 0.0, 2.0, 6.0])),
        old=draw(st.sampled_from(old.get(kind, ["", "failed"]))),
        task_ids=draw(st.sampled_from(["none", "old", "new", "both"])),
        reset=draw(st.sampled_from(["works", "refused", "ignored"])),
        handle=handle,
        database_in_answer=database_in_answer,
        reply_kind=reply_kind,
        has_v2=draw(st.booleans()),
    )


@pytest.fixture(scope="module", autouse=True)
def clusters() -> Iterator[dict[int, LaggingCluster]]:
    """Answer the requests of each client by its simulated cluster, in place of sockets."""
    by_client: dict[int, LaggingCluster] = {}

    async def exchange(
        self: Transport, chain: Sequence[URL], request: Request, *_: object
    ) -> Reply:
        reply = await by_client[int(chain[-1].port or 0)].answer(request)
        self.requests_sent += 1
        return reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transport, "_exchange", exchange)
        patch.setattr("tests.test_lagging_cluster.CLUSTERS", by_client)
        yield by_client


CLUSTERS: dict[int, LaggingCluster] = {}


async def run_call(cluster: LaggingCluster) -> tuple[Action | RedisActionsError, float]:
    """Make the call, and follow it; return the result and the loop time.

    If the answer is lost, the reference of the error is followed.
    """
    port = 10_000 + len(CLUSTERS) % 50_000
    CLUSTERS[port] = cluster
    clock = asyncio.get_running_loop().time
    method, path = cluster.scenario.call
    async with ActionsClient(f"http://127.0.0.1:{port}", username="u", password="p") as client:
        try:
            operation = await client.submit(method, path, busy_timeout=60)
            return await operation.wait(timeout=END), clock()
        except AnswerLost as error:
            if error.ref is None:
                return error, clock()
            lost = client.operation(error.ref)
        except RedisActionsError as error:
            return error, clock()
        try:
            return await lost.wait(timeout=END), clock()
        except RedisActionsError as error:
            return error, clock()


def run(scenario: Scenario) -> tuple[LaggingCluster, Action | RedisActionsError, float]:
    """Run a scenario on a loop with virtual time."""
    cluster = LaggingCluster(scenario)
    loop = virtual_loop()
    try:
        result, now = loop.run_until_complete(run_call(cluster))
        assert asyncio.all_tasks(loop) == set()
    finally:
        loop.close()
    return cluster, result, now


def check(cluster: LaggingCluster, result: Action | RedisActionsError, now: float) -> None:
    """Check that the result is that of this call's work, and came after its end."""
    scenario = cluster.scenario
    reason = str(result)
    assert OTHER_ERROR not in reason, reason
    if isinstance(result, Action) and cluster.called_at is None:
        # The call was not executed. A settled database does not claim that it was.
        assert result.uid.startswith("bdb:"), result
    elif isinstance(result, Action):
        assert now >= cluster.ends_at, f"{result} at {now}, before {cluster.ends_at}"
        well = not scenario.succeeds if scenario.kind == "cancel" else scenario.succeeds
        assert well, f"{result}, and it failed"
    elif isinstance(result, ActionFailed):
        assert cluster.called_at is not None
        assert now >= cluster.ends_at
        assert not scenario.succeeds
        assert OWN_ERROR in reason or "creation-failed" in str(result.action)


@settings(
    max_examples=examples(400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(scenarios())
def test_never_done_before_the_end(scenario: Scenario) -> None:
    """No result comes before the end of the work, or from other work, in any scenario."""
    cluster, result, now = run(scenario)

    event(f"{scenario.kind}: {type(result).__name__}")
    check(cluster, result, now)


@pytest.mark.parametrize("call", KINDS, ids=" ".join)
@pytest.mark.parametrize("succeeds", [True, False], ids=["succeeds", "fails"])
@pytest.mark.parametrize("handle", ["handle", "nothing"])
@pytest.mark.parametrize("lag", [0.0, 0.8, 7.9])
def test_followed_to_the_end(
    call: tuple[str, str], succeeds: bool, handle: str, lag: float
) -> None:
    """Each call is followed to its end, with or without a handle in its answer."""
    kind = KINDS[call]
    if kind == "change" and handle == "nothing" and lag > MAX_LAG_UNCHANGED:
        pytest.skip("its answer shows the settled database")
    scenario = Scenario(call=call, lag=lag, duration=20, succeeds=succeeds, handle=handle)
    cluster, result, now = run(scenario)
    check(cluster, result, now)

    names_nothing = kind == "shards" and handle == "nothing"
    unknown = kind == "other" and handle == "nothing"
    purged = call[1].endswith("purge") and handle == "nothing"
    if names_nothing or purged or unknown:
        assert isinstance(result, NothingToFollow)
    elif kind == "cancel":
        assert isinstance(result, Action) is not succeeds
    elif succeeds:
        assert isinstance(result, Action), result
    else:
        assert isinstance(result, ActionFailed), result
    assert now < 60


@pytest.mark.parametrize("visible_in", ["status", "action_uid", "pending", "active"])
@pytest.mark.parametrize("call", [c for c, kind in KINDS.items() if kind in CHANGES], ids=" ".join)
@pytest.mark.parametrize("succeeds", [True, False], ids=["succeeds", "fails"])
def test_visible_somewhere(call: tuple[str, str], visible_in: str, succeeds: bool) -> None:
    """Work is waited for in whatever field the database shows it."""
    scenario = Scenario(
        call=call, lag=0.7, duration=30, succeeds=succeeds, visible_in=visible_in, old="failed"
    )
    cluster, result, now = run(scenario)
    check(cluster, result, now)

    assert type(result) is (FinishedAction if succeeds else ActionFailed)


@pytest.mark.parametrize(
    ("kind", "old"),
    [
        ("node", "completed"),
        ("node", "failed"),
        ("transfer", "succeeded"),
        ("transfer", "failed"),
        ("crdb", "failed"),
    ],
)
@pytest.mark.parametrize("task_ids", ["none", "old", "new", "both"])
def test_never_executed(kind: str, task_ids: str, old: str) -> None:
    """Work that was never started has not ended, whatever the result of an older run."""
    for call in CALLS[kind]:
        scenario = Scenario(
            call=call,
            lag=1,
            duration=5,
            reply_kind="dropped",
            old=old,
            task_ids=task_ids,
            reset="ignored",
        )
        cluster, result, now = run(scenario)

        check(cluster, result, now)
        assert isinstance(result, ActionNotFound | AnswerLost), result


def test_scenarios_reach_every_end() -> None:
    """The drawn scenarios end in success, failure and lost answers."""
    ends: Counter[str] = Counter()

    @settings(max_examples=150, deadline=None, database=None, derandomize=True)
    @given(scenarios())
    def run_one(scenario: Scenario) -> None:
        _, result, _ = run(scenario)
        ends[type(result).__name__] += 1

    run_one()
    assert {"FinishedAction", "ActionFailed", "AnswerLost"} <= ends.keys()
    assert ends["FinishedAction"] > 20
