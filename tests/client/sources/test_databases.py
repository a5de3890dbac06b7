"""Tests of `_client.sources.databases`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from aioresponses import aioresponses
from tenacity import wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    ActionStalled,
    ActionVanished,
    AnswerLost,
    AuthenticationError,
    CancelNotSupported,
    ClusterUnreachable,
    Evidence,
    Kind,
    Phase,
    RequestRejected,
    UnreadableReply,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.protocols import NO_LIST
from redis_enterprise_actions._model.action import AmbiguousAnswer
from redis_enterprise_actions._model.reference import GONE, Reference, ReferenceKind
from redis_enterprise_actions.testing import FakeCluster, Plan
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET
from tests.conftest import client_of

from .conftest import wanted_of


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import Version

pytestmark = [pytest.mark.enable_socket, pytest.mark.core]

VERSIONS: list[Version] = ["7.4", "7.8", "7.22", "8.0", "8.2"]
NAME = {"name": "shop"}
OP = {"name": "SMUpgradeBDB", "progress": 50}


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def bdb(uid: int, run: str = "") -> Reference:
    """Return the reference to a database."""
    return Reference(ReferenceKind.BDB, str(uid), run)


def take_requests(cluster: FakeCluster) -> list[str]:
    """Return the paths of the requests since the last call."""
    seen = [f"{request.method} {request.path}" for request in cluster.requests]
    cluster.requests.clear()
    return seen


class TestSettles:
    """A database that is active, and that nothing is done to."""

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("name", ["SMCreateBDB", "SMUpdateBDB", "SMUpgradeBDB"])
    async def test_settles(self, version: Version, name: str) -> None:
        """A database settles when the action on it has ended, even one without a known uid."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            uid = cluster.add_action(name, Plan(duration=100), bdb_uid=1)
            action = await client.databases.wait(1)

            assert (action.uid, action.kind, action.name) == ("bdb:1", Kind.DATABASE, "db1")
            assert (action.status, action.phase) == ("active", Phase.COMPLETED)
            assert 0 <= now() - cluster.actions[uid].ends_at <= 15

    @pytest.mark.parametrize(("grace", "lasts"), [(None, 10), (3, 3), (0, 0)])
    async def test_idle(
        self, cluster: FakeCluster, client: ActionsClient, grace: float | None, lasts: float
    ) -> None:
        """A database that is never seen busy has settled once a change would have begun."""
        cluster.add_bdb(7)
        options: dict[str, float] = {} if grace is None else {"not_found_grace": grace}
        seen: list[tuple[str, Phase]] = []
        action = await client.databases.wait(
            7, on_progress=lambda action: seen.append((action.status, action.phase)), **options
        )

        assert str(action) == "database 7: active, as the database was never seen busy [bdb:7]"
        assert action.evidence is Evidence.QUIET
        assert seen == [("active", Phase.PENDING)] * (lasts > 0) + [("active", Phase.COMPLETED)]
        assert now() == pytest.approx(lasts, abs=0.1)
        assert len(take_requests(cluster)) <= 8

    @pytest.mark.parametrize("late", [1, 8, 9.5])
    async def test_marked_late(
        self, cluster: FakeCluster, client: ActionsClient, late: float
    ) -> None:
        """A change that is shown late is waited for, to its end."""
        cluster.add_bdb(1)
        asyncio.get_running_loop().call_later(
            late, lambda: cluster.add_action("SMUpdateBDB", Plan(duration=30), bdb_uid=1)
        )
        action = await client.databases.wait(1)

        assert (action.status, action.evidence) == ("active", Evidence.ACTION)
        assert now() >= late + 30

    async def test_not_stalled(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """While a change may be about to begin, the wait does not stall; a timeout ends it."""
        cluster.add_bdb(1)

        assert (await client.databases.wait(1, stall_timeout=2)).evidence is Evidence.QUIET
        with pytest.raises(WaitTimeout, match="last seen "):
            await client.databases.wait(1, timeout=5)

    @pytest.mark.parametrize(
        ("ops", "ends"),
        [
            ([OP | {"status": "active"}], "timed out"),
            ([OP | {"status": "pending"}], "timed out"),
            ([{"status": "idle"}, OP | {"status": "active"}], "timed out"),
            ([OP | {"status": "resting"}], "timed out"),
            ([OP | {"status": "failed", "error": "boom"}], "completed"),
            ([], "completed"),
            (None, "completed"),
        ],
        ids=str,
    )
    async def test_background_op(
        self, cluster: FakeCluster, client: ActionsClient, ops: object, ends: str
    ) -> None:
        """Pending and active background operations keep a database busy; failed ones do not."""
        body = json.dumps({"uid": 1, "status": "active", "background_op": ops})
        cluster.inject(times=None, path="/v1/bdbs", status=200, body=body)
        (result,) = await client.wait_for("bdb:1", settle=True, timeout=60)

        assert result.record is not None
        assert result.record.outcome.value == ends

    @pytest.mark.parametrize("before", ["none", "another", "the same"])
    @pytest.mark.parametrize("path", ["/modules/upgrade", "/actions/retry", "/flush"])
    async def test_failed_since(
        self, cluster: FakeCluster, client: ActionsClient, before: str, path: str
    ) -> None:
        """A failure that was not there before the call is its own; an older one is not."""
        error = "boom" if before == "the same" else "old"
        old: list[object] = [] if before == "none" else [OP | {"status": "failed", "error": error}]
        failed = [OP | {"status": "failed", "error": "boom"}]
        shown: list[list[object]] = [old, [*failed]]
        for ops in shown:
            body = json.dumps({"uid": 1, "status": "active", "background_op": ops})
            times = 1 if ops is old else None
            cluster.inject(method="GET", times=times, path="/v1/bdbs/1", status=200, body=body)
        method = "PUT" if path == "/flush" else "POST"
        cluster.inject(method=method, status=200)
        operation = await client.submit(method, f"/v1/bdbs/1{path}")

        if before == "the same":
            assert (await operation).evidence is Evidence.QUIET
        else:
            with pytest.raises(ActionFailed, match="boom"):
                await operation

    async def test_fails_again(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A failure after the database was seen busy is new, even if it has the old text."""
        for ops in ("failed", "active", "failed"):
            body = json.dumps(
                {"uid": 1, "status": "active", "background_op": [OP | {"status": ops}]}
            )
            times = None if ops == "failed" and take_requests(cluster) else 2
            cluster.inject(method="GET", times=times, path="/v1/bdbs/1", status=200, body=body)
        cluster.inject(method="POST", status=200)
        operation = await client.submit("POST", "/v1/bdbs/1/actions/retry")

        with pytest.raises(ActionFailed):
            await operation

    @pytest.mark.parametrize("status", ["active", "active-change-pending", "creation-failed"])
    @pytest.mark.parametrize("ops", [[OP | {"status": "active"}], []], ids=["busy", "idle"])
    async def test_failed_and_busy(
        self, cluster: FakeCluster, client: ActionsClient, status: str, ops: list[object]
    ) -> None:
        """The baseline names an older failure, and is "busy" if an operation is in progress."""
        failed: list[object] = [OP | {"status": "failed", "error": "old"}]
        body = json.dumps({"uid": 1, "status": status, "background_op": failed + ops})
        cluster.inject(method="GET", times=None, path="/v1/bdbs/1", status=200, body=body)
        cluster.inject(method="POST", status=200)
        operation = await client.submit("POST", "/v1/bdbs/1/actions/retry")

        goal, _, known = str(operation.ref).partition("@")[2].partition(",")
        assert goal == ("busy" if ops else "after")
        assert known

    async def test_watched(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A change of a database can be watched."""
        cluster.add_action("SMUpdateBDB", Plan(duration=10), bdb_uid=1)
        seen = [action async for action in client.operation("bdb:1")]

        assert [(action.status, action.state) for action in seen] == [
            ("active-change-pending", "SMUpdateBDB"),
            ("active", None),
        ]

    @pytest.mark.parametrize("transfer", ["export", "backup"])
    async def test_transfers(
        self, cluster: FakeCluster, client: ActionsClient, transfer: str
    ) -> None:
        """A database that is being exported or backed up is active."""
        cluster.start_transfer(1, transfer, Plan(duration=1000))  # type: ignore[arg-type]

        assert (await client.databases.wait(1)).status == "active"
        assert now() == pytest.approx(10, abs=0.1)

    async def test_import(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A database into which data is being imported has not settled."""
        cluster.start_transfer(1, "import", Plan(duration=100))
        await client.databases.wait(1)

        assert now() >= 100

    @pytest.mark.parametrize(
        ("name", "status"),
        [("SMCreateBDB", "creation-failed"), ("SMUpdateBDB", "active-change-pending")],
    )
    async def test_failed(
        self, cluster: FakeCluster, client: ActionsClient, name: str, status: str
    ) -> None:
        """A failure has the cluster's words."""
        cluster.add_action(name, Plan(duration=5, outcome="failed", error="disk full"), bdb_uid=1)

        with pytest.raises(ActionFailed, match="disk full") as caught:
            await client.databases.wait(1)
        assert caught.value.action is not None
        assert caught.value.action.status == status
        assert 5 <= caught.value.elapsed <= 8

    async def test_timeout(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A timeout ends the wait, and the change goes on."""
        cluster.add_action("SMUpdateBDB", Plan(duration=500), bdb_uid=1)

        with pytest.raises(WaitTimeout, match=r"database 1 timed out .*SMUpdateBDB.*goes on"):
            await client.databases.wait(1, timeout=60)
        assert now() == pytest.approx(60, abs=0.1)
        assert cluster.bdbs[1].status(now()) == "active-change-pending"

    async def test_not_found(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A database that does not exist is not found after the grace period."""
        with pytest.raises(ActionNotFound) as caught:
            await client.databases.wait(5)

        assert caught.value.uid == "bdb:5"
        assert now() == pytest.approx(10, abs=0.1)

    async def test_comes(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A database that appears within the grace period is waited for."""
        asyncio.get_running_loop().call_later(5, cluster.add_bdb, 5)

        assert (await client.databases.wait(5)).status == "active"

    async def test_deleted(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A database that is being deleted has settled when it is gone."""
        cluster.add_action("SMDeleteBDB", Plan(duration=30), bdb_uid=1)
        action = await client.databases.wait(1)

        assert (action.status, action.phase) == ("deleted", Phase.COMPLETED)
        assert 1 not in cluster.bdbs

    async def test_vanished(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A database that disappears, and was not seen being deleted, has vanished."""
        cluster.add_action("SMUpdateBDB", Plan(duration=10), bdb_uid=1)
        asyncio.get_running_loop().call_later(
            20, lambda: cluster.add_action("SMDeleteBDB", Plan(duration=10), bdb_uid=1)
        )

        with pytest.raises(ActionVanished, match=r"vanished .*SMUpdateBDB"):
            await client.databases.wait(1, poll=wait_fixed(50))

    async def test_stalled(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A database without any change has stalled, without another request."""
        cluster.add_action("SMUpdateBDB", Plan(outcome="never"), bdb_uid=1)

        with pytest.raises(ActionStalled, match="nothing moved for 1m 00s"):
            await client.databases.wait(1, stall_timeout=60)
        assert set(take_requests(cluster)) == {"GET /v1/bdbs/1"}

    async def test_outage(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An outage is outlasted."""
        cluster.add_action("SMUpdateBDB", Plan(duration=30), bdb_uid=1)
        cluster.inject(times=5, path="/v1/bdbs", status=503)

        assert (await client.databases.wait(1)).status == "active"

    @pytest.mark.parametrize("uid", [-1, True, "1", 1.0, None])
    async def test_bad_uid(self, cluster: FakeCluster, client: ActionsClient, uid: object) -> None:
        """An invalid uid is rejected before any request."""
        with pytest.raises(UsageError, match="not the uid of a database"):
            await client.databases.wait(uid)  # type: ignore[arg-type]

        assert cluster.requests == []

    async def test_cancel(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A change of a database cannot be cancelled, and the client sends no request to do so."""
        with pytest.raises(CancelNotSupported, match="bdb:1"):
            await client.operation("bdb:1").cancel()

        assert cluster.requests == []

    async def test_cancelled_task(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Cancelling the Python task stops the requests, and nothing else."""
        cluster.add_action("SMUpdateBDB", Plan(duration=100), bdb_uid=1)
        waiting = asyncio.create_task(client.databases.wait(1))
        await asyncio.sleep(10)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        take_requests(cluster)
        await asyncio.sleep(100)

        assert take_requests(cluster) == []
        assert cluster.bdbs[1].status(now()) == "active"


class TestGone:
    """Waits until a database is gone."""

    @pytest.mark.parametrize("version", VERSIONS)
    async def test_gone(self, version: Version) -> None:
        """The wait ends when the database is gone."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            uid = cluster.add_action("SMDeleteBDB", Plan(duration=100), bdb_uid=1)
            action = await client.databases.wait_gone(1)

            assert (action.status, action.phase) == ("deleted", Phase.COMPLETED)
            assert 0 <= now() - cluster.actions[uid].ends_at <= 15

    async def test_never_there(self, client: ActionsClient) -> None:
        """A database that does not exist is gone, as the list shows."""
        action = await client.databases.wait_gone(9)

        assert (action.status, action.evidence) == ("deleted", Evidence.LIST)
        assert now() < 1

    @pytest.mark.parametrize("uid", [1, 9], ids=["seen", "never seen"])
    @pytest.mark.parametrize("fault", [{"status": 403}, {"status": 500}, {"status": 404}], ids=str)
    async def test_without_a_list(
        self, cluster: FakeCluster, client: ActionsClient, uid: int, fault: dict[str, int]
    ) -> None:
        """Without a usable list, a second "not found" five seconds later confirms a deletion."""
        cluster.add_action("SMDeleteBDB", Plan(duration=20), bdb_uid=1)
        cluster.inject(path="/v1/bdbs", exact=True, times=None, **fault)  # type: ignore[arg-type]
        action = await client.databases.wait_gone(uid)

        assert (action.status, action.evidence) == ("deleted", Evidence.NOT_FOUND)
        since = 20 if uid == 1 else 0
        assert since + 5 <= now() <= since + 20
        assert action.record.lag_bound is None

    async def test_found_again(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A confirmation needs the same error code twice; a database that is found is not gone."""
        cluster.add_bdb(1)
        cluster.inject(path="/v1/bdbs", exact=True, times=None, status=403)
        for code in ("db_not_found", "no_such_thing", "db_not_found"):
            words = json.dumps({"error_code": code})
            cluster.inject(path="/v1/bdbs/1", times=3, status=404, body=words)

        with pytest.raises(WaitTimeout, match="last seen "):
            await client.databases.wait_gone(1, timeout=60, poll=wait_fixed(1.5))

    @pytest.mark.parametrize(
        "body", ['{"message": "no Route matched"}', "{}", "[]", "<html>", '{"error_code": 404}']
    )
    async def test_gateway(self, cluster: FakeCluster, client: ActionsClient, body: str) -> None:
        """A 404 that is not the API's is an outage."""
        cluster.add_action("SMDeleteBDB", Plan(duration=40), bdb_uid=1)
        waiting = asyncio.ensure_future(client.databases.wait_gone(1))
        await asyncio.sleep(5)
        cluster.inject(times=8, path="/v1/bdbs", status=404, body=body)
        action = await waiting

        assert action.status == "deleted"
        assert now() >= 40
        assert len(action.record.outages) == 1

    async def test_idle(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An active database is not gone."""
        cluster.add_bdb(1)

        with pytest.raises(WaitTimeout, match="last seen "):
            await client.databases.wait_gone(1, timeout=100)

    async def test_not_made(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A database whose creation failed can be deleted: that failure is an older one."""
        cluster.add_action("SMCreateBDB", Plan(duration=0, outcome="failed"), bdb_uid=1)
        asyncio.get_running_loop().call_later(
            20, lambda: cluster.add_action("SMDeleteBDB", Plan(duration=10), bdb_uid=1)
        )

        assert (await client.databases.wait_gone(1)).status == "deleted"

    async def test_failed(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A delete that fails has the cluster's message."""
        cluster.add_action(
            "SMDeleteBDB", Plan(duration=10, outcome="failed", error="stuck"), bdb_uid=1
        )

        with pytest.raises(ActionFailed, match="stuck"):
            await client.databases.wait_gone(1)


class TestStarted:
    """Databases whose changes are started by calls."""

    async def test_delete(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A delete whose answer names an action is followed by that action, to the end of both."""
        cluster.add_bdb(1)
        operation = await client.databases.delete(1)
        action = await operation

        assert operation.ref == f"action:{action.uid}@bdb:1"
        assert 1 not in cluster.bdbs

    @pytest.mark.parametrize("body", ["", "{}", '{"uid": 1, "status": "delete-pending"}'])
    async def test_delete_without_handle(
        self, cluster: FakeCluster, client: ActionsClient, body: str
    ) -> None:
        """A delete whose answer names no action is followed by the database."""
        cluster.add_action("SMDeleteBDB", Plan(duration=50), bdb_uid=1)
        cluster.inject(method="DELETE", status=200, body=body)
        operation = await client.databases.delete(1)

        assert operation.ref == "bdb:1@gone,after"
        assert (await operation).status == "deleted"
        assert now() >= 50

    async def test_lost_delete(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A deletion whose answer was lost has a reference to follow."""
        cluster.add_bdb(1)
        cluster.inject(method="DELETE", lose=True)
        with pytest.raises(AnswerLost) as caught:
            await client.databases.delete(1)

        assert caught.value.ref == "bdb:1@gone,after"
        assert (await client.operation(caught.value.ref)).status == "deleted"
        assert [path for path in take_requests(cluster) if "DELETE" in path] == [
            "DELETE /v1/bdbs/1"
        ]

    async def test_lost_update(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A change whose answer was lost has a reference, which settles with the database."""
        cluster.add_bdb(1)
        cluster.inject(method="PUT", lose=True)
        cluster.plan("PUT", "/v1/bdbs/1", Plan(duration=40))
        with pytest.raises(AnswerLost) as caught:
            await client.databases.update(1, {"memory_size": 5})

        assert caught.value.ref == "bdb:1@lost"
        assert (await client.operation(caught.value.ref)).status == "active"
        assert now() >= 40
        assert cluster.bdbs[1].config(now())["memory_size"] == 5

    async def test_update_that_was_not_executed(
        self, cluster: FakeCluster, client: ActionsClient
    ) -> None:
        """A change that the cluster never executed is not reported as completed."""
        cluster.add_bdb(1)
        cluster.inject(method="PUT", drop=True)
        with pytest.raises(AnswerLost) as caught:
            await client.databases.update(1, {"memory_size": 5})

        with pytest.raises(ActionNotFound, match="the cluster may not have executed the call"):
            await client.operation(caught.value.ref)
        assert cluster.bdbs[1].config(now())["memory_size"] != 5

    async def test_update_behind_other_work(
        self, cluster: FakeCluster, client: ActionsClient
    ) -> None:
        """Work that was under way before the call does not stand for a call that was lost."""
        cluster.add_action("SMUpdateBDB", Plan(duration=30), bdb_uid=1)
        cluster.inject(method="PUT", drop=True)
        with pytest.raises(AnswerLost) as caught:
            await client.databases.update(1, {"memory_size": 5})

        assert caught.value.ref == "bdb:1@lost-busy"
        with pytest.raises(ActionVanished, match="may not have executed the call"):
            await client.operation(caught.value.ref)

    async def test_unknown_state_before(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """If the state before a lost call could not be read, only new work completes the wait."""
        cluster.add_bdb(1)
        cluster.inject(method="GET", path="/v1/bdbs", status=403)
        cluster.inject(method="PUT", drop=True)
        with pytest.raises(AnswerLost) as caught:
            await client.databases.update(1, {"memory_size": 5})

        assert caught.value.ref == "bdb:1@lost-busy"
        with pytest.raises(ActionNotFound, match="may not have executed the call"):
            await client.operation(caught.value.ref)

    async def test_busy(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """With `busy_timeout`, a call on a busy database is retried until it is accepted."""
        cluster.add_action("SMUpdateBDB", Plan(duration=30), bdb_uid=1)
        with pytest.raises(RequestRejected, match="409: db_busy"):
            await client.databases.update(1, {"memory_size": 5})

        operation = await client.databases.update(1, {"memory_size": 5}, busy_timeout=60)
        assert now() >= 30
        assert (await operation).phase is Phase.COMPLETED

    async def test_nothing_to_do(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A change without effect is followed by its database, and has a second to begin."""
        cluster.add_bdb(1, name="shop")
        operation = await client.databases.update(1, NAME)

        assert (operation.done, operation.ref) == (False, "bdb:1@unchanged")
        assert (await operation).evidence is Evidence.QUIET
        assert now() == pytest.approx(1, abs=0.1)

    @pytest.mark.parametrize("shown", [{}, {"status": "active", "uid": 1}], ids=str)
    async def test_change_without_handle(
        self, cluster: FakeCluster, client: ActionsClient, shown: dict[str, object]
    ) -> None:
        """A change whose answer names no action is waited for once the database shows it."""
        cluster.add_bdb(1)
        cluster.inject(method="PUT", status=200, body=json.dumps(shown))
        asyncio.get_running_loop().call_later(
            0.8, lambda: cluster.add_action("SMUpdateBDB", Plan(duration=30), bdb_uid=1)
        )
        operation = await client.databases.update(1, NAME)

        assert operation.ref == ("bdb:1@unchanged" if shown else "bdb:1@after")
        await operation
        assert now() >= 30.8

    async def test_database_forbidden(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The call is sent although the user may not see the database."""
        cluster.add_bdb(1)
        cluster.inject(method="GET", status=403)
        cluster.inject(method="POST", status=200)
        operation = await client.submit("POST", "/v1/bdbs/1/modules/upgrade")

        assert operation.ref == "bdb:1"


class TestShared:
    """Several databases, and one list."""

    async def test_requests(self) -> None:
        """The number of requests does not grow with the number of databases."""
        counts = []
        for count in (2, 30):
            async with FakeCluster() as cluster, client_of(cluster) as client:
                for uid in range(1, count + 1):
                    cluster.add_action("SMUpdateBDB", Plan(duration=100), bdb_uid=uid)
                wanted = [f"bdb:{uid}" for uid in range(1, count + 1)]
                ended = await client.wait_for(*wanted, poll=wait_fixed(5))

                assert [action.uid for action in ended] == wanted
                counts.append(len(cluster.requests))
        assert counts[0] == pytest.approx(counts[1], abs=1)

    async def test_mixed(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Changes, deletions and transfers share one list, and end separately."""
        cluster.add_action("SMUpdateBDB", Plan(duration=100), bdb_uid=1)
        cluster.add_action("SMDeleteBDB", Plan(duration=200), bdb_uid=2)
        for transfer in ("export", "import", "backup"):
            cluster.start_transfer(3, transfer, Plan(duration=300))  # type: ignore[arg-type]
        wanted = ["bdb:1", "bdb:2@gone", "export:3", "import:3", "backup:3"]
        ended = await client.wait_for(*wanted, poll=wait_fixed(10))

        statuses = ["active", "deleted", "succeeded", "succeeded", "succeeded"]
        assert [action.status for action in ended] == statuses
        paths = [path for path in take_requests(cluster) if "?fields=" not in path]
        assert len(paths) <= 2  # the one that is gone from the list

    @pytest.mark.parametrize(("version", "refused"), [("7.8", True), ("8.0", False)])
    async def test_fields(self, version: Version, refused: bool) -> None:
        """The client asks for the fields that it reads, until a version rejects that."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            for uid in (1, 2):
                cluster.add_action("SMUpdateBDB", Plan(duration=60), bdb_uid=uid)
            await client.wait_for("bdb:1", "bdb:2", poll=wait_fixed(5))

            lists = [
                path for path in take_requests(cluster) if not path.startswith("GET /v1/bdbs/")
            ]
            assert lists[0].startswith("GET /v1/bdbs?fields=status,uid,")
            assert len(lists) > 5
            others = {path.partition("?")[1] for path in lists[1:]}
            assert others == ({""} if refused else {"?"})

    @pytest.mark.parametrize("status", [400, 406])
    async def test_refused(self, cluster: FakeCluster, client: ActionsClient, status: int) -> None:
        """A list that is refused with and without fields is refused."""
        cluster.inject(times=None, path="/v1/bdbs", status=status)

        found = await client._parts.sources.databases.fetch_many(wanted_of({bdb(1): None}), None)
        assert found is NO_LIST
        assert ["?fields=" in path for path in take_requests(cluster)] == [True, False]

    async def test_other_refusals(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """After any other refusal, the list is not requested without fields."""
        cluster.inject(path="/v1/bdbs", status=405)

        found = await client._parts.sources.databases.fetch_many(wanted_of({bdb(1): None}), None)
        assert found is NO_LIST
        assert len(take_requests(cluster)) == 1

    async def test_forbidden_list(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """If the list is forbidden, each database is fetched alone."""
        for uid in (1, 2, 3):
            cluster.add_action("SMUpdateBDB", Plan(duration=100), bdb_uid=uid)
        cluster.inject(path="/v1/bdbs", status=403)
        wanted = [f"bdb:{uid}" for uid in (1, 2, 3)]
        ended = await client.wait_for(*wanted, poll=wait_fixed(10))

        assert [action.status for action in ended] == ["active"] * 3
        first, *others = take_requests(cluster)
        assert first.startswith("GET /v1/bdbs?fields")
        assert set(others) == {f"GET /v1/bdbs/{uid}" for uid in (1, 2, 3)}

    async def test_forbidden_alone(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A database that we may not see says which permission it needs."""
        cluster.inject(path="/v1/bdbs", status=403)

        with pytest.raises(AuthenticationError, match="needs the permission view_bdb_info"):
            await client.databases.wait(1)

    async def test_missing(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The result of a list leaves out databases that the list does not show."""
        cluster.add_bdb(1)
        wanted = dict.fromkeys((bdb(1), bdb(2), bdb(2, GONE)))
        found = await client._parts.sources.databases.fetch_many(wanted_of(wanted), None)

        assert set(found.changed) == {bdb(1)}
        assert found.cost == 1

    async def test_cost(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A long list costs as much as several requests."""
        name = "x" * 30_000
        for _ in range(5):
            cluster.add_bdb(name=name)
        found = await client._parts.sources.databases.fetch_many(wanted_of({bdb(1): None}), None)

        assert 4 < found.cost < 6

    async def test_bad_entry(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """One unreadable entry does not affect the others, and is requested alone."""
        cluster.add_action("SMUpdateBDB", Plan(duration=100), bdb_uid=1)
        cluster.add_action("SMUpdateBDB", Plan(duration=50), bdb_uid=2)
        cluster.inject(times=None, path="/v1/bdbs", bad_entry=True)
        ended = await client.wait_for("bdb:1", "bdb:2")

        assert [action.status for action in ended] == ["active", "active"]
        assert "GET /v1/bdbs/1" in take_requests(cluster)

    @pytest.mark.parametrize("body", ["<html>not here</html>", "", "[]"])
    async def test_strange_404(
        self, cluster: FakeCluster, client: ActionsClient, body: str
    ) -> None:
        """A 404 that is not the REST API's says nothing about a database."""
        cluster.inject(times=2, path="/v1/bdbs", status=404, body=body)
        for call in (
            client._parts.sources.databases.fetch(bdb(1, GONE), None),
            client._parts.sources.databases.fetch_many(wanted_of({bdb(1): None}), None),
        ):
            with pytest.raises(UnreadableReply, match="a 404 that is not the REST API's"):
                await call


class TestSecrets:
    """Databases hold passwords."""

    async def test_unreadable(self, client: ActionsClient, cluster: FakeCluster) -> None:
        """An answer that cannot be read is described, and not quoted."""
        body = json.dumps({"authentication_admin_pass": DATABASE_SECRET})
        cluster.inject(times=None, path="/v1/bdbs", status=200, body=body)

        with pytest.raises(ClusterUnreachable, match="not a database object") as caught:
            await client.databases.wait(1, outage_timeout=5)
        assert DATABASE_SECRET not in f"{caught.value!r} {vars(caught.value)}"

    async def test_shown(
        self, cluster: FakeCluster, client: ActionsClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No action and no `repr` shows the secrets of a database; `Operation.answer` does."""
        cluster.add_bdb(1)
        operation = await client.databases.upgrade(1)
        seen: list[Action] = [await operation, await client.databases.wait(1)]

        assert DATABASE_SECRET not in f"{operation!r} {seen!r} {caplog.text}"
        assert DATABASE_SECRET in str(operation.answer)

    @pytest.mark.parametrize("status", ["active", "x" * 1_000_000])
    async def test_odd_sizes(self, status: str) -> None:
        """A status of a million characters is unknown; `active` is completed."""
        client = ActionsClient("http://127.0.0.1:1", token="t")
        body = json.dumps({"uid": 1, "status": status})
        with aioresponses() as mocked:
            mocked.get("http://127.0.0.1:1/v1/bdbs/1", body=body, repeat=True)
            found = await client._parts.sources.databases.fetch(bdb(1), None)
        await client.aclose()

        assert found is not None
        phase = found.action.phase if isinstance(found, AmbiguousAnswer) else found.phase
        assert phase is (Phase.COMPLETED if status == "active" else Phase.UNKNOWN)
