"""A thousand waits in one triggerer: their cost for the triggerer and for the cluster.

Airflow's own `TriggerRunner` runs the triggers in a process of its own, as in a triggerer, but
without its supervisor, for which a thousand tasks would have to be started.

Usage: python -m tests.airflow.crash.thousand
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

from redis_enterprise_actions.testing import Plan
from tests.airflow.conftest import CONN_ID, connection_to
from tests.threaded_cluster import ThreadedCluster


WAITS = 1000
SHORT, LONG = 20.0, 60.0  # seconds that the first one and the last one take


def main() -> None:
    """Serve a cluster on which a thousand actions run, and let another process wait for them."""
    threaded = ThreadedCluster()
    threaded.start()
    try:
        step = (LONG - SHORT) / WAITS
        uids = [
            threaded.add("retry_bdb", Plan(duration=SHORT + step * each)) for each in range(WAITS)
        ]
        began = len(threaded.cluster.requests)
        env = os.environ | {f"AIRFLOW_CONN_{CONN_ID.upper()}": connection_to(threaded.cluster)}
        ran = subprocess.run(
            [sys.executable, "-m", "tests.airflow.crash.runner"],
            input=json.dumps(uids),
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            check=True,
        )
        measured = json.loads(ran.stdout.splitlines()[-1])
        seen = threaded.cluster.requests[began:]
    finally:
        threaded.stop()
    assert measured["outcomes"] == {"completed": WAITS}, measured
    paths = Counter("lists" if each.path == "/v1/actions" else "others" for each in seen)
    print(f"waits                         {WAITS}, all completed")
    print(f"the last one took             {LONG:.0f} s on the cluster")
    print(f"all over after                {measured['seconds']:.0f} s, loading Airflow not counted")
    print(f"requests                      {len(seen)}: {dict(paths)}")
    print(f"memory of Airflow itself      {measured['before']:.0f} MB")
    print(f"memory with all of them       {measured['after']:.0f} MB")
    print(f"CPU time                     {measured['processor']:.1f} s")


if __name__ == "__main__":
    main()
