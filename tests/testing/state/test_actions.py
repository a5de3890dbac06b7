"""Tests of `testing.state.actions`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions.testing import Kind, Outcome, Progress
    from tests.http_client import HttpClient


from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import Outcome


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


def running(cluster: FakeCluster) -> list[int]:
    """Return the running nodes."""
    return cluster._nodes.running


class TestCurves:
    """Progress as a function of time."""

    @pytest.mark.parametrize(
        ("progress", "outcome", "expected"),
        [
            ("linear", "completed", ["0", "25", "50", "75", "100"]),
            ("steps", "completed", ["0", "0", "33.33", "66.67", "100"]),
            ("stalling", "completed", ["0", "25", "50", "60", "60"]),
            ("none", "completed", [None] * 5),
            ("linear", "failed", ["0", "25", "50", "50", "50"]),
            ("linear", "never", ["0", "25", "50", "60", "60"]),
            ("linear", "stuck", ["0", "25", "50", "75", "100"]),
        ],
    )
    async def test_curve(
        self,
        cluster: FakeCluster,
        call: HttpClient,
        progress: Progress,
        outcome: Outcome,
        expected: list[str | None],
    ) -> None:
        """Progress rises with steps or time, stalls, or is missing."""
        uid = cluster.add_action("retry_bdb", Plan(duration=8, progress=progress, outcome=outcome))
        seen: list[str | None] = []
        for _ in range(5):
            body = await call.ok("GET", f"/v1/actions/{uid}")
            seen.append(body.get("progress") and f"{round(float(body['progress']), 2):g}")
            await asyncio.sleep(2)

        wanted = [value and pytest.approx(float(value), abs=0.5) for value in expected]
        assert [value and float(value) for value in seen] == wanted

    async def test_none(self, cluster: FakeCluster, call: HttpClient) -> None:
        """With progress "none", neither version has a progress."""
        uid = cluster.add_action(plan=Plan(progress="none"))

        assert "progress" not in await call.ok("GET", f"/v1/actions/{uid}")
        assert "progress" not in await call.ok("GET", f"/v2/actions/{uid}")

    async def test_heartbeat(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The heartbeat is the time of the last change of progress."""
        uid = cluster.add_action("SMUpdateBDB", Plan(duration=14, outcome="never"))
        start = (await call.ok("GET", f"/v1/actions/{uid}"))["heartbeat"]
        await asyncio.sleep(5.5)
        assert (await call.ok("GET", f"/v1/actions/{uid}"))["heartbeat"] - start in {4, 5}
        await asyncio.sleep(100)
        assert (await call.ok("GET", f"/v1/actions/{uid}"))["heartbeat"] - start in {7, 8}


class TestEnds:
    """Ends of actions."""

    @pytest.mark.parametrize(
        ("outcome", "status"),
        [
            ("completed", "completed"),
            ("failed", "failed"),
            ("cancelled", "cancelled"),
            ("aborted", "aborted"),
            ("never", "running"),
            ("stuck", "running"),
        ],
    )
    async def test_outcome(
        self, cluster: FakeCluster, call: HttpClient, outcome: Outcome, status: str
    ) -> None:
        """An action ends after its duration with its outcome."""
        uid = cluster.add_action("retry_bdb", Plan(duration=8, outcome=outcome))
        await asyncio.sleep(7.9)
        assert (await call.ok("GET", f"/v1/actions/{uid}"))["status"] == "running"
        await asyncio.sleep(0.2)
        assert (await call.ok("GET", f"/v1/actions/{uid}"))["status"] == status

    async def test_truth(self, cluster: FakeCluster) -> None:
        """Tests can compare with the actual state."""
        now = asyncio.get_running_loop().time()
        uid, never = (
            cluster.add_action(plan=Plan(duration=8)),
            cluster.add_action(plan=Plan(outcome="never")),
        )

        assert cluster.actions[uid].ends_at == pytest.approx(now + 8)
        assert cluster.actions[never].ends_at == float("inf")

    async def test_delete(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A completed delete removes its own record and the database."""
        uid = cluster.add_action("SMDeleteBDB", Plan(duration=5), bdb_uid=2)
        assert (await call.ok("GET", "/v1/bdbs/2"))["status"] == "delete-pending"
        await asyncio.sleep(5.1)

        assert await call("GET", f"/v1/actions/{uid}") == (
            404,
            {"description": f"Action {uid} does not exist", "error_code": "action_not_found"},
        )
        assert (await call("GET", f"/v2/actions/{uid}"))[0] == 404
        assert (await call("GET", "/v1/bdbs/2"))[0] == 404
        assert (await call("GET", "/v1/actions/bdb/2"))[0] == 404

    @pytest.mark.parametrize("outcome", ["failed", "never"])
    async def test_delete_that_fails(
        self, cluster: FakeCluster, call: HttpClient, outcome: Outcome
    ) -> None:
        """A delete that does not succeed leaves the database where it is."""
        cluster.add_action("SMDeleteBDB", Plan(duration=5, outcome=outcome), bdb_uid=2)
        await asyncio.sleep(10)

        await call.ok("GET", "/v1/bdbs/2")

    async def test_deleted_stays_deleted(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A deleted database stays gone if its delete is forgotten, until it is created again."""
        uid = cluster.add_action("SMDeleteBDB", Plan(duration=5), bdb_uid=2)
        cluster.add_action("retry_bdb", Plan(duration=1), bdb_uid=2)
        await asyncio.sleep(5.1)
        cluster.forget(uid)
        assert (await call("GET", "/v1/bdbs/2"))[0] == 404

        cluster.add_action("SMCreateBDB", Plan(duration=5), bdb_uid=2)
        assert (await call.ok("GET", "/v1/bdbs/2"))["status"] == "pending"
        await asyncio.sleep(5.1)
        assert (await call.ok("GET", "/v1/bdbs/2"))["status"] == "active"

    async def test_forget(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A forgotten action is answered 404."""
        uid = cluster.add_action()
        cluster.forget(uid)

        assert (await call("GET", f"/v1/actions/{uid}"))[0] == 404

    async def test_database(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A busy database names its action, an idle one none; both hold secrets."""
        uid = cluster.add_action(plan=Plan(duration=5))
        busy = await call.ok("GET", "/v1/bdbs/1")
        await asyncio.sleep(5.1)
        idle = await call.ok("GET", "/v1/bdbs/1")

        assert (busy["status"], busy["action_uid"]) == ("active-change-pending", uid)
        assert busy["background_op"][0]["name"] == "SMUpdateBDB"
        assert idle["status"] == "active"
        assert "action_uid" not in idle
        assert idle["authentication_admin_pass"] == DATABASE_SECRET


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SMCreateBDB", "state-machine"),
        ("export", "other"),
        ("import", "other"),
        ("backup", "other"),
        ("maintenance_on", "task"),
    ],
)
async def test_kind(cluster: FakeCluster, name: str, kind: Kind) -> None:
    """The name decides the kind, unless one is given."""
    assert cluster.actions[cluster.add_action(name)].kind == kind
    assert cluster.actions[cluster.add_action(name, kind="task")].kind == "task"


@pytest.mark.parametrize(
    "add",
    [
        lambda cluster: cluster.add_action("SMUpdateBDB", Plan(outcome="cancelled")),
        lambda cluster: cluster.add_action("export", Plan(outcome="aborted")),
        lambda cluster: FakeCluster(version="7.8").add_action("export"),
        lambda cluster: FakeCluster(version="9"),  # type: ignore[arg-type]
        lambda cluster: cluster.add_action(plan=Plan(outcome="fail")),
        lambda cluster: cluster.add_action(kind="taks"),
        lambda cluster: cluster.add_action(plan=Plan(progress="stall")),
        lambda cluster: cluster.add_action(plan=Plan(duration=-1)),
        lambda cluster: cluster.add_action(plan=Plan(queued=-1)),
        lambda cluster: FakeCluster(nodes=0),
        lambda cluster: FakeCluster(tls="ca"),  # type: ignore[arg-type]
        lambda cluster: FakeCluster(client_certificate=True),
        lambda cluster: FakeCluster(tls="self-signed", client_certificate=True),
        lambda cluster: FakeCluster(token_ttl=0),
        lambda cluster: FakeCluster(token_ttl=float("nan")),
        lambda cluster: cluster.inject(times=0, status=500),
        lambda cluster: cluster.inject(),
        lambda cluster: cluster.inject(node=1),
        lambda cluster: cluster.inject(drop=True, node=2),
        lambda cluster: cluster.inject(empty=True, status=200),
        lambda cluster: cluster.inject(empty=True, body="oh"),
        lambda cluster: cluster.inject(empty=True, retry_after=1),
        lambda cluster: cluster.inject(empty=True, no_route=True),
        lambda cluster: cluster.inject(no_route=True, status=500),
        lambda cluster: cluster.inject(no_route=True, body="oh"),
        lambda cluster: FakeCluster(lateness=-1),
        lambda cluster: setattr(cluster, "lateness", float("nan")),
    ],
)
async def test_impossible(cluster: FakeCluster, add: Callable[[FakeCluster], object]) -> None:
    """Impossible arguments and misspelled words are refused at once."""
    with pytest.raises(ValueError, match=r"no|seconds|times|1 node|needs"):
        add(cluster)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": -1}, "duration and queued are seconds, 0 or more"),
        ({"queued": -1}, "duration and queued are seconds, 0 or more"),
        ({"outcome": "odd"}, "outcome='odd' is none of completed"),
        ({"progress": "odd"}, "progress='odd' is none of steps"),
    ],
)
def test_impossible_plan(options: dict[str, Any], message: str) -> None:
    """A plan has times of 0 seconds or more, and the words of the API."""
    with pytest.raises(ValueError, match=message):
        Plan(**options)


async def test_plans_wait_their_turn(cluster: FakeCluster, call: HttpClient) -> None:
    """Plans are for calls of their method and path, one after the other."""
    for uid in range(1, 5):
        cluster.add_bdb(uid)
    cluster.plan("DELETE", "/v1/bdbs", Plan(duration=50))
    cluster.plan("PUT", "/v1/bdbs", Plan(duration=20))
    cluster.plan("PUT", "/v1/bdbs/3", Plan(duration=30), times=None)
    for uid in (1, 3, 2):
        await call.ok("PUT", f"/v1/bdbs/{uid}/flush")
    await call.ok("DELETE", "/v1/bdbs/4")

    assert [action.duration for action in cluster.actions.values()] == [20, 30, 10, 50]


async def test_plan_for_no_call(cluster: FakeCluster) -> None:
    """A plan is for one call or more."""
    with pytest.raises(ValueError, match=r"times is 1 or more"):
        cluster.plan("PUT", "/v1/bdbs", Plan(), times=0)
