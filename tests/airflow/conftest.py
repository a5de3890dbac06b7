"""Fixtures of the Airflow tests: connections to fake clusters, contexts of tasks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.airflow import RedisEnterpriseTrigger


if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis_enterprise_actions.testing import FakeCluster
    from tests.threaded_cluster import ThreadedCluster

CONN_ID = "redis_enterprise_default"


def connection_to(cluster: FakeCluster, **extra: object) -> str:
    """Return a connection to a fake cluster, as Airflow reads it from the environment."""
    return json.dumps({
        "conn_type": "redis_enterprise",
        "schema": "http",
        "host": "127.0.0.1",
        "port": int(cluster.url.rpartition(":")[2]),
        "login": cluster.username,
        "password": cluster.password,
        "extra": extra,
    })  # fmt: skip


@pytest.fixture
def connected(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The cluster, as a connection that Airflow knows."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", connection_to(cluster))
    return cluster


@pytest.fixture
def server(threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedCluster]:
    """A cluster in a thread of its own, as a connection that Airflow knows."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", connection_to(threaded.cluster))
    threaded.do(lambda cluster: cluster.add_bdb(1))
    return threaded


class TaskStateStore(dict[str, object]):
    """Airflow's `task_state_store`, which outlives a try."""

    def set(self, key: str, value: object) -> None:
        json.dumps(value)
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


class Task:
    """The attributes of Airflow's task instance that are used."""

    def __init__(self, max_tries: int = 0) -> None:
        self.max_tries = max_tries
        self.xcoms: dict[str, object] = {}

    def xcom_push(self, key: str, value: object) -> None:
        self.xcoms[key] = value


def context_of(store: TaskStateStore | None = None, max_tries: int = 0) -> dict[str, object]:
    """Return the context of one try. Without a store, it is that of Airflow 3.1."""
    context: dict[str, object] = {"ti": Task(max_tries)}
    return context if store is None else context | {"task_state_store": store}


def again(trigger: RedisEnterpriseTrigger) -> RedisEnterpriseTrigger:
    """Return the trigger as another process restores it from its serialised form."""
    _, arguments = trigger.serialize()
    return RedisEnterpriseTrigger(**arguments)  # type: ignore[arg-type]
