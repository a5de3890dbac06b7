"""Tests of `airflow.hooks`."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.airflow import RedisEnterpriseHook
from redis_enterprise_actions.airflow.compat import AirflowNotFoundException
from redis_enterprise_actions.airflow.provider import FIELDS
from tests.airflow.conftest import CONN_ID, connection_to


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster
    from tests.threaded_cluster import ThreadedCluster


async def test_client(connected: FakeCluster) -> None:
    """The hook makes a client of the connection."""
    async with RedisEnterpriseHook().get_conn() as client:
        assert await client.list_actions() == []


def test_form_of_3_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3.1 reads the form from the hook, with mocked modules."""
    forms = types.ModuleType("wtforms")
    for kind in ("StringField", "BooleanField"):
        setattr(forms, kind, lambda label, kind=kind, **more: (kind, label, more))
    monkeypatch.setitem(sys.modules, "wtforms", forms)
    fields = RedisEnterpriseHook.get_connection_form_widgets()

    assert fields.keys() == FIELDS.keys()
    assert fields["ca_cert"][:2] == ("StringField", "CA certificate")
    assert fields["verify"][0] == "BooleanField"
    assert fields["verify"][2]["default"] is True
    assert RedisEnterpriseHook.get_ui_field_behaviour()["hidden_fields"] == ["schema", "extra"]


def test_connection_works(server: ThreadedCluster) -> None:
    """A test of the connection reports that the cluster answers."""
    assert RedisEnterpriseHook().test_connection() == (
        True,
        "The cluster answers: it knows of 0 actions",
    )


def test_connection_refused(server: ThreadedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed test of the connection reports the reason, without traceback and password."""
    password, server.cluster.password = server.cluster.password, "another"
    worked, message = RedisEnterpriseHook().test_connection()

    assert worked is False
    assert "401" in message
    assert password not in message


def test_connection_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, server: ThreadedCluster
) -> None:
    """A test of a connection with wrong fields reports them."""
    uri = connection_to(server.cluster, verify="perhaps")
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", uri)

    assert RedisEnterpriseHook().test_connection() == (
        False,
        f"connection '{CONN_ID}': verify is 'perhaps', which is neither true nor false",
    )


def test_connection_that_redirects(server: ThreadedCluster) -> None:
    """The reason names fields of the connection."""
    headers = {"Location": "https://other:9443/v1/actions"}
    server.do(lambda cluster: cluster.inject(times=None, status=307, headers=headers))
    worked, message = RedisEnterpriseHook().test_connection()

    assert worked is False
    assert "the field trusted_hosts of the connection" in message
    assert "REDIS_ENTERPRISE" not in message


async def test_connection_without_an_asynchronous_way(
    connected: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only synchronous code finds a connection, as in `airflow dags test`, it is asked."""

    async def missing(self: object, conn_id: str) -> object:
        raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")

    monkeypatch.setattr(RedisEnterpriseHook, "aget_connection", missing)

    assert (await RedisEnterpriseHook().aget_settings()).urls == (connected.url,)
    with pytest.raises(AirflowNotFoundException):
        await RedisEnterpriseHook("missing").aget_settings()
