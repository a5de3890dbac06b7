"""Tests of `testing.scenario.timeline`: the entries of a scenario, each at its time."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from redis_enterprise_actions.testing import FakeCluster, Scenario, ScenarioError
from redis_enterprise_actions.testing.scenario.entries import Stage
from tests.http_client import http_client
from tests.testing.sessions import authorize, authorized, port_of


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

EXAMPLE = Path(__file__).parents[3] / "examples" / "scenarios" / "upgrade.toml"
ACTION = "11111111-1111-4111-8111-111111111111"


def scenario(**fields: Any) -> Scenario:  # noqa: ANN401 - JSON
    """Return a scenario of these fields, with a clock that stands still."""
    table = {"speed": 0, **fields.pop("cluster", {})}
    return Scenario.parse(msgspec.json.encode({"v": 1, "cluster": table, **fields}).decode())


def running(cluster: FakeCluster) -> list[int]:
    """Return the numbers of the nodes that run."""
    return cluster._nodes.running


async def test_example() -> None:
    """The entries of a file take effect at their times, on a clock that jumps."""
    async with FakeCluster.from_scenario(EXAMPLE, speed=0) as cluster, http_client(cluster) as call:
        assert [bdb["name"] for bdb in await call.ok("GET", "/v1/bdbs")] == ["cache", "sessions"]
        work = await call.ok("GET", f"/v1/actions/{ACTION}")
        assert work["status"] == "active"
        await cluster.advance(60)
        statuses = [(await call("GET", "/v1/bdbs"))[0] for _ in range(4)]
        assert statuses == [503, 503, 503, 200]
        await cluster.advance(30)
        assert running(cluster) == [1, 3]
        await cluster.advance(29)
        assert running(cluster) == [1, 3]
        await cluster.advance(1)
        assert running(cluster) == [1, 2, 3]
        started = await call.ok("POST", "/v1/bdbs/1/upgrade", {})
        await cluster.advance(899)
        uid = started["action_uid"]
        assert (await call.ok("GET", f"/v1/actions/{uid}"))["status"] == "active"
        await cluster.advance(1)
        assert (await call.ok("GET", f"/v1/actions/{uid}"))["status"] == "completed"


async def test_running_clock() -> None:
    """On a clock that runs 60 times as fast, they do as well."""
    async with FakeCluster.from_scenario(EXAMPLE) as cluster:
        for seconds, nodes in ((1.4, [1, 2, 3]), (0.2, [1, 3]), (0.3, [1, 3]), (0.2, [1, 2, 3])):
            await asyncio.sleep(seconds)
            assert running(cluster) == nodes


async def test_jump_over_all() -> None:
    """A jump over several entries gives each its own time."""
    entries = [{"uid": "b", "at": 50, "plan": {"duration": 30}}, {"uid": "a", "at": 20}]
    async with FakeCluster.from_scenario(scenario(actions=entries)) as cluster:
        began = cluster.now
        await cluster.advance(100)
        times = [(action.uid, action.began_at - began) for action in cluster.actions.values()]
        assert times == [("a", 20), ("b", 50)]
        assert cluster.actions["b"].status(cluster.now) == "completed"


async def test_order_at_one_time() -> None:
    """Entries of one time take effect in the order of the document: databases before the rest."""
    entries = {"transfers": [{"bdb_uid": 7, "transfer": "export", "at": 5}]}
    document = scenario(**entries, databases=[{"uid": 7, "name": "x", "at": 5}])
    async with FakeCluster.from_scenario(document) as cluster:
        await cluster.advance(5)
        assert cluster.problems == []
        assert cluster.bdbs[7].made_with == {"name": "x"}


async def test_arguments_win() -> None:
    """Arguments win over the file, whose other settings remain."""
    async with FakeCluster.from_scenario(str(EXAMPLE), version="7.22", nodes=4) as cluster:
        assert (cluster.version, len(cluster.urls), cluster.speed) == ("7.22", 4, 60)


@pytest.mark.parametrize(
    ("fields", "settings", "message"),
    [
        ({"cluster": {"nodes": 3}, "restarts": [{"node": 3}]}, {"nodes": 2}, r"\.node: there is"),
        ({"cluster": {"client_certificate": True}}, {}, r"\$\.cluster\.client_certificate: client"),
        ({"cluster": {"token_ttl": 5}}, {"token_ttl": 0}, "^token_ttl is in seconds"),
        ({"cluster": {"port": 65535, "nodes": 2}}, {}, r"\$\.cluster\.port: port is 0 to 65535"),
        ({}, {"port": -1}, "^port is 0 to 65535"),
        ({}, {"version": "6"}, "^version='6' is none"),
        ({}, {"nodes": 0}, "^scenario: .*a cluster has 1 node"),
    ],
)
def test_contradictions(fields: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    """A contradiction is an error before anything is served; wrong arguments are no file's."""
    with pytest.raises(ValueError, match=message):
        FakeCluster.from_scenario(scenario(**fields), **settings)


REFUSED_AT_START = [
    ({"bootstraps": [{"node": 1}]}, "$.bootstraps[0].node"),
    ({"actions": [{"name": "export"}], "cluster": {"version": "7.4"}}, "$.actions[0].name"),
    ({"restarts": [{"node": 1}, {"node": 1}]}, "$.restarts[1].node"),
    (
        {"node_actions": [{"node_uid": 1, "action": "maintenance_on"}] * 2},
        "$.node_actions[1].action",
    ),
]


@pytest.mark.parametrize(("fields", "field"), REFUSED_AT_START)
async def test_refused_at_the_start(fields: dict[str, Any], field: str) -> None:
    """What the cluster refuses at the start is an error that names the entry; nothing is left."""
    cluster = FakeCluster.from_scenario(scenario(**fields))
    for _ in range(2):
        with pytest.raises(ScenarioError) as caught:
            await cluster.__aenter__()
        assert caught.value.field == field
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert running(cluster) == []


TWICE = {"restarts": [{"node": 1, "at": 5}, {"node": 1, "at": 6}]}


async def test_refused_later(caplog: pytest.LogCaptureFixture) -> None:
    """What the cluster refuses later is logged, kept, and raised at the end; the rest goes on."""
    document = scenario(**TWICE, actions=[{"uid": "a", "at": 7}])
    with pytest.raises(ScenarioError, match="node 1 is stopped already") as caught:
        async with FakeCluster.from_scenario(document) as cluster:
            await cluster.advance(10)
            assert list(cluster.actions) == ["a"]
            problems = cluster.problems
            (problem,) = problems

    assert caught.value is problem
    assert problem.field == "$.restarts[1].node"
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, str(problem))
    ]


async def test_refused_later_is_no_other_error() -> None:
    """An error inside `async with` is not replaced by one of the scenario."""
    with pytest.raises(KeyError):
        async with FakeCluster.from_scenario(scenario(**TWICE)) as cluster:
            await cluster.advance(10)
            raise KeyError


async def test_start_in_between() -> None:
    """A node that was started before its restart did so is a problem that is told."""
    document = scenario(restarts=[{"node": 1, "at": 5, "downtime": 60}])
    with pytest.raises(ScenarioError, match=r"^restart: node 1 runs already$"):
        async with FakeCluster.from_scenario(document) as cluster:
            await cluster.advance(10)
            await cluster.start_node(1)
            await cluster.advance(100)


async def test_end_before() -> None:
    """The end of a cluster ends what is still to come."""
    document = scenario(
        restarts=[{"node": 1, "at": 5, "downtime": 60}], faults=[{"at": 99, "drop": True}]
    )
    async with FakeCluster.from_scenario(document) as cluster:
        await cluster.advance(10)

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_reset() -> None:
    """A reset lets the scenario begin again: at its time, with the same identifiers."""
    document = scenario(
        seed=5,
        cluster={"nodes": 2},
        databases=[{}],
        actions=[{"name": "retry_bdb"}, {"name": "retry_bdb", "at": 10}],
        restarts=[{"node": 2, "at": 20}],
    )
    async with FakeCluster.from_scenario(document) as cluster:
        seen: list[object] = []
        for _ in range(3):
            async with aiohttp.ClientSession() as session:
                token = await authorize(
                    session, cluster, username=cluster.username, password=cluster.password
                )
            first = list(cluster.actions)
            await cluster.advance(25)
            seen.append((token, first, list(cluster.actions), running(cluster), cluster.urls))
            await cluster.reset()
            assert running(cluster) == [1, 2]
            assert list(cluster.bdbs) == [1]

    assert seen[0] == seen[1] == seen[2]


async def test_again() -> None:
    """Each `async with` begins with the scenario anew, and the first one with what was added."""
    cluster = FakeCluster.from_scenario(scenario(databases=[{"uid": 1}]))
    cluster.add_bdb(7)
    async with cluster:
        assert list(cluster.bdbs) == [1, 7]
        cluster.add_bdb(8)
    async with cluster:
        assert list(cluster.bdbs) == [1]
    plain = FakeCluster()
    async with plain:
        plain.add_bdb(7)
    async with plain:
        assert list(plain.bdbs) == [7]


async def test_no_answer_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that arrives while the scenario begins is answered once it has begun."""
    document = scenario(
        cluster={"handle_redirects": True},
        node_actions=[{"node_uid": 1, "action": "maintenance_on", "plan": {"duration": 9}}],
    )
    cluster = FakeCluster.from_scenario(document)
    listening, goes_on = asyncio.Event(), asyncio.Event()
    begin: Callable[..., Any] = cluster._timeline.open

    async def held(*stages: Stage) -> None:
        if stages == (Stage.NODES,):
            listening.set()
            await goes_on.wait()
        await begin(*stages)

    monkeypatch.setattr(cluster._timeline, "open", held)
    entering = asyncio.create_task(cluster.__aenter__())
    await listening.wait()
    url = cluster._nodes.url_of(1)
    async with authorized(cluster) as session:
        request = asyncio.create_task(session.get(f"{url}/v1/nodes/1/actions"))
        await asyncio.sleep(60)
        assert not request.done()
        goes_on.set()
        await entering
        async with await request as response:
            assert "maintenance_on" in await response.text()
    await cluster.__aexit__(None, None, None)


async def test_fixed_ports() -> None:
    """The ports of a scenario are those of the nodes, one after the other."""
    async with FakeCluster(nodes=1) as other:
        port = port_of(other.url)
    async with FakeCluster.from_scenario(scenario(cluster={"port": port})) as cluster:
        assert port_of(cluster.url) == port
        with pytest.raises(OSError, match=str(port)):
            await FakeCluster.from_scenario(scenario(cluster={"port": port})).__aenter__()
