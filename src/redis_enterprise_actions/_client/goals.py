"""`until=`: ends of a wait that are not the end of the work."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from redis_enterprise_actions._client.polling.wait_state import Goal
from redis_enterprise_actions._model.action import Action, Kind
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.reference import Condition, Reference, ReferenceKind


Until: TypeAlias = str | Callable[[Action], object]
"""End of a wait: a condition such as `"available"`, `"state=NAME"`, `"progress=50"`, or a function.

A function is called with each changed `Action`, and ends the wait when it returns a true value.
"""

_OF_CLUSTER: Final = frozenset({Condition.QUIET, Condition.HEALTHY})
_OBJECT_TYPES: Final = {
    Condition.AVAILABLE: ("bdb", ReferenceKind.BDB),
    Condition.IN_SYNC: ("bdb", ReferenceKind.BDB),
    Condition.REPLICATING: ("crdb", ReferenceKind.CRDB),
}
_WORDS: Final = ", ".join([*_OBJECT_TYPES, *sorted(_OF_CLUSTER)])
# Work that is on no database, or that names its object only once it has begun
_NOT_ON_OBJECTS: Final = frozenset(
    {Kind.NODE_ACTION, Kind.CLUSTER_ACTION, Kind.BOOTSTRAP, Kind.CONDITION}
)
_PERCENT: Final = re.compile(r"\d{1,3}(?:\.\d{1,6})?", re.ASCII)
_ALL: Final = 100.0  # percent


def parse_until(until: Until | None, ref: Reference | None) -> Goal | None:
    """Return the goal of a wait for the work that `ref` names. Raises `UsageError`.

    A completed action has passed every state and every progress. A wait for a condition takes no
    other goal.
    """
    if until is None:
        return None
    if ref is not None and ref.condition is not None:
        raise UsageError("until= is for work, and this is a condition already")
    if callable(until):
        return Goal(is_reached=until)
    if not isinstance(until, str):
        raise UsageError(f"until={until!r:.100} is neither text nor a function")
    word, equals, value = until.strip().partition("=")
    if equals and word == "state" and value.strip():
        return Goal(until.strip(), partial(_is_in_state, value.strip()))
    if equals and word == "progress" and _PERCENT.fullmatch(value) and float(value) <= _ALL:
        return Goal(until.strip(), partial(_has_progress, float(value)))
    if not equals and word in {*_OBJECT_TYPES, *_OF_CLUSTER}:
        condition = Condition(word)
        if ref is not None and ref.kind is ReferenceKind.BOOTSTRAP and condition in _OBJECT_TYPES:
            raise _wrong_object(condition, ref.name)
        next_reference = partial(condition_after, condition)
        check = None if condition in _OF_CLUSTER else partial(_check_object, condition)
        return Goal(word, next_reference=next_reference, check=check)
    raise UsageError(f"until={until!r:.100} is none of {_WORDS}, state=NAME and progress=PERCENT")


def check_goal(until: Until | None, hold: float, ref: Reference | None) -> Goal | None:
    """Return the goal of a wait. Raises `UsageError` if it, or `hold=`, cannot work."""
    goal = parse_until(until, ref)
    is_condition = goal is not None and goal.next_reference is not None
    if hold and not is_condition and (ref is None or ref.condition is None):
        raise UsageError("a hold is for conditions, such as until='available' or bdb:1@available")
    return goal


def condition_after(condition: Condition, action: Action) -> Reference:
    """Return the reference of a condition of the object that an action has worked on."""
    if condition in _OF_CLUSTER:
        return Reference(ReferenceKind.CLUSTER, "", condition.value)
    object_type, kind = _OBJECT_TYPES[condition]
    if action.object_type != object_type or not action.object_uid:
        raise _not_of(condition, action)
    return Reference(kind, action.object_uid, condition.value)


def _check_object(condition: Condition, action: Action) -> None:
    """Raise `UsageError` as soon as an action shows that the condition cannot be one of it."""
    is_other = action.object_type not in {None, _OBJECT_TYPES[condition][0]}
    if is_other or action.kind in _NOT_ON_OBJECTS:
        raise _not_of(condition, action)


def _not_of(condition: Condition, action: Action) -> UsageError:
    return _wrong_object(condition, action.title)


def _wrong_object(condition: Condition, title: str) -> UsageError:
    owner = "database" if condition is not Condition.REPLICATING else "Active-Active database"
    return UsageError(f"until={condition.value!r} is for work on one {owner}, and this is {title}")


def _is_in_state(name: str, action: Action) -> bool:
    return name.casefold() in {
        (action.state or "").strip().casefold(),
        action.status.strip().casefold(),
    }


def _has_progress(percent: float, action: Action) -> bool:
    return action.progress is not None and action.progress >= percent
