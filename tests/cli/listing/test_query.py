"""Facts about `_select`: which actions a selection has, and in which order they come."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from redis_enterprise_actions import Action, Kind, Phase
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.listing.query import (
    Selection,
    newest_first,
    select,
    selection_from,
)
from tests.conftest import ACTIVE


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
def test_has(selection: Selection, uids: list[str]) -> None:
    """What is shown has to match all that is asked for; words match in any case."""
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
def test_may_have(selection: Selection, kinds: set[Kind]) -> None:
    """What can match nothing of a kind need not ask for it."""
    asked = (Kind.TASK, Kind.NODE_ACTION, Kind.CLUSTER_ACTION, Kind.CRDB_TASK)

    assert {kind for kind in asked if selection.may_match(kind)} == kinds


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
def test_selection_of(filters: list[str], selection: Selection) -> None:
    """The filters of a command line make a selection; without any it has everything."""
    assert selection_from(parse_arguments(["list", *filters])) == selection


def test_by_age() -> None:
    """Newest first; of those that do not tell, what goes on comes first, what has ended last."""

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
