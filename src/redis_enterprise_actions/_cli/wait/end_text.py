"""Sentences that tell how a wait ended well: completed, available, reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._model.action import Kind
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.record import age_at_end, already_ended_text
from redis_enterprise_actions._model.text import duration_text, one_line


if TYPE_CHECKING:
    from redis_enterprise_actions._model.record import FinishedAction, Record
    from redis_enterprise_actions._model.reference import Reference


def completed_text(ref: Reference, result: FinishedAction, until: str | None) -> str:
    """Return the message for the end of a wait that did not fail."""
    record = result.record
    goal = goal_text(record, until)
    if result.kind is Kind.CONDITION:
        already = already_ended_text(record) is not None
        since = "" if already else f" after {duration_text(record.elapsed)}"
        return f"{result.title} is true{since}"
    name = f" [{one_line(ref.name)}]" if ref.name != result.title else ""
    title = f"{result.title}{name}"
    if record.outcome is Outcome.REACHED:
        return f"{title} {goal}; it goes on"
    if goal is None:
        return f"{title} {already_ended_text(record) or _completed_text(result)}"
    ended = record.transitions[0].phase.terminal
    return f"{title} {'had already completed' if ended else 'completed'}, {goal}"


def goal_text(record: Record, until: str | None) -> str | None:
    """Return when the goal of a wait was reached, or None if it had none but the end."""
    if record.outcome is Outcome.REACHED:
        return f"reached {until} after {duration_text(record.elapsed)}"
    ends = [each for each in record.transitions if each.phase.terminal]
    if len(ends) < 2:
        return None
    return f"{ends[-1].status} {duration_text(ends[-1].at - ends[0].at)} later"


def _completed_text(result: FinishedAction) -> str:
    age = age_at_end(result, result.record)
    about = "" if age is None else f", about {duration_text(age)} after it was created"
    return f"completed after {duration_text(result.record.elapsed)}{about}"
