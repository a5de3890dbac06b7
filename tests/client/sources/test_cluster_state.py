"""Tests of `_client.sources.cluster_state` and `cluster_look`: the stop gate, quiet clusters."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, cast, get_args

import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import (
    ActionsClient,
    AuthenticationError,
    ClusterUnreachable,
    Evidence,
    FindingKind,
    FinishedAction,
    Kind,
    Outcome,
    Phase,
    RequestRejected,
    UnreadableReply,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.protocols import NO_LIST
from redis_enterprise_actions._model.reference import parse_reference
from redis_enterprise_actions.testing import FakeCluster, Plan
from redis_enterprise_actions.testing.settings import Version
from tests.conftest import examples
from tests.scripted import now

from .conftest import wanted_of


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = [pytest.mark.core, pytest.mark.enable_socket]

VERSIONS: tuple[Version, ...] = get_args(Version)
OLD, NEW = "7.22", "8.0.16"  # by lists, and by the report
QUIET, HEALTHY = "cluster@quiet", "cluster@healthy"
LONG = Plan(duration=1000)
# What is asked for: the lists of work, and those of a healthy cluster
WORK = ["/v1/actions", "/v1/nodes/actions", "/v1/cluster/actions", "/v1/crdb_tasks", "/v1/bdbs"]
ACTIONS = ["/v1/actions", "/v1/nodes/actions", "/v1/cluster/actions", "/v2/actions"]
BY_LISTS = [
    *("/v1/bdbs", "/v1/nodes", "/v1/nodes/status", "/v1/local/node/master_healthcheck"),
    *("/v1/cluster/check", "/v1/shards", *ACTIONS, "/v1/bdbs/1/availability"),
]
BY_REPORT = ["/v1/bdbs", "/v4/cluster/health", "/v1/nodes/status", *ACTIONS]


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., object]]:
    """Return a function that starts a cluster of three nodes and a database, and its client."""
    async with AsyncExitStack() as stack:

        async def start(version: Version = "8.0.16") -> tuple[FakeCluster, ActionsClient]:
            cluster = await stack.enter_async_context(FakeCluster(version=version, nodes=3))
            cluster.add_bdb(1)
            client = await stack.enter_async_context(
                ActionsClient(cluster.urls, username=cluster.username, password=cluster.password)
            )
            return cluster, client

        yield start


def paths(cluster: FakeCluster) -> list[str]:
    """Return the paths that were asked for since the last call of this, without queries."""
    seen = [each.path.partition("?")[0] for each in cluster.requests]
    cluster.requests.clear()
    return seen


# --- the stop gate -------------------------------------------------------------------------------

# Each finding alone: how it comes, and its text by lists, and by the report (if that differs).
GATE: dict[str, tuple[Callable[[FakeCluster], object], str, str]] = {
    "node-down": (lambda it: it.set_node_status(2, "down"), "node 2: down", ""),
    "node-decommissioning": (
        lambda it: it.set_node_status(2, "decommissioning"),
        "node 2: decommissioning",
        "",
    ),
    "node-provisioning": (
        lambda it: it.set_node_status(2, "provisioning"),
        "node 2: provisioning",
        "",
    ),
    "maintenance": (
        lambda it: it.start_node_action(2, "maintenance_on", Plan(duration=0)),
        "node 2: in maintenance, or not taken out of it properly",
        "node 2: in maintenance",
    ),
    "maintenance-begins": (
        lambda it: it.start_node_action(2, "maintenance_on", LONG),
        "node 2: maintenance_on: running",
        "",
    ),
    "node-removal": (
        lambda it: it.start_node_action(2, "remove", LONG),
        "remove_node on node 2: running",
        "",
    ),
    "check": (
        lambda it: it.set_check(2, "no pid file"),
        "node 2: it fails its check: no pid file",
        "node 2: no pid file",
    ),
    "primary-changes": (
        lambda it: it.start_cluster_action("change_master", LONG, node_uid=2),
        "change_master: running",
        "",
    ),
    "shard-loading": (
        lambda it: it.set_shard(1, detailed_status="loading"),
        "shard 1 of database 1: loading",
        "",
    ),
    "shard-inactive": (
        lambda it: it.set_shard(1, status="inactive"),
        "shard 1 of database 1: inactive (ok)",
        "",
    ),
    "not-available": (
        lambda it: it.set_available(1, False, error_code="no_quorum"),  # noqa: FBT003
        "database 1: not available: no_quorum",
        "database 1: down (active)",
    ),
    "task": (
        lambda it: it.add_action("retry_bdb", LONG, kind="task"),
        "retry_bdb: running",
        "",
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
async def test_go(start: Callable[..., object], version: Version) -> None:
    """A cluster without findings is a go, on each release."""
    cluster, client = await start(version)  # type: ignore[misc]

    check = await client.cluster.check()

    assert cluster.is_healthy()
    assert (check.is_healthy, check.findings, str(check)) == (True, (), "healthy")
    assert check.source == ("v4" if version in {"8.0.16", "8.2"} else "v1")
    # Releases that do not know `fields=` are asked twice for databases.
    asked = list(dict.fromkeys(paths(cluster)))
    if check.source == "v1":
        asked.remove("/v4/cluster/health")
    if version == "7.4":  # which cannot check the availability
        assert asked[-2:] == ["/v1/bdbs/1", "/v1/bdbs/1/shards"]
        del asked[-2:]
    assert asked == (BY_REPORT if check.source == "v4" else BY_LISTS)


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("name", GATE)
async def test_no_go(start: Callable[..., object], name: str, version: Version) -> None:
    """Each finding alone is a no go, and is named."""
    cluster, client = await start(version)  # type: ignore[misc]
    spoil, by_lists, by_report = GATE[name]
    spoil(cluster)
    await asyncio.sleep(1)

    check = await client.cluster.check()
    action = await client.get(HEALTHY)

    expected = by_report or by_lists if version == NEW else by_lists
    assert expected in map(str, check.findings)
    assert not check.is_healthy
    assert (action.phase, action.status) == (Phase.PENDING, "not healthy")
    # Where a check of the cluster fails for the same reason, that is named, too.
    others = {"node 2: it fails its check: node 2 is down", "database 1: warning (active)"}
    assert {str(each) for each in check.findings} - others == {expected}


@pytest.mark.parametrize("version", [OLD, NEW])
async def test_ignored_maintenance(start: Callable[..., object], version: Version) -> None:
    """Only the maintenance of an ignored node is none: it has to be active all the same."""
    cluster, client = await start(version)  # type: ignore[misc]
    cluster.start_node_action(2, "maintenance_on", Plan(duration=10))

    assert (await client.cluster.check(ignore_maintenance=[2])).is_healthy
    await asyncio.sleep(20)
    assert (await client.cluster.check(ignore_maintenance=[2])).is_healthy
    assert (await client.get(f"{HEALTHY},ignore=1+2")).phase is Phase.COMPLETED
    (finding,) = (await client.cluster.check(ignore_maintenance=[1, 3])).findings
    assert (finding.kind, finding.object) == (FindingKind.MAINTENANCE, "node 2")
    cluster.set_node_status(2, "down")
    check = await client.cluster.check(ignore_maintenance=[2])
    assert "node 2: down" in map(str, check.findings)


@pytest.mark.parametrize("version", [OLD, NEW])
async def test_database_at_work(start: Callable[..., object], version: Version) -> None:
    """A state machine is named, and its database once."""
    _, client = await start(version)  # type: ignore[misc]
    await client.databases.update(1, {"name": "x", "memory_size": 1})

    texts = list(map(str, (await client.cluster.check()).findings))

    assert [each for each in texts if "SMUpdateBDB on bdb:1" in each]
    assert len([each for each in texts if each.startswith("database 1: ")]) == 1


async def test_alert_and_transfer(start: Callable[..., object]) -> None:
    """An alert is no finding, and neither is an export."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    cluster.add_alert("node_memory")
    cluster.start_transfer(1, "export", LONG)
    await asyncio.sleep(1)

    assert (await client.cluster.check()).is_healthy
    assert not cluster.is_quiet()


async def test_election(start: Callable[..., object]) -> None:
    """A cluster that is electing its primary cannot be asked; it is none that is healthy."""
    cluster, client = await start(OLD)  # type: ignore[misc]
    cluster.primary = None

    with pytest.raises(ClusterUnreachable):
        await client.cluster.check()


async def test_unknown_report(
    start: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    """A report in another form than documented is left aside, logged, and asked for again."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    caplog.set_level("DEBUG", "redis_enterprise_actions._client.sources")
    report = {"status": "ok", "nodes": {"1": "fine"}, "database_infos": []}
    cluster.inject(exact=True, path="/v4/cluster/health", status=200, body=json.dumps(report))

    assert (await client.cluster.check()).source == "v1"
    assert "not a list; the client asks for lists instead" in caplog.text
    assert (await client.cluster.check()).source == "v4"


async def test_no_report(start: Callable[..., object]) -> None:
    """A cluster is asked every few minutes whether it has a report."""
    cluster, client = await start(OLD)  # type: ignore[misc]

    for _ in range(3):
        await client.cluster.check()

    assert paths(cluster).count("/v4/cluster/health") == 1
    await asyncio.sleep(300)
    await client.cluster.check()
    assert paths(cluster).count("/v4/cluster/health") == 1


async def test_availability_by_release(start: Callable[..., object]) -> None:
    """On 7.4 nothing but the shards and the status tell of a database; one request finds out."""
    cluster, client = await start("7.4")  # type: ignore[misc]
    cluster.add_bdb(2)
    cluster.set_available(1, available=False)

    assert (await client.cluster.check()).is_healthy
    asked = paths(cluster)
    assert [each for each in asked if "availability" in each] == ["/v1/bdbs/1/availability"]
    assert {"/v1/bdbs/1/shards", "/v1/bdbs/2/shards"} <= set(asked)


async def test_database_gone_meanwhile(start: Callable[..., object]) -> None:
    """A database that goes between two requests is a finding of this look."""
    cluster, client = await start(OLD)  # type: ignore[misc]
    cluster.inject(
        exact=True, path="/v1/bdbs/1/availability", status=404, body='{"error_code":"db_not_found"}'
    )

    assert list(map(str, (await client.cluster.check()).findings)) == [
        "database 1: not available: it does not exist"
    ]


async def test_database_without_uid(start: Callable[..., object]) -> None:
    """A database whose uid cannot be read is a finding, and not asked for."""
    cluster, client = await start(OLD)  # type: ignore[misc]
    cluster.inject(exact=True, path="/v1/bdbs", status=200, body='[{"uid":1.0,"status":"active"}]')

    assert list(map(str, (await client.cluster.check()).findings)) == [
        "a database without a uid: no shard of it is listed",
        "shard 1 of database 1: its database is not listed",
        "shard 2 of database 1: its database is not listed",
    ]


NOT_OF_THE_API = [
    (status, body) for status in (200, 404) for body in ("<html>", '{"error_code": "odd"}')
]


@pytest.mark.parametrize(("status", "body"), NOT_OF_THE_API)
async def test_other_servers_availability(
    start: Callable[..., object], status: int, body: str
) -> None:
    """Another server's answer about one database tells nothing of it, nor of the other ones."""
    cluster, client = await start(OLD)  # type: ignore[misc]
    cluster.add_bdb(2)
    cluster.set_available(2, available=False)
    path = "/v1/bdbs/1/availability"
    cluster.inject(exact=True, path=path, status=status, body=body, times=None)

    with pytest.raises(UnreadableReply, match=path):
        await client.cluster.check()


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"database_infos": []}, "database 1: the health report does not have it"),
        ({"nodes": 2}, "node 3: the health report does not have it"),
        ({"error_code": "odd"}, "cluster: its health report was answered 200: odd"),
    ],
)
async def test_report_lacks_something(
    start: Callable[..., object], report: dict[str, Any], expected: str
) -> None:
    """A report is not believed for what it does not list."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    cluster.add_bdb(2)
    nodes: list[dict[str, object]] = [
        {"id": uid, "status": "active", "role": role, "in_maintenance": False, "shards": []}
        for uid, role in ((1, "leader"), (2, "follower"), (3, "follower"))
    ]
    nodes[0]["shards"] = [
        {"id": uid, "db_id": uid, "status": "active", "detailed_status": "ok"} for uid in (1, 2)
    ]
    body = {
        "status": "ok",
        "nodes": nodes[: report.get("nodes", 3)],
        "database_infos": [{"id": uid, "status": "active"} for uid in (1, 2)],
    }
    text = json.dumps({**body, **report, "nodes": body["nodes"]})
    cluster.inject(exact=True, path="/v4/cluster/health", status=200, body=text)

    check = await client.cluster.check()

    assert check.source == "v4"
    assert expected in map(str, check.findings)
    assert len(check.findings) == (2 if "database_infos" in report else 1)


async def test_long_look(start: Callable[..., object]) -> None:
    """A poll that takes long reads the lists again before the cluster counts as healthy."""
    cluster, client = await start(OLD)  # type: ignore[misc]
    for uid in range(2, 40):
        cluster.add_bdb(uid)
    await client.cluster.check()
    loop = asyncio.get_running_loop()
    loop.call_later(6, cluster.start_node_action, 3, "maintenance_on", Plan(duration=0))

    with pytest.raises(WaitTimeout, match="node 3: in maintenance"):
        await client.cluster.wait_healthy(timeout=60)


async def test_long_look_for_work(start: Callable[..., object]) -> None:
    """Neither does it count as quiet."""
    cluster, client = await start(OLD)  # type: ignore[misc]
    cluster.inject(exact=True, path="/v1/bdbs", delay=8)
    loop = asyncio.get_running_loop()
    loop.call_later(6, cluster.start_node_action, 3, "maintenance_on", LONG)

    assert (await client.get(QUIET)).phase is Phase.PENDING


async def test_unavailable_in_a_poll(start: Callable[..., object]) -> None:
    """A poll asks for no more databases once one is not available."""
    cluster, client = await start(OLD)  # type: ignore[misc]
    for uid in (2, 3):
        cluster.add_bdb(uid)
    cluster.set_available(2, available=False)

    with pytest.raises(WaitTimeout, match="database 2: not available"):
        await client.cluster.wait_healthy(timeout=6)

    assert "/v1/bdbs/3/availability" not in paths(cluster)


async def test_state_machine_of_v2_only(start: Callable[..., object]) -> None:
    """A state machine that only v2 shows is work; an export is none for a healthy cluster."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    works = [
        {"action_uid": "a", "name": "SMX", "status": "running", "action_type": "state-machine"},
        {"action_uid": "b", "name": "export", "status": "running", "action_type": "other"},
    ]
    cluster.inject(exact=True, path="/v2/actions", status=200, body=json.dumps(works))

    assert list(map(str, (await client.cluster.check()).findings)) == ["SMX: running"]


async def test_ended_in_v1_only(start: Callable[..., object]) -> None:
    """An action that has ended in v1, and not in v2, is work."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    work = {"action_uid": "a", "name": "SMX", "action_type": "state-machine"}
    old = {"actions": [], "state-machines": [{**work, "status": "completed"}]}
    new = [{**work, "status": "running"}]
    cluster.inject(exact=True, path="/v1/actions", status=200, body=json.dumps(old))
    cluster.inject(exact=True, path="/v2/actions", status=200, body=json.dumps(new))

    action = await client.get(QUIET)

    assert (action.phase, action.state) == (Phase.PENDING, "SMX: running")


# --- quiet ---------------------------------------------------------------------------------------

WORKS: dict[str, tuple[Callable[[FakeCluster], object], str]] = {
    "state-machine": (
        lambda it: it.add_action("SMUpgradeBDB", LONG, bdb_uid=1),
        "SMUpgradeBDB on bdb:1: active",
    ),
    "stuck": (
        lambda it: it.add_action("SMUpgradeBDB", Plan(duration=1, outcome="stuck"), bdb_uid=1),
        "SMUpgradeBDB on bdb:1: active",
    ),
    "task": (
        lambda it: it.add_action("retry_bdb", LONG, kind="task"),
        "retry_bdb: running",
    ),
    "node": (
        lambda it: it.start_node_action(2, "remove", LONG),
        "remove_node on node 2: running",
    ),
    "cluster": (
        lambda it: it.start_cluster_action("change_master", LONG, node_uid=1),
        "change_master: running",
    ),
    "crdb": (
        lambda it: it.start_crdb_task(plan=LONG),
        "update_crdb: started",
    ),
    "export": (
        lambda it: it.start_transfer(1, "export", LONG),
        "export of database 1: exporting",
    ),
    "backup": (
        lambda it: it.start_transfer(1, "backup", LONG),
        "backup of database 1: exporting",
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", WORKS)
async def test_not_quiet(start: Callable[..., object], name: str, version: Version) -> None:
    """Work of each kind keeps a cluster from being quiet, and is named."""
    cluster, client = await start(version)  # type: ignore[misc]
    begin, text = WORKS[name]
    begin(cluster)
    await asyncio.sleep(5)

    action = await client.get(QUIET)

    assert not cluster.is_quiet()
    assert (action.status, action.phase, action.kind) == (
        "not quiet",
        Phase.PENDING,
        Kind.CONDITION,
    )
    assert text in (action.state or "")


@pytest.mark.parametrize("version", VERSIONS)
async def test_quiet(start: Callable[..., object], version: Version) -> None:
    """A cluster whose work has ended, well or not, is quiet; a list that it lacks is left out."""
    cluster, client = await start(version)  # type: ignore[misc]
    cluster.add_action("retry_bdb", Plan(outcome="failed"), kind="task")
    cluster.start_transfer(1, "export", Plan(duration=20))
    cluster.start_node_action(1, "maintenance_on", Plan(duration=40))

    finished = await client.cluster.wait_quiet(poll=wait_fixed(1), timeout=200)

    assert cluster.is_quiet()
    assert isinstance(finished, FinishedAction)
    assert 40 <= now() < 46
    assert (finished.status, finished.evidence) == ("quiet", Evidence.ACTION)
    assert finished.record.outcome is Outcome.COMPLETED
    assert ("/v2/actions" in paths(cluster)) is True


@pytest.mark.parametrize(
    "body",
    [
        {"actions": [{"name": "x", "status": "odd"}], "state-machines": []},
        {"actions": [5], "state-machines": []},
        {"actions": [], "state-machines": [{"status": ["completed"]}]},
    ],
)
async def test_unknown_work(start: Callable[..., object], body: object) -> None:
    """An action with an unknown status, or one that cannot be read, is work."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    cluster.inject(exact=True, path="/v1/actions", status=200, body=json.dumps(body), times=None)

    assert (await client.get(QUIET)).phase is Phase.PENDING
    assert not (await client.cluster.check()).is_healthy


async def test_broken_v2(start: Callable[..., object]) -> None:
    """The known bug of v2 keeps no cluster from being quiet: databases show transfers, too."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    bug = '{"error_code": "invalid_schema"}'
    cluster.inject(exact=True, path="/v2/actions", status=406, body=bug, times=None)

    assert (await client.get(QUIET)).phase is Phase.COMPLETED


# --- refusals and outages ------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*WORK, "/v2/actions"])
async def test_refused_work(start: Callable[..., object], path: str) -> None:
    """A list that the user may not see may have work: that is an error, not a quiet cluster."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    cluster.inject(exact=True, path=path, status=403, times=None)

    with pytest.raises(AuthenticationError, match="403"):
        await client.get(QUIET)
    with pytest.raises(AuthenticationError, match=path):
        await client.cluster.wait_quiet(timeout=60)


@pytest.mark.parametrize(
    ("version", "path"),
    [*((OLD, path) for path in BY_LISTS), *((NEW, path) for path in BY_REPORT)],
)
async def test_refused_health(start: Callable[..., object], version: Version, path: str) -> None:
    """Neither is a cluster healthy that does not show everything."""
    cluster, client = await start(version)  # type: ignore[misc]
    cluster.inject(exact=True, path=path, status=403, times=None)

    with pytest.raises(AuthenticationError, match=path):
        await client.cluster.check()
    with pytest.raises(AuthenticationError, match=path):
        await client.cluster.wait_healthy(timeout=60)


async def test_refused_to_one(start: Callable[..., object]) -> None:
    """A list that one of two waits needs ends that one only."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    cluster.inject(exact=True, path="/v1/crdb_tasks", status=403, times=None)
    cluster.start_node_action(1, "maintenance_on", Plan(duration=1))
    cluster.start_node_action(1, "maintenance_off", Plan(duration=100))

    quiet, healthy = await asyncio.gather(
        client.cluster.wait_quiet(), client.cluster.wait_healthy(), return_exceptions=True
    )

    assert isinstance(quiet, AuthenticationError)
    assert isinstance(healthy, FinishedAction)
    source = client._parts.sources.cluster_state
    wanted = wanted_of({parse_reference(QUIET): None})
    assert await source.fetch_many(wanted, None) == NO_LIST


async def test_404_of_a_proxy(start: Callable[..., object]) -> None:
    """A 404 that is not the API's is no empty list."""
    cluster, client = await start(OLD)  # type: ignore[misc]
    for path in ("/v1/actions", "/v1/nodes/actions", "/v1/cluster/actions", "/v1/nodes"):
        for body in ("<html>", '{"error_code": "odd"}'):
            cluster.heal()
            cluster.inject(exact=True, path=path, status=404, body=body, times=None)

            with pytest.raises(UnreadableReply, match=path):
                await client.cluster.check()


async def test_unreadable_statuses(start: Callable[..., object]) -> None:
    """A list that cannot be read is an error, also beside a report that can."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    cluster.inject(exact=True, path="/v1/nodes/status", status=200, body="[]", times=None)

    with pytest.raises(UnreadableReply, match="/v1/nodes/status"):
        await client.cluster.check()


async def test_404_of_the_api(start: Callable[..., object]) -> None:
    """The API's 404 for a list of work is an empty list, as its page has it."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    body = '{"error_code": "action_not_found"}'
    cluster.inject(exact=True, path="/v1/actions", status=404, body=body, times=None)

    assert (await client.get(QUIET)).phase is Phase.COMPLETED


async def test_arguments(start: Callable[..., object]) -> None:
    """Nodes are numbers, in a list."""
    _, client = await start(NEW)  # type: ignore[misc]

    for nodes in ("1", 1, [-1], ["1"], [True], [0]):
        with pytest.raises(UsageError):
            await client.cluster.check(ignore_maintenance=cast("list[int]", nodes))
        with pytest.raises(UsageError):
            await client.cluster.wait_healthy(ignore_maintenance=cast("list[int]", nodes))


# --- waits ---------------------------------------------------------------------------------------


async def test_wait_names_what_is_left(start: Callable[..., object]) -> None:
    """A wait that times out says what it has seen last."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    cluster.set_node_status(2, "down")

    with pytest.raises(WaitTimeout, match="node 2: down"):
        await client.cluster.wait_healthy(timeout=30, ignore_maintenance=[3, 2])


async def test_requests_grow_with_kinds(start: Callable[..., object]) -> None:
    """Many waits for conditions of the cluster share their looks; each look asks a list once."""
    counts: list[int] = []
    for waits in (1, 20):
        cluster, client = await start(NEW)  # type: ignore[misc]
        cluster.start_node_action(1, "remove", Plan(duration=100, outcome="failed"))
        nodes = [[], [2], [3], [2, 3]]
        async with asyncio.timeout(300):
            await asyncio.gather(
                *(client.cluster.wait_quiet() for _ in range(waits)),
                *(
                    client.cluster.wait_healthy(ignore_maintenance=nodes[each % 4])
                    for each in range(waits)
                ),
            )
        counts.append(len(cluster.requests))

    assert counts[1] < 2 * counts[0]


async def test_shared_look(start: Callable[..., object]) -> None:
    """One look for both conditions asks for each list once."""
    cluster, client = await start(OLD)  # type: ignore[misc]
    source = client._parts.sources.cluster_state
    refs = [QUIET, HEALTHY, f"{HEALTHY},ignore=2", f"{HEALTHY},ignore=2+3"]

    listed = await source.fetch_many(
        wanted_of({parse_reference(each): None for each in refs}), None
    )

    assert len(listed.changed) == 4
    assert sorted(paths(cluster)) == sorted({*WORK, *BY_LISTS, "/v2/actions", "/v4/cluster/health"})


async def test_no_other_look(start: Callable[..., object]) -> None:
    """Nothing but a look shows the state of a cluster."""
    _, client = await start(NEW)  # type: ignore[misc]
    source = client._parts.sources.cluster_state
    timeout = WaitTimeout("x", action=None, elapsed=1.0, polls=1, timeout=1.0)

    assert await source.verify(parse_reference(QUIET), timeout, None) is None
    assert source.path(parse_reference(QUIET)) == "/v1/actions"
    assert source.path(parse_reference(HEALTHY)) == "/v1/nodes"


@pytest.mark.parametrize("seed", range(examples(12)))
async def test_never_early(start: Callable[..., object], seed: int) -> None:
    """Under faults, a wait ends only at a time at which the cluster is healthy, or quiet."""
    rng = random.Random(seed)
    cluster, client = await start(rng.choice(VERSIONS))  # type: ignore[misc]
    for _ in range(rng.randrange(1, 5)):
        spoil, *_rest = GATE[rng.choice(list(GATE))]
        spoil(cluster)
    cluster.add_action("SMUpgradeBDB", Plan(duration=rng.uniform(1, 60)), bdb_uid=1)
    cluster.start_transfer(1, "export", Plan(duration=rng.uniform(1, 60)))

    async def heal() -> None:
        await asyncio.sleep(rng.uniform(20, 90))
        cluster.set_node_status(2, None)
        cluster.set_check(2, None)
        await asyncio.sleep(rng.uniform(0, 30))
        cluster.set_shard(1, status="active", detailed_status="ok")
        cluster.set_available(1, None)

    async def spoil_requests() -> None:
        while True:
            await asyncio.sleep(rng.uniform(1, 20))
            cluster.inject(
                path=rng.choice(["/v1", "/v4", "/v2"]),
                status=rng.choice([500, 503, 429, None]),
                times=rng.randrange(1, 3),
            )

    ended: dict[str, tuple[bool, float]] = {}

    async def wait(name: str) -> None:
        if name == "quiet":
            await client.cluster.wait_quiet(poll=wait_fixed(2), timeout=3000)
            ended[name] = cluster.is_quiet(), now()
        else:
            await client.cluster.wait_healthy(
                poll=wait_fixed(2), timeout=3000, ignore_maintenance=[2]
            )
            ended[name] = cluster.is_healthy({2}), now()

    tasks = [asyncio.create_task(each) for each in (heal(), spoil_requests())]
    waits = [asyncio.create_task(wait(each)) for each in ("quiet", "healthy")]
    await asyncio.gather(*waits)
    for task in tasks:
        task.cancel()

    assert {name: truth for name, (truth, _) in ended.items()} == {"quiet": True, "healthy": True}


async def test_flapping_is_not_held(start: Callable[..., object]) -> None:
    """A cluster that is healthy for a while, again and again, is not so for long enough."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    cluster.flap(1, up=12.0, down=6.0, until=now() + 180)

    await client.cluster.wait_healthy(hold=20, poll=wait_fixed(1), timeout=900)

    assert now() >= 180


async def test_rejected_otherwise(start: Callable[..., object]) -> None:
    """A refusal that is none of permissions is an error as well."""
    cluster, client = await start(NEW)  # type: ignore[misc]
    cluster.inject(exact=True, path="/v4/cluster/health", status=400, times=None)

    with pytest.raises(RequestRejected, match="400"):
        await client.cluster.check()
