"""Test that kills the triggerer during a dozen waits and starts another one.

Usage: python -m tests.airflow.crash.kill AIRFLOW_HOME, which is made
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from pathlib import Path

from redis_enterprise_actions.testing import Plan
from tests.airflow.conftest import connection_to
from tests.airflow.crash.instance import SLOTS, Instance, until
from tests.threaded_cluster import ThreadedCluster


UPGRADES = 12
WAITS = UPGRADES + 1  # there is a node's maintenance besides
LONG = 120.0  # seconds that the first upgrade takes, so that all have begun by then
FAILS = 12  # the database whose upgrade fails
MAINTENANCE = "/v1/nodes/1/actions/maintenance_on"


def main(home: Path) -> None:
    """Run the test and print the figures."""
    threaded = ThreadedCluster()
    threaded.start()
    try:
        plan(threaded)
        with Instance(home, connection_to(threaded.cluster)) as airflow:
            crash(threaded, airflow)
    finally:
        threaded.stop()


def plan(threaded: ThreadedCluster) -> None:
    """Plan the upgrades, one of which fails."""
    threaded.do(lambda cluster: cluster.plan("POST", MAINTENANCE, Plan(duration=3600)))
    for uid in range(1, UPGRADES + 1):
        path, outcome = f"/v1/bdbs/{uid}/upgrade", "failed" if uid == FAILS else None
        threaded.do(lambda cluster, uid=uid: cluster.add_bdb(uid))
        threaded.do(
            lambda cluster, path=path, outcome=outcome, uid=uid: cluster.plan(
                "POST", path, Plan(duration=LONG + uid, outcome=outcome), times=None
            )
        )


def crash(threaded: ThreadedCluster, airflow: Instance) -> None:
    """Kill the triggerer during all waits, and check that another one continues."""
    began = time.monotonic()
    all_wait = until("all wait", lambda: airflow.states() == {"deferred": WAITS}, limit=LONG)
    until("all are polled", lambda: lists(threaded) > 2, limit=30)
    memory = airflow.memory("triggerer")
    resumed = kill(threaded, airflow)
    cancelled = user_kills(threaded, airflow)
    ends = {"success": UPGRADES - 1, "failed": 2}
    until("all have ended", lambda: airflow.states() == ends, limit=LONG + 180)
    over, calls = time.monotonic() - began, changes(threaded)
    upgrades = {f"POST /v1/bdbs/{uid}/upgrade": 1 for uid in range(1, UPGRADES + 1)}
    assert calls == {**upgrades, f"POST {MAINTENANCE}": 1, f"DELETE {MAINTENANCE}": 1}, calls
    assert airflow.tries() == WAITS
    print(f"waits                         {WAITS}")
    print(f"worker slots                  {SLOTS}")
    print(f"all wait after                {all_wait:.0f} s")
    print(f"waits go on after the kill    {resumed:.0f} s")
    print(f"a user's kill cancels after   {cancelled:.0f} s")
    print(f"all over after                {over:.0f} s")
    print(f"as they should have           {WAITS}, each in its first try: 1 failed, 1 cancelled")
    print(f"calls that start something    {WAITS}, none twice")
    print(f"requests in all               {len(threaded.cluster.requests)}")
    print(
        f"memory of the triggerer       {memory:.0f} MB, {airflow.memory('triggerer'):.0f} MB after"
    )


def kill(threaded: ThreadedCluster, airflow: Instance) -> float:
    """Kill the triggerer and start one; return the seconds until the next poll."""
    airflow.end("triggerer", signal.SIGKILL)
    killed, requests_before = time.monotonic(), len(threaded.cluster.requests)
    time.sleep(5)
    assert len(threaded.cluster.requests) == requests_before, "another client sends requests"
    assert airflow.states() == {"deferred": WAITS}
    airflow.start("triggerer")
    until("it goes on", lambda: len(threaded.cluster.requests) > requests_before, limit=120)
    assert not [call for call in changes(threaded) if call.startswith("DELETE")]
    return time.monotonic() - killed


def user_kills(threaded: ThreadedCluster, airflow: Instance) -> float:
    """Mark the maintenance as failed; return the seconds until it is cancelled on the cluster."""
    airflow.mark_failed("maintenance")
    return until("it is cancelled", lambda: f"DELETE {MAINTENANCE}" in changes(threaded), limit=60)


def changes(threaded: ThreadedCluster) -> Counter[str]:
    """Return the number of calls by path."""
    seen = threaded.cluster.requests
    return Counter(f"{each.method} {each.path}" for each in seen if each.method != "GET")


def lists(threaded: ThreadedCluster) -> int:
    """Return the number of requests for the list of actions."""
    return sum(seen.path == "/v1/actions" for seen in threaded.cluster.requests)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
