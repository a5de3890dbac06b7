"""Tests of `airflow.task_state`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions.airflow.task_state import EarlierTry, TaskState
from tests.airflow.conftest import TaskStateStore, context_of
from tests.airflow.raised import AirflowFailException


@pytest.mark.parametrize(
    ("ref", "ended", "on_retry", "when_cleared"),
    [
        ("action:1", False, EarlierTry("action:1"), EarlierTry("action:1", cleared=True)),
        ("action:1", True, EarlierTry("action:1", ended=True), None),
        (None, False, EarlierTry(None), None),
        (None, True, EarlierTry(None, ended=True), None),
    ],
    ids=["runs", "has ended", "call under way", "nothing to do"],
)
def test_recall(
    ref: str | None, ended: bool, on_retry: EarlierTry | None, when_cleared: EarlierTry | None
) -> None:
    """A retry never makes the call again; a task that was cleared does, unless work may run."""
    store = TaskStateStore()
    first = TaskState.from_context(context_of(store))
    (first.record_end if ended else first.record_start)(ref)

    assert TaskState.from_context(context_of(store)).load() == on_retry
    assert TaskState.from_context(context_of(store, max_tries=1)).load() == when_cleared


def test_forgotten() -> None:
    """The state of a call that started nothing is removed."""
    memory = TaskState.from_context(context_of(TaskStateStore()))
    memory.record_start(None)
    memory.clear()

    assert memory.load() is None


def test_without_a_store() -> None:
    """Before Airflow 3.3 there is no store, and `is_persistent` is False."""
    memory = TaskState.from_context(context_of())
    memory.record_start("action:1")
    memory.record_end("action:1")
    memory.clear()

    assert memory.load() is None
    assert not memory.is_persistent


@pytest.mark.parametrize("version", [2, "1", None])
def test_another_version(version: object) -> None:
    """A state that another version has stored is refused; one without a version is of the first."""
    store = TaskStateStore()
    state = TaskState.from_context(context_of(store))
    state.record_start("action:1")
    ((key, stored),) = store.items()
    assert isinstance(stored, dict)
    store[key] = {**stored, "v": version}
    with pytest.raises(AirflowFailException, match="reads 1"):
        state.load()
    del stored["v"]
    store[key] = stored

    assert state.load() == EarlierTry("action:1")
