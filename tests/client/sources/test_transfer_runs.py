"""Tests of `_client.sources.transfer_runs`."""

from __future__ import annotations

import asyncio
import random
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenacity import wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    ActionStalled,
    ActionVanished,
    AnswerLost,
    CancelNotSupported,
    Evidence,
    Kind,
    Phase,
    RequestRejected,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.sources.transfer_runs import (
    Baseline,
    baseline_of,
    find_run,
    is_old_result,
    parse_baseline,
    transfer_action,
    was_busy_before,
)
from redis_enterprise_actions._client.wire.databases import TransferStatus, WireDatabase
from redis_enterprise_actions._model.action import Ambiguity, AmbiguousAnswer
from redis_enterprise_actions._model.reference import Reference, ReferenceKind, parse_reference
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of, examples

from .conftest import wanted_of


if TYPE_CHECKING:
    from redis_enterprise_actions import Operation
    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions.testing import Transfer, Version

pytestmark = pytest.mark.core

Started: TypeAlias = Literal["export", "import"]
Result: TypeAlias = Literal["completed", "failed"]


def bytes_of(reply: Reply) -> bytes:
    """Return the body of a reply."""
    return reply.body


STARTED: list[Started] = ["export", "import"]
TRANSFERS: list[Transfer] = ["export", "import", "backup"]
OLD_AND_NEW: list[Version] = ["7.4", "8.0"]
PLACE = {"type": "url", "url": "ftp://backup.example.com/x.rdb"}


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def later(seconds: float, call: object, *args: object) -> None:
    """Call something after some of the loop's time."""
    asyncio.get_running_loop().call_later(seconds, call, *args)  # type: ignore[arg-type]


def path_of(kind: str) -> str:
    """Return the path that starts a transfer of database 1."""
    return f"/v1/bdbs/1/actions/{kind}"


async def start(client: ActionsClient, kind: Started, **options: float) -> Operation:
    """Start a transfer of database 1."""
    if kind == "export":
        return await client.databases.export(1, PLACE, **options)
    return await client.databases.import_(1, [PLACE], **options)


async def wait_for(client: ActionsClient, kind: Transfer, **options: float) -> Action:
    """Wait for a transfer of database 1 that another user has started."""
    call = {
        "export": client.databases.wait_export,
        "import": client.databases.wait_import,
        "backup": client.databases.wait_backup,
    }[kind]
    return await call(1, **options)  # type: ignore[arg-type]


def before(standing: TransferStatus, kind: ReferenceKind = ReferenceKind.EXPORT) -> Reference:
    """Return the reference for a call that is made while the last transfer has this status."""
    return baseline_of(standing).write_to(Reference(kind, "1"))


def posts(cluster: FakeCluster) -> list[int | None]:
    """Return the status of each answer to a call that starts something."""
    return [seen.status for seen in cluster.requests if seen.method == "POST"]


def no_resets(cluster: FakeCluster) -> None:
    """Refuse every reset of a status."""
    for kind in TRANSFERS:
        cluster.inject(times=None, path=f"{path_of(kind)}_reset_status", status=403)


class TestNewRun:
    """The result of an older run is never taken for that of the new one."""

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("version", OLD_AND_NEW)
    @pytest.mark.parametrize("kind", STARTED)
    @pytest.mark.parametrize("before", [None, "completed", "failed"])
    @pytest.mark.parametrize("queued", [0, 30])
    async def test_reset(
        self, version: Version, kind: Started, before: Result | None, queued: float
    ) -> None:
        """If the last result can be reset, any result is that of the new transfer."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            if before is not None:
                cluster.start_transfer(1, kind, Plan(duration=0, outcome=before))
            cluster.plan("POST", path_of(kind), Plan(queued=queued, duration=50))
            operation = await start(client, kind)
            action = await operation

            assert (action.status, action.phase) == ("succeeded", Phase.COMPLETED)
            assert queued + 50 <= now() <= queued + 65
            assert operation.ref is not None
            assert operation.ref.startswith(f"{kind}:1@idle,")

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("version", OLD_AND_NEW)
    @pytest.mark.parametrize("before", ["completed", "failed"])
    @pytest.mark.parametrize("outcome", ["completed", "failed"])
    @pytest.mark.parametrize("kind", STARTED)
    async def test_no_reset(
        self, version: Version, kind: Started, before: Result, outcome: Result
    ) -> None:
        """Without a reset, the result of a transfer that was seen in progress is its own."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.start_transfer(1, kind, Plan(duration=0, outcome=before, error="old"))
            no_resets(cluster)
            cluster.plan(
                "POST", path_of(kind), Plan(queued=30, duration=50, outcome=outcome, error="new")
            )
            operation = await start(client, kind)
            status = {"completed": "succeeded", "failed": "failed"}
            assert operation.ref is not None
            assert operation.ref.startswith(f"{kind}:1@{status[before]},")

            if outcome == "failed":
                with pytest.raises(ActionFailed, match="new"):
                    await operation
            else:
                assert (await operation).status == "succeeded"
            assert 80 <= now() <= 95

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("version", OLD_AND_NEW)
    @pytest.mark.parametrize("kind", STARTED)
    @pytest.mark.parametrize("before", [None, "completed", "failed"])
    async def test_at_once(self, version: Version, kind: Started, before: Result | None) -> None:
        """A transfer that ends before the first poll has a result that was not there before."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            if before is not None:
                cluster.start_transfer(1, kind, Plan(duration=0, outcome=before))
                await asyncio.sleep(10)
            cluster.plan("POST", path_of(kind), Plan(duration=0))
            began = now()

            assert (await (await start(client, kind))).status == "succeeded"
            assert now() - began < 1

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("version", OLD_AND_NEW)
    async def test_reset_result_comes_back(self, version: Version) -> None:
        """A success that was reset before the call, and is shown again, is not that of the call."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.start_transfer(1, "export", Plan(duration=0))
            await asyncio.sleep(10)
            stale = await client._transport.get("/v1/bdbs/1", permission="", decode=bytes_of)
            cluster.plan("POST", path_of("export"), Plan(duration=60))
            export, began = await start(client, "export"), now()
            cluster.inject(path="/v1/bdbs", times=3, status=200, body=stale)

            assert (await export).status == "succeeded"
            assert now() - began >= 60

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("kind", STARTED)
    async def test_unseen_change(self, kind: Started) -> None:
        """Without a reset, a result counts if its status or its time differs from the baseline."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.start_transfer(1, kind, Plan(duration=0))
            await asyncio.sleep(10)
            no_resets(cluster)
            cluster.plan("POST", path_of(kind), Plan(duration=0))
            again = await start(client, kind)
            cluster.plan("POST", path_of(kind), Plan(duration=0, outcome="failed", error="new"))
            if kind == "export":
                assert (await again).status == "succeeded"
            else:  # of which there is no time
                with pytest.raises(ActionNotFound):
                    await again

            failing = await start(client, kind)
            with pytest.raises(ActionFailed, match="new"):
                await failing

    @pytest.mark.parametrize("age", [0, 1, 100])
    @pytest.mark.parametrize("kind", STARTED)
    async def test_only_an_older_one(
        self, cluster: FakeCluster, client: ActionsClient, kind: Started, age: float
    ) -> None:
        """An older run, however recent, is not taken for a run that never began."""
        cluster.start_transfer(1, kind, Plan(duration=0))
        await asyncio.sleep(age)
        cluster.inject(method="POST", drop=True)
        with pytest.raises(AnswerLost) as caught:
            await start(client, kind)
        began = now()

        assert caught.value.ref is not None
        with pytest.raises(ActionNotFound):
            await client.operation(caught.value.ref)
        assert now() - began == pytest.approx(60, abs=1)

    @pytest.mark.parametrize(
        ("runs", "last", "ours"),
        [
            ("running 1000", None, "running 1000"),
            ("running 998", None, "running 998"),
            ("running 997", None, None),
            ("running 0", None, None),
            ("queued 998", None, "queued 998"),
            ("pondering 998", None, "pondering 998"),
            ("completed 1001", None, "completed 1001"),
            ("completed 1060", None, "completed 1060"),
            ("completed 1061", None, None),
            ("completed 1000", None, "completed 1000"),
            ("failed 999", None, None),
            ("failed 900, completed 1001, running 1030", None, "completed 1001"),
            ("failed 1000, completed 1001", None, "failed 1000"),
            ("failed 999, running 1000", None, "running 1000"),
            ("failed 1000, running 1000", None, None),
            ("running 998, running 999", None, None),
            ("completed 1000", 1000, "completed 1000"),
            ("failed 999, running 1000", 999, "failed 999"),
            ("completed 999", 1000, None),
            ("", None, None),
        ],
    )
    def test_run_of(self, runs: str, last: float | None, ours: str | None) -> None:
        """A run is found in v2 by its start: soon after the call, or as it was seen before."""
        shown = [
            other(Kind.OTHER, float(began), status)
            for status, began in map(str.split, filter(None, runs.split(", ")))
        ]
        seen = None if last is None else other(Kind.OTHER, last)
        found = find_run(shown, 1_000_500, seen)

        assert found == (None if ours is None else shown[runs.split(", ").index(ours)])


def other(kind: Kind, began: float, status: str = "running") -> Action:
    """Return an export as v2 shows it."""
    phases = {"running": Phase.RUNNING, "queued": Phase.PENDING, "pondering": Phase.UNKNOWN}
    ended = {"completed": Phase.COMPLETED, "failed": Phase.FAILED}
    return Action(
        uid="x",
        name="export",
        kind=kind,
        status=status,
        phase=(phases | ended)[status],
        creation_time=datetime.fromtimestamp(began, UTC) if began else None,
    )


@pytest.mark.enable_socket
class TestEnds:
    """Ends of a transfer that this client has started."""

    @pytest.mark.parametrize("kind", STARTED)
    async def test_watched(
        self, cluster: FakeCluster, client: ActionsClient, kind: Started
    ) -> None:
        """A transfer is followed by its progress, to its end, under one name."""
        cluster.add_bdb(1)
        cluster.plan("POST", path_of(kind), Plan(duration=100, progress="linear"))
        seen = [action async for action in await start(client, kind)]

        assert {action.uid for action in seen} == {f"{kind}:1"}
        assert {action.title for action in seen} == {f"{kind} on bdb:1"}
        progress = [action.progress for action in seen[:-1] if action.progress is not None]
        assert progress == sorted(set(progress))
        assert len(progress) > 3
        assert (seen[-1].status, seen[-1].progress) == ("succeeded", None)

    @pytest.mark.parametrize("version", OLD_AND_NEW)
    @pytest.mark.parametrize("kind", STARTED)
    async def test_failed(self, version: Version, kind: Started) -> None:
        """A failure has the cluster's words."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.plan(
                "POST", path_of(kind), Plan(duration=10, outcome="failed", error="no-space")
            )
            operation = await start(client, kind)

            with pytest.raises(ActionFailed, match="no-space") as caught:
                await operation
            assert (caught.value.uid, caught.value.error) == (f"{kind}:1", "no-space")
            assert caught.value.error_code is None

    @pytest.mark.parametrize("kind", STARTED)
    async def test_timeout(
        self, cluster: FakeCluster, client: ActionsClient, kind: Started
    ) -> None:
        """A timeout ends the wait at its time, and the work goes on."""
        cluster.add_bdb(1)
        cluster.plan("POST", path_of(kind), Plan(duration=500))
        operation = await start(client, kind)

        with pytest.raises(WaitTimeout, match="goes on"):
            await operation.wait(timeout=60)
        assert now() == pytest.approx(60, abs=0.1)
        assert (await operation).status == "succeeded"

    @pytest.mark.parametrize("kind", STARTED)
    async def test_stalled(
        self, cluster: FakeCluster, client: ActionsClient, kind: Started
    ) -> None:
        """A transfer without movement stalls, and no further request verifies that."""
        cluster.add_bdb(1)
        cluster.plan("POST", path_of(kind), Plan(outcome="never"))
        operation = await start(client, kind)
        cluster.requests.clear()

        with pytest.raises(ActionStalled) as caught:
            await operation.wait(stall_timeout=100)
        assert len(cluster.requests) == caught.value.polls

    async def test_never_begun(self) -> None:
        """A transfer that was accepted, but does not begin within a minute, is not found."""
        async with FakeCluster(version="7.4") as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.plan("POST", path_of("export"), Plan(queued=1000))
            operation = await start(client, "export")

            with pytest.raises(ActionNotFound):
                await operation
            assert now() == pytest.approx(60, abs=0.1)

    @pytest.mark.parametrize("kind", STARTED)
    async def test_cancel(self, cluster: FakeCluster, client: ActionsClient, kind: Started) -> None:
        """A transfer cannot be cancelled, and the client sends no request to do so."""
        cluster.add_bdb(1)
        operation = await start(client, kind)
        cluster.requests.clear()

        with pytest.raises(CancelNotSupported, match=f"{kind}:1"):
            await operation.cancel()
        assert cluster.requests == []

    @pytest.mark.parametrize("kind", STARTED)
    async def test_no_database(
        self, cluster: FakeCluster, client: ActionsClient, kind: Started
    ) -> None:
        """A call for a database that does not exist is rejected."""
        with pytest.raises(RequestRejected, match="404: db_not_exist"):
            await start(client, kind)

        assert posts(cluster) == [404]

    @pytest.mark.parametrize("kind", STARTED)
    async def test_database_forbidden(
        self, cluster: FakeCluster, client: ActionsClient, kind: Started
    ) -> None:
        """A user who may not see the database can start a transfer."""
        cluster.add_bdb(1)
        cluster.inject(method="GET", status=403)
        operation = await start(client, kind)

        assert operation.ref is not None
        assert re.fullmatch(rf"{kind}:1@,,\d{{13}}", operation.ref)
        assert (await operation).status == "succeeded"


class TestVanished:
    """Transfers that were seen and then are not: the database may show the end."""

    async def after_reset(self, cluster: FakeCluster, operation: Operation, kind: str) -> Action:
        """Reset the status between two polls, after the run has ended."""
        await asyncio.sleep(20)
        later(80, cluster.bdbs[1].transfers[kind].reset, now() + 80)  # type: ignore[index]
        return await operation.wait(poll=wait_fixed(100))

    async def test_succeeded(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An export whose status was reset has succeeded if the time of the last success moved."""
        cluster.start_transfer(1, "export", Plan(duration=0))
        await asyncio.sleep(10)
        cluster.plan("POST", path_of("export"), Plan(duration=50))
        action = await self.after_reset(cluster, await start(client, "export"), "export")

        assert (action.uid, action.phase) == ("export:1", Phase.COMPLETED)
        assert action.evidence is Evidence.DATABASE

    async def test_failed(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Without a success in between, the end of a vanished transfer is unknown."""
        cluster.start_transfer(1, "export", Plan(duration=0))
        await asyncio.sleep(10)
        cluster.plan("POST", path_of("export"), Plan(duration=50, outcome="failed"))

        with pytest.raises(
            ActionVanished, match=r"export on bdb:1.* vanished after .*, last seen running"
        ):
            await self.after_reset(cluster, await start(client, "export"), "export")

    async def test_import(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A vanished import has an unknown end, as imports have no time of the last success."""
        cluster.add_bdb(1)
        cluster.plan("POST", path_of("import"), Plan(duration=50))

        with pytest.raises(ActionVanished):
            await self.after_reset(cluster, await start(client, "import"), "import")

    @pytest.mark.parametrize("kind", TRANSFERS)
    async def test_by_name(
        self, cluster: FakeCluster, client: ActionsClient, kind: Transfer
    ) -> None:
        """Without a baseline a vanished transfer is not verified."""
        cluster.start_transfer(1, kind, Plan(duration=50))
        cluster.requests.clear()

        with pytest.raises(ActionVanished) as caught:
            await self.after_reset(cluster, client.operation(f"{kind}:1"), kind)
        assert len(cluster.requests) == caught.value.polls

    @pytest.mark.enable_socket
    @pytest.mark.parametrize("version", OLD_AND_NEW)
    async def test_another_since(self, version: Version) -> None:
        """A later transfer that runs now says nothing about the end of the first one."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.plan("POST", path_of("export"), Plan(duration=5))
            operation = await start(client, "export")
            await asyncio.sleep(20)
            cluster.start_transfer(1, "export", Plan(duration=1000))
            ref = parse_reference(operation.ref or "")
            known = {"uid": ref.name, "elapsed": 1.0, "polls": 1}
            unverified = ActionVanished(**known, action=other(Kind.EXPORT, 0))  # type: ignore[arg-type]
            ended = await client._parts.sources.databases.verify(ref, unverified, None)

            found = await client._parts.sources.databases.fetch_many(wanted_of({ref: None}), None)

            assert ended is None
            assert found.changed[ref].phase is Phase.RUNNING  # type: ignore[union-attr]

    @pytest.mark.enable_socket
    async def test_end_in_a_list(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An end in a list is ignored, so that the transfer is requested alone, with v2."""
        cluster.add_bdb(1)
        operation = await start(client, "export")
        await operation
        ref = parse_reference(operation.ref or "")

        assert (
            await client._parts.sources.databases.fetch_many(wanted_of({ref: None}), None)
        ).changed == {}

    async def test_no_database(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A transfer whose database is deleted meanwhile has vanished."""
        cluster.start_transfer(1, "export", Plan(duration=0))
        cluster.plan("POST", path_of("export"), Plan(duration=100))
        operation = await start(client, "export")
        later(30, lambda: cluster.add_action("SMDeleteBDB", Plan(duration=5)))

        with pytest.raises(ActionVanished):
            await operation
        assert now() < 60


@pytest.mark.enable_socket
class TestBusy:
    """Runs that others have started."""

    @pytest.mark.parametrize("kind", STARTED)
    async def test_busy(self, cluster: FakeCluster, client: ActionsClient, kind: Started) -> None:
        """While a transfer is in progress, another one is refused."""
        cluster.start_transfer(1, kind, Plan(duration=100))

        with pytest.raises(RequestRejected, match="409: db_busy"):
            await start(client, kind)
        assert posts(cluster) == [409]

    @pytest.mark.parametrize("version", OLD_AND_NEW)
    @pytest.mark.parametrize("reset", [True, False], ids=["reset", "no reset"])
    @pytest.mark.parametrize("kind", STARTED)
    async def test_waits_its_turn(self, version: Version, kind: Started, reset: bool) -> None:
        """With `busy_timeout` it follows the other one, whose result is not taken for its own."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.start_transfer(1, kind, Plan(duration=50, outcome="failed", error="theirs"))
            if not reset:
                no_resets(cluster)
            cluster.plan("POST", path_of(kind), Plan(queued=30, duration=100))
            operation = await start(client, kind, busy_timeout=300)
            taken = now()

            assert taken >= 50
            assert posts(cluster)[-1] == 200
            assert set(posts(cluster)[:-1]) == {409}
            assert (await operation).status == "succeeded"
            assert now() >= taken + 130

    @pytest.mark.parametrize("version", OLD_AND_NEW)
    @pytest.mark.parametrize("result", ["completed", "failed"])
    @pytest.mark.parametrize("kind", STARTED)
    async def test_ends_before_ours(self, version: Version, kind: Started, result: Result) -> None:
        """A transfer that ends while our call is in flight does not give its result to ours."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.start_transfer(1, kind, Plan(duration=5, outcome=result, error="theirs"))
            cluster.inject(method="POST", delay=10)
            cluster.plan("POST", path_of(kind), Plan(queued=30, duration=100))
            operation = await start(client, kind)

            assert posts(cluster) == [200]
            assert (await operation).status == "succeeded"
            assert 140 <= now() <= 160

    async def test_second_read_forbidden(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """If the database may not be read again, the baseline is the transfer in progress."""
        cluster.start_transfer(1, "export", Plan(duration=5))
        cluster.inject(method="POST", delay=10)
        later(5, lambda: cluster.inject(method="GET", status=403))
        operation = await start(client, "export")

        assert operation.ref is not None
        assert operation.ref.startswith("export:1@exporting,")

    @pytest.mark.parametrize("kind", STARTED)
    async def test_begins_before_ours(
        self, cluster: FakeCluster, client: ActionsClient, kind: Started
    ) -> None:
        """A transfer that begins while our call is in flight does not give its result to ours."""
        cluster.add_bdb(1)
        later(2, lambda: cluster.start_transfer(1, kind, Plan(duration=20, outcome="failed")))
        cluster.inject(method="POST", delay=5)
        cluster.plan("POST", path_of(kind), Plan(queued=30, duration=100))
        operation = await start(client, kind, busy_timeout=100)
        taken = now()

        assert (await operation).status == "succeeded"
        assert now() >= taken + 130


@pytest.mark.enable_socket
class TestLostAnswer:
    """The answer to the call that starts it is lost."""

    @pytest.mark.parametrize("version", OLD_AND_NEW)
    @pytest.mark.parametrize("kind", STARTED)
    @pytest.mark.parametrize("before", [None, "completed"])
    async def test_taken(self, version: Version, kind: Started, before: Result | None) -> None:
        """A transfer that did start is found by the baseline, and is not started again."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            if before is not None:
                cluster.start_transfer(1, kind, Plan(duration=0, outcome=before))
            cluster.inject(method="POST", lose=True)
            cluster.plan("POST", path_of(kind), Plan(queued=1, duration=50))
            operation = await start(client, kind)

            assert (await operation).status == "succeeded"
            assert now() >= 51
            assert posts(cluster) == [None]

    @pytest.mark.parametrize("version", OLD_AND_NEW)
    @pytest.mark.parametrize("kind", STARTED)
    async def test_not_taken(self, version: Version, kind: Started) -> None:
        """A transfer that did not start is not found, and the error has its reference."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.inject(method="POST", drop=True)
            with pytest.raises(AnswerLost) as caught:
                await start(client, kind)

            assert posts(cluster) == [None]
            assert caught.value.ref is not None
            with pytest.raises(ActionNotFound):
                await client.operation(caught.value.ref)

    @pytest.mark.parametrize("fault", [{"lose": True}, {"status": 503}], ids=str)
    async def test_another_under_way(
        self, cluster: FakeCluster, client: ActionsClient, fault: dict[str, object]
    ) -> None:
        """While another one is in progress, no call is sent again after a lost answer or a 503."""
        cluster.start_transfer(1, "export", Plan(duration=100))
        cluster.inject(method="POST", **fault)  # type: ignore[arg-type]

        with pytest.raises(AnswerLost):
            await start(client, "export")
        assert len(posts(cluster)) == 1

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize("times", [1, 40])
    @pytest.mark.parametrize("version", OLD_AND_NEW)
    async def test_not_now(self, version: str, status: int, times: int) -> None:
        """An export that is answered 429 or 503, and began nothing, is sent again.

        The run is known by the time at which it was sent, however long that took.
        """
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.inject(method="POST", status=status, times=times)
            cluster.plan("POST", "/v1/bdbs/1/actions/export", Plan(duration=1))
            operation = await start(client, "export")

            assert posts(cluster) == [status] * times + [200]
            assert (await operation).status == "succeeded"

    async def test_import_not_now(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An import that is answered 503 is not sent again: it drops what was written since."""
        cluster.add_bdb(1)
        cluster.inject(method="POST", status=503)
        with pytest.raises(AnswerLost):
            await start(client, "import")

        assert posts(cluster) == [503]


@pytest.mark.enable_socket
@pytest.mark.parametrize("seed", range(40))
async def test_any_day(seed: int) -> None:
    """Other transfers and lost answers never give a transfer the end of another one.

    A transfer does not start twice, and none is reported as ended before its end. If the answer is
    lost, a transfer that others start meanwhile cannot be distinguished from it.
    """
    lots = random.Random(seed)
    kind = lots.choice(STARTED)
    async with (
        FakeCluster(version=lots.choice(OLD_AND_NEW)) as cluster,
        client_of(cluster) as client,
    ):
        cluster.add_bdb(1)
        for _ in range(lots.randrange(3)):
            result = lots.choice(["completed", "failed"])
            cluster.start_transfer(1, kind, Plan(duration=0, outcome=result, error="theirs"))
        if lots.random() < 0.4:
            no_resets(cluster)
        if lots.random() < 0.4:
            later(lots.uniform(0, 12), begin_another, cluster, kind, lots)
            await asyncio.sleep(10)
        fault = lots.choice([{}, {"lose": True}, {"status": 503}])
        cluster.inject(method="POST", delay=lots.choice([0.001, 5, 10]), **fault)
        cluster.plan(
            "POST",
            path_of(kind),
            Plan(
                queued=lots.choice([0, 20]),
                duration=lots.choice([0, 3, 60]),
                outcome=lots.choice(["completed", "failed"]),
                error="ours",
            ),
        )
        end: Action | None
        called = now()
        try:
            end = await last_of(await start(client, kind, busy_timeout=300, outage_timeout=60))
        except (AnswerLost, ActionNotFound, ActionVanished):
            end = None
        runs = cluster.bdbs[1].transfers[kind]._runs
        ours = [run for run in runs if run.error == "ours"]
        crossed = any(run.began_at >= called for run in runs if run.error == "theirs")

        assert len(ours) <= 1
        if end is not None and not (fault and crossed):
            ends = {"completed": "succeeded", "failed": "failed"}
            assert [(ends[run.outcome], run.ends_at <= now()) for run in ours] == [
                (end.status.replace("completed", "succeeded"), True)
            ]


def begin_another(cluster: FakeCluster, kind: Transfer, lots: random.Random) -> None:
    """Start a transfer for another user, unless one is in progress."""
    if not cluster.bdbs[1].transfers[kind].running(now()):
        result = lots.choice(["completed", "failed"])
        seconds = lots.choice([12, 30])  # longer than a call of ours is on its way
        cluster.start_transfer(1, kind, Plan(duration=seconds, outcome=result, error="theirs"))


async def last_of(operation: Operation) -> Action:
    """Return how something ended, well or not."""
    seen = [action async for action in operation]
    return seen[-1]


@pytest.mark.enable_socket
class TestByName:
    """Transfers that another user has started, and the client waits for by name."""

    @pytest.mark.parametrize("version", OLD_AND_NEW)
    @pytest.mark.parametrize("kind", TRANSFERS)
    async def test_under_way(self, version: Version, kind: Transfer) -> None:
        """A transfer in progress is waited for, whatever the result of the one before."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.start_transfer(1, kind, Plan(duration=0, outcome="failed"))
            cluster.start_transfer(1, kind, Plan(duration=100))
            action = await wait_for(client, kind)

            assert (action.kind, action.status) == (Kind(kind), "succeeded")
            assert 100 <= now() <= 115
            assert {seen.path for seen in cluster.requests} == {"/v1/bdbs/1"}

    @pytest.mark.parametrize("kind", TRANSFERS)
    @pytest.mark.parametrize("before", [None, "completed", "failed"])
    async def test_about_to_begin(
        self, cluster: FakeCluster, client: ActionsClient, kind: Transfer, before: Result | None
    ) -> None:
        """A transfer that begins within a minute is waited for, too."""
        cluster.add_bdb(1)
        if before is not None:
            cluster.start_transfer(1, kind, Plan(duration=0, outcome=before))
        later(50, lambda: cluster.start_transfer(1, kind, Plan(duration=100)))

        assert (await wait_for(client, kind)).status == "succeeded"
        assert now() >= 150

    @pytest.mark.parametrize("kind", TRANSFERS)
    async def test_failed(
        self, cluster: FakeCluster, client: ActionsClient, kind: Transfer
    ) -> None:
        """A transfer that fails has the cluster's words."""
        cluster.start_transfer(1, kind, Plan(duration=10, outcome="failed", error="no-space"))

        with pytest.raises(ActionFailed, match=f"^{kind} on bdb:1 .*no-space"):
            await wait_for(client, kind)

    @pytest.mark.parametrize("kind", TRANSFERS)
    @pytest.mark.parametrize("before", [None, "completed", "failed"])
    @pytest.mark.parametrize("grace", [None, 5])
    async def test_not_found(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        kind: Transfer,
        before: Result | None,
        grace: float | None,
    ) -> None:
        """A result from before the wait does not count; without a new run, none is found."""
        cluster.add_bdb(1)
        if before is not None:
            cluster.start_transfer(1, kind, Plan(duration=0, outcome=before))
        options = {} if grace is None else {"not_found_grace": grace}

        with pytest.raises(ActionNotFound):
            await wait_for(client, kind, **options)
        assert now() == pytest.approx(grace or 60, abs=0.1)

    @pytest.mark.parametrize("kind", TRANSFERS)
    async def test_timeout(
        self, cluster: FakeCluster, client: ActionsClient, kind: Transfer
    ) -> None:
        """A timeout is the end of the wait alone."""
        cluster.start_transfer(1, kind, Plan(duration=500))

        with pytest.raises(WaitTimeout, match=f"^{kind} on bdb:1 .*goes on"):
            await wait_for(client, kind, timeout=60)
        assert now() == pytest.approx(60, abs=0.1)

    @pytest.mark.parametrize("kind", TRANSFERS)
    async def test_bad_uid(
        self, cluster: FakeCluster, client: ActionsClient, kind: Transfer
    ) -> None:
        """An invalid uid is rejected before any request."""
        call = getattr(client.databases, f"wait_{kind}")
        with pytest.raises(UsageError, match="not the uid of a database"):
            await call("1")

        assert cluster.requests == []

    async def test_shared(self) -> None:
        """Many transfers of all kinds on many databases cost as many requests as a few."""
        counts = []
        for count in (2, 20):
            async with FakeCluster() as cluster, client_of(cluster) as client:
                for uid in range(1, count + 1):
                    for kind in TRANSFERS:
                        cluster.start_transfer(uid, kind, Plan(duration=100))
                wanted = [f"{kind}:{uid}" for uid in range(1, count + 1) for kind in TRANSFERS]
                ended = await client.wait_for(*wanted, poll=wait_fixed(5))

                assert [action.uid for action in ended] == wanted
                counts.append(len(cluster.requests))
        assert counts[0] == pytest.approx(counts[1], abs=1)


@pytest.mark.enable_socket
class TestV2:
    """Start times of transfers, which /v2/actions alone shows."""

    async def test_queued(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A queued transfer that the database does not show yet is shown by v2."""
        cluster.start_transfer(1, "export", Plan(duration=0))
        await asyncio.sleep(10)
        cluster.plan("POST", path_of("export"), Plan(queued=200, duration=50))
        seen = [action async for action in await start(client, "export")]

        assert [(action.kind, action.status) for action in seen[:1]] == [(Kind.OTHER, "queued")]
        assert (seen[-1].kind, seen[-1].status) == (Kind.EXPORT, "succeeded")
        assert {action.uid for action in seen} == {"export:1"}

    async def test_reset_result(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A result that was reset, and that v2 still shows, counts if its run was seen before."""
        cluster.add_bdb(1)
        cluster.plan(
            "POST", path_of("export"), Plan(queued=10, duration=5, outcome="failed", error="x")
        )
        operation = await start(client, "export")
        later(60, cluster.bdbs[1].transfers["export"].reset, 60)
        seen = [action async for action in operation.watch(poll=wait_fixed(100))]

        assert [(action.kind, action.status) for action in seen] == [
            (Kind.OTHER, "queued"),
            (Kind.OTHER, "failed"),
        ]
        assert seen[-1].error == "x"

    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 503},
            {"status": 403},
            {"status": 400, "body": '{"error_code": "invalid_schema"}'},
            {"status": 200, "body": "<html>"},
        ],
        ids=str,
    )
    async def test_no_more_than_a_hint(
        self, cluster: FakeCluster, client: ActionsClient, fault: dict[str, object]
    ) -> None:
        """Faults of v2 do not disturb a wait: the database shows the end."""
        cluster.add_bdb(1)
        cluster.inject(times=None, path="/v2/actions", **fault)  # type: ignore[arg-type]
        cluster.plan("POST", path_of("export"), Plan(queued=30, duration=50))
        operation = await start(client, "export")

        assert (await operation.wait(outage_timeout=5)).status == "succeeded"

    async def test_none(self) -> None:
        """A cluster without v2 gets one request for it."""
        async with FakeCluster(version="7.8") as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.plan("POST", path_of("export"), Plan(queued=30, duration=50))
            await (await start(client, "export"))

            assert [seen.path for seen in cluster.requests].count("/v2/actions") == 1

    async def test_other_work(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Transfers of another kind, or of another database, do not count."""
        cluster.add_bdb(1)
        cluster.add_bdb(2)
        cluster.inject(method="POST", drop=True)
        with pytest.raises(AnswerLost) as caught:
            await start(client, "export")
        cluster.start_transfer(1, "backup", Plan(duration=1000))
        cluster.start_transfer(2, "export", Plan(duration=1000))

        assert caught.value.ref is not None
        with pytest.raises(ActionNotFound):
            await client.operation(caught.value.ref)

    @pytest.mark.parametrize("since", ["", "soon", "9" * 5000, "-5", "0", "nan", "1e400"])
    async def test_odd_references(
        self, cluster: FakeCluster, client: ActionsClient, since: str
    ) -> None:
        """For a reference without a valid time, v2 is not requested."""
        cluster.start_transfer(1, "export", Plan(queued=1000))

        with pytest.raises(ActionNotFound):
            await client.operation(f"export:1@idle,,{since}")
        assert {seen.path for seen in cluster.requests} == {"/v1/bdbs/1"}

    @pytest.mark.parametrize("run", ["idle", "idle,", "succeeded", ",,,,", ","])
    async def test_short_references(
        self, cluster: FakeCluster, client: ActionsClient, run: str
    ) -> None:
        """A reference with fewer, or more, parts than usual names a run all the same."""
        cluster.start_transfer(1, "export", Plan(duration=10))

        assert (await client.operation(f"export:1@{run}")).status == "succeeded"


class TestReferences:
    """The baseline in a reference."""

    @pytest.mark.parametrize(
        ("status", "last_time", "run"),
        [
            ("", "", "idle,,"),
            ("Idle", "", "idle,,"),
            ("", "2026-01-01T00:00:00Z", "idle,2026-01-01T00:00:00Z,"),
            ("Succeeded", "T", "succeeded,T,"),
            ("failed", "Mon, 1 Jan @ 10:00\n", "failed,Mon1Jan10:00,"),
            ("a,b@c", "", "abc,,"),
            ("x" * 100, "y" * 100, f"{'x' * 40},{'y' * 40},"),
        ],
    )
    def test_run(self, status: str, last_time: str, run: str) -> None:
        """The status and the time of the last success make one short word."""
        now = TransferStatus(status=status, progress=None, error=None, last_time=last_time)

        assert before(now).run == run

    @settings(max_examples=examples(100))
    @given(
        st.sampled_from(["succeeded", "failed ", "FAILED", "exporting", ""]) | st.text(max_size=9),
        st.text(max_size=50),
        st.sampled_from([ReferenceKind.EXPORT, ReferenceKind.IMPORT, ReferenceKind.BACKUP]),
    )
    def test_any(self, status: str, last_time: str, kind: ReferenceKind) -> None:
        """A baseline is one line of text for any status, and equals itself after a round trip."""
        now = TransferStatus(status=status, progress=None, error=None, last_time=last_time)
        ref = before(now, kind)

        assert parse_reference(str(ref)) == ref
        assert str(ref).isprintable()
        assert " " not in str(ref)
        assert is_old_result(now, ref)

    @pytest.mark.parametrize(
        ("baseline", "status", "ambiguity"),
        [
            (Baseline("idle", ""), "", Ambiguity.IDLE),
            (Baseline("idle", ""), "exporting", None),
            (Baseline("idle", ""), "succeeded", None),
            (Baseline("succeeded", "T"), "succeeded", Ambiguity.OLD_RESULT),
            (Baseline("idle", "T"), "succeeded", Ambiguity.OLD_RESULT),
            (Baseline("failed", "T"), "succeeded", Ambiguity.OLD_RESULT),
            (Baseline("idle", "T"), "failed", None),
            (Baseline("", ""), "succeeded", Ambiguity.OLD_RESULT),
            (Baseline("exporting", ""), "succeeded", Ambiguity.REPLACED),
            (Baseline("exporting", ""), "exporting", None),
        ],
        ids=str,
    )
    def test_ambiguity(self, baseline: Baseline, status: str, ambiguity: Ambiguity | None) -> None:
        """A result is ambiguous if it may be older than the call, or of another transfer."""
        wire = WireDatabase(status="active", export_status=status, last_export_time="T")
        found = transfer_action(wire, baseline.write_to(Reference(ReferenceKind.EXPORT, "1")))

        assert (found.ambiguity if isinstance(found, AmbiguousAnswer) else None) is ambiguity

    async def test_no_database(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The baseline of a database that does not exist has the time of the call only."""
        ref = Reference(ReferenceKind.EXPORT, "99")
        baseline = parse_baseline(await client._parts.sources.databases.with_baseline(ref))

        assert baseline[:2] == ("", "")
        assert baseline.by_cluster_clock

    @pytest.mark.parametrize(
        ("status", "last_time", "old"),
        [
            ("succeeded", "Mon, 1 Jan", True),
            ("succeeded", "Tue, 2 Jan", False),
            ("failed", "Mon, 1 Jan", False),
            ("Succeeded ", "Mon, 1 Jan", True),
        ],
    )
    def test_known_again(self, status: str, last_time: str, old: bool) -> None:
        """A result is recognised by its status and its time, in any format of the time."""
        then = TransferStatus(status="succeeded", progress=None, error=None, last_time="Mon, 1 Jan")
        now = TransferStatus(status=status, progress=None, error=None, last_time=last_time)

        assert is_old_result(now, before(then)) is old

    @pytest.mark.parametrize(
        ("ref", "under_way"),
        [
            (None, False),
            ("export:1", False),
            ("export:1@idle,,", False),
            ("export:1@,,", False),
            ("export:1@succeeded,T,1", False),
            ("export:1@failed,,", False),
            ("export:1@exporting,,", True),
            ("import:1@initializing,,", True),
            ("import:1@pondering,,", True),
            ("node:1/remove@T", False),
            ("bdb:1@gone", False),
        ],
    )
    def test_under_way(self, ref: str | None, under_way: bool) -> None:
        """Another run was in progress if the baseline is neither idle nor a result."""
        assert was_busy_before(None if ref is None else parse_reference(ref)) is under_way

    @pytest.mark.parametrize("date", ["", "nonsense", "Mon, 99 Jan 2026"])
    async def test_no_date(self, cluster: FakeCluster, client: ActionsClient, date: str) -> None:
        """Without a `Date` the client's clock distinguishes runs, and v2 is not requested."""
        headers = {"Date": date, "Content-Type": "application/json"}
        cluster.add_bdb(1)
        body = '{"uid": 1, "status": "active", "export_status": ""}'
        cluster.inject(method="GET", status=200, body=body, headers=headers)
        cluster.inject(method="POST", status=200, headers=headers)
        operation = await start(client, "export")

        assert operation.ref is not None
        assert re.fullmatch(r"export:1@idle,,~\d{13}", operation.ref)
        with pytest.raises(ActionNotFound):
            await operation
        assert "/v2/actions" not in {seen.path for seen in cluster.requests}

    async def test_stamps(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Each call has a time of its own, within the second of the cluster's `Date`."""
        headers = {"Date": "Thu, 01 Jan 2099 00:01:40 GMT", "Content-Type": "application/json"}
        cluster.add_bdb(1)
        body = '{"uid": 1, "status": "active"}'
        cluster.inject(method="GET", times=None, status=200, body=body, headers=headers)
        cluster.inject(method="POST", times=None, status=200)
        since = [
            int((operation.ref or "").rpartition(",")[2])
            for operation in [await start(client, kind) for kind in (*STARTED, *STARTED)]
        ]

        second = datetime(2099, 1, 1, 0, 1, 40, tzinfo=UTC).timestamp() * 1000
        assert since == sorted(set(since))
        assert second <= since[0] < second + 1000

    async def test_from_elsewhere(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A reference is followed by another client, which knows as much."""
        cluster.start_transfer(1, "export", Plan(duration=0, outcome="failed"))
        await asyncio.sleep(5)
        cluster.plan("POST", path_of("export"), Plan(queued=20, duration=50))
        operation = await start(client, "export")
        assert operation.ref is not None

        async with client_of(cluster) as another:
            assert (await another.operation(operation.ref)).status == "succeeded"
        assert now() >= 75


@pytest.mark.enable_socket
class TestTwoRuns:
    """Two transfers of one kind, on one database."""

    @pytest.mark.parametrize("version", OLD_AND_NEW)
    @pytest.mark.parametrize("kind", STARTED)
    @pytest.mark.parametrize("first", ["completed", "failed"])
    async def test_later_one(self, version: Version, kind: Started, first: Result) -> None:
        """Once this client has started the next transfer, the end of the first is unknown."""
        async with FakeCluster(version=version) as cluster, client_of(cluster) as client:
            cluster.add_bdb(1)
            cluster.plan("POST", path_of(kind), Plan(duration=3, outcome=first))
            one = await start(client, kind)
            await asyncio.sleep(5)
            cluster.plan("POST", path_of(kind), Plan(duration=20))
            two = await start(client, kind)
            results = await client.wait_for(one, two, settle=True)

            assert one.ref != two.ref
            assert isinstance(results[0], ActionVanished)
            assert isinstance(results[1], Action)

    async def test_refused_one(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A second call that is rejected does not replace the first transfer."""
        cluster.add_bdb(1)
        one = await start(client, "export")
        with pytest.raises(RequestRejected):
            await start(client, "export")

        assert (await one).status == "succeeded"

    async def test_other_kinds(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A transfer of another kind, or on another database, does not replace it either."""
        cluster.add_bdb(1)
        cluster.add_bdb(2)
        cluster.plan("POST", path_of("export"), Plan(duration=30))
        one = await start(client, "export")
        await start(client, "import")
        await client.databases.export(2, PLACE)

        assert (await one).status == "succeeded"

    async def test_under_way(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A wait in progress vanishes, too, if the next run starts before it sees the end."""
        cluster.add_bdb(1)
        cluster.plan("POST", path_of("import"), Plan(duration=10))
        one = await start(client, "import")
        waiting = asyncio.ensure_future(one.wait(poll=wait_fixed(12)))
        await asyncio.sleep(11)
        await start(client, "import")

        with pytest.raises(ActionVanished):
            await waiting

    @pytest.mark.parametrize(("first", "error"), [("failed", ActionFailed), ("completed", None)])
    async def test_v2_decides(
        self, cluster: FakeCluster, first: Result, error: type[ActionFailed] | None
    ) -> None:
        """From 7.22 on, another process finds the end of the first run by its start time."""
        async with client_of(cluster) as client, client_of(cluster) as another:
            cluster.add_bdb(1)
            cluster.plan("POST", path_of("export"), Plan(queued=2, duration=2, outcome=first))
            one = await start(client, "export")
            await asyncio.sleep(10)
            cluster.plan("POST", path_of("export"), Plan(duration=2))
            await (await start(client, "export"))
            assert one.ref is not None
            (result,) = await another.wait_for(one.ref, settle=True)

            if error is None:
                assert isinstance(result, Action)
                assert result.kind is Kind.OTHER
            else:
                assert isinstance(result, error)

    async def test_not_of_ours(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A transfer that began long after the call is not the one called for."""
        cluster.add_bdb(1)
        cluster.inject(method="POST", drop=True)
        with pytest.raises(AnswerLost) as caught:
            await start(client, "export")
        await asyncio.sleep(100)
        cluster.start_transfer(1, "export", Plan(duration=0))

        async with client_of(cluster) as another:
            with pytest.raises(ActionVanished):
                await another.operation(caught.value.ref or "")
