"""Tests of iterating over the life of an action with the synchronous client."""

from __future__ import annotations

import gc
import inspect
import threading
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions.sync import Action, ActionFailed, ActionNotFound, ActionsClient
from redis_enterprise_actions.testing import Plan
from tests.sync.test_client import wait_for


if TYPE_CHECKING:
    from tests.threaded_cluster import ThreadedCluster

SHORT = Plan(duration=0.3)
LONG = Plan(duration=60)


def is_idle(client: ActionsClient) -> bool:
    """Return True if nothing but the client is left on its loop."""
    thread, own = client._link.use()
    return not thread._tasks and set(thread._kept) == {own}


def test_iteration(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """An iteration yields the first answer, changes and the end; callbacks run in its thread."""
    threads: set[threading.Thread] = set()
    uid = threaded.add(plan=Plan(duration=0.3, outcome="failed"))

    updates = client.watch_action(
        uid, on_progress=lambda _: threads.add(threading.current_thread())
    )

    assert inspect.isgenerator(updates)
    phases = [action.phase.value for action in updates]
    assert (phases[0], phases[-1]) == ("running", "failed")
    assert threads == {threading.current_thread()}
    with pytest.raises(ActionFailed):
        client.wait_for_action(uid)
    wait_for(lambda: is_idle(client))


def test_errors(client: ActionsClient) -> None:
    """Errors are raised where the iteration meets them."""
    with pytest.raises(ActionNotFound):
        list(client.watch_action("a1", not_found_grace=0))


def test_leaving_early(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """Leaving the loop ends the watch on the loop, and so does `close`."""
    uid = threaded.add(plan=LONG)
    for action in client.watch_action(uid):
        assert isinstance(action, Action)
        break
    gc.collect()
    wait_for(lambda: is_idle(client))
    updates = client.watch_action(uid)
    next(updates)
    assert not is_idle(client)
    updates.close()
    assert is_idle(client)
    assert list(updates) == []


def test_never_begun(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """An iterator that is never used leaves nothing, and sends nothing."""
    updates = client.operation(threaded.add(plan=LONG)).watch()
    updates.close()
    del updates
    gc.collect()

    assert is_idle(client)
    assert threaded.cluster.requests == []


def test_error_in_the_body(client: ActionsClient, threaded: ThreadedCluster) -> None:
    """An error of the body ends the watch."""
    uid = threaded.add(plan=LONG)

    def body() -> None:
        for _ in client.watch_action(uid):
            raise KeyError("mine")

    with pytest.raises(KeyError):
        body()
    gc.collect()
    wait_for(lambda: is_idle(client))


def test_collected_in_the_thread_of_the_loop(
    client: ActionsClient, threaded: ThreadedCluster
) -> None:
    """The garbage collector may find an iterator in the thread of the loop itself."""
    updates = [client.watch_action(threaded.add(plan=LONG))]
    next(updates[0])

    client._link.use()[0].submit(updates.clear)

    wait_for(lambda: is_idle(client))


def test_client_without_a_name(threaded: ThreadedCluster) -> None:
    """A client stays open as long as somebody iterates, or is in a context of its own."""
    updates = ActionsClient.from_env().watch_action(threaded.add(plan=SHORT))
    gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed"):
        assert [action.phase.terminal for action in updates][-1]
