"""Tests of `_cli.listing.table`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from redis_enterprise_actions import Action, Kind
from redis_enterprise_actions._cli.listing.table import reference_of, tab_separated
from redis_enterprise_actions._model.action import phase_of
from tests.conftest import ACTIVE


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
UUID = "2d81d873-0b12-4636-90d2-ff4dd1ed3b8"


def action(number: int, name: str, status: str, **more: object) -> Action:
    """Return an action with a uid like those of clusters."""
    begun = NOW - timedelta(seconds=int(more.pop("age", 60)))  # type: ignore[call-overload]
    phase = phase_of(status)
    return Action(
        uid=f"{UUID}{number}", name=name, kind=Kind.TASK, status=status, phase=phase,
        creation_time=begun, **more,  # type: ignore[arg-type]
    )  # fmt: skip


THREE = [
    action(1, "SMUpdateBDB", "active", age=12, object_type="bdb", object_uid="1",
           progress=14.29, state="provision"),
    action(2, "maintenance_on", "completed", age=7300, node_uid="2", progress=100.0),
    action(3, "retry_bdb", "failed", age=200000, node_uid="1", progress=33.3,
           error_code="internal_error", error="node 1 is full"),
]  # fmt: skip


def test_fields() -> None:
    """The fields for programs have tabs between them, no units, and are complete."""
    unknown = msgspec.structs.replace(ACTIVE, kind=Kind.CRDB_TASK, name="a\tb")

    assert tab_separated([*THREE[:2], unknown], NOW) == [
        f"{UUID}1\tSMUpdateBDB on bdb:1\tactive\t14.29\tprovision\t12",
        f"{UUID}2\tmaintenance_on on node:2\tcompleted\t100\t-\t7300",
        "crdb:a1\ta b\tactive\t-\t-\t-",
    ]


def test_reference() -> None:
    """The reference is what `wait` takes."""
    node = msgspec.structs.replace(ACTIVE, uid="node:1/remove", kind=Kind.NODE_ACTION)

    assert reference_of(node) == "node:1/remove"
    assert reference_of(msgspec.structs.replace(ACTIVE, kind=Kind.CRDB_TASK)) == "crdb:a1"


def test_clocks_differ() -> None:
    """An action that began in our future has the age 0."""
    assert tab_separated([action(1, "x", "queued", age=-60)], NOW)[0].endswith("\t0")
