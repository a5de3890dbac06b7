"""Tests of `_client.polling.watch`: observers of waits."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionFailed, ActionNotFound, Outcome
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from redis_enterprise_actions import ActionsClient, Record
    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.core

WHO: ContextVar[str] = ContextVar("WHO")


class RecordingObserver:
    """Observer that keeps the records of waits."""

    def __init__(self, client: ActionsClient) -> None:
        self.begun: list[tuple[str, Record]] = []
        self.ended: list[Record] = []
        client.observe(self.observe)

    def observe(self, record: Record) -> Callable[[Record], None]:
        self.begun.append((WHO.get("nobody"), record))
        return self.ended.append


async def test_observer(cluster: FakeCluster, client: ActionsClient) -> None:
    """An observer is called as a wait begins, in the context of the wait, and as it ends."""
    book = RecordingObserver(client)
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
    """An observer gets the record that the error has."""
    book = RecordingObserver(client)
    with pytest.raises(ActionFailed) as caught:
        await client.wait_for_action(cluster.add_action(plan=Plan(outcome="failed")))

    assert book.ended == [caught.value.record]


async def test_observer_of_an_iterator(cluster: FakeCluster, client: ActionsClient) -> None:
    """A wait by iterator begins with its first step, and ends when it is closed."""
    book = RecordingObserver(client)
    never, left = (client.watch_action(cluster.add_action()) for _ in range(2))
    await anext(left)

    assert len(book.begun) == 1
    await left.aclose()  # type: ignore[attr-defined]
    await never.aclose()  # type: ignore[attr-defined]
    assert [record.outcome for record in book.ended] == [Outcome.INTERRUPTED]


@pytest.mark.parametrize("error", [RuntimeError, StopIteration, StopAsyncIteration])
@pytest.mark.parametrize("when", ["begun", "ended"])
async def test_observer_that_fails(
    cluster: FakeCluster,
    client: ActionsClient,
    caplog: pytest.LogCaptureFixture,
    when: str,
    error: type[Exception],
) -> None:
    """An error of an observer ends no wait and no other observer; it is logged."""

    def begins(_: Record) -> Callable[[Record], None]:
        if when == "begun":
            raise error("no room")
        return ends

    def ends(_: Record) -> None:
        raise error("no room")

    client.observe(begins)
    book = RecordingObserver(client)
    uid = cluster.add_action()
    action = await client.wait_for_action(uid)

    assert book.ended == [action.record]
    assert caplog.messages == [f"an observer of the wait for action:{uid} failed"]
    assert "no room" in caplog.text
    (fields,) = (vars(record) for record in caplog.records)
    assert (fields["event"], fields["ref"]) == ("observer failed", f"action:{uid}")


async def test_observer_of_a_hostile_uid(
    client: ActionsClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The log message is one printable line, whatever the uid holds; the field has it as it is."""

    def fail(_: Record) -> NoReturn:
        raise RuntimeError("no room")

    client.observe(fail)
    with pytest.raises(ActionNotFound):
        await client.wait_for_action("a\nCRITICAL b\x1b[31m")

    assert caplog.messages == ["an observer of the wait for action:a CRITICAL b [31m failed"]
    assert vars(caplog.records[0])["ref"] == "action:a\nCRITICAL b\x1b[31m"
