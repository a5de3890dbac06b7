"""Tests of `_cli.action_references`."""

from __future__ import annotations

import msgspec
import pytest

from redis_enterprise_actions import Action, Kind, UsageError
from redis_enterprise_actions._cli.action_references import reference_to, short_reference_to
from redis_enterprise_actions._cli.wait.references import parse_text
from tests.event_samples import DELETE, MAINTENANCE, UPDATE


@pytest.mark.parametrize(
    ("action", "ref"),
    [
        (UPDATE, "action:a1"),
        (DELETE, "action:d@bdb:7"),
        (msgspec.structs.replace(DELETE, object_uid=None), "action:d"),
        (msgspec.structs.replace(DELETE, object_type="node"), "action:d"),
        (MAINTENANCE, "node:1/maintenance_on@t1"),
        (msgspec.structs.replace(MAINTENANCE, task_id=None), "node:1/maintenance_on"),
        (
            msgspec.structs.replace(
                MAINTENANCE, uid="cluster:change_master", kind=Kind.CLUSTER_ACTION
            ),
            "cluster:change_master@t1",
        ),
        (msgspec.structs.replace(UPDATE, kind=Kind.CRDB_TASK), "crdb:a1"),
        (msgspec.structs.replace(UPDATE, kind=Kind.OTHER), "action:a1"),
        (msgspec.structs.replace(UPDATE, uid="export:3", kind=Kind.EXPORT), "export:3"),
    ],
)
def test_reference_to(action: Action, ref: str) -> None:
    """A reference is the same as that of the action's JSON, and without a run it may be short."""
    assert str(reference_to(action)) == ref
    assert [str(each) for each in parse_text(msgspec.json.encode(action).decode()).refs] == [ref]
    assert short_reference_to(action) == (ref if "@" in ref else ref.removeprefix("action:"))


def test_odd_action() -> None:
    """An action whose name cannot be in a reference can be listed, and not waited for."""
    odd = msgspec.structs.replace(MAINTENANCE, uid="node:1/Maintenance2", task_id=None)

    assert short_reference_to(odd) == "node:1/Maintenance2"
    with pytest.raises(UsageError, match="'node:1/Maintenance2' is not a reference"):
        reference_to(odd)
