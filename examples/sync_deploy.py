"""Upgrade of several databases at once, with threads and without an event loop.

Usage: python examples/sync_deploy.py [BDB_UID ...]

Ctrl-C ends all waits, and the upgrades go on. The client is closed before the pool, so that the
threads of the pool end.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from where import a_cluster_for_threads


if TYPE_CHECKING:
    from redis_enterprise_actions.sync import Action, ActionsClient, Database


def log(action: Action) -> None:
    """Print a line for each change; each thread calls this for its own database."""
    print(action, flush=True)


def upgrade(client: ActionsClient, bdb_uid: int) -> Database:
    """Upgrade a database, wait until it is available, and return it."""
    operation = client.databases.upgrade(bdb_uid, busy_timeout="10m")
    operation.wait(timeout="1h", until="available", on_progress=log)
    return operation.result()


def main() -> int:
    """Upgrade all databases at the same time."""
    uids = [int(uid) for uid in sys.argv[1:]] or [1, 2]
    try:
        with ThreadPoolExecutor(len(uids)) as pool, a_cluster_for_threads() as client:
            upgrades = [pool.submit(upgrade, client, uid) for uid in uids]
            names = [each.result().name for each in upgrades]
    except KeyboardInterrupt:
        print("interrupted: the upgrades go on", file=sys.stderr)
        return 130
    print(f"{' and '.join(names)} are upgraded and available")
    return 0


if __name__ == "__main__":
    sys.exit(main())
