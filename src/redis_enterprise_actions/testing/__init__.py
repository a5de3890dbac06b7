"""`FakeCluster`: a small Redis Software cluster on 127.0.0.1, to test orchestrators against.

It speaks HTTP over a real socket and has real actions under way, on the event loop's clock, so
that a test under virtual time (looptime and the like) runs hours in milliseconds. Its answers
have the quirks of the real thing: numbers as strings where a cluster sends strings, no progress
on a completed state machine, deletes that vanish instead of completing, no /v2 before 7.22.

    async with FakeCluster() as cluster:
        uid = cluster.add_action("SMUpdateBDB", duration=60, outcome="failed")
        client = ActionsClient(cluster.url, username=cluster.username, password=cluster.password)

It imports nothing from the rest of the package, so the two cannot share a misreading of the API.
What a cluster sends where no recording exists (the body of a 401, the progress of a failed
state machine) is a guess here, and the fake sends the least.

Vendor pages (redis.io/docs, operate/rs/references/rest-api): requests/actions,
requests/actions/bdb, objects/action, objects/state-machine.
"""

from ._cluster import FakeCluster, SeenRequest, Version
from ._script import FakeAction, Kind, Outcome, Progress


__all__ = ["FakeAction", "FakeCluster", "Kind", "Outcome", "Progress", "SeenRequest", "Version"]
