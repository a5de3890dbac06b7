"""Tests of `testing.server.chaos`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import socket
from typing import Any, ClassVar, get_args

import aiohttp
import pytest

from redis_enterprise_actions.testing import ChaosEpisode, FakeCluster, ScenarioError
from redis_enterprise_actions.testing.server.chaos import LIST_ROUTES, EpisodeKind, draw_episodes
from tests.http_client import HttpClient
from tests.testing.sessions import authorize, authorized, port_of, with_header


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


def running(cluster: FakeCluster) -> list[int]:
    """Return the running nodes."""
    return cluster._nodes.running


def episode(kind: EpisodeKind, begins: float = 0, ends: float = 10, **rest: Any) -> ChaosEpisode:  # noqa: ANN401
    """Return an episode."""
    return ChaosEpisode(kind=kind, begins=begins, ends=ends, **rest)


GOLDEN = ChaosEpisode(begins=17.008485913203785, ends=26.862579678011603, kind="bad_entry")


class TestDraw:
    """Random choice of episodes."""

    MANY: ClassVar[list[ChaosEpisode]] = draw_episodes(
        7, nodes=3, horizon=100, episodes=2000, longest=20
    )

    def test_same_seed(self) -> None:
        """The same arguments give the same episodes in every Python; others give others."""
        drawn = draw_episodes(1, nodes=3, horizon=600, episodes=40, longest=60)

        assert drawn == draw_episodes(1, nodes=3, horizon=600, episodes=40, longest=60)
        assert drawn != draw_episodes(2, nodes=3, horizon=600, episodes=40, longest=60)
        assert drawn != draw_episodes(1, nodes=2, horizon=600, episodes=40, longest=60)
        assert drawn[0] == GOLDEN

    def test_times(self) -> None:
        """Episodes begin before the horizon, in order, and none is too long."""
        begins = [episode.begins for episode in self.MANY]
        lengths = [episode.ends - episode.begins for episode in self.MANY]

        assert begins == sorted(begins)
        assert min(begins) >= 0
        assert max(begins) < 100
        assert min(lengths) > 0
        assert max(lengths) <= 20

    def test_kinds(self) -> None:
        """Every kind occurs, on every node that it can hit."""
        everywhere, alone, none = {None, 1, 2, 3}, {1, 2, 3}, {None}
        drawn: dict[str, set[int | None]] = {}
        for episode in self.MANY:
            drawn.setdefault(episode.kind, set()).add(episode.node)

        assert drawn == dict.fromkeys(get_args(EpisodeKind), everywhere) | {
            "restart": alone,
            "failover": alone,
            "inner_redirect": alone,
            "election": none,
            "revoke": none,
        }

    def test_details(self) -> None:
        """Slow answers have a delay, throttled ones a Retry-After; spoiled lists have a route."""
        delays = [episode.delay for episode in self.MANY if episode.kind == "slow"]
        waits = [episode.retry_after for episode in self.MANY if episode.kind == "throttled"]

        assert all(1 <= delay <= 20 for delay in delays)
        assert set(waits) == {float(seconds) for seconds in range(1, 31)}
        assert {episode.delay for episode in self.MANY if episode.kind != "slow"} == {0}
        assert {episode.retry_after for episode in self.MANY if episode.kind != "throttled"} == {
            None
        }
        for kind, statuses in (("hanging_list", {None}), ("refused_list", {403, 405, 406, 501})):
            drawn = [episode for episode in self.MANY if episode.kind == kind]
            assert {episode.path for episode in drawn} == set(LIST_ROUTES)
            assert {episode.status for episode in drawn} == statuses
        others = [each for each in self.MANY if each.kind not in {"hanging_list", "refused_list"}]
        assert {(episode.path, episode.status) for episode in others} == {(None, None)}

    async def test_cluster_draws(self, three: FakeCluster) -> None:
        """The episodes of a cluster are for its number of nodes."""
        drawn = three.chaos(5, horizon=600, episodes=9)

        assert drawn == draw_episodes(5, nodes=3, horizon=600, episodes=9, longest=60)

    async def test_none(self, three: FakeCluster) -> None:
        """No episodes are allowed."""
        assert three.chaos(5, horizon=600, episodes=0) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"horizon": 0},
            {"horizon": -1},
            {"horizon": float("inf")},
            {"horizon": float("nan")},
            {"longest": 0},
            {"longest": float("inf")},
            {"longest": float("nan")},
            {"episodes": -1},
        ],
        ids=repr,
    )
    async def test_impossible(self, cluster: FakeCluster, wrong: dict[str, Any]) -> None:
        """Times are more than 0, and episodes 0 or more."""
        with pytest.raises(ValueError, match=r"more than 0|fewer than 0"):
            cluster.chaos(1, **({"horizon": 10, "episodes": 1} | wrong))

    def test_outside(self) -> None:
        """Chaos starts inside `async with` only."""
        with pytest.raises(RuntimeError, match="inside"):
            FakeCluster().chaos(1, horizon=10, episodes=1)


class TestChaos:
    """Effects of episodes."""

    @pytest.mark.parametrize(
        ("episode", "expected"),
        [
            (episode("unavailable"), (503, "")),
            (episode("throttled", retry_after=7.0), (429, "")),
            (episode("dropped"), aiohttp.ServerDisconnectedError),
            (episode("slow", delay=3.0), (200, [])),
            (episode("truncated"), aiohttp.ClientPayloadError),
            (episode("empty"), (200, "")),
            (episode("garbage"), (200, "<html><body>upstream connect error</body></html>")),
        ],
        ids=lambda value: value.kind if isinstance(value, ChaosEpisode) else "",
    )
    async def test_answers(
        self, cluster: FakeCluster, call: HttpClient, episode: ChaosEpisode, expected: object
    ) -> None:
        """Every answer is spoiled while an episode lasts."""
        cluster._chaos.run([dataclasses.replace(episode, begins=5.0, ends=15.0)])
        assert await call("GET", "/v2/actions") == (200, [])
        await asyncio.sleep(5.1)
        for _ in range(2):
            if isinstance(expected, tuple):
                assert await call("GET", "/v2/actions") == expected
            else:
                with pytest.raises(expected):  # type: ignore[call-overload]
                    await call("GET", "/v2/actions")
        await asyncio.sleep(10)
        assert await call("GET", "/v2/actions") == (200, [])

    @pytest.mark.parametrize(
        ("kind", "key", "value"), [("bad_entry", "status", 42), ("nan", "progress", float("nan"))]
    )
    async def test_entries(
        self, cluster: FakeCluster, call: HttpClient, kind: EpisodeKind, key: str, value: float
    ) -> None:
        """Entries of lists are spoiled, too."""
        cluster.add_action()
        cluster._chaos.run([episode(kind)])
        (entry,) = await call.ok("GET", "/v2/actions")

        assert entry[key] == pytest.approx(value, nan_ok=True)

    async def test_headers(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A throttled answer has Retry-After, and HTML its content type."""
        cluster._chaos.run([
            episode("throttled", retry_after=7.0),
            episode("garbage", begins=10, ends=20),
        ])  # fmt: skip
        async with call.session.get(f"{cluster.url}/v1/actions") as response:
            assert response.headers["Retry-After"] == "7"
        await asyncio.sleep(11)
        async with call.session.get(f"{cluster.url}/v1/actions") as response:
            assert response.content_type == "text/html"

    async def test_slow(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Slow answers are late by the episode's delay."""
        cluster._chaos.run([episode("slow", delay=3.5)])
        began = asyncio.get_running_loop().time()
        await call.ok("GET", "/v1/actions")

        assert asyncio.get_running_loop().time() - began == pytest.approx(3.5, abs=0.01)

    @pytest.mark.parametrize("path", LIST_ROUTES)
    async def test_hanging_list(self, cluster: FakeCluster, call: HttpClient, path: str) -> None:
        """A list that hangs is not answered, and what is below it is."""
        cluster.add_action(uid="u")
        cluster._chaos.run([episode("hanging_list", path=path)])
        with pytest.raises(TimeoutError):
            await call("GET", path, timeout=aiohttp.ClientTimeout(5))
        (hung,) = cluster.requests

        assert hung.status is None
        for other in ("/v1/actions/u", "/v2/actions/u", "/v1/bdbs/1", "/v1/nodes", "/v1/crdbs"):
            await call.ok("GET", other)
        await asyncio.sleep(5)
        await call.ok("GET", path)

    async def test_call_on_a_list(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A call that creates an object has the path of the list, and is answered."""
        cluster._chaos.run([
            episode("hanging_list", path="/v1/bdbs"),
            episode("refused_list", path="/v1/bdbs", status=405),
        ])  # fmt: skip

        assert await call.ok("POST", "/v1/bdbs", {"name": "db", "memory_size": 1})

    @pytest.mark.parametrize("status", [403, 405, 406, 501])
    async def test_refused_list(self, cluster: FakeCluster, call: HttpClient, status: int) -> None:
        """A list that is refused answers that status, and single objects are shown."""
        cluster.add_action(uid="u")
        cluster._chaos.run([episode("refused_list", path="/v1/actions", status=status)])

        assert (await call("GET", "/v1/actions"))[0] == status
        await call.ok("GET", "/v1/actions/u")
        await call.ok("GET", "/v2/actions")
        await asyncio.sleep(10)
        await call.ok("GET", "/v1/actions")

    async def test_inner_redirect(self, three: FakeCluster) -> None:
        """The primary moves, and others redirect to its inner address until the end."""
        three._chaos.run([episode("inner_redirect", begins=1, node=3)])
        seen = []
        async with authorized(three) as session:
            for _ in range(3):
                for node in (1, 2, 3):
                    url = f"{three.urls[node - 1]}/v1/actions?a=b"
                    async with session.get(url, allow_redirects=False) as response:
                        seen.append(response.headers.get("Location", response.status))
                await asyncio.sleep(5)

        first, third, inside = three.urls[0], three.urls[2], "https://10.0.0.3:9443"
        path = "/v1/actions?a=b"
        assert seen == [
            *(200, f"{first}{path}", f"{first}{path}"),
            *(f"{inside}{path}", f"{inside}{path}", 200),
            *(f"{third}{path}", f"{third}{path}", 200),
        ]

    async def test_node(self, three: FakeCluster, call3: HttpClient) -> None:
        """An episode of one node leaves the others alone."""
        three._chaos.run([episode("unavailable", node=3)])

        assert [(await call3("GET", "/v1/actions", node=node))[0] for node in (1, 2, 3)] == [
            200,
            307,
            503,
        ]

    async def test_oldest(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Of several episodes the oldest wins, and injected faults come first."""
        cluster._chaos.run([episode("unavailable", begins=2)])
        cluster._chaos.run([episode("throttled", begins=1, ends=5, retry_after=1.0)])
        cluster._chaos.run([episode("election", begins=0, ends=1.5)])
        await asyncio.sleep(3)
        cluster.inject(status=500)

        assert [(await call("GET", "/v1/actions"))[0] for _ in range(2)] == [500, 429]
        await asyncio.sleep(3)
        assert (await call("GET", "/v1/actions"))[0] == 503

    async def test_restart(self, three: FakeCluster, call3: HttpClient) -> None:
        """A restarted node is down during the episode, and no primary afterwards."""
        three._chaos.run([episode("restart", node=1)])
        await asyncio.sleep(1)
        assert running(three) == [2, 3]
        assert three.primary == 2
        with pytest.raises(aiohttp.ClientConnectorError):
            await call3("GET", "/v1/actions")
        await asyncio.sleep(10)

        assert running(three) == [1, 2, 3]
        assert (await call3("GET", "/v1/actions"))[0] == 307

    async def test_last_node(self, three: FakeCluster) -> None:
        """The only running node is not restarted."""
        three._chaos.run([episode("restart", begins=node, node=node) for node in (1, 2, 3)])
        await asyncio.sleep(4)
        assert running(three) == [3]
        await asyncio.sleep(20)
        assert running(three) == [1, 2, 3]

    async def test_restarts_overlap(self, three: FakeCluster) -> None:
        """A restart of a stopped node does nothing."""
        three._chaos.run([
            episode("restart", node=2),
            episode("restart", begins=5, ends=20, node=2),
        ])  # fmt: skip
        await asyncio.sleep(9)
        assert running(three) == [1, 3]
        await asyncio.sleep(2)
        assert running(three) == [1, 2, 3]
        await asyncio.sleep(10)
        assert running(three) == [1, 2, 3]

    async def test_restart_of_the_users(self, three: FakeCluster) -> None:
        """A node that the test stops or starts meanwhile stays so."""
        await three.stop_node(3)
        three._chaos.run([episode("restart", node=node) for node in (2, 3)])
        await asyncio.sleep(1)
        await three.start_node(2)
        await asyncio.sleep(10)

        assert running(three) == [1, 2]

    async def test_failover(self, three: FakeCluster) -> None:
        """A failover moves the primary to the node, or to the lowest other running one."""
        await three.stop_node(3)
        await three.start_node(3)
        three._chaos.run([episode("failover", begins=at, node=3) for at in (1, 3)])
        primaries = []
        for _ in range(3):
            primaries.append(three.primary)
            await asyncio.sleep(2)

        assert primaries == [1, 3, 1]

    async def test_failover_of_one(self, cluster: FakeCluster, call: HttpClient) -> None:
        """A cluster of one node neither fails over nor restarts."""
        cluster._chaos.run([episode("failover", node=1), episode("restart", node=1)])
        await asyncio.sleep(1)

        assert cluster.primary == 1
        await call.ok("GET", "/v1/actions")

    async def test_election(self, three: FakeCluster, call3: HttpClient) -> None:
        """There is no primary while the election lasts; then the lowest node is it."""
        three.primary = 3
        three._chaos.run([
            episode("election"),
            episode("failover", begins=2, node=2),
            episode("election", begins=5, ends=15),
        ])  # fmt: skip
        for _ in range(2):
            await asyncio.sleep(6)
            assert three.primary is None
            assert (await call3("GET", "/v1/actions"))[0] == 503
        await asyncio.sleep(4)

        assert three.primary == 1

    async def test_election_and_restart(self, three: FakeCluster) -> None:
        """A node that comes back in an election is not the primary before it ends."""
        three._chaos.run([
            episode("restart", begins=1, ends=5, node=1),
            episode("election"),
        ])  # fmt: skip
        await asyncio.sleep(6)
        assert running(three) == [1, 2, 3]
        assert three.primary is None
        await asyncio.sleep(5)
        assert three.primary == 1

    async def test_election_of_the_users(self, three: FakeCluster) -> None:
        """A primary that the test sets meanwhile stays."""
        three._chaos.run([episode("election")])
        await asyncio.sleep(1)
        three.primary = 3
        await asyncio.sleep(10)

        assert three.primary == 3

    async def test_revoke(self, cluster: FakeCluster) -> None:
        """Tokens are revoked when the episode begins, and those issued later are not."""
        cluster._chaos.run([episode("revoke", begins=5)])
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
            await asyncio.sleep(6)
            later = await authorize(session, cluster)
            await asyncio.sleep(6)
        for shown, status in ((token, 401), (later, 200)):
            async with with_header(f"JWT {shown}") as session:
                assert (await HttpClient(session, cluster)("GET", "/v1/actions"))[0] == status

    async def test_heal(self, three: FakeCluster, call3: HttpClient) -> None:
        """`heal` ends all chaos; only a stopped node stays so."""
        three._chaos.run([
            episode("unavailable"),
            episode("election"),
            episode("restart", node=3),
            episode("restart", begins=5, node=2),
        ])  # fmt: skip
        await asyncio.sleep(1)
        three.heal()
        assert three.primary == 1
        await call3.ok("GET", "/v1/actions")
        await asyncio.sleep(20)

        assert running(three) == [1, 2]
        await three.start_node(3)

    async def test_after_healing(self, three: FakeCluster) -> None:
        """Chaos can start again after `heal`."""
        three._chaos.run([episode("election")])
        await asyncio.sleep(1)
        three.heal()
        three._chaos.run([episode("election", begins=1, ends=5)])
        await asyncio.sleep(2)
        assert three.primary is None
        await asyncio.sleep(10)
        assert three.primary == 1

    @pytest.mark.parametrize("at", [0, 5, 10])
    async def test_end(self, at: float) -> None:
        """A cluster may end during chaos, at any moment, and leaves no task."""
        for turns in range(0, 30, 2):
            before = asyncio.all_tasks()
            async with FakeCluster(nodes=2) as cluster:
                cluster._chaos.run([episode("restart", node=2), episode("unavailable")])
                await asyncio.sleep(at)
                for _ in range(turns):
                    await asyncio.sleep(0)
                if turns % 4:
                    cluster.heal()

            assert asyncio.all_tasks() == before, turns
        gc.collect()

    async def test_port_taken(self) -> None:
        """A node that cannot be started again is a problem, and the other episodes go on."""
        with pytest.raises(ScenarioError, match=r"chaos: .*address") as raised:
            async with FakeCluster(nodes=2) as cluster:
                cluster._chaos.run([
                    episode("restart", node=2),
                    episode("election", begins=5, ends=20),
                ])  # fmt: skip
                await asyncio.sleep(1)
                with socket.create_server(("127.0.0.1", port_of(cluster.urls[1]))):
                    await asyncio.sleep(14)
                assert cluster.primary is None
                assert [str(each)[:6] for each in cluster.problems] == ["chaos:"]
                await asyncio.sleep(10)
                assert cluster.primary == 1
        assert isinstance(raised.value.__cause__, OSError)

    @pytest.mark.parametrize("seed", range(12))
    async def test_all_is_well(self, seed: int) -> None:
        """After all episodes every node runs, and one of them is the primary and answers."""
        async with FakeCluster(nodes=3) as cluster, authorized(cluster) as session:
            call, seen = HttpClient(session, cluster), set[object]()
            patience = aiohttp.ClientTimeout(30)
            cluster.chaos(seed, horizon=600, episodes=60)
            cluster.chaos(seed + 100, horizon=600, episodes=20)
            while asyncio.get_running_loop().time() < 660:
                for node in (1, 2, 3):
                    try:
                        answer = await call(
                            "GET", f"/v1/actions?{node}", node=node, timeout=patience
                        )
                        seen.add(answer[0])
                    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                        seen.add(type(error))
                await asyncio.sleep(5)
            answers = [(await call("GET", "/v1/actions", node=node))[0] for node in (1, 2, 3)]

        assert len(seen) > 3
        assert sorted(answers) == [200, 307, 307]
        assert answers.index(200) + 1 == cluster.primary
