"""Kills the triggerer in the middle of a dozen waits, starts another one, and looks what comes.

Usage: python -m tests.airflow.crash.kill AIRFLOW_HOME, which is made
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from pathlib import Path

from tests.airflow.conftest import connection_to
from tests.airflow.crash.instance import SLOTS, Instance, until
from tests.served import Served


WAITS = 12
LONG = 120.0  # seconds that the first upgrade takes, so that all have begun by then
FAILS = 12  # the database whose upgrade fails


def main(home: Path) -> None:
    """Let it happen, and print the figures."""
    served = Served()
    served.start()
    try:
        plan(served)
        with Instance(home, connection_to(served.cluster)) as airflow:
            crash(served, airflow)
    finally:
        served.stop()


def plan(served: Served) -> None:
    """Lay down how long each upgrade takes, and that one of them fails."""
    for uid in range(1, WAITS + 1):
        path, outcome = f"/v1/bdbs/{uid}/upgrade", "failed" if uid == FAILS else None
        served.do(lambda cluster, uid=uid: cluster.add_bdb(uid))
        served.do(
            lambda cluster, path=path, outcome=outcome, uid=uid: cluster.plan(
                "POST", path, times=None, duration=LONG + uid, outcome=outcome
            )
        )


def crash(served: Served, airflow: Instance) -> None:
    """Kill the triggerer while all wait."""
    began = time.monotonic()
    until("all wait", lambda: airflow.states() == {"deferred": WAITS}, limit=LONG)
    all_wait = time.monotonic() - began
    until("all are looked at", lambda: lists(served) > 2, limit=30)
    memory = airflow.memory("triggerer")
    airflow.end("triggerer", signal.SIGKILL)
    killed, asked = time.monotonic(), len(served.cluster.requests)
    time.sleep(5)
    assert len(served.cluster.requests) == asked, "somebody else asks"
    assert airflow.states() == {"deferred": WAITS}
    airflow.start("triggerer")
    until("it goes on", lambda: len(served.cluster.requests) > asked, limit=120)
    resumed = time.monotonic() - killed
    ends = {"success": WAITS - 1, "failed": 1}
    until("all have ended", lambda: airflow.states() == ends, limit=LONG + 180)
    calls = Counter(seen.path for seen in served.cluster.requests if seen.method != "GET")
    assert calls == {f"/v1/bdbs/{uid}/upgrade": 1 for uid in range(1, WAITS + 1)}, calls
    assert airflow.tries() == WAITS
    print(f"waits                         {WAITS}, of which 1 fails on the cluster")
    print(f"worker slots                  {SLOTS}")
    print(f"all wait after                {all_wait:.0f} s, Airflow's start included")
    print(f"waits go on after the kill    {resumed:.0f} s, the start of a triggerer included")
    print(f"all over after                {time.monotonic() - began:.0f} s")
    print(f"as they should have           {WAITS} of {WAITS}, each in its first try")
    print(f"calls that start something    {sum(calls.values())}, none twice")
    print(f"requests in all               {len(served.cluster.requests)}")
    print(
        f"memory of the triggerer       {memory:.0f} MB, {airflow.memory('triggerer'):.0f} MB after"
    )


def lists(served: Served) -> int:
    """Return how often the cluster was asked for all actions."""
    return sum(seen.path == "/v1/actions" for seen in served.cluster.requests)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
