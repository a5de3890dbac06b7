"""Tests of exports, imports and backups on the fake cluster, over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan, Transfer
from tests.http_client import HttpClient, http_client


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis_enterprise_actions.testing import Outcome, Version

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

Result: TypeAlias = Literal["completed", "failed"]

TRANSFERS = get_args(Transfer)
RUNNING = {"export": "exporting", "import": "importing", "backup": "exporting"}
EXPORT = ("POST", "/v1/bdbs/1/actions/export", {"export_location": {"type": "url"}})
IMPORT = ("POST", "/v1/bdbs/1/actions/import", {"dataset_import_sources": [{"type": "url"}]})


@pytest.fixture
async def call(cluster: FakeCluster) -> AsyncIterator[HttpClient]:
    """Return an HTTP client of the cluster, which has a database."""
    cluster.add_bdb()
    async with http_client(cluster) as client:
        yield client


async def fields(call: HttpClient, kind: Transfer) -> dict[str, Any]:
    """Return a database's fields of one kind of transfer, without the kind in the names."""
    database = await call.bdb()
    return {
        name.removeprefix(f"{kind}_"): value
        for name, value in database.items()
        if f"{kind}_" in name and name != "dataset_import_sources"
    }


class TestFields:
    """Fields of the database object."""

    @pytest.mark.parametrize("kind", TRANSFERS)
    async def test_course(self, cluster: FakeCluster, call: HttpClient, kind: Transfer) -> None:
        """A transfer shows an empty status at first, then its progress, then its success."""
        cluster.start_transfer(1, kind, Plan(queued=4, duration=8))
        queued = await fields(call, kind)
        await asyncio.sleep(6)
        running = await fields(call, kind)
        await asyncio.sleep(6)
        done = await fields(call, kind)

        waits = "initializing" if kind == "import" else ""
        assert queued == {"status": waits, "failure_reason": ""}
        assert running.pop("progress") == pytest.approx(25, abs=1)
        assert running == {"status": RUNNING[kind], "failure_reason": ""}
        assert done.pop(f"last_{kind}_time", None) is None or kind != "import"
        assert done == {"status": "succeeded", "failure_reason": ""}

    @pytest.mark.parametrize("kind", ["export", "backup"])
    async def test_time(self, kind: Transfer) -> None:
        """The time of the last success is in ISO 8601, UTC."""
        async with FakeCluster() as cluster, http_client(cluster) as call:
            cluster.start_transfer(1, kind, Plan(duration=90))
            began = datetime.now(UTC)
            await asyncio.sleep(100)
            answer = (await fields(call, kind))[f"last_{kind}_time"]

        assert answer.endswith("Z")
        took = (datetime.fromisoformat(answer) - began).total_seconds()
        assert took == pytest.approx(90, abs=5)

    async def test_date(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The Date header and the times in bodies have the same clock."""
        await asyncio.sleep(5000)
        cluster.start_transfer(1, "export", Plan(duration=0))
        async with call.session.get(f"{cluster.url}/v1/bdbs/1") as response:
            date, answer = parsedate_to_datetime(response.headers["Date"]), await response.json()

        assert abs(date - datetime.fromisoformat(answer["last_export_time"])).total_seconds() <= 1

    @pytest.mark.parametrize("kind", TRANSFERS)
    async def test_failed(self, cluster: FakeCluster, call: HttpClient, kind: Transfer) -> None:
        """A failed transfer has a reason, and no time."""
        cluster.start_transfer(1, kind, Plan(duration=5, outcome="failed", error="general-error"))
        await asyncio.sleep(5)

        assert await fields(call, kind) == {"status": "failed", "failure_reason": "general-error"}

    @pytest.mark.parametrize("kind", TRANSFERS)
    async def test_never(self, cluster: FakeCluster, call: HttpClient, kind: Transfer) -> None:
        """A transfer that never ends goes on running."""
        cluster.start_transfer(1, kind, Plan(outcome="never"))
        await asyncio.sleep(10_000)
        shown = await fields(call, kind)

        assert (shown["status"], shown["progress"]) == (RUNNING[kind], 60)

    @pytest.mark.parametrize("kind", TRANSFERS)
    @pytest.mark.parametrize("outcome", ["completed", "failed"])
    async def test_stale(
        self, cluster: FakeCluster, call: HttpClient, kind: Transfer, outcome: Result
    ) -> None:
        """A queued transfer shows the result of the one before it."""
        cluster.start_transfer(1, kind, Plan(duration=0, outcome=outcome))
        before = await fields(call, kind)
        cluster.start_transfer(1, kind, Plan(queued=5, duration=5))
        assert await fields(call, kind) == before
        await asyncio.sleep(5.5)

        after = await fields(call, kind)
        assert (after["status"], after["failure_reason"]) == (RUNNING[kind], "")

    async def test_time_stays(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The time of the last success stays when another one runs, fails, and is reset."""
        cluster.start_transfer(1, "backup", Plan(duration=0))
        then = (await fields(call, "backup"))["last_backup_time"]
        cluster.start_transfer(1, "backup", Plan(duration=5, outcome="failed"))
        for _ in range(2):
            assert (await fields(call, "backup"))["last_backup_time"] == then
            await asyncio.sleep(5)
        await call.ok("PUT", "/v1/bdbs/1/actions/backup_reset_status")

        assert await fields(call, "backup") == {
            "status": "",
            "failure_reason": "",
            "last_backup_time": then,
        }

    async def test_status(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An import makes its database pending; an export or a backup leaves it active."""
        cluster.start_transfer(1, "export")
        cluster.start_transfer(1, "backup")
        before = await call.bdb()
        cluster.start_transfer(1, "import", Plan(queued=5, duration=5))
        during = await call.bdb()
        cluster.add_action(plan=Plan(duration=5))
        changing = await call.bdb()
        await asyncio.sleep(10)

        assert (before["status"], "action_uid" in before) == ("active", False)
        assert (during["status"], "action_uid" in during) == ("import-pending", False)
        assert during["background_op"] == [{"status": "idle"}]
        assert changing["status"] == "active-change-pending"
        assert (await call.bdb())["status"] == "active"

    async def test_database(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The database of a transfer exists from now on."""
        cluster.start_transfer(7, "import")

        assert (await call.bdb(7))["import_status"] == "importing"

    async def test_impossible(self, cluster: FakeCluster) -> None:
        """A kind or an outcome that transfers do not have is refused."""
        with pytest.raises(ValueError, match=r"transfer='flush' is none of"):
            cluster.start_transfer(1, "flush")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"outcome='cancelled' is none of"):
            cluster.start_transfer(1, "export", Plan(outcome="cancelled"))


class TestActions:
    """Transfers as actions."""

    @pytest.mark.parametrize("kind", TRANSFERS)
    @pytest.mark.parametrize("version", ["7.22", "8.0"])
    async def test_v2(self, version: Version, kind: Transfer) -> None:
        """Only /v2 shows transfers as actions."""
        async with FakeCluster(version=version) as cluster, http_client(cluster) as call:
            cluster.start_transfer(3, kind, Plan(duration=10))
            [uid] = cluster.actions
            [listed] = await call.ok("GET", "/v2/actions")

            assert isinstance(listed["creation_time"], int)
            assert (listed["action_uid"], listed["name"]) == (uid, kind)
            assert (listed["action_type"], listed["status"]) == ("other", "running")
            assert listed["additional_info"] == {"object_type": "bdb", "object_uid": "3"}
            assert await call.refused("GET", f"/v1/actions/{uid}") == (404, "action_not_found")

    @pytest.mark.parametrize("version", ["7.4", "7.8"])
    async def test_no_v2(self, version: Version) -> None:
        """Without /v2, transfers are no actions, but the database shows them."""
        async with FakeCluster(version=version) as cluster, http_client(cluster) as call:
            cluster.add_bdb()
            await call.ok(*EXPORT)

            assert cluster.actions == {}
            assert (await call.bdb())["export_status"] == "exporting"

    @pytest.mark.parametrize(
        ("outcome", "status"),
        [("completed", "succeeded"), ("failed", "failed"), ("stuck", "succeeded")],
    )
    async def test_added(
        self, cluster: FakeCluster, call: HttpClient, outcome: Outcome, status: str
    ) -> None:
        """An action of that name is a transfer, and stays one if it is forgotten."""
        uid = cluster.add_action("export", Plan(duration=9, outcome=outcome, error="no way"))
        await asyncio.sleep(3.5)
        assert (await fields(call, "export"))["progress"] == 33.33
        cluster.forget(uid)
        await asyncio.sleep(6)

        shown = await fields(call, "export")
        assert shown["status"] == status
        assert shown["failure_reason"] == ("no way" if status == "failed" else "")

    async def test_without_progress(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A transfer may have no progress."""
        cluster.add_action("export", Plan(progress="none"))

        assert await fields(call, "export") == {"status": "exporting", "failure_reason": ""}

    async def test_of_another_kind(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An action with only the name, or only the kind, of a transfer is none."""
        cluster.add_action("export", kind="task", bdb_uid=1)
        cluster.add_action("reshard", kind="other", bdb_uid=2)

        assert (await fields(call, "export"))["status"] == ""
        assert (await call.bdb(2))["status"] == "active-change-pending"


class TestCalls:
    """Routes that start and reset transfers."""

    @pytest.mark.parametrize(
        ("call_arguments", "kind"),
        [(EXPORT, "export"), (IMPORT, "import")],
        ids=["export", "import"],
    )
    async def test_start(
        self,
        cluster: FakeCluster,
        call: HttpClient,
        call_arguments: tuple[str, str, object],
        kind: Transfer,
    ) -> None:
        """A transfer is started as planned, and the answer is empty."""
        cluster.plan(
            "POST", call_arguments[1], Plan(queued=5, duration=5, outcome="failed", error="no-disk")
        )
        answer = await call(*call_arguments)
        [action] = cluster.actions.values()
        await asyncio.sleep(10)

        assert answer == (200, "")
        assert (action.name, action.kind, action.bdb_uid) == (kind, "other", 1)
        assert await fields(call, kind) == {"status": "failed", "failure_reason": "no-disk"}

    @pytest.mark.parametrize("call_arguments", [EXPORT, IMPORT], ids=["export", "import"])
    async def test_twice(
        self, cluster: FakeCluster, call: HttpClient, call_arguments: tuple[str, str, object]
    ) -> None:
        """A second transfer of a kind is refused, even if the first is queued."""
        cluster.plan("POST", "/v1/bdbs", Plan(queued=5, duration=5))
        await call.ok(*call_arguments)
        assert await call.refused(*call_arguments) == (409, "db_busy")
        await asyncio.sleep(10)

        await call.ok(*call_arguments)

    async def test_busy(self, cluster: FakeCluster, call: HttpClient) -> None:
        """During an export a backup and a change are allowed; during an import they are not."""
        await call.ok(*EXPORT)
        cluster.start_transfer(1, "backup")
        await call.ok("PUT", "/v1/bdbs/1/flush")
        await asyncio.sleep(10)
        await call.ok(*IMPORT)

        assert await call.refused(*EXPORT) == (409, "db_busy")
        assert await call.refused("PUT", "/v1/bdbs/1/flush") == (409, "db_busy")

    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            ("export", "missing_export_location"),
            ("import", "missing_dataset_import_sources"),
        ],
    )
    @pytest.mark.parametrize("body", [None, {}, {"email_notification": True}])
    async def test_rejected(
        self, cluster: FakeCluster, call: HttpClient, kind: str, code: str, body: object
    ) -> None:
        """The location is required."""
        path = f"/v1/bdbs/1/actions/{kind}"

        assert await call.refused("POST", path, body) == (406, code)
        assert cluster.actions == {}

    async def test_configured_source(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An import may be from the sources that the database has, which cannot be read."""
        cluster.plan("PUT", "/v1/bdbs/1", Plan(duration=0))
        await call.ok("PUT", "/v1/bdbs/1", IMPORT[2])
        await call.ok("POST", IMPORT[1])

        assert (await call.bdb())["dataset_import_sources"] == []
        assert (await fields(call, "import"))["status"] == "importing"

    @pytest.mark.parametrize(("method", "path", "body"), [EXPORT, IMPORT], ids=["export", "import"])
    async def test_dry(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str, body: object
    ) -> None:
        """A dry run starts nothing."""
        assert await call(method, f"{path}?dry_run=true", body) == (200, "")
        assert cluster.actions == {}

    async def test_not_dry_by_its_body(self, cluster: FakeCluster, call: HttpClient) -> None:
        """`dry_run` in the body of an export is ignored; an import takes no other fields."""
        dry = {"dry_run": True}
        refused = await call.refused(*IMPORT[:2], IMPORT[2] | dry)

        assert refused == (406, "invalid_attribute")
        assert await call(*EXPORT[:2], EXPORT[2] | dry) == (200, "")
        assert len(cluster.actions) == 1

    @pytest.mark.parametrize("kind", TRANSFERS)
    @pytest.mark.parametrize("outcome", ["completed", "failed"])
    async def test_reset(
        self, cluster: FakeCluster, call: HttpClient, kind: Transfer, outcome: Result
    ) -> None:
        """A reset removes the result of its kind, and no other."""
        other: Transfer = "backup" if kind == "export" else "export"
        cluster.start_transfer(1, kind, Plan(duration=0, outcome=outcome))
        cluster.start_transfer(1, other, Plan(duration=0))
        answer = await call("PUT", f"/v1/bdbs/1/actions/{kind}_reset_status")
        shown = await fields(call, kind)
        cluster.start_transfer(1, kind, Plan(queued=5))
        waiting = await fields(call, kind)

        assert answer == (200, "")
        assert (shown["status"], shown["failure_reason"]) == ("", "")
        assert waiting["status"] == ("initializing" if kind == "import" else "")
        assert (await fields(call, other))["status"] == "succeeded"

    @pytest.mark.parametrize("kind", TRANSFERS)
    async def test_reset_too_early(
        self, cluster: FakeCluster, call: HttpClient, kind: Transfer
    ) -> None:
        """A reset is refused while a transfer is queued or runs."""
        path = f"/v1/bdbs/1/actions/{kind}_reset_status"
        cluster.start_transfer(1, kind, Plan(queued=5, duration=5))
        for _ in range(2):
            assert await call.refused("PUT", path) == (409, "db_busy")
            await asyncio.sleep(5)

        assert await call("PUT", path) == (200, "")

    @pytest.mark.parametrize(("method", "path", "body"), [EXPORT, IMPORT], ids=["export", "import"])
    async def test_late(
        self, cluster: FakeCluster, call: HttpClient, method: str, path: str, body: object
    ) -> None:
        """Resets and beginnings show late with `lateness`; calls are not late."""
        kind: Transfer = "export" if body is EXPORT[2] else "import"
        cluster.start_transfer(1, kind, Plan(duration=0))
        cluster.lateness = 5
        await asyncio.sleep(5)
        shown = [await fields(call, kind)]
        await call("PUT", f"{path}_reset_status")
        shown.append(await fields(call, kind))
        await asyncio.sleep(3)
        await call(method, path, body)
        busy = await call.refused(method, path, body)
        shown.append(await fields(call, kind))
        await asyncio.sleep(2)
        shown.append(await fields(call, kind))
        await asyncio.sleep(3)
        shown.append(await fields(call, kind))

        running = RUNNING[kind]
        assert [each["status"] for each in shown] == ["succeeded"] * 3 + ["", running]
        assert busy == (409, "db_busy")

    async def test_late_import(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The status of the database is that of before an import, too."""
        cluster.lateness = 5
        await call(*IMPORT)
        early = (await call.bdb())["status"]
        await asyncio.sleep(5)

        assert (early, (await call.bdb())["status"]) == ("active", "import-pending")

    async def test_last_success(self, cluster: FakeCluster, call: HttpClient) -> None:
        """The time of the last success is shown after resets, and after a failure, too."""
        cluster.start_transfer(1, "export", Plan(duration=0))
        last = (await fields(call, "export"))["last_export_time"]
        seen = []
        for _ in range(2):
            await asyncio.sleep(60)
            await call("PUT", f"{EXPORT[1]}_reset_status")
            seen.append((await fields(call, "export"))["last_export_time"])
        cluster.start_transfer(1, "export", Plan(duration=0, outcome="failed"))
        seen.append((await fields(call, "export"))["last_export_time"])

        assert seen == [last] * 3

    async def test_reset_of_none(self, call: HttpClient) -> None:
        """A reset on a missing database is answered 404."""
        path = "/v1/bdbs/9/actions/export_reset_status"

        assert await call.refused("PUT", path) == (404, "db_not_exist")

    async def test_no_backup(self, call: HttpClient) -> None:
        """No route starts a backup."""
        assert (await call("POST", "/v1/bdbs/1/actions/backup", {}))[0] == 404
