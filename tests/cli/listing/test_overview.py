"""Facts about `_overview`: one list for each kind, and what is refused is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import AuthenticationError, ClusterUnreachable, Kind, RequestRejected
from redis_enterprise_actions._cli.listing.query import ActionQuery, Selection, _without_duplicates
from redis_enterprise_actions.testing import Plan
from tests.conftest import ACTIVE


if TYPE_CHECKING:
    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.core

LISTS = {
    "/v1/actions",
    "/v2/actions",
    "/v1/nodes/actions",
    "/v1/cluster/actions",
    "/v1/crdb_tasks",
}


def asked(cluster: FakeCluster) -> list[str]:
    """Return what was asked for since this was last called."""
    paths = [seen.path for seen in cluster.requests if seen.method == "GET"]
    cluster.requests.clear()
    return paths


async def test_all_kinds(cluster: FakeCluster, client: ActionsClient) -> None:
    """All that the cluster does is there, and each list is asked for once a look."""
    uid = cluster.add_action(plan=Plan(duration=100))
    cluster.plan("POST", "/v1/", Plan(duration=100), times=None)
    await client.nodes.maintenance_on(1)
    cluster.requests.clear()
    overview = ActionQuery(client, Selection())
    found = await overview.fetch()

    assert {action.uid: action.kind for action in found} == {
        uid: Kind.STATE_MACHINE,
        "node:1/maintenance_on": Kind.NODE_ACTION,
    }
    assert sorted(asked(cluster)) == sorted(LISTS)


@pytest.mark.parametrize(
    ("selection", "lists"),
    [
        (Selection(bdb=1), {"/v1/actions/bdb/1", "/v2/actions"}),
        (Selection(node=1), {"/v1/actions", "/v2/actions", "/v1/nodes/1/actions"}),
        (Selection(name="x"), LISTS),
    ],
    ids=["bdb", "node", "name"],
)
async def test_what_is_needed(
    cluster: FakeCluster, client: ActionsClient, selection: Selection, lists: set[str]
) -> None:
    """A list that can hold nothing of what is selected is not asked for."""
    await ActionQuery(client, selection).fetch()

    assert set(asked(cluster)) == lists


@pytest.mark.parametrize("status", [400, 403, 501])
async def test_refused(cluster: FakeCluster, client: ActionsClient, status: int) -> None:
    """A kind whose list is refused is left out, is said, and not asked for again."""
    cluster.add_action(uid="a")
    cluster.inject(path="/v1/crdb_tasks", times=None, status=status)
    overview = ActionQuery(client, Selection())
    first = await overview.fetch()
    (said,) = overview.unavailable
    assert [action.uid for action in first] == ["a"]
    assert said.startswith(
        f"tasks of Active-Active databases are not listed: the cluster answered {status}"
    )

    asked(cluster)
    await overview.fetch()
    assert set(asked(cluster)) == LISTS - {"/v1/crdb_tasks"}
    assert len(overview.unavailable) == 1


async def test_all_refused(cluster: FakeCluster, client: ActionsClient) -> None:
    """Where every list is refused there is nothing to see, and that is an error."""
    cluster.inject(times=None, status=403)

    with pytest.raises(AuthenticationError):
        await ActionQuery(client, Selection()).fetch()


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 200, "body": b"{"}, {"status": 404, "body": b"nginx"}],
    ids=str,
)
async def test_broken(
    cluster: FakeCluster, client: ActionsClient, fault: dict[str, object]
) -> None:
    """Of a kind that alone gets no usable answer the last one holds, until there is another."""
    cluster.add_action(uid="a")
    cluster.plan("POST", "/v1/", Plan(duration=1000), times=None)
    await client.nodes.maintenance_on(1)
    overview = ActionQuery(client, Selection())
    before = {action.uid for action in await overview.fetch()}
    assert before == {"a", "node:1/maintenance_on"}

    cluster.inject(path="/v1/nodes/actions", times=None, **fault)
    assert {action.uid for action in await overview.fetch()} == before
    assert len(overview.unavailable) == 1

    cluster.heal()
    await overview.fetch()
    assert overview.unavailable == []


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/v1/cluster/actions", 401, AuthenticationError),
        ("/v1/cluster/actions", 503, ClusterUnreachable),
        ("/v1/actions", 400, RequestRejected),
        ("/v1/actions", 500, ClusterUnreachable),
    ],
)
async def test_no_refusal(
    cluster: FakeCluster, client: ActionsClient, path: str, status: int, error: type[Exception]
) -> None:
    """Wrong credentials, outages, and what is about the actions themselves, are raised."""
    cluster.inject(path=path, times=None, status=status)

    with pytest.raises(error):
        await ActionQuery(client, Selection()).fetch()


@pytest.mark.parametrize("listed", [True, False])
async def test_once_each(cluster: FakeCluster, client: ActionsClient, *, listed: bool) -> None:
    """An action of a node that is among the actions, too, is shown once; another run is not it."""
    cluster.plan("POST", "/v1/", Plan(duration=100), times=None)
    await client.nodes.maintenance_on(1)
    task_id = (await client.get("node:1/maintenance_on")).task_id
    plan = Plan() if listed else Plan(duration=0, outcome="completed")
    cluster.add_action("maintenance_on", plan, uid=task_id, node_uid=1)
    found = await ActionQuery(client, Selection()).fetch()

    kinds = [Kind.TASK] if listed else [Kind.TASK, Kind.NODE_ACTION]
    assert [each.kind for each in found] == kinds


def test_run_that_is_named() -> None:
    """Where a node's action tells its run, that decides."""
    entry = msgspec.structs.replace(ACTIVE, uid="t1", kind=Kind.TASK, name="remove", node_uid="1")
    same, other = (
        msgspec.structs.replace(entry, uid="node:1/remove", kind=Kind.NODE_ACTION, task_id=task_id)
        for task_id in ("t1", "t2")
    )

    assert _without_duplicates([same, entry]) == [entry]
    assert _without_duplicates([other, entry]) == [entry, other]
