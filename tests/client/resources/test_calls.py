"""Tests of the methods of resources that start work: the request that each of them sends."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from redis_enterprise_actions import (
    ActionsClient,
    Cluster,
    Crdbs,
    Databases,
    Evidence,
    Nodes,
    Phase,
    Shards,
    UsageError,
)
from redis_enterprise_actions._client.submit.handle import Handle
from redis_enterprise_actions._client.submit.submitter import Submitter
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of
from tests.recorder import RecordingServer
from tests.scripted import now
from tests.secrecy import leaks_of


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis_enterprise_actions._client.http.messages import Request
    from redis_enterprise_actions._client.submit.request import SubmitRequest

pytestmark = pytest.mark.core

SECRET = "hunter2-hunter2"
URL = {"type": "url", "url": "ftp://nowhere"}
MORE = {"more": 1}
BOOTSTRAP = "/v1/bootstrap"
CLUSTER = {"cluster": {"name": "c.example.com"}}
ADD_CREATE, ADD_JOIN, ADD_RECOVER = (
    CLUSTER | {"action": f"{word}_cluster"} for word in ("create", "join", "recover")
)
ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)
PATHS = [
    *("", "/", "/v1", "/v1/", "v1/bdbs", "/bdbs", "/v1/bdbs/", "/v1//bdbs", "/v1/bdbs/1?a=b"),
    *("/v1/../bdbs", "/v1/bdbs/..", "/v1/./bdbs", "/v1/b dbs", "/v1/bdbs#x", "/v1/bdbs\n"),
    *("https://elsewhere/v1/bdbs", "//elsewhere/v1/bdbs", "/v1/b\u00e9", "/v\u0661/bdbs"),
    *("/v1/bdbs/1\r\nX-More: yes", 5),
]

# Calls, their arguments, and the request line and the body that are sent.
CALLS: list[tuple[str, tuple[Any, ...], str, Any]] = [
    ("databases.create", ({"name": "x"},), "POST /v1/bdbs", {"name": "x"}),
    ("databases.update", (3, {"name": "x"}), "PUT /v1/bdbs/3", {"name": "x"}),
    ("databases.delete", (3,), "DELETE /v1/bdbs/3", None),
    ("databases.upgrade", (3,), "POST /v1/bdbs/3/upgrade", {}),
    ("databases.upgrade", (3, MORE), "POST /v1/bdbs/3/upgrade", MORE),
    ("databases.rebalance", (3,), "PUT /v1/bdbs/3/actions/rebalance", {}),
    ("databases.rebalance", (3, MORE), "PUT /v1/bdbs/3/actions/rebalance?more=1", {}),
    ("databases.export", (3, URL), "POST /v1/bdbs/3/actions/export", {"export_location": URL}),
    (
        "databases.export",
        (3, URL, MORE),
        "POST /v1/bdbs/3/actions/export",
        {"more": 1, "export_location": URL},
    ),
    (
        "databases.export",
        (3, URL, {"export_location": 5}),
        "POST /v1/bdbs/3/actions/export",
        {"export_location": URL},
    ),
    (
        "databases.import_",
        (3, [URL, URL]),
        "POST /v1/bdbs/3/actions/import",
        {"dataset_import_sources": [URL, URL]},
    ),
    (
        "databases.import_",
        (3, (URL,), MORE),
        "POST /v1/bdbs/3/actions/import",
        {"more": 1, "dataset_import_sources": [URL]},
    ),
    (
        "shards.migrate",
        ([1, "2"], 4),
        "POST /v1/shards/actions/migrate",
        {"shard_uids": ["1", "2"], "target_node_uid": 4},
    ),
    (
        "shards.migrate",
        (range(1, 3), 4, MORE),
        "POST /v1/shards/actions/migrate",
        {"more": 1, "shard_uids": ["1", "2"], "target_node_uid": 4},
    ),
    ("shards.fail_over", ({7},), "POST /v1/shards/actions/failover", {"shard_uids": ["7"]}),
    (
        "shards.fail_over",
        (["7"], MORE),
        "POST /v1/shards/actions/failover",
        {"more": 1, "shard_uids": ["7"]},
    ),
    ("nodes.maintenance_on", (2,), "POST /v1/nodes/2/actions/maintenance_on", {}),
    ("nodes.maintenance_on", (2, MORE), "POST /v1/nodes/2/actions/maintenance_on", MORE),
    ("nodes.maintenance_off", (2,), "POST /v1/nodes/2/actions/maintenance_off", {}),
    ("nodes.maintenance_off", (2, MORE), "POST /v1/nodes/2/actions/maintenance_off", MORE),
    ("nodes.remove", (2,), "POST /v1/nodes/2/actions/remove", {}),
    ("nodes.remove", (2, MORE), "POST /v1/nodes/2/actions/remove", MORE),
    ("cluster.create", (CLUSTER,), f"POST {BOOTSTRAP}/create_cluster", ADD_CREATE),
    ("cluster.join", (CLUSTER,), f"POST {BOOTSTRAP}/join_cluster", ADD_JOIN),
    ("cluster.recover", (CLUSTER,), f"POST {BOOTSTRAP}/recover_cluster", ADD_RECOVER),
    ("cluster.change_primary", (2,), "POST /v1/cluster/actions/change_master", {"node_uid": "2"}),
    ("crdbs.create", ({"name": "x"},), "POST /v1/crdbs", {"name": "x"}),
    ("crdbs.update", (" g-1 ", {"name": "x"}), "PATCH /v1/crdbs/g-1", {"name": "x"}),
    ("crdbs.flush", ("g1",), "PUT /v1/crdbs/g1/flush", {}),
    ("crdbs.delete", ("g1",), "DELETE /v1/crdbs/g1", None),
]
CRDB_CALLS = [row for row in CALLS if row[0].startswith("crdbs.")]
RESOURCES = {
    "databases": Databases,
    "nodes": Nodes,
    "cluster": Cluster,
    "shards": Shards,
    "crdbs": Crdbs,
}
NAMES = {
    f"{resource}.{name}"
    for resource, kind in RESOURCES.items()
    for name, method in inspect.getmembers(kind, inspect.iscoroutinefunction)
    if "untracked" in inspect.signature(method).parameters
}
# Calls with tests of their own: `submit.test_uploads`, `submit.test_bootstrap`.
UPLOADS = {"cluster.upload_module"}
BOOTSTRAPS = {"cluster.create", "cluster.join", "cluster.recover"}


def ids(value: object) -> str | None:
    """Return the name of the call as the id of a row."""
    return value if isinstance(value, str) and "/" not in value else None


def short(value: object) -> str:
    """Return a shortened value as the id of a row."""
    return f"{value!r:.40}"


def test_table() -> None:
    """Every named call is in the table."""
    assert {name for name, *_ in CALLS} == NAMES - UPLOADS


class Sent(NamedTuple):
    """A call that a client would have sent, and the limits of sending it."""

    call: Request
    busy_timeout: float
    outage_timeout: float


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """The calls that clients would send; nothing is sent."""
    sent: list[Sent] = []

    async def start(
        self: Submitter, request: SubmitRequest, *, busy_timeout: float, outage_timeout: float
    ) -> Handle:
        sent.append(Sent(request.call, busy_timeout, outage_timeout))
        return Handle(request.ref)

    monkeypatch.setattr(Submitter, "start", start)
    return sent


def offline() -> ActionsClient:
    """Return a client of a cluster that does not exist, for tests that send nothing."""
    return ActionsClient("https://n1:9443", username="ops", password="fake-password")


@pytest.mark.parametrize(("name", "arguments", "line", "body"), CALLS, ids=ids)
async def test_sent(
    sent: list[Sent], name: str, arguments: tuple[Any, ...], line: str, body: object
) -> None:
    """Each call has the method, the path and the body of the table."""
    await attrgetter(name)(offline())(*arguments)

    [(call, *_)] = sent
    assert f"{call.method} {call.path}{call.query}" == line
    assert (None if call.body is None else json.loads(call.body.reveal())) == body


@pytest.mark.enable_socket
@pytest.mark.parametrize(("name", "arguments", "line", "body"), [CALLS[0], CALLS[2]], ids=ids)
async def test_on_the_wire(name: str, arguments: tuple[Any, ...], line: str, body: object) -> None:
    """The server receives the line and the body of the table; only a body has a content type."""
    async with RecordingServer() as server, server.client() as client:
        await attrgetter(name)(client)(*arguments)

    [call] = server.changes
    assert (call.line, call.body) == (line, body)
    assert call.headers.get("Content-Type") == (None if body is None else "application/json")


DRY_RUNS: list[tuple[str, tuple[Any, ...], str, Any]] = [
    ("databases.create", ({"name": "x"},), "POST /v1/bdbs?dry_run=true", {"name": "x"}),
    ("databases.update", (3, MORE), "PUT /v1/bdbs/3?dry_run=true", MORE),
    ("databases.rebalance", (3,), "PUT /v1/bdbs/3/actions/rebalance?dry_run=true", {}),
    (
        "databases.rebalance",
        (3, MORE),
        "PUT /v1/bdbs/3/actions/rebalance?more=1&dry_run=true",
        {},
    ),
    ("crdbs.create", ({"name": "x"},), "POST /v1/crdbs?dry_run=true", {"name": "x"}),
    (
        "shards.migrate",
        ([1], 4),
        "POST /v1/shards/actions/migrate",
        {"shard_uids": ["1"], "target_node_uid": 4, "dry_run": True},
    ),
    (
        "shards.fail_over",
        ([7], MORE),
        "POST /v1/shards/actions/failover",
        {"more": 1, "shard_uids": ["7"], "dry_run": True},
    ),
]


@pytest.mark.parametrize(("name", "arguments", "line", "body"), DRY_RUNS, ids=ids)
async def test_dry_run(
    sent: list[Sent], name: str, arguments: tuple[Any, ...], line: str, body: object
) -> None:
    """`dry_run=True` is sent where the API reads it: in the query, or in the body."""
    await attrgetter(name)(offline())(*arguments, dry_run=True)

    [(call, *_)] = sent
    assert f"{call.method} {call.path}{call.query}" == line
    assert call.body is not None
    assert json.loads(call.body.reveal()) == body


def test_dry_runs() -> None:
    """Every call that takes `dry_run` is in the table."""
    methods = {name: attrgetter(name.partition(".")[2])(kind_of(name)) for name in NAMES}
    taking = {
        name for name, each in methods.items() if "dry_run" in inspect.signature(each).parameters
    }
    assert {name for name, *_ in DRY_RUNS} == taking


def kind_of(name: str) -> type:
    """Return the class of a call's resource."""
    return RESOURCES[name.partition(".")[0]]


def with_query(line: str) -> str:
    """Return a request line with the query of the test below, before that of the call itself."""
    path, _, own = line.partition("?")
    return f"{path}?{'&'.join(filter(None, ['n=5&q=a+b%26c', own]))}"


@pytest.mark.parametrize(("name", "arguments", "line", "body"), CALLS, ids=ids)
async def test_options(
    sent: list[Sent], name: str, arguments: tuple[Any, ...], line: str, body: object
) -> None:
    """Every call accepts the options of `submit` and passes them on."""
    await attrgetter(name)(offline())(
        *arguments,
        params={"n": 5, "q": "a b&c"},
        headers={"X-More": "yes"},
        busy_timeout=None,
        outage_timeout=timedelta(seconds=1),
        request_timeout=5.0,
    )

    [(call, *limits)] = sent
    assert f"{call.method} {call.path}{call.query}" == with_query(line)
    assert call.headers["X-More"] == "yes"
    assert (call.timeout, *limits) == (5, math.inf, 1)


@pytest.mark.parametrize(("name", "arguments", "line", "body"), CRDB_CALLS, ids=ids)
async def test_crdb_options(
    sent: list[Sent], name: str, arguments: tuple[Any, ...], line: str, body: object
) -> None:
    """The chosen task id and time to live are sent as headers."""
    operation = await attrgetter(name)(offline())(
        *arguments, task_id="t-1", result_ttl=3600, headers={"X-More": "yes"}
    )

    [(call, *_)] = sent
    assert call.headers == {"X-Task-ID": "t-1", "X-Result-TTL": "3600", "X-More": "yes"}
    assert operation.ref == "crdb:t-1"


@pytest.mark.parametrize(("name", "arguments", "line", "body"), CRDB_CALLS, ids=ids)
async def test_crdb_id(
    sent: list[Sent], name: str, arguments: tuple[Any, ...], line: str, body: object
) -> None:
    """Without a `task_id` each task gets a new id, and no time to live."""
    first, second = [await attrgetter(name)(offline())(*arguments) for _ in range(2)]

    assert [f"crdb:{each.call.headers['X-Task-ID']}" for each in sent] == [
        first.ref,
        second.ref,
    ]
    assert first.ref != second.ref
    assert all("X-Result-TTL" not in each.call.headers for each in sent)


async def start(client: ActionsClient, name: str, guid: str) -> Any:  # noqa: ANN401 - see `CALLS`
    """Make a call that fits the fake, which has a database, a CRDB, and three nodes."""
    arguments: dict[str, tuple[Any, ...]] = {
        "databases.create": ({"name": "new", "memory_size": 1},),
        "databases.update": (1, {"memory_size": 5}),
        "databases.export": (1, URL),
        "databases.import_": (1, [URL]),
        "shards.migrate": ([1, 2], 2),
        "shards.fail_over": ([1],),
        "crdbs.create": ({"name": "new"},),
        "crdbs.update": (guid, {"name": "new"}),
        "crdbs.flush": (guid,),
        "crdbs.delete": (guid,),
    }
    default = (3,) if name in {"nodes.remove", "cluster.change_primary"} else (1,)
    return await attrgetter(name)(client)(*arguments.get(name, default))


@pytest.mark.enable_socket
@pytest.mark.parametrize("name", sorted(NAMES - UPLOADS - BOOTSTRAPS))
async def test_followed(name: str) -> None:
    """The operation follows all work that the call starts, and is not done before it ends."""
    async with FakeCluster(nodes=3) as cluster:
        cluster.add_bdb(1)
        guid = cluster.add_crdb()
        urls = cluster.urls
        async with ActionsClient(
            urls, username=cluster.username, password=cluster.password
        ) as client:
            operation = await start(client, name, guid)
            assert not operation.done
            news = [action async for action in operation]

    assert [action.phase.terminal for action in news] == [False] * (len(news) - 1) + [True]
    assert news[-1].phase is Phase.COMPLETED
    assert len(news) > 1
    assert news[-1].evidence is not Evidence.CALL


def nested(depth: int) -> list[object]:
    """Return lists nested to a depth."""
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


# Calls that cannot be sent, and the error of each.
BAD: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    (
        "submit",
        ("GET", "/v1/bdbs"),
        {},
        "'GET' does not start work: use DELETE, PATCH, POST or PUT",
    ),
    ("submit", (5, "/v1/bdbs"), {}, "5 does not start work"),
    *(
        ("submit", ("POST", path), {}, "is not a path of the API such as /v1/bdbs/1")
        for path in PATHS
    ),
    ("submit", ("POST", "/v1/bdbs", {1, 2}), {"params": 5}, "params= is not a mapping"),
    ("submit", ("POST", "/v1/bdbs"), {"params": "a=b"}, "params= is not a mapping of names"),
    (
        "submit",
        ("POST", "/v1/bdbs"),
        {"params": {"a": "\ud800"}},
        "params= cannot be encoded as UTF-8",
    ),
    ("submit", ("POST", "/v1/bdbs", object()), {}, "json= cannot be encoded as JSON"),
    ("submit", ("POST", "/v1/bdbs", "\ud800"), {}, "json= cannot be encoded as JSON"),
    ("submit", ("POST", "/v1/bdbs", ENDLESS), {}, "json= cannot be encoded as JSON"),
    ("submit", ("POST", "/v1/bdbs"), {"headers": "a"}, "headers= is not a mapping of names"),
    ("submit", ("POST", "/v1/bdbs"), {"headers": {"a b": "c"}}, "'a b' is not a valid header"),
    ("submit", ("POST", "/v1/bdbs"), {"headers": {5: "c"}}, "5 is not a valid header name"),
    (
        "submit",
        ("POST", "/v1/bdbs"),
        {"headers": {"a": "b\r\nc"}},
        "the header a is not printable ASCII",
    ),
    ("submit", ("POST", "/v1/bdbs"), {"headers": {"a": 5}}, "the header a is not printable ASCII"),
    ("submit", ("POST", "/v1/bdbs"), {"headers": {"a": "1", "A": "2"}}, "has the same header"),
    *(
        (
            "submit",
            ("POST", "/v1/bdbs"),
            {"headers": {name: "x"}},
            f"headers= cannot set the header {name}",
        )
        for name in ("Authorization", "content-type", "Host", "Content-Length", "Connection")
    ),
    *(
        ("submit", ("POST", "/v1/bdbs"), {name: value}, f"{name}={value!r} is not a duration")
        for name in ("busy_timeout", "outage_timeout", "request_timeout")
        for value in (-1, "soon", True, float("nan"))
    ),
    ("submit", ("POST", "/v1/bdbs"), {"request_timeout": 0}, "must be more than 0 and not end"),
    (
        "submit",
        ("POST", "/v1/bdbs"),
        {"request_timeout": float("inf")},
        "must be more than 0 and not endless",
    ),
    ("submit", ("POST", "/v1/crdbs"), {"headers": {"x-task-id": ".."}}, "is not the uid"),
    ("databases.update", ("1", {}), {}, "'1' is not the uid of a database"),
    ("databases.delete", (True,), {}, "True is not the uid of a database"),
    ("databases.upgrade", (-1,), {}, "-1 is not the uid of a database"),
    ("databases.rebalance", (1.0,), {}, "1.0 is not the uid of a database"),
    ("nodes.maintenance_on", ("1",), {}, "'1' is not the uid of a node"),
    ("nodes.maintenance_off", (None,), {}, "None is not the uid of a node"),
    ("nodes.remove", (-2,), {}, "-2 is not the uid of a node"),
    ("cluster.change_primary", ("2",), {}, "'2' is not the uid of a node"),
    ("shards.migrate", ([1], "2"), {}, "'2' is not the uid of a node"),
    ("shards.migrate", ("12", 2), {}, "shard_uids= is not a list of values"),
    ("shards.fail_over", (12,), {}, "shard_uids= is not a list of values"),
    ("shards.fail_over", (b"12",), {}, "shard_uids= is not a list of values"),
    ("shards.fail_over", ([1, None],), {}, "None is not the uid of a shard"),
    ("shards.migrate", ([True], 2), {}, "True is not the uid of a shard"),
    ("shards.migrate", ([1.5], 2), {}, "1.5 is not the uid of a shard"),
    ("shards.migrate", (["1", " "], 2), {}, "' ' is not the uid of a shard"),
    ("shards.fail_over", ([1], 5), {}, "settings= is not a mapping of names to values"),
    ("databases.export", (1, URL, "x"), {}, "settings= is not a mapping of names to values"),
    ("databases.import_", (1, URL), {}, "sources= is not a list of values"),
    ("crdbs.update", ("..", {}), {}, "'..' is not the GUID of an Active-Active database"),
    ("crdbs.flush", ("",), {}, "'' is not the GUID"),
    ("crdbs.flush", ("a\\b",), {}, "is not the GUID"),
    ("crdbs.flush", ("a/purge",), {}, "'a/purge' is not the GUID"),
    ("crdbs.delete", (5,), {}, "5 is not the GUID"),
    ("crdbs.create", ({},), {"headers": 5}, "headers= is not a mapping of names to values"),
    ("crdbs.create", ({},), {"headers": "ab"}, "headers= is not a mapping of names to values"),
    ("crdbs.create", ({},), {"task_id": ""}, "'' is not the uid"),
    ("crdbs.create", ({},), {"task_id": "."}, "'.' is not the uid"),
    (
        "crdbs.create",
        ({},),
        {"task_id": 5},
        "the header X-Task-ID is not printable ASCII text",
    ),
    (
        "crdbs.create",
        ({},),
        {"task_id": "a\nb"},
        "the header X-Task-ID is not printable ASCII text",
    ),
    (
        "crdbs.create",
        ({},),
        {"task_id": "a", "headers": {"x-task-id": "b"}},
        "headers= has the same header twice",
    ),
    *(
        ("crdbs.create", ({},), {"result_ttl": ttl}, f"result_ttl={ttl!r} is not a number of sec")
        for ttl in (0, -5, 1.5, True, "60")
    ),
]


@pytest.mark.parametrize(("name", "arguments", "options", "expected"), BAD, ids=short)
async def test_bad(
    sent: list[Sent], name: str, arguments: tuple[Any, ...], options: dict[str, Any], expected: str
) -> None:
    """A call that cannot be sent is refused, and nothing is sent."""
    call: Callable[..., Awaitable[object]] = attrgetter(name)(offline())
    with pytest.raises(UsageError) as caught:
        await call(*arguments, **options)
    assert sent == []

    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("databases.create", ({"authentication_redis_pass": SECRET},), {"busy_timeout": -1}),
        ("databases.create", ({"authentication_redis_pass": SECRET, "a": object()},), {}),
        ("databases.update", ("x", {"authentication_redis_pass": SECRET}), {}),
        ("databases.export", (1, {"secret_access_key": SECRET}, 5), {}),
        ("databases.import_", (1, {"secret_access_key": SECRET}), {}),
        ("crdbs.create", ({"default_db_config": {"pass": SECRET}},), {"result_ttl": 0}),
        ("submit", ("GET", "/v1/bdbs", {"pass": SECRET}), {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_bad_with_secrets(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    """The error for arguments that cannot be sent does not show them."""
    call: Callable[..., Awaitable[object]] = attrgetter(name)(offline())
    with pytest.raises(UsageError) as caught:
        await call(*arguments, **options)

    assert leaks_of(caught.value) == []


@pytest.mark.parametrize("name", sorted(NAMES))
def test_described(name: str) -> None:
    """Each docstring names the parameters, the vendor's page and the permission."""
    call = attrgetter(name)(offline())
    documentation = inspect.getdoc(call) or ""

    assert "headers" in inspect.signature(call).parameters
    assert "Source: " in documentation
    assert "Needs " in documentation


def test_misspelled() -> None:
    """A misspelled argument is refused before the call is awaited."""
    call: Any = offline().databases.delete
    with pytest.raises(TypeError, match="busy_timeuot"):
        call(1, busy_timeuot=5)


@pytest.mark.enable_socket
async def test_request_timeout() -> None:
    """A call may have a longer `request_timeout` than the other requests of its client."""
    async with FakeCluster() as cluster, client_of(cluster, request_timeout=5) as client:
        cluster.inject(method="POST", delay=8)
        operation = await client.databases.create(
            {"name": "x", "memory_size": 1}, request_timeout=10
        )

        assert operation.ref is not None
        assert operation.ref.startswith("action:")


async def test_deletes_that_are_over(cluster: FakeCluster, client: ActionsClient) -> None:
    """Deletes that end before their first poll have completed, each at once."""
    for uid in range(1, 6):
        cluster.add_bdb(uid)
    cluster.plan("DELETE", "/v1/bdbs", Plan(duration=1), times=None)
    operations = [await client.databases.delete(uid) for uid in range(1, 6)]
    await asyncio.sleep(5)
    began = now()

    actions = await client.wait_for(*operations, operations[0].ref)
    assert {str(action.evidence) for action in actions} == {str(Evidence.LIST)}
    assert now() - began < 10


@pytest.mark.parametrize("depth", [300, 900])
async def test_nested(sent: list[Sent], depth: int) -> None:
    """A body may be nested as deeply as JSON can be written."""
    await offline().submit("POST", "/v1/bdbs", nested(depth))

    assert len(sent) == 1
