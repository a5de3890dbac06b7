"""Export a database, then import the export into another database, replacing its data.

Usage: python examples/move_data.py [FROM_BDB_UID TO_BDB_UID LOCATION SOURCES]

LOCATION and SOURCES are files: the JSON of an export_location, and of the dataset_import_sources
that name the exported files. Both may hold secrets, which do not belong on a command line. If
TARGET_URL is set, the other database is on that cluster, which has a user of the same name.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from where import a_cluster


async def main(source: int, target: int, location: object, sources: object) -> None:
    """Export, wait, import, wait: the import of an incomplete export would succeed, too."""
    async with a_cluster() as here, a_cluster(os.environ.get("TARGET_URL")) as there:
        export = await here.databases.export(source, location)
        print(f"exporting: {export.ref}")
        await export.wait(timeout=7200, on_progress=print)

        load = await there.databases.import_(target, sources, busy_timeout=600)
        print(f"importing: {load.ref}")
        await load.wait(timeout=7200, on_progress=print)
    print(f"database {target} holds what database {source} held")


if sys.argv[1:]:
    place, files = (json.loads(Path(name).read_text("utf-8")) for name in sys.argv[3:5])
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), place, files))
else:
    folder = "ftp://backup.example.com/moving/"
    files = [{"type": "url", "url": f"{folder}database-1.rdb.gz"}]
    asyncio.run(main(1, 2, {"type": "url", "url": folder}, files))
