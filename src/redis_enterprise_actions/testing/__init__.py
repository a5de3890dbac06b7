"""`FakeCluster`: a small Redis Software cluster on 127.0.0.1, to test orchestrators against.

It speaks HTTP, or HTTPS, over real sockets and has real actions under way, on the event loop's
clock, so that a test under virtual time (looptime and the like) runs hours in milliseconds. Its
answers have the quirks of the real thing: numbers as strings where a cluster sends strings, no
progress on a completed state machine, deletes that vanish instead of completing, no /v2 before
7.22. It has databases, Active-Active databases (CRDBs) and nodes, and calls that make, change,
move, export, import or remove them start work there, as does the test itself. Of several nodes
the others redirect to their primary, stop and start. Tokens expire; there are certificates; and
there is trouble, one fault at a time or drawn by lot from a seed.

    async with FakeCluster() as cluster:
        uid = cluster.add_action("SMUpdateBDB", Plan(duration=60, outcome="failed"))
        client = ActionsClient(cluster.url, username=cluster.username, password=cluster.password)

It imports nothing from the rest of the package, so the two cannot share a misreading of the API.
What a cluster sends where no recording exists (the body of a 401, the progress of a failed
state machine, what nodes say when there is no primary, the codes of most refusals) is a guess
here, and the fake sends the least. TLS wants `redis-enterprise-actions[testing]`, which brings
trustme.

Vendor pages (redis.io/docs, operate/rs/references/rest-api): requests/actions,
requests/actions/bdb, requests/bdbs, requests/bdbs/actions, requests/shards/actions, objects/bdb,
requests/users/authorize, requests/users/refresh_jwt, objects/action, objects/state-machine,
requests/nodes/actions, requests/cluster/actions, requests/crdbs, requests/crdb_tasks,
objects/crdb_task.
"""

from redis_enterprise_actions.testing.server.chaos import Trouble
from redis_enterprise_actions.testing.server.middleware import SeenRequest
from redis_enterprise_actions.testing.state.actions import FakeAction, Kind, Outcome, Plan, Progress
from redis_enterprise_actions.testing.state.crdbs import FakeCrdbTask
from redis_enterprise_actions.testing.state.databases import FakeDatabase, Transfer
from redis_enterprise_actions.testing.state.node_actions import ClusterActionName, NodeActionName

from .cluster import FakeCluster, Version


__all__ = [
    "ClusterActionName",
    "FakeAction",
    "FakeCluster",
    "FakeCrdbTask",
    "FakeDatabase",
    "Kind",
    "NodeActionName",
    "Outcome",
    "Plan",
    "Progress",
    "SeenRequest",
    "Transfer",
    "Trouble",
    "Version",
]
