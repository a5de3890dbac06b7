"""References that give databases by name, as `bdb:name:NAME`, and the uids of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._model.database_names import NamedReference, uid_of


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._model.reference import Reference


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
