"""Tests of `_client.wire.conditions`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import Evidence, Phase
from redis_enterprise_actions._client.wire.conditions import condition_action
from redis_enterprise_actions._model.reference import parse_reference


@pytest.mark.parametrize(
    ("findings", "state"),
    [
        (["a"], "a"),
        (["a\nb", "c"], "a b, c"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d", "e"], "a, b, c, +2 more"),
    ],
)
def test_findings(findings: list[str], state: str) -> None:
    """The first findings are the state, in one line."""
    action = condition_action(parse_reference("crdb:g@replicating"), findings)

    assert (action.phase, action.status, action.state) == (
        *(Phase.PENDING, "not replicating", state),
    )
    assert (action.object_type, action.object_uid) == ("crdb", "g")


def test_true() -> None:
    """Without findings the condition is true; that of the cluster has no object."""
    action = condition_action(parse_reference("cluster@quiet"), [], Evidence.OBJECTS)

    assert (action.phase, action.status, action.state) == (Phase.COMPLETED, "quiet", None)
    assert (action.object_type, action.object_uid, action.uid) == (None, None, "cluster@quiet")
    assert action.evidence is Evidence.OBJECTS
