"""Tests of one look at a database: an idle one is there, and its state is what it is now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionNotFound, Phase
from redis_enterprise_actions._client.wire.databases import (
    database_action,
    present_state,
    read_database,
)
from redis_enterprise_actions._model.action import Action, Ambiguity, AmbiguousAnswer
from redis_enterprise_actions._model.reference import parse_reference
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.core

FAILED = {"name": "SMUpdateBDB", "status": "failed", "error": {"description": "no memory"}}


def now(ref: str, status: str = "active", *ops: dict[str, object]) -> Action | None:
    """Return the present state of the work that a reference names, on a database."""
    body = json.dumps({"uid": 1, "status": status, "background_op": ops}).encode()
    wanted = parse_reference(ref)
    found = database_action(read_database(body, "/v1/bdbs/1"), wanted)
    assert isinstance(found, AmbiguousAnswer)
    return present_state(found, wanted)


@pytest.mark.parametrize(
    ("ref", "phase"),
    [
        ("bdb:1", Phase.COMPLETED),
        ("bdb:1@after", Phase.UNKNOWN),
        ("bdb:1@busy,x", Phase.UNKNOWN),
        ("bdb:1@lost", Phase.UNKNOWN),
        ("bdb:1@gone,after", Phase.PENDING),
    ],
)
def test_idle(ref: str, phase: Phase) -> None:
    """An idle database is complete, but the call that was to change it may not have begun."""
    found = now(ref)

    assert found is not None
    assert (found.status, found.phase) == ("active", phase)


def mark() -> str:
    """Return the mark of the failure in references."""
    body = json.dumps({"uid": 1, "status": "active", "background_op": [FAILED]}).encode()
    return read_database(body, "/v1/bdbs/1").ops[0].mark


@pytest.mark.parametrize(
    ("ref", "status", "phase"),
    [
        ("bdb:1", "active", Phase.COMPLETED),
        ("bdb:1", "active-change-pending", Phase.RUNNING),
        ("bdb:1@after", "active", Phase.FAILED),
        ("bdb:1@after,other.1", "active", Phase.FAILED),
        ("bdb:1@after,{mark}", "active", Phase.UNKNOWN),
        ("bdb:1@after,other.1+{mark}", "active-change-pending", Phase.RUNNING),
    ],
)
def test_old_failure(ref: str, status: str, phase: Phase) -> None:
    """A failure counts only if it is not the one from before."""
    found = now(ref.format(mark=mark()), status, FAILED)

    assert found is not None
    assert found.phase is phase


@pytest.mark.parametrize(
    ("ref", "ambiguity"),
    [
        ("bdb:1@gone", Ambiguity.GONE),
        ("export:1", Ambiguity.IDLE),
        ("export:1", Ambiguity.OLD_RESULT),
        ("node:1/remove", Ambiguity.GONE),
    ],
)
def test_others(ref: str, ambiguity: Ambiguity) -> None:
    """Other answers that do not tell the state of the work tell no other state."""
    action = now("bdb:1")
    assert action is not None

    assert present_state(AmbiguousAnswer(ambiguity, action), parse_reference(ref)) is None


async def test_get(cluster: FakeCluster, client: ActionsClient) -> None:
    """One look at an idle database returns it, and says nothing of the end of the work."""
    cluster.add_bdb(1, name="cache")
    operation = client.operation("bdb:1")
    found = await operation.get()

    assert (found.uid, found.name, found.status) == ("bdb:1", "cache", "active")
    assert found.phase is Phase.COMPLETED
    assert found == await client.get("bdb:name:cache")
    assert not operation.done  # a change may be about to begin: a wait looks for ten seconds


async def test_get_after_call(cluster: FakeCluster, client: ActionsClient) -> None:
    """One look after a call that has not shown yet is no end, and no "not found"."""
    cluster.add_bdb(1)
    operation = client.operation("bdb:1@after")

    assert (await operation.get()).phase is Phase.UNKNOWN
    assert not operation.done


async def test_get_busy(cluster: FakeCluster, client: ActionsClient) -> None:
    """One look at a busy database is what it was: the work goes on."""
    cluster.add_action("SMUpdateBDB", Plan(duration=60), bdb_uid=1)

    assert (await client.get("bdb:1")).phase is Phase.RUNNING


@pytest.mark.parametrize("ref", ["bdb:9", "bdb:9@after"])
async def test_get_missing(cluster: FakeCluster, client: ActionsClient, ref: str) -> None:
    """A database that does not exist is not found."""
    with pytest.raises(ActionNotFound):
        await client.get(ref)


async def test_get_idle_transfer(cluster: FakeCluster, client: ActionsClient) -> None:
    """A database without an export has none."""
    cluster.add_bdb(1)

    with pytest.raises(ActionNotFound):
        await client.get("export:1")
