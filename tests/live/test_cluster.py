"""Tests against the cluster of the environment, which read and wait, and start nothing.

A wrong password is not tried, as a cluster may lock the user out.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import (
    Action,
    ActionNotFound,
    ActionsClient,
    AuthenticationError,
    FinishedAction,
    Phase,
    WaitError,
)


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SEVERAL = 20  # of what the cluster remembers; it may be thousands

LISTS: list[Callable[[ActionsClient], Awaitable[list[Action]]]] = [
    ActionsClient.list_actions,
    lambda client: client.nodes.actions(),
    lambda client: client.cluster.actions(),
    lambda client: client.crdbs.tasks(),
]


async def some(client: ActionsClient, *, over: bool) -> list[Action]:
    """Return a few actions that have ended, or have not; skip where there are none."""
    actions = [each for each in await client.list_actions() if each.phase.terminal is over]
    if not actions:
        pytest.skip("the cluster has no such action at the moment")
    return actions[:SEVERAL]


@pytest.mark.parametrize("list_of", LISTS, ids=["actions", "nodes", "cluster", "crdbs"])
async def test_lists(
    client: ActionsClient, list_of: Callable[[ActionsClient], Awaitable[list[Action]]]
) -> None:
    """Every entry has a uid and a known status, and is the same after encoding as JSON."""
    try:
        actions = await list_of(client)
    except AuthenticationError as error:
        pytest.skip(f"the user may not see that: {error}")

    assert [action for action in actions if not action.uid] == []
    assert {action.status for action in actions if action.phase is Phase.UNKNOWN} == set()
    assert msgspec.json.decode(msgspec.json.encode(actions), type=list[Action]) == actions


async def test_listed_alone(client: ActionsClient) -> None:
    """Each listed action is found alone, too, with the same kind."""
    for listed in await some(client, over=True):
        alone = await client.get_action(listed.uid)

        assert (alone.uid, alone.name, alone.kind) == (listed.uid, listed.name, listed.kind)


async def test_of_a_database(client: ActionsClient) -> None:
    """The list of a database has actions on that database only."""
    bdbs = {each.object_uid for each in await client.list_actions() if each.object_type == "bdb"}
    if not bdbs:
        pytest.skip("the cluster remembers nothing that was done to a database")
    for uid in sorted(filter(None, bdbs))[:SEVERAL]:
        try:
            actions = await client.list_actions(bdb_uid=int(uid))
        except AuthenticationError as error:
            pytest.skip(f"the user may not see that: {error}")

        assert {(each.object_type, each.object_uid) for each in actions} <= {("bdb", uid)}


async def test_unknown(client: ActionsClient) -> None:
    """An action that does not exist is not found, neither by a single read nor by a wait."""
    uid = str(uuid.uuid4())
    with pytest.raises(ActionNotFound):
        await client.get_action(uid)
    with pytest.raises(ActionNotFound) as caught:
        await client.wait_for_action(uid, not_found_grace=1, timeout=60)

    assert caught.value.polls <= 5


async def test_what_has_ended(client: ActionsClient) -> None:
    """A wait for an action that has ended returns or raises its outcome at once."""
    actions = await some(client, over=True)
    ends = await client.wait_for_actions(
        [each.uid for each in actions], settle=True, timeout=60, stall_timeout=30
    )

    for action, end in zip(actions, ends, strict=True):
        assert isinstance(end, FinishedAction | WaitError)
        assert isinstance(end, FinishedAction) == (action.phase is Phase.COMPLETED)
        assert end.record is not None
        assert end.record.outcome.value == action.phase.value


async def test_what_is_under_way(client: ActionsClient) -> None:
    """A watch of running work yields that work, and can be left."""
    for action in await some(client, over=False):
        async for seen in client.watch_action(action.uid, timeout=60):
            assert seen.uid == action.uid
            break
