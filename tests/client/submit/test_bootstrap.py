"""Tests of bootstraps: calls that begin one, and waits for one, against installed nodes."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    ActionStalled,
    ActionVanished,
    AnswerLost,
    AuthenticationError,
    CancelNotSupported,
    ClusterUnreachable,
    Evidence,
    Phase,
    RequestRejected,
    UntrustedCertificate,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions._client.pacing.schedules import every
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.client.http.node_servers import Node, serving
from tests.conftest import examples, virtual_loop
from tests.recorder import RecordingServer


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket, pytest.mark.core]

USER: Final = "ops@example.com"
PASSWORD: Final = "new-cluster-password"
CREDENTIALS: Final = {"username": USER, "password": PASSWORD}
CREATE: Final[dict[str, Any]] = {
    "cluster": {"nodes": [], "name": "c.example.com"},
    "credentials": CREDENTIALS,
}
JOIN: Final[dict[str, Any]] = {"cluster": {"nodes": ["10.0.0.1"]}, "credentials": CREDENTIALS}


def loop_time() -> float:
    """Return the time of the event loop."""
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def machines(
    nodes: int = 1,
    **options: Any,  # noqa: ANN401 - of a client
) -> AsyncIterator[tuple[FakeCluster, ActionsClient]]:
    """Return installed nodes, and a client with the credentials that the cluster will have."""
    async with FakeCluster(nodes=nodes, bootstrapped=False) as cluster:
        given = {"username": USER, "password": PASSWORD} | options
        async with ActionsClient(list(cluster.urls), **given) as client:
            yield cluster, client


def host(client: ActionsClient, node: int) -> str:
    """Return the name of a node of the client."""
    return client.urls[node - 1].removeprefix("http://")


class TestFirstDatabase:
    """Creation of a database right after a bootstrap, which some releases refuse for a while."""

    @staticmethod
    async def bootstrapped(cluster: FakeCluster, client: ActionsClient) -> None:
        """Create the cluster, which is not ready for a database for 15 s."""
        cluster.plan_bootstrap(1, settles=15.0)
        await (await client.cluster.create(CREATE)).wait()

    async def test_refused(self) -> None:
        """Without `busy_timeout`, the refusal is raised."""
        async with machines() as (cluster, client):
            await self.bootstrapped(cluster, client)
            with pytest.raises(RequestRejected, match="invalid_version") as caught:
                await client.databases.create({"name": "cache", "memory_size": 2**30})

            assert caught.value.status == 406

    async def test_repeated(self) -> None:
        """With `busy_timeout`, the call is repeated until the cluster is ready."""
        async with machines() as (cluster, client):
            await self.bootstrapped(cluster, client)
            config = {"name": "cache", "memory_size": 2**30}
            creation = await client.databases.create(config, busy_timeout=60)
            await creation.wait(until="available")
            database = await creation.result()

            assert (database.name, list(cluster.bdbs)) == ("cache", [1])

    async def test_other_call(self) -> None:
        """The same refusal of another call is final."""
        async with machines() as (cluster, client):
            await self.bootstrapped(cluster, client)
            cluster.inject(
                method="PUT", status=406, body='{"error_code": "invalid_version"}', times=None
            )
            cluster.add_bdb(1)
            with pytest.raises(RequestRejected, match="invalid_version"):
                await client.databases.update(1, {"memory_size": 5}, busy_timeout=60)


class TestCreate:
    """Clusters that are created."""

    async def test_completed(self) -> None:
        """The operation has the node's reference, and ends when the node says so."""
        async with machines() as (cluster, client):
            operation = await client.cluster.create(CREATE)
            began = loop_time()
            done = await operation.wait()

            assert operation.ref == "bootstrap@after,idle"
            assert (done.phase, done.uid, done.node_uid) == (Phase.COMPLETED, "bootstrap", "1")
            assert cluster.bootstrap_state(1) == "completed"
            assert 20 <= loop_time() - began < 24

    async def test_credentials(self) -> None:
        """No request has the credentials before the node demands them, and each one after that."""
        async with machines() as (cluster, client):
            cluster.plan_bootstrap(1, duration=60, demands_credentials_at=0.5)
            await client.wait_for("bootstrap@idle")
            operation = await client.cluster.create(CREATE)
            began = loop_time()
            await operation.wait()

            refused = [seen for seen in cluster.requests if not seen.has_credentials]
            sent = [seen for seen in cluster.requests if seen.has_credentials]
            assert {seen.method for seen in sent} == {"GET"}
            assert len([seen for seen in refused if seen.time >= began + 30]) == 1
            assert min(seen.time for seen in sent) >= began + 30

    @pytest.mark.parametrize("action", ["create", "recover"])
    async def test_body(self, action: str) -> None:
        """The action is added to the body, and the call is made once."""
        async with machines() as (cluster, client):
            operation = await getattr(client.cluster, action)(CREATE)
            await operation.wait()

            calls = [seen for seen in cluster.requests if seen.method == "POST"]
            assert [(seen.path, seen.has_credentials) for seen in calls] == [
                (f"/v1/bootstrap/{action}_cluster", False)
            ]

    async def test_submit(self) -> None:
        """`submit` follows a bootstrap, too."""
        async with machines() as (_, client):
            body = CREATE | {"action": "create_cluster"}
            operation = await client.submit("POST", "/v1/bootstrap/create_cluster", body)

            assert (await operation).status == "completed"

    async def test_joins(self) -> None:
        """Several nodes join at once: each is asked for itself, and only the new ones."""
        async with machines(3) as (cluster, client):
            creation = await client.cluster.create(CREATE)
            await creation.wait()
            assert creation.ref == f"bootstrap:{host(client, 1)}@after,idle"
            joins = [await client.cluster.join(JOIN, node=host(client, node)) for node in (2, 3)]
            before = len(cluster.requests)
            ended = await client.wait_for(*joins)

            assert [done.node_uid for done in ended] == ["2", "3"]
            assert [join.ref for join in joins] == [
                f"bootstrap:{host(client, node)}@after,idle" for node in (2, 3)
            ]
            assert {seen.node for seen in cluster.requests[before:]} == {2, 3}
            repeated = 2  # with credentials, once for each node
            polls = len(cluster.requests) - before - repeated
            assert sum(done.record.polls for done in ended) == polls

    async def test_jwt(self) -> None:
        """A token is asked for once the node demands one, and at that node."""
        async with machines(auth="jwt") as (cluster, client):
            operation = await client.cluster.create(CREATE)
            began = loop_time()
            await operation.wait()

            first = next(s for s in cluster.requests if s.path == "/v1/users/authorize")
            assert first.time >= began + 10


class TestRefused:
    """Calls that the node refuses."""

    async def test_in_progress(self) -> None:
        """A second bootstrap is rejected while the first one is in progress."""
        async with machines() as (_, client):
            await client.cluster.create(CREATE)
            with pytest.raises(RequestRejected) as caught:
                await client.cluster.create(CREATE)

            assert caught.value.status == 409
            assert PASSWORD not in str(caught.value)

    async def test_member(self) -> None:
        """A node of a cluster demands credentials, which the call does not send."""
        async with machines() as (cluster, client):
            await (await client.cluster.create(CREATE)).wait()
            with pytest.raises(AuthenticationError, match="part of a cluster already"):
                await client.cluster.create(CREATE)

            calls = [seen for seen in cluster.requests if seen.method == "POST"]
            assert not any(seen.has_credentials for seen in calls)

    async def test_invalid(self) -> None:
        """A body that the node does not accept is rejected, without its secrets."""
        async with machines() as (_, client):
            with pytest.raises(RequestRejected) as caught:
                await client.cluster.join({"cluster": {}, "credentials": CREDENTIALS})

            assert caught.value.status == 400

    async def test_no_route(self) -> None:
        """The API's 404 rejects the call; after another server's, the call is sent again."""
        async with machines() as (cluster, client):
            body = '{"error_code": "no_route"}'
            cluster.inject(method="POST", status=404, body=body)
            with pytest.raises(RequestRejected) as rejected:
                await client.cluster.create(CREATE)
            assert cluster.bootstrap_state(1) == "idle"
            cluster.inject(method="POST", status=404, body="<html>")
            await client.cluster.create(CREATE)

            assert (rejected.value.status, rejected.value.error_code) == (404, "no_route")
            assert cluster.bootstrap_state(1) == "initiated"

    @pytest.mark.parametrize(
        ("node", "problem"),
        [("n9", "none of"), ("127.0.0.1", "several of"), ("", "empty"), (3, "host of one")],
    )
    async def test_node(self, node: Any, problem: str) -> None:  # noqa: ANN401 - no text
        """A node is one of the client's; the error names its URLs, and nothing is sent."""
        async with machines(2) as (cluster, client):
            with pytest.raises(UsageError, match=problem):
                await client.cluster.create(CREATE, node=node)
            assert cluster.requests == []

    async def test_unknown_reference(self) -> None:
        """A reference with the host of another cluster ends the wait as wrong usage."""
        async with machines() as (_, client):
            with pytest.raises(UsageError, match=client.urls[0]):
                await client.wait_for("bootstrap:n9")


class TestUnknownBefore:
    """Calls to a node whose state before is not known, or whose clock is not."""

    async def test_hidden(self) -> None:
        """A node that does not show its state may take the call all the same."""
        answers = [(403, "{}"), answer("idle"), answer("creating_cluster"), answer("completed")]
        async with RecordingServer(GET=answers) as server, server.client() as client:
            operation = await client.cluster.create(CREATE)

            assert operation.ref == "bootstrap@after"
            assert (await operation.wait()).status == "completed"

    async def test_no_date(self) -> None:
        """Without a date in its answers, any time at which a bootstrap began is taken for its."""
        bodies = [answer("idle")[1], answer("")[1], began("completed", 5)[1]]
        lines = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}"

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            body = bodies.pop(0)
            writer.write(lines.format(len(body), body).encode())
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with ActionsClient(f"http://127.0.0.1:{port}") as client:
                operation = await client.cluster.create({})

                assert (await operation.wait()).status == "completed"


class TestErrors:
    """Bootstraps that fail."""

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            ("config_error", "the bootstrap configuration is wrong"),
            ("connect_error", "failed to connect to the cluster"),
            ("access_denied", "invalid credentials"),
            ("invalid_license", "the license is invalid; violation: license_expired"),
            ("repair_required", "failed nodes: 2 (rack rack-2), 3; the node to replace is 2"),
            ("insufficient_node_memory", "required memory: 32 GiB"),
            ("insufficient_node_flash", "required flash: 512 GiB"),
            ("volcano", "the bootstrap failed"),
        ],
    )
    async def test_codes(self, code: str, words: str) -> None:
        """An error is a failure with its code, and its details in words; none is sent a secret."""
        async with machines() as (cluster, client):
            cluster.plan_bootstrap(1, error_code=code)
            operation = await client.cluster.create(CREATE)
            with pytest.raises(ActionFailed) as caught:
                await operation.wait()

            assert caught.value.error_code == code
            assert words in (caught.value.error or "")
            assert f"{code}: " in str(caught.value)
            assert not any(seen.has_credentials for seen in cluster.requests)

    async def test_old_error(self) -> None:
        """The error of the bootstrap before is not taken for that of the call."""
        async with machines() as (cluster, client):
            cluster.plan_bootstrap(1, error_code="config_error")
            cluster.plan_bootstrap(1)
            with pytest.raises(ActionFailed):
                await (await client.cluster.create(CREATE)).wait()
            operation = await client.cluster.create(CREATE)
            done = await operation.wait()

            assert (operation.ref or "").startswith("bootstrap@after,error,")
            assert done.phase is Phase.COMPLETED

    async def test_error_stays(self) -> None:
        """An error that stays after the call counts once the new one would have been seen."""
        async with machines() as (cluster, client):
            cluster.plan_bootstrap(1, error_code="config_error")
            with pytest.raises(ActionFailed):
                await (await client.cluster.create(CREATE)).wait()
            cluster.inject(method="POST", status=200)  # the node does nothing
            operation, began = await client.cluster.create(CREATE), loop_time()
            with pytest.raises(ActionFailed) as caught:
                await operation.wait()

            assert loop_time() - began >= 10
            assert caught.value.action is not None
            assert caught.value.action.evidence is Evidence.SAME_RESULT


class TestSecrets:
    """Secrets in the body of a call."""

    BODY: Final[dict[str, Any]] = {
        "cluster": {"name": "c.example.com"},
        "credentials": {"username": USER, "password": 20261201},
        "license": "----- LICENSE START -----\nblob",
    }

    @pytest.mark.parametrize("path", ["validate/create_cluster", "validate/join_cluster"])
    async def test_validation(self, path: str) -> None:
        """The check of a configuration goes to the one node, without the client's credentials."""
        async with (
            RecordingServer() as away,
            RecordingServer() as other,
            ActionsClient([away.url, other.url], username=USER, password=PASSWORD) as client,
        ):
            operation = await client.submit("POST", f"/v1/bootstrap/{path}", self.BODY)
            await away.__aexit__(None, None, None)
            with pytest.raises(ClusterUnreachable):
                await client.submit("POST", f"/v1/bootstrap/{path}", self.BODY, outage_timeout=5)

            assert (operation.ref, operation.done, other.calls) == (None, True, [])
            assert [call.line for call in away.calls] == [f"POST /v1/bootstrap/{path}"]
            assert "Authorization" not in away.calls[0].headers

    async def test_other_method(self) -> None:
        """No call about a bootstrap has credentials."""
        async with RecordingServer() as server, server.client() as client:
            await client.submit("PUT", "/v1/bootstrap/create_cluster", self.BODY)

            assert "Authorization" not in server.calls[0].headers

    async def test_refused_call(self) -> None:
        """The error of a refused call has neither the license nor a number that is a password."""
        words = "user 20261201 with ----- LICENSE START -----\nblob"
        refusal = (400, json.dumps({"error_code": "bad", "description": words}))
        async with (
            RecordingServer(GET=[answer("idle")], POST=[refusal]) as server,
            server.client() as client,
        ):
            with pytest.raises(RequestRejected) as caught:
                await client.cluster.create(self.BODY)

        assert caught.value.description == "user *** with ***"

    async def test_failed(self) -> None:
        """What a failed bootstrap says is shown without the secrets that began it."""
        details = {"message": f"{USER}/{PASSWORD} was refused"}
        status = {"state": "error", "error_code": "access_denied", "error_details": details}
        failed = (200, json.dumps({"bootstrap_status": status}))
        odd = answer(f"trying_{PASSWORD}")
        async with (
            RecordingServer(GET=[answer("idle"), odd, failed]) as server,
            server.client() as client,
        ):
            seen = list[str]()
            operation = await client.cluster.create(CREATE)
            with pytest.raises(ActionFailed) as caught:
                await operation.wait(on_progress=lambda action: seen.append(action.status))

        assert caught.value.error == "***/*** was refused"
        assert caught.value.error_code == "access_denied"
        assert seen[0] == "trying_***"
        assert PASSWORD not in str(caught.value) + repr(caught.value.action)


class TestLostAnswers:
    """Calls whose answer is lost."""

    async def test_begun(self) -> None:
        """A bootstrap that the node shows is followed, and the call is not repeated."""
        async with machines() as (cluster, client):
            cluster.inject(method="POST", lose=True)
            operation = await client.cluster.create(CREATE)
            await operation.wait()

            assert [seen.method for seen in cluster.requests].count("POST") == 1

    @pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"status": 502}])
    async def test_not_begun(self, fault: dict[str, Any]) -> None:
        """A call that the node may yet execute is not repeated: the error has its reference."""
        async with machines() as (cluster, client):
            cluster.inject(method="POST", **fault)
            with pytest.raises(AnswerLost) as caught:
                await client.cluster.create(CREATE)
            ref = caught.value.ref or ""
            with pytest.raises(ActionNotFound, match="may not have executed"):
                await client.wait_for(ref)

            assert ref == "bootstrap@lost,idle"
            assert f"redis-actions wait {ref}" in str(caught.value)
            assert [seen.method for seen in cluster.requests].count("POST") == 1

    async def test_unreadable(self) -> None:
        """A call whose answer cannot be read may not have begun."""
        async with (
            RecordingServer(GET=[answer("idle")], POST=[(200, "<html>")]) as server,
            server.client() as client,
        ):
            operation = await client.cluster.create(CREATE)
            with pytest.raises(ActionNotFound, match="the node may not have executed the call"):
                await operation.wait()

        assert operation.ref == "bootstrap@lost,idle"

    async def test_old_error(self) -> None:
        """The error of the bootstrap before does not show that a lost call has begun."""
        async with machines() as (cluster, client):
            cluster.plan_bootstrap(1, error_code="config_error")
            with pytest.raises(ActionFailed):
                await (await client.cluster.create(CREATE)).wait()
            cluster.inject(method="POST", drop=True)
            with pytest.raises(AnswerLost) as caught:
                await client.cluster.create(CREATE)
            with pytest.raises(ActionNotFound):
                await client.wait_for(caught.value.ref or "")

    async def test_refused_connection(self) -> None:
        """A call that no node has received is sent again."""
        async with machines() as (cluster, client):
            await client.wait_for("bootstrap@idle")
            asyncio.get_running_loop().call_later(5, asyncio.ensure_future, cluster.stop_node(1))
            await asyncio.sleep(6)
            restart = asyncio.create_task(_later(9, cluster.start_node(1)))
            operation = await client.cluster.create(CREATE)
            await restart

            assert (await operation).phase is Phase.COMPLETED


async def _later(seconds: float, awaitable: Any) -> None:  # noqa: ANN401 - any awaitable
    await asyncio.sleep(seconds)
    await awaitable


class TestIdle:
    """Nodes on which no bootstrap has begun."""

    async def test_condition(self) -> None:
        """`bootstrap@idle` waits for a node that is still being installed."""
        async with machines() as (cluster, client):
            await cluster.stop_node(1)
            installed = asyncio.create_task(_later(1000, cluster.start_node(1)))
            done = await client.wait_for("bootstrap@idle", outage_timeout="1h")
            await installed

            assert (done[0].phase, done[0].status) == (Phase.COMPLETED, "idle")
            assert 1000 <= loop_time() < 1032

    async def test_never_installed(self) -> None:
        """A node that never answers ends the wait by the outage's limit, not by ten seconds."""
        async with machines() as (cluster, client):
            await cluster.stop_node(1)
            began = loop_time()
            with pytest.raises(ClusterUnreachable, match=host(client, 1)):
                await client.wait_for("bootstrap@idle")

            assert 300 <= loop_time() - began < 303

    async def test_has_begun(self) -> None:
        """A node that has begun, or has failed, is not idle: the finding has its state."""
        async with machines() as (cluster, client):
            cluster.plan_bootstrap(1, error_code="config_error")
            await client.cluster.create(CREATE)
            with pytest.raises(WaitTimeout) as caught:
                await client.wait_for("bootstrap@idle", timeout=30)

            assert caught.value.action is not None
            assert caught.value.action.state == "its bootstrap is in the state error"

    async def test_too_long(self) -> None:
        """A wait for a bootstrap that nobody starts says so, and how to wait longer."""
        async with machines() as (_, client):
            with pytest.raises(ActionNotFound, match=r"no bootstrap has begun after 10s.*grace"):
                await client.cluster.wait_bootstrap()

            assert loop_time() < 12

    async def test_begins_later(self) -> None:
        """A wait may begin before the bootstrap does."""
        async with machines() as (_, client):
            waiting = asyncio.create_task(client.cluster.wait_bootstrap(not_found_grace="5m"))
            await asyncio.sleep(100)
            await client.cluster.create(CREATE)

            assert (await waiting).phase is Phase.COMPLETED

    async def test_get(self) -> None:
        """One look at an idle node shows its state."""
        async with machines() as (_, client):
            found = await client.get("bootstrap")

        assert (found.status, found.phase) == ("idle", Phase.PENDING)

    async def test_accepted(self) -> None:
        """A node that accepts the call and stays idle is said to show no bootstrap."""
        async with machines() as (cluster, client):
            cluster.inject(method="POST", status=200)
            operation = await client.cluster.create(CREATE)
            with pytest.raises(
                ActionNotFound, match="accepted the call, and shows none; wait longer"
            ):
                await operation.wait()


class TestOutages:
    """Nodes that go away in the middle."""

    @pytest.mark.parametrize("downtime", [(0.4, 60.0), (0.4, 60.0, 502), (0.6, 60.0, 503)])
    async def test_restart(self, downtime: Any) -> None:  # noqa: ANN401 - a tuple
        """A restart of the node's services is an outage: the wait goes on after it."""
        async with machines() as (cluster, client):
            cluster.plan_bootstrap(1, duration=30, downtime=[downtime])
            operation = await client.cluster.create(CREATE)
            done = await operation.wait()

            assert done.phase is Phase.COMPLETED
            assert [outage.ended is not None for outage in done.record.outages] == [True]

    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 503, "body": "<html>maintenance</html>"},
            {"status": 200, "body": "<html>welcome</html>"},
            {"status": 200, "body": '{"bootstrap_status": {}}'},
            {"status": 307, "headers": {"Location": "https://10.0.0.1:9443/v1/bootstrap"}},
            {"status": 404, "body": "<html>no such page</html>"},
        ],
        ids=["page", "other server", "no state", "redirect", "other 404"],
    )
    async def test_unusable(self, fault: dict[str, Any]) -> None:
        """Answers that tell nothing are an outage, and no message quotes them."""
        async with machines() as (cluster, client):
            operation = await client.cluster.create(CREATE)
            cluster.inject(times=3, method="GET", **fault)
            done = await operation.wait()

            assert done.phase is Phase.COMPLETED
            assert len(done.record.outages) == 1

    async def test_alone(self) -> None:
        """A node that never comes back ends its own wait only, although the others answer."""
        async with machines(3) as (cluster, client):
            for node in (1, 2, 3):
                cluster.plan_bootstrap(node, duration=1000)
            await client.cluster.create(CREATE, node=host(client, 1))
            await cluster.stop_node(2)
            await cluster.stop_node(3)
            refs = [f"bootstrap:{host(client, node)}" for node in (1, 2, 3)]
            ended = await client.wait_for(*refs, settle=True)

            assert [type(each).__name__ for each in ended] == [
                "FinishedAction", "ClusterUnreachable", "ClusterUnreachable"
            ]  # fmt: skip
            assert all(300 <= each.elapsed < 303 for each in ended[1:])  # type: ignore[union-attr, operator]

    @pytest.mark.parametrize("request_timeout", [5, 30])
    @pytest.mark.parametrize("hanging", [1, 2])
    async def test_hanging(self, request_timeout: float, hanging: int) -> None:
        """Nodes that accept connections and never answer delay the others by some seconds only."""
        silent = [Node(behaviour="hangs") for _ in range(hanging)]
        async with machines() as (cluster, starter), serving(*silent) as away:
            urls = [*away, cluster.url]
            cluster.plan_bootstrap(1, duration=600, demands_credentials_at=1)
            await starter.cluster.create(CREATE)
            began = loop_time()
            async with ActionsClient(
                urls, username=USER, password=PASSWORD, request_timeout=request_timeout
            ) as client:
                waits = [
                    asyncio.create_task(
                        client.cluster.wait_bootstrap(
                            node=each.removeprefix("http://"), outage_timeout="1h"
                        )
                    )
                    for each in away
                ]
                await client.cluster.wait_bootstrap(node=host(starter, 1), poll=every(5))
                for wait in waits:
                    wait.cancel()
                await asyncio.gather(*waits, return_exceptions=True)

            assert loop_time() - began < 600 + 15

    async def test_others(self) -> None:
        """Nodes that do not answer delay no other, and are no outage of it."""
        async with machines(3) as (cluster, client):
            cluster.plan_bootstrap(1, duration=100)
            await client.cluster.create(CREATE, node=host(client, 1))
            await cluster.stop_node(2)
            await cluster.stop_node(3)
            refs = [f"bootstrap:{host(client, node)}" for node in (1, 2, 3)]
            done, *_ = await client.wait_for(*refs, settle=True, poll=every(2), outage_timeout=300)

            assert done.record is not None
            assert done.record.outages == ()
            assert 100 <= done.record.elapsed <= 103

    async def test_outage_of_the_cluster(self, caplog: pytest.LogCaptureFixture) -> None:
        """A node that answers about its bootstrap does not end the outage of the cluster."""
        async with FakeCluster() as cluster:
            account = {"username": cluster.username, "password": cluster.password}
            async with ActionsClient(cluster.url, **account) as client:
                uid = cluster.add_action("retry_bdb", Plan(duration=1000))
                await client.get_action(uid)
                cluster.inject(path="/v1/actions", status=503, times=None)
                idle = asyncio.create_task(client.wait_for("bootstrap@idle", timeout=90))
                with pytest.raises(ClusterUnreachable) as caught:
                    await client.wait_for_action(uid, outage_timeout=60, poll=every(1))
                with pytest.raises(WaitTimeout):
                    await idle

        assert caught.value.elapsed is not None
        assert 60 <= caught.value.elapsed < 63
        messages = [record.getMessage() for record in caplog.records]
        assert not any("answers again" in each or "other actions" in each for each in messages)

    async def test_advice(self, caplog: pytest.LogCaptureFixture) -> None:
        """A node that was never reached is reported after ten seconds, with what to do about it."""
        async with machines() as (cluster, client):
            await cluster.stop_node(1)
            with pytest.raises(WaitTimeout):
                await client.wait_for("bootstrap", timeout=30)

            messages = [record.getMessage() for record in caplog.records]
            assert any("not been reached yet" in each and "port" in each for each in messages)
            assert not any("other actions" in each for each in messages)


class TestCredentials:
    """Credentials that the node does not accept."""

    @pytest.mark.parametrize("options", [{"password": "wrong-password"}, {"auth": "jwt"}])
    async def test_wrong(self, options: dict[str, Any]) -> None:
        """Wrong credentials end the wait ten seconds after they are demanded."""
        async with machines(**{"password": "wrong-password"} | options) as (_, client):
            operation = await client.cluster.create(CREATE)
            with pytest.raises(AuthenticationError, match="Check the user"):
                await operation.wait()

            assert loop_time() < 30

    async def test_none(self) -> None:
        """A client without credentials cannot see the end."""
        async with machines(username=None, password=None) as (_, client):
            operation = await client.cluster.create(CREATE)
            with pytest.raises(AuthenticationError, match="username="):
                await operation.wait()

    async def test_known_elsewhere(self) -> None:
        """Credentials that another node has accepted may not be known to this one yet."""
        async with machines(2) as (cluster, client):
            await (await client.cluster.create(CREATE)).wait()
            operation = await client.cluster.join(JOIN, node=host(client, 2))
            cluster.inject(times=4, method="GET", node=2, status=401)

            assert (await operation.wait()).phase is Phase.COMPLETED

    async def test_later(self) -> None:
        """A node whose services start may refuse right credentials for some seconds."""
        states: list[Any] = [answer("idle"), answer("creating_cluster"), *[(401, "")] * 4]
        answers = [*states, answer("completed")]
        async with RecordingServer(GET=answers) as server, server.client() as client:
            operation = await client.cluster.create(CREATE)

            assert (await operation.wait()).status == "completed"

    async def test_reset(self) -> None:
        """A node that was part of a cluster, and is idle now, is sent no credentials any more."""
        answers = [(401, ""), answer("completed"), *[answer("idle")] * 3]
        async with RecordingServer(GET=answers) as server, server.client() as client:
            await client.wait_for("bootstrap")
            await client.wait_for("bootstrap@idle")
            await client.wait_for("bootstrap@idle")

        sent = ["Authorization" in call.headers for call in server.calls]
        assert sent == [False, True, True, False]

    async def test_no_tokens(self) -> None:
        """A cluster that grants no tokens ends the wait at once."""
        answers: dict[str, Any] = {
            "GET": [answer("creating_cluster"), (401, "")],
            "POST": [(404, '{"error_code": "not_found"}')],
        }
        async with RecordingServer(**answers) as server, server.client(auth="jwt") as client:
            with pytest.raises(RequestRejected, match="grants no tokens: leave out auth"):
                await client.cluster.wait_bootstrap()

        assert loop_time() < 10

    async def test_changed(self) -> None:
        """Credentials that the node itself has accepted, and does not any more, are wrong."""
        async with machines() as (cluster, client):
            cluster.plan_bootstrap(1, duration=100, demands_credentials_at=0.1)
            operation = await client.cluster.create(CREATE)
            waiting = asyncio.create_task(operation.wait())
            await asyncio.sleep(60)
            cluster.password = "another-password"
            with pytest.raises(AuthenticationError):
                await waiting


class TestEnds:
    """Ends of waits other than the end of the bootstrap."""

    async def test_cancelled(self) -> None:
        """A wait that is cancelled leaves nothing behind, and the bootstrap goes on."""
        async with machines() as (cluster, client):
            before = asyncio.all_tasks()
            operation = await client.cluster.create(CREATE)
            waiting = asyncio.create_task(operation.wait())
            await asyncio.sleep(3)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            polls = len(cluster.requests)
            await asyncio.sleep(30)

            own = {task for task in asyncio.all_tasks() - before if "poll" in task.get_name()}
            assert own == set()
            assert len(cluster.requests) == polls
            assert cluster.bootstrap_state(1) == "completed"

    async def test_vanished(self) -> None:
        """A node that is idle again, after it was seen working, has lost the bootstrap."""
        states = [answer("initiated"), answer("idle")]
        async with RecordingServer(GET=states) as server, server.client() as client:
            with pytest.raises(ActionVanished):
                await client.cluster.wait_bootstrap()

    async def test_unknown_state(self) -> None:
        """A state that no page names is shown, and ends nothing."""
        states = [answer("polishing"), answer("polishing"), answer("completed")]
        async with RecordingServer(GET=states) as server, server.client() as client:
            seen: list[str] = []
            await client.cluster.wait_bootstrap(on_progress=lambda it: seen.append(it.status))

            assert seen == ["polishing", "completed"]

    async def test_stalled(self) -> None:
        """A bootstrap that stays in a state for too long has stalled."""
        async with machines() as (cluster, client):
            cluster.plan_bootstrap(1, stays="creating_cluster")
            operation = await client.cluster.create(CREATE)
            with pytest.raises(ActionStalled):
                await operation.wait(stall_timeout=60)

    async def test_no_route(self) -> None:
        """A node whose API does not know the route has begun no bootstrap."""
        async with RecordingServer() as server, server.client() as client:
            with pytest.raises(ActionNotFound):
                await client.cluster.wait_bootstrap()
            with pytest.raises(ActionNotFound):
                await client.get("bootstrap")

    async def test_forbidden(self) -> None:
        """An answer that no retry changes ends the wait, without the words of its body."""
        refusal = (403, '{"description": "hush"}')
        async with RecordingServer(GET=[refusal]) as server, server.client() as client:
            with pytest.raises(AuthenticationError) as caught:
                await client.cluster.wait_bootstrap()

        assert "hush" not in str(caught.value)

    async def test_cannot_cancel(self) -> None:
        """The API has no cancel for a bootstrap."""
        async with machines() as (_, client):
            with pytest.raises(CancelNotSupported):
                await client.operation("bootstrap").cancel()

    @pytest.mark.parametrize("pinned", [False, True])
    async def test_new_certificate(
        self,
        pinned: bool,
        tmp_path: Path,
    ) -> None:
        """A certificate that changes ends the wait; the error says that the bootstrap goes on."""
        async with FakeCluster(bootstrapped=False, tls="own-ca") as cluster:
            port = int(cluster.url.rpartition(":")[2])
            trust: dict[str, Any] = {"fingerprint": cluster.fingerprint}
            if not pinned:
                (tmp_path / "ca.pem").write_text(cluster.ca_pem)
                trust = {"ca_cert": tmp_path / "ca.pem"}
            url = cluster.url
            async with ActionsClient(url, **CREDENTIALS, **trust) as client:
                cluster.plan_bootstrap(1, duration=100)
                waiting = asyncio.create_task(
                    (await client.cluster.create(CREATE)).wait(poll=every(20))
                )
                await asyncio.sleep(30)
                await cluster.stop_node(1)
                async with FakeCluster(bootstrapped=False, tls="own-ca", port=port):
                    with pytest.raises(UntrustedCertificate, match="its bootstrap goes on"):
                        await waiting
                    with pytest.raises(UntrustedCertificate) as first:
                        await client.wait_for("bootstrap")

            assert first.value.hint is None


def answer(state: str) -> tuple[int, str]:
    """Return an answer with a state."""
    return 200, json.dumps({"bootstrap_status": {"state": state}})


def began(state: str, start_time: float, uid: str = "1") -> tuple[int, str]:
    """Return an answer with a state, and the time at which the bootstrap began."""
    status = {"state": state, "start_time": start_time}
    return 200, json.dumps({"bootstrap_status": status, "local_node_info": {"uid": uid}})


class TestOtherRuns:
    """Answers about a bootstrap that the call has not begun: they are never taken for its end."""

    @pytest.mark.parametrize(
        ("answers", "error"),
        [
            (
                [answer("idle"), began("creating_cluster", 1000), began("completed", 5)],
                ActionVanished,
            ),
            (
                [answer("idle"), began("joining_cluster", 100), began("completed", 900, "7")],
                ActionVanished,
            ),
            ([answer("idle"), began("completed", 5, "7")], ActionNotFound),
            (
                [began("completed", 100), answer("idle"), began("completed", 100)],
                ActionNotFound,
            ),
            ([began("completed", 100), began("completed", 100.4)], ActionNotFound),
        ],
    )
    async def test_not_taken(self, answers: list[Any], error: type[Exception]) -> None:
        """An older end, or one of another node, does not complete the call."""
        async with RecordingServer(GET=answers) as server, server.client() as client:
            operation = await client.cluster.create(CREATE)
            with pytest.raises(error):
                await operation.wait()

    @pytest.mark.parametrize("before", ["error", "idle"])
    async def test_same_second(self, before: str) -> None:
        """A bootstrap that begins within the second of the one before is followed to its end."""
        states = [before, "creating_cluster", "creating_cluster", "completed"]
        answers: list[Any] = [began(state, 100) for state in states]
        async with RecordingServer(GET=answers) as server, server.client() as client:
            operation = await client.cluster.create(CREATE)

            assert (await operation.wait()).status == "completed"


class TestTruth:
    """Bootstraps against the truth of the fake."""

    @settings(max_examples=examples(30))
    @given(
        duration=st.floats(0, 100),
        demanded=st.floats(0, 1),
        downtime=st.lists(
            st.tuples(st.floats(0, 1.2), st.floats(0, 60), st.sampled_from([502, 503])),
            max_size=2,
        ),
        error=st.sampled_from([None, None, "config_error"]),
        interval=st.sampled_from([2.0, 5.0, 30.0]),
    )
    def test_never_early(
        self,
        duration: float,
        demanded: float,
        downtime: list[Any],
        error: str | None,
        interval: float,
    ) -> None:
        """The end is the node's, never early, and at most one interval late without an outage."""

        async def run() -> None:
            async with machines() as (cluster, client):
                cluster.plan_bootstrap(
                    1,
                    duration=duration,
                    demands_credentials_at=demanded,
                    downtime=downtime,
                    error_code=error,
                )
                operation = await client.cluster.create(CREATE)
                began = loop_time()
                (ended,) = await client.wait_for(
                    operation, settle=True, poll=every(interval), outage_timeout=None
                )

                expected = "completed" if error is None else "error"
                seen = ended if isinstance(ended, Action) else ended.action
                assert seen is not None
                assert (seen.status, cluster.bootstrap_state(1)) == (expected, expected)
                late = loop_time() - began - duration
                assert late >= -0.01
                away = sum(seconds for _, seconds, _ in downtime)
                assert late <= interval + 1 + (2 * away + 60 if away else 0)

        loop = virtual_loop()
        try:
            loop.run_until_complete(run())
        finally:
            loop.close()
