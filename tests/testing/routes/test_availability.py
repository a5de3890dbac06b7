"""Tests of `testing.routes.availability` and `testing.state.availability`, over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.http_client import HttpClient, http_client


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

NEW = {"name": "cache", "memory_size": 1024**3}
UNAVAILABLE = (503, "bdb_endpoint_unavailable")
AVAILABILITY = "/v1/bdbs/1/availability"
ENDPOINT = "/v1/local/bdbs/1/endpoint/availability"
LAG = "?extend_check=lag"
TOLERANT = f"{LAG}&availability_lag_tolerance_ms="


async def course(cluster: FakeCluster, call: HttpClient, *, seconds: int) -> str:
    """Return the availability of database 1, as the route tells it and as it is, at each second.

    "+" is available, "-" not, "!" a difference between both.
    """
    told = []
    for _ in range(seconds):
        status, _ = await call("GET", AVAILABILITY)
        same = (status == 200) is cluster.is_available(1)
        told.append(("+" if status == 200 else "-") if same else "!")
        await asyncio.sleep(1)
    return "".join(told)


class TestRoutes:
    """The answers of both routes."""

    @pytest.mark.parametrize("path", [AVAILABILITY, ENDPOINT])
    async def test_available(self, cluster: FakeCluster, call: HttpClient, path: str) -> None:
        """An available database is answered with an empty text, also while it changes."""
        cluster.add_action(bdb_uid=1)

        async with call.session.get(f"{cluster.url}{path}") as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
            assert await answer.text() == ""

    async def test_created(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A new database is available when its creation has completed."""
        await call.ok("POST", "/v1/bdbs", NEW)
        before = await call.refused("GET", AVAILABILITY)
        await asyncio.sleep(10)

        assert before == UNAVAILABLE
        assert (await call("GET", AVAILABILITY))[0] == 200

    @pytest.mark.parametrize("path", [AVAILABILITY, ENDPOINT])
    async def test_missing(self, cluster: FakeCluster, call: HttpClient, path: str) -> None:
        """A database that does not exist is not found, and not available."""
        assert await call.refused("GET", path) == (404, "db_not_found")
        assert not cluster.is_available(1)

    @pytest.mark.parametrize("path", [AVAILABILITY, ENDPOINT])
    @pytest.mark.parametrize("code", ["no_quorum", "bdb_endpoint_unavailable"])
    async def test_codes(
        self, cluster: FakeCluster, call: HttpClient, path: str, code: str
    ) -> None:
        """A database that is not available is answered with the chosen code."""
        cluster.add_bdb()
        cluster.set_available(1, available=False, error_code=code)

        assert await call.refused("GET", path) == (503, code)

    async def test_local(self, three: FakeCluster, call3: HttpClient) -> None:
        """A node answers for its own endpoint, and redirects the other requests."""
        three.add_bdb()

        assert (await call3("GET", ENDPOINT, node=2))[0] == 200
        assert (await call3("GET", AVAILABILITY, node=2))[0] == 307

    async def test_local_election(self, three: FakeCluster, call3: HttpClient) -> None:
        """Without a primary there is no quorum for an endpoint."""
        three.add_bdb()
        three.primary = None

        assert await call3.refused("GET", ENDPOINT, node=2) == (503, "no_quorum")

    async def test_local_credentials(self, cluster: FakeCluster) -> None:
        """The routes of a node ask for credentials, too."""
        cluster.add_bdb()
        cluster.password = "another"
        async with http_client(cluster) as call:
            assert (await call("GET", ENDPOINT))[0] == 200
            cluster.password = "changed"
            assert (await call("GET", ENDPOINT))[0] == 401


@pytest.mark.parametrize(
    ("lag", "query", "status", "allowed"),
    [
        (0, LAG, 200, 100),
        (100, LAG, 200, 100),
        (101, LAG, 503, 100),
        (101, "", 200, None),
        (101, "?extend_check=other,lag", 503, 100),
        (101, "?extend_check=other", 200, None),
        (101, "?availability_lag_tolerance_ms=1", 200, None),
        (101, f"{TOLERANT}500", 200, 500),
        (50, f"{TOLERANT}20", 503, 20),
        (1, f"{TOLERANT}0", 503, 0),
    ],
)
async def test_lag(
    cluster: FakeCluster,
    call: HttpClient,
    lag: float,
    query: str,
    status: int,
    allowed: float | None,
) -> None:
    """A lag-aware check fails if the lag is more than asked for, 100 ms by default."""
    cluster.add_bdb()
    cluster.set_lag(1, lag)
    answers = [await call("GET", path + query) for path in (AVAILABILITY, ENDPOINT)]

    assert [answer[0] for answer in answers] == [status, status]
    assert cluster.is_available(1, allowed) is (status == 200)
    if status == 503:
        codes = [answer[1]["error_code"] for answer in answers]
        assert codes == ["bdb_unavailable", "bdb_endpoint_unavailable"]


class TestCourse:
    """Availability over time; the routes always tell the truth."""

    async def test_creation(self, call: HttpClient, cluster: FakeCluster) -> None:
        """A database is not available until the delay after its creation is over."""
        cluster.availability_delay = 4
        cluster.plan("POST", "/v1/bdbs", Plan(queued=2, duration=3))
        await call.ok("POST", "/v1/bdbs", NEW)

        assert await course(cluster, call, seconds=12) == "---------+++"

    async def test_failed_creation(self, call: HttpClient, cluster: FakeCluster) -> None:
        """A database that could not be created is never available."""
        cluster.plan("POST", "/v1/bdbs", Plan(duration=3, outcome="failed"))
        await call.ok("POST", "/v1/bdbs", NEW)

        assert await course(cluster, call, seconds=6) == "------"

    @pytest.mark.parametrize(
        ("delay", "name", "seen"),
        [
            (0, "SMUpgradeBDB", "++++++++"),
            (2, "SMUpgradeBDB", "-----+++"),
            (2, "SMUpdateBDB", "-----+++"),
            (2, "backup_to_s3", "++++++++"),  # a task
        ],
    )
    async def test_update(
        self, call: HttpClient, cluster: FakeCluster, delay: float, name: str, seen: str
    ) -> None:
        """Other state machines make it unavailable only if there is a delay, and then until it."""
        cluster.availability_delay = delay
        cluster.add_action(name, Plan(duration=3), bdb_uid=1)

        assert await course(cluster, call, seconds=8) == seen

    async def test_recovery(self, call: HttpClient, cluster: FakeCluster) -> None:
        """A database that has to be recovered is available when it was."""
        cluster.add_bdb(recovery=True)
        cluster.add_action("SMRecoverBDB", Plan(duration=3, queued=1), bdb_uid=1)

        assert await course(cluster, call, seconds=6) == "----++"

    async def test_not_begun(self, cluster: FakeCluster) -> None:
        """An action that has not begun, as nobody has asked for it, changes nothing."""
        cluster.availability_delay = 5
        cluster.add_action(bdb_uid=1, when_asked_for=True)

        assert cluster.is_available(1)

    async def test_forced(self, call: HttpClient, cluster: FakeCluster) -> None:
        """What is set counts until it is taken back, also before the database exists."""
        cluster.set_available(1, available=True)
        await call.ok("POST", "/v1/bdbs", NEW)
        assert await course(cluster, call, seconds=2) == "++"
        cluster.set_available(1, None)
        assert await course(cluster, call, seconds=2) == "--"
        await asyncio.sleep(6)
        cluster.set_available(1, available=False)
        assert await course(cluster, call, seconds=2) == "--"

    @pytest.mark.parametrize(
        ("start", "seen"),
        [
            (lambda cluster: cluster.flap(1), "+++--+++--"),
            (lambda cluster: cluster.flap(1, up=1, down=3), "+---+---+-"),
            (lambda cluster: cluster.flap(1, until=4 + _now()), "+++-++++++"),
        ],
    )
    async def test_flapping(
        self,
        call: HttpClient,
        cluster: FakeCluster,
        start: Callable[[FakeCluster], None],
        seen: str,
    ) -> None:
        """A database that flaps is available and not, in turn, for as long as it is to."""
        cluster.add_bdb()
        start(cluster)

        assert await course(cluster, call, seconds=10) == seen

    async def test_flapping_ends(self, call: HttpClient, cluster: FakeCluster) -> None:
        """A database that flaps is not available while it is created; it can be told to stop."""
        await call.ok("POST", "/v1/bdbs", NEW)
        cluster.flap(1)
        assert await course(cluster, call, seconds=3) == "---"
        cluster.set_available(1, None)
        await asyncio.sleep(7)
        assert await course(cluster, call, seconds=5) == "+++++"

    async def test_lateness(self, call: HttpClient, cluster: FakeCluster) -> None:
        """A late cluster does not know the new database at first, and then tells the truth."""
        cluster.lateness = 3
        await call.ok("POST", "/v1/bdbs", NEW)

        assert await call.refused("GET", AVAILABILITY) == (404, "db_not_found")
        await asyncio.sleep(3)
        assert await course(cluster, call, seconds=9) == "-------++"


def _now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    "make",
    [
        lambda cluster: FakeCluster(availability_delay=-1),
        lambda cluster: cluster.flap(1, up=0),
        lambda cluster: cluster.flap(1, down=0),
        lambda cluster: cluster.set_lag(1, -1),
        lambda cluster: cluster.set_lag(1, float("nan")),
    ],
)
async def test_wrong(cluster: FakeCluster, make: Callable[[FakeCluster], object]) -> None:
    """Times that make no sense are refused."""
    with pytest.raises(ValueError, match=r"in (milli)?seconds"):
        make(cluster)


async def test_delay_of_constructor() -> None:
    """The delay can be given at once."""
    async with FakeCluster(availability_delay=5) as cluster:
        cluster.add_action(plan=Plan(duration=1))
        await asyncio.sleep(2)
        assert (cluster.availability_delay, cluster.is_available(1)) == (5, False)
