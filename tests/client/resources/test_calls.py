"""Facts about `_calls`: what is sent for each call that has a name."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from redis_enterprise_actions import ActionsClient, Evidence, Phase, UsageError
from redis_enterprise_actions._client.resources.calls import Calls
from redis_enterprise_actions._client.submit.handle import Handle
from redis_enterprise_actions._client.submit.submitter import Submitter
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of
from tests.recorder import RecordingServer
from tests.scripted import now
from tests.secrecy import leaks_of


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions._client.http.transport import Request
    from redis_enterprise_actions._client.submit.request import SubmitRequest

pytestmark = pytest.mark.core

SECRET = "hunter2-hunter2"
URL = {"type": "url", "url": "ftp://nowhere"}
MORE = {"more": 1}
ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)
PATHS = [
    *("", "/", "/v1", "/v1/", "v1/bdbs", "/bdbs", "/v1/bdbs/", "/v1//bdbs", "/v1/bdbs/1?a=b"),
    *("/v1/../bdbs", "/v1/bdbs/..", "/v1/./bdbs", "/v1/b dbs", "/v1/bdbs#x", "/v1/bdbs\n"),
    *("https://elsewhere/v1/bdbs", "//elsewhere/v1/bdbs", "/v1/b\u00e9", "/v\u0661/bdbs"),
    *("/v1/bdbs/1\r\nX-More: yes", 5),
]

# What is called, with what, and what is sent for it.
CALLS: list[tuple[str, tuple[Any, ...], str, Any]] = [
    ("create_bdb", ({"name": "x"},), "POST /v1/bdbs", {"name": "x"}),
    ("update_bdb", (3, {"name": "x"}), "PUT /v1/bdbs/3", {"name": "x"}),
    ("delete_bdb", (3,), "DELETE /v1/bdbs/3", None),
    ("upgrade_bdb", (3,), "POST /v1/bdbs/3/upgrade", {}),
    ("upgrade_bdb", (3, MORE), "POST /v1/bdbs/3/upgrade", MORE),
    ("rebalance_bdb", (3,), "PUT /v1/bdbs/3/actions/rebalance", {}),
    ("rebalance_bdb", (3, MORE), "PUT /v1/bdbs/3/actions/rebalance?more=1", {}),
    ("export_bdb", (3, URL), "POST /v1/bdbs/3/actions/export", {"export_location": URL}),
    (
        "export_bdb",
        (3, URL, MORE),
        "POST /v1/bdbs/3/actions/export",
        {"more": 1, "export_location": URL},
    ),
    (
        "export_bdb",
        (3, URL, {"export_location": 5}),
        "POST /v1/bdbs/3/actions/export",
        {"export_location": URL},
    ),
    (
        "import_bdb",
        (3, [URL, URL]),
        "POST /v1/bdbs/3/actions/import",
        {"dataset_import_sources": [URL, URL]},
    ),
    (
        "import_bdb",
        (3, (URL,), MORE),
        "POST /v1/bdbs/3/actions/import",
        {"more": 1, "dataset_import_sources": [URL]},
    ),
    (
        "migrate_shards",
        ([1, "2"], 4),
        "POST /v1/shards/actions/migrate",
        {"shard_uids": ["1", "2"], "target_node_uid": 4},
    ),
    (
        "migrate_shards",
        (range(1, 3), 4, MORE),
        "POST /v1/shards/actions/migrate",
        {"more": 1, "shard_uids": ["1", "2"], "target_node_uid": 4},
    ),
    ("fail_over_shards", ({7},), "POST /v1/shards/actions/failover", {"shard_uids": ["7"]}),
    (
        "fail_over_shards",
        (["7"], MORE),
        "POST /v1/shards/actions/failover",
        {"more": 1, "shard_uids": ["7"]},
    ),
    ("maintenance_on", (2,), "POST /v1/nodes/2/actions/maintenance_on", {}),
    ("maintenance_on", (2, MORE), "POST /v1/nodes/2/actions/maintenance_on", MORE),
    ("maintenance_off", (2,), "POST /v1/nodes/2/actions/maintenance_off", {}),
    ("maintenance_off", (2, MORE), "POST /v1/nodes/2/actions/maintenance_off", MORE),
    ("remove_node", (2,), "POST /v1/nodes/2/actions/remove", {}),
    ("remove_node", (2, MORE), "POST /v1/nodes/2/actions/remove", MORE),
    ("change_primary", (2,), "POST /v1/cluster/actions/change_master", {"node_uid": 2}),
    ("create_crdb", ({"name": "x"},), "POST /v1/crdbs", {"name": "x"}),
    ("update_crdb", ("g/1", {"name": "x"}), "PATCH /v1/crdbs/g%2F1", {"name": "x"}),
    ("flush_crdb", ("g1",), "PUT /v1/crdbs/g1/flush", {}),
    ("delete_crdb", ("g1",), "DELETE /v1/crdbs/g1", None),
]
CRDB_CALLS = [row for row in CALLS if "crdb" in row[0]]
NAMES = {name for name, value in vars(Calls).items() if not name.startswith("_")}


def ids(value: object) -> str | None:
    """Name the rows of the tables by what is called."""
    return value if isinstance(value, str) and "/" not in value else None


def short(value: object) -> str:
    """Name the rows by what is in them."""
    return f"{value!r:.40}"


def test_table() -> None:
    """Every call that has a name is in the table."""
    assert {name for name, *_ in CALLS} | {"submit"} == NAMES


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
    """Return a client of a cluster that is not there, for what needs none."""
    return ActionsClient("https://n1:9443", username="ops", password="fake-password")


@pytest.mark.parametrize(("name", "given", "line", "body"), CALLS, ids=ids)
async def test_sent(
    sent: list[Sent], name: str, given: tuple[Any, ...], line: str, body: object
) -> None:
    """One call is made, by that method and path, with that body."""
    await getattr(offline(), name)(*given)

    [(call, *_)] = sent
    assert f"{call.method} {call.path}{call.query}" == line
    assert (None if call.body is None else json.loads(call.body.reveal())) == body


@pytest.mark.enable_socket
@pytest.mark.parametrize(("name", "given", "line", "body"), [CALLS[0], CALLS[2]], ids=ids)
async def test_on_the_wire(name: str, given: tuple[Any, ...], line: str, body: object) -> None:
    """It arrives as it is meant, with a body that is called JSON, or without one."""
    async with RecordingServer() as server, server.client() as client:
        await getattr(client, name)(*given)

    [call] = server.changes
    assert (call.line, call.body) == (line, body)
    assert call.headers.get("Content-Type") == (None if body is None else "application/json")


def with_query(line: str) -> str:
    """Return a request line with the query of the test below, before that of the call itself."""
    path, _, own = line.partition("?")
    return f"{path}?{'&'.join(filter(None, ['n=5&q=a+b%26c', own]))}"


@pytest.mark.parametrize(("name", "given", "line", "body"), CALLS, ids=ids)
async def test_options(
    sent: list[Sent], name: str, given: tuple[Any, ...], line: str, body: object
) -> None:
    """Every call takes what `submit` takes, and hands it on."""
    await getattr(offline(), name)(
        *given,
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


@pytest.mark.parametrize(("name", "given", "line", "body"), CRDB_CALLS, ids=ids)
async def test_crdb_options(
    sent: list[Sent], name: str, given: tuple[Any, ...], line: str, body: object
) -> None:
    """A task is given the id and the time to live that are asked for, as headers."""
    operation = await getattr(offline(), name)(
        *given, task_id="t-1", result_ttl=3600, headers={"X-More": "yes"}
    )

    [(call, *_)] = sent
    assert call.headers == {"X-Task-ID": "t-1", "X-Result-TTL": "3600", "X-More": "yes"}
    assert operation.ref == "crdb:t-1"


@pytest.mark.parametrize(("name", "given", "line", "body"), CRDB_CALLS, ids=ids)
async def test_crdb_id(
    sent: list[Sent], name: str, given: tuple[Any, ...], line: str, body: object
) -> None:
    """A task that is given no id has a new one each time, and no time to live."""
    first, second = [await getattr(offline(), name)(*given) for _ in range(2)]

    assert [f"crdb:{each.call.headers['X-Task-ID']}" for each in sent] == [
        first.ref,
        second.ref,
    ]
    assert first.ref != second.ref
    assert all("X-Result-TTL" not in each.call.headers for each in sent)


async def start(client: ActionsClient, name: str, guid: str) -> Any:  # noqa: ANN401 - see `CALLS`
    """Make a call that fits the fake, which has a database, a CRDB, and three nodes."""
    given: dict[str, tuple[Any, ...]] = {
        "create_bdb": ({"name": "new"},),
        "update_bdb": (1, {"memory_size": 5}),
        "export_bdb": (1, URL),
        "import_bdb": (1, [URL]),
        "migrate_shards": ([1, 2], 2),
        "fail_over_shards": ([1],),
        "create_crdb": ({"name": "new"},),
        "update_crdb": (guid, {"name": "new"}),
        "flush_crdb": (guid,),
        "delete_crdb": (guid,),
    }
    default = (3,) if name in {"remove_node", "change_primary"} else (1,)
    return await getattr(client, name)(*given.get(name, default))


@pytest.mark.enable_socket
@pytest.mark.parametrize("name", sorted(NAMES - {"submit"}))
async def test_followed(name: str) -> None:
    """Whatever it starts on the cluster is followed to its end, and it is not over before."""
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
    """Return lists in lists."""
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


# What cannot be sent, and what is said of it.
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
    ("submit", ("POST", "/v1/bdbs", {1, 2}, 5), {}, "params= is not a mapping"),
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
    ("submit", ("POST", "/v1/bdbs"), {"headers": {"a": "b\r\nc"}}, "the header a is not print"),
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
        for value in (-1, "5", True, float("nan"))
    ),
    ("submit", ("POST", "/v1/bdbs"), {"request_timeout": 0}, "must be more than 0 and not end"),
    (
        "submit",
        ("POST", "/v1/bdbs"),
        {"request_timeout": float("inf")},
        "must be more than 0 and not endless",
    ),
    ("submit", ("POST", "/v1/crdbs"), {"headers": {"x-task-id": ".."}}, "is not the uid"),
    ("update_bdb", ("1", {}), {}, "'1' is not the uid of a database"),
    ("delete_bdb", (True,), {}, "True is not the uid of a database"),
    ("upgrade_bdb", (-1,), {}, "-1 is not the uid of a database"),
    ("rebalance_bdb", (1.0,), {}, "1.0 is not the uid of a database"),
    ("maintenance_on", ("1",), {}, "'1' is not the uid of a node"),
    ("maintenance_off", (None,), {}, "None is not the uid of a node"),
    ("remove_node", (-2,), {}, "-2 is not the uid of a node"),
    ("change_primary", ("2",), {}, "'2' is not the uid of a node"),
    ("migrate_shards", ([1], "2"), {}, "'2' is not the uid of a node"),
    ("migrate_shards", ("12", 2), {}, "shard_uids= is not several"),
    ("fail_over_shards", (12,), {}, "shard_uids= is not several"),
    ("fail_over_shards", (b"12",), {}, "shard_uids= is not several"),
    ("fail_over_shards", ([1], 5), {}, "settings= is not a mapping of names to values"),
    ("export_bdb", (1, URL, "x"), {}, "settings= is not a mapping of names to values"),
    ("import_bdb", (1, URL), {}, "sources= is not several"),
    ("update_crdb", ("..", {}), {}, "'..' is not the uid"),
    ("flush_crdb", ("",), {}, "'' is not the uid"),
    ("delete_crdb", (5,), {}, "5 is not the uid"),
    ("create_crdb", ({},), {"headers": 5}, "headers= is not a mapping of names to values"),
    ("create_crdb", ({},), {"headers": "ab"}, "headers= is not a mapping of names to values"),
    ("create_crdb", ({},), {"task_id": ""}, "'' is not the uid"),
    ("create_crdb", ({},), {"task_id": "."}, "'.' is not the uid"),
    (
        "create_crdb",
        ({},),
        {"task_id": 5},
        "the header X-Task-ID is not printable ASCII text",
    ),
    ("create_crdb", ({},), {"task_id": "a\nb"}, "the header X-Task-ID is not printable"),
    (
        "create_crdb",
        ({},),
        {"task_id": "a", "headers": {"x-task-id": "b"}},
        "headers= has the same header twice",
    ),
    *(
        ("create_crdb", ({},), {"result_ttl": ttl}, f"result_ttl={ttl!r} is not a number of sec")
        for ttl in (0, -5, 1.5, True, "60")
    ),
]


@pytest.mark.parametrize(("name", "given", "options", "said"), BAD, ids=short)
def test_bad(name: str, given: tuple[Any, ...], options: dict[str, Any], said: str) -> None:
    """A call that cannot be sent is refused before it is awaited, so that nothing is sent."""
    call: Callable[..., object] = getattr(offline(), name)
    with pytest.raises(UsageError) as caught:
        call(*given, **options)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "given", "options"),
    [
        ("create_bdb", ({"authentication_redis_pass": SECRET},), {"busy_timeout": -1}),
        ("create_bdb", ({"authentication_redis_pass": SECRET, "a": object()},), {}),
        ("update_bdb", ("x", {"authentication_redis_pass": SECRET}), {}),
        ("export_bdb", (1, {"secret_access_key": SECRET}, 5), {}),
        ("import_bdb", (1, {"secret_access_key": SECRET}), {}),
        ("create_crdb", ({"default_db_config": {"pass": SECRET}},), {"result_ttl": 0}),
        ("submit", ("GET", "/v1/bdbs", {"pass": SECRET}), {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_with_secrets(name: str, given: tuple[Any, ...], options: dict[str, Any]) -> None:
    """The error about what cannot be sent does not show it."""
    call: Callable[..., object] = getattr(offline(), name)
    with pytest.raises(UsageError) as caught:
        call(*given, **options)

    assert leaks_of(caught.value) == []


@pytest.mark.parametrize("name", sorted(NAMES))
def test_described(name: str) -> None:
    """Each call says what it takes, which page of the vendor's it rests on, and what it needs."""
    call = getattr(ActionsClient, name)
    said = inspect.getdoc(call) or ""

    assert "self" in inspect.signature(call).parameters
    assert name == "submit" or ("Source: " in said and "Needs the permission" in said)


def test_misspelled() -> None:
    """An option that there is not is no option, which is said before the call is awaited."""
    call: Any = offline().delete_bdb
    with pytest.raises(TypeError, match="busy_timeuot"):
        call(1, busy_timeuot=5)


@pytest.mark.enable_socket
async def test_request_timeout() -> None:
    """A call may take longer than other requests, or less long."""
    async with FakeCluster() as cluster, client_of(cluster, request_timeout=5) as client:
        cluster.inject(method="POST", delay=8)
        operation = await client.create_bdb({"name": "x"}, request_timeout=10)

        assert operation.ref is not None
        assert operation.ref.startswith("action:")


async def test_deletes_that_are_over(cluster: FakeCluster, client: ActionsClient) -> None:
    """Deletes that are over before they are first asked about have completed, each at once."""
    for uid in range(1, 6):
        cluster.add_bdb(uid)
    cluster.plan("DELETE", "/v1/bdbs", Plan(duration=1), times=None)
    operations = [await client.delete_bdb(uid) for uid in range(1, 6)]
    await asyncio.sleep(5)
    began = now()

    actions = await client.wait_for_operations([*operations, operations[0].ref])
    assert {str(action.evidence) for action in actions} == {str(Evidence.LIST)}
    assert now() - began < 10


@pytest.mark.parametrize("depth", [300, 900])
async def test_nested(sent: list[Sent], depth: int) -> None:
    """A body may be nested as deeply as JSON can be written."""
    await offline().submit("POST", "/v1/bdbs", nested(depth))

    assert len(sent) == 1
