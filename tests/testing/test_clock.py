"""Tests of the cluster's clock, its seed, and the return to the beginning."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from redis_enterprise_actions.testing.clock import Clock
from tests.http_client import HttpClient, http_client
from tests.testing.sessions import authorize, authorized, free_ports, port_of


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS: dict[str, Any] = {"speed": 0, "starts_at": NEW_YEAR, "seed": 7, "nodes": 3}


def loop_time() -> float:
    """Return the time of the event loop."""
    return asyncio.get_running_loop().time()


@pytest.fixture
async def frozen() -> AsyncIterator[FakeCluster]:
    """A cluster of three nodes whose clock stands still."""
    async with FakeCluster(**SETTINGS) as cluster:
        yield cluster


class TestSpeed:
    """The speed of the clock."""

    async def test_default(self, cluster: FakeCluster) -> None:
        """By default, the clock is the loop's, and shows the present date."""
        assert cluster.speed == 1
        for seconds in (0.1, 1e6, 1 / 3):
            await asyncio.sleep(seconds)
            assert cluster.now == loop_time()
        async with FakeCluster() as other:
            assert abs(other.date - datetime.now(UTC)) < timedelta(minutes=1)

    async def test_sixty(self) -> None:
        """At speed 60, a minute of work takes a second."""
        async with FakeCluster(speed=60, starts_at=NEW_YEAR) as cluster, http_client(cluster) as c:
            uid = cluster.add_action("retry_bdb", Plan(duration=60))
            await asyncio.sleep(0.9)
            assert (await c("GET", f"/v1/actions/{uid}"))[1]["status"] == "running"
            await asyncio.sleep(0.2)
            assert (await c("GET", f"/v1/actions/{uid}"))[1]["status"] == "completed"
            assert cluster.date - NEW_YEAR == pytest.approx(
                timedelta(seconds=66), abs=timedelta(milliseconds=1)
            )

    async def test_zero(self, frozen: FakeCluster) -> None:
        """At speed 0, nothing moves until the clock jumps."""
        uid = frozen.add_action("retry_bdb", Plan(duration=60))
        async with http_client(frozen) as call:
            await asyncio.sleep(3600)
            assert frozen.date == NEW_YEAR
            assert (await call("GET", f"/v1/actions/{uid}"))[1]["status"] == "running"
            await frozen.advance(60)
            assert frozen.date == NEW_YEAR + timedelta(minutes=1)
            assert (await call("GET", f"/v1/actions/{uid}"))[1]["status"] == "completed"

    async def test_change(self, frozen: FakeCluster) -> None:
        """A changed speed applies from now on, also to what sleeps already."""
        frozen.inject(delay=100)
        async with http_client(frozen) as call:
            answer = asyncio.create_task(call("GET", "/v1/actions"))
            await asyncio.sleep(200)
            assert not answer.done()
            frozen.speed = 10
            await asyncio.sleep(9)
            assert not answer.done()
            frozen.speed = 20
            began = loop_time()
            assert (await answer)[0] == 200
            assert loop_time() - began == pytest.approx(0.5, abs=0.01)
        assert frozen.date == pytest.approx(
            NEW_YEAR + timedelta(seconds=100), abs=timedelta(seconds=1)
        )

    @pytest.mark.parametrize("speed", [0, 60, -0.0, True])
    async def test_float(self, cluster: FakeCluster, speed: float) -> None:
        """A speed is shown as a float without a sign."""
        cluster.speed = speed
        for each in (cluster, FakeCluster(speed=speed)):
            assert (type(each.speed), str(each.speed)) == (float, str(float(abs(speed))))

    @pytest.mark.parametrize("speed", [-1, -0.001, inf, nan, 1e6 + 1])
    async def test_refused(self, cluster: FakeCluster, speed: float) -> None:
        """A speed is a number from 0 to a million."""
        with pytest.raises(ValueError, match="speed"):
            FakeCluster(speed=speed)
        with pytest.raises(ValueError, match="speed"):
            cluster.speed = speed
        assert cluster.speed == 1


class TestJumps:
    """Jumps of the clock."""

    async def test_order(self, frozen: FakeCluster) -> None:
        """On the way of a jump, everything happens at its own time."""
        seen: list[tuple[str, float, list[bool]]] = []
        began = frozen.now

        async def restart(node: int, at: float) -> None:
            await frozen._clock.sleep(at)
            seen.append((f"node {node} stops", frozen.now - began, await self.up(frozen)))
            await frozen.restart_node(node, downtime=30)
            seen.append((f"node {node} runs", frozen.now - began, await self.up(frozen)))

        tasks = [frozen._clock.start_task(restart(3, 60)), frozen._clock.start_task(restart(2, 70))]
        await asyncio.sleep(0)
        await frozen.advance(1000)
        assert all(task.done() for task in tasks)
        assert seen == [
            ("node 3 stops", 60.0, [True, True, True]),
            ("node 2 stops", 70.0, [True, True, False]),
            ("node 3 runs", 90.0, [True, False, True]),
            ("node 2 runs", 100.0, [True, True, True]),
        ]
        assert frozen.now - began == 1000

    async def up(self, cluster: FakeCluster) -> list[bool]:
        """Return which nodes accept connections."""
        ups = []
        for url in cluster.urls:
            async with aiohttp.ClientSession() as session:
                try:
                    async with session.get(f"{url}/v1/bootstrap"):
                        ups.append(True)
                except aiohttp.ClientConnectionError:
                    ups.append(False)
        return ups

    async def test_restart(self, frozen: FakeCluster) -> None:
        """A node that a caller's task restarts runs when the jump returns."""
        restart = asyncio.create_task(frozen.restart_node(2, downtime=30))
        await frozen.advance(29)
        assert 2 not in frozen._nodes.running
        await frozen.advance(1)
        assert await self.up(frozen) == [True, True, True]
        await restart
        assert (frozen._clock._tasks, frozen._clock._awake) == (set(), set())

    async def test_cancelled_restart(self, frozen: FakeCluster) -> None:
        """A node whose restart is cancelled stays stopped, and no jump waits for it."""
        restart = asyncio.create_task(frozen.restart_node(2, downtime=30))
        await frozen.advance(1)
        restart.cancel()
        await frozen.advance(60)
        assert restart.cancelled()
        assert frozen._nodes.running == [1, 3]

    async def test_removal(self, frozen: FakeCluster) -> None:
        """A node whose removal ends during a jump has stopped when the jump returns."""
        frozen.start_node_action(2, "remove", Plan(duration=50))
        await frozen.advance(49)
        assert 2 in frozen._nodes.running
        assert await self.up(frozen) == [True, True, True]
        await frozen.advance(1)
        assert 2 not in frozen._nodes.running
        assert await self.up(frozen) == [True, False, True]

    async def test_fractions(self) -> None:
        """What is due happens, and not too early, whatever the fractions of times and speeds."""
        async with FakeCluster(speed=0.0, starts_at=NEW_YEAR) as cluster:
            for number in range(1, 200):
                cluster.speed = (number % 3) / 7
                woken: list[float] = []

                async def sleep(until: float, woken: list[float] = woken) -> None:
                    await cluster._clock.sleep_until(until)
                    woken.append(cluster.now - until)

                began = cluster.now
                tasks = [
                    cluster._clock.start_task(sleep(began + number / share)) for share in (3, 11, 1)
                ]
                await cluster.advance(number / 2)
                assert len(woken) == 2
                await cluster.advance(number)
                assert len(woken) == 3
                assert all(0 <= late < 1e-6 for late in woken)
                assert all(task.done() for task in tasks)

    async def test_rounding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A jump reaches its time where the sum of two floats is rounded to less than that."""
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 828.0855011073351)
        clock, target = Clock(speed=60), 7985.58431080921
        clock._ahead = -41758.02721699361
        assert clock.now() + (target - clock.now()) == target  # it is not this sum that is rounded
        clock._jump(target)
        assert 0 <= clock.now() - target < 1e-9

    async def test_to_a_date(self, frozen: FakeCluster) -> None:
        """The clock jumps to a date of any time zone."""
        elsewhere = timezone(timedelta(hours=-5))
        await frozen.advance_to(datetime(2026, 1, 1, tzinfo=elsewhere))
        assert frozen.date == NEW_YEAR + timedelta(hours=5)
        await frozen.advance_to(frozen.date)
        assert frozen.date == NEW_YEAR + timedelta(hours=5)

    @pytest.mark.parametrize("seconds", [-1, -1e-9, inf, nan, 1e12])
    async def test_refused_seconds(self, frozen: FakeCluster, seconds: float) -> None:
        """The clock neither goes back nor beyond what a date can be."""
        with pytest.raises(ValueError, match=r"seconds must be 0 or more|the year 9999"):
            await frozen.advance(seconds)
        assert frozen.date == NEW_YEAR

    async def test_refused_dates(self, frozen: FakeCluster) -> None:
        """Dates have a time zone, and are not in the past."""
        with pytest.raises(ValueError, match="time zone"):
            FakeCluster(starts_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the fault
        with pytest.raises(ValueError, match="time zone"):
            await frozen.advance_to(datetime(2026, 1, 2))  # noqa: DTZ001 - the fault
        with pytest.raises(ValueError, match="cannot go back"):
            await frozen.advance_to(NEW_YEAR - timedelta(seconds=1))
        assert frozen.date == NEW_YEAR

    @pytest.mark.parametrize(
        "date",
        [
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-14))),
            datetime(9999, 12, 31, 0, 0, 1, tzinfo=UTC),
        ],
    )
    async def test_refused_starts(self, date: datetime) -> None:
        """A date that is not in the years 1 to 9999 of UTC is no start."""
        with pytest.raises(ValueError, match="starts_at must be from 0001-01-01 to 9999-12-31"):
            FakeCluster(starts_at=date)

    async def test_first_date(self) -> None:
        """The first date of all is shown with all digits, and what began before it as that."""
        first = datetime(1, 1, 1, tzinfo=UTC)
        async with FakeCluster(starts_at=first) as cluster:
            clock = cluster._clock
            assert clock.date == clock.date_at(-1e9) == first
            assert clock.iso_time(cluster.now) == "0001-01-01T00:00:00Z"
            assert clock.http_date() == "Mon, 01 Jan 0001 00:00:00 GMT"

    async def test_last_date(self) -> None:
        """At the last date, the clock stands still."""
        last = datetime(9999, 12, 31, tzinfo=UTC)
        async with FakeCluster(starts_at=last - timedelta(hours=1), speed=1e6) as cluster:
            task = cluster._clock.start_task(cluster._clock.sleep(3601))
            await asyncio.sleep(1)
            assert cluster.date == last
            uid = cluster.add_action("retry_bdb", Plan(duration=60))
            await asyncio.sleep(100)
            async with http_client(cluster) as call:
                assert (await call("GET", f"/v1/actions/{uid}"))[1]["status"] == "running"
            assert (cluster.date, task.done()) == (last, False)
            cluster.speed = 1
            await asyncio.sleep(1)
            await cluster.advance(0)
            with pytest.raises(ValueError, match="beyond the year 9999"):
                await cluster.advance(1)
            assert cluster.date == last
            task.cancel()

    async def test_first_and_last_date(self) -> None:
        """A clock that starts at the last date shows that no time has passed."""
        for speed in (0, 1 / 7, 1, 1e6):
            async with FakeCluster(
                starts_at=datetime(9999, 12, 31, tzinfo=UTC), speed=speed
            ) as cluster:
                await asyncio.sleep(1 / 3)
                assert cluster.now == cluster._clock.started_at

    async def test_many(self, frozen: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
        """The cost of a jump is in proportion to what is due on the way."""
        looks, now = 0, Clock.now

        def count(clock: Clock) -> float:
            nonlocal looks
            looks += 1
            return now(clock)

        monkeypatch.setattr(Clock, "now", count)
        clock, woken = frozen._clock, list[int]()

        async def sleep(number: int) -> None:
            await clock.sleep(number)
            woken.append(number)

        tasks = [clock.start_task(sleep(number)) for number in reversed(range(1, 1001))]
        await frozen.advance(900)
        assert woken == [*range(1, 901)]
        assert looks < 20_000
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert clock._sleepers == []
        assert woken == [*range(1, 901)]

    async def test_cancelled(self, frozen: FakeCluster) -> None:
        """A task that is cancelled when it is due wakes once, and the jump goes on."""
        clock = frozen._clock

        async def cancel() -> None:
            await clock.sleep(1)
            for task in tasks:
                task.cancel()

        clock.start_task(cancel())
        tasks = [clock.start_task(clock.sleep(seconds)) for seconds in (1, 1, 2)]
        await frozen.advance(10)
        assert all(task.cancelled() for task in tasks)
        assert (clock._sleepers, clock._awake) == ([], set())

    async def test_cancelled_before(self, frozen: FakeCluster) -> None:
        """A task that was cancelled, and has not noticed, is not woken."""
        clock = frozen._clock
        task = asyncio.create_task(clock.sleep(1))
        await asyncio.sleep(0)
        task.cancel()
        clock._jump(clock.now() + 5)
        await frozen.advance(1)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (clock._sleepers, clock._awake) == ([], set())

    async def test_new_start(self, frozen: FakeCluster) -> None:
        """A new start of the clock ends a jump."""
        clock = frozen._clock

        async def start_anew() -> None:
            await clock.sleep(5)
            clock.start()

        clock.start_task(start_anew())
        await frozen.advance(100)
        assert frozen.date == NEW_YEAR

    async def test_token(self, frozen: FakeCluster) -> None:
        """Tokens expire on the cluster's clock."""
        async with aiohttp.ClientSession() as session:
            token = await authorize(
                session, frozen, username=frozen.username, password=frozen.password, ttl=60
            )
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            call = HttpClient(session, frozen)
            await frozen.advance(59)
            assert (await call("GET", "/v1/actions"))[0] == 200
            await frozen.advance(2)
            assert (await call("GET", "/v1/actions"))[0] == 401


async def raw_answer(cluster: FakeCluster, *headers: str) -> bytes:
    """Return the bytes of an answer, up to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(cluster.url))
    lines = ["GET /v1/actions HTTP/1.1", "Host: a", "Connection: close", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    try:
        return await reader.read()
    finally:
        writer.close()


async def conversation(cluster: FakeCluster) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    """Make all kinds of calls that give out identifiers, and return the raw answers."""
    answers: list[tuple[int, list[tuple[str, str]], bytes]] = []

    async def call(session: aiohttp.ClientSession, method: str, path: str, body: object) -> None:
        options: dict[str, Any] = {} if body is None else {"json": body}
        async with session.request(method, f"{cluster.url}{path}", **options) as answer:
            answers.append((answer.status, list(answer.headers.items()), await answer.read()))

    cluster.add_bdb(1, name="cache")
    cluster.add_action(bdb_uid=2)
    cluster.start_crdb_task(guid=cluster.add_crdb())
    async with authorized(cluster) as session:
        user = {"username": cluster.username, "password": cluster.password}
        crdb = {
            "name": "crdb",
            "default_db_config": {"name": "crdb", "memory_size": 10**8},
            "instances": [{"cluster": {"url": "https://a"}}, {"cluster": {"url": "https://b"}}],
        }
        await call(session, "POST", "/v1/users/authorize", user)
        await call(session, "POST", "/v1/bdbs", {"name": "new", "memory_size": 10**8})
        await call(session, "POST", "/v1/bdbs/1/upgrade", {})
        await call(session, "POST", "/v1/nodes/1/actions/maintenance_on", {})
        await call(session, "POST", "/v1/crdbs", crdb)
        await cluster.advance(7)
        for path in ("actions", "bdbs", "nodes", "nodes/actions", "cluster", "crdb_tasks", "crdbs"):
            await call(session, "GET", f"/v1/{path}", None)
        await call(session, "GET", "/v2/actions", None)
    return answers


class TestSeed:
    """Identifiers, tokens and answers with a seed."""

    async def test_same_bytes(self) -> None:
        """With a seed and a set clock, the same calls are answered with the same bytes."""
        heard = []
        for _ in range(2):
            async with FakeCluster(**SETTINGS | {"nodes": 1}) as cluster:
                heard.append(await conversation(cluster))
        assert heard[0] == heard[1]
        assert [status for status, _, _ in heard[0]] == [200] * 13

    @pytest.mark.parametrize(
        ("fault", "headers", "status"),
        [
            ({"truncate": True}, [], 401),
            ({"truncate": True, "no_handle": True}, ["Expect: 100-continue"], 401),
            ({"status": 503}, [], 503),
            ({"delay": 0}, ["Expect: more"], 417),
        ],
    )
    async def test_same_headers(
        self, fault: dict[str, Any], headers: list[str], status: int
    ) -> None:
        """Truncated answers, and those of aiohttp itself, have the cluster's date and server."""
        heard = []
        for _ in range(2):
            async with FakeCluster(**SETTINGS) as cluster:
                if any(fault.values()):
                    cluster.inject(**fault)
                heard.append(await raw_answer(cluster, *headers))
        assert heard[0] == heard[1]
        assert f"HTTP/1.1 {status} ".encode() in heard[0]
        assert heard[0].count(b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n") == 1
        assert heard[0].count(b"Server: envoy\r\n") == 1

    async def test_injected_headers(self, frozen: FakeCluster) -> None:
        """The Date and the Server of a fault are sent as they are."""
        frozen.inject(status=503, headers={"Date": "never", "Server": "mine"})
        answer = await raw_answer(frozen)
        assert b"Date: never\r\n" in answer
        assert b"Server: mine\r\n" in answer

    async def test_other_seed(self) -> None:
        """Another seed, or none, gives other identifiers."""
        uids = set()
        for seed in (1, 2, None, None):
            async with FakeCluster(seed=seed) as cluster:
                uids.add(cluster.add_action())
        assert len(uids) == 4

    async def test_ports(self) -> None:
        """The nodes listen at ports that follow each other, if the first is given."""
        port = free_ports(3)
        async with FakeCluster(nodes=3, port=port) as cluster:
            assert [port_of(url) for url in cluster.urls] == [port, port + 1, port + 2]


class TestReset:
    """The return to the beginning."""

    async def test_everything(self, frozen: FakeCluster) -> None:
        """After a reset, everything is as it was, ports included, and answers are the same."""
        urls, first = frozen.urls, await conversation(frozen)
        frozen.username, frozen.password, frozen.handle_redirects = "other", "secret", True
        frozen.primary = 2
        frozen.inject(status=503, times=None)
        frozen.chaos(1, horizon=60, episodes=10)
        frozen.plan("POST", "/", Plan(outcome="failed"), times=None)
        frozen.start_node_action(3, "remove", Plan(duration=1))
        frozen.speed = 5
        await frozen.advance(100)
        await frozen.reset()
        assert (frozen.urls, frozen.date, frozen.speed) == (urls, NEW_YEAR, 0)
        assert (frozen.requests, frozen.actions, frozen.bdbs) == ([], {}, {})
        assert (frozen.primary, frozen.handle_redirects) == (1, False)
        assert await conversation(frozen) == first
        await frozen.advance(3600)
        assert all([await TestJumps().up(frozen)])

    async def test_bootstrap(self) -> None:
        """Nodes that were in no cluster are in none again."""
        async with FakeCluster(bootstrapped=False, nodes=2, speed=0) as cluster:
            for _ in range(2):
                assert [cluster.bootstrap_state(node) for node in (1, 2)] == ["idle", "idle"]
                assert cluster.primary is None
                body = {
                    "action": "create_cluster",
                    "cluster": {"name": "a.example"},
                    "credentials": {"username": "a@example.com", "password": "b"},
                }
                async with http_client(cluster) as call:
                    await call("POST", "/v1/bootstrap/create_cluster", body)
                await cluster.advance(60)
                assert cluster.bootstrap_state(1) == "completed"
                await cluster.reset()

    async def test_open_request(self, frozen: FakeCluster) -> None:
        """A request that waits for its answer is cut off, and does nothing more."""
        frozen.inject(delay=60)
        async with http_client(frozen) as call:
            waiting = asyncio.create_task(call("POST", "/v1/bdbs", {"name": "a"}))
            await asyncio.sleep(1)
            await frozen.reset()
            with pytest.raises(aiohttp.ClientConnectionError):
                await waiting
        await frozen.advance(60)
        assert frozen.bdbs == {}

    async def test_outside(self) -> None:
        """A cluster that does not run cannot be reset."""
        with pytest.raises(RuntimeError, match="inside `async with`"):
            await FakeCluster().reset()
