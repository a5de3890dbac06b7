"""Prefixes of UUIDs, and names of databases, and the references that they stand for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.action_references import reference_to
from redis_enterprise_actions._cli.database_names import resolve_names
from redis_enterprise_actions._cli.listing.command import fetch_selected
from redis_enterprise_actions._cli.listing.query import Selection
from redis_enterprise_actions._model.action import Kind
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.reference import ReferenceKind


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.database_names import NamedReference
    from redis_enterprise_actions._model.reference import Reference

_ZEROS: Final = "00000000-0000-0000-0000-000000000000"
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MIN_LENGTH: Final = 8  # characters
_MAX_NAMED: Final = 5  # matches in an error


class PrefixNotFound(UsageError):
    """No action or task of the cluster has a uid that begins so."""

    outcome = Outcome.NOT_FOUND


def is_prefix(ref: Reference) -> bool:
    """Return True for a reference to an action, or to a task, by the beginning of a UUID only."""
    return (
        ref.kind in {ReferenceKind.ACTION, ReferenceKind.CRDB}
        and _MIN_LENGTH <= len(ref.uid) < len(_ZEROS)
        and _UUID.fullmatch(ref.uid + _ZEROS[len(ref.uid) :]) is not None
    )


async def resolve_references(
    client: ActionsClient,
    refs: Sequence[Reference | NamedReference],
    report: Callable[[str], object],
) -> list[Reference]:
    """Return references, with the whole one in place of each prefix, by the cluster's list.

    Databases that are given by their names have their uids in them. `report` gets a line for each
    prefix and name. Raises `UsageError`, `PrefixNotFound` and `RequestError`.
    """
    whole = await resolve_names(client, refs, report)
    if not any(map(is_prefix, whole)):
        return whole
    actions, missing = await fetch_selected(client, Selection())
    return [
        _resolve(ref, actions, report, is_complete=not missing) if is_prefix(ref) else ref
        for ref in whole
    ]


def _resolve(
    prefix: Reference,
    actions: Iterable[Action],
    report: Callable[[str], object],
    *,
    is_complete: bool,
) -> Reference:
    matching = [action for action in actions if _matches(action, prefix)]
    exact = [each for each in matching if prefix.uid in {each.uid, each.task_id}]
    found = list(dict.fromkeys(map(reference_to, exact or matching)))
    if not found and not is_complete:
        raise UsageError(
            f"not all lists could be read, and in the others no uid begins with {prefix.uid}: "
            "give the whole uid"
        )
    if not found:
        raise PrefixNotFound(
            f"no action or task of the cluster has a uid that begins with {prefix.uid}"
        )
    if len(found) > 1:
        names = ", ".join(map(str, found[:_MAX_NAMED]))
        more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
        raise UsageError(f"{prefix.uid} is the beginning of {len(found)} uids: {names}{more}")
    report(f"{prefix.uid} is {found[0]}")
    return found[0]


def _matches(action: Action, prefix: Reference) -> bool:
    if prefix.kind is ReferenceKind.CRDB and action.kind is not Kind.CRDB_TASK:
        return False
    uids = [action.uid, action.task_id or ""]
    return any(uid.casefold().startswith(prefix.uid.casefold()) for uid in uids)
