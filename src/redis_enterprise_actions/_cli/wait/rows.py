"""Rows that tell the ends of waits, on every display but those of CI systems, and the summary."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._model.action import last_seen_text
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.reference import parse_reference
from redis_enterprise_actions._model.text import duration_text, one_line

from .events import AbandonedEvent, WaitEndEvent
from .progress import format_summary, title_of


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .events import SummaryEvent
    from .progress import Progress, WaitGoal

RESUME: Final = "Resume: "  # before the command at the end of a summary
HOW_WIDTH: Final = 9  # cells of `completed`
TIME_WIDTH: Final = 7  # cells of `10m 00s`
_OUTCOMES: Final = {str(outcome): outcome for outcome in Outcome}
_OTHERS: Final = ",with="  # in the reference of a condition that other clusters are asked for
_MAX_RESUMED: Final = 5  # references that the summary names
_STYLES: Final = {0: "green", 3: "yellow"}  # by exit code; any other is red
_BARE: Final = re.compile(r"action:([0-9A-Za-z-]+)")  # references whose uid alone is one, too
_MAY_GO_ON: Final = frozenset({3, 5})  # exit codes of waits that did not see the end


class EndRow(NamedTuple):
    """Row of a wait that has ended. `note` is a few words on the reason."""

    outcome: Outcome
    style: str
    title: str
    how: str
    duration: str
    note: str


def end_row(end: WaitEndEvent | AbandonedEvent) -> EndRow:
    """Return the row for the end of a wait."""
    title = one_line(title_of(end.ref, end.action))
    waited = duration_text(end.elapsed)
    if isinstance(end, AbandonedEvent):
        seen = last_seen_text(end.action)
        return EndRow(Outcome.INTERRUPTED, "dim", title, "left", waited, seen)
    note = one_line(end.reason or "")
    if end.already_over:
        waited, note = "", f"had ended before{note and f': {note}'}"
    style = _STYLES.get(end.exit_code, "red")
    return EndRow(_OUTCOMES[end.outcome], style, title, end.outcome, waited, note)


def shared_reasons(ends: Iterable[WaitEndEvent | AbandonedEvent]) -> dict[str, int]:
    """Return the reasons for which several waits lost the cluster, with the number of waits."""
    lost = [each for each in ends if isinstance(each, WaitEndEvent) and each.exit_code == 5]
    reasons = Counter(one_line(end.reason or "") for end in lost)
    return {reason: count for reason, count in reasons.items() if count > 1 and reason}


def summary_text(summary: SummaryEvent, progress: Progress) -> str:
    """Return the summary: the counts, the exit code, and how to wait for what has not ended."""
    text = f"{format_summary(summary)} (exit code {summary.exit_code})"
    open_waits = [
        wait.open_reference
        for wait in progress.waits.values()
        if not isinstance(wait.end, WaitEndEvent) or wait.end.exit_code in _MAY_GO_ON
    ]
    if not open_waits:
        return text
    if len(open_waits) > _MAX_RESUMED:
        where = "their references are in --json and --report"
        return f"{text}. {len(open_waits)} have not been seen to end: {where}"
    return f"{text}. {RESUME}{'; '.join(_resuming(open_waits, progress.goal))}"


def _resuming(refs: Iterable[str], goal: WaitGoal) -> Iterator[str]:
    """Yield the commands that wait for what has not ended: work, and conditions by themselves."""
    texts = list(dict.fromkeys(refs))
    conditions = [ref for ref in texts if parse_reference(ref).condition is not None]
    until = [] if goal.until is None else ["--until", shlex.quote(goal.until)]
    hold = ["--hold", f"{goal.hold:.3f}".rstrip("0").rstrip(".") + "s"] if goal.hold else []
    if work := [ref for ref in texts if ref not in conditions]:
        yield " ".join(["redis-actions wait", *map(_argument, work), *until, *hold])
    if conditions:
        parts = [ref.partition(_OTHERS) for ref in conditions]
        others = [
            text
            for name in (goal.others if any(part[1] for part in parts) else ())
            for text in ("--with", shlex.quote(name))
        ]
        shown = [part[0] if others else ref for ref, part in zip(conditions, parts, strict=True)]
        yield " ".join(["redis-actions wait", *map(_argument, shown), *hold, *others])


def _argument(ref: str) -> str:
    bare = _BARE.fullmatch(ref)
    return bare[1] if bare else shlex.quote(ref)
