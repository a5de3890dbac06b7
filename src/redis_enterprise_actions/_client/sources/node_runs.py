"""Runs of a node's or the cluster's action: which one a reference follows.

The cluster keeps the result of the last run of each action until the next run starts. A `task_id`
distinguishes the runs if the cluster gives one; otherwise the state before the call does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from redis_enterprise_actions._model.action import Action, Ambiguity, AmbiguousAnswer, phase_of
from redis_enterprise_actions._model.reference import AFTER, LOST, Reference


if TYPE_CHECKING:
    from typing import TypeAlias

    MatchedRun: TypeAlias = Action | AmbiguousAnswer | None

UNKNOWN_STATUS: Final = "?"  # the status before the call, if the user may not see it


class RunIdentity(NamedTuple):
    """The run of an action that a reference follows.

    `previous_status` and `previous_task_id` are those before the call: the status is empty if
    there was no run, `UNKNOWN_STATUS` if the user may not see it, and None if this client has not
    started the run. `task_id` is that of the run itself, if it is known. `call` is `LOST` if the
    answer to the call was lost, so that the run may not exist.
    """

    previous_status: str | None
    previous_task_id: str
    task_id: str
    call: str = AFTER

    def __str__(self) -> str:
        if self.previous_status is None or (
            self.task_id and (self.previous_task_id or not self.previous_status)
        ):
            return self.task_id  # suffices to identify the run
        previous = (self.previous_status, self.previous_task_id)
        parts = [self.call, *(quote(text, safe="?") for text in previous), self.task_id]
        return ",".join(parts).rstrip(",")


def identify_next_run(before: Action | None) -> RunIdentity:
    """Return the identity of a run that is about to start, given the last one."""
    if before is None:
        return RunIdentity("", "", "")
    return RunIdentity(before.status or UNKNOWN_STATUS, before.task_id or "", "")


def parse_run(ref: Reference) -> RunIdentity:
    """Return the identity of the run that a reference follows."""
    call, *rest = ref.run.split(",", 3)
    if call not in {AFTER, LOST}:
        return RunIdentity(None, "", ref.run)
    status, previous_task_id, task_id = [*rest, "", "", ""][:3]
    return RunIdentity(unquote(status), unquote(previous_task_id), task_id, call)


def with_lost_call(ref: Reference) -> Reference:
    """Return a reference to a run that may not exist, as the answer to its call was lost."""
    return msgspec.structs.replace(ref, run=str(parse_run(ref)._replace(call=LOST)))


def known_task_id(ref: Reference, last: Action | None) -> str | None:
    """Return the `task_id` of the run that a reference follows, if it is known."""
    if last is not None and last.task_id is not None:
        return last.task_id
    return parse_run(ref).task_id or None


def match_run(action: Action, ref: Reference, last: Action | None) -> MatchedRun:
    """Return an action if it is the run that a reference follows, otherwise None.

    It is ambiguous if it may be the result of an earlier run.
    """
    run, task_id = parse_run(ref), known_task_id(ref, last)
    previous = run.previous_status
    if action.task_id is not None and (task_id is not None or run.previous_task_id):
        is_other = action.task_id == run.previous_task_id
        is_ours = action.task_id == task_id if task_id is not None else not is_other
        return action if is_ours else None
    if not ref.run or previous == "" or (action.task_id is not None and previous != UNKNOWN_STATUS):
        return action
    if previous is None or previous == UNKNOWN_STATUS:
        same_status = True
    elif phase_of(previous).terminal:
        same_status = previous.casefold() == action.status.casefold()
    else:
        return None  # an earlier run was in progress, and this may be its state
    if not action.phase.terminal or not same_status:
        return action
    if run.call == LOST and last is None:
        return None  # the old result stays if the call was not executed
    return AmbiguousAnswer(Ambiguity.SAME_RESULT, action)
