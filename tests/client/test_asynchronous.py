"""Tests of mistakes in asynchronous code: `with`, `for`, and calls that were not awaited."""

from __future__ import annotations

import copy
import pickle
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionFailed, ActionsClient, UsageError
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from redis_enterprise_actions import Action
    from redis_enterprise_actions.testing import FakeCluster

WITH = "use `async with` instead of `with`, or use redis_enterprise_actions.sync"
FOR = "use `async for` instead of `for`, or use redis_enterprise_actions.sync"
NEXT = (
    "use `async for` or `await anext()` instead of `next()`, or use redis_enterprise_actions.sync"
)
AWAIT = "use `async with` instead of `await`, or use redis_enterprise_actions.sync"


class TestWith:
    """`with` in place of `async with`."""

    @pytest.mark.parametrize(
        "managed",
        [lambda client: client, lambda client: client.nodes.maintenance(3)],
        ids=["client", "maintenance"],
    )
    async def test_with(
        self, client: ActionsClient, managed: Callable[[ActionsClient], ExitStack]
    ) -> None:
        """The error names `async with`, is one of ours, and a `TypeError` like Python's own."""
        with pytest.raises(TypeError) as caught, managed(client):
            pass
        with pytest.raises(UsageError), ExitStack() as stack:
            stack.enter_context(managed(client))
        for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
            assert isinstance(error, UsageError)
            assert str(error) == WITH

        client.__exit__(None, None, None)  # type: ignore[attr-defined]

    async def test_await(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """`await` in place of `async with` switches no maintenance on, and names the cure."""
        with pytest.raises(TypeError) as caught:
            await client.nodes.maintenance(1)  # type: ignore[misc]
        assert isinstance(caught.value, UsageError)
        assert str(caught.value) == AWAIT
        assert cluster.requests == []

    async def test_maintenance(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """`async with` keeps the node in maintenance, and an error in its body passes through."""
        with pytest.raises(ZeroDivisionError):
            async with client.nodes.maintenance(1) as on:
                assert on.status == "completed"
                assert cluster.maintenance == {1: 1}
                raise ZeroDivisionError

        assert cluster.maintenance == {1: 0}


class TestFor:
    """`for` in place of `async for`."""

    async def test_for(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The error names `async for`: for the watch of an action, of an operation, and for it."""
        uid = cluster.add_action()
        operation = client.operation(uid)
        for items in (client.watch_action(uid), operation.watch(), operation):
            with pytest.raises(TypeError) as caught:
                for _ in items:  # type: ignore[attr-defined]
                    pass
            assert isinstance(caught.value, UsageError)
            assert str(caught.value) == FOR
            with pytest.raises(TypeError) as caught:
                next(items)  # type: ignore[call-overload]
            assert isinstance(caught.value, UsageError)
            assert str(caught.value) == NEXT

    async def test_several(self, client: ActionsClient) -> None:
        """An operation is no list of uids."""
        with pytest.raises(UsageError, match="is not a list of uids"):
            await client.wait_for_actions(client.operation("action:a"))  # type: ignore[call-overload]

    async def test_async_for(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """`async for` iterates over the changes, to the end."""
        updates = client.watch_action(cluster.add_action())

        assert aiter(updates) is updates
        assert [action.status async for action in updates][-1] == "completed"

    async def test_generator(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """A watch has the methods of an asynchronous generator."""
        updates = client.watch_action(cluster.add_action("retry_bdb", Plan(duration=100)))
        async with aclosing(updates):
            assert (await anext(updates)).status == "running"
            assert (await updates.asend(None)).progress == pytest.approx(33.33)
        with pytest.raises(StopAsyncIteration):
            await anext(updates)
        thrown_at = client.watch_action(cluster.add_action())
        await anext(thrown_at)
        with pytest.raises(ZeroDivisionError):
            await thrown_at.athrow(ZeroDivisionError())


def upgrade(client: ActionsClient) -> Coroutine[object, object, object]:
    """Return a call that was not awaited."""
    return client.databases.upgrade(1)


class TestUnawaited:
    """Coroutines that are passed where their results belong. None warns: warnings are errors."""

    @pytest.mark.parametrize(
        "call",
        [
            lambda client: client.wait_for(upgrade(client)),
            lambda client: client.wait_for("action:a", upgrade(client), upgrade(client)),
            lambda client: client.wait_for_actions(upgrade(client)),
            lambda client: client.wait_for_actions(["a", upgrade(client), upgrade(client)]),
            lambda client: client.wait_for_action(upgrade(client)),
            lambda client: client.get_action(upgrade(client)),
            lambda client: client.get(upgrade(client)),
            lambda client: client.databases.wait(upgrade(client)),
            lambda client: client.databases.update(1, upgrade(client)),
            lambda client: client.databases.update(1, {"name": upgrade(client)}),
            lambda client: client.nodes.maintenance_on(upgrade(client)),
            lambda client: client.submit("POST", "/v1/bdbs", params=upgrade(client)),
            lambda client: client.submit("POST", "/v1/bdbs", params={"a": upgrade(client)}),
            lambda client: client.submit("POST", "/v1/bdbs", headers={"a": upgrade(client)}),
            lambda client: client.submit("POST", "/v1/bdbs", json={"uids": [upgrade(client)]}),
            lambda client: client.submit("POST", upgrade(client)),
            lambda client: client.submit(upgrade(client), "/v1/bdbs"),
            lambda client: client.wait_for_action("a", timeout=upgrade(client)),
            lambda client: client.wait_for_action("a", poll=upgrade(client)),
            lambda client: client.wait_for_action("a", recorder=upgrade(client)),
            lambda client: client.wait_for([upgrade(client)]),
            lambda client: client.crdbs.get(upgrade(client)),
            lambda client: client.crdbs.find(upgrade(client)),
            lambda client: client.databases.find(upgrade(client)),
            lambda client: client.cluster.check(ignore_maintenance=upgrade(client)),
            lambda client: client.cluster.check(ignore_maintenance=[upgrade(client)]),
            lambda client: client.crdbs.wait_replicating("a", others=[upgrade(client)]),
            lambda client: client.shards.migrate(upgrade(client), 1),
            lambda client: client.shards.migrate([1, upgrade(client)], 1),
            lambda client: client.shards.migrate([1], 1, upgrade(client)),
            lambda client: client.shards.fail_over([upgrade(client)]),
        ],
    )
    async def test_argument(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        call: Callable[[ActionsClient], Coroutine[object, object, object]],
    ) -> None:
        """The error names `await`; nothing is sent."""
        with pytest.raises(UsageError) as caught:
            await call(client)

        message = "Databases.upgrade(...) was not awaited: write `await` before the call"
        assert str(caught.value) == message
        assert cluster.requests == []

    async def test_reference(self, client: ActionsClient) -> None:
        """The same holds for methods that are not awaited themselves."""
        with pytest.raises(UsageError, match="was not awaited: write `await`"):
            client.operation(upgrade(client))  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="was not awaited: write `await`"):
            client.watch_action(upgrade(client))  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "argument", ["url", "username", "password", "client_cert", "trusted_hosts"]
    )
    async def test_setting(self, client: ActionsClient, argument: str) -> None:
        """The same holds for the settings of a client."""
        settings = {"url": "https://a", "username": "a", "password": "b"}
        with pytest.raises(UsageError, match=r"^Databases.upgrade\(...\) was not awaited: write"):
            ActionsClient(**{**settings, argument: upgrade(client)})  # type: ignore[arg-type]

    async def test_function(self, client: ActionsClient) -> None:
        """A function that the client is to call is to be passed itself."""
        with pytest.raises(UsageError, match=r"^token=.* pass the function itself, not its call"):
            ActionsClient("https://a", token=upgrade(client))  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"^observer=.* pass the function itself, not its"):
            client.observe(upgrade(client))  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"^observer=5 cannot be called"):
            client.observe(5)  # type: ignore[arg-type]

    @pytest.mark.parametrize("argument", ["until", "on_progress"])
    async def test_callback(self, client: ActionsClient, argument: str) -> None:
        """A callback is to be passed itself."""

        async def is_ready(action: Action) -> bool:
            raise AssertionError

        action = copy.copy  # any value
        call = is_ready(action)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="pass the function itself, not its call"):
            await client.wait_for_action("a", **{argument: call})  # type: ignore[arg-type]

    async def test_other_awaitables(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """An `Operation` may be awaited, or be passed as it is."""
        uid = cluster.add_action(plan=Plan(duration=1, outcome="failed"))
        with pytest.raises(ActionFailed):
            await client.operation(uid)
        with pytest.raises(ActionFailed):
            await client.wait_for(client.operation(uid))
