"""Table of the fake cluster's routes, with the versions that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from redis_enterprise_actions.testing import FakeCluster
from tests.http_client import http_client

from .versions import ALL, before, since


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import Version

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

# The statuses of GET were seen on clusters of five versions, but for the single actions of nodes
# and of the cluster, shards, checks and reports of health; those, and other methods, are as their
# pages have them.
ROUTES: Final[dict[str, tuple[Version, ...]]] = {
    "GET /v1/actions": ALL,
    "GET /v1/actions/{uid}": ALL,
    "GET /v1/actions/bdb/1": ALL,
    "GET /v2/actions": since("7.22"),
    "GET /v2/actions/{uid}": since("7.22"),
    "GET /v1/bdbs": ALL,
    "GET /v1/bdbs/1": ALL,
    "GET /v1/bdbs/1/availability": since("7.8"),
    "GET /v1/local/bdbs/1/endpoint/availability": since("7.8"),
    "GET /v1/bdbs/1/actions/recover": ALL,
    "GET /v1/bdbs/1/shards": ALL,
    "GET /v1/shards": ALL,
    "GET /v1/shards/1": ALL,
    "GET /v1/nodes": ALL,
    "GET /v1/nodes/1": ALL,
    "GET /v1/nodes/status": ALL,
    "GET /v1/nodes/1/status": ALL,
    "GET /v1/nodes/actions": ALL,
    "GET /v1/nodes/1/actions": ALL,
    "GET /v1/local/node/master_healthcheck": ALL,
    "GET /v1/cluster": ALL,
    "GET /v1/cluster/check": ALL,
    "GET /v4/cluster/health": since("8.0.16"),
    "GET /v4/db/1/health": since("8.0.16"),
    "GET /v1/cluster/actions": ALL,
    "GET /v1/license": ALL,
    "GET /v1/crdbs": ALL,
    "GET /v1/crdbs/g1/health_report": ALL,
    "GET /v1/crdb_tasks": ALL,
    "GET /v1/boostrap": (),
    "POST /v1/bdbs": ALL,
    "POST /v2/bdbs": ALL,
    "POST /v1/bdbs/1/modules/upgrade": ALL,
    "POST /v1/modules/upgrade/bdb/1": before("8.0"),
    "PUT /v1/bdbs/1/actions/rebalance": since("7.8"),
    "PUT /v1/bdbs/1/actions/revamp": since("7.22"),
    "POST /v1/bdbs/1/actions/stop_traffic": since("7.8"),
    "POST /v1/bdbs/1/actions/resume_traffic": since("7.8"),
    "POST /v1/shards/actions/failover": since("7.8"),
    "POST /v1/shards/actions/migrate": ALL,
    "POST /v1/crdbs/g1/upgrade": since("8.0"),
    "POST /v1/bdbs/1/actions/restart": (),
    "GET /v1/crdbs/g1/tasks": (),
}
NO_ROUTE: Final = "404: Not Found"


@pytest.mark.parametrize("version", ALL)
async def test_routes(version: Version) -> None:
    """A version has the routes that clusters of that version have; a GET is answered 200."""
    async with FakeCluster(version=version) as cluster, http_client(cluster) as call:
        uid = cluster.add_action(bdb_uid=1)
        cluster.add_crdb("g1")
        wrong = []
        for route, versions in ROUTES.items():
            status, answer = await call(*route.format(uid=uid).split())
            there = answer != NO_ROUTE
            if there is not (version in versions) or (there and "GET" in route and status != 200):
                wrong.append((route, status, answer))

        assert wrong == []
