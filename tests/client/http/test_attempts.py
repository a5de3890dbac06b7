"""Tests of `_client.http.attempts`: which node is asked next, and the error of all attempts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from redis_enterprise_actions import (
    ActionsClient,
    AuthenticationError,
    ClusterUnreachable,
    RequestError,
    RequestRejected,
    UnreadableReply,
)
from redis_enterprise_actions._client.http.messages import Request
from redis_enterprise_actions._model.secret import Secret
from tests.conftest import examples, virtual_loop

from .node_servers import INNER, CountingGate, Node, get, serving, transport_to


if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis_enterprise_actions._client.http.transport import Transport

pytestmark = [pytest.mark.enable_socket, pytest.mark.core]

CALL: Final = Request("POST", "/v1/bdbs/1/upgrade", body=Secret("{}"))
FAILURES: Final = ["503", "429", "408", "garbage", "foreign", "hangs", "drops", "away", "refuses"]


def received(*nodes: Node) -> list[int]:
    """Return the number of requests that each node has received."""
    return [len(node.requests) for node in nodes]


class TestGet:
    """A GET is answered by the first node that gives a usable answer."""

    @pytest.mark.parametrize("behaviour", FAILURES)
    async def test_next_node(self, behaviour: str) -> None:
        """A node that fails is left for the next one, at once, and not asked again."""
        first, second = Node(behaviour=behaviour), Node()
        async with transport_to(first, second) as transport:
            answers = [await get(transport), await get(transport)]

            assert answers == ["2", "2"]
            lost = {"drops": 2, "refuses": 0}.get(behaviour, 1)
            assert received(first, second) == [lost, 2]

    @pytest.mark.parametrize("behaviour", FAILURES)
    async def test_one_error(self, behaviour: str) -> None:
        """If all nodes fail, one error counts all requests, and names all nodes."""
        nodes = [Node(behaviour="503"), Node(behaviour="garbage"), Node(behaviour=behaviour)]
        gate = CountingGate()
        async with transport_to(*nodes) as transport:
            with pytest.raises((ClusterUnreachable, UnreadableReply)) as caught:
                await get(transport, gate)

        error = caught.value
        assert error.nodes == tuple(node.url for node in nodes)
        assert error.attempts == gate.admitted == max(3, sum(received(*nodes)))

    async def test_failed_before(self) -> None:
        """A node that has failed since the last usable answer is not asked beside the others."""
        first, second = Node(behaviour="503"), Node(behaviour="503")
        async with transport_to(first, second) as transport:
            for _ in range(3):
                with pytest.raises(ClusterUnreachable):
                    await get(transport)

        assert received(first, second) == [2, 2]

    @pytest.mark.parametrize("behaviour", ["400", "403", "405", "501", "505", "301"])
    async def test_fatal(self, behaviour: str) -> None:
        """A refusal that concerns the request is an error at once, whatever other nodes say."""
        first, second = Node(behaviour=behaviour), Node()
        async with transport_to(first, second) as transport:
            with pytest.raises(RequestRejected, match=f"answered {behaviour}") as caught:
                await get(transport)

        assert received(first, second) == [1, 0]
        assert (caught.value.attempts, caught.value.nodes) == (1, (first.url,))

    async def test_circle(self) -> None:
        """A redirect that comes back to a node is left for a node outside of the circle."""
        nodes = [Node(behaviour="circle"), Node(behaviour="circle"), Node(behaviour="circle")]
        spare = Node()
        async with transport_to(*nodes, spare) as transport:
            nodes[2].next_url = nodes[0].url

            assert await get(transport) == "4"
        assert received(*nodes, spare) == [1, 1, 1, 1]

    async def test_redirect(self) -> None:
        """A node that a redirect leads to is asked first from then on."""
        first, second = Node(behaviour="circle"), Node()
        async with transport_to(first, second) as transport:
            assert [await get(transport), await get(transport)] == ["2", "2"]
        assert received(first, second) == [1, 2]

    async def test_usable_again(self) -> None:
        """A node that has failed is asked again once another one has answered and failed."""
        first, second = Node(behaviour="503"), Node()
        async with transport_to(first, second) as transport:
            assert await get(transport) == "2"
            first.behaviour, second.behaviour = "ok", "503"
            assert await get(transport) == "1"

    async def test_redirect_to_a_busy_node(self) -> None:
        """A redirect to a node that sent `Retry-After` is left for another node."""
        busy = Node(behaviour="503", headers={"Retry-After": "40"})
        second, third = Node(), Node()
        async with transport_to(busy, second, third) as transport:
            assert await get(transport) == "2"
            second.behaviour, second.next_url = "circle", busy.url
            answer = await get(transport)
            asked = received(busy, second, third)
            third.behaviour = "503"
            with pytest.raises(ClusterUnreachable):
                await get(transport)
            busy.behaviour = "ok"
            transport.nodes.current = URL(second.url)

            assert (answer, asked) == ("3", [1, 2, 1])
            assert await get(transport) == "1"

    async def test_retry_after(self) -> None:
        """`Retry-After` of the only usable node is the pause before the next attempt."""
        first = Node(behaviour="503", headers={"Retry-After": "40"})
        second = Node(behaviour="429", headers={"Retry-After": "20"})
        async with transport_to(first, second) as transport:
            with pytest.raises(ClusterUnreachable) as caught:
                await get(transport)

            assert caught.value.retry_after == 20
            assert str(transport.nodes.current) == second.url

    async def test_lost_once(self) -> None:
        """A GET whose connection is lost is sent to the same node once more, through the gate."""
        node, gate = Node(), CountingGate()
        behaviours = iter(["drops", "ok", "drops", "drops"])
        node.behave = lambda _: (next(behaviours), 0.0)
        async with transport_to(node) as transport:
            assert await get(transport, gate) == "1"
            with pytest.raises(ClusterUnreachable) as caught:
                await get(transport, gate)

        assert caught.value.attempts == 2
        assert gate.admitted == len(node.requests) == 4

    async def test_errors_are_not_changed(self) -> None:
        """Each error is a new one, whose cause is that of the last failure."""
        node = Node(behaviour="refuses")
        async with transport_to(node) as transport:
            errors = []
            for _ in range(2):
                with pytest.raises(ClusterUnreachable) as caught:
                    await get(transport)
                errors.append(caught.value)

        assert errors[0] is not errors[1]
        assert [(error.attempts, type(error.__cause__).__name__) for error in errors] == [
            (1, "ClientConnectorError")
        ] * 2


class TestRedirectedAway:
    """A node that redirects to an address that is not one of ours has executed nothing."""

    async def test_everywhere(self) -> None:
        """If all nodes redirect away, the request is refused, with what to do about it."""
        nodes = [Node(behaviour="away"), Node(behaviour="away")]
        async with transport_to(*nodes) as transport:
            for request in (get(transport), transport.send(CALL)):
                with pytest.raises(RequestRejected, match=f"{INNER}.*trusted_hosts=") as caught:
                    await request
                assert caught.value.nodes == tuple(node.url for node in nodes)
                assert caught.value.attempts == 2

    @pytest.mark.parametrize("other", ["503", "hangs", "garbage", "refuses"])
    @pytest.mark.parametrize("away_first", [True, False])
    async def test_beside_an_outage(self, other: str, away_first: bool) -> None:
        """If another node may answer later, it is an outage, for as long as that lasts."""
        pair = [Node(behaviour="away"), Node(behaviour=other)]
        nodes = pair if away_first else pair[::-1]
        async with transport_to(*nodes) as transport:
            for _ in range(4):
                with pytest.raises((ClusterUnreachable, UnreadableReply)) as caught:
                    await get(transport)
                assert caught.value.transient

    async def test_reason(self) -> None:
        """The error of an outage tells its reason, not the redirects."""
        first, second = Node(behaviour="503"), Node(behaviour="away")
        async with transport_to(first, second) as transport:
            with pytest.raises(ClusterUnreachable, match="it answered 503") as caught:
                await get(transport)

        assert caught.value.nodes == (first.url, second.url)

    async def test_later(self) -> None:
        """A node that redirected away, and is now the primary, is found again."""
        first, second = Node(behaviour="away"), Node()
        async with transport_to(first, second) as transport:
            assert await get(transport) == "2"
            first.behaviour, second.behaviour = "ok", "away"
            assert await get(transport) == "1"


class TestUnknownCredentials:
    """Credentials that a node has accepted are tried at the next one after a 401."""

    async def test_known_before(self) -> None:
        """A node that does not know accepted credentials has not joined the cluster yet."""
        first, second = Node(), Node()
        async with transport_to(first, second) as transport:
            await get(transport)
            first.behaviour = "401"

            assert await get(transport) == "2"
            assert (await transport.send(CALL)).body == b"2"

    async def test_known_and_forbidden(self) -> None:
        """A node that forbids the request (403) has accepted the credentials."""
        first, second = Node(behaviour="403"), Node()
        async with transport_to(first, second) as transport:
            with pytest.raises(AuthenticationError):
                await get(transport)
            first.behaviour = "401"

            assert await get(transport) == "2"

    async def test_never_known(self) -> None:
        """A 401 to the first request is fatal at once: clusters lock users out."""
        first, second = Node(behaviour="401"), Node()
        async with transport_to(first, second) as transport:
            with pytest.raises(AuthenticationError):
                await get(transport)

        assert received(first, second) == [1, 0]

    async def test_nowhere(self) -> None:
        """If no node accepts the credentials any more, that is fatal."""
        nodes = [Node(), Node()]
        async with transport_to(*nodes) as transport:
            await get(transport)
            for node in nodes:
                node.behaviour = "401"
            with pytest.raises(AuthenticationError) as caught:
                await get(transport)

        assert caught.value.attempts == 2

    async def test_few_attempts(self) -> None:
        """During an outage of the others, a node that answers 401 is asked once a minute."""
        first, second = Node(), Node()
        async with transport_to(first, second) as transport:
            await get(transport)
            first.behaviour, second.behaviour = "401", "503"
            for _ in range(50):
                with pytest.raises(ClusterUnreachable):
                    await get(transport)
                await asyncio.sleep(1)

        assert received(first, second) == [2, 50]

    async def test_renewed_token(self) -> None:
        """With tokens, a node is left after the token has been renewed, which it refuses, too."""
        tokens = iter(range(100))
        first, second = Node(), Node()
        token = {"username": None, "password": None, "token": lambda: f"token-{next(tokens)}"}
        async with transport_to(first, second, **token) as transport:
            await get(transport)
            first.behaviour = "401"

            assert await get(transport) == "2"
        assert received(first, second) == [3, 1]

    async def test_renewed_in_vain(self) -> None:
        """The error counts the request with the refused token, and that with the renewed one."""
        tokens, node = iter(range(100)), Node(behaviour="401")
        token = {"username": None, "password": None, "token": lambda: f"token-{next(tokens)}"}
        async with transport_to(node, **token) as transport:
            with pytest.raises(AuthenticationError) as caught:
                await get(transport)

        assert caught.value.attempts == len(node.requests) == 2


class TestSend:
    """A call goes on to the next node only if no node can have executed it."""

    @pytest.mark.parametrize("behaviour", ["away", "refuses"])
    async def test_not_executed(self, behaviour: str) -> None:
        """The next node gets a call that the first one has not executed."""
        first, second = Node(behaviour=behaviour), Node()
        async with transport_to(first, second) as transport:
            assert (await transport.send(CALL)).body == b"2"

    @pytest.mark.parametrize("behaviour", ["503", "429", "500", "hangs", "drops"])
    async def test_perhaps_executed(self, behaviour: str) -> None:
        """A call that a node may have executed is not sent again; the next one goes elsewhere."""
        first, second = Node(behaviour=behaviour), Node()
        async with transport_to(first, second) as transport:
            with pytest.raises(ClusterUnreachable) as caught:
                await transport.send(CALL)

            assert caught.value.sent is True
            assert (caught.value.nodes, caught.value.attempts) == ((first.url,), 1)
            assert received(first, second) == [1, 0]
            assert str(transport.nodes.current) == second.url

    async def test_whole_time_limit(self) -> None:
        """A call may take the whole time limit; a GET leaves a share of it for the other node."""
        first, second = Node(delay=10), Node()
        async with transport_to(first, second, request_timeout=15) as transport:
            reply = await transport.send(CALL)

            assert (reply.body, await get(transport)) == (b"1", "2")

    @pytest.mark.parametrize("behaviours", [("refuses", "refuses"), ("away", "refuses")])
    async def test_nowhere_executed(self, behaviours: tuple[str, str]) -> None:
        """If no node can have executed the call, the error says so."""
        nodes = [Node(behaviour=behaviour) for behaviour in behaviours]
        async with transport_to(*nodes) as transport:
            with pytest.raises(ClusterUnreachable) as caught:
                await transport.send(CALL)

        assert caught.value.sent is False
        assert caught.value.nodes == tuple(node.url for node in nodes)

    async def test_circle(self) -> None:
        """A call that is redirected in a circle goes to a node outside of it."""
        first, second, spare = Node(behaviour="circle"), Node(behaviour="circle"), Node()
        async with transport_to(first, second, spare) as transport:
            second.next_url = first.url

            assert (await transport.send(CALL)).body == b"3"
        assert received(first, second, spare) == [1, 1, 1]

    async def test_redirected_into_an_outage(self) -> None:
        """A call that is redirected to a node that cannot be reached goes to the next one."""
        first, second, spare = Node(behaviour="circle"), Node(behaviour="refuses"), Node()
        async with transport_to(first, second, spare) as transport:
            assert (await transport.send(CALL)).body == b"3"


class TestCancelled:
    """A request that is cancelled counts as a failure if it was out for two seconds."""

    @pytest.mark.parametrize(("seconds", "current"), [(1.5, 1), (2.5, 2)])
    async def test_seconds(self, seconds: float, current: int) -> None:
        """The node that was asked has failed, not the one that is asked first now."""
        nodes = [Node(behaviour="hangs"), Node()]
        async with transport_to(*nodes) as transport:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(get(transport), seconds)

            assert str(transport.nodes.current) == nodes[current - 1].url

    async def test_after_a_redirect(self) -> None:
        """A request that was redirected to a node that hangs has failed at both."""
        first, second, third = Node(behaviour="circle"), Node(behaviour="hangs"), Node()
        async with transport_to(first, second, third) as transport:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(get(transport), 3.0)

            assert set(map(str, transport.nodes.failed)) == {first.url, second.url}
            assert str(transport.nodes.current) == third.url


_FATE = st.tuples(
    st.sampled_from(["ok", "503", "garbage", "hangs"]), st.sampled_from([0.45, 1.45, 3.45])
)
_PLAN = st.fixed_dictionaries({
    "fates": st.lists(_FATE, min_size=3, max_size=3),  # by node
    "begins": st.sampled_from([0.0, 0.11, 1.17, 2.71]),
    "cancelled": st.sampled_from([0.6, 2.05, 4.57, 9.13, 1000.0]),
})  # fmt: skip


@given(plans=st.lists(_PLAN, min_size=2, max_size=3))
@settings(max_examples=examples(80))
def test_requests_in_flight(plans: list[dict[str, object]]) -> None:
    """Of several requests in flight, each failure is booked on the node where it happened."""
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(_check_interleaving(plans))


async def _check_interleaving(plans: list[dict[str, object]]) -> None:
    nodes = [Node(), Node(), Node()]
    fates: dict[tuple[str, int], tuple[str, float]] = {
        (f"/v1/{number}", place): fate
        for number, plan in enumerate(plans)
        for place, fate in enumerate(plan["fates"])  # type: ignore[arg-type, var-annotated]
    }
    for place, node in enumerate(nodes):
        node.behave = lambda path, place=place: fates[path, place]  # type: ignore[misc]
    async with transport_to(*nodes) as transport:
        booked = _record_failures(transport)
        tasks = {
            f"/v1/{number}": asyncio.create_task(_get_until(transport, f"/v1/{number}", **plan))  # type: ignore[arg-type]
            for number, plan in enumerate(plans)
        }
        ends = dict(zip(tasks, await asyncio.gather(*tasks.values()), strict=True))

    expected: list[str] = []
    for path, (end, ended) in ends.items():
        asked = sorted(
            (when, place, node.url)
            for place, node in enumerate(nodes)
            for _, asked_path, when in node.requests
            if asked_path == path
        )
        for when, place, url in asked:
            behaviour, delay = fates[path, place]
            answered = behaviour != "hangs" and when + delay < ended + 0.01
            failed = behaviour != "ok" if answered else ended - when >= 2.0 or end is not None
            timed_out = behaviour == "hangs" and not failed and when + 4.9 < ended
            expected += [url] if failed or timed_out else []
        if isinstance(end, RequestError):
            assert end.attempts == len(asked)
            assert list(end.nodes) == [url for *_, url in asked]
    assert sorted(booked) == sorted(expected)


def _record_failures(transport: Transport) -> list[str]:
    """Record the failures that a transport books, as the URLs of the nodes."""
    booked: list[str] = []
    mark_failed = transport.nodes.mark_failed

    def record(failed: Iterable[URL], now: float, *, backoff: float | None = None) -> None:
        failed = list(failed)
        booked.extend(map(str, failed))
        mark_failed(failed, now, backoff=backoff)

    transport.nodes.mark_failed = record  # type: ignore[method-assign]
    return booked


async def _get_until(
    transport: Transport, path: str, *, begins: float, cancelled: float, **_: object
) -> tuple[RequestError | None, float]:
    """GET a path, and cancel that after some seconds; return the error, if any, and the time."""
    await asyncio.sleep(begins)
    error: RequestError | None = None
    try:
        await asyncio.wait_for(get(transport, path=path), cancelled)
    except TimeoutError:
        pass
    except RequestError as raised:
        error = raised
    return error, asyncio.get_running_loop().time()


async def test_client_goes_on() -> None:
    """A client lists the actions of a node that is neither the first nor the primary."""
    nodes = [Node(behaviour="away"), Node(behaviour="refuses"), Node(behaviour="404")]
    async with (
        serving(*nodes) as urls,
        ActionsClient(urls, username="ops", password="hunter2-hunter2") as client,
    ):
        assert await client.list_actions() == []
