"""Runs of a node's bootstrap: whether an end is that of the run that a reference follows.

A node keeps the end of its last bootstrap until the next one begins. The vendor's page permits the
next one only in the states `idle` and `error`.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._client.wire.bootstrap import BOOTSTRAP_PHASES, IDLE
from redis_enterprise_actions._model.action import Action, Ambiguity, AmbiguousAnswer, Phase
from redis_enterprise_actions._model.reference import AFTER, LOST, Reference


if TYPE_CHECKING:
    from datetime import datetime

_JITTER: Final = timedelta(seconds=2)  # by which two answers about one run may differ
_CLOCK_STEP: Final = timedelta(minutes=1)  # by which a new machine may set its clock back


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
    action: Action, ref: Reference, last: Action | None, idle_at: datetime | None = None
) -> Action | AmbiguousAnswer | None:
    """Return the state of a node's bootstrap if it is that of the run that a reference follows.

    Otherwise it is ambiguous: no bootstrap has begun, the end may be that of the one before, or the
    state is that of another run than `last`. It is None if the state before the call goes on, or
    stays after a call that may have been lost. `idle_at` is when the node was last seen idle, by
    the node's own clock: a bootstrap that began long before that is not the one of the call.
    """
    if is_idle(action):
        return AmbiguousAnswer(Ambiguity.IDLE, action)
    if last is not None and _is_other_run(action, last):
        return AmbiguousAnswer(Ambiguity.REPLACED, action)
    if not ref.run:
        return action
    is_old = last is None and action.phase.terminal and _is_before(action, idle_at, _CLOCK_STEP)
    return None if is_old else _match_call(action, ref, last)


def _match_call(
    action: Action, ref: Reference, last: Action | None
) -> Action | AmbiguousAnswer | None:
    """Return a state if it is not that before a call. `last` is None if none was seen before."""
    if not _is_as_before(action, ref):
        return action
    if not action.phase.terminal or (ref.run.startswith(LOST) and last is None):
        return None
    if action.phase is not Phase.COMPLETED:
        return AmbiguousAnswer(Ambiguity.SAME_RESULT, action)
    if _began_before_call(ref) is not None and action.creation_time is not None:
        return None  # this very run had ended before the call
    return AmbiguousAnswer(Ambiguity.OLD_RESULT, action)


def _is_other_run(action: Action, last: Action) -> bool:
    """Return True if a state is not that of the run that was seen last.

    The name of a node may lead to several nodes, each of which answers for itself.
    """
    began, last_began = action.creation_time, last.creation_time
    if began is not None and began == last_began:
        return False
    if _is_before(action, last_began, _JITTER):
        return True
    uids = {action.node_uid, last.node_uid}
    return None not in uids and len(uids) > 1


def _is_as_before(action: Action, ref: Reference) -> bool:
    """Return True if a state is, or may be, that before the call.

    The time at which a bootstrap began distinguishes one from the next, where the node gives it. A
    next one that begins within the same second has another state.
    """
    state, began = _state_before_call(ref), _began_before_call(ref)
    if not state:
        return action.phase.terminal
    phase = BOOTSTRAP_PHASES.get(state, Phase.UNKNOWN)
    if state == IDLE or (phase.terminal and not action.phase.terminal):
        return False
    if began is None or action.creation_time is None:
        return state == _word(action)
    later_by = action.creation_time.timestamp() - began
    if phase.terminal and state == _word(action):
        return later_by <= _JITTER.total_seconds()
    return later_by < 0 if phase.terminal else later_by == 0


def _is_before(action: Action, time: datetime | None, tolerance: timedelta) -> bool:
    began = action.creation_time
    return began is not None and time is not None and began < time - tolerance


def _state_before_call(ref: Reference) -> str:
    return [*ref.run.split(","), ""][1]


def _began_before_call(ref: Reference) -> float | None:
    """Return when the bootstrap before the call had begun, in seconds since the epoch, or None."""
    with contextlib.suppress(IndexError, ValueError):
        return float(ref.run.split(",")[2])
    return None


def _word(action: Action) -> str:
    """Return a state as the run of a reference can hold it."""
    word = action.status.strip().casefold()
    return word if word.isascii() and word.replace("_", "").isalnum() else "unknown"


def _time_text(time: datetime | None) -> str:
    return "" if time is None else f"{time.timestamp():.3f}".rstrip("0").rstrip(".")
