"""Tests of `_cli.listing.query`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import (
    Action,
    AuthenticationError,
    ClusterUnreachable,
    Kind,
    Phase,
    RequestRejected,
)
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.listing.query import (
    ActionQuery,
    Selection,
    _without_duplicates,
    newest_first,
    select,
    selection_from,
)
from redis_enterprise_actions.testing import Plan
from tests.conftest import ACTIVE


if TYPE_CHECKING:
    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.core


UPDATE = msgspec.structs.replace(ACTIVE, object_type="bdb", object_uid="1")
TASK = Action(
    uid="t",
    name="retry_bdb",
    kind=Kind.TASK,
    status="Failed",
    phase=Phase.FAILED,
    node_uid="1",
)
REMOVAL = Action(
    uid="r", name="remove_node", kind=Kind.TASK, status="odd", phase=Phase.UNKNOWN,
    object_type="node", object_uid="1",
)  # fmt: skip
ALL = [UPDATE, TASK, REMOVAL]


@pytest.mark.parametrize(
    ("selection", "uids"),
    [
        (Selection(), ["a1", "r", "t"]),
        (Selection(bdb=1), ["a1"]),
        (Selection(bdb=2), []),
        (Selection(node=1), ["r", "t"]),
        (Selection(statuses=frozenset({"running"})), ["a1"]),
        (Selection(statuses=frozenset({"active"})), ["a1"]),
        (Selection(statuses=frozenset({"failed", "odd"})), ["r", "t"]),
        (Selection(statuses=frozenset({"unknown"})), ["r"]),
        (Selection(name="SM*"), ["a1"]),
        (Selection(name="*NODE"), ["r"]),
        (Selection(name="retry"), []),
        (Selection(node=1, name="r*", statuses=frozenset({"failed"})), ["t"]),
    ],
)
def test_matches(selection: Selection, uids: list[str]) -> None:
    """Actions have to match all filters; case does not matter."""
    assert [action.uid for action in select(ALL, selection)] == uids


@pytest.mark.parametrize(
    ("selection", "kinds"),
    [
        (Selection(), {Kind.TASK, Kind.NODE_ACTION, Kind.CLUSTER_ACTION, Kind.CRDB_TASK}),
        (Selection(bdb=1), {Kind.TASK}),
        (Selection(node=1), {Kind.TASK, Kind.NODE_ACTION}),
    ],
    ids=["all", "bdb", "node"],
)
def test_may_match(selection: Selection, kinds: set[Kind]) -> None:
    """A kind whose actions cannot match is not requested."""
    refused = (Kind.TASK, Kind.NODE_ACTION, Kind.CLUSTER_ACTION, Kind.CRDB_TASK)

    assert {kind for kind in refused if selection.may_match(kind)} == kinds


@pytest.mark.parametrize(
    ("filters", "selection"),
    [
        ([], Selection()),
        (["--status", " ,"], Selection()),
        (["--bdb", "3", "--name", "SM*"], Selection(bdb=3, name="SM*")),
        (
            ["--node", "2", "--status", "Failed,odd"],
            Selection(node=2, statuses=frozenset({"failed", "odd"})),
        ),
    ],
)
def test_selection_from(filters: list[str], selection: Selection) -> None:
    """The filters on the command line make a selection; without any, everything matches."""
    assert selection_from(parse_arguments(["list", *filters])) == selection


def test_newest_first() -> None:
    """Newest first; of those without a time, running ones come first, ended ones last."""

    def action(uid: str, phase: Phase, **times: datetime) -> Action:
        return msgspec.structs.replace(ACTIVE, uid=uid, phase=phase, **times)

    early, late = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))
    actions = [
        action("ended", Phase.COMPLETED),
        action("old", Phase.RUNNING, creation_time=early, heartbeat=late),
        action("new", Phase.COMPLETED, creation_time=late),
        action("ended between", Phase.COMPLETED, heartbeat=datetime(2026, 1, 1, 12, tzinfo=UTC)),
        action("going on", Phase.RUNNING, heartbeat=early),
    ]

    assert [each.uid for each in newest_first(actions)] == [
        *("going on", "new", "ended between", "old", "ended"),
    ]


LISTS = {
    "/v1/actions",
    "/v2/actions",
    "/v1/nodes/actions",
    "/v1/cluster/actions",
    "/v1/crdb_tasks",
}


def requested(cluster: FakeCluster) -> list[str]:
    """Return the paths requested since the last call of this function."""
    paths = [seen.path for seen in cluster.requests if seen.method == "GET"]
    cluster.requests.clear()
    return paths


async def test_all_kinds(cluster: FakeCluster, client: ActionsClient) -> None:
    """All kinds of actions are returned, with one request for each list."""
    uid = cluster.add_action(plan=Plan(duration=100))
    cluster.plan("POST", "/v1/", Plan(duration=100), times=None)
    await client.nodes.maintenance_on(1)
    cluster.requests.clear()
    query = ActionQuery(client, Selection())
    found = await query.fetch()

    assert {action.uid: action.kind for action in found} == {
        uid: Kind.STATE_MACHINE,
        "node:1/maintenance_on": Kind.NODE_ACTION,
    }
    assert sorted(requested(cluster)) == sorted(LISTS)


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
    """A list in which nothing can match is not requested."""
    await ActionQuery(client, selection).fetch()

    assert set(requested(cluster)) == lists


@pytest.mark.parametrize("status", [400, 403, 501])
async def test_refused(cluster: FakeCluster, client: ActionsClient, status: int) -> None:
    """A refused list is left out, with a message, and not requested again."""
    cluster.add_action(uid="a")
    cluster.inject(path="/v1/crdb_tasks", times=None, status=status)
    query = ActionQuery(client, Selection())
    first = await query.fetch()
    (reason,) = query.unavailable
    assert [action.uid for action in first] == ["a"]
    assert reason.startswith(
        f"tasks of Active-Active databases are not listed: the cluster answered {status}"
    )

    requested(cluster)
    await query.fetch()
    assert set(requested(cluster)) == LISTS - {"/v1/crdb_tasks"}
    assert len(query.unavailable) == 1


async def test_all_refused(cluster: FakeCluster, client: ActionsClient) -> None:
    """If every list is refused, the error is raised."""
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
    """The last answer of a list is used if that list alone has no usable answer."""
    cluster.add_action(uid="a")
    cluster.plan("POST", "/v1/", Plan(duration=1000), times=None)
    await client.nodes.maintenance_on(1)
    query = ActionQuery(client, Selection())
    before = {action.uid for action in await query.fetch()}
    assert before == {"a", "node:1/maintenance_on"}

    cluster.inject(path="/v1/nodes/actions", times=None, **fault)
    assert {action.uid for action in await query.fetch()} == before
    assert len(query.unavailable) == 1

    cluster.heal()
    await query.fetch()
    assert query.unavailable == []


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
    """Wrong credentials, outages, and errors of the list of actions are raised."""
    cluster.inject(path=path, times=None, status=status)

    with pytest.raises(error):
        await ActionQuery(client, Selection()).fetch()


@pytest.mark.parametrize("listed", [True, False])
async def test_once_each(cluster: FakeCluster, client: ActionsClient, *, listed: bool) -> None:
    """A run of a node's action in two lists is returned once; another run is kept."""
    cluster.plan("POST", "/v1/", Plan(duration=100), times=None)
    await client.nodes.maintenance_on(1)
    task_id = (await client.get("node:1/maintenance_on")).task_id
    plan = Plan() if listed else Plan(duration=0, outcome="completed")
    cluster.add_action("maintenance_on", plan, uid=task_id, node_uid=1)
    found = await ActionQuery(client, Selection()).fetch()

    kinds = [Kind.TASK] if listed else [Kind.TASK, Kind.NODE_ACTION]
    assert [each.kind for each in found] == kinds


def test_run_that_is_named() -> None:
    """The `task_id` of a node's action decides, if there is one."""
    entry = msgspec.structs.replace(ACTIVE, uid="t1", kind=Kind.TASK, name="remove", node_uid="1")
    same, other = (
        msgspec.structs.replace(entry, uid="node:1/remove", kind=Kind.NODE_ACTION, task_id=task_id)
        for task_id in ("t1", "t2")
    )

    assert _without_duplicates([same, entry]) == [entry]
    assert _without_duplicates([other, entry]) == [entry, other]
