"""Fields of actions as text, and lines of these for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._cli.action_references import short_reference_to
from redis_enterprise_actions._model.text import one_line


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from redis_enterprise_actions._model.action import Action


def tab_separated(actions: Sequence[Action], now: datetime) -> list[str]:
    """Return a line for each action, for programs: fields between tabs, `-` for an empty one.

    Progress is in percent, and the age in seconds.
    """
    lines: list[str] = []
    for action in actions:
        age = age_of(action, now)
        fields = (
            short_reference_to(action),
            action.title,
            action.status,
            "" if action.progress is None else f"{action.progress:g}",
            reason_or_state(action),
            "" if age is None else str(int(age)),
        )
        lines.append("\t".join(one_line(field) or "-" for field in fields))
    return lines


def reason_or_state(action: Action) -> str:
    """Return the reason of a failure, or else the current step."""
    return action.reason or action.state or ""


def age_of(action: Action, now: datetime) -> float | None:
    """Return the age in seconds: 0 if the cluster's clock is ahead of this machine's."""
    created = action.creation_time
    return None if created is None else max(0.0, (now - created).total_seconds())
