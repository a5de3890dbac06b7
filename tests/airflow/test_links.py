"""Tests of `airflow.links`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.providers_manager import ProvidersManager

from redis_enterprise_actions.airflow.links import RedisEnterpriseClusterLink
from redis_enterprise_actions.airflow.sensors import RedisEnterpriseActionSensor
from tests.airflow.conftest import CONN_ID
from tests.airflow.tries import operator


if TYPE_CHECKING:
    from redis_enterprise_actions.airflow.operators import RedisEnterpriseOperator

KEY = cast("Any", None)


@pytest.mark.parametrize(
    ("connection", "link"),
    [
        ({"host": "a.example.com", "password": "hunter2"}, "https://a.example.com:8443"),
        ({"host": "http://a.example.com:9443"}, "https://a.example.com:8443"),
        ({"host": "::1"}, "https://[::1]:8443"),
        ({"extra": {"urls": "https://b:9443"}}, "https://b:8443"),
        (
            {"host": "a", "extra": {"ui_url": "https://ui.example.com/redis"}},
            "https://ui.example.com/redis",
        ),
        ({"host": "a", "extra": {"ui_url": "https://ui:443/"}}, "https://ui:443/"),
        ({"host": "a", "extra": {"ui_url": "https://x:hunter2@ui/"}}, ""),
        ({"host": "a", "extra": {"ui_url": "javascript:alert(1)"}}, ""),
        ({"host": "a", "extra": {"ui_url": "javascript://ui/%0aalert(1)"}}, ""),
        ({"host": "https://[broken"}, ""),
        ({"host": "https://"}, ""),
        ({}, ""),
    ],
)
def test_link(monkeypatch: pytest.MonkeyPatch, connection: dict[str, object], link: str) -> None:
    """The link is that of the user interface, and holds no credentials."""
    text = json.dumps({"conn_type": "redis_enterprise", **connection})
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", text)

    assert RedisEnterpriseClusterLink().get_link(operator(), ti_key=KEY) == link


def test_missing_connection() -> None:
    """Without the connection there is no link, and no error."""
    op = operator(redis_enterprise_conn_id="missing")

    assert RedisEnterpriseClusterLink().get_link(op, ti_key=KEY) == ""


@pytest.mark.parametrize("kind", ["operator", "sensor"])
def test_tasks_have_it(kind: str) -> None:
    """Operators and the sensor have the link, which Airflow knows."""
    op: RedisEnterpriseOperator | RedisEnterpriseActionSensor = operator()
    if kind == "sensor":
        op = RedisEnterpriseActionSensor(task_id="s", ref="bdb:1")
    (link,) = op.operator_extra_links

    assert link.name == "Redis Enterprise cluster"
    path = "redis_enterprise_actions.airflow.links.RedisEnterpriseClusterLink"
    assert path in ProvidersManager().extra_links_class_names
