"""Facts about hostile answers: whatever comes, in whatever order, ends in errors of one tree."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import (
    Action,
    RedisActionsError,
    UsageError,
)
from redis_enterprise_actions.testing import FakeCluster
from tests.conftest import client_of, examples, virtual_loop
from tests.scripted import now


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.enable_socket

_T = TypeVar("_T")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["actions", "state-machines", "action_uid", "status", "progress", "error"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
BODIES = st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode())
STATUSES = st.sampled_from([200, 201, 204, 301, 307, 400, 401, 403, 404, 409, 429, 500, 501, 503])
WORDS = st.sampled_from(["0", "7", "-1", "1e9", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"])
FAULTS = st.one_of(
    st.fixed_dictionaries({"status": STATUSES, "body": BODIES}),
    st.fixed_dictionaries({"retry_after": WORDS}),
    st.fixed_dictionaries({"delay": st.floats(0.1, 60)}),
    st.sampled_from([{name: True} for name in ("drop", "truncate", "empty", "nan", "bad_entry")]),
)
MANY_DAYS = 30 * 86400.0


def run(main: Callable[[], Awaitable[_T]]) -> _T:
    """Run a coroutine on a loop of its own and virtual time, and see that it leaves no task."""
    loop = virtual_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(asyncio.wait_for(main(), MANY_DAYS))
    finally:
        left = {task.get_name() for task in asyncio.all_tasks(loop)}
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        asyncio.set_event_loop(None)
        assert left & {"poll loop"} == set()


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(faults=st.lists(FAULTS, max_size=12), nodes=st.integers(1, 3))
def test_any_interleaving(faults: list[dict[str, object]], nodes: int) -> None:
    """Whatever goes wrong in whatever order: each wait returns, or raises an error of our tree."""

    async def main() -> None:
        async with FakeCluster(nodes=nodes, handle_redirects=True) as cluster:
            uids = [cluster.add_action(duration=30 * number) for number in range(3)]
            for fault in faults:
                cluster.inject(**fault)  # type: ignore[arg-type]
            async with client_of(cluster) as client:
                results = await client.wait_for_actions(uids, settle=True)
                listed = await asyncio.gather(client.list_actions(), return_exceptions=True)

        for result in (*results, *listed):
            assert isinstance(result, (Action, list, RedisActionsError))
            assert not isinstance(result, UsageError)
            assert str(result)

    run(main)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(faults=st.lists(FAULTS.filter(lambda fault: "delay" not in fault), min_size=1, max_size=12))
def test_others_are_undisturbed(faults: list[dict[str, object]]) -> None:
    """Whatever an action's own route answers, the waits for the others end well and in time."""

    async def main() -> None:
        async with FakeCluster() as cluster:
            victim = cluster.add_action("retry_bdb", duration=200)
            others = [cluster.add_action(duration=60 * number) for number in (1, 2, 3)]
            for fault in faults * 3:
                cluster.inject(path=f"/v1/actions/{victim}", **fault)  # type: ignore[arg-type]
            # The list says nothing of it that could be read, so that it is asked for alone.
            cluster.inject(path="/v1/actions", times=None, bad_entry=True)
            ended: dict[str, float] = {}

            async def other(uid: str) -> Action:
                action = await client.wait_for_action(uid)
                ended[uid] = now()
                return action

            async with client_of(cluster) as client:
                outcome = asyncio.ensure_future(
                    asyncio.gather(client.wait_for_action(victim), return_exceptions=True)
                )
                actions = await asyncio.gather(*map(other, others))
                (result,) = await outcome

            assert {action.status for action in actions} == {"completed"}
            for uid in others:
                assert ended[uid] - cluster.actions[uid].ends_at < 20
            assert isinstance(result, (Action, RedisActionsError))

    run(main)


@pytest.mark.parametrize(
    "uid", ["a/b", "../users", "a/../../v1/users", "a%2Fb", "a?b=c", "a#b", "ä", "a b", "."]
)
async def test_uids(cluster: FakeCluster, uid: str) -> None:
    """A uid is one segment of a path, whatever is in it; it can ask for nothing else."""
    async with client_of(cluster) as client:
        if uid == ".":
            with pytest.raises(UsageError):
                await client.wait_for_action(uid)
            return
        assert cluster.add_action(uid=uid, duration=5) == uid
        assert (await client.wait_for_action(uid)).uid == uid
    assert {seen.path.count("/") for seen in cluster.requests} == {3}
