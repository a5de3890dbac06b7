"""Facts about what one who waits gets to see: those who observe waits, and when they are told."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionFailed, Outcome
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions import ActionsClient, Record
    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.core

WHO: ContextVar[str] = ContextVar("WHO")


class Book:
    """Writes down who waits for what, and how that ends."""

    def __init__(self, client: ActionsClient) -> None:
        self.begun: list[tuple[str, Record]] = []
        self.ended: list[Record] = []
        client.observe(self.observe)

    def observe(self, record: Record) -> Callable[[Record], None]:
        self.begun.append((WHO.get("nobody"), record))
        return self.ended.append


async def test_observer(cluster: FakeCluster, client: ActionsClient) -> None:
    """An observer is told of a wait as it begins, where it begins, and as it ends."""
    book = Book(client)
    uid = cluster.add_action()
    WHO.set("deploy")
    waiting = asyncio.create_task(client.wait_for_action(uid))
    await asyncio.sleep(1)
    ((who, record),) = book.begun

    assert who == "deploy"
    assert (record.ref, record.outcome, record.polls) == (f"action:{uid}", Outcome.UNDER_WAY, 0)
    assert book.ended == []
    assert book.ended == [(await waiting).record]


async def test_observer_of_a_failure(cluster: FakeCluster, client: ActionsClient) -> None:
    """It gets the record that the error has."""
    book = Book(client)
    with pytest.raises(ActionFailed) as caught:
        await client.wait_for_action(cluster.add_action(plan=Plan(outcome="failed")))

    assert book.ended == [caught.value.record]


async def test_observer_of_an_iterator(cluster: FakeCluster, client: ActionsClient) -> None:
    """A wait by iterator begins with its first step, and ends where it is closed."""
    book = Book(client)
    never, left = (client.watch_action(cluster.add_action()) for _ in range(2))
    await anext(left)

    assert len(book.begun) == 1
    await left.aclose()  # type: ignore[attr-defined]
    await never.aclose()  # type: ignore[attr-defined]
    assert [record.outcome for record in book.ended] == [Outcome.INTERRUPTED]


@pytest.mark.parametrize("when", ["begun", "ended"])
async def test_observer_that_fails(
    cluster: FakeCluster, client: ActionsClient, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    """An observer's error ends no wait, and no other observer; the log has it."""

    def begins(_: Record) -> Callable[[Record], None]:
        if when == "begun":
            raise RuntimeError("no room")
        return ends

    def ends(_: Record) -> None:
        raise RuntimeError("no room")

    client.observe(begins)
    book = Book(client)
    uid = cluster.add_action()
    action = await client.wait_for_action(uid)

    assert book.ended == [action.record]
    assert caplog.messages == [f"an observer of the wait for action:{uid} failed"]
    assert "no room" in caplog.text
    (said,) = (vars(record) for record in caplog.records)
    assert (said["event"], said["ref"]) == ("observer failed", f"action:{uid}")
