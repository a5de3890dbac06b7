"""Databases that the command line gives by name, as `name:NAME`, and their uids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from redis_enterprise_actions._model.database_names import NamedReference, name_in, uid_of


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._model.reference import Reference

    from .listing.query import Selection


async def resolve_names(
    client: ActionsClient,
    refs: Sequence[Reference | NamedReference],
    report: Callable[[str], object],
) -> list[Reference]:
    """Return references with the uids of databases in place of their names, by one list of these.

    `report` gets a line for each name. Raises `UsageError`: `DatabaseNotFound` if no database has
    the name; and `RequestError`.
    """
    is_named = any(isinstance(ref, NamedReference) for ref in refs)
    names = await client.databases.names() if is_named else {}
    resolved: list[Reference] = []
    for ref in refs:
        if isinstance(ref, NamedReference):
            resolved.append(ref.with_uid(uid_of(ref.name, names)))
            report(f"{ref} is {resolved[-1]}")
        else:
            resolved.append(ref)
    return resolved


async def resolve_selection(client: ActionsClient, selection: Selection) -> Selection:
    """Return filters with the uid of the database in place of its name; raise as above."""
    name = None if selection.bdb is None else name_in(selection.bdb)
    if name is None:
        return selection
    return msgspec.structs.replace(selection, bdb=uid_of(name, await client.databases.names()))
