"""Facts about what a task remembers from one try to the next."""

from __future__ import annotations

import pytest

from redis_enterprise_actions.airflow.task_state import Memory, Past
from tests.airflow.conftest import Store, context_of


@pytest.mark.parametrize(
    ("ref", "ended", "on_retry", "when_cleared"),
    [
        ("action:1", False, Past("action:1"), Past("action:1", cleared=True)),
        ("action:1", True, Past("action:1"), None),
        (None, False, Past(None), None),
        (None, True, Past(None), None),
    ],
    ids=["runs", "has ended", "call under way", "nothing to do"],
)
def test_recall(
    ref: str | None, ended: bool, on_retry: Past | None, when_cleared: Past | None
) -> None:
    """A retry never makes the call again; a task that was cleared does, unless work may run."""
    store = Store()
    first = Memory.of(context_of(store))
    (first.end if ended else first.begin)(ref)

    assert Memory.of(context_of(store)).recall() == on_retry
    assert Memory.of(context_of(store, max_tries=1)).recall() == when_cleared


def test_forgotten() -> None:
    """What has begun nothing is forgotten."""
    memory = Memory.of(context_of(Store()))
    memory.begin(None)
    memory.forget()

    assert memory.recall() is None


def test_without_a_store() -> None:
    """Before Airflow 3.3 there is nothing to remember with, and that can be asked."""
    memory = Memory.of(context_of())
    memory.begin("action:1")
    memory.end("action:1")
    memory.forget()

    assert memory.recall() is None
    assert not memory.lasting
