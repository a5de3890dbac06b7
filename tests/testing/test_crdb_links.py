"""Tests of `testing.crdb_links` and `testing.state.crdb_instances`, over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.http_client import HttpClient, http_client


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

CRDB = "/v1/crdbs/g1"
REPORT = f"{CRDB}/health_report"
NAMES = ["cluster1.local", "cluster2.local", "cluster3.local"]


@pytest.fixture
async def fakes() -> AsyncIterator[list[FakeCluster]]:
    """Three clusters; the first and the second share a CRDB, and the third has none."""
    async with AsyncExitStack() as stack:
        clusters = [await stack.enter_async_context(FakeCluster()) for _ in NAMES]
        clusters[0].add_crdb("g1", name="orders", bdb_uid=7)
        clusters[0].link_crdb("g1", clusters[1], bdb_uid=3)
        yield clusters


async def get(cluster: FakeCluster, path: str = REPORT) -> Any:  # noqa: ANN401 - JSON
    """Return what a cluster answers; check that it is a 200."""
    async with http_client(cluster) as call:
        return await call.ok("GET", path)


def links(report: list[Any]) -> dict[str, dict[str, str]]:
    """Return the status of each link, by the instance's cluster and the other cluster."""
    return {
        instance["cluster_name"]: {
            connection["name"]: link["status"]
            for connection in instance.get("connections", [])
            for link in connection.get("replication_links", [])
        }
        for instance in report
    }


def instance(number: int, db_uid: str = "") -> dict[str, object]:
    """Return an instance as CRDBs and their configurations have it."""
    name = NAMES[number - 1]
    return {
        "id": number,
        "db_uid": db_uid,
        "cluster": {"name": name, "url": f"https://{name}:9443"},
    }


class TestReport:
    """GET /v1/crdbs/{guid}/health_report."""

    async def test_alone(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A CRDB that is not linked has an instance on a cluster that is not there."""
        cluster.add_crdb("g1")

        assert links(await call.ok("GET", REPORT)) == {
            NAMES[0]: {NAMES[1]: "up"},
            NAMES[1]: {NAMES[0]: "up"},
        }
        assert (await call.ok("GET", CRDB))["instances"] == [instance(1), instance(2)]
        assert cluster.is_replicating("g1")

    async def test_linked(self, fakes: list[FakeCluster]) -> None:
        """Each cluster shows both instances, and only its own database."""
        first, second, _ = fakes
        report = await get(first)

        assert report[0] == {
            "guid": "g1",
            "name": "orders",
            "cluster_name": NAMES[0],
            "connection_error": None,
            "active_config_version": 1,
            "configurations": [
                {
                    "name": "orders",
                    "version": 1,
                    "status": "commit-completed",
                    "causal_consistency": False,
                    "encryption": False,
                    "featureset_version": 5,
                    "protocol_version": 1,
                    "instances": [instance(1, "7"), instance(2)],
                }
            ],
            "connections": [
                {"name": NAMES[0], "status": "ok"},
                {
                    "name": NAMES[1],
                    "status": "ok",
                    "replication_links": [{"link_uid": "7:2", "status": "up"}],
                },
            ],
        }
        assert report[1]["configurations"][0]["instances"] == [instance(1), instance(2, "3")]
        assert await get(second) == report
        assert (await get(first, CRDB))["instances"] == [instance(1, "7"), instance(2)]
        assert (await get(second, CRDB))["name"] == "orders"
        assert (await get(second, "/v1/cluster"))["name"] == NAMES[1]

    async def test_one_instance(self, fakes: list[FakeCluster]) -> None:
        """A report can be of one instance; if that does not exist, it is of all."""
        report = await get(fakes[0])

        assert await get(fakes[0], f"{REPORT}?instance_id=2") == [report[1]]
        assert await get(fakes[0], f"{REPORT}?instance_id=3") == report

    async def test_missing(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A CRDB that does not exist has no report and does not replicate."""
        assert (await call("GET", REPORT))[0] == 404
        assert not cluster.is_replicating("g1")

    async def test_deleted(self, fakes: list[FakeCluster]) -> None:
        """A deleted CRDB does not replicate."""
        fakes[0].start_crdb_task("delete_crdb", Plan(duration=0), guid="g1")

        assert not fakes[0].is_replicating("g1")

    async def test_created(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A CRDB that a request has created has a report when it exists."""
        cluster.plan("POST", "/v1/crdbs", Plan(duration=3))
        task = await call.ok("POST", "/v1/crdbs", {"name": "new"})
        guid = cluster.crdb_tasks[task["id"]].guid
        assert not cluster.is_replicating(guid)
        await asyncio.sleep(3)

        assert (await call.ok("GET", f"/v1/crdbs/{guid}/health_report"))[0]["name"] == "new"


class TestLinks:
    """Links, connections and configurations, as each cluster sees them."""

    async def test_down(self, fakes: list[FakeCluster]) -> None:
        """A link that is down in one direction shows on both clusters."""
        first, second, _ = fakes
        first.set_link("g1", second, "down")

        for cluster in (first, second):
            assert links(await get(cluster)) == {
                NAMES[0]: {NAMES[1]: "down"},
                NAMES[1]: {NAMES[0]: "up"},
            }
            assert not cluster.is_replicating("g1")
        first.set_link("g1", NAMES[1], "up")
        assert first.is_replicating("g1")
        assert second.is_replicating("g1")

    async def test_later(self, fakes: list[FakeCluster]) -> None:
        """A link comes up after a delay."""
        first, second, _ = fakes
        second.set_link_later("g1", first, 5)
        await asyncio.sleep(4)
        assert links(await get(first))[NAMES[1]] == {NAMES[0]: "down"}
        assert not first.is_replicating("g1")
        await asyncio.sleep(1)
        assert links(await get(first))[NAMES[1]] == {NAMES[0]: "up"}
        assert first.is_replicating("g1")

    async def test_linked_down(self, fakes: list[FakeCluster]) -> None:
        """Links may be down from the beginning, in both directions."""
        first, _, third = fakes
        third.name = "third.example"
        third.add_crdb("g2")
        third.link_crdb("g2", first, up=False)

        assert links(await get(first, "/v1/crdbs/g2/health_report")) == {
            "third.example": {NAMES[0]: "down"},
            NAMES[0]: {"third.example": "down"},
        }
        assert not third.is_replicating("g2")

    async def test_connection_error(self, fakes: list[FakeCluster]) -> None:
        """A cluster that cannot be seen shows its error, and nothing else."""
        first, second, _ = fakes
        first.set_connection_error("g1", second, "no route")
        report = await get(first)

        assert report[1] == {
            "guid": "g1",
            "name": "orders",
            "cluster_name": NAMES[1],
            "connection_error": "no route",
        }
        assert [each["status"] for each in report[0]["connections"]] == ["ok", "error"]
        assert (await get(second))[0]["connection_error"] is None
        assert (first.is_replicating("g1"), second.is_replicating("g1")) == (False, True)
        for _ in range(2):
            first.set_connection_error("g1", NAMES[1], None)
        assert first.is_replicating("g1")

    @pytest.mark.parametrize(
        ("changes", "versions", "active", "replicating"),
        [
            ([{"status": "posted"}], {1: "posted"}, 1, False),
            ([{"status": "failed"}], {1: "failed"}, 1, False),
            (
                [{"version": 2, "status": "ready"}],
                {1: "commit-completed", 2: "ready"},
                1,
                True,
            ),
            (
                [{"version": 2, "status": "committed"}],
                {1: "commit-completed", 2: "committed"},
                2,
                False,
            ),
            ([{"version": 2}], {1: "commit-completed", 2: "commit-completed"}, 2, False),
        ],
    )
    async def test_configuration(
        self,
        fakes: list[FakeCluster],
        changes: list[Any],
        versions: dict[int, str],
        active: int,
        replicating: bool,
    ) -> None:
        """One configuration has to be active on all clusters, and completely committed."""
        for change in changes:
            fakes[0].set_crdb_config("g1", **change)
        shown = (await get(fakes[1]))[0]

        assert {each["version"]: each["status"] for each in shown["configurations"]} == versions
        assert shown["active_config_version"] == active
        assert [cluster.is_replicating("g1") for cluster in fakes[:2]] == [replicating] * 2

    async def test_new_version(self, fakes: list[FakeCluster]) -> None:
        """A new configuration on all clusters is one that replicates."""
        for cluster in fakes[:2]:
            cluster.set_crdb_config("g1", version=2, status="committed")
        assert not fakes[0].is_replicating("g1")
        for cluster in fakes[:2]:
            cluster.set_crdb_config("g1")
        assert fakes[0].is_replicating("g1")


class TestLinking:
    """Clusters that are linked with each other."""

    async def test_three(self, fakes: list[FakeCluster]) -> None:
        """A third cluster sees all others, and they see it; other links stay as they are."""
        first, second, third = fakes
        first.set_link("g1", second, "down")
        first.set_connection_error("g1", second, "bad")
        second.link_crdb("g1", third)

        assert links(await get(third)) == {
            NAMES[0]: {NAMES[1]: "down", NAMES[2]: "up"},
            NAMES[1]: {NAMES[0]: "up", NAMES[2]: "up"},
            NAMES[2]: {NAMES[0]: "up", NAMES[1]: "up"},
        }
        assert (await get(first))[1]["connection_error"] == "bad"
        assert third.name == NAMES[2]

    async def test_known_on_both(self, fakes: list[FakeCluster]) -> None:
        """Both clusters may have the CRDB already; then it is linked as they have it."""
        first, _, third = fakes
        third.add_crdb("g3", name="theirs", bdb_uid=9)
        first.add_crdb("g3", name="ours")
        first.link_crdb("g3", third)
        report = await get(first, "/v1/crdbs/g3/health_report")

        assert [each["cluster_name"] for each in report] == [NAMES[0], NAMES[2]]
        assert report[1]["configurations"][0]["instances"][1]["db_uid"] == "9"

    async def test_names(self) -> None:
        """Clusters keep their names if these differ."""
        async with FakeCluster() as one, FakeCluster() as other:
            one.name, other.name = "east.example", "west.example"
            one.add_crdb("g1")
            one.link_crdb("g1", other)

            assert list(links(await get(one))) == ["east.example", "west.example"]
            assert one.is_replicating("g1")

    async def test_new_names(self, fakes: list[FakeCluster]) -> None:
        """Two pairs of clusters that are linked get names that differ; imaginary ones do, too."""
        first, second, third = fakes
        async with FakeCluster() as fourth:
            third.add_crdb("g1")
            third.add_crdb("alone")
            fourth.add_crdb("alone")
            third.link_crdb("g1", fourth)
            assert (third.name, fourth.name) == (NAMES[0], NAMES[1])
            first.link_crdb("g1", third)

            assert [fake.name for fake in (first, second)] == NAMES[:2]
            assert [fake.name for fake in (third, fourth)] == [NAMES[2], "cluster4.local"]
            assert len(links(await get(fourth))) == 4
            third.name = NAMES[1]
            assert list(links(await get(third, "/v1/crdbs/alone/health_report"))) == [
                NAMES[1],
                NAMES[0],
            ]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda fakes: fakes[0].link_crdb("g1", fakes[1]), "linked with that cluster already"),
            (lambda fakes: fakes[0].link_crdb("g1", fakes[0]), "with itself"),
            (lambda fakes: fakes[0].link_crdb("g9", fakes[1]), "no CRDB g9"),
            (lambda fakes: fakes[0].set_link("g1", fakes[1], "off"), "status='off' is none of"),
            (lambda fakes: fakes[0].set_link("g1", "other", "up"), "another cluster other"),
            (lambda fakes: fakes[0].set_link("g1", fakes[0], "up"), "another cluster cluster1"),
            (lambda fakes: fakes[0].set_link_later("g1", fakes[1], -1), "in seconds"),
            (lambda fakes: fakes[2].set_link_later("g1", fakes[1], 1), "no CRDB g1"),
            (lambda fakes: fakes[0].set_crdb_config("g1", status="new"), "status='new'"),
            (lambda fakes: fakes[0].set_connection_error("g1", "c", "x"), "another cluster c"),
        ],
    )
    async def test_wrong(
        self,
        fakes: list[FakeCluster],
        change: Callable[[list[FakeCluster]], None],
        message: str,
    ) -> None:
        """What makes no sense is refused, and nothing changes."""
        with pytest.raises(ValueError, match=message):
            change(fakes)
        assert fakes[0].is_replicating("g1")
