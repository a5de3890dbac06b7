"""Clients for the examples: of your cluster if one is configured, else of a fake one."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from redis_enterprise_actions import ActionsClient
from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def somewhere(*names: str) -> AsyncIterator[tuple[ActionsClient, list[str]]]:
    """Yield a client and the uids to wait for: those on the command line, or some fake ones."""
    if "REDIS_ENTERPRISE_URL" in os.environ:
        if not sys.argv[1:]:
            sys.exit("give the uid of an action on your cluster")
        async with ActionsClient.from_env() as client:
            yield client, sys.argv[1:]
        return
    async with (
        FakeCluster() as cluster,
        ActionsClient(cluster.url, username=cluster.username, password=cluster.password) as client,
    ):
        yield client, [cluster.add_action(name, Plan(duration=2)) for name in names]


@asynccontextmanager
async def a_cluster(url: str | None = None) -> AsyncIterator[ActionsClient]:
    """Yield a client of your cluster, or of a fake one with three nodes and two databases."""
    if "REDIS_ENTERPRISE_URL" in os.environ:
        async with ActionsClient.from_env(url=url) as client:
            yield client
        return
    async with (
        FakeCluster(nodes=3) as cluster,
        ActionsClient(cluster.urls, username=cluster.username, password=cluster.password) as client,
    ):
        for uid in (1, 2):
            cluster.add_bdb(uid)
        for method in ("POST", "PUT"):
            cluster.plan(method, "/v1/", Plan(duration=0.5), times=None)
        yield client
