"""Tests of `_client.client`, over a real socket."""

from __future__ import annotations

import asyncio
import itertools
import pickle
from datetime import timedelta
from typing import TYPE_CHECKING

import aiohttp
import pytest
from tenacity import RetryCallState, wait_exponential, wait_fixed, wait_random

from redis_enterprise_actions import (
    Action,
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    ActionStalled,
    ActionVanished,
    AimedWait,
    AuthenticationError,
    ClientClosed,
    ClusterUnreachable,
    Evidence,
    FinishedAction,
    Phase,
    RedisActionsError,
    RequestError,
    RequestRejected,
    UnreadableReply,
    UsageError,
    WaitError,
    WaitTimeout,
)
from redis_enterprise_actions._model.record import without_record
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from redis_enterprise_actions.testing import Outcome, Version

pytestmark = pytest.mark.core


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


class TestSingleCalls:
    """`get_action` and `list_actions`."""

    async def test_get(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An action is returned as it is now."""
        uid = cluster.add_action("SMCreateBDB", Plan(duration=7), bdb_uid=4)
        await asyncio.sleep(2)
        action = await client.get_action(uid)

        assert (action.uid, action.title) == (uid, "SMCreateBDB on bdb:4")
        assert (action.progress, action.state) == (28.57, "create_redis")

    async def test_get_unknown(self, client: ActionsClient) -> None:
        """An action that the cluster does not know is not found, at once."""
        began = now()
        with pytest.raises(ActionNotFound) as caught:
            await client.get_action("x")

        assert (caught.value.uid, caught.value.action) == ("x", None)
        assert now() - began < 0.1

    async def test_polls(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The error of an unknown action counts the looks, those that failed included."""
        cluster.inject(times=2, status=503)
        with pytest.raises(ActionNotFound, match="was not found after") as caught:
            await client.get_action("x")
        assert caught.value.polls == 3

        cluster.inject(times=1, status=503)
        with pytest.raises(ActionNotFound, match="database 99 was not found") as caught:
            await client.get("bdb:99")
        assert caught.value.polls == 2

    @pytest.mark.parametrize("before", ["", " ", "\n"])
    @pytest.mark.parametrize("spell", [str, str.upper], ids=["lower", "upper"])
    async def test_spelling_of_a_uid(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        before: str,
        spell: Callable[[str], str],
    ) -> None:
        """Blanks around a uid, and capitals in a UUID, make no difference."""
        uid = cluster.add_action(plan=Plan(duration=3))
        given = f"{before}{spell(uid)}{before}"

        assert (await client.get_action(given)).uid == uid
        waits = client.wait_for_action(given, timeout=10), client.wait_for(f"action:{given}")
        ended, (also,) = await asyncio.gather(*waits)
        assert ended.uid == also.uid == uid

    async def test_neither_operation_nor_reference(self, client: ActionsClient) -> None:
        """`wait_for` takes nothing but operations and references."""
        with pytest.raises(UsageError, match="5 is neither an Operation nor a reference"):
            await client.wait_for(5)  # type: ignore[arg-type]

    async def test_list(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """All actions, or those on one database."""
        uids = [
            cluster.add_action("retry_bdb"),
            cluster.add_action(bdb_uid=2),
            cluster.add_action("export", bdb_uid=3),
        ]

        assert [action.uid for action in await client.list_actions()] == uids
        assert [action.uid for action in await client.list_actions(bdb_uid=3)] == uids[2:]

    @pytest.mark.parametrize("path", ["/v1/actions", "/v2/actions"])
    async def test_half_a_list(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        path: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A list that stays unreadable leaves the other one's actions; or it is an error."""
        uid = cluster.add_action()
        cluster.inject(path=path, times=1, status=200, body="<html>")
        assert [action.uid for action in await client.list_actions()] == [uid]
        assert caplog.messages == []

        cluster.inject(path=path, times=None, status=200, body="<html>")
        assert [action.uid for action in await client.list_actions()] == [uid]
        assert "the list lacks its actions" in caplog.text
        with pytest.raises(UnreadableReply, match=f"GET {path}: "):
            await client.list_actions(allow_partial=False)

    async def test_retry(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A call outlasts a short outage."""
        uid = cluster.add_action()
        cluster.inject(times=3, status=503)

        assert (await client.get_action(uid)).uid == uid
        assert len(cluster.requests) == 4

    async def test_gives_up(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A call gives up after ten seconds; the error has the attempts."""
        cluster.inject(times=None, status=503, body='{"description": "no quorum"}')
        began = now()

        with pytest.raises(ClusterUnreachable, match="503: no quorum") as caught:
            await client.list_actions()
        assert now() - began <= 10
        assert caught.value.attempts == len(cluster.requests) > 3

    async def test_unreadable_is_retried(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A request with an unreadable answer is retried."""
        uid = cluster.add_action()
        cluster.inject(status=200, body="<html>starting</html>")

        assert (await client.get_action(uid)).uid == uid

    async def test_unreadable_for_good(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A call gives up if every answer is unreadable."""
        cluster.inject(times=None, status=200, body="<html>starting</html>")

        with pytest.raises(UnreadableReply, match="<html>"):
            await client.get_action("x")
        assert len(cluster.requests) > 3


@pytest.mark.enable_socket
async def test_runtime_error_of_a_callback(cluster: FakeCluster, client: ActionsClient) -> None:
    """A callback's own RuntimeError is raised unchanged, whatever its cause is."""

    def call_back(_: Action) -> None:
        raise RuntimeError("mine") from StopIteration()

    with pytest.raises(RuntimeError, match=r"^mine$"):
        await client.wait_for_action(cluster.add_action(), on_progress=call_back)


@pytest.mark.enable_socket
class TestEnds:
    """The ends of a wait."""

    @pytest.mark.parametrize("version", ["7.4", "7.8", "7.22", "8.0", "8.2"])
    @pytest.mark.parametrize("name", ["SMUpdateBDB", "module_installation"])
    async def test_completed(self, version: Version, name: str) -> None:
        """A completed action is returned, soon after it ended, on every version."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            uid = cluster.add_action(name, Plan(duration=100))
            action = await client.wait_for_action(uid)

            assert (action.uid, action.phase) == (uid, Phase.COMPLETED)
            assert now() - cluster.actions[uid].ends_at <= 7.0

    @pytest.mark.parametrize("name", ["export", "import", "backup"])
    async def test_v2_only(self, cluster: FakeCluster, client: ActionsClient, name: str) -> None:
        """An action that only v2 shows is waited for like any other, by one request a poll."""
        uid = cluster.add_action(name, Plan(duration=60))

        assert (await client.wait_for_action(uid)).phase is Phase.COMPLETED
        paths = [request.path for request in cluster.requests]
        assert paths[:2] == [f"/v1/actions/{uid}", "/v2/actions"]
        assert set(paths[2:]) == {f"/v2/actions/{uid}"}

    @pytest.mark.parametrize(
        ("outcome", "error", "message"),
        [
            (
                "failed",
                ActionFailed,
                "failed after 2.0s: internal_error: disk full",
            ),
            ("cancelled", ActionCancelled, "was cancelled on the cluster"),
            ("aborted", ActionAborted, "was aborted by the cluster"),
            ("vanishes", ActionVanished, "vanished after 7."),
            (
                "never",
                ActionStalled,
                "stalled after 31s at 33 %, last seen running; nothing moved for 30s",
            ),
            (
                "never",
                WaitTimeout,
                "timed out after 20s at 33 %, last seen running; the work goes on",
            ),
        ],
    )
    async def test_otherwise(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        outcome: Outcome,
        error: type[WaitError],
        message: str,
    ) -> None:
        """Each other end is an error of its own: its message, attributes and pickle are right."""
        uid = cluster.add_action(
            "retry_bdb", Plan(duration=2, outcome=outcome, error="disk full"), node_uid=1
        )
        with pytest.raises(error) as caught:
            await client.wait_for_action(
                uid,
                timeout=20 if error is WaitTimeout else None,
                stall_timeout=30,
                poll=wait_fixed(0.5),
            )

        failure = caught.value
        assert type(failure) is error
        assert f"retry_bdb on node:1 [{uid}] {message}" in str(failure)
        assert failure.action is not None
        assert failure.action.uid == uid
        assert failure.polls == len(cluster.requests) - (3 if outcome == "vanishes" else 0)
        if outcome == "vanishes":  # a fifth and a sixth look, and three at v2, each at its turn
            times = [request.time - cluster.requests[0].time for request in cluster.requests]
            looks = [0, 0.5, 1, 1.5, 2, 2.05, 2.55, 7, 7]
            assert times == pytest.approx(looks, abs=0.04)
            assert failure.elapsed == pytest.approx(times[-1], abs=0.04)
        twin = pickle.loads(pickle.dumps(failure))
        assert (type(twin), str(twin), vars(twin)) == (error, str(failure), vars(failure))

    async def test_unknown(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A uid that the cluster never knows is not found when the grace is over."""
        began = now()
        with pytest.raises(ActionNotFound) as caught:
            await client.wait_for_action("x", not_found_grace=timedelta(seconds=3))

        # The last look is at 3 s. It takes two requests, of which the second awaits its turn.
        *_, first, _, last, turn = [
            request.time - cluster.requests[0].time for request in cluster.requests
        ]
        assert last == pytest.approx(3, abs=0.04)
        assert turn == pytest.approx(first + 1.05, abs=0.04)
        assert now() - began == pytest.approx(turn, abs=0.04)
        assert caught.value.elapsed == pytest.approx(turn, abs=0.04)
        assert caught.value.polls > 3

    async def test_appears_late(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A uid that the cluster does not know at once is waited for."""
        waiting = asyncio.create_task(client.wait_for_action("late"))
        await asyncio.sleep(5)
        cluster.add_action(plan=Plan(duration=5), uid="late")

        assert (await waiting).phase is Phase.COMPLETED

    async def test_deleted(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A delete, whose action vanishes, has completed when its database is gone."""
        uid = cluster.add_action("SMDeleteBDB", Plan(duration=20), bdb_uid=7)
        action = await client.wait_for_action(uid)

        assert (action.phase, action.evidence) == (Phase.COMPLETED, Evidence.LIST)
        paths = [request.path for request in cluster.requests[-2:]]
        assert paths == ["/v1/bdbs/7", "/v1/bdbs?fields=uid"]

    async def test_delete_forgotten(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A delete whose record is gone does not end while its database is being deleted."""
        uid = cluster.add_action("SMDeleteBDB", Plan(outcome="never"), bdb_uid=7)
        waiting = asyncio.create_task(client.wait_for_action(uid, timeout=100))
        await asyncio.sleep(20)
        cluster.forget(uid)

        with pytest.raises(WaitTimeout):
            await waiting

    async def test_stuck(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An action that a server bug leaves listed as running ends with its database."""
        uid = cluster.add_action(plan=Plan(outcome="stuck", duration=20))
        action = await client.wait_for_action(uid, stall_timeout=60)

        assert (action.phase, action.evidence) == (Phase.COMPLETED, Evidence.DATABASE)

    @pytest.mark.parametrize("status", [401, 403])
    async def test_not_allowed(
        self, cluster: FakeCluster, client: ActionsClient, status: int
    ) -> None:
        """A refusal ends the wait within one request, and names the permission."""
        cluster.inject(status=status)

        with pytest.raises(AuthenticationError) as caught:
            await client.wait_for_action("x")
        assert len(cluster.requests) == 1
        assert ("view_status_of_cluster_action" in str(caught.value)) == (status == 403)
        assert (caught.value.uid, caught.value.polls) == ("x", 1)

    async def test_redirect(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A redirect elsewhere ends the wait within one request."""
        cluster.inject(status=307, headers={"Location": "https://10.0.0.7:9443/v1/actions/x"})

        with pytest.raises(RequestRejected, match="handle_redirects"):
            await client.wait_for_action("x")

    async def test_outage(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An outage longer than the budget ends the wait, with the last action."""
        uid = cluster.add_action(plan=Plan(outcome="never"))
        waiting = asyncio.create_task(client.wait_for_action(uid, outage_timeout=60))
        await asyncio.sleep(10)
        cluster.inject(times=None, status=503)
        began = now()

        with pytest.raises(ClusterUnreachable) as caught:
            await waiting
        assert 55 <= now() - began <= 66
        assert caught.value.action is not None
        assert caught.value.attempts > 3

    async def test_shorter_outages(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Shorter outages of every kind are survived."""
        uid = cluster.add_action(plan=Plan(duration=60))
        cluster.inject(status=500)
        cluster.inject(status=429, retry_after=2)
        cluster.inject(times=3, drop=True)
        cluster.inject(truncate=True)
        cluster.inject(status=200, body="")
        cluster.inject(status=200, body="<html>")
        cluster.inject(delay=40)

        assert (await client.wait_for_action(uid)).phase is Phase.COMPLETED

    async def test_three_hours(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A wait of three hours ends at its deadline, to the millisecond, with a poll there."""
        uid = cluster.add_action(plan=Plan(duration=4 * 3600))
        began = now()

        with pytest.raises(WaitTimeout) as caught:
            await client.wait_for_action(uid, timeout=timedelta(hours=3))
        assert now() - began == pytest.approx(3 * 3600, abs=1e-3)
        assert cluster.requests[-1].time - began == pytest.approx(3 * 3600, abs=1e-3)
        assert caught.value.timeout == 3 * 3600
        assert caught.value.polls == len(cluster.requests) < 3000

    async def test_ended_during_the_last_sleep(
        self, cluster: FakeCluster, client: ActionsClient
    ) -> None:
        """An action that ended during the last sleep before the deadline is returned."""
        uid = cluster.add_action(plan=Plan(duration=119.9))

        action = await client.wait_for_action(uid, timeout=120, poll=wait_fixed(50))
        assert action.phase is Phase.COMPLETED

    async def test_hanging_cluster(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A cluster that does not answer, not even at the deadline, keeps no wait much longer."""
        cluster.inject(times=None, delay=3600)
        began = now()

        with pytest.raises(WaitTimeout) as caught:
            await client.wait_for_action("x", timeout=10)
        assert now() - began == pytest.approx(12, abs=1e-3)
        assert caught.value.action is None


class TestProgress:
    """Callbacks and `watch_action`."""

    async def test_steps(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A callback sees each step of a state machine once, in order, and the end."""
        uid = cluster.add_action("SMCreateBDB", Plan(duration=14, queued=1))
        poll = wait_fixed(0.5)
        seen: list[Action] = []
        await client.wait_for_action(uid, poll=poll, on_progress=seen.append)

        assert [(action.status, action.state) for action in seen] == [
            ("pending", "init"),
            ("active", "init"),
            ("active", "provision"),
            ("active", "create_redis"),
            ("active", "bind_endpoint"),
            ("active", "update_dmc"),
            ("active", "config_redis_acl"),
            ("active", "created"),
            ("completed", None),
        ]

    async def test_watch(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A watch yields what a callback sees, and does not raise for a failed action."""
        uid = cluster.add_action("retry_bdb", Plan(duration=3, outcome="failed"))
        updates: list[Action] = []

        watched = [
            without_record(a) async for a in client.watch_action(uid, on_progress=updates.append)
        ]
        assert watched == updates
        assert watched[-1].phase is Phase.FAILED

    async def test_watch_left_early(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Leaving a watch leaves nothing running."""
        uid = cluster.add_action()
        async for _ in client.watch_action(uid):
            break
        requests = len(cluster.requests)
        await asyncio.sleep(60)

        assert len(cluster.requests) == requests

    async def test_callback_raises(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An exception of a callback ends its wait, unchanged."""
        uid, error = cluster.add_action(), KeyError("mine")

        async def callback(_: Action) -> None:
            raise error

        with pytest.raises(KeyError) as caught:
            await client.wait_for_action(uid, on_progress=callback)
        assert caught.value is error

    async def test_slow_callback(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A slow callback delays no other wait."""
        slow, quick = (
            cluster.add_action(plan=Plan(duration=5)),
            cluster.add_action(plan=Plan(duration=5)),
        )
        began = now()

        async def callback(_: Action) -> None:
            await asyncio.sleep(100)

        waiting = asyncio.create_task(client.wait_for_action(slow, on_progress=callback))
        await client.wait_for_action(quick)
        assert now() - began < 6
        await waiting


class TestPoll:
    """`poll=` takes any wait strategy of tenacity."""

    async def test_strategy(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A strategy decides when the next poll is."""
        uid = cluster.add_action(plan=Plan(duration=30))
        await client.wait_for_action(uid, poll=wait_exponential(multiplier=1, max=8))

        times = [request.time for request in cluster.requests]
        gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
        assert gaps == pytest.approx([1, 2, 4, 8, 8, 8], abs=0.01)

    async def test_what_it_sees(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A strategy sees the count, the age of the wait and the last action."""
        uid = cluster.add_action("SMCreateBDB", Plan(duration=7))
        seen: list[tuple[int, float, object]] = []

        def poll(state: RetryCallState) -> float:
            assert state.outcome is not None
            assert state.seconds_since_start is not None
            action = state.outcome.result()
            assert isinstance(action, Action)
            seen.append((state.attempt_number, round(state.seconds_since_start), action.state))
            return 3.0

        await client.wait_for_action(uid, poll=poll)
        assert seen == [(1, 0, "init"), (2, 3, "bind_endpoint"), (3, 6, "created")]

    async def test_no_busy_loop(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A strategy of no pause at all is kept to three polls a second."""
        uid = cluster.add_action(plan=Plan(duration=10))
        await client.wait_for_action(uid, poll=wait_random(0, 0))

        assert 29 <= len(cluster.requests) <= 32

    async def test_aimed(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An aimed schedule finds the end of an action with truthful progress at once, cheaply."""
        uid = cluster.add_action(plan=Plan(duration=300, progress="linear"))
        await client.wait_for_action(uid, poll=AimedWait())

        assert now() - cluster.actions[uid].ends_at <= 0.2
        assert len(cluster.requests) <= 40

    async def test_shared_strategy(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """One strategy serves many waits, as its state is each wait's own."""
        uids = [cluster.add_action(plan=Plan(duration=10)) for _ in range(3)]
        poll = wait_exponential(multiplier=1)
        await client.wait_for_actions(uids, poll=poll)

        times = [request.time for request in cluster.requests]
        assert [round(when - times[0]) for when in times] == [0, 1, 3, 7, 15]
        assert {request.path for request in cluster.requests} == {"/v1/actions"}


class TestSharing:
    """Requests of several waits on one client."""

    async def test_one_list(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Several waits of every family of v1 share one list, and send no other request."""
        uids = [cluster.add_action(plan=Plan(duration=20 + n // 2), bdb_uid=n) for n in range(30)]
        uids += [cluster.add_action("retry_bdb", Plan(duration=30)) for _ in range(30)]
        results = await client.wait_for_actions(uids)

        assert [action.uid for action in results] == uids
        assert {request.path for request in cluster.requests} == {"/v1/actions"}
        assert len(cluster.requests) < 3 * 36

    async def test_v2_when_needed(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The list of v2 is requested as long as it alone shows the actions."""
        exports = [cluster.add_action("export", Plan(duration=30), bdb_uid=n) for n in range(5)]
        update = cluster.add_action(plan=Plan(duration=90))
        another = cluster.add_action(plan=Plan(duration=90))
        await client.wait_for_actions([*exports, update, another])

        late = [r for r in cluster.requests if r.time - cluster.requests[0].time > 40]
        assert {request.path for request in late} == {"/v1/actions"}
        singles = [r.path for r in cluster.requests if r.path.split("/")[-1] in exports]
        by_v1 = [path for path in singles if "v1" in path]
        assert 1 <= len(set(by_v1)) == len(by_v1) < len(exports)
        assert len([r for r in cluster.requests if r.path == "/v2/actions"]) > 10

    async def test_both_lists_count(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A poll of the lists of v1 and v2 counts as two of the three requests per second."""
        uids = [cluster.add_action(name, Plan(duration=60)) for name in ("export", "SMUpdateBDB")]
        await client.wait_for_actions(uids, poll=wait_fixed(0.1))

        began = cluster.requests[0].time + 5
        made = [r for r in cluster.requests if began <= r.time < began + 50]
        assert {r.path for r in made} == {"/v1/actions", "/v2/actions"}
        assert all(b.time - a.time > 1 for a, b in zip(made, made[3:], strict=False))
        assert len(made) > 80

    async def test_both_routes_count(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An unknown action is not requested more often than that, either."""
        await client.list_actions()
        with pytest.raises(ActionNotFound):
            await client.wait_for_action("x", not_found_grace=60, poll=wait_fixed(0.1))

        times = [r.time for r in cluster.requests[2:]]
        assert all(b - a > 1 for a, b in zip(times, times[3:], strict=False))
        assert len(times) > 100

    async def test_v2_alone(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """If only v2 shows the actions, v1 is not requested."""
        uids = [
            cluster.add_action(name, Plan(duration=30)) for name in ("export", "import", "backup")
        ]
        await client.wait_for_actions(uids)

        late = [r.path for r in cluster.requests if r.time - cluster.requests[0].time > 10]
        assert set(late) == {"/v2/actions"}

    async def test_by_task_id(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A wait for a task by its `task_id` uses the list, too."""
        uids = [cluster.add_action("retry_bdb", Plan(duration=20)) for _ in range(2)]
        [first, _] = (await client.list_actions())[:2]
        assert first.uid == uids[0]

        assert [a.uid for a in await client.wait_for_actions(uids)] == uids

    async def test_deletes(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Deletes, which vanish from the list, end with their databases, each by its own."""
        deletes = [
            cluster.add_action("SMDeleteBDB", Plan(duration=9), bdb_uid=n) for n in (5, 6, 7)
        ]
        update = cluster.add_action(plan=Plan(duration=20))
        results = await client.wait_for_actions([*deletes, update])

        assert [action.evidence for action in results[:3]] == [Evidence.LIST] * 3
        paths = [r.path for r in cluster.requests if r.path.startswith("/v1/bdbs/")]
        assert sorted(paths) == ["/v1/bdbs/5", "/v1/bdbs/6", "/v1/bdbs/7"]

    async def test_ten_thousand_remembered(
        self, cluster: FakeCluster, client: ActionsClient
    ) -> None:
        """On a cluster with a long history, one wait requests no list, and three waits only one."""
        for n in range(10_000):
            cluster.add_action(plan=Plan(duration=0), uid=f"old{n}")
        one = cluster.add_action(plan=Plan(duration=60))
        await client.wait_for_action(one)
        assert [r for r in cluster.requests if r.path == "/v1/actions"] == []

        cluster.requests.clear()
        three = [cluster.add_action(plan=Plan(duration=60)) for _ in range(3)]
        await client.wait_for_actions(three)
        assert len([r for r in cluster.requests if r.path == "/v1/actions"]) == 1
        assert len(cluster.requests) > 10

    async def test_closed_under_waits(self, cluster: FakeCluster) -> None:
        """Closing the client ends its waits at once, during a request and between two."""
        uid = cluster.add_action(plan=Plan(outcome="never"))
        for seconds in (0.0, 7.0):
            cluster.inject(delay=5)
            client = client_of(cluster)
            waits = [asyncio.create_task(client.wait_for_action(uid)) for _ in range(2)]
            await asyncio.sleep(seconds)
            began = now()
            await client.aclose()

            assert [type(e) for e in await asyncio.gather(*waits, return_exceptions=True)] == [
                ClientClosed
            ] * 2
            assert now() - began < 0.1


class TestMany:
    """`wait_for_actions`."""

    async def test_in_order(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Results have the order of the arguments; a repeated uid is requested once."""
        long, short = (
            cluster.add_action(plan=Plan(duration=9)),
            cluster.add_action(plan=Plan(duration=3)),
        )

        results = await client.wait_for_actions([long, short, long])
        assert [action.uid for action in results] == [long, short, long]
        assert results[0] is results[2]
        first = [request.time for request in cluster.requests if request.path.endswith(long)]
        assert len(first) == len(set(first))

    @pytest.mark.parametrize("settle", [False, True])
    async def test_none(self, cluster: FakeCluster, client: ActionsClient, settle: bool) -> None:
        """To wait for nothing is wrong usage, unless that is allowed by name; it takes no time."""
        for uids in ([], iter(())):
            with pytest.raises(UsageError, match=r"^uids is empty: pass allow_empty=True"):
                await client.wait_for_actions(uids, settle=settle)  # type: ignore[call-overload]

        none = client.wait_for_actions(iter(()), settle=settle, allow_empty=True)  # type: ignore[call-overload]
        assert await none == []
        assert cluster.requests == []

    async def test_first_failure(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The first failure is raised, and the other waits end; their work does not."""
        long = cluster.add_action(plan=Plan(duration=60))
        bad = cluster.add_action("retry_bdb", Plan(duration=3, outcome="failed"))
        worse = cluster.add_action("retry_bdb", Plan(duration=5, outcome="cancelled"))

        with pytest.raises(ActionFailed) as caught:
            await client.wait_for_actions([long, worse, bad])
        assert caught.value.uid == bad
        assert (await client.get_action(long)).phase is Phase.RUNNING
        requests = len(cluster.requests)
        await asyncio.sleep(60)
        assert len(cluster.requests) == requests

    async def test_settle(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """With `settle=True` each is followed to its end."""
        good = cluster.add_action(plan=Plan(duration=20))
        bad = cluster.add_action("retry_bdb", Plan(duration=3, outcome="failed"))
        results = await client.wait_for_actions(
            [bad, "x", good], settle=True, timeout=60, not_found_grace=5
        )

        assert [type(result) for result in results] == [
            *(ActionFailed, ActionNotFound, FinishedAction),
        ]

    async def test_settle_keeps_what_is_known(
        self, cluster: FakeCluster, client: ActionsClient
    ) -> None:
        """With `settle=True` a cluster that goes away does not take the other results along."""
        good, long = (
            cluster.add_action(plan=Plan(duration=3)),
            cluster.add_action(plan=Plan(duration=300)),
        )
        waiting = asyncio.create_task(
            client.wait_for_actions([good, long], settle=True, outage_timeout=20)
        )
        await asyncio.sleep(10)
        cluster.inject(times=None, status=503)

        first, second = await waiting
        assert isinstance(first, Action)
        assert isinstance(second, ClusterUnreachable)
        assert isinstance(second, RequestError)

    async def test_callback_raises(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An exception of a callback is raised, with or without `settle`."""
        uid = cluster.add_action()

        def callback(_: Action) -> None:
            raise KeyError

        for settle in (False, True):
            with pytest.raises(KeyError):
                await client.wait_for_actions([uid], settle=settle, on_progress=callback)  # type: ignore[call-overload]

    @pytest.mark.parametrize("settle", [False, True])
    async def test_callback_that_is_cancelled(
        self, cluster: FakeCluster, client: ActionsClient, settle: bool
    ) -> None:
        """A callback that is cancelled ends all waits as one that raises does, and at once."""
        uid, long = (
            cluster.add_action(plan=Plan(duration=9)),
            cluster.add_action(plan=Plan(duration=500)),
        )

        async def callback(action: Action) -> None:
            if action.uid == uid:
                gone = asyncio.create_task(asyncio.sleep(1))
                gone.cancel()
                await gone

        began = now()
        with pytest.raises(asyncio.CancelledError):
            await client.wait_for_actions([long, uid], settle=settle, on_progress=callback)  # type: ignore[call-overload]
        assert now() - began < 1

    @pytest.mark.parametrize("uids", ["abc", None, 5])
    async def test_not_several(self, client: ActionsClient, uids: str) -> None:
        """A single string is refused, as it is not several uids."""
        with pytest.raises(UsageError, match="is not a list of uids"):
            await client.wait_for_actions(uids)

    async def test_cancelled(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Cancelling the wait for several cancels each, and leaves nothing."""
        uids = [cluster.add_action(plan=Plan(outcome="never")) for _ in range(5)]
        before = asyncio.all_tasks()
        for tenths in range(1, 20):
            waiting = asyncio.create_task(client.wait_for_actions(uids))
            await asyncio.sleep(tenths / 10)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            ours = {t for t in asyncio.all_tasks() - before if "aiohttp" not in repr(t)}
            assert ours == set()


@pytest.mark.enable_socket
@pytest.mark.parametrize("moment", [0.001, 0.1, 0.3, 0.9, 1.0, 1.1, 2.0, 4.0])
async def test_cancelled(moment: float) -> None:
    """Cancelling a wait, at rest or in a request, leaves no task, socket or session behind."""
    before = asyncio.all_tasks()
    async with FakeCluster() as cluster:
        uid = cluster.add_action(plan=Plan(outcome="never"))
        cluster.inject(times=None, delay=0.5)
        async with client_of(cluster) as client:
            waiting = asyncio.create_task(client.wait_for_action(uid))
            await asyncio.sleep(moment)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
        assert (await (client_of(cluster)).__aenter__()) is not None
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_closed_under_a_wait(cluster: FakeCluster) -> None:
    """A client that is closed under a wait ends it with a clear error."""
    uid = cluster.add_action(plan=Plan(outcome="never"))
    client = client_of(cluster)
    waiting = asyncio.create_task(client.wait_for_action(uid))
    await asyncio.sleep(10)
    await client.aclose()

    with pytest.raises(ClientClosed):
        await waiting


async def test_session_of_caller(cluster: FakeCluster) -> None:
    """A session that is passed in is used, and left open."""
    uid = cluster.add_action(plan=Plan(duration=1))
    async with aiohttp.ClientSession() as session:
        async with client_of(cluster, session=session) as client:
            await client.wait_for_action(uid)
        assert not session.closed


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": -1},
        {"timeout": "soon"},
        {"stall_timeout": float("nan")},
        {"outage_timeout": -1},
        {"not_found_grace": timedelta(days=-1)},
        {"timeout": 10**400},
        {"poll": 5},
        {"poll": wait_fixed},
        {"on_progress": "print"},
    ],
    ids=repr,
)
async def test_bad_options(client: ActionsClient, options: dict[str, object]) -> None:
    """An invalid option is an error that names it, before anything is sent."""
    (name,) = options
    with pytest.raises(UsageError, match=f"{name}="):
        client.watch_action("x", **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=f"{name}="):
        await client.wait_for_action("x", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("uid", ["", ".", "..", None, 5])
async def test_bad_uid(cluster: FakeCluster, client: ActionsClient, uid: str) -> None:
    """A text that cannot be a uid is not sent."""
    calls: list[Callable[[], object]] = [
        lambda: client.get_action(uid),
        lambda: client.wait_for_action(uid),
        lambda: client.wait_for_actions(["x", uid]),
        lambda: client.watch_action(uid).__anext__(),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="not the uid"):
            await call()  # type: ignore[misc]
    assert cluster.requests == []


@pytest.mark.parametrize(
    "options",
    [
        {"username": "ops"},
        {"password": "x"},
        {"username": "a:b", "password": "x"},
        {"username": 1, "password": "x"},
        {"username": "a", "password": b"x"},
        {"username": "a", "password": "x\udce9"},
        {"ca_cert": ""},
        {"ca_cert": 5},
        {"ca_cert": "a\0b"},
        {"request_timeout": 10**400},
        {"session": 5},
        {"verify": False, "ca_cert": "ca.pem"},
        {"ca_cert": "missing.pem"},
        {"request_timeout": 0},
        {"request_timeout": None},
    ],
    ids=repr,
)
def test_bad_settings(options: dict[str, object]) -> None:
    """An invalid setting is an error at once."""
    with pytest.raises(UsageError):
        ActionsClient("https://127.0.0.1:9443", **options)  # type: ignore[arg-type]


def test_bad_password_is_not_repeated() -> None:
    """A password that cannot be sent shows up nowhere in the error that says so."""
    with pytest.raises(UsageError) as caught:
        ActionsClient("https://127.0.0.1:9443", username="a", password="hunter2\udce9")
    assert "hunter2" not in repr([caught.value, caught.value.__context__, caught.value.__cause__])


@pytest.mark.enable_socket
def test_two_loops() -> None:
    """A client that is used in a second event loop raises `UsageError`."""
    client = ActionsClient("http://127.0.0.1:1")

    async def request() -> None:
        with pytest.raises((ClusterUnreachable, UsageError)) as caught:
            await client.wait_for_action("x", outage_timeout=0)
        errors.append(type(caught.value))
        if len(errors) == 1:
            return
        with pytest.raises(UsageError, match="event loop"):
            await client.list_actions()

    errors: list[type[BaseException]] = []
    with asyncio.Runner() as first:
        first.run(request())
        with asyncio.Runner() as second:
            second.run(request())
        first.run(client.aclose())
    assert errors == [ClusterUnreachable, UsageError]


@pytest.mark.enable_socket
def test_closed_in_another_loop() -> None:
    """A client with waits cannot be closed in another event loop."""
    client = ActionsClient("http://127.0.0.1:1")

    async def begin() -> asyncio.Task[Action]:
        waiting = asyncio.create_task(client.wait_for_action("x"))
        await asyncio.sleep(0.01)
        return waiting

    async def end(waiting: asyncio.Task[Action]) -> None:
        await client.aclose()
        with pytest.raises(ClientClosed):
            await waiting

    with asyncio.Runner() as first, asyncio.Runner() as second:
        waiting = first.run(begin())
        with pytest.raises(UsageError, match="event loop"):
            second.run(client.aclose())
        first.run(end(waiting))


def test_repr() -> None:
    """A client's `repr` has its URLs, and no credentials."""
    client = ActionsClient("https://127.0.0.1:9443", username="ops", password="hunter2-hunter2")

    assert repr(client) == "ActionsClient('https://127.0.0.1:9443')"
    assert client.urls == ("https://127.0.0.1:9443",)


class TestFromEnv:
    """`ActionsClient.from_env`."""

    @pytest.fixture
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Return a function that sets the variables."""

        def set_variables(**values: str) -> None:
            for name, value in values.items():
                monkeypatch.setenv(f"REDIS_ENTERPRISE_{name}", value)

        return set_variables

    async def test_works(self, cluster: FakeCluster, environment: Callable[..., None]) -> None:
        """URL, user and password are read from the environment."""
        environment(URL=cluster.url, USER=cluster.username, PASSWORD=cluster.password)

        async with ActionsClient.from_env() as client:
            assert await client.list_actions() == []

    async def test_arguments_go_first(
        self, cluster: FakeCluster, environment: Callable[..., None]
    ) -> None:
        """Arguments take precedence over the environment."""
        environment(URL="https://wrong", USER="wrong", PASSWORD="wrong", CA_CERT="", INSECURE="no")

        async with ActionsClient.from_env(
            url=cluster.url, username=cluster.username, password=cluster.password
        ) as client:
            assert await client.list_actions() == []

    def test_no_url(self) -> None:
        """Without any settings, the error names the variables of all that are needed."""
        with pytest.raises(UsageError, match="set REDIS_ENTERPRISE_URL and REDIS_ENTERPRISE_USER"):
            ActionsClient.from_env()

    @pytest.mark.parametrize("value", ["1", "true", "TRUE", "yes", "on"])
    def test_insecure(
        self,
        environment: Callable[..., None],
        value: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Verification can be switched off, and the CA file is then of no use."""
        environment(URL="https://127.0.0.1", INSECURE=value, CA_CERT="missing.pem")

        ActionsClient.from_env()
        assert "not verified" in caplog.text

    @pytest.mark.parametrize("value", ["", "0", "false", "No", "off"])
    def test_secure(
        self,
        environment: Callable[..., None],
        value: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Verification is on unless the value clearly says otherwise."""
        environment(URL="https://127.0.0.1", INSECURE=value)

        ActionsClient.from_env()
        assert caplog.records == []

    def test_unclear(self, environment: Callable[..., None]) -> None:
        """A value that says neither switches nothing off."""
        environment(URL="https://127.0.0.1", INSECURE="maybe")

        with pytest.raises(UsageError, match="REDIS_ENTERPRISE_INSECURE"):
            ActionsClient.from_env()

    def test_ca_cert(self, environment: Callable[..., None], tmp_path: Path) -> None:
        """The CA file is the environment's, unless one is passed in, which switches it on."""
        environment(URL="https://127.0.0.1", CA_CERT=str(tmp_path / "env.pem"))
        with pytest.raises(UsageError, match=r"env\.pem"):
            ActionsClient.from_env()

        environment(INSECURE="true")
        with pytest.raises(UsageError, match=r"mine\.pem"):
            ActionsClient.from_env(ca_cert=tmp_path / "mine.pem")


def test_urls() -> None:
    """`urls` has the URLs of the nodes, in order."""
    client = ActionsClient(["https://n1:9443", "https://n2"], username="u", password="p")

    assert client.urls == ("https://n1:9443", "https://n2")


def test_errors_of_the_tree_only() -> None:
    """Everything that is raised on purpose has one root."""
    assert issubclass(WaitError, RedisActionsError)
    assert issubclass(RequestError, RedisActionsError)


async def test_watch_is_an_iterator(cluster: FakeCluster, client: ActionsClient) -> None:
    """A watch is an async iterator."""
    watch: AsyncIterator[Action] = client.watch_action(cluster.add_action())

    assert (await watch.__anext__()).phase is Phase.RUNNING
