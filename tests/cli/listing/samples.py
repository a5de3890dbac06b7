"""Actions for the tests of lists, and the time of these tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from redis_enterprise_actions import Action, Kind
from redis_enterprise_actions._model.action import phase_of


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
UUID = "2d81d873-0b12-4636-90d2-ff4dd1ed3b8"


def ago(seconds: int) -> datetime:
    """Return a time."""
    return NOW - timedelta(seconds=seconds)


def action(number: int | str, name: str, status: str, **more: object) -> Action:
    """Return an action with a uid like those of clusters."""
    begun = ago(int(more.pop("age", 60)))  # type: ignore[call-overload]
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
