"""`FakeCluster`: a small Redis Software cluster on 127.0.0.1, for tests of orchestrators.

The fake cluster serves HTTP, or HTTPS, over real sockets. Its clock follows that of the event loop,
so that a test under virtual time (looptime and the like) runs hours in milliseconds; it can also
run faster, stand still, and jump. Its answers have the quirks of real clusters: numbers as strings
where a cluster sends strings, no progress on a completed state machine, deletes that vanish instead
of completing, no /v2/actions before 7.22. It has databases, Active-Active databases (CRDBs), nodes
and modules; requests that create, change, move, export, import or remove them start work there, and
so can the test itself. It refuses calls that the API's pages say a cluster refuses, with their
statuses. With several nodes, the others redirect to the primary, and nodes can be stopped and
started. Nodes may also be installed machines that become a cluster by a bootstrap. Tokens expire,
there are certificates, and faults are injected one at a time, or at random times that a seed
determines.

    async with FakeCluster() as cluster:
        uid = cluster.add_action("SMUpdateBDB", Plan(duration=60, outcome="failed"))
        client = ActionsClient(cluster.url, username=cluster.username, password=cluster.password)

The fake imports nothing from the rest of the package, so that the two cannot share a misreading of
the API. Where no recording of an answer exists (the body of a 401, the progress of a failed state
machine, answers of nodes without a primary, the codes of most errors), the fake's answer is a guess
that contains as little as possible. TLS needs trustme.

Vendor pages (redis.io/docs, operate/rs/references/rest-api): requests/actions,
requests/actions/bdb, requests/bdbs, requests/bdbs/actions, requests/bdbs/availability,
requests/shards, objects/shard, requests/shards/actions, objects/bdb, requests/users/authorize,
requests/users/refresh_jwt, objects/action, objects/state-machine, requests/nodes, objects/node,
requests/nodes/actions, requests/node_master_healthcheck, requests/cluster, requests/cluster/check,
requests/cluster/actions, requests/license, requests/crdbs, requests/crdbs/health_report,
requests/crdb_tasks, objects/crdb_task, requests/bootstrap, objects/bootstrap, requests/modules,
requests/modules/user-defined, objects/module; monitoring/health-report.
"""

from redis_enterprise_actions.testing.scenario.document import Scenario
from redis_enterprise_actions.testing.scenario.errors import ScenarioError
from redis_enterprise_actions.testing.server.chaos import ChaosEpisode
from redis_enterprise_actions.testing.settings import SeenRequest
from redis_enterprise_actions.testing.state.actions import FakeAction, Kind, Outcome, Plan, Progress
from redis_enterprise_actions.testing.state.bootstrap import BootstrapState, Downtime
from redis_enterprise_actions.testing.state.crdb_instances import ConfigurationStatus, LinkStatus
from redis_enterprise_actions.testing.state.crdbs import FakeCrdbTask
from redis_enterprise_actions.testing.state.databases import FakeDatabase, SyncStatus, Transfer
from redis_enterprise_actions.testing.state.health import NodeStatus
from redis_enterprise_actions.testing.state.node_actions import ClusterActionName, NodeActionName
from redis_enterprise_actions.testing.state.shards import DetailedShardStatus, ShardStatus

from .cluster import FakeCluster
from .control.server import ControlServer
from .replay.capture_file import CaptureError, RecordedExchange
from .replay.cluster import ReplayedCluster
from .settings import Version


__all__ = [
    "BootstrapState",
    "CaptureError",
    "ChaosEpisode",
    "ClusterActionName",
    "ConfigurationStatus",
    "ControlServer",
    "DetailedShardStatus",
    "Downtime",
    "FakeAction",
    "FakeCluster",
    "FakeCrdbTask",
    "FakeDatabase",
    "Kind",
    "LinkStatus",
    "NodeActionName",
    "NodeStatus",
    "Outcome",
    "Plan",
    "Progress",
    "RecordedExchange",
    "ReplayedCluster",
    "Scenario",
    "ScenarioError",
    "SeenRequest",
    "ShardStatus",
    "SyncStatus",
    "Transfer",
    "Version",
]
