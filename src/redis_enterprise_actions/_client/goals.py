"""`until=`: ends of a wait that are not the end of the work."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from redis_enterprise_actions._client.polling.limits import Goal
from redis_enterprise_actions._client.wire.databases import DELETE_DATABASE
from redis_enterprise_actions._model.action import Action, Kind
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.reference import Condition, Reference, ReferenceKind
from redis_enterprise_actions._model.unawaited import refuse_unawaited


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
# Work and references that are on no database
_OTHER_REFERENCES: Final = frozenset(
    {ReferenceKind.NODE, ReferenceKind.CLUSTER, ReferenceKind.BOOTSTRAP}
)
_DELETIONS: Final = frozenset({DELETE_DATABASE, "delete_crdb"})
_NOT_ON_OBJECTS: Final = frozenset(
    {Kind.NODE_ACTION, Kind.CLUSTER_ACTION, Kind.BOOTSTRAP, Kind.CONDITION}
)
_PERCENT: Final = re.compile(r"\d{1,3}(?:\.\d{1,6})?", re.ASCII)
_ALL: Final = 100.0  # percent


def parse_until(
    until: Until | None, ref: Reference | None, subject: tuple[str, str] | None = None
) -> Goal | None:
    """Return the goal of a wait for the work that `ref` names. Raises `UsageError`.

    A completed action has passed every state and every progress. A wait for a condition takes no
    other goal. `subject` is the type and the uid of the object of the call that began the work.
    """
    if until is None:
        return None
    if ref is not None and ref.condition is not None:
        raise UsageError("until= is for work, and this is a condition already")
    if callable(until):
        return Goal(is_reached=until)
    if not isinstance(until, str):
        refuse_unawaited(until, argument="until")
        raise UsageError(f"until={until!r:.100} is neither text nor a function")
    word, equals, value = until.strip().partition("=")
    if equals and word == "state" and value.strip():
        return Goal(until.strip(), partial(_is_in_state, value.strip()))
    if equals and word == "progress" and _PERCENT.fullmatch(value) and float(value) <= _ALL:
        return Goal(until.strip(), partial(_has_progress, float(value)))
    if not equals and word in {*_OBJECT_TYPES, *_OF_CLUSTER}:
        condition = Condition(word)
        if ref is not None:
            _check_reference(condition, ref, subject)
        next_reference = partial(condition_after, condition, subject=subject)
        check = None if condition in _OF_CLUSTER else partial(_check_object, condition)
        return Goal(word, next_reference=next_reference, check=check)
    raise UsageError(f"until={until!r:.100} is none of {_WORDS}, state=NAME and progress=PERCENT")


def check_goal(
    until: Until | None,
    hold: float,
    ref: Reference | None,
    subject: tuple[str, str] | None = None,
) -> Goal | None:
    """Return the goal of a wait. Raises `UsageError` if it, or `hold=`, cannot work."""
    goal = parse_until(until, ref, subject)
    is_condition = goal is not None and goal.next_reference is not None
    if hold and not is_condition and (ref is None or ref.condition is None):
        raise UsageError("a hold is for conditions, such as until='available' or bdb:1@available")
    return goal


def check_call(until: Until | None, object_type: str | None, call: str) -> None:
    """Raise `UsageError` if `until` is a condition of another object than that of a call.

    The type is None if only the work can tell it, and empty if the call leaves no object.
    """
    word = until.strip() if isinstance(until, str) else ""
    for condition, (expected, _) in _OBJECT_TYPES.items():
        if condition.value == word and object_type not in {None, expected}:
            raise _not_of(condition, call)


def condition_after(
    condition: Condition, action: Action, *, subject: tuple[str, str] | None = None
) -> Reference:
    """Return the reference of a condition of the object that an action has worked on.

    Where the action names none, it is that of the call.
    """
    if condition in _OF_CLUSTER:
        return Reference(ReferenceKind.CLUSTER, "", condition.value)
    object_type, kind = _OBJECT_TYPES[condition]
    found = action.object_type, action.object_uid
    if not all(found):
        found = subject or found
    if found[0] != object_type or not found[1]:
        raise _not_of(condition, action.title)
    return Reference(kind, found[1], condition.value)


def _check_reference(condition: Condition, ref: Reference, subject: tuple[str, str] | None) -> None:
    """Raise `UsageError` if a reference, or the call, shows that the condition cannot be of it."""
    if condition in _OF_CLUSTER:
        return
    is_other = subject is not None and subject[0] != _OBJECT_TYPES[condition][0]
    is_deletion = ref.is_deletion or (ref.kind is ReferenceKind.ACTION and bool(ref.run))
    if is_deletion or is_other or ref.kind in _OTHER_REFERENCES:
        raise _not_of(condition, f"the deletion {ref}" if is_deletion else str(ref))


def _check_object(condition: Condition, action: Action) -> None:
    """Raise `UsageError` as soon as an action shows that the condition cannot be one of it."""
    is_other = action.object_type not in {None, _OBJECT_TYPES[condition][0]}
    if is_other or action.kind in _NOT_ON_OBJECTS or action.name in _DELETIONS:
        raise _not_of(condition, action.title)


def _not_of(condition: Condition, work: str) -> UsageError:
    owner = "database" if condition is not Condition.REPLICATING else "Active-Active database"
    return UsageError(f"until={condition.value!r} is for work on one {owner}, and this is {work}")


def _is_in_state(name: str, action: Action) -> bool:
    return name.casefold() in {
        (action.state or "").strip().casefold(),
        action.status.strip().casefold(),
    }


def _has_progress(percent: float, action: Action) -> bool:
    return action.progress is not None and action.progress >= percent
