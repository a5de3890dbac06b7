"""Tests of waits and calls during faults of the cluster, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import logging
import re
import ssl
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

import aiohttp
import pytest
import trustme
from aiohttp.abc import AbstractResolver
from tenacity import wait_fixed

from redis_enterprise_actions import (
    Action,
    ActionNotFound,
    ActionsClient,
    ActionStalled,
    AuthenticationError,
    ClientCertificateRefused,
    ClusterUnreachable,
    RequestError,
    RequestRejected,
    UnreadableReply,
    UntrustedCertificate,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.http import transport as transport_module
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.scripted import now


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    Fault = Callable[[FakeCluster, "Names"], AbstractAsyncContextManager[None]]

pytestmark = pytest.mark.enable_socket


class Names(AbstractResolver):
    """Resolver that maps every host to this machine, or fails while `broken`."""

    broken = False

    async def resolve(self, host: str, port: int = 0, family: int = 2) -> list[object]:  # type: ignore[override]
        if self.broken:
            raise OSError(-3, "Temporary failure in name resolution")
        address = {"hostname": host, "host": "127.0.0.1", "port": port}
        return [address | {"family": family, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """Have nothing to close."""


# --- faults, as context managers ----------------------------------------------------------------


def injected(**fault: object) -> Fault:
    """Return a fault that the fake injects into all requests about actions."""

    @asynccontextmanager
    async def wrong(cluster: FakeCluster, _: Names) -> AsyncIterator[None]:
        cluster.inject(times=None, **fault)  # type: ignore[arg-type]
        yield
        cluster.heal()

    return wrong


@asynccontextmanager
async def refused(cluster: FakeCluster, _: Names) -> AsyncIterator[None]:
    """The connection is refused."""
    await cluster.stop_node(1)
    yield
    await cluster.start_node(1)


@asynccontextmanager
async def cut_short(cluster: FakeCluster, _: Names) -> AsyncIterator[None]:
    """A server accepts connections and closes them at once."""
    await cluster.stop_node(1)
    port = int(cluster.url.rpartition(":")[2])

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await asyncio.sleep(0)

    async with await asyncio.start_server(hang_up, "127.0.0.1", port):
        yield
    await cluster.start_node(1)


@asynccontextmanager
async def no_names(_: FakeCluster, names: Names) -> AsyncIterator[None]:
    """Names do not resolve."""
    names.broken = True
    yield
    names.broken = False


@asynccontextmanager
async def too_large(cluster: FakeCluster, _: Names) -> AsyncIterator[None]:
    """Responses exceed the size limit."""
    del cluster
    with patch.object(transport_module, "MAX_BODY", 10):
        yield


OUTAGES: dict[str, Fault] = {
    "refused": refused,
    "cut short": cut_short,
    "no names": no_names,
    "dropped": injected(drop=True),
    "hanging": injected(hang=True),
    "truncated": injected(truncate=True),
    "empty": injected(status=200),
    "html": injected(status=200, body="<html>please wait</html>"),
    "html 404": injected(status=404, body="<html>no such page</html>"),
    "other json": injected(status=200, body='{"hello": "world"}'),
    "half json": injected(status=200, body='{"actions": [], "state-mach'),
    "deep json": injected(status=200, body="[" * 100_000),
    "no json": injected(status=200, body=b"\xff\xfe\x00"),
    "too large": too_large,
    **{str(status): injected(status=status) for status in (408, 429, 500, 502, 503, 504, 599)},
    "retry after": injected(retry_after=2),
}
PLACES = {"first": 0.0, "middle": 40.0, "last": 95.0}
ENDS_AT = 100.0
LASTS = 20.0  # seconds


@asynccontextmanager
async def waiting(
    cluster: FakeCluster, names: Names, *, waits: int, **options: float
) -> AsyncIterator[list[asyncio.Task[Action]]]:
    """Wait for actions that end at `ENDS_AT`, with a new connection for each request."""
    connector = aiohttp.TCPConnector(resolver=names, use_dns_cache=False, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        url = cluster.url.replace("127.0.0.1", "cluster.test")
        async with ActionsClient(
            url,
            username=cluster.username,
            password=cluster.password,
            session=session,
            request_timeout=5,
        ) as client:
            uids = [cluster.add_action(plan=Plan(duration=ENDS_AT)) for _ in range(waits)]
            tasks = [asyncio.create_task(client.wait_for_action(uid, **options)) for uid in uids]
            yield tasks
            await asyncio.gather(*tasks, return_exceptions=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Combine each outage and place with one or three waits by turns; `--full` with both."""
    if metafunc.cls is TestOutages:
        both, full = (1, 3), metafunc.config.getoption("--full")
        cases = [
            (fault, place, waits)
            for number, (fault, place) in enumerate(itertools.product(OUTAGES, PLACES))
            for waits in (both if full else both[number % 2 : number % 2 + 1])
        ]
        metafunc.parametrize(("fault", "place", "waits"), cases)


class TestOutages:
    """Each kind of outage, at each place of a wait, is survived or named."""

    async def test_survived(
        self,
        cluster: FakeCluster,
        caplog: pytest.LogCaptureFixture,
        fault: str,
        waits: int,
        place: str,
    ) -> None:
        """Within the budget the waits complete, soon after their actions or the outage."""
        names = Names()
        began = now()
        async with waiting(cluster, names, waits=waits, outage_timeout=60) as tasks:
            await asyncio.sleep(PLACES[place])
            async with OUTAGES[fault](cluster, names):
                await asyncio.sleep(LASTS)
            actions = await asyncio.gather(*tasks)

        assert {action.status for action in actions} == {"completed"}
        healed = PLACES[place] + LASTS
        # Requests that hang use up the credit for failures, and the client rests for a minute.
        assert now() - began <= max(ENDS_AT, healed) + (66 if fault == "hanging" else 16)
        events = Counter(vars(record).get("event") for record in caplog.records)
        assert (events["outage"], events["outage over"]) == (1, 1)

    async def test_not_survived(
        self, cluster: FakeCluster, fault: str, waits: int, place: str
    ) -> None:
        """Without a budget an outage ends each wait, with the last action and the reason."""
        names = Names()
        async with waiting(cluster, names, waits=waits, outage_timeout=0) as tasks:
            await asyncio.sleep(PLACES[place])
            async with OUTAGES[fault](cluster, names):
                results = await asyncio.gather(*tasks, return_exceptions=True)

        for result in results:
            assert isinstance(result, ClusterUnreachable)
            assert (result.action is None) is (place == "first")
            assert result.action is None or result.action.status == "active"
            assert result.__cause__ is not None
            assert "no usable answer" in str(result)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("waits", [1, 3], ids=["alone", "together"])
@pytest.mark.parametrize("fault", ["nan", "bad_entry"])
async def test_spoiled_values(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture, fault: str, waits: int, place: str
) -> None:
    """An invalid value or entry of a list is no outage."""
    names = Names()
    async with waiting(cluster, names, waits=waits, outage_timeout=0) as tasks:
        await asyncio.sleep(PLACES[place])
        async with injected(**{fault: True})(cluster, names):
            await asyncio.sleep(LASTS)
        actions = await asyncio.gather(*tasks)

    assert {action.status for action in actions} == {"completed"}
    assert "asking again" not in caplog.text


class TestLongOutage:
    """Ten minutes of outage in a wait of an hour."""

    @asynccontextmanager
    async def out(self, cluster: FakeCluster) -> AsyncIterator[str]:
        """Start an action of an hour, and an outage after half an hour."""

        async def go_out() -> None:
            await asyncio.sleep(1800)
            cluster.inject(times=None, status=503)
            await asyncio.sleep(600)
            cluster.heal()

        outage = asyncio.create_task(go_out())
        yield cluster.add_action(plan=Plan(duration=3600), shards=[1])
        outage.cancel()

    async def test_default(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The default budget of five minutes ends the wait."""
        began = now()
        async with self.out(cluster) as uid:
            with pytest.raises(ClusterUnreachable, match="it answered 503") as caught:
                await client.wait_for_action(uid)

        assert 1800 + 300 <= now() - began <= 1800 + 300 + 16
        assert caught.value.action is not None
        assert caught.value.action.progress is not None
        assert caught.value.nodes == (cluster.url,)
        assert caught.value.attempts > 20

    async def test_larger(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A larger budget covers the outage, with two lines in the log, one with its length."""
        async with self.out(cluster) as uid:
            action = await client.wait_for_action(uid, outage_timeout=900)

        assert action.status == "completed"
        first, last = (record.getMessage() for record in caplog.records)
        assert first.endswith("asking again")
        assert "503" in first
        lasted = re.fullmatch(r"the cluster answers again after (\d+)m (\d\d)s", last)
        assert lasted is not None
        assert 60 * int(lasted[1]) + int(lasted[2]) == pytest.approx(600, abs=30)
        during = [seen for seen in cluster.requests if seen.status == 503]
        assert len(during) < 150

    async def test_many(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """For any number of waits, one request is retried, and each wait has its own budget."""
        uids = [cluster.add_action(plan=Plan(duration=3600)) for _ in range(60)]
        budgets = dict(zip(uids, [60, 200, 900, None] * 15, strict=True))

        async with self.out(cluster):
            waits = (
                client.wait_for_action(uid, outage_timeout=budget)
                for uid, budget in budgets.items()
            )
            results = await asyncio.gather(*waits, return_exceptions=True)
        survived = [isinstance(result, Action) for result in results]
        assert survived == [budget in {900, None} for budget in budgets.values()]
        during = [seen for seen in cluster.requests if seen.status == 503]
        assert len(during) < 150

    @pytest.mark.parametrize("at", [112.0, 112.5, 113.0, 113.5])
    async def test_outage_during_verifications(
        self, cluster: FakeCluster, client: ActionsClient, at: float
    ) -> None:
        """An outage begins with a request without an answer, not with a doubt before it."""
        stuck = [cluster.add_action(plan=Plan(outcome="never"), bdb_uid=n) for n in range(1, 61)]
        uid = cluster.add_action(plan=Plan(duration=1000))
        waits = [asyncio.create_task(client.wait_for_action(uid, outage_timeout=20))]
        for each in stuck:
            waiting = client.wait_for_action(each, stall_timeout=100, timeout=200)
            waits.append(asyncio.create_task(waiting))
        await asyncio.sleep(at)  # while their databases are requested, one by one
        cluster.inject(times=None, status=503)

        with pytest.raises(ClusterUnreachable):
            await waits[0]
        assert at + 20 <= now() < at + 40
        ends = await asyncio.gather(*waits[1:], return_exceptions=True)
        assert {type(end) for end in ends} == {ActionStalled, WaitTimeout}


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings in the log."""
    records = (record for record in caplog.records if record.levelno >= logging.WARNING)
    return [record.getMessage() for record in records]


class TestOneOfMany:
    """Trouble with one action, one node or the list does not affect other actions."""

    @asynccontextmanager
    async def ends(
        self, cluster: FakeCluster, uids: list[str], **options: float
    ) -> AsyncIterator[dict[str, tuple[object, float]]]:
        """Wait for all of them; afterwards the dict holds the end of each wait and its time."""
        ended: dict[str, tuple[object, float]] = {}

        async def wait(client: ActionsClient, uid: str) -> None:
            result: object
            try:
                result = (await client.wait_for_action(uid, **options)).status
            except ClusterUnreachable as error:
                result = error.path
            ended[uid] = (result, now())

        urls = cluster.urls
        account = {"username": cluster.username, "password": cluster.password}
        async with ActionsClient(urls, **account) as client:
            tasks = [asyncio.create_task(wait(client, uid)) for uid in uids]
            yield ended
            await asyncio.gather(*tasks)

    @pytest.mark.parametrize("path", ["/v2", "/v1/bdbs"])
    async def test_routes_that_fail(
        self, cluster: FakeCluster, caplog: pytest.LogCaptureFixture, path: str
    ) -> None:
        """If requests for some actions fail, their waits end by their budgets, in few log lines."""
        good = [cluster.add_action(plan=Plan(duration=1000)) for _ in range(2)]
        bad = [
            cluster.add_action("export", Plan(duration=2000))
            if path == "/v2"
            else cluster.add_action("SMDeleteBDB", Plan(duration=10), bdb_uid=number)
            for number in (7, 8, 9)
        ]
        async with self.ends(cluster, good + bad) as ended:
            await asyncio.sleep(5)
            cluster.inject(path=path, status=500, times=None)

        assert {ended[uid][0] for uid in good} == {"completed"}
        assert all(str(ended[uid][0]).startswith(path) for uid in bad)
        assert all(300 < ended[uid][1] < 340 for uid in bad)
        assert len(warnings_in(caplog)) <= 12

    async def test_one_route_heals(
        self, cluster: FakeCluster, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A route that works again is logged once, on one line whatever the uid holds."""
        export = cluster.add_action("export", Plan(duration=300), uid="e\n1")
        uids = [cluster.add_action(plan=Plan(duration=400)), export]
        async with self.ends(cluster, uids) as ended:
            await asyncio.sleep(5)
            cluster.inject(path="/v2", status=500, times=None)
            await asyncio.sleep(100)
            cluster.heal()

        assert {result for result, _ in ended.values()} == {"completed"}
        first, last = warnings_in(caplog)
        assert first.endswith("asking again, while requests for other actions are answered")
        assert last == "requests for action e 1 are answered again"

    async def test_nodes_that_hang(self) -> None:
        """Nodes that hang are left in time for a node that answers."""
        async with FakeCluster(nodes=3, handle_redirects=True) as cluster:
            uids = [cluster.add_action(plan=Plan(duration=100)) for _ in range(3)]
            async with self.ends(cluster, uids, outage_timeout=40) as ended:
                await asyncio.sleep(20)
                for node in (1, 2):
                    cluster.inject(node=node, delay=3600, times=None)

            assert {result for result, _ in ended.values()} == {"completed"}

    async def test_cut_at_a_hanging_node(self) -> None:
        """A request does not begin at the node where the last one was cut short."""
        async with FakeCluster(nodes=2, handle_redirects=True) as cluster:
            cluster.inject(node=1, delay=3600, times=None)
            uid = cluster.add_action(plan=Plan(duration=1))
            account = {"username": cluster.username, "password": cluster.password}
            async with ActionsClient(cluster.urls, **account) as client:
                await client.wait_for_action(uid, timeout=3)  # sees the end at the other node
                assert now() == pytest.approx(3, abs=0.1)
                await client.get_action(uid)
            assert now() < 4

    async def test_all_hang(self, cluster: FakeCluster) -> None:
        """If all nodes hang, many waits end as soon as one would."""
        uids = [cluster.add_action(plan=Plan(duration=1000)) for _ in range(60)]
        async with self.ends(cluster, uids, outage_timeout=60) as ended:
            await asyncio.sleep(100)
            cluster.inject(delay=3600, times=None)

        assert all(160 <= when < 177 for _, when in ended.values())

    @pytest.mark.parametrize("budget", [20, 0])
    @pytest.mark.parametrize("fault", [{"delay": 3600}, {"status": 500}])
    async def test_list_that_fails(
        self,
        cluster: FakeCluster,
        caplog: pytest.LogCaptureFixture,
        fault: dict[str, float],
        budget: float,
    ) -> None:
        """A list that fails, or hangs for longer than a budget, ends no wait."""
        uids = [cluster.add_action(plan=Plan(duration=200)) for _ in range(6)]
        async with self.ends(cluster, uids, outage_timeout=budget) as ended:
            await asyncio.sleep(50)
            for uid in uids:
                cluster.inject(path=f"/v1/actions/{uid}", delay=0.01, times=None)
            cluster.inject(path="/v1/actions", times=None, **fault)  # type: ignore[arg-type]

        assert {result for result, _ in ended.values()} == {"completed"}
        assert len(warnings_in(caplog)) <= 1


class TestOtherRoutes:
    """Waits for other work while one request hangs, or one route refuses to answer."""

    @pytest.mark.parametrize("joins_after", [1, 1.7, 3, 10])
    async def test_joins_beside_a_hanging_request(
        self, cluster: FakeCluster, client: ActionsClient, joins_after: float
    ) -> None:
        """A wait that joins while a request hangs is not asked for at the end of that only."""
        slow = cluster.add_action(plan=Plan(duration=1000))
        quick = cluster.add_action(plan=Plan(duration=1))
        cluster.inject(path=f"/v1/actions/{slow}", hang=True, times=None)
        waiting = asyncio.create_task(client.wait_for_action(slow))
        await asyncio.sleep(joins_after)
        began = now()

        assert (await client.wait_for_action(quick)).uid == quick
        assert now() - began < 3
        waiting.cancel()

    @pytest.mark.parametrize("callback", [None, str])
    async def test_callback_beside_a_hanging_request(
        self, cluster: FakeCluster, client: ActionsClient, callback: Callable[..., object] | None
    ) -> None:
        """A wait with a callback is asked for beside a hanging request as one without is."""
        task = cluster.start_crdb_task(cluster.add_crdb(), plan=Plan(duration=1000))
        quick = cluster.add_action(plan=Plan(duration=12))
        cluster.inject(path="/v1/crdb_tasks", hang=True)
        waiting = asyncio.create_task(client.operation(f"crdb:{task}").wait())
        await asyncio.sleep(0.1)
        await client.wait_for_action(quick, on_progress=callback)

        assert now() < 15
        waiting.cancel()

    async def test_retry_after_is_kept(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A route that asks for pauses gets them, while other routes are answered."""
        task = cluster.start_crdb_task(cluster.add_crdb(), plan=Plan(duration=1000))
        other = cluster.add_action(plan=Plan(duration=1000))
        cluster.inject(path="/v1/crdb_tasks/", status=503, retry_after=200, times=None)
        waits = [
            client.operation(f"crdb:{task}").wait(outage_timeout=850),
            client.wait_for_action(other),
        ]
        waiting = [asyncio.ensure_future(each) for each in waits]
        with pytest.raises(ClusterUnreachable):
            await waiting[0]

        asked = [seen.time for seen in cluster.requests if "/crdb_tasks/" in seen.path]
        assert len(asked) <= 7
        waiting[1].cancel()


class TestFatal:
    """Errors that a retry cannot change are raised by the first request for an action."""

    @pytest.mark.parametrize(
        ("fault", "error", "words"),
        [
            ({"status": 401}, AuthenticationError, "Check the user name and the password"),
            ({"status": 403}, AuthenticationError, "permission view_status_of_cluster_action"),
            ({"status": 400}, RequestRejected, "answered 400"),
            (
                {"status": 307, "headers": {"Location": "https://10.0.0.7:9443/v1/actions"}},
                RequestRejected,
                r"redirects to https://10\.0\.0\.7:9443.*its URL.*trusted_hosts=.*handle_redirects",
            ),
            (
                {"status": 302, "headers": {"Location": "/login"}},
                RequestRejected,
                "redirects to another place",
            ),
        ],
    )
    @pytest.mark.parametrize("waits", [1, 3], ids=["alone", "together"])
    async def test_refused(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        fault: dict[str, object],
        error: type[RequestRejected],
        words: str,
        waits: int,
    ) -> None:
        """A refusal, or a redirect to an unlisted host alone, fails the waits immediately."""
        uids = [cluster.add_action(plan=Plan(duration=60)) for _ in range(waits)]
        tasks = [asyncio.create_task(client.wait_for_action(uid)) for uid in uids]
        await asyncio.sleep(30)
        before = len(cluster.requests)
        cluster.inject(times=None, **fault)  # type: ignore[arg-type]

        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            assert type(result) is error
            assert result.action is not None
        # A list that is refused is not used: each action is asked for alone then.
        alone = 0 if waits == 1 or fault["status"] == 401 else waits
        assert before < len(cluster.requests) <= before + 1 + alone
        with pytest.raises(error, match=words):
            raise results[0]  # type: ignore[misc]


class TestNodes:
    """The client uses several nodes as one cluster."""

    @pytest.fixture
    async def three(self) -> AsyncIterator[FakeCluster]:
        """Return a cluster of three nodes, of which the first is the primary."""
        async with FakeCluster(nodes=3) as cluster:
            yield cluster

    def of(self, cluster: FakeCluster, **options: object) -> ActionsClient:
        """Return a client of all nodes."""
        settings = {"username": cluster.username, "password": cluster.password} | options
        return ActionsClient(cluster.urls, **settings)  # type: ignore[arg-type]

    async def test_redirect(self, three: FakeCluster) -> None:
        """A redirect to another node is followed once; then requests go to that node."""
        three.primary = 3
        uid = three.add_action(plan=Plan(duration=60))
        async with self.of(three) as client:
            await client.wait_for_action(uid)

        assert [seen.node for seen in three.requests][:2] == [1, 3]
        assert {seen.node for seen in three.requests[1:]} == {3}

    async def test_trusted_host(self, three: FakeCluster) -> None:
        """A redirect to a trusted host is followed, and to other hosts it is not."""
        three.primary = 2
        uid = three.add_action(plan=Plan(duration=1))
        host = three.urls[1].removeprefix("http://")
        account = {"username": three.username, "password": three.password}
        async with ActionsClient(three.url, **account, trusted_hosts=[host]) as client:
            assert (await client.get_action(uid)).uid == uid
        three.requests.clear()
        async with ActionsClient(three.url, **account) as client:
            with pytest.raises(RequestRejected, match="redirects to"):
                await client.get_action(uid)

        assert [seen.node for seen in three.requests] == [1]

    async def test_credentials_stay(self, three: FakeCluster) -> None:
        """An unlisted server that a redirect names gets no request: the next node is asked."""
        async with FakeCluster() as stranger:
            three.primary = 2
            three.redirect_to = stranger.url
            async with self.of(three) as client:
                with pytest.raises(ActionNotFound):
                    await client.get_action("x")

            assert stranger.requests == []

    async def test_rolling_restart(
        self, three: FakeCluster, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A restart of one node after the other ends no wait and logs nothing."""
        uids = [three.add_action(plan=Plan(duration=150 + number)) for number in range(20)]
        async with self.of(three) as client:
            waiting = asyncio.gather(
                *(client.wait_for_action(uid, outage_timeout=5) for uid in uids)
            )
            for node in (1, 2, 3):
                await asyncio.sleep(10)
                await three.restart_node(node, downtime=20)
            actions = await waiting

        assert {action.status for action in actions} == {"completed"}
        assert {seen.node for seen in three.requests} == {1, 2, 3}
        assert caplog.records == []

    async def test_back_and_forth(self) -> None:
        """A node that failed is used again once another node has answered."""
        async with FakeCluster(nodes=2) as cluster:
            uid = cluster.add_action(plan=Plan(duration=100))
            async with self.of(cluster) as client:
                task = asyncio.create_task(client.wait_for_action(uid, outage_timeout=0))
                for node in (1, 2, 1, 2):
                    await asyncio.sleep(20)
                    await cluster.stop_node(node)
                    await asyncio.sleep(20)
                    await cluster.start_node(node)

                assert (await task).status == "completed"

    async def test_all_down(self, three: FakeCluster) -> None:
        """If no node answers, the error names all of them."""
        for node in (1, 2, 3):
            await three.stop_node(node)
        async with self.of(three) as client:
            with pytest.raises(ClusterUnreachable) as caught:
                await client.wait_for_action("x", outage_timeout=30)

        assert sorted(caught.value.nodes) == sorted(three.urls)

    async def test_single_calls(self, three: FakeCluster) -> None:
        """A single call turns to the next node at once, even from one that hangs for long."""
        three.handle_redirects = True
        uid = three.add_action(plan=Plan(duration=60))
        three.inject(delay=3600)
        await three.stop_node(2)
        began = now()
        async with self.of(three, request_timeout=30) as client:
            assert (await client.get_action(uid)).uid == uid

        assert [seen.node for seen in three.requests] == [1, 3]
        assert now() - began == pytest.approx(10, abs=1)  # a third of `request_timeout`

    async def test_garbage(self, three: FakeCluster) -> None:
        """A node with an unreadable answer is left for the next one."""
        three.handle_redirects = True
        uid = three.add_action(plan=Plan(duration=60))
        three.inject(status=200, body="<html>")
        async with self.of(three) as client:
            assert (await client.get_action(uid)).uid == uid

        assert [seen.node for seen in three.requests] == [1, 2]

    async def test_retry_after(self, three: FakeCluster) -> None:
        """A node that answers `Retry-After` is left alone while there are others."""
        three.handle_redirects = True
        uid = three.add_action(plan=Plan(duration=60))
        three.inject(retry_after=3600)
        async with self.of(three) as client:
            await client.wait_for_action(uid)

        assert [seen.node for seen in three.requests][:2] == [1, 2]
        assert {seen.node for seen in three.requests[1:]} == {2}

    async def test_round_trip(self, three: FakeCluster) -> None:
        """Nodes that redirect to each other, as in a failover, are an outage."""
        three.primary = 2
        three.redirect_to = three.urls[2]
        uid = three.add_action(plan=Plan(duration=60))
        account = {"username": three.username, "password": three.password}
        async with ActionsClient([three.urls[0], three.urls[2]], **account) as client:
            with pytest.raises(ClusterUnreachable, match=r"it redirects from .* to .* to "):
                await client.wait_for_action(uid, outage_timeout=0)

    @pytest.mark.parametrize("primary", [2, 3])
    async def test_unreadable_primary(self, three: FakeCluster, primary: int) -> None:
        """A primary with unreadable answers to all redirects is an outage."""
        three.primary = primary
        three.inject(times=None, node=primary, status=200, body="<html>please wait</html>")
        async with self.of(three) as client:
            for call, most in (
                (client.get_action("x"), 13),
                (client.wait_for_action("x", outage_timeout=5), 9),
                (client.wait_for_action("x", outage_timeout=0), 4),
                (client.wait_for_action("x", timeout=3), 7),
            ):
                began = now()
                with pytest.raises((UnreadableReply, ClusterUnreachable, WaitTimeout)):
                    await call
                assert now() - began < most

    async def test_beside_good_traffic(self, three: FakeCluster) -> None:
        """Answers to other calls do not prolong a call or a wait without an answer."""
        three.handle_redirects = True
        good, bad = (
            three.add_action(plan=Plan(duration=1)),
            three.add_action(plan=Plan(duration=9000)),
        )
        three.inject(times=None, path=f"/v1/actions/{bad}", status=500)
        async with self.of(three) as client:

            async def keep_requesting() -> None:
                while True:
                    await client.get_action(good)
                    await asyncio.sleep(0.05)

            traffic = asyncio.create_task(keep_requesting())
            for call, most in (
                (client.get_action(bad), 11),
                (client.wait_for_action(bad, outage_timeout=5), 9),
            ):
                began = now()
                with pytest.raises(ClusterUnreachable):
                    await call
                assert now() - began < most
            traffic.cancel()

    async def test_resting_primary(self, three: FakeCluster) -> None:
        """A primary that answers `Retry-After` is not reached through redirects, either."""
        three.primary = 3
        uid = three.add_action(plan=Plan(duration=10))
        three.inject(node=3, retry_after=30)
        async with self.of(three) as client:
            await client.wait_for_action(uid)

        times = [seen.time for seen in three.requests if seen.node == 3]
        assert times[1] - times[0] >= 30
        assert len(three.requests) < 10

    async def test_known_bug_of_v2(self, three: FakeCluster) -> None:
        """The known bug of the list of /v2 ends no call, though each node is asked."""
        three.handle_redirects = True
        three.inject(times=None, path="/v2", status=500, body='{"error_code": "invalid_schema"}')
        async with self.of(three) as client:
            for _ in range(3):
                assert await client.list_actions() == []

        assert {seen.node for seen in three.requests} == {1, 2, 3}

    async def test_election(self, three: FakeCluster) -> None:
        """A cluster without a primary is an outage, which ends with the next primary."""
        uid = three.add_action(plan=Plan(duration=100))
        async with self.of(three) as client:
            task = asyncio.create_task(client.wait_for_action(uid))
            await asyncio.sleep(10)
            three.primary = None
            await asyncio.sleep(30)
            three.primary = 3

            assert (await task).status == "completed"


async def token_of(cluster: FakeCluster, **options: int) -> str:
    """Return a token that the cluster grants."""
    account = {"username": cluster.username, "password": cluster.password}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{cluster.url}/v1/users/authorize", json=account | options) as response,
    ):
        return str((await response.json())["access_token"])


class TestTokens:
    """Tokens expire and are renewed without effect on waits."""

    def of(self, cluster: FakeCluster, **options: object) -> ActionsClient:
        """Return a client that uses tokens of the cluster."""
        settings = {"username": cluster.username, "password": cluster.password, "auth": "jwt"}
        return ActionsClient(cluster.urls, **(settings | options))  # type: ignore[arg-type]

    def calls(self, cluster: FakeCluster) -> list[str]:
        """Return the calls for tokens."""
        return [seen.path.rpartition("/")[2] for seen in cluster.requests if seen.method == "POST"]

    async def test_hours(self, cluster: FakeCluster) -> None:
        """Three hours on tokens of five minutes take one call for each, and never get a 401."""
        uid = cluster.add_action(plan=Plan(duration=3 * 3600))
        async with self.of(cluster) as client:
            await client.wait_for_action(uid)

        assert {seen.status for seen in cluster.requests} == {200}
        calls = self.calls(cluster)
        assert calls == ["authorize"] + ["refresh_jwt"] * (len(calls) - 1)
        assert 3 * 3600 / 300 <= len(calls) <= 3 * 3600 / 180 + 1

    async def test_long_pauses(self, cluster: FakeCluster) -> None:
        """With pauses longer than the life of a token, there is no 401 either."""
        uid = cluster.add_action(plan=Plan(duration=3600))
        async with self.of(cluster) as client:
            await client.wait_for_action(uid, poll=wait_fixed(600))

        assert {seen.status for seen in cluster.requests} == {200}
        assert self.calls(cluster) == ["authorize"] * 7

    async def test_revoked(self, cluster: FakeCluster, caplog: pytest.LogCaptureFixture) -> None:
        """A revoked token is replaced once, and the waits go on."""
        uids = [cluster.add_action(plan=Plan(duration=60)) for _ in range(5)]
        async with self.of(cluster) as client:
            waiting = asyncio.gather(
                *(client.wait_for_action(uid, outage_timeout=0) for uid in uids)
            )
            await asyncio.sleep(30)
            cluster.revoke_tokens()
            actions = await waiting

        assert {action.status for action in actions} == {"completed"}
        assert [seen.status for seen in cluster.requests].count(401) == 1
        assert self.calls(cluster) == ["authorize", "authorize"]
        assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []

    async def test_wrong_password(self, cluster: FakeCluster) -> None:
        """A wrong password is refused before any other request."""
        async with self.of(cluster, password="wrong-password") as client:
            with pytest.raises(AuthenticationError, match="Check the user name and the password"):
                await client.wait_for_action("x")

        assert self.calls(cluster) == ["authorize"] * 2
        assert len(cluster.requests) == 2

    async def test_basic_switched_off(self) -> None:
        """If the cluster takes no Basic authentication, the password goes into the body."""
        async with FakeCluster(basic=False) as cluster:
            uid = cluster.add_action(plan=Plan(duration=300))
            async with self.of(cluster) as client:
                await client.wait_for_action(uid)

            assert [seen.status for seen in cluster.requests][:3] == [401, 200, 200]
            assert {seen.status for seen in cluster.requests[1:]} == {200}

    async def test_no_tokens(self, cluster: FakeCluster) -> None:
        """The error names a cluster that does not grant tokens."""
        cluster.inject(path="/v1/users", status=404, times=None)
        async with self.of(cluster) as client:
            with pytest.raises(RequestRejected, match="grants no tokens"):
                await client.wait_for_action("x")

    async def test_gateway_without_a_route(self, cluster: FakeCluster) -> None:
        """A 404 for a token is an outage if the cluster has granted one before."""
        uid = cluster.add_action(plan=Plan(duration=400))
        async with self.of(cluster) as client:
            task = asyncio.create_task(client.wait_for_action(uid))
            await asyncio.sleep(100)
            cluster.revoke_tokens()
            cluster.inject(path="/v1/users", no_route=True, times=None)
            await asyncio.sleep(200)
            cluster.heal()

            assert (await task).status == "completed"

    async def test_outage_of_tokens(self, cluster: FakeCluster) -> None:
        """If no token can be had, that is an outage."""
        uid = cluster.add_action(plan=Plan(duration=400))
        async with self.of(cluster) as client:
            task = asyncio.create_task(client.wait_for_action(uid))
            await asyncio.sleep(100)
            cluster.inject(path="/v1/users", status=503, times=None)
            await asyncio.sleep(250)
            cluster.heal()

            assert (await task).status == "completed"
        assert 401 not in {seen.status for seen in cluster.requests}

    async def test_failover(self) -> None:
        """Tokens are requested from any node that answers."""
        async with FakeCluster(nodes=3) as cluster:
            uid = cluster.add_action(plan=Plan(duration=1200))
            async with self.of(cluster) as client:
                task = asyncio.create_task(client.wait_for_action(uid, outage_timeout=5))
                for node in (1, 2, 3, 1):
                    await asyncio.sleep(200)
                    await cluster.restart_node(node, downtime=100)

                assert (await task).status == "completed"
            posted = {seen.node for seen in cluster.requests if seen.method == "POST"}
        assert len(posted) > 1

    async def test_token_of_caller(self, cluster: FakeCluster) -> None:
        """A refused token that the user gave is not replaced."""
        token = await token_of(cluster)
        uid = cluster.add_action(plan=Plan(duration=1))
        async with ActionsClient(cluster.url, token=token) as client:
            await client.wait_for_action(uid)
            cluster.revoke_tokens()
            cluster.requests.clear()
            with pytest.raises(AuthenticationError, match="Check the token"):
                await client.get_action(uid)

        assert len(cluster.requests) == 1

    @pytest.mark.parametrize("waits", [1, 3])
    async def test_function(self, cluster: FakeCluster, waits: int) -> None:
        """A network error of a token function is an outage; its other errors are raised."""
        errors: list[Exception] = [ConnectionResetError("vault is away"), TimeoutError()]

        def token() -> str:
            raise errors.pop(0) if errors else ZeroDivisionError

        async with ActionsClient(cluster.url, token=token) as client:
            tasks = [asyncio.create_task(client.wait_for_action(f"x{n}")) for n in range(waits)]
            results = await asyncio.gather(*tasks, return_exceptions=True)

        assert {type(result) for result in results} == {ZeroDivisionError}
        assert errors == []
        assert cluster.requests == []

    @pytest.mark.parametrize("status", [400, 401, 403, 503])
    async def test_echo(self, cluster: FakeCluster, status: int) -> None:
        """Errors do not repeat the description of a refused password, only the error code."""
        header = base64.b64encode(f"{cluster.username}:{cluster.password}".encode()).decode()
        body = {"error_code": "refused_it", "description": f"you sent {header}"}
        cluster.inject(times=None, path="/v1/users", status=status, body=json.dumps(body))
        async with self.of(cluster) as client:
            with pytest.raises(RequestError, match="refused_it") as caught:
                await client.wait_for_action("x", outage_timeout=3)

        assert header not in f"{caught.value} {caught.value.__cause__}"

    async def test_function_fails_late(self, cluster: FakeCluster) -> None:
        """A token that is still valid is used while its function fails."""
        granted = await token_of(cluster, ttl=100)
        tokens: list[str | Exception] = [granted, ConnectionRefusedError("vault"), granted]

        def token() -> str:
            came = tokens.pop(0) if len(tokens) > 1 else granted
            if isinstance(came, Exception):
                raise came
            return came

        uid = cluster.add_action(plan=Plan(duration=85))
        async with ActionsClient(cluster.url, token=token) as client:
            await client.wait_for_action(uid, outage_timeout=0)
        assert {seen.status for seen in cluster.requests if seen.method == "GET"} == {200}

    async def test_queued_for_a_failing_token(self, cluster: FakeCluster) -> None:
        """Calls that queue for a token share its failure."""
        cluster.inject(times=None, path="/v1/users", delay=3600)
        async with self.of(cluster, request_timeout=4) as client:
            began = now()
            calls = (client.get_action(f"x{number}") for number in range(20))
            results = await asyncio.gather(*calls, return_exceptions=True)

        assert {type(result) for result in results} == {ClusterUnreachable}
        assert now() - began < 20

    async def test_function_is_away(self, cluster: FakeCluster) -> None:
        """If a token function fails for as long as the budget, the error names the function."""

        def token() -> str:
            raise ConnectionResetError("vault is away")

        async with ActionsClient(cluster.url, token=token) as client:
            with pytest.raises(ClusterUnreachable, match="token= failed: vault is away") as out:
                await client.wait_for_action("x", outage_timeout=20)
        assert isinstance(out.value.__cause__, ClusterUnreachable)
        assert out.value.__cause__.sent is False


class TestCertificates:
    """Certificates of the cluster and of the client."""

    def of(self, cluster: FakeCluster, **options: object) -> ActionsClient:
        """Return a client with these options."""
        settings = {"username": cluster.username, "password": cluster.password} | options
        return ActionsClient(cluster.urls, **settings)  # type: ignore[arg-type]

    async def test_fingerprint(self) -> None:
        """A pinned self-signed certificate is accepted on every node."""
        async with FakeCluster(tls="self-signed", nodes=2) as cluster:
            uid = cluster.add_action(plan=Plan(duration=60))
            async with self.of(cluster, fingerprint=cluster.fingerprint) as client:
                task = asyncio.create_task(client.wait_for_action(uid))
                await asyncio.sleep(20)
                await cluster.stop_node(1)

                assert (await task).status == "completed"
            assert {seen.node for seen in cluster.requests} == {1, 2}

    @pytest.mark.parametrize("waits", [1, 3])
    async def test_other_certificate(self, waits: int) -> None:
        """Any other certificate ends the waits before a request, and the error shows it."""
        async with FakeCluster(tls="own-ca") as cluster:
            async with self.of(cluster, fingerprint="AB:" * 31 + "CD") as client:
                tasks = [asyncio.create_task(client.wait_for_action(f"x{n}")) for n in range(waits)]
                results = await asyncio.gather(*tasks, return_exceptions=True)

            for result in results:
                assert isinstance(result, UntrustedCertificate)
                assert result.fingerprint == cluster.fingerprint
                assert f"its fingerprint is {cluster.fingerprint}" in str(result)
            assert cluster.requests == []

    async def test_session_pins(self) -> None:
        """In a session of the user, only the pinned certificate is accepted, too."""
        async with FakeCluster(tls="self-signed") as cluster, aiohttp.ClientSession() as session:
            uid = cluster.add_action(plan=Plan(duration=1))
            for fingerprint, requests in (("AB" * 32, 0), (cluster.fingerprint, 1)):
                client = self.of(cluster, fingerprint=fingerprint, session=session)
                with contextlib.suppress(UntrustedCertificate):
                    await client.get_action(uid)
                await client.aclose()
                assert len(cluster.requests) == requests

    async def test_no_trust(self) -> None:
        """An untrusted certificate ends a wait at once, with advice."""
        async with FakeCluster(tls="self-signed") as cluster:
            began = now()
            async with self.of(cluster) as client:
                with pytest.raises(UntrustedCertificate, match=r"ca_cert=.*or pin it with finger"):
                    await client.wait_for_action("x")

            assert now() - began < 1
            assert cluster.requests == []

    async def test_ca_cert(self, tmp_path: Path) -> None:
        """A certificate that the CA file vouches for is accepted, also after a restart."""
        async with FakeCluster(tls="own-ca") as cluster:
            (tmp_path / "ca.pem").write_text(cluster.ca_pem)
            uid = cluster.add_action(plan=Plan(duration=60))
            async with self.of(cluster, ca_cert=tmp_path / "ca.pem") as client:
                task = asyncio.create_task(client.wait_for_action(uid))
                await asyncio.sleep(20)
                await cluster.restart_node(1, downtime=20)

                assert (await task).status == "completed"

    @pytest.mark.parametrize("pinned", [True, False])
    async def test_client_certificate(self, tmp_path: Path, pinned: bool) -> None:
        """A client certificate needs no password, and a pinned server no CA file."""
        async with FakeCluster(tls="own-ca", client_certificate=True) as cluster:
            (tmp_path / "ca.pem").write_text(cluster.ca_pem)
            (tmp_path / "client.pem").write_text(cluster.client_pem)
            trust = (
                {"fingerprint": cluster.fingerprint} if pinned else {"ca_cert": tmp_path / "ca.pem"}
            )
            uid = cluster.add_action(plan=Plan(duration=60))
            async with ActionsClient(
                cluster.url,
                client_cert=tmp_path / "client.pem",
                **trust,  # type: ignore[arg-type]
            ) as client:
                assert (await client.wait_for_action(uid)).status == "completed"

    async def test_pinned_and_client_certificate(self, tmp_path: Path) -> None:
        """With a client certificate, a server that is not the pinned one is refused, too."""
        async with FakeCluster(tls="own-ca", client_certificate=True) as cluster:
            (tmp_path / "client.pem").write_text(cluster.client_pem)
            async with ActionsClient(
                cluster.url, client_cert=tmp_path / "client.pem", fingerprint="AB" * 32
            ) as client:
                with pytest.raises(UntrustedCertificate, match="not the pinned one"):
                    await client.get_action("x")

            assert cluster.requests == []

    async def test_no_client_certificate(self) -> None:
        """A TLS alert that asks for a client certificate ends a wait at once."""
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # The server of asyncio sends no TLS alert.
            received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(received, to_send, server_side=True)
            while data := await reader.read(65536):
                received.write(data)
                with contextlib.suppress(ssl.SSLError):
                    tls.do_handshake()
                writer.write(to_send.read())
            writer.close()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            began = now()
            async with ActionsClient(url, verify=False) as client:
                with pytest.raises(ClientCertificateRefused, match="client_cert=") as caught:
                    await client.wait_for_action("x")

        assert "CERTIFICATE_REQUIRED" in caught.value.reason
        assert caught.value.nodes == (url,)
        assert now() - began < 1

    async def test_closed_handshake(self, tmp_path: Path) -> None:
        """A server that closes the handshake without an alert is an outage."""
        async with FakeCluster(tls="own-ca", client_certificate=True) as cluster:
            (tmp_path / "ca.pem").write_text(cluster.ca_pem)
            async with self.of(cluster, ca_cert=tmp_path / "ca.pem") as client:
                with pytest.raises(ClusterUnreachable) as caught:
                    await client.wait_for_action("x", outage_timeout=5)

            assert type(caught.value) is ClusterUnreachable
            assert "object at 0x" not in str(caught.value)
            assert cluster.requests == []

    async def test_session(self, tmp_path: Path) -> None:
        """A session of the user cannot have a pinned and a client certificate at once."""
        async with FakeCluster(tls="own-ca", client_certificate=True) as cluster:
            (tmp_path / "client.pem").write_text(cluster.client_pem)
            async with aiohttp.ClientSession() as session:
                with pytest.raises(UsageError, match="session= cannot be combined with both"):
                    ActionsClient(
                        cluster.url,
                        client_cert=tmp_path / "client.pem",
                        fingerprint=cluster.fingerprint,
                        session=session,
                    )

    @pytest.mark.parametrize("place", PLACES)
    async def test_handshake_cut_short(self, place: str) -> None:
        """A handshake that is cut short is an outage, not an untrusted certificate."""
        async with FakeCluster(tls="self-signed") as cluster:
            uid = cluster.add_action(plan=Plan(duration=ENDS_AT))
            async with self.of(cluster, fingerprint=cluster.fingerprint) as client:
                task = asyncio.create_task(client.wait_for_action(uid, outage_timeout=60))
                await asyncio.sleep(PLACES[place])
                async with cut_short(cluster, Names()):
                    await asyncio.sleep(LASTS)

                assert (await task).status == "completed"
