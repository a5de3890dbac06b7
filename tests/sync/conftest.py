"""Fixtures of the tests of the synchronous client."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.sync import ActionsClient, _loop


if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis_enterprise_actions.sync._loop import _Process
    from tests.threaded_cluster import ThreadedCluster


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Process]:
    """Return the state of a process that has not used the client yet; end its thread."""
    mine = _loop._Process()
    monkeypatch.setattr(_loop, "_process", mine)
    yield mine
    for state in {mine, _loop._process}:
        if state.thread is not None and state.thread._thread.is_alive():
            state.thread.stop()
            assert not state.thread._thread.is_alive()
    assert threading.active_count() < 50


@pytest.fixture
def client(threaded: ThreadedCluster, process: _Process) -> Iterator[ActionsClient]:
    """Return a client of the cluster in a thread."""
    with ActionsClient.from_env() as client:
        yield client
