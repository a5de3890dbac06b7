"""Tests of `_cli.wait.rows`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions._cli.wait.events import (
    AbandonedEvent,
    SummaryEvent,
    WaitsStartedEvent,
)
from redis_enterprise_actions._cli.wait.progress import Progress, WaitGoal
from redis_enterprise_actions._cli.wait.rows import EndRow, end_row, shared_reasons, summary_text
from redis_enterprise_actions._model.outcome import Outcome
from tests.event_samples import COMPLETED, FAILED, REFS, UPDATE, end, end_before, time_at


if TYPE_CHECKING:
    from redis_enterprise_actions._cli.wait.events import WaitEndEvent

TITLE = "SMUpdateBDB on bdb:1"


def lost(ref: str, reason: str | None = "it answered 503", code: int = 5) -> WaitEndEvent:
    """Return the end of a wait that lost the cluster, or that timed out."""
    outcome = "unreachable" if code == 5 else "timed out"
    event = end(65, ref, UPDATE, outcome, code, "x")
    return msgspec.structs.replace(event, reason=reason)


@pytest.mark.parametrize(
    ("event", "row"),
    [
        (
            end(60, REFS[0], COMPLETED, "completed", 0, "x"),
            EndRow(Outcome.COMPLETED, "green", TITLE, "completed", "1m 00s", ""),
        ),
        (
            end(29, REFS[1], FAILED, "failed", 1, "x"),
            EndRow(
                Outcome.FAILED,
                "red",
                "maintenance_on on node:1",
                "failed",
                "29s",
                "e17: no room, 100% full",
            ),
        ),
        (
            lost(REFS[0], "at 28 %", 3),
            EndRow(Outcome.TIMED_OUT, "yellow", TITLE, "timed out", "1m 05s", "at 28 %"),
        ),
        (
            end_before(REFS[0], COMPLETED, 0, "x"),
            EndRow(Outcome.COMPLETED, "green", TITLE, "completed", "", "had ended before"),
        ),
        (
            end_before(REFS[1], FAILED, 1, "x"),
            EndRow(
                Outcome.FAILED,
                "red",
                "maintenance_on on node:1",
                "failed",
                "",
                "had ended before: e17: no room, 100% full",
            ),
        ),
        (
            AbandonedEvent(**time_at(3), ref="action:a1", message="x", action=None),
            EndRow(Outcome.INTERRUPTED, "dim", "a1", "left", "3.0s", "never seen"),
        ),
        (
            msgspec.structs.replace(lost("action:a1", "no\nroom"), ref=None, action=None),
            EndRow(Outcome.UNREACHABLE, "red", "the call", "unreachable", "1m 05s", "no room"),
        ),
    ],
)
def test_end_row(event: WaitEndEvent | AbandonedEvent, row: EndRow) -> None:
    """A row has the title, the outcome, the duration, and a few words on the reason."""
    assert end_row(event) == row


def test_shared_reasons() -> None:
    """A reason is shared if several waits lost the cluster for it."""
    left = AbandonedEvent(**time_at(3), ref="action:a1", message="x", action=None)
    ends = [lost("1"), lost("2"), lost("3", "else"), lost("4", None), lost("5", None), left]
    timed_out = [lost("6", "at 28 %", 3), lost("7", "at 28 %", 3)]

    assert shared_reasons([*ends, *timed_out]) == {"it answered 503": 2}


def summary(
    why: str | None,
    *ends: WaitEndEvent,
    refs: tuple[str, ...] = (),
    goal: WaitGoal | None = None,
) -> str:
    """Return the summary of waits for these references, of which some have ended."""
    progress = Progress()
    progress.goal = goal or WaitGoal()
    for event in (WaitsStartedEvent(**time_at(0), refs=refs), *ends):
        progress.apply(event)
    counts = progress.outcome_counts
    left = len(progress.abandoned)
    return summary_text(
        SummaryEvent(**time_at(9), exit_code=1, ended=counts, left=left, why=why), progress
    )


def test_summary() -> None:
    """The summary has the counts and the exit code, and no command if all ends were seen."""
    done = end(1, REFS[0], COMPLETED, "completed", 0, "x")

    assert summary(None, done, refs=REFS[:1]) == "1 completed (exit code 1)"
    assert summary("interrupted") == "interrupted (exit code 1)"


def test_resume() -> None:
    """The summary has the command that waits for what was not seen to end."""
    refs = ("action:a1", "crdb:my task", "node:1/maintenance_on@t1")
    ends = [lost(refs[0], code=3), lost(refs[1])]

    assert summary(None, *ends, refs=refs) == (
        "1 timed out, 1 unreachable (exit code 1). "
        "Resume: redis-actions wait a1 'crdb:my task' node:1/maintenance_on@t1"
    )


@pytest.mark.parametrize(
    ("refs", "goal", "commands"),
    [
        (["action:a1"], WaitGoal("state=a b"), ["a1 --until 'state=a b'"]),
        (
            ["bdb:2@available", "action:a1", "bdb:2@available"],
            WaitGoal("available", 1.5),
            ["a1 --until available --hold 1.5s", "bdb:2@available --hold 1.5s"],
        ),
        (["bdb:2@available"], WaitGoal(hold=1e6), ["bdb:2@available --hold 1000000s"]),
        (
            ["crdb:g@replicating,with=h:1+i:2", "crdb:f@replicating,with=h:1+i:2"],
            WaitGoal(None, 5, ["eu 1", "us"]),
            ["crdb:g@replicating crdb:f@replicating --hold 5s --with 'eu 1' --with us"],
        ),
        (
            ["crdb:g@replicating,with=h:1"],
            WaitGoal(),
            ["crdb:g@replicating,with=h:1"],
        ),
        (["bdb:2@available"], WaitGoal(others=["eu"]), ["bdb:2@available"]),
    ],
)
def test_resume_options(refs: list[str], goal: WaitGoal, commands: list[str]) -> None:
    """The commands have the options that still matter: those of the goal."""
    text = summary(None, refs=tuple(refs), goal=goal)

    assert text.endswith("Resume: " + "; ".join(f"redis-actions wait {each}" for each in commands))


def test_many_to_resume() -> None:
    """Many references are counted only."""
    refs = tuple(f"action:a{number}" for number in range(6))

    assert summary(None, refs=refs).endswith(
        "6 have not been seen to end: their references are in --json and --report"
    )
