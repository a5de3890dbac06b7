"""Export a database, then import what came of it into another one, which may be elsewhere.

Usage: python examples/move_data.py [FROM_BDB_UID TO_BDB_UID FTP_URL]
"""

from __future__ import annotations

import asyncio
import sys

from where import a_cluster


async def main(source: int, target: int, url: str) -> None:
    """Await the export, as an import of half of it would succeed, too."""
    place = {"type": "ftp", "url": url}
    async with a_cluster() as here, a_cluster() as there:
        export = await here.export_bdb(source, place)
        print(f"exporting: {export.ref}")
        await export.wait(timeout=7200, on_progress=print)

        load = await there.import_bdb(target, [place], busy_timeout=600)
        print(f"importing: {load.ref}")
        await load.wait(timeout=7200, on_progress=print)
    print(f"database {target} holds what database {source} held")


given = sys.argv[1:] or ["1", "2", "ftp://backup.example.com/moving"]
asyncio.run(main(int(given[0]), int(given[1]), given[2]))
