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
from tests.served import Served


UPGRADES = 12
WAITS = UPGRADES + 1  # there is a node's maintenance besides
LONG = 120.0  # seconds that the first upgrade takes, so that all have begun by then
FAILS = 12  # the database whose upgrade fails
MAINTENANCE = "/v1/nodes/1/actions/maintenance_on"


def main(home: Path) -> None:
    """Run the test and print the figures."""
    served = Served()
    served.start()
    try:
        plan(served)
        with Instance(home, connection_to(served.cluster)) as airflow:
            crash(served, airflow)
    finally:
        served.stop()


def plan(served: Served) -> None:
    """Plan the upgrades, one of which fails."""
    served.do(lambda cluster: cluster.plan("POST", MAINTENANCE, Plan(duration=3600)))
    for uid in range(1, UPGRADES + 1):
        path, outcome = f"/v1/bdbs/{uid}/upgrade", "failed" if uid == FAILS else None
        served.do(lambda cluster, uid=uid: cluster.add_bdb(uid))
        served.do(
            lambda cluster, path=path, outcome=outcome, uid=uid: cluster.plan(
                "POST", path, Plan(duration=LONG + uid, outcome=outcome), times=None
            )
        )


def crash(served: Served, airflow: Instance) -> None:
    """Kill the triggerer during all waits, and check that another one continues."""
    began = time.monotonic()
    all_wait = until("all wait", lambda: airflow.states() == {"deferred": WAITS}, limit=LONG)
    until("all are looked at", lambda: lists(served) > 2, limit=30)
    memory = airflow.memory("triggerer")
    resumed = kill(served, airflow)
    cancelled = user_kills(served, airflow)
    ends = {"success": UPGRADES - 1, "failed": 2}
    until("all have ended", lambda: airflow.states() == ends, limit=LONG + 180)
    over, calls = time.monotonic() - began, changes(served)
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
    print(f"requests in all               {len(served.cluster.requests)}")
    print(
        f"memory of the triggerer       {memory:.0f} MB, {airflow.memory('triggerer'):.0f} MB after"
    )


def kill(served: Served, airflow: Instance) -> float:
    """Kill the triggerer and start one; return the seconds until the next poll."""
    airflow.end("triggerer", signal.SIGKILL)
    killed, asked = time.monotonic(), len(served.cluster.requests)
    time.sleep(5)
    assert len(served.cluster.requests) == asked, "somebody else asks"
    assert airflow.states() == {"deferred": WAITS}
    airflow.start("triggerer")
    until("it goes on", lambda: len(served.cluster.requests) > asked, limit=120)
    assert not [call for call in changes(served) if call.startswith("DELETE")]
    return time.monotonic() - killed


def user_kills(served: Served, airflow: Instance) -> float:
    """Mark the maintenance as failed; return the seconds until it is cancelled on the cluster."""
    airflow.mark_failed("maintenance")
    return until("it is cancelled", lambda: f"DELETE {MAINTENANCE}" in changes(served), limit=60)


def changes(served: Served) -> Counter[str]:
    """Return the number of calls by path."""
    seen = served.cluster.requests
    return Counter(f"{each.method} {each.path}" for each in seen if each.method != "GET")


def lists(served: Served) -> int:
    """Return the number of requests for the list of actions."""
    return sum(seen.path == "/v1/actions" for seen in served.cluster.requests)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
