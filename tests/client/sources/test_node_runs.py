"""Tests of `_client.sources.node_runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import (
    Action,
    ActionsClient,
)
from redis_enterprise_actions._client.sources.node_runs import (
    identify_next_run,
    match_run,
    parse_run,
)
from redis_enterprise_actions._model.action import Ambiguity, AmbiguousAnswer
from redis_enterprise_actions._model.reference import parse_reference


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from redis_enterprise_actions import Operation

    Start: TypeAlias = Callable[[ActionsClient], Awaitable[Operation]]
from tests.client.sources.test_node_actions import action_of


pytestmark = pytest.mark.core


class TestRuns:
    """The run of an action that a reference follows."""

    RUNS = (
        # what is waited for, as last seen, what is shown, whether that is it; None: it may be
        ("node:1/remove", None, ("completed", "T1"), True),
        ("node:1/remove", None, ("completed", None), True),
        ("node:1/remove", ("running", "T1"), ("completed", "T1"), True),
        ("node:1/remove", ("running", "T1"), ("completed", "T2"), False),
        ("node:1/remove", ("running", "T1"), ("completed", None), True),
        ("node:1/remove", ("running", None), ("completed", "T2"), True),
        ("node:1/remove@T1", None, ("completed", "T1"), True),
        ("node:1/remove@T1", None, ("completed", "T2"), False),
        ("node:1/remove@T1", None, ("running", None), True),
        ("node:1/remove@T1", None, ("completed", None), None),
        ("node:1/remove@T1", ("running", None), ("completed", "T2"), False),
        ("node:1/remove@after,completed,T1", None, ("completed", "T1"), False),
        ("node:1/remove@after,completed,T1", None, ("failed", "T1"), False),
        ("node:1/remove@after,completed,T1", None, ("completed", "T2"), True),
        ("node:1/remove@after,completed,T1", None, ("completed", None), None),
        ("node:1/remove@after,completed,T1", None, ("failed", None), True),
        ("node:1/remove@after,completed,T1", ("running", "T2"), ("completed", "T2"), True),
        ("node:1/remove@after,completed,T1", ("running", "T2"), ("completed", "T3"), False),
        ("node:1/remove@after,failed,,T2", None, ("failed", None), None),
        ("node:1/remove@after,failed,,T2", None, ("completed", None), True),
        ("node:1/remove@after,failed,,T2", None, ("completed", "T1"), False),
        ("node:1/remove@after,failed,,T2", None, ("queued", None), True),
        ("node:1/remove@after,failed,,a,b", None, ("completed", "a,b"), True),
        ("node:1/remove@after,a%2Cb,c%2Cd", None, ("completed", "c,d"), False),
        ("node:1/remove@after,running,T1", None, ("running", None), False),
        ("cluster:change_master@after", None, ("completed", None), True),
        ("cluster:change_master@after", None, ("running", "T1"), True),
        ("cluster:change_master@after,?", None, ("completed", None), None),
        ("cluster:change_master@after,?", None, ("running", None), True),
        ("cluster:change_master@after,?", None, ("failed", "T1"), None),
        ("cluster:change_master@after,?", None, ("running", "T1"), True),
        ("cluster:change_master@after,?,,T1", None, ("failed", "T1"), True),
        ("cluster:change_master@after,?,,T2", None, ("failed", "T1"), False),
        ("cluster:change_master@after,completed", None, ("completed", None), None),
        ("cluster:change_master@after,Completed", None, ("completed", None), None),
        ("cluster:change_master@after,completed", None, ("failed", None), True),
        ("cluster:change_master@after,completed", None, ("running", None), True),
        ("cluster:change_master@after,completed", None, ("completed", "T1"), True),
        ("cluster:change_master@after,completed", ("running", None), ("completed", None), None),
        ("cluster:change_master@lost,completed", None, ("completed", None), False),
        ("cluster:change_master@lost,completed", ("running", None), ("completed", None), None),
        ("cluster:change_master@lost,completed", None, ("failed", None), True),
        ("cluster:change_master@lost", None, ("completed", None), True),
        ("cluster:change_master@after,running", None, ("running", None), False),
        ("cluster:change_master@after,running", None, ("completed", None), False),
    )

    @pytest.mark.parametrize(("ref", "last", "shown", "is_it"), RUNS, ids=str)
    def test_match(
        self,
        ref: str,
        last: tuple[str, str | None] | None,
        shown: tuple[str, str | None],
        is_it: bool | None,
    ) -> None:
        """A task_id distinguishes runs; a result without one may be that of an earlier run."""
        found = match_run(
            action_of(ref, *shown), parse_reference(ref), last and action_of(ref, *last)
        )

        if is_it is None:
            assert isinstance(found, AmbiguousAnswer)
            assert found.ambiguity is Ambiguity.SAME_RESULT
        else:
            assert isinstance(found, Action) == is_it

    @pytest.mark.parametrize(
        ("before", "new", "run"),
        [
            (None, "", "after"),
            (None, "T2", "T2"),
            (("completed", None), "", "after,completed"),
            (("completed", None), "T2", "after,completed,,T2"),
            (("completed", "T1"), "", "after,completed,T1"),
            (("completed", "T1"), "T2", "T2"),
            (("a,b", "c,d"), "", "after,a%2Cb,c%2Cd"),
            (("", None), "T2", "after,?,,T2"),
        ],
        ids=str,
    )
    def test_written(self, before: tuple[str, str | None] | None, new: str, run: str) -> None:
        """A run is written as its task_id if that suffices, otherwise with the run before."""
        known = identify_next_run(before and action_of("node:1/remove", *before))._replace(
            task_id=new
        )
        ref = parse_reference("node:1/remove")

        assert str(known) == run
        read = parse_run(msgspec.structs.replace(ref, run=run))
        assert read == known or (read.previous_status, read.task_id) == (None, new)
