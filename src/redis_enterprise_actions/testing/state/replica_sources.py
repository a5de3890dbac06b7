"""Sources of a database that is a replica of others (Replica Of), as functions of time.

Vendor pages: objects/bdb/replica_sources, objects/bdb/replica_sources_status. A test sets how long
it takes until sources are in sync; that half of this time passes until they are syncing is a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast


if TYPE_CHECKING:
    from .databases import FakeDatabase, SyncStatus


def replica_fields(database: FakeDatabase, now: float, delay: float) -> dict[str, object]:
    """Return the fields of a database object that show its sources; none if it has no sources.

    `delay` is in seconds, from the end of the state machine that has set the sources until they
    are in sync. `replica_sync` is "enabled" unless it was set.
    """
    if not database.has_sources:
        return {}
    config = database.config(now)
    sync, sources = config["replica_sync"], _objects(config["replica_sources"])
    count = max([len(sources), *(index + 1 for index in database.source_statuses)])
    automatic = _status(database, now, delay)
    return {
        "replica_sync": "enabled" if count and sync == "disabled" else sync,
        "replica_sources": [
            {
                "uri": f"redis://source{index + 1}.local:10000",
                **(sources[index] if index < len(sources) else {}),
                "uid": index + 1,
                "status": database.source_statuses.get(index, automatic),
            }
            for index in range(count)
        ],
    }


def _objects(value: object) -> list[dict[str, object]]:
    """Return the objects of a list in a configuration, of which requests may set anything."""
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, object]", entry) for entry in entries if isinstance(entry, dict)]


def _status(database: FakeDatabase, now: float, delay: float) -> SyncStatus:
    since = now - database.sources_set_at(now)
    if since >= delay:
        return "in-sync"
    return "syncing" if since >= delay / 2 else "out-of-sync"
