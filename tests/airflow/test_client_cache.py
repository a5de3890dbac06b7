"""Tests of `airflow.client_cache`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import Connection

from redis_enterprise_actions import ClientClosed
from redis_enterprise_actions.airflow import client_cache as _shared
from redis_enterprise_actions.airflow.client_cache import shared_client
from redis_enterprise_actions.airflow.connection import ConnectionSettings
from tests.airflow.conftest import connection_to


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster


def settings_of(cluster: FakeCluster) -> ConnectionSettings:
    """Return the settings for a cluster."""
    return ConnectionSettings.from_connection(Connection.from_json(connection_to(cluster)))


async def test_shared_and_closed_by_the_last(cluster: FakeCluster) -> None:
    """Equal settings share a client, which the last user closes."""
    async with shared_client(settings_of(cluster)) as first:
        async with shared_client(settings_of(cluster)) as second:
            assert second is first
        assert await first.list_actions() == []

    with pytest.raises(ClientClosed):
        await first.list_actions()
    assert _shared._CLIENTS[asyncio.get_running_loop()] == {}


async def test_a_new_password_is_a_new_client(cluster: FakeCluster) -> None:
    """Waits that begin after a password was changed do not use the old one."""
    old = settings_of(cluster)
    cluster.password = "another-fake-password"

    async with shared_client(old) as first, shared_client(settings_of(cluster)) as second:
        assert second is not first


async def test_cancelled(cluster: FakeCluster) -> None:
    """A cancelled user releases the client like any other."""

    async def use() -> None:
        async with shared_client(settings_of(cluster)):
            await asyncio.Event().wait()

    async with shared_client(settings_of(cluster)) as client:
        user = asyncio.create_task(use())
        await asyncio.sleep(0)
        user.cancel()
        await asyncio.gather(user, return_exceptions=True)

        assert await client.list_actions() == []


def test_another_loop_has_another_client(cluster_url: str) -> None:
    """Nothing is shared across event loops."""

    async def client_here() -> object:
        settings = ConnectionSettings.from_connection(
            Connection(conn_id="c", conn_type="redis_enterprise", host=cluster_url)
        )
        async with shared_client(settings) as client:
            return client

    assert asyncio.run(client_here()) is not asyncio.run(client_here())


@pytest.fixture
def cluster_url() -> str:
    """URL that receives no request."""
    return "http://127.0.0.1:9"
