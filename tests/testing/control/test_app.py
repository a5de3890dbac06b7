"""Tests of `testing.control.app`: the calls of the control API."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redis_enterprise_actions.testing import ControlServer, FakeCluster, Scenario
from redis_enterprise_actions.testing.control.messages import CALLS
from tests.conftest import examples, virtual_loop
from tests.http_client import HttpClient, http_client
from tests.testing.control.conftest import SCENARIO, Control
from tests.testing.scenario.minimal import MINIMAL
from tests.testing.sessions import port_of


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.scenario.entries import Entry

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

LISTS = {"plan": "plans", "inject": "faults", "restart": "restarts"}
NODE_CALLS: dict[str, dict[str, Any]] = {"heal": {}, "stop": {"node": 2}, "start": {"node": 2}}
VALID: dict[str, dict[str, Any]] = {
    **{name: MINIMAL[LISTS.get(name, name)] for name in CALLS.keys() - NODE_CALLS.keys()},
    **NODE_CALLS,
}
START = {"time": "2026-01-01T00:00:00Z", "elapsed": 0, "speed": 0}
STUCK = {"plan": {"outcome": "stuck"}}
POSTS = [*CALLS, "clock", "reset"]


def running(cluster: FakeCluster) -> list[int]:
    """Return the numbers of the nodes that run."""
    return cluster._nodes.running


@pytest.fixture
async def call(cluster: FakeCluster) -> Any:  # noqa: ANN401 - an iterator
    """Return an HTTP client of the cluster."""
    async with http_client(cluster) as client:
        yield client


class TestCalls:
    """Calls that are accepted."""

    async def test_state(self, cluster: FakeCluster, control: Control) -> None:
        """The state has what a client needs to know."""
        assert await control.ok("GET") == {
            "url": cluster.url,
            "urls": cluster.urls,
            "username": cluster.username,
            "password": cluster.password,
            "ca_pem": None,
            "version": "8.0",
            "clock": {"v": 1, **START},
            "requests": 0,
            "problems": [],
        }

    async def test_clock(self, cluster: FakeCluster, control: Control) -> None:
        """The clock jumps by seconds and to a time, and changes its speed."""
        assert await control.ok("GET", "clock") == START
        moved = {"time": "2026-01-01T00:01:30.500000Z", "elapsed": 90.5, "speed": 0}
        assert await control.ok("POST", "clock", {"jump": 90.5}) == moved
        assert await control.ok("GET", "clock") == moved
        moved = {"time": "2026-01-02T00:00:00Z", "elapsed": 86400, "speed": 0}
        assert await control.ok("POST", "clock", {"set": "2026-01-02T02:00:00+02:00"}) == moved
        assert await control.ok("POST", "clock", {"set": "2026-01-02T00:00:00Z"}) == moved
        assert (await control.ok("POST", "clock", {"speed": 60}))["speed"] == 60
        assert cluster.speed == 60

    async def test_work(self, cluster: FakeCluster, control: Control, call: HttpClient) -> None:
        """Work that is started goes on with the clock."""
        plan = {"duration": 60, "outcome": "failed", "error": "no memory"}
        started = await control.ok("POST", "actions", {"name": "retry_bdb", "plan": plan})
        uid = started["uid"]
        assert (await call.ok("GET", f"/v1/actions/{uid}"))["status"] == "running"
        await control.ok("POST", "clock", {"jump": 60})
        assert (await call.ok("GET", f"/v1/actions/{uid}"))["status"] == "failed"

    async def test_plan(self, control: Control, call: HttpClient) -> None:
        """A plan is that of the next call."""
        planned = {"method": "POST", "path": "/v1/bdbs/1/", "plan": {"duration": 900}}
        assert await control.ok("POST", "plan", planned) == {}
        started = await call.ok("POST", "/v1/bdbs/1/upgrade", {})
        await control.ok("POST", "clock", {"jump": 899})
        path = f"/v1/actions/{started['action_uid']}"
        assert (await call.ok("GET", path))["status"] == "active"

    async def test_faults(self, control: Control, call: HttpClient) -> None:
        """Faults are injected, for a number of answers or all, and healed."""
        await control.ok("POST", "inject", {"status": 500, "times": 2})
        assert [(await call("GET", "/v1/bdbs"))[0] for _ in range(3)] == [500, 500, 200]
        await control.ok("POST", "inject", {"status": 500, "times": "always"})
        assert [(await call("GET", "/v1/bdbs"))[0] for _ in range(3)] == [500] * 3
        await control.ok("POST", "heal")
        assert (await call("GET", "/v1/bdbs"))[0] == 200

    async def test_nodes(self, cluster: FakeCluster, control: Control) -> None:
        """Nodes are stopped, started and restarted."""
        await control.ok("POST", "stop", {"node": 3})
        assert running(cluster) == [1, 2]
        await control.ok("POST", "start", {"node": 3})
        assert running(cluster) == [1, 2, 3]
        await control.ok("POST", "restart", {"node": 3, "downtime": 20})
        await control.ok("POST", "clock", {"jump": 19})
        assert running(cluster) == [1, 2]
        await control.ok("POST", "clock", {"jump": 1})
        assert running(cluster) == [1, 2, 3]

    async def test_results(self, cluster: FakeCluster, control: Control) -> None:
        """What a method returns is in the answer."""
        assert await control.ok("POST", "databases", {"name": "x"}) == {"uid": 2}
        action = await control.ok("POST", "actions", {})
        assert action == {"uid": next(iter(cluster.actions))}
        crdb = await control.ok("POST", "crdbs", {})
        task = await control.ok("POST", "crdb_tasks", {"guid": crdb["guid"], "id": "t"})
        assert task == {"id": "t"}
        node = await control.ok("POST", "node_actions", {"node_uid": 1, "action": "maintenance_on"})
        assert list(node) == ["task_id"]
        chaos = await control.ok("POST", "chaos", {"seed": 1, "horizon": 60, "episodes": 3})
        assert [sorted(each) for each in chaos["episodes"]] == [
            ["begins", "delay", "ends", "kind", "node", "path", "retry_after", "status"]
        ] * 3
        for name in ("transfers", "cluster_actions"):
            assert await control.ok("POST", name, VALID[name]) == {}

    async def test_later(self, cluster: FakeCluster, control: Control) -> None:
        """A call with a time waits for it; what the cluster refuses then is a problem."""
        await control.ok("POST", "clock", {"jump": 10})
        for at in (10, 20):
            assert await control.ok("POST", "actions", {"uid": f"a{at}", "at": at}) == {}
        await control.ok("POST", "stop", {"node": 2, "at": 30})
        await control.ok("POST", "stop", {"node": 2, "at": 40})
        began = cluster.now - 10
        await control.ok("POST", "clock", {"jump": 100})
        times = {action.uid: action.began_at - began for action in cluster.actions.values()}
        assert times == {"a10": 10, "a20": 20}
        state = await control.ok("GET")
        assert state["problems"] == ["control API: $.node: node 2 is stopped already"]
        cluster.problems.clear()

    async def test_requests(self, cluster: FakeCluster, control: Control, call: HttpClient) -> None:
        """The requests have what was answered; a poller reads only those it has not read."""
        await call("GET", "/v1/bdbs?fields=uid")
        await control.ok("POST", "clock", {"jump": 1.5})
        async with control.session.get(f"{cluster.urls[1]}/v1/x", allow_redirects=False):
            pass
        first = {
            "number": 0,
            "time": "2026-01-01T00:00:00Z",
            "elapsed": 0,
            "method": "GET",
            "path": "/v1/bdbs?fields=uid",
            "node": 1,
            "status": 200,
            "has_credentials": True,
        }
        second = {
            **first,
            "number": 1,
            "time": "2026-01-01T00:00:01.500000Z",
            "elapsed": 1.5,
            "path": "/v1/x",
            "node": 2,
            "status": 307,
            "has_credentials": False,
        }
        for path, seen in (
            ("requests", [first, second]),
            ("requests?since=1", [second]),
            ("requests?since=2", []),
            ("requests?since=999999999999999999", []),
        ):
            assert await control.ok("GET", path) == {"total": 2, "requests": seen}

    async def test_reset(self, cluster: FakeCluster, control: Control, call: HttpClient) -> None:
        """A reset leaves nothing of what was done."""
        before = await control.ok("GET")
        await call("GET", "/v1/bdbs")
        for name, body in (
            ("databases", {}),
            ("actions", {}),
            ("inject", {"status": 500, "times": "always"}),
            ("stop", {"node": 2}),
            ("actions", {"at": 99}),
            ("clock", {"jump": 60}),
            ("clock", {"speed": 5}),
        ):
            await control.ok("POST", name, body)
        assert await control.ok("POST", "reset") == before
        assert await control.ok("GET") == before
        assert (list(cluster.bdbs), running(cluster), cluster.actions) == ([1], [1, 2, 3], {})
        await control.ok("POST", "clock", {"jump": 100})
        assert cluster.actions == {}
        assert (await call("GET", "/v1/bdbs"))[0] == 200

    async def test_content_type(self, control: Control) -> None:
        """A body is JSON, whatever its type is said to be."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert await control.ok("POST", "databases", b' {"uid": 9}\n', headers=headers) == {
            "uid": 9
        }

    async def test_schema(self, control: Control) -> None:
        """The schema has the paths."""
        schema = await control.ok("GET", "schema.json")
        assert {f"/_fake/{name}" for name in (*POSTS, "", "requests")} == schema["paths"].keys()


class TestBadInput:
    """Calls that are refused: always with a message, and without an effect."""

    @pytest.mark.parametrize(
        ("name", "field"),
        [(name, field) for name, kind in CALLS.items() for field in kind.__struct_fields__],
    )
    @pytest.mark.parametrize("value", ["null", "[[[]]]", "-1", "1e999"])
    async def test_fields(self, control: Control, name: str, field: str, value: str) -> None:
        """A wrong value of a field is refused, and the field named."""
        rest = {key: each for key, each in VALID[name].items() if key != field}
        others = "".join(f"{json.dumps(key)}: {json.dumps(each)}, " for key, each in rest.items())
        body = f"{{{others}{json.dumps(field)}: {value}}}".encode()
        status, wrong, _ = await control.refused("POST", name, body)
        assert status == 400
        assert wrong is not None
        assert wrong.partition("[")[0] == f"$.{field}"

    @pytest.mark.parametrize("name", POSTS)
    @pytest.mark.parametrize(
        "body",
        [b"{", b"[]", b"1", b"null", b'"x"', b"\xff", b"{}{}", b'{"a": NaN}', b'{"\\ud800": 1}',
         b"[" * 100_000, b'{"a":' * 100_000, b"a=b", b"\x00", b"{'a': 1}"],
    )  # fmt: skip
    async def test_no_object(self, control: Control, name: str, body: bytes) -> None:
        """A body that is no JSON, or no object, is refused."""
        status, field, _ = await control.refused("POST", name, body)
        assert status == 400
        assert field is not None
        assert field.startswith("$")

    @pytest.mark.parametrize("name", POSTS)
    async def test_unknown_field(self, control: Control, name: str) -> None:
        """An unknown field is refused by its name."""
        body = {**VALID.get(name, {}), "x-y": 1}
        assert (await control.refused("POST", name, body))[:2] == (400, "$.x-y")

    @pytest.mark.parametrize(
        ("name", "body", "status", "field"),
        [
            ("clock", {}, 400, "$"),
            ("clock", {"jump": 1, "speed": 1}, 400, "$"),
            ("clock", {"jump": -1}, 400, "$.jump"),
            ("clock", {"jump": 1e10}, 400, "$.jump"),
            ("clock", {"set": "2026-01-01"}, 400, "$.set"),
            ("clock", {"set": "2026-01-01T00:00:00"}, 400, "$.set"),
            ("clock", {"set": "2025-12-31T23:59:59Z"}, 409, "$.set"),
            ("clock", {"set": "9999-12-31T23:59:59Z"}, 409, "$.set"),
            ("clock", {"speed": -1}, 400, "$.speed"),
            ("clock", {"speed": 1e7}, 400, "$.speed"),
            ("databases", {"uid": 1}, 409, "$.uid"),
            ("restart", {"node": 4}, 409, "$.node"),
            ("start", {"node": 1}, 409, "$.node"),
            ("stop", {"node": 4}, 409, "$.node"),
            ("stop", {"node": 101}, 400, "$.node"),
            ("stop", {}, 400, "$.node"),
            ("inject", {}, 400, "$"),
            ("inject", {"status": 503, "node": 4}, 409, "$.node"),
            ("bootstraps", {"node": 1}, 409, "$.node"),
            ("node_actions", {"node_uid": 4, "action": "remove"}, 409, "$.node_uid"),
            ("cluster_actions", {"node_uid": 4, "action": "change_master"}, 409, "$.node_uid"),
            ("actions", {"plan": {"duration": "1"}}, 400, "$.plan.duration"),
            ("actions", {"plan": {"outcome": "aborted"}}, 400, "$.plan.outcome"),
            ("actions", {"node_uid": 4}, 409, "$.node_uid"),
            ("actions", {"bdb_uid": 10**18}, 400, "$.bdb_uid"),
            ("transfers", VALID["transfers"] | STUCK, 400, "$.plan.outcome"),
            ("bootstraps", {"node": 1, "downtime": [[0.5, 1, 404]]}, 400, "$.downtime"),
            ("inject", {"status": 503, "truncate": True}, 400, "$.truncate"),
            ("inject", {"status": 503, "headers": {"content-LENGTH": "1"}}, 400, "$.headers"),
        ],
    )  # fmt: skip
    async def test_refused(
        self, control: Control, name: str, body: object, status: int, field: str
    ) -> None:
        """What is out of range is refused with 400, what the cluster refuses with 409."""
        assert (await control.refused("POST", name, body))[:2] == (status, field)

    async def test_names_in_use(self, cluster: FakeCluster, control: Control) -> None:
        """The name of something that is there is refused, and nothing replaced."""
        for name, field, rest in (
            ("actions", "uid", {"name": "retry_bdb"}),
            ("node_actions", "task_id", {"node_uid": 1, "action": "maintenance_on"}),
            ("crdb_tasks", "id", {"plan": {"outcome": "never"}}),
            ("crdbs", "guid", {}),
        ):
            await control.ok("POST", name, {field: "a", **rest})
            again = {field: "a", **rest}
            if name == "node_actions":
                again["node_uid"] = 2
            status, wrong, _ = await control.refused("POST", name, again)
            assert (status, wrong) == (409, f"$.{field}")
        assert list(cluster.actions) == ["a"]
        assert cluster.actions["a"].name == "retry_bdb"

    async def test_largest_uid(
        self, cluster: FakeCluster, control: Control, call: HttpClient
    ) -> None:
        """After the database of the largest uid, others have lower ones, and can be found."""
        largest = 10**18 - 1
        await control.ok("POST", "databases", {"uid": largest})
        assert await control.ok("POST", "databases") == {"uid": 2}
        created = {"name": "x", "memory_size": 1}
        assert (await call.ok("POST", "/v1/bdbs", created))["uid"] == 3
        assert (await call("POST", "/v1/bdbs", created | {"uid": largest + 1}))[0] == 406
        assert (await call("GET", f"/v1/bdbs/{largest}"))[0] == 200
        assert list(cluster.bdbs) == [1, 2, 3, largest]

    async def test_too_late(self, control: Control) -> None:
        """A time that has passed is refused."""
        await control.ok("POST", "clock", {"jump": 10})
        status, field, error = await control.refused("POST", "actions", {"at": 9})
        assert (status, field) == (409, "$.at")
        assert error == "at is over; it is in seconds after the start of the cluster"

    async def test_end_of_time(self, control: Control) -> None:
        """The clock does not go beyond the year 9999, and answers are right until then."""
        await control.ok("POST", "clock", {"set": "9999-12-30T00:00:00Z"})
        assert (await control.refused("POST", "clock", {"jump": 1e9}))[:2] == (409, "$.jump")
        await control.ok("POST", "actions", {"plan": {"duration": 1e9}})
        assert (await control.ok("GET", "clock"))["time"] == "9999-12-30T00:00:00Z"

    @pytest.mark.parametrize("since", ["-1", "x", "1.5", "", "\u0663", "9" * 19])
    async def test_since(self, control: Control, since: str) -> None:
        """The number of a request is a number."""
        call = ("GET", f"requests?since={since}")
        assert (await control.refused(*call))[:2] == (400, "since")

    @pytest.mark.parametrize("name", [*POSTS, "", "requests", "schema.json"])
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    async def test_methods(self, control: Control, name: str, method: str) -> None:
        """Another method is refused; a page in a browser that asks first gets no permission."""
        if (method == "POST" and name in POSTS) or (
            method == "GET" and name not in {*CALLS, "reset"}
        ):
            return
        async with control.session.request(method, f"{control.url}{name}") as response:
            assert response.status == 405
            allowed = "GET, POST" if name == "clock" else "POST" if name in POSTS else "GET"
            assert response.headers["Allow"] == allowed
            assert (await response.json())["error"].endswith(f"takes {allowed} only")
            assert not any(header.startswith("Access-Control") for header in response.headers)

    @pytest.mark.parametrize("path", ["nope", "clock/", "actions/1", "../", "..%2f", "%00"])
    async def test_unknown_path(self, control: Control, path: str) -> None:
        """An unknown path is refused, and the list of those that there are named."""
        status, field, error = await control.refused("POST", path)
        assert (status, field) == (404, None)
        assert "schema.json" in error

    async def test_size(self, control: Control) -> None:
        """A body has a limit."""
        assert (await control.refused("POST", "databases", b" " * 1_000_001))[0] == 413
        assert await control.ok("POST", "databases", b" " * 1_000_000) == {"uid": 2}

    async def test_encoding(self, control: Control) -> None:
        """A body is not compressed."""
        headers = {"Content-Encoding": "gzip"}
        for body in (b"x", b"", b"\x1f\x8b"):
            assert (await control.refused("POST", "heal", body, headers=headers))[0] == 415

    @pytest.mark.parametrize("rest", [b"", b"zz\r\n"], ids=["half", "no chunk"])
    async def test_half_a_body(
        self, control: Control, rest: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A client whose body does not end keeps no other call waiting, and does no harm."""
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(control.url))
        length = b"Transfer-Encoding: chunked" if rest else b"Content-Length: 99"
        writer.write(
            b"POST /_fake/databases HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n"
        )
        await asyncio.sleep(1)
        writer.write(rest or b"{")
        await asyncio.sleep(1)
        assert await control.ok("POST", "databases") == {"uid": 2}
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(1)
        assert await control.ok("POST", "databases") == {"uid": 3}
        assert caplog.messages == []  # no traceback

    async def test_no_body(self, cluster: FakeCluster, control: Control) -> None:
        """A body has half a minute to come; meanwhile, other calls are answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(control.url))
        writer.write(b"POST /_fake/databases HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 9\r\n\r\n")
        await asyncio.sleep(29)
        assert (await control("GET"))[0] == 200
        assert not reader.at_eof()
        await asyncio.sleep(2)
        answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"the body did not come within 30 s" in answer
        writer.close()
        await writer.wait_closed()
        assert list(cluster.bdbs) == [1]

    @pytest.mark.parametrize(
        ("query", "field"),
        [("sicne=1", "sicne"), ("since=1&since=2", "since"), ("since=1&x", "x"), ("=1", "")],
    )
    async def test_query(self, control: Control, query: str, field: str) -> None:
        """Unknown and repeated parameters are refused, and named."""
        assert (await control.refused("GET", f"requests?{query}"))[:2] == (400, field)
        for name in POSTS:
            status, wrong, _ = await control.refused("POST", f"{name}?{query}", VALID.get(name))
            assert (status, wrong) == (400, query.partition("=")[0])
        for name in ("", "clock", "schema.json"):
            assert (await control.refused("GET", f"{name}?{query}"))[0] == 400
        assert (await control.refused("GET", f"nope?{query}"))[0] == 404

    @pytest.mark.parametrize(
        ("name", "body", "field"),
        [
            ("clock", b'{"jump": 1, "jump": 2}', "$.jump"),
            ("databases", b'{"uid": 1, "name": "x", "ui\\u0064": 1}', "$.uid"),
            (
                "actions",
                b'{"shards": [1], "plan": {"error": "x", "error": "x"}}',
                "$.plan.error",
            ),
            (
                "bootstraps",
                b'{"node": 1, "error_code": "x", "error_details": {"a": [1, {"b": 1, "b": 2}]}}',
                "$.error_details.a[1].b",
            ),
        ],
    )
    async def test_repeated_field(
        self, control: Control, name: str, body: bytes, field: str
    ) -> None:
        """A field that is given twice is refused, as one of them would be left out."""
        assert (await control.refused("POST", name, body))[:2] == (400, field)

    async def test_failure(
        self, cluster: FakeCluster, control: Control, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An error of the fake itself is an answer as documented, and is logged."""

        def fail() -> None:
            raise KeyError("x")

        cluster.heal = fail  # type: ignore[method-assign]
        status, answer = await control("POST", "heal")
        assert (status, answer["field"]) == (500, None)
        assert answer["error"] == "the call has failed: KeyError: 'x'"
        (record,) = caplog.records
        assert record.message == "POST /_fake/heal has failed"
        assert record.exc_info is not None
        assert vars(record)["event"] == "control call failed"
        del cluster.heal
        assert await control.ok("POST", "heal") == {}

    async def test_origin(self, cluster: FakeCluster, control: Control) -> None:
        """A page in a browser cannot drive it: not across origins, and not by a name of its own."""
        for headers in ({"Origin": "null"}, {"Host": "evil.example"}):
            for call in (("POST", "stop", {"node": 1}), ("GET",), ("GET", "nope")):
                assert (await control.refused(*call, headers=headers))[:2] == (403, None)
        assert running(cluster) == [1, 2, 3]

    async def test_closed(self, control: Control, cluster: FakeCluster) -> None:
        """After the end of the cluster, calls are refused, and nothing is done."""
        await cluster.__aexit__(None, None, None)
        calls = [("POST", name, VALID.get(name)) for name in CALLS]
        calls += [("POST", "clock", {"jump": 1}), ("POST", "reset", None)]
        calls += [("GET", name, None) for name in ("", "clock", "requests")]
        for call in calls:
            assert (await control.refused(*call))[::2] == (
                409,
                "the cluster runs inside `async with` only",
            )


class TestTimes:
    """Times of requests and of the clock while it runs."""

    @pytest.mark.parametrize("speed", [1, 60, 1000, 1_000_000])
    async def test_agree(self, cluster: FakeCluster, control: Control, speed: float) -> None:
        """A request has one time, and each time is as far from the start as is said."""
        start = datetime(2026, 1, 1, tzinfo=UTC)
        cluster.speed = speed
        async with http_client(cluster) as call:
            for seconds in (0.0123, 0.1, 0.7777):
                await asyncio.sleep(seconds)
                await call("GET", "/v1/actions")
        answers = []
        for _ in range(20):
            await asyncio.sleep(0.01234)
            answers.append(await control.ok("GET", "requests"))
            for each in (*answers[-1]["requests"], await control.ok("GET", "clock")):
                passed = datetime.fromisoformat(each["time"]) - start
                assert passed == timedelta(seconds=each["elapsed"])
        assert all(answer == answers[0] for answer in answers)


class TestConcurrency:
    """Calls at the same time."""

    async def test_one_at_a_time(self, cluster: FakeCluster, control: Control) -> None:
        """Calls at the same time have the effects of calls one after the other."""
        calls = [control.ok("POST", "databases", {}) for _ in range(10)]
        calls += [control.ok("POST", "clock", {"jump": 5}) for _ in range(10)]
        calls += [control.ok("GET") for _ in range(10)]
        answers = await asyncio.gather(*calls)
        assert sorted(each["uid"] for each in answers[:10]) == list(range(2, 12))
        assert (await control.ok("GET", "clock"))["elapsed"] == 50

    async def test_resets(self, cluster: FakeCluster, control: Control) -> None:
        """Resets in the middle of requests and of other calls leave a cluster as at the start."""
        await control.ok("POST", "inject", {"hang": True, "times": "always"})
        async with http_client(cluster) as call:
            hanging = [asyncio.create_task(call("GET", "/v1/bdbs")) for _ in range(5)]
            await asyncio.sleep(1)
            calls = [control.ok("POST", "reset") for _ in range(5)]
            calls += [control.ok("POST", "restart", {"node": 2, "at": 5}) for _ in range(5)]
            await asyncio.gather(*calls)
            answers = await asyncio.gather(*hanging, return_exceptions=True)
            assert all(isinstance(each, aiohttp.ClientError) for each in answers)
            assert (await control.ok("POST", "reset"))["requests"] == 0
            assert (await call("GET", "/v1/bdbs"))[0] == 200
        assert running(cluster) == [1, 2, 3]

    async def test_client_that_leaves(self, cluster: FakeCluster, control: Control) -> None:
        """A reset is done even if its client does not wait for it."""
        await control.ok("POST", "databases", {})
        leaving = asyncio.create_task(control.ok("POST", "reset"))
        for _ in range(4):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert (await control.ok("GET"))["requests"] == 0
        assert running(cluster) == [1, 2, 3]

    async def test_port_taken(self, cluster: FakeCluster, control: Control) -> None:
        """A reset that cannot listen is refused, and can be repeated."""
        port = int(cluster.urls[1].rpartition(":")[2])
        await control.ok("POST", "stop", {"node": 2})
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
        for name, body in (("start", {"node": 2}), ("reset", None)):
            assert (await control.refused("POST", name, body))[0] == 409
        taken.close()
        await taken.wait_closed()
        await control.ok("POST", "reset")
        assert running(cluster) == [1, 2, 3]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
WORDS = st.sampled_from(["always", "a", "/v1/bdbs", "GET", "POST", "remove", "export", "linear"])


READ_AFTERWARDS = (
    "/v1/bdbs",
    "/v1/actions",
    "/v2/actions",
    "/v1/nodes",
    "/v1/crdbs",
    "/v1/crdb_tasks",
    "/v1/nodes/actions",
    "/v1/cluster/actions",
)


def bodies(kind: type[Entry] | None) -> st.SearchStrategy[dict[str, object]]:
    """Return bodies of a call, many of which have values that fit."""
    fields = [*(kind.__struct_fields__ if kind is not None else ()), "jump", "set", "plan", "x"]
    numbers = st.integers(0, 5) | st.floats(0, 5)
    values = JSON | numbers | WORDS | st.dictionaries(st.sampled_from(["duration"]), numbers)
    return st.dictionaries(st.sampled_from(fields), values)


CASES = st.sampled_from(POSTS).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.booleans().flatmap(
            lambda valid: bodies(CALLS.get(name)).map(
                lambda body: {**(VALID.get(name, {}) if valid else {}), **body}
            )
        ),
    )
)


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CASES, max_size=20))
def test_any_json(calls: list[tuple[str, dict[str, object]]]) -> None:
    """Any JSON is answered with success or a refusal, and the cluster answers afterwards."""

    async def run() -> None:
        async with FakeCluster.from_scenario(Scenario.parse(SCENARIO)) as cluster:
            async with ControlServer(cluster) as server, aiohttp.ClientSession() as session:
                control = Control(server.url, session)
                for name, body in calls:
                    status, answer = await control("POST", name, json.dumps(body).encode())
                    assert status in {200, 400, 409}
                    assert status == 200 or answer["error"]
                await control.ok("POST", "heal")
                assert (await control("GET", "requests"))[0] == 200
                for node in {1, 2, 3} - set(running(cluster)):
                    await control("POST", "start", {"node": node})
                async with http_client(cluster) as call:
                    for path in READ_AFTERWARDS:
                        assert (await call("GET", path))[0] in {200, 307, 503}
                await control.ok("POST", "reset")
                async with http_client(cluster) as call:
                    assert (await call("GET", "/v1/bdbs"))[0] == 200
            cluster.problems.clear()

    loop = virtual_loop()
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
