"""Runs of a node's bootstrap: whether an end is that of the run that a reference follows.

A node keeps the end of its last bootstrap until the next one begins. The vendor's page permits the
next one only in the states `idle` and `error`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from redis_enterprise_actions._client.wire.bootstrap import IDLE
from redis_enterprise_actions._model.action import Action, Ambiguity, AmbiguousAnswer, Phase
from redis_enterprise_actions._model.reference import AFTER, LOST, Reference


if TYPE_CHECKING:
    from datetime import datetime


def is_idle(action: Action) -> bool:
    """Return True if no bootstrap of a node has begun."""
    return action.status.strip().casefold() == IDLE


def with_state(ref: Reference, before: Action | None) -> Reference:
    """Return the reference of the next bootstrap of a node, with the state before its call.

    The state is left out if it is not known.
    """
    parts = [AFTER]
    if before is not None:
        parts += [_word(before), _time_text(before.creation_time)]
    return msgspec.structs.replace(ref, run=",".join(filter(None, parts)))


def with_lost_call(ref: Reference) -> Reference:
    """Return the reference of a bootstrap that may not have begun, as its answer was lost."""
    return msgspec.structs.replace(ref, run=LOST + ref.run.removeprefix(AFTER))


def match_run(
    action: Action, ref: Reference, last: Action | None
) -> Action | AmbiguousAnswer | None:
    """Return the state of a node's bootstrap if it is that of the run that a reference follows.

    Otherwise it is ambiguous: no bootstrap has begun, or the end may be that of the one before. It
    is None if the state before the call goes on, or stays after a call that may have been lost.
    """
    if is_idle(action):
        return AmbiguousAnswer(Ambiguity.IDLE, action)
    if not ref.run or not _is_as_before(action, ref):
        return action
    if not action.phase.terminal or (ref.run.startswith(LOST) and last is None):
        return None
    if action.phase is Phase.COMPLETED:
        return AmbiguousAnswer(Ambiguity.OLD_RESULT, action)
    return AmbiguousAnswer(Ambiguity.SAME_RESULT, action)


def _is_as_before(action: Action, ref: Reference) -> bool:
    """Return True if a state is, or may be, that before the call.

    The time at which a bootstrap began distinguishes one from the next, where the node gives it.
    """
    _, state, began, *_ = [*ref.run.split(","), "", ""]
    now_began = _time_text(action.creation_time)
    if not state:
        return action.phase.terminal
    if began and now_began:
        return began == now_began
    return state == _word(action)


def _word(action: Action) -> str:
    """Return a state as the run of a reference can hold it."""
    word = action.status.strip().casefold()
    return word if word.isascii() and word.replace("_", "").isalnum() else "unknown"


def _time_text(time: datetime | None) -> str:
    return "" if time is None else f"{time.timestamp():.3f}".rstrip("0").rstrip(".")
