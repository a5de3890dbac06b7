"""Base of the resources: calls that start work, waits, and lists of what runs.

These modules import little, as the command makes its named calls from their signatures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from redis_enterprise_actions._client.sources.paths import checked_uid
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.unawaited import refuse_unawaited


if TYPE_CHECKING:
    from redis_enterprise_actions._client.operation import ClientParts

_T = TypeVar("_T")


class Resource:
    """One kind of object of a cluster, and what can be done with it."""

    def __init__(self, parts: ClientParts) -> None:
        self._parts = parts

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def merge(given: Mapping[str, _T] | None, name: str, own: Mapping[str, _T]) -> dict[str, _T]:
    """Return fields that the caller gives together with those that a call has of its own.

    Raises `UsageError` if what is given as the argument `name` is no mapping.
    """
    if given is not None and not isinstance(given, Mapping):
        refuse_unawaited(given)
        raise UsageError(f"{name}= is not a mapping of names to values")
    return {**(given or {}), **own}


def query(params: Mapping[str, object] | None, *, dry_run: bool) -> Mapping[str, object] | None:
    """Return the parameters of a call, with that of a dry run where one is wanted."""
    return merge(params, "params", {"dry_run": True}) if dry_run else params


def as_list(values: Iterable[_T], name: str) -> list[_T]:
    """Return several values as a list; raise `UsageError` for one value, or a coroutine."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        refuse_unawaited(cast("object", values))
        raise UsageError(f"{name}= is not a list of values")
    several = list(values)
    refuse_unawaited(*several)
    return several


def node_uids(ignore_maintenance: Iterable[int]) -> frozenset[int]:
    """Return the uids of the nodes whose maintenance is ignored. Raises `UsageError`."""
    uids = as_list(ignore_maintenance, "ignore_maintenance")
    checked = frozenset(checked_uid(uid, "node") for uid in uids)
    if 0 in checked:
        raise UsageError("0 is not the uid of a node, such as 1")
    return checked
